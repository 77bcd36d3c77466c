//! Fusion's decisions as text.
