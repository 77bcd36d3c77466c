//! Training: one native call runs epochs over a resident data set, while the calling thread watches.

mod reference;
mod run;
mod shared;
mod watch;

use crate::calls::Handle;
use crate::diagnosis::record::Recorder;
use crate::error::{Error, Result};
use crate::evaluate::CHUNK;
use crate::history::{Epoch, History, Stopped};
use crate::machine::{Limits, pin};
use crate::model::{Compiled, Model, Options, TrainingData, front_error};
use crate::random::permutation;
use crate::report::progress::notes;
use crate::rows::{Bound, Rows, bind};
use crate::team;
use crate::workspace::{Slots, Store, capacity};
use gradc_compiler::lower::{STEPS, threads};
pub(crate) use run::Group;
use run::{Asked, Ended, Run};
use shared::{Columns, Question, Shared};
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Instant;
use watch::Watch;

/// A result by whose name a run is judged, such as `Digits::ACCURACY`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Monitor(pub &'static str);

/// What `on_epoch` is called with after each epoch.
type OnEpoch<'m> = Box<dyn FnMut(&Epoch) -> ControlFlow<()> + 'm>;

/// Most batches of an update.
const MOST_BATCHES: usize = 1 << 20;

/// Steps between two snapshots within an epoch.
const SNAPSHOT_STEPS: u64 = 1000;

/// A training run about to start. Nothing is checked before [`Fit::run`].
pub struct Fit<'m> {
    model: &'m mut Model,
    data: TrainingData<'m>,
    validation: Option<Rows<'m>>,
    batch: usize,
    epochs: Option<u64>,
    steps: Option<u64>,
    patience: Option<u64>,
    plateau: Option<(f64, u64)>,
    monitor: Option<String>,
    least: f64,
    restore: bool,
    drop_last: bool,
    accumulate: usize,
    shuffle: bool,
    threads: usize,
    all_threads: bool,
    pinned: bool,
    quiet: bool,
    interruptible: bool,
    on_epoch: Option<OnEpoch<'m>>,
    record_steps: bool,
    reference: bool,
    diagnose: bool,
    profile: bool,
}

