//! Elementary functions written in block instructions, so that every emitter gives the same bits.
//!
//! Each function appends to a block the instructions that compute it for the lanes of `x`. For `F32` lanes the code below is the
//! definition of the function; its distance from the mathematical value, in units of the last place over all 2³² arguments, is
//! given with each and is what the tests hold it to. Denormal arguments and results are exact to the same bound, limits at ±0 and
//! ±∞ are right, and a NaN gives a NaN. `F64` lanes (step scalars) go to the scalar functions of `libm`.
//!
//! Polynomials are minimax fits (Lawson's iteratively reweighted least squares on Chebyshev nodes, coefficients rounded to f32 one
//! after the other with the rest refitted); a rational function stands where one quotient replaces a branch. Reductions follow
//! Cody and Waite, *Software Manual for the Elementary Functions* (1980), in the form that a fused multiply-add allows.

mod circular;
mod exponential;
mod gaussian;
mod logarithm;
mod power;
#[cfg(test)]
mod tests;

pub use circular::{cos, sin};
pub use exponential::{exp, expm1, sigmoid, softplus, tanh};
pub use gaussian::{erf, normal};
pub use logarithm::{log, log1p};
pub use power::pow;

use super::block::BlockBuilder;
use super::{Lane, Value};

/// ln 2 rounded to f32; `n * LN2_HIGH` is subtracted without error by a fused multiply-add.
const LN2_HIGH: f32 = std::f32::consts::LN_2;
/// ln 2 - [`LN2_HIGH`].
const LN2_LOW: f32 = -1.904_654_3e-9;

/// `c₀ + c₁x + c₂x² + …` by Horner's rule.
fn polynomial(b: &mut BlockBuilder, x: Value, coefficients: &[f32]) -> Value {
    let mut terms = coefficients.iter().rev().copied();
    let highest = terms.next().unwrap_or(0.0);
    let mut sum = b.f32(highest);
    for coefficient in terms {
        let coefficient = b.f32(coefficient);
        sum = b.fma(sum, x, coefficient);
    }
    sum
}

/// `magnitude` with the sign bit of `sign` set in addition to its own: the right sign for a value that has it already unless it is 0.
fn with_sign(b: &mut BlockBuilder, magnitude: Value, sign: Value) -> Value {
    let mask = b.i32(i32::MIN);
    let sign = b.bits(sign);
    let sign = b.and(sign, mask);
    let magnitude = b.bits(magnitude);
    let bits = b.or(magnitude, sign);
    b.from_bits(bits)
}

fn is_f64(b: &BlockBuilder, x: Value) -> bool {
    b.lane(x) == Lane::F64
}
