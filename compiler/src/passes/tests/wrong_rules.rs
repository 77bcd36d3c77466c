//! Translation validation, tried on mistakes: each wrong rule is caught by evaluating before and after, and fuel finds its name.

use super::super::{Context, Pass, bisect, run, simplify, validate};
use crate::base::place::Source;
use crate::graph::{Builder, Element, Graph, NodeId, Shape, Type};
use crate::language::blessed;
use crate::language::declaration::Declaration;
use crate::ops::Primitive;
use crate::pipeline::front_with;
use crate::rules::{Condition, Exactness, Rule, RuleSet};

const fn rule(name: &'static str, before: &'static str, after: &'static str) -> Rule {
    let condition = Condition::Always;
    let exactness = Exactness::BitExact;
    Rule { name, before, after, condition, exactness, doc: "A test.", apply: None, private: false, single: false }
}

/// Only in one order of `x` and `y`, so that a rule that swaps them comes to an end.
const fn once(name: &'static str, before: &'static str, after: &'static str) -> Rule {
    let holds =
        |graph: &Graph, bindings: &crate::rules::Bindings| !graph.nodes.is_empty() && bindings.node("x") < bindings.node("y");
    Rule { condition: Condition::Check { doc: "in order", holds }, ..rule(name, before, after) }
}

/// Right, and applied among the wrong ones.
static RIGHT: [Rule; 2] = [rule("neg-neg", "neg(neg(x))", "x"), rule("abs-neg", "abs(neg(x))", "abs(x)")];

static WRONG: [Rule; 20] = [
    once("sub-swapped", "sub(x, y)", "sub(y, x)"),
    rule("add-is-sub", "add(x, y)", "sub(x, y)"),
    rule("mul-is-add", "mul(x, y)", "add(x, y)"),
    once("div-swapped", "div(x, y)", "div(y, x)"),
    rule("max-is-min", "max(x, y)", "min(x, y)"),
    rule("min-is-max", "min(x, y)", "max(x, y)"),
    rule("neg-forgotten", "neg(x)", "x"),
    rule("exp-less-one", "exp(x)", "expm1(x)"),
    rule("log-of-more", "log(x)", "log1p(x)"),
    rule("tanh-is-sigmoid", "tanh(x)", "sigmoid(x)"),
    rule("sigmoid-is-tanh", "sigmoid(x)", "tanh(x)"),
    rule("sqrt-forgotten", "sqrt(x)", "x"),
    rule("abs-forgotten", "abs(x)", "x"),
    once("branches-swapped", "select(c, x, y)", "select(c, y, x)"),
    rule("sign-is-value", "sign(x)", "x"),
    rule("floor-forgotten", "floor(x)", "x"),
    rule("comparison-turned", "lt(x, y)", "le(y, x)"),
    rule("square-forgotten", "mul(x, x)", "x"),
    // Right in exact arithmetic, but not to the bit as they say.
    rule("divided-once", "div(div(x, y), z)", "div(x, mul(y, z))"),
    once("reciprocal", "div(x, y)", "mul(x, div(1, y))"),
];

fn apply<const N: usize>(graph: &Graph, context: &mut Context) -> Result<Graph, super::Bug> {
    let wrong: &'static [Rule] = &WRONG[N..=N];
    simplify::rewrite("wrong", &RuleSet::new(&[&RIGHT[..], wrong]), graph, context)
}

macro_rules! passes {
    ($($number:literal)*) => { [$(Pass { name: "wrong", reason: "a test", run: apply::<$number>, concerns: |_| true }),*] };
}

const PASSES: [Pass; 20] = passes!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19);

