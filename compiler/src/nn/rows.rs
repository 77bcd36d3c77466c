//! What a value owes to which rows of a batch.
//!
//! Rows come in chunks: an epoch in batches, an evaluation in pieces that fit the caches. A measure has a value for all rows together if it
//! is a mean over rows (chunks are weighed), or a formula of means and sums over rows: then the means and sums are combined, and the formula
//! is taken of what comes out. A prediction has one if each row's follows from that row alone.

use super::Network;
use super::parameters::Aggregate;
use crate::aggregate::{Combination, Formula, given, ratio};
use crate::graph::{Attributes, BuildError, Dim, Element, Graph, Node, NodeId};
use crate::ops::{self, Fold, Lowering, Primitive};
use std::collections::BTreeMap;

/// How a value hangs on the rows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    /// Not at all.
    Fixed,
    /// It has an axis of rows.
    Rows,
    /// It is a sum over rows.
    Sum,
    /// It is a multiple of their number.
    Count,
    /// It is a multiple of one over their number.
    Share,
    /// It is a mean over rows.
    Mean,
    /// In another way.
    Other,
}

/// How the nodes of a graph hang on the rows.
#[derive(Debug)]
pub(crate) struct RowsOf<'a> {
    graph: &'a Graph,
    kinds: Vec<Kind>,
    /// Whether a row's value owes something to other rows.
    mixes: Vec<bool>,
}

/// Nodes of a formula at most that is taken of means and sums.
const MOST_NODES: usize = 64;

impl<'a> RowsOf<'a> {
    /// Looks at all nodes up to `last`.
    pub fn up_to(graph: &'a Graph, last: NodeId) -> Self {
        let mut this = RowsOf { graph, kinds: Vec::new(), mixes: Vec::new() };
        for node in &graph.nodes[..=last.index()] {
            let kind = this.kind_of(node);
            let from_above = node.operands.iter().any(|operand| this.mixes[operand.index()]);
            let mixes = from_above || kind == Kind::Rows && this.spreads(node);
            this.kinds.push(kind);
            this.mixes.push(mixes);
        }
        this
    }

    /// Whether a value, with an axis of rows or without, is the same in whatever chunks the rows come.
    pub fn stands_alone(&self, node: NodeId) -> bool {
        matches!(self.kinds[node.index()], Kind::Fixed | Kind::Rows) && !self.mixes[node.index()]
    }

    fn kind(&self, node: NodeId) -> Kind {
        self.kinds[node.index()]
    }

    /// Whether rows get something of what all of them have been folded to, or their own number.
    fn spreads(&self, node: &Node) -> bool {
        let folded = |operand: &NodeId| !matches!(self.kind(*operand), Kind::Fixed | Kind::Rows);
        let counts_rows = match (node.primitive, &node.attributes) {
            (Primitive::Iota, Attributes::Axis(axis)) => node.ty.shape.0.get(*axis) == Some(&Dim::Batch),
            _ => false,
        };
        counts_rows || node.operands.iter().any(folded)
    }

    fn kind_of(&self, node: &Node) -> Kind {
        if node.ty.shape.has_batch() {
            return Kind::Rows;
        }
        let kinds: Vec<Kind> = node.operands.iter().map(|operand| self.kind(*operand)).collect();
        if node.primitive == Primitive::BatchSize {
            return Kind::Count;
        }
        if kinds.iter().all(|kind| *kind == Kind::Fixed) {
            return Kind::Fixed;
        }
        match &ops::record(node.primitive).lowering {
            // What is linear in each of two operands.
            Lowering::Contract if kinds.iter().all(|kind| matches!(kind, Kind::Fixed | Kind::Rows)) => Kind::Sum,
            Lowering::Contract => scaled(&kinds),
            Lowering::Reduce(Fold::Sum) if kinds == [Kind::Rows] => Kind::Sum,
            Lowering::Reduce(Fold::Sum) | Lowering::View => self.linear(&kinds),
            Lowering::Pointwise(_) => match node.primitive {
                Primitive::Neg | Primitive::StopGradient => self.linear(&kinds),
                Primitive::Cast if node.ty.element.is_real() => self.linear(&kinds),
                Primitive::Add | Primitive::Sub => self.linear(&kinds),
                Primitive::Mul => scaled(&kinds),
                Primitive::Div => divided(&kinds),
                _ => Kind::Other,
            },
            _ => Kind::Other,
        }
    }

    /// What adding up makes of kinds.
    fn linear(&self, kinds: &[Kind]) -> Kind {
        let all = |of: &[Kind]| kinds.iter().all(|kind| of.contains(kind));
        match kinds {
            [one @ (Kind::Count | Kind::Share)] => *one,
            _ if all(&[Kind::Sum, Kind::Count]) => Kind::Sum,
            _ if all(&[Kind::Mean, Kind::Fixed]) => Kind::Mean,
            _ => Kind::Other,
        }
    }

