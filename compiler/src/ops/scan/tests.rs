//! The scan against finite differences and against its steps written out.

use crate::autodiff::gradients;
use crate::graph::{Body, BuildError, Builder, Dim, Graph, NodeId, Root, Shape, Type, text};
use crate::ops::{Array, Environment, Primitive};
use crate::reference;
use std::collections::BTreeMap;

const ROWS: usize = 2;
const STEPS: usize = 3;
const WIDTH: usize = 3;

/// What a body makes of its two carries, its two sequences and its two constants: the carries after the step, and more.
type Step = fn(&mut Builder, &Inside) -> Result<(Vec<NodeId>, Vec<NodeId>), BuildError>;

struct Inside {
    h: NodeId,
    c: NodeId,
    x: NodeId,
    goes_on: NodeId,
    weight: NodeId,
    bias: NodeId,
}

/// A gated step, whose second carry is masked.
fn gated(b: &mut Builder, i: &Inside) -> Result<(Vec<NodeId>, Vec<NodeId>), BuildError> {
    let product = b.contract(i.h, i.weight, "n k, k j -> n j")?;
    let sum = b.add(product, i.bias)?;
    let sum = b.add(sum, i.x)?;
    let (left, right) = (b.slice(sum, 1, 0, WIDTH)?, b.slice(sum, 1, WIDTH, 2 * WIDTH)?);
    let (gate, new) = (b.unary(Primitive::Sigmoid, left)?, b.unary(Primitive::Tanh, right)?);
    let kept = b.mul(gate, i.c)?;
    let cell = b.add(kept, new)?;
    let shape = b.shape(cell);
    let goes_on = b.expand(i.goes_on, &shape, &[1])?;
    let cell = b.select(goes_on, cell, i.c)?;
    let shown = b.unary(Primitive::Tanh, cell)?;
    let h = b.mul(gate, shown)?;
    Ok((vec![h, cell], vec![sum]))
}

/// Constants used more than once, in other shapes, and among themselves.
fn tied(b: &mut Builder, i: &Inside) -> Result<(Vec<NodeId>, Vec<NodeId>), BuildError> {
    let doubled = b.mul(i.weight, i.weight)?;
    let up = b.contract(i.h, doubled, "n k, k j -> n j")?;
    let sum = b.add(up, i.x)?;
    let turned = b.transpose(i.weight, &[1, 0])?;
    let down = b.contract(sum, turned, "n j, j k -> n k")?;
    let first = b.slice(i.bias, 0, 0, WIDTH)?;
    let next = b.mul(down, first)?;
    let next = b.unary(Primitive::Tanh, next)?;
    let square = b.mul(i.c, next)?;
    let total = b.sum(square, &[1])?;
    let more = b.reshape(total, &Shape::batch(&[1]))?;
    Ok((vec![next, square], vec![more]))
}

struct Case {
    builder: Builder,
    /// `h`, `c`, `x`, `weight`, `bias`.
    sources: Vec<NodeId>,
    mask: NodeId,
}

impl Case {
    fn new() -> Result<Self, BuildError> {
        let mut builder = Builder::new("case");
        let mut sources = Vec::new();
        for (name, shape) in [
            ("h", Shape::batch(&[WIDTH])),
            ("c", Shape::batch(&[WIDTH])),
            ("x", Shape::batch(&[STEPS, 2 * WIDTH])),
            ("weight", Shape::fixed(&[WIDTH, 2 * WIDTH])),
            ("bias", Shape::fixed(&[2 * WIDTH])),
        ] {
            let kind = if shape.has_batch() { Primitive::Input } else { Primitive::Parameter };
            sources.push(builder.source(kind, name, Type::f32(shape))?);
        }
        // The second row has two steps.
        let shape = Shape::batch(&[STEPS]);
        let (row, step) = (builder.iota(shape.clone(), 0)?, builder.iota(shape, 1)?);
        let both = builder.add(row, step)?;
        let limit = builder.constant_like(both, STEPS as f64)?;
        let mask = builder.binary(Primitive::Lt, both, limit)?;
        Ok(Case { builder, sources, mask })
    }

