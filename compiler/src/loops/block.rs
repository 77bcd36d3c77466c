//! Blocks: what they load and store, and the thin builder that writes them, numbers values and shares equal pure instructions.

use super::{Block, BufferId, Comparison, Instruction, Lane, Linear, ScalarFunction, Value, Var, View};
use crate::base::chains::{Chains, hash_of};

/// A load or store of a block.
#[derive(Clone, Copy, Debug)]
pub struct Access<'b> {
    /// The place of the instruction.
    pub at: usize,
    /// The word.
    pub view: &'b View,
    /// What is stored there; a load has none.
    pub stored: Option<Value>,
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

    /// Its loads and stores, in their order.
    pub fn accesses(&self) -> impl Iterator<Item = Access<'_>> {
        self.code.iter().enumerate().filter_map(|(at, instruction)| match instruction {
            Instruction::Load(view, _) => Some(Access { at, view, stored: None }),
            Instruction::Store(view, value) => Some(Access { at, view, stored: Some(*value) }),
            _ => None,
        })
    }

    /// The words that it stores to.
    pub fn stores(&self) -> impl Iterator<Item = &View> {
        self.accesses().filter(|access| access.stored.is_some()).map(|access| access.view)
    }

    /// The words that it loads.
    pub fn loads(&self) -> impl Iterator<Item = &View> {
        self.accesses().filter(|access| access.stored.is_none()).map(|access| access.view)
    }
}

/// Builds one [`Block`]. Equal pure instructions become one value; loads are shared too as long as the block stores last.
#[derive(Debug, Default)]
pub struct BlockBuilder {
    block: Block,
    lanes: Vec<Lane>,
    origin: u32,
    /// Equal instructions.
    equals: Chains,
}

impl BlockBuilder {
    /// An empty block.
    pub fn new() -> Self {
        Self::default()
    }

    /// The graph node that the next instructions serve.
    pub fn set_origin(&mut self, origin: u32) {
        self.origin = origin;
    }

    /// The finished block.
    pub fn finish(self) -> Block {
        self.block
    }

    /// Type of a value.
    pub fn lane(&self, value: Value) -> Lane {
        self.lanes[value.0 as usize]
    }

    /// What an i32 value is, if it is a constant.
    pub fn known_i32(&self, value: Value) -> Option<i32> {
        match self.block.code[value.0 as usize] {
            Instruction::ConstI32(known) => Some(known),
            _ => None,
        }
    }

    /// Whether a value is `0 < y ? 0 : y`: not above zero, or NaN.
    pub fn is_never_positive(&self, value: Value) -> bool {
        let instruction = |value: Value| &self.block.code[value.0 as usize];
        let is_zero = |value: Value| matches!(instruction(value), Instruction::ConstF32(number) if number.to_bits() == 0);
        let Instruction::Select(condition, zero, other) = *instruction(value) else { return false };
        let Instruction::Compare(Comparison::Lt, least, compared) = *instruction(condition) else { return false };
        is_zero(zero) && is_zero(least) && compared == other
    }

    fn push(&mut self, instruction: Instruction, lane: Lane) -> Value {
        let shared = !matches!(instruction, Instruction::Store(..));
        let hash = likeness(&instruction);
        let standing = || self.equals.find(hash, |known| same(&self.block.code[known], &instruction));
        if shared && let Some(found) = standing() {
            return Value(found as u32);
        }
        self.equals.add(hash);
        self.block.code.push(instruction);
        self.block.origins.push(self.origin);
        self.lanes.push(lane);
        Value(self.block.code.len() as u32 - 1)
    }

