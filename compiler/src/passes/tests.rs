//! Text in, text out: what the passes make of whole graphs.

mod wrong_rules;

use super::*;
use crate::autodiff;
use crate::graph::{Attributes, Builder, Element, NodeId, Origin, Shape, Type, text};
use crate::ops::{Array, Environment, Primitive};
use crate::reference;

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
        format!("neg(div(sum{{0 1}}(mul(y, sub({shifted}, broadcast{{0}}(log(sum{{1}}(exp({shifted}))))))), batch_size))")
    );
    // e^d / Σ e^d · Σ y is one factor a row; Σ y is 1 where y is one-hot.
    let e = "exp(sub(x, broadcast{0}(reduce_max{1}(x))))";
    let softmax = format!("mul({e}, broadcast{{0}}(div(sum{{1}}(y), sum{{1}}({e}))))");
    assert_eq!(derived_formula(builder, loss, x), format!("mul(broadcast{{}}(div(1, batch_size)), sub({softmax}, y))"));
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
        let softplus = "add(log1p(exp(min(x, neg(x)))), max(0, x))";
        assert_eq!(formula(builder.graph(), loss), format!("div(sum{{0 1}}(sub({softplus}, mul(x, y))), batch_size)"));
        let slope = "mul(broadcast{}(div(1, batch_size)), sub(sigmoid(x), y))";
        assert_eq!(derived_formula(builder, loss, x), slope);
    }
}

#[test]
fn a_sum_over_a_one_hot_class_is_one() {
    let mut builder = Builder::new("t");
    let x = input(&mut builder, "x", Shape::batch(&[5]));
    let class = builder.source(Primitive::Target, "y", Type { element: Element::Class(5), shape: Shape::batch(&[]) }).unwrap();
    let shape = builder.shape(x);
    let index = builder.iota(shape.clone(), 1).unwrap();
    let class = builder.cast(class, Element::I32).unwrap();
    let class = builder.expand(class, &shape, &[1]).unwrap();
    let hit = builder.binary(Primitive::Eq, index, class).unwrap();
    let y = builder.cast(hit, Element::F32).unwrap();
    let p = softmax(&mut builder, x);
    let log = builder.unary(Primitive::Log, p).unwrap();
    let loss = mean_of_products(&mut builder, y, log);
    let (builder, loss, x) = forward(builder, loss);
    let e = "exp(sub(x, broadcast{0}(reduce_max{1}(x))))";
    let softmax = format!("mul({e}, broadcast{{0}}(div(1, sum{{1}}({e}))))");
    let one_hot = "cast(eq(iota, broadcast{0}(cast(y))))";
    assert_eq!(derived_formula(builder, loss, x), format!("mul(broadcast{{}}(div(1, batch_size)), sub({softmax}, {one_hot}))"));
}

#[test]
fn the_slopes_of_softplus_and_log_sigmoid_are_right_at_zero() {
    for (name, slope) in [("softplus", 0.5), ("log-sigmoid", 0.5), ("log-one-minus-sigmoid", -0.5)] {
        let mut builder = Builder::new(name);
        let x = input(&mut builder, "x", Shape::fixed(&[3]));
        let s = builder.unary(Primitive::Sigmoid, x).unwrap();
        let e = builder.unary(Primitive::Exp, x).unwrap();
        let one = builder.constant_like(x, 1.0).unwrap();
        let inner = match name {
            "softplus" => builder.add(e, one).unwrap(),
            "log-sigmoid" => s,
            _ => builder.sub(one, s).unwrap(),
        };
        let log = builder.unary(Primitive::Log, inner).unwrap();
        let loss = builder.sum_all(log).unwrap();
        let (mut builder, loss, x) = forward(builder, loss);
        let gradient = autodiff::gradients(&mut builder, loss, &[x]).unwrap()[0];
        builder.output("dx", gradient);
        builder.output("loss", loss);
        let raw = builder.finish();
        let simple = simplify_step(&raw, &mut Context { validate: true, ..Context::new() }).unwrap();
        for graph in [raw, simple] {
            let mut environment = Environment { batch: 1, ..Environment::default() };
            environment.sources.insert("x".into(), Array::new(vec![3], vec![0.0, 800.0, -800.0]));
            let (outputs, _) = reference::run(&graph, &environment);
            let far = if name == "softplus" {
                [1.0, 0.0]
            } else if slope > 0.0 {
                [0.0, 1.0]
            } else {
                [-1.0, 0.0]
            };
            assert_eq!(outputs["dx"].data, [slope, far[0], far[1]], "{name}");
            assert!(outputs["loss"].data[0].is_finite());
        }
    }
}

