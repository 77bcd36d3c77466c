//! The micro-kernel: one tile of the output, held in registers while `k` runs over one block.

use std::hint::black_box;
use std::mem::MaybeUninit;

use super::vector::{Vector, prefetch};

/// Most rows of any instruction set's tile.
pub(super) const MOST_ROWS: usize = 8;

/// Most vectors in a row of a tile.
pub(super) const MOST_COLUMNS: usize = 4;

/// Rows from which on rows share vectors.
const TALL: usize = 5;

/// Most floats in a vector.
pub(super) const MOST_LANES: usize = 16;

/// The sums of a tile, a row of them for each row of the tile.
pub(super) type Sums = [[MaybeUninit<f32>; MOST_COLUMNS * MOST_LANES]; MOST_ROWS];

/// Steps by which a tile that copies `B` asks for it ahead: the copy is the first to read it, along rows that lie far apart.
const KEEP_AHEAD: isize = 24;

/// Steps of `k` behind which a line of `C` that was asked for has come.
const LONG: usize = 64;

/// What the last vector of a row holds.
///
/// A vector of which few lanes are columns costs as many multiply-adds as a full one. Where the columns fill a quarter or half of it,
/// one vector takes in those of four or two rows: their words of `B` stand in it four or two times, and the factors are blended from
/// those that the rows' other vectors are multiplied by. Each element's chain is what it was.
pub(super) mod ends {
    /// As many columns as lanes.
    pub const WHOLE: usize = 0;
    /// Fewer columns than lanes, of one row. From here on the number is that of the rows.
    pub const ALONE: usize = 1;
    /// Columns of two rows, half of the lanes for each.
    pub const TWO_ROWS: usize = 2;
    /// Columns of four rows, a quarter of the lanes for each.
    pub const FOUR_ROWS: usize = 4;
}

/// How the steps of a tile's left operand are found.
pub(super) mod steps {
    /// One after the other.
    pub const EVEN: u8 = 0;
    /// By numbers in a table.
    pub const NUMBERS: u8 = 1;
    /// By places in a table.
    pub const PLACES: u8 = 2;
    /// One after the other, and in each the rows lie side by side: one address serves them all.
    pub const SIDE_BY_SIDE: u8 = 3;
    /// Those of a row lie side by side.
    pub const ALONG: u8 = 4;
}

/// Tiles that are computed by one call, one behind another: how many, and how far from each the elements of the next one lie. To find a tile
/// takes as long as some steps of its sums.
#[derive(Clone, Copy)]
pub(super) struct Strip {
    pub tiles: usize,
    pub a: isize,
    pub b: isize,
    pub c: isize,
}

impl Strip {
    /// A single tile.
    pub const ALONE: Self = Self { tiles: 1, a: 0, b: 0, c: 0 };
}

/// Tiles of one block of `k`. In the first one, for every row `i` and lane `j`,
/// `chain = fma(A[i, k-1], B[k-1, j], … fma(A[i, 0], B[0, j], +0))`, then `C = chain`, or `C = C + chain` with `add`.
///
/// `A[i, p]` lies at `a[i] + p * a_k`, or at `a[i] + table[p] * a_k` or `a[i] + places[p]` where a table is used. `B[p, j]` lies at
/// `b + p * b_k + j`, `C[i, j]` at `c + i * c_row + j`, or at `c + j * c_row + i` where the tile is `turned`.
pub(super) struct Tile {
    pub a: [*const f32; MOST_ROWS],
    pub a_k: isize,
    /// How the steps of these rows are found, one of [`steps`].
    pub steps: u8,
    pub table: *const u32,
    pub places: *const i32,
    pub b: *const f32,
    pub b_k: isize,
    /// Where the keeping form copies `B` as it reads it: step `p` to `keep + p * keep_k`, in whole vectors. Null for other forms.
    pub keep: *mut f32,
    pub keep_k: usize,
    pub c: *mut f32,
    pub c_row: isize,
    pub turned: bool,
    /// The tiles behind the first one.
    pub strip: Strip,
    pub k: usize,
    /// Columns in the last vector of each row.
    pub lanes: usize,
    pub add: bool,
}

/// Computes tiles of `ROWS` rows and `COLUMNS` vectors, of which the last is as [`END`](ends) says and has the first [`lanes`](Tile::lanes)
/// columns only, unless it is whole. Where rows share their last vector, it is that of the first of them.
///
/// # Safety
/// The processor has the instruction set of `V`, every element the tiles name can be read (of `C`: also written), `C` overlaps
/// neither operand, `ROWS <= MOST_ROWS`, the table that `STEPS` names holds `k` entries, `lanes * END <= LANES`, no turned tile has rows
/// that share, and the copy of `B` may be written if `KEEP`.
#[inline(always)]
pub(super) unsafe fn compute<
    V: Vector,
    const ROWS: usize,
    const COLUMNS: usize,
    const END: usize,
    const STEPS: u8,
    const KEEP: bool,
