//! A position in the tokens: what the grammar looks at and takes.
//!
//! Symbols are taken by longest match, so `=` is not found in `==`; a symbol's characters must touch. The groups
//! without brackets that `macro_rules!` puts around its fragments are looked through, unless they are asked for.

use super::lexical::shifted;
use super::{Parsed, UNEXPECTED, error};
use crate::base::diagnostics::Diagnostic;
use crate::base::place::Span;
use crate::language::ast::Name;
use crate::language::source::span_of;
use proc_macro2::{Delimiter, Literal, Spacing, TokenStream};
use syn::buffer::Cursor;

/// All symbols the grammar tells apart, the longer before those they begin with; some only to name them in errors.
const SYMBOLS: [&str; 36] = [
    "..=", "...", "..", "==", "!=", "<=", ">=", "=>", "->", "::", "&&", "||", "**", "+=", "-=", "*=", "/=", "=", "<", ">", "+",
    "-", "*", "/", "%", "^", "!", "&", "|", "?", "@", ".", ",", ";", ":", "#",
];

/// Symbols of which one is written for another.
const LIKE_EACH_OTHER: [&str; 6] = [":", "::", "=", "==", "=>", "->"];

/// A position within one level of brackets.
#[derive(Clone, Copy)]
pub(super) struct Tokens<'a> {
    cursor: Cursor<'a>,
    last: Span,
    /// The closing bracket; unknown at the top.
    close: Span,
    /// How the end of the level is named.
    end: &'static str,
    lines_before: u32,
}

impl<'a> Tokens<'a> {
    /// The beginning of a text before which `lines_before` lines stand.
    pub fn new(cursor: Cursor<'a>, lines_before: u32) -> Tokens<'a> {
        Tokens { cursor, last: Span::UNKNOWN, close: Span::UNKNOWN, end: "the end of the text", lines_before }
    }

    /// Whether this level has no more tokens.
    pub fn is_empty(&self) -> bool {
        self.cursor.eof()
    }

    /// The token taken last, or the opening bracket.
    pub fn last(&self) -> Span {
        self.last
    }

    /// The next token; at the end the closing bracket, at the end of the text what stands just behind it.
    pub fn here(&self) -> Span {
        if !self.is_empty() {
            return self.span_of(self.cursor.span());
        }
        if self.close.is_known() {
            return self.close;
        }
        self.after_last()
    }

    /// One character just behind the token taken last.
    pub fn after_last(&self) -> Span {
        let (line, column) = match self.last.is_known() {
            true => self.last.end(),
            false => (self.lines_before + 1, 1),
        };
        Span::new((line, column), (line, column + 1))
    }

    /// The next word, keywords included.
    pub fn word(&self) -> Option<Name> {
        let (ident, _) = self.cursor.ident()?;
        Some(Name { text: ident.to_string(), span: self.span_of(ident.span()) })
    }

    /// Whether the next token is this word.
    pub fn at_word(&self, word: &str) -> bool {
        self.cursor.ident().is_some_and(|(ident, _)| ident == word)
    }

    /// Takes the next word, keywords included.
    pub fn take_any_word(&mut self) -> Option<Name> {
        let word = self.word()?;
        let (_, rest) = self.cursor.ident()?;
        self.go(rest, word.span);
        Some(word)
    }

    /// Takes this word.
    pub fn take_word(&mut self, word: &str) -> Option<Span> {
        match self.at_word(word) {
            true => self.take_any_word().map(|word| word.span),
            false => None,
        }
    }

    /// The next symbol, with its place and what follows it.
    pub fn symbol(&self) -> Option<(&'static str, Span, Cursor<'a>)> {
        self.cursor.punct()?;
        SYMBOLS.iter().find_map(|symbol| {
            let mut rest = self.cursor;
            let mut span = Span::UNKNOWN;
            let mut characters = symbol.chars().peekable();
            while let Some(character) = characters.next() {
                let (punct, next) = rest.punct()?;
                let touches = punct.spacing() == Spacing::Joint || characters.peek().is_none();
                if punct.as_char() != character || !touches {
                    return None;
                }
                span = span.to(self.span_of(punct.span()));
                rest = next;
            }
            Some((*symbol, span, rest))
        })
    }

    /// The place of the next symbol; of another token its place.
    pub fn symbol_span(&self) -> Span {
        self.symbol().map_or_else(|| self.here(), |(_, span, _)| span)
    }

    /// Whether the next token is this symbol.
    pub fn at(&self, symbol: &str) -> bool {
        self.symbol().is_some_and(|(found, ..)| found == symbol)
    }

    /// Takes this symbol.
    pub fn take(&mut self, symbol: &str) -> Option<Span> {
        let (found, span, rest) = self.symbol()?;
        if found != symbol {
            return None;
        }
        self.go(rest, span);
        Some(span)
    }

    /// Takes a literal.
    pub fn take_literal(&mut self) -> Option<(Literal, Span)> {
        let (literal, rest) = self.cursor.literal()?;
        let span = self.span_of(literal.span());
        self.go(rest, span);
        Some((literal, span))
    }

    /// Takes a bracket with all in it: its inside and its span.
    pub fn take_group(&mut self, delimiter: Delimiter) -> Option<(Tokens<'a>, Span)> {
        let (inside, spans, rest) = self.cursor.group(delimiter)?;
        let open = self.span_of(spans.open());
        let close = self.span_of(spans.close());
        let inside = Tokens {
            cursor: inside,
            last: open,
            close,
            end: match delimiter {
                Delimiter::Parenthesis => "`)`",
                Delimiter::Brace => "`}`",
                Delimiter::Bracket => "`]`",
                Delimiter::None => "the end of the fragment",
            },
            lines_before: self.lines_before,
        };
        let span = open.to(close);
        self.go(rest, span);
        Some((inside, span))
    }

    /// Whether a bracket follows.
    pub fn at_group(&self, delimiter: Delimiter) -> bool {
        self.cursor.group(delimiter).is_some()
    }

    /// The tokens that are left on this level.
    pub fn rest(&self) -> TokenStream {
        self.cursor.token_stream()
    }

    /// Steps over a token or a whole bracket; of a fragment over its first token, as the other functions look at it.
    pub fn skip(&mut self) {
        let span = self.here();
        let cursor = self.cursor;
        let group = |delimiter| cursor.group(delimiter).map(|(.., rest)| rest);
        let rest = None
            .or_else(|| cursor.ident().map(|(_, rest)| rest))
            .or_else(|| cursor.punct().map(|(_, rest)| rest))
            .or_else(|| cursor.literal().map(|(_, rest)| rest))
            .or_else(|| group(Delimiter::Parenthesis))
            .or_else(|| group(Delimiter::Bracket))
            .or_else(|| group(Delimiter::Brace))
            .or_else(|| cursor.token_tree().map(|(_, rest)| rest));
        if let Some(rest) = rest {
            self.go(rest, span);
        }
    }

    /// The position behind the next token.
    pub fn behind(&self) -> Tokens<'a> {
        let mut behind = *self;
        behind.skip();
        behind
    }

