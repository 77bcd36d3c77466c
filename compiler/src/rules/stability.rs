//! Formulas that overflow, cancel or lose their tails, and the steady ones that mean the same; they also shorten what autodiff makes.
//!
//! They run on the forward graph, so their derivatives must be right where `max`, `min` or `abs` have kinks: the steady forms of
//! softplus and of log sigmoid are written with `min(x, -x)` in place of `-|x|`. With ties going to the first operand, the parts'
//! one-sided derivatives at 0 add up to the true one: `max(0, x) + log1p(exp(min(x, -x)))` has 0 + 1/2 there.
//!
//! All are for f32: step scalars (f64) have no log1p, expm1 or sigmoid.

use super::Exactness::Approximates;
use super::{Condition, Rule, rule};

const TWO: super::Exactness = Approximates { ulp: 2 };

/// Forms that the steady softplus itself consists of.
const STEADY: Condition = Condition::Unless("x", &["min(z, neg(z))", "min(neg(z), z)", "neg(abs(z))"]);

/// An exponent that was shifted already.
const SHIFTED: Condition = Condition::Unless("x", &["sub(z, broadcast{b}(m))"]);

pub(super) const RULES: &[Rule] = &[
    rule("sigmoid-formula", "div(1, add(1, exp(neg(x))))", "sigmoid(x)", TWO, "One primitive, right in both tails.").single(),
    rule("sigmoid-mirrored", "div(1, add(1, exp(x)))", "sigmoid(neg(x))", TWO, "One primitive, right in both tails.").single(),
    rule("sigmoid-quotient", "div(exp(x), add(1, exp(x)))", "sigmoid(x)", TWO, "Does not overflow to NaN.").single(),
    rule("sigmoid-scaled", "div(g, add(1, exp(neg(x))))", "mul(g, sigmoid(x))", Approximates { ulp: 3 }, "Shares the sigmoid: silu, gradients.")
        .single(),
    rule("sigmoid-scaled-mirrored", "div(g, add(1, exp(x)))", "mul(g, sigmoid(neg(x)))", Approximates { ulp: 3 }, "Shares the sigmoid.")
        .single(),
    rule("tanh-formula", "div(sub(exp(x), exp(neg(x))), add(exp(x), exp(neg(x))))", "tanh(x)", TWO, "Does not overflow to NaN.")
        .single(),
    rule(
        "softplus",
        "log(add(1, exp(x)))",
        "add(max(0, x), log1p(exp(min(x, neg(x)))))",
        Approximates { ulp: 4 },
        "Does not overflow, and keeps the lower tail.",
    )
    .when(STEADY)
    .single(),
    rule(
        "softplus-log1p",
        "log1p(exp(x))",
        "add(max(0, x), log1p(exp(min(x, neg(x)))))",
        Approximates { ulp: 4 },
        "Does not overflow.",
    )
    .when(STEADY)
    .single(),
    rule(
        "log-sigmoid",
        "log(sigmoid(x))",
        "sub(min(x, 0), log1p(exp(min(x, neg(x)))))",
        Approximates { ulp: 4 },
        "Does not underflow to log 0.",
    )
    .single(),
    rule(
        "log-one-minus-sigmoid",
        "log(sub(1, sigmoid(x)))",
        "neg(add(max(0, x), log1p(exp(min(x, neg(x))))))",
        Approximates { ulp: 4 },
        "Does not cancel to log 0.",
    )
    .single(),
    rule(
        "binary-cross-entropy",
        "sub(mul(y, sub(min(z, 0), log1p(exp(min(z, neg(z)))))), mul(sub(1, y), add(max(0, z), log1p(exp(min(z, neg(z)))))))",
        "sub(mul(z, y), add(max(0, z), log1p(exp(min(z, neg(z))))))",
        Approximates { ulp: 8 },
        "y log s(z) + (1 - y) log(1 - s(z)) on logits: one logarithm.",
    )
    .single(),
    rule(
        "binary-cross-entropy-negated",
        "sub(mul(sub(1, y), add(max(0, z), log1p(exp(min(z, neg(z)))))), mul(y, sub(min(z, 0), log1p(exp(min(z, neg(z)))))))",
        "sub(add(max(0, z), log1p(exp(min(z, neg(z))))), mul(z, y))",
        Approximates { ulp: 8 },
        "-(1 - y) log(1 - s(z)) - y log s(z) on logits: one logarithm.",
    )
    .single(),
    rule("log-exp", "log(exp(x))", "x", TWO, "Does not overflow.").single(),
    rule(
        "softmax-shifted",
        "div(exp(x), broadcast{~a}(sum{a}(exp(x))))",
        "div(exp(sub(x, broadcast{~a}(stop_gradient(reduce_max{a}(x))))), broadcast{~a}(sum{a}(exp(sub(x, broadcast{~a}(stop_gradient(reduce_max{a}(x))))))))",
        Approximates { ulp: 8 },
        "Does not overflow.",
    )
    .when(SHIFTED)
    .single(),
    rule(
        "log-sum-exp",
        "log(sum{a}(exp(x)))",
        "add(stop_gradient(reduce_max{a}(x)), log(sum{a}(exp(sub(x, broadcast{~a}(stop_gradient(reduce_max{a}(x))))))))",
        Approximates { ulp: 8 },
        "Does not overflow.",
    )
    .when(SHIFTED)
    .single(),
    rule(
        "log-softmax",
        "log(div(exp(d), broadcast{b}(s)))",
        "sub(d, broadcast{b}(log(s)))",
        Approximates { ulp: 4 },
        "The logarithm of a small share is not the logarithm of an underflow.",
    )
    .single(),
    rule("log1p", "log(add(x, 1))", "log1p(x)", TWO, "Keeps small x.").single(),
    rule("log1p-minus", "log(sub(1, x))", "log1p(neg(x))", TWO, "Keeps small x.").single(),
    rule("expm1", "sub(exp(x), 1)", "expm1(x)", TWO, "Keeps small x.").single(),
    rule("expm1-add", "add(exp(x), -1)", "expm1(x)", TWO, "Keeps small x.").single(),
];
