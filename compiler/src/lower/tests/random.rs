//! Graphs drawn at random: every primitive over a few sizes, so that axes meet by chance and everything stands beside everything.

mod moves;
pub mod placed;
mod roots;
mod scans;

use super::trial::real;
use crate::graph::{Attributes, BuildError, Builder, Dim, Element, Graph, NodeId, Shape, Type};
use crate::ops::{self, Exactness, PRIMITIVES, Primitive, Sample};
use crate::splitmix::Random;

/// Sizes that axes have: at and around a lane group, a cell, a group of 64 random columns, a block of 512 of a product.
const SIZES: [usize; 10] = [1, 1, 2, 3, 7, 17, 32, 33, 70, LONG];
const LONG: usize = 513;
/// In place of [`LONG`] in graphs of every third seed: rows of whole KiB, which lie apart in memory.
const CROWDED: usize = 512;
/// Most elements of a row of a tensor, and of all rows together for a batch of [`NOMINAL`].
const MOST: usize = 6000;
const BUDGET: usize = 150_000;
const NOMINAL: usize = 8;

/// What the roots of a graph are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// What was drawn.
    Forward,
    /// A scalar with its gradients, applied to the parameters.
    Step,
    /// The gradients of what the gradients come to.
    SecondDerivative,
}

pub(super) struct Draw {
    numbers: Random,
    builder: Builder,
    /// Tensors so far, by what they hold.
    reals: Vec<NodeId>,
    truths: Vec<NodeId>,
    integers: Vec<NodeId>,
    /// Parameters and states, and inputs.
    sources: Vec<NodeId>,
    inputs: Vec<NodeId>,
    elements: usize,
    long: usize,
}

/// Size and kind follow from the seed.
pub fn graph(seed: u64) -> Graph {
    let kind = match seed % 8 {
        0..4 => Kind::Forward,
        4..7 => Kind::Step,
        _ => Kind::SecondDerivative,
    };
    let size = match kind {
        Kind::Forward => 5 + Random(seed ^ 0xabcd).below(36),
        Kind::Step => 3 + Random(seed ^ 0xabcd).below(14),
        Kind::SecondDerivative => 2 + Random(seed ^ 0xabcd).below(5),
    };
    draw(seed, size, kind).expect("draws only what the builder takes")
}

fn draw(seed: u64, size: usize, kind: Kind) -> Result<Graph, BuildError> {
    let mut draw = Draw::new(seed, &format!("random{seed}"));
    draw.sources()?;
    for _ in 0..size {
        // What does not fit is not drawn.
        if let Ok(Some(made)) = draw.operation() {
            draw.keep(made);
        }
    }
    match kind {
        Kind::Forward => draw.forward_roots()?,
        Kind::Step => draw.step_roots(1)?,
        Kind::SecondDerivative => draw.step_roots(2)?,
    }
    Ok(draw.builder.finish())
}

impl Draw {
    fn new(seed: u64, name: &str) -> Self {
        Draw {
            numbers: Random(seed),
            builder: Builder::new(name),
            reals: Vec::new(),
            truths: Vec::new(),
            integers: Vec::new(),
            sources: Vec::new(),
            inputs: Vec::new(),
            elements: 0,
            long: if seed.is_multiple_of(3) { CROWDED } else { LONG },
        }
    }

    fn size(&mut self) -> usize {
        match SIZES[self.numbers.below(SIZES.len())] {
            LONG => self.long,
            size => size,
        }
    }

    fn keep(&mut self, node: NodeId) {
        let ty = self.builder.ty(node).clone();
        let count = ty.shape.count(NOMINAL);
        if ty.shape.fixed_count() > MOST || self.elements + count > BUDGET {
            return;
        }
        self.elements += count;
        match ty.element {
            Element::F32 => self.reals.push(node),
            Element::Bool => self.truths.push(node),
            Element::F64 => {}
            _ => self.integers.push(node),
        }
    }

