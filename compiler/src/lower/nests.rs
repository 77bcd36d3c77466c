//! Which kept members of a kernel share a nest, and in what order the nests run.

use crate::fusion::{Access, Fusion, Group, Work, cost, member_accesses, reduced_axes, work};
use crate::graph::{Graph, NodeId};

/// Members of one nest, by their position in the group.
#[derive(Clone, PartialEq, Debug)]
pub struct NestPlan {
    pub kind: Work,
    /// Group axes, from the outermost loop to the innermost.
    pub axes: Vec<usize>,
    /// Axis that is folded, for rows and columns.
    pub folded: Option<usize>,
    pub members: Vec<usize>,
}

/// The nests of a kernel, and which members are kept.
#[derive(Clone, PartialEq, Debug)]
pub struct Plan {
    pub nests: Vec<NestPlan>,
    /// For each member of the group, whether its value is kept.
    pub kept: Vec<bool>,
    /// For each node of the graph, whether it is computed where it is read inside of this kernel.
    pub inline: Vec<bool>,
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
        let inline = inline(fusion, group, &kept);
        let nests = nests(graph, group, &kept, &inline);
        let early = overwritten_formulas(graph, group, &kept, &inline, &nests);
        let member = shared_formula(graph, group, &kept, &inline, &nests);
        if early.is_empty() && member.is_none() {
            return Plan { nests, kept, inline };
        }
        for member in early.into_iter().chain(member) {
            kept[member] = true;
        }
    }
}

fn inline(fusion: &Fusion, group: &Group, kept: &[bool]) -> Vec<bool> {
    let mut inline = fusion.inlined.clone();
    for (member, &kept) in group.members.iter().zip(kept) {
        if !kept {
            inline[member.node.index()] = true;
        }
    }
    inline
}

/// Members that are not kept and read the old value of a source which a nest overwrites before their formula is computed, in a later nest or
/// in the same one at another element: kept, they are computed in time, for what overwrites waits for every nest that reads.
fn overwritten_formulas(graph: &Graph, group: &Group, kept: &[bool], inline: &[bool], nests: &[NestPlan]) -> Vec<usize> {
    let reads = |position: usize, source: NodeId| {
        member_accesses(graph, inline, group.members[position]).iter().any(|access| access.node == source)
    };
    let mut found = Vec::new();
    for (number, nest) in nests.iter().enumerate() {
        for &member in &nest.members {
            let written = &group.domains[member];
            for source in updated_by(graph, group.members[member].node) {
                let elsewhere = |&other: &usize| {
                    member_accesses(graph, inline, group.members[other])
                        .iter()
                        .filter(|access| access.node == source)
                        .any(|access| !is_element(&group.domains[other], access, written))
                };
                let mut later = nests[number + 1..].iter().flat_map(|nest| &nest.members);
                if later.any(|&other| reads(other, source)) || nest.members.iter().any(elsewhere) {
                    found.extend((0..group.members.len()).filter(|&other| !kept[other] && reads(other, source)));
                }
            }
        }
    }
    found
}

/// A member that is not kept, costs more than a load, and would be computed in more than one nest.
fn shared_formula(graph: &Graph, group: &Group, kept: &[bool], inline: &[bool], nests: &[NestPlan]) -> Option<usize> {
    let mut seen: Vec<Vec<usize>> = vec![Vec::new(); group.members.len()];
    for (number, nest) in nests.iter().enumerate() {
        for &member in &nest.members {
            let mut stack: Vec<NodeId> = graph.node(group.members[member].node).operands.clone();
            while let Some(id) = stack.pop() {
                if !inline[id.index()] {
                    continue;
                }
                if let Some(position) = group.members.iter().position(|other| other.node == id) {
                    if seen[position].last() == Some(&number) {
                        continue;
                    }
                    seen[position].push(number);
                }
                stack.extend(&graph.node(id).operands);
            }
        }
    }
    (0..group.members.len()).find(|&member| {
        !kept[member] && seen[member].len() > 1 && formula_cost(graph, group.members[member].node, inline) > CHEAP
    })
}

