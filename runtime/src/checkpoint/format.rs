//! The bytes of a checkpoint: an 8-byte length, a JSON header of that length, then the values, little-endian.
//!
//! Reading is left to the `safetensors` crate. The header is written here because the crate keeps texts in a hash map, whose
//! order differs from run to run, and equal contents must give equal bytes.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::panic::catch_unwind;

use flate2::Crc;
use safetensors::tensor::{Dtype, Metadata, SafeTensorError, SafeTensors};

use super::{Checkpoint, Tensor};
use crate::data::width;
use crate::error::{Error, Result, Shape};

/// The longest header that safetensors reads.
const MOST_HEADER: u64 = 100_000_000;

/// The text that says a digest must be there, and how it is made.
const FORMAT_KEY: &str = "gradc.format";
const FORMAT: &str = "1";
const DIGEST_KEY: &str = "gradc.digest";

/// The tensors as they follow each other in the file: by name.
pub(super) fn in_file_order<'a>(tensors: &[Tensor<'a>]) -> Vec<Tensor<'a>> {
    let mut sorted = tensors.to_vec();
    sorted.sort_by_key(|(name, _, _)| *name);
    sorted
}

/// Everything before the values: the length and the padded JSON header.
pub(super) fn header(tensors: &[Tensor], metadata: &BTreeMap<String, String>) -> Result<Vec<u8>> {
    let tensors = in_file_order(tensors);
    check(&tensors, metadata)?;
    let mut texts = metadata.clone();
    texts.insert(FORMAT_KEY.to_owned(), FORMAT.to_owned());
    texts.insert(DIGEST_KEY.to_owned(), digest_of(&tensors, &texts));
    let mut entries = vec![format!(
        "\"__metadata__\":{{{}}}",
        texts.iter().map(|(key, text)| format!("{}:{}", quoted(key), quoted(text))).collect::<Vec<_>>().join(",")
    )];
    let mut start = 0;
    for (name, shape, values) in tensors {
        let end = start + 4 * values.len();
        entries.push(format!("{}:{{\"dtype\":\"F32\",\"shape\":{shape:?},\"data_offsets\":[{start},{end}]}}", quoted(name)));
        start = end;
    }
    let mut json = format!("{{{}}}", entries.join(",")).into_bytes();
    // Values begin at a multiple of eight, so that others may map the file and read it in place.
    json.resize(json.len().next_multiple_of(8), b' ');
    let mut header = (json.len() as u64).to_le_bytes().to_vec();
    header.extend(json);
    Ok(header)
}

fn check(sorted: &[Tensor], metadata: &BTreeMap<String, String>) -> Result<()> {
    let refused = |text: String| Err(Error::Internal { pass: "checkpoint".to_owned(), text });
    if let Some(pair) = sorted.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        return refused(format!("two tensors are called `{}`", pair[0].0));
    }
    if sorted.iter().any(|(name, _, _)| *name == "__metadata__") {
        return refused("no tensor may be called `__metadata__`".to_owned());
    }
    if let Some(key) = [FORMAT_KEY, DIGEST_KEY].into_iter().find(|&key| metadata.contains_key(key)) {
        return refused(format!("the text `{key}` is reserved"));
    }
    match sorted.iter().find(|(_, shape, values)| width(shape) != values.len()) {
        Some((name, shape, values)) => refused(format!("`{name}` {} has {} values", Shape(shape), values.len())),
        None => Ok(()),
    }
}

fn quoted(text: &str) -> String {
    let mut json = String::with_capacity(text.len() + 2);
    json.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => json.extend(['\\', character]),
            // Writing to a String cannot fail.
            '\0'..='\x1f' => drop(write!(json, "\\u{:04x}", u32::from(character))),
            _ => json.push(character),
        }
    }
    json.push('"');
    json
}

/// What `bytes` hold; every fault of a hostile file is an error.
pub(super) fn parse(bytes: &[u8]) -> Result<Checkpoint> {
    let (start, header) = read_header(bytes)?;
    let mut texts: BTreeMap<String, String> = header.metadata().clone().unwrap_or_default().into_iter().collect();
    let format = texts.get(FORMAT_KEY).cloned();
    if format.as_ref().is_some_and(|format| format != FORMAT) {
        let found = format!("the checkpoint has the format {}", format.unwrap_or_default());
        return Err(fault(found, FORMAT, "it was written by a newer gradc: update this one"));
    }
    let digest = texts.remove(DIGEST_KEY);
    let mut tensors = BTreeMap::new();
    for (name, info) in header.tensors() {
        if info.dtype != Dtype::F32 {
            let found = format!("`{name}` has the type {}", info.dtype);
            return Err(fault(found, "F32", "convert the tensors to F32 before; nothing is converted silently"));
        }
        let (from, to) = info.data_offsets;
        let Some(values) = bytes.get(start..).and_then(|values| values.get(from..to)) else {
            return Err(cut_off(&format!("`{name}` lies outside the file")));
        };
        let values: Vec<f32> =
            values.chunks_exact(4).map(|word| f32::from_le_bytes([word[0], word[1], word[2], word[3]])).collect();
        tensors.insert(name, (info.shape.clone(), values));
    }
    let borrowed: Vec<Tensor> = tensors.iter().map(|(name, (shape, values))| (&name[..], &shape[..], &values[..])).collect();
    let altered = match &digest {
        Some(digest) => *digest != digest_of(&borrowed, &texts),
        None => format.is_some(),
    };
    if altered {
        let help = "the file was altered after it was written: use another copy or an earlier checkpoint";
        return Err(fault("the checkpoint does not match its digest", "", help));
    }
    if digest.is_some() {
        texts.remove(FORMAT_KEY);
    }
    Ok(Checkpoint { tensors, metadata: texts })
}

