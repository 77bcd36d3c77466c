//! The choice of an initialiser by the activation that follows.
//!
//! A weight whose initialiser was not written gets the one that suits what its layer feeds: the walk goes from the layer's output to
//! the functions called on it, looking through those that keep the distribution's shape (batch_norm, layer_norm, dropout, pooling, reshape).
//! Where followers differ, or none asks for anything, it is glorot.

use super::network::{Network, Use};
use super::parameters::Learned;
use super::{Argument, Call, Family, arguments, initializers};
use crate::graph::NodeId;
use std::collections::{HashMap, HashSet};

/// An initialiser and the reason for it.
#[derive(Clone, PartialEq, Debug)]
pub struct Choice {
    /// What fills the parameter.
    pub initializer: Call,
    /// Such as `relu follows`; empty if it was written.
    pub reason: String,
}

/// What follows what in a network: made once, for the choices of all its parameters.
pub struct Choices<'n> {
    /// For each parameter, as its place in the list, the layer that made it.
    layer_of: HashMap<usize, &'n Use>,
    /// For each parameter's node its place in the list.
    places: HashMap<NodeId, usize>,
    /// For each value the calls of functions on it.
    calls: HashMap<NodeId, Vec<&'n Use>>,
    /// Values that something uses which no function made: arithmetic.
    computed_with: HashSet<NodeId>,
}

impl<'n> Choices<'n> {
    /// Looks at everything once.
    pub fn of(network: &'n Network) -> Self {
        let graph = network.builder.graph();
        let mut is_made = vec![false; graph.nodes.len()];
        let mut layer_of = HashMap::new();
        let mut calls: HashMap<NodeId, Vec<&Use>> = HashMap::new();
        for one in &network.uses {
            one.nodes.clone().for_each(|node| is_made[node] = true);
            one.parameters.clone().for_each(|place| {
                layer_of.entry(place).or_insert(one);
            });
            if one.input != one.output {
                calls.entry(one.input).or_default().push(one);
            }
        }
        let arithmetic = graph.ids().filter(|id| !is_made[id.index()]);
        let computed_with = arithmetic.flat_map(|id| graph.node(id).operands.iter().copied()).collect();
        let places = network.parameters.iter().enumerate().map(|(place, known)| (known.node, place)).collect();
        Choices { layer_of, places, calls, computed_with }
    }

    /// The initialiser of a parameter.
    pub fn choose(&self, learned: &Learned) -> Choice {
        if let Some(call) = &learned.wanted.initializer {
            return Choice { initializer: call.clone(), reason: String::new() };
        }
        let layer = self.places.get(&learned.node).and_then(|place| self.layer_of.get(place));
        let Some(layer) = layer else { return glorot("no layer's weight") };
        let mut followers: Vec<(&'static str, Call)> = Vec::new();
        let direct = self.follow(layer.output, &mut followers, &mut Vec::new());
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

    /// Collects what the functions on `node` ask for; says whether something else uses it too.
    fn follow(&self, node: NodeId, found: &mut Vec<(&'static str, Call)>, seen: &mut Vec<NodeId>) -> bool {
        if seen.contains(&node) {
            return false;
        }
        seen.push(node);
        // Arithmetic on the value is a use that asks for nothing.
        let mut other = self.computed_with.contains(&node);
        for user in self.calls.get(&node).into_iter().flatten() {
            match user.function.wants {
                // `wants` names an initialiser of the list with arguments that it has.
                Some(wants) => found.push((user.function.name, wants(&user.call))),
                None if user.function.transparent => other |= self.follow(user.output, found, seen),
                // A loss or metric reads the value; a layer or operation is one more follower.
                None => other |= matches!(user.function.family, Family::Layer | Family::Operation),
            }
        }
        other
    }
}

fn glorot(reason: &str) -> Choice {
    Choice { initializer: Call::new("glorot"), reason: reason.to_string() }
}

/// An initialiser as a reader wants it: `he`, `normal(deviation = 0.02)`; what is as by default is left out.
pub fn show(initializer: &Call) -> String {
    let parameters = initializers::find(&initializer.name).map_or(&[][..], |known| known.parameters);
    let is_default = |name: &str, argument: &Argument| {
        let parameter = parameters.iter().find(|parameter| parameter.name == name);
        parameter.is_some_and(|parameter| arguments::default_of(parameter, None).as_ref() == Some(argument))
    };
    let mut brief = initializer.clone();
    brief.arguments.retain(|(name, argument)| !is_default(name, argument));
    arguments::show_call(&brief)
}
