//! What is wrong with a user's network, as values.
//!
//! A [`Diagnostic`] has one primary place, at which the mistake stands, any number of secondary places, from which
//! what contradicts it comes, and at most one help line: a change that compiles. An error has a code (`E0201`); a
//! warning has the name of its lint, by which `allow(…)` silences it. Every stage collects its diagnostics in
//! [`Diagnostics`] and goes on, so that all mistakes of a network are reported at once. They become text in one
//! place, [`Diagnostic::render`]; before that nothing is worded with line numbers.

use super::place::{Source, Span};
use std::fmt::Write;

/// Whether a diagnostic stops compilation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The network cannot be built.
    Error,
    /// The lint of this name finds the network suspicious.
    Warning(&'static str),
}

/// A place and what is to be said about it; the text may be empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// What is underlined.
    pub span: Span,
    /// What stands behind the underline.
    pub text: String,
}

/// One mistake or one warning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// `E0201`, or the lint's name.
    pub code: &'static str,
    /// Error or warning.
    pub severity: Severity,
    /// The sentence that stands alone: it names what was found and what was expected.
    pub message: String,
    /// Where the mistake stands, underlined with `^`.
    pub primary: Label,
    /// Where its causes stand, underlined with `-`.
    pub secondary: Vec<Label>,
    /// One change that compiles.
    pub help: Option<String>,
}

impl Diagnostic {
    /// An error at a place.
    pub fn error(code: &'static str, span: Span, message: impl Into<String>) -> Diagnostic {
        Diagnostic::new(code, Severity::Error, span, message.into())
    }

    /// A warning of a lint at a place.
    pub fn warning(lint: &'static str, span: Span, message: impl Into<String>) -> Diagnostic {
        Diagnostic::new(lint, Severity::Warning(lint), span, message.into())
    }

    fn new(code: &'static str, severity: Severity, span: Span, message: String) -> Diagnostic {
        Diagnostic { code, severity, message, primary: Label { span, text: String::new() }, secondary: Vec::new(), help: None }
    }

    /// Says this behind the primary underline.
    pub fn label(mut self, text: impl Into<String>) -> Diagnostic {
        self.primary.text = text.into();
        self
    }

    /// Adds a place from which the mistake comes.
    pub fn because(mut self, span: Span, text: impl Into<String>) -> Diagnostic {
        self.secondary.push(Label { span, text: text.into() });
        self
    }

    /// Offers a change that compiles.
    pub fn help(mut self, text: impl Into<String>) -> Diagnostic {
        self.help = Some(text.into());
        self
    }

    /// Whether this is an error.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    /// The diagnostic as it is shown for a file: message, place, underlined lines, help.
    pub fn render(&self, source: &Source) -> String {
        let kind = match self.severity {
            Severity::Error => format!("error[{}]", self.code),
            Severity::Warning(lint) => format!("warning[{lint}]"),
        };
        let mut out = format!("{kind}: {}\n", self.message);
        if self.primary.span.is_known() {
            render_places(&mut out, self, source);
        }
        if let Some(help) = &self.help {
            let _ = writeln!(out, "help: {help}");
        }
        out
    }
}

/// All that is wrong with a text, in the order in which it was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diagnostics {
    list: Vec<Diagnostic>,
}

impl Diagnostics {
    /// No diagnostics.
    pub fn new() -> Diagnostics {
        Diagnostics::default()
    }

    /// Adds one.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        self.list.push(diagnostic);
    }

    /// Adds all of another stage.
    pub fn extend(&mut self, others: impl IntoIterator<Item = Diagnostic>) {
        self.list.extend(others);
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there are none, warnings included.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Whether one of them is an error.
    pub fn has_errors(&self) -> bool {
        self.list.iter().any(Diagnostic::is_error)
    }

    /// All of them in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.list.iter()
    }

    /// Keeps those for which the condition holds.
    pub fn retain(&mut self, condition: impl FnMut(&Diagnostic) -> bool) {
        self.list.retain(condition);
    }

    /// Orders them by place; equal places keep their order.
    pub fn sort(&mut self) {
        self.list.sort_by_key(|d| d.primary.span.start());
    }

    /// All of them as text, an empty line between two.
    pub fn render(&self, source: &Source) -> String {
        let texts: Vec<String> = self.list.iter().map(|d| d.render(source)).collect();
        texts.join("\n")
    }
}

impl IntoIterator for Diagnostics {
    type Item = Diagnostic;
    type IntoIter = std::vec::IntoIter<Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.list.into_iter()
    }
}

impl<'a> IntoIterator for &'a Diagnostics {
    type Item = &'a Diagnostic;
    type IntoIter = std::slice::Iter<'a, Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// Widest stretch of a source line that is shown.
const SHOWN: usize = 160;

/// A label on its way to the screen.
struct Underline<'a> {
    label: &'a Label,
    mark: char,
}

