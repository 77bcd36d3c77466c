//! `.npy`: NumPy's file of one array. A magic text, the version, the header's length, a Python dictionary of element, order and
//! shape, then the values. (NumPy, `numpy.lib.format`, versions 1.0 to 3.0.)

use super::arrays::{Array, Kind, values};
use super::bytes::Bytes;
use super::source::Source;
use crate::error::Result;

const MAGIC: &[u8; 6] = b"\x93NUMPY";

/// The array of a `.npy` file, plain or gzip.
pub(super) fn read(source: &Source) -> Result<Array> {
    let bytes = Bytes::new(source.name(), source.open()?, |error| source.broken(error));
    array(bytes, source.name(), None)
}

/// The array that `bytes` holds to its end.
pub(super) fn array(mut bytes: Bytes, file: String, name: Option<String>) -> Result<Array> {
    let magic: [u8; 6] = bytes.header("the six bytes with which .npy begins")?;
    if &magic != MAGIC {
        let found = format!("the array begins with the bytes {}", magic.map(|byte| format!("{byte:02x}")).join(" "));
        return Err(bytes.problem(found, "93 4e 55 4d 50 59, as .npy begins", "check that the file was written by numpy.save"));
    }
    let [major, minor] = bytes.header("the version")?;
    let length = match major {
        1 => usize::from(u16::from_le_bytes(bytes.header("the length of the header")?)),
        2 | 3 => u32::from_le_bytes(bytes.header("the length of the header")?) as usize,
        _ => {
            let found = format!("byte 6 names the version {major}.{minor}");
            return Err(bytes.problem(found, "1.0, 2.0 or 3.0", "write the array anew with numpy.save"));
        }
    };
    let start = bytes.offset();
    let text = bytes.up_to(length)?;
    if text.len() < length {
        return Err(bytes.cut_off(&format!("a header of {length} bytes from byte {start} on")));
    }
    let mut parser = Parser { text: &text, place: 0 };
    let header = match parser.header() {
        Ok(header) => header,
        Err(expected) => {
            let place = parser.place.min(text.len());
            let there = String::from_utf8_lossy(&text[place..text.len().min(place + 20)]).into_owned();
            let found = format!("the header has {there:?} at byte {}", start + place as u64);
            return Err(bytes.problem(found, expected, "write the array anew with numpy.save"));
        }
    };
    let Some((kind, big_endian)) = element(&header.element) else {
        let found = format!("the array holds the element {:?}", header.element);
        let known = "f4, f8, i1, i2, i4, i8, u1, u2, u4, u8 or b1";
        return Err(bytes.problem(found, known, "convert it first: numpy.save(file, array.astype('float32'))"));
    };
    let start = bytes.offset();
    let mut values = values(&mut bytes, &header.shape, kind)?;
    if let (Kind::Bool, Some(place)) = (kind, values.iter().position(|byte| *byte > 1)) {
        let found = format!("the truth value at byte {} is {}", start + place as u64, values[place]);
        return Err(bytes.problem(found, "0 or 1", "the file is damaged; make or copy it again"));
    }
    if header.columns_first {
        values = rows_first(&values, &header.shape, kind.size());
    }
    Ok(Array { name, file, shape: header.shape, kind, big_endian, bytes: values, classes: Vec::new() })
}

/// What `descr` says: how a number is stored, and whether big-endian.
fn element(text: &str) -> Option<(Kind, bool)> {
    let (order, name) = text.split_at_checked(1)?;
    let kind = match name {
        "b1" => Kind::Bool,
        "u1" => Kind::U8,
        "i1" => Kind::I8,
        "u2" => Kind::U16,
        "i2" => Kind::I16,
        "u4" => Kind::U32,
        "i4" => Kind::I32,
        "u8" => Kind::U64,
        "i8" => Kind::I64,
        "f4" => Kind::F32,
        "f8" => Kind::F64,
        _ => return None,
    };
    match order {
        ">" => Some((kind, true)),
        "<" | "=" => Some((kind, false)),
        "|" if kind.size() == 1 => Some((kind, false)),
        _ => None,
    }
}

