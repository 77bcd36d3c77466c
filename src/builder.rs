//! The builder: the words of `network!` as methods, for networks that a program puts together itself.
//!
//! ```
//! use gradc::builder::{call, declare};
//!
//! let mut model = declare("Xor", |net| {
//!     let x = net.input("x", &[2]);
//!     let y = net.target("y", &[1]);
//!     let hidden = net.named("hidden", || x.dense(8).tanh());
//!     let logits = net.named("logits", || hidden.dense(1));
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
//!
//! | `network!` | builder |
//! |---|---|
//! | `let h = x.dense(8).relu();` | `let h = net.named("h", \|\| x.dense(8).relu());` |
//! | `for i in 0..3 { h = h.dense(8); }` | `for i in 0..3 { h = net.named("h", \|\| net.within(&i.to_string(), \|\| h.dense(8))); }` |
//! | `layer encoder = …; encoder(a)` | `net.shared("encoder", \|\| a.dense(8).relu())`, at each use |
//! | `encoder.dense.weight` | `net.learned("encoder.dense.weight")` |
//! | `conv2d(4, 3, padding = same)` | `.apply(call("conv2d").with(4.0).with(3.0).set("padding", "same"))` |
//! | `huber(y, weights = w)` | `.apply(call("huber").with(y).set("weights", w))` |
//! | `if training { … }` | `if net.is_training() { … }` |
//! | `… + l2(1e-4)` | `net.penalize(call("l2").with(1e-4))` |
//! | `.group("high.*", rate_factor = 2)` | `net.group(call("group").with("high.*").set("rate_factor", 2.0))` |
//!
//! Mistakes are kept until the network is compiled; each is told with the file and line of the call that made it.

mod checks;
mod tensor;

pub use gradc_compiler::graph::Element;
pub use gradc_compiler::nn::optimizers::{Rule, Update};
pub use gradc_compiler::nn::{Argument, Call};
pub use tensor::Tensor;

use crate::{Error, Model, Options, Predictor, Result};
use checks::{declared, help, of_another_network, own_values};
use gradc_compiler::base::names::nearest;
use gradc_compiler::base::place::Place;
use gradc_compiler::graph::NodeId;
use gradc_compiler::language::elaborate::{MAX_COUNT, TOO_LARGE, row_count};
use gradc_compiler::nn::fault::NAME_UNKNOWN;
use gradc_compiler::nn::network::Scopes;
use gradc_compiler::nn::parameters::Wanted;
use gradc_compiler::nn::{Fault, Network};
use gradc_compiler::pipeline::{self, Front};
use gradc_runtime::compiled::front_error;
use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::panic::Location;
use std::path::Path;

/// A call by name: a function, an optimizer, a clip, a penalty, an initialiser; arguments by [`Call::with`] and [`Call::set`].
pub fn call(name: &str) -> Call {
    Call::new(name)
}

/// Declares a network; the closure runs for training and for evaluation, once more each where a bias before `batch_norm` has other readers.
pub fn declare(name: &str, declaration: impl Fn(&Net)) -> Declared {
    let build = |training: bool, biases: &BTreeSet<String>| {
        let mut network = Network::new(name, training);
        network.needed_biases.clone_from(biases);
        let net = Net { state: RefCell::new(State::new(network)) };
        declaration(&net);
        net.finish()
    };
    let settled = |training: bool, biases: &BTreeSet<String>| {
        let first = build(training, biases)?;
        let more = first.biases_to_keep();
        if more.is_empty() { Ok(first) } else { build(training, &(&more | biases)) }
    };
    let networks = settled(true, &BTreeSet::new()).and_then(|training| {
        let evaluation = settled(false, &training.needed_biases)?;
        Ok((training, evaluation))
    });
    Declared { networks, options: Options::default() }
}

/// A declared network, about to be compiled.
#[must_use = "`compile` makes the model"]
#[derive(Debug)]
pub struct Declared {
    networks: std::result::Result<(Network, Network), String>,
    options: Options,
}

