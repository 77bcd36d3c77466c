//! [`Reader`]: what a network takes its data from, whatever the format.

use std::path::{Path, PathBuf};

use super::arrays::{Array, Arrays};
use super::source::Source;
use super::{Csv, Dataset, FieldSpec};
use crate::error::{Error, Result};

/// The format of a file of arrays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Idx,
    Npy,
    Npz,
    Images,
}

/// Files of arrays, and which arrays are taken from them; made by [`super::idx`](fn@super::idx), [`super::npy`](fn@super::npy),
/// [`super::npz`](fn@super::npz) and [`super::images`](fn@super::images).
///
/// ```no_run
/// use gradc_runtime::data;
///
/// let train = data::idx("train-images-idx3-ubyte.gz").targets("train-labels-idx1-ubyte.gz");
/// println!("{:?}", train.read()?.titles());
/// # Ok::<(), gradc_runtime::error::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Files {
    /// Each with its format, or none if its name says none.
    parts: Vec<(Source, Option<Format>)>,
    arrays: Option<Vec<String>>,
}

/// What a network reads its rows from: a CSV file or files of arrays. A path is read by its name: `.idx` and `-ubyte` (as the
/// MNIST files end), `.npy`, `.npz`, a folder of images; everything else is CSV. `.gz` may follow.
#[derive(Clone, Debug)]
pub enum Reader {
    /// Lines of numbers.
    Csv(Csv),
    /// Arrays of any number of axes.
    Files(Files),
}

/// The IDX file at `path` (plain or gzip), the format of the MNIST files: one array of raw values. Labels stand in a second
/// file ([`Files::targets`]). Nothing is opened yet.
pub fn idx(path: impl Into<PathBuf>) -> Files {
    Files::of(Source::Path(path.into()), Some(Format::Idx))
}

/// The `.npy` file at `path`, one array as `numpy.save` writes it; further ones by [`Files::targets`]. Nothing is opened yet.
pub fn npy(path: impl Into<PathBuf>) -> Files {
    Files::of(Source::Path(path.into()), Some(Format::Npy))
}

/// The `.npz` file at `path`: arrays that a network finds by the names of its fields, or in the order that [`Files::arrays`]
/// gives. Nothing is opened yet.
pub fn npz(path: impl Into<PathBuf>) -> Files {
    Files::of(Source::Path(path.into()), Some(Format::Npz))
}

/// The PNG images in the subfolders of `folder`, one subfolder a class, all of one size: raw values 0 to 255,
/// `[channels, height, width]`, grey or red, green, blue; then the class of each, which counts the subfolders sorted by name.
/// Without subfolders there are images only. Nothing is opened yet.
pub fn images(folder: impl Into<PathBuf>) -> Files {
    Files::of(Source::Path(folder.into()), Some(Format::Images))
}

/// The format that a path tells by its name; a folder holds images.
fn format(path: &Path) -> Option<Format> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    match name {
        _ if name.ends_with(".idx") || name.ends_with("-ubyte") => Some(Format::Idx),
        _ if name.ends_with(".npy") => Some(Format::Npy),
        _ if name.ends_with(".npz") => Some(Format::Npz),
        _ if path.is_dir() => Some(Format::Images),
        _ => None,
    }
}

impl<P: Into<PathBuf>> From<P> for Files {
    fn from(path: P) -> Files {
        let path = path.into();
        let format = format(&path);
        Files::of(Source::Path(path), format)
    }
}

impl Files {
    pub(super) fn of(source: Source, format: Option<Format>) -> Files {
        Files { parts: vec![(source, format)], arrays: None }
    }

    /// Takes further arrays, behind those before, from other files: a path, whose name says the format, or what [`idx`] and its
    /// like give.
    pub fn targets(mut self, file: impl Into<Files>) -> Files {
        self.parts.extend(file.into().parts);
        self
    }

    /// The arrays to take, in this order, by name or by number from 1 (default: all).
    pub fn arrays<N: ToString>(self, names: impl IntoIterator<Item = N>) -> Files {
        Files { arrays: Some(names.into_iter().map(|name| name.to_string()).collect()), ..self }
    }

    /// Reads the files. Errors: a file cannot be opened or decompressed, is of another format, cut off or damaged, announces
    /// more than it holds, or lacks an array that is asked for.
    pub fn read(&self) -> Result<Arrays> {
        let mut arrays = Vec::new();
        for (source, format) in &self.parts {
            match (format, source) {
                (Some(Format::Idx), _) => arrays.push(super::idx::read(source)?),
                (Some(Format::Npy), _) => arrays.push(super::npy::read(source)?),
                (Some(Format::Npz), _) => arrays.extend(super::npz::read(source)?),
                (Some(Format::Images), Source::Path(path)) => arrays.extend(super::images::read(path)?),
                (Some(Format::Images), Source::Bytes { .. }) | (None, _) => {
                    let help = "rename the file, or say its format: data::idx, data::npy, data::npz, data::images";
                    return Err(source.problem(
                        "the name says no format of arrays",
                        ".idx, -ubyte, .npy, .npz or a folder",
                        help,
                    ));
                }
            }
        }
        match &self.arrays {
            Some(names) => Ok(Arrays { arrays: chosen(&arrays, names)?, by_name: false }),
            None => Ok(Arrays { by_name: arrays.iter().all(|array| array.name.is_some()), arrays }),
        }
    }
}

fn chosen(arrays: &[Array], names: &[String]) -> Result<Vec<Array>> {
    let find = |name: &String| {
        let by_name = arrays.iter().find(|array| array.name.as_ref() == Some(name));
        let by_number = || name.parse().ok().and_then(|number: usize| arrays.get(number.checked_sub(1)?));
        by_name.or_else(by_number).cloned().ok_or_else(|| {
            let titles = Arrays { arrays: arrays.to_vec(), by_name: false }.titles().join(", ");
            let file = arrays.first().map(|array| array.file.clone()).unwrap_or_default();
            let expected = format!("a name or a number in 1..={}", arrays.len());
            Error::data(format!("there is no array `{name}`"), expected, format!("the arrays are {titles}")).in_file(&file)
        })
    };
    names.iter().map(find).collect()
}

impl From<Csv> for Reader {
    fn from(csv: Csv) -> Reader {
        Reader::Csv(csv)
    }
}

impl From<Files> for Reader {
    fn from(files: Files) -> Reader {
        Reader::Files(files)
    }
}

impl<P: Into<PathBuf>> From<P> for Reader {
    fn from(path: P) -> Reader {
        let path = path.into();
        if format(&path).is_some() { Reader::Files(path.into()) } else { Reader::Csv(path.into()) }
    }
}

impl Reader {
    /// Reads the rows of a network with these fields; unless `with_targets`, targets may be missing. Errors: those of
    /// [`Csv::read`] and [`Files::read`], then those of [`super::Table::bind`] and [`Arrays::bind`].
    pub fn rows(&self, specs: &[FieldSpec], with_targets: bool) -> Result<Dataset> {
        let inputs: Vec<FieldSpec> = specs.iter().filter(|spec| !spec.is_target).cloned().collect();
        match self {
            Reader::Csv(csv) => {
                let table = csv.read()?;
                let width = specs.iter().fold(0usize, |sum, spec| sum.saturating_add(spec.width()));
                table.bind(if with_targets || table.width() == width { specs } else { &inputs })
            }
            Reader::Files(files) => {
                let arrays = files.read()?;
                arrays.bind(if with_targets || arrays.has(specs) { specs } else { &inputs })
            }
        }
    }
}
