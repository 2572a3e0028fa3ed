//! From files to one configuration: reading, TOML's own mistakes, tables, included files.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashSet};
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fs, io};

use glob::{MatchOptions, Pattern};
use toml::Spanned;
use toml::de::{DeTable, DeValue};
use zeroize::Zeroizing;

use super::Config;
use super::clusters;
use super::keys::{
    DeviceKeys, EnterpriseKeys, FileKeys, GroupKeys, HttpKeys, LogConfig, MibConfig, NodeKeys, PollConfig,
    ProfilesConfig, SECTIONS, StoreConfig, TrapKeys, VersionKeys, WILDCARDS,
};
use super::limits::{MAX_CREDENTIALS, MAX_DEVICES, MAX_INCLUDED_FILES};
use super::nearest::nearest;
use super::report::{Log, Report};
use super::resolve::{self, Inventory, Tables};
use super::section::{Context, Placed, Section, TableReader, refuse_keys, unknown_key};
use super::shape::{Shape, plain_name, wrong_type};
use super::source::{Place, Source, SourceError};
use super::syntax::{self, Parsed};

/// What a configuration refers to outside its files.
pub struct Surroundings<'s> {
    /// The names of all device profiles, given the directories of `[profiles] dirs`.
    pub profiles: &'s dyn Fn(&[PathBuf]) -> Vec<String>,
    /// An environment variable.
    pub environment: &'s dyn Fn(&str) -> Option<OsString>,
    /// The host's name.
    pub host_name: String,
}

impl<'s> Surroundings<'s> {
    /// Those of this process.
    pub fn of_process(profiles: &'s dyn Fn(&[PathBuf]) -> Vec<String>) -> Self {
        let host_name = gethostname::gethostname().to_string_lossy().into_owned();
        Surroundings { profiles, environment: &|name| std::env::var_os(name), host_name }
    }
}

/// Reads a configuration file and those that it includes. Files, secrets and directories that it names are
/// looked at; nothing is changed, and no name is resolved.
pub fn check(path: &Path, surroundings: &Surroundings<'_>) -> Report {
    let mut context = Context { surroundings, sections: &SECTIONS, log: Log::default() };
    let config = open(path, None, &mut context).and_then(|source| read(&source, &mut context));
    context.log.report(config)
}

/// Reads a configuration from a text, as if it were the file at `path`.
pub fn check_text(path: &Path, text: &str, surroundings: &Surroundings<'_>) -> Report {
    let mut context = Context { surroundings, sections: &SECTIONS, log: Log::default() };
    let source = Source::new(path, Zeroizing::new(text.to_owned()), false);
    let config = read(&Arc::new(source), &mut context);
    context.log.report(config)
}

fn read(source: &Arc<Source>, context: &mut Context<'_>) -> Option<Config> {
    let mut inventory = Inventory::default();
    let (tables, include) = read_main_file(source, &mut inventory, context);
    for (path, included_at) in included_files(&include, source, context) {
        if let Some(source) = open(&path, Some(included_at), context) {
            read_included_file(&source, &mut inventory, context);
        }
    }
    resolve::config(tables, inventory, context)
}

/// Opens a file. That it can't be read is told where it is included.
pub(super) fn open(path: &Path, included_at: Option<&Place>, context: &mut Context<'_>) -> Option<Arc<Source>> {
    let error = match Source::read(path) {
        Ok(source) => return Some(Arc::new(source)),
        Err(error) => error,
    };
    match error {
        SourceError::NotUtf8(place) => {
            context.log.open(&place.source.path);
            context.log.syntax_error(&place, "not UTF-8");
        }
        SourceError::Unreadable(error) => context.log.unreadable(path, included_at, &error.to_string()),
    }
    None
}

