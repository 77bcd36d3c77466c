//! The functions built on `log x = i·ln 2 + log(1 + f)` with `x = 2ⁱ·(1 + f)` and `f` in [-1/4, 1/2).

use super::{LN2_HIGH, is_f64, polynomial, with_sign};
use crate::loops::block::BlockBuilder;
use crate::loops::{Comparison, ScalarFunction, Value};

/// `log(1 + f) ≈ f - f²/2 + f³·(c₀ + c₁f + …)` on [-1/4, 1/2], relative error 2⁻²⁷·⁶; here with the -1/2 in front.
const LOG: [f32; 9] =
    [-0.5, 0.333_334_5, -0.250_001_1, 0.199_908_48, -0.166_468_77, 0.144_776_25, -0.131_639_54, 0.104_726_3, -0.045_153_014];

/// The least mantissa.
const LOWEST: f32 = 0.75;
/// All bits of a word but the mantissa.
const EXPONENT: i32 = 0xFF80_0000_u32 as i32;

/// `i·2²³` as an integer for `x = 2ⁱ·m`, `m` in [`lowest`, 2·`lowest`), from the bits of a positive normal `x`.
pub(super) fn exponent(b: &mut BlockBuilder, bits: Value, lowest: f32) -> Value {
    let lowest = b.i32(lowest.to_bits() as i32);
    let mask = b.i32(EXPONENT);
    let above = b.sub(bits, lowest);
    b.and(above, mask)
}

/// `i·ln 2 + log(1 + f)`; `exponent` is `i·2²³` as a float.
fn log_of_parts(b: &mut BlockBuilder, exponent: Value, f: Value) -> Value {
    let square = b.mul(f, f);
    let q = polynomial(b, f, &LOG);
    let curved = b.fma(q, square, f);
    let ln2 = b.f32(LN2_HIGH * f32::EPSILON);
    b.fma(exponent, ln2, curved)
}

/// `x` if it is positive and finite is what `result` was computed for; here the other values of `x` get theirs.
fn with_limits(b: &mut BlockBuilder, result: Value, x: Value) -> Value {
    let zero = b.f32(0.0);
    let infinity = b.f32(f32::INFINITY);
    let minus_infinity = b.f32(f32::NEG_INFINITY);
    let nan = b.f32(f32::NAN);
    let finite = b.compare(Comparison::Lt, x, infinity);
    // Infinity and NaN are their own logarithms.
    let result = b.select(finite, result, x);
    let is_zero = b.compare(Comparison::Eq, x, zero);
    let other = b.select(is_zero, minus_infinity, nan);
    let positive = b.compare(Comparison::Lt, zero, x);
    b.select(positive, result, other)
}

/// A positive `x` as `2ⁱ·m`, denormals too.
pub(super) struct Parts {
    /// `i·2²³`, a float.
    pub(super) exponent: Value,
    /// In [`lowest`, 2·`lowest`).
    pub(super) mantissa: Value,
}

/// The parts of a positive finite `x`; of any other value a finite mantissa in the same range and some exponent.
pub(super) fn parts(b: &mut BlockBuilder, x: Value, lowest: f32) -> Parts {
    let smallest = b.f32(f32::MIN_POSITIVE);
    let up = b.f32(8_388_608.0);
    let down = b.i32((-23.0_f32 * 8_388_608.0).to_bits() as i32);
    let denormal = b.compare(Comparison::Lt, x, smallest);
    let raised = b.mul(x, up);
    let x = b.select(denormal, raised, x);
    let correction = b.and(denormal, down);
    let correction = b.from_bits(correction);
    let bits = b.bits(x);
    let whole = exponent(b, bits, lowest);
    let mantissa = b.sub(bits, whole);
    let mantissa = b.from_bits(mantissa);
    let exponent = b.to_float(whole);
    let exponent = b.add(exponent, correction);
    Parts { exponent, mantissa }
}

/// `log x`, at most 1 ULP; `-∞` at ±0, NaN below.
pub fn log(b: &mut BlockBuilder, x: Value) -> Value {
    if is_f64(b, x) {
        return b.call(ScalarFunction::Log, vec![x]);
    }
    let Parts { exponent, mantissa } = parts(b, x, LOWEST);
    let one = b.f32(1.0);
    let f = b.sub(mantissa, one);
    let result = log_of_parts(b, exponent, f);
    with_limits(b, result, x)
}

/// `log(1 + x)` of an `x` above -1 and below infinity, given `1 + x` as well.
///
/// The rounded sum only chooses the scale 2ⁱ; `f = x·2⁻ⁱ + (2⁻ⁱ - 1)` is then exact or nearly so.
fn log1p_given_sum(b: &mut BlockBuilder, x: Value, sum: Value) -> Value {
    let bits = b.bits(sum);
    let whole = exponent(b, bits, LOWEST);
    let bits = b.bits(x);
    let scaled = b.sub(bits, whole);
    let scaled = b.from_bits(scaled);
    // 4·2⁻ⁱ is normal for every i that occurs, 2⁻ⁱ is not.
    let four = b.i32(4.0_f32.to_bits() as i32);
    let scale = b.sub(four, whole);
    let scale = b.from_bits(scale);
    let quarter = b.f32(0.25);
    let minus_one = b.f32(-1.0);
    let constant = b.fma(scale, quarter, minus_one);
    let f = b.add(scaled, constant);
    let exponent = b.to_float(whole);
    log_of_parts(b, exponent, f)
}

/// `log(1 + x)`, at most 2 ULP, `-0` kept; `-∞` at -1, NaN below.
pub fn log1p(b: &mut BlockBuilder, x: Value) -> Value {
    if is_f64(b, x) {
        return b.call(ScalarFunction::Log1p, vec![x]);
    }
    let one = b.f32(1.0);
    let sum = b.add(x, one);
    let result = log1p_given_sum(b, x, sum);
    let result = with_limits(b, result, sum);
    with_sign(b, result, x)
}

/// `log(1 + x)` of an f32 `x` in [0, 1] or NaN.
pub(super) fn log1p_of_fraction(b: &mut BlockBuilder, x: Value) -> Value {
    let one = b.f32(1.0);
    let sum = b.add(x, one);
    log1p_given_sum(b, x, sum)
}
