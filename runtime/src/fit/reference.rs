//! The same run by the specification: the f64 interpreter of graphs in place of native code. It is slow, and there to compare with.
//!
//! Order of rows, random numbers, steps, chunks of an evaluation, early stopping and the best copy are those of the native run; numbers
//! are f64 throughout, and are rounded to f32 only where the model takes them back at the end.

mod interpreter;
mod judge;

use super::{Fit, Plan, Standing, Turn};
use crate::error::{Error, Result};
use crate::history::{Epoch, History, Step, Stopped};
use crate::interrupt::Guard;
use crate::model::Reached;
use crate::report::progress::{Display, Progress, notes};
use gradc_compiler::graph::Graph;
use gradc_compiler::not_finite::{Cause, cause, cause_in_f32};
use gradc_compiler::ops::Environment;
use gradc_compiler::pipeline::Info;
use gradc_compiler::program::Graphs;
use gradc_compiler::reference;
use gradc_compiler::step::PENALTY;
pub(crate) use interpreter::Interpreter;
use interpreter::{Means, Tensors};
use judge::Judge;
use std::ops::ControlFlow;
use std::time::Instant;

/// What is known of a step that spoilt something.
struct Spoilt {
    /// Parameters and states before it.
    kept: Tensors,
    reached: Reached,
    loss: f64,
    cause: Option<Cause>,
}

/// A run under way.
struct Course<'a> {
    plan: &'a Plan,
    graphs: &'a Graphs,
    training: &'a Graph,
    info: &'a Info,
    interpreter: Interpreter<'a>,
    reached: Reached,
    /// Steps of the model before the run.
    first_step: u64,
    order: Vec<u32>,
    /// What stood before the present step, and the first step since when a parameter is no number.
    before: (Tensors, Reached),
    spoilt: Option<Spoilt>,
    /// The step whose loss is not finite.
    diverged: Option<(u64, f64)>,
    /// Loss and metrics of each step, if they are asked for.
    steps: Option<Vec<Step>>,
    started: Instant,
    interrupt: Option<Guard>,
}

