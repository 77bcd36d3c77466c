//! The greedy walk that forms groups: each node, in topological order, joins the latest group that may take it, or starts its own.

use super::reason::{Obstacle, Reason, Refusal};
use super::{
    Fusion, Group, Member, NOMINAL_BATCH, Work, domain, is_step_scalar, is_unit_reshape, operand_axes, reduced_axes, view_axes,
    work,
};
use crate::graph::{Dim, Graph, NodeId, Root};
use crate::ops::{self, Lowering, Primitive};
use petgraph::algo::{has_path_connecting, toposort};
use petgraph::graph::{DiGraph, NodeIndex};

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
const SERIAL_ELEMENTS: usize = 4096;
/// Most block instructions of a formula of sources that is computed anew wherever it is read.
const FREE_COST: usize = 8;
/// Most members of a group, so that a function stays of a size that compiles fast.
const MOST_MEMBERS: usize = 96;

/// Forms the groups of a legal graph.
pub fn fuse(graph: &Graph, options: &Options) -> Result<Fusion, String> {
    let live = graph.live();
    let inlined = inlined(graph, &live);
    let mut planner = Planner {
        graph,
        options,
        inlined,
        groups: Vec::new(),
        order: DiGraph::new(),
        home: vec![None; graph.nodes.len()],
        partial: vec![None; graph.nodes.len()],
        updates: vec![Vec::new(); graph.nodes.len()],
        is_output: vec![false; graph.nodes.len()],
        readers: vec![Vec::new(); graph.nodes.len()],
        deferred: vec![false; graph.nodes.len()],
    };
    for root in &graph.roots {
        match root {
            Root::Output { node, .. } => planner.is_output[node.index()] = true,
            Root::Update { source, node } => planner.updates[node.index()].push(*source),
        }
    }
    for id in graph.ids().filter(|id| live[id.index()]) {
        if planner.inlined[id.index()] {
            continue;
        }
        planner.place(Member { node: id, total: false });
        if work(graph, Member { node: id, total: false }) == Work::Cells {
            planner.place(Member { node: id, total: true });
        }
    }
    planner.finish()
}

/// Which nodes are computed where they are read.
fn inlined(graph: &Graph, live: &[bool]) -> Vec<bool> {
    let mut stored = vec![false; graph.nodes.len()];
    for root in &graph.roots {
        stored[root.node().index()] = true;
    }
    for id in graph.ids().filter(|id| live[id.index()]) {
        let node = graph.node(id);
        let needs_memory = matches!(ops::record(node.primitive).lowering, Lowering::Contract)
            || (node.primitive == Primitive::Reshape && !is_unit_reshape(graph, id));
        let table = matches!(ops::record(node.primitive).lowering, Lowering::Gather);
        let from_memory = if needs_memory { node.operands.len() } else { usize::from(table) };
        for &operand in &node.operands[..from_memory] {
            stored[bottom(graph, operand).index()] = true;
        }
    }
    let mut inlined = vec![false; graph.nodes.len()];
    // Cost of a formula of sources alone; `None` if it is more than that.
    let mut free: Vec<Option<usize>> = vec![None; graph.nodes.len()];
    for id in graph.ids() {
        let node = graph.node(id);
        let operands = || node.operands.iter().map(|operand| free[operand.index()]).sum::<Option<usize>>();
        match ops::record(node.primitive).lowering {
            Lowering::Source | Lowering::Coordinate => {
                inlined[id.index()] = true;
                free[id.index()] = Some(0);
            }
            Lowering::View => {
                inlined[id.index()] = true;
                free[id.index()] = operands();
            }
            _ if is_step_scalar(graph, id) && !stored[id.index()] => inlined[id.index()] = true,
            Lowering::Pointwise(_) if !stored[id.index()] => {
                let from_step = node.operands.iter().any(|&operand| is_step_scalar(graph, operand));
                let cost = operands().map(|cost| cost + super::cost(graph, id)).filter(|cost| *cost <= FREE_COST && !from_step);
                inlined[id.index()] = cost.is_some();
                free[id.index()] = cost;
            }
            _ => {}
        }
    }
    inlined
}

