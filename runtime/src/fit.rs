//! Training: one native call runs epochs over a resident data set, while the calling thread watches.

use crate::calls::{Driver, Handle};
use crate::error::{Error, Result};
use crate::evaluate::{CHUNK, Pass};
use crate::history::{Epoch, History, Stopped};
use crate::model::{Model, TrainingData};
use crate::random::permutation;
use crate::recover::Snapshot;
use crate::report::progress::{Display, Progress};
use crate::rows::{Bound, Rows, bind};
use crate::team;
use crate::workspace::{Slots, Workspace, capacity};
use gradc_compiler::loops::Slot;
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A result by whose name a run is judged, such as `Digits::ACCURACY`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Monitor(pub &'static str);

/// What `on_epoch` is called with after each epoch.
type OnEpoch<'m> = Box<dyn FnMut(&Epoch) -> ControlFlow<()> + 'm>;

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
    monitor: Option<String>,
    least: f64,
    restore: bool,
    drop_last: bool,
    shuffle: bool,
    threads: usize,
    quiet: bool,
    interruptible: bool,
    on_epoch: Option<OnEpoch<'m>>,
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
            monitor: None,
            least: 0.0,
            restore: true,
            drop_last: false,
            shuffle: true,
            threads: crate::env::threads(),
            quiet: false,
            interruptible: false,
            on_epoch: None,
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
    /// What patience and the best weights go by (default: the validation loss without penalty).
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
    /// Whether each epoch has an order of its own (default true).
    pub fn shuffle(mut self, shuffle: bool) -> Self {
        self.shuffle = shuffle;
        self
    }
    /// Threads (default 0: one for each core); the result does not depend on it.
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = if threads == 0 { crate::env::threads() } else { threads };
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

    /// Runs. A second run goes on from the state that this one leaves behind.
    ///
    /// # Errors
    /// Faulty data or options, before anything changes; [`Error::Diverged`] if the loss is not finite, with the last good state kept.
    pub fn run(mut self) -> Result<History> {
        self.model.must_train()?;
        let plan = self.plan()?;
        self.model.measure_scalers(&plan.train)?;
        let model = &mut *self.model;
        let compiled = model.compiled.clone();
        let slots = Slots(&compiled.assembled);
        let units = [("train", capacity(plan.batch)), ("evaluate", capacity(CHUNK))];
        let mut workspace = model.workspace(&units, plan.threads.get())?;
        slots.set(&mut workspace, "epochs", plan.epochs as f64);
        slots.set(&mut workspace, "finite", -1.0);
        slots.set(&mut workspace, "best", f64::INFINITY);
        slots.set(&mut workspace, "least", self.least);
        slots.set(&mut workspace, "sign", if plan.higher_is_better { -1.0 } else { 1.0 });
        slots.set(&mut workspace, "patience", self.patience.unwrap_or(0) as f64);
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
        let mut run = Run::new(model, &plan, &mut workspace, &shared, self.shuffle, self.on_epoch.is_some());
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
        let outcome = team::run_watched(
            plan.threads,
            |thread, barrier| {
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
            |done| watch.run(done, on_epoch),
        );
        outcome.map_err(|error| Error::Internal { pass: "training team".into(), text: error.to_string() })?;
        let (epochs, snapshot, begun) = run.finish();
        let step = slots.get(&workspace, "step") as u64;
        let finite = slots.get(&workspace, "finite") != 0.0;
        let out_of_patience = slots.get(&workspace, "out.of.patience") != 0.0;
        let best = slots.get(&workspace, "best.epoch") as u64 + 1;
        let restored = plan.validation.is_some() && self.restore && finite && slots.get(&workspace, "best").is_finite();
        let loss = model.output(&workspace, "train.loss");
        model.step = step;
        model.epoch += begun;
        let elapsed = started.elapsed();
        let interrupted = shared.stop.load(Ordering::Relaxed);
        let history = History {
            network: model.name().to_string(),
            metrics: compiled.info.reports.iter().map(|report| report.name.clone()).collect(),
            epochs,
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
        };
        if !finite {
            return Err(model.recover(&plan, snapshot, &mut workspace, loss, history.line()));
        }
        Ok(history)
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
        let whole = train.rows / batch;
        let rest = train.rows % batch;
        let turns = if rest > 0 && !self.drop_last { whole + 1 } else { whole } as u64;
        self.model.check_rows(batch)?;
        if rest > 0 && !self.drop_last {
            self.model.check_rows(rest)?;
        }
        let (epochs, steps) = match (self.epochs, self.steps) {
            (Some(_), Some(_)) => return Err(Error::setting("steps", "given beside `epochs`", "one of the two")),
            (Some(epochs), None) => (epochs, epochs.saturating_mul(turns)),
            (None, Some(steps)) => (steps.div_ceil(turns), steps),
            (None, None) => (1, turns),
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
        if !(self.least >= 0.0 && self.least.is_finite()) {
            return Err(Error::setting("least", self.least, "a finite number of at least 0"));
        }
        let threads = NonZeroUsize::new(self.threads).filter(|threads| threads.get() <= 1024);
        let Some(threads) = threads else {
            return Err(Error::setting("threads", self.threads, "at least 1 and at most 1024"));
        };
        let monitor = self.monitor.clone().unwrap_or_else(|| "loss".into());
        let report = info.reports.iter().find(|report| report.name == monitor);
        if report.is_none() && monitor != "loss" {
            let names: Vec<&str> =
                std::iter::once("loss").chain(info.reports.iter().map(|report| report.name.as_str())).collect();
            return Err(Error::setting("monitor", format!("`{monitor}`"), &format!("one of: {}", names.join(", "))));
        }
        let higher_is_better = report.is_some_and(|report| report.higher_is_better);
        Ok(Plan { train, validation, batch, turns, epochs, steps, threads, monitor, higher_is_better })
    }
}

/// A run whose options have been checked.
pub(crate) struct Plan {
    pub train: Bound,
    pub validation: Option<Bound>,
    pub batch: usize,
    /// Steps of an epoch.
    pub turns: u64,
    pub epochs: u64,
    pub steps: u64,
    pub threads: NonZeroUsize,
    pub monitor: String,
    pub higher_is_better: bool,
}

impl Plan {
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

/// What the run tells whoever watches, and the flag that ends it.
#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    step: AtomicU64,
    rows: AtomicU64,
    epoch: AtomicU64,
    /// Bits of f64s.
    loss: AtomicU64,
    metric: AtomicU64,
    validation: AtomicU64,
    /// Epochs whose record is complete.
    ended: AtomicU64,
    /// A record waiting for `on_epoch`, if the run has one.
    question: Mutex<Question>,
    answered: Condvar,
}

/// The first thread asks, the calling thread answers.
#[derive(Default)]
struct Question {
    /// The epoch as [`Columns`] lays it out; the room for it is kept.
    row: Vec<f64>,
    asked: bool,
    open: bool,
}

/// How an epoch's record lies in a row of numbers, so that none has to be allocated while a run goes on: the six numbers that every
/// epoch has, then the training metrics, then the validation's loss and metrics.
#[derive(Clone, Copy)]
struct Columns {
    metrics: usize,
    validates: bool,
}

impl Columns {
    const FIRST: usize = 6;

    fn width(self) -> usize {
        Self::FIRST + self.metrics + if self.validates { 1 + self.metrics } else { 0 }
    }

    fn epoch(self, row: &[f64]) -> Epoch {
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
        }
    }
}

/// Epochs for whose records there is room from the start.
const RECORDS: usize = 1 << 16;

impl Shared {
    /// Hands a record to the calling thread and waits until it has seen it.
    fn ask(&self, row: &[f64]) {
        let mut question = self.question.lock().unwrap_or_else(PoisonError::into_inner);
        question.row.clear();
        question.row.extend_from_slice(row);
        (question.asked, question.open) = (true, true);
        while question.open {
            question = self.answered.wait(question).unwrap_or_else(PoisonError::into_inner);
        }
    }
    /// Answers the open question, if there is one; `Break` ends the run.
    fn answer(&self, columns: Columns, call: &mut OnEpoch) {
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
    fn release(&self) {
        let mut question = self.question.lock().unwrap_or_else(PoisonError::into_inner);
        question.open = false;
        self.stop.store(true, Ordering::Relaxed);
        self.answered.notify_all();
    }
}

/// If the callback panics, the team must not wait for its answer.
struct Release<'a>(&'a Shared);

impl Drop for Release<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.release();
        }
    }
}