    fn sources(&mut self) -> Result<(), BuildError> {
        let elements = [Element::F32, Element::F32, Element::Class(7), Element::Bool, Element::I32];
        for (number, element) in elements.into_iter().enumerate() {
            let mut dims = vec![Dim::Batch];
            for _ in 0..[2, 4, 2, 2, 1][number].min(1 + self.numbers.below(4)) - 1 + usize::from(number == 0) {
                dims.push(Dim::Fixed(self.size()));
            }
            while Shape(dims.clone()).fixed_count() > MOST {
                dims.pop();
            }
            let kind = if number == 1 { Primitive::Target } else { Primitive::Input };
            let input = self.builder.source(kind, &format!("x{number}"), Type { element, shape: Shape(dims) })?;
            self.inputs.push(input);
            self.keep(input);
        }
        for number in 0..4 {
            let mut dims: Vec<usize> = (0..self.numbers.below(4)).map(|_| self.size()).collect();
            while dims.iter().product::<usize>() > MOST {
                dims.pop();
            }
            let primitive = if number == 2 { Primitive::State } else { Primitive::Parameter };
            // Two of one shape, to be swapped.
            let shape = if number == 3 { self.builder.shape(self.sources[0]) } else { Shape::fixed(&dims) };
            let source = self.builder.source(primitive, &format!("p{number}"), Type::f32(shape))?;
            self.sources.push(source);
            self.keep(source);
        }
        Ok(())
    }

    /// One of them, the late ones more often.
    fn pick(&mut self, pool: &[NodeId]) -> Option<NodeId> {
        if pool.is_empty() {
            return None;
        }
        let first = if self.numbers.below(2) == 0 { 0 } else { pool.len() * 2 / 3 };
        pool.get(first + self.numbers.below(pool.len() - first)).copied()
    }

    fn real(&mut self) -> NodeId {
        let pool = std::mem::take(&mut self.reals);
        let found = self.pick(&pool);
        self.reals = pool;
        found.expect("there are parameters")
    }

    /// A real tensor that can be laid on a shape, on that shape.
    fn real_of(&mut self, shape: &Shape) -> Result<NodeId, BuildError> {
        for _ in 0..6 {
            let node = self.real();
            if let Ok(fits) = self.builder.broadcast_to(node, shape) {
                return Ok(fits);
            }
        }
        let value = real(&mut self.numbers);
        let constant = self.builder.constant(value);
        self.builder.broadcast_scalar(constant, shape)
    }

    fn clamp(&mut self, a: NodeId, low: f64, high: f64) -> Result<NodeId, BuildError> {
        let (low, high) = (self.builder.constant(low), self.builder.constant(high));
        let a = self.builder.binary(Primitive::Max, a, low)?;
        self.builder.binary(Primitive::Min, a, high)
    }

    /// An operand of this kind and shape.
    fn sample(&mut self, sample: Sample, shape: &Shape) -> Result<NodeId, BuildError> {
        Ok(match sample {
            Sample::Real => self.real_of(shape)?,
            Sample::Positive | Sample::NonZero => {
                let a = self.real_of(shape)?;
                let square = self.builder.mul(a, a)?;
                self.builder.offset(square, 0.5)?
            }
            Sample::Unit => {
                let a = self.real_of(shape)?;
                let a = self.clamp(a, -1.0, 1.0)?;
                let a = self.builder.scale(a, 0.25)?;
                self.builder.offset(a, 0.5)?
            }
            Sample::Bool => {
                let fitting: Vec<NodeId> =
                    self.truths.iter().copied().filter(|&truth| self.builder.broadcast_to(truth, shape).is_ok()).collect();
                match self.pick(&fitting) {
                    Some(truth) if self.numbers.below(3) > 0 => self.builder.broadcast_to(truth, shape)?,
                    _ => {
                        let (a, b) = (self.real_of(shape)?, self.real_of(shape)?);
                        let order = [Primitive::Lt, Primitive::Le, Primitive::Ne][self.numbers.below(3)];
                        self.builder.binary(order, a, b)?
                    }
                }
            }
            Sample::Integer => {
                let fitting: Vec<NodeId> =
                    self.integers.iter().copied().filter(|&number| self.builder.broadcast_to(number, shape).is_ok()).collect();
                match self.pick(&fitting) {
                    Some(number) if self.numbers.below(3) > 0 => self.builder.broadcast_to(number, shape)?,
                    _ => {
                        let a = self.real_of(shape)?;
                        let a = self.builder.scale(a, 5.0)?;
                        self.builder.cast(a, Element::I32)?
                    }
                }
            }
        })
    }

