//! The command and the macro read what stands in `data/`, each file in its format.

use gradc::prelude::*;
use std::path::Path;
use std::process::{Command, Output};

fn shipped(name: &str) -> String {
    format!("{}/data/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// A network of one layer, as the text of a `.net` file.
fn linear(input: &str, target: &str, loss: &str) -> String {
    format!(
        "pub Linear {{ input x: {input}; target y: {target}; let p = x.flatten().standardize().dense({}); predict p; minimize p.{loss}(y); using adam(rate = 0.02); }}",
        target.strip_prefix("class(").and_then(|rest| rest.strip_suffix(')')).unwrap_or("1"),
    )
}

fn train(network: &str, arguments: &[&str]) -> Output {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("linear.net");
    std::fs::write(&file, network).expect("it is written");
    let command = Command::new(env!("CARGO_BIN_EXE_gradc")).arg("train").arg(file).args(arguments).arg("--json").output();
    command.expect("the command was built")
}

/// The loss over the training part after the run.
fn loss(network: &str, arguments: &[&str]) -> f64 {
    let output = train(network, arguments);
    assert!(output.status.success(), "{arguments:?}\n{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("text");
    let end = text.lines().last().expect("a line");
    let end: serde_json::Value = serde_json::from_str(end).expect("an object");
    end["training"]["loss"].as_f64().expect("a loss")
}

#[test]
fn the_command_trains_on_every_file() {
    let run = ["--batch", "50", "--epochs", "20"];
    for (name, width, classes) in [("iris.csv", 4, 3), ("wine_data.csv", 13, 3), ("breast_cancer.csv", 30, 2)] {
        let network = linear(&format!("[batch, {width}]"), &format!("class({classes})"), "cross_entropy");
        let file = shipped(name);
        let reached = loss(&network, &[&["--data", &file, "--skip", "1"], &run[..]].concat());
        assert!(reached < 0.35, "{name}: {reached}");
    }
    let [data, targets] = ["diabetes_data_raw.csv.gz", "diabetes_target.csv.gz"].map(shipped);
    let network = linear("[batch, 10]", "[batch, 1]", "mean_squared_error")
        .replace("mean_squared_error(y)", "mean_squared_error(y.standardize())");
    let reached = loss(&network, &[&["--data", &data, "--separator", " ", "--targets", &targets], &run[..]].concat());
    assert!(reached < 0.6, "diabetes: {reached}");
}

#[test]
fn the_command_trains_on_idx() {
    let [images, labels] = ["images-idx3", "labels-idx1"].map(|part| shipped(&format!("mnist10k/t10k-{part}-ubyte.gz")));
    // The text's `standardize` would be divided by the deviation of pixels that are never written on.
    let network = linear("[batch, 1, 28, 28]", "class(10)", "cross_entropy").replace(".standardize()", "");
    let network = network.replace("x.flatten()", "(x / 255).flatten()");
    let reached = loss(&network, &["--data", &images, "--targets", &labels, "--batch", "100", "--epochs", "2"]);
    assert!(reached < 0.6, "{reached}");
    let without = train(&network, &["--data", &images, "--epochs", "1"]);
    let said = String::from_utf8_lossy(&without.stderr).into_owned();
    assert!(!without.status.success() && said.contains("u8[2000, 28, 28]") && said.contains("help: "), "{said}");
    let skipped = train(&network, &["--data", &images, "--targets", &labels, "--skip", "1", "--epochs", "1"]);
    let said = String::from_utf8_lossy(&skipped.stderr).into_owned();
    assert!(!skipped.status.success() && said.contains("`--skip`"), "{said}");
}

network! {
    /// One layer for all pixels.
    pub Linear {
        input  pixels: [batch, 784];
        target digit:  class(10);

        let logits = (pixels / 255).dense(10);

        predict  logits.softmax();
        minimize logits.cross_entropy(digit);
        using    adam(rate = 1e-2);
        report   accuracy = accuracy(logits, digit);
    }
}

#[test]
fn a_network_reads_any_format() {
    let [images, labels] = ["images-idx3", "labels-idx1"].map(|part| shipped(&format!("mnist10k/t10k-{part}-ubyte.gz")));
    let data = Linear::read(data::idx(&images).targets(&labels)).expect("it is read");
    assert_eq!(data.rows(), 2000);
    let mut net = Linear::options().compile().expect("it compiles");
    net.fit(&data).batch(100).epochs(3).quiet().run().expect("it trains");
    assert!(net.evaluate(&data).expect("it evaluates").accuracy > 0.85);
    assert!(Linear::read(Path::new(&images)).is_err(), "labels are missing");
    assert!(Linear::read(Dataset::csv(shipped("iris.csv")).skip(1)).is_err(), "four columns for 784");
}
