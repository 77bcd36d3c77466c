//! The plan as a picture of lifetimes.

use super::{Life, MemoryPlan, NOMINAL_BATCH, check};
use crate::base::size::bytes;
use crate::loops::Program;
use std::fmt::Write;

/// One line a value: its bytes in the arena, then a column for each kernel, `##` where it lives, `==` where its place is held for threads
/// that are not done. Two values share a place where one takes it over: `-> name` says from whom. `|` is a barrier.
pub fn print(program: &Program, plan: &MemoryPlan) -> String {
    let name = |life: &Life| program.buffers[life.buffer.0 as usize].name.as_str();
    let layout = plan.layout(NOMINAL_BATCH);
    let rows: Vec<(&Life, String)> = plan
        .in_order()
        .into_iter()
        .map(|number| {
            let (life, start) = (&plan.lives[number], 4 * layout.offsets[number]);
            (life, format!("{start}..{}", start + 4 * life.words.at(NOMINAL_BATCH)))
        })
        .collect();
    let width = rows.iter().map(|(life, _)| name(life).chars().count()).max().unwrap_or(0);
    let range_width = rows.iter().map(|(_, range)| range.len()).max().unwrap_or(0);
    let mut text = String::new();
    if rows.is_empty() {
        text.push_str("no temporaries\n");
    } else {
        let kernels = columns(plan, |kernel| format!("{kernel:>2}"));
        let _ = writeln!(text, "  {:width$}  {:range_width$}{kernels}", "", "bytes");
    }
    for (life, range) in &rows {
        let cells = columns(plan, |kernel| cell(life, kernel).to_string());
        let over =
            life.over.map_or_else(String::new, |operand| format!("   in place of {}", program.buffers[operand.0 as usize].name));
        let _ = writeln!(text, "  {:width$}  {range:range_width$}{cells}{over}", name(life));
    }
    let at = |words: i64| bytes(4 * words as usize);
    if !rows.is_empty() {
        let (least, kernel) = plan.lower_bound(NOMINAL_BATCH);
        let (peak, unshared) = (at(layout.words), at(plan.unshared(NOMINAL_BATCH)));
        let least = at(least);
        let _ = writeln!(
            text,
            "peak {peak} of {unshared} unshared for n = {NOMINAL_BATCH}; lower bound {least}, what lives in kernel {kernel}"
        );
    }
    let (scratch, words) = (plan.scratch_words.times(4), plan.scratch_words.at(NOMINAL_BATCH));
    let _ = writeln!(text, "scratch of a thread {scratch} bytes, {} for n = {NOMINAL_BATCH}", at(words));
    let verdict = check(program, plan).and_then(|()| {
        let name = |buffer: crate::loops::BufferId| program.buffers[buffer.0 as usize].name.clone();
        plan.prove(&layout, NOMINAL_BATCH).map_err(|[a, b]| format!("`{}` and `{}` meet", name(a), name(b)))
    });
    let _ = match verdict {
        Ok(()) => writeln!(text, "checked: nothing that lives is overwritten"),
        Err(why) => writeln!(text, "NOT SOUND: {why}"),
    };
    text
}

/// Cells of two letters, one a kernel, with a bar where there is a barrier between two.
fn columns(plan: &MemoryPlan, cell: impl Fn(usize) -> String) -> String {
    let bar = |kernel: usize| if kernel > 0 && plan.barriers[kernel] { '|' } else { ' ' };
    (0..plan.kernels.len())
        .map(|kernel| format!("{}{}", if kernel == 0 { "  ".into() } else { bar(kernel).to_string() }, cell(kernel)))
        .collect()
}

fn cell(life: &Life, kernel: usize) -> &'static str {
    match kernel {
        kernel if (life.first..=life.last).contains(&kernel) => "##",
        kernel if (life.from..=life.until).contains(&kernel) => "==",
        _ => " .",
    }
}
