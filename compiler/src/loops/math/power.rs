//! Powers, through a logarithm in two floats.

use super::exponential::exp_of_sum;
use super::logarithm::{Parts, parts};
use super::{is_f64, polynomial};
use crate::loops::block::BlockBuilder;
use crate::loops::{Comparison, ScalarFunction, Value};

/// `2·atanh g ≈ 2g + g³·(c₀ + c₁g² + …)` on |g| ≤ 0.1716, relative error 2⁻³⁵.
const ATANH: [f32; 4] = [0.666_666_6, 0.400_009_72, 0.284_988_28, 0.242_771_71];
/// The leading 15 bits of ln 2: their product with an exponent is exact.
const LN2_LEADING: f32 = 0.693_145_75;
/// ln 2 - [`LN2_LEADING`].
const LN2_TRAILING: f32 = 1.428_606_8e-6;

/// A number as the unevaluated sum of two floats, the second below half a place of the first.
struct Pair {
    high: Value,
    low: Value,
}

/// `log x` of a positive finite `x`, with a relative error of about 2⁻³⁰.
///
/// `x = 2ⁱ·m`, `m` in [√½, √2); `log m = 2·atanh g`, `g = (m - 1) / (m + 1)`: the quotient's remainder is known exactly, and what
/// follows `2g` is less than a hundredth of it.
fn log_pair(b: &mut BlockBuilder, x: Value) -> Pair {
    let Parts { exponent, mantissa } = parts(b, x, std::f32::consts::FRAC_1_SQRT_2);
    let one = b.f32(1.0);
    let two = b.f32(2.0);
    let f = b.sub(mantissa, one);
    let below = b.add(f, two);
    let taken = b.sub(below, two);
    let below_low = b.sub(f, taken);
    let g = b.div(f, below);
    let minus_g = b.neg(g);
    let remainder = b.fma(minus_g, below, f);
    let remainder = b.fma(minus_g, below_low, remainder);
    let g_low = b.div(remainder, below);

    let square = b.mul(g, g);
    let cube = b.mul(square, g);
    let q = polynomial(b, square, &ATANH);
    let curved = b.mul(cube, q);

    let leading = b.f32(LN2_LEADING * f32::EPSILON);
    let trailing = b.f32(LN2_TRAILING * f32::EPSILON);
    let whole = b.mul(exponent, leading);
    let linear = b.add(g, g);
    let sum = b.add(whole, linear);
    let taken = b.sub(sum, whole);
    let lost = b.sub(linear, taken);
    let low = b.fma(exponent, trailing, curved);
    let low = b.add(low, lost);
    let slope = b.fma(square, two, two);
    let low = b.fma(g_low, slope, low);
    let high = b.add(sum, low);
    let taken = b.sub(high, sum);
    let low = b.sub(low, taken);
    Pair { high, low }
}

/// `xʸ`, at most 3 ULP (over 2²⁸ pairs), with the special cases of C's `pow`: `x⁰ = 1ʸ = 1` even of NaN, a negative `x` has powers of integers only
/// (NaN otherwise), `(±0)ʸ` and `(±∞)ʸ` are the limits, signed for odd `y`.
pub fn pow(b: &mut BlockBuilder, x: Value, y: Value) -> Value {
    if is_f64(b, x) {
        return b.call(ScalarFunction::Pow, vec![x, y]);
    }
    let zero = b.f32(0.0);
    let one = b.f32(1.0);
    let infinity = b.f32(f32::INFINITY);
    let magnitude = b.abs(x);
    let Pair { high, low } = log_pair(b, magnitude);
    // Logarithms of 0, and of infinity and NaN, which are their own.
    let minus_infinity = b.f32(f32::NEG_INFINITY);
    let is_zero = b.compare(Comparison::Eq, magnitude, zero);
    let high = b.select(is_zero, minus_infinity, high);
    let finite = b.compare(Comparison::Lt, magnitude, infinity);
    let high = b.select(finite, high, magnitude);
    // So large a power is as good as an infinite one, and times log 1 it is 0.
    let most = b.f32(1e30);
    let least = b.f32(-1e30);
    let bounded = b.min(most, y);
    let bounded = b.max(least, bounded);

    let product = b.mul(high, bounded);
    let minus_product = b.neg(product);
    let product_low = b.fma(high, bounded, minus_product);
    let product_low = b.fma(low, bounded, product_low);
    let result = exp_of_sum(b, product, product_low);

    let is_integer = integer(b, y);
    let signed = odd_and_negative(b, x, y, is_integer);
    let bits = b.bits(result);
    let bits = b.or(bits, signed);
    let result = b.from_bits(bits);

    let nan = b.f32(f32::NAN);
    let negative = b.compare(Comparison::Lt, x, zero);
    let negative = b.and(negative, finite);
    let minus_one = b.i32(-1);
    let broken = b.xor(is_integer, minus_one);
    let undefined = b.and(negative, broken);
    let result = b.select(undefined, nan, result);

    let no_power = b.compare(Comparison::Eq, y, zero);
    let is_one = b.compare(Comparison::Eq, x, one);
    let always_one = b.or(no_power, is_one);
    b.select(always_one, one, result)
}

fn integer(b: &mut BlockBuilder, y: Value) -> Value {
    let whole = b.truncate(y);
    b.compare(Comparison::Eq, whole, y)
}

/// The sign bit where `x` has it and `y` is an odd integer, else 0.
fn odd_and_negative(b: &mut BlockBuilder, x: Value, y: Value, is_integer: Value) -> Value {
    let half = b.f32(0.5);
    let half = b.mul(y, half);
    let whole = b.truncate(half);
    let not_even = b.compare(Comparison::Ne, whole, half);
    let odd = b.and(not_even, is_integer);
    let mask = b.i32(i32::MIN);
    let bits = b.bits(x);
    let sign = b.and(bits, mask);
    b.and(sign, odd)
}
