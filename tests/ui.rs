//! What rustc says of a faulty `network!`: each program in `tests/ui` beside its messages. `BLESS=1` writes them anew.
//!
//! The programs are checked by the rustc that builds the tests, against the libraries built for them, so that nothing is built twice.

use std::path::{Path, PathBuf};
use std::process::Command;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ui")
}

/// The newest library of the package beside this test.
fn library(dependencies: &Path) -> PathBuf {
    let files = std::fs::read_dir(dependencies).expect("the folder of the test").filter_map(Result::ok).map(|entry| entry.path());
    let libraries = files.filter(|path| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.starts_with("libgradc-") && name.ends_with(".rlib")
    });
    let written = |path: &PathBuf| path.metadata().and_then(|data| data.modified()).ok();
    libraries.max_by_key(written).expect("the library was built with its tests")
}

/// The messages of a program, with paths as they stand in every checkout.
fn messages(program: &Path, dependencies: &Path, library: &Path) -> String {
    let name = program.file_name().and_then(|name| name.to_str()).expect("a name");
    let output = Command::new(std::env::var("RUSTC").unwrap_or_else(|_| "rustc".into()))
        .args(["--edition", "2024", "--crate-type", "bin", "--emit", "metadata", "--color", "never", "--diagnostic-width", "140"])
        .arg("--extern")
        .arg(format!("gradc={}", library.display()))
        .arg("-L")
        .arg(format!("dependency={}", dependencies.display()))
        .args(["-o", "/dev/null", name])
        .current_dir(folder())
        .output()
        .expect("rustc runs");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn every_message_is_the_blessed_one() {
    let test = std::env::current_exe().expect("this test is a file");
    let dependencies = test.parent().expect("in a folder");
    let library = library(dependencies);
    let mut programs: Vec<PathBuf> =
        std::fs::read_dir(folder()).expect("the cases").map(|entry| entry.expect("a case").path()).collect();
    programs.retain(|path| path.extension().is_some_and(|kind| kind == "rs"));
    programs.sort();
    assert!(!programs.is_empty());
    let mut unlike = Vec::new();
    for program in &programs {
        let found = messages(program, dependencies, &library);
        let blessed = program.with_extension("stderr");
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(&blessed, &found).expect("it is written");
        }
        let expected = std::fs::read_to_string(&blessed).unwrap_or_default();
        if found != expected {
            unlike.push(format!("{}\n--- expected\n{expected}\n--- found\n{found}", program.display()));
        }
    }
    assert!(unlike.is_empty(), "{}\n`BLESS=1 cargo test --test main ui` writes them anew", unlike.join("\n"));
}
