//! Penalties: terms of the loss that keep weights small, in training only.

use super::arguments::unknown_name;
use super::{Fault, Kind, Parameter};
use crate::graph::{Builder, NodeId};
use crate::ops::Primitive;

/// A penalty, as the user names it.
#[derive(Debug)]
pub struct Penalty {
    /// The word.
    pub name: &'static str,
    /// One sentence.
    pub doc: &'static str,
    /// Where it stands in print.
    pub source: &'static str,
    /// The formula, as it stands in the summary.
    pub formula: &'static str,
    /// What it takes.
    pub parameters: &'static [Parameter],
    /// The sum over the elements of one tensor, without the strength.
    pub sum: fn(&mut Builder, NodeId) -> Result<NodeId, Fault>,
}

impl PartialEq for Penalty {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

/// A penalty in force.
#[derive(Clone, Debug)]
pub struct Applied {
    /// Which one.
    pub penalty: &'static Penalty,
    /// λ: an f64 scalar.
    pub strength: NodeId,
    /// Applied after the optimizer's step as a shrinkage instead of in the loss.
    pub proximal: bool,
    /// On biases, normalisation parameters and slopes too.
    pub on_all: bool,
    /// Where it stands in the source.
    pub place: String,
}

/// Wherever they stand: what is equal is summed up before it is multiplied.
impl PartialEq for Applied {
    fn eq(&self, other: &Self) -> bool {
        let key = |applied: &Applied| (applied.strength, applied.proximal, applied.on_all);
        self.penalty == other.penalty && key(self) == key(other)
    }
}

const STRENGTH: Parameter = Parameter::required("strength", Kind::NOT_NEGATIVE, "the factor λ, such as 1e-4");
const ON: Parameter = Parameter::optional(
    "on",
    Kind::Choice(&["weights", "all"]),
    "weights",
    "weights only, or biases, normalisation parameters and prelu's slopes too",
);

/// λ Σ θ²: under sgd θ ← θ - 2ηλθ - ηg. PyTorch's `weight_decay` is 2λ.
pub static L2: Penalty = Penalty {
    name: "l2",
    doc: "adds λ Σ θ² to the loss in training",
    source: "Hoerl and Kennard (1970), ridge. Under sgd θ ← θ - 2ηλθ - ηg. PyTorch's weight_decay is 2λ; for a mean over n rows scikit-learn's ridge alpha is nλ",
    formula: "lambda * sum(theta^2)",
    parameters: &[STRENGTH, ON],
    sum: |builder, theta| {
        let square = builder.mul(theta, theta)?;
        Ok(builder.sum_all(square)?)
    },
};

/// λ Σ |θ|: under sgd θ ← θ - λη·sign θ - ηg.
pub static L1: Penalty = Penalty {
    name: "l1",
    doc: "adds λ Σ |θ| to the loss in training; proximal: shrinks after the step instead, to exact zeros",
    source: "Tibshirani (1996), lasso; Daubechies, Defrise and De Mol (2004), the proximal step. Under sgd θ ← θ - ηλ·sign θ - ηg. Beside mean_squared_error scikit-learn's lasso alpha is λ/2",
    formula: "lambda * sum(|theta|)",
    parameters: &[
        STRENGTH,
        Parameter::optional("proximal", Kind::Flag, "false", "after the step θ ← sign θ · max(|θ| - ηλ, 0)"),
        ON,
    ],
    sum: |builder, theta| {
        let size = builder.unary(Primitive::Abs, theta)?;
        Ok(builder.sum_all(size)?)
    },
};

/// All penalties.
pub const LIST: &[&Penalty] = &[&L1, &L2];

/// The penalty of this name.
pub fn find(name: &str) -> Result<&'static Penalty, Fault> {
    let found = LIST.iter().copied().find(|penalty| penalty.name == name);
    found.ok_or_else(|| unknown_name("penalty", name, LIST.iter().map(|penalty| penalty.name)))
}

/// The proximal step: θ ← sign θ · max(|θ| - ηλ, 0), with η and λ f64 scalars.
pub fn shrink(builder: &mut Builder, theta: NodeId, rate: NodeId, strength: NodeId) -> Result<NodeId, Fault> {
    let threshold = builder.mul(rate, strength)?;
    let sign = builder.unary(Primitive::Sign, theta)?;
    let size = builder.unary(Primitive::Abs, theta)?;
    let rest = builder.sub(size, threshold)?;
    let zero = builder.constant_like(rest, 0.0)?;
    let rest = builder.binary(Primitive::Max, zero, rest)?;
    Ok(builder.mul(sign, rest)?)
}
