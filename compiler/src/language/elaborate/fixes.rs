//! One change that compiles, for each mistake of the catalogue that has one.
//!
//! What is offered depends on the tree and on the shapes alone, so that the same help stands in the macro's message and in the
//! command's. It is checked where the cases are: every help is applied there, and the mistake must be gone.

use super::Elaborator;
use super::argument_fixes::argument_away;
use crate::base::place::Span;
use crate::graph::{Dim, Element, NodeId, Shape};
use crate::language::ast::{self, Call, Expression, ExpressionKind, Name};
use crate::language::names::nearest;
use crate::language::print;
use crate::nn::fault::{
    ARGUMENT_BOUNDS, ARGUMENT_KIND, ARGUMENT_MISSING, ARGUMENT_SURPLUS, ARGUMENT_TWICE, ARGUMENT_UNKNOWN, CLASSES_DIFFER, Detail,
    Fault, LOSS_NOT_SCALAR, NAME_TWICE, NO_DERIVATIVE, NOT_SCALED, NOT_TRAINED, SHAPES_DIFFER, SHARED_DIFFERS, STATED_TWICE,
    WRONG_AXIS, WRONG_ELEMENT, WRONG_RANK,
};
use crate::nn::network::shape_text;
use crate::nn::{self, Family, Parameter, Receiver};

/// Where a fault stands in the tree.
#[derive(Clone, Copy, Default)]
pub(super) struct Site<'s> {
    pub call: Option<&'s Call>,
    pub parameters: &'s [Parameter],
    /// 1 if the call's first argument is the value that it is called on.
    pub skipped: usize,
    /// The argument that is wrong.
    pub argument: Option<&'s ast::Argument>,
    /// The expression that is wrong: an operation, what is minimised.
    pub whole: Option<&'s Expression>,
}

/// A help line and the edit that it means.
pub(super) struct Change {
    pub help: String,
    pub span: Span,
    pub text: String,
}

impl Change {
    pub(super) fn new(help: impl Into<String>, span: Span, text: impl Into<String>) -> Change {
        Change { help: help.into(), span, text: text.into() }
    }

    pub(super) fn write(span: Span, text: impl Into<String>) -> Change {
        let text = text.into();
        Change { help: format!("write `{text}`"), span, text }
    }
}

/// The empty place before something.
pub(super) fn before(span: Span) -> Span {
    Span::new(span.start(), span.start())
}

/// The empty place before the last character of something, its closing bracket.
pub(super) fn before_end(span: Span) -> Span {
    let (line, column) = span.end();
    let place = (line, column.saturating_sub(1));
    Span::new(place, place)
}

/// The shape of classes as it is written: nothing where there is one a row.
fn rows_of_classes(shape: &Shape) -> String {
    if shape.rank() == 1 { String::new() } else { shape_text(shape) }
}

impl<'a> Elaborator<'a> {
    /// The changes that may be offered for a fault, the likeliest first. `given` is the word that was written.
    pub(super) fn changes(&self, fault: &Fault, span: Span, given: &str, site: &Site) -> Vec<Change> {
        let [first, second] = self.width_changes(fault);
        let all = match fault.code {
            CLASSES_DIFFER => {
                vec![self.one_class(fault, site), first, second, self.classes_change(fault), self.two_classes(fault, site)]
            }
            SHAPES_DIFFER if *fault.detail() == Detail::Elementwise && self.is_class(fault.other) => {
                vec![self.by_class(fault, site), self.like_the_value(fault)]
            }
            SHAPES_DIFFER if site.call.is_some_and(|call| call.name.text == "matmul") => {
                vec![first, second, self.row_by_matrices(fault, site), self.fitted_change(fault, site)]
            }
            SHAPES_DIFFER
                if fault.other.is_some_and(|other| matches!(self.network.builder.ty(other).element, Element::Class(_))) =>
            {
                vec![self.classes_change(fault)]
            }
            SHAPES_DIFFER => vec![first, second, self.declared_change(fault), self.fitted_change(fault, site)],
            _ => vec![self.change(fault, span, given, site)],
        };
        self.swapped(site).into_iter().chain(all.into_iter().flatten()).collect()
    }

