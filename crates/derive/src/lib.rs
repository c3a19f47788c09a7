//! `#[derive(Module)]`: names and walks the tensors in a struct's fields or an enum's variants.

#![forbid(unsafe_code)]

mod attributes;
mod expand;
#[cfg(test)]
mod tests;

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input};

/// Implements `Module` by visiting every field under its name.
///
/// Names are joined by dots, as in PyTorch: the weight of `fc1` is `fc1.weight`, fields of tuple
/// structs are numbered. A variant of one unnamed field passes the walk on without a name of its
/// own; one of several fields puts the variant's name first.
///
/// The element type is the type parameter bounded by `Float`, where there is one, else `f32`.
/// Other type parameters must be modules of that element type.
///
/// On the type:
/// - `#[module(elem = "f64")]` sets the element type; `"all"` implements `Module` for each one;
/// - `#[module(crate = "path")]` names the crate that has `Module`, instead of `::backstitch`.
///
/// On a field:
/// - `#[module(skip)]` passes over it; its type need not be a module;
/// - `#[module(rename = "name")]` gives it another name; on a variant of several fields, too.
#[proc_macro_derive(Module, attributes(module))]
pub fn derive_module(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    expand::module(&input).unwrap_or_else(syn::Error::into_compile_error).into()
}
