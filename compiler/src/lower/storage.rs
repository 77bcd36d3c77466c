//! Where tensors are kept: buffers that all graphs of a program share, and those that one graph adds.

use super::{LowerError, linear, row_major, volume};
use crate::fusion::{Fusion, Member, Work, work};
use crate::graph::{Attributes, Dim, Element, Graph, NodeId, Root, Shape, Type};
use crate::loops::{BufferId, Lane, Linear, Program, Slot, SlotInfo, Space, Var};
use crate::ops::Primitive;
use rustc_hash::FxBuildHasher;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

/// A tensor in memory.
#[derive(Clone, PartialEq, Debug)]
pub struct Storage {
    pub buffer: BufferId,
    pub lane: Lane,
    /// Words from one index to the next, for each axis.
    pub strides: Vec<Linear>,
    /// It holds the current tile only.
    pub local: bool,
    /// The first axis is looked up in this row table.
    pub rows: Option<BufferId>,
    /// It is a part of something longer.
    pub within: Option<Within>,
}

impl Storage {
    /// A new buffer for a tensor of these sizes.
    pub(super) fn new(
        program: &mut Program,
        name: &str,
        (space, lane): (Space, Lane),
        mut sizes: Vec<Linear>,
        rows: Rows,
    ) -> Result<Storage, LowerError> {
        let rank = sizes.len();
        rows.widen(&mut sizes);
        let mut strides = row_major(&sizes)?;
        strides.truncate(rank);
        let buffer = program.add_buffer(name, space, lane, volume(&sizes)?);
        Ok(Storage { buffer, lane, strides, local: space == Space::Scratch, rows: None, within: None })
    }

    /// A source's buffer, whose rows are looked up in the table if there is one.
    pub(super) fn of_source(buffer: BufferId, ty: &Type, rows: Option<BufferId>) -> Result<Storage, LowerError> {
        Ok(Storage { buffer, lane: lane(ty.element), strides: strides(ty)?, local: false, rows, within: None })
    }
}

/// Where a part of a longer tensor begins: one step of a sequence.
#[derive(Clone, PartialEq, Debug)]
pub struct Within {
    pub offset: Linear,
    pub strides: Vec<(Var, Linear)>,
}

/// Lane type of an element in memory.
pub fn lane(element: Element) -> Lane {
    match element {
        Element::F32 => Lane::F32,
        Element::F64 => Lane::F64,
        _ => Lane::I32,
    }
}

/// The next value of a source that could not be written in place: copied when everything has read the old one.
#[derive(Clone, Debug)]
pub struct StagedCopy {
    pub from: BufferId,
    pub to: BufferId,
    pub lane: Lane,
    pub words: Linear,
    pub name: String,
}

/// Buffers by what they hold.
#[derive(Debug, Default)]
pub struct Layout {
    shared: HashMap<(Primitive, String), BufferId>,
    slots: HashMap<String, Slot>,
    rows: Option<BufferId>,
    control: Option<BufferId>,
    outputs: HashMap<String, BufferId>,
    /// Kept tensors of the graph being lowered.
    kept: HashMap<NodeId, Storage, FxBuildHasher>,
    /// Further places that a node's value is stored to.
    also: HashMap<NodeId, Vec<Storage>, FxBuildHasher>,
    /// Partial sums of the graph's full reductions.
    partials: HashMap<NodeId, Storage, FxBuildHasher>,
    /// Copies that end the step.
    staged: Vec<StagedCopy>,
    /// Numbers given out, by kind.
    counts: HashMap<Primitive, u32>,
}

impl Layout {
    /// The control buffer.
    pub fn control(&mut self, program: &mut Program) -> BufferId {
        *self.control.get_or_insert_with(|| program.add_buffer("control", Space::Control, Lane::F64, Linear::ZERO))
    }

    /// The row table of the batch.
    pub fn rows(&mut self, program: &mut Program) -> BufferId {
        *self.rows.get_or_insert_with(|| program.add_buffer("rows", Space::Rows, Lane::I32, Linear::BATCH))
    }

