//! Rewriting: the graph is rebuilt node by node, and at each new node the rules are tried until none holds; then again, until a
//! whole sweep changes nothing.
//!
//! A replaced node's users are built on its replacement at once, so that a chain of rewrites along the graph takes one sweep.
//! Nodes inside of a replacement meet the rules in the next sweep.

use super::rebuild::Rebuild;
use super::{Application, Bug, Context};
use crate::graph::{Graph, NodeId, Origin};
use crate::rules::{self, RuleSet};
use std::borrow::Cow;

/// Sweeps after which rewriting stops, whatever is left to do: the rules shrink a graph, so that more would be a pair of rules
/// that undo each other.
const SWEEPS: usize = 32;

/// Rewrites at one node in one sweep.
const REWRITES_AT_A_NODE: usize = 64;

/// Applies the simplifying rules.
pub fn simplify(graph: &Graph, context: &mut Context) -> Result<Graph, Bug> {
    rewrite("simplify", &rules::SIMPLIFY, graph, context)
}

/// Applies the rules that read masks from outputs.
pub fn masks(graph: &Graph, context: &mut Context) -> Result<Graph, Bug> {
    rewrite("masks", &rules::MASKS, graph, context)
}

/// Applies rules to a fixed point.
pub(super) fn rewrite(pass: &'static str, rules: &RuleSet, graph: &Graph, context: &mut Context) -> Result<Graph, Bug> {
    let mut current = Cow::Borrowed(graph);
    for _ in 0..SWEEPS {
        let done = context.log.len();
        let next = sweep(pass, rules, &current, context)?;
        if context.log.len() == done {
            return Ok(next);
        }
        current = Cow::Owned(next);
    }
    Err(Bug::new(pass, graph, "the rules do not come to an end"))
}

fn sweep(pass: &'static str, rules: &RuleSet, graph: &Graph, context: &mut Context) -> Result<Graph, Bug> {
    let live = graph.live();
    let readers = readers_of(graph, &live);
    let mut new_readers = Readers(Vec::new());
    let mut rebuild = Rebuild::new(graph, context);
    for id in graph.ids() {
        // Sources stay: only dead code may decide that nobody asks for one.
        if !live[id.index()] && graph.source_name(id).is_none() {
            continue;
        }
        let mut node = rebuild.place(id, context).map_err(|why| Bug::new(pass, graph, why.message))?;
        new_readers.add(node, readers[id.index()]);
        for _ in 0..REWRITES_AT_A_NODE {
            let count = |node: NodeId| new_readers.of(node);
            let Some(next) = once(rules, &mut rebuild, node, &count, context) else { break };
            new_readers.add(next, readers[id.index()]);
            rebuild.replace(id, next);
            node = next;
        }
    }
    rebuild.finish(pass, context)
}

/// Readers of new nodes; those inside of a replacement have the one they were made for.
struct Readers(Vec<Option<usize>>);

impl Readers {
    fn add(&mut self, node: NodeId, count: usize) {
        if self.0.len() <= node.index() {
            self.0.resize(node.index() + 1, None);
        }
        *self.0[node.index()].get_or_insert(0) += count;
    }
    fn of(&self, node: NodeId) -> usize {
        self.0.get(node.index()).copied().flatten().unwrap_or(1)
    }
}

/// For each node, how many live nodes and roots read it.
fn readers_of(graph: &Graph, live: &[bool]) -> Vec<usize> {
    let mut readers: Vec<usize> =
        graph.users().iter().map(|users| users.iter().filter(|user| live[user.index()]).count()).collect();
    for root in &graph.roots {
        readers[root.node().index()] += 1;
    }
    readers
}

/// Applies the first rule that holds at a new node.
fn once(
    rules: &RuleSet,
    rebuild: &mut Rebuild,
    node: NodeId,
    readers: &dyn Fn(NodeId) -> usize,
    context: &mut Context,
) -> Option<NodeId> {
    if !context.has_fuel() {
        return None;
    }
    for compiled in rules.candidates(rebuild.builder.graph().node(node).primitive) {
        let Some(bindings) = compiled.matches(&rebuild.builder, node, readers) else { continue };
        let standing = rebuild.builder.graph().nodes.len() as u32;
        let before = rebuild.expression(node, &bindings.inner);
        let own = rebuild.builder.graph().origin(node).clone();
        rebuild.builder.set_origin(Origin { rule: compiled.rule.name.into(), of: Some(node), ..own });
        let Some(next) = compiled.build(&mut rebuild.builder, &bindings) else { continue };
        context.spend();
        let label = rebuild.label(node);
        let made: Vec<NodeId> = (standing..rebuild.builder.graph().nodes.len() as u32).map(NodeId).collect();
        let after = rebuild.expression(next, &made);
        rebuild.set_label(next, label);
        let before = label.map_or_else(|| before.clone(), |label| format!("%{label} = {before}"));
        let (rule, exactness) = (compiled.rule.name, compiled.rule.exactness);
        context.log.push(Application { rule, before, after, exactness, rewrite: true });
        return Some(next);
    }
    None
}
