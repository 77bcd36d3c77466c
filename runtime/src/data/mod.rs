//! Data in memory: named fields of equal row count.
//!
//! A [`Dataset`] is a list of [`Column`]s. Each column is one declared input or target of a network: row-major and contiguous,
//! `rows × width` values, where the width is the product of the shape *per row* (without the batch dimension; `[]` is one value
//! a row). Values are raw: whatever standardises them belongs to the network. Columns are immutable and shared, so a dataset is
//! cheap to clone; what selects rows (`shuffled`, `split`, `take`) copies them, because native code reads contiguous rows.
//!
//! Files are read by [`Csv`] (lines of numbers and names) and [`Files`] (IDX, `.npy`, `.npz`, folders of images) into numbers as
//! they are stored, which [`Table::bind`] and [`Arrays::bind`] make the fields of a network; [`Reader`] is either of them.
//!
//! Errors count rows of a dataset from 0, lines and columns of a file from 1.

mod arrays;
mod builder;
mod bytes;
pub(crate) mod categories;
mod check;
mod csv;
mod digits;
mod idx;
mod images;
pub mod metrics;
mod npy;
mod npz;
mod reader;
mod records;
mod source;
mod table;

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

pub use self::arrays::Arrays;
pub use self::builder::Builder;
pub use self::csv::Csv;
pub use self::digits::digits;
pub use self::reader::{Files, Reader, idx, images, npy, npz};
pub use self::table::Table;
use crate::error::{Error, Result};
use crate::random::{self, Rng, SHUFFLE_STREAM};
pub use gradc_compiler::nn::parameters::{Asked, Domain};

/// What one value of a field is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Element {
    /// A finite number.
    F32,
    /// One of `n` classes, `0..n`.
    Class(u32),
    /// A signed integer; a [`Column`] holds its bits.
    I32,
    /// An unsigned integer.
    U32,
    /// 0 or 1.
    Bool,
}

impl fmt::Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Element::F32 => f.write_str("f32"),
            Element::Class(n) => write!(f, "class({n})"),
            Element::I32 => f.write_str("i32"),
            Element::U32 => f.write_str("u32"),
            Element::Bool => f.write_str("bool"),
        }
    }
}

/// The values of a column, row-major.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// [`Element::F32`].
    F32(Vec<f32>),
    /// Every other element: classes, `u32`, 0 or 1 for `bool`, the bits of `i32`.
    U32(Vec<u32>),
}

impl Values {
    /// How many values there are.
    pub fn len(&self) -> usize {
        match self {
            Values::F32(values) => values.len(),
            Values::U32(values) => values.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// One named field of a dataset.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// What a network calls the field.
    pub name: String,
    /// What each value is.
    pub element: Element,
    /// The shape of one row.
    pub shape: Vec<usize>,
    /// `rows × product(shape)` values.
    pub values: Values,
    /// The names of the classes in their order, if a file named them; otherwise empty.
    pub classes: Vec<String>,
}

/// One input or target as a network declares it.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldSpec {
    /// The declared name.
    pub name: String,
    /// What each value must be.
    pub element: Element,
    /// The shape of one row, without the batch dimension.
    pub shape: Vec<usize>,
    /// Whether the field is a target, which comes after all inputs.
    pub is_target: bool,
    /// Of a field that says how many steps each row has: how many there are.
    pub steps: Option<usize>,
    /// What losses ask of its numbers.
    pub asked: Vec<Asked>,
}

impl FieldSpec {
    /// Values a row: the product of the shape, 1 for `[]`, at most `usize::MAX`.
    pub fn width(&self) -> usize {
        width(&self.shape)
    }
}

/// Rows of named fields, resident in memory.
///
/// ```
/// use gradc_runtime::data::Dataset;
///
/// let data = Dataset::new().f32("x", &[2], &[1.0, 2.0, 3.0, 4.0])?.class("y", 3, &[0, 2])?;
/// let [train, test] = data.shuffled(7).split([0.5, 0.5])?;
/// assert_eq!((train.rows(), test.rows()), (1, 1));
/// # Ok::<(), gradc_runtime::error::Error>(())
/// ```
#[must_use = "rows and fields are chosen in a dataset of their own; this one stays as it is"]
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Dataset {
    columns: Vec<Arc<Column>>,
    rows: usize,
}

impl Dataset {
    /// A dataset without fields; the first field sets the number of rows.
    pub fn new() -> Dataset {
        Dataset::default()
    }

