//! The turn of a small loop, for one row on one thread: straight-line code in which memory is values.
//!
//! A network of a few parameters that learns row by row spends less on its sums than on what stands around them: calls of kernels, loops
//! of one turn, words that one nest stores and the next loads. Such a turn is written a second time, with every index known: no loop is
//! left, a word is loaded when it is first read and handed on as a value from then on, and stored if anything outside may read it:
//! most temporaries have no place in memory at all. Each sum is the chain that it is anywhere else.

use std::collections::{BTreeSet, HashMap};

use cranelift_codegen::ir::{self, InstBuilder, types};

use super::Error;
use super::alone::{Alone, ROWS, control, stored, tiles};
use super::block::{Lanes, Values, Width, defined};
use super::function::{Emitter, FIXED, MEMORY};
use super::listing::{DRIVER, KERNEL};
use super::small_product::nests;
use super::synchronize::Step;
use super::words::{FOUR, From, Held, Known, Row, Word};
use crate::loops::{Axis, Block, BufferId, Extent, Instruction, Lane, Linear, Nest, Slot, Statement, Table, Var, View};

struct Straight<'e, 'f> {
    emitter: &'e mut Emitter<'f>,
    lasting: &'e BTreeSet<BufferId>,
    vars: HashMap<Var, i64>,
    known: Known,
}

impl<'f> Emitter<'f> {
    /// Writes a turn for one row on one thread, whose buffers' pointers are loaded.
    pub fn written_out(&mut self, alone: &Alone) -> Result<(), Error> {
        let mut straight = Straight { emitter: self, lasting: &alone.lasting, vars: HashMap::new(), known: Known::default() };
        straight.steps(&alone.steps)
    }
}

