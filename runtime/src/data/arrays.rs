//! [`Arrays`]: numbers as a file stores them, before a network says what they mean.
//!
//! An [`Array`] keeps the bytes of its file. They become `f32`, classes or integers once, in [`Arrays::bind`], when the element
//! of the field is known; every stored integer and float is exact until then.

use std::sync::Arc;

use super::bytes::Bytes;
use super::categories::listed;
use super::check::{class_help, class_range, first_wrong, row_limit, row_width};
use super::{Column, Dataset, Element, FieldSpec, Values, width};
use crate::error::{Error, Result, Shape};

/// How a file stores one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Bool,
    U8,
    I8,
    U16,
    I16,
    U32,
    I32,
    U64,
    I64,
    F32,
    F64,
}

/// One stored number.
#[derive(Clone, Copy, Debug)]
enum Number {
    Whole(i64),
    Real(f64),
}

/// One array of a file; the first axis counts rows.
#[derive(Clone, Debug)]
pub(super) struct Array {
    /// What the file calls it.
    pub name: Option<String>,
    /// The file, for errors.
    pub file: String,
    /// All axes, rows first.
    pub shape: Vec<usize>,
    pub kind: Kind,
    pub big_endian: bool,
    /// In C order, as many as shape and kind say.
    pub bytes: Vec<u8>,
    /// The names of the classes that the values count, if they do.
    pub classes: Vec<String>,
}

/// The arrays of one or more files, in their order.
#[derive(Clone, Debug)]
pub struct Arrays {
    pub(super) arrays: Vec<Array>,
    /// Whether fields are found by name; otherwise arrays fill them in order.
    pub(super) by_name: bool,
}

impl Kind {
    /// Bytes of one number.
    pub(super) fn size(self) -> usize {
        match self {
            Kind::Bool | Kind::U8 | Kind::I8 => 1,
            Kind::U16 | Kind::I16 => 2,
            Kind::U32 | Kind::I32 | Kind::F32 => 4,
            Kind::U64 | Kind::I64 | Kind::F64 => 8,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Kind::Bool => "bool",
            Kind::U8 => "u8",
            Kind::I8 => "i8",
            Kind::U16 => "u16",
            Kind::I16 => "i16",
            Kind::U32 => "u32",
            Kind::I32 => "i32",
            Kind::U64 => "u64",
            Kind::I64 => "i64",
            Kind::F32 => "f32",
            Kind::F64 => "f64",
        }
    }
}

/// The values that `bytes` holds for an array of this shape and kind, to the end of the file.
pub(super) fn values(bytes: &mut Bytes, shape: &[usize], kind: Kind) -> Result<Vec<u8>> {
    let described = || format!("an array {} of {}", Shape(shape), kind.name());
    if shape.is_empty() {
        return Err(bytes.problem(
            "the array is a single number",
            "a first axis that counts rows",
            "give it the shape [rows, …]",
        ));
    }
    let Some(size) = shape
        .iter()
        .try_fold(kind.size(), |size, extent| size.checked_mul(*extent))
        .filter(|size| isize::try_from(*size).is_ok())
    else {
        let found = format!("the header announces {}", described());
        return Err(bytes.problem(found, "one that memory can hold", "the header is damaged; make or copy the file again"));
    };
    if size == 0 {
        return Err(bytes.problem(
            format!("the file holds {}, which is empty", described()),
            "at least one row",
            "check the file",
        ));
    }
    let start = bytes.offset();
    let values = bytes.up_to(size)?;
    if values.len() < size {
        let found = format!("the file ends at byte {}", bytes.offset());
        let expected = format!("{size} bytes from byte {start} on: {}", described());
        return Err(bytes.problem(found, expected, "the file is cut off or its header damaged; make or copy it again"));
    }
    if !bytes.up_to(1)?.is_empty() {
        let found = format!("bytes follow behind the array, at byte {}", start + size as u64);
        let expected = format!("the end of the file behind {}", described());
        return Err(bytes.problem(found, expected, "the header is damaged; make or copy the file again"));
    }
    Ok(values)
}

impl Array {
    fn rows(&self) -> usize {
        self.shape.first().copied().unwrap_or(0)
    }

    fn title(&self) -> String {
        let name = self.name.as_ref().map(|name| format!("{name}: ")).unwrap_or_default();
        format!("{name}{}{}", self.kind.name(), Shape(&self.shape))
    }

