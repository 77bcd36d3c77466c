//! Activations: element by element, save softmax.
//!
//! Each is written once, in the form that is right in both tails; the gradient is derived. At a kink the derivative is that of the
//! branch at or below it, as PyTorch has it.

mod gated;
mod hard;
mod rectified;
mod smooth;
mod softmax;

use super::{Call, Function};
pub use rectified::LEAKY_RELU;
pub use smooth::softplus;
pub use softmax::{log_softmax, softmax};

fn glorot(_: &Call) -> Call {
    Call::new("glorot")
}
fn he(_: &Call) -> Call {
    Call::new("he")
}
fn lecun(_: &Call) -> Call {
    Call::new("lecun")
}

/// All activations.
pub const LIST: &[&Function] = &[
    &smooth::SIGMOID,
    &smooth::TANH,
    &rectified::RELU,
    &rectified::LEAKY_RELU,
    &rectified::RRELU,
    &rectified::PRELU,
    &rectified::ELU,
    &rectified::SELU,
    &softmax::SOFTMAX,
    &softmax::LOG_SOFTMAX,
    &gated::GELU,
    &gated::GELU_TANH,
    &gated::SILU,
    &smooth::SOFTPLUS,
    &gated::MISH,
    &hard::HARD_SIGMOID,
    &hard::HARD_SWISH,
    &hard::HARD_TANH,
    &hard::RELU6,
    &smooth::SOFTSIGN,
    &smooth::LOG_SIGMOID,
    &smooth::IDENTITY,
];
