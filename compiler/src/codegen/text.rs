//! Functions as text: Cranelift's, with the titles of statements and the names of callees put in, and machine instructions with the
//! graph nodes that they serve.

use cranelift_codegen::ir::{Block, Function};

use super::listing::{Line, Made, Serves};
use super::symbols::Names;
use std::collections::BTreeMap;
use std::fmt::{self, Write};

/// Column at which the node that an instruction serves is given.
const PLACE_COLUMN: usize = 56;

/// What a node is, for the reader: its layer path and place.
pub type About<'a> = &'a dyn Fn(u32) -> Option<String>;

/// The Cranelift text of a function; a comment before a block gives the title of the statement that begins there.
pub(super) fn clif(function: &Function, names: &Names, titles: &[(Block, String)]) -> String {
    let mut text = String::new();
    for line in function.display().to_string().lines() {
        let head = line.trim_start();
        let title = titles.iter().find(|(block, _)| head.strip_prefix(&block.to_string()).is_some_and(begins_head));
        if let Some((_, title)) = title {
            let indent = line.len() - head.len();
            text.push_str(&format!("{:indent$}; {title}\n", ""));
        }
        text.push_str(line);
        if let Some(name) = imported(head, function, names) {
            text.push_str(&format!(" ; {name}"));
        }
        text.push('\n');
    }
    text
}

/// Whether this follows the block's name in the line that begins it.
fn begins_head(rest: &str) -> bool {
    rest.starts_with(':') || rest.starts_with('(') && rest.ends_with(':')
}

/// The callee that a line of the preamble declares.
fn imported(line: &str, function: &Function, names: &Names) -> Option<String> {
    let (left, _) = line.split_once(" = ")?;
    let number: usize = left.strip_prefix("fn")?.parse().ok()?;
    let (_, data) = function.dfg.ext_funcs.iter().nth(number)?;
    let cranelift_codegen::ir::ExternalName::User(reference) = data.name else {
        return None;
    };
    let name = &function.params.user_named_funcs()[reference];
    named(name.index, names)
}

fn named(number: u32, names: &Names) -> Option<String> {
    names.callee(number).map(|callee| names.name(callee))
}

/// The machine instructions of a function; what they serve is given where it changes.
pub fn assembly(name: &str, lines: &[Line], about: About) -> String {
    let mut text = format!("{name}:\n; {}\n", Shares::of(lines));
    let mut known = None;
    for line in lines {
        if let Some(label) = &line.label {
            let _ = writeln!(text, "{label}:");
        }
        let own = format!("  {}", line.text);
        let now = Some((line.serves, line.made));
        let _ = match known == now {
            true => writeln!(text, "{own}"),
            false => writeln!(text, "{own:PLACE_COLUMN$}; {}", served(line, about)),
        };
        known = now;
    }
    text
}

/// What an instruction serves, in words.
pub fn served(line: &Line, about: About) -> String {
    let serves = match line.serves {
        Serves::Node(node) => about(node).map_or_else(|| format!("%{node}"), |about| format!("%{node} {about}")),
        Serves::Kernel(kernel) => format!("runs kernel {kernel}"),
        Serves::Driver => "driver".into(),
        Serves::Function => String::new(),
    };
    match line.made {
        Some(made) if serves.is_empty() => made.to_string(),
        Some(made) => format!("{made} for {serves}"),
        None => serves,
    }
}

/// How many bytes of a function, or of several, lead back to what the user wrote.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Shares {
    /// All bytes.
    pub total: usize,
    /// Bytes that serve a node, or that run a kernel.
    pub placed: usize,
    /// Bytes that the compiler made on its own, those on behalf of a node among them.
    pub made: BTreeMap<Made, usize>,
}

impl Shares {
    /// Counts the bytes of these lines.
    pub fn of<'a>(lines: impl IntoIterator<Item = &'a Line>) -> Shares {
        let mut shares = Shares::default();
        for line in lines {
            shares.total += line.size;
            shares.placed += if line.serves.is_placed() { line.size } else { 0 };
            if let Some(made) = line.made {
                *shares.made.entry(made).or_default() += line.size;
            }
        }
        shares
    }
    /// Per cent of the bytes that are placed.
    pub fn percent(&self) -> f64 {
        100.0 * self.placed as f64 / self.total.max(1) as f64
    }
}

impl fmt::Display for Shares {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes, {:.1} % lead back to a node or a kernel; made by the compiler:", self.total, self.percent())?;
        self.made.iter().try_for_each(|(made, bytes)| write!(f, " {made} {bytes}"))?;
        if self.made.is_empty() { f.write_str(" none") } else { Ok(()) }
    }
}

impl fmt::Display for Made {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Made::Frame => "frame",
            Made::Spill => "spill",
            Made::Constant => "constant",
        })
    }
}
