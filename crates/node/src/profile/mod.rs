//! Device profiles: what to read from which devices. A profile is data, a TOML file; the shipped ones are in
//! `profiles/` at the top of the repository, users add directories of their own.
//!
//! [`Profile`] is a file whose object names have been resolved through the MIB. [`ProfileSet`] knows all and
//! chooses by sysObjectID.

mod file;
mod plan;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hamsa_snmp::mib::Mib;
use hamsa_snmp::{Oid, OidRef};

pub use file::ProfileErrorKind;
pub use plan::{DevicePlan, PlanChoice, PlanTable, Planner, ScalarRole};

/// How a value is to be understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ValueKind {
    /// Wraps at 2^32.
    Counter32,
    /// Wraps at 2^64.
    Counter64,
    /// A number that goes up and down, enumerations included.
    Gauge,
    /// Hundredths of a second.
    TimeTicks,
    /// No number.
    Text,
}

/// An object that a profile reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProfileObject {
    /// Its descriptor in the MIB, like `ifHCInOctets`.
    pub name: String,
    /// Its OID: a scalar's with the instance, a column's without.
    pub oid: Oid,
    /// How to understand it.
    pub kind: ValueKind,
    /// The MIB's `UNITS`, if any.
    pub unit: Option<String>,
}

/// A value of a table, under one name or, in older agents, another.
#[derive(Debug, Clone, PartialEq)]
pub struct Metric {
    /// Indexes into [`Table::columns`]: the first that a row has is taken.
    pub columns: Vec<usize>,
    /// A column that bounds the rate of a counter, and the rate a second for each unit of it.
    pub ceiling: Option<(usize, f64)>,
    /// The columns that scale a sensor's value: RFC 3433's `entPhySensorScale` and `entPhySensorPrecision`.
    pub scale: Option<(usize, usize)>,
}

/// Columns with one index.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// The name of the first column's table.
    pub name: String,
    /// Every column that any part below needs, once.
    pub columns: Vec<ProfileObject>,
    /// Columns that name a row: read on refresh, put on each of its series.
    pub labels: Vec<usize>,
    /// Columns that describe a row: read on refresh.
    pub info: Vec<usize>,
    /// The values.
    pub values: Vec<Metric>,
    /// The column that tells when the row's counters began (RFC 2863 `ifCounterDiscontinuityTime`).
    pub discontinuity: Option<usize>,
}

/// Which devices a profile is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Matching {
    /// Every device.
    Any,
    /// Those whose sysObjectID is below one of these.
    SysObjectId(Vec<Oid>),
}

/// What to read from devices of some kind.
#[derive(Debug, Clone, PartialEq)]
pub struct Profile {
    /// Its name, unique.
    pub name: String,
    /// Other names, such as snmp_exporter's module.
    pub also_known_as: Vec<String>,
    /// A sentence for people.
    pub description: String,
    /// Which devices get it unasked.
    pub matching: Matching,
    /// Scalars that describe the device: read on refresh.
    pub facts: Vec<ProfileObject>,
    /// Scalars that are recorded.
    pub scalars: Vec<ProfileObject>,
    /// Tables.
    pub tables: Vec<Table>,
}

impl Profile {
    /// Whether a device of this sysObjectID gets the profile unasked.
    pub fn matches(&self, sys_object_id: OidRef<'_>) -> bool {
        match &self.matching {
            Matching::Any => true,
            Matching::SysObjectId(prefixes) => prefixes.iter().any(|p| sys_object_id.starts_with(p.as_oid())),
        }
    }
}

/// A profile that can't be used.
#[derive(Debug, thiserror::Error)]
#[error("{}: {kind}", file.display())]
pub struct ProfileError {
    /// The file.
    pub file: PathBuf,
    /// What is wrong with it, and where.
    pub kind: ProfileErrorKind,
}

/// The shipped profiles: file name and contents.
const SHIPPED: [(&str, &str); 4] = [
    ("system.toml", include_str!("../../../../profiles/system.toml")),
    ("if-mib.toml", include_str!("../../../../profiles/if-mib.toml")),
    ("host-resources.toml", include_str!("../../../../profiles/host-resources.toml")),
    ("entity-sensors.toml", include_str!("../../../../profiles/entity-sensors.toml")),
];

/// All profiles of a node.
#[derive(Debug, Clone, Default)]
pub struct ProfileSet {
    profiles: Vec<Arc<Profile>>,
    by_name: HashMap<String, usize>,
}

impl ProfileSet {
    /// The shipped profiles.
    pub fn shipped(mib: &Mib) -> Result<Self, ProfileError> {
        let mut set = ProfileSet::default();
        for (file, text) in SHIPPED {
            set.add(Path::new(file), text, mib)?;
        }
        Ok(set)
    }

    /// Adds every `*.toml` of a directory, in the order of their names. A profile of a name that is taken
    /// replaces the other. Returns what could not be used; the rest is.
    pub fn add_dir(&mut self, dir: &Path, mib: &Mib) -> Vec<ProfileError> {
        let failed = |file: &Path, error: std::io::Error| ProfileError {
            file: file.to_owned(),
            kind: ProfileErrorKind::Unreadable(error),
        };
        let entries = match std::fs::read_dir(dir) {
            Ok(entries) => entries,
            Err(error) => return vec![failed(dir, error)],
        };
        let mut files: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        files.retain(|file| file.extension().is_some_and(|extension| extension == "toml"));
        files.sort();
        let mut errors = Vec::new();
        for file in files {
            match std::fs::read_to_string(&file) {
                Ok(text) => errors.extend(self.add(&file, &text, mib).err()),
                Err(error) => errors.push(failed(&file, error)),
            }
        }
        errors
    }

    /// Adds one profile.
    pub fn add(&mut self, file: &Path, text: &str, mib: &Mib) -> Result<(), ProfileError> {
        let profile = file::parse(text, mib).map_err(|kind| ProfileError { file: file.to_owned(), kind })?;
        let index = match self.by_name.get(&profile.name) {
            Some(&index) => index,
            None => self.profiles.len(),
        };
        self.by_name.retain(|_, named| *named != index);
        for name in profile.also_known_as.iter().chain([&profile.name]) {
            self.by_name.insert(name.clone(), index);
        }
        let profile = Arc::new(profile);
        match self.profiles.get_mut(index) {
            Some(replaced) => *replaced = profile,
            None => self.profiles.push(profile),
        }
        Ok(())
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Profile>> {
        self.profiles.iter()
    }

    /// The one of this name, or otherwise known by it.
    pub fn get(&self, name: &str) -> Option<&Arc<Profile>> {
        self.by_name.get(name).map(|&index| &self.profiles[index])
    }

    /// Those for a device of this sysObjectID.
    pub fn matching(&self, sys_object_id: OidRef<'_>) -> Vec<Arc<Profile>> {
        self.profiles.iter().filter(|profile| profile.matches(sys_object_id)).cloned().collect()
    }
}
