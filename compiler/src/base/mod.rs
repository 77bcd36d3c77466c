//! What every stage shares and what knows no stage: places in a source and the messages that point at them.

pub mod diagnostics;
pub mod place;
