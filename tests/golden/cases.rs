//! Golden cases as networks: from a line of `tests/golden/*.json` to what is trained and what a framework found.
//!
//! Pure functions of the compiler's public interface alone. A test includes this file by `#[path]` and has the compiler in scope
//! as `compiler`, so that the f64 reference and the native code are held to the same cases.
//!
//! A case is a training run: networks for both times, fields, first values, and then what is to come out. Where a framework
//! differentiates by a prediction or an input `x`, a row of it is looked up in a table that is learned: the table's gradient is the
//! one that is wanted. One step of `momentum(rate = 1, beta = 0)` leaves minus the gradient in its moment, untouched by rounding.

mod modules;

use super::compiler::graph::{Element, NodeId, Shape, Type};
use super::compiler::nn::{Argument, Call, Fault, Network};
use super::compiler::ops::Array;
use modules::modules;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

/// The files, in the order of a first reading.
pub const FILES: [&str; 5] = ["activations", "losses", "optimizers", "conventions", "networks"];

/// Tensors by name.
pub type Values = BTreeMap<String, Array>;

/// A training run and what a framework found for it.
pub struct Case {
    pub title: String,
    pub training: Network,
    pub evaluation: Network,
    /// Inputs and targets, one batch for every step.
    pub fields: Values,
    /// Parameters and saved states before the first step.
    pub first: Values,
    pub expected: Expected,
}

