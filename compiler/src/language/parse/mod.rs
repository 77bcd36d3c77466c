//! The parser: tokens to tree, every mistake in one go.
//!
//! It is a recursive descent over syn's token buffer. A function that cannot go on returns a `Slip`; the nearest
//! enclosing list (arguments up to the next `,`, statements up to the next `;`, items up to the next brace) reports
//! it, steps over the rest of its element and goes on with the next. So a slip costs one element and one message.
//!
//! Nothing written can harm the process: brackets are counted before anything recurses, the height of the tree is
//! kept under [`MAX_HEIGHT`], literals have a longest form, and after [`MAX_ERRORS`] messages the parser stops.
//!
//! | code | mistake |
//! |---|---|
//! | `E0101` | a character or a bracket that makes no token |
//! | `E0102` | a token where the grammar wants another |
//! | `E0103` | nesting too deep, an expression too long, too many mistakes |
//! | `E0104` | a number that is none: out of range, with a suffix |
//! | `E0105` | a statement where it may not stand, a word that begins no statement |
//! | `E0106` | arguments out of order or given twice |
//! | `E0107` | a form of Rust that the language does not have; the message names what it has instead |

mod arguments;
mod blocks;
mod constants;
mod declarations;
mod expressions;
mod foreign;
mod items;
mod lexical;
mod loops;
mod statements;
mod tokens;

use super::ast::{Expression, File, Name, RustNumber};
use super::source::depth_of;
use crate::base::diagnostics::{Diagnostic, Diagnostics};
use crate::base::place::{Source, Span};
use proc_macro2::TokenStream;
use std::collections::HashSet;
use syn::buffer::TokenBuffer;
use tokens::Tokens;

/// How deep brackets may be nested.
pub const MAX_NESTING: usize = 64;
/// How many nodes high an expression or a nest of blocks may be.
pub const MAX_HEIGHT: usize = 128;
/// After how many messages the parser stops.
pub const MAX_ERRORS: usize = 100;

const LEXICAL: &str = "E0101";
const UNEXPECTED: &str = "E0102";
const LIMIT: &str = "E0103";
const NUMBER: &str = "E0104";
const MISPLACED: &str = "E0105";
const ARGUMENTS: &str = "E0106";
const FOREIGN: &str = "E0107";

/// Parses a text: a `.net` file, or what `network!` kept of its tokens.
pub fn parse_text(source: &Source) -> (File, Diagnostics) {
    match lexical::tokens_of(source) {
        Ok((tokens, mistakes)) => parse(tokens, source.first_line() - 1, mistakes),
        Err(mistakes) => (File::default(), mistakes),
    }
}

/// Parses the tokens that rustc hands to a macro.
pub fn parse_tokens(tokens: TokenStream) -> (File, Diagnostics) {
    parse(tokens, 0, Diagnostics::new())
}

/// Parses a text that is one expression, such as the `adam(rate = 1e-3)` behind `using`, with the Rust numbers in it.
pub fn parse_expression(source: &Source) -> Result<(Expression, Vec<RustNumber>), Diagnostics> {
    let tokens = lexical::tokens_of(source).and_then(|(tokens, mistakes)| match mistakes.has_errors() {
        true => Err(mistakes),
        false => Ok(tokens),
    })?;
    let mut parser = Parser::default();
    if depth_of(&tokens) > MAX_NESTING {
        let place = lexical::first_deeper_than(MAX_NESTING, tokens, source.first_line() - 1);
        let message = format!("brackets are nested more than {MAX_NESTING} deep");
        parser.report(Diagnostic::error(LIMIT, place, message).into());
        return Err(parser.diagnostics);
    }
    constants::declared(&tokens, &mut parser.declared);
    let buffer = TokenBuffer::new2(tokens);
    let mut tokens = Tokens::new(buffer.begin(), source.first_line() - 1);
    let value = match parser.expression(&mut tokens) {
        Ok(_) if !tokens.is_empty() => Err(tokens.expected("the end of the expression").into()),
        other => other,
    };
    match value {
        Ok(value) if !parser.diagnostics.has_errors() => Ok((value, parser.rust)),
        Ok(_) => Err(parser.diagnostics),
        Err(slip) => {
            parser.report(slip);
            Err(parser.diagnostics)
        }
    }
}

