//! IDX, the format of the MNIST files: two zero bytes, the element, the number of axes, an extent of four bytes for each, then
//! the values; everything big-endian. (Y. LeCun, C. Cortes, C. Burges, 'The MNIST database', file formats.)

use super::arrays::{Array, Kind, values};
use super::bytes::Bytes;
use super::source::Source;
use crate::error::Result;

/// The array of an IDX file, plain or gzip.
pub(super) fn read(source: &Source) -> Result<Array> {
    let mut bytes = Bytes::new(source.name(), source.open()?, |error| source.broken(error));
    let [first, second, element, axes] = bytes.header("the four bytes with which IDX begins")?;
    if (first, second) != (0, 0) {
        let found = format!("the file begins with the bytes {first:02x} {second:02x}");
        return Err(bytes.problem(found, "00 00, as IDX begins", "check that the file is IDX"));
    }
    let kind = match element {
        0x08 => Kind::U8,
        0x09 => Kind::I8,
        0x0b => Kind::I16,
        0x0c => Kind::I32,
        0x0d => Kind::F32,
        0x0e => Kind::F64,
        _ => {
            let found = format!("byte 2 names the element {element:#04x}");
            let known = "0x08 (u8), 0x09 (i8), 0x0b (i16), 0x0c (i32), 0x0d (f32) or 0x0e (f64)";
            return Err(bytes.problem(found, known, "check that the file is IDX; its header may be damaged"));
        }
    };
    let mut shape = Vec::new();
    for axis in 0..axes {
        let extent = u32::from_be_bytes(bytes.header(&format!("the extent of axis {axis} of {axes}"))?);
        // Four bytes always fit a usize of a machine that code is generated for.
        shape.push(extent as usize);
    }
    let values = values(&mut bytes, &shape, kind)?;
    Ok(Array { name: None, file: source.name(), shape, kind, big_endian: true, bytes: values, classes: Vec::new() })
}
