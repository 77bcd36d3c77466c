//! `gradc train`.

use crate::data::{DataArguments, check_rowless, rows};
use crate::network::NetworkArguments;
use crate::outputs::{self, Writing};
use crate::print::{line, say, tell};
use crate::resume::{Checkpoint, Left};
use crate::weights::load_fitting;
use clap::Args;
use clap::builder::RangedU64ValueParser;
use gradc::runtime::checkpoint;
use gradc::runtime::diagnosis::{Figures, Moment};
use gradc::runtime::report::table::{Align, table};
use gradc::{Dataset, Diagnosis, Error, Evaluation, History, Model, Result, Stopped, Verdict, Watched, Zeros};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

#[derive(Args)]
pub struct Train {
    #[command(flatten)]
    network: NetworkArguments,
    #[command(flatten)]
    data: DataArguments,
    /// Shares of the rows for training, validation and test, such as 0.7,0.15,0.15; two shares leave out the test.
    #[arg(long, value_delimiter = ',', value_name = "SHARES", requires = "data")]
    split: Option<Vec<f64>>,
    /// Shuffles the rows before they are split (default: they are split in the file's order).
    #[arg(long, value_name = "SEED", requires = "split")]
    split_seed: Option<u64>,
    /// Rows of a step (default: 32, or all where there are fewer).
    #[arg(long, value_name = "ROWS")]
    batch: Option<usize>,
    /// Passes over the training rows (default 1).
    #[arg(long, conflicts_with = "steps")]
    epochs: Option<u64>,
    /// Steps, in place of epochs.
    #[arg(long)]
    steps: Option<u64>,
    /// Ends the run when the monitored value has not improved for so many epochs; needs validation rows.
    #[arg(long, value_name = "EPOCHS")]
    patience: Option<u64>,
    /// Multiplies the rate by the factor each time that the monitored value has not improved for so many epochs: 0.5,3.
    #[arg(long, value_name = "FACTOR,EPOCHS", value_parser = plateau)]
    plateau: Option<(f64, u64)>,
    /// The result by which the run is judged: `loss`, or a reported metric.
    #[arg(long, value_name = "NAME")]
    monitor: Option<String>,
    /// The least improvement that counts.
    #[arg(long, value_name = "AMOUNT")]
    least: Option<f64>,
    /// Whether each epoch has an order of its own (default true).
    #[arg(long, value_name = "BOOL")]
    shuffle: Option<bool>,
    /// Leaves out the last batch of an epoch if it is smaller.
    #[arg(long)]
    drop_last: bool,
    /// Threads at most (default: one for each core); fewer run where kernels are too short to share. The result does not depend on it.
    #[arg(long, value_parser = threads())]
    threads: Option<usize>,
    /// Binds each thread to a processor of its own.
    #[arg(long)]
    pin: bool,
    /// Starts from the parameters of a file.
    #[arg(long, value_name = "FILE")]
    init: Option<PathBuf>,
    #[command(flatten)]
    checkpoint: Checkpoint,
    /// Writes the trained parameters as safetensors.
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
    /// Draws loss and metrics as SVG.
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
    /// Shows a value of the training step, such as hidden.relu or hidden.dense.weight.gradient: of the last step, or with @step=100 of
    /// that one, with @every=50 of each fiftieth. May be given several times.
    #[arg(long, value_name = "VALUE[@WHEN]")]
    watch: Vec<String>,
    /// Writes the watched values as safetensors, named VALUE@STEP, in place of showing them.
    #[arg(long, value_name = "FILE", requires = "watch")]
    watch_save: Option<PathBuf>,
    /// Tells for each layer what its gradients, updates and activations were like over the run, and what is wrong if something is; with a
    /// file, draws the gradients by layer and step as SVG.
    #[arg(long, num_args = 0..=1, value_name = "FILE.svg")]
    diagnose: Option<Option<PathBuf>>,
    /// Before training, evaluates every graph before and after each pass on random inputs.
    #[arg(long)]
    validate: bool,
    /// Trains by the f64 interpreter in place of native code: slow, and what native code is held to.
    #[arg(long)]
    reference: bool,
    /// One JSON object a line on stdout instead of the display: each epoch, or with --steps each step, then the end.
    #[arg(long)]
    json: bool,
}

/// The parts that the rows are split into.
struct Parts {
    train: Option<Dataset>,
    valid: Option<Dataset>,
    test: Option<Dataset>,
}

