//! The compiler of gradc.
pub mod abi;
pub mod autodiff;
pub mod fusion;
pub mod graph;
pub mod loops;
pub mod lower;
pub mod memory;
// pub mod nn;
pub mod base;
pub mod language;
pub mod nn;
pub mod ops;
pub mod program;
pub mod reference;
pub mod step;
pub mod summary;
