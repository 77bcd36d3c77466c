//! What the thread that trains and the thread that watches share.

use super::{JUDGED, Judged};
use crate::history::Epoch;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// What the run tells whoever watches, and the flag that ends it.
#[derive(Default)]
pub(super) struct Shared {
    pub(super) columns: Columns,
    pub(super) stop: AtomicBool,
    /// Whether the last epoch that has ended was cut short: by `stop`, by the last of all steps, or by a loss that is not finite.
    pub(super) cut: AtomicBool,
    pub(super) step: AtomicU64,
    pub(super) rows: AtomicU64,
    pub(super) epoch: AtomicU64,
    /// Bits of f64s.
    pub(super) loss: AtomicU64,
    pub(super) metric: AtomicU64,
    /// The last epoch that has ended.
    record: Mutex<Record>,
    answered: Condvar,
}

/// An epoch's record, which the first thread writes and the calling thread shows, and hands to `on_epoch` if the run has one.
#[derive(Default)]
struct Record {
    /// The epoch as [`Columns`] lays it out, empty before the first has ended; the room for it is kept.
    row: Vec<f64>,
    asked: bool,
    open: bool,
}

/// How an epoch's record lies in a row of numbers, so that none has to be allocated while a run goes on: the numbers that every
/// epoch has, how the run has judged it, then the training metrics, then the validation's loss and metrics.
#[derive(Default)]
pub(super) struct Columns {
    /// Names of the metrics.
    pub(super) metrics: Arc<[String]>,
    pub(super) validates: bool,
}

impl Columns {
    pub(super) const FIRST: usize = 9;

    pub(super) fn width(&self) -> usize {
        let metrics = self.metrics.len();
        Self::FIRST + JUDGED.len() + metrics + if self.validates { 1 + metrics } else { 0 }
    }

    /// How the run has judged its epochs.
    fn judged(row: &[f64]) -> Judged {
        std::array::from_fn(|number| row[Self::FIRST + number])
    }

    pub(super) fn epoch(&self, row: &[f64]) -> Epoch {
        let (training, validation) = row[Self::FIRST + JUDGED.len()..].split_at(self.metrics.len());
        Epoch {
            epoch: row[0] as u64,
            step: row[1] as u64,
            loss: row[2],
            penalty: row[3],
            names: self.metrics.clone(),
            training: training.to_vec(),
            validation: validation.split_first().map(|(loss, metrics)| (*loss, metrics.to_vec())),
            improved: row[4] != 0.0,
            seconds: row[5],
            rate_factor: row[6],
            skipped: row[7] as u64,
            batches: row[8] as u64,
        }
    }
}

/// What answers at the end of an epoch.
pub(super) type Answer<'a> = dyn FnMut(&Epoch, Judged) -> ControlFlow<()> + 'a;

/// Epochs for whose records there is room from the start.
pub(super) const RECORDS: usize = 1 << 16;

impl Shared {
    pub(super) fn new(columns: Columns) -> Self {
        let record = Record { row: Vec::with_capacity(columns.width()), ..Record::default() };
        Self { record: Mutex::new(record), columns, ..Self::default() }
    }

    fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Leaves a record for the calling thread and, if it asks, waits until that has answered.
    pub(super) fn end_epoch(&self, row: &[f64], asks: bool) {
        let mut record = self.record();
        record.row.clear();
        record.row.extend_from_slice(row);
        (record.asked, record.open) = (asks, asks);
        while record.open {
            record = self.answered.wait(record).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// The last epoch that has ended, if it came after epoch `seen`.
    pub(super) fn ended(&self, seen: u64) -> Option<Epoch> {
        let record = self.record();
        let is_new = record.row.first().is_some_and(|epoch| *epoch as u64 > seen);
        is_new.then(|| self.columns.epoch(&record.row))
    }

    /// Answers the open question, if there is one; `Break` ends the run.
    pub(super) fn answer(&self, call: &mut Answer) {
        let mut record = self.record();
        if std::mem::take(&mut record.asked) {
            if call(&self.columns.epoch(&record.row), Columns::judged(&record.row)).is_break() {
                self.stop.store(true, Ordering::Relaxed);
            }
            record.open = false;
            self.answered.notify_all();
        }
    }

    /// Lets go of a waiting thread without an answer.
    pub(super) fn release(&self) {
        self.record().open = false;
        self.stop.store(true, Ordering::Relaxed);
        self.answered.notify_all();
    }
}

/// If the callback panics, the team must not wait for its answer.
pub(super) struct Release<'a>(pub(super) &'a Shared);

impl Drop for Release<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.release();
        }
    }
}
