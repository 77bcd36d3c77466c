//! Validation: a graph before and after a pass is evaluated in f64 on random inputs, and held to the exactness that the pass declared.

use crate::graph::{Attributes, Element, Graph, NodeId, Root};
use crate::ops::{Array, Environment, Primitive};
use crate::reference;
use crate::rules::Exactness;
use crate::splitmix::{self, Random};

/// Rows of the batch that graphs are evaluated with.
const BATCH: usize = 3;

/// Multiply-adds beyond which a graph is not evaluated.
const BUDGET: usize = 50_000_000;

/// What differences of rules that round elsewhere may add up to, relative to the largest element of a tensor.
const TOLERANCE: f64 = 1e-4;

/// Random values for every source of a graph: reals of either sign, states and settings above zero, classes in their range.
pub fn sample(graph: &Graph, batch: usize, seed: u64) -> Environment {
    let step = step_of(seed);
    let mut environment = Environment { batch, step, turn: step, steps: STEPS, epoch: step, seed, ..Environment::default() };
    for id in graph.ids() {
        let node = graph.node(id);
        let Attributes::Name(name) = &node.attributes else { continue };
        let mut random = Random(seed_of(name, seed));
        let positive = matches!(node.primitive, Primitive::State | Primitive::Setting);
        let count = node.ty.shape.count(batch);
        let data = (0..count).map(|_| element(&mut random, node.ty.element, positive)).collect();
        environment.sources.insert(name.clone(), Array::new(node.ty.shape.at(batch), data));
    }
    environment
}

/// The step at which the run ends, where graphs are evaluated.
pub const STEPS: f64 = 10.0;

/// The step at which graphs are evaluated.
pub fn step_of(seed: u64) -> u64 {
    1 + seed % 7
}

/// The seed of a source's values: they depend on its name alone, so that graphs with the same sources see the same values.
pub fn seed_of(name: &str, seed: u64) -> u64 {
    splitmix::hash(name, seed)
}

fn element(random: &mut Random, element: Element, positive: bool) -> f64 {
    match element {
        Element::F32 | Element::F64 => {
            let value = if positive { random.between(0.01, 1.0) } else { random.between(-1.5, 1.5) };
            f64::from(value as f32)
        }
        Element::Bool => random.below(2) as f64,
        Element::Class(count) => random.below(count as usize) as f64,
        Element::I32 | Element::U32 => random.below(5) as f64,
    }
}

/// Multiply-adds, or elements, that an evaluation costs; sources are drawn whether or not they are needed.
pub(crate) fn cost(graph: &Graph, batch: usize) -> usize {
    let live = graph.live();
    let one = |id: NodeId| {
        let node = graph.node(id);
        let out = node.ty.shape.count(batch);
        if let Attributes::Scan(scan) = &node.attributes {
            return cost(&scan.body, batch).saturating_mul(node.ty.shape.0[1].at(batch));
        }
        let Attributes::Contract(spec) = &node.attributes else { return out };
        let left = graph.shape(node.operands[0]).at(batch);
        let summed = spec.left.iter().zip(left).filter(|(label, _)| !spec.out.contains(label)).map(|(_, size)| size);
        summed.fold(out, usize::saturating_mul)
    };
    let drawn = |id: NodeId| matches!(graph.node(id).attributes, Attributes::Name(_));
    graph.ids().filter(|id| live[id.index()] || drawn(*id)).map(one).fold(0, usize::saturating_add)
}

/// Whether a graph is small enough to be evaluated.
pub fn is_affordable(graph: &Graph) -> bool {
    cost(graph, BATCH) <= BUDGET
}

/// Evaluates both graphs and compares all roots; an `Err` names the first that differs. Graphs beyond the budget pass.
pub fn compare(before: &Graph, after: &Graph, exactness: Exactness) -> Result<(), String> {
    if !is_affordable(before) || !is_affordable(after) {
        return Ok(());
    }
    for seed in 1..=2 {
        let environment = sample(before, BATCH, seed);
        let (old, new) = (reference::evaluate(before, &environment), reference::evaluate(after, &environment));
        for (own, other) in before.roots.iter().zip(&after.roots) {
            let name = match own {
                Root::Output { name, .. } => format!("output {name:?}"),
                Root::Update { source, .. } => format!("update of {:?}", before.source_name(*source).unwrap_or_default()),
            };
            match (&old[own.node().index()], &new[other.node().index()]) {
                (Some(old), Some(new)) => equal(old, new, exactness).map_err(|why| format!("{name}: {why}"))?,
                _ => return Err(format!("{name} has no value")),
            }
        }
    }
    Ok(())
}

/// Whether two tensors are as near as declared; the error names the first element that is not.
pub fn equal(before: &Array, after: &Array, exactness: Exactness) -> Result<(), String> {
    if before.dims != after.dims {
        return Err(format!("sizes {:?} became {:?}", before.dims, after.dims));
    }
    let scale = before.data.iter().filter(|value| value.is_finite()).fold(1.0f64, |scale, value| scale.max(value.abs()));
    for (place, (&old, &new)) in before.data.iter().zip(&after.data).enumerate() {
        let same = match exactness {
            Exactness::BitExact => old.to_bits() == new.to_bits() || old.is_nan() && new.is_nan(),
            _ if !(old.is_finite() && new.is_finite()) => true,
            Exactness::Approximates { ulp: 0 } => old == new,
            Exactness::Approximates { .. } | Exactness::Reassociates => (old - new).abs() <= TOLERANCE * scale,
        };
        if !same {
            return Err(format!("element {place} was {old} and became {new}, which is not `{exactness}`"));
        }
    }
    Ok(())
}
