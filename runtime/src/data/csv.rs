//! Reading CSV: options, header, selection of columns, numbers; every mistake with its line, column and text.
//!
//! All selected cells are numbers, or names in columns that are said to hold some ([`Csv::categories`]). They are read as `f64`, in which every `f32`, `i32`, `u32` and class is exact, and rounded
//! once when [`Table::bind`] knows what they are.

use std::path::PathBuf;

use super::categories::Categories;
use super::records::{Record, Records, is_header, is_missing, number, text};
use super::source::Source;
use super::table::{Heading, Table};
use crate::error::{Error, Result};
use gradc_compiler::base::size::counted;

/// More columns than this are a file of another kind.
const MOST_COLUMNS: usize = 1 << 20;

/// A CSV file and how to read it; see [`super::Dataset::csv`].
#[derive(Clone, Debug)]
pub struct Csv {
    source: Source,
    header: Option<bool>,
    skip: usize,
    separator: Option<char>,
    columns: Option<Vec<String>>,
    targets: Vec<String>,
    /// Columns of names, with the names where their order is given.
    categories: Vec<(String, Option<Vec<String>>)>,
    /// Files that hold further columns, the last one first.
    others: Vec<Csv>,
}

impl<P: Into<PathBuf>> From<P> for Csv {
    fn from(path: P) -> Csv {
        Csv::of(Source::Path(path.into()))
    }
}

impl Csv {
    fn of(source: Source) -> Csv {
        Csv {
            source,
            header: None,
            skip: 0,
            separator: None,
            columns: None,
            targets: Vec::new(),
            categories: Vec::new(),
            others: Vec::new(),
        }
    }

    /// A reader of bytes that are part of the program, called `name` in errors.
    pub(super) fn of_bytes(name: &'static str, bytes: &'static [u8]) -> Csv {
        Csv::of(Source::Bytes { name, bytes })
    }

    /// Whether the first line holds names; by default it does if it is all text and the next line has a number.
    pub fn header(self, header: bool) -> Csv {
        Csv { header: Some(header), ..self }
    }

    /// Leaves out the first `lines` lines (default 0), before the header.
    pub fn skip(self, lines: usize) -> Csv {
        Csv { skip: lines, ..self }
    }

    /// The ASCII character between columns (default `,`); a run of spaces separates like one.
    pub fn separator(self, separator: char) -> Csv {
        Csv { separator: Some(separator), ..self }
    }

    /// The columns to read, in this order, by name or by number from 1 (default: all, in the order of the file). Names and numbers
    /// that the file does not have are those of the files behind it ([`Csv::targets`]), whose columns are counted on.
    pub fn columns<N: ToString>(self, names: impl IntoIterator<Item = N>) -> Csv {
        Csv { columns: Some(names.into_iter().map(|name| name.to_string()).collect()), ..self }
    }

    /// Moves the column, by name or by number from 1, behind all others, where targets are expected (default: the order of the
    /// file); to be called once for each column of a target, or not at all.
    pub fn target(mut self, name: impl ToString) -> Csv {
        self.targets.push(name.to_string());
        self
    }

    /// The column, by name or by number from 1, holds names: each is a class, numbered in the order of the names (by their bytes).
    /// A file that lacks a name would number them otherwise; see [`Csv::categories_in_order`]. The names stay with the data
    /// ([`super::Dataset::class_names`]).
    pub fn categories(mut self, column: impl ToString) -> Csv {
        self.categories.push((column.to_string(), None));
        self
    }

    /// As [`Csv::categories`], with the classes numbered in the order given; any other name in the column is an error.
    pub fn categories_in_order<N: ToString>(mut self, column: impl ToString, names: impl IntoIterator<Item = N>) -> Csv {
        self.categories.push((column.to_string(), Some(names.into_iter().map(|name| name.to_string()).collect())));
        self
    }

    /// Takes further columns, behind all of this file, from a second one: a path, or a reader with options of its own (its
    /// separator is this one's unless set).
    pub fn targets(self, file: impl Into<Csv>) -> Csv {
        let mut file = file.into();
        // A list, not a chain: a chain of many files would be as deep as it is long.
        let mut others = std::mem::take(&mut file.others);
        others.push(file);
        Csv { others, ..self }
    }

