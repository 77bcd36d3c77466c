//! Functions of a mean, weighted or not: the mean is combined, then the function is taken.

use super::METRIC;
use crate::aggregate::{Combination, Formula};
use crate::graph::NodeId;
use crate::nn::losses::{CROSS_ENTROPY, MEAN_SQUARED_ERROR};
use crate::nn::{Fault, Function, Network};
use crate::ops::Primitive;

pub static RMSE: Function = Function {
    name: "rmse",
    doc: "root of the mean of (y - x)² over all elements",
    formula: "sqrt(mean((y - x)^2))",
    parameters: MEAN_SQUARED_ERROR.parameters,
    build: |network, x, call| {
        let square = (MEAN_SQUARED_ERROR.build)(network, x, call)?;
        of_mean(network, square, Primitive::Sqrt, |mean| Formula::Sqrt(Box::new(mean)))
    },
    ..METRIC
};

/// Jelinek et al. (1977).
pub static PERPLEXITY: Function = Function {
    name: "perplexity",
    doc: "e to the mean cross-entropy, with the arguments of cross_entropy: among how many equally likely classes the guess is",
    formula: "exp(cross_entropy(x, y))",
    parameters: CROSS_ENTROPY.parameters,
    build: |network, x, call| {
        let entropy = (CROSS_ENTROPY.build)(network, x, call)?;
        of_mean(network, entropy, Primitive::Exp, |mean| Formula::Exp(Box::new(mean)))
    },
    ..METRIC
};

/// A function of a mean, with the mean as what is given out beside it.
fn of_mean(network: &mut Network, mean: NodeId, primitive: Primitive, function: fn(Formula) -> Formula) -> Result<NodeId, Fault> {
    let value = network.builder.unary(primitive, mean)?;
    let (combination, mut parts) = match network.aggregate(mean) {
        Some(known) => (known.combination.of_this("mean", function), known.parts),
        None => (Combination::of_mean("mean", function), Vec::new()),
    };
    parts.insert(0, mean);
    network.combines(value, combination, parts);
    Ok(value)
}
