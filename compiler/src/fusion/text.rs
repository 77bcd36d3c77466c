//! Fusion's decisions as text: for each kernel what it computes, what it keeps and why, and what it did not take and why.

use super::reason::axis_name;
use super::traffic::{Traffic, readers, traffic, updates};
use super::{Fusion, Group, Member, NOMINAL_BATCH, Options, Reason, Work, folded, fuse, work};
use crate::base::size::bytes;
use crate::graph::text::node_text;
use crate::graph::{Graph, NodeId, Root};
use crate::ops::{self, Lowering};
use std::collections::BTreeMap;
use std::fmt::Write;

/// Columns at which reasons and places start.
const REASON_COLUMN: usize = 76;
const PLACE_COLUMN: usize = 124;

/// The decisions; `places` adds layer path and place of each member.
pub fn print(graph: &Graph, fusion: &Fusion, places: bool) -> String {
    let needed = needed_by_results(graph);
    let moved = traffic(graph, fusion);
    // A plan without fusion joins nothing, so it cannot make a cycle.
    let alone = fuse(graph, &Options { fuse: false }).unwrap_or_else(|_| fusion.clone());
    let joined = joined(&alone, fusion);
    let printer = Printer {
        graph,
        fusion,
        needed: &needed,
        places,
        readers: readers(fusion),
        joined,
        alone_traffic: traffic(graph, &alone),
    };
    let mut text = String::new();
    for (number, group) in fusion.groups.iter().enumerate() {
        printer.group(&mut text, number, group, &moved[number]);
    }
    for (source, node) in updates(graph).filter(|(source, _)| fusion.staged.contains(source)) {
        let name = graph.source_name(source).unwrap_or_default();
        let _ = writeln!(text, "copy %{} to {name:?}    staged: something reads the old value later\n", node.0);
    }
    printer.total(&mut text, &moved);
    text
}

/// For each group the groups of another plan whose members it has.
fn joined(alone: &Fusion, fusion: &Fusion) -> Vec<Vec<usize>> {
    let members = |(number, group): (usize, &Group)| group.members.iter().map(|member| (*member, number)).collect::<Vec<_>>();
    let homes: BTreeMap<Member, usize> = fusion.groups.iter().enumerate().flat_map(members).collect();
    let mut joined = vec![Vec::new(); fusion.groups.len()];
    for (number, group) in alone.groups.iter().enumerate() {
        let home = |member: &Member| homes.get(member).copied();
        let first = group.members.first().and_then(home);
        if let Some(first) = first.filter(|first| group.members.iter().all(|member| home(member) == Some(*first))) {
            joined[first].push(number);
        }
    }
    joined
}

/// What a kernel is called: the layers that it serves, and in which half of the step.
pub fn name(graph: &Graph, group: &Group) -> String {
    named(graph, group, &needed_by_results(graph))
}

fn named(graph: &Graph, group: &Group, needed: &[bool]) -> String {
    let mut paths: Vec<&str> = Vec::new();
    for member in &group.members {
        let path = graph.origin(member.node).path.as_str();
        if !path.is_empty() && !paths.contains(&path) {
            paths.push(path);
        }
    }
    let is_update = |member: &Member| updates(graph).any(|(_, node)| node == member.node);
    let has_results = graph.roots.iter().any(|root| matches!(root, Root::Output { .. }));
    match has_results && group.members.first().is_some_and(|member| !needed[member.node.index()]) {
        false => {}
        true if group.members.iter().any(is_update) => paths.push("update"),
        true => paths.push("backward"),
    }
    match paths.as_slice() {
        [first, second, third, rest @ .., last] if !rest.is_empty() => format!("{first}, {second}, {third}, … {last}"),
        _ => paths.join(", "),
    }
}

/// Products of a kernel whose results never reach memory because the update that they lead to is in the same kernel, with the
/// source that is updated.
pub fn unstored_gradients(graph: &Graph, fusion: &Fusion, number: usize) -> Vec<(NodeId, NodeId)> {
    unstored(graph, &fusion.groups[number].members, &readers(fusion))
}

fn unstored(graph: &Graph, members: &[Member], readers: &BTreeMap<NodeId, Vec<(usize, Member)>>) -> Vec<(NodeId, NodeId)> {
    let is_member = |id: NodeId| members.iter().any(|member| member.node == id);
    let is_product = |member: &&Member| work(graph, **member) == Work::Product;
    let mut found = Vec::new();
    for product in members.iter().filter(is_product).map(|member| member.node) {
        if graph.roots.iter().any(|root| root.node() == product)
            || readers.get(&product).is_some_and(|readers| !readers.is_empty())
        {
            continue;
        }
        let is_own = |source: NodeId| graph.shape(source) == graph.shape(product);
        for (source, next) in updates(graph).filter(|&(source, next)| is_own(source) && is_member(next)) {
            if reaches(graph, next, product, &is_member) {
                found.push((product, source));
            }
        }
    }
    found
}

