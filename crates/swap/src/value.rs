//! Values of dynamic calls, and how Rust's types become such and back.

use crate::limits::VALUE_DEPTH_MAX;

/// A value that describes itself.
#[derive(Debug, Clone, PartialEq)]
pub enum DynValue {
    /// Nothing, as of a method that returns `()`.
    Unit,
    /// A truth value.
    Bool(bool),
    /// An unsigned integer.
    Unsigned(u64),
    /// A signed integer.
    Signed(i64),
    /// A floating-point number.
    Float(f64),
    /// Text.
    Text(String),
    /// Octets.
    Octets(Vec<u8>),
    /// Something or nothing.
    Option(Option<Box<DynValue>>),
    /// Values of any types: a sequence or a tuple.
    List(Vec<DynValue>),
    /// Values with names.
    Record(Vec<(String, DynValue)>),
}

/// A type of dynamic values, as signatures tell it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DynType {
    /// Nothing.
    Unit,
    /// A truth value.
    Bool,
    /// An unsigned integer of so many bits.
    Unsigned(u8),
    /// A signed integer of so many bits.
    Signed(u8),
    /// A floating-point number.
    Float,
    /// Text.
    Text,
    /// Octets.
    Octets,
    /// Something or nothing.
    Option(Box<DynType>),
    /// Any number of values of one type.
    List(Box<DynType>),
    /// So many values of these types.
    Tuple(Vec<DynType>),
    /// Values with names.
    Record(Vec<(String, DynType)>),
    /// Has no dynamic form: the method is for typed calls only.
    Opaque,
}

/// Can be passed to, and come from, a dynamic call. For a type of one's own: make a [`DynValue::Record`] of it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be passed to, or come from, a dynamic call",
    note = "implement `hamsa_swap::Dynamic` for it, or put `#[typed_only]` before the method of the kind"
)]
pub trait Dynamic: Sized {
    /// What signatures call it.
    fn dyn_type() -> DynType;
    /// As a value that describes itself.
    fn to_dyn(&self) -> DynValue;
    /// Back from such a value; `None` if it is none of this type.
    fn from_dyn(value: DynValue) -> Option<Self>;

    /// What signatures call a `Vec` of them. Of these three only `u8` has its own: many of it are octets, not a list.
    #[doc(hidden)]
    fn vec_type() -> DynType {
        DynType::List(Box::new(Self::dyn_type()))
    }
    #[doc(hidden)]
    fn vec_to_dyn(values: &[Self]) -> DynValue {
        DynValue::List(values.iter().map(Self::to_dyn).collect())
    }
    #[doc(hidden)]
    fn vec_from_dyn(value: DynValue) -> Option<Vec<Self>> {
        match value {
            DynValue::List(values) => values.into_iter().map(Self::from_dyn).collect(),
            _ => None,
        }
    }
}

impl DynValue {
    /// How deep it nests; what does not nest has depth 1.
    pub fn depth(&self) -> usize {
        // Level by level, so that a deep value can't exhaust the stack.
        let mut level = vec![self];
        let mut depth = 0;
        while !level.is_empty() {
            depth += 1;
            level = level.into_iter().flat_map(DynValue::parts).collect();
        }
        depth
    }

    /// Whether it nests no deeper than what is passed to modules.
    pub fn is_shallow(&self) -> bool {
        self.depth() <= VALUE_DEPTH_MAX
    }

    fn parts(&self) -> Vec<&DynValue> {
        match self {
            DynValue::Option(Some(value)) => vec![value],
            DynValue::List(values) => values.iter().collect(),
            DynValue::Record(fields) => fields.iter().map(|(_, value)| value).collect(),
            _ => Vec::new(),
        }
    }
}

macro_rules! dynamic {
    ($($type:ty: $shape:expr, $value:ident => $to:expr, $pattern:pat => $from:expr;)*) => {$(
        impl Dynamic for $type {
            fn dyn_type() -> DynType {
                $shape
            }
            fn to_dyn(&self) -> DynValue {
                let $value = self;
                $to
            }
            fn from_dyn(value: DynValue) -> Option<Self> {
                match value {
                    $pattern => $from,
                    _ => None,
                }
            }
        }
    )*};
}

dynamic! {
    (): DynType::Unit, _v => DynValue::Unit, DynValue::Unit => Some(());
    bool: DynType::Bool, v => DynValue::Bool(*v), DynValue::Bool(v) => Some(v);
    u16: DynType::Unsigned(16), v => DynValue::Unsigned((*v).into()), DynValue::Unsigned(v) => v.try_into().ok();
    u32: DynType::Unsigned(32), v => DynValue::Unsigned((*v).into()), DynValue::Unsigned(v) => v.try_into().ok();
    u64: DynType::Unsigned(64), v => DynValue::Unsigned(*v), DynValue::Unsigned(v) => Some(v);
    usize: DynType::Unsigned(64), v => DynValue::Unsigned(*v as u64), DynValue::Unsigned(v) => v.try_into().ok();
    i8: DynType::Signed(8), v => DynValue::Signed((*v).into()), DynValue::Signed(v) => v.try_into().ok();
    i16: DynType::Signed(16), v => DynValue::Signed((*v).into()), DynValue::Signed(v) => v.try_into().ok();
    i32: DynType::Signed(32), v => DynValue::Signed((*v).into()), DynValue::Signed(v) => v.try_into().ok();
    i64: DynType::Signed(64), v => DynValue::Signed(*v), DynValue::Signed(v) => Some(v);
    f64: DynType::Float, v => DynValue::Float(*v), DynValue::Float(v) => Some(v);
    String: DynType::Text, v => DynValue::Text(v.clone()), DynValue::Text(v) => Some(v);
}

