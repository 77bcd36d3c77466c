//! A page on each code of a mistake and on each lint: what it means, a network that has it and one that has not.
//!
//! `gradc explain E0201` prints one. Adding a code or a lint adds its page: a test reads the sources for codes and elaborates the
//! networks of every page.

/// Name and text of every page: codes in order, then lints.
macro_rules! pages {
    ($($name:literal)*) => {
        &[$(Page { name: $name, text: include_str!(concat!("codes/", $name, ".md")) }),*]
    };
}

/// One page.
#[derive(Clone, Copy, Debug)]
pub struct Page {
    /// `E0201`, or the lint's name.
    pub name: &'static str,
    /// Markdown: a heading, what it means, a wrong network and a right one.
    pub text: &'static str,
}

/// All pages.
pub const PAGES: &[Page] = pages! {
    "E0101"
    "E0102"
    "E0103"
    "E0104"
    "E0105"
    "E0106"
    "E0107"
    "E0201"
    "E0202"
    "E0203"
    "E0204"
    "E0205"
    "E0206"
    "E0207"
    "E0208"
    "E0299"
    "E0301"
    "E0302"
    "E0303"
    "E0304"
    "E0305"
    "E0306"
    "E0307"
    "E0401"
    "E0402"
    "E0403"
    "E0404"
    "E0405"
    "E0406"
    "E0407"
    "E0408"
    "E0501"
    "E0502"
    "E0503"
    "E0504"
    "E0505"
    "E0506"
    "E0507"
    "E0508"
    "E0509"
    "E0510"
    "unused_input"
    "unused_value"
    "softmax_before_loss"
    "selu_without_lecun"
    "dropout_before_batch_norm"
    "deep_sigmoids"
    "bias_before_batch_norm"
    "minimized_mean_error"
    "relu_before_loss"
    "error_on_classes"
};

impl Page {
    /// The page of a code or a lint, in any case of letters.
    pub fn find(name: &str) -> Option<&'static Page> {
        PAGES.iter().find(|page| page.name.eq_ignore_ascii_case(name))
    }

    /// What the heading says behind the name.
    pub fn title(&self) -> &'static str {
        let heading = self.text.lines().next().unwrap_or_default();
        heading.split_once(": ").map_or(heading, |(_, title)| title)
    }

    /// The networks of the page, the wrong one first.
    pub fn networks(&self) -> impl Iterator<Item = &'static str> {
        self.text.split("```\n").skip(1).step_by(2)
    }
}

#[cfg(test)]
mod tests {
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
                failures.push(format!(
                    "{} is wrong with {codes:?}\n{}",
                    page.name,
                    mistakes.render(&Source::new("page.net", wrong))
                ));
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
}
