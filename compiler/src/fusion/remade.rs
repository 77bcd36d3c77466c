//! Values that kernels hand on and had better compute again: cheap formulas of one value that is handed on anyway, or that several of them
//! share. The backward pass of gelu reads x², x/2, 1 + t and 1 - t²: x and t are enough.

use super::access::{REMADE_COST, in_memory};
use super::plan::{SERIAL_ELEMENTS, elements};
use super::{Fusion, cost, is_step_scalar};
use crate::graph::{Graph, NodeId};
use crate::ops::{self, Lowering};
use std::collections::{BTreeMap, BTreeSet};

/// Most block instructions of a formula that takes the place of a tensor of more than [`LARGE`] elements, which the caches next to the cores do
/// not hold: to write it and to read it again takes as long as a dozen instructions.
const LARGE_COST: usize = 8;
const LARGE: usize = 256 * 1024;

/// A value of so many times fewer elements than what is made of it, such as a mean, is read for nothing.
const NARROW: usize = 16;

/// Nodes that are cheaper to compute where they are read than to store.
pub(super) fn remade(graph: &Graph, live: &[bool], fusion: &Fusion) -> BTreeSet<NodeId> {
    let in_memory = in_memory(graph, live);
    let crossing: BTreeSet<NodeId> = fusion.crossing(graph).into_iter().collect();
    let is_formula = |id: NodeId| matches!(ops::record(graph.node(id).primitive).lowering, Lowering::Pointwise(_));
    let bases: BTreeMap<NodeId, Vec<NodeId>> = crossing
        .iter()
        .filter(|&&id| is_formula(id) && !in_memory[id.index()])
        .filter(|&&id| elements(&graph.shape(id).0) >= SERIAL_ELEMENTS)
        .map(|&id| (id, bases(graph, fusion, id)))
        .collect();
    let mut shared: BTreeMap<NodeId, usize> = BTreeMap::new();
    for base in bases.values().flatten() {
        *shared.entry(*base).or_default() += 1;
    }
    let pays = |base: &&NodeId| crossing.contains(base) || shared[*base] > 1;
    let mut remade = BTreeSet::new();
    for (id, bases) in &bases {
        let Some(&base) = bases.iter().find(pays) else { continue };
        // With it all that lies between.
        let shape = graph.shape(*id);
        let mut between = vec![*id];
        while let Some(id) = between.pop() {
            let is_computed = !fusion.inlined[id.index()] && !in_memory[id.index()];
            if id > base && is_computed && graph.shape(id) == shape && remade.insert(id) {
                between.extend(&graph.node(id).operands);
            }
        }
    }
    remade
}

/// The values of the same shape that a node is a cheap formula of, each of them alone.
fn bases(graph: &Graph, fusion: &Fusion, id: NodeId) -> Vec<NodeId> {
    let size = elements(&graph.shape(id).0);
    let most = if size > LARGE { LARGE_COST } else { REMADE_COST };
    let mut found: Vec<NodeId> = Vec::new();
    let mut level = vec![id];
    for _ in 0..most {
        level = level.iter().flat_map(|&id| graph.node(id).operands.iter().copied()).collect();
        level.sort_unstable();
        level.dedup();
        level.retain(|&below| !fusion.inlined[below.index()] && graph.shape(below) == graph.shape(id));
        found.extend(&level);
    }
    found.sort_unstable();
    found.dedup();
    found.retain(|&base| formula_cost(graph, fusion, id, base, (size, most)).is_some());
    found
}

/// Block instructions from a value to a formula of it, of sources and of narrow values; `None` if it is of anything else or of more than `most`.
fn formula_cost(graph: &Graph, fusion: &Fusion, id: NodeId, base: NodeId, (size, most): (usize, usize)) -> Option<usize> {
    let record = ops::record(graph.node(id).primitive);
    let is_narrow = || elements(&graph.shape(id).0).saturating_mul(NARROW) <= size;
    match record.lowering {
        _ if id == base => Some(0),
        _ if size > LARGE && !fusion.inlined[id.index()] && !is_step_scalar(graph, id) && is_narrow() => Some(0),
        _ if is_step_scalar(graph, id) || id < base && !fusion.inlined[id.index()] => None,
        Lowering::Source | Lowering::Coordinate => Some(0),
        Lowering::View | Lowering::Pointwise(_) => {
            let below = graph.node(id).operands.iter().map(|&operand| formula_cost(graph, fusion, operand, base, (size, most)));
            let below: usize = below.sum::<Option<usize>>()?;
            Some(below + cost(graph, id)).filter(|cost| *cost <= most)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fusion::{Options, fuse, legalize::legalize};
    use crate::graph::{Builder, Shape, Type};
    use crate::ops::Primitive;

    /// Two formulas of a tanh are read behind a product: the tanh is handed on in their place, and with it the value that it is of.
    #[test]
    fn formulas_of_one_value_are_made_again() {
        let mut b = Builder::new("t");
        let source = |b: &mut Builder, primitive, name: &str, shape: Shape| b.source(primitive, name, Type::f32(shape)).unwrap();
        let input = source(&mut b, Primitive::Input, "a", Shape::batch(&[64]));
        let w = source(&mut b, Primitive::Parameter, "w", Shape::fixed(&[64, 128]));
        let v = source(&mut b, Primitive::Parameter, "v", Shape::fixed(&[128, 64]));
        let x = b.contract(input, w, "n k, k j -> n j").unwrap();
        let t = b.unary(Primitive::Tanh, x).unwrap();
        let one = b.constant_like(t, 1.0).unwrap();
        let more = b.add(t, one).unwrap();
        let square = b.mul(t, t).unwrap();
        let slope = b.sub(one, square).unwrap();
        let y = b.mul(x, more).unwrap();
        let z = b.contract(y, v, "n k, k j -> n j").unwrap();
        let g = b.contract(z, v, "n j, k j -> n k").unwrap();
        let (first, second) = (b.mul(g, slope).unwrap(), b.mul(g, more).unwrap());
        let result = b.add(first, second).unwrap();
        b.output("result", result);
        let graph = legalize(&b.finish()).unwrap();
        let crossing = |fuse_nodes| {
            let fusion = fuse(&graph, &Options { fuse: fuse_nodes }).unwrap();
            let mut found: Vec<_> = fusion.crossing(&graph).iter().map(|&id| graph.node(id).primitive).collect();
            found.sort_by_key(|primitive| ops::record(*primitive).name);
            found.dedup();
            found
        };
        assert_eq!(crossing(true), [Primitive::Contract, Primitive::Mul, Primitive::Tanh]);
        assert!(crossing(false).contains(&Primitive::Sub));
    }
}
