//! Why deep networks fail to train: the gradient of each of twenty layers at the first step, with sigmoid and with what mends it.
//!
//! `cargo run --release --example vanishing` prints a table and writes `vanishing.svg`.

use gradc::compiler::base::place::Source;
use gradc::prelude::*;
use gradc::runtime::report::plot::{Panel, Series, plot_history};
use gradc::runtime::report::table::{Align, table};
use gradc::{Declaration, Diagnosis, Error, Options};

const LAYERS: usize = 20;

/// What stands in each layer behind its product.
const VARIANTS: [(&str, &str); 6] = [
    ("sigmoid", "dense(32).sigmoid()"),
    ("relu, glorot", "dense(32, init = glorot).relu()"),
    ("relu, he", "dense(32).relu()"),
    ("elu, he", "dense(32).elu()"),
    ("selu, lecun", "dense(32).selu()"),
    ("batch norm, sigmoid", "dense(32).batch_norm().sigmoid()"),
];

fn network(layer: &str) -> gradc::Result<Model> {
    let text = format!(
        "Deep {{
            input  pixels: [batch, 64];
            target digit:  class(10);

            let mut h = pixels.standardize();
            for i in 0..{LAYERS} {{ h = h.{layer}; }}
            let logits = h.dense(10);

            predict  logits.softmax();
            minimize logits.cross_entropy(digit);
            using    sgd(rate = 0.01);
        }}"
    );
    let source = Source::new("deep.net", &text);
    let declaration = Declaration::parse(source.clone()).map_err(|mistakes| Error::Model(mistakes.render(&source)))?;
    Model::from_declaration(&declaration, &Options::default())
}

/// The gradient norm of a layer in the middle of ten steps.
fn gradient(diagnosis: &Diagnosis, layer: usize) -> f64 {
    diagnosis.median(layer, |figures| figures.gradient_norm).unwrap_or(f64::NAN)
}

fn main() -> gradc::Result<()> {
    let digits = data::digits()?.shuffled(7);
    let mut series = Vec::new();
    let mut rows = Vec::new();
    let mut falls = Vec::new();
    for (name, layer) in VARIANTS {
        let diagnosis = network(layer)?.diagnose(&digits)?;
        let points = (0..LAYERS).map(|layer| ((layer + 1) as f64, gradient(&diagnosis, layer)));
        series.push(Series { name: name.into(), panel: Panel::Norm, points: points.collect() });
        let (first, last) = (gradient(&diagnosis, 0), gradient(&diagnosis, LAYERS - 1));
        falls.push(first / last);
        let verdict = diagnosis.verdicts().first().map_or("healthy".into(), |verdict| verdict.text.clone());
        let numbers = [first, gradient(&diagnosis, LAYERS / 2), last, first / last];
        let cells = numbers.map(|number| format!("{number:.1e}"));
        rows.push([&[name.to_string()], &cells[..], &[verdict]].concat());
    }
    let heads = ["layer 1", "layer 11", "layer 20", "1 by 20"];
    let columns: Vec<(&str, Align)> = [("gradient norm", Align::Left)]
        .into_iter()
        .chain(heads.map(|head| (head, Align::Right)))
        .chain([("verdict", Align::Left)])
        .collect();
    print!("{}", table(&columns, &rows));
    plot_history("vanishing.svg", "Gradients of twenty layers", "layer", &series)?;
    let (sigmoid, others) = (falls[0], &falls[2..]);
    let least = others.iter().copied().fold(f64::INFINITY, f64::min);
    println!(
        "layer 1 gets {sigmoid:.1e} of layer 20's gradient with sigmoid, whose derivative is at most 1/4: (1/4)^{} is {:.1e}; with a remedy at least {least:.1}",
        LAYERS - 1,
        0.25f64.powi(LAYERS as i32 - 1)
    );
    Ok(())
}
