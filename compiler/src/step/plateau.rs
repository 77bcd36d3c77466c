//! A rate that is lowered when validation stops improving (`fit.plateau(0.5, 3)`).
//!
//! The optimizer's rate, a schedule or not, is multiplied by a setting that the driver lowers after an epoch. What hangs on the rate
//! (decoupled decay, proximal penalties) follows it.

use crate::nn::fault::ARGUMENT_UNKNOWN;
use crate::nn::{Argument, Fault, Network};

/// What the rate is multiplied by: 1 until the driver lowers it.
pub const SCALE: &str = "plateau.scale";

/// Lets the rate of a network's optimizer be lowered.
///
/// # Errors
/// An optimizer that has no rate.
pub fn declare(network: &mut Network) -> Result<(), Fault> {
    let scale = network.setting(SCALE, 1.0)?;
    let Some(optimizer) = &mut network.optimizer else { return Ok(()) };
    let name = optimizer.rule.name().to_string();
    let Some((_, rate)) = optimizer.call.arguments.iter_mut().find(|(name, _)| name == "rate") else {
        return Err(Fault::new(ARGUMENT_UNKNOWN, format!("{name} has no `rate` that a plateau could lower")));
    };
    let whole = match rate {
        Argument::Tensor(node) => *node,
        Argument::Number(value) => network.builder.constant_f64(*value),
        _ => return Ok(()),
    };
    *rate = Argument::Tensor(network.builder.mul(whole, scale)?);
    Ok(())
}
