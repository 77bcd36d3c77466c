//! Every primitive's derivative against finite differences in f64, first and second; and against what its record says of itself.

use super::{Array, Environment, PRIMITIVES, Primitive, Sample, record};
use crate::autodiff::gradients;
use crate::graph::{Attributes, BuildError, Builder, Element, Graph, NodeId, Root, Shape, Type, Window};
use crate::reference;
use std::collections::{BTreeMap, BTreeSet};

const EPS: f64 = 1e-6;
const ABSOLUTE: f64 = 1e-5;
const RELATIVE: f64 = 1e-3;

/// A value for an element of an operand, away from kinks: from integers, from zero, and from those of other operands.
fn value(sample: Sample, operand: usize, element: usize) -> f64 {
    let x = ((element * 7 + operand * 5) % 12) as f64 / 12.0 + 0.037 * (operand + 1) as f64;
    match sample {
        Sample::Unit => 0.1 + 0.7 * x,
        Sample::Positive => 0.4 + 1.3 * x,
        _ if (element + operand).is_multiple_of(2) => 0.23 + 1.3 * x,
        _ => -0.31 - 1.3 * x,
    }
}

struct Trial {
    builder: Builder,
    sources: BTreeMap<String, Array>,
    operands: Vec<NodeId>,
}

impl Trial {
    fn new() -> Self {
        Trial { builder: Builder::new("trial"), sources: BTreeMap::new(), operands: Vec::new() }
    }

    fn source(&mut self, name: &str, dims: &[usize], of: impl Fn(usize) -> f64) -> Result<NodeId, BuildError> {
        let shape = Shape::fixed(dims);
        self.sources.insert(name.to_string(), Array::new(dims.to_vec(), (0..dims.iter().product()).map(of).collect()));
        self.builder.source(Primitive::Parameter, name, Type::f32(shape))
    }

    /// A tensor that is differentiated by.
    fn operand(&mut self, dims: &[usize], sample: Sample) -> Result<NodeId, BuildError> {
        let number = self.operands.len();
        let node = self.source(&format!("p{number}"), dims, |element| value(sample, number, element))?;
        self.operands.push(node);
        Ok(node)
    }

    /// A sum of `x` with fixed weights of many sizes.
    fn projected(&mut self, x: NodeId, name: &str) -> Result<NodeId, BuildError> {
        let dims = self.builder.shape(x).at(1);
        let weights = self.source(name, &dims, |element| ((element * 31 + 7) % 17) as f64 / 9.0 - 0.8)?;
        let product = self.builder.mul(x, weights)?;
        self.builder.sum_all(product)
    }

    /// A scalar that uses the result twice and each operand once more: a driver that forgets to add shows.
    fn loss(&mut self, out: NodeId) -> Result<NodeId, BuildError> {
        let square = self.builder.mul(out, out)?;
        let (once, twice) = (self.projected(out, "w.once")?, self.projected(square, "w.twice")?);
        let mut loss = self.builder.add(once, twice)?;
        for (number, operand) in self.operands.clone().into_iter().enumerate() {
            let more = self.projected(operand, &format!("w.{number}"))?;
            loss = self.builder.add(loss, more)?;
        }
        Ok(loss)
    }
}

fn run(graph: &Graph, sources: &BTreeMap<String, Array>, roots: &[(String, NodeId)]) -> BTreeMap<String, Array> {
    let roots = roots.iter().map(|(name, node)| Root::Output { name: name.clone(), node: *node }).collect();
    let graph = Graph { roots, ..graph.clone() };
    let environment = Environment { sources: sources.clone(), batch: 1, step: 3, turn: 3, steps: 9.0, epoch: 2, seed: 5 };
    reference::run(&graph, &environment).0
}

/// Holds the gradient of `loss` to finite differences; returns the gradients' nodes, or nothing where the calculus refuses.
fn check(title: &str, trial: &mut Trial, loss: NodeId) -> Option<Vec<NodeId>> {
    let operands = trial.operands.clone();
    let slopes = gradients(&mut trial.builder, loss, &operands).ok()?;
    let named = slopes.iter().enumerate().map(|(number, node)| (format!("g{number}"), *node)).collect::<Vec<_>>();
    let found = run(trial.builder.graph(), &trial.sources, &named);
    let at = |sources: &BTreeMap<String, Array>| run(trial.builder.graph(), sources, &[("loss".into(), loss)])["loss"].data[0];
    for number in 0..operands.len() {
        let (name, gradient) = (format!("p{number}"), &found[&format!("g{number}")]);
        for element in 0..gradient.data.len() {
            let mut moved = trial.sources.clone();
            let mut shifted = |by: f64| {
                moved.get_mut(&name).expect("an operand").data[element] = trial.sources[&name].data[element] + by;
                at(&moved)
            };
            let measured = (shifted(EPS) - shifted(-EPS)) / (2.0 * EPS);
            let derived = gradient.data[element];
            assert!(
                (derived - measured).abs() <= ABSOLUTE + RELATIVE * measured.abs(),
                "{title}: gradient of {name}[{element}] is {derived}, measured {measured}"
            );
        }
    }
    Some(slopes)
}

