//! What autodiff makes of `x - mean` over its deviation, read back as one would write it. With `q` for the normal form and `g` for the
//! gradient of it, `(g - mean(g) - q mean(g q)) / deviation` (Ioffe and Szegedy, 2015, section 3) needs two sums and `q`; by the rules of
//! autodiff alone the gradients meet at `x - mean`, which is kept beside `q`, and are summed a third time.

use super::Exactness::Reassociates;
use super::{Bindings, Condition, Rule, rule, within};
use crate::graph::{Dim, Graph, NodeId};
use crate::ops::Primitive;

const NORMAL: Condition = Condition::Exists("div(x, broadcast{a}(s))");
const COUNT: Condition = Condition::Check { doc: "n counts the elements along a", holds: counts };
const SHARE: Condition = Condition::Check { doc: "n is one over the number of elements along a", holds: divides };

pub(super) const RULES: &[Rule] = &[
    rule(
        "variance-slope",
        "sub(sub(p, mul(x, broadcast{a}(div(div(u, mul(s, 2)), n)))), mul(x, broadcast{a}(div(div(u, mul(s, 2)), n))))",
        "sub(p, mul(div(x, broadcast{a}(s)), broadcast{a}(div(u, n))))",
        Reassociates,
        "Both factors of the square as one term, from the normal form.",
    )
    .when(NORMAL),
    rule(
        "variance-slope-scaled",
        "sub(sub(p, mul(x, broadcast{a}(mul(div(u, mul(s, 2)), n)))), mul(x, broadcast{a}(mul(div(u, mul(s, 2)), n))))",
        "sub(p, mul(div(x, broadcast{a}(s)), broadcast{a}(mul(u, n))))",
        Reassociates,
        "As above.",
    )
    .when(NORMAL),
    rule(
        "centred-sum",
        "sum{a}(sub(p, mul(div(sub(x, broadcast{~a}(div(sum{a}(x), n))), broadcast{~a}(s)), broadcast{~a}(v))))",
        "sum{a}(p)",
        Reassociates,
        "The differences from the mean sum to zero.",
    )
    .when(COUNT),
    rule(
        "centred-sum-scaled",
        "sum{a}(sub(p, mul(div(sub(x, broadcast{~a}(mul(sum{a}(x), n))), broadcast{~a}(s)), broadcast{~a}(v))))",
        "sum{a}(p)",
        Reassociates,
        "As above.",
    )
    .when(SHARE),
];

/// The fixed extents of `x` along `a`, multiplied, and whether one is the batch.
fn elements(graph: &Graph, bindings: &Bindings) -> Option<(f64, bool)> {
    let shape = graph.shape(bindings.node("x")?);
    let dims: Option<Vec<Dim>> = bindings.axes("a")?.iter().map(|&axis| shape.0.get(axis).copied()).collect();
    let dims = dims?;
    Some((dims.iter().map(|dim| dim.at(1) as f64).product(), dims.contains(&Dim::Batch)))
}

fn counts(graph: &Graph, bindings: &Bindings) -> bool {
    let (Some((fixed, batch)), Some(n)) = (elements(graph, bindings), bindings.node("n")) else { return false };
    if !batch {
        return graph.constant(n) == Some(fixed);
    }
    let node = graph.node(within(graph, n, &[Primitive::Broadcast]));
    let rows = |id: NodeId| graph.node(within(graph, id, &[Primitive::Broadcast])).primitive == Primitive::BatchSize;
    match (node.primitive, &node.operands[..]) {
        (Primitive::BatchSize, _) => fixed == 1.0,
        (Primitive::Mul, &[a, b]) => rows(a) && graph.constant(b) == Some(fixed) || rows(b) && graph.constant(a) == Some(fixed),
        _ => false,
    }
}

fn divides(graph: &Graph, bindings: &Bindings) -> bool {
    let Some((fixed, false)) = elements(graph, bindings) else { return false };
    bindings.node("n").and_then(|n| graph.constant(n)).is_some_and(|share| share * fixed == 1.0)
}
