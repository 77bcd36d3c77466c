//! gradc runtime.

pub mod checkpoint;
pub mod data;
pub mod error;
pub mod kernels;
pub mod memory;
pub mod random;
pub mod report;
pub mod team;
