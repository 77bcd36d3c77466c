//! A second look at a [woven function](super::weave), from its bytes alone: its integer instructions are executed, for some numbers of steps,
//! and of each access it is proved that
//! - what is read of the operands are elements of the product, as many as it has, those of columns that are left over behind their mask;
//! - each element of the result is written once, and read by the nest behind that;
//! - of the nest's places it accesses what its operations say, group by group from the first element to the last, and nothing twice;
//! - the argument block is written in its counters and pointers only, and constants are read where they lie;
//! - what a caller may rely on is given back.

use iced_x86::{
    Code, Decoder, DecoderOptions, FlowControl, Instruction, InstructionInfoFactory, Mnemonic, OpAccess, OpKind, Register,
};
use std::collections::HashMap;

use super::Wide;
use super::operations::{Kind, Selection};
use super::weave::{Field, Shape, arguments};

/// Bytes that each thing in memory has to itself.
const ROOM: u64 = 1 << 40;
const ARGUMENTS: u64 = ROOM;
const A: u64 = 2 * ROOM;
const B: u64 = 3 * ROOM;
const C: u64 = 4 * ROOM;
const TABLE: u64 = 5 * ROOM;
const PLACES: u64 = 8 * ROOM;
/// What registers hold that a function must not use.
const UNKNOWN: u64 = 1 << 60;
/// Instructions that a function may take.
const MOST: usize = 1 << 26;

/// Fails unless the function keeps to what it promises. `results` says which of the nest's places are the product's result.
pub(super) fn check(wide: &Wide, selection: &Selection, shape: Shape, results: &[bool]) -> Result<(), String> {
    [1, shape.slots() + 1].into_iter().try_for_each(|steps| {
        let mut trace = Trace::new(wide, selection, shape, results, steps);
        trace.run().map_err(|why| format!("{why}, with {steps} steps"))
    })
}

struct Trace<'a> {
    wide: &'a Wide,
    selection: &'a Selection,
    shape: Shape,
    results: &'a [bool],
    steps: i64,
    registers: HashMap<Register, u64>,
    arguments: Vec<u8>,
    stack: Vec<u64>,
    /// The numbers that were compared last.
    compared: (i64, i64),
    /// Factors that were read.
    factors: i64,
    /// For each word of the result whether it was written.
    written: Vec<bool>,
    /// Words of each access of the nest that were touched: (stores, place, displacement).
    touched: HashMap<(bool, usize, i64), i64>,
    is_clean: bool,
}

impl<'a> Trace<'a> {
    fn new(wide: &'a Wide, selection: &'a Selection, shape: Shape, results: &'a [bool], steps: i64) -> Self {
        let mut trace = Trace {
            wide,
            selection,
            shape,
            results,
            steps,
            registers: HashMap::from([(Register::RDI, ARGUMENTS)]),
            arguments: vec![0; arguments(selection) as usize],
            stack: Vec::new(),
            compared: (0, 0),
            factors: 0,
            written: vec![false; (shape.m * shape.n) as usize],
            touched: HashMap::new(),
            is_clean: false,
        };
        for (saved, number) in
            [Register::RBX, Register::RBP, Register::R12, Register::R13, Register::R14, Register::R15].into_iter().zip(0..)
        {
            trace.registers.insert(saved, UNKNOWN + number);
        }
        for (place, &is_result) in results.iter().enumerate() {
            trace.give(selection.pointer_at(place), if is_result { C } else { PLACES + place as u64 * ROOM });
        }
        let table = if shape.table { TABLE } else { UNKNOWN };
        let slot = steps / shape.slots();
        for (field, value) in [
            (Field::A, A),
            (Field::B, B),
            (Field::C, C),
            (Field::Table, table),
            (Field::Steps, steps as u64),
            (Field::Slot, slot as u64),
        ] {
            trace.give(field.at(selection), value);
        }
        trace
    }

    fn give(&mut self, at: i64, value: u64) {
        self.arguments[at as usize..at as usize + 8].copy_from_slice(&value.to_le_bytes());
    }

    fn run(&mut self) -> Result<(), String> {
        let saved = self.registers.clone();
        let decoder = Decoder::with_ip(64, &self.wide.bytes[..self.wide.end], 0, DecoderOptions::NONE);
        let code: Vec<Instruction> = decoder.into_iter().collect();
        let places: HashMap<u64, usize> = code.iter().enumerate().map(|(at, one)| (one.ip(), at)).collect();
        let mut factory = InstructionInfoFactory::new();
        let mut at = 0;
        for _ in 0..MOST {
            let one = code.get(at).ok_or("no return")?;
            at += 1;
            let fail = |why: String| format!("{why}: {one} at {:#x}", one.ip());
            match one.flow_control() {
                FlowControl::Next => self.instruction(one, &mut factory).map_err(fail)?,
                FlowControl::ConditionalBranch => {
                    let (a, b) = self.compared;
                    let taken = match one.mnemonic() {
                        Mnemonic::Jg => a > b,
                        Mnemonic::Jle => a <= b,
                        _ => return Err(fail("an unknown jump".into())),
                    };
                    if taken {
                        at = *places.get(&one.near_branch_target()).ok_or_else(|| fail("a jump into an instruction".into()))?;
                    }
                }
                FlowControl::Return => {
                    let given_back = saved.iter().all(|(register, value)| self.registers.get(register) == Some(value));
                    if !given_back || !self.stack.is_empty() || !self.is_clean {
                        return Err(fail("the end of something unfinished".into()));
                    }
                    return self.end();
                }
                _ => return Err(fail("no instruction for this".into())),
            }
        }
        Err("a loop without end".into())
    }

