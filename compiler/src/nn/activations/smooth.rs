//! Smooth curves.

use super::{glorot, he};
use crate::graph::NodeId;
use crate::nn::{Family, Fault, Function, Network};
use crate::ops::Primitive;

const ACTIVATION: Function = Function { family: Family::Activation, wants: Some(glorot), ..Function::BASE };

pub static SIGMOID: Function = Function {
    name: "sigmoid",
    doc: "1/(1+e^-x), right in both tails",
    formula: "1 / (1 + exp(-x))",
    build: |network, x, _| Ok(network.builder.unary(Primitive::Sigmoid, x)?),
    limits: Some((0.0, 1.0)),
    ..ACTIVATION
};

pub static TANH: Function = Function {
    name: "tanh",
    doc: "hyperbolic tangent",
    formula: "tanh(x)",
    build: |network, x, _| Ok(network.builder.unary(Primitive::Tanh, x)?),
    limits: Some((-1.0, 1.0)),
    ..ACTIVATION
};

pub static SOFTPLUS: Function = Function {
    name: "softplus",
    doc: "log(1 + e^x), right in both tails",
    source: "Glorot, Bordes and Bengio (2011)",
    formula: "log(1 + exp(x))",
    build: |network, x, _| softplus(network, x),
    wants: Some(he),
    ..ACTIVATION
};

/// `log(1 + e^x)`: x + log1p(e^-x) for x > 0, log1p(e^x) else. The branches are selected, so that the derivative at 0 is 1/2
/// (in the form max(x, 0) + log1p(e^-|x|) it would be 0).
pub fn softplus(network: &mut Network, x: NodeId) -> Result<NodeId, Fault> {
    let builder = &mut network.builder;
    let zero = builder.constant_like(x, 0.0)?;
    let positive = builder.binary(Primitive::Lt, zero, x)?;
    let linear = builder.select(positive, x, zero)?;
    let minus = builder.neg(x)?;
    let tail = builder.select(positive, minus, x)?;
    let tail = builder.unary(Primitive::Exp, tail)?;
    let tail = builder.unary(Primitive::Log1p, tail)?;
    Ok(builder.add(linear, tail)?)
}

pub static LOG_SIGMOID: Function = Function {
    name: "log_sigmoid",
    doc: "log of sigmoid, right in both tails: -softplus(-x)",
    formula: "-log(1 + exp(-x))",
    build: |network, x, _| {
        let minus = network.builder.neg(x)?;
        let soft = softplus(network, minus)?;
        Ok(network.builder.neg(soft)?)
    },
    ..ACTIVATION
};

pub static SOFTSIGN: Function = Function {
    name: "softsign",
    doc: "x / (1 + |x|)",
    source: "Bergstra et al. (2009)",
    formula: "x / (1 + |x|)",
    build: |network, x, _| {
        let size = network.builder.unary(Primitive::Abs, x)?;
        let below = network.builder.offset(size, 1.0)?;
        Ok(network.builder.div(x, below)?)
    },
    limits: Some((-1.0, 1.0)),
    ..ACTIVATION
};

pub static IDENTITY: Function = Function { name: "identity", doc: "x", formula: "x", ..ACTIVATION };
