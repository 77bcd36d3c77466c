//! Whatever is handed over gives a value or an error that says what and where; nothing panics, hangs or asks for all memory.

use std::fs;

use crate::random::Rng;
use rand::Rng as _;

use super::*;

/// The message of what must fail, with all the words in it.
fn refused<T>(result: Result<T>, words: &[&str]) {
    let message = match result {
        Ok(_) => panic!("it was accepted; the message should have had {words:?}"),
        Err(error) => error.to_string(),
    };
    for word in words.iter().chain(&["help: "]) {
        assert!(message.contains(word), "`{word}` is missing in:\n{message}");
    }
}

#[test]
fn shapes_whose_product_overflows_are_refused() {
    for shape in [&[usize::MAX][..], &[usize::MAX, 2], &[1 << 32, 1 << 32], &[usize::MAX, usize::MAX, 2], &[0], &[usize::MAX, 0]]
    {
        refused(Dataset::new().f32("x", shape, &[1.0; 4]), &["`x`"]);
        refused(Dataset::new().f32("x", shape, &[]).and_then(|data| data.select(&[input("y", &[])])), &[]);
        refused(Dataset::new().classes("x", 3, shape, &[1u8; 4]), &["`x`"]);
        refused(Dataset::new().classes("x", 3, shape, &[9u8; 4]), &["`x`"]);
        refused(Dataset::new().i32("x", shape, &[1; 4]), &["`x`"]);
        refused(Dataset::new().u32("x", shape, &[1; 4]), &["`x`"]);
        refused(Dataset::new().bool("x", shape, &[true; 4]), &["`x`"]);
        refused(Dataset::builder().f32("x", shape, &[1.0; 4]).build(), &["`x`"]);
        let data = Dataset::new().f32("x", &[2], &[1.0; 4]).unwrap();
        refused(data.select(&[input("x", shape)]), &["`x`", "[2]"]);
        assert!(input("x", shape).width() == 0 || input("x", shape).width() == usize::MAX);
        refused(csv("1,2\n3,4\n").read().unwrap().bind(&[input("x", shape), input("y", shape), input("z", &[2])]), &["`x`"]);
    }
}

#[test]
fn labels_beyond_every_range_are_refused_with_their_row() {
    refused(Dataset::new().class("y", 0, &[0u8]), &["`y`", "0..=-1", "row 0"]);
    refused(Dataset::new().class("y", 3, &[0, u64::MAX]), &["`y`", "row 1"]);
    refused(Dataset::new().class("y", u32::MAX, &[0, i64::MIN]), &["`y`", "row 1"]);
    refused(Dataset::new().class("y", 3, &[i128::MIN]), &["`y`", "row 0"]);
    assert_eq!(Dataset::new().class("y", u32::MAX, &[u32::MAX - 1]).unwrap().rows(), 1);
    let wide = Dataset::new().u32("y", &[], &[7, u32::MAX]).unwrap();
    refused(wide.select(&[target("y", Element::Class(8))]), &["`y`", "row 1"]);
    refused(wide.select(&[target("y", Element::Class(0))]), &["`y`", "row 0"]);
}

#[test]
fn selections_of_nothing_are_defined() {
    let empty = Dataset::new();
    assert_eq!((empty.shuffled(u64::MAX).rows(), empty.take(usize::MAX).rows()), (0, 0));
    assert_eq!(empty.concat(&empty).unwrap().rows(), 0);
    refused(empty.select(&[]), &["no rows"]);
    refused(empty.split([0.5, 0.5]), &["empty"]);
    let none = Dataset::new().f32("x", &[3], &[]).unwrap();
    assert_eq!((none.rows(), none.shuffled(1).rows(), none.take(5).rows()), (0, 0, 0));
    let data = Dataset::new().f32("x", &[1], &[1.0, 2.0]).unwrap();
    assert_eq!((data.take(0).rows(), data.take(0).shuffled(3).rows(), data.take(usize::MAX).rows()), (0, 0, 2));
    assert_eq!(data.take(0).concat(&data).unwrap(), data);
    assert!(data.column("").is_none() && data.column("\0").is_none());
    refused(data.concat(&empty), &["x: f32[1]"]);
    refused(data.take(0).select(&[input("x", &[1])]), &["no rows"]);
}

