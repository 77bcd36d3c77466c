//! Release: `stop_gradient` is a word for autodiff; after it, the node is its operand.

use super::rebuild::Rebuild;
use super::{Application, Bug, Context};
use crate::graph::Graph;
use crate::ops::Primitive;
use crate::rules::Exactness;

/// Whether there is such a word.
pub fn concerns(graph: &Graph) -> bool {
    graph.nodes.iter().any(|node| node.primitive == Primitive::StopGradient)
}

/// Replaces every `stop_gradient` by its operand.
pub fn run(graph: &Graph, context: &mut Context) -> Result<Graph, Bug> {
    let bug = |why: &str| Bug::new("release", graph, why);
    let mut rebuild = Rebuild::new(graph, context);
    for id in graph.ids() {
        let node = graph.node(id);
        if node.primitive != Primitive::StopGradient {
            rebuild.place(id, context).map_err(|why| bug(&why.message))?;
            continue;
        }
        let operand = rebuild.placed(node.operands[0]).ok_or_else(|| bug("an operand was not copied"))?;
        let (label, after) = (rebuild.old_label(id), rebuild.expression(operand, &[]));
        if let Some(label) = label {
            let before = format!("%{label} = stop_gradient({after})");
            context.log.push(Application { rule: "release", before, after, exactness: Exactness::BitExact, rewrite: false });
        }
        rebuild.replace(id, operand);
    }
    rebuild.finish("release", context)
}
