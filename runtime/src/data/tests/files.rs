//! IDX, `.npy` and `.npz`: what is read, and what is said of files that are none.

use std::io::Cursor;

use rand::Rng as _;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::super::reader::Format;
use super::super::source::Source;
use super::*;
use crate::random::Rng;

fn file(name: &'static str, format: Format, bytes: Vec<u8>) -> Files {
    Files::of(Source::Bytes { name, bytes: bytes.leak() }, Some(format))
}

fn idx(bytes: Vec<u8>) -> Files {
    file("a.idx", Format::Idx, bytes)
}

fn npy(bytes: Vec<u8>) -> Files {
    file("a.npy", Format::Npy, bytes)
}

fn npz(bytes: Vec<u8>) -> Files {
    file("a.npz", Format::Npz, bytes)
}

fn idx_bytes(element: u8, shape: &[u32], values: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, element, shape.len() as u8];
    bytes.extend(shape.iter().flat_map(|extent| extent.to_be_bytes()));
    bytes.extend(values);
    bytes
}

/// A file as numpy.save writes it, the header padded to 64 bytes.
fn npy_bytes(version: u8, header: &str, values: &[u8]) -> Vec<u8> {
    let lead = if version == 1 { 10 } else { 12 };
    let length = (lead + header.len() + 1).next_multiple_of(64) - lead;
    let mut bytes = b"\x93NUMPY".to_vec();
    bytes.extend([version, 0]);
    match version {
        1 => bytes.extend((length as u16).to_le_bytes()),
        _ => bytes.extend((length as u32).to_le_bytes()),
    }
    bytes.extend(format!("{header:<width$}\n", width = length - 1).bytes());
    bytes.extend(values);
    bytes
}

fn npy_of(element: &str, shape: &str, values: &[u8]) -> Vec<u8> {
    npy_bytes(1, &format!("{{'descr': '{element}', 'fortran_order': False, 'shape': {shape}, }}"), values)
}

