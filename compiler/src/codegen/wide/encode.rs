//! Bytes of a wide function.
//!
//! With rows, what is written for one stands in a loop that moves all pointers on, or, if values are kept from row to row, that loop
//! stands around each group's operations. Rows are counted in `rdx` if pointers leave it. Registers: `rdi` is the argument block, `rsi` the turns that are left, `rcx` the first lane of the current group; pointers of places
//! have registers while those last, else `rax` is loaded before each access. `k1` holds a comparison's bits, `k2` the lanes of the rest.
//! The frame, if there is one, is aligned to vectors below `rbp`. Everything is encoded once; what refers to a place further on (jumps,
//! constants) has 32 bits and is patched at the end.

use iced_x86::{Code, Instruction, Register};

use super::super::Error;
use super::super::listing::{Made, Serves};
use super::allocate::{Allocated, Site, allocate};
use super::keep::{Strip, strips};
use super::operations::{Held, Kind, Op, Selection};
use super::pins::{Pin, pins};
use super::rest::left_over;
use super::write::{ARGUMENTS, LANE, LEFT, SCRATCH, Writer, at};
use super::{Form, Rest, Turns, Whole, Wide};

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
/// The rows that are left, if a pointer can do without it.
const ROWS: Register = POINTERS[0];
/// Pointers that have registers while rows are counted in one.
pub(super) const MOST_POINTERS: usize = POINTERS.len() - 1;
/// How many of them a function may change.
const FREE_POINTERS: usize = 5;

/// A frame that is smaller than a page cannot step over the one that guards the stack.
const MOST_FRAME: usize = 4096 - 512;

/// Writes the function of a selection; `None` if it would need too large a frame.
pub(super) fn encode(selection: &Selection, turns: Turns, form: Form, node: Serves) -> Result<Option<Wide>, Error> {
    let strips = strips(selection, turns, form);
    let tail = left_over(selection, turns.rest, form);
    let rest = (turns.rest != Rest::None).then_some(&tail);
    let pins = pins(selection, &strips.iter().map(|strip| &strip.selection).chain(rest).collect::<Vec<_>>(), form.registers());
    let with_registers = |part: &Selection| {
        allocate(part, &pins, form, form.registers()).ok_or_else(|| Error::Malformed("a wide block without registers".into()))
    };
    let whole = strips.iter().map(|strip| with_registers(&strip.selection)).collect::<Result<Vec<_>, _>>()?;
    let left = rest.map(with_registers).transpose()?;
    let slots = whole.iter().chain(&left).map(|part| part.row.slots).max().unwrap_or(0) as usize;
    if slots * form.bytes() > MOST_FRAME {
        return Ok(None);
    }
    let pointers = pointers(selection);
    let saved: Vec<Register> = POINTERS[FREE_POINTERS..].iter().copied().filter(|one| pointers.contains(&Some(*one))).collect();
    let mut code = Body { selection: &tail, node, form, pointers, writer: Writer::new(node), rest: Rest::None };
    code.prologue(&saved, slots)?;
    if !selection.keeps() {
        code.point()?;
    }
    code.pin(&pins)?;
    code.writer.serve(node, None);
    let around = selection.rows && !selection.keeps();
    if around {
        code.rows()?;
    }
    let row = code.writer.here();
    if around {
        code.writer.put(Instruction::with2(Code::Mov_r64_rm64, LEFT, at(ARGUMENTS, selection.turns_at())))?;
    }
    code.writer.put(Instruction::with2(Code::Xor_r32_rm32, Register::ECX, Register::ECX))?;
    for (number, (strip, allocated)) in strips.iter().zip(&whole).enumerate() {
        let goes_on = number + 1 < strips.len() || rest.is_some();
        code.strip(strip, allocated, number == 0, goes_on)?;
    }
    if let Some(left) = left {
        code.writer.put(Instruction::with2(Code::Sub_r64_rm64, LEFT, LANE))?;
        let done = (turns.whole == Whole::Unknown).then(|| code.writer.jump(Code::Jle_rel32_64)).transpose()?;
        code.rest = turns.rest;
        code.part(&tail, &left)?;
        if let Some(done) = done {
            let here = code.writer.here();
            code.writer.lead(done, here);
        }
    }
    if around {
        code.next_row(row)?;
    }
    code.epilogue(&saved, slots)?;
    Ok(Some(code.writer.finish(&tail.constants, form)))
}

/// Whether rows are counted in a register: if all pointers have registers even so.
fn counts(selection: &Selection) -> bool {
    selection.rows && selection.places.len() <= MOST_POINTERS
}

/// The register of each place's pointer: for those that are accessed most.
fn pointers(selection: &Selection) -> Vec<Option<Register>> {
    let mut accesses = vec![0_usize; selection.places.len()];
    for op in selection.all() {
        if let Kind::Load(access) | Kind::Store(access) = op.kind {
            accesses[access.place as usize] += 1;
        }
    }
    let mut order: Vec<usize> = (0..accesses.len()).collect();
    order.sort_by_key(|&place| (std::cmp::Reverse(accesses[place]), place));
    let mut pointers = vec![None; accesses.len()];
    let others = usize::from(counts(selection));
    for (place, &register) in order.into_iter().zip(&POINTERS[others..]) {
        pointers[place] = Some(register);
    }
    pointers
}

