//! Convolution and pooling of images `[batch, channels, height, width]`.
//!
//! Windows are views `[batch, c, places down, rows of a window, places right, columns of a window]` of the image. A convolution is the
//! product of such a view and the weight; pooling takes the maximum or mean over a window's rows and columns.

use super::{FROZEN, INIT, PENALTY, RATE_FACTOR};
use crate::graph::{Attributes, Dim, NodeId, Shape, Window};
use crate::loops::places::MOST_PLACES;
use crate::nn::fault::{ARGUMENT_BOUNDS, Detail, WRONG_RANK};
use crate::nn::parameters::Wanted;
use crate::nn::{Argument, Call, Family, Fault, Function, Kind, Network, Parameter};
use crate::ops::Primitive;

const STRIDE: Parameter =
    Parameter::optional("stride", Kind::Sizes, "1", "how far the window moves: one number, or [down, right]");

pub static CONV2D: Function = Function {
    name: "conv2d",
    family: Family::Layer,
    doc: "[batch, in, h, w] to [batch, channels, h', w'], weight [channels, in / groups, kernel, kernel]; no bias where batch_norm of its channels is all that reads it",
    source: "LeCun et al. (1989); a product of matrices as in Chellapilla, Puri and Simard (2006)",
    formula: "sum over the window of x * weight, + bias",
    parameters: &[
        Parameter::required("channels", Kind::Size { least: 1 }, "the number of channels that come out"),
        Parameter::required("kernel", Kind::Sizes, "the window: one number, or [height, width]"),
        STRIDE,
        Parameter::optional(
            "padding",
            Kind::Padding,
            "0",
            "zeros around the image: one number, [height, width], or `same`: an output of size / stride, rounded up, the odd zero behind, as in TensorFlow",
        ),
        Parameter::optional("dilation", Kind::Sizes, "1", "how far the window's pixels lie apart"),
        Parameter::optional("groups", Kind::Size { least: 1 }, "1", "in how many groups channels see only those of their own"),
        INIT,
        Parameter::optional(
            "bias",
            Kind::Flag,
            "",
            "whether a bias is added; unless told, yes, but not where batch_norm alone reads it",
        ),
        PENALTY,
        RATE_FACTOR,
        FROZEN,
    ],
    build: convolution,
    weight_axis: Some(0),
    feature_axis: 1,
    ..Function::BASE
};

const POOL: &[Parameter] = &[
    Parameter::required("size", Kind::Sizes, "the window: one number, or [height, width]"),
    Parameter::optional("stride", Kind::Sizes, "", "how far the window moves; its own size unless told"),
    Parameter::optional(
        "padding",
        Kind::Padding,
        "0",
        "pixels around the image, at most half the window, or `same`: an output of size / stride, rounded up, the odd one behind, as in TensorFlow",
    ),
];

/// The axes of a window in a view of windows.
const INSIDE: [usize; 2] = [3, 5];

pub static MAX_POOL: Function = Function {
    name: "max_pool",
    doc: "[batch, c, h, w] to the largest of each window; padding is below every number",
    formula: "max over the window of x",
    parameters: POOL,
    build: |network, x, call| {
        let windows = pooled(network, x, call, f64::from(f32::MIN))?;
        Ok(network.builder.apply(Primitive::ReduceMax, &[windows], Attributes::Axes(INSIDE.to_vec()), None)?)
    },
    transparent: true,
    ..Function::BASE
};

pub static AVERAGE_POOL: Function = Function {
    name: "average_pool",
    doc: "[batch, c, h, w] to the mean of each window; padding counts as zeros, that of `same` too, where Keras divides by what is image",
    formula: "mean over the window of x",
    parameters: POOL,
    build: |network, x, call| {
        let windows = pooled(network, x, call, 0.0)?;
        Ok(network.builder.mean(windows, &INSIDE)?)
    },
    transparent: true,
    ..Function::BASE
};

/// What a layer says of its windows along one axis.
#[derive(Clone, Copy)]
struct Side {
    size: usize,
    kernel: usize,
    stride: usize,
    dilation: usize,
    /// Elements before and after.
    padding: (usize, usize),
    /// The value of each of them.
    filling: f64,
}

