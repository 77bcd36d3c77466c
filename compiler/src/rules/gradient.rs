//! What autodiff makes of common formulas, read back as one would write it: the slope of a sigmoid from its value, the slope of
//! softplus as a sigmoid, the slope of elu without its condition.

use super::Exactness::{Approximates, BitExact, Reassociates};
use super::{Bindings, Condition, Rule, rule};
use crate::graph::{Attributes, Builder, Dim, Element, Graph, NodeId};
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
    rule(
        "elu-slope",
        "select(c, g, mul(select(c, 0, g), add(expm1(select(c, 0, x)), 1)))",
        "mul(g, add(expm1(select(c, 0, x)), 1))",
        BitExact,
        "Where c holds, the slope e^0 is 1 by itself.",
    )
    .single(),
    rule(
        "softmax-slope",
        "mul(e, add(div(g, broadcast{~a}(s)), broadcast{~a}(neg(sum{a}(mul(div(e, broadcast{~a}(s)), div(g, broadcast{~a}(s))))))))",
        "mul(div(e, broadcast{~a}(s)), sub(g, broadcast{~a}(sum{a}(mul(div(e, broadcast{~a}(s)), g)))))",
        Reassociates,
        "y (g - sum(g y)): from the shares y = e / s alone.",
    ),
    rule(
        "cross-entropy-slope",
        "sub(mul(e, broadcast{b}(q)), mul(y, broadcast{c}(t)))",
        "mul(sub(mul(e, broadcast{b}(q / t)), y), broadcast{c}(t))",
        Reassociates,
        "softmax - y, scaled: the derivative of cross entropy by its logits.",
    )
    .when(Condition::Check { doc: "t is a factor of q", holds: |_, bindings| within(bindings).is_some() })
    .by(take_out_scale)
    .private()
    .single(),
    rule("one-hot-sum", "sum{a}(cast(eq(i, broadcast{b}(y))))", "1", BitExact, "A class is one of its classes.")
        .when(Condition::Check { doc: "i counts the classes of y along a", holds: counts_classes }),
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

/// Places of the scale's axes among those of `q`.
fn within(bindings: &Bindings) -> Option<Vec<usize>> {
    let (rows, scale) = (bindings.axes("b")?, bindings.axes("c")?);
    scale.iter().map(|axis| rows.iter().position(|row| row == axis)).collect()
}

fn take_out_scale(builder: &mut Builder, bindings: &Bindings) -> Option<NodeId> {
    let (e, q, y, t) = (bindings.node("e")?, bindings.node("q")?, bindings.node("y")?, bindings.node("t")?);
    let (full, rows) = (builder.shape(bindings.root), builder.shape(q));
    let scale = builder.broadcast(t, &rows, &within(bindings)?).ok()?;
    let rest = without_factor(builder, q, scale)?;
    let rest = builder.broadcast(rest, &full, bindings.axes("b")?).ok()?;
    let share = builder.mul(e, rest).ok()?;
    let error = builder.sub(share, y).ok()?;
    let scale = builder.broadcast(t, &full, bindings.axes("c")?).ok()?;
    builder.mul(error, scale).ok()
}

/// `q / factor` where the factor stands in the formula of `q`.
fn without_factor(builder: &mut Builder, q: NodeId, factor: NodeId) -> Option<NodeId> {
    if q == factor {
        return builder.constant_like(q, 1.0).ok();
    }
    let node = builder.graph().node(q).clone();
    match (node.primitive, &node.attributes) {
        (Primitive::Mul, _) => match without_factor(builder, node.operands[0], factor) {
            Some(rest) => builder.mul(rest, node.operands[1]).ok(),
            None => {
                let rest = without_factor(builder, node.operands[1], factor)?;
                builder.mul(node.operands[0], rest).ok()
            }
        },
        (Primitive::Div, _) => {
            let rest = without_factor(builder, node.operands[0], factor)?;
            builder.div(rest, node.operands[1]).ok()
        }
        (Primitive::Sum, Attributes::Axes(axes)) => {
            let shape = builder.shape(node.operands[0]);
            let factor = builder.expand(factor, &shape, axes).ok()?;
            let rest = without_factor(builder, node.operands[0], factor)?;
            builder.sum(rest, axes).ok()
        }
        _ => None,
    }
}

fn counts_classes(graph: &Graph, bindings: &Bindings) -> bool {
    let (Some(i), Some(y), Some([axis])) = (bindings.node("i"), bindings.node("y"), bindings.axes("a")) else { return false };
    let (counter, mut y) = (graph.node(i), y);
    if counter.primitive != Primitive::Iota
        || counter.attributes != Attributes::Axis(*axis)
        || bindings.axes("b").is_none_or(|kept| kept.contains(axis))
    {
        return false;
    }
    while graph.node(y).primitive == Primitive::Cast && graph.ty(y).element.is_integer() {
        y = graph.node(y).operands[0];
    }
    matches!(graph.ty(y).element, Element::Class(count) if counter.ty.shape.0[*axis] == Dim::Fixed(count as usize))
}
