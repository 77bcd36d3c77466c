//! Arguments: from what was written to what a function of the catalogue takes.

use super::examples::{example, of_rust};
use super::fixes::Change;
use super::value::Value;
use super::{Elaborator, WRONG_VALUE};
use crate::base::diagnostics::Diagnostic;
use crate::base::names::nearest;
use crate::base::place::Span;
use crate::language::ast::{self, Expression, ExpressionKind, StatementKind};
use crate::language::print;
use crate::nn::fault::NAME_UNKNOWN;
use crate::nn::{self, Argument, Kind, Parameter, initializers, penalties};

/// The parameter that each written argument goes to: by name, or by place.
///
/// `skipped` arguments at the beginning are the value on which the function is called.
pub(in crate::language) fn matched<'a, 'p>(
    arguments: &'a [ast::Argument],
    parameters: &'p [Parameter],
    skipped: usize,
) -> Vec<(&'a ast::Argument, Option<&'p Parameter>)> {
    let mut place = 0;
    let after = arguments.iter().skip(skipped);
    let pairs = after.map(|argument| match &argument.name {
        Some(name) => (argument, parameters.iter().find(|parameter| parameter.name == name.text)),
        None => {
            let parameter = parameters.get(place);
            // Values in a row go to one parameter that takes several.
            if parameter.is_none_or(|parameter| parameter.kind != Kind::Tensors) {
                place += 1;
            }
            (argument, parameter)
        }
    });
    pairs.collect()
}

impl<'a> Elaborator<'a> {
    /// The call as the catalogue takes it; nothing if an argument is not known.
    pub(super) fn arguments(&mut self, call: &'a ast::Call, parameters: &[Parameter], skipped: usize) -> Option<nn::Call> {
        let mut result = nn::Call::new(call.name.text.clone());
        let mut is_known = true;
        for (written, parameter) in matched(&call.arguments, parameters, skipped) {
            let name = written.name.as_ref().map_or("", |name| name.text.as_str());
            match self.argument(&written.value, parameter) {
                Some(argument) => result.arguments.push((name.to_owned(), argument)),
                None => is_known = false,
            }
        }
        is_known.then_some(result)
    }

    /// One argument for a parameter; without one it is taken as it stands, since a mistake follows anyway.
    pub(super) fn argument(&mut self, written: &'a Expression, parameter: Option<&Parameter>) -> Option<Argument> {
        let Some(parameter) = parameter else {
            return Some(Argument::Word(print::expression(written)));
        };
        let strange = match &written.kind {
            ExpressionKind::Name(name) if self.is_nothing(&name.text) => Some(name),
            _ => None,
        };
        match (parameter.kind, strange) {
            (Kind::Flag, Some(name)) => return Some(Argument::Word(name.text.clone())),
            (Kind::Number { .. } | Kind::Size { .. }, Some(name)) if nearest(&name.text, self.visible()).is_none() => {
                let message = format!("nothing is called `{}` here", name.text);
                let mistake = Diagnostic::error(NAME_UNKNOWN, name.span, message).write(example(parameter));
                self.report(match of_rust(&name.text) {
                    Some(braces) => mistake.help(format!("write `{}`, or {braces}", example(parameter))),
                    None => mistake,
                });
                return None;
            }
            _ => {}
        }
        match parameter.kind {
            Kind::Choice(_) => self.word(written),
            Kind::Padding if matches!(&written.kind, ExpressionKind::Name(name) if self.find(&name.text).is_none()) => {
                self.word(written)
            }
            Kind::Initializer | Kind::Penalty => self.inner(written, parameter),
            Kind::Tensor | Kind::Tensors => {
                let value = self.expression(written);
                match value {
                    // Elements of the one kind of number that meets every other.
                    Value::Number(_) | Value::Later => self.scalar_or_tensor(&value).map(Argument::Tensor),
                    other => self.converted(other, written, parameter),
                }
            }
            Kind::Number { .. } => {
                let value = self.expression(written);
                match value {
                    // `constant(1e-3)` is an initialiser, and the schedule that is a number.
                    Value::Call(call) if call.name == "constant" => Some(
                        call.arguments.into_iter().next().map_or(Argument::Call(nn::Call::new("constant")), |(_, value)| value),
                    ),
                    Value::Later => self.scalar_or_tensor(&value).map(Argument::Tensor),
                    other => self.converted(other, written, parameter),
                }
            }
            Kind::Size { .. } | Kind::Integer | Kind::Sizes | Kind::Padding | Kind::Flag | Kind::Numbers | Kind::Text => {
                let value = self.expression(written);
                self.converted(value, written, parameter)
            }
        }
    }

