//! The side of the caller: the argument block is filled, and the wide function called.

use cranelift_codegen::ir::{InstBuilder, StackSlotData, StackSlotKind, types};

use super::super::Error;
use super::super::block::defined;
use super::super::function::{Emitter, MEMORY};
use super::super::listing::Serves;
use super::super::plan::plan;
use super::super::preamble::{check_vector, lanes};
use super::super::symbols::Callee;
use super::super::turns::Count;
use super::encode::encode;
use super::operations::Scalar;
use super::pays::{pays, turns};
use super::select::select;
use crate::loops::{Axis, Block, Value};

impl Emitter<'_> {
    /// Writes the loop of a vector axis, which has a first turn, as a call of a wide function; `false` if it had better be written here.
    pub fn widened(&mut self, axis: &Axis, count: Count, block: &Block) -> Result<bool, Error> {
        let Some(form) = self.machine.wide.filter(|_| axis.vector) else { return Ok(false) };
        let lanes = lanes(block)?;
        check_vector(block, &lanes, axis.var)?;
        let plan = plan(block, &lanes, Some(axis.var), true);
        let words = |buffer| self.unit(buffer) == Ok(4);
        let Some(selection) = select(block, &lanes, &plan, axis.var, &words, form) else { return Ok(false) };
        let moving = plan.invariant.iter().filter(|invariant| !**invariant).count();
        if !self.machine.always_wide && !pays(&selection, moving, axis.extent, form) {
            return Ok(false);
        }
        let node = self.statement.map_or(Serves::Function, Serves::Node);
        let turns = turns(axis.extent, form);
        let Some(wide) = encode(&selection, turns, form, node)? else { return Ok(false) };
        #[cfg(test)]
        super::check::check(&wide, &selection, turns, form).map_err(Error::Malformed)?;
        let p = self.preamble(Some(axis.var), true, block, &lanes)?;
        let size = 8 * selection.places.len() + 4 * selection.scalars.len();
        let slot = StackSlotData::new(StackSlotKind::ExplicitSlot, size as u32, 3);
        let slot = self.builder.create_sized_stack_slot(slot);
        let arguments = self.builder.ins().stack_addr(types::I64, slot, 0);
        let mut offset = 0;
        for &at in &selection.places {
            self.origin(block.origins.get(at).copied());
            let place = p.places[at].ok_or_else(|| Error::Malformed("an access without a place".into()))?;
            self.builder.ins().store(MEMORY, place.base, arguments, offset);
            offset += 8;
        }
        for &scalar in &selection.scalars {
            let (Scalar::Invariant(at) | Scalar::Start(at) | Scalar::Step(at)) = scalar;
            self.origin(block.origins.get(at).copied());
            let counter = || p.counter_at[at].map(|counter| p.counters[counter]);
            let value = match scalar {
                Scalar::Invariant(at) => Some(defined(&p.scalars, Value(at as u32))?.value),
                Scalar::Start(_) => counter().map(|counter| counter.start),
                Scalar::Step(_) => counter().map(|counter| counter.step),
            };
            let value = value.ok_or_else(|| Error::Malformed("an index without a counter".into()))?;
            self.builder.ins().store(MEMORY, value, arguments, offset);
            offset += 4;
        }
        self.origin(None);
        let count = self.count_value(count);
        let number = self.wides.len() as u32;
        self.wides.push(wide);
        self.call(Callee::Wide(number), &[arguments, count]);
        Ok(true)
    }
}
