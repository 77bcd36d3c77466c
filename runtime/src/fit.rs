//! Training: one native call runs epochs over a resident data set, while the calling thread watches.

mod native;
mod plan;
mod reference;
mod run;
mod shared;
mod standing;
mod watch;

use crate::compiled::{Compiled, Options, front_error};
use crate::error::Result;
use crate::history::{Epoch, History};
use crate::model::Model;
use crate::report::progress::notes;
use crate::rows::Rows;
use crate::workspace::Store;
use gradc_compiler::lower::STEPS;
pub(crate) use plan::{Plan, Turn, worth};
pub(crate) use reference::Interpreter;
pub(crate) use run::Group;
pub(crate) use standing::{JUDGED, Judged, Standing, Terms};
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A result by whose name a run is judged, such as `Digits::ACCURACY`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Monitor(pub &'static str);

/// What `on_epoch` is called with after each epoch.
type EpochCall<'m> = dyn FnMut(&Epoch) -> ControlFlow<()> + 'm;

/// Steps between two snapshots.
const SNAPSHOT_STEPS: u64 = 1000;

/// A training run about to start. Nothing is checked before [`Fit::run`].
///
/// ```
/// # use gradc_compiler::{base::place::Source, language::declaration::Declaration};
/// # use gradc_runtime::{compiled::Options, data::Dataset, model::Model};
/// # use std::ops::ControlFlow;
/// # let text = "Line { input x: [batch, 1]; target y: [batch, 1]; let p = x.dense(1); predict p; minimize p.mean_squared_error(y); \
/// #     using sgd(0.1); report off = mean_absolute_error(p, y); }";
/// # let declaration = Declaration::parse(Source::new("line.net", text)).expect("a network");
/// # let mut net = Model::from_declaration(&declaration, &Options::default())?;
/// let data = Dataset::new().f32("x", &[1], &[0.0, 1.0, 2.0, 3.0])?.f32("y", &[1], &[1.0, 3.0, 5.0, 7.0])?;
/// let [train, valid] = data.split([0.5, 0.5])?;
/// let mut log = Vec::new();
/// let history = net
///     .fit(&train)
///     .validate(&valid)
///     .epochs(500)
///     .on_epoch(|epoch| {
///         log.push(epoch.validated("off"));
///         if epoch.validated("off") < 0.01 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
///     })
///     .quiet()
///     .run()?;
/// assert_eq!(log.len(), history.epochs.len());
/// # Ok::<(), gradc_runtime::error::Error>(())
/// ```
#[must_use = "nothing runs before `run`"]
pub struct Fit<'m> {
    model: &'m mut Model,
    data: Rows<'m>,
    validation: Option<Rows<'m>>,
    batch: Option<usize>,
    epochs: Option<u64>,
    steps: Option<u64>,
    patience: Option<u64>,
    plateau: Option<(f64, u64)>,
    monitor: Option<String>,
    least: f64,
    restore: bool,
    snapshots: bool,
    drop_last: bool,
    accumulate: usize,
    shuffle: bool,
    threads: usize,
    all_threads: bool,
    pinned: bool,
    quiet: bool,
    interruptible: bool,
    on_epoch: Option<Box<EpochCall<'m>>>,
    checkpoint: Option<Checkpointing>,
    record_steps: bool,
    reference: bool,
    diagnose: bool,
    profile: bool,
}

/// What a run writes after each epoch.
struct Checkpointing {
    file: PathBuf,
    /// The tensors of the model as it was asked: the step of this run may keep more.
    names: Vec<String>,
}

impl<'m> Fit<'m> {
    pub(crate) fn new(model: &'m mut Model, data: Rows<'m>) -> Self {
        Fit {
            model,
            data,
            validation: None,
            batch: None,
            epochs: None,
            steps: None,
            patience: None,
            plateau: None,
            monitor: None,
            least: 0.0,
            restore: true,
            snapshots: true,
            drop_last: false,
            accumulate: 1,
            shuffle: true,
            threads: crate::env::threads(),
            all_threads: false,
            pinned: false,
            quiet: false,
            interruptible: false,
            on_epoch: None,
            checkpoint: None,
            record_steps: false,
            reference: false,
            diagnose: false,
            profile: false,
        }
    }

