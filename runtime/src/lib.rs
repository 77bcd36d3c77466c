//! gradc runtime.

pub mod memory;
pub mod team;
