//! `gradc show`, `opt`, `run-stage` and `diff`: stages as texts that one can look at, change, run and compare.

use crate::data::batch;
use crate::inspect::{find_stage, needs_text};
use crate::network::NetworkArguments;
use crate::print::say;
use clap::Args;
use gradc::compiler::passes::{self, Context, Pass};
use gradc::compiler::stages::{Stage, Staged, between, fused, read, rewrite, run};
use gradc::{Error, Model, Result};
use similar::{Algorithm, ChangeTag, DiffOp, capture_diff_slices};
use std::fmt::Write as _;
use std::io::Read as _;
use std::path::{Path, PathBuf};

#[derive(Args)]
pub struct Show {
    #[command(flatten)]
    network: NetworkArguments,
    /// The stage, by its number or name (default: all); may be given several times.
    #[arg(long)]
    stage: Vec<String>,
}

impl Show {
    pub fn run(self) -> Result<()> {
        let stages: Vec<Stage> = match self.stage.as_slice() {
            [] => Stage::ALL.to_vec(),
            names => names.iter().map(|name| find_stage("--stage", name)).collect::<Result<_>>()?,
        };
        let model = self.network.model_with(stages.iter().any(|stage| needs_text(*stage)))?;
        let texts: Vec<(Stage, String)> = stages.iter().map(|stage| (*stage, model.stage(*stage))).collect();
        for (stage, text) in &texts {
            say(&format!("{:18} {:>7} lines  {}\n", stage.file_name(), text.lines().count(), stage.about()))?;
        }
        texts.iter().try_for_each(|(_, text)| say(&format!("\n{text}")))
    }
}

#[derive(Args)]
pub struct Opt {
    /// A file with a graph, such as `gradc dump --stage 03` writes; `-` is stdin.
    file: PathBuf,
    /// The pass (default: all that a step goes through, in order); may be given several times. `fuse`, alone or as the last, prints the
    /// kernels that the graph becomes.
    #[arg(long, value_name = "NAME")]
    pass: Vec<String>,
    /// Rewrites that may be made.
    #[arg(long, value_name = "COUNT")]
    fuel: Option<u64>,
    /// Evaluates the graph before and after each pass on random inputs.
    #[arg(long)]
    validate: bool,
}

impl Opt {
    pub fn run(self) -> Result<()> {
        let (names, fuses) = match self.pass.as_slice() {
            [names @ .., last] if last == FUSE => (names, true),
            names => (names, false),
        };
        let passes: Vec<Pass> = match names {
            [] if !fuses => passes::STEP.to_vec(),
            names => names.iter().map(|name| pass(name)).collect::<Result<_>>()?,
        };
        let without = [("--fuel", self.fuel.is_some()), ("--validate", self.validate)];
        if let Some((flag, _)) = without.iter().find(|(_, is_given)| *is_given && passes.is_empty()) {
            return Err(Error::setting(flag, "used where no pass rewrites", "left out, or beside another `--pass`"));
        }
        let Staged::Graph(graph) = staged(&self.file)? else {
            let expected = "a graph, as the stages 02, 03 and 04 are";
            return Err(unfit(&self.file, "the file holds loops", expected, "`gradc dump NETWORK --stage 03` writes one"));
        };
        let context = Context { fuel: self.fuel, validate: self.validate, ..Context::new() };
        let make = if fuses { fused } else { rewrite };
        let text =
            make(&graph, &passes, &context).map_err(|bug| Error::Internal { pass: bug.pass.into(), text: bug.to_string() })?;
        say(&text)
    }
}

/// What makes no graph of a graph, but kernels.
const FUSE: &str = "fuse";

fn pass(name: &str) -> Result<Pass> {
    Pass::find(name).ok_or_else(|| Error::Setting {
        name: "--pass".into(),
        found: format!("`{name}`"),
        expected: format!(
            "one of: {}; or, as the last, {FUSE}",
            passes::STEP.iter().map(|pass| pass.name).collect::<Vec<_>>().join(", ")
        ),
    })
}

/// Reads a stage from a file or stdin.
fn staged(file: &Path) -> Result<Staged> {
    let failed = |source| Error::Io { action: "read", path: file.to_path_buf(), source };
    let mut text = String::new();
    if file == Path::new("-") {
        std::io::stdin().read_to_string(&mut text).map_err(failed)?;
    } else {
        text = std::fs::read_to_string(file).map_err(failed)?;
    }
    read(&text).map_err(|why| {
        let is_of_a_line = why.starts_with("line ");
        let help = if is_of_a_line {
            "change this line to what `gradc dump` could write"
        } else {
            "give a stage as `gradc dump` writes it"
        };
        unfit(file, &why, "", help)
    })
}

fn unfit(file: &Path, found: &str, expected: &str, help: &str) -> Error {
    let name = if file == Path::new("-") { "stdin".into() } else { file.display().to_string() };
    Error::data(found, expected, help).in_file(&name)
}

#[derive(Args)]
pub struct RunStage {
    /// A file with a graph or loops, such as `gradc dump --stage 04` or `06` writes; `-` is stdin.
    file: PathBuf,
    /// Values of an input, target, parameter, state or setting: all of them, or one for all; others are drawn by their name.
    #[arg(long, value_name = "NAME=VALUES", value_parser = values)]
    input: Vec<(String, Vec<f64>)>,
    /// Rows of the batch.
    #[arg(long, default_value_t = 3, value_name = "ROWS", value_parser = batch)]
    batch: usize,
    /// Decides what is drawn.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The entry of loops that is run (default: step).
    #[arg(long, value_name = "NAME")]
    entry: Option<String>,
}

