//! What rustc says of a faulty `network!`: each program in `tests/ui` beside its messages. `BLESS=1` writes them anew. Of those in
//! `tests/ui/right` it says nothing.

use crate::programs::check;
use std::path::{Path, PathBuf};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ui")
}

/// Places in the library lose line and column: they change with it.
fn without_places_of_the_library(messages: &str, program: &str) -> String {
    let shown = |line: &str| match line.split_once("--> ") {
        Some((before, place)) if !place.starts_with(program) => {
            format!("{before}--> {}\n", place.split(':').next().unwrap_or(place))
        }
        _ => format!("{line}\n"),
    };
    messages.lines().map(shown).collect()
}

fn programs(folder: &Path) -> Vec<PathBuf> {
    let mut programs: Vec<PathBuf> =
        std::fs::read_dir(folder).expect("the cases").map(|entry| entry.expect("a case").path()).collect();
    programs.retain(|path| path.extension().is_some_and(|kind| kind == "rs"));
    programs.sort();
    assert!(!programs.is_empty());
    programs
}

/// Whatever a program calls its own things, and whatever it denies.
#[test]
fn right_programs_compile_in_silence() {
    for program in programs(&folder().join("right")) {
        let said = check(&folder(), &program.to_string_lossy());
        assert_eq!(said, (true, String::new()), "{}", program.display());
    }
}

#[test]
fn every_message_is_the_blessed_one() {
    let programs = programs(&folder());
    let mut unlike = Vec::new();
    for program in &programs {
        let name = program.file_name().and_then(|name| name.to_str()).expect("a name");
        let found = without_places_of_the_library(&check(&folder(), name).1, name);
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