    /// Everything was done.
    fn end(&self) -> Result<(), String> {
        if !self.written.iter().all(|written| *written) {
            return Err("an element that was not written".into());
        }
        // One for each row, step and 32 columns, and one for those that are left over.
        let Shape { m, n, .. } = self.shape;
        if self.factors != m * self.steps * ((n + 31) / 32) {
            return Err("steps that were not taken, or more than there are".into());
        }
        let all = m * n;
        let accesses = self.selection.ops.iter().filter_map(|op| match op.kind {
            Kind::Load(access) => Some((false, access)),
            Kind::Store(access) => Some((true, access)),
            _ => None,
        });
        for (stores, access) in accesses.filter(|(_, access)| access.moves) {
            if self.touched.get(&(stores, access.place as usize, access.displacement.into())) != Some(&all) {
                return Err("elements that the nest did not come to".into());
            }
        }
        Ok(())
    }

    fn instruction(&mut self, one: &Instruction, factory: &mut InstructionInfoFactory) -> Result<(), String> {
        let info = factory.info(one);
        let is_vector = |register: Register| register.is_vector_register() || register.is_k();
        let vectors = (0..one.op_count()).any(|op| one.op_kind(op) == OpKind::Register && is_vector(one.op_register(op)));
        self.is_clean = one.mnemonic() == Mnemonic::Vzeroupper || self.is_clean && !vectors;
        for memory in info.used_memory() {
            let stores = !matches!(memory.access(), OpAccess::Read | OpAccess::CondRead);
            if matches!(one.mnemonic(), Mnemonic::Push | Mnemonic::Pop | Mnemonic::Ret) {
                continue;
            }
            let address = memory.virtual_address(0, |register, _, _| self.register(register));
            let address = address.ok_or("an address of something unknown")?;
            // The lanes of these masks lie one after the other from the first.
            let size = match one.op_mask() {
                Register::K7 => 4 * (self.shape.n % 32),
                Register::K2 => 4 * (self.shape.m * self.shape.n % 16),
                _ => memory.memory_size().size() as i64,
            };
            self.access(one, address, size, stores)?;
        }
        if vectors {
            // What vectors hold is the interpreter's business, but for the number that is spread over one.
            return Ok(());
        }
        self.integer(one)
    }

    fn access(&mut self, one: &Instruction, address: u64, size: i64, stores: bool) -> Result<(), String> {
        let Shape { m, n, a_row, a_k, b_k, .. } = self.shape;
        if one.is_ip_rel_memory_operand() {
            let (low, high) = (self.wide.pool as u64, self.wide.bytes.len() as u64);
            let fits = address >= low && address + size as u64 <= high && !stores;
            return if fits { Ok(()) } else { Err("not a constant".into()) };
        }
        let (region, at) = (address / ROOM * ROOM, (address % ROOM) as i64);
        match region {
            ARGUMENTS => {
                let low = if stores { Field::RowsOfA.at(self.selection) } else { 0 };
                let fits = at >= low && at + size <= self.arguments.len() as i64;
                if fits { Ok(()) } else { Err("outside the argument block".into()) }
            }
            A if !stores && size == 4 => {
                let found = (0..self.steps).any(|step| {
                    let row = at - self.entry(step) * a_k;
                    if a_row == 0 { row == 0 } else { row % a_row == 0 && (0..m).contains(&(row / a_row)) }
                });
                self.factors += 1;
                if found { Ok(()) } else { Err("no element of the left operand".into()) }
            }
            B if !stores => {
                let inside = |step: i64| at - step * b_k >= 0 && at - step * b_k + size <= 4 * n;
                if (0..self.steps).any(inside) { Ok(()) } else { Err("no elements of the right operand".into()) }
            }
            TABLE if !stores && size == 4 => {
                if at % 4 == 0 && at / 4 < self.steps {
                    Ok(())
                } else {
                    Err("outside the table".into())
                }
            }
            C if stores => {
                for word in at / 4..(at + size) / 4 {
                    match self.written.get_mut(word as usize) {
                        Some(written) if !*written => *written = true,
                        _ => return Err("an element that was written before, or is none".into()),
                    }
                }
                Ok(())
            }
            _ => self.place(region, at, size, stores),
        }
    }

