//! The instructions of each operation.

use iced_x86::{Code, IcedError, Instruction, MemoryOperand as Memory, Register};

use super::super::Error;
use super::super::listing::{Made, Serves};
use super::allocate::{Site, Step, Straight};
use super::encode::Body;
use super::operations::{Access, Constant, Kind, One, Op, Step as IndexStep, Test, Two};
use super::write::{ARGUMENTS, LANE, SCRATCH, at, below};
use super::{Form, Rest, codes};

impl Body<'_> {
    /// Writes operations.
    pub fn operations(&mut self, ops: &[Op], allocated: &Straight) -> Result<(), Error> {
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
    pub fn fill(&mut self, to: u8, from: Site) -> Result<(), Error> {
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
                    Test::Float(predicate) => (Code::EVEX_Vcmpps_kr_k1_zmm_zmmm512b32_imm8_sae, predicate),
                    Test::Int(predicate) => (Code::EVEX_Vpcmpd_kr_k1_zmm_zmmm512b32_imm8, predicate),
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
            Kind::Keeps => Err(Error::Malformed("a copy that is more".into())),
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
pub(super) fn choosing(
    instruction: Result<Instruction, IcedError>,
    mask: Register,
    zero: bool,
) -> Result<Instruction, IcedError> {
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
