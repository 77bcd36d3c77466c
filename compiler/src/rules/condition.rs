//! Conditions of rules: what must hold beyond the shape of the pattern.

use super::pattern::{self, Bindings, LookUp, Name};
use crate::graph::{Builder, Graph, NodeId};
use crate::ops::Primitive;

/// What must hold beside the pattern.
#[derive(Clone, Copy, Debug)]
pub enum Condition {
    /// Nothing more.
    Always,
    /// The number is a power of two, or minus one, and so is its reciprocal as a normal f32.
    PowerOfTwo(Name),
    /// This term of numbers is a normal f32: nothing overflows or is lost.
    Normal(&'static str),
    /// This term stands in the graph already. Its type follows from its variables.
    Exists(&'static str),
    /// The one node is the other's negative.
    Negatives(Name, Name),
    /// The node is of none of these forms.
    Unless(Name, &'static [&'static str]),
    /// Something else, in words.
    Check {
        /// What must hold, for the reader.
        doc: &'static str,
        /// Whether it holds.
        holds: fn(&Graph, &Bindings) -> bool,
    },
}

impl Condition {
    /// Whether it holds.
    pub fn holds(&self, builder: &Builder, bindings: &Bindings) -> bool {
        let graph = builder.graph();
        match *self {
            Condition::Always => true,
            Condition::PowerOfTwo(name) => {
                let value = bindings.node(name).and_then(|node| graph.constant(node));
                value.is_some_and(is_power_of_two)
            }
            Condition::Normal(term) => {
                let value = pattern::parse(term).ok().and_then(|term| pattern::number(graph, &term, bindings));
                value.is_some_and(|value| (value as f32).is_normal())
            }
            Condition::Exists(term) => {
                pattern::parse(term).is_ok_and(|term| pattern::build(&mut LookUp(builder), &term, bindings, None).is_some())
            }
            Condition::Negatives(a, b) => match (bindings.node(a), bindings.node(b)) {
                (Some(a), Some(b)) => are_negatives(graph, a, b),
                _ => false,
            },
            Condition::Unless(name, forms) => {
                let Some(node) = bindings.node(name) else { return false };
                !forms.iter().any(|form| pattern::parse(form).is_ok_and(|form| pattern::find(graph, &form, node).is_some()))
            }
            Condition::Check { holds, .. } => holds(graph, bindings),
        }
    }
}

fn is_power_of_two(value: f64) -> bool {
    let single = value as f32;
    let mantissa = single.to_bits() & 0x007f_ffff;
    f64::from(single) == value && single.is_normal() && mantissa == 0 && (1.0 / single).is_normal()
}

/// Whether one is written as the other's negative.
fn are_negatives(graph: &Graph, a: NodeId, b: NodeId) -> bool {
    let is_neg = |a: NodeId, b: NodeId| graph.node(a).primitive == Primitive::Neg && graph.node(a).operands[0] == b;
    let (left, right) = (graph.node(a), graph.node(b));
    let swapped = left.primitive == Primitive::Sub
        && right.primitive == Primitive::Sub
        && left.operands[0] == right.operands[1]
        && left.operands[1] == right.operands[0];
    is_neg(a, b) || is_neg(b, a) || swapped
}
