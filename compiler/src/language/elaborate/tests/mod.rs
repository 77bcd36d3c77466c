//! Statements of the specification: what each form means, as a graph; what each mistake gets, as its message.
//!
//! The cases are texts under `tests/cases`. `BLESS=1 cargo test` writes what they give; the difference is reviewed.

mod cases;
mod hostile;
mod meanings;
mod mutations;

use super::{Elaboration, elaborate};
use crate::base::diagnostics::Diagnostics;
use crate::base::place::Source;
use crate::language::ast::Item;
use crate::language::parse::parse_text;
use crate::nn::Network;

/// The first network of a text at one time, with every mistake of syntax and of meaning.
fn elaborated(name: &str, text: &str, training: bool) -> (Option<Network>, Diagnostics) {
    let source = Source::new(name, text);
    let (file, mut mistakes) = parse_text(&source);
    let network = file.items.iter().find_map(|item| match item {
        Item::Network(network) => Some(network),
        _ => None,
    });
    let Some(network) = network else { return (None, mistakes) };
    let options = Elaboration { training, ..Elaboration::default() };
    let is_readable = !mistakes.has_errors();
    let (network, found) = elaborate(&file, network, &source, &options);
    mistakes.extend(found);
    mistakes.retain(|mistake| is_readable || mistake.is_error());
    mistakes.sort();
    (Some(network), mistakes)
}

/// A network without mistakes.
fn sound(text: &str, training: bool) -> Network {
    let (network, mistakes) = elaborated("test.net", text, training);
    assert!(!mistakes.has_errors(), "{}", mistakes.render(&Source::new("test.net", text)));
    network.expect("the text holds a network")
}

/// The rendered mistakes of a text.
fn mistakes(text: &str) -> String {
    elaborated("test.net", text, true).1.render(&Source::new("test.net", text))
}
