//! From a fault of the catalogue to a message at the words that caused it.

use super::alternatives::Alternatives;
use super::arguments::matched;
use super::examples::example;
use super::fixes::{Change, Site};
use super::value::Value;
use super::{Elaborator, Made};
use crate::base::diagnostics::Diagnostic;
use crate::base::place::Span;
use crate::graph::{Dim, Element, NodeId, Shape};
use crate::language::ast::{self, Call, Expression, ExpressionKind, Number};
use crate::language::print;
use crate::nn::fault::{
    ARGUMENT_MISSING, ARGUMENT_SURPLUS, ARGUMENT_TWICE, ARGUMENT_UNKNOWN, CLASSES_DIFFER, Fault, NAME_TWICE, NAME_UNKNOWN,
    SHAPES_DIFFER, SHARED_DIFFERS, STATED_TWICE,
};
use crate::nn::network::shape_text;
use crate::nn::{self, Family, Kind, Parameter, initializers, penalties};

impl<'a> Elaborator<'a> {
    /// Reports a fault at a place; the value is unknown.
    pub(super) fn fault(&mut self, fault: Fault, span: Span) -> Value<'a> {
        self.fault_of(fault, span, None)
    }

    /// Reports a fault of an expression at a place in it.
    pub(super) fn fault_of(&mut self, fault: Fault, span: Span, whole: Option<&'a Expression>) -> Value<'a> {
        let given = fault.argument.clone().unwrap_or_default();
        self.report_fault(fault, span, &given, Site { whole, ..Site::default() });
        Value::Unknown
    }

    /// Reports a fault of a call at the argument that caused it, if one did.
    pub(super) fn call_fault(&mut self, fault: Fault, call: &'a Call, parameters: &[Parameter], skipped: usize) -> Value<'a> {
        self.call_fault_of(fault, call, parameters, skipped, None)
    }

    /// The same of a call that stands in an expression.
    pub(super) fn call_fault_of(
        &mut self,
        fault: Fault,
        call: &'a Call,
        parameters: &[Parameter],
        skipped: usize,
        whole: Option<&'a Expression>,
    ) -> Value<'a> {
        if let Some((inner, own)) = missing_inside(&fault, call, parameters) {
            return self.call_fault_of(fault, inner, own, 0, None);
        }
        let written = match fault.argument.as_deref() {
            _ if fault.code == ARGUMENT_MISSING => None,
            _ if fault.code == ARGUMENT_SURPLUS => surplus(call, parameters, skipped),
            Some(name) => find_argument(call, parameters, skipped, name),
            None => None,
        };
        let (span, given) = match written {
            Some(argument) => place_of(&fault, argument),
            None if fault.code == ARGUMENT_MISSING => (call.span, String::new()),
            None => (call.name.span, fault.argument.clone().unwrap_or_default()),
        };
        let site = Site { call: Some(call), parameters, skipped, argument: written, whole };
        self.report_fault(fault, span, &given, site);
        Value::Unknown
    }

    /// Reports every argument of a call that is wrong on its own: each is taken away before the next is looked for.
    pub(super) fn argument_faults(
        &mut self,
        owner: &str,
        call: &'a Call,
        arguments: &nn::Call,
        parameters: &[Parameter],
        skipped: usize,
    ) -> bool {
        self.argument_faults_on(None, owner, call, arguments, parameters, skipped)
    }

    /// The same of a call on a value.
    pub(super) fn argument_faults_on(
        &mut self,
        value: Option<NodeId>,
        owner: &str,
        call: &'a Call,
        arguments: &nn::Call,
        parameters: &[Parameter],
        skipped: usize,
    ) -> bool {
        let mut rest = arguments.clone();
        let mut is_sound = true;
        // By name, so that what is taken away moves nothing.
        for ((_, parameter), (name, _)) in matched(&call.arguments, parameters, skipped).iter().zip(&mut rest.arguments) {
            if let Some(parameter) = parameter.filter(|parameter| name.is_empty() && parameter.kind != Kind::Tensors) {
                *name = parameter.name.to_owned();
            }
        }
        while let Err(mut fault) = nn::arguments::resolve(owner, parameters, &rest) {
            let count = rest.arguments.len();
            let (code, wrong) = (fault.code, fault.argument.clone());
            if is_sound || code != ARGUMENT_MISSING {
                fault.value = fault.value.or(value);
                self.call_fault(fault, call, parameters, skipped);
            }
            is_sound = false;
            let Some(wrong) = wrong.filter(|_| code != ARGUMENT_MISSING) else { return false };
            // Two arguments that do not go together are one mistake, whichever is taken away.
            let is_beside =
                |parameter: &Parameter| parameter.not_below.is_some_and(|(other, _)| parameter.name == wrong || other == wrong);
            if parameters.iter().any(is_beside) {
                return false;
            }
            let parameter = parameters.iter().find(|parameter| parameter.name == wrong);
            if code == ARGUMENT_TWICE {
                let last = rest.arguments.iter().rposition(|(name, _)| *name == wrong);
                last.map(|last| rest.arguments.remove(last));
            } else if let Some(value) = parameter.and_then(|parameter| example(parameter).parse::<f64>().ok()) {
                // One that must be given would be missed.
                rest.arguments.iter_mut().filter(|(name, _)| *name == wrong).for_each(|(_, given)| *given = value.into());
                continue;
            } else {
                rest.arguments.retain(|(name, value)| *name != wrong && !is_within(value, &wrong));
            }
            if rest.arguments.len() == count {
                return false;
            }
        }
        is_sound
    }

    /// A fault of the step at the parameter that it names.
    pub(super) fn located(&self, fault: Fault) -> Fault {
        let named = fault.parameter().and_then(|name| self.network.parameter_called(name));
        match named {
            Some(known) if fault.value.is_none() => fault.about(known.node),
            _ => fault,
        }
    }

    /// Reports a fault of one argument on its own.
    pub(super) fn argument_fault(&mut self, fault: Fault, written: &'a Expression) {
        let given = given_name(written);
        let span = word_span(written);
        self.report_fault(fault, span, &given, Site::default());
    }

    fn report_fault(&mut self, fault: Fault, span: Span, given: &str, site: Site) {
        let changes = self.changes(&fault, span, given, &site);
        // A shared layer is right where it stands; it is used on what it does not fit.
        let span = match self.frames.iter().rev().find_map(|frame| frame.call) {
            Some((used, _)) if fault.code == SHARED_DIFFERS => used,
            _ => span,
        };
        let mut mistake = Diagnostic::error(fault.code, span, fault.message.clone());
        for (place, text) in self.causes(&fault, span) {
            mistake = mistake.because(place, text);
        }
        mistake = match changes.first() {
            Some(Change { help, span, text }) => mistake.help(help.as_str()).fix(*span, text.as_str()),
            None if fault.help.is_empty() => mistake,
            None => mistake.help(fault.help),
        };
        // Two values that do not fit are one mistake, however many calls meet both.
        let is_known = |known: &Diagnostic| {
            known.code == mistake.code
                && known.fix == mistake.fix
                && known.secondary == mistake.secondary
                && known.secondary.len() > 1
        };
        if mistake.fix.is_some() && self.diagnostics.iter().any(is_known) {
            self.is_partial = true;
            return;
        }
        if changes.len() > 1 {
            self.alternatives.push(Alternatives { code: fault.code, span, changes });
        }
        self.report(mistake);
    }

    /// Where the values that a fault is about come from.
    fn causes(&self, fault: &Fault, primary: Span) -> Vec<(Span, String)> {
        // What is wrong with an argument is wrong on every value.
        let value = fault.value.filter(|_| !fault.code.starts_with("E03") && fault.code != NAME_UNKNOWN);
        let mut causes: Vec<(Span, String)> = Vec::new();
        for node in value.into_iter().chain(fault.other) {
            let Some(Made { span, .. }) = self.made.get(&node) else { continue };
            let is_new = *span != primary && causes.iter().all(|(known, _)| known != span);
            if span.is_known() && is_new {
                causes.push((*span, self.cause(fault, node)));
            }
        }
        causes
    }

    fn cause(&self, fault: &Fault, node: NodeId) -> String {
        let ty = self.network.builder.ty(node);
        match ty.element {
            _ if matches!(fault.code, NAME_TWICE | STATED_TWICE) => "the first is here".to_owned(),
            Element::Class(1) if fault.code == CLASSES_DIFFER => "1 class comes from here".to_owned(),
            Element::Class(count) if fault.code == CLASSES_DIFFER => format!("{count} classes come from here"),
            Element::Class(count) => format!("class({count}){} comes from here", shape_text(&ty.shape)),
            Element::F32 => format!("{} comes from here", shape_text(&ty.shape)),
            Element::F64 => "the number comes from here".to_owned(),
            other => format!("{other}{} comes from here", shape_text(&ty.shape)),
        }
    }

    /// For widths that differ: the calls of `dense` that would make them equal.
    pub(super) fn width_changes(&self, fault: &Fault) -> [Option<Change>; 2] {
        // Elsewhere the same call may be right.
        let is_plain = self.frames.len() == 1 && self.frames.iter().all(|frame| frame.turns.is_empty());
        let (Some(value), Some(other), true) = (fault.value, fault.other, is_plain) else { return [None, None] };
        let ty = |node: NodeId| self.network.builder.ty(node);
        match (fault.code, ty(other).element) {
            (CLASSES_DIFFER, Element::Class(classes)) if ty(value).shape.0.last() != Some(&Dim::Fixed(classes as usize)) => {
                [self.with_width(value, classes as usize), None]
            }
            (SHAPES_DIFFER, _) => {
                let (ours, theirs) = (&ty(value).shape, &ty(other).shape);
                let last = |shape: &Shape| shape.0.last().map(|dim| dim.at(0)).filter(|_| differ_in_width(ours, theirs));
                let with = |node: NodeId, shape: &Shape| self.with_width(node, last(shape)?);
                [with(value, theirs), with(other, ours)]
            }
            _ => [None, None],
        }
    }

    /// 'write `x.dense(12)`': the layer that gives a value its last axis, with another width.
    fn with_width(&self, node: NodeId, width: usize) -> Option<Change> {
        let mut node = node;
        let layer = loop {
            let one = self.network.uses.iter().rev().find(|one| one.output == node)?;
            if one.function.width.is_some() {
                break one.function;
            }
            let shape = |node: NodeId| self.network.builder.graph().shape(node);
            let keeps_shape = shape(one.input) == shape(one.output) && one.input != one.output;
            let is_pointwise = one.function.family == Family::Activation || one.function.transparent;
            // One that holds parameters of the old width makes new ones.
            if !keeps_shape || !is_pointwise {
                return None;
            }
            node = one.input;
        };
        let expression = self.made.get(&node)?.expression?;
        let fixed = match &expression.kind {
            ExpressionKind::Method { receiver, call } => {
                let call = replaced_width(layer, call, width, 0)?;
                ExpressionKind::Method { receiver: receiver.clone(), call }
            }
            ExpressionKind::Call(call) => ExpressionKind::Call(replaced_width(layer, call, width, 1)?),
            _ => return None,
        };
        let fixed = Expression { kind: fixed, span: expression.span };
        Some(Change::write(expression.span, print::expression(&fixed)))
    }
}

