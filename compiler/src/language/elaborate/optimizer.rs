//! Optimizers of the user's own.
//!
//! The lines are expressions like all others: `theta`, `gradient` and `step` are given, hyper-parameters are f64
//! scalars, states are tensors of the parameter's shape. Every parameter of a network runs through the same lines, long
//! after the network was elaborated, so the rule keeps the tree and walks it anew on the step's graph. What can be wrong
//! with it is found beforehand, in a trial on a parameter of some shape.

use super::fixes::before;
use super::scope::Frame;
use super::value::Value;
use super::{Elaboration, Elaborator, OWN_OPTIMIZER};
use crate::base::diagnostics::Diagnostic;
use crate::base::place::{Source, Span};
use crate::graph::{Builder, NodeId, Shape, Type};
use crate::language::ast::{Call, Expression, ExpressionKind, File, Formal, Item, Optimizer, OptimizerLineKind};
use crate::language::print;
use crate::nn::fault::{CANNOT_BUILD, Fault};
use crate::nn::optimizers::{Memory, RATE, Rule, Update};
use crate::nn::{self, Argument, Kind, Parameter};
use crate::ops::Primitive;
use std::sync::Arc;

/// What a rule needs to walk its lines again.
struct Lines {
    file: File,
    source: Source,
    rust: Vec<Option<f64>>,
    name: String,
}

/// A number that only the user's lines know.
const UNNAMED: Parameter = Parameter::optional("", Kind::ANY, "", "");

/// Which of the lines are walked.
#[derive(Clone, Copy, PartialEq)]
enum Part {
    /// `at …;`: where the gradient is taken.
    Point,
    /// All others: the new value.
    Step,
}

