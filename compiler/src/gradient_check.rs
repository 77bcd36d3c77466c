//! The derived gradient held against finite differences, in f64 and on random data of the declared types.
//!
//! For each parameter the slope of the loss along one random direction through all of its elements, and along some elements alone, is
//! compared with what the gradient says of it. The reference interpreter computes both, so what is tested is the calculus, not the
//! machine code. Central differences with a step of 1e-6 are right to about 1e-9 in f64; where the loss has a kink between the two points, a smaller step is
//! tried. What stands behind `stop_gradient` keeps the value that it has at the point: the calculus is told to take it for a constant.

use crate::autodiff::gradients;
use crate::graph::{Attributes, Builder, Element, Graph, NodeId, Root, Type};
use crate::nn::network::shape_text;
use crate::nn::parameters::Learned;
use crate::nn::{Fault, Network};
use crate::not_finite::{Cause, cause};
use crate::ops::{Array, Environment, Primitive};
use crate::passes::validate::cost;
use crate::splitmix::Random;
use crate::{reference, step};

/// What was found of one parameter.
#[derive(Clone, Debug, PartialEq)]
pub struct Compared {
    /// Name in parameter files.
    pub name: String,
    /// `[64, 128]`
    pub shape: String,
    /// Largest difference between gradient and finite difference, as a share of the larger of the two.
    pub difference: f64,
}

impl Compared {
    /// Whether gradient and finite difference agree.
    pub fn is_right(&self) -> bool {
        // NaN is not right.
        self.difference <= TOLERANCE
    }
}

/// Rows of random data.
pub const ROWS: usize = 3;
/// Largest share by which a right gradient may differ: kinks and cancellation leave much less.
const TOLERANCE: f64 = 1e-4;
/// Slopes below this share of the loss are compared with it instead of with one another: their digits are those of rounding.
const FLOOR: f64 = 1e-5;
/// Elements of a parameter that are moved alone.
const ELEMENTS: usize = 6;
/// Inputs lie between this and its negative.
const WIDEST: f64 = 1.5;
/// Distances from the point to both sides.
const STEPS: [f64; 3] = [1e-6, 1e-7, 1e-5];

/// Multiply-adds beyond which a network is not checked: some ten minutes of the f64 interpreter.
const BUDGET: usize = 20_000_000_000;

/// Whether a network built for training is small enough to be checked.
///
/// # Errors
/// What is wrong with the network's loss.
pub fn is_affordable(network: &Network) -> Result<bool, Fault> {
    let forward = step::forward(network)?;
    let evaluations = network.learned().count().saturating_mul(2 * STEPS.len() * (1 + ELEMENTS));
    Ok(cost(&forward.graph, ROWS).saturating_mul(evaluations) <= BUDGET)
}

/// A network at a random place, where its gradients are looked at.
struct Point<'a> {
    trained: Vec<&'a Learned>,
    environment: Environment,
    /// Gives out the loss.
    loss: Graph,
    /// Gives out the gradient of each trained parameter under its name.
    gradients: Graph,
    /// All nodes of both; its roots are the loss and the gradients.
    whole: Graph,
}

