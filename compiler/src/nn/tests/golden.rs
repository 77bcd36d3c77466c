//! Golden files, and graphs run on their numbers.

use crate::graph::{Element, Graph, NodeId, Shape, Type};
use crate::nn::{Call, Network};
use crate::ops::{Array, Environment};
use crate::{autodiff, reference};
use serde_json::Value;
use std::collections::BTreeMap;

/// Largest difference from a framework's f64, relative to the larger of the value and 1.
pub const TOLERANCE: f64 = 1e-9;

pub fn folder() -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden")
}

pub fn cases(file: &str) -> Vec<Value> {
    let path = folder().join(format!("{file}.json"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let value: Value = serde_json::from_str(&text).expect("golden files are JSON");
    value["cases"].as_array().expect("golden files have cases").clone()
}

/// How a case is named in messages and in not_covered.txt.
pub fn title(file: &str, case: &Value) -> String {
    let source = case["source"].as_str().map(|source| format!(" {source}")).unwrap_or_default();
    let args = if case["args"].is_object() { format!(" {}", case["args"]) } else { String::new() };
    format!("{file}: {}{source}{args}", case["name"].as_str().unwrap_or_default())
}

pub fn array(value: &Value) -> Array {
    let dims = value["shape"].as_array().expect("shape").iter().map(|size| size.as_u64().expect("size") as usize).collect();
    let number = |value: &Value| value.as_f64().or_else(|| value.as_str().and_then(|text| text.parse().ok())).expect("number");
    Array::new(dims, value["data"].as_array().expect("data").iter().map(number).collect())
}

pub fn close(title: &str, what: &str, found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len(), "{title}: {what}");
    for (position, (&found, &expected)) in found.iter().zip(expected).enumerate() {
        let same = found == expected || (found.is_nan() && expected.is_nan());
        let scale = expected.abs().max(1.0);
        assert!(
            same || (found - expected).abs() <= TOLERANCE * scale,
            "{title}: {what}[{position}] is {found}, expected {expected}"
        );
    }
}

/// The shape of an array whose first axis is the batch.
pub fn batch_shape(array: &Array) -> Shape {
    Shape::batch(&array.dims[1..])
}

pub fn input(network: &mut Network, name: &str, array: &Array) -> NodeId {
    network.input(name, Type::f32(batch_shape(array)), "").expect("a fresh name")
}

pub fn class_target(network: &mut Network, name: &str, classes: u32, array: &Array) -> NodeId {
    network.target(name, Type { element: Element::Class(classes), shape: batch_shape(array) }, "").expect("a fresh name")
}

/// Arguments of a golden case that the function of ours takes under the same names.
pub fn call(name: &str, args: &Value, skipped: &[&str]) -> Call {
    let mut call = Call::new(name);
    for (name, value) in args.as_object().into_iter().flatten() {
        if skipped.contains(&name.as_str()) {
            continue;
        }
        call = match value {
            Value::Bool(flag) => call.set(name, *flag),
            Value::String(word) => call.set(name, word.as_str()),
            value => call.set(name, value.as_f64().expect("a number")),
        };
    }
    call
}

pub type Values = BTreeMap<String, Array>;

pub fn environment(sources: &Values, batch: usize, step: u64) -> Environment {
    Environment { sources: sources.clone(), batch, step, seed: 1 }
}

/// Values of a node and gradients of `Σ seed·node` (or of a scalar node) with respect to sources.
pub fn value_and_gradients(network: &Network, node: NodeId, seed: Option<&Array>, of: &[NodeId], sources: &Values) -> Vec<Array> {
    let mut builder = network.builder.clone();
    let mut sources = sources.clone();
    let mut total = node;
    if let Some(seed) = seed {
        let ty = builder.ty(node).clone();
        let weights = builder.source(crate::ops::Primitive::Input, "seed", ty).expect("a source");
        sources.insert("seed".into(), seed.clone());
        let product = builder.mul(node, weights).expect("one shape");
        total = builder.sum_all(product).expect("a sum");
    }
    let gradients = autodiff::gradients(&mut builder, total, of).expect("a gradient");
    builder.output("value", node);
    for (index, gradient) in gradients.iter().enumerate() {
        builder.output(format!("gradient {index}"), *gradient);
    }
    let graph = builder.finish();
    crate::graph::verify::verify(&graph).expect("a well-formed graph");
    let batch = sources.values().filter(|array| array.dims.len() > 1).map(|array| array.dims[0]).next().unwrap_or(1);
    let (outputs, _) = reference::run(&graph, &environment(&sources, batch, 1));
    let mut result = vec![outputs["value"].clone()];
    result.extend((0..of.len()).map(|index| outputs[&format!("gradient {index}")].clone()));
    result
}

/// Runs a graph and takes its updates over into the sources; gives the outputs.
pub fn advance(graph: &Graph, sources: &mut Values, batch: usize, step: u64) -> Values {
    let (outputs, updates) = reference::run(graph, &environment(sources, batch, step));
    sources.extend(updates);
    outputs
}
