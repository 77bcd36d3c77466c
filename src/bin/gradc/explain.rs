//! `gradc explain`: what a code of a mistake or the name of a lint means, with a network that has it and one that has not; or what a
//! name of the catalogue is and takes.

use clap::Args;
use gradc::compiler::language::codes::{PAGES, Page};
use gradc::compiler::language::names::nearest;
use gradc::compiler::manual;
use gradc::{Error, Result};

#[derive(Args)]
pub struct Explain {
    /// `E0201`, the name of a lint such as `unused_value`, or of a layer, loss, optimizer such as `adam` (default: a list of codes and
    /// lints).
    name: Option<String>,
}

impl Explain {
    pub fn run(self) -> Result<()> {
        let Some(name) = self.name else {
            for page in PAGES {
                println!("{:26} {}", page.name, page.title());
            }
            return Ok(());
        };
        let text = Page::find(&name).map(|page| page.text.to_string()).or_else(|| manual::entry(&name));
        print!("{}", text.ok_or_else(|| unknown(&name))?);
        Ok(())
    }
}

fn unknown(name: &str) -> Error {
    let expected = match nearest(name, PAGES.iter().map(|page| page.name).chain(manual::names())) {
        Some(near) => format!("a code, a lint or a name of the catalogue; perhaps `{near}`"),
        None => "a code such as E0201, a lint or a name of the catalogue; `gradc explain` lists codes and lints".to_owned(),
    };
    Error::Setting { name: "NAME".into(), found: format!("`{name}`"), expected }
}
