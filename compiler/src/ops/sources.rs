//! Sources: what a step reads from outside.

use super::{Array, Derivative, Evaluation, Exactness, Lowering, Record, given_type};
use crate::graph::Attributes;

const fn source(name: &'static str, doc: &'static str, value: fn(&Evaluation) -> Array) -> Record {
    Record {
        name,
        doc,
        arity: Some(0),
        infer: given_type,
        value,
        derivative: Derivative::Zero,
        lowering: Lowering::Source,
        exactness: Exactness::Exact,
        samples: &[],
        smooth: true,
        commutative: false,
    }
}

/// The named tensor of the environment; missing ones are zero, so that shapes alone can be tried.
fn named(evaluation: &Evaluation) -> Array {
    let Attributes::Name(name) = evaluation.attributes else { return Array::filled(evaluation.dims.to_vec(), 0.0) };
    match evaluation.environment.sources.get(name) {
        Some(array) => Array::new(evaluation.dims.to_vec(), array.data.clone()),
        None => Array::filled(evaluation.dims.to_vec(), 0.0),
    }
}

pub const INPUT: Record = source("input", "What comes from outside on every call.", named);
pub const TARGET: Record = source("target", "What is only there in training and evaluation.", named);
pub const PARAMETER: Record = source("parameter", "A learned tensor.", named);
pub const STATE: Record = source("state", "A tensor kept from step to step: optimizer moments, running statistics.", named);
pub const SETTING: Record = source("setting", "A number that may change without compiling (f64).", named);
pub const CONSTANT: Record = source("constant", "A number.", |evaluation| {
    let value = match evaluation.attributes {
        Attributes::Constant(bits) => f64::from_bits(*bits),
        _ => f64::NAN,
    };
    Array::filled(evaluation.dims.to_vec(), value)
});
pub const STEP: Record =
    source("step", "The training step, counted from 1 (f64).", |evaluation| Array::scalar(evaluation.environment.step as f64));
pub const STEPS: Record =
    source("steps", "The step at which the run ends (f64); infinite where no end is known.", |evaluation| {
        Array::scalar(evaluation.environment.steps)
    });
pub const EPOCH: Record =
    source("epoch", "The epoch, counted from 1 (f64).", |evaluation| Array::scalar(evaluation.environment.epoch as f64));
pub const BATCH_SIZE: Record = source("batch_size", "True number of rows of the batch (f32).", |evaluation| {
    Array::scalar(evaluation.environment.batch as f64)
});