    /// Reads the file. Errors: it cannot be opened, decompressed or understood, a line of another width, a text or nothing
    /// where a number must stand, an unknown column, no rows, a second file of another row count.
    pub fn read(&self) -> Result<Table> {
        let files: Vec<&Csv> = std::iter::once(self).chain(self.others.iter().rev()).collect();
        let mut separator = None;
        let mut opened = Vec::with_capacity(files.len());
        for file in &files {
            separator = file.separator.or(separator);
            opened.push(file.open(separator)?);
        }
        choose(&files, &mut opened)?;
        let mut tables = opened.into_iter().map(Opened::read);
        let first = tables.next().expect("a reader is one of a file")?;
        tables.try_fold(first, |table, other| table.beside(other?))
    }

    /// Reads what the first lines say.
    fn open(&self, separator: Option<char>) -> Result<Opened<'_>> {
        let named_file = |error: Error| error.in_file(&self.source.name());
        let mut records = Records::open(&self.source, self.skip, separator.unwrap_or(','))?;
        let Some(first) = records.next()? else {
            return Err(named_file(no_rows()));
        };
        let second = records.next()?;
        let layout = self.layout(&first, second.as_ref()).map_err(named_file)?;
        let held = if layout.names.is_some() { [None, second] } else { [Some(first), second] };
        Ok(Opened { file: self.source.name(), records, held, layout, targets: 0 })
    }

    fn layout(&self, first: &Record, second: Option<&Record>) -> Result<Layout> {
        let guessed = self.header.is_none();
        let named = self.header.unwrap_or_else(|| second.is_some_and(|second| is_header(first, second)));
        let width = first.cells.len();
        if let (true, Some(second)) = (named && guessed, second)
            && width != second.cells.len()
        {
            let found = format!("the line has {}", counted(width, "column"));
            let expected = format!("{}, as on the next line", second.cells.len());
            let help = match separator_within(&text(&first.cells[0])).filter(|_| width == 1) {
                Some(separator) => separator_help(separator),
                None => "leave the line out if it holds no names (skip 1); if it does, repair the next one".to_owned(),
            };
            return Err(Error::data(found, expected, help).at(first.line, None));
        }
        if width > MOST_COLUMNS {
            let found = format!("the line has {}", counted(width, "column"));
            return Err(Error::data(found, format!("at most {MOST_COLUMNS}"), "check the separator").at(first.line, None));
        }
        let names = named.then(|| first.cells.iter().map(text).collect());
        let (selected, categories) = ((0..width).collect(), vec![None; width]);
        Ok(Layout { width, names, selected, may_be_names: guessed && !named, categories })
    }
}

