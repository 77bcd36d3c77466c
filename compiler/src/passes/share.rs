//! Sharing: equal nodes become one. Operands of commutative primitives are put in the order of the arena first, so that `a + b` and
//! `b + a` meet; random nodes differ by their stream.

use super::rebuild::Rebuild;
use super::{Bug, Context};
use crate::graph::Graph;

/// Merges equal nodes; nothing is dropped.
pub fn run(graph: &Graph, context: &mut Context) -> Result<Graph, Bug> {
    let mut rebuild = Rebuild::new(graph, context);
    for id in graph.ids() {
        rebuild.place(id, context).map_err(|why| Bug::new("share", graph, why.message))?;
    }
    rebuild.finish("share", context)
}