/// An error if a file that begins with these bytes is none of ours: whatever follows need not be read.
pub(super) fn check_length(first: [u8; 8]) -> Result<()> {
    let length = u64::from_le_bytes(first);
    if (2..=MOST_HEADER).contains(&length) {
        return Ok(());
    }
    match kind_of(first) {
        Some((kind, help)) => Err(fault(format!("the file is {kind}"), "safetensors", help)),
        None => Err(cut_off(&format!("the header has a length of {length} bytes; expected 2 to {MOST_HEADER}"))),
    }
}

/// What a file is that begins with these bytes, if it is of a kind in which parameters often come or that is often given in their place; and what
/// to do.
fn kind_of(first: [u8; 8]) -> Option<(&'static str, &'static str)> {
    let is_text = first.iter().all(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace());
    match first {
        [b'P', b'K', 3, 4, ..] => {
            Some(("a zip archive, as PyTorch's .pt and NumPy's .npz are", "write it with `safetensors.torch.save_file`"))
        }
        [0x80, 2..=5, ..] => Some(("a pickle of Python", "write it with `safetensors.torch.save_file`")),
        [0x89, b'H', b'D', b'F', ..] => Some(("of HDF5, as Keras writes them", "write it with `safetensors.numpy.save_file`")),
        _ if is_text => Some(("text", "name the file that `save` or `--save` wrote")),
        _ => None,
    }
}

/// Where the values begin, and the header.
fn read_header(bytes: &[u8]) -> Result<(usize, Metadata)> {
    // In builds with overflow checks safetensors 0.8 panics on offsets near 2⁶⁴ (`read_metadata`: buffer_end + N_LEN + n).
    let parsed = catch_unwind(|| SafeTensors::read_metadata(bytes)).unwrap_or(Err(SafeTensorError::ValidationOverflow));
    match parsed {
        Ok((length, header)) => Ok((8 + length, header)),
        Err(SafeTensorError::HeaderTooSmall | SafeTensorError::InvalidHeaderLength) => {
            Err(cut_off("the header is longer than the file"))
        }
        Err(SafeTensorError::MetadataIncompleteBuffer) => Err(cut_off("the tensors do not fill the file exactly")),
        Err(error) => {
            let help = "check that it was saved as safetensors, and copy it again";
            Err(fault(format!("the file is no sound safetensors file: {error}"), "", help))
        }
    }
}

fn cut_off(found: &str) -> Error {
    fault(found, "", "the file is cut off or no safetensors file: copy it again, or use an earlier checkpoint")
}

fn fault(found: impl Into<String>, expected: &str, help: &str) -> Error {
    Error::Checkpoint { file: None, found: found.into(), expected: expected.to_owned(), help: help.into() }
}

/// CRC-32 over names, shapes, values and texts, each with its length so that none can move into its neighbour; `tensors` by name.
fn digest_of(tensors: &[Tensor], texts: &BTreeMap<String, String>) -> String {
    let mut crc = Crc::new();
    let number = |crc: &mut Crc, number: usize| crc.update(&(number as u64).to_le_bytes());
    let text = |crc: &mut Crc, text: &str| {
        number(crc, text.len());
        crc.update(text.as_bytes());
    };
    number(&mut crc, tensors.len());
    for (name, shape, values) in tensors {
        text(&mut crc, name);
        number(&mut crc, shape.len());
        shape.iter().for_each(|&extent| number(&mut crc, extent));
        chunks(values).for_each(|bytes| crc.update(&bytes));
    }
    for (key, value) in texts {
        text(&mut crc, key);
        text(&mut crc, value);
    }
    format!("crc32:{:08x}", crc.sum())
}

/// The little-endian bytes of `values`, some at a time.
pub(super) fn chunks(values: &[f32]) -> impl Iterator<Item = Vec<u8>> {
    values.chunks(1 << 14).map(|chunk| chunk.iter().flat_map(|value| value.to_le_bytes()).collect())
}
