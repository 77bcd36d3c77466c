//! What each arithmetic instruction does to the lanes of its operands.
//!
//! The registers of a block are `width` words for every value, in order of the values; an `F64` value, which exists in scalar code
//! only, has one number beside them.

use crate::loops::{Block, Comparison, Instruction, Lane, ScalarFunction, Value};

/// The values of a block under way.
#[derive(Default)]
pub(super) struct Registers {
    words: Vec<u32>,
    wide: Vec<f64>,
    width: usize,
}

impl Registers {
    /// Makes room for `values` values of `width` lanes.
    pub(super) fn reserve(&mut self, values: usize, width: usize) {
        self.words.resize(values * width, 0);
        self.wide.resize(values, 0.0);
        self.width = width;
    }

    /// The first `count` lanes of a value.
    pub(super) fn lanes(&self, value: Value, count: usize) -> &[u32] {
        let first = value.0 as usize * self.width;
        &self.words[first..first + count]
    }

    /// The first `count` lanes of a value, to be written.
    pub(super) fn lanes_mut(&mut self, value: Value, count: usize) -> &mut [u32] {
        let first = value.0 as usize * self.width;
        &mut self.words[first..first + count]
    }

    pub(super) fn wide(&self, value: Value) -> f64 {
        self.wide[value.0 as usize]
    }

    pub(super) fn set_wide(&mut self, value: Value, number: f64) {
        self.wide[value.0 as usize] = number;
    }

    /// Where `to` is written and all earlier values are read.
    fn split(&mut self, to: Value, count: usize) -> (&[u32], &mut [u32]) {
        let (before, rest) = self.words.split_at_mut(to.0 as usize * self.width);
        (before, &mut rest[..count])
    }

    fn one(&mut self, to: Value, count: usize, a: Value, f: impl Fn(u32) -> u32) {
        let width = self.width;
        let (before, out) = self.split(to, count);
        let a = &before[a.0 as usize * width..][..count];
        for (out, a) in out.iter_mut().zip(a) {
            *out = f(*a);
        }
    }

    fn two(&mut self, to: Value, count: usize, a: Value, b: Value, f: impl Fn(u32, u32) -> u32) {
        let width = self.width;
        let (before, out) = self.split(to, count);
        let a = &before[a.0 as usize * width..][..count];
        let b = &before[b.0 as usize * width..][..count];
        for ((out, a), b) in out.iter_mut().zip(a).zip(b) {
            *out = f(*a, *b);
        }
    }

    fn three(&mut self, to: Value, count: usize, [a, b, c]: [Value; 3], f: impl Fn(u32, u32, u32) -> u32) {
        let width = self.width;
        let (before, out) = self.split(to, count);
        let a = &before[a.0 as usize * width..][..count];
        let b = &before[b.0 as usize * width..][..count];
        let c = &before[c.0 as usize * width..][..count];
        for (((out, a), b), c) in out.iter_mut().zip(a).zip(b).zip(c) {
            *out = f(*a, *b, *c);
        }
    }

    /// Writes value `to`, made by an instruction that touches no memory and names no loop variable, in its first `count` lanes.
    pub(super) fn execute(&mut self, block: &Block, lanes: &[Lane], to: Value, count: usize) {
        use Instruction::*;
        let lane = |value: Value| lanes[value.0 as usize];
        match &block.code[to.0 as usize] {
            // Constants are written once, by `constants`; the others belong to the nest.
            ConstF32(_) | ConstI32(_) | ConstF64(_) | Index { .. } | Load(..) | Store(..) => {}
            Add(a, b) => match lane(*a) {
                Lane::F32 => self.two(to, count, *a, *b, floats(|a, b| a + b)),
                Lane::I32 => self.two(to, count, *a, *b, u32::wrapping_add),
                Lane::F64 => self.set_wide(to, self.wide(*a) + self.wide(*b)),
            },
            Sub(a, b) => match lane(*a) {
                Lane::F32 => self.two(to, count, *a, *b, floats(|a, b| a - b)),
                Lane::I32 => self.two(to, count, *a, *b, u32::wrapping_sub),
                Lane::F64 => self.set_wide(to, self.wide(*a) - self.wide(*b)),
            },
            Mul(a, b) => match lane(*a) {
                Lane::F32 => self.two(to, count, *a, *b, floats(|a, b| a * b)),
                Lane::I32 => self.two(to, count, *a, *b, u32::wrapping_mul),
                Lane::F64 => self.set_wide(to, self.wide(*a) * self.wide(*b)),
            },
            Div(a, b) => match lane(*a) {
                Lane::F64 => self.set_wide(to, self.wide(*a) / self.wide(*b)),
                Lane::F32 | Lane::I32 => self.two(to, count, *a, *b, floats(|a, b| a / b)),
            },
            Fma(a, b, c) => self.three(to, count, [*a, *b, *c], |a, b, c| {
                f32::from_bits(a).mul_add(f32::from_bits(b), f32::from_bits(c)).to_bits()
            }),
            Sqrt(a) => match lane(*a) {
                Lane::F64 => self.set_wide(to, self.wide(*a).sqrt()),
                Lane::F32 | Lane::I32 => self.one(to, count, *a, float(f32::sqrt)),
            },
            Compare(comparison, a, b) => match lane(*a) {
                Lane::F32 => self.compare_floats(*comparison, to, count, *a, *b),
                Lane::I32 => self.compare_integers(*comparison, to, count, *a, *b),
                Lane::F64 => {
                    let (a, b) = (self.wide(*a), self.wide(*b));
                    let holds = match comparison {
                        Comparison::Lt => a < b,
                        Comparison::Le => a <= b,
                        Comparison::Eq => a == b,
                        Comparison::Ne => a != b,
                    };
                    self.lanes_mut(to, 1)[0] = mask(holds);
                }
            },
            Select(choice, a, b) => match lane(*a) {
                Lane::F64 => {
                    let chosen = if self.lanes(*choice, 1)[0] != 0 { a } else { b };
                    self.set_wide(to, self.wide(*chosen));
                }
                Lane::F32 | Lane::I32 => {
                    self.three(to, count, [*choice, *a, *b], |mask, a, b| (a & mask) | (b & !mask));
                }
            },
            And(a, b) => self.two(to, count, *a, *b, |a, b| a & b),
            Or(a, b) => self.two(to, count, *a, *b, |a, b| a | b),
            Xor(a, b) => self.two(to, count, *a, *b, |a, b| a ^ b),
            ShiftLeft(a, by) => {
                let by = u32::from(*by);
                self.one(to, count, *a, |a| a.wrapping_shl(by));
            }
            ShiftRight(a, by) => {
                let by = u32::from(*by);
                self.one(to, count, *a, |a| a.wrapping_shr(by));
            }
            ShiftRightSigned(a, by) => {
                let by = u32::from(*by);
                self.one(to, count, *a, |a| (a as i32).wrapping_shr(by) as u32);
            }
            Round(a) => self.one(to, count, *a, float(f32::round_ties_even)),
            Truncate(a) => self.one(to, count, *a, float(f32::trunc)),
            Floor(a) => self.one(to, count, *a, float(f32::floor)),
            ToInt(a) => self.one(to, count, *a, |a| to_int(f32::from_bits(a)) as u32),
            ToFloat(a) => self.one(to, count, *a, |a| (a as i32 as f32).to_bits()),
            Bits(a) | FromBits(a) => self.one(to, count, *a, |a| a),
            Promote(a) => {
                let number = f32::from_bits(self.lanes(*a, 1)[0]);
                self.set_wide(to, f64::from(number));
            }
            Demote(a) => {
                let number = self.wide(*a) as f32;
                self.lanes_mut(to, 1)[0] = number.to_bits();
            }
            Call(function, arguments) => {
                let numbers: Vec<f64> = arguments.iter().map(|value| self.wide(*value)).collect();
                self.set_wide(to, call(*function, &numbers));
            }
        }
    }

