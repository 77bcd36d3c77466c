//! Sine and cosine.

use super::{is_f64, polynomial};
use crate::loops::block::BlockBuilder;
use crate::loops::{Comparison, ScalarFunction, Value};

/// 1.5·2²³: a sum with it holds the nearest integer in its low bits.
const SHIFTER: f32 = 12_582_912.0;
/// π/2 in three parts of 24 bits.
const HALF_PI: [f32; 3] = [std::f32::consts::FRAC_PI_2, -4.371_139e-8, -1.715_124_9e-15];
/// `sin r ≈ r + r³·(c₀ + c₁r² + …)` on |r| ≤ π/4 (N. Juffa's fits).
const SINE: [f32; 4] = [-1.666_666_7e-1, 8.333_386e-3, -1.985_599_2e-4, 2.865_679_6e-6];
/// `cos r ≈ 1 - r²/2 + r⁴·(c₀ + c₁r² + …)` there.
const COSINE: [f32; 3] = [4.166_665_7e-2, -1.388_773e-3, 2.446_770_7e-5];

/// `x = n·π/2 + high + low`, |high| ≤ π/4 or little more, `low` below a place of it.
struct Reduced {
    /// An i32 with the low bits of `n`.
    quadrant: Value,
    high: Value,
    low: Value,
}

/// The first part of π/2 is taken away without error, by Sterbenz' lemma; what rounding loses of the second is kept.
fn reduce(b: &mut BlockBuilder, x: Value) -> Reduced {
    let shifter = b.f32(SHIFTER);
    let quarters = b.f32(std::f32::consts::FRAC_2_PI);
    let shifted = b.fma(x, quarters, shifter);
    let n = b.sub(shifted, shifter);
    let quadrant = b.bits(shifted);
    let [first, second, third] = HALF_PI.map(|part| b.f32(-part));
    let rest = b.fma(n, first, x);
    // rest + n·second as a sum of two floats (Knuth's two-sum; the product's error by a fused multiply-add).
    let product = b.mul(n, second);
    let minus_product = b.neg(product);
    let product_low = b.fma(n, second, minus_product);
    let high = b.add(rest, product);
    let taken = b.sub(high, rest);
    let left = b.sub(high, taken);
    let left = b.sub(rest, left);
    let lost = b.sub(product, taken);
    let low = b.add(left, lost);
    let low = b.add(low, product_low);
    let low = b.fma(n, third, low);
    // Where the quotient has no last place any more nothing is promised but a number in [-1, 1].
    let (most, least) = (b.f32(1.0), b.f32(-1.0));
    let high = b.min(most, high);
    let high = b.max(least, high);
    let bound = b.f32(1e-3);
    let magnitude = b.abs(low);
    let is_low = b.compare(Comparison::Lt, magnitude, bound);
    let bits = b.bits(low);
    let bits = b.and(bits, is_low);
    let low = b.from_bits(bits);
    Reduced { quadrant, high, low }
}

/// Sine of `x + turns·π/2` for an f32 `x`.
fn turned_sine(b: &mut BlockBuilder, x: Value, turns: i32) -> Value {
    let Reduced { quadrant, high, low } = reduce(b, x);
    let square = b.mul(high, high);
    let half = b.f32(0.5);
    let one = b.f32(1.0);

    // sin (h + l) = h + (h³·s + l·(1 - h²/2))
    let p = polynomial(b, square, &SINE);
    let cube = b.mul(square, high);
    let curved = b.mul(cube, p);
    let halved = b.mul(square, half);
    let minus_halved = b.neg(halved);
    let slope = b.add(one, minus_halved);
    let curved = b.fma(low, slope, curved);
    let sine = b.add(high, curved);

    // cos (h + l) = (1 - h²/2) + (what rounding lost of it + h⁴·c - h·l)
    let p = polynomial(b, square, &COSINE);
    let fourth = b.mul(square, square);
    let taken = b.sub(one, slope);
    let lost = b.sub(taken, halved);
    let curved = b.fma(fourth, p, lost);
    let minus_high = b.neg(high);
    let curved = b.fma(minus_high, low, curved);
    let cosine = b.add(slope, curved);

    let turns = b.i32(turns);
    let quadrant = b.add(quadrant, turns);
    let (odd, zero) = (b.i32(1), b.i32(0));
    let is_odd = b.and(quadrant, odd);
    let is_odd = b.compare(Comparison::Ne, is_odd, zero);
    let value = b.select(is_odd, cosine, sine);
    // The third and fourth quadrant are negative.
    let sign = b.shift_left(quadrant, 30);
    let mask = b.i32(i32::MIN);
    let sign = b.and(sign, mask);
    let bits = b.bits(value);
    let bits = b.xor(bits, sign);
    b.from_bits(bits)
}

/// `sin x`: at most 2 ULP for |x| ≤ 2²² , `-0` kept. Beyond, floats are half a radian apart and more: a number in [-1, 1].
pub fn sin(b: &mut BlockBuilder, x: Value) -> Value {
    if is_f64(b, x) {
        return b.call(ScalarFunction::Sin, vec![x]);
    }
    let value = turned_sine(b, x, 0);
    let zero = b.f32(0.0);
    let is_zero = b.compare(Comparison::Eq, x, zero);
    b.select(is_zero, x, value)
}

/// `cos x`: at most 2 ULP for |x| ≤ 2²². Beyond, floats are half a radian apart and more: a number in [-1, 1].
pub fn cos(b: &mut BlockBuilder, x: Value) -> Value {
    if is_f64(b, x) {
        return b.call(ScalarFunction::Cos, vec![x]);
    }
    turned_sine(b, x, 1)
}
