//! Bytes of a wide function.
//!
//! With rows, what is written for one stands in a loop that moves all pointers on. Registers: `rdi` is the argument block, `rsi` the turns that are left, `rcx` the first lane of the current group; pointers of places
//! have registers while those last, else `rax` is loaded before each access. `k1` holds a comparison's bits, `k2` the lanes of the rest.
//! The frame, if there is one, is aligned to vectors below `rbp`. Everything is encoded once; what refers to a place further on (jumps,
//! constants) has 32 bits and is patched at the end.

use iced_x86::{Code, IcedError, Instruction, MemoryOperand as Memory, Register};

use super::super::Error;
use super::super::listing::{Made, Serves};
use super::allocate::{Allocated, Pin, Site, Step, allocate, pins};
use super::operations::{Access, Constant, Held, Kind, Op, Selection, Step as IndexStep};
use super::rest::left_over;
use super::write::{ARGUMENTS, LANE, LEFT, SCRATCH, Writer, at, below};
use super::{Form, Rest, Turns, Whole, Wide, codes};

/// Registers for pointers, those first that need not be saved.
const POINTERS: [Register; 10] = [
    Register::RDX,
    Register::R8,
    Register::R9,
    Register::R10,
    Register::R11,
    Register::RBX,
    Register::R12,
    Register::R13,
    Register::R14,
    Register::R15,
];
/// How many of them a function may change.
const FREE_POINTERS: usize = 5;

/// A frame that is smaller than a page cannot step over the one that guards the stack.
const MOST_FRAME: usize = 4096 - 512;

/// Writes the function of a selection; `None` if it would need too large a frame.
pub(super) fn encode(selection: &Selection, turns: Turns, form: Form, node: Serves) -> Result<Option<Wide>, Error> {
    let pins = pins(selection, &selection.ops, form);
    let with_registers = |body: &Selection| {
        allocate(body, &body.ops, &pins, form).ok_or_else(|| Error::Malformed("a wide block without registers".into()))
    };
    let tail = left_over(selection, turns.rest, form);
    let whole = (turns.whole != Whole::Never).then(|| with_registers(selection)).transpose()?;
    let rest = (turns.rest != Rest::None).then(|| with_registers(&tail)).transpose()?;
    let slots = [&whole, &rest].into_iter().flatten().map(|body| body.slots).max().unwrap_or(0) as usize;
    if slots * form.bytes() > MOST_FRAME {
        return Ok(None);
    }
    let pointers = pointers(selection);
    let saved: Vec<Register> = POINTERS[FREE_POINTERS..].iter().copied().filter(|one| pointers.contains(&Some(*one))).collect();
    let mut code = Body { selection: &tail, node, form, pointers, writer: Writer::new(node), rest: Rest::None };
    code.prologue(&saved, slots)?;
    code.writer.serve(node, None);
    code.before(&pins)?;
    code.writer.serve(node, None);
    let lanes = form.lanes() as i32;
    let row = code.writer.here();
    if selection.rows {
        code.writer.put(Instruction::with2(Code::Mov_r64_rm64, LEFT, at(ARGUMENTS, selection.turns_at())))?;
    }
    let writer = &mut code.writer;
    writer.put(Instruction::with2(Code::Xor_r32_rm32, Register::ECX, Register::ECX))?;
    let loops = matches!(turns.whole, Whole::Often | Whole::Unknown);
    let mut none = None;
    if loops {
        writer.put(Instruction::with2(Code::Sub_rm64_imm8, LEFT, lanes))?;
    }
    if turns.whole == Whole::Unknown {
        none = Some(writer.jump(Code::Jl_rel32_64)?);
    }
    if let Some(whole) = whole {
        let head = code.writer.here();
        code.body(&selection.ops, &whole)?;
        code.writer.serve(node, None);
        if loops || turns.rest != Rest::None {
            code.writer.put(Instruction::with2(Code::Add_rm64_imm8, LANE, lanes))?;
        }
        if loops {
            code.writer.put(Instruction::with2(Code::Cmp_r64_rm64, LANE, LEFT))?;
            let again = code.writer.jump(Code::Jle_rel32_64)?;
            code.writer.lead(again, head);
        }
    }
    if let Some(none) = none {
        let here = code.writer.here();
        code.writer.lead(none, here);
    }
    if let Some(rest) = rest {
        if loops {
            code.writer.put(Instruction::with2(Code::Add_rm64_imm8, LEFT, lanes))?;
        }
        code.writer.put(Instruction::with2(Code::Sub_r64_rm64, LEFT, LANE))?;
        let done = (turns.whole == Whole::Unknown).then(|| code.writer.jump(Code::Jle_rel32_64)).transpose()?;
        code.rest = turns.rest;
        code.body(&tail.ops, &rest)?;
        if let Some(done) = done {
            let here = code.writer.here();
            code.writer.lead(done, here);
        }
    }
    if selection.rows {
        code.next_row(row)?;
    }
    code.epilogue(&saved, slots)?;
    Ok(Some(code.writer.finish(&tail.constants, form)))
}

