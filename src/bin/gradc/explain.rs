//! `gradc explain`: what a code of a mistake or the name of a lint means, with a network that has it and one that has not; what a name of
//! the catalogue is and takes; and the answers to questions about a network.

use crate::print::say;
use crate::why::Question;
use clap::Args;
use gradc::compiler::base::names::nearest;
use gradc::compiler::language::codes::{PAGES, Page};
use gradc::compiler::manual;
use gradc::{Error, Result};
use std::path::Path;

#[derive(Args)]
pub struct Explain {
    /// A code such as `E0201`, a lint such as `unused_value`, a name of the catalogue such as `adam`, or a .net file with a question
    /// (default: a list of codes and lints).
    #[arg(value_name = "CODE | LINT | NAME | FILE")]
    what: Option<String>,
    #[command(flatten)]
    question: Question,
}

impl Explain {
    pub fn run(self) -> Result<()> {
        let Some(name) = self.what else {
            if self.question.is_asked() {
                return Err(Error::setting("FILE", "left out", "the .net file that the question is about"));
            }
            let pages: String = PAGES.iter().map(|page| format!("{:26} {}\n", page.name, page.title())).collect();
            let names: Vec<&str> = manual::names().collect();
            let names: String = names.chunks(8).map(|names| format!("  {}\n", names.join(", "))).collect();
            return say(&format!("{pages}\nand every name of the catalogue, such as `gradc explain adam`:\n{names}"));
        };
        if self.question.is_asked() {
            return self.question.answer(name.into());
        }
        if let Some(text) = Page::find(&name).map(|page| page.text.to_string()).or_else(|| manual::entry(&name)) {
            return say(&text);
        }
        if Path::new(&name).is_file() {
            let questions = "given with a question about it: --gradient PARAMETER, --fusion, --node %41 or --bytes";
            return Err(Error::setting("FILE", format!("`{name}` alone"), questions));
        }
        Err(unknown(&name))
    }
}

fn unknown(name: &str) -> Error {
    let expected = match nearest(name, PAGES.iter().map(|page| page.name).chain(manual::names())) {
        Some(near) => format!("a code, a lint or a name of the catalogue; perhaps `{near}`"),
        None => "a code such as E0201, a lint or a name of the catalogue; `gradc explain` lists them".to_owned(),
    };
    Error::Setting { name: "NAME".into(), found: format!("`{name}`"), expected }
}
