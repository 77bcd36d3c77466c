//! What classes are called. Data number names; parameters are made for the numbers, so other data must number the names alike.

use super::Model;
use crate::data::categories::listed;
use crate::error::{Error, Result};
use crate::rows::{Bound, Rows, bind};
use std::collections::BTreeMap;

/// What stands before a field's name in the keys of a file's metadata under which the names of its classes are.
const CLASSES: &str = "classes.";

/// Stands for the end of a line within a name, for names are lines of a file's metadata.
const LINE_END: &str = "\u{1f}";

/// For each field whose classes have names these, in the order in which they are counted.
pub(crate) type ClassNames = BTreeMap<String, Vec<String>>;

impl Model {
    /// What the classes of the field `name` are called, in the order in which they are counted: as in the data that the model was trained on,
    /// or the file that it was loaded from; empty if nothing named them. Data whose names are others are an error wherever the model is
    /// given rows; [`load_matching`](Model::load_matching) takes parameters without names.
    pub fn class_names(&self, name: &str) -> &[String] {
        self.class_names.get(name).map_or(&[], Vec::as_slice)
    }

    /// The fields whose classes have names, in alphabetical order, with these.
    pub fn named_classes(&self) -> impl Iterator<Item = (&str, &[String])> {
        self.class_names.iter().map(|(field, names)| (field.as_str(), names.as_slice()))
    }

    /// The rows, checked against the fields and the names of their classes.
    pub(crate) fn bound(&self, rows: &Rows, with_targets: bool) -> Result<Bound> {
        let bound = bind(rows, &self.compiled.info.fields, with_targets)?;
        agree(&self.class_names, &bound)?;
        Ok(bound)
    }

    /// Remembers the names of classes in the rows that the model learns from. Those that it knows are the same, as the rows were checked.
    pub(crate) fn note_class_names(&mut self, rows: &Bound) {
        for (field, names) in rows.class_names() {
            if !self.class_names.contains_key(field) {
                self.class_names.insert(field.to_owned(), names.to_vec());
            }
        }
    }
}

/// The names that rows bring.
pub(crate) fn names_in(rows: &Bound) -> ClassNames {
    rows.class_names().map(|(field, names)| (field.to_owned(), names.to_vec())).collect()
}

/// Whether the classes of the rows are called as they are `known`, where both have names.
pub(crate) fn agree(known: &ClassNames, rows: &Bound) -> Result<()> {
    for (field, names) in rows.class_names() {
        if let Some(known) = known.get(field).filter(|known| *known != names) {
            return Err(Error::data(
                format!("the classes of `{field}` are {}", listed(names)),
                format!("{}, as in the rows of training", listed(known)),
                "number them alike (categories_in_order), or take the parameters alone with `load_matching`",
            ));
        }
    }
    Ok(())
}

/// Names as metadata of a file.
pub(crate) fn written(names: &ClassNames) -> impl Iterator<Item = (String, String)> {
    let lines = |names: &[String]| names.iter().map(|name| name.replace('\n', LINE_END)).collect::<Vec<_>>().join("\n");
    names.iter().map(move |(field, names)| (format!("{CLASSES}{field}"), lines(names)))
}

/// The names that stand in a file's metadata.
pub(crate) fn read(metadata: &BTreeMap<String, String>) -> ClassNames {
    let names = |lines: &str| lines.split('\n').map(|name| name.replace(LINE_END, "\n")).collect();
    metadata.iter().filter_map(|(key, lines)| Some((key.strip_prefix(CLASSES)?.to_owned(), names(lines)))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_were_written() {
        let names = ["kiwi", "", "two\nlines", "a,\"b\""].map(str::to_owned).to_vec();
        let known = ClassNames::from([("fruit".to_owned(), names), ("x.y".to_owned(), vec!["one".to_owned()])]);
        assert_eq!(read(&written(&known).collect()), known);
        assert!(read(&BTreeMap::from([("network".to_owned(), "A".to_owned())])).is_empty());
    }
}
