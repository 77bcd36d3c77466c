//! The guide in `docs/` says what is true: its networks elaborate, its programs compile, its commands print what is shown, its
//! excerpts stand in their stage, its reference pages are those that the records give.
//!
//! What is done with a fenced block stands in its info string:
//!
//! | block | is |
//! |---|---|
//! | `net` | a text that elaborates without a mistake or a lint; `error=E0101` or `warning=NAME` if it has just that one |
//! | `net,file=xor.net`, `csv,file=xor.csv` | a file as well, which later blocks of the chapter find |
//! | `rust` | a program that compiles; `rust,run` is built and ends without an error; `rust,error=E0063` gets that error |
//! | `console` | commands behind `$`, each with what it prints; `console,fails` if they end with an error |
//! | `text,stage=04,net=xor.net` | an excerpt of a stage |
//! | `text,sketch`, `toml,sketch` | a drawing or a form, which nothing is held to |
//!
//! In what is shown, a line `…` stands for lines that are left out and `…` within a line for any text. All else is compared, from the
//! first line to the last. `x86-64` in an info string leaves the block out on other machines.

mod blocks;
mod shown;

use crate::programs;
use blocks::{Block, blocks};
use gradc::compiler::base::place::Source;
use gradc::compiler::codegen::InstructionSet;
use gradc::compiler::manual;
use gradc::{Declaration, Model, Options, Stage};
use shown::compare;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn pages() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/src")
}

fn page(name: &str) -> String {
    fs::read_to_string(pages().join(name)).unwrap_or_else(|why| panic!("docs/src/{name}: {why}"))
}

