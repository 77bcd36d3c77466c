//! The derivative of a scan is a scan the other way. Its carries are the gradients of the carries, its body is the derivative of the body
//! (`draft.rs`).
//!
//! What the backward step reads of the forward one and would be costly to compute again is given by the forward scan as further columns
//! (see `passes/widen.rs`, which makes one of the two forward scans). The gradients of constants are not added up along the steps: the
//! steps give the gradient behind each product with a constant, and one product over rows and steps follows outside.

use super::draft::{Draft, Given, Use, constant_operand, draft, failed, other_factor, saved};
use crate::graph::scan::Role;
use crate::graph::{Attributes, Body, BuildError, Builder, Contraction, NodeId, Origin, Scan, Shape};
use crate::ops::{self, Derivative, Gradients, Primitive, Vjp};
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

/// Adds the gradients of a scan's operands.
pub fn gradients(v: &mut Vjp) -> Gradients {
    let Attributes::Scan(scan) = v.attributes.clone() else { return Err(failed("there is no body")) };
    let draft = draft(&scan)?;
    let saved = saved(&scan, &draft);
    let (wide, places) = widened(v, &scan, &draft, &saved)?;
    let before = before(v, &scan, wide)?;
    let mut step = Step { draft: &draft, v, scan: &scan, wide, before, places, outputs: Vec::new() };
    step.built()
}

type Places = HashMap<NodeId, Range<usize>>;

/// The forward scan with what is saved as further columns, and the columns of each node of the body that it gives.
fn widened(v: &mut Vjp, scan: &Scan, draft: &Draft, saved: &[NodeId]) -> Result<(NodeId, Places), BuildError> {
    let mut places: Places = HashMap::new();
    let columns = scan.columns();
    for ((node, _), columns) in scan.parts().zip(&columns) {
        places.entry(node).or_insert(columns.clone());
    }
    let mut end = columns.last().map_or(0, |last| last.end);
    let mut builder = Builder::continue_from((*scan.body).clone());
    for &node in saved {
        if places.contains_key(&node) {
            continue;
        }
        let width = builder.shape(node).fixed_count();
        let flat = builder.reshape(node, &Shape::batch(&[width]))?;
        let number = builder.graph().roots.len() - scan.carries;
        builder.output(format!("y{number}"), flat);
        places.insert(node, end..end + width);
        end += width;
    }
    let wide = Scan { body: Arc::new(builder.finish()), ..scan.clone() };
    let node = v.builder.apply(Primitive::Scan, &v.operands, Attributes::Scan(wide), None)?;
    // By nodes of the draft from here on.
    let places = places.into_iter().map(|(node, columns)| (draft.forward[node.index()], columns)).collect();
    Ok((node, places))
}

/// The carries before every step, `[batch, steps, widths]`.
fn before(v: &mut Vjp, scan: &Scan, wide: NodeId) -> Result<NodeId, BuildError> {
    let builder = &mut *v.builder;
    let steps = builder.shape(wide).0[1].at(0);
    let width = scan.columns()[scan.carries - 1].end;
    let first = builder.concat(&v.operands[..scan.carries], 1)?;
    let first = builder.reshape(first, &Shape::batch(&[1, width]))?;
    if steps == 1 {
        return Ok(first);
    }
    let rest = builder.slice(wide, 2, 0, width)?;
    if scan.reversed {
        let rest = builder.slice(rest, 1, 1, steps)?;
        return builder.concat(&[rest, first], 1);
    }
    let rest = builder.slice(rest, 1, 0, steps - 1)?;
    builder.concat(&[first, rest], 1)
}

/// The backward scan in the making.
struct Step<'a, 'v> {
    draft: &'a Draft,
    v: &'a mut Vjp<'v>,
    scan: &'a Scan,
    /// The forward scan with what is saved.
    wide: NodeId,
    before: NodeId,
    /// Columns of `wide` by nodes of the draft.
    places: Places,
    /// Nodes of the draft that the backward step gives beside its carries.
    outputs: Vec<NodeId>,
}

