//! The choice of an initialiser by the activation that follows.
//!
//! A weight whose initialiser was not written gets the one that suits what its layer feeds: the walk goes from the layer's output to
//! the functions called on it, looking through those that keep the distribution's shape (batch_norm, layer_norm, dropout, pooling, reshape).
//! Where followers differ, or none asks for anything, it is glorot.

use super::network::{Network, Use};
use super::parameters::Learned;
use super::{Argument, Call, Family, arguments, initializers};
use crate::graph::NodeId;

/// An initialiser and the reason for it.
#[derive(Clone, PartialEq, Debug)]
pub struct Choice {
    /// What fills the parameter.
    pub initializer: Call,
    /// Such as `relu follows`; empty if it was written.
    pub reason: String,
}

/// The initialiser of a parameter.
pub fn choose(network: &Network, learned: &Learned) -> Choice {
    if let Some(call) = &learned.wanted.initializer {
        return Choice { initializer: call.clone(), reason: String::new() };
    }
    let place = network.parameters.iter().position(|known| known.node == learned.node);
    let layer = network.uses.iter().find(|one| place.is_some_and(|place| one.parameters.contains(&place)));
    let Some(layer) = layer else { return glorot("no layer's weight") };
    let mut followers: Vec<(&'static str, Call)> = Vec::new();
    let direct = follow(network, layer.output, &mut followers, &mut Vec::new());
    let Some((first_name, first)) = followers.first() else { return glorot("no activation follows") };
    let mut names: Vec<&str> = Vec::new();
    for (name, _) in &followers {
        if !names.contains(name) {
            names.push(name);
        }
    }
    if direct {
        return glorot(&format!("{} and other uses follow", names.join(", ")));
    }
    if followers.iter().any(|(_, call)| call != first) {
        return glorot(&format!("{} follow", names.join(" and ")));
    }
    if names.len() > 1 {
        return Choice { initializer: first.clone(), reason: format!("{} follow", names.join(" and ")) };
    }
    Choice { initializer: first.clone(), reason: format!("{first_name} follows") }
}

fn glorot(reason: &str) -> Choice {
    Choice { initializer: Call::new("glorot"), reason: reason.to_string() }
}

/// Collects what the functions on `node` ask for; says whether something else uses it too.
fn follow(network: &Network, node: NodeId, found: &mut Vec<(&'static str, Call)>, seen: &mut Vec<NodeId>) -> bool {
    if seen.contains(&node) {
        return false;
    }
    seen.push(node);
    let mut other = false;
    let users: Vec<&Use> = network.uses.iter().filter(|one| one.input == node && one.output != node).collect();
    for user in &users {
        match user.function.wants {
            Some(wants) => {
                // `wants` names an initialiser of the list with arguments that it has.
                let call = wants(&user.call);
                found.push((user.function.name, call));
            }
            None if user.function.transparent => other |= follow(network, user.output, found, seen),
            // A loss or metric reads the value; a layer or operation is one more follower.
            None => other |= matches!(user.function.family, Family::Layer | Family::Operation),
        }
    }
    // Arithmetic on the value is a use that asks for nothing.
    let graph = network.builder.graph();
    other
        || graph.ids().any(|id| {
            graph.node(id).operands.contains(&node)
                && !users.iter().any(|user| user.nodes.contains(&id.index()))
                && !network.uses.iter().any(|one| one.nodes.contains(&id.index()))
        })
}

/// An initialiser as a reader wants it: `he`, `normal(deviation = 0.02)`; what is as by default is left out.
pub fn show(initializer: &Call) -> String {
    let parameters = initializers::find(&initializer.name).map_or(&[][..], |known| known.parameters);
    let is_default = |name: &str, argument: &Argument| {
        let parameter = parameters.iter().find(|parameter| parameter.name == name);
        parameter.is_some_and(|parameter| arguments::default_of(parameter).as_ref() == Some(argument))
    };
    let mut brief = initializer.clone();
    brief.arguments.retain(|(name, argument)| !is_default(name, argument));
    arguments::show_call(&brief)
}
