//! Reductions: in which order their terms are folded, see the architecture page.

use super::block::Writer;
use super::index::Index;
use super::kernel::{KernelLowering, store_everywhere};
use super::nests::NestPlan;
use super::storage::{Rows, Storage, title};
use super::vector::is_vector;
use super::{LowerError, linear};
use crate::fusion::{CELL, Work, work};
use crate::graph::NodeId;
use crate::loops::{Axis, Block, Extent, Lane, Linear, Nest, Space, Statement, Value};
use crate::ops::{self, Fold, Lowering};
use std::collections::HashMap;

/// Lanes that a long sum along the last axis is folded from.
const LANES: i64 = 32;
/// Rows of at most this many elements are folded one after the other.
const SHORT_ROW: i64 = 32;
/// Most terms of a sum along another axis that one block takes in, so that they need not be stored and loaded again after each.
const MOST_TERMS: i64 = 32;
/// Most instructions of such a block.
const MOST_INSTRUCTIONS: i64 = 320;

impl KernelLowering<'_> {
    fn fold_of(&self, node: NodeId) -> Result<Fold, LowerError> {
        match ops::record(self.scope.graph.node(node).primitive).lowering {
            Lowering::Reduce(fold) => Ok(fold),
            _ => Err(LowerError(format!("%{} is no reduction", node.0))),
        }
    }

    /// Whether a member of a nest of sums is one; others are elements computed along with them.
    fn folds(&self, position: usize) -> bool {
        work(self.scope.graph, self.group.members[position]) != Work::Map
    }

    /// Sums along an axis that is not the last, or is a short one: one chain for each element of the result, in ascending order. Members of
    /// the nest that fold nothing are computed along with the terms.
    pub(super) fn column(&mut self, nest: &NestPlan) -> Result<(), LowerError> {
        let (mut loops, index) = self.loops(&nest.axes);
        let along = nest.axes.iter().position(|axis| nest.folded == Some(*axis));
        let long = match along.map(|along| loops[along].extent) {
            Some(Extent::Whole(Linear { constant, batch: 0 })) => constant,
            _ => 1,
        };
        let mut block = self.terms(nest, &index, 1, false)?;
        let at_once = if long > 1 {
            // What terms have in common is computed once: only what a second one adds counts.
            let first = block.code.len() as i64;
            let further = (self.terms(nest, &index, 2, false)?.code.len() as i64 - first).max(1);
            divisor(long, (1 + (MOST_INSTRUCTIONS - first).max(0) / further).min(MOST_TERMS))
        } else {
            1
        };
        let whole = at_once == long && long > 1;
        if at_once > 1 {
            block = self.terms(nest, &index, at_once, whole)?;
        }
        let mut names = Vec::new();
        for &member in &nest.members {
            let node = self.group.members[member].node;
            let name = title(self.scope.graph, node);
            if self.folds(member) && !whole {
                let (storage, fold, axes) = (self.primary(node)?, self.fold_of(node)?, self.value_axes(member));
                self.scope.serving = node;
                self.clear(&storage, &axes, fold, &name);
            }
            names.push(name);
        }
        if let Some(along) = along {
            match whole {
                true => drop(loops.remove(along)),
                false if at_once > 1 => loops[along].extent = Extent::fixed(long / at_once),
                false => {}
            }
        }
        self.emit(names.join(", "), loops, block);
        for &member in &nest.members {
            if self.folds(member) {
                self.spread(member)?;
            }
        }
        Ok(())
    }

    /// The block that takes so many terms of each sum in: all there are, or some more beside those so far.
    fn terms(&mut self, nest: &NestPlan, index: &HashMap<usize, Index>, at_once: i64, whole: bool) -> Result<Block, LowerError> {
        let (graph, group) = (self.scope.graph, self.group);
        let (mut maps, mut folds) = (Vec::new(), Vec::new());
        for &member in &nest.members {
            let node = group.members[member].node;
            if self.folds(member) {
                folds.push((member, node, self.fold_of(node)?, self.primary(node)?, Self::at(index, &self.value_axes(member))));
            } else {
                maps.push((member, node));
            }
        }
        let mut writer = Writer::new(&mut self.scope);
        let mut sums: Vec<Option<Value>> = vec![None; folds.len()];
        let mut elements = Vec::new();
        for term in 0..at_once {
            let mut index = index.clone();
            if let Some(axis) = nest.folded.filter(|_| at_once > 1) {
                let first = if whole { Index::zero() } else { index[&axis].times(at_once) };
                index.insert(axis, first.shifted(term));
            }
            for &(member, node) in &maps {
                writer.own.insert(node, Self::at(&index, &group.domains[member]));
            }
            for &(member, node) in &maps {
                let own = Self::at(&index, &group.domains[member]);
                elements.push((node, writer.value(node, &own)?, own));
            }
            for ((member, node, fold, storage, own), sum) in folds.iter().zip(&mut sums) {
                writer.block.set_origin(node.0);
                let value = writer.value(graph.node(*node).operands[0], &Self::at(&index, &group.domains[*member]))?;
                let so_far = match *sum {
                    Some(sum) => sum,
                    None if whole => writer.block.f32(fold.identity()),
                    None => writer.load(storage, own),
                };
                writer.block.set_origin(node.0);
                *sum = Some(fold.lower(&mut writer.block, so_far, value));
            }
        }
        for (node, value, own) in elements {
            store_everywhere(&mut writer, node, &own, value);
        }
        for ((_, node, _, storage, own), sum) in folds.iter().zip(sums) {
            if let Some(sum) = sum {
                writer.block.set_origin(node.0);
                writer.store(storage, own, sum);
            }
        }
        Ok(writer.block.finish())
    }

    /// Sums along the last axis: short rows one after the other, long ones in 32 lanes that are folded by halving.
    pub(super) fn row(&mut self, position: usize) -> Result<(), LowerError> {
        let graph = self.scope.graph;
        let node = self.group.members[position].node;
        let operand = graph.node(node).operands[0];
        let domain = self.group.domains[position].clone();
        let fold = self.fold_of(node)?;
        let axes = self.value_axes(position);
        let name = title(graph, node);
        let along = domain[domain.len() - 1];
        let size = self.axes[along].size;
        if size.is_fixed() && size.constant <= SHORT_ROW {
            let nest = NestPlan { kind: Work::Row, axes: domain, folded: Some(along), members: vec![position] };
            return self.column(&nest);
        }
        let lanes = self.lanes(LANES, &axes, &name)?;
        self.clear_lanes(LANES, &lanes, &axes, fold, &name);
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
        self.halve(LANES, &lanes, &axes, fold, &name);
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

    /// Scratch of so many lanes for each element over these axes.
    fn lanes(&mut self, count: i64, axes: &[usize], name: &str) -> Result<Storage, LowerError> {
        let mut dims: Vec<Linear> = axes.iter().map(|&axis| self.axes[axis].room()).collect();
        dims.push(Linear::fixed(count));
        // One word: the kernel and the node, which the title starts with.
        let (short, node) = (self.name_short(), name.split(' ').next().unwrap_or_default());
        let name = format!("{short}.{node}.lanes");
        Storage::new(self.scope.program, &name, (Space::Scratch, Lane::F32), dims, Rows::Adjacent)
    }

    fn clear_lanes(&mut self, count: i64, lanes: &Storage, axes: &[usize], fold: Fold, name: &str) {
        let (mut loops, index) = self.loops(axes);
        let lane_var = self.var();
        loops.push(Axis { var: lane_var, extent: Extent::fixed(count), vector: false });
        let mut own = Self::at(&index, axes);
        own.push(Index::var(lane_var));
        let mut writer = Writer::new(&mut self.scope);
        let identity = writer.block.f32(fold.identity());
        writer.store(lanes, &own, identity);
        let block = writer.block.finish();
        self.emit(format!("start {name}"), loops, block);
    }

    /// Folds lanes into the first one: of 32 the last 16 on the first 16, then 8 on 8, and so on.
    fn halve(&mut self, count: i64, lanes: &Storage, axes: &[usize], fold: Fold, name: &str) {
        let mut half = count / 2;
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
    pub(super) fn cells(&mut self, position: usize) -> Result<(), LowerError> {
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
        // Lanes without a column hold +0, and what is added to +0 or more than that is never -0: adding them changes nothing.
        let columns = self.axes[domain[1]].size;
        let narrow = fold == Fold::Sum && columns.is_fixed() && (1..LANES).contains(&columns.constant);
        let count = if narrow { columns.constant.unsigned_abs().next_power_of_two() as i64 } else { LANES };
        let lanes = self.lanes(count, &[], &name)?;
        self.clear_lanes(count, &lanes, &[], fold, &name);
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
        self.halve(count, &lanes, &[], fold, &name);
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
    pub(super) fn total(&mut self, position: usize) -> Result<(), LowerError> {
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
}

/// The largest divisor of a number that is not above `most`.
fn divisor(number: i64, most: i64) -> i64 {
    (1..=most.min(number)).rev().find(|divisor| number % divisor == 0).unwrap_or(1)
}
