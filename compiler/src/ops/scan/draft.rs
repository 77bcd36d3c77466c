//! The backward step of a scan as a draft: the derivative of the body as a graph of its own, which says what is to be saved of the forward
//! steps and where constants are used.

use crate::autodiff::gradients_where_any;
use crate::graph::scan::Role;
use crate::graph::{BuildError, Builder, Element, Graph, NodeId, Origin, Scan, Shape, Type};
use crate::ops::{self, Lowering, Primitive};
use std::collections::HashMap;

/// A formula this cheap is computed again in the backward step.
const CHEAP: usize = 4;

/// A source of the drafted backward step.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Given {
    /// What the forward step was given.
    Forward(Role),
    /// Gradient of a carry, from the step behind.
    Carried(usize),
    /// Gradient of all that the forward step gives.
    Result,
}

/// The backward step in the making: a graph of its own whose sources are not bound yet.
pub(super) struct Draft {
    pub(super) builder: Builder,
    pub(super) given: HashMap<NodeId, Given>,
    /// Node of the draft for each of the forward body.
    pub(super) forward: Vec<NodeId>,
    /// Gradients by carries, then by sequences.
    pub(super) gradients: Vec<Option<NodeId>>,
    pub(super) uses: Vec<Use>,
}

/// A node of the forward body that brings a constant to the rows, and the gradient behind it.
pub(super) struct Use {
    pub(super) node: NodeId,
    pub(super) gradient: NodeId,
}

pub(super) fn failed(error: impl std::fmt::Display) -> BuildError {
    BuildError::new(format!("the derivative of a scan's body: {error}"))
}

fn is_row(graph: &Graph, id: NodeId) -> bool {
    graph.shape(id).has_batch()
}

/// The constant that a node without rows is a view of.
fn constant_beneath(body: &Graph, id: NodeId) -> Option<usize> {
    let id = ops::bottom(body, id);
    match Role::of(body.node(id)) {
        Some(Role::Constant(number)) if body.ty(id).element == Element::F32 => Some(number),
        _ => None,
    }
}

/// The operand of a node with rows that has none and is differentiated by.
pub(super) fn constant_operand(body: &Graph, id: NodeId) -> Option<usize> {
    let operands = &body.node(id).operands;
    let is_use = is_row(body, id) && body.ty(id).element == Element::F32;
    operands.iter().position(|&operand| is_use && !is_row(body, operand) && constant_beneath(body, operand).is_some())
}

/// Drafts the backward step: the body's steps forward, and their gradients by what it is given.
pub(super) fn draft(scan: &Scan) -> Result<Draft, BuildError> {
    let body = &*scan.body;
    let mut builder = Builder::new("draft");
    let mut given = HashMap::new();
    let mut forward: Vec<NodeId> = Vec::with_capacity(body.nodes.len());
    let (mut carries, mut sequences) = (vec![None; scan.carries], vec![None; scan.sequences]);
    for id in body.ids() {
        let node = body.node(id);
        builder.set_origin(Origin { of: None, ..body.origin(id).clone() });
        let operands: Vec<NodeId> = node.operands.iter().map(|operand| forward[operand.index()]).collect();
        let new = builder.apply(node.primitive, &operands, node.attributes.clone(), Some(node.ty.clone()))?;
        if let Some(role) = Role::of(node) {
            given.insert(new, Given::Forward(role));
            match role {
                Role::Carry(number) => carries[number] = Some(new),
                Role::Sequence(number) if node.ty.element == Element::F32 => sequences[number] = Some(new),
                _ => {}
            }
        }
        forward.push(new);
    }
    let width = scan.columns().last().map_or(0, |last| last.end);
    let result = builder.source(Primitive::State, "gradient", Type::f32(Shape::batch(&[width])))?;
    given.insert(result, Given::Result);
    let mut loss = builder.constant(0.0);
    for (number, ((node, own), columns)) in scan.parts().zip(scan.columns()).enumerate() {
        let mut gradient = builder.slice(result, 1, columns.start, columns.end)?;
        if number < scan.carries {
            let name = format!("gradient{number}");
            let carried = builder.source(Primitive::State, &name, Type::f32(Shape::batch(&[own])))?;
            given.insert(carried, Given::Carried(number));
            gradient = builder.add(gradient, carried)?;
        }
        let term = builder.mul(forward[node.index()], gradient)?;
        let term = builder.sum_all(term)?;
        loss = builder.add(loss, term)?;
    }
    let uses: Vec<NodeId> = body.ids().filter(|id| constant_operand(body, *id).is_some()).collect();
    let wanted: Vec<Option<NodeId>> = carries.into_iter().chain(sequences).collect();
    let mut sources: Vec<NodeId> = wanted.iter().flatten().copied().collect();
    sources.extend(uses.iter().map(|node| forward[node.index()]));
    let found = gradients_where_any(&mut builder, loss, &sources).map_err(failed)?;
    let found: HashMap<NodeId, NodeId> =
        sources.iter().zip(found).filter_map(|(source, found)| Some((*source, found?))).collect();
    let gradients = wanted.iter().map(|node| node.and_then(|node| found.get(&node).copied())).collect();
    let uses = uses.into_iter().filter_map(|node| Some(Use { node, gradient: *found.get(&forward[node.index()])? })).collect();
    Ok(Draft { builder, given, forward, gradients, uses })
}

