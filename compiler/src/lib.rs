//! The compiler of gradc: from a declaration to machine code, through stages that can all be printed.
//!
//! It knows nothing of threads (but to compile functions side by side), files, clocks, the environment, data sets and printing; the runtime does.

#![warn(missing_docs)]

pub mod abi;
#[allow(missing_docs, reason = "fields and variants that are named by what they hold")]
pub mod aggregate;
#[allow(missing_docs, reason = "fields and variants that are named by what they hold")]
pub mod autodiff;
pub mod base;
#[cfg(feature = "codegen")]
pub mod codegen;
pub mod diagnosis;
pub mod draw;
pub mod explain;
#[allow(missing_docs, reason = "fields and variants that are named by what they hold")]
pub mod fusion;
pub mod gradient_check;
pub mod graph;
pub mod language;
#[allow(missing_docs, reason = "fields and variants that are named by what they hold")]
pub mod loops;
#[allow(missing_docs, reason = "fields and variants that are named by what they hold")]
pub mod lower;
pub mod manual;
#[allow(missing_docs, reason = "fields and variants that are named by what they hold")]
pub mod memory;
pub mod nn;
pub mod not_finite;
pub mod ops;
#[allow(missing_docs, reason = "fields and variants that are named by what they hold")]
pub mod passes;
pub mod pipeline;
pub mod probes;
pub mod program;
pub mod reference;
pub mod rules;
pub mod splitmix;
pub mod stages;
#[allow(missing_docs, reason = "fields and variants that are named by what they hold")]
pub mod step;
pub mod summary;
