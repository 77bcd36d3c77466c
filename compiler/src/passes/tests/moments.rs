//! What the rules of moments make of whole networks: the backward pass of a normalisation by the batch, over features and over channels.

use crate::base::place::Source;
use crate::graph::{Graph, NodeId, Root};
use crate::language::declaration::Declaration;
use crate::ops::Primitive;
use crate::passes::Context;
use crate::pipeline::front_with;

fn step(layers: &str) -> Graph {
    let text = format!(
        "Net {{ input x: [batch, 2, 6, 6]; target y: class(3); let h = x.{layers}.relu(); let z = h.flatten().dense(3);
         predict z; minimize z.cross_entropy(y); using sgd(0.1); }}"
    );
    let declaration = Declaration::parse(Source::new("moments", &text)).expect("a text without a mistake");
    let networks = declaration.elaborate().expect("a network");
    let context = Context { validate: true, ..Context::new() };
    let front = front_with(&networks.training, &networks.evaluation, String::new(), &context).expect("sound passes");
    front.graphs.training.expect("it trains")
}

fn sums(graph: &Graph) -> impl Iterator<Item = NodeId> {
    graph.ids().filter(|id| graph.node(*id).primitive == Primitive::Sum)
}

/// Mean and variance on the way forward; on the way back the gradients of beta and gamma, of which the input's is made.
#[test]
fn a_normalisation_sums_twice_each_way() {
    for layers in ["flatten().dense(5).batch_norm()", "conv2d(5, 3).batch_norm()", "conv2d(5, 3).batch_norm(axis = 2)"] {
        let graph = step(layers);
        let own = sums(&graph).filter(|id| graph.origin(*id).path.contains("batch_norm")).count();
        assert_eq!(own, 4, "{layers}");
    }
}

#[test]
fn a_bias_before_a_normalisation_has_no_gradient() {
    for layers in ["flatten().dense(5, bias = true).batch_norm()", "conv2d(5, 3, bias = true).batch_norm()"] {
        let graph = step(layers);
        let updates = graph.roots.iter().filter_map(|root| match root {
            Root::Update { source, node } => Some((graph.source_name(*source)?, *node)),
            Root::Output { .. } => None,
        });
        let next = updates.filter(|(name, _)| name.starts_with("h.") && name.ends_with(".bias")).map(|(_, node)| node).next();
        let needs = graph.ancestors([next.expect("a bias")]);
        assert!(!sums(&graph).any(|id| needs[id.index()]), "{layers}");
    }
}
