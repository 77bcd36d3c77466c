//! A run on its first thread: what the driver calls for the next batch, at the end of an epoch, and for validation.

use super::shared::{Columns, RECORDS, Shared};
use super::{Judged, Plan, SNAPSHOT_STEPS, Turn};
use crate::calls::Driver;
use crate::error::Result;
use crate::evaluate::Pass;
use crate::history::{Epoch, Step};
use crate::model::Model;
use crate::profile::Clock;
use crate::recover::{Place, Snapshot};
use crate::scores::Scores;
use crate::watch::Keeper;
use crate::workspace::Workspace;
use gradc_compiler::loops::{BufferId, Slot};
use gradc_compiler::lower::EPOCH;
use gradc_compiler::step::{PENALTY, SKIPPED, accumulate, plateau};
use std::sync::atomic::Ordering;
use std::time::Instant;

/// Scalars that the run and the driver's code share.
struct Slots {
    batch: Slot,
    stop: Slot,
    steps: Slot,
    step: Slot,
    step_word: Slot,
    epoch: Option<Slot>,
    penalty: Option<Slot>,
    training: Sums,
    validation: Sums,
    improved: Option<Slot>,
    best: Option<Slot>,
    /// Best epoch, and for how long patience and plateau have waited.
    judged: [Option<Slot>; 3],
    finite: Option<Slot>,
    rate_factor: Option<Slot>,
    group: Group,
}

impl Slots {
    fn of(model: &Model) -> Self {
        let slots = &model.compiled.assembled.slots;
        let find = |name: &str| slots.get(name).copied();
        let must = |name: &str| find(name).unwrap_or(Slot(0));
        Self {
            batch: must("batch"),
            stop: must("stop"),
            steps: must("steps"),
            step: must("step"),
            step_word: must("step.word"),
            epoch: find(EPOCH),
            penalty: find(&format!("train.{PENALTY}.sum")),
            training: Sums::of(model, "train"),
            validation: Sums::of(model, "evaluate"),
            improved: find("improved"),
            best: find("best"),
            judged: ["best.epoch", "waited", "plateau.waited"].map(find),
            finite: find("finite"),
            rate_factor: find(&format!("setting.{}", plateau::SCALE)),
            group: Group::of(model),
        }
    }
}

/// What a pass over rows sums up: the loss, the rows themselves, and what the network reports.
struct Sums {
    loss: Option<Slot>,
    rows: Option<Slot>,
    metrics: Vec<Option<Slot>>,
}

impl Sums {
    fn of(model: &Model, unit: &str) -> Self {
        let find = |name: &str| model.compiled.assembled.slots.get(&format!("{unit}.{name}")).copied();
        let sum = |name: &str| find(&format!("{name}.sum"));
        let metrics = model.compiled.info.reports.iter().map(|report| sum(&report.name));
        Self { loss: sum("loss"), rows: find("rows"), metrics: metrics.collect() }
    }
}

/// Where a step that accumulates is told which batch of its update it sees.
#[derive(Clone, Copy)]
pub(crate) struct Group(Option<[Slot; 3]>);

impl Group {
    /// The slots of a program; none if its step takes one batch.
    pub(crate) fn of(model: &Model) -> Group {
        let slot = |name| model.compiled.assembled.slots.get(&format!("setting.{name}")).copied();
        Group((|| Some([slot(accumulate::FIRST)?, slot(accumulate::LAST)?, slot(accumulate::SHARE)?]))())
    }
    pub(crate) fn set(self, workspace: &mut Workspace, turn: Turn) {
        if let Some([first, last, share]) = self.0 {
            workspace.set_f64(first, f64::from(u8::from(turn.is_first)));
            workspace.set_f64(last, f64::from(u8::from(turn.is_last)));
            workspace.set_f64(share, turn.share);
        }
    }
}

