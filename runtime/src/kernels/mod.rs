//! Matrix products: one definition of every bit ([`Product`]), one micro-kernel per instruction set.
//!
//! `C[m, n] = A[m, k] · B[k, n]`. Each element is a chain of fused multiply-adds that no choice made here can reorder: the block
//! of `k` is the definition's, a lane is one element, and tiles only say which elements are computed side by side. So every
//! instruction set, every plan and every shape of tile gives the same bits.
//!
//! - `tile` is the micro-kernel, written once over `vector::Vector`, which `portable`, `avx2` and `avx512` implement;
//! - `walk` holds the loops around it, `plan` decides what is copied and how the loops are nested, `pack` copies.
//!
//! Nothing outside the operands is read or written: where columns end, loads and stores are masked.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod pack;
mod plan;
mod portable;
mod spans;
#[cfg(test)]
mod tests;
mod tile;
mod vector;
mod walk;

use std::fmt;
use std::str::FromStr;

use gradc_compiler::abi::Product;

/// A set of vector instructions for which there are kernels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum InstructionSet {
    /// Plain Rust.
    Portable,
    /// AVX2 and FMA on x86-64: 8 lanes.
    Avx2,
    /// AVX-512 F, BW, VL and DQ on x86-64: 16 lanes.
    Avx512,
}

/// The name is none of `portable`, `avx2`, `avx512`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown instruction set `{name}`: expected `portable`, `avx2` or `avx512`")]
pub struct UnknownInstructionSet {
    /// What was found.
    pub name: String,
}

impl InstructionSet {
    /// All of them, narrowest first.
    pub const ALL: [Self; 3] = [Self::Portable, Self::Avx2, Self::Avx512];

    /// The widest set that this processor has.
    pub fn detect() -> Self {
        Self::ALL.into_iter().rfind(|set| set.is_available()).unwrap_or(Self::Portable)
    }

    /// The sets that this processor has, narrowest first; `Portable` always.
    pub fn available() -> Vec<Self> {
        Self::ALL.into_iter().filter(|set| set.is_available()).collect()
    }

    /// Whether this processor has the set.
    pub fn is_available(self) -> bool {
        match self {
            Self::Portable => true,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => {
                Self::Avx2.is_available()
                    && is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512vl")
                    && is_x86_feature_detected!("avx512dq")
            }
            #[cfg(not(target_arch = "x86_64"))]
            Self::Avx2 | Self::Avx512 => false,
        }
    }

    /// The set of that name; the inverse of `Display`.
    ///
    /// # Errors
    /// [`UnknownInstructionSet`] for any other name.
    pub fn parse(name: &str) -> Result<Self, UnknownInstructionSet> {
        Self::ALL.into_iter().find(|set| set.name() == name).ok_or_else(|| UnknownInstructionSet { name: name.into() })
    }

    fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
        }
    }
}

impl fmt::Display for InstructionSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for InstructionSet {
    type Err = UnknownInstructionSet;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::parse(name)
    }
}

/// A kernel: computes the product that the descriptor describes.
///
/// # Safety
/// The processor has the instruction set of the kernel. The descriptor's operands can be read and its output written at every
/// element that `m`, `n`, `k`, the strides and the table name; the table has `m` entries, or `k` if it is on `k`; the scratch
/// holds [`PACK_FLOATS`](gradc_compiler::abi::PACK_FLOATS) floats. Output and scratch overlap nothing else, and no other thread
/// writes any of this meanwhile.
pub type ProductKernel = unsafe extern "C" fn(*const Product);

/// The kernel for an instruction set.
pub fn product(set: InstructionSet) -> ProductKernel {
    match set {
        #[cfg(target_arch = "x86_64")]
        InstructionSet::Avx2 => walk::product::<avx2::Avx2>,
        #[cfg(target_arch = "x86_64")]
        InstructionSet::Avx512 => walk::product::<avx512::Avx512>,
        _ => walk::product::<portable::Portable<8>>,
    }
}
