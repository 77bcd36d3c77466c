//! The step: forward, backward, clips, update and metrics as one graph.
//!
//! A [`Network`] is turned into graphs of four kinds:
//! - [`training_step`]: (parameters, states, batch, step) → (parameters', states', loss, penalty, metrics);
//! - [`evaluation`]: (parameters, saved states, batch) → (loss, metrics);
//! - [`prediction`]: (parameters, saved states, inputs) → what is served;
//! - [`initial`]: nothing → first values of the parameters.
//!
//! # Outputs
//! `loss` (without penalty), [`PENALTY`] and [`TOTAL`] (their sum; both only where there is a penalty), then the reports by their names.
//! A name that is ours has a dot wherever a report could be called the same; `loss` is kept from reports by the language.
//! A value that is no mean over rows has companions `name.part`, from which chunks of rows combine. What is watched
//! ([`probes`]) stands behind them, then the figures of a [`diagnosis`].
//!
//! # The two halves of a step
//! [`forward`] ends in a graph whose roots are all that the second half needs. A simplification is a pure function on that graph: it
//! may renumber everything but keeps sources by name and roots in order. [`complete`] goes on from there with gradients and updates.

pub mod accumulate;
mod lookahead;
pub mod plateau;
mod scalars;
mod skip;
#[cfg(test)]
mod tests;

use crate::autodiff::gradients;
use crate::diagnosis::{self, Moving, Part};
use crate::graph::{Builder, Graph, NodeId, Origin, Root, Type};
use crate::nn::clips::ClipUse;
use crate::nn::fault::{NO_LOSS, NO_OPTIMIZER, NOT_TRAINED};
use crate::nn::initializers::{self, Fill};
use crate::nn::optimizers::{Memory, OptimizerUse, Update};
use crate::nn::parameters::{Governed, Learned, Probe, State};
use crate::nn::penalties::{self, Applied};
use crate::nn::{Argument, Call, Fault, Network, choice, groups};
use crate::ops::Primitive;
use crate::probes;
use scalars::Scalars;
pub use skip::SKIPPED;
use std::collections::HashMap;
use std::ops::Range;

/// The first half of a step: the loss and what hangs on it.
#[derive(Clone, Debug)]
pub struct Forward {
    /// Its roots are the total that is lowered, then those of each kind behind the ones before.
    pub graph: Graph,
    kinds: Kinds,
}

/// Which of the first half's roots are named outputs and updates of states, which are watched, which are diagnosed, and which are scalars
/// of the second half.
#[derive(Clone, Debug)]
struct Kinds {
    own: Range<usize>,
    watched: Range<usize>,
    diagnosed: Range<usize>,
    scalars: Range<usize>,
}

/// One training step.
#[derive(Clone, Debug)]
pub struct StepGraph {
    pub graph: Graph,
    /// The network's states, then the optimizer's.
    pub states: Vec<State>,
}

/// First part of the names of the root that is differentiated and of those that carry values and scalars to the second half.
const CARRIED: &str = "carried";

/// Outputs of a step with a penalty: what it adds to the loss, and what is differentiated.
pub const PENALTY: &str = "loss.penalty";
pub const TOTAL: &str = "loss.total";

/// The training step of a network built for training.
pub fn training_step(network: &Network) -> Result<StepGraph, Fault> {
    complete(network, forward(network)?)
}