impl Side {
    /// Elements with the padding.
    fn padded(self) -> usize {
        self.size + self.padding.0 + self.padding.1
    }
    /// The windows, along an axis; nothing if they do not fit once.
    fn windows(self, axis: usize) -> Option<Window> {
        let reach = self.dilation * (self.kernel - 1) + 1;
        let places = self.padded().checked_sub(reach)? / self.stride + 1;
        let (stride, size, dilation) = (self.stride, self.kernel, isize::try_from(self.dilation).ok()?);
        Some(Window { axis, extent: self.padded(), places, stride, size, dilation, offset: 0 })
    }
}

/// Channels, height and width.
fn image(network: &Network, layer: &str, x: NodeId) -> Result<[usize; 3], Fault> {
    match network.builder.graph().shape(x).0[..] {
        [Dim::Batch, Dim::Fixed(channels), Dim::Fixed(height), Dim::Fixed(width)] => Ok([channels, height, width]),
        _ => {
            let value = network.describe(x, "its receiver");
            let message = format!("{layer} needs [batch, channels, height, width]; {value} is {}", network.shape_text(x));
            let help = "`reshape([1, 8, 8])` makes images of rows of 64";
            Err(Fault::new(WRONG_RANK, message).help(help).with(Detail::Images).about(x))
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
            Err(Fault::new(ARGUMENT_BOUNDS, message).with(Detail::Sides).at(name))
        }
    }
}

/// The image with its padding, laid out in windows: its last two axes each become places and, behind them, the window's own axis.
fn windows(
    network: &mut Network,
    x: NodeId,
    call: &Call,
    sides: [Side; 2],
    lay: fn(&mut Network, NodeId, Window) -> Result<NodeId, Fault>,
) -> Result<NodeId, Fault> {
    let (mut view, first) = (x, network.builder.shape(x).rank() - 2);
    for (place, side) in sides.into_iter().enumerate() {
        view = surrounded(network, view, first + place, side)?;
    }
    for (place, side) in sides.into_iter().enumerate() {
        let Some(window) = side.windows(first + 2 * place) else {
            let message = format!("{}: a window of {} does not fit into {}", call.name, side.kernel, network.shape_text(x));
            return Err(Fault::new(ARGUMENT_BOUNDS, message).with(Detail::Window).about(x));
        };
        view = lay(network, view, window)?;
    }
    Ok(view)
}

/// Windows along an axis. Those that stand side by side and leave nothing out are the axis itself, in parts.
fn laid_out(network: &mut Network, x: NodeId, window: Window) -> Result<NodeId, Fault> {
    let builder = &mut network.builder;
    if window.stride != window.size || window.dilation != 1 {
        return Ok(builder.window(x, window)?);
    }
    let covered = if window.places * window.size < window.extent {
        builder.slice(x, window.axis, 0, window.places * window.size)?
    } else {
        x
    };
    let mut dims = builder.shape(covered).0;
    dims[window.axis] = Dim::Fixed(window.places);
    dims.insert(window.axis + 1, Dim::Fixed(window.size));
    Ok(builder.reshape(covered, &Shape(dims))?)
}

