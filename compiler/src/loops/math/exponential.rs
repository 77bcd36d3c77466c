//! The functions built on `eˣ = 2ⁿ·eʳ` with `n = round(x / ln 2)` and `|r| ≤ ln 2 / 2`.
//!
//! `n` is found by adding 1.5·2²³, which leaves it in the low bits of the sum's representation, ready to be shifted into an
//! exponent. Where 2ⁿ may leave the range of an exponent it is split in two factors of half the exponent, so that overflow and the
//! single rounding to a denormal happen in the last multiplication.

use super::logarithm::log1p_of_fraction;
use super::{LN2_HIGH, LN2_LOW, is_f64, polynomial, with_sign};
use crate::loops::block::BlockBuilder;
use crate::loops::{Comparison, ScalarFunction, Value};

/// 1.5·2²³: a sum with it holds the nearest integer in its low bits.
const SHIFTER: f32 = 12_582_912.0;
/// Exponent bias of f32.
const BIAS: f32 = 127.0;

/// `eʳ ≈ 1 + r + r²·(c₀ + c₁r + …)` on |r| ≤ ln 2 / 2, relative error 2⁻²⁸.
const EXP: [f32; 7] = [1.0, 1.0, 0.499_999_94, 0.166_665_21, 0.041_668_26, 0.008_368_671, 0.001_382_135_6];
/// `eʳ - 1 ≈ r + r²·(c₀ + c₁r + …)` on |r| ≤ ln 2 / 2, relative error 2⁻²⁶.
const EXPM1: [f32; 5] = [0.499_999_97, 0.166_665_46, 0.041_667_443, 0.008_366_254, 0.001_386_994_3];

/// What is left of an argument after `n` times ln 2 is taken away.
struct Reduced {
    /// A float whose low bits are `n` plus the bias it was made with.
    shifted: Value,
    rest: Value,
}

fn reduce(b: &mut BlockBuilder, x: Value, bias: f32) -> Reduced {
    let log2_e = b.f32(std::f32::consts::LOG2_E);
    let shifter = b.f32(SHIFTER + bias);
    let shifted = b.fma(x, log2_e, shifter);
    let n = b.sub(shifted, shifter);
    let high = b.f32(-LN2_HIGH);
    let low = b.f32(-LN2_LOW);
    let rest = b.fma(n, high, x);
    let rest = b.fma(n, low, rest);
    Reduced { shifted, rest }
}

/// The bits of two powers of two with product 2ⁿ, `shifted` made with a bias of 2·127; the larger one first.
fn half_scales(b: &mut BlockBuilder, shifted: Value) -> (Value, Value) {
    let exponent = b.i32(0x7F80_0000);
    let bits = b.bits(shifted);
    let both = b.shift_left(bits, 23);
    let half = b.shift_right(both, 1);
    let low = b.and(half, exponent);
    let high = b.sub(both, low);
    (high, low)
}

/// `eˣ` for `x` in [-104, 89] or NaN.
fn exp_in_range(b: &mut BlockBuilder, x: Value) -> Value {
    let reduced = reduce(b, x, 2.0 * BIAS);
    exp_of_reduced(b, reduced)
}

fn exp_of_reduced(b: &mut BlockBuilder, Reduced { shifted, rest }: Reduced) -> Value {
    let (high, low) = half_scales(b, shifted);
    let (high, low) = (b.from_bits(high), b.from_bits(low));
    let power = polynomial(b, rest, &EXP);
    let scaled = b.mul(power, high);
    b.mul(scaled, low)
}

/// `x` brought to where [`exp_in_range`] is defined; beyond these bounds the result is infinite or 0.
fn in_range(b: &mut BlockBuilder, x: Value) -> Value {
    // The operand order of both lets NaN pass.
    let most = b.f32(89.0);
    let least = b.f32(-104.0);
    let x = b.min(most, x);
    b.max(least, x)
}

/// `eˣ`, at most 1 ULP.
pub fn exp(b: &mut BlockBuilder, x: Value) -> Value {
    if is_f64(b, x) {
        return b.call(ScalarFunction::Exp, vec![x]);
    }
    let x = in_range(b, x);
    exp_in_range(b, x)
}

/// `e^{high + low}` for a `low` below a place of `high`; any `low` where `high` is not finite.
pub(super) fn exp_of_sum(b: &mut BlockBuilder, high: Value, low: Value) -> Value {
    let magnitude = b.abs(high);
    let bound = b.f32(128.0);
    let matters = b.compare(Comparison::Lt, magnitude, bound);
    let bits = b.bits(low);
    let bits = b.and(bits, matters);
    let low = b.from_bits(bits);
    let high = in_range(b, high);
    let mut reduced = reduce(b, high, 2.0 * BIAS);
    reduced.rest = b.add(reduced.rest, low);
    exp_of_reduced(b, reduced)
}

/// `eˣ - 1`, at most 2 ULP, `-0` kept. Of an `x` that is seen not to be above zero, as that of elu, the same bits cost less.
pub fn expm1(b: &mut BlockBuilder, x: Value) -> Value {
    if is_f64(b, x) {
        return b.call(ScalarFunction::Expm1, vec![x]);
    }
    if b.is_never_positive(x) {
        return expm1_below_zero(b, x);
    }
    let most = b.f32(89.0);
    let least = b.f32(-20.0);
    let clamped = b.min(most, x);
    let clamped = b.max(least, clamped);
    let Reduced { shifted, rest } = reduce(b, clamped, 2.0 * BIAS);
    let (high, low) = half_scales(b, shifted);
    // 1 / low, by negating its exponent.
    let twice_one = b.i32(254 << 23);
    let inverse = b.sub(twice_one, low);
    let (high, low, inverse) = (b.from_bits(high), b.from_bits(low), b.from_bits(inverse));
    let square = b.mul(rest, rest);
    let q = polynomial(b, rest, &EXPM1);
    let power = b.fma(square, q, rest);
    // low·(high·p + (high - 1/low)) = 2ⁿ·p + (2ⁿ - 1)
    let constant = b.sub(high, inverse);
    let sum = b.fma(power, high, constant);
    let result = b.mul(sum, low);
    with_sign(b, result, x)
}

