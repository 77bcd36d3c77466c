//! `network!`: a thin skin over `gradc_compiler::language`.
//!
//! The macro parses its tokens, elaborates every network in them for both times at which it lives, and reports what is wrong at the
//! words that are wrong (`report`). What it writes (`expand`) is a type a network that holds the text itself: when the program
//! starts, the same code parses and elaborates it again, with the values that only rustc knew. So the rules are written once, and
//! nothing can differ between what was checked and what runs. The same types are written when there were errors, so that one mistake
//! does not become twenty.

#![warn(missing_docs)]

mod expand;
mod report;

use expand::Elaborated;
use gradc_compiler::language::ast::{self, Item};
use gradc_compiler::language::elaborate::{Elaboration, disagreement, elaborate};
use gradc_compiler::language::parse::parse_tokens;
use gradc_compiler::language::source::source_of;
use proc_macro2::TokenStream;

/// Declares networks, functions and optimizers; see the crate `gradc` for an example, and its guide for the language.
///
/// For `pub Digits { … }` it makes these types, each item with what the declaration says of it:
///
/// | type | holds |
/// |---|---|
/// | `Digits` | the model, a `gradc::Model` with `evaluate` (and `predict` of several values) in the types below; `options`, `declaration`, `predictor`, `read`, `try_clone`; `set_rate` for `setting rate`; `LOSS` and `ACCURACY`, by which a run is judged; `PARAMETERS`, their number, where no number of the text is rustc's alone |
/// | `DigitsOptions` | the seed, and for `const width` a method `width`; `compile`, and what `Digits` has for the declared sizes |
/// | `DigitsInputs`, `DigitsBatch` | borrowed rows: each `input`, each `input` and `target`, row-major |
/// | `DigitsMetrics` | the loss, and what is reported |
/// | `DigitsPrediction` | what is served, if it is more than one value |
///
/// A doc comment may stand before the network and before each of its statements.
#[proc_macro]
pub fn network(tokens: proc_macro::TokenStream) -> proc_macro::TokenStream {
    network_of(tokens.into()).into()
}

fn network_of(tokens: TokenStream) -> TokenStream {
    let (file, mut diagnostics) = parse_tokens(tokens.clone());
    let name = tokens.clone().into_iter().next().map_or_else(String::new, |first| first.span().file());
    let source = source_of(&name, tokens.clone());
    let is_readable = !diagnostics.has_errors();
    let networks: Vec<&ast::Network> = file.items.iter().filter_map(network_item).collect();
    let mut written = TokenStream::new();
    for network in networks {
        // After a slip of syntax too, so that all mistakes come at once.
        let [training, evaluation] = [true, false].map(|training| {
            let options = Elaboration { training, rust: vec![None; file.rust.len()], ..Elaboration::default() };
            elaborate(&file, network, &source, &options)
        });
        diagnostics.join(training.1);
        diagnostics.join(evaluation.1);
        if !diagnostics.has_errors()
            && let Some(mistake) = disagreement(&training.0, &evaluation.0)
        {
            diagnostics.push(mistake);
        }
        let elaborated = match (diagnostics.has_errors(), file.rust.is_empty()) {
            (true, _) => Elaborated::Mistaken,
            (false, false) => Elaborated::Later,
            (false, true) => Elaborated::Whole(Box::new((training.0, evaluation.0))),
        };
        written.extend(expand::network(network, &file, &source, &tokens, &elaborated));
    }
    diagnostics.retain(|diagnostic| is_readable || diagnostic.is_error());
    let mut all = report::errors_and_warnings(&diagnostics, &tokens);
    all.extend(written);
    all
}

fn network_item(item: &Item) -> Option<&ast::Network> {
    match item {
        Item::Network(network) => Some(network),
        Item::Function(_) | Item::Optimizer(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_and_setting_says_what_it_was_declared_as() {
        let text = "pub Net { const width = 8; setting eta = 0.1; /// Grey values.\n input x: [batch, 4]; target y: class(3); \
            let z = x.dense(width).dense(3); predict p = z.softmax(), logits = z; minimize z.cross_entropy(y); using sgd(eta); \
            /// Hits.\n report accuracy(z, y); }";
        let written = network_of(text.parse().expect("tokens")).to_string();
        for told in [
            "declared `8`",
            "declared as `0.1`",
            "Grey values.",
            "`[batch, 4]`, row by row.",
            "`class(3)`, row by row.",
            "`z.softmax()`",
            "Hits.",
            "`accuracy(z, y)`",
        ] {
            assert!(written.contains(told), "{told} is missing in\n{written}");
        }
    }
}
