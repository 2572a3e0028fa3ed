//! How a state of one schema becomes one of another: the paper's mapping rules, as data where that is enough and as
//! code where it is not.
//!
//! A [`Mapping`] leads from one schema to another. Those of the old and of the new version together are the edges of a graph;
//! [`path`] finds the shortest way through it, before any gate is closed. What no rule names is an error: no
//! object gets lost because it was forgotten.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::Arc;

use crate::state::{Object, StateError, StateSet};

/// Converts the contents of one object.
pub type Convert = Arc<dyn Fn(&Object) -> Result<Object, String> + Send + Sync>;

/// Makes all objects of the new state of all of the old one.
pub type Code = Arc<dyn Fn(&StateSet) -> Result<BTreeMap<String, Object>, String> + Send + Sync>;

/// What becomes of one object.
#[derive(Clone)]
pub enum Rule {
    /// It stays as it is, if it is there.
    Keep(String),
    /// It stays under another name, if it is there.
    Rename {
        /// Its name in the old state.
        from: String,
        /// Its name in the new one.
        to: String,
    },
    /// It is converted, if it is there.
    Convert {
        /// Its name in the old state.
        from: String,
        /// Its name in the new one.
        to: String,
        /// What does it.
        with: Convert,
    },
    /// It is made, if no other rule made it.
    Default {
        /// Its name in the new state.
        to: String,
        /// What it is.
        object: Object,
    },
    /// It goes.
    Drop(String),
    /// All that no other rule names stays as it is.
    KeepOthers,
}

impl Rule {
    /// See [`Rule::Keep`].
    pub fn keep(name: impl Into<String>) -> Self {
        Rule::Keep(name.into())
    }

    /// See [`Rule::Rename`].
    pub fn rename(from: impl Into<String>, to: impl Into<String>) -> Self {
        Rule::Rename { from: from.into(), to: to.into() }
    }

    /// See [`Rule::Convert`]; the name stays.
    pub fn convert(
        name: impl Into<String>,
        with: impl Fn(&Object) -> Result<Object, String> + Send + Sync + 'static,
    ) -> Self {
        let name = name.into();
        Rule::Convert { from: name.clone(), to: name, with: Arc::new(with) }
    }

    /// See [`Rule::Default`]; a blob.
    pub fn default(to: impl Into<String>, blob: impl Into<Arc<[u8]>>) -> Self {
        Rule::Default { to: to.into(), object: Object::Blob(blob.into()) }
    }

    /// See [`Rule::Drop`].
    pub fn drop(name: impl Into<String>) -> Self {
        Rule::Drop(name.into())
    }
}

/// How states of schema `from` become states of schema `to`.
#[derive(Clone)]
pub struct Mapping {
    from: u32,
    to: u32,
    how: How,
}

#[derive(Clone)]
enum How {
    Rules(Vec<Rule>),
    Code(Code),
}

/// A state can't be mapped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MappingError {
    /// No mapping leads there.
    #[error("no mapping leads from schema {from} to schema {to}; give the newer version one")]
    NoPath {
        /// Where from.
        from: u32,
        /// Where to.
        to: u32,
    },
    /// No rule says what becomes of an object.
    #[error("schema {from} to {to}: no rule names object {name}; keep or drop it")]
    Unnamed {
        /// Where from.
        from: u32,
        /// Where to.
        to: u32,
        /// The object.
        name: String,
    },
    /// Two rules make the same object.
    #[error("schema {from} to {to}: two rules make object {name}")]
    Twice {
        /// Where from.
        from: u32,
        /// Where to.
        to: u32,
        /// The object.
        name: String,
    },
    /// A conversion failed.
    #[error("schema {from} to {to}: {reason}")]
    Code {
        /// Where from.
        from: u32,
        /// Where to.
        to: u32,
        /// What it said.
        reason: String,
    },
    /// What came out is no state.
    #[error("schema {from} to {to}: {source}")]
    State {
        /// Where from.
        from: u32,
        /// Where to.
        to: u32,
        /// What is wrong.
        source: StateError,
    },
}

impl Mapping {
    /// By rules.
    pub fn rules(from: u32, to: u32, rules: impl Into<Vec<Rule>>) -> Self {
        Mapping { from, to, how: How::Rules(rules.into()) }
    }