impl<'a> Elaborator<'a> {
    /// The user's optimizer of this name.
    pub(super) fn own_optimizer(&self, name: &str) -> Option<&'a Optimizer> {
        own(self.file, name)
    }

    /// `using heavy_ball(rate = 0.1)`, whose clips are known unless one is wrong.
    pub(super) fn using_own(&mut self, own: &'a Optimizer, call: &'a Call, clips: Option<Vec<nn::Call>>, is_first: bool) {
        let arguments = self.own_arguments(own, call);
        let is_sound = self.try_lines(own);
        let (Some(arguments), Some(clips)) = (arguments, clips) else { return };
        if !is_sound || !is_first {
            return;
        }
        let lines = Arc::new(Lines {
            file: self.file.clone(),
            source: self.source.clone(),
            rust: self.options.rust.clone(),
            name: own.name.text.clone(),
        });
        let has_point = own.lines.iter().any(|line| matches!(line.kind, OptimizerLineKind::At(_)));
        let point = lines.clone();
        let rule = Rule::Own {
            name: own.name.text.clone(),
            formula: formula(own),
            at: has_point.then(|| -> nn::optimizers::OwnRule {
                Arc::new(move |update: &mut Update, call: &nn::Call| walk(&point, update, call, Part::Point))
            }),
            build: Arc::new(move |update: &mut Update, call: &nn::Call| walk(&lines, update, call, Part::Step)),
        };
        self.at(call.name.span);
        if let Err(fault) = self.network.using_own(rule, arguments, &clips) {
            // Of what stands at the places of the others no record knows a name.
            let record = |formal: &Formal| if formal.name.text == RATE.name { RATE } else { UNNAMED };
            let parameters: Vec<Parameter> = own.parameters.iter().map(record).collect();
            self.call_fault(fault, call, &parameters, 0);
        }
    }

    /// Hyper-parameters by name, as numbers or f64 scalars.
    fn own_arguments(&mut self, own: &'a Optimizer, call: &'a Call) -> Option<nn::Call> {
        let formals = &own.parameters;
        if formals.iter().all(|formal| formal.name.text != "rate") {
            let message = format!("`{}` has no parameter `rate`, which a layer's `rate_factor` multiplies", own.name.text);
            let mistake = Diagnostic::error(OWN_OPTIMIZER, own.name.span, message);
            let mistake = mistake.help(format!("write `optimizer {}(rate = 0.1)`", own.name.text));
            let (line, column) = own.name.span.end();
            let (place, text) = match formals.first() {
                Some(first) => (before(first.span), "rate = 0.1, "),
                None => (before(Span::new((line, column + 1), (line, column + 2))), "rate = 0.1"),
            };
            self.report(mistake.fix(place, text));
            return None;
        }
        let given = self.given(&own.name, formals, call, None, "0.001");
        let mut result = nn::Call::new(own.name.text.clone());
        for (formal, value) in formals.iter().zip(given) {
            let value = match (value, &formal.default) {
                (Some(value), _) => value,
                (None, Some(default)) => self.expression(default),
                // It was reported as missing.
                (None, None) => return None,
            };
            let argument = match value {
                Value::Number(value) => Argument::Number(value),
                Value::Tensor(node) if self.network.builder.ty(node) == &Type::f64() => Argument::Tensor(node),
                Value::Later => Argument::Tensor(self.scalar_or_tensor(&value)?),
                Value::Unknown => return None,
                other => {
                    let message = format!(
                        "`{}` must be a number or a formula of settings and the step; this is {}",
                        formal.name.text,
                        other.kind()
                    );
                    self.error(OWN_OPTIMIZER, call.span, message);
                    return None;
                }
            };
            result.arguments.push((formal.name.text.clone(), argument));
        }
        Some(result)
    }

    /// Walks the lines on a parameter of some shape, to find what is wrong with them.
    fn try_lines(&mut self, own: &'a Optimizer) -> bool {
        let before = self.diagnostics.len();
        let mut trial = Elaborator::new(self.file, self.source, self.options, "trial");
        trial.network.is_fixed = true;
        let shape = Type::f32(Shape::fixed(&[2, 3]));
        let builder = &mut trial.network.builder;
        let theta = builder.source(Primitive::Parameter, "theta", shape.clone());
        let gradient = builder.source(Primitive::Input, "gradient", shape);
        let (Ok(theta), Ok(gradient)) = (theta, gradient) else { return false };
        let numbers: Vec<(&'a str, NodeId)> = own
            .parameters
            .iter()
            .filter_map(|formal| {
                let node = trial.network.builder.source(Primitive::Setting, &formal.name.text, Type::f64());
                node.ok().map(|node| (formal.name.text.as_str(), node))
            })
            .collect();
        let mut memory = Memory::default();
        let mut is_idle = false;
        for part in [Part::Point, Part::Step] {
            let mut walk = Walk {
                given: Given { theta, gradient, numbers: numbers.clone() },
                memory: &mut memory,
                optimizer: own,
                parameter: "theta",
            };
            let value = walk.run(&mut trial, part);
            is_idle = part == Part::Step && value == Some(theta);
        }
        for mistake in trial.diagnostics {
            self.report(mistake);
        }
        let is_sound = self.diagnostics.len() == before;
        self.idle = (is_idle && is_sound).then_some(own.name.span);
        is_sound
    }
}

fn own<'a>(file: &'a File, name: &str) -> Option<&'a Optimizer> {
    file.items.iter().find_map(|item| match item {
        Item::Optimizer(optimizer) if optimizer.name.text == name => Some(optimizer),
        _ => None,
    })
}

/// The lines as the summary shows them.
fn formula(own: &Optimizer) -> String {
    let lines = own.lines.iter().map(|line| match &line.kind {
        OptimizerLineKind::At(point) => format!("gradient at {}", print::expression(point)),
        OptimizerLineKind::State { name, value }
        | OptimizerLineKind::Let { name, value }
        | OptimizerLineKind::Assign { name, value } => format!("{} = {}", name.text, print::expression(value)),
    });
    lines.collect::<Vec<_>>().join("; ")
}

