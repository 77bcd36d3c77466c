//! The graph: what is to be computed, as tensors.
//!
//! # What a graph means
//! A [`Graph`] is an append-only arena of [`Node`]s. A node applies one [`Primitive`] to earlier nodes: arena order is a topological
//! order, handles are ids, and dead code disappears by not being copied. Each node has one tensor as its value; its [`Type`] is known
//! when it is built. What a primitive means (type, value, derivative, lowering) stands in its record in [`crate::ops`].
//!
//! A graph ends in [`Root`]s: outputs with a name (the loss, metrics, predictions) and updates (a parameter's or a state's next value).
//! All values of a step are computed from the *old* parameters and states; updates take effect at its end.
//!
//! # Invariants (checked by [`verify`](verify::verify))
//! - operands stand before their users; types are what the records infer; at most one axis of a shape is the batch;
//! - an update has the type of the source it updates; two updates never name the same source.
//!
//! A graph knows nothing of files, threads, data or machine code.

pub mod builder;
mod carried;
mod contraction;
mod repeat;
pub mod scan;
pub mod text;
pub mod types;
pub mod verify;
mod visit;

use crate::ops::Primitive;
pub use builder::{BuildError, Builder};
pub(crate) use carried::Carried;
pub use contraction::{Contraction, Parts};
pub use repeat::Body;
pub use scan::Scan;
pub use types::{Dim, Element, Shape, Type};

/// Handle of a node: its place in the arena.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct NodeId(pub u32);

impl NodeId {
    /// Place in the arena.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// Windows along an axis: step `k` of the window at place `p` is element `offset + p · stride + k · dilation`, which is one of the axis
/// for all of them.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Window {
    /// The axis.
    pub axis: usize,
    /// How many elements it has.
    pub extent: usize,
    /// How many places a window takes.
    pub places: usize,
    /// Elements from one place to the next.
    pub stride: usize,
    /// Steps of a window.
    pub size: usize,
    /// Elements from one step to the next; negative if they are read backwards.
    pub dilation: isize,
    /// The first step of the window at the first place.
    pub offset: usize,
}

impl Window {
    /// The element of a step at a place, if the axis has it.
    pub fn element(&self, place: usize, step: usize) -> Option<usize> {
        let forward = self.offset.checked_add(place.checked_mul(self.stride)?)?;
        let element = forward.checked_add_signed(self.dilation.checked_mul(isize::try_from(step).ok()?)?)?;
        (element < self.extent).then_some(element)
    }
    /// Whether it has a place and a step, moves from each to the next, and the axis has all of their elements.
    pub fn fits(&self) -> bool {
        let (Some(place), Some(step)) = (self.places.checked_sub(1), self.size.checked_sub(1)) else { return false };
        let moves = self.stride > 0 && self.dilation != 0;
        moves && [(0, 0), (place, 0), (0, step), (place, step)].iter().all(|&(place, step)| self.element(place, step).is_some())
    }
}

/// What a node carries beside its operands; which kind belongs to which primitive stands in the record.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Attributes {
    /// Nothing.
    None,
    /// Name of a source.
    Name(String),
    /// Bits of an f64: the value of a constant.
    Constant(u64),
    /// Axes that are reduced, ascending; or the axis map of a broadcast (operand axis `d` is output axis `axes[d]`), or a permutation.
    Axes(Vec<usize>),
    /// One axis, or a size along the first.
    Axis(usize),
    /// Elements `from..to` of an axis.
    Slice {
        /// The axis.
        axis: usize,
        /// The first element.
        from: usize,
        /// The element behind the last.
        to: usize,
    },
    /// Zeros before and after, along an axis.
    Pad {
        /// The axis.
        axis: usize,
        /// Zeros before.
        before: usize,
        /// Zeros after.
        after: usize,
    },
    /// Windows along an axis.
    Window(Window),
    /// Labels of a product.
    Contract(Contraction),
    /// Ordinal of a random node in the elaborated graph.
    Stream(u32),
    /// What is done at every step.
    Scan(Scan),
}

/// Why a node exists: the declaration's words, and for derived nodes the rule and the node it came from.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Origin {
    /// Layer path, such as `hidden.dense`.
    pub path: String,
    /// Place in the user's source, such as `digits.net:9:25`.
    pub place: String,
    /// For derived nodes: the rule that made it.
    pub rule: String,
    /// For derived nodes: the node it was made from.
    pub of: Option<NodeId>,
}

/// One application of a primitive.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Node {
    /// What is applied.
    pub primitive: Primitive,
    /// What it carries beside operands.
    pub attributes: Attributes,
    /// What it is applied to, in order.
    pub operands: Vec<NodeId>,
    /// Type of its value.
    pub ty: Type,
    /// Index into [`Graph::origins`].
    pub origin: u32,
}

/// What a graph is computed for.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Root {
    /// A named result.
    Output {
        /// Its name.
        name: String,
        /// Its value.
        node: NodeId,
    },
    /// Next value of the parameter or state `source`.
    Update {
        /// What is updated.
        source: NodeId,
        /// The next value.
        node: NodeId,
    },
}

