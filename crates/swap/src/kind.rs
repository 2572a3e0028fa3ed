//! What the `#[kind]` attribute makes of a trait, so that the kernel can hold, call and describe modules of that kind.

use std::borrow::Cow;
use std::sync::Arc;

use crate::call::CallError;
use crate::value::{DynType, DynValue};

/// A trait object type whose trait has the attribute [`kind`](crate::kind).
pub trait Kind: Send + Sync + 'static {
    /// The kind's name.
    const NAME: &'static str;

    /// Its methods in the order of the trait.
    fn signatures() -> &'static [Signature];

    /// Calls method `index` of them. Parameters that are `&mut` come back after the result, in a list.
    ///
    /// # Errors
    /// Arguments that don't fit, or what the method answers.
    fn dispatch(&self, index: usize, arguments: Vec<DynValue>) -> Result<DynValue, CallError>;

    /// Calls the method of that name; `None` if there is none. For a module with further methods, which are those of another kind.
    fn dispatch_named(&self, method: &str, arguments: Vec<DynValue>) -> Option<Result<DynValue, CallError>> {
        let index = Self::signatures().iter().position(|signature| signature.name == method)?;
        Some(self.dispatch(index, arguments))
    }
}

/// That an `M` is a module of this kind.
pub trait Holds<M>: Kind {
    /// As one of its kind.
    fn hold(module: Arc<M>) -> Arc<Self>;
}

/// What a method wants and gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// The method.
    pub name: Cow<'static, str>,
    /// Its parameters in order.
    pub parameters: Vec<Parameter>,
    /// The type of its result.
    pub returns: DynType,
}

/// A parameter of a method.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// Its name.
    pub name: Cow<'static, str>,
    /// Its type.
    pub of: DynType,
    /// Whether the call changes it: then its value comes back after the result.
    pub is_changed: bool,
}

/// Takes the arguments of a dynamic call one by one. For the code that [`kind`](crate::kind) makes.
#[doc(hidden)]
pub struct Arguments {
    method: &'static str,
    values: std::vec::IntoIter<DynValue>,
}

impl Arguments {
    /// # Errors
    /// Not as many as the method wants, or one that nests too deep.
    pub fn new(method: &'static str, values: Vec<DynValue>, wanted: usize) -> Result<Self, CallError> {
        let problem = if values.len() != wanted {
            format!("{} arguments, {wanted} are wanted", values.len())
        } else if !values.iter().all(DynValue::is_shallow) {
            "an argument nests too deep".to_owned()
        } else {
            return Ok(Arguments { method, values: values.into_iter() });
        };
        Err(CallError::Arguments { method: method.to_owned(), problem })
    }

    /// # Errors
    /// The next one is not of this type.
    pub fn next<T: crate::value::Dynamic>(&mut self, name: &'static str) -> Result<T, CallError> {
        let value = self.values.next().and_then(T::from_dyn);
        value.ok_or_else(|| CallError::Arguments {
            method: self.method.to_owned(),
            problem: format!("{name} is to be of type {:?}", T::dyn_type()),
        })
    }
}

/// What a module answered to a method that it does not have, as the caller wants it. For the code that [`kind`](crate::kind) makes.
///
/// # Errors
/// It is of another type.
#[doc(hidden)]
pub fn answer<T: crate::value::Dynamic>(method: &'static str, value: DynValue) -> Result<T, CallError> {
    T::from_dyn(value).ok_or_else(|| CallError::Arguments {
        method: method.to_owned(),
        problem: format!("the answer is to be of type {:?}", T::dyn_type()),
    })
}

/// Runs what is rarely run, apart from the code around it, which stays small. For the code that [`kind`](crate::kind) makes.
#[doc(hidden)]
#[cold]
#[inline(never)]
pub fn rarely<R>(work: impl FnOnce() -> R) -> R {
    work()
}
