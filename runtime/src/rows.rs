//! Rows handed over for one call: borrowed arrays by field name, or a [`Dataset`].

use crate::data::{Column, Dataset, Values};
use crate::error::{Error, Result};
use flate2::Crc;
use gradc_compiler::graph::Element;
use gradc_compiler::pipeline::Field;
use std::sync::Arc;

/// Values of one field.
#[derive(Clone, Copy, Debug)]
enum Slice<'a> {
    F32(&'a [f32]),
    U32(&'a [u32]),
    I32(&'a [i32]),
    Bool(&'a [bool]),
}

/// Values that a digest takes in at once.
const BLOCK: usize = 1 << 14;

/// Rows by field name, row-major, without a copy where the element type allows it.
#[derive(Clone, Debug)]
pub struct Rows<'a>(Source<'a>);

#[derive(Clone, Debug)]
enum Source<'a> {
    Dataset(&'a Dataset),
    Slices(Vec<(&'static str, Slice<'a>)>),
    /// For a network without inputs.
    Nothing,
}

impl<'a> Rows<'a> {
    /// Starts a list of arrays.
    pub fn inputs() -> RowsBuilder<'a> {
        RowsBuilder(Vec::new())
    }

    /// Whether there are none, as for a network without inputs.
    pub(crate) fn are_none(&self) -> bool {
        matches!(self.0, Source::Nothing)
    }
}

impl<'a> From<&'a Dataset> for Rows<'a> {
    fn from(dataset: &'a Dataset) -> Self {
        Rows(Source::Dataset(dataset))
    }
}

/// No rows, for a network that takes none.
impl From<()> for Rows<'_> {
    fn from((): ()) -> Self {
        Rows(Source::Nothing)
    }
}

/// Arrays by field name.
#[must_use = "`done` makes the rows"]
#[derive(Clone, Debug)]
pub struct RowsBuilder<'a>(Vec<(&'static str, Slice<'a>)>);

impl<'a> RowsBuilder<'a> {
    /// A field of f32.
    pub fn f32(mut self, name: &'static str, values: &'a [f32]) -> Self {
        self.0.push((name, Slice::F32(values)));
        self
    }
    /// A field of classes or unsigned integers.
    pub fn u32(mut self, name: &'static str, values: &'a [u32]) -> Self {
        self.0.push((name, Slice::U32(values)));
        self
    }
    /// A field of signed integers.
    pub fn i32(mut self, name: &'static str, values: &'a [i32]) -> Self {
        self.0.push((name, Slice::I32(values)));
        self
    }
    /// A field of truths.
    pub fn bool(mut self, name: &'static str, values: &'a [bool]) -> Self {
        self.0.push((name, Slice::Bool(values)));
        self
    }
    /// The rows.
    pub fn done(self) -> Rows<'a> {
        Rows(Source::Slices(self.0))
    }
}

/// Rows checked against a network's fields: one array of words a field.
#[derive(Clone, Debug)]
pub struct Bound {
    /// For each field its values, or nothing if it was not asked for.
    columns: Vec<Option<Arc<Column>>>,
    /// Number of rows.
    pub rows: usize,
}

impl Bound {
    /// No values at all: a network without fields sees so many rows of nothing.
    pub fn nothing(rows: usize) -> Self {
        Bound { columns: Vec::new(), rows }
    }

    /// First word of a field's array; null if there is none.
    pub fn pointer(&self, field: usize) -> *const u8 {
        match self.columns.get(field).and_then(Option::as_ref).map(|column| &column.values) {
            Some(Values::F32(values)) => values.as_ptr().cast(),
            Some(Values::U32(values)) => values.as_ptr().cast(),
            None => std::ptr::null(),
        }
    }

    /// Values of a field of f32.
    pub fn floats(&self, field: usize) -> Option<&[f32]> {
        match &self.columns.get(field)?.as_ref()?.values {
            Values::F32(values) => Some(values),
            Values::U32(_) => None,
        }
    }

    /// The fields whose classes have names, with these.
    pub fn class_names(&self) -> impl Iterator<Item = (&str, &[String])> {
        let named = self.columns.iter().flatten().filter(|column| !column.classes.is_empty());
        named.map(|column| (column.name.as_str(), column.classes.as_slice()))
    }

    /// CRC-32 of all values: other rows have another one.
    pub fn digest(&self) -> u32 {
        let mut crc = Crc::new();
        for column in self.columns.iter().flatten() {
            match &column.values {
                Values::F32(values) => digest(&mut crc, values, |value| value.to_le_bytes()),
                Values::U32(values) => digest(&mut crc, values, |value| value.to_le_bytes()),
            }
        }
        crc.sum()
    }

    /// Words of a field, whatever its element.
    pub fn words(&self, field: usize) -> Option<Vec<u32>> {
        Some(match &self.columns.get(field)?.as_ref()?.values {
            Values::F32(values) => values.iter().map(|value| value.to_bits()).collect(),
            Values::U32(values) => values.clone(),
        })
    }
}

