//! What the command writes, and what is in its way: readers that have gone away, full disks, files that cannot be, Ctrl-C.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/runtime/src/data/digits.csv.gz");
const NETWORK: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/digits.net");

fn gradc(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gradc"));
    command.current_dir(folder).args(arguments).stdin(Stdio::null());
    command
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Commands that print, each in a way of its own.
const PRINTING: [&[&str]; 12] = [
    &["explain"],
    &["explain", "E0201"],
    &["explain", "adam"],
    &["check", NETWORK],
    &["check", NETWORK, "--signal"],
    &["summary", NETWORK],
    &["dump", NETWORK],
    &["dump", NETWORK, "--stage", "02"],
    &["completions", "zsh"],
    &["train", NETWORK, "--data", DATA, "--steps", "2"],
    &["train", NETWORK, "--data", DATA, "--steps", "2", "--json"],
    &["evaluate", NETWORK, "--data", DATA, "--weights", "digits.st"],
];

fn trained(folder: &Path) {
    let train = gradc(folder, &["train", NETWORK, "--data", DATA, "--steps", "1", "--save", "digits.st"]).output();
    let train = train.expect("the command was built");
    assert!(train.status.success(), "{}", said(&train));
}

#[test]
fn a_reader_that_has_gone_away_ends_a_command_quietly() {
    let folder = tempfile::tempdir().expect("a folder");
    trained(folder.path());
    for arguments in PRINTING.iter().chain([&["new", "flowers"].as_slice()]) {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let output = gradc(folder.path(), arguments).stdout(writer).output().expect("the command was built");
        let said = said(&output);
        assert!(output.status.success() && !said.contains("panicked") && !said.contains("error"), "{arguments:?}: {said}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_is_an_error_with_its_reason() {
    let folder = tempfile::tempdir().expect("a folder");
    trained(folder.path());
    let full = || std::fs::OpenOptions::new().write(true).open("/dev/full").expect("the device");
    for arguments in PRINTING {
        let output = gradc(folder.path(), arguments).stdout(full()).output().expect("the command was built");
        let said = said(&output);
        assert!(
            output.status.code() == Some(1) && said.contains("error: cannot write `stdout`: No space"),
            "{arguments:?}: {said}"
        );
    }
    // Where messages cannot be written either, the exit code still tells.
    std::fs::write(folder.path().join("wrong.net"), "A {} B {}").expect("it is written");
    let status = gradc(folder.path(), &["check", "wrong.net"]).stderr(full()).status().expect("the command was built");
    assert_eq!(status.code(), Some(1));
}

/// A training that goes on until it is stopped, once it has said that an epoch has ended.
fn endless(folder: &Path, further: &[&str], ends: Stdio) -> (Child, BufReader<std::process::ChildStderr>) {
    let run = [&["train", NETWORK, "--data", DATA, "--epochs", "1000000", "--batch", "512"], further].concat();
    let mut child = gradc(folder, &run).stdout(ends).stderr(Stdio::piped()).spawn().expect("the command was built");
    let mut said = BufReader::new(child.stderr.take().expect("a pipe"));
    if !further.contains(&"--json") {
        let mut line = String::new();
        said.read_line(&mut line).expect("a line");
        assert!(line.starts_with("epoch"), "{line}");
    }
    (child, said)
}

#[test]
fn a_reader_that_goes_away_from_a_training_ends_it_and_loses_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let (reader, writer) = std::io::pipe().expect("a pipe");
    let (mut child, _said) = endless(folder.path(), &["--json", "--save", "w.st"], writer.into());
    let mut lines = BufReader::new(reader).lines();
    while !lines.next().expect("a line").expect("text").contains("\"epoch\"") {}
    drop(lines);
    assert!(child.wait().expect("it ends").success());
    assert!(gradc::runtime::checkpoint::load(folder.path().join("w.st")).is_ok());
}

#[test]
fn parameters_that_cannot_be_written_at_the_end_are_kept_elsewhere() {
    let folder = tempfile::tempdir().expect("a folder");
    let (reader, writer) = std::io::pipe().expect("a pipe");
    let (mut child, mut said) = endless(folder.path(), &["--json", "--save", "w.st"], writer.into());
    let mut lines = BufReader::new(reader).lines();
    while !lines.next().expect("a line").expect("text").contains("\"epoch\"") {}
    std::fs::create_dir_all(folder.path().join("w.st/full")).expect("a folder in the way");
    drop(lines);
    assert_eq!(child.wait().expect("it ends").code(), Some(1));
    let mut text = String::new();
    said.read_to_string(&mut text).expect("text");
    let kept = text.split("the parameters stand in `").nth(1).and_then(|rest| rest.split('`').next());
    let kept = folder.path().join(kept.unwrap_or_else(|| panic!("{text}")));
    assert!(text.contains("cannot write `w.st`") && gradc::runtime::checkpoint::load(kept).is_ok(), "{text}");
}

#[test]
#[cfg(unix)]
fn ctrl_c_ends_a_training_and_keeps_its_state() {
    for further in [&[][..], &["--reference"]] {
        let folder = tempfile::tempdir().expect("a folder");
        let (mut child, mut said) = endless(folder.path(), &[further, &["--save", "w.st"]].concat(), Stdio::null());
        let status = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("it is sent");
        assert!(status.success());
        let mut text = String::new();
        said.read_to_string(&mut text).expect("text");
        assert_eq!(child.wait().expect("it ends").code(), Some(130), "{further:?}: {text}");
        assert!(gradc::runtime::checkpoint::load(folder.path().join("w.st")).is_ok());
    }
}

/// What a run that diverges has reached is not lost, and does not stand for what it was to reach.
#[test]
fn a_run_that_diverges_writes_its_last_finite_parameters_beside_the_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    let text = "T { input x: [batch, 1]; target y: [batch, 1]; let p = x.dense(1); predict p; minimize p.mean_squared_error(y); \
                using sgd(1e6); }";
    std::fs::write(path("t.net"), text).expect("it is written");
    std::fs::write(path("rows.csv"), "1,2\n3,4\n").expect("it is written");
    std::fs::write(path("w.st"), "of a better run").expect("it is written");
    let run = ["train", "t.net", "--data", "rows.csv", "--batch", "2", "--epochs", "100", "--save", "w.st"];
    let output = gradc(folder.path(), &run).output().expect("the command was built");
    let said = said(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("note: `w.st` is not written; the parameters behind step"), "{said}");
    assert_eq!(std::fs::read_to_string(path("w.st")).expect("it stands"), "of a better run");
    let kept = gradc::runtime::checkpoint::load(path("w.st.diverged")).expect("a checkpoint");
    assert!(kept.tensors["p.dense.weight"].1[0].is_finite());
}

/// Fails before the first step, with all of the words.
fn refused(folder: &Path, arguments: &[&str], words: &[&str]) {
    let output = gradc(folder, arguments).output().expect("the command was built");
    let said = said(&output);
    assert!(!output.status.success() && !said.contains("epoch"), "{arguments:?}: {said}");
    assert!(words.iter().all(|word| said.contains(word)), "{arguments:?}, {words:?}: {said}");
}

#[test]
fn files_that_cannot_be_written_are_refused_before_the_run() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(folder.path().join("there")).expect("a folder");
    let refused = |further: &[&str], words: &[&str]| {
        refused(folder.path(), &[&["train", NETWORK, "--data", DATA, "--steps", "1"], further].concat(), words);
    };
    for flag in ["--save", "--plot", "--diagnose"] {
        refused(&[flag, "there"], &["cannot write `there`", "directory"]);
        refused(&[flag, "nowhere/file"], &["cannot write `nowhere/file`", "there is no folder `nowhere`"]);
    }
    refused(&["--watch", "logits", "--watch-save", "there"], &["cannot write `there`"]);
    if cfg!(target_os = "linux") {
        refused(&["--save", "/dev/full"], &["cannot write `/dev/full`", "No space"]);
        refused(&["--save", "/proc/x.st"], &["cannot write `/proc/x.st`"]);
    }
    refused(&["--save", "same", "--plot", "./same"], &["`--plot` cannot be `./same`, which `--save` writes"]);
    refused(&["--plot", "same", "--diagnose", "there/../same"], &["`--diagnose`", "which `--plot` writes"]);
    let own = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("it is written");
    own("own.net", &std::fs::read_to_string(NETWORK).expect("the network"));
    own("own.csv", "1,2\n");
    let kept = |command: &[&str], word: &str| self::refused(folder.path(), command, &["`, which is read as `", word]);
    kept(&["train", "own.net", "--data", DATA, "--save", "own.net"], "`FILE`");
    kept(&["train", NETWORK, "--data", "own.csv", "--plot", "there/../own.csv"], "`--data`");
    kept(&["predict", NETWORK, "--data", "own.csv", "--weights", "own.net", "--out", "own.csv"], "`--data`");
    kept(&["predict", NETWORK, "--data", DATA, "--weights", "own.csv", "--out", "own.csv"], "`--weights`");
    kept(&["report", "own.net", "--out", "own.net"], "`FILE`");
    let left = std::fs::read_dir(folder.path()).expect("a folder").count();
    assert_eq!(left, 3, "something was left behind");
    let null = ["train", NETWORK, "--data", DATA, "--epochs", "2", "--save", "/dev/null", "--plot", "/dev/null"];
    assert!(!cfg!(unix) || gradc(folder.path(), &null).output().expect("the command was built").status.success());
}
