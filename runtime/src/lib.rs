//! gradc runtime.
