//! A scan becomes a loop over steps inside of a tile of rows: the body's kernels follow one another in it, on the tile's rows.
//!
//! The carries stand in scratch of the tile. They are set before the loop and copied from what a step gives after it, so that within
//! a step every reader finds the carry that the step began with. All that a step gives is written where it stays.

use super::block::{Writer, place_of};
use super::index::Index;
use super::kernel::KernelLowering;
use super::nests::plan;
use super::storage::{Layout, Rows, Storage, Within, lane, title};
use super::{LowerError, linear};
use crate::fusion::legalize::legalize;
use crate::fusion::{self, Fusion, Options};
use crate::graph::scan::Role;
use crate::graph::{Attributes, Builder, Dim, Graph, NodeId, Root, Scan};
use crate::loops::{Axis, Extent, Lane, Linear, Space, Statement, Var};
use crate::ops::Primitive;

/// How far the place of a step moves with the loop's variable.
#[derive(Clone, Copy)]
struct Course {
    time: Var,
    first: i64,
    onward: i64,
}

impl Course {
    /// Where a step begins in something whose steps are so many words apart.
    fn within(self, step: Linear, from: i64) -> Within {
        Within { offset: step.times(self.first).plus(Linear::fixed(from)), strides: vec![(self.time, step.times(self.onward))] }
    }
}

/// Lowers a scan, which is alone in its kernel.
pub fn lower(lowering: &mut KernelLowering, position: usize) -> Result<(), LowerError> {
    let graph = lowering.scope.graph;
    let node = lowering.group.members[position].node;
    let Attributes::Scan(scan) = graph.node(node).attributes.clone() else {
        return Err(LowerError("a scan without a body".into()));
    };
    let body = legal(&scan.body)?;
    let fusion = fusion::fuse(&body, &Options::default()).map_err(LowerError)?;
    let rows = lowering.axes[lowering.group.domains[position][0]];
    let steps = graph.shape(node).0[1].at(0);
    let (first, onward) = scan.course(steps);
    let course = Course { time: lowering.var(), first: first as i64, onward };
    let mut inside = Layout::default();
    let carries = bind(lowering, &scan, node, &body, course, &mut inside)?;
    let results = results(lowering, &scan, node, &body, course, &mut inside)?;
    crossing(lowering, &body, &fusion, rows.room(), &mut inside)?;
    for (number, carry) in carries.iter().enumerate() {
        let first = graph.node(node).operands[number];
        copy(lowering, position, &format!("start h{number}"), carry, Given::Node(first))?;
    }
    let outside = std::mem::take(&mut lowering.body);
    for group in &fusion.groups {
        let plan = plan(&body, &fusion, group, |node| inside.kept(node).is_some());
        let name = format!("{}.step", lowering.name_short());
        let mut statements = lowering.inside((&body, group, &plan), &mut inside, rows, name)?;
        serve(&mut statements, node);
        lowering.body.append(&mut statements);
    }
    for (number, (carry, result)) in carries.iter().zip(&results).enumerate() {
        copy(lowering, position, &format!("next h{number}"), carry, Given::Place(result))?;
    }
    let body = std::mem::replace(&mut lowering.body, outside);
    lowering.push(Statement::Tiles { var: course.time, step: 1, total: Linear::fixed(steps as i64), body });
    lowering.spread(position)
}

/// The body in legal form. A product writes to memory that nothing else is read from, so what a step gives is never one itself.
fn legal(body: &Graph) -> Result<Graph, LowerError> {
    let failed = |why: crate::graph::BuildError| LowerError(why.message);
    let mut builder = Builder::continue_from(Graph { roots: Vec::new(), ..body.clone() });
    for root in &body.roots {
        let Root::Output { name, node } = root else { continue };
        let is_product = builder.graph().node(*node).primitive == Primitive::Contract;
        let node = if is_product { builder.unary(Primitive::StopGradient, *node).map_err(failed)? } else { *node };
        builder.output(name.clone(), node);
    }
    legalize(&builder.finish()).map_err(failed)
}

