//! The reference with the roundings of f32 thrown in, at random or to the nearest: how far it strays is how far a right result may lie
//! from the exact one, near a kink or a cancellation as well as elsewhere. To the nearest, because no two values tie at random.

use crate::graph::{Attributes, Element, Graph};
use crate::ops::{self, Array, Environment, Evaluation, Exactness};
use crate::splitmix::Random;

/// A unit in the last place of 1, in f32. Half of it is what a rounding may come to, but might be rounded away again here.
const UNIT: f64 = 1.0 / (1u64 << 23) as f64;

/// Values of the nodes that roots need, rounded to f32: to the nearest, or with an error of the size that each primitive is allowed.
pub fn evaluate(graph: &Graph, environment: &Environment, mut numbers: Option<&mut Random>) -> Vec<Option<Array>> {
    let live = graph.live();
    let mut values: Vec<Option<Array>> = Vec::with_capacity(graph.nodes.len());
    for id in graph.ids() {
        let node = graph.node(id);
        let operands: Option<Vec<&Array>> = node.operands.iter().map(|operand| values[operand.index()].as_ref()).collect();
        let (Some(operands), true) = (operands, live[id.index()]) else {
            values.push(None);
            continue;
        };
        let record = ops::record(node.primitive);
        let dims = node.ty.shape.at(environment.batch);
        let value = |operands: &[&Array]| {
            (record.value)(&Evaluation {
                operands,
                attributes: &node.attributes,
                element: node.ty.element,
                dims: &dims,
                environment,
            })
        };
        if let Attributes::Scan(scan) = &node.attributes {
            // Its steps round.
            let evaluation = Evaluation {
                operands: &operands,
                attributes: &node.attributes,
                element: node.ty.element,
                dims: &dims,
                environment,
            };
            values.push(Some(ops::scanned(scan, &evaluation, &mut |body, own| evaluate(body, own, numbers.as_deref_mut()))));
            continue;
        }
        let mut result = value(&operands);
        if node.ty.element == Element::F32 {
            // A sum is as wrong as its terms are large.
            let sizes = (record.exactness == Exactness::Accumulates).then(|| {
                let magnitudes: Vec<Array> = operands
                    .iter()
                    .zip(&node.operands)
                    .map(|(array, operand)| match graph.ty(*operand).element {
                        Element::F32 => Array::new(array.dims.clone(), array.data.iter().map(|x| x.abs()).collect()),
                        _ => (*array).clone(),
                    })
                    .collect();
                value(&magnitudes.iter().collect::<Vec<_>>()).data
            });
            let units = match record.exactness {
                Exactness::Exact => 1.0,
                Exactness::Ulp(units) => 2.0 * f64::from(units) + 1.0,
                // Terms that are all alike are all rounded the same way.
                Exactness::Accumulates => 8.0 + operands[0].data.len() as f64 / result.data.len() as f64 / 16.0,
            };
            for (at, value) in result.data.iter_mut().enumerate() {
                let size = sizes.as_ref().map_or(value.abs(), |sizes| sizes[at]);
                // Sums of whole numbers (counts, masks) need no rounding, other sums may on the way, whatever they come to.
                let whole = |number: f64| number.fract() == 0.0 && number.abs() < f64::from(1 << 24);
                let rounds = match sizes {
                    Some(_) => !whole(*value) || !whole(size),
                    None => f64::from(*value as f32) != *value,
                };
                if rounds && let Some(numbers) = numbers.as_deref_mut() {
                    let sign = if numbers.below(2) == 0 { 1.0 } else { -1.0 };
                    *value += sign * units * UNIT * size;
                }
                *value = f64::from(*value as f32);
            }
        }
        values.push(Some(result));
    }
    values
}
