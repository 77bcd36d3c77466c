//! One change that compiles, for arguments that are missing, too many, or not what they must be.

use super::arguments::matched;
use super::examples::{corrected, example, literal};
use super::fixes::{Change, Site, before_end};
use super::value::Value;
use super::{Elaborator, Made};
use crate::base::names::nearest;
use crate::base::place::Span;
use crate::graph::{Dim, Element, NodeId, Type};
use crate::language::ast::{self, Call, Expression, ExpressionKind, Name};
use crate::language::print;
use crate::nn::fault::Detail;
use crate::nn::{self, Family, Fault, Kind, Parameter, operations};

impl<'a> Elaborator<'a> {
    pub(super) fn argument_added(&self, fault: &Fault, site: &Site) -> Option<Change> {
        let (call, name) = (site.call?, fault.argument.as_deref()?);
        let parameter = site.parameters.iter().find(|parameter| parameter.name == name)?;
        let value = self.example(parameter, fault.value);
        let mut fixed = call.clone();
        let is_named = call.arguments.iter().any(|argument| argument.name.is_some());
        let written = |text: String| ExpressionKind::Name(Name { text, span: Span::UNKNOWN });
        fixed.arguments.push(ast::Argument {
            name: is_named.then(|| Name { text: name.to_owned(), span: Span::UNKNOWN }),
            value: Expression { kind: written(value), span: Span::UNKNOWN },
            span: Span::UNKNOWN,
        });
        Some(Change::write(call.span, print::call(&fixed)))
    }

    /// Another value for an argument that is not what it must be.
    pub(super) fn argument_change(&self, fault: &Fault, site: &Site) -> Option<Change> {
        let Some(argument) = site.argument else {
            return match fault.detail() {
                Detail::Meant(value) => Some(Change::write(self.receiver_of(site)?.span, value.as_str())),
                _ => window_change(fault, site),
            };
        };
        let name = fault.argument.as_deref()?;
        let parameter = parameter_of(site, argument, name)?;
        if matches!(name, "ignore" | "class_weights") {
            return argument_away(site.call?, argument);
        }
        if let ("to", Some(node)) = (name, fault.value) {
            let axis = literal(&site.call?.arguments.get(site.skipped)?.value)?;
            let axis = operations::axis(&self.network, node, axis)?;
            let size = self.network.builder.graph().shape(node).0[axis];
            return Some(Change::write(argument.value.span, size.to_string()));
        }
        if let (Kind::Penalty, ExpressionKind::Call(inner)) = (parameter.kind, &argument.value.kind)
            && *fault.detail() == Detail::NoWeights
        {
            return Some(on_all(inner));
        }
        let text = corrected(&parameter, &argument.value, fault).unwrap_or_else(|| self.example(&parameter, fault.value));
        Some(Change::write(argument.value.span, text))
    }

    /// Something that the parameter would take.
    fn example(&self, parameter: &Parameter, value: Option<NodeId>) -> String {
        let shape = value.map(|value| self.network.builder.graph().shape(value));
        match parameter.kind {
            Kind::Tensor | Kind::Tensors => self.fitting_value(value).unwrap_or_else(|| "x".to_owned()),
            Kind::Sizes if parameter.name == "sizes" => {
                shape.map_or("1".to_owned(), |shape| format!("[{}]", shape.fixed_count()))
            }
            _ => example(parameter),
        }
    }

    /// A call of a function on a value, with something for each argument that must be given.
    pub(super) fn some_call(&self, function: &nn::Function, value: Option<NodeId>) -> String {
        let required = function.parameters.iter().filter(|parameter| parameter.default.is_none());
        let arguments: Vec<String> = required.map(|parameter| self.example(parameter, value)).collect();
        format!("{}({})", function.name, arguments.join(", "))
    }

    /// A target that can be seen and fits a value, or any target or input.
    fn fitting_value(&self, value: Option<NodeId>) -> Option<String> {
        let visible: Vec<_> =
            self.network.targets.iter().chain(&self.network.inputs).filter(|one| self.find(&one.name).is_some()).collect();
        let shape = value.map(|value| self.network.builder.graph().shape(value));
        let fits = |ty: &Type| match (ty.element, shape.and_then(|shape| shape.0.split_last())) {
            (Element::Class(count), Some((last, rows))) => *last == Dim::Fixed(count as usize) && rows == ty.shape.0,
            _ => shape == Some(&ty.shape),
        };
        let found = visible.iter().find(|one| fits(&one.ty) && Some(one.node) != value).or(visible.first())?;
        Some(found.name.clone())
    }

