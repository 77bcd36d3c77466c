//! Brings a graph into the forms that kernels are made of. What it writes here is what fixes the order of every sum:
//!
//! - a reduction is over one axis, the last first; only a full reduction of a matrix keeps both (it is cut into cells);
//! - a contraction's result has its axes in the order batch labels, left labels, right labels;
//! - every root is a computed node, so that it has a place to be stored.

use super::operands;
use crate::graph::{Attributes, BuildError, Builder, Carried, Contraction, Dim, Graph, NodeId, Parts, Root, Shape};
use crate::ops::{self, Lowering, Primitive};

/// The graph in legal form; dead nodes are dropped.
pub fn legalize(graph: &Graph) -> Result<Graph, BuildError> {
    legalize_with_places(graph).map(|(legal, _)| legal)
}

/// The graph in legal form, and for each node of the old graph the one that stands for it.
pub fn legalize_with_places(graph: &Graph) -> Result<(Graph, Vec<Option<NodeId>>), BuildError> {
    let mut builder = Builder::with_room(graph.name.clone(), graph.nodes.len());
    let mut origins = Carried::default();
    let live = graph.live();
    let mut map: Vec<Option<NodeId>> = vec![None; graph.nodes.len()];
    for id in graph.ids().filter(|id| live[id.index()]) {
        let node = graph.node(id);
        let origin = (node.origin, graph.origin(id).of.and_then(|of| map[of.index()]));
        origins.begin(&mut builder, graph, origin);
        let operands: Option<Vec<NodeId>> = node.operands.iter().map(|operand| map[operand.index()]).collect();
        let operands = operands.ok_or_else(|| BuildError::new("an operand is missing"))?;
        let new = match (&ops::record(node.primitive).lowering, &node.attributes) {
            (Lowering::Reduce(_), Attributes::Axes(axes)) => reduce(&mut builder, node.primitive, operands[0], axes)?,
            (Lowering::Contract, Attributes::Contract(spec)) => {
                let (a, b) = (in_memory(&mut builder, operands[0])?, in_memory(&mut builder, operands[1])?);
                contract(&mut builder, a, b, spec)?
            }
            (Lowering::Gather, _) => {
                let table = in_memory(&mut builder, operands[0])?;
                builder.apply(node.primitive, &[table, operands[1]], node.attributes.clone(), None)?
            }
            (Lowering::Scan, Attributes::Scan(scan)) => {
                let mut operands = operands;
                for operand in operands.iter_mut().skip(scan.carries) {
                    *operand = whole(&mut builder, *operand)?;
                }
                builder.apply(node.primitive, &operands, node.attributes.clone(), None)?
            }
            (Lowering::View, _) if node.primitive == Primitive::Reshape => reshape(&mut builder, operands[0], &node.ty.shape)?,
            _ => builder.put(node.primitive, &operands, node.attributes.clone(), node.ty.clone()),
        };
        origins.end(&builder, origin);
        map[id.index()] = Some(new);
    }
    let find = |id: NodeId| map[id.index()].ok_or_else(|| BuildError::new("a root is missing"));
    for root in &graph.roots {
        if let Root::Output { name, node } = root {
            let node = stored(&mut builder, find(*node)?)?;
            builder.output(name.clone(), node);
        }
    }
    let known = builder.graph().nodes.len();
    // What is written in place comes last, after everything that reads the old value, and after all results.
    for root in &graph.roots {
        if let Root::Update { source, node } = root {
            let next = find(*node)?;
            // The copy stands where the value stands that it copies.
            builder.set_origin(builder.graph().origin(next).clone());
            let mut node = builder.unary(Primitive::StopGradient, next)?;
            // Equal nodes are one: a copy that something else reads, or that is a result, stands further up.
            while node.index() < known {
                node = builder.unary(Primitive::StopGradient, node)?;
            }
            builder.update(find(*source)?, node)?;
        }
    }
    Ok((builder.finish(), map))
}

/// One axis at a time, but for both axes of a matrix. The last axis goes first if it is short, and behind the other fixed axes otherwise: lanes run
/// along it, so that the longer it is kept, the less is left to be folded across lanes. The batch goes last.
fn reduce(builder: &mut Builder, primitive: Primitive, a: NodeId, axes: &[usize]) -> Result<NodeId, BuildError> {
    let rank = builder.shape(a).rank();
    if axes.len() == 1 || (rank == 2 && axes.len() == 2) {
        return builder.apply(primitive, &[a], Attributes::Axes(axes.to_vec()), None);
    }
    let dims = builder.shape(a).0;
    let is_long = |axis: usize| !matches!(dims[axis], Dim::Fixed(size) if size <= super::SHORT_AXIS);
    let last = axes[axes.len() - 1];
    let inner = axes[..axes.len() - 1].iter().rposition(|&axis| dims[axis] != Dim::Batch && is_long(axis));
    let next = match inner {
        Some(inner) if last + 1 == rank && is_long(last) => inner,
        _ => axes.len() - 1,
    };
    let reduced = builder.apply(primitive, &[a], Attributes::Axes(vec![axes[next]]), None)?;
    let rest: Vec<usize> =
        axes.iter().filter(|&&axis| axis != axes[next]).map(|&axis| if axis > axes[next] { axis - 1 } else { axis }).collect();
    reduce(builder, primitive, reduced, &rest)
}

