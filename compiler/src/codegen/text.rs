//! Functions as text: Cranelift's, with the titles of statements and the names of callees put in, and machine instructions with the
//! graph nodes that they serve.

use cranelift_codegen::ir::{Block, Function};

use super::listing::{Line, Serves};
use super::symbols::{Callee, Names};
use std::collections::BTreeMap;
use std::fmt::Write;

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
    let callee: Callee = names.all().nth(number as usize)?;
    Some(names.name(callee))
}

/// The machine instructions of a function; the node is given where it changes.
pub fn assembly(name: &str, lines: &[Line], about: About) -> String {
    let mut text = format!("{name}:\n; {}\n", shares(lines));
    let mut known = None;
    for line in lines {
        if let Some(label) = &line.label {
            let _ = writeln!(text, "{label}:");
        }
        let own = format!("  {}", line.text);
        let remark = if known == Some(line.serves) { String::new() } else { served(line.serves, about) };
        known = Some(line.serves);
        let _ = match remark.as_str() {
            "" => writeln!(text, "{own}"),
            _ => writeln!(text, "{own:PLACE_COLUMN$}; {remark}"),
        };
    }
    text
}

/// What bytes serve, in words.
pub fn served(serves: Serves, about: About) -> String {
    match serves {
        Serves::Node(node) => about(node).map_or_else(|| format!("%{node}"), |about| format!("%{node} {about}")),
        Serves::Kernel(kernel) => format!("runs kernel {kernel}"),
        Serves::Driver => "driver".into(),
        Serves::Frame => "frame".into(),
        Serves::Spill => "spill".into(),
        Serves::Constant => "constant".into(),
        Serves::Unplaced => "unplaced".into(),
    }
}

/// `1234 bytes: 96.1 % serve 12 nodes, frame 20, spill 12, constant 16`.
pub fn shares(lines: &[Line]) -> String {
    let total: usize = lines.iter().map(|line| line.size).sum();
    let placed: usize = lines.iter().filter(|line| line.serves.is_placed()).map(|line| line.size).sum();
    let mut rest: BTreeMap<Serves, usize> = BTreeMap::new();
    for line in lines.iter().filter(|line| !line.serves.is_placed()) {
        *rest.entry(line.serves).or_default() += line.size;
    }
    let nodes: std::collections::BTreeSet<Serves> = lines.iter().map(|line| line.serves).filter(|serves| serves.is_placed()).collect();
    let what = match nodes.first() {
        Some(Serves::Node(_)) => format!("serve {} node{}", nodes.len(), if nodes.len() == 1 { "" } else { "s" }),
        _ => "run kernels and the driver".into(),
    };
    let mut text = format!("{total} bytes: {:.1} % {what}", 100.0 * placed as f64 / total.max(1) as f64);
    for (serves, bytes) in rest {
        let _ = write!(text, ", {} {bytes}", served(serves, &|_| None));
    }
    text
}
