//! What `gradc explain` answers about a network: where a gradient comes from, why kernels are what they are, what became of a node, what
//! each byte is for.

use crate::inspect::find_stage;
use crate::network::{NetworkArguments, NetworkOptions};
use crate::print::say;
use clap::{ArgGroup, Args};
use gradc::compiler::explain::{derivation, life};
use gradc::compiler::fusion;
use gradc::{Error, Result};
use std::path::PathBuf;

/// A question about a network.
#[derive(Args)]
#[command(group = ArgGroup::new("question").required(false))]
pub struct Question {
    #[command(flatten)]
    options: NetworkOptions,
    /// Derives the gradient of a parameter step by step, each step beside a check by finite differences in f64.
    #[arg(long, value_name = "PARAMETER", group = "question")]
    gradient: Option<String>,
    /// For each kernel what was fused and what was refused, why, and what it moves through memory.
    #[arg(long, group = "question")]
    fusion: bool,
    /// The whole life of a node, from the source to machine instructions: `%41`.
    #[arg(long, value_name = "NODE", group = "question", value_parser = node)]
    node: Option<u32>,
    /// For each function how many of its bytes lead back to a node, and what the others are.
    #[arg(long, group = "question")]
    bytes: bool,
    /// The stage in which the node has this number.
    #[arg(long = "in", default_value = "03", value_name = "STAGE", requires = "node")]
    stage: String,
    /// Lines of each stage that are shown.
    #[arg(long, default_value_t = 16, value_name = "LINES", requires = "node")]
    lines: usize,
    /// The part of the program whose fusion is shown: initialize, train, evaluate or predict (default: all).
    #[arg(long, value_name = "NAME", requires = "fusion")]
    unit: Option<String>,
}

fn node(text: &str) -> std::result::Result<u32, String> {
    text.trim_start_matches('%').parse().map_err(|_| format!("`{text}` is no node; write it as %41"))
}

fn unanswered(question: &str, why: String) -> Error {
    Error::data(
        format!("{question}: {why}"),
        "",
        "`gradc summary` lists layers and parameters, `gradc dump` the nodes of each stage",
    )
}

impl Question {
    /// Whether anything is asked.
    pub fn is_asked(&self) -> bool {
        self.gradient.is_some() || self.fusion || self.node.is_some() || self.bytes
    }

    /// The answer for a file.
    pub fn answer(self, file: PathBuf) -> Result<()> {
        let network = self.options.clone().of(file);
        if let Some(parameter) = &self.gradient {
            let model = network.model()?;
            let derivation =
                derivation::derive(&model.front().gradient, parameter).map_err(|why| unanswered("--gradient", why))?;
            return say(&derivation.text());
        }
        if self.fusion {
            return say(&self.kernels(&network)?);
        }
        let declaration = network.declaration()?;
        let model = network.model_with(true)?;
        let Some(node) = self.node else { return say(&life::bytes(model.functions())) };
        let life = life::Life {
            front: model.front(),
            assembled: model.assembled(),
            functions: model.functions(),
            source: declaration.source(),
            shown: self.lines,
        };
        say(&life.text(find_stage("--in", &self.stage)?, node).map_err(|why| unanswered("--node", why))?)
    }

    fn kernels(&self, network: &NetworkArguments) -> Result<String> {
        let model = network.model()?;
        let units = &model.assembled().units;
        let mut text = String::new();
        for unit in units.iter().filter(|unit| self.unit.as_deref().is_none_or(|name| name == unit.name)) {
            text.push_str(&format!("unit {}\n{}\n", unit.name, fusion::text::print(&unit.graph, &unit.fusion, true)));
        }
        if text.is_empty() {
            let expected = format!("one of: {}", units.iter().map(|unit| unit.name).collect::<Vec<_>>().join(", "));
            return Err(Error::setting("--unit", format!("`{}`", self.unit.as_deref().unwrap_or_default()), &expected));
        }
        Ok(text)
    }
}