impl<'f> Straight<'_, 'f> {
    fn steps(&mut self, steps: &[Step]) -> Result<(), Error> {
        for step in steps {
            self.emitter.statement = Some(if let Step::Kernel(index) = step { KERNEL | index } else { DRIVER });
            self.emitter.origin(None);
            match step {
                Step::Barrier => {}
                Step::Kernel(index) => self.kernel(*index)?,
                Step::Scalar(block) => self.block(block, None)?,
                Step::If { condition, then, otherwise } => self.branch(*condition, [then, otherwise])?,
                Step::Part(_) | Step::Alone { .. } | Step::Batch(_) | Step::Copy { .. } | Step::Call(_) | Step::Loop(_) => {
                    return Err(Error::Malformed("a turn that is more than kernels and scalars".to_owned()));
                }
            }
        }
        Ok(())
    }

    /// What was loaded before a branch is loaded again in it, which costs less than a register for so long; what a branch stores is known
    /// to memory alone where the branches meet.
    fn branch(&mut self, condition: Slot, branches: [&Vec<Step>; 2]) -> Result<(), Error> {
        let buffer = control(self.emitter.program);
        let buffer = buffer.ok_or_else(|| Error::Malformed("the program has no control buffer".to_owned()))?;
        let condition = self.load(Word { buffer, row: None, offset: i64::from(condition.0) }, Lane::I32)?.value;
        self.known.forget_loaded();
        let before = self.known.clone();
        let [yes, no, done] = [(); 3].map(|()| self.emitter.builder.create_block());
        self.emitter.builder.ins().brif(condition, yes, &[], no, &[]);
        for (block, steps) in [yes, no].into_iter().zip(branches) {
            self.emitter.builder.switch_to_block(block);
            self.steps(steps)?;
            self.emitter.builder.ins().jump(done, &[]);
            self.known = before.clone();
        }
        self.emitter.builder.switch_to_block(done);
        for branch in branches {
            self.known.forget(&stored(self.emitter.program, branch));
        }
        Ok(())
    }

    fn kernel(&mut self, index: u32) -> Result<(), Error> {
        let Some(kernel) = self.emitter.program.kernels.get(index as usize) else {
            return Err(Error::Malformed(format!("there is no kernel {index}")));
        };
        self.emitter.title(kernel.name.clone(), Some(KERNEL | index));
        match kernel.parallel {
            None => self.statements(&kernel.body),
            Some(parallel) => self.turns(parallel.var, parallel.tiles(ROWS), &mut |s| s.statements(&kernel.body)),
        }
    }

    fn turns(&mut self, var: Var, turns: i64, inside: &mut dyn FnMut(&mut Self) -> Result<(), Error>) -> Result<(), Error> {
        for turn in 0..turns {
            self.vars.insert(var, turn);
            inside(self)?;
        }
        self.vars.remove(&var);
        Ok(())
    }

    fn statements(&mut self, body: &[Statement]) -> Result<(), Error> {
        body.iter().try_for_each(|statement| match statement {
            Statement::Nest(nest) => self.nest(nest),
            Statement::Product(product) => {
                let nests = nests(product).ok_or_else(|| Error::Malformed("a product that is no nest".to_owned()))?;
                nests.iter().try_for_each(|nest| self.nest(nest))
            }
            Statement::Tiles { var, step, total, body } => self.turns(*var, tiles(*step, *total), &mut |s| s.statements(body)),
        })
    }

    /// A nest: four turns at once along the first axis that allows it.
    fn nest(&mut self, nest: &Nest) -> Result<(), Error> {
        let wide = (0..nest.axes.len()).find(|&at| is_wide(&nest.block, nest.axes[at].var, &nest.axes[at + 1..]));
        match wide {
            None => self.each(&nest.axes, &mut |s| s.block(&nest.block, None)),
            Some(at) => self.each(&nest.axes[..at], &mut |s| s.along(&nest.axes[at], &nest.axes[at + 1..], &nest.block)),
        }
    }

    fn along(&mut self, axis: &Axis, inner: &[Axis], block: &Block) -> Result<(), Error> {
        let (count, mut turn) = (self.count(axis)?, 0);
        while turn < count {
            self.vars.insert(axis.var, turn);
            let at_once = turn + FOUR <= count && self.reads_fours(axis.var, inner, block)?;
            self.each(inner, &mut |s| s.block(block, at_once.then_some(axis.var)))?;
            turn += if at_once { FOUR } else { 1 };
        }
        self.vars.remove(&axis.var);
        Ok(())
    }

    /// Whether what a block reads in four turns of an axis can be read at once.
    fn reads_fours(&mut self, var: Var, inner: &[Axis], block: &Block) -> Result<bool, Error> {
        let mut all = true;
        self.each(inner, &mut |s| {
            for view in block.loads().filter(|view| moves(view, var)) {
                all &= s.known.reads_four(s.word(view)?);
            }
            Ok(())
        })?;
        Ok(all)
    }

    /// All turns of axes.
    fn each(&mut self, axes: &[Axis], inside: &mut dyn FnMut(&mut Self) -> Result<(), Error>) -> Result<(), Error> {
        let Some((axis, inner)) = axes.split_first() else { return inside(self) };
        let count = self.count(axis)?;
        self.turns(axis.var, count, &mut |s| s.each(inner, inside))
    }

    fn count(&self, axis: &Axis) -> Result<i64, Error> {
        Ok(match axis.extent {
            Extent::Whole(count) => count.at(ROWS),
            Extent::Tile { tile, step, total } => step.min(total.at(ROWS) - self.var(tile)? * step),
        })
    }

    fn var(&self, var: Var) -> Result<i64, Error> {
        let value = self.vars.get(&var).copied();
        value.ok_or_else(|| Error::Malformed(format!("loop variable {} is used outside its loop", var.0)))
    }

    fn sum(&self, start: i64, terms: impl IntoIterator<Item = (Var, i64)>) -> Result<i64, Error> {
        terms.into_iter().try_fold(start, |sum, (var, factor)| Ok(sum + self.var(var)? * factor))
    }

    fn affine(&self, offset: Linear, terms: &[(Var, Linear)]) -> Result<i64, Error> {
        self.sum(offset.at(ROWS), terms.iter().map(|&(var, factor)| (var, factor.at(ROWS))))
    }

    /// One turn of a block, or four along an axis.
    fn block(&mut self, block: &Block, along: Option<Var>) -> Result<(), Error> {
        let width = if along.is_some() { Width::Four } else { Width::One };
        let moves = |view: &View| along.is_some_and(|var| moves(view, var));
        let mut values: Values = vec![None; block.code.len()];
        for (at, instruction) in block.code.iter().enumerate() {
            values[at] = match instruction {
                Instruction::Index { terms, offset } => {
                    // Wrapped to 32 bits, as the instruction says.
                    let index = self.affine(*offset, terms)? as i32;
                    let value = self.emitter.builder.ins().iconst(types::I32, i64::from(index));
                    Some(self.spread(Lanes::plain(value, Lane::I32), width))
                }
                Instruction::Load(view, lane) if moves(view) => Some(self.load_four(self.word(view)?, *lane)?),
                Instruction::Load(view, lane) => {
                    let word = self.word(view)?;
                    let value = match view.pick {
                        None => self.load(word, *lane)?,
                        Some(pick) => {
                            let unit = self.emitter.unit(view.buffer)?;
                            let pick = crate::loops::Pick { stride: pick.stride.times(unit), ..pick };
                            let (base, displacement) = self.address(word)?;
                            let base = self.emitter.picked(base, pick, &values)?;
                            let loaded = self.emitter.builder.ins().load(Width::One.of(*lane), MEMORY, base, displacement);
                            Lanes::plain(loaded, *lane)
                        }
                    };
                    Some(self.spread(value, width))
                }
                Instruction::Store(view, value) => {
                    let value = defined(&values, *value)?;
                    self.store(self.word(view)?, Lanes::plain(value.value, value.lane), width)?;
                    None
                }
                pure => Some(self.emitter.pure(pure, width, &values)?),
            };
        }
        Ok(())
    }

    fn spread(&mut self, value: Lanes, width: Width) -> Lanes {
        match width {
            Width::One => value,
            Width::Four => Lanes::plain(self.emitter.spread(value.value, value.lane, width), value.lane),
        }
    }

    /// The word of a view, without its pick.
    fn word(&self, view: &View) -> Result<Word, Error> {
        let offset = self.affine(view.offset, &view.strides)?;
        let row = |table: &Table| Ok::<_, Error>((table.rows, self.sum(0, table.index.iter().copied())?, table.stride));
        Ok(Word { buffer: view.buffer, row: view.table.as_ref().map(row).transpose()?, offset })
    }

    fn load(&mut self, word: Word, lane: Lane) -> Result<Lanes, Error> {
        if self.known.word(word, lane).is_none() {
            self.part(word);
        }
        if let Some(value) = self.known.word(word, lane) {
            return Ok(value);
        }
        let value = self.read(word, lane, Width::One)?;
        self.known.keep(word, Held { value, from: From::Memory });
        Ok(value)
    }

    fn load_four(&mut self, first: Word, lane: Lane) -> Result<Lanes, Error> {
        if let Some(value) = self.known.four(first, lane) {
            return Ok(value);
        }
        let value = self.read(first, lane, Width::Four)?;
        self.known.keep_four(first, Held { value, from: From::Memory });
        Ok(value)
    }

    fn read(&mut self, word: Word, lane: Lane, width: Width) -> Result<Lanes, Error> {
        let (base, displacement) = self.address(word)?;
        // No one writes data and their order while a turn goes on.
        let flags = if word.row.is_some() { FIXED } else { MEMORY };
        Ok(Lanes::plain(self.emitter.builder.ins().load(width.of(lane), flags, base, displacement), lane))
    }

    fn store(&mut self, word: Word, value: Lanes, width: Width) -> Result<(), Error> {
        let lasts = self.lasting.contains(&word.buffer);
        if lasts {
            let (base, displacement) = self.address(word)?;
            self.emitter.builder.ins().store(MEMORY, value.value, base, displacement);
        }
        let held = Held { value, from: if lasts { From::Stored } else { From::Made } };
        match width {
            Width::One => {
                self.part(word);
                self.known.keep(word, held);
            }
            Width::Four => {
                if self.known.four(word, value.lane).is_none() {
                    self.part(word);
                    self.part(word.plus(FOUR - 1));
                }
                self.known.keep_four(word, held);
            }
        }
        Ok(())
    }

    /// Makes words of four that hold this one, and are nowhere else.
    fn part(&mut self, word: Word) {
        let Some((first, four)) = self.known.made_around(word) else { return };
        for place in 0..FOUR {
            let value = self.emitter.builder.ins().extractlane(four.value, place as u8);
            self.known.keep_lane(first.plus(place), Lanes::plain(value, four.lane));
        }
    }

    /// The address of a word as pointer and displacement.
    fn address(&mut self, word: Word) -> Result<(ir::Value, i32), Error> {
        let unit = self.emitter.unit(word.buffer)?;
        let base = match word.row {
            None => self.emitter.pointer(word.buffer)?,
            Some(row) => self.row(word.buffer, row)?,
        };
        let bytes = word.offset * unit;
        Ok(match i32::try_from(bytes) {
            Ok(displacement) => (base, displacement),
            Err(_) => (self.emitter.plus(base, bytes), 0),
        })
    }

    /// First byte of a data row.
    fn row(&mut self, buffer: BufferId, row: Row) -> Result<ir::Value, Error> {
        if let Some(&known) = self.known.rows.get(&(buffer, row)) {
            return Ok(known);
        }
        let (rows, index, stride) = row;
        let unit = self.emitter.unit(buffer)?;
        let (base, entries) = (self.emitter.pointer(buffer)?, self.emitter.pointer(rows)?);
        let entry = self.emitter.plus(entries, 4 * index);
        let number = self.emitter.builder.ins().load(types::I32, FIXED, entry, 0);
        let number = self.emitter.builder.ins().uextend(types::I64, number);
        let bytes = self.emitter.times(number, stride * unit);
        let first = self.emitter.builder.ins().iadd(base, bytes);
        self.known.rows.insert((buffer, row), first);
        Ok(first)
    }
}