/// Gives every source of the body its place; returns those of the carries.
fn bind(
    lowering: &mut KernelLowering,
    scan: &Scan,
    node: NodeId,
    body: &Graph,
    course: Course,
    inside: &mut Layout,
) -> Result<Vec<Storage>, LowerError> {
    let graph = lowering.scope.graph;
    let mut carries = Vec::new();
    let room = lowering.axes[0].room();
    for (number, (_, width)) in scan.parts().take(scan.carries).enumerate() {
        let name = format!("{}.h{number}", lowering.name_short());
        carries.push(scratch(lowering, &name, vec![room, Linear::fixed(width as i64)], Lane::F32)?);
    }
    for id in body.ids() {
        let Some(role) = Role::of(body.node(id)) else { continue };
        let operand = graph.node(node).operands[scan.operand(role)];
        let mut place = || {
            place_of(&mut lowering.scope, operand)?
                .ok_or_else(|| LowerError(format!("%{} is scanned but does not stand in memory", operand.0)))
        };
        let storage = match role {
            Role::Carry(number) => carries[number].clone(),
            Role::Constant(_) => place()?,
            Role::Sequence(_) => {
                let mut storage = place()?;
                let step = storage.strides.remove(1);
                Storage { within: Some(course.within(step, 0)), ..storage }
            }
        };
        inside.add(id, storage);
    }
    Ok(carries)
}

/// Says where each value that a step gives is written.
fn results(
    lowering: &KernelLowering,
    scan: &Scan,
    node: NodeId,
    body: &Graph,
    course: Course,
    inside: &mut Layout,
) -> Result<Vec<Storage>, LowerError> {
    let whole = lowering.primary(node)?;
    let mut results = Vec::new();
    for (root, columns) in body.roots.iter().zip(scan.columns()) {
        let within = course.within(whole.strides[1], columns.start as i64);
        let storage = Storage { strides: vec![whole.strides[0], whole.strides[2]], within: Some(within), ..whole.clone() };
        inside.add(root.node(), storage.clone());
        results.push(storage);
    }
    Ok(results)
}

/// Gives values of one group of the body that another reads a place in scratch.
fn crossing(
    lowering: &mut KernelLowering,
    body: &Graph,
    fusion: &Fusion,
    room: Linear,
    inside: &mut Layout,
) -> Result<(), LowerError> {
    for node in fusion.crossing(body) {
        if inside.kept(node).is_some() {
            continue;
        }
        let ty = body.ty(node);
        let size = |dim: &Dim| if *dim == Dim::Batch { room } else { linear(*dim) };
        let dims: Vec<Linear> = ty.shape.0.iter().map(size).collect();
        let name = format!("{}.step.%{}", lowering.name_short(), node.0);
        let storage = scratch(lowering, &name, dims, lane(ty.element))?;
        inside.add(node, storage);
    }
    Ok(())
}

fn scratch(lowering: &mut KernelLowering, name: &str, dims: Vec<Linear>, lane: Lane) -> Result<Storage, LowerError> {
    Storage::new(lowering.scope.program, name, (Space::Scratch, lane), dims, Rows::Adjacent)
}

/// What a carry is set from.
enum Given<'a> {
    /// A node of the graph that holds the scan.
    Node(NodeId),
    /// What a step gives.
    Place(&'a Storage),
}

/// Sets a carry, `[rows of the tile, width]`, element by element.
fn copy(lowering: &mut KernelLowering, position: usize, name: &str, carry: &Storage, from: Given) -> Result<(), LowerError> {
    let axis = lowering.group.domains[position][0];
    let node = lowering.group.members[position].node;
    let (mut loops, index) = lowering.loops(&[axis]);
    let column = lowering.var();
    loops.push(Axis { var: column, extent: Extent::Whole(carry.strides[0]), vector: false });
    let index = [index[&axis].clone(), Index::var(column)];
    lowering.scope.serving = node;
    let mut writer = Writer::new(&mut lowering.scope);
    let value = match from {
        Given::Node(node) => writer.value(node, &index)?,
        Given::Place(storage) => writer.load(storage, &index),
    };
    writer.block.set_origin(node.0);
    writer.store(carry, &index, value);
    let block = writer.block.finish();
    let name = format!("{name}, {}", title(lowering.scope.graph, node));
    lowering.emit(name, loops, block);
    Ok(())
}

/// Instructions of a body serve the scan: only its graph is known outside.
fn serve(statements: &mut [Statement], node: NodeId) {
    for statement in statements {
        match statement {
            Statement::Nest(nest) => {
                nest.block.origins.fill(node.0);
                nest.title.insert_str(0, "step: ");
            }
            Statement::Product(product) => {
                product.origin = node.0;
                product.title.insert_str(0, "step: ");
            }
            Statement::Tiles { body, .. } => serve(body, node),
        }
    }
}
