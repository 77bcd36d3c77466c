//! A rate of its own for every element, from the size of its gradients so far.

use super::{ALL, Form, Optimizer, RATE, Update, beta, epsilon, semantics};
use crate::graph::NodeId;
use crate::nn::{Call, Fault, Kind, Parameter};
use crate::ops::Primitive;

pub static ADAGRAD: Optimizer = Optimizer {
    name: "adagrad",
    doc: "divides by the root of the sum of squared gradients",
    source: "Duchi, Hazan and Singer (2011)",
    forms: &[
        Form {
            of: &["paper", "keras", "optax"],
            formula: "s = s + g^2; theta = theta - rate * g / sqrt(s + epsilon)",
            build: |update, call| adagrad(update, call, true),
            at: None,
        },
        Form {
            of: &["torch"],
            formula: "s = s + g^2; theta = theta - rate * g / (sqrt(s) + epsilon)",
            build: |update, call| adagrad(update, call, false),
            at: None,
        },
    ],
    parameters: &[
        RATE,
        epsilon("1e-7").elsewhere(&[("torch", "1e-10")]),
        Parameter::optional("initial", Kind::NOT_NEGATIVE, "0", "what s starts from")
            .known()
            .elsewhere(&[("keras", "0.1"), ("optax", "0.1")]),
        semantics(ALL),
    ],
};

fn adagrad(update: &mut Update, call: &Call, under: bool) -> Result<NodeId, Fault> {
    let sum = update.state("s", call.number("initial").unwrap_or(0.0))?;
    let square = update.square()?;
    let next = update.builder.add(sum, square)?;
    update.set_state(sum, next);
    let epsilon = update.number(call, "epsilon");
    let root = update.root(next, epsilon, under)?;
    let direction = update.builder.div(update.gradient, root)?;
    Ok(update.descend(direction)?)
}

pub static RMSPROP: Optimizer = Optimizer {
    name: "rmsprop",
    doc: "divides by the root of a moving average of squared gradients",
    source: "Tieleman and Hinton (2012), lecture 6e of Neural Networks for Machine Learning; centred, with momentum: Graves (2013), equations 38 to 45. PyTorch keeps η outside m: the same only at a constant rate",
    forms: &[
        Form {
            of: &["paper", "keras", "optax"],
            formula: "s = beta * s + (1 - beta) * g^2; theta = theta - rate * g / sqrt(s + epsilon); \
                      centered: s less mean^2, mean = beta * mean + (1 - beta) * g; with momentum: m = momentum * m + rate * step, theta = theta - m",
            build: |update, call| {
                let direction = normalised(update, call, true)?;
                if call.number("momentum") == Some(0.0) {
                    return Ok(update.descend(direction)?);
                }
                let step = update.builder.mul(direction, update.rate)?;
                let step = gathered(update, call, step)?;
                Ok(update.builder.sub(update.theta, step)?)
            },
            at: None,
        },
        Form {
            of: &["torch"],
            formula: "s = beta * s + (1 - beta) * g^2; theta = theta - rate * g / (sqrt(s) + epsilon); \
                      centered: s less mean^2, mean = beta * mean + (1 - beta) * g; with momentum: m = momentum * m + step, theta = theta - rate * m",
            build: |update, call| {
                let mut direction = normalised(update, call, false)?;
                if call.number("momentum") != Some(0.0) {
                    direction = gathered(update, call, direction)?;
                }
                Ok(update.descend(direction)?)
            },
            at: None,
        },
    ],
    parameters: &[
        RATE,
        beta("beta", "0.9").elsewhere(&[("torch", "0.99")]),
        epsilon("1e-7").elsewhere(&[("torch", "1e-8"), ("optax", "1e-8")]),
        Parameter::optional("centered", Kind::Flag, "false", "takes the square of the mean gradient out of s"),
        Parameter::optional("momentum", Kind::SHARE, "0", "how much of the last step is kept"),
        semantics(ALL),
    ],
};

/// The gradient over the root of its average square.
fn normalised(update: &mut Update, call: &Call, under: bool) -> Result<NodeId, Fault> {
    let beta = update.number(call, "beta");
    let average = update.state("s", 0.0)?;
    let square = update.square()?;
    let mut size = update.average(average, beta, square)?;
    if call.flag("centered") {
        let mean = update.state("mean", 0.0)?;
        let mean = update.average(mean, beta, update.gradient)?;
        let square = update.builder.mul(mean, mean)?;
        size = update.builder.sub(size, square)?;
    }
    let epsilon = update.number(call, "epsilon");
    let root = update.root(size, epsilon, under)?;
    Ok(update.builder.div(update.gradient, root)?)
}

/// `m ← momentum·m + step`.
fn gathered(update: &mut Update, call: &Call, step: NodeId) -> Result<NodeId, Fault> {
    let velocity = update.state("m", 0.0)?;
    let momentum = update.number(call, "momentum");
    let kept = update.builder.mul(velocity, momentum)?;
    let next = update.builder.add(kept, step)?;
    update.set_state(velocity, next);
    Ok(next)
}

pub static ADADELTA: Optimizer = Optimizer {
    name: "adadelta",
    doc: "scales by the ratio of the sizes of past steps and past gradients",
    source: "Zeiler (2012), algorithm 1",
    forms: &[Form {
        of: ALL,
        formula: "s = rho * s + (1 - rho) * g^2; d = g * sqrt(u + epsilon) / sqrt(s + epsilon); u = rho * u + (1 - rho) * d^2; theta = theta - rate * d",
        build: adadelta,
        at: None,
    }],
    parameters: &[
        // Optax without a rate leaves out the sign too, and climbs.
        Parameter::optional("rate", Kind::NOT_NEGATIVE, "1", "multiplies the step").elsewhere(&[("keras", "0.001")]),
        beta("rho", "0.9").elsewhere(&[("keras", "0.95")]),
        epsilon("1e-6").elsewhere(&[("keras", "1e-7")]),
        semantics(ALL),
    ],
};

fn adadelta(update: &mut Update, call: &Call) -> Result<NodeId, Fault> {
    let rho = update.number(call, "rho");
    let epsilon = update.number(call, "epsilon");
    let (gradients, steps) = (update.state("s", 0.0)?, update.state("u", 0.0)?);
    let square = update.square()?;
    let size = update.average(gradients, rho, square)?;
    let below = update.root(size, epsilon, true)?;
    let above = update.root(steps, epsilon, true)?;
    let ratio = update.builder.div(above, below)?;
    let step = update.builder.mul(ratio, update.gradient)?;
    let square = update.builder.binary(Primitive::Mul, step, step)?;
    update.average(steps, rho, square)?;
    Ok(update.descend(step)?)
}
