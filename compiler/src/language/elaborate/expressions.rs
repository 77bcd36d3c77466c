//! Expressions and arithmetic.

use super::value::Value;
use super::{ENDLESS, Elaborator, MAX_DEPTH, NO_NUMBER, RUST_NUMBER, WRONG_VALUE};
use crate::base::diagnostics::Diagnostic;
use crate::base::names::nearest;
use crate::base::place::Span;
use crate::graph::text::number as digits;
use crate::graph::{NodeId, Type};
use crate::language::ast::{BinaryOperator, Expression, ExpressionKind, Name, Number, UnaryOperator};
use crate::language::print;
use crate::nn::arguments::is_representable;
use crate::nn::fault::NAME_UNKNOWN;
use crate::nn::{self, Fault, penalties};
use crate::ops::Primitive;

impl<'a> Elaborator<'a> {
    /// The value of an expression; a mistake in it is reported and gives `Unknown`.
    pub(super) fn expression(&mut self, expression: &'a Expression) -> Value<'a> {
        if self.depth >= MAX_DEPTH {
            let message = format!("expressions and functions lie more than {MAX_DEPTH} deep within one another");
            self.error(ENDLESS, expression.span, message);
            return Value::Unknown;
        }
        self.depth += 1;
        let value = self.expression_within(expression);
        self.depth -= 1;
        value
    }

    fn expression_within(&mut self, expression: &'a Expression) -> Value<'a> {
        match &expression.kind {
            ExpressionKind::Number(number) => self.number(number, expression.span),
            ExpressionKind::Text(text) => Value::Text(text.clone()),
            ExpressionKind::Boolean(flag) => Value::Flag(*flag),
            ExpressionKind::Name(name) => self.name(name),
            ExpressionKind::Array(values) => Value::List(values.iter().map(|value| self.expression(value)).collect()),
            ExpressionKind::Call(call) => self.free_call(call, expression),
            ExpressionKind::Method { receiver, call } => {
                let value = self.expression(receiver);
                self.call(call, Some((value, receiver)), expression)
            }
            ExpressionKind::Field { .. } => self.field(expression),
            ExpressionKind::Unary { operator: UnaryOperator::Negate, operand } => self.negated(operand, expression),
            ExpressionKind::Binary { operator, operator_span, left, right } => {
                let (a, b) = (self.expression(left), self.expression(right));
                self.binary(*operator, *operator_span, (a, left), (b, right), expression)
            }
            ExpressionKind::Training { then, otherwise } => self.block(if self.options.training { then } else { otherwise }),
            ExpressionKind::Invalid => self.unknown(),
        }
    }

    fn number(&mut self, number: &Number, span: Span) -> Value<'a> {
        let (text, index) = match number {
            Number::Literal { value, .. } => return Value::Number(*value),
            Number::Rust { text, index } => (text, *index),
        };
        match self.options.rust.get(index) {
            Some(Some(value)) if is_representable(*value) => Value::Number(*value),
            Some(Some(value)) => {
                self.error(NO_NUMBER, span, format!("`{text}` is {}, {}", digits(*value), no_number(*value)));
                Value::Unknown
            }
            Some(None) => {
                self.is_partial = true;
                Value::Later
            }
            None => {
                let message = format!("`{text}` is known to rustc only, and this text is read without it");
                self.report(
                    Diagnostic::error(RUST_NUMBER, span, message).help("write the number itself, or a `const`").fix(span, "64"),
                );
                Value::Unknown
            }
        }
    }

    fn name(&mut self, name: &'a Name) -> Value<'a> {
        if self.find(&name.text).is_some() {
            return self.named(name);
        }
        match name.text.as_str() {
            "batch" => Value::Batch,
            "step" => Value::Tensor(self.network.builder.step()),
            "steps" => Value::Tensor(self.network.builder.steps()),
            "epoch" => Value::Tensor(self.network.builder.epoch()),
            word if Self::is_word(word) => Value::Word(word.to_owned()),
            _ => self.named(name),
        }
    }

    /// `encoder.dense.weight`: a parameter as a value.
    fn field(&mut self, expression: &'a Expression) -> Value<'a> {
        if let Some(mistake) = self.without_brackets(expression) {
            self.report(mistake);
            return Value::Unknown;
        }
        let Some(words) = expression.dotted() else {
            let message = "only a parameter is named with points, `hidden.dense.weight`";
            let mistake = Diagnostic::error(WRONG_VALUE, expression.span, message);
            self.report(match &expression.kind {
                ExpressionKind::Field { value, .. } => mistake.write(print::expression(value)),
                _ => mistake,
            });
            return Value::Unknown;
        };
        let (head, rest) = (words[0], &words[1..]);
        let Some(binding) = self.find(&head.text) else {
            self.unknown_name(head);
            return Value::Unknown;
        };
        let is_layer = matches!(binding.value, Value::Layer(_));
        if matches!(binding.value, Value::Unknown) {
            return self.unknown();
        }
        let prefix = format!("{}.", binding.path);
        let tail = rest.iter().map(|name| name.text.as_str()).collect::<Vec<_>>().join(".");
        let full = format!("{prefix}{tail}");
        if let Some(known) = self.network.parameter_called(&full) {
            return Value::Tensor(known.node);
        }
        if self.is_partial {
            return Value::Unknown;
        }
        let below: Vec<&str> = self.network.parameters.iter().filter_map(|known| known.name.strip_prefix(&prefix)).collect();
        let mut mistake =
            Diagnostic::error(NAME_UNKNOWN, expression.span, format!("no parameter is called `{}.{tail}`", head.text));
        mistake = match (nearest(&tail, below.iter().copied()), below.first()) {
            (Some(near), _) => mistake.write(format!("{}.{near}", head.text)),
            (None, Some(first)) => {
                let first = format!("{}.{first}", head.text);
                mistake.help(format!("there is `{first}`")).fix(expression.span, first)
            }
            (None, None) if is_layer => {
                mistake.help(format!("`{}` makes its parameters at its first use, which must stand above", head.text))
            }
            (None, None) => mistake.help(format!("nothing that `{}` is made of has parameters", head.text)),
        };
        self.report(mistake);
        Value::Unknown
    }

    /// The mistake of `x.relu`, which lacks its brackets; nothing for what a parameter may be called.
    fn without_brackets(&self, expression: &Expression) -> Option<Diagnostic> {
        let ExpressionKind::Field { value, name } = &expression.kind else { return None };
        let function = nn::function(&name.text)?;
        let is_path = matches!(&value.kind, ExpressionKind::Field { .. });
        let is_layer = matches!(&value.kind, ExpressionKind::Name(name) if self.node_called(&name.text).is_none());
        if is_path || is_layer {
            return None;
        }
        let message = format!("`{}` is a function: brackets stand behind it", name.text);
        Some(Diagnostic::error(WRONG_VALUE, name.span, message).write(self.some_call(function, self.node_of(value))))
    }

    fn negated(&mut self, operand: &'a Expression, whole: &'a Expression) -> Value<'a> {
        match self.expression(operand) {
            Value::Number(value) => Value::Number(-value),
            Value::Later => Value::Later,
            Value::Unknown => Value::Unknown,
            Value::Tensor(node) => {
                self.at(whole.span);
                let built = self.network.builder.neg(node).map_err(Fault::from);
                self.built(built, whole.span, whole)
            }
            other => self.not_a_number("-", &other, operand.span),
        }
    }

    fn not_a_number(&mut self, symbol: &str, value: &Value, span: Span) -> Value<'a> {
        let message = format!("`{symbol}` takes numbers and values of the network; this is {}", value.kind());
        match value {
            Value::Word(word) if penalties::find(word).is_ok() => {
                self.report(Diagnostic::error(WRONG_VALUE, span, message).write(format!("{word}(1e-4)")));
            }
            _ => self.wrong_value(span, message),
        }
        Value::Unknown
    }

    /// `left operator right`.
    pub(super) fn binary(
        &mut self,
        operator: BinaryOperator,
        span: Span,
        (left, left_expression): (Value<'a>, &'a Expression),
        (right, right_expression): (Value<'a>, &'a Expression),
        whole: &'a Expression,
    ) -> Value<'a> {
        for (value, expression) in [(&left, left_expression), (&right, right_expression)] {
            match value {
                Value::Tensor(_) | Value::Number(_) | Value::Later => {}
                Value::Unknown => return Value::Unknown,
                other => return self.not_a_number(operator.symbol(), other, expression.span),
            }
        }
        match (&left, &right) {
            (Value::Number(a), Value::Number(b)) if !operator.is_comparison() => {
                return self.computed(operator, (*a, *b), span, right_expression.span);
            }
            (Value::Number(_) | Value::Later, Value::Number(_) | Value::Later) if !operator.is_comparison() => {
                return Value::Later;
            }
            _ => {}
        }
        self.at(span);
        let (a, b) = (self.scalar_or_tensor(&left), self.scalar_or_tensor(&right));
        let (Some(a), Some(b)) = (a, b) else { return Value::Unknown };
        self.arithmetic(operator, a, b, span, whole)
    }

