//! The primitives: identity is an enum, behaviour is a record.
//!
//! [`PRIMITIVES`] is the table. Each name points at one [`Record`] in the file of its family, which holds everything that any stage
//! wants to know: type rule, f64 value, derivative as a graph, lowering, exactness, a line of documentation, and what the generic
//! tests try. From the record follow printer, parser, verifier, gradient, reference value, lowering, gradient check and differential test.
//! No module outside this folder matches on every primitive.

mod arithmetic;
mod contract;
mod index;
mod math;
mod movement;
mod normal;
mod random;
mod reduce;
mod scan;
mod sources;
#[cfg(test)]
mod tests;
mod window;

use crate::graph::{Attributes, BuildError, Builder, Element, Graph, NodeId, Type};
use crate::loops::Value;
use crate::loops::block::BlockBuilder;
pub use arithmetic::LARGEST_INTEGER;
pub use scan::scanned;
use std::collections::BTreeMap;

macro_rules! table {
    ($($name:ident => $family:ident::$record:ident),* $(,)?) => {
        /// The closed set of tensor primitives.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
        pub enum Primitive { $(#[doc = concat!("`", stringify!($name), "`; its record says what it means.")] $name),* }

        /// All primitives, in the order of the manual.
        pub const PRIMITIVES: &[Primitive] = &[$(Primitive::$name),*];

        /// The record of a primitive.
        pub fn record(primitive: Primitive) -> &'static Record {
            match primitive { $(Primitive::$name => &$family::$record),* }
        }

        /// The family of a primitive: the file of this folder that holds its record.
        pub fn family(primitive: Primitive) -> &'static str {
            match primitive { $(Primitive::$name => stringify!($family)),* }
        }
    };
}

table! {
    Input => sources::INPUT,
    Target => sources::TARGET,
    Parameter => sources::PARAMETER,
    State => sources::STATE,
    Setting => sources::SETTING,
    Constant => sources::CONSTANT,
    Step => sources::STEP,
    Steps => sources::STEPS,
    Epoch => sources::EPOCH,
    BatchSize => sources::BATCH_SIZE,
    Iota => index::IOTA,
    Gather => index::GATHER,
    ScatterAdd => index::SCATTER_ADD,
    Uniform => random::UNIFORM,
    Neg => arithmetic::NEG,
    Abs => arithmetic::ABS,
    Sign => arithmetic::SIGN,
    Floor => arithmetic::FLOOR,
    Sqrt => arithmetic::SQRT,
    StopGradient => arithmetic::STOP_GRADIENT,
    Add => arithmetic::ADD,
    Sub => arithmetic::SUB,
    Mul => arithmetic::MUL,
    Div => arithmetic::DIV,
    Max => arithmetic::MAX,
    Min => arithmetic::MIN,
    Lt => arithmetic::LT,
    Le => arithmetic::LE,
    Eq => arithmetic::EQ,
    Ne => arithmetic::NE,
    And => arithmetic::AND,
    Or => arithmetic::OR,
    Not => arithmetic::NOT,
    Select => arithmetic::SELECT,
    Cast => arithmetic::CAST,
    Exp => math::EXP,
    Log => math::LOG,
    Expm1 => math::EXPM1,
    Log1p => math::LOG1P,
    Tanh => math::TANH,
    Sigmoid => math::SIGMOID,
    Sin => math::SIN,
    Cos => math::COS,
    Erf => math::ERF,
    Pow => math::POW,
    NormalQuantile => math::NORMAL_QUANTILE,
    Sum => reduce::SUM,
    ReduceMax => reduce::MAX,
    ReduceMin => reduce::MIN,
    Contract => contract::CONTRACT,
    Broadcast => movement::BROADCAST,
    Reshape => movement::RESHAPE,
    Transpose => movement::TRANSPOSE,
    Slice => movement::SLICE,
    Pad => movement::PAD,
    Concat => movement::CONCAT,
    Window => window::WINDOW,
    Unwindow => window::UNWINDOW,
    Scan => scan::SCAN,
}

/// A concrete tensor of the f64 reference: integers, classes and booleans (0, 1) are numbers too.
#[derive(Clone, PartialEq, Debug)]
pub struct Array {
    /// Sizes.
    pub dims: Vec<usize>,
    /// Row-major elements.
    pub data: Vec<f64>,
}

impl Array {
    /// A tensor from its sizes and row-major elements.
    pub fn new(dims: Vec<usize>, data: Vec<f64>) -> Self {
        Array { dims, data }
    }
    /// A scalar.
    pub fn scalar(value: f64) -> Self {
        Array { dims: Vec::new(), data: vec![value] }
    }
    /// A tensor of one value.
    pub fn filled(dims: Vec<usize>, value: f64) -> Self {
        let count = dims.iter().product();
        Array { dims, data: vec![value; count] }
    }
    /// Row-major strides.
    pub fn strides(&self) -> Vec<usize> {
        strides(&self.dims)
    }
}

