//! What the thread that trains and the thread that watches share.

use super::OnEpoch;
use crate::history::Epoch;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};

/// What the run tells whoever watches, and the flag that ends it.
#[derive(Default)]
pub(super) struct Shared {
    pub(super) stop: AtomicBool,
    pub(super) step: AtomicU64,
    pub(super) rows: AtomicU64,
    pub(super) epoch: AtomicU64,
    /// Bits of f64s.
    pub(super) loss: AtomicU64,
    pub(super) metric: AtomicU64,
    pub(super) validation: AtomicU64,
    /// Epochs whose record is complete.
    pub(super) ended: AtomicU64,
    /// A record waiting for `on_epoch`, if the run has one.
    pub(super) question: Mutex<Question>,
    pub(super) answered: Condvar,
}

/// The first thread asks, the calling thread answers.
#[derive(Default)]
pub(super) struct Question {
    /// The epoch as [`Columns`] lays it out; the room for it is kept.
    pub(super) row: Vec<f64>,
    pub(super) asked: bool,
    pub(super) open: bool,
}

/// How an epoch's record lies in a row of numbers, so that none has to be allocated while a run goes on: the eight numbers that every
/// epoch has, then the training metrics, then the validation's loss and metrics.
#[derive(Clone, Copy)]
pub(super) struct Columns {
    pub(super) metrics: usize,
    pub(super) validates: bool,
}

impl Columns {
    pub(super) const FIRST: usize = 8;

    pub(super) fn width(self) -> usize {
        Self::FIRST + self.metrics + if self.validates { 1 + self.metrics } else { 0 }
    }

    pub(super) fn epoch(self, row: &[f64]) -> Epoch {
        let (training, validation) = row[Self::FIRST..].split_at(self.metrics);
        Epoch {
            epoch: row[0] as u64,
            step: row[1] as u64,
            loss: row[2],
            penalty: row[3],
            training: training.to_vec(),
            validation: validation.split_first().map(|(loss, metrics)| (*loss, metrics.to_vec())),
            improved: row[4] != 0.0,
            seconds: row[5],
            rate_factor: row[6],
            skipped: row[7] as u64,
        }
    }
}

/// Epochs for whose records there is room from the start.
pub(super) const RECORDS: usize = 1 << 16;

impl Shared {
    /// Hands a record to the calling thread and waits until it has seen it.
    pub(super) fn ask(&self, row: &[f64]) {
        let mut question = self.question.lock().unwrap_or_else(PoisonError::into_inner);
        question.row.clear();
        question.row.extend_from_slice(row);
        (question.asked, question.open) = (true, true);
        while question.open {
            question = self.answered.wait(question).unwrap_or_else(PoisonError::into_inner);
        }
    }
    /// Answers the open question, if there is one; `Break` ends the run.
    pub(super) fn answer(&self, columns: Columns, call: &mut OnEpoch) {
        let mut question = self.question.lock().unwrap_or_else(PoisonError::into_inner);
        if std::mem::take(&mut question.asked) {
            if call(&columns.epoch(&question.row)).is_break() {
                self.stop.store(true, Ordering::Relaxed);
            }
            question.open = false;
            self.answered.notify_all();
        }
    }
    /// Lets go of a waiting thread without an answer.
    pub(super) fn release(&self) {
        let mut question = self.question.lock().unwrap_or_else(PoisonError::into_inner);
        question.open = false;
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