struct SlotSet {
    batch: Slot,
    stop: Slot,
    steps: Slot,
    step: Slot,
    step_word: Slot,
    loss: Option<Slot>,
    penalty: Option<Slot>,
    rows: Option<Slot>,
    metrics: Vec<Option<Slot>>,
    improved: Option<Slot>,
}

/// The state of a run on its first thread.
pub(crate) struct Run<'a> {
    plan: &'a Plan,
    workspace: &'a mut Workspace,
    shared: &'a Shared,
    slots: SlotSet,
    validation_slots: (Option<Slot>, Option<Slot>, Vec<Option<Slot>>),
    seed: u64,
    first_epoch: u64,
    begun: u64,
    shuffle: bool,
    order: Vec<u32>,
    position: usize,
    taken: u64,
    step: u64,
    pass: Option<Pass>,
    epoch_started: Instant,
    columns: Columns,
    /// The epoch's record in the making.
    row: Vec<f64>,
    /// Rows of all epochs so far.
    records: Vec<f64>,
    done: u64,
    snapshot: Snapshot,
    since_snapshot: u64,
    /// Whether each epoch's record is shown to the calling thread.
    asks: bool,
}

impl<'a> Run<'a> {
    fn new(model: &Model, plan: &'a Plan, workspace: &'a mut Workspace, shared: &'a Shared, shuffle: bool, asks: bool) -> Self {
        let slots = &model.compiled.assembled.slots;
        let find = |name: &str| slots.get(name).copied();
        let must = |name: &str| find(name).unwrap_or(Slot(0));
        let reports = &model.compiled.info.reports;
        let metrics =
            |prefix: &str| reports.iter().map(|report| find(&format!("{prefix}.{}.sum", report.name))).collect::<Vec<_>>();
        let columns = plan.columns(reports.len());
        workspace.set_f64(must("step"), model.step as f64);
        Run {
            plan,
            shared,
            slots: SlotSet {
                batch: must("batch"),
                stop: must("stop"),
                steps: must("steps"),
                step: must("step"),
                step_word: must("step.word"),
                loss: find("train.loss.sum"),
                penalty: find("train.penalty.sum"),
                rows: find("train.rows.sum"),
                metrics: metrics("train"),
                improved: find("improved"),
            },
            validation_slots: (find("evaluate.loss.sum"), find("evaluate.rows.sum"), metrics("evaluate")),
            seed: model.seed,
            first_epoch: model.epoch,
            begun: 0,
            shuffle,
            order: (0..plan.train.rows as u32).collect(),
            position: 0,
            taken: 0,
            step: model.step,
            pass: plan.validation.as_ref().map(|bound| Pass::new(model, bound.rows)),
            epoch_started: Instant::now(),
            columns,
            row: vec![0.0; columns.width()],
            records: Vec::with_capacity(
                columns.width() * usize::try_from(plan.epochs).map_or(RECORDS, |epochs| epochs.min(RECORDS)),
            ),
            done: 0,
            snapshot: Snapshot::new(model),
            since_snapshot: 0,
            asks,
            workspace,
        }
    }