/// The node that a chain of views ends in.
pub(crate) fn bottom(graph: &Graph, mut id: NodeId) -> NodeId {
    while matches!(ops::record(graph.node(id).primitive).lowering, Lowering::View) {
        id = graph.node(id).operands[0];
    }
    id
}

/// A read of a computed node or source: for each axis of its value the reader's domain axis that indexes it.
pub(crate) struct Access {
    pub node: NodeId,
    pub axes: Vec<Option<usize>>,
    /// It is read where a value points: from memory, even if it is computed at this very index.
    pub picked: bool,
}

/// Everything that evaluating `id` at its own index reads, through inlined nodes. `axes` maps `id`'s axes to the reader's domain.
pub(crate) fn accesses(graph: &Graph, inlined: &[bool], id: NodeId, axes: &[Option<usize>], found: &mut Vec<Access>) {
    if !inlined[id.index()] || ops::record(graph.node(id).primitive).is_source() {
        found.push(Access { node: id, axes: axes.to_vec(), picked: false });
        return;
    }
    let node = graph.node(id);
    match ops::record(node.primitive).lowering {
        Lowering::View => {
            let operand = node.operands[0];
            let map = view_axes(graph, id).unwrap_or_else(|| vec![None; graph.shape(operand).rank()]);
            let sliced = match node.attributes {
                crate::graph::Attributes::Slice { axis, .. } => Some(axis),
                _ => None,
            };
            let mapped: Vec<Option<usize>> = map
                .iter()
                .enumerate()
                .map(|(axis, to)| if sliced == Some(axis) { None } else { to.and_then(|to| axes[to]) })
                .collect();
            accesses(graph, inlined, operand, &mapped, found);
        }
        _ => {
            element_accesses(graph, inlined, id, axes, found);
        }
    }
}

/// What computing one element of a node reads through its operands.
fn element_accesses(graph: &Graph, inlined: &[bool], id: NodeId, axes: &[Option<usize>], found: &mut Vec<Access>) {
    let node = graph.node(id);
    for (number, &operand) in node.operands.iter().enumerate() {
        let first = found.len();
        accesses(graph, inlined, operand, &operand_axes(graph, id, number, axes), found);
        if number == 0 && matches!(ops::record(node.primitive).lowering, Lowering::Gather) {
            found[first..].iter_mut().for_each(|access| access.picked = true);
        }
    }
}

/// What a member reads, in terms of its domain's axes.
pub(crate) fn member_accesses(graph: &Graph, inlined: &[bool], member: Member) -> Vec<Access> {
    let node = graph.node(member.node);
    let mut found = Vec::new();
    match work(graph, member) {
        Work::Total => {}
        Work::Product | Work::Opaque => {
            for &operand in &node.operands {
                accesses(graph, inlined, operand, &vec![None; graph.shape(operand).rank()], &mut found);
            }
        }
        _ => {
            let axes: Vec<Option<usize>> = (0..domain(graph, member).len()).map(Some).collect();
            element_accesses(graph, inlined, member.node, &axes, &mut found);
        }
    }
    found
}

/// How a member would sit in a group.
struct Seat {
    domain: Vec<usize>,
    axes: Vec<Dim>,
    parallel: Vec<usize>,
    reason: Reason,
}

struct Planner<'a> {
    graph: &'a Graph,
    options: &'a Options,
    inlined: Vec<bool>,
    groups: Vec<Group>,
    /// An edge from each group to those that must run after it.
    order: DiGraph<(), ()>,
    /// Group that makes each node's final value.
    home: Vec<Option<usize>>,
    /// Group that makes a full reduction's partial sums.
    partial: Vec<Option<usize>>,
    /// For each node the sources that it is the next value of.
    updates: Vec<Vec<NodeId>>,
    is_output: Vec<bool>,
    /// Groups that read each source.
    readers: Vec<Vec<usize>>,
    /// Nodes of sources alone, not placed yet: they go where their first reader goes.
    deferred: Vec<bool>,
}

