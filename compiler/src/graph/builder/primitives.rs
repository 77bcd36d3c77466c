//! A method for each primitive, and for the formulas of a few that everything is made of.

use super::{BuildError, Builder, Built};
use crate::graph::{Attributes, Dim, Element, NodeId, Shape, Type, Window, text};
use crate::ops::{LARGEST_INTEGER, Primitive};

impl Builder {
    // --- sources -----------------------------------------------------------------------------------------------

    /// A named source: input, target, parameter, state or setting.
    pub fn source(&mut self, primitive: Primitive, name: &str, ty: Type) -> Built {
        self.apply(primitive, &[], Attributes::Name(name.to_string()), Some(ty))
    }
    pub(super) fn constant_of(&mut self, element: Element, value: f64) -> NodeId {
        let ty = Type { element, shape: Shape::scalar() };
        self.apply(Primitive::Constant, &[], Attributes::Constant(value.to_bits()), Some(ty))
            .expect("a scalar constant has no operands that could be wrong")
    }
    /// An f32 scalar constant. The graph keeps the number that was written; it is rounded once, where it is lowered.
    pub fn constant(&mut self, value: f64) -> NodeId {
        self.constant_of(Element::F32, value)
    }
    /// An f64 scalar constant.
    pub fn constant_f64(&mut self, value: f64) -> NodeId {
        self.constant_of(Element::F64, value)
    }
    /// A constant with element and shape of `like`.
    pub fn constant_like(&mut self, like: NodeId, value: f64) -> Built {
        let ty = self.ty(like).clone();
        let scalar = self.constant_of(ty.element, value);
        self.broadcast_scalar(scalar, &ty.shape)
    }
    /// The step, counted from 1: an f64 scalar.
    pub fn step(&mut self) -> NodeId {
        self.apply(Primitive::Step, &[], Attributes::None, Some(Type::f64()))
            .expect("a source has no operands that could be wrong")
    }
    /// The step at which the run ends: an f64 scalar.
    pub fn steps(&mut self) -> NodeId {
        self.apply(Primitive::Steps, &[], Attributes::None, Some(Type::f64()))
            .expect("a source has no operands that could be wrong")
    }
    /// The epoch, counted from 1: an f64 scalar.
    pub fn epoch(&mut self) -> NodeId {
        self.apply(Primitive::Epoch, &[], Attributes::None, Some(Type::f64()))
            .expect("a source has no operands that could be wrong")
    }
    /// True number of rows of the batch: an f32 scalar.
    pub fn batch_size(&mut self) -> NodeId {
        self.apply(Primitive::BatchSize, &[], Attributes::None, Some(Type::f32(Shape::scalar())))
            .expect("a source has no operands that could be wrong")
    }
    /// Uniform random numbers in (0, 1) from a stream of their own.
    pub fn uniform(&mut self, shape: Shape) -> Built {
        let stream = self.streams;
        self.streams += 1;
        self.apply(Primitive::Uniform, &[], Attributes::Stream(stream), Some(Type::f32(shape)))
    }
    /// Index along an axis of a shape, as i32.
    pub fn iota(&mut self, shape: Shape, axis: usize) -> Built {
        self.apply(Primitive::Iota, &[], Attributes::Axis(axis), Some(Type { element: Element::I32, shape }))
    }

    // --- pointwise ---------------------------------------------------------------------------------------------

