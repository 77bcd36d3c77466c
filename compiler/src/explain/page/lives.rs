//! The memory plan as a picture: a row for each value, a bar over the kernels between which it lives.

use crate::draw::svg::escaped;
use crate::fusion::text::bytes;
use crate::loops::Linear;
use crate::memory::Placement;
use crate::program::{Assembled, Unit};
use std::fmt::Write;

/// Batch for which bytes are given.
const BATCH: i64 = 64;
const ROW: usize = 17;
const COLUMN: usize = 24;
const LETTER: usize = 7;

/// The lifetimes of a unit's temporaries; a row has the node that it holds as `data-n`.
pub fn svg(assembled: &Assembled, unit: &Unit) -> String {
    let name = |placement: &Placement| assembled.program.buffers[placement.buffer.0 as usize].name.clone();
    let mut sorted: Vec<&Placement> = unit.memory.placements.iter().collect();
    sorted.sort_by_key(|placement| (placement.first, placement.last, placement.buffer));
    let size = |words: Linear| bytes(4 * words.at(BATCH) as usize);
    let widest = sorted.iter().map(|placement| name(placement).chars().count()).max().unwrap_or(0);
    let left = LETTER * (widest + 12);
    let kernels = unit.memory.kernels.len();
    let (width, height) = (left + COLUMN * kernels + 10, ROW * (sorted.len() + 1) + 6);
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" role=\"img\"><title>lifetimes of temporaries by kernel</title>\n"
    );
    for (at, kernel) in unit.memory.kernels.iter().enumerate() {
        let x = left + COLUMN * at;
        let _ = writeln!(text, "<text class=\"soft\" x=\"{}\" y=\"12\" text-anchor=\"middle\">{kernel}</text>", x + COLUMN / 2);
        let _ = writeln!(text, "<path class=\"grid\" d=\"M{x} {ROW}V{height}\"/>");
    }
    for (row, placement) in sorted.iter().enumerate() {
        let y = ROW * (row + 1);
        let name = name(placement);
        let node = name.split_once('%').map(|(_, rest)| rest.split('.').next().unwrap_or(rest));
        let mark = node.map_or_else(String::new, |node| format!(" data-n=\"{node}\""));
        let _ = writeln!(
            text,
            "<g{mark}><title>{} bytes from {} on</title><text x=\"0\" y=\"{}\">{}</text><text class=\"soft\" x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text><rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" rx=\"3\"/></g>",
            placement.words.times(4),
            placement.offset.times(4),
            y + 12,
            escaped(&name),
            left - 12,
            y + 12,
            size(placement.words),
            left + COLUMN * placement.first + 2,
            y + 2,
            COLUMN * (placement.last - placement.first + 1) - 4,
            ROW - 4
        );
    }
    text.push_str("</svg>\n");
    text
}
