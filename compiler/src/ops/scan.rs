//! The scan: a body repeated along the steps of sequences. What it means stands in [`crate::graph::scan`].

mod backward;
mod draft;
#[cfg(test)]
mod tests;

use super::{Array, Derivative, Environment, Evaluation, Exactness, Lowering, Record, Sample};
use crate::graph::scan::Role;
use crate::graph::{Attributes, Graph, Scan};
use crate::reference;

pub const SCAN: Record = Record {
    name: "scan",
    doc: "a body repeated for each step of sequences [batch, steps, f…]; what it gives and carries from step to step [batch, steps, widths]",
    arity: None,
    infer: |operands, attributes, _| match attributes {
        Attributes::Scan(scan) => scan.infer(operands),
        _ => Err("takes a body".into()),
    },
    value: |e| match e.attributes {
        Attributes::Scan(scan) => scanned(scan, e, &mut reference::evaluate),
        _ => Array::filled(e.dims.to_vec(), f64::NAN),
    },
    derivative: Derivative::Rule {
        text: "d(scan) = the body's derivative, scanned the other way; of a constant one sum or product over all steps",
        apply: backward::gradients,
    },
    lowering: Lowering::Scan,
    exactness: Exactness::Accumulates,
    samples: &[Sample::Real],
    smooth: true,
    commutative: false,
};

/// Rows `[outer, steps, inner]` at one step.
fn at_step(sequence: &Array, step: usize) -> Array {
    let inner: usize = sequence.dims[2..].iter().product();
    let steps = sequence.dims[1];
    let rows = sequence.data.chunks((inner * steps).max(1)).flat_map(|row| &row[step * inner..(step + 1) * inner]).copied();
    let mut dims = sequence.dims.clone();
    dims.remove(1);
    Array::new(dims, rows.collect())
}

/// How a step is evaluated: values of the nodes that the body's roots need.
pub type Stepped<'a> = &'a mut dyn FnMut(&Graph, &Environment) -> Vec<Option<Array>>;

/// The value of a scan, its steps evaluated by `step`.
pub fn scanned(scan: &Scan, e: &Evaluation, evaluate: Stepped) -> Array {
    let (steps, width) = (e.dims[1], e.dims[2]);
    let mut result = Array::filled(e.dims.to_vec(), 0.0);
    let mut environment = Environment { batch: e.environment.batch, ..Environment::default() };
    let set = |role: Role, value: Array, environment: &mut Environment| environment.sources.insert(role.source().1, value);
    for (number, first) in e.operands.iter().take(scan.carries).enumerate() {
        set(Role::Carry(number), (*first).clone(), &mut environment);
    }
    for (number, constant) in e.operands.iter().skip(scan.carries + scan.sequences).enumerate() {
        set(Role::Constant(number), (*constant).clone(), &mut environment);
    }
    let (first, onward) = scan.course(steps);
    for turn in 0..steps {
        let step = (first as i64 + onward * turn as i64) as usize;
        for number in 0..scan.sequences {
            set(Role::Sequence(number), at_step(e.operands[scan.carries + number], step), &mut environment);
        }
        let values = evaluate(&scan.body, &environment);
        for (number, ((node, own), columns)) in scan.parts().zip(scan.columns()).enumerate() {
            let Some(value) = &values[node.index()] else { continue };
            for (row, part) in value.data.chunks(own).enumerate() {
                let begin = (row * steps + step) * width;
                result.data[begin + columns.start..begin + columns.end].copy_from_slice(part);
            }
            if number < scan.carries {
                set(Role::Carry(number), value.clone(), &mut environment);
            }
        }
    }
    result
}