    /// A pointwise function of one operand.
    pub fn unary(&mut self, primitive: Primitive, a: NodeId) -> Built {
        self.apply(primitive, &[a], Attributes::None, None)
    }
    /// A pointwise function of two operands; shapes are aligned at their last axes, axes of size 1 stretch, elements meet as
    /// [`Builder::meet`] says.
    pub fn binary(&mut self, primitive: Primitive, a: NodeId, b: NodeId) -> Built {
        let (a, b) = self.meet(a, b)?;
        self.apply(primitive, &[a, b], Attributes::None, None)
    }
    /// `a + b`.
    pub fn add(&mut self, a: NodeId, b: NodeId) -> Built {
        self.binary(Primitive::Add, a, b)
    }
    /// `a - b`.
    pub fn sub(&mut self, a: NodeId, b: NodeId) -> Built {
        self.binary(Primitive::Sub, a, b)
    }
    /// `a * b`.
    pub fn mul(&mut self, a: NodeId, b: NodeId) -> Built {
        self.binary(Primitive::Mul, a, b)
    }
    /// `a / b`.
    pub fn div(&mut self, a: NodeId, b: NodeId) -> Built {
        self.binary(Primitive::Div, a, b)
    }
    /// `a * number`.
    pub fn scale(&mut self, a: NodeId, factor: f64) -> Built {
        let factor = self.constant_like(a, factor)?;
        self.mul(a, factor)
    }
    /// `a + number`.
    pub fn offset(&mut self, a: NodeId, term: f64) -> Built {
        let term = self.constant_like(a, term)?;
        self.add(a, term)
    }
    /// `-a`.
    pub fn neg(&mut self, a: NodeId) -> Built {
        self.unary(Primitive::Neg, a)
    }
    /// `condition ? a : b`; all three shapes meet.
    pub fn select(&mut self, condition: NodeId, a: NodeId, b: NodeId) -> Built {
        let (a, b) = self.meet(a, b)?;
        let (own, values) = (self.shape(condition), self.shape(a));
        let shape = meet_shapes(&own, &values).ok_or_else(|| BuildError::new(format!("{own} and {values} do not meet")))?;
        let (a, b) = (self.broadcast_to(a, &shape)?, self.broadcast_to(b, &shape)?);
        let condition = self.broadcast_to(condition, &shape)?;
        self.apply(Primitive::Select, &[condition, a, b], Attributes::None, None)
    }
    /// Converts the elements.
    pub fn cast(&mut self, a: NodeId, element: Element) -> Built {
        if self.ty(a).element == element {
            return Ok(a);
        }
        let ty = self.ty(a).with(element);
        self.apply(Primitive::Cast, &[a], Attributes::None, Some(ty))
    }

    /// Brings two operands to one element and one shape. A number (f64) takes the element that it meets; beside integers only if it is
    /// one of them: `2 * days` are integers, `2.5 * days` and `rate * days` are of f32.
    pub fn meet(&mut self, mut a: NodeId, mut b: NodeId) -> Result<(NodeId, NodeId), BuildError> {
        let (left, right) = (self.ty(a).element, self.ty(b).element);
        if left != right {
            match (left, right) {
                (Element::F64, _) if self.is_held(a, right) => a = self.cast(a, right)?,
                (_, Element::F64) if self.is_held(b, left) => b = self.cast(b, left)?,
                (Element::F64, _) | (_, Element::F64) => {
                    a = self.cast(a, Element::F32)?;
                    b = self.cast(b, Element::F32)?;
                }
                (Element::F32, _) => b = self.cast(b, Element::F32)?,
                (_, Element::F32) => a = self.cast(a, Element::F32)?,
                _ => {
                    a = self.cast(a, Element::I32)?;
                    b = self.cast(b, Element::I32)?;
                }
            }
        }
        let (left, right) = (self.shape(a), self.shape(b));
        let shape = meet_shapes(&left, &right).ok_or_else(|| BuildError::new(format!("{left} and {right} do not meet")))?;
        Ok((self.broadcast_to(a, &shape)?, self.broadcast_to(b, &shape)?))
    }

    /// Whether an element holds a number: a real one rounds any, others those that are constants and come through a cast unchanged.
    fn is_held(&self, number: NodeId, element: Element) -> bool {
        let (least, greatest) = match element {
            Element::F32 | Element::F64 => return true,
            Element::Bool => (0.0, 1.0),
            Element::U32 | Element::Class(_) => (0.0, LARGEST_INTEGER),
            Element::I32 => (-LARGEST_INTEGER, LARGEST_INTEGER),
        };
        self.graph.constant(number).is_some_and(|value| value.fract() == 0.0 && (least..=greatest).contains(&value))
    }

    // --- movement ----------------------------------------------------------------------------------------------

