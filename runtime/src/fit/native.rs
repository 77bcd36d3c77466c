//! A run of native code: what the driver is told, who watches it, and what the run has come to.

use super::run::{Asked, Ended, Run};
use super::shared::{Answer, Shared};
use super::watch::Watch;
use super::{Checkpointing, Fit, Judged, Plan, Standing};
use crate::calls::Handle;
use crate::diagnosis::record::Recorder;
use crate::error::{Error, Result};
use crate::evaluate::CHUNK;
use crate::history::{Epoch, History, Stopped};
use crate::interrupt::Guard;
use crate::machine::{Limits, pin};
use crate::model::{Entry, Model, Reached};
use crate::recover::Snapshot;
use crate::report::progress::notes;
use crate::team::{Barrier, Done, run_watched};
use crate::workspace::{Slots, Workspace, capacity};
use gradc_compiler::lower::STEPS;
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Instant;

/// What all parts of a run look at.
struct Course<'a> {
    plan: &'a Plan,
    /// Where the run stood that this one goes on with.
    standing: &'a Standing,
    shared: &'a Shared,
    started: Instant,
    /// Steps and epochs of the model before.
    first_step: u64,
    first_epoch: u64,
    restores: bool,
}

impl Fit<'_> {
    /// Tells the driver, by the slots that it reads, what to do and when to stop.
    fn instruct(&self, plan: &Plan, standing: &Standing, mut set: impl FnMut(&str, f64)) {
        let mask = |truth: bool| if truth { -1.0 } else { 0.0 };
        // A slot holds 32 bits; no run has more epochs.
        let epochs = |count: u64| count.min(i32::MAX as u64) as f64;
        set(STEPS, self.model.step.saturating_add(plan.steps) as f64);
        let is_over = standing.is_out_of(self.patience);
        set("epochs", if is_over { 0.0 } else { plan.epochs as f64 });
        set("out.of.patience", mask(is_over));
        set("finite", mask(true));
        standing.instruct(self.plateau.is_some(), &mut set);
        set("least", self.least);
        set("sign", plan.sign());
        set("patience", epochs(self.patience.unwrap_or(0)));
        if let Some((factor, patience)) = self.plateau {
            set("plateau.factor", factor);
            set("plateau.patience", epochs(patience));
        }
        set("validates", mask(plan.validation.is_some()));
        set("restore", mask(self.restores(plan)));
        set(&format!("monitor.{}", plan.monitor), 1.0);
    }

    /// Runs native code.
    pub(super) fn run_native(&mut self, plan: &Plan, standing: &Standing) -> Result<History> {
        let compiled = self.model.compiled.clone();
        let slots = Slots(&compiled.assembled);
        let units = [("train", capacity(plan.batch)), ("evaluate", capacity(CHUNK))];
        let mut workspace = self.model.workspace(&units, plan.threads.get())?;
        self.instruct(plan, standing, |name, value| slots.set(&mut workspace, name, value));
        let shared = Shared::new(plan.columns(&compiled.info.reports));
        let entry = Entry::of(self.model, "fit", &workspace, plan.threads)?;
        let keeper = self.model.keeper(plan.batch, plan.steps)?;
        let course = Course {
            plan,
            standing,
            shared: &shared,
            started: Instant::now(),
            first_step: self.model.step,
            first_epoch: self.model.epoch - standing.epochs,
            restores: self.restores(plan),
        };
        let mut run = Run::new(self.model, plan, &mut workspace, &shared, self.asked(), keeper, standing.epochs)?;
        let Watched { outcome, unwritten } = self.train(&course, &entry, &mut run)?;
        let ended = run.finish();
        let history = self.conclude(&course, ended, &mut workspace, unwritten);
        self.model.spare.put(workspace);
        outcome.unwrap_or_else(|panic| resume_unwind(panic));
        history
    }

    fn asked(&self) -> Asked {
        let answers = self.on_epoch.is_some() || self.checkpoint.is_some();
        Asked {
            answers,
            shows: answers || !self.quiet,
            steps: self.record_steps,
            profile: self.profile,
            snapshots: self.snapshots,
        }
    }

    /// Trains, while this thread watches.
    fn train(&mut self, course: &Course, entry: &Entry, run: &mut Run) -> Result<Watched> {
        let interrupt = if self.interruptible { Some(Guard::new()?) } else { None };
        let watch = Watch {
            plan: course.plan,
            epochs: self.epochs_shown(course.standing.epochs + course.plan.epochs),
            done: course.standing.steps,
            first_step: course.first_step,
            shared: course.shared,
            started: course.started,
            interrupt: interrupt.as_ref(),
            quiet: self.quiet,
            metrics: &self.model.compiled.info.reports,
        };
        let (model, quiet, asked) = (&*self.model, self.quiet, self.asked());
        let mut writer = self.checkpoint.as_ref().map(|asked| Writer::new(asked, model, course, quiet));
        let on_epoch = &mut self.on_epoch;
        let mut epoch_ended = |epoch: &Epoch, judged: Judged| {
            if let Some(writer) = &mut writer {
                writer.epoch_ended(epoch, judged);
            }
            on_epoch.as_mut().map_or(ControlFlow::Continue(()), |call| call(epoch))
        };
        let call: Option<&mut Answer> = if asked.answers { Some(&mut epoch_ended) } else { None };
        let outcome = in_team(entry, course.plan.threads, self.pinned, run, |done| watch.run(done, call))?;
        Ok(Watched { outcome, unwritten: writer.and_then(|writer| writer.unwritten) })
    }

    /// What the run has come to: the model knows its step again, and what is not finite becomes an error with the last good state.
    fn conclude(
        &mut self,
        course: &Course,
        ended: Ended,
        workspace: &mut Workspace,
        unwritten: Option<String>,
    ) -> Result<History> {
        let (plan, last, loss) = (course.plan, ended.last, self.model.output(workspace, "train.loss"));
        let compiled = self.model.compiled.clone();
        let slots = Slots(&compiled.assembled);
        let finite = slots.get(workspace, "finite") != 0.0;
        // An update that was stopped before its last batch has not been made.
        let unmade = u64::from(finite && ended.begun > 0 && !plan.turn(last.position).is_last);
        (self.model.step, self.model.batches) = (slots.get(workspace, "step") as u64 - unmade, ended.batches);
        self.model.epoch += ended.begun;
        let (history, snapshot) = self.history(course, ended, workspace, unwritten);
        notes(self.quiet, &history.notes);
        let model = &mut *self.model;
        // What the last step did to the parameters, no loss has seen.
        let spoilt = finite && !model.parameters_finite();
        if spoilt {
            (model.step, model.batches) = (model.step + 1, model.batches + 1);
        }
        let outcome = match finite && !spoilt {
            true => Ok(history),
            false => Err(crate::diagnosis::failed(model.recover(plan, &snapshot, workspace, last, loss, history))),
        };
        snapshot.leave(model);
        outcome
    }
}

