//! Means of losses, weighted or not.

use crate::aggregate::Combination;
use crate::graph::{Element, NodeId};
use crate::nn::fault::SHAPES_DIFFER;
use crate::nn::parameters::{Aggregate, Asked, Domain};
use crate::nn::{Call, Fault, Network};
use crate::ops::Primitive;

/// Mean of `losses` (one a row or element) under the call's `weights` and `divide`.
pub fn weighted_mean(network: &mut Network, losses: NodeId, call: &Call) -> Result<NodeId, Fault> {
    match call.tensor("weights") {
        Some(weights) => {
            let weights = laid_on(network, weights, losses)?;
            ratio(network, losses, Some(weights), Some(weights), call)
        }
        None => ratio(network, losses, None, None, call),
    }
}

/// `Σ losses·above / Σ below`: without weights the count. An element of weight 0 is left out, whatever its loss is; where all weights
/// are 0 the loss is 0 and so is its gradient.
pub fn ratio(
    network: &mut Network,
    losses: NodeId,
    above: Option<NodeId>,
    below: Option<NodeId>,
    call: &Call,
) -> Result<NodeId, Fault> {
    let builder = &mut network.builder;
    let mut weighted = losses;
    if let Some(weights) = above {
        let product = builder.mul(losses, weights)?;
        let zero = builder.constant_like(losses, 0.0)?;
        let out = builder.binary(Primitive::Eq, weights, zero)?;
        weighted = builder.select(out, zero, product)?;
    }
    let Some(below) = below.filter(|_| call.word("divide") != Some("count")) else { return Ok(builder.mean_all(weighted)?) };
    let sum = builder.sum_all(weighted)?;
    let total = builder.sum_all(below)?;
    let zero = builder.constant(0.0);
    let one = builder.constant(1.0);
    let none = builder.binary(Primitive::Eq, total, zero)?;
    let divisor = builder.select(none, one, total)?;
    // Numerators of another weight (smoothed labels under class weights) need not be 0 where the denominators are: the value does not
    // tell their sum.
    let (shown, combination, parts) = if above == Some(below) {
        (sum, Combination::weighted("weights"), vec![total])
    } else {
        (builder.select(none, zero, sum)?, Combination::quotient("above", "weights"), vec![sum, total])
    };
    let mean = builder.div(shown, divisor)?;
    network.aggregates.insert(mean, Aggregate { combination, parts });
    Ok(mean)
}

/// Says of a value that comes from outside as it is which numbers a loss takes of it; the data are checked where they come in.
pub fn ask(network: &mut Network, by: &'static str, node: NodeId, domain: Domain) {
    let graph = network.builder.graph();
    let asked = (node, Asked { domain, by });
    if matches!(graph.node(node).primitive, Primitive::Input | Primitive::Target) && !network.asked.contains(&asked) {
        network.asked.push(asked);
    }
}

/// Weights over the shape of `losses`: the same shape, or its leading axes (one weight a row).
pub fn laid_on(network: &mut Network, weights: NodeId, losses: NodeId) -> Result<NodeId, Fault> {
    let (own, shape) = (network.builder.shape(weights), network.builder.shape(losses));
    ask(network, "weights", weights, Domain::NotNegative);
    let value = network.builder.cast(weights, Element::F32)?;
    let leads = own.rank() <= shape.rank() && own.0[..] == shape.0[..own.rank()];
    if leads {
        let axes: Vec<usize> = (0..own.rank()).collect();
        return Ok(network.builder.broadcast(value, &shape, &axes)?);
    }
    network.builder.broadcast_to(value, &shape).map_err(|_| {
        let message = format!(
            "weights need one number a row: {} is {}, the losses are {}",
            network.describe(weights, "the weights"),
            network.shape_text(weights),
            network.shape_text(losses)
        );
        Fault::new(SHAPES_DIFFER, message).help("declare `target w: [batch];`").at("weights").against(weights)
    })
}