impl Planner<'_> {
    /// Puts a member, and the deferred ones that it reads, into a group.
    fn place(&mut self, member: Member) {
        let accesses = member_accesses(self.graph, &self.inlined, member);
        let mut pending = Vec::new();
        self.pending(&accesses, &mut pending);
        let needs = self.needs(member, &accesses);
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
            let serial = (0..self.groups.len()).filter(|&group| self.groups[group].parallel.is_empty());
            let candidates: Vec<usize> =
                needs.iter().rev().copied().chain(serial.rev().filter(|group| !needs.contains(group))).collect();
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
                self.pending(&member_accesses(self.graph, &self.inlined, member), found);
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
        let before = self.groups[group].clone();
        for &member in members {
            let accesses = member_accesses(self.graph, &self.inlined, member);
            let needs = self.needs(member, &accesses);
            match self.seat(member, group, &accesses, &needs) {
                Ok(seat) => self.take(member, group, seat),
                Err(why) => {
                    self.groups[group] = before;
                    return Err(why);
                }
            }
        }
        for &member in members {
            self.link(member, group);
        }
        Ok(())
    }

    /// Whether a member may join a group, and how.
    fn seat(&self, member: Member, group: usize, accesses: &[Access], needs: &[usize]) -> Result<Seat, Obstacle> {
        let target = &self.groups[group];
        let kind = work(self.graph, member);
        match kind {
            Work::Product => return Err(Obstacle::Product),
            Work::Opaque => return Err(Obstacle::Moves),
            _ => {}
        }
        if target.members.iter().any(|other| work(self.graph, *other) == Work::Opaque) {
            return Err(Obstacle::KernelMoves);
        }
        if target.members.len() >= MOST_MEMBERS {
            return Err(Obstacle::Full { members: MOST_MEMBERS });
        }
        if let Some(other) = needs.iter().find(|&&other| other != group && self.path(group, other)) {
            return Err(Obstacle::Between(self.groups[*other].members[0].node));
        }
        self.check_roots(member, group)?;
        let overwritten = |source: NodeId| target.members.iter().any(|other| self.updates[other.node.index()].contains(&source));
        if let Some(access) = accesses.iter().find(|access| overwritten(access.node)) {
            return Err(Obstacle::Overwrites(access.node));
        }
        if target.parallel.is_empty() { self.serial_seat(member, target) } else { self.tiled_seat(member, group, kind, accesses) }
    }

    /// The loss is tested before the first parameter is written, so no kernel holds both a result and an update; and an update
    /// comes after every reader of the old value.
    fn check_roots(&self, member: Member, group: usize) -> Result<(), Obstacle> {
        let node = member.node.index();
        let final_half = member.total || work(self.graph, member) != Work::Cells;
        let members = &self.groups[group].members;
        if final_half && !self.updates[node].is_empty() {
            if members.iter().any(|other| self.is_output[other.node.index()])
                || self.results().any(|result| self.path(group, result))
            {
                return Err(Obstacle::LossFirst);
            }
            for source in &self.updates[node] {
                if let Some(reader) =
                    self.readers[source.index()].iter().find(|&&reader| reader != group && self.path(group, reader))
                {
                    return Err(Obstacle::OldValue { reader: self.groups[*reader].members[0].node, source: *source });
                }
            }
        }
        if self.is_output[node] && members.iter().any(|other| !self.updates[other.node.index()].is_empty()) {
            return Err(Obstacle::ResultFirst);
        }
        Ok(())
    }

    fn results(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.graph.nodes.len()).filter(|&node| self.is_output[node]).filter_map(|node| self.home[node])
    }

    fn serial_seat(&self, member: Member, target: &Group) -> Result<Seat, Obstacle> {
        let dims = domain(self.graph, member);
        if elements(&dims) > SERIAL_ELEMENTS {
            return Err(Obstacle::TooMuch);
        }
        let mut axes = target.axes.clone();
        let mut own = Vec::new();
        for dim in dims {
            let axis = match (0..axes.len()).find(|axis| axes[*axis] == dim && !own.contains(axis)) {
                Some(axis) => axis,
                None => {
                    axes.push(dim);
                    axes.len() - 1
                }
            };
            own.push(axis);
        }
        Ok(Seat { domain: own, axes, parallel: Vec::new(), reason: Reason::Small })
    }

    fn tiled_seat(&self, member: Member, group: usize, kind: Work, accesses: &[Access]) -> Result<Seat, Obstacle> {
        let target = &self.groups[group];
        if kind == Work::Total {
            return Err(Obstacle::Total);
        }
        let dims = domain(self.graph, member);
        let mut own: Vec<Option<usize>> = vec![None; dims.len()];
        let mut broken: Vec<usize> = Vec::new();
        for access in accesses {
            let Some(position) = target.members.iter().rposition(|other| other.node == access.node) else { continue };
            let other = target.members[position];
            if work(self.graph, other) == Work::Cells {
                return Err(Obstacle::Partial(access.node));
            }
            let lost = reduced_axes(self.graph, other);
            let value_axes =
                target.domains[position].iter().enumerate().filter(|(axis, _)| !lost.contains(axis)).map(|(_, &axis)| axis);
            for (axis, index) in value_axes.zip(&access.axes) {
                match index {
                    Some(dim) if own[*dim].is_none() && !own.contains(&Some(axis)) => own[*dim] = Some(axis),
                    Some(dim) if own[*dim] == Some(axis) => {}
                    _ => broken.push(axis),
                }
            }
        }
        let mut axes = target.axes.clone();
        for dim in 0..dims.len() {
            if own[dim].is_none() {
                let free = (0..axes.len()).find(|&axis| axes[axis] == dims[dim] && !own.contains(&Some(axis)));
                own[dim] = Some(free.unwrap_or_else(|| {
                    axes.push(dims[dim]);
                    axes.len() - 1
                }));
            }
        }
        let own: Vec<usize> = own.into_iter().flatten().collect();
        let lost: Vec<usize> = if kind == Work::Cells {
            Vec::new()
        } else {
            reduced_axes(self.graph, member).iter().map(|&axis| own[axis]).collect()
        };
        let parallel: Vec<usize> = target
            .parallel
            .iter()
            .copied()
            .filter(|axis| own.contains(axis) && !lost.contains(axis) && !broken.contains(axis))
            .collect();
        if parallel.is_empty() {
            return Err(match lost.first() {
                Some(&axis) => Obstacle::Whole { axis, size: axes[axis] },
                None => Obstacle::NoAxis,
            });
        }
        let cells = |member: &Member| work(self.graph, *member) == Work::Cells;
        let has_cells = kind == Work::Cells || target.members.iter().any(cells);
        let random = |member: &Member| work(self.graph, *member) == Work::Random;
        if has_cells && (kind == Work::Random || target.members.iter().any(random)) {
            return Err(Obstacle::DrawnInCells);
        }
        if has_cells {
            let plain = |domain: &[usize], lost: bool| domain.len() == 2 && domain.contains(&0) && domain.contains(&1) && !lost;
            let all_plain = plain(&own, !lost.is_empty())
                && target
                    .members
                    .iter()
                    .zip(&target.domains)
                    .all(|(other, domain)| plain(domain, !cells(other) && !reduced_axes(self.graph, *other).is_empty()));
            let head = target.members[0];
            let product_in_cells = work(self.graph, head) != Work::Product
                || (0..2).all(|axis| super::steps_in_product(self.graph, head.node, axis));
            if !all_plain || !product_in_cells || parallel.len() < 2 || (kind == Work::Cells && own != [0, 1]) {
                return Err(Obstacle::CellAxes);
            }
        }
        let reason = match kind {
            Work::Cells => Reason::Cells,
            Work::Random => Reason::Drawn,
            Work::Row | Work::Column => Reason::Reduces { axis: lost[0] },
            _ => Reason::Pointwise,
        };
        Ok(Seat { domain: own, axes, parallel, reason })
    }

    fn path(&self, from: usize, to: usize) -> bool {
        from != to && has_path_connecting(&self.order, NodeIndex::new(from), NodeIndex::new(to), None)
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
        let small = !matches!(kind, Work::Product | Work::Opaque | Work::Cells) && elements(&dims) <= SERIAL_ELEMENTS / 4;
        let parallel = if kind == Work::Opaque && self.graph.node(member.node).primitive == Primitive::ScatterAdd {
            // Rows are added in order, columns are independent.
            (1..dims.len()).collect()
        } else if kind == Work::Total || kind == Work::Opaque || small {
            Vec::new()
        } else {
            (0..dims.len()).filter(|axis| !lost.contains(axis)).collect()
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
        self.order.add_node(());
        let group = self.groups.len() - 1;
        self.link(member, group);
        group
    }

    /// Records what the member makes and reads, and the order that follows from it.
    fn link(&mut self, member: Member, group: usize) {
        self.deferred[member.node.index()] = false;
        let accesses = member_accesses(self.graph, &self.inlined, member);
        for need in self.needs(member, &accesses) {
            self.edge(need, group);
        }
        for access in &accesses {
            let readers = &mut self.readers[access.node.index()];
            if ops::record(self.graph.node(access.node).primitive).is_source() && !readers.contains(&group) {
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
                if !self.path(group, reader) {
                    self.edge(reader, group);
                }
            }
        }
        for result in self.results().collect::<Vec<_>>() {
            if !self.path(group, result) {
                self.edge(result, group);
            }
        }
    }

    fn edge(&mut self, from: usize, to: usize) {
        if from != to {
            self.order.update_edge(NodeIndex::new(from), NodeIndex::new(to), ());
        }
    }

    fn finish(mut self) -> Result<Fusion, String> {
        let mut staged = Vec::new();
        for node in 0..self.graph.nodes.len() {
            for source in self.updates[node].clone() {
                let Some(group) = self.home[node] else { continue };
                for reader in self.readers[source.index()].clone() {
                    if reader != group && !self.path(group, reader) {
                        self.edge(reader, group);
                    }
                }
                let late = self.readers[source.index()].iter().any(|&reader| self.path(group, reader));
                if late || !self.reads_in_place(group, NodeId(node as u32), source) {
                    staged.push(source);
                }
            }
        }
        let sorted = toposort(&self.order, None).map_err(|_| "fusion made a cycle of kernels".to_string())?;
        // Among the orders that are right, the one closest to the graph's.
        let sorted = stable_order(&self.order, &self.groups, sorted.len())?;
        let groups = sorted.into_iter().map(|group| self.groups[group].clone()).collect();
        Ok(Fusion { groups, inlined: self.inlined, staged })
    }

    /// Whether all reads of `source` in the group that updates it are of the very element that is written.
    fn reads_in_place(&self, group: usize, node: NodeId, source: NodeId) -> bool {
        let target = &self.groups[group];
        let Some(position) = target.members.iter().rposition(|member| member.node == node) else { return false };
        let lost = reduced_axes(self.graph, target.members[position]);
        let written: Vec<usize> =
            target.domains[position].iter().enumerate().filter(|(axis, _)| !lost.contains(axis)).map(|(_, &axis)| axis).collect();
        target.members.iter().zip(&target.domains).all(|(member, own)| {
            member_accesses(self.graph, &self.inlined, *member).iter().filter(|access| access.node == source).all(|access| {
                access.axes.len() == written.len()
                    && access.axes.iter().zip(&written).all(|(index, axis)| index.is_some_and(|dim| own[dim] == *axis))
            })
        })
    }
}

