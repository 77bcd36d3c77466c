//! Indices: coordinates, rows taken by index, and the adjoint of taking.

use super::{Array, Derivative, Exactness, Lowering, Record, Sample, for_each_index};
use crate::graph::{Attributes, Dim, Element, Shape, Type};
use crate::ops::Primitive;

pub const IOTA: Record = Record {
    name: "iota",
    doc: "the index along an axis (i32)",
    arity: Some(0),
    infer: |operands, attributes, given| match (operands, attributes, given) {
        ([], Attributes::Axis(axis), Some(given)) if *axis < given.shape.rank() && given.element == Element::I32 => {
            Ok(given.clone())
        }
        _ => Err("takes an axis and an i32 type".into()),
    },
    value: |e| {
        let Attributes::Axis(axis) = *e.attributes else { return Array::filled(e.dims.to_vec(), f64::NAN) };
        let mut data = Vec::new();
        for_each_index(e.dims, |index| data.push(index[axis] as f64));
        Array::new(e.dims.to_vec(), data)
    },
    derivative: Derivative::Zero,
    lowering: Lowering::Coordinate,
    exactness: Exactness::Exact,
    samples: &[],
    smooth: true,
    commutative: false,
};

pub const GATHER: Record = Record {
    name: "gather",
    doc: "rows of a table [v, d…] by index [i…]: [i…, d…]; an index out of range takes the nearest row",
    arity: Some(2),
    infer: |operands, _, _| {
        let [table, index] = operands else { return Err("takes a table and an index".into()) };
        if table.element != Element::F32 || !index.element.is_integer() || table.shape.rank() == 0 || table.shape.has_batch() {
            return Err(format!("cannot take rows of {table} by {index}"));
        }
        let mut dims = index.shape.0.clone();
        dims.extend_from_slice(&table.shape.0[1..]);
        Ok(Type::f32(Shape(dims)))
    },
    value: |e| {
        let (table, index) = (e.operands[0], e.operands[1]);
        let width: usize = table.dims[1..].iter().product();
        let last = table.dims[0].saturating_sub(1);
        let mut data = Vec::with_capacity(index.data.len() * width);
        for &i in &index.data {
            let row = (i.max(0.0) as usize).min(last);
            data.extend_from_slice(&table.data[row * width..(row + 1) * width]);
        }
        Array::new(e.dims.to_vec(), data)
    },
    derivative: Derivative::Rule {
        text: "d(gather t by i) = rows of g added up by index",
        apply: |v| {
            let rows = v.operand_type(0).shape.0[0].at(0);
            let index = v.operands[1];
            let gradient = v.builder.apply(Primitive::ScatterAdd, &[v.gradient, index], Attributes::Axis(rows), None)?;
            Ok(vec![Some(gradient), None])
        },
    },
    lowering: Lowering::Gather,
    exactness: Exactness::Exact,
    samples: &[Sample::Real, Sample::Integer],
    smooth: true,
    commutative: false,
};

pub const SCATTER_ADD: Record = Record {
    name: "scatter_add",
    doc: "adds up rows [i…, d…] by index [i…] into a table of `axis` rows, in row order: the adjoint of gather",
    arity: Some(2),
    infer: |operands, attributes, _| {
        let ([rows, index], Attributes::Axis(size)) = (operands, attributes) else {
            return Err("takes rows, an index and a size".into());
        };
        let lead = index.shape.rank();
        if rows.element != Element::F32
            || !index.element.is_integer()
            || rows.shape.rank() < lead
            || rows.shape.0[..lead] != index.shape.0[..]
        {
            return Err(format!("cannot add up {rows} by {index}"));
        }
        let mut dims = vec![Dim::Fixed(*size)];
        dims.extend_from_slice(&rows.shape.0[lead..]);
        Ok(Type::f32(Shape(dims)))
    },
    value: |e| {
        let (rows, index) = (e.operands[0], e.operands[1]);
        let width: usize = e.dims[1..].iter().product();
        let last = e.dims[0].saturating_sub(1);
        let mut result = Array::filled(e.dims.to_vec(), 0.0);
        for (from, &i) in index.data.iter().enumerate() {
            let to = (i.max(0.0) as usize).min(last);
            for column in 0..width {
                result.data[to * width + column] += rows.data[from * width + column];
            }
        }
        result
    },
    derivative: Derivative::Rule {
        text: "d(scatter_add r by i) = rows of g by index",
        apply: |v| {
            let index = v.operands[1];
            Ok(vec![Some(v.builder.apply(Primitive::Gather, &[v.gradient, index], Attributes::None, None)?), None])
        },
    },
    lowering: Lowering::Opaque,
    exactness: Exactness::Accumulates,
    samples: &[Sample::Real, Sample::Integer],
    smooth: true,
    commutative: false,
};
