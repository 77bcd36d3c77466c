//! The plan as a picture of lifetimes.

use super::{MemoryPlan, NOMINAL_BATCH, Placement, check};
use crate::fusion::text::bytes;
use crate::loops::{Linear, Program};
use std::fmt::Write;

/// Capacity up to which the picture is checked.
const CHECKED_CAPACITY: i64 = 4096;

/// One line a value: its bytes in the arena, then a column for each kernel, `##` where it lives. `n` is the capacity.
///
/// The lower bound is what the kernel with the most live values needs; no plan of whole values can do with less.
pub fn print(program: &Program, plan: &MemoryPlan) -> String {
    let name = |placement: &Placement| program.buffers[placement.buffer.0 as usize].name.as_str();
    let mut sorted: Vec<&Placement> = plan.placements.iter().collect();
    sorted.sort_by_key(|placement| (placement.first, placement.last, placement.buffer));
    let ranges: Vec<String> = sorted
        .iter()
        .map(|placement| format!("{}..{}", in_bytes(placement.offset), in_bytes(placement.offset.plus(placement.words))))
        .collect();
    let width = sorted.iter().map(|placement| name(placement).chars().count()).max().unwrap_or(0);
    let range_width = ranges.iter().map(String::len).max().unwrap_or(0);
    let mut text = String::new();
    if !sorted.is_empty() {
        let kernels: Vec<String> = (0..plan.kernels.len()).map(|kernel| format!("{kernel:>2}")).collect();
        let _ = writeln!(text, "  {:width$}  {:range_width$}  {}", "", "bytes", kernels.join(" "));
    }
    for (placement, range) in sorted.iter().zip(&ranges) {
        let life = (0..plan.kernels.len()).map(|kernel| if lives(placement, kernel) { "##" } else { " ." });
        let life: Vec<&str> = life.collect();
        let _ = writeln!(text, "  {:width$}  {range:range_width$}  {}", name(placement), life.join(" "));
    }
    if sorted.is_empty() {
        text.push_str("no temporaries\n");
    }
    let at = |words: Linear| bytes(4 * words.at(NOMINAL_BATCH) as usize);
    if !sorted.is_empty() {
        let _ = writeln!(
            text,
            "peak {} bytes, {} for n = {NOMINAL_BATCH}; unshared {} bytes, {}; lower bound {}",
            in_bytes(plan.arena),
            at(plan.arena),
            in_bytes(plan.unshared),
            at(plan.unshared),
            lower_bound(plan),
        );
    }
    let _ = writeln!(
        text,
        "scratch of a thread {} bytes, {} for n = {NOMINAL_BATCH}",
        in_bytes(plan.scratch_words),
        at(plan.scratch_words)
    );
    let _ = match check(program, plan, CHECKED_CAPACITY) {
        Ok(()) => writeln!(text, "checked: nothing that lives is overwritten, up to n = {CHECKED_CAPACITY}"),
        Err(why) => writeln!(text, "NOT SOUND: {why}"),
    };
    text
}

fn lives(placement: &Placement, kernel: usize) -> bool {
    (placement.first..=placement.last).contains(&kernel)
}

fn in_bytes(words: Linear) -> Linear {
    words.times(4)
}

/// Bytes of all values that live in the kernel where they are most.
fn lower_bound(plan: &MemoryPlan) -> String {
    let live = |kernel: usize| -> i64 {
        plan.placements
            .iter()
            .filter(|placement| lives(placement, kernel))
            .map(|placement| placement.words.at(NOMINAL_BATCH))
            .sum()
    };
    match (0..plan.kernels.len())
        .map(|kernel| (live(kernel), kernel))
        .max_by_key(|&(words, kernel)| (words, std::cmp::Reverse(kernel)))
    {
        Some((words, kernel)) => format!("{} in kernel {kernel}", bytes(4 * words as usize)),
        None => bytes(0),
    }
}
