//! From tokens back to text.
//!
//! A macro gets tokens, and the program it expands to needs their text, to read its own declaration again and to
//! show its lines in messages. [`text_of`] lays the tokens out so that each stands at the line and column it has in
//! the user's file, counted from the line of the first token: what is lost is comments, what is kept is every place.
//! Tokens that lie about their place (another macro made them, or an editor knows no places) are laid out one after
//! the other; then only the order is kept. A doc comment reaches a macro as `#[doc = "…"]` and is written as the
//! comment it was.

use crate::base::place::{Source, Span};
use proc_macro2::{Delimiter, Group, LineColumn, Spacing, TokenStream, TokenTree};

/// The text of tokens and the number of its first line in the user's file.
pub fn text_of(tokens: TokenStream) -> (String, u32) {
    let pieces = pieces_of(tokens);
    let first_line = pieces.first().map_or(1, |piece| piece.start.line.max(1));
    let mut layout = Layout::new(first_line);
    for piece in &pieces {
        layout.place(piece);
    }
    (layout.text, u32::try_from(first_line).unwrap_or(1))
}

/// The text of tokens as a source of the file `name`.
pub fn source_of(name: &str, tokens: TokenStream) -> Source {
    let (text, first_line) = text_of(tokens);
    Source::within(name, &text, first_line)
}

/// Tokens on one line: spaces where the user had some, a line break only behind a doc comment.
pub fn line_of(tokens: TokenStream) -> String {
    let mut text = String::new();
    let mut last: Option<&Piece> = None;
    let pieces = pieces_of(tokens);
    for piece in &pieces {
        if let Some(last) = last {
            let apart = last.end != piece.start && !last.joins;
            if last.ends_line {
                text.push('\n');
            } else if apart || last.must_part_from(piece) {
                text.push(' ');
            }
        }
        text.push_str(&piece.text);
        last = Some(piece);
    }
    text
}

/// Where a token stands, when its text begins at the first line of a file.
pub fn span_of(span: proc_macro2::Span) -> Span {
    let (start, end) = (span.start(), span.end());
    Span::new(from_one(start), from_one(end))
}

fn from_one(at: LineColumn) -> (u32, u32) {
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    (count(at.line), count(at.column).saturating_add(1))
}

/// The first and the last token that lie in a span, for an error at a macro's tokens; where none does, as behind a
/// statement without `;`, the token before it.
pub fn tokens_at(tokens: TokenStream, span: Span) -> Option<(proc_macro2::Span, proc_macro2::Span)> {
    let pieces = pieces_of(tokens);
    let mut within = pieces.iter().filter(|piece| span.contains(span_of(piece.span)));
    if let Some(first) = within.next() {
        return Some((first.span, within.next_back().unwrap_or(first).span));
    }
    let before = |piece: &&Piece| span_of(piece.span).end() <= span.start();
    let nearest = pieces.iter().rfind(before).or(pieces.first())?;
    Some((nearest.span, nearest.span))
}

/// How deep brackets are nested in tokens, counted without recursion.
pub(super) fn depth_of(tokens: &TokenStream) -> usize {
    let mut deepest = 0;
    let mut open = vec![tokens.clone().into_iter()];
    while let Some(level) = open.last_mut() {
        match level.next() {
            Some(TokenTree::Group(group)) => open.push(group.stream().into_iter()),
            Some(_) => {}
            None => {
                deepest = deepest.max(open.len() - 1);
                open.pop();
            }
        }
    }
    deepest
}

/// A token, a bracket or a whole doc comment.
struct Piece {
    text: String,
    span: proc_macro2::Span,
    start: LineColumn,
    end: LineColumn,
    /// The next token belongs to it without a space between, as in `==`.
    joins: bool,
    /// It goes on to the end of its line, as a comment does.
    ends_line: bool,
}

impl Piece {
    fn new(text: String, span: proc_macro2::Span) -> Piece {
        Piece { text, span, start: span.start(), end: span.end(), joins: false, ends_line: false }
    }

    /// Whether the two would become one token, or other tokens, without a space.
    fn must_part_from(&self, next: &Piece) -> bool {
        let (Some(last), Some(first)) = (self.text.chars().last(), next.text.chars().next()) else {
            return false;
        };
        let is_word = |c: char| c == '_' || c.is_alphanumeric();
        let is_quote = |c: char| c == '"' || c == '\'';
        let words = (is_word(last) || is_quote(last)) && (is_word(first) || is_quote(first));
        let marks = is_mark(last) && is_mark(first);
        !self.joins && (words || marks)
    }
}

fn is_mark(c: char) -> bool {
    c.is_ascii_punctuation() && !"()[]{}\"'_".contains(c)
}

/// A group on the way through it.
struct Level {
    trees: Vec<TokenTree>,
    next: usize,
    close: Option<Piece>,
}

impl Level {
    fn new(tokens: TokenStream, close: Option<Piece>) -> Level {
        Level { trees: tokens.into_iter().collect(), next: 0, close }
    }
}

