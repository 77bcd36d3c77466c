//! The compiler of gradc.
pub mod abi;
pub mod autodiff;
pub mod graph;
pub mod loops;
// pub mod nn;
pub mod ops;
pub mod passes;
pub mod reference;
pub mod rules;
pub mod splitmix;
