//! What other languages have a word for, and how this one says it.

use super::Elaborator;
use super::fixes::{Change, operand};
use crate::base::diagnostics::Diagnostic;
use crate::language::ast::{Argument, Call, Expression, ExpressionKind};
use crate::language::print;
use crate::nn::fault::NAME_UNKNOWN;
use crate::nn::{self, Family, optimizers};

/// Words that are looked for in a network, and where they stand.
const TOLD_TO_THE_RUN: &[(&str, &str)] = &[
    ("plateau", "train with `--plateau 0.5,3`; in a program write `.plateau(0.5, 3)` behind `fit`"),
    ("early_stopping", "train with `--patience 8`; in a program write `.patience(8)` behind `fit`"),
];

/// What is a formula here: words for it elsewhere, what it is, and how it is written of `x`.
const FORMULAS: &[(&[&str], &str, &str)] = &[
    (&["square"], "a square", "(x * x)"),
    (&["var", "variance"], "a variance", "mean((x - mean(x)) * (x - mean(x)))"),
    (&["std", "stddev"], "a standard deviation", "sqrt(mean((x - mean(x)) * (x - mean(x))))"),
    (&["norm", "l2_norm"], "a norm", "sqrt(sum(x * x))"),
    (&["logsumexp", "log_sum_exp"], "the logarithm of a sum of powers", "(max(x) + log(sum(exp(x - max(x)))))"),
    (
        &["global_average_pool", "global_avg_pool", "global_avg_pool2d", "adaptive_avg_pool2d", "global_average_pooling2d"],
        "the mean of each channel",
        "x.mean(axis = 3).mean(axis = 2)",
    ),
];

impl Elaborator<'_> {
    /// The mistake of a call that means something elsewhere, if it is known what.
    pub(super) fn foreign_call(&self, call: &Call, whole: &Expression) -> Option<Diagnostic> {
        let name = call.name.text.as_str();
        if let Some((_, how)) = TOLD_TO_THE_RUN.iter().find(|(word, _)| *word == name) {
            let message = format!("`{name}` is told to the run, not to the network");
            return Some(Diagnostic::error(NAME_UNKNOWN, call.name.span, message).help(*how));
        }
        let message = format!("no layer or function is called `{name}`");
        let mistake = Diagnostic::error(NAME_UNKNOWN, call.name.span, message);
        let (base, rest) = match &whole.kind {
            ExpressionKind::Method { receiver, .. } => (&**receiver, &call.arguments[..]),
            _ => call.arguments.split_first().map(|(first, rest)| (&first.value, rest))?,
        };
        let written = operand(base);
        if let Some((_, what, formula)) = FORMULAS.iter().find(|(words, ..)| words.contains(&name)) {
            let shown = formula.strip_prefix('(').and_then(|inner| inner.strip_suffix(')')).unwrap_or(formula);
            let mistake = mistake.help(format!("{what} is `{shown}`"));
            return Some(if rest.is_empty() { mistake.fix(whole.span, of(formula, &written)) } else { mistake });
        }
        match name {
            "pow" | "power" => {
                let mistake = mistake.help("a square is `x * x`, any power `exp(a * log(x))`");
                Some(mistake.fix(whole.span, power(&written, rest)?))
            }
            "argmax" => {
                let mistake = mistake.help("leave it out: what is predicted gives the likeliest classes as `.classes()`");
                Some(mistake.fix(whole.span, written))
            }
            _ => None,
        }
    }

    /// A name that nobody knows and none is near to: it can be defined, or left out.
    pub(super) fn left_out(&self, call: &Call, whole: &Expression) -> Option<Change> {
        let base = match &whole.kind {
            ExpressionKind::Method { receiver, .. } => &**receiver,
            _ => &call.arguments.first()?.value,
        };
        let help = format!("leave it out, or define it above the network: `fn {}(x) {{ … }}`", call.name.text);
        Some(Change::new(help, whole.span, operand(base)))
    }

    /// What an argument that a call does not have says in other frameworks: an activation, which stands behind the layer, or that
    /// `sgd` is to be another optimizer.
    pub(super) fn meant_elsewhere(&self, call: &Call, argument: &Argument) -> Option<Change> {
        let named = argument.name.as_ref().map(|name| name.text.as_str());
        let mut fixed = call.clone();
        let place = call.arguments.iter().position(|other| other.span == argument.span)?;
        if let (true, Some(other)) =
            (optimizers::find(&call.name.text).is_ok(), named.filter(|name| optimizers::find(name).is_ok()))
        {
            fixed.name.text = other.to_owned();
            fixed.arguments[place].name.as_mut()?.text = "beta".to_owned();
            return Some(Change::write(call.span, print::call(&fixed)));
        }
        let word = match &argument.value.kind {
            ExpressionKind::Name(name) => name.text.as_str(),
            ExpressionKind::Text(text) => text.as_str(),
            _ => return None,
        };
        let is_activation = nn::function(word).is_some_and(|known| known.family == Family::Activation);
        fixed.arguments.remove(place);
        is_activation.then(|| Change::write(call.span, format!("{}.{word}()", print::call(&fixed))))
    }
}

/// A formula of `x` with something in its place.
fn of(formula: &str, written: &str) -> String {
    let is_of_word = |letter: char| letter.is_ascii_alphanumeric();
    let put = |word: &str| match word.strip_prefix('x').filter(|rest| !rest.starts_with(is_of_word)) {
        Some(rest) => format!("{written}{rest}"),
        None => word.to_owned(),
    };
    formula.split_inclusive(|letter| !is_of_word(letter)).map(put).collect()
}

fn power(base: &str, rest: &[Argument]) -> Option<String> {
    let exponent = operand(&rest.first()?.value);
    Some(match exponent.as_str() {
        "2" => format!("({base} * {base})"),
        _ => format!("exp({exponent} * log({base}))"),
    })
}
