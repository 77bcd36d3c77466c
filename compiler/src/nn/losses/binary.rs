//! Binary cross-entropy.

use super::classes::safe_log;
use super::mean::weighted_mean;
use super::regression::target_in;
use super::{DIVIDE, FROM, WEIGHTS, Y};
use crate::graph::{Element, NodeId};
use crate::nn::fault::CLASSES_DIFFER;
use crate::nn::parameters::Domain;
use crate::nn::{Call, Family, Fault, Function, Kind, Network, Parameter};
use crate::ops::Primitive;

/// `-y log p - (1-y) log(1-p)`, mean over all elements.
pub static BINARY_CROSS_ENTROPY: Function = Function {
    name: "binary_cross_entropy",
    family: Family::Loss,
    doc: "-w·y log p - (1-y) log(1-p), mean over all elements, w the positive weight; stable in both tails",
    formula: "-y * log(sigmoid(x)) - (1 - y) * log(1 - sigmoid(x))",
    parameters: &[
        Y,
        FROM,
        WEIGHTS,
        Parameter::optional("positive_weight", Kind::NOT_NEGATIVE, "1", "multiplies the loss of y = 1"),
        DIVIDE,
    ],
    build: |network, x, call| {
        yes_or_no(network, call)?;
        let y = target_in(network, "binary_cross_entropy", x, call, Domain::Shares)?;
        let (on, off) = match call.word("from") {
            Some("probabilities") => from_probabilities(network, x, y)?,
            _ => from_logits(network, x)?,
        };
        let losses = joined(network, y, on, off, call)?;
        weighted_mean(network, losses, call)
    },
    ..Function::BASE
};

/// Of classes there are two, else their numbers are no probabilities.
fn yes_or_no(network: &Network, call: &Call) -> Result<(), Fault> {
    let Some(y) = call.tensor("y") else { return Ok(()) };
    match network.builder.ty(y).element {
        Element::Class(count) if count > 2 => {
            let message =
                format!("binary_cross_entropy is between no and yes; {} has {count} classes", network.describe(y, "the target"));
            Err(Fault::new(CLASSES_DIFFER, message).help("for several classes take `cross_entropy`").against(y))
        }
        _ => Ok(()),
    }
}

/// `w·y·on + (1-y)·off`.
fn joined(network: &mut Network, y: NodeId, on: NodeId, off: NodeId, call: &Call) -> Result<NodeId, Fault> {
    let weight = (call.number("positive_weight") != Some(1.0)).then(|| network.number(call, "positive_weight"));
    let builder = &mut network.builder;
    let mut left = builder.mul(y, on)?;
    if let Some(weight) = weight {
        left = builder.mul(left, weight)?;
    }
    let one = builder.constant_like(y, 1.0)?;
    let rest = builder.sub(one, y)?;
    let right = builder.mul(rest, off)?;
    Ok(builder.add(left, right)?)
}

/// `(-log σ(x), -log(1 - σ(x)))` = `(softplus(-x), softplus(x))`, which share log1p(e^-|x|). Branches are selected, so that the
/// derivatives at 0 are -1/2 and 1/2.
fn from_logits(network: &mut Network, x: NodeId) -> Result<(NodeId, NodeId), Fault> {
    let builder = &mut network.builder;
    let zero = builder.constant_like(x, 0.0)?;
    let minus = builder.neg(x)?;
    let positive = builder.binary(Primitive::Lt, zero, x)?;
    let tail = builder.select(positive, minus, x)?;
    let tail = builder.unary(Primitive::Exp, tail)?;
    let tail = builder.unary(Primitive::Log1p, tail)?;
    let below = builder.select(positive, zero, minus)?;
    let above = builder.select(positive, x, zero)?;
    Ok((builder.add(below, tail)?, builder.add(above, tail)?))
}

/// `(-log p, -log(1 - p))`, each 0 where the target gives it no weight.
fn from_probabilities(network: &mut Network, p: NodeId, y: NodeId) -> Result<(NodeId, NodeId), Fault> {
    let log = safe_log(network, p, y)?;
    let on = network.builder.neg(log)?;
    let one = network.builder.constant_like(y, 1.0)?;
    let other = network.builder.sub(one, y)?;
    let rest = network.builder.sub(one, p)?;
    let log = safe_log(network, rest, other)?;
    Ok((on, network.builder.neg(log)?))
}
