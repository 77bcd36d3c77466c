//! Operations: mathematics without parameters, the same in training and evaluation.

mod elementwise;
mod reductions;
mod shapes;

use super::fault::WRONG_AXIS;
use super::{Call, Fault, Function, Network};
use crate::graph::NodeId;

/// An axis of a value; negative ones count from the end.
pub fn axis(network: &Network, x: NodeId, axis: f64) -> Option<usize> {
    let rank = network.builder.graph().shape(x).rank() as f64;
    let axis = if axis < 0.0 { axis + rank } else { axis };
    (axis >= 0.0 && axis < rank).then_some(axis as usize)
}

/// The call's axis, or the reason why it is none.
fn axis_of(network: &Network, x: NodeId, call: &Call, name: &str) -> Result<usize, Fault> {
    let given = call.number(name).unwrap_or(-1.0);
    axis(network, x, given).ok_or_else(|| {
        let message = format!("{} is {} and has no axis {given}", network.describe(x, "the value"), network.shape_text(x));
        Fault::new(WRONG_AXIS, message).about(x).at(name)
    })
}

/// All operations.
pub const LIST: &[&Function] = &[
    &shapes::MATMUL,
    &shapes::TRANSPOSE,
    &shapes::RESHAPE,
    &shapes::FLATTEN,
    &shapes::CONCAT,
    &shapes::SLICE,
    &shapes::ONE_HOT,
    &reductions::SUM,
    &reductions::MEAN,
    &reductions::MAX,
    &reductions::MIN,
    &elementwise::EXP,
    &elementwise::LOG,
    &elementwise::SIN,
    &elementwise::COS,
    &elementwise::SQRT,
    &elementwise::ABS,
    &elementwise::SIGN,
    &elementwise::CLAMP,
    &elementwise::WHERE,
    &elementwise::STOP_GRADIENT,
];
