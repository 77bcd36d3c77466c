//! What a call costs whose work is small: a step of a loop of one's own against the same step within `fit`, and the prediction of one row.
//!
//! `cargo bench --bench calls`; one line a call, microseconds at best and in the middle.

use gradc::prelude::*;
use std::time::Instant;

network! {
    /// W1 of `benches/training.rs`, but that it serves probabilities.
    pub Tiny {
        input  x: [batch, 64];
        target y: class(10);
        let logits = x.dense(128).relu().dense(64).relu().dense(10);
        predict  logits.softmax();
        minimize logits.cross_entropy(y);
        using    adam(rate = 1e-3);
    }
}

network! {
    /// As wide as W2.
    pub Wide {
        input  x: [batch, 784];
        target y: class(10);
        let logits = x.dense(512).relu().dense(512).relu().dense(10);
        predict  logits.softmax();
        minimize logits.cross_entropy(y);
        using    adam(rate = 1e-3);
    }
}

fn numbers(count: usize) -> Vec<f32> {
    (0..count).map(|i| (i * 31 % 97) as f32 / 97.0 - 0.5).collect()
}

fn data(rows: usize, width: usize) -> gradc::Result<Dataset> {
    let y: Vec<u32> = (0..rows).map(|i| (i * 7 % 10) as u32).collect();
    Dataset::new().f32("x", &[width], numbers(rows * width))?.class("y", 10, &y)
}

/// Times `run`, which makes so many calls, a few times.
fn time(name: &str, calls: u32, mut run: impl FnMut() -> gradc::Result<()>) -> gradc::Result<()> {
    const TIMES: usize = 15;
    run()?;
    let mut times = Vec::with_capacity(TIMES);
    for _ in 0..TIMES {
        let start = Instant::now();
        run()?;
        times.push(1e6 * start.elapsed().as_secs_f64() / f64::from(calls));
    }
    times.sort_by(f64::total_cmp);
    println!("{name:<28} {:9.2} {:9.2} us", times[0], times[TIMES / 2]);
    Ok(())
}

fn calls(name: &str, model: &mut Model, width: usize, batch: usize, calls: u32) -> gradc::Result<()> {
    let all = data(batch, width)?;
    let x = numbers(width);
    let row = || gradc::Rows::inputs().f32("x", &x).done();
    let (steps, many) = (u64::from(calls), 0..calls);
    time(&format!("{name} fit, a step"), calls, || {
        model.fit(&all).batch(batch).steps(steps).shuffle(false).threads(1).quiet().run().map(drop)
    })?;
    time(&format!("{name} step"), calls, || many.clone().try_for_each(|_| model.step(&all).map(drop)))?;
    time(&format!("{name} fit of one step"), calls, || {
        many.clone().try_for_each(|_| model.fit(&all).batch(batch).steps(1).threads(1).quiet().run().map(drop))
    })?;
    time(&format!("{name} predict, a row"), calls, || many.clone().try_for_each(|_| model.predict(row()).map(drop)))?;
    time(&format!("{name} step and predict"), calls, || {
        many.clone().try_for_each(|_| model.step(&all).and_then(|_| model.predict(row())).map(drop))
    })?;
    time(&format!("{name} evaluate"), calls, || many.clone().try_for_each(|_| model.evaluate(&all).map(drop)))
}

fn main() -> gradc::Result<()> {
    calls("W1", &mut Model::from_declaration(&Tiny::declaration()?, &gradc::Options::default())?, 64, 32, 200)?;
    calls("W2", &mut Model::from_declaration(&Wide::declaration()?, &gradc::Options::default())?, 784, 128, 10)
}