impl Train {
    /// Why the run ended.
    pub fn run(self) -> Result<Stopped> {
        // After a long run it is too late.
        let inputs: Vec<_> = self.data.inputs().chain([self.network.input()]).collect();
        outputs::check(&self.outputs(), &inputs)?;
        if self.validate {
            self.network.validate()?;
        }
        let (mut model, lints) = self.network.compiled(|options| options)?;
        tell(&lints);
        if self.json {
            let stages = model.compile_times().iter().map(|(stage, time)| (stage.to_string(), json!(1e3 * time.as_secs_f64())));
            line(&json!({ "event": "compiled", "network": model.name(), "milliseconds": stages.collect::<Map<_, _>>() }))?;
        }
        let goes_on = self.checkpoint.begin(&mut model, self.network.set())?;
        if let Some(file) = self.init.as_ref().filter(|_| !goes_on) {
            load_fitting(&mut model, file)?;
        }
        for value in &self.watch {
            model.watch(value)?;
        }
        let parts = self.parts(&model)?;
        let outcome = self.fit(&mut model, &parts);
        // Files first, each whatever becomes of the others: what is printed may find no reader.
        let written = self.written(&model, &outcome);
        let stopped = outcome.as_ref().ok().map(|history| history.stopped);
        let printed = self.printed(&model, &parts, outcome);
        match stopped {
            Some(stopped) => written.and(printed).and(Ok(stopped)),
            None => printed.and(written).and(Ok(Stopped::default())),
        }
    }

    /// Writes all files that are asked for; the error is the first one's.
    fn written(&self, model: &Model, outcome: &Result<History>) -> Result<()> {
        let mut written = Ok(());
        match (&self.save, outcome) {
            (Some(file), Ok(_)) => written = written.and(outputs::save(model, file)),
            (Some(file), Err(Error::Diverged { kept, .. })) => tell(&left_behind(model, file, *kept)),
            _ => {}
        }
        match (&self.plot, outcome) {
            (Some(file), Ok(history)) if history.epochs.is_empty() => {
                tell(&format!("note: no epoch was left to draw in `{}`\n", file.display()));
            }
            (Some(file), Ok(history)) => written = written.and(history.plot(file)),
            _ => {}
        }
        if let Some(file) = &self.watch_save {
            written = written.and(save_watched(file, model));
        }
        if let (Some(Some(file)), Some(diagnosis)) = (&self.diagnose, so_far(outcome).and_then(|run| run.diagnosis.as_ref())) {
            written = written.and(diagnosis.plot(file));
        }
        written
    }

    fn printed(&self, model: &Model, parts: &Parts, outcome: Result<History>) -> Result<()> {
        if let Some(history) = so_far(&outcome).filter(|_| self.json) {
            steps(history)?;
        }
        if self.watch_save.is_none() {
            self.watched(model)?;
        }
        if let Some(diagnosis) = so_far(&outcome).and_then(|history| history.diagnosis.as_ref()) {
            self.diagnosed(diagnosis)?;
        }
        self.report(model, parts, &outcome?)
    }

    /// All files that will be written, by their flags.
    fn outputs(&self) -> Vec<(&'static str, &Path, Writing)> {
        let drawn = self.diagnose.as_ref().and_then(Option::as_deref);
        let files = [
            ("--checkpoint", self.checkpoint.file(), Writing::Beside),
            ("--save", self.save.as_deref(), Writing::Beside),
            ("--watch-save", self.watch_save.as_deref(), Writing::Beside),
            ("--plot", self.plot.as_deref(), Writing::Directly),
            ("--diagnose", drawn, Writing::Directly),
        ];
        files.into_iter().filter_map(|(flag, file, writing)| Some((flag, file?, writing))).collect()
    }

