//! Convolution and pooling of images `[batch, channels, height, width]`.
//!
//! A window is laid over the image one offset at a time: the pixels at an offset are a strided slice `[batch, c, out height, out width]`.
//! A convolution joins the slices of all offsets and is then one product of matrices; pooling takes their maximum or mean.

use super::{FROZEN, INIT, PENALTY, RATE_FACTOR};
use crate::graph::{Dim, NodeId, Shape};
use crate::nn::fault::{ARGUMENT_BOUNDS, WRONG_RANK};
use crate::nn::parameters::Wanted;
use crate::nn::{Argument, Call, Family, Fault, Function, Kind, Network, Parameter};
use crate::ops::Primitive;

const STRIDE: Parameter =
    Parameter::optional("stride", Kind::Sizes, "1", "how far the window moves: one number, or [down, right]");

pub static CONV2D: Function = Function {
    name: "conv2d",
    family: Family::Layer,
    doc: "[batch, in, h, w] to [batch, channels, h', w'], weight [channels, in / groups, kernel, kernel]; no bias where batch_norm follows directly",
    source: "LeCun et al. (1989); a product of matrices as in Chellapilla, Puri and Simard (2006)",
    formula: "sum over the window of x * weight, + bias",
    parameters: &[
        Parameter::required("channels", Kind::Size { least: 1 }, "the number of channels that come out"),
        Parameter::required("kernel", Kind::Sizes, "the window: one number, or [height, width]"),
        STRIDE,
        Parameter::optional("padding", Kind::Padding, "0", "zeros around the image: one number, [height, width], or `same`"),
        Parameter::optional("dilation", Kind::Sizes, "1", "how far the window's pixels lie apart"),
        Parameter::optional("groups", Kind::Size { least: 1 }, "1", "in how many groups channels see only those of their own"),
        INIT,
        Parameter::optional("bias", Kind::Flag, "", "whether a bias is added; unless told, yes, but not right before batch_norm"),
        PENALTY,
        RATE_FACTOR,
        FROZEN,
    ],
    build: convolution,
    ..Function::BASE
};

const POOL: &[Parameter] = &[
    Parameter::required("size", Kind::Sizes, "the window: one number, or [height, width]"),
    Parameter::optional("stride", Kind::Sizes, "", "how far the window moves; its own size unless told"),
    Parameter::optional("padding", Kind::Padding, "0", "pixels around the image, at most half the window, or `same`"),
];

pub static MAX_POOL: Function = Function {
    name: "max_pool",
    doc: "[batch, c, h, w] to the largest of each window; padding is below every number",
    formula: "max over the window of x",
    parameters: POOL,
    build: |network, x, call| {
        let parts = pooled(network, x, call, f64::from(f32::MIN))?;
        let mut parts = parts.into_iter();
        let first = parts.next().unwrap_or(x);
        parts.try_fold(first, |largest, part| Ok(network.builder.binary(Primitive::Max, largest, part)?))
    },
    transparent: true,
    ..Function::BASE
};

pub static AVERAGE_POOL: Function = Function {
    name: "average_pool",
    doc: "[batch, c, h, w] to the mean of each window; padding counts as zeros",
    formula: "mean over the window of x",
    parameters: POOL,
    build: |network, x, call| {
        let parts = pooled(network, x, call, 0.0)?;
        let count = parts.len();
        let mut parts = parts.into_iter();
        let first = parts.next().unwrap_or(x);
        let sum = parts.try_fold(first, |sum, part| network.builder.add(sum, part))?;
        Ok(network.builder.scale(sum, 1.0 / count as f64)?)
    },
    transparent: true,
    ..Function::BASE
};

/// A window along one axis.
#[derive(Clone, Copy)]
struct Window {
    axis: usize,
    size: usize,
    kernel: usize,
    stride: usize,
    dilation: usize,
    /// Elements before and after.
    padding: (usize, usize),
    /// The value of each of them.
    filling: f64,
}

impl Window {
    /// How many places it takes; nothing if it does not fit once.
    fn places(self) -> Option<usize> {
        let padded = self.size + self.padding.0 + self.padding.1;
        let reach = self.dilation * (self.kernel - 1) + 1;
        padded.checked_sub(reach).map(|rest| rest / self.stride + 1)
    }
}

