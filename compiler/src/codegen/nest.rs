//! Loop nests.
//!
//! Outer axes are plain loops. The innermost axis is written so that its turns hold nothing but the block's work:
//! - **addresses**: each view has a base computed before the first turn; what moves along the axis are byte offsets, one for each
//!   distinct stride, advanced by an addition, and `base + offset + constant` is an addressing mode. Views of stride 1 share one
//!   offset, which also counts the turns;
//! - **invariant** values are computed before the first turn in one lane and spread over four where the vector loop needs them;
//! - **indices** are advanced by an addition, in all lanes at once;
//! - **kept** words travel from turn to turn in registers (see [`super::plan`]).
//!
//! Axes along which every address goes on where the one inside has ended are written as one.
//!
//! A vector axis that is worth it is a call of a [wide function](super::wide). Any other becomes a loop over groups of four lanes, then a loop over the rest of the turns in one lane, which goes on with the
//! offsets where the first one stopped. Loops that are known to have no turn are not written, those with one turn have no branch.

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{self, BlockArg, InstBuilder, Type, types};

use super::Error;
use super::address::Travelling;
use super::block::{Lanes, Width, defined};
use super::function::{Bound, Emitter, MEMORY};
use super::plan::{stride, table_stride};
use super::preamble::{Preamble, check_vector, counting, lanes};
use super::turns::{Count, turns};
use crate::loops::{Axis, Block, Extent, Instruction, Lane, Linear, Nest, Var, View};

/// Instructions that a loop in one lane is written out to at most: the sums of a short row cost as much as the counting around them.
const MOST_UNROLLED: i64 = 192;

