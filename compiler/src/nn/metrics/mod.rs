//! Metrics: what a person wants to read. Every loss may be reported too.
//!
//! A value that is no mean over rows says with `Network::combines` how its chunks of rows combine, so that an evaluation gives the
//! value of all its rows, however many chunks they are read in.

mod classes;
mod counts;
mod detection;
mod means;
mod regression;

use super::parameters::Aggregate;
use super::{Family, Function, Kind, Network, Parameter};
use crate::aggregate::Combination;
use crate::graph::NodeId;

const Y: Parameter = Parameter::required("y", Kind::Tensor, "the target");
const METRIC: Function = Function { family: Family::Metric, parameters: &[Y], ..Function::BASE };

impl Network {
    /// Says how the values of a scalar combine over chunks of rows, and what a chunk gives out for it.
    pub(super) fn combines(&mut self, node: NodeId, combination: Combination, parts: Vec<NodeId>) {
        self.aggregates.insert(node, Aggregate { combination, parts });
    }
}

/// All metrics.
pub const LIST: &[&Function] = &[
    &classes::ACCURACY,
    &classes::TOP_K,
    &detection::PRECISION,
    &detection::RECALL,
    &detection::F1,
    &counts::CONFUSION_MATRIX,
    &counts::ROC_AUC,
    &means::PERPLEXITY,
    &regression::MAE,
    &regression::MSE,
    &means::RMSE,
    &regression::R_SQUARED,
];
