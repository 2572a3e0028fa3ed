//! What is said of a trait that can't be a kind: at which place, and what to do. That what is made of a right one
//! compiles and works is shown by the tests of `hamsa-swap`.

use syn::spanned::Spanned;

use super::*;

/// The place that the compiler would underline, and the words.
#[track_caller]
fn mistake(name: &str, item: &str) -> (String, String) {
    let (name, item): (Tokens, Tokens) = (name.parse().unwrap(), item.parse().unwrap());
    let error = expand(name, item).expect_err("it is a kind");
    (error.span().source_text().unwrap_or_default(), error.to_string())
}

/// The same of one method.
#[track_caller]
fn mistake_in(method: &str) -> (String, String) {
    mistake("\"counter\"", &format!("pub trait Counter {{ {method} }}"))
}

fn told(place: &str, message: &str) -> (String, String) {
    (place.to_owned(), message.to_owned())
}

#[test]
fn a_right_one_is_none() {
    let item = "pub trait Counter { fn add(&self, by: u64) -> Result<u64, Error>; \
                #[removable] fn reset(&self) -> Result<(), Error>; \
                #[typed_only] fn visit<'a>(&self, see: &'a mut dyn FnMut(u32)) -> Result<(), Error>; }";
    let made = expand("\"counter\"".parse().unwrap(), item.parse().unwrap()).unwrap();
    assert!(syn::parse2::<syn::File>(made.clone()).is_ok(), "{made}");
    assert!(made.span().source_text().is_some());
}

#[test]
fn the_name_is_a_text() {
    let item = "trait Counter {}";
    assert_eq!(mistake("", item).1, "a kind has a name: write `#[kind(\"counter\")]`");
    let message = "the name of a kind is a text: write `#[kind(\"counter\")]`";
    assert_eq!(mistake("counter", item), told("counter", message));
    assert_eq!(mistake("name = \"counter\"", item), told("name = \"counter\"", message));
}

#[test]
fn the_item_is_a_trait_of_methods() {
    let of = |item| mistake("\"counter\"", item);
    let message = "a kind is made of a trait: put `#[kind]` before one";
    assert_eq!(of("struct Counter;"), told("struct Counter;", message));
    let message = "a kind has no parameters, as its trait must be an object type: name the types in it";
    assert_eq!(of("trait Counter<T> {}"), told("T", message));
    assert_eq!(of("trait Counter<'a> {}"), told("'a", message));
    let message = "a kind has methods only: move this out of the trait";
    assert_eq!(of("trait Counter { type Sum; }"), told("type Sum;", message));
    assert_eq!(of("trait Counter { const MAX: u64; }"), told("const MAX: u64;", message));
    let methods: String = (0..=METHODS_MAX).map(|i| format!("fn m{i}(&self) -> Result<(), E>;")).collect();
    let message = "a kind has at most 64 methods: make two kinds of it";
    assert_eq!(mistake_in(&methods), told("Counter", message));
    // What is no Rust is the parser's to tell.
    assert!(of("trait Counter { fn }").1.contains("expected identifier"));
}

#[test]
fn a_method_takes_self_by_reference_and_parameters_with_names() {
    let message = "a method of a kind takes `&self`: many threads call a module at once";
    assert_eq!(mistake_in("fn new() -> Result<u64, E>;"), told("new", message));
    assert_eq!(mistake_in("fn add(by: u64) -> Result<u64, E>;"), told("by: u64", message));
    assert_eq!(mistake_in("fn add(&mut self, by: u64) -> Result<u64, E>;"), told("&mut self", message));
    assert_eq!(mistake_in("fn end(self) -> Result<u64, E>;"), told("self", message));
    let message = "a parameter of a kind's method needs a name";
    assert_eq!(mistake_in("fn add(&self, _: u64) -> Result<u64, E>;"), told("_", message));
    assert_eq!(mistake_in("fn add(&self, (a, b): (u64, u64)) -> Result<u64, E>;"), told("(a, b)", message));
}

#[test]
fn a_method_returns_a_result() {
    let message = "a method of a kind returns `Result<T, E>`, where `E` is `From<hamsa_swap::CallError>`: \
                   a call of a module can always fail";
    assert_eq!(mistake_in("fn add(&self);"), told("add", message));
    assert_eq!(mistake_in("fn add(&self) -> u64;"), told("u64", message));
    assert_eq!(mistake_in("fn add(&self) -> Option<u64>;"), told("Option<u64>", message));
    // An alias hides of what type the error is.
    assert_eq!(mistake_in("fn add(&self) -> io::Result<u64>;"), told("io::Result<u64>", message));
    assert_eq!(mistake_in("fn add(&self) -> &u64;"), told("&u64", message));
}

#[test]
fn what_has_no_dynamic_form_is_said_to_be_typed_only() {
    let message = "calls of modules are synchronous: leave `async` out";
    assert_eq!(mistake_in("async fn add(&self) -> Result<u64, E>;"), told("async", message));
    let message = "a method with parameters of its own needs `#[typed_only]`";
    assert_eq!(mistake_in("fn add<'a>(&self, by: &'a u64) -> Result<u64, E>;"), told("'a", message));
    let message = "a method of a kind can't be generic over types: name them";
    assert_eq!(mistake_in("fn add<T>(&self, by: T) -> Result<u64, E>;"), told("<T>", message));
    let method = "#[typed_only] fn add<const N: usize>(&self, by: [u8; N]) -> Result<u64, E>;";
    assert_eq!(mistake_in(method), told("<const N: usize>", message));
}

#[test]
fn attributes_have_no_arguments_and_what_is_removable_no_body() {
    let message = "a removable method has no body of its own: leave the body out, or `#[removable]`";
    assert_eq!(mistake_in("#[removable] fn add(&self) -> Result<u64, E> { Ok(1) }"), told("add", message));
    let message = "`#[removable]` takes no arguments: leave them out";
    assert_eq!(mistake_in("#[removable(now)] fn add(&self) -> Result<u64, E>;"), told("removable(now)", message));
    let message = "`#[typed_only]` takes no arguments: leave them out";
    assert_eq!(mistake_in("#[typed_only = 1] fn add(&self) -> Result<u64, E>;"), told("typed_only = 1", message));
}
