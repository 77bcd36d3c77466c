//! Which values have registers of their own, and how many registers the others need.

use super::operations::{Held, Op, Selection, Virtual};

/// A value with a register of its own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Pin {
    pub value: Virtual,
    pub register: u8,
    /// The graph node that uses it first.
    pub origin: u32,
}

/// Registers that pins leave at least: those of one operation, and some for values on their way.
const LEAST_FREE: usize = 6;

/// Registers that a body takes at least, beside those of pinned constants and words.
pub(super) fn taken(body: &Selection) -> usize {
    (pressure(body, &body.ops, &uses(body, &body.ops)) + 2).max(LEAST_FREE) + body.kept.len()
}

/// The constants and words to pin in all of some bodies of a selection, which have so many registers.
pub(super) fn pins(selection: &Selection, bodies: &[&Selection], all: usize) -> Vec<Pin> {
    let ops = &selection.ops;
    let uses = uses(selection, ops);
    let taken = bodies.iter().map(|body| taken(body)).max().unwrap_or(0);
    let free = all.saturating_sub(taken);
    let mut wanted: Vec<(usize, u32)> = (0..selection.held.len())
        .filter(|&v| selection.held[v] != Held::Made && !uses[v].is_empty())
        .map(|v| (uses[v].len(), v as u32))
        .collect();
    wanted.sort_by_key(|&(uses, value)| (std::cmp::Reverse(uses), value));
    let pin = |((_, value), register): ((usize, u32), u8)| Pin {
        value: Virtual(value),
        register,
        origin: ops[uses[value as usize][0] as usize].origin,
    };
    wanted.into_iter().take(free).zip(registers(all)).map(pin).collect()
}

/// So many registers in the order in which they are pinned.
pub(super) fn registers(all: usize) -> impl Iterator<Item = u8> {
    (0..all as u8).rev()
}

/// For each value the operations that use it, in order.
pub(super) fn uses(selection: &Selection, ops: &[Op]) -> Vec<Vec<u32>> {
    let mut uses = vec![Vec::new(); selection.held.len()];
    for (op, at) in ops.iter().zip(0..) {
        for source in op.sources.iter().flatten() {
            let uses = &mut uses[source.0 as usize];
            if uses.last() != Some(&at) {
                uses.push(at);
            }
        }
    }
    uses
}

/// The most values that operations made and that are wanted at once.
fn pressure(selection: &Selection, ops: &[Op], uses: &[Vec<u32>]) -> usize {
    let (mut now, mut most) = (0_usize, 0);
    for (op, at) in ops.iter().zip(0..) {
        if let Some(result) = op.result {
            now += 1;
            most = most.max(now);
            if uses[result.0 as usize].is_empty() {
                now -= 1;
            }
        }
        let mut ended: Vec<Virtual> = op.sources.iter().flatten().copied().collect();
        ended.sort();
        ended.dedup();
        let ends = |v: &&Virtual| selection.held[v.0 as usize] == Held::Made && uses[v.0 as usize].last() == Some(&at);
        now = now.saturating_sub(ended.iter().filter(ends).count());
    }
    most
}
