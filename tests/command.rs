//! The command trains what the macro trains: same text, same options, same bits.

use crate::networks::{Digits, Mixed, digits, mixed};
use gradc::prelude::*;
use std::path::Path;
use std::process::Command;

const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/runtime/src/data/digits.csv.gz");
const NETWORK: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/digits.net");

/// What the command writes to standard output.
fn gradc(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_gradc")).args(arguments).output().expect("the command was built");
    assert!(output.status.success(), "gradc {arguments:?}\n{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

fn lines(output: &str, event: &str) -> Vec<serde_json::Value> {
    let objects = output.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).expect("one object a line"));
    objects.filter(|object| object["event"] == event).collect()
}

#[test]
fn a_file_trains_to_the_bits_of_the_macro() {
    let case = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/digits.net");
    assert_eq!(std::fs::read_to_string(case).ok(), std::fs::read_to_string(NETWORK).ok(), "two texts of one network");
    let folder = tempfile::tempdir().expect("a folder");
    let saved = folder.path().join("digits.safetensors");
    let split = ["--data", DATA, "--split", "0.7,0.15,0.15", "--split-seed", "7", "--seed", "7", "--batch", "64"];
    let run = ["--epochs", "5", "--patience", "8", "--json", "--save", saved.to_str().expect("a path")];
    let output = gradc(&[&["train", NETWORK][..], &split, &run].concat());

    let [train, valid, test] = digits(7).expect("the data is there");
    let mut net = Digits::options().seed(7).compile().expect("it compiles");
    let history = net.fit(&train).validate(&valid).batch(64).epochs(5).patience(8).quiet().run().expect("it trains");
    let epochs = lines(&output, "epoch");
    assert_eq!(epochs.len(), 5);
    for (line, epoch) in epochs.iter().zip(&history.epochs) {
        // The parser of JSON may round the last bit.
        assert!(line["training"]["loss"].as_f64().is_some_and(|loss| (loss - epoch.loss).abs() < 1e-15));
        assert_eq!(line["validation"]["accuracy"].as_f64(), epoch.validation.as_ref().map(|(_, metrics)| metrics[0]));
    }
    let end = &lines(&output, "end")[0];
    assert_eq!(end["test"]["accuracy"].as_f64(), Some(net.evaluate(&test).expect("it evaluates").accuracy));
    let own = folder.path().join("own.safetensors");
    net.save(&own).expect("it is written");
    let bits = |file: &Path| gradc::runtime::checkpoint::load(file).expect("a checkpoint").tensors;
    assert_eq!(bits(&saved), bits(&own), "the file and the macro differ");
}

/// Where a network is asked for, such a file is named for what it is.
#[test]
fn a_file_of_parameters_can_be_looked_into() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).to_str().expect("a path").to_owned();
    let text = "Small { input x: [batch, 2]; target y: [batch, 1]; let p = x.dense(1); predict p; \
                minimize p.mean_squared_error(y); using adam(0.01); }";
    std::fs::write(path("small.net"), text).expect("it is written");
    std::fs::write(path("rows.csv"), "1,2,3\n2,1,4\n").expect("it is written");
    let run = ["--batch", "2", "--epochs", "3", "--save", &path("w"), "--checkpoint", &path("c")];
    gradc(&[&["train", &path("small.net"), "--data", &path("rows.csv")], &run[..]].concat());
    let (parameters, training) = (gradc(&["summary", &path("w")]), gradc(&["summary", &path("c")]));
    for words in ["network      Small", "step         3", "p.dense.weight  [2, 1]       2", "2 tensors, 3 values, 12 B"] {
        assert!(parameters.contains(words), "{words}\n{parameters}");
    }
    for words in ["setting.rate", "0.01", "p.dense.weight.adam.m", "seed"] {
        assert!(training.contains(words), "{words}\n{training}");
    }
    for (arguments, words) in [
        (vec!["show", &path("w")], "a file of parameters"),
        (vec!["train", &path("w"), "--data", &path("rows.csv")], "`gradc summary`"),
        (vec!["train", &path("rows.csv"), "--data", &path("small.net")], "a .net file; data stand behind it"),
        (vec!["summary", &path("w"), "--set", "a=3"], "`--set`"),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_gradc")).args(&arguments).output().expect("the command was built");
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && message.contains(words), "{arguments:?}: {message}");
    }
}

