//! A product woven into the nest behind it: while a tile of the product is summed up, the nest's block goes over what earlier tiles have left.
//!
//! Division and square root have a unit of their own, which takes as long as the ten or twenty multiply-adds that could be done meanwhile. An
//! optimizer behind a weight's gradient waits for it, the product before it never does: side by side they take little more than the longer one.
//!
//! # What a woven function is
//! `woven(arguments, 0)` computes a product whose result is contiguous, and executes a nest that is one axis over that result. The product goes
//! through **panels** of eight rows, in each through tiles of 32 columns. Each tile's steps come in **slots**: a group of 16 elements of
//! the nest, then some steps of the product. The groups are those of the panel before, in order, so that every element is complete when the nest
//! reads it, and what the last panel leaves is done behind it. Where up to eight columns are left over, rows of the last tile share a vector, as in
//! the runtime's micro-kernel. Every element's chain is that of [`Product`](crate::abi::Product) in one block of steps.
//!
//! The argument block is that of a [wide function](super) with one axis, and behind it [`Field`]s.
//!
//! Registers: `rdi` the argument block, `rcx` the next element of the nest, `rsi` the steps that are left, `rdx` those of the slot, `r12` and
//! `r13` the operands at the next step, `r14` the next entry of the table of steps, `r15` the slots that are left; vectors from [`Shape::first`]
//! on are the product's, those below the nest's.

use iced_x86::{Code, IcedError, Instruction, MemoryOperand as Memory, Register};

use super::super::Error;
use super::super::listing::Serves;
use super::allocate::{Straight, allocate};
use super::encode::Body;
use super::operations::Selection;
use super::pins::{Pin, pins};
use super::rest::left_over;
use super::write::{ARGUMENTS, LANE, LEFT, SCRATCH, Writer, at};
use super::{Form, Rest, Wide};

/// Rows of a panel.
const ROWS: i64 = 8;
/// Lanes of a vector, and bytes.
const LANES: i64 = 16;
const BYTES: i64 = 64;
/// Registers for the pointers of the nest's places.
const POINTERS: [Register; 5] = [Register::R8, Register::R9, Register::R10, Register::R11, Register::RBX];
/// Registers that are given back.
const SAVED: [Register; 5] = [Register::RBX, A, B, TABLE, SLOTS];
const A: Register = Register::R12;
const B: Register = Register::R13;
const TABLE: Register = Register::R14;
const SLOTS: Register = Register::R15;
/// Steps of the slot.
const STEPS: Register = Register::RDX;
/// The vector that one factor is spread over.
const FACTOR: u8 = 31;
/// The lanes of the columns that are left over.
const OVER: Register = Register::K7;

/// The product of a woven function: sizes, and steps of its operands in bytes. Its columns lie side by side, in the result its rows too.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Shape {
    pub m: i64,
    pub n: i64,
    pub a_row: i64,
    pub a_k: i64,
    pub b_k: i64,
    /// Whether the steps of the left operand are looked up.
    pub table: bool,
    /// The graph node.
    pub origin: u32,
}

/// Tiles of one kind, one beside the other.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Tiles {
    number: i64,
    /// Whole vectors in a row.
    vectors: i64,
    /// Columns beside them.
    over: i64,
}

/// What stands in the argument block behind the nest's part. The caller writes those up to `Slot`, the function those behind it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Field {
    /// First elements of the operands and of the result.
    A,
    B,
    C,
    /// First entry of the table of steps.
    Table,
    /// Steps of the product.
    Steps,
    /// Steps of a slot.
    Slot,
    /// The panel's first row of the left operand, the tile's first columns of the right one and of the result.
    RowsOfA,
    ColumnsOfB,
    Tile,
    /// Groups of the nest that may be done.
    Groups,
    /// Panels and tiles that are left.
    Panels,
    Tiles,
}

/// Bytes of the fields.
const FIELDS: i64 = 8 * (Field::Tiles as i64 + 1);

impl Field {
    /// Where the field stands in the argument block.
    pub fn at(self, selection: &Selection) -> i64 {
        (selection.arguments() + 7) / 8 * 8 + 8 * self as i64
    }
}

/// Bytes of the whole argument block.
pub(super) fn arguments(selection: &Selection) -> i64 {
    Field::A.at(selection) + FIELDS
}

