//! The dense layer.

use super::{FROZEN, INIT, PENALTY, RATE_FACTOR};
use crate::graph::{Attributes, Contraction, Dim, NodeId};
use crate::nn::fault::WRONG_RANK;
use crate::nn::parameters::Wanted;
use crate::nn::{Call, Family, Fault, Function, Kind, Network, Parameter};
use crate::ops::Primitive;

/// `x [.., in] → [.., width]`: x·W + b along the last axis, weight `[in, width]`, bias `[width]`.
pub static DENSE: Function = Function {
    name: "dense",
    family: Family::Layer,
    doc: "[.., in] to [.., width] along the last axis, weight [in, width]; no bias where batch_norm of its features is all that reads it",
    formula: "x . weight + bias",
    parameters: &[
        Parameter::required("width", Kind::Size { least: 1 }, "the number of outputs"),
        INIT,
        Parameter::optional(
            "bias",
            Kind::Flag,
            "",
            "whether a bias is added; unless told, yes, but not where batch_norm alone reads it",
        ),
        Parameter::optional("bias_init", Kind::Initializer, "zeros", "initialiser of the bias"),
        PENALTY,
        RATE_FACTOR,
        FROZEN,
    ],
    build,
    width: Some("width"),
    weight_axis: Some(1),
    ..Function::BASE
};

fn build(network: &mut Network, x: NodeId, call: &Call) -> Result<NodeId, Fault> {
    let width = call.size("width");
    let fan_in = features(network, "dense", x)?;
    let weight = network.governed(call, Wanted::weight(&[fan_in, width], fan_in, width))?;
    let weight = network.parameter("weight", weight)?;
    let product = product(network, x, weight)?;
    if call.get("bias").is_some() && !call.flag("bias") {
        return Ok(product);
    }
    let mut wanted = network.governed(call, Wanted::vector(width, "zeros"))?;
    wanted.initializer = call.inner("bias_init").cloned();
    let bias = network.parameter("bias", wanted)?;
    let output = network.builder.add(product, bias)?;
    if call.get("bias").is_none() {
        network.note_unasked_bias(output, product, bias);
    }
    Ok(output)
}

/// The known size of the last axis.
pub(super) fn features(network: &Network, layer: &str, x: NodeId) -> Result<usize, Fault> {
    match network.builder.graph().shape(x).0.last() {
        Some(Dim::Fixed(size)) => Ok(*size),
        _ => {
            let message =
                format!("{layer} works on the last axis; {} is {}", network.describe(x, "its receiver"), network.shape_text(x));
            Err(Fault::new(WRONG_RANK, message).help("declare the input as `[batch, features]`").about(x))
        }
    }
}

/// Sum of products of x's last axis with the weight's first.
fn product(network: &mut Network, x: NodeId, weight: NodeId) -> Result<NodeId, Fault> {
    let lead = network.builder.graph().shape(x).rank() as u8 - 1;
    let kept: Vec<u8> = (0..lead).collect();
    let (summed, output) = (lead, lead + 1);
    let left = kept.iter().copied().chain([summed]).collect();
    let out = kept.iter().copied().chain([output]).collect();
    let labels = Contraction { left, right: vec![summed, output], out };
    Ok(network.builder.apply(Primitive::Contract, &[x, weight], Attributes::Contract(labels), None)?)
}
