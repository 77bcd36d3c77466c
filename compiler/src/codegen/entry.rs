//! Entries: the driver, one function each, run side by side by every thread of a team.
//!
//! Every thread keeps for itself the counters of the loops it is in and the batch size (0 until the first `Batch`); all else is in the
//! control buffer. Where threads wait for one another is said in [`super::synchronize`]; with one thread no barrier is called.
//!
//! - A kernel with a parallel loop runs on every thread, for a contiguous share of its tiles: thread `t` of `T` takes
//!   `tiles·t/T .. tiles·(t+1)/T`. A kernel without one runs on the first thread.
//! - `Loop`: the first thread writes the turn's number to the counter's slot, every thread compares it with the slot of `count`, and
//!   after the turn every thread reads `stop`. So after a full run the counter's slot holds the count, and after a stop the turn's number.
//! - `Batch` reads its slot; kernels get the number as their `n`.
//! - `Scalar`, `Copy` and `Call` are executed by the first thread.

use std::collections::BTreeMap;

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{self, BlockArg, InstBuilder, StackSlotData, StackSlotKind, types};

use super::Error;
use super::alone::{self, Alone};
use super::function::{Batch, Emitter, FIXED, MEMORY};
use super::kernel::buffers_in;
use super::listing::{DRIVER, KERNEL};
use super::symbols::Callee;
use super::synchronize::{Step, Turns};
use crate::abi;
use crate::loops::{BufferId, Slot, Space};

/// What every thread knows of itself.
#[derive(Clone, Copy)]
struct Thread {
    number: ir::Value,
    team: ir::Value,
    /// Whether it is the first.
    first: ir::Value,
    /// Whether there are others.
    several: ir::Value,
    /// First byte of the control buffer, if the program has one.
    control: Option<ir::Value>,
}

