//! gradc.
