//! `gradc summary` and `dump`: looking at a network without training it.

use crate::network::NetworkArguments;
use clap::Args;
use gradc::compiler::stages::Stage;
use gradc::{Error, Result};
use std::path::PathBuf;

#[derive(Args)]
pub struct Summary {
    #[command(flatten)]
    network: NetworkArguments,
}

impl Summary {
    pub fn run(self) -> Result<()> {
        print!("{}", self.network.model()?.summary());
        Ok(())
    }
}

#[derive(Args)]
pub struct Dump {
    #[command(flatten)]
    network: NetworkArguments,
    /// The stage, by its number or name: `03`, `fused`, `06-loops` (default: a list of the stages).
    #[arg(long)]
    stage: Option<String>,
    /// A folder that gets all stages as numbered files.
    #[arg(long, value_name = "FOLDER", conflicts_with = "stage")]
    all: Option<PathBuf>,
}

impl Dump {
    pub fn run(self) -> Result<()> {
        if let Some(folder) = &self.all {
            return self.network.model_with(true)?.dump(folder);
        }
        let Some(name) = &self.stage else {
            for stage in Stage::ALL {
                println!("{:18} {}", stage.file_name(), stage.about());
            }
            return Ok(());
        };
        let stage = Stage::find(name).ok_or_else(|| Error::Setting {
            name: "--stage".into(),
            found: format!("`{name}`"),
            expected: format!("one of: {}", Stage::ALL.iter().map(|stage| stage.file_name()).collect::<Vec<_>>().join(", ")),
        })?;
        let needs_text = matches!(stage, Stage::Clif | Stage::Assembly);
        print!("{}", self.network.model_with(needs_text)?.stage(stage));
        Ok(())
    }
}