/// Kahn's algorithm, always taking the ready group whose last member is earliest in the graph.
fn stable_order(order: &DiGraph<(), ()>, groups: &[Group], count: usize) -> Result<Vec<usize>, String> {
    let mut waiting: Vec<usize> =
        order.node_indices().map(|group| order.neighbors_directed(group, petgraph::Incoming).count()).collect();
    let mut done = vec![false; count];
    let mut sorted = Vec::with_capacity(count);
    while sorted.len() < count {
        let next = (0..count)
            .filter(|&group| !done[group] && waiting[group] == 0)
            .min_by_key(|&group| groups[group].members.last().map(|member| (member.node, member.total)))
            .ok_or("fusion made a cycle of kernels")?;
        done[next] = true;
        sorted.push(next);
        for user in order.neighbors(NodeIndex::new(next)) {
            waiting[user.index()] -= 1;
        }
    }
    Ok(sorted)
}

/// Elements of a domain for the nominal batch.
fn elements(dims: &[Dim]) -> usize {
    dims.iter().map(|dim| dim.at(NOMINAL_BATCH)).fold(1, usize::saturating_mul)
}

/// Name of a group's axis in reasons and loop dumps.
pub(crate) fn axis_name(axis: usize) -> String {
    let letter = (b'i' + (axis % 8) as u8) as char;
    if axis < 8 { letter.to_string() } else { format!("{letter}{}", axis / 8) }
}
