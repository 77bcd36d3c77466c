//! The types that a network becomes.
//!
//! Everything here is read from the tree, not from the elaborated network, so that the same types are there after an error.

mod types;

use gradc_compiler::base::place::{Source, Span};
use gradc_compiler::language::ast::{Expression, File, Name, Network, Output, StatementKind, TensorType};
use gradc_compiler::language::elaborate::report_name;
use gradc_compiler::language::print::expression;
use gradc_compiler::language::source::span_of;
use gradc_compiler::nn;
use proc_macro2::{Ident, TokenStream, TokenTree};
use quote::{format_ident, quote, quote_spanned};
use types::{options_type, result_types, rows_types};

/// What the types are made from.
struct Parts<'a> {
    fields: Vec<Field<'a>>,
    constants: Vec<Named<'a>>,
    settings: Vec<Named<'a>>,
    /// Of several values served.
    served: Vec<Named<'a>>,
    measured: Vec<Named<'a>>,
}

/// An input or a target.
struct Field<'a> {
    name: &'a Name,
    doc: &'a [String],
    tensor: &'a TensorType,
    is_target: bool,
}

/// A name for a value.
struct Named<'a> {
    name: &'a Name,
    doc: &'a [String],
    value: &'a Expression,
}

/// What the macro knows of a network.
pub enum Elaborated {
    /// All: the network at training and at evaluation time.
    Whole(Box<(nn::Network, nn::Network)>),
    /// What does not hang on numbers that only rustc knows.
    Later,
    /// Its mistakes, which are reported.
    Mistaken,
}

/// The types of a network.
pub fn network(network: &Network, file: &File, source: &Source, tokens: &TokenStream, elaborated: &Elaborated) -> TokenStream {
    let parts = parts_of(network);
    let name = ident(&network.name, tokens);
    let options = format_ident!("{name}Options");
    let visibility: TokenStream = network.visibility.parse().unwrap_or_default();
    let docs = docs(network, elaborated);
    let text = text(network, file, source, tokens);
    let constants = constants(&parts, elaborated);
    let setters = parts.settings.iter().map(|setting| setter(setting, tokens));
    let methods = served_and_measured(&name, &parts);
    let conversions = conversions(&name);
    let options_type = options_type(&name, &options, &visibility, &parts, tokens);
    let rows_types = rows_types(&name, &visibility, &parts, tokens);
    let result_types = result_types(&name, &visibility, &parts, tokens);
    quote! {
        #(#[doc = #docs])*
        #[::core::prelude::v1::derive(::core::fmt::Debug)]
        #visibility struct #name(::gradc::Model);

        #[allow(dead_code)]
        impl #name {
            #constants
            #text
            /// How it is compiled: seed and sizes.
            pub fn options() -> #options {
                #options { seed: 0, sizes: ::std::vec::Vec::new() }
            }
            /// The network as a value, of which statements can be replaced.
            pub fn declaration() -> ::gradc::Result<::gradc::Declaration> {
                Self::options().declaration()
            }
            /// Serves a saved model; nothing of the training is compiled. [`Self::options`] has the same for other sizes than the declared.
            pub fn predictor(file: impl ::core::convert::AsRef<::std::path::Path>) -> ::gradc::Result<::gradc::Predictor> {
                Self::options().predictor(file)
            }
            /// Reads a file of data, or what `Dataset::csv`, `data::idx`, `data::npz`, `data::images` describe: its columns or
            /// arrays fill the inputs in the order of their declaration, then the targets; arrays with names fill the fields of
            /// these names.
            pub fn read(file: impl ::core::convert::Into<::gradc::data::Reader>) -> ::gradc::Result<::gradc::Dataset> {
                Self::options().read(file)
            }
            /// The same network once more, as it is now; see `Model::try_clone`.
            pub fn try_clone(&self) -> ::gradc::Result<Self> {
                self.0.try_clone().map(Self)
            }
            #(#setters)*
            #methods
        }

        #conversions
        #options_type
        #rows_types
        #result_types
    }
}

/// The network is its model, and becomes it.
fn conversions(name: &Ident) -> TokenStream {
    quote! {
        impl ::core::ops::Deref for #name {
            type Target = ::gradc::Model;
            fn deref(&self) -> &::gradc::Model {
                &self.0
            }
        }

        impl ::core::ops::DerefMut for #name {
            fn deref_mut(&mut self) -> &mut ::gradc::Model {
                &mut self.0
            }
        }

        /// The model alone, of the type that all networks have.
        impl ::core::convert::From<#name> for ::gradc::Model {
            fn from(net: #name) -> ::gradc::Model {
                net.0
            }
        }
    }
}

