//! Every case through the front half of the compiler: what is simplified computes what was written.

use super::trial::{Values, advance, elaborated, initial};
use crate::graph::{Element, Graph};
use crate::language::blessed;
use crate::ops::{Array, Primitive};
use crate::pipeline;

/// Rows of a batch.
const ROWS: usize = 5;
/// Largest difference between two orders of the same sums in f64, relative to the larger of the value and 1.
const TOLERANCE: f64 = 1e-9;

/// Numbers for every source of a graph that has none yet: small ones, positive states, classes and counts in range.
fn filled(graph: &Graph, values: &mut Values) {
    for id in graph.ids() {
        let Some(name) = graph.source_name(id) else { continue };
        if values.contains_key(name) {
            continue;
        }
        let ty = graph.ty(id);
        let dims = ty.shape.at(ROWS);
        let count: usize = dims.iter().product();
        let wave = |index: usize| ((index + name.len()) as f64 * 1.7).sin();
        let value = |index: usize| match (ty.element, graph.node(id).primitive) {
            (Element::Class(classes), _) => ((index * 7 + 3) % classes as usize) as f64,
            (Element::I32 | Element::U32, _) => (index % 3 + 1) as f64,
            (Element::Bool, _) => (index % 2) as f64,
            (_, Primitive::State) => 0.5 + wave(index).abs(),
            (_, Primitive::Target) => (wave(index) > 0.0) as u8 as f64,
            _ => wave(index),
        };
        values.insert(name.to_string(), Array::new(dims, (0..count).map(value).collect()));
    }
}

#[test]
fn what_is_simplified_computes_what_was_written() {
    for (path, text) in blessed::texts("") {
        let networks = elaborated(&text);
        let front = pipeline::front(&networks.training, &networks.evaluation, String::new(), None);
        let front = front.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let mut values = initial(&networks.training, 3);
        values.extend(networks.training.settings.iter().map(|setting| (setting.name.clone(), Array::scalar(setting.value))));
        let simplified = front.graphs.training.as_ref().expect("a case trains");
        filled(&front.gradient, &mut values);
        filled(simplified, &mut values);
        let (mut plain, mut simple) = (values.clone(), values);
        let outputs = advance(&front.gradient, &mut plain, ROWS, 3);
        let others = advance(simplified, &mut simple, ROWS, 3);
        let pairs = outputs.iter().map(|(name, value)| (name, value, &others[name]));
        let pairs = pairs.chain(plain.iter().map(|(name, value)| (name, value, &simple[name])));
        for (name, expected, found) in pairs {
            assert_eq!(found.dims, expected.dims, "{}: {name}", path.display());
            for (found, expected) in found.data.iter().zip(&expected.data) {
                let is_near = (found - expected).abs() <= TOLERANCE * expected.abs().max(1.0);
                assert!(is_near && expected.is_finite(), "{}: {name}: {found} should be {expected}", path.display());
            }
        }
    }
}
