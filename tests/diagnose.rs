//! A diagnosis changes no bit of a run, its figures are those of the values, and its words hold on the failures of the textbook and on
//! nothing else.

use crate::networks::{Digits, bits, digits};
use gradc::compiler::base::place::Source;
use gradc::data;
use gradc::runtime::diagnosis::Kind;
use gradc::{Dataset, Declaration, Diagnosis, Error, Model, Options};
use std::time::Instant;

/// Ten classes from 64 pixels, through so many layers of a width.
fn deep(layers: usize, layer: &str, optimizer: &str) -> Model {
    let text = format!(
        "Deep {{
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

#[test]
fn experiment() {
    let rows = rows();
    for (layers, layer, optimizer) in [
        (20, "dense(16, init = normal(0, 1)).sigmoid()", "sgd(rate = 0.1)"),
        (20, "dense(16, init = normal(0, 1)).relu()", "sgd(rate = 0.1)"),
        (4, "dense(32).relu()", "sgd(rate = 1)"),
        (4, "dense(32).relu()", "sgd(rate = 100)"),
        (20, "dense(32).relu()", "sgd(rate = 0.01)"),
        (20, "dense(16).batch_norm().relu()", "adam(rate = 1e-3)"),
        (5, "dense(16).sigmoid()", "adam(rate = 1e-3)"),
        (20, "dense(16).elu()", "sgd(rate = 0.05)"),
    ] {
        let start = Instant::now();
        let mut net = deep(layers, layer, optimizer);
        println!("{layers} {layer} {optimizer}: compiled in {:?}", start.elapsed());
        for seed in 0..3 {
            net.reset(seed).unwrap();
            let start = Instant::now();
            let diagnosis = net.diagnose(&rows).unwrap();
            println!("diagnosed in {:?}", start.elapsed());
            if seed == 0 { println!("{diagnosis}{}", net.signal(&rows).unwrap()); } else { for v in diagnosis.verdicts() { println!("{v}"); } }
            println!("losses {:.3?}", diagnosis.steps.iter().map(|m| m.loss).collect::<Vec<_>>());
        }
    }
}
