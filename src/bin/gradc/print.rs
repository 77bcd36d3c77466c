//! What the command prints: results on stdout, all else on stderr. A reader that has gone away and a disk without room are errors here, not
//! panics as in `println!`; a closed pipe ends the command quietly (`main`).

use gradc::{Error, Result};
use serde_json::Value;
use std::io::Write as _;

/// Writes to stdout.
pub fn say(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    written.map_err(|source| Error::Io { action: "write", path: "stdout".into(), source })
}

/// One line of JSON on stdout.
pub fn line(value: &Value) -> Result<()> {
    say(&format!("{value}\n"))
}

/// Writes to stderr. Where that fails there is nobody to be told, and what is under way goes on.
pub fn tell(text: &str) {
    let _ = std::io::stderr().write_all(text.as_bytes());
}
