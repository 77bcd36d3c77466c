//! Bad input gets an error value that says where, and nothing is lost.

use crate::networks::{Digits, DigitsBatch, DigitsInputs, bits, digits};
use gradc::compiler::base::place::Source;
use gradc::prelude::*;
use gradc::{Declaration, Error, Model, Options, Result};

fn net() -> Digits {
    Digits::options().compile().expect("it compiles")
}

/// The call fails with all the words in its message, and the model is as it was.
fn refuses<T>(call: impl FnOnce(&mut Digits) -> Result<T>, words: &[&str]) {
    let mut net = net();
    let before = bits(&net);
    let message = match call(&mut net) {
        Ok(_) => panic!("it was accepted; the message should have had {words:?}"),
        Err(error) => error.to_string(),
    };
    for word in words {
        assert!(message.contains(word), "`{word}` is missing in:\n{message}");
    }
    assert_eq!(before, bits(&net), "the model changed");
}

fn pixels(rows: usize) -> Vec<f32> {
    (0..rows * 64).map(|i| (i % 17) as f32).collect()
}

#[test]
fn data_that_does_not_fit_is_refused_before_the_first_step() {
    let wide = Dataset::new().f32("pixels", &[63], &pixels(63)[..63 * 64]).and_then(|data| data.class("digit", 10, &[1; 64]));
    refuses(|net| net.fit(&wide.expect("a data set")).quiet().run(), &["pixels", "63", "64"]);
    let twelve = Dataset::new().f32("pixels", &[64], pixels(2)).and_then(|data| data.class("digit", 12, &[1, 11]));
    refuses(|net| net.fit(&twelve.expect("a data set")).quiet().run(), &["digit", "11", "0..=9", "row 1"]);
    let mut values = pixels(4);
    values[64 * 2 + 5] = f32::NAN;
    let nan = Dataset::new().f32("pixels", &[64], &values).and_then(|data| data.class("digit", 10, &[0, 1, 2, 3]));
    refuses(move |net| net.fit(&nan?).quiet().run(), &["NaN", "row 2", "5"]);
    let label = Dataset::new().f32("pixels", &[64], pixels(3)).and_then(|data| data.class("digit", 10, &[0, 1, 10]));
    refuses(move |net| net.fit(&label?).quiet().run(), &["10", "row 2"]);
    let missing = Dataset::new().f32("pixels", &[64], pixels(3)).expect("a data set");
    refuses(|net| net.fit(&missing).quiet().run(), &["digit"]);
    refuses(|net| net.fit(&Dataset::new()).quiet().run(), &["no rows"]);
}

/// A loss is made for certain targets: others would give a number that means nothing, below 0 at times.
#[test]
fn targets_that_a_loss_is_not_made_for_are_refused() {
    let cases: [(&str, [f32; 3], &[&str]); 7] = [
        ("p.binary_cross_entropy(y)", [0.0, 7.0, 1.0], &["`y` is 7", "1 such", "from 0 to 1", "binary_cross_entropy", "row 1"]),
        ("p.sigmoid().binary_cross_entropy(y, from = probabilities)", [0.0, 0.5, -0.5], &["-0.5", "row 2"]),
        ("p.hinge(y)", [0.0, 1.0, 1.0], &["`y` is 0", "-1 and 1", "hinge", "2 * y - 1"]),
        ("p.hinge(y)", [-1.0, 1.0, 3.0], &["`y` is 3", "-1 and 1"]),
        ("concat(p, -p).cross_entropy(concat(y, 1 - y)) + p.kl_divergence(y)", [0.5, 1.5, 1.0], &["1.5", "kl_divergence"]),
        ("p.mean_squared_error(p, weights = y)", [1.0, 0.0, -1.0], &["`y` is -1", "weights", "from 0 on"]),
        ("p.mean_squared_error(y) + concat(p, p).cross_entropy(concat(y, y))", [-3.0, 9.0, 1.0], &[]),
    ];
    for (loss, targets, words) in cases {
        let text = format!(
            "Net {{ input x: [batch, 2]; target y: [batch, 1]; let p = x.dense(1); predict p; minimize {loss}; using sgd(0.1); }}"
        );
        let declaration = Declaration::parse(Source::new("net.net", &text)).expect("a network");
        let mut net = Model::from_declaration(&declaration, &Options::default()).expect(loss);
        let data = Dataset::new().f32("x", &[2], &[0.5; 6]).and_then(|data| data.f32("y", &[1], &targets));
        let data = data.expect("a data set");
        for result in [net.fit(&data).batch(3).quiet().run().map(drop), net.step(&data).map(drop), net.evaluate(&data).map(drop)]
        {
            let message = result.err().map(|error| error.to_string()).unwrap_or_default();
            assert!(words.iter().all(|word| message.contains(word)), "{loss}: {words:?} in\n{message}");
            assert_eq!(words.is_empty(), message.is_empty(), "{loss}:\n{message}");
        }
    }
}

