//! Shares of rows whose class was found.

use super::{METRIC, Y, detection};
use crate::graph::{Element, NodeId};
use crate::nn::fault::ARGUMENT_BOUNDS;
use crate::nn::losses::{labels, one_hot};
use crate::nn::{Call, Fault, Function, Kind, Network, Parameter};
use crate::ops::Primitive;

/// The share of right answers: of classes by the largest value (the first of equals), of yes and no by the threshold.
pub static ACCURACY: Function = Function {
    name: "accuracy",
    doc: "share of rows [.., classes] whose largest value is the class that came; for a target of the same shape, of elements on the right side",
    formula: "mean(argmax(x) == y)",
    parameters: &[
        Y,
        Parameter::optional(
            "from",
            Kind::Choice(&["logits", "probabilities"]),
            "logits",
            "whether yes begins above 0 or above 1/2, for targets of the same shape",
        ),
    ],
    build: |network, x, call| {
        let y = call.tensor("y").unwrap_or(x);
        let same_shape = network.builder.graph().shape(x) == network.builder.graph().shape(y);
        let hit = if same_shape { right_side(network, x, call)? } else { largest_is(network, x, y)? };
        let hit = network.builder.cast(hit, Element::F32)?;
        Ok(network.builder.mean_all(hit)?)
    },
    higher_is_better: true,
    ..METRIC
};

fn right_side(network: &mut Network, x: NodeId, call: &Call) -> Result<NodeId, Fault> {
    let (said, came) = detection::yes_and_no(network, "accuracy", x, call)?;
    Ok(network.builder.binary(Primitive::Eq, said, came)?)
}

fn largest_is(network: &mut Network, x: NodeId, y: NodeId) -> Result<NodeId, Fault> {
    let y = labels(network, "accuracy", x, y)?;
    let hit = one_hot(network, y, x)?;
    let first = first_largest(network, x)?;
    let builder = &mut network.builder;
    let shape = builder.shape(x);
    let last = shape.rank() - 1;
    let index = builder.iota(shape.clone(), last)?;
    let index = builder.cast(index, Element::F32)?;
    let none = builder.constant_like(index, shape.0[last].at(0) as f64)?;
    let own = builder.select(hit, index, none)?;
    let own = builder.reduce(Primitive::ReduceMin, own, &[last])?;
    Ok(builder.binary(Primitive::Eq, first, own)?)
}

/// The class of the largest value along the last axis, the first of equals, as a number [..]. A row of NaN has no largest: it gives the
/// number of classes.
pub fn first_largest(network: &mut Network, x: NodeId) -> Result<NodeId, Fault> {
    let builder = &mut network.builder;
    let shape = builder.shape(x);
    let last = shape.rank() - 1;
    let best = builder.reduce(Primitive::ReduceMax, x, &[last])?;
    let best = builder.expand(best, &shape, &[last])?;
    let largest = builder.binary(Primitive::Eq, x, best)?;
    let index = builder.iota(shape.clone(), last)?;
    let index = builder.cast(index, Element::F32)?;
    let none = builder.constant_like(index, shape.0[last].at(0) as f64)?;
    let candidate = builder.select(largest, index, none)?;
    Ok(builder.reduce(Primitive::ReduceMin, candidate, &[last])?)
}

/// Russakovsky et al. (2015), section 4: the class is among k guesses.
pub static TOP_K: Function = Function {
    name: "top_k",
    doc: "share of rows [.., classes] whose class has one of the k largest values; of equal values the first count as larger",
    formula: "mean(rank(x[y]) < k)",
    parameters: &[Y, Parameter::optional("k", Kind::Size { least: 1 }, "5", "how many guesses count")],
    build: |network, x, call| {
        let y = labels(network, "top_k", x, call.tensor("y").unwrap_or(x))?;
        let (shape, k) = (network.builder.shape(x), call.size("k"));
        let last = shape.rank() - 1;
        let classes = shape.0[last].at(0);
        if k > classes {
            let message = format!("top_k: `k` must be at most the {classes} classes, got {k}");
            return Err(Fault::new(ARGUMENT_BOUNDS, message).at("k").about(x));
        }
        let hit = one_hot(network, y, x)?;
        let builder = &mut network.builder;
        let zero = builder.constant_like(x, 0.0)?;
        let own = builder.select(hit, x, zero)?;
        let own = builder.sum(own, &[last])?;
        let own = builder.expand(own, &shape, &[last])?;
        // Ahead of the class is what is larger, or equal and earlier. What is not comparable counts as larger: a NaN is no hit.
        let index = builder.iota(shape.clone(), last)?;
        let label = builder.cast(y, Element::I32)?;
        let label = builder.expand(label, &shape, &[last])?;
        let below = builder.binary(Primitive::Lt, x, own)?;
        let equal = builder.binary(Primitive::Eq, x, own)?;
        let later = builder.binary(Primitive::Le, label, index)?;
        let equal_and_later = builder.binary(Primitive::And, equal, later)?;
        let behind = builder.binary(Primitive::Or, below, equal_and_later)?;
        let ahead = builder.unary(Primitive::Not, behind)?;
        let ahead = builder.cast(ahead, Element::F32)?;
        let rank = builder.sum(ahead, &[last])?;
        let k = builder.constant_like(rank, k as f64)?;
        let found = builder.binary(Primitive::Lt, rank, k)?;
        let found = builder.cast(found, Element::F32)?;
        Ok(builder.mean_all(found)?)
    },
    higher_is_better: true,
    ..METRIC
};
