//! Loop IR: what the machine will do, before it is said in machine instructions.
//!
//! # What a program means
//! A [`Program`] owns a list of [`Buffer`]s, a list of [`Kernel`]s and named entry points, each a tree of [`Control`] statements.
//! All memory is 4-byte words (`f32` or `i32`; a mask is an `i32` of all zeros or all ones) but for the control buffer's `f64`s.
//!
//! A kernel runs once for every tile of its `parallel` loop (once, if it has none); tiles are independent of one another and may
//! run on different threads. Within a tile its statements run in order. A [`Nest`] is a perfect loop nest, axes from the outermost
//! to the innermost, around one [`Block`]: straight-line code over the lanes of the innermost axis. Executing a nest means executing
//! its block for every index tuple in lexicographic order; the `vector` mark on the innermost axis promises that its iterations may
//! run in any grouping with the same result (no two of them touch the same word unless all only read it).
//! A [product](ProductStatement) computes `C = A·B` by the chain that [`crate::abi::Product`] defines.
//!
//! # Invariants (checked by [`verify`])
//! - Indices are affine in loop variables, the batch size `n` and values clamped into a fixed range; for every `n` in `1..=capacity`
//!   every access lies in its buffer.
//! - A block's values are defined before use and typed; only innermost axes are marked `vector`, and then every view in
//!   the block has a fixed stride along it (stores: not 0) and no row table on it.
//! - There is one definition of each instruction ([`Instruction`]); the interpreter executes exactly it, and so does each emitter.
//! - Schedule (tile steps, `vector`, `parallel`) never changes a bit of any result.

pub mod block;
pub mod interpret;
pub mod math;
pub mod places;
pub mod random;
pub mod text;
pub mod verify;

use std::fmt;

/// A number affine in the batch size: `constant + batch * n`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, PartialOrd, Ord)]
pub struct Linear {
    pub constant: i64,
    pub batch: i64,
}

impl Linear {
    pub const ZERO: Linear = Linear { constant: 0, batch: 0 };
    pub const BATCH: Linear = Linear { constant: 0, batch: 1 };
    /// A number that does not depend on the batch.
    pub const fn fixed(constant: i64) -> Self {
        Linear { constant, batch: 0 }
    }
    /// The value for a batch of `n` rows.
    pub const fn at(self, n: i64) -> i64 {
        self.constant.saturating_add(self.batch.saturating_mul(n))
    }
    /// `self * factor`.
    pub const fn times(self, factor: i64) -> Self {
        Linear { constant: self.constant.saturating_mul(factor), batch: self.batch.saturating_mul(factor) }
    }
    /// `self + other`.
    pub const fn plus(self, other: Linear) -> Self {
        Linear { constant: self.constant.saturating_add(other.constant), batch: self.batch.saturating_add(other.batch) }
    }
    /// `self * other`, if at most one of them depends on the batch.
    pub fn product(self, other: Linear) -> Option<Self> {
        match (self.batch, other.batch) {
            (_, 0) => Some(self.times(other.constant)),
            (0, _) => Some(other.times(self.constant)),
            _ => None,
        }
    }
    /// Whether it is the same for every batch size.
    pub const fn is_fixed(self) -> bool {
        self.batch == 0
    }
}

impl fmt::Display for Linear {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.constant, self.batch) {
            (c, 0) => write!(f, "{c}"),
            (0, 1) => write!(f, "n"),
            (0, b) => write!(f, "{b}n"),
            (c, 1) => write!(f, "n{c:+}"),
            (c, b) => write!(f, "{b}n{c:+}"),
        }
    }
}

/// Index of a [`Buffer`] in its program, and of its pointer in the table that generated code receives.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct BufferId(pub u32);

/// A loop variable, numbered within its kernel.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct Var(pub u32);

/// A value of a [`Block`]: the index of the instruction that makes it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct Value(pub u32);

