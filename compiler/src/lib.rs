//! The compiler of gradc: from a declaration to machine code, through stages that can all be printed.
//!
//! It knows nothing of threads, files, clocks, the environment, data sets and printing; the runtime does.

pub mod abi;
pub mod aggregate;
pub mod autodiff;
pub mod base;
#[cfg(feature = "codegen")]
pub mod codegen;
pub mod draw;
pub mod driver;
pub mod explain;
pub mod fusion;
pub mod gradient_check;
pub mod graph;
pub mod language;
pub mod loops;
pub mod lower;
pub mod memory;
pub mod nn;
pub mod ops;
pub mod passes;
pub mod probes;
pub mod program;
pub mod reference;
pub mod rules;
pub mod splitmix;
pub mod stages;
pub mod step;
pub mod summary;
