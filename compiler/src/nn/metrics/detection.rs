//! How well a class is told from the others: precision, recall and F1 (van Rijsbergen 1979, chapter 7).
//!
//! Hits are the elements that were said to be of a class and were, `said` those that were said to be, `came` those that were.
//! Precision is hits / said, recall hits / came, F1 = 2·hits / (said + came); each is 0 where its divisor is.
//!
//! - For a target of the prediction's shape (yes above 1/2) there is one class, yes, and elements of all axes are counted together.
//! - For class indices [..] and values [.., classes], what is said is the class of the largest value (the first of equals). The value is
//!   the plain mean over those classes that came or were said at least once (macro average, as scikit-learn has it).
//!
//! Counts are added up over all rows before anything is divided.

use super::{METRIC, Y};
use crate::aggregate::{Combination, Formula, given, ratio};
use crate::graph::{Element, NodeId};
use crate::nn::losses::{labels, one_hot, same_shape};
use crate::nn::{Call, Fault, Function, Kind, Network, Parameter};
use crate::ops::Primitive;

pub(super) const FROM: Parameter = Parameter::optional(
    "from",
    Kind::Choice(&["logits", "probabilities"]),
    "logits",
    "what the prediction is, for targets of the same shape",
);
pub(super) const THRESHOLD: Parameter = Parameter::optional(
    "threshold",
    Kind::Number { low: 0.0, low_included: false, high: 1.0, high_included: false },
    "0.5",
    "the probability above which the answer is yes, for targets of the same shape",
);

const DETECTION: Function = Function { parameters: &[Y, FROM, THRESHOLD], higher_is_better: true, ..METRIC };

pub static PRECISION: Function = Function {
    name: "precision",
    doc: "of what was said to be of a class the share that was; for class targets the mean over classes that came or were said",
    formula: "hits / said",
    build: |network, x, call| detected(network, "precision", x, call, ratio(given(0), given(1))),
    ..DETECTION
};

pub static RECALL: Function = Function {
    name: "recall",
    doc: "of what was of a class the share that was found; for class targets the mean over classes that came or were said",
    formula: "hits / came",
    build: |network, x, call| detected(network, "recall", x, call, ratio(given(0), given(2))),
    ..DETECTION
};

pub static F1: Function = Function {
    name: "f1",
    doc: "harmonic mean of precision and recall; for class targets the mean over classes that came or were said",
    formula: "2 * hits / (said + came)",
    build: |network, x, call| detected(network, "f1", x, call, ratio(given(0) * 2.0, given(1) + given(2))),
    ..DETECTION
};

/// A formula of the counts of hits, said and came, over the classes if there are several.
fn detected(network: &mut Network, metric: &str, x: NodeId, call: &Call, value: Formula) -> Result<NodeId, Fault> {
    let y = call.tensor("y").unwrap_or(x);
    let by_class = network.builder.ty(y).element.is_integer();
    let (said, came) = if by_class { classes(network, metric, x, y)? } else { yes_and_no(network, metric, x, call)? };
    let builder = &mut network.builder;
    let hits = builder.binary(Primitive::And, said, came)?;
    let kept = usize::from(by_class);
    let mut counts = Vec::new();
    for counted in [hits, said, came] {
        let counted = builder.cast(counted, Element::F32)?;
        let axes: Vec<usize> = (0..builder.shape(counted).rank() - kept).collect();
        counts.push(builder.sum(counted, &axes)?);
    }
    let own = value.build(builder, &counts)?;
    let zero = builder.constant_like(own, 0.0)?;
    let seen = builder.add(counts[1], counts[2])?;
    let is_seen = builder.binary(Primitive::Lt, zero, seen)?;
    let own = builder.select(is_seen, own, zero)?;
    let total = builder.sum_all(own)?;
    let is_seen = builder.cast(is_seen, Element::F32)?;
    let classes = builder.sum_all(is_seen)?;
    let mean = ratio(given(0), given(1)).build(builder, &[total, classes])?;
    let groups = builder.shape(counts[0]).fixed_count();
    let sums = vec![given(1), given(2), given(3)];
    let combination = Combination::averaged(&["hits", "said", "came"], groups, sums, &value);
    network.combines(mean, combination, counts);
    Ok(mean)
}

/// Whether each element was said to be yes, and whether it was: for predictions and targets of one shape.
pub fn yes_and_no(network: &mut Network, metric: &str, x: NodeId, call: &Call) -> Result<(NodeId, NodeId), Fault> {
    let y = same_shape(network, metric, x, call)?;
    let border = border(network, call)?;
    let builder = &mut network.builder;
    let said = builder.binary(Primitive::Lt, border, x)?;
    let half = builder.constant_like(y, 0.5)?;
    Ok((said, builder.binary(Primitive::Lt, half, y)?))
}

/// The value above which a prediction says yes: the threshold t, or its logit log(t / (1 - t)).
fn border(network: &mut Network, call: &Call) -> Result<NodeId, Fault> {
    let threshold = match call.get("threshold") {
        Some(_) => network.number(call, "threshold"),
        None => network.builder.constant_f64(0.5),
    };
    if call.word("from") == Some("probabilities") {
        return Ok(threshold);
    }
    let builder = &mut network.builder;
    let one = builder.constant_f64(1.0);
    let rest = builder.sub(one, threshold)?;
    let odds = builder.div(threshold, rest)?;
    Ok(builder.unary(Primitive::Log, odds)?)
}

/// For each row and class, whether the class was said, and whether it came.
pub(super) fn classes(network: &mut Network, metric: &str, x: NodeId, y: NodeId) -> Result<(NodeId, NodeId), Fault> {
    let y = labels(network, metric, x, y)?;
    let came = one_hot(network, y, x)?;
    let first = super::classes::first_largest(network, x)?;
    let builder = &mut network.builder;
    let shape = builder.shape(x);
    let last = shape.rank() - 1;
    let first = builder.expand(first, &shape, &[last])?;
    let index = builder.iota(shape, last)?;
    let index = builder.cast(index, Element::F32)?;
    Ok((builder.binary(Primitive::Eq, index, first)?, came))
}