/// Type of one lane.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Lane {
    F32,
    /// A 32-bit integer with wrapping arithmetic, or a mask (all zeros or all ones).
    I32,
    /// Step scalars only; never in a block with a vector axis.
    F64,
}

/// Where a buffer lives and who fills it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Space {
    /// A learned tensor, by its number; kept between steps.
    Parameter(u32),
    /// Optimizer moments and running statistics, by number; kept between steps.
    State(u32),
    /// A copy of a parameter or state, kept to be restored; numbered in the order of the copies.
    Saved(u32),
    /// Rows of a bound data set, by the number of the input or target.
    Input(u32),
    /// Row numbers of the batch (u32 words): row `i` of the batch is row `table[i]` of every [`Space::Input`].
    Rows,
    /// Scalars shared by driver and kernels; laid out as [`Control`] slots of 8 bytes.
    Control,
    /// A temporary of one step, placed in the arena by the memory plan.
    Arena,
    /// A temporary of one tile; every thread has its own.
    Scratch,
    /// What `predict` serves, by number.
    Output(u32),
    /// Sums of the driver over the chunks of a pass, by number: f64, as long as the run.
    Sums(u32),
}

/// A piece of memory with a name that the user can trace back.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Buffer {
    pub name: String,
    pub space: Space,
    pub lane: Lane,
    /// Size in words (of 4 bytes, or 8 for `F64`), for a batch of the capacity.
    pub words: Linear,
}

/// Number of iterations of a loop.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Extent {
    Whole(Linear),
    /// What is left of `total` in the tile numbered `tile` of `step`: `min(step, total - tile * step)`.
    Tile {
        tile: Var,
        step: i64,
        total: Linear,
    },
}

impl Extent {
    /// A loop over a fixed number of iterations.
    pub const fn fixed(count: i64) -> Self {
        Extent::Whole(Linear::fixed(count))
    }
    /// The most iterations it can have for a batch of `n`.
    pub fn most(self, n: i64) -> i64 {
        match self {
            Extent::Whole(count) => count.at(n),
            Extent::Tile { step, total, .. } => step.min(total.at(n)),
        }
    }
    /// Room for all its iterations in every tile.
    pub fn room(self) -> Linear {
        match self {
            Extent::Whole(count) => count,
            Extent::Tile { step, total, .. } if total.is_fixed() => Linear::fixed(step.min(total.constant)),
            Extent::Tile { step, .. } => Linear::fixed(step),
        }
    }
}

/// One loop of a nest.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Axis {
    pub var: Var,
    pub extent: Extent,
    pub vector: bool,
}

/// A word address in a buffer: `offset + Σ var·stride`, where a var listed in `table` is first looked up in [`Space::Rows`] and `pick` adds
/// an index that is known at run time only.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct View {
    pub buffer: BufferId,
    pub offset: Linear,
    pub strides: Vec<(Var, Linear)>,
    /// Row table: the index `Σ var·stride + offset` over `vars` is looked up in the `rows` buffer, and the entry times `stride` is added.
    pub table: Option<Table>,
    /// A step that a value of the block chooses.
    pub pick: Option<Pick>,
}

/// An index that a value gives: `clamp(value, 0, count - 1) * stride` words are added, so that it leads nowhere else whatever the value
/// is. A view with one stands in loads and stores only; along a vector axis the value does not vary.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Pick {
    /// An `I32` of the same block.
    pub value: Value,
    /// At least 1.
    pub count: i64,
    pub stride: Linear,
}

/// A look-up of a batch row in the row table.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Table {
    /// The buffer in [`Space::Rows`].
    pub rows: BufferId,
    /// Row of the batch: `Σ var·factor`.
    pub index: Vec<(Var, i64)>,
    /// Words from one row of the data set to the next.
    pub stride: i64,
}

/// How two numbers are compared; any comparison with NaN is false, but `Ne`, which is true.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Comparison {
    Lt,
    Le,
    Eq,
    Ne,
}