impl Course<'_> {
    fn interrupted(&self) -> bool {
        self.interrupt.as_ref().is_some_and(Guard::asked)
    }

    /// Steps that the run has taken.
    fn taken(&self) -> u64 {
        self.reached.step - self.first_step
    }

    /// Trains for an epoch, the first of the run or behind the one that ended; nothing if it cannot be ended.
    fn epoch(&mut self, number: u64) -> Option<Epoch> {
        let begun = Instant::now();
        let (rate_factor, skipped) = (self.interpreter.rate_factor().map_or(1.0, |scale| *scale), self.interpreter.skipped());
        self.plan.order(self.interpreter.seed, self.reached.epoch, &mut self.order);
        self.reached.epoch += 1;
        let mut means = Means::new(&self.graphs.combinations);
        let mut from = 0;
        // A run that is stopped still ends its epoch, as the native one does.
        while from < self.plan.used && self.taken() < self.plan.steps && (from == 0 || !self.interrupted()) {
            let turn = self.plan.turn(from);
            from = turn.to;
            let outputs = self.step(turn)?;
            means.add(&outputs, turn.to - turn.from);
        }
        Some(Epoch {
            epoch: number,
            step: self.reached.step,
            batches: self.reached.batches,
            loss: means.of("loss"),
            penalty: means.of(PENALTY),
            names: self.info.reports.iter().map(|report| report.name.clone()).collect(),
            training: self.measured(&means),
            seconds: begun.elapsed().as_secs_f64(),
            rate_factor,
            skipped: self.interpreter.skipped() - skipped,
            ..Epoch::default()
        })
    }

    /// The metrics of a pass.
    fn measured(&self, means: &Means) -> Vec<f64> {
        self.info.reports.iter().map(|report| means.of(&report.name)).collect()
    }

    /// Takes a batch; gives what came of it, or nothing if the loss is not finite: then nothing has changed.
    fn step(&mut self, turn: Turn) -> Option<Tensors> {
        let (rows, step) = (turn.from..turn.to, self.reached.step + 1);
        self.interpreter.stands(turn);
        let numbers = [step, self.reached.batches + 1, self.reached.epoch];
        if turn.is_first && self.spoilt.is_none() {
            self.before = (self.interpreter.kept.clone(), self.reached);
        }
        let environment = self.interpreter.environment(&self.plan.train, &self.order[rows.clone()], numbers);
        let (outputs, updates) = reference::run(self.training, &environment);
        let scalar = |name: &str| outputs.get(name).map_or(0.0, |array| array.data[0]);
        let loss = scalar("loss");
        if loss.is_finite() {
            self.interpreter.kept.extend(updates);
        }
        if loss.is_finite() && self.interpreter.is_finite(&self.info.parameters) {
            self.spoilt = None;
        } else {
            self.spoil(loss, &environment);
        }
        if !loss.is_finite() {
            self.diverged = Some((step, loss));
            return None;
        }
        if let Some(steps) = &mut self.steps {
            let metrics = self.info.reports.iter().map(|report| scalar(&report.name)).collect();
            steps.push(Step { step, rows: rows.len(), loss, penalty: scalar(PENALTY), metrics });
        }
        self.reached.batches += 1;
        self.reached.step += u64::from(turn.is_last);
        Some(outputs)
    }

    /// Takes note of a step behind which something is no number.
    fn spoil(&mut self, loss: f64, environment: &Environment) {
        let before = &mut self.before;
        let first = self.spoilt.get_or_insert_with(|| {
            let (kept, reached) = (std::mem::take(&mut before.0), before.1);
            Spoilt { kept, reached, loss, cause: None }
        });
        // What is too large for f32 alone shows in a later step only.
        if first.cause.is_none() {
            let values = reference::evaluate(self.training, environment);
            first.cause = cause(self.training, &values).or_else(|| cause_in_f32(self.training, &values));
        }
    }

    /// Evaluates the rows that the run is judged by, and judges the epoch.
    fn validate(&mut self, record: &mut Epoch, judge: &mut Judge) {
        let (Some(bound), Some(graph)) = (&self.plan.validation, &self.graphs.evaluation) else { return };
        let begun = Instant::now();
        let means = self.interpreter.evaluate(graph, bound, &self.graphs.combinations);
        record.validation = Some((means.of("loss"), self.measured(&means)));
        judge.judge(record, means.of(&self.plan.monitor), &mut self.interpreter, graph);
        record.seconds += begun.elapsed().as_secs_f64();
    }
}

impl Fit<'_> {
    /// Runs by the f64 interpreter.
    pub(super) fn run_reference(&mut self, plan: &Plan, standing: Standing) -> Result<History> {
        let compiled = self.model.compiled.clone();
        let graphs = &compiled.front.graphs;
        let missing = || Error::Internal { pass: "reference".into(), text: "a network that trains has no step".into() };
        let steps = self.model.step.saturating_add(plan.steps) as f64;
        let mut course = Course {
            plan,
            graphs,
            training: graphs.training.as_ref().ok_or_else(missing)?,
            info: &compiled.info,
            interpreter: Interpreter { fields: &compiled.info.fields, steps, ..self.model.interpreter() },
            reached: self.model.reached(),
            first_step: self.model.step,
            order: (0..plan.train.rows as u32).collect(),
            before: (Tensors::new(), self.model.reached()),
            spoilt: None,
            diverged: None,
            steps: self.record_steps.then(Vec::new),
            started: Instant::now(),
            interrupt: if self.interruptible { Some(Guard::new()?) } else { None },
        };
        let mut judge = Judge::new(self, plan, standing);
        judge.instruct(&mut course.interpreter);
        let (epochs, stopped) = self.train_on(&mut course, &mut judge);
        self.hand_back(course, judge, epochs, stopped)
    }
}

