//! The same run by the specification: the f64 interpreter of graphs in place of native code. It is slow, and there to compare with.
//!
//! Order of rows, random numbers, steps, chunks of an evaluation, early stopping and the best copy are those of the native run; numbers
//! are f64 throughout, and are rounded to f32 only where the model takes them back at the end.

use super::{Fit, Plan, Turn};
use crate::error::{Error, Result};
use crate::evaluate::CHUNK;
use crate::history::{Epoch, History, Step, Stopped};
use crate::interrupt::Guard;
use crate::model::Model;
use crate::report::progress::{Display, Progress, notes};
use crate::rows::{Bound, row_shape};
use gradc_compiler::aggregate::{Combination, Sums};
use gradc_compiler::graph::{Element, Graph, NodeId};
use gradc_compiler::not_finite::{arises, named};
use gradc_compiler::ops::{Array, Environment, Primitive};
use gradc_compiler::pipeline::{Field, Tensor};
use gradc_compiler::reference;
use gradc_compiler::step::{SKIPPED, accumulate, plateau};
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::time::Instant;

/// Tensors by name.
type Tensors = BTreeMap<String, Array>;

/// Values over the batches of a pass, combined as the native driver combines them.
struct Means<'a> {
    combinations: &'a BTreeMap<String, Combination>,
    rows: f64,
    by_rows: BTreeMap<String, f64>,
    others: BTreeMap<String, Sums>,
}

impl<'a> Means<'a> {
    fn new(combinations: &'a BTreeMap<String, Combination>) -> Self {
        let others = combinations.iter().map(|(name, combination)| (name.clone(), Sums::new(combination))).collect();
        Means { combinations, rows: 0.0, by_rows: BTreeMap::new(), others }
    }
    fn add(&mut self, outputs: &Tensors, rows: usize) {
        self.rows += rows as f64;
        for (name, value) in outputs {
            let value = value.data.first().copied().unwrap_or(f64::NAN);
            let Some((combination, sums)) = self.combinations.get(name).zip(self.others.get_mut(name)) else {
                *self.by_rows.entry(name.clone()).or_default() += value * rows as f64;
                continue;
            };
            let parts = combination.parts.iter().filter_map(|part| outputs.get(&format!("{name}.{part}")));
            let parts: Vec<&[f64]> = parts.map(|part| part.data.as_slice()).collect();
            sums.add(value, &parts, rows as f64);
        }
    }
    fn of(&self, name: &str) -> f64 {
        match (self.others.get(name), self.by_rows.get(name)) {
            (Some(sums), _) => sums.value(),
            (None, Some(sum)) => sum / self.rows,
            (None, None) => 0.0,
        }
    }
}

/// Where a run stood before an update.
#[derive(Clone, Default)]
struct Stand {
    kept: Tensors,
    step: u64,
    batches: u64,
}

/// What is known of a step that spoilt something.
struct Spoilt {
    /// Before it.
    stand: Stand,
    loss: f64,
    node: Option<String>,
    place: Option<String>,
}

/// Parameters and states in f64, and what a step needs beside them.
struct Interpreter<'a> {
    fields: &'a [Field],
    kept: Tensors,
    settings: Tensors,
    /// The step at which the run ends.
    steps: f64,
    seed: u64,
}

