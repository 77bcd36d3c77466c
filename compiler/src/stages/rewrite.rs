//! One pass, or several, on a graph that was read from text.

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
