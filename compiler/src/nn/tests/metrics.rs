//! Metrics: worked figures, and chunks that combine to the value of all rows.

use super::trial::{Values, advance, elaborated};
use crate::aggregate::Sums;
use crate::graph::{Dim, Shape, Type};
use crate::nn::{Call, Network};
use crate::ops::Array;
use crate::step;

/// Declarations of the sources, what is reported, and the data.
struct Case<'a> {
    sources: &'a str,
    loss: &'a str,
    reports: &'a [(&'a str, f64)],
    data: Vec<(&'a str, Array)>,
}

/// Rows of a width, or of one value where it is 0.
fn array(width: usize, data: &[f64]) -> Array {
    let dims = match data.len().checked_div(width) {
        Some(rows) => vec![rows, width],
        None => vec![data.len()],
    };
    Array::new(dims, data.to_vec())
}

fn rows_of(array: &Array, from: usize, to: usize) -> Array {
    let width: usize = array.dims[1..].iter().product();
    let dims = [&[to - from], &array.dims[1..]].concat();
    Array::new(dims, array.data[from * width..to * width].to_vec())
}

impl Case<'_> {
    /// Each report in one chunk, and in chunks of two rows.
    fn check(&self) {
        self.check_both(|_| None);
    }

    /// The same; what is worth something else in one batch says so.
    fn check_both(&self, at_once: impl Fn(&str) -> Option<f64>) {
        let list: Vec<String> = self.reports.iter().enumerate().map(|(n, (text, _))| format!("m{n} = {text}")).collect();
        let text = format!("Net {{ {} minimize {}; using sgd(0.1); report {}; }}", self.sources, self.loss, list.join(", "));
        let network = elaborated(&text).evaluation;
        let graph = step::evaluation(&network).expect("a loss");
        let count = self.data[0].1.dims[0];
        let chunk = |from: usize, to: usize| {
            let mut sources: Values =
                self.data.iter().map(|(name, array)| (name.to_string(), rows_of(array, from, to))).collect();
            advance(&graph, &mut sources, to - from, 0)
        };
        let whole = chunk(0, count);
        let chunks: Vec<(f64, Values)> =
            (0..count).step_by(2).map(|from| ((count - from).min(2) as f64, chunk(from, (from + 2).min(count)))).collect();
        for (report, (text, expected)) in network.reports.iter().zip(self.reports) {
            let near = |found: f64, expected: f64, how: &str| {
                let is_near = (found - expected).abs() < 1e-9 || found.is_nan() && expected.is_nan();
                assert!(is_near, "{text} {how} is {found}, expected {expected}");
            };
            near(whole[&report.name].data[0], at_once(text).unwrap_or(*expected), "at once");
            let close = |found: f64, how: &str| near(found, *expected, how);
            let Some(aggregate) = &report.aggregate else {
                let sum: f64 = chunks.iter().map(|(rows, found)| rows * found[&report.name].data[0]).sum();
                close(sum / count as f64, "by rows");
                continue;
            };
            let mut sums = Sums::new(&aggregate.combination);
            for (rows, found) in &chunks {
                let names = aggregate.combination.parts.iter().map(|part| format!("{}.{part}", report.name));
                let parts: Vec<&[f64]> = names.map(|name| found[&name].data.as_slice()).collect();
                sums.add(found[&report.name].data[0], &parts, *rows);
            }
            close(sums.value(), "in chunks");
        }
    }
}

const PAIRS: &str = "input p: [batch, 1]; target y: [batch, 1];";

#[test]
fn yes_and_no() {
    // At 1/2: two hits, one false alarm, two that were missed. At 0.15 (logit -1.73): four hits, two false alarms.
    let (p, y) = ([0.9, 0.6, 0.7, 0.2, 0.4, 0.1, 0.3], [1.0, 1.0, 0.0, 1.0, 1.0, 0.0, 0.0]);
    let (precision, recall) = (2.0 / 3.0, 2.0 / 4.0);
    let f1 = 2.0 * precision * recall / (precision + recall);
    let logits: Vec<f64> = p.iter().map(|p: &f64| (p / (1.0 - p)).ln()).collect();
    Case {
        sources: PAIRS,
        loss: "p.binary_cross_entropy(y, from = probabilities)",
        reports: &[
            ("precision(p, y, from = probabilities)", precision),
            ("recall(p, y, from = probabilities)", recall),
            ("f1(p, y, from = probabilities)", f1),
            ("precision(p, y, from = probabilities, threshold = 0.15)", 4.0 / 6.0),
            ("recall(p, y, from = probabilities, threshold = 0.15)", 1.0),
            ("precision(p, y, from = probabilities, threshold = 0.95)", 0.0),
            ("accuracy(p, y, from = probabilities)", 4.0 / 7.0),
        ],
        data: vec![("p", array(1, &p)), ("y", array(1, &y))],
    }
    .check();
    Case {
        sources: PAIRS,
        loss: "p.binary_cross_entropy(y)",
        reports: &[("f1(p, y)", f1), ("precision(p, y, threshold = 0.15)", 4.0 / 6.0), ("accuracy(p, y)", 4.0 / 7.0)],
        data: vec![("p", array(1, &logits)), ("y", array(1, &y))],
    }
    .check();
}

