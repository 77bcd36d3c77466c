//! `gradc profile`.

use crate::data::{DataArguments, batch, check_rowless, rows};
use crate::network::NetworkArguments;
use crate::print::{line, say};
use crate::train::threads;
use clap::Args;
use gradc::{Options, Result};
use serde_json::json;

#[derive(Args)]
pub struct Profile {
    #[command(flatten)]
    network: NetworkArguments,
    #[command(flatten)]
    data: DataArguments,
    /// Rows of a step [default: 32, or all if they are fewer].
    #[arg(long, value_name = "ROWS", value_parser = batch)]
    batch: Option<usize>,
    /// Steps that are timed, after as many that are not.
    #[arg(long, default_value_t = 200)]
    steps: u64,
    /// Threads, just so many; with one, no time is spent waiting.
    #[arg(long, default_value_t = 1, value_parser = threads())]
    threads: usize,
    /// One JSON object in place of tables.
    #[arg(long)]
    json: bool,
}

impl Profile {
    pub fn run(self) -> Result<()> {
        let (mut model, _) = self.network.compiled(|options| Options { profile: true, ..options })?;
        let data = self.data.need(&model, true)?;
        if data.is_none() {
            check_rowless(&model, &[("--batch", self.batch.is_some())])?;
        }
        let mut fit = |timed: bool| {
            let fit = model.fit(rows(&data));
            let fit = if let Some(rows) = self.batch { fit.batch(rows) } else { fit };
            let fit = fit.steps(self.steps).threads_exactly(self.threads).quiet();
            if timed { fit.profile() } else { fit }.run()
        };
        fit(false)?;
        let Some(profile) = fit(true)?.profile else {
            return Ok(());
        };
        if !self.json {
            return say(&profile.to_string());
        }
        let kernel = |kernel: &gradc::KernelTime| {
            json!({
                "name": kernel.name, "serves": kernel.serves, "layer": kernel.layer, "calls": kernel.calls,
                "seconds": kernel.time.as_secs_f64(), "flops": kernel.flops, "bytes": kernel.bytes,
                "floor_seconds": profile.floor(kernel.flops, kernel.bytes),
            })
        };
        line(&json!({
            "network": profile.network, "threads": profile.threads, "batch": profile.batch, "steps": profile.steps,
            "peak_flops_per_second": profile.limits.flops, "bytes_per_second": profile.limits.bandwidth,
            "between_seconds": profile.between.as_secs_f64(), "seconds": profile.total().as_secs_f64(),
            "kernels": profile.kernels.iter().map(kernel).collect::<Vec<_>>(),
        }))
    }
}
