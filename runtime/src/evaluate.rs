//! Evaluation and prediction: chunks of a fixed size, whatever the number of rows; nothing of the model changes.

use crate::calls::{Driver, Handle};
use crate::error::{Error, Result};
use crate::history::Epoch;
use crate::model::Model;
use crate::report::table::{Align, table};
use crate::rows::{Bound, Rows};
use crate::scores::Scores;
use crate::workspace::{Slots, Workspace, capacity};
use gradc_compiler::graph::Dim;
use gradc_compiler::loops::{BufferId, Slot};
use std::fmt;
use std::io::Write as _;
use std::path::Path;

/// Rows of a chunk.
pub const CHUNK: usize = 256;

/// Loss and metrics over a data set.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// Mean loss over the rows, without penalties; of a loss that is no mean over rows, the mean of its values for chunks of rows.
    pub loss: f64,
    /// Name and value of each reported metric.
    pub metrics: Vec<(String, f64)>,
    /// What metrics such as `confusion_matrix` have counted.
    pub tables: Vec<Table>,
    /// Why a value is NaN, where it is known.
    pub notes: Vec<String>,
}

/// Counts of a metric over all rows of an evaluation.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// Name of the metric.
    pub name: String,
    /// Row by row; for a confusion matrix a row is a class that came, a column one that was said.
    pub counts: Vec<Vec<u64>>,
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let numbers: Vec<String> = (0..self.counts.len()).map(|class| class.to_string()).collect();
        let columns: Vec<(&str, Align)> = std::iter::once((self.name.as_str(), Align::Left))
            .chain(numbers.iter().map(|number| (number.as_str(), Align::Right)))
            .collect();
        let row = |(class, counts): (usize, &Vec<u64>)| {
            std::iter::once(class.to_string()).chain(counts.iter().map(u64::to_string)).collect()
        };
        f.write_str(&table(&columns, &self.counts.iter().enumerate().map(row).collect::<Vec<_>>()))
    }
}

impl Evaluation {
    /// Value of a metric; NaN if there is none of this name.
    pub fn metric(&self, name: &str) -> f64 {
        self.metrics.iter().find(|(known, _)| known == name).map_or(f64::NAN, |(_, value)| *value)
    }
    /// The table of a metric that counts.
    pub fn table(&self, name: &str) -> Option<&Table> {
        self.tables.iter().find(|table| table.name == name)
    }
}

/// What the network serves for some rows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Prediction {
    /// Shape of one row.
    pub shape: Vec<usize>,
    /// Row-major values.
    pub values: Vec<f32>,
    /// Number of rows.
    pub rows: usize,
}

impl Prediction {
    /// Values of a row; empty if there is no such row.
    pub fn row(&self, row: usize) -> &[f32] {
        let width = self.width();
        let start = row.saturating_mul(width);
        self.values.get(start..start.saturating_add(width)).unwrap_or(&[])
    }
    /// Values a row, at least 1.
    pub fn width(&self) -> usize {
        crate::data::width(&self.shape).max(1)
    }
    /// For each row the index of its largest value (the first of equals).
    pub fn classes(&self) -> Vec<usize> {
        let best =
            |row: &[f32]| row.iter().enumerate().fold(0, |best, (index, value)| if *value > row[best] { index } else { best });
        self.values.chunks(self.width()).map(best).collect()
    }
    /// Writes one line a row.
    pub fn to_csv(&self, file: impl AsRef<Path>) -> Result<()> {
        let path = file.as_ref();
        let failed = |error| Error::write(path, error);
        let mut out = std::io::BufWriter::new(std::fs::File::create(path).map_err(failed)?);
        for row in self.values.chunks(self.width()) {
            let line: Vec<String> = row.iter().map(f32::to_string).collect();
            writeln!(out, "{}", line.join(",")).map_err(failed)?;
        }
        out.flush().map_err(failed)
    }
}

/// A pass over rows in chunks; part of `fit` too, so that validation gives the same bits.
pub(crate) struct Pass {
    pub rows: usize,
    pub done: usize,
    /// Rows of the last chunk.
    pub count: usize,
    pub chunks: Slot,
    pub batch: Slot,
}