>(
    tile: &Tile,
) {
    // SAFETY: the caller's promise is that of every method used here.
    unsafe {
        let (part, shares) = (V::part(tile.lanes), shares::<V, END>());
        for index in 0..tile.strip.tiles as isize {
            let a = std::array::from_fn(|row| tile.a[row].wrapping_offset(index * tile.strip.a));
            let b = tile.b.wrapping_offset(index * tile.strip.b);
            let c = tile.c.wrapping_offset(index * tile.strip.c);
            one::<V, ROWS, COLUMNS, END, STEPS, KEEP>(tile, &a, b, c, part, &shares);
        }
    }
}

/// One of the tiles, whose operands and result begin at these places.
#[inline(always)]
unsafe fn one<V: Vector, const ROWS: usize, const COLUMNS: usize, const END: usize, const STEPS: u8, const KEEP: bool>(
    tile: &Tile,
    a: &[*const f32; ROWS],
    mut b: *const f32,
    c: *mut f32,
    part: V::Part,
    shares: &[V::Part; END],
) {
    // SAFETY: as in `compute`, one of whose tiles this is. The pointers formed are those of elements the tile names: vectors before the last are
    // whole, and so is the last where `END` says so.
    unsafe {
        let mut chain = [[V::zero(); COLUMNS]; ROWS];
        if tile.k >= LONG && !tile.turned {
            for row in 0..ROWS {
                for column in 0..COLUMNS {
                    prefetch::<false>(c.wrapping_offset(row as isize * tile.c_row).wrapping_add(column * V::LANES));
                }
            }
        }
        let pairs = if in_pairs::<V, ROWS, COLUMNS, STEPS, KEEP>() { tile.k / 2 } else { 0 };
        for pair in 0..pairs {
            step::<V, ROWS, COLUMNS, END, STEPS, KEEP>(tile, 2 * pair, a, b, part, shares, &mut chain);
            let second = b.wrapping_offset(tile.b_k);
            step::<V, ROWS, COLUMNS, END, STEPS, KEEP>(tile, 2 * pair + 1, a, second, part, shares, &mut chain);
            b = b.wrapping_offset(2 * tile.b_k);
        }
        for p in 2 * pairs..tile.k {
            step::<V, ROWS, COLUMNS, END, STEPS, KEEP>(tile, p, a, b, part, shares, &mut chain);
            // The step after the last would leave the allocation.
            b = b.wrapping_offset(tile.b_k);
        }
        if END <= ends::ALONE && tile.turned {
            let mut sums: Sums = [[MaybeUninit::uninit(); MOST_COLUMNS * MOST_LANES]; MOST_ROWS];
            for (row, sums) in sums.iter_mut().enumerate() {
                // What no row fills is transposed along, and not written.
                let chain = chain.get(row).copied().unwrap_or([V::zero(); COLUMNS]);
                for (column, sum) in chain.into_iter().enumerate() {
                    sum.store(sums.as_mut_ptr().cast::<f32>().add(column * V::LANES));
                }
            }
            return V::turn(tile, c, &sums, ROWS, (COLUMNS - 1) * V::LANES + tile.lanes);
        }
        if END > ends::ALONE {
            for row in 1..ROWS {
                if row % END > 0 {
                    chain[row][COLUMNS - 1] = chain[row - 1][COLUMNS - 1].down::<END>();
                }
            }
        }
        for (row, chain) in chain.into_iter().enumerate() {
            let c = c.offset(row as isize * tile.c_row);
            for (column, mut sum) in chain.into_iter().enumerate() {
                let c = c.add(column * V::LANES);
                if column + 1 < COLUMNS || END == ends::WHOLE {
                    if tile.add {
                        sum = V::load(c).add(sum);
                    }
                    sum.store(c);
                } else {
                    if tile.add {
                        sum = V::load_part(c, part).add(sum);
                    }
                    sum.store_part(c, tile.lanes);
                }
            }
        }
    }
}

/// Whether steps are taken two by two. What counts them takes up the decoder, which a core that runs two threads at once, as those that are rented
/// do, has for every other cycle only: on a Golden Cove core whose other thread was busy, tiles of 8×48 in pairs reached 147 GFLOP/s, one by one 134, those of
/// 8×32 one by one 117; with the core to themselves all are within 3 %.
const fn in_pairs<V: Vector, const ROWS: usize, const COLUMNS: usize, const STEPS: u8, const KEEP: bool>() -> bool {
    ROWS == V::ROWS && COLUMNS > 1 && !KEEP && matches!(STEPS, steps::ALONG | steps::SIDE_BY_SIDE)
}

