//! The worked figures of the catalogue, and every other number that it gives.

use super::trial::{Values, advance, beginning, elaborated, initial, training_step};
use crate::language::declaration::Elaborated;
use crate::nn::{clips, optimizers, penalties};
use crate::ops::Array;
use crate::step;

/// Reports of a network of `p` against `y`, evaluated in f64 on these rows.
fn measured(report: &str, rows: &[(f64, f64)]) -> Vec<f64> {
    let text = format!(
        "Net {{ input p: [batch, 1]; target y: [batch, 1]; minimize p.mean_squared_error(y); using sgd(0.1); report {report}; }}"
    );
    let network = elaborated(&text).evaluation;
    let column = |values: Vec<f64>| Array::new(vec![rows.len(), 1], values);
    let mut sources = Values::from([
        ("p".to_string(), column(rows.iter().map(|row| row.1).collect())),
        ("y".to_string(), column(rows.iter().map(|row| row.0).collect())),
    ]);
    let graph = step::evaluation(&network).expect("a loss");
    let outputs = advance(&graph, &mut sources, rows.len(), 0);
    network.reports.iter().map(|report| outputs[&report.name].data[0]).collect()
}

fn close(found: f64, expected: f64, tolerance: f64) {
    assert!((found - expected).abs() <= tolerance, "{found} should be {expected}");
}

/// y and ŷ of the lecture's table.
const TABLE: [(f64, f64); 10] = [
    (10.2, 9.4),
    (3.5, 1.7),
    (7.1, 6.9),
    (14.5, 15.4),
    (17.2, 18.4),
    (9.5, 11.3),
    (2.7, 2.5),
    (11.5, 11.1),
    (5.9, 6.7),
    (15.3, 15.2),
];

#[test]
fn errors_of_the_ten_rows() {
    let found = measured("me = mean_error(p, y), mae = mae(p, y), mse = mse(p, y), rmse = rmse(p, y)", &TABLE);
    close(found[0], -0.12, 1e-12);
    close(found[1], 0.82, 1e-12);
    // The lecture prints 1.02.
    close(found[2], 1.026, 1e-12);
    close(found[3], 1.026_f64.sqrt(), 1e-12);
    let same = measured("a = l1_loss(p, y), b = l2_loss(p, y)", &TABLE);
    assert_eq!(same, [found[1], found[2]]);
}

/// (y, p), the cross-entropy to five places, MAE and MSE. The lecture prints 1.64 for the second.
const SCENARIOS: [(f64, f64, f64, f64, f64); 4] = [
    (1.0, 0.9, 0.10536, 0.1, 0.01),
    (1.0, 0.2, 1.60944, 0.8, 0.64),
    (0.0, 0.1, 0.10536, 0.1, 0.01),
    (0.0, 0.8, 1.60944, 0.8, 0.64),
];

#[test]
fn four_binary_scenarios() {
    for (y, p, entropy, absolute, squared) in SCENARIOS {
        let report = "a = binary_cross_entropy(p, y, from = probabilities), b = mae(p, y), c = mse(p, y)";
        let found = measured(report, &[(y, p)]);
        close(found[0], entropy, 5e-6);
        close(found[1], absolute, 1e-12);
        close(found[2], squared, 1e-12);
        // The same from the logit.
        let logit = (p / (1.0 - p)).ln();
        close(measured("a = binary_cross_entropy(p, y)", &[(y, logit)])[0], found[0], 1e-12);
    }
}

#[test]
fn a_certain_prediction_costs_what_its_logit_says() {
    for (y, logit, expected) in [(1.0, 800.0, 0.0), (1.0, -800.0, 800.0), (0.0, 800.0, 800.0), (0.0, -800.0, 0.0)] {
        assert_eq!(measured("a = binary_cross_entropy(p, y)", &[(y, logit)])[0], expected);
    }
    // A probability of 0 where nothing is expected of it costs nothing.
    for (y, p) in [(0.0, 0.0), (1.0, 1.0)] {
        assert_eq!(measured("a = binary_cross_entropy(p, y, from = probabilities)", &[(y, p)])[0], 0.0);
    }
}