impl Root {
    /// The node that is asked for.
    pub fn node(&self) -> NodeId {
        match self {
            Root::Output { node, .. } | Root::Update { node, .. } => *node,
        }
    }
    /// The same root for another node and renamed source.
    pub fn mapped(&self, map: impl Fn(NodeId) -> NodeId) -> Root {
        match self {
            Root::Output { name, node } => Root::Output { name: name.clone(), node: map(*node) },
            Root::Update { source, node } => Root::Update { source: map(*source), node: map(*node) },
        }
    }
}

/// Nodes in topological order, and what is asked of them.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Graph {
    /// Its name.
    pub name: String,
    /// In topological order.
    pub nodes: Vec<Node>,
    /// Where nodes come from, each once.
    pub origins: Vec<Origin>,
    /// What is asked for.
    pub roots: Vec<Root>,
}

impl Graph {
    /// An empty graph.
    pub fn new(name: impl Into<String>) -> Self {
        Graph { name: name.into(), ..Graph::default() }
    }
    /// The node behind a handle of this graph.
    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.index()]
    }
    /// Type of a node.
    pub fn ty(&self, id: NodeId) -> &Type {
        &self.node(id).ty
    }
    /// Shape of a node.
    pub fn shape(&self, id: NodeId) -> &Shape {
        &self.node(id).ty.shape
    }
    /// All handles in topological order.
    pub fn ids(&self) -> impl DoubleEndedIterator<Item = NodeId> + use<> {
        (0..self.nodes.len() as u32).map(NodeId)
    }
    /// Origin of a node.
    pub fn origin(&self, id: NodeId) -> &Origin {
        &self.origins[self.node(id).origin as usize]
    }
    /// Name of a source node (input, parameter, state, setting), if it is one.
    pub fn source_name(&self, id: NodeId) -> Option<&str> {
        match &self.node(id).attributes {
            Attributes::Name(name) => Some(name),
            _ => None,
        }
    }
    /// The source of this kind and name.
    pub fn find_source(&self, primitive: Primitive, name: &str) -> Option<NodeId> {
        self.ids().find(|&id| self.node(id).primitive == primitive && self.source_name(id) == Some(name))
    }
    /// The output of this name.
    pub fn output(&self, name: &str) -> Option<NodeId> {
        self.roots.iter().find_map(|root| match root {
            Root::Output { name: known, node } if known == name => Some(*node),
            _ => None,
        })
    }
    /// For each node, whether a root needs it.
    pub fn live(&self) -> Vec<bool> {
        let sources = self.roots.iter().filter_map(|root| match root {
            Root::Update { source, .. } => Some(*source),
            Root::Output { .. } => None,
        });
        self.ancestors(self.roots.iter().map(Root::node).chain(sources))
    }
    /// Without what no root needs, renumbered.
    pub fn pruned(&self) -> Graph {
        self.restricted(&self.live())
    }
    /// These nodes, among which are all that they need, renumbered.
    pub fn restricted(&self, live: &[bool]) -> Graph {
        let mut result = Graph { origins: self.origins.clone(), ..Graph::new(self.name.clone()) };
        let mut map = vec![NodeId(0); self.nodes.len()];
        for id in self.ids().filter(|id| live[id.index()]) {
            map[id.index()] = NodeId(result.nodes.len() as u32);
            let mut node = self.node(id).clone();
            for operand in &mut node.operands {
                *operand = map[operand.index()];
            }
            result.nodes.push(node);
        }
        for origin in &mut result.origins {
            // Where the node it came from is gone, the rule alone is left.
            origin.of = origin.of.filter(|of| live[of.index()]).map(|of| map[of.index()]);
        }
        result.roots = self.roots.iter().map(|root| root.mapped(|id| map[id.index()])).collect();
        result
    }
    /// For each node, whether it is one of `from` or one of them needs it.
    pub fn ancestors(&self, from: impl IntoIterator<Item = NodeId>) -> Vec<bool> {
        let mut live = vec![false; self.nodes.len()];
        for node in from {
            live[node.index()] = true;
        }
        for index in (0..self.nodes.len()).rev() {
            if live[index] {
                for operand in &self.nodes[index].operands {
                    live[operand.index()] = true;
                }
            }
        }
        live
    }
    /// For each node, the nodes that use it (each once).
    pub fn users(&self) -> Vec<Vec<NodeId>> {
        let mut users = vec![Vec::new(); self.nodes.len()];
        for id in self.ids() {
            for operand in &self.node(id).operands {
                let list: &mut Vec<NodeId> = &mut users[operand.index()];
                if list.last() != Some(&id) {
                    list.push(id);
                }
            }
        }
        users
    }
    /// The constant that a node is, if it is one (looking through broadcasts).
    pub fn constant(&self, id: NodeId) -> Option<f64> {
        let node = self.node(id);
        match (node.primitive, &node.attributes) {
            (Primitive::Constant, Attributes::Constant(bits)) => Some(f64::from_bits(*bits)),
            (Primitive::Broadcast, _) => self.constant(node.operands[0]),
            _ => None,
        }
    }
}