/// A function being written.
pub(super) struct Body<'a> {
    /// With all constants.
    pub selection: &'a Selection,
    /// What the function as a whole serves.
    pub node: Serves,
    pub form: Form,
    pub pointers: Vec<Option<Register>>,
    pub writer: Writer,
    /// The turns left over, once they are being written.
    pub rest: Rest,
}

impl Body<'_> {
    pub fn prologue(&mut self, saved: &[Register], slots: usize) -> Result<(), Error> {
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

    pub fn epilogue(&mut self, saved: &[Register], slots: usize) -> Result<(), Error> {
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

    /// Moves the pointers to the next row, but those of what is kept, and leads back to its beginning if there is one.
    fn next_row(&mut self, row: usize) -> Result<(), Error> {
        self.writer.serve(self.node, None);
        for (place, pointer) in self.pointers.clone().into_iter().enumerate() {
            let stored = |op: &Op| matches!(op.kind, Kind::Store(access) if access.place as usize == place);
            if self.selection.after.iter().any(stored) {
                continue;
            }
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
        match counts(self.selection) {
            true => self.writer.put(Instruction::with2(Code::Sub_rm64_imm8, ROWS, 1))?,
            false => self.writer.put(Instruction::with2(Code::Sub_rm64_imm8, at(ARGUMENTS, self.selection.rows_at()), 1))?,
        }
        let again = self.writer.jump(Code::Jg_rel32_64)?;
        self.writer.lead(again, row);
        Ok(())
    }

    /// Loads the number of rows, if they are counted in a register.
    fn rows(&mut self) -> Result<(), Error> {
        match counts(self.selection) {
            true => self.writer.put(Instruction::with2(Code::Mov_r64_rm64, ROWS, at(ARGUMENTS, self.selection.rows_at()))),
            false => Ok(()),
        }
    }

    /// The loop over whole strips; lanes are counted from zero in the first, and others follow if it goes on.
    fn strip(&mut self, strip: &Strip, allocated: &Allocated, is_first: bool, goes_on: bool) -> Result<(), Error> {
        let lanes = (strip.groups * self.form.lanes()) as i32;
        let loops = !matches!(strip.whole, Whole::Known(0 | 1));
        // A strip that does not turn says how wide it is all the same.
        let counts = loops || strip.groups > 1;
        if counts {
            self.writer.put(Instruction::with2(Code::Sub_rm64_imm8, LEFT, lanes))?;
        }
        let none = match (strip.whole, is_first) {
            (Whole::Unknown, true) => Some(self.writer.jump(Code::Jl_rel32_64)?),
            (Whole::Unknown, false) => {
                self.writer.put(Instruction::with2(Code::Cmp_r64_rm64, LANE, LEFT))?;
                Some(self.writer.jump(Code::Jg_rel32_64)?)
            }
            _ => None,
        };
        let head = self.writer.here();
        self.part(&strip.selection, allocated)?;
        self.writer.serve(self.node, None);
        if loops || goes_on {
            self.writer.put(Instruction::with2(Code::Add_rm64_imm8, LANE, lanes))?;
        }
        if loops {
            self.writer.put(Instruction::with2(Code::Cmp_r64_rm64, LANE, LEFT))?;
            let again = self.writer.jump(Code::Jle_rel32_64)?;
            self.writer.lead(again, head);
        }
        if let Some(none) = none {
            let here = self.writer.here();
            self.writer.lead(none, here);
        }
        if counts && goes_on {
            self.writer.put(Instruction::with2(Code::Add_rm64_imm8, LEFT, lanes))?;
        }
        Ok(())
    }

    /// The operations of a strip, or of the rest: in one row, or, with what is kept before and behind them, in all rows.
    fn part(&mut self, part: &Selection, allocated: &Allocated) -> Result<(), Error> {
        if !part.keeps() {
            return self.operations(&part.ops, &allocated.row);
        }
        self.point()?;
        self.operations(&part.before, &allocated.before)?;
        self.writer.serve(self.node, None);
        self.rows()?;
        let head = self.writer.here();
        self.operations(&part.ops, &allocated.row)?;
        self.next_row(head)?;
        self.operations(&part.after, &allocated.after)
    }

    /// Loads the pointers that have registers.
    pub fn point(&mut self) -> Result<(), Error> {
        for (place, pointer) in self.pointers.clone().into_iter().enumerate() {
            let Some(register) = pointer else { continue };
            let on = |op: &&Op| matches!(op.kind, Kind::Load(access) | Kind::Store(access) if access.place as usize == place);
            let serves = self.selection.all().find(on).map_or(self.node, |op| Serves::Node(op.origin));
            self.writer.serve(serves, None);
            let pointer = at(ARGUMENTS, self.selection.pointer_at(place));
            self.writer.put(Instruction::with2(Code::Mov_r64_rm64, register, pointer))?;
        }
        Ok(())
    }

    /// Loads what is pinned.
    pub fn pin(&mut self, pins: &[Pin]) -> Result<(), Error> {
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
}
