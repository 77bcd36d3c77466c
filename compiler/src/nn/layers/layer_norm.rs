//! Layer normalisation.

use super::dense::features;
use super::{FROZEN, RATE_FACTOR};
use crate::graph::NodeId;
use crate::nn::parameters::Wanted;
use crate::nn::{Call, Family, Fault, Function, Kind, Network, Parameter};
use crate::ops::Primitive;

pub static LAYER_NORM: Function = Function {
    name: "layer_norm",
    family: Family::Layer,
    doc: "mean 0 and variance 1 along the last axis [.., f] of each row, then gamma and beta [f]",
    source: "Ba, Kiros and Hinton (2016), equation 3, over the last axis; the same in training and evaluation",
    formula: "gamma * (x - mean) / sqrt(variance + epsilon) + beta",
    parameters: &[Parameter::optional("epsilon", Kind::POSITIVE, "1e-5", "added to the variance"), RATE_FACTOR, FROZEN],
    build,
    transparent: true,
    ..Function::BASE
};

fn build(network: &mut Network, x: NodeId, call: &Call) -> Result<NodeId, Fault> {
    let width = features(network, "layer_norm", x)?;
    let gamma = network.governed(call, Wanted::vector(width, "ones"))?;
    let gamma = network.parameter("gamma", gamma)?;
    let beta = network.governed(call, Wanted::vector(width, "zeros"))?;
    let beta = network.parameter("beta", beta)?;
    let epsilon = network.number(call, "epsilon");
    let builder = &mut network.builder;
    let shape = builder.shape(x);
    let last = shape.rank() - 1;
    let mean = builder.mean(x, &[last])?;
    let mean = builder.expand(mean, &shape, &[last])?;
    let centred = builder.sub(x, mean)?;
    let square = builder.mul(centred, centred)?;
    let variance = builder.mean(square, &[last])?;
    let shifted = builder.add(variance, epsilon)?;
    let deviation = builder.unary(Primitive::Sqrt, shifted)?;
    let deviation = builder.expand(deviation, &shape, &[last])?;
    let normal = builder.div(centred, deviation)?;
    let scaled = builder.mul(normal, gamma)?;
    Ok(builder.add(scaled, beta)?)
}
