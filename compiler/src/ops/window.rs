//! Windows along an axis, as convolutions and pools lay them, and their adjoint.
//!
//! Every formula of windows is closed under derivation: the derivative of each of the two is the other.

use super::movement::BASE;
use super::{Array, Derivative, Evaluation, Exactness, Lowering, Record, Vjp, for_each_index, strides};
use crate::graph::{Attributes, Dim, Shape, Type, Window};

/// The operand and its windows, if they fit.
fn checked<'t>(operands: &[&'t Type], attributes: &Attributes) -> Result<(&'t Type, Window), String> {
    match (operands, attributes) {
        ([a], Attributes::Window(window)) if window.fits() => Ok((a, *window)),
        ([_], Attributes::Window(_)) => Err("windows reach beyond the axis".into()),
        _ => Err("takes 1 operand and windows".into()),
    }
}

/// The elements of `windowed` (with places and steps) by the element of `plain` that each is one of.
fn pairs(window: &Window, plain: &[usize], windowed: &[usize], mut pair: impl FnMut(usize, usize)) {
    let (steps, mut position) = (strides(plain), 0);
    for_each_index(windowed, |index| {
        let element = window.element(index[window.axis], index[window.axis + 1]).unwrap_or(0);
        let place = |axis: usize| match axis {
            axis if axis < window.axis => index[axis],
            axis if axis == window.axis => element,
            axis => index[axis + 1],
        };
        pair((0..plain.len()).map(|axis| place(axis) * steps[axis]).sum(), position);
        position += 1;
    });
}

fn window_of(evaluation: &Evaluation) -> Option<Window> {
    match evaluation.attributes {
        Attributes::Window(window) => Some(*window),
        _ => None,
    }
}

pub const WINDOW: Record = Record {
    name: "window",
    doc: "windows along an axis, which becomes places and, behind it, the steps of a window",
    infer: |operands, attributes, _| {
        let (a, window) = checked(operands, attributes)?;
        let mut dims = a.shape.0.clone();
        if dims.get(window.axis) != Some(&Dim::Fixed(window.extent)) {
            return Err(format!("axis {} of {a} has not {} elements", window.axis, window.extent));
        }
        dims[window.axis] = Dim::Fixed(window.places);
        dims.insert(window.axis + 1, Dim::Fixed(window.size));
        Ok(Type { element: a.element, shape: Shape(dims) })
    },
    value: |evaluation| {
        let (a, mut result) = (evaluation.operands[0], Array::filled(evaluation.dims.to_vec(), 0.0));
        if let Some(window) = window_of(evaluation) {
            pairs(&window, &a.dims, evaluation.dims, |from, to| result.data[to] = a.data[from]);
        }
        result
    },
    derivative: Derivative::Rule {
        text: "d(window a) = the windows of g added up where they lie",
        apply: |v: &mut Vjp| {
            let Attributes::Window(window) = v.attributes else { return Ok(vec![None]) };
            Ok(vec![Some(v.builder.unwindow(v.gradient, window)?)])
        },
    },
    ..BASE
};

pub const UNWINDOW: Record = Record {
    name: "unwindow",
    doc: "windows added up where they lie along an axis, step by step: the adjoint of window",
    infer: |operands, attributes, _| {
        let (a, window) = checked(operands, attributes)?;
        let mut dims = a.shape.0.clone();
        let own = [Dim::Fixed(window.places), Dim::Fixed(window.size)];
        if dims.get(window.axis..).and_then(|dims| dims.get(..2)) != Some(&own) || !a.element.is_real() {
            return Err(format!("axis {} of {a} is not {} places of {} reals", window.axis, window.places, window.size));
        }
        dims.remove(window.axis + 1);
        dims[window.axis] = Dim::Fixed(window.extent);
        Ok(Type { element: a.element, shape: Shape(dims) })
    },
    value: |evaluation| {
        let (a, mut result) = (evaluation.operands[0], Array::filled(evaluation.dims.to_vec(), 0.0));
        if let Some(window) = window_of(evaluation) {
            pairs(&window, evaluation.dims, &a.dims, |to, from| result.data[to] += a.data[from]);
        }
        result
    },
    derivative: Derivative::Rule {
        text: "d(unwindow a) = the windows of g",
        apply: |v: &mut Vjp| {
            let Attributes::Window(window) = v.attributes else { return Ok(vec![None]) };
            Ok(vec![Some(v.builder.window(v.gradient, window)?)])
        },
    },
    lowering: Lowering::Opaque,
    exactness: Exactness::Accumulates,
    ..BASE
};
