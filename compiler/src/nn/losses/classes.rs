//! Losses between a distribution over classes and the class that came.

use super::mean::{laid_on, ratio, weighted_mean};
use super::{DIVIDE, FROM, WEIGHTS, Y};
use crate::graph::{Element, NodeId, Shape};
use crate::nn::activations::log_softmax;
use crate::nn::fault::{ARGUMENT_BOUNDS, CLASSES_DIFFER, SHAPES_DIFFER, WRONG_RANK};
use crate::nn::parameters::Domain;
use crate::nn::{Call, Family, Fault, Function, Kind, Network, Parameter};
use crate::ops::Primitive;

/// `-Σ y log p` along the last axis, mean over rows; for a class index, `-log p` of that class.
pub static CROSS_ENTROPY: Function = Function {
    name: "cross_entropy",
    family: Family::Loss,
    doc: "-Σ y log p along the last axis [.., classes], mean over rows; y is a class index [..] or a distribution [.., classes]",
    formula: "-sum(y * log_softmax(x))",
    parameters: &[
        Y,
        FROM,
        Parameter::optional("label_smoothing", Kind::SHARE, "0", "share of the target that is spread over all classes"),
        Parameter::optional("class_weights", Kind::Numbers, "", "a weight for each class"),
        WEIGHTS,
        Parameter::optional("ignore", Kind::Size { least: 0 }, "", "rows of this class are left out"),
        DIVIDE,
    ],
    build: cross_entropy,
    ..Function::BASE
};

/// The same on log-probabilities.
pub static NEGATIVE_LOG_LIKELIHOOD: Function = Function {
    name: "negative_log_likelihood",
    family: Family::Loss,
    doc: "minus the log-probability of the class that came, mean over rows; the prediction is log-probabilities [.., classes]",
    formula: "-x[y]",
    parameters: &[Y, WEIGHTS, DIVIDE],
    build: |network, x, call| {
        let y = labels(network, "negative_log_likelihood", x, call.tensor("y").unwrap_or(x))?;
        let hit = one_hot(network, y, x)?;
        let picked = picked(network, hit, x)?;
        let losses = network.builder.neg(picked)?;
        weighted_mean(network, losses, call)
    },
    ..Function::BASE
};

fn cross_entropy(network: &mut Network, x: NodeId, call: &Call) -> Result<NodeId, Fault> {
    let y = call.tensor("y").unwrap_or(x);
    let classes = classes(network, "cross_entropy", x)?;
    let class_weights = class_weights(network, x, classes, call)?;
    if !network.builder.ty(y).element.is_integer() {
        several(network, x, y, classes)?;
        return with_distribution(network, x, classes, class_weights, call);
    }
    let y = labels(network, "cross_entropy", x, y)?;
    several(network, x, y, classes)?;
    let hit = one_hot(network, y, x)?;
    let smoothed = call.number("label_smoothing") != Some(0.0);
    let mut losses = if smoothed {
        let target = network.builder.cast(hit, Element::F32)?;
        let target = smoothed_target(network, target, classes, call)?;
        against_distribution(network, x, target, class_weights, call)?
    } else {
        let picked = match call.word("from") {
            // The class is picked first: one logarithm a row, and no 0·log 0 from the others.
            Some("probabilities") => {
                let probability = picked(network, hit, x)?;
                network.builder.unary(Primitive::Log, probability)?
            }
            _ => {
                let axis = network.builder.graph().shape(x).rank() - 1;
                let log = log_softmax(network, x, axis)?;
                picked(network, hit, log)?
            }
        };
        network.builder.neg(picked)?
    };
    // Weights of the rows: numerator and denominator differ where the class weights stand inside the smoothed sum already.
    let (mut above, mut below) = (None, None);
    if let Some(class_weights) = class_weights {
        let own = picked(network, hit, class_weights)?;
        below = Some(own);
        if !smoothed {
            above = Some(own);
        }
    }
    if let Some(weights) = call.tensor("weights") {
        let weights = laid_on(network, weights, losses)?;
        above = times(network, above, weights)?;
        below = times(network, below, weights)?;
    }
    if call.get("ignore").is_some() {
        let kept = kept(network, y, classes, call)?;
        let zero = network.builder.constant_like(losses, 0.0)?;
        // Selected, not multiplied: an ignored row may hold anything.
        losses = network.builder.select(kept, losses, zero)?;
        let kept = network.builder.cast(kept, Element::F32)?;
        above = times(network, above, kept)?;
        below = times(network, below, kept)?;
    }
    ratio(network, losses, above, below, call)
}

