//! What begins no statement: misspelt words, and words of other languages.

use super::statements::{Found, NETWORK_WORDS, Site};
use super::tokens::Tokens;
use super::{FOREIGN, MISPLACED, Parsed, Parser, error};
use crate::base::diagnostics::Diagnostic;
use crate::base::names::nearest;
use crate::language::ast::Name;
use crate::language::print;
use crate::language::source::line_of;
use proc_macro2::{Delimiter, TokenStream, TokenTree};

impl Parser {
    /// Reports a word that begins no statement, and gives the one that was meant: read as that it is one mistake and no more.
    pub(super) fn meant_statement(&mut self, tokens: &Tokens, word: &Name, site: Site) -> Parsed<&'static str> {
        let slip = unknown_statement(tokens, word, site);
        match nearest(&word.text, site.words()) {
            Some(near) if !matches!(near, "if" | "allow") => {
                self.report(slip.into());
                Ok(near)
            }
            _ => Err(slip.into()),
        }
    }

    /// `return value;` of Rust.
    pub(super) fn returned(&mut self, tokens: &mut Tokens) -> Parsed<Found> {
        let word = tokens.here();
        tokens.skip();
        let value = self.expression(tokens)?;
        tokens.take(";");
        let written = print::expression(&value);
        let slip = error(FOREIGN, word, "the value of a function is the expression at its end, without a word or `;`");
        self.report(slip.help(format!("write `{written}`")).fix(word.to(tokens.last()), written).into());
        Ok(Found::Value(value))
    }
}

/// Whether a word stands where a statement begins and begins none: another word follows, or what it would act on in parentheses.
pub(super) fn begins_nothing(tokens: &Tokens, word: &Name, site: Site) -> bool {
    let behind = tokens.behind();
    let is_apart = behind.at_group(Delimiter::Parenthesis) && behind.here().start() > word.span.end();
    let is_meant = || site == Site::Network && nearest(&word.text, NETWORK_WORDS).is_some();
    let is_foreign = word.text == "while" || word.text == "return" && site == Site::Body;
    let is_known = is_foreign || site.words().any(|known| known == word.text);
    !is_known && (behind.word().is_some() || is_apart && is_meant())
}

fn unknown_statement(tokens: &Tokens, word: &Name, site: Site) -> Diagnostic {
    let text = word.text.as_str();
    let slip = error(MISPLACED, word.span, format!("`{text}` begins no statement"));
    match nearest(text, site.words()) {
        Some("minimize") if text.starts_with("max") => {
            let mut rest = tokens.behind();
            let is_value = |tree: &TokenTree| !matches!(tree, TokenTree::Punct(punct) if punct.as_char() == ';');
            let value: TokenStream = rest.rest().into_iter().take_while(is_value).collect();
            while !rest.is_empty() && !rest.at(";") {
                rest.skip();
            }
            let lowered = format!("minimize -({})", line_of(value));
            slip.help(format!("lower its negative: `{lowered};`")).fix(word.span.to(rest.last()), lowered)
        }
        near => slip.perhaps(near),
    }
}

/// `while` and `loop` of Rust.
pub(super) fn foreign_loop(tokens: &Tokens) -> Diagnostic {
    let word = tokens.here();
    let mut header = tokens.behind();
    while !header.is_empty() && !header.at_group(Delimiter::Brace) {
        header.skip();
    }
    let slip = error(FOREIGN, word, "a loop has as many turns as are known beforehand");
    slip.help("write `for i in 0..3 { … }`").fix(word.to(header.last()), "for i in 0..3")
}
