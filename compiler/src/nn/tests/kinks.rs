//! What each row's gradient is where it has a kink: what the catalogue and the records say.

use super::trial::elaborated;
use crate::autodiff::gradients;
use crate::graph::Root;
use crate::nn::{activations, losses};
use crate::ops::{Array, Environment};
use crate::reference;
use std::collections::BTreeSet;

/// A row on `x` [batch, 1] against the target `y` [batch, 1]; x, y, the slope by x there, and the reason.
const KINKS: &[(&str, f64, f64, f64, &str)] = &[
    ("x.relu()", 0.0, 0.0, 0.0, "gradient at 0 is 0"),
    ("x.relu6()", 0.0, 0.0, 0.0, "at both kinks the derivative is 0"),
    ("x.relu6()", 6.0, 0.0, 0.0, "at both kinks the derivative is 0"),
    ("x.leaky_relu(slope = 0.1)", 0.0, 0.0, 0.1, "x above 0, slope·x elsewhere"),
    ("x.prelu()", 0.0, 0.0, 0.25, "as leaky_relu with the learned slope"),
    ("x.elu()", 0.0, 0.0, 1.0, "smooth at 0 for alpha = 1"),
    ("x.elu(alpha = 2)", 0.0, 0.0, 2.0, "alpha·(e^x - 1) where x is not above 0"),
    ("x.selu()", 0.0, 0.0, 1.0507009873554805 * 1.6732632423543772, "as elu"),
    ("x.hard_sigmoid()", -3.0, 0.0, 0.0, "as relu6"),
    ("x.hard_sigmoid()", 3.0, 0.0, 0.0, "as relu6"),
    ("x.hard_tanh()", -1.0, 0.0, 0.0, "as relu6"),
    ("x.hard_tanh()", 1.0, 0.0, 0.0, "as relu6"),
    ("x.hard_swish()", -3.0, 0.0, 0.0, "hard_sigmoid and its slope are both 0"),
    ("x.hard_swish()", 3.0, 0.0, 1.0, "hard_sigmoid is 1 and its slope 0"),
    ("x.softsign()", 0.0, 0.0, 1.0, "smooth at 0"),
    ("x.softplus()", 0.0, 0.0, 0.5, "smooth at 0"),
    ("x.log_sigmoid()", 0.0, 0.0, 0.5, "smooth at 0"),
    ("x.abs()", 0.0, 0.0, 0.0, "subgradient 0 at 0"),
    ("x.clamp(-1, 2)", -1.0, 0.0, 0.0, "a bound that is reached lets nothing through"),
    ("x.clamp(-1, 2)", 2.0, 0.0, 0.0, "a bound that is reached lets nothing through"),
    ("x.max(1)", 1.0, 0.0, 1.0, "the derivative of a tie goes to the first"),
    ("x.min(1)", 1.0, 0.0, 1.0, "the derivative of a tie goes to the first"),
    ("x.mean_absolute_error(y)", 3.0, 3.0, 0.0, "subgradient 0 at 0"),
    ("x.l1_loss(y)", 3.0, 3.0, 0.0, "subgradient 0 at 0"),
    ("x.huber(y)", 4.0, 3.0, 1.0, "both pieces have slope delta at their joint"),
    ("x.huber(y, delta = 2)", 1.0, 3.0, -2.0, "both pieces have slope delta at their joint"),
    ("x.hinge(y)", 1.0, 1.0, 0.0, "as relu at the margin"),
    ("x.hinge(y)", -1.0, -1.0, 0.0, "as relu at the margin"),
    ("x.binary_cross_entropy(y)", 0.0, 1.0, -0.5, "smooth at 0"),
    ("x.binary_cross_entropy(y)", 0.0, 0.0, 0.5, "smooth at 0"),
];