fn pieces_of(tokens: TokenStream) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut levels = vec![Level::new(tokens, None)];
    while let Some(level) = levels.last_mut() {
        let rest = &level.trees[level.next..];
        let Some(tree) = rest.first() else {
            pieces.extend(levels.pop().and_then(|level| level.close));
            continue;
        };
        if let Some((comment, length)) = doc_comment(rest) {
            level.next += length;
            pieces.push(comment);
            continue;
        }
        let mut inner = None;
        match tree {
            TokenTree::Group(group) => {
                let (opening, closing) = brackets(group);
                pieces.extend(opening);
                inner = Some(Level::new(group.stream(), closing));
            }
            TokenTree::Punct(punct) => {
                let mut piece = Piece::new(punct.as_char().to_string(), punct.span());
                piece.joins = punct.spacing() == Spacing::Joint;
                pieces.push(piece);
            }
            TokenTree::Ident(ident) => pieces.push(Piece::new(ident.to_string(), ident.span())),
            TokenTree::Literal(literal) => {
                pieces.push(Piece::new(literal.to_string(), literal.span()));
            }
        }
        level.next += 1;
        levels.extend(inner);
    }
    pieces
}

fn brackets(group: &Group) -> (Option<Piece>, Option<Piece>) {
    let (open, close) = match group.delimiter() {
        Delimiter::Parenthesis => ("(", ")"),
        Delimiter::Brace => ("{", "}"),
        Delimiter::Bracket => ("[", "]"),
        // Made by `macro_rules!` around a fragment. Nobody wrote it, but `$e * 2` means `($e) * 2`.
        Delimiter::None if binds_loosely(group) => ("(", ")"),
        Delimiter::None => return (None, None),
    };
    (Some(Piece::new(open.to_owned(), group.span_open())), Some(Piece::new(close.to_owned(), group.span_close())))
}

/// Whether a fragment has an operator that its surroundings could bind to something else; points and paths cannot be
/// torn apart.
fn binds_loosely(group: &Group) -> bool {
    let is_operator = |tree: TokenTree| matches!(tree, TokenTree::Punct(mark) if !".:".contains(mark.as_char()));
    group.stream().into_iter().any(is_operator)
}

/// A doc comment at the beginning of `trees` and the number of tokens it became.
///
/// All its tokens have the span of the comment, while those of a written `#[doc = "…"]` have spans of their own.
fn doc_comment(trees: &[TokenTree]) -> Option<(Piece, usize)> {
    let TokenTree::Punct(hash) = trees.first()? else {
        return None;
    };
    let (inner, length) = match trees.get(1)? {
        TokenTree::Punct(bang) if bang.as_char() == '!' => (true, 3),
        _ => (false, 2),
    };
    let TokenTree::Group(group) = trees.get(length - 1)? else {
        return None;
    };
    let span = hash.span();
    let is_comment = hash.as_char() == '#'
        && group.delimiter() == Delimiter::Bracket
        && group.span_open().start() == span.start()
        && span.start() != span.end();
    if !is_comment {
        return None;
    }
    let text = doc_text(&group.stream().into_iter().collect::<Vec<_>>())?;
    let (start, end) = (span.start(), span.end());
    // `/**x*/` is two characters longer than `///x`; a carriage return may count as one more.
    let is_line =
        start.line == end.line && end.column.saturating_sub(start.column) <= text.chars().count() + 4 && !text.contains('\n');
    let written = match (is_line, inner) {
        (true, false) => format!("///{text}"),
        (true, true) => format!("//!{text}"),
        (false, false) => format!("/**{text}*/"),
        (false, true) => format!("/*!{text}*/"),
    };
    let mut piece = Piece::new(written, span);
    piece.ends_line = is_line;
    Some((piece, length))
}

/// The text of `doc = "text"`.
pub(super) fn doc_text(trees: &[TokenTree]) -> Option<String> {
    let [TokenTree::Ident(word), TokenTree::Punct(equals), TokenTree::Literal(literal)] = trees else {
        return None;
    };
    if *word != "doc" || equals.as_char() != '=' {
        return None;
    }
    match syn::Lit::new(literal.clone()) {
        syn::Lit::Str(text) => Some(text.value()),
        _ => None,
    }
}

/// Text that grows token by token, and where its end stands in the user's file.
struct Layout<'a> {
    text: String,
    line: usize,
    column: usize,
    last: Option<&'a Piece>,
}

/// Wider gaps come from tokens of other files, not from a user.
const WIDEST_GAP: (usize, usize) = (10_000, 2_000);

impl<'a> Layout<'a> {
    fn new(first_line: usize) -> Layout<'a> {
        Layout { text: String::new(), line: first_line, column: 0, last: None }
    }

    fn place(&mut self, piece: &'a Piece) {
        let joined = self.last.is_some_and(|last| last.joins);
        if self.last.is_some_and(|last| last.ends_line) && piece.start.line <= self.line {
            self.push("\n");
        }
        if !joined && !self.pad_to(piece.start) && self.column > 0 {
            self.push(" ");
        }
        if self.last.is_some_and(|last| last.must_part_from(piece)) && self.touches() {
            self.push(" ");
        }
        self.push(&piece.text);
        self.last = Some(piece);
    }

    /// Goes forward to a place; `false` if it lies behind or unbelievably far ahead.
    fn pad_to(&mut self, to: LineColumn) -> bool {
        let ahead = (to.line, to.column) >= (self.line, self.column);
        if !ahead || to.line - self.line > WIDEST_GAP.0 || to.column > WIDEST_GAP.1 + self.column {
            return false;
        }
        self.push(&"\n".repeat(to.line - self.line));
        self.push(&" ".repeat(to.column - self.column));
        true
    }

    fn touches(&self) -> bool {
        !self.text.ends_with([' ', '\n'])
    }

    fn push(&mut self, text: &str) {
        self.text.push_str(text);
        match text.rfind('\n') {
            Some(at) => {
                self.line += text.matches('\n').count();
                self.column = text[at + 1..].chars().count();
            }
            None => self.column += text.chars().count(),
        }
    }
}
