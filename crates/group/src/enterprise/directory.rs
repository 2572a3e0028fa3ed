//! The directory: named entries that converge after any split, in whatever order changes are exchanged.
//!
//! It leaves out what names and values mean, and who may write them.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use bytes::Bytes;
use xxhash_rust::xxh3::xxh3_64;

use super::entry::{Entry, Merged, Value};
use super::limits::{
    BUCKETS, MAX_ENTRIES, MAX_HEADS, MAX_NAME_BYTES, MAX_TOMBSTONES, MAX_VALUE_BYTES, TOMBSTONES_LAST,
};
use super::version::{Run, Seen};

/// What stands under a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// None: no such name. One: its value. More: a conflict, of changes that did not know of each other.
    pub values: Vec<Bytes>,
    /// It was also deleted, by a change that did not know of `values`: a conflict too.
    pub is_deleted_too: bool,
    /// To be given back with a change that takes all of this into account.
    pub seen: Seen,
}

impl Reading {
    /// Whether changes that did not know of each other stand beside each other.
    pub fn is_conflict(&self) -> bool {
        self.values.len() > 1 || self.values.len() == 1 && self.is_deleted_too
    }
}

/// Why the directory takes no change.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// An empty name, or one of more than [`MAX_NAME_BYTES`] octets.
    #[error("a name has 1 to {MAX_NAME_BYTES} octets, not {0}")]
    Name(usize),
    /// A value of more than [`MAX_VALUE_BYTES`] octets.
    #[error("a value has at most {MAX_VALUE_BYTES} octets, not {0}")]
    Value(usize),
    /// There are [`MAX_ENTRIES`] names.
    #[error("the directory is full with {MAX_ENTRIES} names: delete what is no longer used")]
    Full,
}

/// All names.
#[derive(Debug)]
pub(super) struct Directory {
    run: Run,
    /// By the hash of the name, so that a bucket is a range.
    entries: BTreeMap<u64, Named>,
    names: BTreeMap<String, u64>,
    /// Of deleted names: when, and their keys.
    tombstones: BTreeSet<(u64, u64)>,
    /// Digests are the hashes of all entries, each added by exclusive or.
    buckets: Vec<u64>,
    root: u64,
}

#[derive(Debug)]
struct Named {
    name: String,
    entry: Entry,
    hash: u64,
}

/// What has come of an entry that another node has sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    Nothing,
    /// `was_conflict`, `is_conflict`: before and after.
    Changed {
        was_conflict: bool,
        is_conflict: bool,
        has_dropped: bool,
    },
    /// There is no room, or its name has the hash of another.
    Refused,
}

/// A name's hash, and that of its entry.
pub(super) type Head = (u64, u64);

impl Directory {
    pub(super) fn new(run: Run) -> Self {
        let (entries, names, tombstones) = Default::default();
        Self { run, entries, names, tombstones, buckets: vec![0; BUCKETS], root: 0 }
    }

    pub(super) fn read(&self, name: &str) -> Reading {
        let Some(named) = self.entries.get(&hash_of_name(name)).filter(|named| named.name == name) else {
            return Reading { values: Vec::new(), is_deleted_too: false, seen: Seen::default() };
        };
        let values: Vec<Bytes> = named.entry.values().into_iter().cloned().collect();
        let is_deleted_too = !values.is_empty() && named.entry.has_deletion();
        Reading { values, is_deleted_too, seen: named.entry.seen().clone() }
    }

    /// Names that are not deleted, in their order, from the first that starts with a prefix.
    pub(super) fn names(&self, prefix: &str) -> impl Iterator<Item = &str> {
        let from = (Bound::Included(prefix), Bound::Unbounded);
        let found = self.names.range::<str, _>(from).take_while(move |(name, _)| name.starts_with(prefix));
        found.filter(|(_, hash)| self.entries[hash].entry.deleted_at_ms().is_none()).map(|(name, _)| name.as_str())
    }

    /// Sets a name, or deletes it when there is no value.
    pub(super) fn write(
        &mut self,
        wall_ms: u64,
        name: &str,
        value: Option<Bytes>,
        seen: &Seen,
    ) -> Result<Taken, WriteError> {
        if !is_sound_name(name) {
            return Err(WriteError::Name(name.len()));
        }
        if let Some(value) = value.as_ref().filter(|value| value.len() > MAX_VALUE_BYTES) {
            return Err(WriteError::Value(value.len()));
        }
        let value = value.map_or(Value::Deleted { at_ms: wall_ms }, Value::Set);
        let run = self.run;
        match self.change(wall_ms, name, |entry| entry.write(run, value, seen)) {
            Taken::Refused => Err(WriteError::Full),
            taken => Ok(taken),
        }
    }

    /// Takes in an entry of another node.
    pub(super) fn merge(&mut self, wall_ms: u64, name: &str, other: &Entry) -> Taken {
        self.change(wall_ms, name, |entry| entry.merge(other))
    }

