//! The interpreter against hand-made programs.
