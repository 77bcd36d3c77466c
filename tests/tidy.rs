//! The arrows between the parts, held by reading the sources: what each part must not know.

use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut open = vec![root().join(folder)];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder of the project") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|kind| kind == "rs") {
                let text = std::fs::read_to_string(&path).expect("a source file");
                let name = path.strip_prefix(root()).expect("below the root").to_path_buf();
                found.push((name, text));
            }
        }
    }
    assert!(!found.is_empty(), "{folder} holds no sources");
    found
}

/// Lines of code (neither comments nor tests) of `folder` that have one of the words, outside of the places where they may stand.
fn violations(folder: &str, words: &[&str], allowed: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for (path, text) in sources(folder) {
        let is_test = path.iter().any(|part| part == "tests" || part == "tests.rs");
        if is_test || allowed.iter().any(|place| path.starts_with(place)) {
            continue;
        }
        // Tests within a file stand at its end.
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        for (number, line) in code.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//")) {
            if words.iter().any(|word| line.contains(word)) {
                found.push(format!("{}:{}: {}", path.display(), number + 1, line.trim()));
            }
        }
    }
    found
}

#[track_caller]
fn absent(folder: &str, words: &[&str], allowed: &[&str]) {
    let found = violations(folder, words, allowed);
    assert!(found.is_empty(), "{words:?} may not stand here:\n{}", found.join("\n"));
}

#[test]
fn cranelift_is_named_in_code_generation_only() {
    for folder in ["compiler", "runtime", "macros", "src"] {
        absent(folder, &["cranelift_"], &["compiler/src/codegen"]);
    }
}

#[test]
fn tokens_are_read_in_the_language_and_the_macro_only() {
    absent("compiler", &["syn::", "quote::", "proc_macro2::"], &["compiler/src/language"]);
    absent("runtime", &["syn::", "quote::", "proc_macro"], &[]);
}

#[test]
fn random_seeds_are_drawn_in_the_runtime_only() {
    absent("compiler", &["rand::", "rand_core::"], &[]);
    absent("macros", &["rand::"], &[]);
    absent("runtime/src", &["rand::", "rand_core::"], &["runtime/src/random.rs", "runtime/src/data"]);
}

#[test]
fn the_compiler_knows_no_files_clocks_threads_or_environment() {
    // `blessed.rs` is compiled for tests only.
    absent(
        "compiler/src",
        &["std::fs", "std::time", "std::env", "std::net", "println!", "eprintln!"],
        &["compiler/src/language/blessed.rs"],
    );
    // Only the function that compiles a whole program starts threads.
    absent("compiler/src", &["std::thread"], &["compiler/src/codegen/module.rs"]);
}

#[test]
fn the_macro_is_built_without_cranelift() {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let tree = std::process::Command::new(cargo)
        .args(["tree", "--offline", "--edges", "normal,build", "--package", "gradc-macros"])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    let tree = String::from_utf8_lossy(&tree.stdout).into_owned();
    assert!(tree.contains("gradc-compiler"), "the tree was not printed:\n{tree}");
    assert!(!tree.contains("cranelift"), "{tree}");
}

/// They panic where nobody reads; `print.rs` has what does not.
#[test]
fn the_command_prints_in_one_place() {
    absent("src/bin/gradc", &["print!(", "println!("], &["src/bin/gradc/print.rs"]);
}
