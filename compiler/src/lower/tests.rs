//! What lowering must do, seen from outside: whatever is fused and however it is cut, the results are the reference's.

pub(crate) mod coverage;
mod hostile;
mod noise;
pub(crate) mod random;
pub(crate) mod trial;

/// The program of a random graph, if it can be lowered.
pub(crate) fn program(seed: u64, fuse: bool) -> Result<crate::loops::Program, String> {
    trial::Trial::new(&random::graph(seed), fuse).map(|trial| trial.program)
}

/// A number from the environment: the seeds that a test of random graphs starts from and how many it draws.
pub(crate) fn asked(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |text| text.parse().unwrap_or_else(|_| panic!("{name} is no number: {text}")))
}

/// Draws graphs of many sizes (`GRADC_RANDOM_COUNT` of them, from the seed `GRADC_RANDOM_SEED` on); each must give equal bits however it
/// is cut, and the reference's values. With `GRADC_RANDOM_SHOW` set, graphs that fail are printed.
#[test]
fn random_graphs_give_the_reference_however_they_are_cut() {
    let first = asked("GRADC_RANDOM_SEED", 0);
    let seeds = first..first + asked("GRADC_RANDOM_COUNT", 240);
    let mut failures = Vec::new();
    for seed in seeds {
        let graph = random::graph(seed);
        let outcome = std::panic::catch_unwind(|| trial::check(&graph, seed)).unwrap_or_else(|_| Err("a panic".into()));
        if let Err(why) = outcome {
            if std::env::var("GRADC_RANDOM_SHOW").is_ok() {
                println!("{}", crate::graph::text::print(&graph, false));
            }
            failures.push(format!("seed {seed}, {} nodes: {why}", graph.nodes.len()));
        }
    }
    assert!(failures.is_empty(), "{} failures\n{}", failures.len(), failures.join("\n"));
}
