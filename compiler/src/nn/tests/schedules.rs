//! Rate schedules against figures worked by hand from the formulas of the papers and of `torch.optim.lr_scheduler`.

use super::trial::{elaborated, training_step};
use crate::ops::{Array, Environment};
use crate::reference;
use std::collections::BTreeMap;
use std::path::Path;

/// The rate of each step of a run, as plain gradient descent shows it.
fn rates(schedule: &str, steps: u64) -> Vec<f64> {
    let text = format!("Net {{ parameter a: [1] = zeros; minimize a.sum(); using sgd({schedule}); }}");
    let network = elaborated(&text).training;
    let step = training_step(&network);
    let settings = network.settings.iter().map(|setting| (setting.name.clone(), Array::scalar(setting.value)));
    let mut sources: BTreeMap<String, Array> = settings.collect();
    sources.insert("a".into(), Array::new(vec![1], vec![0.0]));
    let rate = |number: u64| {
        let epoch = (number - 1) / 4 + 1;
        let sources = sources.clone();
        let environment = Environment { sources, batch: 1, step: number, turn: number, steps: steps as f64, epoch, seed: 1 };
        -reference::run(&step.graph, &environment).1["a"].data[0]
    };
    (1..=steps).map(rate).collect()
}

fn check(schedule: &str, expected: &[f64]) {
    let found = rates(schedule, expected.len() as u64);
    for (number, (found, expected)) in found.iter().zip(expected).enumerate() {
        let error = (found - expected).abs();
        assert!(error <= 1e-9 * expected.abs(), "{schedule}: step {} has {found}, expected {expected}", number + 1);
    }
}

#[test]
fn curves_by_name() {
    check("constant(0.5)", &[0.5; 3]);
    check("step(1, every = 2, factor = 0.5)", &[1.0, 1.0, 0.5, 0.5, 0.25]);
    check("step(0.1, every = 3)", &[0.1, 0.1, 0.1, 0.01, 0.01, 0.01, 0.001]);
    check("exponential(2, 0.5)", &[2.0, 1.0, 0.5, 0.25]);
    check("exponential(2, 0.25, every = 2)", &[2.0, 1.0, 0.5, 0.25]);
    let half = 0.5_f64.sqrt();
    let cosine = [1.0, (1.0 + half) / 2.0, 0.5, (1.0 - half) / 2.0];
    check("cosine(1)", &cosine);
    check("cosine(1, steps = 4)", &[cosine[0], cosine[1], cosine[2], cosine[3], 0.0, 0.0]);
    check("cosine(3, to = 1, steps = 4)", &[3.0, 2.0 + half, 2.0, 2.0 - half, 1.0]);
    check("2 * warm_up(4)", &[0.5, 1.0, 1.5, 2.0, 2.0]);
    check("warm_up(2).then(constant(0.5))", &[0.25, 0.5, 0.5, 0.5]);
    check("warm_up(2).then(step(1, every = 2, factor = 0.5))", &[0.5, 1.0, 1.0, 1.0, 0.5, 0.5, 0.25]);
}

#[test]
fn one_cycle_rises_and_falls() {
    // Ten steps: up to step 3, down to step 10; by PyTorch's formula, worked by hand.
    let wave = |from: f64, to: f64, share: f64| to + (from - to) / 2.0 * (1.0 + (std::f64::consts::PI * share).cos());
    let (first, last) = (1.0 / 25.0, 1.0 / 25.0 / 1e4);
    let up = [0.0, 0.5, 1.0].map(|share| wave(first, 1.0, share));
    let down = (1..=7).map(|step| wave(1.0, last, f64::from(step) / 7.0));
    check("one_cycle(1)", &up.into_iter().chain(down).collect::<Vec<_>>());
}

