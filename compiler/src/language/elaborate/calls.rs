//! Calls: of the catalogue, of the user's functions, of layers that are used again.

use super::argument_fixes::argument_away;
use super::arguments::matched;
use super::fixes::Change;
use super::scope::Frame;
use super::value::{Layer, Value};
use super::{Elaborator, MAX_COUNT, PENALTY_PLACE, TOO_LARGE, WRONG_VALUE, values_asked};
use crate::base::diagnostics::Diagnostic;
use crate::base::names::nearest;
use crate::graph::NodeId;
use crate::language::ast::{self, Expression, ExpressionKind};
use crate::language::print;
use crate::nn::fault::{ARGUMENT_MISSING, ARGUMENT_SURPLUS, ARGUMENT_UNKNOWN, NAME_UNKNOWN};
use crate::nn::{self, Family, Function, clips, initializers, optimizers, penalties};
use std::rc::Rc;

/// A value and the expression that it is of.
pub(super) type Receiver<'a> = (Value<'a>, &'a Expression);

impl<'a> Elaborator<'a> {
    /// `f(x, a)`, which means `x.f(a)`.
    pub(super) fn free_call(&mut self, call: &'a ast::Call, whole: &'a Expression) -> Value<'a> {
        self.call(call, None, whole)
    }

    /// A call; without receiver its first argument is the receiver.
    pub(super) fn call(&mut self, call: &'a ast::Call, receiver: Option<Receiver<'a>>, whole: &'a Expression) -> Value<'a> {
        if !self.may_go_on(call.name.span) {
            return Value::Unknown;
        }
        let name = call.name.text.as_str();
        if let Some(Value::Layer(layer)) = self.find(name).map(|binding| binding.value.clone()) {
            return self.layer_call(&layer, call, receiver, whole);
        }
        if let Some(function) = self.function(name) {
            return self.inlined(function, call, receiver);
        }
        if let Some(function) = nn::function(name) {
            return self.built_in(function, call, receiver, whole);
        }
        let is_word = receiver.is_none() && Self::is_word(name);
        if is_word && penalties::find(name).is_err() {
            return self.inner_call(call).map_or(Value::Unknown, Value::Call);
        }
        self.unknown_call(call, whole)
    }

    fn unknown_call(&mut self, call: &'a ast::Call, whole: &'a Expression) -> Value<'a> {
        let (name, span) = (call.name.text.as_str(), call.name.span);
        for argument in &call.arguments {
            // Its mistakes are mistakes all the same.
            self.expression(&argument.value);
        }
        if matches!(self.find(name).map(|binding| &binding.value), Some(Value::Unknown)) {
            return self.unknown();
        }
        if let Some(binding) = self.find(name) {
            let message = format!("`{name}` is {}, not a layer or function", binding.value.kind());
            let mistake = Diagnostic::error(WRONG_VALUE, span, message).because(binding.span, "named here");
            self.report(mistake);
            return Value::Unknown;
        }
        if self.frames.last().is_some_and(|frame| frame.defined.contains_key(name)) {
            self.unknown_name(&call.name);
            return Value::Unknown;
        }
        let mistake = if penalties::find(name).is_ok() {
            let message = format!("`{name}` is a penalty: it stands as a term of `minimize`, or as `penalty = …`");
            Diagnostic::error(PENALTY_PLACE, span, message)
                .help("write `0` here, and the penalty as a term of `minimize`")
                .fix(call.span, "0")
        } else if optimizers::find(name).is_ok() || clips::find(name).is_ok() {
            Diagnostic::error(WRONG_VALUE, span, format!("`{name}` stands behind `using`"))
        } else if initializers::find(name).is_ok() {
            let mistake =
                Diagnostic::error(WRONG_VALUE, span, format!("`{name}` is an initialiser: it stands as `init = {name}`"));
            match self.any_value() {
                Some(value) => mistake.help(format!("write a value here, such as `{value}`")).fix(call.span, value),
                None => mistake,
            }
        } else if let Some(mistake) = self.foreign_call(call, whole) {
            mistake
        } else {
            let mistake = Diagnostic::error(NAME_UNKNOWN, span, format!("no layer or function is called `{name}`"));
            let penalties = penalties::LIST.iter().map(|penalty| penalty.name);
            if let Some(near) = nearest(name, self.callable().into_iter().chain(penalties)) {
                mistake.write(near)
            } else {
                let change = self.left_out(call, whole);
                self.report_with(mistake, change);
                return Value::Unknown;
            }
        };
        self.report(mistake);
        Value::Unknown
    }

    /// The names of all that can be called here.
    fn callable(&self) -> Vec<&'a str> {
        let is_layer = |name: &&str| matches!(self.find(name).map(|binding| &binding.value), Some(Value::Layer(_)));
        let layers = self.visible().into_iter().filter(is_layer);
        let own = self.functions().map(|function| function.name.text.as_str());
        layers.chain(own).chain(nn::functions().map(|function| function.name)).collect()
    }

    /// A function of the catalogue.
    fn built_in(
        &mut self,
        function: &'static Function,
        call: &'a ast::Call,
        receiver: Option<Receiver<'a>>,
        whole: &'a Expression,
    ) -> Value<'a> {
        let skipped = usize::from(receiver.is_none());
        let given = receiver.or_else(|| self.first_argument(call));
        let Some((value, expression)) = given.filter(|(value, _)| skipped == 0 || may_be_called_on(function, value)) else {
            let message = format!("{} needs the value that it is called on", function.name);
            self.report(Diagnostic::error(ARGUMENT_MISSING, call.span, message).write(self.called_on_something(function, call)));
            return Value::Unknown;
        };
        let receiver = self.receiver(function, value, expression);
        let arguments = self.arguments(call, function.parameters, skipped);
        let Some(arguments) = arguments else {
            self.check_names(function, call, skipped);
            return self.unknown();
        };
        let Some(receiver) = receiver else {
            // The arguments can be wrong whatever they are called on.
            self.argument_faults(function.name, call, &arguments, function.parameters, skipped);
            return self.unknown();
        };
        self.at(call.name.span);
        let uses = self.network.uses.len();
        if self.is_too_large(function, call, receiver, &arguments) {
            return self.unknown();
        }
        match self.network.call(function.name, receiver, &arguments) {
            Ok(node) if !self.may_exist(node, call.name.span) => Value::Unknown,
            Ok(node) => {
                for index in uses..self.network.uses.len() {
                    self.use_spans.insert(index, call.name.span);
                }
                self.note(node, call.span, Some(whole));
                self.note_parameters(call);
                Value::Tensor(node)
            }
            Err(fault) if fault.code.starts_with("E03") && fault.argument.is_some() => {
                let count = self.diagnostics.len();
                let value = Some(receiver);
                self.argument_faults_on(value, function.name, call, &arguments, function.parameters, skipped);
                match self.diagnostics.len() == count {
                    // What is wrong with it lies in the value that it is called on.
                    true => self.call_fault_of(fault.about(receiver), call, function.parameters, skipped, Some(whole)),
                    false => Value::Unknown,
                }
            }
            Err(fault) => self.call_fault_of(fault, call, function.parameters, skipped, Some(whole)),
        }
    }

    /// A layer that no memory holds: its sizes times those of a row.
    fn is_too_large(&mut self, function: &Function, call: &'a ast::Call, receiver: NodeId, arguments: &nn::Call) -> bool {
        let asked = values_asked(function, arguments);
        let row = self.network.builder.graph().shape(receiver).fixed_count() as f64;
        if asked * row <= MAX_COUNT {
            return false;
        }
        let message = format!("{} would need {:.1e} values, {asked} for each of {row}", function.name, asked * row);
        let first = call.arguments.iter().find(|argument| matches!(argument.value.kind, ExpressionKind::Number(_)));
        let mistake = Diagnostic::error(TOO_LARGE, call.name.span, message);
        let change = first.map(|argument| Change::new("write a smaller size, such as `64`", argument.value.span, "64"));
        self.report_with(mistake, change);
        true
    }

    fn note_parameters(&mut self, call: &'a ast::Call) {
        let made: Vec<_> = self.network.uses.last().map(|one| one.parameters.clone()).into_iter().flatten().collect();
        for index in made {
            let node = self.network.parameters[index].node;
            self.note(node, call.span, None);
        }
    }

    fn first_argument(&mut self, call: &'a ast::Call) -> Option<Receiver<'a>> {
        let first = call.arguments.first().filter(|argument| argument.name.is_none())?;
        let value = self.expression(&first.value);
        Some((value, &first.value))
    }

    /// The node on which a function is called.
    fn receiver(&mut self, function: &Function, value: Value<'a>, expression: &'a Expression) -> Option<NodeId> {
        match value {
            Value::Tensor(node) => Some(node),
            Value::Number(_) | Value::Later if function.family == Family::Operation => self.scalar_or_tensor(&value),
            Value::Unknown | Value::Later => None,
            other => {
                let message = format!("{} is called on a value of the network; this is {}", function.name, other.kind());
                match (other, self.any_value()) {
                    (Value::Layer(layer), Some(input)) => {
                        let mistake = Diagnostic::error(WRONG_VALUE, expression.span, message);
                        self.report(mistake.write(format!("{}({input})", layer.name)));
                    }
                    _ => self.wrong_value(expression.span, message),
                }
                None
            }
        }
    }

    /// A call that lacks its value, with one.
    fn called_on_something(&self, function: &Function, call: &ast::Call) -> String {
        let value = self.any_value().unwrap_or("x");
        let mut fixed = call.clone();
        match call.arguments.first().map(|first| &first.value.kind) {
            None => return format!("{value}.{}", self.some_call(function, self.node_called(value))),
            // The values of a list, as other frameworks take them.
            Some(ExpressionKind::Array(values)) if values.iter().all(|value| self.node_of(value).is_some()) => {
                let values = values.iter().map(|value| ast::Argument { name: None, value: value.clone(), span: value.span });
                fixed.arguments.splice(..1, values);
                return print::call(&fixed);
            }
            Some(_) => {}
        }
        format!("{value}.{}", print::call(&fixed))
    }

    /// What can be said of arguments whose values are not known.
    fn check_names(&mut self, function: &'static Function, call: &'a ast::Call, skipped: usize) {
        for (written, parameter) in matched(&call.arguments, function.parameters, skipped) {
            let (Some(name), None) = (&written.name, parameter) else { continue };
            let message = format!("{} has no argument `{}`", function.name, name.text);
            let mistake = Diagnostic::error(ARGUMENT_UNKNOWN, name.span, message);
            match nearest(&name.text, function.parameters.iter().map(|parameter| parameter.name)) {
                Some(near) => self.report(mistake.write(near)),
                None => self.report_with(mistake, argument_away(call, written)),
            }
        }
    }

    /// `encoder(a)`: the same parameters at every use.
    fn layer_call(
        &mut self,
        layer: &Rc<Layer<'a>>,
        call: &'a ast::Call,
        receiver: Option<Receiver<'a>>,
        whole: &'a Expression,
    ) -> Value<'a> {
        let surplus = usize::from(receiver.is_none());
        if let Some(argument) = call.arguments.get(surplus) {
            let message = format!("`{}` takes the value that it is called on, and nothing else", layer.name);
            let mistake = Diagnostic::error(ARGUMENT_SURPLUS, argument.span, message);
            self.report_with(mistake, argument_away(call, argument));
        }
        let Some(receiver) = receiver.or_else(|| self.first_argument(call)) else {
            let message = format!("`{}` needs the value that it is called on", layer.name);
            let value = self.network.inputs.first().map_or("x", |input| input.name.as_str());
            let help = format!("{}({value})", layer.name);
            self.report(Diagnostic::error(ARGUMENT_MISSING, call.span, message).write(help));
            return Value::Unknown;
        };
        if self.is_within(layer.name, call) {
            return Value::Unknown;
        }
        let outside = self.network.go_to(layer.path.clone());
        for segment in std::iter::once(layer.name).chain(layer.turns.iter().map(String::as_str)) {
            self.network.enter_shared(segment);
        }
        // The names of parameters are given out anew at each use, in the same order.
        let prefix = format!("{}.", self.network.path());
        self.counts.retain(|key, _| !key.starts_with(&prefix));
        let frame = Frame { scopes: layer.scopes.clone(), call: Some((call.span, layer.name)), ..Frame::default() };
        let value = self.in_frame(frame, |this| {
            let mut receiver = receiver;
            for link in &layer.calls {
                receiver = (this.call(link, Some(receiver), whole), whole);
            }
            receiver.0
        });
        self.network.go_to(outside);
        value
    }
}

/// Whether a function's first argument can be the value that it is called on, or at least be meant to be.
fn may_be_called_on(function: &Function, value: &Value) -> bool {
    match value {
        Value::Tensor(_) | Value::Unknown | Value::Layer(_) => true,
        Value::Number(_) | Value::Later => function.family == Family::Operation,
        _ => false,
    }
}
