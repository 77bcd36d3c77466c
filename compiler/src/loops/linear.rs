//! Numbers affine in the batch size.

use std::fmt;

/// A number affine in the batch size: `constant + batch * n`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, PartialOrd, Ord)]
pub struct Linear {
    pub constant: i64,
    pub batch: i64,
}

impl Linear {
    pub const ZERO: Linear = Linear { constant: 0, batch: 0 };
    pub const BATCH: Linear = Linear { constant: 0, batch: 1 };
    /// A number that does not depend on the batch.
    pub const fn fixed(constant: i64) -> Self {
        Linear { constant, batch: 0 }
    }
    /// The value for a batch of `n` rows.
    pub const fn at(self, n: i64) -> i64 {
        self.constant.saturating_add(self.batch.saturating_mul(n))
    }
    /// `self * factor`.
    pub const fn times(self, factor: i64) -> Self {
        Linear { constant: self.constant.saturating_mul(factor), batch: self.batch.saturating_mul(factor) }
    }
    /// `self + other`.
    pub const fn plus(self, other: Linear) -> Self {
        Linear { constant: self.constant.saturating_add(other.constant), batch: self.batch.saturating_add(other.batch) }
    }
    /// `self * other`, if at most one of them depends on the batch.
    pub fn product(self, other: Linear) -> Option<Self> {
        match (self.batch, other.batch) {
            (_, 0) => Some(self.times(other.constant)),
            (0, _) => Some(other.times(self.constant)),
            _ => None,
        }
    }
    /// Whether it is the same for every batch size.
    pub const fn is_fixed(self) -> bool {
        self.batch == 0
    }
}

impl fmt::Display for Linear {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.constant, self.batch) {
            (c, 0) => write!(f, "{c}"),
            (0, 1) => write!(f, "n"),
            (0, b) => write!(f, "{b}n"),
            (c, 1) => write!(f, "n{c:+}"),
            (c, b) => write!(f, "{b}n{c:+}"),
        }
    }
}

/// Row-major strides of sizes; `None` where they would not be affine in the batch.
pub fn row_major(sizes: &[Linear]) -> Option<Vec<Linear>> {
    let mut strides = vec![Linear::fixed(1); sizes.len()];
    for axis in (1..sizes.len()).rev() {
        strides[axis - 1] = strides[axis].product(sizes[axis])?;
    }
    Some(strides)
}
