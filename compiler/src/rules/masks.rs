//! Slopes read from outputs: the backward pass of a clamp then needs its output only, and its input is free after the forward pass.
//!
//! Masks hold for every bound `C`: if `x` is above it, `max(C, x)` is `x`; if not, it is `C`, or an `x` that is not above `C` either.

use super::Exactness::BitExact;
use super::{Bindings, Condition, Rule, rule, within};
use crate::graph::{Graph, NodeId};
use crate::ops::Primitive;

pub(super) const RULES: &[Rule] = &[
    rule("relu-mask", "lt(C, x)", "lt(C, max(C, x))", BitExact, "The mask of relu from its output.")
        .when(Condition::Exists("max(C, x)")),
    rule("min-mask", "lt(x, C)", "lt(min(C, x), C)", BitExact, "The mask of an upper bound from its output.")
        .when(Condition::Exists("min(C, x)")),
    rule(
        "dropped-relu-mask",
        "select(lt(0, max(0, x)), mul(c, select(m, g, 0)), 0)",
        "select(lt(0, select(m, mul(max(0, x), c), 0)), mul(c, g), 0)",
        BitExact,
        "The masks of relu and of the dropout behind it from the output of both.",
    )
    .when(Condition::Check { doc: "c is at least one", holds: scales_up })
    .single(),
    rule(
        "elu-value",
        "mul(g, add(expm1(select(lt(0, x), 0, x)), 1))",
        "select(lt(0, select(lt(0, x), x, expm1(select(lt(0, x), 0, x)))), g, \
         mul(g, add(select(lt(0, x), x, expm1(select(lt(0, x), 0, x))), 1)))",
        BitExact,
        "The slope of elu from its output: y + 1 where y is not above zero.",
    )
    .when(Condition::Exists("select(lt(0, x), x, expm1(select(lt(0, x), 0, x)))"))
    .single(),
];

/// Whether `c` is a number from one on, or what dropout multiplies by: `1 / (1 - rate)`.
fn scales_up(graph: &Graph, bindings: &Bindings) -> bool {
    let Some(c) = bindings.node("c") else { return false };
    if let Some(number) = graph.constant(c) {
        return number >= 1.0;
    }
    let quotient = graph.node(within(graph, c, &[Primitive::Broadcast, Primitive::Cast]));
    let (Primitive::Div, &[one, rest]) = (quotient.primitive, &quotient.operands[..]) else { return false };
    let rest = graph.node(rest);
    let (Primitive::Sub, &[whole, rate]) = (rest.primitive, &rest.operands[..]) else { return false };
    let is_one = |id: NodeId| graph.constant(id) == Some(1.0);
    is_one(one) && is_one(whole) && graph.node(rate).primitive == Primitive::Setting
}
