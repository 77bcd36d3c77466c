//! A second look at a wide function, from its bytes alone.
//!
//! The bytes are decoded and walked through, each loop twice, with what is known of each register. It is proved that
//! - each access is to a place of the block, at the current group's lanes: all of them before the rest, only those of the mask in it;
//!   to the argument block, to constants (reads only), or to the frame;
//! - the group's first lane grows by whole groups from zero, in each row anew, and turns are counted as [`encode`](super::encode) says;
//! - from row to row a pointer gains what the argument block says of its place, and behind the last row no pointer that did is used;
//! - each loop ends: it counts its rows, or its lanes up to the turns that are left;
//! - what a caller may rely on is given back: saved registers in order, the stack, clean upper halves.

use iced_x86::{
    Code, Decoder, DecoderOptions, FlowControl, Instruction, InstructionInfoFactory, Mnemonic, OpAccess, OpKind, Register,
    UsedMemory,
};
use std::collections::{HashMap, HashSet};

use super::keep::MOST_GROUPS;
use super::operations::{Constant, Kind, Selection};
use super::{Form, Rest, Turns, Wide};

/// What a register or a vector of the frame is known to hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Known {
    Arguments,
    Pointer(usize),
    /// The pointer of a place in some later row.
    Further(usize),
    /// Rows that are left.
    Rows,
    /// The number of turns that are left, in the first lane or in all.
    Left,
    /// The lanes that are left.
    Mask,
    /// What a place gains in a row.
    Gain(usize),
    /// The stack pointer before the frame was made.
    Stack,
}

struct Checker<'a> {
    wide: &'a Wide,
    selection: &'a Selection,
    form: Form,
    rest: Rest,
    registers: HashMap<Register, Known>,
    frame_holds: HashMap<u64, Known>,
    pushed: Vec<Register>,
    /// Bytes of the frame.
    frame: Option<u64>,
    /// Whether the first lane counts from zero in this row.
    is_counting: bool,
    is_rest: bool,
    /// Whole groups that the turns that are left were lowered by, so that as many may be accessed at once.
    lowered: u64,
    is_clean: bool,
}

/// Fails unless the function keeps to what it promises.
pub(in super::super) fn check(wide: &Wide, selection: &Selection, turns: Turns, form: Form) -> Result<(), String> {
    let decoder = Decoder::with_ip(64, &wide.bytes[..wide.end], 0, DecoderOptions::NONE);
    let instructions: Vec<Instruction> = decoder.into_iter().collect();
    let offsets: Vec<usize> = instructions.iter().map(|one| one.ip() as usize).collect();
    if offsets != wide.spans.iter().map(|span| span.offset).collect::<Vec<_>>() {
        return Err("the instructions are not those that were written".into());
    }
    let mut checker = Checker {
        wide,
        selection,
        form,
        rest: turns.rest,
        registers: HashMap::from([(Register::RDI, Known::Arguments), (Register::RSI, Known::Left)]),
        frame_holds: HashMap::new(),
        pushed: Vec::new(),
        frame: None,
        is_counting: false,
        is_rest: false,
        lowered: 0,
        is_clean: false,
    };
    let (mut at, mut looped) = (0, HashSet::new());
    let mut factory = InstructionInfoFactory::new();
    while let Some(one) = instructions.get(at) {
        checker.instruction(one, &mut factory).map_err(|why| format!("{why}: {one} at {:#x}", one.ip()))?;
        at += 1;
        match one.flow_control() {
            FlowControl::Next => {}
            FlowControl::ConditionalBranch => {
                let target =
                    offsets.binary_search(&(one.near_branch_target() as usize)).map_err(|_| "a jump into an instruction")?;
                if target < at {
                    checker.turns(one, &instructions[at - 2])?;
                    if looped.insert(at) {
                        at = target;
                    } else if checker.counts_rows(&instructions[at - 2]) {
                        checker.registers.retain(|_, known| !matches!(known, Known::Further(_)));
                    }
                }
            }
            FlowControl::Return if at == instructions.len() => return Ok(()),
            other => return Err(format!("{other:?} at {:#x}", one.ip())),
        }
    }
    Err("no return".into())
}

