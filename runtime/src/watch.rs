//! Values of the training step on demand: what is watched, when it is kept, and what was kept.
//!
//! A watch is compiled into the step as one more output; steps without one are the code that they always were. The bits of the run
//! stay what they are.

use crate::compiled::front_error;
use crate::diagnosis::record::Recorder;
use crate::error::{Error, Result};
use crate::model::Model;
use crate::report::table::{Align, table};
use crate::workspace::Workspace;
use gradc_compiler::graph::{Element, Type};
use gradc_compiler::loops::BufferId;
use gradc_compiler::probes;
use std::fmt;

/// Most bytes of values that one run may keep.
const MOST: u64 = 1 << 31;

/// In which steps a watched value is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum When {
    /// In the last step of a run.
    Last,
    /// In this step, counted from 1 over the model's whole life.
    Step(u64),
    /// In every step whose number this divides.
    Every(u64),
}

impl When {
    fn holds(self, step: u64) -> bool {
        match self {
            When::Last => false,
            When::Step(only) => step == only,
            When::Every(period) => step.is_multiple_of(period),
        }
    }
    /// How many of the steps after `done` it holds in.
    fn count(self, done: u64, steps: u64) -> u64 {
        let end = done.saturating_add(steps);
        match self {
            When::Last => 1,
            When::Step(only) => u64::from(done < only && only <= end),
            When::Every(period) => end / period - done / period,
        }
    }
}

/// One value that is watched.
#[derive(Clone, Debug)]
pub(crate) struct Watch {
    pub(crate) name: String,
    when: When,
}

impl Watch {
    /// `hidden.relu.gradient`, `…@step=100` or `…@every=50`.
    fn parse(asked: &str) -> Result<Watch> {
        let (name, when) = asked.split_once('@').unwrap_or((asked, "last"));
        let refused = || {
            let expected = "a value and when it is kept, such as `hidden.relu.gradient@step=100`, `…@every=50` or `…@last`";
            Error::setting("watch", format!("`{asked}`"), expected)
        };
        let number = |text: &str| text.parse().ok().filter(|number| *number > 0).ok_or_else(refused);
        let when = match when.trim().split_once('=') {
            None if when.trim() == "last" => When::Last,
            Some(("step", step)) => When::Step(number(step)?),
            Some(("every", period)) => When::Every(number(period)?),
            _ => return Err(refused()),
        };
        Ok(Watch { name: name.trim().to_string(), when })
    }
}

impl fmt::Display for Watch {
    /// As it is asked for.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.when {
            When::Last => write!(f, "{}", self.name),
            When::Step(step) => write!(f, "{}@step={step}", self.name),
            When::Every(period) => write!(f, "{}@every={period}", self.name),
        }
    }
}

/// A value of a training step.
#[derive(Clone, PartialEq, Debug)]
pub struct Watched {
    /// As it was asked for, such as `hidden.relu.gradient`.
    pub name: String,
    /// The step whose value it is, counted from 1 over the model's whole life.
    pub step: u64,
    /// Its shape; the batch is that step's rows.
    pub shape: Vec<usize>,
    /// Its elements, row-major; classes and conditions are numbers too.
    pub values: Vec<f32>,
}