impl Fit<'_> {
    /// The history of a run, and the copy that it has kept.
    fn history(
        &mut self,
        course: &Course,
        ended: Ended,
        workspace: &Workspace,
        unwritten: Option<String>,
    ) -> (History, Snapshot) {
        let Course { plan, standing, .. } = course;
        let Ended { clock, epochs, steps, snapshot, mut keeper, notes: undefined, .. } = ended;
        let (model, elapsed) = (&mut *self.model, course.started.elapsed());
        let diagnosis = keeper.recorder.take().map(Recorder::finish);
        model.keep(keeper);
        let compiled = model.compiled.clone();
        let slot = |name: &str| Slots(&compiled.assembled).get(workspace, name);
        let taken = model.step - course.first_step;
        let limits = || Limits::measure(compiled.options.kernels());
        let profile = clock.map(|clock| clock.finish(&compiled, limits(), plan.threads.get(), plan.batch, taken));
        let best = standing.epochs.saturating_add_signed(slot("best.epoch") as i64 + 1);
        let restored = course.restores && slot("finite") != 0.0 && slot("best").is_finite();
        let stopped = match (slot("out.of.patience") != 0.0, course.shared.stop.load(Ordering::Relaxed)) {
            (true, _) => Stopped::Patience,
            (false, true) => Stopped::Interrupted,
            (false, false) => Stopped::Completed,
        };
        let (missed, unweighted) = (model.missed(course.first_step, model.step), model.nothing_counted(&epochs));
        let history = History {
            network: model.name().to_string(),
            metrics: compiled.info.reports.iter().map(|report| report.name.clone()).collect(),
            epochs,
            steps,
            diagnosis,
            profile,
            stopped,
            restored: restored.then_some(best),
            elapsed,
            samples_per_second: taken as f64 * plan.batch as f64 / elapsed.as_secs_f64().max(1e-9),
            zeros: model.zeros(),
            notes: missed.into_iter().chain(unwritten).chain(undefined).chain(unweighted).collect(),
        };
        (history, snapshot)
    }
}

