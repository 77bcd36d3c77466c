//! What can go wrong, as values.
//!
//! Every error renders to the same three parts: the cause on the first line, where it was found on indented lines, and one line
//! `help:` with something to do about it. `Debug` renders like `Display`, because `fn main() -> gradc::Result<()>` prints the
//! `Debug` form of an error to the user.

use crate::history::History;
use gradc_compiler::language::declaration::Refused;
use gradc_compiler::not_finite::Cause;
use std::fmt;
use std::path::{Path, PathBuf};

/// What a fallible function of gradc returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything that can go wrong outside the compiler.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A value in the data, or the data as a whole, is not what the network or the format asks for.
    #[error("{}", rendered(&joined(found, expected), &[data_place(file.as_deref(), *row, *column)], help))]
    Data {
        /// The file, if the data came from one.
        file: Option<Box<str>>,
        /// Line of the file, counted from 1; without a file the row of the dataset, counted from 0.
        row: Option<usize>,
        /// Column of the file or element of the row, counted like `row`.
        column: Option<usize>,
        /// What is there.
        found: String,
        /// What ought to be there; may be empty.
        expected: String,
        /// What to do about it.
        help: Box<str>,
    },
    /// A named array has another shape than it must have.
    #[error("{}", rendered(&format!("`{name}` has the shape {}; expected {}", Shape(found), Shape(expected)), &[], help))]
    Shape {
        /// What the network calls the array.
        name: String,
        /// The shape it has.
        found: Vec<usize>,
        /// The shape it must have.
        expected: Vec<usize>,
        /// What to do about it.
        help: Box<str>,
    },
    /// The operating system refused to read or write a file.
    #[error("{}", rendered(&format!("cannot {action} `{}`: {source}", path.display()), &[], io_help(source)))]
    Io {
        /// `read` or `write`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A checkpoint is damaged, cut off, or holds what gradc does not read.
    #[error("{}", rendered(&joined(found, expected), &[place_in(file.as_deref())], help))]
    Checkpoint {
        /// The file, if it came from one.
        file: Option<Box<str>>,
        /// What is there.
        found: String,
        /// What ought to be there; may be empty.
        expected: String,
        /// What to do about it.
        help: Box<str>,
    },
    /// A checkpoint is sound, but its tensors are not the network's parameters.
    #[error("{}", rendered("the checkpoint does not fit the network", &mismatch(file.as_deref(), missing, extra, unlike),
        "use `load_matching` to take what fits, or load the file into the network that wrote it"))]
    Parameters {
        /// The file, if it came from one.
        file: Option<Box<str>>,
        /// Parameters that the file does not hold.
        missing: Vec<String>,
        /// Tensors that the network does not have.
        extra: Vec<String>,
        /// Parameters that the file holds in another shape.
        unlike: Vec<Unlike>,
    },
    /// A setting has a value outside its range.
    #[error("{}", rendered(&format!("`{name}` cannot be {found}"), &[], &format!("`{name}` must be {expected}")))]
    Setting {
        /// The setting, as the user writes it.
        name: String,
        /// The value it was given.
        found: String,
        /// What it must be, to stand after 'must be'.
        expected: String,
    },
    /// The declaration of the network is faulty: its diagnostics, rendered.
    #[error("{0}")]
    Model(String),
    /// The loss became NaN or infinite, and the run stopped before that step's update; or the loss was finite, and an update of the
    /// run's last steps was not.
    #[error("{}", rendered(&what_diverged(*step, *loss), &divergence(node, place, why, history.as_deref()),
        &format!("{}; {}", what_is_kept(*step, *kept), what_to_try(*step, remedy.as_deref()))))]
    Diverged {
        /// The step, counted from 1.
        step: u64,
        /// NaN or an infinity; a number where the update alone was not finite.
        loss: f64,
        /// The step behind which the parameters are, all of them finite; none if there is no such state to go back to.
        kept: Option<u64>,
        /// The first node with a value that is not finite.
        node: Option<Box<str>>,
        /// File, line and column of the call that made the node.
        place: Option<Box<str>>,
        /// Its first element that is not finite, such as `log of -0.25 is NaN`, where it is made of one element of each operand.
        why: Option<Box<str>>,
        /// What keeps that from happening again, where it is not that numbers became too large.
        remedy: Option<Box<str>>,
        /// The run so far, if it was one of several steps.
        history: Option<Box<History>>,
    },
    /// A mistake in gradc itself.
    #[error("{}", rendered(&format!("mistake inside gradc, in {pass}: {text}"), &[],
        "please report this with the network's declaration; it is not your mistake"))]
    Internal {
        /// The stage or pass that noticed.
        pass: String,
        /// What it noticed.
        text: String,
    },
}

