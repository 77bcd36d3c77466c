//! Batch normalisation.

use super::{FROZEN, RATE_FACTOR, folding};
use crate::graph::{Dim, NodeId, Shape};
use crate::nn::fault::{WRONG_AXIS, WRONG_RANK};
use crate::nn::parameters::Wanted;
use crate::nn::{Call, Family, Fault, Function, Kind, Network, Parameter};
use crate::ops::Primitive;

/// Momentum weights the new batch; the running variance is unbiased (n/(n-1)), the one that normalises is not. Before it, a layer's bias
/// would be taken out again with the mean, so none is made unless it is asked for or something else reads it.
pub static BATCH_NORM: Function = Function {
    name: "batch_norm",
    family: Family::Layer,
    doc: "mean 0 and variance 1 over the batch for each feature [.., f], or channel of [batch, c, h, w], then gamma and beta; in evaluation by the running moments, folded into the weights of a dense or conv2d right before it",
    source: "Ioffe and Szegedy (2015), algorithm 1; the running variance is unbiased, the one that normalises is not",
    formula: "gamma * (x - mean) / sqrt(variance + epsilon) + beta",
    parameters: &[
        Parameter::optional(
            "momentum",
            Kind::WEIGHT,
            "0.1",
            "weight of the new batch in the running moments; Keras' 0.99 is 0.01 here",
        ),
        Parameter::optional("epsilon", Kind::POSITIVE, "1e-5", "added to the variance"),
        Parameter::optional("axis", Kind::Integer, "", "the axis of features: the last, or 1 of four"),
        RATE_FACTOR,
        FROZEN,
    ],
    build,
    transparent: true,
    batch_moment: Some("running_mean"),
    conventions: "momentum weights the new batch; the running variance is unbiased, the one that normalises is not",
    ..Function::BASE
};

fn build(network: &mut Network, receiver: NodeId, call: &Call) -> Result<NodeId, Fault> {
    let axis = feature_axis(network, receiver, call)?;
    // The mean takes out a bias along its own axis, and no other; so does the scale go into a weight.
    let is_along = network.uses.iter().rev().find(|one| one.output == receiver).is_some_and(|one| network.makes(one, axis));
    let x = if is_along { network.without_unasked_bias(receiver) } else { receiver };
    let shape = network.builder.shape(x);
    let Dim::Fixed(width) = shape.0[axis] else {
        let message =
            format!("batch_norm needs features beside the batch; axis {axis} of {} is the batch", network.shape_text(x));
        return Err(Fault::new(WRONG_AXIS, message).about(x).at("axis"));
    };
    let gamma = network.governed(call, Wanted::vector(width, "ones"))?;
    let gamma = network.parameter("gamma", gamma)?;
    let beta = network.governed(call, Wanted::vector(width, "zeros"))?;
    let beta = network.parameter("beta", beta)?;
    let running_mean = network.state("running_mean", Shape::fixed(&[width]), 0.0)?;
    let running_variance = network.state("running_variance", Shape::fixed(&[width]), 1.0)?;
    let epsilon = network.number(call, "epsilon");
    let others: Vec<usize> = (0..shape.rank()).filter(|&other| other != axis).collect();
    let is_frozen = network.is_frozen(&network.path_of("gamma"), call.flag("frozen"));
    if !network.training || is_frozen {
        // Everything but x is known before the pass: one scale and one shift a feature.
        let deviation = deviation(network, running_variance, epsilon)?;
        let builder = &mut network.builder;
        let scale = builder.div(gamma, deviation)?;
        let folded = if network.training || !is_along { None } else { folding::scaled(network, receiver, x, scale)? };
        let builder = &mut network.builder;
        if let Some(folded) = folded {
            let shift = builder.mul(running_mean, scale)?;
            let shift = builder.sub(beta, shift)?;
            let shift = builder.expand(shift, &shape, &others)?;
            return Ok(builder.add(folded, shift)?);
        }
        let mean = builder.expand(running_mean, &shape, &others)?;
        let centred = builder.sub(x, mean)?;
        let scale = builder.expand(scale, &shape, &others)?;
        let scaled = builder.mul(centred, scale)?;
        let beta = builder.expand(beta, &shape, &others)?;
        return Ok(builder.add(scaled, beta)?);
    }
    let builder = &mut network.builder;
    let mean = builder.mean(x, &others)?;
    let spread = builder.expand(mean, &shape, &others)?;
    let centred = builder.sub(x, spread)?;
    let square = builder.mul(centred, centred)?;
    let variance = builder.mean(square, &others)?;
    let deviation = deviation(network, variance, epsilon)?;
    let builder = &mut network.builder;
    let deviation = builder.expand(deviation, &shape, &others)?;
    let normal = builder.div(centred, deviation)?;
    let gamma = builder.expand(gamma, &shape, &others)?;
    let scaled = builder.mul(normal, gamma)?;
    let beta = builder.expand(beta, &shape, &others)?;
    let output = builder.add(scaled, beta)?;
    let count = builder.count(&shape, &others)?;
    let fewer = builder.offset(count, -1.0)?;
    let correction = builder.div(count, fewer)?;
    let unbiased = builder.mul(variance, correction)?;
    blend(network, call, running_mean, mean)?;
    blend(network, call, running_variance, unbiased)?;
    Ok(output)
}

/// `√(variance + ε)`.
fn deviation(network: &mut Network, variance: NodeId, epsilon: NodeId) -> Result<NodeId, Fault> {
    let shifted = network.builder.add(variance, epsilon)?;
    Ok(network.builder.unary(Primitive::Sqrt, shifted)?)
}

/// `running ← (1 - momentum) · running + momentum · new`.
fn blend(network: &mut Network, call: &Call, state: NodeId, new: NodeId) -> Result<(), Fault> {
    let momentum = network.number(call, "momentum");
    // A shared layer's second use goes on from what the first left.
    let old = network.state_value(state);
    let builder = &mut network.builder;
    let one = builder.constant_f64(1.0);
    let rest = builder.sub(one, momentum)?;
    let kept = builder.mul(old, rest)?;
    let added = builder.mul(new, momentum)?;
    let next = builder.add(kept, added)?;
    network.set_state(state, next);
    Ok(())
}

pub(crate) fn feature_axis(network: &Network, x: NodeId, call: &Call) -> Result<usize, Fault> {
    let rank = network.builder.graph().shape(x).rank();
    if rank < 2 {
        let message =
            format!("batch_norm needs [batch, features]; {} is {}", network.describe(x, "its receiver"), network.shape_text(x));
        return Err(Fault::new(WRONG_RANK, message).about(x));
    }
    match call.number("axis") {
        None if rank == 4 => Ok(1),
        None => Ok(rank - 1),
        Some(axis) => crate::nn::operations::axis(network, x, axis)
            .ok_or_else(|| Fault::new(WRONG_AXIS, format!("{} has no axis {axis}", network.shape_text(x))).about(x).at("axis")),
    }
}
