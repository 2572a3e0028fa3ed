//! One name of the directory, with all values that it has by changes that did not know of each other.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::limits::{MAX_VALUE_BYTES, MAX_VALUES};
use super::version::{Dot, Run, Seen};

/// What stands under one name. Merging is commutative, associative and idempotent, within the limits.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct Entry {
    seen: Seen,
    values: BTreeMap<Dot, Value>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) enum Value {
    Set(Bytes),
    /// Deleted, at this time in milliseconds since 1970.
    Deleted {
        at_ms: u64,
    },
}

/// What a merge has done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Merged {
    pub(super) is_changed: bool,
    /// Values were dropped because there were more than [`MAX_VALUES`].
    pub(super) has_dropped: bool,
}

impl Entry {
    /// Puts a value in the place of all those that whoever changes it has seen.
    pub(super) fn write(&mut self, run: Run, value: Value, seen: &Seen) -> Merged {
        let dot = self.seen.next(run);
        self.values.retain(|dot, _| !seen.covers(*dot));
        self.values.insert(dot, value);
        self.seen.join(seen);
        self.seen.add(dot);
        Merged { is_changed: true, has_dropped: self.drop_oldest() }
    }

    /// Takes in what another node has: a value stays if both have it, or if the one that lacks it has not seen it.
    pub(super) fn merge(&mut self, other: &Self) -> Merged {
        let before = self.clone();
        self.values.retain(|dot, _| other.values.contains_key(dot) || !other.seen.covers(*dot));
        for (dot, value) in &other.values {
            if !before.seen.covers(*dot) && !before.values.contains_key(dot) {
                self.values.insert(*dot, value.clone());
            }
        }
        self.seen.join(&other.seen);
        let has_dropped = self.drop_oldest();
        Merged { is_changed: *self != before, has_dropped }
    }

    fn drop_oldest(&mut self) -> bool {
        let has_dropped = self.values.len() > MAX_VALUES;
        while self.values.len() > MAX_VALUES {
            self.values.pop_first();
        }
        has_dropped
    }

    pub(super) fn seen(&self) -> &Seen {
        &self.seen
    }

    /// What it is set to, oldest run first. Equal values of concurrent changes are no conflict.
    pub(super) fn values(&self) -> Vec<&Bytes> {
        let mut values = Vec::new();
        for value in self.values.values() {
            if let Value::Set(data) = value
                && !values.contains(&data)
            {
                values.push(data);
            }
        }
        values
    }

    /// Whether it was deleted by a change that did not know of the values that it still has.
    pub(super) fn has_deletion(&self) -> bool {
        self.values.values().any(|value| matches!(value, Value::Deleted { .. }))
    }

    /// More than one value, or a deletion beside one.
    pub(super) fn is_conflict(&self) -> bool {
        let values = self.values().len();
        values > 1 || values == 1 && self.has_deletion()
    }

    /// When it was deleted, if nothing else stands there.
    pub(super) fn deleted_at_ms(&self) -> Option<u64> {
        let mut latest = 0;
        for value in self.values.values() {
            match value {
                Value::Set(_) => return None,
                Value::Deleted { at_ms } => latest = latest.max(*at_ms),
            }
        }
        Some(latest)
    }

