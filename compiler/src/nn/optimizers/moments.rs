//! The family of Adam: averages of the gradient and of its square, corrected for their start at 0.

use super::{ALL, Form, Optimizer, RATE, Update, beta, epsilon, semantics};
use crate::graph::NodeId;
use crate::nn::{Call, Fault, Kind, Parameter};
use crate::ops::Primitive;

const BETA1: Parameter = beta("beta1", "0.9");
const BETA2: Parameter = beta("beta2", "0.999");
const EPSILON: Parameter = epsilon("1e-8").elsewhere(&[("keras", "1e-7")]);
const DECAY: Parameter = Parameter::optional(
    "weight_decay",
    Kind::NOT_NEGATIVE,
    "0.01",
    "λ of the decoupled decay -ηλθ; prelu's slopes are left alone",
)
.elsewhere(&[("keras", "0.004"), ("optax", "1e-4")]);

/// Where an average square that started at 0 is corrected.
#[derive(Clone, Copy, PartialEq)]
enum Corrected {
    /// Under the root: `√(s/(1-β₂ᵗ)) + ε`.
    Root,
    /// With the step: `√s + ε`, and the step times `√(1-β₂ᵗ)`, so that ε weighs more in early steps.
    Step,
    /// Before the largest is taken.
    Already,
}

pub static ADAM: Optimizer = Optimizer {
    name: "adam",
    doc: "a step along the average gradient, divided by the root of the average square",
    source: "Kingma and Ba (2015), algorithm 1; Keras has ε beside the uncorrected √s",
    forms: &[
        Form {
            of: &["paper", "torch", "optax"],
            formula: "m = beta1 * m + (1 - beta1) * g; s = beta2 * s + (1 - beta2) * g^2; \
                      theta = theta - rate * m / (1 - beta1^t) / (sqrt(s / (1 - beta2^t)) + epsilon)",
            build: |update, call| adam(update, call, update_size, Corrected::Root),
            at: None,
        },
        Form {
            of: &["keras"],
            formula: "m = beta1 * m + (1 - beta1) * g; s = beta2 * s + (1 - beta2) * g^2; \
                      theta = theta - rate * sqrt(1 - beta2^t) / (1 - beta1^t) * m / (sqrt(s) + epsilon)",
            build: |update, call| adam(update, call, update_size, Corrected::Step),
            at: None,
        },
    ],
    parameters: &[RATE, BETA1, BETA2, EPSILON, semantics(ALL)],
};

pub static ADAMW: Optimizer = Optimizer {
    name: "adamw",
    doc: "adam with decoupled weight decay -ηλθ",
    source: "Loshchilov and Hutter (2019), algorithm 2 with the decay multiplied by the rate, as frameworks have it; Keras has ε beside the uncorrected √s",
    forms: &[
        Form {
            of: &["paper", "torch", "optax"],
            formula: "m = beta1 * m + (1 - beta1) * g; s = beta2 * s + (1 - beta2) * g^2; \
                      theta = theta - rate * (m / (1 - beta1^t) / (sqrt(s / (1 - beta2^t)) + epsilon) + weight_decay * theta)",
            build: |update, call| {
                let moved = adam(update, call, update_size, Corrected::Root)?;
                decay(update, call, moved)
            },
            at: None,
        },
        Form {
            of: &["keras"],
            formula: "m = beta1 * m + (1 - beta1) * g; s = beta2 * s + (1 - beta2) * g^2; \
                      theta = theta - rate * (sqrt(1 - beta2^t) / (1 - beta1^t) * m / (sqrt(s) + epsilon) + weight_decay * theta)",
            build: |update, call| {
                let moved = adam(update, call, update_size, Corrected::Step)?;
                decay(update, call, moved)
            },
            at: None,
        },
    ],
    parameters: &[RATE, BETA1, BETA2, EPSILON, DECAY, semantics(ALL)],
};

