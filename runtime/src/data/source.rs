//! From a file to what is behind it: gzip is known by its first bytes, whatever the name says. (A byte-order mark is left to
//! the CSV reader, which drops it.)

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::PathBuf;

use flate2::bufread::MultiGzDecoder;

use crate::error::{Error, Result};

/// Where the bytes of a file lie.
#[derive(Clone, Debug)]
pub(super) enum Source {
    Path(PathBuf),
    Bytes { name: &'static str, bytes: &'static [u8] },
}

const GZIP: &[u8] = &[0x1f, 0x8b];

/// Beginnings of files that are no CSV, and what they are.
const FOREIGN: [(&[u8], &str); 6] = [
    (&[0xff, 0xfe], "UTF-16 text"),
    (&[0xfe, 0xff], "UTF-16 text"),
    (b"PK\x03\x04", "a zip archive or spreadsheet"),
    (b"PAR1", "a Parquet file"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"\x89HDF", "an HDF5 file"),
];

impl Source {
    /// The name to show in errors.
    pub(super) fn name(&self) -> String {
        match self {
            Source::Path(path) => path.display().to_string(),
            Source::Bytes { name, .. } => (*name).to_owned(),
        }
    }

    /// The bytes, decompressed; errors if it cannot be opened, or is named `.gz` without being gzip.
    pub(super) fn open(&self) -> Result<Box<dyn BufRead>> {
        let mut raw: Box<dyn BufRead> = match self {
            Source::Path(path) => Box::new(BufReader::new(File::open(path).map_err(|error| Error::read(path, error))?)),
            Source::Bytes { bytes, .. } => Box::new(*bytes),
        };
        let start = self.peek(&mut raw)?;
        if !start.starts_with(GZIP) {
            if self.name().ends_with(".gz") && !start.is_empty() {
                let first: Vec<String> = start.iter().take(2).map(|byte| format!("{byte:02x}")).collect();
                return Err(self.problem(
                    format!("the file is called .gz, but begins with the bytes {}", first.join(" ")),
                    "1f 8b, as gzip begins",
                    "if it is not compressed, take .gz from its name",
                ));
            }
            return Ok(raw);
        }
        let mut plain: Box<dyn BufRead> = Box::new(BufReader::new(MultiGzDecoder::new(raw)));
        if self.peek(&mut plain)?.starts_with(GZIP) {
            return Err(self.problem("the file is compressed twice", "gzip once at most", "decompress it once"));
        }
        Ok(plain)
    }

    /// The text after `skip` lines; errors as [`Source::open`], and if it is no text.
    pub(super) fn text(&self, skip: usize) -> Result<Box<dyn BufRead>> {
        let mut text = self.open()?;
        let start = self.peek(&mut text)?;
        if start.contains(&0) && !start.starts_with(&[0xff, 0xfe]) && !start.starts_with(&[0xfe, 0xff]) {
            return Err(self.problem("the file begins with binary data", "CSV in UTF-8", "save it as CSV in UTF-8"));
        }
        if let Some((_, kind)) = FOREIGN.iter().find(|(mark, _)| start.starts_with(mark)) {
            return Err(self.problem(format!("the file is {kind}"), "CSV in UTF-8", "save it as CSV in UTF-8"));
        }
        let mut line = Vec::new();
        for _ in 0..skip {
            line.clear();
            if text.read_until(b'\n', &mut line).map_err(|error| self.broken(error))? == 0 {
                break;
            }
        }
        Ok(text)
    }

    /// The first bytes, up to eight, left unread.
    fn peek(&self, reader: &mut impl BufRead) -> Result<Vec<u8>> {
        let buffer = reader.fill_buf().map_err(|error| self.broken(error))?;
        Ok(buffer.iter().take(8).copied().collect())
    }

    /// The error for bytes that could not be read or decompressed.
    pub(super) fn broken(&self, error: io::Error) -> Error {
        use io::ErrorKind::{InvalidData, InvalidInput, UnexpectedEof};
        match (error.kind(), self) {
            // flate2 reports damage so; a plain file never ends unexpectedly.
            (UnexpectedEof | InvalidData | InvalidInput, _) | (_, Source::Bytes { .. }) => self.problem(
                format!("the gzip stream is damaged or cut off ({error})"),
                "",
                "make or copy the file again; `gzip -t` checks it",
            ),
            (_, Source::Path(path)) => Error::read(path, error),
        }
    }

    pub(super) fn problem(&self, found: impl Into<String>, expected: &str, help: &str) -> Error {
        Error::data(found, expected, help).in_file(&self.name())
    }
}
