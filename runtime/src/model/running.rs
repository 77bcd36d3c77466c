//! What a model runs in: memory that it has or makes, the entries of its program, and the single step.

use super::Model;
use crate::error::{Error, Result};
use crate::fit::{Plan, worth};
use crate::recover::Place;
use crate::rows::Rows;
use crate::spare::{Room, UnitRows};
use crate::team::{self, Barrier};
use crate::workspace::{Slots, Workspace, capacity};
use gradc_compiler::abi::{Context, EntryFunction};
use gradc_compiler::lower::{EPOCH, STEPS};
use std::num::NonZeroUsize;

/// An entry of a program, and what each thread of a team hands to it.
pub(crate) struct Entry {
    function: EntryFunction,
    contexts: Vec<Context>,
}

// SAFETY: the pointers lead into the workspace, which outlives the team; who writes what is the program's affair.
unsafe impl Sync for Entry {}

impl Entry {
    pub(crate) fn of(model: &Model, name: &str, workspace: &Workspace, threads: NonZeroUsize) -> Result<Entry> {
        let context = |thread| workspace.context(thread, threads.get(), std::ptr::null(), std::ptr::null_mut());
        Ok(Entry { function: model.entry(name)?, contexts: (0..threads.get()).map(context).collect() })
    }

    /// The part of one thread of the team.
    ///
    /// # Safety
    /// As for [`Model::run`]: the workspace that the entry was made of has memory for its units and all threads, data sets stay bound until
    /// the run ends, and `user` is the handle that driver calls (first thread only) expect.
    pub(crate) unsafe fn run(&self, thread: usize, barrier: &Barrier, user: *mut u8) {
        let context = Context { barrier: std::ptr::from_ref(barrier).cast(), user, ..self.contexts[thread] };
        // SAFETY: that of this function.
        unsafe { (self.function)(&raw const context) };
    }
}

