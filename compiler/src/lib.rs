//! The compiler of gradc.
pub mod abi;
pub mod base;
pub mod language;