/// A length that no row can have is refused wherever rows come in, as a class that there is not.
#[test]
fn rows_of_no_step_and_of_more_than_there_are_are_refused() {
    let text = "Read { input x: [batch, 4, 2]; input n: i32[batch]; target y: [batch, 1]; let p = x.gru(3, lengths = n).last().dense(1); \
                let q = x.last(lengths = n).dense(1); predict p; minimize p.mean_squared_error(y) + q.mean_squared_error(y); \
                using sgd(0.1); }";
    let declaration = Declaration::parse(Source::new("read.net", text)).expect("a network");
    let mut net = Model::from_declaration(&declaration, &Options::default()).expect("it compiles");
    let rows = |lengths: [i32; 4]| {
        let data = Dataset::new().f32("x", &[4, 2], &[0.5; 32]).and_then(|data| data.i32("n", &[], &lengths));
        data.and_then(|data| data.f32("y", &[1], &[1.0; 4])).expect("a data set")
    };
    let right = rows([1, 2, 3, 4]);
    for (lengths, row, found) in [([1, 0, 4, 4], 1, "0 steps"), ([1, 2, 3, 5], 3, "5 steps"), ([4, 4, -1, 9], 2, "-1 steps")] {
        let wrong = rows(lengths);
        let errors = [
            net.fit(&wrong).batch(2).quiet().run().map(drop),
            net.fit(&right).validate(&wrong).batch(2).quiet().run().map(drop),
            net.fit(&wrong).batch(2).reference().quiet().run().map(drop),
            net.step(&wrong).map(drop),
            net.evaluate(&wrong).map(drop),
            net.predict(&wrong).map(drop),
        ];
        for error in errors {
            let message = error.expect_err("it is refused").to_string();
            for word in ["`n`", found, "1..=4", &format!("row {row}")] {
                assert!(message.contains(word), "`{word}` is missing in:\n{message}");
            }
        }
    }
    assert!(net.fit(&right).batch(2).quiet().run().is_ok() && net.predict(&right).is_ok());
}

#[test]
fn options_of_a_run_are_checked() {
    let [train, valid, _] = digits(1).expect("the data is there");
    let rows = train.rows();
    refuses(|net| net.fit(&train).batch(rows + 1).quiet().run(), &["batch", &rows.to_string()]);
    refuses(|net| net.fit(&train).batch(0).quiet().run(), &["batch"]);
    refuses(|net| net.fit(&train).epochs(0).quiet().run(), &["epochs"]);
    refuses(|net| net.fit(&train).steps(0).quiet().run(), &["steps"]);
    refuses(|net| net.fit(&train).threads(100_000).quiet().run(), &["threads"]);
    refuses(|net| net.fit(&train).patience(3).quiet().run(), &["patience", "validat"]);
    refuses(|net| net.fit(&train).validate(&valid).patience(0).quiet().run(), &["patience"]);
    refuses(|net| net.fit(&train).validate(&valid).patience(2).least(f64::NAN).quiet().run(), &["least"]);
    refuses(|net| net.fit(&train).validate(&valid).monitor(Monitor("acuracy")).patience(2).quiet().run(), &["accuracy"]);
    refuses(|net| net.fit(()).steps(3).quiet().run(), &["pixels"]);
    // A batch of one row would be divided by a variance of zero rows.
    refuses(|net| net.fit(&train).batch(1).quiet().run(), &["batch_norm", "1 row"]);
    let odd = train.take(65);
    refuses(|net| net.fit(&odd).batch(64).quiet().run(), &["batch_norm", "drop_last"]);
    let mut net = net();
    assert!(net.fit(&odd).batch(64).epochs(1).drop_last().quiet().run().is_ok());
}

