//! `gradc draw`: the training step as a picture.

use crate::data::batch;
use crate::network::NetworkArguments;
use clap::Args;
use gradc::compiler::draw::{Options, dot, picture, svg};
use gradc::{Error, Result};
use std::path::{Path, PathBuf};

#[derive(Args)]
pub struct Draw {
    #[command(flatten)]
    network: NetworkArguments,
    /// The file to write: `.svg`, or `.dot` for Graphviz.
    #[arg(short, long, value_name = "FILE")]
    out: PathBuf,
    /// Nodes of a layer that are shown.
    #[arg(long, default_value_t = 8, value_name = "LINES")]
    lines: usize,
    /// Rows of the batch for which bytes are given.
    #[arg(long, default_value_t = 64, value_name = "ROWS", value_parser = batch)]
    batch: usize,
    /// Draw every turn of a loop, also those that are like the turn before.
    #[arg(long)]
    all_turns: bool,
}

impl Draw {
    pub fn run(self) -> Result<()> {
        let model = self.network.model()?;
        let graphs = &model.front().graphs;
        let graph = graphs.training.as_ref().or(graphs.prediction.as_ref()).ok_or_else(|| Error::Setting {
            name: "FILE".into(),
            found: "a network without a step and without predictions".into(),
            expected: "something to draw".into(),
        })?;
        let picture = picture(graph, Options { lines: Some(self.lines), batch: self.batch, folded: !self.all_turns });
        let kind = self.out.extension().and_then(|kind| kind.to_str()).unwrap_or_default();
        let text = match kind {
            "svg" => svg::svg(&picture),
            "dot" | "gv" => dot::dot(&picture),
            _ => {
                return Err(Error::Setting {
                    name: "--out".into(),
                    found: format!("`{}`", self.out.display()),
                    expected: "a file that ends in .svg or .dot".into(),
                });
            }
        };
        write(&self.out, &text)
    }
}

/// Writes a file.
pub fn write(file: &Path, text: &str) -> Result<()> {
    std::fs::write(file, text).map_err(|source| Error::Io { action: "write", path: file.to_path_buf(), source })
}
