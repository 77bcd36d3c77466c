//! A diagnosis changes no bit of a run, its figures are those of the values, and its words hold on the failures of the textbook and on
//! nothing else.

use crate::networks::{Digits, bits, digits};
use gradc::compiler::base::place::Source;
use gradc::data;
use gradc::runtime::diagnosis::Kind;
use gradc::{Dataset, Declaration, Diagnosis, Error, Model, Options};

/// Ten classes from 64 pixels, through so many layers of a width.
fn deep(layers: usize, layer: &str, optimizer: &str) -> Model {
    let text = format!(
        "Deep {{
            setting rate = 0.1;
            input  pixels: [batch, 64];
            target digit:  class(10);
            let mut h = pixels.standardize();
            for i in 0..{layers} {{ h = h.{layer}; }}
            let logits = h.dense(10);
            predict  logits.softmax();
            minimize logits.cross_entropy(digit);
            using    {optimizer};
        }}"
    );
    let declaration = Declaration::parse(Source::new("deep.net", &text)).expect("it parses");
    Model::from_declaration(&declaration, &Options::default()).expect("it compiles")
}

fn rows() -> Dataset {
    data::digits().expect("the data is there").shuffled(1).take(640)
}

/// Those on which thresholds were first tried, and others.
fn seeds() -> impl Iterator<Item = u64> {
    (0..10).chain(101..=110)
}

/// The kinds of verdicts on a network for a seed.
fn kinds(net: &mut Model, seed: u64, rows: &Dataset) -> (Vec<Kind>, Diagnosis) {
    net.reset(seed).expect("it starts anew");
    let diagnosis = net.diagnose(rows).expect("it is diagnosed");
    (diagnosis.verdicts().iter().map(|verdict| verdict.kind).collect(), diagnosis)
}

#[test]
fn a_diagnosis_changes_no_bit() {
    let [train, valid, _] = digits(3).expect("the data is there");
    let mut plain = Digits::options().seed(3).compile().expect("it compiles");
    let mut diagnosed = Digits::options().seed(3).compile().expect("it compiles");
    diagnosed.watch("hidden.relu@every=9").expect("it is there");
    for accumulate in [1, 3] {
        let bare = plain.fit(&train).validate(&valid).batch(64).epochs(2).accumulate(accumulate).quiet().run();
        let seen = diagnosed.fit(&train).validate(&valid).batch(64).epochs(2).accumulate(accumulate).quiet().diagnose().run();
        let (bare, seen) = (bare.expect("it trains"), seen.expect("it trains"));
        assert_eq!(bits(&plain), bits(&diagnosed), "with {accumulate} batches a step");
        let losses = |history: &gradc::History| history.epochs.iter().map(|epoch| epoch.loss).collect::<Vec<_>>();
        assert_eq!((bare.diagnosis.is_none(), losses(&bare)), (true, losses(&seen)));
        let diagnosis = seen.diagnosis.expect("it was asked for");
        let names: Vec<&str> = diagnosis.layers.iter().map(|layer| layer.name.as_str()).collect();
        assert_eq!(names, ["hidden", "logits"]);
        assert_eq!(diagnosis.steps.len() as u64, seen.epochs[1].step - diagnosis.steps[0].step + 1, "each step is there");
        assert!(diagnosis.verdicts().is_empty(), "{diagnosis}");
    }
    // A look at a copy leaves the model alone, and what comes after.
    let before = bits(&diagnosed);
    diagnosed.diagnose(&train).expect("it is diagnosed");
    diagnosed.signal(&train).expect("it is measured");
    assert_eq!(before, bits(&diagnosed));
    plain.fit(&train).batch(64).quiet().run().expect("it trains");
    diagnosed.fit(&train).batch(64).quiet().run().expect("it trains");
    assert_eq!(bits(&plain), bits(&diagnosed));
}

