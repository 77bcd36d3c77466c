//! Training steps per second of the peers' workloads W1 to W7 and of the linear regression R1, one JSON line a case; `compare` sets
//! them beside the peers'.
//!
//! usage: cargo bench --bench training -- --workload W1 --threads 1 --seconds 3 [--first-step] [--no-snapshots]
//!
//! `--first-step` makes the data, compiles, runs one step of one batch and says when after the start of the process that was.
//! `--no-snapshots` keeps no copy to go back to, as the peers keep none.

use gradc::Declaration;
use gradc::prelude::*;
use gradc_runtime::kernels::InstructionSet;
use gradc_runtime::machine::{Limits, round_trip};
use std::time::Instant;

network! {
    pub Line {
        input  x: [batch, 9];
        target y: [batch, 1];
        let out = x.dense(1);
        predict  out;
        minimize out.mean_squared_error(y);
        using    sgd(rate = 1e-2);
    }
}

network! {
    pub Tiny {
        input  x: [batch, 64];
        target y: class(10);
        let logits = x.dense(128).relu().dense(64).relu().dense(10);
        predict  logits;
        minimize logits.cross_entropy(y);
        using    adam(rate = 1e-3);
    }
}

network! {
    pub Normed {
        input  x: [batch, 784];
        target y: class(10);
        let a = x.dense(512).batch_norm().relu().dropout(0.2);
        let b = a.dense(512).batch_norm().relu().dropout(0.2);
        let logits = b.dense(10);
        predict  logits;
        minimize logits.cross_entropy(y);
        using    adam(rate = 1e-3).clip_global_norm(1.0);
    }
}

network! {
    pub Wide {
        input  x: [batch, 1024];
        target y: [batch, 1024];
        let out = x.dense(4096).relu().dense(4096).relu().dense(1024);
        predict  out;
        minimize out.mean_squared_error(y);
        using    momentum(1e-3, beta = 0.9);
    }
}

network! {
    pub Deep {
        input  x: [batch, 784];
        target y: class(10);
        let mut h = x;
        for i in 0..20 { h = h.dense(100).elu(); }
        let logits = h.dense(10);
        predict  logits;
        minimize logits.cross_entropy(y);
        using    nadam(1e-3);
    }
}

network! {
    pub Convolutional {
        input  x: [batch, 1, 28, 28];
        target y: class(10);
        let a = x.conv2d(32, 3, padding = same).batch_norm().relu().max_pool(2);
        let b = a.conv2d(64, 3, padding = same).batch_norm().relu().max_pool(2);
        let logits = b.flatten().dense(128).relu().dense(10);
        predict  logits;
        minimize logits.cross_entropy(y);
        using    adam(rate = 1e-3);
    }
}

network! {
    pub Recurrent {
        input  x: [batch, 64, 32];
        target y: class(10);
        let logits = x.lstm(128).last().dense(10);
        predict  logits;
        minimize logits.cross_entropy(y);
        using    rmsprop(1e-3).clip_global_norm(1.0);
    }
}

network! {
    fn block(x) {
        let asked = x + x.layer_norm().attention(4, causal = true);
        asked + asked.layer_norm().dense(512).gelu_tanh().dense(128)
    }

    pub Letters {
        input  x: class(65)[batch, 64];
        target y: class(65)[batch, 64];
        parameter place: [64, 128] = normal(deviation = 0.05);
        let mut h = x.embedding(128) + place;
        for i in 0..4 { h = h.block(); }
        let logits = h.layer_norm().dense(65, bias = false);
        predict  logits;
        minimize logits.cross_entropy(y);
        using    adamw(1e-3);
    }
}

/// What stands in a field of the data.
enum Field {
    Numbers(Vec<usize>),
    Classes(u32, Vec<usize>),
}

/// One workload: its network, the data that it trains on, and the floating-point operations of one step's products: forward, weight
/// gradients, input gradients but those of the first layer.
struct Workload {
    name: &'static str,
    batch: usize,
    rows: usize,
    x: Field,
    y: Field,
    flop: f64,
    declaration: fn() -> gradc::Result<Declaration>,
}

/// Of products of `rows` rows: forward and both gradients, but for the first the input's.
fn layers(rows: usize, sizes: &[usize]) -> f64 {
    let layers: Vec<f64> = sizes.windows(2).map(|pair| 2.0 * (rows * pair[0] * pair[1]) as f64).collect();
    3.0 * layers.iter().sum::<f64>() - layers[0]
}

