//! Loops: `for i in 0..20 { … }`.

use super::foreign::{bracketed_range, foreign_variable};
use super::tokens::Tokens;
use super::{Parsed, Parser, UNEXPECTED, error};
use crate::base::diagnostics::Diagnostic;
use crate::base::place::Span;
use crate::language::ast::{Call, Expression, ExpressionKind, Iteration, Name, StatementKind};
use crate::language::print;
use crate::language::source::line_of;
use proc_macro2::{Delimiter, TokenTree};

impl Parser {
    pub(super) fn for_statement(&mut self, tokens: &mut Tokens) -> Parsed<StatementKind> {
        tokens.skip();
        let (variable, over) = match self.loop_header(tokens) {
            Ok(header) => header,
            Err(slip) => {
                // The body is read all the same: what it says is said once, for an unreadable value.
                let span = slip.0.primary.span;
                self.report(slip);
                while !tokens.is_empty() && !tokens.at_group(Delimiter::Brace) && !tokens.at(";") {
                    tokens.skip();
                }
                let variable = Name { text: "_".to_owned(), span };
                (variable, unreadable_list(span))
            }
        };
        match tokens.take_group(Delimiter::Brace) {
            Some((inside, span)) => {
                let body = self.block_without_value(inside, span)?;
                Ok(StatementKind::For { variable, over, body })
            }
            None => Err(without_body(tokens).into()),
        }
    }

    fn loop_header(&mut self, tokens: &mut Tokens) -> Parsed<(Name, Iteration)> {
        let variable = match tokens.word() {
            Some(name) if name.text == "_" => {
                tokens.skip();
                name
            }
            _ => match foreign_variable(tokens) {
                Some((slip, name, has_header)) => {
                    self.report(slip.into());
                    if !has_header {
                        let over = unreadable_list(name.span);
                        return Ok((name, over));
                    }
                    name
                }
                None => self.name(tokens)?,
            },
        };
        let instead = ["=", ":"].into_iter().find_map(|symbol| tokens.take(symbol)).or_else(|| tokens.take_word("of"));
        if let Some(instead) = instead {
            self.report(error(UNEXPECTED, instead, "a loop's variable runs `in` something").write("in").into());
        } else if tokens.take_word("in").is_none() {
            return Err(tokens.expected("`in`").help("write `in` before it").fix(tokens.gap(), " in").into());
        }
        if let Some(slip) = bracketed_range(tokens) {
            return Err(slip.into());
        }
        let from = self.expression(tokens)?;
        let inclusive = tokens.at("..=");
        if inclusive || tokens.at("..") {
            tokens.take(if inclusive { "..=" } else { ".." });
            let to = self.expression(tokens)?;
            let span = from.span.to(to.span);
            let (from, to) = (Box::new(from), Box::new(to));
            let range = Iteration::Range { from, to, inclusive, span };
            self.nothing_behind(tokens);
            return Ok((variable, range));
        }
        match from.kind {
            ExpressionKind::Array(values) => {
                let span = from.span;
                Ok((variable, Iteration::List { values, span }))
            }
            _ => {
                let slip = error(UNEXPECTED, from.span, "a loop runs over a range `0..20` or a list `[512, 256]`");
                Err(slip.write(range_of(&from)).into())
            }
        }
    }
}

impl Parser {
    /// Steps over what stands between a range and the body: `step 2`.
    fn nothing_behind(&mut self, tokens: &mut Tokens) {
        let mut rest = *tokens;
        while !rest.is_empty() && !rest.at_group(Delimiter::Brace) && !rest.at(";") && !rest.at("=") {
            rest.skip();
        }
        let here = tokens.here();
        if rest.here() != here && rest.at_group(Delimiter::Brace) {
            let slip = error(UNEXPECTED, here, "a loop counts up by one: behind its range stands its body");
            self.report(slip.help("take this away").fix(here.to(rest.last()), "").into());
            *tokens = rest;
        }
    }
}

/// A loop whose body has no braces, or none.
fn without_body(tokens: &Tokens) -> Diagnostic {
    let slip = tokens.expected("`{` and the body of the loop");
    let (here, mut rest) = (tokens.here(), *tokens);
    while !rest.is_empty() && !rest.at(";") {
        rest.skip();
    }
    if rest.here() == here {
        return slip.help("write `{ }` before it").fix(tokens.gap(), " { }");
    }
    let is_body = |tree: &TokenTree| !matches!(tree, TokenTree::Punct(punct) if punct.as_char() == ';');
    let body = format!("{{ {}; }}", line_of(tokens.rest().into_iter().take_while(is_body).collect()));
    rest.take(";");
    slip.help(format!("write `{body}`")).fix(here.to(rest.last()), body)
}

fn unreadable_list(span: Span) -> Iteration {
    let values = vec![Expression::invalid(span)];
    Iteration::List { values, span }
}

/// The range that `3`, `n`, `range(3)` or `range(1, 3)` means.
fn range_of(written: &Expression) -> String {
    let (from, to) = match &written.kind {
        ExpressionKind::Call(Call { arguments, .. }) => match &arguments[..] {
            [to] => (None, Some(&to.value)),
            [from, to] => (Some(&from.value), Some(&to.value)),
            _ => (None, None),
        },
        ExpressionKind::Number(_) | ExpressionKind::Name(_) => (None, Some(written)),
        _ => (None, None),
    };
    let text = |bound: Option<&Expression>, otherwise: &str| bound.map_or(otherwise.to_owned(), print::expression);
    format!("{}..{}", text(from, "0"), text(to, "20"))
}
