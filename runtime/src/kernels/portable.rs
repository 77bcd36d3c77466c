//! Plain Rust over arrays: for processors without a kernel of their own. On targets whose baseline has fused multiply-adds the
//! loops become vector instructions; elsewhere `mul_add` is an exact library call, slow but of the same bits.

use super::pack::{self, Gathered, Panel};
use super::tile::{self, Sums, Tile};
use super::vector::Vector;

/// `LANES` floats in an array.
#[derive(Clone, Copy)]
pub(super) struct Portable<const LANES: usize>([f32; LANES]);

impl<const LANES: usize> Vector for Portable<LANES> {
    const LANES: usize = LANES;
    const ROWS: usize = if LANES <= 8 { 6 } else { 8 };
    const WIDEST: usize = 2;
    const SHARES: bool = LANES == 16;
    /// The first lane and the one behind the last.
    type Part = (usize, usize);

    #[inline(always)]
    unsafe fn part(count: usize) -> (usize, usize) {
        (0, count)
    }

    #[inline(always)]
    unsafe fn between(first: usize, end: usize) -> (usize, usize) {
        (first, end)
    }

    #[inline(always)]
    unsafe fn zero() -> Self {
        Self([0.0; LANES])
    }

    #[inline(always)]
    unsafe fn splat(from: *const f32) -> Self {
        // SAFETY: one float lies at `from`.
        Self([unsafe { *from }; LANES])
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: `LANES` floats lie at `from`, aligned as floats are.
        Self(unsafe { *from.cast::<[f32; LANES]>() })
    }

    #[inline(always)]
    unsafe fn load_part(from: *const f32, part: (usize, usize)) -> Self {
        // SAFETY: the caller's promise, passed on.
        unsafe { Self::zero().load_over(from, part) }
    }

    #[inline(always)]
    unsafe fn load_over(mut self, from: *const f32, (first, end): (usize, usize)) -> Self {
        for (index, lane) in self.0.iter_mut().enumerate().take(end).skip(first) {
            // SAFETY: `first <= index < end`, and a float lies at each of these lanes.
            *lane = unsafe { *from.wrapping_add(index) };
        }
        self
    }

    #[inline(always)]
    unsafe fn gather(from: *const f32, index: *const i32) -> Self {
        let mut lanes = [0.0; LANES];
        for (lane, to) in lanes.iter_mut().enumerate() {
            // SAFETY: `LANES` indices lie at `index`, and a float at each of the places that they name.
            *to = unsafe { *from.offset(*index.add(lane) as isize) };
        }
        Self(lanes)
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: `LANES` floats may be written at `to`, aligned as floats are.
        unsafe { *to.cast::<[f32; LANES]>() = self.0 }
    }

    #[inline(always)]
    unsafe fn store_part(self, to: *mut f32, count: usize) {
        for (index, lane) in self.0.into_iter().enumerate().take(count) {
            // SAFETY: `index < count`, and `count` floats may be written at `to`.
            unsafe { *to.add(index) = lane }
        }
    }

    #[inline(always)]
    unsafe fn add(mut self, other: Self) -> Self {
        for (lane, other) in self.0.iter_mut().zip(other.0) {
            *lane += other;
        }
        self
    }

    #[inline(always)]
    unsafe fn fused(self, factor: Self, mut addend: Self) -> Self {
        for ((lane, a), b) in addend.0.iter_mut().zip(self.0).zip(factor.0) {
            *lane = a.mul_add(b, *lane);
        }
        addend
    }

    unsafe fn tile<const ROWS: usize, const COLUMNS: usize, const END: usize, const STEPS: u8, const KEEP: bool>(tile: &Tile) {
        // SAFETY: the caller's promise, passed on.
        unsafe { tile::compute::<Self, ROWS, COLUMNS, END, STEPS, KEEP>(tile) }
    }

    unsafe fn turn(tile: &Tile, c: *mut f32, sums: &Sums, rows: usize, columns: usize) {
        // SAFETY: the caller's promise, passed on.
        unsafe { tile::turn::<Self>(tile, c, sums, rows, columns) }
    }

    unsafe fn pack(panel: &Panel) {
        // SAFETY: the caller's promise, passed on.
        unsafe { pack::copy::<Self>(panel) }
    }

    unsafe fn gather_panel(panel: &Gathered) {
        // SAFETY: the caller's promise, passed on.
        unsafe { pack::gather_panel::<Self>(panel) }
    }

    #[inline(always)]
    unsafe fn transpose_8x8(from: *const f32, column: isize, to: *mut f32, row: usize) {
        for i in 0..8 {
            for j in 0..8 {
                // SAFETY: eight floats lie at each column and may be written at each row.
                unsafe { *to.add(i * row + j) = *from.offset(j as isize * column).add(i) }
            }
        }
    }
}
