//! Optimizers: how a parameter moves, given its gradient.
//!
//! θ is the parameter, g its gradient (after clips), η the rate, t the step counted from 1. What depends on the step alone (1 - βᵗ, the
//! rate) is an f64 scalar, cast once to f32 where it meets a tensor. Moments are states named `parameter.optimizer.moment`.
//!
//! `semantics = paper` is the formula of the catalogue; other words mean what that framework computes, its default arguments included.
//! A framework is offered where it has the method, and each is held to trajectories that it made itself, with its defaults and without
//! (`tests/golden/conventions.json`). Where frameworks agree they share a [`Form`].

mod adaptive;
mod descent;
mod moments;
mod sign;

use super::arguments::unknown_name;
use super::clips::ClipUse;
use super::parameters::State;
use super::{Argument, Call, Fault, Kind, Parameter, SEMANTICS};
use crate::graph::{BuildError, Builder, NodeId, Type};
use crate::ops::Primitive;
use rustc_hash::FxBuildHasher;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

/// The point at which a gradient is taken; `None` if it is θ after all.
pub type Point = fn(&mut Update, &Call) -> Result<Option<NodeId>, Fault>;

/// An optimizer, as the user names it.
pub struct Optimizer {
    /// The word.
    pub name: &'static str,
    /// One sentence.
    pub doc: &'static str,
    /// Where the update stands in print, and what is different here.
    pub source: &'static str,
    /// The update as each convention has it; the first is the default.
    pub forms: &'static [Form],
    /// What it takes.
    pub parameters: &'static [Parameter],
}

/// How an optimizer is computed, and by whom.
pub struct Form {
    /// The words of `semantics` that ask for it.
    pub of: &'static [&'static str],
    /// The update in words of the catalogue.
    pub formula: &'static str,
    /// The new θ.
    pub build: fn(&mut Update, &Call) -> Result<NodeId, Fault>,
    /// Where the gradient is taken, if not at θ; [`Update::gradient`] is θ itself there.
    pub at: Option<Point>,
}

impl Optimizer {
    /// The form in force for a call.
    pub fn form(&self, call: &Call) -> &'static Form {
        let asked = call.word(SEMANTICS);
        let found = self.forms.iter().find(|form| form.of.iter().any(|word| Some(*word) == asked));
        found.unwrap_or(&self.forms[0])
    }
}

impl fmt::Debug for Optimizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// A step of one's own: the new θ, or the point of the gradient.
pub type OwnRule = Arc<dyn Fn(&mut Update, &Call) -> Result<NodeId, Fault> + Send + Sync>;

/// The rule by which parameters move.
#[derive(Clone)]
pub enum Rule {
    /// One of the list.
    Known(&'static Optimizer),
    /// Declared by the user; `at` is the point of the gradient if it is not θ.
    Own {
        /// The word.
        name: String,
        /// Its lines, as they stand in the summary.
        formula: String,
        /// Where the gradient is taken, if not at θ.
        at: Option<OwnRule>,
        /// The new θ.
        build: OwnRule,
    },
}

impl Rule {
    /// The optimizer's name.
    pub fn name(&self) -> &str {
        match self {
            Rule::Known(optimizer) => optimizer.name,
            Rule::Own { name, .. } => name,
        }
    }
    /// The update's formula.
    pub fn formula(&self, call: &Call) -> &str {
        match self {
            Rule::Known(optimizer) => optimizer.form(call).formula,
            Rule::Own { formula, .. } => formula,
        }
    }
    /// Builds the new θ.
    pub fn build(&self, update: &mut Update, call: &Call) -> Result<NodeId, Fault> {
        match self {
            Rule::Known(optimizer) => (optimizer.form(call).build)(update, call),
            Rule::Own { build, .. } => build(update, call),
        }
    }
    /// Whether the gradient may be taken elsewhere than at θ.
    pub fn moves(&self) -> bool {
        match self {
            Rule::Known(optimizer) => optimizer.forms.iter().any(|form| form.at.is_some()),
            Rule::Own { at, .. } => at.is_some(),
        }
    }
    /// The point at which the gradient is taken, if it is not θ.
    pub fn at(&self, update: &mut Update, call: &Call) -> Result<Option<NodeId>, Fault> {
        match self {
            Rule::Known(optimizer) => optimizer.form(call).at.map_or(Ok(None), |at| at(update, call)),
            Rule::Own { at: Some(at), .. } => at(update, call).map(Some),
            Rule::Own { at: None, .. } => Ok(None),
        }
    }
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The optimizer in force, its arguments resolved, and the clips before it.
#[derive(Clone, Debug)]
pub struct OptimizerUse {
    /// The optimizer.
    pub rule: Rule,
    /// Its arguments.
    pub call: Call,
    /// What limits gradients before it, in order.
    pub clips: Vec<ClipUse>,
}

/// What the update of one parameter is built from.
pub struct Update<'a> {
    /// The step's graph.
    pub builder: &'a mut Builder,
    /// Name of the optimizer: part of the states' names.
    pub optimizer: &'a str,
    /// Name of the parameter.
    pub parameter: &'a str,
    /// The parameter.
    pub theta: NodeId,
    /// Its gradient, clipped: same shape.
    pub gradient: NodeId,
    /// η, the layer's rate factor included: an f64 scalar.
    pub rate: NodeId,
    /// t, counted from 1: an f64 scalar.
    pub step: NodeId,
    /// Whether decoupled weight decay acts on this parameter.
    pub decayed: bool,
    /// Where states are kept.
    pub memory: &'a mut Memory,
}

/// States of the optimizer and their next values.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    /// All states, each once.
    pub states: Vec<State>,
    /// States and their next values.
    pub next: Vec<(NodeId, NodeId)>,
    /// Nodes of the states.
    known: HashSet<NodeId, FxBuildHasher>,
    /// Where the next value of a state stands.
    set: HashMap<NodeId, usize, FxBuildHasher>,
}