/// The state of a run on its first thread.
pub(super) struct Run<'a> {
    plan: &'a Plan,
    workspace: &'a mut Workspace,
    shared: &'a Shared,
    slots: Slots,
    seed: u64,
    first_epoch: u64,
    /// Epochs of the run that this one goes on with.
    before: u64,
    begun: u64,
    order: Vec<u32>,
    position: usize,
    taken: u64,
    step: u64,
    batches: u64,
    pass: Option<Pass>,
    /// Scores of the epoch's steps, and of the validation rows.
    scores: [Scores; 2],
    epoch_started: Instant,
    /// What the rate is multiplied by in this epoch.
    rate_factor: f64,
    /// The state that counts skipped steps, and what it was when the epoch began.
    skips: Option<BufferId>,
    skipped: f32,
    /// The epoch's record in the making.
    row: Vec<f64>,
    /// Rows of all epochs so far.
    records: Vec<f64>,
    snapshot: Snapshot,
    since_snapshot: u64,
    asked: Asked,
    /// Loss, penalty and metrics of the training step.
    results: Vec<Option<BufferId>>,
    /// For each step its number, rows, and results.
    steps: Vec<f64>,
    keeper: Keeper,
    /// Rows of the last step, and of all so far.
    rows: usize,
    seen: u64,
    /// Where time goes, of a program with marks.
    clock: Option<Clock>,
}

/// How a run is to go, beside its plan.
#[derive(Clone, Copy)]
pub(super) struct Asked {
    /// Whether the calling thread answers each epoch's record.
    pub(super) answers: bool,
    /// Whether it looks at them at all.
    pub(super) shows: bool,
    /// Whether each step is recorded.
    pub(super) steps: bool,
    /// Whether kernels are timed.
    pub(super) profile: bool,
    /// Whether there is a copy to go back to.
    pub(super) snapshots: bool,
}

/// What a run leaves behind.
pub(super) struct Ended {
    pub(super) clock: Option<Clock>,
    pub(super) epochs: Vec<Epoch>,
    pub(super) steps: Vec<Step>,
    pub(super) snapshot: Snapshot,
    pub(super) begun: u64,
    pub(super) batches: u64,
    /// Where the last batch begins.
    pub(super) last: Place,
    pub(super) keeper: Keeper,
    /// Why a value is NaN, where it is known.
    pub(super) notes: Vec<String>,
}

impl<'a> Run<'a> {
    pub(super) fn new(
        model: &Model,
        plan: &'a Plan,
        workspace: &'a mut Workspace,
        shared: &'a Shared,
        asked: Asked,
        keeper: Keeper,
        before: u64,
    ) -> Result<Self> {
        let reports = &model.compiled.info.reports;
        let columns = &shared.columns;
        let names = ["loss", PENALTY].into_iter().chain(reports.iter().map(|report| report.name.as_str()));
        let results: Vec<Option<BufferId>> =
            names.map(|name| model.compiled.assembled.outputs.get(&format!("train.{name}")).copied()).collect();
        let width = Self::STEP + results.len();
        let recorded = |count: u64| usize::try_from(count).map_or(RECORDS, |count| count.min(RECORDS));
        let validated = plan.validation.as_ref().map(|bound| bound.rows);
        let slots = Slots::of(model);
        workspace.set_f64(slots.step, model.step as f64);
        Ok(Run {
            plan,
            shared,
            slots,
            seed: model.seed,
            first_epoch: model.epoch,
            before,
            begun: 0,
            order: (0..plan.train.rows as u32).collect(),
            position: 0,
            taken: 0,
            step: model.step,
            batches: model.batches,
            pass: validated.map(|rows| Pass::new(model, rows)),
            scores: [Scores::new(model, "train", plan.used), Scores::new(model, "evaluate", validated.unwrap_or(0))],
            epoch_started: Instant::now(),
            rate_factor: 1.0,
            skips: model.buffer(SKIPPED),
            skipped: 0.0,
            row: vec![0.0; columns.width()],
            records: Vec::with_capacity(columns.width() * recorded(plan.epochs)),
            snapshot: Snapshot::new(model, asked.snapshots)?,
            since_snapshot: SNAPSHOT_STEPS,
            asked,
            results,
            steps: Vec::with_capacity(if asked.steps { recorded(plan.steps) * width } else { 0 }),
            keeper,
            rows: 0,
            seen: 0,
            clock: asked.profile.then(|| Clock::new(model.compiled.assembled.program.kernels.len())),
            workspace,
        })
    }

    /// A place in the epoch that has begun last.
    fn place(&self, position: usize) -> Place {
        Place { epoch: (self.first_epoch + self.begun).saturating_sub(1), position }
    }