/// Loss, penalty, metrics and updates of states.
pub fn forward(network: &Network) -> Result<Forward, Fault> {
    let loss = loss(network)?;
    let optimizer = optimizer(network)?;
    check_reach(network, loss)?;
    let mut builder = network.builder.clone();
    builder.set_origin(Origin::default());
    let mut roots = Vec::new();
    let penalty = penalty(network, &mut builder)?;
    let total = match penalty {
        Some(penalty) => builder.add(loss, penalty)?,
        None => loss,
    };
    builder.set_origin(Origin::default());
    let output = |name: &str, node: NodeId| Root::Output { name: name.to_string(), node };
    let carried = |number: usize, node: NodeId| Root::Output { name: format!("{CARRIED}.{number}"), node };
    roots.push(carried(0, total));
    roots.push(output("loss", loss));
    if let Some(penalty) = penalty {
        roots.push(output(PENALTY, penalty));
        roots.push(output(TOTAL, total));
    }
    roots.extend(measured(network));
    roots.extend(network.next_states.iter().map(|&(source, node)| Root::Update { source, node }));
    let own = 1..roots.len();
    let mut carry = |nodes: Vec<NodeId>| {
        let first = roots.len();
        let numbers = first + 1 - own.end..;
        roots.extend(numbers.zip(nodes).map(|(number, node)| carried(number, node)));
        first..roots.len()
    };
    let kinds = Kinds {
        watched: carry(network.probes.iter().map(|probe| probe.node).collect()),
        diagnosed: carry(diagnosis::parts(network).iter().map(|part| part.value).collect()),
        scalars: carry(Scalars::of(network, optimizer).nodes().into_iter().map(|node| *node).collect()),
        own,
    };
    let mut graph = builder.finish();
    graph.name = format!("{} step", network.name);
    graph.roots = roots;
    // What is served is no root of a step, and still a part of what is read. A bias that normalisation went on without is none.
    let served = graph.ancestors(network.predicts.iter().map(|(_, node)| *node));
    let live: Vec<bool> = graph.live().into_iter().zip(served).map(|(is_live, is_served)| is_live || is_served).collect();
    Ok(Forward { graph: graph.restricted(&live), kinds })
}

fn loss(network: &Network) -> Result<NodeId, Fault> {
    network.loss.ok_or_else(|| Fault::new(NO_LOSS, format!("`{}` has no `minimize`: nothing to train for", network.name)))
}

fn optimizer(network: &Network) -> Result<&OptimizerUse, Fault> {
    network.optimizer.as_ref().ok_or_else(|| {
        Fault::new(NO_OPTIMIZER, format!("`{}` has no `using`: no optimizer to train by", network.name))
            .help("add `using adam(rate = 1e-3);`")
    })
}

/// Parameters that the loss does not depend on are not trained: an error, before a penalty would hide it.
fn check_reach(network: &Network, loss: NodeId) -> Result<(), Fault> {
    let live = network.builder.graph().ancestors([loss]);
    for learned in network.learned() {
        if !live[learned.node.index()] && !learned.wanted.frozen {
            let message = format!("parameter `{}` does not influence the loss, so it will not be trained", learned.name);
            let help = "use its layer in what is minimised, freeze it, or remove it";
            return Err(Fault::new(NOT_TRAINED, message).help(help).about(learned.node));
        }
    }
    Ok(())
}

/// Reports, and the parts from which chunks of rows combine.
fn measured(network: &Network) -> Vec<Root> {
    let mut roots: Vec<Root> =
        network.reports.iter().map(|report| Root::Output { name: report.name.clone(), node: report.node }).collect();
    let loss = network.loss.map(|loss| ("loss", network.aggregate(loss)));
    let reports = network.reports.iter().map(|report| (report.name.as_str(), report.aggregate.clone()));
    for (name, aggregate) in loss.into_iter().chain(reports) {
        let Some(aggregate) = aggregate else { continue };
        let named = aggregate.combination.parts.iter().zip(&aggregate.parts);
        roots.extend(named.map(|(part, node)| Root::Output { name: format!("{name}.{part}"), node: *node }));
    }
    roots
}

/// Penalties that a parameter is under.
pub(crate) fn penalties_of<'a>(network: &'a Network, learned: &'a Learned) -> Vec<&'a Applied> {
    if learned.wanted.frozen {
        return Vec::new();
    }
    match &learned.wanted.governed {
        Governed::Free => Vec::new(),
        Governed::ByOwn(own) if learned.wanted.penalised || own.on_all => vec![own],
        Governed::ByOwn(_) => Vec::new(),
        Governed::ByNetwork => network.penalties.iter().filter(|applied| learned.wanted.penalised || applied.on_all).collect(),
    }
}

/// The sum of all penalties that stand in the loss; terms of one strength are added before they are multiplied.
fn penalty(network: &Network, builder: &mut Builder) -> Result<Option<NodeId>, Fault> {
    let mut sums: Vec<(&Applied, NodeId)> = Vec::new();
    for learned in network.learned() {
        for applied in penalties_of(network, learned).into_iter().filter(|applied| !applied.proximal) {
            builder.set_origin(Origin {
                path: learned.name.clone(),
                place: learned.place.clone(),
                rule: applied.penalty.name.into(),
                of: None,
            });
            let sum = (applied.penalty.sum)(builder, learned.node)?;
            match sums.iter_mut().find(|(known, _)| *known == applied) {
                Some((_, total)) => *total = builder.add(*total, sum)?,
                None => sums.push((applied, sum)),
            }
        }
    }
    let mut total = None;
    for (applied, sum) in sums {
        builder.set_origin(Origin { path: "penalty".into(), place: applied.place.clone(), ..Origin::default() });
        let term = builder.mul(sum, applied.strength)?;
        total = Some(match total {
            Some(sum) => builder.add(sum, term)?,
            None => term,
        });
    }
    Ok(total)
}

