//! Reductions along an axis or over everything, and the larger or smaller of two.

use super::axis_of;
use crate::graph::{Element, NodeId};
use crate::nn::fault::ARGUMENT_SURPLUS;
use crate::nn::{Call, Fault, Function, Kind, Network, Parameter};
use crate::ops::Primitive;

const AXIS: Parameter = Parameter::optional("axis", Kind::Integer, "", "the axis; all of them unless told");
const OTHER: Parameter = Parameter::optional("other", Kind::Tensor, "", "a second value: the result is taken element by element");

fn axes(network: &Network, x: NodeId, call: &Call) -> Result<Vec<usize>, Fault> {
    match call.get("axis") {
        Some(_) => Ok(vec![axis_of(network, x, call, "axis")?]),
        None => Ok((0..network.builder.graph().shape(x).rank()).collect()),
    }
}

/// A reduction over the batch mixes rows: what it gives is right for the batch at hand only.
fn reduce(network: &mut Network, x: NodeId, call: &Call, primitive: Primitive) -> Result<NodeId, Fault> {
    let axes = axes(network, x, call)?;
    Ok(network.builder.reduce(primitive, x, &axes)?)
}

pub static SUM: Function = Function {
    name: "sum",
    doc: "sum along an axis, or of all elements",
    formula: "sum(x)",
    parameters: &[AXIS],
    build: |network, x, call| reduce(network, x, call, Primitive::Sum),
    ..Function::BASE
};

pub static MEAN: Function = Function {
    name: "mean",
    doc: "mean along an axis, or of all elements; over the batch it is over the true rows",
    formula: "mean(x)",
    parameters: &[AXIS],
    build: |network, x, call| {
        let axes = axes(network, x, call)?;
        Ok(network.builder.mean(x, &axes)?)
    },
    ..Function::BASE
};

/// Element by element with `other`, or reduced.
fn extremum(network: &mut Network, x: NodeId, call: &Call, two: Primitive, all: Primitive) -> Result<NodeId, Fault> {
    let Some(other) = call.tensor("other") else { return reduce(network, x, call, all) };
    if call.get("axis").is_some() {
        return Err(Fault::new(ARGUMENT_SURPLUS, "either another value or an axis, not both").at("axis"));
    }
    // A bare number of the language is an f64 scalar; so is a formula of the step.
    if network.builder.ty(x).element == Element::F64 || network.builder.ty(other).element == Element::F64 {
        return Ok(network.builder.binary(two, x, other)?);
    }
    network.arithmetic(two, x, other)
}

pub static MAX: Function = Function {
    name: "max",
    doc: "the larger of two, or the largest along an axis or of all elements",
    formula: "max(x)",
    parameters: &[OTHER, AXIS],
    build: |network, x, call| extremum(network, x, call, Primitive::Max, Primitive::ReduceMax),
    ..Function::BASE
};

pub static MIN: Function = Function {
    name: "min",
    doc: "the smaller of two, or the smallest along an axis or of all elements",
    formula: "min(x)",
    parameters: &[OTHER, AXIS],
    build: |network, x, call| extremum(network, x, call, Primitive::Min, Primitive::ReduceMin),
    ..Function::BASE
};