    /// By code that makes all objects.
    pub fn code(
        from: u32,
        to: u32,
        code: impl Fn(&StateSet) -> Result<BTreeMap<String, Object>, String> + Send + Sync + 'static,
    ) -> Self {
        Mapping { from, to, how: How::Code(Arc::new(code)) }
    }

    /// The schema of the states that it takes.
    pub fn from(&self) -> u32 {
        self.from
    }

    /// The schema of the states that it makes.
    pub fn to(&self) -> u32 {
        self.to
    }

    /// The state in the other schema; it goes on counting commits where `state` is.
    ///
    /// # Errors
    /// A rule is missing or ambiguous, or code fails.
    pub fn apply(&self, state: &StateSet) -> Result<StateSet, MappingError> {
        let (from, to) = (self.from, self.to);
        if state.schema() != from {
            return Err(MappingError::NoPath { from: state.schema(), to });
        }
        let objects = match &self.how {
            How::Rules(rules) => self.by_rules(rules, state)?,
            How::Code(code) => code(state).map_err(|reason| MappingError::Code { from, to, reason })?,
        };
        StateSet::from_objects(to, state.commits(), objects).map_err(|source| MappingError::State { from, to, source })
    }

    fn by_rules(&self, rules: &[Rule], state: &StateSet) -> Result<BTreeMap<String, Object>, MappingError> {
        let (from, to) = (self.from, self.to);
        let mut unnamed: BTreeMap<&str, &Object> = state.objects().collect();
        let mut made = BTreeMap::new();
        let mut make = |name: &str, object: Object| match made.insert(name.to_owned(), object) {
            None => Ok(()),
            Some(_) => Err(MappingError::Twice { from, to, name: name.to_owned() }),
        };
        for rule in rules {
            let (Rule::Keep(old) | Rule::Drop(old) | Rule::Rename { from: old, .. } | Rule::Convert { from: old, .. }) =
                rule
            else {
                continue;
            };
            unnamed.remove(old.as_str());
            let Some(object) = state.object(old) else { continue };
            match rule {
                Rule::Keep(name) => make(name, object.clone())?,
                Rule::Rename { to, .. } => make(to, object.clone())?,
                Rule::Convert { to: name, with, .. } => {
                    let failed = |reason| MappingError::Code { from, to, reason: format!("object {old}: {reason}") };
                    make(name, with(object).map_err(failed)?)?;
                }
                Rule::Drop(_) | Rule::Default { .. } | Rule::KeepOthers => {}
            }
        }
        if rules.iter().any(|rule| matches!(rule, Rule::KeepOthers)) {
            for (name, object) in std::mem::take(&mut unnamed) {
                make(name, object.clone())?;
            }
        }
        if let Some(name) = unnamed.keys().next() {
            return Err(MappingError::Unnamed { from, to, name: (*name).to_owned() });
        }
        for rule in rules {
            if let Rule::Default { to, object } = rule {
                made.entry(to.clone()).or_insert_with(|| object.clone());
            }
        }
        Ok(made)
    }
}

/// The fewest mappings that lead from one schema to the other, in order; none if they are the same.
///
/// # Errors
/// None do.
pub fn path(mappings: &[Mapping], from: u32, to: u32) -> Result<Vec<Mapping>, MappingError> {
    let mut came_by: BTreeMap<u32, Option<&Mapping>> = BTreeMap::from([(from, None)]);
    let mut next = VecDeque::from([from]);
    while let Some(schema) = next.pop_front() {
        if schema == to {
            let mut way = Vec::new();
            let mut at = to;
            while let Some(Some(mapping)) = came_by.get(&at) {
                way.push((*mapping).clone());
                at = mapping.from;
            }
            way.reverse();
            return Ok(way);
        }
        for mapping in mappings.iter().filter(|mapping| mapping.from == schema) {
            if let Entry::Vacant(unseen) = came_by.entry(mapping.to) {
                unseen.insert(Some(mapping));
                next.push_back(mapping.to);
            }
        }
    }
    Err(MappingError::NoPath { from, to })
}

impl fmt::Debug for Mapping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = match &self.how {
            How::Rules(rules) => format!("{} rules", rules.len()),
            How::Code(_) => "code".to_owned(),
        };
        write!(f, "Mapping({} to {}, {how})", self.from, self.to)
    }
}
