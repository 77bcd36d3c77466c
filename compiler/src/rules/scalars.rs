//! Factors, divisors and terms that vary along fewer axes than what they meet: they are merged, and moved to where fewer elements are.
//!
//! Gradients are full of them: a mean divides the seed, a rate and a clip factor multiply it again.

use super::Exactness::{Approximates, BitExact, Reassociates};
use super::pattern::complement;
use super::{Bindings, Condition, Rule, rule};
use crate::graph::{Builder, NodeId, Type};
use crate::ops::Primitive;

pub(super) const RULES: &[Rule] = &[
    rule("mul-mul", "mul(mul(x, C), D)", "mul(x, mul(C, D))", Reassociates, "One factor.").when(Condition::Normal("mul(C, D)")),
    rule("div-mul", "div(mul(x, C), D)", "mul(x, div(C, D))", Reassociates, "One factor.").when(Condition::Normal("div(C, D)")),
    rule("mul-div", "mul(div(x, C), D)", "mul(x, div(D, C))", Reassociates, "One factor.").when(Condition::Normal("div(D, C)")),
    rule("div-div", "div(div(x, C), D)", "div(x, mul(C, D))", Reassociates, "One divisor.").when(Condition::Normal("mul(C, D)")),
    rule("mul-over", "mul(div(C, x), D)", "div(mul(C, D), x)", Reassociates, "One factor.").when(Condition::Normal("mul(C, D)")),
    rule("div-over", "div(div(C, x), D)", "div(div(C, D), x)", Reassociates, "One factor.").when(Condition::Normal("div(C, D)")),
    rule("over-div", "div(C, div(D, x))", "mul(x, div(C, D))", Reassociates, "One factor.").when(Condition::Normal("div(C, D)")),
    rule("over-mul", "div(C, mul(x, D))", "div(div(C, D), x)", Reassociates, "One factor.").when(Condition::Normal("div(C, D)")),
    rule("add-add", "add(add(x, C), D)", "add(x, add(C, D))", Reassociates, "One term."),
    rule("sub-add", "sub(add(x, C), D)", "add(x, sub(C, D))", Reassociates, "One term."),
    rule("add-sub", "add(sub(x, C), D)", "add(x, sub(D, C))", Reassociates, "One term."),
    rule("sub-sub", "sub(sub(x, C), D)", "sub(x, add(C, D))", Reassociates, "One term."),
    rule("add-minus", "add(sub(C, x), D)", "sub(add(C, D), x)", Reassociates, "One term."),
    rule("sub-minus", "sub(sub(C, x), D)", "sub(sub(C, D), x)", Reassociates, "One term."),
    rule("minus-add", "sub(C, add(x, D))", "sub(sub(C, D), x)", Reassociates, "One term."),
    rule("minus-minus", "sub(C, sub(D, x))", "add(x, sub(C, D))", Reassociates, "One term."),
    rule("div-power-of-two", "div(x, C)", "mul(x, div(1, C))", BitExact, "The reciprocal is exact, and a product is cheaper.")
        .when(Condition::PowerOfTwo("C")),
    rule("narrow-one", "F(broadcast{a}(x))", "broadcast{a}(F(x))", BitExact, "Computed once, then repeated."),
    rule("narrow-two", "F(broadcast{a}(x), broadcast{a}(y))", "broadcast{a}(F(x, y))", BitExact, "Computed once, then repeated."),
    rule("narrow-left", "F(broadcast{a}(x), C)", "broadcast{a}(F(x, C))", BitExact, "Computed once, then repeated."),
    rule("narrow-right", "F(C, broadcast{a}(x))", "broadcast{a}(F(C, x))", BitExact, "Computed once, then repeated."),
    rule(
        "merge-scales",
        "mul(mul(x, broadcast{a}(s)), broadcast{b}(t))",
        "mul(x, broadcast{a}(mul(s, broadcast(t))))",
        Reassociates,
        "Two factors that vary along fewer axes become one, computed on fewer elements.",
    )
    .by(merge_scales)
    .private(),
    rule(
        "divide-scale",
        "div(mul(x, broadcast{a}(s)), broadcast{a}(t))",
        "mul(x, broadcast{a}(div(s, t)))",
        Reassociates,
        "A factor and a divisor that vary along the same fewer axes become one factor, computed on fewer elements.",
    )
    .private(),
    rule(
        "sum-of-repeated",
        "sum{a}(broadcast{b}(x))",
        "mul(broadcast(x), count)",
        Reassociates,
        "A sum of equal terms is a product with their number.",
    )
    .by(sum_of_repeated),
    rule(
        "sum-scaled",
        "sum{a}(mul(x, broadcast{b}(s)))",
        "mul(sum{a}(x), broadcast(s))",
        Reassociates,
        "A factor common to all terms multiplies the sum.",
    )
    .by(|builder, bindings| sum_common(builder, bindings, Primitive::Mul))
    .private(),
    rule(
        "sum-divided",
        "sum{a}(div(x, broadcast{b}(s)))",
        "div(sum{a}(x), broadcast(s))",
        Reassociates,
        "A divisor common to all terms divides the sum.",
    )
    .by(|builder, bindings| sum_common(builder, bindings, Primitive::Div))
    .private(),
    rule(
        "sum-scaled-known",
        "sum{a}(mul(x, broadcast{~a}(s)))",
        "mul(sum{a}(x), s)",
        Reassociates,
        "The sum without the factor is there already.",
    )
    .when(Condition::Exists("sum{a}(x)")),
    rule(
        "sum-product-known",
        "sum{a}(mul(y, mul(x, broadcast{~a}(s))))",
        "mul(sum{a}(mul(y, x)), s)",
        Reassociates,
        "The sum without the factor is there already.",
    )
    .when(Condition::Exists("sum{a}(mul(y, x))")),
    rule("sum-neg", "sum{a}(neg(x))", "neg(sum{a}(x))", Approximates { ulp: 0 }, "One sign, after the sum.").private(),
    rule(
        "contract-neg-left",
        "contract{s}(neg(x), y)",
        "neg(contract{s}(x, y))",
        Approximates { ulp: 0 },
        "Signs move outwards.",
    )
    .private(),
    rule(
        "contract-neg-right",
        "contract{s}(x, neg(y))",
        "neg(contract{s}(x, y))",
        Approximates { ulp: 0 },
        "Signs move outwards.",
    )
    .private(),
];