/// The lanes of each row that shares a vector. The compiler is not to know them: it would make three shuffles of what is one masked move.
#[inline(always)]
unsafe fn shares<V: Vector, const END: usize>() -> [V::Part; END] {
    std::array::from_fn(|place| {
        // SAFETY: the caller's promise, and all `END` rows fit into a vector.
        let lanes = unsafe { V::between(place * V::LANES / END, (place + 1) * V::LANES / END) };
        if END > ends::ALONE { black_box(lanes) } else { lanes }
    })
}

/// One step of `k`: every chain takes in its product.
#[inline(always)]
unsafe fn step<V: Vector, const ROWS: usize, const COLUMNS: usize, const END: usize, const STEPS: u8, const KEEP: bool>(
    tile: &Tile,
    p: usize,
    a: &[*const f32; ROWS],
    b: *const f32,
    part: V::Part,
    shares: &[V::Part; END],
    chain: &mut [[V; COLUMNS]; ROWS],
) {
    // SAFETY: as in `one`, whose step this is.
    unsafe {
        let offset = match STEPS {
            steps::PLACES => *tile.places.add(p) as isize,
            steps::NUMBERS => *tile.table.add(p) as isize * tile.a_k,
            steps::ALONG => p as isize,
            _ => p as isize * tile.a_k,
        };
        let mut row_of_b = [V::zero(); COLUMNS];
        for (column, vector) in row_of_b.iter_mut().enumerate() {
            let from = b.add(column * V::LANES);
            *vector = match END {
                _ if column + 1 < COLUMNS => V::load(from),
                ends::WHOLE => V::load(from),
                ends::ALONE => V::load_part(from, part),
                _ => V::load_times::<END>(from, part),
            };
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
        let own = if END > ends::ALONE { COLUMNS - 1 } else { COLUMNS };
        let mut factors = V::zero();
        for row in 0..ROWS {
            let factor =
                V::splat(if STEPS == steps::SIDE_BY_SIDE { a[0].offset(offset).add(row) } else { a[row].offset(offset) });
            for (chain, &vector) in chain[row][..own].iter_mut().zip(&row_of_b) {
                *chain = factor.fused(vector, *chain);
            }
            if END > ends::ALONE {
                let place = row % END;
                factors = if place == 0 { factor } else { factors.over(factor, shares[place]) };
                if place + 1 == END || row + 1 == ROWS {
                    let sum = &mut chain[row - place][own];
                    *sum = factors.fused(row_of_b[own], *sum);
                }
            }
        }
    }
}

/// Writes the sums of a turned tile of `rows` rows and `columns` columns to `C` from `c` on, which has them as columns and rows.
///
/// # Safety
/// The processor has the instruction set of `V`, `C` can be read and written at these elements, and whole vectors of sums are there for
/// these columns in all rows.
#[inline(always)]
pub(super) unsafe fn turn<V: Vector>(tile: &Tile, c: *mut f32, sums: &Sums, rows: usize, columns: usize) {
    for first in (0..columns).step_by(8) {
        let mut block = [[0.0; MOST_ROWS]; 8];
        // SAFETY: eight columns lie in the same vector, and the block has eight rows of eight; `C` is the caller's.
        unsafe {
            V::transpose_8x8(
                sums.as_ptr().cast::<f32>().add(first),
                (MOST_COLUMNS * MOST_LANES) as isize,
                block.as_mut_ptr().cast(),
                8,
            );
            for (column, sums) in block.iter().enumerate().take(columns - first) {
                let c = c.offset((first + column) as isize * tile.c_row);
                if rows == MOST_ROWS {
                    let c = c.cast::<[f32; MOST_ROWS]>();
                    let before = if tile.add { c.read_unaligned() } else { [0.0; MOST_ROWS] };
                    let after = std::array::from_fn(|row| if tile.add { before[row] + sums[row] } else { sums[row] });
                    c.write_unaligned(after);
                    continue;
                }
                for (row, &sum) in sums.iter().enumerate().take(rows) {
                    let c = c.add(row);
                    *c = if tile.add { *c + sum } else { sum };
                }
            }
        }
    }
}

/// Runs the widest tiles that `left` columns fill, and gives the number of columns they computed; four vectors are left for two rows at most.
///
/// # Safety
/// As for [`compute`].
pub(super) unsafe fn run<V: Vector>(tile: &mut Tile, rows: usize, left: usize) -> usize {
    let vectors = match left.div_ceil(V::LANES) {
        3 if V::WIDEST < 3 => 2,
        vectors => vectors.min(MOST_COLUMNS),
    };
    let done = left.min(vectors * V::LANES);
    tile.lanes = V::LANES - (vectors * V::LANES - done);
    // SAFETY: the caller's promise, and rows share where their columns fit into the lanes.
    unsafe {
        match end::<V>(tile, rows, vectors) {
            ends::WHOLE => form::<V, { ends::WHOLE }>(tile, rows, vectors),
            ends::TWO_ROWS => form::<V, { ends::TWO_ROWS }>(tile, rows, vectors),
            ends::FOUR_ROWS => form::<V, { ends::FOUR_ROWS }>(tile, rows, vectors),
            _ => form::<V, { ends::ALONE }>(tile, rows, vectors),
        }
    }
    done
}

/// What the last vectors hold. A single vector in a row is not shared: so few sums would wait for one another.
fn end<V: Vector>(tile: &Tile, rows: usize, vectors: usize) -> usize {
    let shares = V::SHARES && rows >= TALL && vectors > 1 && !tile.turned;
    match tile.lanes {
        lanes if lanes == V::LANES => ends::WHOLE,
        lanes if shares && lanes <= V::LANES / ends::FOUR_ROWS => ends::FOUR_ROWS,
        lanes if shares && lanes <= V::LANES / ends::TWO_ROWS => ends::TWO_ROWS,
        _ => ends::ALONE,
    }
}

/// Runs the tile of `rows` rows and `vectors` vectors in the form that its operands ask for.
#[inline(always)]
unsafe fn form<V: Vector, const END: usize>(tile: &Tile, rows: usize, vectors: usize) {
    use steps::{ALONG, EVEN, NUMBERS, PLACES, SIDE_BY_SIDE};
    // What has a form for whole tiles only goes through the others by its addresses and steps.
    let steps = match tile.steps {
        ALONG | SIDE_BY_SIDE if rows < V::ROWS || vectors == 1 || !tile.keep.is_null() => EVEN,
        steps => steps,
    };
    // SAFETY: the caller's promise.
    unsafe {
        match (steps, tile.keep.is_null()) {
            (EVEN, true) => select::<V, END, EVEN, false>(tile, rows, vectors),
            (EVEN, false) => select::<V, END, EVEN, true>(tile, rows, vectors),
            (NUMBERS, true) => select::<V, END, NUMBERS, false>(tile, rows, vectors),
            (NUMBERS, false) => select::<V, END, NUMBERS, true>(tile, rows, vectors),
            (PLACES, true) => select::<V, END, PLACES, false>(tile, rows, vectors),
            (PLACES, false) => select::<V, END, PLACES, true>(tile, rows, vectors),
            (SIDE_BY_SIDE, _) => select::<V, END, SIDE_BY_SIDE, false>(tile, rows, vectors),
            _ => select::<V, END, ALONG, false>(tile, rows, vectors),
        }
    }
}

/// Whether there are tiles of so many rows and vectors.
const fn is_compiled<V: Vector, const STEPS: u8>(rows: usize, vectors: usize) -> bool {
    let fits = rows <= V::ROWS && (vectors != 3 || V::WIDEST >= 3);
    let is_whole = rows == V::ROWS && vectors > 1;
    fits && (is_whole || !matches!(STEPS, steps::ALONG | steps::SIDE_BY_SIDE))
}

/// Runs the tile of `rows` rows and `vectors` vectors.
#[inline(always)]
unsafe fn select<V: Vector, const END: usize, const STEPS: u8, const KEEP: bool>(tile: &Tile, rows: usize, vectors: usize) {
    macro_rules! kernel {
        ($($rows:literal x $vectors:literal)*) => {
            match (rows, vectors) {
                // SAFETY: the caller's promise. What the instruction set has no tiles of is not compiled.
                $(($rows, $vectors) if is_compiled::<V, STEPS>($rows, $vectors) => unsafe {
                    V::tile::<$rows, $vectors, END, STEPS, KEEP>(tile)
                },)*
                _ => {}
            }
        };
    }
    if END <= ends::ALONE {
        kernel!(1 x 1 2 x 1 3 x 1 4 x 1 5 x 1 6 x 1 7 x 1 8 x 1
                1 x 2 2 x 2 3 x 2 4 x 2 5 x 2 6 x 2 7 x 2 8 x 2
                1 x 3 2 x 3 3 x 3 4 x 3 5 x 3 6 x 3 7 x 3 8 x 3
                1 x 4 2 x 4)
    } else if V::SHARES && STEPS != steps::PLACES {
        kernel!(5 x 2 6 x 2 7 x 2 8 x 2
                5 x 3 6 x 3 7 x 3 8 x 3)
    }
}
