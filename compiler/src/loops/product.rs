//! Products: how micro-kernels step through operands.

use super::{BufferId, Extent, Linear, Var, View};

/// How far from the first the elements of an operand lie along its rows or columns: `stride` for each index, or, where indices are
/// numbers of several digits (as the places of a window are), `stride` for the first digit and a stride of its own for each further one.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Steps {
    pub stride: Linear,
    /// The digits behind the first.
    pub digits: Vec<Digit>,
}

/// One digit of an index: it counts to `size`, and one more of it is `stride` words.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Digit {
    pub size: i64,
    pub stride: i64,
}

impl Steps {
    /// One stride for each index.
    pub const fn even(stride: Linear) -> Self {
        Steps { stride, digits: Vec::new() }
    }
    /// Whether an index is one number.
    pub fn is_even(&self) -> bool {
        self.digits.is_empty()
    }
    /// Words from the first element to that of an index, for a batch of `n`.
    pub fn at(&self, index: i64, n: i64) -> i64 {
        let (mut rest, mut words) = (index, 0);
        for digit in self.digits.iter().rev() {
            words += rest % digit.size * digit.stride;
            rest /= digit.size;
        }
        words + rest * self.stride.at(n)
    }
    /// More than the words between the first element and any of so many; nothing if it depends on the batch.
    pub fn reach(&self, count: i64) -> Option<i64> {
        let low = self.digits.iter().fold(1i64, |low, digit| low.saturating_mul(digit.size.max(1)));
        let first = count.div_euclid(low).saturating_add(1).saturating_mul(self.stride.constant.saturating_abs());
        let digits = self.digits.iter().map(|digit| digit.size.saturating_mul(digit.stride.saturating_abs()));
        self.stride.is_fixed().then(|| digits.fold(first, i64::saturating_add))
    }
}

/// One operand of a product: where its rows and columns lie from `base`.
#[derive(Clone, PartialEq, Debug)]
pub struct Operand {
    /// First element. If it goes through the row table itself, all of the operand is of that row, and `rows` is `None`.
    pub base: View,
    pub row: Steps,
    pub column: Steps,
    /// The batch axis of this operand is looked up in the row table: along its rows (`OnRows`) or its columns (`OnColumns`).
    /// `base` then holds no stride of that axis; `first` is the first batch row.
    pub rows: Option<OperandRows>,
}

impl Operand {
    /// Whether its elements are found by tables of places: rows and columns have digits, or one of them has.
    pub fn is_gathered(&self) -> bool {
        !(self.row.is_even() && self.column.is_even())
    }
}

/// A product operand whose batch axis goes through the row table.
#[derive(Clone, PartialEq, Debug)]
pub struct OperandRows {
    pub rows: BufferId,
    pub first: Vec<(Var, i64)>,
    pub on_columns: bool,
}

/// `C[m, n] = A[m, k] · B[k, n]` on a tile. `A` may go through the row table, the indices of `B` may have digits (of fixed strides);
/// `C` has column stride 1.
#[derive(Clone, PartialEq, Debug)]
pub struct ProductStatement {
    pub title: String,
    pub a: Operand,
    pub b: Operand,
    pub c: Operand,
    pub m: Extent,
    pub n: Extent,
    pub k: Extent,
    pub accumulate: bool,
    pub origin: u32,
}
