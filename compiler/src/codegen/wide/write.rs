//! Bytes, what each is for, and what is patched once all of them are known.

use iced_x86::{Code, Encoder, IcedError, Instruction, MemoryOperand as Memory, Register};

use super::super::Error;
use super::super::listing::{Made, Serves};
use super::operations::Constant;
use super::{Form, Span, Wide};

/// The first lane of the current group, by which places that move are indexed.
pub(super) const LANE: Register = Register::RCX;
/// The argument block.
pub(super) const ARGUMENTS: Register = Register::RDI;
/// The turns that are left.
pub(super) const LEFT: Register = Register::RSI;
/// A pointer that has no register of its own.
pub(super) const SCRATCH: Register = Register::RAX;

/// A jump that does not know its target yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Jump(usize);

/// Something with 32 bits that says how far away a place is.
#[derive(Clone, Copy, Debug)]
struct Fix {
    /// Where the bits stand.
    at: usize,
    /// The end of the instruction, from which the distance counts.
    from: usize,
    to: To,
}

#[derive(Clone, Copy, Debug)]
enum To {
    Nowhere,
    Code(usize),
    Constant(u32),
}

/// A function being written.
pub(super) struct Writer {
    encoder: Encoder,
    here: usize,
    serves: Serves,
    made: Option<Made>,
    spans: Vec<Span>,
    fixes: Vec<Fix>,
    /// For each constant that is read: its number, and what reads it first.
    read: Vec<(u32, Serves)>,
}

impl Writer {
    pub fn new(serves: Serves) -> Self {
        let encoder = Encoder::new(64);
        Writer { encoder, here: 0, serves, made: None, spans: Vec::new(), fixes: Vec::new(), read: Vec::new() }
    }

    /// Bytes written.
    pub fn here(&self) -> usize {
        self.here
    }

    /// What the next instructions are for.
    pub fn serve(&mut self, serves: Serves, made: Option<Made>) {
        (self.serves, self.made) = (serves, made);
    }

    /// Writes an instruction.
    pub fn put(&mut self, instruction: Result<Instruction, IcedError>) -> Result<(), Error> {
        self.put_reading(instruction, None)
    }

    /// Writes an instruction that may read a constant.
    pub fn put_reading(&mut self, instruction: Result<Instruction, IcedError>, constant: Option<u32>) -> Result<(), Error> {
        let size = instruction.and_then(|instruction| self.encoder.encode(&instruction, self.here as u64)).map_err(refused)?;
        self.spans.push(Span { offset: self.here, serves: self.serves, made: self.made });
        if let Some(number) = constant {
            let at = self.here + self.encoder.get_constant_offsets().displacement_offset();
            self.fixes.push(Fix { at, from: self.here + size, to: To::Constant(number) });
            if !self.read.iter().any(|&(known, _)| known == number) {
                self.read.push((number, self.serves));
            }
        }
        self.here += size;
        Ok(())
    }

    /// Writes a jump.
    pub fn jump(&mut self, code: Code) -> Result<Jump, Error> {
        self.put(Instruction::with_branch(code, self.here as u64))?;
        // The distance is what a jump ends with.
        self.fixes.push(Fix { at: self.here - 4, from: self.here, to: To::Nowhere });
        Ok(Jump(self.fixes.len() - 1))
    }

    /// Says where a jump leads.
    pub fn lead(&mut self, jump: Jump, to: usize) {
        self.fixes[jump.0].to = To::Code(to);
    }

    /// Puts the constants behind the code and fills in the distances.
    pub fn finish(mut self, constants: &[Constant], form: Form) -> Wide {
        let mut bytes = self.encoder.take_buffer();
        // With 8 lanes instructions read whole vectors, which begin at their alignment, so that reading one touches one line of the
        // cache; with 16 they spread words as they are read, and the only vectors are the lanes' numbers.
        let is_vector = |constant: Constant| form == Form::Eight || matches!(constant, Constant::Lanes(_));
        self.read.sort_by_key(|&(number, _)| (!is_vector(constants[number as usize]), number));
        let alignment = match form {
            Form::Eight if !self.read.is_empty() => form.bytes(),
            _ => 4,
        };
        let pool = bytes.len().next_multiple_of(alignment);
        let end = bytes.len();
        bytes.resize(pool, 0);
        let mut offsets = vec![None; constants.len()];
        let mut placed = Vec::new();
        for &(number, serves) in &self.read {
            let constant = constants[number as usize];
            offsets[number as usize] = Some(bytes.len());
            placed.push((bytes.len(), serves));
            let lanes = if is_vector(constant) { form.lanes() } else { 1 };
            bytes.extend(constant.words(lanes).flat_map(u32::to_le_bytes));
        }
        for fix in &self.fixes {
            let target = match fix.to {
                To::Code(target) => Some(target),
                To::Constant(number) => offsets[number as usize],
                To::Nowhere => None,
            };
            if let Some(target) = target {
                let distance = (target as i64 - fix.from as i64) as i32;
                bytes[fix.at..fix.at + 4].copy_from_slice(&distance.to_le_bytes());
            }
        }
        Wide { bytes, end, pool, spans: self.spans, constants: placed, alignment }
    }
}

/// Memory at a distance from a register.
pub(super) fn at(base: Register, displacement: i64) -> Memory {
    // The place of a constant is told by 32 bits, whatever they are.
    let size = u32::from(displacement != 0 || base == Register::RIP);
    Memory::new(base, Register::None, 1, displacement, size, false, Register::None)
}

/// Memory of the lane that `index` counts, at a distance from a register.
pub(super) fn below(base: Register, index: Register, displacement: i64) -> Memory {
    Memory::new(base, index, 4, displacement, u32::from(displacement != 0), false, Register::None)
}

fn refused(error: IcedError) -> Error {
    Error::Encoder(error.to_string())
}
