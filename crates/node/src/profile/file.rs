//! A profile's file: TOML in, a resolved [`Profile`] out.

use std::collections::BTreeMap;

use hamsa_snmp::Oid;
use hamsa_snmp::mib::{BaseType, Mib, NodeKind, Object, ResolveError};
use serde::Deserialize;

use super::{Matching, Metric, Profile, ProfileObject, Table, ValueKind};
use crate::limits::{MAX_PROFILE_COLUMNS, MAX_PROFILE_OCTETS, MAX_PROFILE_SCALARS, MAX_PROFILE_TABLES};

/// What is wrong with a profile.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum ProfileErrorKind {
    #[error("can't be read: {0}")]
    Unreadable(std::io::Error),
    #[error("{0}")]
    Syntax(Box<toml::de::Error>),
    #[error("{key}: {error}")]
    UnknownObject { key: String, error: Box<ResolveError> },
    #[error("{key}: {object} is {found}, but {wanted} is needed here")]
    WrongObject { key: String, object: String, found: &'static str, wanted: &'static str },
    #[error(
        "{key}: {object} is indexed by {found}, the columns before it by {expected}: give it a [[table]] of its own"
    )]
    OtherIndex { key: String, object: String, found: String, expected: String },
    #[error("{key}: {what}")]
    Invalid { key: String, what: String },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProfileFile {
    name: String,
    #[serde(default)]
    also_known_as: Vec<String>,
    description: String,
    #[serde(rename = "match")]
    matching: MatchFile,
    #[serde(default)]
    facts: Vec<String>,
    #[serde(default)]
    scalars: Vec<String>,
    #[serde(default, rename = "table")]
    tables: Vec<TableFile>,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "expected \"any\" or { sys_object_id = [\"1.3.6.1.4.1...\"] }")]
enum MatchFile {
    Any(AnyWord),
    SysObjectId(SysObjectIdFile),
}