    /// The next token as it is named in an error.
    pub fn found(&self) -> String {
        if self.is_empty() {
            return self.end.to_owned();
        }
        if let Some((symbol, ..)) = self.symbol() {
            return format!("`{symbol}`");
        }
        for (delimiter, open) in [(Delimiter::Parenthesis, "`(`"), (Delimiter::Brace, "`{`"), (Delimiter::Bracket, "`[`")] {
            if self.at_group(delimiter) {
                return open.to_owned();
            }
        }
        match self.cursor.token_tree() {
            Some((tree, _)) => {
                let text: String = tree.to_string().chars().take(LONGEST_SHOWN).collect();
                format!("`{text}`")
            }
            None => "nothing".to_owned(),
        }
    }

    /// 'expected this, found that', at the next token.
    pub fn expected(&self, what: &str) -> Diagnostic {
        let message = format!("expected {what}, found {}", self.found());
        error(UNEXPECTED, self.first_character(), message)
    }

    /// Takes this symbol or complains.
    pub fn expect(&mut self, symbol: &str) -> Parsed<Span> {
        match self.take(symbol) {
            Some(span) => Ok(span),
            None => {
                let slip = self.expected(&format!("`{symbol}`"));
                let found = self.symbol().filter(|(found, ..)| LIKE_EACH_OTHER.contains(found));
                Err(match found {
                    Some((_, span, _)) => slip.help(format!("write `{symbol}`")).fix(span, symbol),
                    None => {
                        let place = self.here().start();
                        slip.help(format!("write `{symbol}` before it")).fix(Span::new(place, place), format!("{symbol} "))
                    }
                }
                .into())
            }
        }
    }

    /// The empty place behind the token taken last.
    pub fn gap(&self) -> Span {
        let place = self.after_last().start();
        Span::new(place, place)
    }

    /// The next token; of a bracket only the opening character.
    fn first_character(&self) -> Span {
        let here = self.here();
        let is_group =
            [Delimiter::Parenthesis, Delimiter::Brace, Delimiter::Bracket].iter().any(|delimiter| self.at_group(*delimiter));
        match is_group {
            true => Span::new(here.start(), (here.line, here.column + 1)),
            false => here,
        }
    }

    fn go(&mut self, rest: Cursor<'a>, over: Span) {
        self.cursor = rest;
        self.last = over;
    }

    fn span_of(&self, span: proc_macro2::Span) -> Span {
        shifted(span_of(span), self.lines_before)
    }
}

/// A token longer than this is cut in a message.
const LONGEST_SHOWN: usize = 40;
