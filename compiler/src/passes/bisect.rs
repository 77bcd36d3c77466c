//! Bisection by fuel: finds the one rewrite after which a graph is wrong.

use super::{Application, Bug, Context, Pass, run};
use crate::graph::Graph;

/// The first rewrite after which `wrong` holds of the simplified graph, if it holds with all rewrites made and not with none.
pub fn bisect(passes: &[Pass], graph: &Graph, wrong: impl Fn(&Graph) -> bool) -> Result<Option<Application>, Bug> {
    let with = |fuel: Option<u64>| -> Result<(bool, Vec<Application>), Bug> {
        let mut context = Context { fuel, ..Context::new() };
        let after = run(passes, graph, &mut context)?;
        context.log.retain(|application| application.rewrite);
        Ok((wrong(&after), context.log))
    };
    let (bad, log) = with(None)?;
    if !bad || with(Some(0))?.0 {
        return Ok(None);
    }
    // `good` rewrites are right, `bad` are wrong.
    let (mut good, mut bad) = (0, log.len() as u64);
    while good + 1 < bad {
        let middle = good.midpoint(bad);
        if with(Some(middle))?.0 { bad = middle } else { good = middle }
    }
    Ok(with(Some(bad))?.1.pop())
}
