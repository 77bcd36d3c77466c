//! Networks run in the f64 reference.

use crate::base::place::Source;
use crate::graph::Graph;
use crate::language::declaration::{Declaration, Elaborated};
use crate::nn::Network;
use crate::ops::{Array, Environment};
use crate::step::{self, StepGraph};
use crate::{graph, reference};
use std::collections::BTreeMap;

/// Tensors by name.
pub type Values = BTreeMap<String, Array>;

/// A text's network at both times.
pub fn elaborated(text: &str) -> Elaborated {
    let source = Source::new("test.net", text);
    let found = Declaration::parse(source.clone()).and_then(|declaration| declaration.elaborate());
    found.unwrap_or_else(|mistakes| panic!("{}", mistakes.render(&source)))
}

/// Settings, and states before the first step.
pub fn beginning(network: &Network, step: &StepGraph) -> Values {
    let settings = network.settings.iter().map(|setting| (setting.name.clone(), Array::scalar(setting.value)));
    let states = step.states.iter().map(|state| (state.name.clone(), Array::filled(state.ty.shape.at(0), state.initial)));
    settings.chain(states).collect()
}

/// First values of the parameters for a seed.
pub fn initial(network: &Network, seed: u64) -> Values {
    let graph = step::initial(network).expect("initialisers");
    reference::run(&graph, &environment(&Values::new(), 0, seed)).1
}

fn environment(sources: &Values, step: u64, seed: u64) -> Environment {
    let batch = sources.values().map(|array| array.dims.first().copied().unwrap_or(1)).max().unwrap_or(1);
    Environment { sources: sources.clone(), batch, step, turn: step, steps: f64::INFINITY, epoch: 1, seed }
}

/// A sound training step.
pub fn training_step(network: &Network) -> StepGraph {
    let step = step::training_step(network).unwrap_or_else(|fault| panic!("{fault}"));
    graph::verify::verify(&step.graph).unwrap_or_else(|why| panic!("{why}"));
    step
}

/// Outputs of a graph for a batch; its updates are taken over into the sources.
pub fn advance(graph: &Graph, sources: &mut Values, batch: usize, step: u64) -> Values {
    let environment = Environment { batch, ..environment(sources, step, 1) };
    let (outputs, updates) = reference::run(graph, &environment);
    sources.extend(updates);
    outputs
}
