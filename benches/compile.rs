//! Compile times by stage: digits, stacks of 10, 100 and 1000 dense layers, and an LSTM over 64 and 512 steps; the median of several runs.
//!
//! usage: cargo bench --bench compile -- [repetitions] [words of a name, such as "dense layers"]

use gradc::compiler::base::place::Source;
use gradc::{Declaration, Model, Options};
use std::collections::BTreeMap;
use std::time::Instant;

const DIGITS: &str = "
Digits {
    input  pixels: [batch, 64];
    target digit:  class(10);
    let x      = pixels.standardize();
    let hidden = x.dense(128).batch_norm().relu().dropout(0.2);
    let logits = hidden.dense(10);
    predict  logits.softmax();
    minimize logits.cross_entropy(digit) + l2(1e-4);
    using    adam(rate = 1e-3).clip_global_norm(1.0);
    report   accuracy = accuracy(logits, digit);
}";

fn stack(layers: usize) -> String {
    format!(
        "Stack {{
    input  x: [batch, 16];
    target y: class(10);
    let mut h = x;
    for i in 0..{layers} {{ h = h.dense(16).relu(); }}
    let logits = h.dense(10);
    predict  logits;
    minimize logits.cross_entropy(y);
    using    adam(1e-3);
}}"
    )
}

fn sequences(steps: usize) -> String {
    format!(
        "Sequences {{
    input  x: [batch, {steps}, 32];
    target y: class(10);
    let logits = x.lstm(128).last().dense(10);
    predict  logits;
    minimize logits.cross_entropy(y);
    using    rmsprop(1e-3).clip_global_norm(1.0);
}}"
    )
}

fn main() -> gradc::Result<()> {
    // Cargo adds a `--bench` of its own.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let repetitions: usize = arguments.iter().find_map(|argument| argument.parse().ok()).unwrap_or(9);
    let wanted = arguments.iter().find(|argument| argument.parse::<usize>().is_err());
    let stacks = [10, 100, 1000].map(|layers| (format!("{layers} dense layers"), stack(layers)));
    let sequences = [64, 512].map(|steps| (format!("lstm of {steps} steps"), sequences(steps)));
    let networks = std::iter::once(("digits".to_string(), DIGITS.to_string())).chain(stacks).chain(sequences);
    for (name, text) in networks.filter(|(name, _)| wanted.is_none_or(|wanted| name.contains(wanted))) {
        let declaration =
            Declaration::parse(Source::new("bench.net", &text)).map_err(|faults| gradc::Error::Model(format!("{faults:?}")))?;
        let mut stages: BTreeMap<usize, (&'static str, Vec<f64>)> = BTreeMap::new();
        let mut totals = Vec::new();
        for _ in 0..repetitions {
            let start = Instant::now();
            let model = Model::from_declaration(&declaration, &Options::default())?;
            totals.push(1e3 * start.elapsed().as_secs_f64());
            for (number, (stage, time)) in model.compile_times().iter().enumerate() {
                stages.entry(number).or_insert((stage, Vec::new())).1.push(1e3 * time.as_secs_f64());
            }
        }
        println!("{name:20} total {:8.2} ms", median(&mut totals));
        for (stage, times) in stages.values_mut() {
            println!("    {stage:36} {:8.2} ms", median(times));
        }
    }
    Ok(())
}

fn median(times: &mut [f64]) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
