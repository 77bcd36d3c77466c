//! [`Table`]: raw numbers with the places they came from, before a network says what they mean.

use super::arrays::named_classes;
use super::check::{class_help, class_range, first_wrong, row_limit, row_width};
use super::{Column, Dataset, Element, FieldSpec, Values};
use crate::error::{Error, Result, Shape};
use gradc_compiler::base::size::counted;
use std::sync::Arc;

/// Where a column of a table came from.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Heading {
    /// `None` where the file has no line of names.
    pub name: Option<String>,
    /// Index into the table's files.
    pub file: usize,
    /// Counted from 1.
    pub number: usize,
    /// The names that the values count, if the column holds names.
    pub classes: Vec<String>,
}

#[derive(Clone, Debug)]
struct Origin {
    file: String,
    /// The line of each row, counted from 1.
    lines: Vec<usize>,
}

/// The selected columns of one or two files, `[rows, width]`.
#[derive(Clone, Debug)]
pub struct Table {
    headings: Vec<Heading>,
    origins: Vec<Origin>,
    /// Row-major.
    pub(super) values: Vec<f64>,
    /// Columns at the end that are targets, if any was called so.
    pub(super) targets: usize,
}

impl Table {
    pub(super) fn new(file: String, headings: Vec<Heading>) -> Table {
        Table { headings, origins: vec![Origin { file, lines: Vec::new() }], values: Vec::new(), targets: 0 }
    }

    /// Ends a row whose values have been pushed.
    pub(super) fn end_row(&mut self, line: usize) {
        if let Some(origin) = self.origins.first_mut() {
            origin.lines.push(line);
        }
    }

    /// Replaces the numbers of the column at `place` by those that its classes, now all known, have at last.
    pub(super) fn number_classes(&mut self, place: usize, (classes, numbers): (Vec<String>, Vec<u32>)) {
        let width = self.width();
        for value in self.values.iter_mut().skip(place).step_by(width) {
            *value = f64::from(numbers[*value as usize]);
        }
        self.headings[place].classes = classes;
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.origins.first().map_or(0, |origin| origin.lines.len())
    }

    /// The number of columns.
    pub fn width(&self) -> usize {
        self.headings.len()
    }

    /// The columns' names, in order; `column 3` where the file names none.
    pub fn names(&self) -> Vec<String> {
        self.headings.iter().map(Heading::title).collect()
    }

    /// All values, `[rows, width]` row-major.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// The columns of `self`, then those of `other`; an error unless both have the same number of rows.
    pub(super) fn beside(self, other: Table) -> Result<Table> {
        if self.rows() != other.rows() {
            let found = format!("{} has {} rows", other.file_names(), other.rows());
            let expected = format!("{}, as {} has", self.rows(), self.file_names());
            return Err(Error::data(found, expected, "the files must describe the same rows; skip lines that hold no data"));
        }
        let (left, right) = (self.width(), other.width());
        let mut values = Vec::with_capacity(self.values.len() + other.values.len());
        for row in 0..self.rows() {
            values.extend_from_slice(&self.values[row * left..(row + 1) * left]);
            values.extend_from_slice(&other.values[row * right..(row + 1) * right]);
        }
        let shift = self.origins.len();
        let moved = other.headings.into_iter().map(|heading| Heading { file: heading.file + shift, ..heading });
        Ok(Table {
            headings: self.headings.into_iter().chain(moved).collect(),
            origins: self.origins.into_iter().chain(other.origins).collect(),
            values,
            // What follows a target is one as well.
            targets: other.targets + if self.targets > 0 { self.targets + right - other.targets } else { 0 },
        })
    }

    fn file_names(&self) -> String {
        self.origins.iter().map(|origin| origin.file.as_str()).collect::<Vec<_>>().join(" and ")
    }

