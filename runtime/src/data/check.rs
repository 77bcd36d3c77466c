//! What a dataset must satisfy before the first step: names, element types, shapes, row counts, ranges, finite numbers.

use super::{Column, Dataset, Element, FieldSpec, Values, width};
use crate::error::{Error, Result, Shape};
use gradc_compiler::nn::parameters::{Asked, Domain};

impl Dataset {
    /// The fields that `specs` ask for, found by name and put in that order, with every value checked; fields that nobody asks
    /// for are left out. Errors: no rows, a missing field, another element or shape, a class out of range, NaN or an infinity, a length
    /// or a number that the network does not take.
    pub fn select(&self, specs: &[FieldSpec]) -> Result<Dataset> {
        if self.rows == 0 {
            return Err(Error::data("the dataset has no rows", "", "give at least one row"));
        }
        let mut columns = Vec::with_capacity(specs.len());
        for spec in specs {
            let found = self.columns.iter().find(|column| column.name == spec.name);
            let column = found.ok_or_else(|| self.missing(spec))?;
            fits(column, spec)?;
            if let Some(wrong) = first_wrong(column, spec) {
                return Err(at(wrong.index, spec.width().max(1), wrong.error("")));
            }
            columns.push(column.clone());
        }
        Ok(Dataset { columns, rows: self.rows })
    }

    /// Whether [`Dataset::select`] would accept the fields, with its errors.
    pub fn check(&self, specs: &[FieldSpec]) -> Result<()> {
        self.select(specs).map(|_| ())
    }

    fn missing(&self, spec: &FieldSpec) -> Error {
        let names: Vec<String> = self.columns().map(|column| format!("`{}`", column.name)).collect();
        let kind = if spec.is_target { "target" } else { "input" };
        Error::data(
            format!("the dataset lacks the {kind} `{}`", spec.name),
            format!("{}{}", spec.element, Shape(&spec.shape)),
            format!("its fields are {}; names must be those of the network", names.join(", ")),
        )
    }
}

fn fits(column: &Column, spec: &FieldSpec) -> Result<()> {
    if column.shape != spec.shape {
        return Err(Error::Shape {
            name: column.name.clone(),
            found: column.shape.clone(),
            expected: spec.shape.clone(),
            help: "shapes are those of one row, without the batch dimension".into(),
        });
    }
    let row_width = spec.width().max(1);
    match (&column.values, column.element, spec.element) {
        (Values::F32(values), Element::F32, Element::F32) => finite(&column.name, row_width, values),
        // Unsigned integers may serve as classes: the range is checked either way.
        (Values::U32(values), Element::Class(_) | Element::U32, Element::Class(classes)) => {
            in_range(&column.name, classes, row_width, values)
        }
        (_, found, expected) if found == expected => Ok(()),
        (_, found, expected) => Err(Error::data(
            format!("`{}` holds {found}", column.name),
            expected.to_string(),
            "convert the values; nothing is converted silently",
        )),
    }
}

fn finite(name: &str, row_width: usize, values: &[f32]) -> Result<()> {
    let Some(first) = values.iter().position(|value| !value.is_finite()) else {
        return Ok(());
    };
    let rows = values.chunks(row_width).filter(|row| row.iter().any(|value| !value.is_finite())).count();
    let found = format!("`{name}` is {} ({rows} such rows)", values[first]);
    Err(at(first, row_width, Error::data(found, "finite numbers", "leave these rows out, or fill the values in")))
}

/// `labels` as indices, or the first that is not in `0..classes`.
pub(super) fn labels<L: Copy + TryInto<i64>>(name: &str, classes: u32, row_width: usize, labels: &[L]) -> Result<Vec<u32>> {
    in_range(name, classes, row_width, labels)?;
    Ok(labels.iter().map(|label| wide(label) as u32).collect())
}

fn wide<L: Copy + TryInto<i64>>(label: &L) -> i64 {
    (*label).try_into().unwrap_or(i64::MAX)
}

/// Whether all labels are in `0..classes`; the error names the first that is not.
fn in_range<L: Copy + TryInto<i64>>(name: &str, classes: u32, row_width: usize, labels: &[L]) -> Result<()> {
    let outside = |label: i64| !(0..i64::from(classes)).contains(&label);
    let Some(first) = labels.iter().position(|label| outside(wide(label))) else { return Ok(()) };
    let least = labels.iter().map(wide).min().unwrap_or(0) as f64;
    let greatest = labels.iter().map(wide).max().unwrap_or(0) as f64;
    let found = format!("`{name}` has the label {}", wide(&labels[first]));
    let error = Error::data(found, class_range(classes), class_help(classes, least, greatest));
    Err(at(first, row_width.max(1), error))
}

