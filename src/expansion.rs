//! What the code that `network!` writes calls. Not for use by hand.

use crate::{Declaration, Model, Options, Prediction, Predictor, Result};
use gradc_compiler::base::place::Source;
use gradc_runtime::compiled;
use gradc_runtime::error::Error;

/// The text of a network as it stands in the user's file.
#[derive(Clone, Copy, Debug)]
pub struct Text<'a> {
    /// Each token at the line and column that it has in the file.
    pub text: &'a str,
    /// The user's file.
    pub file: &'a str,
    /// The line at which the text begins.
    pub first_line: u32,
    /// Name of the network among those of the text.
    pub network: &'a str,
    /// Values of Rust expressions in the text, in order.
    pub rust: &'a [f64],
    /// Sizes given in place of the declared constants.
    pub sizes: &'a [(&'static str, f64)],
}

/// Parses the text again: the same code that ran while rustc compiled.
pub fn declaration(text: &Text) -> Result<Declaration> {
    let source = Source::within(text.file, text.text, text.first_line);
    let declaration = Declaration::parse(source.clone()).map_err(|diagnostics| Error::Model(diagnostics.render(&source)))?;
    let declaration = declaration.network(text.network).map_err(|diagnostics| Error::Model(diagnostics.render(&source)))?;
    let declaration = declaration.rust_values(text.rust);
    Ok(text.sizes.iter().fold(declaration, |declaration, (name, value)| declaration.size(name, *value)))
}

/// Compiles the network.
pub fn compile(text: &Text, seed: u64) -> Result<Model> {
    Model::from_declaration(&declaration(text)?, &Options { seed, ..Options::default() })
}

/// Compiles what serves, and loads a file of parameters.
pub fn predictor(text: &Text, file: impl AsRef<std::path::Path>) -> Result<Predictor> {
    Predictor::from_declaration(&declaration(text)?, file, &Options::default())
}

/// Reads a file of data, whose columns or arrays fill the inputs in the order of their declaration, then the targets.
pub fn read(text: &Text, file: impl Into<gradc_runtime::data::Reader>) -> Result<crate::Dataset> {
    let front = compiled::front(&declaration(text)?)?;
    file.into().rows(&gradc_runtime::rows::specs(&front.info.fields, true), true)
}

/// Takes the first of what is served.
pub fn first(served: &mut Vec<(String, Prediction)>) -> Prediction {
    if served.is_empty() { Prediction::default() } else { served.remove(0).1 }
}