/// A parameter whose shape in the file is not its shape in the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unlike {
    /// The parameter, such as `hidden.dense.weight`.
    pub name: String,
    /// The shape in the file.
    pub found: Vec<usize>,
    /// The shape in the network.
    pub expected: Vec<usize>,
}

impl From<Refused> for Error {
    fn from(refused: Refused) -> Error {
        Error::Model(refused.to_string())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Unlike {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Unlike { name, found, expected } = self;
        write!(f, "`{name}`: {} in the file, {} in the network", Shape(found), Shape(expected))?;
        let transposed = found.len() == 2 && found[0] != found[1] && found.iter().rev().eq(expected);
        f.write_str(if transposed { " (the transpose: weights here are [in, out])" } else { "" })
    }
}

impl Error {
    /// The file at `path` could not be read.
    pub fn read(path: &Path, source: std::io::Error) -> Error {
        Error::Io { action: "read", path: path.to_owned(), source }
    }

    /// The file at `path` could not be written.
    pub fn write(path: &Path, source: std::io::Error) -> Error {
        Error::Io { action: "write", path: path.to_owned(), source }
    }

    /// A mistake in data: `found` where `expected` (may be empty) ought to be, and what to do about it.
    pub fn data(found: impl Into<String>, expected: impl Into<String>, help: impl Into<Box<str>>) -> Error {
        let (found, expected, help) = (found.into(), expected.into(), help.into());
        Error::Data { file: None, row: None, column: None, found, expected, help }
    }

    /// The same error with a file, where it can name one and names none yet.
    pub fn in_file(mut self, name: &str) -> Error {
        if let Error::Data { file, .. } | Error::Checkpoint { file, .. } | Error::Parameters { file, .. } = &mut self {
            file.get_or_insert_with(|| name.into());
        }
        self
    }

    /// The same error in data with a row (or line) and a column.
    pub fn at(mut self, row: usize, column: impl Into<Option<usize>>) -> Error {
        if let Error::Data { row: known_row, column: known_column, .. } = &mut self {
            (*known_row, *known_column) = (Some(row), column.into());
        }
        self
    }

    /// A run that diverged in a step at this loss, with what is known of it.
    pub(crate) fn diverged((step, loss): (u64, f64), kept: Option<u64>, cause: Option<Cause>, history: Option<History>) -> Error {
        let Cause { node, place, why, help, is_outside } = cause.unwrap_or_default();
        let known = |text: String| Some(text.into_boxed_str()).filter(|text| !text.is_empty());
        Error::Diverged {
            step,
            loss,
            kept,
            node: known(node),
            place: place.and_then(known),
            why: why.and_then(known),
            remedy: known(help).filter(|_| is_outside),
            history: history.map(Box::new),
        }
    }

    /// The setting `name` is `found`, but must be `expected`.
    pub fn setting(name: &str, found: impl fmt::Display, expected: &str) -> Error {
        Error::Setting { name: name.to_owned(), found: found.to_string(), expected: expected.to_owned() }
    }
}

/// A shape as it is written in a network: `[64, 128]`.
pub(crate) struct Shape<'a>(pub &'a [usize]);

impl fmt::Display for Shape<'_> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.debug_list().entries(self.0).finish()
    }
}

/// A number whose infinities are words.
struct Number(f64);

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self.0 {
            x if x == f64::INFINITY => f.write_str("infinite"),
            x if x == f64::NEG_INFINITY => f.write_str("minus infinity"),
            x => write!(f, "{x}"),
        }
    }
}

