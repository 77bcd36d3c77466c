//! The picture in the language of Graphviz.

use super::layout::crosses;
use super::{Part, Picture};
use crate::base::size::bytes;
use std::fmt::Write;

/// Three clusters; edges between them carry their bytes.
pub fn dot(picture: &Picture) -> String {
    let mut text = format!(
        "digraph {} {{\n  node [shape=box, fontname=monospace, fontsize=10];\n  edge [fontname=monospace, fontsize=9];\n",
        quoted(&picture.title)
    );
    for part in Part::ALL {
        let _ = writeln!(text, "  subgraph cluster_{0} {{\n    label={0};", part.name());
        for (number, layer) in picture.boxes.iter().enumerate().filter(|(_, layer)| layer.part == part) {
            let mut label = format!("{}\n", layer.name);
            if !layer.note.is_empty() {
                let _ = writeln!(label, "... {}", layer.note);
            }
            label.extend(layer.lines.iter().map(|(_, line)| format!("{line}\n")));
            let _ = writeln!(text, "    b{number} [label={}];", quoted(&label));
        }
        text.push_str("  }\n");
    }
    for edge in &picture.edges {
        let label = if crosses(picture, edge) { format!(" [label={}]", quoted(&bytes(edge.bytes))) } else { String::new() };
        let _ = writeln!(text, "  b{} -> b{}{label};", edge.from, edge.to);
    }
    text.push_str("}\n");
    text
}

/// A quoted string whose lines are set to the left.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\l"))
}
