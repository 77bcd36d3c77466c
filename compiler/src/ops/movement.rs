//! Movement: the same elements elsewhere.

use super::{Array, Derivative, Evaluation, Exactness, Lowering, Record, Sample, Vjp, for_each_index, strides};
use crate::graph::{Attributes, Dim, Shape, Type};

/// Value rule: each element of the result is one of the first operand's, or zero.
fn pick(evaluation: &Evaluation, from: impl Fn(&[usize], &[usize]) -> Option<usize>) -> Array {
    let a = evaluation.operands[0];
    let steps = a.strides();
    let mut data = Vec::with_capacity(evaluation.dims.iter().product());
    for_each_index(evaluation.dims, |index| data.push(from(index, &steps).map_or(0.0, |position| a.data[position])));
    Array::new(evaluation.dims.to_vec(), data)
}

fn axes(attributes: &Attributes) -> &[usize] {
    match attributes {
        Attributes::Axes(axes) => axes,
        _ => &[],
    }
}

/// What primitives that move elements have in common.
pub(super) const BASE: Record = Record {
    name: "",
    doc: "",
    arity: Some(1),
    infer: super::same_as_operand,
    value: |evaluation| evaluation.operands[0].clone(),
    derivative: Derivative::Missing,
    lowering: Lowering::View,
    exactness: Exactness::Exact,
    samples: &[Sample::Real],
    smooth: true,
    commutative: false,
};

pub const BROADCAST: Record = Record {
    name: "broadcast",
    doc: "repeated along new axes: operand axis d is axis axes[d] of the result",
    infer: |operands, attributes, given| {
        let ([a], Attributes::Axes(axes), Some(given)) = (operands, attributes, given) else {
            return Err("takes 1 operand, axes and a type".into());
        };
        let fits = axes.len() == a.shape.rank()
            && axes.windows(2).all(|pair| pair[0] < pair[1])
            && axes.iter().zip(&a.shape.0).all(|(&axis, dim)| given.shape.0.get(axis) == Some(dim))
            && a.element == given.element;
        if fits { Ok(given.clone()) } else { Err(format!("cannot be laid on axes {axes:?} of {given}")) }
    },
    value: |e| {
        let axes = axes(e.attributes);
        pick(e, |index, steps| Some(axes.iter().zip(steps).map(|(&axis, step)| index[axis] * step).sum()))
    },
    derivative: Derivative::Rule {
        text: "d(broadcast a) = sum of g along the new axes",
        apply: |v: &mut Vjp| {
            let kept = axes(&v.attributes).to_vec();
            let new: Vec<usize> = (0..v.builder.shape(v.node).rank()).filter(|axis| !kept.contains(axis)).collect();
            Ok(vec![Some(v.builder.sum(v.gradient, &new)?)])
        },
    },
    ..BASE
};

pub const RESHAPE: Record = Record {
    name: "reshape",
    doc: "the same elements in row-major order under another shape",
    infer: |operands, _, given| {
        let ([a], Some(given)) = (operands, given) else { return Err("takes 1 operand and a type".into()) };
        let batch = |shape: &Shape| shape.0.iter().filter(|dim| **dim == Dim::Batch).count();
        let fits = a.element == given.element
            && a.shape.fixed_count() == given.shape.fixed_count()
            && batch(&a.shape) == batch(&given.shape);
        if fits { Ok(given.clone()) } else { Err(format!("{} cannot be read as {}", a, given)) }
    },
    value: |e| Array::new(e.dims.to_vec(), e.operands[0].data.clone()),
    derivative: Derivative::Rule {
        text: "d(reshape a) = g in a's shape",
        apply: |v| {
            let shape = v.operand_type(0).shape;
            Ok(vec![Some(v.builder.reshape(v.gradient, &shape)?)])
        },
    },
    ..BASE
};

pub const TRANSPOSE: Record = Record {
    name: "transpose",
    doc: "axes in another order: axis d of the result is axis permutation[d]",
    infer: |operands, attributes, _| {
        let ([a], Attributes::Axes(order)) = (operands, attributes) else {
            return Err("takes 1 operand and a permutation".into());
        };
        let mut sorted = order.clone();
        sorted.sort_unstable();
        if sorted.iter().copied().ne(0..a.shape.rank()) {
            return Err(format!("{order:?} is no permutation of the axes of {}", a.shape));
        }
        Ok(Type { element: a.element, shape: Shape(order.iter().map(|&axis| a.shape.0[axis]).collect()) })
    },
    value: |e| {
        let order = axes(e.attributes);
        pick(e, |index, steps| Some(order.iter().zip(index).map(|(&axis, i)| i * steps[axis]).sum()))
    },
    derivative: Derivative::Rule {
        text: "d(transpose a) = g, axes put back",
        apply: |v| {
            let order = axes(&v.attributes).to_vec();
            let mut back = vec![0; order.len()];
            for (axis, &from) in order.iter().enumerate() {
                back[from] = axis;
            }
            Ok(vec![Some(v.builder.transpose(v.gradient, &back)?)])
        },
    },
    ..BASE
};