/// A function of step scalars that is called, from the pure-Rust `libm` (the same bits on every machine).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ScalarFunction {
    Exp,
    Log,
    Expm1,
    Log1p,
    Pow,
    Sin,
    Cos,
    Tanh,
    Erf,
    Floor,
}

/// The block instructions: the whole vocabulary of emitters and interpreter.
///
/// `F32` arithmetic is IEEE binary32, round to nearest even, denormals kept; `I32` wraps. Operands are values of the same block.
#[derive(Clone, PartialEq, Debug)]
pub enum Instruction {
    ConstF32(f32),
    ConstI32(i32),
    ConstF64(f64),
    /// `offset + Σ var·factor`, wrapped to 32 bits.
    Index {
        terms: Vec<(Var, Linear)>,
        offset: Linear,
    },
    /// A word of the lane given: `F32` or `I32` as the buffer says. In [`Space::Control`] the view counts slots of 8 bytes, and the lane
    /// says how one is read: `F64`, or the `I32` in its low word.
    Load(View, Lane),
    /// A word of the value's lane, placed as [`Instruction::Load`] finds it (an `I32` leaves the high word of its slot alone).
    Store(View, Value),
    /// F32, I32, F64.
    Add(Value, Value),
    /// F32, I32, F64.
    Sub(Value, Value),
    /// F32, I32, F64.
    Mul(Value, Value),
    /// F32, F64.
    Div(Value, Value),
    /// F32: `a * b + c` rounded once.
    Fma(Value, Value, Value),
    /// F32, F64.
    Sqrt(Value),
    /// F32, I32 (signed), F64 -> mask.
    Compare(Comparison, Value, Value),
    /// mask ? a : b, lane by lane; a and b of one type.
    Select(Value, Value, Value),
    /// I32, bitwise.
    And(Value, Value),
    /// I32, bitwise.
    Or(Value, Value),
    /// I32, bitwise.
    Xor(Value, Value),
    /// I32, by a constant 0..=31.
    ShiftLeft(Value, u8),
    /// I32, zeros shifted in.
    ShiftRight(Value, u8),
    /// I32, sign shifted in.
    ShiftRightSigned(Value, u8),
    /// F32, to the nearest integer, ties to even.
    Round(Value),
    /// F32, towards zero.
    Truncate(Value),
    /// F32, down.
    Floor(Value),
    /// F32 -> I32: clamped to [-2147483520, 2147483520], then truncated; NaN gives 0.
    ToInt(Value),
    /// I32 -> F32, nearest even.
    ToFloat(Value),
    /// F32 -> I32, the same bits.
    Bits(Value),
    /// I32 -> F32, the same bits.
    FromBits(Value),
    /// F32 -> F64, exact.
    Promote(Value),
    /// F64 -> F32, nearest even.
    Demote(Value),
    /// F64 only.
    Call(ScalarFunction, Vec<Value>),
}

/// Straight-line code; value `k` is what instruction `k` makes (a store makes none).
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Block {
    pub code: Vec<Instruction>,
    /// For each instruction the graph node it serves.
    pub origins: Vec<u32>,
}

/// A perfect loop nest around a block.
#[derive(Clone, PartialEq, Debug)]
pub struct Nest {
    /// What it computes, for the reader.
    pub title: String,
    pub axes: Vec<Axis>,
    pub block: Block,
}

/// How far from the first the elements of an operand lie along its rows or columns: `stride` for each index, or, where indices are
/// numbers of several digits (as the places of a window are), `stride` for the first digit and a stride of its own for each further one.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Steps {
    pub stride: Linear,
    /// The digits behind the first.
    pub digits: Vec<Digit>,
}

/// One digit of an index: it counts to `size`, and one more of it is `stride` words.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Digit {
    pub size: i64,
    pub stride: i64,
}

