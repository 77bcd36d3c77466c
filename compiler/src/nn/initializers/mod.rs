//! Initialisers: how a parameter's first value is drawn. Their two aims are mean 0 and the same variance in every layer.
//!
//! fan_in counts what one output sums over, fan_out what one input spreads to. The normal form has the variance of the catalogue; the
//! uniform form spans ±√(3·variance), which has the same variance.

use super::arguments::unknown_name;
use super::{Call, Fault, Kind, Parameter};
use crate::graph::{Attributes, Builder, NodeId, Shape, Type};
use crate::ops::Primitive;

/// What is to be filled.
#[derive(Clone, PartialEq, Debug)]
pub struct Fill {
    /// Sizes of the parameter.
    pub shape: Shape,
    /// What one output sums over.
    pub fan_in: usize,
    /// What one input spreads to.
    pub fan_out: usize,
    /// Random stream: the parameter's ordinal.
    pub stream: u32,
}

impl Fill {
    /// Uniform numbers in (0, 1) from the parameter's own stream.
    fn uniform(&self, builder: &mut Builder) -> Result<NodeId, Fault> {
        let ty = Type::f32(self.shape.clone());
        Ok(builder.apply(Primitive::Uniform, &[], Attributes::Stream(self.stream), Some(ty))?)
    }
    /// Normal numbers of this mean and standard deviation.
    fn normal(&self, builder: &mut Builder, mean: f64, deviation: f64) -> Result<NodeId, Fault> {
        let uniform = self.uniform(builder)?;
        let standard = builder.unary(Primitive::NormalQuantile, uniform)?;
        let scaled = builder.scale(standard, deviation)?;
        if mean == 0.0 { Ok(scaled) } else { Ok(builder.offset(scaled, mean)?) }
    }
    /// Uniform numbers in (low, high).
    fn between(&self, builder: &mut Builder, low: f64, high: f64) -> Result<NodeId, Fault> {
        let uniform = self.uniform(builder)?;
        let scaled = builder.scale(uniform, high - low)?;
        Ok(builder.offset(scaled, low)?)
    }
    fn filled(&self, builder: &mut Builder, value: f64) -> Result<NodeId, Fault> {
        let scalar = builder.constant(value);
        Ok(builder.broadcast_scalar(scalar, &self.shape)?)
    }
}

/// An initialiser, as the user names it.
#[derive(Debug)]
pub struct Initializer {
    /// The word.
    pub name: &'static str,
    /// One sentence.
    pub doc: &'static str,
    /// The formula, as it stands in the summary.
    pub formula: &'static str,
    /// What it takes.
    pub parameters: &'static [Parameter],
    /// Builds the first value.
    pub build: fn(&mut Builder, &Fill, &Call) -> Result<NodeId, Fault>,
}

/// Glorot and Bengio (2010), equation 12: 1/fan_avg = 2 / (fan_in + fan_out).
fn glorot_variance(fill: &Fill) -> f64 {
    2.0 / (fill.fan_in + fill.fan_out).max(1) as f64
}

/// He, Zhang, Ren and Sun (2015), equations 10 and 15: 2 / ((1 + a²) fan_in).
fn he_variance(fill: &Fill, call: &Call) -> f64 {
    let slope = call.number("slope").unwrap_or(0.0);
    2.0 / ((1.0 + slope * slope) * fill.fan_in.max(1) as f64)
}

/// LeCun, Bottou, Orr and Müller (1998), section 4.6: 1 / fan_in.
fn lecun_variance(fill: &Fill) -> f64 {
    1.0 / fill.fan_in.max(1) as f64
}

fn bound(variance: f64) -> f64 {
    (3.0 * variance).sqrt()
}

const SLOPE: &[Parameter] =
    &[Parameter::optional("slope", Kind::ANY, "0", "slope a of the activation that follows, below zero").known()];

