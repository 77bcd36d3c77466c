//! Random numbers written in block instructions.