/// Parameters that the optimizer moves.
fn trained(network: &Network) -> Vec<&Learned> {
    network.learned().filter(|learned| !learned.wanted.frozen).collect()
}

/// One parameter that is moved.
struct Moved<'a> {
    learned: &'a Learned,
    theta: NodeId,
    /// Where its gradient is taken.
    point: NodeId,
    rate_factor: Option<NodeId>,
    weight_decay: Option<NodeId>,
    /// Strengths of proximal penalties.
    shrinks: Vec<NodeId>,
}

/// Gradients, clips and updates on top of a forward graph.
pub fn complete(network: &Network, forward: Forward) -> Result<StepGraph, Fault> {
    let optimizer = optimizer(network)?;
    let Forward { graph, kinds } = forward;
    let trained = trained(network);
    let scalars = Scalars::of(network, optimizer);
    let mut memory = Memory::default();
    let (mut graph, points) = if optimizer.rule.moves() {
        lookahead::moved(&graph, optimizer, &trained, (&scalars, kinds.scalars.start), &mut memory)?
    } else {
        (graph, vec![None; trained.len()])
    };
    let roots = std::mem::take(&mut graph.roots);
    let nodes = |kind: &Range<usize>| roots[kind.clone()].iter().map(Root::node);
    let scalars = scalars.carried_to(nodes(&kinds.scalars));
    let mut builder = Builder::continue_from(graph);
    let moved = moved(&mut builder, &trained, &points, &scalars)?;
    let parts: Vec<(Part, NodeId)> = diagnosis::parts(network).into_iter().zip(nodes(&kinds.diagnosed)).collect();
    let watched: Vec<(&Probe, NodeId)> = network.probes.iter().zip(nodes(&kinds.watched)).collect();
    let total = roots[0].node();
    let asked = with_slope(builder.graph(), total, &parts, &moved);
    let Derived { mut gradients, watched, slopes } = derived(&mut builder, total, &moved, &watched, &asked)?;
    let mut sums = Memory::default();
    if network.accumulates {
        for (one, gradient) in moved.iter().zip(&mut gradients) {
            *gradient = accumulate::sum(&mut builder, &one.learned.name, *gradient, &mut sums)?;
        }
    }
    let unclipped = gradients.clone();
    let sound = clip(&mut builder, &mut gradients, &limited(&optimizer.clips, &scalars))?;
    let mut next = Vec::new();
    for (one, gradient) in moved.iter().zip(gradients) {
        next.push(Root::Update {
            source: one.theta,
            node: update(&mut builder, optimizer, &scalars.call, one, gradient, &mut memory)?,
        });
    }
    let figures = figures(&mut builder, &parts, &slopes, &moved, unclipped.iter().zip(&next))?;
    let set = |(source, node): &(NodeId, NodeId)| Root::Update { source: *source, node: *node };
    next.extend(memory.next.iter().map(set));
    if network.accumulates {
        next = accumulate::held(&mut builder, next)?;
    }
    let mut roots: Vec<Root> = roots[kinds.own].to_vec();
    roots.extend(watched.into_iter().chain(figures).chain(next));
    if let Some(sound) = sound {
        builder.set_origin(builder.graph().origin(sound).clone());
        skip::guarded(&mut builder, sound, &mut roots, &mut memory.states)?;
    }
    roots.extend(sums.next.iter().map(set));
    let mut graph = builder.finish();
    graph.roots = roots;
    let states = network.states.iter().cloned().chain(memory.states).chain(sums.states);
    Ok(StepGraph { states: with_nodes(states, &graph), graph })
}

/// The parameters that are moved, with the scalars of each.
fn moved<'a>(
    builder: &mut Builder,
    trained: &[&'a Learned],
    points: &[Option<NodeId>],
    scalars: &Scalars,
) -> Result<Vec<Moved<'a>>, Fault> {
    let mut moved = Vec::new();
    for (index, &learned) in trained.iter().enumerate() {
        let theta = builder.source(Primitive::Parameter, &learned.name, Type::f32(learned.shape.clone()))?;
        moved.push(Moved {
            learned,
            theta,
            point: points[index].unwrap_or(theta),
            rate_factor: scalars.factors[index],
            weight_decay: scalars.decays[index],
            shrinks: scalars.shrinks[index].clone(),
        });
    }
    Ok(moved)
}

