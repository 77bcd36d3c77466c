//! One group becomes one kernel: tile loops, then nests in their order.

use super::block::{Scope, Writer};
use super::index::Index;
use super::nests::{NestPlan, Plan, plan};
use super::schedule::{Schedule, schedule};
use super::storage::{Layout, StagedCopy, Storage, cells, push, title};
use super::{LowerError, linear, product, row_major, volume};
use crate::fusion::{CELL, Fusion, Group, Work, reduced_axes, work};
use crate::graph::{Attributes, Graph, NodeId};
use crate::loops::block::BlockBuilder;
use crate::loops::{
    Axis, Block, Extent, Instruction, Kernel, Lane, Linear, Nest, Parallel, Program, Space, Statement, Value, Var, View, random,
};
use crate::ops::{self, Fold, Lowering};
use std::collections::HashMap;

/// Lanes that a long sum along the last axis is folded from.
const LANES: i64 = 32;
/// Rows of at most this many elements are folded one after the other.
const SHORT_ROW: i64 = 32;

/// One loop axis of the group: its size and the tile it is cut into.
#[derive(Clone, Copy, Debug)]
pub struct GroupAxis {
    pub size: Linear,
    pub tile: Option<(Var, i64)>,
}

impl GroupAxis {
    /// Iterations inside of the current tile.
    pub fn extent(&self) -> Extent {
        match self.tile {
            Some((tile, step)) => Extent::Tile { tile, step, total: self.size },
            None => Extent::Whole(self.size),
        }
    }
    /// Most iterations inside of a tile.
    pub fn room(&self) -> Linear {
        match self.tile {
            Some((_, step)) if self.size.is_fixed() => Linear::fixed(step.min(self.size.constant)),
            Some((_, step)) => Linear::fixed(step),
            None => self.size,
        }
    }
    /// The element that a loop variable inside of the tile stands for.
    pub fn index(&self, var: Var) -> Index {
        match self.tile {
            Some((tile, step)) => Index::var(var).with(tile, step),
            None => Index::var(var),
        }
    }
}

/// A kernel in the making.
pub struct KernelLowering<'a> {
    pub scope: Scope<'a>,
    pub group: &'a Group,
    pub axes: Vec<GroupAxis>,
    vars: u32,
    name: String,
    body: Vec<Statement>,
    /// Storage of partial sums, by reduction.
    partials: HashMap<NodeId, Storage>,
}

/// Lowers the group of this number.
pub fn lower_group(
    graph: &Graph,
    fusion: &Fusion,
    number: usize,
    layout: &mut Layout,
    program: &mut Program,
    prefix: &str,
) -> Result<Kernel, LowerError> {
    let group = &fusion.groups[number];
    let plan = plan(graph, fusion, group, |node| layout.kept(node).is_some());
    let schedule = schedule(graph, group);
    let head = group
        .members
        .iter()
        .rfind(|member| work(graph, **member) == Work::Product)
        .unwrap_or(&group.members[group.members.len() - 1]);
    let name = format!("{prefix}.{number} {}", title(graph, head.node));
    let scope = Scope { graph, layout, program, kept: HashMap::new(), tiles: Vec::new(), serving: group.members[0].node };
    let axes = group.axes.iter().map(|dim| GroupAxis { size: linear(*dim), tile: None }).collect();
    let lowering = KernelLowering { scope, group, axes, vars: 0, name, body: Vec::new(), partials: HashMap::new() };
    lowering.run(&plan, schedule, prefix)
}

/// Copies a staged value to its place.
pub fn copy(copy: &StagedCopy) -> Kernel {
    let var = Var(0);
    let place = |buffer| View { buffer, offset: Linear::ZERO, strides: vec![(var, Linear::fixed(1))], table: None, pick: None };
    let mut block = BlockBuilder::new();
    let value = block.load(place(copy.from), copy.lane);
    block.store(place(copy.to), value);
    let axes = vec![Axis { var, extent: Extent::Whole(copy.words), vector: true }];
    let nest = Nest { title: format!("next {}", copy.name), axes, block: block.finish() };
    Kernel { name: format!("copy {}", copy.name), parallel: None, body: vec![Statement::Nest(nest)], vars: 1 }
}

