//! A contraction becomes product statements: its labels are sorted into rows, columns and summed ones, neighbours that lie one after
//! the other in memory are taken together, and what is left over is looped around the product.

use super::LowerError;
use super::block::locate;
use super::index::{Index, view};
use super::kernel::KernelLowering;
use super::storage::title;
use crate::graph::{Attributes, NodeId};
use crate::loops::{Extent, Linear, Operand, OperandRows, ProductStatement, Statement, Var, View};

/// How one label steps through the three operands, in words.
#[derive(Clone, Debug)]
struct Label {
    var: Var,
    extent: Extent,
    size: Linear,
    /// The group's axis, if the label is one of the result.
    axis: Option<usize>,
}

/// Lowers a product member.
pub fn lower(lowering: &mut KernelLowering, position: usize) -> Result<(), LowerError> {
    let graph = lowering.scope.graph;
    let node = lowering.group.members[position].node;
    let Attributes::Contract(spec) = graph.node(node).attributes.clone() else {
        return Err(LowerError("a product without labels".into()));
    };
    let (a, b) = (graph.node(node).operands[0], graph.node(node).operands[1]);
    let domain = lowering.group.domains[position].clone();
    let mut labels: Vec<Label> = Vec::new();
    for number in 0..=spec.left.iter().chain(&spec.right).copied().max().unwrap_or(0) {
        let size = |own: &[u8], operand: NodeId| {
            own.iter().position(|label| *label == number).map(|axis| super::linear(graph.shape(operand).0[axis]))
        };
        let size = size(&spec.left, a).or_else(|| size(&spec.right, b)).unwrap_or(Linear::fixed(1));
        let axis = spec.out.iter().position(|label| *label == number).map(|axis| domain[axis]);
        let extent = axis.map_or(Extent::Whole(size), |axis| lowering.axes[axis].extent());
        labels.push(Label { var: lowering.var(), extent, size, axis });
    }
    let index = |own: &[u8], lowering: &KernelLowering| -> Vec<Index> {
        own.iter()
            .map(|label| {
                let label = &labels[*label as usize];
                label.axis.map_or_else(|| Index::var(label.var), |axis| lowering.axes[axis].index(label.var))
            })
            .collect()
    };
    let (left, right, out) = (index(&spec.left, lowering), index(&spec.right, lowering), index(&spec.out, lowering));
    let (a_view, _) = locate(&mut lowering.scope, a, &left)?;
    let (b_view, _) = locate(&mut lowering.scope, b, &right)?;
    let storage = lowering.scope.kept.get(&node).cloned().ok_or_else(|| LowerError(format!("%{} is not kept", node.0)))?;
    let c_view = view(&storage, &out, &lowering.scope.tiles);

    let in_both = |label: &u8| spec.left.contains(label) && spec.right.contains(label);
    let looped: Vec<u8> = spec.out.iter().filter(|label| in_both(label)).copied().collect();
    let rows: Vec<u8> = spec.out.iter().filter(|label| spec.left.contains(label) && !in_both(label)).copied().collect();
    let columns: Vec<u8> = spec.out.iter().filter(|label| spec.right.contains(label) && !in_both(label)).copied().collect();
    let summed: Vec<u8> = spec.left.iter().filter(|label| !spec.out.contains(label)).copied().collect();
    let var_of = |label: &u8| labels[*label as usize].var;
    let mut outer: Vec<u8> = looped;
    let m = together(&labels, &rows, &[&a_view, &c_view], &mut outer, true)?;
    let n = together(&labels, &columns, &[&b_view, &c_view], &mut outer, true)?;
    let k = together(&labels, &summed, &[&a_view, &b_view], &mut outer, false)?;
    let own: Vec<Var> = labels.iter().map(|label| label.var).collect();
    let inner_of = |group: &[u8]| group.last().map(var_of);
    let (m_var, n_var, k_var) = (inner_of(&rows), inner_of(&columns), inner_of(&summed));
    // Variables of labels inside of the product vanish from the base; those of loops around it stay.
    let outer_vars: Vec<Var> = outer.iter().map(var_of).collect();
    let gone: Vec<Var> = own.iter().filter(|var| !outer_vars.contains(var)).copied().collect();
    let a = operand(&a_view, m_var, k_var, &gone)?;
    let b = operand(&b_view, k_var, n_var, &gone)?;
    let c = operand(&c_view, m_var, n_var, &gone)?;
    let name = title(graph, node);
    let statement = ProductStatement { title: name, a, b, c, m, n, k, accumulate: false, origin: node.0 };
    let mut statement = Statement::Product(Box::new(statement));
    for label in outer.iter().rev() {
        let label = &labels[*label as usize];
        let (step, total) = match label.extent {
            Extent::Whole(size) => (1, size),
            Extent::Tile { step: 1, .. } => (1, Linear::fixed(1)),
            Extent::Tile { .. } => return Err(LowerError(format!("%{}: a label that is looped over is cut into tiles", node.0))),
        };
        statement = Statement::Tiles { var: label.var, step, total, body: vec![statement] };
    }
    lowering.push(statement);
    lowering.finish_product(position)
}

