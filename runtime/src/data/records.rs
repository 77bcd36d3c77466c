//! Lines of cells: what the `csv` crate reads, with the line numbers a person sees in an editor.

use std::cell::Cell;
use std::io::{self, Read};
use std::rc::Rc;

use ::csv::{ByteRecord, Reader, ReaderBuilder, Terminator};

use super::source::Source;
use crate::error::{Error, Result};

/// One line of cells with its number in the file.
pub(super) struct Record {
    pub line: usize,
    pub cells: ByteRecord,
}

/// The lines of a file that are not blank.
pub(super) struct Records<'a> {
    source: &'a Source,
    reader: Reader<Box<dyn Read>>,
    skipped: usize,
    /// Whether a run of separators counts as one.
    runs: bool,
    /// Whether the reader has asked for more than there is.
    ended: Rc<Cell<bool>>,
}

/// A text that tells when it has been read beyond its end.
struct Watched<R> {
    text: R,
    ended: Rc<Cell<bool>>,
}

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let count = self.text.read(bytes)?;
        self.ended.set(count == 0);
        Ok(count)
    }
}

impl<'a> Records<'a> {
    /// The lines of `source` behind the first `skip`, cut at `separator`.
    pub(super) fn open(source: &'a Source, skip: usize, separator: char) -> Result<Records<'a>> {
        let Some(delimiter) = u8::try_from(separator).ok().filter(|byte| byte.is_ascii() && !b"\r\n\"".contains(byte)) else {
            return Err(Error::setting("separator", format!("{separator:?}"), "one ASCII character, no quote, no line end"));
        };
        let text = source.text(skip)?;
        // The reader counts line feeds: with one at the very end a record's line is known in every case.
        let ended = Rc::new(Cell::new(false));
        let text: Box<dyn Read> = Box::new(Watched { text: text.chain(&b"\n"[..]), ended: ended.clone() });
        let reader = ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(delimiter)
            .terminator(Terminator::Any(b'\n'))
            .from_reader(text);
        Ok(Records { source, reader, skipped: skip, runs: separator == ' ', ended })
    }

    /// The next line that is not blank.
    pub(super) fn next(&mut self) -> Result<Option<Record>> {
        let mut cells = ByteRecord::new();
        while self.reader.read_byte_record(&mut cells).map_err(|error| self.broken(error))? {
            // Before runs of separators are joined: a record's line feeds lie within its quotes and behind its end.
            let within = cells.as_slice().iter().filter(|&&byte| byte == b'\n').count();
            let behind = self.reader.position().line() as usize;
            if self.ended.get() {
                // The last line feed is ours; one that is swallowed lies within a quote.
                let line = self.skipped.saturating_add(behind.saturating_sub(within));
                let help = "close the quote, or take it away; it swallows all that follows";
                return Err(self.source.problem("a quote is not closed", "", help).at(line, None));
            }
            if self.runs {
                cells = cells.iter().filter(|cell| !cell.trim_ascii().is_empty()).collect();
            }
            let blank = cells.len() <= 1 && cells.iter().all(|cell| cell.trim_ascii().is_empty());
            if !blank {
                return Ok(Some(Record { line: self.skipped.saturating_add(behind.saturating_sub(1 + within)), cells }));
            }
        }
        Ok(None)
    }

    fn broken(&self, error: ::csv::Error) -> Error {
        match error.into_kind() {
            ::csv::ErrorKind::Io(error) => self.source.broken(error),
            other => Error::Internal { pass: "csv".to_owned(), text: format!("{other:?}") },
        }
    }
}

/// Whether the first line holds names: nothing but texts (or nothing) in it, and one of them above a number.
///
/// One number in the line, or a mark of a missing value, makes it data: a row must not vanish because a value in it is faulty.
pub(super) fn is_header(first: &Record, second: &Record) -> bool {
    let name_or_empty = |cell: &[u8]| {
        let cell = text(cell);
        cell.is_empty() || !is_missing(&cell) && number(cell.replacen(',', ".", 1).as_bytes()).is_none()
    };
    let mut pairs = first.cells.iter().zip(&second.cells);
    first.cells.iter().all(name_or_empty)
        && pairs.any(|(first, second)| !first.trim_ascii().is_empty() && number(second).is_some())
}

/// Whether the cell is a usual mark of a missing value.
pub(super) fn is_missing(cell: &str) -> bool {
    const MARKS: [&str; 7] = ["", "?", "-", "na", "n/a", "null", "none"];
    MARKS.contains(&cell.to_lowercase().as_str())
}

/// The cell as a number, white space around it aside.
pub(super) fn number(cell: &[u8]) -> Option<f64> {
    std::str::from_utf8(cell).ok()?.trim().parse().ok()
}

/// The cell without white space around it.
pub(super) fn text(cell: &[u8]) -> String {
    String::from_utf8_lossy(cell).trim().to_owned()
}
