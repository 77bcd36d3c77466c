//! The graph as petgraph sees it: nodes by id, an edge from each user to its operands.

use super::{Graph, NodeId};
use petgraph::visit::{GraphBase, GraphProp, IntoNeighbors, IntoNodeIdentifiers, NodeCount, NodeIndexable, Visitable};

impl GraphBase for Graph {
    type NodeId = NodeId;
    type EdgeId = (NodeId, usize);
}

impl GraphProp for Graph {
    type EdgeType = petgraph::Directed;
}

impl NodeCount for Graph {
    fn node_count(&self) -> usize {
        self.nodes.len()
    }
}

impl NodeIndexable for Graph {
    fn node_bound(&self) -> usize {
        self.nodes.len()
    }
    fn to_index(&self, id: NodeId) -> usize {
        id.index()
    }
    fn from_index(&self, index: usize) -> NodeId {
        NodeId(index as u32)
    }
}

impl Visitable for Graph {
    type Map = std::collections::HashSet<NodeId>;
    fn visit_map(&self) -> Self::Map {
        Default::default()
    }
    fn reset_map(&self, map: &mut Self::Map) {
        *map = Default::default();
    }
}

/// Neighbours of a node are its operands: walks go from results back to sources.
impl<'a> IntoNeighbors for &'a Graph {
    type Neighbors = std::iter::Copied<std::slice::Iter<'a, NodeId>>;
    fn neighbors(self, id: NodeId) -> Self::Neighbors {
        self.node(id).operands.iter().copied()
    }
}

impl IntoNodeIdentifiers for &Graph {
    type NodeIdentifiers = std::iter::Map<std::ops::Range<u32>, fn(u32) -> NodeId>;
    fn node_identifiers(self) -> Self::NodeIdentifiers {
        (0..self.nodes.len() as u32).map(NodeId as fn(u32) -> NodeId)
    }
}