/// The larger of the two scales takes in the other.
fn merge_scales(builder: &mut Builder, bindings: &Bindings) -> Option<NodeId> {
    let (x, s, t) = (bindings.node("x")?, bindings.node("s")?, bindings.node("t")?);
    let (a, b) = (bindings.axes("a")?.to_vec(), bindings.axes("b")?.to_vec());
    let within = |inner: &[usize], outer: &[usize]| -> Option<Vec<usize>> {
        inner.iter().map(|axis| outer.iter().position(|known| known == axis)).collect()
    };
    let (wide, narrow, places, axes) = match (within(&b, &a), within(&a, &b)) {
        (Some(places), _) => (s, t, places, a),
        (None, Some(places)) => (t, s, places, b),
        (None, None) => return None,
    };
    let (shape, full) = (builder.shape(wide), builder.shape(x));
    let narrow = builder.broadcast(narrow, &shape, &places).ok()?;
    let scale = builder.mul(wide, narrow).ok()?;
    let scale = builder.broadcast(scale, &full, &axes).ok()?;
    builder.mul(x, scale).ok()
}

/// A tensor that was repeated along `kept`'s complement, repeated over what is left when `summed` axes are gone; `None` if it
/// varies along a summed axis.
fn repeated_without(builder: &mut Builder, x: NodeId, kept: &[usize], summed: &[usize], ty: &Type) -> Option<NodeId> {
    if kept.iter().any(|axis| summed.contains(axis)) {
        return None;
    }
    let left = complement(summed, ty.shape.rank() + summed.len());
    let axes: Option<Vec<usize>> = kept.iter().map(|axis| left.iter().position(|known| known == axis)).collect();
    builder.broadcast(x, &ty.shape, &axes?).ok()
}

fn sum_of_repeated(builder: &mut Builder, bindings: &Bindings) -> Option<NodeId> {
    let (summed, kept) = (bindings.axes("a")?.to_vec(), bindings.axes("b")?.to_vec());
    let (ty, full) = (builder.ty(bindings.root).clone(), builder.shape(*bindings.inner.get(1)?));
    let x = repeated_without(builder, bindings.node("x")?, &kept, &summed, &ty)?;
    let count = builder.count(&full, &summed).ok()?;
    builder.mul(x, count).ok()
}

fn sum_common(builder: &mut Builder, bindings: &Bindings, primitive: Primitive) -> Option<NodeId> {
    let (summed, kept) = (bindings.axes("a")?.to_vec(), bindings.axes("b")?.to_vec());
    let ty = builder.ty(bindings.root).clone();
    let s = repeated_without(builder, bindings.node("s")?, &kept, &summed, &ty)?;
    let sum = builder.sum(bindings.node("x")?, &summed).ok()?;
    builder.binary(primitive, sum, s).ok()
}
