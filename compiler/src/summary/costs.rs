//! What a network costs for one row of the batch: FLOPs of its matrix products, and bytes that its layers read and write.

use crate::graph::scan::Role;
use crate::graph::{Attributes, Dim, Graph, NodeId};
use crate::nn::Network;
use crate::nn::network::Use;
use crate::ops::Primitive;
use std::ops::Range;

/// FLOPs of each node in a training step.
pub(super) struct Costs {
    forward: Vec<usize>,
    backward: Vec<usize>,
    /// Whether a gradient comes to the node.
    lowered: Vec<bool>,
    /// Whether a gradient passes the node on its way to what is trained.
    trained: Vec<bool>,
}

/// Bytes of values that a layer moves for one row if it is a pass of its own, parameters apart.
#[derive(Clone, Copy, Default)]
pub(super) struct Moved {
    /// Its input read, its output written.
    pub(super) forward: usize,
    /// The output's gradient and the input read; the input's gradient written where something before it is trained.
    pub(super) backward: usize,
}

impl Costs {
    /// Forward for all that a step computes; backward for what lies between the loss and a trained parameter.
    pub(super) fn of(network: &Network) -> Costs {
        let graph = network.builder.graph();
        let loss: Vec<NodeId> = network.loss.into_iter().collect();
        let measured = network.reports.iter().map(|report| report.node).chain(network.next_states.iter().map(|(_, next)| *next));
        let computed = graph.ancestors(loss.iter().copied().chain(measured));
        let lowered = graph.ancestors(loss);
        let trained = depends_on_trained(network);
        let (mut forward, mut backward) = (vec![0; graph.nodes.len()], vec![0; graph.nodes.len()]);
        for id in graph.ids() {
            let (index, cost) = (id.index(), products(graph, id));
            if computed[index] {
                forward[index] = cost;
            }
            if lowered[index] {
                backward[index] = differentiated(graph, id, &trained);
            }
        }
        Costs { forward, backward, lowered, trained }
    }
    /// What a layer moves.
    pub(super) fn moved(&self, network: &Network, one: &Use) -> Moved {
        const WORD: usize = 4;
        let graph = network.builder.graph();
        let row = |node: NodeId| if graph.shape(node).has_batch() { WORD * graph.shape(node).fixed_count() } else { 0 };
        let (input, output) = (row(one.input), row(one.output));
        let forward = input + output;
        // Its output itself may be passed by: what normalises it goes on without a bias that nobody asked for.
        let is_lowered = |node: usize| self.lowered[node] && self.trained[node];
        let is_lowered = is_lowered(one.output.index()) || (!one.parameters.is_empty() && one.nodes.clone().any(is_lowered));
        let further = if self.trained[one.input.index()] { input } else { 0 };
        Moved { forward, backward: if is_lowered { output + input + further } else { 0 } }
    }
    /// Both ways.
    pub(super) fn of_nodes(&self, nodes: &Range<usize>) -> usize {
        self.forward[nodes.clone()].iter().chain(&self.backward[nodes.clone()]).sum()
    }
    pub(super) fn forward(&self) -> usize {
        self.forward.iter().sum()
    }
    pub(super) fn backward(&self) -> usize {
        self.backward.iter().sum()
    }
    pub(super) fn total(&self) -> usize {
        self.forward() + self.backward()
    }
    /// Parameters that nodes read.
    pub(super) fn parameters_in(&self, network: &Network, nodes: &Range<usize>) -> impl Iterator<Item = NodeId> {
        let graph = network.builder.graph();
        let operands = graph.nodes[nodes.clone()].iter().flat_map(|node| &node.operands);
        operands.copied().filter(|operand| graph.node(*operand).primitive == Primitive::Parameter)
    }
}

/// FLOPs of all products that some nodes need.
pub(super) fn forward_of(graph: &Graph, nodes: &[NodeId]) -> usize {
    let live = graph.ancestors(nodes.iter().copied());
    graph.ids().filter(|id| live[id.index()]).map(|id| products(graph, id)).sum()
}

/// FLOPs of a node's products: its own, or those of all steps of a scan.
fn products(graph: &Graph, id: NodeId) -> usize {
    let Attributes::Scan(scan) = &graph.node(id).attributes else { return product(graph, id) };
    let steps = graph.shape(id).0[1].at(0);
    scan.body.ids().map(|id| product(&scan.body, id)).sum::<usize>().saturating_mul(steps)
}

/// FLOPs of the gradients of a node's factors: one product each for those on the way to what is trained.
fn differentiated(graph: &Graph, id: NodeId, trained: &[bool]) -> usize {
    let operands = &graph.node(id).operands;
    let factors = |of: &Graph, id: NodeId, passes: &dyn Fn(NodeId) -> bool| {
        product(of, id) * of.node(id).operands.iter().filter(|operand| passes(**operand)).count()
    };
    let Attributes::Scan(scan) = &graph.node(id).attributes else {
        return factors(graph, id, &|operand| trained[operand.index()]);
    };
    if !operands.iter().any(|operand| trained[operand.index()]) {
        return 0;
    }
    // A carry hands on what any step was trained by.
    let passes = |inside: NodeId| match Role::of(scan.body.node(inside)) {
        Some(role @ Role::Constant(_)) => trained[operands[scan.operand(role)].index()],
        _ => true,
    };
    let steps = graph.shape(id).0[1].at(0);
    scan.body.ids().map(|id| factors(&scan.body, id, &passes)).sum::<usize>().saturating_mul(steps)
}

/// A multiplication and an addition for every combination of labels.
fn product(graph: &Graph, id: NodeId) -> usize {
    let node = graph.node(id);
    let Attributes::Contract(labels) = &node.attributes else { return 0 };
    let (left, right) = (graph.shape(node.operands[0]), graph.shape(node.operands[1]));
    let mut seen: Vec<u8> = Vec::new();
    let mut combinations: usize = 1;
    for (label, dim) in labels.left.iter().zip(&left.0).chain(labels.right.iter().zip(&right.0)) {
        if let (false, Dim::Fixed(size)) = (seen.contains(label), dim) {
            combinations = combinations.saturating_mul(*size);
        }
        seen.push(*label);
    }
    combinations.saturating_mul(2)
}

/// For each node, whether a gradient passes it on the way to a parameter that is not frozen.
fn depends_on_trained(network: &Network) -> Vec<bool> {
    let graph = network.builder.graph();
    let mut depends = vec![false; graph.nodes.len()];
    for learned in network.learned().filter(|learned| !learned.wanted.frozen) {
        depends[learned.node.index()] = true;
    }
    for id in graph.ids() {
        let node = graph.node(id);
        let passes = node.primitive != Primitive::StopGradient && node.operands.iter().any(|operand| depends[operand.index()]);
        depends[id.index()] |= passes;
    }
    depends
}
