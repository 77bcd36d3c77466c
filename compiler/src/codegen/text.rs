//! Functions as text: Cranelift's, with the titles of statements and the names of callees put in.

use cranelift_codegen::ir::{Block, Function};

use super::symbols::{Callee, Names};

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

/// The machine instructions of a function.
pub(super) fn assembly(name: &str, code: Option<&str>, function: &Function, names: &Names) -> String {
    let mut text = format!("{name}:\n");
    for line in code.unwrap_or_default().lines() {
        let mut line = line.to_owned();
        // Longer numbers first, so that none is taken for the beginning of another.
        for (reference, user) in function.params.user_named_funcs().iter().rev() {
            if let Some(name) = named(user.index, names) {
                line = line.replace(&format!("User({reference})"), &name).replace(&reference.to_string(), &name);
            }
        }
        text.push_str(&line);
        text.push('\n');
    }
    text
}