/// Channels, height and width.
fn image(network: &Network, layer: &str, x: NodeId) -> Result<[usize; 3], Fault> {
    match network.builder.graph().shape(x).0[..] {
        [Dim::Batch, Dim::Fixed(channels), Dim::Fixed(height), Dim::Fixed(width)] => Ok([channels, height, width]),
        _ => {
            let value = network.describe(x, "its receiver");
            let message = format!("{layer} needs [batch, channels, height, width]; {value} is {}", network.shape_text(x));
            Err(Fault::new(WRONG_RANK, message).help("`reshape([1, 8, 8])` makes images of rows of 64").about(x))
        }
    }
}

/// One number for both axes, or one for each.
fn pair(call: &Call, name: &str, otherwise: [usize; 2]) -> Result<[usize; 2], Fault> {
    match call.sizes(name).as_deref() {
        None => Ok(otherwise),
        Some([both]) => Ok([*both, *both]),
        Some([down, right]) => Ok([*down, *right]),
        Some(list) => {
            let message = format!("{}: `{name}` is one number or two, got {}", call.name, list.len());
            Err(Fault::new(ARGUMENT_BOUNDS, message).at(name))
        }
    }
}

/// The slices of all offsets of two windows, row by row.
fn slices(network: &mut Network, x: NodeId, call: &Call, windows: [Window; 2]) -> Result<Vec<NodeId>, Fault> {
    let mut padded = x;
    for window in windows {
        if window.places().is_none() {
            let message = format!("{}: a window of {} does not fit into {}", call.name, window.kernel, network.shape_text(x));
            return Err(Fault::new(ARGUMENT_BOUNDS, message).about(x));
        }
        if window.padding != (0, 0) {
            padded = surrounded(network, padded, window)?;
        }
    }
    let mut parts = Vec::new();
    for down in 0..windows[0].kernel {
        let row = strided(network, padded, windows[0], down)?;
        for right in 0..windows[1].kernel {
            parts.push(strided(network, row, windows[1], right)?);
        }
    }
    Ok(parts)
}

/// The image with a window's padding along its axis.
fn surrounded(network: &mut Network, x: NodeId, window: Window) -> Result<NodeId, Fault> {
    let (axis, (before, after), builder) = (window.axis, window.padding, &mut network.builder);
    if window.filling == 0.0 {
        return Ok(builder.pad(x, axis, before, after)?);
    }
    let filling = builder.constant(window.filling);
    let mut parts = Vec::new();
    for (size, is_image) in [(before, false), (1, true), (after, false)] {
        if is_image {
            parts.push(x);
        } else if size > 0 {
            let mut shape = builder.shape(x);
            shape.0[axis] = Dim::Fixed(size);
            parts.push(builder.broadcast_scalar(filling, &shape)?);
        }
    }
    Ok(builder.concat(&parts, axis)?)
}

/// Every `stride`-th element of an axis, from an offset of the window on.
fn strided(network: &mut Network, x: NodeId, window: Window, offset: usize) -> Result<NodeId, Fault> {
    let (axis, stride, builder) = (window.axis, window.stride, &mut network.builder);
    let (from, places) = (offset * window.dilation, window.places().unwrap_or(0));
    if stride == 1 {
        return Ok(builder.slice(x, axis, from, from + places)?);
    }
    // Groups of `stride` elements, of which the first is taken; the last group may reach beyond the end.
    let end = from + places * stride;
    let size = builder.shape(x).0[axis].at(0);
    let x = if end > size { builder.pad(x, axis, 0, end - size)? } else { x };
    let taken = builder.slice(x, axis, from, end)?;
    let mut dims = builder.shape(taken).0;
    dims[axis] = Dim::Fixed(places);
    let result = Shape(dims.clone());
    dims.insert(axis + 1, Dim::Fixed(stride));
    let groups = builder.reshape(taken, &Shape(dims))?;
    let first = builder.slice(groups, axis + 1, 0, 1)?;
    Ok(builder.reshape(first, &result)?)
}

