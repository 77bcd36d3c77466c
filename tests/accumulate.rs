//! One update for several batches is the update of the batch that they make together.

use crate::networks::{Mixed, bits, mixed};
use gradc::prelude::*;

network! {
    /// Everything that acts on a gradient, and nothing that looks at the batch as a whole.
    Smooth {
        input  x: [batch, 4];
        target y: [batch, 1];
        let p = x.dense(8).tanh().dense(1);
        predict  p;
        minimize p.mean_squared_error(y) + l2(1e-3);
        allow(penalty_on_unscaled);
        using    adam(rate = 1e-2).clip_global_norm(0.5);
    }
}

network! {
    /// The same by nesterov's rule, with random numbers.
    Noisy {
        input  x: [batch, 4];
        target y: [batch, 1];
        let p = x.dense(8).tanh().dropout(0.3).dense(1);
        predict  p;
        minimize p.mean_squared_error(y);
        using    nesterov(rate = 1e-2);
    }
}

fn data(rows: usize) -> Dataset {
    let x: Vec<f32> = (0..rows * 4).map(|i| (i as f32 * 0.37).sin()).collect();
    let y: Vec<f32> = (0..rows).map(|i| (i as f32 * 0.21).cos()).collect();
    Dataset::new().f32("x", &[4], &x).and_then(|data| data.f32("y", &[1], &y)).expect("a data set")
}

fn near(a: &Model, b: &Model, tolerance: f32) {
    for (name, _) in a.parameters() {
        let [a, b] = [a, b].map(|model| model.parameter(name).expect("it is there"));
        assert!(a.iter().zip(b).all(|(a, b)| (a - b).abs() <= tolerance), "{name}: {a:?} is not {b:?}");
    }
}

#[test]
fn three_batches_of_four_are_one_of_twelve() {
    // With 22 rows the second update has batches of 4, 4 and 2 rows: each weighs what it has.
    for rows in [24, 22] {
        let data = data(rows);
        let compile = || Smooth::options().seed(5).compile().expect("it compiles");
        let (mut large, mut small) = (compile(), compile());
        let a = large.fit(&data).batch(12).epochs(6).quiet().run().expect("it trains");
        let b = small.fit(&data).batch(4).accumulate(3).epochs(6).record_steps().quiet().run().expect("it trains");
        near(&large, &small, 2e-6);
        let steps = |history: &History| history.epochs.iter().map(|epoch| epoch.step).collect::<Vec<_>>();
        assert_eq!(steps(&a), steps(&b), "steps are updates");
        assert_eq!(b.steps.len(), 36, "one record a batch");
        for (a, b) in a.epochs.iter().zip(&b.epochs) {
            assert!((a.loss - b.loss).abs() < 1e-6, "epoch {}: {} is not {}", a.epoch, a.loss, b.loss);
        }
    }
}

#[test]
fn a_run_that_accumulates_leaves_the_model_as_it_found_it() {
    let data = data(24);
    let compile = || Smooth::options().seed(5).compile().expect("it compiles");
    let (mut once, mut twice) = (compile(), compile());
    let settings: Vec<String> = once.info().settings.iter().map(|setting| setting.name.clone()).collect();
    for net in [&mut once, &mut twice] {
        net.fit(&data).batch(4).accumulate(2).steps(5).quiet().run().expect("it trains");
    }
    assert_eq!(bits(&once), bits(&twice));
    assert_eq!(settings, once.info().settings.iter().map(|setting| setting.name.clone()).collect::<Vec<_>>());
    // The moments and the step go on: a run of ones is a run without.
    once.fit(&data).batch(4).accumulate(1).steps(4).quiet().run().expect("it trains");
    twice.fit(&data).batch(4).steps(4).quiet().run().expect("it trains");
    assert_eq!(bits(&once), bits(&twice));
    for (batches, word) in [(0, "0"), (usize::MAX, "18446744073709551615")] {
        let error = once.fit(&data).batch(4).accumulate(batches).quiet().run().expect_err("no such group").to_string();
        assert!(error.contains("accumulate") && error.contains(word), "{error}");
    }
}

#[test]
fn each_batch_of_an_update_draws_its_own_masks() {
    let data = data(22);
    let compile = || Noisy::options().seed(5).compile().expect("it compiles");
    let (mut native, mut reference, mut whole) = (compile(), compile(), compile());
    native.watch("p.dropout@last").expect("it is there");
    for steps in [3, 2] {
        native.fit(&data).batch(4).accumulate(3).steps(steps).quiet().run().expect("it trains");
        reference.fit(&data).batch(4).accumulate(3).steps(steps).reference().quiet().run().expect("it trains");
        whole.fit(&data).batch(12).steps(steps).quiet().run().expect("it trains");
    }
    near(&native, &reference, 1e-5);
    let far = |name: &str| native.parameter(name).ok() != whole.parameter(name).ok();
    assert!(far("p.dense.weight"), "the masks of three batches are not those of one");
}

#[test]
fn a_run_that_fails_while_it_accumulates_keeps_the_last_good_state() {
    let data = mixed(24).expect("the data is right");
    let mut net = Mixed::options().seed(1).compile().expect("it compiles");
    net.set_rate(1e3).expect("a rate");
    let error = net.fit(&data).batch(4).accumulate(2).epochs(50).quiet().run().expect_err("it explodes");
    let gradc::Error::Diverged { node, history, .. } = &error else { panic!("{error}") };
    assert!(node.is_some() && history.is_some(), "{error}");
    assert!(bits(&net).iter().all(|(_, words)| words.iter().all(|word| f32::from_bits(*word).is_finite())));
}
