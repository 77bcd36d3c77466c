//! Parameters and whole trainings in files.

use super::{Model, classes};
use crate::checkpoint::{self, Checkpoint, Loaded};
use crate::error::{Error, Result};
use crate::fit::{JUDGED, Judged, Standing};
use gradc_compiler::loops::{BufferId, Lane};
use gradc_compiler::pipeline::State;
use gradc_compiler::splitmix;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::str::FromStr;

/// The key of a file's metadata under which a network is told from another with the same parameters.
const FINGERPRINT: &str = "fingerprint";

/// The key under which a checkpoint of a training lists the tensors that are no parameters: it tells such a file from others.
const MOMENTS: &str = "moments";

/// The key under which a file lists the states of scalers that were known when it was written; the others have nothing to say.
const SCALED: &str = "scaled";

/// The keys under which a checkpoint that was written within a run tells its epochs and steps, and what the epochs are judged by.
const RUN_EPOCHS: &str = "run.epochs";
const RUN_STEPS: &str = "run.steps";
const MONITOR: &str = "run.monitor";

/// What stands before the name of each thing that the run was given.
const TERM: &str = "run.of.";

/// A tensor that stays from step to step.
struct Kept {
    name: String,
    shape: Vec<usize>,
    buffer: BufferId,
    /// Whether it is part of the model, not of its training alone.
    saved: bool,
}

/// How far a training has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reached {
    /// Steps taken.
    pub step: u64,
    /// Batches seen.
    pub batches: u64,
    /// Epochs begun, none of which is still under way.
    pub epoch: u64,
}

impl Model {
    /// Writes parameters and saved states (running statistics, scalers) as safetensors, by their names in the declaration, and the names of
    /// classes. Moments of the optimizer, step and seed are not in it: it is what serves, or what another run begins with.
    /// [`Model::save_checkpoint`] writes all.
    ///
    /// # Errors
    /// When the file cannot be written; what stood there before is then intact.
    pub fn save(&self, file: impl AsRef<Path>) -> Result<()> {
        checkpoint::save(file, &self.tensors(&self.saved()), &self.origin(self.step))
    }

    /// Reads what [`Model::save`] wrote, or the same out of a checkpoint; all names and shapes must fit. Moments and step stay as they are:
    /// [`Model::reset`] before it makes a run begin anew from these parameters.
    ///
    /// # Errors
    /// A damaged file, a list of what is missing, extra or of another shape, a file of another network whose parameters are called alike, or a
    /// value that is NaN or infinite; the model is then unchanged.
    pub fn load(&mut self, file: impl AsRef<Path>) -> Result<()> {
        let path = file.as_ref();
        let checkpoint = parameters(path)?;
        let saved = self.saved();
        let fits = checkpoint::match_strict(&named(&saved), &checkpoint).and_then(|()| self.check_origin(&checkpoint));
        let fits = fits.and_then(|()| check_finite(&saved, &checkpoint));
        fits.map_err(|error| error.in_file(&path.display().to_string()))?;
        self.take(&checkpoint, &saved);
        self.class_names = classes::read(&checkpoint.metadata);
        Ok(())
    }

    /// Reads what fits, values that are NaN or infinite too; returns what was taken, what is missing and what has another shape. Scalers
    /// are taken too, and no run measures what was taken.
    pub fn load_matching(&mut self, file: impl AsRef<Path>) -> Result<Loaded> {
        Ok(self.take_matching(&parameters(file.as_ref())?))
    }

    /// Takes what fits.
    pub(crate) fn take_matching(&mut self, checkpoint: &Checkpoint) -> Loaded {
        let saved = self.saved();
        let loaded = checkpoint::match_some(&named(&saved), checkpoint);
        let taken: Vec<_> = saved.into_iter().filter(|kept| loaded.taken.contains(&kept.name)).collect();
        self.take(checkpoint, &taken);
        loaded
    }

    /// What the network computes when it serves, as a number behind the version of gradc that wrote it down.
    fn fingerprint(&self) -> String {
        let front = &self.compiled.front;
        let graph = front.graphs.prediction.as_ref().or(front.graphs.evaluation.as_ref());
        let text = graph.map_or_else(String::new, |graph| gradc_compiler::graph::text::print(graph, false));
        format!("{} {:016x}", env!("CARGO_PKG_VERSION"), splitmix::hash(&text, 0))
    }

