//! What to copy and in which order to walk: decisions that change the time of a product and none of its bits.

use super::vector::Vector;

/// Floats of one block of the right operand: half of the 512 KiB second-level cache of the smallest machines served.
pub(super) const BLOCK_OF_B: usize = 64 * 1024;

/// Floats of one block of the left operand.
pub(super) const BLOCK_OF_A: usize = 64 * 1024;

/// Floats in a cache line.
const LINE: usize = 16;

/// What decides: the shape of one block of `k`, and the strides.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    pub m: usize,
    pub n: usize,
    pub k: usize,
    pub a_row: isize,
    pub a_k: isize,
    pub b_k: isize,
    pub b_col: isize,
    pub a_row_table: bool,
}

/// How to walk a product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    /// Vectors in a row of a full tile: 2, or 4 where there are too few rows to hide the latency of a multiply-add.
    pub columns: usize,
    pub pack_a: bool,
    pub pack_b: bool,
    /// Columns and rows of a block.
    pub block_n: usize,
    pub block_m: usize,
    /// Whether a panel of the right operand stays in the first-level cache while the rows pass, or one of the left.
    pub columns_outside: bool,
}

/// The plan for a shape.
///
/// A copy costs each element once and is repaid each time the copy is read instead: a panel of `A` is read once for every panel
/// of columns, a panel of `B` once for every panel of rows.
pub(super) fn plan<V: Vector>(shape: Shape) -> Plan {
    let columns = if shape.m <= 2 { 4 } else { 2 };
    let width = columns * V::LANES;
    let k = shape.k.max(1);
    let row_panels = shape.m.div_ceil(V::ROWS);
    let column_panels = shape.n.div_ceil(width);
    // Steps of k that each open a new line leave most of it unused and crowd into few sets.
    let scattered = |stride: isize| k > 64 && stride.unsigned_abs() >= 2 * LINE;
    Plan {
        columns,
        pack_a: scattered(shape.a_k) && column_panels > 3,
        pack_b: shape.b_col != 1 || (scattered(shape.b_k) && row_panels > 3 && k * shape.n > BLOCK_OF_B / 4),
        block_n: (BLOCK_OF_B / k / width).max(1) * width,
        block_m: (BLOCK_OF_A / k / V::ROWS).max(1) * V::ROWS,
        columns_outside: k <= 256,
    }
}
