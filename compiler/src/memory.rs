//! The memory plan: where each temporary of a step lies in one arena, by the kernels between which it lives.
//!
//! Offsets are affine in the batch capacity, so that one plan serves every batch size. Values whose lifetimes do not meet share a
//! *slot*; slots lie one after the other. Scratch (values of one tile) is laid out kernel by kernel from its start. [`check`] proves a
//! plan without knowing how it was made.

mod text;

use crate::loops::{BufferId, Kernel, Linear, Program, Space, Statement};
use std::collections::{BTreeMap, BTreeSet};
pub use text::print;

/// Batch size that slots are compared at.
const NOMINAL_BATCH: i64 = 64;
/// Capacities are multiples of this, and so are fixed sizes: every offset is a multiple of 64 bytes.
pub const ALIGN_WORDS: i64 = 16;

/// A temporary's place and lifetime, in kernels of its graph.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Placement {
    pub buffer: BufferId,
    /// Words from the arena's start.
    pub offset: Linear,
    pub words: Linear,
    /// First and last kernel (positions in the graph's list) that touch it.
    pub first: usize,
    pub last: usize,
}

/// The plan of one graph's kernels.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct MemoryPlan {
    pub kernels: Vec<u32>,
    pub placements: Vec<Placement>,
    /// Words of the arena.
    pub arena: Linear,
    /// Words that it would take without sharing.
    pub unshared: Linear,
    /// Scratch buffers and their offsets in a thread's scratch.
    pub scratch: Vec<(BufferId, Linear)>,
    /// Words of scratch that a thread needs.
    pub scratch_words: Linear,
}

impl MemoryPlan {
    /// Where a buffer stands in the arena.
    pub fn place(&self, buffer: BufferId) -> Option<&Placement> {
        // Placements stand in the order of their buffers.
        self.placements.binary_search_by_key(&buffer, |placement| placement.buffer).ok().map(|at| &self.placements[at])
    }
}

/// Buffers that a kernel reads and writes.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Touched {
    pub reads: BTreeSet<BufferId>,
    pub writes: BTreeSet<BufferId>,
}

/// What a kernel reads and writes.
pub fn touched(kernel: &Kernel) -> Touched {
    let mut touched = Touched::default();
    visit(&kernel.body, &mut touched);
    touched
}

fn visit(body: &[Statement], touched: &mut Touched) {
    use crate::loops::Instruction::{Load, Store};
    for statement in body {
        match statement {
            Statement::Nest(nest) => {
                for instruction in &nest.block.code {
                    match instruction {
                        Load(view, _) => {
                            touched.reads.insert(view.buffer);
                            touched.reads.extend(view.table.as_ref().map(|table| table.rows));
                        }
                        Store(view, _) => {
                            touched.writes.insert(view.buffer);
                        }
                        _ => {}
                    }
                }
            }
            Statement::Product(product) => {
                for operand in [&product.a, &product.b] {
                    touched.reads.insert(operand.base.buffer);
                    touched.reads.extend(operand.rows.as_ref().map(|rows| rows.rows));
                    touched.reads.extend(operand.base.table.as_ref().map(|table| table.rows));
                }
                if product.accumulate {
                    touched.reads.insert(product.c.base.buffer);
                }
                touched.writes.insert(product.c.base.buffer);
            }
            Statement::Tiles { body, .. } => visit(body, touched),
        }
    }
}

fn align(words: Linear) -> Linear {
    Linear { constant: (words.constant + ALIGN_WORDS - 1) / ALIGN_WORDS * ALIGN_WORDS, batch: words.batch }
}

