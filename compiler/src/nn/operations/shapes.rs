//! Products and movement.

use super::axis_of;
use crate::graph::{Attributes, Contraction, Dim, Element, NodeId, Shape};
use crate::nn::fault::{ARGUMENT_BOUNDS, Detail, SHAPES_DIFFER, WRONG_AXIS, WRONG_ELEMENT, WRONG_RANK};
use crate::nn::{Call, Fault, Function, Kind, Network, Parameter, Receiver, network::shape_text};
use crate::ops::Primitive;

/// `[.., i, k] · [k, j] → [.., i, j]`, or with equal leading axes on both sides, product by product.
pub static MATMUL: Function = Function {
    name: "matmul",
    doc: "matrix product of the last two axes: [.., i, k] with [k, j], or with [.., k, j] of the same leading axes",
    formula: "x . other",
    parameters: &[Parameter::required("other", Kind::Tensor, "the right matrix")],
    build: |network, x, call| {
        let other = call.tensor("other").unwrap_or(x);
        matmul(network, x, other)
    },
    ..Function::BASE
};

fn matmul(network: &mut Network, x: NodeId, other: NodeId) -> Result<NodeId, Fault> {
    let (left, right) = (network.builder.shape(x), network.builder.shape(other));
    let (m, n) = (left.rank(), right.rank());
    let wrong = || {
        let message = format!("matmul cannot multiply {} by {}", shape_text(&left), shape_text(&right));
        let help = "the last axis of the left must equal the last but one of the right";
        Err(Fault::new(SHAPES_DIFFER, message).help(help).about(x).against(other))
    };
    if m < 1 || n < 2 || left.0[m - 1] != right.0[n - 2] || n > 2 && (m != n || left.0[..m - 2] != right.0[..n - 2]) {
        return wrong();
    }
    if left.0[..m - 1].contains(&Dim::Batch) && right.0[n - 1] == Dim::Batch {
        let message = format!("matmul of {} and {} is each row with each other one", shape_text(&left), shape_text(&right));
        let help = "rows come in batches and know nothing of one another: `sum(x * y, axis = 1)` is each with its own";
        return Err(Fault::new(SHAPES_DIFFER, message).help(help).with(Detail::RowsByRows).about(x).against(other));
    }
    let (k, j) = (m as u8 - 1, m as u8);
    let own: Vec<u8> = (0..m as u8).collect();
    let mut theirs: Vec<u8> = if n > 2 { own[..m - 2].to_vec() } else { Vec::new() };
    theirs.extend([k, j]);
    let mut out = own[..m - 1].to_vec();
    out.push(j);
    let labels = Contraction { left: own, right: theirs, out };
    Ok(network.builder.apply(Primitive::Contract, &[x, other], Attributes::Contract(labels), None)?)
}

pub static TRANSPOSE: Function = Function {
    name: "transpose",
    doc: "the last two axes swapped, or the axes in the order told",
    formula: "transpose(x)",
    receiver: Receiver::Any,
    parameters: &[Parameter::optional("axes", Kind::Numbers, "", "for each axis of the result, which axis of x it is")],
    build: |network, x, call| {
        let rank = network.builder.graph().shape(x).rank();
        let mut order: Vec<usize> = (0..rank).collect();
        match call.sizes("axes") {
            Some(given) => order = given,
            None if rank >= 2 => order.swap(rank - 2, rank - 1),
            None => {
                let message =
                    format!("transpose swaps two axes; {} is {}", network.describe(x, "the value"), network.shape_text(x));
                return Err(Fault::new(WRONG_RANK, message).about(x));
            }
        }
        let mut sorted = order.clone();
        sorted.sort_unstable();
        if sorted.iter().copied().ne(0..rank) {
            let message = format!("transpose: {order:?} is no order of the {rank} axes of {}", network.shape_text(x));
            let mut right: Vec<usize> = (0..rank).collect();
            // The batch stays in front.
            let first = usize::from(network.builder.graph().shape(x).has_batch());
            if rank >= first + 2 {
                right.swap(rank - 2, rank - 1);
            }
            return Err(Fault::new(ARGUMENT_BOUNDS, message).meant(format!("{right:?}")).at("axes").about(x));
        }
        Ok(network.builder.transpose(x, &order)?)
    },
    ..Function::BASE
};

/// The batch stays in front: sizes are those of one row.
fn reshape(network: &mut Network, x: NodeId, sizes: &[usize]) -> Result<NodeId, Fault> {
    let shape = network.builder.shape(x);
    let mut dims: Vec<Dim> = shape.0.first().copied().filter(|dim| *dim == Dim::Batch).into_iter().collect();
    dims.extend(sizes.iter().map(|&size| Dim::Fixed(size)));
    let wanted = Shape(dims);
    if wanted.fixed_count() != shape.fixed_count() || wanted.has_batch() != shape.has_batch() {
        let message = format!(
            "{} cannot be read as {}: {} elements a row against {}",
            shape_text(&shape),
            shape_text(&wanted),
            shape.fixed_count(),
            wanted.fixed_count()
        );
        return Err(Fault::new(SHAPES_DIFFER, message).about(x));
    }
    Ok(network.builder.reshape(x, &wanted)?)
}