impl<'m> Fit<'m> {
    pub(crate) fn new(model: &'m mut Model, data: TrainingData<'m>) -> Self {
        Fit {
            model,
            data,
            validation: None,
            batch: 32,
            epochs: None,
            steps: None,
            patience: None,
            plateau: None,
            monitor: None,
            least: 0.0,
            restore: true,
            drop_last: false,
            accumulate: 1,
            shuffle: true,
            threads: crate::env::threads(),
            all_threads: false,
            pinned: false,
            quiet: false,
            interruptible: false,
            on_epoch: None,
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
    /// Rows of a step (default 32, at most all). The last batch of an epoch may be smaller.
    pub fn batch(mut self, rows: usize) -> Self {
        self.batch = rows;
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
    /// Runs by the f64 interpreter of graphs in place of native code: slow, on one thread, and not to be interrupted. What the native run
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
    /// Faulty data or options, before anything changes; [`Error::Diverged`] if the loss is not finite, with the last good state kept.
    pub fn run(mut self) -> Result<History> {
        let is_timed = !self.profile || self.model.compiled.options.profile;
        if self.takes_the_step() && (self.reference || !self.diagnose && is_timed) {
            return self.run_compiled();
        }
        self.model.must_train()?;
        self.plan()?;
        let other = self.variant()?;
        let store = Store::new(&other.assembled.program)?;
        let (compiled, store) = self.model.change_to(other, store);
        let outcome = catch_unwind(AssertUnwindSafe(|| self.run_compiled()));
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

    fn run_compiled(&mut self) -> Result<History> {
        self.model.must_train()?;
        let plan = self.plan()?;
        self.model.measure_scalers(&plan.train)?;
        if self.reference {
            return self.run_reference(&plan);
        }
        let model = &mut *self.model;
        let compiled = model.compiled.clone();
        let slots = Slots(&compiled.assembled);
        let units = [("train", capacity(plan.batch)), ("evaluate", capacity(CHUNK))];
        let mut workspace = model.workspace(&units, plan.threads.get())?;
        slots.set(&mut workspace, STEPS, model.step.saturating_add(plan.steps) as f64);
        slots.set(&mut workspace, "epochs", plan.epochs as f64);
        slots.set(&mut workspace, "finite", -1.0);
        slots.set(&mut workspace, "best", f64::INFINITY);
        slots.set(&mut workspace, "least", self.least);
        slots.set(&mut workspace, "sign", if plan.higher_is_better { -1.0 } else { 1.0 });
        // A slot holds 32 bits; no run has more epochs.
        slots.set(&mut workspace, "patience", self.patience.unwrap_or(0).min(i32::MAX as u64) as f64);
        if let Some((factor, epochs)) = self.plateau {
            slots.set(&mut workspace, "plateau.factor", factor);
            slots.set(&mut workspace, "plateau.patience", epochs.min(i32::MAX as u64) as f64);
        }
        slots.set(&mut workspace, "validates", if plan.validation.is_some() { -1.0 } else { 0.0 });
        slots.set(&mut workspace, "restore", if plan.validation.is_some() && self.restore { -1.0 } else { 0.0 });
        slots.set(&mut workspace, &format!("monitor.{}", plan.monitor), 1.0);
        let width = plan.columns(compiled.info.reports.len()).width();
        let question = Question { row: Vec::with_capacity(width), ..Question::default() };
        let shared = Shared { question: Mutex::new(question), ..Shared::default() };
        let interrupt = if self.interruptible { Some(crate::interrupt::Guard::new()?) } else { None };
        let contexts: Vec<Addresses> = (0..plan.threads.get())
            .map(|thread| Addresses(workspace.context(thread, plan.threads.get(), std::ptr::null(), std::ptr::null_mut())))
            .collect();
        let function = model.entry("fit")?;
        let started = Instant::now();
        let first_step = model.step;
        let keeper = model.keeper(plan.batch, plan.steps)?;
        let asked = Asked { answers: self.on_epoch.is_some(), steps: self.record_steps, profile: self.profile };
        let mut run = Run::new(model, &plan, &mut workspace, &shared, asked, keeper)?;
        let mut handle = Handle(&mut run);
        let user = Address(handle.pointer());
        let watch = Watch {
            plan: &plan,
            shared: &shared,
            started,
            interrupt: interrupt.as_ref(),
            quiet: self.quiet,
            metrics: &compiled.info.reports,
        };
        let on_epoch = self.on_epoch.as_mut();
        let pinned = self.pinned;
        let outcome = team::run_watched(
            plan.threads,
            |thread, barrier| {
                if pinned {
                    pin(thread);
                }
                let user = &user;
                let context = gradc_compiler::abi::Context {
                    barrier: std::ptr::from_ref(barrier).cast(),
                    user: user.0,
                    ..contexts[thread].0
                };
                // SAFETY: as for `Model::run`: the workspace has memory for both units and all threads, data sets stay bound until the
                // run ends, and `user` is the handle that driver calls (first thread only) expect.
                unsafe { function(&raw const context) };
            },
            // A callback that panics leaves a model that knows its step: the panic goes on at the end.
            |done| catch_unwind(AssertUnwindSafe(|| watch.run(done, on_epoch))),
        );
        let watched = outcome.map_err(|error| Error::Internal { pass: "training team".into(), text: error.to_string() })?;
        let Ended { clock, epochs, steps, snapshot, begun, batches, last, mut keeper, notes: undefined } = run.finish();
        let diagnosis = keeper.recorder.take().map(Recorder::finish);
        model.keep(keeper);
        let finite = slots.get(&workspace, "finite") != 0.0;
        // An update that was stopped before its last batch has not been made.
        let unmade = u64::from(finite && !plan.turn(last).is_last);
        let step = slots.get(&workspace, "step") as u64 - unmade;
        let set = compiled.options.kernels();
        let profile =
            clock.map(|clock| clock.finish(&compiled, Limits::measure(set), plan.threads.get(), plan.batch, step - first_step));
        let out_of_patience = slots.get(&workspace, "out.of.patience") != 0.0;
        let best = slots.get(&workspace, "best.epoch") as u64 + 1;
        let restored = plan.validation.is_some() && self.restore && finite && slots.get(&workspace, "best").is_finite();
        let loss = model.output(&workspace, "train.loss");
        (model.step, model.batches) = (step, batches);
        model.epoch += begun;
        let elapsed = started.elapsed();
        let interrupted = shared.stop.load(Ordering::Relaxed);
        let history = History {
            network: model.name().to_string(),
            metrics: compiled.info.reports.iter().map(|report| report.name.clone()).collect(),
            epochs,
            steps,
            diagnosis,
            profile,
            stopped: if out_of_patience {
                Stopped::Patience
            } else if interrupted {
                Stopped::Interrupted
            } else {
                Stopped::Completed
            },
            restored: restored.then_some(best),
            elapsed,
            samples_per_second: (step - first_step) as f64 * plan.batch as f64 / elapsed.as_secs_f64().max(1e-9),
            zeros: model.zeros(),
            notes: model.missed(first_step, step).into_iter().chain(undefined).collect(),
        };
        notes(self.quiet, &history.notes);
        // What the last step did to the parameters, no loss has seen.
        let spoilt = finite && !model.parameters_finite();
        if spoilt {
            (model.step, model.batches) = (step + 1, batches + 1);
        }
        let diverged = (!finite || spoilt).then(|| model.recover(&plan, snapshot, &mut workspace, last, loss, history.clone()));
        let diverged = diverged.map(crate::diagnosis::failed);
        if let Err(panic) = watched {
            resume_unwind(panic);
        }
        diverged.map_or(Ok(history), Err)
    }

    /// Checks everything that can be checked before the first step.
    fn plan(&self) -> Result<Plan> {
        let info = &self.model.compiled.info;
        let train = match &self.data {
            TrainingData::Rows(rows) => bind(rows, &info.fields, true)?,
            TrainingData::Nothing if info.fields.is_empty() => Bound::nothing(1),
            TrainingData::Nothing => {
                let name = &info.fields[0].name;
                return Err(Error::data(
                    format!("the field `{name}` is not given"),
                    "",
                    "give every field that the network declares",
                ));
            }
        };
        let validation = self.validation.as_ref().map(|rows| bind(rows, &info.fields, true)).transpose()?;
        let batch = if info.fields.is_empty() { 1 } else { self.batch };
        if batch == 0 {
            return Err(Error::setting("batch", 0, "at least 1"));
        }
        if batch > train.rows {
            return Err(Error::setting("batch", batch, &format!("at most {}, the rows of the training set", train.rows)));
        }
        if !(1..=MOST_BATCHES).contains(&self.accumulate) {
            return Err(Error::setting("accumulate", self.accumulate, &format!("at least 1 and at most {MOST_BATCHES} batches")));
        }
        let whole = train.rows / batch;
        let rest = train.rows % batch;
        let turns = if rest > 0 && !self.drop_last { whole + 1 } else { whole } as u64;
        let updates = turns.div_ceil(self.accumulate as u64);
        self.model.check_rows(batch)?;
        if rest > 0 && !self.drop_last {
            self.model.check_rows(rest)?;
        }
        let (epochs, steps) = match (self.epochs, self.steps) {
            (Some(_), Some(_)) => return Err(Error::setting("steps", "given beside `epochs`", "one of the two")),
            (Some(epochs), None) => (epochs, epochs.saturating_mul(updates)),
            (None, Some(steps)) => (steps.div_ceil(updates), steps),
            (None, None) => (1, updates),
        };
        if self.steps == Some(0) {
            return Err(Error::setting("steps", 0, "at least 1"));
        }
        if epochs == 0 || epochs > i32::MAX as u64 {
            return Err(Error::setting("epochs", epochs, "at least 1 and below 2147483648"));
        }
        if turns > i32::MAX as u64 || train.rows > u32::MAX as usize {
            return Err(Error::setting("rows", train.rows, "below 2147483648"));
        }
        if self.patience == Some(0) {
            return Err(Error::setting("patience", 0, "at least 1"));
        }
        if self.patience.is_some() && validation.is_none() {
            return Err(Error::setting("patience", "used without a validation set", "accompanied by `.validate(…)`"));
        }
        if let Some((factor, epochs)) = self.plateau {
            if validation.is_none() {
                return Err(Error::setting("plateau", "used without a validation set", "accompanied by `.validate(…)`"));
            }
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
        let threads = NonZeroUsize::new(self.threads).filter(|threads| threads.get() <= 1024);
        let Some(most) = threads else {
            return Err(Error::setting("threads", self.threads, "at least 1 and at most 1024"));
        };
        let threads = if self.all_threads { most } else { worth(&self.model.compiled, batch, most) };
        let monitor = self.monitor.clone().unwrap_or_else(|| "loss".into());
        let report = info.reports.iter().find(|report| report.name == monitor);
        if report.is_none() && monitor != "loss" {
            let names: Vec<&str> =
                std::iter::once("loss").chain(info.reports.iter().map(|report| report.name.as_str())).collect();
            return Err(Error::setting("monitor", format!("`{monitor}`"), &format!("one of: {}", names.join(", "))));
        }
        let higher_is_better = report.is_some_and(|report| report.higher_is_better);
        let (accumulate, used) = (self.accumulate, if self.drop_last { whole * batch } else { train.rows });
        let shuffle = self.shuffle;
        Ok(Plan { train, validation, batch, accumulate, shuffle, used, turns, epochs, steps, threads, monitor, higher_is_better })
    }
}

/// The number of threads, at most `most`, that a step of the network is worth.
fn worth(compiled: &Compiled, batch: usize, most: NonZeroUsize) -> NonZeroUsize {
    let unit = compiled.assembled.unit("train");
    let lanes = compiled.options.instruction_set.lanes();
    let worth = unit.map(|unit| threads(&unit.graph, &unit.fusion, batch, lanes, most.get()));
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
    /// Writes the order of an epoch; `out` holds the rows in order.
    pub fn order(&self, seed: u64, epoch: u64, out: &mut [u32]) {
        if self.shuffle {
            permutation(seed, epoch, out);
        }
    }
    /// The batch that begins at a place of the epoch's order.
    pub fn turn(&self, from: usize) -> Turn {
        let to = (from + self.batch).min(self.used);
        let rows = self.batch * self.accumulate;
        let first = from - from % rows;
        let end = (first + rows).min(self.used);
        Turn { from, to, is_first: from == first, is_last: to == end, share: (to - from) as f64 / (end - first).max(1) as f64 }
    }
    fn columns(&self, metrics: usize) -> Columns {
        Columns { metrics, validates: self.validation.is_some() }
    }
}

struct Addresses(gradc_compiler::abi::Context);
// SAFETY: the pointers lead into the workspace and to the barrier, which outlive the team; who writes what is the program's affair.
unsafe impl Sync for Addresses {}
struct Address(*mut u8);
// SAFETY: only the first thread follows it.
unsafe impl Sync for Address {}
