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
//! A vector axis becomes a loop over groups of four lanes, then a loop over the rest of the turns in one lane, which goes on with the
//! offsets where the first one stopped. Loops that are known to have no turn are not written, those with one turn have no branch.

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{self, BlockArg, InstBuilder, Type, types};

use super::Error;
use super::address::{Place, Travelling};
use super::block::{Lanes, Values, Width};
use super::function::{Count, Emitter, MEMORY};
use super::plan::{Plan, operands, plan, stride, table_stride};
use crate::loops::{Axis, Block, Instruction, Lane, Linear, Nest, Value, Var};

/// An `i32` that is advanced along the loop.
#[derive(Clone, Copy, Debug)]
struct Counter {
    start: ir::Value,
    /// What it gains in one turn of one lane.
    step: ir::Value,
}

/// What is computed before the first turn.
struct Preamble<'a> {
    block: &'a Block,
    plan: Plan,
    /// For each load and store, its address.
    places: Vec<Option<Place>>,
    /// For each moving index, its place in `counters`.
    counter_at: Vec<Option<usize>>,
    counters: Vec<Counter>,
    /// Bytes that each offset gains in one turn of one lane.
    steps: Vec<Linear>,
    step_values: Vec<ir::Value>,
    /// Invariant values in one lane and in four.
    scalars: Values,
    vectors: Values,
}

