//! What a product asks of the memory of its operands, and the copies that meet it.
//!
//! A product steps through an operand with one stride for each of its three extents, so the labels that are summed must lie one after
//! the other in both operands (those of rows and columns are looped over where they do not). The right operand is contiguous along one
//! of its axes and goes through no row table. What does not fit is copied, in an order that does; a copy changes no bit.

use super::view_axes;
use crate::graph::{Attributes, BuildError, Builder, Contraction, Dim, Graph, NodeId, Parts, Shape};
use crate::loops::{self, Linear};
use crate::ops::{self, Lowering, Primitive};

/// How far one index is from the next along an axis.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Step {
    Words(Linear),
    /// From one row of a data set to another, by the row table.
    Rows,
}

/// A size as a number affine in the batch.
pub(crate) fn linear(dim: Dim) -> Linear {
    match dim {
        Dim::Fixed(size) => Linear::fixed(size as i64),
        Dim::Batch => Linear::BATCH,
    }
}

/// Row-major steps; `None` if they would not be affine in the batch.
fn row_major(dims: &[Dim]) -> Option<Vec<Step>> {
    let sizes: Vec<Linear> = dims.iter().map(|dim| linear(*dim)).collect();
    Some(loops::row_major(&sizes)?.into_iter().map(Step::Words).collect())
}

/// Whether a node is an input or target whose rows are looked up in the row table.
pub(crate) fn in_table(graph: &Graph, id: NodeId) -> bool {
    let node = graph.node(id);
    matches!(node.primitive, Primitive::Input | Primitive::Target) && node.ty.shape.0.first() == Some(&Dim::Batch)
}

/// The steps of a tensor in memory, through views; `None` where no affine steps are known.
fn steps(graph: &Graph, id: NodeId) -> Option<Vec<Step>> {
    let node = graph.node(id);
    let dims = &node.ty.shape.0;
    if in_table(graph, id) {
        let mut steps = row_major(dims)?;
        steps[0] = Step::Rows;
        return Some(steps);
    }
    match ops::record(node.primitive).lowering {
        Lowering::View => match view_axes(graph, id) {
            Some(axes) => {
                let inner = steps(graph, node.operands[0])?;
                let mut own = vec![Step::Words(Linear::ZERO); dims.len()];
                for (from, to) in axes.iter().enumerate() {
                    if let Some(to) = to {
                        own[*to] = inner[from];
                    }
                }
                if let Attributes::Window(window) = node.attributes {
                    let Step::Words(words) = inner[window.axis] else { return None };
                    own[window.axis] = Step::Words(words.times(window.stride as i64));
                    own[window.axis + 1] = Step::Words(words.times(window.dilation as i64));
                }
                Some(own)
            }
            None => {
                let mut own = row_major(dims)?;
                if in_table(graph, beneath_reshapes(graph, id)) {
                    own[0] = Step::Rows;
                }
                Some(own)
            }
        },
        // Their rows are padded.
        Lowering::Random => None,
        _ => row_major(dims),
    }
}

/// What a chain of reshapes reshapes.
pub(super) fn beneath_reshapes(graph: &Graph, mut id: NodeId) -> NodeId {
    while graph.node(id).primitive == Primitive::Reshape {
        id = graph.node(id).operands[0];
    }
    id
}

/// Whether these axes, from the outermost to the innermost, can be stepped through with the step of the innermost.
fn lie_together(steps: &[Step], dims: &[Dim], axes: &[usize]) -> bool {
    let mut words = match axes.last() {
        Some(&last) => match steps[last] {
            Step::Rows => return axes.len() == 1,
            Step::Words(words) => words,
        },
        None => return true,
    };
    for pair in axes.windows(2).rev() {
        match words.product(linear(dims[pair[1]])) {
            Some(next) if steps[pair[0]] == Step::Words(next) => words = next,
            _ => return false,
        }
    }
    true
}

/// Copies the operands of a contraction, whose labels are in the order batch, left, right, where a product cannot step through them.
pub(super) fn fit(
    builder: &mut Builder,
    a: NodeId,
    b: NodeId,
    spec: Contraction,
) -> Result<(NodeId, NodeId, Contraction), BuildError> {
    let parts = spec.parts();
    if reads_windows(builder.graph(), b) {
        // A weight serves every image of a batch: its copy has the rows side by side, as tiles take them.
        let has_batch = |id: NodeId| builder.graph().shape(id).0.contains(&Dim::Batch);
        let serves_all = !has_batch(a) && has_batch(b);
        if !serves_all && windows_fit(builder.graph(), (a, b), &spec, &parts) {
            return Ok((a, b, spec));
        }
        // A weight is copied rather than the windows of a batch.
        let order =
            if serves_all { [&parts.batch, &parts.summed, &parts.rows] } else { [&parts.batch, &parts.rows, &parts.summed] };
        let (left, turned) = copy(builder, a, &spec.left, order)?;
        let fitting = Contraction { left, ..spec.clone() };
        if windows_fit(builder.graph(), (turned, b), &fitting, &parts) {
            return Ok((turned, b, fitting));
        }
    }
    let (left, a) = match left_fits(builder.graph(), a, &spec.left, &parts) {
        true => (spec.left, a),
        false => copy(builder, a, &spec.left, [&parts.batch, &parts.rows, &parts.summed])?,
    };
    let (right, b) = match right_fits(builder.graph(), b, &spec.right, &parts) {
        true => (spec.right, b),
        false => copy(builder, b, &spec.right, [&parts.batch, &parts.summed, &parts.columns])?,
    };
    Ok((a, b, Contraction { left, right, out: spec.out }))
}

