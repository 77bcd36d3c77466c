//! What a user can name: layers, activations, losses, penalties, metrics, initialisers and optimizers, each a function that builds
//! primitives; and the [`Network`] that they build into.
//!
//! A [`Function`] is a record: name, arguments with defaults and bounds, and how it is built. The language, the builder and `.net`
//! files all call it through [`Network::call`], so what one can say, the others can. Adding one touches its file and its family's list.

pub mod activations;
pub mod arguments;
mod calls;
pub mod choice;
pub mod clips;
pub mod fault;
pub mod formulas;
pub mod groups;
pub mod initializers;
pub mod layers;
pub mod losses;
pub mod metrics;
pub mod network;
pub mod operations;
pub mod optimizers;
pub mod parameters;
pub mod penalties;
pub(crate) mod rows;
pub mod schedules;
mod statements;
#[cfg(test)]
mod tests;
pub mod times;

pub use fault::Fault;
pub use network::Network;

use crate::graph::NodeId;

/// What an argument must be, and how it is checked.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Kind {
    /// A size of at least this: a whole number known when the network is built.
    Size {
        /// The smallest that makes sense.
        least: usize,
    },
    /// A whole number that may be negative (an axis).
    Integer,
    /// Several sizes: `[2, 3]`, or one.
    Sizes,
    /// Sizes of at least 0, or `same`.
    Padding,
    /// A number inside bounds; the bounds themselves belong to it where told. It may be a setting or a formula of settings and the step.
    Number {
        /// The lower bound.
        low: f64,
        /// Whether the lower bound itself is allowed.
        low_included: bool,
        /// The upper bound.
        high: f64,
        /// Whether the upper bound itself is allowed.
        high_included: bool,
    },
    /// `true` or `false`.
    Flag,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A tensor of the network.
    Tensor,
    /// One tensor or several, one after the other.
    Tensors,
    /// An initialiser, by name or call.
    Initializer,
    /// A penalty (`l1(1e-5)`), or `none`.
    Penalty,
    /// Numbers in brackets.
    Numbers,
    /// A text in quotes, handed over as a word.
    Text,
}

impl Kind {
    /// Any finite number.
    pub const ANY: Kind = Kind::Number { low: f64::NEG_INFINITY, low_included: false, high: f64::INFINITY, high_included: false };
    /// A finite number above 0.
    pub const POSITIVE: Kind = Kind::Number { low: 0.0, low_included: false, high: f64::INFINITY, high_included: false };
    /// A finite number of at least 0.
    pub const NOT_NEGATIVE: Kind = Kind::Number { low: 0.0, low_included: true, high: f64::INFINITY, high_included: false };
    /// A share in [0, 1).
    pub const SHARE: Kind = Kind::Number { low: 0.0, low_included: true, high: 1.0, high_included: false };
    /// A weight in [0, 1].
    pub const WEIGHT: Kind = Kind::Number { low: 0.0, low_included: true, high: 1.0, high_included: true };
}

/// One argument of a [`Function`].
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Parameter {
    /// The word before `=`.
    pub name: &'static str,
    /// What it must be.
    pub kind: Kind,
    /// Source text of the default; `None` if it must be given, `Some("")` if it may be left out without a value.
    pub default: Option<&'static str>,
    /// Other defaults, by the word of [`SEMANTICS`] under which they hold.
    pub elsewhere: &'static [(&'static str, &'static str)],
    /// The argument that this one must not lie below, and whether the two may be equal.
    pub not_below: Option<(&'static str, bool)>,
    /// Whether its value must be known when the network is compiled: a setting, which may change later, will not do.
    pub is_known: bool,
    /// One line.
    pub doc: &'static str,
}

/// The argument that says whose convention is followed: the formula and the defaults go by it.
pub const SEMANTICS: &str = "semantics";

impl Parameter {
    /// An argument that must be given.
    pub const fn required(name: &'static str, kind: Kind, doc: &'static str) -> Self {
        Parameter { name, kind, default: None, elsewhere: &[], not_below: None, is_known: false, doc }
    }
    /// An argument that may be left out.
    pub const fn optional(name: &'static str, kind: Kind, default: &'static str, doc: &'static str) -> Self {
        Parameter { name, kind, default: Some(default), elsewhere: &[], not_below: None, is_known: false, doc }
    }
    /// With other defaults under other conventions.
    pub const fn elsewhere(self, elsewhere: &'static [(&'static str, &'static str)]) -> Self {
        Parameter { elsewhere, ..self }
    }
    /// At least as large as another argument.
    pub const fn at_least(self, other: &'static str) -> Self {
        Parameter { not_below: Some((other, true)), ..self }
    }
    /// Larger than another argument.
    pub const fn above(self, other: &'static str) -> Self {
        Parameter { not_below: Some((other, false)), ..self }
    }
    /// Known when the network is compiled.
    pub const fn known(self) -> Self {
        Parameter { is_known: true, ..self }
    }
    /// Source text of the default under a convention.
    pub fn default_under(&self, semantics: Option<&str>) -> Option<&'static str> {
        let other = self.elsewhere.iter().find(|(word, _)| Some(*word) == semantics);
        other.map(|(_, text)| *text).or(self.default)
    }
}

