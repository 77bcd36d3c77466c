//! Registers for straight-line code.
//!
//! One walk over the operations. A value that must give its register up is the one whose next use is furthest; what an operation made
//! goes to the frame, once; constants and words of the argument block are read again from where they lie. An operand that lies in
//! memory is read there by the instruction itself, if it can be and no register is free for a value that is used again.
//!
//! Constants and words that are used most are **pinned**: loaded before the loop, while registers last. What is kept from row to row
//! is pinned too, and what it becomes is made where it stands, if what it was is not wanted any more.

use super::Form;
use super::operations::{Held, Kind, Op, Selection, Virtual};
use super::pins::{Pin, registers, uses};

/// Where an operand is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Site {
    Register(u8),
    /// A constant, by number.
    Constant(u32),
    /// A word of the argument block, by number.
    Scalar(u32),
    /// A vector of the frame, by number.
    Frame(u32),
}

/// An instruction, or what an operation needs before it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Step {
    /// The operation of this number.
    Act {
        op: u32,
        result: u8,
        sources: [Site; 3],
    },
    /// `result = second * third + result` (`adds`), or `result = second * result + third`.
    Fma {
        op: u32,
        result: u8,
        second: u8,
        third: Site,
        adds: bool,
    },
    Copy {
        op: u32,
        to: u8,
        from: u8,
    },
    Fill {
        op: u32,
        to: u8,
        from: Site,
    },
    Spill {
        op: u32,
        from: u8,
        slot: u32,
    },
}

/// Operations with registers.
#[derive(Debug)]
pub(super) struct Straight {
    pub steps: Vec<Step>,
    /// Vectors that the frame holds.
    pub slots: u32,
}

/// A body's operations with registers: what is before its rows, a row, and what is behind them.
pub(super) struct Allocated {
    pub before: Straight,
    pub row: Straight,
    pub after: Straight,
}

/// Gives the first `all` registers to a body; `None` if that is impossible, which too few registers for one operation would be.
pub(super) fn allocate(body: &Selection, pins: &[Pin], form: Form, all: usize) -> Option<Allocated> {
    let kept = body.kept.iter().zip(registers(all).skip(pins.len()));
    let kept = kept.map(|(&value, register)| Pin { value, register, origin: 0 });
    let pins: Vec<Pin> = pins.iter().copied().chain(kept).collect();
    let allocate = |ops| straight(body, ops, &pins, form, all);
    Some(Allocated { before: allocate(&body.before)?, row: allocate(&body.ops)?, after: allocate(&body.after)? })
}

/// Gives registers to operations.
fn straight(selection: &Selection, ops: &[Op], pins: &[Pin], form: Form, all: usize) -> Option<Straight> {
    let values = selection.held.len();
    let mut becomes = vec![None; values];
    for op in ops.iter().filter(|op| op.kind == Kind::Keeps) {
        becomes[op.sources[0]?.0 as usize] = op.result;
    }
    let mut allocator = Allocator {
        selection,
        form,
        ops,
        uses: uses(selection, ops),
        becomes,
        passed: vec![0; values],
        register: vec![None; values],
        slot: vec![None; values],
        holds: vec![None; all],
        pinned: 0,
        locked: 0,
        free_slots: Vec::new(),
        ended_slots: Vec::new(),
        slots: 0,
        at: 0,
        steps: Vec::with_capacity(2 * ops.len()),
    };
    for pin in pins {
        allocator.register[pin.value.0 as usize] = Some(pin.register);
        allocator.holds[pin.register as usize] = Some(pin.value);
        allocator.pinned |= 1 << pin.register;
    }
    for at in 0..ops.len() {
        allocator.op(at)?;
    }
    Some(Straight { steps: allocator.steps, slots: allocator.slots })
}

struct Allocator<'a> {
    selection: &'a Selection,
    form: Form,
    ops: &'a [Op],
    uses: Vec<Vec<u32>>,
    /// For each value the kept one that it is to be in the next row.
    becomes: Vec<Option<Virtual>>,
    /// How many uses of each value lie behind.
    passed: Vec<usize>,
    register: Vec<Option<u8>>,
    slot: Vec<Option<u32>>,
    /// What each register holds.
    holds: Vec<Option<Virtual>>,
    /// Registers of pins.
    pinned: u32,
    /// Registers that the current operation needs.
    locked: u32,
    free_slots: Vec<u32>,
    /// Slots of values that the current operation was the last to use.
    ended_slots: Vec<u32>,
    slots: u32,
    /// The current operation.
    at: usize,
    steps: Vec<Step>,
}

