//! Identities of arithmetic, comparison and selection that hold to the bit, and a few that hold but for the sign of a zero.
//!
//! Not here, because they are wrong for some value: `x * 0 -> 0` (NaN, infinity), `x - x -> 0` (infinity), `x / x -> 1` (zero),
//! `not(a < b) -> b <= a` (NaN), swapping the operands of `max` (NaN, signed zeros).

use super::Exactness::{Approximates, BitExact, Reassociates};
use super::{Condition, Rule, rule};
use crate::graph::Graph;
use crate::rules::Bindings;

const BUT_FOR_ZERO: super::Exactness = Approximates { ulp: 0 };

pub(super) const RULES: &[Rule] = &[
    rule("mul-one", "mul(x, 1)", "x", BitExact, "A factor of one changes nothing."),
    rule("div-one", "div(x, 1)", "x", BitExact, "A divisor of one changes nothing."),
    rule("sub-zero", "sub(x, 0)", "x", BitExact, "-0 - 0 is -0, so this holds for both zeros."),
    rule("add-minus-zero", "add(x, -0)", "x", BitExact, "-0 is the neutral element of addition."),
    rule("add-zero", "add(x, 0)", "x", BUT_FOR_ZERO, "-0 + 0 is +0; no other value changes."),
    rule("mul-minus-one", "mul(x, -1)", "neg(x)", BitExact, "A flipped sign bit is cheaper than a product."),
    rule("div-minus-one", "div(x, -1)", "neg(x)", BitExact, "A flipped sign bit is cheaper than a division."),
    rule("minus-zero-minus", "sub(-0, x)", "neg(x)", BitExact, "-0 - x is -x for both zeros."),
    rule("zero-minus", "sub(0, x)", "neg(x)", BUT_FOR_ZERO, "0 - 0 is +0, where -0 is asked for; no other value changes."),
    rule("neg-neg", "neg(neg(x))", "x", BitExact, "Two flips of the sign bit."),
    rule("add-neg", "add(x, neg(y))", "sub(x, y)", BitExact, "What subtraction means."),
    rule("sub-neg", "sub(x, neg(y))", "add(x, y)", BitExact, "What subtraction means."),
    rule("neg-sub", "neg(sub(x, y))", "sub(y, x)", BUT_FOR_ZERO, "Rounding is symmetric; only x = y gives another zero.")
        .private(),
    rule("mul-neg-neg", "mul(neg(x), neg(y))", "mul(x, y)", BitExact, "The signs cancel."),
    rule("div-neg-neg", "div(neg(x), neg(y))", "div(x, y)", BitExact, "The signs cancel."),
    rule("mul-neg", "mul(neg(x), y)", "neg(mul(x, y))", BitExact, "Signs move outwards, where they meet sums and each other."),
    rule("div-neg", "div(neg(x), y)", "neg(div(x, y))", BitExact, "Signs move outwards."),
    rule("div-by-neg", "div(x, neg(y))", "neg(div(x, y))", BitExact, "Signs move outwards."),
    rule("mul-repeated-neg", "mul(x, broadcast{a}(neg(y)))", "neg(mul(x, broadcast{a}(y)))", BitExact, "Signs move outwards."),
    rule("div-by-repeated-neg", "div(x, broadcast{a}(neg(y)))", "neg(div(x, broadcast{a}(y)))", BitExact, "Signs move outwards."),
    rule("minus-one-over", "div(-1, x)", "neg(div(1, x))", BitExact, "Signs move outwards."),
    rule("abs-neg", "abs(neg(x))", "abs(x)", BitExact, "The sign is dropped anyway."),
    rule("abs-abs", "abs(abs(x))", "abs(x)", BitExact, "The sign is dropped already."),
    rule("add-same", "add(x, x)", "mul(x, 2)", BitExact, "Doubling is exact, and a factor can be merged with others."),
    rule("max-same", "max(x, x)", "x", BitExact, "Either operand is the result."),
    rule("min-same", "min(x, x)", "x", BitExact, "Either operand is the result."),
    rule("max-twice", "max(y, max(y, x))", "max(y, x)", BitExact, "A bound holds already: relu of relu."),
    rule("min-twice", "min(y, min(y, x))", "min(y, x)", BitExact, "A bound holds already."),
    rule("lt-neg-left", "lt(neg(x), x)", "lt(0, x)", BitExact, "-x < x says that x is positive."),
    rule("lt-neg-right", "lt(x, neg(x))", "lt(x, 0)", BitExact, "x < -x says that x is negative."),
    rule("not-not", "not(not(c))", "c", BitExact, "Two negations."),
    rule("not-eq", "not(eq(x, y))", "ne(x, y)", BitExact, "True for NaN on both sides."),
    rule("not-ne", "not(ne(x, y))", "eq(x, y)", BitExact, "False for NaN on both sides."),
    rule("and-same", "and(c, c)", "c", BitExact, "Said twice."),
    rule("or-same", "or(c, c)", "c", BitExact, "Said twice."),
    rule("select-one-zero", "select(c, 1, 0)", "cast(c)", BitExact, "What the conversion of a bool means."),
    rule("select-same", "select(c, x, x)", "x", BitExact, "Either way the same."),
    rule("select-not", "select(not(c), x, y)", "select(c, y, x)", BitExact, "The branches change places."),
    rule("select-then", "select(c, select(c, x, y), z)", "select(c, x, z)", BitExact, "The inner condition is known."),
    rule("select-else", "select(c, x, select(c, y, z))", "select(c, x, z)", BitExact, "The inner condition is known."),
    rule(
        "add-select",
        "add(select(c, x, y), select(c, z, w))",
        "select(c, add(x, z), add(y, w))",
        BitExact,
        "Two selections by one condition become one; a zero in a branch disappears.",
    )
    .when(ZERO_IN_A_BRANCH),
    rule(
        "sub-select",
        "sub(select(c, x, y), select(c, z, w))",
        "select(c, sub(x, z), sub(y, w))",
        BitExact,
        "Two selections by one condition become one; a zero in a branch disappears.",
    )
    .when(ZERO_IN_A_BRANCH),
    rule("pow-one", "pow(x, 1)", "x", BitExact, "The first power."),
    rule("pow-zero", "pow(x, 0)", "1", BitExact, "The empty product, for NaN too."),
    rule("pow-two", "pow(x, 2)", "mul(x, x)", Approximates { ulp: 1 }, "One product instead of a logarithm and an exponential."),
    rule("pow-three", "pow(x, 3)", "mul(mul(x, x), x)", Approximates { ulp: 2 }, "Two products instead of a logarithm."),
    rule("pow-half", "pow(x, 0.5)", "sqrt(x)", Approximates { ulp: 1 }, "Correctly rounded; differs at -0 and -infinity only."),
    rule("pow-minus-one", "pow(x, -1)", "div(1, x)", Approximates { ulp: 1 }, "Correctly rounded."),
    rule("pow-minus-half", "pow(x, -0.5)", "div(1, sqrt(x))", Approximates { ulp: 2 }, "Differs at -0 and -infinity only."),
    rule("add-factor", "add(mul(g, x), mul(g, y))", "mul(g, add(x, y))", Reassociates, "One product instead of two.").private(),
    rule("sub-factor", "sub(mul(g, x), mul(g, y))", "mul(g, sub(x, y))", Reassociates, "One product instead of two.").private(),
    rule("add-divisor", "add(div(x, g), div(y, g))", "div(add(x, y), g)", Reassociates, "One division instead of two.").private(),
    rule("sub-divisor", "sub(div(x, g), div(y, g))", "div(sub(x, y), g)", Reassociates, "One division instead of two.").private(),
];

const ZERO_IN_A_BRANCH: Condition = Condition::Check { doc: "a branch is zero", holds: zero_in_a_branch };

fn zero_in_a_branch(graph: &Graph, bindings: &Bindings) -> bool {
    let zero = |name| bindings.node(name).and_then(|node| graph.constant(node)) == Some(0.0);
    zero("x") || zero("y") || zero("z") || zero("w")
}