/// A value that the network does not take, though it is one of the field's element.
pub(super) struct Wrong {
    /// Where it stands among the values of the field.
    pub index: usize,
    found: String,
    /// How many there are.
    count: String,
    expected: String,
    help: String,
}

impl Wrong {
    /// The error, with words for the place where those of [`Error::at`] will not do.
    pub(super) fn error(self, place: &str) -> Error {
        let Wrong { found, count, expected, help, .. } = self;
        Error::data(format!("{found}{place} ({count})"), expected, help)
    }
}

/// The first value of a field that native code would not see as it is, that is no length of a row, or no number that a loss takes, where it
/// is asked to be.
pub(super) fn first_wrong(column: &Column, spec: &FieldSpec) -> Option<Wrong> {
    too_large(column)
        .or_else(|| spec.steps.and_then(|steps| wrong_length(column, steps)))
        .or_else(|| spec.asked.iter().find_map(|asked| wrong_number(column, *asked)))
}

fn number(column: &Column, index: usize) -> Option<f64> {
    match &column.values {
        Values::F32(values) => values.get(index).map(|value| f64::from(*value)),
        Values::U32(words) if column.element == Element::I32 => words.get(index).map(|word| f64::from(*word as i32)),
        Values::U32(words) => words.get(index).map(|word| f64::from(*word)),
    }
}

fn numbers(column: &Column) -> impl Iterator<Item = f64> {
    (0..).map_while(|index| number(column, index))
}

/// The first number of a field of u32 beyond native integers, which have a sign.
fn too_large(column: &Column) -> Option<Wrong> {
    let Values::U32(words) = &column.values else { return None };
    let is_wrong = |word: &u32| column.element == Element::U32 && i32::try_from(*word).is_err();
    let index = words.iter().position(is_wrong)?;
    Some(Wrong {
        index,
        found: format!("`{}` is {}", column.name, words[index]),
        count: format!("{} such values", words.iter().filter(|word| is_wrong(word)).count()),
        expected: format!("u32 up to {}", i32::MAX),
        help: "count larger numbers from another start, or hash them to fewer".to_owned(),
    })
}

/// The first row that has not at least one of `steps` steps, or more than there are.
fn wrong_length(column: &Column, steps: usize) -> Option<Wrong> {
    let is_wrong = |length: &f64| !(1.0..=steps as f64).contains(length);
    let (index, found) = numbers(column).enumerate().find(|(_, length)| is_wrong(length))?;
    let help = match found {
        found if found < 1.0 => "leave rows without a step out".to_owned(),
        _ => format!("cut these rows off after {steps} steps, or declare more"),
    };
    Some(Wrong {
        index,
        found: format!("`{}` says {found} steps", column.name),
        count: format!("{} such rows", numbers(column).filter(is_wrong).count()),
        expected: format!("a length in 1..={steps}"),
        help,
    })
}

/// The first number that a loss does not take.
fn wrong_number(column: &Column, asked: Asked) -> Option<Wrong> {
    let is_wrong = |value: &f64| !asked.domain.holds(*value);
    let (index, found) = numbers(column).enumerate().find(|(_, value)| is_wrong(value))?;
    let (expected, help) = match asked.domain {
        Domain::Shares => ("numbers from 0 to 1", "scale them into this range, or take another loss"),
        Domain::Signs if numbers(column).all(|value| value == 0.0 || value == 1.0) => {
            ("-1 and 1", "write `2 * y - 1` for what is 0 and 1")
        }
        Domain::Signs => ("-1 and 1", "give the one class -1 and the other 1"),
        Domain::NotNegative => ("numbers from 0 on", "give rows that are to be left out a weight of 0"),
    };
    // As it was written, not as f64 sees it.
    let shown = if column.element == Element::F32 { (found as f32).to_string() } else { found.to_string() };
    Some(Wrong {
        index,
        found: format!("`{}` is {shown}", column.name),
        count: format!("{} such values", numbers(column).filter(is_wrong).count()),
        expected: format!("{expected}, as {} takes them", asked.by),
        help: help.to_owned(),
    })
}

/// The range of `classes` classes in words.
pub(super) fn class_range(classes: u32) -> String {
    format!("a class in 0..={}", i64::from(classes) - 1)
}

/// What to do when labels between `least` and `greatest` do not fit `classes` classes.
pub(super) fn class_help(classes: u32, least: f64, greatest: f64) -> String {
    // One label alone does not show where they start.
    if least >= 1.0 && least < greatest && greatest == f64::from(classes) {
        "the labels seem to start at 1: subtract 1 from each".to_owned()
    } else if least < 0.0 {
        format!("labels start at 0, the least here is {least}: number the classes anew, or leave these rows out")
    } else {
        format!("the greatest label is {greatest}: declare more classes, or leave these rows out")
    }
}

