//! Recurrent layers: one state carried along the steps of a sequence, by a scan.
//!
//! All take `x [batch, steps, in]` and give the states of every step `[batch, steps, width]`; the first state is 0. Gates stand side by
//! side in the weights `[in, gates·width]` and `[width, gates·width]`, in PyTorch's order, with a bias vector on either side. What the
//! input gives to the gates is one product for all steps, outside of the scan.
//!
//! The state weight begins as one orthogonal matrix of all gates, `[width, gates·width]` with rows of length 1 at right angles, as in Keras;
//! so the part of one gate is none by itself. PyTorch draws it uniformly.

use super::{FROZEN, INIT, PENALTY, RATE_FACTOR};
use crate::graph::{Body, Builder, Dim, Element, NodeId, Shape};
use crate::nn::fault::{Detail, WRONG_RANK};
use crate::nn::losses::one_hot;
use crate::nn::parameters::Wanted;
use crate::nn::{Call, Family, Fault, Function, Kind, Network, Parameter};
use crate::ops::Primitive;

const RECURRENT: Function = Function {
    family: Family::Layer,
    parameters: &[
        Parameter::required("width", Kind::Size { least: 1 }, "the size of the state"),
        Parameter::optional(
            "lengths",
            Kind::Tensor,
            "",
            "how many steps each row has, at least 1 and at most all; behind its end the state stands still, whatever the input is",
        ),
        Parameter {
            doc: "initialiser of the input's weight; glorot unless told, by the fans of one gate. The state's is orthogonal, biases are 0",
            ..INIT
        },
        PENALTY,
        RATE_FACTOR,
        FROZEN,
    ],
    width: Some("width"),
    ..Function::BASE
};

pub static RNN: Function = Function {
    name: "rnn",
    doc: "[batch, steps, in] to the states [batch, steps, width] of a recurrent layer with tanh",
    source: "Elman (1990)",
    formula: "h = tanh(x . weight + bias + h . state_weight + state_bias)",
    build: |network, x, call| {
        scanned(network, x, call, 1, 1, |builder, gates, _| {
            let sum = builder.add(gates.input, gates.carried)?;
            Ok(vec![builder.unary(Primitive::Tanh, sum)?])
        })
    },
    ..RECURRENT
};

pub static LSTM: Function = Function {
    name: "lstm",
    doc: "[batch, steps, in] to the states [batch, steps, width] of a layer with input, forget and output gates; gates i f g o",
    source: "Hochreiter and Schmidhuber (1997), with the forget gate of Gers, Schmidhuber and Cummins (2000); the state weight of all gates begins as one orthogonal matrix [width, 4 * width], as in Keras, so that of one gate is none by itself",
    formula: "c = sigmoid(f) * c + sigmoid(i) * tanh(g); h = sigmoid(o) * tanh(c)",
    build: |network, x, call| {
        scanned(network, x, call, 4, 2, |builder, gates, state| {
            let sum = builder.add(gates.input, gates.carried)?;
            let kinds = [Primitive::Sigmoid, Primitive::Sigmoid, Primitive::Tanh, Primitive::Sigmoid];
            let mut values = Vec::new();
            for (gate, primitive) in kinds.into_iter().enumerate() {
                let part = builder.slice(sum, 1, gate * gates.width, (gate + 1) * gates.width)?;
                values.push(builder.unary(primitive, part)?);
            }
            let kept = builder.mul(values[1], state[1])?;
            let new = builder.mul(values[0], values[2])?;
            let cell = builder.add(kept, new)?;
            let shown = builder.unary(Primitive::Tanh, cell)?;
            Ok(vec![builder.mul(values[3], shown)?, cell])
        })
    },
    ..RECURRENT
};