/// PyTorch's formula with `pct_start` 1 and 0, by hand: up to the last step, and down from before the first.
#[test]
fn one_cycle_may_rise_in_all_steps_or_in_none() {
    let wave = |from: f64, to: f64, share: f64| to + (from - to) / 2.0 * (1.0 + (std::f64::consts::PI * share).cos());
    let (first, last) = (1.0 / 25.0, 1.0 / 25.0 / 1e4);
    let shares = |count: u32| (0..count).map(move |step| f64::from(step) / f64::from(count - 1));
    check("one_cycle(1, rise = 1)", &shares(5).map(|share| wave(first, 1.0, share)).collect::<Vec<_>>());
    check("one_cycle(1, rise = 0)", &shares(6).skip(1).map(|share| wave(1.0, last, share)).collect::<Vec<_>>());
    check("one_cycle(1, rise = 1)", &[1.0]);
    check("one_cycle(1, rise = 0)", &[last]);
    check("one_cycle(1, steps = 2, rise = 1)", &[first, 1.0, last, last]);
}

/// Every curve at the ends of what its arguments may be: no step has a rate that is no number.
#[test]
fn no_end_of_a_range_divides_by_zero() {
    for schedule in [
        "one_cycle(1, rise = 0)",
        "one_cycle(1, rise = 1)",
        "one_cycle(1, rise = 0.1)",
        "one_cycle(1, steps = 1, rise = 1)",
        "step(1, every = 1, factor = 0)",
        "exponential(1, 0)",
        "exponential(1, 0, every = 3)",
        "cosine(1, steps = 1)",
        "warm_up(1).then(cosine(1))",
        "warm_up(10).then(one_cycle(1, rise = 1))",
        "warm_up(9).then(one_cycle(1, rise = 0))",
        "warm_up(0).then(constant(1))",
    ] {
        for steps in [1, 2, 10] {
            let found = rates(schedule, steps);
            assert!(found.iter().all(|rate| (0.0..=1.0).contains(rate)), "{schedule} in {steps} steps: {found:?}");
        }
    }
}

#[test]
fn formulas_know_the_run_and_the_epoch() {
    check("1 - step / steps", &[0.75, 0.5, 0.25, 0.0]);
    check("1 / epoch", &[1.0, 1.0, 1.0, 1.0, 0.5, 0.5]);
}

#[test]
fn without_an_end_a_curve_stays_where_it_begins() {
    for (schedule, expected) in [
        ("cosine(0.5)", 0.5),
        ("one_cycle(1)", 0.04),
        ("one_cycle(1, rise = 0)", 1.0),
        ("one_cycle(1, rise = 1)", 0.04),
        ("warm_up(2).then(cosine(1))", 0.5),
    ] {
        let text = format!("Net {{ parameter a: [1] = zeros; minimize a.sum(); using sgd({schedule}); }}");
        let step = training_step(&elaborated(&text).training);
        let sources = BTreeMap::from([("a".to_string(), Array::new(vec![1], vec![0.0]))]);
        let environment = Environment { sources, batch: 1, step: 1, turn: 1, steps: f64::INFINITY, epoch: 1, seed: 1 };
        let found = -reference::run(&step.graph, &environment).1["a"].data[0];
        assert!((found - expected).abs() < 1e-15, "{schedule}: {found}, expected {expected}");
    }
}

#[test]
fn what_follows_a_warm_up_has_the_rest_of_the_run() {
    let found = rates("warm_up(4).then(cosine(1, to = 0.5))", 12);
    assert_eq!(found[..4], [0.25, 0.5, 0.75, 1.0]);
    assert_eq!(found[4..], rates("cosine(1, to = 0.5)", 8));
}

/// `torch.optim.lr_scheduler` itself (tests/golden/schedules.json).
#[test]
fn named_schedules_are_those_of_pytorch() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/schedules.json");
    let text = std::fs::read_to_string(file).expect("a golden file");
    let golden: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let cases = golden["cases"].as_array().expect("cases");
    assert!(cases.len() >= 10);
    for case in cases {
        let rates = case["rates"].as_array().expect("rates").iter().map(|rate| rate.as_f64().expect("a number"));
        check(case["name"].as_str().expect("a schedule"), &rates.collect::<Vec<_>>());
    }
}