    /// The columns as fields of a network, inputs first and targets behind, each taking as many columns as its row has values.
    /// Errors: another number of columns, a class out of range, a fraction where an integer must stand, NaN or an infinity, a
    /// length or a number that the network does not take; each with line and column.
    pub fn bind(&self, specs: &[FieldSpec]) -> Result<Dataset> {
        let (inputs, targets): (Vec<_>, Vec<_>) = specs.iter().partition(|spec| !spec.is_target);
        let ordered = || inputs.iter().chain(&targets);
        ordered().try_for_each(|spec| row_width(&spec.name, &spec.shape).map(|_| ()))?;
        let asked = ordered().fold(0usize, |sum, spec| sum.saturating_add(spec.width()));
        if asked != self.width() {
            return Err(self.another_width(asked, ordered().copied()));
        }
        let declared = targets.iter().fold(0usize, |sum, spec| sum.saturating_add(spec.width()));
        if self.targets > 0 && self.targets != declared {
            return Err(self.other_targets(declared, &targets));
        }
        let rows = row_limit(self.rows())?;
        let mut start = 0;
        let mut columns = Vec::with_capacity(specs.len());
        for spec in ordered() {
            let end = start + spec.width();
            let classes = self.classes(spec, start, end)?;
            let values = self.converted(spec, start, end)?;
            let (name, shape) = (spec.name.clone(), spec.shape.clone());
            let column = Column { name, element: spec.element, shape, values, classes };
            if let Some(wrong) = first_wrong(&column, spec) {
                let (row, place) = (wrong.index / spec.width(), start + wrong.index % spec.width());
                return Err(self.at(row, place, wrong.error("")));
            }
            columns.push(Arc::new(column));
            start = end;
        }
        Ok(Dataset { columns, rows })
    }

    /// The names of the classes in columns `start..end`, which are one field.
    fn classes(&self, spec: &FieldSpec, start: usize, end: usize) -> Result<Vec<String>> {
        let headings = &self.headings[start..end];
        let Some(first) = headings.first() else { return Ok(Vec::new()) };
        let file = &self.origins[first.file].file;
        if let Some(other) = headings.iter().find(|heading| heading.classes != first.classes) {
            let found = format!("{} and {} of `{}` have different classes", first.title(), other.title(), spec.name);
            let help = "give the names of both columns in one order (categories_in_order)";
            return Err(Error::data(found, "one list of names for a field", help).in_file(file));
        }
        named_classes(&first.classes, spec).map_err(|error| error.in_file(file))?;
        Ok(first.classes.clone())
    }

