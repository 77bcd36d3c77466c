//! Running a nest: its block, for every index tuple in lexicographic order.
//!
//! Where the innermost axis is marked `vector`, up to [`LANES`] of its iterations go through the block side by side, which is one
//! of the groupings that the mark allows; elsewhere the block sees one iteration at a time.

use super::{Fault, Memory, Run, words_per_index};
use crate::loops::{Axis, Block, BufferId, Instruction, Lane, Linear, Value, Var, View};

/// Iterations of a vector axis that are evaluated side by side.
const LANES: usize = 64;

/// A sum that is affine in the axes of one nest, the variables around it already added to the base.
struct Affine {
    base: i64,
    /// One factor an axis.
    factors: Vec<i64>,
}

impl Affine {
    /// The sum where the outer axes stand at `index` and the innermost at 0.
    fn at(&self, index: &[i64]) -> i64 {
        // Indices of buffers do not overflow; what an `index` instruction counts is cut to 32 bits anyway.
        index.iter().zip(&self.factors).fold(self.base, |sum, (i, f)| sum.wrapping_add(i.wrapping_mul(*f)))
    }

    fn inner(&self) -> i64 {
        self.factors.last().copied().unwrap_or(0)
    }
}

/// What the memory instructions of a block need to know of the nest around them, by instruction.
enum Address {
    /// Touches no memory and names no loop variable.
    None,
    Index(Affine),
    Memory {
        buffer: BufferId,
        /// Words an index stands for: 2 in the control buffer.
        words: usize,
        place: Affine,
        further: Further,
    },
}

/// What an access adds to its affine place.
struct Further {
    table: Option<Row>,
    pick: Option<Picked>,
}

impl Further {
    fn is_none(&self) -> bool {
        self.table.is_none() && self.pick.is_none()
    }
}

/// A value that chooses one of `count` steps of `stride`.
struct Picked {
    value: Value,
    count: i64,
    stride: i64,
}

/// A look-up in the row table: the row of the batch, and words between rows of the data set.
struct Row {
    rows: BufferId,
    row: Affine,
    stride: i64,
}

/// Where a chunk of iterations stands: the outer axes, the first iteration of the innermost, and how many.
struct Chunk<'a> {
    outer: &'a [i64],
    first: i64,
    count: usize,
}

