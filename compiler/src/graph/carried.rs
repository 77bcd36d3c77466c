//! Origins on their way into a new graph: each is copied once, however many nodes have it.

use super::{Builder, Graph, NodeId, Origin};
use rustc_hash::FxBuildHasher;
use std::collections::HashMap;

/// An origin's place in the old graph, and the new node that what has it was made from.
pub(crate) type Coming = (u32, Option<NodeId>);

/// Places in the new graph of origins that nodes have there.
#[derive(Default)]
pub(crate) struct Carried(HashMap<Coming, u32, FxBuildHasher>);

impl Carried {
    /// New nodes get this origin of an old graph.
    pub fn begin(&self, builder: &mut Builder, from: &Graph, coming: Coming) {
        match self.0.get(&coming) {
            Some(&place) => builder.set_known_origin(place),
            None => _ = builder.set_origin(Origin { of: coming.1, ..from.origins[coming.0 as usize].clone() }),
        }
    }
    /// Nodes have been made: where one got the origin, it has a place.
    pub fn end(&mut self, builder: &Builder, coming: Coming) {
        if let Some(place) = builder.known_origin() {
            self.0.insert(coming, place);
        }
    }
}
