//! Statements, in order.

use super::fixes::before;
use super::scope::{Frame, Turn};
use super::unused::{used_in, used_in_block};
use super::value::{Layer, Value};
use super::{Elaborator, NOT_ASSIGNABLE, WRONG_VALUE};
use crate::base::diagnostics::Diagnostic;
use crate::base::names::nearest;
use crate::base::place::Span;
use crate::language::ast::{Block, Expression, ExpressionKind, Iteration, Name, Statement, StatementKind};
use crate::language::print;
use crate::nn::fault::NAME_UNKNOWN;
use std::collections::HashSet;
use std::rc::Rc;

impl<'a> Elaborator<'a> {
    pub(super) fn statements(&mut self, statements: &'a [Statement]) {
        let below = |index: usize| &statements[index + 1..];
        let (late, first): (Vec<_>, Vec<_>) =
            statements.iter().enumerate().partition(|(index, statement)| self.waits(statement, below(*index)));
        for (_, statement) in first.into_iter().chain(late) {
            if !self.may_go_on(statement.word) {
                return;
            }
            self.statement(statement);
        }
    }

    /// Whether a statement serves or measures what is taken back to the units of something that may be scaled further below: in the
    /// loss, which is written under what is predicted.
    fn waits(&self, statement: &'a Statement, below: &'a [Statement]) -> bool {
        matches!(statement.kind, StatementKind::Predict(_) | StatementKind::Report(_))
            && self.calls(&statement.kind, &["restore"])
            && below.iter().any(|other| self.calls(&other.kind, &["standardize", "rescale"]))
    }

    /// Whether a statement calls a function of one of these names, itself or in a function of the user's.
    fn calls(&self, kind: &'a StatementKind, names: &[&str]) -> bool {
        let mut ahead = used_in(kind);
        let mut seen = HashSet::new();
        while let Some(&word) = ahead.iter().next() {
            ahead.remove(word);
            if names.contains(&word) {
                return true;
            }
            if let Some(function) = self.function(word).filter(|_| seen.insert(word)) {
                ahead.extend(used_in_block(&function.body));
            }
        }
        false
    }

    fn statement(&mut self, statement: &'a Statement) {
        match &statement.kind {
            StatementKind::Input { name, tensor } => self.source(name, tensor, false),
            StatementKind::Target { name, tensor } => self.source(name, tensor, true),
            StatementKind::Parameter { name, tensor, init } => self.parameter(name, tensor, init),
            StatementKind::Setting { name, value } => self.setting(name, value),
            StatementKind::Const { name, value } => self.constant(name, value),
            StatementKind::Let { mutable, name, value } => self.let_statement(*mutable, name, value),
            StatementKind::Assign { name, value } => self.assign(name, value),
            StatementKind::Layer { name, value } => self.layer(name, value),
            StatementKind::For { variable, over, body } => self.for_loop(variable, over, body),
            StatementKind::Training { then, otherwise } => {
                let chosen = if self.options.training { Some(then) } else { otherwise.as_ref() };
                if let Some(block) = chosen {
                    self.block(block);
                }
            }
            StatementKind::Predict(outputs) => self.predict(outputs, statement.word),
            StatementKind::Minimize(value) => self.minimize(value, statement.word),
            StatementKind::Using(value) => self.using(value, statement.word),
            StatementKind::Report(outputs) => self.reports(outputs),
            StatementKind::Allow(lints) => self.allow(lints),
        }
    }