fn read_main_file(
    source: &Arc<Source>,
    inventory: &mut Inventory,
    context: &mut Context<'_>,
) -> (Tables, Vec<Placed<PathBuf>>) {
    context.log.open(&source.path);
    let file = Place::start(source);
    let mut spare = Zeroizing::default();
    let Parsed { root, has_broken_header } = syntax::parse(&file, &mut spare, &mut context.log);
    if !has_broken_header {
        refuse_unknown_tables(&root, &file, context);
    }
    let include = FileKeys::read(&mut TableReader::new(&root, file.clone(), context)).include;
    let mut file = FileReader { root: &root, file: file.clone(), context };
    let (poll, max_timeout) = file.table(&PollConfig::SECTION, resolve::poll);
    let (profiles, has_certain_profiles) = file.table(&ProfilesConfig::SECTION, resolve::profiles);
    let node = file.table(&NodeKeys::SECTION, resolve::node);
    let group = file.some(&GroupKeys::SECTION, |table| clusters::group(table, &node));
    let enterprise = file.some(&EnterpriseKeys::SECTION, |table| clusters::enterprise(table, &node));
    let tables = Tables {
        node,
        http: file.table(&HttpKeys::SECTION, resolve::http),
        store: file.table(&StoreConfig::SECTION, StoreConfig::read),
        poll,
        max_timeout,
        traps: file.table(&TrapKeys::SECTION, TrapKeys::read),
        mib: file.table(&MibConfig::SECTION, MibConfig::read),
        profiles,
        has_certain_profiles,
        log: file.table(&LogConfig::SECTION, LogConfig::read),
        group,
        enterprise,
    };
    file.inventory(inventory);
    (tables, include)
}

fn read_included_file(source: &Arc<Source>, inventory: &mut Inventory, context: &mut Context<'_>) {
    context.log.open(&source.path);
    let file = Place::start(source);
    let mut spare = Zeroizing::default();
    let Parsed { root, has_broken_header } = syntax::parse(&file, &mut spare, &mut context.log);
    if !has_broken_header {
        let inventory = [VersionKeys::SECTION.table_name(), DeviceKeys::SECTION.table_name()];
        refuse_keys(&root, &file, &mut context.log, |key, _| {
            let message = "only the main file has this; an included one has [[device]] and [credentials.NAME]";
            (!inventory.contains(&key)).then(|| message.to_owned())
        });
    }
    FileReader { root: &root, file: file.clone(), context }.inventory(inventory);
}

/// Reads the tables of one file.
pub(super) struct FileReader<'r, 's> {
    pub(super) root: &'r DeTable<'r>,
    pub(super) file: Place,
    pub(super) context: &'r mut Context<'s>,
}

impl FileReader<'_, '_> {
    /// A table with a header of its own; one that is not there is empty.
    pub(super) fn table<T>(&mut self, section: &Section, read: impl FnOnce(&mut TableReader<'_, '_>) -> T) -> T {
        let empty = DeTable::new();
        let name = section.table_name();
        let value = self.root.get(name);
        let place = self.file.child(name, value.map_or(0, |value| value.span().start));
        let table = match value.map(Spanned::get_ref) {
            Some(DeValue::Table(table)) => table,
            Some(other) => {
                self.context.log.mistake(&place, wrong_type(other, &format!("a table: {}", section.title)));
                &empty
            }
            None => &empty,
        };
        let mut reader = TableReader::new(table, place, self.context);
        let result = read(&mut reader);
        reader.refuse_unknown(&[section]);
        result
    }

    /// A table whose absence means something.
    fn some<T>(&mut self, section: &Section, read: impl FnOnce(&mut TableReader<'_, '_>) -> Option<T>) -> Option<T> {
        self.root.contains_key(section.table_name()).then(|| self.table(section, read)).flatten()
    }

    /// Credentials and devices.
    fn inventory(&mut self, inventory: &mut Inventory) {
        let name = VersionKeys::SECTION.table_name();
        if let Some(value) = self.root.get(name) {
            let place = self.file.child(name, value.span().start);
            match value.get_ref() {
                DeValue::Table(table) => {
                    for (name, value) in table {
                        self.credentials(name, value, &place, inventory);
                    }
                }
                other => self.context.log.mistake(&place, wrong_type(other, "tables: [credentials.NAME]")),
            }
        }
        let name = DeviceKeys::SECTION.table_name();
        if let Some(value) = self.root.get(name) {
            let place = self.file.child(name, value.span().start);
            match value.get_ref() {
                DeValue::Array(array) => {
                    for (index, value) in array.iter().enumerate() {
                        self.device(value, place.element(index, value.span().start), inventory);
                    }
                }
                other => self.context.log.mistake(&place, wrong_type(other, "a list of tables: [[device]]")),
            }
        }
    }

