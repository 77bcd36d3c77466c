//! Gradients away from θ: the forward graph with every trained parameter replaced by the point its optimizer asks for.
//!
//! Nesterov's step takes the gradient at θ + βm. That is a substitution: nodes that depend on no parameter are copied, the points are
//! built from them, and the rest is copied with the points in the parameters' places.

use super::Scalars;
use crate::graph::{Builder, Graph, NodeId, Origin};
use crate::nn::Fault;
use crate::nn::optimizers::{Memory, OptimizerUse, Update};
use crate::nn::parameters::Learned;
use crate::ops::Primitive;

/// The graph with points in the parameters' places, and the points: `None` where the gradient is taken at θ.
pub fn moved(
    graph: &Graph,
    optimizer: &OptimizerUse,
    trained: &[&Learned],
    (scalars, first_scalar): (&Scalars, usize),
    memory: &mut Memory,
) -> Result<(Graph, Vec<Option<NodeId>>), Fault> {
    let sources: Vec<Option<NodeId>> =
        trained.iter().map(|learned| graph.find_source(Primitive::Parameter, &learned.name)).collect();
    let dependent = dependents(graph, &sources);
    let mut builder = Builder::new(graph.name.clone());
    let mut map: Vec<Option<NodeId>> = vec![None; graph.nodes.len()];
    for id in graph.ids() {
        if !dependent[id.index()] || sources.contains(&Some(id)) {
            map[id.index()] = Some(copied(&mut builder, graph, id, &map)?);
        }
    }
    // Hyper-parameters depend on settings and the step alone, so all of them are copied by now.
    let handles = graph.roots[first_scalar..].iter().filter_map(|root| map[root.node().index()]);
    let scalars = scalars.clone().carried_to(handles);
    let mut points = Vec::new();
    let mut with_points = map.clone();
    for ((learned, source), factor) in trained.iter().zip(&sources).zip(&scalars.factors) {
        let Some(theta) = source.and_then(|source| map[source.index()]) else {
            points.push(None);
            continue;
        };
        builder.set_origin(Origin {
            path: learned.name.clone(),
            place: learned.place.clone(),
            rule: optimizer.rule.name().into(),
            of: Some(theta),
        });
        let rate = super::rate(&mut builder, &scalars.call, *factor)?;
        let step = builder.step();
        let point = optimizer.rule.at(
            &mut Update {
                builder: &mut builder,
                optimizer: optimizer.rule.name(),
                parameter: &learned.name,
                theta,
                gradient: theta,
                rate,
                step,
                decayed: learned.wanted.decayed,
                memory,
            },
            &scalars.call,
        )?;
        if let (Some(source), Some(point)) = (source, point) {
            with_points[source.index()] = Some(point);
        }
        points.push(point);
    }
    for id in graph.ids() {
        if with_points[id.index()].is_none() {
            with_points[id.index()] = Some(copied(&mut builder, graph, id, &with_points)?);
        }
    }
    let mut result = builder.finish();
    result.roots = graph.roots.iter().map(|root| root.mapped(|id| with_points[id.index()].unwrap_or(id))).collect();
    Ok((result, points))
}

/// For each node, whether it depends on one of the sources.
fn dependents(graph: &Graph, sources: &[Option<NodeId>]) -> Vec<bool> {
    let mut dependent = vec![false; graph.nodes.len()];
    for id in graph.ids() {
        dependent[id.index()] =
            sources.contains(&Some(id)) || graph.node(id).operands.iter().any(|operand| dependent[operand.index()]);
    }
    dependent
}

fn copied(builder: &mut Builder, graph: &Graph, id: NodeId, map: &[Option<NodeId>]) -> Result<NodeId, Fault> {
    let node = graph.node(id);
    let new = |id: NodeId| map[id.index()];
    let operands: Vec<NodeId> = node.operands.iter().filter_map(|&operand| new(operand)).collect();
    let mut origin = graph.origin(id).clone();
    origin.of = origin.of.and_then(new);
    builder.set_origin(origin);
    Ok(builder.apply(node.primitive, &operands, node.attributes.clone(), Some(node.ty.clone()))?)
}
