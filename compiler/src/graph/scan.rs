//! What a scan repeats: a body, which is a graph of its own, once for each step of a sequence.
//!
//! # What a scan means
//! The operands of the node are, in this order: the first value of each *carry* `[batch, width]`, the *sequences* `[batch, steps, …]`, and
//! *constants*, which have no batch. The body computes one step. Its sources are the carries before the step (`state "h0"`, `state "h1"`, …),
//! the step's part of each sequence (`state "x0"`, …, `[batch, …]`) and the constants as they are (`parameter "w0"`, …). Its roots are the
//! carries after the step, then what else a step gives, all f32 `[batch, width]`. The value of the node is all of that, side by side and
//! for every step: `[batch, steps, widths]`. A reversed scan begins at the last step.
//!
//! # Invariants (checked by [`Scan::infer`])
//! - What depends on a step has one row for each of the batch, on its first axis; rows never meet. So tiles of rows are independent.
//! - What does not have rows is a source, a number, or a view of one: the rest is computed once, outside.
//! - A body draws no random numbers, picks no rows by index, and knows neither step nor epoch nor settings of the training.

use super::{Attributes, Dim, Element, Graph, Node, NodeId, Root, Shape, Type, verify};
use crate::ops::{self, Lowering, Primitive};
use std::sync::Arc;

/// What a scan carries beside its operands.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Scan {
    /// One step.
    pub body: Arc<Graph>,
    /// Whether the last step comes first.
    pub reversed: bool,
    /// Number of carries.
    pub carries: usize,
    /// Number of sequences.
    pub sequences: usize,
}

/// Which operand a source of a body stands for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub enum Role {
    /// A carry, by its number.
    Carry(usize),
    /// A sequence's part of the step.
    Sequence(usize),
    /// A constant.
    Constant(usize),
}

impl Role {
    /// Kind and name of the source.
    pub fn source(self) -> (Primitive, String) {
        match self {
            Role::Carry(number) => (Primitive::State, format!("h{number}")),
            Role::Sequence(number) => (Primitive::State, format!("x{number}")),
            Role::Constant(number) => (Primitive::Parameter, format!("w{number}")),
        }
    }

    /// The role of a body's node, if it is a source with one.
    pub fn of(node: &Node) -> Option<Role> {
        let Attributes::Name(name) = &node.attributes else { return None };
        let number = name.get(1..)?.parse().ok()?;
        let role = match name.get(..1)? {
            "h" => Role::Carry(number),
            "x" => Role::Sequence(number),
            "w" => Role::Constant(number),
            _ => return None,
        };
        (role.source() == (node.primitive, name.clone())).then_some(role)
    }
}

