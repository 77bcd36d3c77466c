//! The checks of a program.
