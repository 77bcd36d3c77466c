//! gradc runtime.

pub mod kernels;
pub mod memory;
pub mod team;
pub mod checkpoint;
pub mod data;
pub mod error;
pub mod random;
pub mod report;
