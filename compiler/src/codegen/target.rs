//! What code is generated for.
//!
//! An [`InstructionSet`] is a promise about the machine that will run the code, named so that a text dump made on one machine can be
//! compared with one made on another. Every set gives the same bits; a richer one only gives them faster. Cranelift's vectors have
//! 128 bits under each of them; [wide functions](super::wide) have 256 with `avx2` and 512 with `avx512`.
//!
//! Each target has two Cranelift back ends: an optimising one for loops, and a quick one for control code that runs once a step.

use std::fmt;
use std::str::FromStr;

use cranelift_codegen::isa::OwnedTargetIsa;
use cranelift_codegen::settings::{self, Configurable};

use super::Error;

/// The instructions that generated code may use.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub enum InstructionSet {
    /// What every machine of the host's architecture has; on x86-64 that is SSE2, so a fused multiply-add is a call.
    Portable,
    /// x86-64 with AVX2 and FMA.
    Avx2,
    /// x86-64 with AVX-512 F, VL, DQ and BW.
    Avx512,
}

impl InstructionSet {
    /// Every set, the poorest first.
    pub const ALL: [InstructionSet; 3] = [InstructionSet::Portable, InstructionSet::Avx2, InstructionSet::Avx512];

    /// Floats in a vector.
    pub fn lanes(self) -> usize {
        match self {
            InstructionSet::Portable => 4,
            InstructionSet::Avx2 => 8,
            InstructionSet::Avx512 => 16,
        }
    }

    /// The richest set of the machine this runs on.
    pub fn host() -> Self {
        let mut richest = InstructionSet::Portable;
        for set in Self::ALL {
            if set.runs_here() {
                richest = set;
            }
        }
        richest
    }

    /// Whether code for this set runs on this machine.
    pub fn runs_here(self) -> bool {
        match self {
            InstructionSet::Portable => true,
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx2 => {
                std::is_x86_feature_detected!("avx2")
                    && std::is_x86_feature_detected!("fma")
                    && std::is_x86_feature_detected!("popcnt")
            }
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx512 => {
                InstructionSet::Avx2.runs_here()
                    && std::is_x86_feature_detected!("avx512f")
                    && std::is_x86_feature_detected!("avx512vl")
                    && std::is_x86_feature_detected!("avx512dq")
                    && std::is_x86_feature_detected!("avx512bw")
            }
            #[cfg(not(target_arch = "x86_64"))]
            InstructionSet::Avx2 | InstructionSet::Avx512 => false,
        }
    }

    /// The Cranelift flags beyond the baseline of x86-64.
    fn flags(self) -> &'static [&'static str] {
        match self {
            InstructionSet::Portable => &[],
            InstructionSet::Avx2 | InstructionSet::Avx512 => {
                &["has_sse3", "has_ssse3", "has_sse41", "has_sse42", "has_popcnt", "has_avx", "has_avx2", "has_fma"]
            }
        }
    }
}

impl fmt::Display for InstructionSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            InstructionSet::Portable => "portable",
            InstructionSet::Avx2 => "avx2",
            InstructionSet::Avx512 => "avx512",
        })
    }
}

impl FromStr for InstructionSet {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self, Error> {
        Self::ALL.into_iter().find(|set| set.to_string() == text).ok_or_else(|| Error::UnknownInstructionSet(text.to_owned()))
    }
}

/// Which vector loops are written as wide functions, where the instruction set has such.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Widen {
    /// None.
    Never,
    /// Those with enough work to be worth a call.
    #[default]
    Paying,
    /// All that can be, so that tests see them in every size.
    Always,
}

/// How a program is compiled; only `instruction_set`, `widen` and `marks` change the code, and nothing a result.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Target {
    /// The instructions that may be used.
    pub instruction_set: InstructionSet,
    /// Which vector loops have the widest vectors of the instruction set; the others have 128 bits.
    pub widen: Widen,
    /// Tell the runtime's `mark` before and after each kernel.
    pub marks: bool,
    /// Check Cranelift's input before it is compiled (half as slow again).
    pub verify: bool,
    /// Keep the Cranelift text and the disassembly of each function.
    pub text: bool,
}

/// How much Cranelift does to a function.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Effort {
    /// Loops: share, fold and hoist.
    Optimize,
    /// Control code: as written.
    Quick,
}

impl Target {
    /// Code for `instruction_set`, verified in debug builds, without text.
    pub fn new(instruction_set: InstructionSet) -> Self {
        Target { instruction_set, widen: Widen::Paying, marks: false, verify: cfg!(debug_assertions), text: false }
    }

    /// Code for the machine this runs on.
    pub fn host() -> Self {
        Target::new(InstructionSet::host())
    }

    /// Cranelift's back end for this target.
    pub(super) fn back_end(self, effort: Effort) -> Result<OwnedTargetIsa, Error> {
        let host = |message: String| Error::Host(message);
        let mut flags = settings::builder();
        let (level, registers) = match effort {
            Effort::Optimize => ("speed", "backtracking"),
            Effort::Quick => ("none", "single_pass"),
        };
        let verify = if self.verify { "true" } else { "false" };
        for (name, value) in [
            ("opt_level", level),
            ("regalloc_algorithm", registers),
            ("enable_verifier", verify),
            ("is_pic", "false"),
            ("use_colocated_libcalls", "false"),
            ("unwind_info", "false"),
        ] {
            flags.set(name, value).map_err(|e| host(e.to_string()))?;
        }
        let x86 = cfg!(target_arch = "x86_64");
        let mut builder = cranelift_native::builder_with_options(!x86).map_err(|e| host(e.to_owned()))?;
        if x86 {
            for flag in self.instruction_set.flags() {
                builder.enable(flag).map_err(|e| host(e.to_string()))?;
            }
        } else if self.instruction_set != InstructionSet::Portable {
            return Err(host(format!("{} needs x86-64", self.instruction_set)));
        }
        builder.finish(settings::Flags::new(flags)).map_err(|e| host(e.to_string()))
    }
}
