//! A folder of PNG images, one subfolder a class: what most collections of pictures look like.
//!
//! Values are raw, 0 to 255, `[channels, height, width]`: one channel for grey, three for red, green, blue. Palettes and depths
//! below eight bits are spread over that range; sixteen bits are kept as fractions of it.

use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};

use png::{BitDepth, ColorType, Decoder, Transformations};

use super::arrays::{Array, Kind};
use crate::error::{Error, Result};

/// Deflate packs at most 1032 bytes into one.
const MOST_PACKED: u64 = 1032;

/// Images of more pixels are a mistake, or have to be cut up.
const MOST_PIXELS: u64 = 1 << 26;

/// What all images of a folder have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Format {
    channels: usize,
    height: usize,
    width: usize,
    /// Sixteen bits a value instead of eight.
    deep: bool,
}

/// The images of `folder`, sorted by class and file name, and their classes, which are the subfolders sorted by name. A folder
/// without subfolders has images only.
pub(super) fn read(folder: &Path) -> Result<Vec<Array>> {
    let (folders, files) = listed(folder)?;
    let classes: Vec<String> = folders.iter().map(|folder| name(folder)).collect();
    let mut pictures = Pictures { format: None, values: Vec::new(), rows: 0 };
    let mut labels: Vec<u32> = Vec::new();
    if let (Some(file), false) = (files.first(), folders.is_empty()) {
        let help = "move it into the subfolder of its class";
        return Err(Error::data("an image stands beside the subfolders", "one subfolder a class", help).in_file(&shown(file)));
    }
    for file in &files {
        pictures.append(file)?;
    }
    for (label, folder) in folders.iter().enumerate() {
        let (deeper, files) = listed(folder)?;
        if let Some(deeper) = deeper.first() {
            let help = "put all images of a class into one folder";
            return Err(Error::data("a class holds a folder", "images only", help).in_file(&shown(deeper)));
        }
        for file in &files {
            pictures.append(file)?;
            labels.push(label as u32);
        }
    }
    let Some((_, format)) = pictures.format else {
        let help = "give a folder with one subfolder of PNG images a class";
        return Err(Error::data("the folder holds no images", "PNG images", help).in_file(&shown(folder)));
    };
    let about = |shape: Vec<usize>, kind: Kind, bytes: Vec<u8>, classes: Vec<String>| Array {
        name: None,
        file: shown(folder),
        shape,
        kind,
        big_endian: false,
        bytes,
        classes,
    };
    let shape = vec![pictures.rows, format.channels, format.height, format.width];
    let kind = if format.deep { Kind::F32 } else { Kind::U8 };
    let mut arrays = vec![about(shape, kind, pictures.values, Vec::new())];
    if !classes.is_empty() {
        let bytes = labels.iter().flat_map(|label| label.to_le_bytes()).collect();
        arrays.push(about(vec![labels.len()], Kind::U32, bytes, classes));
    }
    Ok(arrays)
}

/// The folders and the images of a folder, each sorted by name; hidden ones are left out.
fn listed(folder: &Path) -> Result<(Vec<PathBuf>, Vec<PathBuf>)> {
    let failed = |error| Error::read(folder, error);
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        paths.push(entry.map_err(failed)?.path());
    }
    paths.retain(|path| !name(path).starts_with('.'));
    paths.sort();
    let (folders, files): (Vec<PathBuf>, Vec<PathBuf>) = paths.into_iter().partition(|path| path.is_dir());
    let is_png = |path: &PathBuf| path.extension().is_some_and(|kind| kind.eq_ignore_ascii_case("png"));
    match files.iter().find(|path| !is_png(path)) {
        None => Ok((folders, files)),
        Some(other) => {
            let help = "convert it to PNG, or take it out of the folder";
            Err(Error::data("the file is not called .png", "PNG images only", help).in_file(&shown(other)))
        }
    }
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// The images read so far.
struct Pictures {
    /// The first image with what all must be.
    format: Option<(PathBuf, Format)>,
    /// One byte a value, or an `f32` each of deep images.
    values: Vec<u8>,
    rows: usize,
}

