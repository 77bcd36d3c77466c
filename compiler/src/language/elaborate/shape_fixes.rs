//! One change that compiles, for shapes and classes that do not fit.

use super::Elaborator;
use super::argument_fixes::argument_away;
use super::fixes::{Change, Site, operand};
use crate::graph::{Dim, Element, NodeId, Shape};
use crate::language::ast::ExpressionKind;
use crate::language::print;
use crate::nn::fault::{CLASSES_DIFFER, Detail, Fault, SHAPES_DIFFER};
use crate::nn::network::shape_text;
use crate::nn::{self, Family};

impl<'a> Elaborator<'a> {
    /// The changes that may be offered for two values that do not fit, the likeliest first.
    pub(super) fn shape_changes(&self, fault: &Fault, site: &Site) -> Vec<Option<Change>> {
        let [first, second] = self.width_changes(fault);
        match fault.code {
            CLASSES_DIFFER => {
                let (one, several) = (self.one_class(fault, site), self.by_class(fault, site));
                vec![one, several, first, second, self.classes_change(fault), self.two_classes(fault, site)]
            }
            SHAPES_DIFFER if *fault.detail() == Detail::Elementwise && self.is_class(fault.other) => {
                vec![self.by_class(fault, site), self.like_the_value(fault)]
            }
            SHAPES_DIFFER
                if *fault.detail() == Detail::Elementwise && site.call.is_some_and(|call| call.name.text == "cross_entropy") =>
            {
                vec![self.classes_of_numbers(fault), first, second, self.declared_change(fault)]
            }
            SHAPES_DIFFER if *fault.detail() == Detail::RowsByRows => vec![self.row_by_row(site)],
            // Layers before the call would change the value that it is called on, and not what is laid beside it.
            SHAPES_DIFFER if matches!(fault.argument.as_deref(), Some("weights" | "mask")) => {
                let one_a_row = fault.other.and_then(|weights| self.declared_as(weights, "[batch]".to_owned()));
                let away = site.call.zip(site.argument).and_then(|(call, argument)| argument_away(call, argument));
                vec![one_a_row, away]
            }
            SHAPES_DIFFER if site.call.is_some_and(|call| call.name.text == "matmul") => {
                vec![first, second, self.row_by_matrices(fault, site), self.fitted_change(fault, site)]
            }
            SHAPES_DIFFER
                if fault.other.is_some_and(|other| matches!(self.network.builder.ty(other).element, Element::Class(_))) =>
            {
                vec![self.one_hot_change(fault, site), self.classes_change(fault)]
            }
            _ => vec![first, second, self.declared_change(fault), self.parameter_change(fault), self.fitted_change(fault, site)],
        }
    }

    fn is_class(&self, node: Option<NodeId>) -> bool {
        node.is_some_and(|node| matches!(self.network.builder.ty(node).element, Element::Class(_)))
    }

    /// A value for each class beside a class: the loss for that.
    fn by_class(&self, fault: &Fault, site: &Site) -> Option<Change> {
        let (value, target) = (fault.value?, fault.other?);
        let Element::Class(count) = self.network.builder.ty(target).element else { return None };
        let graph = self.network.builder.graph();
        let (last, rows) = graph.shape(value).0.split_last()?;
        let fits = count > 1 && *last == Dim::Fixed(count as usize) && rows == graph.shape(target).0;
        let name = &site.call?.name;
        let is_loss = nn::function(&name.text).is_some_and(|known| known.family == Family::Loss);
        (fits && is_loss).then(|| Change::write(name.span, "cross_entropy"))
    }

    /// The declaration of a target as numbers of the value's shape.
    fn like_the_value(&self, fault: &Fault) -> Option<Change> {
        let shape = self.network.builder.graph().shape(fault.value?);
        shape.has_batch().then(|| self.declared_as(fault.other?, shape_text(shape)))?
    }

    /// One value says yes or no, which is no choice among classes.
    fn one_class(&self, fault: &Fault, site: &Site) -> Option<Change> {
        let (value, target, name) = (fault.value?, fault.other?, &site.call?.name);
        let graph = self.network.builder.graph();
        let is_one = graph.shape(value).0.last() == Some(&Dim::Fixed(1)) && graph.shape(value) == graph.shape(target);
        (name.text == "cross_entropy" && is_one).then(|| Change::write(name.span, "binary_cross_entropy"))
    }

