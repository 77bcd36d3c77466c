//! The catalogue's page: layers, activations, losses, metrics, operations, initialisers, penalties, clips, optimizers and lints.

use super::{cell, sentence};
use crate::language::elaborate::LINTS;
use crate::nn::{
    Family, Function, Kind, Parameter, Receiver, arguments, clips, functions, groups, initializers, optimizers, penalties,
    schedules,
};
use std::fmt::Write;

/// Something that a user can name, as the page shows it.
struct Named {
    section: &'static str,
    name: &'static str,
    /// What stands before the name in a call: `x.`, or nothing.
    before: &'static str,
    doc: &'static str,
    source: &'static str,
    /// Formulas, each with the words that ask for it (none: there is one).
    formulas: Vec<(&'static [&'static str], &'static str)>,
    parameters: &'static [Parameter],
    /// What else there is to say.
    remark: String,
}

/// Sections in the order of the page, and what they say at their beginning.
const SECTIONS: &[(&str, &str)] = &[
    ("Layers", "Functions that hold parameters or states, or differ between training and evaluation."),
    (
        "Activations",
        "Element by element, or along one axis. The default initialiser of a weight follows from the activation behind it.",
    ),
    ("Losses", "Numbers to minimise. Every loss may be reported as well."),
    ("Metrics", "Numbers to read: `report name = accuracy(logits, y);`."),
    (
        "Operations",
        "Formulas are written with these, `+ - * /`, comparisons and `f(x)`. `f(x, a)` and `x.f(a)` are the same call.",
    ),
    (
        "Rate schedules",
        "Numbers that hang on the step, for a rate and whatever else an optimizer takes: `adam(rate = cosine(1e-3, to = 1e-5))`, \
         `sgd(0.1 * warm_up(500))`. `t` is the step, counted from 1. A formula of one's own may use `step`, `epoch` (both from 1) and \
         `steps`, those of the whole run: `sgd(0.1 / epoch)`. They count from the model's first step: a second `fit` goes on where the first \
         stood, to an end that lies behind both, and `reset` begins anew. A loop of `step` has no end: tell its schedule the `steps`. A number \
         is constant as it stands, and so is `constant(1e-3)`. What waits for the validation loss is told to \
         the run: `--plateau 0.5,3`, in a program `.plateau(0.5, 3)`.",
    ),
    (
        "Initialisers",
        "First values of a parameter: `dense(64, init = he_uniform)`. `fan_in` counts what one output sums over, `fan_out` what one input spreads to.",
    ),
    (
        "Penalties",
        "Terms of what is minimised that keep weights small, in training only: `minimize loss + l2(1e-4);`. Weights are those of layers \
         and every `parameter` of one's own, whatever its shape; biases, norms' scales and prelu's slopes are none. A layer's `penalty` \
         and a group's, as `.group(\"gain\", penalty = none)`, stand in place of these.",
    ),
    (
        "Clips",
        "Limits on gradients, penalties included, before the optimizer, in the order written: `using adam(1e-3).clip_norm(1);`.",
    ),
    (
        "Optimizers",
        "`theta` is the parameter, `g` its gradient, `rate` the first argument, `t` the step counted from 1. `semantics = torch` (or `keras`, `optax`) is the formula of that framework, and what is not given has its default there.",
    ),
    ("Groups", "Parameters that the optimizer treats differently, by their names."),
];

/// The page.
pub fn catalogue() -> String {
    let mut text = String::from(
        "# The catalogue\n\n\
         *This page is written from the records in `compiler/src/nn`.*\n\n\
         Everything here can be named in `network!`, in a `.net` file and in the builder, with the same arguments. The first\n\
         argument is `x` of `x.f(…)`. An argument may be given by its place or by its name. Where a number is asked for, a setting or a\n\
         formula of settings, `step`, `epoch` and `steps` may stand as well; where a size is asked for, it may not. `gradc explain NAME` prints one entry.\n",
    );
    let all = named();
    for (section, about) in SECTIONS {
        let _ = write!(text, "\n## {section}\n\n{about}\n");
        for one in all.iter().filter(|one| one.section == *section) {
            text.push('\n');
            text.push_str(&one.text());
        }
    }
    text.push_str(&lints());
    text
}

/// The table of lints with their reasons.
fn lints() -> String {
    let rows = LINTS.iter().map(|(lint, reason)| format!("| `{lint}` | {} |\n", cell(reason)));
    let about = "What is legal and yet hardly meant is a warning. `allow(name);` silences it, `gradc explain NAME` shows a wrong and a right network.";
    format!("\n## Lints\n\n{about}\n\n| lint | reason |\n|---|---|\n{}", rows.collect::<String>())
}

/// The entries of this name.
pub fn entry(name: &str) -> Option<String> {
    let found: Vec<String> = named().iter().filter(|one| one.name == name).map(Named::text).collect();
    (!found.is_empty()).then(|| found.join("\n"))
}

/// Every name of the catalogue.
pub fn names() -> impl Iterator<Item = &'static str> {
    named().into_iter().map(|one| one.name)
}