impl Pass {
    /// A pass over so many rows.
    pub fn new(model: &Model, rows: usize) -> Self {
        let slot = |name: &str| model.compiled.assembled.slots.get(name).copied().unwrap_or(Slot(0));
        Pass { rows, done: 0, count: 0, chunks: slot("chunks"), batch: slot("batch") }
    }
    /// Sets the number of chunks.
    pub fn begin(&mut self, workspace: &mut Workspace) {
        self.done = 0;
        workspace.set_i32(self.chunks, self.rows.div_ceil(CHUNK) as i32);
    }
    /// Fills in the next chunk's rows.
    pub fn chunk(&mut self, workspace: &mut Workspace) {
        let count = CHUNK.min(self.rows - self.done.min(self.rows));
        for (place, row) in workspace.rows_mut().iter_mut().zip(self.done..self.done + count) {
            *place = row as u32;
        }
        workspace.set_i32(self.batch, count as i32);
        (self.done, self.count) = (self.done + count, count);
    }
}

struct EvaluationRun<'a> {
    pass: Pass,
    scores: Scores,
    workspace: &'a mut Workspace,
}

impl Driver for EvaluationRun<'_> {
    fn validation(&mut self) {
        self.pass.begin(self.workspace);
    }
    fn chunk(&mut self) {
        self.pass.chunk(self.workspace);
    }
    fn scored(&mut self) {
        self.scores.add(self.workspace, self.pass.count);
    }
    fn ranked(&mut self) {
        self.scores.rank(self.workspace);
    }
}