impl fmt::Display for Watched {
    /// What it looks like: extent, moments, share of zeros, and the first elements of its first rows.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const ROWS: usize = 4;
        const COLUMNS: usize = 8;
        let finite = || self.values.iter().map(|value| f64::from(*value)).filter(|value| value.is_finite());
        let count = finite().count();
        let mean = finite().sum::<f64>() / count.max(1) as f64;
        let variance = finite().map(|value| (value - mean).powi(2)).sum::<f64>() / count.max(1) as f64;
        let least = finite().fold(f64::INFINITY, f64::min);
        let largest = finite().fold(f64::NEG_INFINITY, f64::max);
        let share = |part: usize| 100.0 * part as f64 / self.values.len().max(1) as f64;
        let zeros = self.values.iter().filter(|value| **value == 0.0).count();
        writeln!(f, "{} in step {}: {:?}", self.name, self.step, self.shape)?;
        write!(f, "  mean {mean:.4e}, deviation {:.4e}", variance.sqrt())?;
        if count > 0 {
            write!(f, ", from {least:.4e} to {largest:.4e}")?;
        }
        write!(f, ", {:.1} % zeros", share(zeros))?;
        if count < self.values.len() {
            write!(f, ", {:.1} % not finite", share(self.values.len() - count))?;
        }
        writeln!(f)?;
        let width = self.shape.last().copied().unwrap_or(1).max(1);
        let rows: Vec<Vec<String>> = self
            .values
            .chunks(width)
            .take(ROWS)
            .map(|row| {
                let mut cells: Vec<String> = row.iter().take(COLUMNS).map(|value| format!("{value:.3e}")).collect();
                cells.extend((width > COLUMNS).then(|| "…".to_string()));
                cells
            })
            .collect();
        let columns: Vec<String> = (0..width.min(COLUMNS)).map(|column| column.to_string()).collect();
        let columns: Vec<(&str, Align)> = columns.iter().map(|column| (column.as_str(), Align::Right)).collect();
        let columns = [columns, vec![("", Align::Left)]].concat();
        table(&columns, &rows).lines().try_for_each(|line| writeln!(f, "  {line}"))?;
        let left = self.values.len().div_ceil(width).saturating_sub(ROWS);
        if left > 0 { writeln!(f, "  … {left} more rows") } else { Ok(()) }
    }
}

impl Model {
    /// Watches a value of the training step: `hidden.relu` (a layer of the summary), `logits` (what a `let` names), an input, a parameter
    /// before its update, or with `.gradient` behind any of them the derivative of the total loss by it, before clips. `@step=100` keeps
    /// it in that step, `@every=50` in each fiftieth, nothing in the last step of a run.
    ///
    /// The model is compiled again with the value as one more output; its state stays, and so do the bits of its training. What was kept
    /// is [`Model::watched`].
    ///
    /// # Errors
    /// A name that no value has, with the nearest one; a gradient that the step does not compute. The model is then as it was.
    pub fn watch(&mut self, value: &str) -> Result<()> {
        self.must_train()?;
        let mut watches = self.watches.clone();
        watches.push(Watch::parse(value)?);
        self.recompile(watches)
    }

    /// Watches nothing any more. What was kept stays.
    ///
    /// # Errors
    /// Only when memory is refused.
    pub fn unwatch(&mut self) -> Result<()> {
        self.recompile(Vec::new())
    }

    /// What was kept so far of the watched values, in the order of the steps.
    pub fn watched(&self) -> &[Watched] {
        &self.watched
    }

    /// The same, handed over: the model keeps none of it.
    pub fn take_watched(&mut self) -> Vec<Watched> {
        std::mem::take(&mut self.watched)
    }

    fn recompile(&mut self, watches: Vec<Watch>) -> Result<()> {
        let names = watches.iter().map(|watch| watch.name.as_str());
        let front = self.compiled.front.variant(names, false, crate::env::fuel()).map_err(|error| front_error(&error))?;
        // A run of another program takes none of it.
        self.release_memory();
        let other = Model::compile(front, &self.compiled.options)?;
        self.change_to(other.compiled, other.store);
        self.watches = watches;
        Ok(())
    }

    /// What keeps the values of a run of so many steps of at most `rows` rows.
    pub(crate) fn keeper(&self, rows: usize, steps: u64) -> Result<Keeper> {
        let mut keeper = Keeper { recorder: Recorder::new(&self.compiled, steps), ..Keeper::default() };
        let (Some(unit), mut bytes) = (self.compiled.assembled.unit("train"), 0_u64) else { return Ok(keeper) };
        for watch in &self.watches {
            let output = probes::output(&watch.name);
            let node = unit.graph.output(&output);
            let buffer = self.compiled.assembled.outputs.get(&format!("train.{output}"));
            let (Some(node), Some(buffer)) = (node, buffer) else { continue };
            let ty = unit.graph.ty(node).clone();
            let (count, words) = (watch.when.count(self.step, steps), ty.shape.count(rows));
            bytes = bytes.saturating_add(count.saturating_mul(4 * words as u64));
            if bytes > MOST {
                let found = format!("`{}` {count} times, {words} values each", watch.name);
                return Err(Error::setting("watch", found, "at most 2 GiB of values in one run"));
            }
            let room = || Watched { name: watch.name.clone(), step: 0, shape: Vec::new(), values: Vec::with_capacity(words) };
            keeper.rooms.extend((0..count).map(|_| room()));
            keeper.probes.push(Kept { when: watch.when, name: watch.name.clone(), buffer: *buffer, ty });
        }
        Ok(keeper)
    }