fn pooled(network: &mut Network, x: NodeId, call: &Call, filling: f64) -> Result<Vec<NodeId>, Fault> {
    let [_, height, width] = image(network, &call.name, x)?;
    let kernel = pair(call, "size", [1, 1])?;
    let stride = pair(call, "stride", kernel)?;
    let given = pair(call, "padding", [0, 0])?;
    // A window that lay in the padding alone would have nothing to say.
    if let Some(place) = (0..2).find(|&place| given[place] > kernel[place] / 2) {
        let (padding, window) = (given[place], kernel[place]);
        let message = format!("{}: `padding` must be at most half the window of {window}, got {padding}", call.name);
        return Err(Fault::new(ARGUMENT_BOUNDS, message).at("padding"));
    }
    let is_same = matches!(call.get("padding"), Some(Argument::Word(_)));
    let window = |place: usize, size: usize| {
        let around = kernel[place] - 1;
        let padding = if is_same { (around / 2, around - around / 2) } else { (given[place], given[place]) };
        Window { axis: 2 + place, size, kernel: kernel[place], stride: stride[place], dilation: 1, padding, filling }
    };
    slices(network, x, call, [window(0, height), window(1, width)])
}

fn convolution(network: &mut Network, x: NodeId, call: &Call) -> Result<NodeId, Fault> {
    let [channels, height, width] = image(network, "conv2d", x)?;
    let out = call.size("channels");
    let (kernel, stride) = (pair(call, "kernel", [1, 1])?, pair(call, "stride", [1, 1])?);
    let dilation = pair(call, "dilation", [1, 1])?;
    let given = pair(call, "padding", [0, 0])?;
    let is_same = matches!(call.get("padding"), Some(Argument::Word(_)));
    let window = |place: usize, size: usize| {
        // As many places as pixels at a stride of 1; an odd rest stands behind.
        let around = dilation[place] * (kernel[place] - 1);
        let padding = if is_same { (around / 2, around - around / 2) } else { (given[place], given[place]) };
        let (kernel, stride, dilation) = (kernel[place], stride[place], dilation[place]);
        Window { axis: 2 + place, size, kernel, stride, dilation, padding, filling: 0.0 }
    };
    let parts = slices(network, x, call, [window(0, height), window(1, width)])?;
    let area = kernel[0] * kernel[1];
    let groups = call.size("groups").max(1);
    if !channels.is_multiple_of(groups) || !out.is_multiple_of(groups) {
        let message = format!("conv2d: {groups} groups do not divide {channels} channels and {out}");
        return Err(Fault::new(ARGUMENT_BOUNDS, message).at("groups").about(x));
    }
    let (own, made) = (channels / groups, out / groups);
    let wanted = Wanted::weight(&[out, own, kernel[0], kernel[1]], own * area, made * area);
    let wanted = network.governed(call, wanted)?;
    let weight = network.parameter("weight", wanted)?;
    let builder = &mut network.builder;
    let patches = builder.concat(&parts, 1)?;
    let product = if groups == 1 {
        let matrix = builder.transpose(weight, &[2, 3, 1, 0])?;
        let matrix = builder.reshape(matrix, &Shape::fixed(&[area * channels, out]))?;
        builder.contract(patches, matrix, "n k y x, k j -> n j y x")?
    } else {
        // One product a group, each over its own channels.
        let places = [0, 1].map(|place| window(place, [height, width][place]).places().unwrap_or(0));
        let split = builder.reshape(patches, &Shape::batch(&[area, groups, own, places[0], places[1]]))?;
        let split = builder.transpose(split, &[0, 2, 1, 3, 4, 5])?;
        let split = builder.reshape(split, &Shape::batch(&[groups, area * own, places[0], places[1]]))?;
        let matrix = builder.reshape(weight, &Shape::fixed(&[groups, made, own, kernel[0], kernel[1]]))?;
        let matrix = builder.transpose(matrix, &[0, 3, 4, 2, 1])?;
        let matrix = builder.reshape(matrix, &Shape::fixed(&[groups, area * own, made]))?;
        let product = builder.contract(split, matrix, "n g k y x, g k j -> n g j y x")?;
        builder.reshape(product, &Shape::batch(&[out, places[0], places[1]]))?
    };
    if call.get("bias").is_some() && !call.flag("bias") {
        return Ok(product);
    }
    let mut wanted = network.governed(call, Wanted::vector(out, "zeros"))?;
    wanted.initializer = Some(Call::new("zeros"));
    let bias = network.parameter("bias", wanted)?;
    let shape = network.builder.shape(product);
    let spread = network.builder.expand(bias, &shape, &[0, 2, 3])?;
    let output = network.builder.add(product, spread)?;
    if call.get("bias").is_none() {
        network.note_unasked_bias(output, product, bias);
    }
    Ok(output)
}