/// [`expm1`] for `x` up to 0: 2ⁿ with n in -29..=0 needs no halves, and without them nothing is rounded in another place, for the
/// halves are powers of two.
fn expm1_below_zero(b: &mut BlockBuilder, x: Value) -> Value {
    let least = b.f32(-20.0);
    let clamped = b.max(least, x);
    let Reduced { shifted, rest } = reduce(b, clamped, BIAS);
    let bits = b.bits(shifted);
    let scale = b.shift_left(bits, 23);
    let scale = b.from_bits(scale);
    let square = b.mul(rest, rest);
    let q = polynomial(b, rest, &EXPM1);
    let power = b.fma(square, q, rest);
    let one = b.f32(1.0);
    let constant = b.sub(scale, one);
    let result = b.fma(power, scale, constant);
    with_sign(b, result, x)
}

/// `(1 - e^{-kx}) / k` of an f32 `x` in [0, 20] or NaN, for `k` 1 or 2.
///
/// No sum cancels but `r` against `n·ln 2`, so small `x` keep their last place and no result passes `1 / k`.
pub(super) fn exp_complement(b: &mut BlockBuilder, x: Value, k: f32) -> Value {
    // kx = kr - n·ln 2 with n in -58..=0; the low part of ln 2 is too small to matter beside 1.
    let log2_e = b.f32(-k * std::f32::consts::LOG2_E);
    let shifter = b.f32(SHIFTER + BIAS);
    let shifted = b.fma(x, log2_e, shifter);
    let n = b.sub(shifted, shifter);
    let ln2 = b.f32(LN2_HIGH / k);
    let rest = b.fma(n, ln2, x);
    let bits = b.bits(shifted);
    let scale = b.shift_left(bits, 23);
    let scale = b.from_bits(scale);
    // (1 - e^{-kr}) / k = r + r²·(-kc₀ + k²c₁r - …)
    let mut coefficients = EXPM1;
    let mut factor = 1.0;
    for coefficient in &mut coefficients {
        factor *= -k;
        *coefficient *= factor;
    }
    let square = b.mul(rest, rest);
    let q = polynomial(b, rest, &coefficients);
    let power = b.fma(square, q, rest);
    let whole = b.f32(1.0 / k);
    let minus_whole = b.f32(-1.0 / k);
    let constant = b.fma(scale, minus_whole, whole);
    b.fma(scale, power, constant)
}

/// `tanh x`, at most 2 ULP.
///
/// With `u = (1 - e^{-2|x|}) / 2` and `q = u / (1 - u)`, which is tanh |x| already, it is `u + u·q`: where `q` is small its error
/// counts in part only, and where it is near 1 the result cannot pass 1.
pub fn tanh(b: &mut BlockBuilder, x: Value) -> Value {
    if is_f64(b, x) {
        return b.call(ScalarFunction::Tanh, vec![x]);
    }
    let magnitude = b.abs(x);
    let most = b.f32(10.0);
    let magnitude = b.min(most, magnitude);
    let u = exp_complement(b, magnitude, 2.0);
    let one = b.f32(1.0);
    let below = b.sub(one, u);
    let quotient = b.div(u, below);
    let result = b.fma(quotient, u, u);
    with_sign(b, result, x)
}

/// `e^{-|x|}`, an f32.
fn exp_of_minus_magnitude(b: &mut BlockBuilder, x: Value) -> Value {
    let sign = b.i32(i32::MIN);
    let bits = b.bits(x);
    let bits = b.or(bits, sign);
    let negative = b.from_bits(bits);
    let least = b.f32(-104.0);
    let negative = b.max(least, negative);
    exp_in_range(b, negative)
}

/// `1 / (1 + e^{-x})`, at most 2 ULP in both tails.
///
/// With `e = e^{-|x|}` and `q = e / (1 + e)` it is `1 - q` for `x ≥ 0`, else `q`, written as `e·(1 - q)`: so the error of the
/// quotient counts only in part.
pub fn sigmoid(b: &mut BlockBuilder, x: Value) -> Value {
    if is_f64(b, x) {
        let one = b.f64(1.0);
        let minus = b.neg(x);
        let e = b.call(ScalarFunction::Exp, vec![minus]);
        let below = b.add(e, one);
        return b.div(one, below);
    }
    let e = exp_of_minus_magnitude(b, x);
    let one = b.f32(1.0);
    let minus_one = b.f32(-1.0);
    let zero = b.f32(0.0);
    let below = b.sub(minus_one, e);
    let minus_q = b.div(e, below);
    let positive = b.compare(Comparison::Le, zero, x);
    let factor = b.select(positive, one, e);
    b.fma(minus_q, factor, factor)
}

/// `log(1 + eˣ) = max(0, x) + log1p(e^{-|x|})`, at most 2 ULP.
pub fn softplus(b: &mut BlockBuilder, x: Value) -> Value {
    let zero = b.number_like(x, 0.0);
    let linear = b.max(zero, x);
    let curved = if is_f64(b, x) {
        let magnitude = b.abs(x);
        let minus = b.neg(magnitude);
        let e = b.call(ScalarFunction::Exp, vec![minus]);
        b.call(ScalarFunction::Log1p, vec![e])
    } else {
        let e = exp_of_minus_magnitude(b, x);
        log1p_of_fraction(b, e)
    };
    b.add(linear, curved)
}