/// A row whose class has no weight gives its share of the smoothed target to a mean of others; alone it gives nothing.
#[test]
fn rows_without_a_weight_cost_nothing_alone() {
    let text = "Net { input x: [batch, 2]; target y: class(2); predict x; using sgd(0.1);
                minimize x.cross_entropy(y, label_smoothing = 0.2, class_weights = [1, 0]); }";
    let network = elaborated(text).evaluation;
    let graph = step::evaluation(&network).expect("a loss");
    let loss = |labels: Vec<f64>| {
        let rows = labels.len();
        let logits = Array::new(vec![rows, 2], vec![0.0; 2 * rows]);
        let mut sources = Values::from([("x".to_string(), logits), ("y".to_string(), Array::new(vec![rows], labels))]);
        advance(&graph, &mut sources, rows, 0)["loss"].data[0]
    };
    // By hand: 0.9 ln 2 of the row of class 0, 0.1 ln 2 of that of class 1, over the weight of the first.
    close(loss(vec![0.0, 1.0]), 2_f64.ln(), 1e-12);
    assert_eq!(loss(vec![1.0, 1.0]), 0.0);
}

/// Numbers that stand behind `=` in the catalogue, as function, argument and default.
const DEFAULTS: &[(&str, &str, &str)] = &[
    ("leaky_relu", "slope", "0.01"),
    ("rrelu", "lower", "1/8"),
    ("rrelu", "upper", "1/3"),
    ("prelu", "init", "0.25"),
    ("prelu", "per", "shared"),
    ("elu", "alpha", "1"),
    ("softmax", "axis", "-1"),
    ("log_softmax", "axis", "-1"),
    ("cross_entropy", "from", "logits"),
    ("cross_entropy", "label_smoothing", "0"),
    ("cross_entropy", "divide", "weights"),
    ("binary_cross_entropy", "from", "logits"),
    ("binary_cross_entropy", "positive_weight", "1"),
    ("huber", "delta", "1"),
    ("momentum", "beta", "0.9"),
    ("nesterov", "beta", "0.9"),
    ("nesterov", "semantics", "paper"),
    ("adagrad", "epsilon", "1e-7"),
    ("adagrad", "initial", "0"),
    ("rmsprop", "beta", "0.9"),
    ("rmsprop", "epsilon", "1e-7"),
    ("rmsprop", "centered", "false"),
    ("rmsprop", "momentum", "0"),
    ("adam", "beta1", "0.9"),
    ("adam", "beta2", "0.999"),
    ("adam", "epsilon", "1e-8"),
    ("nadam", "beta1", "0.9"),
    ("nadam", "beta2", "0.999"),
    ("nadam", "epsilon", "1e-8"),
    ("nadam", "momentum_decay", "0.004"),
    ("adamw", "beta1", "0.9"),
    ("adamw", "beta2", "0.999"),
    ("adamw", "epsilon", "1e-8"),
    ("adamw", "weight_decay", "0.01"),
    ("adadelta", "rho", "0.9"),
    ("adadelta", "epsilon", "1e-6"),
    ("adadelta", "rate", "1"),
    ("adamax", "beta1", "0.9"),
    ("adamax", "beta2", "0.999"),
    ("adamax", "epsilon", "1e-8"),
    ("amsgrad", "beta1", "0.9"),
    ("amsgrad", "beta2", "0.999"),
    ("amsgrad", "epsilon", "1e-8"),
    ("lion", "beta1", "0.9"),
    ("lion", "beta2", "0.99"),
    ("l1", "proximal", "false"),
    ("clip_norm", "non_finite", "pass"),
    ("clip_global_norm", "non_finite", "pass"),
    ("batch_norm", "momentum", "0.1"),
    ("batch_norm", "epsilon", "1e-5"),
    ("layer_norm", "epsilon", "1e-5"),
    ("conv2d", "stride", "1"),
    ("conv2d", "padding", "0"),
    ("conv2d", "dilation", "1"),
    ("conv2d", "groups", "1"),
    ("max_pool", "padding", "0"),
    ("max_pool", "stride", ""),
    ("average_pool", "padding", "0"),
    ("attention", "causal", "false"),
    ("rescale", "low", "0"),
    ("rescale", "high", "1"),
];

#[test]
fn defaults_are_those_of_the_catalogue() {
    let functions = crate::nn::functions().map(|known| (known.name, known.parameters));
    let optimizers = optimizers::LIST.iter().map(|known| (known.name, known.parameters));
    let penalties = penalties::LIST.iter().map(|known| (known.name, known.parameters));
    let clips = clips::LIST.iter().map(|known| (known.name, known.parameters));
    let records: Vec<_> = functions.chain(optimizers).chain(penalties).chain(clips).collect();
    for (name, argument, default) in DEFAULTS {
        let parameters = records.iter().find(|(known, _)| known == name).map(|(_, parameters)| *parameters).unwrap_or_default();
        let found = parameters.iter().find(|parameter| parameter.name == *argument).and_then(|parameter| parameter.default);
        assert_eq!(found, Some(*default), "{name}({argument})");
    }
}

