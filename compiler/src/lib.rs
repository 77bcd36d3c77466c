//! The compiler of gradc.
pub mod abi;
pub mod loops;
