//! From text to tokens, and what can go wrong on the way.
//!
//! The tokens are Rust's: proc-macro2 reads them. It stops at the first thing that is no token; a character that
//! belongs to none is reported and read past, as the one that was meant or as a blank, so that the rest of the file is still checked.

use super::{LEXICAL, MAX_ERRORS, error};
use crate::base::diagnostics::{Diagnostic, Diagnostics};
use crate::base::place::{Source, Span};
use crate::language::source::span_of;
use proc_macro2::{TokenStream, TokenTree};

/// The tokens of a text with the mistakes that could be read past, or the mistakes that could not.
pub(super) fn tokens_of(source: &Source) -> Result<(TokenStream, Diagnostics), Diagnostics> {
    let mut text = source.text().to_owned();
    let mut mistakes = Diagnostics::new();
    loop {
        let failure = match text.parse::<TokenStream>() {
            Ok(tokens) => return Ok((tokens, mistakes)),
            Err(failure) => failure,
        };
        let at = span_of(failure.span()).start();
        let byte = byte_at(&text, at);
        let found = byte.and_then(|byte| text[byte..].chars().next());
        let lines_before = source.first_line() - 1;
        let span = shifted(one_character(at), lines_before);
        let open = byte.and_then(|byte| open_bracket(&text[..byte]));
        let quoted = byte.and_then(|byte| quoted_word(&text[byte..]));
        mistakes.push(match (found, open, quoted) {
            (Some(')' | ']' | '}'), Some((bracket, open)), _) => {
                unclosed(bracket, shifted(one_character(open), lines_before), span)
            }
            (.., Some((word, _))) => {
                let whole = Span { end_column: span.column + word.chars().count() as u32 + 2, ..span };
                error(LEXICAL, whole, "a text stands in double quotes").write(format!("\"{word}\""))
            }
            _ => mistake(found, span),
        });
        let read_as = match (quoted, found) {
            (Some((word, length)), _) => Some((length, format!("\"{word}\""))),
            (None, Some(stray)) => read_as(stray).map(|other| (stray.len_utf8(), other.to_string())),
            (None, None) => None,
        };
        let (Some(byte), Some((length, other)), true) = (byte, read_as, mistakes.len() < MAX_STRAYS) else {
            return Err(mistakes);
        };
        text.replace_range(byte..byte + length, &other);
    }
}

/// A bracket that is open where another kind is closed.
fn unclosed(bracket: char, open: Span, closing: Span) -> Diagnostic {
    let close = match bracket {
        '(' => ')',
        '[' => ']',
        _ => '}',
    };
    error(LEXICAL, open, format!("this `{bracket}` is never closed"))
        .because(closing, "this closes another bracket")
        .help(format!("write `{close}` before it"))
        .fix(Span::new(closing.start(), closing.start()), close.to_string())
}

/// As what a character that makes no token is read past. A bracket or a quote changes what all the rest is.
fn read_as(stray: char) -> Option<char> {
    meant(stray).or_else(|| match stray {
        '(' | ')' | '[' | ']' | '{' | '}' | '"' | '\'' => None,
        '\n' => Some('\n'),
        _ => (!stray.is_alphanumeric()).then_some(' '),
    })
}

/// Each stray character costs a reading of the text.
const MAX_STRAYS: usize = if MAX_ERRORS < 10 { MAX_ERRORS } else { 10 };

fn mistake(found: Option<char>, span: Span) -> Diagnostic {
    let message = match found {
        Some(open @ ('(' | '[' | '{')) => format!("this `{open}` is never closed"),
        Some(close @ (')' | ']' | '}')) => {
            format!("no bracket is open that this `{close}` could close")
        }
        Some('"') => "this string has no end, or an escape it may not have".to_owned(),
        Some('/') => "this comment has no end".to_owned(),
        Some(other) if other.is_alphanumeric() => "this is no word and no number".to_owned(),
        Some('\'') => "`'` means nothing here".to_owned(),
        Some(other) => format!("`{}` means nothing here", other.escape_debug()),
        None => "the text ends within a token".to_owned(),
    };
    let mistake = error(LEXICAL, span, message);
    match found {
        Some(stray) if let Some(meant) = meant(stray) => mistake.write(meant),
        Some(stray) if !"([{\"'/".contains(stray) => mistake.help("take it away").fix(span, ""),
        _ => mistake,
    }
}

