//! Loops around code being written.
//!
//! Loop variables are bound while the code inside their loop is written; a loop of one turn binds its variable to zero and writes no
//! loop at all. All loops test at the end of a turn, behind a guard that is left out where the first turn is certain, so that what
//! stands before the first turn (addresses, invariant loads) is executed only if a turn follows: the loop IR promises that accesses
//! lie in their buffers only for turns that happen.

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{self, BlockArg, InstBuilder, types};

use super::Error;
use super::function::{Bound, Emitter};
use crate::loops::{Extent, Linear, Var};

/// The turns of a loop.
#[derive(Clone, Copy, Debug)]
pub(super) enum Count {
    Known(i64),
    Dynamic {
        value: ir::Value,
        /// Whether the number is a multiple of four.
        fours: bool,
        /// Whether the first turn is certain.
        positive: bool,
    },
}

/// Turns of an axis, if they are known.
pub(super) fn turns(extent: Extent) -> Option<i64> {
    let turns = match extent {
        Extent::Whole(number) => number.is_fixed().then_some(number.constant),
        Extent::Tile { step, total, .. } if total.is_fixed() && total.constant % step.max(1) == 0 => Some(step),
        Extent::Tile { step, total, .. } => (total.is_fixed() && total.constant <= step).then_some(total.constant),
    };
    turns.filter(|turns| *turns > 0)
}

/// Code inside a loop.
pub(super) type Inside<'a, 'f> = &'a mut dyn FnMut(&mut Emitter<'f>) -> Result<(), Error>;

/// One turn: from its number, the next number and whether there is a next turn.
pub(super) type Turn<'a, 'f> = &'a mut dyn FnMut(&mut Emitter<'f>, ir::Value) -> Result<(ir::Value, ir::Value), Error>;

impl<'f> Emitter<'f> {
    /// The number of turns of a loop.
    pub fn count(&mut self, extent: Extent) -> Result<Count, Error> {
        let four = |number: Linear| number.constant % 4 == 0 && number.batch % 4 == 0;
        match extent {
            Extent::Whole(number) if number.is_fixed() => Ok(Count::Known(number.constant.max(0))),
            Extent::Whole(number) => {
                let value = self.linear(number);
                Ok(Count::Dynamic { value, fours: four(number), positive: false })
            }
            Extent::Tile { tile, step, total } => {
                if step <= 0 {
                    return Err(Error::Malformed(format!("a tile of {step} rows")));
                }
                if total.is_fixed() && total.constant % step == 0 {
                    return Ok(Count::Known(if total.constant > 0 { step } else { 0 }));
                }
                if total.is_fixed() && total.constant <= step {
                    return Ok(Count::Known(total.constant.max(0)));
                }
                let total_value = self.linear(total);
                let left = match self.bound(tile)? {
                    Bound::Zero => total_value,
                    Bound::At(tile) => {
                        let done = self.times(tile, step);
                        self.builder.ins().isub(total_value, done)
                    }
                };
                let step_value = self.int(step);
                let value = self.builder.ins().smin(step_value, left);
                Ok(Count::Dynamic { value, fours: step % 4 == 0 && four(total), positive: false })
            }
        }
    }

    /// A number of turns as a value.
    pub fn count_value(&mut self, count: Count) -> ir::Value {
        match count {
            Count::Known(number) => self.int(number),
            Count::Dynamic { value, .. } => value,
        }
    }

    /// Writes `inside` to be executed only if `condition` holds.
    pub fn guarded(&mut self, condition: ir::Value, inside: impl FnOnce(&mut Self) -> Result<(), Error>) -> Result<(), Error> {
        let then = self.builder.create_block();
        let done = self.builder.create_block();
        self.builder.ins().brif(condition, then, &[], done, &[]);
        self.builder.switch_to_block(then);
        inside(self)?;
        self.builder.ins().jump(done, &[]);
        self.builder.switch_to_block(done);
        Ok(())
    }

    /// Writes what is executed if `condition` holds, and what if it does not.
    pub fn either(
        &mut self,
        condition: ir::Value,
        first: impl FnOnce(&mut Self) -> Result<(), Error>,
        second: impl FnOnce(&mut Self) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let [then, otherwise, done] = [(); 3].map(|()| self.builder.create_block());
        self.builder.ins().brif(condition, then, &[], otherwise, &[]);
        self.builder.switch_to_block(then);
        first(self)?;
        self.builder.ins().jump(done, &[]);
        self.builder.switch_to_block(otherwise);
        second(self)?;
        self.builder.ins().jump(done, &[]);
        self.builder.switch_to_block(done);
        Ok(())
    }

    /// Writes a loop of `count` turns of a variable around `inside`.
    pub fn repeat(&mut self, var: Var, count: Count, inside: Inside<'_, 'f>) -> Result<(), Error> {
        match count {
            Count::Known(turns) if turns <= 0 => Ok(()),
            Count::Known(1) => {
                self.bind(var, Bound::Zero);
                inside(self)?;
                self.unbind(var);
                Ok(())
            }
            Count::Known(turns) => {
                let end = self.int(turns);
                self.strided(var, 1, end, inside)
            }
            Count::Dynamic { value, .. } => {
                let some = self.positive(value);
                self.guarded(some, |e| e.strided(var, 1, value, inside))
            }
        }
    }

    /// Writes a loop around `inside` for a variable from 0 while `var·step` is below `end`, given that `end` is positive.
    pub fn strided(&mut self, var: Var, step: i64, end: ir::Value, inside: Inside<'_, 'f>) -> Result<(), Error> {
        let zero = self.int(0);
        self.turns(zero, &mut |e, index| {
            e.bind(var, Bound::At(index));
            inside(e)?;
            e.unbind(var);
            let next = e.plus(index, 1);
            let reached = e.times(next, step);
            Ok((next, e.less(reached, end)))
        })
    }

    /// Whether `a < b`.
    pub fn less(&mut self, a: ir::Value, b: ir::Value) -> ir::Value {
        self.builder.ins().icmp(IntCC::SignedLessThan, a, b)
    }

    /// Whether `value` is more than zero.
    pub fn positive(&mut self, value: ir::Value) -> ir::Value {
        let zero = self.int(0);
        self.less(zero, value)
    }

    /// Writes a loop from `first` that goes on as `turn` says: it returns the next number and whether there is a next turn.
    pub fn turns(&mut self, first: ir::Value, turn: Turn<'_, 'f>) -> Result<(), Error> {
        let (head, parameters) = self.head(&[types::I64]);
        self.builder.ins().jump(head, &[BlockArg::Value(first)]);
        self.builder.switch_to_block(head);
        let (next, more) = turn(self, parameters[0])?;
        let done = self.builder.create_block();
        self.builder.ins().brif(more, head, &[BlockArg::Value(next)], done, &[]);
        self.builder.switch_to_block(done);
        Ok(())
    }
}