    /// The slot of this name in the control buffer.
    pub fn slot(&mut self, program: &mut Program, name: &str, lane: Lane) -> Slot {
        if let Some(&slot) = self.slots.get(name) {
            return slot;
        }
        let control = self.control(program);
        let slot = Slot(program.slots.len() as u32);
        program.slots.push(SlotInfo { name: name.to_string(), lane });
        program.buffers[control.0 as usize].words = Linear::fixed(program.slots.len() as i64);
        self.slots.insert(name.to_string(), slot);
        slot
    }

    /// The buffer of a named source; made at its first use, numbered in that order within its kind.
    pub fn source(&mut self, program: &mut Program, primitive: Primitive, name: &str, ty: &Type) -> Result<BufferId, LowerError> {
        let key = (if primitive == Primitive::Target { Primitive::Input } else { primitive }, name.to_string());
        if let Some(&known) = self.shared.get(&key) {
            return Ok(known);
        }
        let count = self.counts.entry(key.0).or_default();
        let space = match key.0 {
            Primitive::Parameter => Space::Parameter(*count),
            Primitive::State => Space::State(*count),
            _ => Space::Input(*count),
        };
        *count += 1;
        let buffer = program.add_buffer(name, space, lane(ty.element), volume(&sizes(&ty.shape))?);
        self.shared.insert(key, buffer);
        Ok(buffer)
    }

    /// The buffer of a shared source, if a graph has used it.
    pub fn find(&self, primitive: Primitive, name: &str) -> Option<BufferId> {
        self.shared.get(&(primitive, name.to_string())).copied()
    }

    /// The buffer of a named output of any graph lowered so far.
    pub fn find_output(&self, name: &str) -> Option<BufferId> {
        self.outputs.get(name).copied()
    }

    /// Decides where each node of the graph that other kernels or the outside read is kept.
    pub(super) fn keep(&mut self, graph: &Graph, fusion: &Fusion, program: &mut Program, prefix: &str) -> Result<(), LowerError> {
        self.kept.clear();
        self.also.clear();
        self.partials.clear();
        for root in &graph.roots {
            match root {
                Root::Output { name, node } => {
                    let full = format!("{prefix}.{name}");
                    let number = self.outputs.len() as u32;
                    let storage = whole(graph, *node, program, &full, Space::Output(number), Rows::Adjacent)?;
                    self.outputs.insert(full, storage.buffer);
                    self.add(*node, storage);
                }
                Root::Update { source, node } => {
                    let ty = graph.ty(*source).clone();
                    let name = graph.source_name(*source).unwrap_or_default().to_string();
                    let buffer = self.source(program, graph.node(*source).primitive, &name, &ty)?;
                    let place = Storage::of_source(buffer, &ty, None)?;
                    if fusion.staged.contains(source) {
                        let next = format!("{prefix}.{name}.next");
                        let storage = whole(graph, *node, program, &next, Space::Arena, Rows::Adjacent)?;
                        let words = volume(&sizes(&ty.shape))?;
                        self.staged.push(StagedCopy { from: storage.buffer, to: buffer, lane: place.lane, words, name });
                        self.add(*node, storage);
                    } else {
                        self.add(*node, place);
                    }
                }
            }
        }
        for node in fusion.crossing(graph) {
            if !self.kept.contains_key(&node) {
                let rows = rows_of(graph, fusion, node);
                let storage = whole(graph, node, program, &format!("{prefix}.%{}", node.0), Space::Arena, rows)?;
                self.add(node, storage);
            }
        }
        Ok(())
    }

    /// Keeps a node in a place; later ones are further places that it is stored to.
    pub(super) fn add(&mut self, node: NodeId, storage: Storage) {
        match self.kept.entry(node) {
            Entry::Vacant(place) => {
                place.insert(storage);
            }
            Entry::Occupied(_) => self.also.entry(node).or_default().push(storage),
        }
    }

    /// Where a node of the graph being lowered is kept between kernels.
    pub fn kept(&self, node: NodeId) -> Option<&Storage> {
        self.kept.get(&node)
    }

