//! Why the program is what it is: where a gradient comes from, and what became of a node.
//!
//! Nothing here decides anything. Each answer is read off what the stages left behind: origins, logs of rewrites, reasons of fusion,
//! places of instructions.

pub mod derivation;
#[cfg(feature = "codegen")]
pub mod life;
pub mod lines;
#[cfg(feature = "codegen")]
pub mod page;
#[cfg(test)]
mod tests;

use crate::fusion::legalize::legalize_with_places;
use crate::graph::NodeId;
use crate::pipeline::Front;

/// One node of the training step by its number in each stage, where it has one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Numbers {
    /// In 02-graph.
    pub written: Option<NodeId>,
    /// In 03-gradient.
    pub derived: Option<NodeId>,
    /// In 04-simplified.
    pub simplified: Option<NodeId>,
    /// In 05-fused and all that follows.
    pub legal: Option<NodeId>,
}

/// Nodes of the training step on their way through the stages.
#[derive(Clone, Debug)]
pub struct Journey<'a> {
    front: &'a Front,
    /// For each node of 04-simplified, its number from 05 on.
    legal: Vec<Option<NodeId>>,
}

impl<'a> Journey<'a> {
    /// Of a network that trains.
    pub fn new(front: &'a Front) -> Option<Journey<'a>> {
        let (_, legal) = legalize_with_places(front.graphs.training.as_ref()?).ok()?;
        Some(Journey { front, legal })
    }

    /// Everything known of a node of 02-graph.
    pub fn of_written(&self, node: NodeId) -> Numbers {
        let derived = self.front.forward_rewrites.places.get(node.index()).copied().flatten();
        Numbers { written: Some(node), ..derived.map_or_else(Numbers::default, |derived| self.of_derived(derived)) }
    }

    /// Everything known of a node of 03-gradient.
    pub fn of_derived(&self, node: NodeId) -> Numbers {
        let simplified = self.front.step_rewrites.places.get(node.index()).copied().flatten();
        let legal = simplified.and_then(|simplified| self.legal_of(simplified));
        let written = self.front.forward_rewrites.labels.get(node.index()).copied().flatten().map(NodeId);
        Numbers { written, derived: Some(node), simplified, legal }
    }

    /// Everything known of a node of 04-simplified; one that a rule made is what that rule's node became.
    pub fn of_simplified(&self, node: NodeId) -> Numbers {
        let label = self.front.step_rewrites.labels.get(node.index()).copied().flatten();
        let before = label.map_or_else(Numbers::default, |label| self.of_derived(NodeId(label)));
        Numbers { simplified: Some(node), legal: self.legal_of(node), ..before }
    }

    /// Everything known of a node of 05-fused and what follows.
    pub fn of_legal(&self, node: NodeId) -> Numbers {
        let found = self.legal.iter().position(|legal| *legal == Some(node));
        let before = found.map_or_else(Numbers::default, |found| self.of_simplified(NodeId(found as u32)));
        Numbers { legal: Some(node), ..before }
    }

    fn legal_of(&self, simplified: NodeId) -> Option<NodeId> {
        self.legal.get(simplified.index()).copied().flatten()
    }
}
