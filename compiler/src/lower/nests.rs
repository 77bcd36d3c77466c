//! Which kept members of a kernel share a nest, and in what order the nests run.

use crate::fusion::{Access, Fusion, Group, Inlined, Work, cost, member_accesses, reduced_axes, work};
use crate::graph::{Dim, Graph, NodeId};
use std::borrow::Cow;

/// Members of one nest, by their position in the group.
#[derive(Clone, PartialEq, Debug)]
pub struct NestPlan {
    /// Of a nest that folds columns and computes elements along with them: [`Work::Column`].
    pub kind: Work,
    /// Group axes, from the outermost loop to the innermost.
    pub axes: Vec<usize>,
    /// Axis that is folded, for rows and columns.
    pub folded: Option<usize>,
    pub members: Vec<usize>,
}

impl NestPlan {
    /// Takes members in that do such work.
    fn take(&mut self, kind: Work, folded: Option<usize>, members: impl IntoIterator<Item = usize>) {
        if self.kind == Work::Map {
            (self.kind, self.folded) = (kind, folded);
        }
        self.members.extend(members);
        self.members.sort_unstable();
    }
}

/// The nests of a kernel, and which members are kept.
#[derive(Clone, PartialEq, Debug)]
pub struct Plan {
    pub nests: Vec<NestPlan>,
    /// For each member of the group, whether its value is kept.
    pub kept: Vec<bool>,
}

/// A formula this cheap is computed again in another nest rather than kept.
const CHEAP: usize = 3;

/// Sorts a group's members into nests. `outside` tells which nodes are read by other kernels.
pub fn plan(graph: &Graph, fusion: &Fusion, group: &Group, outside: impl Fn(NodeId) -> bool) -> Plan {
    let mut kept: Vec<bool> = group
        .members
        .iter()
        .map(|member| work(graph, *member) != Work::Map || outside(member.node) || fusion.in_words[member.node.index()])
        .collect();
    loop {
        let inline = formulas(group, &kept);
        let members = Members::new(graph, fusion, group, &kept, &inline);
        let nests = members.nests();
        let early = members.overwritten_formulas(&nests);
        let member = members.shared_formula(&nests);
        if early.is_empty() && member.is_none() {
            return Plan { nests, kept };
        }
        for member in early.into_iter().chain(member) {
            kept[member] = true;
        }
    }
}

/// Nodes of the members that are not kept, in ascending order.
pub fn formulas(group: &Group, kept: &[bool]) -> Vec<NodeId> {
    let mut nodes: Vec<NodeId> =
        group.members.iter().zip(kept).filter(|(_, kept)| !**kept).map(|(member, _)| member.node).collect();
    nodes.sort_unstable();
    nodes
}

/// The members of a group, some of them kept.
struct Members<'a> {
    graph: &'a Graph,
    fusion: &'a Fusion,
    group: &'a Group,
    kept: &'a [bool],
    inline: Inlined<'a>,
    /// What each member reads.
    reads: Vec<Cow<'a, [Access]>>,
}

impl<'a> Members<'a> {
    fn new(graph: &'a Graph, fusion: &'a Fusion, group: &'a Group, kept: &'a [bool], formulas: &'a [NodeId]) -> Self {
        let inline = Inlined::with(fusion, formulas);
        // What reads no formula reads what it reads anywhere.
        let reads = group.members.iter().map(|&member| match fusion.reads(member) {
            known if known.iter().all(|access| formulas.binary_search(&access.node).is_err()) => Cow::Borrowed(known),
            _ => Cow::Owned(member_accesses(graph, inline, member)),
        });
        let reads = reads.collect();
        Members { graph, fusion, group, kept, inline, reads }
    }

    fn reads(&self, position: usize, node: NodeId) -> bool {
        self.reads[position].iter().any(|access| access.node == node)
    }

