//! Clips: limits on gradients, penalties included, before the optimizer, in the order written.

use super::arguments::unknown_name;
use super::{Fault, Kind, Parameter};
use crate::graph::{Builder, NodeId};
use crate::ops::Primitive;

/// A clip, as the user names it.
#[derive(Debug)]
pub struct Clip {
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
    /// Replaces the gradients of all parameters; the limit is an f64 scalar.
    pub apply: fn(&mut Builder, &mut [NodeId], NodeId) -> Result<(), Fault>,
}

/// A clip in force.
#[derive(Clone, Debug)]
pub struct ClipUse {
    /// Which one.
    pub clip: &'static Clip,
    /// An f64 scalar above 0.
    pub limit: NodeId,
    /// Whether a step whose norm is not finite is left out.
    pub skips: bool,
    /// Where it stands in the source.
    pub place: String,
}

const LIMIT: Parameter = Parameter::required("limit", Kind::POSITIVE, "the largest that is let through");
const NON_FINITE: Parameter = Parameter::optional(
    "non_finite",
    Kind::Choice(&["pass", "skip"]),
    "pass",
    "whether a norm that is NaN or infinite (in f32: above 1.8e19) ends the run with an error, or its step is skipped and counted",
);

/// Each element to [-c, c]; NaN passes.
pub static VALUE: Clip = Clip {
    name: "clip_value",
    doc: "each element of each gradient to [-limit, limit]",
    source: "",
    formula: "g = min(max(g, -limit), limit)",
    parameters: &[LIMIT],
    apply: |builder, gradients, limit| {
        let lower = builder.neg(limit)?;
        for gradient in gradients {
            let below = builder.binary(Primitive::Min, limit, *gradient)?;
            *gradient = builder.binary(Primitive::Max, lower, below)?;
        }
        Ok(())
    },
};

/// Each tensor scaled down to norm c.
pub static NORM: Clip = Clip {
    name: "clip_norm",
    doc: "each gradient scaled so that its norm is at most the limit",
    source: "Pascanu, Mikolov and Bengio (2013), algorithm 1, tensor by tensor",
    formula: "g = g * min(1, limit / |g|)",
    parameters: &[LIMIT, NON_FINITE],
    apply: |builder, gradients, limit| {
        for gradient in gradients {
            let square = sum_of_squares(builder, *gradient)?;
            let factor = factor(builder, square, limit)?;
            *gradient = builder.mul(*gradient, factor)?;
        }
        Ok(())
    },
};

/// All tensors scaled by one factor.
pub static GLOBAL_NORM: Clip = Clip {
    name: "clip_global_norm",
    doc: "all gradients scaled by one factor so that the norm over all of them is at most the limit",
    source: "Pascanu, Mikolov and Bengio (2013), algorithm 1",
    formula: "g = g * min(1, limit / |all g|)",
    parameters: &[LIMIT, NON_FINITE],
    apply: |builder, gradients, limit| {
        let Some(total) = square_of_all(builder, gradients)? else { return Ok(()) };
        let factor = factor(builder, total, limit)?;
        for gradient in gradients {
            *gradient = builder.mul(*gradient, factor)?;
        }
        Ok(())
    },
};

/// The square of the norm over all gradients; nothing if there are none.
pub fn square_of_all(builder: &mut Builder, gradients: &[NodeId]) -> Result<Option<NodeId>, Fault> {
    let mut total = None;
    for &gradient in gradients {
        let square = sum_of_squares(builder, gradient)?;
        total = Some(match total {
            Some(sum) => builder.add(sum, square)?,
            None => square,
        });
    }
    Ok(total)
}

fn sum_of_squares(builder: &mut Builder, gradient: NodeId) -> Result<NodeId, Fault> {
    let square = builder.mul(gradient, gradient)?;
    Ok(builder.sum_all(square)?)
}

/// `min(1, c / √s)`: a norm of 0 gives c/0 = ∞ and so 1, which leaves the gradient alone. A norm of NaN stays visible as NaN, and so does
/// one of ∞, whose c/∞ = 0 would make a step of nothing: 0 times the norm is added, which is 0 of finite norms alone.
fn factor(builder: &mut Builder, square: NodeId, limit: NodeId) -> Result<NodeId, Fault> {
    let norm = builder.unary(Primitive::Sqrt, square)?;
    let ratio = builder.div(limit, norm)?;
    let one = builder.constant(1.0);
    let factor = builder.binary(Primitive::Min, one, ratio)?;
    let nothing = builder.scale(norm, 0.0)?;
    Ok(builder.add(factor, nothing)?)
}

/// All clips.
pub const LIST: &[&Clip] = &[&VALUE, &NORM, &GLOBAL_NORM];

/// The clip of this name.
pub fn find(name: &str) -> Result<&'static Clip, Fault> {
    let found = LIST.iter().copied().find(|clip| clip.name == name);
    found.ok_or_else(|| unknown_name("clip", name, LIST.iter().map(|clip| clip.name)))
}
