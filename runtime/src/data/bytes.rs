//! [`Bytes`]: a binary file read from its beginning, with the place at which it stands.
//!
//! Memory grows with what has been read, never with what a header promises.

use std::io::Read;

use crate::error::{Error, Result};

/// The rest of a file.
pub(super) struct Bytes<'a> {
    name: String,
    reader: Box<dyn Read + 'a>,
    offset: u64,
    /// The error for bytes that could not be read.
    broken: Box<dyn Fn(std::io::Error) -> Error + 'a>,
}

impl<'a> Bytes<'a> {
    /// What `reader` gives, called `name` in errors.
    pub(super) fn new(name: String, reader: impl Read + 'a, broken: impl Fn(std::io::Error) -> Error + 'a) -> Bytes<'a> {
        Bytes { name, reader: Box::new(reader), offset: 0, broken: Box::new(broken) }
    }

    /// How many bytes have been read.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// The next `count` bytes, or as many as there are.
    pub(super) fn up_to(&mut self, count: usize) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let limited = (&mut self.reader).take(count as u64);
        { limited }.read_to_end(&mut bytes).map_err(|error| (self.broken)(error))?;
        self.offset += bytes.len() as u64;
        Ok(bytes)
    }

    /// The next `N` bytes, which are `what`.
    pub(super) fn header<const N: usize>(&mut self, what: &str) -> Result<[u8; N]> {
        let bytes = self.up_to(N)?;
        <[u8; N]>::try_from(bytes).map_err(|_| self.cut_off(what))
    }

    /// The error for a file that ends where `what` should stand.
    pub(super) fn cut_off(&self, what: &str) -> Error {
        let found = format!("the file ends at byte {}", self.offset);
        self.problem(found, what, "the file is cut off, or of another kind; make or copy it again")
    }

    pub(super) fn problem(&self, found: impl Into<String>, expected: impl Into<String>, help: &str) -> Error {
        Error::data(found, expected, help).in_file(&self.name)
    }
}