#[test]
fn steps_and_parameters_are_checked() {
    refuses(|net| net.step(&DigitsBatch { pixels: &pixels(2), digit: &[1] }), &["digit", "1", "2"]);
    refuses(|net| net.step(&DigitsBatch { pixels: &[], digit: &[] }), &["no rows"]);
    refuses(|net| net.step(&DigitsBatch { pixels: &pixels(2)[..100], digit: &[1, 2] }), &["100"]);
    refuses(|net| net.step(&DigitsBatch { pixels: &pixels(2), digit: &[1, 10] }), &["10", "row 1"]);
    refuses(|net| net.predict(&DigitsInputs { pixels: &[f32::INFINITY; 64] }), &["inf", "row 0"]);
    refuses(|net| net.set_parameter("hidden.dense.weigth", &[]), &["hidden.dense.weight"]);
    refuses(|net| net.set_parameter("logits.dense.bias", &[1.0; 3]), &["3", "10"]);
    refuses(|net| net.set_parameter("logits.dense.bias", &[f32::NAN; 10]), &["NaN"]);
    refuses(|net| net.set("rat", 1.0), &["rat"]);
    refuses(|net| net.parameter("nothing").map(<[f32]>::len), &["nothing"]);
    refuses(|net| net.load("/nowhere/at all"), &["/nowhere/at all"]);
    refuses(|net| net.save("/nowhere/at all"), &["/nowhere/at all"]);
    refuses(|net| net.load("Cargo.toml"), &["Cargo.toml"]);
}

network! {
    /// Its rate can be set so high that the weights grow until the loss is infinite.
    pub Explodes {
        input  x: [batch, 2];
        target y: [batch, 1];
        setting rate = 1e-2;
        let p = x.dense(1, bias = false);
        predict  p;
        minimize p.mean_squared_error(y);
        using    sgd(rate = rate);
    }
}

#[test]
fn a_loss_that_is_not_finite_ends_the_run_with_the_last_good_state() {
    let data = Dataset::new().f32("x", &[2], &[1.0, 2.0, 3.0, 4.0]).and_then(|data| data.f32("y", &[1], &[1.0, 2.0]));
    let data = data.expect("a data set");
    let mut net = Explodes::options().compile().expect("it compiles");
    net.set_parameter("p.dense.weight", &[1.0, 1.0]).expect("two values");
    net.set_rate(1e3).expect("a rate");
    let error = net.fit(&data).batch(2).epochs(100).quiet().run().expect_err("it explodes");
    let message = error.to_string();
    let Error::Diverged { step, loss, node, place, .. } = error else { panic!("{message}") };
    assert!(step > 1 && !loss.is_finite());
    assert!(node.is_some() && place.is_some_and(|place| place.contains("tests/inputs.rs:")), "{message}");
    let kept = net.parameter("p.dense.weight").expect("it is there");
    assert!(kept.iter().all(|value| value.is_finite()), "{kept:?}");
    // The step that fails is the one of that state: the same again.
    let again = net.step(&data).expect_err("it fails at the same place");
    assert!(matches!(again, Error::Diverged { step: same, place: Some(_), .. } if same == step), "{again}");
    // In f64 it goes further, and what comes back is sound too.
    let mut net = Explodes::options().compile().expect("it compiles");
    net.set_rate(1e3).expect("a rate");
    let error = net.fit(&data).batch(2).epochs(100).quiet().reference().run().expect_err("it explodes");
    let message = error.to_string();
    let Error::Diverged { place, .. } = error else { panic!("{message}") };
    assert!(place.is_some_and(|place| place.contains("tests/inputs.rs:")), "{message}");
    let kept = net.parameter("p.dense.weight").expect("it is there");
    assert!(kept.iter().all(|value| value.is_finite()), "{kept:?}");
}