    /// Members that are not kept and read the old value of a source which a nest overwrites before their formula is computed, in a later nest
    /// or in the same one at another element: kept, they are computed in time, for what overwrites waits for every nest that reads.
    fn overwritten_formulas(&self, nests: &[NestPlan]) -> Vec<usize> {
        let group = self.group;
        let mut found = Vec::new();
        for (number, nest) in nests.iter().enumerate() {
            for &member in &nest.members {
                let written = &group.domains[member];
                for &source in self.fusion.updated_by(group.members[member].node) {
                    let elsewhere = |&other: &usize| {
                        let mut own = self.reads[other].iter().filter(|access| access.node == source);
                        own.any(|access| !access.is_at(&group.domains[other], written))
                    };
                    let mut later = nests[number + 1..].iter().flat_map(|nest| &nest.members);
                    if later.any(|&other| self.reads(other, source)) || nest.members.iter().any(elsewhere) {
                        found.extend((0..group.members.len()).filter(|&other| !self.kept[other] && self.reads(other, source)));
                    }
                }
            }
        }
        found
    }

    /// A member that is not kept, costs more than a load, and would be computed in more than one nest.
    fn shared_formula(&self, nests: &[NestPlan]) -> Option<usize> {
        let (graph, members) = (self.graph, &self.group.members);
        let mut seen: Vec<Vec<usize>> = vec![Vec::new(); members.len()];
        for (number, nest) in nests.iter().enumerate() {
            for &member in &nest.members {
                let mut stack: Vec<NodeId> = graph.node(members[member].node).operands.clone();
                while let Some(id) = stack.pop() {
                    if !self.inline.holds(id) {
                        continue;
                    }
                    if let Some(position) = members.iter().position(|other| other.node == id) {
                        if seen[position].last() == Some(&number) {
                            continue;
                        }
                        seen[position].push(number);
                    }
                    stack.extend(&graph.node(id).operands);
                }
            }
        }
        (0..members.len())
            .find(|&member| !self.kept[member] && seen[member].len() > 1 && self.formula_cost(members[member].node) > CHEAP)
    }

    /// Block instructions of a formula down to what is kept.
    fn formula_cost(&self, id: NodeId) -> usize {
        let inline = self.graph.node(id).operands.iter().filter(|operand| self.inline.holds(**operand));
        let below: usize = inline.map(|&operand| self.formula_cost(operand)).sum();
        below.saturating_add(cost(self.graph, id))
    }

    fn nests(&self) -> Vec<NestPlan> {
        let group = self.group;
        let mut nests: Vec<NestPlan> = Vec::new();
        let mut home: Vec<Option<usize>> = vec![None; group.members.len()];
        for (position, &member) in group.members.iter().enumerate() {
            if !self.kept[position] {
                continue;
            }
            let kind = work(self.graph, member);
            let own = &group.domains[position];
            let ready = self.ready(position, &home, &nests);
            let lost = reduced_axes(self.graph, member);
            let folded = match kind {
                Work::Row | Work::Column => Some(own[lost[0]]),
                _ => None,
            };
            let found = (ready..nests.len()).find(|&nest| self.takes(&nests[nest], position, folded));
            let nest = found.unwrap_or_else(|| {
                nests.push(NestPlan { kind, axes: own.clone(), folded, members: Vec::new() });
                nests.len() - 1
            });
            nests[nest].take(kind, folded, [position]);
            home[position] = Some(nest);
        }
        self.sink(&mut nests);
        nests
    }

    /// Whether a nest may compute one more member, which folds that axis, along with its own: elements, and columns folded along one axis.
    fn takes(&self, nest: &NestPlan, position: usize, folded: Option<usize>) -> bool {
        let kind = work(self.graph, self.group.members[position]);
        // A sum along a fixed axis takes several terms in at once, and elements are not kept apart by one: each is faster alone.
        let along_batch = |axis: Option<usize>| axis.is_some_and(|axis| self.group.axes[axis] == Dim::Batch);
        let fits = match (nest.kind, kind) {
            (Work::Map, Work::Map) => true,
            // What is written in place is written where nothing is folded.
            (Work::Map, Work::Column) => along_batch(folded) && nest.members.iter().all(|&member| !self.writes_in_place(member)),
            (Work::Column, Work::Map) => along_batch(nest.folded) && !self.writes_in_place(position),
            (Work::Column, Work::Column) => nest.folded == folded,
            _ => false,
        };
        fits && nest.axes == self.group.domains[position]
    }

