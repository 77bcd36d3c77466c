//! What may change the state of a model, and what may not.

use crate::networks::{Digits, Mixed, MixedInputs, bits, digits, mixed};
use gradc::prelude::*;

#[test]
fn evaluation_and_prediction_touch_nothing() {
    let [train, valid, test] = digits(2).expect("the data is there");
    let compile = || Digits::options().seed(4).compile().expect("it compiles");
    let (mut watched, mut alone) = (compile(), compile());
    for _ in 0..2 {
        watched.fit(&train).validate(&valid).batch(64).epochs(1).quiet().run().expect("it trains");
        let first = watched.evaluate(&test).expect("it evaluates");
        watched.predict(&test).expect("it predicts");
        assert_eq!(first, watched.evaluate(&test).expect("it evaluates"), "an evaluation changed the next one");
        alone.fit(&train).batch(64).epochs(1).quiet().run().expect("it trains");
    }
    assert_eq!(bits(&watched), bits(&alone));
    for statistics in ["hidden.batch_norm.running_mean", "hidden.batch_norm.running_variance"] {
        assert_eq!(watched.parameter(statistics).ok(), alone.parameter(statistics).ok(), "{statistics}");
    }
}

#[test]
fn validation_is_the_evaluation() {
    let [train, valid, _] = digits(2).expect("the data is there");
    let mut net = Digits::options().compile().expect("it compiles");
    let history = net.fit(&train).validate(&valid).batch(64).epochs(3).restore_best(false).quiet().run().expect("it trains");
    let last = history.epochs.last().and_then(|epoch| epoch.validation.clone()).expect("it was validated");
    let evaluation = net.evaluate(&valid).expect("it evaluates");
    assert_eq!(last, (evaluation.loss, vec![evaluation.accuracy]));
}

#[test]
fn patience_ends_a_run_and_the_best_weights_come_back() {
    let data = mixed(64).expect("the data is right");
    let mut net = Mixed::options().seed(1).compile().expect("it compiles");
    net.set_rate(0.05).expect("a rate");
    let history = net.fit(&data).validate(&data).batch(8).epochs(400).patience(3).quiet().run().expect("it trains");
    assert!(history.epochs.len() < 400, "it never stopped");
    let best = history.epochs.iter().filter_map(|epoch| epoch.validation.as_ref()).map(|(loss, _)| *loss);
    let best = best.fold(f64::INFINITY, f64::min);
    assert_eq!(net.evaluate(&data).expect("it evaluates").loss, best);
}

#[test]
fn sizes_settings_and_several_served_values_have_their_types() {
    let mut net = Mixed::options().width(7).compile().expect("it compiles");
    let weight = net.parameters().find(|(name, _)| *name == "encoder.dense.weight").map(|(_, shape)| shape.to_vec());
    assert_eq!(weight, Some(vec![5, 7]));
    net.set_rate(1e-3).expect("a rate");
    assert!(net.set_rate(f64::NAN).is_err());
    let rows = MixedInputs { left: &[0.5; 10], right: &[0.25; 10] };
    let served = net.predict(&rows).expect("it predicts");
    assert_eq!((served.value.shape.as_slice(), served.hidden.shape.as_slice()), (&[1][..], &[7][..]));
    assert_eq!((served.value.rows, served.hidden.row(1).len()), (2, 7));
    let metrics = net.evaluate(&mixed(10).expect("the data is right")).expect("it evaluates");
    assert!(metrics.distance > 0.0 && metrics.loss > 0.0);
}