#[test]
fn the_figures_are_those_of_the_values() {
    let mut net = deep(2, "dense(16).hard_tanh().dense(24).relu()", "sgd(rate = rate).clip_global_norm(0.01)");
    let watched = ["h.1.relu", "h.1.relu.gradient", "h.0.hard_tanh"];
    let tensors = ["weight", "bias"].map(|name| format!("h.1.dense_2.{name}"));
    for value in watched.iter().map(|value| value.to_string()).chain(tensors.clone()) {
        net.watch(&format!("{value}@every=1")).expect("it is there");
    }
    for tensor in &tensors {
        net.watch(&format!("{tensor}.gradient@every=1")).expect("it is there");
    }
    let history = net.fit(&rows()).batch(50).steps(3).quiet().diagnose().run().expect("it trains");
    let diagnosis = history.diagnosis.expect("it was asked for");
    let names: Vec<&str> = diagnosis.layers.iter().map(|layer| layer.name.as_str()).collect();
    assert_eq!(names, ["h.0.dense", "h.0.dense_2", "h.1.dense", "h.1.dense_2", "logits"]);
    let values = |name: &str, step: u64| {
        let found = net.watched().iter().find(|watched| watched.name == name && watched.step == step);
        found.unwrap_or_else(|| panic!("{name} in step {step}")).values.iter().map(|value| f64::from(*value)).collect::<Vec<_>>()
    };
    let near = |found: f64, expected: f64| {
        assert!((found - expected).abs() <= 1e-5 * expected.abs() + 1e-9, "{found} is not {expected}");
    };
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let deviation = |values: &[f64]| {
        let middle = mean(values);
        mean(&values.iter().map(|value| (value - middle).powi(2)).collect::<Vec<_>>()).sqrt()
    };
    let norm = |values: &[f64]| values.iter().map(|value| value * value).sum::<f64>().sqrt();
    let both =
        |suffix: &str, step: u64| tensors.iter().flat_map(|name| values(&format!("{name}{suffix}"), step)).collect::<Vec<_>>();
    for moment in &diagnosis.steps {
        let (step, figures) = (moment.step, &moment.layers[3]);
        let (value, slope) = (values("h.1.relu", step), values("h.1.relu.gradient", step));
        near(figures.mean, mean(&value));
        near(figures.deviation, deviation(&value));
        near(figures.gradient_mean.expect("it is trained"), mean(&slope));
        near(figures.gradient_deviation.expect("it is trained"), deviation(&slope));
        near(figures.gradient_norm.expect("it is trained"), norm(&both(".gradient", step)));
        near(figures.weight_norm.expect("it is trained"), norm(&both("", step)));
        let dead = (0..24).filter(|unit| value.iter().skip(*unit).step_by(24).all(|value| *value == 0.0)).count();
        near(figures.dead.expect("relu"), dead as f64 / 24.0);
        assert_eq!(figures.saturated, None);
        let bounded = values("h.0.hard_tanh", step);
        let near_limit = bounded.iter().filter(|value| value.abs() >= 0.95).count();
        near(moment.layers[0].saturated.expect("hard_tanh"), near_limit as f64 / bounded.len() as f64);
        assert_eq!(moment.layers[0].dead, None);
        if step < 3 {
            let moved: Vec<f64> = both("", step + 1).iter().zip(both("", step)).map(|(after, before)| after - before).collect();
            near(figures.update_norm.expect("it is trained"), norm(&moved));
        }
    }
}

#[test]
fn tiny_and_huge_gradients_have_norms() {
    // Squares of such gradients are 0, or infinite, in f32.
    for (scale, range) in [(1e-30, 1e-31..1e-27), (1e30, 1e28..1e32)] {
        let text = format!(
            "Line {{ input x: [batch, 3]; target y: [batch, 1]; let line = x.dense(1); predict line;
             minimize mean((line - y) * {scale:e}); using sgd(rate = 1e-35); }}"
        );
        let declaration = Declaration::parse(Source::new("line.net", &text)).expect("it parses");
        let net = Model::from_declaration(&declaration, &Options::default()).expect("it compiles");
        let data = Dataset::new().f32("x", &[3], &[1.0; 12]).and_then(|data| data.f32("y", &[1], &[0.5; 4])).expect("rows");
        let diagnosis = net.diagnose(&data).expect("it is diagnosed");
        let norm = diagnosis.steps[0].layers[0].gradient_norm.expect("it is trained");
        assert!(range.contains(&norm), "{norm}");
    }
}

#[test]
fn twenty_sigmoids_vanish_or_saturate() {
    let rows = rows();
    let mut net = deep(20, "dense(16, init = normal(0, 1)).sigmoid()", "sgd(rate = rate)");
    for seed in seeds() {
        let (kinds, diagnosis) = kinds(&mut net, seed, &rows);
        assert!(kinds.contains(&Kind::Vanishing) && kinds.contains(&Kind::Saturated) && kinds.len() == 2, "{seed}: {diagnosis}");
        let verdict = &diagnosis.verdicts()[0];
        assert!(verdict.text.starts_with("vanishing from `h."), "{verdict}");
        for word in ["`init = glorot` in place of `normal`", "`relu`", "`batch_norm` behind `dense`"] {
            assert!(verdict.advice.contains(word), "{word} is missing in: {verdict}");
        }
    }
    // With the weights that suit sigmoid nothing saturates, and the gradient vanishes all the same.
    let mut net = deep(20, "dense(16).sigmoid()", "sgd(rate = rate)");
    for seed in seeds() {
        assert_eq!(kinds(&mut net, seed, &rows).0, [Kind::Vanishing], "{seed}");
    }
}

