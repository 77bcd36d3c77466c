//! The blessed cases.

use super::elaborated;
use crate::base::diagnostics::{Diagnostic, Diagnostics};
use crate::base::place::Source;
use crate::language::blessed::{self, check};
use crate::language::shown::shown;
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

/// Mistakes for which no single change of the text can be right: what was meant is not in it.
const WITHOUT_FIX: &[&str] = &[];

/// Every help is applied: the mistake is gone, and no other has come.
#[test]
fn every_help_compiles() {
    let mut failures = Vec::new();
    for (path, text) in blessed::texts("errors") {
        let name = name_of(&path);
        let source = Source::new(&name, &text);
        let (_, mistakes) = elaborated(&name, &text, true);
        let errors =
            |mistakes: &Diagnostics| -> Vec<Diagnostic> { mistakes.iter().filter(|one| one.is_error()).cloned().collect() };
        let before = errors(&mistakes);
        for mistake in mistakes.iter() {
            let shown = mistake.render(&source);
            let Some(fixed) = mistake.fix.as_ref().and_then(|fix| fix.applied(&source)) else {
                if mistake.is_error() && !WITHOUT_FIX.contains(&mistake.message.as_str()) {
                    failures.push(format!("no change is offered:\n{shown}"));
                }
                continue;
            };
            let (_, left) = elaborated(&name, &fixed, true);
            let same = |one: &&Diagnostic| one.code == mistake.code && one.message == mistake.message;
            if left.iter().filter(same).count() >= mistakes.iter().filter(same).count() {
                failures.push(format!("the change does not help:\n{shown}{fixed}"));
            }
            let after = errors(&left);
            let times = |all: &[Diagnostic], one: &Diagnostic| all.iter().filter(|other| other.message == one.message).count();
            for new in after.iter().filter(|one| times(&after, one) > times(&before, one)) {
                failures.push(format!("the change makes another mistake:\n{shown}{fixed}{}", new.message));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
