//! Values that an argument would take, in place of one that it does not.

use crate::graph::text::number;
use crate::language::ast::{Expression, ExpressionKind, Number, UnaryOperator};
use crate::language::print;
use crate::nn::arguments::check_bounds;
use crate::nn::fault::Detail;
use crate::nn::{Fault, Kind, Parameter};

/// How a constant of Rust is written whose name is one capital letter, which alone is the name of a matrix.
pub(super) fn of_rust(name: &str) -> Option<String> {
    let is_one_capital = name.len() == 1 && name.starts_with(|c: char| c.is_ascii_uppercase());
    is_one_capital.then(|| format!("`{{{name}}}` for a constant of a Rust program"))
}

/// Something that the parameter takes.
pub(super) fn example(parameter: &Parameter) -> String {
    if let Some(default) = parameter.default.filter(|text| !text.is_empty()) {
        return default.to_owned();
    }
    match parameter.kind {
        Kind::Size { .. } if parameter.name == "width" => "64".to_owned(),
        Kind::Size { least } => least.max(1).to_string(),
        Kind::Sizes => "3".to_owned(),
        Kind::Padding => "same".to_owned(),
        Kind::Integer => "-1".to_owned(),
        Kind::Number { high, .. } => {
            let fits = |value: &&f64| check_bounds("", "", parameter.kind, **value).is_ok();
            // A share or a rate.
            let usual = if high.is_finite() { [0.5, 1e-3, 1.0, 2.0] } else { [1e-3, 0.5, 1.0, 2.0] };
            number(*usual.iter().find(fits).unwrap_or(&1.0))
        }
        Kind::Flag => "true".to_owned(),
        Kind::Choice(words) => words.first().copied().unwrap_or_default().to_owned(),
        Kind::Tensor | Kind::Tensors => "x".to_owned(),
        Kind::Initializer => "he".to_owned(),
        Kind::Penalty => "l2(1e-4)".to_owned(),
        Kind::Numbers => "[1]".to_owned(),
        Kind::Text => "\"*\"".to_owned(),
    }
}

/// What was perhaps meant by a value that does not fit: the number without its sign, its half behind the point, the word in quotes.
pub(super) fn corrected(parameter: &Parameter, written: &Expression, fault: &Fault) -> Option<String> {
    if let Detail::Meant(value) = fault.detail() {
        return Some(value.clone());
    }
    match (parameter.kind, &written.kind) {
        // `valid` of other frameworks.
        (Kind::Padding, ExpressionKind::Name(name)) if name.text == "valid" => Some("0".to_owned()),
        (Kind::Sizes, ExpressionKind::Array(values)) if *fault.detail() == Detail::Sides => values.first().map(print::expression),
        (Kind::Text, ExpressionKind::Name(name)) => Some(format!("\"{}.*\"", name.text)),
        (Kind::Flag, _) => literal(written).map(|value| (value != 0.0).to_string()),
        (Kind::Size { least }, _) if *fault.detail() != Detail::Parts => {
            let value = literal(written)?.abs().floor().max(least as f64);
            (value < 1e6).then(|| number(value))
        }
        (Kind::Size { .. }, _) => Some("1".to_owned()),
        _ => None,
    }
}

pub(super) fn literal(written: &Expression) -> Option<f64> {
    match &written.kind {
        ExpressionKind::Number(Number::Literal { value, .. }) => Some(*value),
        ExpressionKind::Unary { operator: UnaryOperator::Negate, operand } => literal(operand).map(|value| -value),
        _ => None,
    }
}