/// Of one class the probability would be 1, and the loss 0 whatever comes.
fn several(network: &Network, x: NodeId, y: NodeId, classes: usize) -> Result<(), Fault> {
    if classes > 1 {
        return Ok(());
    }
    let value = network.describe(x, "the prediction");
    let message = format!("cross_entropy chooses among classes; {value} is {} and has one", network.shape_text(x));
    Err(Fault::new(CLASSES_DIFFER, message).help("for yes or no take `binary_cross_entropy`").about(x).against(y))
}

fn times(network: &mut Network, weights: Option<NodeId>, more: NodeId) -> Result<Option<NodeId>, Fault> {
    Ok(Some(match weights {
        Some(weights) => network.builder.mul(weights, more)?,
        None => more,
    }))
}

fn with_distribution(
    network: &mut Network,
    x: NodeId,
    classes: usize,
    class_weights: Option<NodeId>,
    call: &Call,
) -> Result<NodeId, Fault> {
    if call.get("ignore").is_some() {
        let message = "cross_entropy: `ignore` names a class; the target is a distribution";
        return Err(Fault::new(ARGUMENT_BOUNDS, message).help("give rows to leave out a weight of 0").at("ignore"));
    }
    let mut target = super::regression::target_in(network, "cross_entropy", x, call, Domain::Shares)?;
    if call.number("label_smoothing") != Some(0.0) {
        target = smoothed_target(network, target, classes, call)?;
    }
    let losses = against_distribution(network, x, target, class_weights, call)?;
    weighted_mean(network, losses, call)
}

/// `(1 - ε) y + ε / classes`: Szegedy et al. (2016), section 7.
fn smoothed_target(network: &mut Network, target: NodeId, classes: usize, call: &Call) -> Result<NodeId, Fault> {
    let smoothing = network.number(call, "label_smoothing");
    let builder = &mut network.builder;
    let one = builder.constant_f64(1.0);
    let rest = builder.sub(one, smoothing)?;
    let spread = builder.scale(smoothing, 1.0 / classes as f64)?;
    let kept = builder.mul(target, rest)?;
    Ok(builder.add(kept, spread)?)
}

/// `-Σ w y log p` for each row; a class of y = 0 counts 0 whatever its p.
fn against_distribution(
    network: &mut Network,
    x: NodeId,
    target: NodeId,
    class_weights: Option<NodeId>,
    call: &Call,
) -> Result<NodeId, Fault> {
    let axis = network.builder.graph().shape(x).rank() - 1;
    let log = match call.word("from") {
        Some("probabilities") => safe_log(network, x, target)?,
        _ => log_softmax(network, x, axis)?,
    };
    let builder = &mut network.builder;
    let mut terms = builder.mul(target, log)?;
    if let Some(weights) = class_weights {
        terms = builder.mul(terms, weights)?;
    }
    let sum = builder.sum(terms, &[axis])?;
    Ok(builder.neg(sum)?)
}

/// `log p`, and 0 where `weight` is 0: 0·log 0 is 0 there, and so is its gradient.
pub fn safe_log(network: &mut Network, p: NodeId, weight: NodeId) -> Result<NodeId, Fault> {
    let builder = &mut network.builder;
    let zero = builder.constant_like(weight, 0.0)?;
    let absent = builder.binary(Primitive::Eq, weight, zero)?;
    let one = builder.constant_like(p, 1.0)?;
    let safe = builder.select(absent, one, p)?;
    Ok(builder.unary(Primitive::Log, safe)?)
}

/// Number of classes: the known size of the last axis.
fn classes(network: &Network, loss: &str, x: NodeId) -> Result<usize, Fault> {
    match network.builder.graph().shape(x).0.last() {
        Some(crate::graph::Dim::Fixed(size)) => Ok(*size),
        _ => {
            let value = network.describe(x, "the prediction");
            let message = format!("{loss} works along the last axis, one value a class; {value} is {}", network.shape_text(x));
            Err(Fault::new(WRONG_RANK, message).about(x))
        }
    }
}