/// A step in a loop of one's own has no state to go back to, and says so.
#[test]
fn a_step_after_an_update_that_was_infinite_does_not_claim_the_parameters_are_sound() {
    let mut net = Explodes::options().compile().expect("it compiles");
    net.set_rate(1e38).expect("a rate");
    let batch = ExplodesBatch { x: &[1e10, 1e10], y: &[1e5] };
    net.step(&batch).expect("the loss is finite, the update is not");
    let error = net.step(&batch).expect_err("the parameters are infinite");
    assert!(matches!(error, Error::Diverged { step: 2, kept: None, .. }), "{error}");
    assert!(error.to_string().contains("infinite before this step"), "{error}");
}

#[test]
fn a_setting_out_of_its_bounds_is_told_them() {
    let mut net = Explodes::options().compile().expect("it compiles");
    let error = net.set_rate(-1.0).expect_err("a rate is not negative");
    assert_eq!(error.to_string(), "`rate` cannot be -1\nhelp: `rate` must be at least 0");
}

network! {
    /// Integers and conditions are served.
    pub Counted {
        input  days: i32[batch];
        target y:    [batch];

        parameter gain: [1] = ones;

        predict  days = days, twice = 2 * days, late = days > 0;
        minimize mean(gain * y);
        using    sgd(rate = 0.1);
    }
}

/// Their bits, read as f32, are other numbers.
#[test]
fn integers_and_conditions_are_served_as_numbers() {
    let net = Counted::options().compile().expect("it compiles");
    let CountedPrediction { days, twice, late } = net.predict(&CountedInputs { days: &[-3, 1] }).expect("two rows");
    assert_eq!([days, twice, late].map(|served| served.values), [[-3.0, 1.0], [-6.0, 2.0], [0.0, 1.0]].map(Vec::from));
}

network! {
    /// Integers beside numbers.
    pub Days {
        setting rate = 0.5;

        input  days: i32[batch];
        input  seen: u32[batch];
        target y:    [batch];

        parameter gain: [1] = ones;

        predict  half = 0.5 * days, later = days + 0.5, rated = rate * days, whole = 2 * days,
                 few = where(seen < 1.5, days, 0.25), all = where(seen > -1, days, 0),
                 share = days / 2, ratio = seen / days;
        minimize mean(gain * y);
        using    sgd(rate = 0.1);
    }
}

#[test]
fn a_fraction_beside_integers_stays_one() {
    let net = Days::options().compile().expect("it compiles");
    let served = net.predict(&DaysInputs { days: &[-3, 1], seen: &[0, 2] }).expect("two rows");
    let DaysPrediction { half, later, rated, whole, few, all, share, ratio } = served;
    assert_eq!(
        [half, later, rated, whole, few, all, share, ratio].map(|served| served.values),
        [[-1.5, 0.5], [-2.5, 1.5], [-1.5, 0.5], [-6.0, 2.0], [-3.0, 0.25], [-3.0, 1.0], [-1.5, 0.5], [0.0, 2.0]].map(Vec::from)
    );
}

/// Native integers have a sign: a larger number would be a negative one.
#[test]
fn unsigned_numbers_of_32_bits_are_refused() {
    let net = Days::options().compile().expect("it compiles");
    let error = net.predict(&DaysInputs { days: &[1, 1], seen: &[0, 1 << 31] }).expect_err("it is too large").to_string();
    assert!(["`seen` is 2147483648", "2147483647", "row 1"].iter().all(|word| error.contains(word)), "{error}");
}

network! {
    /// Its rate is infinite in the second step.
    pub Hurled {
        parameter x: [2] = ones;
        predict  x;
        minimize sum(x * x);
        using    sgd(rate = 0.1 / (2 - step));
    }
}

