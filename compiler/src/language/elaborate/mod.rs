//! From what was written to the network that is meant.
//!
//! [`elaborate()`] walks the tree of one network once, in the order in which it is written, and builds an
//! [`nn::Network`] for one of the two times at which a network lives. Functions are inlined, loops unrolled, constants
//! computed; names, shapes and arguments are checked on the way, and every mistake becomes a [`Diagnostic`] at the
//! words that caused it. Nothing stops the walk: what a mistake spoils has the value `Unknown`, and whatever
//! is computed from an unknown value is unknown and silent. So one mistake is one message, and all are found at once.
//!
//! # Names
//! A name means what was defined last above it, within the network or the function that it stands in; a function sees
//! its own parameters and nothing of its caller. One name is defined once, also in inner blocks, because names become
//! those of parameters in files.
//!
//! # Paths
//! A statement's layers are named after it: `hidden.dense.weight` for `let hidden = …`, `predict.dense.weight` where
//! there is no `let`. Within a loop the turn follows the name, counted from 0: `h.0.dense.weight`. A function's own
//! names stand below those of its call: `a.inner.dense.weight`. A `layer` is named once, where it is defined.
//!
//! # Codes
//! | code | mistake |
//! |---|---|
//! | `E0201`…`E0206`, `E0299` | shapes and elements that do not fit ([`nn::fault`]) |
//! | `E0207` | a declared type or shape that cannot be |
//! | `E0208` | a value or a layer that no memory holds |
//! | `E0301`…`E0306` | arguments: missing, unknown, twice, of the wrong kind, out of bounds, too many |
//! | `E0307` | arithmetic on sizes that gives no number |
//! | `E0401` | a name that nothing has |
//! | `E0402` | a name defined twice |
//! | `E0403` | a shared layer used on values of different widths |
//! | `E0404` | a value used before it is named |
//! | `E0405` | an assignment to what does not change |
//! | `E0406` | a value of the wrong kind: a layer where a number should stand |
//! | `E0407` | a function that calls itself, a network too large to unroll |
//! | `E0408` | a Rust number in a text that rustc does not read |
//! | `E0501`…`E0506` | what is trained and how |
//! | `E0507` | values served without names |
//! | `E0508` | a penalty outside of `minimize` |
//! | `E0509` | an optimizer of one's own that cannot be |
//! | `E0510` | a value served that needs a target |

mod alternatives;
mod argument_fixes;
mod arguments;
mod calls;
mod declarations;
mod examples;
mod expressions;
mod faults;
mod fixes;
mod foreign;
mod functions;
mod lints;
mod objectives;
mod optimizer;
mod order;
mod required;
mod scope;
mod shape_fixes;
mod sizes;
mod statements;
mod times;
mod unused;
mod value;

#[cfg(test)]
mod tests;

use super::ast;
use crate::base::diagnostics::{Diagnostic, Diagnostics};
use crate::base::place::{Source, Span};
use crate::graph::NodeId;
use crate::nn;
use alternatives::Alternatives;
use fixes::Change;
use scope::Frame;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use value::Value;

pub(super) use arguments::matched;
pub use lints::LINTS;
pub use objectives::report_name;
pub use sizes::{MAX_COUNT, row_count, values_asked};
pub use times::disagreement;

pub(crate) const DECLARED_TYPE: &str = "E0207";
/// A value that no memory holds.
pub const TOO_LARGE: &str = "E0208";
pub(crate) const NO_NUMBER: &str = "E0307";
pub(crate) const USED_BEFORE: &str = "E0404";
pub(crate) const NOT_ASSIGNABLE: &str = "E0405";
pub(crate) const WRONG_VALUE: &str = "E0406";
pub(crate) const ENDLESS: &str = "E0407";
pub(crate) const RUST_NUMBER: &str = "E0408";
pub(crate) const SERVED: &str = "E0507";
pub(crate) const PENALTY_PLACE: &str = "E0508";
pub(crate) const OWN_OPTIMIZER: &str = "E0509";
pub(crate) const NEEDS_TARGET: &str = "E0510";

/// For which time a network is built, and the numbers that its text does not say.
#[derive(Clone, Debug, Default)]
pub struct Elaboration {
    /// Training time; evaluation otherwise.
    pub training: bool,
    /// Values of constants and settings that replace the written ones.
    pub sizes: BTreeMap<String, f64>,
    /// Values of [`ast::File::rust`]; `None` while rustc runs. A number beyond the list is a mistake.
    pub rust: Vec<Option<f64>>,
    /// [`nn::Network::needed_biases`], where another time has shown them.
    pub biases: BTreeSet<String>,
}