/// What is served as `y` after these statements, as a whole network: it trains a factor.
fn serving(statements: &str) -> Elaborated {
    elaborated(&format!(
        "Net {{ {statements} parameter factor: [1] = ones; predict y; minimize (factor * y).mean(); using sgd(0.1); }}"
    ))
}

/// The activation `f` of one value.
fn activated(f: &str, x: f64) -> f64 {
    let networks = serving(&format!("input x: [batch, 1]; let y = x.{f}();"));
    let mut sources = initial(&networks.training, 1);
    sources.insert("x".into(), Array::new(vec![1, 1], vec![x]));
    advance(&step::prediction(&networks.evaluation), &mut sources, 1, 0)["prediction"].data[0]
}

#[test]
fn constants_of_activations() {
    let (scale, alpha) = (1.0507009873554805, 1.6732632423543772);
    close(activated("selu", 1.0), scale, 1e-15);
    close(activated("selu", -1.0), scale * alpha * (-1.0_f64).exp_m1(), 1e-15);
    close(activated("elu", -1.0), (-1.0_f64).exp_m1(), 1e-15);
    close(activated("leaky_relu", -1.0), -0.01, 1e-15);
    // At test time the slope is the mean of its bounds.
    close(activated("rrelu", -1.0), -(1.0 / 8.0 + 1.0 / 3.0) / 2.0, 1e-15);
    close(activated("prelu", -1.0), -0.25, 1e-15);
}

/// Of a weight's first values for an activation after it, and without: the initialiser's variance by fans of 200 and 100.
#[test]
fn variances_of_the_initialisers() {
    let (fan_in, fan_out) = (200.0, 100.0);
    let by_mean = 2.0 / (fan_in + fan_out);
    let he = 2.0 / fan_in;
    let glorot = [".tanh()", ".sigmoid()", ".softmax()", ""].map(|activation| (activation.to_string(), by_mean));
    let he_followers = ["relu", "rrelu", "prelu", "elu", "gelu", "silu", "mish", "hard_swish", "relu6", "softplus"];
    let followers = he_followers.map(|activation| (format!(".{activation}()"), he));
    let slopes = [("leaky_relu(slope = 0.5)", 0.5), ("leaky_relu()", 0.01)];
    let slopes = slopes.map(|(activation, slope): (_, f64)| (format!(".{activation}"), he / (1.0 + slope * slope)));
    let all = glorot.into_iter().chain(followers).chain(slopes).chain([(".selu()".to_string(), 1.0 / fan_in)]);
    for (activation, expected) in all {
        let networks = serving(&format!("input x: [batch, 200]; let y = x.dense(100){activation};"));
        let weight = &initial(&networks.training, 5)["y.dense.weight"].data;
        check_variance(&activation, weight, expected);
    }
    for name in ["glorot", "he", "lecun"] {
        for form in ["", "_uniform"] {
            let networks = serving(&format!("input x: [batch, 200]; let y = x.dense(100, init = {name}{form});"));
            let weight = &initial(&networks.training, 6)["y.dense.weight"].data;
            let expected = match name {
                "glorot" => by_mean,
                "he" => he,
                _ => 1.0 / fan_in,
            };
            check_variance(&format!("{name}{form}"), weight, expected);
            if form == "_uniform" {
                let bound = (3.0 * expected).sqrt();
                assert!(weight.iter().all(|value| value.abs() <= bound), "{name}{form} goes beyond {bound}");
            }
        }
    }
    let networks = serving("input c: class(200); let y = c.embedding(100);");
    check_variance("embedding", &initial(&networks.training, 7)["y.embedding.weight"].data, 0.02 * 0.02);
}

/// Mean 0 and this variance, within five standard errors of 20 000 normal numbers.
fn check_variance(what: &str, values: &[f64], expected: f64) {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (count - 1.0);
    assert!(mean.abs() <= 5.0 * (expected / count).sqrt(), "{what}: mean {mean}");
    assert!((variance / expected - 1.0).abs() <= 5.0 * (2.0 / count).sqrt(), "{what}: variance {variance}, not {expected}");
}

