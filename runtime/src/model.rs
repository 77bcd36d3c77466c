//! A compiled network with its parameters: what `network!` wraps.

use crate::compiled::{Compiled, Options, front};
use crate::error::{Error, Result};
use crate::fit::{Fit, Standing};
use crate::history::Zeros;
use crate::rows::Rows;
use crate::spare::Spare;
use crate::watch::{Watch, Watched};
use crate::workspace::Store;
use classes::ClassNames;
use gradc_compiler::codegen::InstructionSet;
use gradc_compiler::language::declaration::Declaration;
use gradc_compiler::loops::{BufferId, Lane};
use gradc_compiler::pipeline::{Front, Info, Setting, Tensor};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

pub use crate::checkpoint::Loaded;

pub(crate) mod classes;
mod files;
mod running;

pub(crate) use files::Reached;
pub(crate) use running::Entry;

/// A compiled network and its state: parameters, moments, running statistics, step.
///
/// It keeps the memory of its runs for the next ones: temporaries, which one workspace has for training, evaluation and prediction alike, and
/// the copy that [`Fit::snapshots`] speaks of. A run of another kind, of more rows or on more threads than any before gives it back before
/// it makes its own; else it is kept until the model is dropped, or [`Model::release_memory`] is called.
pub struct Model {
    pub(crate) compiled: Arc<Compiled>,
    pub(crate) store: Store,
    /// What runs have left.
    pub(crate) spare: Spare,
    pub(crate) settings: Vec<f64>,
    pub(crate) seed: u64,
    /// Steps taken so far.
    pub(crate) step: u64,
    /// Batches seen so far: each has random numbers of its own. More than steps only where steps took several.
    pub(crate) batches: u64,
    /// Epochs begun so far: each has its own permutation.
    pub(crate) epoch: u64,
    /// Names of the scalers' states that have been measured, loaded or set; the first run measures the others.
    pub(crate) scaled: BTreeSet<String>,
    /// What classes are called in the data that the parameters were trained on.
    pub(crate) class_names: ClassNames,
    /// Where the run stood that left the checkpoint behind which the model is; the next run goes on with it.
    pub(crate) resumed: Option<Standing>,
    /// What is compiled into the step for someone to see.
    pub(crate) watches: Vec<Watch>,
    pub(crate) watched: Vec<Watched>,
}

impl Model {
    /// Compiles a declaration.
    ///
    /// # Errors
    /// [`Error::Model`] with all mistakes of the declaration, drawn on its text.
    pub fn from_declaration(declaration: &Declaration, options: &Options) -> Result<Model> {
        let start = Instant::now();
        let front = front(declaration)?;
        let mut model = Self::compile(front, options)?;
        if let Some(compiled) = Arc::get_mut(&mut model.compiled) {
            let rest: Duration = compiled.times.iter().map(|(_, time)| *time).sum();
            compiled.times.insert(0, ("elaborate, differentiate, simplify", start.elapsed().saturating_sub(rest)));
        }
        Ok(model)
    }

    /// Compiles what the front half of the compiler has made, and draws the first parameters.
    ///
    /// # Errors
    /// An instruction set that the machine lacks, memory that is refused, and bugs of the compiler.
    pub fn compile(front: Front, options: &Options) -> Result<Model> {
        let compiled = Compiled::new(front, options)?;
        let mut model = Model {
            store: Store::new(&compiled.assembled.program)?,
            settings: compiled.info.settings.iter().map(|setting| setting.value).collect(),
            seed: options.seed,
            compiled: Arc::new(compiled),
            spare: Spare::default(),
            step: 0,
            batches: 0,
            epoch: 0,
            scaled: BTreeSet::new(),
            class_names: ClassNames::new(),
            resumed: None,
            watches: Vec::new(),
            watched: Vec::new(),
        };
        model.reset(options.seed)?;
        if let Some(folder) = crate::env::dump_folder() {
            model.dump(folder)?;
        }
        if crate::env::perf_map() {
            model.write_perf_map()?;
        }
        Ok(model)
    }