/// Class indices that fit a prediction [.., classes]: shape [..], and as many classes.
pub fn labels(network: &Network, loss: &str, x: NodeId, y: NodeId) -> Result<NodeId, Fault> {
    let count = classes(network, loss, x)?;
    let ty = network.builder.ty(y);
    let (prediction, target) = (network.describe(x, "the prediction"), network.describe(y, "the target"));
    if !ty.element.is_integer() {
        let message = format!("{loss} needs class indices; {target} is {}", ty.element);
        return Err(Fault::new(CLASSES_DIFFER, message).help(format!("declare it as `class({count})`")).about(x).against(y));
    }
    if let Element::Class(known) = ty.element
        && known as usize != count
    {
        let what = if prediction == "the prediction" || loss == "cross_entropy" { "logit" } else { "value" };
        let message = format!(
            "{loss} needs one {what} a class: {prediction} has {count}, {target} has {known} class{}",
            if known == 1 { "" } else { "es" }
        );
        let help = format!("give the last layer width {known}, or declare `class({count})`");
        return Err(Fault::new(CLASSES_DIFFER, message).help(help).about(x).against(y));
    }
    let shape = network.builder.graph().shape(x);
    let rows = shape.without(&[shape.rank() - 1]);
    if ty.shape != rows {
        let message = format!(
            "{loss} needs one class a row: {prediction} is {}, {target} is {}",
            network.shape_text(x),
            network.shape_text(y)
        );
        let help = format!("declare the target as `class({count}){}`", crate::nn::network::shape_text(&rows));
        return Err(Fault::new(SHAPES_DIFFER, message).help(help).about(x).against(y));
    }
    Ok(y)
}

/// For class indices [..], whether each class of `like` [.., classes] is the one: bool [.., classes].
pub fn one_hot(network: &mut Network, y: NodeId, like: NodeId) -> Result<NodeId, Fault> {
    let shape: Shape = network.builder.shape(like);
    let last = shape.rank() - 1;
    let builder = &mut network.builder;
    let index = builder.iota(shape.clone(), last)?;
    let label = builder.cast(y, Element::I32)?;
    let label = builder.expand(label, &shape, &[last])?;
    Ok(builder.binary(Primitive::Eq, index, label)?)
}

/// The element of the class that came, along the last axis.
fn picked(network: &mut Network, hit: NodeId, x: NodeId) -> Result<NodeId, Fault> {
    let builder = &mut network.builder;
    let last = builder.graph().shape(x).rank() - 1;
    let zero = builder.constant_like(x, 0.0)?;
    let own = builder.select(hit, x, zero)?;
    Ok(builder.sum(own, &[last])?)
}

/// Whether a row counts: its class is not the ignored one.
fn kept(network: &mut Network, y: NodeId, classes: usize, call: &Call) -> Result<NodeId, Fault> {
    let ignored = call.size("ignore");
    if ignored >= classes {
        let message = format!("cross_entropy: `ignore` must be one of the {classes} classes, got {ignored}");
        return Err(Fault::new(ARGUMENT_BOUNDS, message).at("ignore"));
    }
    let builder = &mut network.builder;
    let label = builder.cast(y, Element::I32)?;
    let ignored = builder.constant_like(label, ignored as f64)?;
    Ok(builder.binary(Primitive::Ne, label, ignored)?)
}

/// The class weights over the prediction's shape.
fn class_weights(network: &mut Network, x: NodeId, classes: usize, call: &Call) -> Result<Option<NodeId>, Fault> {
    let Some(list) = call.numbers("class_weights") else { return Ok(None) };
    if list.len() != classes {
        let message = format!("cross_entropy: `class_weights` needs {classes} numbers, one a class, got {}", list.len());
        return Err(Fault::new(ARGUMENT_BOUNDS, message).at("class_weights"));
    }
    if let Some(wrong) = list.iter().find(|weight| **weight < 0.0) {
        let message = format!("cross_entropy: `class_weights` must be at least 0, got {wrong}");
        return Err(Fault::new(ARGUMENT_BOUNDS, message).at("class_weights"));
    }
    let builder = &mut network.builder;
    let shape = Shape::fixed(&[classes]);
    let index = builder.iota(shape.clone(), 0)?;
    let last = builder.constant(list[classes - 1]);
    let mut vector = builder.broadcast_scalar(last, &shape)?;
    for (class, &weight) in list.iter().enumerate().rev().skip(1) {
        let class = builder.constant_like(index, class as f64)?;
        let here = builder.binary(Primitive::Eq, index, class)?;
        let weight = builder.constant_like(vector, weight)?;
        vector = builder.select(here, weight, vector)?;
    }
    let shape = builder.shape(x);
    Ok(Some(builder.broadcast_to(vector, &shape)?))
}
