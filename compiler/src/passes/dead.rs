//! Dead code: what no root needs is not copied, sources included; an updated source stays with its update.

use super::rebuild::Rebuild;
use super::{Bug, Context};
use crate::graph::Graph;

/// Whether there is a node that no root needs.
pub fn concerns(graph: &Graph) -> bool {
    graph.live().contains(&false)
}

/// Copies what roots need.
pub fn run(graph: &Graph, context: &mut Context) -> Result<Graph, Bug> {
    let live = graph.live();
    let mut rebuild = Rebuild::new(graph, context);
    for id in graph.ids().filter(|id| live[id.index()]) {
        rebuild.place(id, context).map_err(|why| Bug::new("dead", graph, why.message))?;
    }
    rebuild.finish("dead", context)
}
