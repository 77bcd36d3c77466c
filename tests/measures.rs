//! Metrics, schedules and the layers' further arguments in the native run, held to the f64 interpreter.

use gradc::History;
use gradc::compiler::base::place::Source;
use gradc::prelude::*;

network! {
    /// Every metric that is no mean over rows.
    pub Measured {
        input  x: [batch, 6];
        target c: class(4);
        target y: [batch, 2];
        target b: [batch, 1];
        target w: [batch];

        let hidden = x.dense(8).tanh();
        let logits = hidden.dense(4);
        let numbers = hidden.dense(2);
        let answer = hidden.dense(1);

        predict  answer.sigmoid();
        minimize logits.cross_entropy(c) + numbers.mean_squared_error(y) + answer.binary_cross_entropy(b);
        using    sgd(warm_up(3).then(cosine(0.2, to = 0.01)) / epoch);
        report   top = top_k(logits, c, k = 2), precision = precision(logits, c), recall = recall(logits, c),
                 f1 = f1(logits, c), hit = f1(answer, b, threshold = 0.4), explained = r_squared(numbers, y),
                 hits = confusion_matrix(logits, c), answers = confusion_matrix(answer, b, threshold = 0.4), area = roc_auc(answer, b, bins = 400),
                 doubt = perplexity(logits, c), weighted = perplexity(logits, c, weights = w), off = rmse(numbers, y);
    }
}

network! {
    /// Convolutions in groups and pooling with padding, of which a part is frozen.
    pub Windows {
        input  image: [batch, 4, 6, 6];
        target y: [batch, 1];

        let low  = image.conv2d(6, 3, padding = same, dilation = 2, groups = 2).batch_norm().relu();
        let mid  = low.max_pool(3, stride = 2, padding = 1).conv2d(4, 2, groups = 2, stride = 2);
        let sum  = mid.average_pool(3, stride = 1, padding = 1).flatten();
        let wave = where(sum > 0, 1, -1) * sum.sin() + sum.cos();

        let guess = wave.dense(1);

        predict  guess;
        minimize guess.mean_squared_error(y);
        using    adam(one_cycle(0.01)).group("low.*", frozen = true);
    }
}

network! {
    /// A batch of zeros has a finite loss, and a derivative that is none.
    pub Rooted {
        input     x: [batch, 2];
        parameter a: [2] = ones;

        predict  x * a;
        minimize (x * a).sum().abs().sqrt();
        using    adam(0.1).clip_global_norm(1, non_finite = skip);
    }
}

network! {
    /// The same, and nothing is skipped.
    pub Unguarded {
        input     x: [batch, 2];
        parameter a: [2] = ones;

        let root = (x * a).sum().abs().sqrt();

        predict  x * a;
        minimize root;
        using    adam(0.1).clip_global_norm(1);
    }
}

network! {
    /// A penalty that leaves exact zeros.
    pub Sparse {
        input  x: [batch, 6];
        target y: [batch, 2];

        let hidden = x.dense(8, penalty = none).tanh();
        let numbers = hidden.dense(2);

        predict  numbers;
        minimize numbers.mean_squared_error(y) + l1(0.3, proximal = true);
        using    sgd(0.2);
    }
}

fn wave(count: usize, speed: f32) -> Vec<f32> {
    (0..count).map(|index| (index as f32 * speed).sin()).collect()
}

/// More rows than a chunk of an evaluation, of targets far from 0.
fn rows(count: usize) -> gradc::Result<Dataset> {
    let x = wave(count * 6, 1.37);
    let class: Vec<u32> = (0..count).map(|row| ((x[row * 6] + 1.0) * 1.99) as u32).collect();
    let y: Vec<f32> = (0..count * 2).map(|index| 3.0 + x[index / 2 * 6 + index % 2]).collect();
    let yes: Vec<f32> = (0..count).map(|row| f32::from(x[row * 6 + 2] > 0.2)).collect();
    let w: Vec<f32> = (0..count).map(|row| (row % 3) as f32).collect();
    let data = Dataset::new().f32("x", &[6], &x)?.class("c", 4, &class)?;
    data.f32("y", &[2], &y)?.f32("b", &[1], &yes)?.f32("w", &[], &w)
}

