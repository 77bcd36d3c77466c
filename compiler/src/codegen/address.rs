//! Addresses in an innermost loop.
//!
//! A [`Place`] is a view's address with what moves along the loop taken out: a base computed before the first turn, a constant, the
//! number of a byte offset that the loop advances, and, if the view goes through the row table along the loop, where to look.

use cranelift_codegen::ir::{self, InstBuilder, types};

use super::Error;
use super::block::{Lanes, Values, Width, defined};
use super::function::{Emitter, MEMORY};
use super::plan::{stride, table_stride};
use crate::loops::{Lane, Linear, Pick, Var, View};

/// The address of a view in terms of the innermost loop's offsets.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub base: ir::Value,
    pub displacement: i32,
    /// The offset that is added, by number.
    offset: Option<usize>,
    /// Bytes that the offset gains in one turn, if they are known.
    apart: i64,
    row: Option<Row>,
    /// An index that is added in every turn.
    pick: Option<Pick>,
}

impl Place {
    /// Whether the words of four turns do not lie side by side, so that each is moved by itself.
    fn is_spread(self) -> bool {
        self.offset.is_some() && self.apart != WORD
    }
}

/// Bytes of a word, all that vectors hold.
const WORD: i64 = 4;

/// A row table that is looked up in every turn.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    rows: ir::Value,
    offset: usize,
    /// Bytes from one row to the next.
    stride: i64,
}

/// What travels from turn to turn.
#[derive(Clone, Debug)]
pub(super) struct Travelling {
    pub offsets: Vec<ir::Value>,
    pub counters: Vec<ir::Value>,
    pub kept: Vec<ir::Value>,
}

impl Travelling {
    /// All of it, offsets first.
    pub fn all(&self) -> Vec<ir::Value> {
        [&self.offsets[..], &self.counters, &self.kept].concat()
    }
    /// The same shape with other values.
    pub fn like(&self, values: &[ir::Value]) -> Self {
        let (offsets, rest) = values.split_at(self.offsets.len());
        let (counters, kept) = rest.split_at(self.counters.len());
        Travelling { offsets: offsets.to_vec(), counters: counters.to_vec(), kept: kept.to_vec() }
    }
}

