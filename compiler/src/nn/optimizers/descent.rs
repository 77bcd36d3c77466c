//! Steps along the gradient, with and without momentum.

use super::{ALL, Form, Optimizer, RATE, Update, beta, semantics};
use crate::graph::NodeId;
use crate::nn::{Call, Fault};

pub static SGD: Optimizer = Optimizer {
    name: "sgd",
    doc: "a step against the gradient",
    source: "Robbins and Monro (1951)",
    forms: &[Form {
        of: ALL,
        formula: "theta = theta - rate * g",
        build: |update, _| Ok(update.descend(update.gradient)?),
        at: None,
    }],
    parameters: &[RATE, semantics(ALL)],
};

pub static MOMENTUM: Optimizer = Optimizer {
    name: "momentum",
    doc: "a step along a decaying sum of gradients",
    source: "Polyak (1964). PyTorch and Optax keep η outside m: the same only at a constant rate. No framework has a default for beta",
    forms: &[
        Form {
            of: &["paper", "keras"],
            formula: "m = beta * m - rate * g; theta = theta + m",
            build: |update, call| {
                let velocity = inside(update, call)?;
                Ok(update.builder.add(update.theta, velocity)?)
            },
            at: None,
        },
        Form {
            of: &["torch", "optax"],
            formula: "m = beta * m + g; theta = theta - rate * m",
            build: |update, call| {
                let velocity = outside(update, call)?;
                Ok(update.descend(velocity)?)
            },
            at: None,
        },
    ],
    parameters: &[RATE, beta("beta", "0.9"), semantics(ALL)],
};

pub static NESTEROV: Optimizer = Optimizer {
    name: "nesterov",
    doc: "momentum with the gradient taken where the momentum leads to",
    source: "Nesterov (1983), in the form of Sutskever, Martens, Dahl and Hinton (2013), equations 3 and 4. No framework has a default for beta",
    forms: &[
        Form {
            of: &["paper"],
            formula: "m = beta * m - rate * g(theta + beta * m); theta = theta + m",
            build: |update, call| {
                let velocity = inside(update, call)?;
                Ok(update.builder.add(update.theta, velocity)?)
            },
            at: Some(|update, call| {
                let velocity = update.state("m", 0.0)?;
                let beta = update.number(call, "beta");
                let ahead = update.builder.mul(velocity, beta)?;
                Ok(Some(update.builder.add(update.theta, ahead)?))
            }),
        },
        Form {
            of: &["torch", "optax"],
            formula: "m = beta * m + g; theta = theta - rate * (g + beta * m)",
            build: |update, call| {
                let beta = update.number(call, "beta");
                let velocity = outside(update, call)?;
                let ahead = update.builder.mul(velocity, beta)?;
                let along = update.builder.add(update.gradient, ahead)?;
                Ok(update.descend(along)?)
            },
            at: None,
        },
        Form {
            of: &["keras"],
            formula: "m = beta * m - rate * g; theta = theta + beta * m - rate * g",
            build: |update, call| {
                let beta = update.number(call, "beta");
                let velocity = inside(update, call)?;
                let ahead = update.builder.mul(velocity, beta)?;
                let moved = update.builder.add(update.theta, ahead)?;
                let step = update.builder.mul(update.gradient, update.rate)?;
                Ok(update.builder.sub(moved, step)?)
            },
            at: None,
        },
    ],
    parameters: &[RATE, beta("beta", "0.9"), semantics(ALL)],
};

/// `m ← βm - ηg`.
fn inside(update: &mut Update, call: &Call) -> Result<NodeId, Fault> {
    let velocity = update.state("m", 0.0)?;
    let beta = update.number(call, "beta");
    let kept = update.builder.mul(velocity, beta)?;
    let step = update.builder.mul(update.gradient, update.rate)?;
    let next = update.builder.sub(kept, step)?;
    update.set_state(velocity, next);
    Ok(next)
}

/// `m ← βm + g`.
fn outside(update: &mut Update, call: &Call) -> Result<NodeId, Fault> {
    let velocity = update.state("m", 0.0)?;
    let beta = update.number(call, "beta");
    let kept = update.builder.mul(velocity, beta)?;
    let next = update.builder.add(kept, update.gradient)?;
    update.set_state(velocity, next);
    Ok(next)
}
