//! The one encoding of states and deltas. Integers are LEB128, texts and octets have their length before them, objects stand
//! in order of their names: equal states have equal octets, and what [`StateSet::decode`] accepts encodes to itself.
//!
//! ```text
//! state  = "HSS" 1  schema commits  count { name object }
//! object = 0 octets  |  1 first count { octets }
//! delta  = "HSD" 1  schema base  count { change }
//! change = 0 name octets (put)  |  1 name octets (append)  |  2 name before (trim)  |  3 name (remove)
//! ```

use std::collections::BTreeMap;

use super::{Change, Delta, Log, Object, Octets, StateError, StateSet};
use crate::limits::{CHANGES_MAX, LOG_ENTRIES_MAX, STATE_NAME_OCTETS_MAX, STATE_OBJECTS_MAX};

const STATE: &[u8; 4] = b"HSS\x01";
const DELTA: &[u8; 4] = b"HSD\x01";

/// The octets are no state or delta of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Another format, or a later version of this one.
    #[error("not {what} in a format that this version knows")]
    Format {
        /// `a state` or `a delta`.
        what: &'static str,
    },
    /// The octets end early, or a length points past their end.
    #[error("truncated: {what} at octet {at} goes past the end")]
    Truncated {
        /// What was being read.
        what: &'static str,
        /// Where.
        at: usize,
    },
    /// A value that no encoder writes.
    #[error("{what} at octet {at} is not one that is ever written")]
    Malformed {
        /// What was being read.
        what: &'static str,
        /// Where.
        at: usize,
    },
    /// Names and bounds, as for a commit.
    #[error(transparent)]
    State(#[from] StateError),
}

impl StateSet {
    /// The set in octets; equal sets have equal octets.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.octets + 64 * self.objects.len() + 32);
        out.extend_from_slice(STATE);
        number(&mut out, u64::from(self.schema));
        number(&mut out, self.commits);
        number(&mut out, self.objects.len() as u64);
        for (name, object) in &self.objects {
            octets(&mut out, name.as_bytes());
            match object {
                Object::Blob(blob) => {
                    out.push(0);
                    octets(&mut out, blob);
                }
                Object::Log(log) => {
                    out.push(1);
                    number(&mut out, log.first);
                    number(&mut out, log.entries.len() as u64);
                    log.entries.iter().for_each(|entry| octets(&mut out, entry));
                }
            }
        }
        out
    }

    /// The set that these octets are. Memory used is bounded by their number.
    ///
    /// # Errors
    /// They are not what [`StateSet::encode`] writes.
    pub fn decode(input: &[u8]) -> Result<Self, DecodeError> {
        let mut input = Reader::open(input, STATE, "a state")?;
        let schema = input.schema()?;
        let commits = input.number("commit counter")?;
        let count = input.count("number of objects", STATE_OBJECTS_MAX)?;
        let mut objects = BTreeMap::new();
        for _ in 0..count {
            let at = input.at;
            let name = input.name()?;
            if objects.last_key_value().is_some_and(|(last, _)| *last >= name) {
                return Err(DecodeError::Malformed { what: "order of names", at });
            }
            let object = match input.octet("kind of object")? {
                0 => Object::Blob(input.octets("blob")?),
                1 => {
                    let first = input.number("first index")?;
                    let count = input.count("number of entries", LOG_ENTRIES_MAX)?;
                    let entries = (0..count).map(|_| input.octets("entry")).collect::<Result<Vec<_>, _>>()?;
                    Object::Log(Log::new(first, entries))
                }
                _ => return Err(input.malformed_before("kind of object")),
            };
            objects.insert(name, object);
        }
        input.end()?;
        Ok(StateSet::from_objects(schema, commits, objects)?)
    }
}

impl Delta {
    /// The delta in octets.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = DELTA.to_vec();
        number(&mut out, u64::from(self.schema));
        number(&mut out, self.base);
        number(&mut out, self.changes.len() as u64);
        for change in &self.changes {
            let (tag, name) = match change {
                Change::Put { name, .. } => (0, name),
                Change::Append { name, .. } => (1, name),
                Change::Trim { name, .. } => (2, name),
                Change::Remove { name } => (3, name),
            };
            out.push(tag);
            octets(&mut out, name.as_bytes());
            match change {
                Change::Put { blob: contents, .. } | Change::Append { entry: contents, .. } => {
                    octets(&mut out, contents);
                }
                Change::Trim { before, .. } => number(&mut out, *before),
                Change::Remove { .. } => {}
            }
        }
        out
    }

    /// The delta that these octets are. Whether it fits a state, [`StateSet::apply`] says.
    ///
    /// # Errors
    /// They are not what [`Delta::encode`] writes.
    pub fn decode(input: &[u8]) -> Result<Self, DecodeError> {
        let mut input = Reader::open(input, DELTA, "a delta")?;
        let schema = input.schema()?;
        let base = input.number("base")?;
        let count = input.count("number of changes", CHANGES_MAX)?;
        let mut changes = Vec::new();
        for _ in 0..count {
            let tag = input.octet("kind of change")?;
            if tag > 3 {
                return Err(input.malformed_before("kind of change"));
            }
            let name = input.name()?;
            changes.push(match tag {
                0 => Change::Put { name, blob: input.octets("blob")? },
                1 => Change::Append { name, entry: input.octets("entry")? },
                2 => Change::Trim { name, before: input.number("index")? },
                _ => Change::Remove { name },
            });
        }
        input.end()?;
        Ok(Delta { schema, base, changes })
    }
}