/// The rows of a new field of `count` values, which must agree with the fields of `data`.
pub(super) fn row_count(data: &Dataset, name: &str, shape: &[usize], count: usize) -> Result<usize> {
    if data.column(name).is_some() {
        return Err(Error::data(format!("two fields are called `{name}`"), "", "give one of them another name"));
    }
    let row_width = row_width(name, shape)?;
    if !count.is_multiple_of(row_width) {
        let found = format!("`{name}` has {count} values");
        let expected = format!("a multiple of {row_width}, the size of a row {}", Shape(shape));
        return Err(Error::data(found, expected, "the shape is that of one row, without the batch dimension"));
    }
    let rows = row_limit(count / row_width)?;
    if !data.columns.is_empty() && rows != data.rows {
        let found = format!("`{name}` has {rows} rows");
        return Err(Error::data(found, format!("{}, as the fields before it", data.rows), "give every field one entry a row"));
    }
    Ok(rows)
}

/// Values in a row of this shape; an error if there are none, or more than there are numbers.
pub(super) fn row_width(name: &str, shape: &[usize]) -> Result<usize> {
    match width(shape) {
        0 | usize::MAX => {
            let found = format!("a row of `{name}` has the shape {}", Shape(shape));
            Err(Error::data(found, "at least one value, and as many as memory can hold", "name the extents of one row"))
        }
        width => Ok(width),
    }
}

/// `rows`, unless orders of so many rows do not fit 32-bit indices.
pub(super) fn row_limit(rows: usize) -> Result<usize> {
    if u32::try_from(rows).is_ok() {
        return Ok(rows);
    }
    Err(Error::data(format!("the dataset has {rows} rows"), format!("at most {}", u32::MAX), "train on a part of the rows"))
}

/// Where parts of the given fractions begin and end: one bound more than parts.
pub(super) fn split_bounds(fractions: &[f64], rows: usize) -> Result<Vec<usize>> {
    let sum: f64 = fractions.iter().sum();
    let listed = || format!("{fractions:?}");
    // NaN is not above zero, so it fails here and never reaches the sum.
    if !fractions.iter().all(|&fraction| fraction > 0.0) || (sum - 1.0).abs() > 1e-6 {
        return Err(Error::setting("split", listed(), "positive fractions whose sum is 1, such as 0.7, 0.15, 0.15"));
    }
    let mut bounds = vec![0];
    let mut passed = 0.0;
    for fraction in fractions {
        passed += fraction;
        bounds.push(((passed * rows as f64).round() as usize).min(rows));
    }
    // A sum just below 1 loses no row.
    bounds[fractions.len()] = rows;
    if let Some(part) = bounds.windows(2).position(|ends| ends[0] == ends[1]) {
        return Err(Error::data(
            format!("part {} of the split {} of {rows} rows is empty", part + 1, listed()),
            "at least one row in each",
            "give it a larger fraction, or more rows",
        ));
    }
    Ok(bounds)
}

/// An error if one of these numbers is that of no row.
pub(super) fn row_numbers(numbers: &[usize], rows: usize) -> Result<()> {
    let Some(place) = numbers.iter().position(|number| *number >= rows) else { return Ok(()) };
    let found = format!("number {place} of the rows is {}", numbers[place]);
    Err(Error::data(found, format!("one of 0..{rows}"), "rows are counted from 0"))
}

/// An error unless two datasets have the same fields in the same order.
pub(super) fn same_fields(ours: &Dataset, theirs: &Dataset) -> Result<()> {
    let described = |data: &Dataset| -> Vec<String> {
        let classes = |column: &Column| match column.classes.is_empty() {
            true => String::new(),
            false => format!(" ({})", column.classes.join(", ")),
        };
        let described =
            |column: &Column| format!("{}: {}{}{}", column.name, column.element, Shape(&column.shape), classes(column));
        data.columns().map(described).collect()
    };
    let (ours, theirs) = (described(ours), described(theirs));
    if ours == theirs {
        return Ok(());
    }
    let listed = |fields: &[String]| match fields.is_empty() {
        true => "no fields".to_owned(),
        false => format!("the fields {}", fields.join(", ")),
    };
    let found = format!("the second dataset has {}", listed(&theirs));
    Err(Error::data(found, listed(&ours), "put together only datasets of the same fields in the same order"))
}

/// An error at the value `index` of a field whose rows are `row_width` long.
fn at(index: usize, row_width: usize, error: Error) -> Error {
    error.at(index / row_width, (row_width > 1).then_some(index % row_width))
}
