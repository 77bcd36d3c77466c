//! The compiler of gradc.
pub mod abi;
pub mod autodiff;
#[cfg(feature = "codegen")]
pub mod codegen;
pub mod driver;
pub mod fusion;
pub mod graph;
pub mod loops;
pub mod nn;
pub mod ops;
pub mod program;
pub mod reference;
pub mod step;
pub mod summary;
