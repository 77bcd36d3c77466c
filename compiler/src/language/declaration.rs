//! A declaration: the text of a network with everything that may be told apart from it.
//!
//! A program holds one for each `network!`, the command one for each `.net` file. Constants get other values, statements are
//! replaced, and only then the network is elaborated: variants of a network need no copies of its text. What replaces a statement
//! is written into the text, so that every mistake is shown in the lines that caused it.

mod defaults;
#[cfg(test)]
mod tests;
mod text;

use super::ast::{File, Item, Network as Written, StatementKind};
use super::elaborate::{Elaboration, RUST_NUMBER, disagreement, elaborate};
use super::parse::{parse_expression, parse_text};
use super::print;
use crate::base::diagnostics::{Diagnostic, Diagnostics};
use crate::base::names::nearest;
use crate::base::place::{Source, Span};
use crate::nn::Network;
use crate::nn::fault::NAME_UNKNOWN;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// A parsed text and the network of it that is meant.
#[must_use = "a declaration that is changed is another one"]
#[derive(Clone, Debug)]
pub struct Declaration {
    source: Source,
    file: File,
    /// Place of the network in [`File::items`].
    network: usize,
    sizes: BTreeMap<String, f64>,
    rust: Vec<Option<f64>>,
}

/// The network at both its times.
#[derive(Clone, Debug)]
pub struct Elaborated {
    /// At training time: dropout draws, batch norm uses the batch's moments.
    pub training: Network,
    /// At evaluation time; same parameters and saved states.
    pub evaluation: Network,
    /// Lints that were not allowed.
    pub warnings: Diagnostics,
}

/// Mistakes and the text that they are in.
#[derive(Clone, Debug)]
pub struct Refused {
    /// What was read.
    pub source: Source,
    /// What is wrong with it.
    pub diagnostics: Diagnostics,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.diagnostics.render(&self.source).trim_end())
    }
}

impl std::error::Error for Refused {}

impl Declaration {
    /// Parses a text; its first network is meant.
    ///
    /// # Errors
    /// All slips of syntax; a text without a network.
    pub fn parse(source: Source) -> Result<Declaration, Diagnostics> {
        let (file, mut diagnostics) = parse_text(&source);
        let network = file.items.iter().position(|item| matches!(item, Item::Network(_)));
        match network {
            Some(network) if !diagnostics.has_errors() => {
                Ok(Declaration { source, file, network, sizes: BTreeMap::new(), rust: Vec::new() })
            }
            // What could be read is checked all the same, so that all mistakes come at once.
            Some(network) => {
                let declaration = Declaration { source, file, network, sizes: BTreeMap::new(), rust: Vec::new() };
                let rust = vec![None; declaration.file.rust.len()];
                let (_, found) = Declaration { rust, ..declaration }.at(true, BTreeSet::new());
                diagnostics.extend(found);
                diagnostics.retain(Diagnostic::is_error);
                diagnostics.sort();
                Err(diagnostics)
            }
            None => {
                if !diagnostics.has_errors() {
                    let start = (source.first_line(), 1);
                    let message = "this text declares no network";
                    let mistake = Diagnostic::error(NAME_UNKNOWN, Span::new(start, start), message);
                    diagnostics.push(mistake.help("write `Name { input …; minimize …; using …; }`"));
                }
                Err(diagnostics)
            }
        }
    }
    /// The text, replaced statements included.
    pub fn source(&self) -> &Source {
        &self.source
    }
    /// The network of this name among those of the text.
    ///
    /// # Errors
    /// There is none; the nearest name is told.
    pub fn network(mut self, name: &str) -> Result<Declaration, Diagnostics> {
        let found = self.file.items.iter().position(|item| matches!(item, Item::Network(known) if known.name.text == name));
        match found {
            Some(network) => {
                self.network = network;
                Ok(self)
            }
            None => {
                let known: Vec<&str> = self.networks().map(|network| network.name.text.as_str()).collect();
                let mistake = Diagnostic::error(NAME_UNKNOWN, self.written().name.span, format!("no network is called `{name}`"));
                let help = match nearest(name, known.iter().copied()) {
                    Some(near) => format!("there is `{near}`"),
                    None => format!("there are {}", known.join(", ")),
                };
                let mut diagnostics = Diagnostics::new();
                diagnostics.push(mistake.help(help));
                Err(diagnostics)
            }
        }
    }
    /// Gives a constant or a setting another value; a name that the network does not have is an error of [`Declaration::elaborate`].
    pub fn size(mut self, name: &str, value: f64) -> Declaration {
        self.sizes.insert(name.to_string(), value);
        self
    }
    /// Values of Rust expressions in the text, in their order.
    pub fn rust_values(mut self, values: &[f64]) -> Declaration {
        self.rust = values.iter().copied().map(Some).collect();
        self
    }
    /// Replaces the optimizer: `using("nadam(1e-3).clip_norm(1)")`.
    ///
    /// # Errors
    /// The text is no expression. What it means is checked by [`Declaration::elaborate`].
    pub fn using(self, optimizer: &str) -> Result<Declaration, Refused> {
        self.replaced("using", optimizer)
    }
    /// Replaces what is minimised: `minimize("logits.cross_entropy(digit) + l1(1e-5)")`.
    ///
    /// # Errors
    /// The text is no expression. What it means is checked by [`Declaration::elaborate`].
    pub fn minimize(self, loss: &str) -> Result<Declaration, Refused> {
        self.replaced("minimize", loss)
    }
    /// Builds the network for both times.
    ///
    /// # Errors
    /// All mistakes of the network, those that only one of the two times has included.
    pub fn elaborate(&self) -> Result<Elaborated, Diagnostics> {
        let (training, mut warnings) = self.at(true, BTreeSet::new());
        if warnings.has_errors() {
            return Err(warnings);
        }
        let (evaluation, diagnostics) = self.at(false, training.needed_biases.clone());
        if diagnostics.has_errors() {
            return Err(diagnostics);
        }
        warnings.join(diagnostics);
        if let Some(mistake) = disagreement(&training, &evaluation) {
            warnings.push(mistake);
            return Err(warnings);
        }
        Ok(Elaborated { training, evaluation, warnings })
    }
    /// What was written with every default filled in: each call with all its arguments, each weight with the initialiser that was
    /// chosen and why, each statement with its place. The text declares the same network again.
    pub fn text(&self) -> String {
        text::of(self)
    }

