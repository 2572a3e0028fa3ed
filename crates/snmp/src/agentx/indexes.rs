//! Index values that sub-agents share a table by (RFC 2741 §7.1.4.2, §7.1.4.3).
//!
//! A value that was allocated once is never again a new one. New ones are found for integers and addresses; for
//! strings and OIDs a sub-agent names the value that it wants.

use std::collections::{BTreeMap, HashMap};
use std::net::Ipv4Addr;

use super::packet::{Variable, status};
use crate::limits::MAX_AGENTX_INDEXES;
use crate::oid::Oid;
use crate::value::OwnedValue;

/// Which value is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// The one that is named.
    This,
    /// One that nobody has.
    Any,
    /// One that nobody ever had.
    New,
}

/// All values that are, or were, allocated.
#[derive(Debug, Default)]
pub(super) struct Indexes {
    /// By objects; each value has its session, unless it was released.
    objects: BTreeMap<Oid, HashMap<OwnedValue, Option<u32>>>,
    count: usize,
}

impl Indexes {
    /// Allocates all of them, or none; returns them with their values, or the error and the place of the variable that
    /// it is about.
    pub(super) fn allocate(
        &mut self,
        session: u32,
        wanted: Wanted,
        variables: &[Variable],
    ) -> Result<Vec<Variable>, (u16, usize)> {
        let mut done: Vec<(Variable, Option<Option<u32>>)> = Vec::new();
        for (place, variable) in variables.iter().enumerate() {
            match self.allocate_one(session, wanted, variable) {
                Ok((value, before)) => done.push((Variable { name: variable.name.clone(), value }, before)),
                Err(error) => {
                    for (variable, before) in done.into_iter().rev() {
                        self.take_back(&variable, before);
                    }
                    return Err((error, place));
                }
            }
        }
        Ok(done.into_iter().map(|(variable, _)| variable).collect())
    }

    fn allocate_one(
        &mut self,
        session: u32,
        wanted: Wanted,
        Variable { name, value }: &Variable,
    ) -> Result<(OwnedValue, Option<Option<u32>>), u16> {
        let is_index = matches!(
            value,
            OwnedValue::Integer(_)
                | OwnedValue::OctetString(_)
                | OwnedValue::ObjectIdentifier(_)
                | OwnedValue::IpAddress(_)
        );
        let known = self.objects.get(name);
        let is_alike = |known: &HashMap<OwnedValue, Option<u32>>| {
            known.keys().next().is_none_or(|known| std::mem::discriminant(known) == std::mem::discriminant(value))
        };
        if !is_index || !known.is_none_or(is_alike) {
            return Err(status::INDEX_WRONG_TYPE);
        }
        let value = match wanted {
            Wanted::This => match known.and_then(|known| known.get(value)) {
                Some(Some(_)) => return Err(status::INDEX_ALREADY_ALLOCATED),
                _ => value.clone(),
            },
            Wanted::Any => released(known).or_else(|| fresh(known, value)).ok_or(status::INDEX_NONE_AVAILABLE)?,
            Wanted::New => fresh(known, value).ok_or(status::INDEX_NONE_AVAILABLE)?,
        };
        let is_new = known.is_none_or(|known| !known.contains_key(&value));
        if is_new && self.count >= MAX_AGENTX_INDEXES {
            return Err(status::INDEX_NONE_AVAILABLE);
        }
        self.count += usize::from(is_new);
        let before = self.objects.entry(name.clone()).or_default().insert(value.clone(), Some(session));
        Ok((value, before))
    }

    fn take_back(&mut self, Variable { name, value }: &Variable, before: Option<Option<u32>>) {
        let Some(known) = self.objects.get_mut(name) else { return };
        match before {
            Some(before) => _ = known.insert(value.clone(), before),
            None => {
                known.remove(value);
                self.count -= 1;
                if known.is_empty() {
                    self.objects.remove(name);
                }
            }
        }
    }

    /// Releases all of them, or none: then the place of one that the session does not have.
    pub(super) fn release(&mut self, session: u32, variables: &[Variable]) -> Result<(), usize> {
        let has = |Variable { name, value }: &Variable| {
            self.objects.get(name).and_then(|known| known.get(value)) == Some(&Some(session))
        };
        if let Some(place) = variables.iter().position(|variable| !has(variable)) {
            return Err(place);
        }
        for Variable { name, value } in variables {
            if let Some(place) = self.objects.get_mut(name).and_then(|known| known.get_mut(value)) {
                *place = None;
            }
        }
        Ok(())
    }

