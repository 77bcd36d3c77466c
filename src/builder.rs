//! The builder: the words of `network!` as methods, for networks that a program puts together itself.
//!
//! ```
//! use gradc::builder::{call, declare};
//!
//! let mut model = declare("Xor", |net| {
//!     let x = net.input("x", &[2]);
//!     let y = net.target("y", &[1]);
//!     let logits = x.named("hidden").dense(8).tanh().named("logits").dense(1);
//!     net.predict("probability", logits.sigmoid());
//!     net.minimize(logits.with("binary_cross_entropy", &[y]));
//!     net.using(call("adam").set("rate", 0.05), &[]);
//! })
//! .seed(3)
//! .compile()?;
//! # use gradc::Dataset;
//! let data = Dataset::new()
//!     .f32("x", &[2], &[0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0])?
//!     .f32("y", &[1], &[0.0, 1.0, 1.0, 0.0])?;
//! model.fit(&data).batch(4).steps(300).quiet().run()?;
//! assert!(model.evaluate(&data)?.loss < 0.05);
//! # Ok::<(), gradc::Error>(())
//! ```

use crate::{Error, Model, Options, Result};
use gradc_compiler::driver::{self, FrontError};
use gradc_compiler::graph::{Dim, Element, NodeId, Shape, Type};
use gradc_compiler::nn::{Argument, Call, Fault, Network};
use std::cell::RefCell;

/// A call by name: an optimizer, a clip, a penalty, an initialiser; arguments by [`Call::with`] and [`Call::set`].
pub fn call(name: &str) -> Call {
    Call::new(name)
}

/// Declares a network; the closure runs twice, for training and for evaluation.
pub fn declare(name: &str, declaration: impl Fn(&Net)) -> Declared {
    let build = |training: bool| {
        let net = Net { state: RefCell::new(State { network: Network::new(name, training), fault: None }) };
        declaration(&net);
        let State { network, fault } = net.state.into_inner();
        fault.map_or(Ok(network), Err)
    };
    Declared { networks: build(true).and_then(|training| Ok((training, build(false)?))), options: Options::default() }
}

/// A declared network, about to be compiled.
#[derive(Debug)]
pub struct Declared {
    networks: Result<(Network, Network), Fault>,
    options: Options,
}

impl Declared {
    /// Fixes weights, order and masks (default 0).
    pub fn seed(mut self, seed: u64) -> Self {
        self.options.seed = seed;
        self
    }

    /// Compiles it.
    ///
    /// # Errors
    /// [`Error::Model`] with the first mistake of the declaration.
    pub fn compile(self) -> Result<Model> {
        let (training, evaluation) = self.networks.map_err(|fault| Error::Model(fault.to_string()))?;
        let front = driver::front(&training, &evaluation, String::new(), None).map_err(|error| match error {
            FrontError::Network(fault) => Error::Model(fault.to_string()),
            FrontError::Bug(bug) => Error::Internal { pass: "front".into(), text: bug.to_string() },
        })?;
        Model::compile(front, &self.options)
    }
}

/// A network under construction. The first mistake is kept and reported when it is compiled.
#[derive(Debug)]
pub struct Net {
    state: RefCell<State>,
}

#[derive(Debug)]
struct State {
    network: Network,
    fault: Option<Fault>,
}

/// A value of the network.
#[derive(Clone, Copy, Debug)]
pub struct Tensor<'n> {
    net: &'n Net,
    node: Option<NodeId>,
}

impl Net {
    fn keep<T>(&self, make: impl FnOnce(&mut Network) -> Result<T, Fault>) -> Option<T> {
        let mut state = self.state.borrow_mut();
        match make(&mut state.network) {
            Ok(made) => Some(made),
            Err(fault) => {
                state.fault.get_or_insert(fault);
                None
            }
        }
    }

