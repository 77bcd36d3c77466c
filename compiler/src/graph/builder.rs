//! The one way to make nodes: checks types, folds constants, shares equal nodes. `primitives.rs` has a method for each primitive.

mod primitives;

use super::{Attributes, Dim, Graph, Node, NodeId, Origin, Root, Shape, Type};
use crate::base::chains::{Chains, hash_of};
use crate::ops::{self, Primitive};
pub use primitives::meet_shapes;
use std::fmt;

/// A node that cannot be: which primitive, and what its operands were.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BuildError {
    /// What does not fit.
    pub message: String,
}

impl BuildError {
    /// An error that says what does not fit.
    pub fn new(message: impl Into<String>) -> Self {
        BuildError { message: message.into() }
    }
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for BuildError {}

/// Result of making a node.
pub type Built = Result<NodeId, BuildError>;

/// Grows a graph node by node.
#[derive(Clone, Debug, Default)]
pub struct Builder {
    graph: Graph,
    /// Equal nodes.
    nodes: Chains,
    /// Equal origins.
    origins: Chains,
    origin: Current,
    streams: u32,
}

/// The origin that new nodes get.
#[derive(Clone, Debug)]
enum Current {
    /// No node has it yet, as far as is known.
    Said(Origin),
    /// It has a place among the graph's.
    Known(u32),
}

impl Default for Current {
    fn default() -> Self {
        Current::Said(Origin::default())
    }
}

impl Builder {
    /// An empty graph of this name.
    pub fn new(name: impl Into<String>) -> Self {
        Builder { graph: Graph::new(name), ..Builder::default() }
    }

    /// An empty graph with room for so many nodes.
    pub(crate) fn with_room(name: impl Into<String>, nodes: usize) -> Self {
        let mut builder = Builder::new(name);
        builder.graph.nodes.reserve(nodes);
        builder.nodes.reserve(nodes);
        builder
    }

    /// Goes on from a graph: its nodes keep their ids.
    pub fn continue_from(graph: Graph) -> Self {
        let mut builder = Builder { graph, ..Builder::default() };
        builder.nodes.reserve(builder.graph.nodes.len());
        for node in &builder.graph.nodes {
            builder.nodes.add(hash_of((node.primitive, &node.attributes, node.operands.as_slice(), &node.ty)));
            if let Attributes::Stream(stream) = node.attributes {
                builder.streams = builder.streams.max(stream + 1);
            }
        }
        builder.graph.origins.iter().for_each(|origin| builder.origins.add(hash_of(origin)));
        builder
    }

    /// The graph so far.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }
    /// The finished graph.
    pub fn finish(self) -> Graph {
        self.graph
    }
    /// Type of a node.
    pub fn ty(&self, id: NodeId) -> &Type {
        self.graph.ty(id)
    }
    /// Shape of a node.
    pub fn shape(&self, id: NodeId) -> Shape {
        self.graph.shape(id).clone()
    }
    /// The origin that new nodes get; returns the one before.
    pub fn set_origin(&mut self, origin: Origin) -> Origin {
        match std::mem::replace(&mut self.origin, Current::Said(origin)) {
            Current::Said(before) => before,
            Current::Known(place) => self.graph.origins[place as usize].clone(),
        }
    }
    /// The origin that new nodes get.
    pub fn origin(&self) -> &Origin {
        match &self.origin {
            Current::Said(origin) => origin,
            Current::Known(place) => &self.graph.origins[*place as usize],
        }
    }
    /// As [`Builder::set_origin`], of an origin that the graph has.
    pub(crate) fn set_known_origin(&mut self, place: u32) {
        self.origin = Current::Known(place);
    }
    /// Where the origin that new nodes get stands in the graph, if that is known.
    pub(crate) fn known_origin(&self) -> Option<u32> {
        match self.origin {
            Current::Said(_) => None,
            Current::Known(place) => Some(place),
        }
    }
    /// Names a result.
    pub fn output(&mut self, name: impl Into<String>, node: NodeId) {
        self.graph.roots.push(Root::Output { name: name.into(), node });
    }
    /// Sets the next value of a parameter or state.
    pub fn update(&mut self, source: NodeId, node: NodeId) -> Result<(), BuildError> {
        if self.ty(source) != self.ty(node) {
            return Err(BuildError::new(format!("update of {} by {}", self.ty(source), self.ty(node))));
        }
        self.graph.roots.push(Root::Update { source, node });
        Ok(())
    }