    fn scanned(&mut self, step: Step, reversed: bool) -> Result<NodeId, BuildError> {
        let [h, c, x, weight, bias] = self.sources[..] else { unreachable!("there are five") };
        let outer = &mut self.builder;
        let mut body = Body::new(outer);
        let inside = Inside {
            h: body.carry(outer, h)?,
            c: body.carry(outer, c)?,
            x: body.sequence(outer, x)?,
            goes_on: body.sequence(outer, self.mask)?,
            weight: body.constant(outer, weight)?,
            bias: body.constant(outer, bias)?,
        };
        let (next, more) = step(&mut body.builder, &inside)?;
        outer.scan(body, &next, &more, reversed)
    }

    /// The same, step after step.
    fn unrolled(&mut self, step: Step, reversed: bool) -> Result<NodeId, BuildError> {
        let [mut h, mut c, x, weight, bias] = self.sources[..] else { unreachable!("there are five") };
        let b = &mut self.builder;
        let mut all = Vec::new();
        for turn in 0..STEPS {
            let at = if reversed { STEPS - 1 - turn } else { turn };
            let own = b.slice(x, 1, at, at + 1)?;
            let own = b.reshape(own, &Shape::batch(&[2 * WIDTH]))?;
            let goes_on = b.slice(self.mask, 1, at, at + 1)?;
            let goes_on = b.reshape(goes_on, &Shape::batch(&[]))?;
            let (next, more) = step(b, &Inside { h, c, x: own, goes_on, weight, bias })?;
            (h, c) = (next[0], next[1]);
            let given = b.concat(&[next, more].concat(), 1)?;
            let mut dims = b.shape(given).0;
            dims.insert(1, Dim::Fixed(1));
            all.push(b.reshape(given, &Shape(dims))?);
        }
        if reversed {
            all.reverse();
        }
        b.concat(&all, 1)
    }

    /// A scalar in which every element counts differently.
    fn loss(&mut self, of: NodeId) -> Result<NodeId, BuildError> {
        let b = &mut self.builder;
        let shape = b.shape(of);
        let mut weight = b.constant(0.4);
        for axis in 0..shape.rank() {
            let index = b.iota(shape.clone(), axis)?;
            let index = b.cast(index, crate::graph::Element::F32)?;
            let wave = b.scale(index, 1.0 + axis as f64)?;
            let wave = b.unary(Primitive::Sin, wave)?;
            weight = b.add(wave, weight)?;
        }
        let square = b.mul(of, of)?;
        let both = b.add(square, of)?;
        let product = b.mul(both, weight)?;
        b.sum_all(product)
    }
}

fn environment(graph: &Graph) -> Environment {
    let mut sources = BTreeMap::new();
    for id in graph.ids() {
        let Some(name) = graph.source_name(id) else { continue };
        let dims = graph.shape(id).at(ROWS);
        let count = dims.iter().product();
        let value = |at: usize| 0.7 * ((at * 7 + name.len() * 3) as f64 * 1.3).sin();
        sources.insert(name.to_string(), Array::new(dims, (0..count).map(value).collect()));
    }
    Environment { sources, batch: ROWS, ..Environment::default() }
}

fn values(graph: &Graph, nodes: &[NodeId], environment: &Environment) -> Vec<Array> {
    let roots = nodes.iter().map(|node| Root::Output { name: format!("{}", node.0), node: *node }).collect();
    let graph = Graph { roots, ..graph.clone() };
    let all = reference::evaluate(&graph, environment);
    nodes.iter().map(|node| all[node.index()].clone().expect("a root has a value")).collect()
}

fn near(title: &str, a: &Array, b: &Array, tolerance: f64) {
    assert_eq!(a.dims, b.dims, "{title}");
    for (at, (a, b)) in a.data.iter().zip(&b.data).enumerate() {
        assert!((a - b).abs() <= tolerance * (1.0 + b.abs()), "{title}[{at}]: {a} is not {b}");
    }
}

const CASES: [(&str, Step, bool); 4] =
    [("gated", gated, false), ("gated, reversed", gated, true), ("tied", tied, false), ("tied, reversed", tied, true)];