/// Row-major strides of sizes.
pub fn strides(dims: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; dims.len()];
    for axis in (1..dims.len()).rev() {
        strides[axis - 1] = strides[axis] * dims[axis];
    }
    strides
}

/// Calls `visit` with every index tuple of `dims` in row-major order.
pub fn for_each_index(dims: &[usize], mut visit: impl FnMut(&[usize])) {
    if dims.contains(&0) {
        return;
    }
    let mut index = vec![0; dims.len()];
    loop {
        visit(&index);
        let Some(axis) = (0..dims.len()).rev().find(|&axis| index[axis] + 1 < dims[axis]) else { return };
        index[axis] += 1;
        index[axis + 1..].fill(0);
    }
}

/// What a graph is evaluated in: sources by name, the step and the seed.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    /// Values of inputs, targets, parameters, states and settings.
    pub sources: BTreeMap<String, Array>,
    /// Rows of the batch.
    pub batch: usize,
    /// Step, from 1.
    pub step: u64,
    /// Number of the batch, from 1: random numbers are a function of it. The step's, unless a step takes several.
    pub turn: u64,
    /// The step at which the run ends.
    pub steps: f64,
    /// Epoch, from 1.
    pub epoch: u64,
    /// What random numbers depend on.
    pub seed: u64,
}

/// One evaluation of a primitive in f64.
pub struct Evaluation<'a> {
    /// Values of the operands.
    pub operands: &'a [&'a Array],
    /// What the node carries.
    pub attributes: &'a Attributes,
    /// Element of the result.
    pub element: Element,
    /// Sizes of the result.
    pub dims: &'a [usize],
    /// Where sources are looked up.
    pub environment: &'a Environment,
}

/// What a derivative rule sees: it may add nodes, and reads the forward node.
pub struct Vjp<'a> {
    /// Where nodes are added.
    pub builder: &'a mut Builder,
    /// The forward node.
    pub node: NodeId,
    /// Its operands.
    pub operands: Vec<NodeId>,
    /// What it carries.
    pub attributes: Attributes,
    /// Gradient of the loss with respect to the node's value: same type.
    pub gradient: NodeId,
}

impl Vjp<'_> {
    /// Type of an operand.
    pub fn operand_type(&self, operand: usize) -> Type {
        self.builder.ty(self.operands[operand]).clone()
    }
}

/// Gradients of the operands, in their order; `None` where no derivative flows.
pub type Gradients = Result<Vec<Option<NodeId>>, BuildError>;

/// How derivatives pass through a primitive.
pub enum Derivative {
    /// The rule, and its text for the reader.
    Rule {
        /// Where `g` is the gradient of the result.
        text: &'static str,
        /// Adds the gradients of the operands to the graph.
        apply: fn(&mut Vjp) -> Gradients,
    },
    /// The value is constant wherever it has a derivative: none flows, and that is right.
    Zero,
    /// No derivative exists; reaching it from a parameter is the user's error.
    Missing,
}

/// Fold of a reduction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fold {
    /// `a + b`, from 0.
    Sum,
    /// The larger, from -∞.
    Max,
    /// The smaller, from ∞.
    Min,
}

impl Fold {
    /// What folding starts from.
    pub fn identity(self) -> f32 {
        match self {
            Fold::Sum => 0.0,
            Fold::Max => f32::NEG_INFINITY,
            Fold::Min => f32::INFINITY,
        }
    }
    /// `fold(accumulator, value)` in block instructions.
    pub fn lower(self, b: &mut BlockBuilder, accumulator: Value, value: Value) -> Value {
        match self {
            Fold::Sum => b.add(accumulator, value),
            Fold::Max => b.max(accumulator, value),
            Fold::Min => b.min(accumulator, value),
        }
    }
}

/// A pointwise lowering: operand values to the result's, one lane each.
pub type Pointwise = fn(&mut BlockBuilder, &[Value], &Operation) -> Value;

/// What a pointwise lowering may ask about the node.
pub struct Operation<'a> {
    /// Elements of the operands.
    pub operands: &'a [Element],
    /// Element of the result.
    pub element: Element,
    /// What the node carries.
    pub attributes: &'a Attributes,
}

/// How a primitive becomes loops.
pub enum Lowering {
    /// Read from memory or the control block, or a constant.
    Source,
    /// The coordinate along an axis.
    Coordinate,
    /// Block instructions, element by element.
    Pointwise(Pointwise),
    /// Folded along axes.
    Reduce(Fold),
    /// A product by micro-kernels.
    Contract,
    /// Another way of indexing its operand: no code of its own.
    View,
    /// Read from memory where a value points: rows of the first operand by the second.
    Gather,
    /// A nest that draws four words at a time.
    Random,
    /// A nest of its own that writes its result's memory.
    Opaque,
    /// A loop over steps, around the kernels of its body.
    Scan,
}

