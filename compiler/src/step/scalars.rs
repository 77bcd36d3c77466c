//! What the second half of a step needs of the first: scalars that hang on settings and the step alone.

use super::{penalties_of, trained};
use crate::graph::NodeId;
use crate::nn::optimizers::OptimizerUse;
use crate::nn::parameters::Learned;
use crate::nn::{Argument, Call, Network};

/// Scalars that the second half needs: what hangs on settings and the step alone.
#[derive(Clone, Debug)]
pub(super) struct Scalars {
    /// The optimizer's arguments.
    pub(super) call: Call,
    pub(super) limits: Vec<NodeId>,
    /// For each trained parameter the factor of its rate, a weight decay of its own, and the strengths of its proximal penalties.
    pub(super) factors: Vec<Option<NodeId>>,
    pub(super) decays: Vec<Option<NodeId>>,
    pub(super) shrinks: Vec<Vec<NodeId>>,
}

impl Scalars {
    /// As they stand in the network's own graph.
    pub(super) fn of(network: &Network, optimizer: &OptimizerUse) -> Self {
        let trained = trained(network);
        let proximal = |learned: &&Learned| {
            penalties_of(network, learned).iter().filter(|applied| applied.proximal).map(|applied| applied.strength).collect()
        };
        Scalars {
            call: optimizer.call.clone(),
            limits: optimizer.clips.iter().map(|clip| clip.limit).collect(),
            factors: trained.iter().map(|learned| learned.wanted.rate_factor).collect(),
            decays: trained.iter().map(|learned| learned.wanted.weight_decay).collect(),
            shrinks: trained.iter().map(proximal).collect(),
        }
    }
    /// Every handle, in one order.
    pub(super) fn nodes(&mut self) -> Vec<&mut NodeId> {
        let arguments = self.call.arguments.iter_mut().filter_map(|(_, argument)| match argument {
            Argument::Tensor(node) => Some(node),
            _ => None,
        });
        let scalars = arguments.chain(&mut self.limits).chain(self.factors.iter_mut().chain(&mut self.decays).flatten());
        scalars.chain(self.shrinks.iter_mut().flatten()).collect()
    }
    /// The same scalars in another graph, whose handles come in the order of [`Scalars::nodes`].
    pub(super) fn carried_to(mut self, handles: impl Iterator<Item = NodeId>) -> Self {
        for (node, handle) in self.nodes().into_iter().zip(handles) {
            *node = handle;
        }
        self
    }
}
