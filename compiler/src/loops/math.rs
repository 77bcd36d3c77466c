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

mod exponential;
mod gaussian;
mod logarithm;
mod power;
#[cfg(test)]
mod tests;

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
    let mut terms = coefficients.iter().rev().map(|c| *c);
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

/// The standard normal quantile in f64, for the reference: Wichura's AS 241 (PPND16), relative error about 1e-16.
pub fn normal_quantile(u: f64) -> f64 {
    const A: [f64; 8] = [
        3.387_132_872_796_366_5,
        133.141_667_891_784_38,
        1_971.590_950_306_551_3,
        13_731.693_765_509_46,
        45_921.953_931_549_87,
        67_265.770_927_008_7,
        33_430.575_583_588_13,
        2_509.080_928_730_122_7,
    ];
    const B: [f64; 8] = [
        1.0,
        42.313_330_701_600_91,
        687.187_007_492_057_9,
        5_394.196_021_424_751,
        21_213.794_301_586_597,
        39_307.895_800_092_71,
        28_729.085_735_721_943,
        5_226.495_278_852_545,
    ];
    const C: [f64; 8] = [
        1.423_437_110_749_683_5,
        4.630_337_846_156_546,
        5.769_497_221_460_691,
        3.647_848_324_763_204_5,
        1.270_458_252_452_368_4,
        0.241_780_725_177_450_6,
        0.022_723_844_989_269_184,
        7.745_450_142_783_414e-4,
    ];
    const D: [f64; 8] = [
        1.0,
        2.053_191_626_637_759,
        1.676_384_830_183_803_8,
        0.689_767_334_985_1,
        0.148_103_976_427_480_08,
        0.015_198_666_563_616_457,
        5.475_938_084_995_345e-4,
        1.050_750_071_644_416_9e-9,
    ];
    const E: [f64; 8] = [
        6.657_904_643_501_103,
        5.463_784_911_164_114,
        1.784_826_539_917_291_3,
        0.296_560_571_828_504_87,
        0.026_532_189_526_576_124,
        0.001_242_660_947_388_078_4,
        2.711_555_568_743_487_6e-5,
        2.010_334_399_292_288_1e-7,
    ];
    const F: [f64; 8] = [
        1.0,
        0.599_832_206_555_888,
        0.136_929_880_922_735_8,
        0.014_875_361_290_850_615,
        7.868_691_311_456_133e-4,
        1.846_318_317_510_054_7e-5,
        1.421_511_758_316_446e-7,
        2.044_263_103_389_939_8e-15,
    ];
    let ratio = |top: &[f64; 8], bottom: &[f64; 8], x: f64| {
        let horner = |p: &[f64; 8]| p.iter().rev().fold(0.0, |sum, c| sum * x + c);
        horner(top) / horner(bottom)
    };
    let q = u - 0.5;
    if q.abs() <= 0.425 {
        return q * ratio(&A, &B, 0.180_625 - q * q);
    }
    let tail = libm::sqrt(-libm::log(if q < 0.0 { u } else { 1.0 - u }));
    let value = if tail <= 5.0 { ratio(&C, &D, tail - 1.6) } else { ratio(&E, &F, tail - 5.0) };
    if q < 0.0 { -value } else { value }
}