#[test]
fn fractions_that_are_none_are_refused() {
    let data = Dataset::new().f32("x", &[], &[1.0, 2.0, 3.0]).unwrap();
    for fractions in [
        [f64::NAN, 1.0],
        [-0.5, 1.5],
        [0.7, 0.7],
        [0.0, 0.0],
        [0.0, 1.0],
        [f64::INFINITY, 0.5],
        [f64::MAX, f64::MAX],
        [1e-320, 0.5],
    ] {
        refused(data.split(fractions), &["split", "sum is 1"]);
    }
    refused(data.split([]), &["split"]);
    refused(data.split([1e-9, 1.0 - 1e-9]), &["part 1", "3 rows"]);
    assert_eq!(data.split([1.0]).unwrap()[0], data);
}

#[test]
fn a_sum_just_below_one_loses_no_row() {
    let data = Dataset::new().bool("x", &[], &vec![true; 2_000_000]).unwrap();
    let [most, rest] = data.split([0.9, 0.1 - 9e-7]).unwrap();
    assert_eq!(most.rows() + rest.rows(), 2_000_000);
}

#[test]
fn absurd_options_are_refused_or_defined() {
    let text = "a,b\n1,2\n3,4\n";
    refused(csv(text).skip(usize::MAX).read(), &["no rows", "a.csv"]);
    refused(csv(text).skip(3).read(), &["no rows"]);
    for separator in ['\0', 'é', '"', '\n', '\r', char::MAX] {
        let read = csv(text).separator(separator).read();
        assert!(separator == '\0' || matches!(read, Err(Error::Setting { .. })), "{separator:?}");
    }
    for name in ["c", "", "0", "3", "-1", "18446744073709551616", "1.0", "\0"] {
        refused(csv(text).columns([name]).read(), &["there is no column", "1..=2"]);
        refused(csv(text).target(name).read(), &["there is no column"]);
    }
    assert_eq!(rows(&csv(text).columns(["b", "b", "1"]).read().unwrap()), [[2., 2., 1.], [4., 4., 3.]]);
    assert_eq!(rows(&csv(text).columns(["a"]).target("b").target("b").read().unwrap())[0].len(), 3);
    let nothing = csv(text).columns([""; 0]).read().unwrap();
    assert_eq!((nothing.rows(), nothing.width(), nothing.names().len()), (2, 0, 0));
    assert_eq!(nothing.bind(&[]).unwrap().rows(), 2);
    refused(nothing.bind(&[input("x", &[])]), &["0 columns"]);
    // A header of equal names: the first is meant.
    assert_eq!(rows(&csv("a,a\n1,2\n").columns(["a"]).read().unwrap()), [[1.]]);
}

#[test]
fn many_files_beside_each_other_need_no_stack() {
    let chain = |count| (0..count).fold(csv("1\n2\n"), |chain, _| csv("1\n2\n").targets(chain));
    drop(chain(100_000).clone());
    assert_eq!(chain(100).read().unwrap().width(), 101);
    let mut behind = csv("1;2\n").separator(';').targets(csv("3;4\n").targets(csv("5;6\n")));
    assert_eq!(rows(&behind.read().unwrap()), [[1., 2., 3., 4., 5., 6.]]);
    behind = behind.targets(csv("7\n8\n"));
    refused(behind.read(), &["has 2 rows", "1, as"]);
}

#[test]
fn paths_that_are_no_files_are_refused_by_name() {
    let folder = std::env::temp_dir();
    refused(Dataset::csv(&folder).read(), &[&folder.display().to_string()]);
    refused(Dataset::csv("").read(), &["cannot read"]);
    refused(Dataset::csv("a\0b").read(), &["cannot read"]);
    refused(Dataset::csv("x".repeat(100_000)).read(), &["cannot read"]);
    #[cfg(target_os = "linux")]
    for skip in [0, 1] {
        refused(Dataset::csv("/dev/zero").skip(skip).read(), &["/dev/zero", "binary"]);
    }
}

