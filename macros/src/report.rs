//! Diagnostics as rustc shows them.
//!
//! Stable Rust gives a macro's error one place. So an error stands at its primary place, and each place that it comes from has an error
//! of its own that says so. Stable macros cannot warn at all: a lint is a use of a deprecated item at the word.

use gradc_compiler::base::diagnostics::{Diagnostic, Diagnostics, Severity};
use gradc_compiler::base::place::Span;
use gradc_compiler::language::source::tokens_at;
use proc_macro2::{Ident, Punct, Spacing, TokenStream};
use quote::{quote, quote_spanned};

/// Everything that was found, as items.
pub fn errors_and_warnings(diagnostics: &Diagnostics, tokens: &TokenStream) -> TokenStream {
    diagnostics
        .iter()
        .map(|diagnostic| match diagnostic.severity {
            Severity::Error => error(diagnostic, tokens),
            Severity::Warning(lint) => warning(lint, diagnostic, tokens),
        })
        .collect()
}

fn error(diagnostic: &Diagnostic, tokens: &TokenStream) -> TokenStream {
    let mut written = compile_error(diagnostic.primary.span, &text_of(diagnostic), tokens);
    for label in diagnostic.secondary.iter().filter(|label| label.span.is_known() && !label.text.is_empty()) {
        let text = format!("[{}] {} (needed at {})", diagnostic.code, label.text, place(diagnostic.primary.span));
        written.extend(compile_error(label.span, &text, tokens));
    }
    written
}

fn text_of(diagnostic: &Diagnostic) -> String {
    let mut text = format!("[{}] {}", diagnostic.code, diagnostic.message);
    let notes = [&diagnostic.primary.text].into_iter().filter(|label| !label.is_empty()).map(|label| format!("here: {label}"));
    let help = diagnostic.help.iter().map(|help| format!("help: {help}"));
    for line in notes.chain(help) {
        text.push('\n');
        text.push_str(&line);
    }
    text
}

fn place(span: Span) -> String {
    format!("line {}, column {}", span.line, span.column)
}

fn compile_error(span: Span, text: &str, tokens: &TokenStream) -> TokenStream {
    let (first, last) = ends(span, tokens);
    // As `syn::Error` does: the first token gets the start, the last one the end.
    let both = [token_at(first), token_at(last)].into_iter().collect::<TokenStream>();
    syn::Error::new_spanned(both, text).into_compile_error()
}

fn ends(span: Span, tokens: &TokenStream) -> (proc_macro2::Span, proc_macro2::Span) {
    let here = proc_macro2::Span::call_site();
    tokens_at(tokens.clone(), span).unwrap_or((here, here))
}

fn warning(lint: &str, diagnostic: &Diagnostic, tokens: &TokenStream) -> TokenStream {
    let (at, _) = ends(diagnostic.primary.span, tokens);
    let name = Ident::new(lint, proc_macro2::Span::call_site());
    let here = Ident::new(lint, at);
    let help = diagnostic.help.as_ref().map_or_else(String::new, |help| format!("; {help}"));
    let note = format!("{}{help} (allow({lint}) silences this)", diagnostic.message);
    let usage = quote_spanned!(at=> let () = #here;);
    quote! {
        const _: () = {
            #[deprecated(note = #note)]
            #[allow(non_upper_case_globals)]
            const #name: () = ();
            #usage
        };
    }
}

/// Any token at a place.
fn token_at(span: proc_macro2::Span) -> TokenStream {
    let mut token = Punct::new(';', Spacing::Alone);
    token.set_span(span);
    quote!(#token)
}
