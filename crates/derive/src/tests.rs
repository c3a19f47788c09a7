//! What the macro writes and how it refuses. `crates/nn/tests/derive.rs` runs derived modules.

use syn::{DeriveInput, parse_quote};

use crate::expand::module;

/// The generated code without spaces.
#[track_caller]
fn expand(input: DeriveInput) -> String {
    let code = module(&input).expect("the input is fine").to_string();
    syn::parse_str::<syn::ItemImpl>(&code).expect("the output is an impl");
    code.split_whitespace().collect()
}

#[track_caller]
fn check_contains(input: DeriveInput, parts: &[&str]) {
    let code = expand(input);
    for part in parts {
        let part: String = part.split_whitespace().collect();
        assert!(code.contains(&part), "{part}\nis not in\n{code}");
    }
}

#[track_caller]
fn check_refused(input: DeriveInput, message: &str) {
    let error = module(&input).expect_err("the input is wrong").to_string();
    assert!(error.contains(message), "{error}");
}

#[test]
fn fields_are_visited_under_their_names() {
    check_contains(
        parse_quote! { struct Mlp { fc1: Linear, r#type: Linear } },
        &[
            "impl ::backstitch::Module<f32> for Mlp",
            r#"::backstitch::Visitor::field(__visitor, "fc1", &self.fc1);"#,
            r#"::backstitch::VisitorMut::field(__visitor, "type", &mut self.r#type);"#,
        ],
    );
    check_contains(
        parse_quote! { struct Pair(Linear, #[module(rename = "last")] Linear); },
        &[r#"(__visitor, "0", &self.0)"#, r#"(__visitor, "last", &self.1)"#],
    );
    assert!(
        !expand(parse_quote!(
            struct Relu;
        ))
        .contains("::field")
    );
}

#[test]
fn the_element_type_follows_the_parameters() {
    check_contains(
        parse_quote! { struct Mlp<T: Float = f32> { fc: Linear<T> } },
        &["impl<T: Float> ::backstitch::Module<T> for Mlp<T>"],
    );
    check_contains(
        parse_quote! { struct Mlp<T> where T: backstitch::Float { fc: Linear<T> } },
        &["::backstitch::Module<T> for Mlp<T>"],
    );
    check_contains(
        parse_quote! { #[module(elem = "f64")] struct Mlp { fc: Linear<f64> } },
        &["::backstitch::Module<f64> for Mlp", "Visitor<'_, '__a, f64>"],
    );
    check_contains(
        parse_quote! { #[module(elem = "all", crate = "nn")] struct Wrap<L> { inner: Box<L> } },
        &["impl<L, __T: nn::Float> nn::Module<__T> for Wrap<L> where L: nn::Module<__T>"],
    );
}

#[test]
fn parts_that_are_parameters_must_be_modules() {
    check_contains(
        parse_quote! { struct Both<A, B> { a: Vec<A>, #[module(skip)] b: B } },
        &["where A: ::backstitch::Module<f32> {"],
    );
}

#[test]
fn variants_are_transparent_unless_they_have_several_fields() {
    check_contains(
        parse_quote! {
            enum Step { Linear(Linear), Relu, Block { a: Linear, b: Linear }, One { only: Linear } }
        },
        &[
            "Self::Linear { 0: __0, .. } => ::backstitch::Module::visit(__0, __visitor)",
            "Self::Relu { .. } => {}",
            r#"field(__visitor, "Block.a", __a); ::backstitch::Visitor::field(__visitor, "Block.b""#,
            r#"field(__visitor, "only", __only)"#,
        ],
    );
    check_contains(
        parse_quote! { enum Step { #[module(rename = "b")] Block(Linear, Linear) } },
        &[r#""b.0""#, r#""b.1""#],
    );
    check_contains(
        parse_quote!(
            enum Never {}
        ),
        &["match *self {}"],
    );
}

#[test]
fn mistakes_are_named() {
    check_refused(parse_quote!(union U { a: f32 }), "not unions");
    check_refused(
        parse_quote! { struct Two<A: Float, B: Float> { a: Linear<A>, b: Linear<B> } },
        "two type parameters are bounded by Float",
    );
    check_refused(
        parse_quote! { struct Mlp { #[module(skp)] a: Linear } },
        "a field knows `skip`, `rename",
    );
    check_refused(parse_quote! { #[module(skip)] struct Mlp; }, "a type knows `elem");
    check_refused(
        parse_quote! { enum Step { #[module(skip)] A(Linear) } },
        "a variant knows `rename",
    );
    check_refused(
        parse_quote! { struct Mlp { #[module(skip, rename = "x")] a: Linear } },
        "a skipped field has no name",
    );
    check_refused(
        parse_quote! { struct Mlp { a: Linear, #[module(rename = "a")] b: Linear } },
        r#"the name "a" already"#,
    );
    check_refused(
        parse_quote! { struct Mlp { #[module(rename = "")] b: Linear } },
        "must not be empty",
    );
}