/// Nodes of the forward body that the backward step reads and would not like to compute again.
pub(super) fn saved(scan: &Scan, draft: &Draft) -> Vec<NodeId> {
    let graph = draft.builder.graph();
    let mut steps = vec![false; graph.nodes.len()];
    let mut is_backward = vec![false; graph.nodes.len()];
    for id in graph.ids() {
        let given = draft.given.get(&id);
        let operands = &graph.node(id).operands;
        is_backward[id.index()] = matches!(given, Some(Given::Result | Given::Carried(_)))
            || operands.iter().any(|operand| is_backward[operand.index()]);
        steps[id.index()] = matches!(given, Some(Given::Forward(Role::Carry(_) | Role::Sequence(_))))
            || operands.iter().any(|operand| steps[operand.index()]);
    }
    let mut original: HashMap<NodeId, NodeId> = HashMap::new();
    for id in scan.body.ids() {
        original.entry(draft.forward[id.index()]).or_insert(id);
    }
    let asked: Vec<NodeId> = draft.gradients.iter().flatten().copied().chain(draft.uses.iter().map(|one| one.gradient)).collect();
    let factors = draft.uses.iter().filter_map(|one| other_factor(&scan.body, one.node)).map(|id| draft.forward[id.index()]);
    let mut stack: Vec<NodeId> = asked.iter().copied().chain(factors).collect();
    let mut seen = vec![false; graph.nodes.len()];
    let mut saved = Vec::new();
    while let Some(id) = stack.pop() {
        if std::mem::replace(&mut seen[id.index()], true) || !steps[id.index()] && !is_backward[id.index()] {
            continue;
        }
        let node = graph.node(id);
        if !is_backward[id.index()]
            && is_worth_saving(graph, id)
            && let Some(&own) = original.get(&id)
        {
            saved.push(own);
            continue;
        }
        stack.extend(&node.operands);
    }
    saved.sort_unstable();
    saved
}

fn is_worth_saving(graph: &Graph, id: NodeId) -> bool {
    let node = graph.node(id);
    let record = ops::record(node.primitive);
    let is_plain = matches!(record.lowering, Lowering::View | Lowering::Source | Lowering::Coordinate);
    let is_cheap = ops::cost(node.primitive).is_some_and(|cost| cost <= CHEAP);
    node.ty.element == Element::F32 && node.ty.shape.has_batch() && !is_plain && !is_cheap
}

/// The operand with rows of a product with a constant.
pub(super) fn other_factor(body: &Graph, id: NodeId) -> Option<NodeId> {
    let node = body.node(id);
    if node.primitive != Primitive::Contract {
        return None;
    }
    node.operands.iter().copied().find(|&operand| is_row(body, operand))
}
