//! Rate schedules: numbers that hang on the step t (from 1) and on the length of the run, for a rate or any other number that an
//! optimizer takes.
//!
//! A schedule is an operation on numbers, so it may stand in any formula: `adam(cosine(1e-3, to = 1e-5))`,
//! `sgd(0.1 * warm_up(500))`. The value of step t is what frameworks that count from 0 give for t - 1: a curve begins at its first
//! value. Where the end of a run is asked for and not known (`net.step`), it is infinitely far away.

mod curves;
mod warm_up;

use super::{Call, Fault, Function, Kind, Network, Parameter};
use crate::graph::NodeId;

const STEPS: Parameter =
    Parameter::optional("steps", Kind::POSITIVE, "", "how many steps it takes; to the end of the run unless told");

/// The call's `steps`, or the step at which the run ends.
fn steps(network: &mut Network, call: &Call) -> NodeId {
    match call.get("steps") {
        Some(_) => network.number(call, "steps"),
        None => network.builder.steps(),
    }
}

/// Steps that are behind: t - 1.
fn behind(network: &mut Network) -> Result<NodeId, Fault> {
    let step = network.builder.step();
    Ok(network.builder.offset(step, -1.0)?)
}

/// All schedules; a `constant` is the number itself.
pub const LIST: &[&Function] =
    &[&curves::STEP, &curves::EXPONENTIAL, &curves::COSINE, &curves::ONE_CYCLE, &warm_up::WARM_UP, &warm_up::THEN];
