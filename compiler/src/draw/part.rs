//! Which part of a step a node belongs to, read off its origin.

use crate::graph::{Graph, NodeId, Root};
use crate::ops::Primitive;
use std::collections::BTreeSet;

/// A part of a training step.
#[derive(Clone, Copy, PartialEq, Eq, Debug, PartialOrd, Ord)]
pub enum Part {
    /// What results need.
    Forward,
    /// What a derivative's rule made.
    Backward,
    /// Clips, optimizer and running statistics.
    Update,
}

impl Part {
    /// In the order of the step.
    pub const ALL: [Part; 3] = [Part::Forward, Part::Backward, Part::Update];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Part::Forward => "forward",
            Part::Backward => "backward",
            Part::Update => "update",
        }
    }
}

/// The part of each node.
pub fn parts(graph: &Graph) -> Vec<Part> {
    let outputs: Vec<NodeId> = graph.roots.iter().filter(|root| matches!(root, Root::Output { .. })).map(Root::node).collect();
    let needed = feeds(graph, graph.ids().map(|id| outputs.is_empty() || outputs.contains(&id)).collect());
    let names: BTreeSet<&str> = graph
        .ids()
        .filter(|id| graph.node(*id).primitive == Primitive::Parameter)
        .filter_map(|id| graph.source_name(id))
        .collect();
    let layers: BTreeSet<&str> = graph.ids().filter(|id| needed[id.index()]).map(|id| graph.origin(id).path.as_str()).collect();
    let derived = feeds(graph, graph.ids().map(|id| !needed[id.index()] && is_derived(graph, id, &needed)).collect());
    let mut parts: Vec<Part> = Vec::with_capacity(graph.nodes.len());
    for id in graph.ids() {
        let path = graph.origin(id).path.as_str();
        let operands = &graph.node(id).operands;
        let follows_backward = operands.iter().any(|operand| parts[operand.index()] == Part::Backward);
        parts.push(if needed[id.index()] {
            Part::Forward
        } else if derived[id.index()] || (follows_backward && layers.contains(path) && !names.contains(path)) {
            Part::Backward
        } else {
            Part::Update
        });
    }
    parts
}

/// For each node, whether it is one of those marked or one of them needs it.
fn feeds(graph: &Graph, mut marked: Vec<bool>) -> Vec<bool> {
    for index in (0..marked.len()).rev().filter(|index| !graph.nodes[*index].operands.is_empty()) {
        if marked[index] {
            graph.nodes[index].operands.iter().for_each(|operand| marked[operand.index()] = true);
        }
    }
    marked
}

/// Whether a rule of differentiation made the node, or what a rewrite made it from.
fn is_derived(graph: &Graph, id: NodeId, needed: &[bool]) -> bool {
    let mut id = id;
    loop {
        let origin = graph.origin(id);
        // Rules of differentiation are written `d(a + b) = …` or `d max(a, b) = …`.
        if origin.rule.starts_with("d(") || origin.rule.starts_with("d ") {
            return true;
        }
        match origin.of {
            Some(of) if of < id && !needed[of.index()] => id = of,
            _ => return false,
        }
    }
}
