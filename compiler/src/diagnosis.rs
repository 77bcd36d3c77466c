//! Figures of a training step, layer by layer: what is compiled into a step that diagnoses.
//!
//! A network that [diagnoses](Network::diagnoses) gives out scalars beside its reports: for each layer with parameters, and the
//! activation that follows it, those of [`FIGURES`]. They are built of primitives on the values that the step computes anyway, so that
//! nothing but scalars leaves it. A network that does not diagnose has no trace of them.
//!
//! # Layers
//! A layer is a call that makes parameters. What keeps its distribution's shape (batch norm, dropout, pooling) and the activation behind it
//! belong to it: their parameters are the layer's, and the activation's output is its value. It is called by its scope (`h.3`), or by its
//! whole path where several stand in one scope (`logits.dense_2`).
//!
//! # Range
//! Gradients that vanish or explode are what one looks for. Squares of 1e-25 are 0 in f32 and squares of 1e25 infinite, so norms and
//! deviations are taken of values divided by the largest of them.

use crate::graph::builder::Built;
use crate::graph::{BuildError, Builder, Element, Graph, NodeId, Origin, Root};
use crate::nn::choice::{self, Choices};
use crate::nn::network::Use;
use crate::nn::{Family, Network};
use crate::ops::{self, Derivative, Primitive};

/// How near a limit an output is saturated: within this share of half the range. `sigmoid` below 0.025 or above 0.975, `tanh` beyond
/// ±0.95: there the derivative is less than a tenth of its largest value.
pub const SATURATED: f64 = 0.95;

/// A figure of one layer in one step.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Figure {
    /// Euclidean norm of the gradient by all of the layer's trained parameters, before clips.
    GradientNorm,
    /// Norm of these parameters before the update.
    WeightNorm,
    /// Norm of the update.
    UpdateNorm,
    /// Mean of the layer's value.
    Mean,
    /// Standard deviation of the layer's value (over n).
    Deviation,
    /// Mean of the gradient by the layer's value.
    GradientMean,
    /// Standard deviation of the gradient by the layer's value.
    GradientDeviation,
    /// Share of the value's elements near a limit of the activation, see [`SATURATED`].
    Saturated,
    /// Share of the units that are 0 for the whole batch.
    Dead,
}

/// All figures, in the order of the outputs.
pub const FIGURES: [Figure; 9] = [
    Figure::GradientNorm,
    Figure::WeightNorm,
    Figure::UpdateNorm,
    Figure::Mean,
    Figure::Deviation,
    Figure::GradientMean,
    Figure::GradientDeviation,
    Figure::Saturated,
    Figure::Dead,
];

/// A layer of which figures are taken.
#[derive(Clone, PartialEq, Debug)]
pub struct Layer {
    /// Its scope, such as `h.3`, or its path where that is not enough.
    pub name: String,
    /// The layer's function, such as `dense`.
    pub function: &'static str,
    /// The activation that follows, such as `relu`.
    pub activation: Option<&'static str>,
    /// Limits of the activation, if it saturates.
    pub limits: Option<(f64, f64)>,
    /// Whether the activation is 0 where it lets no gradient through.
    pub dies: bool,
    /// How the layer's weight begins, such as `he`.
    pub initializer: String,
    /// What the activation asks for, such as `he`; empty without one.
    pub suited: String,
    /// Whether batch or layer normalisation stands between layer and activation.
    pub is_normalised: bool,
    /// Units: what the value holds along its last axis, or channels of four axes.
    pub units: usize,
}

/// What a step holds of one layer.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub(crate) layer: Layer,
    /// The value behind the activation.
    pub(crate) value: NodeId,
    /// Names of its parameters.
    pub(crate) parameters: Vec<String>,
}

/// One trained parameter in a step.
pub(crate) struct Moving {
    pub(crate) theta: NodeId,
    /// Before clips.
    pub(crate) gradient: NodeId,
    pub(crate) next: NodeId,
}

