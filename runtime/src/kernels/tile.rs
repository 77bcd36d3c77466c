//! The micro-kernel: one tile of the output, held in registers while `k` runs over one block.

use super::vector::{Vector, prefetch};

/// Most rows of any instruction set's tile.
pub(super) const MOST_ROWS: usize = 8;

/// Most vectors in a row of a tile.
pub(super) const MOST_COLUMNS: usize = 4;

/// Steps by which a tile that copies `B` asks for it ahead: the copy is the first to read it, along rows that lie far apart.
const KEEP_AHEAD: isize = 24;

/// Steps of `k` behind which a line of `C` that was asked for has come.
const LONG: usize = 256;

/// One tile of one block of `k`: for every row `i` and lane `j`,
/// `chain = fma(A[i, k-1], B[k-1, j], … fma(A[i, 0], B[0, j], +0))`, then `C = chain`, or `C = C + chain` with `add`.
///
/// `A[i, p]` lies at `a[i] + p * a_k`, or at `a[i] + table[p] * a_k` where the table is used. `B[p, j]` lies at
/// `b + p * b_k + j`, `C[i, j]` at `c + i * c_row + j`.
pub(super) struct Tile {
    pub a: [*const f32; MOST_ROWS],
    pub a_k: isize,
    pub table: *const u32,
    pub b: *const f32,
    pub b_k: isize,
    /// Where the keeping form copies `B` as it reads it: step `p` to `keep + p * keep_k`, in whole vectors. Null for other forms.
    pub keep: *mut f32,
    pub keep_k: usize,
    pub c: *mut f32,
    pub c_row: isize,
    pub k: usize,
    /// Lanes of the last vector of each row, used by the partial form.
    pub lanes: usize,
    pub add: bool,
}

/// Computes `ROWS` rows of `COLUMNS` vectors; with `PARTIAL` only the first [`lanes`](Tile::lanes) lanes of the last vector.
///
/// # Safety
/// The processor has the instruction set of `V`, every element the tile names can be read (of `C`: also written), `C` overlaps
/// neither operand, `ROWS <= MOST_ROWS`, `table` holds `k` entries if `TABLE`, and the copy of
/// `B` may be written if `KEEP`.
#[inline(always)]
pub(super) unsafe fn compute<
    V: Vector,
    const ROWS: usize,
    const COLUMNS: usize,
    const PARTIAL: bool,
    const TABLE: bool,
    const KEEP: bool,
>(
    tile: &Tile,
) {
    // SAFETY: the caller's promise is that of every method used here. The pointers formed are those of elements the tile names:
    // vectors before the last are whole, the last is partial where `PARTIAL` says so.
    unsafe {
        let part = V::part(tile.lanes);
        let is_partial = |column: usize| PARTIAL && column + 1 == COLUMNS;
        let mut chain = [[V::zero(); COLUMNS]; ROWS];
        let mut b = tile.b;
        if tile.k >= LONG {
            for row in 0..ROWS {
                for column in 0..COLUMNS {
                    prefetch::<false>(tile.c.wrapping_offset(row as isize * tile.c_row).wrapping_add(column * V::LANES));
                }
            }
        }
        for p in 0..tile.k {
            step::<V, ROWS, COLUMNS, PARTIAL, TABLE, KEEP>(tile, p, b, part, &mut chain);
            // The step after the last would leave the allocation.
            b = b.wrapping_offset(tile.b_k);
        }
        for (row, chain) in chain.into_iter().enumerate() {
            let c = tile.c.offset(row as isize * tile.c_row);
            for (column, mut sum) in chain.into_iter().enumerate() {
                let c = c.add(column * V::LANES);
                if is_partial(column) {
                    if tile.add {
                        sum = V::load_part(c, part).add(sum);
                    }
                    sum.store_part(c, tile.lanes);
                } else {
                    if tile.add {
                        sum = V::load(c).add(sum);
                    }
                    sum.store(c);
                }
            }
        }
    }
}

/// One step of `k`: every chain takes in its product.
#[inline(always)]
unsafe fn step<V: Vector, const ROWS: usize, const COLUMNS: usize, const PARTIAL: bool, const TABLE: bool, const KEEP: bool>(
    tile: &Tile,
    p: usize,
    b: *const f32,
    part: V::Part,
    chain: &mut [[V; COLUMNS]; ROWS],
) {
    // SAFETY: as in `compute`, whose step this is.
    unsafe {
        let offset = if TABLE { *tile.table.add(p) as isize } else { p as isize } * tile.a_k;
        let mut row_of_b = [V::zero(); COLUMNS];
        for (column, vector) in row_of_b.iter_mut().enumerate() {
            let from = b.add(column * V::LANES);
            *vector = if PARTIAL && column + 1 == COLUMNS { V::load_part(from, part) } else { V::load(from) };
        }
        if KEEP {
            for column in 0..COLUMNS {
                prefetch::<false>(b.wrapping_offset(KEEP_AHEAD * tile.b_k).wrapping_add(column * V::LANES));
            }
            let keep = tile.keep.add(p * tile.keep_k);
            for (column, vector) in row_of_b.iter().enumerate() {
                vector.store(keep.add(column * V::LANES));
            }
        }
        for (chain, a) in chain.iter_mut().zip(tile.a) {
            let factor = V::splat(a.offset(offset));
            for (chain, &vector) in chain.iter_mut().zip(&row_of_b) {
                *chain = factor.fused(vector, *chain);
            }
        }
    }
}