/// The ASCII character that one of text set by a word processor, or by another keyboard, stands for.
fn meant(stray: char) -> Option<char> {
    Some(match stray {
        '\u{2010}'..='\u{2015}' | '\u{2212}' => '-',
        '×' | '·' | '∙' | '⋅' => '*',
        '÷' => '/',
        // The forms of East Asian width.
        '！'..='～' => char::from_u32(stray as u32 - 0xfee0)?,
        _ => return None,
    })
}

/// The word between quotes of another kind with which a text begins, and its length with them.
fn quoted_word(text: &str) -> Option<(&str, usize)> {
    let inside = text.strip_prefix(['\'', '‘', '“', '„'])?;
    let behind = inside.trim_start_matches(|c: char| c.is_alphanumeric() || "_.*".contains(c));
    let word = &inside[..inside.len() - behind.len()];
    let close = behind.chars().next().filter(|c| ['\'', '’', '”', '“'].contains(c))?;
    (!word.is_empty()).then_some((word, text.len() - behind.len() + close.len_utf8()))
}

fn one_character((line, column): (u32, u32)) -> Span {
    Span::new((line, column), (line, column + 1))
}

/// The innermost bracket that is open at the end of a text, with line and column. Comments and strings are stepped
/// over; their finer points do not matter, since this only words a message.
fn open_bracket(text: &str) -> Option<(char, (u32, u32))> {
    let mut open = Vec::new();
    let (mut line, mut column) = (1, 0);
    let mut skipping = Skipping::Nothing;
    let mut before = ' ';
    for c in text.chars() {
        column += 1;
        skipping = skipping.after(before, c);
        match c {
            '(' | '[' | '{' if skipping == Skipping::Nothing => open.push((c, (line, column))),
            ')' | ']' | '}' if skipping == Skipping::Nothing => {
                open.pop();
            }
            '\n' => (line, column) = (line + 1, 0),
            _ => {}
        }
        // Two backslashes escape nothing, and the `/` that ends a comment begins none.
        let is_spent = (before, c) == ('\\', '\\') || (before, c) == ('*', '/');
        before = if is_spent { ' ' } else { c };
    }
    open.pop()
}

/// What the scan for brackets is inside of.
#[derive(Clone, Copy, PartialEq)]
enum Skipping {
    Nothing,
    Line,
    Block,
    String,
}

impl Skipping {
    fn after(self, before: char, c: char) -> Skipping {
        match (self, before, c) {
            (Skipping::Nothing, '/', '/') => Skipping::Line,
            (Skipping::Nothing, '/', '*') => Skipping::Block,
            (Skipping::Nothing, _, '"') => Skipping::String,
            (Skipping::Line, _, '\n') => Skipping::Nothing,
            (Skipping::Block, '*', '/') => Skipping::Nothing,
            (Skipping::String, '\\', '"') => Skipping::String,
            (Skipping::String, _, '"') => Skipping::Nothing,
            (same, ..) => same,
        }
    }
}

/// Byte of a character given by line and column.
fn byte_at(text: &str, (line, column): (u32, u32)) -> Option<usize> {
    let line_start = match line {
        0 | 1 => 0,
        _ => text.match_indices('\n').nth(line as usize - 2)?.0 + 1,
    };
    let mut in_line = text[line_start..].char_indices();
    let (offset, _) = in_line.nth(column.saturating_sub(1) as usize)?;
    Some(line_start + offset)
}

/// Where the first bracket stands that is nested deeper than `limit`.
pub(super) fn first_deeper_than(limit: usize, tokens: TokenStream, lines_before: u32) -> Span {
    let mut levels = vec![tokens.into_iter()];
    while let Some(level) = levels.last_mut() {
        match level.next() {
            Some(TokenTree::Group(group)) if levels.len() > limit => {
                return shifted(span_of(group.span_open()), lines_before);
            }
            Some(TokenTree::Group(group)) => levels.push(group.stream().into_iter()),
            Some(_) => {}
            None => {
                levels.pop();
            }
        }
    }
    Span::UNKNOWN
}

/// The span as many lines further down.
pub(super) fn shifted(span: Span, lines: u32) -> Span {
    Span { line: span.line.saturating_add(lines), end_line: span.end_line.saturating_add(lines), ..span }
}