impl Emitter<'_> {
    /// Writes a loop nest.
    pub fn nest(&mut self, nest: &Nest) -> Result<(), Error> {
        let Some((&inner, outer)) = nest.axes.split_last() else { return self.innermost(None, &nest.block) };
        if outer.iter().any(|axis| axis.vector) {
            return Err(Error::Malformed("a vector axis that is not innermost".to_owned()));
        }
        let (inner, outer, joined) = joined_axes(inner, outer, &nest.block);
        joined.iter().for_each(|axis| self.bind(axis.var, Bound::Zero));
        self.axes(outer, &inner, &nest.block)?;
        joined.iter().for_each(|axis| self.unbind(axis.var));
        Ok(())
    }

    /// Writes the axes around the innermost one, and that.
    fn axes(&mut self, outer: &[Axis], inner: &Axis, block: &Block) -> Result<(), Error> {
        match outer.split_first() {
            None => self.innermost(Some(inner), block),
            Some((axis, [])) if inner.vector && self.widened_rows(axis, inner, block)? => Ok(()),
            Some((axis, rest)) => {
                let count = self.count(axis.extent)?;
                self.repeat(axis.var, count, &mut |e| e.axes(rest, inner, block))
            }
        }
    }

    /// Writes a block that is executed once.
    pub fn straight(&mut self, block: &Block) -> Result<(), Error> {
        self.innermost(None, block)
    }

    fn innermost(&mut self, axis: Option<&Axis>, block: &Block) -> Result<(), Error> {
        let Some(axis) = axis else {
            return self.counted(None, false, Count::Known(1), block);
        };
        let count = self.count(axis.extent)?;
        match count {
            Count::Known(turns) if turns <= 0 => Ok(()),
            Count::Dynamic { value, positive: false, .. } => {
                let some = self.positive(value);
                self.guarded(some, |e| e.along(axis, count, block))
            }
            _ => self.along(axis, count, block),
        }
    }

    /// Writes the loop of the innermost axis, given that it has a first turn: here, or as a [wide function](super::wide).
    fn along(&mut self, axis: &Axis, count: Count, block: &Block) -> Result<(), Error> {
        match self.widened(axis, count, block)? {
            true => Ok(()),
            false => self.counted(Some(axis.var), axis.vector, count, block),
        }
    }

    /// Writes the innermost loop, given that it has a first turn.
    fn counted(&mut self, var: Option<Var>, vector: bool, count: Count, block: &Block) -> Result<(), Error> {
        let lanes: Vec<Lane> = lanes(block)?;
        if let (Some(var), true) = (var, vector) {
            check_vector(block, &lanes, var)?;
        }
        let mut p = self.preamble(var, vector, block, &lanes)?;
        let zero = self.int(0);
        let mut state = Travelling {
            offsets: vec![zero; p.steps.len()],
            counters: p.counters.iter().map(|c| c.start).collect(),
            kept: Vec::new(),
        };
        let mut kept_places = Vec::new();
        for kept in p.plan.kept.clone() {
            let place = self.place(&kept.view, None, &mut p.steps)?;
            kept_places.push(place);
            let ty = Width::One.of(kept.lane);
            let first = match (kept.read_first, kept.lane) {
                (true, _) => self.builder.ins().load(ty, MEMORY, place.base, place.displacement),
                // Written before it is read: any value will do.
                (false, Lane::F32) => self.builder.ins().f32const(0.0),
                (false, Lane::F64) => self.builder.ins().f64const(0.0),
                (false, Lane::I32) => self.builder.ins().iconst(types::I32, 0),
            };
            state.kept.push(first);
        }
        if vector {
            self.spread_invariants(&mut p);
            self.start_lanes(&p, &mut state);
            state = self.groups(&p, count, state)?;
            state = self.rest(&p, count, state)?;
        } else {
            state = self.run(&p, Width::One, count, None, state)?;
        }
        for (place, value) in kept_places.into_iter().zip(state.kept) {
            self.builder.ins().store(MEMORY, value, place.base, place.displacement);
        }
        Ok(())
    }

    /// The vector loop over groups of four lanes; counters come back in one lane.
    fn groups(&mut self, p: &Preamble, count: Count, state: Travelling) -> Result<Travelling, Error> {
        let mut state = match count {
            Count::Known(turns) => self.run(p, Width::Four, Count::Known(turns / 4), None, state)?,
            Count::Dynamic { value, fours, .. } => {
                let whole = match fours {
                    true => value,
                    false => {
                        let mask = self.int(!3);
                        self.builder.ins().band(value, mask)
                    }
                };
                let count = Count::Dynamic {
                    value: whole,
                    fours: true,
                    // The loop has a first turn, and turns come in fours.
                    positive: fours,
                };
                self.run(p, Width::Four, count, Some(whole), state)?
            }
        };
        for value in &mut state.counters {
            *value = self.builder.ins().extractlane(*value, 0);
        }
        Ok(state)
    }

    /// The turns that the vector loop leaves over.
    fn rest(&mut self, p: &Preamble, count: Count, state: Travelling) -> Result<Travelling, Error> {
        match count {
            Count::Known(turns) if turns % 4 == 0 => Ok(state),
            Count::Known(turns) if turns % 4 == 1 => self.run(p, Width::One, Count::Known(1), None, state),
            Count::Known(turns) => {
                let end = self.int(turns);
                let count = Count::Dynamic { value: end, fours: false, positive: true };
                self.run(p, Width::One, count, Some(end), state)
            }
            Count::Dynamic { fours: true, .. } => Ok(state),
            Count::Dynamic { value, .. } => {
                let count = Count::Dynamic { value, fours: false, positive: false };
                self.run(p, Width::One, count, Some(value), state)
            }
        }
    }

    /// Writes turns of `width` lanes until `end` lanes (all of `count`, if not given) are done.
    fn run(
        &mut self,
        p: &Preamble,
        width: Width,
        count: Count,
        end: Option<ir::Value>,
        state: Travelling,
    ) -> Result<Travelling, Error> {
        let positive = match count {
            Count::Known(0) => return Ok(state),
            Count::Known(1) => return self.turn(p, width, &state),
            Count::Known(turns) if width == Width::One && turns * p.moving() <= MOST_UNROLLED => {
                return (0..turns).try_fold(state, |state, _| self.turn(p, width, &state));
            }
            Count::Known(_) => true,
            Count::Dynamic { positive, .. } => positive,
        };
        let end = match (end, count) {
            (Some(end), _) => end,
            (None, Count::Known(turns)) => self.int(turns * width.lanes()),
            (None, Count::Dynamic { value, .. }) => value,
        };
        let clock = counting(&p.steps).ok_or_else(|| Error::Malformed("a loop without a counting offset".to_owned()))?;
        let limit = self.times(end, p.steps[clock].constant);
        let start = state.all();
        let types: Vec<Type> = start.iter().map(|&value| self.builder.func.dfg.value_type(value)).collect();
        let (head, inside) = self.head(&types);
        let (done, after) = self.head(&types);
        let arguments = |values: &[ir::Value]| -> Vec<BlockArg> { values.iter().map(|&value| BlockArg::Value(value)).collect() };
        let first = arguments(&start);
        if positive {
            self.builder.ins().jump(head, &first);
        } else {
            let some = self.builder.ins().icmp(IntCC::SignedLessThan, state.offsets[clock], limit);
            self.builder.ins().brif(some, head, &first, done, &first);
        }
        self.builder.switch_to_block(head);
        let next = self.turn(p, width, &state.like(&inside))?;
        let more = self.builder.ins().icmp(IntCC::SignedLessThan, next.offsets[clock], limit);
        let again = arguments(&next.all());
        self.builder.ins().brif(more, head, &again, done, &again);
        self.builder.switch_to_block(done);
        Ok(state.like(&after))
    }

    /// Writes one turn and returns what travels on.
    fn turn(&mut self, p: &Preamble, width: Width, state: &Travelling) -> Result<Travelling, Error> {
        let mut values = match width {
            Width::One => p.scalars.clone(),
            Width::Four => p.vectors.clone(),
        };
        let mut kept = state.kept.clone();
        for (at, instruction) in p.block.code.iter().enumerate() {
            if values[at].is_some() {
                continue;
            }
            self.origin(p.block.origins.get(at).copied());
            values[at] = match (instruction, p.plan.kept_at[at], p.places[at]) {
                (Instruction::Load(_, lane), Some(word), _) => Some(Lanes::plain(kept[word], *lane)),
                (Instruction::Store(_, value), Some(word), _) => {
                    kept[word] = defined(&values, *value)?.value;
                    None
                }
                (Instruction::Load(_, lane), None, Some(place)) => Some(self.load(place, *lane, width, state, &values)?),
                (Instruction::Store(_, value), None, Some(place)) => {
                    self.store(place, defined(&values, *value)?, width, state, &values)?;
                    None
                }
                (Instruction::Index { .. }, ..) => {
                    p.counter_at[at].map(|counter| Lanes::plain(state.counters[counter], Lane::I32))
                }
                // Spread only where a moving instruction needs it.
                _ if p.plan.invariant[at] && width == Width::Four => None,
                _ => Some(self.pure(instruction, width, &values)?),
            };
        }
        self.origin(None);
        let mut next = Travelling { kept, ..state.clone() };
        for (offset, (step, &by)) in next.offsets.iter_mut().zip(p.steps.iter().zip(&p.step_values)) {
            let by = match step.is_fixed() {
                true => self.int(step.constant * width.lanes()),
                false => self.times(by, width.lanes()),
            };
            *offset = self.builder.ins().iadd(*offset, by);
        }
        for (value, counter) in next.counters.iter_mut().zip(&p.counters) {
            let by = match width {
                Width::One => counter.step,
                Width::Four => {
                    let lanes = self.builder.ins().iconst(types::I32, width.lanes());
                    let by = self.builder.ins().imul(counter.step, lanes);
                    self.spread(by, Lane::I32, width)
                }
            };
            *value = self.builder.ins().iadd(*value, by);
        }
        Ok(next)
    }
}

