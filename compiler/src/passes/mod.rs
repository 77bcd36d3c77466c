//! Passes: graph to graph, in one list that says the order and why.
//!
//! A pass never changes what a root means beyond the exactness of the rules that it applied; every application is in
//! [`Context::log`], in terms of the numbers of the graph that [`run`] was given. The verifier runs after each pass in debug builds;
//! with [`Context::validate`] the graphs before and after are also evaluated and held to the declared exactness.
//!
//! Two lists: [`FORWARD`] for what the user wrote, before it is differentiated (steady formulas have steady derivatives), and
//! [`STEP`] for the whole training step, or for a forward graph that is not differentiated.

pub mod bisect;
mod dead;
mod log;
mod rebuild;
mod release;
mod share;
mod simplify;
#[cfg(test)]
mod tests;
pub mod validate;
mod widen;

use crate::graph::{Graph, NodeId, text, verify};
use crate::rules::Exactness;
pub use log::text as log_text;
use std::borrow::Cow;
use std::fmt;

/// One pass.
#[derive(Clone, Copy, Debug)]
pub struct Pass {
    pub name: &'static str,
    /// Why it stands where it stands.
    pub reason: &'static str,
    pub run: fn(&Graph, &mut Context) -> Result<Graph, Bug>,
    /// Whether there is something to do in a graph; if not, it stays as it is.
    pub concerns: fn(&Graph) -> bool,
}

/// Before differentiation: keeps every source, so that a parameter without influence can be named.
pub const FORWARD: &[Pass] = &[SHARE, SIMPLIFY];

/// The whole step, or an evaluation graph.
pub const STEP: &[Pass] = &[RELEASE, SHARE, WIDEN, SIMPLIFY, MASKS, DEAD];

/// One step of a scan, when it is made: it is built before the passes run over what holds it, and differentiated later.
pub const BODY: &[Pass] = &[SHARE, SIMPLIFY, DEAD];

const RELEASE: Pass = Pass {
    name: "release",
    reason: "first: stop_gradient has spoken to autodiff and would only hide equal values from the rest",
    run: release::run,
    concerns: release::concerns,
};
const SHARE: Pass = Pass {
    name: "share",
    reason: "before the rules: a variable that stands twice in a pattern is matched by identity",
    run: share::run,
    concerns: |_| true,
};
const WIDEN: Pass = Pass {
    name: "widen",
    reason: "after share, for equal scans have equal operands; before the rules, which see what the steps give",
    run: widen::run,
    concerns: widen::concerns,
};
const SIMPLIFY: Pass = Pass {
    name: "simplify",
    reason: "the rules, to a fixed point; it shares what it makes",
    run: simplify::simplify,
    concerns: |_| true,
};
const MASKS: Pass = Pass {
    name: "masks",
    reason: "after the rules, whose patterns read masks of inputs; it decides what the backward pass keeps",
    run: simplify::masks,
    concerns: |_| true,
};
const DEAD: Pass =
    Pass { name: "dead", reason: "last: rewrites leave behind what they replaced", run: dead::run, concerns: dead::concerns };

impl Pass {
    /// The pass of this name.
    pub fn find(name: &str) -> Option<Pass> {
        STEP.iter().chain(FORWARD).find(|pass| pass.name == name).copied()
    }
}

/// What passes share.
#[derive(Clone, Debug, Default)]
pub struct Context {
    /// Rewrites that may still be made; `None` is no limit. Only rules spend it.
    pub fuel: Option<u64>,
    /// What was done, in order.
    pub log: Vec<Application>,
    /// Evaluate before and after each pass.
    pub validate: bool,
    /// For each node of the graph at hand, its number in the graph that [`run`] was given.
    pub labels: Vec<Option<u32>>,
    /// For each node of the graph that [`run`] was given, the node of the graph at hand that stands for it.
    pub places: Vec<Option<NodeId>>,
}

impl Context {
    /// No limit, no validation.
    pub fn new() -> Self {
        Context::default()
    }
    /// Whether a rewrite may be made.
    fn has_fuel(&self) -> bool {
        self.fuel != Some(0)
    }
    fn spend(&mut self) {
        if let Some(fuel) = &mut self.fuel {
            *fuel = fuel.saturating_sub(1);
        }
    }
}

/// One thing that a pass did.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Application {
    /// Name of the rule; `share` for a merged node, `fold` for one that became a number.
    pub rule: &'static str,
    /// The node and what it was, such as `%30 = mul(%29, 1)`.
    pub before: String,
    /// What stands there now.
    pub after: String,
    pub exactness: Exactness,
    /// Whether it was a rule's and cost fuel.
    pub rewrite: bool,
}

/// A bug of ours: which pass, what went in, what is wrong.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub struct Bug {
    pub pass: &'static str,
    /// Text of the graph that went in, ready to be read back.
    pub graph_text: String,
    pub message: String,
}

impl Bug {
    /// A bug in a pass on this graph.
    pub fn new(pass: &'static str, graph: &Graph, message: impl Into<String>) -> Self {
        Bug { pass, graph_text: text::print(graph, true), message: message.into() }
    }
}

impl fmt::Display for Bug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pass {} went wrong: {}\nit was given:\n{}", self.pass, self.message, self.graph_text)
    }
}

/// Runs passes in order; `context.log` tells what they did.
pub fn run(passes: &[Pass], graph: &Graph, context: &mut Context) -> Result<Graph, Bug> {
    context.labels = (0..graph.nodes.len() as u32).map(Some).collect();
    context.places = graph.ids().map(Some).collect();
    let mut current = Cow::Borrowed(graph);
    for pass in passes {
        if !(pass.concerns)(&current) {
            continue;
        }
        let done = context.log.len();
        let next = (pass.run)(&current, context)?;
        if cfg!(debug_assertions) || context.validate {
            verify::verify(&next).map_err(|why| Bug::new(pass.name, &current, why))?;
        }
        if context.validate {
            let exactness = context.log[done..].iter().map(|application| application.exactness).max();
            validate::compare(&current, &next, exactness.unwrap_or(Exactness::BitExact))
                .map_err(|why| Bug::new(pass.name, &current, why))?;
        }
        current = Cow::Owned(next);
    }
    Ok(current.into_owned())
}

/// The forward graph in steady form, ready to be differentiated.
pub fn simplify_forward(graph: &Graph, context: &mut Context) -> Result<Graph, Bug> {
    run(FORWARD, graph, context)
}

/// The graph of a whole step, simplified.
pub fn simplify_step(graph: &Graph, context: &mut Context) -> Result<Graph, Bug> {
    run(STEP, graph, context)
}
