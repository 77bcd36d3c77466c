//! What a run is going to do: its options, checked.

use super::shared::Columns;
use super::{Fit, Terms};
use crate::compiled::Compiled;
use crate::error::{Error, Result};
use crate::model::classes::{agree, names_in};
use crate::random::permutation;
use crate::rows::{Bound, Rows};
use gradc_compiler::lower::threads;
use gradc_compiler::pipeline::Report;
use std::num::NonZeroUsize;

/// Rows of a step where nobody says how many.
const BATCH: usize = 32;

/// Most batches of an update.
const MOST_BATCHES: usize = 1 << 20;

impl Fit<'_> {
    /// Checks everything that can be checked before the first step.
    pub(super) fn plan(&self) -> Result<Plan> {
        let info = &self.model.compiled.info;
        let train = self.model.bound(&self.data, true)?;
        let validation = self.validation.as_ref().map(|rows| self.validated(rows, &train)).transpose()?;
        let batch = if info.fields.is_empty() { 1 } else { self.batch.unwrap_or(BATCH.min(train.rows)) };
        let (used, turns) = self.batches(batch, train.rows)?;
        self.check_checkpoint()?;
        let (epochs, steps) = self.extent(turns.div_ceil(self.accumulate as u64))?;
        self.check_patience()?;
        let threads = self.team(batch)?;
        let (monitor, higher_is_better) = self.monitored()?;
        let (accumulate, shuffle) = (self.accumulate, self.shuffle);
        Ok(Plan { train, validation, batch, accumulate, shuffle, used, turns, epochs, steps, threads, monitor, higher_is_better })
    }

    /// Rows of validation, whose classes are called as those of training.
    fn validated(&self, rows: &Rows, train: &Bound) -> Result<Bound> {
        let rows = self.model.bound(rows, true)?;
        agree(&names_in(train), &rows)?;
        Ok(rows)
    }

    /// The rows of an epoch that has so many, and its batches.
    fn batches(&self, batch: usize, rows: usize) -> Result<(usize, u64)> {
        if batch == 0 {
            return Err(Error::setting("batch", 0, "at least 1"));
        }
        if batch > rows {
            return Err(Error::setting("batch", batch, &format!("at most {rows}, the rows of the training set")));
        }
        if !(1..=MOST_BATCHES).contains(&self.accumulate) {
            return Err(Error::setting("accumulate", self.accumulate, &format!("at least 1 and at most {MOST_BATCHES} batches")));
        }
        let (whole, rest) = (rows / batch, rows % batch);
        self.model.check_rows(batch)?;
        let (used, turns) = if rest > 0 && !self.drop_last {
            self.model.check_rows(rest)?;
            (rows, whole + 1)
        } else {
            (whole * batch, whole)
        };
        if turns > i32::MAX as usize || rows > u32::MAX as usize {
            return Err(Error::setting("rows", rows, "below 2147483648"));
        }
        Ok((used, turns as u64))
    }

    fn check_checkpoint(&self) -> Result<()> {
        let Some(file) = self.checkpoint.as_ref().map(|checkpoint| &checkpoint.file) else { return Ok(()) };
        if file.metadata().is_ok_and(|data| !data.is_file()) {
            let found = format!("`{}`, which is no file", file.display());
            return Err(Error::setting("checkpoint", found, "a file, from which the training can go on"));
        }
        // A full disk may have room again after the next epoch; a path that leads nowhere is a mistake.
        match file.parent().filter(|folder| !folder.as_os_str().is_empty() && !folder.is_dir()) {
            Some(folder) => {
                let found = format!("`{}`: there is no folder `{}`", file.display(), folder.display());
                Err(Error::setting("checkpoint", found, "a file in a folder that is there"))
            }
            None => Ok(()),
        }
    }

    /// Epochs and steps, where an epoch has so many updates.
    fn extent(&self, updates: u64) -> Result<(u64, u64)> {
        const MOST: u64 = i32::MAX as u64;
        // Nothing may be left of a run that is gone on with.
        let least = u64::from(self.model.resumed.is_none());
        match (self.epochs, self.steps) {
            (Some(_), Some(_)) => Err(Error::setting("steps", "given beside `epochs`", "one of the two")),
            (Some(epochs), None) if epochs < least || epochs > MOST => {
                Err(Error::setting("epochs", epochs, "at least 1 and below 2147483648"))
            }
            (Some(epochs), None) => Ok((epochs, epochs.saturating_mul(updates))),
            (None, Some(steps)) if steps < least => Err(Error::setting("steps", steps, "at least 1")),
            (None, Some(steps)) if steps.div_ceil(updates) > MOST => {
                let most = MOST.saturating_mul(updates);
                Err(Error::setting("steps", steps, &format!("at most {most}, which are {MOST} epochs of {updates}")))
            }
            (None, Some(steps)) => Ok((steps.div_ceil(updates), steps)),
            (None, None) => Ok((1, updates)),
        }
    }

    /// Checks what decides when to stop and when to lower the rate.
    fn check_patience(&self) -> Result<()> {
        if self.patience == Some(0) {
            return Err(Error::setting("patience", 0, "at least 1"));
        }
        let judged = [
            ("patience", self.patience.is_some()),
            ("least", self.least != 0.0),
            ("plateau", self.plateau.is_some()),
            ("monitor", self.monitor.is_some()),
        ];
        if let Some((name, _)) = judged.iter().find(|(_, is_asked)| *is_asked && self.validation.is_none()) {
            return Err(Error::setting(name, "used without a validation set", "accompanied by `.validate(…)`"));
        }
        if let Some((factor, epochs)) = self.plateau {
            if !(factor > 0.0 && factor < 1.0) {
                return Err(Error::setting("plateau factor", factor, "above 0 and below 1"));
            }
            if epochs == 0 {
                return Err(Error::setting("plateau epochs", 0, "at least 1"));
            }
        }
        if !(self.least >= 0.0 && self.least.is_finite()) {
            return Err(Error::setting("least", self.least, "a finite number of at least 0"));
        }
        Ok(())
    }

    /// The number of threads.
    fn team(&self, batch: usize) -> Result<NonZeroUsize> {
        let threads = NonZeroUsize::new(self.threads).filter(|threads| threads.get() <= 1024);
        let most = threads.ok_or_else(|| Error::setting("threads", self.threads, "at least 1 and at most 1024"))?;
        Ok(if self.all_threads { most } else { worth(&self.model.compiled, "train", batch, most) })
    }

    /// What epochs are compared by, and whether more of it is better.
    fn monitored(&self) -> Result<(String, bool)> {
        let reports = &self.model.compiled.info.reports;
        let monitor = self.monitor.clone().unwrap_or_else(|| "loss".into());
        match reports.iter().find(|report| report.name == monitor) {
            Some(report) => Ok((monitor, report.higher_is_better)),
            None if monitor == "loss" => Ok((monitor, false)),
            None => {
                let names: Vec<&str> = std::iter::once("loss").chain(reports.iter().map(|report| report.name.as_str())).collect();
                Err(Error::setting("monitor", format!("`{monitor}`"), &format!("one of: {}", names.join(", "))))
            }
        }
    }
}

