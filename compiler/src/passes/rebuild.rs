//! A graph on its way into a new one: which node became which, and what each is called in the log.

use super::{Application, Bug, Context};
use crate::graph::{BuildError, Builder, Carried, Graph, NodeId, Root};
use crate::ops::{self, Primitive};
use crate::rules::Exactness;
use std::fmt::Write;

/// Copies a graph node by node through the builder, which checks, folds and shares.
pub(super) struct Rebuild<'a> {
    pub from: &'a Graph,
    pub builder: Builder,
    /// New node of each old one.
    map: Vec<Option<NodeId>>,
    old_labels: Vec<Option<u32>>,
    labels: Vec<Option<u32>>,
    /// Operands of the node that is being placed.
    operands: Vec<NodeId>,
    origins: Carried,
}

impl<'a> Rebuild<'a> {
    pub fn new(from: &'a Graph, context: &mut Context) -> Self {
        let old_labels = std::mem::take(&mut context.labels);
        let map = vec![None; from.nodes.len()];
        let builder = Builder::with_room(from.name.clone(), from.nodes.len());
        let (labels, operands, origins) = (Vec::new(), Vec::new(), Carried::default());
        Rebuild { from, builder, map, old_labels, labels, operands, origins }
    }

    /// Copies a node whose operands are copied; operands of commutative primitives are put in ascending order, numbers
    /// last.
    pub fn place(&mut self, id: NodeId, context: &mut Context) -> Result<NodeId, BuildError> {
        self.place_for(id, id, context)
    }

    /// The same of a node that stands for another one: it comes from where that one comes from.
    pub fn place_for(&mut self, id: NodeId, other: NodeId, context: &mut Context) -> Result<NodeId, BuildError> {
        let node = self.from.node(id);
        let mut operands = std::mem::take(&mut self.operands);
        operands.clear();
        for operand in &node.operands {
            operands.push(self.map[operand.index()].ok_or_else(|| BuildError::new(format!("%{} was not copied", operand.0)))?);
        }
        if ops::record(node.primitive).commutative {
            operands.sort_unstable_by_key(|&operand| (self.builder.graph().constant(operand).is_some(), operand));
        }
        let origin = (self.from.node(other).origin, self.made_from(other));
        self.origins.begin(&mut self.builder, self.from, origin);
        // What stands for an operand has its type.
        let placed = self.builder.put(node.primitive, &operands, node.attributes.clone(), node.ty.clone());
        self.origins.end(&self.builder, origin);
        self.map[id.index()] = Some(placed);
        let label = self.old_label(id);
        let (known, value) = (self.label(placed), self.builder.graph().constant(placed));
        let folded = value.is_some() && !matches!(node.primitive, Primitive::Constant | Primitive::Broadcast);
        if let (Some(label), true) = (label, folded || (known.is_some() && known != label)) {
            let (rule, exactness) =
                if folded { ("fold", Exactness::Approximates { ulp: 1 }) } else { ("share", Exactness::BitExact) };
            let before = format!("%{label} = {}", self.application(node.primitive, &operands, placed, &[]));
            let after = self.expression(placed, &[]);
            if before != format!("%{label} = {after}") {
                context.log.push(Application { rule, before, after, exactness, rewrite: false });
            }
        }
        self.set_label(placed, label);
        self.operands = operands;
        Ok(placed)
    }

    /// Lets a node stand for an old one.
    pub fn replace(&mut self, id: NodeId, by: NodeId) {
        self.map[id.index()] = Some(by);
    }
    /// The new node of an old one.
    pub fn placed(&self, id: NodeId) -> Option<NodeId> {
        self.map[id.index()]
    }
    /// The number of an old node in the log.
    pub fn old_label(&self, id: NodeId) -> Option<u32> {
        self.old_labels.get(id.index()).copied().flatten()
    }
    /// The number of a new node in the log.
    pub fn label(&self, id: NodeId) -> Option<u32> {
        self.labels.get(id.index()).copied().flatten()
    }
    /// Names a new node that has no number yet.
    pub fn set_label(&mut self, id: NodeId, label: Option<u32>) {
        if self.labels.len() <= id.index() {
            self.labels.resize(id.index() + 1, None);
        }
        let own = &mut self.labels[id.index()];
        *own = own.or(label);
    }

    /// The new node that an old one was made from; where that is gone, what that was made from stands for it.
    fn made_from(&self, id: NodeId) -> Option<NodeId> {
        let mut of = self.from.origin(id).of;
        while let Some(old) = of {
            match self.map.get(old.index()).copied().flatten() {
                Some(new) => return Some(new),
                None => of = self.from.nodes.get(old.index()).and_then(|_| self.from.origin(old).of).filter(|next| *next < old),
            }
        }
        None
    }

    /// A new node in the log's words: its number, or its formula down to numbered nodes. Nodes of `open` are spelt out.
    pub fn expression(&self, id: NodeId, open: &[NodeId]) -> String {
        let graph = self.builder.graph();
        if let Some(value) = graph.constant(id) {
            return crate::graph::text::number(value);
        }
        if let (Some(label), false) = (self.label(id), open.contains(&id)) {
            return format!("%{label}");
        }
        let node = graph.node(id);
        self.application(node.primitive, &node.operands, id, open)
    }

    /// A primitive applied to new nodes, carrying the attributes of `like` if that is such a node.
    fn application(&self, primitive: Primitive, operands: &[NodeId], like: NodeId, open: &[NodeId]) -> String {
        let node = self.builder.graph().node(like);
        let mut text = ops::record(primitive).name.to_string();
        if let (true, crate::graph::Attributes::Axes(axes)) = (node.primitive == primitive, &node.attributes) {
            let _ = write!(text, "{{{}}}", axes.iter().map(usize::to_string).collect::<Vec<_>>().join(" "));
        }
        let operands: Vec<String> = operands.iter().map(|&operand| self.expression(operand, open)).collect();
        if !operands.is_empty() {
            let _ = write!(text, "({})", operands.join(", "));
        }
        text
    }

    /// The new graph, with the roots of the old one.
    pub fn finish(mut self, pass: &'static str, context: &mut Context) -> Result<Graph, Bug> {
        for root in &self.from.roots {
            let bug = |what: String| Bug::new(pass, self.from, what);
            let new = |id: NodeId| self.map[id.index()].ok_or_else(|| bug(format!("%{} was not copied", id.0)));
            match root {
                Root::Output { name, node } => {
                    let node = new(*node)?;
                    self.builder.output(name.clone(), node);
                }
                Root::Update { source, node } => {
                    let (source, node) = (new(*source)?, new(*node)?);
                    self.builder.update(source, node).map_err(|why| Bug::new(pass, self.from, why.message))?;
                }
            }
        }
        let graph = self.builder.finish();
        self.labels.resize(graph.nodes.len(), None);
        context.labels = self.labels;
        for place in &mut context.places {
            *place = place.and_then(|old| self.map[old.index()]);
        }
        Ok(graph)
    }
}