#[test]
fn large_weights_explode() {
    let rows = rows();
    let mut net = deep(20, "dense(16, init = normal(0, 1)).relu()", "sgd(rate = 1e-12)");
    for seed in seeds() {
        let (kinds, diagnosis) = kinds(&mut net, seed, &rows);
        assert_eq!(kinds, [Kind::Exploding], "{seed}: {diagnosis}");
    }
    // At a rate that one would choose, the run fails in its second step, and the layer has a name.
    let mut net = deep(20, "dense(16, init = normal(0, 1)).relu()", "sgd(rate = 0.1)");
    for seed in seeds() {
        let (kinds, diagnosis) = kinds(&mut net, seed, &rows);
        assert_eq!(kinds, [Kind::NotFinite, Kind::Exploding], "{seed}: {diagnosis}");
        let text = &diagnosis.verdicts()[0].text;
        assert!(text.starts_with("first NaN or infinity at step 2 in `h."), "{text}");
    }
}

#[test]
fn a_rate_that_is_too_large_is_called_so() {
    let rows = rows();
    for (rate, may_fail) in [("1", false), ("100", true)] {
        let mut net = deep(4, "dense(32).relu()", &format!("sgd(rate = {rate})"));
        for seed in seeds() {
            let (kinds, diagnosis) = kinds(&mut net, seed, &rows);
            assert!(kinds.contains(&Kind::RateTooLarge), "{seed}: {diagnosis}");
            assert!(may_fail || !kinds.contains(&Kind::NotFinite), "{seed}: {diagnosis}");
            assert!(!kinds.contains(&Kind::Exploding), "{seed}: {diagnosis}");
        }
    }
}

#[test]
fn units_are_dead_after_a_huge_step() {
    // Targets that nobody has scaled: the first two steps throw the units up and down, the others are too small to matter.
    let text = "Line {
        input  pixels: [batch, 64];
        target size:   [batch, 1];
        let mut h = pixels.standardize();
        for i in 0..2 { h = h.dense(32).relu(); }
        let line = h.dense(1);
        predict  line;
        minimize line.mean_squared_error(size);
        using    sgd(rate = max(min(3 - step, 1), 1e-30));
    }";
    let declaration = Declaration::parse(Source::new("line.net", text)).expect("it parses");
    let mut net = Model::from_declaration(&declaration, &Options::default()).expect("it compiles");
    let rows = rows();
    let words = |name: &str| match &rows.column(name).expect("a column").values {
        data::Values::F32(values) => values.clone(),
        data::Values::U32(values) => values.iter().map(|value| *value as f32).collect(),
    };
    let rows = Dataset::new().f32("pixels", &[64], words("pixels")).and_then(|data| data.f32("size", &[1], words("digit")));
    let rows = rows.expect("a data set");
    for seed in seeds() {
        let (kinds, diagnosis) = kinds(&mut net, seed, &rows);
        assert!(kinds.contains(&Kind::Dead), "{seed}: {diagnosis}");
    }
}

#[test]
fn a_healthy_network_gets_no_verdict() {
    let rows = rows();
    for (layers, layer, optimizer) in [
        (3, "dense(32).relu()", "adam(rate = 1e-3)"),
        (20, "dense(32).relu()", "sgd(rate = 0.01)"),
        (20, "dense(32).leaky_relu(0.1)", "adam(rate = 1e-3)"),
        (20, "dense(32).selu()", "sgd(rate = 0.01)"),
        (10, "dense(32).elu()", "sgd(rate = 0.01)"),
        (15, "dense(32).tanh()", "adam(rate = 1e-3)"),
        (5, "dense(32).gelu()", "adam(rate = 1e-3)"),
        (5, "dense(32).silu()", "nadam(rate = 1e-3)"),
        (3, "dense(32).sigmoid()", "momentum(rate = 0.01)"),
        (20, "dense(16).batch_norm().relu()", "adam(rate = 1e-3)"),
        (10, "dense(16).batch_norm().sigmoid()", "sgd(rate = 0.05)"),
        (4, "dense(32).prelu().dropout(0.2)", "nesterov(rate = 0.01)"),
        (6, "dense(32).layer_norm().hard_tanh()", "adam(rate = 1e-3)"),
        (20, "dense(16).relu()", "sgd(rate = 0.01)"),
        (2, "dense(128).relu()", "sgd(rate = 0.1)"),
    ] {
        let mut net = deep(layers, layer, optimizer);
        for seed in seeds() {
            let (kinds, diagnosis) = kinds(&mut net, seed, &rows);
            assert!(kinds.is_empty(), "{layers} {layer} {optimizer}, seed {seed}:\n{diagnosis}");
            assert!(diagnosis.to_string().contains("\nhealthy: "), "{diagnosis}");
        }
    }
}

