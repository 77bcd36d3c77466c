//! The language of `network!` and of `.net` files.
//!
//! One grammar, read from tokens: those rustc hands to the macro, or those of a text. [`parse`] turns them into the
//! tree of [`ast`], which says what was written and nothing about what it means; [`mod@print`] gives a tree its canonical
//! text; [`mod@elaborate`] builds the network that a tree means; [`source`] keeps the text of a macro's tokens with every token at its line and column, so that the compiled
//! program can read its own declaration again; [`codes`] explains each mistake.

pub mod ast;
pub mod codes;
pub mod declaration;
pub mod elaborate;
pub mod parse;
pub mod print;
pub mod shown;
pub mod source;

#[cfg(test)]
pub(crate) mod blessed;
#[cfg(test)]
mod tests;