/// Finds what each file asks for by name or number, in itself and in the files behind it. A file of which nothing is chosen keeps all
/// its columns.
fn choose(files: &[&Csv], opened: &mut [Opened<'_>]) -> Result<()> {
    let mut chosen: Vec<Option<Vec<usize>>> = vec![None; files.len()];
    for (place, file) in files.iter().enumerate() {
        let Some(columns) = &file.columns else { continue };
        chosen[place] = Some(Vec::new());
        for name in columns {
            let (from, column) = find(&opened[place..], name)?;
            chosen[place + from].get_or_insert_default().push(column);
        }
    }
    for (one, chosen) in opened.iter_mut().zip(chosen) {
        one.layout.selected = chosen.unwrap_or_else(|| (0..one.layout.width).collect());
    }
    for (place, file) in files.iter().enumerate() {
        let targets = file.targets.iter().map(|name| find(&opened[place..], name)).collect::<Result<Vec<_>>>()?;
        for &(from, column) in &targets {
            opened[place + from].layout.selected.retain(|known| *known != column);
        }
        for (from, column) in targets {
            let one = &mut opened[place + from];
            one.layout.selected.push(column);
            one.targets += 1;
        }
        for (name, order) in &file.categories {
            let (from, column) = find(&opened[place..], name)?;
            opened[place + from].layout.categories[column] = Some(Categories::new(name, order.as_deref())?);
        }
    }
    Ok(())
}

/// The file and column of a name, or of a number that counts on from file to file.
fn find(opened: &[Opened<'_>], name: &str) -> Result<(usize, usize)> {
    let named = |layout: &Layout| layout.names.as_ref()?.iter().position(|known| known == name);
    if let Some(found) = opened.iter().enumerate().find_map(|(place, one)| Some((place, named(&one.layout)?))) {
        return Ok(found);
    }
    let mut before = 0;
    for (place, one) in opened.iter().enumerate() {
        match name.parse::<usize>() {
            Ok(number) if (before + 1..=before + one.layout.width).contains(&number) => return Ok((place, number - 1 - before)),
            _ => before += one.layout.width,
        }
    }
    let found = format!("there is no column `{name}`");
    let range = format!("a number in 1..={before}");
    let files = opened.iter().map(|one| one.file.as_str()).collect::<Vec<_>>().join(" and ");
    let names: Vec<&String> = opened.iter().filter_map(|one| one.layout.names.as_ref()).flatten().collect();
    // A line that was not cut holds the names of all columns.
    let uncut = opened.iter().filter(|one| one.layout.width == 1).find_map(|one| {
        let first = one.held.iter().flatten().next().map(|record| text(&record.cells[0]));
        separator_within(&first.or_else(|| one.layout.names.as_ref()?.first().cloned())?)
    });
    let error = if let Some(separator) = uncut {
        Error::data(found, range, separator_help(separator))
    } else if names.is_empty() {
        Error::data(found, range, "the file has no line of names: give the number, or say that it has (header)")
    } else {
        let shown: Vec<String> = names.iter().take(12).map(|name| format!("`{name}`")).collect();
        let more = if names.len() > shown.len() { ", …" } else { "" };
        Error::data(found, format!("a name or {range}"), format!("the names are {}{more}", shown.join(", ")))
    };
    Err(error.in_file(&files))
}

/// A file whose first lines have been read.
struct Opened<'a> {
    file: String,
    records: Records<'a>,
    /// Lines that were read and hold numbers.
    held: [Option<Record>; 2],
    layout: Layout,
    /// Selected columns at the end that were called targets.
    targets: usize,
}

impl Opened<'_> {
    /// Reads the rest.
    fn read(self) -> Result<Table> {
        let Opened { file, mut records, held, mut layout, targets } = self;
        let named_file = |error: Error| error.in_file(&file);
        let mut table = Table::new(file.clone(), layout.headings());
        table.targets = targets;
        for record in held.into_iter().flatten() {
            layout.append(&mut table, &record).map_err(named_file)?;
        }
        while let Some(record) = records.next()? {
            layout.append(&mut table, &record).map_err(named_file)?;
        }
        if table.rows() == 0 {
            return Err(named_file(no_rows()));
        }
        for (place, column) in layout.selected.iter().enumerate() {
            if let Some(categories) = &layout.categories[*column] {
                table.number_classes(place, categories.sorted());
            }
        }
        Ok(table)
    }
}

fn no_rows() -> Error {
    Error::data("the file holds no rows", "at least one", "check the file and how many lines are skipped")
}

/// What the first lines of a file say about the others.
struct Layout {
    width: usize,
    names: Option<Vec<String>>,
    /// The columns to read, counted from 0, targets last.
    selected: Vec<usize>,
    /// Whether the first line was taken for numbers without being told so.
    may_be_names: bool,
    /// For each column of the file the names it holds, if it is said to hold names.
    categories: Vec<Option<Categories>>,
}

impl Layout {
    fn headings(&self) -> Vec<Heading> {
        let heading = |&column: &usize| Heading {
            name: self.names.as_ref().map(|names| names[column].clone()),
            file: 0,
            number: column + 1,
            classes: Vec::new(),
        };
        self.selected.iter().map(heading).collect()
    }