impl Declared {
    /// Fixes weights, order and masks (default 0).
    pub fn seed(mut self, seed: u64) -> Self {
        self.options.seed = seed;
        self
    }

    /// Its graphs at training and at evaluation time.
    ///
    /// # Errors
    /// [`Error::Model`] with the mistakes of the declaration.
    pub fn networks(&self) -> Result<&(Network, Network)> {
        self.networks.as_ref().map_err(|mistakes| Error::Model(mistakes.clone()))
    }

    /// Compiles it.
    ///
    /// # Errors
    /// [`Error::Model`] with the mistakes of the declaration, each with the file and line of its call.
    pub fn compile(self) -> Result<Model> {
        Model::compile(self.front()?, &self.options)
    }

    /// Compiles what serves, and loads a file of parameters.
    ///
    /// # Errors
    /// The mistakes of the declaration, and those of [`Predictor::load`].
    pub fn predictor(self, file: impl AsRef<Path>) -> Result<Predictor> {
        Predictor::load(self.front()?, file, &self.options)
    }

    fn front(&self) -> Result<Front> {
        let (training, evaluation) = self.networks()?;
        pipeline::front(training, evaluation, String::new(), None).map_err(|error| front_error(&error))
    }
}

/// A network under construction. Mistakes are kept and reported when it is compiled.
#[derive(Debug)]
pub struct Net {
    state: RefCell<State>,
}

#[derive(Debug)]
struct State {
    network: Network,
    mistakes: Vec<String>,
    /// What acts when all parameters are there.
    groups: Vec<(Call, Place)>,
    /// How often a parameter's name was given out below a path.
    counts: HashMap<String, usize>,
    /// Outside of every name.
    outermost: Scopes,
}

impl State {
    fn new(network: Network) -> State {
        State { outermost: network.scopes(), network, mistakes: Vec::new(), groups: Vec::new(), counts: HashMap::new() }
    }

    /// Keeps a mistake with its place.
    fn mistaken(&mut self, fault: &Fault, place: &Place) {
        let mut text = format!("error[{}]: {}\n --> {place}\n", fault.code, fault.message);
        if let Some(help) = help(fault) {
            text += &format!("help: {help}\n");
        }
        self.mistakes.push(text);
    }
}

impl Net {
    /// Lets the network do something at the caller's place; a mistake is kept.
    fn keep<T>(&self, at: &Location, make: impl FnOnce(&mut Network) -> std::result::Result<T, Fault>) -> Option<T> {
        let mut state = self.state.borrow_mut();
        let place = Place::from(at);
        state.network.set_place(place.to_string());
        match make(&mut state.network) {
            Ok(made) => Some(made),
            Err(fault) => {
                state.mistaken(&fault, &place);
                None
            }
        }
    }

