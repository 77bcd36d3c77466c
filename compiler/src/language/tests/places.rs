//! Spans point at the user's lines and columns, and a macro's text keeps every token where it was.

use super::{DIGITS, read};
use crate::base::place::{Source, Span};
use crate::language::ast::{ExpressionKind, Item, StatementKind};
use crate::language::parse::{parse_text, parse_tokens};
use crate::language::print;
use crate::language::source::{line_of, source_of, span_of, text_of, tokens_at};
use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

/// Every token with its span, groups opened.
fn flat(tokens: TokenStream) -> Vec<(String, Span)> {
    let mut flat_tokens = Vec::new();
    for tree in tokens {
        match tree {
            TokenTree::Group(group) => {
                let bracket = format!("{:?}", group.delimiter());
                flat_tokens.push((bracket, span_of(group.span())));
                flat_tokens.extend(flat(group.stream()));
            }
            TokenTree::Punct(punct) => {
                let text = format!("{}{:?}", punct.as_char(), punct.spacing());
                flat_tokens.push((text, span_of(punct.span())));
            }
            other => flat_tokens.push((other.to_string(), span_of(other.span()))),
        }
    }
    flat_tokens
}

fn tokens(text: &str) -> TokenStream {
    text.parse().expect("the text is tokens")
}

/// Tokens of the first braces, as a macro in the middle of a file gets them.
fn inside_of_braces(text: &str) -> TokenStream {
    tokens(text)
        .into_iter()
        .find_map(|tree| match tree {
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => Some(group.stream()),
            _ => None,
        })
        .expect("the text has braces")
}

const MACRO: &str = "\
use gradc::prelude::*;

mod nets { network! { /// On the macro's line.
    /// Ünïcode: 8×8 // \"quoted\"
    pub Net { /* here ü */ input x:\t[batch, 64];  // a comment
        /** A block. */ target y: class( crate :: CLASSES );
        /** Two
            lines. */
        #[doc = \" Written out.\"]
        let s = \"two
lines\"; let z = x.dense({ if A == 1 { 2 } else { b\"x\".len() } });
        for i in 0 ..= 3 { h = h<-1. ; }
    }
} }
";

#[test]
fn the_text_of_a_macro_keeps_tokens_lines_and_columns() {
    let whole = format!("network! {{{DIGITS}}}");
    for text in [whole, MACRO.to_owned(), MACRO.replace('\n', "\r\n")] {
        let inside = inside_of_braces(&text);
        let (kept, first_line) = text_of(inside.clone());
        let shifted: Vec<_> = flat(tokens(&kept))
            .into_iter()
            .map(|(text, span)| {
                let line = span.line + first_line - 1;
                let end_line = span.end_line + first_line - 1;
                (text, Span { line, end_line, ..span })
            })
            .collect();
        let expected = flat(inside);
        for (kept, wanted) in shifted.iter().zip(&expected) {
            // A carriage return counts as the last character of a doc comment.
            let near = kept.1.end_column.abs_diff(wanted.1.end_column) <= 1;
            assert_eq!((&kept.0, kept.1.start()), (&wanted.0, wanted.1.start()));
            assert!(near, "{kept:?} {wanted:?}");
        }
        assert_eq!(shifted.len(), expected.len());
    }
}

#[test]
fn reading_a_macro_again_gives_the_same_tree_and_places() {
    let text = format!("\n\n\n  network! {{\n{DIGITS}}}");
    let inside = inside_of_braces(&text);
    let source = source_of("main.rs", inside.clone());
    assert_eq!(source.first_line(), 5);
    assert_eq!(parse_text(&source), parse_tokens(inside));
    assert_eq!(source.line(7).map(str::trim), Some("input  pixels: [batch, 64];"));
}

#[test]
fn mistakes_of_a_macro_are_found_at_the_same_places_again() {
    let text = "\n\n network! { Net {\n  inptu x: [3];\n let y = ;\n let z = 3 } }";
    let inside = inside_of_braces(text);
    let (again, compiled) = (parse_text(&source_of("main.rs", inside.clone())), parse_tokens(inside));
    assert_eq!(again, compiled);
    let places: Vec<_> = again.1.iter().map(|m| m.primary.span.start()).collect();
    assert_eq!(places, [(4, 3), (5, 10), (6, 11)]);
}

