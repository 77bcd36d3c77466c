//! Reductions, contractions, and everything that moves elements.

use super::Draw;
use crate::graph::{Attributes, BuildError, Dim, NodeId, Shape, Type};
use crate::ops::{Primitive, Sample};

impl Draw {
    /// A reduction, sums scaled to stay small.
    pub fn reduce(&mut self, a: NodeId, axes: &[usize]) -> Result<NodeId, BuildError> {
        match self.numbers.below(5) {
            0 => self.builder.reduce(Primitive::ReduceMax, a, axes),
            1 => self.builder.reduce(Primitive::ReduceMin, a, axes),
            _ => self.builder.mean(a, axes),
        }
    }

    /// A contraction over axes that are found or made for it: of any order, with labels that stand in both operands and in the result.
    pub fn contract(&mut self, a: NodeId) -> Result<Option<NodeId>, BuildError> {
        let shape = self.builder.shape(a);
        let b = self.real();
        let other = self.builder.shape(b);
        if shape.rank() == 0 || shape.rank() > 4 || other.rank() > 4 {
            return Ok(None);
        }
        let left: Vec<&str> = ["a", "b", "c", "d"][..shape.rank()].to_vec();
        let mut right: Vec<&str> = ["w", "x", "y", "z"][..other.rank()].to_vec();
        let mut shared = Vec::new();
        let most = 1 + self.numbers.below(2);
        for (label, dim) in right.iter_mut().zip(&other.0) {
            let meets = (0..shape.rank()).find(|&axis| shape.0[axis] == *dim && !shared.contains(&left[axis]));
            if let Some(axis) = meets.filter(|_| shared.len() < most || *dim == Dim::Batch) {
                *label = left[axis];
                shared.push(left[axis]);
            }
        }
        let b = if shared.is_empty() {
            let axis = self.numbers.below(shape.rank());
            let Dim::Fixed(size) = shape.0[axis] else { return Ok(None) };
            let width = self.size();
            let name = format!("w{}", self.builder.graph().nodes.len());
            let turned = self.numbers.below(2) == 0;
            let dims = if turned { [width, size] } else { [size, width] };
            let weight = self.builder.source(Primitive::Parameter, &name, Type::f32(Shape::fixed(&dims)))?;
            self.sources.push(weight);
            self.keep(weight);
            shared.push(left[axis]);
            right = if turned { vec!["w", left[axis]] } else { vec![left[axis], "w"] };
            weight
        } else {
            b
        };
        let keep = self.numbers.below(4) == 0;
        let kept = |label: &&str| keep && shared.first() == Some(label) || !shared.contains(label);
        let mut out: Vec<&str> = left.iter().copied().filter(kept).collect();
        out.extend(right.iter().filter(|label| !shared.contains(label)));
        if self.numbers.below(3) == 0 && out.len() > 1 {
            let by = self.numbers.below(out.len());
            out.rotate_left(by);
        }
        let labels = format!("{}, {} -> {}", left.join(" "), right.join(" "), out.join(" "));
        let (a, b, labels) = if self.numbers.below(3) == 0 {
            (b, a, format!("{}, {} -> {}", right.join(" "), left.join(" "), out.join(" ")))
        } else {
            (a, b, labels)
        };
        let product = self.builder.contract(a, b, &labels)?;
        if self.numbers.below(3) == 0 {
            self.keep(product);
        }
        Ok(Some(self.builder.scale(product, 0.125)?))
    }

    pub fn move_part(&mut self, a: NodeId, shape: &Shape) -> Result<Option<NodeId>, BuildError> {
        let axis = self.numbers.below(shape.rank());
        let Dim::Fixed(size) = shape.0[axis] else { return Ok(None) };
        Ok(Some(match self.numbers.below(4) {
            0 => {
                let from = self.numbers.below(size);
                let to = from + 1 + self.numbers.below(size - from);
                self.builder.slice(a, axis, from, to)?
            }
            1 => {
                let (before, after) = (self.numbers.below(3), self.numbers.below(3));
                self.builder.pad(a, axis, before, after)?
            }
            2 => {
                // One index against all of them.
                let from = self.numbers.below(size);
                let one = self.builder.slice(a, axis, from, from + 1)?;
                self.builder.sub(a, one)?
            }
            _ => {
                let negative = self.builder.neg(a)?;
                self.builder.concat(&[a, negative], axis)?
            }
        }))
    }

    pub fn reshape(&mut self, a: NodeId, shape: &Shape) -> Result<Option<NodeId>, BuildError> {
        let mut dims = shape.0.clone();
        let at = self.numbers.below(dims.len());
        match self.numbers.below(3) {
            0 => dims.insert(at, Dim::Fixed(1)),
            1 => match dims[at] {
                Dim::Fixed(size) if size % 2 == 0 || size % 3 == 0 => {
                    let part = if size % 2 == 0 { 2 } else { 3 };
                    dims[at] = Dim::Fixed(size / part);
                    dims.insert(at, Dim::Fixed(part));
                }
                _ => return Ok(None),
            },
            _ => match (dims[at], dims.get(at + 1).copied()) {
                (Dim::Fixed(x), Some(Dim::Fixed(y))) => {
                    dims[at] = Dim::Fixed(x * y);
                    dims.remove(at + 1);
                }
                _ => return Ok(None),
            },
        }
        Ok(Some(self.builder.reshape(a, &Shape(dims))?))
    }

    /// Rows of a tensor without a batch, by indices of a shape that is found.
    pub fn gather(&mut self, a: NodeId, shape: &Shape) -> Result<Option<NodeId>, BuildError> {
        if shape.rank() == 0 || shape.has_batch() {
            return Ok(None);
        }
        let integers = self.integers.clone();
        let index = match self.pick(&integers) {
            Some(index) if self.numbers.below(4) > 0 => index,
            _ => {
                let like = self.real();
                let like = self.builder.shape(like);
                self.sample(Sample::Integer, &like)?
            }
        };
        self.builder.apply(Primitive::Gather, &[a, index], Attributes::None, None).map(Some)
    }

    pub fn scatter_add(&mut self, a: NodeId, shape: &Shape) -> Result<Option<NodeId>, BuildError> {
        let lead = Shape(shape.0[..self.numbers.below(shape.rank() + 1)].to_vec());
        let index = self.sample(Sample::Integer, &lead)?;
        let rows = 1 + self.numbers.below(9);
        let sum = self.builder.apply(Primitive::ScatterAdd, &[a, index], Attributes::Axis(rows), None)?;
        if self.numbers.below(3) == 0 {
            return Ok(Some(sum));
        }
        self.builder.scale(sum, 0.25).map(Some)
    }
}