pub static AMSGRAD: Optimizer = Optimizer {
    name: "amsgrad",
    doc: "adam with the largest average square so far",
    source: "Reddi, Kale and Kumar (2018), algorithm 2, corrected for the start at 0 as frameworks have it: PyTorch and Keras correct the largest, Optax takes the largest of the corrected",
    forms: &[
        Form {
            of: &["paper", "torch"],
            formula: "m = beta1 * m + (1 - beta1) * g; s = beta2 * s + (1 - beta2) * g^2; v = max(v, s); \
                      theta = theta - rate * m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + epsilon)",
            build: |update, call| adam(update, call, largest_size, Corrected::Root),
            at: None,
        },
        Form {
            of: &["keras"],
            formula: "m = beta1 * m + (1 - beta1) * g; s = beta2 * s + (1 - beta2) * g^2; v = max(v, s); \
                      theta = theta - rate * sqrt(1 - beta2^t) / (1 - beta1^t) * m / (sqrt(v) + epsilon)",
            build: |update, call| adam(update, call, largest_size, Corrected::Step),
            at: None,
        },
        Form {
            of: &["optax"],
            formula: "m = beta1 * m + (1 - beta1) * g; s = beta2 * s + (1 - beta2) * g^2; v = max(v, s / (1 - beta2^t)); \
                      theta = theta - rate * m / (1 - beta1^t) / (sqrt(v) + epsilon)",
            build: |update, call| {
                let corrected = |update: &mut Update, beta2| {
                    let size = update_size(update, beta2)?;
                    let correction = update.correction(beta2, update.step)?;
                    let size = update.builder.mul(size, correction)?;
                    largest(update, size)
                };
                adam(update, call, corrected, Corrected::Already)
            },
            at: None,
        },
    ],
    parameters: &[RATE, BETA1, BETA2, EPSILON, semantics(ALL)],
};

/// `v ← max(v, size)`.
fn largest(update: &mut Update, size: NodeId) -> Result<NodeId, Fault> {
    let largest = update.state("v", 0.0)?;
    let next = update.builder.binary(Primitive::Max, largest, size)?;
    update.set_state(largest, next);
    Ok(next)
}

/// The largest average square so far.
fn largest_size(update: &mut Update, beta2: NodeId) -> Result<NodeId, Fault> {
    let size = update_size(update, beta2)?;
    largest(update, size)
}

/// The average square of the gradient.
fn update_size(update: &mut Update, beta2: NodeId) -> Result<NodeId, Fault> {
    let average = update.state("s", 0.0)?;
    let square = update.square()?;
    Ok(update.average(average, beta2, square)?)
}

/// Adam's step, with the average square from `size`. Corrections and rate are joined as scalars before they meet a tensor.
fn adam(
    update: &mut Update,
    call: &Call,
    size: impl Fn(&mut Update, NodeId) -> Result<NodeId, Fault>,
    corrected: Corrected,
) -> Result<NodeId, Fault> {
    let (beta1, beta2) = (update.number(call, "beta1"), update.number(call, "beta2"));
    let epsilon = update.number(call, "epsilon");
    let mean = update.state("m", 0.0)?;
    let mean = update.average(mean, beta1, update.gradient)?;
    let mut size = size(update, beta2)?;
    let first = update.correction(beta1, update.step)?;
    let second = update.correction(beta2, update.step)?;
    let mut scale = update.builder.mul(update.rate, first)?;
    match corrected {
        Corrected::Root => size = update.builder.mul(size, second)?,
        Corrected::Step => {
            let root = update.builder.unary(Primitive::Sqrt, second)?;
            scale = update.builder.div(scale, root)?;
        }
        Corrected::Already => {}
    }
    let below = update.root(size, epsilon, false)?;
    let above = update.builder.mul(mean, scale)?;
    let step = update.builder.div(above, below)?;
    Ok(update.builder.sub(update.theta, step)?)
}