    fn writes_in_place(&self, position: usize) -> bool {
        !self.fusion.updated_by(self.group.members[position].node).is_empty()
    }

    /// Joins each nest of elements with the first one that reads them, where nothing stands between them: what it read of them it has at hand.
    fn sink(&self, nests: &mut Vec<NestPlan>) {
        for early in (0..nests.len()).rev() {
            let nest = &nests[early];
            if nest.kind != Work::Map || nest.members.iter().any(|&member| self.writes_in_place(member)) {
                continue;
            }
            let reads = |&other: &usize| nest.members.iter().any(|&member| self.reads(other, self.group.members[member].node));
            let Some(late) = (early + 1..nests.len()).find(|&late| nests[late].members.iter().any(reads)) else { continue };
            let passed = nests[early + 1..=late].iter().flat_map(|nest| &nest.members);
            let overwritten = passed.flat_map(|&other| self.fusion.updated_by(self.group.members[other].node));
            let keeps = overwritten.into_iter().all(|&source| !nest.members.iter().any(|&member| self.reads(member, source)));
            let beside = |&other: &usize| nest.members.iter().all(|&member| self.reads_element(other, member));
            let takes = |&member: &usize| self.takes(&nests[late], member, None);
            if keeps && nests[late].members.iter().all(beside) && nest.members.iter().all(takes) {
                let NestPlan { members, .. } = nests.remove(early);
                nests[late - 1].take(Work::Map, None, members);
            }
        }
    }

    /// Whether all that a member reads of an earlier one is the very element that it computes.
    fn reads_element(&self, position: usize, earlier: usize) -> bool {
        let (group, own) = (self.group, &self.group.domains[position]);
        let mut accesses = self.reads[position].iter().filter(|access| access.node == group.members[earlier].node);
        accesses.all(|access| same_element(self.graph, group, earlier, own, access))
    }

    /// The first nest that a member may be computed in.
    fn ready(&self, position: usize, home: &[Option<usize>], nests: &[NestPlan]) -> usize {
        let (graph, group) = (self.graph, self.group);
        let member = group.members[position];
        let own = &group.domains[position];
        let mut ready = 0;
        for access in self.reads[position].iter() {
            let Some(other) = (0..position).rev().find(|&other| group.members[other].node == access.node) else {
                continue;
            };
            let Some(nest) = home[other] else { continue };
            let beside = work(graph, group.members[other]) == Work::Map
                && same_element(graph, group, other, own, access)
                && nests[nest].axes == *own;
            ready = ready.max(if beside { nest } else { nest + 1 });
        }
        if member.total {
            let partial = (0..position).rev().find(|&other| group.members[other].node == member.node);
            ready = ready.max(partial.and_then(|other| home[other]).map_or(0, |nest| nest + 1));
        }
        // What is written in place waits for every nest that reads the old value.
        for &source in self.fusion.updated_by(member.node) {
            for (other, nest) in home.iter().enumerate() {
                let Some(nest) = nest.filter(|_| self.reads(other, source)) else { continue };
                let beside = nests[nest].kind == Work::Map && nests[nest].axes == *own;
                ready = ready.max(if beside { nest } else { nest + 1 });
            }
        }
        ready
    }
}

/// Whether an access is of the very element that the reader computes.
fn same_element(graph: &Graph, group: &Group, other: usize, own: &[usize], access: &Access) -> bool {
    !access.picked && access.is_at(own, &group.value_axes(graph, other))
}
