//! One pass, or several, on a graph that was read from text.

use crate::fusion;
use crate::graph::{self, Graph};
use crate::passes::{self, Bug, Context, Pass};
use std::fmt::Write;

/// Runs passes and writes down the graph that they leave and, as remarks, what they did: the text can be read again.
///
/// # Errors
/// A pass that breaks the graph or, where the context validates, changes what it means.
pub fn rewrite(graph: &Graph, passes: &[Pass], options: &Context) -> Result<String, Bug> {
    let mut context = options.clone();
    let after = passes::run(passes, graph, &mut context)?;
    let mut text = String::new();
    for pass in passes {
        let _ = writeln!(text, "// pass {}: {}", pass.name, pass.reason);
    }
    let _ = writeln!(text, "// nodes {} -> {}", graph.nodes.len(), after.nodes.len());
    if after == *graph {
        text.push_str("// (unchanged)\n");
    }
    text.push_str(&graph::text::print(&after, true));
    text.extend(passes::log_text(&graph.name, &context.log).lines().map(|line| format!("// {line}\n")));
    Ok(text)
}

/// Runs passes and writes down what fusion makes of the graph that they leave: kernels with the reasons for them, as stage 05 does.
///
/// # Errors
/// A pass that breaks the graph or, where the context validates, changes what it means; a graph of which no kernels can be made.
pub fn fused(graph: &Graph, passes: &[Pass], options: &Context) -> Result<String, Bug> {
    let after = passes::run(passes, graph, &mut options.clone())?;
    let failed = |why: String| Bug::new("fuse", &after, why);
    let legal = fusion::legalize::legalize(&after).map_err(|error| failed(error.message))?;
    let plan = fusion::fuse(&legal, &fusion::Options::default()).map_err(failed)?;
    Ok(format!("// fuse {}\n{}", graph.name, fusion::text::print(&legal, &plan, true)))
}
