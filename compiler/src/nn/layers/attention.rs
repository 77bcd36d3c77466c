//! Self-attention.

use super::{FROZEN, INIT, PENALTY, RATE_FACTOR};
use crate::graph::{Dim, NodeId, Shape};
use crate::nn::activations::softmax;
use crate::nn::fault::{ARGUMENT_BOUNDS, Detail, SHAPES_DIFFER, WRONG_RANK};
use crate::nn::parameters::Wanted;
use crate::nn::{Call, Family, Fault, Function, Kind, Network, Parameter};
use crate::ops::Primitive;

/// What a score is that may not be looked at: its exponential is 0 beside any other.
const HIDDEN: f64 = -1e30;

pub static ATTENTION: Function = Function {
    name: "attention",
    family: Family::Layer,
    doc: "[batch, steps, f] to [batch, steps, f]: each step looks at all, or at those before it where causal",
    source: "Vaswani et al. (2017), section 3.2: query, key and value from one projection, in this order",
    formula: "softmax(q . k^T / sqrt(f / heads)) . v, then . output_weight + output_bias",
    parameters: &[
        Parameter::required("heads", Kind::Size { least: 1 }, "the number of heads, which divides the features"),
        Parameter::optional("causal", Kind::Flag, "false", "whether a step sees only itself and those before it"),
        Parameter::optional("mask", Kind::Tensor, "", "[batch, steps], not 0 for the steps that may be looked at"),
        Parameter { doc: "initialiser of both weights; glorot unless told, by the fans of one projection", ..INIT },
        PENALTY,
        RATE_FACTOR,
        FROZEN,
    ],
    build,
    ..Function::BASE
};

fn build(network: &mut Network, x: NodeId, call: &Call) -> Result<NodeId, Fault> {
    let heads = call.size("heads");
    let [Dim::Batch, Dim::Fixed(steps), Dim::Fixed(width)] = network.builder.shape(x).0[..] else {
        let value = network.describe(x, "its receiver");
        let message = format!("attention needs [batch, steps, features]; {value} is {}", network.shape_text(x));
        return Err(Fault::new(WRONG_RANK, message).with(Detail::Steps).about(x));
    };
    if !width.is_multiple_of(heads) {
        let message = format!("attention: {heads} heads do not divide {width} features");
        return Err(Fault::new(ARGUMENT_BOUNDS, message).with(Detail::Parts).at("heads"));
    }
    let all = projected(network, x, call, ("weight", "bias"), (width, 3 * width))?;
    let split = Shape::batch(&[steps, heads, width / heads]);
    let mut part = |index: usize| {
        let part = network.builder.slice(all, 2, index * width, (index + 1) * width)?;
        network.builder.reshape(part, &split)
    };
    let (query, key, value) = (part(0)?, part(1)?, part(2)?);
    let scores = network.builder.contract(query, key, "n t h e, n s h e -> n h t s")?;
    let mut scores = network.builder.scale(scores, 1.0 / ((width / heads) as f64).sqrt())?;
    let shape = network.builder.shape(scores);
    let hidden = network.builder.constant_like(scores, HIDDEN)?;
    if call.flag("causal") {
        let (from, to) = (network.builder.iota(shape.clone(), 3)?, network.builder.iota(shape.clone(), 2)?);
        let seen = network.builder.binary(Primitive::Le, from, to)?;
        scores = network.builder.select(seen, scores, hidden)?;
    }
    if let Some(mask) = call.tensor("mask") {
        let seen = mask_of(network, mask, steps)?;
        let seen = network.builder.expand(seen, &shape, &[1, 2])?;
        scores = network.builder.select(seen, scores, hidden)?;
    }
    let shares = softmax(network, scores, 3)?;
    let seen = network.builder.contract(shares, value, "n h t s, n s h e -> n t h e")?;
    let joined = network.builder.reshape(seen, &Shape::batch(&[steps, width]))?;
    projected(network, joined, call, ("output_weight", "output_bias"), (width, width))
}

/// `x · weight + bias` along the last axis.
fn projected(
    network: &mut Network,
    x: NodeId,
    call: &Call,
    (weight, bias): (&str, &str),
    (width, out): (usize, usize),
) -> Result<NodeId, Fault> {
    let mut wanted = Wanted::weight(&[width, out], width, width);
    wanted.initializer = Some(Call::new("glorot"));
    let wanted = network.governed(call, wanted)?;
    let weight = network.parameter(weight, wanted)?;
    let mut wanted = network.governed(call, Wanted::vector(out, "zeros"))?;
    wanted.initializer = Some(Call::new("zeros"));
    let bias = network.parameter(bias, wanted)?;
    let product = network.builder.contract(x, weight, "n t k, k j -> n t j")?;
    Ok(network.builder.add(product, bias)?)
}

/// Whether each step may be looked at: `[batch, steps]`.
fn mask_of(network: &mut Network, mask: NodeId, steps: usize) -> Result<NodeId, Fault> {
    if *network.builder.graph().shape(mask) != Shape::batch(&[steps]) {
        let message =
            format!("the mask is {}; it says for each of [batch, {steps}] whether it is there", network.shape_text(mask));
        return Err(Fault::new(SHAPES_DIFFER, message).at("mask").about(mask));
    }
    let zero = network.builder.constant_like(mask, 0.0)?;
    Ok(network.builder.binary(Primitive::Ne, mask, zero)?)
}