impl<'a> Point<'a> {
    fn of(network: &'a Network, seed: u64) -> Result<Point<'a>, Fault> {
        let forward = step::forward(network)?;
        let total = forward.graph.roots[0].node();
        let mut environment = environment(network, seed)?;
        let mut builder = Builder::continue_from(Graph { roots: Vec::new(), ..forward.graph });
        let trained: Vec<&Learned> = network.learned().filter(|learned| !learned.wanted.frozen).collect();
        let sources: Vec<NodeId> = trained
            .iter()
            .map(|learned| builder.source(Primitive::Parameter, &learned.name, Type::f32(learned.shape.clone())))
            .collect::<Result<_, _>>()?;
        let loss = rooted(builder.graph(), vec![("loss".to_owned(), total)]);
        if !reference::run(&loss, &environment).0["loss"].data[0].is_finite() {
            shares(network, &mut environment);
        }
        let slopes = gradients(&mut builder, total, &sources)?;
        let names = trained.iter().map(|learned| learned.name.clone());
        let gradients = rooted(builder.graph(), names.zip(slopes.iter().copied()).collect());
        let roots = std::iter::once(total).chain(slopes).map(|node| Root::Output { name: String::new(), node }).collect();
        let whole = Graph { roots, ..builder.finish() };
        Ok(Point { trained, environment, loss, gradients, whole })
    }
}

/// Compares the gradient of every trained parameter of a network built for training.
///
/// # Errors
/// What is wrong with the network's loss.
pub fn compare(network: &Network, seed: u64) -> Result<Vec<Compared>, Fault> {
    let Point { trained, mut environment, loss, gradients, .. } = Point::of(network, seed)?;
    let (gradient, _) = reference::run(&gradients, &environment);
    let loss = held(loss, &mut environment);
    let mut random = Random(seed);
    let mut all = Vec::new();
    for learned in trained {
        let gradient = &gradient[&learned.name];
        let mut difference: f64 = 0.0;
        for direction in directions(gradient.data.len(), &mut random) {
            let said: f64 = direction.iter().map(|(index, weight)| gradient.data[*index] * weight).sum();
            let found = measured(&loss, &mut environment, &learned.name, &direction, said);
            // `max` would lose a NaN.
            difference = if found <= difference { difference } else { found };
        }
        all.push(Compared { name: learned.name.clone(), shape: shape_text(&learned.shape), difference });
    }
    Ok(all)
}

/// Where the loss or a gradient that [`compare`] looks at becomes NaN or infinite, if one does.
///
/// # Errors
/// What is wrong with the network's loss.
pub fn not_finite(network: &Network, seed: u64) -> Result<Option<Cause>, Fault> {
    let Point { environment, whole, .. } = Point::of(network, seed)?;
    Ok(cause(&whole, &reference::evaluate(&whole, &environment)))
}

/// The inputs brought between 0 and 1: a loss that takes them for probabilities is defined nowhere else.
fn shares(network: &Network, environment: &mut Environment) {
    for input in network.inputs.iter().filter(|input| input.ty.element == Element::F32) {
        if let Some(values) = environment.sources.get_mut(&input.name) {
            values.data.iter_mut().for_each(|value| *value = 0.5 + 0.4 * *value / WIDEST);
        }
    }
}

/// One direction through all elements, then some elements alone.
pub(crate) fn directions(count: usize, random: &mut Random) -> Vec<Vec<(usize, f64)>> {
    let scale = 1.0 / (count.max(1) as f64).sqrt();
    let all = (0..count).map(|index| (index, scale * if random.bits() & 1 == 0 { 1.0 } else { -1.0 })).collect();
    let alone = (0..count.min(ELEMENTS)).map(|_| vec![(random.below(count), 1.0)]);
    std::iter::once(all).chain(alone).collect()
}

/// How far the slope along a direction is from what the gradient says, at the best of the steps.
pub(crate) fn measured(loss: &Graph, environment: &mut Environment, name: &str, direction: &[(usize, f64)], said: f64) -> f64 {
    let Some(begin) = environment.sources.get(name).cloned() else { return f64::NAN };
    let mut best = f64::NAN;
    for step in STEPS {
        let mut at = |side: f64| {
            let mut moved = begin.clone();
            direction.iter().for_each(|(index, weight)| moved.data[*index] += side * step * weight);
            environment.sources.insert(name.to_owned(), moved);
            reference::run(loss, environment).0["loss"].data[0]
        };
        let (above, below) = (at(1.0), at(-1.0));
        let slope = (above - below) / (2.0 * step);
        let scale = slope.abs().max(said.abs()).max(FLOOR * (1.0 + above.abs()));
        let difference = (slope - said).abs() / scale;
        best = if best <= difference { best } else { difference };
        if best <= TOLERANCE / 100.0 {
            break;
        }
    }
    environment.sources.insert(name.to_owned(), begin);
    best
}

/// The loss whose values behind `stop_gradient` are those of this place, wherever its parameters are moved to.
fn held(mut loss: Graph, environment: &mut Environment) -> Graph {
    let values = reference::evaluate(&loss, environment);
    for (index, (node, value)) in loss.nodes.iter_mut().zip(values).enumerate() {
        let (Primitive::StopGradient, Some(value)) = (node.primitive, value) else { continue };
        // No name of the language has a space.
        let name = format!("held {index}");
        environment.sources.insert(name.clone(), value);
        (node.primitive, node.attributes, node.operands) = (Primitive::Input, Attributes::Name(name), Vec::new());
    }
    loss.pruned()
}

/// A graph with these outputs alone.
pub(crate) fn rooted(graph: &Graph, outputs: Vec<(String, NodeId)>) -> Graph {
    let roots = outputs.into_iter().map(|(name, node)| Root::Output { name, node }).collect();
    Graph { roots, ..graph.clone() }.pruned()
}

/// Random rows, the first values of the parameters a little off their places, settings and states as they begin.
pub(crate) fn environment(network: &Network, seed: u64) -> Result<Environment, Fault> {
    let mut environment = Environment { batch: ROWS, step: 1, turn: 1, seed, ..Environment::default() };
    let beginning = Environment { seed, ..Environment::default() };
    let (_, parameters) = reference::run(&step::initial(network)?, &beginning);
    let mut random = Random(seed ^ 0x6765_7261);
    for (name, mut values) in parameters {
        // Zeros and ones hide mistakes, and biases of 0 put units on kinks.
        values.data.iter_mut().for_each(|value| *value += random.between(-0.05, 0.05));
        environment.sources.insert(name, values);
    }
    for setting in &network.settings {
        environment.sources.insert(setting.name.clone(), Array::scalar(setting.value));
    }
    for state in &network.states {
        environment.sources.insert(state.name.clone(), Array::filled(state.ty.shape.at(0), state.initial));
    }
    for (source, is_target) in network.inputs.iter().map(|one| (one, false)).chain(network.targets.iter().map(|one| (one, true)))
    {
        let dims = source.ty.shape.at(ROWS);
        let mut value = || match source.ty.element {
            Element::Class(count) => random.below(count as usize) as f64,
            Element::Bool => random.below(2) as f64,
            Element::I32 | Element::U32 => 1.0 + random.below(2) as f64,
            // A share is a target of every loss.
            _ if is_target => random.between(0.1, 0.9),
            _ => random.between(-WIDEST, WIDEST),
        };
        let data = (0..dims.iter().product()).map(|_| value()).collect();
        environment.sources.insert(source.name.clone(), Array::new(dims, data));
    }
    Ok(environment)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::place::Source;
    use crate::language::declaration::Declaration;

    fn compared(text: &str) -> Vec<Compared> {
        let declaration = Declaration::parse(Source::new("test.net", text)).expect("a text");
        compare(&declaration.elaborate().expect("a network").training, 7).expect("a step")
    }

    #[test]
    fn the_gradients_of_every_case_are_right() {
        for (path, text) in crate::language::blessed::texts("") {
            for one in compared(&text) {
                assert!(one.is_right(), "{}: {one:?}", path.display());
            }
        }
    }

    #[test]
    fn inputs_that_a_loss_takes_for_probabilities_are_some() {
        let text = "Net { input p: [batch, 4]; target y: [batch, 4]; target c: class(4); parameter w: [4] = ones; let q = p * w; \
                    minimize q.binary_cross_entropy(y, from = probabilities) + q.cross_entropy(c, from = probabilities); using sgd(0.1); }";
        for one in compared(text) {
            assert!(one.is_right(), "{one:?}");
        }
    }

    #[test]
    fn what_is_behind_stop_gradient_is_a_constant() {
        let straight = "let h = x.dense(4); let q = h + stop_gradient(h.sign() - h); let p = q.dense(1)";
        let reversed = "let h = x.dense(4).tanh(); let p = (2 * stop_gradient(h) - h).dense(1)";
        for body in [straight, reversed] {
            let all = compared(&format!(
                "Net {{ input x: [batch, 3]; target y: [batch, 1]; {body}; minimize p.mean_squared_error(y); using sgd(0.1); }}"
            ));
            assert_eq!(all.len(), 4);
            assert!(all.iter().all(Compared::is_right), "{all:?}");
        }
    }

    #[test]
    fn gradients_that_are_no_numbers_have_a_cause_with_a_place() {
        let cause = |text: &str| {
            let declaration = Declaration::parse(Source::new("test.net", text)).expect("a text");
            not_finite(&declaration.elaborate().expect("a network").training, 7).expect("a step")
        };
        let text = |loss: &str| {
            format!("Net {{ input x: [batch, 16]; target c: class(4); let p = x.dense(4);\nminimize {loss}; using sgd(0.1); }}")
        };
        let found = cause(&text("p.cross_entropy(c, from = probabilities)")).expect("a cause");
        assert!(found.node.starts_with("`minimize.cross_entropy`: log "), "{}", found.node);
        assert_eq!(found.place.as_deref(), Some("test.net:2:12"));
        assert!(found.why.is_some_and(|why| why.starts_with("log of -") && why.ends_with(" is NaN")));
        // The loss is a number, its slope at 0 is not.
        let found = cause(&text("(p - p).sum().sqrt() + p.cross_entropy(c)"));
        assert_eq!(found.and_then(|found| found.why).as_deref(), Some("div of 1 and 0 is inf"));
        assert_eq!(cause(&text("p.cross_entropy(c)")), None);
    }

    #[test]
    fn a_wrong_slope_is_found() {
        let text = "Net { input x: [batch, 4]; target y: [batch, 2]; let p = x.dense(2); minimize p.mean_squared_error(y); using sgd(0.1); }";
        let declaration = Declaration::parse(Source::new("test.net", text)).expect("a text");
        let network = declaration.elaborate().expect("a network").training;
        let forward = step::forward(&network).expect("a loss");
        let mut environment = environment(&network, 7).expect("values");
        let loss = rooted(&forward.graph, vec![("loss".to_owned(), forward.graph.roots[0].node())]);
        let difference = measured(&loss, &mut environment, "p.dense.weight", &[(0, 1.0)], 17.0);
        assert!(difference > 0.5, "{difference}");
    }
}