fn differ_in_width(ours: &Shape, theirs: &Shape) -> bool {
    let (Some((last, rest)), Some((other, others))) = (ours.0.split_last(), theirs.0.split_last()) else { return false };
    let known = matches!((last, other), (Dim::Fixed(_), Dim::Fixed(_)));
    known && last != other && rest == others
}

/// The layer's call with another width; nothing if that is not how it is called. `skipped` arguments are its receiver.
fn replaced_width(layer: &nn::Function, call: &Call, width: usize, skipped: usize) -> Option<Call> {
    let mut call = call.clone();
    let is_width = |name: &str| layer.width == Some(name);
    let named = call.arguments.iter().position(|argument| argument.name.as_ref().is_some_and(|name| is_width(&name.text)));
    let place = layer.parameters.iter().position(|parameter| is_width(parameter.name))?;
    let argument = call.arguments.get_mut(named.unwrap_or(skipped + place))?;
    let text = width.to_string();
    let number = Number::Literal { text, value: width as f64, integer: true };
    argument.value = Expression { kind: ExpressionKind::Number(number), span: argument.value.span };
    (call.name.text == layer.name).then_some(call)
}

/// The first argument that goes nowhere.
fn surplus<'a>(call: &'a Call, parameters: &[Parameter], skipped: usize) -> Option<&'a ast::Argument> {
    let unmatched = |(argument, parameter): &(&ast::Argument, Option<&Parameter>)| argument.name.is_none() && parameter.is_none();
    matched(&call.arguments, parameters, skipped).into_iter().find(unmatched).map(|(argument, _)| argument)
}

