//! `gradc explain`: what a code of a mistake or the name of a lint means, with a network that has it and one that has not.

use clap::Args;
use gradc::compiler::language::codes::{PAGES, Page};
use gradc::compiler::language::names::nearest;
use gradc::{Error, Result};

#[derive(Args)]
pub struct Explain {
    /// `E0201`, or the name of a lint such as `unused_value` (default: a list of all).
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
        match Page::find(&name) {
            Some(page) => {
                print!("{}", page.text);
                Ok(())
            }
            None => Err(unknown(&name)),
        }
    }
}

fn unknown(name: &str) -> Error {
    let expected = match nearest(name, PAGES.iter().map(|page| page.name)) {
        Some(near) => format!("a code or a lint; perhaps `{near}`"),
        None => "a code such as E0201 or a lint; `gradc explain` lists them".to_owned(),
    };
    Error::Setting { name: "NAME".into(), found: format!("`{name}`"), expected }
}
