//! `.npz`: a zip archive of `.npy` files, stored or deflated, as `numpy.savez` and `numpy.savez_compressed` write it.

use std::fs::File;
use std::io::{BufReader, Cursor, Read, Seek};

use zip::ZipArchive;
use zip::result::ZipError;

use super::arrays::Array;
use super::bytes::Bytes;
use super::npy;
use super::source::Source;
use crate::error::{Error, Result};

/// All arrays of the archive, in its order, under their names without `.npy`.
pub(super) fn read(source: &Source) -> Result<Vec<Array>> {
    match source {
        Source::Path(path) => {
            let file = File::open(path).map_err(|error| Error::read(path, error))?;
            // A folder can be opened, but not read.
            if file.metadata().is_ok_and(|about| about.is_dir()) {
                return Err(Error::read(path, std::io::ErrorKind::IsADirectory.into()));
            }
            arrays(source, BufReader::new(file))
        }
        Source::Bytes { bytes, .. } => arrays(source, Cursor::new(*bytes)),
    }
}

fn arrays<R: Read + Seek>(source: &Source, reader: R) -> Result<Vec<Array>> {
    let mut archive = ZipArchive::new(reader).map_err(|error| refused(source, "the archive", &error))?;
    let mut arrays = Vec::new();
    for place in 0..archive.len() {
        let number = format!("the array {} of the archive", place + 1);
        let entry = archive.by_index(place).map_err(|error| refused(source, &number, &error))?;
        let name = entry.name().map_err(|error| refused(source, &number, &error))?.into_owned();
        let Some(short) = name.strip_suffix(".npy").map(str::to_owned) else {
            let found = format!("the archive holds {name:?}");
            return Err(source.problem(found, "files called .npy only", "write the archive with numpy.savez"));
        };
        let file = format!("{}: {name}", source.name());
        let named = file.clone();
        let broken = move |error: std::io::Error| {
            let help = "the archive is damaged; make or copy it again (`unzip -t` checks it)";
            Error::data(format!("the array cannot be unpacked ({error})"), "", help).in_file(&named)
        };
        arrays.push(npy::array(Bytes::new(file.clone(), entry, broken), file, Some(short))?);
    }
    if arrays.is_empty() {
        return Err(source.problem("the archive is empty", "at least one array", "write it with numpy.savez"));
    }
    Ok(arrays)
}

fn refused(source: &Source, what: &str, error: &ZipError) -> Error {
    let found = format!("{what} cannot be read ({error})");
    source.problem(
        found,
        "a zip archive, stored or deflated",
        "check that the file was written by numpy.savez; copy it again if so",
    )
}
