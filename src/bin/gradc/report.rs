//! `gradc report`: source, graph, loops, memory and machine code on one page.

use crate::draw::write;
use crate::network::NetworkArguments;
use clap::Args;
use gradc::Result;
use gradc::compiler::explain::page::Page;
use std::path::PathBuf;

#[derive(Args)]
pub struct Report {
    #[command(flatten)]
    network: NetworkArguments,
    /// The HTML file to write; it needs no other.
    #[arg(short, long, value_name = "FILE")]
    out: PathBuf,
}

impl Report {
    pub fn run(self) -> Result<()> {
        let declaration = self.network.declaration()?;
        let model = self.network.model_with(true)?;
        let page = Page {
            front: model.front(),
            assembled: model.assembled(),
            functions: model.functions(),
            source: declaration.source(),
            target: &model.instruction_set().to_string(),
        };
        write(&self.out, &page.html())
    }
}
