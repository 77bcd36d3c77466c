//! Losses: how far predictions are from targets, as one number.
//!
//! Regression and binary losses are means over all elements; class losses work along the last axis and are means over rows (and
//! positions). Weighted losses divide by the sum of the weights, or by the count where told. The receiver is the prediction.

mod binary;
mod classes;
mod divergence;
mod mean;
mod regression;

use super::{Function, Kind, Parameter};
pub use classes::{CROSS_ENTROPY, labels, one_hot};
pub use regression::{MEAN_ABSOLUTE_ERROR, MEAN_SQUARED_ERROR, target as same_shape};

const Y: Parameter = Parameter::required("y", Kind::Tensor, "the target");
const WEIGHTS: Parameter = Parameter::optional("weights", Kind::Tensor, "", "a weight for each row or element");
const DIVIDE: Parameter = Parameter::optional(
    "divide",
    Kind::Choice(&["weights", "count"]),
    "weights",
    "whether a weighted loss divides by the sum of the weights or by the count",
);
const FROM: Parameter =
    Parameter::optional("from", Kind::Choice(&["logits", "probabilities"]), "logits", "what the prediction is");

/// All losses.
pub const LIST: &[&Function] = &[
    &regression::MEAN_SQUARED_ERROR,
    &regression::L2_LOSS,
    &regression::MEAN_ABSOLUTE_ERROR,
    &regression::L1_LOSS,
    &regression::MEAN_ERROR,
    &regression::HUBER,
    &regression::HINGE,
    &classes::CROSS_ENTROPY,
    &classes::NEGATIVE_LOG_LIKELIHOOD,
    &binary::BINARY_CROSS_ENTROPY,
    &divergence::KL_DIVERGENCE,
];
