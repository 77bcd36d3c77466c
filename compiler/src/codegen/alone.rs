//! Which turns of a loop are written out for one row on one thread: those that run kernels and scalars of a few instructions, and learn.

use std::collections::BTreeSet;

use super::small_product::nests;
use super::synchronize::Step;
use crate::loops::{BufferId, Leaf, Linear, Nest, Program, Space, Statement, View, leaves};
use crate::memory::touched;

/// The rows that it is for.
pub(super) const ROWS: i64 = 1;
/// Instructions of a turn at most; beyond them loops, vectors and micro-kernels win.
const MOST_WORK: i64 = 1024;

/// What a turn reads and writes.
#[derive(Default)]
struct Touched {
    reads: BTreeSet<BufferId>,
    writes: BTreeSet<BufferId>,
    kernels: BTreeSet<u32>,
}

/// A turn that is written so.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Alone<'p> {
    pub steps: Vec<Step<'p>>,
    /// Buffers that something outside may read, or what follows a branch that may or may not store to them.
    pub lasting: BTreeSet<BufferId>,
}

impl<'p> Alone<'p> {
    /// A turn that is short enough for it, and changes parameters: an evaluation takes many rows at once.
    pub fn of(program: &Program, steps: &[Step<'p>]) -> Option<Alone<'p>> {
        let mut touched = Touched::default();
        let work = work(program, steps, &mut touched)?;
        let space = |buffer: &BufferId| program.buffers.get(buffer.0 as usize).map(|buffer| buffer.space);
        let learns = touched.writes.iter().any(|buffer| matches!(space(buffer), Some(Space::Parameter(_))));
        if work > MOST_WORK || !learns || !is_plain(program, &touched) {
            return None;
        }
        let others = program.kernels.iter().zip(0..).filter(|(_, number)| !touched.kernels.contains(number));
        let elsewhere: BTreeSet<BufferId> = others.flat_map(|(kernel, _)| crate::memory::touched(kernel).reads).collect();
        let is_lasting = |buffer: &BufferId| match space(buffer) {
            Some(Space::Scratch) => false,
            Some(Space::Arena) => elsewhere.contains(buffer),
            _ => true,
        };
        let mut lasting: BTreeSet<BufferId> = touched.writes.into_iter().filter(is_lasting).collect();
        branched(program, steps, &BTreeSet::new(), &mut lasting);
        Some(Alone { steps: steps.to_vec(), lasting })
    }

    /// All buffers that it touches.
    pub fn buffers(&self, program: &Program) -> BTreeSet<BufferId> {
        let mut touched = Touched::default();
        work(program, &self.steps, &mut touched);
        touched.reads.into_iter().chain(touched.writes).collect()
    }
}

/// What steps store to.
pub(super) fn stored(program: &Program, steps: &[Step]) -> BTreeSet<BufferId> {
    let mut touched = Touched::default();
    work(program, steps, &mut touched);
    touched.writes
}

/// Adds what steps store in branches and read behind them; `after` is read behind all of them.
fn branched(program: &Program, steps: &[Step], after: &BTreeSet<BufferId>, found: &mut BTreeSet<BufferId>) {
    for (at, step) in steps.iter().enumerate() {
        let Step::If { then, otherwise, .. } = step else { continue };
        let (mut later, mut inside) = (Touched::default(), Touched::default());
        work(program, &steps[at + 1..], &mut later);
        later.reads.extend(after);
        for branch in [then, otherwise] {
            work(program, branch, &mut inside);
            branched(program, branch, &later.reads, found);
        }
        found.extend(inside.writes.intersection(&later.reads));
    }
}

/// Instructions of the steps; `None` if they do more than run kernels and scalars.
fn work(program: &Program, steps: &[Step], found: &mut Touched) -> Option<i64> {
    let mut sum = 0i64;
    for step in steps {
        sum = sum.saturating_add(match step {
            Step::Barrier => 0,
            Step::Kernel(index) => {
                let kernel = program.kernels.get(*index as usize)?;
                let of = touched(kernel);
                found.reads.extend(of.reads);
                found.writes.extend(of.writes);
                found.kernels.insert(*index);
                kernel.parallel.map_or(1, |parallel| parallel.tiles(ROWS)).saturating_mul(statements(&kernel.body)?)
            }
            Step::Scalar(block) => {
                found.reads.extend(block.loads().map(|view| view.buffer));
                found.writes.extend(block.stores().map(|view| view.buffer));
                block.code.len() as i64
            }
            Step::If { then, otherwise, .. } => {
                found.reads.extend(control(program));
                work(program, then, found)?.saturating_add(work(program, otherwise, found)?)
            }
            Step::Part(_) | Step::Alone { .. } | Step::Batch(_) | Step::Copy { .. } | Step::Call(_) | Step::Loop(_) => {
                return None;
            }
        });
    }
    Some(sum)
}

fn statements(body: &[Statement]) -> Option<i64> {
    let nest = |nest: &Nest| {
        let turns = nest.axes.iter().fold(1i64, |turns, axis| turns.saturating_mul(axis.extent.most(ROWS).max(0)));
        turns.saturating_mul(nest.block.code.len() as i64)
    };
    body.iter().try_fold(0i64, |sum, statement| {
        Some(sum.saturating_add(match statement {
            Statement::Nest(one) => nest(one),
            Statement::Product(product) => nests(product)?.iter().map(nest).fold(0, i64::saturating_add),
            Statement::Tiles { step, total, body, .. } => tiles(*step, *total).saturating_mul(statements(body)?),
        }))
    })
}

/// Tiles of so many rows.
pub(super) fn tiles(step: i64, total: Linear) -> i64 {
    let step = step.max(1);
    (total.at(ROWS).max(0) + step - 1) / step
}

/// Whether each word that is stored to, or read where something is stored to, is known by a number.
fn is_plain(program: &Program, of: &Touched) -> bool {
    let is_plain = |view: &View, stores: bool| {
        let known = view.pick.is_none() && view.table.is_none();
        known || !stores && !of.writes.contains(&view.buffer)
    };
    let views = |leaf| match leaf {
        Leaf::Nest(nest) => nest.block.accesses().all(|access| is_plain(access.view, access.stored.is_some())),
        Leaf::Product(product) => product.c.rows.is_none() && is_plain(&product.c.base, true),
    };
    let mut kernels = of.kernels.iter().filter_map(|&index| program.kernels.get(index as usize));
    kernels.all(|kernel| leaves(&kernel.body).all(views))
}

/// The buffer of what driver and kernels share.
pub(super) fn control(program: &Program) -> Option<BufferId> {
    let at = program.buffers.iter().position(|buffer| buffer.space == Space::Control)?;
    Some(BufferId(at as u32))
}