    /// Rows on which every epoch is judged.
    pub fn validate(mut self, data: impl Into<Rows<'m>>) -> Self {
        self.validation = Some(data.into());
        self
    }
    /// Rows of a step (default: 32, or all where there are fewer); more than there are is an error. The last batch of an epoch may be smaller.
    pub fn batch(mut self, rows: usize) -> Self {
        self.batch = Some(rows);
        self
    }
    /// Passes over the data (default 1).
    pub fn epochs(mut self, epochs: u64) -> Self {
        self.epochs = Some(epochs);
        self
    }
    /// Steps instead of epochs.
    pub fn steps(mut self, steps: u64) -> Self {
        self.steps = Some(steps);
        self
    }
    /// Ends the run when the monitored value has not improved for so many epochs; needs validation.
    pub fn patience(mut self, epochs: u64) -> Self {
        self.patience = Some(epochs);
        self
    }
    /// Multiplies the rate by a factor below 1 each time that the monitored value has not improved for so many epochs; needs validation.
    /// A schedule goes on beneath it; the next run begins with the whole rate. The step is compiled again for such a run.
    pub fn plateau(mut self, factor: f64, epochs: u64) -> Self {
        self.plateau = Some((factor, epochs));
        self
    }
    /// What patience, plateau and the best weights go by (default: the validation loss without penalty).
    pub fn monitor(mut self, monitor: Monitor) -> Self {
        self.monitor = Some(monitor.0.to_string());
        self
    }
    /// As [`Fit::monitor`], by name.
    pub fn monitor_named(mut self, name: impl Into<String>) -> Self {
        self.monitor = Some(name.into());
        self
    }
    /// An epoch counts as better only if it is so by more than this (default 0).
    pub fn least(mut self, improvement: f64) -> Self {
        self.least = improvement;
        self
    }
    /// Whether the parameters of the best epoch are restored at the end (default true, with validation).
    pub fn restore_best(mut self, restore: bool) -> Self {
        self.restore = restore;
        self
    }
    /// Whether copies of parameters and states are kept to go back to (default true): they take as much memory as these do. A step
    /// whose loss is not finite changes nothing either way; but an earlier one may have left numbers that are not finite in the parameters,
    /// and without a copy they stay.
    pub fn snapshots(mut self, keep: bool) -> Self {
        self.snapshots = keep;
        self
    }
    /// Leaves out a last batch that is smaller than the others.
    pub fn drop_last(mut self) -> Self {
        self.drop_last = true;
        self
    }
    /// One update for the gradients of so many batches, each weighing as many rows as it has (default 1): the update of a batch as large
    /// as all of them, in the memory of one. The last group of an epoch may have fewer. Layers that look at the batch, such as
    /// `batch_norm`, see one batch at a time. Steps are updates. The step is compiled again for such a run.
    pub fn accumulate(mut self, batches: usize) -> Self {
        self.accumulate = batches;
        self
    }
    /// Whether each epoch has an order of its own (default true).
    pub fn shuffle(mut self, shuffle: bool) -> Self {
        self.shuffle = shuffle;
        self
    }
    /// Threads at most (default 0: one for each core). Where the kernels of a step are so short that waiting for one another would
    /// take longer than it saves, there are fewer. The result does not depend on it.
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = if threads == 0 { crate::env::threads() } else { threads };
        self
    }
    /// Just so many threads, whether it pays or not.
    pub fn threads_exactly(mut self, threads: usize) -> Self {
        self.all_threads = true;
        self.threads(threads)
    }
    /// Binds each thread to a processor of its own, counted round those that the process may use: steadier where nothing else runs,
    /// slower where something does. Linux only.
    pub fn pinned(mut self) -> Self {
        self.pinned = true;
        self
    }
    /// No progress display.
    pub fn quiet(mut self) -> Self {
        self.quiet = true;
        self
    }
    /// Ctrl-C ends the step and keeps the state; a second one ends the process.
    pub fn interruptible(mut self) -> Self {
        self.interruptible = true;
        self
    }
    /// Called after each epoch on the calling thread; `Break` ends the run.
    pub fn on_epoch(mut self, call: impl FnMut(&Epoch) -> ControlFlow<()> + 'm) -> Self {
        self.on_epoch = Some(Box::new(call));
        self
    }

    /// Writes the whole training to a file after each epoch, as [`Model::save_checkpoint`](Model::save_checkpoint) does:
    /// [`Model::load_checkpoint`](Model::load_checkpoint) and a run of the epochs that are left end with the bits of a run that was never ended,
    /// whatever killed it. The file is replaced only by a whole one. An epoch that is cut short by Ctrl-C, by the last of [`Fit::steps`] or by a loss that is
    /// not finite is not written, nor are parameters that are not finite. If a file cannot be written the run goes on, says so at once
    /// unless it is quiet, and in [`History::notes`] if it was the last. A folder, a device, a pipe or a file in a folder that is not there is
    /// an error before the run.
    pub fn checkpoint(mut self, file: impl AsRef<Path>) -> Self {
        self.checkpoint = Some(Checkpointing { file: file.as_ref().to_path_buf(), names: self.model.of_training() });
        self
    }
    /// Keeps loss and metrics of each step as [`History::steps`].
    pub fn record_steps(mut self) -> Self {
        self.record_steps = true;
        self
    }
    /// Keeps for each layer and step the norm of its gradient and of its update, mean and variance of its activation, and what share
    /// of it is saturated or dead, as [`History::diagnosis`]; of a run that fails it stands in the error's history. The bits of the
    /// training stay what they are. The step is compiled again at the first such run of a model.
    pub fn diagnose(mut self) -> Self {
        self.diagnose = true;
        self
    }
    /// Runs by the f64 interpreter of graphs in place of native code: slow and on one thread. What the native run
    /// is held to; parameters are rounded to f32 at its end only.
    pub fn reference(mut self) -> Self {
        self.reference = true;
        self
    }

    /// Times every kernel, as [`History::profile`]. The same step is compiled with a mark before and after each kernel, which takes a
    /// few hundredths of a microsecond; not a bit of the result changes.
    pub fn profile(mut self) -> Self {
        self.profile = true;
        self
    }

    /// Runs. A second run goes on from the state that this one leaves behind.
    ///
    /// # Errors
    /// Faulty data or options, before anything changes; [`Error::Diverged`](crate::error::Error::Diverged) if the loss is not finite, with the last good state kept.
    pub fn run(mut self) -> Result<History> {
        let is_timed = !self.profile || self.model.compiled.options.profile;
        if self.takes_the_step() && (self.reference || !self.diagnose && is_timed) {
            return self.run_checked();
        }
        self.model.must_train()?;
        self.plan()?;
        // A run of another program takes none of it.
        self.model.release_memory();
        let other = self.variant()?;
        let store = Store::new(&other.assembled.program)?;
        let (compiled, store) = self.model.change_to(other, store);
        let outcome = catch_unwind(AssertUnwindSafe(|| self.run_checked()));
        self.model.change_to(compiled, store);
        outcome.unwrap_or_else(|panic| resume_unwind(panic))
    }

    /// Whether the step is that of the network as it was compiled, but for what is looked at.
    fn takes_the_step(&self) -> bool {
        self.accumulate == 1 && self.plateau.is_none()
    }

    /// The model compiled for a step that accumulates, has a rate that is lowered, diagnoses, or is timed.
    fn variant(&self) -> Result<Arc<Compiled>> {
        let compiled = &self.model.compiled;
        if self.takes_the_step() && !self.profile {
            return compiled.diagnosed();
        }
        let (names, fuel) = (self.model.watches.iter().map(|watch| watch.name.as_str()), crate::env::fuel());
        let front = compiled.front.variant(names, self.accumulate > 1, fuel);
        let front = front.and_then(|front| if self.plateau.is_some() { front.with_plateau(fuel) } else { Ok(front) });
        let front = front.and_then(|front| if self.diagnose { front.diagnosed(fuel) } else { Ok(front) });
        let options = Options { profile: self.profile, ..compiled.options.clone() };
        Ok(Model::compile(front.map_err(|error| front_error(&error))?, &options)?.compiled)
    }

    /// Runs the model as it is compiled now.
    fn run_checked(&mut self) -> Result<History> {
        self.model.must_train()?;
        if self.reference {
            self.refuse_native_alone()?;
        }
        let plan = self.plan()?;
        self.model.measure_scalers(&plan.train)?;
        self.model.note_class_names(&plan.train);
        let (standing, otherwise) = self.standing(&plan);
        notes(self.quiet, otherwise.as_slice());
        let mut history = match self.reference {
            true => self.run_reference(&plan, standing)?,
            false => self.run_native(&plan, &standing)?,
        };
        history.notes.extend(otherwise);
        Ok(history)
    }

    /// Where the run begins, and what is to be said if it goes on otherwise than it began.
    fn standing(&mut self, plan: &Plan) -> (Standing, Option<String>) {
        let monitor = plan.validation.as_ref().map(|_| plan.monitor.as_str());
        let before = self.model.resumed.take();
        let mut terms = if before.is_some() || self.checkpoint.is_some() { plan.terms() } else { Terms::new() };
        if !terms.is_empty() && self.model.compiled.assembled.slots.contains_key(STEPS) {
            // A schedule to the end of the run.
            let last = self.model.step.saturating_add(plan.steps);
            terms.insert("the last step, to which a schedule leads".into(), last.to_string());
        }
        let otherwise = before.as_ref().and_then(|before| before.otherwise(&terms));
        let standing = before.unwrap_or_default().of_run(monitor, self.restore);
        (Standing { terms, ..standing }, otherwise)
    }

    /// Whether the run ends with the parameters of its best epoch.
    fn restores(&self, plan: &Plan) -> bool {
        plan.validation.is_some() && self.restore
    }

    /// Epochs by which a run is shown that has so many; 0 if it is measured in steps.
    fn epochs_shown(&self, epochs: u64) -> u64 {
        if self.steps.is_some() { 0 } else { epochs }
    }
}
