//! What is wrong with a user's network, as values.
//!
//! A [`Diagnostic`] has one primary place, at which the mistake stands, any number of secondary places, from which
//! what contradicts it comes, and at most one help line: a change that compiles, which [`Fix`] makes. An error has a code (`E0201`); a
//! warning has the name of its lint, by which `allow(…)` silences it. Every stage collects its diagnostics in
//! [`Diagnostics`] and goes on, so that all mistakes of a network are reported at once. They become text in one
//! place, [`Diagnostic::render`]; before that nothing is worded with line numbers.

use super::place::{Source, Span};
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

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

/// A change that compiles: what stands at the place gives way to the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fix {
    /// What is replaced; empty where something is inserted.
    pub span: Span,
    /// What stands there instead.
    pub text: String,
}

impl Fix {
    /// The text with the change made.
    pub fn applied(&self, source: &Source) -> Option<String> {
        let bytes = source.bytes(self.span)?;
        let text = source.text();
        Some(format!("{}{}{}", &text[..bytes.start], self.text, &text[bytes.end..]))
    }
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
    /// One change that compiles, in words.
    pub help: Option<String>,
    /// The same as an edit of the text, where one edit makes it.
    pub fix: Option<Fix>,
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
        Diagnostic {
            code,
            severity,
            message,
            primary: Label { span, text: String::new() },
            secondary: Vec::new(),
            help: None,
            fix: None,
        }
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

    /// Offers a change that compiles, in words only.
    pub fn help(mut self, text: impl Into<String>) -> Diagnostic {
        self.help = Some(text.into());
        self
    }

    /// Offers to put this text in the place of what is underlined.
    pub fn write(self, text: impl Into<String>) -> Diagnostic {
        let (span, text) = (self.primary.span, text.into());
        // Words stand on one line.
        let words = text.lines().map(str::trim).collect::<Vec<_>>().join(" ");
        self.help(format!("write `{words}`")).fix(span, text)
    }

    /// Offers the name that was perhaps meant.
    pub fn perhaps(self, near: Option<&str>) -> Diagnostic {
        match near {
            Some(near) => self.write(near),
            None => self,
        }
    }

    /// The edit that the help means.
    pub fn fix(mut self, span: Span, text: impl Into<String>) -> Diagnostic {
        self.fix = Some(Fix { span, text: text.into() });
        self
    }

    /// Whether this is an error.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    /// The diagnostic as it is shown for a file: message, place, underlined lines, help.
    pub fn render(&self, source: &Source) -> String {
        self.draw(source, &Renderer::plain())
    }

    fn draw(&self, source: &Source, renderer: &Renderer) -> String {
        let (level, code) = match self.severity {
            Severity::Error => (Level::ERROR, self.code),
            Severity::Warning(lint) => (Level::WARNING, lint),
        };
        let title = Group::with_title(level.primary_title(shown(&self.message)).id(code));
        let mut groups = vec![match self.snippet(source) {
            Some(snippet) => title.element(snippet),
            None => title,
        }];
        groups.extend(self.help.as_ref().map(|help| Group::with_title(Level::HELP.secondary_title(shown(help)))));
        renderer.render(&groups) + "\n"
    }

    /// The underlined lines; nothing for a place that stands in no text.
    fn snippet<'a>(&'a self, source: &'a Source) -> Option<Snippet<'a, annotate_snippets::Annotation<'a>>> {
        let draw = |kind: AnnotationKind, label: &'a Label| {
            let underline = kind.span(source.bytes(label.span)?);
            Some(if label.text.is_empty() { underline } else { underline.label(shown(&label.text)) })
        };
        let primary = draw(AnnotationKind::Primary, &self.primary)?;
        let secondary = self.secondary.iter().filter_map(|label| draw(AnnotationKind::Context, label));
        let snippet = Snippet::source(source.text()).path(source.name()).line_start(source.first_line() as usize);
        Some(snippet.annotation(primary).annotations(secondary))
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

    /// Adds those of another walk over the same text that this one has not found.
    pub fn join(&mut self, others: impl IntoIterator<Item = Diagnostic>) {
        for other in others {
            if !self.list.contains(&other) {
                self.list.push(other);
            }
        }
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

    /// All of them, to be changed.
    pub fn iter_mut(&mut self) -> std::slice::IterMut<'_, Diagnostic> {
        self.list.iter_mut()
    }

    /// Keeps those for which the condition holds.
    pub fn retain(&mut self, condition: impl FnMut(&Diagnostic) -> bool) {
        self.list.retain(condition);
    }

    /// Orders them by place; equal places keep their order.
    pub fn sort(&mut self) {
        self.list.sort_by_key(|d| d.primary.span.start());
    }

    /// All of them as text without colours, an empty line between two.
    pub fn render(&self, source: &Source) -> String {
        self.draw(source, &Renderer::plain())
    }

    /// The same in the colours in which rustc shows its own, for a terminal.
    pub fn render_in_colour(&self, source: &Source) -> String {
        self.draw(source, &Renderer::styled())
    }

    fn draw(&self, source: &Source, renderer: &Renderer) -> String {
        let texts: Vec<String> = self.list.iter().map(|diagnostic| diagnostic.draw(source, renderer)).collect();
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

/// What a user or a file wrote may hold control characters, and they must not reach a terminal.
pub fn shown(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
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
4 |     let hidden = pixels.dense(128);
5 |     let logits = hidden.dense(10);
  |                         --------- [batch, 10] comes from here
6 |     minimize logits.cross_entropy(digit);
  |                     ^^^^^^^^^^^^^
  |
help: write `hidden.dense(12)`
";
        assert_eq!(diagnostic.render(&Source::new("digits.net", NETWORK)), expected);
    }

    #[test]
    fn places_of_one_line_share_it() {
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
    |         - ^ - [batch, 128]
    |         | |
    |         | here
    |         [batch, 64]
";
        assert_eq!(diagnostic.render(&Source::within("main.rs", text, 101)), expected);
    }

    #[test]
    fn a_fix_edits_the_text() {
        let source = Source::within("main.rs", "let é = x;\nlet y = é;\n", 101);
        let applied = |start, end, text: &str| Fix { span: Span::new(start, end), text: text.into() }.applied(&source);
        assert_eq!(applied((102, 9), (102, 10), "x.relu()").as_deref(), Some("let é = x;\nlet y = x.relu();\n"));
        assert_eq!(applied((101, 11), (101, 11), ";").as_deref(), Some("let é = x;;\nlet y = é;\n"));
        assert_eq!(applied((100, 1), (100, 2), "").as_deref(), None);
    }

    #[test]
    fn colours_are_drawn_when_asked_for() {
        let mut all = Diagnostics::new();
        all.push(Diagnostic::error("E0101", Span::new((1, 1), (1, 2)), "no"));
        let source = Source::new("a.net", "x");
        assert!(!all.render(&source).contains('\u{1b}'));
        assert!(all.render_in_colour(&source).contains('\u{1b}'));
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
