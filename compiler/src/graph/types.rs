//! Types of tensors: element, and a static shape with one free dimension.

use std::fmt;

/// What one element of a tensor is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Element {
    /// Tensors of real numbers.
    F32,
    /// Step scalars: settings, schedules, bias corrections. Always rank 0.
    F64,
    /// Whole numbers.
    I32,
    /// Whole numbers that are not negative.
    U32,
    /// True or false.
    Bool,
    /// A class index in `0..n`.
    Class(u32),
}

impl Element {
    /// Whether derivatives flow through it.
    pub fn is_real(self) -> bool {
        matches!(self, Element::F32 | Element::F64)
    }
    /// Whether it is an integer (class indices included).
    pub fn is_integer(self) -> bool {
        matches!(self, Element::I32 | Element::U32 | Element::Class(_))
    }
}

impl fmt::Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Element::F32 => write!(f, "f32"),
            Element::F64 => write!(f, "f64"),
            Element::I32 => write!(f, "i32"),
            Element::U32 => write!(f, "u32"),
            Element::Bool => write!(f, "bool"),
            Element::Class(n) => write!(f, "class({n})"),
        }
    }
}

/// Size of one axis: known, or the number of rows of the batch, known at run time only.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Dim {
    /// Known when the network is built.
    Fixed(usize),
    /// The rows of the batch.
    Batch,
}

impl Dim {
    /// The size for a batch of `n` rows.
    pub fn at(self, n: usize) -> usize {
        match self {
            Dim::Fixed(size) => size,
            Dim::Batch => n,
        }
    }
}

impl fmt::Display for Dim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Dim::Fixed(size) => write!(f, "{size}"),
            Dim::Batch => write!(f, "n"),
        }
    }
}

/// A shape; rank 0 is a scalar. At most one axis is [`Dim::Batch`].
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Shape(pub Vec<Dim>);

impl Shape {
    /// The shape of a scalar.
    pub fn scalar() -> Self {
        Shape(Vec::new())
    }
    /// A shape of known sizes.
    pub fn fixed(sizes: &[usize]) -> Self {
        Shape(sizes.iter().map(|&size| Dim::Fixed(size)).collect())
    }
    /// `[batch, sizes…]`.
    pub fn batch(sizes: &[usize]) -> Self {
        let mut dims = vec![Dim::Batch];
        dims.extend(sizes.iter().map(|&size| Dim::Fixed(size)));
        Shape(dims)
    }
    /// Number of axes.
    pub fn rank(&self) -> usize {
        self.0.len()
    }
    /// Whether one axis is the batch.
    pub fn has_batch(&self) -> bool {
        self.0.contains(&Dim::Batch)
    }
    /// Sizes for a batch of `n` rows.
    pub fn at(&self, n: usize) -> Vec<usize> {
        self.0.iter().map(|dim| dim.at(n)).collect()
    }
    /// Number of elements for a batch of `n` rows; `usize::MAX` if it is larger.
    pub fn count(&self, n: usize) -> usize {
        if self.0.iter().any(|dim| dim.at(n) == 0) {
            return 0;
        }
        self.0.iter().fold(1, |count: usize, dim| count.saturating_mul(dim.at(n)))
    }
    /// Product of the known sizes: elements, or elements per row of the batch.
    pub fn fixed_count(&self) -> usize {
        self.count(1)
    }
    /// The shape without one axis.
    pub fn without(&self, axes: &[usize]) -> Self {
        Shape(self.0.iter().enumerate().filter(|(axis, _)| !axes.contains(axis)).map(|(_, dim)| *dim).collect())
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[")?;
        for (axis, dim) in self.0.iter().enumerate() {
            write!(f, "{}{dim}", if axis > 0 { ", " } else { "" })?;
        }
        write!(f, "]")
    }
}

/// Element and shape of a tensor.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Type {
    /// What one element is.
    pub element: Element,
    /// Its sizes.
    pub shape: Shape,
}

impl Type {
    /// A tensor of f32.
    pub fn f32(shape: Shape) -> Self {
        Type { element: Element::F32, shape }
    }
    /// An f64 scalar.
    pub fn f64() -> Self {
        Type { element: Element::F64, shape: Shape::scalar() }
    }
    /// The same shape with another element.
    pub fn with(&self, element: Element) -> Self {
        Type { element, shape: self.shape.clone() }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.element, self.shape)
    }
}