impl Emitter<'_> {
    /// Writes an entry whose entry block is current.
    pub fn entry(&mut self, steps: &[Step]) -> Result<(), Error> {
        let thread = self.thread(steps)?;
        let slot = self.builder.create_sized_stack_slot(StackSlotData::new(StackSlotKind::ExplicitSlot, 8, 3));
        self.batch = Batch::Local(slot);
        let zero = self.int(0);
        self.set_batch(slot, zero);
        self.steps(steps, thread)
    }

    /// Writes a part of an entry, for `n` rows, whose entry block is current.
    pub fn part(&mut self, steps: &[Step], n: ir::Value) -> Result<(), Error> {
        self.batch = Batch::Argument(n);
        let thread = self.thread(steps)?;
        self.steps(steps, thread)
    }

    /// Writes a turn for one row on one thread, whose entry block is current.
    pub fn alone(&mut self, alone: &Alone) -> Result<(), Error> {
        self.is_driver = true;
        self.statement = Some(DRIVER);
        self.origin(None);
        self.load_pointers_as(FIXED, alone.buffers(self.program).into_iter().map(|buffer| (buffer, None)));
        self.written_out(alone)
    }

    /// What the thread knows of itself, and pointers to what the steps touch.
    fn thread(&mut self, steps: &[Step]) -> Result<Thread, Error> {
        self.is_driver = true;
        self.statement = Some(DRIVER);
        self.origin(None);
        let control = (0..).map(BufferId).zip(&self.program.buffers);
        let control = control.clone().find(|(_, buffer)| buffer.space == Space::Control).map(|(id, _)| id);
        let mut used: BTreeMap<BufferId, Option<u32>> = control.into_iter().map(|buffer| (buffer, None)).collect();
        collect(steps, &mut used);
        self.load_pointers(used);
        let number = self.context_field(std::mem::offset_of!(abi::Context, thread));
        let team = self.context_field(std::mem::offset_of!(abi::Context, threads));
        let zero = self.int(0);
        let one = self.int(1);
        Ok(Thread {
            number,
            team,
            first: self.builder.ins().icmp(IntCC::Equal, number, zero),
            several: self.builder.ins().icmp(IntCC::SignedGreaterThan, team, one),
            control: match control {
                Some(buffer) => Some(self.pointer(buffer)?),
                None => None,
            },
        })
    }

    fn steps(&mut self, steps: &[Step], thread: Thread) -> Result<(), Error> {
        for step in steps {
            self.statement = Some(if let Step::Kernel(index) = step { KERNEL | index } else { DRIVER });
            self.origin(None);
            match step {
                Step::Barrier => self.barrier(thread)?,
                Step::Kernel(index) => {
                    self.mark(i64::from(*index), thread)?;
                    self.share(*index, thread)?;
                    self.mark(-1, thread)?;
                }
                Step::Part(index) => {
                    let n = self.n();
                    self.call(Callee::Part(*index), &[self.context, n]);
                }
                Step::Alone { part, otherwise } => self.alone_or(*part, otherwise, thread)?,
                Step::Scalar(block) => {
                    self.title("scalar".to_owned(), Some(DRIVER));
                    self.guarded(thread.first, |e| e.straight(block))?;
                    self.origin(None);
                }
                Step::Batch(slot) => {
                    let n = self.read(*slot, thread)?;
                    if let Batch::Local(local) = self.batch {
                        self.set_batch(local, n);
                    }
                }
                Step::Copy { from, to } => self.copy(*from, *to, thread)?,
                Step::Call(symbol) => {
                    let place = self.names.drivers.iter().position(|known| known == symbol);
                    let callee = place
                        .map(|place| Callee::Driver(place as u32))
                        .ok_or_else(|| Error::MissingSymbol((*symbol).to_owned()))?;
                    self.guarded(thread.first, |e| {
                        e.call(callee, &[e.context]);
                        Ok(())
                    })?;
                }
                Step::If { condition, then, otherwise } => self.branch(*condition, then, otherwise, thread)?,
                Step::Loop(turns) => self.repeated(turns, thread)?,
            }
        }
        Ok(())
    }

    fn set_batch(&mut self, slot: ir::StackSlot, n: ir::Value) {
        let address = self.builder.ins().stack_addr(types::I64, slot, 0);
        self.builder.ins().store(MEMORY, n, address, 0);
    }

    fn barrier(&mut self, thread: Thread) -> Result<(), Error> {
        self.guarded(thread.several, |e| {
            let barrier = e.context_field(std::mem::offset_of!(abi::Context, barrier));
            e.call(Callee::Barrier, &[barrier]);
            Ok(())
        })
    }

    fn mark(&mut self, what: i64, thread: Thread) -> Result<(), Error> {
        if !self.machine.marks {
            return Ok(());
        }
        self.guarded(thread.first, |e| {
            let what = e.int(what);
            e.call(Callee::Mark, &[e.context, what]);
            Ok(())
        })
    }

    /// Address of a slot as pointer and displacement.
    fn slot(&self, slot: Slot, thread: Thread) -> Result<(ir::Value, i32), Error> {
        match (thread.control, i32::try_from(8 * i64::from(slot.0))) {
            (Some(control), Ok(displacement)) => Ok((control, displacement)),
            _ => Err(Error::Malformed("the program has no control buffer".to_owned())),
        }
    }

    /// An I32 slot, widened.
    fn read(&mut self, slot: Slot, thread: Thread) -> Result<ir::Value, Error> {
        let (control, displacement) = self.slot(slot, thread)?;
        let word = self.builder.ins().load(types::I32, MEMORY, control, displacement);
        Ok(self.builder.ins().sextend(types::I64, word))
    }

    /// Runs a kernel's tiles, or this thread's share of them.
    fn share(&mut self, index: u32, thread: Thread) -> Result<(), Error> {
        let Some(kernel) = self.program.kernels.get(index as usize) else {
            return Err(Error::Malformed(format!("there is no kernel {index}")));
        };
        let callee = Callee::Kernel(index);
        self.title(kernel.name.clone(), Some(KERNEL | index));
        let n = self.n();
        let Some(parallel) = kernel.parallel else {
            return self.guarded(thread.first, |e| {
                let (first, end) = (e.int(0), e.int(1));
                e.call(callee, &[e.context, n, first, end]);
                Ok(())
            });
        };
        if parallel.step <= 0 {
            return Err(Error::Malformed(format!("tiles of {} rows", parallel.step)));
        }
        let total = self.linear(parallel.total);
        let step = self.int(parallel.step);
        // A thread that is alone takes all tiles, which need no division by the size of the team.
        let (some, bounds) = self.head(&[types::I64, types::I64]);
        let [alone, shared] = [(); 2].map(|()| self.builder.create_block());
        self.builder.ins().brif(thread.several, shared, &[], alone, &[]);
        self.builder.switch_to_block(alone);
        let zero = self.int(0);
        let all = match parallel.total.is_fixed() {
            true => self.int(parallel.tiles(0)),
            false => {
                let up = self.plus(total, parallel.step - 1);
                self.builder.ins().sdiv(up, step)
            }
        };
        self.builder.ins().jump(some, &[BlockArg::Value(zero), BlockArg::Value(all)]);
        self.builder.switch_to_block(shared);
        let next = self.plus(thread.number, 1);
        let bound = |e: &mut Self, number| {
            e.call(Callee::Share, &[total, step, number, thread.team])
                .ok_or_else(|| Error::Malformed("a share without a result".to_owned()))
        };
        let first = bound(self, thread.number)?;
        let end = bound(self, next)?;
        self.builder.ins().jump(some, &[BlockArg::Value(first), BlockArg::Value(end)]);
        self.builder.switch_to_block(some);
        let (first, end) = (bounds[0], bounds[1]);
        self.call(callee, &[self.context, n, first, end]);
        Ok(())
    }

    fn copy(&mut self, from: BufferId, to: BufferId, thread: Thread) -> Result<(), Error> {
        let bytes = |e: &Self, buffer: BufferId| {
            let unit = e.unit(buffer)?;
            Ok::<_, Error>(e.buffer(buffer)?.words.times(unit))
        };
        let size = bytes(self, from)?;
        if size != bytes(self, to)? || !size.is_fixed() {
            return Err(Error::Malformed(
                "a copy between buffers of different size, or of one that depends on the batch".to_owned(),
            ));
        }
        let (from, to) = (self.pointer(from)?, self.pointer(to)?);
        self.guarded(thread.first, |e| {
            let size = e.int(size.constant);
            e.call(Callee::Copy, &[from, to, size]);
            Ok(())
        })
    }

    fn branch(&mut self, condition: Slot, then: &[Step], otherwise: &[Step], thread: Thread) -> Result<(), Error> {
        let condition = self.read(condition, thread)?;
        let yes = self.builder.create_block();
        let no = self.builder.create_block();
        let done = self.builder.create_block();
        self.builder.ins().brif(condition, yes, &[], no, &[]);
        for (block, steps) in [(yes, then), (no, otherwise)] {
            self.builder.switch_to_block(block);
            self.steps(steps, thread)?;
            self.builder.ins().jump(done, &[]);
        }
        self.builder.switch_to_block(done);
        Ok(())
    }

    /// A turn by the function for one row on one thread, or by its steps. A program with marks shows each of its kernels.
    fn alone_or(&mut self, part: u32, otherwise: &[Step], thread: Thread) -> Result<(), Error> {
        if self.machine.marks {
            return self.steps(otherwise, thread);
        }
        let n = self.n();
        let shares = self.builder.ins().imul(n, thread.team);
        let is_alone = self.builder.ins().icmp_imm_s(IntCC::Equal, shares, alone::ROWS);
        let [alone, others, done] = [(); 3].map(|()| self.builder.create_block());
        self.builder.ins().brif(is_alone, alone, &[], others, &[]);
        self.builder.switch_to_block(alone);
        self.call(Callee::Part(part), &[self.context, n]);
        self.builder.ins().jump(done, &[]);
        self.builder.switch_to_block(others);
        self.steps(otherwise, thread)?;
        self.builder.ins().jump(done, &[]);
        self.builder.switch_to_block(done);
        Ok(())
    }

    fn repeated(&mut self, turns: &Turns, thread: Thread) -> Result<(), Error> {
        let zero = self.int(0);
        let (head, number) = self.head(&[types::I64]);
        let turn = self.builder.create_block();
        let done = self.builder.create_block();
        self.builder.ins().jump(head, &[BlockArg::Value(zero)]);
        self.builder.switch_to_block(head);
        if turns.before_counter {
            self.barrier(thread)?;
        }
        let (control, displacement) = self.slot(turns.counter, thread)?;
        self.guarded(thread.first, |e| {
            let word = e.builder.ins().ireduce(types::I32, number[0]);
            e.builder.ins().store(MEMORY, word, control, displacement);
            Ok(())
        })?;
        self.barrier(thread)?;
        let count = self.read(turns.count, thread)?;
        let more = self.builder.ins().icmp(IntCC::SignedLessThan, number[0], count);
        self.builder.ins().brif(more, turn, &[], done, &[]);
        self.builder.switch_to_block(turn);
        self.steps(&turns.body, thread)?;
        let next = self.plus(number[0], 1);
        let again = [BlockArg::Value(next)];
        match turns.stop {
            Some(stop) => {
                let stop = self.read(stop, thread)?;
                self.builder.ins().brif(stop, done, &[], head, &again);
            }
            None => {
                self.builder.ins().jump(head, &again);
            }
        }
        self.builder.switch_to_block(done);
        Ok(())
    }
}

/// All buffers that control code touches itself.
fn collect(steps: &[Step], found: &mut BTreeMap<BufferId, Option<u32>>) {
    for step in steps {
        match step {
            Step::Scalar(block) => buffers_in(block, found),
            Step::Copy { from, to } => found.extend([(*from, None), (*to, None)]),
            Step::If { then, otherwise, .. } => {
                collect(then, found);
                collect(otherwise, found);
            }
            Step::Loop(turns) => collect(&turns.body, found),
            Step::Alone { otherwise, .. } => collect(otherwise, found),
            Step::Barrier | Step::Kernel(_) | Step::Part(_) | Step::Batch(_) | Step::Call(_) => {}
        }
    }
}
