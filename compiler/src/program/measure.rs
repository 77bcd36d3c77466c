//! What the driver adds up and decides: sums of a pass, the mean of each result, early stopping.

use super::{Assembly, Table, Unit, set};
use crate::aggregate::Combination;
use crate::loops::block::BlockBuilder;
use crate::loops::{
    Axis, Block, BufferId, Comparison, Control, Extent, Kernel, Lane, Linear, Nest, Slot, Space, Statement, Value, Var, View,
};
use crate::step::plateau::SCALE;

/// Sums of one value over the chunks of a pass: what is carried over its groups, then each sum of all groups.
///
/// The first thread alone keeps them, in f64: a walk over the groups is no part of a step that is worth sharing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sums {
    buffer: BufferId,
    /// The kernel that sets all of them to 0.
    clear: u32,
    /// The kernel that adds a batch.
    add: u32,
}

/// The group that a walk has come to.
const GROUP: Var = Var(0);

/// Rows of the batch, as f64.
fn rows(block: &mut BlockBuilder, control: BufferId, batch: Slot) -> Value {
    let rows = block.load_scalar(control, i64::from(batch.0), Lane::I32);
    let rows = block.to_float(rows);
    block.promote(rows)
}

/// The first words of some sums set to 0.
fn zeros(title: &str, buffer: BufferId, words: i64) -> Nest {
    let mut block = BlockBuilder::new();
    let zero = block.f64(0.0);
    let strides = vec![(GROUP, Linear::fixed(1))];
    block.store(View { buffer, offset: Linear::ZERO, strides, table: None, pick: None }, zero);
    let axes = vec![Axis { var: GROUP, extent: Extent::fixed(words), vector: false }];
    Nest { title: title.to_string(), axes, block: block.finish() }
}

impl Assembly {
    pub(super) fn output(&self, block: &mut BlockBuilder, name: &str) -> Value {
        self.output_at(block, name, Vec::new())
    }

    /// The first element of an output, or the one that loop variables say.
    fn output_at(&self, block: &mut BlockBuilder, name: &str, strides: Vec<(Var, Linear)>) -> Value {
        match self.layout.find_output(name) {
            Some(buffer) => {
                let value = block.load(View { buffer, offset: Linear::ZERO, strides, table: None, pick: None }, Lane::F32);
                block.promote(value)
            }
            None => block.f64(0.0),
        }
    }

    /// Outputs of a unit that are measured, by the name after the unit's, with the way in which chunks combine; `None` by rows.
    fn measured(&self, unit: &Unit) -> Vec<(String, Option<Combination>)> {
        let parts: Vec<String> = self
            .combinations
            .iter()
            .flat_map(|(name, combination)| combination.parts.iter().map(move |part| format!("{name}.{part}")))
            .collect();
        let outputs = self.outputs(unit);
        let names = outputs.iter().map(|(name, _)| name.split_once('.').map_or(name.as_str(), |(_, short)| short).to_string());
        let kept = names.filter(|name| !parts.contains(name) && !crate::probes::is_probe(name));
        kept.map(|name| (name.clone(), self.combinations.get(&name).cloned())).collect()
    }

    /// Where the sums of a value that is no mean over rows stand, and the kernels that keep them; made at the first use.
    fn sums(&mut self, unit: &Unit, control: BufferId, prefix: &str, name: &str, combination: &Combination) -> Sums {
        let full_name = format!("{prefix}.{name}");
        if let Some(known) = self.sums.get(&full_name) {
            return *known;
        }
        let Combination { groups, sums, carried, .. } = combination;
        let words = (carried.len() + groups * sums.len()) as i64;
        let space = Space::Sums(self.sums.len() as u32);
        let buffer = self.program.add_buffer(format!("sums.{full_name}"), space, Lane::F64, Linear::fixed(words));
        let clear = vec![zeros("nothing yet", buffer, words)];
        let carry = vec![
            zeros("carried from nothing", buffer, carried.len() as i64),
            self.group(unit, control, buffer, name, combination),
        ];
        let mut kernel = |what: &str, nests: Vec<Nest>| {
            let body = nests.into_iter().map(Statement::Nest).collect();
            self.program.kernels.push(Kernel { name: format!("{what} {full_name}"), parallel: None, body, vars: 1 });
            self.program.kernels.len() as u32 - 1
        };
        let made = Sums { buffer, clear: kernel("clear", clear), add: kernel("add", carry) };
        self.sums.insert(full_name, made);
        made
    }

