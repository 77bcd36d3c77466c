//! What each kernel moves through memory: the measure of what fusion bought.
//!
//! A tensor that a kernel reads or writes counts once, at its whole size; what is made and read inside of a kernel is in cache and
//! counts nothing, and neither do the scalars of a step.

use super::{CELL, Fusion, Member, Work, work};
use crate::graph::{Attributes, Graph, NodeId, Root};
use crate::ops::Primitive;
use std::collections::{BTreeMap, BTreeSet};

/// Bytes of a word of tensor memory.
const WORD: usize = 4;

/// Tensors that one kernel moves; of a full reduction the partial sums are a tensor of their own.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Traffic {
    pub reads: BTreeSet<Tensor>,
    pub writes: BTreeSet<Tensor>,
}

/// A tensor in memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug, PartialOrd, Ord)]
pub enum Tensor {
    Value(NodeId),
    /// Partial sums of a full reduction.
    Cells(NodeId),
    /// The old value of a source, where it is read or overwritten.
    Source(NodeId),
}

impl Traffic {
    /// Bytes read and written for a batch of `n`.
    pub fn bytes(&self, graph: &Graph, n: usize) -> usize {
        self.reads.iter().chain(&self.writes).map(|tensor| tensor.bytes(graph, n)).sum()
    }
}

impl Tensor {
    /// Its size for a batch of `n`.
    pub fn bytes(self, graph: &Graph, n: usize) -> usize {
        WORD * match self {
            Tensor::Value(node) | Tensor::Source(node) => graph.shape(node).count(n),
            Tensor::Cells(node) => {
                let sizes = graph.shape(graph.node(node).operands[0]).at(n);
                sizes.iter().zip(CELL).map(|(size, cell)| size.div_ceil(cell)).product()
            }
        }
    }
}

/// What the kernels move, in their order; the copies of staged sources are kernels too, and come last.
pub fn traffic(graph: &Graph, fusion: &Fusion) -> Vec<Traffic> {
    let found = Found::new(graph, fusion);
    let mut all: Vec<Traffic> = (0..fusion.groups.len()).map(|number| of_group(graph, fusion, &found, number)).collect();
    for (source, node) in updates(graph).filter(|(source, _)| fusion.staged.contains(source)) {
        all.push(Traffic { reads: [Tensor::Value(node)].into(), writes: [Tensor::Source(source)].into() });
    }
    all
}

/// Each updated source with its next value.
pub fn updates(graph: &Graph) -> impl Iterator<Item = (NodeId, NodeId)> + '_ {
    graph.roots.iter().filter_map(|root| match root {
        Root::Update { source, node } => Some((*source, *node)),
        Root::Output { .. } => None,
    })
}

/// For each node the groups other than its own that read it, each with the first member that does.
pub fn readers(fusion: &Fusion) -> BTreeMap<NodeId, Vec<(usize, Member)>> {
    let mut found: BTreeMap<NodeId, Vec<(usize, Member)>> = BTreeMap::new();
    for (number, group) in fusion.groups.iter().enumerate() {
        for member in &group.members {
            for node in fusion.reads(*member).iter().map(|access| access.node) {
                let readers = found.entry(node).or_default();
                if fusion.group_of(node) != Some(number) && readers.last().is_none_or(|(last, _)| *last != number) {
                    readers.push((number, *member));
                }
            }
        }
    }
    found
}

/// What is asked of every node, found in one walk.
struct Found {
    /// For each group, the nodes that its members read.
    reads: Vec<BTreeSet<NodeId>>,
    /// Nodes that a group other than their own reads.
    read: BTreeSet<NodeId>,
    /// Nodes that are outputs.
    outputs: BTreeSet<NodeId>,
}

impl Found {
    fn new(graph: &Graph, fusion: &Fusion) -> Found {
        let of_member = |member: &Member| fusion.reads(*member).iter().map(|access| access.node);
        let reads: Vec<BTreeSet<NodeId>> =
            fusion.groups.iter().map(|group| group.members.iter().flat_map(of_member).collect()).collect();
        let elsewhere = |(number, nodes): (usize, &BTreeSet<NodeId>)| -> Vec<NodeId> {
            nodes.iter().copied().filter(|node| fusion.group_of(*node) != Some(number)).collect()
        };
        let output = |root: &Root| match root {
            Root::Output { node, .. } => Some(*node),
            Root::Update { .. } => None,
        };
        Found {
            read: reads.iter().enumerate().flat_map(elsewhere).collect(),
            outputs: graph.roots.iter().filter_map(output).collect(),
            reads,
        }
    }
}

fn of_group(graph: &Graph, fusion: &Fusion, found: &Found, number: usize) -> Traffic {
    let mut moved = Traffic::default();
    let members = &fusion.groups[number].members;
    for &node in &found.reads[number] {
        match graph.node(node).primitive {
            Primitive::Input | Primitive::Target | Primitive::Parameter | Primitive::State => {
                moved.reads.insert(Tensor::Source(node));
            }
            _ if fusion.group_of(node).is_some_and(|home| home != number) => {
                moved.reads.insert(Tensor::Value(node));
            }
            _ => {}
        }
    }
    for &member in members {
        let other_half = Member { node: member.node, total: !member.total };
        let split = work(graph, member) == Work::Cells || member.total;
        if split && !members.contains(&other_half) {
            let place = if member.total { &mut moved.reads } else { &mut moved.writes };
            place.insert(Tensor::Cells(member.node));
        }
        if fusion.group_of(member.node) != Some(number) || work(graph, member) == Work::Cells {
            continue;
        }
        let next = fusion.updated_by(member.node);
        let in_place = next.iter().filter(|source| !fusion.staged.contains(source));
        moved.writes.extend(in_place.map(|&source| Tensor::Source(source)));
        let staged = next.iter().any(|source| fusion.staged.contains(source));
        let is_output = found.outputs.contains(&member.node);
        let is_read = next.is_empty() && found.read.contains(&member.node);
        if staged || is_output || is_read {
            moved.writes.insert(Tensor::Value(member.node));
        }
    }
    moved
}

/// Floating-point operations of a group's products for a batch of `n`: two for each multiply-add, of a scan's steps too.
pub fn product_flops(graph: &Graph, fusion: &Fusion, number: usize, n: usize) -> f64 {
    fusion.groups[number].members.iter().map(|member| flops(graph, member.node, n)).sum()
}

fn flops(graph: &Graph, id: NodeId, n: usize) -> f64 {
    let node = graph.node(id);
    match &node.attributes {
        Attributes::Contract(spec) => {
            let sizes = |own: &[u8], operand: NodeId| -> Vec<(u8, usize)> {
                own.iter().copied().zip(graph.shape(operand).at(n)).collect()
            };
            let labels: BTreeMap<u8, usize> =
                [sizes(&spec.left, node.operands[0]), sizes(&spec.right, node.operands[1])].concat().into_iter().collect();
            2.0 * labels.values().map(|size| *size as f64).product::<f64>()
        }
        Attributes::Scan(scan) => {
            let steps = graph.shape(id).at(n).get(1).copied().unwrap_or(1);
            let step: f64 = (0..scan.body.nodes.len()).map(|node| flops(&scan.body, NodeId(node as u32), n)).sum();
            steps as f64 * step
        }
        _ => 0.0,
    }
}