    fn change(&self, fault: &Fault, span: Span, given: &str, site: &Site) -> Option<Change> {
        // What the call has already is not what was meant.
        let is_given = |name: &&str| {
            fault.code == ARGUMENT_UNKNOWN
                && site.call.is_some_and(|call| {
                    call.arguments.iter().any(|one| one.name.as_ref().is_some_and(|given| given.text == *name))
                })
        };
        let near = nearest(given, fault.candidates().iter().copied().filter(|name| !is_given(name)));
        match fault.code {
            WRONG_RANK => self.rank_change(fault, site),
            WRONG_ELEMENT => self.element_change(fault, site),
            LOSS_NOT_SCALAR => site.whole.map(|whole| Change::write(whole.span, print::expression(&called(whole, "mean")))),
            WRONG_AXIS => site.argument.map(|argument| Change::new("write `-1`, the last axis", argument.value.span, "-1")),
            SHARED_DIFFERS => self.shared_change(fault),
            NOT_TRAINED => self.freezing(fault, "use its layer in what is minimised, remove it, or freeze it: `frozen = true`"),
            NO_DERIVATIVE => self.slope_change(fault),
            NOT_SCALED => scaling_change(fault, site),
            STATED_TWICE => self.statement_away(span),
            NAME_TWICE => {
                let free = self.free_name(given);
                Some(Change::new(format!("give it another name, such as `{free}`"), span, free))
            }
            ARGUMENT_MISSING => self.argument_added(fault, site),
            ARGUMENT_SURPLUS | ARGUMENT_TWICE => site.argument.and_then(|argument| argument_away(site.call?, argument)),
            ARGUMENT_UNKNOWN => match near {
                Some(near) => Some(Change::write(span, near)),
                None => site.argument.and_then(|argument| argument_away(site.call?, argument)),
            },
            ARGUMENT_KIND | ARGUMENT_BOUNDS => match near {
                Some(near) => Some(Change::write(span, near)),
                None => self.argument_change(fault, site),
            },
            _ => near.map(|near| Change::write(span, near)).or_else(|| self.pattern_change(fault, span)),
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
        let (own, argument) = (self.receiver_of(site)?, &site.call?.arguments.get(site.skipped)?.value);
        let own = match &own.kind {
            ExpressionKind::Binary { .. } | ExpressionKind::Unary { .. } => format!("({})", print::expression(own)),
            _ => print::expression(own),
        };
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
        let rows = rows_of_classes(&shape.without(&[shape.rank() - 1]));
        self.declared_as(target, format!("class({count}){rows}"))
    }

    /// Two classes for a loss between no and yes.
    fn two_classes(&self, fault: &Fault, site: &Site) -> Option<Change> {
        let target = fault.other.filter(|_| site.call.is_some_and(|call| call.name.text == "binary_cross_entropy"))?;
        self.declared_as(target, format!("class(2){}", rows_of_classes(self.network.builder.graph().shape(target))))
    }

    /// The declaration of an input or target, with another type.
    fn declared_as(&self, node: NodeId, text: String) -> Option<Change> {
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
            let fitted = print::expression(right);
            let fitted = if matches!(right.kind, ExpressionKind::Binary { .. }) { format!("({fitted})") } else { fitted };
            return Some(Change::write(right.span, fitted + "." + &adapter(&theirs, &ours)?));
        }
        let call = site.call?;
        let wanted = match call.name.text.as_str() {
            // The last axis meets the last but one.
            "matmul" => {
                let (kept, from) = (ours.0.split_last()?.1, theirs.rank().checked_sub(2)?);
                Shape(kept.iter().chain([&theirs.0[from]]).copied().collect())
            }
            _ => theirs,
        };
        self.inserted(site, &adapter(&ours, &wanted)?)
    }

    /// A call put between a call and the value that it is called on.
    fn inserted(&self, site: &Site, link: &str) -> Option<Change> {
        let call = site.call?;
        let help = format!("write `.{link}` before `{}`", call.name.text);
        if site.skipped == 0 {
            return Some(Change::new(help, before(call.name.span), format!("{link}.")));
        }
        let first = &call.arguments.first()?.value;
        let text = print::expression(first);
        let text = if matches!(first.kind, ExpressionKind::Binary { .. }) { format!("({text})") } else { text };
        Some(Change::new(help, first.span, format!("{text}.{link}")))
    }

    /// A receiver of another rank, read as rows of the rank that is needed.
    fn rank_change(&self, fault: &Fault, site: &Site) -> Option<Change> {
        if let Some(lengths) = fault.other {
            return self.declared_as(lengths, "u32[batch]".to_owned());
        }
        let shape = self.network.builder.graph().shape(fault.value?);
        let count = shape.has_batch().then(|| shape.fixed_count())?;
        let (short, long) = nearly_square(count);
        let sizes = match fault.detail() {
            Detail::Images => format!("1, {short}, {long}"),
            Detail::Steps => format!("{short}, {long}"),
            _ => count.to_string(),
        };
        self.inserted(site, &format!("reshape([{sizes}])"))
    }

