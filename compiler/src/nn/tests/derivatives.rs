//! First and second derivatives of every loss, layer, metric and operation against finite differences, in training mode.
//!
//! The rows and what they take are read off the records: each function is called with its required arguments alone, and once for each
//! other value of each argument that may be left out. What is differentiated by are the row's parameters, inputs and targets. Random points
//! lie on no kink; what happens there is told in [`super::kinks`].

use crate::autodiff::gradients;
use crate::gradient_check::{directions, environment, measured, rooted};
use crate::graph::{Builder, Dim, Element, NodeId, Shape, Type};
use crate::nn::{Argument, Call, Family, Function, Kind, Network, functions, schedules};
use crate::ops::{Environment, Primitive};
use crate::reference;
use crate::splitmix::Random;
use std::collections::BTreeSet;

/// Largest share by which derivative and finite difference may differ: that of `gradc check`.
const TOLERANCE: f64 = 1e-4;
/// Directions besides the one through all elements.
const ELEMENTS: usize = 2;
/// Calls of one function that are tried until one is legal.
const MOST_TRIALS: usize = 20_000;

/// Sources that a row may be called on or take; the first are its likeliest receivers.
struct Sources {
    receivers: Vec<NodeId>,
    tensors: Vec<NodeId>,
}

fn sources(network: &mut Network) -> Sources {
    let of = |element: Element, sizes: &[usize]| {
        let dims = std::iter::once(Dim::Batch).chain(sizes.iter().map(|size| Dim::Fixed(*size))).collect();
        Type { element, shape: Shape(dims) }
    };
    let mut input = |name: &str, element, sizes: &[usize]| network.input(name, of(element, sizes), "").expect("an input");
    let x = input("x", Element::F32, &[6]);
    let z = input("z", Element::F32, &[6]);
    let s = input("s", Element::F32, &[3, 4]);
    let i = input("i", Element::F32, &[2, 4, 4]);
    let t = input("t", Element::F32, &[4, 2]);
    let c = input("c", Element::Class(6), &[]);
    let n = input("n", Element::U32, &[]);
    let m = input("m", Element::F32, &[3]);
    let y = network.target("y", of(Element::F32, &[6]), "").expect("a target");
    let w = network.target("w", of(Element::F32, &[]), "").expect("a target");
    let zero = network.builder.constant_like(x, 0.0).expect("a number");
    let positive = network.builder.binary(Primitive::Lt, zero, x).expect("a condition");
    let scaled = network.call("standardize", z, &Call::new("standardize")).expect("an input may be scaled");
    Sources { receivers: vec![x, s, i, c, positive, scaled], tensors: vec![y, c, w, m, n, z, t] }
}

/// Values to try for an argument; `place` keeps two numbers of one call apart.
fn candidates(kind: Kind, place: usize, sources: &Sources) -> Vec<Argument> {
    let numbers = |list: &[f64]| list.iter().map(|value| Argument::Number(*value)).collect::<Vec<_>>();
    let share = 0.3 + 0.15 * place as f64;
    match kind {
        Kind::Size { least } => numbers(&[least as f64, least as f64 + 1.0, 2.0]),
        Kind::Integer => numbers(&[1.0, -1.0]),
        Kind::Sizes => numbers(&[2.0, 6.0]),
        Kind::Padding => vec![Argument::Word("same".into()), Argument::Number(1.0)],
        Kind::Number { low, high, .. } => numbers(&[match (low.is_finite(), high.is_finite()) {
            (true, true) => low + share * (high - low),
            (true, false) => low + 0.5 + share,
            _ => share,
        }]),
        Kind::Flag => vec![Argument::Flag(true), Argument::Flag(false)],
        Kind::Choice(words) => words.iter().map(|word| Argument::Word(word.to_string())).collect(),
        Kind::Tensor => sources.tensors.iter().map(|node| Argument::Tensor(*node)).collect(),
        Kind::Tensors => sources.tensors.iter().map(|node| Argument::List(vec![Argument::Tensor(*node)])).collect(),
        Kind::Numbers => {
            [&[0.5, 1.0, 1.5, 2.0, 0.8, 1.2][..], &[0.0, 2.0, 1.0]].map(|list| Argument::List(numbers(list))).to_vec()
        }
        // They say how parameters begin and are penalised, not what is computed.
        Kind::Initializer | Kind::Penalty | Kind::Text => Vec::new(),
    }
}

/// A network in which the function was called.
struct Row {
    title: String,
    network: Network,
    output: NodeId,
}

/// The function on the first receiver and with the first arguments that it takes, if there are any.
fn called(function: &'static Function, further: Option<(&str, usize)>) -> Option<Row> {
    let mut start = Network::new("Net", true);
    let sources = sources(&mut start);
    let mut choices: Vec<(&str, Vec<Argument>)> = Vec::new();
    for (place, parameter) in function.parameters.iter().enumerate() {
        if parameter.default.is_none() {
            choices.push((parameter.name, candidates(parameter.kind, place, &sources)));
        } else if let Some((name, number)) = further.filter(|(name, _)| *name == parameter.name) {
            choices.push((name, vec![candidates(parameter.kind, place, &sources).into_iter().nth(number)?]));
        }
    }
    let combinations: usize = choices.iter().map(|(_, list)| list.len()).product();
    for number in 0..(combinations * sources.receivers.len()).min(MOST_TRIALS) {
        let receiver = sources.receivers[number / combinations];
        let mut rest = number % combinations;
        let mut call = Call::new(function.name);
        for (name, list) in &choices {
            call = call.set(name, list[rest % list.len()].clone());
            rest /= list.len();
        }
        let mut network = start.clone();
        let Ok(output) = network.call(function.name, receiver, &call) else { continue };
        network.predicts.push(("output".into(), output));
        return Some(Row { title: format!("{}{:?}", function.name, call.arguments), network, output });
    }
    None
}