fn render_places(out: &mut String, diagnostic: &Diagnostic, source: &Source) {
    let mut underlines: Vec<Underline> =
        diagnostic.secondary.iter().filter(|label| label.span.is_known()).map(|label| Underline { label, mark: '-' }).collect();
    underlines.push(Underline { label: &diagnostic.primary, mark: '^' });
    underlines.sort_by_key(|u| u.label.span.start());

    let last_line = underlines.last().map_or(1, |u| u.label.span.line);
    let width = last_line.to_string().len();
    let place = source.place(diagnostic.primary.span);
    let _ = writeln!(out, "{:width$} --> {place}", "");
    let _ = writeln!(out, "{:width$}  |", "");
    for group in underlines.chunk_by(|a, b| a.label.span.line == b.label.span.line) {
        let number = group[0].label.span.line;
        let Some(line) = source.line(number) else {
            // A place outside the text: what is said there is still worth saying.
            for underline in group.iter().filter(|u| !u.label.text.is_empty()) {
                let _ = writeln!(out, "{number:>width$}  | {}", underline.label.text);
            }
            continue;
        };
        let window = Window::around(line, group[0].label.span.column);
        let _ = writeln!(out, " {number:>width$} | {}", window.text);
        for underline in group {
            let (pad, marks) = window.underline(line, underline);
            let row = format!("{pad}{marks} {}", underline.label.text);
            let _ = writeln!(out, " {:width$} | {}", "", row.trim_end());
        }
    }
}

/// The part of a line that is shown; a line of ordinary length whole.
struct Window {
    text: String,
    /// Characters of the line left out at its beginning.
    skipped: usize,
}

impl Window {
    fn around(line: &str, column: u32) -> Window {
        // Cheap for lines of any length: only what is shown is looked at.
        let is_long = line.chars().nth(SHOWN).is_some();
        let skipped = match is_long {
            true => (column as usize).saturating_sub(SHOWN / 3),
            false => 0,
        };
        let text = line.chars().skip(skipped).take(SHOWN).map(shown).collect();
        Window { text, skipped }
    }

    fn underline(&self, line: &str, underline: &Underline) -> (String, String) {
        let span = underline.label.span;
        let start = (span.column as usize).saturating_sub(1 + self.skipped);
        // What goes on behind the line is underlined to the line's end.
        let end = match span.end_line == span.line {
            true => (span.end_column as usize).saturating_sub(1 + self.skipped),
            false => self.text.chars().count(),
        };
        let pad = line
            .chars()
            .skip(self.skipped)
            .chain(std::iter::repeat(' '))
            .take(start.min(SHOWN))
            .map(|c| if c == '\t' { '\t' } else { ' ' })
            .collect();
        let length = end.min(SHOWN).saturating_sub(start.min(SHOWN)).max(1);
        (pad, underline.mark.to_string().repeat(length))
    }
}

/// Control characters of a source must not reach a terminal.
fn shown(c: char) -> char {
    if c.is_control() && c != '\t' { char::REPLACEMENT_CHARACTER } else { c }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NETWORK: &str = "\
pub Digits {
    input  pixels: [batch, 64];
    target digit:  class(12);
    let hidden = pixels.dense(128);
    let logits = hidden.dense(10);
    minimize logits.cross_entropy(digit);
}
";

    #[test]
    fn several_places_are_shown_in_their_order_in_the_file() {
        let diagnostic = Diagnostic::error(
            "E0201",
            Span::new((6, 21), (6, 34)),
            "cross_entropy needs one logit a class: `logits` has 10, `digit` has 12 classes",
        )
        .because(Span::new((5, 25), (5, 34)), "[batch, 10] comes from here")
        .because(Span::new((3, 20), (3, 29)), "12 classes come from here")
        .help("write `hidden.dense(12)`");
        let expected = "\
error[E0201]: cross_entropy needs one logit a class: `logits` has 10, `digit` has 12 classes
  --> digits.net:6:21
   |
 3 |     target digit:  class(12);
   |                    --------- 12 classes come from here
 5 |     let logits = hidden.dense(10);
   |                         --------- [batch, 10] comes from here
 6 |     minimize logits.cross_entropy(digit);
   |                     ^^^^^^^^^^^^^
help: write `hidden.dense(12)`
";
        assert_eq!(diagnostic.render(&Source::new("digits.net", NETWORK)), expected);
    }

    #[test]
    fn places_of_one_line_have_a_row_each() {
        let text = "let y = x + h;\n";
        let diagnostic = Diagnostic::error("E0202", Span::new((101, 11), (101, 12)), "not added")
            .label("here")
            .because(Span::new((101, 13), (101, 14)), "[batch, 128]")
            .because(Span::new((101, 9), (101, 10)), "[batch, 64]");
        let expected = "\
error[E0202]: not added
    --> main.rs:101:11
     |
 101 | let y = x + h;
     |         - [batch, 64]
     |           ^ here
     |             - [batch, 128]
";
        assert_eq!(diagnostic.render(&Source::within("main.rs", text, 101)), expected);
    }

    #[test]
    fn a_warning_shows_its_lint_and_an_unknown_place_is_left_out() {
        let warning = Diagnostic::warning("minimized_mean_error", Span::UNKNOWN, "signs cancel");
        assert_eq!(warning.render(&Source::new("a.net", "")), "warning[minimized_mean_error]: signs cancel\n");
    }

    #[test]
    fn long_lines_and_control_characters_are_tamed() {
        let text = format!("\u{1b}[31m{}", "x".repeat(1000));
        let diagnostic = Diagnostic::error("E0101", Span::new((1, 900), (1, 905)), "no");
        let shown = diagnostic.render(&Source::new("a.net", &text));
        assert!(!shown.contains('\u{1b}'));
        assert!(shown.lines().all(|line| line.len() < 200), "{shown}");
        assert!(shown.contains("^^^^^\n"));
    }
}
