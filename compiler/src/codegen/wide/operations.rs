//! Vector operations on virtual registers: what a block is turned into, and what is given registers and bytes.

/// A virtual register.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub(super) struct Virtual(pub u32);

/// Where a virtual register's value comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Held {
    /// An operation makes it in each turn.
    Made,
    /// It is a constant, by number.
    Constant(u32),
    /// It is a word of the argument block, by number, in every lane.
    Scalar(u32),
}

/// A constant.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Constant {
    /// The same word in every lane.
    Word(u32),
    /// The number of the lane times this.
    Lanes(i32),
}

/// A word of the argument block.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Scalar {
    /// The value of this invariant instruction.
    Invariant(usize),
    /// The value at the first turn of this moving index.
    Start(usize),
    /// What the index gains in a turn.
    Step(usize),
}

/// A comparison's predicate as the processor numbers it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Test {
    Float(u8),
    Int(u8),
}

/// An operation on two vectors.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Two {
    AddFloat,
    SubFloat,
    MulFloat,
    DivFloat,
    MinFloat,
    MaxFloat,
    AddInt,
    SubInt,
    MulInt,
    MinInt,
    MaxInt,
    And,
    Or,
    Xor,
    /// A mask as a vector; only with 8 lanes.
    CompareFloat(u8),
    EqualInt,
    GreaterInt,
}

impl Two {
    /// Whether the order of its operands does not matter.
    pub fn commutes(self) -> bool {
        use Two::*;
        matches!(self, AddFloat | MulFloat | AddInt | MulInt | MinInt | MaxInt | And | Or | Xor | EqualInt)
    }
}

/// An operation on one vector.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum One {
    Sqrt,
    /// By the rounding mode that the immediate says.
    Round(u8),
    ToInt,
    ToFloat,
}

/// A shift of each lane.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Shift {
    Left,
    Right,
    RightSigned,
    /// To the left, and in again on the right; only with 16 lanes.
    Round,
}

/// What an operation does with its sources.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Two(Two),
    One(One),
    Shift(Shift, u8),
    /// `a * b + c`.
    Fma,
    /// `mask ? a : b` of sources mask, a, b; only with 8 lanes.
    Select,
    /// `k1` = a compared with b.
    Test(Test),
    /// `k1` = the mask that is a vector.
    TestMask,
    /// `k1 ? a : b`.
    Blend,
    /// `k1 ? a : 0`.
    Keep,
    /// `k1` as a vector.
    Spread,
    Load(Access),
    /// Stores a.
    Store(Access),
    /// In every lane the index of the group's first lane: word `start`, plus so many times the step.
    Counter {
        start: u32,
        step: Step,
    },
    /// The mask of the lanes that are left.
    Left,
    /// The result, which is kept from row to row, is what the source is.
    Keeps,
}

/// What an index gains in a turn.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Step {
    Fixed(i32),
    /// A word of the argument block.
    Scalar(u32),
}

/// A place that is read or written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Access {
    /// Number of the place.
    pub place: u32,
    /// Bytes from its pointer.
    pub displacement: i32,
    /// Whether each lane has a word of its own.
    pub moves: bool,
}

/// One operation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Op {
    pub kind: Kind,
    pub result: Option<Virtual>,
    pub sources: [Option<Virtual>; 3],
    /// The graph node that it serves.
    pub origin: u32,
}

/// A block as vector operations.
#[derive(Clone, Debug)]
pub(super) struct Selection {
    /// Whether the function turns around another axis too.
    pub rows: bool,
    /// Values in registers of their own from row to row; if there are any, the loop over rows is the innermost.
    pub kept: Vec<Virtual>,
    /// Makes what is kept, before the first row.
    pub before: Vec<Op>,
    pub ops: Vec<Op>,
    /// Stores what is kept, behind the last row.
    pub after: Vec<Op>,
    pub held: Vec<Held>,
    pub constants: Vec<Constant>,
    pub scalars: Vec<Scalar>,
    /// For each place an instruction that has its base.
    pub places: Vec<usize>,
}

/// Bytes of the argument block before its parts: pointers of places; with rows what each pointer gains in a row, turns of a row, rows
/// that are left; words.
impl Selection {
    /// Whether values are kept from row to row.
    pub fn keeps(&self) -> bool {
        !self.kept.is_empty()
    }
    /// The operations, of rows and around them.
    pub fn all(&self) -> impl Iterator<Item = &Op> {
        self.before.iter().chain(&self.ops).chain(&self.after)
    }
    pub fn pointer_at(&self, place: usize) -> i64 {
        8 * place as i64
    }
    pub fn gain_at(&self, place: usize) -> i64 {
        8 * (self.places.len() + place) as i64
    }
    pub fn turns_at(&self) -> i64 {
        16 * self.places.len() as i64
    }
    pub fn rows_at(&self) -> i64 {
        self.turns_at() + 8
    }
    pub fn word_at(&self, word: usize) -> i64 {
        let before = if self.rows { self.rows_at() + 8 } else { 8 * self.places.len() as i64 };
        before + 4 * word as i64
    }
    /// Bytes of the whole block.
    pub fn arguments(&self) -> i64 {
        self.word_at(self.scalars.len())
    }
}

impl Constant {
    /// Its lanes.
    pub fn words(self, lanes: i64) -> impl Iterator<Item = u32> {
        (0..lanes as i32).map(move |lane| match self {
            Constant::Word(word) => word,
            Constant::Lanes(step) => lane.wrapping_mul(step) as u32,
        })
    }
}
