//! Text in, text out: what the passes make of whole graphs.

use super::*;
use crate::autodiff;
use crate::graph::{Attributes, Builder, NodeId, Shape, Type, text};
use crate::ops::Primitive;

fn input(builder: &mut Builder, name: &str, shape: Shape) -> NodeId {
    builder.source(Primitive::Input, name, Type::f32(shape)).unwrap()
}

/// The nodes and roots of a graph's text.
fn body(graph: &Graph) -> String {
    text::print(graph, false).lines().skip(1).map(|line| format!("{}\n", line.trim())).collect()
}

/// Simplified, validated, as text.
fn simplified(builder: Builder) -> String {
    let mut context = Context { validate: true, ..Context::new() };
    let graph = simplify_step(&builder.finish(), &mut context).unwrap_or_else(|bug| panic!("{bug}"));
    body(&graph)
}

/// `loss` differentiated by `x`; the simplified text.
fn derived(mut builder: Builder, loss: NodeId, x: NodeId, keep: &[(&str, NodeId)]) -> String {
    let gradient = autodiff::gradients(&mut builder, loss, &[x]).unwrap()[0];
    for (name, node) in keep {
        builder.output(*name, *node);
    }
    builder.output("dx", gradient);
    simplified(builder)
}

/// Runs the forward passes on a builder whose one output is the loss; the loss and the source `x` in the new graph.
fn forward(mut builder: Builder, loss: NodeId) -> (Builder, NodeId, NodeId) {
    builder.output("loss", loss);
    let mut context = Context { validate: true, ..Context::new() };
    let mut graph = simplify_forward(&builder.finish(), &mut context).unwrap_or_else(|bug| panic!("{bug}"));
    let loss = graph.output("loss").unwrap();
    graph.roots.clear();
    let x = graph.find_source(Primitive::Input, "x").unwrap();
    (Builder::continue_from(graph), loss, x)
}

/// A node spelt out down to its sources.
fn formula(graph: &Graph, id: NodeId) -> String {
    if let Some(name) = graph.source_name(id) {
        return name.into();
    }
    if let Some(value) = graph.constant(id) {
        return text::number(value);
    }
    let node = graph.node(id);
    let operands: Vec<String> = node.operands.iter().map(|&operand| formula(graph, operand)).collect();
    let axes = match &node.attributes {
        Attributes::Axes(axes) => format!("{{{}}}", axes.iter().map(usize::to_string).collect::<Vec<_>>().join(" ")),
        _ => String::new(),
    };
    let name = crate::ops::record(node.primitive).name;
    if operands.is_empty() { name.into() } else { format!("{name}{axes}({})", operands.join(", ")) }
}

/// `loss` differentiated by `x`, simplified, spelt out.
fn derived_formula(mut builder: Builder, loss: NodeId, x: NodeId) -> String {
    let gradient = autodiff::gradients(&mut builder, loss, &[x]).unwrap()[0];
    builder.output("dx", gradient);
    let mut context = Context { validate: true, ..Context::new() };
    let graph = simplify_step(&builder.finish(), &mut context).unwrap_or_else(|bug| panic!("{bug}"));
    formula(&graph, graph.output("dx").unwrap())
}

fn softmax(builder: &mut Builder, x: NodeId) -> NodeId {
    let shape = builder.shape(x);
    let last = shape.rank() - 1;
    let m = builder.reduce(Primitive::ReduceMax, x, &[last]).unwrap();
    let m = builder.unary(Primitive::StopGradient, m).unwrap();
    let m = builder.expand(m, &shape, &[last]).unwrap();
    let d = builder.sub(x, m).unwrap();
    let e = builder.unary(Primitive::Exp, d).unwrap();
    let sum = builder.sum(e, &[last]).unwrap();
    let sum = builder.expand(sum, &shape, &[last]).unwrap();
    builder.div(e, sum).unwrap()
}

/// `-Σ y v / n`.
fn mean_of_products(builder: &mut Builder, y: NodeId, v: NodeId) -> NodeId {
    let product = builder.mul(y, v).unwrap();
    let sum = builder.sum_all(product).unwrap();
    let minus = builder.neg(sum).unwrap();
    let count = builder.batch_size();
    builder.div(minus, count).unwrap()
}

fn written_sigmoid(builder: &mut Builder, x: NodeId) -> NodeId {
    let minus = builder.neg(x).unwrap();
    let tail = builder.unary(Primitive::Exp, minus).unwrap();
    let below = builder.offset(tail, 1.0).unwrap();
    let one = builder.constant_like(x, 1.0).unwrap();
    builder.div(one, below).unwrap()
}

