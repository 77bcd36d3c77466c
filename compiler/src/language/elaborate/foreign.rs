//! What other languages have a word for, and how this one says it.

use super::Elaborator;
use super::argument_fixes::argument_away;
use super::examples::literal;
use super::fixes::{Change, operand};
use crate::base::diagnostics::Diagnostic;
use crate::base::names::nearest;
use crate::base::place::Span;
use crate::graph::text::number;
use crate::language::ast::{Argument, Call, Expression, ExpressionKind, Name};
use crate::language::print;
use crate::nn::fault::NAME_UNKNOWN;
use crate::nn::{self, Family, Parameter, optimizers};

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

    /// What an argument that a call does not have says in other frameworks: an activation, which stands behind the layer.
    pub(super) fn meant_elsewhere(&self, call: &Call, argument: &Argument) -> Option<Change> {
        let mut fixed = call.clone();
        let place = call.arguments.iter().position(|other| other.span == argument.span)?;
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

/// What an argument that an optimizer does not have says in other frameworks: that it is to be another optimizer
/// (`sgd(lr = 0.1, momentum = 0.9, nesterov = True)`), two numbers at once (`betas`), or a penalty. As such an argument may change the name
/// in front of all, the whole call is written as it stands here.
pub(super) fn optimizer_elsewhere(call: &Call, argument: &Argument) -> Option<Change> {
    let optimizer = optimizers::find(&call.name.text).ok()?;
    let asked = argument.name.as_ref()?.text.as_str();
    let is_own = |name: &str| optimizer.parameters.iter().any(|parameter| parameter.name == name);
    if asked == "weight_decay" {
        return without_decay(call, argument);
    }
    if ["alpha", "rho", "decay"].contains(&asked) && is_own("beta") {
        return Some(Change::write(argument.name.as_ref()?.span, "beta"));
    }
    if asked != "betas" && optimizers::find(asked).is_err() {
        return None;
    }
    let mut fixed = Call { arguments: Vec::new(), ..call.clone() };
    let mut put = |name: &str, value: &Expression| {
        let name = (!name.is_empty()).then(|| Name { text: name.to_owned(), span: Span::UNKNOWN });
        fixed.arguments.push(Argument { name, value: value.clone(), span: Span::UNKNOWN });
    };
    let (mut other, mut is_told) = (call.name.text.as_str(), false);
    for given in &call.arguments {
        let name = given.name.as_ref().map_or("", |name| name.text.as_str());
        let names_another = !is_own(name) && optimizers::find(name).is_ok();
        match (&given.value.kind, flag(&given.value)) {
            (_, Some(true)) if names_another => (other, is_told) = (name, true),
            (_, Some(false)) if names_another => {}
            _ if names_another => {
                put("beta", &given.value);
                other = if is_told { other } else { name };
            }
            (ExpressionKind::Array(values), _) if name == "betas" => {
                ["beta1", "beta2"].into_iter().zip(values).for_each(|(name, value)| put(name, value));
            }
            _ => put(name, &given.value),
        }
    }
    other.clone_into(&mut fixed.name.text);
    let known = optimizers::find(other).ok()?.parameters;
    for name in fixed.arguments.iter_mut().filter_map(|given| given.name.as_mut()) {
        if let Some(own) = nearest(&name.text, known.iter().map(|parameter| parameter.name)).filter(|_| !has(known, &name.text)) {
            own.clone_into(&mut name.text);
        }
    }
    fixed.arguments.retain(|given| given.name.as_ref().is_none_or(|name| has(known, &name.text)));
    Some(Change::write(call.span, print::call(&fixed)))
}

/// A weight decay of an optimizer that has none: `adamw` is adam with it, and beside the others it is a penalty of half its size.
fn without_decay(call: &Call, argument: &Argument) -> Option<Change> {
    if call.name.text == "adam" {
        return Some(Change::write(call.name.span, "adamw"));
    }
    let taken = argument_away(call, argument)?;
    let half = literal(&argument.value).map_or_else(|| format!("{} / 2", operand(&argument.value)), |decay| number(decay / 2.0));
    Some(Change { help: format!("{}, and add `l2({half})` to what is minimised", taken.help), ..taken })
}

fn has(parameters: &[Parameter], name: &str) -> bool {
    parameters.iter().any(|parameter| parameter.name == name)
}

/// Yes or no, as Rust or as Python writes it.
fn flag(value: &Expression) -> Option<bool> {
    match &value.kind {
        ExpressionKind::Boolean(flag) => Some(*flag),
        ExpressionKind::Name(name) => ["False", "True"].iter().position(|word| *word == name.text).map(|place| place == 1),
        _ => None,
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
