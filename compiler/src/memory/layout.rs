//! Places for one batch capacity: plain numbers, so that values that grow with the batch and values that do not can share memory.

use super::{ALIGN_WORDS, Life, MemoryPlan};
use crate::loops::{BufferId, Linear};
use std::collections::BTreeMap;

/// Where each temporary of a plan lies, in words from the arena's start.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Layout {
    /// In the order of the plan's lives.
    pub offsets: Vec<i64>,
    /// Words of the arena.
    pub words: i64,
}

/// Values that take the same place one after the other.
struct Seat {
    members: Vec<usize>,
    from: usize,
    until: usize,
    words: i64,
}

/// Words that a value takes, up to where the next may begin.
pub(super) fn room(words: Linear, capacity: i64) -> i64 {
    (words.at(capacity) + ALIGN_WORDS - 1) / ALIGN_WORDS * ALIGN_WORDS
}

impl MemoryPlan {
    /// Places for batches of up to `capacity` rows: large values first, each in the lowest gap that is free while it lives.
    pub fn layout(&self, capacity: i64) -> Layout {
        let mut seats = self.seats(capacity);
        seats.sort_by_key(|seat| (std::cmp::Reverse(seat.words), seat.from, seat.members[0]));
        let mut layout = Layout { offsets: vec![0; self.lives.len()], words: 0 };
        // Seats that have a place, by their offset.
        let mut placed: Vec<(i64, &Seat)> = Vec::new();
        for seat in &seats {
            let mut offset = 0;
            for (other, beside) in &placed {
                if beside.from <= seat.until && seat.from <= beside.until {
                    if offset + seat.words <= *other {
                        break;
                    }
                    offset = offset.max(other + beside.words);
                }
            }
            let at = placed.partition_point(|(other, _)| *other <= offset);
            placed.insert(at, (offset, seat));
            layout.words = layout.words.max(offset + seat.words);
            seat.members.iter().for_each(|life| layout.offsets[*life] = offset);
        }
        layout
    }

    fn seats(&self, capacity: i64) -> Vec<Seat> {
        let mut seats: Vec<Seat> = Vec::new();
        let mut seat_of: BTreeMap<BufferId, usize> = BTreeMap::new();
        for number in self.in_order() {
            let life = &self.lives[number];
            let seat = life.over.and_then(|operand| seat_of.get(&operand)).copied().unwrap_or(seats.len());
            if seat == seats.len() {
                let words = room(life.words, capacity);
                seats.push(Seat { members: Vec::new(), from: life.from, until: life.until, words });
            }
            let own = &mut seats[seat];
            own.members.push(number);
            (own.from, own.until) = (own.from.min(life.from), own.until.max(life.until));
            seat_of.insert(life.buffer, seat);
        }
        seats
    }

    /// Numbers of the lives in the order in which they begin; what is taken over stands before what takes it.
    pub(crate) fn in_order(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.lives.len()).collect();
        order.sort_by_key(|life| (self.lives[*life].first, self.lives[*life].last, self.lives[*life].buffer));
        order
    }

    /// Proves that no two values share a word while both live, but where one takes the other's place, and that all lie in the arena.
    ///
    /// It goes through the kernels with the values that live, by their offsets: each that comes must fit between its neighbours.
    ///
    /// # Errors
    /// Buffers of the values that meet.
    pub fn prove(&self, layout: &Layout, capacity: i64) -> Result<(), [BufferId; 2]> {
        let mut coming = self.in_order();
        coming.sort_by_key(|life| self.lives[*life].from);
        let mut going = coming.clone();
        going.sort_by_key(|life| self.lives[*life].until);
        let mut going = going.into_iter().peekable();
        // The value at an offset, and its end.
        let mut live: BTreeMap<i64, (i64, usize)> = BTreeMap::new();
        for number in coming {
            let life = &self.lives[number];
            while let Some(gone) = going.next_if(|gone| self.lives[*gone].until < life.from) {
                if live.get(&layout.offsets[gone]).is_some_and(|(_, holder)| *holder == gone) {
                    live.remove(&layout.offsets[gone]);
                }
            }
            let start = layout.offsets[number];
            let end = start + life.words.at(capacity);
            if start < 0 || end > layout.words {
                return Err([life.buffer; 2]);
            }
            let below = live.range(..end).next_back().filter(|(_, (other_end, _))| *other_end > start);
            if let Some((at, (_, other))) = below {
                let other = &self.lives[*other];
                if *at != start || !takes_over(other, life) {
                    return Err([other.buffer, life.buffer]);
                }
            }
            live.insert(start, (end, number));
        }
        Ok(())
    }
}

/// Whether the second stands where the first was read for the last time, in the same kernel or before.
fn takes_over(operand: &Life, result: &Life) -> bool {
    result.over == Some(operand.buffer) && operand.words == result.words && operand.last <= result.first
}