    fn tensor(&self, at: &Location, make: impl FnOnce(&mut Network) -> std::result::Result<NodeId, Fault>) -> Tensor<'_> {
        let checked = |network: &mut Network| {
            let node = make(network)?;
            let shape = network.builder.graph().shape(node);
            let count = row_count(&shape.0);
            match count <= MAX_COUNT {
                true => Ok(node),
                false => {
                    let message = format!("{} would hold {count:.1e} values", network.shape_text(node));
                    Err(Fault::new(TOO_LARGE, message).help("take a smaller size, such as 64"))
                }
            }
        };
        Tensor { net: self, node: self.keep(at, checked) }
    }

    /// The node of a value; one of another network is a mistake.
    #[track_caller]
    fn node(&self, value: Tensor) -> Option<NodeId> {
        let node = value.node?;
        match std::ptr::eq(self, value.net) {
            true => Some(node),
            false => self.keep(Location::caller(), |_| Err(of_another_network("a value of another network is used"))),
        }
    }

    fn finish(self) -> std::result::Result<Network, String> {
        let mut state = self.state.into_inner();
        if state.mistakes.is_empty() {
            for (call, place) in std::mem::take(&mut state.groups) {
                let checked = own_values(&state.network, &call);
                if let Err(fault) = checked.and_then(|()| state.network.group(&call)) {
                    state.mistaken(&fault, &place);
                }
            }
        }
        if state.mistakes.is_empty() { Ok(state.network) } else { Err(state.mistakes.join("\n")) }
    }

    /// Whether this is the network at training time.
    pub fn is_training(&self) -> bool {
        self.state.borrow().network.training
    }

    /// An input of f32, `[batch, shape…]`.
    #[track_caller]
    pub fn input(&self, name: &str, shape: &[usize]) -> Tensor<'_> {
        self.input_of(Element::F32, name, shape)
    }
    /// An input of another element, `[batch, shape…]`: [`Element::Class`], [`Element::U32`].
    #[track_caller]
    pub fn input_of(&self, element: Element, name: &str, shape: &[usize]) -> Tensor<'_> {
        let at = Location::caller();
        self.tensor(at, |network| network.input(name, declared(element, shape)?, &Place::from(at).to_string()))
    }
    /// A target of f32, `[batch, shape…]`.
    #[track_caller]
    pub fn target(&self, name: &str, shape: &[usize]) -> Tensor<'_> {
        self.target_of(Element::F32, name, shape)
    }
    /// A target of one class a row.
    #[track_caller]
    pub fn class_target(&self, name: &str, classes: u32) -> Tensor<'_> {
        self.target_of(Element::Class(classes), name, &[])
    }
    /// A target of another element, `[batch, shape…]`.
    #[track_caller]
    pub fn target_of(&self, element: Element, name: &str, shape: &[usize]) -> Tensor<'_> {
        let at = Location::caller();
        self.tensor(at, |network| network.target(name, declared(element, shape)?, &Place::from(at).to_string()))
    }
    /// A number that may change without compiling, an f64 scalar.
    #[track_caller]
    pub fn setting(&self, name: &str, value: f64) -> Tensor<'_> {
        self.tensor(Location::caller(), |network| network.setting(name, value))
    }
    /// A number in a formula, an f64 scalar.
    #[track_caller]
    pub fn number(&self, value: f64) -> Tensor<'_> {
        self.tensor(Location::caller(), |network| Ok(network.builder.constant_f64(value)))
    }
    /// The step, counted from 1, an f64 scalar: for rates that follow a schedule.
    #[track_caller]
    pub fn step(&self) -> Tensor<'_> {
        self.tensor(Location::caller(), |network| Ok(network.builder.step()))
    }
    /// A learned tensor; the second of a name below one path is numbered.
    #[track_caller]
    pub fn parameter(&self, name: &str, shape: &[usize], init: impl Into<Argument>) -> Tensor<'_> {
        let key = format!("{}.{name}", self.state.borrow().network.path());
        let count = *self.state.borrow_mut().counts.entry(key).and_modify(|count| *count += 1).or_insert(1);
        let numbered = if count == 1 { name.to_owned() } else { format!("{name}_{count}") };
        let init = match init.into() {
            Argument::Word(word) => Call::new(word),
            Argument::Number(value) => call("constant").with(value),
            Argument::Call(call) => call,
            other => Call::new(gradc_compiler::nn::arguments::show(&other)),
        };
        self.tensor(Location::caller(), |network| {
            declared(Element::F32, shape)?;
            own_values(network, &init)?;
            let initializer = gradc_compiler::nn::initializers::find(&init.name)?;
            let init = gradc_compiler::nn::arguments::resolve(initializer.name, initializer.parameters, &init)?;
            let wanted = Wanted::own(shape, init);
            let node = network.parameter(&numbered, wanted)?;
            network.name_value(node, name);
            Ok(node)
        })
    }
    /// A parameter of a layer as a value, by its name in parameter files: `encoder.dense.weight`.
    #[track_caller]
    pub fn learned(&self, name: &str) -> Tensor<'_> {
        self.tensor(Location::caller(), |network| {
            let names = || network.parameters.iter().map(|known| known.name.as_str());
            network.parameter_called(name).map(|known| known.node).ok_or_else(|| {
                let fault = Fault::new(NAME_UNKNOWN, format!("no parameter is called `{name}`"));
                match nearest(name, names()).or_else(|| names().next()) {
                    Some(near) => fault.help(format!("there is `{near}`")),
                    None => fault.help("make the layer before it is named here"),
                }
            })
        })
    }

    /// Names a value, as `let` does: parameters that the closure makes are called `name.…`.
    #[track_caller]
    pub fn named<'n>(&'n self, name: &str, make: impl FnOnce() -> Tensor<'n>) -> Tensor<'n> {
        let value = self.within(name, make);
        if let Some(node) = self.node(value) {
            self.state.borrow_mut().network.name_value(node, name);
        }
        value
    }
    /// Makes something below one more segment of the path, such as a loop's turn.
    pub fn within<T>(&self, segment: &str, make: impl FnOnce() -> T) -> T {
        self.state.borrow_mut().network.enter(segment);
        let made = make();
        self.state.borrow_mut().network.leave();
        made
    }
    /// Makes something of parameters that are made at the first use of this name and found again at every other.
    pub fn shared<T>(&self, name: &str, make: impl FnOnce() -> T) -> T {
        let outside = {
            let mut state = self.state.borrow_mut();
            let outermost = state.outermost.clone();
            let outside = state.network.go_to(outermost);
            state.network.enter_shared(name);
            // The names of parameters are given out anew at each use, in the same order.
            let prefix = format!("{name}.");
            state.counts.retain(|key, _| !key.starts_with(&prefix));
            outside
        };
        let made = make();
        self.state.borrow_mut().network.go_to(outside);
        made
    }

    /// States what training lowers.
    #[track_caller]
    pub fn minimize(&self, loss: Tensor) {
        if let Some(node) = self.node(loss) {
            self.keep(Location::caller(), |network| network.minimize(node));
        }
    }
    /// Adds a penalty on the weights: `call("l2").with(1e-4)`.
    #[track_caller]
    pub fn penalize(&self, penalty: &Call) {
        self.keep(Location::caller(), |network| own_values(network, penalty).and_then(|()| network.penalize(penalty)));
    }
    /// States what is served under a name.
    #[track_caller]
    pub fn predict(&self, name: &str, value: Tensor) {
        if let Some(node) = self.node(value) {
            self.keep(Location::caller(), |network| network.predict(name, node));
        }
    }
    /// States what is measured under a name.
    #[track_caller]
    pub fn report(&self, name: &str, value: Tensor) {
        if let Some(node) = self.node(value) {
            self.keep(Location::caller(), |network| network.report(name, node));
        }
    }
    /// States the optimizer, and the clips before it in their order.
    #[track_caller]
    pub fn using(&self, optimizer: Call, clips: &[Call]) {
        self.keep(Location::caller(), |network| {
            [&optimizer].into_iter().chain(clips).try_for_each(|call| own_values(network, call))?;
            network.using(&optimizer, clips)
        });
    }
    /// States an optimizer of one's own: a [`Rule::Own`] builds each parameter's new value. The call holds `rate` and what else the rule asks
    /// for.
    #[track_caller]
    pub fn using_own(&self, rule: Rule, call: Call, clips: &[Call]) {
        self.keep(Location::caller(), |network| {
            [&call].into_iter().chain(clips).try_for_each(|call| own_values(network, call))?;
            network.using_own(rule, call, clips)
        });
    }
    /// States what the optimizer does differently with some parameters.
    #[track_caller]
    pub fn group(&self, group: Call) {
        let place = Place::from(Location::caller());
        self.state.borrow_mut().groups.push((group, place));
    }
}
