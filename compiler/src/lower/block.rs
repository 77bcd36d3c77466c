//! Writing the block of a nest: values are found by asking for a node at an index.

use super::LowerError;
use super::index::{Index, pick, picked, view};
use super::storage::{Layout, Storage, strides};
use crate::fusion::{folded, in_table, is_unit_reshape};
use crate::graph::{Attributes, Element, Graph, NodeId};
use crate::loops::block::BlockBuilder;
use crate::loops::{Comparison, Lane, Linear, Program, Value, Var, View};
use crate::ops::{self, Fold, Lowering, Operation, Primitive};
use rustc_hash::FxBuildHasher;
use std::collections::HashMap;

/// Slot of the step at which the run ends; a program has it if it asks.
pub const STEPS: &str = "steps.total";
/// Slot of the epoch's number in the life of the model, from 1; a program has it if it asks.
pub const EPOCH: &str = "epoch.number";

/// Everything that a nest of one kernel needs to find values.
pub struct Scope<'a> {
    pub graph: &'a Graph,
    pub layout: &'a mut Layout,
    pub program: &'a mut Program,
    /// Members of the kernel that are kept, with the place that later nests read.
    pub kept: HashMap<NodeId, Storage, FxBuildHasher>,
    /// Tile variables of the kernel.
    pub tiles: Vec<Var>,
    /// The member that is being written: what instructions serve that serve nothing nearer.
    pub serving: NodeId,
}

/// The block under construction.
pub struct Writer<'s, 'a> {
    pub scope: &'s mut Scope<'a>,
    pub block: BlockBuilder,
    /// Kept members that this nest computes itself, with the index that it computes them at.
    pub own: HashMap<NodeId, Vec<Index>, FxBuildHasher>,
    known: HashMap<(NodeId, Vec<Index>), Value, FxBuildHasher>,
}

impl<'s, 'a> Writer<'s, 'a> {
    /// An empty block.
    pub fn new(scope: &'s mut Scope<'a>) -> Self {
        let mut block = BlockBuilder::new();
        block.set_origin(scope.serving.0);
        Writer { scope, block, own: HashMap::default(), known: HashMap::default() }
    }

    /// The value of a node at an index: loaded if it is kept, computed here otherwise.
    pub fn value(&mut self, id: NodeId, index: &[Index]) -> Result<Value, LowerError> {
        let key = (id, index.to_vec());
        if let Some(&known) = self.known.get(&key) {
            return Ok(known);
        }
        let computed_here = self.own.get(&id).is_some_and(|own| own == index);
        let place = self.scope.kept.get(&id).or_else(|| self.scope.layout.kept(id));
        let value = match place.filter(|_| !computed_here).cloned() {
            Some(storage) => self.load(&storage, index),
            None => self.compute(id, index)?,
        };
        self.known.insert(key, value);
        Ok(value)
    }

    /// Loads an element of a kept tensor.
    pub fn load(&mut self, storage: &Storage, index: &[Index]) -> Value {
        let place = view(storage, index, &self.scope.tiles);
        self.block.load(place, storage.lane)
    }

    /// Stores a value.
    pub fn store(&mut self, storage: &Storage, index: &[Index], value: Value) {
        let place = view(storage, index, &self.scope.tiles);
        self.block.store(place, value);
    }