impl Emitter<'_> {
    /// Writes a loop nest.
    pub fn nest(&mut self, nest: &Nest) -> Result<(), Error> {
        match nest.axes.split_last() {
            None => self.innermost(None, &nest.block),
            Some((inner, outer)) => {
                if outer.iter().any(|axis| axis.vector) {
                    return Err(Error::Malformed("a vector axis that is not innermost".to_owned()));
                }
                self.axes(outer, inner, &nest.block)
            }
        }
    }

    fn axes(&mut self, outer: &[Axis], inner: &Axis, block: &Block) -> Result<(), Error> {
        match outer.split_first() {
            None => self.innermost(Some(inner), block),
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
                let zero = self.int(0);
                let some = self.builder.ins().icmp(IntCC::SignedLessThan, zero, value);
                self.guarded(some, |e| e.counted(Some(axis.var), axis.vector, count, block))
            }
            _ => self.counted(Some(axis.var), axis.vector, count, block),
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

    fn preamble<'a>(&mut self, var: Option<Var>, vector: bool, block: &'a Block, lanes: &[Lane]) -> Result<Preamble<'a>, Error> {
        let size = block.code.len();
        let mut p = Preamble {
            block,
            plan: plan(block, lanes, var, vector),
            places: vec![None; size],
            counter_at: vec![None; size],
            counters: Vec::new(),
            steps: Vec::new(),
            step_values: Vec::new(),
            scalars: vec![None; size],
            vectors: vec![None; size],
        };
        for (at, instruction) in block.code.iter().enumerate() {
            self.origin(block.origins.get(at).copied());
            match instruction {
                _ if p.plan.kept_at[at].is_some() => {}
                Instruction::Load(view, lane) if p.plan.invariant[at] && var.is_some() => {
                    let place = self.place(view, None, &mut p.steps)?;
                    let ty = Width::One.of(*lane);
                    let value = self.builder.ins().load(ty, MEMORY, place.base, place.displacement);
                    p.scalars[at] = Some(Lanes::plain(value, *lane));
                }
                Instruction::Load(view, _) | Instruction::Store(view, _) => {
                    p.places[at] = Some(self.place(view, var, &mut p.steps)?);
                }
                Instruction::Index { terms, offset } => {
                    let start = self.linear(*offset);
                    let start = self.weighted(start, terms.iter().copied(), 1, var)?;
                    let start = self.builder.ins().ireduce(types::I32, start);
                    let step = var.map_or(Linear::ZERO, |var| {
                        terms.iter().filter(|&&(v, _)| v == var).fold(Linear::ZERO, |sum, &(_, factor)| sum.plus(factor))
                    });
                    if p.plan.invariant[at] {
                        p.scalars[at] = Some(Lanes::plain(start, Lane::I32));
                    } else {
                        let step = self.linear(step);
                        let step = self.builder.ins().ireduce(types::I32, step);
                        p.counter_at[at] = Some(p.counters.len());
                        p.counters.push(Counter { start, step });
                    }
                }
                pure if p.plan.invariant[at] && var.is_some() => {
                    p.scalars[at] = Some(self.pure(pure, Width::One, &p.scalars)?);
                }
                _ => {}
            }
        }
        // Turns are counted by an offset, so there is one with a known step.
        if var.is_some() && counting(&p.steps).is_none() {
            p.steps.push(Linear::fixed(1));
        }
        for step in p.steps.clone() {
            let value = self.linear(step);
            p.step_values.push(value);
        }
        Ok(p)
    }

    /// Spreads the invariants that moving instructions use over four lanes.
    fn spread_invariants(&mut self, p: &mut Preamble) {
        for (at, instruction) in p.block.code.iter().enumerate() {
            if p.plan.invariant[at] {
                continue;
            }
            for operand in operands(instruction) {
                let operand = operand.0 as usize;
                if let (None, Some(scalar)) = (p.vectors[operand], p.scalars[operand]) {
                    let value = self.spread(scalar.value, scalar.lane, Width::Four);
                    p.vectors[operand] = Some(Lanes::plain(value, scalar.lane));
                }
            }
        }
    }

    /// Turns the counters of one lane into those of four: `start + lane·step`.
    fn start_lanes(&mut self, p: &Preamble, state: &mut Travelling) {
        for (counter, value) in p.counters.iter().zip(&mut state.counters) {
            let lanes: Vec<u8> = (0..4i32).flat_map(i32::to_le_bytes).collect();
            let lanes = self.builder.func.dfg.constants.insert(lanes.into());
            let lanes = self.builder.ins().vconst(types::I32X4, lanes);
            let step = self.spread(counter.step, Lane::I32, Width::Four);
            let along = self.builder.ins().imul(lanes, step);
            let start = self.spread(counter.start, Lane::I32, Width::Four);
            *value = self.builder.ins().iadd(start, along);
        }
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
                    kept[word] = defined(&values, value.0)?.value;
                    None
                }
                (Instruction::Load(_, lane), None, Some(place)) => Some(self.load(place, *lane, width, state)),
                (Instruction::Store(_, value), None, Some(place)) => {
                    let value = defined(&values, value.0)?.value;
                    let address = self.address(place, state);
                    self.builder.ins().store(MEMORY, value, address, place.displacement);
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

/// The offset that counts turns: one with a known positive step, that of whole words if there is a choice.
fn counting(steps: &[Linear]) -> Option<usize> {
    let words = Linear::fixed(4);
    let positive = |step: &Linear| step.is_fixed() && step.constant > 0;
    steps.iter().position(|&step| step == words).or_else(|| steps.iter().position(positive))
}

fn defined(values: &Values, value: u32) -> Result<Lanes, Error> {
    values.get(value as usize).copied().flatten().ok_or_else(|| Error::Malformed(format!("value {value} is not defined")))
}

/// The type of each value of a block; a store counts as an `I32`.
fn lanes(block: &Block) -> Result<Vec<Lane>, Error> {
    use Instruction::*;
    let mut lanes: Vec<Lane> = Vec::with_capacity(block.code.len());
    for instruction in &block.code {
        let of = |value: &Value| {
            lanes.get(value.0 as usize).copied().ok_or_else(|| Error::Malformed(format!("value {} is not defined", value.0)))
        };
        let lane = match instruction {
            Load(_, lane) => *lane,
            Add(a, _) | Sub(a, _) | Mul(a, _) | Div(a, _) | Sqrt(a) | Select(_, a, _) => of(a)?,
            ConstF32(_) | Fma(..) | Round(_) | Truncate(_) | Floor(_) | ToFloat(_) | FromBits(_) | Demote(_) => Lane::F32,
            ConstF64(_) | Promote(_) | Call(..) => Lane::F64,
            ConstI32(_)
            | Index { .. }
            | Compare(..)
            | And(..)
            | Or(..)
            | Xor(..)
            | ShiftLeft(..)
            | ShiftRight(..)
            | ShiftRightSigned(..)
            | ToInt(_)
            | Bits(_)
            | Store(..) => Lane::I32,
        };
        lanes.push(lane);
    }
    Ok(lanes)
}

/// Refuses what four lanes cannot do: strides other than 0 and 1, row tables along the axis, `f64`.
fn check_vector(block: &Block, lanes: &[Lane], var: Var) -> Result<(), Error> {
    if lanes.contains(&Lane::F64) {
        return Err(Error::Malformed("an f64 in a vector loop".to_owned()));
    }
    for instruction in &block.code {
        let (view, store) = match instruction {
            Instruction::Load(view, _) => (view, false),
            Instruction::Store(view, _) => (view, true),
            _ => continue,
        };
        let along = stride(view, var);
        let fits = along == Linear::fixed(1) || (along == Linear::ZERO && !store);
        if !fits || table_stride(view, var) != 0 {
            return Err(Error::Malformed(format!(
                "a {} with stride {along} along a vector axis",
                if store { "store" } else { "load" },
            )));
        }
    }
    Ok(())
}