pub static GRU: Function = Function {
    name: "gru",
    doc: "[batch, steps, in] to the states [batch, steps, width] of a layer with reset and update gates; gates r z n",
    source: "Cho et al. (2014), in the form of PyTorch and cuDNN: the reset gate acts on the product with the state; the state weight of all gates begins as one orthogonal matrix [width, 3 * width], as in Keras",
    formula: "n = tanh(x . n + sigmoid(r) * (h . n)); h = (1 - sigmoid(z)) * n + sigmoid(z) * h",
    build: |network, x, call| {
        scanned(network, x, call, 3, 1, |builder, gates, state| {
            let mut gate = |index: usize| {
                let columns = (index * gates.width, (index + 1) * gates.width);
                let own = builder.slice(gates.input, 1, columns.0, columns.1)?;
                let other = builder.slice(gates.carried, 1, columns.0, columns.1)?;
                Ok::<_, Fault>((own, other))
            };
            let ((reset, reset_state), (update, update_state), (new, new_state)) = (gate(0)?, gate(1)?, gate(2)?);
            let sum = builder.add(reset, reset_state)?;
            let reset = builder.unary(Primitive::Sigmoid, sum)?;
            let sum = builder.add(update, update_state)?;
            let update = builder.unary(Primitive::Sigmoid, sum)?;
            let carried = builder.mul(reset, new_state)?;
            let sum = builder.add(new, carried)?;
            let new = builder.unary(Primitive::Tanh, sum)?;
            let one = builder.constant_like(update, 1.0)?;
            let rest = builder.sub(one, update)?;
            let new = builder.mul(rest, new)?;
            let kept = builder.mul(update, state[0])?;
            Ok(vec![builder.add(new, kept)?])
        })
    },
    ..RECURRENT
};

/// What a step's gates are made of.
struct Gates {
    /// The input's part, with its bias.
    input: NodeId,
    /// The state's part, with its bias.
    carried: NodeId,
    /// Columns of one gate.
    width: usize,
}

/// `[batch, steps, in]` as numbers.
fn sizes(network: &Network, layer: &str, x: NodeId) -> Result<(usize, usize), Fault> {
    match network.builder.graph().shape(x).0.as_slice() {
        [Dim::Batch, Dim::Fixed(steps), Dim::Fixed(width)] => Ok((*steps, *width)),
        _ => {
            let value = network.describe(x, "its receiver");
            let message = format!("{layer} needs [batch, steps, features]; {value} is {}", network.shape_text(x));
            let help = "declare the input as `[batch, steps, features]`";
            Err(Fault::new(WRONG_RANK, message).help(help).with(Detail::Steps).about(x))
        }
    }
}

/// The states of all steps; `next` makes what is carried on, the state first, from the gates and from what was carried.
fn scanned(
    network: &mut Network,
    mut x: NodeId,
    call: &Call,
    gates: usize,
    carries: usize,
    next: impl Fn(&mut Builder, &Gates, &[NodeId]) -> Result<Vec<NodeId>, Fault>,
) -> Result<NodeId, Fault> {
    let (steps, features) = sizes(network, &call.name, x)?;
    let width = call.size("width");
    let mut wanted = Wanted::weight(&[features, gates * width], features, width);
    wanted.initializer = Some(Call::new("glorot"));
    let wanted = network.governed(call, wanted)?;
    let weight = network.parameter("weight", wanted)?;
    let mut wanted = network.governed(call, Wanted::weight(&[width, gates * width], width, width))?;
    wanted.initializer = Some(Call::new("orthogonal"));
    let state_weight = network.parameter("state_weight", wanted)?;
    let mut bias = |name: &str| {
        let mut wanted = network.governed(call, Wanted::vector(gates * width, "zeros"))?;
        wanted.initializer = Some(Call::new("zeros"));
        network.parameter(name, wanted)
    };
    let (bias, state_bias) = (bias("bias")?, bias("state_bias")?);
    let goes_on = match lengths(network, call, steps)? {
        None => None,
        Some(lengths) => {
            let goes_on = before_end(network, lengths, steps)?;
            // Selected, not multiplied: what stands behind a row's end may be anything.
            let shape = network.builder.shape(x);
            let wide = network.builder.expand(goes_on, &shape, &[2])?;
            let nothing = network.builder.constant_like(x, 0.0)?;
            x = network.builder.select(wide, x, nothing)?;
            Some(goes_on)
        }
    };
    let outer = &mut network.builder;
    let product = outer.contract(x, weight, "n t k, k j -> n t j")?;
    let inputs = outer.add(product, bias)?;
    let zero = outer.constant(0.0);
    let first = outer.broadcast_scalar(zero, &Shape::batch(&[width]))?;
    let mut body = Body::new(outer);
    let state = (0..carries).map(|_| body.carry(outer, first)).collect::<Result<Vec<_>, _>>()?;
    let input = body.sequence(outer, inputs)?;
    let goes_on = goes_on.map(|goes_on| body.sequence(outer, goes_on)).transpose()?;
    let (weight, bias) = (body.constant(outer, state_weight)?, body.constant(outer, state_bias)?);
    let step = &mut body.builder;
    let product = step.contract(state[0], weight, "n k, k j -> n j")?;
    let carried = step.add(product, bias)?;
    let mut after = next(step, &Gates { input, carried, width }, &state)?;
    if let Some(goes_on) = goes_on {
        for (after, before) in after.iter_mut().zip(&state) {
            let goes_on = step.expand(goes_on, &Shape::batch(&[width]), &[1])?;
            *after = step.select(goes_on, *after, *before)?;
        }
    }
    let states = outer.scan(body, &after, &[], false)?;
    match carries {
        1 => Ok(states),
        _ => Ok(outer.slice(states, 2, 0, width)?),
    }
}