impl Step<'_, '_> {
    fn built(&mut self) -> Gradients {
        let (scan, draft) = (self.scan, self.draft);
        for gradient in draft.gradients[scan.carries..].iter().flatten().chain(draft.uses.iter().map(|one| &one.gradient)) {
            self.give(*gradient);
        }
        for one in &draft.uses {
            if let Some(factor) = other_factor(&scan.body, one.node).filter(|factor| !self.is_stacked(*factor)) {
                self.give(draft.forward[factor.index()]);
            }
        }
        let back = self.scanned()?;
        let widths: Vec<usize> = scan.parts().take(scan.carries).map(|(_, width)| width).collect();
        let steps = self.v.builder.shape(back).0[1].at(0);
        let mut all: Vec<Option<NodeId>> = Vec::new();
        let (last, _) = scan.course(steps);
        let mut from = 0;
        for width in widths {
            let builder = &mut *self.v.builder;
            let at = builder.slice(back, 1, last, last + 1)?;
            let own = builder.slice(at, 2, from, from + width)?;
            all.push(Some(builder.reshape(own, &Shape::batch(&[width]))?));
            from += width;
        }
        for gradient in &draft.gradients[scan.carries..] {
            all.push(match gradient {
                Some(gradient) => Some(self.stacked_output(back, *gradient)?),
                None => None,
            });
        }
        all.resize(self.v.operands.len(), None);
        for one in &draft.uses {
            let (constant, gradient) = self.of_constant(back, one)?;
            let total = &mut all[scan.operand(Role::Constant(constant))];
            *total = Some(match *total {
                Some(sum) => self.v.builder.add(sum, gradient)?,
                None => gradient,
            });
        }
        Ok(all)
    }

    fn give(&mut self, node: NodeId) {
        if !self.outputs.contains(&node) {
            self.outputs.push(node);
        }
    }

    /// Whether all steps of a node of the forward body stand in memory outside already.
    fn is_stacked(&self, node: NodeId) -> bool {
        let is_given = matches!(Role::of(self.scan.body.node(node)), Some(Role::Carry(_) | Role::Sequence(_)));
        is_given || self.places.contains_key(&self.draft.forward[node.index()])
    }

    /// The scan of the draft.
    fn scanned(&mut self) -> Result<NodeId, BuildError> {
        let (scan, draft) = (self.scan, self.draft);
        let graph = draft.builder.graph();
        let mut body = Body::new(self.v.builder);
        let zero = self.v.builder.constant(0.0);
        let mut carries = Vec::new();
        for (_, width) in scan.parts().take(scan.carries) {
            let first = self.v.builder.broadcast_scalar(zero, &Shape::batch(&[width]))?;
            carries.push(body.carry(self.v.builder, first)?);
        }
        let next: Vec<Option<NodeId>> = draft.gradients[..scan.carries].to_vec();
        let mut needed = vec![false; graph.nodes.len()];
        for node in next.iter().flatten().chain(&self.outputs) {
            needed[node.index()] = true;
        }
        for id in graph.ids().rev().filter(|id| !self.places.contains_key(id)) {
            if needed[id.index()] {
                graph.node(id).operands.iter().for_each(|operand| needed[operand.index()] = true);
            }
        }
        let mut map: HashMap<NodeId, NodeId> = HashMap::new();
        for id in graph.ids().filter(|id| needed[id.index()]) {
            body.builder.set_origin(Origin { of: None, ..graph.origin(id).clone() });
            let node = graph.node(id);
            let new = match (self.places.get(&id), draft.given.get(&id)) {
                (Some(columns), _) => {
                    let all = self.bound(&mut body, self.wide)?;
                    let flat = body.builder.slice(all, 1, columns.start, columns.end)?;
                    body.builder.reshape(flat, &node.ty.shape)?
                }
                (None, Some(Given::Carried(number))) => carries[*number],
                (None, Some(Given::Result)) => self.bound(&mut body, self.v.gradient)?,
                (None, Some(Given::Forward(Role::Carry(number)))) => {
                    let all = self.bound(&mut body, self.before)?;
                    let columns = &scan.columns()[*number];
                    body.builder.slice(all, 1, columns.start, columns.end)?
                }
                (None, Some(Given::Forward(role @ Role::Sequence(_)))) => {
                    self.bound(&mut body, self.v.operands[scan.operand(*role)])?
                }
                (None, Some(Given::Forward(role @ Role::Constant(_)))) => {
                    body.constant(self.v.builder, self.v.operands[scan.operand(*role)])?
                }
                (None, None) => {
                    let operands: Vec<NodeId> = node.operands.iter().filter_map(|operand| map.get(operand)).copied().collect();
                    body.builder.apply(node.primitive, &operands, node.attributes.clone(), Some(node.ty.clone()))?
                }
            };
            map.insert(id, new);
        }
        let mut after = Vec::new();
        for (number, gradient) in next.iter().enumerate() {
            after.push(match gradient.and_then(|gradient| map.get(&gradient)) {
                Some(new) => *new,
                None => body.builder.constant_like(carries[number], 0.0)?,
            });
        }
        let mut more = Vec::new();
        for output in &self.outputs {
            let new = *map.get(output).ok_or_else(|| failed("a gradient is missing"))?;
            let width = body.builder.shape(new).fixed_count();
            more.push(body.builder.reshape(new, &Shape::batch(&[width]))?);
        }
        if !body.has_sequences() {
            self.bound(&mut body, self.v.gradient)?;
        }
        self.v.builder.scan(body, &after, &more, !scan.reversed)
    }

