//! Data from CSV files, as the command line describes them.

use clap::Args;
use gradc::runtime::rows::specs;
use gradc::{Dataset, Error, Model, Result};
use std::path::PathBuf;

/// A CSV file, `.gz` too: its columns fill the inputs in the order of their declaration, then the targets.
#[derive(Args, Clone)]
pub struct DataArguments {
    /// The CSV file (`.gz` too). Its columns fill the inputs in the order of their declaration, then the targets.
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
    /// A second file with the targets.
    #[arg(long, value_name = "FILE", requires = "data")]
    targets: Option<PathBuf>,
    /// Leaves out so many lines before the header.
    #[arg(long, default_value_t = 0, value_name = "LINES")]
    skip: usize,
    /// What stands between columns; a run of spaces separates like one.
    #[arg(long, value_name = "CHARACTER")]
    separator: Option<char>,
    /// The columns to read, in this order, by name or by number from 1.
    #[arg(long, value_delimiter = ',', value_name = "A,B,C")]
    columns: Option<Vec<String>>,
    /// The column of the target, by name or by number from 1; may be given once a target.
    #[arg(long, value_name = "COLUMN")]
    target: Vec<String>,
}

impl DataArguments {
    /// Reads the rows that a network needs; `None` if no file was named.
    pub fn read(&self, model: &Model, with_targets: bool) -> Result<Option<Dataset>> {
        let Some(file) = &self.data else { return Ok(None) };
        let mut csv = Dataset::csv(file.clone()).skip(self.skip);
        if let Some(separator) = self.separator {
            csv = csv.separator(separator);
        }
        if let Some(columns) = &self.columns {
            csv = csv.columns(columns);
        }
        for target in &self.target {
            csv = csv.target(target);
        }
        if let Some(targets) = &self.targets {
            csv = csv.targets(targets.clone());
        }
        let fields = &model.info().fields;
        let table = csv.read()?;
        // A file for prediction may still have its targets.
        let all = specs(fields, true);
        let width: usize = all.iter().map(|spec| spec.shape.iter().product::<usize>()).sum();
        let specs = if with_targets || table.width() == width { all } else { specs(fields, false) };
        table.bind(&specs).map(Some)
    }

    /// As [`DataArguments::read`], where data must be given.
    pub fn need(&self, model: &Model, with_targets: bool) -> Result<Dataset> {
        self.read(model, with_targets)?.ok_or_else(|| Error::Setting {
            name: "--data".into(),
            found: "left out".into(),
            expected: format!("a CSV file with the columns of {}", fields(model)),
        })
    }
}

/// The network's inputs and targets, as a user knows them.
fn fields(model: &Model) -> String {
    let name = |field: &gradc::compiler::driver::Field| format!("`{}` {}", field.name, field.ty);
    model.info().fields.iter().map(name).collect::<Vec<_>>().join(", ")
}
