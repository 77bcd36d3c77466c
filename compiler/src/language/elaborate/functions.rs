//! The user's own functions: every call is the body, with the parameters replaced.

use super::argument_fixes::{argument_away, argument_given};
use super::calls::Receiver;
use super::fixes::Change;
use super::scope::Frame;
use super::value::Value;
use super::{ENDLESS, Elaborator};
use crate::base::diagnostics::Diagnostic;
use crate::base::names::nearest;
use crate::base::place::Span;
use crate::base::size::counted;
use crate::language::ast::{self, Formal, Function, Item};
use crate::language::print;
use crate::nn::fault::{ARGUMENT_MISSING, ARGUMENT_SURPLUS, ARGUMENT_TWICE, ARGUMENT_UNKNOWN};

impl<'a> Elaborator<'a> {
    /// The user's functions.
    pub(super) fn functions(&self) -> impl Iterator<Item = &'a Function> + use<'a> {
        self.file.items.iter().filter_map(|item| match item {
            Item::Function(function) => Some(function),
            Item::Optimizer(_) | Item::Network(_) => None,
        })
    }

    /// The user's function of this name.
    pub(super) fn function(&self, name: &str) -> Option<&'a Function> {
        self.functions().find(|function| function.name.text == name)
    }

    /// Whether something is being used within itself, which has no end; says so.
    pub(super) fn is_within(&mut self, name: &str, call: &ast::Call) -> bool {
        let is_within = self.frames.iter().any(|frame| frame.call.is_some_and(|(_, outer)| outer == name));
        if is_within {
            let message = format!("`{name}` uses itself, which has no end");
            let mistake = Diagnostic::error(ENDLESS, call.name.span, message).help("repeat with a loop: `for i in 0..3 { … }`");
            let is_method = self.source.bytes(call.span).is_some_and(|bytes| self.source.text()[..bytes.start].ends_with('.'));
            self.report(match call.arguments.first() {
                _ if is_method => mistake.fix(call.span, "relu()"),
                Some(first) => mistake.fix(call.span, print::expression(&first.value)),
                None => mistake,
            });
        }
        is_within
    }

    /// The value of the function's body for these arguments.
    pub(super) fn inlined(&mut self, function: &'a Function, call: &'a ast::Call, receiver: Option<Receiver<'a>>) -> Value<'a> {
        let given = self.given(&function.name, &function.parameters, call, receiver, "64");
        if self.is_within(&function.name.text, call) {
            return Value::Unknown;
        }
        let frame = Frame::of_call(call.span, &function.name.text, &function.body.statements);
        self.in_frame(frame, |this| {
            for (formal, value) in function.parameters.iter().zip(given) {
                let value = match (value, &formal.default) {
                    (Some(value), _) => value,
                    (None, Some(default)) => this.expression(default),
                    // It was reported as missing.
                    (None, None) => Value::Unknown,
                };
                this.define(&formal.name, value);
            }
            this.body(&function.body)
        })
    }

    /// The statements of a body stand beside its parameters, so that one name is not both.
    fn body(&mut self, body: &'a ast::Block) -> Value<'a> {
        self.statements(&body.statements);
        body.value.as_ref().map_or(Value::Unknown, |value| self.expression(value))
    }

    /// For each parameter of what the user declared under a name what the call says it is; `example` stands in for what it lacks.
    pub(super) fn given(
        &mut self,
        declared: &'a ast::Name,
        formals: &'a [Formal],
        call: &'a ast::Call,
        receiver: Option<Receiver<'a>>,
        example: &str,
    ) -> Vec<Option<Value<'a>>> {
        let mut given: Vec<Option<Value<'a>>> = vec![None; formals.len()];
        let mut unknown = Vec::new();
        let mut place = 0;
        if let Some((value, expression)) = receiver {
            match given.first_mut() {
                Some(first) => *first = Some(value),
                None => self.surplus(declared, formals, expression.span, None),
            }
            place = 1;
        }
        for argument in &call.arguments {
            let value = self.expression(&argument.value);
            let index = match &argument.name {
                None => {
                    place += 1;
                    place - 1
                }
                Some(name) => match formals.iter().position(|formal| formal.name.text == name.text) {
                    Some(index) => index,
                    None => {
                        unknown.push((argument, name));
                        continue;
                    }
                },
            };
            match given.get_mut(index) {
                None => self.surplus(declared, formals, argument.value.span, argument_away(call, argument)),
                Some(Some(_)) => {
                    let message = format!("`{}` is given `{}` twice", declared.text, formals[index].name.text);
                    let mistake = Diagnostic::error(ARGUMENT_TWICE, argument.span, message);
                    self.report_with(mistake, argument_away(call, argument));
                }
                Some(slot) => *slot = Some(value),
            }
        }
        let is_missing = |(formal, value): &(&'a Formal, &Option<Value>)| formal.default.is_none() && value.is_none();
        let mut missing = formals.iter().zip(&given).filter(is_missing).map(|(formal, _)| formal);
        if !unknown.is_empty() {
            // What is missing was given by another name.
            for (argument, name) in unknown {
                self.unknown_formal(declared, formals, call, argument, name, missing.next());
            }
        } else if let Some(formal) = missing.next() {
            let message = format!("`{}` needs `{}`", declared.text, formal.name.text);
            let mistake = Diagnostic::error(ARGUMENT_MISSING, call.span, message).because(formal.span, "declared here");
            self.report_with(mistake, Some(argument_given(call, &formal.name.text, example)));
        }
        given
    }

    fn surplus(&mut self, declared: &ast::Name, formals: &[Formal], argument: Span, change: Option<Change>) {
        let message = match formals.len() {
            0 => format!("`{}` takes no arguments", declared.text),
            count => format!("`{}` takes {}", declared.text, counted(count, "argument")),
        };
        let mistake = Diagnostic::error(ARGUMENT_SURPLUS, argument, message).because(declared.span, "declared here");
        self.report_with(mistake, change);
    }

    fn unknown_formal(
        &mut self,
        declared: &ast::Name,
        formals: &[Formal],
        call: &ast::Call,
        argument: &ast::Argument,
        name: &ast::Name,
        missing: Option<&Formal>,
    ) {
        let message = format!("`{}` has no argument `{}`", declared.text, name.text);
        let mistake = Diagnostic::error(ARGUMENT_UNKNOWN, name.span, message).because(declared.span, "declared here");
        let names = formals.iter().map(|Formal { name, .. }| name.text.as_str());
        let first = usize::from(call.arguments.iter().all(|argument| argument.name.is_some()));
        let by_place = call.arguments.iter().filter(|argument| argument.name.is_none()).count() + 1 - first.min(1);
        match nearest(&name.text, names.skip(by_place)).or(missing.map(|formal| formal.name.text.as_str())) {
            Some(near) => self.report(mistake.write(near)),
            None => self.report_with(mistake, argument_away(call, argument)),
        }
    }
}