fn npz_bytes(files: &[(&str, Vec<u8>)], method: zip::CompressionMethod) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in files {
        writer.start_file(*name, SimpleFileOptions::default().compression_method(method)).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn floats(files: &Files, shape: &[usize]) -> Vec<f32> {
    match &files.read().unwrap().bind(&[input("x", shape)]).unwrap().columns[0].values {
        Values::F32(values) => values.clone(),
        Values::U32(_) => panic!("not numbers"),
    }
}

#[test]
fn every_element_of_idx_is_read() {
    let two: [(u8, Vec<u8>); 6] = [
        (0x08, vec![1, 200]),
        (0x09, vec![1, 0xff]),
        (0x0b, [1i16.to_be_bytes(), (-300i16).to_be_bytes()].concat()),
        (0x0c, [1i32.to_be_bytes(), (-70_000i32).to_be_bytes()].concat()),
        (0x0d, [1f32.to_be_bytes(), 0.25f32.to_be_bytes()].concat()),
        (0x0e, [1f64.to_be_bytes(), (-1e-3f64).to_be_bytes()].concat()),
    ];
    for ((element, values), second) in two.into_iter().zip([200.0, -1.0, -300.0, -70_000.0, 0.25, -1e-3]) {
        let bytes = idx_bytes(element, &[2], &values);
        assert_eq!(floats(&idx(gzip(&bytes)), &[]), [1.0, second], "gzip, {element:#x}");
        assert_eq!(floats(&idx(bytes), &[]), [1.0, second], "{element:#x}");
    }
}

#[test]
fn images_and_labels_are_two_files() {
    let images = idx(idx_bytes(8, &[2, 2, 3], &[0, 1, 2, 3, 4, 5, 250, 251, 252, 253, 254, 255]));
    let labels = idx(idx_bytes(8, &[2], &[9, 0]));
    let digit = target("digit", Element::Class(10));
    for shape in [&[6][..], &[2, 3], &[1, 2, 3], &[2, 1, 3]] {
        let data = images.clone().targets(labels.clone()).read().unwrap().bind(&[input("pixels", shape), digit.clone()]).unwrap();
        assert_eq!(data.rows(), 2);
        assert_eq!(data.column("pixels").unwrap().shape, shape);
        assert_eq!(data.column("digit").unwrap().values, Values::U32(vec![9, 0]));
        let Values::F32(pixels) = &data.column("pixels").unwrap().values else { panic!("numbers") };
        assert_eq!(pixels[..7], [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 250.0]);
    }
    // Axes are never exchanged.
    says(images.read().unwrap().bind(&[input("x", &[3, 2])]), &["`x`", "[2, 3]", "[3, 2]", "a.idx"]);
    // Declared targets come last, wherever they are declared; one that nobody asks for is left out.
    let both = images.clone().targets(labels.clone());
    assert_eq!(both.read().unwrap().bind(&[digit.clone(), input("x", &[6])]).unwrap().columns[0].name, "x");
    let inputs_only = Reader::from(both.clone()).rows(&[input("x", &[6]), digit.clone()], false).unwrap();
    assert_eq!(inputs_only.columns().len(), 2);
    let unlabelled = Reader::from(images.clone());
    assert_eq!(unlabelled.rows(&[input("x", &[6]), digit.clone()], false).unwrap().columns().len(), 1);
    says(unlabelled.rows(&[input("x", &[6]), digit.clone()], true), &["u8[2, 2, 3]", "`digit` class(10)", "(targets)"]);
    says(
        both.read().unwrap().bind(&[input("x", &[6]), target("digit", Element::Class(9))]),
        &["`digit` is 9 in row 0", "0..=8", "a.idx"],
    );
    let short = images.targets(idx(idx_bytes(8, &[3], &[1, 2, 3])));
    says(short.read().unwrap().bind(&[input("x", &[6]), digit]), &["3 rows", "expected 2"]);
}

#[test]
fn damaged_idx_is_refused_with_its_place() {
    says(idx(vec![]).read(), &["ends at byte 0", "a.idx"]);
    says(idx(vec![0, 0, 8]).read(), &["ends at byte 3"]);
    says(idx(b"1,2\n3,4\n".to_vec()).read(), &["31 2c", "00 00", "a.idx"]);
    says(idx(idx_bytes(0x0a, &[1], &[1])).read(), &["byte 2", "0x0a", "0x0b (i16)"]);
    says(idx(idx_bytes(8, &[], &[1])).read(), &["single number"]);
    says(idx(vec![0, 0, 8, 2, 0, 0, 0, 1, 0]).read(), &["ends at byte 9", "axis 1 of 2"]);
    says(idx(idx_bytes(8, &[2, 2], &[1, 2, 3])).read(), &["ends at byte 15", "4 bytes from byte 12", "[2, 2] of u8"]);
    says(idx(idx_bytes(8, &[2], &[1, 2, 3])).read(), &["at byte 10", "[2] of u8"]);
    says(idx(idx_bytes(8, &[0], &[])).read(), &["empty"]);
    says(idx(idx_bytes(8, &[u32::MAX, u32::MAX, 1 << 20], &[1])).read(), &["announces", "memory"]);
    says(idx(idx_bytes(14, &[1 << 30, 1 << 30], &[1])).read(), &["announces"]);
    says(idx(idx_bytes(8, &[1 << 30, 1 << 30], &[1])).read(), &["ends at byte 13", "1152921504606846976 bytes"]);
    says(idx(gzip(&idx_bytes(8, &[2], &[1, 2]))[..20].to_vec()).read(), &["gzip", "a.idx"]);
    says(super::super::idx("nothing.idx").read(), &["cannot read `nothing.idx`"]);
    says(super::super::idx(std::env::temp_dir()).read(), &["cannot read"]);
}

#[test]
fn every_element_of_npy_is_read() {
    let elements: [(&str, Vec<u8>, f32); 13] = [
        ("<f4", [1f32.to_le_bytes(), 0.25f32.to_le_bytes()].concat(), 0.25),
        (">f4", [1f32.to_be_bytes(), 0.25f32.to_be_bytes()].concat(), 0.25),
        ("<f8", [1f64.to_le_bytes(), (-0.1f64).to_le_bytes()].concat(), -0.1),
        ("|i1", vec![1, 0x80], -128.0),
        ("<i2", [1i16.to_le_bytes(), (-3i16).to_le_bytes()].concat(), -3.0),
        ("<i4", [1i32.to_le_bytes(), (-70_000i32).to_le_bytes()].concat(), -70_000.0),
        ("<i8", [1i64.to_le_bytes(), (-(1i64 << 40)).to_le_bytes()].concat(), -(2f32.powi(40))),
        (">i8", [1i64.to_be_bytes(), (-5i64).to_be_bytes()].concat(), -5.0),
        ("|u1", vec![1, 255], 255.0),
        ("<u2", [1u16.to_le_bytes(), u16::MAX.to_le_bytes()].concat(), 65_535.0),
        ("<u4", [1u32.to_le_bytes(), (1u32 << 31).to_le_bytes()].concat(), 2f32.powi(31)),
        ("<u8", [1u64.to_le_bytes(), (1u64 << 63).to_le_bytes()].concat(), 2f32.powi(63)),
        ("|b1", vec![1, 0], 0.0),
    ];
    for (element, values, second) in elements {
        assert_eq!(floats(&npy(npy_of(element, "(2,)", &values)), &[]), [1.0, second], "{element}");
    }
}

#[test]
fn versions_and_orders_of_npy_are_read() {
    let header = "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 3), }";
    for version in 1..=3 {
        assert_eq!(floats(&npy(npy_bytes(version, header, &[0, 1, 2, 3, 4, 5])), &[3]), [0., 1., 2., 3., 4., 5.]);
    }
    // Columns of an array in Fortran's order lie together; Python 2 wrote long integers, and keys may stand in any order.
    let columns = "{\"shape\": (2L, 3L), 'fortran_order': True, 'descr': '|u1'}";
    assert_eq!(floats(&npy(npy_bytes(1, columns, &[0, 3, 1, 4, 2, 5])), &[3]), [0., 1., 2., 3., 4., 5.]);
    let columns = "{'descr': '<i2', 'fortran_order': True, 'shape': (2, 2, 3)}";
    let c_order: Vec<f32> = (0..12u8).map(f32::from).collect();
    let values = (0..3).flat_map(|k| (0..2).flat_map(move |j| (0..2).map(move |i| (i * 6 + j * 3 + k) as i16)));
    let values: Vec<u8> = values.flat_map(i16::to_le_bytes).collect();
    assert_eq!(floats(&npy(npy_bytes(1, columns, &values)), &[2, 3]), c_order);
}

#[test]
fn damaged_npy_is_refused_with_its_place() {
    let header = |text: &str| npy(npy_bytes(1, text, &[1, 2])).read();
    says(npy(b"PK\x03\x04....".to_vec()).read(), &["50 4b 03 04", "93 4e 55", "a.npy"]);
    says(npy(npy_bytes(4, "", &[])).read(), &["byte 6", "4.0"]);
    says(npy(b"\x93NUMPY\x01\0\xff\xff{".to_vec()).read(), &["ends at byte 11", "65535 bytes"]);
    says(npy(b"\x93NUMPY\x02\0\xff\xff\xff\xff{".to_vec()).read(), &["ends at byte 13", "4294967295 bytes"]);
    says(header("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,)}"), &["at byte 20", "no fields"]);
    says(header("{'descr': '|u1', 'fortran_order': 0, 'shape': (2,)}"), &["True or False"]);
    says(header("{'descr': '|u1', 'fortran_order': False, 'shape': (-2,)}"), &["extent", "\"-2,)}"]);
    says(header("{'descr': '|u1', 'fortran_order': False, 'shape': (99999999999999999999,)}"), &["extent"]);
    says(header("{'descr': '|u1', 'fortran_order': False}"), &["`shape`"]);
    says(header("{'descr': '|u1', 'other': False}"), &["no other key"]);
    says(header("{'descr': '|u1', 'fortran_order': False, 'shape': (2,)} x"), &["the end of the header", "\"x"]);
    says(header("{'descr': '|u1"), &["quotes"]);
    says(header(""), &["braces"]);
    for element in ["<f2", "<c8", "|O", "<U5", "|S3", "|i4", "", "é1", "<M8[s]"] {
        says(npy(npy_of(element, "(2,)", &[1, 2])).read(), &["element", element, "astype"]);
    }
    says(npy(npy_of("|u1", "()", &[1])).read(), &["single number"]);
    says(npy(npy_of("|u1", "(3,)", &[1, 2])).read(), &["ends at byte 130", "3 bytes from byte 128"]);
    says(npy(npy_of("|u1", "(1,)", &[1, 2])).read(), &["follow", "byte 129"]);
    says(npy(npy_of("<f8", "(576460752303423488,)", &[1])).read(), &["ends at byte 129"]);
    says(npy(npy_of("<f8", "(4294967296, 4294967296)", &[1])).read(), &["announces"]);
    says(npy(npy_of("|b1", "(2,)", &[1, 2])).read(), &["byte 129", "0 or 1"]);
    let table = npy(npy_of("<f8", "(3,)", &[1f64, 1.5, f64::NAN].map(f64::to_le_bytes).concat())).read().unwrap();
    says(table.bind(&[input("x", &[])]), &["`x` is NaN in row 2", "a.npy"]);
    says(table.bind(&[target("y", Element::Class(4))]), &["`y` is 1.5 in row 1", "whole"]);
    let whole = npy(npy_of("<f4", "(2,)", &[1f32, 3.0].map(f32::to_le_bytes).concat())).read().unwrap();
    says(whole.bind(&[target("y", Element::Class(3))]), &["`y` is 3 in row 1; expected a class in 0..=2", "start at 1"]);
    let long = FieldSpec { is_target: false, steps: Some(2), ..target("n", Element::I32) };
    says(whole.bind(&[long]), &["`n` says 3 steps in row 1 (1 such rows); expected a length in 1..=2", "in a.npy"]);
    let wide = npy(npy_of("<i8", "(2, 2)", &[1, 2, 3, 1i64 << 40].map(i64::to_le_bytes).concat())).read().unwrap();
    for element in [Element::I32, Element::U32, Element::Class(7)] {
        let spec = FieldSpec { shape: vec![2], ..target("y", element) };
        says(wide.bind(&[spec]), &["1099511627776", "row 1, element 1"]);
    }
}

#[test]
fn arrays_of_npz_are_found_by_name_or_in_the_order_given() {
    let files = [
        ("y.npy", npy_of("<i8", "(2,)", &[1, 0].map(i64::to_le_bytes).concat())),
        ("x.npy", npy_of("|u1", "(2, 2)", &[1, 2, 3, 4])),
    ];
    for method in [zip::CompressionMethod::Stored, zip::CompressionMethod::Deflated] {
        let npz = npz(npz_bytes(&files, method));
        assert_eq!(npz.read().unwrap().titles(), ["y: i64[2]", "x: u8[2, 2]"]);
        let data = npz.read().unwrap().bind(&[input("x", &[2]), target("y", Element::Class(2))]).unwrap();
        assert_eq!(data.column("y").unwrap().values, Values::U32(vec![1, 0]));
        for names in [["x", "y"], ["2", "1"]] {
            let named = npz.clone().arrays(names).read().unwrap();
            let data = named.bind(&[input("pixels", &[2]), target("digit", Element::Class(2))]).unwrap();
            assert_eq!(data.column("pixels").unwrap().values, Values::F32(vec![1., 2., 3., 4.]));
        }
        says(npz.read().unwrap().bind(&[input("pixels", &[2])]), &["y: i64[2], x: u8[2, 2]", "`pixels`", "(arrays)"]);
        for name in ["z", "0", "3", "", "-1"] {
            says(npz.clone().arrays([name]).read(), &["there is no array", "1..=2", "x: u8[2, 2]"]);
        }
    }
}

#[test]
fn damaged_npz_is_refused() {
    let stored = zip::CompressionMethod::Stored;
    says(npz(b"not a zip".to_vec()).read(), &["the archive cannot be read", "a.npz", "numpy.savez"]);
    says(npz(npz_bytes(&[], stored)).read(), &["empty"]);
    says(npz(npz_bytes(&[("x.txt", vec![1])], stored)).read(), &["x.txt", ".npy only"]);
    says(npz(npz_bytes(&[("x.npy", vec![1])], stored)).read(), &["a.npz: x.npy", "byte 1"]);
    says(super::super::npz("nothing.npz").read(), &["cannot read `nothing.npz`"]);
    says(super::super::npz(std::env::temp_dir()).read(), &["cannot read"]);
}

#[test]
fn the_format_is_told_by_the_name() {
    for name in ["a.idx", "a.IDX.gz", "train-images-idx3-ubyte.gz", "t10k-labels.idx1-ubyte", "a.npy", "a.npz", "b.npy.gz"] {
        assert!(matches!(Reader::from(name), Reader::Files(_)), "{name}");
    }
    for name in ["a.csv", "a.csv.gz", "idx", "", "a.npz.csv"] {
        assert!(matches!(Reader::from(name), Reader::Csv(_)), "{name}");
    }
    assert!(matches!(Reader::from(std::env::temp_dir()), Reader::Files(_)));
    says(super::super::npy("a.npy").targets("b.csv").arrays(["1"]).read(), &["cannot read `a.npy`"]);
    says(Files::from("b.csv").read(), &["b.csv", "no format", ".npz"]);
}

/// Files cut off or altered anywhere are read or refused with their name.
#[test]
fn altered_files_are_read_or_refused() {
    let mut rng = Rng::new(12, 0);
    let mut random = |bound: usize| rng.next_u32() as usize % bound;
    let array = npy_of("<f4", "(3, 2)", &[1f32, 2., 3., 4., 5., 6.].map(f32::to_le_bytes).concat());
    let labels = npy_of("|u1", "(3,)", &[0, 1, 2]);
    let arrays = [("x.npy", array.clone()), ("y.npy", labels)];
    let images = idx_bytes(8, &[3, 2], &[1, 2, 3, 4, 5, 6]);
    for turn in 0..2000 {
        let (format, whole) = match turn % 5 {
            0 => (Format::Idx, images.clone()),
            1 => (Format::Idx, gzip(&images)),
            2 => (Format::Npy, array.clone()),
            3 => (Format::Npz, npz_bytes(&arrays, zip::CompressionMethod::Stored)),
            _ => (Format::Npz, npz_bytes(&arrays, zip::CompressionMethod::Deflated)),
        };
        let read = file("altered", format, altered(whole, &mut random)).read();
        let fields = [input("x", &[2]), target("y", Element::Class(3))];
        match read.and_then(|arrays| arrays.bind(&fields[..arrays.titles().len().min(2)])) {
            Ok(data) => assert!(data.rows() > 0),
            Err(error) => assert!(error.to_string().contains("help: "), "{error}"),
        }
    }
}
