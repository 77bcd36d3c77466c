//! The block instructions, each defined once: the interpreter executes exactly these, and so does each emitter.

use super::{Lane, Linear, Value, Var, View};

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
    /// A word of the lane given: `F32` or `I32` as the buffer says. In [`Space::Control`](super::Space::Control) the view counts slots of 8 bytes, and the lane
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

impl Instruction {
    /// The values that an instruction reads.
    pub fn operands(&self) -> Vec<Value> {
        use Instruction::*;
        let picked = |view: &View| view.pick.map(|pick| pick.value);
        match self {
            ConstF32(_) | ConstI32(_) | ConstF64(_) | Index { .. } => Vec::new(),
            Load(view, _) => picked(view).into_iter().collect(),
            Store(view, a) => picked(view).into_iter().chain([*a]).collect(),
            Add(a, b) | Sub(a, b) | Mul(a, b) | Div(a, b) | Compare(_, a, b) | And(a, b) | Or(a, b) | Xor(a, b) => vec![*a, *b],
            Fma(a, b, c) | Select(a, b, c) => vec![*a, *b, *c],
            Sqrt(a)
            | ShiftLeft(a, _)
            | ShiftRight(a, _)
            | ShiftRightSigned(a, _)
            | Round(a)
            | Truncate(a)
            | Floor(a)
            | ToInt(a)
            | ToFloat(a)
            | Bits(a)
            | FromBits(a)
            | Promote(a)
            | Demote(a) => vec![*a],
            Call(_, arguments) => arguments.clone(),
        }
    }

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
