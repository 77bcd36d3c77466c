//! Statements about datasets and CSV files; a file is bytes given to [`Csv::of_bytes`].

mod arrays;
mod binding;
mod hostile;
mod metrics;
mod parts;
mod reading;

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::*;

fn input(name: &str, shape: &[usize]) -> FieldSpec {
    FieldSpec { name: name.to_owned(), element: Element::F32, shape: shape.to_vec(), is_target: false }
}

fn target(name: &str, element: Element) -> FieldSpec {
    FieldSpec { name: name.to_owned(), element, shape: vec![], is_target: true }
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

fn leaked(bytes: Vec<u8>, name: &'static str) -> Csv {
    Csv::of_bytes(name, bytes.leak())
}
