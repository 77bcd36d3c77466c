//! Fusion: which nodes share a kernel, and why.
//!
//! A [`Group`] becomes one kernel: a loop over independent tiles of one parallel axis, and inside it a sequence of nests over values
//! that stay in cache. Its members see the same [axes](Group::axes); each member knows which of its own axes are which of the group's.
//! The rule that keeps tiles independent: every member has the parallel axis, and none reduces over it. A full reduction rides along as
//! partial sums of fixed cells, which a later kernel adds up.
//!
//! Nodes that are no members of any group are *inlined* wherever they are read: sources, views, coordinates, constants, step scalars
//! in f64, cheap formulas of those alone, and cheaper ones of one value that a product reads in memory: the mask of a `relu` is made
//! again from its output where the gradient needs it. So are, once the groups stand, cheap formulas that several kernels would read of a value
//! which is handed on anyway (`remade.rs`).
//!
//! Fusion decides where a value is kept, never what it is: no decision here changes a bit.

mod access;
pub mod legalize;
mod operands;
mod order;
mod plan;
pub mod reason;
mod remade;
mod seat;
pub mod text;
pub mod traffic;

use access::Reads;
pub(crate) use access::{Access, Inlined, member_accesses};
#[cfg(test)]
pub(crate) use operands::stands_in_memory;
pub(crate) use operands::{in_table, linear, loops_around_product, reads_windows, steps_in_product};
pub use plan::{Options, fuse};
pub use reason::{Obstacle, Reason, Refusal};

use crate::graph::{Attributes, Dim, Element, Graph, NodeId};
use crate::ops::{self, Lowering, Primitive};
use std::collections::BTreeSet;

/// Batch size that costs are estimated at; the true one is known at run time only.
pub const NOMINAL_BATCH: usize = 64;

/// Rows and columns of the cells that a full reduction of a matrix is cut into.
pub const CELL: [usize; 2] = [48, 32];

/// What kind of loop computes a member.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Work {
    Map,
    /// Reduction along an axis of the operand that is its last.
    Row,
    /// Reduction along another axis.
    Column,
    /// Full reduction of a matrix: partial sums of cells.
    Cells,
    /// The cells' sums added up (a second member for the same node).
    Total,
    Product,
    Random,
    /// A nest of its own.
    Opaque,
    /// A loop over steps.
    Scan,
}

/// A node as a member of a group; the full reduction of a matrix is two members.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, PartialOrd, Ord)]
pub struct Member {
    pub node: NodeId,
    /// The second half of a full reduction.
    pub total: bool,
}

/// One kernel to be.
#[derive(Clone, PartialEq, Debug)]
pub struct Group {
    pub members: Vec<Member>,
    /// Extents of the axes that members share.
    pub axes: Vec<Dim>,
    /// For each member the group's axes of its *domain*: its own axes, or its operand's if it reduces.
    pub domains: Vec<Vec<usize>>,
    /// Axes that may be cut into independent tiles; empty for a kernel that runs as one tile.
    pub parallel: Vec<usize>,
    /// Why each member is here.
    pub reasons: Vec<Reason>,
    /// Kernels that this one's members read and were not fused with, and why.
    pub refusals: Vec<Refusal>,
}

impl Group {
    /// The group's axes of a member's value: those of its domain that it does not fold.
    pub(crate) fn value_axes(&self, graph: &Graph, position: usize) -> Vec<usize> {
        let lost = reduced_axes(graph, self.members[position]);
        let own = self.domains[position].iter().enumerate();
        own.filter(|(axis, _)| !lost.contains(axis)).map(|(_, &axis)| axis).collect()
    }
}

/// The whole decision: groups in the order in which they run.
#[derive(Clone, PartialEq, Debug)]
pub struct Fusion {
    pub groups: Vec<Group>,
    /// For each node, whether it is inlined where it is read.
    pub inlined: Vec<bool>,
    /// Sources whose next value cannot be written in place (something reads the old one later): it is staged and copied at the end.
    pub staged: BTreeSet<NodeId>,
    /// For each node, whether something reads it as words in memory.
    pub(crate) in_words: Vec<bool>,
    /// For each node, whether its rows must follow one another without a gap.
    pub(crate) in_one_piece: Vec<bool>,
    /// What members read.
    reads: Reads,
    /// For each node the sources that it is the next value of.
    updates: Vec<Vec<NodeId>>,
    /// For each node the group that makes its final value.
    home: Vec<Option<usize>>,
}

