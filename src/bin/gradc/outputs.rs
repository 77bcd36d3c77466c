//! Files that are written at the end of a run: whether they can be is asked before it, and what could not be had again is written elsewhere
//! if it fails all the same.

use gradc::{Error, Model, Result};
use std::fs::{File, OpenOptions, remove_file};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

/// How a file comes to its name.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Writing {
    /// In place of what stands there.
    Directly,
    /// Beside its name first, to be renamed when it is whole.
    Beside,
}

/// Checks files by their flags: each can be written, so far as one can know before, no two are one, and none is a file that is read, which
/// may be the only copy of a network or of data.
pub fn check(outputs: &[(&str, &Path, Writing)], inputs: &[(&str, &Path)]) -> Result<()> {
    for (number, (flag, file, writing)) in outputs.iter().enumerate() {
        can_write(file, *writing).map_err(|source| Error::Io { action: "write", path: file.to_path_buf(), source })?;
        if let Some((other, _)) = inputs.iter().find(|(_, read)| !is_device(file) && place(read) == place(file)) {
            let found = format!("`{}`, which is read as `{other}`", file.display());
            return Err(Error::Setting { name: (*flag).into(), found, expected: "a file of its own".into() });
        }
        let same = |(_, other, _): &&(&str, &Path, Writing)| !is_device(file) && place(other) == place(file);
        if let Some((other, ..)) = outputs[..number].iter().find(same) {
            let found = format!("`{}`, which `{other}` writes", file.display());
            return Err(Error::Setting { name: (*flag).into(), found, expected: "a file of its own".into() });
        }
    }
    Ok(())
}

fn can_write(file: &Path, writing: Writing) -> io::Result<()> {
    match file.metadata() {
        Ok(data) if data.is_dir() => return Err(ErrorKind::IsADirectory.into()),
        Ok(data) if !data.is_file() => return device(file, &data),
        Ok(_) if writing == Writing::Directly => return OpenOptions::new().append(true).open(file).map(drop),
        Ok(_) | Err(_) => {}
    }
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
        return Err(io::Error::new(ErrorKind::NotFound, format!("there is no folder `{}`", folder.display())));
    }
    let beside = beside(file, &own("partial"));
    let mut made = File::create_new(&beside)?;
    let written = made.write_all(&[0]).and_then(|()| made.sync_all());
    written.and(remove_file(&beside))
}

/// A device takes an empty line, unless somebody would see it; to open a pipe would be to wait for its reader.
#[cfg(unix)]
fn device(file: &Path, data: &std::fs::Metadata) -> io::Result<()> {
    use std::io::IsTerminal as _;
    use std::os::unix::fs::FileTypeExt as _;
    if !data.file_type().is_char_device() {
        return Ok(());
    }
    let mut device = OpenOptions::new().write(true).open(file)?;
    if device.is_terminal() { Ok(()) } else { device.write_all(b"\n") }
}

#[cfg(not(unix))]
fn device(_: &Path, _: &std::fs::Metadata) -> io::Result<()> {
    Ok(())
}

fn is_device(file: &Path) -> bool {
    file.metadata().is_ok_and(|data| !data.is_file() && !data.is_dir())
}

/// Where a file will stand, whatever leads there.
fn place(file: &Path) -> PathBuf {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let beneath = || Some(folder.canonicalize().ok()?.join(file.file_name()?));
    file.canonicalize().ok().or_else(beneath).unwrap_or_else(|| file.to_path_buf())
}

/// A name in the same folder.
fn beside(file: &Path, what: &str) -> PathBuf {
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{what}"));
    file.with_file_name(name)
}

/// What stands behind a name that no other process uses.
fn own(what: &str) -> String {
    format!("{}.{what}", std::process::id())
}

/// Writes the parameters that a run which failed has left beside the file, which may hold those of a better run; says where.
pub fn save_beside(model: &Model, file: &Path) -> Result<PathBuf> {
    if is_device(file) {
        return model.save(file).map(|()| file.to_path_buf());
    }
    let beside = beside(file, "diverged");
    model.save(&beside).map(|()| beside)
}

/// Writes the parameters; where that fails, beside the file or where temporary files are, which the error says.
pub fn save(model: &Model, file: &Path) -> Result<()> {
    let Err(error) = model.save(file) else { return Ok(()) };
    let beside = beside(file, &own("kept"));
    let elsewhere = std::env::temp_dir().join(beside.file_name().unwrap_or_default());
    let kept = [beside, elsewhere].into_iter().find(|kept| !kept.exists() && model.save(kept).is_ok());
    match (error, kept) {
        (Error::Io { action, path, source }, Some(kept)) => {
            let source = io::Error::new(source.kind(), format!("{source}; the parameters stand in `{}` instead", kept.display()));
            Err(Error::Io { action, path, source })
        }
        (error, _) => Err(error),
    }
}
