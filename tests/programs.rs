//! Programs that are checked by the rustc that builds the tests, against the libraries built for them, so that nothing is built twice.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The folder of the libraries that this test is built from, and the newest of the package itself.
pub fn libraries() -> (PathBuf, PathBuf) {
    let test = std::env::current_exe().expect("this test is a file");
    let dependencies = test.parent().expect("in a folder").to_path_buf();
    let files =
        std::fs::read_dir(&dependencies).expect("the folder of the test").filter_map(Result::ok).map(|entry| entry.path());
    let libraries = files.filter(|path| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.starts_with("libgradc-") && name.ends_with(".rlib")
    });
    let written = |path: &PathBuf| path.metadata().and_then(|data| data.modified()).ok();
    let library = libraries.max_by_key(written).expect("the library was built with its tests");
    (dependencies, library)
}

/// Whether a program in a folder is right, and what rustc says of it, with paths as they stand in every checkout.
pub fn check(folder: &Path, name: &str) -> (bool, String) {
    // Not to the null device: rustc puts a file in its place where it may.
    let out = tempfile::tempdir().expect("a folder");
    rustc(folder, &["--emit", "metadata", "--out-dir", &out.path().to_string_lossy(), name])
}

/// As [`check`], and builds the program beside its source.
pub fn build(folder: &Path, name: &str, program: &str) -> (bool, String) {
    rustc(folder, &["-o", program, name])
}

fn rustc(folder: &Path, arguments: &[&str]) -> (bool, String) {
    let (dependencies, library) = libraries();
    let output = Command::new(std::env::var("RUSTC").unwrap_or_else(|_| "rustc".into()))
        .args(["--edition", "2024", "--crate-type", "bin", "--color", "never", "--diagnostic-width", "140"])
        .arg("--extern")
        .arg(format!("gradc={}", library.display()))
        .arg("-L")
        .arg(format!("dependency={}", dependencies.display()))
        .args(arguments)
        .current_dir(folder)
        .output()
        .expect("rustc runs");
    (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
}
