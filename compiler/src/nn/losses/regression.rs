//! Losses between numbers.

use super::mean::{ask, weighted_mean};
use super::{DIVIDE, WEIGHTS, Y};
use crate::graph::{Element, NodeId};
use crate::nn::fault::{Detail, SHAPES_DIFFER};
use crate::nn::parameters::Domain;
use crate::nn::{Call, Family, Fault, Function, Kind, Network, Parameter};
use crate::ops::Primitive;

const LOSS: Function = Function { family: Family::Loss, parameters: &[Y, WEIGHTS, DIVIDE], ..Function::BASE };

/// The target as f32, of exactly the prediction's shape: stretching would compare every row with every other.
pub fn target(network: &mut Network, loss: &str, prediction: NodeId, call: &Call) -> Result<NodeId, Fault> {
    let y = call.tensor("y").unwrap_or(prediction);
    if network.builder.graph().shape(prediction) != network.builder.graph().shape(y) {
        let (left, right) = (network.shape_text(prediction), network.shape_text(y));
        let message = format!(
            "{loss} needs equal shapes: {} is {left}, {} is {right}",
            network.describe(prediction, "the prediction"),
            network.describe(y, "the target"),
        );
        let rank = |node: NodeId| network.builder.graph().shape(node).rank();
        let help = if rank(prediction) == rank(y) + 1 || rank(y) == rank(prediction) + 1 {
            format!("declare the target as `{left}`")
        } else {
            "give both the same shape".to_string()
        };
        let fault = Fault::new(SHAPES_DIFFER, message).help(help).with(Detail::Elementwise);
        return Err(fault.about(prediction).against(y));
    }
    Ok(network.builder.cast(y, Element::F32)?)
}

/// The same for a loss that takes certain numbers only.
pub fn target_in(
    network: &mut Network,
    loss: &'static str,
    prediction: NodeId,
    call: &Call,
    domain: Domain,
) -> Result<NodeId, Fault> {
    if let Some(y) = call.tensor("y") {
        ask(network, loss, y, domain);
    }
    target(network, loss, prediction, call)
}

/// `prediction - target`.
pub fn difference(network: &mut Network, loss: &str, prediction: NodeId, call: &Call) -> Result<NodeId, Fault> {
    let y = target(network, loss, prediction, call)?;
    Ok(network.builder.sub(prediction, y)?)
}

/// The record of `mean_squared_error`.
pub static MEAN_SQUARED_ERROR: Function = Function {
    name: "mean_squared_error",
    doc: "mean of (y - x)² over all elements",
    formula: "mean((y - x)^2)",
    build: |network, x, call| {
        let difference = difference(network, "mean_squared_error", x, call)?;
        let square = network.builder.mul(difference, difference)?;
        weighted_mean(network, square, call)
    },
    is_distance: true,
    ..LOSS
};

pub static L2_LOSS: Function = Function { name: "l2_loss", doc: "the same as mean_squared_error", ..MEAN_SQUARED_ERROR };

/// Subgradient 0 where y = x.
pub static MEAN_ABSOLUTE_ERROR: Function = Function {
    name: "mean_absolute_error",
    doc: "mean of |y - x| over all elements; subgradient 0 at 0",
    formula: "mean(|y - x|)",
    build: |network, x, call| {
        let difference = difference(network, "mean_absolute_error", x, call)?;
        let size = network.builder.unary(Primitive::Abs, difference)?;
        weighted_mean(network, size, call)
    },
    is_distance: true,
    ..LOSS
};

pub static L1_LOSS: Function = Function { name: "l1_loss", doc: "the same as mean_absolute_error", ..MEAN_ABSOLUTE_ERROR };

pub static MEAN_ERROR: Function = Function {
    name: "mean_error",
    doc: "mean of y - x over all elements: signs cancel, so it says whether predictions are too low or too high, not how far off",
    formula: "mean(y - x)",
    build: |network, x, call| {
        let difference = difference(network, "mean_error", x, call)?;
        let error = network.builder.neg(difference)?;
        weighted_mean(network, error, call)
    },
    ..LOSS
};

pub static HUBER: Function = Function {
    name: "huber",
    doc: "squared error near 0, absolute error beyond delta, mean over all elements",
    source: "Huber (1964), in PyTorch's scale",
    formula: "|d| <= delta ? d^2 / 2 : delta * (|d| - delta / 2)",
    parameters: &[Y, Parameter::optional("delta", Kind::POSITIVE, "1", "where the square ends"), WEIGHTS, DIVIDE],
    build: |network, x, call| {
        let difference = difference(network, "huber", x, call)?;
        let delta = network.number(call, "delta");
        let builder = &mut network.builder;
        let size = builder.unary(Primitive::Abs, difference)?;
        let near = builder.binary(Primitive::Le, size, delta)?;
        let square = builder.mul(difference, difference)?;
        let inner = builder.scale(square, 0.5)?;
        let half = builder.scale(delta, 0.5)?;
        let beyond = builder.sub(size, half)?;
        let outer = builder.mul(beyond, delta)?;
        let losses = builder.select(near, inner, outer)?;
        weighted_mean(network, losses, call)
    },
    is_distance: true,
    ..LOSS
};

/// Targets are -1 and 1.
pub static HINGE: Function = Function {
    name: "hinge",
    doc: "mean of max(0, 1 - y·x) over all elements, for targets -1 and 1",
    source: "Cortes and Vapnik (1995)",
    formula: "mean(max(0, 1 - y * x))",
    build: |network, x, call| {
        let y = target_in(network, "hinge", x, call, Domain::Signs)?;
        let builder = &mut network.builder;
        let product = builder.mul(x, y)?;
        let one = builder.constant_like(product, 1.0)?;
        let margin = builder.sub(one, product)?;
        let zero = builder.constant_like(margin, 0.0)?;
        let losses = builder.binary(Primitive::Max, zero, margin)?;
        weighted_mean(network, losses, call)
    },
    ..LOSS
};
