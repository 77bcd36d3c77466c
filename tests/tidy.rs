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

/// A line of code and its number, from 1.
struct Line {
    path: PathBuf,
    number: usize,
    text: String,
}

impl std::fmt::Display for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(f, "{}:{}: {}", self.path.display(), self.number, self.text.trim())
    }
}

/// Lines of code of `folder`, neither comments nor tests.
fn code(folder: &str) -> Vec<Line> {
    let mut lines = Vec::new();
    for (path, text) in sources(folder) {
        // Tests within a file stand at its end; `blessed.rs` is compiled for tests only.
        if path.iter().any(|part| part == "tests" || part == "tests.rs" || part == "blessed.rs") {
            continue;
        }
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        let code = code.lines().zip(1..).filter(|(line, _)| !line.trim_start().starts_with("//"));
        lines.extend(code.map(|(line, number)| Line { path: path.clone(), number, text: line.to_owned() }));
    }
    lines
}

/// Whether a line has the word, and not as the end of a longer one.
fn has_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| !line[..at].ends_with(|before: char| before.is_alphanumeric()))
}

/// Lines of code of `folder` that have one of the words, outside of the places where they may stand.
fn violations(folder: &str, words: &[&str], allowed: &[&str]) -> Vec<String> {
    let mut lines = code(folder);
    lines.retain(|line| !allowed.iter().any(|place| line.path.starts_with(place)));
    lines.iter().filter(|line| words.iter().any(|word| has_word(&line.text, word))).map(Line::to_string).collect()
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
    absent("compiler/src", &["std::fs", "std::time", "std::env", "std::net", "println!", "eprintln!"], &[]);
    // Only the function that compiles a whole program starts threads.
    absent("compiler/src", &["std::thread"], &["compiler/src/codegen/module.rs"]);
}

/// Modules that a line names behind `crate::`, one or several in braces.
fn named(line: &str) -> impl Iterator<Item = &str> {
    let lists = line.split("crate::").skip(1).map(|rest| match rest.strip_prefix('{') {
        Some(list) => list.split('}').next().unwrap_or_default(),
        None => rest.split(',').next().unwrap_or_default(),
    });
    let is_letter = |letter: char| letter.is_alphanumeric() || letter == '_';
    lists.flat_map(|list| list.split(',')).filter_map(move |path| path.trim().split(|letter| !is_letter(letter)).next())
}

/// Modules of the compiler from the bottom up: each knows those of its own row and of the rows before it.
const MODULES: &[&[&str]] = &[
    &["abi", "base", "splitmix"],
    &["loops"],
    // A primitive's record builds graphs, and the builder asks the records; a scan's body is simplified when its node is made.
    &["graph", "ops", "reference", "autodiff", "rules", "passes"],
    &["aggregate", "draw", "fusion", "memory", "not_finite"],
    &["codegen", "lower", "nn"],
    &["diagnosis", "summary"],
    &["probes"],
    &["step"],
    &["gradient_check", "language", "program"],
    &["manual", "pipeline"],
    &["stages"],
    &["explain"],
];

#[test]
fn modules_of_the_compiler_know_those_below_them() {
    let row = |module: &str| MODULES.iter().position(|row| row.contains(&module));
    let mut found = Vec::new();
    for line in code("compiler/src").iter().filter(|line| !line.path.ends_with("lib.rs")) {
        let own = line.path.iter().nth(2).and_then(|name| Path::new(name).file_stem()?.to_str()).expect("a module");
        let own = row(own).unwrap_or_else(|| panic!("`{own}` stands in no row"));
        if named(&line.text).any(|known| row(known).is_some_and(|known| known > own)) {
            found.push(line.to_string());
        }
    }
    assert!(found.is_empty(), "modules know what stands above them:\n{}", found.join("\n"));
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
    absent("src/bin/gradc", &["print!(", "println!(", "eprint!(", "eprintln!("], &["src/bin/gradc/print.rs"]);
}