    /// An f32 constant.
    pub fn f32(&mut self, value: f32) -> Value {
        self.push(Instruction::ConstF32(value), Lane::F32)
    }
    /// The f32 constant with these bits.
    pub fn f32_bits(&mut self, bits: u32) -> Value {
        self.f32(f32::from_bits(bits))
    }
    /// An i32 constant.
    pub fn i32(&mut self, value: i32) -> Value {
        self.push(Instruction::ConstI32(value), Lane::I32)
    }
    /// An f64 constant.
    pub fn f64(&mut self, value: f64) -> Value {
        self.push(Instruction::ConstF64(value), Lane::F64)
    }
    /// A constant of the same type as `like` (f32 or f64).
    pub fn number_like(&mut self, like: Value, value: f64) -> Value {
        match self.lane(like) {
            Lane::F64 => self.f64(value),
            _ => self.f32(value as f32),
        }
    }
    /// `offset + Σ var·factor` as an i32.
    pub fn index(&mut self, terms: Vec<(Var, Linear)>, offset: Linear) -> Value {
        self.push(Instruction::Index { terms, offset }, Lane::I32)
    }
    /// Loads a word of type `lane`.
    pub fn load(&mut self, view: View, lane: Lane) -> Value {
        self.push(Instruction::Load(view, lane), lane)
    }
    /// Loads the word at the buffer's start.
    pub fn load_scalar(&mut self, buffer: BufferId, offset: i64, lane: Lane) -> Value {
        self.load(View { buffer, offset: Linear::fixed(offset), strides: Vec::new(), table: None, pick: None }, lane)
    }
    /// Stores a value.
    pub fn store(&mut self, view: View, value: Value) {
        self.push(Instruction::Store(view, value), Lane::I32);
    }
    /// `a + b`.
    pub fn add(&mut self, a: Value, b: Value) -> Value {
        self.push(Instruction::Add(a, b), self.lane(a))
    }
    /// `a - b`.
    pub fn sub(&mut self, a: Value, b: Value) -> Value {
        self.push(Instruction::Sub(a, b), self.lane(a))
    }
    /// `a * b`.
    pub fn mul(&mut self, a: Value, b: Value) -> Value {
        self.push(Instruction::Mul(a, b), self.lane(a))
    }
    /// `a / b`.
    pub fn div(&mut self, a: Value, b: Value) -> Value {
        self.push(Instruction::Div(a, b), self.lane(a))
    }
    /// `a * b + c`, rounded once.
    pub fn fma(&mut self, a: Value, b: Value, c: Value) -> Value {
        self.push(Instruction::Fma(a, b, c), Lane::F32)
    }
    /// `√a`.
    pub fn sqrt(&mut self, a: Value) -> Value {
        self.push(Instruction::Sqrt(a), self.lane(a))
    }
    /// A mask.
    pub fn compare(&mut self, comparison: Comparison, a: Value, b: Value) -> Value {
        self.push(Instruction::Compare(comparison, a, b), Lane::I32)
    }
    /// `mask ? a : b`.
    pub fn select(&mut self, mask: Value, a: Value, b: Value) -> Value {
        self.push(Instruction::Select(mask, a, b), self.lane(a))
    }
    /// `a > b ? a : b`: the maximum, on every target in this operand order.
    pub fn max(&mut self, a: Value, b: Value) -> Value {
        let greater = self.compare(Comparison::Lt, b, a);
        self.select(greater, a, b)
    }
    /// `a < b ? a : b`.
    pub fn min(&mut self, a: Value, b: Value) -> Value {
        let less = self.compare(Comparison::Lt, a, b);
        self.select(less, a, b)
    }
    /// Bitwise and.
    pub fn and(&mut self, a: Value, b: Value) -> Value {
        self.push(Instruction::And(a, b), Lane::I32)
    }
    /// Bitwise or.
    pub fn or(&mut self, a: Value, b: Value) -> Value {
        self.push(Instruction::Or(a, b), Lane::I32)
    }
    /// Bitwise exclusive or.
    pub fn xor(&mut self, a: Value, b: Value) -> Value {
        self.push(Instruction::Xor(a, b), Lane::I32)
    }
    /// `a << count`.
    pub fn shift_left(&mut self, a: Value, count: u8) -> Value {
        self.push(Instruction::ShiftLeft(a, count), Lane::I32)
    }
    /// `a >> count`, zeros shifted in.
    pub fn shift_right(&mut self, a: Value, count: u8) -> Value {
        self.push(Instruction::ShiftRight(a, count), Lane::I32)
    }
    /// `a >> count`, the sign shifted in.
    pub fn shift_right_signed(&mut self, a: Value, count: u8) -> Value {
        self.push(Instruction::ShiftRightSigned(a, count), Lane::I32)
    }
    /// Nearest integer, ties to even.
    pub fn round(&mut self, a: Value) -> Value {
        self.push(Instruction::Round(a), Lane::F32)
    }
    /// Towards zero.
    pub fn truncate(&mut self, a: Value) -> Value {
        self.push(Instruction::Truncate(a), Lane::F32)
    }
    /// Down.
    pub fn floor(&mut self, a: Value) -> Value {
        self.push(Instruction::Floor(a), Lane::F32)
    }
    /// f32 to i32: clamped, then truncated; NaN gives 0.
    pub fn to_int(&mut self, a: Value) -> Value {
        self.push(Instruction::ToInt(a), Lane::I32)
    }
    /// i32 to f32.
    pub fn to_float(&mut self, a: Value) -> Value {
        self.push(Instruction::ToFloat(a), Lane::F32)
    }
    /// The bits of an f32.
    pub fn bits(&mut self, a: Value) -> Value {
        self.push(Instruction::Bits(a), Lane::I32)
    }
    /// The f32 with these bits.
    pub fn from_bits(&mut self, a: Value) -> Value {
        self.push(Instruction::FromBits(a), Lane::F32)
    }
    /// f32 to f64.
    pub fn promote(&mut self, a: Value) -> Value {
        self.push(Instruction::Promote(a), Lane::F64)
    }
    /// f64 to f32.
    pub fn demote(&mut self, a: Value) -> Value {
        self.push(Instruction::Demote(a), Lane::F32)
    }
    /// A function of f64 scalars.
    pub fn call(&mut self, function: ScalarFunction, arguments: Vec<Value>) -> Value {
        self.push(Instruction::Call(function, arguments), Lane::F64)
    }
    /// `-a` (sign bit flipped; f64: `-1 * a`).
    pub fn neg(&mut self, a: Value) -> Value {
        match self.lane(a) {
            Lane::F32 => self.with_sign_bits(a, Self::xor),
            Lane::I32 => {
                let zero = self.i32(0);
                self.sub(zero, a)
            }
            Lane::F64 => {
                let minus = self.f64(-1.0);
                self.mul(minus, a)
            }
        }
    }
    /// `|a|` of an f32 (sign bit cleared) or f64.
    pub fn abs(&mut self, a: Value) -> Value {
        match self.lane(a) {
            Lane::F32 => {
                let mask = self.i32(i32::MAX);
                let bits = self.bits(a);
                let bits = self.and(bits, mask);
                self.from_bits(bits)
            }
            _ => {
                let zero = match self.lane(a) {
                    Lane::F64 => self.f64(0.0),
                    _ => self.i32(0),
                };
                let negative = self.compare(Comparison::Lt, a, zero);
                let minus = self.neg(a);
                self.select(negative, minus, a)
            }
        }
    }
    /// `a` with the sign of `sign` (f32).
    pub fn copy_sign(&mut self, a: Value, sign: Value) -> Value {
        let mask = self.i32(i32::MIN);
        let bits = self.bits(sign);
        let sign_bit = self.and(bits, mask);
        let magnitude = self.abs(a);
        let magnitude = self.bits(magnitude);
        let bits = self.or(magnitude, sign_bit);
        self.from_bits(bits)
    }

