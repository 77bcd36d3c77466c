//! Learns to write like a novel, letter by letter: a small transformer on fifteen chapters of Jane Austen, measured on the last pages beside what counts of letters know, and samples at two temperatures.

use gradc::Error;
use gradc::compiler::splitmix::Random;
use gradc::prelude::*;
use gradc::runtime::report::plot::{Panel, Series, plot_history};
use gradc::runtime::report::table::{Align, table};
use std::collections::HashMap;

const TEXT: &str = "data/pride_and_prejudice.txt";
const LETTERS: &str = "\n !\"'(),-.0123456789:;?ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz";
/// As far back as the network sees.
const CONTEXT: usize = 32;
const WIDTH: usize = 64;

network! {
    /// Each letter asks those before it, then thinks by itself.
    fn block(x, width) {
        let asked = x + x.layer_norm().attention(4, causal = true);
        asked + asked.layer_norm().dense(4 * width).gelu().dense(width)
    }

    /// A window of a text in; what comes after each of its letters is learnt, what comes after the last is served.
    pub Writer {
        input  letters: class({LETTERS.len()})[batch, CONTEXT];
        target next:    class({LETTERS.len()})[batch, CONTEXT];

        parameter place: [CONTEXT, WIDTH] = normal(deviation = 0.5);

        let mut h = letters.embedding(WIDTH, init = normal(deviation = 0.5)) + place;
        for i in 0..2 { h = h.block(WIDTH); }
        let logits = h.layer_norm().dense({LETTERS.len()});

        // The last letter is the one before which a whole window was seen.
        let guess  = logits.last();
        let letter = next.slice(1, CONTEXT - 1, CONTEXT).reshape([]);

        predict  guess;
        minimize logits.cross_entropy(next);
        using    adamw(warm_up(50).then(cosine(1e-2)), weight_decay = 0.1).clip_global_norm(1);
        report   accuracy = accuracy(guess, letter), perplexity = perplexity(guess, letter);
    }
}

fn main() -> gradc::Result<()> {
    let text = std::fs::read_to_string(TEXT).map_err(|error| Error::read(TEXT.as_ref(), error))?;
    let letters: Vec<u32> = text.chars().filter_map(|letter| LETTERS.find(letter)).map(|letter| letter as u32).collect();
    let (known, held_out) = letters.split_at(letters.len() * 9 / 10);
    // Windows that overlap show each letter at several places.
    let (train, test) = (windows(known, 13)?, windows(held_out, 5)?);
    let mut net = Writer::options().seed(1).compile()?;
    let history = net.fit(&train).validate(&test).batch(16).epochs(5).restore_best(false).record_steps().run()?;
    let measured = net.evaluate(&test)?;

    for temperature in [0.4, 0.8] {
        let written = write(&net, &held_out[..CONTEXT], 400, temperature)?;
        let written: String = written.iter().map(|letter| char::from(LETTERS.as_bytes()[*letter as usize])).collect();
        println!("--- temperature {temperature}, after the first {CONTEXT} letters of the held-out pages\n{written}\n");
    }

    let mut bits: Vec<(String, f64)> =
        (1..=5).map(|length| (format!("{length}-grams"), counted_bits(known, held_out, length - 1))).collect();
    bits.push((format!("the network after {CONTEXT} letters"), measured.perplexity.log2()));
    let rows: Vec<Vec<String>> =
        bits.iter().map(|(name, bits)| vec![name.clone(), format!("{bits:.3}"), format!("{:.2}", bits.exp2())]).collect();
    print!("{}", table(&[("held-out pages", Align::Left), ("bits a letter", Align::Right), ("perplexity", Align::Right)], &rows));
    plot("text.svg", &history, &bits)?;
    println!("wrote text.svg");
    println!(
        "perplexity {:.2} on the held-out pages, next letter right {:.3} of the time",
        measured.perplexity, measured.accuracy
    );
    Ok(())
}

/// All windows that begin so many letters apart.
fn windows(letters: &[u32], apart: usize) -> gradc::Result<Dataset> {
    let column = |shift: usize| -> Vec<u32> {
        let starts = (0..letters.len() - CONTEXT).step_by(apart);
        starts.flat_map(|start| letters[start + shift..start + shift + CONTEXT].iter().copied()).collect()
    };
    let classes = LETTERS.len() as u32;
    Dataset::new().classes("letters", classes, &[CONTEXT], &column(0))?.classes("next", classes, &[CONTEXT], &column(1))
}

/// Writes on: each letter is drawn from what the network expects. A low temperature prefers the likely ones.
fn write(net: &Writer, start: &[u32], count: usize, temperature: f64) -> gradc::Result<Vec<u32>> {
    let mut random = Random(1);
    let mut written = start.to_vec();
    for _ in 0..count {
        let served = net.predict(&WriterInputs { letters: &written[written.len() - CONTEXT..] })?;
        let weights: Vec<f64> = served.row(0).iter().map(|logit| (f64::from(*logit) / temperature).exp()).collect();
        let mut left = random.between(0.0, weights.iter().sum());
        let drawn = weights.iter().position(|weight| {
            left -= weight;
            left < 0.0
        });
        written.push(drawn.unwrap_or(0) as u32);
    }
    Ok(written)
}

/// Bits a letter by counts of what followed the same letters; where these are few, shorter ones weigh more (Witten and Bell, 1991).
fn counted_bits(known: &[u32], held_out: &[u32], before: usize) -> f64 {
    let mut counts: HashMap<&[u32], HashMap<u32, f64>> = HashMap::new();
    for length in 0..=before {
        for window in known.windows(length + 1) {
            *counts.entry(&window[..length]).or_default().entry(window[length]).or_default() += 1.0;
        }
    }
    let share = |window: &[u32]| {
        let (next, context) = (window[before], &window[..before]);
        (0..=before).fold(1.0 / LETTERS.len() as f64, |shorter, length| match counts.get(&context[before - length..]) {
            Some(seen) => {
                let (total, kinds) = (seen.values().sum::<f64>(), seen.len() as f64);
                (seen.get(&next).unwrap_or(&0.0) + kinds * shorter) / (total + kinds)
            }
            None => shorter,
        })
    };
    let windows = held_out.windows(before + 1);
    let count = windows.len() as f64;
    windows.map(|window| -share(window).log2()).sum::<f64>() / count
}

/// Bits a letter by step, and as levels what the counts reach.
fn plot(file: &str, history: &History, levels: &[(String, f64)]) -> gradc::Result<()> {
    const MEAN_OF: usize = 100;
    // The second of the network's metrics.
    let bits = |metrics: &[f64]| metrics.get(1).map_or(f64::NAN, |perplexity| perplexity.log2());
    let series = |name: &str, points| Series { name: name.into(), panel: Panel::Of("bits a letter"), points };
    let last = history.steps.len() as f64;
    let training = history.steps.chunks(MEAN_OF).map(|steps| {
        let mean = steps.iter().map(|step| bits(&step.metrics)).sum::<f64>() / steps.len() as f64;
        (steps[steps.len() / 2].step as f64, mean)
    });
    let held_out = history.epochs.iter().filter_map(|epoch| Some((epoch.step as f64, bits(&epoch.validation.as_ref()?.1))));
    let mut curves = vec![series("training", training.collect()), series("held-out pages", held_out.collect())];
    let counts = levels.iter().filter(|(name, _)| name.ends_with("grams"));
    curves.extend(counts.map(|(name, level)| series(name, vec![(0.0, *level), (last, *level)])));
    plot_history(file, "A letter at a time", "step", &curves)
}