    fn parts(&self, model: &Model) -> Result<Parts> {
        let Some(data) = self.data.read(model, true)? else {
            let given =
                [("--batch", self.batch.is_some()), ("--shuffle", self.shuffle.is_some()), ("--drop-last", self.drop_last)];
            let train = self.data.need(model, true)?;
            check_rowless(model, &given)?;
            return Ok(Parts { train, valid: None, test: None });
        };
        if self.split.is_some() && self.split_seed.is_none() {
            tell(
                "note: the rows are split in the file's order; in a sorted file the parts differ: --split-seed 1 shuffles them first\n",
            );
        }
        let data = self.split_seed.map_or_else(|| data.clone(), |seed| data.shuffled(seed));
        match self.split.as_deref() {
            None | Some([]) => Ok(Parts { train: Some(data), valid: None, test: None }),
            Some(&[train, valid]) => {
                let [train, valid] = data.split([train, valid])?;
                Ok(Parts { train: Some(train), valid: Some(valid), test: None })
            }
            Some(&[train, valid, test]) => {
                let [train, valid, test] = data.split([train, valid, test])?;
                Ok(Parts { train: Some(train), valid: Some(valid), test: Some(test) })
            }
            Some(shares) => Err(Error::Setting {
                name: "--split".into(),
                found: format!("{} shares", shares.len()),
                expected: "two or three shares: training, validation, test".into(),
            }),
        }
    }

    fn fit(&self, model: &mut Model, parts: &Parts) -> Result<History> {
        let names: Vec<String> = model.info().reports.iter().map(|report| report.name.clone()).collect();
        let left = self.checkpoint.left(model, self.epochs, self.steps)?;
        let mut fit = model
            .fit(rows(&parts.train))
            .shuffle(self.shuffle.unwrap_or(true))
            .threads(self.threads.unwrap_or(0))
            .interruptible();
        if let Some(rows) = self.batch {
            fit = fit.batch(rows);
        }
        if self.pin {
            fit = fit.pinned();
        }
        fit = match left {
            Left::Steps(steps) => fit.steps(steps),
            Left::Epochs(epochs) => fit.epochs(epochs),
        };
        if let Some(file) = self.checkpoint.file() {
            fit = fit.checkpoint(file);
        }
        if let Some(valid) = &parts.valid {
            fit = fit.validate(valid);
        }
        if let Some(patience) = self.patience {
            fit = fit.patience(patience);
        }
        if let Some((factor, epochs)) = self.plateau {
            fit = fit.plateau(factor, epochs);
        }
        if let Some(monitor) = &self.monitor {
            fit = fit.monitor_named(monitor);
        }
        if let Some(least) = self.least {
            fit = fit.least(least);
        }
        if self.drop_last {
            fit = fit.drop_last();
        }
        if self.diagnose.is_some() {
            fit = fit.diagnose();
        }
        if self.reference {
            fit = fit.reference();
        }
        if self.json && self.steps.is_some() {
            fit = fit.record_steps();
        }
        let lowers = self.plateau.is_some();
        if self.json {
            fit = fit.quiet().on_epoch(move |epoch| {
                let mut object = Map::from_iter([("event".into(), json!("epoch")), ("epoch".into(), json!(epoch.epoch))]);
                object.insert("step".into(), json!(epoch.step));
                object.insert("training".into(), measured(epoch.loss, &names, &epoch.training));
                if let Some((loss, metrics)) = &epoch.validation {
                    object.insert("validation".into(), measured(*loss, &names, metrics));
                }
                if lowers {
                    object.insert("rate_factor".into(), json!(epoch.rate_factor));
                }
                if epoch.skipped > 0 {
                    object.insert("skipped".into(), json!(epoch.skipped));
                }
                object.insert("seconds".into(), json!(epoch.seconds));
                // A reader that has gone away ends the run.
                if line(&Value::Object(object)).is_err() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            });
        }
        fit.run()
    }

    fn diagnosed(&self, diagnosis: &Diagnosis) -> Result<()> {
        if !self.json {
            return say(&format!("{diagnosis}\n"));
        }
        let layer = |figures: &Figures| {
            json!({
                "gradient_norm": figures.gradient_norm,
                "update_ratio": figures.update_ratio(),
                "mean": figures.mean,
                "variance": figures.variance(),
                "saturated": figures.saturated,
                "dead": figures.dead,
            })
        };
        let step =
            |moment: &Moment| json!({ "step": moment.step, "layers": moment.layers.iter().map(layer).collect::<Vec<_>>() });
        let verdict = |verdict: &Verdict| json!({ "text": verdict.text, "layer": verdict.layer, "advice": verdict.advice });
        line(&json!({
            "event": "diagnosis",
            "layers": diagnosis.layers.iter().map(|layer| &layer.name).collect::<Vec<_>>(),
            "steps": diagnosis.steps.iter().map(step).collect::<Vec<_>>(),
            "verdicts": diagnosis.verdicts().iter().map(verdict).collect::<Vec<_>>(),
        }))
    }