    pub(super) fn finish(mut self) -> Ended {
        self.keeper.ended(self.workspace, self.step, self.rows);
        let epochs = self.records.chunks(self.shared.columns.width()).map(|row| self.shared.columns.epoch(row)).collect();
        let step = |row: &[f64]| Step {
            step: row[0] as u64,
            rows: row[1] as usize,
            loss: row[2],
            penalty: row[3],
            metrics: row[4..].to_vec(),
        };
        let steps = self.steps.chunks(Self::STEP + self.results.len()).map(step).collect();
        let last = self.place(self.position.saturating_sub(self.rows));
        let [training, validation] = &self.scores;
        let passes = [("training", training), ("validation", validation)];
        let notes =
            passes.into_iter().flat_map(|(pass, scores)| scores.notes().into_iter().map(move |note| format!("in {pass} {note}")));
        let (notes, snapshot, keeper) = (notes.collect(), self.snapshot, self.keeper);
        Ended { clock: self.clock, epochs, steps, snapshot, begun: self.begun, batches: self.batches, last, keeper, notes }
    }

    /// Copies the state for [`recover`](crate::recover), if a step begins here.
    #[cold]
    fn take_snapshot(&mut self) {
        if self.plan.turn(self.position).is_first {
            let place = self.place(self.position);
            self.snapshot.take(self.step, self.batches, place);
            self.since_snapshot = 0;
        }
    }

    /// Numbers of a step's record before its results.
    const STEP: usize = 2;

    /// The record of the step that has just been taken.
    #[inline(never)]
    fn record_step(&mut self) {
        self.steps.extend([self.step as f64, self.rows as f64]);
        let workspace = &*self.workspace;
        let value =
            |buffer: &Option<BufferId>| buffer.and_then(|buffer| workspace.output(buffer).first().copied()).unwrap_or(0.0);
        self.steps.extend(self.results.iter().map(|buffer| f64::from(value(buffer))));
    }

    /// How the epochs so far were.
    fn judged(&self) -> Judged {
        let count = |slot: Option<Slot>| slot.map_or(0.0, |slot| f64::from(self.workspace.i32(slot)));
        let number = |slot: Option<Slot>, other| slot.map_or(other, |slot| self.workspace.f64(slot));
        let [epoch, waited, plateau_waited] = self.slots.judged.map(count);
        let best_epoch = self.before as f64 + epoch + 1.0;
        [number(self.slots.best, f64::INFINITY), best_epoch, waited, plateau_waited, number(self.slots.rate_factor, 1.0)]
    }

    fn mean(&self, sum: Option<Slot>, rows: Option<Slot>) -> f64 {
        match (sum, rows) {
            (Some(sum), Some(rows)) => self.workspace.f64(sum) / self.workspace.f64(rows),
            _ => 0.0,
        }
    }

    fn metrics(&self, sums: &Sums) -> impl Iterator<Item = f64> {
        sums.metrics.iter().map(|metric| self.mean(*metric, sums.rows))
    }
}

