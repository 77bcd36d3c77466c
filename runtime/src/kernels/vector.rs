//! What an instruction set must offer for the micro-kernel to be written once: a vector of floats with a fused multiply-add.
//!
//! A lane of a vector is one element of the output. Lanes never mix, so neither the number of lanes nor the shape of the tile
//! changes a bit of the result.

use super::pack::{Gathered, Panel};
use super::tile::{MOST_LANES, Sums, Tile};

/// Asks for the cache line at `from`, which may lie anywhere; one that is needed `LATER` comes into the second-level cache.
#[inline(always)]
pub(super) fn prefetch<const LATER: bool>(from: *const f32) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: every x86-64 has SSE, and a prefetch of no memory does nothing.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _MM_HINT_T1, _mm_prefetch};
        if LATER { _mm_prefetch::<_MM_HINT_T1>(from.cast()) } else { _mm_prefetch::<_MM_HINT_T0>(from.cast()) }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = from;
}

/// A vector of [`LANES`](Vector::LANES) floats of one instruction set.
///
/// Every method requires that the processor has the instruction set. Those that take a pointer require that the floats they
/// name are inside one allocation: `LANES` of them for [`load`](Vector::load) and [`store`](Vector::store), the lanes of the part
/// or the first `count` for the partial forms, which touch nothing else.
pub(super) trait Vector: Copy {
    /// Floats in a vector.
    const LANES: usize;

    /// Rows of the output that a tile holds in registers, at most [`MOST_ROWS`](super::tile::MOST_ROWS).
    const ROWS: usize;

    /// Vectors in a row of a tile of [`ROWS`](Vector::ROWS) at most: 2, or 3 where there are registers for it.
    const WIDEST: usize;

    /// Whether rows whose last columns fill half of a vector at most share it; see [`ends`](super::tile::ends).
    const SHARES: bool;

    /// The form in which the lanes of a partial vector are kept while a loop runs.
    type Part: Copy;

    /// The first `count` lanes, `count` in `0..=LANES`.
    unsafe fn part(count: usize) -> Self::Part;

    /// The lanes `first..end`, both in `0..=LANES`.
    unsafe fn between(first: usize, end: usize) -> Self::Part;

    /// All lanes +0.
    unsafe fn zero() -> Self;

    /// All lanes the float at `from`.
    unsafe fn splat(from: *const f32) -> Self;

    /// The floats at `from`.
    unsafe fn load(from: *const f32) -> Self;

    /// The floats at `from + lane` for the lanes of the part, +0 in the others.
    unsafe fn load_part(from: *const f32, part: Self::Part) -> Self;

    /// The floats at `from + lane` for the lanes of the part, `self` in the others.
    unsafe fn load_over(self, from: *const f32, part: Self::Part) -> Self;

    /// The floats at `from + lane` for the lanes of the part, which lies in the first `LANES / TIMES`, and +0 behind them; all of these
    /// `TIMES` times side by side. This and the next two by way of memory: sets whose rows share vectors have instructions for them.
    #[inline(always)]
    unsafe fn load_times<const TIMES: usize>(from: *const f32, part: Self::Part) -> Self {
        let mut lanes = [0.0; 2 * MOST_LANES];
        // SAFETY: the caller's promise; each store and the load lie in the array, which holds two vectors.
        unsafe {
            let once = Self::load_part(from, part);
            for time in 0..TIMES {
                once.store(lanes.as_mut_ptr().add(time * Self::LANES / TIMES));
            }
            Self::load(lanes.as_ptr())
        }
    }

    /// The lanes of the part from `other`, the others from `self`.
    #[inline(always)]
    unsafe fn over(self, other: Self, part: Self::Part) -> Self {
        let mut lanes = [0.0; MOST_LANES];
        // SAFETY: the caller's promise; a vector fits into the array.
        unsafe {
            other.store(lanes.as_mut_ptr());
            self.load_over(lanes.as_ptr(), part)
        }
    }

    /// Every lane moved down by `LANES / TIMES`; what the last ones are is not said.
    #[inline(always)]
    unsafe fn down<const TIMES: usize>(self) -> Self {
        let mut lanes = [0.0; 2 * MOST_LANES];
        // SAFETY: the caller's promise; the array holds two vectors.
        unsafe {
            self.store(lanes.as_mut_ptr());
            Self::load(lanes.as_ptr().add(Self::LANES / TIMES))
        }
    }

    /// The floats at `from + index[lane]`, for `LANES` indices.
    unsafe fn gather(from: *const f32, index: *const i32) -> Self;

    /// Writes all lanes to `to`.
    unsafe fn store(self, to: *mut f32);

    /// Writes the first `count` lanes to `to`.
    unsafe fn store_part(self, to: *mut f32, count: usize);

    /// `self + other`, lane by lane.
    unsafe fn add(self, other: Self) -> Self;

    /// `self * factor + addend` with one rounding, lane by lane.
    unsafe fn fused(self, factor: Self, addend: Self) -> Self;

    /// The micro-kernel, compiled for this instruction set; see [`tile::compute`](super::tile::compute).
    unsafe fn tile<const ROWS: usize, const COLUMNS: usize, const END: usize, const STEPS: u8, const KEEP: bool>(tile: &Tile);

    /// The sums of a turned tile written, compiled for this instruction set; see [`tile::turn`](super::tile::turn).
    unsafe fn turn(tile: &Tile, c: *mut f32, sums: &Sums, rows: usize, columns: usize);

    /// The copy into a panel, compiled for this instruction set; see [`pack::copy`](super::pack::copy).
    unsafe fn pack(panel: &Panel);

    /// The gathering of a panel, compiled for this instruction set; see [`pack::gather_panel`](super::pack::gather_panel).
    unsafe fn gather_panel(panel: &Gathered);

    /// Writes the 8×8 block whose column `j` lies at `from + j * column`, contiguous, as rows of eight at `to + i * row`.
    unsafe fn transpose_8x8(from: *const f32, column: isize, to: *mut f32, row: usize);
}
