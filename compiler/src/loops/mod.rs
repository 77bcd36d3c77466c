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
mod instruction;
pub mod interpret;
mod linear;
pub mod math;
pub mod places;
mod product;
pub mod random;
pub mod text;
pub mod verify;

pub use instruction::{Comparison, Instruction, ScalarFunction};
pub use linear::{Linear, row_major};
pub use product::{Digit, Operand, OperandRows, ProductStatement, Steps};

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

impl Space {
    /// Whether it is what a step learns or carries on: it is kept from one step to the next.
    pub fn is_kept(self) -> bool {
        matches!(self, Space::Parameter(_) | Space::State(_))
    }
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

impl View {
    /// Words from one value of a variable to the next, the row table apart.
    pub fn stride(&self, var: Var) -> Linear {
        self.strides.iter().filter(|(own, _)| *own == var).fold(Linear::ZERO, |sum, (_, stride)| sum.plus(*stride))
    }
    /// Whether a variable goes through the row table.
    pub fn looks_up(&self, var: Var) -> bool {
        self.table.as_ref().is_some_and(|table| table.index.iter().any(|(own, _)| *own == var))
    }
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

impl Program {
    /// Adds a buffer.
    pub fn add_buffer(&mut self, name: impl Into<String>, space: Space, lane: Lane, words: Linear) -> BufferId {
        self.buffers.push(Buffer { name: name.into(), space, lane, words });
        BufferId(self.buffers.len() as u32 - 1)
    }
}
