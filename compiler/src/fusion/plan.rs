//! The greedy walk that forms groups: each node, in topological order, joins the latest group that may take it, or starts its own.

use super::access::{Access, Reads, inlined};
use super::order::Order;
use super::reason::{Obstacle, Reason, Refusal};
use super::remade::remade;
use super::seat::Seat;
use super::{Fusion, Group, Member, NOMINAL_BATCH, Work, domain, is_step_scalar, reduced_axes, work};
use crate::graph::{Attributes, Dim, Graph, NodeId, Root, Window};
use crate::ops::Primitive;
use std::collections::BTreeSet;

/// What fusion may do; the results are the same bits whatever is set.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Options {
    /// Off: every computed node is a kernel of its own.
    pub fuse: bool,
}

impl Default for Options {
    fn default() -> Self {
        Options { fuse: true }
    }
}

/// Most elements of a member of a kernel that runs as one tile on one thread.
pub(super) const SERIAL_ELEMENTS: usize = 4096;
/// Most members of a group, so that a function stays of a size that compiles fast.
pub(super) const MOST_MEMBERS: usize = 96;

/// Forms the groups of a legal graph.
pub fn fuse(graph: &Graph, options: &Options) -> Result<Fusion, String> {
    let live = graph.live();
    let fusion = form(graph, options, &live, inlined(graph, &live))?;
    let remade = if options.fuse { remade(graph, &live, &fusion) } else { BTreeSet::new() };
    if remade.is_empty() {
        return Ok(fusion);
    }
    let mut inlined = fusion.inlined;
    remade.into_iter().for_each(|node| inlined[node.index()] = true);
    form(graph, options, &live, inlined)
}

/// Forms the groups of what is not inlined.
fn form(graph: &Graph, options: &Options, live: &[bool], inlined: Vec<bool>) -> Result<Fusion, String> {
    let mut planner = Planner {
        graph,
        options,
        inlined,
        reads: Reads::with_room(graph.nodes.len()),
        groups: Vec::new(),
        order: Order::default(),
        home: vec![None; graph.nodes.len()],
        partial: vec![None; graph.nodes.len()],
        updates: vec![Vec::new(); graph.nodes.len()],
        is_output: vec![false; graph.nodes.len()],
        is_updated: vec![false; graph.nodes.len()],
        outputs: Vec::new(),
        serial: Vec::new(),
        readers: vec![Vec::new(); graph.nodes.len()],
        deferred: vec![false; graph.nodes.len()],
    };
    for root in &graph.roots {
        match root {
            Root::Output { node, .. } => {
                planner.is_output[node.index()] = true;
                planner.outputs.push(*node);
            }
            Root::Update { source, node } => {
                planner.is_updated[source.index()] = true;
                planner.updates[node.index()].push(*source);
            }
        }
    }
    for id in graph.ids().filter(|id| live[id.index()]) {
        if planner.inlined[id.index()] {
            continue;
        }
        planner.reads.add(graph, &planner.inlined, id);
        planner.place(Member { node: id, total: false });
        if work(graph, Member { node: id, total: false }) == Work::Cells {
            planner.place(Member { node: id, total: true });
        }
    }
    planner.finish()
}

pub(super) struct Planner<'a> {
    pub(super) graph: &'a Graph,
    options: &'a Options,
    inlined: Vec<bool>,
    reads: Reads,
    pub(super) groups: Vec<Group>,
    pub(super) order: Order,
    /// Group that makes each node's final value.
    pub(super) home: Vec<Option<usize>>,
    /// Group that makes a full reduction's partial sums.
    partial: Vec<Option<usize>>,
    /// For each node the sources that it is the next value of.
    pub(super) updates: Vec<Vec<NodeId>>,
    pub(super) is_output: Vec<bool>,
    pub(super) outputs: Vec<NodeId>,
    /// Groups of one tile.
    serial: Vec<usize>,
    /// Sources that are updated.
    is_updated: Vec<bool>,
    /// Groups that read each of them.
    pub(super) readers: Vec<Vec<usize>>,
    /// Nodes of sources alone, not placed yet: they go where their first reader goes.
    deferred: Vec<bool>,
}