#[test]
fn the_page_of_trained_weights_tells_the_share_of_zeros() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).to_str().expect("a path").to_owned();
    let text = "Sparse { input x: [batch, 2]; target y: [batch, 1]; let p = x.dense(1, bias = false); predict p; \
                minimize p.mean_squared_error(y) + l1(1e6, proximal = true); using sgd(0.01); }";
    std::fs::write(path("sparse.net"), text).expect("it is written");
    std::fs::write(path("rows.csv"), "1,2,3\n2,1,4\n").expect("it is written");
    gradc(&["train", &path("sparse.net"), "--data", &path("rows.csv"), "--batch", "2", "--epochs", "1", "--save", &path("w")]);
    gradc(&["report", &path("sparse.net"), "--weights", &path("w"), "-o", &path("page.html")]);
    let page = std::fs::read_to_string(path("page.html")).expect("the page");
    assert!(page.contains("<p>p.dense.weight: 100.0 % exact zeros</p>"));
}

#[test]
fn a_profile_tells_time_and_work_of_every_kernel_and_layer() {
    let ask = ["profile", NETWORK, "--data", DATA, "--batch", "64", "--steps", "20"];
    let text = gradc(&ask);
    let table = |heading: &str| text.lines().skip_while(|line| !line.starts_with(heading)).count();
    assert!(table("kernel ") > table("layer ") && table("layer ") > 3, "{text}");
    assert!(text.contains("hidden.dense, hidden.batch_norm") && text.contains("\nbetween"), "{text}");

    let profile: serde_json::Value = serde_json::from_str(&gradc(&[&ask[..], &["--json"]].concat())).expect("one object");
    let number = |value: &serde_json::Value, name: &str| value[name].as_f64().expect("a number");
    let kernels = profile["kernels"].as_array().expect("a list");
    // One hidden layer of 64 x 128 and one of 128 x 10; the input has no gradient.
    let products = 2.0 * 64.0 * (2.0 * 64.0 * 128.0 + 3.0 * 128.0 * 10.0);
    let flops: f64 = kernels.iter().map(|kernel| number(kernel, "flops")).sum();
    assert_eq!(flops, 20.0 * products);
    let time = |kernel: &serde_json::Value| number(kernel, "seconds");
    let sum = kernels.iter().map(time).sum::<f64>() + number(&profile, "between_seconds");
    assert!((sum / number(&profile, "seconds") - 1.0).abs() < 1e-9);
    assert!(kernels.iter().all(|kernel| number(kernel, "calls") == 20.0 && time(kernel) > 0.0 && number(kernel, "bytes") > 0.0));
}

#[test]
fn timing_a_run_changes_no_bit_of_it() {
    let run = |profile: bool| {
        let [train, ..] = digits(7).expect("the data is there");
        let mut net = Digits::options().seed(7).compile().expect("it compiles");
        let fit = net.fit(&train).batch(64).steps(30).threads_exactly(2).quiet();
        let history = if profile { fit.profile() } else { fit }.run().expect("it trains");
        assert_eq!(history.profile.is_some(), profile);
        net.parameter("hidden.dense.weight").expect("it is there").to_vec()
    };
    assert_eq!(run(false), run(true));
}

#[test]
fn a_diagnosis_is_a_line_and_a_picture() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("gradients.svg");
    let diagnose = ["--steps", "4", "--json", "--diagnose", file.to_str().expect("a path")];
    let output = gradc(&[&["train", NETWORK, "--data", DATA][..], &diagnose].concat());
    let diagnosis = &lines(&output, "diagnosis")[0];
    assert_eq!(diagnosis["layers"], serde_json::json!(["hidden", "logits"]));
    assert_eq!(diagnosis["verdicts"], serde_json::json!([]));
    let steps = diagnosis["steps"].as_array().expect("steps");
    assert_eq!(steps.iter().map(|step| step["step"].as_u64()).collect::<Vec<_>>(), [Some(1), Some(2), Some(3), Some(4)]);
    assert!(steps.iter().all(|step| step["layers"][0]["gradient_norm"].as_f64().is_some_and(|norm| norm > 0.0)));
    assert!(std::fs::read_to_string(file).is_ok_and(|svg| svg.contains(">hidden<")));
}