/// What lowering to f32 does to a value that f64 would give exactly.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Exactness {
    /// Correctly rounded, or no rounding at all.
    Exact,
    /// At most so many units in the last place.
    Ulp(u32),
    /// Rounds once a term, in the order that the architecture page defines.
    Accumulates,
}

/// What values the generic tests feed an operand.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Sample {
    /// Reals of either sign, away from kinks.
    Real,
    /// Reals above zero.
    Positive,
    /// Reals in (0, 1).
    Unit,
    /// Reals away from zero.
    NonZero,
    /// Booleans.
    Bool,
    /// Small integers.
    Integer,
}

/// Type of the result from the operands' types and, where those do not determine it, the given one; or why there is none.
pub type TypeRule = fn(&[&Type], &Attributes, Option<&Type>) -> Result<Type, String>;

/// Everything about one primitive.
pub struct Record {
    /// The word in text forms.
    pub name: &'static str,
    /// One line for the manual.
    pub doc: &'static str,
    /// Number of operands; `None` for any.
    pub arity: Option<usize>,
    /// Type of the result from the operands' and, where those do not determine it, the given type.
    pub infer: TypeRule,
    /// Value in f64.
    pub value: fn(&Evaluation) -> Array,
    /// How derivatives pass through it.
    pub derivative: Derivative,
    /// How it becomes loops.
    pub lowering: Lowering,
    /// What f32 does to its value.
    pub exactness: Exactness,
    /// One per operand (the last repeats).
    pub samples: &'static [Sample],
    /// Whether second derivatives exist away from kinks.
    pub smooth: bool,
    /// Whether its two operands may be swapped without changing a bit (not so for `max`: it matters which operand a NaN or a
    /// signed zero is).
    pub commutative: bool,
}

impl Record {
    /// Whether it works element by element.
    pub fn is_pointwise(&self) -> bool {
        matches!(self.lowering, Lowering::Pointwise(_))
    }
    /// Whether it reads from outside of the graph.
    pub fn is_source(&self) -> bool {
        matches!(self.lowering, Lowering::Source)
    }
}

/// A rough count of block instructions that one element of a pointwise primitive takes.
pub fn cost(primitive: Primitive) -> Option<usize> {
    let record = record(primitive);
    let cost = match (primitive, record.exactness) {
        (_, Exactness::Ulp(_)) => 20,
        (Primitive::Div | Primitive::Sqrt, _) => 4,
        (Primitive::StopGradient, _) => 0,
        _ => 1,
    };
    record.is_pointwise().then_some(cost)
}

/// The node that a chain of views ends in.
pub fn bottom(graph: &Graph, mut id: NodeId) -> NodeId {
    while matches!(record(graph.node(id).primitive).lowering, Lowering::View) {
        id = graph.node(id).operands[0];
    }
    id
}

/// The primitive of this name in text forms.
pub fn by_name(name: &str) -> Option<Primitive> {
    PRIMITIVES.iter().copied().find(|&primitive| record(primitive).name == name)
}

/// Type rule: the operand's type.
fn same_as_operand(operands: &[&Type], _: &Attributes, _: Option<&Type>) -> Result<Type, String> {
    match operands {
        [a] => Ok((*a).clone()),
        _ => Err(format!("takes 1 operand, got {}", operands.len())),
    }
}

/// Type rule: one real operand, the same type.
fn real_unary(operands: &[&Type], attributes: &Attributes, given: Option<&Type>) -> Result<Type, String> {
    let ty = same_as_operand(operands, attributes, given)?;
    if ty.element.is_real() { Ok(ty) } else { Err(format!("needs f32 or f64, got {}", ty.element)) }
}

/// Type rule: two operands of one type.
fn equal_operands(operands: &[&Type]) -> Result<Type, String> {
    match operands {
        [a, b] if a == b => Ok((*a).clone()),
        [a, b] => Err(format!("operands differ: {a} and {b}")),
        _ => Err(format!("takes 2 operands, got {}", operands.len())),
    }
}

/// Type rule: the type that the builder was given.
fn given_type(operands: &[&Type], _: &Attributes, given: Option<&Type>) -> Result<Type, String> {
    if !operands.is_empty() {
        return Err("a source takes no operands".into());
    }
    given.cloned().ok_or_else(|| "a source needs a type".into())
}

/// Value rule: an f64 function of each element.
fn map1(evaluation: &Evaluation, function: impl Fn(f64) -> f64) -> Array {
    let a = evaluation.operands[0];
    Array::new(a.dims.clone(), a.data.iter().map(|&x| function(x)).collect())
}

/// Value rule: an f64 function of two elements.
fn map2(evaluation: &Evaluation, function: impl Fn(f64, f64) -> f64) -> Array {
    let (a, b) = (evaluation.operands[0], evaluation.operands[1]);
    Array::new(a.dims.clone(), a.data.iter().zip(&b.data).map(|(&x, &y)| function(x, y)).collect())
}
