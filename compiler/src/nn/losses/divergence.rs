//! Divergence between two distributions.

use super::classes::safe_log;
use super::mean::weighted_mean;
use super::regression::target_in;
use super::{DIVIDE, WEIGHTS, Y};
use crate::nn::parameters::Domain;
use crate::nn::{Family, Function};

pub static KL_DIVERGENCE: Function = Function {
    name: "kl_divergence",
    family: Family::Loss,
    doc: "Σ y (log y - x) along the last axis, mean over rows; x is log-probabilities [.., classes], y a distribution",
    source: "Kullback and Leibler (1951)",
    formula: "sum(y * (log(y) - x))",
    parameters: &[Y, WEIGHTS, DIVIDE],
    build: |network, x, call| {
        let y = target_in(network, "kl_divergence", x, call, Domain::Shares)?;
        let log = safe_log(network, y, y)?;
        let builder = &mut network.builder;
        let difference = builder.sub(log, x)?;
        let terms = builder.mul(y, difference)?;
        let last = builder.graph().shape(x).rank().saturating_sub(1);
        let losses = builder.sum(terms, &[last])?;
        weighted_mean(network, losses, call)
    },
    ..Function::BASE
};
