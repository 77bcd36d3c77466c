//! What is computed before the first turn of an innermost loop: bases of addresses, invariant values, the starts of counters.

use cranelift_codegen::ir::{self, InstBuilder, types};

use super::Error;
use super::address::{Place, Travelling};
use super::block::{Lanes, Values, Width, undefined};
use super::function::{Emitter, MEMORY};
use super::plan::{Plan, plan, stride, table_stride};
use crate::loops::{Block, Instruction, Lane, Linear, Value, Var};

/// An `i32` that is advanced along the loop.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counter {
    pub start: ir::Value,
    /// What it gains in one turn of one lane.
    pub step: ir::Value,
}

/// What is computed before the first turn.
pub(super) struct Preamble<'a> {
    pub block: &'a Block,
    pub plan: Plan,
    /// For each load and store, its address.
    pub places: Vec<Option<Place>>,
    /// For each moving index, its place in `counters`.
    pub counter_at: Vec<Option<usize>>,
    pub counters: Vec<Counter>,
    /// Bytes that each offset gains in one turn of one lane.
    pub steps: Vec<Linear>,
    pub step_values: Vec<ir::Value>,
    /// Invariant values in one lane and in four.
    pub scalars: Values,
    pub vectors: Values,
}

impl Preamble<'_> {
    /// Instructions of a turn.
    pub fn moving(&self) -> i64 {
        self.plan.invariant.iter().filter(|invariant| !**invariant).count() as i64
    }
}

impl Emitter<'_> {
    /// Writes it for a block in the loop of `var`.
    pub fn preamble<'a>(
        &mut self,
        var: Option<Var>,
        vector: bool,
        block: &'a Block,
        lanes: &[Lane],
    ) -> Result<Preamble<'a>, Error> {
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
                    let mut place = self.place(view, None, &mut p.steps)?;
                    self.settle(&mut place, &p.scalars)?;
                    let ty = Width::One.of(*lane);
                    let value = self.builder.ins().load(ty, MEMORY, place.base, place.displacement);
                    p.scalars[at] = Some(Lanes::plain(value, *lane));
                }
                Instruction::Load(view, _) | Instruction::Store(view, _) => {
                    let mut place = self.place(view, var, &mut p.steps)?;
                    let fixed = view.pick.is_some_and(|pick| p.plan.invariant.get(pick.value.0 as usize) == Some(&true));
                    if fixed && var.is_some() {
                        self.settle(&mut place, &p.scalars)?;
                    } else if view.pick.is_some() && vector {
                        return Err(Error::Malformed("an index that varies along a vector axis".to_owned()));
                    }
                    p.places[at] = Some(place);
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
    pub fn spread_invariants(&mut self, p: &mut Preamble) {
        for (at, instruction) in p.block.code.iter().enumerate() {
            if p.plan.invariant[at] {
                continue;
            }
            for operand in instruction.operands() {
                let operand = operand.0 as usize;
                if let (None, Some(scalar)) = (p.vectors[operand], p.scalars[operand]) {
                    let value = self.spread(scalar.value, scalar.lane, Width::Four);
                    p.vectors[operand] = Some(Lanes::plain(value, scalar.lane));
                }
            }
        }
    }

    /// Turns the counters of one lane into those of four: `start + lane·step`.
    pub fn start_lanes(&mut self, p: &Preamble, state: &mut Travelling) {
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
}

/// The offset that counts turns: one with a known positive step, that of whole words if there is a choice.
pub(super) fn counting(steps: &[Linear]) -> Option<usize> {
    let words = Linear::fixed(4);
    let positive = |step: &Linear| step.is_fixed() && step.constant > 0;
    steps.iter().position(|&step| step == words).or_else(|| steps.iter().position(positive))
}

/// The type of each value of a block, all of whose operands are made before they are used; a store counts as an `I32`.
pub(super) fn lanes(block: &Block) -> Result<Vec<Lane>, Error> {
    let mut lanes: Vec<Lane> = Vec::with_capacity(block.code.len());
    for instruction in &block.code {
        let late = |value: &Value| value.0 as usize >= lanes.len();
        if let Some(value) = instruction.operands().into_iter().find(late) {
            return Err(undefined(value));
        }
        let lane = instruction.lane(|value| lanes[value.0 as usize]);
        lanes.push(lane);
    }
    Ok(lanes)
}

/// Refuses what four lanes cannot do: strides that depend on the batch, stores to one word, row tables along the axis, `f64`.
pub(super) fn check_vector(block: &Block, lanes: &[Lane], var: Var) -> Result<(), Error> {
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
        let fits = along.is_fixed() && !(along == Linear::ZERO && store);
        if !fits || table_stride(view, var) != 0 {
            return Err(Error::Malformed(format!(
                "a {} with stride {along} along a vector axis",
                if store { "store" } else { "load" },
            )));
        }
    }
    Ok(())
}