/// The argument written for a parameter, or within an argument that is a call itself.
fn find_argument<'a>(call: &'a Call, parameters: &[Parameter], skipped: usize, name: &str) -> Option<&'a ast::Argument> {
    let is_it = |(argument, parameter): &(&ast::Argument, Option<&Parameter>)| {
        parameter.is_some_and(|parameter| parameter.name == name)
            || argument.name.as_ref().is_some_and(|written| written.text == name)
    };
    let pairs = matched(&call.arguments, parameters, skipped);
    if let Some((argument, _)) = pairs.into_iter().find(is_it) {
        return Some(argument);
    }
    call.arguments.iter().find_map(|argument| match &argument.value.kind {
        ExpressionKind::Call(inner) => find_inner(inner, name),
        _ => None,
    })
}

/// Whether the argument is a call that takes something of this name.
fn is_within(value: &nn::Argument, wrong: &str) -> bool {
    let nn::Argument::Call(inner) = value else { return false };
    inner_parameters(&inner.name).is_some_and(|own| own.iter().any(|parameter| parameter.name == wrong))
}

/// What an initialiser or a penalty takes.
pub(super) fn inner_parameters(name: &str) -> Option<&'static [Parameter]> {
    let initializer = initializers::find(name).map(|known| known.parameters);
    initializer.or_else(|_| penalties::find(name).map(|known| known.parameters)).ok()
}

