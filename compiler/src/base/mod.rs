//! What every stage shares and what knows no stage: places in a source, the messages that point at them, columns of text,
//! sizes of memory, misspelt names, places of equal things in a list.

pub mod chains;
pub mod columns;
pub mod diagnostics;
pub mod names;
pub mod place;
pub mod size;