/// θ = 2 after one step of sgd(0.1) whose gradient by the loss is 3: what each penalty adds is what the catalogue writes.
#[test]
fn a_step_under_a_penalty() {
    let (theta, rate, gradient, strength) = (2.0, 0.1, 3.0, 0.25);
    let moved = |using: &str, penalty: &str| {
        let text = format!(
            "Net {{ input x: [batch, 1]; let y = x.dense(1, init = constant(2), bias = false); predict y; \
             minimize y.mean() {penalty}; using {using}; }}"
        );
        let network = elaborated(&text).training;
        let step = training_step(&network);
        let mut sources: Values = beginning(&network, &step);
        sources.extend(initial(&network, 1));
        sources.insert("x".into(), Array::new(vec![1, 1], vec![gradient]));
        advance(&step.graph, &mut sources, 1, 1);
        sources["y.dense.weight"].data[0]
    };
    close(moved("sgd(0.1)", ""), theta - rate * gradient, 1e-12);
    close(moved("sgd(0.1)", "+ l2(0.25)"), theta - 2.0 * rate * strength * theta - rate * gradient, 1e-12);
    close(moved("sgd(0.1)", "+ l1(0.25)"), theta - rate * strength - rate * gradient, 1e-12);
    let plain = theta - rate * gradient;
    close(moved("sgd(0.1)", "+ l1(0.25, proximal = true)"), plain - rate * strength, 1e-12);
    // Beyond the threshold ηλ = 0.1·20 lies exactly zero.
    assert_eq!(moved("sgd(0.1)", "+ l1(20, proximal = true)"), 0.0);
    // Decoupled decay is -ηλθ beside the step.
    close(moved("adamw(0.1, weight_decay = 0.25)", "") - moved("adamw(0.1, weight_decay = 0)", ""), -rate * 0.25 * theta, 1e-12);
}

/// Gradients (3, 4) of `a`, 12 of `b` and 0 of `c`, which begin at 0, as they are behind these clips.
fn clipped(clips: &str) -> Vec<f64> {
    let text = format!(
        "Net {{ input x: [batch, 2]; parameter a: [2] = zeros; parameter b: [1] = zeros; parameter c: [1] = zeros; \
         predict x; minimize (x * a).sum(axis = 1).mean() + 12 * b.sum() + 0 * c.sum(); using sgd(1).{clips}; }}"
    );
    let network = elaborated(&text).training;
    let step = training_step(&network);
    let mut sources: Values = beginning(&network, &step);
    sources.extend(initial(&network, 1));
    sources.insert("x".into(), Array::new(vec![1, 2], vec![3.0, 4.0]));
    advance(&step.graph, &mut sources, 1, 1);
    ["a", "b", "c"].iter().flat_map(|name| sources[*name].data.iter().map(|moved| -moved)).collect()
}

/// Nothing is added to a norm (PyTorch adds 1e-6), a norm of 0 leaves its gradient alone, and clips act in the order written.
#[test]
fn gradients_behind_a_clip() {
    for (clips, expected) in [
        ("clip_value(3.5)", [3.0, 3.5, 3.5, 0.0]),
        ("clip_norm(1)", [0.6, 0.8, 1.0, 0.0]),
        ("clip_norm(6)", [3.0, 4.0, 6.0, 0.0]),
        ("clip_global_norm(1)", [3.0 / 13.0, 4.0 / 13.0, 12.0 / 13.0, 0.0]),
        ("clip_global_norm(13)", [3.0, 4.0, 12.0, 0.0]),
        ("clip_value(3).clip_norm(1)", [0.5_f64.sqrt(), 0.5_f64.sqrt(), 1.0, 0.0]),
        ("clip_norm(1).clip_value(0.7)", [0.6, 0.7, 0.7, 0.0]),
    ] {
        clipped(clips).iter().zip(expected).for_each(|(found, expected)| close(*found, expected, 1e-15));
    }
}

