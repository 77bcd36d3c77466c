//! What lowering must do, seen from outside: whatever is fused and however it is cut, the results are the reference's.

mod random;
mod trial;

pub(crate) use trial::Numbers;

/// The program of a random graph, if it can be lowered.
pub(crate) fn program(seed: u64, size: usize, fuse: bool) -> Result<crate::loops::Program, String> {
    let graph = random::graph(seed, size).expect("draws only what the builder takes");
    trial::Trial::new(&graph, fuse).map(|trial| trial.program)
}

/// Draws graphs of many sizes; each must give equal bits however it is cut, and the reference's values.
#[test]
fn random_graphs_give_the_reference_however_they_are_cut() {
    let (from, to) = match std::env::var("SEEDS") {
        Ok(range) => {
            let (from, to) = range.split_once("..").unwrap();
            (from.parse().unwrap(), to.parse().unwrap())
        }
        _ => (0, 60),
    };
    let mut failures = Vec::new();
    for seed in from..to {
        let size = 2 + (seed % 17) as usize;
        let graph = random::graph(seed, size).expect("draws only what the builder takes");
        let outcome = std::panic::catch_unwind(|| trial::check(&graph, seed)).unwrap_or_else(|_| Err("panic".into()));
        if let Err(why) = outcome {
            if std::env::var("SHOW").is_ok() {
                let legal = crate::fusion::legalize::legalize(&graph).unwrap();
                println!("{}", crate::graph::text::print(&legal, false));
                if let Ok(t) = trial::Trial::new(&graph, true) {
                    println!("{:?}\n{:#?}", t.fusion.staged, t.fusion.groups.iter().map(|g| (g.members.iter().map(|m| (m.node.0, m.total)).collect::<Vec<_>>(), &g.axes, &g.domains, &g.parallel).clone()).map(|x| format!("{x:?}")).collect::<Vec<_>>());
                    println!("{:#?}", t.fusion.inlined.iter().enumerate().filter(|x| *x.1).map(|x| x.0.to_string()).collect::<Vec<_>>().join(" "));
                }
            }
            failures.push(format!("seed {seed} size {size} nodes {}: {why}", graph.nodes.len()));
        }
    }
    assert!(failures.is_empty(), "{} failures\n{}", failures.len(), failures.join("\n"));
}