impl Model {
    /// One update on a batch; returns its loss (mean over the rows, without penalties).
    ///
    /// Scalers that nothing has measured yet are measured on this batch: let [`fit`](Model::fit) see all rows before a loop of one's own,
    /// or give them their moments with [`set_parameter`](Model::set_parameter). A loop has no last step, so that a schedule to the end of
    /// the run stays at its beginning: write `cosine(1e-3, steps = 1000)`.
    ///
    /// No copy is kept between calls. A step whose loss is finite can leave parameters that are not, which the loss of the next one shows:
    /// then there is no state to go back to. [`fit`](Model::fit) keeps one; in a loop of one's own, [`save`](Model::save) the model from
    /// time to time and [`load`](Model::load) it again.
    ///
    /// # Errors
    /// Faulty rows, and [`Error::Diverged`] with nothing changed if the loss is not finite; `kept` is none there if parameters were not
    /// finite before.
    pub fn step<'r>(&mut self, batch: impl Into<Rows<'r>>) -> Result<f64> {
        self.must_train()?;
        let bound = self.bound(&batch.into(), true)?;
        self.check_rows(bound.rows)?;
        self.measure_scalers(&bound)?;
        self.note_class_names(&bound);
        let mut workspace = self.workspace(&[("train", capacity(bound.rows))], 1)?;
        workspace.bind(&bound);
        for (place, row) in workspace.rows_mut().iter_mut().zip(0..bound.rows as u32) {
            *place = row;
        }
        let mut keeper = self.keeper(bound.rows, 1)?;
        (self.step, self.batches) = (self.step + 1, self.batches + 1);
        let compiled = self.compiled.clone();
        let slots = Slots(&compiled.assembled);
        slots.set(&mut workspace, "batch", bound.rows as f64);
        slots.set(&mut workspace, "step", self.step as f64);
        slots.set(&mut workspace, "step.word", f64::from(self.batches as u32 as i32));
        slots.set(&mut workspace, STEPS, f64::INFINITY);
        slots.set(&mut workspace, EPOCH, (self.epoch + 1) as f64);
        self.run("step", &workspace)?;
        keeper.stepped(&workspace, self.step, bound.rows);
        keeper.ended(&workspace, self.step, bound.rows);
        self.keep(keeper);
        let (loss, finite) = (self.output(&workspace, "train.loss"), slots.get(&workspace, "finite") != 0.0);
        let diverged = (!finite).then(|| {
            (self.step, self.batches) = (self.step - 1, self.batches - 1);
            let kept = self.parameters_finite().then_some(self.step);
            let first = Place { epoch: self.epoch, position: 0 };
            let cause = self.cause(&Plan::step(bound), &mut workspace, first);
            Error::diverged((self.step + 1, loss), kept, cause, None)
        });
        self.spare.put(workspace);
        diverged.map_or(Ok(loss), Err)
    }

    /// Gives back the memory that runs have left. The next run asks the system for its own, which for a large network takes as long as a
    /// part of a step.
    pub fn release_memory(&self) {
        self.spare.clear();
    }

    /// Memory for a run of these units, left by another if one has, with seed and settings in the control block.
    pub(crate) fn workspace(&self, units: &[UnitRows], threads: usize) -> Result<Workspace> {
        let mut workspace = match self.spare.workspace(units, threads) {
            Ok(left) => left,
            Err(room) => self.new_workspace(room)?,
        };
        self.begin(&mut workspace);
        Ok(workspace)
    }

    pub(super) fn new_workspace(&self, room: Room) -> Result<Workspace> {
        Workspace::new(&self.compiled.assembled, &self.compiled.fields, room, &self.store)
    }

    /// A workspace as every run finds it.
    pub(super) fn begin(&self, workspace: &mut Workspace) {
        workspace.reset();
        if cfg!(debug_assertions) {
            // NaN, and a row that no data set has, so that a read of what this run has not written shows.
            workspace.poison(0x7fc0_dead);
        }
        let slots = Slots(&self.compiled.assembled);
        slots.set(workspace, "seed.low", f64::from(self.seed as u32 as i32));
        slots.set(workspace, "seed.high", f64::from((self.seed >> 32) as u32 as i32));
        for (setting, value) in self.compiled.info.settings.iter().zip(&self.settings) {
            slots.set(workspace, &format!("setting.{}", setting.name), *value);
        }
    }

    pub(crate) fn entry(&self, name: &str) -> Result<EntryFunction> {
        let missing = || match name {
            "predict" => Error::setting(self.name(), "asked for a prediction", "a network with `predict`"),
            "evaluate" => Error::setting(self.name(), "evaluated: it has no loss", "a network with `minimize`"),
            _ => Error::setting(self.name(), "trained: it has no loss or no optimizer", "a network with `minimize` and `using`"),
        };
        self.compiled.module.entry(name).ok_or_else(missing)
    }

    /// Runs an entry on the calling thread, without driver calls.
    pub(crate) fn run(&self, entry: &str, workspace: &Workspace) -> Result<()> {
        let function = self.entry(entry)?;
        let context = workspace.context(0, 1, std::ptr::null(), std::ptr::null_mut());
        // SAFETY: the function is an entry of this model's program, and the workspace holds memory for it: every pointer of its table
        // leads to a buffer of the planned size. `step` and `predict` make no driver calls.
        unsafe { function(&raw const context) };
        Ok(())
    }

    /// Draws the first parameters, on as many threads as that is worth: an orthogonal matrix takes sixty products of matrices.
    pub(super) fn draw(&self) -> Result<()> {
        let most = NonZeroUsize::new(crate::env::threads()).unwrap_or(NonZeroUsize::MIN);
        self.draw_on(worth(&self.compiled, "initialize", 1, most))
    }

    fn draw_on(&self, threads: NonZeroUsize) -> Result<()> {
        // No later run would take its memory.
        let mut workspace = self.new_workspace(Room::default().and(&[("initialize", capacity(1))], threads.get()))?;
        self.begin(&mut workspace);
        Slots(&self.compiled.assembled).set(&mut workspace, "step.word", 0.0);
        let entry = Entry::of(self, "initialize", &workspace, threads)?;
        // SAFETY: the workspace has memory for the unit and all threads, and `initialize` makes no driver calls.
        let outcome = team::run(threads, |thread, barrier| unsafe { entry.run(thread, barrier, std::ptr::null_mut()) });
        outcome.map_err(|error| Error::Internal { pass: "initialisation".into(), text: error.to_string() })
    }

    /// First value of an output.
    pub(crate) fn output(&self, workspace: &Workspace, name: &str) -> f64 {
        let buffer = self.compiled.assembled.outputs.get(name);
        buffer.and_then(|buffer| workspace.output(*buffer).first()).map_or(f64::NAN, |value| f64::from(*value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compiled::Options;
    use gradc_compiler::base::place::Source;
    use gradc_compiler::language::declaration::Declaration;

    #[test]
    fn first_parameters_do_not_depend_on_the_threads_that_draw_them() {
        let text = "Turned { parameter w: [130, 70] = orthogonal(gain = 2); minimize sum(w * w); using sgd(0.1); }";
        let declaration = Declaration::parse(Source::new("turned", text)).expect("a text");
        let model = Model::from_declaration(&declaration, &Options::default()).expect("it compiles");
        let drawn = |threads| {
            model.draw_on(NonZeroUsize::new(threads).expect("some")).expect("memory");
            model.parameter("w").expect("it is there").iter().map(|value| value.to_bits()).collect::<Vec<_>>()
        };
        let alone = drawn(1);
        assert!([2, 3, 8].into_iter().all(|threads| drawn(threads) == alone));
    }
}
