//! The manual's two reference pages, written from the records: every primitive, and everything that a user can name.
//!
//! Both are Markdown and pure functions of the tables. A new record has its entry without further code, and no entry can say
//! something else than what the compiler does: types are what the type rules answer, derivatives are the nodes that the derivative
//! rules make, and the count of instructions is that of the block that the lowering writes.

mod catalogue;
mod primitives;

pub use catalogue::{catalogue, entry, names};
pub use primitives::primitives;

/// Text inside a table's cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

/// With a full stop at the end. Letters stay: many lines begin with a formula.
fn sentence(text: &str) -> String {
    format!("{}.", text.trim_end_matches('.'))
}