/// A value given for an argument.
#[derive(Clone, PartialEq, Debug)]
pub enum Argument {
    /// A literal number.
    Number(f64),
    /// `true` or `false`.
    Flag(bool),
    /// A bare word (`same`, `none`, `logits`).
    Word(String),
    /// A value of the network; for a [`Kind::Number`] an f64 scalar (a setting, or a formula of settings and the step).
    Tensor(NodeId),
    /// Values in brackets.
    List(Vec<Argument>),
    /// `name(arguments)`: an initialiser or penalty.
    Call(Call),
}

/// A use of a function. As written, an argument with an empty name is positional; after [`arguments::resolve`] they stand in the order
/// of the function's parameters, defaults filled in (absent: left out).
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Call {
    /// What is called.
    pub name: String,
    /// Names (empty: positional) and values.
    pub arguments: Vec<(String, Argument)>,
}

impl Call {
    /// A call without arguments.
    pub fn new(name: impl Into<String>) -> Self {
        Call { name: name.into(), arguments: Vec::new() }
    }
    /// With a positional argument.
    pub fn with(mut self, argument: impl Into<Argument>) -> Self {
        self.arguments.push((String::new(), argument.into()));
        self
    }
    /// With a named argument.
    pub fn set(mut self, name: &str, argument: impl Into<Argument>) -> Self {
        self.arguments.push((name.to_string(), argument.into()));
        self
    }
    /// The argument of this name.
    pub fn get(&self, name: &str) -> Option<&Argument> {
        self.arguments.iter().find(|(known, _)| known == name).map(|(_, argument)| argument)
    }
    /// A size; checked before the call, 0 if absent.
    pub fn size(&self, name: &str) -> usize {
        match self.get(name) {
            Some(Argument::Number(value)) => *value as usize,
            _ => 0,
        }
    }
    /// Several sizes.
    pub fn sizes(&self, name: &str) -> Option<Vec<usize>> {
        self.numbers(name).map(|list| list.into_iter().map(|value| value as usize).collect())
    }
    /// Numbers in brackets.
    pub fn numbers(&self, name: &str) -> Option<Vec<f64>> {
        match self.get(name) {
            Some(Argument::List(list)) => list
                .iter()
                .map(|one| match one {
                    Argument::Number(value) => Some(*value),
                    _ => None,
                })
                .collect(),
            _ => None,
        }
    }
    /// A literal number.
    pub fn number(&self, name: &str) -> Option<f64> {
        match self.get(name) {
            Some(Argument::Number(value)) => Some(*value),
            _ => None,
        }
    }
    /// A flag; `false` if absent.
    pub fn flag(&self, name: &str) -> bool {
        matches!(self.get(name), Some(Argument::Flag(true)))
    }
    /// A word.
    pub fn word(&self, name: &str) -> Option<&str> {
        match self.get(name) {
            Some(Argument::Word(word)) => Some(word),
            _ => None,
        }
    }
    /// A tensor argument.
    pub fn tensor(&self, name: &str) -> Option<NodeId> {
        match self.get(name) {
            Some(Argument::Tensor(node)) => Some(*node),
            _ => None,
        }
    }
    /// Several tensors.
    pub fn tensors(&self, name: &str) -> Vec<NodeId> {
        match self.get(name) {
            Some(Argument::List(list)) => list
                .iter()
                .filter_map(|one| match one {
                    Argument::Tensor(node) => Some(*node),
                    _ => None,
                })
                .collect(),
            Some(Argument::Tensor(node)) => vec![*node],
            _ => Vec::new(),
        }
    }
    /// An initialiser or penalty.
    pub fn inner(&self, name: &str) -> Option<&Call> {
        match self.get(name) {
            Some(Argument::Call(call)) => Some(call),
            _ => None,
        }
    }
}