    fn another_width<'a>(&self, asked: usize, specs: impl Iterator<Item = &'a FieldSpec>) -> Error {
        let found = format!("the data has {}", counted(self.width(), "column"));
        let expected = if asked == 0 { "none: the network has no inputs".into() } else { format!("{asked}: {}", listed(specs)) };
        let help = "choose the columns in the order of the declaration (columns, target), or change the network's inputs";
        Error::data(found, expected, help).in_file(&self.file_names())
    }

    fn other_targets(&self, declared: usize, specs: &[&FieldSpec]) -> Error {
        let named: Vec<String> =
            self.headings[self.width() - self.targets..].iter().map(|heading| format!("`{}`", heading.title())).collect();
        let found = format!("named as columns of targets: {}", named.join(", "));
        let expected = if declared == 0 { "none".into() } else { format!("{declared}: {}", listed(specs.iter().copied())) };
        let help = "name each column of a target, and no other (target)";
        Error::data(found, expected, help).in_file(&self.file_names())
    }

    /// Columns `start..end` as the element of `spec`.
    fn converted(&self, spec: &FieldSpec, start: usize, end: usize) -> Result<Values> {
        match spec.element {
            Element::F32 => Ok(Values::F32(self.each(
                start,
                end,
                |value| {
                    let rounded = value as f32;
                    rounded.is_finite().then_some(rounded)
                },
                |cell| self.not_finite(spec, cell, start, end),
            )?)),
            Element::Class(classes) => self.integers(spec, start, end, 0.0, f64::from(classes) - 1.0),
            Element::I32 => self.integers(spec, start, end, f64::from(i32::MIN), f64::from(i32::MAX)),
            Element::U32 => self.integers(spec, start, end, 0.0, f64::from(u32::MAX)),
            Element::Bool => self.integers(spec, start, end, 0.0, 1.0),
        }
    }

    fn integers(&self, spec: &FieldSpec, start: usize, end: usize, least: f64, greatest: f64) -> Result<Values> {
        let convert = |value: f64| {
            let whole = value.fract() == 0.0 && (least..=greatest).contains(&value);
            // Through i64, so that negative numbers keep their 32 bits.
            whole.then_some(value as i64 as u32)
        };
        Ok(Values::U32(self.each(start, end, convert, |cell| self.not_an_integer(spec, cell, start, end))?))
    }

    fn each<T>(
        &self,
        start: usize,
        end: usize,
        convert: impl Fn(f64) -> Option<T>,
        refuse: impl Fn((usize, usize)) -> Error,
    ) -> Result<Vec<T>> {
        let mut converted = Vec::with_capacity(self.rows() * (end - start));
        for row in 0..self.rows() {
            for column in start..end {
                let value = self.values[row * self.width() + column];
                converted.push(convert(value).ok_or_else(|| refuse((row, column)))?);
            }
        }
        Ok(converted)
    }

    fn not_finite(&self, spec: &FieldSpec, (row, column): (usize, usize), start: usize, end: usize) -> Error {
        let value = self.values[row * self.width() + column];
        let rows =
            self.values.chunks(self.width()).filter(|row| row[start..end].iter().any(|value| !(*value as f32).is_finite()));
        let found =
            format!("{} is {value:?}, in {} of `{}`", self.headings[column].title(), counted(rows.count(), "row"), spec.name);
        self.refusal(
            row,
            column,
            found,
            "finite f32 numbers".to_owned(),
            "leave these rows out, or fill the values in".to_owned(),
        )
    }

    fn not_an_integer(&self, spec: &FieldSpec, (row, column): (usize, usize), start: usize, end: usize) -> Error {
        let value = self.values[row * self.width() + column];
        let fraction = value.fract() != 0.0;
        let (found, expected, help) = match spec.element {
            Element::Class(classes) => {
                let all = || self.values.chunks(self.width()).flat_map(|row| row[start..end].iter().copied());
                let (least, greatest) = (all().fold(f64::INFINITY, f64::min), all().fold(f64::NEG_INFINITY, f64::max));
                let help = if fraction {
                    "a label is a whole number; a quantity is declared without `class`".to_owned()
                } else {
                    class_help(classes, least, greatest)
                };
                (format!("`{}` has the label {value}", spec.name), class_range(classes), help)
            }
            element => {
                let help = format!("give the values as {element}, or declare `{}` without it", spec.name);
                let expected =
                    if element == Element::Bool { "0 or 1".to_owned() } else { format!("an integer that fits {element}") };
                (format!("`{}` has the value {value}", spec.name), expected, help)
            }
        };
        self.refusal(row, column, found, expected, help)
    }

    fn refusal(&self, row: usize, column: usize, found: String, expected: String, help: String) -> Error {
        self.at(row, column, Error::data(found, expected, help))
    }

    /// An error at a value, with its place in the file.
    fn at(&self, row: usize, column: usize, error: Error) -> Error {
        let heading = &self.headings[column];
        let origin = &self.origins[heading.file];
        error.at(origin.lines[row], heading.number).in_file(&origin.file)
    }
}

/// Fields with element and shape.
fn listed<'a>(specs: impl Iterator<Item = &'a FieldSpec>) -> String {
    specs.map(|spec| format!("`{}` {}{}", spec.name, spec.element, Shape(&spec.shape))).collect::<Vec<_>>().join(", ")
}

impl Heading {
    fn title(&self) -> String {
        self.name.clone().unwrap_or_else(|| format!("column {}", self.number))
    }
}