impl KernelLowering<'_> {
    fn run(mut self, plan: &Plan, schedule: Schedule, prefix: &str) -> Result<Kernel, LowerError> {
        let mut parallel = None;
        let mut inner = None;
        if let Some((axis, step)) = schedule.parallel {
            let var = self.tile(axis, step as i64);
            parallel = Some(Parallel { var, step: step as i64, total: self.axes[axis].size });
        }
        if let Some((axis, step)) = schedule.inner {
            inner = Some((self.tile(axis, step as i64), step as i64, self.axes[axis].size));
        }
        for (position, kept) in plan.kept.iter().enumerate() {
            if *kept {
                self.keep(position, prefix)?;
            }
        }
        for nest in &plan.nests {
            self.nest(nest)?;
        }
        let body = match inner {
            Some((var, step, total)) => vec![Statement::Tiles { var, step, total, body: self.body }],
            None => self.body,
        };
        Ok(Kernel { name: self.name, parallel, body, vars: self.vars })
    }

    fn tile(&mut self, axis: usize, step: i64) -> Var {
        let var = self.var();
        self.axes[axis].tile = Some((var, step));
        self.scope.tiles.push(var);
        var
    }

    /// A new loop variable.
    pub fn var(&mut self) -> Var {
        self.vars += 1;
        Var(self.vars - 1)
    }

    /// Appends a statement.
    pub fn push(&mut self, statement: Statement) {
        self.body.push(statement);
    }

    /// Gives a kept member its place: between kernels if others read it, else in scratch of the tile.
    fn keep(&mut self, position: usize, prefix: &str) -> Result<(), LowerError> {
        let member = self.group.members[position];
        let graph = self.scope.graph;
        let kind = work(graph, member);
        if kind == Work::Cells {
            return self.keep_partials(position, prefix);
        }
        if let Some(storage) = self.scope.layout.kept(member.node) {
            let storage = storage.clone();
            self.scope.kept.insert(member.node, storage);
            return Ok(());
        }
        let mut dims: Vec<Linear> = self.value_axes(position).into_iter().map(|axis| self.axes[axis].room()).collect();
        let rank = dims.len();
        if kind == Work::Random {
            match dims.last_mut() {
                Some(last) if last.is_fixed() => last.constant = (last.constant + 63) / 64 * 64,
                Some(last) => last.constant += 64,
                None => dims.push(Linear::fixed(64)),
            }
        }
        let mut strides = row_major(&dims)?;
        strides.truncate(rank);
        let lane = super::storage::lane(graph.ty(member.node).element);
        let buffer =
            push(self.scope.program, &format!("{}.%{}", self.name_short(), member.node.0), Space::Scratch, lane, volume(&dims)?);
        self.scope.kept.insert(member.node, Storage { buffer, lane, strides, local: true, rows: None });
        Ok(())
    }

    fn keep_partials(&mut self, position: usize, prefix: &str) -> Result<(), LowerError> {
        let member = self.group.members[position];
        let dims = self.group.domains[position]
            .iter()
            .zip(CELL)
            .map(|(&axis, cell)| cells(self.axes[axis].size, cell as i64))
            .collect::<Vec<_>>();
        let name = format!("{prefix}.%{}.cells", member.node.0);
        let strides = row_major(&dims)?;
        let buffer = push(self.scope.program, &name, Space::Arena, Lane::F32, volume(&dims)?);
        let storage = Storage { buffer, lane: Lane::F32, strides, local: false, rows: None };
        self.scope.layout.set_partial(member.node, storage.clone());
        self.partials.insert(member.node, storage);
        Ok(())
    }

    fn name_short(&self) -> String {
        self.name.split(' ').next().unwrap_or_default().to_string()
    }

    /// Group axes of a member's value.
    pub fn value_axes(&self, position: usize) -> Vec<usize> {
        let lost = reduced_axes(self.scope.graph, self.group.members[position]);
        let own = &self.group.domains[position];
        own.iter().enumerate().filter(|(axis, _)| !lost.contains(axis)).map(|(_, &axis)| axis).collect()
    }

    fn nest(&mut self, nest: &NestPlan) -> Result<(), LowerError> {
        if let Some(&member) = nest.members.first() {
            self.scope.serving = self.group.members[member].node;
        }
        match nest.kind {
            Work::Map => self.map(nest),
            Work::Column => self.column(nest),
            Work::Row => self.row(nest.members[0]),
            Work::Cells => self.cells(nest.members[0]),
            Work::Total => self.total(nest.members[0]),
            Work::Random => self.random(nest.members[0]),
            Work::Product => product::lower(self, nest.members[0]),
            Work::Opaque => self.opaque(nest.members[0]),
        }
    }

    /// One loop variable for each of these group axes.
    fn loops(&mut self, axes: &[usize]) -> (Vec<Axis>, HashMap<usize, Index>) {
        let mut loops = Vec::new();
        let mut index = HashMap::new();
        for &axis in axes {
            let var = self.var();
            loops.push(Axis { var, extent: self.axes[axis].extent(), vector: false });
            index.insert(axis, self.axes[axis].index(var));
        }
        (loops, index)
    }

    fn at(index: &HashMap<usize, Index>, axes: &[usize]) -> Vec<Index> {
        axes.iter().map(|axis| index.get(axis).cloned().unwrap_or_default()).collect()
    }

    /// Finishes a nest; the innermost axis becomes a vector axis where the block allows it.
    fn emit(&mut self, title: String, mut axes: Vec<Axis>, block: Block) {
        if let Some(last) = axes.last_mut() {
            last.vector = is_vector(&block, last);
        }
        self.push(Statement::Nest(Nest { title, axes, block }));
    }

    fn map(&mut self, nest: &NestPlan) -> Result<(), LowerError> {
        let (loops, index) = self.loops(&nest.axes);
        let graph = self.scope.graph;
        let group = self.group;
        let mut writer = Writer::new(&mut self.scope);
        for &member in &nest.members {
            writer.own.insert(group.members[member].node, Self::at(&index, &group.domains[member]));
        }
        let mut stores = Vec::new();
        for &member in &nest.members {
            let node = group.members[member].node;
            let own = Self::at(&index, &group.domains[member]);
            let value = writer.value(node, &own)?;
            stores.push((node, own, value));
        }
        for (node, own, value) in stores {
            store_everywhere(&mut writer, node, &own, value);
        }
        let block = writer.block.finish();
        let names: Vec<String> = nest.members.iter().map(|&member| title(graph, group.members[member].node)).collect();
        self.emit(names.join(", "), loops, block);
        Ok(())
    }

    fn fold_of(&self, node: NodeId) -> Result<Fold, LowerError> {
        match ops::record(self.scope.graph.node(node).primitive).lowering {
            Lowering::Reduce(fold) => Ok(fold),
            _ => Err(LowerError(format!("%{} is no reduction", node.0))),
        }
    }

    /// Writes the fold's identity to a storage over group axes.
    pub(super) fn clear(&mut self, storage: &Storage, axes: &[usize], fold: Fold, name: &str) {
        let (loops, index) = self.loops(axes);
        let mut writer = Writer::new(&mut self.scope);
        let identity = writer.block.f32(fold.identity());
        writer.store(storage, &Self::at(&index, axes), identity);
        let block = writer.block.finish();
        self.emit(format!("start {name}"), loops, block);
    }

    /// Sums along an axis that is not the last: one chain for each element of the result, in ascending order.
    fn column(&mut self, nest: &NestPlan) -> Result<(), LowerError> {
        let graph = self.scope.graph;
        let group = self.group;
        let mut names = Vec::new();
        for &member in &nest.members {
            let node = group.members[member].node;
            let name = title(graph, node);
            let storage = self.primary(node)?;
            let fold = self.fold_of(node)?;
            let axes = self.value_axes(member);
            self.scope.serving = node;
            self.clear(&storage, &axes, fold, &name);
            names.push(name);
        }
        let (loops, index) = self.loops(&nest.axes);
        let mut stores = Vec::new();
        let mut folds = Vec::new();
        for &member in &nest.members {
            let node = group.members[member].node;
            folds.push((member, self.fold_of(node)?, self.primary(node)?, self.value_axes(member)));
        }
        let mut writer = Writer::new(&mut self.scope);
        for (member, fold, storage, axes) in folds {
            let node = group.members[member].node;
            writer.block.set_origin(node.0);
            let value = writer.value(graph.node(node).operands[0], &Self::at(&index, &group.domains[member]))?;
            let own = Self::at(&index, &axes);
            let so_far = writer.load(&storage, &own);
            writer.block.set_origin(node.0);
            let next = fold.lower(&mut writer.block, so_far, value);
            stores.push((node, storage, own, next));
        }
        for (node, storage, own, next) in stores {
            writer.block.set_origin(node.0);
            writer.store(&storage, &own, next);
        }
        let block = writer.block.finish();
        self.emit(names.join(", "), loops, block);
        for &member in &nest.members {
            self.spread(member)?;
        }
        Ok(())
    }

    /// The place that later nests read a kept member from.
    pub(super) fn primary(&self, node: NodeId) -> Result<Storage, LowerError> {
        self.scope.kept.get(&node).cloned().ok_or_else(|| LowerError(format!("%{} is not kept", node.0)))
    }

    /// Copies a finished member to its further places.
    pub(super) fn spread(&mut self, position: usize) -> Result<(), LowerError> {
        let node = self.group.members[position].node;
        self.scope.serving = node;
        if self.scope.layout.also(node).is_empty() {
            return Ok(());
        }
        let axes = self.value_axes(position);
        let (loops, index) = self.loops(&axes);
        let storage = self.primary(node)?;
        let own = Self::at(&index, &axes);
        let further = self.scope.layout.also(node).to_vec();
        let mut writer = Writer::new(&mut self.scope);
        let value = writer.load(&storage, &own);
        for place in further {
            writer.store(&place, &own, value);
        }
        let block = writer.block.finish();
        let name = format!("copy {}", title(self.scope.graph, node));
        self.emit(name, loops, block);
        Ok(())
    }

    /// Sums along the last axis: short rows one after the other, long ones in 32 lanes that are folded by halving.
    fn row(&mut self, position: usize) -> Result<(), LowerError> {
        let graph = self.scope.graph;
        let node = self.group.members[position].node;
        let operand = graph.node(node).operands[0];
        let domain = self.group.domains[position].clone();
        let fold = self.fold_of(node)?;
        let storage = self.primary(node)?;
        let axes = self.value_axes(position);
        let name = title(graph, node);
        let along = domain[domain.len() - 1];
        let size = self.axes[along].size;
        if size.is_fixed() && size.constant <= SHORT_ROW {
            self.clear(&storage, &axes, fold, &name);
            let (loops, index) = self.loops(&domain);
            let mut writer = Writer::new(&mut self.scope);
            let value = writer.value(operand, &Self::at(&index, &domain))?;
            let own = Self::at(&index, &axes);
            let so_far = writer.load(&storage, &own);
            writer.block.set_origin(node.0);
            let next = fold.lower(&mut writer.block, so_far, value);
            writer.store(&storage, &own, next);
            let block = writer.block.finish();
            self.emit(name, loops, block);
            return self.spread(position);
        }
        let lanes = self.lanes(&axes, &name)?;
        self.clear_lanes(&lanes, &axes, fold, &name);
        // Blocks of 32 columns; the last one may be shorter.
        let block_var = self.var();
        let (mut loops, mut index) = self.loops(&axes);
        let lane_var = self.var();
        loops.push(Axis { var: lane_var, extent: Extent::Tile { tile: block_var, step: LANES, total: size }, vector: false });
        index.insert(along, Index::var(lane_var).with(block_var, LANES));
        let mut writer = Writer::new(&mut self.scope);
        let value = writer.value(operand, &Self::at(&index, &domain))?;
        let mut own = Self::at(&index, &axes);
        own.push(Index::var(lane_var));
        let so_far = writer.load(&lanes, &own);
        writer.block.set_origin(node.0);
        let next = fold.lower(&mut writer.block, so_far, value);
        writer.store(&lanes, &own, next);
        let block = writer.block.finish();
        if let Some(last) = loops.last_mut() {
            last.vector = is_vector(&block, last);
        }
        let body = vec![Statement::Nest(Nest { title: name.clone(), axes: loops, block })];
        self.push(Statement::Tiles { var: block_var, step: LANES, total: size, body });
        self.halve(&lanes, &axes, fold, &name);
        let (loops, index) = self.loops(&axes);
        let mut writer = Writer::new(&mut self.scope);
        let own = Self::at(&index, &axes);
        let mut first = own.clone();
        first.push(Index::zero());
        let value = writer.load(&lanes, &first);
        store_everywhere(&mut writer, node, &own, value);
        let block = writer.block.finish();
        self.emit(format!("end {name}"), loops, block);
        Ok(())
    }

    /// Scratch of 32 lanes for each element over these axes.
    fn lanes(&mut self, axes: &[usize], name: &str) -> Result<Storage, LowerError> {
        let mut dims: Vec<Linear> = axes.iter().map(|&axis| self.axes[axis].room()).collect();
        dims.push(Linear::fixed(LANES));
        let strides = row_major(&dims)?;
        // One word: the kernel and the node, which the title starts with.
        let (short, node) = (self.name_short(), name.split(' ').next().unwrap_or_default());
        let buffer = push(self.scope.program, &format!("{short}.{node}.lanes"), Space::Scratch, Lane::F32, volume(&dims)?);
        Ok(Storage { buffer, lane: Lane::F32, strides, local: true, rows: None })
    }

    fn clear_lanes(&mut self, lanes: &Storage, axes: &[usize], fold: Fold, name: &str) {
        let (mut loops, index) = self.loops(axes);
        let lane_var = self.var();
        loops.push(Axis { var: lane_var, extent: Extent::fixed(LANES), vector: false });
        let mut own = Self::at(&index, axes);
        own.push(Index::var(lane_var));
        let mut writer = Writer::new(&mut self.scope);
        let identity = writer.block.f32(fold.identity());
        writer.store(lanes, &own, identity);
        let block = writer.block.finish();
        self.emit(format!("start {name}"), loops, block);
    }

    /// Folds 32 lanes into the first one: 16 on 16, 8 on 8, and so on.
    fn halve(&mut self, lanes: &Storage, axes: &[usize], fold: Fold, name: &str) {
        let mut half = LANES / 2;
        while half > 0 {
            let (mut loops, index) = self.loops(axes);
            let lane_var = self.var();
            loops.push(Axis { var: lane_var, extent: Extent::fixed(half), vector: false });
            let mut low = Self::at(&index, axes);
            let mut high = low.clone();
            low.push(Index::var(lane_var));
            high.push(Index::var(lane_var).shifted(half));
            let mut writer = Writer::new(&mut self.scope);
            let a = writer.load(lanes, &low);
            let b = writer.load(lanes, &high);
            let folded = fold.lower(&mut writer.block, a, b);
            writer.store(lanes, &low, folded);
            let block = writer.block.finish();
            self.emit(format!("fold {name}"), loops, block);
            half /= 2;
        }
    }

    /// Partial sums of cells of 48×32. Where the tile is no cell, in a kernel that runs as one, the cells are looped over here.
    fn cells(&mut self, position: usize) -> Result<(), LowerError> {
        let domain = self.group.domains[position].clone();
        let uncut: Vec<(usize, i64)> = domain
            .iter()
            .zip(CELL)
            .filter(|(axis, _)| self.axes[**axis].tile.is_none())
            .map(|(&axis, cell)| (axis, cell as i64))
            .collect();
        let around = std::mem::take(&mut self.body);
        for &(axis, cell) in &uncut {
            // No tile of the kernel: what the kernel keeps is kept whole.
            let var = self.var();
            self.axes[axis].tile = Some((var, cell));
        }
        let made = self.cell(position, &domain);
        let mut body = std::mem::replace(&mut self.body, around);
        for &(axis, _) in uncut.iter().rev() {
            if let Some((var, step)) = self.axes[axis].tile.take() {
                body = vec![Statement::Tiles { var, step, total: self.axes[axis].size, body }];
            }
        }
        self.body.extend(body);
        made
    }

    /// One cell: lane = column, rows in order, lanes folded by halving.
    fn cell(&mut self, position: usize, domain: &[usize]) -> Result<(), LowerError> {
        let graph = self.scope.graph;
        let node = self.group.members[position].node;
        let fold = self.fold_of(node)?;
        let name = title(graph, node);
        let partial = self.partials.get(&node).cloned().ok_or_else(|| LowerError(format!("%{} has no cells", node.0)))?;
        let lanes = self.lanes(&[], &name)?;
        self.clear_lanes(&lanes, &[], fold, &name);
        let (loops, index) = self.loops(domain);
        let lane_var = loops[1].var;
        let mut writer = Writer::new(&mut self.scope);
        let value = writer.value(graph.node(node).operands[0], &Self::at(&index, domain))?;
        let so_far = writer.load(&lanes, &[Index::var(lane_var)]);
        writer.block.set_origin(node.0);
        let next = fold.lower(&mut writer.block, so_far, value);
        writer.store(&lanes, &[Index::var(lane_var)], next);
        let block = writer.block.finish();
        self.emit(name.clone(), loops, block);
        self.halve(&lanes, &[], fold, &name);
        let tile = |axis: usize| self.axes[axis].tile.map_or_else(Index::zero, |(var, _)| Index::var(var));
        let cell = [tile(domain[0]), tile(domain[1])];
        let mut writer = Writer::new(&mut self.scope);
        let value = writer.load(&lanes, &[Index::zero()]);
        writer.store(&partial, &cell, value);
        let block = writer.block.finish();
        self.emit(format!("cell {name}"), Vec::new(), block);
        Ok(())
    }

    /// Adds up the cells in order.
    fn total(&mut self, position: usize) -> Result<(), LowerError> {
        let graph = self.scope.graph;
        let node = self.group.members[position].node;
        let fold = self.fold_of(node)?;
        let name = title(graph, node);
        let storage = self.primary(node)?;
        let partial = self.scope.layout.partial(node).ok_or_else(|| LowerError(format!("%{} has no cells", node.0)))?.clone();
        self.clear(&storage, &[], fold, &name);
        let shape = graph.shape(graph.node(node).operands[0]).0.clone();
        let rows = self.var();
        let columns = self.var();
        let (row, column) = (self.var(), self.var());
        let mut writer = Writer::new(&mut self.scope);
        let value = writer.load(&partial, &[Index::var(rows), Index::var(columns)]);
        let so_far = writer.load(&storage, &[]);
        writer.block.set_origin(node.0);
        let next = fold.lower(&mut writer.block, so_far, value);
        writer.store(&storage, &[], next);
        let block = writer.block.finish();
        // A nest of one turn for each cell: tiles count cells whatever the batch.
        let axes = vec![
            Axis { var: row, extent: Extent::fixed(1), vector: false },
            Axis { var: column, extent: Extent::fixed(1), vector: false },
        ];
        let nest = Statement::Nest(Nest { title: name, axes, block });
        let inner = Statement::Tiles { var: columns, step: CELL[1] as i64, total: linear(shape[1]), body: vec![nest] };
        self.push(Statement::Tiles { var: rows, step: CELL[0] as i64, total: linear(shape[0]), body: vec![inner] });
        self.spread(position)
    }

    /// Draws 64 columns at a time: word `w` of block `b` serves column `16 w + b`.
    fn random(&mut self, position: usize) -> Result<(), LowerError> {
        let graph = self.scope.graph;
        let node = self.group.members[position].node;
        let Attributes::Stream(stream) = graph.node(node).attributes else {
            return Err(LowerError("random numbers without a stream".into()));
        };
        let storage = self.primary(node)?;
        let domain = self.group.domains[position].clone();
        let (lead, last) = domain.split_at(domain.len().saturating_sub(1));
        let groups = self.var();
        let (mut loops, index) = self.loops(lead);
        let lane_var = self.var();
        loops.push(Axis { var: lane_var, extent: Extent::fixed(16), vector: false });
        // Row number of the element among all rows of the tensor.
        let sizes: Vec<Linear> = lead.iter().map(|&axis| self.axes[axis].size).collect();
        let steps = row_major(&sizes)?;
        let mut row_terms = Vec::new();
        for (position, axis) in lead.iter().enumerate() {
            row_terms.extend(index[axis].terms.iter().map(|(var, factor)| (*var, steps[position].times(*factor))));
        }
        let tile = last.first().and_then(|&axis| self.axes[axis].tile);
        let mut block_terms = vec![(groups, Linear::fixed(16)), (lane_var, Linear::fixed(1))];
        if let Some((var, step)) = tile {
            block_terms.push((var, Linear::fixed(step / 4)));
        }
        let (low, high, step) = {
            let (layout, program) = (&mut *self.scope.layout, &mut *self.scope.program);
            (
                layout.slot(program, "seed.low", Lane::I32),
                layout.slot(program, "seed.high", Lane::I32),
                layout.slot(program, "step.word", Lane::I32),
            )
        };
        let control = self.scope.layout.control(self.scope.program);
        let mut writer = Writer::new(&mut self.scope);
        writer.block.set_origin(node.0);
        let b = &mut writer.block;
        let zero = b.i32(0);
        let key = [
            b.load_scalar(control, i64::from(low.0), Lane::I32),
            b.load_scalar(control, i64::from(high.0), Lane::I32),
            b.i32(stream as i32),
            zero,
        ];
        let counter = [
            b.load_scalar(control, i64::from(step.0), Lane::I32),
            b.index(row_terms, Linear::ZERO),
            b.index(block_terms, Linear::ZERO),
            zero,
        ];
        let words = random::threefry(b, key, counter);
        let mut own = Self::at(&index, lead);
        for (word, value) in words.into_iter().enumerate() {
            let uniform = random::uniform_open(&mut writer.block, value);
            let column = Index { terms: vec![(groups, 64), (lane_var, 1)], offset: 16 * word as i64 };
            let column = match tile {
                Some((var, step)) => column.with(var, step),
                None => column,
            };
            if domain.is_empty() {
                let place = View {
                    buffer: storage.buffer,
                    offset: Linear::fixed(16 * word as i64),
                    strides: vec![(groups, Linear::fixed(64)), (lane_var, Linear::fixed(1))],
                    table: None,
                    pick: None,
                };
                writer.block.store(place, uniform);
            } else {
                own.push(column);
                writer.store(&storage, &own, uniform);
                own.pop();
            }
        }
        let block = writer.block.finish();
        if let Some(last) = loops.last_mut() {
            last.vector = is_vector(&block, last);
        }
        let name = title(graph, node);
        let body = vec![Statement::Nest(Nest { title: name, axes: loops, block })];
        let total = last.first().map_or(Linear::fixed(1), |&axis| self.axes[axis].room());
        self.push(Statement::Tiles { var: groups, step: 64, total, body });
        Ok(())
    }

    /// Copies a product's result to its further places.
    pub fn finish_product(&mut self, position: usize) -> Result<(), LowerError> {
        self.spread(position)
    }

    /// Pads and joins tensors, takes rows by index and adds rows up by index.
    fn opaque(&mut self, position: usize) -> Result<(), LowerError> {
        super::opaque::lower(self, position)
    }

    /// Loops over a whole shape, for kernels without tiles.
    pub fn whole_loops(&mut self, dims: &[Linear]) -> (Vec<Axis>, Vec<Index>) {
        let vars: Vec<Var> = dims.iter().map(|_| self.var()).collect();
        let loops = vars.iter().zip(dims).map(|(&var, &size)| Axis { var, extent: Extent::Whole(size), vector: false }).collect();
        (loops, vars.into_iter().map(Index::var).collect())
    }

    /// Appends a nest, see [`Self::emit`].
    pub fn push_nest(&mut self, title: String, axes: Vec<Axis>, block: Block) {
        self.emit(title, axes, block);
    }
}

