//! Data from files, as the command line describes them.

use clap::Args;
use gradc::data::{Csv, Files, Reader};
use gradc::runtime::rows::specs;
use gradc::{Dataset, Error, Model, Result, Rows};
use std::path::{Path, PathBuf};

/// A file of data: what it holds fills the inputs in the order of their declaration, then the targets.
#[derive(Args, Clone)]
pub struct DataArguments {
    /// CSV, IDX (.idx, -ubyte), .npy, .npz or a folder of PNG images with one subfolder a class; `.gz` may follow. Columns and
    /// arrays fill the inputs in the order of their declaration, then the targets; the arrays of .npz are found by name.
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
    /// A second file with the targets.
    #[arg(long, value_name = "FILE", requires = "data")]
    targets: Option<PathBuf>,
    /// Leaves out so many lines of a CSV file before the header.
    #[arg(long, default_value_t = 0, value_name = "LINES", requires = "data")]
    skip: usize,
    /// Whether the first line of a CSV file holds names (default: if it is all text and the next line has a number).
    #[arg(long, value_name = "BOOL", requires = "data")]
    header: Option<bool>,
    /// What stands between columns of a CSV file (\t for a tab); a run of spaces separates like one.
    #[arg(long, value_name = "CHARACTER", value_parser = separator, requires = "data")]
    separator: Option<char>,
    /// The columns or arrays to read, in this order, by name or by number from 1; those of a second file are counted on.
    #[arg(long, value_delimiter = ',', value_name = "A,B,C", requires = "data")]
    columns: Option<Vec<String>>,
    /// The column of the target in a CSV file, by name or by number from 1; may be given once a target.
    #[arg(long, value_name = "COLUMN", requires = "data")]
    target: Vec<String>,
    /// A column of a CSV file that holds names of classes, numbered in the order of the names or in the order given
    /// (`--categories species=setosa,virginica`); may be given once a column.
    #[arg(long, value_name = "COLUMN[=A,B,C]", requires = "data")]
    categories: Vec<String>,
}

impl DataArguments {
    /// Whether a file was named.
    pub fn is_given(&self) -> bool {
        self.data.is_some()
    }

    /// The files that are read, by their flags.
    pub fn inputs(&self) -> impl Iterator<Item = (&'static str, &Path)> {
        [("--data", &self.data), ("--targets", &self.targets)]
            .into_iter()
            .filter_map(|(flag, file)| Some((flag, file.as_deref()?)))
    }

    /// Reads the rows that a network needs; `None` if no file was named.
    pub fn read(&self, model: &Model, with_targets: bool) -> Result<Option<Dataset>> {
        let Some(file) = &self.data else { return Ok(None) };
        if model.info().fields.is_empty() {
            let found = format!("given for `{}`, which has no inputs and no targets", model.name());
            return Err(Error::setting("--data", found, "left out"));
        }
        let reader = match Reader::from(file.clone()) {
            Reader::Csv(csv) => Reader::Csv(self.csv(csv)),
            Reader::Files(files) => Reader::Files(self.files(files)?),
        };
        reader.rows(&specs(&model.info().fields, true), with_targets).map(Some)
    }

    fn csv(&self, mut csv: Csv) -> Csv {
        csv = csv.skip(self.skip);
        if let Some(header) = self.header {
            csv = csv.header(header);
        }
        if let Some(separator) = self.separator {
            csv = csv.separator(separator);
        }
        if let Some(columns) = &self.columns {
            csv = csv.columns(columns);
        }
        for target in &self.target {
            csv = csv.target(target);
        }
        for categories in &self.categories {
            csv = match categories.split_once('=') {
                Some((column, names)) => csv.categories_in_order(column, names.split(',')),
                None => csv.categories(categories),
            };
        }
        match &self.targets {
            Some(targets) => csv.targets(targets.clone()),
            None => csv,
        }
    }

    fn files(&self, mut files: Files) -> Result<Files> {
        let given = [
            ("--skip", self.skip > 0),
            ("--header", self.header.is_some()),
            ("--separator", self.separator.is_some()),
            ("--target", !self.target.is_empty()),
            ("--categories", !self.categories.is_empty()),
        ];
        if let Some((name, _)) = given.iter().find(|(_, given)| *given) {
            return Err(Error::setting(name, "given for a file that is not CSV", "left out; `--columns` chooses arrays"));
        }
        if let Some(targets) = &self.targets {
            files = files.targets(targets.clone());
        }
        Ok(match &self.columns {
            Some(arrays) => files.arrays(arrays),
            None => files,
        })
    }

    /// As [`DataArguments::read`], where data must be given if the network takes any.
    pub fn need(&self, model: &Model, with_targets: bool) -> Result<Option<Dataset>> {
        let data = self.read(model, with_targets)?;
        let mut fields = model.info().fields.iter().filter(|field| with_targets || !field.is_target).peekable();
        if data.is_some() || fields.peek().is_none() {
            return Ok(data);
        }
        // As a user knows them.
        let listed: Vec<String> = fields.map(|field| format!("`{}` {}", field.name, field.ty)).collect();
        let expected = format!("a file with the columns or arrays of {}", listed.join(", "));
        Err(Error::setting("--data", "left out", &expected))
    }
}

/// A character, or what messages write for a tab.
fn separator(text: &str) -> std::result::Result<char, String> {
    if text == "\\t" { Ok('\t') } else { text.parse().map_err(|_| "expected one character".into()) }
}

/// Rows of a batch, of which there is at least one.
pub fn batch(text: &str) -> std::result::Result<usize, String> {
    text.parse().ok().filter(|rows| *rows > 0).ok_or_else(|| "expected a number of rows, at least 1".into())
}

/// What says how to go through rows says nothing where there are none: `given` tells which of its flags were given.
pub fn check_rowless(model: &Model, given: &[(&str, bool)]) -> Result<()> {
    let Some((flag, _)) = given.iter().find(|(_, is_given)| *is_given) else { return Ok(()) };
    let found = format!("given for `{}`, which has no rows to go through", model.name());
    Err(Error::setting(flag, found, "left out"))
}

/// The rows that were read, or nothing for a network that takes none.
pub fn rows(data: &Option<Dataset>) -> Rows<'_> {
    data.as_ref().map_or_else(|| Rows::from(()), Rows::from)
}
