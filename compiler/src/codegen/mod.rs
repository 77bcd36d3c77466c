//! Machine code for loop programs: the only place that names Cranelift.
//!
//! # What is compiled
//! Each kernel and each entry of a [`Program`](crate::loops::Program) becomes one function, compiled apart from the others ([`compile_kernel`],
//! [`compile_entry`] are pure and may run on any thread), and [`Module::link`] puts the functions into one piece of executable memory.
//! [`compile`] does both. Functions have the signatures of [`crate::abi`].
//!
//! # What is promised
//! Generated code gives, bit for bit, what the loop interpreter gives, on every [`InstructionSet`] and for any number of threads; any
//! NaN counts as any other. It traps nowhere, divides no integers, needs little stack, and calls only what [`crate::abi::Symbols`] lists
//! and the functions in `symbols`. It trusts the program: that accesses lie in their buffers was proved by the loop IR's verifier.
//! What a program can get wrong beyond that (a stride that a vector cannot follow, a product that the micro-kernel does not know) is an
//! [`Error`].
//!
//! # Two emitters
//! Cranelift writes everything but the blocks of vector axes that are worth a call: those are the functions of `wide`, which stand behind
//! the code of their kernel.
//!
//! # Absent here
//! No schedule is chosen: vector axes, tiles and parallel loops are the program's. No product is written in Cranelift: it would reach a
//! third of what the micro-kernels do. No thread is started but by [`compile`], and no clock is read.

mod address;
mod alone;
mod block;
mod classes;
mod compile;
mod entry;
mod function;
mod kernel;
mod listing;
mod module;
mod nest;
mod outline;
mod plan;
mod preamble;
mod product;
mod small_product;
mod straight;
mod symbols;
mod synchronize;
mod target;
pub mod text;
mod turns;
mod wide;
mod words;

pub use compile::{Compiled, Text, compile_entry, compile_kernel};
pub use listing::{Line, Made, Serves};
pub use module::{Module, compile};
pub use target::{InstructionSet, Target, Widen};

/// Why a program was not compiled.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Error {
    /// The program breaks a rule of the loop IR that generated code depends on.
    #[error("{0}")]
    Malformed(String),
    /// As above, with the function where it was found.
    #[error("in {function}: {error}")]
    In {
        /// The function's name.
        function: String,
        /// What is wrong there.
        error: Box<Error>,
    },
    /// Cranelift refuses its input.
    #[error("Cranelift: {0}")]
    Cranelift(String),
    /// An instruction that there is not.
    #[error("encoder: {0}")]
    Encoder(String),
    /// This machine cannot run the code.
    #[error("target: {0}")]
    Host(String),
    /// No such instruction set.
    #[error("`{0}` is not an instruction set (portable, avx2, avx512)")]
    UnknownInstructionSet(String),
    /// A function that the program calls has no address.
    #[error("the symbol `{0}` is not defined")]
    MissingSymbol(String),
    /// Executable memory was refused.
    #[error("executable memory: {0}")]
    Memory(String),
}

#[cfg(test)]
mod tests;