fn close(native: &History, reference: &History, tolerance: f64) {
    let near = |what: &str, a: f64, b: f64| {
        assert!((a - b).abs() <= tolerance * b.abs().max(1.0), "{what}: {a} is not {b}");
    };
    assert_eq!(native.epochs.len(), reference.epochs.len());
    for (a, b) in native.epochs.iter().zip(&reference.epochs) {
        near("loss", a.loss, b.loss);
        for ((name, a), b) in native.metrics.iter().zip(&a.training).zip(&b.training) {
            near(&format!("{name} in training"), *a, *b);
        }
        let (Some(a), Some(b)) = (&a.validation, &b.validation) else { continue };
        for ((name, a), b) in native.metrics.iter().zip(&a.1).zip(&b.1) {
            near(&format!("{name} in validation"), *a, *b);
        }
    }
}

#[test]
fn metrics_and_schedules_are_those_of_the_interpreter() {
    let (train, valid) = (rows(300).expect("data"), rows(600).expect("data"));
    let run = |by_reference: bool| {
        let mut net = Measured::options().seed(2).compile().expect("it compiles");
        let fit = net.fit(&train).validate(&valid).monitor(Measured::F1).batch(32).epochs(3).restore_best(false).quiet();
        let history = if by_reference { fit.reference().run() } else { fit.run() }.expect("it trains");
        (net, history)
    };
    let ((native, a), (reference, b)) = (run(false), run(true));
    close(&a, &b, 1e-4);
    let (found, expected) = (native.evaluate(&valid).expect("it evaluates"), reference.evaluate(&valid).expect("it evaluates"));
    let last = a.epochs.last().and_then(|epoch| epoch.validation.clone()).expect("it was validated");
    assert_eq!(last.1[5], found.explained);
    assert!((found.explained - expected.explained).abs() < 1e-4 && (found.f1 - expected.f1).abs() < 1e-4);
    // From the counts of all rows, whatever chunks they came in.
    let labels: Vec<f32> = wave(600 * 6, 1.37).chunks(6).map(|row| f32::from(row[2] > 0.2)).collect();
    let said = native.predict(&valid).expect("it predicts").values;
    let count = |of: &dyn Fn(f32, f32) -> bool| said.iter().zip(&labels).filter(|(p, b)| of(**p, **b)).count() as f64;
    let hits = count(&|p, b| p > 0.4 && b > 0.5);
    let f1 = 2.0 * hits / (count(&|p, _| p > 0.4) + count(&|_, b| b > 0.5));
    assert!((found.hit - f1).abs() < 1e-12, "{} is not {f1}", found.hit);
    let exact = data::metrics::roc_auc(&said, &labels);
    // All rows are put in order, whatever chunks they came in; a sigmoid may round two logits to one.
    assert!((found.area - exact).abs() < 1e-4 && exact > 0.5, "{} is not {exact}", found.area);
    let evaluation = gradc::Model::evaluate(&native, &valid).expect("it evaluates");
    let yes = |numbers: &[f32], border: f32| numbers.iter().map(|number| usize::from(*number > border)).collect::<Vec<_>>();
    let exact = data::metrics::confusion_matrix(&yes(&said, 0.4), &yes(&labels, 0.5), 2);
    assert_eq!(evaluation.table("answers").expect("it is counted").counts, exact);
    let counts = &evaluation.table("hits").expect("it is counted").counts;
    assert_eq!((counts.len(), counts.iter().flatten().sum::<u64>()), (4, 600));
    let diagonal: u64 = (0..4).map(|class| counts[class][class]).sum();
    assert!((found.hits - diagonal as f64 / 600.0).abs() < 1e-12);
}