    fn watched(&self, model: &Model) -> Result<()> {
        for watched in model.watched() {
            if self.json {
                let Watched { name, step, shape, values } = watched;
                line(&json!({ "event": "watched", "name": name, "step": step, "shape": shape, "values": values }))?;
            } else {
                say(&format!("{watched}\n"))?;
            }
        }
        Ok(())
    }

    fn report(&self, model: &Model, parts: &Parts, history: &History) -> Result<()> {
        let named = [("training", &parts.train), ("validation", &parts.valid), ("test", &parts.test)];
        let mut evaluations = Vec::new();
        for (name, part) in named {
            if let Some(rows) = part {
                evaluations.push((name, Some(rows.rows()), model.evaluate(rows)?));
            }
        }
        if evaluations.is_empty() {
            evaluations.push(("training", None, model.evaluate(())?));
        }
        if self.json {
            let mut object =
                Map::from_iter([("event".into(), json!("end")), ("stopped".into(), json!(history.stopped.to_string()))]);
            object.insert("epochs".into(), json!(history.epochs.len()));
            object.insert("seconds".into(), json!(history.elapsed.as_secs_f64()));
            object.insert("samples_per_second".into(), json!(history.samples_per_second));
            if let Some(share) = history.share_of_zeros() {
                let own = history.zeros.iter().map(|zeros| (zeros.name.clone(), json!(zeros.share())));
                object.insert("zeros".into(), json!({ "all": share, "parameters": Value::Object(own.collect()) }));
            }
            for (name, _, evaluation) in &evaluations {
                object.insert((*name).into(), evaluated(evaluation));
            }
            if !history.notes.is_empty() {
                object.insert("notes".into(), json!(history.notes));
            }
            return line(&Value::Object(object));
        }
        let mut text = format!("{}, {:.0} samples/s\n", history.line(), history.samples_per_second);
        if let Some(epoch) = history.restored {
            text += &format!("the parameters are those of epoch {epoch}, the best one\n");
        }
        if history.skipped() > 0 {
            text += &format!("{} steps were skipped: the norm of their gradient was not finite\n", history.skipped());
        }
        text += &results(&evaluations);
        if let Some(share) = history.share_of_zeros() {
            text += &format!("\n{}", sparsity(&history.zeros, share));
        }
        say(&text)
    }
}

/// What is known of a run; what was seen of one that failed is what one wants to see.
fn so_far(outcome: &Result<History>) -> Option<&History> {
    match outcome {
        Ok(history) => Some(history),
        Err(Error::Diverged { history, .. }) => history.as_deref(),
        Err(_) => None,
    }
}

/// What became of the parameters of a run that diverged: those behind step `kept` are written beside the file.
fn left_behind(model: &Model, file: &Path, kept: Option<u64>) -> String {
    let untouched = format!("note: `{}` is not written", file.display());
    match kept.map(|step| (step, outputs::save_beside(model, file))) {
        None => format!("{untouched}: the run has left no parameters without NaN and infinities\n"),
        Some((step, Ok(beside))) => {
            let beside = beside.display();
            format!(
                "{untouched}; the parameters behind step {step}, the last that are finite, stand in `{beside}`: `--init` takes them\n"
            )
        }
        Some((_, Err(error))) => format!("{untouched}, and neither can be the last finite parameters: {error}\n"),
    }
}

/// Writes the watched values as tensors.
fn save_watched(file: &Path, model: &Model) -> Result<()> {
    let name = |watched: &Watched| format!("{}@{}", watched.name, watched.step);
    let named: Vec<(String, &Watched)> = model.watched().iter().map(|watched| (name(watched), watched)).collect();
    let tensors: Vec<(&str, &[usize], &[f32])> =
        named.iter().map(|(name, watched)| (name.as_str(), &watched.shape[..], &watched.values[..])).collect();
    checkpoint::save(file, &tensors, &BTreeMap::from([("network".into(), model.name().into())]))
}