#[test]
fn steps_are_lines_and_so_are_watched_values() {
    let watch = ["--watch", "logits@step=2", "--shuffle", "false"];
    let output = gradc(&[&["train", NETWORK, "--data", DATA, "--steps", "4", "--json"][..], &watch].concat());
    let steps = lines(&output, "step");
    assert_eq!(steps.iter().map(|step| step["step"].as_u64()).collect::<Vec<_>>(), [Some(1), Some(2), Some(3), Some(4)]);
    assert!(steps.iter().all(|step| step["training"]["loss"].as_f64().is_some_and(|loss| loss > 0.0)));
    let watched = &lines(&output, "watched")[0];
    assert_eq!((watched["step"].as_u64(), &watched["shape"]), (Some(2), &serde_json::json!([32, 10])));
    assert_eq!(watched["values"].as_array().map(Vec::len), Some(320));
}

/// Loss and metrics of both runs, epoch by epoch and step by step, and the parameters they end with.
/// A run that is measured in steps is shown by them: an epoch may take longer than all of it.
#[test]
fn progress_counts_what_was_asked_for() {
    for (asked, last) in [(["--steps", "7"], "step 7/7  loss "), (["--epochs", "2"], "epoch 2/2  loss ")] {
        let arguments = [&["train", NETWORK, "--data", DATA, "--batch", "64"][..], &asked].concat();
        let output = Command::new(env!("CARGO_BIN_EXE_gradc")).args(arguments).output().expect("the command was built");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.lines().any(|line| line.starts_with(last)), "{said}");
    }
}

fn close(native: &History, reference: &History, models: [&Model; 2], tolerance: f64) {
    let near = |what: &str, a: f64, b: f64| assert!((a - b).abs() <= tolerance * b.abs().max(1.0), "{what}: {a} is not {b}");
    assert_eq!((native.epochs.len(), native.steps.len()), (reference.epochs.len(), reference.steps.len()));
    assert_eq!((native.stopped, native.restored), (reference.stopped, reference.restored));
    for (a, b) in native.steps.iter().zip(&reference.steps) {
        assert_eq!((a.step, a.rows), (b.step, b.rows));
        near(&format!("loss of step {}", a.step), a.loss, b.loss);
        near(&format!("penalty of step {}", a.step), a.penalty, b.penalty);
    }
    for (a, b) in native.epochs.iter().zip(&reference.epochs) {
        assert_eq!((a.epoch, a.step, a.improved), (b.epoch, b.step, b.improved));
        near("loss", a.loss, b.loss);
        let pairs = a.validation.as_ref().zip(b.validation.as_ref());
        pairs.iter().for_each(|(a, b)| near("validation loss", a.0, b.0));
        a.training.iter().zip(&b.training).for_each(|(a, b)| near("metric", *a, *b));
    }
    for (name, _) in models[0].parameters() {
        let [a, b] = models.map(|model| model.parameter(name).expect("it is there"));
        a.iter().zip(b).for_each(|(a, b)| near(name, f64::from(*a), f64::from(*b)));
    }
}

#[test]
fn the_reference_run_is_the_native_run_in_f64() {
    let data = mixed(24).expect("the data is right");
    let compile = || Mixed::options().seed(3).compile().expect("it compiles");
    let (mut native, mut reference) = (compile(), compile());
    for steps in [7, 3] {
        let run = |net: &mut Mixed, by_reference: bool| {
            let fit = net.fit(&data).validate(&data).batch(10).steps(steps).record_steps().quiet();
            if by_reference { fit.reference().run() } else { fit.run() }.expect("it trains")
        };
        let (a, b) = (run(&mut native, false), run(&mut reference, true));
        assert_eq!(a.steps.len(), steps as usize);
        close(&a, &b, [&native, &reference], 1e-5);
    }
}

#[test]
fn the_reference_run_stops_and_restores_as_the_native_one() {
    let data = mixed(24).expect("the data is right");
    let mut models = [false, true].map(|by_reference| {
        let mut net = Mixed::options().seed(1).compile().expect("it compiles");
        let fit = net.fit(&data).validate(&data).batch(8).epochs(200).patience(3).least(5e-3).quiet();
        let history = if by_reference { fit.reference().run() } else { fit.run() }.expect("it trains");
        (net, history)
    });
    let [(native, a), (reference, b)] = &mut models;
    assert!(a.epochs.len() < 200, "it never ran out of patience");
    close(a, b, [native, reference], 1e-3);
}