    /// Makes a node, or finds the equal one that stands already. `given` is the type where the operands do not determine it.
    pub fn apply(&mut self, primitive: Primitive, operands: &[NodeId], attributes: Attributes, given: Option<Type>) -> Built {
        let record = ops::record(primitive);
        let attributes = match attributes {
            Attributes::Contract(spec) => Attributes::Contract(spec.canonical()),
            other => other,
        };
        let types: Vec<&Type> = operands.iter().map(|&id| self.graph.ty(id)).collect();
        let ty = (record.infer)(&types, &attributes, given.as_ref()).map_err(|why| {
            let list: Vec<String> = types.iter().map(|ty| ty.to_string()).collect();
            BuildError::new(format!("{}({}): {why}", record.name, list.join(", ")))
        })?;
        if ty.shape.0.iter().filter(|dim| **dim == Dim::Batch).count() > 1 {
            return Err(BuildError::new(format!("{}: {} has the batch on two axes", record.name, ty.shape)));
        }
        Ok(self.put(primitive, operands, attributes, ty))
    }

    /// As [`Builder::apply`], of a node that has been made once, and whose operands have the types that they had there.
    pub(crate) fn put(&mut self, primitive: Primitive, operands: &[NodeId], attributes: Attributes, ty: Type) -> NodeId {
        if let Some(folded) = self.fold(primitive, operands, &attributes, &ty) {
            return folded;
        }
        let hash = hash_of((primitive, &attributes, operands, &ty));
        if let Some(known) = self.standing(hash, primitive, &attributes, operands, &ty) {
            return known;
        }
        let id = NodeId(self.graph.nodes.len() as u32);
        let origin = self.intern_origin();
        self.nodes.add(hash);
        self.graph.nodes.push(Node { primitive, attributes, operands: operands.to_vec(), ty, origin });
        id
    }

    /// The node with this hash and these parts.
    fn standing(
        &self,
        hash: u64,
        primitive: Primitive,
        attributes: &Attributes,
        operands: &[NodeId],
        ty: &Type,
    ) -> Option<NodeId> {
        let is_it = |place: usize| {
            let node = &self.graph.nodes[place];
            node.primitive == primitive && node.operands == operands && node.ty == *ty && node.attributes == *attributes
        };
        self.nodes.find(hash, is_it).map(|place| NodeId(place as u32))
    }

    /// The node that [`Builder::apply`] would find standing already, if there is one.
    pub fn find(&self, primitive: Primitive, operands: &[NodeId], attributes: Attributes, given: Option<Type>) -> Option<NodeId> {
        let types: Vec<&Type> = operands.iter().map(|&id| self.graph.ty(id)).collect();
        let ty = (ops::record(primitive).infer)(&types, &attributes, given.as_ref()).ok()?;
        self.standing(hash_of((primitive, &attributes, operands, &ty)), primitive, &attributes, operands, &ty)
    }

    fn intern_origin(&mut self) -> u32 {
        let origin = match &self.origin {
            Current::Known(place) => return *place,
            Current::Said(origin) => origin,
        };
        let hash = hash_of(origin);
        let known = self.origins.find(hash, |place| self.graph.origins[place] == *origin);
        let place = known.unwrap_or(self.graph.origins.len());
        if known.is_none() {
            self.origins.add(hash);
            self.graph.origins.push(origin.clone());
        }
        self.origin = Current::Known(place as u32);
        place as u32
    }

    /// A pointwise node of constants is the constant of its f64 value.
    fn fold(&mut self, primitive: Primitive, operands: &[NodeId], attributes: &Attributes, ty: &Type) -> Option<NodeId> {
        let record = ops::record(primitive);
        // A copy is asked for where a value must be stored: it stays.
        let is_copy = primitive == Primitive::StopGradient;
        if is_copy || !record.is_pointwise() || operands.is_empty() || !ty.element.is_real() {
            return None;
        }
        let constants: Option<Vec<f64>> = operands.iter().map(|&id| self.graph.constant(id)).collect();
        let arrays: Vec<ops::Array> = constants?.into_iter().map(ops::Array::scalar).collect();
        let references: Vec<&ops::Array> = arrays.iter().collect();
        let value = (record.value)(&ops::Evaluation {
            operands: &references,
            attributes,
            element: ty.element,
            dims: &[],
            environment: &ops::Environment::default(),
        });
        let folded = *value.data.first()?;
        let scalar = self.constant_of(ty.element, folded);
        self.broadcast_scalar(scalar, &ty.shape).ok()
    }
}