    /// A walk over the groups: each adds the batch to its sums, and what is carried goes on with them.
    fn group(&mut self, unit: &Unit, control: BufferId, buffer: BufferId, name: &str, combination: &Combination) -> Nest {
        let batch = self.slot("batch", Lane::I32);
        let group = vec![(GROUP, Linear::fixed(1))];
        let mut block = BlockBuilder::new();
        let full_name = format!("{}.{name}", unit.name);
        let mut given = vec![self.output(&mut block, &full_name)];
        for part in &combination.parts {
            given.push(self.output_at(&mut block, &format!("{full_name}.{part}"), group.clone()));
        }
        given.push(rows(&mut block, control, batch));
        let view = |offset: usize, strides: &[(Var, Linear)]| View {
            buffer,
            offset: Linear::fixed(offset as i64),
            strides: strides.to_vec(),
            table: None,
            pick: None,
        };
        let count = combination.carried.len();
        let mut stores = Vec::new();
        let mut state: Vec<Value> = (0..count).map(|place| block.load(view(place, &[]), Lane::F64)).collect();
        for (number, term) in combination.sums.iter().enumerate() {
            let place = view(count + number * combination.groups, &group);
            let term = term.write(&mut block, &given);
            let before = block.load(place.clone(), Lane::F64);
            let next = block.add(before, term);
            state.push(next);
            stores.push((place, next));
        }
        for (place, formula) in combination.carried.iter().enumerate() {
            let next = formula.write(&mut block, &state);
            stores.push((view(place, &[]), next));
        }
        for (place, value) in stores {
            block.store(place, value);
        }
        let extent = Extent::fixed(combination.groups as i64);
        let axes = vec![Axis { var: GROUP, extent, vector: false }];
        Nest { title: format!("sums of {name}"), axes, block: block.finish() }
    }

    /// Adds a batch to the sums of a pass: `rows += batch`, and for the loss and each metric `k.sum` such that `k.sum / rows` is its
    /// value for all rows so far, however its chunks combine.
    pub(super) fn accumulate(&mut self, unit: &Unit, control: BufferId, prefix: &str) -> Vec<Control> {
        let batch = self.slot("batch", Lane::I32);
        let total = self.slot(&format!("{prefix}.rows"), Lane::F64);
        let mut kernels = Vec::new();
        let mut block = BlockBuilder::new();
        let rows = rows(&mut block, control, batch);
        let so_far = |block: &mut BlockBuilder, slot: Slot| block.load_scalar(control, i64::from(slot.0), Lane::F64);
        let before = so_far(&mut block, total);
        let all = block.add(before, rows);
        let mut stores = vec![(total, all)];
        for (name, combination) in self.measured(unit) {
            let sum = self.slot(&format!("{prefix}.{name}.sum"), Lane::F64);
            let next = match combination {
                // Until the scores of all rows are in order, the mean over batches stands for the value.
                None | Some(Combination { ranked: true, .. }) => {
                    let value = self.output(&mut block, &format!("{}.{name}", unit.name));
                    let weighted = block.mul(value, rows);
                    let before = so_far(&mut block, sum);
                    block.add(before, weighted)
                }
                Some(combination) => {
                    let sums = self.sums(unit, control, prefix, &name, &combination);
                    kernels.push(Control::Kernel(sums.add));
                    let places = 0..combination.carried.len() as i64;
                    let carried: Vec<Value> = places.map(|place| block.load_scalar(sums.buffer, place, Lane::F64)).collect();
                    let value = combination.value.write(&mut block, &carried);
                    block.mul(value, all)
                }
            };
            stores.push((sum, next));
        }
        for (slot, value) in stores {
            set(&mut block, control, slot, value);
        }
        kernels.push(Control::Scalar(block.finish()));
        kernels
    }

    /// Sets the sums of a pass to zero.
    pub(super) fn clear(&mut self, unit: &Unit, control: BufferId, prefix: &str) -> Vec<Control> {
        let mut kernels = Vec::new();
        let mut block = BlockBuilder::new();
        let zero = block.f64(0.0);
        for (name, combination) in self.measured(unit) {
            if let Some(combination) = combination.filter(|combination| !combination.ranked) {
                kernels.push(Control::Kernel(self.sums(unit, control, prefix, &name, &combination).clear));
            }
            let slot = self.slot(&format!("{prefix}.{name}.sum"), Lane::F64);
            set(&mut block, control, slot, zero);
        }
        let total = self.slot(&format!("{prefix}.rows"), Lane::F64);
        set(&mut block, control, total, zero);
        kernels.push(Control::Scalar(block.finish()));
        kernels
    }

    /// Sums of an evaluation that are worth reading as tables.
    pub(super) fn tables(&self) -> Vec<Table> {
        let of = |(name, combination): (&String, &Combination)| {
            let sums = self.sums.get(&format!("evaluate.{name}"))?;
            let first = combination.carried.len();
            Some(Table {
                name: name.clone(),
                buffer: sums.buffer,
                first,
                cells: combination.groups,
                columns: combination.columns?,
            })
        };
        self.combinations.iter().filter_map(of).collect()
    }

