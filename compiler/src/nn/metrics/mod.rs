//! Metrics: what a person wants to read. Every loss may be reported too.

use super::losses::{labels, one_hot};
use super::parameters::Aggregate;
use super::{Call, Family, Fault, Function, Kind, Network, Parameter};
use crate::graph::{Element, NodeId};
use crate::ops::Primitive;

const Y: Parameter = Parameter::required("y", Kind::Tensor, "the target");
const METRIC: Function = Function { family: Family::Metric, parameters: &[Y], ..Function::BASE };

/// The share of right answers: of classes by the largest value (the first of equals), of yes and no by the threshold.
pub static ACCURACY: Function = Function {
    name: "accuracy",
    doc: "share of rows [.., classes] whose largest value is the class that came; for a target of the same shape, of elements on the right side",
    formula: "mean(argmax(x) == y)",
    parameters: &[
        Y,
        Parameter::optional(
            "from",
            Kind::Choice(&["logits", "probabilities"]),
            "logits",
            "whether yes begins above 0 or above 1/2, for targets of the same shape",
        ),
    ],
    build: |network, x, call| {
        let y = call.tensor("y").unwrap_or(x);
        let same_shape = network.builder.graph().shape(x) == network.builder.graph().shape(y);
        let hit = if same_shape { right_side(network, x, y, call)? } else { largest_is(network, x, y)? };
        let hit = network.builder.cast(hit, Element::F32)?;
        Ok(network.builder.mean_all(hit)?)
    },
    higher_is_better: true,
    ..METRIC
};

fn right_side(network: &mut Network, x: NodeId, y: NodeId, call: &Call) -> Result<NodeId, Fault> {
    let border = if call.word("from") == Some("probabilities") { 0.5 } else { 0.0 };
    let builder = &mut network.builder;
    let border = builder.constant_like(x, border)?;
    let said = builder.binary(Primitive::Lt, border, x)?;
    let y = builder.cast(y, Element::F32)?;
    let half = builder.constant_like(y, 0.5)?;
    let came = builder.binary(Primitive::Lt, half, y)?;
    Ok(builder.binary(Primitive::Eq, said, came)?)
}

fn largest_is(network: &mut Network, x: NodeId, y: NodeId) -> Result<NodeId, Fault> {
    let y = labels(network, "accuracy", x, y)?;
    let hit = one_hot(network, y, x)?;
    let builder = &mut network.builder;
    let shape = builder.shape(x);
    let last = shape.rank() - 1;
    let best = builder.reduce(Primitive::ReduceMax, x, &[last])?;
    let best = builder.expand(best, &shape, &[last])?;
    let largest = builder.binary(Primitive::Eq, x, best)?;
    // The first of equals: the least index among them is the class that came. A row of NaN has no largest and is no hit.
    let index = builder.iota(shape.clone(), last)?;
    let index = builder.cast(index, Element::F32)?;
    let none = builder.constant_like(index, shape.0[last].at(0) as f64)?;
    let candidate = builder.select(largest, index, none)?;
    let first = builder.reduce(Primitive::ReduceMin, candidate, &[last])?;
    let own = builder.select(hit, index, none)?;
    let own = builder.reduce(Primitive::ReduceMin, own, &[last])?;
    Ok(builder.binary(Primitive::Eq, first, own)?)
}

/// The record of `mae`.
pub static MAE: Function = Function { name: "mae", family: Family::Metric, ..super::losses::MEAN_ABSOLUTE_ERROR };
/// The record of `mse`.
pub static MSE: Function = Function { name: "mse", family: Family::Metric, ..super::losses::MEAN_SQUARED_ERROR };

/// The record of `rmse`.
pub static RMSE: Function = Function {
    name: "rmse",
    doc: "root of the mean of (y - x)² over all elements",
    formula: "sqrt(mean((y - x)^2))",
    build: |network, x, call| {
        let square = (super::losses::MEAN_SQUARED_ERROR.build)(network, x, call)?;
        let root = network.builder.unary(Primitive::Sqrt, square)?;
        network.aggregates.insert(root, Aggregate::RootMeanSquare);
        Ok(root)
    },
    ..METRIC
};

/// All metrics.
pub const LIST: &[&Function] = &[&ACCURACY, &MAE, &MSE, &RMSE];
