//! gradc runtime.

pub mod memory;
