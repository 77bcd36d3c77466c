//! What the driver adds up and decides: sums of a pass, the mean of each result, early stopping.

use super::{Assembly, Unit, set};
use crate::aggregate::Combination;
use crate::loops::block::BlockBuilder;
use crate::loops::{Block, BufferId, Comparison, Lane, Slot, Value};

impl Assembly {
    pub(super) fn output(&self, block: &mut BlockBuilder, name: &str) -> Value {
        self.output_at(block, name, 0)
    }

    /// One element of an output.
    fn output_at(&self, block: &mut BlockBuilder, name: &str, element: usize) -> Value {
        match self.layout.find_output(name) {
            Some(buffer) => {
                let value = block.load_scalar(buffer, element as i64, Lane::F32);
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

    /// Slots of the sums of a value that is no mean over rows: for each group, for each sum.
    fn sums(&mut self, prefix: &str, name: &str, combination: &Combination) -> Vec<Vec<Slot>> {
        let mut slots = Vec::new();
        for group in 0..combination.groups {
            let own = 0..combination.sums.len();
            slots.push(own.map(|sum| self.slot(&format!("{prefix}.{name}.{group}.{sum}.sum"), Lane::F64)).collect());
        }
        slots
    }

    /// Adds a batch to the sums of a pass: `rows.sum += rows`, and for the loss and each metric `k.sum` such that `k.sum / rows.sum` is its
    /// value for all rows so far, however its chunks combine.
    pub(super) fn accumulate(&mut self, unit: &Unit, control: BufferId, prefix: &str) -> Block {
        let batch = self.slot("batch", Lane::I32);
        let total = self.slot(&format!("{prefix}.rows.sum"), Lane::F64);
        let mut block = BlockBuilder::new();
        let rows = block.load_scalar(control, i64::from(batch.0), Lane::I32);
        let rows = block.to_float(rows);
        let rows = block.promote(rows);
        let so_far = |block: &mut BlockBuilder, slot: Slot| block.load_scalar(control, i64::from(slot.0), Lane::F64);
        let before = so_far(&mut block, total);
        let all = block.add(before, rows);
        let mut stores = vec![(total, all)];
        for (name, combination) in self.measured(unit) {
            let sum = self.slot(&format!("{prefix}.{name}.sum"), Lane::F64);
            let full_name = format!("{}.{name}", unit.name);
            let value = self.output(&mut block, &full_name);
            let next = match combination {
                None => {
                    let weighted = block.mul(value, rows);
                    let before = so_far(&mut block, sum);
                    block.add(before, weighted)
                }
                Some(combination) => {
                    let slots = self.sums(prefix, &name, &combination);
                    let mut sums: Vec<Vec<Value>> = Vec::new();
                    for (group, slots) in slots.iter().enumerate() {
                        let mut given = vec![value];
                        for part in &combination.parts {
                            given.push(self.output_at(&mut block, &format!("{full_name}.{part}"), group));
                        }
                        given.push(rows);
                        let mut own = Vec::new();
                        for (slot, term) in slots.iter().zip(&combination.sums) {
                            let term = term.write(&mut block, &given);
                            let before = so_far(&mut block, *slot);
                            let next = block.add(before, term);
                            stores.push((*slot, next));
                            own.push(next);
                        }
                        sums.push(own);
                    }
                    let value = combination.write(&mut block, &sums);
                    block.mul(value, all)
                }
            };
            stores.push((sum, next));
        }
        for (slot, value) in stores {
            set(&mut block, control, slot, value);
        }
        block.finish()
    }

    /// Sets the sums of a pass to zero.
    pub(super) fn clear(&mut self, unit: &Unit, control: BufferId, prefix: &str) -> Block {
        let mut block = BlockBuilder::new();
        let zero = block.f64(0.0);
        for (name, combination) in self.measured(unit) {
            let further = combination.map_or_else(Vec::new, |combination| self.sums(prefix, &name, &combination));
            let mut slots: Vec<Slot> = further.into_iter().flatten().collect();
            slots.push(self.slot(&format!("{prefix}.{name}.sum"), Lane::F64));
            for slot in slots {
                set(&mut block, control, slot, zero);
            }
        }
        let total = self.slot(&format!("{prefix}.rows.sum"), Lane::F64);
        set(&mut block, control, total, zero);
        block.finish()
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
        let rows = self.slot("evaluate.rows.sum", Lane::F64);
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
}