    /// The formula of a node at an index.
    pub fn compute(&mut self, id: NodeId, index: &[Index]) -> Result<Value, LowerError> {
        let graph = self.scope.graph;
        let node = graph.node(id);
        let record = ops::record(node.primitive);
        let value = match &record.lowering {
            Lowering::Source => self.source(id, index)?,
            Lowering::Coordinate => {
                let Attributes::Axis(axis) = node.attributes else {
                    return Err(LowerError("a coordinate without an axis".into()));
                };
                self.coordinate(&index[axis])
            }
            Lowering::Pointwise(lower) => {
                let mut operands: Vec<Value> = Vec::with_capacity(node.operands.len());
                for &operand in &node.operands {
                    // A load serves the node that reads it.
                    self.block.set_origin(id.0);
                    operands.push(self.value(operand, index)?);
                }
                let elements: Vec<Element> = node.operands.iter().map(|&operand| graph.ty(operand).element).collect();
                self.block.set_origin(id.0);
                lower(
                    &mut self.block,
                    &operands,
                    &Operation { operands: &elements, element: node.ty.element, attributes: &node.attributes },
                )
            }
            Lowering::Gather => self.gather(id, index)?,
            Lowering::Reduce(fold) if let Some((axis, size)) = folded(graph, id) => self.fold(id, *fold, index, axis, size)?,
            Lowering::View if node.primitive == Primitive::Reshape && !is_unit_reshape(graph, id) => {
                let (place, lane) = locate(self.scope, id, index)?;
                self.block.load(place, lane)
            }
            Lowering::View => {
                let operand = node.operands[0];
                let inner = view_index(graph, id, index)?;
                self.value(operand, &inner)?
            }
            _ => return Err(LowerError(format!("%{} {} must be kept but is not", id.0, record.name))),
        };
        Ok(value)
    }

    /// The elements of a short axis, folded in ascending order.
    fn fold(&mut self, id: NodeId, fold: Fold, index: &[Index], axis: usize, size: usize) -> Result<Value, LowerError> {
        let operand = self.scope.graph.node(id).operands[0];
        let mut folded = self.block.f32(fold.identity());
        for element in 0..size {
            let mut at = index.to_vec();
            at.insert(axis, Index::zero().shifted(element as i64));
            let value = self.value(operand, &at)?;
            self.block.set_origin(id.0);
            folded = fold.lower(&mut self.block, folded, value);
        }
        Ok(folded)
    }

    /// The row of a table that the index says, at the rest of the index.
    fn gather(&mut self, id: NodeId, index: &[Index]) -> Result<Value, LowerError> {
        let graph = self.scope.graph;
        let (table, row) = (graph.node(id).operands[0], graph.node(id).operands[1]);
        let (lead, inside) = index.split_at(graph.shape(row).rank());
        let row = self.value(row, lead)?;
        let at: Vec<Index> = std::iter::once(picked()).chain(inside.iter().cloned()).collect();
        let (place, lane) = locate(self.scope, table, &at)?;
        self.block.set_origin(id.0);
        Ok(self.block.load(pick(place, row, graph.shape(table).0[0].at(0) as i64), lane))
    }

    fn coordinate(&mut self, index: &Index) -> Value {
        let terms = index.terms.iter().map(|(var, factor)| (*var, Linear::fixed(*factor))).collect();
        self.block.index(terms, Linear::fixed(index.offset))
    }

    fn source(&mut self, id: NodeId, index: &[Index]) -> Result<Value, LowerError> {
        let graph = self.scope.graph;
        let node = graph.node(id);
        self.block.set_origin(id.0);
        Ok(match (node.primitive, &node.attributes) {
            (Primitive::Constant, Attributes::Constant(bits)) => {
                let value = f64::from_bits(*bits);
                match node.ty.element {
                    Element::F32 => self.block.f32(value as f32),
                    Element::F64 => self.block.f64(value),
                    Element::Bool => self.block.i32(if value != 0.0 { -1 } else { 0 }),
                    _ => self.block.i32(value as i32),
                }
            }
            (Primitive::BatchSize, _) => {
                let rows = self.block.index(Vec::new(), Linear::BATCH);
                self.block.to_float(rows)
            }
            (Primitive::Step, _) => self.control("step"),
            (Primitive::Steps, _) => self.control(STEPS),
            (Primitive::Epoch, _) => self.control(EPOCH),
            (Primitive::Setting, Attributes::Name(name)) => {
                let name = format!("setting.{name}");
                self.control(&name)
            }
            _ => {
                let (place, lane) = locate(self.scope, id, index)?;
                let word = self.block.load(place, lane);
                // Outside, a truth is 0 or 1; inside it is a mask.
                if node.ty.element == Element::Bool && matches!(node.primitive, Primitive::Input | Primitive::Target) {
                    let zero = self.block.i32(0);
                    self.block.compare(Comparison::Ne, word, zero)
                } else {
                    word
                }
            }
        })
    }

