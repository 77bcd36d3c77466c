//! The memory plan as a picture: a row for each value, a bar over the kernels between which it lives.

use crate::base::size::bytes;
use crate::draw::svg::escaped;
use crate::memory::NOMINAL_BATCH;
use crate::program::{Assembled, Unit};
use std::fmt::Write;

const ROW: usize = 17;
const COLUMN: usize = 24;
const LETTER: usize = 7;

/// The lifetimes of a unit's temporaries; a row has the node that it holds as `data-n`.
pub fn svg(assembled: &Assembled, unit: &Unit) -> String {
    let (plan, layout) = (&unit.memory, unit.memory.layout(NOMINAL_BATCH));
    let sorted = plan.in_order();
    let name = |life: usize| assembled.program.buffers[plan.lives[life].buffer.0 as usize].name.clone();
    let widest = sorted.iter().map(|life| name(*life).chars().count()).max().unwrap_or(0);
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
    for (row, &number) in sorted.iter().enumerate() {
        let y = ROW * (row + 1);
        let (life, name) = (&plan.lives[number], name(number));
        let node = name.split_once('%').map(|(_, rest)| rest.split('.').next().unwrap_or(rest));
        let mark = node.map_or_else(String::new, |node| format!(" data-n=\"{node}\""));
        let _ = writeln!(
            text,
            "<g{mark}><title>{} bytes, from {} on for n = {NOMINAL_BATCH}</title><text x=\"0\" y=\"{}\">{}</text><text class=\"soft\" x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text><rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" rx=\"3\"/></g>",
            life.words.times(4),
            4 * layout.offsets[number],
            y + 12,
            escaped(&name),
            left - 12,
            y + 12,
            bytes(4 * life.words.at(NOMINAL_BATCH) as usize),
            left + COLUMN * life.first + 2,
            y + 2,
            COLUMN * (life.last - life.first + 1) - 4,
            ROW - 4
        );
    }
    text.push_str("</svg>\n");
    text
}
