//! Movement and conversion: what moves twice moves once, what does not move is left out, and products read through transposes.

use super::Exactness::{Approximates, BitExact};
use super::{Bindings, Condition, Rule, rule};
use crate::graph::{Attributes, Builder, Dim, Element, Graph, NodeId};
use crate::ops::Primitive;

const SAME_TYPE: Condition = Condition::Check {
    doc: "x has the result's type",
    holds: |graph, bindings| bindings.node("x").is_some_and(|x| graph.ty(x) == graph.ty(bindings.root)),
};

const ONE_ELEMENT: Condition = Condition::Check { doc: "the axes have one element", holds: axes_of_one };

pub(super) const RULES: &[Rule] = &[
    rule("cast-same", "cast(x)", "x", BitExact, "Already of that element.").when(SAME_TYPE),
    rule("cast-back", "cast(cast(x))", "x", BitExact, "There and back through an element that holds every value.")
        .when(Condition::Check { doc: "nothing is lost on the way", holds: cast_back }),
    rule("cast-repeated", "cast(broadcast{a}(x))", "broadcast{a}(cast(x))", BitExact, "Converted once, then repeated.")
        .by(cast_repeated),
    rule("reshape-same", "reshape(x)", "x", BitExact, "Already of that shape.").when(SAME_TYPE),
    rule("reshape-reshape", "reshape(reshape(x))", "reshape(x)", BitExact, "Only the last shape counts."),
    rule("transpose-same", "transpose{p}(x)", "x", BitExact, "The axes stay where they are.")
        .when(Condition::Check { doc: "the permutation is the identity", holds: identity }),
    rule("transpose-transpose", "transpose{p}(transpose{q}(x))", "transpose{q p}(x)", BitExact, "One permutation.")
        .by(transpose_transpose),
    rule("broadcast-same", "broadcast{a}(x)", "x", BitExact, "Nothing is repeated.").when(SAME_TYPE),
    rule("broadcast-broadcast", "broadcast{a}(broadcast{b}(x))", "broadcast{a b}(x)", BitExact, "Repeated once.")
        .by(broadcast_broadcast),
    rule("transpose-broadcast", "transpose{p}(broadcast{a}(x))", "broadcast{p a}(x)", BitExact, "Repeated in the other order.")
        .by(transpose_broadcast),
    rule("sum-of-one", "sum{a}(x)", "reshape(x)", Approximates { ulp: 0 }, "The sum of one term; 0 + -0 is +0.")
        .when(ONE_ELEMENT),
    rule("max-of-one", "reduce_max{a}(x)", "reshape(x)", BitExact, "The largest of one.").when(ONE_ELEMENT),
    rule("min-of-one", "reduce_min{a}(x)", "reshape(x)", BitExact, "The smallest of one.").when(ONE_ELEMENT),
    rule("slice-all", "slice{r}(x)", "x", BitExact, "The whole axis.").when(SAME_TYPE),
    rule("pad-nothing", "pad{r}(x)", "x", BitExact, "No zeros are added.").when(SAME_TYPE),
    rule("slice-pad", "slice{r}(pad{q}(x))", "slice(x)", BitExact, "The zeros are cut off again.").by(slice_pad),
    rule(
        "add-pads",
        "add(pad{r}(x), pad{q}(y))",
        "pad(concat(x, y))",
        Approximates { ulp: 0 },
        "Neighbours are laid side by side; 0 + -0 is +0.",
    )
    .by(add_pads),
    rule(
        "contract-transpose-left",
        "contract{s}(transpose{p}(x), y)",
        "contract(x, y)",
        BitExact,
        "A product reads any strides.",
    )
    .by(|builder, bindings| contract_transposed(builder, bindings, true)),
    rule(
        "contract-transpose-right",
        "contract{s}(x, transpose{p}(y))",
        "contract(x, y)",
        BitExact,
        "A product reads any strides.",
    )
    .by(|builder, bindings| contract_transposed(builder, bindings, false)),
    rule("transpose-contract", "transpose{p}(contract{s}(x, y))", "contract(x, y)", BitExact, "A product writes any order.")
        .by(transpose_contract)
        .private(),
];

fn axes_of_one(graph: &Graph, bindings: &Bindings) -> bool {
    let (Some(x), Some(axes)) = (bindings.node("x"), bindings.axes("a")) else { return false };
    axes.iter().all(|&axis| graph.shape(x).0[axis] == Dim::Fixed(1))
}

fn identity(_: &Graph, bindings: &Bindings) -> bool {
    bindings.axes("p").is_some_and(|order| order.iter().enumerate().all(|(axis, &from)| axis == from))
}

fn cast_back(graph: &Graph, bindings: &Bindings) -> bool {
    let (Some(x), Some(&between)) = (bindings.node("x"), bindings.inner.get(1)) else { return false };
    let (from, through, to) = (graph.ty(x).element, graph.ty(between).element, graph.ty(bindings.root).element);
    let holds = match (from, through) {
        (Element::Bool, _) => true,
        (_, Element::F64) => true,
        // Beyond 2^24 an f32 skips integers; classes stay below.
        (Element::Class(count), Element::F32) => count <= 1 << 24,
        (Element::Class(_), Element::I32 | Element::U32) => true,
        _ => false,
    };
    from == to && holds
}