/// The register of each place's pointer: for those that are accessed most.
fn pointers(selection: &Selection) -> Vec<Option<Register>> {
    let mut accesses = vec![0_usize; selection.places.len()];
    for op in &selection.ops {
        if let Kind::Load(access) | Kind::Store(access) = op.kind {
            accesses[access.place as usize] += 1;
        }
    }
    let mut order: Vec<usize> = (0..accesses.len()).collect();
    order.sort_by_key(|&place| (std::cmp::Reverse(accesses[place]), place));
    let mut pointers = vec![None; accesses.len()];
    for (place, register) in order.into_iter().zip(POINTERS) {
        pointers[place] = Some(register);
    }
    pointers
}

struct Body<'a> {
    /// With all constants.
    selection: &'a Selection,
    /// What the function as a whole serves.
    node: Serves,
    form: Form,
    pointers: Vec<Option<Register>>,
    writer: Writer,
    /// The turns left over, once they are being written.
    rest: Rest,
}

impl Body<'_> {
    fn prologue(&mut self, saved: &[Register], slots: usize) -> Result<(), Error> {
        self.writer.serve(Serves::Function, Some(Made::Frame));
        for &register in saved {
            self.writer.put(Instruction::with1(Code::Push_r64, register))?;
        }
        if slots > 0 {
            let bytes = self.form.bytes() as i32;
            self.writer.put(Instruction::with1(Code::Push_r64, Register::RBP))?;
            self.writer.put(Instruction::with2(Code::Mov_r64_rm64, Register::RBP, Register::RSP))?;
            self.writer.put(Instruction::with2(Code::And_rm64_imm8, Register::RSP, -bytes))?;
            self.writer.put(Instruction::with2(Code::Sub_rm64_imm32, Register::RSP, bytes * slots as i32))?;
        }
        Ok(())
    }

    fn epilogue(&mut self, saved: &[Register], slots: usize) -> Result<(), Error> {
        self.writer.serve(Serves::Function, Some(Made::Frame));
        if slots > 0 {
            self.writer.put(Instruction::with2(Code::Mov_r64_rm64, Register::RSP, Register::RBP))?;
            self.writer.put(Instruction::with1(Code::Pop_r64, Register::RBP))?;
        }
        for &register in saved.iter().rev() {
            self.writer.put(Instruction::with1(Code::Pop_r64, register))?;
        }
        self.writer.put(Ok(Instruction::with(Code::VEX_Vzeroupper)))?;
        self.writer.put(Ok(Instruction::with(Code::Retnq)))
    }

    /// Moves the pointers to the next row, and leads back to its beginning if there is one.
    fn next_row(&mut self, row: usize) -> Result<(), Error> {
        self.writer.serve(self.node, None);
        for (place, pointer) in self.pointers.clone().into_iter().enumerate() {
            let gain = at(ARGUMENTS, self.selection.gain_at(place));
            match pointer {
                Some(register) => self.writer.put(Instruction::with2(Code::Add_r64_rm64, register, gain))?,
                None => {
                    self.writer.put(Instruction::with2(Code::Mov_r64_rm64, SCRATCH, gain))?;
                    let pointer = at(ARGUMENTS, self.selection.pointer_at(place));
                    self.writer.put(Instruction::with2(Code::Add_rm64_r64, pointer, SCRATCH))?;
                }
            }
        }
        self.writer.put(Instruction::with2(Code::Sub_rm64_imm8, at(ARGUMENTS, self.selection.rows_at()), 1))?;
        let again = self.writer.jump(Code::Jg_rel32_64)?;
        self.writer.lead(again, row);
        Ok(())
    }

    /// Pointers and pinned values.
    fn before(&mut self, pins: &[Pin]) -> Result<(), Error> {
        for (place, pointer) in self.pointers.clone().into_iter().enumerate() {
            if let Some(register) = pointer {
                let on = |op: &&Op| matches!(op.kind, Kind::Load(access) | Kind::Store(access) if access.place as usize == place);
                if let Some(op) = self.selection.ops.iter().find(on) {
                    self.writer.serve(Serves::Node(op.origin), None);
                }
                self.writer.put(Instruction::with2(
                    Code::Mov_r64_rm64,
                    register,
                    at(ARGUMENTS, self.selection.pointer_at(place)),
                ))?;
            }
        }
        for pin in pins {
            let from = match self.selection.held[pin.value.0 as usize] {
                Held::Constant(number) => Site::Constant(number),
                Held::Scalar(number) => Site::Scalar(number),
                Held::Made => continue,
            };
            self.writer.serve(Serves::Node(pin.origin), None);
            self.fill(pin.register, from)?;
        }
        Ok(())
    }

    fn body(&mut self, ops: &[Op], allocated: &Allocated) -> Result<(), Error> {
        for &step in &allocated.steps {
            match step {
                Step::Act { op, result, sources } => {
                    let op = &ops[op as usize];
                    self.writer.serve(Serves::Node(op.origin), None);
                    self.act(op, result, sources)?;
                }
                Step::Fma { op, result, second, third, adds } => {
                    self.writer.serve(Serves::Node(ops[op as usize].origin), None);
                    let (code, first, second) = (codes::fma(self.form, adds), self.vector(result), self.vector(second));
                    match third {
                        Site::Register(third) => {
                            let third = self.vector(third);
                            self.writer.put(Instruction::with3(code, first, second, third))?;
                        }
                        lies => {
                            let memory = self.lies(lies);
                            self.writer.put_reading(Instruction::with3(code, first, second, memory.0), memory.1)?;
                        }
                    }
                }
                Step::Copy { op, to, from } => {
                    self.writer.serve(Serves::Node(ops[op as usize].origin), None);
                    let (to, from) = (self.vector(to), self.vector(from));
                    self.writer.put(Instruction::with2(codes::copy(self.form), to, from))?;
                }
                Step::Fill { op, to, from } => {
                    let made = matches!(from, Site::Frame(_)).then_some(Made::Spill);
                    self.writer.serve(Serves::Node(ops[op as usize].origin), made);
                    self.fill(to, from)?;
                }
                Step::Spill { op, from, slot } => {
                    self.writer.serve(Serves::Node(ops[op as usize].origin), Some(Made::Spill));
                    let (to, from) = (self.slot(slot), self.vector(from));
                    self.writer.put(Instruction::with2(codes::store(self.form), to, from))?;
                }
            }
        }
        Ok(())
    }

    fn vector(&self, number: u8) -> Register {
        codes::vector(self.form, number)
    }

    fn slot(&self, slot: u32) -> Memory {
        at(Register::RSP, self.form.bytes() as i64 * i64::from(slot))
    }

    fn word(&self, scalar: u32) -> Memory {
        at(ARGUMENTS, self.selection.word_at(scalar as usize))
    }

    /// An operand in memory as an instruction reads it, with the constant's number if it is one.
    fn lies(&self, operand: Site) -> (Memory, Option<u32>) {
        match operand {
            Site::Constant(number) => {
                let spread = self.form == Form::Sixteen && matches!(self.selection.constants[number as usize], Constant::Word(_));
                (spreading(at(Register::RIP, 0), spread), Some(number))
            }
            Site::Scalar(number) => (spreading(self.word(number), true), None),
            Site::Frame(slot) => (self.slot(slot), None),
            // Callers have dealt with registers.
            Site::Register(_) => (at(Register::RSP, 0), None),
        }
    }

    /// Loads a register from where a value lies.
    fn fill(&mut self, to: u8, from: Site) -> Result<(), Error> {
        let register = self.vector(to);
        match from {
            Site::Register(from) => {
                let from = self.vector(from);
                self.writer.put(Instruction::with2(codes::copy(self.form), register, from))
            }
            Site::Scalar(number) => {
                let word = self.word(number);
                self.writer.put(Instruction::with2(codes::broadcast(self.form), register, word))
            }
            Site::Constant(number) => {
                let code = match self.selection.constants[number as usize] {
                    Constant::Word(_) => codes::broadcast(self.form),
                    Constant::Lanes(_) => codes::load(self.form),
                };
                self.writer.put_reading(Instruction::with2(code, register, at(Register::RIP, 0)), Some(number))
            }
            Site::Frame(slot) => {
                let slot = self.slot(slot);
                self.writer.put(Instruction::with2(codes::load(self.form), register, slot))
            }
        }
    }

    fn act(&mut self, op: &Op, result: u8, sources: [Site; 3]) -> Result<(), Error> {
        let form = self.form;
        let to = self.vector(result);
        let source = |position: usize| match sources[position] {
            Site::Register(number) => codes::vector(form, number),
            _ => Register::None,
        };
        let (a, b, c) = (source(0), source(1), source(2));
        let k1 = Register::K1;
        match op.kind {
            Kind::Two(two) => {
                use super::operations::Two;
                let code = codes::two(form, two);
                let (memory, read) = self.lies(sources[1]);
                let immediate = match two {
                    Two::CompareFloat(predicate) => Some(i32::from(predicate)),
                    _ => None,
                };
                match (immediate, b) {
                    (None, Register::None) => self.writer.put_reading(Instruction::with3(code, to, a, memory), read),
                    (None, b) => self.writer.put(Instruction::with3(code, to, a, b)),
                    (Some(predicate), Register::None) => {
                        self.writer.put_reading(Instruction::with4(code, to, a, memory, predicate), read)
                    }
                    (Some(predicate), b) => self.writer.put(Instruction::with4(code, to, a, b, predicate)),
                }
            }
            Kind::One(one) => {
                use super::operations::One;
                let code = codes::one(form, one);
                let (memory, read) = self.lies(sources[0]);
                match (one, a) {
                    (One::Round(mode), Register::None) => {
                        self.writer.put_reading(Instruction::with3(code, to, memory, i32::from(mode)), read)
                    }
                    (One::Round(mode), a) => self.writer.put(Instruction::with3(code, to, a, i32::from(mode))),
                    (_, Register::None) => self.writer.put_reading(Instruction::with2(code, to, memory), read),
                    (_, a) => self.writer.put(Instruction::with2(code, to, a)),
                }
            }
            Kind::Shift(shift, count) => self.writer.put(Instruction::with3(codes::shift(form, shift), to, a, i32::from(count))),
            Kind::Select => {
                let code = Code::VEX_Vblendvps_ymm_ymm_ymmm256_ymm;
                let (memory, read) = self.lies(sources[1]);
                match b {
                    Register::None => self.writer.put_reading(Instruction::with4(code, to, c, memory, a), read),
                    b => self.writer.put(Instruction::with4(code, to, c, b, a)),
                }
            }
            Kind::Test(test) => {
                let (code, predicate) = match test {
                    super::operations::Test::Float(predicate) => (Code::EVEX_Vcmpps_kr_k1_zmm_zmmm512b32_imm8_sae, predicate),
                    super::operations::Test::Int(predicate) => (Code::EVEX_Vpcmpd_kr_k1_zmm_zmmm512b32_imm8, predicate),
                };
                let (memory, read) = self.lies(sources[1]);
                match b {
                    Register::None => {
                        self.writer.put_reading(Instruction::with4(code, k1, a, memory, i32::from(predicate)), read)
                    }
                    b => self.writer.put(Instruction::with4(code, k1, a, b, i32::from(predicate))),
                }
            }
            Kind::TestMask => self.writer.put(Instruction::with2(Code::EVEX_Vpmovd2m_kr_zmm, k1, a)),
            Kind::Spread => self.writer.put(Instruction::with2(Code::EVEX_Vpmovm2d_zmm_kr, to, k1)),
            Kind::Blend => {
                let code = Code::EVEX_Vblendmps_zmm_k1z_zmm_zmmm512b32;
                let (memory, read) = self.lies(sources[0]);
                match a {
                    Register::None => self.writer.put_reading(choosing(Instruction::with3(code, to, b, memory), k1, false), read),
                    a => self.writer.put(choosing(Instruction::with3(code, to, b, a), k1, false)),
                }
            }
            Kind::Keep => self.writer.put(choosing(Instruction::with2(codes::copy(form), to, a), k1, true)),
            Kind::Fma => Err(Error::Malformed("a multiply-add without a tied operand".into())),
            Kind::Load(access) => self.load(access, result, a),
            Kind::Store(access) => match sources[0] {
                Site::Register(value) => self.store(access, value, b, result),
                _ => Err(Error::Malformed("a store from memory".into())),
            },
            Kind::Counter { start, step } => self.counter(start, step, result),
            Kind::Left => self.left(result),
        }
    }

    /// The register from which an access counts.
    fn base(&mut self, access: Access) -> Result<Register, Error> {
        if let Some(register) = self.pointers[access.place as usize] {
            return Ok(register);
        }
        let pointer = at(ARGUMENTS, self.selection.pointer_at(access.place as usize));
        self.writer.put(Instruction::with2(Code::Mov_r64_rm64, SCRATCH, pointer))?;
        Ok(SCRATCH)
    }

    fn load(&mut self, access: Access, to: u8, mask: Register) -> Result<(), Error> {
        let (form, base) = (self.form, self.base(access)?);
        let displacement = i64::from(access.displacement);
        let vector = codes::vector(form, to);
        if !access.moves {
            return self.writer.put(Instruction::with2(codes::broadcast(form), vector, at(base, displacement)));
        }
        let place = below(base, LANE, displacement);
        self.writer.put(match (form, self.rest) {
            (_, Rest::None) => Instruction::with2(codes::load(form), vector, place),
            (_, Rest::Known(lanes)) if self.rest.is_exact() => {
                let (code, _) = codes::piece(form, lanes);
                Instruction::with2(code, codes::low(to, lanes), place)
            }
            (Form::Eight, _) => Instruction::with3(Code::VEX_Vmaskmovps_ymm_ymm_m256, vector, mask, place),
            (Form::Sixteen, _) => choosing(Instruction::with2(codes::load(form), vector, place), Register::K2, true),
        })
    }

    fn store(&mut self, access: Access, value: u8, mask: Register, aside: u8) -> Result<(), Error> {
        let (form, base) = (self.form, self.base(access)?);
        let vector = codes::vector(form, value);
        let place = |lane: u8| below(base, LANE, i64::from(access.displacement) + 4 * i64::from(lane));
        match (form, self.rest) {
            (_, Rest::None) => self.writer.put(Instruction::with2(codes::store(form), place(0), vector)),
            (_, Rest::Known(lanes)) => {
                // The largest piece first; what is behind it is moved to the front.
                let (mut done, mut from) = (0, value);
                while done < lanes {
                    let size = 1 << (lanes - done).ilog2();
                    let (_, code) = codes::piece(form, size);
                    self.writer.put(Instruction::with2(code, place(done), codes::low(from, size)))?;
                    done += size;
                    if done < lanes {
                        self.behind(size, from, aside)?;
                        from = aside;
                    }
                }
                Ok(())
            }
            (Form::Eight, Rest::Unknown) => {
                self.writer.put(Instruction::with3(Code::VEX_Vmaskmovps_m256_ymm_ymm, place(0), mask, vector))
            }
            (Form::Sixteen, Rest::Unknown) => {
                self.writer.put(choosing(Instruction::with2(codes::store(form), place(0), vector), Register::K2, false))
            }
        }
    }

    /// Moves the lanes behind the first `size` to the front.
    fn behind(&mut self, size: u8, from: u8, to: u8) -> Result<(), Error> {
        let whole = |number| codes::vector(self.form, number);
        let quarter = codes::quarter;
        let instruction = match (self.form, size) {
            (Form::Sixteen, _) => {
                let code = Code::EVEX_Valignd_zmm_k1z_zmm_zmmm512b32_imm8;
                Instruction::with4(code, whole(to), whole(from), whole(from), i32::from(size))
            }
            (Form::Eight, 4) => Instruction::with3(Code::VEX_Vextractf128_xmmm128_ymm_imm8, quarter(to), whole(from), 1),
            // Lanes 2 and 3.
            (Form::Eight, _) => Instruction::with3(Code::VEX_Vpermilps_xmm_xmmm128_imm8, quarter(to), quarter(from), 0b1110),
        };
        self.writer.put(instruction)
    }

    /// `start + step * first lane` in every lane.
    fn counter(&mut self, start: u32, step: IndexStep, result: u8) -> Result<(), Error> {
        let (eax, ecx) = (Register::EAX, Register::ECX);
        match step {
            IndexStep::Fixed(1) => self.writer.put(Instruction::with2(Code::Mov_r32_rm32, eax, ecx))?,
            IndexStep::Fixed(step) => self.writer.put(Instruction::with3(Code::Imul_r32_rm32_imm32, eax, ecx, step))?,
            IndexStep::Scalar(step) => {
                let word = self.word(step);
                self.writer.put(Instruction::with2(Code::Mov_r32_rm32, eax, ecx))?;
                self.writer.put(Instruction::with2(Code::Imul_r32_rm32, eax, word))?;
            }
        }
        let word = self.word(start);
        self.writer.put(Instruction::with2(Code::Add_r32_rm32, eax, word))?;
        self.spread(eax, result)
    }

    /// A register's 32 bits in every lane.
    fn spread(&mut self, from: Register, result: u8) -> Result<(), Error> {
        let to = self.vector(result);
        match self.form {
            Form::Sixteen => self.writer.put(Instruction::with2(Code::EVEX_Vpbroadcastd_zmm_k1z_r32, to, from)),
            Form::Eight => {
                let low = codes::quarter(result);
                self.writer.put(Instruction::with2(Code::VEX_Vmovd_xmm_rm32, low, from))?;
                self.writer.put(Instruction::with2(Code::VEX_Vpbroadcastd_ymm_xmmm32, to, low))
            }
        }
    }

    /// The lanes below the number of turns that are left.
    fn left(&mut self, result: u8) -> Result<(), Error> {
        self.spread(Register::ESI, result)?;
        let lanes = self.selection.constants.iter().position(|&constant| constant == Constant::Lanes(1));
        let lanes = lanes.ok_or_else(|| Error::Malformed("the lanes have no numbers".into()))? as u32;
        let (to, memory) = (self.vector(result), at(Register::RIP, 0));
        let instruction = match self.form {
            Form::Eight => Instruction::with3(Code::VEX_Vpcmpgtd_ymm_ymm_ymmm256, to, to, memory),
            Form::Sixteen => Instruction::with3(Code::EVEX_Vpcmpgtd_kr_k1_zmm_zmmm512b32, Register::K2, to, memory),
        };
        self.writer.put_reading(instruction, Some(lanes))
    }
}

/// An instruction for the lanes of a mask; the others become zero, or stay.
fn choosing(instruction: Result<Instruction, IcedError>, mask: Register, zero: bool) -> Result<Instruction, IcedError> {
    instruction.map(|mut instruction| {
        instruction.set_op_mask(mask);
        instruction.set_zeroing_masking(zero);
        instruction
    })
}

fn spreading(mut memory: Memory, spread: bool) -> Memory {
    memory.is_broadcast = spread;
    memory
}
