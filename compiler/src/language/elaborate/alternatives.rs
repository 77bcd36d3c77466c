//! Which of several changes a help offers: the first that makes no other mistake.
//!
//! A width that does not fit can be changed where the value is made, where it is declared, or where it is used; what else hangs on the
//! value decides. So each change is made to the text, and the text is elaborated once more. That costs time only where a mistake was found.

use super::fixes::Change;
use super::{Elaboration, walked};
use crate::base::diagnostics::{Diagnostic, Diagnostics, Fix};
use crate::base::place::{Source, Span};
use crate::language::ast::Item;
use crate::language::parse::parse_text;
use std::collections::HashMap;

/// The changes that would right the mistake of a code at a place.
pub(super) struct Alternatives {
    pub code: &'static str,
    pub span: Span,
    pub changes: Vec<Change>,
}

/// How many texts are tried for all mistakes together.
const MAX_TRIALS: usize = 24;

/// Puts the first change that holds into each diagnostic; without one the first stays.
pub(super) fn choose(
    diagnostics: &mut Diagnostics,
    alternatives: Vec<Alternatives>,
    source: &Source,
    options: &Elaboration,
    network: &str,
) {
    if alternatives.is_empty() {
        return;
    }
    let before = count(diagnostics.iter());
    let mut trials = 0;
    for Alternatives { code, span, changes } in alternatives {
        let Some(mistake) = diagnostics.iter_mut().find(|one| one.code == code && one.primary.span == span) else { continue };
        for Change { help, span, text } in changes {
            trials += 1;
            let fix = Fix { span, text };
            let after =
                fix.applied(source).filter(|_| trials <= MAX_TRIALS).and_then(|text| errors_of(source, &text, options, network));
            let is_new = |(message, times): (&String, &usize)| before.get(message).copied().unwrap_or(0) < *times;
            let Some(after) = after else { continue };
            let is_gone = after.get(&mistake.message).copied().unwrap_or(0) < before[&mistake.message];
            if is_gone && !after.iter().any(is_new) {
                (mistake.help, mistake.fix) = (Some(help), Some(fix));
                break;
            }
        }
    }
}

/// How often each message stands among the errors of a text; nothing if it cannot be read.
fn errors_of(source: &Source, text: &str, options: &Elaboration, name: &str) -> Option<HashMap<String, usize>> {
    let source = Source::within(source.name(), text, source.first_line());
    let (file, _) = parse_text(&source);
    let network = file.items.iter().find_map(|item| match item {
        Item::Network(network) if network.name.text == name => Some(network),
        _ => None,
    })?;
    let (_, found, _) = walked(&file, network, &source, options);
    Some(count(found.iter()))
}

fn count<'d>(diagnostics: impl Iterator<Item = &'d Diagnostic>) -> HashMap<String, usize> {
    let mut counts = HashMap::new();
    for one in diagnostics.filter(|one| one.is_error()) {
        *counts.entry(one.message.clone()).or_default() += 1;
    }
    counts
}