    /// Starts anew without compiling: parameters drawn from `seed`, moments and statistics as at first, step 0. Settings stay.
    pub fn reset(&mut self, seed: u64) -> Result<()> {
        self.seed = seed;
        self.step = 0;
        self.batches = 0;
        self.epoch = 0;
        self.scaled.clear();
        self.class_names.clear();
        self.resumed = None;
        for state in self.compiled.info.states.clone() {
            if let Some(buffer) = self.buffer(&state.name) {
                self.store.fill(buffer, self.lane(buffer), state.initial);
            }
        }
        if self.compiled.module.entry("initialize").is_none() {
            return Ok(());
        }
        self.draw()
    }

    /// Goes on as another compilation of the same network: what both keep under one name stays. Gives what it was before.
    pub(crate) fn change_to(&mut self, compiled: Arc<Compiled>, mut store: Store) -> (Arc<Compiled>, Store) {
        for buffer in store.buffers().collect::<Vec<_>>() {
            if let Some(own) = self.buffer(&compiled.assembled.program.buffers[buffer.0 as usize].name) {
                store.get_mut(buffer).copy_from_slice(self.store.get(own));
            }
        }
        if self.resumed.as_ref().is_some_and(|standing| standing.copied) {
            let own: BTreeMap<_, _> = self.compiled.copies().collect();
            let both = compiled.copies().filter_map(|(name, copy)| Some((*own.get(name)?, copy)));
            both.for_each(|(own, copy)| store.get_mut(copy).copy_from_slice(self.store.get(own)));
        }
        self.spare.clear();
        let setting = |setting: &Setting| self.setting(&setting.name).unwrap_or(setting.value);
        self.settings = compiled.info.settings.iter().map(setting).collect();
        (std::mem::replace(&mut self.compiled, compiled), std::mem::replace(&mut self.store, store))
    }

    /// The same model once more, as it is now: parameters, moments, settings, seed, step. The code is shared and nothing is compiled. Both
    /// go on with the same bits as long as both are told the same; members of an ensemble [`reset`](Model::reset) each to a seed of their own.
    ///
    /// # Errors
    /// Memory that is refused.
    pub fn try_clone(&self) -> Result<Model> {
        let mut store = Store::new(&self.compiled.assembled.program)?;
        for buffer in store.buffers().collect::<Vec<_>>() {
            store.get_mut(buffer).copy_from_slice(self.store.get(buffer));
        }
        Ok(Model {
            compiled: self.compiled.clone(),
            store,
            spare: Spare::default(),
            settings: self.settings.clone(),
            seed: self.seed,
            step: self.step,
            batches: self.batches,
            epoch: self.epoch,
            scaled: self.scaled.clone(),
            class_names: self.class_names.clone(),
            resumed: self.resumed.clone(),
            watches: self.watches.clone(),
            watched: self.watched.clone(),
        })
    }

    /// The name of the network.
    pub fn name(&self) -> &str {
        &self.compiled.info.name
    }

    /// Names and types of what goes in and comes out, parameters, settings, metrics.
    pub fn info(&self) -> &Info {
        &self.compiled.info
    }

    /// The table of layers: shape, initialiser and why, parameters, FLOPs, and the optimizer's formula.
    pub fn summary(&self) -> &str {
        &self.compiled.info.summary
    }

