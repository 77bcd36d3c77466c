//! The worked figures of the catalogue.

use super::trial::{Values, advance, elaborated};
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