    fn change(&mut self, wall_ms: u64, name: &str, change: impl FnOnce(&mut Entry) -> Merged) -> Taken {
        let key = hash_of_name(name);
        let mut entry = match self.entries.get(&key) {
            Some(named) if named.name != name => return Taken::Refused,
            Some(named) => named.entry.clone(),
            None => Entry::default(),
        };
        let was_conflict = entry.is_conflict();
        let merged = change(&mut entry);
        if !merged.is_changed {
            return Taken::Nothing;
        }
        let is_known = self.entries.get(&key).is_some_and(|named| named.entry.deleted_at_ms().is_none());
        if !is_known && entry.deleted_at_ms().is_none() && self.len() >= MAX_ENTRIES {
            return Taken::Refused;
        }
        let is_conflict = entry.is_conflict();
        self.put(key, name, entry);
        self.forget_tombstones(wall_ms);
        if !self.entries.contains_key(&key) {
            // A deletion of so long ago that it is forgotten elsewhere too.
            return Taken::Nothing;
        }
        Taken::Changed { was_conflict, is_conflict, has_dropped: merged.has_dropped }
    }

    fn put(&mut self, key: u64, name: &str, entry: Entry) {
        self.remove(key);
        let hash = hash_of_entry(name, &entry);
        self.buckets[bucket_of(key)] ^= hash;
        self.root ^= hash;
        self.tombstones.extend(entry.deleted_at_ms().map(|at_ms| (at_ms, key)));
        self.names.insert(name.to_owned(), key);
        self.entries.insert(key, Named { name: name.to_owned(), entry, hash });
    }

    fn remove(&mut self, key: u64) {
        if let Some(named) = self.entries.remove(&key) {
            self.buckets[bucket_of(key)] ^= named.hash;
            self.root ^= named.hash;
            if let Some(at_ms) = named.entry.deleted_at_ms() {
                self.tombstones.remove(&(at_ms, key));
            }
            self.names.remove(&named.name);
        }
    }

    /// Forgets deleted names whose time is over, and the oldest when there are too many: the same at all nodes.
    pub(super) fn forget_tombstones(&mut self, wall_ms: u64) {
        let horizon_ms = wall_ms.saturating_sub(TOMBSTONES_LAST.as_millis() as u64);
        while let Some((at_ms, key)) = self.tombstones.first().copied()
            && (at_ms < horizon_ms || self.tombstones.len() > MAX_TOMBSTONES)
        {
            self.remove(key);
        }
    }

    /// A digest of all of it.
    pub(super) fn root(&self) -> u64 {
        self.root
    }

    /// A digest of each bucket.
    pub(super) fn buckets(&self) -> &[u64] {
        &self.buckets
    }

    /// The names of some buckets: each a range of hashes, and all that lie in it. Long ones are cut to several.
    pub(super) fn heads(&self, bucket: usize) -> Vec<(u64, u64, Vec<Head>)> {
        let (mut first, last) = range_of(bucket);
        let all: Vec<Head> = self.entries.range(first..=last).map(|(key, named)| (*key, named.hash)).collect();
        let mut parts = Vec::new();
        let mut chunks = all.chunks(MAX_HEADS).peekable();
        while let Some(chunk) = chunks.next() {
            let end = if chunks.peek().is_some() { chunk[chunk.len() - 1].0 } else { last };
            parts.push((first, end, chunk.to_vec()));
            first = end.wrapping_add(1);
        }
        if parts.is_empty() {
            parts.push((first, last, Vec::new()));
        }
        parts
    }

    /// What differs from another's names in a range of hashes: which of them to ask for, and which to send.
    pub(super) fn compare(&self, first: u64, last: u64, theirs: &[Head]) -> (Vec<u64>, Vec<u64>) {
        let theirs: BTreeMap<u64, u64> = theirs.iter().copied().collect();
        let ours = |key: &u64| self.entries.get(key).map(|named| named.hash);
        let ask = theirs.iter().filter(|(key, hash)| ours(key) != Some(**hash)).map(|(key, _)| *key).collect();
        if first > last {
            return (ask, Vec::new());
        }
        let send = self.entries.range(first..=last).filter(|(key, named)| theirs.get(key) != Some(&named.hash));
        (ask, send.map(|(key, _)| *key).collect())
    }

    /// A name and its entry, to be sent.
    pub(super) fn entry(&self, key: u64) -> Option<(&str, &Entry)> {
        self.entries.get(&key).map(|named| (named.name.as_str(), &named.entry))
    }

    /// Of all names, deleted ones too.
    pub(super) fn keys(&self) -> impl Iterator<Item = u64> {
        self.entries.keys().copied()
    }

    /// The key of a name.
    pub(super) fn key(name: &str) -> u64 {
        hash_of_name(name)
    }

    /// Names that are not deleted.
    pub(super) fn len(&self) -> usize {
        self.entries.len() - self.tombstones.len()
    }
}

pub(super) fn is_sound_name(name: &str) -> bool {
    (1..=MAX_NAME_BYTES).contains(&name.len())
}

fn hash_of_name(name: &str) -> u64 {
    xxh3_64(name.as_bytes())
}

fn hash_of_entry(name: &str, entry: &Entry) -> u64 {
    // Its maps are ordered, so equal entries have equal octets.
    let octets = postcard::to_stdvec(&(name, entry)).expect("an entry can be written");
    xxh3_64(&octets)
}

fn bucket_of(key: u64) -> usize {
    (key / (u64::MAX / BUCKETS as u64 + 1)) as usize
}

fn range_of(bucket: usize) -> (u64, u64) {
    let width = u64::MAX / BUCKETS as u64 + 1;
    let first = bucket as u64 * width;
    (first, first + (width - 1))
}