    /// What each stage of compiling took.
    pub fn compile_times(&self) -> &[(&'static str, Duration)] {
        &self.compiled.times
    }

    /// The instruction set that the code was compiled for.
    pub fn instruction_set(&self) -> InstructionSet {
        self.compiled.options.instruction_set
    }

    /// Trains on a data set, or on `()` where the network takes none; see [`Fit`].
    pub fn fit<'m>(&'m mut self, data: impl Into<Rows<'m>>) -> Fit<'m> {
        Fit::new(self, data.into())
    }

    /// Names and shapes of the parameters, in the order of the declaration.
    pub fn parameters(&self) -> impl Iterator<Item = (&str, &[usize])> {
        self.compiled.info.parameters.iter().map(|parameter| (parameter.name.as_str(), parameter.shape.as_slice()))
    }

    /// Values of a parameter or state, row-major; states are running statistics, scalers and the optimizer's moments.
    pub fn parameter(&self, name: &str) -> Result<&[f32]> {
        let buffer = self.floats(name).ok_or_else(|| self.unknown("parameter", name))?;
        Ok(self.store.get(buffer))
    }

    /// Replaces the values of a parameter or state, row-major. What a scaler is given so (`x.standardize.mean`) is not measured any more.
    ///
    /// # Errors
    /// An unknown name, another number of values, a value that is not finite.
    pub fn set_parameter(&mut self, name: &str, values: &[f32]) -> Result<()> {
        let buffer = self.floats(name).ok_or_else(|| self.unknown("parameter", name))?;
        if let Some(position) = values.iter().position(|value| !value.is_finite()) {
            return Err(Error::data(
                format!("value {position} for `{name}` is {}", values[position]),
                "finite numbers",
                "check where the values come from",
            ));
        }
        let own = self.store.get_mut(buffer);
        if own.len() != values.len() {
            let expected = own.len();
            return Err(Error::data(
                format!("{} values for `{name}`", values.len()),
                format!("{expected}"),
                "give the values row-major",
            ));
        }
        own.copy_from_slice(values);
        self.note_scaled(name);
        Ok(())
    }

    /// Value of a setting.
    pub fn setting(&self, name: &str) -> Result<f64> {
        let position = self.setting_position(name)?;
        Ok(self.settings[position])
    }

    /// Changes a setting; nothing is compiled.
    ///
    /// # Errors
    /// An unknown name, or a value outside the bounds of what the setting stands for, alone or in a formula.
    pub fn set(&mut self, name: &str, value: f64) -> Result<()> {
        let position = self.setting_position(name)?;
        let before = std::mem::replace(&mut self.settings[position], value);
        self.compiled.info.check_setting(position, &self.settings).map_err(|expected| {
            self.settings[position] = before;
            Error::setting(name, value, &expected)
        })
    }

    fn setting_position(&self, name: &str) -> Result<usize> {
        let settings: &[Setting] = &self.compiled.info.settings;
        settings.iter().position(|setting| setting.name == name).ok_or_else(|| self.unknown("setting", name))
    }

    fn unknown(&self, kind: &str, name: &str) -> Error {
        let names: Vec<&str> = match kind {
            "setting" => self.compiled.info.settings.iter().map(|setting| setting.name.as_str()).collect(),
            _ => self.compiled.info.parameters.iter().map(|parameter| parameter.name.as_str()).collect(),
        };
        let states = self.compiled.info.states.iter().map(|state| state.name.as_str()).filter(|_| kind == "parameter");
        let near = gradc_compiler::base::names::nearest(name, names.iter().copied().chain(states));
        let help = match near {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("there are: {}", names.join(", ")),
        };
        Error::data(format!("no {kind} is called `{name}`"), "", help)
    }

    /// A parameter or state of floats, which can be read and replaced from outside.
    fn floats(&self, name: &str) -> Option<BufferId> {
        self.buffer(name).filter(|buffer| self.lane(*buffer) == Lane::F32)
    }

    /// The type of a buffer's elements.
    pub(crate) fn lane(&self, buffer: BufferId) -> Lane {
        self.compiled.assembled.program.buffers[buffer.0 as usize].lane
    }

    /// The buffer of a parameter or state.
    pub(crate) fn buffer(&self, name: &str) -> Option<BufferId> {
        self.compiled.assembled.kept.get(name).copied()
    }

    /// Exact zeros in each parameter under a proximal penalty, as it is now.
    pub fn zeros(&self) -> Vec<Zeros> {
        let sparse = self.compiled.info.parameters.iter().filter(|parameter| parameter.proximal);
        let count = |parameter: &Tensor| {
            let values = self.parameter(&parameter.name).ok()?;
            let zeros = values.iter().filter(|value| **value == 0.0).count();
            Some(Zeros { name: parameter.name.clone(), zeros, of: values.len() })
        };
        sparse.filter_map(count).collect()
    }

    pub(crate) fn must_train(&self) -> Result<()> {
        if self.compiled.info.trains {
            return Ok(());
        }
        Err(Error::Setting {
            name: self.name().to_string(),
            found: "trained: it has no loss or no optimizer".into(),
            expected: "a network with `minimize` and `using`".into(),
        })
    }

    pub(crate) fn check_rows(&self, rows: usize) -> Result<()> {
        match &self.compiled.info.needs_two_rows {
            Some(layer) if rows < 2 => Err(Error::data(
                format!("batch_norm `{layer}` would see 1 row; the variance is undefined in training"),
                "at least 2 rows",
                "use a larger batch, or `drop_last()` if it is the last one",
            )),
            _ => Ok(()),
        }
    }
}

impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Model({} at step {})", self.name(), self.step)
    }
}

pub use crate::stages::Stage;
