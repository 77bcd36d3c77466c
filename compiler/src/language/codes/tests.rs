//! Each page shows what it says, and there is one for each code.

use super::*;
use crate::base::diagnostics::Diagnostics;
use crate::base::place::Source;
use crate::language::declaration::Declaration;
use crate::language::elaborate::LINTS;
use std::collections::BTreeSet;
use std::path::Path;

fn found(text: &str) -> Diagnostics {
    let declaration = match Declaration::parse(Source::new("page.net", text)) {
        Ok(declaration) => declaration,
        Err(mistakes) => return mistakes,
    };
    declaration.elaborate().map_or_else(|mistakes| mistakes, |elaborated| elaborated.warnings)
}

#[test]
fn the_wrong_network_has_the_mistake_and_the_right_one_none() {
    let mut failures = Vec::new();
    for page in PAGES {
        let networks: Vec<&str> = page.networks().collect();
        let [wrong, right] = networks[..] else { panic!("{} shows two networks", page.name) };
        let (mistakes, none) = (found(wrong), found(right));
        let codes: BTreeSet<&str> = mistakes.iter().map(|one| one.code).collect();
        if codes != BTreeSet::from([page.name]) {
            failures.push(format!("{} is wrong with {codes:?}\n{}", page.name, mistakes.render(&Source::new("page.net", wrong))));
        }
        if !none.is_empty() {
            failures.push(format!("{} is not right\n{}", page.name, none.render(&Source::new("page.net", right))));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// Every `"E0…"` of the sources below a folder.
fn codes_of(folder: &Path, codes: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).expect("the sources can be read").flatten() {
        let path = entry.path();
        if path.is_dir() {
            codes_of(&path, codes);
        } else if path.extension().is_some_and(|kind| kind == "rs") {
            let text = std::fs::read_to_string(&path).expect("a source is a text");
            let quoted = text.split("const ").filter_map(|part| part.split_once("\"E0"));
            let digits = quoted.filter_map(|(before, rest)| before.ends_with("&str = ").then(|| rest.get(..3)).flatten());
            codes.extend(digits.map(|digits| format!("E0{digits}")));
        }
    }
}

#[test]
fn every_code_and_every_lint_has_its_page() {
    let mut codes = BTreeSet::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for folder in ["compiler/src", "macros/src", "src"] {
        codes_of(&root.join(folder), &mut codes);
    }
    codes.extend(LINTS.iter().map(|(lint, _)| (*lint).to_owned()));
    let pages: BTreeSet<String> = PAGES.iter().map(|page| page.name.to_owned()).collect();
    assert_eq!(pages, codes);
    assert!(PAGES.iter().all(|page| page.text.starts_with(&format!("# {}: ", page.name))));
}