/// With all answers the same there is no pair to compare: NaN, with a word.
#[test]
fn the_order_of_one_sided_answers_is_undefined() {
    let text = "Sides { input x: [batch, 3]; target c: class(2); let p = x.dense(2); predict p; minimize p.cross_entropy(c); \
                using sgd(0.01); report area = roc_auc(p, c); }";
    let declaration = gradc::Declaration::parse(Source::new("sides.net", text)).expect("a network");
    let mut net = gradc::Model::from_declaration(&declaration, &gradc::Options::default()).expect("it compiles");
    let rows = |class: &dyn Fn(usize) -> u32| {
        let classes: Vec<u32> = (0..300).map(class).collect();
        let data = Dataset::new().f32("x", &[3], wave(900, 0.83)).and_then(|data| data.class("c", 2, &classes));
        data.expect("a data set")
    };
    let (mixed, one) = (rows(&|row| (row % 3 == 0).into()), rows(&|_| 1));
    let history = net.fit(&mixed).validate(&one).batch(40).epochs(2).shuffle(false).quiet().run().expect("it trains");
    let epoch = &history.epochs[1];
    assert!(
        epoch.training[0] > 0.0 && epoch.training[0] < 1.0 && epoch.validation.as_ref().is_some_and(|(_, area)| area[0].is_nan())
    );
    let found = net.evaluate(&one).expect("it evaluates");
    assert!(found.metric("area").is_nan() && found.notes[0].contains("`area` is undefined") && found.notes[0].contains("yes"));
    let found = net.evaluate(&mixed).expect("it evaluates");
    let said: Vec<f32> = net.predict(&mixed).expect("it predicts").values.chunks(2).map(|row| row[1] - row[0]).collect();
    let labels: Vec<f32> = (0..300).map(|row| f32::from(u8::from(row % 3 == 0))).collect();
    assert!(found.notes.is_empty() && found.metric("area") == data::metrics::roc_auc(&said, &labels));
}

#[test]
fn a_second_run_has_an_end_of_its_own() {
    let data = rows(64).expect("data");
    let run = |by_reference: bool| {
        let mut net = Measured::options().seed(5).compile().expect("it compiles");
        for steps in [5, 4] {
            let fit = net.fit(&data).batch(16).steps(steps).quiet();
            if by_reference { fit.reference().run() } else { fit.run() }.expect("it trains");
        }
        // Single steps have no end in sight.
        net.step(&data).expect("it steps");
        net.parameter("logits.dense.weight").expect("it is there").to_vec()
    };
    for (a, b) in run(false).iter().zip(run(true)) {
        assert!((a - b).abs() < 1e-5, "{a} is not {b}");
    }
}

#[test]
fn windows_are_those_of_the_interpreter() {
    let (image, y) = (wave(40 * 4 * 36, 0.77), wave(40, 0.3));
    let data = Dataset::new().f32("image", &[4, 6, 6], &image).and_then(|data| data.f32("y", &[1], &y)).expect("data");
    let run = |by_reference: bool| {
        let mut net = Windows::options().seed(1).compile().expect("it compiles");
        let before = net.parameter("low.conv2d.weight").expect("it is there").to_vec();
        let fit = net.fit(&data).batch(8).epochs(3).quiet();
        let history = if by_reference { fit.reference().run() } else { fit.run() }.expect("it trains");
        assert_eq!(before, net.parameter("low.conv2d.weight").expect("it is there"), "a frozen weight moved");
        history
    };
    close(&run(false), &run(true), 1e-4);
}

#[test]
fn a_step_without_a_finite_norm_changes_the_count_alone() {
    let mut net = Rooted::options().compile().expect("it compiles");
    let rows = |x: &[f32]| Dataset::new().f32("x", &[2], x).expect("data");
    let state = |net: &Rooted| ["a", "skipped"].map(|name| net.parameter(name).expect("it is there").to_vec());
    net.step(&rows(&[1.0, 2.0, 3.0, 1.0])).expect("it steps");
    let [after_one, skipped] = state(&net);
    assert!(after_one != [1.0, 1.0] && skipped == [0.0]);
    net.step(&rows(&[0.0; 4])).expect("a finite loss");
    assert_eq!(state(&net), [after_one.clone(), vec![1.0]]);
    net.fit(&rows(&[0.0, 0.0, 1.0, 1.0])).batch(1).epochs(2).quiet().run().expect("it trains");
    for by_reference in [false, true] {
        let mut net = Rooted::options().compile().expect("it compiles");
        let data = rows(&[0.0, 0.0, 1.0, 1.0]);
        let fit = net.fit(&data).batch(1).epochs(2).quiet();
        let history = if by_reference { fit.reference().run() } else { fit.run() }.expect("it trains");
        assert_eq!((history.epochs[0].skipped, history.epochs[1].skipped, history.skipped()), (1, 1, 2));
    }
    let [later, skipped] = state(&net);
    assert!(later != after_one && skipped == [3.0], "{later:?} {skipped:?}");
    assert!(net.summary().contains("skipped"), "{}", net.summary());
}