fn parts_of<'n>(network: &'n Network) -> Parts<'n> {
    let mut parts =
        Parts { fields: Vec::new(), constants: Vec::new(), settings: Vec::new(), served: Vec::new(), measured: Vec::new() };
    for statement in &network.statements {
        let doc = statement.doc.as_slice();
        let named = |output: &'n Output, name| Named { name, doc, value: &output.value };
        match &statement.kind {
            StatementKind::Input { name, tensor } => parts.fields.push(Field { name, doc, tensor, is_target: false }),
            StatementKind::Target { name, tensor } => parts.fields.push(Field { name, doc, tensor, is_target: true }),
            StatementKind::Const { name, value } => parts.constants.push(Named { name, doc, value }),
            StatementKind::Setting { name, value } => parts.settings.push(Named { name, doc, value }),
            StatementKind::Predict(outputs) => {
                parts.served.extend(outputs.iter().filter_map(|output| Some(named(output, output.name.as_ref()?))))
            }
            StatementKind::Report(outputs) => {
                parts.measured.extend(outputs.iter().filter_map(|output| Some(named(output, report_name(output)?))))
            }
            _ => {}
        }
    }
    // A name given twice was reported; the types need it once.
    let mut seen = std::collections::HashSet::new();
    parts.fields.retain(|field| seen.insert(("field", field.name.text.clone())));
    for (kind, names) in [
        ("constant", &mut parts.constants),
        ("setting", &mut parts.settings),
        ("served", &mut parts.served),
        ("measured", &mut parts.measured),
    ] {
        names.retain(|named| seen.insert((kind, named.name.text.clone())));
    }
    parts
}

/// The doc comment's lines, then the table of layers in a text block; a line where there would be none, for `#![deny(missing_docs)]`.
fn docs(network: &Network, elaborated: &Elaborated) -> Vec<String> {
    let mut lines = network.doc.clone();
    if lines.is_empty() {
        lines.push(format!("The network `{}`.", network.name.text));
    }
    if let Elaborated::Whole(networks) = elaborated {
        let (training, evaluation) = &**networks;
        lines.extend(["".into(), "```text".into()]);
        lines.extend(gradc_compiler::summary::summary(training, evaluation).lines().map(str::to_owned));
        lines.push("```".into());
    }
    lines
}