/// `lines_before` is the number of lines that stand before the text in its file.
fn parse(tokens: TokenStream, lines_before: u32, mistakes: Diagnostics) -> (File, Diagnostics) {
    let mut parser = Parser { diagnostics: mistakes, ..Parser::default() };
    if depth_of(&tokens) > MAX_NESTING {
        let message = format!("brackets are nested more than {MAX_NESTING} deep");
        let place = lexical::first_deeper_than(MAX_NESTING, tokens, lines_before);
        parser.report(Diagnostic::error(LIMIT, place, message).into());
        return (File::default(), parser.diagnostics);
    }
    constants::declared(&tokens, &mut parser.declared);
    let buffer = TokenBuffer::new2(tokens);
    let items = parser.items(&mut Tokens::new(buffer.begin(), lines_before));
    let rust = parser.rust;
    // Characters that make no token were found before everything else.
    parser.diagnostics.sort();
    (File { items, rust }, parser.diagnostics)
}

/// A mistake on its way to the list that reports it.
struct Slip(Box<Diagnostic>);

impl From<Diagnostic> for Slip {
    fn from(diagnostic: Diagnostic) -> Slip {
        Slip(Box::new(diagnostic))
    }
}

type Parsed<T> = Result<T, Slip>;

/// What the parser has found so far.
#[derive(Default)]
struct Parser {
    diagnostics: Diagnostics,
    rust: Vec<RustNumber>,
    /// Names like Rust's constants that the text gives to values of its own.
    declared: HashSet<String>,
    /// Height of the expression or block that was parsed last.
    height: usize,
    /// Names beside the one of the last `let`, which stood in brackets with it.
    beside: Vec<Name>,
    /// Tokens were stepped over since the last statement; what is missing behind them was already said.
    stepped_over: bool,
}

impl Parser {
    fn report(&mut self, slip: Slip) {
        if self.is_exhausted() {
            return;
        }
        let last = slip.0.primary.span;
        self.diagnostics.push(*slip.0);
        if self.is_exhausted() {
            let message = format!("more than {MAX_ERRORS} mistakes; the rest was not read");
            self.diagnostics.push(Diagnostic::error(LIMIT, last, message));
        }
    }

    /// Whether so much is wrong that reading on helps nobody.
    fn is_exhausted(&self) -> bool {
        self.diagnostics.len() >= MAX_ERRORS
    }

    /// Sets the height of what was just built on something `below` nodes high.
    fn raise(&mut self, below: usize, span: Span) -> Parsed<()> {
        self.height = below + 1;
        if self.height <= MAX_HEIGHT {
            return Ok(());
        }
        let message = format!("this is nested or chained more than {MAX_HEIGHT} deep");
        Err(Diagnostic::error(LIMIT, span, message).help("name a part of it with `let`, or write a loop").into())
    }

    /// The value, or `Invalid` for one that cannot be read; then the tokens stand at the end of the statement.
    fn value(&mut self, tokens: &mut Tokens) -> Expression {
        let start = tokens.here();
        match self.expression(tokens) {
            Ok(value) => value,
            Err(slip) => {
                self.report(slip);
                self.step_over(tokens);
                self.height = 1;
                Expression::invalid(start.to(tokens.last()))
            }
        }
    }

    /// Goes on to the end of a statement in which something was wrong: before `;` or before a line that begins the
    /// next statement.
    fn step_over(&mut self, tokens: &mut Tokens) {
        self.stepped_over = true;
        while !tokens.is_empty() && !tokens.at(";") && !self.next_line_begins(tokens) {
            tokens.skip();
        }
    }

    /// Whether the next token is the first of its line and begins a statement.
    fn next_line_begins(&self, tokens: &Tokens) -> bool {
        let first_of_line = tokens.here().line > tokens.last().end_line;
        first_of_line && statements::begins_statement(tokens)
    }
}

fn error(code: &'static str, span: Span, message: impl Into<String>) -> Diagnostic {
    Diagnostic::error(code, span, message)
}
