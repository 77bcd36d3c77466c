//! Elementary functions written in block instructions.