/// A sum of the elements, each with a weight of its own.
fn projected(builder: &mut Builder, x: NodeId) -> NodeId {
    let shape = builder.shape(x);
    let mut phase = builder.constant_like(x, 0.7).expect("a number");
    for axis in 0..shape.rank() {
        let index = builder.iota(shape.clone(), axis).expect("an axis");
        let index = builder.cast(index, Element::F32).expect("a number");
        let turned = builder.scale(index, 1.3 + axis as f64).expect("a number");
        phase = builder.add(phase, turned).expect("one shape");
    }
    let weights = builder.unary(Primitive::Sin, phase).expect("a number");
    let product = builder.mul(x, weights).expect("one shape");
    builder.sum_all(product).expect("a sum")
}

/// Values at which the row is a number: positive ones where it takes a logarithm or a root.
fn values(row: &Row) -> Environment {
    let mut environment = environment(&row.network, 7).expect("initialisers");
    let graph = rooted(row.network.builder.graph(), vec![("loss".into(), row.output)]);
    let is_finite =
        |environment: &Environment| reference::run(&graph, environment).0["loss"].data.iter().all(|value| value.is_finite());
    if !is_finite(&environment) {
        for name in ["x", "z", "s", "i"] {
            let array = environment.sources.get_mut(name).expect("an input");
            array.data.iter_mut().for_each(|value| *value = 0.1 + 0.5 * value.abs());
        }
    }
    assert!(is_finite(&environment), "{} has no value", row.title);
    environment
}

/// Holds the gradient of `loss` by each of the sources that it hangs on to finite differences; gives those gradients.
fn check(
    title: &str,
    builder: &mut Builder,
    loss: NodeId,
    by: &[(String, NodeId)],
    environment: &mut Environment,
) -> Vec<NodeId> {
    let mut found = Vec::new();
    let mut random = Random(11);
    let graph = rooted(builder.graph(), vec![("loss".into(), loss)]);
    for (name, source) in by {
        if !builder.graph().ancestors([loss])[source.index()] {
            continue;
        }
        let slope = gradients(builder, loss, &[*source]).ok().map(|slopes| slopes[0]);
        let count = environment.sources[name].data.len();
        let values = match slope {
            Some(slope) => {
                reference::run(&rooted(builder.graph(), vec![("slope".into(), slope)]), environment).0["slope"].data.clone()
            }
            // Where the calculus finds nothing, there is nothing.
            None => vec![0.0; count],
        };
        found.extend(slope);
        for direction in directions(count, &mut random).into_iter().take(1 + ELEMENTS) {
            let said = direction.iter().map(|(index, weight)| values[*index] * weight).sum();
            let difference = measured(&graph, environment, name, &direction, said);
            assert!(difference <= TOLERANCE, "{title}, by {name}: {said} is off by {difference}");
        }
    }
    found
}

/// Checks both orders; whether the row has a slope at all.
fn differentiates(row: Row) -> bool {
    // It says 0 where the slope is not.
    if row.title.starts_with("stop_gradient") {
        return false;
    }
    let mut environment = values(&row);
    let Row { title, mut network, output } = row;
    if network.builder.ty(output).element != Element::F32 {
        return false;
    }
    let learned = network.learned().map(|learned| (learned.name.clone(), learned.node));
    let inputs = network.inputs.iter().chain(&network.targets).filter(|input| input.ty.element == Element::F32);
    let by: Vec<(String, NodeId)> = learned.chain(inputs.map(|input| (input.name.clone(), input.node))).collect();
    let builder = &mut network.builder;
    // Squares give the straight rows a second derivative too.
    let square = builder.mul(output, output).expect("one shape");
    let (once, twice) = (projected(builder, output), projected(builder, square));
    let loss = builder.add(once, twice).expect("scalars");
    let slopes = check(&title, builder, loss, &by, &mut environment);
    let sums: Vec<NodeId> = slopes.iter().map(|slope| projected(builder, *slope)).collect();
    let Some(total) = sums.into_iter().reduce(|a, b| builder.add(a, b).expect("scalars")) else { return false };
    check(&format!("{title}, second derivative"), builder, total, &by, &mut environment);
    true
}

#[test]
fn every_row_has_the_derivatives_of_finite_differences() {
    let is_tensor = |function: &&'static Function| !schedules::LIST.iter().any(|schedule| schedule.name == function.name);
    let others = |function: &&'static Function| function.family != Family::Activation;
    let mut flat = BTreeSet::new();
    for function in functions().filter(is_tensor).filter(others) {
        let row = called(function, None).unwrap_or_else(|| panic!("no call of {} is legal", function.name));
        if !differentiates(row) {
            flat.insert(function.name);
        }
        for parameter in function.parameters.iter().filter(|parameter| parameter.default.is_some()) {
            let mut start = Network::new("Net", true);
            let count = candidates(parameter.kind, 0, &sources(&mut start)).len();
            let rows: Vec<Row> = (0..count).filter_map(|number| called(function, Some((parameter.name, number)))).collect();
            assert!(count == 0 || !rows.is_empty(), "no value of {}({}) is legal", function.name, parameter.name);
            for row in rows {
                differentiates(row);
            }
        }
    }
    // Steps: what counts has no slope.
    let counts =
        ["accuracy", "confusion_matrix", "f1", "one_hot", "precision", "recall", "roc_auc", "sign", "stop_gradient", "top_k"];
    assert_eq!(flat.into_iter().collect::<Vec<_>>(), counts);
}