impl Pictures {
    fn append(&mut self, file: &Path) -> Result<()> {
        let bytes = fs::read(file).map_err(|error| Error::read(file, error))?;
        let (format, values) = decoded(&bytes).map_err(|error| error.in_file(&shown(file)))?;
        match &self.format {
            Some((first, expected)) if *expected != format => {
                let found = format!("the image has {}", format.described());
                let expected = format!("{}, as {} has", expected.described(), shown(first));
                let help = "make all images of one size, all grey or all coloured, and of one depth";
                return Err(Error::data(found, expected, help).in_file(&shown(file)));
            }
            Some(_) => {}
            None => self.format = Some((file.to_owned(), format)),
        }
        self.values.extend(values);
        self.rows += 1;
        Ok(())
    }
}

impl Format {
    fn described(self) -> String {
        let colour = if self.channels == 1 { "grey" } else { "coloured" };
        let depth = if self.deep { ", 16 bits deep" } else { "" };
        format!("{}×{} {colour} pixels{depth}", self.width, self.height)
    }
}

/// The image behind `bytes`, one channel after another.
fn decoded(bytes: &[u8]) -> Result<(Format, Vec<u8>)> {
    let broken = |error: png::DecodingError| {
        let help = "the file is damaged or of another kind; make or copy it again";
        Error::data(format!("the image cannot be read ({error})"), "PNG", help)
    };
    let mut decoder = Decoder::new(Cursor::new(bytes));
    decoder.set_transformations(Transformations::EXPAND);
    decoder.ignore_checksums(false);
    decoder.set_ignore_text_chunk(true);
    decoder.set_ignore_iccp_chunk(true);
    let header = decoder.read_header_info().map_err(broken)?;
    let (height, width) = (u64::from(header.height), u64::from(header.width));
    let held = (bytes.len() as u64).saturating_mul(MOST_PACKED) * 8 / header.bits_per_pixel().max(1) as u64;
    if height * width > held.min(MOST_PIXELS) {
        let found = format!("the header announces {width}×{height} pixels in a file of {} bytes", bytes.len());
        let expected = format!("at most {MOST_PIXELS} pixels, and as many as the file can hold");
        return Err(Error::data(found, expected, "make the image smaller; if it is, the file is damaged: make or copy it again"));
    }
    let (height, width) = (height as usize, width as usize);
    let mut reader = decoder.read_info().map_err(broken)?;
    let (colour, depth) = reader.output_color_type();
    let size = reader.output_buffer_size().unwrap_or_default();
    let mut pixels = vec![0; size];
    reader.next_frame(&mut pixels).map_err(broken)?;
    reader.finish().map_err(broken)?;
    let (channels, with_alpha) = match colour {
        ColorType::Grayscale => (1, false),
        ColorType::GrayscaleAlpha => (1, true),
        ColorType::Rgb => (3, false),
        ColorType::Rgba => (3, true),
        ColorType::Indexed => return Err(Error::data("the image has a palette that is not given", "PNG", "save it anew")),
    };
    let deep = depth == BitDepth::Sixteen;
    let format = Format { channels, height, width, deep };
    let step = channels + usize::from(with_alpha);
    let sample = |index: usize| match deep {
        true => u16::from_be_bytes([pixels[2 * index], pixels[2 * index + 1]]),
        false => u16::from(pixels[index]),
    };
    let opaque = if deep { u16::MAX } else { 255 };
    if let (true, Some(place)) = (with_alpha, (0..height * width).find(|place| sample(place * step + channels) != opaque)) {
        let found = format!("the pixel in row {}, column {} is transparent", place / width, place % width);
        return Err(Error::data(found, "grey or red, green, blue", "put the image on a background"));
    }
    let ordered = (0..channels).flat_map(|channel| (0..height * width).map(move |place| place * step + channel));
    let values = match deep {
        false => ordered.map(|index| pixels[index]).collect(),
        true => ordered.flat_map(|index| (f32::from(sample(index)) / 257.0).to_le_bytes()).collect(),
    };
    Ok((format, values))
}
