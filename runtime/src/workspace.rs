//! Memory of a run: one pointer a buffer for each thread, over arenas that live as long as the workspace.

use crate::error::{Error, Result};
use crate::memory::Arena;
use crate::rows::Bound;
use crate::spare::Room;
use gradc_compiler::abi::{Context, PACK_FLOATS};
use gradc_compiler::loops::places::Places;
use gradc_compiler::loops::{Buffer, BufferId, Lane, Program, Slot, Space};
use gradc_compiler::memory::{ALIGN_WORDS, Layout, MemoryPlan};
use gradc_compiler::program::Assembled;
use std::marker::PhantomData;

/// Parameters, states and their best copies: what a model is between runs. Indexed by buffer.
#[derive(Debug)]
pub struct Store {
    tensors: Vec<Option<Arena>>,
}

impl Store {
    /// Zeroed memory for everything that is kept between runs.
    ///
    /// # Errors
    /// When memory is refused: how much of it parameters, the optimizer's and other states, and best copies take, and the largest of them.
    pub fn new(program: &Program) -> Result<Self> {
        Self::room(program).map_err(|error| match error {
            Error::Data { .. } => too_large(program),
            other => other,
        })
    }

    fn room(program: &Program) -> Result<Self> {
        let tensors = program.buffers.iter().map(|buffer| match buffer.space {
            Space::Parameter(_) | Space::State(_) | Space::Saved(_) => {
                let words_each = if buffer.lane == Lane::F64 { 2 } else { 1 };
                arena(words_each * words(buffer.words.at(1))).map(Some)
            }
            _ => Ok(None),
        });
        Ok(Store { tensors: tensors.collect::<Result<_>>()? })
    }

    /// Values of a kept buffer.
    pub fn get(&self, buffer: BufferId) -> &[f32] {
        self.tensors[buffer.0 as usize].as_ref().map_or(&[], Arena::as_slice)
    }

    /// Values of a kept buffer, to be changed.
    pub fn get_mut(&mut self, buffer: BufferId) -> &mut [f32] {
        self.tensors[buffer.0 as usize].as_mut().map_or(&mut [], Arena::as_mut_slice)
    }

    /// Values of a kept buffer as numbers, whatever their type.
    pub fn numbers(&self, buffer: BufferId, lane: Lane) -> Vec<f64> {
        let words = self.get(buffer);
        match lane {
            Lane::F64 => words.chunks_exact(2).map(number).collect(),
            _ => words.iter().map(|value| f64::from(*value)).collect(),
        }
    }

    /// Sets the elements of a kept buffer, in its own type.
    pub fn set_numbers(&mut self, buffer: BufferId, lane: Lane, values: &[f64]) {
        let tensor = self.get_mut(buffer);
        match lane {
            Lane::F64 => {
                tensor.chunks_exact_mut(2).zip(values).for_each(|(element, value)| element.copy_from_slice(&double(*value)))
            }
            _ => tensor.iter_mut().zip(values).for_each(|(element, value)| *element = *value as f32),
        }
    }

    /// Gives every element of a kept buffer a value.
    pub fn fill(&mut self, buffer: BufferId, lane: Lane, value: f64) {
        let tensor = self.get_mut(buffer);
        if lane == Lane::F64 {
            tensor.chunks_exact_mut(2).for_each(|element| element.copy_from_slice(&double(value)));
        } else {
            tensor.fill(value as f32);
        }
    }

    /// Buffers that are kept, in order.
    pub fn buffers(&self) -> impl Iterator<Item = BufferId> + '_ {
        (0..self.tensors.len()).filter(|buffer| self.tensors[*buffer].is_some()).map(|buffer| BufferId(buffer as u32))
    }

    /// Whether no write has strayed outside of a tensor.
    fn guards_intact(&self) -> bool {
        self.tensors.iter().flatten().all(Arena::guards_intact)
    }

    pub(crate) fn pointer(&self, buffer: BufferId) -> *mut u8 {
        self.tensors[buffer.0 as usize].as_ref().map_or(std::ptr::null_mut(), |arena| arena.as_ptr().cast())
    }
}

/// The two words of an f64, the low one first, as on every machine that gradc compiles for.
fn double(value: f64) -> [f32; 2] {
    let bits = value.to_bits();
    [bits as u32, (bits >> 32) as u32].map(f32::from_bits)
}

/// The f64 of its two words.
fn number(pair: &[f32]) -> f64 {
    f64::from_bits(u64::from(pair[0].to_bits()) | u64::from(pair[1].to_bits()) << 32)
}