    /// Each row with its own in place of each with each other: the sum that stands on the diagonal of the product.
    fn row_by_row(&self, site: &Site) -> Option<Change> {
        let right = &site.call?.arguments.get(site.skipped)?.value;
        let right = match &right.kind {
            ExpressionKind::Method { receiver, call } if call.name.text == "transpose" => receiver,
            ExpressionKind::Call(call) if call.name.text == "transpose" => &call.arguments.first()?.value,
            _ => return None,
        };
        let text = format!("sum({} * {}, axis = 1)", operand(self.receiver_of(site)?), operand(right));
        let help = format!("rows come in batches and know nothing of one another: `{text}` is each with its own");
        Some(Change::new(help, site.whole?.span, text))
    }

    /// A row for each of several matrices: a matrix of one row, and a row again behind the product.
    fn row_by_matrices(&self, fault: &Fault, site: &Site) -> Option<Change> {
        let (value, other) = (fault.value?, fault.other?);
        let (ours, theirs) = (self.network.builder.shape(value), self.network.builder.shape(other));
        let ((k, lead), (j, before)) = (ours.0.split_last()?, theirs.0.split_last()?);
        let (from, theirs_lead) = before.split_last()?;
        if theirs_lead != lead || lead.first() != Some(&Dim::Batch) {
            return None;
        }
        let list = |dims: &[&[Dim]]| dims.concat().iter().map(Dim::to_string).collect::<Vec<_>>().join(", ");
        let (own, argument) = (operand(self.receiver_of(site)?), &site.call?.arguments.get(site.skipped)?.value);
        let dense = if k == from { String::new() } else { format!(".dense({from})") };
        let (row, back) = (list(&[&lead[1..], &[Dim::Fixed(1), *from]]), list(&[&lead[1..], &[*j]]));
        let argument = print::expression(argument);
        Some(Change::write(site.whole?.span, format!("{own}{dense}.reshape([{row}]).matmul({argument}).reshape([{back}])")))
    }

    /// Another number of classes in the declaration; for a value that says yes or no, numbers.
    fn classes_change(&self, fault: &Fault) -> Option<Change> {
        let (logits, target) = (fault.value?, fault.other?);
        let shape = self.network.builder.graph().shape(logits);
        let Dim::Fixed(count) = *shape.0.last()? else { return None };
        if count == 1 {
            return self.like_the_value(fault);
        }
        let rows = shape.without(&[shape.rank() - 1]);
        rows.has_batch().then(|| self.declared_as(target, format!("class({count}){}", rows_of_classes(&rows))))?
    }

    /// Classes in arithmetic: numbers of the other side's width.
    fn one_hot_change(&self, fault: &Fault, site: &Site) -> Option<Change> {
        let ExpressionKind::Binary { right, .. } = &site.whole?.kind else { return None };
        let Dim::Fixed(width) = *self.network.builder.graph().shape(fault.value?).0.last()? else { return None };
        Some(Change::write(right.span, format!("{}.one_hot().dense({width})", operand(right))))
    }

    /// A parameter of one's own beside a value: with the shape of a row.
    fn parameter_change(&self, fault: &Fault) -> Option<Change> {
        let (value, other) = (fault.value?, fault.other?);
        let own = |node: NodeId| self.network.parameters.iter().find(|known| known.node == node && !known.name.contains('.'));
        let (known, beside) = own(other).map(|known| (known, value)).or_else(|| own(value).map(|known| (known, other)))?;
        let shape = self.network.builder.graph().shape(beside);
        let row = Shape(shape.0.iter().filter(|dim| **dim != Dim::Batch).copied().collect());
        let text = shape_text(&row);
        Some(Change::new(format!("declare `{}` as `{text}`", known.name), self.made.get(&known.node)?.span, text))
    }

    /// One number a row is no distribution over classes: its declaration as a class.
    fn classes_of_numbers(&self, fault: &Fault) -> Option<Change> {
        let shape = |node: NodeId| self.network.builder.graph().shape(node);
        let (rows, target) = (shape(fault.value?).0.split_last()?.1, &shape(fault.other?).0[..]);
        let is_one = target == rows || target.split_last() == Some((&Dim::Fixed(1), rows));
        is_one.then(|| self.classes_change(fault))?
    }

    /// Two classes for a loss between no and yes.
    fn two_classes(&self, fault: &Fault, site: &Site) -> Option<Change> {
        let target = fault.other.filter(|_| site.call.is_some_and(|call| call.name.text == "binary_cross_entropy"))?;
        self.declared_as(target, format!("class(2){}", rows_of_classes(self.network.builder.graph().shape(target))))
    }

