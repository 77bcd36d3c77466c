//! Memory as values: what a turn that is [written out](super::straight) knows of the words that it has loaded and stored, one by one and four side
//! by side.

use std::collections::{BTreeMap, BTreeSet};

use cranelift_codegen::ir;

use super::block::Lanes;
use crate::loops::{BufferId, Lane};

/// Words of a vector.
pub(super) const FOUR: i64 = 4;

/// A data row: the row table, a place in it, and the words between rows.
pub(super) type Row = (BufferId, i64, i64);

/// A word of memory: of a buffer, or of a data row in it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Word {
    pub buffer: BufferId,
    pub row: Option<Row>,
    pub offset: i64,
}

impl Word {
    /// The word so many places further on.
    pub fn plus(self, places: i64) -> Word {
        Word { offset: self.offset + places, ..self }
    }
}

/// What a word, or four, hold.
#[derive(Clone, Copy)]
pub(super) struct Held {
    pub value: Lanes,
    pub from: From,
}

/// Where a value comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum From {
    /// It was loaded, and can be loaded again.
    Memory,
    /// It was made, and stored as well.
    Stored,
    /// It was made, and is nowhere else.
    Made,
}

/// What is known where the next instruction is written.
#[derive(Clone, Default)]
pub(super) struct Known {
    words: BTreeMap<Word, Held>,
    /// Four words side by side, by the first of them.
    fours: BTreeMap<Word, Held>,
    /// First bytes of data rows.
    pub rows: BTreeMap<(BufferId, Row), ir::Value>,
}

impl Known {
    /// The value of a word.
    pub fn word(&self, word: Word, lane: Lane) -> Option<Lanes> {
        self.words.get(&word).map(|held| held.value).filter(|value| value.lane == lane)
    }

    /// The value of four words.
    pub fn four(&self, first: Word, lane: Lane) -> Option<Lanes> {
        self.fours.get(&first).map(|held| held.value).filter(|value| value.lane == lane)
    }

    /// Whether four words can be read at once: as they are held, or from memory.
    pub fn reads_four(&self, first: Word) -> bool {
        let is_made = |held: &Held| held.from == From::Made;
        let alone = (0..FOUR).filter_map(|place| self.words.get(&first.plus(place)));
        let beside = (1 - FOUR..FOUR).filter_map(|place| self.fours.get(&first.plus(place)));
        self.fours.contains_key(&first) || !alone.chain(beside).any(is_made)
    }

    /// Four words that have values one of which is this word's, and that are nowhere else: the first of them, and what they hold.
    pub fn made_around(&self, word: Word) -> Option<(Word, Lanes)> {
        let firsts = (0..FOUR).map(|place| word.plus(-place));
        let mut fours = firsts.filter_map(|first| Some((first, self.fours.get(&first)?)));
        fours.find(|(_, held)| held.from == From::Made).map(|(first, held)| (first, held.value))
    }

    /// Keeps the value of a word.
    pub fn keep(&mut self, word: Word, held: Held) {
        if held.from != From::Memory {
            for place in 0..FOUR {
                self.fours.remove(&word.plus(-place));
            }
        }
        self.words.insert(word, held);
    }

    /// Keeps the values of four words.
    pub fn keep_four(&mut self, first: Word, held: Held) {
        if held.from != From::Memory {
            for place in 0..FOUR {
                self.words.remove(&first.plus(place));
                self.fours.remove(&first.plus(place));
                self.fours.remove(&first.plus(-place));
            }
        }
        self.fours.insert(first, held);
    }

    /// Keeps the value of a word of four that are known already.
    pub fn keep_lane(&mut self, word: Word, value: Lanes) {
        self.words.entry(word).or_insert(Held { value, from: From::Made });
    }

    /// Forgets what memory has: to load it again costs less than a register for long.
    pub fn forget_loaded(&mut self) {
        for held in [&mut self.words, &mut self.fours] {
            held.retain(|_, held| held.from != From::Memory);
        }
    }

    /// Forgets what these buffers hold.
    pub fn forget(&mut self, buffers: &BTreeSet<BufferId>) {
        for held in [&mut self.words, &mut self.fours] {
            held.retain(|word, _| !buffers.contains(&word.buffer));
        }
    }
}