/// What the tensors that are kept between runs come to, by kind.
fn too_large(program: &Program) -> Error {
    let bytes = |buffer: &Buffer| 4.0 * if buffer.lane == Lane::F64 { 2.0 } else { 1.0 } * buffer.words.at(1) as f64;
    let sum = |is: fn(Space) -> bool| {
        program.buffers.iter().filter(|buffer| is(buffer.space)).map(bytes).fold(0.0, |sum, bytes| sum + bytes)
    };
    let parameters = sum(|space| matches!(space, Space::Parameter(_)));
    let states = sum(|space| matches!(space, Space::State(_)));
    let copies = sum(|space| matches!(space, Space::Saved(_)));
    let largest = program.buffers.iter().filter(|buffer| matches!(buffer.space, Space::Parameter(_)));
    let largest = largest.max_by(|a, b| bytes(a).total_cmp(&bytes(b)));
    let largest =
        largest.map_or_else(String::new, |buffer| format!("; the largest is `{}` with {}", buffer.name, size(bytes(buffer))));
    let found = format!(
        "the network needs {}: parameters {}, states of layers and optimizer {}, copies of the best epoch {}{largest}",
        size(parameters + states + copies),
        size(parameters),
        size(states),
        size(copies)
    );
    Error::data(found, "no more than the memory that is free", "make the layers smaller")
}

fn size(bytes: f64) -> String {
    match bytes {
        bytes if bytes >= 1e9 => format!("{:.1} GB", bytes / 1e9),
        bytes if bytes >= 1e6 => format!("{:.1} MB", bytes / 1e6),
        bytes => format!("{bytes} bytes"),
    }
}

/// Zeroed memory.
pub(crate) fn arena(words: usize) -> Result<Arena> {
    Arena::new(words).map_err(|error| Error::data(error.to_string(), "", "use a smaller batch or a smaller network"))
}

fn words(count: i64) -> usize {
    usize::try_from(count).unwrap_or(0)
}

/// A batch capacity for which every offset in scratch is aligned.
pub fn capacity(rows: usize) -> usize {
    rows.max(1).next_multiple_of(ALIGN_WORDS as usize)
}

/// A unit's plan with its places for the rows that it runs with.
struct Placed<'a> {
    plan: &'a MemoryPlan,
    capacity: i64,
    layout: Layout,
}

impl<'a> Placed<'a> {
    fn new(program: &Program, plan: &'a MemoryPlan, capacity: i64) -> Result<Self> {
        let layout = plan.layout(capacity);
        plan.prove(&layout, capacity).map_err(|both| {
            let [a, b] = both.map(|buffer| program.buffers[buffer.0 as usize].name.as_str());
            Error::Internal { pass: "memory plan".into(), text: format!("`{a}` and `{b}` meet for {capacity} rows") }
        })?;
        Ok(Placed { plan, capacity, layout })
    }
}

/// The control block of a workspace.
#[derive(Clone, Copy)]
pub struct Scalars<'w> {
    first: *mut u32,
    /// Where the last slot begins.
    last: usize,
    _workspace: PhantomData<&'w Workspace>,
}

impl Scalars<'_> {
    fn slot(self, slot: Slot) -> *mut u32 {
        self.first.wrapping_add((2 * slot.0 as usize).min(self.last))
    }

    /// Writes a scalar.
    pub fn set_f64(self, slot: Slot, value: f64) {
        // SAFETY: the slot's two words lie in the control block, which is aligned to 64 bytes and lives as long as `self`; raw because
        // generated code has the same words.
        unsafe { self.slot(slot).cast::<f64>().write(value) }
    }

    /// Writes an integer.
    pub fn set_i32(self, slot: Slot, value: i32) {
        // SAFETY: as for `set_f64`.
        unsafe { self.slot(slot).cast::<i32>().write(value) }
    }
}

/// Memory of one run at a time: temporaries, scratch, rows, outputs and the control block.
#[derive(Debug)]
pub struct Workspace {
    room: Room,
    control: Arena,
    rows: Arena,
    /// Outputs and sums, by buffer.
    outputs: Vec<Option<Arena>>,
    /// Temporaries of the units that run; they never run at once.
    arena: Arena,
    scratch: Vec<Arena>,
    pack: Vec<Arena>,
    /// For each thread, one pointer a buffer.
    tables: Vec<Vec<*mut u8>>,
    fields: Vec<(BufferId, usize)>,
    /// Tables of places, held for the pointers that lead into them.
    _places: Vec<Vec<i32>>,
    /// One pointer a table of places.
    place_pointers: Vec<*const i32>,
}

// SAFETY: the pointers lead into arenas that the workspace owns, or into a store and data sets that outlive its runs; they are used
// only by generated code that is called with the workspace borrowed.
unsafe impl Send for Workspace {}

