//! Where the time of a run goes, from the native run itself: its entry tells a clock when each kernel begins and ends.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

use crate::compiled::Compiled;
use crate::evaluate::CHUNK;
use crate::machine::Limits;
use crate::report::table::{Align, table};
use gradc_compiler::base::size::counted;
use gradc_compiler::fusion::{text, traffic};
use gradc_compiler::graph::NodeId;

/// What a run spent its time on.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Profile {
    /// Name of the network.
    pub network: String,
    /// Threads that ran; times are those of the first one.
    pub threads: usize,
    /// Rows of a step.
    pub batch: usize,
    /// Steps that were taken.
    pub steps: u64,
    /// Limits of one core.
    pub limits: Limits,
    /// Kernels that ran, in the order of the program.
    pub kernels: Vec<KernelTime>,
    /// Time between kernels: the driver, preparing batches, and waiting for other threads.
    pub between: Duration,
}

/// What one kernel took over the whole run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct KernelTime {
    /// Unit and number: `train.3`.
    pub name: String,
    /// The layers that it serves.
    pub serves: String,
    /// The layer of its first product, or of its last value.
    pub layer: String,
    /// Times that it ran.
    pub calls: u64,
    /// Time on the first thread.
    pub time: Duration,
    /// Floating-point operations of its products, in all calls and threads, as if every batch were full.
    pub flops: f64,
    /// Bytes of the tensors that it reads and writes, each counted once a call.
    pub bytes: f64,
}

impl Profile {
    /// Seconds that some work takes at least: its operations at the peak, or its bytes at the bandwidth, whatever is longer.
    pub fn floor(&self, flops: f64, bytes: f64) -> f64 {
        let threads = self.threads.max(1) as f64;
        (flops / (self.limits.flops * threads)).max(bytes / self.limits.bandwidth)
    }

    /// The time of all kernels and of what is between them.
    pub fn total(&self) -> Duration {
        self.between + self.kernels.iter().map(|kernel| kernel.time).sum::<Duration>()
    }

    fn row(&self, name: [String; 2], calls: u64, time: Duration, flops: f64, bytes: f64) -> Vec<String> {
        let seconds = time.as_secs_f64();
        let steps = self.steps.max(1) as f64;
        let rate = |amount: f64| if amount > 0.0 { format!("{:.1}", amount / seconds.max(1e-12) / 1e9) } else { String::new() };
        let [first, second] = name;
        vec![
            first,
            format!("{:.1}", 1e6 * seconds / steps),
            format!("{:.1} %", 100.0 * seconds / self.total().as_secs_f64().max(1e-12)),
            if calls > 0 { format!("{:.2}", flops / steps / self.unit().1) } else { String::new() },
            if calls > 0 { format!("{:.1}", bytes / steps / 1024.0) } else { String::new() },
            rate(flops),
            rate(bytes),
            if calls > 0 { format!("{:.0} %", 100.0 * self.floor(flops, bytes) / seconds.max(1e-12)) } else { String::new() },
            second,
        ]
    }

    /// The unit in which even the least operations of a kernel have figures, one for all rows.
    fn unit(&self) -> (&'static str, f64) {
        let some = self.kernels.iter().map(|kernel| kernel.flops / self.steps.max(1) as f64).filter(|flops| *flops > 0.0);
        match some.fold(f64::INFINITY, f64::min) {
            least if least < 1e2 => ("FLOP", 1.0),
            least if least < 1e5 => ("kFLOP", 1e3),
            _ => ("MFLOP", 1e6),
        }
    }

    fn print(&self, first: &str, last: &str, rows: &[Vec<String>]) -> String {
        use Align::{Left, Right};
        let columns = [
            (first, Left),
            ("µs/step", Right),
            ("share", Right),
            (self.unit().0, Right),
            ("KiB", Right),
            ("GFLOP/s", Right),
            ("GB/s", Right),
            ("of floor", Right),
            (last, Left),
        ];
        table(&columns, rows)
    }
}

impl fmt::Display for Profile {
    /// Two tables, by kernel and by layer, the slowest first.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let threads = counted(self.threads, "thread");
        writeln!(f, "{}: {} steps of {} rows on {threads}", self.network, self.steps, self.batch)?;
        let Limits { flops, bandwidth } = self.limits;
        writeln!(f, "limits of a core: {:.0} GFLOP/s, {:.1} GB/s from memory\n", flops / 1e9, bandwidth / 1e9)?;
        let mut kernels: Vec<&KernelTime> = self.kernels.iter().collect();
        kernels.sort_by_key(|kernel| std::cmp::Reverse(kernel.time));
        let mut rows: Vec<Vec<String>> = kernels
            .iter()
            .map(|kernel| {
                let name = [kernel.name.clone(), kernel.serves.clone()];
                self.row(name, kernel.calls, kernel.time, kernel.flops, kernel.bytes)
            })
            .collect();
        let between = ["between".to_string(), "driver, batches, waiting".to_string()];
        rows.push(self.row(between, 0, self.between, 0.0, 0.0));
        let sum = |of: fn(&KernelTime) -> f64| self.kernels.iter().map(of).sum::<f64>();
        let all = ["all".to_string(), String::new()];
        rows.push(self.row(all, self.steps, self.total(), sum(|kernel| kernel.flops), sum(|kernel| kernel.bytes)));
        writeln!(f, "{}", self.print("kernel", "serves", &rows))?;
        let mut layers: BTreeMap<&str, (u64, Duration, f64, f64)> = BTreeMap::new();
        for kernel in &self.kernels {
            let (number, time, flops, bytes) = layers.entry(&kernel.layer).or_default();
            (*number, *time) = (*number + 1, *time + kernel.time);
            (*flops, *bytes) = (*flops + kernel.flops, *bytes + kernel.bytes);
        }
        let mut layers: Vec<_> = layers.into_iter().collect();
        layers.sort_by_key(|(_, (_, time, ..))| std::cmp::Reverse(*time));
        let rows: Vec<Vec<String>> = layers
            .into_iter()
            .map(|(layer, (number, time, flops, bytes))| {
                self.row([layer.to_string(), counted(number as usize, "kernel")], number, time, flops, bytes)
            })
            .collect();
        writeln!(f, "{}", self.print("layer", "in", &rows))?;
        writeln!(
            f,
            "The floor is the products' operations at the peak, or all bytes at the memory's bandwidth, whatever is longer; what the \
             caches hold is faster."
        )
    }
}

