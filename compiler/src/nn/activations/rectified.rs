//! Rectifiers: linear above zero, something less below.

use super::{he, lecun};
use crate::graph::{Dim, NodeId};
use crate::nn::parameters::Wanted;
use crate::nn::{Call, Family, Fault, Function, Kind, Network, Parameter};
use crate::ops::Primitive;

const ACTIVATION: Function = Function { family: Family::Activation, wants: Some(he), ..Function::BASE };

/// max(0, x): gradient 0 at 0, and NaN passes (max(a, b) is a > b ? a : b).
pub static RELU: Function = Function {
    name: "relu",
    doc: "max(0, x); gradient 0 at 0",
    formula: "max(0, x)",
    build: |network, x, _| {
        let zero = network.builder.constant_like(x, 0.0)?;
        Ok(network.builder.binary(Primitive::Max, zero, x)?)
    },
    dies: true,
    ..ACTIVATION
};

/// The record of `leaky_relu`.
pub static LEAKY_RELU: Function = Function {
    name: "leaky_relu",
    doc: "x above 0, slope·x below",
    source: "Maas, Hannun and Ng (2013)",
    formula: "max(slope * x, x)",
    parameters: &[Parameter::optional("slope", Kind::WEIGHT, "0.01", "slope below 0")],
    build: |network, x, call| {
        let slope = network.number(call, "slope");
        let slope = network.builder.cast(slope, network.builder.ty(x).element)?;
        leaky(network, x, slope)
    },
    wants: Some(|call| match call.number("slope") {
        Some(slope) => Call::new("he").set("slope", slope),
        None => Call::new("he"),
    }),
    ..ACTIVATION
};

/// `x > 0 ? x : slope·x`, which is max(slope·x, x) for every slope up to 1 and goes on being right above.
fn leaky(network: &mut Network, x: NodeId, slope: NodeId) -> Result<NodeId, Fault> {
    let builder = &mut network.builder;
    let zero = builder.constant_like(x, 0.0)?;
    let positive = builder.binary(Primitive::Lt, zero, x)?;
    let below = builder.mul(x, slope)?;
    Ok(builder.select(positive, x, below)?)
}

pub static RRELU: Function = Function {
    name: "rrelu",
    doc: "leaky_relu whose slope is drawn for each element in training from (lower, upper), and is their mean in evaluation",
    source: "Xu, Wang, Chen and Li (2015)",
    formula: "x > 0 ? x : a * x, a uniform(lower, upper) in training",
    parameters: &[
        Parameter::optional("lower", Kind::WEIGHT, "1/8", "least slope"),
        Parameter::optional("upper", Kind::WEIGHT, "1/3", "greatest slope").at_least("lower"),
    ],
    build: |network, x, call| {
        let (lower, upper) = (network.number(call, "lower"), network.number(call, "upper"));
        let builder = &mut network.builder;
        if !network.training {
            let sum = builder.add(lower, upper)?;
            let mean = builder.scale(sum, 0.5)?;
            return leaky(network, x, mean);
        }
        let shape = builder.shape(x);
        let draw = builder.uniform(shape)?;
        let span = builder.sub(upper, lower)?;
        let drawn = builder.mul(draw, span)?;
        let slope = builder.add(drawn, lower)?;
        leaky(network, x, slope)
    },
    ..ACTIVATION
};

pub static PRELU: Function = Function {
    name: "prelu",
    family: Family::Activation,
    doc: "leaky_relu with a learned slope, one or one a channel; penalties touch it with `on = all` alone, weight decay where a group asks for it",
    source: "He, Zhang, Ren and Sun (2015), equation 1; their slopes are not decayed",
    formula: "x > 0 ? x : slope * x, slope learned",
    parameters: &[
        Parameter::optional("init", Kind::ANY, "0.25", "first slope").known(),
        Parameter::optional("per", Kind::Choice(&["shared", "channel"]), "shared", "one slope, or one a channel"),
        Parameter::optional("rate_factor", Kind::NOT_NEGATIVE, "", "multiplies the optimizer's rate for the slope"),
        Parameter::optional("frozen", Kind::Flag, "false", "keeps the slope as it is"),
    ],
    build: |network, x, call| {
        let shape = network.builder.shape(x);
        // Channels stand last, or second of four axes.
        let axis = if shape.rank() == 4 { 1 } else { shape.rank().saturating_sub(1) };
        let width = match (call.word("per"), shape.0.get(axis)) {
            (Some("channel"), Some(Dim::Fixed(size))) => *size,
            _ => 1,
        };
        let mut wanted = network.governed(call, Wanted::vector(width, "zeros"))?;
        wanted.initializer = Some(Call::new("constant").set("value", call.number("init").unwrap_or(0.25)));
        wanted.decayed = false;
        let slope = network.parameter("slope", wanted)?;
        let slope = if width == 1 {
            network.builder.broadcast_to(slope, &shape)?
        } else {
            network.builder.broadcast(slope, &shape, &[axis])?
        };
        leaky(network, x, slope)
    },
    ..ACTIVATION
};

pub static ELU: Function = Function {
    name: "elu",
    doc: "x above 0, alpha·(e^x - 1) below",
    source: "Clevert, Unterthiner and Hochreiter (2016), equation 15",
    formula: "x > 0 ? x : alpha * (exp(x) - 1)",
    parameters: &[Parameter::optional("alpha", Kind::NOT_NEGATIVE, "1", "what it tends to below is -alpha")],
    build: |network, x, call| {
        let alpha = network.number(call, "alpha");
        let one = network.builder.constant_f64(1.0);
        exponential(network, x, alpha, one)
    },
    ..ACTIVATION
};

const SELU_SCALE: f64 = 1.050_700_987_355_480_5;
const SELU_ALPHA: f64 = 1.673_263_242_354_377_2;

pub static SELU: Function = Function {
    name: "selu",
    doc: "scaled elu whose fixed point is mean 0 and variance 1, with lecun weights",
    source: "Klambauer, Unterthiner, Mayr and Hochreiter (2017), equation 2",
    formula: "lambda * elu(x, alpha), lambda = 1.0507, alpha = 1.6733",
    build: |network, x, _| {
        let alpha = network.builder.constant_f64(SELU_SCALE * SELU_ALPHA);
        let scale = network.builder.constant_f64(SELU_SCALE);
        exponential(network, x, alpha, scale)
    },
    wants: Some(lecun),
    ..ACTIVATION
};

/// `x > 0 ? above·x : below·(e^x - 1)`. The exponential never sees x above 0, where it could overflow and spoil the gradient.
fn exponential(network: &mut Network, x: NodeId, below: NodeId, above: NodeId) -> Result<NodeId, Fault> {
    let builder = &mut network.builder;
    let zero = builder.constant_like(x, 0.0)?;
    let positive = builder.binary(Primitive::Lt, zero, x)?;
    let negative = builder.select(positive, zero, x)?;
    let exponential = builder.unary(Primitive::Expm1, negative)?;
    let lower = builder.mul(exponential, below)?;
    let upper = if builder.graph().constant(above) == Some(1.0) { x } else { builder.mul(x, above)? };
    Ok(builder.select(positive, upper, lower)?)
}