    fn tensor(&self, make: impl FnOnce(&mut Network) -> Result<NodeId, Fault>) -> Tensor<'_> {
        Tensor { net: self, node: self.keep(make) }
    }

    /// Whether this is the network at training time.
    pub fn is_training(&self) -> bool {
        self.state.borrow().network.training
    }

    /// An input of f32, `[batch, shape…]`.
    pub fn input(&self, name: &str, shape: &[usize]) -> Tensor<'_> {
        self.tensor(|network| network.input(name, Type::f32(Shape::batch(shape)), ""))
    }
    /// A target of f32, `[batch, shape…]`.
    pub fn target(&self, name: &str, shape: &[usize]) -> Tensor<'_> {
        self.tensor(|network| network.target(name, Type::f32(Shape::batch(shape)), ""))
    }
    /// A target of one class a row.
    pub fn class_target(&self, name: &str, classes: u32) -> Tensor<'_> {
        let ty = Type { element: Element::Class(classes), shape: Shape(vec![Dim::Batch]) };
        self.tensor(|network| network.target(name, ty, ""))
    }
    /// States what training lowers.
    pub fn minimize(&self, loss: Tensor) {
        if let Some(node) = loss.node {
            self.keep(|network| network.minimize(node));
        }
    }
    /// Adds a penalty on the weights: `call("l2").with(1e-4)`.
    pub fn penalize(&self, penalty: &Call) {
        self.keep(|network| network.penalize(penalty));
    }
    /// States what is served under a name.
    pub fn predict(&self, name: &str, value: Tensor) {
        if let Some(node) = value.node {
            self.keep(|network| network.predict(name, node));
        }
    }
    /// States what is measured under a name.
    pub fn report(&self, name: &str, value: Tensor) {
        if let Some(node) = value.node {
            self.keep(|network| network.report(name, node));
        }
    }
    /// States the optimizer, and the clips before it in their order.
    pub fn using(&self, optimizer: Call, clips: &[Call]) {
        self.keep(|network| network.using(&optimizer, clips));
    }
}

impl<'n> Tensor<'n> {
    /// Names what follows: parameters of the next calls are called `name.…`, until another name.
    pub fn named(self, name: &str) -> Self {
        let mut state = self.net.state.borrow_mut();
        while !state.network.path().is_empty() {
            state.network.leave();
        }
        state.network.enter(name);
        self
    }

    /// Any function of the catalogue by name, with all its arguments.
    pub fn apply(self, call: &Call) -> Self {
        let Some(node) = self.node else { return self };
        self.net.tensor(|network| network.call(&call.name, node, call))
    }

    /// A function that takes other values: `logits.with("cross_entropy", &[digit])`.
    pub fn with(self, name: &str, others: &[Tensor<'n>]) -> Self {
        let mut call = Call::new(name);
        for other in others {
            let Some(node) = other.node else { return *other };
            call = call.with(Argument::Tensor(node));
        }
        self.apply(&call)
    }
}

macro_rules! methods {
    ($($(#[$doc:meta])* $name:ident($($argument:ident: $kind:ty),*);)*) => {
        impl Tensor<'_> {
            $($(#[$doc])* pub fn $name(self $(, $argument: $kind)*) -> Self {
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
    /// Drops a share of the values in training.
    dropout(rate: f64);
    /// Measured on the training data before step 1.
    standardize();
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
    /// Shares along the last axis.
    softmax();
    /// Logarithms of the shares along the last axis.
    log_softmax();
}

macro_rules! operators {
    ($($trait:ident $method:ident $primitive:ident;)*) => {
        $(impl<'n> std::ops::$trait for Tensor<'n> {
            type Output = Tensor<'n>;
            fn $method(self, other: Tensor<'n>) -> Tensor<'n> {
                let (Some(a), Some(b)) = (self.node, other.node) else { return Tensor { net: self.net, node: None } };
                self.net.tensor(|network| network.arithmetic(gradc_compiler::ops::Primitive::$primitive, a, b))
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