    fn numbers(&self) -> impl Iterator<Item = Number> + '_ {
        self.bytes.chunks_exact(self.kind.size()).map(|bytes| number(bytes, self.kind, self.big_endian))
    }

    /// Whether rows of this array are rows of `shape`: equal but for axes of extent 1, or the same values on one axis.
    fn fits(&self, shape: &[usize]) -> bool {
        fn long(shape: &[usize]) -> Vec<usize> {
            shape.iter().copied().filter(|extent| *extent != 1).collect()
        }
        let (own, asked) = (long(&self.shape[1..]), long(shape));
        own == asked || (own.len() <= 1 || asked.len() <= 1) && width(&own) == width(&asked)
    }

    fn column(&self, spec: &FieldSpec) -> Result<Column> {
        row_width(&spec.name, &spec.shape)?;
        if !self.fits(&spec.shape) {
            let found = format!("a row of the array for `{}` has the shape {}", spec.name, Shape(&self.shape[1..]));
            let help = "axes are kept in the order of the file; [784] takes [28, 28] and [28, 28] takes [784], row by row";
            return Err(Error::data(found, Shape(&spec.shape).to_string(), help));
        }
        named_classes(&self.classes, spec)?;
        let values = match spec.element {
            Element::F32 => Values::F32(self.each(spec, |number| match number {
                Number::Whole(whole) => Some(whole as f32),
                Number::Real(real) => Some(real as f32).filter(|rounded| rounded.is_finite()),
            })?),
            Element::Class(classes) => self.integers(spec, 0, i64::from(classes) - 1)?,
            Element::I32 => self.integers(spec, i64::from(i32::MIN), i64::from(i32::MAX))?,
            Element::U32 => self.integers(spec, 0, i64::from(u32::MAX))?,
            Element::Bool => self.integers(spec, 0, 1)?,
        };
        let (name, shape) = (spec.name.clone(), spec.shape.clone());
        let column = Column { name, element: spec.element, shape, values, classes: self.classes.clone() };
        match first_wrong(&column, spec) {
            Some(wrong) => {
                let place = place(spec, wrong.index);
                Err(wrong.error(&place))
            }
            None => Ok(column),
        }
    }

    fn integers(&self, spec: &FieldSpec, least: i64, greatest: i64) -> Result<Values> {
        Ok(Values::U32(self.each(spec, |number| {
            let whole = match number {
                Number::Whole(whole) => whole,
                // Every integer that may be asked for is exact as f64.
                Number::Real(real) if real.fract() == 0.0 => real as i64,
                Number::Real(_) => return None,
            };
            (least..=greatest).contains(&whole).then_some(whole as u32)
        })?))
    }

    fn each<T>(&self, spec: &FieldSpec, convert: impl Fn(Number) -> Option<T>) -> Result<Vec<T>> {
        let converted: Vec<T> = self.numbers().map_while(convert).collect();
        match self.numbers().nth(converted.len()) {
            None => Ok(converted),
            Some(number) => Err(self.refusal(spec, converted.len(), number)),
        }
    }

    /// What to do about labels that are whole numbers and no classes.
    fn labels_help(&self, classes: u32) -> String {
        let labels = || {
            self.numbers().map(|number| match number {
                Number::Whole(whole) => whole as f64,
                Number::Real(real) => real,
            })
        };
        class_help(classes, labels().fold(f64::INFINITY, f64::min), labels().fold(f64::NEG_INFINITY, f64::max))
    }

    fn refusal(&self, spec: &FieldSpec, place: usize, number: Number) -> Error {
        let shown = match number {
            Number::Whole(whole) => whole.to_string(),
            // Three hundred digits say less.
            Number::Real(real) if real.is_finite() && real.abs() >= 1e16 => format!("{real:e}"),
            Number::Real(real) => real.to_string(),
        };
        let found = format!("`{}` is {shown}{}", spec.name, self::place(spec, place));
        match (spec.element, number) {
            (Element::F32, _) => Error::data(found, "finite f32 numbers", "leave these rows out, or fill the values in"),
            (Element::Class(classes), Number::Whole(_)) => Error::data(found, class_range(classes), self.labels_help(classes)),
            (Element::Class(classes), Number::Real(real)) if real.fract() == 0.0 => {
                Error::data(found, class_range(classes), self.labels_help(classes))
            }
            (Element::Class(classes), Number::Real(_)) => Error::data(found, class_range(classes), "a label is a whole number"),
            (Element::Bool, _) => Error::data(found, "0 or 1", format!("declare `{}` as another element", spec.name)),
            (element, _) => {
                let help = format!("give the values as {element}, or declare `{}` without it", spec.name);
                Error::data(found, format!("an integer that fits {element}"), help)
            }
        }
    }
}

/// Where a value of a field stands: ` in row 3, element 7`.
fn place(spec: &FieldSpec, index: usize) -> String {
    let wide = spec.width().max(1);
    let element = if wide > 1 { format!(", element {}", index % wide) } else { String::new() };
    format!(" in row {}{element}", index / wide)
}