#[test]
fn a_scan_and_its_derivatives_are_those_of_its_steps_written_out() {
    for (title, step, reversed) in CASES {
        let mut case = Case::new().expect("sources");
        let both = [case.scanned(step, reversed).expect("a scan"), case.unrolled(step, reversed).expect("its steps")];
        let environment = environment(case.builder.graph());
        let found = values(case.builder.graph(), &both, &environment);
        near(title, &found[0], &found[1], 1e-12);
        let sources = case.sources.clone();
        let mut losses = both.map(|node| case.loss(node).expect("a scalar"));
        for order in ["first", "second"] {
            let slopes = losses.map(|loss| gradients(&mut case.builder, loss, &sources).expect("it is smooth"));
            for (number, source) in ["h", "c", "x", "weight", "bias"].iter().enumerate() {
                let found = values(case.builder.graph(), &[slopes[0][number], slopes[1][number]], &environment);
                near(&format!("{title}: {order} derivative by {source}"), &found[0], &found[1], 1e-9);
            }
            losses = slopes.map(|slopes| {
                let terms: Vec<NodeId> = slopes.into_iter().map(|slope| case.loss(slope).expect("a scalar")).collect();
                terms[1..].iter().fold(terms[0], |sum, term| case.builder.add(sum, *term).expect("scalars"))
            });
        }
    }
}

#[test]
fn derivatives_are_those_of_finite_differences() {
    const EPS: f64 = 1e-6;
    for (title, step, reversed) in CASES {
        let mut case = Case::new().expect("sources");
        let all = case.scanned(step, reversed).expect("a scan");
        let first = case.loss(all).expect("a scalar");
        let sources = case.sources.clone();
        let slopes = gradients(&mut case.builder, first, &sources).expect("it is smooth");
        let terms: Vec<NodeId> = slopes.iter().map(|slope| case.loss(*slope).expect("a scalar")).collect();
        let second = terms[1..].iter().fold(terms[0], |sum, term| case.builder.add(sum, *term).expect("scalars"));
        let curves = gradients(&mut case.builder, second, &sources).expect("it is smooth");
        let graph = case.builder.graph();
        let environment = environment(graph);
        for (order, loss, derived) in [("first", first, slopes), ("second", second, curves)] {
            let derived = values(graph, &derived, &environment);
            for (name, derived) in ["h", "c", "x", "weight", "bias"].iter().zip(derived) {
                for at in 0..derived.data.len() {
                    let moved = |by: f64| {
                        let mut environment = environment.clone();
                        environment.sources.get_mut(*name).expect("a source").data[at] += by;
                        values(graph, &[loss], &environment)[0].data[0]
                    };
                    let measured = (moved(EPS) - moved(-EPS)) / (2.0 * EPS);
                    let said = derived.data[at];
                    assert!(
                        (said - measured).abs() <= 1e-6 + 1e-5 * measured.abs(),
                        "{title}: {order} derivative by {name}[{at}] is {said}, measured {measured}"
                    );
                }
            }
        }
    }
}

#[test]
fn the_text_of_a_scan_and_its_derivative_reads_back() {
    let mut case = Case::new().expect("sources");
    let all = case.scanned(gated, true).expect("a scan");
    let loss = case.loss(all).expect("a scalar");
    let sources = case.sources.clone();
    let slopes = gradients(&mut case.builder, loss, &sources).expect("it is smooth");
    for (number, slope) in slopes.into_iter().enumerate() {
        case.builder.output(format!("slope{number}"), slope);
    }
    let graph = case.builder.finish();
    for origins in [false, true] {
        let printed = text::print(&graph, origins);
        assert!(printed.contains("    | graph step\n") && printed.contains("forward carries 2 sequences"), "{printed}");
        let back = text::parse(&printed).expect("it is our own text");
        assert_eq!(text::print(&back, origins), printed);
    }
}

/// The text of a scan of 3 steps whose body has these lines.
fn with_body(header: &str, body: &[&str]) -> String {
    let mut text = format!(
        "graph hostile\n  %0 = input \"h\" : f32[n, 4]\n  %1 = input \"x\" : f32[n, 3, 4]\n  %2 = parameter \"w\" : f32[4, 4]\n  %3 = scan %0, %1, %2 {header} : f32[n, 3, 4]\n"
    );
    for line in body {
        text.push_str(&format!("    | {line}\n"));
    }
    text + "  output \"y\" = %3\n"
}