impl<T: Dynamic> Dynamic for Option<T> {
    fn dyn_type() -> DynType {
        DynType::Option(Box::new(T::dyn_type()))
    }
    fn to_dyn(&self) -> DynValue {
        DynValue::Option(self.as_ref().map(|value| Box::new(value.to_dyn())))
    }
    fn from_dyn(value: DynValue) -> Option<Self> {
        match value {
            DynValue::Option(None) => Some(None),
            DynValue::Option(Some(value)) => T::from_dyn(*value).map(Some),
            _ => None,
        }
    }
}

impl<T: Dynamic> Dynamic for Vec<T> {
    fn dyn_type() -> DynType {
        T::vec_type()
    }
    fn to_dyn(&self) -> DynValue {
        T::vec_to_dyn(self)
    }
    fn from_dyn(value: DynValue) -> Option<Self> {
        T::vec_from_dyn(value)
    }
}

impl Dynamic for u8 {
    fn dyn_type() -> DynType {
        DynType::Unsigned(8)
    }
    fn to_dyn(&self) -> DynValue {
        DynValue::Unsigned((*self).into())
    }
    fn from_dyn(value: DynValue) -> Option<Self> {
        match value {
            DynValue::Unsigned(value) => value.try_into().ok(),
            _ => None,
        }
    }
    fn vec_type() -> DynType {
        DynType::Octets
    }
    fn vec_to_dyn(values: &[Self]) -> DynValue {
        DynValue::Octets(values.to_vec())
    }
    fn vec_from_dyn(value: DynValue) -> Option<Vec<Self>> {
        match value {
            DynValue::Octets(values) => Some(values),
            _ => None,
        }
    }
}

macro_rules! tuples {
    ($(($($name:ident),+))*) => {$(
        impl<$($name: Dynamic),+> Dynamic for ($($name,)+) {
            fn dyn_type() -> DynType {
                DynType::Tuple(vec![$($name::dyn_type()),+])
            }
            #[allow(non_snake_case, reason = "a variable is named as the type of its value")]
            fn to_dyn(&self) -> DynValue {
                let ($($name,)+) = self;
                DynValue::List(vec![$($name.to_dyn()),+])
            }
            fn from_dyn(value: DynValue) -> Option<Self> {
                let DynValue::List(values) = value else { return None };
                let mut values = values.into_iter();
                let tuple = ($($name::from_dyn(values.next()?)?,)+);
                values.next().is_none().then_some(tuple)
            }
        }
    )*};
}

tuples! { (A) (A, B) (A, B, C) (A, B, C, D) }

/// For types of one's own that have no better dynamic form: any value passes as it is.
impl Dynamic for DynValue {
    fn dyn_type() -> DynType {
        DynType::Opaque
    }
    fn to_dyn(&self) -> DynValue {
        self.clone()
    }
    fn from_dyn(value: DynValue) -> Option<Self> {
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_go_there_and_back() {
        fn same<T: Dynamic + PartialEq + std::fmt::Debug>(value: T) {
            assert_eq!(T::from_dyn(value.to_dyn()), Some(value));
        }
        same(());
        same((7u8, -7i64, "seven".to_owned()));
        same(vec![1u8, 2, 3]);
        same(vec![Some(1u16), None]);
        same(vec![(1.5f64, true)]);
        assert_eq!(vec![1u8, 2].to_dyn(), DynValue::Octets(vec![1, 2]));
    }

    #[test]
    fn what_does_not_fit_is_no_value() {
        assert_eq!(u8::from_dyn(DynValue::Unsigned(256)), None);
        assert_eq!(u8::from_dyn(DynValue::Signed(1)), None);
        assert_eq!(<(u8, u8)>::from_dyn(DynValue::List(vec![DynValue::Unsigned(1)])), None);
        assert_eq!(<(u8,)>::from_dyn(DynValue::List(vec![DynValue::Unsigned(1); 2])), None);
    }

    #[test]
    fn depth_is_counted_without_recursion() {
        let mut value = DynValue::Unit;
        for _ in 0..VALUE_DEPTH_MAX {
            assert!(value.is_shallow());
            value = DynValue::Option(Some(Box::new(value)));
        }
        assert!(!value.is_shallow());
    }
}
