//! Blocks in braces and the two branches of `if training`.

use super::statements::{Found, Site};
use super::tokens::Tokens;
use super::{FOREIGN, MISPLACED, Parsed, Parser, UNEXPECTED, error};
use crate::base::place::Span;
use crate::language::ast::{Block, Expression, ExpressionKind, StatementKind};
use proc_macro2::Delimiter;

impl Parser {
    /// What stands in braces; a value at the end is kept.
    pub(super) fn block(&mut self, mut inside: Tokens, span: Span) -> Parsed<Block> {
        let (statements, value) = self.statements(&mut inside, Site::Block);
        self.raise(self.height, span)?;
        Ok(Block { statements, value: value.map(Box::new), span })
    }

    /// The body of a function, which ends in its value; `example` could be one.
    pub(super) fn body(&mut self, mut inside: Tokens, span: Span, example: &str) -> Parsed<Block> {
        let before = self.diagnostics.len();
        let (statements, value) = self.statements(&mut inside, Site::Body);
        self.raise(self.height, span)?;
        let mut body = Block { statements, value: value.map(Box::new), span };
        self.require_value(&mut body, before, example);
        Ok(body)
    }

    /// A block at whose end a value would be lost.
    pub(super) fn block_without_value(&mut self, inside: Tokens, span: Span) -> Parsed<Block> {
        let mut block = self.block(inside, span)?;
        self.refuse_value(&mut block);
        Ok(block)
    }

    fn refuse_value(&mut self, block: &mut Block) {
        if let Some(value) = block.value.take() {
            let slip = error(MISPLACED, value.span, "nothing uses this value")
                .help("assign it: `name = …;`, with `let mut name` before the braces");
            self.report(slip.into());
        }
    }

    /// `if training { … } else { … }` where a statement may stand; at the end of a block it is the block's value
    /// when both branches have one.
    pub(super) fn if_statement(&mut self, tokens: &mut Tokens, site: Site) -> Parsed<Found> {
        let start = tokens.here();
        let (mut then, mut otherwise) = self.branches(tokens)?;
        let height = self.height;
        if site != Site::Network && tokens.is_empty() && then.value.is_some() {
            match otherwise {
                Some(otherwise) if otherwise.value.is_some() => {
                    let kind = ExpressionKind::Training { then, otherwise };
                    let span = start.to(tokens.last());
                    return Ok(Found::Value(Expression { kind, span }));
                }
                other => otherwise = other,
            }
        }
        self.refuse_value(&mut then);
        if let Some(otherwise) = &mut otherwise {
            self.refuse_value(otherwise);
        }
        self.height = height;
        Ok(Found::Statement(StatementKind::Training { then, otherwise }))
    }

    /// `if training { a } else { b }` as a value.
    pub(super) fn training_value(&mut self, tokens: &mut Tokens) -> Parsed<Expression> {
        let start = tokens.here();
        let before = self.diagnostics.len();
        let (mut then, otherwise) = self.branches(tokens)?;
        let span = start.to(tokens.last());
        let Some(mut otherwise) = otherwise else {
            let message = "this value lacks its other half: what it is when not training";
            return Err(error(UNEXPECTED, span, message).help("add `else { … }`").into());
        };
        self.require_value(&mut then, before, "0");
        self.require_value(&mut otherwise, before, "0");
        let kind = ExpressionKind::Training { then, otherwise };
        Ok(Expression { kind, span })
    }

    fn branches(&mut self, tokens: &mut Tokens) -> Parsed<(Block, Option<Block>)> {
        tokens.take_word("if");
        if tokens.take_word("training").is_none() {
            let message = format!("only `training` may stand behind `if`, found {}", tokens.found());
            return Err(error(FOREIGN, tokens.here(), message)
                .help("values are chosen element by element: `where(condition, a, b)`")
                .into());
        }
        let then = self.branch(tokens)?;
        let height = self.height;
        let otherwise = match tokens.take_word("else") {
            Some(_) => Some(self.branch(tokens)?),
            None => None,
        };
        self.height = height.max(self.height);
        Ok((then, otherwise))
    }

    fn branch(&mut self, tokens: &mut Tokens) -> Parsed<Block> {
        match tokens.take_group(Delimiter::Brace) {
            Some((inside, span)) => self.block(inside, span),
            None => Err(tokens.expected("`{`").into()),
        }
    }

    /// Complains about a block without value, unless something in it was unreadable: `before` is the number of
    /// mistakes known before the block. `example` is a value that could stand there.
    fn require_value(&mut self, block: &mut Block, before: usize, example: &str) {
        if block.value.is_some() {
            return;
        }
        let (line, behind) = block.span.end();
        let close = Span::new((line, behind.saturating_sub(1).max(1)), (line, behind));
        if self.diagnostics.len() == before {
            let message = "this block needs a value: an expression at its end, without `;`";
            let empty = Span::new(close.start(), close.start());
            let slip = error(UNEXPECTED, close, message).help(format!("write a value before it, such as `{example}`"));
            self.report(slip.fix(empty, format!("{example} ")).into());
        }
        block.value = Some(Box::new(Expression::invalid(close)));
    }
}