/// An array whose first axis lies closest together, with the last one so instead.
fn rows_first(values: &[u8], shape: &[usize], size: usize) -> Vec<u8> {
    let strides: Vec<usize> = shape
        .iter()
        .scan(size, |stride, extent| {
            let own = *stride;
            *stride *= extent;
            Some(own)
        })
        .collect();
    let mut ordered = Vec::with_capacity(values.len());
    let mut index = vec![0; shape.len()];
    let mut place = 0;
    while ordered.len() < values.len() {
        ordered.extend_from_slice(&values[place..place + size]);
        for axis in (0..shape.len()).rev() {
            index[axis] += 1;
            place += strides[axis];
            if index[axis] < shape[axis] {
                break;
            }
            place -= strides[axis] * shape[axis];
            index[axis] = 0;
        }
    }
    ordered
}

/// What a header says.
struct Header {
    element: String,
    /// Fortran order.
    columns_first: bool,
    shape: Vec<usize>,
}

/// Reads the Python dictionary of a header; errors say what was expected at `place`.
struct Parser<'a> {
    text: &'a [u8],
    place: usize,
}

impl Parser<'_> {
    fn header(&mut self) -> Result<Header, &'static str> {
        let (mut element, mut columns_first, mut shape) = (None, None, None);
        self.expect(b'{', "a dictionary in braces")?;
        while !self.accept(b'}') {
            let key = self.string()?;
            self.expect(b':', "a colon")?;
            match key.as_str() {
                "descr" => element = Some(self.string()?),
                "fortran_order" => columns_first = Some(self.truth()?),
                "shape" => shape = Some(self.extents()?),
                _ => return Err("`descr`, `fortran_order` and `shape`, and no other key"),
            }
            if !self.accept(b',') {
                self.expect(b'}', "a comma or the closing brace")?;
                break;
            }
        }
        self.skip_space();
        if self.place < self.text.len() {
            return Err("the end of the header");
        }
        match (element, columns_first, shape) {
            (Some(element), Some(columns_first), Some(shape)) => Ok(Header { element, columns_first, shape }),
            _ => Err("`descr`, `fortran_order` and `shape`"),
        }
    }

    fn skip_space(&mut self) {
        while self.text.get(self.place).is_some_and(u8::is_ascii_whitespace) {
            self.place += 1;
        }
    }

    fn accept(&mut self, byte: u8) -> bool {
        self.skip_space();
        let found = self.text.get(self.place) == Some(&byte);
        self.place += usize::from(found);
        found
    }

    fn expect(&mut self, byte: u8, what: &'static str) -> Result<(), &'static str> {
        if self.accept(byte) { Ok(()) } else { Err(what) }
    }

    fn string(&mut self) -> Result<String, &'static str> {
        const WHAT: &str = "a text in quotes (an array of plain numbers has no fields)";
        self.skip_space();
        let quote = *self.text.get(self.place).filter(|byte| b"'\"".contains(byte)).ok_or(WHAT)?;
        let rest = &self.text[self.place + 1..];
        let end = rest.iter().position(|byte| *byte == quote).ok_or(WHAT)?;
        let text = std::str::from_utf8(&rest[..end]).map_err(|_| WHAT)?;
        self.place += end + 2;
        Ok(text.to_owned())
    }

    fn truth(&mut self) -> Result<bool, &'static str> {
        self.skip_space();
        for (word, value) in [("True", true), ("False", false)] {
            if self.text[self.place..].starts_with(word.as_bytes()) {
                self.place += word.len();
                return Ok(value);
            }
        }
        Err("True or False")
    }

    fn extents(&mut self) -> Result<Vec<usize>, &'static str> {
        let mut extents = Vec::new();
        self.expect(b'(', "a tuple of extents")?;
        while !self.accept(b')') {
            self.skip_space();
            let digits = self.text[self.place..].iter().take_while(|byte| byte.is_ascii_digit()).count();
            let text = std::str::from_utf8(&self.text[self.place..self.place + digits]).unwrap_or_default();
            extents.push(text.parse().map_err(|_| "an extent that memory can hold")?);
            self.place += digits;
            // Python 2 wrote long integers so.
            self.accept(b'L');
            if !self.accept(b',') {
                self.expect(b')', "a comma or the closing parenthesis")?;
                break;
            }
        }
        Ok(extents)
    }
}