    /// Fields one after another with a single check at the end.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// A reader of the CSV file at `path` (plain or gzip), its options at their defaults; nothing is opened yet.
    pub fn csv(path: impl Into<Csv>) -> Csv {
        path.into()
    }

    /// With the field `name` of numbers, `[rows, shape…]` row-major; an error if the length is no multiple of the shape's
    /// product, or the number of rows another than that of the fields before. A vector is taken as it is, a slice is copied.
    pub fn f32<'a>(self, name: &str, shape: &[usize], values: impl Into<Cow<'a, [f32]>>) -> Result<Dataset> {
        self.with(name, Element::F32, shape, Values::F32(values.into().into_owned()))
    }

    /// With the field `name` of labels, one a row, each in `0..classes`; labels may be of any integer type. Errors as
    /// [`Dataset::f32`], and a label out of range with its row.
    pub fn class<L: Copy + TryInto<i64>>(self, name: &str, classes: u32, labels: &[L]) -> Result<Dataset> {
        self.classes(name, classes, &[], labels)
    }

    /// With the field `name` of labels in `0..classes`, `[rows, shape…]` row-major. Errors as [`Dataset::class`].
    pub fn classes<L: Copy + TryInto<i64>>(self, name: &str, classes: u32, shape: &[usize], labels: &[L]) -> Result<Dataset> {
        let labels = check::labels(name, classes, width(shape), labels)?;
        self.with(name, Element::Class(classes), shape, Values::U32(labels))
    }

    /// With the field `name` of signed integers, `[rows, shape…]` row-major. Errors as [`Dataset::f32`].
    pub fn i32(self, name: &str, shape: &[usize], values: &[i32]) -> Result<Dataset> {
        self.with(name, Element::I32, shape, Values::U32(values.iter().map(|&value| value as u32).collect()))
    }

