//! One method of a kind, and the pieces of code made for it.

use proc_macro2::TokenStream as Tokens;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Attribute, Error, FnArg, GenericArgument, Ident, Pat, PathArguments, ReturnType, TraitItemFn, Type};

pub(crate) struct Method {
    head: syn::Signature,
    attributes: Vec<Attribute>,
    name: String,
    parameters: Vec<Parameter>,
    returns: Type,
    is_typed_only: bool,
}

struct Parameter {
    name: Ident,
    of: Type,
}

impl Method {
    /// Reads a method of the trait, and takes away what only this attribute understands.
    pub(crate) fn take(function: &mut TraitItemFn) -> syn::Result<Self> {
        let is_typed_only = take_attribute(&mut function.attrs, "typed_only")?;
        let is_removable = take_attribute(&mut function.attrs, "removable")?;
        let head = function.sig.clone();
        let parameters = parameters(&head)?;
        if let Some(word) = &head.asyncness {
            return Err(Error::new_spanned(word, "calls of modules are synchronous: leave `async` out"));
        }
        if head.generics.type_params().next().is_some() || head.generics.const_params().next().is_some() {
            return Err(Error::new_spanned(
                &head.generics,
                "a method of a kind can't be generic over types: name them",
            ));
        }
        if !is_typed_only && let Some(parameter) = head.generics.params.first() {
            return Err(Error::new_spanned(parameter, "a method with parameters of its own needs `#[typed_only]`"));
        }
        let returns = result_of(&head)?;
        let name = head.ident.to_string();
        if is_removable {
            if function.default.is_some() {
                return Err(Error::new_spanned(
                    &head.ident,
                    "a removable method has no body of its own: leave the body out, or `#[removable]`",
                ));
            }
            let unused = parameters.iter().map(|parameter| &parameter.name);
            function.default = Some(syn::parse_quote!({
                let _ = (#(#unused,)*);
                ::core::result::Result::Err(::core::convert::From::from(::hamsa_swap::CallError::NotUnderstood {
                    method: ::std::string::String::from(#name),
                }))
            }));
        }
        let attributes = function.attrs.iter().filter(|attribute| attribute.path().is_ident("cfg")).cloned().collect();
        Ok(Method { head, attributes, name, parameters, returns, is_typed_only })
    }

    /// A `Signature` expression.
    pub(crate) fn signature(&self) -> Tokens {
        let name = &self.name;
        let parameters = self.parameters.iter().map(|parameter| {
            let name = parameter.name.to_string();
            let is_changed = parameter.is_changed();
            let of = self.dyn_type(&parameter.owned());
            quote! {
                ::hamsa_swap::Parameter { name: ::std::borrow::Cow::Borrowed(#name), of: #of, is_changed: #is_changed }
            }
        });
        let returns = self.dyn_type(&{
            let returns = &self.returns;
            quote!(#returns)
        });
        quote! {
            ::hamsa_swap::Signature {
                name: ::std::borrow::Cow::Borrowed(#name),
                parameters: ::std::vec![#(#parameters),*],
                returns: #returns,
            }
        }
    }

    /// The arm of `dispatch` for this method.
    pub(crate) fn dispatch(&self, behaviour: &Ident, index: usize) -> Tokens {
        let Method { name, head, .. } = self;
        if self.is_typed_only {
            return quote! {
                #index => ::core::result::Result::Err(::hamsa_swap::CallError::Arguments {
                    method: ::std::string::String::from(#name),
                    problem: ::std::string::String::from("it can be called as a method of its kind only"),
                }),
            };
        }
        let method = &head.ident;
        let count = self.parameters.len();
        let take = self.parameters.iter().map(|Parameter { name, of }| {
            let text = name.to_string();
            match of {
                Type::Reference(reference) if reference.mutability.is_some() => {
                    let of = &reference.elem;
                    quote!(let mut #name: #of = arguments.next(#text)?;)
                }
                Type::Reference(reference) => {
                    let of = &reference.elem;
                    quote!(let #name: <#of as ::std::borrow::ToOwned>::Owned = arguments.next(#text)?;)
                }
                of => quote!(let #name: #of = arguments.next(#text)?;),
            }
        });
        let pass = self.parameters.iter().map(|Parameter { name, of }| match of {
            Type::Reference(reference) if reference.mutability.is_some() => quote!(&mut #name),
            Type::Reference(_) => quote!(::std::borrow::Borrow::borrow(&#name)),
            _ => quote!(#name),
        });
        let changed: Vec<&Ident> = self
            .parameters
            .iter()
            .filter(|parameter| parameter.is_changed())
            .map(|parameter| &parameter.name)
            .collect();
        let value = if changed.is_empty() {
            quote!(::hamsa_swap::Dynamic::to_dyn(&value))
        } else {
            quote! {
                ::hamsa_swap::DynValue::List(::std::vec![
                    ::hamsa_swap::Dynamic::to_dyn(&value)
                    #(, ::hamsa_swap::Dynamic::to_dyn(&#changed))*
                ])
            }
        };
        quote! {
            #index => {
                #[allow(unused_mut, unused_variables)]
                let mut arguments = ::hamsa_swap::Arguments::new(#name, arguments, #count)?;
                #(#take)*
                match #behaviour::#method(self, #(#pass),*) {
                    ::core::result::Result::Ok(value) => ::core::result::Result::Ok(#value),
                    ::core::result::Result::Err(error) => {
                        ::core::result::Result::Err(::hamsa_swap::CallError::Application {
                            message: ::std::string::ToString::to_string(&error),
                        })
                    }
                }
            }
        }
    }

    /// The method as the proxy has it.
    pub(crate) fn proxied(&self, behaviour: &Ident, index: usize) -> Tokens {
        let Method { name, head, attributes, .. } = self;
        let method = &head.ident;
        let names: Vec<&Ident> = self.parameters.iter().map(|parameter| &parameter.name).collect();
        let lacks = if self.is_typed_only {
            quote! {
                ::core::result::Result::Err(::core::convert::From::from(::hamsa_swap::CallError::NotUnderstood {
                    method: ::std::string::String::from(#name),
                }))
            }
        } else {
            self.lacking()
        };
        let lacking = if self.is_typed_only { quote!(_) } else { quote!(module) };
        quote_spanned! { head.ident.span() =>
            #(#attributes)*
            #[inline]
            #head {
                self.call(#index, |target| match target {
                    ::hamsa_swap::Target::Serves(module) => #behaviour::#method(module, #(#names),*),
                    ::hamsa_swap::Target::Lacks(#lacking) => ::hamsa_swap::rarely(move || #lacks),
                })
            }
        }
    }

    /// Asks the module's `does_not_understand`, and takes its answer as the method's.
    fn lacking(&self) -> Tokens {
        let name = &self.name;
        let values = self.parameters.iter().map(|Parameter { name, of }| match of {
            Type::Reference(reference) if reference.mutability.is_none() => {
                let of = &reference.elem;
                quote!(::hamsa_swap::Dynamic::to_dyn(&<#of as ::std::borrow::ToOwned>::to_owned(#name)))
            }
            Type::Reference(_) => quote!(::hamsa_swap::Dynamic::to_dyn(&*#name)),
            _ => quote!(::hamsa_swap::Dynamic::to_dyn(&#name)),
        });
        let returns = &self.returns;
        let changed: Vec<&Parameter> = self.parameters.iter().filter(|parameter| parameter.is_changed()).collect();
        let owned = changed.iter().map(|parameter| parameter.owned());
        let slots = changed.iter().map(|parameter| &parameter.name);
        let numbers = (0..changed.len()).map(|number| syn::Index::from(number + 1));
        let unpack = if changed.is_empty() {
            quote!(::hamsa_swap::answer::<#returns>(#name, value)?)
        } else {
            quote! {{
                let values = ::hamsa_swap::answer::<(#returns, #(#owned,)*)>(#name, value)?;
                #(*#slots = values.#numbers;)*
                values.0
            }}
        };
        quote! {{
            let arguments = ::std::vec![#(#values),*];
            let value = ::hamsa_swap::Module::does_not_understand(module, #name, arguments)?;
            ::core::result::Result::Ok(#unpack)
        }}
    }

    fn dyn_type(&self, of: &Tokens) -> Tokens {
        if self.is_typed_only {
            quote!(::hamsa_swap::DynType::Opaque)
        } else {
            quote_spanned!(of.span() => <#of as ::hamsa_swap::Dynamic>::dyn_type())
        }
    }
}

impl Parameter {
    fn is_changed(&self) -> bool {
        matches!(&self.of, Type::Reference(reference) if reference.mutability.is_some())
    }

    /// The type of a value that can be kept.
    fn owned(&self) -> Tokens {
        match &self.of {
            Type::Reference(reference) => {
                let of = &reference.elem;
                if reference.mutability.is_some() {
                    quote!(#of)
                } else {
                    quote!(<#of as ::std::borrow::ToOwned>::Owned)
                }
            }
            of => quote!(#of),
        }
    }
}

fn take_attribute(attributes: &mut Vec<Attribute>, name: &str) -> syn::Result<bool> {
    let before = attributes.len();
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident(name)) {
        let message = || format!("`#[{name}]` takes no arguments: leave them out");
        attribute.meta.require_path_only().map_err(|_| Error::new_spanned(&attribute.meta, message()))?;
    }
    attributes.retain(|attribute| !attribute.path().is_ident(name));
    Ok(attributes.len() < before)
}

fn parameters(head: &syn::Signature) -> syn::Result<Vec<Parameter>> {
    let mut inputs = head.inputs.iter();
    match inputs.next() {
        Some(FnArg::Receiver(receiver)) if receiver.reference.is_some() && receiver.mutability.is_none() => {}
        other => {
            let message = "a method of a kind takes `&self`: many threads call a module at once";
            return Err(match other {
                Some(other) => Error::new_spanned(other, message),
                None => Error::new_spanned(&head.ident, message),
            });
        }
    }
    let parameter = |input: &FnArg| match input {
        FnArg::Typed(typed) => match &*typed.pat {
            Pat::Ident(name) => Ok(Parameter { name: name.ident.clone(), of: (*typed.ty).clone() }),
            other => Err(Error::new_spanned(other, "a parameter of a kind's method needs a name")),
        },
        FnArg::Receiver(receiver) => Err(Error::new_spanned(receiver, "a second `self`")),
    };
    inputs.map(parameter).collect()
}

/// The `T` of `-> Result<T, E>`.
fn result_of(head: &syn::Signature) -> syn::Result<Type> {
    let message = "a method of a kind returns `Result<T, E>`, where `E` is `From<hamsa_swap::CallError>`: \
                   a call of a module can always fail";
    let ReturnType::Type(_, returned) = &head.output else { return Err(Error::new_spanned(&head.ident, message)) };
    let wrong = || Error::new_spanned(returned, message);
    let Type::Path(path) = &**returned else { return Err(wrong()) };
    let last = path.path.segments.last().filter(|last| last.ident == "Result").ok_or_else(wrong)?;
    let PathArguments::AngleBracketed(arguments) = &last.arguments else { return Err(wrong()) };
    match (arguments.args.first(), arguments.args.len()) {
        (Some(GenericArgument::Type(of)), 2) => Ok(of.clone()),
        _ => Err(wrong()),
    }
}
