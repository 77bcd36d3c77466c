//! AVX-512: sixteen lanes, tiles of 8×48 in twenty-four of the thirty-two registers. Eight rows keep all their addresses in general registers, and divide
//! the heights that batches have.

use std::arch::x86_64::*;

use super::avx2;
use super::pack::{self, Gathered, Panel};
use super::tile::{self, Sums, Tile};
use super::vector::Vector;

/// Sixteen floats in a ZMM register.
#[derive(Clone, Copy)]
pub(super) struct Avx512(__m512);

/// The mask of the first `count` lanes.
#[inline(always)]
fn first(count: usize) -> __mmask16 {
    ((1_u32 << count.min(16)) - 1) as __mmask16
}

impl Vector for Avx512 {
    const LANES: usize = 16;
    const ROWS: usize = 8;
    const WIDEST: usize = 3;
    const SHARES: bool = true;
    type Part = __mmask16;

    #[inline(always)]
    unsafe fn part(count: usize) -> __mmask16 {
        first(count)
    }

    #[inline(always)]
    unsafe fn between(start: usize, end: usize) -> __mmask16 {
        first(end) & !first(start)
    }

    #[inline(always)]
    unsafe fn zero() -> Self {
        // SAFETY: the processor has AVX-512F.
        Self(unsafe { _mm512_setzero_ps() })
    }

    #[inline(always)]
    unsafe fn splat(from: *const f32) -> Self {
        // SAFETY: the processor has AVX-512F, and one float lies at `from`.
        Self(unsafe { _mm512_set1_ps(*from) })
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the processor has AVX-512F, and sixteen floats lie at `from`.
        Self(unsafe { _mm512_loadu_ps(from) })
    }

    #[inline(always)]
    unsafe fn load_part(from: *const f32, part: __mmask16) -> Self {
        // SAFETY: the processor has AVX-512F, and lanes outside the mask are not read.
        Self(unsafe { _mm512_maskz_loadu_ps(part, from) })
    }

    #[inline(always)]
    unsafe fn load_over(self, from: *const f32, part: __mmask16) -> Self {
        // SAFETY: as for `load_part`.
        Self(unsafe { _mm512_mask_loadu_ps(self.0, part, from) })
    }

    #[inline(always)]
    unsafe fn load_times<const TIMES: usize>(from: *const f32, part: __mmask16) -> Self {
        // SAFETY: a processor with AVX-512 as it is asked for here has AVX-512VL and DQ, and lanes outside the mask are not read.
        Self(unsafe {
            match TIMES {
                4 => _mm512_broadcast_f32x4(_mm_maskz_loadu_ps(part as __mmask8, from)),
                _ => _mm512_broadcast_f32x8(_mm256_maskz_loadu_ps(part as __mmask8, from)),
            }
        })
    }

    #[inline(always)]
    unsafe fn over(self, other: Self, part: __mmask16) -> Self {
        // SAFETY: the processor has AVX-512F.
        Self(unsafe { _mm512_mask_blend_ps(part, self.0, other.0) })
    }

    #[inline(always)]
    unsafe fn down<const TIMES: usize>(self) -> Self {
        // SAFETY: the processor has AVX-512F.
        Self(unsafe {
            match TIMES {
                4 => _mm512_shuffle_f32x4::<0b11_11_10_01>(self.0, self.0),
                _ => _mm512_shuffle_f32x4::<0b11_10_11_10>(self.0, self.0),
            }
        })
    }

    #[inline(always)]
    unsafe fn gather(from: *const f32, index: *const i32) -> Self {
        // SAFETY: the processor has AVX-512F, sixteen indices lie at `index`, and a float at each of the places that they name.
        Self(unsafe { _mm512_i32gather_ps::<4>(_mm512_loadu_si512(index.cast()), from) })
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the processor has AVX-512F, and sixteen floats may be written at `to`.
        unsafe { _mm512_storeu_ps(to, self.0) }
    }

    #[inline(always)]
    unsafe fn store_part(self, to: *mut f32, count: usize) {
        // SAFETY: the processor has AVX-512F, and lanes outside the mask are not written.
        unsafe { _mm512_mask_storeu_ps(to, first(count), self.0) }
    }

    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        // SAFETY: the processor has AVX-512F.
        Self(unsafe { _mm512_add_ps(self.0, other.0) })
    }

    #[inline(always)]
    unsafe fn fused(self, factor: Self, addend: Self) -> Self {
        // SAFETY: the processor has AVX-512F.
        Self(unsafe { _mm512_fmadd_ps(self.0, factor.0, addend.0) })
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx2,fma")]
    unsafe fn tile<const ROWS: usize, const COLUMNS: usize, const END: usize, const STEPS: u8, const KEEP: bool>(tile: &Tile) {
        // SAFETY: the caller's promise, passed on.
        unsafe { tile::compute::<Self, ROWS, COLUMNS, END, STEPS, KEEP>(tile) }
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx2,fma")]
    unsafe fn turn(tile: &Tile, c: *mut f32, sums: &Sums, rows: usize, columns: usize) {
        // SAFETY: the caller's promise, passed on.
        unsafe { tile::turn::<Self>(tile, c, sums, rows, columns) }
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx2,fma")]
    unsafe fn pack(panel: &Panel) {
        // SAFETY: the caller's promise, passed on.
        unsafe { pack::copy::<Self>(panel) }
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx2,fma")]
    unsafe fn gather_panel(panel: &Gathered) {
        // SAFETY: the caller's promise, passed on.
        unsafe { pack::gather_panel::<Self>(panel) }
    }

    #[inline(always)]
    unsafe fn transpose_8x8(from: *const f32, column: isize, to: *mut f32, row: usize) {
        // SAFETY: a processor with AVX-512 has AVX; the block is the caller's.
        unsafe { avx2::transpose_8x8(from, column, to, row) }
    }
}