    fn at(&self, training: bool, biases: BTreeSet<String>) -> (Network, Diagnostics) {
        let options = Elaboration { training, sizes: self.sizes.clone(), rust: self.rust.clone(), biases };
        elaborate(&self.file, self.written(), &self.source, &options)
    }

    fn networks(&self) -> impl Iterator<Item = &Written> {
        self.file.items.iter().filter_map(|item| match item {
            Item::Network(network) => Some(network),
            Item::Function(_) | Item::Optimizer(_) => None,
        })
    }

    fn written(&self) -> &Written {
        match &self.file.items[self.network] {
            Item::Network(network) => network,
            Item::Function(_) | Item::Optimizer(_) => unreachable!("`network` is the place of a network"),
        }
    }

    /// The declaration with another value behind the statement's word, in the text itself; without the statement it is added.
    fn replaced(self, word: &str, value: &str) -> Result<Declaration, Refused> {
        let given = Source::new(word, value);
        let value = match parse_expression(&given) {
            Ok((value, rust)) if rust.is_empty() => print::expression(&value),
            Ok((_, rust)) => {
                let mut diagnostics = Diagnostics::new();
                let message = format!("`{}` is known to rustc only", rust[0].text);
                diagnostics.push(Diagnostic::error(RUST_NUMBER, rust[0].span, message).help("write the number itself"));
                return Err(Refused { source: given, diagnostics });
            }
            Err(diagnostics) => return Err(Refused { source: given, diagnostics }),
        };
        let found = self.written().statements.iter().find_map(|statement| match &statement.kind {
            StatementKind::Using(value) if word == "using" => Some(value.span),
            StatementKind::Minimize(value) if word == "minimize" => Some(value.span),
            _ => None,
        });
        let (line, column) = self.written().span.end();
        let closing = Span::new((line, column - 1), (line, column - 1));
        let (span, value) = match found {
            Some(span) => (span, value),
            None => (closing, format!("{word} {value}; ")),
        };
        let (start, end) = (byte_at(&self.source, span.start()), byte_at(&self.source, span.end()));
        let text = self.source.text();
        // Whatever stands below stays on its line.
        let lines = "\n".repeat(text[start..end].matches('\n').count());
        let text = format!("{}{value}{lines}{}", &text[..start], &text[end..]);
        let source = Source::within(self.source.name(), &text, self.source.first_line());
        let numbers = self.file.rust.iter().zip(self.rust).filter(|(number, _)| !span.contains(number.span));
        let rust = numbers.map(|(_, value)| value).collect();
        match Declaration::parse(source.clone()) {
            Ok(declaration) => Ok(Declaration { network: self.network, sizes: self.sizes, rust, ..declaration }),
            Err(diagnostics) => Err(Refused { source, diagnostics }),
        }
    }
}

/// The byte of a line and column, both from 1, columns in characters.
fn byte_at(source: &Source, (line, column): (u32, u32)) -> usize {
    let before = (line - source.first_line()) as usize;
    let start: usize = source.text().split_inclusive('\n').take(before).map(str::len).sum();
    let within = source.text()[start..].char_indices().nth(column as usize - 1);
    within.map_or(source.text().len(), |(byte, _)| start + byte)
}
