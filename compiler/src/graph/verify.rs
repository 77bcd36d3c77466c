//! The verifier: an independent check of a graph's invariants, run after every pass in debug and test builds.

use super::{Dim, Graph, NodeId, Root};
use crate::ops;
use crate::ops::Primitive;
use std::collections::HashSet;

/// Checks order, types and roots; the error names the node.
pub fn verify(graph: &Graph) -> Result<(), String> {
    graph.ids().try_for_each(|id| node(graph, id))?;
    let mut updated = HashSet::new();
    graph.roots.iter().try_for_each(|one| root(graph, one, &mut updated))
}

/// What holds of a node.
pub(super) fn node(graph: &Graph, id: NodeId) -> Result<(), String> {
    let node = graph.node(id);
    let name = ops::record(node.primitive).name;
    if let Some(late) = node.operands.iter().find(|operand| **operand >= id) {
        return Err(format!("%{} = {name} uses %{} before it is made", id.0, late.0));
    }
    let types: Vec<_> = node.operands.iter().map(|&operand| graph.ty(operand)).collect();
    let inferred = (ops::record(node.primitive).infer)(&types, &node.attributes, Some(&node.ty))
        .map_err(|why| format!("%{} = {name}: {why}", id.0))?;
    if inferred != node.ty {
        return Err(format!("%{} = {name} says {} but is {inferred}", id.0, node.ty));
    }
    if node.ty.shape.0.iter().filter(|dim| **dim == Dim::Batch).count() > 1 {
        return Err(format!("%{} = {name}: {} has the batch on two axes", id.0, node.ty.shape));
    }
    if node.origin as usize >= graph.origins.len() {
        return Err(format!("%{} = {name} has no origin", id.0));
    }
    Ok(())
}

/// What holds of a root behind others, which update these sources.
pub(super) fn root(graph: &Graph, root: &Root, updated: &mut HashSet<NodeId>) -> Result<(), String> {
    let source = if let Root::Update { source, .. } = root { *source } else { root.node() };
    if let Some(lost) = [root.node(), source].into_iter().find(|id| id.index() >= graph.nodes.len()) {
        return Err(format!("a root asks for %{}, which does not exist", lost.0));
    }
    if let Root::Update { source, node } = root {
        let primitive = graph.node(*source).primitive;
        if !matches!(primitive, Primitive::Parameter | Primitive::State) {
            return Err(format!("update of %{}, which is no parameter or state", source.0));
        }
        if graph.ty(*source) != graph.ty(*node) {
            return Err(format!("update of %{} {} by {}", source.0, graph.ty(*source), graph.ty(*node)));
        }
        if !updated.insert(*source) {
            return Err(format!("%{} is updated twice", source.0));
        }
    }
    Ok(())
}
