//! Reductions, contractions, and everything that moves elements.

use super::Draw;
use crate::graph::{Attributes, BuildError, Dim, NodeId, Shape, Type, Window};
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
        Ok(Some(match self.numbers.below(6) {
            4 | 5 => return self.windows(a, shape, axis, size),
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

    /// Windows of an axis, what a weight makes of them, or windows added up again.
    fn windows(&mut self, a: NodeId, shape: &Shape, axis: usize, extent: usize) -> Result<Option<NodeId>, BuildError> {
        let (size, stride) = (1 + self.numbers.below(3), 1 + self.numbers.below(2));
        let (dilation, offset) = (1 + self.numbers.below(2) as isize, self.numbers.below(2));
        let Some(rest) = extent.checked_sub(offset + dilation as usize * (size - 1) + 1) else { return Ok(None) };
        let window = Window { axis, extent, places: rest / stride + 1, stride, size, dilation, offset };
        let view = self.builder.window(a, window)?;
        let rank = shape.rank();
        if !(2..=4).contains(&rank) || self.numbers.below(3) == 0 {
            let changed = if self.numbers.below(2) == 0 { self.builder.scale(view, 0.5)? } else { view };
            return Ok(Some(if self.numbers.below(2) == 0 { self.builder.unwindow(changed, window)? } else { changed }));
        }
        // The other axes, one of which is summed too if it is not the batch.
        let mut labels: Vec<&str> = ["a", "b", "c", "d"][..rank].to_vec();
        labels[axis] = "p";
        labels.insert(axis + 1, "k");
        let channel = (0..rank).find(|&other| other != axis && shape.0[other] != Dim::Batch);
        let width = self.size();
        let (mut of, mut dims) = (vec!["o"], vec![width]);
        let mut out: Vec<&str> = labels.iter().copied().filter(|label| *label != "k").collect();
        match channel {
            Some(other) => {
                let label = ["a", "b", "c", "d"][other];
                of.push(label);
                dims.push(shape.0[other].at(0));
                out.iter_mut().filter(|own| **own == label).for_each(|own| *own = "o");
            }
            None => out.insert(1.min(out.len()), "o"),
        }
        of.push("k");
        dims.push(size);
        let name = format!("c{}", self.builder.graph().nodes.len());
        let weight = self.builder.source(Primitive::Parameter, &name, Type::f32(Shape::fixed(&dims)))?;
        self.sources.push(weight);
        let [labels, of, out] = [labels, of, out].map(|words| words.join(" "));
        let product = self.builder.contract(view, weight, &format!("{labels}, {of} -> {out}"))?;
        let product = self.builder.scale(product, 0.25)?;
        Ok(Some(match self.numbers.below(3) {
            0 => product,
            // The gradients of both.
            1 => {
                let windows = self.builder.contract(product, weight, &format!("{out}, {of} -> {labels}"))?;
                self.builder.unwindow(windows, window)?
            }
            _ => {
                let gradient = self.builder.contract(view, product, &format!("{labels}, {out} -> {of}"))?;
                self.builder.scale(gradient, 0.0625)?
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