    /// `stop |= !finite`
    pub(super) fn stop_unless_finite(&mut self, control: BufferId, finite: Slot, stop: Slot) -> Block {
        let mut block = BlockBuilder::new();
        let is_finite = block.load_scalar(control, i64::from(finite.0), Lane::I32);
        let ones = block.i32(-1);
        let failed = block.xor(is_finite, ones);
        let stopped = block.load_scalar(control, i64::from(stop.0), Lane::I32);
        let stopped = block.or(stopped, failed);
        set(&mut block, control, stop, stopped);
        block.finish()
    }

    /// Early stopping: the monitored mean against the best so far.
    ///
    /// `monitor.k` is 1 for the one result that is watched; `sign` is 1 where lower is better, -1 where higher is. An epoch counts as
    /// better if it is so by more than `least`; NaN never is.
    pub(super) fn judge(&mut self, unit: &Unit, control: BufferId) -> Block {
        let mut block = BlockBuilder::new();
        let load = |block: &mut BlockBuilder, slot: Slot, lane: Lane| block.load_scalar(control, i64::from(slot.0), lane);
        let zero = block.f64(0.0);
        let rows = self.slot("evaluate.rows", Lane::F64);
        let rows = load(&mut block, rows, Lane::F64);
        let mut watched = zero;
        for (name, _) in self.measured(unit) {
            let (sum, chosen) =
                (self.slot(&format!("evaluate.{name}.sum"), Lane::F64), self.slot(&format!("monitor.{name}"), Lane::F64));
            let sum = load(&mut block, sum, Lane::F64);
            let mean = block.div(sum, rows);
            let chosen = load(&mut block, chosen, Lane::F64);
            let is_it = block.compare(Comparison::Ne, chosen, zero);
            watched = block.select(is_it, mean, watched);
        }
        let (sign, least, best) = (self.slot("sign", Lane::F64), self.slot("least", Lane::F64), self.slot("best", Lane::F64));
        let (waited, patience) = (self.slot("waited", Lane::I32), self.slot("patience", Lane::I32));
        let (improved, stop, patient) =
            (self.slot("improved", Lane::I32), self.slot("stop", Lane::I32), self.slot("out.of.patience", Lane::I32));
        let (monitored, epoch, best_epoch) =
            (self.slot("monitored", Lane::F64), self.slot("epoch", Lane::I32), self.slot("best.epoch", Lane::I32));
        let factor = load(&mut block, sign, Lane::F64);
        let score = block.mul(watched, factor);
        let best_score = load(&mut block, best, Lane::F64);
        let margin = load(&mut block, least, Lane::F64);
        let reached = block.add(score, margin);
        let better = block.compare(Comparison::Lt, reached, best_score);
        let next_best = block.select(better, score, best_score);
        let wait = load(&mut block, waited, Lane::I32);
        let one = block.i32(1);
        let none = block.i32(0);
        let longer = block.add(wait, one);
        let wait = block.select(better, none, longer);
        let limit = load(&mut block, patience, Lane::I32);
        // A patience of 0 means that none was asked for.
        let some = block.compare(Comparison::Ne, limit, none);
        let over = block.compare(Comparison::Le, limit, wait);
        let over = block.and(over, some);
        let stopped = load(&mut block, stop, Lane::I32);
        let stopped = block.or(stopped, over);
        let now = load(&mut block, epoch, Lane::I32);
        let before = load(&mut block, best_epoch, Lane::I32);
        let when = block.select(better, now, before);
        if self.program.slots.iter().any(|slot| slot.name == format!("setting.{SCALE}")) {
            self.lower_rate(&mut block, control, better);
        }
        for (slot, value) in [
            (best, next_best),
            (waited, wait),
            (improved, better),
            (stop, stopped),
            (patient, over),
            (monitored, watched),
            (best_epoch, when),
        ] {
            set(&mut block, control, slot, value);
        }
        block.finish()
    }

    /// The rate's factor is multiplied by `plateau.factor` each time that `plateau.patience` epochs in a row were not better.
    fn lower_rate(&mut self, block: &mut BlockBuilder, control: BufferId, better: Value) {
        let (scale, factor) = (self.slot(&format!("setting.{SCALE}"), Lane::F64), self.slot("plateau.factor", Lane::F64));
        let (waited, patience) = (self.slot("plateau.waited", Lane::I32), self.slot("plateau.patience", Lane::I32));
        let load = |block: &mut BlockBuilder, slot: Slot, lane: Lane| block.load_scalar(control, i64::from(slot.0), lane);
        let (one, none) = (block.i32(1), block.i32(0));
        let wait = load(block, waited, Lane::I32);
        let longer = block.add(wait, one);
        let wait = block.select(better, none, longer);
        let limit = load(block, patience, Lane::I32);
        let over = block.compare(Comparison::Le, limit, wait);
        let (before, factor) = (load(block, scale, Lane::F64), load(block, factor, Lane::F64));
        let lower = block.mul(before, factor);
        let next = block.select(over, lower, before);
        let wait = block.select(over, none, wait);
        set(block, control, scale, next);
        set(block, control, waited, wait);
    }
}
