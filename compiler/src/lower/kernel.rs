//! One group becomes one kernel: tile loops, then nests in their order.

use super::block::{Scope, Writer};
use super::index::Index;
use super::nests::{NestPlan, Plan, plan};
use super::schedule::{Schedule, schedule};
use super::staged::Staged;
use super::storage::{Layout, Rows, StagedCopy, Storage, cells, lane, title};
use super::vector::is_vector;
use super::{LowerError, linear, opaque, product, scan};
use crate::fusion::{CELL, Fusion, Group, Work, work};
use crate::graph::{Dim, Graph, NodeId};
use crate::loops::block::BlockBuilder;
use crate::loops::{Axis, Block, Extent, Kernel, Lane, Linear, Nest, Parallel, Program, Space, Statement, Value, Var, View};
use crate::ops::Fold;
use std::collections::HashMap;

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
        self.extent().room()
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
    pub(super) body: Vec<Statement>,
    /// Storage of partial sums, by reduction.
    pub(super) partials: HashMap<NodeId, Storage>,
    /// Words of the tile's rows that have been copied.
    pub(super) staged: Vec<Staged>,
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
    let scope = Scope { graph, layout, program, kept: HashMap::default(), tiles: Vec::new(), serving: group.members[0].node };
    let axes = group.axes.iter().map(|dim| GroupAxis { size: linear(*dim), tile: None }).collect();
    KernelLowering::new(scope, group, axes, name).run(&plan, schedule, prefix)
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