impl Workspace {
    /// Memory for the units of a room, whose rows are capacities.
    ///
    /// # Errors
    /// When memory is refused, with the bytes asked for.
    pub fn new(assembled: &Assembled, fields: &[String], room: Room, store: &Store) -> Result<Self> {
        let program = &assembled.program;
        let threads = room.threads;
        let plans: Vec<Placed> = room
            .units
            .iter()
            .filter_map(|(name, capacity)| assembled.unit(name).map(|unit| Placed::new(program, &unit.memory, *capacity as i64)))
            .collect::<Result<_>>()?;
        let most = room.units.iter().map(|(_, capacity)| *capacity).max().unwrap_or(1);
        let arena_words = plans.iter().map(|placed| words(placed.layout.words)).max().unwrap_or(0);
        let scratch_words = plans.iter().map(|placed| words(placed.plan.scratch_words.at(placed.capacity))).max().unwrap_or(0);
        let mut outputs = Vec::with_capacity(program.buffers.len());
        for buffer in &program.buffers {
            let size = words(buffer.words.at(most as i64));
            outputs.push(match buffer.space {
                Space::Output(_) => Some(arena(size)?),
                Space::Sums(_) => Some(arena(2 * size)?),
                _ => None,
            });
        }
        let control = program
            .buffers
            .iter()
            .find(|buffer| buffer.space == Space::Control)
            .ok_or_else(|| Error::Internal { pass: "assembly".into(), text: "no control buffer".into() })?;
        let places = Places::of(program).tables();
        let control_words = 2 * words(control.words.constant);
        let mut workspace = Workspace {
            room,
            control: arena(control_words)?,
            rows: arena(most)?,
            outputs,
            arena: arena(arena_words)?,
            scratch: (0..threads).map(|_| arena(scratch_words)).collect::<Result<_>>()?,
            pack: (0..threads).map(|_| arena(PACK_FLOATS)).collect::<Result<_>>()?,
            tables: Vec::new(),
            fields: Vec::new(),
            place_pointers: places.iter().map(|table| table.as_ptr()).collect(),
            _places: places,
        };
        for (number, buffer) in program.buffers.iter().enumerate() {
            let field = fields.iter().position(|field| *field == buffer.name);
            if let (Space::Input(_), Some(field)) = (buffer.space, field) {
                workspace.fields.push((BufferId(number as u32), field));
            }
        }
        for thread in 0..threads {
            let table = workspace.table(program, &plans, thread, store);
            workspace.tables.push(table);
        }
        Ok(workspace)
    }

    fn table(&self, program: &Program, plans: &[Placed], thread: usize, store: &Store) -> Vec<*mut u8> {
        let mut table: Vec<*mut u8> = vec![std::ptr::null_mut(); program.buffers.len()];
        for (number, buffer) in program.buffers.iter().enumerate() {
            table[number] = match buffer.space {
                Space::Parameter(_) | Space::State(_) | Space::Saved(_) => store.pointer(BufferId(number as u32)),
                Space::Control => self.control.as_ptr().cast(),
                Space::Rows => self.rows.as_ptr().cast(),
                Space::Output(_) | Space::Sums(_) => {
                    self.outputs[number].as_ref().map_or(std::ptr::null_mut(), |arena| arena.as_ptr().cast())
                }
                Space::Input(_) | Space::Arena | Space::Scratch => std::ptr::null_mut(),
            };
        }
        let at = |arena: &Arena, offset: i64| arena.as_ptr().wrapping_add(words(offset)).cast::<u8>();
        for placed in plans {
            for (life, offset) in placed.plan.lives.iter().zip(&placed.layout.offsets) {
                table[life.buffer.0 as usize] = at(&self.arena, *offset);
            }
            for (buffer, offset) in &placed.plan.scratch {
                table[buffer.0 as usize] = at(&self.scratch[thread], offset.at(placed.capacity));
            }
        }
        table
    }

    /// What it has room for.
    pub fn room(&self) -> &Room {
        &self.room
    }

    /// Makes a run's beginning of what another has left: scalars are 0 and no rows are bound.
    ///
    /// The rest stays as it is. Temporaries, scratch and copies of operands, outputs, the row table and sums are written in every step, or at
    /// the beginning of every pass, before they are read: a step finds what the step before it has left, within a run as well.
    pub fn reset(&mut self) {
        self.control.poison(0);
        self.bind(&Bound::nothing(0));
    }

    /// Lets the fields point to these rows.
    pub fn bind(&mut self, bound: &Bound) {
        for (buffer, field) in &self.fields {
            for table in &mut self.tables {
                table[buffer.0 as usize] = bound.pointer(*field).cast_mut();
            }
        }
    }

    /// Context of a thread for a run.
    pub fn context(&self, thread: usize, threads: usize, barrier: *const u8, user: *mut u8) -> Context {
        Context {
            pointers: self.tables[thread].as_ptr(),
            thread: thread as i64,
            threads: threads as i64,
            barrier,
            pack: self.pack[thread].as_ptr(),
            tables: self.place_pointers.as_ptr(),
            user,
        }
    }