fn values(text: &str) -> std::result::Result<(String, Vec<f64>), String> {
    let (name, list) = text.split_once('=').ok_or("write it as name=value,value…")?;
    let number = |word: &str| word.trim().parse().map_err(|_| format!("`{word}` is not a number"));
    Ok((name.trim().to_string(), list.split(',').map(number).collect::<std::result::Result<_, _>>()?))
}

impl RunStage {
    pub fn run(self) -> Result<()> {
        let staged = staged(&self.file)?;
        let inputs = run::Inputs { given: self.input.into_iter().collect(), batch: self.batch, seed: self.seed };
        let results = match &staged {
            Staged::Graph(_) if self.entry.is_some() => {
                return Err(Error::setting("--entry", "chosen of a graph, which has none", "left out, or of a file with loops"));
            }
            Staged::Graph(graph) => run::graph(graph, &inputs),
            Staged::Loops(program) => run::loops(program, self.entry.as_deref().unwrap_or("step"), &inputs),
        };
        let help = "the text of the stage says what it takes; so does `gradc summary`";
        say(&run::print(&results.map_err(|why| unfit(&self.file, &why, "", help))?))
    }
}

#[derive(Args)]
pub struct Diff {
    #[command(flatten)]
    network: NetworkArguments,
    /// A second .net file; without it two stages of the first are compared.
    other: Option<PathBuf>,
    /// The stage of two networks (default: 04), or two stages of one (default: 03 and 04).
    #[arg(long)]
    stage: Vec<String>,
    /// Equal lines around each change.
    #[arg(long, default_value_t = 2, value_name = "LINES")]
    context: usize,
}

impl Diff {
    pub fn run(self) -> Result<()> {
        let most = if self.other.is_some() { 1 } else { 2 };
        if self.stage.len() > most {
            let expected = "one stage of two networks, or two stages of one";
            return Err(Error::setting("--stage", format!("given {} times", self.stage.len()), expected));
        }
        let named: Vec<Stage> = self.stage.iter().map(|name| find_stage("--stage", name)).collect::<Result<_>>()?;
        let pair = |first, second| (named.first().copied().unwrap_or(first), named.get(1).copied().unwrap_or(second));
        let Some(other) = self.other else {
            let (earlier, later) = pair(Stage::Gradient, Stage::Simplified);
            let model = self.network.model_with(needs_text(earlier) || needs_text(later))?;
            let front = model.front();
            let (before, after) =
                between::graphs(front, earlier, later).unwrap_or_else(|| (model.stage(earlier), model.stage(later)));
            let heads = [earlier.file_name().to_string(), later.file_name().to_string()];
            return say(&(difference(&heads, [&before, &after], self.context, false) + &between::rules(front, earlier, later)));
        };
        let (stage, _) = pair(Stage::Simplified, Stage::Simplified);
        let text = |model: Model| model.stage(stage);
        let (before, after) =
            (self.network.model_with(needs_text(stage))?, self.network.of(other).model_with(needs_text(stage))?);
        let heads = [before.name(), after.name()].map(|name| format!("{name} {}", stage.file_name()));
        say(&difference(&heads, [&text(before), &text(after)], self.context, true))
    }
}

/// Lines that differ, with `context` equal ones around. Two networks number their nodes apart: there, numbers are not compared.
fn difference(heads: &[String; 2], texts: [&str; 2], context: usize, apart: bool) -> String {
    let [before, after] = texts.map(|text| text.lines().filter(|line| !line.starts_with("//")).collect::<Vec<_>>());
    let compared = |lines: &[&str]| -> Vec<String> {
        let one = |line: &&str| if apart { between::renumbered(without_place(line), |_| "%".into()) } else { line.to_string() };
        lines.iter().map(one).collect()
    };
    let operations = capture_diff_slices(Algorithm::Patience, &compared(&before), &compared(&after));
    let mut text = format!("--- {}\n+++ {}\n", heads[0], heads[1]);
    let (mut removed, mut added) = (0, 0);
    let mut shown = 0;
    for group in similar::group_diff_ops(operations, context) {
        let start = group.first().map_or(0, |operation| operation.old_range().start);
        if start > shown {
            let _ = writeln!(text, "@@ {} equal lines", start - shown);
        }
        shown = group.last().map_or(0, |operation| operation.old_range().end);
        for (tag, line) in group.iter().flat_map(|operation| changes(operation, &before, &after)) {
            let sign = match tag {
                ChangeTag::Equal => ' ',
                ChangeTag::Delete => '-',
                ChangeTag::Insert => '+',
            };
            removed += usize::from(tag == ChangeTag::Delete);
            added += usize::from(tag == ChangeTag::Insert);
            let _ = writeln!(text, "{sign}{line}");
        }
    }
    let _ = writeln!(text, "{} lines became {}: {removed} gone, {added} new", before.len(), after.len());
    text
}

fn changes<'a>(operation: &DiffOp, before: &[&'a str], after: &[&'a str]) -> Vec<(ChangeTag, &'a str)> {
    let (old, new) = (&before[operation.old_range()], &after[operation.new_range()]);
    if operation.tag() == similar::DiffTag::Equal {
        return new.iter().map(|line| (ChangeTag::Equal, *line)).collect();
    }
    let gone = old.iter().map(|line| (ChangeTag::Delete, *line));
    gone.chain(new.iter().map(|line| (ChangeTag::Insert, *line))).collect()
}

/// A line without the comment that says where it comes from.
fn without_place(line: &str) -> &str {
    line.split_once(" ; ").map_or(line, |(own, _)| own).trim_end()
}