pub const SLICE: Record = Record {
    name: "slice",
    doc: "elements from..to of an axis",
    infer: |operands, attributes, _| {
        let ([a], Attributes::Slice { axis, from, to }) = (operands, attributes) else {
            return Err("takes 1 operand and a range".into());
        };
        let mut shape = a.shape.clone();
        match shape.0.get_mut(*axis) {
            Some(Dim::Fixed(size)) if from < to && to <= size => *size = to - from,
            _ => return Err(format!("cannot take {from}..{to} of axis {axis} of {}", a.shape)),
        }
        Ok(Type { element: a.element, shape })
    },
    value: |e| {
        let Attributes::Slice { axis, from, .. } = *e.attributes else { return e.operands[0].clone() };
        pick(e, |index, steps| Some(index.iter().zip(steps).map(|(i, step)| i * step).sum::<usize>() + from * steps[axis]))
    },
    derivative: Derivative::Rule {
        text: "d(slice a) = g, zeros around",
        apply: |v| {
            let Attributes::Slice { axis, from, to } = v.attributes else { return Ok(vec![None]) };
            let size = v.operand_type(0).shape.0[axis].at(0);
            Ok(vec![Some(v.builder.pad(v.gradient, axis, from, size - to)?)])
        },
    },
    ..BASE
};

pub const PAD: Record = Record {
    name: "pad",
    doc: "zeros before and after, along an axis",
    infer: |operands, attributes, _| {
        let ([a], Attributes::Pad { axis, before, after }) = (operands, attributes) else {
            return Err("takes 1 operand and two widths".into());
        };
        let mut shape = a.shape.clone();
        match shape.0.get_mut(*axis) {
            Some(Dim::Fixed(size)) => match size.checked_add(*before).and_then(|size| size.checked_add(*after)) {
                Some(padded) => *size = padded,
                None => return Err(format!("cannot pad axis {axis} of {} with {before} and {after}", a.shape)),
            },
            _ => return Err(format!("cannot pad axis {axis} of {}", a.shape)),
        }
        Ok(Type { element: a.element, shape })
    },
    value: |e| {
        let Attributes::Pad { axis, before, .. } = *e.attributes else { return e.operands[0].clone() };
        let size = e.operands[0].dims[axis];
        pick(e, |index, steps| {
            let inside = index[axis].checked_sub(before).filter(|&i| i < size)?;
            Some(
                index.iter().zip(steps).enumerate().map(|(d, (&i, step))| if d == axis { inside * step } else { i * step }).sum(),
            )
        })
    },
    derivative: Derivative::Rule {
        text: "d(pad a) = the inner part of g",
        apply: |v| {
            let Attributes::Pad { axis, before, .. } = v.attributes else { return Ok(vec![None]) };
            let size = v.operand_type(0).shape.0[axis].at(0);
            Ok(vec![Some(v.builder.slice(v.gradient, axis, before, before + size)?)])
        },
    },
    lowering: Lowering::Opaque,
    ..BASE
};

pub const CONCAT: Record = Record {
    name: "concat",
    doc: "tensors one after the other along an axis",
    arity: None,
    infer: |operands, attributes, _| {
        let (Some(first), Attributes::Axis(axis)) = (operands.first(), attributes) else {
            return Err("takes operands and an axis".into());
        };
        let mut size = 0usize;
        for ty in operands {
            match ty.shape.0.get(*axis) {
                Some(Dim::Fixed(own))
                    if ty.element == first.element && ty.shape.without(&[*axis]) == first.shape.without(&[*axis]) =>
                {
                    size = size.saturating_add(*own)
                }
                _ => return Err(format!("{first} and {ty} cannot be joined along axis {axis}")),
            }
        }
        let mut shape = first.shape.clone();
        shape.0[*axis] = Dim::Fixed(size);
        Ok(Type { element: first.element, shape })
    },
    value: |e| {
        let Attributes::Axis(axis) = *e.attributes else { return e.operands[0].clone() };
        let mut data = Vec::new();
        for_each_index(e.dims, |index| {
            let (mut part, mut inside) = (0, index[axis]);
            while inside >= e.operands[part].dims[axis] {
                inside -= e.operands[part].dims[axis];
                part += 1;
            }
            let steps = strides(&e.operands[part].dims);
            let position: usize = index.iter().enumerate().map(|(d, &i)| steps[d] * if d == axis { inside } else { i }).sum();
            data.push(e.operands[part].data[position]);
        });
        Array::new(e.dims.to_vec(), data)
    },
    derivative: Derivative::Rule {
        text: "d(concat) = slices of g",
        apply: |v| {
            let Attributes::Axis(axis) = v.attributes else { return Ok(vec![None]) };
            let mut from = 0;
            let mut gradients = Vec::new();
            for operand in 0..v.operands.len() {
                let size = v.operand_type(operand).shape.0[axis].at(0);
                gradients.push(Some(v.builder.slice(v.gradient, axis, from, from + size)?));
                from += size;
            }
            Ok(gradients)
        },
    },
    lowering: Lowering::Opaque,
    ..BASE
};