impl<'a> KernelLowering<'a> {
    fn new(scope: Scope<'a>, group: &'a Group, axes: Vec<GroupAxis>, name: String) -> Self {
        KernelLowering { scope, group, axes, vars: 0, name, body: Vec::new(), partials: HashMap::new(), staged: Vec::new() }
    }
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
        self.fill(plan, prefix)?;
        let body = match inner {
            Some((var, step, total)) => vec![Statement::Tiles { var, step, total, body: self.body }],
            None => self.body,
        };
        Ok(Kernel { name: self.name, parallel, body, vars: self.vars })
    }

    /// Gives kept members their places and writes the nests.
    fn fill(&mut self, plan: &Plan, prefix: &str) -> Result<(), LowerError> {
        for (position, kept) in plan.kept.iter().enumerate() {
            if *kept {
                self.keep(position, prefix)?;
            }
        }
        for nest in &plan.nests {
            self.nest(nest)?;
        }
        Ok(())
    }

    /// Statements of a group of another graph that is computed inside of this kernel: its rows are those of the tile. `layout` knows
    /// where its sources and what other groups read are kept.
    pub(super) fn inside(
        &mut self,
        (graph, group, plan): (&Graph, &Group, &Plan),
        layout: &mut Layout,
        rows: GroupAxis,
        name: String,
    ) -> Result<Vec<Statement>, LowerError> {
        let scope = Scope {
            graph,
            layout,
            program: &mut *self.scope.program,
            kept: HashMap::default(),
            tiles: self.scope.tiles.clone(),
            serving: group.members[0].node,
        };
        let axis = |dim: &Dim| if *dim == Dim::Batch { rows } else { GroupAxis { size: linear(*dim), tile: None } };
        let axes = group.axes.iter().map(axis).collect();
        let mut inner = KernelLowering { vars: self.vars, ..KernelLowering::new(scope, group, axes, name) };
        inner.fill(plan, "")?;
        self.vars = inner.vars;
        Ok(inner.body)
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
        let room = self.value_axes(position).into_iter().map(|axis| self.axes[axis].room()).collect();
        let rows = if kind == Work::Random { Rows::DRAWN } else { Rows::Adjacent };
        let name = format!("{}.%{}", self.name_short(), member.node.0);
        let lane = lane(graph.ty(member.node).element);
        let storage = Storage::new(self.scope.program, &name, (Space::Scratch, lane), room, rows)?;
        self.scope.kept.insert(member.node, storage);
        Ok(())
    }

    fn keep_partials(&mut self, position: usize, prefix: &str) -> Result<(), LowerError> {
        let member = self.group.members[position];
        let dims =
            self.group.domains[position].iter().zip(CELL).map(|(&axis, cell)| cells(self.axes[axis].size, cell as i64)).collect();
        let name = format!("{prefix}.%{}.cells", member.node.0);
        let storage = Storage::new(self.scope.program, &name, (Space::Arena, Lane::F32), dims, Rows::Adjacent)?;
        self.scope.layout.set_partial(member.node, storage.clone());
        self.partials.insert(member.node, storage);
        Ok(())
    }

    pub(super) fn name_short(&self) -> String {
        self.name.split(' ').next().unwrap_or_default().to_string()
    }

    /// Group axes of a member's value.
    pub fn value_axes(&self, position: usize) -> Vec<usize> {
        self.group.value_axes(self.scope.graph, position)
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
            Work::Opaque => opaque::lower(self, nest.members[0]),
            Work::Scan => scan::lower(self, nest.members[0]),
        }
    }

    /// One loop variable for each of these group axes.
    pub(super) fn loops(&mut self, axes: &[usize]) -> (Vec<Axis>, HashMap<usize, Index>) {
        let mut loops = Vec::new();
        let mut index = HashMap::new();
        for &axis in axes {
            let var = self.var();
            loops.push(Axis { var, extent: self.axes[axis].extent(), vector: false });
            index.insert(axis, self.axes[axis].index(var));
        }
        (loops, index)
    }

    pub(super) fn at(index: &HashMap<usize, Index>, axes: &[usize]) -> Vec<Index> {
        axes.iter().map(|axis| index.get(axis).cloned().unwrap_or_default()).collect()
    }

    /// Finishes a nest; the innermost axis becomes a vector axis where the block allows it.
    pub(super) fn emit(&mut self, title: String, mut axes: Vec<Axis>, mut block: Block) {
        if let Some(last) = axes.last_mut() {
            last.vector = is_vector(&block, last);
            if !last.vector
                && let Some(on_copies) = self.on_copies(&block, last)
            {
                (last.vector, block) = (true, on_copies);
            }
        }
        self.push(Statement::Nest(Nest { title, axes, block }));
    }

    fn map(&mut self, nest: &NestPlan) -> Result<(), LowerError> {
        let (mut loops, mut index) = self.loops(&nest.axes);
        let graph = self.scope.graph;
        let group = self.group;
        // A loop of few turns costs more than they do: they stand side by side in the block.
        let turns = match (loops.as_slice(), nest.axes.last()) {
            ([_, .., last], Some(&axis)) => few(last.extent).map(|turns| (axis, turns)),
            _ => None,
        };
        if turns.is_some() {
            loops.pop();
        }
        let mut writer = Writer::new(&mut self.scope);
        let mut stores = Vec::new();
        for turn in 0..turns.map_or(1, |(_, turns)| turns) {
            if let Some((axis, _)) = turns {
                index.insert(axis, Index::zero().shifted(turn));
            }
            for &member in &nest.members {
                writer.own.insert(group.members[member].node, Self::at(&index, &group.domains[member]));
            }
            for &member in &nest.members {
                let node = group.members[member].node;
                let own = Self::at(&index, &group.domains[member]);
                let value = writer.value(node, &own)?;
                stores.push((node, own, value));
            }
        }
        for (node, own, value) in stores {
            store_everywhere(&mut writer, node, &own, value);
        }
        let block = writer.block.finish();
        let names: Vec<String> = nest.members.iter().map(|&member| title(graph, group.members[member].node)).collect();
        self.emit(names.join(", "), loops, block);
        Ok(())
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

    /// Loops over a whole shape, for kernels without tiles.
    pub fn whole_loops(&mut self, dims: &[Linear]) -> (Vec<Axis>, Vec<Index>) {
        let vars: Vec<Var> = dims.iter().map(|_| self.var()).collect();
        let loops = vars.iter().zip(dims).map(|(&var, &size)| Axis { var, extent: Extent::Whole(size), vector: false }).collect();
        (loops, vars.into_iter().map(Index::var).collect())
    }
}

/// The turns of a loop that is too short to be one.
fn few(extent: Extent) -> Option<i64> {
    match extent {
        Extent::Whole(Linear { constant: turns @ 1..=3, batch: 0 }) => Some(turns),
        _ => None,
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
