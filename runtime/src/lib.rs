//! gradc runtime.

pub mod kernels;
pub mod memory;
pub mod team;