    fn with_sign_bits(&mut self, a: Value, combine: fn(&mut Self, Value, Value) -> Value) -> Value {
        let mask = self.i32(i32::MIN);
        let bits = self.bits(a);
        let bits = combine(self, bits, mask);
        self.from_bits(bits)
    }
}

/// A number that equal instructions have in common, and few others.
fn likeness(instruction: &Instruction) -> u64 {
    let kind = std::mem::discriminant(instruction);
    match instruction {
        Instruction::ConstF32(value) => hash_of((kind, value.to_bits())),
        Instruction::ConstI32(value) => hash_of((kind, value)),
        Instruction::ConstF64(value) => hash_of((kind, value.to_bits())),
        Instruction::Index { offset, .. } => hash_of((kind, offset.constant, offset.batch)),
        Instruction::Load(view, _) | Instruction::Store(view, _) => hash_of((kind, view.buffer.0, view.offset.constant)),
        _ => hash_of((kind, instruction.operands().iter().map(|value| value.0).collect::<Vec<_>>())),
    }
}

/// Equality that tells constants apart by their bits (NaN equals itself, -0 is not 0).
fn same(a: &Instruction, b: &Instruction) -> bool {
    match (a, b) {
        (Instruction::ConstF32(a), Instruction::ConstF32(b)) => a.to_bits() == b.to_bits(),
        (Instruction::ConstF64(a), Instruction::ConstF64(b)) => a.to_bits() == b.to_bits(),
        (Instruction::ConstF32(_) | Instruction::ConstF64(_), _) => false,
        _ => a == b,
    }
}