#[test]
fn an_epoch_can_be_watched_and_a_run_stopped() {
    let data = mixed(64).expect("the data is right");
    let mut net = Mixed::options().compile().expect("it compiles");
    let mut seen = Vec::new();
    let history = net
        .fit(&data)
        .batch(16)
        .epochs(50)
        .on_epoch(|epoch| {
            seen.push(epoch.loss);
            if seen.len() == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
        .quiet()
        .run()
        .expect("it trains");
    assert_eq!(history.epochs.len(), 3);
    assert_eq!(history.epochs.iter().map(|epoch| epoch.loss).collect::<Vec<_>>(), seen);
}

network! {
    pub Bent {
        input  x: [batch, 2];
        target y: [batch, 1];
        let p = x.dense(3).tanh().dense(1);
        predict  p;
        minimize p.mean_squared_error(y);
        using    sgd(rate = 1e-2);
    }
    /// The same parameters, another curve.
    pub Cut {
        input  x: [batch, 2];
        target y: [batch, 1];
        let p = x.dense(3).relu().dense(1);
        predict  p;
        minimize p.mean_squared_error(y);
        using    adam(rate = 1e-2);
    }
}

#[test]
fn a_file_of_another_network_is_told_by_its_formulas() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("bent.safetensors");
    let bent = Bent::options().seed(1).compile().expect("it compiles");
    bent.save(&file).expect("it is written");
    let mut cut = Cut::options().seed(2).compile().expect("it compiles");
    let before = bits(&cut);
    for message in
        [cut.load(&file).map_err(|error| error.to_string()), Cut::predictor(&file).map(|_| ()).map_err(|error| error.to_string())]
    {
        let message = message.expect_err("another network's");
        assert!(
            ["Bent", "Cut", "fingerprint", "load_matching", "bent.safetensors"].iter().all(|word| message.contains(word)),
            "{message}"
        );
    }
    assert_eq!(before, bits(&cut));
    // Who wants the parameters alone gets them; and what the network is trained by is no part of it.
    assert_eq!(cut.load_matching(&file).expect("the names fit").taken.len(), 4);
    assert_eq!(bits(&bent), bits(&cut));
    let other = Bent::declaration().expect("it is right").using("adam(1e-3)").expect("an optimizer");
    let mut again = Model::from_declaration(&other, &gradc::Options::default()).expect("it compiles");
    again.load(&file).expect("the same network");
    let predictor = Bent::predictor(&file).expect("the network that wrote it");
    let batch = BentBatch { x: &[0.5, -1.0], y: &[2.0] };
    let (served, own) = (predictor.evaluate(&batch).expect("rows of any kind"), bent.evaluate(&batch).expect("the same rows"));
    assert_eq!(served.loss, own.loss);
}

/// Runs of all kinds one after the other; `between` is called after each. What they gave, and the bits at the end.
fn all_kinds_of_runs(between: impl Fn(&Model)) -> (Vec<String>, Vec<(String, Vec<u32>)>) {
    let (large, small) = (mixed(300).expect("rows"), mixed(11).expect("rows"));
    let options = gradc::Options { seed: 3, ..gradc::Options::default() };
    let mut net = Model::from_declaration(&Mixed::declaration().expect("no mistake"), &options).expect("it compiles");
    let mut said = Vec::new();
    for round in 0..3 {
        let history = net.fit(&large).validate(&small).batch(32).epochs(2).threads_exactly(2).quiet().run();
        said.push(format!("{:?}", history.map(|history| history.loss())));
        between(&net);
        said.push(format!("{:?}", net.evaluate(&large)));
        between(&net);
        for rows in [&small, &large.take(40 + round), &small] {
            said.push(format!("{:?}", net.step(rows)));
            between(&net);
            said.push(format!("{:?}", net.predict_all(rows)));
            between(&net);
        }
        // A run that a callback ends, one that fails, and one of another program.
        let panics = |_: &gradc::Epoch| panic!("on purpose");
        let run = || net.fit(&large).batch(64).epochs(9).on_epoch(panics).quiet().run().map(drop);
        said.push(format!("{:?}", std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).is_err()));
        between(&net);
        net.set("rate", 1e30).expect("a rate");
        let failed = net.fit(&large).batch(32).epochs(3).quiet().run().expect_err("it fails");
        said.push(failed.to_string());
        net.set("rate", 1e-2).expect("a rate");
        net.reset(round as u64).expect("parameters anew");
        between(&net);
        net.fit(&large).batch(16).accumulate(2).epochs(1).quiet().run().expect("it trains");
        between(&net);
    }
    (said, bits(&net))
}

/// In this build a run fills the memory that it is given with NaN.
#[test]
fn what_a_run_finds_in_memory_does_not_matter() {
    let (said, ends) = all_kinds_of_runs(|_| {});
    let (anew, ends_anew) = all_kinds_of_runs(Model::release_memory);
    assert_eq!(said, anew);
    assert_eq!(ends, ends_anew);
}

