//! Blessed texts: what a reviewer has read and found right stands beside its case in `tests/cases`.
//!
//! `BLESS=1 cargo test -p gradc-compiler` writes them anew; the difference is reviewed like any other change.

use std::fs;
use std::path::{Path, PathBuf};

/// The texts of a folder below `tests/cases`, in the order of their names.
pub fn texts(folder: &str) -> Vec<(PathBuf, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/cases").join(folder);
    let entries = fs::read_dir(&folder).expect("the folder of cases can be read");
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "net"));
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), fs::read_to_string(&path).expect("a case is a text"))).collect()
}

/// Compares with what was blessed, or blesses.
pub fn check(path: &Path, found: &str, failures: &mut Vec<String>) {
    if std::env::var_os("BLESS").is_some() {
        return fs::write(path, found).expect("a blessed text can be written");
    }
    let blessed = fs::read_to_string(path).unwrap_or_default();
    if blessed != found {
        let difference = blessed.lines().zip(found.lines()).find(|(a, b)| a != b);
        failures.push(format!("{}: {difference:?}\n{found}", path.display()));
    }
}

/// Fails with everything that differs, and says how to bless it.
pub fn assert_none(failures: &[String]) {
    assert!(failures.is_empty(), "{}\nBLESS=1 cargo test -p gradc-compiler writes them", failures.join("\n"));
}