#[derive(Deserialize)]
enum AnyWord {
    #[serde(rename = "any")]
    Any,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SysObjectIdFile {
    sys_object_id: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TableFile {
    #[serde(default)]
    labels: Vec<String>,
    #[serde(default)]
    info: Vec<String>,
    discontinuity: Option<String>,
    values: Vec<ValueFile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ValueFile {
    object: String,
    or: Option<String>,
    ceiling: Option<CeilingFile>,
    scale: Option<ScaleFile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CeilingFile {
    object: String,
    times: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ScaleFile {
    prefix: String,
    precision: String,
}

/// Reads a profile and resolves its names.
pub(super) fn parse(text: &str, mib: &Mib) -> Result<Profile, ProfileErrorKind> {
    if text.len() > MAX_PROFILE_OCTETS {
        return Err(invalid("file", format!("{} octets; at most {MAX_PROFILE_OCTETS} are read", text.len())));
    }
    let file: ProfileFile = toml::from_str(text).map_err(|error| ProfileErrorKind::Syntax(Box::new(error)))?;
    check_count("facts and scalars", file.facts.len() + file.scalars.len(), MAX_PROFILE_SCALARS)?;
    check_count("table", file.tables.len(), MAX_PROFILE_TABLES)?;
    for name in file.also_known_as.iter().chain([&file.name]) {
        let fine = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if name.is_empty() || !name.chars().all(fine) {
            return Err(invalid("name", format!("{name:?} may have only letters, digits, - and _")));
        }
    }
    let matching = match file.matching {
        MatchFile::Any(AnyWord::Any) => Matching::Any,
        MatchFile::SysObjectId(SysObjectIdFile { sys_object_id }) => {
            let oids = sys_object_id.iter().map(|text| resolve(mib, "match.sys_object_id", text));
            Matching::SysObjectId(oids.collect::<Result<_, _>>()?)
        }
    };
    let scalars = |key: &str, names: &[String]| -> Result<Vec<ProfileObject>, ProfileErrorKind> {
        names.iter().enumerate().map(|(i, name)| scalar(mib, &format!("{key}[{i}]"), name)).collect()
    };
    let facts = scalars("facts", &file.facts)?;
    let recorded = scalars("scalars", &file.scalars)?;
    if let Some(text) = recorded.iter().find(|scalar| scalar.kind == ValueKind::Text) {
        return Err(wrong("scalars", &text.name, "no number", "a number (texts go to facts)"));
    }
    let tables = file.tables.into_iter().enumerate();
    let tables = tables.map(|(i, table)| TableBuilder::new(mib, format!("table[{i}]")).build(table));
    Ok(Profile {
        name: file.name,
        also_known_as: file.also_known_as,
        description: file.description,
        matching,
        facts,
        scalars: recorded,
        tables: tables.collect::<Result<_, _>>()?,
    })
}

/// Collects a table's columns, each once.
struct TableBuilder<'m> {
    mib: &'m Mib,
    key: String,
    columns: Vec<ProfileObject>,
    places: BTreeMap<Oid, usize>,
    index: Option<String>,
    name: Option<String>,
}

impl<'m> TableBuilder<'m> {
    fn new(mib: &'m Mib, key: String) -> Self {
        TableBuilder { mib, key, columns: Vec::new(), places: BTreeMap::new(), index: None, name: None }
    }

    fn build(mut self, file: TableFile) -> Result<Table, ProfileErrorKind> {
        if file.values.is_empty() {
            return Err(invalid(&format!("{}.values", self.key), "a table needs at least one value".to_owned()));
        }
        let mut values = Vec::new();
        for (i, value) in file.values.iter().enumerate() {
            values.push(self.metric(&format!("values[{i}]"), value)?);
        }
        let labels = self.all("labels", &file.labels)?;
        let info = self.all("info", &file.info)?;
        let discontinuity = file.discontinuity.as_deref().map(|name| self.column("discontinuity", name)).transpose()?;
        check_count(&self.key, self.columns.len(), MAX_PROFILE_COLUMNS)?;
        Ok(Table { name: self.name.unwrap_or_default(), columns: self.columns, labels, info, values, discontinuity })
    }

    fn metric(&mut self, key: &str, value: &ValueFile) -> Result<Metric, ProfileErrorKind> {
        let mut columns = vec![self.number(&format!("{key}.object"), &value.object)?];
        if let Some(other) = &value.or {
            columns.push(self.number(&format!("{key}.or"), other)?);
        }
        let ceiling = match &value.ceiling {
            Some(CeilingFile { times, .. }) if !times.is_finite() || *times <= 0.0 => {
                let key = format!("{}.{key}.ceiling.times", self.key);
                return Err(invalid(&key, format!("{times} is not above 0")));
            }
            Some(CeilingFile { object, times }) => {
                Some((self.number(&format!("{key}.ceiling.object"), object)?, *times))
            }
            None => None,
        };
        let scale = match &value.scale {
            Some(ScaleFile { prefix, precision }) => Some((
                self.number(&format!("{key}.scale.prefix"), prefix)?,
                self.number(&format!("{key}.scale.precision"), precision)?,
            )),
            None => None,
        };
        Ok(Metric { columns, ceiling, scale })
    }

    fn all(&mut self, key: &str, names: &[String]) -> Result<Vec<usize>, ProfileErrorKind> {
        names.iter().enumerate().map(|(i, name)| self.column(&format!("{key}[{i}]"), name)).collect()
    }

    fn number(&mut self, key: &str, name: &str) -> Result<usize, ProfileErrorKind> {
        let column = self.column(key, name)?;
        if self.columns[column].kind == ValueKind::Text {
            return Err(wrong(&format!("{}.{key}", self.key), name, "no number", "a number"));
        }
        Ok(column)
    }

    fn column(&mut self, key: &str, name: &str) -> Result<usize, ProfileErrorKind> {
        let key = format!("{}.{key}", self.key);
        let object = object(self.mib, &key, name)?;
        if object.kind() != NodeKind::Column {
            return Err(wrong(&key, name, "no column of a table", "a column"));
        }
        self.check_index(&key, object)?;
        let oid = object.oid().to_owned();
        if let Some(&place) = self.places.get(&oid) {
            return Ok(place);
        }
        self.places.insert(oid.clone(), self.columns.len());
        self.columns.push(profile_object(object, oid));
        Ok(self.columns.len() - 1)
    }

    /// Columns of one table may come from several MIB tables, if those have the same rows.
    fn check_index(&mut self, key: &str, object: Object<'_>) -> Result<(), ProfileErrorKind> {
        let unindexed = |_| wrong(key, object.name(), "of a table whose index the MIB does not tell", "an index");
        let schema = object.index_schema().map_err(unindexed)?;
        let index = schema.parts().iter().map(|part| part.name()).collect::<Vec<_>>().join(", ");
        match &self.index {
            Some(expected) if *expected != index => Err(ProfileErrorKind::OtherIndex {
                key: key.to_owned(),
                object: object.name().to_owned(),
                found: index,
                expected: expected.clone(),
            }),
            Some(_) => Ok(()),
            None => {
                self.index = Some(index);
                self.name = object.table().map(|table| table.name().to_owned());
                Ok(())
            }
        }
    }
}

fn scalar(mib: &Mib, key: &str, name: &str) -> Result<ProfileObject, ProfileErrorKind> {
    let object = object(mib, key, name)?;
    if object.kind() != NodeKind::Scalar {
        return Err(wrong(key, name, "no scalar", "a scalar"));
    }
    let mut oid = object.oid().to_owned();
    oid.push(0).map_err(|error| invalid(key, error.to_string()))?;
    Ok(profile_object(object, oid))
}

fn object<'m>(mib: &'m Mib, key: &str, name: &str) -> Result<Object<'m>, ProfileErrorKind> {
    let node = mib
        .node(name)
        .map_err(|error| ProfileErrorKind::UnknownObject { key: key.to_owned(), error: Box::new(error) })?;
    node.object().ok_or_else(|| wrong(key, name, "no object", "an object with a value"))
}

fn profile_object(object: Object<'_>, oid: Oid) -> ProfileObject {
    let kind = object.syntax().map_or(ValueKind::Text, |syntax| match syntax.base() {
        BaseType::Counter32 => ValueKind::Counter32,
        BaseType::Counter64 => ValueKind::Counter64,
        BaseType::TimeTicks => ValueKind::TimeTicks,
        BaseType::Integer32 | BaseType::Unsigned32 | BaseType::Gauge32 => ValueKind::Gauge,
        _ => ValueKind::Text,
    });
    ProfileObject { name: object.name().to_owned(), oid, kind, unit: object.units().map(str::to_owned) }
}

fn resolve(mib: &Mib, key: &str, text: &str) -> Result<Oid, ProfileErrorKind> {
    mib.resolve(text).map_err(|error| ProfileErrorKind::UnknownObject { key: key.to_owned(), error: Box::new(error) })
}

fn wrong(key: &str, object: &str, found: &'static str, wanted: &'static str) -> ProfileErrorKind {
    ProfileErrorKind::WrongObject { key: key.to_owned(), object: object.to_owned(), found, wanted }
}

fn invalid(key: &str, what: String) -> ProfileErrorKind {
    ProfileErrorKind::Invalid { key: key.to_owned(), what }
}

fn check_count(key: &str, count: usize, limit: usize) -> Result<(), ProfileErrorKind> {
    if count > limit { Err(invalid(key, format!("{count} are too many; at most {limit}"))) } else { Ok(()) }
}
