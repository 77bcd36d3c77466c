//! `gradc summary` and `dump`: looking at a network without training it.

use crate::network::NetworkArguments;
use crate::print::say;
use clap::Args;
use gradc::compiler::stages::Stage;
use gradc::compiler::summary::summary;
use gradc::runtime::checkpoint;
use gradc::{Error, Result};
use std::path::PathBuf;

#[derive(Args)]
pub struct Summary {
    #[command(flatten)]
    network: NetworkArguments,
}

impl Summary {
    pub fn run(self) -> Result<()> {
        if let Some(file) = self.network.tensors()? {
            return say(&checkpoint::load(file)?.summary());
        }
        let declaration = self.network.declaration()?;
        let networks = self.network.elaborated(&declaration)?;
        say(&summary(&networks.training, &networks.evaluation))
    }
}

/// The stage of the name or number that is given behind a flag.
pub fn find_stage(flag: &str, name: &str) -> Result<Stage> {
    // Of no name or number at all each would be the first.
    let is_said = name.chars().any(|character| !matches!(character, '0' | '-' | '.'));
    Stage::find(name).filter(|_| is_said).ok_or_else(|| Error::Setting {
        name: flag.into(),
        found: format!("`{name}`"),
        expected: format!("one of: {}", Stage::ALL.iter().map(|stage| stage.file_name()).collect::<Vec<_>>().join(", ")),
    })
}

/// Whether a stage shows machine code, whose text is kept only if asked for.
pub fn needs_text(stage: Stage) -> bool {
    matches!(stage, Stage::Clif | Stage::Assembly)
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
            // A list of stages is one of a network that has them.
            self.network.elaborated(&self.network.declaration()?)?;
            let line = |stage: &Stage| format!("{:18} {}\n", stage.file_name(), stage.about());
            return say(&Stage::ALL.iter().map(line).collect::<String>());
        };
        let stage = find_stage("--stage", name)?;
        say(&self.network.model_with(needs_text(stage))?.stage(stage))
    }
}