fn workload(name: &str) -> Option<Workload> {
    let numbers = |dims: &[usize]| Field::Numbers(dims.to_vec());
    let dense = |name, batch, rows, sizes: &[usize], declaration| {
        let (x, y) = (numbers(&sizes[..1]), Field::Classes(10, Vec::new()));
        Workload { name, batch, rows, x, y, flop: layers(batch, sizes), declaration }
    };
    let deep = [vec![784], vec![100; 20], vec![10]].concat();
    Some(match name {
        "R1" => Workload { y: numbers(&[1]), ..dense("R1", 1, 1000, &[9, 1], Line::declaration) },
        "W1" => dense("W1", 32, 1797, &[64, 128, 64, 10], Tiny::declaration),
        "W2" => dense("W2", 128, 10_000, &[784, 512, 512, 10], Normed::declaration),
        "W3" => Workload { y: numbers(&[1024]), ..dense("W3", 512, 2048, &[1024, 4096, 4096, 1024], Wide::declaration) },
        "W4" => dense("W4", 64, 8192, &deep, Deep::declaration),
        "W5" => {
            let (pixels, quarter) = (64 * 28 * 28, 64 * 14 * 14);
            let (first, second) = (2.0 * (pixels * 9 * 32) as f64, 2.0 * (quarter * 9 * 32 * 64) as f64);
            let dense = 2.0 * (64 * (3136 * 128 + 128 * 10)) as f64;
            Workload {
                name: "W5",
                batch: 64,
                rows: 8192,
                x: numbers(&[1, 28, 28]),
                y: Field::Classes(10, Vec::new()),
                flop: 2.0 * first + 3.0 * (second + dense),
                declaration: Convolutional::declaration,
            }
        }
        "W6" => {
            let gates = |inputs: usize| 2.0 * (32 * 64 * inputs * 4 * 128) as f64;
            Workload {
                name: "W6",
                batch: 32,
                rows: 2048,
                x: numbers(&[64, 32]),
                y: Field::Classes(10, Vec::new()),
                flop: 2.0 * gates(32) + 3.0 * (gates(128) + 2.0 * (32 * 128 * 10) as f64),
                declaration: Recurrent::declaration,
            }
        }
        "W7" => {
            let per_letter = 4 * (12 * 128 * 128 * 2 + 2 * 2 * 64 * 128) + 2 * 128 * 65;
            Workload {
                name: "W7",
                batch: 16,
                rows: 2048,
                x: Field::Classes(65, vec![64]),
                y: Field::Classes(65, vec![64]),
                flop: 3.0 * (16 * 64) as f64 * f64::from(per_letter),
                declaration: Letters::declaration,
            }
        }
        _ => return None,
    })
}

impl Workload {
    fn data(&self) -> gradc::Result<Dataset> {
        let mut state = 1u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as f32 / (1u64 << 24) as f32
        };
        let mut data = Dataset::new();
        for (name, field) in [("x", &self.x), ("y", &self.y)] {
            let (Field::Numbers(dims) | Field::Classes(_, dims)) = field;
            let count = self.rows * dims.iter().product::<usize>();
            data = match *field {
                // A sum of three uniforms is near enough to a normal number.
                Field::Numbers(_) => {
                    let values: Vec<f32> = (0..count).map(|_| 2.0 * (next() + next() + next() - 1.5)).collect();
                    data.f32(name, dims, values)?
                }
                Field::Classes(classes, _) => {
                    let labels: Vec<u32> = (0..count).map(|_| ((next() * classes as f32) as u32).min(classes - 1)).collect();
                    data.classes(name, classes, dims, &labels)?
                }
            };
        }
        Ok(data)
    }

    fn model(&self) -> gradc::Result<Model> {
        Model::from_declaration(&(self.declaration)()?, &gradc::Options::default())
    }
}