#[test]
fn bytes_that_are_no_csv_are_refused() {
    let bytes = |bytes: &'static [u8]| Csv::of_bytes("a.csv", bytes).read();
    refused(bytes(b""), &["no rows", "a.csv"]);
    refused(bytes(b"\n\n\r\n"), &["no rows"]);
    refused(bytes(b"\xff\xfe1\x002\x00"), &["UTF-16"]);
    refused(bytes(b"\xef\xbb\xbf"), &["no rows"]);
    refused(bytes(b"1,\xff\xfd\n"), &["line 1", "column 2"]);
    refused(bytes(b"\xff,\xfd\n1,2\n3,x\n"), &["line 3", "column 2", "\"x\""]);
    refused(bytes(b"1,2\n3\n"), &["line 2", "1 column", "2"]);
    refused(bytes(b"1,2\n3,4,5\n"), &["line 2", "3 columns"]);
    refused(bytes(b"1,2\n\"3,4\n5,6\n"), &["line 2", "quote is not closed"]);
    refused(bytes(b"1,2\n\n\"3\n"), &["line 3", "quote"]);
    refused(bytes(b"1,2\n3,\"x\n\"\n"), &["line 2", "\"x\""]);
    refused(bytes(b"\0\0\0\0"), &["binary"]);
    refused(bytes(b"\x1f\x8b"), &["gzip"]);
    refused(bytes(b"\x1f\x8b\x08\0\0\0\0\0\0\0"), &["gzip"]);
}

#[test]
fn long_cells_and_wide_lines_are_read_or_refused_shortly() {
    let leak = |text: String| Csv::of_bytes("a.csv", text.leak().as_bytes());
    let long = "x".repeat(10_000_000);
    let message = leak(format!("1,2\n3,{long}\n")).read().unwrap_err().to_string();
    assert!(message.len() < 1000 && message.contains("line 2, column 2"), "{}", message.len());
    assert_eq!(leak(format!("{long},b\n1,2\n")).read().unwrap().names()[0].len(), 10_000_000);
    assert_eq!(leak("9".repeat(10_000_000) + "\n1\n").read().unwrap().values(), [f64::INFINITY, 1.0]);
    refused(leak("9".repeat(400) + "\n1\n").read().unwrap().bind(&[input("x", &[])]), &["inf", "line 1"]);
    refused(leak("0,".repeat(2_000_000) + "\n").read(), &["2000001 columns", "separator"]);
    refused(leak(" ".repeat(10_000_000)).separator(' ').read(), &["no rows"]);
    refused(leak("\"".repeat(1_000_001)).read(), &["line 1", "quote"]);
}

#[test]
fn numbers_that_do_not_fit_the_element_are_refused_with_their_line() {
    let table = csv("1e300\n-1e300\nNaN\ninf\n1.5\n4294967296\n").header(false).read().unwrap();
    for element in [Element::F32, Element::Class(3), Element::Class(0), Element::I32, Element::U32, Element::Bool] {
        refused(table.bind(&[target("y", element)]), &["line 1", "column 1"]);
    }
    refused(table.bind(&[]), &["1 column"]);
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

/// Files cut off or altered anywhere are read or refused with their name.
#[test]
fn altered_files_are_read_or_refused() {
    let plain: &[u8] = b"name,\"a \"\"b\"\"\",c\r\n1,2.5,-3e4\r\n\n4, 5 ,6\n\"7\",8,\"9\n\"\n0x1,2,3\n";
    let mut rng = Rng::new(11, 0);
    let mut random = |bound: usize| rng.next_u32() as usize % bound;
    let path = std::env::temp_dir().join(format!("gradc-altered-{}.csv", std::process::id()));
    for turn in 0..3000 {
        let mut bytes = if turn % 2 == 0 { plain.to_vec() } else { gzip(plain) };
        for _ in 0..1 + random(3) {
            let place = random(bytes.len());
            match random(4) {
                0 => bytes.truncate(place.max(1)),
                1 => bytes[place] ^= 1 << random(8),
                2 => bytes.insert(place, b"\",\n\r\0 ;e\xff\xe2"[random(10)]),
                _ => bytes[place] = random(256) as u8,
            }
        }
        fs::write(&path, &bytes).unwrap();
        let options = Dataset::csv(&path).skip(random(3));
        let options = if random(2) == 0 { options } else { options.separator([' ', ';', '\t', '"'][random(4)]) };
        let options = if random(2) == 0 { options } else { options.header(random(2) == 0) };
        match options.read() {
            Ok(table) => drop(table.bind(&[input("x", &[table.width().max(1)])])),
            Err(error) => assert!(error.to_string().contains("help: "), "{error}"),
        }
    }
    fs::remove_file(&path).unwrap();
}