/// Loss and gradient of the second step are finite, its update is not: the loss of the third one shows it.
#[test]
fn an_update_that_is_not_finite_is_taken_back_and_the_rate_is_named() {
    for (steps, by_reference) in [(2, false), (5, false), (2, true), (5, true)] {
        let mut net = Hurled::options().compile().expect("it compiles");
        let fit = net.fit(()).steps(steps).quiet();
        let error = if by_reference { fit.reference().run() } else { fit.run() }.expect_err("it is hurled away");
        let message = error.to_string();
        let Error::Diverged { step, kept, node, .. } = error else { panic!("{message}") };
        assert!(node.is_some_and(|node| node.contains("the rate")), "{message}");
        assert_eq!((step.min(3), kept), (steps.min(3), Some(1)), "{message}");
        let expected = if steps == 2 { "those before this step" } else { "those before step 2, whose update" };
        assert!(message.contains(expected), "{message}");
        assert_eq!(net.parameter("x").expect("it is there"), [0.8, 0.8]);
    }
}

/// A single step keeps no copy: after an update that is not finite there is no state to go back to, and none is promised.
#[test]
fn a_step_says_whether_the_parameters_before_it_were_numbers() {
    let mut net = Hurled::options().compile().expect("it compiles");
    let steps: [gradc::Result<f64>; 3] = std::array::from_fn(|_| net.step(()));
    assert!(steps[..2].iter().all(Result::is_ok), "{steps:?}");
    let Err(Error::Diverged { step: 3, kept, .. }) = &steps[2] else { panic!("{steps:?}") };
    assert_eq!(*kept, None);
    net.set_parameter("x", &[1.0, f32::MAX]).expect("two values");
    let error = net.step(()).expect_err("the loss is too large for f32");
    assert!(matches!(error, Error::Diverged { step: 3, kept: Some(2), .. }), "{error}");
}

network! {
    /// Its logarithm is one of negative numbers in the second step.
    pub Sinks {
        parameter x: [2] = ones;
        predict  x;
        minimize sum(x) + sum(log(x));
        using    sgd(rate = 1);
    }
}

/// A rate is not what a logarithm of a negative number asks for first.
#[test]
fn a_run_that_diverges_says_what_it_was_made_of_and_what_to_do() {
    for by_reference in [false, true] {
        let mut net = Sinks::options().compile().expect("it compiles");
        let fit = net.fit(()).steps(5).quiet();
        let error = if by_reference { fit.reference().run() } else { fit.run() }.expect_err("it sinks").to_string();
        assert!(error.contains("\n  log of -1 is NaN\n"), "{error}");
        assert!(error.contains("`log` takes numbers above 0") && error.ends_with("; or try a smaller learning rate"), "{error}");
    }
    let mut net = Sinks::options().compile().expect("it compiles");
    net.set_parameter("x", &[1.0, -2.0]).expect("two values");
    let error = net.step(()).expect_err("no number").to_string();
    assert!(error.contains("log of -2 is NaN") && !error.contains("learning rate"), "{error}");
}

network! {
    /// The gradient of the second layer is too large for its norm.
    pub Steep {
        input  x: [batch, 2];
        let h = x.dense(2, init = constant(1e20));
        let p = h.dense(1, init = ones);
        predict  p;
        minimize mean(p);
        using    sgd(rate = 0.1).clip_norm(1);
    }
}

/// What a clip takes the norm of comes from somewhere.
#[test]
fn a_norm_that_is_infinite_names_the_layer_whose_gradient_it_is_of() {
    let data = Dataset::new().f32("x", &[2], &[1.0, 1.0, 0.0, 0.0]).expect("a data set");
    let mut net = Steep::options().compile().expect("it compiles");
    let error = net.fit(&data).batch(2).quiet().run().expect_err("it is infinite");
    let message = error.to_string();
    let Error::Diverged { node: Some(node), place: Some(place), .. } = error else { panic!("{message}") };
    assert!(node.contains("`clip_norm`") && node.ends_with("made of what comes from `p.dense`"), "{message}");
    assert!(place.contains("tests/inputs.rs:"), "{message}");
}

