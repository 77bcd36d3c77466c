//! [`Categories`]: the names in a column of a CSV file, counted as they come.

use std::collections::HashMap;

use crate::error::{Error, Result};

/// More names than this are no classes.
const MOST: usize = 1 << 20;

/// Names that a message shows at most.
const SHOWN: usize = 12;

/// The names of a column, each with the number it has for now.
#[derive(Clone, Debug)]
pub(super) struct Categories {
    names: Vec<String>,
    numbers: HashMap<String, u32>,
    /// Whether the names were given, so that no other may come.
    given: bool,
}

/// Names of classes as messages show them: the first of many.
pub(crate) fn listed(names: &[String]) -> String {
    let more = if names.len() > SHOWN { ", …" } else { "" };
    names[..names.len().min(SHOWN)].join(", ") + more
}

impl Categories {
    /// The names of `column`, in their order if it is given.
    pub(super) fn new(column: &str, order: Option<&[String]>) -> Result<Categories> {
        let mut categories = Categories { names: Vec::new(), numbers: HashMap::new(), given: false };
        for name in order.unwrap_or_default() {
            if categories.numbers.contains_key(name.trim()) {
                let found = format!("two classes of {column} called `{name}`");
                return Err(Error::setting("categories", found, "names that differ"));
            }
            categories.class(name.trim())?;
        }
        categories.given = order.is_some();
        Ok(categories)
    }

    /// The number of `name` for now.
    pub(super) fn class(&mut self, name: &str) -> Result<u32> {
        if let Some(number) = self.numbers.get(name) {
            return Ok(*number);
        }
        if name.is_empty() {
            return Err(Error::data("an empty cell", "the name of a class", "leave the row out, or give what is missing a name"));
        }
        // A quote that is not closed takes in the lines that follow, up to the next quote.
        if name.contains(['\n', '\r']) {
            let short: String = name.chars().take(40).collect();
            let help = "close the quote; one within a text is written twice";
            return Err(Error::data(format!("a name over several lines, {short:?}"), "the name of a class", help));
        }
        if self.given || self.names.len() == MOST {
            let short: String = name.chars().take(40).collect();
            let expected = if self.given { format!("one of {}", listed(&self.names)) } else { format!("at most {MOST} classes") };
            let help = "add the name to the classes, or leave the row out";
            return Err(Error::data(format!("the name {short:?}"), expected, help));
        }
        let number = self.names.len() as u32;
        self.names.push(name.to_owned());
        self.numbers.insert(name.to_owned(), number);
        Ok(number)
    }

    /// The names as they are counted at last: sorted unless their order was given; for each number so far the last one.
    pub(super) fn sorted(&self) -> (Vec<String>, Vec<u32>) {
        let mut order: Vec<usize> = (0..self.names.len()).collect();
        if !self.given {
            order.sort_by(|a, b| self.names[*a].cmp(&self.names[*b]));
        }
        let mut numbers = vec![0; order.len()];
        for (last, now) in order.iter().enumerate() {
            numbers[*now] = last as u32;
        }
        (order.iter().map(|place| self.names[*place].clone()).collect(), numbers)
    }
}