/// Stores a value to every place that a node is kept in.
pub fn store_everywhere(writer: &mut Writer, node: NodeId, index: &[Index], value: Value) {
    writer.block.set_origin(node.0);
    let places: Vec<Storage> = writer.scope.kept.get(&node).into_iter().chain(writer.scope.layout.also(node)).cloned().collect();
    for place in places {
        writer.store(&place, index, value);
    }
}

/// Whether a block may run on several lanes of this axis at once.
pub fn is_vector(block: &Block, axis: &Axis) -> bool {
    let stride =
        |place: &View| place.strides.iter().find(|(known, _)| *known == axis.var).map_or(Linear::ZERO, |(_, stride)| *stride);
    let in_table =
        |place: &View| place.table.as_ref().is_some_and(|table| table.index.iter().any(|(known, _)| *known == axis.var));
    let stores = block.code.iter().filter_map(|instruction| match instruction {
        Instruction::Store(place, _) => Some(place),
        _ => None,
    });
    let stores: Vec<&View> = stores.collect();
    let varies = varying(block, axis.var, &stores);
    let picks_one = |place: &View| place.pick.is_none_or(|pick| !varies[pick.value.0 as usize]);
    // A load may touch what another lane stores, unless it is the very word or out of the loop's reach.
    let meets = |load: &View| {
        stores.iter().any(|store| store.buffer == load.buffer && **store != *load && !out_of_reach(store, load, axis))
    };
    block.code.iter().all(|instruction| match instruction {
        Instruction::Load(place, lane) => {
            let step = stride(place);
            *lane != Lane::F64
                && !in_table(place)
                && picks_one(place)
                && (step == Linear::ZERO || step == Linear::fixed(1))
                && !meets(place)
        }
        Instruction::Store(place, _) => stride(place) == Linear::fixed(1) && !in_table(place) && picks_one(place),
        Instruction::ConstF64(_) | Instruction::Promote(_) | Instruction::Demote(_) | Instruction::Call(..) => false,
        _ => true,
    })
}

