//! Masks read from outputs: the backward pass of a clamp then needs its output only, and its input is free after the forward pass.
//!
//! They hold for every bound `C`: if `x` is above it, `max(C, x)` is `x`; if not, it is `C`, or an `x` that is not above `C` either.

use super::Exactness::BitExact;
use super::{Condition, Rule, rule};

pub(super) const RULES: &[Rule] = &[
    rule("relu-mask", "lt(C, x)", "lt(C, max(C, x))", BitExact, "The mask of relu from its output.")
        .when(Condition::Exists("max(C, x)")),
    rule("min-mask", "lt(x, C)", "lt(min(C, x), C)", BitExact, "The mask of an upper bound from its output.")
        .when(Condition::Exists("min(C, x)")),
];
