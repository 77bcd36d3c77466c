//! `gradc new`: a small project that runs at once.

use crate::print::say;
use clap::Args;
use gradc::{Error, Result};
use std::path::{Path, PathBuf};

#[derive(Args)]
pub struct New {
    /// Name of the project, and of its folder unless that is a path.
    path: PathBuf,
    /// Where gradc's sources are.
    #[arg(long, value_name = "FOLDER", default_value = env!("CARGO_MANIFEST_DIR"))]
    gradc: PathBuf,
}

const NETWORK: &str = include_str!("new/iris.net");
const MAIN: &str = include_str!("new/main.rs.txt");
const DATA: &str = include_str!("new/iris.csv");

const TRY: &str = "    cargo run --release
    cargo test
    gradc train iris.net --data data/iris.csv --split 0.7,0.15,0.15 --split-seed 7 --epochs 100 --patience 10
";

impl New {
    pub fn run(self) -> Result<()> {
        let name = self.path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_lowercase();
        let is_name = name.starts_with(|c: char| c.is_ascii_lowercase())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
        if !is_name {
            return Err(Error::Setting {
                name: "NAME".into(),
                found: format!("`{}`", self.path.display()),
                expected: "a package name: letters, digits, `-` and `_`, a letter first".into(),
            });
        }
        if name == "gradc" {
            return Err(Error::Setting {
                name: "NAME".into(),
                found: "`gradc`, on which the project depends".into(),
                expected: "another name".into(),
            });
        }
        if self.path.exists() {
            return Err(Error::Setting {
                name: "NAME".into(),
                found: format!("`{}`, which is there already", self.path.display()),
                expected: "the name of a new folder".into(),
            });
        }
        let indented: String =
            NETWORK.lines().map(|line| if line.is_empty() { "\n".into() } else { format!("    {line}\n") }).collect();
        let files = [
            ("Cargo.toml", manifest(&name, &self.gradc)),
            ("src/main.rs", MAIN.replace("NETWORK\n", &indented)),
            ("iris.net", NETWORK.to_string()),
            ("data/iris.csv", DATA.to_string()),
            (".gitignore", "/target\n*.svg\n*.safetensors\n".to_string()),
        ];
        for (file, text) in files {
            write(&self.path.join(file), &text)?;
        }
        say(&format!("made {}; try there:\n{TRY}", self.path.display()))
    }
}

fn manifest(name: &str, gradc: &Path) -> String {
    format!(
        "[package]
name = \"{name}\"
version = \"0.1.0\"
edition = \"2024\"

# Not part of a workspace in a folder above, such as gradc's own.
[workspace]

[dependencies]
gradc = {{ path = {gradc:?}, default-features = false }}

# Without these a debug build compiles networks some 25 times slower.
[profile.dev.package.\"*\"]
opt-level = 1
[profile.dev.package.gradc-runtime]
opt-level = 3
[profile.dev.build-override]
opt-level = 1
"
    )
}

fn write(file: &Path, text: &str) -> Result<()> {
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder).map_err(|source| Error::Io { action: "write", path: file.to_path_buf(), source })?;
    }
    crate::draw::write(file, text)
}