/// Block instructions of a formula down to what is kept.
fn formula_cost(graph: &Graph, id: NodeId, inline: &[bool]) -> usize {
    let below: usize = graph
        .node(id)
        .operands
        .iter()
        .filter(|operand| inline[operand.index()])
        .map(|&operand| formula_cost(graph, operand, inline))
        .sum();
    below.saturating_add(cost(graph, id))
}

fn nests(graph: &Graph, group: &Group, kept: &[bool], inline: &[bool]) -> Vec<NestPlan> {
    let mut nests: Vec<NestPlan> = Vec::new();
    let mut home: Vec<Option<usize>> = vec![None; group.members.len()];
    for (position, &member) in group.members.iter().enumerate() {
        if !kept[position] {
            continue;
        }
        let kind = work(graph, member);
        let own = &group.domains[position];
        let ready = ready(graph, group, position, &home, inline, &nests);
        let lost = reduced_axes(graph, member);
        let folded = match kind {
            Work::Row | Work::Column => Some(own[lost[0]]),
            _ => None,
        };
        let shares = matches!(kind, Work::Map | Work::Column);
        let found = (ready..nests.len())
            .find(|&nest| shares && nests[nest].kind == kind && nests[nest].axes == *own && nests[nest].folded == folded);
        let nest = found.unwrap_or_else(|| {
            nests.push(NestPlan { kind, axes: own.clone(), folded, members: Vec::new() });
            nests.len() - 1
        });
        nests[nest].members.push(position);
        home[position] = Some(nest);
    }
    nests
}

/// The first nest that a member may be computed in.
fn ready(graph: &Graph, group: &Group, position: usize, home: &[Option<usize>], inline: &[bool], nests: &[NestPlan]) -> usize {
    let member = group.members[position];
    let own = &group.domains[position];
    let mut ready = 0;
    for access in member_accesses(graph, inline, member) {
        let Some(other) = (0..position).rev().find(|&other| group.members[other].node == access.node) else {
            continue;
        };
        let Some(nest) = home[other] else { continue };
        let beside = work(graph, group.members[other]) == Work::Map
            && same_element(graph, group, other, own, &access)
            && nests[nest].axes == *own;
        ready = ready.max(if beside { nest } else { nest + 1 });
    }
    if member.total {
        let partial = (0..position).rev().find(|&other| group.members[other].node == member.node).and_then(|other| home[other]);
        ready = ready.max(partial.map_or(0, |nest| nest + 1));
    }
    // What is written in place waits for every nest that reads the old value.
    for source in updated_by(graph, member.node) {
        for (other, nest) in home.iter().enumerate() {
            let Some(nest) = nest else { continue };
            let reads = member_accesses(graph, inline, group.members[other]).iter().any(|access| access.node == source);
            if reads {
                let beside = nests[*nest].kind == Work::Map && nests[*nest].axes == *own;
                ready = ready.max(if beside { *nest } else { *nest + 1 });
            }
        }
    }
    ready
}

/// Sources whose next value a node is.
pub fn updated_by(graph: &Graph, id: NodeId) -> Vec<NodeId> {
    graph
        .roots
        .iter()
        .filter_map(|root| match root {
            crate::graph::Root::Update { source, node } if *node == id => Some(*source),
            _ => None,
        })
        .collect()
}

/// Whether a reader with these axes accesses the element at its own index, where the value's axes are `axes` of the group.
fn is_element(own: &[usize], access: &Access, axes: &[usize]) -> bool {
    axes.len() == access.axes.len()
        && axes.iter().zip(&access.axes).all(|(axis, index)| index.is_some_and(|dim| own[dim] == *axis))
}

/// Whether an access is of the very element that the reader computes.
fn same_element(graph: &Graph, group: &Group, other: usize, own: &[usize], access: &Access) -> bool {
    let lost = reduced_axes(graph, group.members[other]);
    let value_axes: Vec<usize> =
        group.domains[other].iter().enumerate().filter(|(axis, _)| !lost.contains(axis)).map(|(_, &axis)| axis).collect();
    !access.picked && is_element(own, access, &value_axes)
}