#[test]
fn a_plateau_lowers_the_rate() {
    let (image, y) = (wave(40 * 4 * 36, 0.77), wave(40, 0.3));
    let data = Dataset::new().f32("image", &[4, 6, 6], &image).and_then(|data| data.f32("y", &[1], &y)).expect("data");
    let run = |by_reference: bool| {
        let mut net = Windows::options().seed(1).compile().expect("it compiles");
        // No epoch after the first is better by so much.
        let fit = net.fit(&data).validate(&data).least(1e9).plateau(0.5, 2).batch(8).epochs(7).quiet();
        let history = if by_reference { fit.reference().run() } else { fit.run() }.expect("it trains");
        let factors: Vec<f64> = history.epochs.iter().map(|epoch| epoch.rate_factor).collect();
        assert_eq!(factors, [1.0, 1.0, 1.0, 0.5, 0.5, 0.25, 0.25]);
        history
    };
    let lowered = run(false);
    close(&lowered, &run(true), 1e-4);
    let mut net = Windows::options().seed(1).compile().expect("it compiles");
    let whole = net.fit(&data).validate(&data).least(1e9).batch(8).epochs(7).quiet().run().expect("it trains");
    assert_eq!(lowered.epochs[2].loss, whole.epochs[2].loss);
    assert_ne!(lowered.epochs[4].loss, whole.epochs[4].loss);
    let refused = [net.fit(&data).plateau(0.5, 1).run(), net.fit(&data).validate(&data).plateau(1.0, 1).run()];
    assert!(refused.iter().all(|outcome| matches!(outcome, Err(gradc::Error::Setting { .. }))), "{refused:?}");
    assert!(net.fit(&data).validate(&data).plateau(0.5, 0).run().is_err());
}

#[test]
fn zeros_of_a_proximal_penalty_are_counted() {
    let (x, y) = (wave(60 * 6, 1.1), wave(60 * 2, 0.7));
    let data = Dataset::new().f32("x", &[6], &x).and_then(|data| data.f32("y", &[2], &y)).expect("data");
    let mut net = Sparse::options().seed(3).compile().expect("it compiles");
    let history = net.fit(&data).batch(20).epochs(30).quiet().run().expect("it trains");
    let zeros = net.parameter("numbers.dense.weight").expect("it is there").iter().filter(|weight| **weight == 0.0).count();
    let [own] = &history.zeros[..] else { panic!("{:?}", history.zeros) };
    assert_eq!((own.name.as_str(), own.zeros, own.of), ("numbers.dense.weight", zeros, 16));
    assert!(zeros > 0);
    assert_eq!(history.share_of_zeros(), Some(zeros as f64 / 16.0));
}

/// No loss sees what the last step of a run does.
#[test]
fn a_gradient_that_is_not_finite_is_an_error_at_the_last_step_too() {
    let rows = |x: &[f32]| Dataset::new().f32("x", &[2], x).expect("data");
    let cases = [(vec![0.0; 4], 1), (vec![1.0, 2.0, 0.0, 0.0], 2)];
    for ((data, steps), by_reference) in cases.iter().flat_map(|case| [(case, false), (case, true)]) {
        let mut net = Unguarded::options().compile().expect("it compiles");
        let rows = rows(data);
        let fit = net.fit(&rows).batch(if *steps == 1 { 2 } else { 1 }).shuffle(false).quiet();
        let error = if by_reference { fit.reference().run() } else { fit.run() }.expect_err("no number");
        let gradc::Error::Diverged { step, loss, node: Some(node), .. } = &error else { panic!("{error}") };
        assert_eq!((*step, *loss), (*steps, 0.0));
        assert!(node.contains("root") || error.to_string().contains("measures.rs"), "{error}");
        assert!(error.to_string().contains(&format!("the update became NaN or infinite at step {steps}")), "{error}");
        assert!(net.parameter("a").expect("it is there").iter().all(|value| value.is_finite()));
    }
}