impl Shape {
    /// The tiles of a panel; `None` where columns are left over that no tile takes in.
    fn tiles(&self) -> Option<Vec<Tiles>> {
        let (whole, over) = (self.n / (2 * LANES), self.n % (2 * LANES));
        let tiles = |number, vectors, over| Tiles { number, vectors, over };
        let all = match over {
            0 => vec![tiles(whole, 2, 0)],
            LANES => vec![tiles(whole, 2, 0), tiles(1, 1, 0)],
            1..=8 if whole > 0 => vec![tiles(whole - 1, 2, 0), tiles(1, 2, over)],
            _ => return None,
        };
        Some(all.into_iter().filter(|tiles| tiles.number > 0).collect())
    }

    /// Rows that share a vector of columns that are left over.
    fn sharing(&self) -> i64 {
        if self.n % (2 * LANES) <= 4 { 4 } else { 2 }
    }

    /// Whether columns are left over.
    fn shares(&self) -> bool {
        (1..=8).contains(&(self.n % (2 * LANES)))
    }

    /// The first of the product's vectors.
    fn first(&self) -> u8 {
        let shared = if self.shares() { ROWS / self.sharing() + 2 } else { 0 };
        // Sums, two vectors of the right operand, a factor; then sums, columns and factors of rows that share.
        FACTOR + 1 - (2 * ROWS + 3 + shared) as u8
    }

    /// Groups of the nest that a tile takes in at most.
    pub fn slots(&self) -> i64 {
        let tiles: i64 = self.tiles().unwrap_or_default().iter().map(|tiles| tiles.number).sum();
        (self.groups() + tiles - 1) / tiles.max(1)
    }

    /// Groups of a panel.
    fn groups(&self) -> i64 {
        ROWS * self.n / LANES
    }

    /// Whether there is a function for it.
    pub fn fits(&self) -> bool {
        let near = |bytes: i64| (0..1 << 20).contains(&bytes);
        self.tiles().is_some() && self.m > 0 && near(self.n) && [self.a_row, self.a_k, self.b_k].into_iter().all(near)
    }
}

/// Writes the function of a product and a nest's selection; `None` if registers do not suffice.
pub(super) fn weave(selection: &Selection, shape: Shape, node: Serves) -> Result<Option<Wide>, Error> {
    let form = Form::Sixteen;
    let Some(tiles) = shape.tiles() else { return Ok(None) };
    if selection.rows || selection.keeps() || selection.places.len() > POINTERS.len() {
        return Ok(None);
    }
    let rest = match (shape.m * shape.n % LANES) as u8 {
        0 => Rest::None,
        lanes => Rest::Known(lanes),
    };
    let tail = left_over(selection, rest, form);
    let bodies: Vec<&Selection> = [Some(selection), (rest != Rest::None).then_some(&tail)].into_iter().flatten().collect();
    let registers = usize::from(shape.first());
    let pins = pins(selection, &bodies, registers);
    let mut rows = Vec::new();
    for body in bodies {
        match allocate(body, &pins, form, registers) {
            Some(allocated) if allocated.row.slots == 0 => rows.push(allocated.row),
            _ => return Ok(None),
        }
    }
    let pointers = POINTERS.iter().take(selection.places.len()).map(|&register| Some(register)).collect();
    let body = Body { selection: &tail, node, form, pointers, writer: Writer::new(node), rest: Rest::None };
    let mut weaver = Weaver { body, shape, tiles, nest: selection, group: &rows[0] };
    weaver.function(&pins, rest, rows.get(1))?;
    Ok(Some(weaver.body.writer.finish(&tail.constants, form)))
}

/// A function being written.
struct Weaver<'a> {
    body: Body<'a>,
    shape: Shape,
    tiles: Vec<Tiles>,
    nest: &'a Selection,
    /// The operations of a group.
    group: &'a Straight,
}