const SLOPE: &str = "\
%0 = input \"x\" : f32[n, 4]
%1 = constant 1 : f32[]
%2 = broadcast %1 {} : f32[n, 4]
%3 = sigmoid %0 : f32[n, 4]
%4 = sub %2, %3 : f32[n, 4]
%5 = mul %3, %4 : f32[n, 4]
output \"s\" = %3
output \"dx\" = %5
";

#[test]
fn the_gradient_of_a_written_sigmoid_is_its_slope() {
    let mut builder = Builder::new("t");
    let x = input(&mut builder, "x", Shape::batch(&[4]));
    let s = written_sigmoid(&mut builder, x);
    let loss = builder.sum_all(s).unwrap();
    assert_eq!(derived(builder, loss, x, &[("s", s)]), SLOPE);
}

#[test]
fn the_gradient_of_a_written_sigmoid_in_a_product_reads_the_forward_value() {
    let mut builder = Builder::new("t");
    let x = input(&mut builder, "x", Shape::batch(&[4]));
    let g = input(&mut builder, "g", Shape::batch(&[4]));
    let s = written_sigmoid(&mut builder, x);
    let product = builder.mul(s, g).unwrap();
    let loss = builder.sum_all(product).unwrap();
    assert_eq!(derived_formula(builder, loss, x), "mul(g, mul(sigmoid(x), sub(1, sigmoid(x))))");
}

#[test]
fn the_gradient_of_a_sigmoid_simplified_first_is_the_same() {
    let mut builder = Builder::new("t");
    let x = input(&mut builder, "x", Shape::batch(&[4]));
    let s = written_sigmoid(&mut builder, x);
    let loss = builder.sum_all(s).unwrap();
    let (builder, loss, x) = forward(builder, loss);
    assert_eq!(formula(builder.graph(), loss), "sum{0 1}(sigmoid(x))");
    assert_eq!(derived_formula(builder, loss, x), "mul(sigmoid(x), sub(1, sigmoid(x)))");
}

#[test]
fn cross_entropy_on_a_softmax_becomes_a_log_softmax() {
    let mut builder = Builder::new("t");
    let x = input(&mut builder, "x", Shape::batch(&[5]));
    let y = input(&mut builder, "y", Shape::batch(&[5]));
    let p = softmax(&mut builder, x);
    let log = builder.unary(Primitive::Log, p).unwrap();
    let loss = mean_of_products(&mut builder, y, log);
    let (builder, loss, x) = forward(builder, loss);
    let shifted = "sub(x, broadcast{0}(stop_gradient(reduce_max{1}(x))))";
    assert_eq!(
        formula(builder.graph(), loss),
        format!("div(neg(sum{{0 1}}(mul(y, sub({shifted}, broadcast{{0}}(log(sum{{1}}(exp({shifted})))))))), batch_size)")
    );
    let shifted = "sub(x, broadcast{0}(reduce_max{1}(x)))";
    assert_eq!(derived_formula(builder, loss, x), "");
}

#[test]
fn binary_cross_entropy_on_a_sigmoid_needs_one_logarithm() {
    for (first, second) in [(false, false), (true, false), (true, true)] {
        let mut builder = Builder::new("t");
        let x = input(&mut builder, "x", Shape::batch(&[1]));
        let y = input(&mut builder, "y", Shape::batch(&[1]));
        let p = if first { written_sigmoid(&mut builder, x) } else { builder.unary(Primitive::Sigmoid, x).unwrap() };
        let one = builder.constant_like(x, 1.0).unwrap();
        let (rest, other) = (builder.sub(one, p).unwrap(), builder.sub(one, y).unwrap());
        let (log, log_rest) = (builder.unary(Primitive::Log, p).unwrap(), builder.unary(Primitive::Log, rest).unwrap());
        let (hit, miss) = (builder.mul(y, log).unwrap(), builder.mul(other, log_rest).unwrap());
        let each = if second {
            let minus = builder.neg(hit).unwrap();
            builder.sub(minus, miss).unwrap()
        } else {
            let sum = builder.add(hit, miss).unwrap();
            builder.neg(sum).unwrap()
        };
        let loss = builder.mean_all(each).unwrap();
        let (builder, loss, x) = forward(builder, loss);
        let softplus = "add(max(0, x), log1p(exp(min(x, neg(x)))))";
        assert_eq!(formula(builder.graph(), loss), format!("div(sum{{0 1}}(sub({softplus}, mul(x, y))), batch_size)"));
        assert_eq!(derived_formula(builder, loss, x), "");
    }
}