    fn control(&mut self, name: &str) -> Value {
        let slot = self.scope.layout.slot(self.scope.program, name, Lane::F64);
        let control = self.scope.layout.control(self.scope.program);
        self.block.load_scalar(control, i64::from(slot.0), Lane::F64)
    }
}

/// Index of a view's operand for an index of the view.
fn view_index(graph: &Graph, id: NodeId, index: &[Index]) -> Result<Vec<Index>, LowerError> {
    let node = graph.node(id);
    let map = crate::fusion::view_axes(graph, id).ok_or_else(|| LowerError(format!("%{} cannot be indexed through", id.0)))?;
    let mut inner: Vec<Index> = map.iter().map(|axis| axis.map_or_else(Index::zero, |axis| index[axis].clone())).collect();
    match node.attributes {
        Attributes::Slice { axis, from, .. } => inner[axis] = inner[axis].shifted(from as i64),
        Attributes::Window(window) => {
            let (place, step) = (&index[window.axis], &index[window.axis + 1]);
            inner[window.axis] =
                place.times(window.stride as i64).plus(&step.times(window.dilation as i64)).shifted(window.offset as i64);
        }
        _ => {}
    }
    Ok(inner)
}

/// The word in memory that a node at an index is: a source, a kept node, or a view of one.
pub fn locate(scope: &mut Scope, id: NodeId, index: &[Index]) -> Result<(View, Lane), LowerError> {
    let storage = place_of(scope, id)?;
    if let Some(storage) = storage {
        return Ok((view(&storage, index, &scope.tiles), storage.lane));
    }
    let graph = scope.graph;
    let node = graph.node(id);
    if node.primitive == Primitive::Reshape && !is_unit_reshape(graph, id) {
        let operand = node.operands[0];
        let inner = place_of(scope, operand)?.or(reshaped(scope, operand)?);
        let mut storage = inner.ok_or_else(|| LowerError(format!("%{} is reshaped but not kept", operand.0)))?;
        let mut steps = strides(&node.ty)?;
        if storage.rows.is_some() {
            // Rows of a data set lie one after the other: only what is inside of a row is reshaped.
            let inside: i64 = storage.strides[0].constant;
            steps[0] = Linear::fixed(inside);
        }
        if storage.within.is_some() {
            // Rows of a step are as far apart as rows of the sequence.
            steps[0] = storage.strides[0];
        }
        storage.strides = steps;
        return Ok((view(&storage, index, &scope.tiles), storage.lane));
    }
    if matches!(ops::record(node.primitive).lowering, Lowering::View) {
        let inner = view_index(graph, id, index)?;
        return locate(scope, node.operands[0], &inner);
    }
    Err(LowerError(format!("%{} {} is read from memory but not kept", id.0, ops::record(node.primitive).name)))
}

/// A unit reshape of something kept is kept in the same words.
fn reshaped(scope: &mut Scope, id: NodeId) -> Result<Option<Storage>, LowerError> {
    let node = scope.graph.node(id);
    if node.primitive != Primitive::Reshape {
        return Ok(None);
    }
    let operand = node.operands[0];
    match place_of(scope, operand)? {
        Some(storage) => Ok(Some(storage)),
        None => reshaped(scope, operand),
    }
}

/// Where a source or kept node stands.
pub(super) fn place_of(scope: &mut Scope, id: NodeId) -> Result<Option<Storage>, LowerError> {
    if let Some(storage) = scope.kept.get(&id).or_else(|| scope.layout.kept(id)) {
        return Ok(Some(storage.clone()));
    }
    let node = scope.graph.node(id);
    let Attributes::Name(name) = &node.attributes else { return Ok(None) };
    if !matches!(node.primitive, Primitive::Input | Primitive::Target | Primitive::Parameter | Primitive::State) {
        return Ok(None);
    }
    let ty = node.ty.clone();
    let buffer = scope.layout.source(scope.program, node.primitive, name, &ty)?;
    let rows = in_table(scope.graph, id).then(|| scope.layout.rows(scope.program));
    Storage::of_source(buffer, &ty, rows).map(Some)
}