    /// Releases all that a session has.
    pub(super) fn release_all(&mut self, session: u32) {
        let places = self.objects.values_mut().flat_map(HashMap::values_mut);
        places.filter(|place| **place == Some(session)).for_each(|place| *place = None);
    }

    /// Puts a value in as it was saved.
    pub(super) fn put(&mut self, session: Option<u32>, Variable { name, value }: Variable) {
        let before = self.objects.entry(name).or_default().insert(value, session);
        self.count += usize::from(before.is_none());
    }

    /// All values with their sessions.
    pub(super) fn all(&self) -> impl Iterator<Item = (Option<u32>, Variable)> {
        self.objects.iter().flat_map(|(name, known)| {
            known.iter().map(|(value, session)| (*session, Variable { name: name.clone(), value: value.clone() }))
        })
    }
}

/// The least value that was released.
fn released(known: Option<&HashMap<OwnedValue, Option<u32>>>) -> Option<OwnedValue> {
    let free = known?.iter().filter(|(_, session)| session.is_none()).map(|(value, _)| value);
    free.min_by_key(|value| number(value).unwrap_or(u32::MAX)).cloned()
}

/// The value behind the greatest that ever was; from 1 on.
fn fresh(known: Option<&HashMap<OwnedValue, Option<u32>>>, like: &OwnedValue) -> Option<OwnedValue> {
    let last = known.into_iter().flat_map(HashMap::keys).filter_map(number).max().unwrap_or(0);
    let next = last.checked_add(1)?;
    match like {
        OwnedValue::Integer(_) => i32::try_from(next).ok().map(OwnedValue::Integer),
        OwnedValue::IpAddress(_) => Some(OwnedValue::IpAddress(Ipv4Addr::from(next))),
        _ => None,
    }
}

fn number(value: &OwnedValue) -> Option<u32> {
    match value {
        OwnedValue::Integer(number) => u32::try_from(*number).ok(),
        OwnedValue::IpAddress(address) => Some(u32::from(*address)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn integer(number: i32) -> Variable {
        Variable { name: "1.3.6.1.4.1.32473.1".parse().unwrap(), value: OwnedValue::Integer(number) }
    }

    #[test]
    fn a_value_belongs_to_one_session_and_is_new_only_once() {
        let mut indexes = Indexes::default();
        let mut one = |session, wanted, number| {
            indexes.allocate(session, wanted, &[integer(number)]).map(|done| done[0].value.clone())
        };
        assert_eq!(one(1, Wanted::New, 0), Ok(OwnedValue::Integer(1)));
        assert_eq!(one(2, Wanted::This, 5), Ok(OwnedValue::Integer(5)));
        assert_eq!(one(1, Wanted::This, 5), Err((status::INDEX_ALREADY_ALLOCATED, 0)));
        assert_eq!(one(1, Wanted::Any, 0), Ok(OwnedValue::Integer(6)));
        assert_eq!(indexes.release(1, &[integer(1), integer(5)]), Err(1));
        indexes.release_all(1);
        assert_eq!(indexes.allocate(2, Wanted::New, &[integer(0)]).unwrap()[0], integer(7));
        assert_eq!(indexes.allocate(2, Wanted::Any, &[integer(0)]).unwrap()[0], integer(1));
        assert_eq!(indexes.release(2, &[integer(1)]), Ok(()));
        let text = Variable { value: OwnedValue::OctetString(b"a".as_slice().into()), ..integer(0) };
        assert_eq!(indexes.allocate(2, Wanted::This, &[text]), Err((status::INDEX_WRONG_TYPE, 0)));
    }

    #[test]
    fn all_are_allocated_or_none() {
        let mut indexes = Indexes::default();
        indexes.allocate(1, Wanted::This, &[integer(2)]).unwrap();
        let refused = indexes.allocate(2, Wanted::This, &[integer(1), integer(2)]);
        assert_eq!(refused, Err((status::INDEX_ALREADY_ALLOCATED, 1)));
        assert_eq!(indexes.all().collect::<Vec<_>>(), [(Some(1), integer(2))]);
        assert_eq!(indexes.count, 1);
    }
}