    /// Whether a file with the same parameters was written by the same network. Another version of gradc may say the same network otherwise,
    /// so its files are taken at their names.
    pub(crate) fn check_origin(&self, checkpoint: &Checkpoint) -> Result<()> {
        let (Some(written), own) = (checkpoint.metadata.get(FINGERPRINT), self.fingerprint()) else { return Ok(()) };
        let version = |fingerprint: &str| fingerprint.split(' ').next().unwrap_or_default().to_string();
        if *written == own || version(written) != version(&own) {
            return Ok(());
        }
        let name = checkpoint.metadata.get("network").map_or("another network", String::as_str);
        Err(Error::Checkpoint {
            file: None,
            found: format!("`{name}` with the same parameters but other formulas (fingerprint {written})"),
            expected: format!("`{}` ({own})", self.name()),
            help: "load it into the network that wrote it, or take the parameters alone with `load_matching`".into(),
        })
    }

    fn take(&mut self, checkpoint: &Checkpoint, tensors: &[Kept]) {
        let unknown = |name: &str| checkpoint.metadata.get(SCALED).is_some_and(|known| known.lines().all(|known| known != name));
        for Kept { name, buffer, .. } in tensors {
            if let Some((_, values)) = checkpoint.tensors.get(name) {
                let own = self.store.get_mut(*buffer);
                if own.len() == values.len() {
                    own.copy_from_slice(values);
                    if !unknown(name) {
                        self.note_scaled(name);
                    }
                }
            }
        }
    }

    /// Parameters and saved states.
    fn saved(&self) -> Vec<Kept> {
        self.kept(|state| state.saved)
    }

    /// Parameters, and those states that are asked for.
    fn kept(&self, asked: impl Fn(&State) -> bool) -> Vec<Kept> {
        let info = &self.compiled.info;
        let states = info.states.iter().filter(|state| asked(state)).map(|state| (&state.name, &state.shape, state.saved));
        let all = info.parameters.iter().map(|parameter| (&parameter.name, &parameter.shape, true)).chain(states);
        let kept = |(name, shape, saved): (&String, &Vec<usize>, bool)| {
            Some(Kept { name: name.clone(), shape: shape.clone(), buffer: self.buffer(name)?, saved })
        };
        all.filter_map(kept).collect()
    }

    fn tensors<'a>(&'a self, kept: &'a [Kept]) -> Vec<checkpoint::Tensor<'a>> {
        kept.iter().map(|kept| (kept.name.as_str(), kept.shape.as_slice(), self.store.get(kept.buffer))).collect()
    }

    /// What a file says of where it comes from.
    fn origin(&self, step: u64) -> BTreeMap<String, String> {
        let mut origin = BTreeMap::from([
            ("network".to_string(), self.name().to_string()),
            ("step".to_string(), step.to_string()),
            (FINGERPRINT.to_string(), self.fingerprint()),
            (SCALED.to_string(), self.scaled.iter().map(String::as_str).collect::<Vec<_>>().join("\n")),
        ]);
        origin.extend(classes::written(&self.class_names));
        origin
    }

    /// The best epoch's copies of what is restored, by names that no parameter has.
    fn copies(&self) -> Vec<Kept> {
        let copies: BTreeMap<&str, BufferId> = self.compiled.copies().collect();
        let copy = |kept: Kept| {
            let buffer = *copies.get(kept.name.as_str())?;
            Some(Kept { name: format!("best:{}", kept.name), buffer, saved: false, ..kept })
        };
        self.kept(|_| true).into_iter().filter_map(copy).collect()
    }

    // --- whole trainings ---------------------------------------------------------------------------------------------

    /// Writes everything that the next step depends on, as safetensors: parameters, states, moments of the optimizer, settings, seed, and how
    /// many steps and epochs there were. A model that [loads](Model::load_checkpoint) it, in this process or another, goes on with the very bits
    /// that this one would go on with. [`Fit::checkpoint`](crate::fit::Fit::checkpoint) writes it after each epoch of a run.
    ///
    /// # Errors
    /// When the file cannot be written; what stood there before is then intact.
    pub fn save_checkpoint(&self, file: impl AsRef<Path>) -> Result<()> {
        self.write_checkpoint(file.as_ref(), &self.of_training(), self.reached(), self.resumed.as_ref())
    }

    pub(crate) fn reached(&self) -> Reached {
        Reached { step: self.step, batches: self.batches, epoch: self.epoch }
    }

