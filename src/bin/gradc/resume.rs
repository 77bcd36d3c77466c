//! `gradc train --checkpoint FILE --resume`: a training that may be ended at any time.

use crate::print::tell;
use clap::Args;
use gradc::{Error, Model, Result};
use std::path::{Path, PathBuf};

#[derive(Args)]
pub struct Checkpoint {
    /// Writes the whole training there after each epoch: parameters, the optimizer's moments, step and seed.
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,
    /// Goes on from the file of --checkpoint if it is there, with the bits that the run would have had: the same command with --resume beside it,
    /// whose --epochs and --steps are those of the whole training. Seed and parameters are the file's.
    #[arg(long, requires = "checkpoint")]
    resume: bool,
}

/// What a run has left to do of all epochs or steps.
pub enum Left {
    Epochs(u64),
    Steps(u64),
}

impl Checkpoint {
    /// The file that is written.
    pub fn file(&self) -> Option<&Path> {
        self.checkpoint.as_deref()
    }

    /// Whether a file was gone on from. One that is there without being asked for stays: a run that begins anew would replace it after its first
    /// epoch.
    pub fn begin(&self, model: &mut Model, set: &[(String, f64)]) -> Result<bool> {
        let Some(file) = self.file() else { return Ok(false) };
        if file.exists() && !file.is_file() {
            let found = format!("`{}`, which is no file", file.display());
            return Err(Error::setting("--checkpoint", found, "a file, from which the training can go on"));
        }
        if !file.exists() {
            if self.resume {
                tell(&format!("note: there is no `{}` yet: begins from the start\n", file.display()));
            }
            return Ok(false);
        }
        if !self.resume {
            let expected = "a new file; `--resume` goes on from this one";
            return Err(Error::setting("--checkpoint", format!("`{}`, which is there", file.display()), expected));
        }
        let names: Vec<String> = model.info().settings.iter().map(|setting| setting.name.clone()).collect();
        let values = |model: &Model| names.iter().map(|name| model.setting(name)).collect::<Result<Vec<f64>>>();
        let written = values(model)?;
        model.load_checkpoint(file)?;
        // What this command says of settings holds from here on; of constants it has said it before.
        let settings: Vec<&(String, f64)> = set.iter().filter(|(name, _)| model.setting(name).is_ok()).collect();
        settings.into_iter().try_for_each(|(name, value)| model.set(name, *value))?;
        for ((name, written), value) in names.iter().zip(written).zip(values(model)?) {
            if value != written {
                tell(&format!("note: `{name}` is {value}, as in the checkpoint, and not {written}\n"));
            }
        }
        let (steps, epochs) = (model.steps_taken(), model.epochs_begun());
        tell(&format!("note: goes on from `{}`, {steps} steps and {epochs} epochs from the start\n", file.display()));
        Ok(true)
    }

    /// What is left of so many epochs or steps (default: one epoch).
    pub fn left(&self, model: &Model, epochs: Option<u64>, steps: Option<u64>) -> Result<Left> {
        let rest = |name: &str, all: u64, done: u64| {
            let seen = || Error::setting(name, format!("{all}, and the checkpoint has seen {done}"), &format!("at least {done}"));
            all.checked_sub(done).ok_or_else(seen)
        };
        match (epochs, steps) {
            (_, Some(steps)) => rest("--steps", steps, model.steps_taken()).map(Left::Steps),
            (epochs, None) => rest("--epochs", epochs.unwrap_or(1), model.epochs_begun()).map(Left::Epochs),
        }
    }
}
