//! AVX2 and FMA: eight lanes, tiles of 6×16 in twelve of the sixteen registers.

use std::arch::x86_64::*;

use super::pack::{self, Gathered, Panel};
use super::tile::{self, Sums, Tile};
use super::vector::Vector;

/// Eight floats in a YMM register.
#[derive(Clone, Copy)]
pub(super) struct Avx2(__m256);

/// Eight ones followed by eight zeros: eight words read `8 - count` words in select the first `count` lanes.
static SELECT: [i32; 16] = [-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0];

// SAFETY of every block below: the contract of `Vector` gives the instruction set and the floats behind the pointers.
impl Vector for Avx2 {
    const LANES: usize = 8;
    const ROWS: usize = 6;
    const WIDEST: usize = 2;
    /// Six rows of two vectors wait for their sums: measured on Zen 5, ten columns took as long with the last two shared.
    const SHARES: bool = false;
    type Part = __m256i;

    #[inline(always)]
    unsafe fn part(count: usize) -> __m256i {
        let start = 8 - count.min(8);
        // SAFETY: `start <= 8`, so the eight words read are inside the table.
        unsafe { _mm256_loadu_si256(SELECT.as_ptr().add(start).cast()) }
    }

    #[inline(always)]
    unsafe fn between(first: usize, end: usize) -> __m256i {
        // SAFETY: the processor has AVX2.
        unsafe { _mm256_andnot_si256(Self::part(first), Self::part(end)) }
    }

    #[inline(always)]
    unsafe fn zero() -> Self {
        // SAFETY: the processor has AVX.
        Self(unsafe { _mm256_setzero_ps() })
    }

    #[inline(always)]
    unsafe fn splat(from: *const f32) -> Self {
        // SAFETY: the processor has AVX, and one float lies at `from`.
        Self(unsafe { _mm256_broadcast_ss(&*from) })
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the processor has AVX, and eight floats lie at `from`.
        Self(unsafe { _mm256_loadu_ps(from) })
    }

    #[inline(always)]
    unsafe fn load_part(from: *const f32, part: __m256i) -> Self {
        // SAFETY: the processor has AVX, and lanes outside the mask are not read.
        Self(unsafe { _mm256_maskload_ps(from, part) })
    }

    #[inline(always)]
    unsafe fn load_over(self, from: *const f32, part: __m256i) -> Self {
        // SAFETY: the processor has AVX, and lanes outside the mask are not read.
        Self(unsafe { _mm256_blendv_ps(self.0, _mm256_maskload_ps(from, part), _mm256_castsi256_ps(part)) })
    }

    #[inline(always)]
    unsafe fn gather(from: *const f32, index: *const i32) -> Self {
        // SAFETY: the processor has AVX2, eight indices lie at `index`, and a float at each of the places that they name.
        Self(unsafe { _mm256_i32gather_ps::<4>(from, _mm256_loadu_si256(index.cast())) })
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the processor has AVX, and eight floats may be written at `to`.
        unsafe { _mm256_storeu_ps(to, self.0) }
    }

    /// Stores of 4, 2 and 1 lanes: `vmaskmovps` to memory is 42 micro-operations on AMD's Zen 3.
    #[inline(always)]
    unsafe fn store_part(self, mut to: *mut f32, count: usize) {
        // SAFETY: the processor has AVX, and the bits of `count < 8` add up to the `count` floats that may be written at `to`.
        unsafe {
            if count >= 8 {
                return self.store(to);
            }
            let mut rest = _mm256_castps256_ps128(self.0);
            if count & 4 != 0 {
                _mm_storeu_ps(to, rest);
                rest = _mm256_extractf128_ps(self.0, 1);
                to = to.add(4);
            }
            if count & 2 != 0 {
                _mm_storel_epi64(to.cast(), _mm_castps_si128(rest));
                rest = _mm_movehl_ps(rest, rest);
                to = to.add(2);
            }
            if count & 1 != 0 {
                _mm_store_ss(to, rest);
            }
        }
    }

    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        // SAFETY: the processor has AVX.
        Self(unsafe { _mm256_add_ps(self.0, other.0) })
    }

    #[inline(always)]
    unsafe fn fused(self, factor: Self, addend: Self) -> Self {
        // SAFETY: the processor has FMA.
        Self(unsafe { _mm256_fmadd_ps(self.0, factor.0, addend.0) })
    }

    #[target_feature(enable = "avx2,fma")]
    unsafe fn tile<const ROWS: usize, const COLUMNS: usize, const END: usize, const STEPS: u8, const KEEP: bool>(tile: &Tile) {
        // SAFETY: the caller's promise, passed on.
        unsafe { tile::compute::<Self, ROWS, COLUMNS, END, STEPS, KEEP>(tile) }
    }

    #[target_feature(enable = "avx2,fma")]
    unsafe fn turn(tile: &Tile, c: *mut f32, sums: &Sums, rows: usize, columns: usize) {
        // SAFETY: the caller's promise, passed on.
        unsafe { tile::turn::<Self>(tile, c, sums, rows, columns) }
    }

    #[target_feature(enable = "avx2,fma")]
    unsafe fn pack(panel: &Panel) {
        // SAFETY: the caller's promise, passed on.
        unsafe { pack::copy::<Self>(panel) }
    }

    #[target_feature(enable = "avx2,fma")]
    unsafe fn gather_panel(panel: &Gathered) {
        // SAFETY: the caller's promise, passed on.
        unsafe { pack::gather_panel::<Self>(panel) }
    }

    #[inline(always)]
    unsafe fn transpose_8x8(from: *const f32, column: isize, to: *mut f32, row: usize) {
        // SAFETY: eight floats lie at each of the eight columns and may be written at each of the eight rows.
        unsafe { transpose_8x8(from, column, to, row) }
    }
}

/// The transpose of [`Vector::transpose_8x8`], which AVX-512 shares: half columns are paired by the load, so that two rounds of
/// shuffles remain.
///
/// # Safety
/// The processor has AVX, and the block can be read and written.
#[inline(always)]
pub(super) unsafe fn transpose_8x8(from: *const f32, column: isize, to: *mut f32, row: usize) {
    // SAFETY: four floats at `from + j * column + 4 * half` are inside column `j`; row `i < 8` takes eight floats.
    unsafe {
        for half in 0..2_usize {
            // Lane block 0 of `pair(j)` is rows `4 * half ..` of column j, lane block 1 those of column j + 4.
            let pair = |j: isize| {
                let low = from.offset(j * column).add(4 * half);
                let high = from.offset((j + 4) * column).add(4 * half);
                _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(low)), _mm_loadu_ps(high), 1)
            };
            let (a, b, c, d) = (pair(0), pair(1), pair(2), pair(3));
            let (ab_low, ab_high) = (_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b));
            let (cd_low, cd_high) = (_mm256_unpacklo_ps(c, d), _mm256_unpackhi_ps(c, d));
            let to = to.add(4 * half * row);
            _mm256_storeu_ps(to, _mm256_shuffle_ps(ab_low, cd_low, 0x44));
            _mm256_storeu_ps(to.add(row), _mm256_shuffle_ps(ab_low, cd_low, 0xEE));
            _mm256_storeu_ps(to.add(2 * row), _mm256_shuffle_ps(ab_high, cd_high, 0x44));
            _mm256_storeu_ps(to.add(3 * row), _mm256_shuffle_ps(ab_high, cd_high, 0xEE));
        }
    }
}