/// The record of `glorot`.
pub static GLOROT: Initializer = Initializer {
    name: "glorot",
    doc: "normal, variance 1/fan_avg (Glorot and Bengio 2010)",
    formula: "normal(0, 2 / (fan_in + fan_out))",
    parameters: &[],
    build: |builder, fill, _| fill.normal(builder, 0.0, glorot_variance(fill).sqrt()),
};
/// The record of `glorot_uniform`.
pub static GLOROT_UNIFORM: Initializer = Initializer {
    name: "glorot_uniform",
    doc: "uniform, variance 1/fan_avg (Glorot and Bengio 2010)",
    formula: "uniform(+-sqrt(6 / (fan_in + fan_out)))",
    parameters: &[],
    build: |builder, fill, _| {
        let bound = bound(glorot_variance(fill));
        fill.between(builder, -bound, bound)
    },
};
/// The record of `he`.
pub static HE: Initializer = Initializer {
    name: "he",
    doc: "normal, not truncated, variance 2/fan_in, or 2/((1 + a²) fan_in) for slope a (He et al. 2015)",
    formula: "normal(0, 2 / ((1 + slope^2) fan_in))",
    parameters: SLOPE,
    build: |builder, fill, call| fill.normal(builder, 0.0, he_variance(fill, call).sqrt()),
};
/// The record of `he_uniform`.
pub static HE_UNIFORM: Initializer = Initializer {
    name: "he_uniform",
    doc: "uniform, variance 2/fan_in, or 2/((1 + a²) fan_in) for slope a (He et al. 2015)",
    formula: "uniform(+-sqrt(6 / ((1 + slope^2) fan_in)))",
    parameters: SLOPE,
    build: |builder, fill, call| {
        let bound = bound(he_variance(fill, call));
        fill.between(builder, -bound, bound)
    },
};
/// The record of `lecun`.
pub static LECUN: Initializer = Initializer {
    name: "lecun",
    doc: "normal, variance 1/fan_in (LeCun et al. 1998)",
    formula: "normal(0, 1 / fan_in)",
    parameters: &[],
    build: |builder, fill, _| fill.normal(builder, 0.0, lecun_variance(fill).sqrt()),
};
/// The record of `lecun_uniform`.
pub static LECUN_UNIFORM: Initializer = Initializer {
    name: "lecun_uniform",
    doc: "uniform, variance 1/fan_in (LeCun et al. 1998)",
    formula: "uniform(+-sqrt(3 / fan_in))",
    parameters: &[],
    build: |builder, fill, _| {
        let bound = bound(lecun_variance(fill));
        fill.between(builder, -bound, bound)
    },
};
/// The record of `zeros`.
pub static ZEROS: Initializer = Initializer {
    name: "zeros",
    doc: "0 everywhere",
    formula: "0",
    parameters: &[],
    build: |builder, fill, _| fill.filled(builder, 0.0),
};
/// The record of `ones`.
pub static ONES: Initializer = Initializer {
    name: "ones",
    doc: "1 everywhere",
    formula: "1",
    parameters: &[],
    build: |builder, fill, _| fill.filled(builder, 1.0),
};
/// The record of `constant`.
pub static CONSTANT: Initializer = Initializer {
    name: "constant",
    doc: "one number everywhere",
    formula: "value",
    parameters: &[Parameter::required("value", Kind::ANY, "the number").known()],
    build: |builder, fill, call| fill.filled(builder, call.number("value").unwrap_or(0.0)),
};
/// The record of `normal`.
pub static NORMAL: Initializer = Initializer {
    name: "normal",
    doc: "normal of this mean and standard deviation",
    formula: "normal(mean, deviation^2)",
    parameters: &[
        Parameter::optional("mean", Kind::ANY, "0", "the mean").known(),
        Parameter::optional("deviation", Kind::NOT_NEGATIVE, "1", "the standard deviation").known(),
    ],
    build: |builder, fill, call| {
        fill.normal(builder, call.number("mean").unwrap_or(0.0), call.number("deviation").unwrap_or(1.0))
    },
};
/// The record of `uniform`.
pub static UNIFORM: Initializer = Initializer {
    name: "uniform",
    doc: "uniform between two numbers",
    formula: "uniform(low, high)",
    parameters: &[
        Parameter::optional("low", Kind::ANY, "-1", "the least").known(),
        Parameter::optional("high", Kind::ANY, "1", "the greatest").at_least("low").known(),
    ],
    build: |builder, fill, call| fill.between(builder, call.number("low").unwrap_or(-1.0), call.number("high").unwrap_or(1.0)),
};

