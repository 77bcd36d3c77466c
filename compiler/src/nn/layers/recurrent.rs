//! Recurrent layers: one state carried along the steps of a sequence, unrolled.
//!
//! All take `x [batch, steps, in]` and give the states of every step `[batch, steps, width]`; the first state is 0. Gates stand side by
//! side in the weights `[in, gates·width]` and `[width, gates·width]`, in PyTorch's order, with a bias vector on either side.

use super::{FROZEN, INIT, PENALTY, RATE_FACTOR};
use crate::graph::{Dim, Element, NodeId, Shape};
use crate::nn::fault::WRONG_RANK;
use crate::nn::losses::one_hot;
use crate::nn::parameters::Wanted;
use crate::nn::{Call, Family, Fault, Function, Kind, Network, Parameter};
use crate::ops::Primitive;

const RECURRENT: Function = Function {
    family: Family::Layer,
    parameters: &[
        Parameter::required("width", Kind::Size { least: 1 }, "the size of the state"),
        INIT,
        PENALTY,
        RATE_FACTOR,
        FROZEN,
    ],
    ..Function::BASE
};

pub static RNN: Function = Function {
    name: "rnn",
    doc: "[batch, steps, in] to the states [batch, steps, width] of a recurrent layer with tanh",
    source: "Elman (1990)",
    formula: "h = tanh(x . weight + bias + h . state_weight + state_bias)",
    build: |network, x, call| {
        unrolled(network, x, call, 1, |network, input, carried, _| {
            let sum = network.builder.add(input, carried)?;
            Ok(network.builder.unary(Primitive::Tanh, sum)?)
        })
    },
    ..RECURRENT
};

pub static LSTM: Function = Function {
    name: "lstm",
    doc: "[batch, steps, in] to the states [batch, steps, width] of a layer with input, forget and output gates; gates i f g o",
    source: "Hochreiter and Schmidhuber (1997), with the forget gate of Gers, Schmidhuber and Cummins (2000)",
    formula: "c = sigmoid(f) * c + sigmoid(i) * tanh(g); h = sigmoid(o) * tanh(c)",
    build: |network, x, call| {
        let width = call.size("width");
        let mut cell: Option<NodeId> = None;
        unrolled(network, x, call, 4, |network, input, carried, _| {
            let sum = network.builder.add(input, carried)?;
            let gates = [Primitive::Sigmoid, Primitive::Sigmoid, Primitive::Tanh, Primitive::Sigmoid];
            let mut values = Vec::new();
            for (gate, primitive) in gates.into_iter().enumerate() {
                let part = network.builder.slice(sum, 1, gate * width, (gate + 1) * width)?;
                values.push(network.builder.unary(primitive, part)?);
            }
            let mut next = network.builder.mul(values[0], values[2])?;
            if let Some(cell) = cell {
                let kept = network.builder.mul(values[1], cell)?;
                next = network.builder.add(kept, next)?;
            }
            cell = Some(next);
            let shown = network.builder.unary(Primitive::Tanh, next)?;
            Ok(network.builder.mul(values[3], shown)?)
        })
    },
    ..RECURRENT
};

pub static GRU: Function = Function {
    name: "gru",
    doc: "[batch, steps, in] to the states [batch, steps, width] of a layer with reset and update gates; gates r z n",
    source: "Cho et al. (2014), in the form of PyTorch and cuDNN: the reset gate acts on the product with the state",
    formula: "n = tanh(x . n + sigmoid(r) * (h . n)); h = (1 - sigmoid(z)) * n + sigmoid(z) * h",
    build: |network, x, call| {
        let width = call.size("width");
        unrolled(network, x, call, 3, |network, input, carried, state| {
            let builder = &mut network.builder;
            let mut gate = |index: usize| {
                let own = builder.slice(input, 1, index * width, (index + 1) * width)?;
                let other = builder.slice(carried, 1, index * width, (index + 1) * width)?;
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
            let kept = builder.mul(update, state)?;
            Ok(builder.add(new, kept)?)
        })
    },
    ..RECURRENT
};

/// `[batch, steps, in]` as numbers.
fn sizes(network: &Network, layer: &str, x: NodeId) -> Result<(usize, usize), Fault> {
    match network.builder.graph().shape(x).0.as_slice() {
        [Dim::Batch, Dim::Fixed(steps), Dim::Fixed(width)] => Ok((*steps, *width)),
        _ => {
            let value = network.describe(x, "its receiver");
            let message = format!("{layer} needs [batch, steps, features]; {value} is {}", network.shape_text(x));
            Err(Fault::new(WRONG_RANK, message).help("declare the input as `[batch, steps, features]`").about(x))
        }
    }
}

/// The states of all steps; `next` makes one from the input's and the state's part of the gates and the state itself.
fn unrolled(
    network: &mut Network,
    x: NodeId,
    call: &Call,
    gates: usize,
    mut next: impl FnMut(&mut Network, NodeId, NodeId, NodeId) -> Result<NodeId, Fault>,
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
    // What the input gives is the same product for all steps.
    let product = network.builder.contract(x, weight, "n t k, k j -> n t j")?;
    let inputs = network.builder.add(product, bias)?;
    let zero = network.builder.constant(0.0);
    let mut state = network.builder.broadcast_scalar(zero, &Shape::batch(&[width]))?;
    let mut states = Vec::new();
    for step in 0..steps {
        let input = network.builder.slice(inputs, 1, step, step + 1)?;
        let input = network.builder.reshape(input, &Shape::batch(&[gates * width]))?;
        let product = network.builder.contract(state, state_weight, "n k, k j -> n j")?;
        let carried = network.builder.add(product, state_bias)?;
        state = next(network, input, carried, state)?;
        states.push(network.builder.reshape(state, &Shape::batch(&[1, width]))?);
    }
    Ok(network.builder.concat(&states, 1)?)
}

/// The last step of a sequence.
pub static LAST: Function = Function {
    name: "last",
    doc: "[batch, steps, f] to the last step [batch, f], or to step number `lengths` [batch] of each row, counted from 1",
    formula: "x[steps - 1]",
    parameters: &[Parameter::optional("lengths", Kind::Tensor, "", "how many steps each row has")],
    build: |network, x, call| {
        let (steps, width) = sizes(network, "last", x)?;
        let Some(lengths) = call.tensor("lengths") else {
            let last = network.builder.slice(x, 1, steps - 1, steps)?;
            return Ok(network.builder.reshape(last, &Shape::batch(&[width]))?);
        };
        let ty = network.builder.ty(lengths);
        if !ty.element.is_integer() || ty.shape != Shape::batch(&[]) {
            let message =
                format!("`lengths` is one whole number a row, [batch]; it is {}{}", ty.element, network.shape_text(lengths));
            return Err(Fault::new(WRONG_RANK, message)
                .help("declare it as `input n: u32[batch];`")
                .at("lengths")
                .against(lengths));
        }
        let index = network.builder.cast(lengths, Element::I32)?;
        let one = network.builder.constant_like(index, 1.0)?;
        let index = network.builder.sub(index, one)?;
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