    /// A pointwise primitive by its record, on operands of the kinds that it takes.
    fn pointwise(&mut self) -> Result<Option<NodeId>, BuildError> {
        let all: Vec<Primitive> = PRIMITIVES.iter().copied().filter(|&primitive| ops::record(primitive).is_pointwise()).collect();
        let primitive = all[self.numbers.below(all.len())];
        let record = ops::record(primitive);
        let like = self.real();
        let shape = self.builder.shape(like);
        let mut operands = Vec::new();
        for number in 0..record.arity.unwrap_or(2) {
            let sample = record.samples[number.min(record.samples.len() - 1)];
            // Products of everything with everything would soon leave the range of f32.
            let mut operand = if number == 0 && sample == Sample::Real { like } else { self.sample(sample, &shape)? };
            if sample == Sample::Real && matches!(record.exactness, Exactness::Ulp(_)) {
                operand = self.clamp(operand, -3.0, 3.0)?;
            }
            operands.push(operand);
        }
        let given = Type { element: self.numbers_element(), shape };
        self.builder.apply(primitive, &operands, Attributes::None, Some(given)).map(Some)
    }

    fn numbers_element(&mut self) -> Element {
        [Element::I32, Element::Bool, Element::F32][self.numbers.below(3)]
    }

    fn operation(&mut self) -> Result<Option<NodeId>, BuildError> {
        let a = self.real();
        let shape = self.builder.shape(a);
        let rank = shape.rank();
        Ok(Some(match self.numbers.below(24) {
            0..=7 => return self.pointwise(),
            8 => {
                let (b, half) = (self.real_of(&shape)?, self.builder.scale(a, 0.5)?);
                self.builder.mul(half, b)?
            }
            9 | 10 if rank > 0 => {
                let axis = self.numbers.below(rank);
                self.reduce(a, &[axis])?
            }
            11 if rank > 0 => {
                let axes: Vec<usize> = (0..rank).collect();
                self.reduce(a, &axes)?
            }
            12 | 13 if rank > 0 => {
                // Put back what a reduction lost.
                let axis = self.numbers.below(rank);
                let reduced = self.reduce(a, &[axis])?;
                let wide = self.builder.expand(reduced, &shape, &[axis])?;
                let b = self.real_of(&shape)?;
                let scaled = self.builder.mul(wide, b)?;
                self.builder.sub(a, scaled)?
            }
            14 | 15 => return self.contract(a),
            16 if rank > 1 => {
                let mut order: Vec<usize> = (0..rank).collect();
                order.rotate_left(1 + self.numbers.below(rank - 1));
                self.builder.transpose(a, &order)?
            }
            17 if rank > 0 => return self.move_part(a, &shape),
            18 if rank > 1 => return self.reshape(a, &shape),
            19 if rank > 0 => {
                let index = self.builder.iota(shape.clone(), self.numbers.below(rank))?;
                self.keep(index);
                let real = self.builder.cast(index, Element::F32)?;
                let scaled = self.builder.scale(real, 0.01)?;
                self.builder.add(a, scaled)?
            }
            20 => {
                let noise = self.builder.uniform(shape)?;
                if self.numbers.below(3) == 0 {
                    return Ok(Some(noise));
                }
                let half = self.builder.constant(0.5);
                let kept = self.builder.binary(Primitive::Lt, noise, half)?;
                self.keep(kept);
                let zero = self.builder.constant(0.0);
                self.builder.select(kept, zero, a)?
            }
            21 => self.scalar(a)?,
            22 if self.numbers.below(2) == 0 => return self.scan(a, &shape),
            22 => return self.gather(a, &shape),
            _ => return self.scatter_add(a, &shape),
        }))
    }

    /// Multiplies by a step scalar or the number of rows.
    fn scalar(&mut self, a: NodeId) -> Result<NodeId, BuildError> {
        let factor = match self.numbers.below(3) {
            0 => {
                let rows = self.builder.batch_size();
                let one = self.builder.constant(1.0);
                self.builder.div(one, rows)?
            }
            1 => {
                let rate = self.builder.source(Primitive::Setting, "rate", Type::f64())?;
                let step = self.builder.step();
                self.builder.binary(Primitive::Pow, rate, step)?
            }
            _ => {
                let rate = self.builder.source(Primitive::Setting, "rate", Type::f64())?;
                let unary = [Primitive::Exp, Primitive::Log, Primitive::Tanh, Primitive::Expm1][self.numbers.below(4)];
                let bent = self.builder.unary(unary, rate)?;
                let square = self.builder.mul(bent, rate)?;
                self.builder.unary(Primitive::Abs, square)?
            }
        };
        self.builder.mul(a, factor)
    }
}