/// The rule of one parameter on the step's graph.
fn walk(lines: &Lines, update: &mut Update, call: &nn::Call, part: Part) -> Result<NodeId, Fault> {
    let own = own(&lines.file, &lines.name).ok_or_else(|| Fault::new(CANNOT_BUILD, format!("`{}` is gone", lines.name)))?;
    let options = Elaboration { training: true, rust: lines.rust.clone(), ..Elaboration::default() };
    let mut numbers = Vec::new();
    for formal in &own.parameters {
        let name = formal.name.text.as_str();
        // The rate comes with the layer's factor.
        let node = if name == "rate" { update.rate } else { update.number(call, name) };
        numbers.push((name, node));
    }
    let mut elaborator = Elaborator::new(&lines.file, &lines.source, &options, &lines.name);
    elaborator.network.is_fixed = true;
    let origin = update.builder.origin().clone();
    elaborator.network.builder = std::mem::take(update.builder);
    elaborator.network.derive_from(origin.clone());
    let given = Given { theta: update.theta, gradient: update.gradient, numbers };
    let mut walk = Walk { given, memory: &mut *update.memory, optimizer: own, parameter: update.parameter };
    let value = walk.run(&mut elaborator, part);
    *update.builder = std::mem::take(&mut elaborator.network.builder);
    update.builder.set_origin(origin);
    let mistake = elaborator.diagnostics.into_iter().next();
    match (value, mistake) {
        (Some(node), None) => Ok(node),
        (_, Some(mistake)) => Err(Fault::new(mistake.code, mistake.message)),
        (None, None) => Err(Fault::new(CANNOT_BUILD, format!("`{}` gives no new value", lines.name))),
    }
}

/// What a line may name.
struct Given<'a> {
    theta: NodeId,
    gradient: NodeId,
    numbers: Vec<(&'a str, NodeId)>,
}

/// A walk through the lines.
struct Walk<'a, 'm> {
    given: Given<'a>,
    memory: &'m mut Memory,
    optimizer: &'a Optimizer,
    parameter: &'m str,
}

