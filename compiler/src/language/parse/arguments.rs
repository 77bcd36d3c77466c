//! What stands between `,`: the elements of lists and the arguments of calls. A slip costs one of them.

use super::tokens::Tokens;
use super::{ARGUMENTS, Parsed, Parser, error};
use crate::base::place::Span;
use crate::language::ast::{Argument, Call, Expression, Name};
use crate::language::print;
use proc_macro2::Delimiter;

impl Parser {
    /// Values between `,`; sets the height of what holds them.
    pub(super) fn list(&mut self, mut inside: Tokens) -> Parsed<Vec<Expression>> {
        let mut values = Vec::new();
        let mut height = 0;
        while !inside.is_empty() && !self.is_exhausted() {
            let start = inside.here();
            let value = match self.expression(&mut inside) {
                Ok(value) => value,
                Err(slip) => {
                    self.report(slip);
                    self.step_to_comma(&mut inside);
                    self.height = 1;
                    Expression::invalid(start.to(inside.last()))
                }
            };
            height = height.max(self.height);
            values.push(value);
            if let Some(lost) = self.comma(&mut inside, "`,` or `]`") {
                values.push(lost);
            }
        }
        self.raise(height, inside.last())?;
        Ok(values)
    }

    /// A call whose name was taken and whose parentheses follow; sets the height to that of its arguments.
    pub(super) fn call(&mut self, tokens: &mut Tokens, name: Name) -> Call {
        let mut arguments: Vec<Argument> = Vec::new();
        let mut height = 0;
        let mut end = name.span;
        if let Some((mut inside, span)) = tokens.take_group(Delimiter::Parenthesis) {
            end = span;
            while !inside.is_empty() && !self.is_exhausted() {
                let argument = self.argument(&mut inside);
                height = height.max(self.height);
                if self.is_in_order(&arguments, &argument) {
                    arguments.push(argument);
                }
                if let Some(value) = self.comma(&mut inside, "`,` or `)`") {
                    arguments.push(Argument { name: None, span: value.span, value });
                }
            }
        }
        self.height = height;
        Call { span: name.span.to(end), name, arguments }
    }

    fn argument(&mut self, inside: &mut Tokens) -> Argument {
        let start = inside.here();
        let name = self.label(inside);
        let value = match self.expression(inside) {
            Ok(value) => value,
            Err(slip) => {
                self.report(slip);
                self.step_to_comma(inside);
                self.height = 1;
                Expression::invalid(start.to(inside.last()))
            }
        };
        let span = name.as_ref().map_or(value.span, |name| name.span.to(value.span));
        Argument { name, value, span }
    }

    /// Whether an argument may stand behind the earlier ones; one that is given twice is not read on.
    fn is_in_order(&mut self, earlier: &[Argument], argument: &Argument) -> bool {
        let Some(name) = &argument.name else {
            if let Some(named) = earlier.iter().find(|argument| argument.name.is_some()) {
                let message = "an argument without a name stands behind one with a name";
                let slip = error(ARGUMENTS, argument.span, message)
                    .because(named.span, "named from here on")
                    .help("put it first, or name it")
                    .fix(named.span.to(argument.span), reordered(earlier, argument));
                self.report(slip.into());
            }
            return true;
        };
        let twin = |other: &&Argument| other.name.as_ref().is_some_and(|n| n.text == name.text);
        let first = earlier.iter().find(twin);
        if let Some(first) = first {
            let message = format!("argument `{}` is given twice", name.text);
            let last = earlier.last().map_or(first.span, |last| last.span);
            let slip = error(ARGUMENTS, argument.span, message)
                .because(first.span, "given here first")
                .help("take this argument away")
                .fix(Span::new(last.end(), argument.span.end()), "");
            self.report(slip.into());
        }
        first.is_none()
    }

    /// Takes the `,` behind an element, or complains and goes on to the next one; then it gives the element that was not read, so that
    /// nobody misses it.
    pub(super) fn comma(&mut self, inside: &mut Tokens, expected: &str) -> Option<Expression> {
        if inside.is_empty() || inside.take(",").is_some() {
            return None;
        }
        let start = inside.here();
        let slip = inside.expected(expected).help("write `,` before it").fix(inside.gap(), ",");
        self.report(slip.into());
        self.step_to_comma(inside);
        let lost = Expression::invalid(start.to(inside.last()));
        inside.take(",");
        Some(lost)
    }

    pub(super) fn step_to_comma(&mut self, inside: &mut Tokens) {
        while !inside.is_empty() && !inside.at(",") {
            inside.skip();
        }
    }
}

/// The argument without a name before all those with one.
fn reordered(earlier: &[Argument], argument: &Argument) -> String {
    let named = earlier.iter().filter_map(|argument| {
        let name = argument.name.as_ref()?;
        Some(format!("{} = {}", name.text, print::expression(&argument.value)))
    });
    std::iter::once(print::expression(&argument.value)).chain(named).collect::<Vec<_>>().join(", ")
}
