//! The attribute `#[kind]`. The crate `hamsa-swap` re-exports it and says what it is for; what it makes is only of use
//! together with that crate.

mod method;
#[cfg(test)]
mod tests;

use proc_macro::TokenStream;
use proc_macro2::{Span, TokenStream as Tokens};
use quote::{format_ident, quote};
use syn::{Error, Item, ItemTrait, LitStr, TraitItem};

use method::Method;

/// As `hamsa_swap::limits::METHODS_MAX`.
const METHODS_MAX: usize = 64;

/// Makes a module kind of a trait: `#[kind("counter")]`. See `hamsa_swap::kind`.
#[proc_macro_attribute]
pub fn kind(name: TokenStream, item: TokenStream) -> TokenStream {
    expand(name.into(), item.into()).unwrap_or_else(|error| error.to_compile_error()).into()
}

fn expand(name: Tokens, item: Tokens) -> syn::Result<Tokens> {
    let name: LitStr = if name.is_empty() {
        Err(Error::new(Span::call_site(), "a kind has a name: write `#[kind(\"counter\")]`"))
    } else {
        syn::parse2(name.clone())
            .map_err(|_| Error::new_spanned(name, "the name of a kind is a text: write `#[kind(\"counter\")]`"))
    }?;
    let mut item = item_trait(item)?;
    if let Some(parameter) = item.generics.params.first() {
        let message = "a kind has no parameters, as its trait must be an object type: name the types in it";
        return Err(Error::new_spanned(parameter, message));
    }
    let mut methods = Vec::new();
    for part in &mut item.items {
        match part {
            TraitItem::Fn(function) => methods.push(Method::take(function)?),
            other => return Err(Error::new_spanned(other, "a kind has methods only: move this out of the trait")),
        }
    }
    if methods.len() > METHODS_MAX {
        let message = format!("a kind has at most {METHODS_MAX} methods: make two kinds of it");
        return Err(Error::new_spanned(&item.ident, message));
    }
    item.supertraits.push(syn::parse_quote!(::core::marker::Send));
    item.supertraits.push(syn::parse_quote!(::core::marker::Sync));
    item.supertraits.push(syn::parse_quote!('static));
    let behaviour = &item.ident;
    let module = format_ident!("M");
    let signatures = methods.iter().map(Method::signature);
    let dispatch = methods.iter().enumerate().map(|(index, method)| method.dispatch(behaviour, index));
    let proxied = methods.iter().enumerate().map(|(index, method)| method.proxied(behaviour, index));
    Ok(quote! {
        #item

        #[allow(clippy::needless_question_mark, reason = "errors of most kinds are not a call's")]
        impl ::hamsa_swap::Kind for dyn #behaviour {
            const NAME: &'static str = #name;

            fn signatures() -> &'static [::hamsa_swap::Signature] {
                static SIGNATURES: ::std::sync::LazyLock<::std::vec::Vec<::hamsa_swap::Signature>> =
                    ::std::sync::LazyLock::new(|| ::std::vec![#(#signatures),*]);
                &SIGNATURES
            }

            fn dispatch(
                &self,
                index: usize,
                arguments: ::std::vec::Vec<::hamsa_swap::DynValue>,
            ) -> ::core::result::Result<::hamsa_swap::DynValue, ::hamsa_swap::CallError> {
                match index {
                    #(#dispatch)*
                    _ => ::core::result::Result::Err(::hamsa_swap::CallError::NotUnderstood {
                        method: ::std::format!("number {index}"),
                    }),
                }
            }
        }

        impl<#module: #behaviour + ::hamsa_swap::Module> ::hamsa_swap::Holds<#module> for dyn #behaviour {
            fn hold(module: ::std::sync::Arc<#module>) -> ::std::sync::Arc<Self> {
                module
            }
        }

        #[allow(clippy::needless_question_mark, reason = "errors of most kinds are not a call's")]
        impl #behaviour for ::hamsa_swap::Proxy<dyn #behaviour> {
            #(#proxied)*
        }
    })
}

/// What is wrong inside of a trait, the parser says; what is none, we do.
fn item_trait(item: Tokens) -> syn::Result<ItemTrait> {
    match syn::parse2(item) {
        Ok(Item::Trait(item)) => Ok(item),
        Ok(other) => Err(Error::new_spanned(other, "a kind is made of a trait: put `#[kind]` before one")),
        Err(error) => Err(error),
    }
}
