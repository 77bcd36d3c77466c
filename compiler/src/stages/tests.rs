//! Blessed stages of whole networks: `BLESS=1 cargo test -p gradc-compiler` writes them, and the difference is reviewed.

use super::{Stage, portable};
use crate::base::place::Source;
use crate::driver::{Front, front};
use crate::language::declaration::Declaration;
use crate::program::{Assembled, assemble};
use std::path::{Path, PathBuf};

fn case(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/cases").join(name)
}

/// A network of the cases, up to its program.
pub(crate) fn compiled(name: &str) -> (Front, Assembled) {
    let file = format!("{name}.net");
    let text = std::fs::read_to_string(case(&file)).expect("the case is there");
    let declaration = Declaration::parse(Source::new(&file, &text)).expect("the case has no mistake");
    let networks = declaration.elaborate().expect("the case has a meaning");
    let front = front(&networks.training, &networks.evaluation, declaration.text(), None).expect("the case has a step");
    let assembled = assemble(&front.info.name, &front.graphs, &front.fusion).expect("the case can be lowered");
    (front, assembled)
}

#[test]
fn stages_are_as_blessed() {
    let mut failures = Vec::new();
    for name in ["digits", "w2", "clipped"] {
        let (front, assembled) = compiled(name);
        for (stage, extension) in [(Stage::Fused, "fused"), (Stage::Loops, "loops"), (Stage::Memory, "memory")] {
            let found = portable(stage, &front, &assembled).expect("these stages know no machine");
            let path = case(&format!("{name}.{extension}"));
            if std::env::var_os("BLESS").is_some() {
                std::fs::write(&path, &found).expect("a blessed text can be written");
                continue;
            }
            let blessed = std::fs::read_to_string(&path).unwrap_or_default();
            if blessed != found {
                let line = blessed.lines().zip(found.lines()).position(|(a, b)| a != b);
                failures.push(format!("{} differs from line {:?} on", path.display(), line.map(|line| line + 1)));
            }
        }
    }
    assert!(failures.is_empty(), "{}\nBLESS=1 cargo test -p gradc-compiler stages writes them", failures.join("\n"));
}