macro_rules! chapters {
    ($($test:ident: $file:literal;)*) => {
        /// Chapters that are written by hand.
        const CHAPTERS: &[&str] = &[$($file),*];
        $(#[test] fn $test() { check($file) })*
    };
}

chapters! {
    the_first_page_is_true: "introduction.md";
    the_tour_is_true: "tour.md";
    the_language_is_true: "language.md";
    the_program_is_true: "program.md";
    the_command_is_true: "command.md";
    the_dumps_are_true: "dumps.md";
    fusion_is_true: "fusion.md";
    deep_networks_are_true: "deep.md";
    numbers_are_true: "numbers.md";
}

/// What writes a page.
type Write = fn() -> String;

/// Pages that are written from the records.
const REFERENCE: &[(&str, Write)] = &[("primitives.md", manual::primitives), ("catalogue.md", manual::catalogue)];

/// Goes through the blocks of a chapter in a folder of its own, and fails with all that is not true.
fn check(name: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let mut wrong = Vec::new();
    for (number, block) in blocks(&page(name)).iter().enumerate() {
        if block.has("x86-64") && !cfg!(target_arch = "x86_64") {
            continue;
        }
        if let Err(why) = check_block(block, number, folder.path()) {
            wrong.push(format!("docs/src/{name}:{}: {why}", block.line));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n\n"));
}

fn check_block(block: &Block, number: usize, folder: &Path) -> Result<(), String> {
    if let Some(file) = block.value("file") {
        fs::write(folder.join(file), &block.text).map_err(|why| format!("{file}: {why}"))?;
    }
    match (block.kind(), block.value("stage")) {
        ("net", _) => network(block),
        ("rust", _) => program(block, number, folder),
        ("console", _) => commands(block, folder),
        ("text", Some(stage)) => excerpt(block, stage, folder),
        ("csv", _) if block.value("file").is_some() => Ok(()),
        ("text" | "toml", None) if block.has("sketch") => Ok(()),
        _ => Err(format!("nothing says how ```{} is checked", block.info)),
    }
}

fn network(block: &Block) -> Result<(), String> {
    let source = Source::new(block.value("file").unwrap_or("guide.net"), &block.text);
    let elaborated = Declaration::parse(source.clone()).and_then(|declaration| declaration.elaborate());
    let found = match elaborated {
        Ok(elaborated) => elaborated.warnings,
        Err(diagnostics) => diagnostics,
    };
    let expected: Vec<&str> = [block.value("error"), block.value("warning")].into_iter().flatten().collect();
    let mut codes: Vec<&str> = found.iter().map(|diagnostic| diagnostic.code).collect();
    codes.dedup();
    match codes == expected {
        true => Ok(()),
        false => Err(format!("expected {expected:?}, found {codes:?}:\n{}", found.render(&source))),
    }
}

fn program(block: &Block, number: usize, folder: &Path) -> Result<(), String> {
    // Lines behind `# ` are there for rustc and hidden from the reader, as in rustdoc.
    let text: String = block.text.lines().map(|line| format!("{}\n", line.strip_prefix("# ").unwrap_or(line))).collect();
    let main = if text.contains("fn main") { "" } else { "fn main() {}\n" };
    let name = format!("program_{number}.rs");
    fs::write(folder.join(&name), format!("#![allow(dead_code, unused_imports)]\n{text}{main}"))
        .map_err(|why| why.to_string())?;
    let built = match block.has("run") {
        true => programs::build(folder, &name, "program"),
        false => programs::check(folder, &name),
    };
    match (built, block.value("error")) {
        ((false, said), Some(code)) if said.contains(&format!("error[{code}]")) => return Ok(()),
        ((true, said), None) if said.is_empty() => {}
        ((_, said), _) => return Err(format!("rustc (lines count from one line above the block):\n{said}")),
    }
    if block.has("run") {
        let run = Command::new(folder.join("program")).current_dir(folder).output().map_err(|why| why.to_string())?;
        if !run.status.success() {
            return Err(format!("the program ended with {}:\n{}", run.status, String::from_utf8_lossy(&run.stderr)));
        }
    }
    Ok(())
}

fn commands(block: &Block, folder: &Path) -> Result<(), String> {
    let own = Path::new(env!("CARGO_BIN_EXE_gradc")).parent().expect("the command lies in a folder");
    let path = format!("{}:{}", own.display(), std::env::var("PATH").unwrap_or_default());
    for (command, expected) in block.commands() {
        let run = Command::new("sh")
            .args(["-c", &command])
            .current_dir(folder)
            .env("PATH", &path)
            .env("GRADC_ISA", "portable")
            .env_remove("GRADC_DUMP")
            .env_remove("GRADC_FUEL")
            .output()
            .map_err(|why| why.to_string())?;
        let [out, err] = [run.stdout, run.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
        if run.status.success() == block.has("fails") {
            return Err(format!("`{command}` ended with {}:\n{out}{err}", run.status));
        }
        // The display of a run that goes well stands in stderr and depends on the time it takes.
        let printed = if run.status.success() { out } else { out + &err };
        if !expected.is_empty() {
            compare(&expected, &printed).map_err(|why| format!("`{command}` prints something else: {why}"))?;
        }
    }
    Ok(())
}

fn excerpt(block: &Block, stage: &str, folder: &Path) -> Result<(), String> {
    let file = block.value("net").ok_or("the info string needs net=FILE")?;
    let stage = Stage::find(stage).ok_or(format!("no stage is called {stage}"))?;
    let text = fs::read_to_string(folder.join(file)).map_err(|why| format!("{file}: {why}"))?;
    let declaration = Declaration::parse(Source::new(file, &text)).map_err(|why| format!("{file}: {why:?}"))?;
    let options = Options { text: true, instruction_set: InstructionSet::Portable, ..Options::default() };
    let model = Model::from_declaration(&declaration, &options).map_err(|why| why.to_string())?;
    compare(&block.text, &model.stage(stage)).map_err(|why| format!("{} says something else: {why}", stage.file_name()))
}

#[test]
fn reference_pages_are_written_from_the_records() {
    let mut unlike = Vec::new();
    for (name, write) in REFERENCE {
        let written = write();
        if std::env::var_os("BLESS").is_some() {
            fs::write(pages().join(name), &written).expect("it is written");
        }
        let blessed = fs::read_to_string(pages().join(name)).unwrap_or_default();
        if blessed != written {
            let lines = blessed.lines().chain(std::iter::repeat("")).zip(written.lines());
            let first = lines.enumerate().find(|(_, (a, b))| a != b).map(|(number, (a, b))| (number + 1, a, b));
            unlike.push(format!("docs/src/{name}: line, blessed, written: {first:#?}"));
        }
    }
    assert!(unlike.is_empty(), "{}\n`BLESS=1 cargo test --test main guide` writes them anew", unlike.join("\n"));
}

#[test]
fn the_summary_names_every_page_once() {
    let mut listed = blocks::links(&page("SUMMARY.md"));
    listed.sort();
    let mut pages: Vec<String> =
        CHAPTERS.iter().copied().chain(REFERENCE.iter().map(|(name, _)| *name)).map(str::to_string).collect();
    pages.sort();
    assert_eq!(listed, pages);
    let files = fs::read_dir(self::pages()).expect("the folder of the guide").filter_map(Result::ok);
    let mut there: Vec<String> = files.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    there.retain(|name| name != "SUMMARY.md");
    there.sort();
    assert_eq!(there, pages);
}

#[test]
fn every_subcommand_is_shown() {
    let help = Command::new(env!("CARGO_BIN_EXE_gradc")).arg("help").output().expect("the command runs");
    let help = String::from_utf8_lossy(&help.stdout).into_owned();
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let names: Vec<&str> =
        listed.filter_map(|line| line.strip_prefix("  ")?.split(' ').next().filter(|name| !name.is_empty())).collect();
    assert!(names.contains(&"train"), "{help}");
    let shown: Vec<String> =
        blocks(&page("command.md")).into_iter().filter(|block| block.kind() == "console").map(|block| block.text).collect();
    for name in names.iter().filter(|name| **name != "help") {
        let is_shown = shown.iter().any(|text| text.contains(&format!("gradc {name} ")));
        assert!(is_shown, "docs/src/command.md does not show `gradc {name}`");
    }
}

#[test]
fn links_lead_somewhere() {
    let mut dead = Vec::new();
    for name in CHAPTERS.iter().copied().chain(REFERENCE.iter().map(|(name, _)| *name)) {
        for link in blocks::links(&page(name)).into_iter().filter(|link| !link.contains("://")) {
            let (file, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let target = if file.is_empty() { name } else { file };
            let path = pages().join(target);
            let text = fs::read_to_string(&path).unwrap_or_default();
            if !path.exists() || !anchor.is_empty() && !blocks::anchors(&text).iter().any(|known| known == anchor) {
                dead.push(format!("docs/src/{name}: {link}"));
            }
        }
    }
    assert!(dead.is_empty(), "links that lead nowhere:\n{}", dead.join("\n"));
}