impl<'a> Walk<'a, '_> {
    /// The new value of the parameter, or the point of its gradient.
    fn run(&mut self, elaborator: &mut Elaborator<'a>, part: Part) -> Option<NodeId> {
        let mut frame = Frame::of_network(&[]);
        let mut bind = |name: &'a str, node: NodeId, is_mutable: bool| {
            let binding = super::scope::Binding {
                value: Value::Tensor(node),
                span: self.optimizer.name.span,
                is_mutable,
                path: String::new(),
            };
            frame.scopes[0].push((name, binding));
        };
        bind("theta", self.given.theta, true);
        bind("gradient", self.given.gradient, false);
        for (name, node) in &self.given.numbers {
            bind(name, *node, false);
        }
        elaborator.frames.push(frame);
        let mut point = None;
        // The point stands above the states that it is made of.
        for line in &self.optimizer.lines {
            if let OptimizerLineKind::State { name, value } = &line.kind {
                self.state(elaborator, name, value);
            }
        }
        for line in &self.optimizer.lines {
            match &line.kind {
                OptimizerLineKind::At(value) if part == Part::Point => point = self.moved(elaborator, value),
                OptimizerLineKind::Let { name, value } if part == Part::Step => {
                    let value = elaborator.expression(value);
                    elaborator.define(name, value);
                }
                OptimizerLineKind::Assign { name, value } if part == Part::Step => self.assign(elaborator, name, value),
                _ => {}
            }
        }
        let theta = elaborator.find("theta").map(|binding| binding.value.clone());
        elaborator.frames.pop();
        match (part, theta) {
            (Part::Point, _) => point,
            (Part::Step, Some(Value::Tensor(node))) => Some(node),
            (Part::Step, _) => None,
        }
    }

    fn state(&mut self, elaborator: &mut Elaborator<'a>, name: &'a crate::language::ast::Name, value: &'a Expression) {
        let initial = match &value.kind {
            ExpressionKind::Name(word) if word.text == "zeros" => 0.0,
            ExpressionKind::Name(word) if word.text == "ones" => 1.0,
            _ => match elaborator.expression(value) {
                Value::Number(value) => value,
                Value::Call(call) if call.name == "constant" => call
                    .arguments
                    .first()
                    .map_or(0.0, |(_, argument)| if let Argument::Number(value) = argument { *value } else { 0.0 }),
                Value::Unknown => 0.0,
                other => {
                    let message = format!("a state begins as `zeros`, `ones` or a number; this is {}", other.kind());
                    elaborator.error(OWN_OPTIMIZER, value.span, message);
                    0.0
                }
            },
        };
        let made = self.update(elaborator, |update| update.state(&name.text, initial));
        let value = match made {
            Ok(node) => Value::Tensor(node),
            Err(fault) => elaborator.fault(fault, name.span),
        };
        elaborator.define_with(name, value, true, String::new());
    }

    fn assign(&mut self, elaborator: &mut Elaborator<'a>, name: &'a crate::language::ast::Name, value: &'a Expression) {
        let Some(node) = self.moved(elaborator, value) else { return };
        let Some(binding) = elaborator.find_mut(&name.text) else { return elaborator.unknown_name(name) };
        let is_mutable = binding.is_mutable;
        let known = std::mem::replace(&mut binding.value, Value::Tensor(node));
        if !is_mutable {
            let message = format!("`{}` does not change; states and `theta` do", name.text);
            return elaborator.error(super::NOT_ASSIGNABLE, name.span, message);
        }
        if name.text == "theta" {
            return;
        }
        // The first assignment replaces the state itself, later ones what was assigned before.
        let state = self
            .memory
            .states
            .iter()
            .find(|state| state.name.ends_with(&format!(".{}", name.text)) && state.name.starts_with(self.parameter));
        let state = state.map(|state| state.node);
        if let (Some(state), Value::Tensor(_)) = (state, known) {
            let set = self.update(elaborator, |update| {
                update.set_state(state, node);
                Ok(state)
            });
            debug_assert!(set.is_ok(), "setting a state cannot fail");
        }
    }

    /// A value of the parameter's shape.
    fn moved(&mut self, elaborator: &mut Elaborator<'a>, value: &'a Expression) -> Option<NodeId> {
        let node = match elaborator.expression(value) {
            Value::Unknown => return None,
            other => elaborator.scalar_or_tensor(&other),
        };
        let Some(node) = node else {
            elaborator.error(OWN_OPTIMIZER, value.span, "this is no tensor of the parameter's shape");
            return None;
        };
        let builder = &mut elaborator.network.builder;
        let ty = builder.ty(self.given.theta).clone();
        let node = builder.cast(node, ty.element).and_then(|node| builder.broadcast_to(node, &ty.shape));
        match node {
            Ok(node) => Some(node),
            Err(_) => {
                elaborator.error(OWN_OPTIMIZER, value.span, "this has another shape than the parameter");
                None
            }
        }
    }

    /// The catalogue's view of the update, on the elaborator's graph.
    fn update(
        &mut self,
        elaborator: &mut Elaborator<'a>,
        act: impl FnOnce(&mut Update) -> Result<NodeId, Fault>,
    ) -> Result<NodeId, Fault> {
        let builder: &mut Builder = &mut elaborator.network.builder;
        let step = builder.step();
        let mut update = Update {
            builder,
            optimizer: &self.optimizer.name.text,
            parameter: self.parameter,
            theta: self.given.theta,
            gradient: self.given.gradient,
            rate: step,
            step,
            decayed: false,
            memory: &mut *self.memory,
        };
        act(&mut update)
    }
}
