//! Rows of a data set that a nest would look up lane by lane: one word of each is copied first, so that the nest runs on several lanes.

use super::kernel::KernelLowering;
use super::vector::is_vector;
use crate::loops::block::BlockBuilder;
use crate::loops::{Axis, Block, BufferId, Extent, Instruction, Lane, Linear, Nest, Space, Statement, Var, View};

/// Instructions for each word looked up from which on a copy is repaid.
const REPAYS: usize = 8;

/// A word of each row of the tile, and where it has been copied to.
#[derive(Debug)]
pub(super) struct Staged {
    /// As looked up by the loop variable [`ROW`].
    word: View,
    lane: Lane,
    extent: Extent,
    copy: BufferId,
}

/// Stands for the loop variable of any nest.
const ROW: Var = Var(u32::MAX);

impl KernelLowering<'_> {
    /// A block whose innermost axis may run on several lanes, if copying the words that it looks up makes it such.
    pub(super) fn on_copies(&mut self, block: &Block, axis: &Axis) -> Option<Block> {
        let loads: Vec<usize> = (0..block.code.len()).filter(|&at| self.looked_up(&block.code[at], axis.var).is_some()).collect();
        if loads.is_empty() || loads.len() * REPAYS > block.code.len() {
            return None;
        }
        // Copies are made only if they serve: first the block is tried on any buffer.
        let on = |copy: &dyn Fn(usize) -> BufferId| {
            let mut block = block.clone();
            for &at in &loads {
                if let Instruction::Load(place, _) = &mut block.code[at] {
                    *place = word_of(copy(at), axis.var);
                }
            }
            block
        };
        let unwritten = BufferId(u32::MAX);
        if !is_vector(&on(&|_| unwritten), axis) {
            return None;
        }
        let copies: Vec<BufferId> = loads.iter().map(|&at| self.copy_of(&block.code[at], axis)).collect::<Option<_>>()?;
        Some(on(&|at| loads.iter().position(|&load| load == at).map_or(unwritten, |position| copies[position])))
    }

    /// The word that an instruction looks up by this variable and by tiles alone, as one that [`ROW`] looks up.
    fn looked_up(&self, instruction: &Instruction, var: Var) -> Option<(View, Lane)> {
        let Instruction::Load(place, lane) = instruction else { return None };
        let mut word = place.clone();
        let index = &mut word.table.as_mut()?.index;
        let is_tile = |own: &Var| self.scope.tiles.contains(own);
        let own = index.iter().position(|&(own, factor)| own == var && factor == 1)?;
        index[own].0 = ROW;
        let by_tiles =
            index.iter().all(|(own, _)| *own == ROW || is_tile(own)) && word.strides.iter().all(|(own, _)| is_tile(own));
        (by_tiles && place.pick.is_none()).then_some((word, *lane))
    }

    /// Where the words are copied to, by a nest that is written now if there is none yet.
    fn copy_of(&mut self, instruction: &Instruction, axis: &Axis) -> Option<BufferId> {
        let (word, lane) = self.looked_up(instruction, axis.var)?;
        let known = self.staged.iter().find(|known| known.word == word && known.lane == lane && known.extent == axis.extent);
        if let Some(known) = known {
            return Some(known.copy);
        }
        let words = axis.extent.room();
        let source = self.scope.program.buffers[word.buffer.0 as usize].name.clone();
        let name = format!("{}.{source}.{}", self.name_short(), self.staged.len());
        let copy = self.scope.program.add_buffer(name, Space::Scratch, lane, words);
        let var = self.var();
        let mut from = word.clone();
        if let Some(table) = &mut from.table {
            table.index.iter_mut().filter(|(own, _)| *own == ROW).for_each(|(own, _)| *own = var);
        }
        let mut block = BlockBuilder::new();
        block.set_origin(self.scope.serving.0);
        let value = block.load(from, lane);
        block.store(word_of(copy, var), value);
        let axes = vec![Axis { var, extent: axis.extent, vector: false }];
        self.push(Statement::Nest(Nest { title: format!("rows of {source}"), axes, block: block.finish() }));
        self.staged.push(Staged { word, lane, extent: axis.extent, copy });
        Some(copy)
    }
}

fn word_of(copy: BufferId, var: Var) -> View {
    View { buffer: copy, offset: Linear::ZERO, strides: vec![(var, Linear::fixed(1))], table: None, pick: None }
}