impl Checker<'_> {
    fn instruction(&mut self, one: &Instruction, factory: &mut InstructionInfoFactory) -> Result<(), String> {
        if one.is_invalid() {
            return Err("no instruction".into());
        }
        if self.around(one)? {
            return Ok(());
        }
        self.is_clean = false;
        if one.code() == Code::Sub_r64_rm64 && (one.op0_register(), one.op1_register()) == (Register::RSI, Register::RCX) {
            if self.is_rest {
                return Err("two rests".into());
            }
            self.is_rest = true;
            return Ok(());
        }
        let info = factory.info(one);
        let reads = |kind| matches!(kind, OpAccess::Read | OpAccess::CondRead);
        let writes = |kind| matches!(kind, OpAccess::Write | OpAccess::CondWrite | OpAccess::ReadWrite);
        for memory in info.used_memory() {
            // Nothing else adds to memory.
            if memory.access() == OpAccess::ReadWrite && !self.counts_rows(one) {
                return Err("an addition in memory".into());
            }
            if !reads(memory.access()) && !writes(memory.access()) {
                return Err(format!("an access of kind {:?}", memory.access()));
            }
            self.memory(one, memory, writes(memory.access()))?;
        }
        let made = self.made(one);
        self.row_begins(one);
        for used in info.used_registers() {
            if matches!(used.access(), OpAccess::Read | OpAccess::CondRead) {
                continue;
            }
            let register = used.register().full_register();
            self.written(one, register)?;
            self.registers.remove(&register);
        }
        if let Some((register, known)) = made {
            self.registers.insert(register, known);
        }
        // What turns are counted with stays known.
        if one.op0_register() == Register::RSI && one.mnemonic() != Mnemonic::Cmp {
            self.registers.insert(Register::RSI, Known::Left);
            self.lowered = match one.mnemonic() {
                Mnemonic::Sub => one.immediate(1) / self.form.lanes() as u64,
                _ => 0,
            };
        }
        Ok(())
    }

    /// Whether a jump back is that of a loop that ends.
    fn turns(&self, jump: &Instruction, before: &Instruction) -> Result<(), String> {
        let lanes = before.code() == Code::Cmp_r64_rm64
            && (before.op0_register(), before.op1_register()) == (Register::RCX, Register::RSI)
            && jump.mnemonic() == Mnemonic::Jle;
        let rows = before.mnemonic() == Mnemonic::Sub && self.counts_rows(before) && jump.mnemonic() == Mnemonic::Jg;
        if lanes || rows { Ok(()) } else { Err(format!("a loop without end at {:#x}", jump.ip())) }
    }

    /// The frame and the end.
    fn around(&mut self, one: &Instruction) -> Result<bool, String> {
        let (to, from) = (one.op0_register(), one.op1_register());
        match one.mnemonic() {
            Mnemonic::Push => self.pushed.push(to),
            Mnemonic::Pop => {
                if self.frame.is_some() || self.pushed.pop() != Some(to) {
                    return Err("a register is not given back".into());
                }
            }
            Mnemonic::Mov if (to, from) == (Register::RBP, Register::RSP) && self.pushed.contains(&Register::RBP) => {
                self.registers.insert(Register::RBP, Known::Stack);
            }
            Mnemonic::Mov if (to, from) == (Register::RSP, Register::RBP) => {
                if self.registers.remove(&Register::RBP) != Some(Known::Stack) || self.frame.take().is_none() {
                    return Err("a stack that was not kept".into());
                }
            }
            Mnemonic::And if to == Register::RSP && one.immediate(1) as i64 == -(self.form.bytes() as i64) => {}
            Mnemonic::Sub if to == Register::RSP && self.registers.get(&Register::RBP) == Some(&Known::Stack) => {
                self.frame = Some(one.immediate(1));
            }
            Mnemonic::Vzeroupper => self.is_clean = true,
            Mnemonic::Ret => {
                if !self.pushed.is_empty() || self.frame.is_some() || !self.is_clean {
                    return Err("the end of something unfinished".into());
                }
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// A row begins with all its turns before it, and counts its lanes.
    fn row_begins(&mut self, one: &Instruction) {
        if one.mnemonic() == Mnemonic::Mov && one.op0_register() == Register::RSI {
            (self.is_rest, self.is_counting) = (false, false);
        }
        if one.mnemonic() == Mnemonic::Xor && one.op0_register() == Register::ECX {
            self.is_counting = true;
        }
    }

    /// Whole groups that are accessed at once.
    fn groups(&self) -> u64 {
        self.lowered.max(1)
    }

    fn most_groups(&self) -> u64 {
        if self.selection.keeps() { MOST_GROUPS as u64 } else { 1 }
    }

    /// What an instruction adds or takes off, if it is a number.
    fn by(&self, one: &Instruction) -> Option<u64> {
        (one.op1_kind() != OpKind::Register).then(|| one.immediate(1))
    }

    fn written(&self, one: &Instruction, register: Register) -> Result<(), String> {
        let lanes = self.form.lanes() as u64;
        let allowed = match register {
            Register::RAX | Register::RDX | Register::R8 | Register::R9 | Register::R10 | Register::R11 => true,
            Register::RBX | Register::R12 | Register::R13 | Register::R14 | Register::R15 => self.pushed.contains(&register),
            Register::RCX => match one.mnemonic() {
                Mnemonic::Xor => one.op1_register() == Register::ECX,
                Mnemonic::Add => one.op1_kind() != OpKind::Register && one.immediate(1) == lanes * self.groups(),
                _ => false,
            },
            Register::RSI => match one.mnemonic() {
                Mnemonic::Mov => {
                    let around = self.selection.rows && !self.selection.keeps();
                    around && self.argument(one) == Some(self.selection.turns_at())
                }
                Mnemonic::Sub => self.lowered == 0 && (1..=self.most_groups()).any(|groups| self.by(one) == Some(lanes * groups)),
                Mnemonic::Add => self.lowered > 0 && self.by(one) == Some(lanes * self.lowered),
                _ => false,
            },
            Register::K1 => true,
            Register::K2 => self.is_rest,
            other => other.is_vector_register(),
        };
        if allowed { Ok(()) } else { Err(format!("{register:?} is changed")) }
    }

    fn memory(&self, one: &Instruction, memory: &UsedMemory, stores: bool) -> Result<(), String> {
        let size = memory.memory_size().size() as u64;
        let distance = memory.displacement() as i64;
        let within = |low: u64, high: u64, at: u64| at >= low && at.checked_add(size).is_some_and(|end| end <= high);
        let inside = |end: u64| distance >= 0 && within(0, end, distance as u64) && memory.index() == Register::None;
        if one.is_ip_rel_memory_operand() {
            let (low, high) = (self.wide.pool as u64, self.wide.bytes.len() as u64);
            let fits = within(low, high, one.ip_rel_memory_address());
            return if fits && !stores { Ok(()) } else { Err("not a constant".into()) };
        }
        if memory.base() == Register::RSP {
            let fits = self.frame.is_some_and(inside);
            return if fits { Ok(()) } else { Err("outside the frame".into()) };
        }
        match self.registers.get(&memory.base()) {
            Some(Known::Arguments) => {
                let fits = inside(self.selection.arguments() as u64) && (!stores || self.counts_rows(one));
                if fits { Ok(()) } else { Err("outside the argument block".into()) }
            }
            Some(&(Known::Pointer(place) | Known::Further(place))) => self.access(one, memory, place, stores),
            other => Err(format!("an access through {:?}, which holds {other:?}", memory.base())),
        }
    }

    /// The place in the argument block that an instruction accesses.
    fn argument(&self, one: &Instruction) -> Option<i64> {
        (one.memory_base() == Register::RDI).then(|| one.memory_displacement64() as i64)
    }

    /// The place whose pointer, or whose gain, lies there.
    fn place_at(&self, argument: i64, gain: bool) -> Option<usize> {
        let at = |place: usize| if gain { self.selection.gain_at(place) } else { self.selection.pointer_at(place) };
        (0..self.selection.places.len()).find(|&place| at(place) == argument)
    }

    /// Whether an instruction takes one row off, or moves a pointer to the next one.
    fn counts_rows(&self, one: &Instruction) -> bool {
        if one.mnemonic() == Mnemonic::Sub && self.registers.get(&one.op0_register()) == Some(&Known::Rows) {
            return self.by(one) == Some(1);
        }
        let Some(argument) = self.argument(one).filter(|_| self.selection.rows) else { return false };
        match one.mnemonic() {
            Mnemonic::Sub => argument == self.selection.rows_at() && one.op1_kind() != OpKind::Register && one.immediate(1) == 1,
            Mnemonic::Add => {
                let gain = self.registers.get(&one.op1_register());
                self.place_at(argument, false).is_some_and(|place| gain == Some(&Known::Gain(place)))
            }
            _ => false,
        }
    }

    fn access(&self, one: &Instruction, memory: &UsedMemory, place: usize, stores: bool) -> Result<(), String> {
        if !self.is_counting {
            return Err("a lane that was not counted from zero".into());
        }
        let moves = memory.index() == Register::RCX && memory.scale() == 4;
        let size = memory.memory_size().size();
        // A number of lanes that is known may be stored in pieces.
        let pieces = match self.rest {
            Rest::Known(lanes) if self.is_rest && stores => 4 * i64::from(lanes) - size as i64,
            _ => 0,
        };
        let from = memory.displacement() as i64;
        let groups = (0..self.groups() as i64).map(|group| group * self.form.bytes() as i64);
        let known = self.selection.all().any(|op| match op.kind {
            Kind::Load(access) | Kind::Store(access) => groups.clone().any(|further| {
                let first = i64::from(access.displacement) + if moves { further } else { 0 };
                matches!(op.kind, Kind::Store(_)) == stores
                    && (access.place as usize, access.moves) == (place, moves)
                    && (first..=first + pieces).contains(&from)
                    && (from - first) % 4 == 0
            }),
            _ => false,
        });
        if !known {
            return Err(format!("no access of the block to place {place}"));
        }
        if !moves {
            return if size == 4 && memory.index() == Register::None { Ok(()) } else { Err("more than one word".into()) };
        }
        if self.is_rest
            && let Rest::Known(lanes) = self.rest
            && size <= 4 * usize::from(lanes)
        {
            return Ok(());
        }
        let mask = match one.mnemonic() {
            // The mask is the second operand of a load and of a store alike.
            Mnemonic::Vmaskmovps => one.op1_register().full_register(),
            _ => one.op_mask(),
        };
        let masked = self.registers.get(&mask) == Some(&Known::Mask);
        match (self.is_rest, masked) {
            _ if size != self.form.bytes() => Err(format!("{size} bytes")),
            (true, false) => Err("lanes that are not left".into()),
            _ => Ok(()),
        }
    }

    /// What an instruction makes that is worth knowing.
    fn made(&mut self, one: &Instruction) -> Option<(Register, Known)> {
        let to = one.op0_register().full_register();
        let holds = |register: Register| self.registers.get(&register.full_register()).copied();
        let slot = (one.memory_base() == Register::RSP).then(|| one.memory_displacement64());
        let register_to_register = one.op0_kind() == OpKind::Register && one.op1_kind() == OpKind::Register;
        match one.mnemonic() {
            Mnemonic::Mov => {
                let argument = self.argument(one)?;
                let gain = || self.place_at(argument, true).filter(|_| self.selection.rows).map(Known::Gain);
                let rows = || (self.selection.rows && argument == self.selection.rows_at()).then_some(Known::Rows);
                let known = self.place_at(argument, false).map(Known::Pointer).or_else(gain).or_else(rows)?;
                Some((to, known))
            }
            Mnemonic::Sub if holds(to) == Some(Known::Rows) => self.counts_rows(one).then_some((to, Known::Rows)),
            Mnemonic::Add => {
                let (argument, pointer) = (self.argument(one)?, holds(to)?);
                let place = self.place_at(argument, true).filter(|_| self.selection.rows)?;
                [Known::Pointer(place), Known::Further(place)].contains(&pointer).then_some((to, Known::Further(place)))
            }
            Mnemonic::Vmovd | Mnemonic::Vpbroadcastd
                if register_to_register && holds(one.op1_register()) == Some(Known::Left) =>
            {
                Some((to, Known::Left))
            }
            Mnemonic::Vpcmpgtd if self.is_rest && one.is_ip_rel_memory_operand() => {
                let from = one.ip_rel_memory_address() as usize;
                let numbers: Vec<u8> = Constant::Lanes(1).words(self.form.lanes()).flat_map(u32::to_le_bytes).collect();
                let counts = self.wide.bytes.get(from..from + numbers.len()) == Some(&numbers);
                (counts && holds(one.op1_register()) == Some(Known::Left)).then_some((to, Known::Mask))
            }
            Mnemonic::Vmovups if one.op0_kind() == OpKind::Memory => {
                match (slot, holds(one.op1_register())) {
                    (Some(slot), Some(known)) => self.frame_holds.insert(slot, known),
                    (Some(slot), None) => self.frame_holds.remove(&slot),
                    (None, _) => None,
                };
                None
            }
            Mnemonic::Vmovups => slot.and_then(|slot| self.frame_holds.get(&slot)).map(|&known| (to, known)),
            Mnemonic::Vmovaps if register_to_register && one.op_mask() == Register::None => {
                holds(one.op1_register()).map(|known| (to, known))
            }
            _ => None,
        }
    }
}