pub(crate) fn number(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

pub(crate) fn octets(out: &mut Vec<u8>, contents: &[u8]) {
    number(out, contents.len() as u64);
    out.extend_from_slice(contents);
}

pub(crate) struct Reader<'a> {
    input: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn open(input: &'a [u8], magic: &[u8; 4], what: &'static str) -> Result<Self, DecodeError> {
        if input.starts_with(magic) { Ok(Reader { input, at: magic.len() }) } else { Err(DecodeError::Format { what }) }
    }

    /// Of octets without a magic number.
    pub(crate) fn new(input: &'a [u8]) -> Self {
        Reader { input, at: 0 }
    }

    pub(crate) fn octet(&mut self, what: &'static str) -> Result<u8, DecodeError> {
        let octet = *self.input.get(self.at).ok_or(DecodeError::Truncated { what, at: self.at })?;
        self.at += 1;
        Ok(octet)
    }

    pub(crate) fn number(&mut self, what: &'static str) -> Result<u64, DecodeError> {
        let at = self.at;
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let octet = self.octet(what)?;
            let bits = u64::from(octet & 0x7f);
            let is_last = octet & 0x80 == 0;
            // The tenth octet has room for one bit, and a last octet of zero says nothing.
            if (shift == 63 && octet > 1) || (is_last && octet == 0 && shift > 0) {
                return Err(DecodeError::Malformed { what, at });
            }
            value |= bits << shift;
            if is_last {
                return Ok(value);
            }
        }
        Err(DecodeError::Malformed { what, at })
    }

    fn schema(&mut self) -> Result<u32, DecodeError> {
        self.short("schema")
    }

    /// An integer of 32 bits.
    pub(crate) fn short(&mut self, what: &'static str) -> Result<u32, DecodeError> {
        let at = self.at;
        u32::try_from(self.number(what)?).map_err(|_| DecodeError::Malformed { what, at })
    }

    pub(crate) fn text(&mut self, what: &'static str, octets_max: usize) -> Result<String, DecodeError> {
        let at = self.at;
        let text = std::str::from_utf8(self.slice(what)?).ok().filter(|text| text.len() <= octets_max);
        text.map(str::to_owned).ok_or(DecodeError::Malformed { what, at })
    }

    /// A number of things, each of which takes at least one octet.
    pub(crate) fn count(&mut self, what: &'static str, max: usize) -> Result<usize, DecodeError> {
        let at = self.at;
        let count = usize::try_from(self.number(what)?).unwrap_or(usize::MAX);
        if count > max {
            return Err(DecodeError::Malformed { what, at });
        }
        if count > self.input.len() - self.at {
            return Err(DecodeError::Truncated { what, at });
        }
        Ok(count)
    }

    fn slice(&mut self, what: &'static str) -> Result<&'a [u8], DecodeError> {
        let at = self.at;
        let length = usize::try_from(self.number(what)?).unwrap_or(usize::MAX);
        let end = self.at.checked_add(length).filter(|end| *end <= self.input.len());
        let end = end.ok_or(DecodeError::Truncated { what, at })?;
        let slice = &self.input[self.at..end];
        self.at = end;
        Ok(slice)
    }

    fn octets(&mut self, what: &'static str) -> Result<Octets, DecodeError> {
        self.slice(what).map(Octets::from)
    }

    pub(crate) fn name(&mut self) -> Result<String, DecodeError> {
        let at = self.at;
        let name = self.slice("name")?;
        if !(1..=STATE_NAME_OCTETS_MAX).contains(&name.len()) {
            return Err(StateError::Name { octets: name.len() }.into());
        }
        let name = std::str::from_utf8(name).map_err(|_| DecodeError::Malformed { what: "name", at })?;
        Ok(name.to_owned())
    }

    fn malformed_before(&self, what: &'static str) -> DecodeError {
        DecodeError::Malformed { what, at: self.at - 1 }
    }

    pub(crate) fn end(&self) -> Result<(), DecodeError> {
        if self.at == self.input.len() { Ok(()) } else { Err(DecodeError::Malformed { what: "end", at: self.at }) }
    }
}
