//! x times a gate between 0 and 1.

use super::{he, softplus};
use crate::nn::{Family, Function};
use crate::ops::Primitive;
use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI};

const ACTIVATION: Function = Function { family: Family::Activation, wants: Some(he), ..Function::BASE };

pub static GELU: Function = Function {
    name: "gelu",
    doc: "x times the normal distribution's share below x",
    source: "Hendrycks and Gimpel (2016), equation 1",
    formula: "x / 2 * (1 + erf(x / sqrt(2)))",
    build: |network, x, _| {
        let builder = &mut network.builder;
        let scaled = builder.scale(x, FRAC_1_SQRT_2)?;
        let erf = builder.unary(Primitive::Erf, scaled)?;
        let shifted = builder.offset(erf, 1.0)?;
        let half = builder.scale(x, 0.5)?;
        Ok(builder.mul(half, shifted)?)
    },
    ..ACTIVATION
};

/// A square beyond which `gelu_tanh` is 0 or x itself, for f64 too.
const SATURATED: f64 = 1e4;

pub static GELU_TANH: Function = Function {
    name: "gelu_tanh",
    doc: "gelu through tanh",
    source: "Hendrycks and Gimpel (2016), section 2",
    formula: "x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3)))",
    build: |network, x, _| {
        let builder = &mut network.builder;
        // From 1e4 on the tanh is 1 and its slope 0, times the square's infinity it would be NaN.
        let most = builder.constant_like(x, SATURATED)?;
        let square = builder.mul(x, x)?;
        let square = builder.binary(Primitive::Min, most, square)?;
        let cube = builder.mul(square, x)?;
        let cube = builder.scale(cube, 0.044715)?;
        let sum = builder.add(x, cube)?;
        let inner = builder.scale(sum, FRAC_2_SQRT_PI * FRAC_1_SQRT_2)?;
        let tanh = builder.unary(Primitive::Tanh, inner)?;
        let shifted = builder.offset(tanh, 1.0)?;
        let half = builder.scale(x, 0.5)?;
        Ok(builder.mul(half, shifted)?)
    },
    ..ACTIVATION
};

pub static SILU: Function = Function {
    name: "silu",
    doc: "x · sigmoid(x)",
    source: "Elfwing, Uchibe and Doya (2018); Ramachandran, Zoph and Le (2017) call it swish",
    formula: "x * sigmoid(x)",
    build: |network, x, _| {
        let gate = network.builder.unary(Primitive::Sigmoid, x)?;
        Ok(network.builder.mul(x, gate)?)
    },
    ..ACTIVATION
};

pub static MISH: Function = Function {
    name: "mish",
    doc: "x · tanh(softplus(x))",
    source: "Misra (2019)",
    formula: "x * tanh(log(1 + exp(x)))",
    build: |network, x, _| {
        let soft = softplus(network, x)?;
        let gate = network.builder.unary(Primitive::Tanh, soft)?;
        Ok(network.builder.mul(x, gate)?)
    },
    ..ACTIVATION
};
