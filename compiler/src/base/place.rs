//! Where something was written.
//!
//! A [`Span`] is a stretch of one file: lines and columns count from 1, columns count characters, and the end
//! stands just behind the last character. Line 0 means *unknown*: a value that no text caused. Lines are always
//! lines of the user's file, also for the text that `network!` keeps, which begins somewhere in the middle of it:
//! its [`Source`] knows the number of its first line. So a span found while rustc runs and one found when the same
//! text is read again at run time are equal, and a span can be looked up among a macro's tokens by line and column.
//!
//! A [`Place`] is a span with the name of its file. It is what the nodes of a graph keep.

use std::fmt;
use std::sync::Arc;

/// A stretch of a file, without the file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// Line of the first character, from 1; 0 when unknown.
    pub line: u32,
    /// Column of the first character, from 1.
    pub column: u32,
    /// Line of the last character.
    pub end_line: u32,
    /// Column just behind the last character.
    pub end_column: u32,
}

impl Span {
    /// The span of something that stands in no text.
    pub const UNKNOWN: Span = Span { line: 0, column: 0, end_line: 0, end_column: 0 };

    /// The stretch from one character to just before another, both as (line, column).
    pub fn new(start: (u32, u32), end: (u32, u32)) -> Span {
        Span { line: start.0, column: start.1, end_line: end.0, end_column: end.1 }
    }

    /// Whether the span stands in a text at all.
    pub fn is_known(self) -> bool {
        self.line > 0
    }

    /// The smallest span that covers both; an unknown one adds nothing.
    pub fn to(self, other: Span) -> Span {
        match (self.is_known(), other.is_known()) {
            (_, false) => self,
            (false, true) => other,
            (true, true) => Span::new(self.start().min(other.start()), self.end().max(other.end())),
        }
    }

    /// (line, column) of the first character.
    pub fn start(self) -> (u32, u32) {
        (self.line, self.column)
    }

    /// (line, column) just behind the last character.
    pub fn end(self) -> (u32, u32) {
        (self.end_line, self.end_column)
    }

    /// Whether `other` lies within this span.
    pub fn contains(self, other: Span) -> bool {
        self.is_known() && other.is_known() && self.start() <= other.start() && other.end() <= self.end()
    }
}

/// A stretch of a named file, shown as `digits.net:9:25`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    /// Name of the file, as the user gave it.
    pub file: Arc<str>,
    /// Where in the file.
    pub span: Span,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.span.line, self.span.column)
    }
}

/// The place of a builder call, taken with `#[track_caller]`.
impl From<&std::panic::Location<'_>> for Place {
    fn from(location: &std::panic::Location<'_>) -> Place {
        let start = (location.line(), location.column());
        Place { file: Arc::from(location.file()), span: Span::new(start, (start.0, start.1 + 1)) }
    }
}

/// A text, the name of the file it stands in, and the number of its first line there.
#[derive(Clone, Debug)]
pub struct Source {
    name: Arc<str>,
    text: Arc<str>,
    first_line: u32,
    /// Byte at which each line begins.
    line_starts: Arc<[usize]>,
}

impl Source {
    /// A whole file.
    pub fn new(name: &str, text: &str) -> Source {
        Source::within(name, text, 1)
    }

    /// A text that begins at line `first_line` of the file `name`.
    pub fn within(name: &str, text: &str, first_line: u32) -> Source {
        let after_newlines = text.match_indices('\n').map(|(at, _)| at + 1);
        Source {
            name: Arc::from(name),
            text: Arc::from(text),
            first_line: first_line.max(1),
            line_starts: std::iter::once(0).chain(after_newlines).collect(),
        }
    }

    /// Name of the file.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The text itself.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Number of the text's first line in its file, from 1.
    pub fn first_line(&self) -> u32 {
        self.first_line
    }

    /// The line of this number without its end, if it belongs to the text.
    pub fn line(&self, number: u32) -> Option<&str> {
        let index = number.checked_sub(self.first_line)? as usize;
        let start = *self.line_starts.get(index)?;
        let end = self.line_starts.get(index + 1).map_or(self.text.len(), |next| next - 1);
        Some(self.text[start..end].trim_end_matches('\r'))
    }

    /// The bytes of [`Source::text`] that a span covers; nothing if the text does not have it.
    pub fn bytes(&self, span: Span) -> Option<std::ops::Range<usize>> {
        let (start, end) = (self.byte(span.start())?, self.byte(span.end())?);
        (start <= end).then_some(start..end)
    }

    /// The byte at line and column; behind the line's last character its end.
    fn byte(&self, (line, column): (u32, u32)) -> Option<usize> {
        let text = self.line(line)?;
        let start = self.line_starts[(line - self.first_line) as usize];
        let within = text.char_indices().nth((column as usize).saturating_sub(1));
        Some(start + within.map_or(text.len(), |(byte, _)| byte))
    }

    /// The span with this file's name.
    pub fn place(&self, span: Span) -> Place {
        Place { file: self.name.clone(), span }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_reads_file_line_column() {
        let source = Source::new("digits.net", "a\nbc\n");
        let place = source.place(Span::new((2, 1), (2, 3)));
        assert_eq!(place.to_string(), "digits.net:2:1");
    }

    #[test]
    fn lines_are_numbered_as_in_the_file() {
        let source = Source::within("main.rs", "a\r\nbc\n", 40);
        assert_eq!(source.line(39), None);
        assert_eq!(source.line(40), Some("a"));
        assert_eq!(source.line(41), Some("bc"));
        assert_eq!(source.line(42), Some(""));
        assert_eq!(source.line(43), None);
    }

    #[test]
    fn joining_covers_both_and_ignores_the_unknown() {
        let left = Span::new((1, 5), (1, 9));
        let right = Span::new((2, 1), (2, 3));
        assert_eq!(left.to(right), Span::new((1, 5), (2, 3)));
        assert_eq!(right.to(left), left.to(right));
        assert_eq!(left.to(Span::UNKNOWN), left);
        assert_eq!(Span::UNKNOWN.to(left), left);
        assert!(left.to(right).contains(right));
        assert!(!left.contains(right));
    }
}