/// The call within a call that lacks an argument, if it is that one which does.
fn missing_inside<'a>(fault: &Fault, call: &'a Call, parameters: &[Parameter]) -> Option<(&'a Call, &'static [Parameter])> {
    let name = fault.argument.as_deref().filter(|_| fault.code == ARGUMENT_MISSING)?;
    if parameters.iter().any(|parameter| parameter.name == name) {
        return None;
    }
    call.arguments.iter().find_map(|argument| match &argument.value.kind {
        ExpressionKind::Call(inner) => {
            let own = inner_parameters(&inner.name.text)?;
            own.iter().any(|parameter| parameter.name == name).then_some((inner, own))
        }
        _ => None,
    })
}

/// The argument of an initialiser or a penalty.
fn find_inner<'a>(call: &'a Call, name: &str) -> Option<&'a ast::Argument> {
    let named = |argument: &&ast::Argument| argument.name.as_ref().is_some_and(|written| written.text == name);
    let pairs = matched(&call.arguments, inner_parameters(&call.name.text).unwrap_or_default(), 0);
    let by_place = pairs.into_iter().find(|(_, parameter)| parameter.is_some_and(|parameter| parameter.name == name));
    by_place.map(|(argument, _)| argument).or_else(|| call.arguments.iter().find(named))
}

/// Where a fault of an argument stands, and the word that was given.
fn place_of(fault: &Fault, argument: &ast::Argument) -> (Span, String) {
    match (&argument.name, fault.code) {
        (Some(name), ARGUMENT_UNKNOWN) => (name.span, name.text.clone()),
        (_, ARGUMENT_TWICE) => (argument.span, String::new()),
        (_, NAME_UNKNOWN) => (word_span(&argument.value), given_name(&argument.value)),
        _ => (argument.value.span, given_name(&argument.value)),
    }
}

/// The word that is misspelt: of a call its name.
fn word_span(written: &Expression) -> Span {
    match &written.kind {
        ExpressionKind::Call(call) => call.name.span,
        _ => written.span,
    }
}

/// The word that an argument is, for the nearest one that exists.
fn given_name(written: &Expression) -> String {
    match &written.kind {
        ExpressionKind::Call(call) => call.name.text.clone(),
        _ => print::expression(written),
    }
}
