//! Every activation's first and second derivative against finite differences, away from its kinks and out to both tails.

use super::trial::{Values, initial};
use crate::autodiff::gradients;
use crate::graph::{Dim, Graph, NodeId, Root, Shape, Type};
use crate::nn::{Call, Network, activations};
use crate::ops::{Array, Environment};
use crate::reference;

const EPS: f64 = 1e-6;
const ABSOLUTE: f64 = 1e-5;
const RELATIVE: f64 = 1e-3;
const POINTS: usize = 33;

/// Values of x; kinks lie at whole numbers, and none of these is near one.
fn points() -> Vec<f64> {
    (0..POINTS).map(|point| -6.45 + 0.4 * point as f64).collect()
}

/// The sum of a value's elements, each with a weight of its own, so that what looks at all inputs has a slope too.
fn weighted(network: &mut Network, value: NodeId) -> NodeId {
    let weights = network.source_state("weights", Shape::fixed(&[POINTS]), 0.0).expect("a state");
    let product = network.builder.mul(value, weights).expect("one shape");
    network.builder.sum_all(product).expect("a sum")
}

/// A graph of an activation with its weighted `sum`, the `slope` of that, the weighted sum of the slopes as `total`, and its `second` slope
/// (none for straight pieces: there the slope does not hang on x); and values for its sources.
fn graph(name: &'static str) -> (Graph, Values) {
    let mut network = Network::new("Net", false);
    let ty = Type::f32(Shape(vec![Dim::Batch, Dim::Fixed(POINTS)]));
    let x = network.input("x", ty, "").expect("an input");
    let y = network.call(name, x, &Call::new(name)).unwrap_or_else(|fault| panic!("{name}: {fault}"));
    let sum = weighted(&mut network, y);
    let slope = gradients(&mut network.builder, sum, &[x]).unwrap_or_else(|error| panic!("{name}: {error}"))[0];
    let total = weighted(&mut network, slope);
    let second = gradients(&mut network.builder, total, &[x]).ok().map(|found| found[0]);
    network.predicts.push(("y".into(), y));
    let mut values = initial(&network, 3);
    values.insert("x".into(), Array::new(vec![1, POINTS], points()));
    let weights = (0..POINTS).map(|point| 1.0 + 0.3 * (point as f64).sin()).collect();
    values.insert("weights".into(), Array::new(vec![POINTS], weights));
    let outputs = [("sum", Some(sum)), ("slope", Some(slope)), ("total", Some(total)), ("second", second)];
    let outputs = outputs.into_iter().filter_map(|(name, node)| node.map(|node| Root::Output { name: name.into(), node }));
    let mut graph = network.builder.finish();
    graph.roots = outputs.collect();
    (graph, values)
}

/// Far out, where a square is infinite, a slope is still a number.
#[test]
fn slopes_are_finite_in_the_tails() {
    for activation in activations::LIST {
        let (graph, mut values) = graph(activation.name);
        let x = values.get_mut("x").expect("an input");
        for (point, value) in x.data.iter_mut().enumerate() {
            *value = if point % 2 == 0 { -1e200 } else { 1e200 };
        }
        let environment = Environment { sources: values, batch: 1, ..Environment::default() };
        let slopes = &reference::run(&graph, &environment).0["slope"];
        assert!(slopes.data.iter().all(|slope| slope.is_finite()), "{}: {:?}", activation.name, slopes.data);
    }
}

#[test]
fn first_and_second_derivatives_are_those_of_finite_differences() {
    for activation in activations::LIST {
        let (graph, values) = graph(activation.name);
        let at = |values: &Values| {
            let environment = Environment { sources: values.clone(), batch: 1, ..Environment::default() };
            reference::run(&graph, &environment).0
        };
        let found = at(&values);
        for point in 0..POINTS {
            let moved = |by: f64| {
                let mut values = values.clone();
                values.get_mut("x").expect("an input").data[point] += by;
                at(&values)
            };
            let (below, above) = (moved(-EPS), moved(EPS));
            for (of, slope) in [("sum", "slope"), ("total", "second")] {
                let measured = (above[of].data[0] - below[of].data[0]) / (2.0 * EPS);
                let derived = found.get(slope).map_or(0.0, |slope| slope.data[point]);
                let apart = (derived - measured).abs();
                let (name, x) = (activation.name, points()[point]);
                assert!(
                    apart <= ABSOLUTE + RELATIVE * measured.abs(),
                    "{name} at {x}: {slope} is {derived}, measured {measured}"
                );
            }
        }
    }
}
