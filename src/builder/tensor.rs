//! Values of a network under construction, and what can be called on them.

use super::Net;
use super::checks::own_values;
use gradc_compiler::graph::NodeId;
use gradc_compiler::language::elaborate::{MAX_COUNT, TOO_LARGE, row_count, values_asked};
use gradc_compiler::nn::{self, Argument, Call, Fault};
use gradc_compiler::ops::Primitive;
use std::panic::Location;

/// A value of the network. One that a mistake spoilt is carried on silently.
#[derive(Clone, Copy, Debug)]
pub struct Tensor<'n> {
    pub(super) net: &'n Net,
    pub(super) node: Option<NodeId>,
}

impl<'n> Tensor<'n> {
    /// Any function of the catalogue by name, with all its arguments.
    #[track_caller]
    pub fn apply(self, call: &Call) -> Self {
        let Some(node) = self.node.filter(|_| !has_spoilt(call)) else { return Tensor { node: None, ..self } };
        self.net.tensor(Location::caller(), |network| {
            own_values(network, call)?;
            let row = row_count(&network.builder.graph().shape(node).0);
            let asked = nn::function(&call.name).map_or(1.0, |function| values_asked(function, call));
            if asked * row > MAX_COUNT {
                let fault = Fault::new(TOO_LARGE, format!("{} would need {:.1e} values", call.name, asked * row));
                return Err(fault.help("take a smaller size, such as 64"));
            }
            network.call(&call.name, node, call)
        })
    }

    /// A function that takes other values: `logits.with("cross_entropy", &[digit])`.
    #[track_caller]
    pub fn with(self, name: &str, others: &[Tensor<'n>]) -> Self {
        let mut call = Call::new(name);
        for other in others {
            let Some(other) = self.net.node(*other) else { return Tensor { node: None, ..self } };
            call = call.with(Argument::Tensor(other));
        }
        self.apply(&call)
    }

    #[track_caller]
    fn joined(self, primitive: Primitive, other: Tensor<'n>) -> Tensor<'n> {
        let (Some(a), Some(b)) = (self.node, self.net.node(other)) else { return Tensor { node: None, ..self } };
        self.net.tensor(Location::caller(), |network| network.arithmetic(primitive, a, b))
    }

    /// Where it is less than another value.
    #[track_caller]
    pub fn less(self, other: Tensor<'n>) -> Self {
        self.joined(Primitive::Lt, other)
    }
    /// Where it is less than another value or equal to it.
    #[track_caller]
    pub fn less_or_equal(self, other: Tensor<'n>) -> Self {
        self.joined(Primitive::Le, other)
    }
    /// Where it is greater than another value.
    #[track_caller]
    pub fn greater(self, other: Tensor<'n>) -> Self {
        other.joined(Primitive::Lt, self)
    }
    /// Where it is greater than another value or equal to it.
    #[track_caller]
    pub fn greater_or_equal(self, other: Tensor<'n>) -> Self {
        other.joined(Primitive::Le, self)
    }
    /// Where it equals another value.
    #[track_caller]
    pub fn equal(self, other: Tensor<'n>) -> Self {
        self.joined(Primitive::Eq, other)
    }
    /// Where it differs from another value.
    #[track_caller]
    pub fn not_equal(self, other: Tensor<'n>) -> Self {
        self.joined(Primitive::Ne, other)
    }
}

/// Stands in a call for a value that a mistake spoilt.
const SPOILT: &str = "?";

/// Whether a call takes a value that a mistake spoilt.
fn has_spoilt(call: &Call) -> bool {
    call.arguments.iter().any(|(_, argument)| matches!(argument, Argument::Word(word) if word == SPOILT))
}

impl From<Tensor<'_>> for Argument {
    fn from(value: Tensor<'_>) -> Argument {
        value.node.map_or_else(|| Argument::Word(SPOILT.into()), Argument::Tensor)
    }
}

macro_rules! methods {
    ($($(#[$doc:meta])* $name:ident($($argument:ident: $kind:ty),*);)*) => {
        impl Tensor<'_> {
            $($(#[$doc])* #[track_caller] pub fn $name(self $(, $argument: $kind)*) -> Self {
                let call = Call::new(stringify!($name))$(.with($argument as f64))*;
                self.apply(&call)
            })*
        }
    };
}

methods! {
    /// `x·W + b` on the last axis.
    dense(width: usize);
    /// Normalises each feature by the batch's moments; running ones at test time.
    batch_norm();
    /// Normalises each row by its own moments.
    layer_norm();
    /// Drops a share of the values in training.
    dropout(rate: f64);
    /// Measured on the training data before step 1.
    standardize();
    /// A learned vector for each class.
    embedding(width: usize);
    /// Classes as rows of zeros and a one.
    one_hot();
    /// `[batch, a, b, …]` as `[batch, a·b·…]`.
    flatten();
    /// `1 / (1 + e^-x)`
    sigmoid();
    /// Hyperbolic tangent.
    tanh();
    /// `max(0, x)`
    relu();
    /// `max(slope·x, x)`
    leaky_relu(slope: f64);
    /// `x` above 0, `e^x - 1` below.
    elu();
    /// `x·Φ(x)`
    gelu();
    /// Shares along the last axis.
    softmax();
    /// Logarithms of the shares along the last axis.
    log_softmax();
    /// Mean of all values.
    mean();
    /// Sum of all values.
    sum();
}

macro_rules! operators {
    ($($trait:ident $method:ident $primitive:ident;)*) => {
        $(impl<'n> std::ops::$trait for Tensor<'n> {
            type Output = Tensor<'n>;
            #[track_caller]
            fn $method(self, other: Tensor<'n>) -> Tensor<'n> {
                self.joined(Primitive::$primitive, other)
            }
        }
        impl<'n> std::ops::$trait<f64> for Tensor<'n> {
            type Output = Tensor<'n>;
            #[track_caller]
            fn $method(self, number: f64) -> Tensor<'n> {
                let number = self.net.number(number);
                self.joined(Primitive::$primitive, number)
            }
        }
        impl<'n> std::ops::$trait<Tensor<'n>> for f64 {
            type Output = Tensor<'n>;
            #[track_caller]
            fn $method(self, other: Tensor<'n>) -> Tensor<'n> {
                other.net.number(self).joined(Primitive::$primitive, other)
            }
        })*
    };
}

operators! {
    Add add Add;
    Sub sub Sub;
    Mul mul Mul;
    Div div Div;
}

impl<'n> std::ops::Neg for Tensor<'n> {
    type Output = Tensor<'n>;
    #[track_caller]
    fn neg(self) -> Tensor<'n> {
        let Some(node) = self.node else { return self };
        self.net.tensor(Location::caller(), |network| Ok(network.builder.neg(node)?))
    }
}
