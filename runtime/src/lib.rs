//! gradc runtime.
pub mod checkpoint;
pub mod data;
pub mod error;
pub mod random;
pub mod report;
