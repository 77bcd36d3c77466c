//! Widening: of two scans that do the same steps, the one that gives more stands for both. The derivative of a scan asks for values of
//! its steps that the scan did not give; after this the steps are made once. They stay what they were, a part of the forward pass, and
//! keep the origin of the scan that gave less.

use super::rebuild::Rebuild;
use super::{Application, Bug, Context};
use crate::graph::{Attributes, Graph, NodeId, Scan};
use crate::rules::Exactness;

/// Whether there are scans of which one may stand for another.
pub fn concerns(graph: &Graph) -> bool {
    graph.ids().filter(|id| scan_of(graph, *id).is_some()).count() > 1
}

/// Replaces scans by columns of wider ones.
pub fn run(graph: &Graph, context: &mut Context) -> Result<Graph, Bug> {
    let scans: Vec<NodeId> = graph.ids().filter(|id| scan_of(graph, *id).is_some()).collect();
    let mut rebuild = Rebuild::new(graph, context);
    for id in graph.ids() {
        let bug = |why: crate::graph::BuildError| Bug::new("widen", graph, why.message);
        let Some((wide, width)) = wider(graph, &scans, id) else {
            rebuild.place(id, context).map_err(bug)?;
            continue;
        };
        // It has the same operands, so they are copied.
        let placed = rebuild.place_for(wide, id, context).map_err(bug)?;
        let columns = rebuild.builder.slice(placed, 2, 0, width).map_err(bug)?;
        if let Some(label) = rebuild.old_label(id) {
            let before = format!("%{label} = {}", crate::graph::text::node_text(graph, id));
            let after = format!("its columns of {}", rebuild.expression(placed, &[]));
            context.log.push(Application { rule: "widen", before, after, exactness: Exactness::BitExact, rewrite: false });
        }
        rebuild.replace(id, columns);
    }
    rebuild.finish("widen", context)
}

fn scan_of(graph: &Graph, id: NodeId) -> Option<&Scan> {
    match &graph.node(id).attributes {
        Attributes::Scan(scan) => Some(scan),
        _ => None,
    }
}

/// The scan that gives the most beside what this one gives, and how wide this one is.
fn wider(graph: &Graph, scans: &[NodeId], id: NodeId) -> Option<(NodeId, usize)> {
    let scan = scan_of(graph, id)?;
    let does_the_same = |other: &NodeId| {
        let Some(wide) = scan_of(graph, *other) else { return false };
        graph.node(*other).operands == graph.node(id).operands
            && (wide.reversed, wide.carries, wide.sequences) == (scan.reversed, scan.carries, scan.sequences)
            && wide.body.roots.len() > scan.body.roots.len()
            && wide.body.roots.starts_with(&scan.body.roots)
            && wide.body.nodes.starts_with(&scan.body.nodes)
    };
    let widest = scans
        .iter()
        .copied()
        .filter(does_the_same)
        .max_by_key(|other| scan_of(graph, *other).map(|wide| wide.body.roots.len()))?;
    Some((widest, scan.columns().last().map_or(0, |last| last.end)))
}
