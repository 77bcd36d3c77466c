//! The compiler of gradc.
pub mod abi;
