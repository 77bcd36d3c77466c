//! gradc macros.