/// Φ(-2): the share of a normal distribution below two standard deviations.
const BELOW_TWO_DEVIATIONS: f64 = 0.022_750_131_948_179_21;

/// The record of `truncated_normal`.
pub static TRUNCATED_NORMAL: Initializer = Initializer {
    name: "truncated_normal",
    doc: "normal, cut off at two standard deviations from the mean by drawing inside (not by clamping); its own deviation is 0.88 of the one given",
    formula: "normal(mean, deviation^2) within 2 deviations",
    parameters: NORMAL.parameters,
    build: |builder, fill, call| {
        let inside = fill.between(builder, BELOW_TWO_DEVIATIONS, 1.0 - BELOW_TWO_DEVIATIONS)?;
        let standard = builder.unary(Primitive::NormalQuantile, inside)?;
        let scaled = builder.scale(standard, call.number("deviation").unwrap_or(1.0))?;
        Ok(builder.offset(scaled, call.number("mean").unwrap_or(0.0))?)
    },
};

/// How often the iteration below is run: a singular value a thousand times smaller than the largest has arrived by then.
const ROUNDS: usize = 30;

/// Saxe, McClelland and Ganguli (2014). The orthogonal factor of a normal matrix, which is uniform among all of them, by the iteration
/// of Björck and Bowie (1971): X ← X (3 - XᵀX) / 2 takes every singular value below √3 to 1. Products are of the smaller side.
pub static ORTHOGONAL: Initializer = Initializer {
    name: "orthogonal",
    doc: "rows or columns of length 1 at right angles, whichever are fewer, times the gain (Saxe et al. 2014)",
    formula: "orthogonal",
    parameters: &[Parameter::optional("gain", Kind::ANY, "1", "multiplies the matrix").known()],
    build: |builder, fill, call| {
        let sizes = fill.shape.at(1);
        let out = sizes.last().copied().unwrap_or(1);
        let rows = sizes.iter().product::<usize>() / out.max(1);
        let normal = fill.normal(builder, 0.0, 1.0)?;
        let mut x = builder.reshape(normal, &Shape::fixed(&[rows, out]))?;
        // No singular value is above the root of the sum of their squares.
        let square = builder.mul(x, x)?;
        let sum = builder.sum_all(square)?;
        let length = builder.unary(Primitive::Sqrt, sum)?;
        x = builder.div(x, length)?;
        for _ in 0..ROUNDS {
            let cube = if rows >= out {
                let inner = builder.contract(x, x, "k i, k j -> i j")?;
                builder.contract(x, inner, "n i, i j -> n j")?
            } else {
                let inner = builder.contract(x, x, "i k, j k -> i j")?;
                builder.contract(inner, x, "i j, j n -> i n")?
            };
            let more = builder.scale(x, 1.5)?;
            let less = builder.scale(cube, 0.5)?;
            x = builder.sub(more, less)?;
        }
        let x = builder.reshape(x, &fill.shape)?;
        Ok(builder.scale(x, call.number("gain").unwrap_or(1.0))?)
    },
};

/// All initialisers.
pub const LIST: &[&Initializer] = &[
    &GLOROT,
    &GLOROT_UNIFORM,
    &HE,
    &HE_UNIFORM,
    &LECUN,
    &LECUN_UNIFORM,
    &ZEROS,
    &ONES,
    &CONSTANT,
    &NORMAL,
    &UNIFORM,
    &TRUNCATED_NORMAL,
    &ORTHOGONAL,
];

/// The initialiser of this name.
pub fn find(name: &str) -> Result<&'static Initializer, Fault> {
    let found = LIST.iter().copied().find(|initializer| initializer.name == name);
    found.ok_or_else(|| unknown_name("initialiser", name, LIST.iter().map(|initializer| initializer.name)))
}
