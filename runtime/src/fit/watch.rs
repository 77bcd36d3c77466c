//! The calling thread while a run goes on: it draws, answers, and asks the run to stop.

use super::Plan;
use super::shared::{Answer, Release, Shared};
use crate::report::progress::{Display, Progress, Validation};
use crate::team;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// The calling thread's side of a run.
pub(super) struct Watch<'a> {
    pub(super) plan: &'a Plan,
    /// Epochs of the whole run, as they are shown: 0 if it is measured in steps.
    pub(super) epochs: u64,
    /// Steps of the run that this one goes on with.
    pub(super) done: u64,
    /// Steps of the model before the run.
    pub(super) first_step: u64,
    pub(super) shared: &'a Shared,
    pub(super) started: Instant,
    pub(super) interrupt: Option<&'a crate::interrupt::Guard>,
    pub(super) quiet: bool,
    pub(super) metrics: &'a [gradc_compiler::pipeline::Report],
}

impl Watch<'_> {
    pub(super) fn run(&self, done: &team::Done, mut on_epoch: Option<&mut Answer>) {
        let _release = Release(self.shared);
        let mut display = Display::new(self.quiet);
        let mut seen = 0;
        let mut validation = None;
        // A run that waits for answers is looked at more often.
        let pause = Duration::from_millis(if on_epoch.is_some() { 1 } else { 30 });
        loop {
            let ended = done.wait_for(pause);
            if let Some(call) = &mut on_epoch {
                self.shared.answer(call);
            }
            if self.interrupt.is_some_and(crate::interrupt::Guard::asked) {
                self.shared.stop.store(true, Ordering::Relaxed);
            }
            let progress = self.progress(validation);
            // A quiet run shows nothing: its records need no copy.
            let epoch = if self.quiet { None } else { self.shared.ended(seen) };
            match epoch {
                Some(epoch) => {
                    let step = self.done + epoch.step - self.first_step;
                    let progress = Progress { step, ..progress.at_end_of(&epoch) };
                    display.epoch_ended(&progress);
                    (seen, validation) = (epoch.epoch, progress.validation);
                }
                None => display.update(&progress),
            }
            if ended {
                display.finish();
                return;
            }
        }
    }

    /// Where the run stands; `validation` is that of the epoch before.
    fn progress(&self, validation: Option<Validation>) -> Progress {
        let number = |bits: &AtomicU64| f64::from_bits(bits.load(Ordering::Relaxed));
        Progress {
            epoch: self.shared.epoch.load(Ordering::Relaxed),
            epochs: self.epochs,
            step: self.done + self.shared.step.load(Ordering::Relaxed),
            steps: self.done.saturating_add(self.plan.steps),
            loss: number(&self.shared.loss),
            metric: self.metrics.first().map(|report| (report.name.clone(), number(&self.shared.metric))),
            validation,
            samples_per_second: self.shared.rows.load(Ordering::Relaxed) as f64 / self.started.elapsed().as_secs_f64().max(1e-9),
        }
    }
}
