//! Turns of a loop that are alike: a picture of twenty layers says no more than one of the first, one of those behind it, and their number.

use super::Part;
use crate::graph::{Graph, NodeId};
use std::collections::BTreeMap;

/// Fewest turns that share a box.
const FEWEST: usize = 2;

/// Turns of a loop that are like the one before the first of them.
pub struct Turns {
    /// The loop's path.
    base: String,
    first: usize,
    last: usize,
}

impl Turns {
    /// Whether a layer belongs to one of the turns.
    pub fn hold(&self, layer: &str) -> bool {
        turn(layer).is_some_and(|(base, number, _)| base == self.base && (self.first..=self.last).contains(&number))
    }

    /// The name of their box.
    pub fn name(&self) -> String {
        format!("{0}.{1} to {0}.{2}", self.base, self.first, self.last)
    }

    /// What stands in it.
    pub fn note(&self) -> String {
        format!("{} turns like {}.{}", self.last - self.first + 1, self.base, self.first - 1)
    }
}

/// A layer's path as that of its outermost loop, the turn's number, and the layer's path in it.
fn turn(layer: &str) -> Option<(&str, usize, &str)> {
    let mut end = 0;
    for segment in layer.split('.') {
        let start = end;
        end = start + segment.len() + 1;
        if let (Some(base), Ok(number)) = (layer.get(..start.saturating_sub(1)), segment.parse()) {
            return Some((base, number, layer.get(end..).unwrap_or_default()));
        }
    }
    None
}

/// What a turn is made of: the nodes of each of its layers in each part of the step, by primitive and type.
type Contents<'a> = BTreeMap<(Part, &'a str), Vec<String>>;

/// All turns that share a box. `layers` holds each node's layer; nodes that are not shown make no difference.
pub fn turns(graph: &Graph, parts: &[Part], layers: &[String], shown: &dyn Fn(NodeId) -> bool) -> Vec<Turns> {
    let mut loops: BTreeMap<&str, BTreeMap<usize, Contents>> = BTreeMap::new();
    for id in graph.ids().filter(|id| shown(*id)) {
        if let Some((base, number, layer)) = turn(&layers[id.index()]) {
            let contents = loops.entry(base).or_default().entry(number).or_default();
            let text = format!("{:?} {}", graph.node(id).primitive, graph.ty(id));
            contents.entry((parts[id.index()], layer)).or_default().push(text);
        }
    }
    let mut found: Vec<Turns> = Vec::new();
    for (base, turns) in &loops {
        for (number, contents) in turns {
            if number.checked_sub(1).and_then(|before| turns.get(&before)) != Some(contents) {
                continue;
            }
            match found.last_mut().filter(|turns| turns.base == *base && turns.last + 1 == *number) {
                Some(turns) => turns.last = *number,
                None => found.push(Turns { base: (*base).into(), first: *number, last: *number }),
            }
        }
    }
    found.retain(|turns| turns.last + 1 - turns.first >= FEWEST);
    found
}
