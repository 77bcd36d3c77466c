//! Steps of one size in every element.

use super::{Form, Optimizer, RATE, beta, moments, semantics};
use crate::nn::{Kind, Parameter};
use crate::ops::Primitive;

pub static LION: Optimizer = Optimizer {
    name: "lion",
    doc: "a step of the rate's size along the sign of a blend of momentum and gradient",
    source: "Chen et al. (2023), algorithm 2",
    forms: &[Form {
        of: OFFERED,
        formula: "theta = theta - rate * (sign(beta1 * m + (1 - beta1) * g) + weight_decay * theta); m = beta2 * m + (1 - beta2) * g",
        build: |update, call| {
            let (beta1, beta2) = (update.number(call, "beta1"), update.number(call, "beta2"));
            let momentum = update.state("m", 0.0)?;
            let kept = update.builder.mul(momentum, beta1)?;
            let rest = update.rest(beta1)?;
            let new = update.builder.mul(update.gradient, rest)?;
            let blend = update.builder.add(kept, new)?;
            update.average(momentum, beta2, update.gradient)?;
            let sign = update.builder.unary(Primitive::Sign, blend)?;
            let moved = update.descend(sign)?;
            moments::decay(update, call, moved)
        },
        at: None,
    }],
    parameters: &[
        RATE,
        beta("beta1", "0.9"),
        beta("beta2", "0.99"),
        Parameter::optional("weight_decay", Kind::NOT_NEGATIVE, "0", "λ of the decoupled decay -ηλθ")
            .elsewhere(&[("optax", "1e-3")]),
        // PyTorch has no lion.
        semantics(OFFERED),
    ],
};

const OFFERED: &[&str] = &["paper", "keras", "optax"];