/// What the names of figures begin with among the outputs of a step; no report has a point in its name.
const PREFIX: &str = "diagnosis.";

/// The name of a figure's output of the training step.
pub fn output(layer: usize, figure: Figure) -> String {
    format!("{PREFIX}{layer}.{figure:?}")
}

/// Whether an output of a step is a figure.
pub fn is_figure(output: &str) -> bool {
    output.starts_with(PREFIX)
}

/// The layers of a network, whether it diagnoses or not, in the order of its calls.
pub fn layers(network: &Network) -> Vec<Layer> {
    all_parts(network).into_iter().map(|part| part.layer).collect()
}

/// What a step must give out: nothing unless the network diagnoses.
pub(crate) fn parts(network: &Network) -> Vec<Part> {
    if network.diagnoses { all_parts(network) } else { Vec::new() }
}

/// For each node, whether a derivative of the total flows to it.
pub(crate) fn flows(graph: &Graph, total: NodeId) -> Vec<bool> {
    let mut flows = vec![false; graph.nodes.len()];
    flows[total.index()] = true;
    for index in (0..flows.len()).rev() {
        let node = &graph.nodes[index];
        if flows[index] && matches!(ops::record(node.primitive).derivative, Derivative::Rule { .. }) {
            node.operands.iter().for_each(|operand| flows[operand.index()] = true);
        }
    }
    flows
}

fn all_parts(network: &Network) -> Vec<Part> {
    let Some(loss) = network.loss else { return Vec::new() };
    let graph = network.builder.graph();
    let live = graph.ancestors([loss]);
    // A bias that normalisation takes out again leaves the layer's output aside, not its product.
    let reaches = |one: &Use| live[one.output.index()];
    let takes_part = |one: &Use| reaches(one) || live[one.nodes.clone()].contains(&true);
    let mut taken: Vec<NodeId> = Vec::new();
    let mut parts: Vec<(&Use, Part)> = Vec::new();
    for one in &network.uses {
        let is_layer = one.function.family == Family::Layer && !one.parameters.is_empty() && takes_part(one);
        if !is_layer || taken.contains(&one.output) || graph.ty(one.output).element != Element::F32 {
            continue;
        }
        let followers = followers(network, one, &reaches);
        taken.extend(followers.iter().map(|follower| follower.output));
        let part = part(network, one, &followers);
        if !part.parameters.is_empty() {
            parts.push((one, part));
        }
    }
    let scope = |one: &Use| one.path.rsplit_once('.').map_or("", |(scope, _)| scope).to_string();
    let scopes: Vec<String> = parts.iter().map(|(one, _)| scope(one)).collect();
    for (scope, (one, part)) in scopes.iter().zip(&mut parts) {
        let is_alone = scopes.iter().filter(|other| *other == scope).count() == 1;
        part.layer.name = if is_alone && !scope.is_empty() { scope.clone() } else { one.path.clone() };
    }
    parts.into_iter().map(|(_, part)| part).collect()
}

/// What belongs to a layer behind it: functions that keep the distribution's shape, up to its activation. Only what the loss needs.
fn followers<'a>(network: &'a Network, layer: &Use, reaches: &impl Fn(&Use) -> bool) -> Vec<&'a Use> {
    let mut found: Vec<&Use> = Vec::new();
    let mut value = layer.output;
    while let Some(next) = network.uses.iter().find(|next| next.input == value && next.output != value && reaches(next)) {
        let is_activation = next.function.family == Family::Activation;
        if !is_activation && !next.function.transparent {
            break;
        }
        value = next.output;
        found.push(next);
        if is_activation {
            return found;
        }
    }
    // Without an activation the layer's own value is what the next one sees, with the normalisation that belongs to it.
    let last = found.iter().rposition(|follower| !follower.parameters.is_empty());
    found.truncate(last.map_or(0, |last| last + 1));
    found
}