/// The innermost axis with all that go on where it ends, the axes around it, and those that it took in.
fn joined_axes<'a>(mut inner: Axis, axes: &'a [Axis], block: &Block) -> (Axis, &'a [Axis], &'a [Axis]) {
    let mut outer = axes;
    while let Some((axis, rest)) = outer.split_last()
        && let Some(extent) = joined(axis, &inner, block)
    {
        (inner.extent, outer) = (extent, rest);
    }
    (inner, outer, &axes[outer.len()..])
}

/// A nest's axes as one, if each goes on where the one inside of it ends, and those that were taken in.
pub(super) fn as_one(nest: &Nest) -> Option<(Axis, &[Axis])> {
    let (&inner, outer) = nest.axes.split_last()?;
    let (axis, around, joined) = joined_axes(inner, outer, &nest.block);
    around.is_empty().then_some((axis, joined))
}

/// The turns of two axes as one, if each address and index goes on along the outer one where the inner one ends.
fn joined(outer: &Axis, inner: &Axis, block: &Block) -> Option<Extent> {
    let columns = turns(inner.extent)?;
    let goes_on = |outer: Linear, inner: Linear| outer == inner.times(columns);
    // Lanes of one vector may then lie in two turns of the outer axis: no turn may read what another has written.
    let is_apart = |stored: &View| block.accesses().all(|other| other.view.buffer != stored.buffer || other.view == stored);
    if !block.stores().all(is_apart) {
        return None;
    }
    let fits = block.code.iter().all(|instruction| match instruction {
        Instruction::Load(view, _) | Instruction::Store(view, _) => {
            goes_on(stride(view, outer.var), stride(view, inner.var))
                && table_stride(view, outer.var) == 0
                && table_stride(view, inner.var) == 0
        }
        Instruction::Index { terms, .. } => {
            let along = |var| terms.iter().filter(|&&(v, _)| v == var).fold(Linear::ZERO, |sum, &(_, by)| sum.plus(by));
            goes_on(along(outer.var), along(inner.var))
        }
        _ => true,
    });
    fits.then(|| match outer.extent {
        Extent::Whole(number) => Extent::Whole(number.times(columns)),
        Extent::Tile { tile, step, total } => Extent::Tile { tile, step: step * columns, total: total.times(columns) },
    })
}
