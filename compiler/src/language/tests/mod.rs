//! Statements of the specification: every form is read, prints canonically, and every slip gets its one message.

mod forms;
mod hostile;
mod mistakes;
mod places;

use super::ast::File;
use super::{parse, print};
use crate::base::diagnostics::Diagnostics;
use crate::base::place::Source;

/// The first example of the manual, as `network!` holds it.
const DIGITS: &str = include_str!("../../../../tests/cases/digits.net");

fn parse(text: &str) -> (File, Diagnostics) {
    parse::parse_text(&Source::new("test.net", text))
}

fn read(text: &str) -> File {
    let (file, mistakes) = parse(text);
    let shown = mistakes.render(&Source::new("test.net", text));
    assert!(mistakes.is_empty(), "{shown}");
    file
}

fn canonical(text: &str) -> String {
    print::file(&read(text))
}
