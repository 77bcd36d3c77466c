//! Declarations: names with an element type and a shape.

use super::tokens::Tokens;
use super::{Parsed, Parser, UNEXPECTED, error};
use crate::base::names::nearest;
use crate::base::place::Span;
use crate::language::ast::{Element, ElementKind, Expression, Name, Shape, StatementKind, TensorType};
use crate::language::source::line_of;
use proc_macro2::Delimiter;

impl Parser {
    /// `input name: type`
    pub(super) fn declaration(&mut self, tokens: &mut Tokens) -> Parsed<(Name, TensorType)> {
        tokens.skip();
        let name = self.name(tokens)?;
        let start = tokens.here();
        let is_bare = tokens.at("=") && !tokens.behind().at_group(Delimiter::Bracket);
        let colon = match is_bare {
            true => {
                let slip = tokens.expected("`:`").help("write its shape, `: [64]`").fix(tokens.gap(), ": [64]");
                Err(slip.into())
            }
            false => tokens.expect(":"),
        };
        let tensor = match colon.and_then(|_| self.tensor_type(tokens)) {
            Ok(tensor) => tensor,
            Err(slip) => {
                self.report(slip);
                self.step_over(tokens);
                unreadable_type(start)
            }
        };
        Ok((name, tensor))
    }

    pub(super) fn parameter(&mut self, tokens: &mut Tokens) -> Parsed<StatementKind> {
        let (name, tensor) = self.declaration(tokens)?;
        let init = match tokens.expect("=") {
            Ok(_) => self.value(tokens),
            Err(slip) => {
                if !self.stepped_over {
                    let help = "a parameter begins somewhere: `= zeros`, `= ones`, `= he`";
                    let slip = slip.0.help(help).fix(tokens.gap(), " = zeros");
                    self.report(slip.into());
                    self.step_over(tokens);
                }
                Expression::invalid(tokens.after_last())
            }
        };
        Ok(StatementKind::Parameter { name, tensor, init })
    }

    /// `[batch, 64]`, `u32[batch]`, `class(10)`, `class(65)[batch, 64]`
    fn tensor_type(&mut self, tokens: &mut Tokens) -> Parsed<TensorType> {
        let element = match tokens.word() {
            Some(word) => Some(self.element(tokens, word)?),
            None => None,
        };
        let start = tokens.here();
        let shape = match tokens.take_group(Delimiter::Bracket) {
            Some((inside, span)) => {
                let dimensions = self.list(inside)?;
                Some(Shape { dimensions, span })
            }
            None => None,
        };
        match (&element, &shape) {
            (None, None) => {
                let slip = tokens.expected("a type or a shape");
                Err(match tokens.take_group(Delimiter::Parenthesis) {
                    Some((inside, span)) => {
                        let shape = format!("[{}]", line_of(inside.rest()));
                        slip.help(format!("write `{shape}`")).fix(span, shape)
                    }
                    None => slip.help("for example `[batch, 64]` or `class(10)`").fix(tokens.gap(), " [batch, 64]"),
                }
                .into())
            }
            (element_found, _) => {
                let start = element_found.as_ref().map_or(start, |element| element.span);
                let span = start.to(tokens.last());
                Ok(TensorType { element, shape, span })
            }
        }
    }

    fn element(&mut self, tokens: &mut Tokens, word: Name) -> Parsed<Element> {
        let kind = match word.text.as_str() {
            "f32" => ElementKind::F32,
            "i32" => ElementKind::I32,
            "u32" => ElementKind::U32,
            "bool" => ElementKind::Bool,
            "class" => {
                tokens.skip();
                let Some((mut inside, span)) = tokens.take_group(Delimiter::Parenthesis) else {
                    let slip = tokens.expected("the number of classes").help("write `class(10)`");
                    return Err(slip.fix(word.span, "class(10)").into());
                };
                let classes = self.expression(&mut inside)?;
                if !inside.is_empty() {
                    return Err(inside.expected("`)`").into());
                }
                return Ok(Element { kind: ElementKind::Class(Box::new(classes)), span: word.span.to(span) });
            }
            other => {
                let types = ["f32", "i32", "u32", "bool", "class"];
                let message = format!("`{other}` is no element type");
                let slip = error(UNEXPECTED, word.span, message);
                return Err(match nearest(other, types) {
                    _ if other == "batch" => slip.write("[batch, 64]"),
                    Some("class") if tokens.behind().at_group(Delimiter::Parenthesis) => slip.write("class"),
                    Some("class") => slip.write("class(10)"),
                    Some(near) => slip.write(near),
                    None => slip.help("there are `f32`, `i32`, `u32`, `bool` and `class(n)`").fix(word.span, "f32"),
                }
                .into());
            }
        };
        tokens.skip();
        Ok(Element { kind, span: word.span })
    }
}

fn unreadable_type(span: Span) -> TensorType {
    let dimensions = vec![Expression::invalid(span)];
    TensorType { element: None, shape: Some(Shape { dimensions, span }), span }
}
