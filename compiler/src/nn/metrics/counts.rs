//! Measures that need counts over all rows: a table of classes against classes, the order of scores.

use super::detection::{FROM, THRESHOLD, classes, yes_and_no};
use super::{METRIC, Y};
use crate::aggregate::{Combination, given, ratio};
use crate::graph::{Attributes, Contraction, Dim, Element, NodeId, Shape};
use crate::nn::fault::WRONG_RANK;
use crate::nn::losses::{labels, same_shape};
use crate::nn::{Call, Fault, Function, Kind, Network, Parameter};
use crate::ops::Primitive;

/// Rows are the classes that came, columns those that were said, as in scikit-learn.
pub static CONFUSION_MATRIX: Function = Function {
    name: "confusion_matrix",
    doc: "how often each class was said where each class came, counted over all rows; the table is part of an evaluation, its value the share on the diagonal",
    formula: "count(y = row, argmax(x) = column)",
    parameters: &[Y, FROM, THRESHOLD],
    build: confusion_matrix,
    higher_is_better: true,
    ..METRIC
};

fn confusion_matrix(network: &mut Network, x: NodeId, call: &Call) -> Result<NodeId, Fault> {
    let y = call.tensor("y").unwrap_or(x);
    let by_class = network.builder.ty(y).element.is_integer();
    let (said, came) = match by_class {
        true => classes(network, "confusion_matrix", x, y)?,
        false => {
            let (said, came) = yes_and_no(network, "confusion_matrix", x, call)?;
            (both(network, said)?, both(network, came)?)
        }
    };
    let builder = &mut network.builder;
    let shape = builder.shape(said);
    let last = shape.rank() - 1;
    let count = shape.0[last].at(0);
    let (said, came) = (builder.cast(said, Element::F32)?, builder.cast(came, Element::F32)?);
    let rows: Vec<u8> = (0..last as u8).collect();
    let (row, column) = (last as u8, last as u8 + 1);
    let with = |class: u8| rows.iter().copied().chain([class]).collect();
    let labels = Contraction { left: with(row), right: with(column), out: vec![row, column] };
    let table = builder.apply(Primitive::Contract, &[came, said], Attributes::Contract(labels), None)?;
    let square = Shape::fixed(&[count, count]);
    let (across, down) = (builder.iota(square.clone(), 0)?, builder.iota(square, 1)?);
    let is_hit = builder.binary(Primitive::Eq, across, down)?;
    let zero = builder.constant_like(table, 0.0)?;
    let hits = builder.select(is_hit, table, zero)?;
    let (found, all) = (builder.sum_all(hits)?, builder.sum_all(table)?);
    let value = ratio(given(0), given(1)).build(builder, &[found, all])?;
    let cells = Shape::fixed(&[count * count]);
    let parts = vec![builder.reshape(table, &cells)?, builder.reshape(hits, &cells)?];
    let sums = vec![given(1), given(2)];
    let combination = Combination::pooled(&["counts", "hits"], count * count, sums, ratio(given(1), given(0)));
    network.combines(value, combination.as_table(count), parts);
    Ok(value)
}

/// `[.., 2]`: whether the answer is no, and whether it is yes.
fn both(network: &mut Network, yes: NodeId) -> Result<NodeId, Fault> {
    let builder = &mut network.builder;
    let no = builder.unary(Primitive::Not, yes)?;
    let shape = builder.shape(yes);
    let mut dims = shape.0.clone();
    dims.push(Dim::Fixed(2));
    let wide = Shape(dims);
    let last = shape.rank();
    let (yes, no) = (builder.expand(yes, &wide, &[last])?, builder.expand(no, &wide, &[last])?);
    let index = builder.iota(wide, last)?;
    let zero = builder.constant_like(index, 0.0)?;
    let is_first = builder.binary(Primitive::Eq, index, zero)?;
    Ok(builder.select(is_first, no, yes)?)
}

/// The chance that a yes has a higher score than a no (Hanley and McNeil 1982).
///
/// Over a pass it is exact: scores and answers of all rows are kept and put in order. Within one batch, where nothing can be sorted, it
/// comes from a histogram of the scores (of probabilities the steps are those of Keras' `AUC`).
pub static ROC_AUC: Function = Function {
    name: "roc_auc",
    doc: "area under the receiver operating characteristic of yes or no, exact over the rows of a pass (ties count one half), as in scikit-learn; NaN where all are yes or all no. For a `class(2)` target and two values a row, yes is the second class. The value of one batch (a step's record, a formula that it is part of) is from counts in steps of the score",
    formula: "mean(x[yes] > x[no]) + mean(x[yes] = x[no]) / 2",
    parameters: &[
        Y,
        FROM,
        Parameter::optional(
            "bins",
            Kind::Size { least: 1 },
            "200",
            "in one batch: how many steps there are between the lowest score and the highest (equal ones of the probability; of logits wider the further from 0, up to 100)",
        ),
    ],
    build: roc_auc,
    higher_is_better: true,
    ..METRIC
};