impl Memory {
    /// A state of the optimizer, found again under the same name.
    pub fn state(&mut self, builder: &mut Builder, name: String, ty: Type, initial: f64) -> Result<NodeId, Fault> {
        let node = builder.source(Primitive::State, &name, ty.clone())?;
        if self.known.insert(node) {
            self.states.push(State { name, node, ty, initial, saved: false });
        }
        Ok(node)
    }
    /// Sets a state's next value.
    pub fn set(&mut self, state: NodeId, next: NodeId) {
        let place = *self.set.entry(state).or_insert(self.next.len());
        match self.next.get_mut(place) {
            Some(known) => known.1 = next,
            None => self.next.push((state, next)),
        }
    }
}

impl Update<'_> {
    /// A moment of θ's shape, such as `hidden.dense.weight.adam.m`; every element starts at `initial`.
    pub fn state(&mut self, moment: &str, initial: f64) -> Result<NodeId, Fault> {
        let name = format!("{}.{}.{moment}", self.parameter, self.optimizer);
        let ty = self.builder.ty(self.theta).clone();
        self.memory.state(self.builder, name, ty, initial)
    }
    /// An f64 scalar that all parameters share, such as `nadam.product`.
    pub fn shared_state(&mut self, moment: &str, initial: f64) -> Result<NodeId, Fault> {
        let name = format!("{}.{moment}", self.optimizer);
        self.memory.state(self.builder, name, Type::f64(), initial)
    }
    /// Sets a state's next value.
    pub fn set_state(&mut self, state: NodeId, next: NodeId) {
        self.memory.set(state, next);
    }
    /// A number argument as an f64 scalar; 0 if absent.
    pub fn number(&mut self, call: &Call, name: &str) -> NodeId {
        match call.get(name) {
            Some(Argument::Tensor(node)) => *node,
            Some(Argument::Number(value)) => self.builder.constant_f64(*value),
            _ => self.builder.constant_f64(0.0),
        }
    }
    /// `1 - scalar`, in f64.
    fn rest(&mut self, scalar: NodeId) -> Result<NodeId, BuildError> {
        let one = self.builder.constant_f64(1.0);
        self.builder.sub(one, scalar)
    }
    /// `1 / (1 - βᵗ)`, in f64: what an average of t values misses by starting at 0.
    fn correction(&mut self, beta: NodeId, step: NodeId) -> Result<NodeId, BuildError> {
        let power = self.builder.binary(Primitive::Pow, beta, step)?;
        let rest = self.rest(power)?;
        let one = self.builder.constant_f64(1.0);
        self.builder.div(one, rest)
    }
    /// The moving average `β·a + (1-β)·x` of a state, and sets it.
    fn average(&mut self, state: NodeId, beta: NodeId, x: NodeId) -> Result<NodeId, BuildError> {
        let rest = self.rest(beta)?;
        let kept = self.builder.mul(state, beta)?;
        let new = self.builder.mul(x, rest)?;
        let next = self.builder.add(kept, new)?;
        self.set_state(state, next);
        Ok(next)
    }
    /// `g²`.
    fn square(&mut self) -> Result<NodeId, BuildError> {
        self.builder.mul(self.gradient, self.gradient)
    }
    /// `√x + ε`, or `√(x + ε)` if ε stands under the root.
    fn root(&mut self, x: NodeId, epsilon: NodeId, under: bool) -> Result<NodeId, BuildError> {
        if under {
            let shifted = self.builder.add(x, epsilon)?;
            return self.builder.unary(Primitive::Sqrt, shifted);
        }
        let root = self.builder.unary(Primitive::Sqrt, x)?;
        self.builder.add(root, epsilon)
    }
    /// `θ - η x`.
    fn descend(&mut self, x: NodeId) -> Result<NodeId, BuildError> {
        let step = self.builder.mul(x, self.rate)?;
        self.builder.sub(self.theta, step)
    }
}

/// The learning rate, which an optimizer of the user's own has too.
pub(crate) const RATE: Parameter = Parameter::required("rate", Kind::NOT_NEGATIVE, "the learning rate η, such as 1e-3");

const fn beta(name: &'static str, default: &'static str) -> Parameter {
    Parameter::optional(name, Kind::SHARE, default, "how much of the average so far is kept")
}
const fn epsilon(default: &'static str) -> Parameter {
    Parameter::optional("epsilon", Kind::NOT_NEGATIVE, default, "keeps the division away from 0")
}
/// Whose formula and defaults; only what has the method is offered.
const fn semantics(words: &'static [&'static str]) -> Parameter {
    let doc = "whose formula and defaults: the catalogue's, or that framework's";
    Parameter::optional(SEMANTICS, Kind::Choice(words), "paper", doc)
}
/// For methods that every framework has.
const ALL: &[&str] = &["paper", "torch", "keras", "optax"];

/// All optimizers.
pub const LIST: &[&Optimizer] = &[
    &descent::SGD,
    &descent::MOMENTUM,
    &descent::NESTEROV,
    &adaptive::ADAGRAD,
    &adaptive::RMSPROP,
    &moments::ADAM,
    &moments::NADAM,
    &moments::ADAMW,
    &adaptive::ADADELTA,
    &moments::ADAMAX,
    &moments::AMSGRAD,
    &sign::LION,
];

/// The optimizer of this name.
pub fn find(name: &str) -> Result<&'static Optimizer, Fault> {
    let found = LIST.iter().copied().find(|optimizer| optimizer.name == name);
    found.ok_or_else(|| unknown_name("optimizer", name, LIST.iter().map(|optimizer| optimizer.name)))
}
