//! One block instruction in Cranelift's terms, for one lane or four.
//!
//! Each arm is the shortest form that has exactly the bits of [`Instruction`]'s definition on every target. On x86-64 that rules out
//! Cranelift's `fmin`/`fmax` and saturating conversions; `compare` feeding `select` in the right order becomes one `minps` or
//! `maxps`. A mask is an `i32` of zeros or ones in each lane; the comparison it came from is kept beside it, because a select on the
//! comparison itself is cheaper.

use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::{self, Endianness, InstBuilder, MemFlagsData, Type, types};

use super::Error;
use super::function::Emitter;
use super::symbols::{Callee, arity};
use crate::loops::{Comparison, Instruction, Lane, Value};

/// A value of a block in as many lanes as are being written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lanes {
    pub value: ir::Value,
    pub lane: Lane,
    /// For a mask fresh from a comparison: the comparison. One of floats is a vector, though it be of one lane.
    pub condition: Option<ir::Value>,
}

impl Lanes {
    /// A value that is not a comparison.
    pub fn plain(value: ir::Value, lane: Lane) -> Self {
        Lanes { value, lane, condition: None }
    }
}

/// The values of a block known so far, by number.
pub(super) type Values = Vec<Option<Lanes>>;

/// A value that was made before.
pub(super) fn defined(values: &Values, value: Value) -> Result<Lanes, Error> {
    let found = values.get(value.0 as usize).copied().flatten();
    found.ok_or_else(|| undefined(value))
}

/// The error of a value that was not.
pub(super) fn undefined(value: Value) -> Error {
    Error::Malformed(format!("value {} is used before it is made", value.0))
}

/// How many lanes are written at once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Width {
    One,
    Four,
}

impl Width {
    /// Number of lanes.
    pub fn lanes(self) -> i64 {
        match self {
            Width::One => 1,
            Width::Four => 4,
        }
    }
    /// Cranelift's type of a value.
    pub fn of(self, lane: Lane) -> Type {
        match (self, lane) {
            (Width::One, Lane::F32) => types::F32,
            (Width::One, Lane::I32) => types::I32,
            (Width::Four, Lane::F32) => types::F32X4,
            (Width::Four, Lane::I32) => types::I32X4,
            (_, Lane::F64) => types::F64,
        }
    }
}

/// Lane order of a bit cast between vectors.
const CAST: MemFlagsData = MemFlagsData::new().with_endianness(Endianness::Little);

/// Largest `f32` below 2³¹, the bound of [`Instruction::ToInt`].
pub(super) const INT_BOUND: f32 = 2_147_483_520.0;

fn float_condition(comparison: Comparison) -> FloatCC {
    match comparison {
        Comparison::Lt => FloatCC::LessThan,
        Comparison::Le => FloatCC::LessThanOrEqual,
        Comparison::Eq => FloatCC::Equal,
        Comparison::Ne => FloatCC::NotEqual,
    }
}

fn int_condition(comparison: Comparison) -> IntCC {
    match comparison {
        Comparison::Lt => IntCC::SignedLessThan,
        Comparison::Le => IntCC::SignedLessThanOrEqual,
        Comparison::Eq => IntCC::Equal,
        Comparison::Ne => IntCC::NotEqual,
    }
}