/// The network that a declaration means, as far as it can be built, and all that is wrong with it.
pub fn elaborate(file: &ast::File, network: &ast::Network, source: &Source, options: &Elaboration) -> (nn::Network, Diagnostics) {
    let first = walked(file, network, source, options);
    let biases = first.0.biases_to_keep();
    let (built, mut diagnostics, alternatives) = if biases.is_empty() {
        first
    } else {
        let biases = &biases | &options.biases;
        walked(file, network, source, &Elaboration { biases, ..options.clone() })
    };
    alternatives::choose(&mut diagnostics, alternatives, source, options, &network.name.text);
    (built, diagnostics)
}

/// The walk alone, with the changes among which each help is still to be chosen.
fn walked(
    file: &ast::File,
    network: &ast::Network,
    source: &Source,
    options: &Elaboration,
) -> (nn::Network, Diagnostics, Vec<Alternatives>) {
    let mut elaborator = Elaborator::new(file, source, options, &network.name.text);
    elaborator.network(network);
    elaborator.finish(network)
}

/// How many calls, statements and turns a network may have when everything is inlined and unrolled.
const MAX_WORK: usize = 200_000;
/// How deep expressions, blocks and calls may lie within one another.
const MAX_DEPTH: usize = 256;

/// What made a node: where, and the expression itself.
#[derive(Clone, Copy)]
struct Made<'a> {
    span: Span,
    expression: Option<&'a ast::Expression>,
}

