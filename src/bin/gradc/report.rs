//! `gradc report`: source, graph, loops, memory and machine code on one page.

use crate::draw::write;
use crate::network::NetworkArguments;
use crate::outputs::{self, Writing};
use clap::Args;
use gradc::compiler::explain::page::Page;
use gradc::{Result, Zeros};
use std::path::PathBuf;

#[derive(Args)]
pub struct Report {
    #[command(flatten)]
    network: NetworkArguments,
    /// The HTML file to write; it needs no other.
    #[arg(short, long, value_name = "FILE")]
    out: PathBuf,
    /// Trained parameters: the heading then tells the share of exact zeros under proximal penalties.
    #[arg(long, value_name = "FILE")]
    weights: Option<PathBuf>,
}

impl Report {
    pub fn run(self) -> Result<()> {
        let weights = self.weights.iter().map(|file| ("--weights", file.as_path()));
        let inputs: Vec<_> = weights.chain([self.network.input()]).collect();
        outputs::check(&[("--out", &self.out, Writing::Directly)], &inputs)?;
        let declaration = self.network.declaration()?;
        let mut model = self.network.model_with(true)?;
        let mut notes = Vec::new();
        if let Some(weights) = &self.weights {
            model.load(weights)?;
            let share = |zeros: &Zeros| format!("{}: {:.1} % exact zeros", zeros.name, 100.0 * zeros.share());
            notes.extend(model.zeros().iter().map(share));
        }
        let page = Page {
            front: model.front(),
            assembled: model.assembled(),
            functions: model.functions(),
            source: declaration.source(),
            target: &model.instruction_set().to_string(),
            notes: &notes,
        };
        write(&self.out, &page.html())
    }
}
