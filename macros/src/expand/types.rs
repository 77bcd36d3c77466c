//! The types beside that of the network: its options, its rows, its results. Each field says what it was declared as.

use super::{Field, Named, Parts, behind, ident, measured, plain};
use gradc_compiler::language::ast::{ElementKind, TensorType};
use gradc_compiler::language::print::{expression, tensor_type};
use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};

/// How a network is compiled.
pub(super) fn options_type(
    name: &Ident,
    options: &Ident,
    visibility: &TokenStream,
    parts: &Parts,
    tokens: &TokenStream,
) -> TokenStream {
    let doc = format!("How [`{name}`] is compiled.");
    let sizes = sizes(parts, tokens);
    quote! {
        #[doc = #doc]
        #[must_use = "`compile` makes the network"]
        #[::core::prelude::v1::derive(::core::clone::Clone, ::core::fmt::Debug)]
        #visibility struct #options {
            seed: ::core::primitive::u64,
            sizes: ::std::vec::Vec<(&'static ::core::primitive::str, ::core::primitive::f64)>,
        }

        #[allow(dead_code)]
        impl #options {
            /// Fixes weights, order and masks (default 0).
            pub fn seed(mut self, seed: ::core::primitive::u64) -> Self {
                self.seed = seed;
                self
            }
            #sizes
            /// Compiles the network.
            ///
            /// # Errors
            /// Sizes that make the network a mistake, and memory that is refused.
            pub fn compile(self) -> ::gradc::Result<#name> {
                #name::__text(&self.sizes, |text| ::gradc::expansion::compile(text, self.seed)).map(#name)
            }
            /// The network of these sizes as a value, of which statements can be replaced.
            ///
            /// # Errors
            /// None but a mistake inside gradc: rustc has read the same text.
            pub fn declaration(self) -> ::gradc::Result<::gradc::Declaration> {
                #name::__text(&self.sizes, ::gradc::expansion::declaration)
            }
            /// Serves a saved model of these sizes; nothing of the training is compiled.
            ///
            /// # Errors
            /// A file that cannot be read, does not hold all parameters in these sizes, or was written by another network.
            pub fn predictor(self, file: impl ::core::convert::AsRef<::std::path::Path>) -> ::gradc::Result<::gradc::Predictor> {
                #name::__text(&self.sizes, |text| ::gradc::expansion::predictor(text, file))
            }
            /// Reads data for a network of these sizes.
            ///
            /// # Errors
            /// A file that cannot be read, or whose rows do not fit the fields.
            pub fn read(self, file: impl ::core::convert::Into<::gradc::data::Reader>) -> ::gradc::Result<::gradc::Dataset> {
                #name::__text(&self.sizes, |text| ::gradc::expansion::read(text, file))
            }
        }
    }
}