    fn append(&mut self, table: &mut Table, record: &Record) -> Result<()> {
        let count = record.cells.len();
        if count != self.width {
            let found = format!("the line has {}", counted(count, "column"));
            let expected = format!("{}, as on the lines before", self.width);
            let help = "repair the line; a decimal comma or a separator within a text needs quotes";
            return Err(Error::data(found, expected, help).at(record.line, None));
        }
        for &column in &self.selected {
            let cell = &record.cells[column];
            if let Some(categories) = &mut self.categories[column] {
                let class = categories.class(&text(cell)).map_err(|error| error.at(record.line, column + 1))?;
                table.values.push(f64::from(class));
                continue;
            }
            match number(cell) {
                Some(value) => table.values.push(value),
                None => return Err(self.not_a_number(record, column, table.rows() == 0)),
            }
        }
        table.end_row(record.line);
        Ok(())
    }

    fn not_a_number(&self, record: &Record, column: usize, first: bool) -> Error {
        let cell = text(&record.cells[column]);
        let name = self.names.as_ref().map(|names| format!(" in `{}`", names[column])).unwrap_or_default();
        let found = match cell.char_indices().nth(40) {
            _ if cell.is_empty() => format!("an empty cell{name}"),
            Some((end, _)) => format!("the text \"{}…\"{name}", &cell[..end]),
            None => format!("the text {cell:?}{name}"),
        };
        let help = number_help(&cell, self.width, first && self.may_be_names);
        Error::data(found, "a number", help).at(record.line, column + 1)
    }
}

/// Separators that files have in place of a comma.
const SEPARATORS: [char; 4] = [';', '\t', '|', ' '];

fn separator_help(separator: char) -> String {
    format!("the columns look separated by {separator:?}: set the separator")
}

/// What seems to part the names of a line that has not been cut; words of a name are parted by spaces.
fn separator_within(line: &str) -> Option<char> {
    SEPARATORS.into_iter().find(|separator| *separator != ' ' && line.contains(*separator))
}

/// Whether commas part the number's thousands, or may do so: `1,200`, `-1,234,567.5`.
fn is_grouped(cell: &str) -> bool {
    let whole = cell.trim_start_matches(['+', '-']).split('.').next().unwrap_or_default();
    let mut groups = whole.split(',');
    let is_digits = |group: &str| !group.is_empty() && group.bytes().all(|byte| byte.is_ascii_digit());
    let first = groups.next().is_some_and(|first| is_digits(first) && first.len() <= 3 && !first.starts_with('0'));
    first && whole.contains(',') && groups.all(|group| group.len() == 3 && is_digits(group))
}

/// What to do about `cell`, which is no number.
fn number_help(cell: &str, width: usize, may_be_name: bool) -> String {
    let separated = |&separator: &char| {
        let mut parts = cell.split(separator).filter(|part| !part.is_empty());
        cell.contains(separator) && parts.all(|part| number(part.replace(',', ".").as_bytes()).is_some())
    };
    let separator = SEPARATORS.into_iter().find(separated).or_else(|| separator_within(cell).filter(|_| width == 1));
    if let Some(separator) = separator {
        return separator_help(separator);
    }
    if cell.contains('\r') {
        return "end each line with a line feed: a carriage return alone ends none".to_owned();
    }
    if is_grouped(cell) {
        let (point, plain) = (cell.replacen(',', ".", 1), cell.replace(',', ""));
        return match number(point.as_bytes()) {
            Some(_) => format!(
                "{cell} may be two numbers: write {point} where the comma is a decimal one, {plain} where it parts thousands"
            ),
            None => format!("nothing parts the thousands of a number: {plain} for {cell}"),
        };
    }
    if cell.contains(',') && number(cell.replacen(',', ".", 1).as_bytes()).is_some() {
        return format!("numbers have a decimal point: {} for {cell}", cell.replacen(',', ".", 1));
    }
    if is_missing(cell) {
        return "fill the missing value in, leave the row out, or choose other columns (columns)".to_owned();
    }
    if may_be_name {
        return "if the line holds names, say so (header); if it holds something else, leave it out (skip 1)".to_owned();
    }
    let choice = if width > 1 {
        "say that its column holds names of classes (categories), or leave it out (columns)"
    } else {
        "check the separator"
    };
    format!("write a number for the text, or {choice}")
}