/// The extent of labels taken together; labels that do not lie one after the other in all views are looped over if they may be.
fn together(labels: &[Label], group: &[u8], views: &[&View], outer: &mut Vec<u8>, may_loop: bool) -> Result<Extent, LowerError> {
    let Some((&last, rest)) = group.split_last() else { return Ok(Extent::fixed(1)) };
    let mut extent = labels[last as usize].extent;
    let mut inner = &labels[last as usize];
    let mut block = Linear::fixed(1);
    for (position, &number) in rest.iter().enumerate().rev() {
        let label = &labels[number as usize];
        let joined = matches!(inner.extent, Extent::Whole(_)) && views.iter().all(|view| follows(view, label.var, inner));
        block = block.product(inner.size).ok_or_else(|| LowerError("sizes of a product depend on the batch twice".into()))?;
        match (joined, label.extent) {
            (true, Extent::Whole(size)) => {
                let total =
                    block.product(size).ok_or_else(|| LowerError("sizes of a product depend on the batch twice".into()))?;
                extent = Extent::Whole(total);
            }
            (true, Extent::Tile { tile, step, total }) if block.is_fixed() => {
                extent = Extent::Tile { tile, step: step * block.constant, total: total.times(block.constant) };
            }
            _ if may_loop => {
                outer.extend(&rest[..=position]);
                return Ok(extent);
            }
            _ => return Err(LowerError("the summed axes of a product do not lie one after the other".into())),
        }
        inner = label;
    }
    Ok(extent)
}

/// Whether one step of `outer` is as far as all of `inner`; rows that are looked up lie anywhere.
fn follows(view: &View, outer: Var, inner: &Label) -> bool {
    let looked_up = |var: Var| view.table.as_ref().is_some_and(|table| table.index.iter().any(|(known, _)| *known == var));
    if looked_up(outer) || looked_up(inner.var) {
        return false;
    }
    let (far, near) = (stride(view, outer), stride(view, inner.var));
    near.product(inner.size) == Some(far)
}

fn stride(view: &View, var: Var) -> Linear {
    if let Some(table) = &view.table
        && table.index.iter().any(|(known, _)| *known == var)
    {
        return Linear::fixed(table.stride);
    }
    view.strides.iter().find(|(known, _)| *known == var).map_or(Linear::ZERO, |(_, stride)| *stride)
}

fn operand(view: &View, row: Option<Var>, column: Option<Var>, gone: &[Var]) -> Result<Operand, LowerError> {
    let step = |var: Option<Var>| var.map_or(Linear::ZERO, |var| stride(view, var));
    let mut base = view.clone();
    base.strides.retain(|(var, _)| !gone.contains(var));
    let mut rows = None;
    if let Some(table) = base.table.take() {
        let on = |var: Option<Var>| var.is_some_and(|var| table.index.iter().any(|(known, _)| *known == var));
        let first = table.index.iter().filter(|(var, _)| !gone.contains(var)).copied().collect();
        if !on(row) && !on(column) {
            base.table = Some(table);
        } else {
            rows = Some(OperandRows { rows: table.rows, first, on_columns: on(column) });
        }
    }
    Ok(Operand { base, row: step(row), column: step(column), rows })
}