fn digest<T: Copy>(crc: &mut Crc, values: &[T], bytes: impl Fn(T) -> [u8; 4]) {
    let mut block = Vec::with_capacity(4 * BLOCK);
    for values in values.chunks(BLOCK) {
        block.clear();
        block.extend(values.iter().flat_map(|value| bytes(*value)));
        crc.update(&block);
    }
}

/// Checks rows against fields: names, widths, ranges, finite numbers, at least one row. Targets are asked for only if `with_targets`.
pub fn bind(rows: &Rows, fields: &[Field], with_targets: bool) -> Result<Bound> {
    match &rows.0 {
        Source::Dataset(_) if fields.is_empty() => {
            Err(Error::data("rows are given to a network without inputs and targets", "no rows", "give `()` in their place"))
        }
        Source::Dataset(dataset) => bind_dataset(dataset, fields, with_targets),
        Source::Nothing => match fields.iter().find(|field| with_targets || !field.is_target) {
            Some(field) => Err(not_given(&field.name)),
            None => Ok(Bound::nothing(1)),
        },
        Source::Slices(slices) => {
            check_names(slices, fields)?;
            let mut dataset = Dataset::new();
            for field in fields.iter().filter(|field| with_targets || !field.is_target) {
                let slice = slices.iter().find(|(name, _)| *name == field.name);
                let Some((_, slice)) = slice else {
                    return Err(not_given(&field.name));
                };
                dataset = add(dataset, field, *slice)?;
            }
            bind_dataset(&dataset, fields, with_targets)
        }
    }
}

/// Each array is of a field of the network, and of one of its own.
fn check_names(slices: &[(&'static str, Slice)], fields: &[Field]) -> Result<()> {
    let names: Vec<String> = fields.iter().map(|field| format!("`{}`", field.name)).collect();
    let known = if names.is_empty() { "none".into() } else { names.join(", ") };
    if let Some((name, _)) = slices.iter().find(|(name, _)| !fields.iter().any(|field| field.name == *name)) {
        return Err(Error::data(format!("the network has no field `{name}`"), "", format!("its fields: {known}")));
    }
    match slices.iter().enumerate().find(|(place, (name, _))| slices[..*place].iter().any(|(before, _)| before == name)) {
        Some((_, (name, _))) => Err(Error::data(format!("the field `{name}` is given twice"), "", "give each field once")),
        None => Ok(()),
    }
}

fn not_given(field: &str) -> Error {
    Error::data(format!("the field `{field}` is not given"), "", "give every field that the network declares")
}

fn add(dataset: Dataset, field: &Field, slice: Slice) -> Result<Dataset> {
    let shape = row_shape(field);
    let name = field.name.as_str();
    match (field.ty.element, slice) {
        (Element::F32, Slice::F32(values)) => dataset.f32(name, &shape, values),
        (Element::Class(n), Slice::U32(values)) => dataset.classes(name, n, &shape, values),
        (Element::U32, Slice::U32(values)) => dataset.u32(name, &shape, values),
        (Element::I32, Slice::I32(values)) => dataset.i32(name, &shape, values),
        (Element::Bool, Slice::Bool(values)) => dataset.bool(name, &shape, values),
        (element, _) => Err(Error::data(
            format!("the field `{name}` has another element type"),
            element.to_string(),
            "give an array of the declared element type",
        )),
    }
}

/// Shape of one row of a field.
pub fn row_shape(field: &Field) -> Vec<usize> {
    field.ty.shape.0.iter().skip(1).map(|dim| dim.at(1)).collect()
}

/// The fields as the data module describes them.
pub fn specs(fields: &[Field], with_targets: bool) -> Vec<crate::data::FieldSpec> {
    use crate::data::Element as Of;
    let element = |field: &Field| match field.ty.element {
        Element::Class(n) => Of::Class(n),
        Element::I32 => Of::I32,
        Element::U32 => Of::U32,
        Element::Bool => Of::Bool,
        Element::F32 | Element::F64 => Of::F32,
    };
    let wanted = fields.iter().filter(|field| with_targets || !field.is_target);
    wanted
        .map(|field| crate::data::FieldSpec {
            name: field.name.clone(),
            element: element(field),
            shape: row_shape(field),
            is_target: field.is_target,
            steps: field.steps,
            asked: field.asked.clone(),
        })
        .collect()
}

fn bind_dataset(dataset: &Dataset, fields: &[Field], with_targets: bool) -> Result<Bound> {
    let specs = specs(fields, with_targets);
    let dataset = dataset.select(&specs)?;
    let given = |field: &Field| with_targets || !field.is_target;
    let columns = fields.iter().map(|field| if given(field) { dataset.shared_column(&field.name) } else { None }).collect();
    Ok(Bound { columns, rows: dataset.rows() })
}