impl Planner<'_> {
    /// Puts a member, and the deferred ones that it reads, into a group.
    fn place(&mut self, member: Member) {
        let accesses = self.reads.of(member);
        let mut pending = Vec::new();
        self.pending(accesses, &mut pending);
        let needs = self.needs(member, accesses);
        let is_root = self.is_output[member.node.index()] || !self.updates[member.node.index()].is_empty();
        let from_step = self.graph.node(member.node).operands.iter().any(|&operand| is_step_scalar(self.graph, operand));
        // What reads sources and scalars alone can be computed anywhere: it goes where its first reader goes.
        let is_free = accesses.iter().all(|access| self.home[access.node.index()].is_none() || access.axes.is_empty());
        if is_free && !is_root && !from_step && matches!(work(self.graph, member), Work::Map | Work::Random) {
            self.deferred[member.node.index()] = true;
            return;
        }
        pending.push(member);
        let mut refusals = Vec::new();
        if self.options.fuse {
            // Kernels of one tile take anything that is small.
            let small = elements(&domain(self.graph, member)) <= SERIAL_ELEMENTS;
            let serial = if small { self.serial.as_slice() } else { &[] };
            let others = serial.iter().rev().filter(|group| !needs.contains(group));
            let candidates: Vec<usize> = needs.iter().rev().chain(others).copied().collect();
            for group in candidates {
                match self.try_join(&pending, group) {
                    Ok(()) => {
                        self.groups[group].refusals.extend(refusals);
                        return;
                    }
                    Err(obstacle) if needs.contains(&group) => {
                        refusals.push(Refusal { member, kernel: self.groups[group].members[0].node, obstacle })
                    }
                    Err(_) => {}
                }
            }
        }
        let mut last = None;
        for &member in &pending {
            let joined = last.filter(|_| self.options.fuse).is_some_and(|group| self.try_join(&[member], group).is_ok());
            if !joined {
                last = Some(self.start(member));
            }
        }
        if let Some(group) = last {
            self.groups[group].refusals.extend(refusals);
        }
    }

    /// Deferred nodes that the accesses lead to, each after what it reads itself.
    fn pending(&self, accesses: &[Access], found: &mut Vec<Member>) {
        for access in accesses {
            let member = Member { node: access.node, total: false };
            if self.deferred[access.node.index()] && !found.contains(&member) {
                self.pending(self.reads.of(member), found);
                found.push(member);
            }
        }
    }

    /// Groups that make what a member reads.
    fn needs(&self, member: Member, accesses: &[Access]) -> Vec<usize> {
        let mut needs: Vec<usize> = accesses.iter().filter_map(|access| self.home[access.node.index()]).collect();
        if member.total {
            needs.extend(self.partial[member.node.index()]);
        }
        needs.sort_unstable();
        needs.dedup();
        needs
    }

    /// Seats all members in a group, or none.
    fn try_join(&mut self, members: &[Member], group: usize) -> Result<(), Obstacle> {
        // What the first of several takes is given back where a later one finds no seat.
        let mut before = None;
        for &member in members {
            let accesses = self.reads.of(member);
            let needs = self.needs(member, accesses);
            match self.seat(member, group, accesses, &needs) {
                Ok(seat) => {
                    if members.len() > 1 && before.is_none() {
                        before = Some(self.groups[group].clone());
                    }
                    self.take(member, group, seat);
                }
                Err(why) => {
                    if let Some(before) = before {
                        self.groups[group] = before;
                    }
                    return Err(why);
                }
            }
        }
        for &member in members {
            self.link(member, group);
        }
        Ok(())
    }

    fn take(&mut self, member: Member, group: usize, seat: Seat) {
        let target = &mut self.groups[group];
        target.members.push(member);
        target.domains.push(seat.domain);
        target.axes = seat.axes;
        target.parallel = seat.parallel;
        target.reasons.push(seat.reason);
    }

    fn start(&mut self, member: Member) -> usize {
        let dims = domain(self.graph, member);
        let kind = work(self.graph, member);
        let lost = if kind == Work::Cells { Vec::new() } else { reduced_axes(self.graph, member) };
        let small =
            !matches!(kind, Work::Product | Work::Opaque | Work::Scan | Work::Cells) && elements(&dims) <= SERIAL_ELEMENTS / 4;
        let parallel = if kind == Work::Scan {
            // Rows of the batch are independent, steps are not.
            vec![0]
        } else if kind == Work::Total || small {
            Vec::new()
        } else {
            let moved = moved_axis(self.graph, member.node);
            (0..dims.len()).filter(|axis| !lost.contains(axis) && moved != Some(*axis)).collect()
        };
        let dims = if kind == Work::Total { Vec::new() } else { dims };
        self.groups.push(Group {
            members: vec![member],
            domains: vec![(0..dims.len()).collect()],
            axes: dims,
            parallel,
            reasons: vec![Reason::Starts],
            refusals: Vec::new(),
        });
        self.order.add_group();
        let group = self.groups.len() - 1;
        if self.groups[group].parallel.is_empty() {
            self.serial.push(group);
        }
        self.link(member, group);
        group
    }

    /// Records what the member makes and reads, and the order that follows from it.
    fn link(&mut self, member: Member, group: usize) {
        self.deferred[member.node.index()] = false;
        let accesses = self.reads.of(member);
        for need in self.needs(member, accesses) {
            self.order.add(need, group);
        }
        for access in accesses.iter().filter(|access| self.is_updated[access.node.index()]) {
            let readers = &mut self.readers[access.node.index()];
            if !readers.contains(&group) {
                readers.push(group);
            }
        }
        if work(self.graph, member) == Work::Cells {
            self.partial[member.node.index()] = Some(group);
            return;
        }
        self.home[member.node.index()] = Some(group);
        if self.updates[member.node.index()].is_empty() {
            return;
        }
        for source in self.updates[member.node.index()].clone() {
            for reader in self.readers[source.index()].clone() {
                if !self.order.path(group, reader) {
                    self.order.add(reader, group);
                }
            }
        }
        for result in self.results().collect::<Vec<_>>() {
            if !self.order.path(group, result) {
                self.order.add(result, group);
            }
        }
    }

    fn finish(mut self) -> Result<Fusion, String> {
        let mut staged = BTreeSet::new();
        for node in 0..self.graph.nodes.len() {
            for source in self.updates[node].clone() {
                let Some(group) = self.home[node] else { continue };
                for reader in self.readers[source.index()].clone() {
                    if reader != group && !self.order.path(group, reader) {
                        self.order.add(reader, group);
                    }
                }
                let late = self.readers[source.index()].iter().any(|&reader| self.order.path(group, reader));
                if late || !self.reads_in_place(group, NodeId(node as u32), source) {
                    staged.insert(source);
                }
            }
        }
        let groups = self.order.sorted(&self.groups)?.into_iter().map(|group| self.groups[group].clone()).collect();
        Ok(Fusion::new(self.graph, groups, (self.inlined, self.reads), self.updates, staged))
    }

    /// Whether all reads of `source` in the group that updates it are of the very element that is written.
    fn reads_in_place(&self, group: usize, node: NodeId, source: NodeId) -> bool {
        let target = &self.groups[group];
        let Some(position) = target.members.iter().rposition(|member| member.node == node) else { return false };
        let written = target.value_axes(self.graph, position);
        target.members.iter().zip(&target.domains).all(|(member, own)| {
            let mut reads = self.reads.of(*member).iter().filter(|access| access.node == source);
            reads.all(|access| access.is_at(own, &written))
        })
    }
}

/// The axis along which a member that moves memory moves it: the others are independent.
fn moved_axis(graph: &Graph, id: NodeId) -> Option<usize> {
    let node = graph.node(id);
    match (node.primitive, &node.attributes) {
        // Rows are added in order.
        (Primitive::ScatterAdd, _) => Some(0),
        (_, Attributes::Pad { axis, .. } | Attributes::Window(Window { axis, .. })) => Some(*axis),
        (Primitive::Concat, Attributes::Axis(axis)) => Some(*axis),
        _ => None,
    }
}

/// Elements of a domain for the nominal batch.
pub(super) fn elements(dims: &[Dim]) -> usize {
    dims.iter().map(|dim| dim.at(NOMINAL_BATCH)).fold(1, usize::saturating_mul)
}