impl Interpreter<'_> {
    /// Tells a step that accumulates which batch of its update it sees.
    fn stands(&mut self, turn: Turn) {
        let number = |is: bool| f64::from(u8::from(is));
        let group = [
            (accumulate::FIRST, number(turn.is_first)),
            (accumulate::LAST, number(turn.is_last)),
            (accumulate::SHARE, turn.share),
        ];
        for (name, value) in group {
            if let Some(setting) = self.settings.get_mut(name) {
                setting.data[0] = value;
            }
        }
    }

    /// What the rate is multiplied by, if it may be lowered.
    fn rate_factor(&mut self) -> Option<&mut f64> {
        self.settings.get_mut(plateau::SCALE).map(|scale| &mut scale.data[0])
    }

    /// Steps that were skipped so far.
    fn skipped(&self) -> u64 {
        self.kept.get(SKIPPED).map_or(0, |count| count.data[0] as u64)
    }

    fn environment(&self, bound: &Bound, rows: &[u32], [step, turn, epoch]: [u64; 3]) -> Environment {
        let mut sources = self.kept.clone();
        sources.extend(self.settings.clone());
        for (number, field) in self.fields.iter().enumerate() {
            let shape = row_shape(field);
            let width: usize = shape.iter().product();
            let words = bound.words(number).unwrap_or_default();
            let number = |word: &u32| match field.ty.element {
                Element::F32 | Element::F64 => f64::from(f32::from_bits(*word)),
                Element::Bool => f64::from(u8::from(*word != 0)),
                _ => f64::from(*word as i32),
            };
            let values = rows.iter().flat_map(|row| words.iter().skip(*row as usize * width).take(width).map(number));
            sources.insert(field.name.clone(), Array::new([&[rows.len()], &shape[..]].concat(), values.collect()));
        }
        Environment { sources, batch: rows.len(), step, turn, steps: self.steps, epoch, seed: self.seed }
    }

    /// Whether no parameter is a NaN or an infinity where the model takes it back.
    fn is_finite(&self, parameters: &[Tensor]) -> bool {
        let values = parameters.iter().filter_map(|parameter| self.kept.get(&parameter.name));
        values.flat_map(|array| &array.data).all(|value| (*value as f32).is_finite())
    }

    /// A pass over rows in chunks.
    fn evaluate<'c>(&self, graph: &Graph, bound: &Bound, combinations: &'c BTreeMap<String, Combination>) -> Means<'c> {
        let mut means = Means::new(combinations);
        let all: Vec<u32> = (0..bound.rows as u32).collect();
        for rows in all.chunks(CHUNK) {
            let (outputs, _) = reference::run(graph, &self.environment(bound, rows, [0, 0, 0]));
            means.add(&outputs, rows.len());
        }
        means
    }
}

impl Model {
    /// The state in f64: parameters and states by name.
    fn interpreter(&self) -> Interpreter<'_> {
        let info = &self.compiled.info;
        let array = |name: &str, shape: &[usize]| {
            let values = self.buffer(name).map_or_else(Vec::new, |buffer| self.store.numbers(buffer, self.lane(buffer)));
            (name.to_string(), Array::new(shape.to_vec(), values))
        };
        let parameters = info.parameters.iter().map(|parameter| array(&parameter.name, &parameter.shape));
        let states = info.states.iter().map(|state| array(&state.name, &state.shape));
        let settings = info.settings.iter().zip(&self.settings);
        Interpreter {
            fields: &info.fields,
            kept: parameters.chain(states).collect(),
            settings: settings.map(|(setting, value)| (setting.name.clone(), Array::scalar(*value))).collect(),
            steps: f64::INFINITY,
            seed: self.seed,
        }
    }

    fn take_back(&mut self, kept: &Tensors) {
        for (name, array) in kept {
            if let Some(buffer) = self.buffer(name) {
                self.store.set_numbers(buffer, self.lane(buffer), &array.data);
            }
        }
    }
}