impl Emitter<'_> {
    /// The address of a view; what moves along `var` is left to offsets, which are added to `steps`.
    pub fn place(&mut self, view: &View, var: Option<Var>, steps: &mut Vec<Linear>) -> Result<Place, Error> {
        let unit = self.unit(view.buffer)?;
        let mut base = self.pointer(view.buffer)?;
        let bytes = view.offset.times(unit);
        let displacement = i32::try_from(bytes.constant).ok();
        let apart = match displacement {
            Some(_) => Linear { constant: 0, ..bytes },
            None => bytes,
        };
        if apart != Linear::ZERO {
            let apart = self.linear(apart);
            base = self.builder.ins().iadd(base, apart);
        }
        base = self.weighted(base, view.strides.iter().copied(), unit, var)?;
        let mut numbered = |step: Linear| match steps.iter().position(|&known| known == step) {
            Some(known) => known,
            None => {
                steps.push(step);
                steps.len() - 1
            }
        };
        let along = var.map_or(Linear::ZERO, |var| stride(view, var).times(unit));
        let offset = (along != Linear::ZERO).then(|| numbered(along));
        let mut row = None;
        if let Some(table) = &view.table {
            let terms = table.index.iter().map(|&(v, f)| (v, Linear::fixed(f)));
            let rows = self.pointer(table.rows)?;
            let rows = self.weighted(rows, terms, 4, var)?;
            let bytes = table.stride * unit;
            match var.map_or(0, |var| table_stride(view, var)) {
                0 => base = self.looked_up(base, rows, bytes),
                moving => {
                    row = Some(Row { rows, offset: numbered(Linear::fixed(4 * moving)), stride: bytes });
                }
            }
        }
        let pick = view.pick.map(|pick| Pick { stride: pick.stride.times(unit), ..pick });
        let apart = if along.is_fixed() { along.constant } else { 0 };
        Ok(Place { base, displacement: displacement.unwrap_or(0), offset, apart, row, pick })
    }

    /// Adds an index that does not vary to the base.
    pub fn settle(&mut self, place: &mut Place, values: &Values) -> Result<(), Error> {
        if let Some(pick) = place.pick.take() {
            place.base = self.picked(place.base, pick, values)?;
        }
        Ok(())
    }

    /// `base` plus an index, clamped, times its stride.
    pub(super) fn picked(&mut self, base: ir::Value, pick: Pick, values: &Values) -> Result<ir::Value, Error> {
        let last = i32::try_from(pick.count - 1).ok().filter(|last| *last >= 0);
        let last = last.ok_or_else(|| Error::Malformed(format!("an index below {}", pick.count)))?;
        let value = defined(values, pick.value)?;
        if value.lane != Lane::I32 {
            return Err(Error::Malformed("an index that is no integer".to_owned()));
        }
        let zero = self.builder.ins().iconst(types::I32, 0);
        let last = self.builder.ins().iconst(types::I32, i64::from(last));
        let index = self.builder.ins().smax(value.value, zero);
        let index = self.builder.ins().smin(index, last);
        let index = self.builder.ins().uextend(types::I64, index);
        let bytes = if pick.stride.is_fixed() {
            self.times(index, pick.stride.constant)
        } else {
            let stride = self.linear(pick.stride);
            self.builder.ins().imul(index, stride)
        };
        Ok(self.builder.ins().iadd(base, bytes))
    }

    /// `base` plus the row number at `entry` times `stride` bytes.
    fn looked_up(&mut self, base: ir::Value, entry: ir::Value, stride: i64) -> ir::Value {
        let row = self.builder.ins().uload32(MEMORY, entry, 0);
        let bytes = self.times(row, stride);
        self.builder.ins().iadd(base, bytes)
    }

    /// The address of a place in the current turn, less its displacement.
    pub fn address(&mut self, place: Place, state: &Travelling, values: &Values) -> Result<ir::Value, Error> {
        let mut address = place.base;
        if let Some(pick) = place.pick {
            address = self.picked(address, pick, values)?;
        }
        if let Some(row) = place.row {
            let entry = self.builder.ins().iadd(row.rows, state.offsets[row.offset]);
            address = self.looked_up(address, entry, row.stride);
        }
        Ok(match place.offset {
            Some(offset) => self.builder.ins().iadd(address, state.offsets[offset]),
            None => address,
        })
    }

    /// Loads the word of a place in each lane.
    pub fn load(&mut self, place: Place, lane: Lane, width: Width, state: &Travelling, values: &Values) -> Result<Lanes, Error> {
        let address = self.address(place, state, values)?;
        if width == Width::Four && place.is_spread() {
            return Ok(Lanes::plain(self.load_apart(address, place, lane), lane));
        }
        // Lanes of a place that does not move all hold one word.
        let loaded = match place.offset {
            Some(_) => width,
            None => Width::One,
        };
        // Cranelift 0.135 folds a load of four floats into `cmpps`, which without AVX faults where the words are not aligned. It folds
        // none that is loaded as integers.
        let value = match (loaded, lane) {
            (Width::Four, Lane::F32) if self.machine.x86 && !self.machine.blend => {
                let bits = self.builder.ins().load(types::I32X4, MEMORY, address, place.displacement);
                self.cast(bits, types::F32X4)
            }
            _ => self.builder.ins().load(loaded.of(lane), MEMORY, address, place.displacement),
        };
        let value = match loaded == width {
            true => value,
            false => self.spread(value, lane, width),
        };
        Ok(Lanes::plain(value, lane))
    }

    /// Stores the word of each lane to a place.
    pub fn store(&mut self, place: Place, value: Lanes, width: Width, state: &Travelling, values: &Values) -> Result<(), Error> {
        let address = self.address(place, state, values)?;
        if width == Width::One || !place.is_spread() {
            self.builder.ins().store(MEMORY, value.value, address, place.displacement);
            return Ok(());
        }
        for lane in 0..width.lanes() {
            let word = self.builder.ins().extractlane(value.value, lane as u8);
            let to = self.plus(address, lane * place.apart);
            self.builder.ins().store(MEMORY, word, to, place.displacement);
        }
        Ok(())
    }

    /// Four words that do not lie side by side.
    fn load_apart(&mut self, address: ir::Value, place: Place, lane: Lane) -> ir::Value {
        let first = self.builder.ins().load(Width::One.of(lane), MEMORY, address, place.displacement);
        let mut vector = self.builder.ins().scalar_to_vector(Width::Four.of(lane), first);
        for number in 1..Width::Four.lanes() {
            let from = self.plus(address, number * place.apart);
            let word = self.builder.ins().load(Width::One.of(lane), MEMORY, from, place.displacement);
            vector = self.builder.ins().insertlane(vector, word, number as u8);
        }
        vector
    }
}