impl Model {
    /// Loss and metrics on rows; running statistics and masks are not touched.
    ///
    /// # Errors
    /// Rows that do not fit the network.
    pub fn evaluate<'r>(&self, rows: impl Into<Rows<'r>>) -> Result<Evaluation> {
        let bound = self.bound(&rows.into(), true)?;
        self.evaluate_bound(&bound)
    }

    pub(crate) fn evaluate_bound(&self, bound: &Bound) -> Result<Evaluation> {
        let mut workspace = self.workspace(&[("evaluate", capacity(CHUNK))], 1)?;
        workspace.bind(bound);
        let function = self.entry("evaluate")?;
        let context = workspace.context(0, 1, std::ptr::null(), std::ptr::null_mut());
        let scores = Scores::new(self, "evaluate", bound.rows);
        let mut run = EvaluationRun { pass: Pass::new(self, bound.rows), scores, workspace: &mut workspace };
        let mut handle = Handle(&mut run);
        let context = gradc_compiler::abi::Context { user: handle.pointer(), ..context };
        // SAFETY: as for `Model::run`; `user` is the handle that driver calls expect, and the run's rows stay bound until it ends.
        unsafe { function(&raw const context) };
        let scores = run.scores.notes();
        let mut evaluation = self.evaluation(&workspace);
        evaluation.notes = scores.into_iter().chain(self.nothing_counts(evaluation.loss)).collect();
        self.spare.put(workspace);
        Ok(evaluation)
    }

    /// What is to be said of a weighted mean that is exactly 0: its weights may be so too.
    pub(crate) fn nothing_counts(&self, loss: f64) -> Option<String> {
        let is_weighted = self.compiled.front.graphs.combinations.contains_key("loss");
        (is_weighted && loss == 0.0)
            .then(|| "the loss is exactly 0: unless each answer is exact, all labels are ignored or all weights are 0".into())
    }

    /// The same of a whole training.
    pub(crate) fn nothing_counted(&self, epochs: &[Epoch]) -> Option<String> {
        let is_nothing = epochs.iter().all(|epoch| epoch.loss == 0.0);
        self.nothing_counts(0.0).filter(|_| is_nothing).map(|note| format!("in training {note}"))
    }

    /// Means of the pass that the workspace has just seen.
    pub(crate) fn evaluation(&self, workspace: &Workspace) -> Evaluation {
        let slots = Slots(&self.compiled.assembled);
        let rows = slots.get(workspace, "evaluate.rows");
        let mean = |name: &str| slots.get(workspace, &format!("evaluate.{name}.sum")) / rows;
        let metrics = self.compiled.info.reports.iter().map(|report| (report.name.clone(), mean(&report.name))).collect();
        let count = |sum: &f64| *sum as u64;
        let counted = self.compiled.assembled.tables.iter().map(|table| {
            let sums = workspace.sums(table.buffer);
            let cells = sums.get(table.first..table.first + table.cells).unwrap_or(&[]);
            let rows = cells.chunks(table.columns.max(1));
            Table { name: table.name.clone(), counts: rows.map(|row| row.iter().map(count).collect()).collect() }
        });
        Evaluation { loss: mean("loss"), metrics, tables: counted.collect(), notes: Vec::new() }
    }

    /// What the network serves for rows, by name, in the order of its `predict` statements.
    ///
    /// # Errors
    /// Rows that do not fit the network's inputs.
    pub fn predict_all<'r>(&self, rows: impl Into<Rows<'r>>) -> Result<Vec<(String, Prediction)>> {
        let bound = self.bound(&rows.into(), false)?;
        let mut workspace = self.workspace(&[("predict", capacity(CHUNK))], 1)?;
        workspace.bind(&bound);
        let info = &self.compiled.info;
        let mut served: Vec<(String, Prediction, bool, Option<BufferId>)> = Vec::new();
        for (name, ty) in &info.predictions {
            let by_row = ty.shape.0.first() == Some(&Dim::Batch);
            let shape = ty.shape.0.iter().skip(usize::from(by_row)).map(|dim| dim.at(1)).collect();
            let buffer = self.compiled.assembled.outputs.get(&format!("predict.{name}")).copied();
            served.push((name.clone(), Prediction { shape, values: Vec::new(), rows: bound.rows }, by_row, buffer));
        }
        let mut pass = Pass::new(self, bound.rows);
        while pass.done < bound.rows {
            let from = pass.done;
            pass.chunk(&mut workspace);
            self.run("predict", &workspace)?;
            for (_, prediction, by_row, buffer) in &mut served {
                let (rows, width) = (pass.done - from, prediction.width());
                let values = buffer.map_or(&[][..], |buffer| workspace.output(buffer));
                // What does not depend on the rows is the same for each.
                let (count, times) = if *by_row { (rows * width, 1) } else { (width, rows) };
                (0..times).for_each(|_| prediction.values.extend_from_slice(&values[..count.min(values.len())]));
            }
        }
        self.spare.put(workspace);
        Ok(served.into_iter().map(|(name, prediction, ..)| (name, prediction)).collect())
    }

    /// The first of what the network serves.
    ///
    /// # Errors
    /// Rows that do not fit the network's inputs; a network without `predict`.
    pub fn predict<'r>(&self, rows: impl Into<Rows<'r>>) -> Result<Prediction> {
        let first = self.predict_all(rows)?.into_iter().next();
        first
            .map(|(_, prediction)| prediction)
            .ok_or_else(|| Error::setting(self.name(), "asked for a prediction", "a network with `predict`"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prediction_put_together_by_hand_can_be_asked_anything() {
        for shape in [vec![], vec![0], vec![2], vec![3, 0], vec![usize::MAX], vec![usize::MAX, 2], vec![1 << 32, 1 << 32]] {
            let prediction = Prediction { shape, values: vec![1.0, f32::NAN, 3.0], rows: usize::MAX };
            for row in [0, 1, 2, 3, usize::MAX / 2, usize::MAX - 1, usize::MAX] {
                assert!(prediction.row(row).len() <= 2);
            }
            assert!(prediction.width() >= 1 && prediction.classes().len() <= 3);
        }
        assert!(Prediction::default().classes().is_empty() && Prediction::default().row(0).is_empty());
        for path in ["", "/", "/nowhere/at/all.csv", "a\0b"] {
            let error = Prediction::default().to_csv(path).map_err(|error| error.to_string());
            assert!(error.is_err_and(|message| message.contains("cannot write")), "{path:?}");
        }
        let none = Evaluation { loss: f64::NAN, metrics: vec![("a".into(), 1.0)], tables: Vec::new(), notes: Vec::new() };
        assert!(none.metric("").is_nan() && none.metric("a") == 1.0 && none.table("a").is_none());
    }
}