    /// Repeats `a` along new axes: axis `d` of `a` becomes axis `axes[d]` of the result.
    pub fn broadcast(&mut self, a: NodeId, shape: &Shape, axes: &[usize]) -> Built {
        if self.graph.shape(a) == shape {
            return Ok(a);
        }
        let ty = Type { element: self.ty(a).element, shape: shape.clone() };
        // A broadcast of a broadcast is one broadcast.
        let node = self.graph.node(a);
        if let (Primitive::Broadcast, Attributes::Axes(inner)) = (node.primitive, &node.attributes) {
            let joined: Vec<usize> = inner.iter().map(|&axis| axes[axis]).collect();
            let source = node.operands[0];
            return self.apply(Primitive::Broadcast, &[source], Attributes::Axes(joined), Some(ty));
        }
        self.apply(Primitive::Broadcast, &[a], Attributes::Axes(axes.to_vec()), Some(ty))
    }
    /// Repeats a scalar over a shape.
    pub fn broadcast_scalar(&mut self, a: NodeId, shape: &Shape) -> Built {
        self.broadcast(a, shape, &[])
    }
    /// Stretches `a` to a shape whose last axes it has (axes of size 1 stretch).
    pub fn broadcast_to(&mut self, a: NodeId, shape: &Shape) -> Built {
        let own = self.shape(a);
        if &own == shape {
            return Ok(a);
        }
        let error = || BuildError::new(format!("{own} does not stretch to {shape}"));
        let lead = shape.rank().checked_sub(own.rank()).ok_or_else(error)?;
        let kept: Vec<usize> = (0..own.rank()).filter(|&axis| own.0[axis] == shape.0[lead + axis]).collect();
        if (0..own.rank()).any(|axis| !kept.contains(&axis) && own.0[axis] != Dim::Fixed(1)) {
            return Err(error());
        }
        let squeezed = self.reshape(a, &Shape(kept.iter().map(|&axis| own.0[axis]).collect()))?;
        let axes: Vec<usize> = kept.iter().map(|&axis| lead + axis).collect();
        self.broadcast(squeezed, shape, &axes)
    }
    /// Puts a reduced tensor back over the axes it lost: the inverse map of [`Builder::reduce`].
    pub fn expand(&mut self, a: NodeId, shape: &Shape, lost: &[usize]) -> Built {
        let axes: Vec<usize> = (0..shape.rank()).filter(|axis| !lost.contains(axis)).collect();
        self.broadcast(a, shape, &axes)
    }
    /// The same elements in row-major order under another shape.
    pub fn reshape(&mut self, a: NodeId, shape: &Shape) -> Built {
        if self.graph.shape(a) == shape {
            return Ok(a);
        }
        let ty = Type { element: self.ty(a).element, shape: shape.clone() };
        let node = self.graph.node(a);
        let source = if node.primitive == Primitive::Reshape { node.operands[0] } else { a };
        if self.graph.shape(source) == shape {
            return Ok(source);
        }
        self.apply(Primitive::Reshape, &[source], Attributes::None, Some(ty))
    }
    /// Axis `d` of the result is axis `permutation[d]` of `a`.
    pub fn transpose(&mut self, a: NodeId, permutation: &[usize]) -> Built {
        if permutation.iter().enumerate().all(|(axis, &from)| axis == from) {
            return Ok(a);
        }
        self.apply(Primitive::Transpose, &[a], Attributes::Axes(permutation.to_vec()), None)
    }
    /// Elements `from..to` of an axis.
    pub fn slice(&mut self, a: NodeId, axis: usize, from: usize, to: usize) -> Built {
        self.apply(Primitive::Slice, &[a], Attributes::Slice { axis, from, to }, None)
    }
    /// Zeros around, along an axis.
    pub fn pad(&mut self, a: NodeId, axis: usize, before: usize, after: usize) -> Built {
        self.apply(Primitive::Pad, &[a], Attributes::Pad { axis, before, after }, None)
    }
    /// Windows along an axis: the axis becomes places and, behind it, the window's steps.
    pub fn window(&mut self, a: NodeId, window: Window) -> Built {
        self.apply(Primitive::Window, &[a], Attributes::Window(window), None)
    }
    /// Adds windows up where they lie: the adjoint of [`Builder::window`].
    pub fn unwindow(&mut self, a: NodeId, window: Window) -> Built {
        self.apply(Primitive::Unwindow, &[a], Attributes::Window(window), None)
    }
    /// Joins tensors along an axis.
    pub fn concat(&mut self, parts: &[NodeId], axis: usize) -> Built {
        match parts {
            [one] => Ok(*one),
            _ => self.apply(Primitive::Concat, parts, Attributes::Axis(axis), None),
        }
    }