#[test]
fn arrays_of_fields_that_the_network_lacks_are_refused() {
    let mut days = Days::options().compile().expect("it compiles");
    let rows = |name: &'static str| {
        let rows = gradc::Rows::inputs().i32("days", &[1]).u32("seen", &[2]).f32("y", &[0.0]);
        if name.is_empty() { rows.done() } else { rows.f32(name, &[1.0]).done() }
    };
    days.step(rows("")).expect("one row");
    days.predict_all(rows("")).expect("targets are no fault");
    let refused = days.step(rows("z")).expect_err("there is no z").to_string();
    assert!(refused.contains("no field `z`") && refused.contains("`days`, `seen`, `y`"), "{refused}");
    let refused = days.step(rows("y")).expect_err("y is given").to_string();
    assert!(refused.contains("`y` is given twice"), "{refused}");
    // A network without inputs takes no rows at all.
    let data = Dataset::new().f32("x", &[1], &[1.0, 2.0]).expect("a data set");
    let mut hurled = Hurled::options().compile().expect("it compiles");
    let refused = hurled.fit(&data).batch(2).quiet().run().expect_err("it takes none").to_string();
    assert!(refused.contains("without inputs") && refused.contains("`()`"), "{refused}");
}

#[test]
fn without_snapshots_the_step_that_fails_still_changes_nothing() {
    let data = Dataset::new().f32("x", &[2], &[1.0, 2.0, 3.0, 4.0]).and_then(|data| data.f32("y", &[1], &[1.0, 2.0]));
    let data = data.expect("a data set");
    let failed = |snapshots| {
        let mut net = Explodes::options().compile().expect("it compiles");
        net.set_rate(1e3).expect("a rate");
        let run = net.fit(&data).batch(2).epochs(100).snapshots(snapshots).quiet().run();
        let Error::Diverged { step, .. } = run.expect_err("it explodes") else { panic!("it diverges") };
        (step, net.parameter("p.dense.weight").expect("it is there").to_vec())
    };
    assert!(failed(false).1.iter().all(|value| value.is_finite()));
    assert_eq!(failed(false), failed(true));
}

#[test]
fn the_last_good_state_is_that_of_the_steps_before() {
    let rows: Vec<f32> = (0..16).map(|i| (i as f32 * 0.9).sin()).collect();
    let data = Dataset::new().f32("x", &[2], &rows).and_then(|data| data.f32("y", &[1], &rows[..8])).expect("a data set");
    for shuffle in [true, false] {
        let compile = || {
            let mut net = Explodes::options().seed(2).compile().expect("it compiles");
            net.set_rate(1e6).expect("a rate");
            net
        };
        let (mut failed, mut short) = (compile(), compile());
        let error = failed.fit(&data).batch(2).epochs(100).shuffle(shuffle).quiet().run().expect_err("it explodes");
        let Error::Diverged { step, history, .. } = error else { panic!("{error}") };
        assert!(history.is_some_and(|history| !history.epochs.is_empty()));
        // The update before the failing step may have made parameters that are no numbers: then the good state is one step older.
        let same = |net: &mut Explodes, steps: u64| {
            net.reset(2).expect("it starts anew");
            net.fit(&data).batch(2).steps(steps).shuffle(shuffle).quiet().run().expect("these steps are good");
            bits(net) == bits(&failed)
        };
        assert!(same(&mut short, step - 1) || same(&mut short, step - 2), "shuffle {shuffle}, step {step}");
    }
}

network! {
    /// Its only batch norm keeps the statistics that it has.
    Kept {
        input  x: [batch, 2];
        target y: [batch, 1];
        let p = x.dense(4).batch_norm(frozen = true).relu().dense(1);
        predict  p;
        minimize p.mean_squared_error(y);
        using    sgd(rate = 1e-2);
    }
}

#[test]
fn a_frozen_batch_norm_takes_a_batch_of_one_row() {
    let data = Dataset::new().f32("x", &[2], &[1.0, 2.0, 3.0, 4.0]).and_then(|data| data.f32("y", &[1], &[1.0, 2.0]));
    let mut net = Kept::options().compile().expect("it compiles");
    net.fit(&data.expect("a data set")).batch(1).epochs(2).quiet().run().expect("it trains");
    assert!(net.parameter("p.batch_norm.running_mean").expect("it is there").iter().all(|mean| *mean == 0.0));
}

network! {
    /// Its batch norm sees one pixel a channel: the window is as large as the image.
    Pixel {
        input  x: [batch, 1, 2, 2];
        target y: [batch, 1];
        let p = x.conv2d(3, 2).batch_norm().relu().flatten().dense(1);
        predict  p;
        minimize p.mean_squared_error(y);
        using    sgd(rate = 1e-2);
    }
}

