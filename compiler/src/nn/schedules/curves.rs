//! Curves by name.

use super::{STEPS, behind, steps};
use crate::graph::NodeId;
use crate::nn::{Fault, Function, Kind, Network, Parameter};
use crate::ops::Primitive;

const EVERY: Kind = Kind::POSITIVE;

/// `x` times a factor to the power of the periods behind, whole ones or not.
fn power(network: &mut Network, x: NodeId, factor: NodeId, every: NodeId, whole: bool) -> Result<NodeId, Fault> {
    let behind = behind(network)?;
    let builder = &mut network.builder;
    let mut periods = builder.div(behind, every)?;
    if whole {
        periods = builder.unary(Primitive::Floor, periods)?;
    }
    let shrunk = builder.binary(Primitive::Pow, factor, periods)?;
    Ok(builder.mul(x, shrunk)?)
}

pub static STEP: Function = Function {
    name: "step",
    doc: "a number that is multiplied by a factor every so many steps: staircase decay",
    formula: "x * factor ^ floor((t - 1) / every)",
    parameters: &[
        Parameter::required("every", EVERY, "steps between two falls"),
        Parameter::optional("factor", Kind::NOT_NEGATIVE, "0.1", "what it is multiplied by"),
    ],
    build: |network, x, call| {
        let (every, factor) = (network.number(call, "every"), network.number(call, "factor"));
        power(network, x, factor, every, true)
    },
    ..Function::BASE
};

pub static EXPONENTIAL: Function = Function {
    name: "exponential",
    doc: "a number that shrinks by a factor in every so many steps, evenly",
    formula: "x * factor ^ ((t - 1) / every)",
    parameters: &[
        Parameter::required("factor", Kind::NOT_NEGATIVE, "what it is multiplied by"),
        Parameter::optional("every", EVERY, "1", "in how many steps"),
    ],
    build: |network, x, call| {
        let (every, factor) = (network.number(call, "every"), network.number(call, "factor"));
        power(network, x, factor, every, false)
    },
    ..Function::BASE
};

/// From `from` to `to` on half a cosine, `share` of the way.
fn half_cosine(network: &mut Network, from: NodeId, to: NodeId, share: NodeId) -> Result<NodeId, Fault> {
    let builder = &mut network.builder;
    let angle = builder.scale(share, std::f64::consts::PI)?;
    let cosine = builder.unary(Primitive::Cos, angle)?;
    let raised = builder.offset(cosine, 1.0)?;
    let height = builder.sub(from, to)?;
    let height = builder.scale(height, 0.5)?;
    let above = builder.mul(height, raised)?;
    Ok(builder.add(to, above)?)
}

/// Loshchilov and Hutter (2017), equation 5, without restarts.
pub static COSINE: Function = Function {
    name: "cosine",
    doc: "from a number to another on half a cosine, then the other",
    formula: "to + (x - to) * (1 + cos(pi * min((t - 1) / steps, 1))) / 2",
    parameters: &[Parameter::optional("to", Kind::ANY, "0", "where it ends"), STEPS],
    build: |network, x, call| {
        let to = network.number(call, "to");
        let (behind, steps) = (behind(network)?, steps(network, call));
        let one = network.builder.constant_f64(1.0);
        let share = network.builder.div(behind, steps)?;
        let share = network.builder.binary(Primitive::Min, one, share)?;
        half_cosine(network, x, to, share)
    },
    ..Function::BASE
};

/// A run of more steps counts as one of so many.
const LONGEST: f64 = 1e15;

/// Smith and Topin (2018), in the form of PyTorch's `OneCycleLR`, two phases on half cosines.
pub static ONE_CYCLE: Function = Function {
    name: "one_cycle",
    doc: "up to a number and down again: from x / divide to x in the first share of the steps, then to x / divide / end_divide",
    formula: "x / divide up to x down to x / (divide * end_divide)",
    parameters: &[
        STEPS,
        Parameter::optional("rise", Kind::WEIGHT, "0.3", "share of the steps in which it rises"),
        Parameter::optional("divide", Kind::POSITIVE, "25", "by how much less it begins"),
        Parameter::optional("end_divide", Kind::POSITIVE, "1e4", "by how much less than at its beginning it ends"),
    ],
    build: |network, x, call| {
        let (behind, steps) = (behind(network)?, steps(network, call));
        // Without an end too the top of a rise of no steps is known, which no share of infinity would be.
        let longest = network.builder.constant_f64(LONGEST);
        let steps = network.builder.binary(Primitive::Min, longest, steps)?;
        let numbers = ["rise", "divide", "end_divide"].map(|name| network.number(call, name));
        let [rise, divide, end_divide] = numbers;
        let builder = &mut network.builder;
        let first = builder.div(x, divide)?;
        let last = builder.div(first, end_divide)?;
        // The last steps of both phases, counted from 0.
        let risen = builder.mul(rise, steps)?;
        let risen = builder.offset(risen, -1.0)?;
        let ended = builder.offset(steps, -1.0)?;
        let (zero, one) = (builder.constant_f64(0.0), builder.constant_f64(1.0));
        let up = builder.div(behind, risen)?;
        let gone = builder.sub(behind, risen)?;
        let left = builder.sub(ended, risen)?;
        // Where it rises to the last step, nothing is left to fall in: at that step it is at its top.
        let least = builder.constant_f64(f64::MIN_POSITIVE);
        let left = builder.binary(Primitive::Max, least, left)?;
        let down = builder.div(gone, left)?;
        let down = builder.binary(Primitive::Min, one, down)?;
        let down = builder.binary(Primitive::Max, zero, down)?;
        let rises = builder.binary(Primitive::Lt, behind, risen)?;
        let rising = half_cosine(network, first, x, up)?;
        let falling = half_cosine(network, x, last, down)?;
        Ok(network.builder.select(rises, rising, falling)?)
    },
    ..Function::BASE
};
