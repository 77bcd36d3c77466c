//! A network from a file, with what the command line says about it.

use crate::print::tell;
use crate::weights::is_of_tensors;
use clap::{Args, ValueEnum};
use gradc::compiler::base::diagnostics::Diagnostics;
use gradc::compiler::base::place::Source;
use gradc::compiler::language::declaration::Elaborated;
use gradc::compiler::passes::{Context, validate};
use gradc::compiler::pipeline::{FrontError, front_with};
use gradc::{Declaration, Error, Model, Options, Result};
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

/// Which network, and what replaces its numbers.
#[derive(Args, Clone)]
pub struct NetworkArguments {
    /// The .net file.
    file: PathBuf,
    #[command(flatten)]
    options: NetworkOptions,
}

/// What is said of a network beside its file.
#[derive(Args, Clone)]
pub struct NetworkOptions {
    /// The network of the file that is meant, if it has several.
    #[arg(long, value_name = "NAME")]
    network: Option<String>,
    /// Replaces a constant or a setting; may be given several times.
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = assignment)]
    set: Vec<(String, f64)>,
    /// Fixes weights, order and masks.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Whether messages are coloured.
    #[arg(long, value_enum, value_name = "WHEN", default_value_t)]
    color: Colour,
}

/// When messages are coloured.
#[derive(Clone, Copy, Default, ValueEnum)]
enum Colour {
    /// On a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    Always,
    Never,
}

fn assignment(text: &str) -> std::result::Result<(String, f64), String> {
    let (name, value) = text.split_once('=').ok_or("write it as name=value")?;
    let value = value.trim().parse().map_err(|_| format!("`{value}` is not a number"))?;
    Ok((name.trim().to_string(), value))
}

/// Whether a file's name says that it holds data.
fn is_of_data(file: &Path) -> bool {
    let extension = file.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    ["csv", "tsv", "npy", "npz", "idx", "gz", "png"].contains(&extension.as_str())
}

impl NetworkOptions {
    /// With the file that they are said of.
    pub fn of(self, file: PathBuf) -> NetworkArguments {
        NetworkArguments { file, options: self }
    }
}

impl NetworkArguments {
    /// The file that is read.
    pub fn input(&self) -> (&'static str, &Path) {
        ("FILE", &self.file)
    }

    /// The file, if it holds tensors and no network.
    pub fn tensors(&self) -> Result<Option<&Path>> {
        if !is_of_tensors(&self.file) {
            return Ok(None);
        }
        let idle = [("--network", self.options.network.is_some()), ("--set", !self.options.set.is_empty())];
        match idle.iter().find(|(_, is_given)| *is_given) {
            Some((name, _)) => Err(Error::setting(name, "given beside a file of parameters", "given beside a .net file")),
            None => Ok(Some(&self.file)),
        }
    }

    /// Constants and settings that are replaced.
    pub fn set(&self) -> &[(String, f64)] {
        &self.options.set
    }

    /// The same of another file.
    pub fn of(&self, file: PathBuf) -> NetworkArguments {
        self.options.clone().of(file)
    }

    /// Parses the file.
    pub fn declaration(&self) -> Result<Declaration> {
        let name = self.file.display().to_string();
        let no_network = |kind: &str, expected: &str| Error::setting("FILE", format!("`{name}`, a file of {kind}"), expected);
        if is_of_tensors(&self.file) {
            let expected = "a .net file; parameters stand behind it, at `--weights`, and `gradc summary` tells what they are";
            return Err(no_network("parameters", expected));
        }
        let text = std::fs::read_to_string(&self.file).map_err(|source| Error::read(&self.file, source))?;
        let source = Source::new(&name, &text);
        let declared = Declaration::parse(source.clone()).and_then(|declaration| match &self.options.network {
            Some(network) => declaration.network(network),
            None => Ok(declaration),
        });
        let declaration = declared.map_err(|diagnostics| match is_of_data(&self.file) {
            true => no_network("data", "a .net file; data stand behind it, at `--data`"),
            false => Error::Model(self.shown(&diagnostics, &source)),
        })?;
        let names = || self.options.set.iter().map(|(name, _)| name);
        if let Some((_, name)) = names().enumerate().find(|(number, name)| names().take(*number).any(|before| before == *name)) {
            return Err(Error::setting("--set", format!("given twice for `{name}`"), "given once a name"));
        }
        Ok(self.options.set.iter().fold(declaration, |declaration, (name, value)| declaration.size(name, *value)))
    }

    /// Builds its graphs.
    pub fn elaborated(&self, declaration: &Declaration) -> Result<Elaborated> {
        declaration.elaborate().map_err(|diagnostics| Error::Model(self.shown(&diagnostics, declaration.source())))
    }

    /// Diagnostics as text, in colours if they are wanted.
    pub fn shown(&self, diagnostics: &Diagnostics, source: &Source) -> String {
        let is_coloured = match self.options.color {
            Colour::Auto => std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none(),
            Colour::Always => true,
            Colour::Never => false,
        };
        if is_coloured { diagnostics.render_in_colour(source) } else { diagnostics.render(source) }
    }

    /// What fixes weights and random data.
    pub fn seed(&self) -> u64 {
        self.options.seed
    }

    /// Evaluates every graph before and after each pass on random inputs, and says so; the error names the pass that changed a value.
    pub fn validate(&self) -> Result<()> {
        let declaration = self.declaration()?;
        let networks = self.elaborated(&declaration)?;
        let options = Context { validate: true, ..Context::new() };
        let front =
            front_with(&networks.training, &networks.evaluation, String::new(), &options).map_err(|error| match error {
                FrontError::Network(fault) => Error::Model(format!("{fault}\n")),
                FrontError::Bug(bug) => Error::Internal { pass: bug.pass.into(), text: bug.to_string() },
            })?;
        let rewrites = front.forward_rewrites.log.len() + front.step_rewrites.log.len();
        match validate::is_affordable(&front.gradient) {
            true => tell(&format!("validated: {rewrites} rewrites, each pass evaluated before and after on random inputs\n")),
            false => tell("not validated: the step is too large to be evaluated in f64 after each pass\n"),
        }
        Ok(())
    }

    /// Compiles it.
    pub fn model(&self) -> Result<Model> {
        self.model_with(false)
    }

    /// Compiles it, and keeps the text of the machine code if asked to.
    pub fn model_with(&self, text: bool) -> Result<Model> {
        self.compiled(|options| Options { text: text || options.text, ..options }).map(|(model, _)| model)
    }

    /// Compiles it with what is asked for beside the usual options, and gives its lints as text.
    pub fn compiled(&self, asked: impl FnOnce(Options) -> Options) -> Result<(Model, String)> {
        let options = asked(Options { seed: self.options.seed, ..Options::default() });
        let declaration = self.declaration()?;
        // Mistakes are shown here, where it is known whether in colours.
        let lints = self.shown(&self.elaborated(&declaration)?.warnings, declaration.source());
        Ok((Model::from_declaration(&declaration, &options)?, lints))
    }
}
