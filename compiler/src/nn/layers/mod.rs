//! Layers: functions that hold parameters or states, or differ between training and evaluation.

mod attention;
mod batch_norm;
mod dense;
mod dropout;
mod embedding;
mod folding;
mod images;
mod layer_norm;
mod recurrent;
mod scaling;

use super::{Function, Kind, Parameter};
pub(crate) use batch_norm::feature_axis;

const FROZEN: Parameter = Parameter::optional("frozen", Kind::Flag, "false", "keeps its parameters as they are");
const RATE_FACTOR: Parameter =
    Parameter::optional("rate_factor", Kind::NOT_NEGATIVE, "", "multiplies the optimizer's rate for its parameters");
const PENALTY: Parameter =
    Parameter::optional("penalty", Kind::Penalty, "", "replaces the network's penalties on its weights, or none");
const INIT: Parameter =
    Parameter::optional("init", Kind::Initializer, "", "initialiser of the weight; chosen by what follows unless told");

/// All layers.
pub const LIST: &[&Function] = &[
    &dense::DENSE,
    &embedding::EMBEDDING,
    &images::CONV2D,
    &images::MAX_POOL,
    &images::AVERAGE_POOL,
    &recurrent::RNN,
    &recurrent::LSTM,
    &recurrent::GRU,
    &recurrent::LAST,
    &attention::ATTENTION,
    &batch_norm::BATCH_NORM,
    &layer_norm::LAYER_NORM,
    &dropout::DROPOUT,
    &dropout::NOISE,
    &scaling::STANDARDIZE,
    &scaling::RESCALE,
    &scaling::RESTORE,
];
