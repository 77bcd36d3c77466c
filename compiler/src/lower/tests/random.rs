//! Graphs drawn at random: layers, reductions, views and updates over a few sizes, so that axes meet by chance.

use super::trial::Numbers;
use crate::graph::{BuildError, Builder, Dim, Element, Graph, NodeId, Shape, Type};
use crate::ops::Primitive;

/// Sizes that axes have: below, at and above a lane group, a cell and a group of 64 random columns.
const SIZES: [usize; 7] = [1, 2, 3, 7, 32, 40, 70];

struct Draw {
    numbers: Numbers,
    builder: Builder,
    /// Real tensors so far.
    pool: Vec<NodeId>,
    sources: Vec<NodeId>,
}

/// A graph of about `size` operations.
pub fn graph(seed: u64, size: usize) -> Result<Graph, BuildError> {
    let mut draw =
        Draw { numbers: Numbers(seed), builder: Builder::new(format!("random{seed}")), pool: Vec::new(), sources: Vec::new() };
    draw.sources()?;
    for _ in 0..size {
        let made = draw.operation()?;
        if let Some(made) = made.filter(|&made| draw.builder.shape(made).fixed_count() <= 6000) {
            draw.pool.push(made);
        }
    }
    draw.roots()?;
    Ok(draw.builder.finish())
}

impl Draw {
    fn size(&mut self) -> usize {
        SIZES[self.numbers.below(SIZES.len())]
    }

    fn sources(&mut self) -> Result<(), BuildError> {
        for number in 0..2 {
            let mut dims = vec![Dim::Batch];
            for _ in 0..self.numbers.below(3) {
                dims.push(Dim::Fixed(self.size()));
            }
            let input = self.builder.source(Primitive::Input, &format!("x{number}"), Type::f32(Shape(dims)))?;
            self.pool.push(input);
        }
        for number in 0..3 {
            let dims: Vec<usize> = (0..1 + self.numbers.below(2)).map(|_| self.size()).collect();
            let primitive = if number == 2 { Primitive::State } else { Primitive::Parameter };
            let source = self.builder.source(primitive, &format!("p{number}"), Type::f32(Shape::fixed(&dims)))?;
            self.pool.push(source);
            self.sources.push(source);
        }
        Ok(())
    }

    /// A tensor, the late ones more often.
    fn any(&mut self) -> NodeId {
        let first = if self.numbers.below(2) == 0 { 0 } else { self.pool.len() * 2 / 3 };
        self.pool[first + self.numbers.below(self.pool.len() - first)]
    }

    fn pointwise(&mut self, a: NodeId, b: NodeId) -> Result<NodeId, BuildError> {
        match self.numbers.below(7) {
            0 | 1 => self.builder.add(a, b),
            2 => self.builder.sub(a, b),
            3 => {
                // Products stay small.
                let half = self.builder.scale(b, 0.25)?;
                self.builder.mul(a, half)
            }
            4 => self.builder.binary(Primitive::Max, a, b),
            5 => self.builder.binary(Primitive::Min, a, b),
            _ => {
                let square = self.builder.mul(b, b)?;
                let above = self.builder.offset(square, 1.0)?;
                self.builder.div(a, above)
            }
        }
    }

    fn operation(&mut self) -> Result<Option<NodeId>, BuildError> {
        let a = self.any();
        let shape = self.builder.shape(a);
        let rank = shape.rank();
        let made = match self.numbers.below(16) {
            0..=3 => {
                let b = self.any();
                let other = self.builder.shape(b);
                let meets = other.rank() <= rank
                    && other.0.iter().rev().zip(shape.0.iter().rev()).all(|(x, y)| x == y || *x == Dim::Fixed(1));
                if !meets {
                    return Ok(None);
                }
                self.pointwise(a, b)?
            }
            4 => self.pointwise(a, a)?,
            5 => self.builder.unary([Primitive::Neg, Primitive::Abs][self.numbers.below(2)], a)?,
            6 | 7 if rank > 0 => {
                let axis = self.numbers.below(rank);
                self.reduce(a, &[axis])?
            }
            8 if rank > 0 => {
                let axes: Vec<usize> = (0..rank).collect();
                self.reduce(a, &axes)?
            }
            9 if rank > 0 && rank < 3 => {
                // Put back what a reduction lost.
                let axis = self.numbers.below(rank);
                let reduced = self.reduce(a, &[axis])?;
                let wide = self.builder.expand(reduced, &shape, &[axis])?;
                self.pointwise(a, wide)?
            }
            10 | 11 => return self.contract(a),
            12 if rank > 1 => {
                let mut order: Vec<usize> = (0..rank).collect();
                order.rotate_left(1 + self.numbers.below(rank - 1));
                self.builder.transpose(a, &order)?
            }
            13 if rank > 0 => return self.move_part(a, &shape),
            14 if rank > 1 => return self.reshape(a, &shape),
            _ => {
                let index = self.builder.iota(shape.clone(), rank.saturating_sub(1).min(self.numbers.below(rank + 1)));
                let Ok(index) = index else { return Ok(None) };
                let real = self.builder.cast(index, Element::F32)?;
                let scaled = self.builder.scale(real, 0.01)?;
                self.builder.add(a, scaled)?
            }
        };
        Ok(Some(made))
    }