fn part(network: &Network, layer: &Use, followers: &[&Use]) -> Part {
    let own = || std::iter::once(layer).chain(followers.iter().copied());
    let learned: Vec<_> = network.learned().collect();
    let made = own().flat_map(|one| &network.parameters[one.parameters.clone()]);
    let parameters: Vec<&_> = made.filter(|made| learned.iter().any(|learned| learned.node == made.node)).collect();
    let last = followers.last().copied().unwrap_or(layer);
    let activation = followers.last().filter(|last| last.function.family == Family::Activation).map(|last| last.function);
    let weight = parameters.first().map(|learned| choice::show(&Choices::of(network).choose(learned).initializer));
    let value = last.output;
    let shape = network.builder.graph().shape(value);
    Part {
        layer: Layer {
            name: layer.path.clone(),
            function: layer.function.name,
            activation: activation.map(|function| function.name),
            limits: activation.and_then(|function| function.limits),
            dies: activation.is_some_and(|function| function.dies),
            initializer: weight.unwrap_or_default(),
            suited: activation.and_then(|function| function.wants).map_or_else(String::new, |wants| wants(&last.call).name),
            is_normalised: own().skip(1).any(|one| one.function.family == Family::Layer && !one.parameters.is_empty()),
            units: unit_axis(shape.rank()).map_or(1, |axis| shape.without(&others(shape.rank(), axis)).fixed_count()),
        },
        value,
        parameters: parameters.iter().map(|learned| learned.name.clone()).collect(),
    }
}

/// The axis along which a value has its units: the last, or the second of four.
fn unit_axis(rank: usize) -> Option<usize> {
    match rank {
        0 | 1 => None,
        4 => Some(1),
        rank => Some(rank - 1),
    }
}

fn others(rank: usize, axis: usize) -> Vec<usize> {
    (0..rank).filter(|other| *other != axis).collect()
}

/// The figures of the layer of this number, as outputs. `slope` is the gradient by its value, where the step computes one.
pub(crate) fn figures(
    builder: &mut Builder,
    (number, part): (usize, &Part),
    value: NodeId,
    slope: Option<NodeId>,
    moving: &[Moving],
) -> Result<Vec<Root>, BuildError> {
    let outer = builder.set_origin(Origin { path: part.layer.name.clone(), rule: "diagnosis".into(), ..Origin::default() });
    let mut roots = Vec::new();
    for figure in FIGURES {
        if let Some(node) = self::figure(builder, figure, &part.layer, (value, slope), moving)? {
            roots.push(Root::Output { name: output(number, figure), node });
        }
    }
    builder.set_origin(outer);
    Ok(roots)
}

fn figure(
    builder: &mut Builder,
    figure: Figure,
    layer: &Layer,
    (value, slope): (NodeId, Option<NodeId>),
    moving: &[Moving],
) -> Result<Option<NodeId>, BuildError> {
    let of_slope =
        |builder: &mut Builder, of: fn(&mut Builder, NodeId) -> Built| slope.map(|slope| of(builder, slope)).transpose();
    Ok(match figure {
        Figure::GradientNorm | Figure::WeightNorm | Figure::UpdateNorm if moving.is_empty() => None,
        Figure::GradientNorm => Some(scaled_norm(builder, &moving.iter().map(|one| one.gradient).collect::<Vec<_>>())?),
        Figure::WeightNorm => Some(norm(builder, &moving.iter().map(|one| one.theta).collect::<Vec<_>>())?),
        Figure::UpdateNorm => {
            let updates: Result<Vec<_>, _> = moving.iter().map(|one| builder.sub(one.next, one.theta)).collect();
            Some(norm(builder, &updates?)?)
        }
        Figure::Mean => Some(builder.mean_all(value)?),
        Figure::Deviation => Some(deviation(builder, value)?),
        Figure::GradientMean => of_slope(builder, |builder, slope| builder.mean_all(slope))?,
        Figure::GradientDeviation => of_slope(builder, deviation)?,
        Figure::Saturated => layer.limits.map(|limits| saturated(builder, value, limits)).transpose()?,
        Figure::Dead => dead(builder, value)?.filter(|_| layer.dies),
    })
}