    // --- reductions and contractions -----------------------------------------------------------------------------

    /// Reduces over axes (any order); runs of neighbouring axes are reduced one after the other, the last first.
    pub fn reduce(&mut self, primitive: Primitive, a: NodeId, axes: &[usize]) -> Built {
        let mut axes = axes.to_vec();
        axes.sort_unstable();
        axes.dedup();
        if axes.is_empty() {
            return Ok(a);
        }
        let mut start = axes.len() - 1;
        while start > 0 && axes[start - 1] + 1 == axes[start] {
            start -= 1;
        }
        let reduced = self.apply(primitive, &[a], Attributes::Axes(axes[start..].to_vec()), None)?;
        self.reduce(primitive, reduced, &axes[..start])
    }
    /// Sum over axes.
    pub fn sum(&mut self, a: NodeId, axes: &[usize]) -> Built {
        self.reduce(Primitive::Sum, a, axes)
    }
    /// Sum over all axes.
    pub fn sum_all(&mut self, a: NodeId) -> Built {
        let axes: Vec<usize> = (0..self.graph.shape(a).rank()).collect();
        self.sum(a, &axes)
    }
    /// Number of elements along axes, as an f32 scalar: a constant, or a multiple of the true batch size.
    pub fn count(&mut self, shape: &Shape, axes: &[usize]) -> Built {
        let fixed: usize = axes.iter().map(|&axis| shape.0[axis].at(1)).product();
        let fixed = self.constant(fixed as f64);
        if axes.iter().any(|&axis| shape.0[axis] == Dim::Batch) {
            let rows = self.batch_size();
            return self.mul(rows, fixed);
        }
        Ok(fixed)
    }
    /// Mean over axes.
    pub fn mean(&mut self, a: NodeId, axes: &[usize]) -> Built {
        let shape = self.shape(a);
        let sum = self.sum(a, axes)?;
        let count = self.count(&shape, axes)?;
        self.div(sum, count)
    }
    /// Mean over all axes.
    pub fn mean_all(&mut self, a: NodeId) -> Built {
        let axes: Vec<usize> = (0..self.graph.shape(a).rank()).collect();
        self.mean(a, &axes)
    }
    /// A sum of products, such as `"n k, k j -> n j"` (labels are single letters or words).
    pub fn contract(&mut self, a: NodeId, b: NodeId, labels: &str) -> Built {
        let spec =
            text::parse_contraction(labels).ok_or_else(|| BuildError::new(format!("contraction `{labels}` cannot be read")))?;
        self.apply(Primitive::Contract, &[a, b], Attributes::Contract(spec), None)
    }
}

/// The shape that both stretch to, aligned at the last axis.
pub fn meet_shapes(a: &Shape, b: &Shape) -> Option<Shape> {
    let rank = a.rank().max(b.rank());
    let dim = |shape: &Shape, axis: usize| (axis + shape.rank()).checked_sub(rank).map_or(Dim::Fixed(1), |own| shape.0[own]);
    let dims: Option<Vec<Dim>> = (0..rank)
        .map(|axis| match (dim(a, axis), dim(b, axis)) {
            (x, y) if x == y => Some(x),
            (Dim::Fixed(1), y) => Some(y),
            (x, Dim::Fixed(1)) => Some(x),
            _ => None,
        })
        .collect();
    dims.map(Shape)
}