    /// Classes where numbers are needed, or numbers where classes are.
    fn element_change(&self, fault: &Fault, site: &Site) -> Option<Change> {
        let node = fault.value?;
        let ty = self.network.builder.ty(node);
        if let (Element::Bool, Some(ExpressionKind::Binary { left, right, .. })) =
            (ty.element, site.whole.map(|whole| &whole.kind))
        {
            let condition = [left, right].into_iter().find(|side| self.node_of(side) == Some(node))?;
            return Some(Change::write(condition.span, format!("where({}, 1, 0)", print::expression(condition))));
        }
        let name = site.call?.name.text.as_str();
        let is_scaling = matches!(name, "standardize" | "rescale");
        match ty.element {
            Element::Class(_) if is_scaling => self.receiver_alone(site),
            Element::Class(_) => self.inserted(site, "one_hot()"),
            Element::F32 if name == "where" => {
                let receiver = self.receiver_of(site)?;
                Some(Change::write(receiver.span, format!("({} > 0)", print::expression(receiver))))
            }
            Element::F32 => {
                let rows = if ty.shape.rank() == 1 { String::new() } else { shape_text(&ty.shape) };
                self.declared_as(node, format!("class(10){rows}"))
            }
            // Whole numbers of which nobody said how many there are.
            Element::I32 | Element::U32 if self.reads_classes(name) => {
                let rows = if ty.shape.rank() == 1 { String::new() } else { shape_text(&ty.shape) };
                self.declared_as(node, format!("class(10){rows}"))
            }
            _ => self.declared_as(node, shape_text(&ty.shape)),
        }
    }

    fn reads_classes(&self, name: &str) -> bool {
        nn::function(name).is_some_and(|known| known.receiver == Receiver::Index)
    }

    /// The value that the site's call is called on.
    fn receiver_of<'s>(&self, site: &Site<'s>) -> Option<&'s Expression> {
        match site.skipped {
            0 => match &site.whole?.kind {
                ExpressionKind::Method { receiver, .. } => Some(receiver),
                _ => None,
            },
            _ => site.call?.arguments.first().map(|argument| &argument.value),
        }
    }

    fn receiver_alone(&self, site: &Site) -> Option<Change> {
        let receiver = self.receiver_of(site)?;
        let help = format!("leave `{}` out", site.call?.name.text);
        Some(Change::new(help, site.whole?.span, print::expression(receiver)))
    }

    /// A shared layer needs the width of its first use at each.
    fn shared_change(&self, fault: &Fault) -> Option<Change> {
        let (span, name) = self.frames.iter().rev().find_map(|frame| frame.call)?;
        let known = self.network.parameters.iter().find(|known| Some(known.node) == fault.other)?;
        let Dim::Fixed(width) = *known.shape.0.first()? else { return None };
        let link = format!("dense({width})");
        let help = format!("write `.{link}` before `{name}`");
        let bytes = self.source.bytes(span)?;
        if self.source.text()[..bytes.start].ends_with('.') {
            return Some(Change::new(help, before(span), format!("{link}.")));
        }
        let inside = self.source.text()[bytes].strip_prefix(name)?.strip_prefix('(')?.strip_suffix(')')?;
        Some(Change::new(help, span, format!("{name}(({inside}).{link})")))
    }

    /// A loss in place of a metric, which has no slope; else a layer that is kept as it is.
    fn slope_change(&self, fault: &Fault) -> Option<Change> {
        let Detail::Flat { primitive, path, .. } = fault.detail() else { return None };
        if self.network.uses.iter().any(|one| one.function.family == Family::Metric && one.path == *path) {
            let lowered = self.written?.statements.iter().find_map(|statement| match &statement.kind {
                ast::StatementKind::Minimize(value) => Some(value.span),
                _ => None,
            });
            return Some(Change::write(lowered?, self.some_loss()?));
        }
        let help = format!("take something with a slope in place of `{primitive}`, or freeze the layer: `frozen = true`");
        self.freezing(fault, &help)
    }

    /// A layer that is kept as it is.
    fn freezing(&self, fault: &Fault, help: &str) -> Option<Change> {
        let span = self.made.get(&fault.value?)?.span;
        let text = &self.source.text()[self.source.bytes(span)?];
        let inside = text.strip_suffix(')')?.split_once('(')?.1;
        let comma = if inside.trim().is_empty() { "" } else { ", " };
        Some(Change::new(help, before_end(span), format!("{comma}frozen = true")))
    }

    /// The whole statement in which something stands, away.
    pub(super) fn statement_away(&self, span: Span) -> Option<Change> {
        let statement = self.statement_at(span)?;
        Some(Change::new("take this statement away", statement.span, ""))
    }
}

/// `x.name()`
pub(super) fn called(receiver: &Expression, name: &str) -> Expression {
    let name = Name { text: name.to_owned(), span: Span::UNKNOWN };
    let call = Call { name, arguments: Vec::new(), span: Span::UNKNOWN };
    Expression { kind: ExpressionKind::Method { receiver: Box::new(receiver.clone()), call }, span: receiver.span }
}

/// What is scaled is an input or target itself; what is restored was scaled.
fn scaling_change(fault: &Fault, site: &Site) -> Option<Change> {
    let call = site.call?;
    match (&site.whole?.kind, fault.other) {
        (ExpressionKind::Method { receiver, .. }, Some(_)) => {
            let help = "leave `restore` out, or scale the target first: `y.standardize()`";
            Some(Change::new(help, site.whole?.span, print::expression(receiver)))
        }
        _ => Some(Change::new("scale the input itself, or write `batch_norm()` here", call.span, "batch_norm()")),
    }
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
