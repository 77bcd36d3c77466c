//! The digits that come with the library.
//!
//! UCI 'Optical Recognition of Handwritten Digits' (test part; Alpaydin and Kaynak, 1998), CC BY 4.0: 1 797 images of 8×8 grey
//! values 0..=16, ten classes.

use super::{Csv, Dataset, Element, FieldSpec};
use crate::error::Result;

const FILE: &[u8] = include_bytes!("digits.csv.gz");

/// The 1 797 handwritten digits: `pixels`, `f32 [64]`, raw grey values 0 to 16, row by row; `digit`, `class(10)`.
pub fn digits() -> Result<Dataset> {
    let field = |name: &str, element: Element, shape: Vec<usize>, is_target: bool| FieldSpec {
        name: name.to_owned(),
        element,
        shape,
        is_target,
        steps: None,
        asked: Vec::new(),
    };
    let pixels = field("pixels", Element::F32, vec![64], false);
    let digit = field("digit", Element::Class(10), vec![], true);
    Csv::of_bytes("digits.csv.gz", FILE).read()?.bind(&[pixels, digit])
}