    /// The block's value, or `Unknown` if it has none. Its names end with it.
    pub(super) fn block(&mut self, block: &'a Block) -> Value<'a> {
        self.frame().scopes.push(Vec::new());
        self.statements(&block.statements);
        let value = match &block.value {
            Some(value) => self.expression(value),
            None => Value::Unknown,
        };
        self.frame().scopes.pop();
        value
    }

    /// Evaluates below the path of a name: the name and the turns of the loops around it.
    pub(super) fn below(&mut self, name: &str, evaluate: impl FnOnce(&mut Self) -> Value<'a>) -> Value<'a> {
        self.network.enter(name);
        let turns: Vec<Turn> = self.frame().turns.clone();
        for turn in &turns {
            self.network.enter(turn.index.to_string());
        }
        let value = evaluate(self);
        for _ in 0..=turns.len() {
            self.network.leave();
        }
        value
    }

    fn path_of(&self, name: &str) -> String {
        let path = self.network.path();
        if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
    }

    fn let_statement(&mut self, is_mutable: bool, name: &'a Name, value: &'a Expression) {
        let path = self.path_of(&name.text);
        let value = self.below(&name.text, |this| this.expression(value));
        let value = self.nameable(value, name.span);
        if let Value::Tensor(node) = value {
            self.network.name_value(node, &name.text);
        }
        self.define_with(name, value, is_mutable, path);
    }

    /// A layer gets its name from `layer`.
    fn nameable(&mut self, value: Value<'a>, span: Span) -> Value<'a> {
        match value {
            Value::Batch => {
                self.error(WRONG_VALUE, span, "the batch is no number: it is known when the network runs");
                Value::Unknown
            }
            other => other,
        }
    }

    fn assign(&mut self, name: &'a Name, value: &'a Expression) {
        let value = self.below(&name.text, |this| this.expression(value));
        let value = self.nameable(value, name.span);
        if let Value::Tensor(node) = value {
            self.network.name_value(node, &name.text);
        }
        match self.find_mut(&name.text) {
            Some(binding) if binding.is_mutable => binding.value = value,
            Some(binding) => {
                let span = binding.span;
                let message = format!("`{}` does not change", name.text);
                let mistake = Diagnostic::error(NOT_ASSIGNABLE, name.span, message);
                let first = self.statement_at(span).map(|first| innermost(first, span));
                let is_turn = matches!(first, Some(StatementKind::For { .. }));
                let reason = if is_turn { "each turn of this loop sets it" } else { "named here, without `mut`" };
                let mistake = mistake.because(span, reason);
                self.report(match matches!(first, Some(StatementKind::Let { .. })) {
                    true => mistake.help(format!("write `let mut {}`", name.text)).fix(span, format!("mut {}", name.text)),
                    false => mistake.write(format!("let {}", self.free_name(&name.text))),
                });
            }
            None => self.assigned_to_nothing(name, value),
        }
    }

    fn assigned_to_nothing(&mut self, name: &'a Name, value: Value<'a>) {
        if nearest(&name.text, self.visible()).is_some() {
            return self.unknown_name(name);
        }
        let mistake = Diagnostic::error(NAME_UNKNOWN, name.span, format!("nothing is called `{}` here", name.text));
        self.report(mistake.help(format!("name it: `let {} = …;`", name.text)).fix(before(name.span), "let "));
        // Its uses are no mistakes.
        self.define(name, value);
    }

    fn layer(&mut self, name: &'a Name, value: &'a Expression) {
        let path = self.path_of(&name.text);
        let defined = match value.chain() {
            Some(calls) => {
                let scopes = self.frame().scopes.clone();
                let path = self.network.scopes();
                let turns = self.frame().turns.iter().map(|turn| turn.index.to_string()).collect();
                Value::Layer(Rc::new(Layer { name: &name.text, calls, scopes, path, turns }))
            }
            None if matches!(value.kind, ExpressionKind::Invalid) => self.unknown(),
            None => {
                let mistake = Diagnostic::error(WRONG_VALUE, value.span, "a layer is a chain of calls without their value");
                self.report(mistake.write(without_value(value).unwrap_or_else(|| "dense(64).relu()".to_owned())));
                Value::Unknown
            }
        };
        self.define_with(name, defined, false, path);
    }

    fn for_loop(&mut self, variable: &'a Name, over: &'a Iteration, body: &'a Block) {
        let Some(values) = self.iterated(over) else {
            return self.unknown_turns(variable, body);
        };
        let count = values.len();
        if count == 0 {
            self.lint_turns(over);
        }
        for (index, value) in values.into_iter().enumerate() {
            if !self.may_go_on(over.span()) {
                return;
            }
            self.frame().turns.push(Turn { index, count });
            self.frame().scopes.push(Vec::new());
            self.define(variable, value);
            self.block(body);
            self.frame().scopes.pop();
            self.frame().turns.pop();
        }
    }

    /// A loop whose turns are not known: its body is checked once, and what it assigns is not known.
    fn unknown_turns(&mut self, variable: &'a Name, body: &'a Block) {
        self.is_partial = true;
        self.frame().scopes.push(Vec::new());
        self.define(variable, Value::Unknown);
        self.block(body);
        self.frame().scopes.pop();
        self.forget_assigned(&body.statements);
    }

    fn forget_assigned(&mut self, statements: &'a [Statement]) {
        for statement in statements {
            match &statement.kind {
                StatementKind::Assign { name, .. } => {
                    if let Some(binding) = self.find_mut(&name.text) {
                        binding.value = Value::Unknown;
                    }
                }
                StatementKind::For { body, .. } => self.forget_assigned(&body.statements),
                StatementKind::Training { then, otherwise } => {
                    self.forget_assigned(&then.statements);
                    if let Some(otherwise) = otherwise {
                        self.forget_assigned(&otherwise.statements);
                    }
                }
                _ => {}
            }
        }
    }

    /// The values that a loop's variable takes, if they are known.
    fn iterated(&mut self, over: &'a Iteration) -> Option<Vec<Value<'a>>> {
        match over {
            Iteration::List { values, .. } => {
                let batch = "the batch is no number: it is known when the network runs";
                let known = |this: &mut Self, written: &'a Expression| {
                    let value = this.expression(written);
                    if let Value::Batch = value {
                        this.report(Diagnostic::error(WRONG_VALUE, written.span, batch).write("64"));
                    }
                    value
                };
                let values: Vec<Value> = values.iter().map(|value| known(self, value)).collect();
                let is_known = |value: &Value| !matches!(value, Value::Unknown | Value::Batch);
                values.iter().all(is_known).then_some(values)
            }
            Iteration::Range { from, to, inclusive, span } => {
                let first = self.whole(from)?;
                let last = self.whole(to)?;
                let end = if *inclusive { last + 1.0 } else { last };
                if end - first > super::MAX_WORK as f64 {
                    let message = format!("a loop is unrolled; {} turns are too many", end - first);
                    self.report(Diagnostic::error(super::ENDLESS, *span, message).write("0..100"));
                    return None;
                }
                let count = (end - first).max(0.0) as usize;
                Some((0..count).map(|turn| Value::Number(first + turn as f64)).collect())
            }
        }
    }

    fn whole(&mut self, bound: &'a Expression) -> Option<f64> {
        match self.expression(bound) {
            Value::Number(value) if value.fract() == 0.0 && value.abs() < 9e15 => Some(value),
            Value::Later | Value::Unknown => None,
            other => {
                let found = self.shown(&other);
                let message = format!("a loop runs between whole numbers, found {found}");
                self.report(Diagnostic::error(WRONG_VALUE, bound.span, message).write("3"));
                None
            }
        }
    }

    /// Evaluates in a frame of its own.
    pub(super) fn in_frame(&mut self, frame: Frame<'a>, evaluate: impl FnOnce(&mut Self) -> Value<'a>) -> Value<'a> {
        self.frames.push(frame);
        let value = evaluate(self);
        self.frames.pop();
        value
    }
}

/// The calls of a chain without the name that they begin with.
fn without_value(chain: &Expression) -> Option<String> {
    let mut first = chain;
    while let ExpressionKind::Method { receiver, .. } = &first.kind {
        first = receiver;
    }
    let ExpressionKind::Name(name) = &first.kind else { return None };
    Some(print::expression(chain).strip_prefix(&name.text)?.strip_prefix('.')?.to_owned())
}

/// What a statement or one in its braces says at this place.
fn innermost(statement: &Statement, span: Span) -> &StatementKind {
    let inside: Vec<&Block> = match &statement.kind {
        StatementKind::For { body, .. } => vec![body],
        StatementKind::Training { then, otherwise } => std::iter::once(then).chain(otherwise).collect(),
        _ => Vec::new(),
    };
    let inner = inside.into_iter().flat_map(|block| &block.statements).find(|inner| inner.span.contains(span));
    inner.map_or(&statement.kind, |inner| innermost(inner, span))
}
