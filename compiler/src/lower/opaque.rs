//! Members that move memory in nests of their own: padding, joining, rows by index.

use super::LowerError;
use super::block::Writer;
use super::index::Index;
use super::kernel::{KernelLowering, store_everywhere};
use super::linear;
use super::storage::title;
use crate::graph::{Attributes, NodeId};
use crate::loops::Linear;
use crate::ops::Primitive;

/// Lowers an opaque member, which is alone in its kernel.
pub fn lower(lowering: &mut KernelLowering, position: usize) -> Result<(), LowerError> {
    let graph = lowering.scope.graph;
    let node = lowering.group.members[position].node;
    match (graph.node(node).primitive, graph.node(node).attributes.clone()) {
        (Primitive::Pad, Attributes::Pad { axis, before, .. }) => {
            fill_zero(lowering, node);
            part(lowering, node, graph.node(node).operands[0], axis, before)
        }
        (Primitive::Concat, Attributes::Axis(axis)) => {
            let mut from = 0;
            for &operand in &graph.node(node).operands {
                part(lowering, node, operand, axis, from)?;
                from += graph.shape(operand).0[axis].at(0);
            }
            Ok(())
        }
        _ => Err(LowerError(format!("%{} has no kernel yet", node.0))),
    }
}

fn fill_zero(lowering: &mut KernelLowering, node: NodeId) {
    let graph = lowering.scope.graph;
    let dims: Vec<Linear> = graph.shape(node).0.iter().map(|dim| linear(*dim)).collect();
    let (loops, index) = lowering.whole_loops(&dims);
    let is_real = graph.ty(node).element.is_real();
    let mut writer = Writer::new(&mut lowering.scope);
    let zero = if is_real { writer.block.f32(0.0) } else { writer.block.i32(0) };
    store_everywhere(&mut writer, node, &index, zero);
    let block = writer.block.finish();
    lowering.push_nest(format!("zeros {}", title(graph, node)), loops, block);
}

/// Copies an operand to its place along an axis.
fn part(lowering: &mut KernelLowering, node: NodeId, operand: NodeId, axis: usize, from: usize) -> Result<(), LowerError> {
    let graph = lowering.scope.graph;
    let dims: Vec<Linear> = graph.shape(operand).0.iter().map(|dim| linear(*dim)).collect();
    let (loops, index) = lowering.whole_loops(&dims);
    let mut to: Vec<Index> = index.clone();
    to[axis] = to[axis].shifted(from as i64);
    let mut writer = Writer::new(&mut lowering.scope);
    let value = writer.value(operand, &index)?;
    store_everywhere(&mut writer, node, &to, value);
    let block = writer.block.finish();
    lowering.push_nest(title(graph, node), loops, block);
    Ok(())
}