/// The number of threads, at most `most`, that a unit of the program is worth for so many rows.
pub(crate) fn worth(compiled: &Compiled, unit: &str, rows: usize, most: NonZeroUsize) -> NonZeroUsize {
    let unit = compiled.assembled.unit(unit);
    let lanes = compiled.options.instruction_set.lanes();
    let worth = unit.map(|unit| threads(&unit.graph, &unit.fusion, rows, lanes, most.get()));
    worth.and_then(NonZeroUsize::new).unwrap_or(most)
}

/// A run whose options have been checked.
pub(crate) struct Plan {
    pub train: Bound,
    pub validation: Option<Bound>,
    pub batch: usize,
    /// Batches of an update.
    pub accumulate: usize,
    /// Whether each epoch has an order of its own.
    pub shuffle: bool,
    /// Rows of an epoch.
    pub used: usize,
    /// Batches of an epoch.
    pub turns: u64,
    pub epochs: u64,
    pub steps: u64,
    pub threads: NonZeroUsize,
    pub monitor: String,
    pub higher_is_better: bool,
}

/// A batch of an epoch, and where it stands among those of one update.
#[derive(Clone, Copy)]
pub(crate) struct Turn {
    /// Places in the epoch's order.
    pub from: usize,
    pub to: usize,
    pub is_first: bool,
    pub is_last: bool,
    /// Its share of the rows of the update.
    pub share: f64,
}

impl Plan {
    /// A single step on these rows as they stand.
    pub fn step(train: Bound) -> Plan {
        let rows = train.rows;
        Plan {
            train,
            validation: None,
            batch: rows,
            accumulate: 1,
            shuffle: false,
            used: rows,
            turns: 1,
            epochs: 1,
            steps: 1,
            threads: NonZeroUsize::MIN,
            monitor: String::new(),
            higher_is_better: false,
        }
    }
    /// Writes the order of an epoch; `out` holds the rows in order.
    pub fn order(&self, seed: u64, epoch: u64, out: &mut [u32]) {
        if self.shuffle {
            permutation(seed, epoch, out);
        }
    }
    /// The batch that begins at a place of the epoch's order.
    pub fn turn(&self, from: usize) -> Turn {
        let to = (from + self.batch).min(self.used);
        if self.accumulate == 1 {
            return Turn { from, to, is_first: true, is_last: true, share: 1.0 };
        }
        let rows = self.batch * self.accumulate;
        let first = from - from % rows;
        let end = (first + rows).min(self.used);
        Turn { from, to, is_first: from == first, is_last: to == end, share: (to - from) as f64 / (end - first).max(1) as f64 }
    }
    /// What a score is multiplied by, so that a lower one is better.
    pub fn sign(&self) -> f64 {
        if self.higher_is_better { -1.0 } else { 1.0 }
    }
    /// What the run is given: a training that goes on with other rows or batches is another training.
    pub fn terms(&self) -> Terms {
        let rows = |bound: &Bound| format!("{} with the digest {:08x}", bound.rows, bound.digest());
        let terms = [
            ("training rows", rows(&self.train)),
            ("validation rows", self.validation.as_ref().map_or_else(|| "none".into(), rows)),
            ("rows of a batch", self.batch.to_string()),
            ("batches of an update", self.accumulate.to_string()),
            ("rows of an epoch", self.used.to_string()),
            ("shuffled", if self.shuffle { "yes" } else { "no" }.into()),
        ];
        terms.map(|(name, term)| (name.to_owned(), term)).into()
    }
    pub(super) fn columns(&self, reports: &[Report]) -> Columns {
        let metrics = reports.iter().map(|report| report.name.clone()).collect();
        Columns { metrics, validates: self.validation.is_some() }
    }
}