fn rendered(cause: &str, places: &[String], help: &str) -> String {
    let mut text = cause.to_owned();
    for place in places.iter().filter(|place| !place.is_empty()) {
        text.push_str("\n  ");
        text.push_str(place);
    }
    text.push_str("\nhelp: ");
    text.push_str(help);
    text
}

fn joined(found: &str, expected: &str) -> String {
    if expected.is_empty() { found.to_owned() } else { format!("{found}; expected {expected}") }
}

fn place_in(file: Option<&str>) -> String {
    file.map(|file| format!("in {file}")).unwrap_or_default()
}

fn data_place(file: Option<&str>, row: Option<usize>, column: Option<usize>) -> String {
    let line = if file.is_some() { "line" } else { "row" };
    let parts =
        [file.map(str::to_owned), row.map(|row| format!("{line} {row}")), column.map(|column| format!("column {column}"))];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    if parts.is_empty() { String::new() } else { format!("in {}", parts.join(", ")) }
}

fn what_diverged(step: u64, loss: f64) -> String {
    match loss.is_finite() {
        true => format!("the update became NaN or infinite at step {step}, at a loss of {loss}"),
        false => format!("the loss became {} at step {step}", Number(loss)),
    }
}

/// Which parameters a run that failed leaves behind.
fn what_is_kept(step: u64, kept: Option<u64>) -> String {
    match kept {
        Some(kept) if kept.saturating_add(1) < step => {
            format!("the parameters are those before step {}, whose update made them NaN or infinite", kept + 1)
        }
        Some(_) => "the parameters are those before this step".into(),
        None => "parameters were NaN or infinite before this step, and there is no other state to go back to".into(),
    }
}

/// The first step's numbers come of no update: a rate has no part in them.
fn what_to_try(step: u64, remedy: Option<&str>) -> String {
    match (remedy, step) {
        (None, _) => "try a smaller learning rate, `clip_global_norm`, or standardised inputs".into(),
        (Some(remedy), ..=1) => remedy.to_owned(),
        (Some(remedy), _) => format!("{remedy}; or try a smaller learning rate"),
    }
}

fn divergence(
    node: &Option<Box<str>>,
    place: &Option<Box<str>>,
    why: &Option<Box<str>>,
    history: Option<&History>,
) -> Vec<String> {
    let origin = match (node, place) {
        (Some(node), Some(place)) => format!("first in {node}, from {place}"),
        (Some(node), None) => format!("first in {node}"),
        (None, Some(place)) => format!("first at {place}"),
        (None, None) => String::new(),
    };
    vec![origin, why.as_deref().unwrap_or_default().to_owned(), history.map_or_else(String::new, History::so_far)]
}

/// How many names of each kind an error lists.
const LISTED: usize = 10;

fn mismatch(file: Option<&str>, missing: &[String], extra: &[String], unlike: &[Unlike]) -> Vec<String> {
    let quoted = |name: &String| format!("`{name}`");
    vec![
        place_in(file),
        listed("missing in the file", missing.iter().map(quoted), ", "),
        listed("unknown to the network", extra.iter().map(quoted), ", "),
        listed("of another shape", unlike.iter().map(Unlike::to_string), "; "),
    ]
}

fn listed(what: &str, items: impl ExactSizeIterator<Item = String>, between: &str) -> String {
    let count = items.len();
    if count == 0 {
        return String::new();
    }
    let shown: Vec<String> = items.take(LISTED).collect();
    let rest = if count > LISTED { format!(" and {} more", count - LISTED) } else { String::new() };
    format!("{what} ({count}): {}{rest}", shown.join(between))
}

fn io_help(source: &std::io::Error) -> &'static str {
    use std::io::ErrorKind;
    match source.kind() {
        ErrorKind::NotFound => "check the path; it is taken from the working directory",
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => "check the permissions, or choose another directory",
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "make room on the disk; parameters that stood there are untouched",
        ErrorKind::IsADirectory => "name a file, not a directory",
        ErrorKind::InvalidData => "the file is no text in UTF-8: name the one that is meant",
        _ => "see the system's message above",
    }
}

#[cfg(test)]
mod tests;
