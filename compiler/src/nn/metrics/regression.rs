//! How far numbers are from numbers.

use super::METRIC;
use crate::aggregate::{Combination, given, ratio};
use crate::graph::{NodeId, Shape};
use crate::nn::losses::{MEAN_ABSOLUTE_ERROR, MEAN_SQUARED_ERROR, same_shape};
use crate::nn::{Call, Family, Fault, Function, Network};

pub static MAE: Function = Function { name: "mae", family: Family::Metric, ..MEAN_ABSOLUTE_ERROR };
pub static MSE: Function = Function { name: "mse", family: Family::Metric, ..MEAN_SQUARED_ERROR };

/// The coefficient of determination: Draper and Smith (1998), section 1.3.
pub static R_SQUARED: Function = Function {
    name: "r_squared",
    doc: "share of the targets' variance that the prediction explains: 1 at best, 0 for their mean; of several columns [.., columns] the mean",
    formula: "1 - sum((y - x)^2) / sum((y - mean(y))^2)",
    build: r_squared,
    higher_is_better: true,
    ..METRIC
};

/// Each column has its own mean and variance; the value is the plain mean over columns. A column whose targets are all equal counts 0.
///
/// Chunks combine by the parallel formula of Chan, Golub and LeVeque (1983): a chunk gives its mean and the squares around it, so that
/// targets far from 0 lose no digits.
fn r_squared(network: &mut Network, x: NodeId, call: &Call) -> Result<NodeId, Fault> {
    let y = same_shape(network, "r_squared", x, call)?;
    let builder = &mut network.builder;
    let shape = builder.shape(y);
    // Targets [batch] are one column.
    let kept = usize::from(shape.rank() > 1);
    let axes: Vec<usize> = (0..shape.rank() - kept).collect();
    let columns = Shape(shape.0[axes.len()..].to_vec());
    let positions = Shape(shape.0[..axes.len()].to_vec()).fixed_count() as f64;
    let mean = builder.mean(y, &axes)?;
    let centre = builder.expand(mean, &shape, &axes)?;
    let around = builder.sub(y, centre)?;
    let square = builder.mul(around, around)?;
    let spread = builder.sum(square, &axes)?;
    let error = builder.sub(y, x)?;
    let square = builder.mul(error, error)?;
    let error = builder.sum(square, &axes)?;
    let explained = ratio(given(0) - given(1), given(0)).build(builder, &[spread, error])?;
    let value = builder.mean_all(explained)?;

    let (chunk_mean, rows) = (given(1), given(4));
    let total_spread = given(0) + (given(2) - ratio(given(1) * given(1), given(3))) * positions;
    let sums =
        vec![given(2), rows.clone() * chunk_mean.clone(), rows.clone() * (chunk_mean.clone() * chunk_mean), rows, given(3)];
    let own = ratio(total_spread.clone() - given(4), total_spread);
    let combination = Combination::averaged(&["mean", "spread", "error"], columns.fixed_count(), sums, &own);
    network.combines(value, combination, vec![mean, spread, error]);
    Ok(value)
}