    /// With the field `name` of unsigned integers, `[rows, shape…]` row-major. As [`Dataset::f32`].
    pub fn u32<'a>(self, name: &str, shape: &[usize], values: impl Into<Cow<'a, [u32]>>) -> Result<Dataset> {
        self.with(name, Element::U32, shape, Values::U32(values.into().into_owned()))
    }

    /// With the field `name` of truth values, `[rows, shape…]` row-major. Errors as [`Dataset::f32`].
    pub fn bool(self, name: &str, shape: &[usize], values: &[bool]) -> Result<Dataset> {
        self.with(name, Element::Bool, shape, Values::U32(values.iter().map(|&value| u32::from(value)).collect()))
    }

    fn with(mut self, name: &str, element: Element, shape: &[usize], values: Values) -> Result<Dataset> {
        let rows = check::row_count(&self, name, shape, values.len())?;
        self.rows = rows;
        self.columns.push(Arc::new(Column {
            name: name.to_owned(),
            element,
            shape: shape.to_vec(),
            values,
            classes: Vec::new(),
        }));
        Ok(self)
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The fields, in order.
    pub fn columns(&self) -> impl ExactSizeIterator<Item = &Column> {
        self.columns.iter().map(Arc::as_ref)
    }

    /// The field of this name, shared rather than copied.
    pub(crate) fn shared_column(&self, name: &str) -> Option<Arc<Column>> {
        self.columns.iter().find(|column| column.name == name).cloned()
    }

    /// The field called `name`.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns().find(|column| column.name == name)
    }

    /// The names of the classes of the field `name`, in the order in which they are counted; empty if no file named them.
    ///
    /// A model that has learned from them knows them too: `net.class_names("species")[net.predict(&rows)?.classes()[0]]` says what was
    /// predicted.
    pub fn class_names(&self, name: &str) -> &[String] {
        self.column(name).map_or(&[], |column| &column.classes)
    }

    /// The same rows in an order drawn from `seed`.
    pub fn shuffled(&self, seed: u64) -> Dataset {
        let mut order = vec![0; self.rows];
        random::permute(Rng::new(seed, SHUFFLE_STREAM), &mut order);
        self.gathered(order.len(), |place| order[place] as usize)
    }

    /// `N` consecutive parts whose sizes have the given fractions of the rows, rounded to whole rows; an error unless the
    /// fractions are positive and sum to 1 (within 10⁻⁶) and no part is empty.
    pub fn split<const N: usize>(&self, fractions: [f64; N]) -> Result<[Dataset; N]> {
        let bounds = check::split_bounds(&fractions, self.rows)?;
        Ok(std::array::from_fn(|part| self.slice(bounds[part], bounds[part + 1])))
    }

    /// The first `n` rows, or all if there are fewer.
    pub fn take(&self, n: usize) -> Dataset {
        self.slice(0, n.min(self.rows))
    }

    /// The rows of these numbers (from 0) in this order; one may come several times, as in bootstrap samples or where rare classes are to weigh more.
    /// An error for a number that no row has.
    pub fn pick(&self, rows: &[usize]) -> Result<Dataset> {
        check::row_numbers(rows, self.rows)?;
        check::row_limit(rows.len())?;
        Ok(self.gathered(rows.len(), |place| rows[place]))
    }

    /// For cross validation `count` pairs: the rows without one part, and that part. Each row is in one part; parts are of consecutive rows, as
    /// long as each other but for one row, so that data in an order are [shuffled](Dataset::shuffled) first. A pair is copied when it is asked for.
    /// An error unless there are at least two parts and a row for each.
    ///
    /// ```
    /// use gradc_runtime::data::Dataset;
    ///
    /// let data = Dataset::new().f32("x", &[], &[0.0, 1.0, 2.0, 3.0, 4.0])?;
    /// for (train, valid) in data.shuffled(7).folds(5)? {
    ///     assert_eq!((train.rows(), valid.rows()), (4, 1));
    /// }
    /// # Ok::<(), gradc_runtime::error::Error>(())
    /// ```
    pub fn folds(&self, count: usize) -> Result<impl ExactSizeIterator<Item = (Dataset, Dataset)>> {
        if !(2..=self.rows).contains(&count) {
            return Err(Error::setting("folds", count, &format!("at least 2 and at most {}, the rows", self.rows)));
        }
        let bound = move |part: usize| (part as u128 * self.rows as u128 / count as u128) as usize;
        Ok((0..count).map(move |part| {
            let (start, end) = (bound(part), bound(part + 1));
            let kept = |place: usize| if place < start { place } else { place + end - start };
            (self.gathered(self.rows - (end - start), kept), self.slice(start, end))
        }))
    }

    /// The rows of `self`, then those of `other`; an error unless both have the same fields in the same order.
    pub fn concat(&self, other: &Dataset) -> Result<Dataset> {
        check::same_fields(self, other)?;
        let both = self.columns().zip(other.columns()).map(|(ours, theirs)| {
            let values = match (&ours.values, &theirs.values) {
                (Values::F32(ours), Values::F32(theirs)) => Ok(Values::F32([&ours[..], theirs].concat())),
                (Values::U32(ours), Values::U32(theirs)) => Ok(Values::U32([&ours[..], theirs].concat())),
                _ => Err(Error::Internal { pass: "data".to_owned(), text: "one element in two storages".to_owned() }),
            };
            Ok(Arc::new(Column { values: values?, ..ours.clone_without_values() }))
        });
        let columns = both.collect::<Result<_>>()?;
        Ok(Dataset { columns, rows: check::row_limit(self.rows + other.rows)? })
    }

    /// Rows `start..end`, both within the dataset.
    fn slice(&self, start: usize, end: usize) -> Dataset {
        self.gathered(end - start, |place| start + place)
    }

    fn gathered(&self, rows: usize, source: impl Fn(usize) -> usize) -> Dataset {
        let columns = self.columns().map(|column| {
            let width = width(&column.shape);
            let values = match &column.values {
                Values::F32(values) => Values::F32(gather(values, width, rows, &source)),
                Values::U32(values) => Values::U32(gather(values, width, rows, &source)),
            };
            Arc::new(Column { values, ..column.clone_without_values() })
        });
        Dataset { columns: columns.collect(), rows }
    }
}

impl Column {
    fn clone_without_values(&self) -> Column {
        Column {
            name: self.name.clone(),
            element: self.element,
            shape: self.shape.clone(),
            values: Values::U32(Vec::new()),
            classes: self.classes.clone(),
        }
    }
}

fn gather<T: Copy>(values: &[T], width: usize, rows: usize, source: impl Fn(usize) -> usize) -> Vec<T> {
    let mut gathered = Vec::with_capacity(rows * width);
    for row in (0..rows).map(source) {
        gathered.extend_from_slice(&values[row * width..(row + 1) * width]);
    }
    gathered
}

/// The product of a shape; `usize::MAX`, which no array reaches, if it is larger.
pub(crate) fn width(shape: &[usize]) -> usize {
    if shape.contains(&0) { 0 } else { shape.iter().fold(1, |product, extent| product.saturating_mul(*extent)) }
}