impl Run<'_> {
    /// Runs `block` under `axes`.
    pub(super) fn nest(&mut self, memory: &mut Memory, title: &str, axes: &[Axis], block: &Block) -> Result<(), Fault> {
        let lanes: Vec<Lane> = block.lanes();
        let counts: Vec<i64> = axes.iter().map(|axis| self.count(axis.extent)).collect();
        if counts.contains(&0) {
            return Ok(());
        }
        let addresses = self.addresses(axes, block);
        let vector = axes.last().is_some_and(|axis| axis.vector) && !lanes.contains(&Lane::F64);
        let width = if vector { LANES } else { 1 };
        self.registers.reserve(block.code.len(), width);
        self.registers.constants(block);

        let (inner, outer_counts) = match counts.split_last() {
            Some((inner, outer)) => (*inner, outer),
            None => (1, &[][..]),
        };
        let mut outer = vec![0; outer_counts.len()];
        loop {
            for first in (0..inner).step_by(width) {
                let chunk = Chunk { outer: &outer, first, count: width.min((inner - first) as usize) };
                self.chunk(memory, title, block, &lanes, &addresses, &chunk)?;
            }
            if !advance(&mut outer, outer_counts) {
                return Ok(());
            }
        }
    }

    fn chunk(
        &mut self,
        memory: &mut Memory,
        title: &str,
        block: &Block,
        lanes: &[Lane],
        addresses: &[Address],
        chunk: &Chunk,
    ) -> Result<(), Fault> {
        for (index, address) in addresses.iter().enumerate() {
            let to = Value(index as u32);
            match address {
                Address::None => self.registers.execute(block, lanes, to, chunk.count),
                Address::Index(sum) => {
                    let start = sum.at(chunk.outer).wrapping_add(chunk.first.wrapping_mul(sum.inner()));
                    let out = self.registers.lanes_mut(to, chunk.count);
                    for (lane, out) in out.iter_mut().enumerate() {
                        *out = start.wrapping_add((lane as i64).wrapping_mul(sum.inner())) as u32;
                    }
                }
                Address::Memory { .. } => match &block.code[index] {
                    Instruction::Store(_, value) => {
                        let lane = lanes[value.0 as usize];
                        self.store(memory, title, address, *value, lane, chunk)?;
                    }
                    _ => self.load(memory, title, address, to, lanes[index], chunk)?,
                },
            }
        }
        Ok(())
    }

    fn load(
        &mut self,
        memory: &Memory,
        title: &str,
        address: &Address,
        to: Value,
        lane: Lane,
        chunk: &Chunk,
    ) -> Result<(), Fault> {
        let Address::Memory { buffer, words, place, further } = address else {
            return Ok(());
        };
        let source = &memory.words[buffer.0 as usize];
        let start = place.at(chunk.outer) + chunk.first * place.inner();
        if further.is_none() && *words == 1 && (0..=1).contains(&place.inner()) {
            let run = chunk.count as i64 * place.inner() + 1 - place.inner();
            let found =
                usize::try_from(start).ok().and_then(|start| source.get(start..start + run as usize)).ok_or_else(|| {
                    let bad = if start < 0 { start } else { start.max(source.len() as i64) };
                    self.out_of_bounds(memory, title, *buffer, bad)
                })?;
            let out = self.registers.lanes_mut(to, chunk.count);
            match place.inner() {
                0 => out.fill(found[0]),
                _ => out.copy_from_slice(found),
            }
            return Ok(());
        }
        for position in 0..chunk.count {
            let index = self.index(memory, title, place, further, chunk, position)?;
            let at = self.word(memory, title, *buffer, *words, lane, index)?;
            match lane {
                Lane::F64 => {
                    let bits = u64::from(source[at]) | u64::from(source[at + 1]) << 32;
                    self.registers.set_wide(to, f64::from_bits(bits));
                }
                Lane::F32 | Lane::I32 => {
                    self.registers.lanes_mut(to, chunk.count)[position] = source[at];
                }
            }
        }
        Ok(())
    }

    fn store(
        &mut self,
        memory: &mut Memory,
        title: &str,
        address: &Address,
        value: Value,
        lane: Lane,
        chunk: &Chunk,
    ) -> Result<(), Fault> {
        let Address::Memory { buffer, words, place, further } = address else {
            return Ok(());
        };
        for position in 0..chunk.count {
            let index = self.index(memory, title, place, further, chunk, position)?;
            let at = self.word(memory, title, *buffer, *words, lane, index)?;
            let target = &mut memory.words[buffer.0 as usize];
            match lane {
                Lane::F64 => {
                    let bits = self.registers.wide(value).to_bits();
                    target[at] = bits as u32;
                    target[at + 1] = (bits >> 32) as u32;
                }
                Lane::F32 | Lane::I32 => {
                    target[at] = self.registers.lanes(value, chunk.count)[position];
                }
            }
        }
        Ok(())
    }

    /// The index in its buffer that an access has in one iteration of the chunk.
    fn index(
        &self,
        memory: &Memory,
        title: &str,
        place: &Affine,
        further: &Further,
        chunk: &Chunk,
        position: usize,
    ) -> Result<i64, Fault> {
        let turn = chunk.first + position as i64;
        let mut index = place.at(chunk.outer) + turn * place.inner();
        if let Some(pick) = &further.pick {
            let chosen = self.registers.lanes(pick.value, chunk.count)[position] as i32;
            index += i64::from(chosen).min(pick.count - 1).max(0) * pick.stride;
        }
        let Some(table) = &further.table else {
            return Ok(index);
        };
        let row = table.row.at(chunk.outer) + turn * table.row.inner();
        let row = self.look_up(memory, title, table.rows, row)?;
        Ok(index + row * table.stride)
    }

    /// The entry of a row table.
    pub(super) fn look_up(&self, memory: &Memory, title: &str, rows: BufferId, row: i64) -> Result<i64, Fault> {
        let at = self.word(memory, title, rows, 1, Lane::I32, row)?;
        Ok(i64::from(memory.words[rows.0 as usize][at]))
    }

    /// The first word of what `index` names in a buffer, of which all words exist.
    pub(super) fn word(
        &self,
        memory: &Memory,
        title: &str,
        buffer: BufferId,
        words: usize,
        lane: Lane,
        index: i64,
    ) -> Result<usize, Fault> {
        let size = memory.words[buffer.0 as usize].len();
        usize::try_from(index)
            .ok()
            .and_then(|index| index.checked_mul(words))
            .filter(|first| *first < size && size - first >= words_per_index(lane))
            .ok_or_else(|| self.out_of_bounds(memory, title, buffer, index))
    }

    fn addresses(&self, axes: &[Axis], block: &Block) -> Vec<Address> {
        block
            .code
            .iter()
            .map(|instruction| match instruction {
                Instruction::Index { terms, offset } => Address::Index(self.affine(axes, terms.iter().copied(), *offset)),
                Instruction::Load(view, _) | Instruction::Store(view, _) => self.address(axes, view),
                _ => Address::None,
            })
            .collect()
    }

    fn address(&self, axes: &[Axis], view: &View) -> Address {
        let table = view.table.as_ref().map(|table| {
            let factors = table.index.iter().map(|(var, f)| (*var, Linear::fixed(*f)));
            Row { rows: table.rows, row: self.affine(axes, factors, Linear::ZERO), stride: table.stride }
        });
        let pick = view.pick.map(|pick| Picked { value: pick.value, count: pick.count, stride: pick.stride.at(self.n) });
        Address::Memory {
            buffer: view.buffer,
            words: words_per_index(self.program.buffers[view.buffer.0 as usize].lane),
            place: self.affine(axes, view.strides.iter().copied(), view.offset),
            further: Further { table, pick },
        }
    }

    fn affine(&self, axes: &[Axis], terms: impl Iterator<Item = (Var, Linear)>, offset: Linear) -> Affine {
        let mut sum = Affine { base: offset.at(self.n), factors: vec![0; axes.len()] };
        for (var, factor) in terms {
            match axes.iter().position(|axis| axis.var == var) {
                Some(axis) => sum.factors[axis] = sum.factors[axis].wrapping_add(factor.at(self.n)),
                None => sum.base = sum.base.wrapping_add(self.vars[var.0 as usize].wrapping_mul(factor.at(self.n))),
            }
        }
        sum
    }

    /// `offset + Σ var·stride` of a view outside any nest.
    pub(super) fn offset(&self, view: &View) -> i64 {
        self.affine(&[], view.strides.iter().copied(), view.offset).base
    }
}

/// The next index tuple in lexicographic order; false after the last.
fn advance(index: &mut [i64], counts: &[i64]) -> bool {
    for (index, count) in index.iter_mut().zip(counts).rev() {
        *index += 1;
        if *index < *count {
            return true;
        }
        *index = 0;
    }
    false
}