impl Fit<'_> {
    /// Runs by the f64 interpreter.
    pub(super) fn run_reference(&mut self, plan: &Plan) -> Result<History> {
        if !self.model.watches.is_empty() {
            return Err(Error::setting("reference", "combined with watched values", "used without `watch`"));
        }
        let native = [("diagnose", self.diagnose), ("profile", self.profile), ("checkpoint", self.checkpoint.is_some())];
        if let Some((name, _)) = native.iter().find(|(_, asked)| *asked) {
            return Err(Error::setting("reference", format!("combined with `{name}`"), &format!("used without `{name}`")));
        }
        let compiled = self.model.compiled.clone();
        let missing = || Error::Internal { pass: "reference".into(), text: "a network that trains has no step".into() };
        let training = compiled.front.graphs.training.as_ref().ok_or_else(missing)?;
        let combinations = &compiled.front.graphs.combinations;
        let names: Vec<String> = compiled.info.reports.iter().map(|report| report.name.clone()).collect();
        let measured = |means: &Means| names.iter().map(|name| means.of(name)).collect::<Vec<f64>>();
        let steps = self.model.step.saturating_add(plan.steps) as f64;
        let mut interpreter = Interpreter { fields: &compiled.info.fields, steps, ..self.model.interpreter() };
        let mut display = Display::new(self.quiet);
        let (started, first_step) = (Instant::now(), self.model.step);
        let mut order: Vec<u32> = (0..plan.train.rows as u32).collect();
        let (mut epochs, mut steps, mut stopped) = (Vec::new(), Vec::new(), Stopped::Completed);
        let (mut best, mut waited) = (None::<(f64, u64, Tensors)>, 0);
        // Epochs since the best one, or since the rate was lowered.
        let mut since = 0;
        // Until a step has spoilt a parameter, where the run stood before the present one; and the first step that did.
        let (mut stand, mut spoilt, mut diverged) = (Stand::default(), None::<Spoilt>, None);
        let interrupt = if self.interruptible { Some(Guard::new()?) } else { None };
        let interrupted = || interrupt.as_ref().is_some_and(Guard::asked);
        'run: for epoch in 1..=plan.epochs {
            let begun = Instant::now();
            let (rate_factor, skipped) = (interpreter.rate_factor().map_or(1.0, |scale| *scale), interpreter.skipped());
            plan.order(self.model.seed, self.model.epoch, &mut order);
            self.model.epoch += 1;
            let mut means = Means::new(combinations);
            let mut from = 0;
            // A run that is stopped still ends its epoch, as the native one does.
            while from < plan.used && self.model.step - first_step < plan.steps && (from == 0 || !interrupted()) {
                let turn = plan.turn(from);
                from = turn.to;
                let (rows, step) = (&order[turn.from..turn.to], self.model.step + 1);
                interpreter.stands(turn);
                let numbers = [step, self.model.batches + 1, self.model.epoch];
                if turn.is_first && spoilt.is_none() {
                    let (step, batches) = (self.model.step, self.model.batches);
                    stand = Stand { kept: interpreter.kept.clone(), step, batches };
                }
                let environment = interpreter.environment(&plan.train, rows, numbers);
                let (outputs, updates) = reference::run(training, &environment);
                let scalar = |name: &str| outputs.get(name).map_or(0.0, |array| array.data[0]);
                let loss = scalar("loss");
                let is_finite = loss.is_finite();
                if is_finite {
                    interpreter.kept.extend(updates);
                }
                match is_finite && interpreter.is_finite(&compiled.info.parameters) {
                    true => spoilt = None,
                    false => {
                        let stand = &mut stand;
                        let first =
                            spoilt.get_or_insert_with(|| Spoilt { stand: std::mem::take(stand), loss, node: None, place: None });
                        // What is too large for f32 alone shows in a later step only.
                        if first.node.is_none() {
                            (first.node, first.place) = first_not_finite(training, &environment);
                        }
                    }
                }
                if !is_finite {
                    diverged = Some((step, loss));
                    break 'run;
                }
                self.model.batches += 1;
                self.model.step += u64::from(turn.is_last);
                means.add(&outputs, rows.len());
                if self.record_steps {
                    let metrics = names.iter().map(|name| scalar(name)).collect();
                    steps.push(Step { step, rows: rows.len(), loss, penalty: scalar("penalty"), metrics });
                }
            }
            let mut record = Epoch {
                epoch,
                step: self.model.step,
                batches: self.model.batches,
                loss: means.of("loss"),
                penalty: means.of("penalty"),
                training: measured(&means),
                seconds: 0.0,
                rate_factor,
                skipped: interpreter.skipped() - skipped,
                ..Epoch::default()
            };
            if let (Some(bound), Some(graph)) = (&plan.validation, &compiled.front.graphs.evaluation) {
                let means = interpreter.evaluate(graph, bound, combinations);
                let score = means.of(&plan.monitor) * if plan.higher_is_better { -1.0 } else { 1.0 };
                record.validation = Some((means.of("loss"), measured(&means)));
                record.improved = score + self.least < best.as_ref().map_or(f64::INFINITY, |(score, _, _)| *score);
                waited = if record.improved { 0 } else { waited + 1 };
                since = if record.improved { 0 } else { since + 1 };
                if let (Some((factor, epochs)), Some(scale)) = (self.plateau, interpreter.rate_factor())
                    && since >= epochs
                {
                    *scale *= factor;
                    since = 0;
                }
                if record.improved {
                    best = Some((score, epoch, best_copy(&interpreter.kept, graph)));
                }
            }
            record.seconds = begun.elapsed().as_secs_f64();
            let progress = Progress {
                epochs: self.epochs_shown(plan.epochs),
                step: self.model.step - first_step,
                steps: plan.steps,
                metric: names.first().cloned().zip(record.training.first().copied()),
                samples_per_second: (self.model.step - first_step) as f64 * plan.batch as f64 / started.elapsed().as_secs_f64(),
                ..Progress::default()
            };
            display.epoch_ended(&progress.at_end_of(&record));
            let asked = self.on_epoch.as_mut().is_some_and(|call| call(&record) == ControlFlow::Break(()));
            epochs.push(record);
            if self.patience.is_some_and(|patience| waited >= patience) {
                stopped = Stopped::Patience;
                break;
            }
            if asked || interrupted() {
                stopped = Stopped::Interrupted;
                break;
            }
        }
        display.finish();
        // What the last step did to the parameters, no loss has seen.
        diverged = diverged.or(spoilt.as_ref().map(|spoilt| (spoilt.stand.step + 1, spoilt.loss)));
        let restored = best.filter(|_| self.restore && diverged.is_none()).map(|(_, epoch, copy)| {
            interpreter.kept.extend(copy);
            epoch
        });
        let (kept, taken) = (interpreter.kept, self.model.step - first_step);
        let (kept, node, place) = match spoilt {
            Some(Spoilt { stand, node, place, .. }) => {
                (self.model.step, self.model.batches) = (stand.step, stand.batches);
                (stand.kept, node, place)
            }
            None => (kept, None, None),
        };
        self.model.take_back(&kept);
        let elapsed = started.elapsed();
        let unweighted = self.model.nothing_counted(&epochs);
        let history = History {
            network: self.model.name().to_string(),
            metrics: names,
            epochs,
            steps,
            diagnosis: None,
            profile: None,
            stopped,
            restored,
            elapsed,
            samples_per_second: taken as f64 * plan.batch as f64 / elapsed.as_secs_f64().max(1e-9),
            zeros: self.model.zeros(),
            notes: unweighted.into_iter().collect(),
        };
        notes(self.quiet, &history.notes);
        match diverged {
            Some((step, loss)) => {
                let kept = Some(self.model.step);
                Err(Error::Diverged { step, loss, kept, node, place, history: Some(Box::new(history)) })
            }
            None => Ok(history),
        }
    }
}

/// Where what a step gives stops being finite.
fn first_not_finite(graph: &Graph, environment: &Environment) -> (Option<String>, Option<String>) {
    let values = reference::evaluate(graph, environment);
    // What is too large for f32 alone is looked for where nothing is too large for f64.
    let kept = |id: NodeId, value: f64| if graph.ty(id).element == Element::F32 { f64::from(value as f32) } else { value };
    let first = arises(graph, &values, |_, value| value.is_finite());
    let first = first.or_else(|| arises(graph, &values, |id, value| kept(id, value).is_finite()));
    first.map_or((None, None), |node| {
        let (node, place) = named(graph, node);
        (Some(node), place)
    })
}

/// What the best epoch leaves behind: parameters, and states that evaluation reads.
fn best_copy(kept: &Tensors, evaluation: &Graph) -> Tensors {
    let is_kept = |name: &String| {
        evaluation.find_source(Primitive::Parameter, name).is_some() || evaluation.find_source(Primitive::State, name).is_some()
    };
    kept.iter().filter(|(name, _)| is_kept(name)).map(|(name, array)| (name.clone(), array.clone())).collect()
}