/// The slope of the sum of a row's elements by `x`, for one batch of `x` of these sizes.
fn slope(row: &str, dims: &[usize], x: &[f64], y: f64) -> Vec<f64> {
    let sizes: Vec<String> = dims[1..].iter().map(ToString::to_string).collect();
    let text = format!(
        "Net {{ input x: [batch, {}]; target y: [batch, 1]; parameter factor: [1] = ones; let out = {row}; \
         minimize (factor * out).sum() + 0 * y.sum(); using sgd(0.1); }}",
        sizes.join(", ")
    );
    let mut network = elaborated(&text).training;
    let (source, sum) = (network.inputs[0].node, network.loss.expect("a loss"));
    let slope = gradients(&mut network.builder, sum, &[source]).unwrap_or_else(|error| panic!("{row}: {error}"))[0];
    let mut environment = Environment { batch: dims[0], step: 1, turn: 1, ..Environment::default() };
    environment.sources.extend(super::trial::initial(&network, 1));
    for setting in &network.settings {
        environment.sources.insert(setting.name.clone(), Array::scalar(setting.value));
    }
    environment.sources.insert("x".into(), Array::new(dims.to_vec(), x.to_vec()));
    environment.sources.insert("y".into(), Array::filled(vec![dims[0], 1], y));
    let mut graph = network.builder.finish();
    graph.roots = vec![Root::Output { name: "slope".into(), node: slope }];
    reference::run(&graph, &environment).0["slope"].data.clone()
}

#[test]
fn slopes_at_kinks_are_those_that_are_told() {
    for (row, x, y, expected, why) in KINKS {
        let found = slope(row, &[1, 1], &[*x], *y);
        assert_eq!(found, [*expected], "{row} at {x}: {why}");
    }
}

/// The drawn slope of rrelu lies between its bounds, at 0 too.
#[test]
fn a_drawn_slope_at_zero() {
    let found = slope("x.rrelu()", &[1, 1], &[0.0], 0.0)[0];
    assert!((1.0 / 8.0..=1.0 / 3.0).contains(&found), "{found}");
}

/// Equals share the slope, so that what comes in goes out, however many there are.
#[test]
fn equals_share() {
    assert_eq!(slope("x.max(axis = 1)", &[1, 4], &[2.0, 1.0, 2.0, 0.0], 0.0), [0.5, 0.0, 0.5, 0.0]);
    assert_eq!(slope("x.min(axis = 1)", &[1, 4], &[2.0, 0.0, 0.0, 0.0], 0.0), [0.0, 1.0 / 3.0, 1.0 / 3.0, 1.0 / 3.0]);
    for window in ["max_pool(2)", "max_pool(2, stride = 1)", "max_pool(3, padding = 1)"] {
        for image in [vec![1.0; 16], (0..16).map(|pixel| f64::from(pixel % 3)).collect(), vec![-1.0; 16]] {
            let found = slope(&format!("x.{window}"), &[1, 1, 4, 4], &image, 0.0);
            let windows = if window.contains("stride") { 9.0 } else { 4.0 };
            assert!(
                (found.iter().sum::<f64>() - windows).abs() < 1e-12 && found.iter().all(|part| *part >= 0.0),
                "{window}: {found:?}"
            );
        }
    }
}

/// Whatever cuts values off lets NaN through.
#[test]
fn nan_passes() {
    for row in ["x.relu()", "x.relu6()", "x.hard_sigmoid()", "x.hard_tanh()", "x.clamp(-1, 1)", "x.abs()"] {
        let text = format!(
            "Net {{ input x: [batch, 1]; parameter factor: [1] = ones; let out = {row}; predict out; minimize (factor * out).mean(); \
             using sgd(0.1); }}"
        );
        let network = elaborated(&text).evaluation;
        let mut sources = super::trial::Values::from([("x".to_string(), Array::new(vec![1, 1], vec![f64::NAN]))]);
        sources.insert("factor".into(), Array::filled(vec![1], 1.0));
        let found = super::trial::advance(&crate::step::prediction(&network), &mut sources, 1, 0);
        assert!(found["prediction"].data[0].is_nan(), "{row}");
    }
}

/// No row with a kink is left out: a row whose record has a choice or a largest value in it is in the table, or needs none.
#[test]
fn every_row_with_a_choice_has_its_kinks_told() {
    let told: BTreeSet<&str> = KINKS.iter().map(|(row, ..)| row[2..].split('(').next().unwrap_or_default()).collect();
    let has_choice = |formula: &str| ["max(", "min(", "? ", "|"].iter().any(|sign| formula.replace("softmax", "").contains(sign));
    let rows = activations::LIST.iter().chain(losses::LIST);
    let missing: Vec<&str> = rows.filter(|row| has_choice(row.formula) && !told.contains(row.name)).map(|row| row.name).collect();
    assert_eq!(missing, ["rrelu"], "its slope is drawn; see above");
}