fn cast_repeated(builder: &mut Builder, bindings: &Bindings) -> Option<NodeId> {
    let ty = builder.ty(bindings.root).clone();
    let cast = builder.cast(bindings.node("x")?, ty.element).ok()?;
    builder.broadcast(cast, &ty.shape, bindings.axes("a")?).ok()
}

fn transpose_transpose(builder: &mut Builder, bindings: &Bindings) -> Option<NodeId> {
    let (outer, inner) = (bindings.axes("p")?, bindings.axes("q")?);
    let order: Vec<usize> = outer.iter().map(|&axis| inner[axis]).collect();
    builder.transpose(bindings.node("x")?, &order).ok()
}

fn broadcast_broadcast(builder: &mut Builder, bindings: &Bindings) -> Option<NodeId> {
    let (outer, inner) = (bindings.axes("a")?, bindings.axes("b")?);
    let axes: Vec<usize> = inner.iter().map(|&axis| outer[axis]).collect();
    let shape = builder.shape(bindings.root);
    builder.broadcast(bindings.node("x")?, &shape, &axes).ok()
}

fn transpose_broadcast(builder: &mut Builder, bindings: &Bindings) -> Option<NodeId> {
    let (order, kept) = (bindings.axes("p")?, bindings.axes("a")?);
    let axes: Option<Vec<usize>> = kept.iter().map(|axis| order.iter().position(|from| from == axis)).collect();
    let axes = axes?;
    if axes.windows(2).any(|pair| pair[0] > pair[1]) {
        return None;
    }
    let shape = builder.shape(bindings.root);
    builder.broadcast(bindings.node("x")?, &shape, &axes).ok()
}

fn slice_pad(builder: &mut Builder, bindings: &Bindings) -> Option<NodeId> {
    let (Attributes::Slice { axis, from, to }, Attributes::Pad { axis: padded, before, .. }) =
        (bindings.attributes("r")?, bindings.attributes("q")?)
    else {
        return None;
    };
    let x = bindings.node("x")?;
    let size = builder.shape(x).0[*padded].at(0);
    if axis != padded || from < before || *to > before + size {
        return None;
    }
    if (from - before, to - before) == (0, size) {
        return Some(x);
    }
    builder.slice(x, *axis, from - before, to - before).ok()
}

/// Of two paddings of one axis the one begins where the other ends: slices of a tensor, on their way back.
fn add_pads(builder: &mut Builder, bindings: &Bindings) -> Option<NodeId> {
    let (Attributes::Pad { axis, before, after }, Attributes::Pad { axis: other, before: begin, after: rest }) =
        (bindings.attributes("r")?, bindings.attributes("q")?)
    else {
        return None;
    };
    let (x, y) = (bindings.node("x")?, bindings.node("y")?);
    let size = |node: NodeId| builder.shape(node).0[*axis].at(0);
    let (first, second, before, after) = match axis == other {
        true if before + size(x) == *begin => (x, y, *before, *rest),
        true if begin + size(y) == *before => (y, x, *begin, *after),
        _ => return None,
    };
    // Joined tensors are joined further.
    let parts = |node: NodeId| match builder.graph().node(node) {
        joined if joined.primitive == Primitive::Concat && joined.attributes == Attributes::Axis(*axis) => {
            joined.operands.clone()
        }
        _ => vec![node],
    };
    let joined = [parts(first), parts(second)].concat();
    let joined = builder.concat(&joined, *axis).ok()?;
    if (before, after) == (0, 0) {
        return Some(joined);
    }
    builder.pad(joined, *axis, before, after).ok()
}

fn contract_transposed(builder: &mut Builder, bindings: &Bindings, left: bool) -> Option<NodeId> {
    let Attributes::Contract(spec) = bindings.attributes("s")? else { return None };
    let order = bindings.axes("p")?;
    let labels = if left { &spec.left } else { &spec.right };
    // Axis d of the transposed operand is axis order[d] of x.
    let mut own = vec![0; labels.len()];
    for (axis, &from) in order.iter().enumerate() {
        own[from] = labels[axis];
    }
    let (mut changed, before) = (spec.clone(), spec.parts().summed);
    if left {
        changed.left = own;
    } else {
        changed.right = own;
    }
    if changed.parts().summed != before {
        return None;
    }
    let operands = [bindings.node("x")?, bindings.node("y")?];
    builder.apply(Primitive::Contract, &operands, Attributes::Contract(changed), None).ok()
}

fn transpose_contract(builder: &mut Builder, bindings: &Bindings) -> Option<NodeId> {
    let Attributes::Contract(spec) = bindings.attributes("s")? else { return None };
    let mut changed = spec.clone();
    changed.out = bindings.axes("p")?.iter().map(|&axis| spec.out[axis]).collect();
    let operands = [bindings.node("x")?, bindings.node("y")?];
    builder.apply(Primitive::Contract, &operands, Attributes::Contract(changed), None).ok()
}