fn main() -> gradc::Result<()> {
    let start = Instant::now();
    let arguments: Vec<String> = std::env::args().collect();
    let option = |name: &str| arguments.iter().position(|known| known == name).and_then(|at| arguments.get(at + 1).cloned());
    let threads: usize = option("--threads").and_then(|text| text.parse().ok()).unwrap_or(1);
    let seconds: f64 = option("--seconds").and_then(|text| text.parse().ok()).unwrap_or(3.0);
    let is_given = |name: &str| arguments.iter().any(|known| known == name);
    let (is_first_only, snapshots) = (is_given("--first-step"), !is_given("--no-snapshots"));
    let names = option("--workload").unwrap_or_else(|| "R1 W1 W2 W3 W4 W5 W6 W7".into());
    for name in names.split_whitespace() {
        match workload(name) {
            Some(work) if is_first_only => first_step(&work, threads, snapshots, start)?,
            Some(work) => speed(&work, threads, snapshots, seconds)?,
            None => eprintln!("unknown workload {name}"),
        }
    }
    Ok(())
}

/// `start` is that of `main`; the loader's millisecond before it is not counted.
fn first_step(work: &Workload, threads: usize, snapshots: bool, start: Instant) -> gradc::Result<()> {
    let data = work.data()?;
    let mut model = work.model()?;
    model.fit(&data).batch(work.batch).steps(1).shuffle(false).threads(threads).snapshots(snapshots).quiet().run()?;
    let (name, since) = (work.name, 1e3 * start.elapsed().as_secs_f64());
    let memory = peak_memory().unwrap_or(f64::NAN);
    println!(
        "{{\"peer\": \"gradc\", \"workload\": \"{name}\", \"start_to_first_step_ms\": {since:.1}, \"peak_rss_mb\": {memory:.1}}}"
    );
    Ok(())
}

fn speed(work: &Workload, threads: usize, snapshots: bool, seconds: f64) -> gradc::Result<()> {
    let start = Instant::now();
    let mut model = work.model()?;
    let compile = start.elapsed().as_secs_f64();
    let data = work.data()?;
    let mut run = |steps: u64| -> gradc::Result<f64> {
        let start = Instant::now();
        model
            .fit(&data)
            .batch(work.batch)
            .steps(steps)
            .drop_last()
            .shuffle(false)
            .threads(threads)
            .snapshots(snapshots)
            .quiet()
            .run()?;
        Ok(steps as f64 / start.elapsed().as_secs_f64())
    };
    // A run of a few steps would measure what a run costs once.
    let least = 16;
    let steps = |rate: f64, seconds: f64| ((rate * seconds) as u64).max(least);
    let first = run(least)?;
    let rate = run(steps(first, 0.1))?;
    let windows = 7;
    let steps = steps(rate, seconds / f64::from(windows));
    let mut rates = (0..windows).map(|_| run(steps)).collect::<gradc::Result<Vec<f64>>>()?;
    rates.sort_by(f64::total_cmp);
    let median = rates[rates.len() / 2];
    // Before the limits are measured, which take memory of their own.
    let memory = peak_memory().unwrap_or(f64::NAN);
    let limits = Limits::measure(InstructionSet::detect());
    let trip = (threads > 1).then(round_trip).flatten().map_or(0, |trip| trip.as_nanos());
    let parameters: usize = model.parameters().map(|(_, dims)| dims.iter().product::<usize>()).sum();
    println!(
        "{{\"peer\": \"gradc\", \"mode\": \"fit\", \"workload\": \"{}\", \"threads\": {threads}, \"steps_per_s_median\": {median:.3}, \
         \"steps_per_s_min\": {:.3}, \"steps_per_s_max\": {:.3}, \"us_per_step\": {:.3}, \"compile_ms\": {:.1}, \"peak_rss_mb\": {memory:.1}, \
         \"gemm_gflop_per_s\": {:.2}, \"gemm_flop\": {:.0}, \"parameters\": {parameters}, \"peak_gflop_per_s\": {:.1}, \"stream_gb_per_s\": {:.1}, \
         \"round_trip_ns\": {trip}, \"instruction_set\": \"{}\"}}",
        work.name,
        rates[0],
        rates[rates.len() - 1],
        1e6 / median,
        1e3 * compile,
        work.flop * median / 1e9,
        work.flop,
        limits.flops / 1e9,
        limits.bandwidth / 1e9,
        model.instruction_set()
    );
    Ok(())
}

/// The most memory that the process has held, in MiB, where the system says it.
fn peak_memory() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM"))?;
    line.split_whitespace().nth(1)?.parse::<f64>().ok().map(|kibibytes| kibibytes / 1024.0)
}