impl Fusion {
    fn new(
        graph: &Graph,
        groups: Vec<Group>,
        (inlined, reads): (Vec<bool>, Reads),
        updates: Vec<Vec<NodeId>>,
        staged: BTreeSet<NodeId>,
    ) -> Self {
        let mut home = vec![None; inlined.len()];
        for (number, group) in groups.iter().enumerate() {
            group.members.iter().for_each(|member| home[member.node.index()] = Some(number));
        }
        let in_words = access::in_words(graph);
        let in_one_piece = access::in_one_piece(graph, &in_words);
        Fusion { groups, inlined, staged, in_words, in_one_piece, reads, updates, home }
    }

    /// The nodes that a group reads and another one makes, in the order in which they are read; one may come more than once.
    pub(crate) fn crossing(&self, graph: &Graph) -> Vec<NodeId> {
        let mut found = Vec::new();
        for (number, group) in self.groups.iter().enumerate() {
            for &member in &group.members {
                let read = self.reads.of(member).iter().map(|access| access.node);
                found.extend(read.filter(|node| {
                    let is_source = ops::record(graph.node(*node).primitive).is_source();
                    !is_source && self.group_of(*node).is_some_and(|home| home != number)
                }));
            }
        }
        found
    }

    /// What a member reads of computed nodes and sources.
    pub(crate) fn reads(&self, member: Member) -> &[Access] {
        self.reads.of(member)
    }

    /// Sources whose next value a node is.
    pub(crate) fn updated_by(&self, node: NodeId) -> &[NodeId] {
        self.updates.get(node.index()).map_or(&[], Vec::as_slice)
    }

    /// Index of the group that makes a node's (final) value.
    pub fn group_of(&self, node: NodeId) -> Option<usize> {
        self.home.get(node.index()).copied().flatten()
    }
}

/// How a node is computed when it is a member.
pub fn work(graph: &Graph, member: Member) -> Work {
    let node = graph.node(member.node);
    match (&ops::record(node.primitive).lowering, &node.attributes) {
        (Lowering::Reduce(_), _) if member.total => Work::Total,
        (Lowering::Reduce(_), _) if folded(graph, member.node).is_some() => Work::Map,
        (Lowering::Reduce(_), Attributes::Axes(axes)) => {
            let rank = graph.shape(node.operands[0]).rank();
            match axes.as_slice() {
                [_, _] => Work::Cells,
                [axis] if axis + 1 == rank => Work::Row,
                _ => Work::Column,
            }
        }
        (Lowering::Contract, _) => Work::Product,
        (Lowering::Random, _) => Work::Random,
        (Lowering::Opaque, _) => Work::Opaque,
        (Lowering::Scan, _) => Work::Scan,
        _ => Work::Map,
    }
}

/// Most elements of an axis that is folded where its result is computed, as a formula is.
const SHORT_AXIS: usize = 4;