/// `moved - ηλθ`.
pub(super) fn decay(update: &mut Update, call: &Call, moved: NodeId) -> Result<NodeId, Fault> {
    if !update.decayed || call.number("weight_decay") == Some(0.0) {
        return Ok(moved);
    }
    let strength = update.number(call, "weight_decay");
    let factor = update.builder.mul(update.rate, strength)?;
    let decay = update.builder.mul(update.theta, factor)?;
    Ok(update.builder.sub(moved, decay)?)
}

pub static NADAM: Optimizer = Optimizer {
    name: "nadam",
    doc: "adam with Nesterov's look-ahead in the average gradient",
    source: "Dozat (2016); the catalogue's form is Optax's, PyTorch and Keras run momentum schedules",
    forms: &[
        Form {
            of: &["paper", "optax"],
            formula: "m, s as adam; h = beta1 * m / (1 - beta1^(t+1)) + (1 - beta1) * g / (1 - beta1^t); \
                      theta = theta - rate * h / (sqrt(s / (1 - beta2^t)) + epsilon)",
            build: nadam,
            at: None,
        },
        Form {
            of: &["torch"],
            formula: "m, s as adam; b(t) = beta1 * (1 - 0.5 * 0.96^(momentum_decay * t)); p = p * b(t); \
                      h = b(t+1) * m / (1 - p * b(t+1)) + (1 - b(t)) * g / (1 - p); theta = theta - rate * h / (sqrt(s / (1 - beta2^t)) + epsilon)",
            build: |update, call| {
                let pace = update.number(call, "momentum_decay");
                scheduled(update, call, pace)
            },
            at: None,
        },
        Form {
            of: &["keras"],
            formula: "m, s as adam; b(t) = beta1 * (1 - 0.5 * 0.96^t); p = p * b(t); \
                      h = b(t+1) * m / (1 - p * b(t+1)) + (1 - b(t)) * g / (1 - p); theta = theta - rate * h / (sqrt(s / (1 - beta2^t)) + epsilon)",
            build: |update, call| {
                let pace = update.builder.constant_f64(1.0);
                scheduled(update, call, pace)
            },
            at: None,
        },
    ],
    parameters: &[
        RATE,
        BETA1,
        BETA2,
        EPSILON,
        Parameter::optional("momentum_decay", Kind::NOT_NEGATIVE, "0.004", "ψ of PyTorch's schedule β₁(1 - 0.5·0.96^(ψt))"),
        semantics(ALL),
    ],
};

/// `√(s/(1-β₂ᵗ)) + ε` of nadam.
fn nadam_root(update: &mut Update, call: &Call) -> Result<NodeId, Fault> {
    let beta2 = update.number(call, "beta2");
    let epsilon = update.number(call, "epsilon");
    let size = update_size(update, beta2)?;
    let correction = update.correction(beta2, update.step)?;
    let size = update.builder.mul(size, correction)?;
    Ok(update.root(size, epsilon, false)?)
}

/// `θ - (a·m + b·g) / below`, with a and b f64 scalars.
fn blend(update: &mut Update, mean: NodeId, a: NodeId, b: NodeId, below: NodeId) -> Result<NodeId, Fault> {
    let (a, b) = (update.builder.mul(a, update.rate)?, update.builder.mul(b, update.rate)?);
    let left = update.builder.mul(mean, a)?;
    let right = update.builder.mul(update.gradient, b)?;
    let above = update.builder.add(left, right)?;
    let step = update.builder.div(above, below)?;
    Ok(update.builder.sub(update.theta, step)?)
}

fn nadam(update: &mut Update, call: &Call) -> Result<NodeId, Fault> {
    let beta1 = update.number(call, "beta1");
    let mean = update.state("m", 0.0)?;
    let mean = update.average(mean, beta1, update.gradient)?;
    let below = nadam_root(update, call)?;
    let next_step = update.builder.offset(update.step, 1.0)?;
    let ahead = update.correction(beta1, next_step)?;
    let here = update.correction(beta1, update.step)?;
    let a = update.builder.mul(beta1, ahead)?;
    let rest = update.rest(beta1)?;
    let b = update.builder.mul(rest, here)?;
    blend(update, mean, a, b, below)
}

