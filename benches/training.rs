//! Training steps per second of the peers' workloads W1 to W4 and W6, one JSON line a case; `compare.sh` prints them beside the peers'.
//!
//! usage: cargo bench --bench training -- --workload W1 --threads 1 --seconds 3

use gradc::prelude::*;
use std::time::Instant;

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
    pub Recurrent {
        input  x: [batch, 64, 32];
        target y: class(10);
        let logits = x.lstm(128).last().dense(10);
        predict  logits;
        minimize logits.cross_entropy(y);
        using    rmsprop(1e-3).clip_global_norm(1.0);
    }
}

/// Steps and features of the sequences of W6.
const SEQUENCE: [usize; 2] = [64, 32];

/// One workload: name, batch, rows, input width, target width (0: ten classes), layer sizes.
struct Workload {
    name: &'static str,
    batch: usize,
    rows: usize,
    inputs: usize,
    targets: usize,
    sizes: Vec<usize>,
}

fn workload(name: &str) -> Option<Workload> {
    let deep = [vec![784], vec![100; 20], vec![10]].concat();
    let (name, batch, rows, inputs, targets, sizes) = match name {
        "W1" => ("W1", 32, 1797, 64, 0, vec![64, 128, 64, 10]),
        "W2" => ("W2", 128, 10_000, 784, 0, vec![784, 512, 512, 10]),
        "W3" => ("W3", 512, 2048, 1024, 1024, vec![1024, 4096, 4096, 1024]),
        "W4" => ("W4", 64, 8192, 784, 0, deep),
        "W6" => ("W6", 32, 2048, SEQUENCE[0] * SEQUENCE[1], 0, vec![128, 10]),
        _ => return None,
    };
    Some(Workload { name, batch, rows, inputs, targets, sizes })
}

impl Workload {
    /// Multiply-adds of the products of one step, as floating-point operations: forward, weight gradients, input gradients but the first.
    fn flop(&self) -> f64 {
        let layers: Vec<f64> = self.sizes.windows(2).map(|pair| 2.0 * (self.batch * pair[0] * pair[1]) as f64).collect();
        if self.name == "W6" {
            // The gates' products with features and state; nothing before the features is trained.
            let step = |inputs: usize| 2.0 * (self.batch * SEQUENCE[0] * inputs * 4 * self.sizes[0]) as f64;
            return 2.0 * step(SEQUENCE[1]) + 3.0 * step(self.sizes[0]) + 3.0 * layers[0];
        }
        3.0 * layers.iter().sum::<f64>() - layers[0]
    }

    fn data(&self) -> gradc::Result<Dataset> {
        let mut state = 1u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as f32 / (1u64 << 24) as f32
        };
        // A sum of three uniforms is near enough to a normal number.
        let mut normal = |count: usize| -> Vec<f32> { (0..count).map(|_| 2.0 * (next() + next() + next() - 1.5)).collect() };
        let flat = [self.inputs];
        let dims = if self.name == "W6" { &SEQUENCE[..] } else { &flat };
        let data = Dataset::new().f32("x", dims, &normal(self.rows * self.inputs))?;
        if self.targets > 0 {
            return data.f32("y", &[self.targets], &normal(self.rows * self.targets));
        }
        let labels: Vec<u32> = normal(self.rows).iter().map(|value| (value.abs() * 1000.0) as u32 % 10).collect();
        data.class("y", 10, &labels)
    }

    fn model(&self) -> gradc::Result<Model> {
        let file = match self.name {
            "W1" => Tiny::declaration()?,
            "W2" => Normed::declaration()?,
            "W3" => Wide::declaration()?,
            "W6" => Recurrent::declaration()?,
            _ => Deep::declaration()?,
        };
        Model::from_declaration(&file, &gradc::Options::default())
    }
}

fn main() -> gradc::Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let option = |name: &str| arguments.iter().position(|known| known == name).and_then(|at| arguments.get(at + 1).cloned());
    let threads: usize = option("--threads").and_then(|text| text.parse().ok()).unwrap_or(1);
    let seconds: f64 = option("--seconds").and_then(|text| text.parse().ok()).unwrap_or(3.0);
    let names = option("--workload").unwrap_or_else(|| "W1 W2 W3 W4".into());
    for name in names.split_whitespace() {
        let Some(work) = workload(name) else {
            eprintln!("unknown workload {name}");
            continue;
        };
        let start = Instant::now();
        let mut model = work.model()?;
        let compile = start.elapsed().as_secs_f64();
        let data = work.data()?;
        let steps_per_epoch = work.rows / work.batch;
        let run = |model: &mut Model, epochs: u64| -> gradc::Result<f64> {
            let start = Instant::now();
            model.fit(&data).batch(work.batch).epochs(epochs).drop_last().shuffle(false).threads(threads).quiet().run()?;
            Ok((epochs as usize * steps_per_epoch) as f64 / start.elapsed().as_secs_f64())
        };
        let rate = run(&mut model, 1)?;
        let windows = 7;
        let epochs = ((rate * seconds / f64::from(windows)) / steps_per_epoch as f64).ceil().max(1.0) as u64;
        let mut rates = (0..windows).map(|_| run(&mut model, epochs)).collect::<gradc::Result<Vec<f64>>>()?;
        rates.sort_by(f64::total_cmp);
        let median = rates[rates.len() / 2];
        println!(
            "{{\"peer\": \"gradc\", \"mode\": \"fit\", \"workload\": \"{}\", \"threads\": {threads}, \"steps_per_s_median\": {median:.3}, \
             \"steps_per_s_min\": {:.3}, \"steps_per_s_max\": {:.3}, \"us_per_step\": {:.2}, \"compile_ms\": {:.1}, \
             \"gemm_gflop_per_s\": {:.2}, \"gemm_flop\": {:.0}, \"instruction_set\": \"{}\"}}",
            work.name,
            rates[0],
            rates[rates.len() - 1],
            1e6 / median,
            1e3 * compile,
            work.flop() * median / 1e9,
            work.flop(),
            model.instruction_set()
        );
    }
    Ok(())
}
