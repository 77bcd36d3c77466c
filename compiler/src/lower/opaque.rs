//! Members that move memory in nests of their own: padding, joining, adding windows up, rows by index.

use super::LowerError;
use super::block::Writer;
use super::index::{Index, pick, picked, view};
use super::kernel::{KernelLowering, store_everywhere};
use super::storage::{sizes, title};
use crate::graph::{Attributes, NodeId, Window};
use crate::loops::{Axis, Extent};
use crate::ops::{Fold, Primitive};

/// Lowers an opaque member, which is alone in its kernel or, in a scan, in its part of the step.
pub fn lower(lowering: &mut KernelLowering, position: usize) -> Result<(), LowerError> {
    let graph = lowering.scope.graph;
    let node = lowering.group.members[position].node;
    match (graph.node(node).primitive, graph.node(node).attributes.clone()) {
        (Primitive::Pad, Attributes::Pad { axis, before, .. }) => {
            fill_zero(lowering, position);
            part(lowering, position, graph.node(node).operands[0], axis, before)
        }
        (Primitive::Concat, Attributes::Axis(axis)) => {
            let mut from = 0;
            for &operand in &graph.node(node).operands {
                part(lowering, position, operand, axis, from)?;
                from += graph.shape(operand).0[axis].at(0);
            }
            Ok(())
        }
        (Primitive::ScatterAdd, Attributes::Axis(size)) => scatter_add(lowering, position, size),
        (Primitive::Unwindow, Attributes::Window(window)) => unwindow(lowering, position, window),
        _ => Err(LowerError(format!("%{} has no kernel", node.0))),
    }
}

/// Adds rows to the rows that an index says, in their order. Tiles are of columns, which are independent.
fn scatter_add(lowering: &mut KernelLowering, position: usize, size: usize) -> Result<(), LowerError> {
    let graph = lowering.scope.graph;
    let node = lowering.group.members[position].node;
    let (rows, row) = (graph.node(node).operands[0], graph.node(node).operands[1]);
    let domain = lowering.group.domains[position].clone();
    let storage = lowering.primary(node)?;
    lowering.clear(&storage, &domain, Fold::Sum, &title(graph, node));
    let lead = sizes(graph.shape(row));
    let (mut loops, mut index) = lowering.whole_loops(&lead);
    let mut to = vec![picked()];
    for &axis in &domain[1..] {
        let var = lowering.var();
        loops.push(Axis { var, extent: lowering.axes[axis].extent(), vector: false });
        let column = lowering.axes[axis].index(var);
        index.push(column.clone());
        to.push(column);
    }
    let mut writer = Writer::new(&mut lowering.scope);
    let chosen = writer.value(row, &index[..lead.len()])?;
    let value = writer.value(rows, &index)?;
    let place = pick(view(&storage, &to, &writer.scope.tiles), chosen, size as i64);
    writer.block.set_origin(node.0);
    let so_far = writer.block.load(place.clone(), storage.lane);
    let next = writer.block.add(so_far, value);
    writer.block.store(place, next);
    let block = writer.block.finish();
    lowering.emit(title(graph, node), loops, block);
    lowering.spread(position)
}

/// Adds windows up step by step: what a step adds lies in one nest, so that the order of every sum is that of the steps.
fn unwindow(lowering: &mut KernelLowering, position: usize, window: Window) -> Result<(), LowerError> {
    let graph = lowering.scope.graph;
    let node = lowering.group.members[position].node;
    let windowed = graph.node(node).operands[0];
    let domain = lowering.group.domains[position].clone();
    let storage = lowering.primary(node)?;
    lowering.clear(&storage, &domain, Fold::Sum, &title(graph, node));
    for step in 0..window.size {
        let (loops, from) = loops(lowering, &domain, window.axis, window.places);
        let mut to = from.clone();
        let first = window.element(0, step).unwrap_or(0);
        to[window.axis] = to[window.axis].times(window.stride as i64).shifted(first as i64);
        let mut at = from;
        at.insert(window.axis + 1, Index::zero().shifted(step as i64));
        let mut writer = Writer::new(&mut lowering.scope);
        let value = writer.value(windowed, &at)?;
        writer.block.set_origin(node.0);
        let place = view(&storage, &to, &writer.scope.tiles);
        let so_far = writer.block.load(place.clone(), storage.lane);
        let next = writer.block.add(so_far, value);
        writer.block.store(place, next);
        let block = writer.block.finish();
        lowering.emit(format!("{} step {step}", title(graph, node)), loops, block);
    }
    lowering.spread(position)
}

/// Loops over a member's axes in the current tile, of which one, which is in no tile, turns `turns` times.
fn loops(lowering: &mut KernelLowering, domain: &[usize], axis: usize, turns: usize) -> (Vec<Axis>, Vec<Index>) {
    let (mut loops, index) = lowering.loops(domain);
    loops[axis].extent = Extent::fixed(turns as i64);
    (loops, KernelLowering::at(&index, domain))
}

fn fill_zero(lowering: &mut KernelLowering, position: usize) {
    let graph = lowering.scope.graph;
    let node = lowering.group.members[position].node;
    let domain = lowering.group.domains[position].clone();
    let (loops, index) = lowering.loops(&domain);
    let index = KernelLowering::at(&index, &domain);
    let is_real = graph.ty(node).element.is_real();
    let mut writer = Writer::new(&mut lowering.scope);
    let zero = if is_real { writer.block.f32(0.0) } else { writer.block.i32(0) };
    store_everywhere(&mut writer, node, &index, zero);
    let block = writer.block.finish();
    lowering.emit(format!("zeros {}", title(graph, node)), loops, block);
}

/// Copies an operand to its place along an axis.
fn part(lowering: &mut KernelLowering, position: usize, operand: NodeId, axis: usize, from: usize) -> Result<(), LowerError> {
    let graph = lowering.scope.graph;
    let node = lowering.group.members[position].node;
    let domain = lowering.group.domains[position].clone();
    let (loops, index) = loops(lowering, &domain, axis, graph.shape(operand).0[axis].at(0));
    let mut to: Vec<Index> = index.clone();
    to[axis] = to[axis].shifted(from as i64);
    let mut writer = Writer::new(&mut lowering.scope);
    let value = writer.value(operand, &index)?;
    store_everywhere(&mut writer, node, &to, value);
    let block = writer.block.finish();
    lowering.emit(title(graph, node), loops, block);
    Ok(())
}