impl Steps {
    /// One stride for each index.
    pub const fn even(stride: Linear) -> Self {
        Steps { stride, digits: Vec::new() }
    }
    /// Whether an index is one number.
    pub fn is_even(&self) -> bool {
        self.digits.is_empty()
    }
    /// Words from the first element to that of an index, for a batch of `n`.
    pub fn at(&self, index: i64, n: i64) -> i64 {
        let (mut rest, mut words) = (index, 0);
        for digit in self.digits.iter().rev() {
            words += rest % digit.size * digit.stride;
            rest /= digit.size;
        }
        words + rest * self.stride.at(n)
    }
    /// More than the words between the first element and any of so many; nothing if it depends on the batch.
    pub fn reach(&self, count: i64) -> Option<i64> {
        let low = self.digits.iter().fold(1i64, |low, digit| low.saturating_mul(digit.size.max(1)));
        let first = count.div_euclid(low).saturating_add(1).saturating_mul(self.stride.constant.saturating_abs());
        let digits = self.digits.iter().map(|digit| digit.size.saturating_mul(digit.stride.saturating_abs()));
        self.stride.is_fixed().then(|| digits.fold(first, i64::saturating_add))
    }
}

/// One operand of a product: where its rows and columns lie from `base`.
#[derive(Clone, PartialEq, Debug)]
pub struct Operand {
    /// First element. If it goes through the row table itself, all of the operand is of that row, and `rows` is `None`.
    pub base: View,
    pub row: Steps,
    pub column: Steps,
    /// The batch axis of this operand is looked up in the row table: along its rows (`OnRows`) or its columns (`OnColumns`).
    /// `base` then holds no stride of that axis; `first` is the first batch row.
    pub rows: Option<OperandRows>,
}

impl Operand {
    /// Whether its elements are found by tables of places: rows and columns have digits, or one of them has.
    pub fn is_gathered(&self) -> bool {
        !(self.row.is_even() && self.column.is_even())
    }
}

/// A product operand whose batch axis goes through the row table.
#[derive(Clone, PartialEq, Debug)]
pub struct OperandRows {
    pub rows: BufferId,
    pub first: Vec<(Var, i64)>,
    pub on_columns: bool,
}

/// `C[m, n] = A[m, k] · B[k, n]` on a tile. `A` may go through the row table, the indices of `B` may have digits (of fixed strides);
/// `C` has column stride 1.
#[derive(Clone, PartialEq, Debug)]
pub struct ProductStatement {
    pub title: String,
    pub a: Operand,
    pub b: Operand,
    pub c: Operand,
    pub m: Extent,
    pub n: Extent,
    pub k: Extent,
    pub accumulate: bool,
    pub origin: u32,
}

/// A statement of a kernel.
#[derive(Clone, PartialEq, Debug)]
pub enum Statement {
    Nest(Nest),
    Product(Box<ProductStatement>),
    /// Tiles `0..ceil(total / step)` in order; `var` is the tile's number.
    Tiles {
        var: Var,
        step: i64,
        total: Linear,
        body: Vec<Statement>,
    },
}

/// A statement that holds no others.
#[derive(Clone, Copy, Debug)]
pub enum Leaf<'a> {
    Nest(&'a Nest),
    Product(&'a ProductStatement),
}

/// Nests and products in order, those inside of tiles too.
pub fn leaves(body: &[Statement]) -> impl Iterator<Item = Leaf<'_>> {
    let mut open = vec![body.iter()];
    std::iter::from_fn(move || {
        loop {
            match open.last_mut()?.next() {
                Some(Statement::Nest(nest)) => return Some(Leaf::Nest(nest)),
                Some(Statement::Product(product)) => return Some(Leaf::Product(product)),
                Some(Statement::Tiles { body, .. }) => open.push(body.iter()),
                None => drop(open.pop()),
            }
        }
    })
}

/// The loop over independent tiles that threads share; `var` is the tile's number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Parallel {
    pub var: Var,
    pub step: i64,
    pub total: Linear,
}

