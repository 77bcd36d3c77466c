//! A declaration: the text of a network with everything that may be told apart from it.

use super::ast::{File, Item};
use super::elaborate::{Elaboration, elaborate};
use super::parse::parse_text;
use crate::base::diagnostics::Diagnostics;
use crate::base::place::Source;
use crate::nn::Network;
use std::collections::BTreeMap;

/// A parsed text and the network of it that is meant.
#[derive(Clone, Debug)]
pub struct Declaration {
    source: Source,
    file: File,
    network: usize,
    sizes: BTreeMap<String, f64>,
    rust: Vec<Option<f64>>,
}

/// The network at both its times.
#[derive(Clone, Debug)]
pub struct Elaborated {
    pub training: Network,
    pub evaluation: Network,
    pub warnings: Diagnostics,
}

impl Declaration {
    /// Parses a text; its first network is meant.
    pub fn parse(source: Source) -> Result<Declaration, Diagnostics> {
        let (file, diagnostics) = parse_text(&source);
        let network = file.items.iter().position(|item| matches!(item, Item::Network(_)));
        match network {
            Some(network) if !diagnostics.has_errors() => {
                Ok(Declaration { source, file, network, sizes: BTreeMap::new(), rust: Vec::new() })
            }
            _ => Err(diagnostics),
        }
    }
    /// The text.
    pub fn source(&self) -> &Source {
        &self.source
    }
    /// Another network of the text.
    pub fn network(mut self, name: &str) -> Result<Declaration, Diagnostics> {
        if let Some(network) =
            self.file.items.iter().position(|item| matches!(item, Item::Network(network) if network.name.text == name))
        {
            self.network = network;
        }
        Ok(self)
    }
    /// Replaces a constant.
    pub fn size(mut self, name: &str, value: f64) -> Declaration {
        self.sizes.insert(name.to_string(), value);
        self
    }
    /// Values of Rust expressions in the text, in order.
    pub fn rust_values(mut self, values: &[f64]) -> Declaration {
        self.rust = values.iter().copied().map(Some).collect();
        self
    }
    /// Builds the network for both times.
    pub fn elaborate(&self) -> Result<Elaborated, Diagnostics> {
        let Item::Network(network) = &self.file.items[self.network] else { return Err(Diagnostics::new()) };
        let build = |training| {
            elaborate(
                &self.file,
                network,
                &self.source,
                &Elaboration { training, sizes: self.sizes.clone(), rust: self.rust.clone() },
            )
        };
        let (training, warnings) = build(true);
        if warnings.has_errors() {
            return Err(warnings);
        }
        let (evaluation, diagnostics) = build(false);
        if diagnostics.has_errors() {
            return Err(diagnostics);
        }
        Ok(Elaborated { training, evaluation, warnings })
    }
    /// The canonical text.
    pub fn text(&self) -> String {
        super::print::file(&self.file)
    }
}