#[test]
fn tokens_without_places_are_laid_out_in_their_order() {
    let made = quote::quote! {
        /// Doc.
        pub Net { input x: [batch, 3]; let y = x.dense(1.5) == -x - -1; minimize "a" ; }
    };
    let (kept, _) = text_of(made.clone());
    let texts = |tokens: TokenStream| flat(tokens).into_iter().map(|(text, _)| text);
    assert!(texts(tokens(&kept)).eq(texts(made.clone())), "{kept}");
    assert!(texts(tokens(&line_of(made.clone()))).eq(texts(made)));
}

#[test]
fn a_line_keeps_the_users_spaces() {
    let line = |text: &str| line_of(tokens(text));
    assert_eq!(line("A  +\n  f( 1 )*2"), "A + f( 1 )*2");
    assert_eq!(line("a::<B>() == -x"), "a::<B>() == -x");
}

#[test]
fn nodes_know_where_they_are_written() {
    let file = read(DIGITS);
    let Some(Item::Network(network)) = file.items.first() else {
        panic!("a network was written");
    };
    assert_eq!(network.name.span, Span::new((2, 9), (2, 15)));
    assert_eq!(network.span, Span::new((2, 5), (14, 6)));
    let minimize = &network.statements[6];
    assert_eq!(minimize.word, Span::new((11, 9), (11, 17)));
    assert_eq!(minimize.span, Span::new((11, 9), (11, 56)));
    let StatementKind::Minimize(loss) = &minimize.kind else {
        panic!("a loss was written");
    };
    let ExpressionKind::Binary { operator_span, left, right, .. } = &loss.kind else {
        panic!("a sum was written");
    };
    assert_eq!(operator_span.start(), (11, 46));
    assert_eq!(right.span, Span::new((11, 48), (11, 56)));
    let ExpressionKind::Method { call, .. } = &left.kind else {
        panic!("a call was written");
    };
    assert_eq!(call.name.span, Span::new((11, 25), (11, 38)));
    assert_eq!(call.span, Span::new((11, 25), (11, 45)));
    assert_eq!(left.span.start(), (11, 18));
}

#[test]
fn a_text_within_a_file_has_the_files_lines() {
    let (file, _) = parse_text(&Source::within("main.rs", "Net { }", 40));
    let Some(Item::Network(network)) = file.items.first() else {
        panic!("a network was written");
    };
    assert_eq!(network.name.span, Span::new((40, 1), (40, 4)));
}

#[test]
fn a_fragment_of_macro_rules_is_one_value() {
    let fragment = |text: &str| TokenTree::Group(Group::new(Delimiter::None, tokens(text)));
    let (visibility, sum, path) = (fragment("pub(crate)"), fragment("-a + b"), fragment("sizes::N"));
    let (width, element) = (fragment("64"), fragment("class(3)"));
    let made = quote::quote! {
        #visibility Net { input x: #element[batch, #width, #path]; let y = #sum * -#sum.exp(); }
    };
    let expected = "\
pub(crate) Net {
  input x: class(3)[batch, 64, sizes::N];
  let y = (-a + b) * -(-a + b).exp();
}
";
    let (text, _) = text_of(made.clone());
    for (file, mistakes) in [parse_tokens(made), parse_text(&Source::new("main.rs", &text))] {
        assert!(mistakes.is_empty(), "{mistakes:#?}\n{text}");
        assert_eq!(print::file(&file), expected);
    }
}

#[test]
fn a_span_is_found_among_the_tokens() {
    let text = "Net {\n let y = x.dense(10)\n let z = 1; }";
    let found = |span: Span| {
        let (first, last) = tokens_at(tokens(text), span).expect("there are tokens");
        (span_of(first).start(), span_of(last).end())
    };
    let call = Span::new((2, 12), (2, 21));
    assert_eq!(found(call), (call.start(), call.end()));
    // Behind the statement, where `;` is missing.
    assert_eq!(found(Span::new((2, 21), (2, 22))), ((2, 20), (2, 21)));
    assert_eq!(found(Span::UNKNOWN), ((1, 1), (1, 4)));
    assert!(tokens_at(TokenStream::new(), call).is_none());
}