/// The numbers that only rustc knows, as the user wrote them, and a private function that hands them and the text to one of `gradc::expansion`.
fn text(network: &Network, file: &File, source: &Source, tokens: &TokenStream) -> TokenStream {
    let (text, first_line, name) = (source.text(), source.first_line(), &network.name.text);
    let numbers = file.rust.iter().map(|number| {
        let value = within(tokens, number.span);
        // At the place of the value, so that rustc speaks of it and not of the whole macro.
        let place = value.clone().into_iter().next().map_or_else(proc_macro2::Span::call_site, |first| first.span());
        quote_spanned!(proc_macro2::Span::call_site().located_at(place)=> #value as ::core::primitive::f64)
    });
    let count = file.rust.len();
    quote! {
        // Apart from the next, whose names would hide the user's.
        #[allow(clippy::cast_lossless, clippy::cast_precision_loss, clippy::unnecessary_cast, unused_braces)]
        fn __numbers() -> [::core::primitive::f64; #count] {
            [#(#numbers),*]
        }
        fn __text<T>(
            sizes: &[(&'static ::core::primitive::str, ::core::primitive::f64)],
            then: impl ::core::ops::FnOnce(&::gradc::expansion::Text) -> T,
        ) -> T {
            then(&::gradc::expansion::Text {
                text: #text,
                file: ::core::file!(),
                first_line: #first_line,
                network: #name,
                rust: &Self::__numbers(),
                sizes,
            })
        }
    }
}

/// The outermost token trees that lie in a span.
fn within(tokens: &TokenStream, span: Span) -> TokenStream {
    let mut found = TokenStream::new();
    let mut open = vec![tokens.clone()];
    while let Some(level) = open.pop() {
        for tree in level {
            if span.contains(span_of(tree.span())) {
                found.extend([tree]);
            } else if let TokenTree::Group(group) = tree {
                open.push(group.stream());
            }
        }
    }
    found
}

fn constants(parts: &Parts, elaborated: &Elaborated) -> TokenStream {
    let count = match elaborated {
        Elaborated::Whole(networks) => {
            Some(networks.0.learned().map(|learned| learned.shape.at(1).iter().product::<usize>()).sum())
        }
        // A program that uses it has one mistake less.
        Elaborated::Mistaken => Some(0_usize),
        Elaborated::Later => None,
    };
    let values = count.map(|count| {
        quote! {
            /// Number of learned values.
            pub const PARAMETERS: ::core::primitive::usize = #count;
        }
    });
    // Two metrics may differ in case alone, and one may be called as another constant is: the first has it, all have `monitor_named`.
    let mut taken = std::collections::HashSet::from(["PARAMETERS".to_owned(), "LOSS".to_owned()]);
    let monitors = parts.measured.iter().map(|named| (named.name.text.to_uppercase(), &named.name.text));
    let monitors = monitors.filter(|(constant, _)| taken.insert(constant.clone())).map(|(constant, text)| {
        let constant = plain(&constant);
        let doc = format!("Judges a run by `{text}`.");
        quote! {
            #[doc = #doc]
            pub const #constant: ::gradc::Monitor = ::gradc::Monitor(#text);
        }
    });
    quote! {
        #values
        /// Judges a run by the loss without penalties.
        pub const LOSS: ::gradc::Monitor = ::gradc::Monitor("loss");
        #(#monitors)*
    }
}

fn setter(setting: &Named, tokens: &TokenStream) -> TokenStream {
    let Named { name, doc, value } = setting;
    let (method, text) = (format_ident!("set_{}", name.text, span = token_span(name, tokens)), &name.text);
    let docs = behind(doc, format!("Changes the setting `{text}`, declared as `{}`; nothing is compiled.", expression(value)));
    quote! {
        #(#[doc = #docs])*
        ///
        /// # Errors
        /// A value outside the bounds of what the setting stands for.
        pub fn #method(&mut self, value: ::core::primitive::f64) -> ::gradc::Result<()> {
            self.0.set(#text, value)
        }
    }
}

/// `evaluate`, and `predict` if several values are served.
fn served_and_measured(name: &Ident, parts: &Parts) -> TokenStream {
    let metrics = format_ident!("{name}Metrics");
    let fields = measured(parts)
        .map(|named| (plain(&named.name.text), &named.name.text))
        .map(|(field, text)| quote!(#field: evaluation.metric(#text)));
    let predict = (parts.served.len() > 1).then(|| {
        let prediction = format_ident!("{name}Prediction");
        let fields = parts.served.iter().map(|named| plain(&named.name.text));
        quote! {
            /// What the network serves for rows of its inputs.
            ///
            /// # Errors
            /// Rows that do not fit the network's inputs.
            pub fn predict<'r>(&self, rows: impl ::core::convert::Into<::gradc::Rows<'r>>) -> ::gradc::Result<#prediction> {
                let mut served = self.0.predict_all(rows)?;
                ::core::result::Result::Ok(#prediction { #(#fields: ::gradc::expansion::first(&mut served)),* })
            }
        }
    });
    quote! {
        /// Loss and metrics on rows; nothing of the model changes.
        ///
        /// # Errors
        /// Rows that do not fit the network.
        pub fn evaluate<'r>(&self, rows: impl ::core::convert::Into<::gradc::Rows<'r>>) -> ::gradc::Result<#metrics> {
            let evaluation = self.0.evaluate(rows)?;
            ::core::result::Result::Ok(#metrics { loss: evaluation.loss #(, #fields)* })
        }
        #predict
    }
}

fn measured<'p>(parts: &'p Parts<'p>) -> impl Iterator<Item = &'p Named<'p>> {
    parts.measured.iter().filter(|named| named.name.text != "loss")
}

/// The user's doc comment, and behind it what the declaration says.
fn behind(doc: &[String], declared: String) -> Vec<String> {
    let between = (!doc.is_empty()).then(String::new);
    doc.iter().cloned().chain(between).chain([declared]).collect()
}

/// The user's word as an identifier at the user's place.
fn ident(name: &Name, tokens: &TokenStream) -> Ident {
    let mut word = plain(&name.text);
    word.set_span(token_span(name, tokens));
    word
}

fn token_span(name: &Name, tokens: &TokenStream) -> proc_macro2::Span {
    let found = gradc_compiler::language::source::tokens_at(tokens.clone(), name.span);
    found.map_or_else(proc_macro2::Span::call_site, |(first, _)| first)
}

/// A word as an identifier, raw if Rust has another use for it.
fn plain(text: &str) -> Ident {
    syn::parse_str::<Ident>(text).unwrap_or_else(|_| match text {
        "self" | "Self" | "super" | "crate" | "_" => format_ident!("{text}_"),
        _ => Ident::new_raw(text, proc_macro2::Span::call_site()),
    })
}