fn axes_of(labels: &[u8], own: &[u8]) -> Vec<usize> {
    labels.iter().filter_map(|label| own.iter().position(|known| known == label)).collect()
}

fn left_fits(graph: &Graph, id: NodeId, own: &[u8], parts: &Parts) -> bool {
    let dims = &graph.shape(id).0;
    steps(graph, id).is_some_and(|steps| lie_together(&steps, dims, &axes_of(&parts.summed, own)))
}

fn right_fits(graph: &Graph, id: NodeId, own: &[u8], parts: &Parts) -> bool {
    let dims = &graph.shape(id).0;
    let Some(steps) = steps(graph, id) else { return false };
    let (summed, columns) = (axes_of(&parts.summed, own), axes_of(&parts.columns, own));
    // Any step will do along what has one element.
    let contiguous = |axes: &[usize]| match axes.last() {
        Some(&last) => steps[last] == Step::Words(Linear::fixed(1)) || axes.iter().all(|&axis| dims[axis] == Dim::Fixed(1)),
        None => true,
    };
    !steps.contains(&Step::Rows) && lie_together(&steps, dims, &summed) && (contiguous(&summed) || contiguous(&columns))
}

/// Whether an operand of a product is windows of something: where they lie is looked up, not stepped through.
pub(crate) fn reads_windows(graph: &Graph, mut id: NodeId) -> bool {
    while matches!(ops::record(graph.node(id).primitive).lowering, Lowering::View) {
        if graph.node(id).primitive == Primitive::Window {
            return true;
        }
        id = graph.node(id).operands[0];
    }
    false
}

/// Whether a label of a right operand is the batch.
fn is_of_batch(label: u8, spec: &Contraction, right: &Shape) -> bool {
    axes_of(&[label], &spec.right).iter().any(|&axis| right.0[axis] == Dim::Batch)
}

/// The columns of a product that reads windows that are no loop around it: those that end its result, but for the batch.
fn inner_columns<'c>(spec: &'c Contraction, parts: &Parts, right: &Shape) -> &'c [u8] {
    let is_outside = |label: &u8| !parts.columns.contains(label) || is_of_batch(*label, spec, right);
    let outside = spec.out.iter().rposition(is_outside).map_or(0, |last| last + 1);
    &spec.out[outside..]
}

/// Whether a product can look its windows up. What is summed over the batch is summed row by row.
fn windows_fit(graph: &Graph, (a, b): (NodeId, NodeId), spec: &Contraction, parts: &Parts) -> bool {
    let (Some(left), Some(right)) = (steps(graph, a), steps(graph, b)) else { return false };
    let shape = graph.shape(b);
    let inner = &parts.summed[usize::from(parts.summed.first().is_some_and(|&first| is_of_batch(first, spec, shape)))..];
    let is_apart = |&label: &u8| {
        let fixed = |&axis: &usize| matches!(right[axis], Step::Words(words) if words.is_fixed());
        !is_of_batch(label, spec, shape) && axes_of(&[label], &spec.right).iter().all(fixed)
    };
    inner.iter().chain(inner_columns(spec, parts, shape)).all(is_apart)
        && lie_together(&left, &graph.shape(a).0, &axes_of(inner, &spec.left))
}

/// A copy with its axes in this order of labels.
fn copy(builder: &mut Builder, id: NodeId, own: &[u8], order: [&Vec<u8>; 3]) -> Result<(Vec<u8>, NodeId), BuildError> {
    let labels: Vec<u8> = order.into_iter().flatten().copied().collect();
    let turned = builder.transpose(id, &axes_of(&labels, own))?;
    Ok((labels, builder.unary(Primitive::StopGradient, turned)?))
}

/// Whether an axis of a product's result is stepped through inside of the product: the last one of its rows or of its columns. Others may
/// be looped over around it, one element at a time.
pub(crate) fn steps_in_product(graph: &Graph, product: NodeId, axis: usize) -> bool {
    let Attributes::Contract(spec) = &graph.node(product).attributes else { return false };
    let on = |label: u8| (spec.left.contains(&label), spec.right.contains(&label));
    let Some(&label) = spec.out.get(axis) else { return false };
    let own = on(label);
    if own == (false, true) && reads_windows(graph, graph.node(product).operands[1]) {
        let right = graph.shape(graph.node(product).operands[1]);
        return inner_columns(spec, &spec.parts(), right).first() == Some(&label);
    }
    own != (true, true) && spec.out[axis + 1..].iter().all(|label| on(*label) != own)
}

/// Whether a product is looped over along an axis of its result, one element at a time.
pub(crate) fn loops_around_product(graph: &Graph, product: NodeId, axis: usize) -> bool {
    let Attributes::Contract(spec) = &graph.node(product).attributes else { return false };
    let parts = spec.parts();
    let Some(label) = spec.out.get(axis) else { return false };
    let right = graph.shape(graph.node(product).operands[1]);
    parts.batch.contains(label) || parts.columns.contains(label) && !inner_columns(spec, &parts, right).contains(label)
}

/// Whether a node that is no view stands in memory: computed nodes do, and sources with a buffer of their own.
pub(crate) fn stands_in_memory(graph: &Graph, id: NodeId) -> bool {
    let node = graph.node(id);
    match ops::record(node.primitive).lowering {
        Lowering::Source => matches!(node.attributes, Attributes::Name(_)) && node.primitive != Primitive::Setting,
        Lowering::Coordinate => false,
        _ => true,
    }
}
