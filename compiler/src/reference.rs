//! The f64 interpreter of graphs: what a graph means, without any order of rounding worth the name.

use crate::graph::{Graph, NodeId, Root};
use crate::ops::{self, Array, Environment, Evaluation};
use std::collections::BTreeMap;

/// Values of the nodes that roots need (others are `None`).
pub fn evaluate(graph: &Graph, environment: &Environment) -> Vec<Option<Array>> {
    let live = graph.live();
    let mut values: Vec<Option<Array>> = Vec::with_capacity(graph.nodes.len());
    for id in graph.ids() {
        if !live[id.index()] {
            values.push(None);
            continue;
        }
        let node = graph.node(id);
        let operands: Option<Vec<&Array>> = node.operands.iter().map(|operand| values[operand.index()].as_ref()).collect();
        let dims = node.ty.shape.at(environment.batch);
        let value = operands.map(|operands| {
            (ops::record(node.primitive).value)(&Evaluation {
                operands: &operands,
                attributes: &node.attributes,
                element: node.ty.element,
                dims: &dims,
                environment,
            })
        });
        values.push(value);
    }
    values
}

/// Named outputs and, by source name, updated parameters and states.
pub fn run(graph: &Graph, environment: &Environment) -> (BTreeMap<String, Array>, BTreeMap<String, Array>) {
    let values = evaluate(graph, environment);
    let value = |id: NodeId| values[id.index()].clone().unwrap_or_else(|| Array::scalar(f64::NAN));
    let (mut outputs, mut updates) = (BTreeMap::new(), BTreeMap::new());
    for root in &graph.roots {
        match root {
            Root::Output { name, node } => {
                outputs.insert(name.clone(), value(*node));
            }
            Root::Update { source, node } => {
                updates.insert(graph.source_name(*source).unwrap_or_default().to_string(), value(*node));
            }
        }
    }
    (outputs, updates)
}