#[test]
fn classes_count_alike_and_unseen_ones_do_not() {
    // The example of scikit-learn's manual, with a fourth class that neither comes nor is said.
    let said = [0, 2, 1, 0, 0, 1];
    let mut x = [0.0; 24];
    for (row, class) in said.iter().enumerate() {
        x[row * 4 + class] = 1.0;
    }
    Case {
        sources: "input x: [batch, 4]; target c: class(4);",
        loss: "x.cross_entropy(c)",
        reports: &[
            ("precision(x, c)", 2.0 / 9.0),
            ("recall(x, c)", 1.0 / 3.0),
            ("f1(x, c)", 4.0 / 15.0),
            ("accuracy(x, c)", 1.0 / 3.0),
        ],
        data: vec![("x", array(4, &x)), ("c", array(0, &[0.0, 1.0, 2.0, 0.0, 1.0, 2.0]))],
    }
    .check();
}

#[test]
fn counts_of_classes_against_classes() {
    // The example of scikit-learn's manual: its matrix is [[2, 0, 0], [0, 0, 1], [1, 0, 2]].
    let (said, came) = ([0, 0, 2, 2, 0, 2], [2.0, 0.0, 2.0, 2.0, 0.0, 1.0]);
    let mut x = [0.0; 18];
    for (row, class) in said.iter().enumerate() {
        x[row * 3 + class] = 1.0;
    }
    Case {
        sources: "input x: [batch, 3]; target c: class(3);",
        loss: "x.cross_entropy(c)",
        reports: &[("confusion_matrix(x, c)", 4.0 / 6.0), ("accuracy(x, c)", 4.0 / 6.0)],
        data: vec![("x", array(3, &x)), ("c", array(0, &came))],
    }
    .check();
    Case {
        sources: PAIRS,
        loss: "p.binary_cross_entropy(y, from = probabilities)",
        reports: &[
            ("confusion_matrix(p, y, from = probabilities)", 3.0 / 5.0),
            ("confusion_matrix(p, y, from = probabilities, threshold = 0.05)", 2.0 / 5.0),
        ],
        data: vec![("p", array(1, &[0.9, 0.2, 0.7, 0.2, 0.1])), ("y", array(1, &[1.0, 1.0, 0.0, 0.0, 0.0]))],
    }
    .check();
}