impl Fit<'_> {
    /// An error if something is asked for that native code alone does.
    pub(super) fn refuse_native_alone(&self) -> Result<()> {
        if !self.model.watches.is_empty() {
            return Err(Error::setting("reference", "combined with watched values", "used without `watch`"));
        }
        let native = [("diagnose", self.diagnose), ("profile", self.profile), ("checkpoint", self.checkpoint.is_some())];
        match native.iter().find(|(_, asked)| *asked) {
            Some((name, _)) => {
                Err(Error::setting("reference", format!("combined with `{name}`"), &format!("used without `{name}`")))
            }
            None => Ok(()),
        }
    }

    /// Trains epoch by epoch; tells them, and why the run ended.
    fn train_on(&mut self, course: &mut Course, judge: &mut Judge) -> (Vec<Epoch>, Stopped) {
        let mut display = Display::new(self.quiet);
        let (before, _) = judge.before();
        let mut epochs: Vec<Epoch> = Vec::new();
        let stopped = loop {
            let number = epochs.len() as u64;
            if judge.is_out_of_patience() {
                break Stopped::Patience;
            }
            if number == course.plan.epochs {
                break Stopped::Completed;
            }
            let Some(mut record) = course.epoch(before + number + 1) else { break Stopped::Completed };
            course.validate(&mut record, judge);
            display.epoch_ended(&self.progress(course, judge, &record));
            let is_asked = self.on_epoch.as_mut().is_some_and(|call| call(&record) == ControlFlow::Break(()));
            epochs.push(record);
            if (is_asked || course.interrupted()) && !judge.is_out_of_patience() {
                break Stopped::Interrupted;
            }
        };
        display.finish();
        (epochs, stopped)
    }

    fn progress(&self, course: &Course, judge: &Judge, record: &Epoch) -> Progress {
        let ((epochs, steps), plan) = (judge.before(), course.plan);
        let name = course.info.reports.first().map(|report| report.name.clone());
        let progress = Progress {
            epochs: self.epochs_shown(epochs + plan.epochs),
            step: steps + course.taken(),
            steps: steps.saturating_add(plan.steps),
            metric: name.zip(record.training.first().copied()),
            samples_per_second: course.taken() as f64 * plan.batch as f64 / course.started.elapsed().as_secs_f64(),
            ..Progress::default()
        };
        progress.at_end_of(record)
    }

    /// Hands the model what the run has come to, or the last good state if a number was not finite, which is an error.
    fn hand_back(&mut self, course: Course, judge: Judge, epochs: Vec<Epoch>, stopped: Stopped) -> Result<History> {
        let (taken, elapsed) = (course.taken(), course.started.elapsed());
        let Course { plan, info, interpreter, mut reached, spoilt, diverged, steps, .. } = course;
        // What the last step did to the parameters, no loss has seen.
        let diverged = diverged.or(spoilt.as_ref().map(|spoilt| (spoilt.reached.step + 1, spoilt.loss)));
        let (mut kept, mut cause) = (interpreter.kept, None);
        let restored = judge.best().filter(|_| self.restores(plan) && diverged.is_none()).map(|(epoch, copy)| {
            kept.extend(copy);
            epoch
        });
        if let Some(spoilt) = spoilt {
            (kept, cause) = (spoilt.kept, spoilt.cause);
            (reached.step, reached.batches) = (spoilt.reached.step, spoilt.reached.batches);
        }
        let model = &mut *self.model;
        (model.step, model.batches, model.epoch) = (reached.step, reached.batches, reached.epoch);
        model.take_back(&kept);
        let unweighted = model.nothing_counted(&epochs);
        let history = History {
            network: model.name().to_string(),
            metrics: info.reports.iter().map(|report| report.name.clone()).collect(),
            epochs,
            steps: steps.unwrap_or_default(),
            diagnosis: None,
            profile: None,
            stopped,
            restored,
            elapsed,
            samples_per_second: taken as f64 * plan.batch as f64 / elapsed.as_secs_f64().max(1e-9),
            zeros: model.zeros(),
            notes: unweighted.into_iter().collect(),
        };
        notes(self.quiet, &history.notes);
        match diverged {
            Some((step, loss)) => Err(Error::diverged((step, loss), Some(reached.step), cause, Some(history))),
            None => Ok(history),
        }
    }
}