/// The argument `lengths`: one whole number a row. What comes from outside is checked where it comes in.
fn lengths(network: &mut Network, call: &Call, steps: usize) -> Result<Option<NodeId>, Fault> {
    let Some(lengths) = call.tensor("lengths") else { return Ok(None) };
    let ty = network.builder.ty(lengths);
    if ty.element.is_integer() && ty.shape == Shape::batch(&[]) {
        network.lengths.push((lengths, steps));
        return Ok(Some(lengths));
    }
    let message = format!("`lengths` is one whole number a row, [batch]; it is {}{}", ty.element, network.shape_text(lengths));
    Err(Fault::new(WRONG_RANK, message).help("declare it as `input n: u32[batch];`").at("lengths").against(lengths))
}

/// For each step of each row `[batch, steps]`, whether it lies before the row's end.
fn before_end(network: &mut Network, lengths: NodeId, steps: usize) -> Result<NodeId, Fault> {
    let builder = &mut network.builder;
    let lengths = builder.cast(lengths, Element::I32)?;
    let shape = Shape::batch(&[steps]);
    let lengths = builder.expand(lengths, &shape, &[1])?;
    let step = builder.iota(shape, 1)?;
    Ok(builder.binary(Primitive::Lt, step, lengths)?)
}

/// The last step of a sequence.
pub static LAST: Function = Function {
    name: "last",
    doc: "[batch, steps, f] to the last step [batch, f], or to step number `lengths` [batch] of each row, counted from 1",
    formula: "x[steps - 1]",
    parameters: &[Parameter::optional(
        "lengths",
        Kind::Tensor,
        "",
        "how many steps each row has: an input is checked to be at least 1 and at most all, a value that is computed is brought there",
    )],
    build: |network, x, call| {
        let (steps, width) = sizes(network, "last", x)?;
        let Some(lengths) = lengths(network, call, steps)? else {
            let last = network.builder.slice(x, 1, steps - 1, steps)?;
            return Ok(network.builder.reshape(last, &Shape::batch(&[width]))?);
        };
        let index = network.builder.cast(lengths, Element::I32)?;
        let one = network.builder.constant_like(index, 1.0)?;
        let index = network.builder.sub(index, one)?;
        // Nobody can refuse a length that is computed in the step: a row that is too long ends with the last step, one without steps
        // has the first.
        let (first, last) =
            (network.builder.constant_like(index, 0.0)?, network.builder.constant_like(index, steps as f64 - 1.0)?);
        let index = network.builder.binary(Primitive::Min, index, last)?;
        let index = network.builder.binary(Primitive::Max, index, first)?;
        let zero = network.builder.constant(0.0);
        let like = network.builder.broadcast_scalar(zero, &Shape::batch(&[steps]))?;
        let hit = one_hot(network, index, like)?;
        let shape = network.builder.shape(x);
        let hit = network.builder.expand(hit, &shape, &[2])?;
        let nothing = network.builder.constant_like(x, 0.0)?;
        // Selected, not multiplied: what stands behind a row's end may be anything.
        let own = network.builder.select(hit, x, nothing)?;
        Ok(network.builder.sum(own, &[1])?)
    },
    ..Function::BASE
};
