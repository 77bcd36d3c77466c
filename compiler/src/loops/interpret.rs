//! The specification interpreter: what a program of the loop IR computes, bit for bit, on one thread.
//!
//! A [`Memory`] holds the words of each buffer. [`run_kernel`] runs tiles of a kernel, [`run_entry`] a driver tree and [`run_block`] one
//! block of scalar code. Scratch buffers are ordinary buffers here: on one thread every tile finds its own scratch where the last one
//! left it, and a correct program writes scratch before it reads it.
//!
//! Each access is checked. One outside its buffer is a bug of the compiler (or a row table that names a row the data set lacks) and
//! ends the run with a [`Fault`]. Programs are expected to pass [`super::verify`]: values that are not defined or buffers that do not
//! exist are not looked for a second time.
//!
//! Three points that the statements' own definitions leave open are settled here. A driver tree starts with a batch of 0 rows until the
//! first [`Control::Batch`]. A loop writes its counter before it compares, so that after a full run the counter slot holds the count,
//! and after a stop the number of the turn that was stopped. A product with an empty `k` stores `+0`, or leaves `C` alone if
//! it accumulates.

mod lanes;
mod nest;
mod product;
#[cfg(test)]
mod tests;

use super::{Block, BufferId, Control, Extent, Kernel, Lane, Program, Slot, Space, Statement, Var};
use lanes::Registers;
use std::ops::Range;

/// The words of every buffer of a program, in the order of [`Program::buffers`].
///
/// A buffer of `F64` lanes (the control buffer) has two words for each slot, the low one first; an `I32` slot is the low word.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Memory {
    pub words: Vec<Vec<u32>>,
    control: Option<BufferId>,
}

impl Memory {
    /// Zeros for every buffer, sized for a batch of `capacity`.
    pub fn new(program: &Program, capacity: i64) -> Self {
        let words = program
            .buffers
            .iter()
            .map(|buffer| {
                let count = buffer.words.at(capacity).max(0) as usize;
                vec![0; count * words_per_index(buffer.lane)]
            })
            .collect();
        let control =
            program.buffers.iter().position(|buffer| buffer.space == Space::Control).map(|index| BufferId(index as u32));
        Memory { words, control }
    }

    /// The words of a buffer read as floats.
    pub fn floats(&self, buffer: BufferId) -> Vec<f32> {
        self.words[buffer.0 as usize].iter().map(|word| f32::from_bits(*word)).collect()
    }

    /// Replaces a buffer by these floats (and takes their number as its size, as a bound data set does).
    pub fn set_floats(&mut self, buffer: BufferId, values: &[f32]) {
        self.words[buffer.0 as usize] = values.iter().map(|value| value.to_bits()).collect();
    }

    /// An `I32` slot of the control buffer; `None` if there is no such slot.
    pub fn slot_i32(&self, slot: Slot) -> Option<i32> {
        self.slot_words(slot).map(|words| words[0] as i32)
    }

    /// An `F64` slot of the control buffer; `None` if there is no such slot.
    pub fn slot_f64(&self, slot: Slot) -> Option<f64> {
        self.slot_words(slot).map(|words| f64::from_bits(u64::from(words[0]) | u64::from(words[1]) << 32))
    }

    /// Writes an `I32` slot; false if there is no such slot.
    pub fn set_slot_i32(&mut self, slot: Slot, value: i32) -> bool {
        self.slot_words_mut(slot).map(|words| words[0] = value as u32).is_some()
    }

    /// Writes an `F64` slot; false if there is no such slot.
    pub fn set_slot_f64(&mut self, slot: Slot, value: f64) -> bool {
        let bits = value.to_bits();
        self.slot_words_mut(slot).map(|words| words.copy_from_slice(&[bits as u32, (bits >> 32) as u32])).is_some()
    }

    fn slot_words(&self, slot: Slot) -> Option<&[u32]> {
        let first = 2 * slot.0 as usize;
        self.words[self.control?.0 as usize].get(first..first + 2)
    }

    fn slot_words_mut(&mut self, slot: Slot) -> Option<&mut [u32]> {
        let first = 2 * slot.0 as usize;
        self.words[self.control?.0 as usize].get_mut(first..first + 2)
    }
}

/// Words of 4 bytes that one index of a buffer stands for.
fn words_per_index(lane: Lane) -> usize {
    match lane {
        Lane::F32 | Lane::I32 => 1,
        Lane::F64 => 2,
    }
}

/// Why a run ended early: a bug of the compiler, or a row table that leads outside the data set.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Fault {
    /// An access outside its buffer; `index` counts words (slots in the control buffer).
    #[error("{place}: index {index} of `{buffer}` lies outside its {size} words")]
    OutOfBounds { place: String, buffer: String, index: i64, size: usize },
    /// The driver tree uses a slot that the control buffer lacks.
    #[error("entry `{entry}`: the control buffer has no slot {}", slot.0)]
    NoSlot { entry: String, slot: Slot },
    /// The program has no such entry.
    #[error("the program has no entry named `{0}`")]
    NoEntry(String),
}

/// The tiles of a kernel for a batch of `n`: one, if it has no parallel loop.
pub fn tiles(kernel: &Kernel, n: i64) -> Range<i64> {
    0..kernel.parallel.map_or(1, |parallel| parallel.tiles(n))
}