    /// Arithmetic of values of the network.
    pub(super) fn arithmetic(
        &mut self,
        operator: BinaryOperator,
        a: NodeId,
        b: NodeId,
        span: Span,
        whole: &'a Expression,
    ) -> Value<'a> {
        let (primitive, swapped) = match operator {
            BinaryOperator::Add => (Primitive::Add, false),
            BinaryOperator::Subtract => (Primitive::Sub, false),
            BinaryOperator::Multiply => (Primitive::Mul, false),
            BinaryOperator::Divide => (Primitive::Div, false),
            BinaryOperator::Equal => (Primitive::Eq, false),
            BinaryOperator::NotEqual => (Primitive::Ne, false),
            BinaryOperator::Less => (Primitive::Lt, false),
            BinaryOperator::LessEqual => (Primitive::Le, false),
            BinaryOperator::Greater => (Primitive::Lt, true),
            BinaryOperator::GreaterEqual => (Primitive::Le, true),
        };
        let built = match swapped {
            false => self.network.arithmetic(primitive, a, b),
            true => self.network.arithmetic(primitive, b, a),
        };
        self.built(built, span, whole)
    }

    /// The value as a node: a number is an f64 scalar, one known to rustc only a scalar that is no constant.
    pub(super) fn scalar_or_tensor(&mut self, value: &Value) -> Option<NodeId> {
        match value {
            Value::Tensor(node) => Some(*node),
            Value::Number(value) => Some(self.network.builder.constant_f64(*value)),
            // The graph of a partial network is looked at for its shapes alone; a setting of no network has no value.
            Value::Later => self.network.builder.source(Primitive::Setting, "{…}", Type::f64()).ok(),
            _ => None,
        }
    }

    fn computed(&mut self, operator: BinaryOperator, (a, b): (f64, f64), span: Span, right: Span) -> Value<'a> {
        let value = match operator {
            BinaryOperator::Add => a + b,
            BinaryOperator::Subtract => a - b,
            BinaryOperator::Multiply => a * b,
            BinaryOperator::Divide => a / b,
            _ => return Value::Unknown,
        };
        if !is_representable(value) {
            let message = format!("{} {} {} is {}", digits(a), operator.symbol(), digits(b), no_number(value));
            self.report(Diagnostic::error(NO_NUMBER, span, message).help("write `1` behind it").fix(right, "1"));
            return Value::Unknown;
        }
        Value::Number(value)
    }

    /// A node that was built by `whole`, or the mistake at `span`.
    pub(super) fn built(&mut self, built: Result<NodeId, Fault>, span: Span, whole: &'a Expression) -> Value<'a> {
        match built {
            Ok(node) if !self.may_exist(node, span) => Value::Unknown,
            Ok(node) => {
                self.note(node, whole.span, Some(whole));
                Value::Tensor(node)
            }
            Err(fault) => self.fault_of(fault, span, Some(whole)),
        }
    }

    /// Reports a value of the wrong kind where one of the network is needed.
    pub(super) fn wrong_value(&mut self, span: Span, message: String) {
        let mistake = Diagnostic::error(WRONG_VALUE, span, message);
        self.report(match self.any_value() {
            Some(value) => mistake.help(format!("write a value of the network, such as `{value}`")).fix(span, value),
            None => mistake,
        });
    }
}

/// What a number is that a network cannot compute with.
fn no_number(value: f64) -> &'static str {
    if value.is_finite() { "more than f32 holds, which ends at 3.4e38" } else { "no finite number" }
}