#[test]
fn the_order_of_scores() {
    // scikit-learn's manual has 0.75 for the first four rows; then a tie, which counts one half.
    let (p, y) = ([0.1, 0.4, 0.35, 0.8, 0.8], [0.0, 0.0, 1.0, 1.0, 0.0]);
    let logits: Vec<f64> = p.iter().map(|p: &f64| (p / (1.0 - p)).ln()).collect();
    let won = (1.0 + 2.5) / 6.0;
    Case {
        sources: PAIRS,
        loss: "p.binary_cross_entropy(y, from = probabilities)",
        reports: &[
            ("roc_auc(p, y, from = probabilities)", won),
            ("roc_auc(p, y, from = probabilities, bins = 4)", won),
            ("roc_auc(p, y, from = probabilities, bins = 1)", won),
        ],
        data: vec![("p", array(1, &p)), ("y", array(1, &y))],
    }
    .check_both(|text| match text {
        // In one batch 0.4 and 0.35 fall together: the pair that was lost counts one half.
        text if text.contains("bins = 4") => Some((1.5 + 2.5) / 6.0),
        text if text.contains("bins = 1") => Some(0.5),
        _ => None,
    });
    Case {
        sources: PAIRS,
        loss: "p.binary_cross_entropy(y)",
        reports: &[("roc_auc(p, y)", won)],
        data: vec![("p", array(1, &logits)), ("y", array(1, &y))],
    }
    .check();
    Case {
        sources: PAIRS,
        loss: "p.binary_cross_entropy(y)",
        reports: &[("roc_auc(p, y)", f64::NAN)],
        data: vec![("p", array(1, &[-1.0, 2.0])), ("y", array(1, &[1.0, 1.0]))],
    }
    .check();
    // Two classes: what counts is how far the second is ahead.
    let two: Vec<f64> = logits.iter().zip([3.0, -1.0, 0.0, 5.0, -2.0]).flat_map(|(logit, low)| [low, low + logit]).collect();
    let shares: Vec<f64> = p.iter().flat_map(|p| [1.0 - p, *p]).collect();
    Case {
        sources: "input x: [batch, 2]; input q: [batch, 2]; input s: [batch]; target c: class(2);",
        loss: "x.cross_entropy(c) + q.cross_entropy(c, from = probabilities) + s.mean()",
        reports: &[("roc_auc(x, c)", won), ("roc_auc(q, c, from = probabilities)", won), ("roc_auc(s, c)", won)],
        data: vec![("x", array(2, &two)), ("q", array(2, &shares)), ("s", array(0, &logits)), ("c", array(0, &y))],
    }
    .check();
}

#[test]
fn guesses_in_order() {
    // The example of scikit-learn's manual; the last row's two equal values stand in the order of their classes.
    let x = [0.5, 0.2, 0.2, 0.3, 0.4, 0.2, 0.2, 0.4, 0.3, 0.7, 0.2, 0.1, 0.2, 0.4, 0.4];
    Case {
        sources: "input x: [batch, 3]; target c: class(3);",
        loss: "x.cross_entropy(c)",
        reports: &[
            ("top_k(x, c, k = 2)", 4.0 / 5.0),
            ("top_k(x, c, k = 1)", 2.0 / 5.0),
            ("accuracy(x, c)", 2.0 / 5.0),
            ("top_k(x, c, k = 3)", 1.0),
        ],
        data: vec![("x", array(3, &x)), ("c", array(0, &[0.0, 1.0, 2.0, 2.0, 2.0]))],
    }
    .check();
}

#[test]
fn a_row_that_is_no_number_is_no_hit() {
    Case {
        sources: "input x: [batch, 3]; target c: class(3);",
        loss: "x.cross_entropy(c)",
        reports: &[("top_k(x, c, k = 3)", 0.5), ("accuracy(x, c)", 0.5), ("recall(x, c)", 0.5)],
        data: vec![("x", array(3, &[f64::NAN, f64::NAN, f64::NAN, 0.0, 1.0, 0.0])), ("c", array(0, &[0.0, 1.0]))],
    }
    .check();
}

#[test]
fn explained_variance() {
    // Both examples of scikit-learn's manual.
    Case {
        sources: PAIRS,
        loss: "p.mean_squared_error(y)",
        reports: &[("r_squared(p, y)", 0.948_608_137_044_967_8), ("rmse(p, y)", (1.5_f64 / 4.0).sqrt())],
        data: vec![("p", array(1, &[2.5, 0.0, 2.0, 8.0])), ("y", array(1, &[3.0, -0.5, 2.0, 7.0]))],
    }
    .check();
    Case {
        sources: "input p: [batch, 2]; target y: [batch, 2];",
        loss: "p.mean_squared_error(y)",
        reports: &[("r_squared(p, y)", 0.936_800_526_662_277_8)],
        data: vec![("p", array(2, &[0.0, 2.0, -1.0, 2.0, 8.0, -5.0])), ("y", array(2, &[0.5, 1.0, -1.0, 1.0, 7.0, -6.0]))],
    }
    .check();
}

