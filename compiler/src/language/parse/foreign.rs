//! What begins no statement: misspelt words, and words of other languages.

use super::expressions::is_name;
use super::statements::{Found, NETWORK_WORDS, Site};
use super::tokens::Tokens;
use super::{FOREIGN, MISPLACED, Parsed, Parser, error};
use crate::base::diagnostics::Diagnostic;
use crate::base::names::nearest;
use crate::base::place::Span;
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

/// `break` and `continue` of Rust.
pub(super) fn foreign_turn(tokens: &Tokens) -> Diagnostic {
    let word = tokens.here();
    let mut rest = tokens.behind();
    while !rest.is_empty() && !rest.at(";") {
        rest.skip();
    }
    rest.take(";");
    let slip = error(FOREIGN, word, "every turn of a loop is taken, from its first statement to its last");
    slip.help("take it away").fix(word.to(rest.last()), "")
}

/// `let (a, b) = …` of Rust, whose tokens stand at its last word before them: the names, of which there is one at least.
pub(super) fn several_names(tokens: &Tokens, start: Span, mutable: bool) -> Option<(Diagnostic, Vec<Name>)> {
    let mut rest = tokens.behind();
    let (inside, brackets) = rest.take_group(Delimiter::Parenthesis).or_else(|| rest.take_group(Delimiter::Bracket))?;
    rest.take("=")?;
    let names: Vec<Name> = words_in(inside.rest()).into_iter().filter_map(|word| named(&word, brackets)).collect();
    let first = names.first()?;
    let mut written = rest;
    while !rest.is_empty() && !rest.at(";") {
        rest.skip();
    }
    let is_value = |tree: &TokenTree| !matches!(tree, TokenTree::Punct(punct) if punct.as_char() == ';');
    let value: TokenStream = written.rest().into_iter().take_while(is_value).collect();
    let values = match written.take_group(Delimiter::Parenthesis) {
        Some((inside, _)) if written.is_empty() || written.at(";") => parts_of(inside.rest()),
        _ => Vec::new(),
    };
    let word_of = |name: &Name| if mutable { format!("let mut {}", name.text) } else { format!("let {}", name.text) };
    let one = |(name, value): (&Name, String)| format!("{} = {value}", word_of(name));
    let written: Vec<String> = if values.len() == names.len() {
        names.iter().zip(values).map(one).collect()
    } else {
        // A name that nothing asks for was there for the brackets' sake.
        let asked = words_in(rest.rest());
        let is_asked = |name: &&Name| asked.contains(&name.text);
        let kept: Vec<&Name> =
            if names.iter().any(|name| is_asked(&name)) { names.iter().filter(is_asked).collect() } else { vec![first] };
        kept.into_iter().map(|name| one((name, line_of(value.clone())))).collect()
    };
    let written = written.join("; ");
    let slip = error(FOREIGN, brackets, "a `let` names one value");
    Some((slip.help(format!("write `{written};`")).fix(start.to(rest.last()), written), names))
}

fn named(word: &str, span: Span) -> Option<Name> {
    (is_name(word) && word != "_").then(|| Name { text: word.to_owned(), span })
}

/// All words, however deep they stand.
fn words_in(tokens: TokenStream) -> Vec<String> {
    let words = tokens.into_iter().flat_map(|tree| match tree {
        TokenTree::Ident(word) => vec![word.to_string()],
        TokenTree::Group(group) => words_in(group.stream()),
        _ => Vec::new(),
    });
    words.collect()
}

/// What stands between `,`.
fn parts_of(tokens: TokenStream) -> Vec<String> {
    let trees: Vec<TokenTree> = tokens.into_iter().collect();
    let is_comma = |tree: &TokenTree| matches!(tree, TokenTree::Punct(punct) if punct.as_char() == ',');
    let parts = trees.split(is_comma).filter(|part| !part.is_empty());
    parts.map(|part| line_of(part.iter().cloned().collect())).collect()
}

/// What stands in the place of a loop's variable and is none: `(i, x)` of several, `(let i = 0; i < 3; i++)` of C.
pub(super) fn foreign_variable(tokens: &mut Tokens) -> Option<(Diagnostic, Name, bool)> {
    let mut rest = *tokens;
    let (inside, brackets) = rest.take_group(Delimiter::Parenthesis)?;
    let name = words_in(inside.rest()).iter().find_map(|word| named(word, brackets))?;
    let has_header = rest.at_word("in");
    let (message, text) = match has_header {
        true => ("a loop has one variable", name.text.clone()),
        false => ("a loop is written without brackets, over a range", format!("{} in 0..3", name.text)),
    };
    *tokens = rest;
    Some((error(FOREIGN, brackets, message).write(text), name, has_header))
}

/// `(0..3)`, `(0..3).rev()` or `(0..9).step_by(2)` behind `in`.
pub(super) fn bracketed_range(tokens: &Tokens) -> Option<Diagnostic> {
    let mut rest = *tokens;
    let (inside, brackets) = rest.take_group(Delimiter::Parenthesis)?;
    let mut dots = inside;
    while !dots.is_empty() && !dots.at("..") && !dots.at("..=") {
        dots.skip();
    }
    if dots.is_empty() {
        return None;
    }
    let message = match rest.at(".") {
        true => "a loop counts up by one",
        false => "the range of a loop stands without brackets",
    };
    while !rest.is_empty() && !rest.at_group(Delimiter::Brace) && !rest.at(";") {
        rest.skip();
    }
    let range = line_of(inside.rest());
    Some(error(FOREIGN, brackets, message).help(format!("write `{range}`")).fix(brackets.to(rest.last()), range))
}
