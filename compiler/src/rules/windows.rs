//! Windows: the gradient of a convolution is a convolution, and what is cut off is not computed.

use super::Exactness::{BitExact, Reassociates};
use super::{Bindings, Rule, rule};
use crate::graph::{Attributes, Builder, Dim, NodeId, Shape, Window};
use crate::ops::Primitive;

pub(super) const RULES: &[Rule] = &[
    rule(
        "unwindow-contract",
        "unwindow{w}(contract{s}(x, y))",
        "contract(window(pad(x)), y)",
        Reassociates,
        "Each element gathers what reaches it, instead of windows that are stored and then added up.",
    )
    .by(gathered)
    .private(),
    rule("slice-window", "slice{r}(window{w}(x))", "window(x)", BitExact, "Fewer places, or fewer steps.").by(slice_window),
    rule("slice-contract", "slice{r}(contract{s}(x, y))", "contract(slice(x), y)", BitExact, "What is cut off is not computed.")
        .by(slice_contract)
        .private(),
];

/// `Σ x[p] y[q]` over all places `p` and steps `q` that lie on element `e` is `Σ x[e - q]` over the steps, where `x` stands between zeros.
fn gathered(builder: &mut Builder, bindings: &Bindings) -> Option<NodeId> {
    let (Attributes::Window(window), Attributes::Contract(spec)) = (bindings.attributes("w")?.clone(), bindings.attributes("s")?)
    else {
        return None;
    };
    let (place, step) = (*spec.out.get(window.axis)?, *spec.out.get(window.axis + 1)?);
    let (x, y) = (bindings.node("x")?, bindings.node("y")?);
    let only = |own: &[u8], other: &[u8]| own.contains(&place) && !own.contains(&step) && other.contains(&step);
    let in_left = only(&spec.left, &spec.right) && !spec.right.contains(&place);
    let in_right = only(&spec.right, &spec.left) && !spec.left.contains(&place);
    if !in_left && !in_right {
        return None;
    }
    let (moved, labels) = if in_left { (x, &spec.left) } else { (y, &spec.right) };
    let axis = labels.iter().position(|label| *label == place)?;
    let length = (window.places - 1) * window.stride + 1;
    let signed = |size: usize| isize::try_from(size).ok();
    let last = signed(window.size - 1)?.checked_mul(window.dilation)?;
    let (offset, extent, spread) = (signed(window.offset)?, signed(window.extent)?, signed(length)?);
    // Element e and step q meet x at e - offset - q · dilation.
    let (least, most) = (-offset - last.max(0), extent - 1 - offset - last.min(0));
    let (before, after) = (usize::try_from(-least.min(0)).ok()?, usize::try_from((most - spread + 1).max(0)).ok()?);
    let spread = beneath(builder, moved, axis, &|builder, node, axis| {
        let spread = spread_out(builder, node, axis, window.stride)?;
        if before + after == 0 { Some(spread) } else { builder.pad(spread, axis, before, after).ok() }
    })?;
    let around = Window {
        axis,
        extent: before + length + after,
        places: window.extent,
        stride: 1,
        size: window.size,
        dilation: -window.dilation,
        offset: usize::try_from(signed(before)? - offset).ok()?,
    };
    let windows = builder.window(spread, around).ok()?;
    let mut changed = spec.clone();
    changed.out.remove(window.axis + 1);
    let labels = if in_left { &mut changed.left } else { &mut changed.right };
    labels.insert(axis + 1, step);
    let operands = if in_left { [windows, y] } else { [x, windows] };
    builder.apply(Primitive::Contract, &operands, Attributes::Contract(changed), None).ok()
}

/// Zeros between the elements of an axis, so that they stand `stride` apart.
fn spread_out(builder: &mut Builder, x: NodeId, axis: usize, stride: usize) -> Option<NodeId> {
    if stride == 1 {
        return Some(x);
    }
    let dims = builder.shape(x).0;
    let Dim::Fixed(places) = dims[axis] else { return None };
    let with = |sizes: &[usize]| {
        let sizes = sizes.iter().copied().map(Dim::Fixed);
        Shape(dims[..axis].iter().copied().chain(sizes).chain(dims[axis + 1..].iter().copied()).collect())
    };
    let single = builder.reshape(x, &with(&[places, 1])).ok()?;
    let padded = builder.pad(single, axis + 1, 0, stride - 1).ok()?;
    let spread = builder.reshape(padded, &with(&[places.checked_mul(stride)?])).ok()?;
    builder.slice(spread, axis, 0, (places - 1) * stride + 1).ok()
}

/// Changes an axis beneath the windows along other axes, so that windows stay views.
fn beneath(
    builder: &mut Builder,
    node: NodeId,
    axis: usize,
    change: &dyn Fn(&mut Builder, NodeId, usize) -> Option<NodeId>,
) -> Option<NodeId> {
    let own = builder.graph().node(node);
    let (inner, window) = match (own.primitive, &own.attributes) {
        (Primitive::Window, Attributes::Window(window)) if axis != window.axis && axis != window.axis + 1 => {
            (own.operands[0], *window)
        }
        _ => return change(builder, node, axis),
    };
    let inside = if axis > window.axis { axis - 1 } else { axis };
    let changed = beneath(builder, inner, inside, change)?;
    builder.window(changed, window).ok()
}

fn slice_window(builder: &mut Builder, bindings: &Bindings) -> Option<NodeId> {
    let (Attributes::Slice { axis, from, to }, Attributes::Window(window)) =
        (bindings.attributes("r")?, bindings.attributes("w")?.clone())
    else {
        return None;
    };
    let (axis, from, to, x) = (*axis, *from, *to, bindings.node("x")?);
    if axis == window.axis {
        let offset = window.offset + from * window.stride;
        return builder.window(x, Window { places: to - from, offset, ..window }).ok();
    }
    if axis == window.axis + 1 {
        let first = isize::try_from(from).ok()?.checked_mul(window.dilation)?;
        let offset = window.offset.checked_add_signed(first)?;
        return builder.window(x, Window { size: to - from, offset, ..window }).ok();
    }
    let sliced = builder.slice(x, if axis > window.axis { axis - 1 } else { axis }, from, to).ok()?;
    builder.window(sliced, window).ok()
}

fn slice_contract(builder: &mut Builder, bindings: &Bindings) -> Option<NodeId> {
    let (Attributes::Slice { axis, from, to }, Attributes::Contract(spec)) =
        (bindings.attributes("r")?, bindings.attributes("s")?.clone())
    else {
        return None;
    };
    let label = *spec.out.get(*axis)?;
    let mut cut = |node: NodeId, labels: &[u8]| match labels.iter().position(|own| *own == label) {
        Some(axis) => builder.slice(node, axis, *from, *to).ok(),
        None => Some(node),
    };
    let operands = [cut(bindings.node("x")?, &spec.left)?, cut(bindings.node("y")?, &spec.right)?];
    builder.apply(Primitive::Contract, &operands, Attributes::Contract(spec), None).ok()
}
