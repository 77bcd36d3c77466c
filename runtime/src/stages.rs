//! Stages as text, made when they are asked for, and the sink that writes them.

use crate::error::{Error, Result};
use crate::model::Model;
use gradc_compiler::codegen::Compiled;
use gradc_compiler::pipeline::Front;
use gradc_compiler::program::Assembled;
use gradc_compiler::stages;
pub use gradc_compiler::stages::Stage;
use std::io::Write as _;
use std::path::Path;

impl Model {
    /// The text of a stage.
    pub fn stage(&self, stage: Stage) -> String {
        let compiled = &self.compiled;
        stages::text(stage, &compiled.front, &compiled.assembled, &compiled.module, &compiled.options.instruction_set.to_string())
    }

    /// What the front half of the compiler made.
    pub fn front(&self) -> &Front {
        &self.compiled.front
    }

    /// The program, with everything that led to it.
    pub fn assembled(&self) -> &Assembled {
        &self.compiled.assembled
    }

    /// The compiled functions: kernels in their order, then entries.
    pub fn functions(&self) -> &[Compiled] {
        self.compiled.module.functions()
    }

    /// Writes all stages as numbered text files into a folder, which is made if need be.
    pub fn dump(&self, folder: impl AsRef<Path>) -> Result<()> {
        let folder = folder.as_ref();
        std::fs::create_dir_all(folder).map_err(|error| Error::write(folder, error))?;
        for stage in Stage::ALL {
            let file = folder.join(format!("{}.txt", stage.file_name()));
            std::fs::write(&file, self.stage(*stage)).map_err(|error| Error::write(&file, error))?;
        }
        Ok(())
    }

    /// Adds the generated functions to the file in which `perf` looks for names of code that no file holds.
    pub(crate) fn write_perf_map(&self) -> Result<()> {
        let file = std::path::PathBuf::from(format!("/tmp/perf-{}.map", std::process::id()));
        let failed = |error| Error::write(&file, error);
        let mut out = std::fs::OpenOptions::new().create(true).append(true).open(&file).map_err(failed)?;
        for function in self.compiled.module.functions() {
            writeln!(out, "{:x} {:x} {}", function.address, function.size, function.name).map_err(failed)?;
        }
        Ok(())
    }
}
