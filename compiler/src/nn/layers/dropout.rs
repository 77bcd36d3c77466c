//! Noise in training, nothing in evaluation.

use crate::graph::NodeId;
use crate::nn::{Call, Family, Fault, Function, Kind, Network, Parameter};
use crate::ops::Primitive;

pub static DROPOUT: Function = Function {
    name: "dropout",
    family: Family::Layer,
    doc: "drops this share of the elements in training and scales the kept ones by 1/(1-rate); identity in evaluation",
    source: "Hinton et al. (2012); Srivastava et al. (2014), with the scaling in training (\"inverted\")",
    formula: "training: select(rate <= u, x / (1 - rate), 0)",
    parameters: &[Parameter::required("rate", Kind::SHARE, "the share that is dropped, such as 0.2")],
    build: |network, x, call| {
        let rate = network.tunable_here(call, "rate", Kind::SHARE)?;
        if !network.training {
            return Ok(x);
        }
        dropped(network, x, rate)
    },
    transparent: true,
    ..Function::BASE
};

fn dropped(network: &mut Network, x: NodeId, rate: NodeId) -> Result<NodeId, Fault> {
    let builder = &mut network.builder;
    let shape = builder.shape(x);
    let draw = builder.uniform(shape)?;
    let keep = builder.binary(Primitive::Le, rate, draw)?;
    let one = builder.constant_f64(1.0);
    let rest = builder.sub(one, rate)?;
    let scale = builder.div(one, rest)?;
    let scaled = builder.mul(x, scale)?;
    let zero = builder.constant_like(x, 0.0)?;
    // Selected, not multiplied: a dropped infinity is gone.
    Ok(builder.select(keep, scaled, zero)?)
}

/// Adds normal noise in training.
pub static NOISE: Function = Function {
    name: "noise",
    family: Family::Layer,
    doc: "adds normal noise of this standard deviation in training; identity in evaluation",
    source: "Bishop (1995)",
    formula: "training: x + deviation * normal",
    parameters: &[Parameter::required("deviation", Kind::NOT_NEGATIVE, "the standard deviation, such as 0.1")],
    build: |network: &mut Network, x, call: &Call| {
        let deviation = network.tunable_here(call, "deviation", Kind::NOT_NEGATIVE)?;
        if !network.training {
            return Ok(x);
        }
        let builder = &mut network.builder;
        let shape = builder.shape(x);
        let draw = builder.uniform(shape)?;
        let normal = builder.unary(Primitive::NormalQuantile, draw)?;
        let noise = builder.mul(normal, deviation)?;
        Ok(builder.add(x, noise)?)
    },
    transparent: true,
    ..Function::BASE
};