#[test]
fn a_channel_of_one_pixel_needs_two_rows() {
    let x: Vec<f32> = (0..12).map(|value| value as f32).collect();
    let data = Dataset::new().f32("x", &[1, 2, 2], &x).and_then(|data| data.f32("y", &[1], &[1.0, 2.0, 3.0]));
    let data = data.expect("a data set");
    let mut net = Pixel::options().compile().expect("it compiles");
    for rows in [1, 2] {
        let error = net.fit(&data).batch(rows).quiet().run().expect_err("a variance of one value").to_string();
        assert!(error.contains("p.batch_norm") && error.contains("drop_last"), "{error}");
    }
    net.fit(&data).batch(2).drop_last().epochs(2).quiet().run().expect("it trains");
    assert!(net.parameter("p.batch_norm.running_variance").expect("it is there").iter().all(|value| value.is_finite()));
}

/// Only a batch that someone asked for can be too large.
#[test]
fn few_rows_are_one_batch() {
    let rows = DigitsBatch { pixels: &pixels(5), digit: &[0, 1, 2, 3, 4] };
    let history = net().fit(&rows).record_steps().quiet().run().expect("it trains");
    assert_eq!(history.steps.iter().map(|step| step.rows).collect::<Vec<_>>(), [5]);
    refuses(|net| net.fit(&rows).batch(32).quiet().run(), &["`batch`", "32", "at most 5"]);
}

network! {
    Fruits {
        input  size:  [batch, 1];
        target fruit: class(3);
        let z = size.dense(3);
        predict  z;
        minimize z.cross_entropy(fruit);
        using    sgd(0.1);
    }
}

/// Parameters are made for numbers: where data number the names of classes otherwise, each answer would be another's.
#[test]
fn classes_are_called_as_they_were_when_the_network_learned_them() -> Result<()> {
    let folder = tempfile::tempdir().expect("a folder");
    let [file, weights] = ["fruit.csv", "fruit.safetensors"].map(|name| folder.path().join(name));
    let rows = |names: [&str; 3], order: &[&str]| {
        std::fs::write(&file, format!("1,{}\n2,{}\n3,{}\n", names[0], names[1], names[2])).expect("it is written");
        let csv = Dataset::csv(&file);
        Fruits::read(if order.is_empty() { csv.categories(2) } else { csv.categories_in_order(2, order) })
    };
    let learned = rows(["apple", "lime", "kiwi"], &[])?;
    let others = rows(["apple", "lime", "pear"], &[])?;
    let alike = rows(["lime", "apple", "kiwi"], &["apple", "kiwi", "lime"])?;
    let told = |outcome: Result<()>| {
        let message = outcome.expect_err("other names").to_string();
        let words = ["`fruit` are apple, lime, pear", "expected apple, kiwi, lime", "categories_in_order", "`load_matching`"];
        assert!(words.iter().all(|word| message.contains(word)), "{message}");
    };
    let mut net = Fruits::options().compile()?;
    assert!(net.class_names("fruit").is_empty());
    told(net.fit(&learned).validate(&others).batch(1).quiet().run().map(drop));
    assert!(net.class_names("fruit").is_empty(), "nothing was learned");
    net.fit(&learned).validate(&alike).batch(1).quiet().run()?;
    net.save(&weights)?;

    let mut loaded = Fruits::options().compile()?;
    loaded.load(&weights)?;
    assert_eq!(loaded.class_names("fruit"), ["apple", "kiwi", "lime"]);
    told(loaded.evaluate(&others).map(drop));
    told(loaded.step(&others).map(drop));
    told(loaded.fit(&others).quiet().run().map(drop));
    loaded.evaluate(&alike)?;
    told(Fruits::predictor(&weights)?.evaluate(&others).map(drop));
    // Parameters for something else.
    let mut matching = Fruits::options().compile()?;
    matching.load_matching(&weights)?;
    matching.evaluate(&others)?;
    matching.step(&others)?;
    assert_eq!(matching.class_names("fruit"), ["apple", "lime", "pear"]);
    matching.reset(1)?;
    matching.evaluate(&learned)?;
    Ok(())
}