    /// A reduction, sums scaled to stay small.
    fn reduce(&mut self, a: NodeId, axes: &[usize]) -> Result<NodeId, BuildError> {
        match self.numbers.below(5) {
            0 => self.builder.reduce(Primitive::ReduceMax, a, axes),
            1 => self.builder.reduce(Primitive::ReduceMin, a, axes),
            _ => self.builder.mean(a, axes),
        }
    }

    /// A contraction over an axis that is found or made for it.
    fn contract(&mut self, a: NodeId) -> Result<Option<NodeId>, BuildError> {
        let shape = self.builder.shape(a);
        if shape.rank() == 0 || shape.rank() > 4 {
            return Ok(None);
        }
        let axis = self.numbers.below(shape.rank());
        let b = self.any();
        let other = self.builder.shape(b);
        if other.rank() > 4 {
            return Ok(None);
        }
        let letters = ["a", "b", "c", "d"];
        let left: Vec<&str> = letters[..shape.rank()].to_vec();
        let (b, right) = match other.0.iter().position(|dim| *dim == shape.0[axis]) {
            Some(found) => {
                // Some batch axes stand in both and in the result.
                let names = ["w", "x", "y", "z"];
                let right = (0..other.rank()).map(|own| if own == found { left[axis] } else { names[own] }).collect();
                (b, right)
            }
            None => {
                let Dim::Fixed(size) = shape.0[axis] else { return Ok(None) };
                let width = self.size();
                let name = format!("w{}", self.builder.graph().nodes.len());
                let weight = self.builder.source(Primitive::Parameter, &name, Type::f32(Shape::fixed(&[size, width])))?;
                self.sources.push(weight);
                (weight, vec![left[axis], "w"])
            }
        };
        let keep = self.numbers.below(4) == 0;
        let mut out: Vec<&str> = left.iter().copied().filter(|label| keep || *label != left[axis]).collect();
        out.extend(right.iter().filter(|label| **label != left[axis]));
        if self.numbers.below(3) == 0 && out.len() > 1 {
            let by = self.numbers.below(out.len());
            out.rotate_left(by);
        }
        let labels = format!("{}, {} -> {}", left.join(" "), right.join(" "), out.join(" "));
        let Ok(product) = self.builder.contract(a, b, &labels) else { return Ok(None) };
        Ok(Some(self.builder.scale(product, 0.125)?))
    }

    fn move_part(&mut self, a: NodeId, shape: &Shape) -> Result<Option<NodeId>, BuildError> {
        let axis = self.numbers.below(shape.rank());
        let Dim::Fixed(size) = shape.0[axis] else { return Ok(None) };
        Ok(Some(match self.numbers.below(3) {
            0 => {
                let from = self.numbers.below(size);
                let to = from + 1 + self.numbers.below(size - from);
                self.builder.slice(a, axis, from, to)?
            }
            1 => {
                let (before, after) = (self.numbers.below(3), self.numbers.below(3));
                self.builder.pad(a, axis, before, after)?
            }
            _ => {
                let negative = self.builder.neg(a)?;
                self.builder.concat(&[a, negative], axis)?
            }
        }))
    }

    fn reshape(&mut self, a: NodeId, shape: &Shape) -> Result<Option<NodeId>, BuildError> {
        let mut dims = shape.0.clone();
        let at = self.numbers.below(dims.len());
        match self.numbers.below(3) {
            0 => dims.insert(at, Dim::Fixed(1)),
            1 => match dims[at] {
                Dim::Fixed(size) if size % 2 == 0 => {
                    dims[at] = Dim::Fixed(size / 2);
                    dims.insert(at, Dim::Fixed(2));
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

    fn roots(&mut self) -> Result<(), BuildError> {
        for number in 0..1 + self.numbers.below(3) {
            let node = self.any();
            self.builder.output(format!("o{number}"), node);
        }
        let last = self.pool[self.pool.len() - 1];
        self.builder.output("last", last);
        // Each source moves by the mean of something, some by a tensor of their own shape.
        for source in self.sources.clone() {
            let shape = self.builder.shape(source);
            let fitting: Vec<NodeId> = self.pool.iter().copied().filter(|&id| self.builder.shape(id) == shape).collect();
            let change = if fitting.is_empty() || self.numbers.below(3) == 0 {
                let any = self.any();
                self.builder.mean_all(any)?
            } else {
                fitting[fitting.len() - 1 - self.numbers.below(fitting.len().min(2))]
            };
            let change = self.builder.scale(change, 0.5)?;
            let next = self.builder.sub(source, change)?;
            self.builder.update(source, next)?;
        }
        Ok(())
    }
}