impl Allocator<'_> {
    fn op(&mut self, at: usize) -> Option<()> {
        self.at = at;
        self.locked = 0;
        let op = self.ops[at];
        // No operand that is in a register may lose it to another.
        for source in op.sources.iter().flatten() {
            if let Some(register) = self.register[source.0 as usize] {
                self.locked |= 1 << register;
            }
        }
        if op.kind == Kind::Fma {
            return self.fma(&op);
        }
        let in_memory = in_memory(op.kind);
        let mut sources = [Site::Register(0); 3];
        // Registers first, so that what remains may stay in memory with a good conscience.
        for (position, (operand, value)) in sources.iter_mut().zip(op.sources).enumerate() {
            if let Some(value) = value
                && in_memory != Some(position)
            {
                *operand = Site::Register(self.ensure(value)?);
            }
        }
        if let Some(position) = in_memory
            && let Some(value) = op.sources[position]
        {
            sources[position] = self.operand(value)?;
        }
        self.pass(&op);
        let result = match op.result {
            Some(value) => self.define(value)?,
            None => 0,
        };
        match (op.kind, sources[0]) {
            (Kind::Keeps, Site::Register(from)) if from == result => {}
            (Kind::Keeps, Site::Register(from)) => self.steps.push(Step::Copy { op: at as u32, to: result, from }),
            _ => self.steps.push(Step::Act { op: at as u32, result, sources }),
        }
        self.end(&op);
        Some(())
    }

    /// A multiply-add overwrites one of its operands: one that is not wanted any more, or else a copy.
    fn fma(&mut self, op: &Op) -> Option<()> {
        let [Some(a), Some(b), Some(c)] = op.sources else { return None };
        let ends = |e: &Self, v: Virtual| {
            let alone = op.sources.iter().flatten().filter(|&&other| other == v).count() == 1;
            let pinned = e.register[v.0 as usize].is_some_and(|register| e.pinned & (1 << register) != 0);
            let becomes = op.result.is_some_and(|result| e.becomes[result.0 as usize] == Some(v));
            alone && (!pinned || becomes) && e.next(v, 1).is_none() && e.register[v.0 as usize].is_some()
        };
        let (adds, tied, x, y) = match () {
            _ if ends(self, c) => (true, c, a, b),
            _ if ends(self, a) => (false, a, b, c),
            _ if ends(self, b) => (false, b, a, c),
            // A constant is loaded where a copy would be made.
            _ if self.register[c.0 as usize].is_none() => (true, c, a, b),
            _ if self.register[a.0 as usize].is_none() => (false, a, b, c),
            _ if self.register[b.0 as usize].is_none() => (false, b, a, c),
            _ => (true, c, a, b),
        };
        // Of two factors the one in a register comes first.
        let swap = adds && self.register[x.0 as usize].is_none();
        let (second, third) = if swap { (y, x) } else { (x, y) };
        let taken = ends(self, tied);
        let tie = match (taken, self.register[tied.0 as usize]) {
            (true, Some(register)) => {
                self.locked |= 1 << register;
                register
            }
            (_, from) => {
                let to = self.take()?;
                self.locked |= 1 << to;
                self.steps.push(match from {
                    Some(from) => Step::Copy { op: self.at as u32, to, from },
                    None => Step::Fill { op: self.at as u32, to, from: self.lies(tied)? },
                });
                to
            }
        };
        let second = self.ensure(second)?;
        let third = self.operand(third)?;
        self.pass(op);
        if let Some(result) = op.result {
            self.holds[tie as usize] = Some(result);
            self.register[result.0 as usize] = Some(tie);
        }
        self.steps.push(Step::Fma { op: self.at as u32, result: tie, second, third, adds });
        self.end(op);
        Some(())
    }

    /// The next use of a value, `beyond` uses behind the next one.
    fn next(&self, value: Virtual, beyond: usize) -> Option<u32> {
        let at = value.0 as usize;
        self.uses[at].get(self.passed[at] + beyond).copied()
    }

    /// Where a value lies that is in no register.
    fn lies(&self, value: Virtual) -> Option<Site> {
        match self.selection.held[value.0 as usize] {
            Held::Constant(number) => Some(Site::Constant(number)),
            Held::Scalar(number) => Some(Site::Scalar(number)),
            Held::Made => self.slot[value.0 as usize].map(Site::Frame),
        }
    }

    /// A register that holds the value.
    fn ensure(&mut self, value: Virtual) -> Option<u8> {
        if let Some(register) = self.register[value.0 as usize] {
            self.locked |= 1 << register;
            return Some(register);
        }
        let from = self.lies(value)?;
        let to = self.take()?;
        self.locked |= 1 << to;
        self.register[value.0 as usize] = Some(to);
        self.holds[to as usize] = Some(value);
        self.steps.push(Step::Fill { op: self.at as u32, to, from });
        Some(to)
    }

    /// An operand that the instruction can read in memory.
    fn operand(&mut self, value: Virtual) -> Option<Site> {
        if self.register[value.0 as usize].is_none() {
            let lies = self.lies(value)?;
            // With 8 lanes an instruction reads whole vectors only, and a word of the argument block is none.
            let readable = self.form == Form::Sixteen || !matches!(lies, Site::Scalar(_));
            let again = self.next(value, 1).is_some() && self.free().is_some();
            if readable && !again {
                return Some(lies);
            }
        }
        self.ensure(value).map(Site::Register)
    }

    fn free(&self) -> Option<u8> {
        (0..self.holds.len())
            .find(|&register| self.holds[register].is_none() && self.locked & (1 << register) == 0)
            .map(|r| r as u8)
    }

    /// A register that holds nothing any more.
    fn take(&mut self) -> Option<u8> {
        if let Some(register) = self.free() {
            return Some(register);
        }
        let barred = self.locked | self.pinned;
        let candidates = (0..self.holds.len()).filter(|&register| barred & (1 << register) == 0);
        // A copy that lies elsewhere already costs no store: it goes first among near equals.
        const STORE: u32 = 8;
        let furthest = candidates.max_by_key(|&register| {
            let value = self.holds[register];
            let next = value.and_then(|value| self.next(value, 0)).unwrap_or(u32::MAX - STORE);
            let clean = value.is_none_or(|value| self.lies(value).is_some());
            (next + if clean { STORE } else { 0 }, std::cmp::Reverse(register))
        })?;
        if let Some(value) = self.holds[furthest].take() {
            self.register[value.0 as usize] = None;
            if self.lies(value).is_none() {
                let slot = self.free_slots.pop().unwrap_or_else(|| {
                    self.slots += 1;
                    self.slots - 1
                });
                self.slot[value.0 as usize] = Some(slot);
                self.steps.push(Step::Spill { op: self.at as u32, from: furthest as u8, slot });
            }
        }
        Some(furthest as u8)
    }

    /// Moves on past the operands of an operation and lets go of those that are wanted no more.
    fn pass(&mut self, op: &Op) {
        for (position, value) in op.sources.iter().enumerate() {
            let Some(value) = value else { continue };
            if op.sources[..position].contains(&Some(*value)) {
                continue;
            }
            self.passed[value.0 as usize] += 1;
            if self.next(*value, 0).is_none() {
                self.release(*value);
            }
        }
    }

    fn release(&mut self, value: Virtual) {
        if let Some(register) = self.register[value.0 as usize]
            && self.pinned & (1 << register) == 0
        {
            self.register[value.0 as usize] = None;
            self.holds[register as usize] = None;
            self.locked &= !(1 << register);
        }
        // Not before the operation is written: it may read the slot itself.
        self.ended_slots.extend(self.slot[value.0 as usize].take());
    }

    fn define(&mut self, value: Virtual) -> Option<u8> {
        // What is pinned has its register.
        if let Some(register) = self.register[value.0 as usize] {
            return Some(register);
        }
        let kept = self.becomes[value.0 as usize].filter(|&kept| self.next(kept, 0).is_none());
        if let Some(register) = kept.and_then(|kept| self.register[kept.0 as usize]) {
            self.register[value.0 as usize] = Some(register);
            return Some(register);
        }
        let register = self.take()?;
        self.register[value.0 as usize] = Some(register);
        self.holds[register as usize] = Some(value);
        Some(register)
    }

    /// Ends an operation: a result that nobody uses gives its register back.
    fn end(&mut self, op: &Op) {
        if let Some(result) = op.result
            && self.uses[result.0 as usize].is_empty()
        {
            self.release(result);
        }
        self.free_slots.append(&mut self.ended_slots);
    }
}

/// The source that an operation's instruction can read in memory.
fn in_memory(kind: Kind) -> Option<usize> {
    match kind {
        Kind::Two(_) | Kind::Select | Kind::Test(_) => Some(1),
        Kind::One(_) | Kind::Blend => Some(0),
        Kind::Fma
        | Kind::Shift(..)
        | Kind::TestMask
        | Kind::Keep
        | Kind::Spread
        | Kind::Load(_)
        | Kind::Store(_)
        | Kind::Counter { .. }
        | Kind::Left
        | Kind::Keeps => None,
    }
}
