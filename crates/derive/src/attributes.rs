//! Reads `#[module(...)]` from types, variants and fields.

use syn::meta::ParseNestedMeta;
use syn::spanned::Spanned;
use syn::{Attribute, LitStr, Path, Type, parse_quote};

/// What stands on the type.
pub struct Container {
    /// The crate that has `Module`, `Visitor`, `VisitorMut` and `Float` at its root.
    pub library: Path,
    pub elem: Option<Elem>,
}

/// The value of `elem = "..."`.
pub enum Elem {
    /// One element type, or a type parameter.
    One(Box<Type>),
    /// Every element type.
    All,
}

impl Container {
    pub fn parse(attributes: &[Attribute]) -> syn::Result<Self> {
        let mut found = Container { library: parse_quote!(::backstitch), elem: None };
        for_each_key(attributes, |meta| {
            if meta.path.is_ident("crate") {
                found.library = text(meta)?.parse()?;
            } else if meta.path.is_ident("elem") {
                let value = text(meta)?;
                found.elem = Some(match value.value().as_str() {
                    "all" => Elem::All,
                    _ => Elem::One(Box::new(value.parse()?)),
                });
            } else {
                return Err(meta.error("module: a type knows `elem = \"...\"`, `crate = \"...\"`"));
            }
            Ok(())
        })?;
        Ok(found)
    }
}

/// What stands on a field.
#[derive(Default)]
pub struct Field {
    pub skip: bool,
    pub rename: Option<String>,
}

impl Field {
    pub fn parse(attributes: &[Attribute]) -> syn::Result<Self> {
        let mut found = Field::default();
        for_each_key(attributes, |meta| {
            if meta.path.is_ident("skip") {
                found.skip = true;
            } else if meta.path.is_ident("rename") {
                found.rename = Some(name(meta)?);
            } else {
                return Err(meta.error("module: a field knows `skip`, `rename = \"...\"`"));
            }
            Ok(())
        })?;
        match attributes.iter().find(|_| found.skip && found.rename.is_some()) {
            Some(at) => Err(syn::Error::new(at.span(), "module: a skipped field has no name")),
            None => Ok(found),
        }
    }
}

/// The new name of a variant, if it has one.
pub fn variant_rename(attributes: &[Attribute]) -> syn::Result<Option<String>> {
    let mut rename = None;
    for_each_key(attributes, |meta| {
        if !meta.path.is_ident("rename") {
            return Err(meta.error("module: a variant knows `rename = \"...\"`"));
        }
        rename = Some(name(meta)?);
        Ok(())
    })?;
    Ok(rename)
}

fn for_each_key(
    attributes: &[Attribute],
    mut read: impl FnMut(&ParseNestedMeta) -> syn::Result<()>,
) -> syn::Result<()> {
    attributes
        .iter()
        .filter(|attribute| attribute.path().is_ident("module"))
        .try_for_each(|attribute| attribute.parse_nested_meta(|meta| read(&meta)))
}

fn text(meta: &ParseNestedMeta) -> syn::Result<LitStr> {
    meta.value()?.parse()
}

fn name(meta: &ParseNestedMeta) -> syn::Result<String> {
    let literal = text(meta)?;
    let name = literal.value();
    match name.split('.').any(str::is_empty) {
        true => Err(syn::Error::new(literal.span(), "module: a name must not be empty")),
        false => Ok(name),
    }
}
