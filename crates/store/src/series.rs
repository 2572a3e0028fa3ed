//! The registry: which series there are, of which device and object, and what their values mean.
//!
//! A device's series are put into groups of [`SERIES_PER_GROUP`] in the order in which they are registered;
//! numbers are never used twice, so what is still on disk of a forgotten series can't show up under a new one.

use std::collections::BTreeMap;
use std::sync::{Mutex, RwLock};

use redb::{ReadTransaction, ReadableTable, ReadableTableMetadata, WriteTransaction};
use serde::{Deserialize, Serialize};

use crate::engine::{DEVICES, EngineFile, GROUPS, META, NAMES, SERIES};
use crate::error::{At, StorageError};
use crate::limits::{LABELS_MAX, NAME_OCTETS_MAX, SERIES_MAX, SERIES_PER_GROUP};
use crate::locks::{lock, read, write};
use crate::sample::SeriesId;

/// What a series is called.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SeriesName {
    /// The device's name in the inventory.
    pub device: String,
    /// The object's name in its MIB, such as `ifHCInOctets`.
    pub object: String,
    /// The instance: the index as text, `0` for a scalar.
    pub instance: String,
}

/// What kind of values a series has (RFC 2578 §7.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SeriesKind {
    /// Grows and wraps at 2^32.
    Counter32,
    /// Grows and wraps at 2^64.
    Counter64,
    /// Goes up and down; may be negative.
    Gauge,
    /// Hundredths of a second since some start, modulo 2^32.
    TimeTicks,
}

/// What the values of a series mean.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SeriesMeta {
    /// What kind of values.
    pub kind: SeriesKind,
    /// Unit of the values before scaling, such as `octets`; empty if there is none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub unit: String,
    /// Power of ten that a value is multiplied by to be in the unit: -1 for tenths.
    #[serde(default)]
    pub scale: i8,
    /// How much a counter can grow in a second at most, in its own unit before scaling, where that is known: from an
    /// interface's speed, say. Rates use it to tell a wrap from a reset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_per_second: Option<f64>,
    /// Names and values that describe the instance, such as `ifName`. They may change; the latest are kept.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

/// A series as the registry knows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Series {
    /// Its number in this store.
    #[serde(skip, default = "no_series")]
    pub id: SeriesId,
    /// Its name.
    #[serde(flatten)]
    pub name: SeriesName,
    /// What its values mean.
    #[serde(flatten)]
    pub meta: SeriesMeta,
}

/// A series can't be registered. Nothing of the call was.
#[derive(Debug, thiserror::Error)]
pub enum RegisterError {
    /// A name is empty or too long. Only instances and units may be empty.
    #[error("series {name:?}: the {what} has {octets} octets, 1 to {NAME_OCTETS_MAX} are allowed")]
    Name {
        /// The series.
        name: Box<SeriesName>,
        /// Which of its names.
        what: &'static str,
        /// Its length.
        octets: usize,
    },
    /// Too many labels.
    #[error("series {name:?}: {labels} labels, at most {LABELS_MAX} are allowed")]
    Labels {
        /// The series.
        name: Box<SeriesName>,
        /// How many.
        labels: usize,
    },
    /// The store has as many series as it can have.
    #[error("the store has {SERIES_MAX} series already; forget some that are not polled any more")]
    TooManySeries,
    /// The file system or the engine failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// The registry's tables, and in memory which series exist.
#[derive(Debug)]
pub(crate) struct Registry {
    known: RwLock<Known>,
    /// Held through a change, so that `known` follows the tables.
    changing: Mutex<()>,
}

#[derive(Debug, Default, Clone)]
struct Known {
    /// By group: slots given out.
    used: Vec<u8>,
    series: u64,
}

const NEXT_GROUP: &str = "next group";
const GROUPS_MAX: u64 = (1 << 32) / SERIES_PER_GROUP as u64;

impl Registry {
    pub(crate) fn load(main: &EngineFile) -> Result<Self, StorageError> {
        let known = main.read(load)?;
        Ok(Self { known: RwLock::new(known), changing: Mutex::new(()) })
    }

    /// How many series there are.
    pub(crate) fn len(&self) -> u64 {
        read(&self.known).series
    }

    /// Whether the series was given out, be it forgotten since.
    pub(crate) fn exists(&self, series: SeriesId) -> bool {
        read(&self.known).used.get(series.group() as usize).is_some_and(|&used| series.slot() < used)
    }

