//! What autodiff makes of common formulas, read back as one would write it: the slope of a sigmoid from its value, the slope of
//! softplus as a sigmoid.

use super::Exactness::{Approximates, Reassociates};
use super::{Bindings, Condition, Rule, rule};
use crate::graph::Graph;
use crate::ops::Primitive;

const OPPOSITE: Condition = Condition::Negatives("x", "y");

pub(super) const RULES: &[Rule] = &[
    rule(
        "sigmoid-tail",
        "mul(mul(g, sigmoid(neg(y))), exp(y))",
        "mul(g, sigmoid(y))",
        Approximates { ulp: 4 },
        "e^y / (1 + e^y).",
    )
    .single(),
    rule("sigmoid-rest", "mul(sigmoid(x), exp(y))", "sub(1, sigmoid(x))", Approximates { ulp: 4 }, "e^-x / (1 + e^-x).")
        .when(OPPOSITE)
        .single(),
    rule(
        "sigmoid-rest-scaled",
        "mul(mul(g, sigmoid(x)), exp(y))",
        "mul(g, sub(1, sigmoid(x)))",
        Approximates { ulp: 4 },
        "As above.",
    )
    .when(OPPOSITE)
    .single(),
    rule(
        "sigmoid-slope",
        "mul(mul(g, sigmoid(x)), sub(1, sigmoid(x)))",
        "mul(g, mul(sigmoid(x), sub(1, sigmoid(x))))",
        Reassociates,
        "The slope from the value alone, shared by all gradients through it.",
    )
    .private(),
    rule(
        "softplus-slope",
        "select(lt(0, z), sub(g, mul(g, sigmoid(min(z, neg(z))))), mul(g, sigmoid(min(z, neg(z)))))",
        "mul(g, sigmoid(z))",
        Approximates { ulp: 4 },
        "What the two halves of softplus add up to.",
    )
    .single(),
    rule(
        "softplus-slope-one",
        "select(lt(0, z), sub(1, sigmoid(min(z, neg(z)))), sigmoid(min(z, neg(z))))",
        "sigmoid(z)",
        Approximates { ulp: 4 },
        "What the two halves of softplus add up to.",
    )
    .single(),
    rule(
        "log-sigmoid-slope",
        "select(lt(0, z), mul(g, sigmoid(min(z, neg(z)))), sub(g, mul(g, sigmoid(min(z, neg(z))))))",
        "mul(g, sigmoid(neg(z)))",
        Approximates { ulp: 4 },
        "What the two halves of log sigmoid add up to.",
    )
    .single(),
    rule(
        "log-sigmoid-slope-one",
        "select(lt(0, z), sigmoid(min(z, neg(z))), sub(1, sigmoid(min(z, neg(z)))))",
        "sigmoid(neg(z))",
        Approximates { ulp: 4 },
        "What the two halves of log sigmoid add up to.",
    )
    .single(),
    gather("gather-add-add", "add(add(a, x), y)", "add(a, add(x, y))"),
    gather("gather-add-sub", "sub(add(a, x), y)", "add(a, sub(x, y))"),
    gather("gather-sub-add", "add(sub(a, x), y)", "add(a, sub(y, x))"),
    gather("gather-sub-sub", "sub(sub(a, x), y)", "sub(a, add(x, y))"),
    gather("gather-minus-add", "add(sub(x, a), y)", "sub(add(x, y), a)"),
    gather("gather-minus-sub", "sub(sub(x, a), y)", "sub(sub(x, y), a)"),
];

/// Brings two terms together that one condition selects, so that they become one selection.
const fn gather(name: &'static str, before: &'static str, after: &'static str) -> Rule {
    rule(name, before, after, Reassociates, "Terms that one condition selects are added first.")
        .when(Condition::Check { doc: "x and y are selected by one condition, with a zero in a branch", holds: selected_alike })
        .private()
}

fn selected_alike(graph: &Graph, bindings: &Bindings) -> bool {
    let (Some(x), Some(y)) = (bindings.node("x"), bindings.node("y")) else { return false };
    let (x, y) = (graph.node(x), graph.node(y));
    let zero = |node: &crate::graph::Node| node.operands[1..].iter().any(|&branch| graph.constant(branch) == Some(0.0));
    x.primitive == Primitive::Select && y.primitive == Primitive::Select && x.operands[0] == y.operands[0] && (zero(x) || zero(y))
}