    fn credentials(
        &mut self,
        name: &Spanned<Cow<'_, str>>,
        value: &Spanned<DeValue<'_>>,
        parent: &Place,
        inventory: &mut Inventory,
    ) {
        let place = parent.child(name.get_ref(), value.span().start);
        let log = &mut self.context.log;
        let kind = plain_name();
        if (kind.parse)(name.get_ref()).is_err() {
            return log.mistake(&place, format!("not a name for credentials; expected {}", kind.allowed()));
        }
        if let Some((first, _)) = inventory.credentials.get(name.get_ref().as_ref()) {
            return log.mistake(&place, format!("credentials of this name are at {first} already"));
        }
        if inventory.credentials.len() == MAX_CREDENTIALS {
            return log.mistake(&place, format!("more than {MAX_CREDENTIALS} credentials"));
        }
        let credentials = match value.get_ref() {
            DeValue::Table(table) => {
                let mut reader = TableReader::new(table, place.clone(), self.context);
                resolve::credentials(name.get_ref(), &mut reader)
            }
            other => {
                log.mistake(&place, wrong_type(other, "a table: [credentials.NAME]"));
                None
            }
        };
        inventory.credentials.insert(name.get_ref().to_string(), (place, credentials.map(Arc::new)));
    }

    fn device(&mut self, value: &Spanned<DeValue<'_>>, place: Place, inventory: &mut Inventory) {
        let DeValue::Table(table) = value.get_ref() else {
            return self.context.log.mistake(&place, wrong_type(value.get_ref(), "a table: [[device]]"));
        };
        if inventory.devices.len() == MAX_DEVICES {
            return self.context.log.mistake(&place, format!("more than {MAX_DEVICES} devices"));
        }
        let mut reader = TableReader::new(table, place, self.context);
        let keys = DeviceKeys::read(&mut reader);
        reader.refuse_unknown(&[&DeviceKeys::SECTION]);
        inventory.devices.push(keys);
    }
}

/// Says which keys at the top of a main file are none of the tables, nor keys that stand there.
pub(super) fn refuse_unknown_tables(root: &DeTable<'_>, file: &Place, context: &mut Context<'_>) {
    let sections = context.sections;
    let top = sections.iter().filter(|section| section.title.is_empty()).flat_map(|section| section.names());
    let names: Vec<String> = top.chain(table_names(sections)).collect();
    refuse_keys(root, file, &mut context.log, |key, value| {
        if names.iter().any(|name| name == key) {
            return None;
        }
        if !value.is_table() && !is_list_of_tables(value) {
            return Some(unknown_key(key, &names, sections));
        }
        Some(match nearest(key, names.iter().map(String::as_str)) {
            Some(near) => format!("unknown table; did you mean {near}?"),
            None => format!("unknown table; expected one of {}", names.join(", ")),
        })
    });
}

/// The files to include, in the order of the patterns and then of their names, each once.
fn included_files<'i>(
    include: &'i [Placed<PathBuf>],
    main: &Source,
    context: &mut Context<'_>,
) -> Vec<(PathBuf, &'i Place)> {
    let identity = |path: &Path| fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let mut seen = HashSet::from([identity(&main.path)]);
    let mut files = Vec::new();
    for Placed { value, place } in include {
        let path = main.directory.join(value);
        match matching_files(&path) {
            Ok(found) => {
                files.extend(found.into_iter().filter(|path| seen.insert(identity(path))).map(|path| (path, place)));
            }
            Err(error) => context.log.unreadable(&path, Some(place), &format!("can't be looked for: {error}")),
        }
        if files.len() > MAX_INCLUDED_FILES {
            context.log.mistake(place, format!("more than {MAX_INCLUDED_FILES} files"));
            files.truncate(MAX_INCLUDED_FILES);
            break;
        }
    }
    files
}

/// The files that a pattern matches, sorted. Those whose names start with a dot are left out.
fn matching_files(path: &Path) -> io::Result<Vec<PathBuf>> {
    let (Some(name), Some(directory)) = (path.file_name().and_then(OsStr::to_str), path.parent()) else {
        return Ok(vec![path.to_owned()]);
    };
    let pattern = match Pattern::new(name) {
        Ok(pattern) if name.contains(WILDCARDS) => pattern,
        _ => return Ok(vec![path.to_owned()]),
    };
    let options = MatchOptions { require_literal_leading_dot: true, ..MatchOptions::default() };
    let here = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
    let mut files = Vec::new();
    for entry in fs::read_dir(here)? {
        let name = entry?.file_name();
        if name.to_str().is_some_and(|name| pattern.matches_with(name, options)) {
            files.push(directory.join(name));
        }
    }
    files.sort();
    Ok(files)
}

fn table_names(sections: &[&Section]) -> impl Iterator<Item = String> {
    let named = sections.iter().filter(|section| !section.title.is_empty());
    let names: BTreeSet<&str> = named.map(|section| section.table_name()).collect();
    names.into_iter().map(str::to_owned)
}

fn is_list_of_tables(value: &DeValue<'_>) -> bool {
    value.as_array().is_some_and(|array| array.iter().any(|element| element.get_ref().is_table()))
}