    pub(crate) fn register(
        &self,
        main: &EngineFile,
        series: &[(SeriesName, SeriesMeta)],
    ) -> Result<Vec<SeriesId>, RegisterError> {
        for (name, meta) in series {
            check(name, meta)?;
        }
        let _changing = lock(&self.changing);
        // After a restart all is known already, and nothing need be written.
        if let Some(ids) = main.read(|transaction| find_unchanged(transaction, series))? {
            return Ok(ids);
        }
        let mut known = read(&self.known).clone();
        let ids = main.write(|transaction| {
            series.iter().map(|(name, meta)| put(transaction, &mut known, name, meta, main.name())).collect()
        })?;
        *write(&self.known) = known;
        Ok(ids)
    }

    pub(crate) fn forget(&self, main: &EngineFile, series: &[SeriesId]) -> Result<(), StorageError> {
        let _changing = lock(&self.changing);
        let mut known = read(&self.known).clone();
        main.write(|transaction| {
            known.series -= remove(transaction, series).at(main.name())?;
            Ok::<_, StorageError>(())
        })?;
        *write(&self.known) = known;
        Ok(())
    }
}

pub(crate) fn series(main: &EngineFile, id: SeriesId) -> Result<Option<Series>, StorageError> {
    main.read(|transaction| {
        let table = transaction.open_table(SERIES)?;
        table.get(id.number())?.map(|json| parse(id, json.value())).transpose()
    })
}

pub(crate) fn lookup(main: &EngineFile, name: &SeriesName) -> Result<Option<Series>, StorageError> {
    main.read(|transaction| {
        let names = transaction.open_table(NAMES)?;
        let key = (name.device.as_str(), name.object.as_str(), name.instance.as_str());
        let Some(number) = names.get(key)?.map(|number| number.value()) else { return Ok(None) };
        let json = transaction.open_table(SERIES)?.get(number)?;
        json.map(|json| parse(SeriesId::from_number(number), json.value())).transpose()
    })
}

pub(crate) fn series_of(main: &EngineFile, device: &str) -> Result<Vec<Series>, StorageError> {
    main.read(|transaction| {
        let names = transaction.open_table(NAMES)?;
        let descriptions = transaction.open_table(SERIES)?;
        let mut found = Vec::new();
        for entry in names.range((device, "", "")..)? {
            let (name, number) = entry?;
            if name.value().0 != device {
                break;
            }
            if let Some(json) = descriptions.get(number.value())? {
                found.push(parse(SeriesId::from_number(number.value()), json.value())?);
            }
        }
        Ok(found)
    })
}

pub(crate) fn devices(main: &EngineFile) -> Result<Vec<String>, StorageError> {
    main.read(|transaction| {
        let table = transaction.open_table(DEVICES)?;
        table.iter()?.map(|entry| Ok(entry?.0.value().to_owned())).collect()
    })
}

const fn no_series() -> SeriesId {
    SeriesId::from_number(0)
}

fn check(name: &SeriesName, meta: &SeriesMeta) -> Result<(), RegisterError> {
    let mut texts = vec![("device", &name.device, 1), ("object", &name.object, 1), ("instance", &name.instance, 0)];
    texts.push(("unit", &meta.unit, 0));
    for (label, value) in &meta.labels {
        texts.push(("name of a label", label, 1));
        texts.push(("value of a label", value, 0));
    }
    for (what, text, least) in texts {
        if text.len() < least || text.len() > NAME_OCTETS_MAX {
            return Err(RegisterError::Name { name: Box::new(name.clone()), what, octets: text.len() });
        }
    }
    if meta.labels.len() > LABELS_MAX {
        return Err(RegisterError::Labels { name: Box::new(name.clone()), labels: meta.labels.len() });
    }
    Ok(())
}

fn load(transaction: &ReadTransaction) -> Result<Known, redb::Error> {
    let mut known = Known { series: transaction.open_table(SERIES)?.len()?, ..Known::default() };
    for entry in transaction.open_table(GROUPS)?.iter()? {
        let (group, value) = entry?;
        let group = group.value() as usize;
        known.used.resize(group + 1, 0);
        known.used[group] = value.value().1;
    }
    Ok(known)
}

/// The series' numbers, if all of them are there just as they are.
fn find_unchanged(
    transaction: &ReadTransaction,
    series: &[(SeriesName, SeriesMeta)],
) -> Result<Option<Vec<SeriesId>>, redb::Error> {
    let names = transaction.open_table(NAMES)?;
    let descriptions = transaction.open_table(SERIES)?;
    let mut ids = Vec::with_capacity(series.len());
    for (name, meta) in series {
        let key = (name.device.as_str(), name.object.as_str(), name.instance.as_str());
        let Some(number) = names.get(key)? else { return Ok(None) };
        let id = SeriesId::from_number(number.value());
        let Some(json) = descriptions.get(id.number())? else { return Ok(None) };
        if json.value() != describe(name, meta) {
            return Ok(None);
        }
        ids.push(id);
    }
    Ok(Some(ids))
}

/// Adds one series or gives it new meaning.
fn put(
    transaction: &WriteTransaction,
    known: &mut Known,
    name: &SeriesName,
    meta: &SeriesMeta,
    file: &str,
) -> Result<SeriesId, RegisterError> {
    let id = match find(transaction, name).at(file)? {
        Some(id) => id,
        None => {
            if known.series >= SERIES_MAX {
                return Err(RegisterError::TooManySeries);
            }
            let Some(id) = add(transaction, name).at(file)? else { return Err(RegisterError::TooManySeries) };
            let group = id.group() as usize;
            known.used.resize(known.used.len().max(group + 1), 0);
            known.used[group] = id.slot() + 1;
            known.series += 1;
            id
        }
    };
    let mut descriptions = transaction.open_table(SERIES).at(file)?;
    descriptions.insert(id.number(), &*describe(name, meta)).at(file)?;
    Ok(id)
}

fn find(transaction: &WriteTransaction, name: &SeriesName) -> Result<Option<SeriesId>, redb::Error> {
    let names = transaction.open_table(NAMES)?;
    let key = (name.device.as_str(), name.object.as_str(), name.instance.as_str());
    Ok(names.get(key)?.map(|number| SeriesId::from_number(number.value())))
}

/// Gives a new series the next slot of its device's newest group, or the first of a new group; `None` when there
/// are no more groups.
fn add(transaction: &WriteTransaction, name: &SeriesName) -> Result<Option<SeriesId>, redb::Error> {
    let mut groups = transaction.open_table(GROUPS)?;
    let mut devices = transaction.open_table(DEVICES)?;
    let device = name.device.as_str();
    let newest = devices.get(device)?.map(|group| group.value());
    let used = match newest {
        Some(group) => groups.get(group)?.map_or(0, |value| value.value().1),
        None => 0,
    };
    let (group, slot) = match newest {
        Some(group) if u32::from(used) < SERIES_PER_GROUP => (group, used),
        _ => {
            let mut meta = transaction.open_table(META)?;
            let group = meta.get(NEXT_GROUP)?.map_or(0, |next| next.value());
            if group >= GROUPS_MAX {
                return Ok(None);
            }
            meta.insert(NEXT_GROUP, group + 1)?;
            devices.insert(device, group as u32)?;
            (group as u32, 0)
        }
    };
    groups.insert(group, (device, slot + 1))?;
    let id = SeriesId::in_group(group, slot);
    if let Some(id) = id {
        let key = (device, name.object.as_str(), name.instance.as_str());
        transaction.open_table(NAMES)?.insert(key, id.number())?;
    }
    Ok(id)
}

/// Removes what there is of the series; says how many there were.
fn remove(transaction: &WriteTransaction, series: &[SeriesId]) -> Result<u64, redb::Error> {
    let mut names = transaction.open_table(NAMES)?;
    let mut devices = transaction.open_table(DEVICES)?;
    let mut descriptions = transaction.open_table(SERIES)?;
    let mut removed = 0;
    for id in series {
        let Some(json) = descriptions.remove(id.number())?.map(|json| json.value().to_vec()) else { continue };
        removed += 1;
        let Ok(series) = serde_json::from_slice::<Series>(&json) else { continue };
        let SeriesName { device, object, instance } = &series.name;
        names.remove((device.as_str(), object.as_str(), instance.as_str()))?;
        let more = match names.range((device.as_str(), "", "")..)?.next() {
            Some(entry) => entry?.0.value().0 == device,
            None => false,
        };
        if !more {
            devices.remove(device.as_str())?;
        }
    }
    Ok(removed)
}

#[derive(Serialize)]
struct Description<'a> {
    #[serde(flatten)]
    name: &'a SeriesName,
    #[serde(flatten)]
    meta: &'a SeriesMeta,
}

fn describe(name: &SeriesName, meta: &SeriesMeta) -> Vec<u8> {
    // Strings, a map with string keys and small integers: there is nothing in it that JSON can't say.
    serde_json::to_vec(&Description { name, meta }).unwrap_or_default()
}

fn parse(id: SeriesId, json: &[u8]) -> Result<Series, redb::Error> {
    let series: Series = serde_json::from_slice(json).map_err(|e| redb::Error::Corrupted(e.to_string()))?;
    Ok(Series { id, ..series })
}