fn contract(builder: &mut Builder, a: NodeId, b: NodeId, spec: &Contraction) -> Result<NodeId, BuildError> {
    let Parts { batch, rows: left, columns: right, .. } = spec.parts();
    // The right operand's axes run along the lanes; swapping the factors of a product changes no bit.
    let swap = left.last() == spec.out.last() && !left.is_empty() && !right.is_empty();
    let (a, b, left_labels, right_labels) = if swap { (b, a, &spec.right, &spec.left) } else { (a, b, &spec.left, &spec.right) };
    let (first, second) = if swap { (right, left) } else { (left, right) };
    // Windows are read image by image: the result stands as it is asked for, with the batch outside.
    let ends = second.last() == spec.out.last();
    let order: Vec<u8> = match ends && operands::reads_windows(builder.graph(), b) {
        true => spec.out.clone(),
        false => batch.iter().chain(&first).chain(&second).copied().collect(),
    };
    let canonical = Contraction { left: left_labels.clone(), right: right_labels.clone(), out: order.clone() };
    let (a, b, canonical) = operands::fit(builder, a, b, canonical)?;
    let product = builder.apply(Primitive::Contract, &[a, b], Attributes::Contract(canonical), None)?;
    let permutation: Vec<usize> =
        spec.out.iter().map(|label| order.iter().position(|known| known == label).unwrap_or(0)).collect();
    builder.transpose(product, &permutation)
}

/// An operand of a product stands in memory: coordinates, constants and scalars of the control block are copied.
fn in_memory(builder: &mut Builder, id: NodeId) -> Result<NodeId, BuildError> {
    let graph = builder.graph();
    match operands::stands_in_memory(graph, ops::bottom(graph, id)) {
        true => Ok(id),
        false => builder.unary(Primitive::StopGradient, id),
    }
}

/// What a scan steps through lies row-major in memory, and is no row of a data set.
fn whole(builder: &mut Builder, id: NodeId) -> Result<NodeId, BuildError> {
    let graph = builder.graph();
    let node = graph.node(id);
    let copied = match ops::record(node.primitive).lowering {
        Lowering::Source => !matches!(node.primitive, Primitive::Parameter | Primitive::State),
        Lowering::View | Lowering::Random | Lowering::Coordinate => true,
        _ => false,
    };
    if copied { builder.unary(Primitive::StopGradient, id) } else { Ok(id) }
}

/// A reshape that does more than add or drop axes of size 1 is of words in memory.
fn reshape(builder: &mut Builder, id: NodeId, shape: &Shape) -> Result<NodeId, BuildError> {
    let plain = builder.reshape(id, shape)?;
    let graph = builder.graph();
    if graph.node(plain).primitive != Primitive::Reshape || super::is_unit_reshape(graph, plain) {
        return Ok(plain);
    }
    let flat = contiguous(builder, id, shape)?;
    builder.reshape(flat, shape)
}

/// What is reshaped lies in row-major order: views, rows of a data set that do not stay rows, and random numbers (whose rows are
/// padded) are copied, unless the reshape is of axes of size 1.
fn contiguous(builder: &mut Builder, id: NodeId, shape: &Shape) -> Result<NodeId, BuildError> {
    let graph = builder.graph();
    let beneath = operands::beneath_reshapes(graph, id);
    let node = graph.node(beneath);
    let copied = match ops::record(node.primitive).lowering {
        Lowering::View | Lowering::Random => true,
        _ if !operands::stands_in_memory(graph, beneath) => true,
        // Rows of a data set stay rows.
        Lowering::Source if operands::in_table(graph, beneath) => {
            [shape, graph.shape(id)].iter().any(|shape| shape.0.first() != Some(&Dim::Batch))
        }
        _ => false,
    };
    if copied { builder.unary(Primitive::StopGradient, id) } else { Ok(id) }
}

/// A root that is no computed node is copied by one, and so are random numbers, whose rows are padded.
fn stored(builder: &mut Builder, id: NodeId) -> Result<NodeId, BuildError> {
    match ops::record(builder.graph().node(id).primitive).lowering {
        Lowering::Source | Lowering::View | Lowering::Coordinate | Lowering::Random => builder.unary(Primitive::StopGradient, id),
        _ => Ok(id),
    }
}