/// Runs some tiles of a kernel in order for a batch of `n` rows.
///
/// # Errors
/// An access outside its buffer; what ran before it has been done.
pub fn run_kernel(program: &Program, kernel: &Kernel, memory: &mut Memory, n: i64, tiles: Range<i64>) -> Result<(), Fault> {
    let mut run = Run {
        program,
        place: format!("kernel `{}`", kernel.name),
        n,
        vars: vec![0; kernel.vars as usize],
        registers: Registers::default(),
    };
    for tile in tiles {
        if let Some(parallel) = kernel.parallel {
            run.set(parallel.var, tile);
        }
        run.statements(memory, &kernel.body)?;
    }
    Ok(())
}

/// Runs one block of scalar code; `vars` are the values of the loop variables it names.
///
/// # Errors
/// An access outside its buffer; what ran before it has been done.
pub fn run_block(program: &Program, block: &Block, memory: &mut Memory, n: i64, vars: &[i64]) -> Result<(), Fault> {
    let mut run = Run { program, place: "scalar code".to_owned(), n, vars: vars.to_vec(), registers: Registers::default() };
    run.nest(memory, "block", &[], block)
}

/// Runs the entry of that name as the only thread of its team; `calls` stands for the functions of the symbol table.
///
/// # Errors
/// No such entry, an access outside its buffer, or a slot that the control buffer lacks.
pub fn run_entry(
    program: &Program,
    name: &str,
    memory: &mut Memory,
    calls: &mut dyn FnMut(&str, &mut Memory),
) -> Result<(), Fault> {
    let entry = program.entries.iter().find(|entry| entry.name == name).ok_or_else(|| Fault::NoEntry(name.to_owned()))?;
    let mut driver = Driver { program, entry: name, n: 0, calls };
    driver.run(&entry.body, memory)
}

/// A driver tree under way.
struct Driver<'a> {
    program: &'a Program,
    entry: &'a str,
    /// The batch size that kernels see.
    n: i64,
    calls: &'a mut dyn FnMut(&str, &mut Memory),
}

impl Driver<'_> {
    fn run(&mut self, body: &[Control], memory: &mut Memory) -> Result<(), Fault> {
        body.iter().try_for_each(|statement| self.statement(statement, memory))
    }

    fn statement(&mut self, statement: &Control, memory: &mut Memory) -> Result<(), Fault> {
        match statement {
            Control::Kernel(index) => {
                let kernel = &self.program.kernels[*index as usize];
                run_kernel(self.program, kernel, memory, self.n, tiles(kernel, self.n))
            }
            // One thread waits for nobody.
            Control::Barrier => Ok(()),
            Control::Scalar(block) => run_block(self.program, block, memory, self.n, &[]),
            Control::Loop { counter, count, stop, body } => self.turns(memory, *counter, *count, *stop, body),
            Control::If { condition, then, otherwise } => match self.read(memory, *condition)? {
                0 => self.run(otherwise, memory),
                _ => self.run(then, memory),
            },
            Control::Batch(slot) => {
                self.n = i64::from(self.read(memory, *slot)?);
                Ok(())
            }
            Control::Copy { from, to } => {
                let words = memory.words[from.0 as usize].clone();
                memory.words[to.0 as usize] = words;
                Ok(())
            }
            Control::Call { symbol } => {
                (self.calls)(symbol, memory);
                Ok(())
            }
        }
    }

    fn turns(
        &mut self,
        memory: &mut Memory,
        counter: Slot,
        count: Slot,
        stop: Option<Slot>,
        body: &[Control],
    ) -> Result<(), Fault> {
        let mut turn = 0;
        loop {
            if !memory.set_slot_i32(counter, turn) {
                return Err(self.no_slot(counter));
            }
            if turn >= self.read(memory, count)? {
                return Ok(());
            }
            self.run(body, memory)?;
            if let Some(stop) = stop
                && self.read(memory, stop)? != 0
            {
                return Ok(());
            }
            turn += 1;
        }
    }

    fn read(&self, memory: &Memory, slot: Slot) -> Result<i32, Fault> {
        memory.slot_i32(slot).ok_or_else(|| self.no_slot(slot))
    }

    fn no_slot(&self, slot: Slot) -> Fault {
        Fault::NoSlot { entry: self.entry.to_owned(), slot }
    }
}

/// A kernel (or a lone block) under way.
struct Run<'a> {
    program: &'a Program,
    place: String,
    n: i64,
    vars: Vec<i64>,
    registers: Registers,
}

impl Run<'_> {
    fn set(&mut self, var: Var, value: i64) {
        self.vars[var.0 as usize] = value;
    }

    fn statements(&mut self, memory: &mut Memory, body: &[Statement]) -> Result<(), Fault> {
        for statement in body {
            match statement {
                Statement::Nest(nest) => self.nest(memory, &nest.title, &nest.axes, &nest.block)?,
                Statement::Product(product) => self.product(memory, product)?,
                Statement::Tiles { var, step, total, body } => {
                    let total = total.at(self.n).max(0);
                    for tile in 0..total.saturating_add(step - 1) / step {
                        self.set(*var, tile);
                        self.statements(memory, body)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Iterations of a loop in the tile under way; never negative.
    fn count(&self, extent: Extent) -> i64 {
        match extent {
            Extent::Whole(count) => count.at(self.n).max(0),
            Extent::Tile { tile, step, total } => {
                let left = total.at(self.n).saturating_sub(self.vars[tile.0 as usize].saturating_mul(step));
                left.clamp(0, step)
            }
        }
    }

    fn out_of_bounds(&self, memory: &Memory, title: &str, buffer: BufferId, index: i64) -> Fault {
        let declared = &self.program.buffers[buffer.0 as usize];
        Fault::OutOfBounds {
            place: format!("{}, `{title}`", self.place),
            buffer: declared.name.clone(),
            index,
            size: memory.words[buffer.0 as usize].len() / words_per_index(declared.lane),
        }
    }
}