    /// Goes on where [`Model::save_checkpoint`] or [`Fit::checkpoint`](crate::fit::Fit::checkpoint) left off: all that was written takes the
    /// place of what the model has, its seed and settings too. The next run goes on with the one that `Fit::checkpoint` wrote of: it counts epochs
    /// from there, knows the best of them if it is judged by the same value, and may have none left to do.
    ///
    /// ```no_run
    /// # use gradc_runtime::{data::Dataset, error::Result, model::Model};
    /// # fn rest(mut net: Model, data: Dataset) -> Result<()> {
    /// net.load_checkpoint("run.safetensors")?;
    /// let left = 60 - net.epochs_begun();
    /// net.fit(&data).epochs(left).checkpoint("run.safetensors").run()?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// A damaged file, one of parameters alone, a list of what is missing, extra or of another shape (as where another optimizer wrote it), a
    /// file of another network, or a parameter that is NaN or infinite; the model is then unchanged.
    pub fn load_checkpoint(&mut self, file: impl AsRef<Path>) -> Result<()> {
        let path = file.as_ref();
        let read = checkpoint::load(path)?;
        self.take_training(&read).map_err(|error| error.in_file(&path.display().to_string()))
    }

    /// Steps taken in the whole life of the model.
    pub fn steps_taken(&self) -> u64 {
        self.step
    }

    /// Epochs begun in the whole life of the model.
    pub fn epochs_begun(&self) -> u64 {
        self.epoch
    }

    /// Names of all that the next step reads.
    pub(crate) fn of_training(&self) -> Vec<String> {
        self.kept(|_| true).into_iter().map(|kept| kept.name).collect()
    }

    /// Writes the tensors of these names, which may be fewer than a step of another kind has.
    pub(crate) fn write_checkpoint(
        &self,
        file: &Path,
        names: &[String],
        progress: Reached,
        standing: Option<&Standing>,
    ) -> Result<()> {
        let (wide, mut kept) = self.by_width(|state| names.contains(&state.name));
        let mut texts = self.origin(progress.step);
        if let Some(standing) = standing {
            texts.extend(standing_texts(standing));
            kept.extend(if standing.copied { self.copies() } else { Vec::new() });
        }
        let moments: Vec<&str> = kept.iter().filter(|kept| !kept.saved).map(|kept| kept.name.as_str()).collect();
        let Reached { step: _, batches, epoch } = progress;
        let numbers = [("batches", batches), ("epoch", epoch), ("seed", self.seed)];
        texts.extend(numbers.map(|(name, number)| (name.to_owned(), number.to_string())));
        texts.insert(MOMENTS.to_owned(), moments.join("\n"));
        let settings = self.compiled.info.settings.iter().zip(&self.settings);
        texts.extend(settings.map(|(setting, value)| (setting_key(&setting.name), value.to_string())));
        // The tensors of a file are f32: what a step keeps in f64, a number or two, is a text.
        texts.extend(wide.iter().map(|kept| {
            let numbers = self.store.numbers(kept.buffer, Lane::F64);
            (state_key(&kept.name), numbers.iter().map(f64::to_string).collect::<Vec<_>>().join(" "))
        }));
        checkpoint::save(file, &self.tensors(&kept), &texts)
    }

    /// What is kept in f64, and what in f32.
    fn by_width(&self, asked: impl Fn(&State) -> bool) -> (Vec<Kept>, Vec<Kept>) {
        self.kept(asked).into_iter().partition(|kept| self.lane(kept.buffer) == Lane::F64)
    }

    /// Which states of scalers a checkpoint says are known.
    fn scaled_in(&self, read: &Checkpoint) -> Result<BTreeSet<String>> {
        let names = read.metadata.get(SCALED).ok_or_else(|| lacks(SCALED))?;
        names.lines().map(|name| if self.is_of_scaler(name) { Ok(name.to_owned()) } else { Err(lacks(SCALED)) }).collect()
    }