/// The norm of a gradient that is finite may be infinite: the step must not become one of nothing.
#[test]
fn a_norm_that_overflows_is_seen() {
    for clip in ["clip_norm(1)", "clip_global_norm(1)"] {
        let text = format!(
            "Net {{ input x: [batch, 1]; parameter a: [1] = zeros; predict x; minimize (x * a).mean(); using sgd(1).{clip}; }}"
        );
        let network = elaborated(&text).training;
        let step = training_step(&network);
        let mut sources: Values = beginning(&network, &step);
        sources.extend(initial(&network, 1));
        sources.insert("x".into(), Array::new(vec![1, 1], vec![1e200]));
        advance(&step.graph, &mut sources, 1, 1);
        assert!(sources["a"].data[0].is_nan(), "{clip}: {:?}", sources["a"]);
    }
}

/// A penalty is part of the gradient that a clip limits: 3 + 2·0.25·2 = 4, cut off at 3.5.
#[test]
fn a_clip_acts_on_penalties_too() {
    let text = "Net { input x: [batch, 1]; parameter a: [1] = constant(2); predict x; \
                minimize (x * a).mean() + l2(0.25); using sgd(0.1).clip_value(3.5); }";
    let network = elaborated(text).training;
    let step = training_step(&network);
    let mut sources: Values = beginning(&network, &step);
    sources.extend(initial(&network, 1));
    sources.insert("x".into(), Array::new(vec![1, 1], vec![3.0]));
    advance(&step.graph, &mut sources, 1, 1);
    close(sources["a"].data[0], 2.0 - 0.1 * 3.5, 1e-15);
}

/// The λ at which a penalty is scikit-learn's: of one feature the solutions of ridge and lasso are known, and the gradient there is 0.
#[test]
fn strengths_are_those_of_scikit_learn() {
    let (x, y) = ([1.0, 2.0, -1.0, 0.5], [2.0, 3.0, -1.5, 2.0]);
    let sum = |f: &dyn Fn(usize) -> f64| (0..4).map(f).sum::<f64>();
    let (xx, xy) = (sum(&|row| x[row] * x[row]), sum(&|row| x[row] * y[row]));
    let (count, alpha) = (4.0, 0.8);
    // Ridge: |y - Xw|² + α w². Lasso: |y - Xw|² / 2n + α |w|.
    for (penalty, solution) in [
        (format!("l2({})", alpha / count), xy / (xx + alpha)),
        (format!("l1({})", 2.0 * alpha), (xy / count - alpha) / (xx / count)),
    ] {
        let text = format!(
            "Net {{ input x: [batch, 1]; target y: [batch, 1]; parameter w: [1] = constant({solution}); let p = x * w; predict p; \
             minimize p.mean_squared_error(y) + {penalty}; using sgd(1); }}"
        );
        let network = elaborated(&text).training;
        let step = training_step(&network);
        let mut sources: Values = beginning(&network, &step);
        sources.extend(initial(&network, 1));
        sources.insert("x".into(), Array::new(vec![4, 1], x.to_vec()));
        sources.insert("y".into(), Array::new(vec![4, 1], y.to_vec()));
        advance(&step.graph, &mut sources, 4, 1);
        close(sources["w"].data[0], solution, 1e-14);
    }
}

/// What is served at training time for ones: shares and scales of what is drawn.
fn drawn(layer: &str, value: f64) -> Vec<f64> {
    let networks = serving(&format!("input x: [batch, 100]; let y = x.{layer};"));
    let mut sources = initial(&networks.training, 1);
    // A rate that is written as a number is a setting.
    let settings = networks.training.settings.iter();
    sources.extend(settings.map(|setting| (setting.name.clone(), Array::scalar(setting.value))));
    sources.insert("x".into(), Array::new(vec![100, 100], vec![value; 10_000]));
    advance(&step::prediction(&networks.training), &mut sources, 100, 1)["prediction"].data.clone()
}

/// The rate is the share that is dropped; what is kept is scaled in training, and at test time all is as it is.
#[test]
fn dropout_drops_its_rate_and_keeps_the_mean() {
    let (rate, count) = (0.2, 10_000.0);
    let found = drawn("dropout(0.2)", 1.0);
    let dropped = found.iter().filter(|value| **value == 0.0).count() as f64;
    assert!((dropped / count - rate).abs() <= 5.0 * (rate * (1.0 - rate) / count).sqrt(), "{dropped} of {count}");
    assert!(found.iter().all(|value| *value == 0.0 || (value - 1.0 / (1.0 - rate)).abs() <= 1e-15));
    assert_eq!(activated("dropout(0.2).identity", 3.0), 3.0);
}

