//! Softmax and its logarithm, with the largest element taken out first so that nothing overflows.

use super::glorot;
use crate::graph::NodeId;
use crate::nn::fault::WRONG_AXIS;
use crate::nn::{Call, Family, Fault, Function, Kind, Network, Parameter, operations};
use crate::ops::Primitive;

const AXIS: &[Parameter] =
    &[Parameter::optional("axis", Kind::Integer, "-1", "the axis that sums to 1; negative counts from the end")];

pub static SOFTMAX: Function = Function {
    name: "softmax",
    family: Family::Activation,
    doc: "e^x over its sum along an axis, the last unless told",
    formula: "exp(x - max x) / sum exp(x - max x)",
    parameters: AXIS,
    build: |network, x, call| {
        let axis = axis(network, x, call)?;
        softmax(network, x, axis)
    },
    wants: Some(glorot),
    ..Function::BASE
};

pub static LOG_SOFTMAX: Function = Function {
    name: "log_softmax",
    family: Family::Activation,
    doc: "logarithm of softmax along an axis, the last unless told",
    formula: "(x - max x) - log sum exp(x - max x)",
    parameters: AXIS,
    build: |network, x, call| {
        let axis = axis(network, x, call)?;
        log_softmax(network, x, axis)
    },
    wants: Some(glorot),
    ..Function::BASE
};

fn axis(network: &Network, x: NodeId, call: &Call) -> Result<usize, Fault> {
    let axis = call.number("axis").unwrap_or(-1.0);
    operations::axis(network, x, axis)
        .ok_or_else(|| Fault::new(WRONG_AXIS, format!("{} has no axis {axis}", network.shape_text(x))).about(x).at("axis"))
}

/// `x - max x` along an axis. The maximum is a constant to the derivative: whatever it is, the result does not depend on it.
fn centred(network: &mut Network, x: NodeId, axis: usize) -> Result<NodeId, Fault> {
    let builder = &mut network.builder;
    let shape = builder.shape(x);
    let largest = builder.reduce(Primitive::ReduceMax, x, &[axis])?;
    let largest = builder.unary(Primitive::StopGradient, largest)?;
    let largest = builder.expand(largest, &shape, &[axis])?;
    Ok(builder.sub(x, largest)?)
}

/// `e^x` over its sum along an axis.
pub fn softmax(network: &mut Network, x: NodeId, axis: usize) -> Result<NodeId, Fault> {
    let centred = centred(network, x, axis)?;
    let builder = &mut network.builder;
    let shape = builder.shape(x);
    let exponential = builder.unary(Primitive::Exp, centred)?;
    let sum = builder.sum(exponential, &[axis])?;
    let sum = builder.expand(sum, &shape, &[axis])?;
    Ok(builder.div(exponential, sum)?)
}

/// `(x - m) - log Σ exp(x - m)` along an axis, m the largest element.
pub fn log_softmax(network: &mut Network, x: NodeId, axis: usize) -> Result<NodeId, Fault> {
    let centred = centred(network, x, axis)?;
    let builder = &mut network.builder;
    let shape = builder.shape(x);
    let exponential = builder.unary(Primitive::Exp, centred)?;
    let sum = builder.sum(exponential, &[axis])?;
    let log = builder.unary(Primitive::Log, sum)?;
    let log = builder.expand(log, &shape, &[axis])?;
    Ok(builder.sub(centred, log)?)
}
