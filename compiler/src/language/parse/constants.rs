//! Which names are Rust's: those written as Rust writes its constants, unless the text declares them itself.

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use std::collections::HashSet;

/// Words behind which a name is declared.
const DECLARING: [&str; 12] =
    ["input", "target", "let", "mut", "const", "setting", "parameter", "layer", "for", "state", "fn", "optimizer"];

/// Whether a name is written like a constant of Rust: `WIDTH`, `N_CLASSES`. One letter is none: `X` is what a matrix is called.
pub(super) fn is_constant(name: &str) -> bool {
    let is_upper = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    name.len() > 1 && name.starts_with(|c: char| c.is_ascii_uppercase()) && name.chars().all(is_upper)
}

/// Adds the names like constants that stand where a name is declared: behind a word that declares, among the parameters of a function.
pub(super) fn declared(tokens: &TokenStream, names: &mut HashSet<String>) {
    let (mut last, mut before) = (String::new(), String::new());
    for token in tokens.clone() {
        match token {
            TokenTree::Ident(ident) => {
                let word = ident.to_string();
                if is_constant(&word) && DECLARING.contains(&last.as_str()) {
                    names.insert(word.clone());
                }
                before = std::mem::replace(&mut last, word);
            }
            TokenTree::Group(group) => {
                let is_parameters = ["fn", "optimizer"].contains(&before.as_str()) && group.delimiter() == Delimiter::Parenthesis;
                if is_parameters {
                    let words = group.stream().into_iter().filter_map(|token| match token {
                        TokenTree::Ident(ident) => Some(ident.to_string()),
                        _ => None,
                    });
                    names.extend(words.filter(|word| is_constant(word)));
                }
                declared(&group.stream(), names);
                (last, before) = (String::new(), String::new());
            }
            _ => (last, before) = (String::new(), String::new()),
        }
    }
}
