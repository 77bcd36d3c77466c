//! A training step as a picture: three columns (forward, backward, update), one row a layer.
//!
//! A box is a layer in one part of the step; its lines are its nodes. Forward runs down, backward runs up beside it, and what a layer's
//! parameters become stands to the right of where their gradients are made. So the picture needs no search for a layout: place follows
//! from meaning. Edges are tensors; those that cross from one column to another tell what a step must keep, and are marked with bytes.

pub mod dot;
mod fold;
mod layout;
mod part;
pub mod svg;
#[cfg(test)]
mod tests;

use crate::graph::text::{node_text, number};
use crate::graph::{Graph, NodeId};
use crate::ops::Primitive;
pub use part::{Part, parts};
use std::collections::BTreeMap;

/// Bytes of a word of tensor memory.
const WORD: usize = 4;

/// Characters of a line that are shown.
const WIDEST: usize = 50;

/// How a graph is drawn.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Options {
    /// Lines of a box; what is left out is counted. `None` shows all.
    pub lines: Option<usize>,
    /// Rows of the batch for which bytes are given.
    pub batch: usize,
    /// Turns of a loop that are like the turn before them share a box in each part of the step.
    pub folded: bool,
}

/// Boxes and edges.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Picture {
    /// The network's name.
    pub title: String,
    /// Layers, each in a part of the step.
    pub boxes: Vec<Layer>,
    /// What passes between them.
    pub edges: Vec<Edge>,
    /// Number of rows; each box has one.
    pub rows: usize,
}

/// One layer in one part of the step.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Layer {
    /// The layer's path.
    pub name: String,
    /// The part of the step.
    pub part: Part,
    /// The row that it stands in.
    pub row: usize,
    /// Nodes with their text.
    pub lines: Vec<(NodeId, String)>,
    /// What is left out before the lines, or empty.
    pub note: String,
}

/// Tensors that one box makes and another reads.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Edge {
    /// Place of the box that makes them.
    pub from: usize,
    /// Place of the box that reads them.
    pub to: usize,
    /// What passes.
    pub tensors: Vec<NodeId>,
    /// Bytes of all of it.
    pub bytes: usize,
}

/// Arranges a graph; constants stand where they are read.
pub fn picture(graph: &Graph, options: Options) -> Picture {
    let parts = parts(graph);
    let live = graph.live();
    let shown = |id: NodeId| live[id.index()] && graph.constant(id).is_none();
    let layers: Vec<String> = graph.ids().map(|id| layer(graph, id)).collect();
    let alike = if options.folded { fold::turns(graph, &parts, &layers, &shown) } else { Vec::new() };
    let mut places: BTreeMap<(Part, String), usize> = BTreeMap::new();
    let mut home: Vec<Option<usize>> = vec![None; graph.nodes.len()];
    let mut boxes: Vec<Layer> = Vec::new();
    for id in graph.ids().filter(|id| shown(*id)) {
        let (part, own) = (parts[id.index()], &layers[id.index()]);
        let turns = alike.iter().find(|turns| turns.hold(own));
        let name = turns.map_or_else(|| own.clone(), fold::Turns::name);
        let place = *places.entry((part, name.clone())).or_insert_with(|| {
            boxes.push(Layer { name, part, row: 0, lines: Vec::new(), note: turns.map(fold::Turns::note).unwrap_or_default() });
            boxes.len() - 1
        });
        home[id.index()] = Some(place);
        boxes[place].lines.push((id, line(graph, id)));
    }
    let rows = arrange(&mut boxes);
    let mut found: BTreeMap<(usize, usize), Vec<NodeId>> = BTreeMap::new();
    for id in graph.ids() {
        for operand in &graph.node(id).operands {
            if let (Some(from), Some(to)) = (home[operand.index()], home[id.index()])
                && from != to
            {
                let tensors = found.entry((from, to)).or_default();
                if !tensors.contains(operand) {
                    tensors.push(*operand);
                }
            }
        }
    }
    let size = |id: &NodeId| graph.shape(*id).count(options.batch).saturating_mul(WORD);
    let bytes = |tensors: &[NodeId]| tensors.iter().map(size).fold(0, usize::saturating_add);
    let edges = found.into_iter().map(|((from, to), tensors)| Edge { from, to, bytes: bytes(&tensors), tensors }).collect();
    for layer in &mut boxes {
        if !layer.note.is_empty() {
            layer.lines.clear();
        }
        let kept = options.lines.filter(|lines| layer.lines.len().saturating_sub(1) > *lines).unwrap_or(layer.lines.len());
        let hidden = layer.lines.len() - kept;
        if hidden > 0 {
            layer.note = format!("{hidden} nodes before");
            // The last lines are what the layer hands on.
            layer.lines.drain(..hidden);
        }
    }
    Picture { title: graph.name.clone(), boxes, edges, rows }
}

/// The layer that a node belongs to.
fn layer(graph: &Graph, id: NodeId) -> String {
    let path = &graph.origin(id).path;
    match graph.node(id).primitive {
        _ if !path.is_empty() => path.clone(),
        Primitive::Input | Primitive::Target => "batch".into(),
        Primitive::Setting | Primitive::Step | Primitive::Steps | Primitive::Epoch => "settings".into(),
        _ => "step".into(),
    }
}

/// A node in one short line, constants spelt out.
fn line(graph: &Graph, id: NodeId) -> String {
    let mut text = node_text(graph, id);
    for operand in graph.node(id).operands.iter().rev() {
        if let Some(value) = graph.constant(*operand) {
            text = text.replacen(&format!("%{}", operand.0), &number(value), 1);
        }
    }
    let text = format!("%{} = {text}", id.0);
    match text.chars().count() > WIDEST {
        false => text,
        // The type says most: it is kept, the middle goes.
        true => {
            let ty = format!("… : {}", graph.ty(id));
            let head: String = text.chars().take(WIDEST.saturating_sub(ty.chars().count())).collect();
            head + &ty
        }
    }
}

/// Gives each box its row: those of the forward pass in order, the others beside the layer that they serve.
fn arrange(boxes: &mut [Layer]) -> usize {
    // A parameter's name begins with its layer's path.
    let belongs = |name: &str, layer: &str| name.strip_prefix(layer).is_some_and(|rest| rest.starts_with('.'));
    let forward: Vec<String> = boxes.iter().filter(|layer| layer.part == Part::Forward).map(|layer| layer.name.clone()).collect();
    let mut names: Vec<String> =
        forward.iter().filter(|name| !forward.iter().any(|layer| belongs(name, layer))).cloned().collect();
    let mut own: Vec<usize> = Vec::new();
    for layer in boxes.iter() {
        let best = names.iter().filter(|name| layer.name == **name || belongs(&layer.name, name)).max_by_key(|name| name.len());
        let name = best.unwrap_or(&layer.name).clone();
        own.push(names.iter().position(|known| *known == name).unwrap_or_else(|| {
            names.push(name);
            names.len() - 1
        }));
    }
    for (layer, row) in boxes.iter_mut().zip(own) {
        layer.row = row;
    }
    names.len()
}
