//! The memory plan: which temporaries of a step may share memory, by the kernels between which they live.
//!
//! A value lives from the kernel that writes it to the last that reads it, and holds its place until no thread can be in one of them any
//! more. A value takes the place of one that dies where it is computed from it, element by element, or of one that died before in the same
//! tiles of the same threads. [`MemoryPlan::layout`] gives places for a capacity; scratch (values of one tile) is laid out kernel by kernel
//! from its start. [`check`] proves a plan by replaying its kernels, [`MemoryPlan::prove`] a layout, without knowing how they were made.

mod barriers;
mod in_place;
mod layout;
mod shares;
#[cfg(test)]
mod tests;
mod text;

use crate::loops::{BufferId, Kernel, Lane, Leaf, Linear, Program, Space, Statement, leaves};
pub use layout::Layout;
use shares::{Share, shares};
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
pub use text::print;

/// Batch size for which places and sizes are shown.
pub const NOMINAL_BATCH: i64 = 64;
/// Capacities are multiples of this, and so are places: every one is a multiple of 64 bytes.
pub const ALIGN_WORDS: i64 = 16;

/// A temporary's lifetime, in kernels of its graph.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Life {
    pub buffer: BufferId,
    pub words: Linear,
    /// First and last kernel (positions in the graph's list) that touch it.
    pub first: usize,
    pub last: usize,
    /// First and last kernel beside which a thread could still, or already, be in one that touches it.
    pub from: usize,
    pub until: usize,
    /// The value whose place it takes: one that is read last in its first kernel, or before it in the same tiles.
    pub over: Option<BufferId>,
}

/// The plan of one graph's kernels.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct MemoryPlan {
    pub kernels: Vec<u32>,
    /// For each kernel, whether all threads wait before it.
    pub barriers: Vec<bool>,
    /// In the order of the buffers.
    pub lives: Vec<Life>,
    /// Scratch buffers and their offsets in a thread's scratch.
    pub scratch: Vec<(BufferId, Linear)>,
    /// Words of scratch that a thread needs.
    pub scratch_words: Linear,
}

impl MemoryPlan {
    /// The life of a buffer in the arena.
    pub fn life(&self, buffer: BufferId) -> Option<&Life> {
        self.lives.binary_search_by_key(&buffer, |life| life.buffer).ok().map(|at| &self.lives[at])
    }

    /// Words of the arena if nothing shared its memory.
    pub fn unshared(&self, capacity: i64) -> i64 {
        self.lives.iter().map(|life| layout::room(life.words, capacity)).sum()
    }

