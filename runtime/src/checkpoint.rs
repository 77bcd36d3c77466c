//! Parameters and state in a file: named `f32` tensors and texts, in the safetensors format.
//!
//! A file is written beside its final name, forced to the disk and renamed, so that under the name there is always a whole
//! file: the old one or the new one. It carries a digest of all names, shapes, values and texts, which is verified on loading;
//! files from elsewhere carry none and load too. Equal contents give equal bytes.

mod contents;
mod format;
mod matching;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

pub use self::matching::{Loaded, check_finite, match_some, match_strict};
use crate::error::{Error, Result};

/// A tensor to save: name, shape, values row-major.
pub type Tensor<'a> = (&'a str, &'a [usize], &'a [f32]);

/// What a file held.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Checkpoint {
    /// Shape and values (row-major) by name.
    pub tensors: BTreeMap<String, (Vec<usize>, Vec<f32>)>,
    /// Texts by name.
    pub metadata: BTreeMap<String, String>,
}

/// Writes `tensors` and `metadata` to `path`, replacing a file of that name only once the new one is complete and on the disk.
/// Errors: a name used twice or reserved, values that do not fill a shape, or a refusal of the operating system.
pub fn save(path: impl AsRef<Path>, tensors: &[Tensor], metadata: &BTreeMap<String, String>) -> Result<()> {
    let path = path.as_ref();
    let header = format::header(tensors, metadata).map_err(|error| error.in_file(&path.display().to_string()))?;
    if fs::metadata(path).is_ok_and(|data| !data.is_file() && !data.is_dir()) {
        // A pipe or a device is written to; a file must not take its place.
        return write(path, &header, tensors).map(drop).map_err(|error| Error::write(path, error));
    }
    let beside = beside(path);
    let written = write(&beside, &header, tensors).and_then(|file| file.sync_all()).and_then(|()| fs::rename(&beside, path));
    let written = written.and_then(|()| sync_directory(path));
    written.map_err(|error| {
        // Best effort: the error that matters is the first one.
        let _ = fs::remove_file(&beside);
        Error::write(path, error)
    })
}

/// Reads `path`. Errors: it cannot be read, is no safetensors file, is cut off or altered, or holds tensors of another type
/// than `f32`.
pub fn load(path: impl AsRef<Path>) -> Result<Checkpoint> {
    let path = path.as_ref();
    let failed = |error| Error::read(path, error);
    let mut file = File::open(path).map_err(failed)?;
    let mut bytes = Vec::new();
    Read::by_ref(&mut file).take(8).read_to_end(&mut bytes).map_err(failed)?;
    // A device or a video is not read to its end to find out.
    let length = bytes.first_chunk().map_or(Ok(()), |first| format::check_length(*first));
    length.map_err(|error| error.in_file(&path.display().to_string()))?;
    file.read_to_end(&mut bytes).map_err(failed)?;
    format::parse(&bytes).map_err(|error| error.in_file(&path.display().to_string()))
}

/// A name in the same directory, hence on the same disk, that no other process and no other thread uses.
fn beside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    // The number of a thread can be read off this text alone.
    let thread: String = format!("{:?}", std::thread::current().id()).chars().filter(char::is_ascii_digit).collect();
    name.push(format!(".{}.{thread}.partial", std::process::id()));
    path.with_file_name(name)
}

fn write(path: &Path, header: &[u8], tensors: &[Tensor]) -> io::Result<File> {
    let mut file = BufWriter::with_capacity(1 << 20, File::create(path)?);
    file.write_all(header)?;
    for (_, _, values) in format::in_file_order(tensors) {
        format::chunks(values).try_for_each(|bytes| file.write_all(&bytes))?;
    }
    file.into_inner().map_err(io::IntoInnerError::into_error)
}

/// Makes the rename itself survive a power failure, where directories can be opened and synchronised.
fn sync_directory(path: &Path) -> io::Result<()> {
    if cfg!(not(unix)) {
        return Ok(());
    }
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(directory)?.sync_all()
}