/// Writes a checkpoint behind each epoch that has not been cut short.
struct Writer<'a> {
    asked: &'a Checkpointing,
    model: &'a Model,
    course: &'a Course<'a>,
    quiet: bool,
    /// Why the last one could not be written.
    unwritten: Option<String>,
}

impl<'a> Writer<'a> {
    fn new(asked: &'a Checkpointing, model: &'a Model, course: &'a Course<'a>, quiet: bool) -> Self {
        Writer { asked, model, course, quiet, unwritten: None }
    }

    fn epoch_ended(&mut self, epoch: &Epoch, judged: Judged) {
        if self.course.shared.cut.load(Ordering::Relaxed) || !self.model.parameters_finite() {
            return;
        }
        let Course { plan, standing, first_step, first_epoch, restores, .. } = self.course;
        let reached = Reached { step: epoch.step, batches: epoch.batches, epoch: first_epoch + epoch.epoch };
        let standing = Standing {
            epochs: epoch.epoch,
            steps: standing.steps + (epoch.step - first_step),
            judged,
            monitor: plan.monitor.clone(),
            copied: *restores && judged[0].is_finite(),
            terms: standing.terms.clone(),
        };
        let Checkpointing { file, names } = self.asked;
        let failed = self.model.write_checkpoint(file, names, reached, Some(&standing)).err();
        let failed = failed.map(|error| format!("the last checkpoint was not written: {error}"));
        // Room can be made while the run goes on.
        if self.unwritten.is_none() {
            notes(self.quiet, failed.as_slice());
        }
        self.unwritten = failed;
    }
}

/// What has come of watching a run.
struct Watched {
    /// The panic of a callback: it leaves a model that knows its step, and goes on at the end.
    outcome: thread::Result<()>,
    unwritten: Option<String>,
}

/// Runs `fit` on all threads until the run ends; meanwhile `watch` runs on the calling one.
fn in_team(
    entry: &Entry,
    threads: NonZeroUsize,
    pinned: bool,
    run: &mut Run,
    watch: impl FnOnce(&Done),
) -> Result<thread::Result<()>> {
    let mut handle = Handle(run);
    let user = Address(handle.pointer());
    let worker = |thread: usize, barrier: &Barrier| {
        if pinned {
            pin(thread);
        }
        let user = &user;
        // SAFETY: the workspace has memory for both units and all threads, and `user` is the handle that driver calls expect.
        unsafe { entry.run(thread, barrier, user.0) };
    };
    let outcome = run_watched(threads, worker, |done| catch_unwind(AssertUnwindSafe(|| watch(done))));
    outcome.map_err(|error| Error::Internal { pass: "training team".into(), text: error.to_string() })
}

struct Address(*mut u8);
// SAFETY: only the first thread follows it.
unsafe impl Sync for Address {}