    /// The declaration of an input or target, with another type.
    pub(super) fn declared_as(&self, node: NodeId, text: String) -> Option<Change> {
        let mut sources = self.network.inputs.iter().chain(&self.network.targets);
        let source = sources.find(|source| source.node == node)?;
        let span = self.made.get(&node)?.span;
        Some(Change::new(format!("declare `{}` as `{text}`", source.name), span, text))
    }

    /// Two values of which one is declared: with the shape of the other.
    fn declared_change(&self, fault: &Fault) -> Option<Change> {
        let (value, other) = (fault.value?, fault.other?);
        let ty = |node: NodeId| self.network.builder.ty(node);
        match ty(other).element {
            _ if ty(value).shape.rank().abs_diff(ty(other).shape.rank()) == 1 && ty(value).shape.has_batch() => {
                self.declared_as(other, shape_text(&ty(value).shape))
            }
            _ => None,
        }
    }

    /// One of two values brought to the other's shape, where it is used.
    fn fitted_change(&self, fault: &Fault, site: &Site) -> Option<Change> {
        if let Some(call) = site.call.filter(|call| call.name.text == "reshape") {
            let sizes = &call.arguments.get(site.skipped)?.value;
            let count = self.network.builder.graph().shape(fault.value?).fixed_count();
            return Some(Change::write(sizes.span, format!("[{count}]")));
        }
        let (value, other) = (fault.value?, fault.other?);
        let (ours, theirs) = (self.network.builder.shape(value), self.network.builder.shape(other));
        if let Some(ExpressionKind::Binary { right, .. }) = site.whole.map(|whole| &whole.kind) {
            return Some(Change::write(right.span, operand(right) + "." + &adapter(&theirs, &ours)?));
        }
        let call = site.call?;
        let wanted = match call.name.text.as_str() {
            // The last axis meets the last but one.
            "matmul" => {
                let (kept, from) = (ours.0.split_last()?.1, theirs.0[theirs.rank().checked_sub(2)?]);
                Shape(kept.iter().copied().chain([from].into_iter().filter(|from| *from != Dim::Batch)).collect())
            }
            _ => theirs,
        };
        self.inserted(site, &adapter(&ours, &wanted)?)
    }

    /// A receiver of another rank, read as rows of the rank that is needed.
    pub(super) fn rank_change(&self, fault: &Fault, site: &Site) -> Option<Change> {
        if let Some(lengths) = fault.other {
            return self.declared_as(lengths, "u32[batch]".to_owned());
        }
        let shape = self.network.builder.graph().shape(fault.value?);
        let count = (shape.0.first() == Some(&Dim::Batch)).then(|| shape.fixed_count())?;
        let (short, long) = nearly_square(count);
        let sizes = match fault.detail() {
            Detail::Images => format!("1, {short}, {long}"),
            Detail::Steps => format!("{short}, {long}"),
            _ => count.to_string(),
        };
        self.inserted(site, &format!("reshape([{sizes}])"))
    }
}

/// The shape of classes as it is written: nothing where there is one a row.
fn rows_of_classes(shape: &Shape) -> String {
    if shape.rank() == 1 { String::new() } else { shape_text(shape) }
}

/// The calls that bring a value of one shape to another.
fn adapter(from: &Shape, to: &Shape) -> Option<String> {
    let (Some((Dim::Batch, from_row)), Some((Dim::Batch, to_row))) = (from.0.split_first(), to.0.split_first()) else {
        return None;
    };
    let to_sizes: Vec<String> = to_row.iter().map(Dim::to_string).collect();
    let (last, rest) = to_row.split_last()?;
    Some(match () {
        () if from_row.split_last().is_some_and(|(_, others)| others == rest) => format!("dense({last})"),
        () if from.fixed_count() == to.fixed_count() => format!("reshape([{}])", to_sizes.join(", ")),
        () if rest.is_empty() => format!("flatten().dense({last})"),
        () => format!("flatten().dense({}).reshape([{}])", to.fixed_count(), to_sizes.join(", ")),
    })
}

/// The two factors of a number that lie nearest to one another.
fn nearly_square(count: usize) -> (usize, usize) {
    let mut short = count.isqrt().max(1);
    while !count.is_multiple_of(short) {
        short -= 1;
    }
    (short, count / short)
}