/// A sum over rows is reported of all rows; minimised, it is the mean of its batches' values, whatever else is reported.
#[test]
fn a_report_of_the_loss_leaves_the_loss_as_it_is() {
    let data = Dataset::new().f32("x", &[2], wave(600, 1.1)).expect("data");
    let evaluated = |report: &str| {
        let text = format!(
            "Summed {{ input x: [batch, 2]; let d = x.dense(1); predict d; minimize sum(d * d); using sgd(0.0); {report} }}"
        );
        let declaration = gradc::Declaration::parse(Source::new("summed.net", &text)).expect("a text");
        let mut net = Model::from_declaration(&declaration, &gradc::Options::default()).expect("it compiles");
        let history = net.fit(&data).batch(100).epochs(1).quiet().run().expect("it trains");
        (history.loss(), net.evaluate(&data).expect("a pass"))
    };
    let ((trained, plain), (trained_too, reported)) = (evaluated(""), evaluated("report total = sum(d * d);"));
    assert_eq!((trained, plain.loss), (trained_too, reported.loss));
    let total = reported.metric("total");
    assert!((total / trained - 3.0).abs() < 1e-5, "three batches of 100 rows: {total} and {trained}");
}

/// Rows of classes without a weight give their shares of the smoothed target to the mean over all rows, and be they a chunk of their own.
#[test]
fn a_chunk_that_weighs_nothing_gives_its_shares() {
    let text = "Smoothed { input x: [batch, 1]; target y: class(2); let z = x.dense(2); predict z; using sgd(0.0);
                minimize z.cross_entropy(y, label_smoothing = 0.2, class_weights = [0, 1]); }";
    let declaration = gradc::Declaration::parse(Source::new("smoothed.net", text)).expect("a text");
    let mut net = Model::from_declaration(&declaration, &gradc::Options::default()).expect("it compiles");
    let labels = [vec![0; 256], vec![1; 256]].concat();
    let data = Dataset::new().f32("x", &[1], vec![0.0; 512]).and_then(|data| data.class("y", 2, &labels)).expect("data");
    let trained = net.fit(&data).batch(128).epochs(1).shuffle(false).quiet().run().expect("it trains").loss();
    // By hand: 0.1 ln 2 of each row of class 0, 0.9 ln 2 of each of class 1, over the weights of the second.
    for loss in [trained, net.evaluate(&data).expect("a pass").loss] {
        assert!((loss - 2_f64.ln()).abs() < 1e-6, "{loss}");
    }
}

/// What the compiler measures for itself has names that no report has.
#[test]
fn a_report_may_be_called_what_the_compiler_calls_its_own() {
    let answers: Vec<f32> = wave(7, 0.4).iter().map(|value| 3.0 + value).collect();
    let data = Dataset::new().f32("x", &[2], wave(14, 1.1)).and_then(|data| data.f32("y", &[1], answers)).expect("data");
    let trained = |name: &str, is_reference: bool| {
        let text = format!(
            "Named {{ input x: [batch, 2]; target y: [batch, 1]; let p = x.standardize().dense(1); predict p; \
             minimize p.mean_squared_error(y) + l2(0.1); using sgd(0.1); report {name} = sum(y), auc = mean(p); }}"
        );
        let declaration = gradc::Declaration::parse(Source::new("named.net", &text)).expect("a text");
        let mut net = Model::from_declaration(&declaration, &gradc::Options::default()).expect("it compiles");
        let fit = net.fit(&data).validate(&data).batch(3).epochs(2).record_steps().quiet();
        let history = if is_reference { fit.reference().run() } else { fit.run() }.expect("it trains");
        let epochs: Vec<_> = history.epochs.iter().map(|epoch| (epoch.loss, epoch.penalty, epoch.training.clone())).collect();
        let steps: Vec<_> = history.steps.iter().map(|step| (step.loss, step.penalty, step.metrics.clone())).collect();
        let measured = net.evaluate(&data).expect("a pass");
        (epochs, steps, measured.loss, measured.metrics.into_iter().map(|(_, value)| value).collect::<Vec<_>>())
    };
    for is_reference in [false, true] {
        let usual = trained("answers", is_reference);
        for name in ["rows", "penalty", "total", "epoch", "step", "seed", "finite", "best", "carried", "skipped"] {
            assert_eq!(trained(name, is_reference), usual, "`{name}`");
        }
    }
}
