//! The side of the caller: the argument block is filled, and the wide function called.

use cranelift_codegen::ir::{self, InstBuilder, StackSlotData, StackSlotKind, types};

use super::super::Error;
use super::super::block::defined;
use super::super::function::{Bound, Emitter, MEMORY};
use super::super::listing::Serves;
use super::super::plan::{plan, stride, table_stride};
use super::super::preamble::{Preamble, check_vector, lanes};
use super::super::symbols::Callee;
use super::super::turns::Count;
use super::Wide;
use super::encode::encode;
use super::operations::{Scalar, Selection};
use super::pays::{Work, pays, turns};
use super::select::{Rows, select};
use crate::loops::{Axis, Block, Instruction, Linear, Value, Var};

/// A wide function, and what its caller hands over.
struct Chosen {
    selection: Selection,
    wide: Wide,
    /// What each place gains in a row, if there are rows.
    gains: Vec<Linear>,
}

impl Emitter<'_> {
    /// Writes the loop of a vector axis, which has a first turn, as a call of a wide function; `false` if it had better be written here.
    pub fn widened(&mut self, axis: &Axis, count: Count, block: &Block) -> Result<bool, Error> {
        let Some(chosen) = self.chosen(None, axis, block)? else { return Ok(false) };
        self.call_wide(chosen, None, axis.var, count, block)?;
        Ok(true)
    }

    /// The same for the loop around it too.
    pub fn widened_rows(&mut self, rows: &Axis, axis: &Axis, block: &Block) -> Result<bool, Error> {
        let Some(chosen) = self.chosen(Some(rows), axis, block)? else { return Ok(false) };
        let mut some = Vec::new();
        let mut counts = Vec::new();
        for extent in [rows.extent, axis.extent] {
            let count = self.count(extent)?;
            match count {
                Count::Known(turns) if turns <= 0 => return Ok(true),
                Count::Dynamic { value, positive: false, .. } => some.push(self.positive(value)),
                _ => {}
            }
            counts.push(count);
        }
        self.bind(rows.var, Bound::Zero);
        let some = some.into_iter().reduce(|one, other| self.builder.ins().band(one, other));
        let call = |e: &mut Self| e.call_wide(chosen, Some(counts[0]), axis.var, counts[1], block);
        match some {
            Some(some) => self.guarded(some, call)?,
            None => call(self)?,
        }
        self.unbind(rows.var);
        Ok(true)
    }

    /// The function of a block, if it is worth it.
    fn chosen(&self, rows: Option<&Axis>, axis: &Axis, block: &Block) -> Result<Option<Chosen>, Error> {
        let Some(form) = self.machine.wide.filter(|_| axis.vector) else { return Ok(None) };
        let lanes = lanes(block)?;
        check_vector(block, &lanes, axis.var)?;
        let along = plan(block, &lanes, Some(axis.var), true);
        let moves: Option<Vec<bool>> =
            rows.map(|rows| plan(block, &lanes, Some(rows.var), true).invariant.iter().map(|fixed| !fixed).collect());
        let around = rows.zip(moves.as_deref()).map(|(rows, moves)| Rows { var: rows.var, moves });
        let words = |buffer| self.unit(buffer) == Ok(4);
        let selection = select(block, &lanes, &along, axis.var, around, &words, form);
        let Some(selection) = selection else { return Ok(None) };
        let gains = match rows {
            Some(rows) => gains(block, &selection, rows.var),
            None => Some(Vec::new()),
        };
        let Some(gains) = gains else { return Ok(None) };
        let moving = along.invariant.iter().filter(|invariant| !**invariant).count();
        let work = Work { rows: rows.map(|rows| rows.extent), turns: axis.extent, moving };
        if !self.machine.always_wide && !pays(&selection, work, form) {
            return Ok(None);
        }
        let node = self.statement.map_or(Serves::Function, Serves::Node);
        let turns = turns(axis.extent, form);
        let Some(wide) = encode(&selection, turns, form, node)? else { return Ok(None) };
        #[cfg(test)]
        super::check::check(&wide, &selection, turns, form).map_err(Error::Malformed)?;
        Ok(Some(Chosen { selection, wide, gains }))
    }

    fn call_wide(&mut self, chosen: Chosen, rows: Option<Count>, var: Var, count: Count, block: &Block) -> Result<(), Error> {
        let Chosen { selection, wide, gains } = chosen;
        let lanes = lanes(block)?;
        let mut p = self.preamble(Some(var), true, block, &lanes)?;
        let arguments = self.argument_block(selection.arguments());
        self.hand_pointers(&selection, block, &mut p, arguments)?;
        for (number, &gain) in gains.iter().enumerate() {
            let gain = self.linear(gain);
            self.builder.ins().store(MEMORY, gain, arguments, selection.gain_at(number) as i32);
        }
        self.hand_words(&selection, block, &p, arguments)?;
        self.origin(None);
        let count = self.count_value(count);
        if let Some(rows) = rows {
            let rows = self.count_value(rows);
            self.builder.ins().store(MEMORY, count, arguments, selection.turns_at() as i32);
            self.builder.ins().store(MEMORY, rows, arguments, selection.rows_at() as i32);
        }
        self.call_own(wide, arguments, count);
        Ok(())
    }

    /// Room on the stack for what a function is handed.
    pub(super) fn argument_block(&mut self, bytes: i64) -> ir::Value {
        let slot = StackSlotData::new(StackSlotKind::ExplicitSlot, bytes as u32, 3);
        let slot = self.builder.create_sized_stack_slot(slot);
        self.builder.ins().stack_addr(types::I64, slot, 0)
    }

    /// Calls a function that stands behind the code of its kernel.
    pub(super) fn call_own(&mut self, wide: Wide, arguments: ir::Value, count: ir::Value) {
        let number = self.wides.len() as u32;
        self.wides.push(wide);
        self.call(Callee::Wide(number), &[arguments, count]);
    }

    /// Writes the pointers of a selection's places into the argument block.
    pub(super) fn hand_pointers(
        &mut self,
        selection: &Selection,
        block: &Block,
        p: &mut Preamble,
        arguments: ir::Value,
    ) -> Result<(), Error> {
        for (number, &at) in selection.places.iter().enumerate() {
            self.origin(block.origins.get(at).copied());
            let place = match (p.places[at], &block.code[at]) {
                (Some(place), _) => place,
                // It is the same in all turns of a row.
                (None, Instruction::Load(view, _)) => self.place(view, None, &mut p.steps)?,
                (None, _) => return Err(Error::Malformed("an access without a place".into())),
            };
            self.builder.ins().store(MEMORY, place.base, arguments, selection.pointer_at(number) as i32);
        }
        Ok(())
    }

    /// Writes its words.
    pub(super) fn hand_words(
        &mut self,
        selection: &Selection,
        block: &Block,
        p: &Preamble,
        arguments: ir::Value,
    ) -> Result<(), Error> {
        for (number, &scalar) in selection.scalars.iter().enumerate() {
            let (Scalar::Invariant(at) | Scalar::Start(at) | Scalar::Step(at)) = scalar;
            self.origin(block.origins.get(at).copied());
            let counter = || p.counter_at[at].map(|counter| p.counters[counter]);
            let value = match scalar {
                Scalar::Invariant(at) => Some(defined(&p.scalars, Value(at as u32))?.value),
                Scalar::Start(_) => counter().map(|counter| counter.start),
                Scalar::Step(_) => counter().map(|counter| counter.step),
            };
            let value = value.ok_or_else(|| Error::Malformed("an index without a counter".into()))?;
            self.builder.ins().store(MEMORY, value, arguments, selection.word_at(number) as i32);
        }
        Ok(())
    }
}

/// Bytes that each place gains in a row; `None` if some place is looked up along the rows, or picked.
fn gains(block: &Block, selection: &Selection, rows: Var) -> Option<Vec<Linear>> {
    let gain = |&at: &usize| match &block.code[at] {
        Instruction::Load(view, _) | Instruction::Store(view, _) => {
            (view.pick.is_none() && table_stride(view, rows) == 0).then(|| stride(view, rows).times(4))
        }
        _ => None,
    };
    selection.places.iter().map(gain).collect()
}
