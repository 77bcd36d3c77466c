//! Reading a stage back: what was printed, with its header, becomes what it was printed from.

use crate::graph::{self, Graph};
use crate::loops::{self, Program};

/// A stage that can be read back.
#[derive(Clone, PartialEq, Debug)]
pub enum Staged {
    /// Stages 02, 03 and 04.
    Graph(Graph),
    /// Stage 06.
    Loops(Program),
}

/// Reads the text of a stage; lines that begin with `//` are for the reader.
///
/// # Errors
/// What cannot be read, with its line.
pub fn read(text: &str) -> Result<Staged, String> {
    // Blank lines keep the numbers of the others.
    let plain: String = text.lines().map(|line| if is_remark(line) { "\n".into() } else { format!("{line}\n") }).collect();
    match plain.split_whitespace().next() {
        Some("graph") => graph::text::parse(&plain).map(Staged::Graph),
        Some("program") => loops::text::parse(&plain).map(Staged::Loops),
        _ => Err("this is no stage that can be read back: a graph begins with `graph`, loops begin with `program`".into()),
    }
}

fn is_remark(line: &str) -> bool {
    line.trim_start().starts_with("//")
}