#[test]
fn among_how_many_the_guess_is() {
    let weighted = (2.0 * 4.0_f64.ln() + 3.0 * (2.0_f64 + 2.0 * std::f64::consts::E).ln()) / 5.0;
    Case {
        sources: "input x: [batch, 4]; target c: class(4); target w: [batch];",
        loss: "x.cross_entropy(c)",
        reports: &[("perplexity(x, c, weights = w)", weighted.exp()), ("cross_entropy(x, c, weights = w)", weighted)],
        data: vec![
            ("x", array(4, &[0.0, 0.0, 0.0, 0.0, 9.0, 1.0, 1.0, 1.0, 0.0, 1.0, 0.0, 1.0])),
            ("c", array(0, &[1.0, 2.0, 2.0])),
            ("w", array(0, &[2.0, 0.0, 3.0])),
        ],
    }
    .check();
    Case {
        sources: "input x: [batch, 4]; target c: class(4);",
        loss: "x.cross_entropy(c)",
        reports: &[("perplexity(x, c)", 4.0)],
        data: vec![("x", array(4, &[7.0; 12])), ("c", array(0, &[0.0, 3.0, 1.0]))],
    }
    .check();
}

#[test]
fn metrics_know_their_direction() {
    for metric in crate::nn::metrics::LIST {
        let lower = ["perplexity", "mae", "mse", "rmse"].contains(&metric.name);
        assert_eq!(metric.higher_is_better, !lower, "{}", metric.name);
    }
}

/// The softmax of one value is 1: a loss of 0 whatever comes would look like success.
#[test]
fn one_class_is_no_choice() {
    let mut network = Network::new("Net", true);
    let column = Type::f32(Shape(vec![Dim::Batch, Dim::Fixed(1)]));
    let x = network.input("x", column.clone(), "").expect("an input");
    let y = network.target("y", column, "").expect("a target");
    let fault = network.call("cross_entropy", x, &Call::new("cross_entropy").with(y)).expect_err("one class");
    assert!(fault.message.contains("`x` is [batch, 1]"), "{}", fault.message);
}

#[test]
fn formulas_of_means_and_sums_are_those_of_all_rows() {
    let (p, y) = ([0.5, 1.0, -2.0, 4.0, 0.25], [1.0, 3.0, 2.0, 8.0, 16.0]);
    let mean = |of: &dyn Fn(usize) -> f64| (0..5).map(of).sum::<f64>() / 5.0;
    let (mean_p, mean_y) = (mean(&|i| p[i]), mean(&|i| y[i]));
    let (sum_y, squares) = (5.0 * mean_y, mean(&|i| y[i] * y[i]));
    let products = mean(&|i| p[i] * y[i]);
    Case {
        sources: PAIRS,
        loss: "p.mean_squared_error(y)",
        reports: &[
            ("mean(y)", mean_y),
            ("sum(y)", sum_y),
            ("2 * sum(y) + 1", 2.0 * sum_y + 1.0),
            ("abs(mean(p - y))", (mean_p - mean_y).abs()),
            ("sqrt(mean(y * y))", squares.sqrt()),
            ("1 / mean(y)", 1.0 / mean_y),
            ("mean(y * y) - mean(y) * mean(y)", squares - mean_y * mean_y),
            ("(mean(p * y) - mean(p) * mean(y)) / (1 + exp(-mean(y)))", (products - mean_p * mean_y) / (1.0 + (-mean_y).exp())),
            ("sum(p * y) / sum(y)", 5.0 * products / sum_y),
            ("-mean(p) + 3 - sum(y)", -mean_p + 3.0 - sum_y),
            ("sum(mean(y, axis = 0))", mean_y),
        ],
        data: vec![("p", array(1, &p)), ("y", array(1, &y))],
    }
    .check();
}

/// Whether each report has a value for all rows.
fn are_whole(reports: &[&str]) -> Vec<bool> {
    let list: Vec<String> = reports.iter().enumerate().map(|(n, text)| format!("m{n} = {text}")).collect();
    let body = "let h = p.dense(3).batch_norm().relu(); let q = h.dense(1); minimize q.mean_squared_error(y); using sgd(0.1);";
    let text = format!("Net {{ {PAIRS} {body} allow(mean_of_chunks); report {}; }}", list.join(", "));
    elaborated(&text).evaluation.reports.iter().map(|report| report.is_whole).collect()
}

#[test]
fn what_is_no_formula_of_means_and_sums_is_known() {
    let whole = ["mae(q, y)", "r_squared(q, y)", "sqrt(mean((q - y) * (q - y)))", "sum(h)", "mean(max(h, axis = 1))"];
    assert_eq!(are_whole(&whole), [true; 5]);
    let mixed = ["max(y)", "mean((q - mean(q)) * y)", "mean(softmax(h, axis = 0))", "max(mean(h, axis = 0))", "mean(y / sum(y))"];
    assert_eq!(are_whole(&mixed), [false; 5]);
}