fn named() -> Vec<Named> {
    let other = |section, name, doc, source, formula, parameters| Named {
        section,
        name,
        before: "",
        doc,
        source,
        formulas: vec![(&[], formula)],
        parameters,
        remark: String::new(),
    };
    let mut all: Vec<Named> = functions().map(of_function).collect();
    all.extend(initializers::LIST.iter().map(|one| other("Initialisers", one.name, one.doc, "", one.formula, one.parameters)));
    all.extend(penalties::LIST.iter().map(|one| other("Penalties", one.name, one.doc, one.source, one.formula, one.parameters)));
    all.extend(clips::LIST.iter().map(|one| other("Clips", one.name, one.doc, one.source, one.formula, one.parameters)));
    all.extend(optimizers::LIST.iter().map(|one| Named {
        formulas: one.forms.iter().map(|form| (form.of, form.formula)).collect(),
        ..other("Optimizers", one.name, one.doc, one.source, "", one.parameters)
    }));
    let about = "what the optimizer does differently with the parameters of a pattern; the last group that matches counts";
    all.push(other("Groups", groups::NAME, about, "", "", groups::PARAMETERS));
    all
}

fn of_function(function: &'static Function) -> Named {
    let section = match function.family {
        Family::Layer => "Layers",
        Family::Activation => "Activations",
        Family::Loss => "Losses",
        Family::Metric => "Metrics",
        Family::Operation if schedules::LIST.iter().any(|one| one.name == function.name) => "Rate schedules",
        Family::Operation => "Operations",
    };
    let mut remarks = Vec::new();
    match function.receiver {
        Receiver::Real => {}
        Receiver::Index => remarks.push("It is called on class indices.".to_string()),
        Receiver::Any => remarks.push("It is called on values of any element.".to_string()),
    }
    if let Some(wants) = function.wants {
        let call = wants(&crate::nn::Call::new(function.name));
        remarks.push(format!("The layer before it is initialised by `{}` unless told.", call.name));
    }
    if function.family == Family::Metric {
        remarks.push(format!("{} is better.", if function.higher_is_better { "More" } else { "Less" }));
    }
    Named {
        section,
        name: function.name,
        before: "x.",
        doc: function.doc,
        source: function.source,
        formulas: vec![(&[], function.formula)],
        parameters: function.parameters,
        remark: remarks.join(" "),
    }
}

impl Named {
    fn text(&self) -> String {
        let mut text = format!("### {}\n\n```text\n{}\n```\n\n{}", self.name, self.signature(), sentence(self.doc));
        if !self.source.is_empty() {
            let _ = write!(text, " Source: {}", sentence(self.source));
        }
        if !self.remark.is_empty() {
            let _ = write!(text, " {}", self.remark);
        }
        text.push('\n');
        match self.formulas.as_slice() {
            [(_, "")] => {}
            [(_, formula)] => {
                let _ = write!(text, "\nFormula: `{formula}`\n");
            }
            several => {
                text.push_str("\n| semantics | formula |\n|---|---|\n");
                for (words, formula) in several {
                    let _ = writeln!(text, "| {} | `{}` |", quoted(words, ", "), cell(formula));
                }
            }
        }
        if !self.parameters.is_empty() {
            text.push_str("\n| argument | is | default | |\n|---|---|---|---|\n");
            for parameter in self.parameters {
                let default = match parameter.default {
                    None => "must be given".to_string(),
                    Some("") => "may be left out".to_string(),
                    Some(text) => format!("`{text}`"),
                };
                let elsewhere: String = parameter.elsewhere.iter().map(|(word, text)| format!("; {word}: `{text}`")).collect();
                let _ = writeln!(
                    text,
                    "| `{}` | {} | {default}{elsewhere} | {} |",
                    parameter.name,
                    cell(&kind(parameter.kind)),
                    cell(parameter.doc)
                );
            }
        }
        text
    }

    /// The call as it is written: `x.dense(width, init, bias, …)`.
    fn signature(&self) -> String {
        let arguments: Vec<String> = self
            .parameters
            .iter()
            .map(|parameter| match parameter.default {
                None => parameter.name.to_string(),
                Some("") => format!("{} = …", parameter.name),
                Some(text) => format!("{} = {text}", parameter.name),
            })
            .collect();
        let brackets =
            if arguments.is_empty() && self.before.is_empty() { String::new() } else { format!("({})", arguments.join(", ")) };
        format!("{}{}{brackets}", self.before, self.name)
    }
}

fn quoted(words: &[&str], between: &str) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(between)
}

/// What an argument of this kind must be.
fn kind(kind: Kind) -> String {
    match kind {
        Kind::Size { least } => format!("a whole number of at least {least}"),
        Kind::Integer => "a whole number".into(),
        Kind::Sizes => "a size or sizes, `[2, 3]`".into(),
        Kind::Padding => "sizes of at least 0, or `same`".into(),
        Kind::Number { .. } => match arguments::range(kind).as_str() {
            "finite" => "a number".into(),
            range if range.starts_with("at ") => format!("a number of {range}"),
            range => format!("a number {range}"),
        },
        Kind::Flag => "`true` or `false`".into(),
        Kind::Choice(words) => quoted(words, " or "),
        Kind::Tensor => "a value of the network".into(),
        Kind::Tensors => "one value or several".into(),
        Kind::Initializer => "an initialiser".into(),
        Kind::Penalty => "a penalty, or `none`".into(),
        Kind::Numbers => "numbers in brackets".into(),
        Kind::Text => "a text in quotes".into(),
    }
}