impl Emitter<'_> {
    /// Writes an instruction that touches neither memory nor loop variables.
    pub fn pure(&mut self, instruction: &Instruction, width: Width, values: &Values) -> Result<Lanes, Error> {
        use Instruction::*;
        let get = |value: Value| defined(values, value);
        let of = |value: Value, lanes: &[Lane]| {
            let found = get(value)?;
            match lanes.contains(&found.lane) {
                true => Ok(found),
                false => Err(mistyped(instruction)),
            }
        };
        let two = |a: Value, b: Value, lanes: &[Lane]| {
            let (a, b) = (of(a, lanes)?, get(b)?);
            match a.lane == b.lane {
                true => Ok((a.value, b.value, a.lane)),
                false => Err(mistyped(instruction)),
            }
        };
        const NUMBERS: &[Lane] = &[Lane::F32, Lane::I32, Lane::F64];
        const FLOATS: &[Lane] = &[Lane::F32, Lane::F64];
        const F32: &[Lane] = &[Lane::F32];
        const I32: &[Lane] = &[Lane::I32];
        const F64: &[Lane] = &[Lane::F64];
        let ty = |lane| width.of(lane);
        let (value, lane) = match *instruction {
            ConstF32(number) => {
                let scalar = self.builder.ins().f32const(number);
                (self.spread(scalar, Lane::F32, width), Lane::F32)
            }
            ConstI32(number) => {
                let scalar = self.builder.ins().iconst(types::I32, i64::from(number));
                (self.spread(scalar, Lane::I32, width), Lane::I32)
            }
            ConstF64(number) => (self.builder.ins().f64const(number), Lane::F64),
            Add(a, b) => match two(a, b, NUMBERS)? {
                (a, b, Lane::I32) => (self.builder.ins().iadd(a, b), Lane::I32),
                (a, b, lane) => (self.builder.ins().fadd(a, b), lane),
            },
            Sub(a, b) => match two(a, b, NUMBERS)? {
                (a, b, Lane::I32) => (self.builder.ins().isub(a, b), Lane::I32),
                (a, b, lane) => (self.builder.ins().fsub(a, b), lane),
            },
            Mul(a, b) => match two(a, b, NUMBERS)? {
                (a, b, Lane::I32) => (self.builder.ins().imul(a, b), Lane::I32),
                (a, b, lane) => (self.builder.ins().fmul(a, b), lane),
            },
            Div(a, b) => {
                let (a, b, lane) = two(a, b, FLOATS)?;
                (self.builder.ins().fdiv(a, b), lane)
            }
            Fma(a, b, c) => {
                let (a, b, _) = two(a, b, F32)?;
                let c = of(c, F32)?;
                (self.builder.ins().fma(a, b, c.value), Lane::F32)
            }
            Sqrt(a) => {
                let a = of(a, FLOATS)?;
                (self.builder.ins().sqrt(a.value), a.lane)
            }
            Compare(comparison, a, b) => {
                let (a, b, lane) = two(a, b, NUMBERS)?;
                return Ok(self.compare(comparison, a, b, lane, width));
            }
            Select(mask, a, b) => {
                let mask = of(mask, I32)?;
                let (a, b, lane) = two(a, b, NUMBERS)?;
                (self.select(mask, a, b, lane, width), lane)
            }
            And(a, b) => {
                let (a, b, _) = two(a, b, I32)?;
                (self.builder.ins().band(a, b), Lane::I32)
            }
            Or(a, b) => {
                let (a, b, _) = two(a, b, I32)?;
                (self.builder.ins().bor(a, b), Lane::I32)
            }
            Xor(a, b) => {
                let (a, b, _) = two(a, b, I32)?;
                (self.builder.ins().bxor(a, b), Lane::I32)
            }
            ShiftLeft(a, count) | ShiftRight(a, count) | ShiftRightSigned(a, count) => {
                let a = of(a, I32)?.value;
                if count > 31 {
                    return Err(Error::Malformed(format!("a shift by {count}")));
                }
                let count = self.builder.ins().iconst(types::I32, i64::from(count));
                let shifted = match instruction {
                    ShiftLeft(..) => self.builder.ins().ishl(a, count),
                    ShiftRight(..) => self.builder.ins().ushr(a, count),
                    _ => self.builder.ins().sshr(a, count),
                };
                (shifted, Lane::I32)
            }
            Round(a) => (self.builder.ins().nearest(of(a, F32)?.value), Lane::F32),
            Truncate(a) => (self.builder.ins().trunc(of(a, F32)?.value), Lane::F32),
            Floor(a) => (self.builder.ins().floor(of(a, F32)?.value), Lane::F32),
            ToInt(a) => (self.integer(of(a, F32)?.value, width), Lane::I32),
            ToFloat(a) => {
                let a = of(a, I32)?.value;
                let float = self.builder.ins().fcvt_from_sint(ty(Lane::F32), a);
                (float, Lane::F32)
            }
            Bits(a) => (self.cast(of(a, F32)?.value, ty(Lane::I32)), Lane::I32),
            FromBits(a) => (self.cast(of(a, I32)?.value, ty(Lane::F32)), Lane::F32),
            Promote(a) => {
                let a = of(a, F32)?.value;
                (self.builder.ins().fpromote(types::F64, a), Lane::F64)
            }
            Demote(a) => {
                let a = of(a, F64)?.value;
                (self.builder.ins().fdemote(types::F32, a), Lane::F32)
            }
            Call(function, ref arguments) => {
                let mut passed = Vec::with_capacity(arguments.len());
                for &argument in arguments {
                    passed.push(of(argument, F64)?.value);
                }
                if passed.len() != arity(function) {
                    return Err(mistyped(instruction));
                }
                let result = self.call(Callee::Scalar(function), &passed).ok_or_else(|| mistyped(instruction))?;
                (result, Lane::F64)
            }
            Index { .. } | Load(..) | Store(..) => return Err(mistyped(instruction)),
        };
        if width == Width::Four && lane == Lane::F64 {
            return Err(Error::Malformed("an f64 in a vector loop".to_owned()));
        }
        Ok(Lanes::plain(value, lane))
    }

    /// The same number in every lane.
    pub fn spread(&mut self, scalar: ir::Value, lane: Lane, width: Width) -> ir::Value {
        match width {
            Width::One => scalar,
            Width::Four => self.builder.ins().splat(width.of(lane), scalar),
        }
    }

    pub(super) fn cast(&mut self, value: ir::Value, to: Type) -> ir::Value {
        self.builder.ins().bitcast(to, CAST, value)
    }

    fn compare(&mut self, comparison: Comparison, a: ir::Value, b: ir::Value, lane: Lane, width: Width) -> Lanes {
        let condition = match (lane, width) {
            (Lane::I32, _) => self.builder.ins().icmp(int_condition(comparison), a, b),
            (Lane::F32, Width::One) => {
                let [a, b] = [a, b].map(|float| self.first_lane(float));
                self.builder.ins().fcmp(float_condition(comparison), a, b)
            }
            _ => self.builder.ins().fcmp(float_condition(comparison), a, b),
        };
        let value = match (lane, width) {
            (_, Width::Four) => condition,
            (Lane::F32, Width::One) => self.builder.ins().extractlane(condition, 0),
            (_, Width::One) => self.builder.ins().bmask(types::I32, condition),
        };
        Lanes { value, lane: Lane::I32, condition: Some(condition) }
    }

    fn select(&mut self, mask: Lanes, a: ir::Value, b: ir::Value, lane: Lane, width: Width) -> ir::Value {
        match (width, mask.condition.filter(|&condition| !self.is_vector(condition))) {
            (Width::One, _) if lane == Lane::F32 => self.choose(mask, a, b),
            (Width::One, Some(condition)) => self.builder.ins().select(condition, a, b),
            (Width::One, None) => {
                let zero = self.builder.ins().iconst(types::I32, 0);
                let condition = self.builder.ins().icmp(IntCC::NotEqual, mask.value, zero);
                self.builder.ins().select(condition, a, b)
            }
            (Width::Four, _) if self.machine.blend && mask.condition.is_none() => {
                let a = self.cast(a, types::I32X4);
                let b = self.cast(b, types::I32X4);
                let blended = self.builder.ins().blendv(mask.value, a, b);
                self.cast(blended, width.of(lane))
            }
            (Width::Four, _) if lane == Lane::F32 => {
                let mask = self.cast(mask.value, types::F32X4);
                self.builder.ins().bitselect(mask, a, b)
            }
            (Width::Four, _) => self.builder.ins().bitselect(mask.value, a, b),
        }
    }

    /// A select between floats of one lane, done in the first lane of a vector: a processor has no conditional move for floats, and a
    /// jump on data goes the wrong way half of the time.
    fn choose(&mut self, mask: Lanes, a: ir::Value, b: ir::Value) -> ir::Value {
        let [a, b] = [a, b].map(|float| self.first_lane(float));
        let condition = match mask.condition {
            Some(condition) if self.is_vector(condition) => condition,
            _ => self.builder.ins().scalar_to_vector(types::I32X4, mask.value),
        };
        let condition = self.cast(condition, types::F32X4);
        let chosen = self.builder.ins().bitselect(condition, a, b);
        self.builder.ins().extractlane(chosen, 0)
    }

    fn first_lane(&mut self, float: ir::Value) -> ir::Value {
        self.builder.ins().scalar_to_vector(types::F32X4, float)
    }

    fn is_vector(&self, value: ir::Value) -> bool {
        self.builder.func.dfg.value_type(value).is_vector()
    }

    /// NaN to zero, clamp, convert: then no lane is out of range and no conversion has a special case left.
    fn integer(&mut self, x: ir::Value, width: Width) -> ir::Value {
        let constant = |e: &mut Self, number: f32| {
            let scalar = e.builder.ins().f32const(number);
            e.spread(scalar, Lane::F32, width)
        };
        let zero = constant(self, 0.0);
        let high = constant(self, INT_BOUND);
        let low = constant(self, -INT_BOUND);
        let ordered = self.compare(Comparison::Eq, x, x, Lane::F32, width);
        let number = match width {
            Width::One => self.select(ordered, x, zero, Lane::F32, width),
            Width::Four => {
                let bits = self.cast(x, types::I32X4);
                let bits = self.builder.ins().band(bits, ordered.value);
                self.cast(bits, types::F32X4)
            }
        };
        let less = self.compare(Comparison::Lt, number, high, Lane::F32, width);
        let number = self.select(less, number, high, Lane::F32, width);
        let greater = self.compare(Comparison::Lt, low, number, Lane::F32, width);
        let number = self.select(greater, number, low, Lane::F32, width);
        match width {
            _ if !self.machine.x86 => self.builder.ins().fcvt_to_sint_sat(width.of(Lane::I32), number),
            Width::Four => self.builder.ins().x86_cvtt2dq(types::I32X4, number),
            Width::One => {
                let vector = self.builder.ins().scalar_to_vector(types::F32X4, number);
                let vector = self.builder.ins().x86_cvtt2dq(types::I32X4, vector);
                self.builder.ins().extractlane(vector, 0)
            }
        }
    }
}

/// An instruction whose operands have the wrong types.
fn mistyped(instruction: &Instruction) -> Error {
    Error::Malformed(format!("operands do not fit {instruction:?}"))
}
