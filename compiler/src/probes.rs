//! Values of the training step that someone wants to see while it runs.
//!
//! A probe is one more output of the step: `hidden.relu` is a layer's value, `logits` a named one, `hidden.dense.weight` a parameter
//! before its update, and with `.gradient` behind it the derivative of the total loss by it, before any clip.

use crate::base::names::nearest;
use crate::graph::{Element, NodeId};
use crate::nn::fault::{NAME_UNKNOWN, NO_DERIVATIVE, WRONG_ELEMENT};
use crate::nn::parameters::Probe;
use crate::nn::{Family, Fault, Network};

/// What a probe's name ends in if a gradient is wanted.
const GRADIENT: &str = ".gradient";

/// What the names of probes begin with among the outputs of a step; no report has a point in its name.
const PREFIX: &str = "watch.";

/// The name of a probe's output of the training step.
pub fn output(name: &str) -> String {
    format!("{PREFIX}{name}")
}

/// Whether an output of a step is a probe, or a figure of a diagnosis: what is seen and not measured.
pub fn is_probe(output: &str) -> bool {
    output.starts_with(PREFIX) || crate::diagnosis::is_figure(output)
}

/// Adds a probe to the training step of a network; one that is there already stays.
///
/// # Errors
/// A name that no value has, and a value that is no tensor: a step scalar, the gradient of a class.
pub fn add(network: &mut Network, name: &str) -> Result<(), Fault> {
    if network.probes.iter().any(|probe| probe.name == name) {
        return Ok(());
    }
    let (value, gradient) = match name.strip_suffix(GRADIENT) {
        Some(value) => (value, true),
        None => (name, false),
    };
    let node = find(network, value).ok_or_else(|| unknown(network, value))?;
    let element = network.builder.graph().ty(node).element;
    if element == Element::F64 || (gradient && element != Element::F32) {
        let what = if gradient { "has no gradient" } else { "is a scalar of the step, which cannot be watched" };
        return Err(Fault::new(WRONG_ELEMENT, format!("`{value}` ({element}) {what}")).about(node));
    }
    network.probes.push(Probe { name: name.to_string(), node, gradient });
    Ok(())
}

/// The value of this name: what a `let` names, a layer's path, an input, a parameter or a state; of several the last.
fn find(network: &Network, name: &str) -> Option<NodeId> {
    let named = network.builder.graph().ids().rev().find(|node| network.value_name(*node) == Some(name));
    let layer = || layers(network).rev().find(|(path, _)| *path == name).map(|(_, output)| output);
    let parameter = || network.learned().find(|learned| learned.name == name).map(|learned| learned.node);
    let state = || network.states.iter().find(|state| state.name == name).map(|state| state.node);
    named.or_else(layer).or_else(parameter).or_else(state)
}

fn layers(network: &Network) -> impl DoubleEndedIterator<Item = (&str, NodeId)> {
    // An operation has no path of its own.
    network.uses.iter().filter(|one| one.function.family != Family::Operation).map(|one| (one.path.as_str(), one.output))
}

fn unknown(network: &Network, value: &str) -> Fault {
    let graph = network.builder.graph();
    let fault = Fault::new(NAME_UNKNOWN, format!("no value of `{}` is called `{value}`", network.name));
    let named = graph.ids().filter_map(|node| network.value_name(node));
    match nearest(value, named.chain(layers(network).map(|(path, _)| path))) {
        Some(near) => fault.help(format!("did you mean `{near}`?")),
        None => fault.help("a value is what `let` names, a layer of the summary (`hidden.relu`), an input or a parameter"),
    }
}

/// A gradient that the simplified step does not compute.
pub(crate) fn bypassed(probe: &Probe) -> Fault {
    let message = format!("`{}` is not computed: the loss does not pass through that value once it is simplified", probe.name);
    Fault::new(NO_DERIVATIVE, message).help("watch the value that it is made from").about(probe.node)
}