impl Scan {
    /// Node and width of each part of the result: the carries, then what else a step gives.
    pub fn parts(&self) -> impl Iterator<Item = (NodeId, usize)> + '_ {
        self.body.roots.iter().map(|root| (root.node(), self.body.shape(root.node()).fixed_count()))
    }

    /// The columns of the result that each part is.
    pub fn columns(&self) -> Vec<std::ops::Range<usize>> {
        let mut from = 0;
        let part = |(_, width)| {
            from += width;
            from - width..from
        };
        self.parts().map(part).collect()
    }

    /// Where an operand stands.
    pub fn operand(&self, role: Role) -> usize {
        match role {
            Role::Carry(number) => number,
            Role::Sequence(number) => self.carries + number,
            Role::Constant(number) => self.carries + self.sequences + number,
        }
    }

    /// The place among the sequence's steps of turn 0, and how far the next turn is.
    pub fn course(&self, steps: usize) -> (usize, i64) {
        if self.reversed { (steps.saturating_sub(1), -1) } else { (0, 1) }
    }

    /// Type of the result; an error says what cannot be scanned.
    pub fn infer(&self, operands: &[&Type]) -> Result<Type, String> {
        verify::verify(&self.body)?;
        if self.carries == 0 || self.body.roots.len() < self.carries {
            return Err(format!("{} carries, and a body that gives {} values", self.carries, self.body.roots.len()));
        }
        let bound = self.carries.checked_add(self.sequences).filter(|bound| self.sequences > 0 && *bound <= operands.len());
        let bound = bound.ok_or_else(|| {
            format!("{} operands for {} carries and {} sequences", operands.len(), self.carries, self.sequences)
        })?;
        let steps = match operands[self.carries].shape.0.as_slice() {
            [Dim::Batch, Dim::Fixed(steps), ..] if *steps > 0 => *steps,
            _ => return Err(format!("a sequence is [batch, steps, …], not {}", operands[self.carries])),
        };
        let mut width = 0usize;
        for (number, root) in self.body.roots.iter().enumerate() {
            let ty = self.body.ty(root.node());
            let [Dim::Batch, Dim::Fixed(own)] = ty.shape.0[..] else {
                return Err(format!("a step gives values [batch, width], not {ty}"));
            };
            if ty.element != Element::F32 || own == 0 || matches!(root, Root::Update { .. }) {
                return Err(format!("a step gives f32 [batch, width], not {ty}"));
            }
            if number < self.carries && ty != operands[number] {
                return Err(format!("carry {number} begins as {} and goes on as {ty}", operands[number]));
            }
            width = width.checked_add(own).ok_or("a step gives too many values")?;
        }
        for (number, ty) in operands.iter().enumerate().skip(self.carries) {
            let is_sequence = number < bound;
            let fits = match (is_sequence, ty.shape.0.as_slice()) {
                (true, [Dim::Batch, Dim::Fixed(own), ..]) => *own == steps,
                (true, _) => false,
                (false, _) => !ty.shape.has_batch(),
            };
            if !fits || ty.element == Element::F64 {
                let wanted = if is_sequence { "a sequence of these steps" } else { "a constant without the batch" };
                return Err(format!("operand {number} is {ty}, not {wanted}"));
            }
        }
        self.check_body(operands)?;
        Ok(Type::f32(Shape(vec![Dim::Batch, Dim::Fixed(steps), Dim::Fixed(width)])))
    }

    fn check_body(&self, operands: &[&Type]) -> Result<(), String> {
        let body = &self.body;
        let mut depends = vec![false; body.nodes.len()];
        for id in body.ids() {
            let node = body.node(id);
            let name = ops::record(node.primitive).name;
            let refuse = |why: &str| Err(format!("%{} = {name} of the body {why}", id.0));
            depends[id.index()] = node.operands.iter().any(|operand| depends[operand.index()]);
            match (Role::of(node), &ops::record(node.primitive).lowering) {
                (Some(role), _) => {
                    let wanted = operands.get(self.operand(role)).filter(|_| match role {
                        Role::Carry(number) => number < self.carries,
                        Role::Sequence(number) => number < self.sequences,
                        Role::Constant(_) => true,
                    });
                    let wanted = wanted.map(|ty| match role {
                        Role::Sequence(_) => Type { element: ty.element, shape: ty.shape.without(&[1]) },
                        _ => (*ty).clone(),
                    });
                    if wanted.as_ref() != Some(&node.ty) {
                        return refuse("is none of the operands");
                    }
                    depends[id.index()] = !matches!(role, Role::Constant(_));
                }
                (None, Lowering::Source) if matches!(node.primitive, Primitive::Constant | Primitive::BatchSize) => {}
                (None, Lowering::Source) => return refuse("is known outside of a scan only"),
                (None, Lowering::Random) => return refuse("is random: draw outside, and scan over what was drawn"),
                (None, Lowering::Gather | Lowering::Scan) => return refuse("cannot stand in a scan"),
                (None, Lowering::Opaque) if node.primitive == Primitive::ScatterAdd => return refuse("adds up over rows"),
                (None, _) => {}
            }
            let batch = node.ty.shape.0.iter().position(|dim| *dim == Dim::Batch);
            if batch.is_some_and(|axis| axis > 0) {
                return refuse("does not have the batch on its first axis");
            }
            if batch.is_none() && depends[id.index()] {
                return refuse("brings rows of the batch together");
            }
            if batch.is_none() && self.is_computed(id) {
                return refuse("has no rows: it is computed outside");
            }
            if node.ty.element == Element::F64 {
                return refuse("is a scalar of the step");
            }
        }
        Ok(())
    }

    /// Whether a node is neither a source nor a view.
    fn is_computed(&self, id: NodeId) -> bool {
        !matches!(ops::record(self.body.node(id).primitive).lowering, Lowering::Source | Lowering::Coordinate | Lowering::View)
    }
}