    /// Further places to store it to.
    pub fn also(&self, node: NodeId) -> &[Storage] {
        self.also.get(&node).map_or(&[], Vec::as_slice)
    }

    /// Where the partial sums of a full reduction are kept.
    pub fn partial(&self, node: NodeId) -> Option<&Storage> {
        self.partials.get(&node)
    }

    pub(super) fn set_partial(&mut self, node: NodeId, storage: Storage) {
        self.partials.insert(node, storage);
    }

    pub(super) fn take_staged(&mut self) -> Vec<StagedCopy> {
        std::mem::take(&mut self.staged)
    }
}

/// Rows of this many words begin in few sets of a cache, so that walking down some columns of them drives out what was just there: a whole
/// number of 1 KiB leaves four of the 64 sets of a first-level cache.
const CROWDED: i64 = 256;
/// Words of a cache line.
const LINE: i64 = 16;

/// How the rows of a tensor in memory follow one another.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Rows {
    /// Without gaps.
    Adjacent,
    /// In whole groups of so many words: random numbers are drawn 64 columns at a time.
    Whole(i64),
    /// A cache line apart.
    Apart,
}

impl Rows {
    /// As random numbers are drawn.
    pub(super) const DRAWN: Rows = Rows::Whole(64);

    /// Room for such rows in a tensor of these sizes.
    fn widen(self, sizes: &mut Vec<Linear>) {
        match (self, sizes.last_mut()) {
            (Rows::Adjacent, _) => {}
            (Rows::Whole(group), Some(last)) if last.is_fixed() => last.constant = (last.constant + group - 1) / group * group,
            (Rows::Whole(group), Some(last)) => last.constant += group,
            (Rows::Whole(group), None) => sizes.push(Linear::fixed(group)),
            (Rows::Apart, last) => last.into_iter().for_each(|last| last.constant += LINE),
        }
    }
}

/// How the rows of a node lie between kernels.
fn rows_of(graph: &Graph, fusion: &Fusion, node: NodeId) -> Rows {
    let shape = graph.shape(node);
    let is_crowded = |dim: &Dim| matches!(*dim, Dim::Fixed(words) if words as i64 % CROWDED == 0);
    if work(graph, Member { node, total: false }) == Work::Random {
        Rows::DRAWN
    } else if shape.rank() > 1 && shape.0.last().is_some_and(is_crowded) && !fusion.in_one_piece[node.index()] {
        Rows::Apart
    } else {
        Rows::Adjacent
    }
}

/// Sizes of a tensor.
pub fn sizes(shape: &Shape) -> Vec<Linear> {
    shape.0.iter().map(|dim| linear(*dim)).collect()
}

/// Row-major strides of a type.
pub fn strides(ty: &Type) -> Result<Vec<Linear>, LowerError> {
    row_major(&sizes(&ty.shape))
}

/// A buffer for a whole tensor.
fn whole(
    graph: &Graph,
    node: NodeId,
    program: &mut Program,
    name: &str,
    space: Space,
    rows: Rows,
) -> Result<Storage, LowerError> {
    let ty = graph.ty(node);
    Storage::new(program, name, (space, lane(ty.element)), sizes(&ty.shape), rows)
}

/// A short word for a node in buffer and nest titles: its layer path or its number.
pub fn title(graph: &Graph, node: NodeId) -> String {
    let path = &graph.origin(node).path;
    let name = crate::ops::record(graph.node(node).primitive).name;
    let constant = match graph.node(node).attributes {
        Attributes::Name(ref name) => name.clone(),
        _ => String::new(),
    };
    match (path.is_empty(), constant.is_empty()) {
        (_, false) => constant,
        (false, _) => format!("%{} {name} {path}", node.0),
        _ => format!("%{} {name}", node.0),
    }
}

/// Number of cells along an axis of this size. Where the size depends on the batch it is an upper bound that is affine in it.
pub fn cells(size: Linear, cell: i64) -> Linear {
    Linear { constant: (size.constant + cell - 1) / cell + i64::from(size.batch > 0), batch: size.batch }
}
