//! One update for the gradients of several batches.
//!
//! Each step adds its gradient, by its share of the rows, to a state beside each parameter; what is updated stays as it is until the last
//! batch of the group. Three settings that the runtime sets before each step say where in the group it stands.

use crate::graph::{Builder, NodeId, Root, Type};
use crate::nn::optimizers::Memory;
use crate::nn::{Fault, Network};
use crate::ops::Primitive;

/// 1 in the first batch of a group, else 0.
pub const FIRST: &str = "accumulate.first";
/// 1 in the last batch of a group, else 0.
pub const LAST: &str = "accumulate.last";
/// The batch's share of the group's rows.
pub const SHARE: &str = "accumulate.share";

/// Lets a network's step accumulate. Until told otherwise each batch is a group of its own.
pub fn declare(network: &mut Network) -> Result<(), Fault> {
    network.accumulates = true;
    [FIRST, LAST, SHARE].into_iter().try_for_each(|name| network.setting(name, 1.0).map(|_| ()))
}

fn setting(builder: &mut Builder, name: &str) -> Result<NodeId, Fault> {
    Ok(builder.source(Primitive::Setting, name, Type::f64())?)
}

fn is_set(builder: &mut Builder, name: &str) -> Result<NodeId, Fault> {
    let (value, zero) = (setting(builder, name)?, builder.constant_f64(0.0));
    Ok(builder.binary(Primitive::Ne, value, zero)?)
}

/// The sum of the group so far: `A = first ? share * g : A + share * g`.
pub(super) fn sum(builder: &mut Builder, parameter: &str, gradient: NodeId, memory: &mut Memory) -> Result<NodeId, Fault> {
    let (share, first) = (setting(builder, SHARE)?, is_set(builder, FIRST)?);
    let ty = builder.ty(gradient).clone();
    let so_far = memory.state(builder, format!("{parameter}.accumulated"), ty, 0.0)?;
    let part = builder.mul(gradient, share)?;
    let more = builder.add(so_far, part)?;
    let sum = builder.select(first, part, more)?;
    memory.set(so_far, sum);
    Ok(sum)
}

/// The updates, put off until the last batch of a group.
pub(super) fn held(builder: &mut Builder, updates: Vec<Root>) -> Result<Vec<Root>, Fault> {
    let last = is_set(builder, LAST)?;
    let held = updates.into_iter().map(|root| match root {
        Root::Update { source, node } => Ok(Root::Update { source, node: builder.select(last, node, source)? }),
        output => Ok(output),
    });
    held.collect()
}