    /// A sequence's part of the step.
    fn bound(&self, body: &mut Body, sequence: NodeId) -> Result<NodeId, BuildError> {
        body.sequence(self.v.builder, sequence)
    }

    /// All steps of an output of the backward scan, `[batch, steps, …]`.
    fn stacked_output(&mut self, back: NodeId, node: NodeId) -> Result<NodeId, BuildError> {
        let graph = self.draft.builder.graph();
        let mut from = self.scan.columns()[self.scan.carries - 1].end;
        for output in self.outputs.iter().take_while(|output| **output != node) {
            from += graph.shape(*output).fixed_count();
        }
        let shape = graph.shape(node).clone();
        let part = self.v.builder.slice(back, 2, from, from + shape.fixed_count())?;
        self.with_steps(part, &shape)
    }

    /// `[batch, steps, width]` in the shape of a step's value.
    fn with_steps(&mut self, part: NodeId, shape: &Shape) -> Result<NodeId, BuildError> {
        let mut dims = shape.0.clone();
        dims.insert(1, self.v.builder.shape(part).0[1]);
        self.v.builder.reshape(part, &Shape(dims))
    }

    /// All steps of a node of the forward body.
    fn stacked(&mut self, back: NodeId, node: NodeId) -> Result<NodeId, BuildError> {
        let shape = self.scan.body.shape(node).clone();
        let (all, columns) = match (Role::of(self.scan.body.node(node)), self.places.get(&self.draft.forward[node.index()])) {
            (Some(Role::Carry(number)), _) => (self.before, self.scan.columns()[number].clone()),
            (Some(role @ Role::Sequence(_)), _) => return Ok(self.v.operands[self.scan.operand(role)]),
            (_, Some(columns)) => (self.wide, columns.clone()),
            _ => return self.stacked_output(back, self.draft.forward[node.index()]),
        };
        let part = self.v.builder.slice(all, 2, columns.start, columns.end)?;
        self.with_steps(part, &shape)
    }

    /// Which constant is used, and what the use adds to its gradient.
    fn of_constant(&mut self, back: NodeId, one: &Use) -> Result<(usize, NodeId), BuildError> {
        let body = &*self.scan.body;
        let node = body.node(one.node);
        let position = constant_operand(body, one.node).ok_or_else(|| failed("a constant is not used"))?;
        let gradient = self.stacked_output(back, one.gradient)?;
        let (flat, own) = (node.operands[position], body.shape(one.node).rank());
        let gradient = match (node.primitive, &node.attributes) {
            (Primitive::Broadcast, Attributes::Axes(axes)) => {
                let lost: Vec<usize> = (0..=own).filter(|axis| *axis < 2 || !axes.contains(&(axis - 1))).collect();
                self.v.builder.sum(gradient, &lost)?
            }
            (Primitive::Contract, Attributes::Contract(spec)) => {
                let factor = other_factor(body, one.node).ok_or_else(|| failed("a product has no rows"))?;
                let factor = self.stacked(back, factor)?;
                let (constant, rows) = if position == 0 { (&spec.left, &spec.right) } else { (&spec.right, &spec.left) };
                let step = spec.left.iter().chain(&spec.right).max().map_or(0, |label| label.saturating_add(1));
                let with_step = |labels: &[u8]| [&labels[..1], &[step], &labels[1..]].concat();
                let labels = Contraction { left: with_step(rows), right: with_step(&spec.out), out: constant.clone() };
                self.v.builder.apply(Primitive::Contract, &[factor, gradient], Attributes::Contract(labels), None)?
            }
            _ => return Err(failed(format!("a constant goes through {}", ops::record(node.primitive).name))),
        };
        self.through_views(flat, gradient)
    }

    /// Takes the gradient of a view of a constant to the constant.
    fn through_views(&mut self, flat: NodeId, gradient: NodeId) -> Result<(usize, NodeId), BuildError> {
        let body = &*self.scan.body;
        let node = body.node(flat);
        if let Some(Role::Constant(number)) = Role::of(node) {
            return Ok((number, gradient));
        }
        let Derivative::Rule { apply, .. } = ops::record(node.primitive).derivative else {
            return Err(failed("a view has no derivative"));
        };
        // The rule asks for shapes alone: a constant of zeros stands for the operand.
        let shape = body.shape(node.operands[0]).clone();
        let zero = self.v.builder.constant(0.0);
        let operand = self.v.builder.broadcast_scalar(zero, &shape)?;
        let view = self.v.builder.apply(node.primitive, &[operand], node.attributes.clone(), Some(node.ty.clone()))?;
        let found = apply(&mut Vjp {
            builder: &mut *self.v.builder,
            node: view,
            operands: vec![operand],
            attributes: node.attributes.clone(),
            gradient,
        })?;
        let inner = found.first().copied().flatten().ok_or_else(|| failed("a view passes no gradient"))?;
        self.through_views(node.operands[0], inner)
    }
}