impl Driver for Run<'_> {
    fn mark(&mut self, kernel: i64) {
        if let Some(clock) = &mut self.clock {
            clock.mark(kernel);
        }
    }

    fn epoch(&mut self) {
        self.epoch_started = Instant::now();
        let rate_factor = self.slots.rate_factor.map_or(1.0, |slot| self.workspace.f64(slot));
        if rate_factor != self.rate_factor {
            // Steps are run again with the factor that is in force.
            self.since_snapshot = SNAPSHOT_STEPS;
        }
        self.rate_factor = rate_factor;
        self.skipped = self.skips.map_or(0.0, |state| self.workspace.first(state));
        self.plan.order(self.seed, self.first_epoch + self.begun, &mut self.order);
        self.position = 0;
        self.scores[0].clear();
        self.begun += 1;
        if let Some(epoch) = self.slots.epoch {
            self.workspace.set_f64(epoch, (self.first_epoch + self.begun) as f64);
        }
        self.workspace.bind(&self.plan.train);
        let left = self.plan.steps - self.taken.min(self.plan.steps);
        let turns = self.plan.turns.min(left.saturating_mul(self.plan.accumulate as u64));
        self.workspace.set_i32(self.slots.steps, turns as i32);
        self.shared.epoch.store(self.before + self.begun, Ordering::Relaxed);
    }

    fn next(&mut self) {
        if self.since_snapshot >= SNAPSHOT_STEPS {
            self.take_snapshot();
        }
        self.since_snapshot += 1;
        let turn = self.plan.turn(self.position);
        let count = turn.to - turn.from;
        self.position = turn.to;
        if turn.is_first {
            self.taken += 1;
            self.step += 1;
        }
        self.batches += 1;
        self.rows = count;
        self.slots.group.set(self.workspace, turn);
        let scalars = self.workspace.scalars();
        scalars.set_i32(self.slots.batch, count as i32);
        scalars.set_f64(self.slots.step, self.step as i64 as f64);
        scalars.set_i32(self.slots.step_word, self.batches as u32 as i32);
        // A call that copies one word would take longer than the word. It comes last, so that nothing is to be saved from it.
        match self.order[turn.from..turn.to] {
            [row] => self.workspace.rows_mut()[0] = row,
            ref rows => self.workspace.rows_mut()[..count].copy_from_slice(rows),
        }
    }

    fn stepped(&mut self) {
        if self.shared.stop.load(Ordering::Relaxed) {
            self.workspace.set_i32(self.slots.stop, -1);
        }
        self.shared.step.store(self.taken, Ordering::Relaxed);
        if self.asked.steps {
            self.record_step();
        }
        self.scores[0].add(self.workspace, self.rows);
        self.keeper.stepped(self.workspace, self.step, self.rows);
        self.seen += self.rows as u64;
        // No one else writes it; an addition in one piece would wait for all that the step has stored.
        self.shared.rows.store(self.seen, Ordering::Relaxed);
        self.shared.loss.store(self.mean(self.slots.training.loss, self.slots.training.rows).to_bits(), Ordering::Relaxed);
        if let Some(metric) = self.slots.training.metrics.first() {
            self.shared.metric.store(self.mean(*metric, self.slots.training.rows).to_bits(), Ordering::Relaxed);
        }
    }

    fn validation(&mut self) {
        if let (Some(pass), Some(bound)) = (&mut self.pass, &self.plan.validation) {
            self.workspace.bind(bound);
            pass.begin(self.workspace);
        }
        self.scores[1].clear();
    }

    fn chunk(&mut self) {
        if let Some(pass) = &mut self.pass {
            pass.chunk(self.workspace);
        }
    }

    fn scored(&mut self) {
        let rows = self.pass.as_ref().map_or(0, |pass| pass.count);
        self.scores[1].add(self.workspace, rows);
    }

    fn ranked(&mut self) {
        self.scores[1].rank(self.workspace);
    }

    fn epoch_end(&mut self) {
        self.scores[0].rank(self.workspace);
        let improved = self.slots.improved.is_some_and(|slot| self.workspace.i32(slot) != 0);
        let first: [f64; Columns::FIRST] = [
            (self.before + self.begun) as f64,
            self.step as f64,
            self.mean(self.slots.training.loss, self.slots.training.rows),
            self.mean(self.slots.penalty, self.slots.training.rows),
            f64::from(improved),
            self.epoch_started.elapsed().as_secs_f64(),
            self.rate_factor,
            f64::from(self.skips.map_or(0.0, |state| self.workspace.first(state)) - self.skipped),
            self.batches as f64,
        ];
        let mut row = std::mem::take(&mut self.row);
        row.clear();
        row.extend(first);
        row.extend(self.judged());
        row.extend(self.metrics(&self.slots.training));
        if self.shared.columns.validates {
            let sums = &self.slots.validation;
            row.push(self.mean(sums.loss, sums.rows));
            row.extend(self.metrics(sums));
        }
        let is_finite = self.slots.finite.is_none_or(|slot| self.workspace.i32(slot) != 0);
        self.shared.cut.store(!is_finite || self.position < self.plan.used, Ordering::Relaxed);
        if self.asked.shows {
            self.shared.end_epoch(&row, self.asked.answers);
        }
        if self.asked.answers && self.shared.stop.load(Ordering::Relaxed) {
            self.workspace.set_i32(self.slots.stop, -1);
        }
        self.records.extend_from_slice(&row);
        self.row = row;
    }
}