    fn word(&mut self, written: &'a Expression) -> Option<Argument> {
        match &written.kind {
            ExpressionKind::Name(name) => match self.find(&name.text).map(|binding| binding.value.clone()) {
                // A parameter of a function that stands for a word.
                Some(Value::Word(word)) => Some(Argument::Word(word)),
                _ => Some(Argument::Word(name.text.clone())),
            },
            ExpressionKind::Text(text) => Some(Argument::Word(text.clone())),
            ExpressionKind::Boolean(flag) => Some(Argument::Flag(*flag)),
            ExpressionKind::Invalid => None,
            _ => Some(Argument::Word(print::expression(written))),
        }
    }

    /// An initialiser or a penalty: a word, or a call with arguments of its own.
    fn inner(&mut self, written: &'a Expression, parameter: &Parameter) -> Option<Argument> {
        match &written.kind {
            ExpressionKind::Name(name) => match self.find(&name.text).map(|binding| binding.value.clone()) {
                Some(value @ (Value::Word(_) | Value::Call(_) | Value::Unknown)) => self.converted(value, written, parameter),
                _ => Some(Argument::Word(name.text.clone())),
            },
            ExpressionKind::Call(call) => self.inner_call(call).map(Argument::Call),
            _ => {
                let value = self.expression(written);
                self.converted(value, written, parameter)
            }
        }
    }

    /// `normal(0, 0.02)`, `l2(1e-4)`; one that nobody knows is left to the check of its name.
    pub(super) fn inner_call(&mut self, call: &'a ast::Call) -> Option<nn::Call> {
        let name = &call.name.text;
        let parameters = match (initializers::find(name), penalties::find(name)) {
            (Ok(initializer), _) => initializer.parameters,
            (_, Ok(penalty)) => penalty.parameters,
            _ => return Some(nn::Call::new(name.clone())),
        };
        self.arguments(call, parameters, 0)
    }

    /// The word `setting` that declares what an argument names.
    fn setting_word(&self, written: &Expression) -> Option<Span> {
        let ExpressionKind::Name(used) = &written.kind else { return None };
        self.written?.statements.iter().find_map(|statement| match &statement.kind {
            StatementKind::Setting { name, .. } if name.text == used.text => Some(statement.word),
            _ => None,
        })
    }

    fn converted(&mut self, value: Value<'a>, written: &'a Expression, parameter: &Parameter) -> Option<Argument> {
        match value {
            Value::Number(value) => Some(Argument::Number(value)),
            Value::Flag(flag) => Some(Argument::Flag(flag)),
            Value::Word(word) | Value::Text(word) => Some(Argument::Word(word)),
            Value::Call(call) => Some(Argument::Call(call)),
            Value::List(values) => {
                let list: Option<Vec<Argument>> =
                    values.into_iter().map(|value| self.converted(value, written, parameter)).collect();
                list.map(Argument::List)
            }
            Value::Tensor(node) => {
                let is_size = matches!(parameter.kind, Kind::Size { .. } | Kind::Integer | Kind::Sizes | Kind::Padding);
                if is_size {
                    let message = format!("`{}` is fixed when the network is built; this is known when it runs", parameter.name);
                    let mistake = Diagnostic::error(WRONG_VALUE, written.span, message);
                    let is_setting = self.network.settings.iter().any(|setting| setting.node == node && setting.declared);
                    let change = match self.setting_word(written).filter(|_| is_setting) {
                        Some(word) => Change::new("declare it with `const` instead of `setting`", word, "const"),
                        None => Change::write(written.span, example(parameter)),
                    };
                    self.report_with(mistake, Some(change));
                    return None;
                }
                Some(Argument::Tensor(node))
            }
            Value::Layer(layer) => {
                let message = format!("`{}` is a layer, not a value; `{}` must be {}", layer.name, parameter.name, parameter.doc);
                let mistake = Diagnostic::error(WRONG_VALUE, written.span, message);
                self.report(match (parameter.kind, self.any_value()) {
                    (Kind::Tensor | Kind::Tensors, Some(value)) => mistake.write(value),
                    _ => mistake.write(example(parameter)),
                });
                None
            }
            Value::Batch => {
                let message = format!("`{}` is fixed when the network is built; the batch is known when it runs", parameter.name);
                self.report(Diagnostic::error(WRONG_VALUE, written.span, message).write(without_batch(written, parameter)));
                None
            }
            Value::Later | Value::Unknown => {
                self.is_partial = true;
                None
            }
        }
    }
}

/// The sizes without the batch, which stays in front by itself.
fn without_batch(written: &Expression, parameter: &Parameter) -> String {
    let ExpressionKind::Array(values) = &written.kind else { return example(parameter) };
    let is_batch = |value: &Expression| matches!(&value.kind, ExpressionKind::Name(name) if name.text == "batch");
    let sizes: Vec<String> = values.iter().filter(|value| !is_batch(value)).map(print::expression).collect();
    if sizes.is_empty() { example(parameter) } else { format!("[{}]", sizes.join(", ")) }
}