/// Nadam with a momentum schedule (PyTorch's and Keras' differ in the pace alone); the product of the momenta so far is one f64 state.
fn scheduled(update: &mut Update, call: &Call, pace: NodeId) -> Result<NodeId, Fault> {
    let beta1 = update.number(call, "beta1");
    let mean = update.state("m", 0.0)?;
    let mean = update.average(mean, beta1, update.gradient)?;
    let below = nadam_root(update, call)?;
    let here = scheduled_beta(update, beta1, pace, update.step)?;
    let next_step = update.builder.offset(update.step, 1.0)?;
    let ahead = scheduled_beta(update, beta1, pace, next_step)?;
    let product = update.shared_state("product", 1.0)?;
    let product_here = update.builder.mul(product, here)?;
    update.set_state(product, product_here);
    let product_ahead = update.builder.mul(product_here, ahead)?;
    let missing = update.rest(product_ahead)?;
    let a = update.builder.div(ahead, missing)?;
    let rest = update.rest(here)?;
    let missing = update.rest(product_here)?;
    let b = update.builder.div(rest, missing)?;
    blend(update, mean, a, b, below)
}

/// `β₁(1 - 0.5·0.96^(pace·t))`.
fn scheduled_beta(update: &mut Update, beta1: NodeId, pace: NodeId, step: NodeId) -> Result<NodeId, Fault> {
    let base = update.builder.constant_f64(0.96);
    let exponent = update.builder.mul(pace, step)?;
    let power = update.builder.binary(Primitive::Pow, base, exponent)?;
    let half = update.builder.scale(power, 0.5)?;
    let rest = update.rest(half)?;
    Ok(update.builder.mul(beta1, rest)?)
}

pub static ADAMAX: Optimizer = Optimizer {
    name: "adamax",
    doc: "adam with the largest gradient, slowly forgotten, in place of the root",
    source: "Kingma and Ba (2015), algorithm 2, with an ε that keeps a gradient of 0 from dividing by 0: beside |g| in PyTorch and Optax, beside u in Keras",
    forms: &[
        Form {
            of: &["paper", "torch", "optax"],
            formula: "m = beta1 * m + (1 - beta1) * g; u = max(beta2 * u, |g| + epsilon); theta = theta - rate / (1 - beta1^t) * m / u",
            build: |update, call| adamax(update, call, true),
            at: None,
        },
        Form {
            of: &["keras"],
            formula: "m = beta1 * m + (1 - beta1) * g; u = max(beta2 * u, |g|); theta = theta - rate / (1 - beta1^t) * m / (u + epsilon)",
            build: |update, call| adamax(update, call, false),
            at: None,
        },
    ],
    parameters: &[RATE, BETA1, BETA2, EPSILON, semantics(ALL)],
};

/// `kept`: ε is part of what u remembers.
fn adamax(update: &mut Update, call: &Call, kept: bool) -> Result<NodeId, Fault> {
    let (beta1, beta2) = (update.number(call, "beta1"), update.number(call, "beta2"));
    let epsilon = update.number(call, "epsilon");
    let mean = update.state("m", 0.0)?;
    let mean = update.average(mean, beta1, update.gradient)?;
    let largest = update.state("u", 0.0)?;
    let before = update.builder.mul(largest, beta2)?;
    let mut size = update.builder.unary(Primitive::Abs, update.gradient)?;
    if kept {
        size = update.builder.add(size, epsilon)?;
    }
    let next = update.builder.binary(Primitive::Max, before, size)?;
    update.set_state(largest, next);
    let below = if kept { next } else { update.builder.add(next, epsilon)? };
    let correction = update.correction(beta1, update.step)?;
    let scale = update.builder.mul(update.rate, correction)?;
    let above = update.builder.mul(mean, scale)?;
    let step = update.builder.div(above, below)?;
    Ok(update.builder.sub(update.theta, step)?)
}