impl Weaver<'_> {
    fn function(&mut self, pins: &[Pin], rest: Rest, left: Option<&Straight>) -> Result<(), Error> {
        let Shape { m, n, .. } = self.shape;
        self.body.prologue(&SAVED, 0)?;
        self.body.point()?;
        self.body.pin(pins)?;
        self.serve();
        self.masks()?;
        self.put(Instruction::with2(Code::Xor_r32_rm32, Register::ECX, Register::ECX))?;
        for (from, to) in [(Field::A, Field::RowsOfA), (Field::C, Field::Tile)] {
            self.load(SCRATCH, from)?;
            self.store(to, SCRATCH)?;
        }
        self.set(Field::Groups, 0)?;
        let (panels, over) = (m / ROWS, m % ROWS);
        if panels > 0 {
            self.set(Field::Panels, panels)?;
            let head = self.body.writer.here();
            self.panel(ROWS)?;
            self.again(Field::Panels, head)?;
        }
        if over > 0 {
            self.panel(over)?;
        }
        // What the last panel leaves, and groups that it shares with the one before.
        let done = (m - 1) / ROWS * self.shape.groups();
        let groups = m * n / LANES - done;
        if groups > 0 {
            self.put(Instruction::with2(Code::Mov_r32_imm32, Register::R15D, groups as i32))?;
            let head = self.body.writer.here();
            self.group()?;
            self.count(SLOTS, 1)?;
            self.jump(Code::Jg_rel32_64, head)?;
        }
        if let Some(left) = left {
            self.body.rest = rest;
            if !rest.is_exact() {
                // The lanes' mask counts the turns that are left.
                let Rest::Known(lanes) = rest else { return Err(Error::Malformed("a rest of unknown size".into())) };
                self.put(Instruction::with2(Code::Mov_r32_imm32, Register::ESI, i32::from(lanes)))?;
            }
            let ops = &self.body.selection.ops;
            self.body.operations(ops, left)?;
        }
        self.body.epilogue(&SAVED, 0)
    }

    /// One panel of rows: all its tiles, then the places of the next one.
    fn panel(&mut self, rows: i64) -> Result<(), Error> {
        let Shape { n, a_row, .. } = self.shape;
        self.serve();
        self.load(SCRATCH, Field::B)?;
        self.store(Field::ColumnsOfB, SCRATCH)?;
        for tiles in self.tiles.clone() {
            if tiles.number > 1 {
                self.set(Field::Tiles, tiles.number)?;
            }
            let head = self.body.writer.here();
            self.tile(rows, tiles)?;
            for place in [Field::ColumnsOfB, Field::Tile] {
                self.add(place, BYTES * tiles.vectors)?;
            }
            if tiles.number > 1 {
                self.again(Field::Tiles, head)?;
            }
        }
        let across: i64 = self.tiles.iter().map(|tiles| tiles.number * tiles.vectors * BYTES).sum();
        self.add(Field::Tile, 4 * rows * n - across)?;
        self.add(Field::RowsOfA, rows * a_row)?;
        self.set(Field::Groups, self.shape.groups())
    }

    /// One tile.
    fn tile(&mut self, rows: i64, tiles: Tiles) -> Result<(), Error> {
        self.load(A, Field::RowsOfA)?;
        self.load(B, Field::ColumnsOfB)?;
        if self.shape.table {
            self.load(TABLE, Field::Table)?;
        }
        self.load(LEFT, Field::Steps)?;
        for sum in self.sums(rows, tiles) {
            let sum = zmm(sum);
            self.put(Instruction::with3(Code::EVEX_Vpxord_zmm_k1z_zmm_zmmm512b32, sum, sum, sum))?;
        }
        // As many slots as there are groups left for them.
        let slots = self.shape.slots();
        self.put(Instruction::with2(Code::Mov_r32_imm32, Register::R15D, slots as i32))?;
        let groups = self.field(Field::Groups);
        self.put(Instruction::with2(Code::Cmp_r64_rm64, SLOTS, groups))?;
        self.put(Instruction::with2(Code::Cmovg_r64_rm64, SLOTS, groups))?;
        self.put(Instruction::with2(Code::Sub_rm64_r64, groups, SLOTS))?;
        self.count(SLOTS, 0)?;
        let none = self.body.writer.jump(Code::Jle_rel32_64)?;
        let slot = self.body.writer.here();
        self.group()?;
        self.load(STEPS, Field::Slot)?;
        self.put(Instruction::with2(Code::Sub_r64_rm64, LEFT, STEPS))?;
        self.steps(STEPS, rows, tiles)?;
        self.count(SLOTS, 1)?;
        self.jump(Code::Jg_rel32_64, slot)?;
        let here = self.body.writer.here();
        self.body.writer.lead(none, here);
        self.steps(LEFT, rows, tiles)?;
        self.results(rows, tiles)
    }

    /// As many steps of a tile as a register counts, if there are any.
    fn steps(&mut self, counter: Register, rows: i64, tiles: Tiles) -> Result<(), Error> {
        self.count(counter, 0)?;
        let none = self.body.writer.jump(Code::Jle_rel32_64)?;
        let head = self.body.writer.here();
        self.step(rows, tiles)?;
        self.count(counter, 1)?;
        self.jump(Code::Jg_rel32_64, head)?;
        let here = self.body.writer.here();
        self.body.writer.lead(none, here);
        Ok(())
    }

    /// One step of each chain of a tile.
    fn step(&mut self, rows: i64, tiles: Tiles) -> Result<(), Error> {
        let Shape { a_row, a_k, b_k, table, .. } = self.shape;
        let sharing = self.shape.sharing();
        if table {
            self.put(Instruction::with2(Code::Mov_r32_rm32, Register::EAX, at(TABLE, 0)))?;
            self.put(Instruction::with2(Code::Add_rm64_imm8, TABLE, 4))?;
            self.put(Instruction::with3(Code::Imul_r64_rm64_imm32, SCRATCH, SCRATCH, a_k as i32))?;
        }
        let factor_at = |row: i64| {
            let index = if table { SCRATCH } else { Register::None };
            let size = u32::from(row * a_row != 0);
            Memory::new(A, index, 1, row * a_row, size, false, Register::None)
        };
        for vector in 0..tiles.vectors {
            self.put(Instruction::with2(Code::EVEX_Vmovups_zmm_k1z_zmmm512, zmm(right(vector)), at(B, BYTES * vector)))?;
        }
        if tiles.over > 0 {
            self.columns_over(tiles)?;
        }
        for row in 0..rows {
            let factor = zmm(FACTOR);
            self.put(Instruction::with2(Code::EVEX_Vbroadcastss_zmm_k1z_xmmm32, factor, factor_at(row)))?;
            for vector in 0..tiles.vectors {
                self.fused(self.sum(row, vector), factor, right(vector))?;
            }
            if tiles.over > 0 {
                let place = row % sharing;
                let spread = Instruction::with2(Code::EVEX_Vbroadcastss_zmm_k1z_xmmm32, zmm(self.factors()), factor_at(row));
                // The first clears what the vector held, so that nothing waits for it.
                self.put(masked(spread, quarter(place), place == 0))?;
                if place + 1 == sharing || row + 1 == rows {
                    self.fused(self.shared(row), zmm(self.factors()), self.over())?;
                }
            }
        }
        if !table {
            self.put(Instruction::with2(Code::Add_rm64_imm32, A, a_k as i32))?;
        }
        self.put(Instruction::with2(Code::Add_rm64_imm32, B, b_k as i32))
    }

    /// The columns that are left over, once for each row that shares their vector.
    fn columns_over(&mut self, tiles: Tiles) -> Result<(), Error> {
        let place = at(B, BYTES * tiles.vectors);
        let over = u32::from(self.over());
        let (load, pattern) = match self.shape.sharing() {
            4 => (Instruction::with2(Code::EVEX_Vmovups_xmm_k1z_xmmm128, Register::XMM0 + over, place), 0x00),
            _ => (Instruction::with2(Code::EVEX_Vmovups_ymm_k1z_ymmm256, Register::YMM0 + over, place), 0x44),
        };
        self.put(masked(load, OVER, true))?;
        let over = zmm(self.over());
        self.put(Instruction::with4(Code::EVEX_Vshuff32x4_zmm_k1z_zmm_zmmm512b32_imm8, over, over, over, pattern))
    }

    /// Writes the sums of a tile.
    fn results(&mut self, rows: i64, tiles: Tiles) -> Result<(), Error> {
        self.load(SCRATCH, Field::Tile)?;
        for row in 0..rows {
            let place = |vector: i64| at(SCRATCH, 4 * self.shape.n * row + BYTES * vector);
            let places: Vec<Memory> = (0..=tiles.vectors).map(place).collect();
            for (vector, &place) in (0..tiles.vectors).zip(&places) {
                self.put(Instruction::with2(Code::EVEX_Vmovups_zmmm512_k1z_zmm, place, zmm(self.sum(row, vector))))?;
            }
            if tiles.over > 0 {
                let sharing = self.shape.sharing();
                let code = match sharing {
                    4 => Code::EVEX_Vextractf32x4_xmmm128_k1z_zmm_imm8,
                    _ => Code::EVEX_Vextractf32x8_ymmm256_k1z_zmm_imm8,
                };
                let place = places[tiles.vectors as usize];
                let store = Instruction::with3(code, place, zmm(self.shared(row)), (row % sharing) as i32);
                self.put(masked(store, OVER, false))?;
            }
        }
        Ok(())
    }

    /// One group of the nest.
    fn group(&mut self) -> Result<(), Error> {
        self.body.operations(&self.nest.ops, self.group)?;
        self.serve();
        self.put(Instruction::with2(Code::Add_rm64_imm8, LANE, LANES as i32))
    }

    /// Which lanes belong to which row where rows share a vector, and which of them to columns.
    fn masks(&mut self) -> Result<(), Error> {
        if !self.shape.shares() {
            return Ok(());
        }
        let sharing = self.shape.sharing();
        let lanes = LANES / sharing;
        let over = self.shape.n % (2 * LANES);
        let quarters = (0..sharing).map(|place| (quarter(place), ((1 << lanes) - 1) << (lanes * place)));
        let columns = (0..sharing).map(|place| ((1 << over) - 1) << (lanes * place)).sum();
        for (mask, bits) in quarters.chain([(OVER, columns)]) {
            self.put(Instruction::with2(Code::Mov_r32_imm32, Register::EAX, bits))?;
            self.put(Instruction::with2(Code::VEX_Kmovw_kr_r32, mask, Register::EAX))?;
        }
        Ok(())
    }

    /// The vectors that a tile sums up in.
    fn sums(&self, rows: i64, tiles: Tiles) -> Vec<u8> {
        let own = (0..rows).flat_map(|row| (0..tiles.vectors).map(move |vector| (row, vector)));
        let mut sums: Vec<u8> = own.map(|(row, vector)| self.sum(row, vector)).collect();
        if tiles.over > 0 {
            sums.extend((0..rows).step_by(self.shape.sharing() as usize).map(|row| self.shared(row)));
        }
        sums
    }

    fn sum(&self, row: i64, vector: i64) -> u8 {
        self.shape.first() + (2 * row + vector) as u8
    }

    /// The sums of a row that shares them.
    fn shared(&self, row: i64) -> u8 {
        self.shape.first() + (2 * ROWS + row / self.shape.sharing()) as u8
    }

    /// The vector of columns that are left over.
    fn over(&self) -> u8 {
        right(1) - 1
    }

    /// The factors of rows that share.
    fn factors(&self) -> u8 {
        right(1) - 2
    }

    fn fused(&mut self, sum: u8, factor: Register, right: u8) -> Result<(), Error> {
        self.put(Instruction::with3(Code::EVEX_Vfmadd231ps_zmm_k1z_zmm_zmmm512b32_er, zmm(sum), factor, zmm(right)))
    }

    fn serve(&mut self) {
        self.body.writer.serve(Serves::Node(self.shape.origin), None);
    }

    fn put(&mut self, instruction: Result<Instruction, IcedError>) -> Result<(), Error> {
        self.body.writer.put(instruction)
    }

    fn field(&self, field: Field) -> Memory {
        at(ARGUMENTS, field.at(self.body.selection))
    }

    fn load(&mut self, to: Register, field: Field) -> Result<(), Error> {
        let from = self.field(field);
        self.put(Instruction::with2(Code::Mov_r64_rm64, to, from))
    }

    fn store(&mut self, field: Field, from: Register) -> Result<(), Error> {
        let to = self.field(field);
        self.put(Instruction::with2(Code::Mov_rm64_r64, to, from))
    }

    fn set(&mut self, field: Field, number: i64) -> Result<(), Error> {
        let to = self.field(field);
        self.put(Instruction::with2(Code::Mov_rm64_imm32, to, number as i32))
    }

    fn add(&mut self, field: Field, number: i64) -> Result<(), Error> {
        let to = self.field(field);
        self.put(Instruction::with2(Code::Add_rm64_imm32, to, number as i32))
    }

    /// Takes a number off a register, so that a jump can ask what is left.
    fn count(&mut self, register: Register, by: i32) -> Result<(), Error> {
        self.put(Instruction::with2(Code::Sub_rm64_imm8, register, by))
    }

    /// Leads back while a field counts.
    fn again(&mut self, field: Field, head: usize) -> Result<(), Error> {
        let counter = self.field(field);
        self.put(Instruction::with2(Code::Sub_rm64_imm8, counter, 1))?;
        self.jump(Code::Jg_rel32_64, head)
    }

    fn jump(&mut self, code: Code, to: usize) -> Result<(), Error> {
        let jump = self.body.writer.jump(code)?;
        self.body.writer.lead(jump, to);
        Ok(())
    }
}

/// A vector of the right operand.
fn right(vector: i64) -> u8 {
    FACTOR - 1 - vector as u8
}

/// The lanes of a row that shares a vector.
fn quarter(place: i64) -> Register {
    Register::K3 + place as u32
}

fn zmm(number: u8) -> Register {
    Register::ZMM0 + u32::from(number)
}

/// An instruction for the lanes of a mask; the others become zero, or stay.
fn masked(instruction: Result<Instruction, IcedError>, mask: Register, zero: bool) -> Result<Instruction, IcedError> {
    super::operate::choosing(instruction, mask, zero)
}