    /// A note for each watch whose steps a run did not meet, unless an earlier one did.
    pub(crate) fn missed(&self, done: u64, last: u64) -> Vec<String> {
        let met = |watch: &Watch| self.watched.iter().any(|kept| kept.name == watch.name && watch.when.holds(kept.step));
        let missed = self.watches.iter().filter(|watch| watch.when.count(done, last.saturating_sub(done)) == 0 && !met(watch));
        missed.map(|watch| format!("`{watch}` kept nothing: the run took steps {} to {last}", done + 1)).collect()
    }

    /// Adds what a run has kept; the last step's value takes the place of an earlier one.
    pub(crate) fn keep(&mut self, keeper: Keeper) {
        let last = |name: &str| self.watches.iter().any(|watch| watch.name == name && watch.when == When::Last);
        // What was asked for by its step stays.
        let asked =
            |watched: &Watched| self.watches.iter().any(|watch| watch.name == watched.name && watch.when.holds(watched.step));
        let is_last =
            |watched: &Watched| last(&watched.name) && !asked(watched) && keeper.kept.iter().any(|new| new.name == watched.name);
        let mut watched = std::mem::take(&mut self.watched);
        watched.retain(|watched| !is_last(watched));
        watched.extend(keeper.kept);
        self.watched = watched;
    }
}

/// Copies watched values out of a run. Room for all of them is there before the first step.
#[derive(Debug, Default)]
pub(crate) struct Keeper {
    probes: Vec<Kept>,
    /// Values to come.
    rooms: Vec<Watched>,
    kept: Vec<Watched>,
    /// Figures of a run that diagnoses.
    pub(crate) recorder: Option<Recorder>,
}

#[derive(Debug)]
struct Kept {
    name: String,
    when: When,
    buffer: BufferId,
    ty: Type,
}

impl Keeper {
    /// After a step.
    #[inline]
    pub(crate) fn stepped(&mut self, workspace: &Workspace, step: u64, rows: usize) {
        if self.recorder.is_some() || !self.probes.is_empty() {
            self.look(workspace, step, rows);
        }
    }

    /// Apart, for most runs are not watched: registers that it takes would be saved between any two steps.
    #[inline(never)]
    fn look(&mut self, workspace: &Workspace, step: u64, rows: usize) {
        if let Some(recorder) = &mut self.recorder {
            recorder.stepped(workspace, step);
        }
        for number in 0..self.probes.len() {
            if self.probes[number].when.holds(step) {
                self.keep(number, workspace, step, rows);
            }
        }
    }

    /// After the last step of a run.
    pub(crate) fn ended(&mut self, workspace: &Workspace, step: u64, rows: usize) {
        for number in 0..self.probes.len() {
            if self.probes[number].when == When::Last {
                self.keep(number, workspace, step, rows);
            }
        }
    }

    fn keep(&mut self, number: usize, workspace: &Workspace, step: u64, rows: usize) {
        let probe = &self.probes[number];
        let Some(room) = self.rooms.iter().position(|room| room.name == probe.name) else { return };
        let mut watched = self.rooms.swap_remove(room);
        let count = probe.ty.shape.count(rows);
        let number = |value: &f32| match probe.ty.element {
            Element::F32 | Element::F64 => *value,
            Element::Bool => f32::from(u8::from(value.to_bits() != 0)),
            _ => value.to_bits() as i32 as f32,
        };
        watched.step = step;
        watched.shape = probe.ty.shape.at(rows);
        watched.values.extend(workspace.output(probe.buffer).iter().take(count).map(number));
        self.kept.push(watched);
    }
}