    fn take_training(&mut self, read: &Checkpoint) -> Result<()> {
        if !read.metadata.contains_key(MOMENTS) {
            return Err(Error::Checkpoint {
                file: None,
                found: "parameters alone".into(),
                expected: "a checkpoint of a training".into(),
                help: "begin anew from these parameters with `load`, or write checkpoints with `fit.checkpoint(…)`".into(),
            });
        }
        let (wide, kept) = self.by_width(|_| true);
        let copies = self.copies();
        let copied = copies.iter().any(|copy| read.tensors.contains_key(&copy.name));
        let copies = if copied { copies } else { Vec::new() };
        checkpoint::match_strict(&named(kept.iter().chain(&copies)), read)?;
        self.check_origin(read)?;
        check_finite(&kept, read)?;
        let progress = Reached { step: number(read, "step")?, batches: number(read, "batches")?, epoch: number(read, "epoch")? };
        let (seed, scaled) = (number(read, "seed")?, self.scaled_in(read)?);
        let names = self.compiled.info.settings.iter().map(|setting| setting_key(&setting.name));
        let settings: Vec<f64> = names.map(|name| number(read, &name)).collect::<Result<_>>()?;
        for (place, setting) in self.compiled.info.settings.iter().enumerate() {
            let fits = self.compiled.info.check_setting(place, &settings);
            fits.map_err(|expected| Error::setting(&setting.name, settings[place], &expected))?;
        }
        let numbers = wide.iter().map(|kept| {
            let count = self.store.get(kept.buffer).len() / 2;
            let text = read.metadata.get(&state_key(&kept.name)).map_or("", String::as_str);
            let numbers: Option<Vec<f64>> = text.split_whitespace().map(|number| number.parse().ok()).collect();
            numbers.filter(|numbers| numbers.len() == count).ok_or_else(|| lacks(&state_key(&kept.name)))
        });
        let numbers: Vec<Vec<f64>> = numbers.collect::<Result<_>>()?;
        let resumed = standing(read, progress, !copies.is_empty())?;
        // Nothing can fail from here on.
        self.take(read, &kept);
        self.take(read, &copies);
        wide.iter().zip(numbers).for_each(|(kept, numbers)| self.store.set_numbers(kept.buffer, Lane::F64, &numbers));
        (self.step, self.batches, self.epoch) = (progress.step, progress.batches, progress.epoch);
        (self.seed, self.scaled, self.settings, self.resumed) = (seed, scaled, settings, resumed);
        self.class_names = classes::read(&read.metadata);
        Ok(())
    }
}

/// What a file holds, the moments of a checkpoint apart.
fn parameters(file: &Path) -> Result<Checkpoint> {
    let mut read = checkpoint::load(file)?;
    if let Some(moments) = read.metadata.get(MOMENTS) {
        moments.lines().for_each(|name| drop(read.tensors.remove(name)));
    }
    Ok(read)
}

/// Parameters and states that serve are numbers; what an optimizer remembers may be anything.
fn check_finite(kept: &[Kept], read: &Checkpoint) -> Result<()> {
    checkpoint::check_finite(kept.iter().filter(|kept| kept.saved).map(|kept| kept.name.as_str()), read)
}

fn named<'a>(kept: impl IntoIterator<Item = &'a Kept>) -> Vec<(&'a str, &'a [usize])> {
    kept.into_iter().map(|kept| (kept.name.as_str(), kept.shape.as_slice())).collect()
}

/// What a checkpoint says of the run that writes it.
fn standing_texts(standing: &Standing) -> BTreeMap<String, String> {
    let Standing { epochs, steps, judged, monitor, copied: _, terms } = standing;
    let judged = JUDGED.iter().zip(judged).map(|(name, number)| ((*name).to_owned(), number.to_string()));
    let terms = terms.iter().map(|(name, term)| (format!("{TERM}{name}"), term.clone()));
    let counts = [(RUN_EPOCHS, epochs), (RUN_STEPS, steps)].map(|(name, count)| (name.to_owned(), count.to_string()));
    judged.chain(terms).chain(counts).chain([(MONITOR.to_owned(), monitor.clone())]).collect()
}

/// Where the run stood that wrote a checkpoint; nowhere if it was written between runs.
fn standing(read: &Checkpoint, most: Reached, copied: bool) -> Result<Option<Standing>> {
    let Some(monitor) = read.metadata.get(MONITOR).cloned() else { return Ok(None) };
    let (epochs, steps) = (number(read, RUN_EPOCHS)?, number(read, RUN_STEPS)?);
    let mut judged = Judged::default();
    for (name, judged) in JUDGED.iter().zip(&mut judged) {
        *judged = number(read, name)?;
    }
    if epochs > most.epoch || judged.iter().any(|number| number.is_nan()) {
        return Err(lacks(RUN_EPOCHS));
    }
    if steps > most.step {
        return Err(lacks(RUN_STEPS));
    }
    let term = |(key, term): (&String, &String)| Some((key.strip_prefix(TERM)?.to_owned(), term.clone()));
    let terms = read.metadata.iter().filter_map(term).collect();
    Ok(Some(Standing { epochs, steps, judged, monitor, copied, terms }))
}

fn setting_key(name: &str) -> String {
    format!("setting.{name}")
}

fn state_key(name: &str) -> String {
    format!("state.{name}")
}

/// A number of a checkpoint's texts.
fn number<T: FromStr>(read: &Checkpoint, key: &str) -> Result<T> {
    read.metadata.get(key).and_then(|text| text.parse().ok()).ok_or_else(|| lacks(key))
}

fn lacks(key: &str) -> Error {
    Error::Checkpoint {
        file: None,
        found: format!("no sound `{key}`"),
        expected: "what a checkpoint of this network says".into(),
        help: "write it anew with the program that trains".into(),
    }
}