/// Axis and size of a reduction over so few elements that it is a formula of them.
pub(crate) fn folded(graph: &Graph, id: NodeId) -> Option<(usize, usize)> {
    let node = graph.node(id);
    match (&ops::record(node.primitive).lowering, &node.attributes) {
        (Lowering::Reduce(_), Attributes::Axes(axes)) => match (axes.as_slice(), &graph.shape(node.operands[0]).0) {
            ([axis], dims) => match dims[*axis] {
                Dim::Fixed(size) if size <= SHORT_AXIS => Some((*axis, size)),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    }
}

/// The shape that a member's loops run over.
pub fn domain(graph: &Graph, member: Member) -> Vec<Dim> {
    let node = graph.node(member.node);
    match work(graph, member) {
        Work::Row | Work::Column | Work::Cells => graph.shape(node.operands[0]).0.clone(),
        _ => node.ty.shape.0.clone(),
    }
}

/// Axes of a member's domain that its value lacks.
pub fn reduced_axes(graph: &Graph, member: Member) -> Vec<usize> {
    match (work(graph, member), &graph.node(member.node).attributes) {
        (Work::Row | Work::Column | Work::Cells, Attributes::Axes(axes)) => axes.clone(),
        _ => Vec::new(),
    }
}

/// Words of a cache line.
pub(crate) const LINE_WORDS: usize = 16;
/// Columns from which on the lines that neighbouring strips share are few beside the others.
pub(crate) const MOST_SHARED_COLUMNS: usize = 512;

/// Whether strips of a matrix's columns would share a line in most rows, so that threads that write them would take it from each other.
pub(crate) fn strips_share_lines(columns: usize) -> bool {
    !columns.is_multiple_of(LINE_WORDS) && (LINE_WORDS..MOST_SHARED_COLUMNS).contains(&columns)
}

/// Elements that a contraction sums up for each of its own.
pub fn summed(graph: &Graph, contract: NodeId) -> usize {
    let node = graph.node(contract);
    let Attributes::Contract(spec) = &node.attributes else { return 1 };
    let summed = spec.left.iter().zip(&graph.shape(node.operands[0]).0).filter(|(label, _)| !spec.out.contains(label));
    summed.map(|(_, size)| size.at(NOMINAL_BATCH)).product()
}

/// A rough count of block instructions that one element of a node takes where it is read.
pub fn cost(graph: &Graph, id: NodeId) -> usize {
    let primitive = graph.node(id).primitive;
    match ops::cost(primitive) {
        Some(cost) => cost,
        None if matches!(ops::record(primitive).lowering, Lowering::Gather) => 2,
        // Its operand is computed for each element.
        None if folded(graph, id).is_some() => 2 * SHORT_AXIS,
        None => 0,
    }
}

/// Whether a reshape only adds or drops axes of size 1.
pub fn is_unit_reshape(graph: &Graph, id: NodeId) -> bool {
    let node = graph.node(id);
    let strip = |dims: &[Dim]| -> Vec<Dim> { dims.iter().copied().filter(|dim| *dim != Dim::Fixed(1)).collect() };
    node.primitive == Primitive::Reshape && strip(&node.ty.shape.0) == strip(&graph.shape(node.operands[0]).0)
}

/// Whether a node is a step scalar in f64.
pub fn is_step_scalar(graph: &Graph, id: NodeId) -> bool {
    graph.ty(id).element == Element::F64
}

/// For each axis of an operand the axis of the node's reader that indexes it, where the node is computed element by element and `axes` are
/// those of its own. Which row of a table is read is no axis of anyone.
pub fn operand_axes(graph: &Graph, id: NodeId, operand: usize, axes: &[Option<usize>]) -> Vec<Option<usize>> {
    let node = graph.node(id);
    if let Some((axis, _)) = folded(graph, id) {
        let (before, behind) = axes.split_at(axis);
        return before.iter().copied().chain([None]).chain(behind.iter().copied()).collect();
    }
    if !matches!(ops::record(node.primitive).lowering, Lowering::Gather) {
        return axes.to_vec();
    }
    let (lead, inside) = axes.split_at(graph.shape(node.operands[1]).rank());
    if operand == 0 { std::iter::once(None).chain(inside.iter().copied()).collect() } else { lead.to_vec() }
}

/// For each axis of a view's operand, the axis of the view that indexes it (`None`: a fixed index). Reshapes that do more than add
/// or drop axes of size 1 have no such map.
pub fn view_axes(graph: &Graph, id: NodeId) -> Option<Vec<Option<usize>>> {
    let node = graph.node(id);
    match (node.primitive, &node.attributes) {
        (Primitive::Broadcast, Attributes::Axes(axes)) => Some(axes.iter().map(|&axis| Some(axis)).collect()),
        (Primitive::Transpose, Attributes::Axes(order)) => {
            let mut back = vec![None; order.len()];
            for (axis, &from) in order.iter().enumerate() {
                back[from] = Some(axis);
            }
            Some(back)
        }
        (Primitive::Slice, _) => Some((0..node.ty.shape.rank()).map(Some).collect()),
        // An element of the axis is read by several places: no one axis is its index.
        (Primitive::Window, Attributes::Window(window)) => {
            Some((0..node.ty.shape.rank()).filter(|&axis| axis != window.axis + 1).map(Some).collect())
        }
        (Primitive::Reshape, _) if is_unit_reshape(graph, id) => {
            let unit = |dim: &Dim| *dim == Dim::Fixed(1);
            let mut own = node.ty.shape.0.iter().enumerate().filter(|(_, dim)| !unit(dim)).map(|(axis, _)| axis);
            Some(graph.shape(node.operands[0]).0.iter().map(|dim| if unit(dim) { None } else { own.next() }).collect())
        }
        _ => None,
    }
}
