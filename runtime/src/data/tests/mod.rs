//! Statements about datasets and files; a file is bytes given to [`Csv::of_bytes`] or [`Files::of`].

mod arrays;
mod binding;
mod categories;
mod files;
mod folders;
mod hostile;
mod metrics;
mod parts;
mod reading;
mod shipped;

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::*;

fn input(name: &str, shape: &[usize]) -> FieldSpec {
    FieldSpec {
        name: name.to_owned(),
        element: Element::F32,
        shape: shape.to_vec(),
        is_target: false,
        steps: None,
        asked: Vec::new(),
    }
}

fn target(name: &str, element: Element) -> FieldSpec {
    FieldSpec { name: name.to_owned(), element, shape: vec![], is_target: true, steps: None, asked: Vec::new() }
}

fn csv(text: &'static str) -> Csv {
    Csv::of_bytes("a.csv", text.as_bytes())
}

fn rows(table: &Table) -> Vec<Vec<f64>> {
    table.values().chunks(table.width()).map(<[f64]>::to_vec).collect()
}

/// The error's text, which must hold every part.
#[track_caller]
fn says<T>(result: Result<T>, parts: &[&str]) {
    let text = result.err().map(|error| error.to_string()).expect("the input is faulty");
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in:\n{text}");
    }
    assert_eq!(text.matches("\nhelp: ").count(), 1, "{text}");
}

fn zipped(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

/// `bytes`, altered or cut off at one to three places.
fn altered(mut bytes: Vec<u8>, mut random: impl FnMut(usize) -> usize) -> Vec<u8> {
    for _ in 0..1 + random(3) {
        let place = random(bytes.len());
        match random(5) {
            0 => bytes.truncate(place.max(1)),
            1 => bytes[place] ^= 1 << random(8),
            2 => bytes.insert(place, random(256) as u8),
            3 if bytes.len() > 1 => drop(bytes.remove(place)),
            _ => bytes[place] = [0, 0xff, 0x7f, 0x80][random(4)],
        }
    }
    bytes
}

fn leaked(bytes: Vec<u8>, name: &'static str) -> Csv {
    Csv::of_bytes(name, bytes.leak())
}