    fn keep_snapshot(&mut self) {
        self.snapshot.take(self.step, self.first_epoch + self.begun, self.position);
        self.since_snapshot = 0;
    }

    fn finish(self) -> (Vec<Epoch>, Snapshot, u64) {
        let epochs = self.records.chunks(self.columns.width()).map(|row| self.columns.epoch(row)).collect();
        (epochs, self.snapshot, self.begun)
    }

    fn mean(&self, sum: Option<Slot>, rows: Option<Slot>) -> f64 {
        match (sum, rows) {
            (Some(sum), Some(rows)) => self.workspace.f64(sum) / self.workspace.f64(rows),
            _ => 0.0,
        }
    }
}

impl Driver for Run<'_> {
    fn epoch(&mut self) {
        self.epoch_started = Instant::now();
        if self.shuffle {
            permutation(self.seed, self.first_epoch + self.begun, &mut self.order);
        }
        self.position = 0;
        self.keep_snapshot();
        self.begun += 1;
        self.workspace.bind(&self.plan.train);
        let left = self.plan.steps - self.taken.min(self.plan.steps);
        self.workspace.set_i32(self.slots.steps, self.plan.turns.min(left) as i32);
        self.shared.epoch.store(self.begun, Ordering::Relaxed);
    }

    fn next(&mut self) {
        if self.since_snapshot >= SNAPSHOT_STEPS {
            self.begun -= 1;
            self.keep_snapshot();
            self.begun += 1;
        }
        self.since_snapshot += 1;
        let count = self.plan.batch.min(self.order.len() - self.position);
        let rows = &self.order[self.position..self.position + count];
        self.workspace.rows_mut()[..count].copy_from_slice(rows);
        self.position += count;
        self.taken += 1;
        self.step += 1;
        self.workspace.set_i32(self.slots.batch, count as i32);
        self.workspace.set_f64(self.slots.step, self.step as f64);
        self.workspace.set_i32(self.slots.step_word, self.step as u32 as i32);
    }

    fn stepped(&mut self) {
        if self.shared.stop.load(Ordering::Relaxed) {
            self.workspace.set_i32(self.slots.stop, -1);
        }
        self.shared.step.store(self.taken, Ordering::Relaxed);
        let batch = self.workspace.i32(self.slots.batch) as u64;
        self.shared.rows.fetch_add(batch, Ordering::Relaxed);
        self.shared.loss.store(self.mean(self.slots.loss, self.slots.rows).to_bits(), Ordering::Relaxed);
        if let Some(metric) = self.slots.metrics.first() {
            self.shared.metric.store(self.mean(*metric, self.slots.rows).to_bits(), Ordering::Relaxed);
        }
    }

    fn validation(&mut self) {
        if let (Some(pass), Some(bound)) = (&mut self.pass, &self.plan.validation) {
            self.workspace.bind(bound);
            pass.begin(self.workspace);
        }
    }

    fn chunk(&mut self) {
        if let Some(pass) = &mut self.pass {
            pass.chunk(self.workspace);
        }
    }

    fn epoch_end(&mut self) {
        let improved = self.slots.improved.is_some_and(|slot| self.workspace.i32(slot) != 0);
        let first: [f64; Columns::FIRST] = [
            self.begun as f64,
            self.step as f64,
            self.mean(self.slots.loss, self.slots.rows),
            self.mean(self.slots.penalty, self.slots.rows),
            f64::from(improved),
            self.epoch_started.elapsed().as_secs_f64(),
        ];
        let mut row = std::mem::take(&mut self.row);
        row.clear();
        row.extend(first);
        row.extend(self.slots.metrics.iter().map(|slot| self.mean(*slot, self.slots.rows)));
        if self.columns.validates {
            let (loss, rows, metrics) = &self.validation_slots;
            let loss = self.mean(*loss, *rows);
            self.shared.validation.store(loss.to_bits(), Ordering::Relaxed);
            row.push(loss);
            row.extend(metrics.iter().map(|slot| self.mean(*slot, *rows)));
        }
        if self.asks {
            self.shared.ask(&row);
            if self.shared.stop.load(Ordering::Relaxed) {
                self.workspace.set_i32(self.slots.stop, -1);
            }
        }
        self.records.extend_from_slice(&row);
        self.row = row;
        self.done += 1;
        self.shared.ended.store(self.done, Ordering::Release);
    }
}