/// Plans the memory of a list of kernels that run in order.
pub fn plan(program: &Program, kernels: &[u32]) -> MemoryPlan {
    let mut lives: BTreeMap<BufferId, Placement> = BTreeMap::new();
    let mut plan = MemoryPlan { kernels: kernels.to_vec(), ..MemoryPlan::default() };
    for (position, &kernel) in kernels.iter().enumerate() {
        let touched = touched(&program.kernels[kernel as usize]);
        let mut scratch = Linear::ZERO;
        for &buffer in touched.reads.union(&touched.writes) {
            let info = &program.buffers[buffer.0 as usize];
            match info.space {
                Space::Arena => {
                    let new = Placement { buffer, offset: Linear::ZERO, words: info.words, first: position, last: position };
                    lives.entry(buffer).or_insert(new).last = position;
                }
                Space::Scratch => {
                    plan.scratch.push((buffer, scratch));
                    scratch = scratch.plus(align(info.words));
                }
                _ => {}
            }
        }
        plan.scratch_words = larger(plan.scratch_words, scratch);
    }
    let mut lives: Vec<Placement> = lives.into_values().collect();
    plan.unshared = lives.iter().fold(Linear::ZERO, |sum, life| sum.plus(align(life.words)));
    // Large values first; each takes the first slot that is free for its whole life.
    let mut order: Vec<usize> = (0..lives.len()).collect();
    order.sort_by_key(|&life| (std::cmp::Reverse(lives[life].words.at(NOMINAL_BATCH)), lives[life].first, lives[life].buffer));
    let mut slots: Vec<(Linear, Vec<usize>)> = Vec::new();
    for life in order {
        let free = |slot: &&mut (Linear, Vec<usize>)| slot.1.iter().all(|&other| !meet(&lives[other], &lives[life]));
        match slots.iter_mut().find(free) {
            Some(slot) => {
                slot.0 = larger(slot.0, align(lives[life].words));
                slot.1.push(life);
            }
            None => slots.push((align(lives[life].words), vec![life])),
        }
    }
    for (words, members) in slots {
        for life in members {
            lives[life].offset = plan.arena;
        }
        plan.arena = plan.arena.plus(words);
    }
    plan.placements = lives;
    plan
}

/// A size that is at least both, for every batch.
fn larger(a: Linear, b: Linear) -> Linear {
    Linear { constant: a.constant.max(b.constant), batch: a.batch.max(b.batch) }
}

/// Whether two lifetimes share a kernel.
fn meet(a: &Placement, b: &Placement) -> bool {
    a.first <= b.last && b.first <= a.last
}

/// Whether two placements share a word for some batch up to the capacity.
pub fn overlap(a: &Placement, b: &Placement, capacity: i64) -> bool {
    let before = |x: &Placement, y: &Placement| {
        let end = x.offset.plus(x.words);
        [1, capacity].into_iter().all(|n| end.at(n) <= y.offset.at(n))
    };
    // All sizes are affine, so an order that holds at both ends holds between.
    !before(a, b) && !before(b, a)
}

/// Proves that no kernel reads a value that another has overwritten, and that everything fits the arena.
///
/// It replays the kernels: a write makes its buffer valid and every other buffer that shares a word with it invalid; a read must find
/// its buffer valid.
pub fn check(program: &Program, plan: &MemoryPlan, capacity: i64) -> Result<(), String> {
    let place = |buffer: BufferId| plan.place(buffer);
    let name = |buffer: BufferId| program.buffers[buffer.0 as usize].name.as_str();
    for placement in &plan.placements {
        let end = placement.offset.plus(placement.words);
        if [1, capacity].into_iter().any(|n| end.at(n) > plan.arena.at(n) || placement.offset.at(n) < 0) {
            return Err(format!("`{}` does not lie in the arena", name(placement.buffer)));
        }
    }
    let mut valid: BTreeSet<BufferId> = BTreeSet::new();
    for &kernel in &plan.kernels {
        let kernel = &program.kernels[kernel as usize];
        let touched = touched(kernel);
        let arena = |buffer: &&BufferId| program.buffers[buffer.0 as usize].space == Space::Arena;
        for &read in touched.reads.iter().filter(arena) {
            if !valid.contains(&read) && !touched.writes.contains(&read) {
                return Err(format!("kernel `{}` reads `{}`, which is not there (any more)", kernel.name, name(read)));
            }
        }
        let writes: Vec<BufferId> = touched.writes.iter().filter(arena).copied().collect();
        for &write in &writes {
            let Some(own) = place(write) else { return Err(format!("`{}` has no place", name(write))) };
            for other in &plan.placements {
                let clash = other.buffer != write && overlap(own, other, capacity);
                if clash && (touched.reads.contains(&other.buffer) || writes.contains(&other.buffer)) {
                    return Err(format!(
                        "kernel `{}` writes `{}` over `{}` while it uses both",
                        kernel.name,
                        name(write),
                        name(other.buffer)
                    ));
                }
                if clash {
                    valid.remove(&other.buffer);
                }
            }
        }
        valid.extend(writes);
    }
    Ok(())
}
