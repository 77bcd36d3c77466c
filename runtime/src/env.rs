//! The environment variables that gradc reads, and nothing else does.

use gradc_compiler::codegen::{InstructionSet, Widen};
use std::path::PathBuf;

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

/// `GRADC_PERF_MAP`: whether `/tmp/perf-<pid>.map` tells Linux's `perf` the names of generated functions.
pub fn perf_map() -> bool {
    std::env::var_os("GRADC_PERF_MAP").is_some_and(|value| !value.is_empty())
}