    /// Fills all lanes of the block's constants.
    pub(super) fn constants(&mut self, block: &Block) {
        let width = self.width;
        for (index, instruction) in block.code.iter().enumerate() {
            let to = Value(index as u32);
            match instruction {
                Instruction::ConstF32(value) => self.lanes_mut(to, width).fill(value.to_bits()),
                Instruction::ConstI32(value) => self.lanes_mut(to, width).fill(*value as u32),
                Instruction::ConstF64(value) => self.set_wide(to, *value),
                _ => {}
            }
        }
    }

    fn compare_floats(&mut self, by: Comparison, to: Value, count: usize, a: Value, b: Value) {
        match by {
            Comparison::Lt => self.two(to, count, a, b, floats_hold(|a, b| a < b)),
            Comparison::Le => self.two(to, count, a, b, floats_hold(|a, b| a <= b)),
            Comparison::Eq => self.two(to, count, a, b, floats_hold(|a, b| a == b)),
            Comparison::Ne => self.two(to, count, a, b, floats_hold(|a, b| a != b)),
        }
    }

    fn compare_integers(&mut self, by: Comparison, to: Value, count: usize, a: Value, b: Value) {
        match by {
            Comparison::Lt => self.two(to, count, a, b, |a, b| mask((a as i32) < b as i32)),
            Comparison::Le => self.two(to, count, a, b, |a, b| mask(a as i32 <= b as i32)),
            Comparison::Eq => self.two(to, count, a, b, |a, b| mask(a == b)),
            Comparison::Ne => self.two(to, count, a, b, |a, b| mask(a != b)),
        }
    }
}

fn float(f: impl Fn(f32) -> f32) -> impl Fn(u32) -> u32 {
    move |a| f(f32::from_bits(a)).to_bits()
}

fn floats(f: impl Fn(f32, f32) -> f32) -> impl Fn(u32, u32) -> u32 {
    move |a, b| f(f32::from_bits(a), f32::from_bits(b)).to_bits()
}

fn floats_hold(f: impl Fn(f32, f32) -> bool) -> impl Fn(u32, u32) -> u32 {
    move |a, b| mask(f(f32::from_bits(a), f32::from_bits(b)))
}

fn mask(holds: bool) -> u32 {
    if holds { u32::MAX } else { 0 }
}

/// Clamped to the largest floats below 2³¹, then truncated; a NaN passes the clamp and the cast makes it 0.
fn to_int(value: f32) -> i32 {
    value.clamp(-2_147_483_520.0, 2_147_483_520.0) as i32
}

/// A function of step scalars; missing arguments (a program that does not verify) give NaN.
fn call(function: ScalarFunction, arguments: &[f64]) -> f64 {
    match (function, arguments) {
        (ScalarFunction::Exp, [x]) => libm::exp(*x),
        (ScalarFunction::Log, [x]) => libm::log(*x),
        (ScalarFunction::Expm1, [x]) => libm::expm1(*x),
        (ScalarFunction::Log1p, [x]) => libm::log1p(*x),
        (ScalarFunction::Pow, [x, y]) => libm::pow(*x, *y),
        (ScalarFunction::Sin, [x]) => libm::sin(*x),
        (ScalarFunction::Cos, [x]) => libm::cos(*x),
        (ScalarFunction::Tanh, [x]) => libm::tanh(*x),
        (ScalarFunction::Erf, [x]) => libm::erf(*x),
        (ScalarFunction::Floor, [x]) => libm::floor(*x),
        _ => f64::NAN,
    }
}
