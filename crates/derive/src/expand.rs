//! Writes the `impl Module`.

use std::collections::BTreeSet;

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{
    Data, DataEnum, DeriveInput, Fields, Generics, Member, Path, Type, TypeParamBound,
    WherePredicate, parse_quote,
};

use crate::attributes::{Container, Elem, Field, variant_rename};

/// The `impl Module` for a type.
pub fn module(input: &DeriveInput) -> syn::Result<TokenStream> {
    let Container { library, elem } = Container::parse(&input.attrs)?;
    let mut generics = input.generics.clone();
    let element = element(elem, &mut generics, &library)?;
    let (walk, walk_mut, visited) = match &input.data {
        Data::Struct(data) => {
            let parts = parts(&data.fields)?;
            let walk = struct_walk(&parts, quote!(#library::Visitor), quote!(&));
            let walk_mut = struct_walk(&parts, quote!(#library::VisitorMut), quote!(&mut));
            (walk, walk_mut, parts.into_iter().map(|part| part.kind).collect())
        }
        Data::Enum(data) => enum_walks(data, &library)?,
        Data::Union(data) => {
            let at = data.union_token.span;
            return Err(syn::Error::new(at, "Module: derives for structs and enums, not unions"));
        }
    };
    bound_parts(&mut generics, &element, &library, &visited);

    let name = &input.ident;
    let (impl_generics, _, where_clause) = generics.split_for_impl();
    let (_, type_generics, _) = input.generics.split_for_impl();
    Ok(quote! {
        #[automatically_derived]
        #[allow(unused_variables, clippy::all)]
        impl #impl_generics #library::Module<#element> for #name #type_generics #where_clause {
            fn visit<'__a>(&'__a self, __visitor: &mut #library::Visitor<'_, '__a, #element>) {
                #walk
            }
            fn visit_mut<'__a>(
                &'__a mut self,
                __visitor: &mut #library::VisitorMut<'_, '__a, #element>,
            ) {
                #walk_mut
            }
        }
    })
}

/// The element type that the impl is for.
fn element(elem: Option<Elem>, generics: &mut Generics, library: &Path) -> syn::Result<Type> {
    match elem {
        Some(Elem::One(element)) => return Ok(*element),
        Some(Elem::All) => {
            generics.params.push(parse_quote!(__T: #library::Float));
            return Ok(parse_quote!(__T));
        }
        None => {}
    }
    let floats: Vec<Ident> = floats(generics);
    match floats.as_slice() {
        [] => Ok(parse_quote!(f32)),
        [one] => Ok(parse_quote!(#one)),
        [_, second, ..] => Err(syn::Error::new(
            second.span(),
            "Module: two type parameters are bounded by Float; \
             say which is the element type by #[module(elem = \"...\")]",
        )),
    }
}

/// The type parameters that are bounded by `Float`, in the brackets or in the where clause.
fn floats(generics: &Generics) -> Vec<Ident> {
    let is_float = |bound: &TypeParamBound| match bound {
        TypeParamBound::Trait(bound) => {
            bound.path.segments.last().is_some_and(|segment| segment.ident == "Float")
        }
        _ => false,
    };
    let in_where = |name: &Ident| {
        let predicates = generics.where_clause.iter().flat_map(|clause| &clause.predicates);
        predicates.into_iter().any(|predicate| match predicate {
            WherePredicate::Type(predicate) => {
                matches!(&predicate.bounded_ty, Type::Path(path) if path.path.is_ident(name))
                    && predicate.bounds.iter().any(is_float)
            }
            _ => false,
        })
    };
    generics
        .type_params()
        .filter(|param| param.bounds.iter().any(is_float) || in_where(&param.ident))
        .map(|param| param.ident.clone())
        .collect()
}

/// Asks that type parameters which occur in visited fields are modules.
fn bound_parts(generics: &mut Generics, element: &Type, library: &Path, visited: &[Type]) {
    let used: BTreeSet<String> = visited.iter().flat_map(idents).collect();
    let floats: Vec<Ident> = floats(generics);
    let params: Vec<Ident> = generics
        .type_params()
        .map(|param| param.ident.clone())
        .filter(|name| !floats.contains(name) && used.contains(&name.to_string()))
        .collect();
    let clause = generics.make_where_clause();
    for param in params {
        clause.predicates.push(parse_quote!(#param: #library::Module<#element>));
    }
}

/// All identifiers in a type.
fn idents(kind: &Type) -> Vec<String> {
    let mut found = Vec::new();
    let mut trees: Vec<TokenTree> = kind.to_token_stream().into_iter().collect();
    while let Some(tree) = trees.pop() {
        match tree {
            TokenTree::Ident(ident) => found.push(ident.to_string()),
            TokenTree::Group(group) => trees.extend(group.stream()),
            _ => {}
        }
    }
    found
}

/// A field that is visited.
struct Part {
    member: Member,
    name: String,
    kind: Type,
}

impl Part {
    /// What the field is called once a pattern has bound it.
    fn binding(&self) -> Ident {
        match &self.member {
            Member::Named(ident) => format_ident!("__{}", ident.unraw()),
            Member::Unnamed(idx) => format_ident!("__{}", idx.index),
        }
    }
}

/// The fields that are not skipped.
fn parts(fields: &Fields) -> syn::Result<Vec<Part>> {
    let mut names = BTreeSet::new();
    let mut parts = Vec::new();
    for (field, member) in fields.iter().zip(fields.members()) {
        let Field { skip, rename } = Field::parse(&field.attrs)?;
        if skip {
            continue;
        }
        let name = rename.unwrap_or_else(|| match &member {
            Member::Named(ident) => ident.unraw().to_string(),
            Member::Unnamed(idx) => idx.index.to_string(),
        });
        if !names.insert(name.clone()) {
            let message = format!("module: another field has the name {name:?} already");
            return Err(syn::Error::new(field.span(), message));
        }
        parts.push(Part { member, name, kind: field.ty.clone() });
    }
    Ok(parts)
}

/// Visits a struct's fields. Errors about a field's type point at that type.
fn struct_walk(parts: &[Part], visitor: TokenStream, borrow: TokenStream) -> TokenStream {
    let calls = parts.iter().map(|Part { member, name, kind }| {
        let part = quote_spanned!(located(kind)=> #borrow self.#member);
        quote_spanned!(located(kind)=> #visitor::field(__visitor, #name, #part);)
    });
    quote!(#(#calls)*)
}

/// Visits the fields of whichever variant is there, shared and mutably; and the fields' types.
fn enum_walks(
    data: &DataEnum,
    library: &Path,
) -> syn::Result<(TokenStream, TokenStream, Vec<Type>)> {
    let (mut arms, mut arms_mut, mut visited) = (Vec::new(), Vec::new(), Vec::new());
    for variant in &data.variants {
        let rename = variant_rename(&variant.attrs)?;
        let parts = parts(&variant.fields)?;
        let ident = &variant.ident;
        let bindings: Vec<_> = parts.iter().map(Part::binding).collect();
        let members = parts.iter().map(|part| &part.member);
        let pattern = quote!(Self::#ident { #(#members: #bindings,)* .. });
        if let ([part], Fields::Unnamed(_)) = (parts.as_slice(), &variant.fields) {
            let (at, only) = (located(&part.kind), &bindings[0]);
            arms.push(quote_spanned!(at=> #pattern => #library::Module::visit(#only, __visitor),));
            arms_mut.push(
                quote_spanned!(at=> #pattern => #library::Module::visit_mut(#only, __visitor),),
            );
        } else {
            let variant_name = rename.unwrap_or_else(|| ident.unraw().to_string());
            let path = |part: &Part| match parts.len() {
                1 => part.name.clone(),
                _ => format!("{variant_name}.{}", part.name),
            };
            let names: Vec<String> = parts.iter().map(path).collect();
            arms.push(quote! {
                #pattern => { #(#library::Visitor::field(__visitor, #names, #bindings);)* }
            });
            arms_mut.push(quote! {
                #pattern => { #(#library::VisitorMut::field(__visitor, #names, #bindings);)* }
            });
        }
        visited.extend(parts.into_iter().map(|part| part.kind));
    }
    let walk = |arms: &[TokenStream]| match arms.is_empty() {
        true => quote!(match *self {}),
        false => quote!(match self { #(#arms)* }),
    };
    Ok((walk(&arms), walk(&arms_mut), visited))
}

/// Where a type stands, with names resolved as elsewhere in the macro.
fn located(kind: &Type) -> Span {
    kind.span().resolved_at(Span::call_site())
}
