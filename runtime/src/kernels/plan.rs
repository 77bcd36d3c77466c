//! What to copy and in which order to walk: decisions that change the time of a product and none of its bits.

use std::sync::OnceLock;

use gradc_compiler::abi::COPIED_FLOATS;

use super::vector::Vector;

/// Floats of one block of the right operand.
pub(super) const BLOCK_OF_B: usize = COPIED_FLOATS;

/// Most floats of one block of the left operand: half of a second-level cache of 1 MiB.
pub(super) const MOST_BLOCK_OF_A: usize = 128 * 1024;

/// Most floats of one where the second-level cache is smaller.
const SMALL_BLOCK_OF_A: usize = MOST_BLOCK_OF_A / 4;

/// Floats of one block of the left operand on this processor: half of the second-level cache where a block of the right operand fits
/// beside it twice, else a quarter.
fn block_of_a() -> usize {
    static FLOATS: OnceLock<usize> = OnceLock::new();
    *FLOATS.get_or_init(|| if second_level_cache() >= 1 << 20 { MOST_BLOCK_OF_A } else { SMALL_BLOCK_OF_A })
}

/// Bytes of the second-level cache, 512 KiB where the processor does not say.
fn second_level_cache() -> usize {
    #[cfg(target_arch = "x86_64")]
    // Leaf 0x8000_0006 is the same on all x86-64 makers: kibibytes in the upper half of ECX.
    let kibibytes = if std::arch::x86_64::__cpuid(0x8000_0000).eax >= 0x8000_0006 {
        (std::arch::x86_64::__cpuid(0x8000_0006).ecx >> 16) as usize
    } else {
        0
    };
    #[cfg(not(target_arch = "x86_64"))]
    let kibibytes = 0;
    if kibibytes == 0 { 512 << 10 } else { kibibytes << 10 }
}

/// Floats left free for each row of a packed panel of `A`: a vector for a panel of one row.
pub(super) const SLACK_OF_A: usize = 16;

/// Strides of two cache lines and more: each step opens a line of which little is used before the next visit, and powers of two
/// crowd into few sets.
const FAR: usize = 32;

/// Longest block of `k` whose panel of `B` stays in a first-level cache of 32 KiB beside the rows that pass.
const SHORT: usize = 256;

/// What decides: the shape of one block of `k`, and the strides that panels are read along.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    pub m: usize,
    pub n: usize,
    pub k: usize,
    pub a_k: isize,
    pub b_k: isize,
    pub b_col: isize,
    /// The right operand's places are looked up.
    pub gathered: bool,
}

/// Vectors in a row of a tile that has too few rows to hide the latency of a multiply-add; others have [`Vector::WIDEST`].
const MANY_COLUMNS: usize = 4;

/// How to walk a product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    /// Vectors in a row of a full tile.
    pub columns: usize,
    /// Whether the left operand is copied into panels.
    pub pack_a: bool,
    /// Whether the right operand is.
    pub pack_b: bool,
    /// Columns of a block.
    pub block_n: usize,
    /// Rows of a block.
    pub block_m: usize,
    /// Whether a panel of `B` stays in the first-level cache while the rows pass, or one of `A` while the columns pass.
    pub columns_outside: bool,
}

/// What the beginning of a run of gathered columns costs, in elements copied.
const RUN: usize = 5;
/// What an element that is transposed costs.
const TRANSPOSED: usize = 3;

/// Whether a product whose right operand is gathered is walked turned, as the product of the transposes: then the places are looked up
/// where they are read, element by element, as those of a left operand are, the other operand is copied, and tiles of the result are
/// transposed when they are written. `runs` says in how many runs the columns lie side by side, `side_by_side` whether the rows of the left
/// operand do, so that they are copied along with the first tile.
///
/// Estimated in quarters of a cycle, for what is copied and transposed, and for the multiply-adds with the lanes that tiles leave empty.
pub(super) fn turns<V: Vector>(m: usize, n: usize, k: usize, runs: usize, side_by_side: bool) -> bool {
    let work = |rows: usize, columns: usize| k * rows * columns.next_multiple_of(V::LANES) / 8;
    let copied = if side_by_side { 0 } else { TRANSPOSED * m * k };
    copied + TRANSPOSED * m * n + work(n, m) < k * (n + RUN * runs) + work(m, n)
}

/// The plan for a shape.
///
/// A copy is repaid by the reads it makes cheap: a panel of `A` is read once for every panel of columns, a panel of `B` once for
/// every panel of rows. Measured on Zen 3, copying `A` costs a step of one panel 5 cycles, against 6 for its multiply-adds, so that
/// two panels of two vectors do not repay it and four do. Copying `B` rides in the first tile that reads it and is free; only where it
/// is near, or read once, does it not pay. A `B` whose columns are not side by side must be copied in any case.
pub(super) fn plan<V: Vector>(shape: Shape) -> Plan {
    let columns = if shape.m <= 2 { MANY_COLUMNS } else { V::WIDEST };
    let width = columns * V::LANES;
    let k = shape.k.max(1);
    let far = |stride: isize| k > 64 && stride.unsigned_abs() >= FAR;
    Plan {
        columns,
        pack_a: far(shape.a_k) && shape.n > 6 * V::LANES,
        pack_b: shape.gathered || shape.b_col != 1 || (far(shape.b_k) && shape.m > V::ROWS && k * shape.n > BLOCK_OF_B / 4),
        // What fits as a whole is not divided for: a small product is over in the time of a few divisions.
        block_n: if k * shape.n.next_multiple_of(V::LANES) <= BLOCK_OF_B {
            shape.n
        } else {
            (BLOCK_OF_B / k / width).max(1) * width
        },
        block_m: if k * shape.m <= SMALL_BLOCK_OF_A {
            shape.m
        } else {
            even(shape.m, (block_of_a() / k / V::ROWS).max(1) * V::ROWS, V::ROWS)
        },
        columns_outside: k <= SHORT,
    }
}

/// The longest of the pieces of at most `most` that `extent` is cut into, all nearly the same and multiples of `unit`: a short last piece
/// would not repay its copies.
fn even(extent: usize, most: usize, unit: usize) -> usize {
    extent.div_ceil(extent.div_ceil(most).max(1)).next_multiple_of(unit)
}
