//! Steps that are left out: a gradient whose norm is not finite changes nothing (`clip_global_norm(1, non_finite = skip)`).
//!
//! Every update is selected, the old value or the new one, and a state `skipped` counts. The step's number goes on all the same; a
//! loss that is not finite is an error as ever.

use crate::graph::{Builder, NodeId, Root, Type};
use crate::nn::Fault;
use crate::nn::clips::{self, ClipUse};
use crate::nn::parameters::State;
use crate::ops::Primitive;

/// Name of the state that counts: an f32 scalar.
pub const SKIPPED: &str = "skipped";

/// Whether the norm of what comes to a clip that skips is finite, and so were those before.
pub fn is_sound(
    builder: &mut Builder,
    clip: &ClipUse,
    gradients: &[NodeId],
    so_far: Option<NodeId>,
) -> Result<Option<NodeId>, Fault> {
    if !clip.skips {
        return Ok(so_far);
    }
    let Some(square) = clips::square_of_all(builder, gradients)? else { return Ok(so_far) };
    // A product with 0 is 0 of finite numbers alone.
    let zero = builder.constant_like(square, 0.0)?;
    let product = builder.mul(square, zero)?;
    let finite = builder.binary(Primitive::Eq, product, zero)?;
    Ok(Some(match so_far {
        Some(others) => builder.binary(Primitive::And, others, finite)?,
        None => finite,
    }))
}

/// The updates, each only where the step is sound, and the one that counts.
pub fn guarded(builder: &mut Builder, sound: NodeId, roots: &mut Vec<Root>, states: &mut Vec<State>) -> Result<(), Fault> {
    for root in roots.iter_mut() {
        if let Root::Update { source, node } = root {
            *node = builder.select(sound, *node, *source)?;
        }
    }
    let ty = Type::f32(crate::graph::Shape::scalar());
    let count = builder.source(Primitive::State, SKIPPED, ty.clone())?;
    let more = builder.offset(count, 1.0)?;
    let next = builder.select(sound, count, more)?;
    roots.push(Root::Update { source: count, node: next });
    states.push(State { name: SKIPPED.into(), node: count, ty, initial: 0.0, saved: false });
    Ok(())
}