/// In training rrelu draws a slope for each element, evenly between its bounds.
#[test]
fn rrelu_draws_a_slope_for_each_element() {
    let slopes: Vec<f64> = drawn("rrelu()", -1.0).iter().map(|value| -value).collect();
    let (low, high, count) = (1.0 / 8.0, 1.0 / 3.0, slopes.len() as f64);
    assert!(slopes.iter().all(|slope| (low..=high).contains(slope)));
    let mean = slopes.iter().sum::<f64>() / count;
    let deviation = (high - low) / 12.0_f64.sqrt();
    close(mean, (low + high) / 2.0, 5.0 * deviation / count.sqrt());
    let variance = slopes.iter().map(|slope| (slope - mean).powi(2)).sum::<f64>() / count;
    close(variance / (deviation * deviation), 1.0, 0.05);
}

/// The hinge of targets -1 and 1.
#[test]
fn a_hinge() {
    for (y, x, expected) in [(1.0, 0.3, 0.7), (-1.0, 0.3, 1.3), (1.0, 2.0, 0.0), (-1.0, -1.5, 0.0)] {
        close(measured("a = hinge(p, y)", &[(y, x)])[0], expected, 1e-15);
    }
}

/// What the initialiser of the first layer is chosen by: the walk looks through what keeps the distribution's shape.
#[test]
fn the_choice_looks_through_what_keeps_the_shape() {
    let (he, glorot, lecun) = (2.0 / 64.0, 2.0 / 164.0, 1.0 / 64.0);
    for (behind, expected) in [
        ("let y = h.batch_norm().relu();", he),
        ("let y = h.layer_norm().selu();", lecun),
        ("let y = h.dropout(0.5).elu();", he),
        ("let y = h.reshape([4, 25]).relu().flatten();", he),
        ("let y = h.reshape([4, 5, 5]).max_pool(2).relu().flatten();", he),
        ("let y = h.batch_norm().dropout(0.1).reshape([100]).selu();", lecun),
        ("let y = concat(h.relu(), h.relu());", he),
        // Followers that differ.
        ("let y = h.relu() + h.tanh();", glorot),
        ("let y = h.relu() + h.selu();", glorot),
        ("let y = h.relu() + h;", glorot),
        ("let y = h.dense(5).relu();", glorot),
    ] {
        let networks = serving(&format!("input x: [batch, 64]; let h = x.dense(100); {behind}"));
        check_variance(behind, &initial(&networks.training, 8)["h.dense.weight"].data, expected);
    }
}

/// Of a convolution a window's area counts on both sides.
#[test]
fn fans_of_a_convolution() {
    for (layer, fan_in, fan_out) in [("conv2d(40, 3)", 20.0 * 9.0, 40.0 * 9.0), ("conv2d(40, [5, 2])", 20.0 * 10.0, 40.0 * 10.0)]
    {
        let serve = |init: &str| {
            let call = layer.replace(')', &format!(", init = {init})"));
            let networks = serving(&format!("input x: [batch, 20, 8, 8]; let h = x.{call}; let y = h.flatten();"));
            initial(&networks.training, 9)["h.conv2d.weight"].data.clone()
        };
        check_variance(layer, &serve("he"), 2.0 / fan_in);
        check_variance(layer, &serve("lecun"), 1.0 / fan_in);
        check_variance(layer, &serve("glorot"), 2.0 / (fan_in + fan_out));
    }
}

/// Glorot for the input, an orthogonal matrix for the state, biases 0.
#[test]
fn first_values_of_recurrent_layers() {
    for (layer, gates) in [("rnn", 1), ("lstm", 4), ("gru", 3)] {
        let networks = serving(&format!("input x: [batch, 3, 120]; let h = x.{layer}(40); let y = h.last();"));
        let first = initial(&networks.training, 10);
        let of = |name: &str| &first[&format!("h.{layer}.{name}")];
        check_variance(layer, &of("weight").data, 2.0 / (120.0 + 40.0));
        let state = of("state_weight");
        let width = gates * 40;
        assert_eq!(state.dims, [40, width]);
        for (a, b) in (0..40).flat_map(|a| (0..40).map(move |b| (a, b))) {
            let product: f64 = (0..width).map(|k| state.data[a * width + k] * state.data[b * width + k]).sum();
            close(product, f64::from(u8::from(a == b)), 1e-9);
        }
        for bias in ["bias", "state_bias"] {
            assert!(of(bias).data.iter().all(|value| *value == 0.0), "{layer} {bias}");
        }
    }
}