pub static RESHAPE: Function = Function {
    name: "reshape",
    doc: "[batch, ..] to [batch, sizes..], elements in row-major order",
    formula: "reshape(x)",
    receiver: Receiver::Any,
    parameters: &[Parameter::required("sizes", Kind::Sizes, "the sizes of one row, such as [2, 3]")],
    build: |network, x, call| {
        let sizes = call.sizes("sizes").unwrap_or_default();
        reshape(network, x, &sizes)
    },
    transparent: true,
    ..Function::BASE
};

pub static FLATTEN: Function = Function {
    name: "flatten",
    doc: "[batch, a, b, ..] to [batch, a·b·..]",
    formula: "flatten(x)",
    receiver: Receiver::Any,
    build: |network, x, _| {
        let count = network.builder.graph().shape(x).fixed_count();
        reshape(network, x, &[count])
    },
    transparent: true,
    ..Function::BASE
};

pub static CONCAT: Function = Function {
    name: "concat",
    doc: "values one after the other along an axis; their other sizes are equal",
    formula: "concat(x, ..)",
    receiver: Receiver::Any,
    parameters: &[
        Parameter::required("others", Kind::Tensors, "what follows x"),
        Parameter::optional("axis", Kind::Integer, "-1", "the axis; negative counts from the end"),
    ],
    build: |network, x, call| {
        let axis = axis_of(network, x, call, "axis")?;
        if network.builder.shape(x).0[axis] == Dim::Batch {
            let message =
                format!("concat: axis {axis} of {} is the batch: as many rows come out as go in", network.shape_text(x));
            return Err(Fault::new(WRONG_AXIS, message).help("write `-1`, the last axis").at("axis").about(x));
        }
        let mut parts = vec![x];
        parts.extend(call.tensors("others"));
        network.builder.concat(&parts, axis).map_err(|_| {
            let shapes: Vec<String> = parts.iter().map(|&part| network.shape_text(part)).collect();
            let message = format!("{} cannot be joined along axis {axis}", shapes.join(" and "));
            let fault = Fault::new(SHAPES_DIFFER, message).help("all other sizes must be equal").about(x);
            parts.get(1).map_or(fault.clone(), |&other| fault.against(other))
        })
    },
    ..Function::BASE
};

pub static SLICE: Function = Function {
    name: "slice",
    doc: "elements from..to of an axis",
    formula: "x[from..to]",
    receiver: Receiver::Any,
    parameters: &[
        Parameter::required("axis", Kind::Integer, "the axis; negative counts from the end"),
        Parameter::required("from", Kind::Size { least: 0 }, "the first element"),
        Parameter::required("to", Kind::Size { least: 1 }, "one after the last element"),
    ],
    build: |network: &mut Network, x, call: &Call| {
        let axis = axis_of(network, x, call, "axis")?;
        if network.builder.graph().shape(x).0[axis] == Dim::Batch {
            let message =
                format!("slice: axis {axis} of {} is the batch, which is known when the network runs", network.shape_text(x));
            return Err(Fault::new(WRONG_AXIS, message).about(x).at("axis"));
        }
        let (from, to) = (call.size("from"), call.size("to"));
        network.builder.slice(x, axis, from, to).map_err(|_| {
            let message = format!("cannot take {from}..{to} of axis {axis} of {}", network.shape_text(x));
            Fault::new(ARGUMENT_BOUNDS, message).about(x).at("to")
        })
    },
    ..Function::BASE
};

pub static ONE_HOT: Function = Function {
    name: "one_hot",
    doc: "class(n) [..] to [.., n]: 1 at the class, 0 elsewhere",
    formula: "x == 0..n",
    receiver: Receiver::Index,
    build: |network, x, _| {
        let Element::Class(classes) = network.builder.ty(x).element else {
            let message = "one_hot needs to know how many classes there are";
            return Err(Fault::new(WRONG_ELEMENT, message).help("declare the input as `class(n)`").about(x));
        };
        let mut shape = network.builder.shape(x);
        shape.0.push(Dim::Fixed(classes as usize));
        let zero = network.builder.constant(0.0);
        let like = network.builder.broadcast_scalar(zero, &shape)?;
        let hit = crate::nn::losses::one_hot(network, x, like)?;
        Ok(network.builder.cast(hit, Element::F32)?)
    },
    ..Function::BASE
};