#[test]
fn the_mask_of_relu_is_read_from_its_output() {
    let mut builder = Builder::new("t");
    let x = input(&mut builder, "x", Shape::batch(&[4]));
    let zero = builder.constant_like(x, 0.0).unwrap();
    let y = builder.binary(Primitive::Max, zero, x).unwrap();
    let square = builder.mul(y, y).unwrap();
    let loss = builder.sum_all(square).unwrap();
    let kept = [("loss", loss)];
    let text = derived(builder, loss, x, &kept);
    assert!(text.contains("%3 = max %2, %0"), "{text}");
    assert!(text.contains("lt %2, %3"), "{text}");
}

#[test]
fn the_gradient_of_a_squared_error_is_one_scaled_difference() {
    let mut builder = Builder::new("t");
    let x = input(&mut builder, "x", Shape::batch(&[4]));
    let y = input(&mut builder, "y", Shape::batch(&[4]));
    let error = builder.sub(x, y).unwrap();
    let two = builder.constant_like(x, 2.0).unwrap();
    let square = builder.binary(Primitive::Pow, error, two).unwrap();
    let loss = builder.mean_all(square).unwrap();
    let (builder, loss, x) = forward(builder, loss);
    assert_eq!(formula(builder.graph(), loss), "div(sum{0 1}(mul(sub(x, y), sub(x, y))), mul(batch_size, 4))");
    assert_eq!(derived_formula(builder, loss, x), "mul(sub(x, y), broadcast{}(div(0.5, batch_size)))");
}

#[test]
fn sharing_sees_through_the_order_of_operands_but_not_of_streams() {
    let mut builder = Builder::new("t");
    let (x, y) = (input(&mut builder, "x", Shape::fixed(&[2])), input(&mut builder, "y", Shape::fixed(&[2])));
    let (a, b) = (builder.add(x, y).unwrap(), builder.add(y, x).unwrap());
    let (c, d) = (builder.uniform(Shape::fixed(&[2])).unwrap(), builder.uniform(Shape::fixed(&[2])).unwrap());
    for (name, node) in [("a", a), ("b", b), ("c", c), ("d", d)] {
        builder.output(name, node);
    }
    let mut context = Context::new();
    let graph = simplify_step(&builder.finish(), &mut context).unwrap();
    assert_eq!(graph.output("a"), graph.output("b"));
    assert_ne!(graph.output("c"), graph.output("d"));
    assert_eq!(log_text("t", &context.log), "rewrites t\n  share  %3 = add(%0, %1)  -> %2  exact\n");
}

#[test]
fn dead_code_goes_and_updated_sources_stay() {
    let mut builder = Builder::new("t");
    let x = input(&mut builder, "x", Shape::fixed(&[2]));
    let unused = input(&mut builder, "unused", Shape::fixed(&[2]));
    builder.neg(unused).unwrap();
    let w = builder.source(Primitive::Parameter, "w", Type::f32(Shape::fixed(&[2]))).unwrap();
    builder.update(w, x).unwrap();
    let graph = builder.finish();
    let step = simplify_step(&graph, &mut Context::new()).unwrap();
    let names: Vec<&str> = step.ids().filter_map(|id| step.source_name(id)).collect();
    assert_eq!(names, ["x", "w"]);
    let forward = simplify_forward(&graph, &mut Context::new()).unwrap();
    assert!(forward.find_source(Primitive::Input, "unused").is_some());
}

#[test]
fn rewritten_nodes_name_their_rule_and_keep_their_place() {
    let mut builder = Builder::new("t");
    let x = input(&mut builder, "x", Shape::fixed(&[2]));
    builder.set_origin(Origin { path: "h.gate".into(), place: "a.net:3:1".into(), ..Origin::default() });
    let s = written_sigmoid(&mut builder, x);
    builder.output("s", s);
    let graph = simplify_step(&builder.finish(), &mut Context::new()).unwrap();
    let origin = graph.origin(graph.output("s").unwrap());
    assert_eq!((origin.path.as_str(), origin.place.as_str(), origin.rule.as_str()), ("h.gate", "a.net:3:1", "sigmoid-formula"));
}