#[test]
fn what_cannot_be_scanned_is_refused_with_words() {
    const PLAIN: &str = "forward carries 1 sequences 1";
    let good = with_body(PLAIN, &["graph step", "%0 = state \"h0\" : f32[n, 4]", "output \"h0\" = %0"]);
    text::parse(&good).expect("a body that does nothing");
    let carry = "%0 = state \"h0\" : f32[n, 4]";
    for (why, header, body) in [
        ("carries, and a body", PLAIN, vec![]),
        ("carries, and a body", "forward carries 0 sequences 1", vec!["graph step", carry, "output \"h0\" = %0"]),
        ("carries, and a body", "forward carries 2 sequences 1", vec!["graph step", carry, "output \"h0\" = %0"]),
        ("operands for", "forward carries 1 sequences 0", vec!["graph step", carry, "output \"h0\" = %0"]),
        ("operands for", "forward carries 1 sequences 18446744073709551615", vec![carry, "output \"h0\" = %0"]),
        ("not a sequence", "forward carries 1 sequences 2", vec!["graph step", carry, "output \"h0\" = %0"]),
        ("none of the operands", PLAIN, vec!["%0 = state \"h7\" : f32[n, 4]", "output \"h0\" = %0"]),
        (
            "none of the operands",
            PLAIN,
            vec!["%0 = state \"x0\" : f32[n, 3, 4]", carry.replace("%0", "%1").leak(), "output \"h0\" = %1"],
        ),
        ("known outside", PLAIN, vec!["%0 = input \"h\" : f32[n, 4]", "output \"h0\" = %0"]),
        ("known outside", PLAIN, vec!["%0 = step : f64[]", "%1 = state \"h0\" : f32[n, 4]", "output \"h0\" = %1"]),
        ("random", PLAIN, vec!["%0 = uniform stream 0 : f32[n, 4]", "output \"h0\" = %0"]),
        ("a step gives", PLAIN, vec!["%0 = state \"h0\" : f32[n, 4]", "%1 = sum %0 {1} : f32[n]", "output \"h0\" = %1"]),
        (
            "goes on as",
            PLAIN,
            vec!["%0 = state \"h0\" : f32[n, 4]", "%1 = slice %0 slice 1 0 2 : f32[n, 2]", "output \"h0\" = %1"],
        ),
        ("together", PLAIN, vec![carry, "%1 = sum %0 {0} : f32[4]", "%2 = broadcast %1 {1} : f32[n, 4]", "output \"h0\" = %2"]),
        (
            "computed outside",
            PLAIN,
            vec![
                "%0 = parameter \"w0\" : f32[4, 4]",
                "%1 = exp %0 : f32[4, 4]",
                "%2 = state \"h0\" : f32[n, 4]",
                "output \"h0\" = %2",
            ],
        ),
        (
            "first axis",
            PLAIN,
            vec![carry, "%1 = transpose %0 {1 0} : f32[4, n]", "%2 = transpose %1 {1 0} : f32[n, 4]", "output \"h0\" = %2"],
        ),
        ("no scan stands in a scan", PLAIN, vec!["| graph step"]),
        ("its body: line 1", PLAIN, vec!["%0 = nonsense : f32[n, 4]"]),
        ("updat", PLAIN, vec!["%0 = state \"h0\" : f32[n, 4]", "update %0 = %0"]),
    ] {
        let error = text::parse(&with_body(header, &body)).expect_err(why);
        assert!(error.contains(why) || why == "updat", "expected `{why}`: {error}");
    }
    let stray = "graph g\n  %0 = input \"h\" : f32[n, 4]\n    | graph step\n";
    assert!(text::parse(stray).expect_err("no scan").contains("belongs to a scan"));
}

#[test]
fn what_a_body_computes_of_constants_alone_is_computed_once_outside() {
    let mut case = Case::new().expect("sources");
    let all = case.scanned(tied, false).expect("a scan");
    let graph = case.builder.graph();
    let crate::graph::Attributes::Scan(scan) = &graph.node(all).attributes else { panic!("a scan") };
    let flat = |id: &NodeId| !scan.body.shape(*id).has_batch() && !scan.body.node(*id).operands.is_empty();
    let names: Vec<_> = scan.body.ids().filter(flat).map(|id| crate::ops::record(scan.body.node(id).primitive).name).collect();
    assert!(names.iter().all(|name| ["transpose", "slice", "reshape", "broadcast"].contains(name)), "{names:?}");
    assert!(graph.ids().any(|id| graph.node(id).primitive == Primitive::Mul), "the square of the weight is outside");
    // The mask is not asked for.
    assert_eq!(scan.sequences, 1);
}

#[test]
fn a_body_gives_what_its_caller_counts() {
    let mut case = Case::new().expect("sources");
    let outer = &mut case.builder;
    let mut body = Body::new(outer);
    let h = body.carry(outer, case.sources[0]).expect("a source");
    assert!(outer.scan(body, &[], &[h], false).is_err());
}
