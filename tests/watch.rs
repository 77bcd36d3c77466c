//! A watched value is what the step computes, and watching changes no bit of the run.

use crate::networks::{Digits, bits, digits};
use gradc::prelude::*;

network! {
    /// A line with a step that one can do by hand.
    Line {
        input  x: [batch, 3];
        target y: [batch, 1];
        let hidden = x.dense(4).tanh();
        let line   = hidden.dense(1);
        predict  line;
        minimize line.mean_squared_error(y);
        using    sgd(rate = 0.5);
    }
}

fn line() -> (Line, Dataset) {
    let x: Vec<f32> = (0..30).map(|i| (i as f32 * 0.7).sin()).collect();
    let y: Vec<f32> = (0..10).map(|i| (i as f32 * 0.3).cos()).collect();
    let data = Dataset::new().f32("x", &[3], &x).and_then(|data| data.f32("y", &[1], &y)).expect("a data set");
    (Line::options().compile().expect("it compiles"), data)
}

#[test]
fn watching_changes_no_bit() {
    let [train, valid, _] = digits(3).expect("the data is there");
    let run = |net: &mut Digits| {
        net.fit(&train).validate(&valid).batch(64).epochs(2).quiet().run().expect("it trains");
    };
    let mut plain = Digits::options().seed(3).compile().expect("it compiles");
    let mut watched = Digits::options().seed(3).compile().expect("it compiles");
    for value in ["hidden.relu.gradient@every=7", "hidden.dropout", "logits@step=3", "pixels.gradient@last", "digit"] {
        watched.watch(value).expect("it is there");
    }
    run(&mut plain);
    run(&mut watched);
    assert_eq!(bits(&plain), bits(&watched));
    // A state that is there when a watch begins, or ends, stays.
    watched.unwatch().expect("it compiles");
    assert_eq!(bits(&plain), bits(&watched));
    run(&mut plain);
    run(&mut watched);
    assert_eq!(bits(&plain), bits(&watched));
}

#[test]
fn a_step_of_gradient_descent_is_what_the_watched_values_say() {
    let (mut net, data) = line();
    for value in ["line.dense.weight@every=1", "line.dense.weight.gradient@every=1", "hidden@every=1", "line.gradient@every=1"] {
        net.watch(value).expect("it is there");
    }
    net.fit(&data).batch(5).steps(4).quiet().run().expect("it trains");
    let at = |name: &str, step: u64| {
        let found = net.watched().iter().find(|watched| watched.name == name && watched.step == step);
        found.unwrap_or_else(|| panic!("{name} in step {step}"))
    };
    for step in 1..4 {
        let (weight, gradient) = (at("line.dense.weight", step), at("line.dense.weight.gradient", step));
        let next = at("line.dense.weight", step + 1);
        for ((before, slope), after) in weight.values.iter().zip(&gradient.values).zip(&next.values) {
            assert!((before - 0.5 * slope - after).abs() < 1e-6, "step {step}: {before} - 0.5 * {slope} is not {after}");
        }
        // The gradient of the weight is the layer's input times the gradient of its output.
        let (hidden, behind) = (at("hidden", step), at("line.gradient", step));
        assert_eq!((&hidden.shape[..], &behind.shape[..]), (&[5, 4][..], &[5, 1][..]));
        for unit in 0..4 {
            let sum: f32 = (0..5).map(|row| hidden.values[row * 4 + unit] * behind.values[row]).sum();
            assert!(
                (sum - gradient.values[unit]).abs() < 1e-6,
                "step {step}, unit {unit}: {sum} is not {}",
                gradient.values[unit]
            );
        }
    }
    assert_eq!(net.watched().len(), 16);
}

#[test]
fn each_is_kept_in_its_steps() {
    let (mut net, data) = line();
    for value in ["hidden@step=2", "hidden.tanh@every=3", "line@last", "y@step=99"] {
        net.watch(value).expect("it is there");
    }
    // The last of an epoch's three batches has two rows.
    net.fit(&data).batch(4).shuffle(false).steps(6).quiet().run().expect("it trains");
    let kept: Vec<(&str, u64, &[usize])> =
        net.watched().iter().map(|watched| (watched.name.as_str(), watched.step, &watched.shape[..])).collect();
    let expected: Vec<(&str, u64, &[usize])> =
        vec![("hidden", 2, &[4, 4]), ("hidden.tanh", 3, &[2, 4]), ("hidden.tanh", 6, &[2, 4]), ("line", 6, &[2, 1])];
    assert_eq!(kept, expected);
    // A second run counts on; what is kept of the last step takes the place of what was.
    net.fit(&data).batch(10).steps(1).quiet().run().expect("it trains");
    let last = net.watched().last().expect("the last step's");
    assert_eq!((last.name.as_str(), last.step, net.watched().len()), ("line", 7, 4));
    assert!(last.to_string().starts_with("line in step 7: [10, 1]\n"), "{last}");
    assert_eq!(net.take_watched().len(), 4);
    assert!(net.watched().is_empty());
}

#[test]
fn a_value_watched_in_a_step_and_in_the_last_keeps_both() {
    let (mut net, data) = line();
    for value in ["line@last", "line@step=2"] {
        net.watch(value).expect("it is there");
    }
    let mut kept = Vec::new();
    for _ in 0..2 {
        net.fit(&data).batch(4).shuffle(false).steps(3).quiet().run().expect("it trains");
        kept.push(net.watched().iter().map(|watched| watched.step).collect::<Vec<_>>());
    }
    assert_eq!(kept, [[2, 3], [2, 6]]);
}

#[test]
fn a_step_that_no_run_reaches_is_a_note() {
    let (mut net, data) = line();
    for value in ["hidden@step=3", "line@step=9", "line@every=5", "line.dense.weight"] {
        net.watch(value).expect("it is there");
    }
    let mut notes = |steps: u64| net.fit(&data).batch(5).steps(steps).quiet().run().expect("it trains").notes;
    assert_eq!(
        notes(4),
        ["`line@step=9` kept nothing: the run took steps 1 to 4", "`line@every=5` kept nothing: the run took steps 1 to 4"]
    );
    // Step 3 was kept before, and the fifth is this one.
    assert_eq!(notes(2), ["`line@step=9` kept nothing: the run took steps 5 to 6"]);
    assert!(notes(3).is_empty());
}

#[test]
fn what_cannot_be_watched_is_refused() {
    let mut net = Digits::options().compile().expect("it compiles");
    for (value, words) in [
        ("hidden.rellu", &["E0401", "hidden.relu"][..]),
        ("digit.gradient", &["E0204", "digit", "no gradient"]),
        ("predict.softmax.gradient", &["E0502", "predict.softmax.gradient"]),
        ("hidden@step=0", &["watch", "hidden@step=0"]),
        ("hidden@often", &["watch", "hidden@often"]),
        ("", &["E0401"]),
        ("@", &["watch"]),
        (".gradient", &["E0401"]),
    ] {
        let message = net.watch(value).expect_err(value).to_string();
        words.iter().for_each(|word| assert!(message.contains(word), "`{word}` is missing for `{value}` in:\n{message}"));
    }
    assert!(net.fit(&digits(1).expect("the data is there")[0]).steps(1).quiet().run().is_ok());
    assert!(net.watched().is_empty());
}
