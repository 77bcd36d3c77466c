//! Which value may take the place of another: one that a kernel reads for the last time, element by element, just where it writes the new.
//!
//! It must be so in one nest, whose iterations all lie at different elements. The new value's store is the last of the block: an emitter
//! writes what stores need in the order of the stores, so that every load of the element comes before.

use super::Touched;
use crate::loops::{Axis, BufferId, Extent, Kernel, Linear, Nest, Statement, Var, View};
use std::collections::BTreeSet;

/// A loop around a statement: its variable counts tiles of `step` of `total`.
#[derive(Clone, Copy)]
struct Tiles {
    var: Var,
    step: i64,
    total: Linear,
}

/// Buffers that a kernel reads just where it writes `result`, and touches nowhere else.
pub(super) fn read_where_written(kernel: &Kernel, result: BufferId) -> BTreeSet<BufferId> {
    let mut statements = Vec::new();
    let mut around: Vec<Tiles> =
        kernel.parallel.iter().map(|tiles| Tiles { var: tiles.var, step: tiles.step, total: tiles.total }).collect();
    flatten(&kernel.body, &mut around, &mut statements);
    let touched: Vec<Touched> = statements.iter().map(|(statement, _)| super::touched_by(statement)).collect();
    let mut writers = (0..statements.len()).filter(|at| touched[*at].writes.contains(&result));
    let (Some(writer), None) = (writers.next(), writers.next()) else { return BTreeSet::new() };
    let (Statement::Nest(nest), around) = &statements[writer] else { return BTreeSet::new() };
    let mut found = nest_operands(nest, around, result);
    for (at, other) in touched.iter().enumerate() {
        found.retain(|buffer| !other.writes.contains(buffer) && (at == writer || !other.reads.contains(buffer)));
    }
    found
}

/// The statements of a body that hold no others, each with the loops around it.
fn flatten<'k>(body: &'k [Statement], around: &mut Vec<Tiles>, out: &mut Vec<(&'k Statement, Vec<Tiles>)>) {
    for statement in body {
        match statement {
            Statement::Tiles { var, step, total, body } => {
                around.push(Tiles { var: *var, step: *step, total: *total });
                flatten(body, around, out);
                around.pop();
            }
            Statement::Nest(_) | Statement::Product(_) => out.push((statement, around.clone())),
        }
    }
}

/// Buffers that a nest reads only where its last store writes `result`.
fn nest_operands(nest: &Nest, around: &[Tiles], result: BufferId) -> BTreeSet<BufferId> {
    let stores: Vec<&View> = nest.block.stores().collect();
    let Some((place, before)) = stores.split_last() else { return BTreeSet::new() };
    let is_alone = place.buffer == result && before.iter().all(|view| view.buffer != result);
    if !is_alone || !is_apart(place, &nest.axes, around) {
        return BTreeSet::new();
    }
    let (mut here, mut elsewhere) = (BTreeSet::new(), BTreeSet::new());
    for view in nest.block.loads() {
        let is_here = View { buffer: result, ..view.clone() } == **place;
        if is_here { &mut here } else { &mut elsewhere }.insert(view.buffer);
    }
    if here.contains(&result) || elsewhere.contains(&result) {
        return BTreeSet::new();
    }
    here.retain(|buffer| !elsewhere.contains(buffer));
    here
}

/// Whether no two iterations lie at the same element, for every batch: in ascending order, each stride is at least as long as all that
/// the loop before it goes through.
fn is_apart(view: &View, axes: &[Axis], around: &[Tiles]) -> bool {
    if view.table.is_some() || view.pick.is_some() {
        return false;
    }
    let mut terms: Vec<(Linear, Linear)> = Vec::new();
    let mut merged: Vec<Var> = Vec::new();
    for axis in axes {
        let own = view.stride(axis.var);
        match axis.extent {
            Extent::Whole(count) => terms.push((own, count)),
            // The loop over tiles and the loop in a tile are one loop.
            Extent::Tile { tile, step, total } if view.stride(tile) == own.times(step) => {
                merged.push(tile);
                terms.push((own, total));
            }
            Extent::Tile { .. } => return false,
        }
    }
    for tiles in around.iter().filter(|tiles| !merged.contains(&tiles.var)) {
        if tiles.total.is_fixed() && tiles.total.constant <= tiles.step {
            continue;
        }
        terms.push((view.stride(tiles.var), tiles.total));
    }
    terms.retain(|(_, count)| *count != Linear::fixed(1));
    terms.sort_by_key(|(stride, count)| (stride.batch, stride.constant, count.batch));
    let mut past = Linear::fixed(1);
    terms.iter().all(|&(stride, count)| {
        let is_past = stride.constant >= past.constant && stride.batch >= past.batch;
        let end = stride.product(count);
        past = end.unwrap_or(past);
        is_past && end.is_some()
    })
}
