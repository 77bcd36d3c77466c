//! One change that compiles, for each mistake of the catalogue that has one.
//!
//! What is offered depends on the tree and on the shapes alone, so that the same help stands in the macro's message and in the
//! command's. It is checked where the cases are: every help is applied there, and the mistake must be gone.

use super::Elaborator;
use super::argument_fixes::argument_away;
use super::arguments::matched;
use super::foreign::optimizer_elsewhere;
use crate::base::names::nearest;
use crate::base::place::Span;
use crate::graph::{Dim, Element};
use crate::language::ast::{self, Call, Expression, ExpressionKind, Name};
use crate::language::print;
use crate::nn::fault::{
    ARGUMENT_BOUNDS, ARGUMENT_KIND, ARGUMENT_MISSING, ARGUMENT_SURPLUS, ARGUMENT_TWICE, ARGUMENT_UNKNOWN, CLASSES_DIFFER, Detail,
    Fault, LOSS_NOT_SCALAR, NAME_TWICE, NO_DERIVATIVE, NOT_SCALED, NOT_TRAINED, SHAPES_DIFFER, SHARED_DIFFERS, STATED_TWICE,
    WRONG_AXIS, WRONG_ELEMENT, WRONG_RANK,
};
use crate::nn::network::shape_text;
use crate::nn::{self, Family, Kind, Parameter, Receiver};

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

impl<'a> Elaborator<'a> {
    /// The changes that may be offered for a fault, the likeliest first. `given` is the word that was written.
    pub(super) fn changes(&self, fault: &Fault, span: Span, given: &str, site: &Site) -> Vec<Change> {
        let all = match fault.code {
            CLASSES_DIFFER | SHAPES_DIFFER => self.shape_changes(fault, site),
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
            ARGUMENT_SURPLUS | ARGUMENT_TWICE => sizes_joined(site).or_else(|| argument_away(site.call?, site.argument?)),
            ARGUMENT_UNKNOWN => {
                let elsewhere = site.argument.and_then(|argument| optimizer_elsewhere(site.call?, argument));
                let near = || near.map(|near| Change::write(span, near));
                let meant = || site.argument.and_then(|argument| self.meant_elsewhere(site.call?, argument));
                let missing = || Some(Change::write(span, missing_parameter(site)?));
                elsewhere.or_else(near).or_else(meant).or_else(missing).or_else(|| argument_away(site.call?, site.argument?))
            }
            ARGUMENT_KIND | ARGUMENT_BOUNDS => match near {
                Some(near) => Some(Change::write(span, near)),
                None => self.argument_change(fault, site),
            },
            _ => {
                let near = near.map(|near| Change::write(span, near));
                let flag = || site.argument.and_then(|argument| flag_given(site, argument));
                let meant = || site.argument.and_then(|argument| self.meant_elsewhere(site.call?, argument));
                let pattern = || self.pattern_change(fault, span);
                near.or_else(flag).or_else(meant).or_else(pattern).or_else(|| one_of(fault, span))
            }
        }
    }

    /// A call put between a call and the value that it is called on.
    pub(super) fn inserted(&self, site: &Site, link: &str) -> Option<Change> {
        let call = site.call?;
        let help = format!("write `.{link}` before `{}`", call.name.text);
        if site.skipped == 0 {
            return Some(Change::new(help, before(call.name.span), format!("{link}.")));
        }
        let first = &call.arguments.first()?.value;
        Some(Change::new(help, first.span, format!("{}.{link}", operand(first))))
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
        if ty.element == Element::Bool {
            let receiver = self.receiver_of(site)?;
            return Some(Change::write(receiver.span, format!("where({}, 1, 0)", print::expression(receiver))));
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
    pub(super) fn receiver_of<'s>(&self, site: &Site<'s>) -> Option<&'s Expression> {
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

/// An expression as what a call follows by a point.
pub(super) fn operand(expression: &Expression) -> String {
    let text = print::expression(expression);
    match &expression.kind {
        ExpressionKind::Binary { .. } | ExpressionKind::Unary { .. } => format!("({text})"),
        _ => text,
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

/// `frozen` where `frozen = true` was meant.
fn flag_given(site: &Site, argument: &ast::Argument) -> Option<Change> {
    let ExpressionKind::Name(name) = &argument.value.kind else { return None };
    let is_flag = |parameter: &&Parameter| parameter.name == name.text && parameter.kind == Kind::Flag;
    let flag = site.parameters.iter().find(is_flag).filter(|_| argument.name.is_none())?;
    Some(Change::write(argument.span, format!("{} = true", flag.name)))
}

/// What must be given and is not, where arguments of unknown names are: it was given by another name. The first of these is the
/// first that is missing.
fn missing_parameter(site: &Site) -> Option<&'static str> {
    let given = matched(&site.call?.arguments, site.parameters, site.skipped);
    let is_given =
        |parameter: &&Parameter| given.iter().any(|(_, known)| known.is_some_and(|known| known.name == parameter.name));
    let mut missing = site.parameters.iter().filter(|parameter| parameter.default.is_none() && !is_given(parameter));
    let place = given
        .iter()
        .filter(|(_, known)| known.is_none())
        .position(|(argument, _)| Some(argument.span) == site.argument.map(|one| one.span))?;
    missing.nth(place).map(|parameter| parameter.name)
}

/// `reshape(2, 4)` for `reshape([2, 4])`.
fn sizes_joined(site: &Site) -> Option<Change> {
    let arguments = site.call?.arguments.get(site.skipped..)?;
    let ([parameter], [first, .., last]) = (site.parameters, arguments) else { return None };
    let are_sizes = parameter.kind == Kind::Sizes && arguments.iter().all(|argument| argument.name.is_none());
    let sizes: Vec<String> = arguments.iter().map(|argument| print::expression(&argument.value)).collect();
    are_sizes.then(|| Change::write(first.span.to(last.span), format!("[{}]", sizes.join(", "))))
}

/// All that there is, where nothing is near to what was written.
fn one_of(fault: &Fault, span: Span) -> Option<Change> {
    let first = fault.candidates().first()?;
    let known: Vec<String> = fault.candidates().iter().map(|known| format!("`{known}`")).collect();
    Some(Change::new(format!("there are {}", known.join(", ")), span, *first))
}