    /// Whether an honest node sends it. A value that is not covered could never be replaced.
    pub(super) fn is_sound(&self) -> bool {
        let is_short = |value: &Value| match value {
            Value::Set(data) => data.len() <= MAX_VALUE_BYTES,
            Value::Deleted { .. } => true,
        };
        let values = &self.values;
        let is_covered = values.keys().all(|dot| self.seen.may_cover(*dot));
        (1..=MAX_VALUES).contains(&values.len()) && values.values().all(is_short) && is_covered && self.seen.is_sound()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A step of some replicas of one entry.
    #[derive(Debug, Clone)]
    enum Step {
        Write {
            at: usize,
            value: u8,
        },
        /// By someone who has read before the last change.
        WriteLate {
            at: usize,
            value: u8,
        },
        Delete {
            at: usize,
        },
        Merge {
            from: usize,
            into: usize,
        },
    }

    const REPLICAS: usize = 4;

    fn step() -> impl Strategy<Value = Step> {
        let at = 0..REPLICAS;
        prop_oneof![
            (at.clone(), any::<u8>()).prop_map(|(at, value)| Step::Write { at, value }),
            (at.clone(), any::<u8>()).prop_map(|(at, value)| Step::WriteLate { at, value }),
            at.clone().prop_map(|at| Step::Delete { at }),
            (at.clone(), at).prop_map(|(from, into)| Step::Merge { from, into }),
        ]
    }

    fn run(node: usize) -> Run {
        Run { began_ms: 1, node: node as u32 }
    }

    fn replicas(steps: &[Step]) -> [Entry; REPLICAS] {
        let mut replicas: [Entry; REPLICAS] = Default::default();
        let mut read: [Seen; REPLICAS] = Default::default();
        for step in steps {
            match step {
                Step::Write { at, value } => {
                    let seen = replicas[*at].seen.clone();
                    replicas[*at].write(run(*at), Value::Set(Bytes::from(vec![*value])), &seen);
                    read[*at] = seen;
                }
                Step::WriteLate { at, value } => {
                    replicas[*at].write(run(*at), Value::Set(Bytes::from(vec![*value])), &read[*at]);
                }
                Step::Delete { at } => {
                    let seen = replicas[*at].seen.clone();
                    replicas[*at].write(run(*at), Value::Deleted { at_ms: 5 }, &seen);
                }
                Step::Merge { from, into } => {
                    let other = replicas[*from].clone();
                    replicas[*into].merge(&other);
                }
            }
        }
        replicas
    }

    fn merged(one: &Entry, other: &Entry) -> Entry {
        let mut one = one.clone();
        one.merge(other);
        one
    }

    /// Of 14 steps each adds at most one value, so that no limit is met.
    fn steps() -> impl Strategy<Value = Vec<Step>> {
        prop::collection::vec(step(), 0..14)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn merging_is_commutative_associative_and_idempotent(steps in steps()) {
            let [a, b, c, _] = replicas(&steps);
            prop_assert_eq!(merged(&a, &b), merged(&b, &a));
            prop_assert_eq!(merged(&merged(&a, &b), &c), merged(&a, &merged(&b, &c)));
            prop_assert_eq!(merged(&a, &a), a.clone());
            let ab = merged(&a, &b);
            prop_assert_eq!(merged(&ab, &b), ab);
        }

        #[test]
        fn a_value_that_nobody_has_seen_stays(steps in steps(), value in any::<u8>()) {
            let [mut a, b, ..] = replicas(&steps);
            let seen = a.seen.clone();
            let data = Bytes::from(vec![value, value]);
            a.write(run(0), Value::Set(data.clone()), &seen);
            let all = merged(&a, &b);
            prop_assert!(all.values().contains(&&data));
            // Who has seen all of it resolves it.
            let mut resolved = all.clone();
            resolved.write(run(1), Value::Set(Bytes::from_static(b"resolved")), &all.seen);
            prop_assert!(!resolved.is_conflict());
            prop_assert_eq!(merged(&merged(&a, &resolved), &b), resolved);
        }
    }

    #[test]
    fn a_limit_drops_the_oldest_and_says_so() {
        let mut all = Entry::default();
        let mut has_dropped = false;
        for node in 0..MAX_VALUES + 3 {
            let mut one = Entry::default();
            one.write(run(node), Value::Set(Bytes::from(vec![node as u8])), &Seen::default());
            has_dropped |= all.merge(&one).has_dropped;
        }
        assert!(has_dropped && all.is_sound());
        assert_eq!(all.values().len(), MAX_VALUES);
        assert_eq!(all.values()[0], &Bytes::from_static(&[3]));
    }

    #[test]
    fn a_context_forgets_the_oldest_runs() {
        let mut entry = Entry::default();
        for began_ms in 0..1_000 {
            let seen = entry.seen.clone();
            entry.write(Run { began_ms, node: 1 }, Value::Set(Bytes::new()), &seen);
            assert!(entry.is_sound());
            assert_eq!(entry.values().len(), 1);
        }
    }
}
