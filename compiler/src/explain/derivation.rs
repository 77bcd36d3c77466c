//! Where a gradient comes from: the chain rule walked from the loss to a parameter, each step checked against finite differences.
//!
//! The check evaluates the graph in f64 on random inputs, moves single elements of the node at hand by a small amount, and compares
//! what that does to the loss with the gradient that the rules gave.

use crate::autodiff::gradients;
use crate::graph::text::node_text;
use crate::graph::{Builder, Graph, NodeId};
use crate::ops::{self, Array, Derivative, Environment, Evaluation, Primitive};
use crate::passes::validate;
use crate::reference;
use crate::step::TOTAL;
use std::fmt::Write;

/// Rows of the batch on which gradients are checked, and what decides the values.
const BATCH: usize = 3;
const SEED: u64 = 1;

/// By how much an element is moved, relative to itself or to 1.
const STEP: f64 = 1e-5;

/// Elements of each node that are moved: those with the largest gradients.
const PROBES: usize = 3;

/// Difference up to which a check passes, relative to the larger of the two.
pub const TOLERANCE: f64 = 1e-4;

/// The way from the loss to one parameter.
#[derive(Clone, Debug)]
pub struct Derivation {
    /// The step's graph; gradients that it does not hold itself are appended.
    pub graph: Graph,
    /// The node that is differentiated.
    pub loss: NodeId,
    /// From the loss to the parameter.
    pub steps: Vec<Step>,
}

/// One node on the way.
#[derive(Clone, PartialEq, Debug)]
pub struct Step {
    /// The node.
    pub node: NodeId,
    /// Gradient of the loss with respect to the node.
    pub gradient: NodeId,
    /// The users through which it flows: the rule, and the user.
    pub from: Vec<(&'static str, NodeId)>,
    /// Elements that were moved.
    pub probes: Vec<Probe>,
}

/// One element, moved.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Probe {
    /// Its place in the tensor.
    pub element: usize,
    /// What the rules say.
    pub derived: f64,
    /// What the loss says.
    pub measured: f64,
}

impl Probe {
    /// How far the two are apart, relative to the larger, but for what rounding of the loss itself does.
    pub fn difference(self) -> f64 {
        let scale = self.derived.abs().max(self.measured.abs()).max(1e-3);
        (self.derived - self.measured).abs() / scale
    }
}

/// Derives the gradient of a step's loss with respect to a parameter.
///
/// # Errors
/// No such parameter (the others are named), or one that the loss does not depend on.
pub fn derive(step: &Graph, parameter: &str) -> Result<Derivation, String> {
    let known = |id: &NodeId| step.node(*id).primitive == Primitive::Parameter;
    let source = step.find_source(Primitive::Parameter, parameter).ok_or_else(|| {
        let names: Vec<&str> = step.ids().filter(known).filter_map(|id| step.source_name(id)).collect();
        format!("no parameter is called `{parameter}`; there are: {}", names.join(", "))
    })?;
    let loss = step.output(TOTAL).or_else(|| step.output("loss")).ok_or("the step has no loss")?;
    let mut builder = Builder::continue_from(step.clone());
    let mut path: Vec<(NodeId, NodeId)> = Vec::new();
    // The builder shares equal nodes, so that gradients have the numbers that they have in the step.
    for node in on_the_way(step, source, loss).into_iter().rev() {
        match gradients(&mut builder, loss, &[node]) {
            Ok(found) => path.extend(found.first().map(|gradient| (node, *gradient))),
            // Such as the condition of a select: nothing flows through it.
            Err(_) if node != source => {}
            Err(error) => return Err(error.to_string()),
        }
    }
    let graph = builder.finish();
    let users = step.users();
    let mut steps = Vec::new();
    for &(node, gradient) in &path {
        let rule = |user: &NodeId| match ops::record(step.node(*user).primitive).derivative {
            Derivative::Rule { text, .. } => Some((text, *user)),
            _ => None,
        };
        let passes = |user: &&NodeId| path.iter().any(|(known, _)| known == *user);
        let from = users[node.index()].iter().rev().filter(passes).filter_map(rule).collect();
        steps.push(Step { node, gradient, from, probes: Vec::new() });
    }
    let mut derivation = Derivation { graph, loss, steps };
    derivation.check();
    Ok(derivation)
}

/// Real nodes that the source influences and that influence the loss, in the order of the graph.
fn on_the_way(graph: &Graph, source: NodeId, loss: NodeId) -> Vec<NodeId> {
    let count = loss.index() + 1;
    let mut reached = vec![false; count];
    reached[source.index()] = true;
    for index in 0..count {
        reached[index] |= graph.nodes[index].operands.iter().any(|operand| reached[operand.index()]);
    }
    let mut needed = vec![false; count];
    needed[loss.index()] = true;
    for index in (0..count).rev().filter(|index| graph.nodes[*index].ty.element.is_real()) {
        if needed[index] {
            graph.nodes[index].operands.iter().for_each(|operand| needed[operand.index()] = true);
        }
    }
    graph.ids().take(count).filter(|id| reached[id.index()] && needed[id.index()] && graph.ty(*id).element.is_real()).collect()
}

