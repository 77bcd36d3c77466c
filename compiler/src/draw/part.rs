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
    let needed = needed_by_results(graph);
    let names: BTreeSet<&str> =
        graph.ids().filter(|id| graph.node(*id).primitive == Primitive::Parameter).filter_map(|id| graph.source_name(id)).collect();
    let layers: BTreeSet<&str> = graph.ids().filter(|id| needed[id.index()]).map(|id| graph.origin(id).path.as_str()).collect();
    let mut parts: Vec<Part> = Vec::with_capacity(graph.nodes.len());
    for id in graph.ids() {
        let path = graph.origin(id).path.as_str();
        let operands = &graph.node(id).operands;
        let follows_backward = operands.iter().any(|operand| parts[operand.index()] == Part::Backward);
        parts.push(if needed[id.index()] {
            Part::Forward
        } else if is_derived(graph, id, &needed) {
            Part::Backward
        } else if names.contains(path) || !layers.contains(path) || !follows_backward {
            Part::Update
        } else {
            Part::Backward
        });
    }
    parts
}

/// For each node, whether a named result needs it; in a graph without results all are.
fn needed_by_results(graph: &Graph) -> Vec<bool> {
    let outputs: Vec<NodeId> = graph.roots.iter().filter(|root| matches!(root, Root::Output { .. })).map(Root::node).collect();
    let mut needed = vec![outputs.is_empty(); graph.nodes.len()];
    outputs.iter().for_each(|id| needed[id.index()] = true);
    for index in (0..needed.len()).rev().filter(|index| !graph.nodes[*index].operands.is_empty()) {
        if needed[index] {
            graph.nodes[index].operands.iter().for_each(|operand| needed[operand.index()] = true);
        }
    }
    needed
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
