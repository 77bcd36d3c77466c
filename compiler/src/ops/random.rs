//! Random numbers: a pure function of (seed, stream, step, element).

use super::{Array, Derivative, Evaluation, Exactness, Lowering, Record, given_type};
use crate::graph::Attributes;
use crate::loops::random;

fn value(e: &Evaluation) -> Array {
    let Attributes::Stream(stream) = *e.attributes else { return Array::filled(e.dims.to_vec(), f64::NAN) };
    let columns = e.dims.last().copied().unwrap_or(1);
    let count: usize = e.dims.iter().product();
    let draw = |element: usize| {
        let (row, column) = (element / columns, element % columns);
        let word = random::uniform_at(e.environment.seed, stream, e.environment.turn as u32, row as u32, column as u32);
        (f64::from(word >> 9) + 0.5) / f64::from(1u32 << 23)
    };
    Array::new(e.dims.to_vec(), (0..count).map(draw).collect())
}

pub const UNIFORM: Record = Record {
    name: "uniform",
    doc: "random numbers in (0, 1): ((word >> 9) + 1/2) / 2^23 of Threefry4x32 with 13 rounds",
    arity: Some(0),
    infer: given_type,
    value,
    derivative: Derivative::Zero,
    lowering: Lowering::Random,
    exactness: Exactness::Exact,
    samples: &[],
    smooth: true,
    commutative: false,
};
