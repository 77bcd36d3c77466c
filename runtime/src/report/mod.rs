//! What a person sees of a run: progress while it lasts, tables and curves afterwards.

mod axis;
pub mod heat;
pub mod plot;
pub mod progress;
pub mod table;