impl From<f64> for Argument {
    fn from(value: f64) -> Self {
        Argument::Number(value)
    }
}
impl From<bool> for Argument {
    fn from(flag: bool) -> Self {
        Argument::Flag(flag)
    }
}
impl From<&str> for Argument {
    fn from(word: &str) -> Self {
        Argument::Word(word.to_string())
    }
}
impl From<NodeId> for Argument {
    fn from(node: NodeId) -> Self {
        Argument::Tensor(node)
    }
}
impl From<Call> for Argument {
    fn from(call: Call) -> Self {
        Argument::Call(call)
    }
}
impl From<&[f64]> for Argument {
    fn from(list: &[f64]) -> Self {
        Argument::List(list.iter().map(|&value| Argument::Number(value)).collect())
    }
}

/// What a function is good for; the language says where each may stand.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Family {
    /// Holds parameters, or behaves differently in training.
    Layer,
    /// A nonlinearity.
    Activation,
    /// A number to minimise.
    Loss,
    /// A number to read.
    Metric,
    /// What formulas are written with.
    Operation,
}

/// What a function can be called on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Receiver {
    /// Real numbers.
    Real,
    /// Class indices or integers.
    Index,
    /// Whatever it is.
    Any,
}

/// A function on tensors, as the user names it.
#[derive(Debug)]
pub struct Function {
    /// The word.
    pub name: &'static str,
    /// What it is good for.
    pub family: Family,
    /// One sentence with shapes.
    pub doc: &'static str,
    /// Where the formula stands in print, and what is different here; empty for what needs none.
    pub source: &'static str,
    /// Formula per element, as it stands in the summary.
    pub formula: &'static str,
    /// What `x` of `x.f(…)` must be.
    pub receiver: Receiver,
    /// The first is the receiver `x` of `x.f(…)` and is not listed.
    pub parameters: &'static [Parameter],
    /// Builds it on receiver `x`.
    pub build: fn(&mut Network, NodeId, &Call) -> Result<NodeId, Fault>,
    /// The initialiser that it asks of the layer before it, if it does.
    pub wants: Option<fn(&Call) -> Call>,
    /// Whether the choice of an initialiser looks through it.
    pub transparent: bool,
    /// For layers whose output has as many features as an argument says: that argument.
    pub width: Option<&'static str>,
    /// For layers that are linear in their parameters: the axis of the weight that holds the features which come out.
    pub weight_axis: Option<usize>,
    /// For those: the axis of the output on which they stand; below 0 it is counted from the end.
    pub feature_axis: isize,
    /// For layers that normalise by moments of the batch: the state that keeps one of them, an element for each set of values.
    pub batch_moment: Option<&'static str>,
    /// Conventions that the summary of a network with it names; empty if there are none.
    pub conventions: &'static str,
    /// For activations: between which values an output lies, where the derivative goes to 0 at both.
    pub limits: Option<(f64, f64)>,
    /// For activations: whether an output of 0 lets no gradient through.
    pub dies: bool,
    /// For losses: whether it is a distance between numbers, which says nothing of classes.
    pub is_distance: bool,
    /// For metrics: whether more is better.
    pub higher_is_better: bool,
}

impl Function {
    /// A function that gives its receiver back: what records are written from.
    pub const BASE: Function = Function {
        name: "",
        family: Family::Operation,
        doc: "",
        source: "",
        formula: "",
        receiver: Receiver::Real,
        parameters: &[],
        build: |_, x, _| Ok(x),
        wants: None,
        transparent: false,
        width: None,
        weight_axis: None,
        feature_axis: -1,
        batch_moment: None,
        conventions: "",
        limits: None,
        dies: false,
        is_distance: false,
        higher_is_better: false,
    };
}

/// Every function that a user can name, family by family.
pub fn functions() -> impl Iterator<Item = &'static Function> {
    [layers::LIST, activations::LIST, losses::LIST, metrics::LIST, operations::LIST, schedules::LIST]
        .into_iter()
        .flatten()
        .copied()
}

/// The function of this name.
pub fn function(name: &str) -> Option<&'static Function> {
    functions().find(|function| function.name == name)
}