/// Whether a word lies behind the last turn's, along an axis.
fn moves(view: &View, var: Var) -> bool {
    view.stride(var).at(ROWS) == 1
}

/// Whether four turns of an axis can be done at once, whatever stands inside of it: each has words of its own, side by side, which it reads at no
/// other place, and all sums over axes inside keep their order.
fn is_wide(block: &Block, var: Var, inner: &[Axis]) -> bool {
    let stays = |view: &View| inner.iter().all(|axis| axis.extent.most(ROWS) <= 1 || view.stride(axis.var).at(ROWS) == 0);
    let apart = |view: &View| block.accesses().all(|access| access.view.buffer != view.buffer || access.view == view);
    let stores = block.stores().all(|view| moves(view, var) && stays(view) && apart(view));
    let stands = |view: &View| view.pick.is_none() && !view.looks_up(var) && (0..=1).contains(&view.stride(var).at(ROWS));
    let in_lanes = |instruction: &Instruction| match instruction {
        Instruction::Load(view, lane) => *lane != Lane::F64 && stands(view),
        Instruction::Index { terms, .. } => terms.iter().all(|(own, _)| *own != var),
        Instruction::ConstF64(_) | Instruction::Promote(_) | Instruction::Demote(_) | Instruction::Call(..) => false,
        _ => true,
    };
    stores && block.code.iter().all(in_lanes)
}