impl Parallel {
    /// Number of tiles for a batch of `n`.
    pub fn tiles(self, n: i64) -> i64 {
        let total = self.total.at(n);
        total.saturating_add(self.step - 1) / self.step
    }
}

/// Loop variables that a kernel has at most.
pub const MOST_VARS: u32 = 1 << 16;

/// A function of the program: `kernel(pointers, n, first tile, end tile)`.
#[derive(Clone, PartialEq, Debug)]
pub struct Kernel {
    pub name: String,
    pub parallel: Option<Parallel>,
    pub body: Vec<Statement>,
    /// Number of loop variables.
    pub vars: u32,
}

/// A scalar of the control buffer: 8 bytes at `8 * slot`, read as `f64`, or as an `i32` in its low word.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct Slot(pub u32);

/// A named scalar of the control buffer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SlotInfo {
    pub name: String,
    /// `F64` or `I32`.
    pub lane: Lane,
}

/// Driver statements, run side by side by every thread of the team. What they read in the control buffer must have been written
/// before the last barrier; only the first thread writes.
#[derive(Clone, PartialEq, Debug)]
pub enum Control {
    /// Run the kernel's tiles, shared among the threads.
    Kernel(u32),
    /// Wait until all threads are here.
    Barrier,
    /// First thread: run a block of scalar code on the control buffer.
    Scalar(Block),
    /// `counter` (I32 slot, written by the first thread and passed through a barrier) from 0 while below `count`; `stop`, if given,
    /// ends the loop when it is not 0 after a turn.
    Loop { counter: Slot, count: Slot, stop: Option<Slot>, body: Vec<Control> },
    /// Run `then` if the slot (I32) is not 0, else `otherwise`.
    If { condition: Slot, then: Vec<Control>, otherwise: Vec<Control> },
    /// The batch size that kernels see from here on (I32 slot).
    Batch(Slot),
    /// First thread: copy all words of buffer to buffer.
    Copy { from: BufferId, to: BufferId },
    /// First thread: call a function of the symbol table with the control buffer and the pointer table.
    Call { symbol: String },
}

/// A named tree of driver statements.
#[derive(Clone, PartialEq, Debug)]
pub struct Entry {
    pub name: String,
    pub body: Vec<Control>,
}

/// Everything that is compiled into one module.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Program {
    pub name: String,
    pub buffers: Vec<Buffer>,
    pub kernels: Vec<Kernel>,
    pub slots: Vec<SlotInfo>,
    pub entries: Vec<Entry>,
}

impl Instruction {
    /// Type of its value, given those of its operands; a store, which has none, counts as an `I32`.
    pub fn lane(&self, of: impl Fn(Value) -> Lane) -> Lane {
        use Instruction::*;
        match self {
            ConstF32(_) | Fma(..) | Round(_) | Truncate(_) | Floor(_) | ToFloat(_) | FromBits(_) | Demote(_) => Lane::F32,
            ConstF64(_) | Promote(_) | Call(..) => Lane::F64,
            ConstI32(_)
            | Index { .. }
            | Compare(..)
            | And(..)
            | Or(..)
            | Xor(..)
            | ShiftLeft(..)
            | ShiftRight(..)
            | ShiftRightSigned(..)
            | ToInt(_)
            | Bits(_)
            | Store(..) => Lane::I32,
            Load(_, lane) => *lane,
            Add(a, _) | Sub(a, _) | Mul(a, _) | Div(a, _) | Sqrt(a) | Select(_, a, _) => of(*a),
        }
    }
}

impl Block {
    /// Type of every value; stores have none and are given as `I32`.
    pub fn lanes(&self) -> Vec<Lane> {
        let mut lanes: Vec<Lane> = Vec::with_capacity(self.code.len());
        for instruction in &self.code {
            // An operand that comes later has no type yet; who checks blocks refuses it.
            let lane = instruction.lane(|value| lanes.get(value.0 as usize).copied().unwrap_or(Lane::I32));
            lanes.push(lane);
        }
        lanes
    }
}
