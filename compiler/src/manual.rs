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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::{Derivative, PRIMITIVES, record};

    #[test]
    fn every_primitive_with_operands_has_an_example() {
        let page = primitives();
        for record in PRIMITIVES.iter().map(|primitive| record(*primitive)).filter(|record| record.arity != Some(0)) {
            let entry = page.split(&format!("\n### {}\n", record.name)).nth(1).expect("it has an entry");
            let entry = entry.split("\n### ").next().unwrap_or(entry);
            assert!(entry.contains(&format!(" = {} %0", record.name)), "{}: no application was found:\n{entry}", record.name);
            // A conversion's example goes to an integer, from where nothing flows.
            let derives = matches!(record.derivative, Derivative::Rule { .. }) && record.name != "cast";
            assert_eq!(entry.contains("; gradient of"), derives, "{}:\n{entry}", record.name);
        }
    }

    #[test]
    fn an_entry_is_found_by_its_name() {
        let adam = entry("adam").expect("it is an optimizer");
        assert!(adam.contains("beta2 = 0.999") && adam.contains("Kingma and Ba (2015)"), "{adam}");
        assert!(names().all(|name| entry(name).is_some()));
        assert_eq!(entry("no such thing"), None);
    }
}