/// First and, if the record promises them, second derivatives of what `build` makes; whether there were any.
fn differentiates(title: &str, smooth: bool, build: impl Fn(&mut Trial) -> Result<NodeId, BuildError>) -> bool {
    let mut trial = Trial::new();
    let out = build(&mut trial).unwrap_or_else(|error| panic!("{title}: {error}"));
    if trial.builder.ty(out).element != Element::F32 {
        return false;
    }
    let loss = trial.loss(out).unwrap_or_else(|error| panic!("{title}: {error}"));
    let Some(slopes) = check(title, &mut trial, loss) else { return false };
    if smooth {
        let mut second = trial.projected(slopes[0], "w.slope").expect("a float");
        let square = trial.builder.mul(slopes[0], slopes[0]).expect("a float");
        let more = trial.projected(square, "w.slope.twice").expect("a float");
        second = trial.builder.add(second, more).expect("scalars");
        check(&format!("{title}, second derivative"), &mut trial, second);
    }
    true
}

const DIMS: [usize; 2] = [3, 4];

fn pointwise(trial: &mut Trial, primitive: Primitive) -> Result<NodeId, BuildError> {
    let record = record(primitive);
    let mut operands = Vec::new();
    for number in 0..record.arity.unwrap_or(2) {
        let sample = record.samples[number.min(record.samples.len() - 1)];
        operands.push(match sample {
            Sample::Bool => {
                let (a, zero) =
                    (trial.source(&format!("bool{number}"), &DIMS, |element| value(Sample::Real, number, element))?, 0.0);
                let zero = trial.builder.constant_like(a, zero)?;
                trial.builder.binary(Primitive::Lt, zero, a)?
            }
            sample => trial.operand(&DIMS, sample)?,
        });
    }
    let given = Type::f32(Shape::fixed(&DIMS));
    trial.builder.apply(primitive, &operands, Attributes::None, Some(given))
}

#[test]
fn pointwise_derivatives_are_those_of_finite_differences() {
    let mut checked = BTreeSet::new();
    for &primitive in PRIMITIVES.iter().filter(|&&primitive| record(primitive).is_pointwise()) {
        let record = record(primitive);
        // What it stops is no derivative, by definition.
        let takes_floats = primitive != Primitive::StopGradient
            && record.samples.iter().all(|sample| *sample != Sample::Integer)
            && !record.samples.iter().all(|sample| *sample == Sample::Bool);
        if takes_floats && differentiates(record.name, record.smooth, |trial| pointwise(trial, primitive)) {
            checked.insert(record.name);
        }
    }
    println!("{} pointwise primitives: {checked:?}", checked.len());
    for name in ["add", "sub", "mul", "div", "pow", "exp", "log", "tanh", "sigmoid", "sqrt", "max", "min", "abs", "select", "erf"]
    {
        assert!(checked.contains(name), "{name} was not differentiated: {checked:?}");
    }
}

#[test]
fn derivatives_of_reductions_products_and_movement_are_those_of_finite_differences() {
    type Build = fn(&mut Trial) -> Result<NodeId, BuildError>;
    let cases: &[(&str, bool, Build)] = &[
        ("sum", true, |t| t.operand(&DIMS, Sample::Real).and_then(|x| t.builder.sum(x, &[0]))),
        ("sum of all", true, |t| t.operand(&DIMS, Sample::Real).and_then(|x| t.builder.sum_all(x))),
        ("reduce_max", false, |t| t.operand(&DIMS, Sample::Real).and_then(|x| t.builder.reduce(Primitive::ReduceMax, x, &[1]))),
        ("reduce_min", false, |t| t.operand(&DIMS, Sample::Real).and_then(|x| t.builder.reduce(Primitive::ReduceMin, x, &[0]))),
        ("mean", true, |t| t.operand(&DIMS, Sample::Real).and_then(|x| t.builder.mean(x, &[1]))),
        ("transpose", true, |t| t.operand(&DIMS, Sample::Real).and_then(|x| t.builder.transpose(x, &[1, 0]))),
        ("reshape", true, |t| t.operand(&DIMS, Sample::Real).and_then(|x| t.builder.reshape(x, &Shape::fixed(&[2, 6])))),
        ("slice", true, |t| t.operand(&DIMS, Sample::Real).and_then(|x| t.builder.slice(x, 1, 1, 3))),
        ("window", true, |t| {
            let window = Window { axis: 1, extent: 7, places: 3, stride: 2, size: 2, dilation: -2, offset: 2 };
            t.operand(&[2, 7, 2], Sample::Real).and_then(|x| t.builder.window(x, window))
        }),
        ("unwindow", true, |t| {
            let window = Window { axis: 0, extent: 7, places: 3, stride: 2, size: 3, dilation: 1, offset: 0 };
            t.operand(&[3, 3, 2], Sample::Real).and_then(|x| t.builder.unwindow(x, window))
        }),
        ("pad", true, |t| t.operand(&DIMS, Sample::Real).and_then(|x| t.builder.pad(x, 0, 1, 2))),
        ("broadcast", true, |t| t.operand(&[4], Sample::Real).and_then(|x| t.builder.broadcast(x, &Shape::fixed(&[3, 4]), &[1]))),
        ("concat", true, |t| {
            let (a, b) = (t.operand(&DIMS, Sample::Real)?, t.operand(&DIMS, Sample::Real)?);
            t.builder.concat(&[a, b], 1)
        }),
        ("contract", true, |t| {
            let (a, b) = (t.operand(&[3, 4], Sample::Real)?, t.operand(&[4, 2], Sample::Real)?);
            t.builder.contract(a, b, "n k, k j -> n j")
        }),
        ("contract, transposed", true, |t| {
            let (a, b) = (t.operand(&[4, 3], Sample::Real)?, t.operand(&[2, 4], Sample::Real)?);
            t.builder.contract(a, b, "k n, j k -> n j")
        }),
    ];
    for (name, smooth, build) in cases {
        assert!(differentiates(name, *smooth, build), "{name} has no derivative");
    }
}