impl Derivation {
    /// Moves single elements and compares.
    fn check(&mut self) {
        let environment = validate::sample(&self.graph, BATCH, SEED);
        let mut wanted = self.graph.clone();
        let output = |name: &str, node| crate::graph::Root::Output { name: name.into(), node };
        wanted.roots = vec![output("loss", self.loss)];
        wanted.roots.extend(self.steps.iter().map(|step| output("gradient", step.gradient)));
        let values = reference::evaluate(&wanted, &environment);
        for step in &mut self.steps {
            let (Some(gradient), Some(own)) = (&values[step.gradient.index()], &values[step.node.index()]) else { continue };
            let mut order: Vec<usize> = (0..gradient.data.len()).collect();
            order.sort_by(|a, b| gradient.data[*b].abs().total_cmp(&gradient.data[*a].abs()).then(a.cmp(b)));
            step.probes = order
                .into_iter()
                .take(PROBES)
                .map(|element| {
                    let by = STEP * own.data[element].abs().max(1.0);
                    let at = |amount: f64| moved(&self.graph, &values, step.node, self.loss, element, amount, &environment);
                    Probe { element, derived: gradient.data[element], measured: (at(by) - at(-by)) / (2.0 * by) }
                })
                .collect();
        }
    }

    /// The largest difference of a check, with the node where it is.
    pub fn worst(&self) -> (f64, NodeId) {
        let all = self.steps.iter().flat_map(|step| step.probes.iter().map(|probe| (probe.difference(), step.node)));
        all.max_by(|a, b| a.0.total_cmp(&b.0)).unwrap_or((0.0, self.loss))
    }

    /// The derivation as text; `origins` adds where nodes come from.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for (number, step) in (1..).zip(&self.steps) {
            let origin = self.graph.origin(step.node);
            let place = [origin.path.as_str(), origin.place.as_str()].join(" ");
            let _ = writeln!(text, "{number:>3}. %{} = {}    ; {}", step.node.0, node_text(&self.graph, step.node), place.trim());
            for (rule, user) in &step.from {
                let _ = writeln!(text, "     by {rule}    of %{} = {}", user.0, node_text(&self.graph, *user));
            }
            if step.from.is_empty() {
                text.push_str("     the loss itself: 1\n");
            }
            let _ = writeln!(text, "     gradient %{} = {}", step.gradient.0, node_text(&self.graph, step.gradient));
            for probe in &step.probes {
                let sign = if probe.difference() <= TOLERANCE { "agrees" } else { "DIFFERS" };
                let _ = writeln!(
                    text,
                    "     [{}] derived {:>13.6e}  measured {:>13.6e}  {sign}, {:.1e}",
                    probe.element,
                    probe.derived,
                    probe.measured,
                    probe.difference()
                );
            }
        }
        let (difference, node) = self.worst();
        let _ = writeln!(text, "{} steps, largest difference {difference:.1e} at %{}", self.steps.len(), node.0);
        text
    }
}

/// The loss if one element of a node's value were larger by `amount`; what stands behind `stop_gradient` stays as it is.
fn moved(
    graph: &Graph,
    values: &[Option<Array>],
    node: NodeId,
    loss: NodeId,
    element: usize,
    amount: f64,
    environment: &Environment,
) -> f64 {
    let mut new: Vec<Option<Array>> = vec![None; loss.index() + 1];
    let mut own = values[node.index()].clone();
    if let Some(own) = &mut own {
        own.data[element] += amount;
    }
    new[node.index()] = own;
    for id in graph.ids().skip(node.index() + 1).take(loss.index() - node.index()) {
        let one = graph.node(id);
        let is_moved = one.operands.iter().any(|operand| new[operand.index()].is_some());
        if !is_moved || one.primitive == Primitive::StopGradient {
            continue;
        }
        let operands: Option<Vec<&Array>> =
            one.operands.iter().map(|operand| new[operand.index()].as_ref().or(values[operand.index()].as_ref())).collect();
        let dims = one.ty.shape.at(environment.batch);
        new[id.index()] = operands.map(|operands| {
            let evaluation = Evaluation {
                operands: &operands,
                attributes: &one.attributes,
                element: one.ty.element,
                dims: &dims,
                environment,
            };
            (ops::record(one.primitive).value)(&evaluation)
        });
    }
    let loss = new[loss.index()].as_ref().or(values[loss.index()].as_ref());
    loss.and_then(|loss| loss.data.first()).copied().unwrap_or(f64::NAN)
}
