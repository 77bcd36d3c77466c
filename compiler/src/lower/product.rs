//! A contraction becomes product statements: its labels are sorted into rows, columns and summed ones, neighbours that lie one after
//! the other in memory are taken together, and what is left over is looped around the product.

use super::LowerError;
use super::block::locate;
use super::index::{Index, view};
use super::kernel::KernelLowering;
use super::storage::title;
use crate::fusion::reads_windows;
use crate::graph::{Attributes, Contraction, NodeId, Parts};
use crate::loops::{Digit, Extent, Linear, Operand, OperandRows, ProductStatement, Statement, Steps, Var, View};
use crate::ops::Fold;

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
    let labels = labels(lowering, &spec, (a, b), &domain);
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

    let Parts { batch, rows, columns, summed } = spec.parts();
    let var_of = |label: &u8| labels[*label as usize].var;
    // Where windows lie is looked up; other operands are stepped through.
    let windows = reads_windows(graph, b).then_some(&b_view);
    let (mut outer, mut turns): (Vec<u8>, Vec<u8>) = (batch, Vec::new());
    let m = together(&labels, &rows, &[&a_view, &c_view], None, Some(&mut outer))?;
    let (n, k) = match windows {
        None => (
            together(&labels, &columns, &[&b_view, &c_view], None, Some(&mut outer))?,
            together(&labels, &summed, &[&a_view, &b_view], None, None)?,
        ),
        windows => (
            together(&labels, &columns, &[&c_view], windows, Some(&mut outer))?,
            together(&labels, &summed, &[&a_view], windows, Some(&mut turns))?,
        ),
    };
    let own: Vec<Var> = labels.iter().map(|label| label.var).collect();
    // Variables of labels inside of the product vanish from the base; those of loops around it stay.
    let around: Vec<Var> = outer.iter().chain(&turns).map(var_of).collect();
    let gone: Vec<Var> = own.iter().filter(|var| !around.contains(var)).copied().collect();
    let plain = |view: &View, row: &Joined, column: &Joined| operand(view, row.even(view), column.even(view), row, column, &gone);
    let a = plain(&a_view, &m, &k)?;
    let c = plain(&c_view, &m, &n)?;
    let b = match windows {
        None => plain(&b_view, &k, &n)?,
        Some(_) => operand(&b_view, k.steps(&b_view), n.steps(&b_view), &k, &n, &gone)?,
    };
    let name = title(graph, node);
    if !turns.is_empty() {
        lowering.clear(&storage, &domain, Fold::Sum, &name);
    }
    let accumulate = !turns.is_empty();
    let (m, n, k) = (m.extent, n.extent, k.extent);
    let statement = ProductStatement { title: name, a, b, c, m, n, k, accumulate, origin: node.0 };
    let around = outer.iter().chain(&turns).map(|label| &labels[*label as usize]);
    let statement = looped(Statement::Product(Box::new(statement)), around)?;
    lowering.push(statement);
    lowering.spread(position)
}

/// The labels of a contraction of these operands, whose result spans these axes of the group.
fn labels(lowering: &mut KernelLowering, spec: &Contraction, (a, b): (NodeId, NodeId), domain: &[usize]) -> Vec<Label> {
    let graph = lowering.scope.graph;
    let most = spec.left.iter().chain(&spec.right).copied().max().unwrap_or(0);
    let label = |number: u8| {
        let axis_in = |labels: &[u8]| labels.iter().position(|label| *label == number);
        let size = |labels: &[u8], operand: NodeId| axis_in(labels).map(|axis| super::linear(graph.shape(operand).0[axis]));
        let size = size(&spec.left, a).or_else(|| size(&spec.right, b)).unwrap_or(Linear::fixed(1));
        let axis = axis_in(&spec.out).map(|axis| domain[axis]);
        let extent = axis.map_or(Extent::Whole(size), |axis| lowering.axes[axis].extent());
        Label { var: lowering.var(), extent, size, axis }
    };
    (0..=most).map(label).collect()
}

/// A statement with loops over these labels around it, the first of them outermost.
fn looped<'a>(statement: Statement, labels: impl DoubleEndedIterator<Item = &'a Label>) -> Result<Statement, LowerError> {
    labels.rev().try_fold(statement, |statement, label| {
        let (step, total) = match label.extent {
            Extent::Whole(size) => (1, size),
            Extent::Tile { step: 1, .. } => (1, Linear::fixed(1)),
            Extent::Tile { .. } => return Err(LowerError("a label that is looped over is cut into tiles".into())),
        };
        Ok(Statement::Tiles { var: label.var, step, total, body: vec![statement] })
    })
}