/// Every pattern of the rules once, between rewrites that are right.
fn graph() -> Graph {
    let mut b = Builder::new("seeded");
    let shape = || Shape::batch(&[4]);
    let source =
        |b: &mut Builder, name: &str, element| b.source(Primitive::Input, name, Type { element, shape: shape() }).unwrap();
    let [x, y, z] = ["x", "y", "z"].map(|name| source(&mut b, name, Element::F32));
    let c = source(&mut b, "c", Element::Bool);
    let unary = |b: &mut Builder, primitive, node| b.unary(primitive, node).unwrap();
    let twice = |b: &mut Builder, node: NodeId| {
        let minus = b.neg(node).unwrap();
        b.neg(minus).unwrap()
    };
    let mut made: Vec<NodeId> = Vec::new();
    for primitive in [Primitive::Exp, Primitive::Tanh, Primitive::Sigmoid, Primitive::Sign, Primitive::Floor, Primitive::Neg] {
        let plain = twice(&mut b, x);
        made.push(unary(&mut b, primitive, plain));
    }
    let minus = b.neg(y).unwrap();
    made.push(unary(&mut b, Primitive::Abs, minus));
    // Full mantissas: what the inputs themselves give would be exact in f64.
    let [ex, ey, ez] = [x, y, z].map(|node| unary(&mut b, Primitive::Exp, node));
    made.push(unary(&mut b, Primitive::Log, ey));
    made.push(unary(&mut b, Primitive::Sqrt, ez));
    let sum = b.add(ey, ez).unwrap();
    made.push(b.add(ex, sum).unwrap());
    let quotient = b.div(ex, ey).unwrap();
    made.push(b.div(quotient, ez).unwrap());
    for primitive in [Primitive::Sub, Primitive::Mul, Primitive::Div, Primitive::Max, Primitive::Min] {
        made.push(b.binary(primitive, ex, ey).unwrap());
    }
    made.push(b.mul(ez, ez).unwrap());
    made.push(b.select(c, x, y).unwrap());
    let less = b.binary(Primitive::Lt, x, y).unwrap();
    made.push(b.cast(less, Element::F32).unwrap());
    for (number, node) in made.into_iter().enumerate() {
        let node = twice(&mut b, node);
        b.output(format!("out{number}"), node);
    }
    b.finish()
}

#[test]
fn each_of_twenty_wrong_rules_is_caught() {
    let graph = graph();
    for (pass, wrong) in PASSES.iter().zip(&WRONG) {
        let mut context = Context { validate: true, ..Context::new() };
        let bug = run(&[*pass], &graph, &mut context).expect_err(wrong.name);
        assert!(bug.pass == "wrong" && bug.message.contains("output \"out"), "{}: {}", wrong.name, bug.message);
        assert!(context.log.iter().any(|application| application.rule == wrong.name), "{} was not applied", wrong.name);
    }
}

#[test]
fn fuel_finds_the_name_of_each() {
    let graph = graph();
    let is_wrong = |after: &Graph| validate::compare(&graph, after, Exactness::BitExact).is_err();
    for (pass, wrong) in PASSES.iter().zip(&WRONG) {
        let culprit = bisect::bisect(&[*pass], &graph, is_wrong).expect(wrong.name);
        assert_eq!(culprit.map(|application| application.rule), Some(wrong.name));
    }
}

#[test]
fn the_right_rules_alone_pass() {
    let pass = Pass {
        name: "right",
        reason: "a test",
        run: |graph, context| simplify::rewrite("right", &RuleSet::new(&[&RIGHT[..]]), graph, context),
        concerns: |_| true,
    };
    let mut context = Context { validate: true, ..Context::new() };
    run(&[pass], &graph(), &mut context).expect("right rules change nothing");
    assert!(context.log.len() > 10);
}

#[test]
fn every_pass_on_every_case_keeps_its_word() {
    for (path, text) in blessed::texts("") {
        let declaration = Declaration::parse(Source::new("case", &text)).expect("the case has no mistake");
        let networks = declaration.elaborate().expect("the case has a meaning");
        let options = Context { validate: true, ..Context::new() };
        let front = front_with(&networks.training, &networks.evaluation, String::new(), &options);
        assert!(front.is_ok(), "{}: {}", path.display(), front.err().map_or_else(String::new, |error| error.to_string()));
    }
}