fn sum_of_squares(builder: &mut Builder, tensors: &[NodeId]) -> Built {
    let mut total = builder.constant(0.0);
    for tensor in tensors {
        let square = builder.mul(*tensor, *tensor)?;
        let sum = builder.sum_all(square)?;
        total = builder.add(total, sum)?;
    }
    Ok(total)
}

/// √Σx².
fn norm(builder: &mut Builder, tensors: &[NodeId]) -> Built {
    let squares = sum_of_squares(builder, tensors)?;
    builder.unary(Primitive::Sqrt, squares)
}

/// The same as m·√Σ(x/m)² with the largest size m, which neither under- nor overflows.
fn scaled_norm(builder: &mut Builder, tensors: &[NodeId]) -> Built {
    let (largest, divisor) = largest(builder, tensors)?;
    let scaled: Result<Vec<_>, _> = tensors.iter().map(|tensor| builder.div(*tensor, divisor)).collect();
    let norm = norm(builder, &scaled?)?;
    builder.mul(norm, largest)
}

/// √mean(x - mean)², scaled in the same way.
fn deviation(builder: &mut Builder, value: NodeId) -> Built {
    let mean = builder.mean_all(value)?;
    let centred = builder.sub(value, mean)?;
    let (largest, divisor) = largest(builder, &[centred])?;
    let scaled = builder.div(centred, divisor)?;
    let square = builder.mul(scaled, scaled)?;
    let variance = builder.mean_all(square)?;
    let deviation = builder.unary(Primitive::Sqrt, variance)?;
    builder.mul(deviation, largest)
}

/// The largest size of all elements, and the same with 1 in the place of 0, to divide by.
fn largest(builder: &mut Builder, tensors: &[NodeId]) -> Result<(NodeId, NodeId), BuildError> {
    let zero = builder.constant(0.0);
    let mut largest = zero;
    for tensor in tensors {
        let size = builder.unary(Primitive::Abs, *tensor)?;
        let axes: Vec<usize> = (0..builder.shape(size).rank()).collect();
        let most = builder.reduce(Primitive::ReduceMax, size, &axes)?;
        largest = builder.binary(Primitive::Max, largest, most)?;
    }
    let one = builder.constant(1.0);
    let is_zero = builder.binary(Primitive::Eq, largest, zero)?;
    let divisor = builder.select(is_zero, one, largest)?;
    Ok((largest, divisor))
}

/// The mean of a condition.
fn share(builder: &mut Builder, condition: NodeId) -> Built {
    let number = builder.cast(condition, Element::F32)?;
    builder.mean_all(number)
}

fn saturated(builder: &mut Builder, value: NodeId, (low, high): (f64, f64)) -> Built {
    let centred = builder.offset(value, -(low + high) / 2.0)?;
    let distance = builder.unary(Primitive::Abs, centred)?;
    let near = builder.constant_like(distance, SATURATED * (high - low) / 2.0)?;
    let is_near = builder.binary(Primitive::Le, near, distance)?;
    share(builder, is_near)
}

fn dead(builder: &mut Builder, value: NodeId) -> Result<Option<NodeId>, BuildError> {
    let rank = builder.shape(value).rank();
    let Some(units) = unit_axis(rank) else { return Ok(None) };
    let size = builder.unary(Primitive::Abs, value)?;
    let most = builder.reduce(Primitive::ReduceMax, size, &others(rank, units))?;
    let zero = builder.constant_like(most, 0.0)?;
    let is_dead = builder.binary(Primitive::Eq, most, zero)?;
    share(builder, is_dead).map(Some)
}