/// Labels taken together as one index.
struct Joined {
    extent: Extent,
    /// The innermost label's variable.
    inner: Option<Var>,
    /// The first digit's variable, and size and variable of each further digit, where the index has digits.
    first: Option<Var>,
    digits: Vec<(i64, Var)>,
}

impl Joined {
    /// The steps of a view in which all labels lie one after the other.
    fn even(&self, view: &View) -> Steps {
        Steps::even(self.inner.map_or(Linear::ZERO, |var| stride(view, var)))
    }
    /// The steps of the view that has digits.
    fn steps(&self, view: &View) -> Steps {
        let step = |var| stride(view, var);
        let digits = self.digits.iter().map(|&(size, var)| Digit { size, stride: step(var).constant }).collect();
        Steps { stride: self.first.map_or(Linear::ZERO, step), digits }
    }
}

/// Labels taken together; those that do not lie one after the other in all views are looped over, if there is a list of such. In the
/// view `apart` they may lie anywhere: each that does not follow begins a digit.
fn together(
    labels: &[Label],
    group: &[u8],
    views: &[&View],
    apart: Option<&View>,
    mut looped: Option<&mut Vec<u8>>,
) -> Result<Joined, LowerError> {
    let Some((&last, rest)) = group.split_last() else {
        return Ok(Joined { extent: Extent::fixed(1), inner: None, first: None, digits: Vec::new() });
    };
    let mut inner = &labels[last as usize];
    let mut joined = Joined { extent: inner.extent, inner: Some(inner.var), first: Some(inner.var), digits: Vec::new() };
    // Elements of all labels so far, and of the digit that is being made.
    let (mut block, mut digit) = (Linear::fixed(1), Linear::fixed(1));
    for (position, &number) in rest.iter().enumerate().rev() {
        let label = &labels[number as usize];
        let twice = || LowerError("sizes of a product depend on the batch twice".into());
        block = block.product(inner.size).ok_or_else(twice)?;
        digit = digit.product(inner.size).ok_or_else(twice)?;
        let follows = matches!(inner.extent, Extent::Whole(_)) && views.iter().all(|view| follows(view, label.var, inner));
        // A table of places has as many entries for every batch.
        let may_be_apart = |view: &View| {
            digit.is_fixed() && label.size.is_fixed() && !view.looks_up(label.var) && stride(view, label.var).is_fixed()
        };
        let extent = match (follows && apart.is_none_or(may_be_apart), label.extent) {
            (true, Extent::Whole(size)) => Some(Extent::Whole(block.product(size).ok_or_else(twice)?)),
            (true, Extent::Tile { tile, step, total }) if block.is_fixed() => {
                Some(Extent::Tile { tile, step: step * block.constant, total: total.times(block.constant) })
            }
            _ => None,
        };
        match (extent, looped) {
            (Some(extent), own) => {
                joined.extent = extent;
                looped = own;
            }
            (None, Some(looped)) => {
                looped.extend(&rest[..=position]);
                return Ok(joined);
            }
            (None, None) => return Err(LowerError("the summed axes of a product do not lie one after the other".into())),
        }
        if let (Some(view), Some(first)) = (apart, joined.first)
            && stride(view, first).product(digit) != Some(stride(view, label.var))
        {
            joined.digits.insert(0, (digit.constant, first));
            (joined.first, digit) = (Some(label.var), Linear::fixed(1));
        }
        inner = label;
    }
    Ok(joined)
}

/// Whether one step of `outer` is as far as all of `inner`; rows that are looked up lie anywhere.
fn follows(view: &View, outer: Var, inner: &Label) -> bool {
    if view.looks_up(outer) || view.looks_up(inner.var) {
        return false;
    }
    let (far, near) = (stride(view, outer), stride(view, inner.var));
    near.product(inner.size) == Some(far)
}

/// Words from one value of a variable to the next, those from row to row of a data set where it is looked up.
fn stride(view: &View, var: Var) -> Linear {
    match &view.table {
        Some(table) if view.looks_up(var) => Linear::fixed(table.stride),
        _ => view.stride(var),
    }
}

fn operand(view: &View, row: Steps, column: Steps, rows: &Joined, columns: &Joined, gone: &[Var]) -> Result<Operand, LowerError> {
    let mut base = view.clone();
    base.strides.retain(|(var, _)| !gone.contains(var));
    let mut looked_up = None;
    if let Some(table) = base.table.take() {
        let on = |joined: &Joined| joined.inner.is_some_and(|var| view.looks_up(var));
        let first = table.index.iter().filter(|(var, _)| !gone.contains(var)).copied().collect();
        if !on(rows) && !on(columns) {
            base.table = Some(table);
        } else {
            looked_up = Some(OperandRows { rows: table.rows, first, on_columns: on(columns) });
        }
    }
    Ok(Operand { base, row, column, rows: looked_up })
}