/// What comes out.
#[derive(Default)]
pub struct Expected {
    /// Before each step; penalties included.
    pub losses: Vec<f64>,
    /// Gradients of the first step by parameter: the optimizer's state `parameter.suffix` divided by the factor.
    pub gradient: Values,
    pub moment: (&'static str, f64),
    /// Parameters and saved states after so many steps.
    pub after: BTreeMap<usize, Values>,
    /// What is served under `served` before the first step and after the last one.
    pub served_before: Option<Array>,
    pub served_after: Option<Array>,
    /// Elements whose exact gradient is 0 at every step, of tensors that have any.
    pub residues: BTreeMap<String, Vec<bool>>,
}

impl Expected {
    /// Whether an element's gradient is nothing but what rounding leaves of 0.
    pub fn is_residue(&self, name: &str, place: usize) -> bool {
        self.residues.get(name).is_some_and(|places| places[place])
    }
    /// Tensors that have no gradient at all.
    pub fn still(&self) -> impl Iterator<Item = &str> {
        self.residues.iter().filter(|(_, places)| places.iter().all(|is_residue| *is_residue)).map(|(name, _)| name.as_str())
    }
    /// The largest element of all gradients.
    fn largest_gradient(&self) -> f64 {
        self.gradient.values().map(|gradient| largest(&gradient.data)).fold(0.0, f64::max)
    }
    /// How a gradient is unlike what is expected. A residue is held to the size of what it is a residue of: the largest gradient.
    pub fn unlike_gradient(&self, name: &str, found: &[f64], bound: f64) -> Option<String> {
        let expected = &self.gradient[name].data;
        let (own, all) = (largest(expected), self.largest_gradient());
        let scale = |place| if self.is_residue(name, place) { all } else { own };
        first_unlike(&format!("gradient of {name}"), found, expected, scale, bound)
    }
}

fn largest(values: &[f64]) -> f64 {
    values.iter().map(|value| value.abs()).filter(|value| value.is_finite()).fold(0.0, f64::max)
}

/// How values are unlike what is expected, in words.
///
/// An error is taken relative to the element or, where this is smaller, to 1, the size of what activations and losses work on; but never
/// to more than the largest element of the tensor, so that a tensor of small numbers is held to its own size.
pub fn unlike(what: &str, found: &[f64], expected: &[f64], bound: f64) -> Option<String> {
    let scale = largest(expected);
    first_unlike(what, found, expected, |_| scale, bound)
}

fn first_unlike(what: &str, found: &[f64], expected: &[f64], scale: impl Fn(usize) -> f64, bound: f64) -> Option<String> {
    if found.len() != expected.len() {
        return Some(format!("{what} has {} values, expected {}", found.len(), expected.len()));
    }
    let error = |place: usize| {
        let (found, expected) = (found[place], expected[place]);
        let same = found == expected || found.is_nan() && expected.is_nan();
        if same { 0.0 } else { (found - expected).abs() / scale(place).min(expected.abs().max(1.0)) }
    };
    let is_far = |error: f64| error.is_nan() || error > bound;
    let place = (0..found.len()).find(|place| is_far(error(*place)))?;
    Some(format!("{what}[{place}] is {}, expected {}: off by {:.1e}", found[place], expected[place], error(place)))
}

/// Name of what is served.
pub const SERVED: &str = "served";

const GRADIENT: (&str, f64) = ("momentum.m", -1.0);

/// Every case with its title; a fault where the catalogue has no word for it.
pub fn all(folder: &Path) -> Vec<(String, Result<Case, Fault>)> {
    let mut cases = Vec::new();
    for file in FILES {
        let path = folder.join(format!("{file}.json"));
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let value: Value = serde_json::from_str(&text).expect("golden files are JSON");
        let list = value["cases"].as_array().expect("golden files have cases");
        for case in list {
            let built = match file {
                "activations" => activation(case),
                "losses" => loss(case),
                "optimizers" | "conventions" => optimizer(case, &list[0]),
                _ => network(case, false),
            };
            let title = title(file, case);
            let has_still = built.as_ref().is_ok_and(|case| case.expected.still().next().is_some());
            cases.push((title.clone(), built.map(|case| Case { title: title.clone(), ..case })));
            if has_still {
                let title = format!("{title}, what has no gradient held still");
                cases.push((title.clone(), network(case, true).map(|case| Case { title, ..case })));
            }
        }
    }
    cases
}

/// How a case is named in messages and in not_covered.txt.
pub fn title(file: &str, case: &Value) -> String {
    let source = case["source"].as_str().map(|source| format!(" {source}")).unwrap_or_default();
    let arguments = if case["args"].is_object() { format!(" {}", case["args"]) } else { String::new() };
    format!("{file}: {}{source}{arguments}", name(case))
}

fn name(case: &Value) -> &str {
    case["name"].as_str().unwrap_or_default()
}

fn array(value: &Value) -> Array {
    let dims = value["shape"].as_array().expect("a shape").iter().map(|size| size.as_u64().expect("a size") as usize).collect();
    let number = |value: &Value| value.as_f64().or_else(|| value.as_str().and_then(|text| text.parse().ok()));
    Array::new(dims, value["data"].as_array().expect("data").iter().map(|value| number(value).expect("a number")).collect())
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().expect("numbers").iter().map(|value| value.as_f64().expect("a number")).collect()
}

fn shaped(array: Array, dims: &[usize]) -> Array {
    Array::new(dims.to_vec(), array.data)
}

/// Arguments of a case that the function of ours takes under the same names.
fn call(case: &Value, skipped: &[&str]) -> Call {
    let mut call = Call::new(name(case));
    let given = case["args"].as_object().into_iter().flatten();
    for (name, value) in given.filter(|(name, _)| !skipped.contains(&name.as_str())) {
        call = match value {
            Value::Bool(flag) => call.set(name, *flag),
            Value::String(word) => call.set(name, word.as_str()),
            value => call.set(name, value.as_f64().expect("a number")),
        };
    }
    call
}

fn real(rows: &Array) -> Type {
    Type::f32(Shape::batch(&rows.dims[1..]))
}

fn class(classes: usize, rows: &Array) -> Type {
    Type { element: Element::Class(classes as u32), shape: Shape::batch(&rows.dims[1..]) }
}

/// The network at both times.
fn both(build: impl Fn(&mut Network) -> Result<(), Fault>) -> Result<(Network, Network), Fault> {
    let mut networks = [Network::new("Golden", true), Network::new("Golden", false)];
    networks.iter_mut().try_for_each(build)?;
    let [training, evaluation] = networks;
    Ok((training, evaluation))
}

/// A call below a scope, so that its parameters are `scope.function.parameter`.
fn below(net: &mut Network, scope: &str, x: NodeId, call: &Call) -> Result<NodeId, Fault> {
    net.enter(scope);
    let built = net.call(&call.name, x, call);
    net.leave();
    built
}

/// `x` as rows that are learned: `[rows, width]` of the table `x.embedding.weight`.
fn learned_rows(net: &mut Network, rows: usize, width: usize) -> Result<NodeId, Fault> {
    let ty = Type { element: Element::Class(rows as u32), shape: Shape::batch(&[]) };
    let row = net.input("row", ty, "")?;
    below(net, "x", row, &Call::new("embedding").with(width as f64))
}

fn row_numbers(rows: usize) -> Array {
    Array::new(vec![rows], (0..rows).map(|row| row as f64).collect())
}

fn one_plain_step(net: &mut Network) -> Result<(), Fault> {
    net.using(&Call::new("momentum").set("rate", 1.0).set("beta", 0.0), &[])
}

const TABLE: &str = "x.embedding.weight";

/// The gradient of an activation. PyTorch multiplies that of `hardsigmoid` by the f32 nearest to 1/6, in f64 too.
fn gradient_of(case: &Value) -> Array {
    let mut gradient = array(&case["dx"]);
    if name(case) == "hard_sigmoid" {
        gradient.data.iter_mut().for_each(|value| *value /= 6.0 * f64::from(1.0_f32 / 6.0));
    }
    gradient
}

/// `Σ seed · f(x)`, differentiated by x.
fn activation(case: &Value) -> Result<Case, Fault> {
    let (x, seed, y) = (array(&case["x"]), array(&case["seed"]), array(&case["y"]));
    // An axis of 0 is no batch: the whole tensor is one row.
    let is_one_row = case["args"]["axis"].as_f64() == Some(0.0);
    let dims: Vec<usize> = match (is_one_row, x.dims.as_slice()) {
        (true, dims) => [&[1], dims].concat(),
        (false, [count]) => vec![*count, 1],
        (false, dims) => dims.to_vec(),
    };
    let (rows, width) = (dims[0], dims[1..].iter().product::<usize>());
    let mut call = call(case, &[]);
    if is_one_row {
        call.arguments = vec![("axis".into(), Argument::Number(1.0))];
    }
    let seed = shaped(seed, &dims);
    let (training, evaluation) = both(|net| {
        let mut value = learned_rows(net, rows, width)?;
        if is_one_row {
            let sizes: Vec<f64> = dims[1..].iter().map(|&size| size as f64).collect();
            value = net.call("reshape", value, &Call::new("reshape").with(sizes.as_slice()))?;
        }
        let weights = net.input("seed", real(&seed), "")?;
        let value = below(net, "y", value, &call)?;
        net.predict(SERVED, value)?;
        let product = net.arithmetic(super::compiler::ops::Primitive::Mul, value, weights)?;
        let sum = net.call("sum", product, &Call::new("sum"))?;
        net.minimize(sum)?;
        one_plain_step(net)
    })?;
    let loss: f64 = y.data.iter().zip(&seed.data).map(|(y, seed)| y * seed).sum();
    let mut first = Values::from([(TABLE.to_string(), shaped(x, &[rows, width]))]);
    let mut gradient = Values::from([(TABLE.to_string(), shaped(gradient_of(case), &[rows, width]))]);
    if case["weight"].is_object() {
        let slope = format!("y.{}.slope", name(case));
        first.insert(slope.clone(), array(&case["weight"]));
        gradient.insert(slope, array(&case["dweight"]));
    }
    let fields = Values::from([("row".to_string(), row_numbers(rows)), ("seed".to_string(), seed)]);
    let expected = Expected { losses: vec![loss], gradient, moment: GRADIENT, served_before: Some(y), ..Expected::default() };
    Ok(Case { title: String::new(), training, evaluation, fields, first, expected })
}

/// A loss of a prediction, differentiated by the prediction.
fn loss(case: &Value) -> Result<Case, Fault> {
    let (prediction, target) = (array(&case["prediction"]), array(&case["target"]));
    let (rows, width) = (prediction.dims[0], prediction.dims[1]);
    let mut call = call(case, &["target", "prediction", "reduction", "class_weights"]);
    if case["args"]["class_weights"] == true {
        call = call.set("class_weights", array(&case["weights"]).data.as_slice());
    }
    let ty = if target.dims.len() == 1 { class(width, &target) } else { real(&target) };
    let (training, evaluation) = both(|net| {
        let value = learned_rows(net, rows, width)?;
        let y = net.target("y", ty.clone(), "")?;
        let loss = below(net, "minimize", value, &call.clone().set("y", y))?;
        net.minimize(loss)?;
        one_plain_step(net)
    })?;
    let first = Values::from([(TABLE.to_string(), prediction)]);
    let gradient = Values::from([(TABLE.to_string(), array(&case["gradient"]))]);
    let losses = vec![case["value"].as_f64().expect("a value")];
    let fields = Values::from([("row".to_string(), row_numbers(rows)), ("y".to_string(), target)]);
    let expected = Expected { losses, gradient, moment: GRADIENT, ..Expected::default() };
    Ok(Case { title: String::new(), training, evaluation, fields, first, expected })
}

const RENAMED: [(&str, &str); 4] =
    [("w1", "hidden.dense.weight"), ("b1", "hidden.dense.bias"), ("w2", "logits.dense.weight"), ("b2", "logits.dense.bias")];
/// Arguments of a case that are no arguments of the optimizer.
const BESIDE: [&str; 8] = ["clip_value", "clip_norm", "clip_global_norm", "l1", "l2", "l1_proximal", "on", "rate_factor"];

/// The 5-7-3 network under an optimizer, clip or penalty; data and first values stand in the first case of a file.
fn optimizer(case: &Value, first: &Value) -> Result<Case, Fault> {
    let (x, y) = (array(&first["data"]["x"]), array(&first["data"]["y"]));
    let arguments = &case["args"];
    let mut call = call(case, &BESIDE);
    let source = case["source"].as_str().unwrap_or_default();
    if source != "formula" {
        call = call.set("semantics", source);
    }
    let clips: Vec<Call> = ["clip_value", "clip_norm", "clip_global_norm"]
        .into_iter()
        .filter_map(|clip| arguments[clip].as_f64().map(|limit| Call::new(clip).with(limit)))
        .collect();
    let (training, evaluation) = both(|net| {
        let input = net.input("x", real(&x), "")?;
        let label = net.target("y", class(3, &y), "")?;
        let hidden = below(net, "hidden", input, &Call::new("dense").with(7.0))?;
        let hidden = below(net, "hidden", hidden, &Call::new("tanh"))?;
        let logits = below(net, "logits", hidden, &Call::new("dense").with(3.0))?;
        let loss = below(net, "minimize", logits, &Call::new("cross_entropy").with(label))?;
        net.minimize(loss)?;
        for (given, penalty) in
            [("l2", Call::new("l2")), ("l1", Call::new("l1")), ("l1_proximal", Call::new("l1").set("proximal", true))]
        {
            if let Some(strength) = arguments[given].as_f64() {
                net.penalize(&penalty.set("strength", strength))?;
            }
        }
        let mut call = call.clone();
        if let (Some(factor), Some(rate)) = (arguments["rate_factor"].as_f64(), arguments["rate"].as_f64()) {
            let rate = net.builder.constant_f64(rate);
            let rate = net.call("exponential", rate, &Call::new("exponential").with(factor))?;
            call.arguments.retain(|(name, _)| name != "rate");
            call = call.set("rate", rate);
        }
        net.using(&call, &clips)
    })?;
    let snapshots = case["parameters"].as_object().expect("snapshots");
    let renamed =
        |snapshot: &Value| -> Values { RENAMED.map(|(theirs, ours)| (ours.to_string(), array(&snapshot[theirs]))).into() };
    let mut after: BTreeMap<usize, Values> =
        snapshots.iter().map(|(step, snapshot)| (step.parse().expect("a step"), renamed(snapshot))).collect();
    after.remove(&0);
    let first = renamed(&first["parameters"]["0"]);
    let expected = Expected { losses: numbers(&case["losses"]), after, ..Expected::default() };
    let fields = Values::from([("x".to_string(), x), ("y".to_string(), y)]);
    Ok(Case { title: String::new(), training, evaluation, fields, first, expected })
}

/// Below this share of the largest gradient, f64 has nothing but rounding.
const RESIDUE: f64 = 1e-12;

/// Elements whose gradient is 0 but for rounding: a bias in front of a batch norm, which takes it out again with the mean, the bias of
/// attention's keys, which softmax takes out. Adam divides what rounding leaves by its own size, if this is above epsilon: in f64 it is
/// not and nothing moves, in f32 it may be and then the rate times chance is what comes out. That the framework itself moves none of
/// them shows that the gradient stays 0 in later steps. An exact 0 (a dead unit, a class that no row has) is one in f32 too and is not
/// meant, except among residues.
fn residues(first: &Values, gradient: &Values, after: &Values) -> BTreeMap<String, Vec<bool>> {
    let all = gradient.values().map(|gradient| largest(&gradient.data)).fold(0.0, f64::max);
    let of_tensor = |(name, gradient): (&String, &Array)| {
        let is_small = |value: f64| value.abs() < RESIDUE * all;
        gradient.data.iter().any(|value| *value != 0.0 && is_small(*value)).then(|| {
            let stays = |place: usize| (first[name].data[place] - after[name].data[place]).abs() < 1e-9;
            let places = gradient.data.iter().enumerate().map(|(place, value)| is_small(*value) && stays(place));
            (name.clone(), places.collect())
        })
    };
    gradient.iter().filter_map(of_tensor).collect()
}

/// A PyTorch module trained by Adam for some steps; `still` freezes what has no gradient, and with it what rounding does to the rest.
fn network(case: &Value, still: bool) -> Result<Case, Fault> {
    let modules = modules(case["model"].as_str().expect("a model"));
    let (x, y, served) = (array(&case["x"]), array(&case["y"]), array(&case["evaluation"]));
    let is_regression = y.dims.len() > 1;
    let renamed = |values: &Value| -> Values {
        let pair = |(theirs, value): (&String, &Value)| {
            let (index, theirs) = theirs.split_once('.').expect("module and parameter");
            let module = modules.iter().find(|module| module.index == index).expect("a module of the model");
            (module.renamed(theirs), array(value))
        };
        values.as_object().expect("parameters").iter().map(pair).collect()
    };
    let (first, after) = (renamed(&case["before"]), renamed(&case["after"]));
    let mut gradient = renamed(&case["first_gradient"]);
    let mut residues = residues(&first, &gradient, &after);
    let still: Vec<String> = match still {
        true => residues.iter().filter(|(_, places)| places.iter().all(|one| *one)).map(|(name, _)| name.clone()).collect(),
        false => Vec::new(),
    };
    gradient.retain(|name, _| !still.contains(name));
    residues.retain(|name, _| !still.contains(name));
    let (training, evaluation) = both(|net| {
        let classes =
            modules.first().filter(|first| first.kind == "Embedding").map(|first| first.arguments[0].1.parse::<usize>());
        let ty = match classes {
            Some(count) => class(count.expect("a count"), &x),
            None => real(&x),
        };
        let mut value = net.input("x", ty, "")?;
        let target = net.target("y", if is_regression { real(&y) } else { class(served.dims[1], &y) }, "")?;
        for module in &modules {
            value = below(net, &format!("m{}", module.index), value, &module.call())?;
        }
        net.predict(SERVED, value)?;
        let loss = if is_regression { "mean_squared_error" } else { "cross_entropy" };
        let loss = below(net, "minimize", value, &Call::new(loss).with(target))?;
        net.minimize(loss)?;
        net.using(&Call::new("adam").set("rate", case["optimizer"]["rate"].as_f64().expect("a rate")), &[])?;
        let frozen = still.iter().map(|name| Call::new("group").with(name.as_str()).set("frozen", true));
        frozen.into_iter().try_for_each(|group| net.group(&group))
    })?;
    let losses = numbers(&case["losses"]);
    let expected = Expected {
        after: BTreeMap::from([(losses.len(), after)]),
        losses,
        gradient,
        // m ← 0.9·0 + 0.1·g
        moment: ("adam.m", 1.0 - 0.9),
        served_before: None,
        served_after: Some(served),
        residues,
    };
    let fields = Values::from([("x".to_string(), x), ("y".to_string(), y)]);
    Ok(Case { title: String::new(), training, evaluation, fields, first, expected })
}