#[test]
fn several_threads_predict_with_memory_of_their_own() {
    let data = mixed(700).expect("rows");
    let model = Model::from_declaration(&Mixed::declaration().expect("no mistake"), &gradc::Options::default());
    let model = model.expect("it compiles");
    let alone = model.predict_all(&data).expect("it predicts");
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..5 {
                    assert_eq!(model.predict_all(&data).expect("it predicts"), alone);
                }
            });
        }
    });
}

network! {
    pub Scaled {
        input  x: [batch, 2];
        target y: [batch, 1];
        let h = x.standardize().dense(3);
        let p = h.dense(1);
        predict  p.restore(y);
        minimize p.mean_squared_error(y.standardize());
        using    sgd(0.01);
    }
}

network! {
    pub Unscaled {
        input  x: [batch, 2];
        target y: [batch, 1];
        let h = x.standardize().dense(3);
        let p = h.dense(1);
        predict  p;
        minimize p.mean_squared_error(y);
        using    sgd(0.01);
    }
}

fn scaled_rows() -> Dataset {
    let data = Dataset::new().f32("x", &[2], &[1.0, 10.0, 3.0, 30.0]).and_then(|data| data.f32("y", &[1], &[5.0, 9.0]));
    data.expect("the data is right")
}

fn train_one_epoch(net: &mut Model) {
    net.fit(&scaled_rows()).batch(2).quiet().run().expect("it trains");
}

#[test]
fn scalers_that_a_file_knows_nothing_of_are_measured() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("unscaled.safetensors");
    let mut source = Unscaled::options().compile().expect("it compiles");
    source.set_parameter("x.standardize.mean", &[7.0, 7.0]).expect("a state");
    source.save(&file).expect("it saves");
    let mut net = Scaled::options().compile().expect("it compiles");
    net.load_matching(&file).expect("it loads");
    train_one_epoch(&mut net);
    assert_eq!(net.parameter("x.standardize.mean").expect("a state"), [7.0, 7.0], "what the file knows is measured");
    assert_eq!(net.parameter("x.standardize.deviation").expect("a state"), [1.0, 10.0], "what nobody knew is taken");
    assert_eq!(net.parameter("y.standardize.mean").expect("a state"), [7.0], "the other scaler is not measured");
    assert_eq!(net.parameter("y.standardize.deviation").expect("a state"), [2.0]);
}

#[test]
fn what_a_scaler_is_given_stays_through_runs_and_files() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("scaled.safetensors");
    let mut net = Scaled::options().compile().expect("it compiles");
    net.set_parameter("x.standardize.deviation", &[4.0, 4.0]).expect("a state");
    net.save_checkpoint(&file).expect("it saves");
    let mut other = Scaled::options().compile().expect("it compiles");
    other.load_checkpoint(&file).expect("it loads");
    for net in [&mut net, &mut other] {
        train_one_epoch(net);
        assert_eq!(net.parameter("x.standardize.deviation").expect("a state"), [4.0, 4.0]);
        assert_eq!(net.parameter("x.standardize.mean").expect("a state"), [2.0, 20.0]);
        net.reset(1).expect("it begins anew");
        train_one_epoch(net);
        assert_eq!(net.parameter("x.standardize.deviation").expect("a state"), [1.0, 10.0]);
    }
}

#[test]
fn a_predictor_and_a_reader_know_the_sizes_of_the_options() {
    let folder = tempfile::tempdir().expect("a folder");
    let (file, table) = (folder.path().join("mixed.safetensors"), folder.path().join("rows.csv"));
    let net = Mixed::options().width(7).seed(3).compile().expect("it compiles");
    net.save(&file).expect("it saves");
    let rows = MixedInputs { left: &[0.5; 5], right: &[0.25; 5] };
    let predictor = Mixed::options().width(7).predictor(&file).expect("it has the same sizes");
    assert_eq!(predictor.predict(&rows).expect("it predicts"), net.predict(&rows).expect("it predicts").value);
    let declared = Mixed::predictor(&file).map(|_| ()).map_err(|error| error.to_string());
    assert!(declared.is_err_and(|message| message.contains("[5, 7] in the file")));

    let declaration = Mixed::options().width(7).declaration().expect("a declaration");
    let served = gradc::Predictor::from_declaration(&declaration, &file, &gradc::Options::default()).expect("it is loaded");
    assert_eq!(served.predict(&rows).expect("it predicts"), predictor.predict(&rows).expect("it predicts"));

    std::fs::write(&table, "1,2,3,4\n5,6,7,8\n").expect("it is written");
    assert_eq!(Wide::options().width(3).read(table.as_path()).map(|data| data.rows()).expect("rows of three and one"), 2);
    assert!(Wide::read(table.as_path()).is_err(), "rows of two and one");
}