/// Which values of a block may differ from one turn of a loop to the next.
fn varying(block: &Block, var: Var, stores: &[&View]) -> Vec<bool> {
    let mut varies: Vec<bool> = Vec::with_capacity(block.code.len());
    for instruction in &block.code {
        let own = match instruction {
            Instruction::Index { terms, .. } => terms.iter().any(|(known, _)| *known == var),
            Instruction::Load(view, _) => {
                view.strides.iter().any(|(known, _)| *known == var)
                    || view.table.as_ref().is_some_and(|table| table.index.iter().any(|(known, _)| *known == var))
                    || stores.iter().any(|store| store.buffer == view.buffer)
            }
            _ => false,
        };
        varies.push(own || instruction.operands().iter().any(|operand| varies[operand.0 as usize]));
    }
    varies
}

/// Whether two views are further apart than the whole loop is long, as when lanes are folded by halving.
fn out_of_reach(a: &View, b: &View, axis: &Axis) -> bool {
    let apart = (a.offset.constant - b.offset.constant).abs();
    let length = match axis.extent {
        Extent::Whole(size) if size.is_fixed() => size.constant,
        _ => i64::MAX,
    };
    a.strides == b.strides && a.table == b.table && a.pick == b.pick && a.offset.batch == b.offset.batch && apart >= length
}