/// The image with the padding along an axis.
fn surrounded(network: &mut Network, x: NodeId, axis: usize, side: Side) -> Result<NodeId, Fault> {
    let ((before, after), builder) = (side.padding, &mut network.builder);
    if (before, after) == (0, 0) {
        return Ok(x);
    }
    if side.filling == 0.0 {
        return Ok(builder.pad(x, axis, before, after)?);
    }
    let filling = builder.constant(side.filling);
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

/// Both sides of windows. With `same` there are as many places as strides, begun ones included, and just the padding that this takes; an
/// odd rest of it stands behind.
fn sides(call: &Call, sizes: [usize; 2], [kernel, stride, dilation]: [[usize; 2]; 3], filling: f64) -> Result<[Side; 2], Fault> {
    let given = pair(call, "padding", [0, 0])?;
    let is_same = matches!(call.get("padding"), Some(Argument::Word(_)));
    Ok([0, 1].map(|place| {
        let (kernel, stride, dilation) = (kernel[place], stride[place], dilation[place]);
        let reach = dilation * (kernel - 1) + 1;
        let around = ((sizes[place].div_ceil(stride) - 1) * stride + reach).saturating_sub(sizes[place]);
        let padding = if is_same { (around / 2, around - around / 2) } else { (given[place], given[place]) };
        Side { size: sizes[place], kernel, stride, dilation, padding, filling }
    }))
}

fn pooled(network: &mut Network, x: NodeId, call: &Call, filling: f64) -> Result<NodeId, Fault> {
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
    let sides = sides(call, [height, width], [kernel, stride, [1, 1]], filling)?;
    windows(network, x, call, sides, laid_out)
}

/// Most windows of a channel, and pixels where a gradient goes through them: products look each up in a table.
const MOST_WINDOWS: usize = MOST_PLACES as usize;

/// Whether the windows of a convolution are few enough to be looked up.
fn is_looked_up(network: &Network, x: NodeId, call: &Call, sides: [Side; 2]) -> Result<(), Fault> {
    let count = |size: fn(Side) -> usize| sides.iter().fold(1usize, |count, side| count.saturating_mul(size(*side)));
    let (windows, pixels) = (count(|side| side.windows(0).map_or(0, |window| window.places)), count(Side::padded));
    let graph = network.builder.graph();
    let has_gradient = || {
        let needed = graph.ancestors([x]);
        network.parameters.iter().any(|known| needed[known.node.index()])
    };
    let asked = if pixels > MOST_WINDOWS && has_gradient() { windows.max(pixels) } else { windows };
    if asked <= MOST_WINDOWS {
        return Ok(());
    }
    let value = network.describe(x, "its receiver");
    let message = format!(
        "{}: {value} is {}, of which {asked} windows would be looked up; {MOST_WINDOWS} are the most",
        call.name,
        network.shape_text(x)
    );
    let help = format!("write `average_pool(2)` before it, or cut the images into parts of less than {MOST_WINDOWS} pixels");
    Err(Fault::new(ARGUMENT_BOUNDS, message).help(help).about(x))
}

fn convolution(network: &mut Network, x: NodeId, call: &Call) -> Result<NodeId, Fault> {
    let [channels, height, width] = image(network, "conv2d", x)?;
    let out = call.size("channels");
    let (kernel, stride) = (pair(call, "kernel", [1, 1])?, pair(call, "stride", [1, 1])?);
    let dilation = pair(call, "dilation", [1, 1])?;
    let sides = sides(call, [height, width], [kernel, stride, dilation], 0.0)?;
    is_looked_up(network, x, call, sides)?;
    let area = kernel[0] * kernel[1];
    let groups = call.size("groups").max(1);
    if !channels.is_multiple_of(groups) || !out.is_multiple_of(groups) {
        let message = format!("conv2d: {groups} groups do not divide {channels} channels and {out}");
        return Err(Fault::new(ARGUMENT_BOUNDS, message).with(Detail::Parts).at("groups").about(x));
    }
    let (own, made) = (channels / groups, out / groups);
    // Each group sees its own channels.
    let seen = match groups {
        1 => x,
        _ => network.builder.reshape(x, &Shape::batch(&[groups, own, height, width]))?,
    };
    // A product looks windows up wherever they lie.
    let view = windows(network, seen, call, sides, |network, x, window| Ok(network.builder.window(x, window)?))?;
    let wanted = Wanted::weight(&[out, own, kernel[0], kernel[1]], own * area, made * area);
    let wanted = network.governed(call, wanted)?;
    let weight = network.parameter("weight", wanted)?;
    let builder = &mut network.builder;
    let product = if groups == 1 {
        builder.contract(view, weight, "n k y i x j, o k i j -> n o y x")?
    } else {
        let matrix = builder.reshape(weight, &Shape::fixed(&[groups, made, own, kernel[0], kernel[1]]))?;
        let product = builder.contract(view, matrix, "n g k y i x j, g o k i j -> n g o y x")?;
        let mut dims = builder.shape(product).0;
        dims.splice(1..3, [Dim::Fixed(out)]);
        builder.reshape(product, &Shape(dims))?
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