/// Whether a node is computed from another by members alone.
fn reaches(graph: &Graph, from: NodeId, to: NodeId, is_member: &impl Fn(NodeId) -> bool) -> bool {
    let mut seen = vec![from];
    let mut next = 0;
    while let Some(&id) = seen.get(next) {
        next += 1;
        for &operand in &graph.node(id).operands {
            if is_member(operand) && !seen.contains(&operand) {
                seen.push(operand);
            }
        }
    }
    seen.contains(&to)
}

/// For each node whether some output needs it; what only updates need is the backward pass.
fn needed_by_results(graph: &Graph) -> Vec<bool> {
    graph.ancestors(graph.roots.iter().filter(|root| matches!(root, Root::Output { .. })).map(Root::node))
}

struct Printer<'a> {
    graph: &'a Graph,
    fusion: &'a Fusion,
    needed: &'a [bool],
    places: bool,
    /// For each node the kernels that read it.
    readers: BTreeMap<NodeId, Vec<(usize, Member)>>,
    /// For each kernel those that it would be if each node had its own, and what all of these move.
    joined: Vec<Vec<usize>>,
    alone_traffic: Vec<Traffic>,
}

impl Printer<'_> {
    fn group(&self, text: &mut String, number: usize, group: &Group, moved: &Traffic) {
        let graph = self.graph;
        let axes: Vec<String> = group.axes.iter().enumerate().map(|(axis, dim)| format!("{} < {dim}", axis_name(axis))).collect();
        let parallel: Vec<String> = group.parallel.iter().map(|&axis| axis_name(axis)).collect();
        let parallel = if parallel.is_empty() { "one tile".into() } else { format!("tiles of {}", parallel.join(" or ")) };
        // What someone wrote as a graph has no layers.
        let title = Some(named(graph, group, self.needed)).filter(|title| !title.is_empty());
        let title = title.map_or_else(String::new, |title| format!(" {title:?}"));
        let _ = writeln!(text, "kernel {number}{title}   [{}], {parallel}", axes.join(", "));
        for ((member, domain), reason) in group.members.iter().zip(&group.domains).zip(&group.reasons) {
            self.member(text, group, *member, domain, reason);
        }
        let mut hot = Vec::new();
        for &member in &group.members {
            match self.kept(number, member) {
                Some(why) => self.line(text, &format!("stores    %{}", member.node.0), &format!("kept: {why}"), ""),
                None => hot.push(member.node),
            }
        }
        for (word, ids, why) in [
            ("in cache", hot, "nobody outside reads them: no buffer"),
            ("inlines", self.inlined(group), "cheap: computed where they are read"),
        ] {
            if !ids.is_empty() {
                let list: Vec<String> = ids.iter().map(|id| format!("%{}", id.0)).collect();
                self.line(text, &format!("{word:<9} {}", list.join(" ")), why, "");
            }
        }
        for (gradient, source) in unstored(graph, &group.members, &self.readers) {
            let name = graph.source_name(source).unwrap_or_default();
            let why = format!("a gradient without a buffer: from the product's tile into next {name:?}");
            self.line(text, &format!("gradient  %{}", gradient.0), &why, "");
        }
        for refusal in &group.refusals {
            let other = self.fusion.group_of(refusal.kernel);
            let other = other.map_or_else(|| format!("the kernel of %{}", refusal.kernel.0), |other| format!("kernel {other}"));
            let half = if refusal.member.total { "the total of " } else { "" };
            let _ = writeln!(text, "  not fused with {other}: {half}%{}: {}", refusal.member.node.0, refusal.obstacle);
        }
        let alone = &self.joined[number];
        let before = alone.iter().map(|&other| self.alone_traffic[other].bytes(graph, NOMINAL_BATCH)).sum();
        let (before, after) = (bytes(before), bytes(moved.bytes(graph, NOMINAL_BATCH)));
        let _ = writeln!(text, "  passes over memory {} -> 1, bytes {before} -> {after}\n", alone.len());
    }

    fn member(&self, text: &mut String, group: &Group, member: Member, domain: &[usize], reason: &Reason) {
        let role = self.role(group, member);
        let axes: Vec<String> = domain.iter().map(|&axis| axis_name(axis)).collect();
        let own = format!("{role:<9} %{} = {}", member.node.0, node_text(self.graph, member.node));
        let own = format!("{own}  [{}]", axes.join(" "));
        let why = match reason {
            Reason::Starts => reason.to_string(),
            _ => format!("fused: {reason}"),
        };
        let place = if self.places { self.graph.origin(member.node).to_string() } else { String::new() };
        self.line(text, &own, &why, &place);
    }

    fn line(&self, text: &mut String, left: &str, why: &str, place: &str) {
        let mut line = format!("  {left}");
        for (column, part) in [(REASON_COLUMN, why.to_string()), (PLACE_COLUMN, format!("; {place}"))] {
            if part == "; " {
                continue;
            }
            let width = line.chars().count();
            let _ = write!(line, "{:1$}{part}", " ", column.saturating_sub(width).max(2));
        }
        let _ = writeln!(text, "{line}");
    }

    fn role(&self, group: &Group, member: Member) -> &'static str {
        let has_product = group.members.iter().any(|other| work(self.graph, *other) == Work::Product);
        match work(self.graph, member) {
            // A sum of a few elements is a formula to the loops, and a sum to the reader.
            Work::Map if folded(self.graph, member.node).is_some() => "reduce",
            Work::Map if has_product => "epilogue",
            Work::Map => "map",
            Work::Row | Work::Column => "reduce",
            Work::Cells => "cells",
            Work::Total => "total",
            Work::Product => "product",
            Work::Random => "draw",
            Work::Opaque => "move",
            Work::Scan => "scan",
        }
    }

    /// Why a member's value is stored to memory, if it is.
    fn kept(&self, number: usize, member: Member) -> Option<String> {
        let graph = self.graph;
        if work(graph, member) == Work::Cells {
            let total = self.fusion.group_of(member.node)?;
            return Some(format!("partial sums, added up in kernel {total}"));
        }
        if self.fusion.group_of(member.node) != Some(number) {
            return None;
        }
        let mut why = Vec::new();
        for root in graph.roots.iter().filter(|root| root.node() == member.node) {
            why.push(match root {
                Root::Output { name, .. } => format!("it is the result {name:?}"),
                Root::Update { source, .. } => {
                    let staged = if self.fusion.staged.contains(source) { ", staged" } else { ", in place" };
                    format!("next {:?}{staged}", graph.source_name(*source).unwrap_or_default())
                }
            });
        }
        let readers = self.readers.get(&member.node).map_or(&[][..], Vec::as_slice);
        let (forward, backward): (Vec<_>, Vec<_>) =
            readers.iter().partition(|(_, reader)| self.needed[reader.node.index()] || !self.needed[member.node.index()]);
        let list = |readers: &[&(usize, Member)]| {
            let numbers: Vec<String> = readers.iter().map(|(kernel, _)| kernel.to_string()).collect();
            format!("kernel{} {}", if numbers.len() > 1 { "s" } else { "" }, numbers.join(", "))
        };
        if !forward.is_empty() {
            why.push(format!("read by {}", list(&forward)));
        }
        if !backward.is_empty() {
            why.push(format!("needed by the backward pass in {}", list(&backward)));
        }
        if why.is_empty() { None } else { Some(why.join("; ")) }
    }

    /// Formulas that members read and that are computed where they are read.
    fn inlined(&self, group: &Group) -> Vec<NodeId> {
        let mut found: Vec<NodeId> = Vec::new();
        let mut stack: Vec<NodeId> =
            group.members.iter().flat_map(|member| self.graph.node(member.node).operands.iter().copied()).collect();
        let mut seen = vec![false; self.graph.nodes.len()];
        while let Some(id) = stack.pop() {
            if !self.fusion.inlined[id.index()] || std::mem::replace(&mut seen[id.index()], true) {
                continue;
            }
            if matches!(ops::record(self.graph.node(id).primitive).lowering, Lowering::Pointwise(_)) {
                found.push(id);
            }
            stack.extend(&self.graph.node(id).operands);
        }
        found.sort_unstable();
        found
    }

    fn total(&self, text: &mut String, moved: &[Traffic]) {
        let sum = |moved: &[Traffic]| bytes(moved.iter().map(|kernel| kernel.bytes(self.graph, NOMINAL_BATCH)).sum());
        let _ = writeln!(
            text,
            "passes over memory {} -> {}, bytes {} -> {} for n = {NOMINAL_BATCH}",
            self.alone_traffic.len(),
            moved.len(),
            sum(&self.alone_traffic),
            sum(moved)
        );
    }
}