/// Clips with the limits of this graph.
fn limited(clips: &[ClipUse], scalars: &Scalars) -> Vec<ClipUse> {
    clips.iter().zip(&scalars.limits).map(|(clip, &limit)| ClipUse { limit, ..clip.clone() }).collect()
}

/// Diagnosed values by which the total is derived too. A frozen layer may stand before something without a derivative.
fn with_slope(graph: &Graph, total: NodeId, parts: &[(Part, NodeId)], moved: &[Moved]) -> Vec<NodeId> {
    let is_trained = |part: &Part| moved.iter().any(|one| part.parameters.contains(&one.learned.name));
    let flows = diagnosis::flows(graph, total);
    let asked = parts.iter().filter(|(part, value)| is_trained(part) && flows[value.index()]);
    asked.map(|(_, value)| *value).collect()
}

/// What is diagnosed: figures of each part and of the parameters in it, by their gradients and updates.
fn figures<'a>(
    builder: &mut Builder,
    parts: &[(Part, NodeId)],
    slopes: &HashMap<NodeId, NodeId>,
    moved: &[Moved],
    steps: impl Iterator<Item = (&'a NodeId, &'a Root)> + Clone,
) -> Result<Vec<Root>, Fault> {
    let mut figures = Vec::new();
    for (number, (part, value)) in parts.iter().enumerate() {
        let own = moved.iter().zip(steps.clone()).filter(|(one, _)| part.parameters.contains(&one.learned.name));
        let own = own.map(|(one, (gradient, next))| Moving { theta: one.theta, gradient: *gradient, next: next.node() });
        let slope = slopes.get(value).copied();
        figures.extend(diagnosis::figures(builder, (number, part), *value, slope, &own.collect::<Vec<_>>())?);
    }
    Ok(figures)
}

/// States with their handles in this graph; those that the graph does not hold are left out.
fn with_nodes(states: impl Iterator<Item = State>, graph: &Graph) -> Vec<State> {
    let sources = graph.ids().filter(|id| graph.node(*id).primitive == Primitive::State);
    let by_name: HashMap<&str, NodeId> = sources.filter_map(|id| Some((graph.source_name(id)?, id))).collect();
    states.filter_map(|state| by_name.get(state.name.as_str()).map(|node| State { node: *node, ..state })).collect()
}

/// What [`derived`] finds.
struct Derived {
    /// By the parameters.
    gradients: Vec<NodeId>,
    watched: Vec<Root>,
    /// By the values that are diagnosed.
    slopes: HashMap<NodeId, NodeId>,
}

/// Gradients of the total at each parameter's point, what is watched, and gradients by what is diagnosed.
fn derived(
    builder: &mut Builder,
    total: NodeId,
    moved: &[Moved],
    watched: &[(&Probe, NodeId)],
    values: &[NodeId],
) -> Result<Derived, Fault> {
    let live = builder.graph().ancestors([total]);
    // A simplification may have found that the loss does not depend on a parameter after all: its gradient is 0.
    let is_reached = |node: &NodeId| live.get(node.index()).copied().unwrap_or(false);
    let derived = watched.iter().filter(|(probe, _)| probe.gradient).map(|(_, node)| *node);
    let asked: Vec<NodeId> =
        moved.iter().map(|one| one.point).chain(derived).chain(values.iter().copied()).filter(is_reached).collect();
    let found: HashMap<NodeId, NodeId> = asked.iter().copied().zip(gradients(builder, total, &asked)?).collect();
    let mut gradients = Vec::new();
    for one in moved {
        gradients.push(match found.get(&one.point) {
            Some(gradient) => *gradient,
            None => builder.constant_like(one.theta, 0.0)?,
        });
    }
    let shown = watched.iter().map(|(probe, node)| {
        let shown = if probe.gradient { found.get(node).copied() } else { Some(*node) };
        let node = shown.ok_or_else(|| probes::bypassed(probe))?;
        Ok(Root::Output { name: probes::output(&probe.name), node })
    });
    let watched = shown.collect::<Result<_, Fault>>()?;
    Ok(Derived { gradients, watched, slopes: found })
}

