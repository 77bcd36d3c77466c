//! What the command writes, and what is in its way: readers that have gone away, full disks, files that cannot be, Ctrl-C.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/runtime/src/data/digits.csv.gz");
const NETWORK: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/digits.net");
/// Two mistakes: its messages go to stderr.
const WRONG: &str = "A {} B {}";

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
    std::fs::write(folder.path().join("wrong.net"), WRONG).expect("it is written");
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
#[cfg(unix)]
fn ctrl_c_ends_a_training_and_keeps_its_state() {
    for further in [&[][..], &["--reference"]] {
        let folder = tempfile::tempdir().expect("a folder");
        let (mut child, mut said) = endless(folder.path(), &[further, &["--save", "w.st"]].concat(), Stdio::null());
        let status = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("it is sent");
        assert!(status.success());
        let mut text = String::new();
        said.read_to_string(&mut text).expect("text");
        assert!(child.wait().expect("it ends").success(), "{further:?}: {text}");
        assert!(gradc::runtime::checkpoint::load(folder.path().join("w.st")).is_ok());
    }
}
