//! The environment variables that gradc reads, and nothing else does.

use crate::error::{Error, Result};
use gradc_compiler::codegen::{InstructionSet, Widen};
use std::path::PathBuf;

/// Variables whose value says how to compile: name, what may stand there, and whether a value does.
type Switch = (&'static str, &'static str, fn(&str) -> bool);
const SWITCHES: [Switch; 4] = [
    ("GRADC_ISA", "`portable`, `avx2` or `avx512`", |value| value.parse::<InstructionSet>().is_ok()),
    ("GRADC_WIDE", "0 or 1", |value| ["0", "1"].contains(&value)),
    ("GRADC_PERF_MAP", "0 or 1", |value| ["0", "1"].contains(&value)),
    ("GRADC_FUEL", "a whole number of rewrites", |value| value.parse::<u64>().is_ok()),
];

/// An error if a variable has a value that says nothing: the run would not be the one that was asked for. Empty is as good as not set.
pub fn check() -> Result<()> {
    understood(|name| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned()))
}

fn understood(value: impl Fn(&str) -> Option<String>) -> Result<()> {
    SWITCHES.iter().try_for_each(|(name, expected, is_one)| match value(name) {
        Some(value) if !value.is_empty() && !is_one(&value) => Err(Error::setting(name, format!("`{value}`"), expected)),
        _ => Ok(()),
    })
}

/// `GRADC_DUMP`: the folder to which every compiled network's stages are written.
pub fn dump_folder() -> Option<PathBuf> {
    std::env::var_os("GRADC_DUMP").filter(|folder| !folder.is_empty()).map(PathBuf::from)
}

/// `GRADC_ISA`: `portable`, `avx2` or `avx512`; without it, or if the machine lacks it, the best that the machine has.
pub fn instruction_set() -> InstructionSet {
    let asked = std::env::var("GRADC_ISA").ok().and_then(|name| name.parse::<InstructionSet>().ok());
    asked.filter(|set| set.runs_here()).unwrap_or_else(InstructionSet::host)
}

/// `GRADC_WIDE=0`: Cranelift writes every loop, in vectors of 128 bits.
pub fn widen() -> Widen {
    let off = std::env::var("GRADC_WIDE").is_ok_and(|value| value == "0");
    if off { Widen::Never } else { Widen::Paying }
}

/// Threads that a run uses unless told: one for each core.
pub fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// `GRADC_FUEL`: rewriting stops after so many applications, so that a miscompile is found by bisection.
pub fn fuel() -> Option<u64> {
    std::env::var("GRADC_FUEL").ok()?.parse().ok()
}

/// `GRADC_PERF_MAP=1`: `/tmp/perf-<pid>.map` tells Linux's `perf` the names of generated functions.
pub fn perf_map() -> bool {
    std::env::var("GRADC_PERF_MAP").is_ok_and(|value| value == "1")
}

#[cfg(test)]
mod tests {
    use super::understood;

    #[test]
    fn a_value_that_says_nothing_is_refused() {
        let with = |asked: &'static str, value: &'static str| understood(|name| (name == asked).then(|| value.to_owned()));
        for (name, value) in [
            ("GRADC_ISA", "avx2"),
            ("GRADC_ISA", ""),
            ("GRADC_WIDE", "0"),
            ("GRADC_WIDE", "1"),
            ("GRADC_FUEL", "7"),
            ("GRADC_PERF_MAP", "0"),
        ] {
            assert!(with(name, value).is_ok(), "{name}={value}");
        }
        for (name, value) in [
            ("GRADC_ISA", "avx1024"),
            ("GRADC_ISA", "AVX 2"),
            ("GRADC_WIDE", "false"),
            ("GRADC_FUEL", "-1"),
            ("GRADC_PERF_MAP", "yes"),
        ] {
            let message = with(name, value).expect_err("it says nothing").to_string();
            assert!(message.contains(name) && message.contains(value), "{message}");
        }
    }
}