/// Clips in the order written; gives whether the step is sound, if a clip asks.
fn clip(builder: &mut Builder, gradients: &mut [NodeId], clips: &[ClipUse]) -> Result<Option<NodeId>, Fault> {
    let mut sound = None;
    for clip in clips {
        let (path, place) = (clip.clip.name.into(), clip.place.clone());
        builder.set_origin(Origin { path, place, rule: clip.clip.formula.into(), of: None });
        sound = skip::is_sound(builder, clip, gradients, sound)?;
        (clip.clip.apply)(builder, gradients, clip.limit)?;
    }
    builder.set_origin(Origin::default());
    Ok(sound)
}

/// The new value of one parameter.
fn update(
    builder: &mut Builder,
    optimizer: &OptimizerUse,
    call: &Call,
    one: &Moved,
    gradient: NodeId,
    memory: &mut Memory,
) -> Result<NodeId, Fault> {
    let origin = Origin {
        path: one.learned.name.clone(),
        place: one.learned.place.clone(),
        rule: optimizer.rule.name().into(),
        of: Some(one.theta),
    };
    let outer = builder.set_origin(origin);
    let rate = rate(builder, call, one.rate_factor)?;
    let own = one.weight_decay.map(|decay| match builder.graph().constant(decay) {
        Some(constant) => groups::with_decay(call, Argument::Number(constant)),
        None => groups::with_decay(call, Argument::Tensor(decay)),
    });
    let call = own.as_ref().unwrap_or(call);
    let step = builder.step();
    let mut theta = optimizer.rule.build(
        &mut Update {
            builder: &mut *builder,
            optimizer: optimizer.rule.name(),
            parameter: &one.learned.name,
            theta: one.theta,
            gradient,
            rate,
            step,
            decayed: one.learned.wanted.decayed,
            memory,
        },
        call,
    )?;
    for &strength in &one.shrinks {
        theta = penalties::shrink(builder, theta, rate, strength)?;
    }
    builder.set_origin(outer);
    Ok(theta)
}

/// η, times the layer's factor.
fn rate(builder: &mut Builder, call: &Call, factor: Option<NodeId>) -> Result<NodeId, Fault> {
    let rate = match call.get("rate") {
        Some(Argument::Tensor(node)) => *node,
        _ => builder.constant_f64(call.number("rate").unwrap_or(1.0)),
    };
    match factor {
        Some(factor) => Ok(builder.mul(rate, factor)?),
        None => Ok(rate),
    }
}

/// Loss and metrics of a network built for evaluation.
pub fn evaluation(network: &Network) -> Result<Graph, Fault> {
    let loss = loss(network)?;
    let mut roots = vec![Root::Output { name: "loss".into(), node: loss }];
    roots.extend(measured(network));
    Ok(with_roots(network, "evaluation", roots))
}

/// What a network built for evaluation serves.
pub fn prediction(network: &Network) -> Graph {
    let outputs = network.predicts.iter().map(|(name, node)| Root::Output { name: name.clone(), node: *node });
    with_roots(network, "prediction", outputs.collect())
}

fn with_roots(network: &Network, what: &str, roots: Vec<Root>) -> Graph {
    let mut graph = network.builder.graph().clone();
    graph.name = format!("{} {what}", network.name);
    graph.roots = roots;
    graph.pruned()
}

/// First values of the parameters, as updates: run once, at step 0. A parameter's random stream is its ordinal.
pub fn initial(network: &Network) -> Result<Graph, Fault> {
    let mut builder = Builder::new(format!("{} initial", network.name));
    let choices = choice::Choices::of(network);
    for (ordinal, learned) in network.learned().enumerate() {
        let choice = choices.choose(learned);
        let initializer = initializers::find(&choice.initializer.name)?;
        builder.set_origin(Origin {
            path: learned.name.clone(),
            place: learned.place.clone(),
            rule: initializer.name.into(),
            of: None,
        });
        let ty = Type::f32(learned.shape.clone());
        let source = builder.source(Primitive::Parameter, &learned.name, ty)?;
        let fill = Fill {
            shape: learned.shape.clone(),
            fan_in: learned.wanted.fan_in,
            fan_out: learned.wanted.fan_out,
            stream: ordinal as u32,
        };
        let value = (initializer.build)(&mut builder, &fill, &choice.initializer)?;
        builder.update(source, value)?;
    }
    Ok(builder.finish())
}
