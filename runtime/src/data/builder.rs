//! [`Builder`]: the fields of a dataset in one chain, with the first mistake told at the end.

use super::Dataset;
use crate::error::Result;
use std::borrow::Cow;

/// Collects fields; see [`Dataset::builder`].
#[must_use = "`build` makes the dataset"]
#[derive(Debug)]
pub struct Builder(Result<Dataset>);

impl Default for Builder {
    fn default() -> Builder {
        Builder(Ok(Dataset::new()))
    }
}

impl Builder {
    /// As [`Dataset::f32`].
    pub fn f32<'a>(self, name: &str, shape: &[usize], values: impl Into<Cow<'a, [f32]>>) -> Builder {
        Builder(self.0.and_then(|data| data.f32(name, shape, values)))
    }

    /// As [`Dataset::class`].
    pub fn class<L: Copy + TryInto<i64>>(self, name: &str, classes: u32, labels: &[L]) -> Builder {
        Builder(self.0.and_then(|data| data.class(name, classes, labels)))
    }

    /// As [`Dataset::classes`].
    pub fn classes<L: Copy + TryInto<i64>>(self, name: &str, classes: u32, shape: &[usize], labels: &[L]) -> Builder {
        Builder(self.0.and_then(|data| data.classes(name, classes, shape, labels)))
    }

    /// As [`Dataset::i32`].
    pub fn i32(self, name: &str, shape: &[usize], values: &[i32]) -> Builder {
        Builder(self.0.and_then(|data| data.i32(name, shape, values)))
    }

    /// As [`Dataset::u32`].
    pub fn u32<'a>(self, name: &str, shape: &[usize], values: impl Into<Cow<'a, [u32]>>) -> Builder {
        Builder(self.0.and_then(|data| data.u32(name, shape, values)))
    }

    /// As [`Dataset::bool`].
    pub fn bool(self, name: &str, shape: &[usize], values: &[bool]) -> Builder {
        Builder(self.0.and_then(|data| data.bool(name, shape, values)))
    }

    /// The dataset, or the first mistake made on the way.
    pub fn build(self) -> Result<Dataset> {
        self.0
    }
}