#[test]
fn the_log_is_a_table_in_terms_of_the_graph_that_went_in() {
    let mut builder = Builder::new("t");
    let x = input(&mut builder, "x", Shape::fixed(&[2]));
    let s = written_sigmoid(&mut builder, x);
    let twice = builder.neg(s).unwrap();
    let twice = builder.neg(twice).unwrap();
    builder.output("s", twice);
    let mut context = Context::new();
    simplify_step(&builder.finish(), &mut context).unwrap();
    assert_eq!(
        log_text("Gate", &context.log),
        "\
rewrites Gate
  sigmoid-formula  %6 = div(1, add(exp(neg(%0)), 1))  -> sigmoid(%0)  approximates, <= 2 ulp
  neg-neg          %8 = neg(neg(%6))                  -> %6           exact
"
    );
}

#[test]
fn without_fuel_nothing_is_rewritten() {
    let mut builder = Builder::new("t");
    let x = input(&mut builder, "x", Shape::fixed(&[2]));
    let s = written_sigmoid(&mut builder, x);
    builder.output("s", s);
    let graph = builder.finish();
    let mut context = Context { fuel: Some(0), ..Context::new() };
    let same = simplify_step(&graph, &mut context).unwrap();
    assert!(context.log.is_empty() && same.nodes.len() == graph.nodes.len());
}

/// A pass with a rule that is not as exact as it says.
mod seeded {
    use super::*;
    use crate::rules::{Condition, Exactness, Rule, RuleSet};
    use std::sync::LazyLock;

    const WRONG: &[Rule] = &[
        Rule {
            name: "neg-neg",
            before: "neg(neg(x))",
            after: "x",
            condition: Condition::Always,
            exactness: Exactness::BitExact,
            doc: "Right.",
            apply: None,
            private: false,
            single: false,
        },
        Rule {
            name: "forgotten-sign",
            before: "sub(x, y)",
            after: "sub(y, x)",
            condition: Condition::Check {
                doc: "once",
                holds: |graph, bindings| bindings.node("x") < bindings.node("y") && graph.nodes.len() > 6,
            },
            exactness: Exactness::BitExact,
            doc: "Wrong.",
            apply: None,
            private: false,
            single: false,
        },
    ];
    static RULES: LazyLock<RuleSet> = LazyLock::new(|| RuleSet::new(&[WRONG]));
    const PASSES: &[Pass] =
        &[Pass { name: "wrong", run: |graph, context| simplify::rewrite("wrong", &RULES, graph, context), ..SIMPLIFY }];

    fn graph() -> Graph {
        let mut builder = Builder::new("t");
        let (mut x, y) = (input(&mut builder, "x", Shape::fixed(&[2])), input(&mut builder, "y", Shape::fixed(&[2])));
        for _ in 0..5 {
            let minus = builder.neg(x).unwrap();
            let back = builder.neg(minus).unwrap();
            x = builder.mul(back, y).unwrap();
        }
        let z = input(&mut builder, "z", Shape::fixed(&[2]));
        let d = builder.sub(x, z).unwrap();
        builder.output("d", d);
        builder.finish()
    }

    #[test]
    fn validation_catches_it_and_names_the_pass() {
        let mut context = Context { validate: true, ..Context::new() };
        let bug = run(PASSES, &graph(), &mut context).unwrap_err();
        assert_eq!(bug.pass, "wrong");
        assert!(bug.message.contains("output \"d\""), "{}", bug.message);
        assert_eq!(text::parse(&bug.graph_text).unwrap(), graph());
    }

    #[test]
    fn bisection_finds_it_by_name() {
        let graph = graph();
        let wrong = |after: &Graph| validate::compare(&graph, after, Exactness::BitExact).is_err();
        let culprit = bisect::bisect(PASSES, &graph, wrong).unwrap().unwrap();
        assert_eq!(culprit.rule, "forgotten-sign");
        assert!(bisect::bisect(STEP, &graph, wrong).unwrap().is_none());
    }
}
