//! The blessed cases.

use super::elaborated;
use crate::base::place::Source;
use crate::language::blessed::{self, check, shown};
use std::fmt::Write;
use std::path::Path;

fn name_of(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

#[test]
fn every_form_has_its_graph() {
    let mut failures = Vec::new();
    for (path, text) in blessed::texts("") {
        let name = name_of(&path);
        let mut found = String::new();
        for (training, title) in [(true, "training"), (false, "evaluation")] {
            let (network, mistakes) = elaborated(&name, &text, training);
            assert!(!mistakes.has_errors(), "{}", mistakes.render(&Source::new(&name, &text)));
            let network = network.expect("a case holds a network");
            let _ = writeln!(found, "; {title}\n{}", shown(&network, true));
        }
        check(&path.with_extension("graph"), &found, &mut failures);
    }
    blessed::assert_none(&failures);
}

#[test]
fn every_mistake_has_its_message() {
    let mut failures = Vec::new();
    for (path, text) in blessed::texts("errors") {
        let name = name_of(&path);
        let (_, mistakes) = elaborated(&name, &text, true);
        let found = mistakes.render(&Source::new(&name, &text));
        assert!(!found.is_empty(), "{name} has no mistake");
        check(&path.with_extension("stderr"), &found, &mut failures);
    }
    blessed::assert_none(&failures);
}