/// Shares of exact zeros under proximal penalties, parameter by parameter and over all of them.
fn sparsity(parameters: &[Zeros], all: f64) -> String {
    let row = |zeros: &Zeros| vec![zeros.name.clone(), zeros.zeros.to_string(), zeros.of.to_string(), percent(zeros.share())];
    let mut rows: Vec<Vec<String>> = parameters.iter().map(row).collect();
    let sum = |of: fn(&Zeros) -> usize| parameters.iter().map(of).sum::<usize>().to_string();
    rows.push(vec!["all".into(), sum(|zeros| zeros.zeros), sum(|zeros| zeros.of), percent(all)]);
    let columns = [("zeros", Align::Left), ("zero", Align::Right), ("of", Align::Right), ("share", Align::Right)];
    table(&columns, &rows)
}

fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

/// As many threads as a run may have.
pub fn threads() -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(1..=1024)
}

/// `0.5,3`
fn plateau(text: &str) -> std::result::Result<(f64, u64), String> {
    let wrong = || format!("expected a factor and epochs, such as 0.5,3; got `{text}`");
    let (factor, epochs) = text.split_once(',').ok_or_else(wrong)?;
    Ok((factor.trim().parse().map_err(|_| wrong())?, epochs.trim().parse().map_err(|_| wrong())?))
}

/// A line of JSON for each recorded step.
fn steps(history: &History) -> Result<()> {
    history.steps.iter().try_for_each(|step| {
        let mut object = Map::from_iter([("event".into(), json!("step")), ("step".into(), json!(step.step))]);
        object.insert("rows".into(), json!(step.rows));
        object.insert("penalty".into(), json!(step.penalty));
        object.insert("training".into(), measured(step.loss, &history.metrics, &step.metrics));
        line(&Value::Object(object))
    })
}

/// Loss, metrics, tables and notes as an object.
pub fn evaluated(evaluation: &Evaluation) -> Value {
    let (names, values): (Vec<String>, Vec<f64>) = evaluation.metrics.iter().cloned().unzip();
    let tables = evaluation.tables.iter().map(|table| (table.name.clone(), json!(table.counts))).collect::<Map<_, _>>();
    let mut object = metrics(evaluation.loss, &names, &values);
    for (name, value, is_empty) in [
        ("tables", Value::Object(tables), evaluation.tables.is_empty()),
        ("notes", json!(evaluation.notes), evaluation.notes.is_empty()),
    ] {
        if !is_empty {
            object.insert(free(&object, name), value);
        }
    }
    Value::Object(object)
}

fn measured(loss: f64, names: &[String], values: &[f64]) -> Value {
    Value::Object(metrics(loss, names, values))
}

fn metrics(loss: f64, names: &[String], values: &[f64]) -> Map<String, Value> {
    // The language lets no metric be called `loss`.
    let metrics = names.iter().zip(values).map(|(name, value)| (name.clone(), json!(value)));
    std::iter::once(("loss".to_string(), json!(loss))).chain(metrics).collect()
}

/// A key that no metric has: the name, or the name and as many `_` as it takes.
fn free(object: &Map<String, Value>, name: &str) -> String {
    let mut key = name.to_owned();
    while object.contains_key(&key) {
        key.push('_');
    }
    key
}

/// Loss and metrics of several sets of rows as a table.
pub fn results(evaluations: &[(&str, Option<usize>, Evaluation)]) -> String {
    let mut columns = vec![("", Align::Left), ("rows", Align::Right), ("loss", Align::Right)];
    let names = evaluations.first().map_or(&[][..], |(_, _, first)| &first.metrics);
    columns.extend(names.iter().map(|(name, _)| (name.as_str(), Align::Right)));
    let row = |(name, rows, evaluation): &(&str, Option<usize>, Evaluation)| {
        let rows = rows.map_or_else(|| "none".into(), |rows| rows.to_string());
        let metrics = evaluation.metrics.iter().map(|(_, value)| format!("{value:.4}"));
        [(*name).to_string(), rows, format!("{:.4}", evaluation.loss)].into_iter().chain(metrics).collect()
    };
    let mut text = table(&columns, &evaluations.iter().map(row).collect::<Vec<_>>());
    for (name, _, evaluation) in evaluations {
        for note in &evaluation.notes {
            text += &format!("note: in {name} {note}\n");
        }
    }
    // Counts of the last set of rows: that which training saw least of.
    if let Some((name, _, evaluation)) = evaluations.last() {
        for table in &evaluation.tables {
            text += &format!("\n{name}: rows are classes that came, columns those that were said\n{table}");
        }
    }
    text
}