    /// Words of all values that live in the kernel where they are most, and that kernel: no plan of whole values can do with less.
    pub fn lower_bound(&self, capacity: i64) -> (i64, usize) {
        let mut change = vec![0; self.kernels.len() + 1];
        for life in &self.lives {
            let words = life.words.at(capacity);
            // In the kernel in which one value takes another's place, both are one.
            let takes_over = life.over.and_then(|operand| self.life(operand)).is_some_and(|operand| operand.last == life.first);
            change[life.first + usize::from(takes_over)] += words;
            change[life.last + 1] -= words;
        }
        let live = change.iter().scan(0, |live, change| {
            *live += change;
            Some(*live)
        });
        let most = live.enumerate().max_by_key(|&(kernel, words)| (words, std::cmp::Reverse(kernel)));
        most.map_or((0, 0), |(kernel, words)| (words, kernel))
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

fn touched_by(statement: &Statement) -> Touched {
    let mut touched = Touched::default();
    visit(std::slice::from_ref(statement), &mut touched);
    touched
}

fn visit(body: &[Statement], touched: &mut Touched) {
    for leaf in leaves(body) {
        match leaf {
            Leaf::Nest(nest) => {
                touched.writes.extend(nest.block.stores().map(|view| view.buffer));
                for view in nest.block.loads() {
                    touched.reads.insert(view.buffer);
                    touched.reads.extend(view.table.as_ref().map(|table| table.rows));
                }
            }
            Leaf::Product(product) => {
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
        }
    }
}

fn align(words: Linear) -> Linear {
    Linear { constant: (words.constant + ALIGN_WORDS - 1) / ALIGN_WORDS * ALIGN_WORDS, batch: words.batch }
}

/// How one or more kernels use a buffer.
#[derive(Clone, Copy)]
struct Use {
    writes: bool,
    /// The words that each of their tiles keeps to, if they do.
    share: Option<Share>,
}

/// How a kernel uses the buffers that it touches.
type Uses = BTreeMap<BufferId, Use>;

fn uses(kernel: &Kernel) -> Uses {
    let (touched, shares) = (touched(kernel), shares(kernel));
    let one = |buffer: &BufferId| (*buffer, Use { writes: touched.writes.contains(buffer), share: shares.get(buffer).copied() });
    touched.reads.union(&touched.writes).map(one).collect()
}

/// What the kernels of a graph do with memory.
struct Usage<'p> {
    program: &'p Program,
    kernels: Vec<&'p Kernel>,
    uses: Vec<Uses>,
    /// Each temporary, with the positions of the kernels that touch it.
    positions: BTreeMap<BufferId, Vec<usize>>,
}

impl<'p> Usage<'p> {
    fn new(program: &'p Program, kernels: &[u32]) -> Self {
        let kernels: Vec<&Kernel> = kernels.iter().map(|kernel| &program.kernels[*kernel as usize]).collect();
        let uses: Vec<Uses> = kernels.iter().map(|kernel| uses(kernel)).collect();
        let mut positions: BTreeMap<BufferId, Vec<usize>> = BTreeMap::new();
        for (position, uses) in uses.iter().enumerate() {
            for &buffer in uses.keys() {
                if program.buffers[buffer.0 as usize].space == Space::Arena {
                    positions.entry(buffer).or_default().push(position);
                }
            }
        }
        Usage { program, kernels, uses, positions }
    }

    fn is_serial(&self, position: usize) -> bool {
        self.kernels[position].parallel.is_none()
    }

    /// For each kernel, the kernels beside which a thread can be in it: those up to the barriers around it, and itself alone if it and they
    /// run on the first thread, in order.
    fn held(&self, turns: &[Turn]) -> Vec<Turn> {
        let own = |position| if self.is_serial(position) { (position, position) } else { turns[position] };
        (0..turns.len()).map(own).collect()
    }

    /// The words that each tile of the kernels between two barriers keeps to in a buffer, if any touches it, and they are cut alike and do.
    fn share(&self, buffer: BufferId, (from, until): Turn) -> Option<Share> {
        let beside = self.positions[&buffer].iter().filter(|at| (from..=until).contains(*at));
        let mut shares = beside.map(|at| self.uses[*at][&buffer].share);
        let first = shares.next()?;
        first.filter(|_| shares.all(|share| share == first))
    }

    /// Whether a value of the same size that dies in `result`'s first kernel, which reads it where it writes, or before it can give it its
    /// place: no other thread touches either meanwhile.
    fn takes_place(&self, turns: &[Turn], dying: &Life, result: &Life) -> bool {
        let is_word = |life: &Life| self.program.buffers[life.buffer.0 as usize].lane != Lane::F64;
        let turn @ (from, until) = turns[result.first];
        let is_beside = |at: &usize| {
            (from..=until).contains(at) && *at != result.first && !(self.is_serial(*at) && self.is_serial(result.first))
        };
        let is_alone = |life: &Life| !self.positions[&life.buffer].iter().any(is_beside);
        let share = self.share(dying.buffer, turn);
        let in_same_tiles = share.is_some() && share == self.share(result.buffer, turn);
        let in_turn = match dying.last.cmp(&result.first) {
            Ordering::Less => in_same_tiles,
            Ordering::Equal => in_same_tiles || is_alone(dying) && is_alone(result),
            Ordering::Greater => false,
        };
        in_turn && dying.words == result.words && is_word(dying) && is_word(result)
    }
}

/// Kernels between two barriers, both ends with it.
type Turn = (usize, usize);

/// For each kernel those between the barriers around it.
fn turns(barriers: &[bool]) -> Vec<Turn> {
    let mut turns = Vec::with_capacity(barriers.len());
    while turns.len() < barriers.len() {
        let from = turns.len();
        let end = (from + 1..barriers.len()).find(|at| barriers[*at]).unwrap_or(barriers.len());
        turns.resize(end, (from, end - 1));
    }
    turns
}

/// Plans the memory of a list of kernels that run in order.
pub fn plan(program: &Program, kernels: &[u32]) -> MemoryPlan {
    let usage = Usage::new(program, kernels);
    let barriers = barriers::barriers(&usage);
    let turns = turns(&barriers);
    let mut plan = MemoryPlan { kernels: kernels.to_vec(), barriers, ..MemoryPlan::default() };
    place_scratch(program, &usage.uses, &mut plan);
    let held = usage.held(&turns);
    let life = |(buffer, at): (&BufferId, &Vec<usize>)| Life {
        buffer: *buffer,
        words: program.buffers[buffer.0 as usize].words,
        first: at[0],
        last: at[at.len() - 1],
        from: at.iter().map(|position| held[*position].0).min().unwrap_or(0),
        until: at.iter().map(|position| held[*position].1).max().unwrap_or(0),
        over: None,
    };
    plan.lives = usage.positions.iter().map(life).collect();
    take_places(&usage, &turns, &mut plan);
    plan
}

fn place_scratch(program: &Program, uses: &[Uses], plan: &mut MemoryPlan) {
    for uses in uses {
        let mut scratch = Linear::ZERO;
        for &buffer in uses.keys() {
            let info = &program.buffers[buffer.0 as usize];
            if info.space == Space::Scratch {
                plan.scratch.push((buffer, scratch));
                scratch = scratch.plus(align(info.words));
            }
        }
        plan.scratch_words = larger(plan.scratch_words, scratch);
    }
}

/// Lets values take the places of those that die where they are written, or that have died since the last barrier in the same tiles.
fn take_places(usage: &Usage, turns: &[Turn], plan: &mut MemoryPlan) {
    let mut taken: BTreeSet<BufferId> = BTreeSet::new();
    let mut dying = (0..plan.lives.len()).collect::<Vec<_>>();
    dying.sort_by_key(|life| plan.lives[*life].last);
    let mut dying = dying.into_iter().peekable();
    // What died between these barriers, by its size and the words that tiles keep to.
    let (mut turn, mut dead): (_, BTreeMap<(Linear, Share), Vec<BufferId>>) = ((0, 0), BTreeMap::new());
    for number in plan.in_order() {
        let result = &plan.lives[number];
        if turns[result.first] != turn {
            (turn, dead) = (turns[result.first], BTreeMap::new());
        }
        while let Some(gone) = dying.next_if(|life| plan.lives[*life].last < result.first) {
            let Life { buffer, words, .. } = plan.lives[gone];
            if let Some(share) = usage.share(buffer, turn) {
                dead.entry((words, share)).or_default().push(buffer);
            }
        }
        let may = |operand: &BufferId| {
            let dying = plan.life(*operand).filter(|_| !taken.contains(operand));
            dying.is_some_and(|dying| usage.takes_place(turns, dying, result))
        };
        let read = in_place::read_where_written(usage.kernels[result.first], result.buffer).into_iter().find(may);
        let over = read.or_else(|| {
            let alike = dead.get_mut(&(result.words, usage.share(result.buffer, turn)?))?;
            std::iter::from_fn(|| alike.pop()).find(may)
        });
        plan.lives[number].over = over;
        taken.extend(over);
    }
}

/// A size that is at least both, for every batch.
fn larger(a: Linear, b: Linear) -> Linear {
    Linear { constant: a.constant.max(b.constant), batch: a.batch.max(b.batch) }
}

/// Proves a plan: each temporary is written before it is read, holds its place beside every kernel that touches it, and takes that of
/// another only where nothing can tell.
///
/// # Errors
/// What is not so, with the names of kernel and value.
pub fn check(program: &Program, plan: &MemoryPlan) -> Result<(), String> {
    let name = |buffer: BufferId| program.buffers[buffer.0 as usize].name.as_str();
    let usage = Usage::new(program, &plan.kernels);
    let turns = turns(&plan.barriers);
    let held = usage.held(&turns);
    for (buffer, at) in &usage.positions {
        let Some(life) = plan.life(*buffer) else { return Err(format!("`{}` has no place", name(*buffer))) };
        for position in at {
            let kernel = &usage.kernels[*position].name;
            let (from, until) = held[*position];
            if life.from > from || life.until < until || !(life.first..=life.last).contains(position) {
                return Err(format!("kernel `{kernel}` uses `{}` outside of its life", name(*buffer)));
            }
            if *position == at[0] && !usage.uses[*position][buffer].writes {
                return Err(format!("kernel `{kernel}` reads `{}`, which is not there", name(*buffer)));
            }
        }
    }
    let mut taken: BTreeSet<BufferId> = BTreeSet::new();
    for life in &plan.lives {
        let Some(operand) = life.over else { continue };
        let is_read_there = || in_place::read_where_written(usage.kernels[life.first], life.buffer).contains(&operand);
        let may = plan
            .life(operand)
            .is_some_and(|dying| (dying.last < life.first || is_read_there()) && usage.takes_place(&turns, dying, life));
        if !may || !taken.insert(operand) {
            return Err(format!("`{}` cannot take the place of `{}`", name(life.buffer), name(operand)));
        }
    }
    Ok(())
}
