//! A rate of its own for every element, from the size of its gradients so far.

use super::{Optimizer, RATE, beta, epsilon, semantics};
use crate::nn::{Kind, Parameter};
use crate::ops::Primitive;

pub static ADAGRAD: Optimizer = Optimizer {
    name: "adagrad",
    doc: "divides by the root of the sum of squared gradients",
    source: "Duchi, Hazan and Singer (2011)",
    formulas: &[
        (
            "paper",
            "s = s + g^2; theta = theta - rate * g / sqrt(s + epsilon); \
             centered: s less mean^2, mean = beta * mean + (1 - beta) * g; with momentum: m = momentum * m + step, theta = theta - rate * m",
        ),
        ("torch", "s = s + g^2; theta = theta - rate * g / (sqrt(s) + epsilon)"),
        ("keras", "s = s + g^2; theta = theta - rate * g / sqrt(s + epsilon)"),
    ],
    parameters: &[
        RATE,
        epsilon("1e-7"),
        Parameter::optional("initial", Kind::NOT_NEGATIVE, "0", "what s starts from"),
        semantics(&["paper", "torch", "keras"]),
    ],
    build: |update, call| {
        let sum = update.state("s", call.number("initial").unwrap_or(0.0))?;
        let square = update.square()?;
        let next = update.builder.add(sum, square)?;
        update.set_state(sum, next);
        let epsilon = update.number(call, "epsilon");
        let root = update.root(next, epsilon, call.word("semantics") != Some("torch"))?;
        let direction = update.builder.div(update.gradient, root)?;
        Ok(update.descend(direction)?)
    },
    at: None,
};

pub static RMSPROP: Optimizer = Optimizer {
    name: "rmsprop",
    doc: "divides by the root of a moving average of squared gradients",
    source: "Tieleman and Hinton (2012), lecture 6e of Neural Networks for Machine Learning; centred: Graves (2013), equations 38 to 45",
    formulas: &[
        (
            "paper",
            "s = beta * s + (1 - beta) * g^2; theta = theta - rate * g / sqrt(s + epsilon); \
             centered: s less mean^2, mean = beta * mean + (1 - beta) * g; with momentum: m = momentum * m + step, theta = theta - rate * m",
        ),
        (
            "torch",
            "s = beta * s + (1 - beta) * g^2; theta = theta - rate * g / (sqrt(s) + epsilon); \
             centered: s less mean^2, mean = beta * mean + (1 - beta) * g; with momentum: m = momentum * m + step, theta = theta - rate * m",
        ),
        (
            "keras",
            "s = beta * s + (1 - beta) * g^2; theta = theta - rate * g / sqrt(s + epsilon); \
             centered: s less mean^2, mean = beta * mean + (1 - beta) * g; with momentum: m = momentum * m + step, theta = theta - rate * m",
        ),
    ],
    parameters: &[
        RATE,
        beta("beta", "0.9"),
        epsilon("1e-7"),
        Parameter::optional("centered", Kind::Flag, "false", "takes the square of the mean gradient out of s"),
        Parameter::optional("momentum", Kind::SHARE, "0", "how much of the last step is kept"),
        semantics(&["paper", "torch", "keras"]),
    ],
    build: |update, call| {
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
        let root = update.root(size, epsilon, call.word("semantics") != Some("torch"))?;
        let mut direction = update.builder.div(update.gradient, root)?;
        if call.number("momentum") != Some(0.0) {
            let velocity = update.state("m", 0.0)?;
            let momentum = update.number(call, "momentum");
            let kept = update.builder.mul(velocity, momentum)?;
            direction = update.builder.add(kept, direction)?;
            update.set_state(velocity, direction);
        }
        Ok(update.descend(direction)?)
    },
    at: None,
};

pub static ADADELTA: Optimizer = Optimizer {
    name: "adadelta",
    doc: "scales by the ratio of the sizes of past steps and past gradients",
    source: "Zeiler (2012), algorithm 1",
    formulas: &[(
        "paper",
        "s = rho * s + (1 - rho) * g^2; d = g * sqrt(u + epsilon) / sqrt(s + epsilon); u = rho * u + (1 - rho) * d^2; theta = theta - rate * d",
    )],
    parameters: &[
        Parameter::optional("rate", Kind::NOT_NEGATIVE, "1", "multiplies the step"),
        beta("rho", "0.9"),
        epsilon("1e-6"),
        semantics(&["paper", "torch"]),
    ],
    build: |update, call| {
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
    },
    at: None,
};