    /// The row table, as row numbers.
    pub fn rows_mut(&mut self) -> &mut [u32] {
        let floats = self.rows.as_mut_slice();
        // SAFETY: f32 and u32 have the same size and alignment, and every bit pattern is valid for both.
        unsafe { std::slice::from_raw_parts_mut(floats.as_mut_ptr().cast::<u32>(), floats.len()) }
    }

    /// First words of an output.
    pub fn output(&self, buffer: BufferId) -> &[f32] {
        self.outputs[buffer.0 as usize].as_ref().map_or(&[], Arena::as_slice)
    }

    /// The first element of a kept buffer while no kernel runs; 0 if it has none.
    pub fn first(&self, buffer: BufferId) -> f32 {
        let pointer = self.tables.first().and_then(|table| table.get(buffer.0 as usize)).copied();
        // SAFETY: a pointer of the table leads to a tensor of the store, which is aligned and outlives the run.
        pointer.filter(|pointer| !pointer.is_null()).map_or(0.0, |pointer| unsafe { pointer.cast::<f32>().read() })
    }

    /// The sums of a buffer of [`Space::Sums`].
    pub fn sums(&self, buffer: BufferId) -> Vec<f64> {
        self.output(buffer).chunks_exact(2).map(number).collect()
    }

    /// The control block, for who sets several of its scalars.
    pub fn scalars(&mut self) -> Scalars<'_> {
        self.reading()
    }

    fn reading(&self) -> Scalars<'_> {
        Scalars { first: self.control.as_ptr().cast(), last: self.control.len().saturating_sub(2), _workspace: PhantomData }
    }

    /// Reads a scalar of the control block.
    pub fn f64(&self, slot: Slot) -> f64 {
        // SAFETY: the slot's two words lie in the control block, which is aligned to 64 bytes; raw because generated code has the
        // same words.
        unsafe { self.reading().slot(slot).cast::<f64>().read() }
    }
    /// Writes a scalar of the control block.
    pub fn set_f64(&mut self, slot: Slot, value: f64) {
        self.scalars().set_f64(slot, value);
    }
    /// Reads an integer of the control block.
    pub fn i32(&self, slot: Slot) -> i32 {
        // SAFETY: as for `f64`.
        unsafe { self.reading().slot(slot).cast::<i32>().read() }
    }
    /// Writes an integer of the control block.
    pub fn set_i32(&mut self, slot: Slot, value: i32) {
        self.scalars().set_i32(slot, value);
    }

    /// Whether no write has strayed outside of the run's memory.
    pub(crate) fn guards_intact(&self) -> bool {
        let fixed = [&self.control, &self.rows, &self.arena];
        fixed.into_iter().chain(&self.scratch).chain(&self.pack).chain(self.outputs.iter().flatten()).all(Arena::guards_intact)
    }

    /// Fills all but the control block with a bit pattern: a correct program does not notice.
    pub fn poison(&mut self, bits: u32) {
        let each = self.scratch.iter_mut().chain(&mut self.pack).chain(self.outputs.iter_mut().flatten());
        each.chain([&mut self.arena, &mut self.rows]).for_each(|arena| arena.poison(bits));
    }
}

/// In builds with debug assertions, stray writes of generated code are found when the memory is given back.
impl Drop for Workspace {
    fn drop(&mut self) {
        debug_assert!(std::thread::panicking() || self.guards_intact(), "generated code wrote outside of a run's memory");
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        debug_assert!(std::thread::panicking() || self.guards_intact(), "generated code wrote outside of a parameter");
    }
}

/// Slots of the control block by name; a slot that the program lacks is ignored when it is written.
#[derive(Clone, Copy, Debug)]
pub struct Slots<'a>(pub &'a Assembled);

impl Slots<'_> {
    /// Writes a number, in the slot's own type.
    pub fn set(&self, workspace: &mut Workspace, name: &str, value: f64) {
        if let Some(&slot) = self.0.slots.get(name) {
            match self.0.program.slots[slot.0 as usize].lane {
                Lane::F64 => workspace.set_f64(slot, value),
                _ => workspace.set_i32(slot, value as i64 as i32),
            }
        }
    }
    /// Reads a number; 0 if there is no such slot.
    pub fn get(&self, workspace: &Workspace, name: &str) -> f64 {
        match self.0.slots.get(name) {
            Some(&slot) if self.0.program.slots[slot.0 as usize].lane == Lane::F64 => workspace.f64(slot),
            Some(&slot) => f64::from(workspace.i32(slot)),
            None => 0.0,
        }
    }
}