/// Logits further from 0 than this are in the last step.
const LAST_LOGIT: f64 = 100.0;

/// One score for each answer, and the answers: of two classes, how much the second is ahead of the first.
fn scored(network: &mut Network, x: NodeId, call: &Call) -> Result<(NodeId, NodeId), Fault> {
    let y = call.tensor("y").unwrap_or(x);
    let rank = |node: NodeId| network.builder.graph().shape(node).rank();
    if !network.builder.ty(y).element.is_integer() || rank(x) != rank(y) + 1 {
        return Ok((x, same_shape(network, "roc_auc", x, call)?));
    }
    let y = labels(network, "roc_auc", x, y)?;
    let last = rank(x) - 1;
    let shape = network.builder.shape(x);
    if shape.0[last] != Dim::Fixed(2) {
        let message = format!("roc_auc tells one class from another; {} is {}", network.describe(x, "it"), network.shape_text(x));
        let help = "give it the score of one class, and whether it came: `target y: [batch, 1]`";
        return Err(Fault::new(WRONG_RANK, message).help(help).about(x));
    }
    let builder = &mut network.builder;
    let rows = shape.without(&[last]);
    let second = builder.slice(x, last, 1, 2)?;
    let score = match call.word("from") {
        Some("probabilities") => second,
        _ => {
            let first = builder.slice(x, last, 0, 1)?;
            builder.sub(second, first)?
        }
    };
    Ok((builder.reshape(score, &rows)?, builder.cast(y, Element::F32)?))
}

fn roc_auc(network: &mut Network, x: NodeId, call: &Call) -> Result<NodeId, Fault> {
    let (score, answer) = scored(network, x, call)?;
    let bins = call.size("bins");
    let builder = &mut network.builder;
    let place = match call.word("from") {
        Some("probabilities") => score,
        // Far out, where the probability would be 0 or 1, logits still differ: steps there are wider, but there are some.
        _ => {
            let size = builder.unary(Primitive::Abs, score)?;
            let size = builder.unary(Primitive::Log1p, size)?;
            let size = builder.scale(size, 0.5 / LAST_LOGIT.ln_1p())?;
            let sign = builder.unary(Primitive::Sign, score)?;
            let place = builder.mul(sign, size)?;
            builder.offset(place, 0.5)?
        }
    };
    // The last step ends with the probability 1 itself. A score that is no number is in no step.
    let scaled = builder.scale(place, bins as f64)?;
    let step = builder.unary(Primitive::Floor, scaled)?;
    let last_step = builder.constant_like(step, bins as f64 - 1.0)?;
    let step = builder.binary(Primitive::Min, last_step, step)?;
    let first_step = builder.constant_like(step, 0.0)?;
    let step = builder.binary(Primitive::Max, first_step, step)?;
    let shape = builder.shape(step);
    let wide = Shape(shape.0.iter().copied().chain([Dim::Fixed(bins)]).collect());
    let last = shape.rank();
    let rows: Vec<usize> = (0..last).collect();
    let step = builder.expand(step, &wide, &[last])?;
    let index = builder.iota(wide.clone(), last)?;
    let index = builder.cast(index, Element::F32)?;
    let is_here = builder.binary(Primitive::Eq, step, index)?;
    let half = builder.constant_like(answer, 0.5)?;
    let yes = builder.binary(Primitive::Lt, half, answer)?;
    let yes = builder.expand(yes, &wide, &[last])?;
    let is_yes = builder.binary(Primitive::And, is_here, yes)?;
    let count = |network: &mut Network, which: NodeId| -> Result<NodeId, Fault> {
        let which = network.builder.cast(which, Element::F32)?;
        Ok(network.builder.sum(which, &rows)?)
    };
    let (yes, all) = (count(network, is_yes)?, count(network, is_here)?);
    let builder = &mut network.builder;
    let no = builder.sub(all, yes)?;
    let value = won(network, yes, no, bins)?;
    network.combines(value, Combination::ranked(), vec![score, answer]);
    Ok(value)
}

/// The share of the pairs that a yes wins, for counts of yes and no in each step.
fn won(network: &mut Network, yes: NodeId, no: NodeId, bins: usize) -> Result<NodeId, Fault> {
    let builder = &mut network.builder;
    // Sums up to each step in doubling strides (Hillis and Steele 1986).
    let mut up_to = no;
    let mut stride = 1;
    while stride < bins {
        let lower = builder.slice(up_to, 0, 0, bins - stride)?;
        let lower = builder.pad(lower, 0, stride, 0)?;
        up_to = builder.add(up_to, lower)?;
        stride *= 2;
    }
    let below = builder.sub(up_to, no)?;
    let beside = builder.scale(no, 0.5)?;
    let beaten = builder.add(below, beside)?;
    let pairs = builder.mul(yes, beaten)?;
    let counts = [builder.sum_all(pairs)?, builder.sum_all(yes)?, builder.sum_all(no)?];
    let all = builder.mul(counts[1], counts[2])?;
    // No pair, no share: 0 / 0.
    Ok(builder.div(counts[0], all)?)
}
