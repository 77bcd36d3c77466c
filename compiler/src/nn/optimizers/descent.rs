//! Steps along the gradient, with and without momentum.

use super::{Optimizer, RATE, Update, beta, semantics};
use crate::graph::NodeId;
use crate::nn::{Call, Fault};

pub static SGD: Optimizer = Optimizer {
    name: "sgd",
    doc: "a step against the gradient",
    source: "Robbins and Monro (1951)",
    formulas: &[("", "theta = theta - rate * g")],
    parameters: &[RATE],
    build: |update, _| Ok(update.descend(update.gradient)?),
    at: None,
};

pub static MOMENTUM: Optimizer = Optimizer {
    name: "momentum",
    doc: "a step along a decaying sum of gradients",
    source: "Polyak (1964). PyTorch keeps η outside m: the same only at a constant rate",
    formulas: &[("paper", "m = beta * m - rate * g; theta = theta + m"), ("torch", "m = beta * m + g; theta = theta - rate * m")],
    parameters: &[RATE, beta("beta", "0.9"), semantics(&["paper", "torch"])],
    build: |update, call| {
        if call.word("semantics") == Some("torch") {
            let velocity = outside(update, call)?;
            return Ok(update.descend(velocity)?);
        }
        let velocity = inside(update, call)?;
        Ok(update.builder.add(update.theta, velocity)?)
    },
    at: None,
};

pub static NESTEROV: Optimizer = Optimizer {
    name: "nesterov",
    doc: "momentum with the gradient taken where the momentum leads to",
    source: "Nesterov (1983), in the form of Sutskever, Martens, Dahl and Hinton (2013), equations 3 and 4",
    formulas: &[
        ("paper", "m = beta * m - rate * g(theta + beta * m); theta = theta + m"),
        ("torch", "m = beta * m + g; theta = theta - rate * (g + beta * m)"),
        ("keras", "m = beta * m - rate * g; theta = theta + beta * m - rate * g"),
    ],
    parameters: &[RATE, beta("beta", "0.9"), semantics(&["paper", "torch", "keras"])],
    build: |update, call| {
        let beta = update.number(call, "beta");
        match call.word("semantics") {
            Some("torch") => {
                let velocity = outside(update, call)?;
                let ahead = update.builder.mul(velocity, beta)?;
                let along = update.builder.add(update.gradient, ahead)?;
                Ok(update.descend(along)?)
            }
            Some("keras") => {
                let velocity = inside(update, call)?;
                let ahead = update.builder.mul(velocity, beta)?;
                let moved = update.builder.add(update.theta, ahead)?;
                let step = update.builder.mul(update.gradient, update.rate)?;
                Ok(update.builder.sub(moved, step)?)
            }
            _ => {
                let velocity = inside(update, call)?;
                Ok(update.builder.add(update.theta, velocity)?)
            }
        }
    },
    at: Some(|update, call| {
        if call.word("semantics") != Some("paper") {
            return Ok(None);
        }
        let velocity = update.state("m", 0.0)?;
        let beta = update.number(call, "beta");
        let ahead = update.builder.mul(velocity, beta)?;
        Ok(Some(update.builder.add(update.theta, ahead)?))
    }),
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
