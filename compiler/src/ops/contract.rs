//! The contraction: every product of matrices, and every einsum of two operands.

use super::{Array, Derivative, Evaluation, Exactness, Lowering, Record, Sample, Vjp, for_each_index, strides};
use crate::graph::{Attributes, Contraction, Dim, Element, Shape, Type};

fn infer(operands: &[&Type], attributes: &Attributes, _: Option<&Type>) -> Result<Type, String> {
    let ([a, b], Attributes::Contract(spec)) = (operands, attributes) else { return Err("takes 2 operands and labels".into()) };
    if a.element != Element::F32 || b.element != Element::F32 {
        return Err(format!("needs f32 operands, got {} and {}", a.element, b.element));
    }
    if spec.left.len() != a.shape.rank() || spec.right.len() != b.shape.rank() {
        return Err(format!("labels do not fit the ranks of {} and {}", a.shape, b.shape));
    }
    let mut sizes: Vec<(u8, Dim)> = Vec::new();
    for (labels, shape) in [(&spec.left, &a.shape), (&spec.right, &b.shape)] {
        for (position, (&label, &dim)) in labels.iter().zip(&shape.0).enumerate() {
            if labels[..position].contains(&label) {
                return Err("an operand has a label twice".into());
            }
            match sizes.iter().find(|(known, _)| *known == label) {
                Some((_, size)) if *size != dim => return Err(format!("sizes {size} and {dim} do not meet")),
                Some(_) => {}
                None => sizes.push((label, dim)),
            }
        }
    }
    let in_out = |label: u8| spec.out.contains(&label);
    if sizes.iter().any(|(label, _)| !(in_out(*label) || spec.left.contains(label) && spec.right.contains(label))) {
        return Err("a label that is summed must stand in both operands".into());
    }
    let dims: Option<Vec<Dim>> =
        spec.out.iter().map(|label| sizes.iter().find(|(known, _)| known == label).map(|(_, dim)| *dim)).collect();
    dims.map(|dims| Type::f32(Shape(dims))).ok_or_else(|| "a label of the result stands in no operand".into())
}

fn value(evaluation: &Evaluation) -> Array {
    let (a, b) = (evaluation.operands[0], evaluation.operands[1]);
    let Attributes::Contract(spec) = evaluation.attributes else { return Array::filled(evaluation.dims.to_vec(), f64::NAN) };
    let mut labels = spec.out.clone();
    labels.extend(spec.left.iter().filter(|label| !spec.out.contains(label)));
    let size = |label: u8| match spec.left.iter().position(|&known| known == label) {
        Some(axis) => a.dims[axis],
        None => b.dims[spec.right.iter().position(|&known| known == label).unwrap_or(0)],
    };
    let dims: Vec<usize> = labels.iter().map(|&label| size(label)).collect();
    let step = |own: &[u8], dims: &[usize]| -> Vec<usize> {
        let steps = strides(dims);
        labels.iter().map(|label| own.iter().position(|known| known == label).map_or(0, |axis| steps[axis])).collect()
    };
    let (left, right, out) = (step(&spec.left, &a.dims), step(&spec.right, &b.dims), step(&spec.out, evaluation.dims));
    let mut result = Array::filled(evaluation.dims.to_vec(), 0.0);
    let at = |index: &[usize], steps: &[usize]| -> usize { index.iter().zip(steps).map(|(i, step)| i * step).sum() };
    for_each_index(&dims, |index| result.data[at(index, &out)] += a.data[at(index, &left)] * b.data[at(index, &right)]);
    result
}

fn derivative(v: &mut Vjp) -> super::Gradients {
    let Attributes::Contract(spec) = v.attributes.clone() else { return Ok(vec![None, None]) };
    let left = Contraction { left: spec.out.clone(), right: spec.right.clone(), out: spec.left.clone() };
    let right = Contraction { left: spec.left, right: spec.out, out: spec.right };
    let (a, b) = (v.operands[0], v.operands[1]);
    let left = v.builder.apply(crate::ops::Primitive::Contract, &[v.gradient, b], Attributes::Contract(left), None)?;
    let right = v.builder.apply(crate::ops::Primitive::Contract, &[a, v.gradient], Attributes::Contract(right), None)?;
    Ok(vec![Some(left), Some(right)])
}

pub const CONTRACT: Record = Record {
    name: "contract",
    doc: "sum of products over the labels that the result lacks",
    arity: Some(2),
    infer,
    value,
    derivative: Derivative::Rule { text: "d(contract) = g . right, left . g", apply: derivative },
    lowering: Lowering::Contract,
    exactness: Exactness::Accumulates,
    samples: &[Sample::Real, Sample::Real],
    smooth: true,
    commutative: false,
};
