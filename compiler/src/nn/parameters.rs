//! What a network keeps: learned tensors, states, settings, and what is measured on the data.

use super::penalties::Applied;
use super::{Call, Kind};
use crate::aggregate::Combination;
use crate::graph::{NodeId, Shape, Type};

/// A tensor from outside.
#[derive(Clone, PartialEq, Debug)]
pub struct Source {
    /// Its name.
    pub name: String,
    /// Its node.
    pub node: NodeId,
    /// Its type.
    pub ty: Type,
    /// Place of the declaration, such as `digits.net:9:25`.
    pub place: String,
}

/// Numbers that a loss is made for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Domain {
    /// From 0 to 1: probabilities, shares of a distribution.
    Shares,
    /// -1 and 1.
    Signs,
    /// From 0 on: weights.
    NotNegative,
}

impl Domain {
    /// Whether it has the number.
    pub fn holds(self, value: f64) -> bool {
        match self {
            Domain::Shares => (0.0..=1.0).contains(&value),
            Domain::Signs => value.abs() == 1.0,
            Domain::NotNegative => value >= 0.0,
        }
    }
}

/// What a loss asks of an input or target that it is given as it comes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Asked {
    /// Which numbers.
    pub domain: Domain,
    /// The loss.
    pub by: &'static str,
}

/// Which penalties a parameter is under.
#[derive(Clone, PartialEq, Debug)]
pub enum Governed {
    /// The network's.
    ByNetwork,
    /// None: `penalty = none`.
    Free,
    /// Its layer's own, which replaces the network's.
    ByOwn(Applied),
}

/// What a layer asks for when it makes a parameter.
#[derive(Clone, PartialEq, Debug)]
pub struct Wanted {
    /// Its shape.
    pub sizes: Vec<usize>,
    /// `None`: chosen at the end by what follows the layer.
    pub initializer: Option<Call>,
    /// What one output sums over.
    pub fan_in: usize,
    /// What one input spreads to.
    pub fan_out: usize,
    /// Whether the network's penalties act on it unless told: weights yes, biases and normalisation parameters no.
    pub penalised: bool,
    /// Whether decoupled weight decay acts on it.
    pub decayed: bool,
    /// Whether it stays as it is.
    pub frozen: bool,
    /// Multiplies the optimizer's rate: an f64 scalar.
    pub rate_factor: Option<NodeId>,
    /// In place of the optimizer's weight decay: an f64 scalar.
    pub weight_decay: Option<NodeId>,
    /// The penalties that it is under.
    pub governed: Governed,
}

impl Wanted {
    /// A weight: penalised, its initialiser chosen by what follows.
    pub fn weight(sizes: &[usize], fan_in: usize, fan_out: usize) -> Self {
        Wanted {
            sizes: sizes.to_vec(),
            initializer: None,
            fan_in,
            fan_out,
            penalised: true,
            decayed: true,
            frozen: false,
            rate_factor: None,
            weight_decay: None,
            governed: Governed::ByNetwork,
        }
    }
    /// A tensor that a user declares: as in a layer, the last axis is what comes out and the others are summed over. Nobody can say what
    /// it is for: as any weight it is under penalties and decay unless a group says otherwise.
    pub fn own(sizes: &[usize], initializer: Call) -> Self {
        let (fan_in, fan_out) = match sizes {
            [rest @ .., out] if !rest.is_empty() => (rest.iter().product(), *out),
            [width] => (*width, *width),
            _ => (1, 1),
        };
        Wanted { initializer: Some(initializer), ..Wanted::weight(sizes, fan_in, fan_out) }
    }
    /// A vector of this width that no penalty touches unless told: a bias, a normalisation parameter.
    pub fn vector(width: usize, initializer: &str) -> Self {
        Wanted { initializer: Some(Call::new(initializer)), penalised: false, ..Wanted::weight(&[width], width, width) }
    }
}

/// A learned tensor.
#[derive(Clone, PartialEq, Debug)]
pub struct Learned {
    /// File name: `let` path, layer kind, parameter, such as `hidden.dense.weight`.
    pub name: String,
    /// Its node.
    pub node: NodeId,
    /// Its shape.
    pub shape: Shape,
    /// What its layer asked for.
    pub wanted: Wanted,
    /// Place of the call that made it.
    pub place: String,
    /// A bias that normalisation takes out again: dropped unless something else needs it.
    pub droppable: bool,
}

/// A tensor kept from step to step.
#[derive(Clone, PartialEq, Debug)]
pub struct State {
    /// Its name in files.
    pub name: String,
    /// Its node.
    pub node: NodeId,
    /// Its type.
    pub ty: Type,
    /// Every element's value before step 1.
    pub initial: f64,
    /// Whether it belongs to the model (running statistics, scales) or to the training run alone (moments).
    pub saved: bool,
}

/// A number that may change without compiling.
#[derive(Clone, PartialEq, Debug)]
pub struct Setting {
    /// Its name.
    pub name: String,
    /// The declared value.
    pub value: f64,
    /// An f64 scalar.
    pub node: NodeId,
    /// Declared by the user, or made from a literal rate or penalty.
    pub declared: bool,
    /// Bounds of the arguments it stands for.
    pub kinds: Vec<Kind>,
}

/// How a [`Scaler`] measures.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Measure {
    /// `shift` is the mean of each column, `scale` its standard deviation (over n; 1 where it is 0).
    Standardize,
    /// `shift` is the least of each column, `scale` greatest less least (1 where it is 0).
    Rescale,
}

/// What is measured on the training part of the data before step 1, saved with the weights and never trained:
/// a value x becomes (x - shift) / scale.
#[derive(Clone, PartialEq, Debug)]
pub struct Scaler {
    /// The input or target that is measured, row by row.
    pub source: NodeId,
    /// How it measures.
    pub measure: Measure,
    /// States of the shape of one row.
    pub shift: NodeId,
    /// What values are divided by.
    pub scale: NodeId,
    /// The scaled value is `value * span + low`.
    pub low: f64,
    /// The width of the range.
    pub span: f64,
}

/// How the values of a scalar that is no mean over rows combine over chunks of rows.
#[derive(Clone, PartialEq, Debug)]
pub struct Aggregate {
    /// The formulas.
    pub combination: Combination,
    /// The combination's parts, in its order: f32, scalars or one number a group.
    pub parts: Vec<NodeId>,
}

/// A value that the training step gives out, for someone who watches.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Probe {
    /// As it was asked for.
    pub name: String,
    /// The value.
    pub node: NodeId,
    /// Whether the derivative of the total loss by the node is wanted, not its value.
    pub gradient: bool,
}

/// What is measured.
#[derive(Clone, PartialEq, Debug)]
pub struct Report {
    /// Its name.
    pub name: String,
    /// A scalar.
    pub node: NodeId,
    /// Whether more is better.
    pub higher_is_better: bool,
    /// How its values for chunks of rows combine; `None` for a mean over rows.
    pub aggregate: Option<Aggregate>,
    /// Whether an evaluation in chunks gives the value of all its rows; else it gives the mean of the chunks' values.
    pub is_whole: bool,
}
