//! Batch normalisation at test time, folded into the layer before it.
//!
//! There `batch_norm` is one scale s and one shift t a feature, known before the pass, and what stands before it is linear in its
//! parameters: s·(x·W + b) + t = x·(W·s) + (b·s + t). So the parameters are scaled instead of every value, once a chunk of rows, and a
//! shift is left. Sums are rounded in another place: the results differ from those of the unfolded formula by rounding alone.

use crate::graph::{NodeId, Origin, Shape};
use crate::nn::{Fault, Network};
use crate::ops::Primitive;
use std::collections::HashMap;

/// What a layer made, with each feature scaled: its nodes over scaled parameters. `receiver` is what the layer gave, `x` the same
/// before a bias that nobody asked for. Nothing if `x` is of no layer that is linear in its parameters, or if something else reads it by
/// now: the product would be made twice.
pub fn scaled(network: &mut Network, receiver: NodeId, x: NodeId, scale: NodeId) -> Result<Option<NodeId>, Fault> {
    let origin = network.builder.origin().clone();
    network.builder.set_origin(Origin { rule: "folded: s * (x . W) = x . (W * s)".into(), ..origin.clone() });
    let result = over_scaled_parameters(network, receiver, x, scale);
    network.builder.set_origin(origin);
    result
}

fn over_scaled_parameters(network: &mut Network, receiver: NodeId, x: NodeId, scale: NodeId) -> Result<Option<NodeId>, Fault> {
    let Some(one) = network.uses.iter().rev().find(|one| one.output == receiver) else { return Ok(None) };
    let Some(axis) = one.function.weight_axis else { return Ok(None) };
    let (input, nodes) = (one.input, one.nodes.clone());
    let graph = network.builder.graph();
    let reads = |id: NodeId, value: NodeId| graph.node(id).operands.contains(&value);
    let later = (x.0 + 1..graph.nodes.len() as u32).map(NodeId);
    if later.into_iter().any(|id| id != receiver && (reads(id, x) || reads(id, receiver))) {
        return Ok(None);
    }
    let mut made: HashMap<NodeId, NodeId> = HashMap::new();
    for id in nodes.map(|node| NodeId(node as u32)).filter(|id| *id <= x) {
        let node = network.builder.graph().node(id).clone();
        for &operand in &node.operands {
            let is_parameter = network.builder.graph().node(operand).primitive == Primitive::Parameter;
            if is_parameter && operand != input && !made.contains_key(&operand) {
                made.insert(operand, parameter(network, operand, scale, axis)?);
            }
        }
        let scaled: Vec<Option<NodeId>> = node.operands.iter().map(|operand| made.get(operand).copied()).collect();
        let count = scaled.iter().flatten().count();
        if count == 0 {
            continue;
        }
        let is_linear = match node.primitive {
            Primitive::Contract => count == 1,
            Primitive::Add => count == 2,
            Primitive::Broadcast | Primitive::Reshape | Primitive::Transpose | Primitive::Slice => true,
            _ => false,
        };
        if !is_linear {
            return Ok(None);
        }
        let operands: Vec<NodeId> = node.operands.iter().zip(scaled).map(|(plain, scaled)| scaled.unwrap_or(*plain)).collect();
        made.insert(id, network.builder.apply(node.primitive, &operands, node.attributes, Some(node.ty))?);
    }
    Ok(made.get(&x).copied())
}

/// A weight scaled along the features that come out, or a bias.
fn parameter(network: &mut Network, parameter: NodeId, scale: NodeId, axis: usize) -> Result<NodeId, Fault> {
    let builder = &mut network.builder;
    let shape: Shape = builder.shape(parameter);
    let axis = if shape.rank() > 1 { axis } else { 0 };
    let others: Vec<usize> = (0..shape.rank()).filter(|&other| other != axis).collect();
    let scale = builder.expand(scale, &shape, &others)?;
    Ok(builder.mul(parameter, scale)?)
}