    /// An access of the nest's.
    fn place(&mut self, region: u64, at: i64, size: i64, stores: bool) -> Result<(), String> {
        let of = |place: usize| if self.results[place] { C } else { PLACES + place as u64 * ROOM };
        // The group's first element; of what is stored piece by piece, that and those behind it.
        let first = 4 * self.register(Register::RCX).ok_or("no group")? as i64;
        let mut found = None;
        for op in &self.selection.ops {
            let (access, writes) = match op.kind {
                Kind::Load(access) => (access, false),
                Kind::Store(access) => (access, true),
                _ => continue,
            };
            let displacement = i64::from(access.displacement);
            if of(access.place as usize) != region || writes != stores {
                continue;
            }
            if !access.moves && at == displacement && size == 4 {
                return Ok(());
            }
            let inside = at - displacement >= first && at - displacement + size <= first + 64;
            if access.moves && inside {
                found = Some((stores, access.place as usize, displacement));
            }
        }
        let key = found.ok_or("no place of the nest")?;
        let done = self.touched.entry(key).or_insert(0);
        let word = (at - key.2) / 4;
        if *done != word || word + size / 4 > self.shape.m * self.shape.n {
            return Err("elements of the nest out of their order".into());
        }
        *done += size / 4;
        if region == C && !(word..*done).all(|word| self.written[word as usize]) {
            return Err("an element that is not complete".into());
        }
        Ok(())
    }

    /// The number of a step in the table.
    fn entry(&self, step: i64) -> i64 {
        if self.shape.table { (step * 7 + 3) % 61 } else { step }
    }

    fn register(&self, register: Register) -> Option<u64> {
        match register {
            Register::None | Register::DS | Register::SS => Some(0),
            register => self.registers.get(&register.full_register()).copied(),
        }
    }

    /// A source operand of an integer instruction.
    fn source(&self, one: &Instruction, op: u32) -> Result<u64, String> {
        match one.op_kind(op) {
            OpKind::Register => {
                let value = self.register(one.op_register(op)).ok_or("a register of unknown content")?;
                Ok(if one.op_register(op).is_gpr32() { value & u64::from(u32::MAX) } else { value })
            }
            OpKind::Memory => {
                let address = one.virtual_address(op, 0, |register, _, _| self.register(register)).ok_or("an address")?;
                let at = (address % ROOM) as usize;
                match address / ROOM * ROOM {
                    TABLE => Ok(self.entry(at as i64 / 4) as u64),
                    // A word that counts a nest's elements, whatever it is.
                    _ if one.memory_size().size() == 4 => Ok(0),
                    _ => Ok(u64::from_le_bytes(std::array::from_fn(|byte| self.arguments[at + byte]))),
                }
            }
            _ => Ok(one.immediate(op)),
        }
    }

    fn integer(&mut self, one: &Instruction) -> Result<(), String> {
        let to = one.op0_register();
        let result = match one.mnemonic() {
            Mnemonic::Vzeroupper => return Ok(()),
            Mnemonic::Push => {
                let value = self.source(one, 0)?;
                self.stack.push(value);
                return Ok(());
            }
            Mnemonic::Pop => {
                let value = self.stack.pop().ok_or("nothing to give back")?;
                self.registers.insert(to, value);
                return Ok(());
            }
            Mnemonic::Mov => self.source(one, 1)?,
            Mnemonic::Xor if one.op0_register() == one.op1_register() => 0,
            Mnemonic::Add => self.source(one, 0)?.wrapping_add(self.source(one, 1)?),
            Mnemonic::Sub | Mnemonic::Cmp => {
                let (a, b) = (self.source(one, 0)?, self.source(one, 1)?);
                self.compared = (a as i64, b as i64);
                if one.mnemonic() == Mnemonic::Cmp {
                    return Ok(());
                }
                a.wrapping_sub(b)
            }
            Mnemonic::Imul if one.op_count() == 3 => self.source(one, 1)?.wrapping_mul(self.source(one, 2)?),
            Mnemonic::Imul => self.source(one, 0)?.wrapping_mul(self.source(one, 1)?),
            Mnemonic::Cmovg if self.compared.0 > self.compared.1 => self.source(one, 1)?,
            Mnemonic::Cmovg => return Ok(()),
            _ => return Err("an instruction that no woven function has".into()),
        };
        if one.op0_kind() == OpKind::Memory {
            let address = one.virtual_address(0, 0, |register, _, _| self.register(register)).ok_or("an address")?;
            self.give((address % ROOM) as i64, result);
            return Ok(());
        }
        let given = [Register::RBX, Register::R12, Register::R13, Register::R14, Register::R15];
        let full = to.full_register();
        let is_free = match full {
            Register::RAX | Register::RCX | Register::RDX | Register::RSI => true,
            Register::R8 | Register::R9 | Register::R10 | Register::R11 => true,
            saved => given.contains(&saved) && self.stack.len() == given.len(),
        };
        if !is_free {
            return Err(format!("{full:?} is changed"));
        }
        let is_short = to.is_gpr32() || one.code() == Code::Mov_r32_imm32;
        self.registers.insert(full, if is_short { result & u64::from(u32::MAX) } else { result });
        Ok(())
    }
}