    /// A metric or loss that is called on the target, and given the prediction: the other way round. Their types tell which is which.
    pub(super) fn swapped(&self, site: &Site) -> Option<Change> {
        let (call, whole) = (site.call?, site.whole?);
        let is_measure = nn::function(&call.name.text).is_some_and(|known| matches!(known.family, Family::Loss | Family::Metric));
        if !is_measure {
            return None;
        }
        let written = matched(&call.arguments, site.parameters, site.skipped);
        let is_target = |parameter: Option<&Parameter>| parameter.is_some_and(|parameter| parameter.name == "y");
        let place = site.skipped + written.iter().position(|(_, parameter)| is_target(*parameter))?;
        let prediction = &call.arguments.get(place)?.value;
        let mut fixed = call.clone();
        let given = &mut fixed.arguments.get_mut(place)?.value;
        let kind = match &whole.kind {
            ExpressionKind::Method { receiver, .. } if site.skipped == 0 && self.are_swapped(receiver, prediction) => {
                let receiver = Box::new(std::mem::replace(given, (**receiver).clone()));
                ExpressionKind::Method { receiver, call: fixed }
            }
            ExpressionKind::Call(_) if site.skipped == 1 => {
                let target = call.arguments.first()?;
                if target.name.is_some() || !self.are_swapped(&target.value, prediction) {
                    return None;
                }
                *given = target.value.clone();
                fixed.arguments.first_mut()?.value = prediction.clone();
                ExpressionKind::Call(fixed)
            }
            _ => return None,
        };
        Some(Change::write(whole.span, print::expression(&Expression { kind, span: whole.span })))
    }

    /// Whether the first is classes and the second real numbers, as far as is known: of an expression that gives what another one gave
    /// before, the value is noted there.
    fn are_swapped(&self, first: &Expression, second: &Expression) -> bool {
        let element = |expression: &Expression| self.node_of(expression).map(|node| self.network.builder.ty(node).element);
        element(first).is_some_and(Element::is_integer) && element(second).is_none_or(|element| element == Element::F32)
    }

    /// The value of the network that a name means here.
    pub(super) fn node_called(&self, name: &str) -> Option<NodeId> {
        match self.find(name)?.value {
            Value::Tensor(node) => Some(node),
            _ => None,
        }
    }

    /// The value that an expression has.
    pub(super) fn node_of(&self, expression: &Expression) -> Option<NodeId> {
        if let ExpressionKind::Name(name) = &expression.kind {
            return self.node_called(&name.text);
        }
        let is_it =
            |made: &Made| made.span == expression.span || made.expression.is_some_and(|made| std::ptr::eq(made, expression));
        let made = self.made.iter().filter(|(_, made)| is_it(made));
        made.map(|(node, _)| *node).max()
    }

    /// A pattern that means some parameter.
    pub(super) fn pattern_change(&self, fault: &Fault, span: Span) -> Option<Change> {
        let pattern = fault.argument.as_deref().filter(|_| *fault.detail() == Detail::Pattern)?;
        let heads = self.network.parameters.iter().filter_map(|known| known.name.split('.').next());
        let near = nearest(pattern.trim_end_matches(".*"), heads.clone()).or_else(|| heads.clone().next())?;
        Some(Change::write(span, format!("\"{near}.*\"")))
    }
}

/// The parameter of an argument, or of a call within it.
fn parameter_of(site: &Site, argument: &ast::Argument, name: &str) -> Option<Parameter> {
    let own = site.parameters.iter().find(|parameter| parameter.name == name);
    let holds = |call: &&Call| call.arguments.iter().any(|other| std::ptr::eq(other, argument));
    let inner = site.call?.arguments.iter().find_map(|outer| match &outer.value.kind {
        ExpressionKind::Call(inner) => Some(inner).filter(holds),
        _ => None,
    });
    let known = inner.and_then(|inner| super::faults::inner_parameters(&inner.name.text));
    known.and_then(|known| known.iter().find(|parameter| parameter.name == name)).or(own).copied()
}

/// The call without one of its arguments, or of those of a call within it.
pub(super) fn argument_away(call: &Call, argument: &ast::Argument) -> Option<Change> {
    let Some(place) = call.arguments.iter().position(|other| std::ptr::eq(other, argument)) else {
        return call.arguments.iter().find_map(|outer| match &outer.value.kind {
            ExpressionKind::Call(inner) => argument_away(inner, argument),
            _ => None,
        });
    };
    let (last, next) = (place.checked_sub(1).and_then(|last| call.arguments.get(last)), call.arguments.get(place + 1));
    let span = match (last, next) {
        (_, Some(next)) => Span::new(argument.span.start(), next.span.start()),
        (Some(last), None) => Span::new(last.span.end(), argument.span.end()),
        (None, None) => argument.span,
    };
    Some(Change::new("take this argument away", span, ""))
}

/// The call with one more argument, by name.
pub(super) fn argument_given(call: &Call, name: &str, value: &str) -> Change {
    let comma = if call.arguments.is_empty() { "" } else { ", " };
    Change::new(format!("add `{name} = {value}`"), before_end(call.span), format!("{comma}{name} = {value}"))
}

/// A penalty that acts on biases too.
fn on_all(penalty: &Call) -> Change {
    let is_it = |argument: &&ast::Argument| argument.name.as_ref().is_some_and(|given| given.text == "on");
    match penalty.arguments.iter().find(is_it) {
        Some(given) => Change::write(given.value.span, "all"),
        None => argument_given(penalty, "on", "all"),
    }
}

/// A window that does not fit, padded.
fn window_change(fault: &Fault, site: &Site) -> Option<Change> {
    let call = site.call.filter(|_| *fault.detail() == Detail::Window)?;
    let has = |name: &str| call.arguments.iter().any(|argument| argument.name.as_ref().is_some_and(|given| given.text == name));
    let can_pad = site.parameters.iter().any(|parameter| parameter.kind == Kind::Padding);
    if can_pad && !has("padding") {
        return Some(Change::new("add `padding = same`, or take a smaller window", before_end(call.span), ", padding = same"));
    }
    None
}
