//! Reductions over some of the axes.

use super::{Array, Derivative, Evaluation, Exactness, Fold, Lowering, Record, Sample, Vjp, for_each_index, strides};
use crate::graph::{Attributes, Element, Type};
use crate::ops::Primitive;

fn infer(operands: &[&Type], attributes: &Attributes, _: Option<&Type>) -> Result<Type, String> {
    let ([a], Attributes::Axes(axes)) = (operands, attributes) else { return Err("takes 1 operand and axes".into()) };
    if a.element != Element::F32 {
        return Err(format!("needs f32, got {}", a.element));
    }
    if axes.is_empty() || axes.windows(2).any(|pair| pair[0] >= pair[1]) || axes[axes.len() - 1] >= a.shape.rank() {
        return Err(format!("cannot reduce axes {axes:?} of {}", a.shape));
    }
    Ok(Type::f32(a.shape.without(axes)))
}

fn fold(evaluation: &Evaluation, start: f64, combine: fn(f64, f64) -> f64) -> Array {
    let a = evaluation.operands[0];
    let Attributes::Axes(axes) = evaluation.attributes else { return Array::filled(evaluation.dims.to_vec(), f64::NAN) };
    let mut result = Array::filled(evaluation.dims.to_vec(), start);
    let steps = strides(&result.dims);
    let mut position = 0;
    for_each_index(&a.dims, |index| {
        let kept = index.iter().enumerate().filter(|(axis, _)| !axes.contains(axis)).map(|(_, i)| i);
        let to: usize = kept.zip(&steps).map(|(i, step)| i * step).sum();
        result.data[to] = combine(result.data[to], a.data[position]);
        position += 1;
    });
    result
}

fn reduced_axes(v: &Vjp) -> Vec<usize> {
    match &v.attributes {
        Attributes::Axes(axes) => axes.clone(),
        _ => Vec::new(),
    }
}

pub const SUM: Record = Record {
    name: "sum",
    doc: "sum along axes",
    arity: Some(1),
    infer,
    value: |e| fold(e, 0.0, |sum, x| sum + x),
    derivative: Derivative::Rule {
        text: "d(sum a) = g, repeated along the axes",
        apply: |v| {
            let (shape, axes) = (v.operand_type(0).shape, reduced_axes(v));
            Ok(vec![Some(v.builder.expand(v.gradient, &shape, &axes)?)])
        },
    },
    lowering: Lowering::Reduce(Fold::Sum),
    exactness: Exactness::Accumulates,
    samples: &[Sample::Real],
    smooth: true,
    commutative: false,
};

/// The gradient goes to the elements that equal the extremum, in equal shares.
fn to_extrema(v: &mut Vjp) -> super::Gradients {
    let (shape, axes) = (v.operand_type(0).shape, reduced_axes(v));
    let best = v.builder.expand(v.node, &shape, &axes)?;
    let hit = v.builder.binary(Primitive::Eq, v.operands[0], best)?;
    let hit = v.builder.cast(hit, Element::F32)?;
    let count = v.builder.sum(hit, &axes)?;
    let share = v.builder.div(v.gradient, count)?;
    let share = v.builder.expand(share, &shape, &axes)?;
    Ok(vec![Some(v.builder.mul(share, hit)?)])
}

pub const MAX: Record = Record {
    name: "reduce_max",
    doc: "largest along axes, folded as max(so far, next)",
    value: |e| fold(e, f64::NEG_INFINITY, |best, x| if best > x { best } else { x }),
    derivative: Derivative::Rule { text: "d(max a) = g to the largest, shared among equals", apply: to_extrema },
    lowering: Lowering::Reduce(Fold::Max),
    exactness: Exactness::Exact,
    smooth: false,
    ..SUM
};

pub const MIN: Record = Record {
    name: "reduce_min",
    doc: "smallest along axes, folded as min(so far, next)",
    value: |e| fold(e, f64::INFINITY, |best, x| if best < x { best } else { x }),
    derivative: Derivative::Rule { text: "d(min a) = g to the smallest, shared among equals", apply: to_extrema },
    lowering: Lowering::Reduce(Fold::Min),
    exactness: Exactness::Exact,
    smooth: false,
    ..SUM
};