    /// How the values of a scalar combine that is no mean over rows itself, but a formula of means and sums; with the means and sums.
    fn combination(&self, scalar: NodeId) -> Option<(Combination, Vec<NodeId>)> {
        let graph = self.graph;
        let is_part = |node: NodeId| self.kind(node) != Kind::Other && self.kind(node) != Kind::Share;
        let mut inside = Vec::new();
        let mut parts = Vec::new();
        let mut open = vec![scalar];
        while let Some(node) = open.pop() {
            if graph.shape(node).rank() > 0 || inside.len() > MOST_NODES {
                return None;
            }
            if graph.constant(node).is_some() || inside.contains(&node) || parts.contains(&node) {
                continue;
            }
            if is_part(node) {
                parts.push(node);
            } else {
                inside.push(node);
                open.extend(graph.node(node).operands.iter().rev());
            }
        }
        let rows = parts.len();
        let mut formulas: BTreeMap<NodeId, Formula> = BTreeMap::new();
        for (place, part) in parts.iter().enumerate() {
            let sum = given(place);
            let is_sum = matches!(self.kind(*part), Kind::Sum | Kind::Count);
            formulas.insert(*part, if is_sum { sum } else { ratio(sum, given(rows)) });
        }
        inside.sort();
        for node in inside {
            let of = |operand: &NodeId| graph.constant(*operand).map(Formula::Number).or_else(|| formulas.get(operand).cloned());
            let operands: Option<Vec<Formula>> = graph.node(node).operands.iter().map(of).collect();
            formulas.insert(node, formula(graph.node(node), operands?)?);
        }
        let value = formulas.remove(&scalar)?;
        let names: Vec<String> = (0..parts.len()).map(|part| format!("part_{part}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        // A chunk gives out its value, its parts and its rows.
        let all = given(parts.len() + 1);
        let sum = |(place, part): (usize, &NodeId)| match self.kind(*part) {
            Kind::Sum | Kind::Count => given(1 + place),
            _ => given(1 + place) * all.clone(),
        };
        let sums = parts.iter().enumerate().map(sum).chain([all.clone()]).collect();
        Some((Combination::pooled(&names, 1, sums, value), parts))
    }
}

/// What a product makes of kinds.
fn scaled(kinds: &[Kind]) -> Kind {
    match kinds {
        [one, Kind::Fixed] | [Kind::Fixed, one] if *one != Kind::Rows => *one,
        [Kind::Sum | Kind::Count, Kind::Share] | [Kind::Share, Kind::Sum | Kind::Count] => Kind::Mean,
        _ => Kind::Other,
    }
}

/// What a quotient makes of kinds.
fn divided(kinds: &[Kind]) -> Kind {
    match kinds {
        [one, Kind::Fixed] if *one != Kind::Rows => *one,
        [Kind::Fixed, Kind::Count] => Kind::Share,
        [Kind::Sum | Kind::Count, Kind::Count] => Kind::Mean,
        _ => Kind::Other,
    }
}

/// The formula of a scalar node, if formulas have its like.
fn formula(node: &Node, operands: Vec<Formula>) -> Option<Formula> {
    let mut operands = operands.into_iter();
    let (first, second) = (operands.next()?, operands.next());
    let boxed = Box::new;
    Some(match (node.primitive, second) {
        (Primitive::StopGradient, None) => first,
        (Primitive::Cast, None) if node.ty.element.is_real() => first,
        (Primitive::Neg, None) => Formula::Number(0.0) - first,
        (Primitive::Abs, None) => Formula::Abs(boxed(first)),
        (Primitive::Sqrt, None) => Formula::Sqrt(boxed(first)),
        (Primitive::Exp, None) => Formula::Exp(boxed(first)),
        (Primitive::Add, Some(second)) => first + second,
        (Primitive::Sub, Some(second)) => first - second,
        (Primitive::Mul, Some(second)) => first * second,
        (Primitive::Div, Some(second)) => Formula::Div(boxed(first), boxed(second)),
        _ => return None,
    })
}

impl Network {
    /// How a measure combines over chunks of rows, found out where its maker has not said so; a mean over rows needs nothing. And whether an
    /// evaluation in chunks then gives the value of all its rows.
    pub(super) fn combined(&mut self, scalar: NodeId) -> Result<(Option<Aggregate>, bool), BuildError> {
        if let Some(known) = self.aggregate(scalar) {
            return Ok((Some(known), true));
        }
        let rows = RowsOf::up_to(self.builder.graph(), scalar);
        let is_whole = !rows.mixes[scalar.index()];
        if matches!(rows.kind(scalar), Kind::Fixed | Kind::Mean) {
            return Ok((None, is_whole));
        }
        let Some((combination, parts)) = rows.combination(scalar) else { return Ok((None, false)) };
        let parts = parts.into_iter().map(|part| self.builder.cast(part, Element::F32)).collect::<Result<_, _>>()?;
        Ok((Some(Aggregate { combination, parts }), is_whole))
    }
}
