//! The error function and the inverse of the normal distribution.

use super::exponential::exp_complement;
use super::logarithm::exponent;
use super::{LN2_HIGH, is_f64, polynomial, with_sign};
use crate::loops::block::BlockBuilder;
use crate::loops::{ScalarFunction, Value};

/// `-log(erfc x) ≈ x + x·(c₀ + c₁x + …)` on [0, 3.95]; the error of erf that follows is at most 2⁻²⁴·⁶ of its value.
const LOG_ERFC: [f32; 8] = [
    0.128_379_21,
    0.636_616_23,
    0.102_817_39,
    -0.019_333_54,
    0.000_227_033_71,
    0.001_232_862_9,
    -0.000_373_030_6,
    0.000_039_433_857,
];

/// `erf x = 2/√π ∫₀ˣ e^{-t²} dt`, at most 3 ULP; its magnitude is never above 1.
///
/// `erf |x| = 1 - e^{-g}` with `g = -log(erfc |x|)`, which is nearly a parabola: one polynomial serves centre and tails, and its
/// rounding errors shrink with `e^{-g}` where a quotient of polynomials would keep them.
pub fn erf(b: &mut BlockBuilder, x: Value) -> Value {
    if is_f64(b, x) {
        return b.call(ScalarFunction::Erf, vec![x]);
    }
    let magnitude = b.abs(x);
    let most = b.f32(3.95);
    let magnitude = b.min(most, magnitude);
    let beyond = polynomial(b, magnitude, &LOG_ERFC);
    let g = b.fma(magnitude, beyond, magnitude);
    let result = exp_complement(b, g, 1.0);
    with_sign(b, result, x)
}

/// `log(1 + f) ≈ f + f²·(-1/2 + c₀f + …)` on [-1/4, 1/2], absolute error 2⁻²¹.
const LOG: [f32; 6] = [-0.5, 0.333_191_9, -0.250_410_62, 0.206_041_57, -0.168_055_55, 0.083_748_07];
/// `√2·erf⁻¹(x) / x ≈ P(w) / Q(w)` with `w = -log(1 - x²)` in [0, 15.3], relative error 2⁻²⁶·⁷: P.
const NORMAL_ABOVE: [f32; 6] = [1.253_314_1, 0.432_152_27, 0.083_928_995, 0.010_938_084, 0.000_908_152_67, 0.000_035_119_84];
/// Q of [`NORMAL_ABOVE`].
const NORMAL_BELOW: [f32; 6] = [1.0, 0.083_008_49, 0.032_200_865, 0.001_852_267_4, 0.000_181_578_73, 0.000_001_330_019_2];

/// The standard normal number that a uniform `u` (f32) in [2⁻²⁴, 1 - 2⁻²⁴] stands for: `Φ⁻¹(u) = √2·erf⁻¹(2u - 1)`.
///
/// The relative error is at most 2⁻²¹. As in Giles, *Approximating the erfinv function* (2010), the argument is
/// `w = -log(1 - x²) = -log(4u(1 - u))`, but one quotient serves centre and tails.
pub fn normal(b: &mut BlockBuilder, u: Value) -> Value {
    let one = b.f32(1.0);
    let minus_one = b.f32(-1.0);
    let two = b.f32(2.0);
    let x = b.fma(u, two, minus_one);
    let rest = b.sub(one, u);
    let product = b.mul(u, rest);
    // The product lies in [2⁻²⁵, 1/4], so no case of a logarithm but the plain one occurs; the 4 is taken into the mantissa.
    let bits = b.bits(product);
    let whole = exponent(b, bits, 0.75 / 4.0);
    let mantissa = b.sub(bits, whole);
    let mantissa = b.from_bits(mantissa);
    let four = b.f32(4.0);
    let f = b.fma(mantissa, four, minus_one);
    let square = b.mul(f, f);
    let q = polynomial(b, f, &LOG);
    let curved = b.fma(q, square, f);
    let exponent = b.to_float(whole);
    let ln2 = b.f32(LN2_HIGH * f32::EPSILON);
    let log = b.fma(exponent, ln2, curved);
    let above = polynomial(b, log, &alternating(NORMAL_ABOVE));
    let above = b.mul(x, above);
    let below = polynomial(b, log, &alternating(NORMAL_BELOW));
    b.div(above, below)
}

/// The coefficients of `P(-x)`.
fn alternating(mut coefficients: [f32; 6]) -> [f32; 6] {
    for coefficient in coefficients.iter_mut().skip(1).step_by(2) {
        *coefficient = -*coefficient;
    }
    coefficients
}