/// Adds up what passes between marks.
#[derive(Debug)]
pub(crate) struct Clock {
    begun: Instant,
    /// The kernel that runs.
    kernel: Option<usize>,
    kernels: Vec<(u64, Duration)>,
    between: Duration,
}

impl Clock {
    /// A clock for so many kernels, which starts with the first mark.
    pub fn new(kernels: usize) -> Self {
        Clock { begun: Instant::now(), kernel: None, kernels: vec![(0, Duration::ZERO); kernels], between: Duration::ZERO }
    }

    /// A kernel begins, or has ended if there is no such number.
    pub fn mark(&mut self, kernel: i64) {
        let now = Instant::now();
        let passed = now - self.begun;
        match self.kernel.and_then(|kernel| self.kernels.get_mut(kernel)) {
            Some((calls, time)) => (*calls, *time) = (*calls + 1, *time + passed),
            None => self.between += passed,
        }
        (self.begun, self.kernel) = (now, usize::try_from(kernel).ok());
    }

    /// What the clock has seen of a run.
    pub fn finish(self, compiled: &Compiled, limits: Limits, threads: usize, batch: usize, steps: u64) -> Profile {
        let assembled = &compiled.assembled;
        let mut kernels = Vec::new();
        for unit in &assembled.units {
            let rows = if unit.name == "evaluate" { CHUNK } else { batch };
            let moved = traffic::traffic(&unit.graph, &unit.fusion);
            for (place, (&number, moved)) in unit.memory.kernels.iter().zip(&moved).enumerate() {
                let (calls, time) = self.kernels.get(number as usize).copied().unwrap_or_default();
                if calls == 0 {
                    continue;
                }
                let group = unit.fusion.groups.get(place);
                let serves = group.map(|group| text::name(&unit.graph, group)).unwrap_or_default();
                let head = group
                    .and_then(|group| group.members.iter().rfind(|member| is_heavy(unit, member.node)).or(group.members.last()));
                let layer = head.map(|member| unit.graph.origin(member.node).path.clone()).unwrap_or_default();
                let flops = group.map_or(0.0, |_| traffic::product_flops(&unit.graph, &unit.fusion, place, rows));
                kernels.push(KernelTime {
                    name: format!("{}.{place}", unit.name),
                    serves,
                    layer: if layer.is_empty() { "step".to_string() } else { owner(compiled, layer) },
                    calls,
                    time,
                    flops: calls as f64 * flops,
                    bytes: calls as f64 * moved.bytes(&unit.graph, rows) as f64,
                });
            }
        }
        Profile { network: compiled.info.name.clone(), threads, batch, steps, limits, kernels, between: self.between }
    }
}

/// The layer of a path, which may be that of one of its parameters.
fn owner(compiled: &Compiled, path: String) -> String {
    let is_parameter = compiled.info.parameters.iter().any(|parameter| parameter.name == path);
    match path.rsplit_once('.') {
        Some((layer, _)) if is_parameter => layer.to_string(),
        _ => path,
    }
}

/// Whether a node gives its kernel its name.
fn is_heavy(unit: &gradc_compiler::program::Unit, node: NodeId) -> bool {
    use gradc_compiler::graph::Attributes;
    matches!(unit.graph.node(node).attributes, Attributes::Contract(_) | Attributes::Scan(_))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_are_told_in_a_unit_that_shows_them() {
        let kernel = |name: &str, flops: f64| KernelTime {
            name: name.into(),
            layer: name.into(),
            calls: 10,
            time: Duration::from_micros(10),
            flops,
            ..KernelTime::default()
        };
        for (flops, unit, shown) in [(120.0, "FLOP", "12.00"), (25_600.0, "kFLOP", "2.56"), (2.5e7, "MFLOP", "2.50")] {
            let kernels = vec![kernel("train.0", flops), kernel("train.1", 0.0)];
            let text = Profile { steps: 10, kernels, ..Profile::default() }.to_string();
            let lines: Vec<&str> = text.lines().collect();
            let heading = lines.iter().find(|line| line.starts_with("kernel ")).expect("a table");
            let row = lines.iter().find(|line| line.starts_with("train.0 ")).expect("a row");
            let words: Vec<&str> = heading.split_whitespace().collect();
            assert!(words.contains(&unit) && row.split_whitespace().any(|word| word == shown), "{text}");
            // Numbers end where their heading does.
            let end = |line: &str, word: &str| line.find(word).map(|place| line[..place + word.len()].chars().count());
            assert_eq!(end(heading, unit), end(row, shown), "{text}");
        }
    }
}