/// The calling thread's side of a run.
struct Watch<'a> {
    plan: &'a Plan,
    shared: &'a Shared,
    started: Instant,
    interrupt: Option<&'a crate::interrupt::Guard>,
    quiet: bool,
    metrics: &'a [gradc_compiler::driver::Report],
}

impl Watch<'_> {
    fn run(&self, done: &team::Done, mut on_epoch: Option<&mut OnEpoch>) {
        let _release = Release(self.shared);
        let mut display = Display::new(self.quiet);
        let mut seen = 0;
        // A run that waits for answers is looked at more often.
        let pause = Duration::from_millis(if on_epoch.is_some() { 1 } else { 30 });
        loop {
            let ended = done.wait_for(pause);
            if let Some(call) = &mut on_epoch {
                self.shared.answer(self.plan.columns(self.metrics.len()), call);
            }
            if self.interrupt.is_some_and(crate::interrupt::Guard::asked) {
                self.shared.stop.store(true, Ordering::Relaxed);
            }
            let progress = self.progress();
            let epochs = self.shared.ended.load(Ordering::Acquire);
            if epochs > seen {
                display.epoch_ended(&progress);
                seen = epochs;
            } else {
                display.update(&progress);
            }
            if ended {
                display.finish();
                return;
            }
        }
    }

    fn progress(&self) -> Progress {
        let number = |bits: &AtomicU64| f64::from_bits(bits.load(Ordering::Relaxed));
        let validation = number(&self.shared.validation);
        Progress {
            epoch: self.shared.epoch.load(Ordering::Relaxed),
            epochs: self.plan.epochs,
            step: self.shared.step.load(Ordering::Relaxed),
            steps: self.plan.steps,
            loss: number(&self.shared.loss),
            metric: self.metrics.first().map(|report| (report.name.clone(), number(&self.shared.metric))),
            validation: (self.plan.validation.is_some() && validation != 0.0).then_some(validation),
            samples_per_second: self.shared.rows.load(Ordering::Relaxed) as f64 / self.started.elapsed().as_secs_f64().max(1e-9),
        }
    }
}