network! {
    pub Wide {
        const width = 2;
        setting warmth = 1;
        input  x: [batch, width];
        target y: [batch, 1];
        let p = x.dense(1).dropout(0.5) / warmth;
        predict  p;
        minimize p.mean_squared_error(y);
        using    adam(0.05);
        report   off = mean_absolute_error(p, y), twice = 2 * mean_absolute_error(p, y);
    }
}

fn wide_rows(rows: usize) -> Dataset {
    let x: Vec<f32> = (0..2 * rows).map(|i| (i * 7 % 11) as f32 / 5.0).collect();
    let y: Vec<f32> = x.chunks(2).map(|x| x[0] - x[1]).collect();
    Dataset::new().f32("x", &[2], x).and_then(|data| data.f32("y", &[1], y)).expect("the data is right")
}

#[test]
fn a_clone_goes_on_as_the_model_does_and_neither_sees_the_other() {
    let data = wide_rows(20);
    let mut net = Wide::options().seed(5).compile().expect("it compiles");
    net.fit(&data).epochs(2).quiet().run().expect("it trains");
    net.set_warmth(2.0).expect("a setting");
    let mut other = net.try_clone().expect("there is memory");
    other.fit(&data).epochs(3).quiet().run().expect("it trains");
    assert_ne!(bits(&net), bits(&other), "they share parameters");
    net.fit(&data).epochs(3).quiet().run().expect("it trains");
    assert_eq!(bits(&net), bits(&other));
    assert_eq!(other.setting("warmth").expect("a setting"), 2.0);
    other.reset(6).expect("it begins anew");
    assert_ne!(bits(&net), bits(&other));
}

#[test]
fn a_predictor_of_a_model_serves_its_parameters_and_settings() {
    let rows = WideInputs { x: &[1.0, 2.0, 3.0, 4.0] };
    let mut net = Wide::options().seed(5).compile().expect("it compiles");
    net.set_warmth(4.0).expect("a setting");
    let own = net.predict(&rows).expect("it predicts");
    let predictor = gradc::Predictor::from(Model::from(net));
    let served = std::thread::scope(|scope| scope.spawn(|| predictor.clone().predict(&rows)).join());
    assert_eq!(served.expect("no panic").expect("it predicts"), own);
}

#[test]
fn an_epoch_tells_its_metrics_by_name() {
    let data = wide_rows(40);
    let mut net = Wide::options().seed(5).compile().expect("it compiles");
    let mut seen = Vec::new();
    for reference in [false, true] {
        let fit = net.fit(&data).validate(&data).epochs(2).quiet().on_epoch(|epoch| {
            assert_eq!(epoch.metric("twice"), 2.0 * epoch.metric("off"));
            assert!(epoch.metric("nothing").is_nan() && epoch.validated("nothing").is_nan());
            seen.push(epoch.validated("off"));
            ControlFlow::Continue(())
        });
        let history = if reference { fit.reference() } else { fit }.restore_best(false).run().expect("it trains");
        let last = history.epochs.last().expect("an epoch");
        assert_eq!(Some(last.validated("off")), last.validation.as_ref().map(|(_, metrics)| metrics[0]));
        assert_eq!(&*last.names, history.metrics.as_slice());
    }
    assert_eq!(seen.len(), 4);
    assert!(seen.iter().all(|off| off.is_finite()));
}

#[test]
fn a_state_is_found_by_its_nearest_name() {
    let net = Scaled::options().compile().expect("it compiles");
    let message = net.parameter("x.standardize.maen").map(|_| ()).map_err(|error| error.to_string());
    assert!(message.is_err_and(|message| message.contains("`x.standardize.mean`")));
}
