//! Members that move memory in nests of their own: padding, joining, rows by index.

use super::LowerError;
use super::block::Writer;
use super::index::{Index, pick, picked, view};
use super::kernel::{KernelLowering, store_everywhere};
use super::linear;
use super::storage::title;
use crate::graph::{Attributes, NodeId};
use crate::loops::{Axis, Extent, Linear};
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
    let lead: Vec<Linear> = graph.shape(row).0.iter().map(|dim| linear(*dim)).collect();
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
    lowering.push_nest(title(graph, node), loops, block);
    lowering.spread(position)
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
    lowering.push_nest(format!("zeros {}", title(graph, node)), loops, block);
}

/// Copies an operand to its place along an axis, which is not cut into tiles; the others are the result's.
fn part(lowering: &mut KernelLowering, position: usize, operand: NodeId, axis: usize, from: usize) -> Result<(), LowerError> {
    let graph = lowering.scope.graph;
    let node = lowering.group.members[position].node;
    let domain = lowering.group.domains[position].clone();
    let (mut loops, index) = lowering.loops(&domain);
    loops[axis].extent = Extent::Whole(linear(graph.shape(operand).0[axis]));
    let index = KernelLowering::at(&index, &domain);
    let mut to: Vec<Index> = index.clone();
    to[axis] = to[axis].shifted(from as i64);
    let mut writer = Writer::new(&mut lowering.scope);
    let value = writer.value(operand, &index)?;
    store_everywhere(&mut writer, node, &to, value);
    let block = writer.block.finish();
    lowering.push_nest(title(graph, node), loops, block);
    Ok(())
}
