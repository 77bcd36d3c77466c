//! The runtime of gradc: micro-kernels, memory, the thread team, compiled models and their runs, data, checkpoints, reports.
//!
//! It knows nothing of the language: it is handed what the front half of the compiler has made.

#![warn(missing_docs)]

mod calls;
pub mod checkpoint;
#[allow(missing_docs, reason = "variants that are named by what they hold")]
pub mod compiled;
pub mod data;
pub mod diagnosis;
pub mod env;
pub mod error;
pub mod evaluate;
pub mod fit;
pub mod history;
mod interrupt;
pub mod kernels;
pub mod machine;
pub mod memory;
pub mod model;
pub mod predictor;
pub mod profile;
pub mod random;
mod recover;
pub mod report;
pub mod rows;
mod scale;
mod scores;
mod spare;
mod stages;
pub mod team;
pub mod watch;
mod workspace;