fn number(bytes: &[u8], kind: Kind, big_endian: bool) -> Number {
    let mut word = [0; 8];
    let size = bytes.len().min(8);
    word[..size].copy_from_slice(&bytes[..size]);
    if big_endian {
        word[..size].reverse();
    }
    let bits = u64::from_le_bytes(word);
    match kind {
        Kind::Bool | Kind::U8 | Kind::U16 | Kind::U32 => Number::Whole(bits as i64),
        Kind::I8 => Number::Whole(i64::from(bits as i8)),
        Kind::I16 => Number::Whole(i64::from(bits as i16)),
        Kind::I32 => Number::Whole(i64::from(bits as i32)),
        Kind::I64 => Number::Whole(bits as i64),
        Kind::U64 => i64::try_from(bits).map_or(Number::Real(bits as f64), Number::Whole),
        Kind::F32 => Number::Real(f64::from(f32::from_bits(bits as u32))),
        Kind::F64 => Number::Real(f64::from_bits(bits)),
    }
}

/// An error if values that count the named `classes` cannot fill the field.
pub(super) fn named_classes(classes: &[String], spec: &FieldSpec) -> Result<()> {
    if classes.is_empty() || spec.element == Element::Class(classes.len() as u32) {
        return Ok(());
    }
    let found = format!("the data for `{}` has {} classes: {}", spec.name, classes.len(), listed(classes));
    let help = match spec.element {
        Element::Class(_) => {
            "declare as many classes, or name all of them in their order: a part of the names would be counted anew"
        }
        _ => "names are classes: declare the field with `class`",
    };
    Err(Error::data(found, spec.element.to_string(), help))
}

impl Arrays {
    /// The arrays' names with element and shape, `[rows, …]`, in order.
    pub fn titles(&self) -> Vec<String> {
        self.arrays.iter().map(Array::title).collect()
    }

    fn files(&self) -> String {
        let mut files: Vec<&str> = self.arrays.iter().map(|array| array.file.as_str()).collect();
        files.dedup();
        files.join(" and ")
    }

    /// Whether there is an array for each of `specs`.
    pub(super) fn has(&self, specs: &[FieldSpec]) -> bool {
        match self.by_name {
            true => specs.iter().all(|spec| self.named(&spec.name).is_some()),
            false => self.arrays.len() >= specs.len(),
        }
    }

    fn named(&self, name: &str) -> Option<&Array> {
        self.arrays.iter().find(|array| array.name.as_deref() == Some(name))
    }

    /// The arrays as fields of a network: those with names by name, others in order, inputs first and targets behind. Errors:
    /// an array too many or too few, another shape or row count, a class out of range, a fraction where an integer must stand,
    /// NaN or an infinity, a length or a number that the network does not take.
    pub fn bind(&self, specs: &[FieldSpec]) -> Result<Dataset> {
        let (inputs, targets): (Vec<_>, Vec<_>) = specs.iter().partition(|spec| !spec.is_target);
        let mut data = Dataset::new();
        // Labels that nobody asks for are left out.
        let unasked = targets.is_empty() && self.arrays.len() > specs.len();
        if !self.by_name && !unasked && self.arrays.len() != specs.len() {
            return Err(self.another_count(specs));
        }
        for (place, spec) in inputs.into_iter().chain(targets).enumerate() {
            let found = if self.by_name { self.named(&spec.name) } else { self.arrays.get(place) };
            let array = found.ok_or_else(|| self.another_count(specs))?;
            let rows = row_limit(array.rows())?;
            if place > 0 && rows != data.rows {
                let found = format!("the array for `{}` has {rows} rows", spec.name);
                let expected = format!("{}, as the array before it", data.rows);
                return Err(Error::data(found, expected, "the files must describe the same rows").in_file(&array.file));
            }
            data.rows = rows;
            data.columns.push(Arc::new(array.column(spec).map_err(|error| error.in_file(&array.file))?));
        }
        Ok(data)
    }

    fn another_count(&self, specs: &[FieldSpec]) -> Error {
        let asked: Vec<String> =
            specs.iter().map(|spec| format!("`{}` {}{}", spec.name, spec.element, Shape(&spec.shape))).collect();
        let found = format!("the data holds the arrays {}", self.titles().join(", "));
        let help = match self.by_name {
            true => "choose the arrays in the order of the declaration (arrays), or name them as the network does",
            false => "give one array for each field, inputs first; targets may stand in a second file (targets)",
        };
        Error::data(found, format!("one for each of {}", asked.join(", ")), help).in_file(&self.files())
    }
}
