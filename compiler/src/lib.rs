//! The compiler of gradc.
pub mod abi;
#[cfg(feature = "codegen")]
pub mod codegen;
pub mod loops;