/// For each constant the method that replaces it.
fn sizes(parts: &Parts, tokens: &TokenStream) -> TokenStream {
    // A constant called like one of the methods can still be set by `Declaration::size`.
    let taken = ["seed", "compile", "declaration", "predictor", "read"];
    let own = parts.constants.iter().filter(|size| !taken.contains(&size.name.text.as_str())).map(|size| {
        let (method, text) = (ident(size.name, tokens), &size.name.text);
        let docs = behind(size.doc, format!("The size `{text}`, in place of the declared `{}`.", expression(size.value)));
        quote! {
            #(#[doc = #docs])*
            #[allow(clippy::cast_precision_loss)]
            pub fn #method(mut self, size: ::core::primitive::usize) -> Self {
                self.sizes.push((#text, size as ::core::primitive::f64));
                self
            }
        }
    });
    quote!(#(#own)*)
}

/// `DigitsInputs` and `DigitsBatch`: borrowed rows whose fields are the declared ones.
pub(super) fn rows_types(name: &Ident, visibility: &TokenStream, parts: &Parts, tokens: &TokenStream) -> TokenStream {
    let inputs: Vec<&Field> = parts.fields.iter().filter(|field| !field.is_target).collect();
    let all: Vec<&Field> = parts.fields.iter().collect();
    let inputs_doc = format!("Rows that [`{name}`] predicts from, row-major.");
    let batch_doc = format!("Rows that [`{name}`] trains on, row-major.");
    let inputs = rows_type(&format_ident!("{name}Inputs"), &inputs_doc, visibility, &inputs, tokens);
    let batch = rows_type(&format_ident!("{name}Batch"), &batch_doc, visibility, &all, tokens);
    quote!(#inputs #batch)
}

fn rows_type(name: &Ident, doc: &str, visibility: &TokenStream, fields: &[&Field], tokens: &TokenStream) -> TokenStream {
    if fields.is_empty() {
        return TokenStream::new();
    }
    let names: Vec<Ident> = fields.iter().map(|field| ident(field.name, tokens)).collect();
    let texts = fields.iter().map(|field| &field.name.text);
    let methods: Vec<Ident> = fields.iter().map(|field| element(field.tensor)).collect();
    let declared = fields.iter().map(|field| {
        let docs = behind(field.doc, format!("`{}`, row by row.", tensor_type(field.tensor)));
        quote!(#(#[doc = #docs])*)
    });
    quote! {
        #[doc = #doc]
        #[::core::prelude::v1::derive(::core::clone::Clone, ::core::marker::Copy, ::core::fmt::Debug)]
        #visibility struct #name<'a> {
            #(#declared pub #names: &'a [::core::primitive::#methods],)*
        }

        impl<'a> ::core::convert::From<&#name<'a>> for ::gradc::Rows<'a> {
            fn from(rows: &#name<'a>) -> ::gradc::Rows<'a> {
                ::gradc::Rows::inputs() #(.#methods(#texts, rows.#names))* .done()
            }
        }
    }
}

/// The Rust type of a field's elements, which is also the name of the method that adds them to rows.
fn element(tensor: &TensorType) -> Ident {
    let kind = tensor.element.as_ref().map_or(&ElementKind::F32, |element| &element.kind);
    plain(match kind {
        ElementKind::F32 => "f32",
        ElementKind::I32 => "i32",
        ElementKind::U32 | ElementKind::Class(_) => "u32",
        ElementKind::Bool => "bool",
    })
}

/// `DigitsMetrics`, and `DigitsPrediction` if several values are served.
pub(super) fn result_types(name: &Ident, visibility: &TokenStream, parts: &Parts, tokens: &TokenStream) -> TokenStream {
    let metrics = format_ident!("{name}Metrics");
    let doc = format!("What [`{name}`] measures over rows.");
    let fields = measured(parts).map(|named| result_field(named, tokens));
    let prediction = (parts.served.len() > 1).then(|| {
        let prediction = format_ident!("{name}Prediction");
        let doc = format!("What [`{name}`] serves.");
        let fields = parts.served.iter().map(|named| result_field(named, tokens));
        quote! {
            #[doc = #doc]
            #[::core::prelude::v1::derive(::core::clone::Clone, ::core::fmt::Debug, ::core::cmp::PartialEq)]
            #visibility struct #prediction {
                #(#fields: ::gradc::Prediction,)*
            }
        }
    });
    quote! {
        #[doc = #doc]
        #[::core::prelude::v1::derive(
            ::core::clone::Clone, ::core::marker::Copy, ::core::fmt::Debug, ::core::cmp::PartialEq
        )]
        #visibility struct #metrics {
            /// Mean loss over the rows, without penalties.
            pub loss: ::core::primitive::f64,
            #(#fields: ::core::primitive::f64,)*
        }
        #prediction
    }
}

/// The name of a result as a field, told by its formula.
fn result_field(named: &Named, tokens: &TokenStream) -> TokenStream {
    let (field, docs) = (ident(named.name, tokens), behind(named.doc, format!("`{}`", expression(named.value))));
    quote!(#(#[doc = #docs])* pub #field)
}
