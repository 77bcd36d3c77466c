//! Piecewise linear stand-ins for smooth curves.

use super::{glorot, he};
use crate::graph::NodeId;
use crate::nn::{Family, Fault, Function, Network};
use crate::ops::Primitive;

const ACTIVATION: Function = Function { family: Family::Activation, wants: Some(he), ..Function::BASE };

/// `min(6, max(0, x))`, in the order that lets NaN pass; at both kinks the derivative is 0.
fn six(network: &mut Network, x: NodeId) -> Result<NodeId, Fault> {
    let builder = &mut network.builder;
    let zero = builder.constant_like(x, 0.0)?;
    let six = builder.constant_like(x, 6.0)?;
    let rectified = builder.binary(Primitive::Max, zero, x)?;
    Ok(builder.binary(Primitive::Min, six, rectified)?)
}

pub static RELU6: Function = Function {
    name: "relu6",
    doc: "x between 0 and 6",
    source: "Krizhevsky (2010)",
    formula: "min(6, max(0, x))",
    build: |network, x, _| six(network, x),
    dies: true,
    ..ACTIVATION
};

pub static HARD_SIGMOID: Function = Function {
    name: "hard_sigmoid",
    doc: "x/6 + 1/2 between 0 and 1",
    source: "Howard et al. (2019), section 5.2",
    formula: "min(6, max(0, x + 3)) / 6",
    build: |network, x, _| {
        let shifted = network.builder.offset(x, 3.0)?;
        let clipped = six(network, shifted)?;
        Ok(network.builder.scale(clipped, 1.0 / 6.0)?)
    },
    wants: Some(glorot),
    limits: Some((0.0, 1.0)),
    ..ACTIVATION
};

pub static HARD_SWISH: Function = Function {
    name: "hard_swish",
    doc: "x · hard_sigmoid(x)",
    source: "Howard et al. (2019), equation 2",
    formula: "x * min(6, max(0, x + 3)) / 6",
    build: |network, x, _| {
        let shifted = network.builder.offset(x, 3.0)?;
        let clipped = six(network, shifted)?;
        let product = network.builder.mul(x, clipped)?;
        Ok(network.builder.scale(product, 1.0 / 6.0)?)
    },
    dies: true,
    ..ACTIVATION
};

pub static HARD_TANH: Function = Function {
    name: "hard_tanh",
    doc: "x between -1 and 1",
    source: "Collobert (2004), section 5.1",
    formula: "min(1, max(-1, x))",
    build: |network, x, _| {
        let builder = &mut network.builder;
        let (low, high) = (builder.constant_like(x, -1.0)?, builder.constant_like(x, 1.0)?);
        let raised = builder.binary(Primitive::Max, low, x)?;
        Ok(builder.binary(Primitive::Min, high, raised)?)
    },
    wants: Some(glorot),
    limits: Some((-1.0, 1.0)),
    ..ACTIVATION
};