#[test]
fn a_run_that_fails_tells_where_and_is_drawn() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut net = deep(4, "dense(32).relu()", "sgd(rate = 100)");
    let error = net.fit(&rows()).batch(32).epochs(2).quiet().diagnose().run().expect_err("it fails");
    let Error::Diverged { step, history: Some(history), .. } = error else { panic!("{error}") };
    let diagnosis = history.diagnosis.expect("it was asked for");
    assert_eq!(diagnosis.failure.as_ref().map(|failure| failure.step), Some(step));
    assert!(diagnosis.failure.as_ref().is_some_and(|failure| failure.node.is_some()));
    assert_eq!(diagnosis.steps.last().map(|moment| moment.step), Some(step));
    assert_eq!(diagnosis.verdicts()[0].kind, Kind::NotFinite);
    let file = folder.path().join("gradients.svg");
    diagnosis.plot(&file).expect("it is drawn");
    let svg = std::fs::read_to_string(file).expect("it was written");
    assert!(svg.contains(">h.3<") && svg.contains(">logits<"), "{svg}");
}

#[test]
fn of_a_long_run_some_steps_are_kept_and_the_last() {
    let mut net = deep(1, "dense(4).relu()", "sgd(rate = 0.01)");
    let history = net.fit(&rows()).batch(640).steps(3001).quiet().diagnose().run().expect("it trains");
    let steps: Vec<u64> = history.diagnosis.expect("it was asked for").steps.iter().map(|moment| moment.step).collect();
    assert_eq!((steps[0], steps.last()), (1, Some(&3001)));
    assert!(steps.len() > 500 && steps.len() <= 1025 && steps.is_sorted(), "{} steps", steps.len());
    let strides: Vec<u64> = steps.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(strides[..strides.len() - 1].iter().all(|stride| *stride == 4), "{strides:?}");
}

#[test]
fn the_two_aims_hold_where_the_lecture_says_so() {
    let rows = rows();
    let holds = |layers: usize, layer: &str| {
        let signal = deep(layers, layer, "sgd(rate = rate)").signal(&rows).expect("it is measured");
        let text = signal.to_string();
        assert!(text.lines().count() == layers + 5 && text.ends_with(&format!("{}\n", signal.sentence())), "{text}");
        (signal.largest_mean().is_some_and(|(_, size)| size <= 0.5), signal.spread() <= 10.0, signal.gradient_spread() <= 10.0)
    };
    assert_eq!(holds(20, "dense(64).selu()"), (true, true, true));
    let (mean, forward, backward) = holds(10, "dense(64).relu()");
    assert!(!mean && forward && backward, "relu has no mean of 0");
    let (_, forward, _) = holds(10, "dense(64, init = glorot).relu()");
    assert!(!forward, "glorot loses half of the variance in each layer of relu");
    let (mean, _, backward) = holds(10, "dense(64).sigmoid()");
    assert!(!mean && !backward);
    // Without data: random rows, the same each time.
    let net = deep(3, "dense(16).tanh()", "sgd(rate = rate)");
    let signal = net.signal(()).expect("it is measured");
    assert!(signal.is_random && signal.figures.iter().all(|figures| figures.deviation > 0.0), "{signal}");
    assert_eq!(net.signal(()).expect("it is measured"), signal);
}

#[test]
fn what_cannot_be_diagnosed_is_an_error() {
    let mut net = deep(1, "dense(4).relu()", "sgd(rate = 0.01)");
    let both = net.fit(&rows()).quiet().diagnose().reference().run().expect_err("refused").to_string();
    assert!(both.contains("reference") && both.contains("diagnose"), "{both}");
    let message = net.diagnose(()).expect_err("refused").to_string();
    assert!(message.contains("pixels"), "{message}");
    assert!(net.diagnose(&Dataset::new()).is_err());
}