/// The walk.
struct Elaborator<'a> {
    file: &'a ast::File,
    source: &'a Source,
    options: &'a Elaboration,
    /// What is elaborated; nothing while the lines of an optimizer are walked.
    written: Option<&'a ast::Network>,
    network: nn::Network,
    diagnostics: Diagnostics,
    /// Helps of which one is chosen in the end.
    alternatives: Vec<Alternatives>,
    /// Mistakes that were reported: a loop's body and a function's are met more than once.
    reported: HashSet<(&'static str, Span)>,
    /// Innermost last.
    frames: Vec<Frame<'a>>,
    made: HashMap<NodeId, Made<'a>>,
    /// Places of [`nn::Network::uses`].
    use_spans: HashMap<usize, Span>,
    /// By value the place of the call among [`nn::Network::uses`] that made it, once the walk is done.
    makers: HashMap<NodeId, usize>,
    /// How often a parameter's name was given out below a path.
    counts: HashMap<String, usize>,
    allowed: HashSet<&'a str>,
    /// Places of [`nn::Network::predicts`].
    served: Vec<Span>,
    /// Groups behind `using`, which act when all parameters are there.
    groups: Vec<(&'a ast::Call, nn::Call)>,
    /// Names of what is measured.
    measured: HashMap<&'a str, Span>,
    /// The name of an optimizer whose lines leave every parameter as it is.
    idle: Option<Span>,
    /// First words of statements that may stand once.
    stated: HashMap<&'static str, Span>,
    /// Something has no value yet: a name may be missing for that reason alone.
    is_partial: bool,
    work: usize,
    depth: usize,
}

impl<'a> Elaborator<'a> {
    fn new(file: &'a ast::File, source: &'a Source, options: &'a Elaboration, name: &str) -> Elaborator<'a> {
        let mut network = nn::Network::new(name, options.training);
        network.needed_biases.clone_from(&options.biases);
        Elaborator {
            file,
            source,
            options,
            written: None,
            network,
            diagnostics: Diagnostics::new(),
            alternatives: Vec::new(),
            reported: HashSet::new(),
            frames: Vec::new(),
            made: HashMap::new(),
            use_spans: HashMap::new(),
            makers: HashMap::new(),
            counts: HashMap::new(),
            allowed: HashSet::new(),
            served: Vec::new(),
            groups: Vec::new(),
            measured: HashMap::new(),
            idle: None,
            stated: HashMap::new(),
            is_partial: false,
            work: 0,
            depth: 0,
        }
    }

    fn network(&mut self, network: &'a ast::Network) {
        self.written = Some(network);
        self.check_items();
        self.check_overrides(network);
        self.frames.push(Frame::of_network(&network.statements));
        self.announce_groups(&network.statements);
        self.statements(&network.statements);
        self.require_statements(network);
    }

    fn finish(mut self, network: &'a ast::Network) -> (nn::Network, Diagnostics, Vec<Alternatives>) {
        self.check_served();
        self.apply_groups();
        if !self.is_partial && !self.diagnostics.has_errors() && self.options.training {
            self.check_step();
        }
        if self.options.training {
            self.lint();
        } else {
            self.lint_rows();
        }
        // Where something is misspelt, what was meant looks unused.
        if !self.diagnostics.has_errors() {
            self.diagnostics.extend(unused::find(self.file, network));
        }
        let allowed = self.allowed;
        self.diagnostics.retain(|diagnostic| diagnostic.is_error() || !allowed.contains(diagnostic.code));
        self.diagnostics.sort();
        (self.network, self.diagnostics, self.alternatives)
    }

    /// The step is built once for its checks: a parameter that the loss does not reach, a derivative that is missing.
    fn check_step(&mut self) {
        if let Err(fault) = crate::step::training_step(&self.network) {
            let fault = self.located(fault);
            let made = fault.value.and_then(|node| self.made.get(&node)).copied();
            let span = made.map(|made| made.span).or(self.stated.get("minimize").copied()).unwrap_or(Span::UNKNOWN);
            let span_of_loss = self.stated.get("minimize").copied().filter(|loss| *loss != span);
            let count = self.diagnostics.len();
            self.fault_of(fault, span, made.and_then(|made| made.expression));
            if let (Some(loss), Some(last)) = (span_of_loss, self.diagnostics.iter_mut().nth(count)) {
                *last = last.clone().because(loss, "this is what is lowered");
            }
        }
    }

    /// Reports a mistake once, with the turn of the loop and the calls in which it was met.
    fn report(&mut self, mut diagnostic: Diagnostic) {
        self.is_partial = true;
        if !self.reported.insert((diagnostic.code, diagnostic.primary.span)) {
            return;
        }
        if let Some(turn) = self.frames.iter().rev().find_map(|frame| frame.turns.last()) {
            diagnostic.message += &format!(", in turn {} of {}", turn.index + 1, turn.count);
        }
        let calls = self.frames.iter().rev().filter_map(|frame| frame.call).take(3);
        let calls: Vec<_> = calls.filter(|(span, _)| *span != diagnostic.primary.span).collect();
        for (span, name) in calls {
            diagnostic = diagnostic.because(span, format!("in this use of `{name}`"));
        }
        self.diagnostics.push(diagnostic);
    }

    /// Reports a mistake with the change that is offered, if there is one.
    fn report_with(&mut self, mistake: Diagnostic, change: Option<Change>) {
        self.report(match change {
            Some(Change { help, span, text }) => mistake.help(help).fix(span, text),
            None => mistake,
        });
    }

    fn error(&mut self, code: &'static str, span: Span, message: impl Into<String>) {
        self.report(Diagnostic::error(code, span, message));
    }

    /// A value that is not known, for whatever reason; what was reported is not reported again.
    fn unknown(&mut self) -> Value<'a> {
        self.is_partial = true;
        Value::Unknown
    }

    /// Counts work; `false` once there is too much of it.
    fn may_go_on(&mut self, span: Span) -> bool {
        self.work += 1;
        if self.work == MAX_WORK {
            let message = format!("unrolled and inlined, this network has more than {MAX_WORK} steps");
            self.error(ENDLESS, span, message);
        }
        !self.gave_up()
    }

    /// Whether there was too much work.
    fn gave_up(&self) -> bool {
        self.work >= MAX_WORK
    }

    /// Says where nodes that are made from now on come from.
    fn at(&mut self, span: Span) {
        self.network.set_place(self.source.place(span).to_string());
    }

    /// Whether a value can exist at all; says so if not.
    fn may_exist(&mut self, node: NodeId, span: Span) -> bool {
        let sizes = &self.network.builder.graph().shape(node).0;
        let count = sizes::row_count(sizes);
        if count <= MAX_COUNT {
            return true;
        }
        let shape = nn::network::shape_text(self.network.builder.graph().shape(node));
        let message = format!("{shape} would hold {count:.1e} values");
        self.error(TOO_LARGE, span, message);
        false
    }

    /// Remembers what made a node; the first that did.
    fn note(&mut self, node: NodeId, span: Span, expression: Option<&'a ast::Expression>) {
        self.made.entry(node).or_insert(Made { span, expression });
    }
}
