//! What may stand at a key: one type a kind of value, each of which says what it takes and reads it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fs, io};

use hamsa_snmp::limits::MIN_PASSWORD_OCTETS;
use toml::Spanned;
use toml::de::DeValue;

use super::limits::{
    MAX_COMMUNITY_OCTETS, MAX_LABEL_VALUE_OCTETS, MAX_LABELS, MAX_LIST, MAX_NAME_OCTETS, MAX_SOCKET_PATH_OCTETS,
    MIN_TOKEN_OCTETS,
};
use super::nearest::nearest;
use super::quantity::{format_duration, format_size, parse_duration, parse_size};
use super::section::{Context, Placed};
use super::source::{Place, is_public, quoted};

/// A value of the file and its place.
pub(super) struct Item<'r> {
    pub(super) value: &'r DeValue<'r>,
    pub(super) place: Place,
    /// Whether it is a string between three quotes.
    is_multi_line: bool,
}

impl<'r> Item<'r> {
    /// A value of the file.
    pub(super) fn of_file(value: &'r Spanned<DeValue<'r>>, place: Place) -> Self {
        let raw = place.source.text().get(value.span()).unwrap_or_default();
        let is_multi_line = raw.starts_with("\"\"\"") || raw.starts_with("'''");
        Item { value: value.get_ref(), place, is_multi_line }
    }

    /// A value that is not in the file.
    pub(super) fn of_default(value: &'r DeValue<'r>, place: Place) -> Self {
        Item { value, place, is_multi_line: false }
    }
}

/// A kind of value.
pub(super) trait Shape {
    /// What it is read into.
    type Value;

    /// What may stand there, as a noun phrase.
    fn allowed(&self) -> String;

    /// Reads it. What is wrong is told; `None` when nothing is left then.
    fn read(&self, item: &Item<'_>, context: &mut Context<'_>) -> Option<Self::Value>;
}

/// A text that `parse` makes a value of; its error says what is wrong with the text.
pub(super) struct Text<T> {
    pub(super) allowed: Cow<'static, str>,
    pub(super) parse: fn(&str) -> Result<T, String>,
}

impl<T> Shape for Text<T> {
    type Value = T;

    fn allowed(&self) -> String {
        self.allowed.to_string()
    }

    fn read(&self, item: &Item<'_>, context: &mut Context<'_>) -> Option<T> {
        read_text(self, item, context, self.parse)
    }
}

/// One of a few values, each by its name.
pub(super) struct OneOf<T: 'static>(pub(super) &'static [T], pub(super) fn(T) -> &'static str);

impl<T: Copy> OneOf<T> {
    fn names(&self) -> impl Iterator<Item = &'static str> {
        self.0.iter().map(|value| self.1(*value))
    }
}

impl<T: Copy> Shape for OneOf<T> {
    type Value = T;

    fn allowed(&self) -> String {
        let names: Vec<String> = self.names().map(|name| format!("{name:?}")).collect();
        names.join(", ")
    }

    fn read(&self, item: &Item<'_>, context: &mut Context<'_>) -> Option<T> {
        read_text(self, item, context, |text| {
            let found = self.0.iter().find(|value| self.1(**value) == text);
            found.copied().ok_or_else(|| not_known(text, self.names()))
        })
    }
}

/// A duration within bounds.
pub(super) struct DurationIn {
    pub(super) min: Duration,
    pub(super) max: Duration,
}

impl Shape for DurationIn {
    type Value = Duration;

    fn allowed(&self) -> String {
        format!("a duration from {:?} to {:?}", format_duration(self.min), format_duration(self.max))
    }

    fn read(&self, item: &Item<'_>, context: &mut Context<'_>) -> Option<Duration> {
        read_text(self, item, context, |text| in_range(parse_duration(text)?, self.min, self.max))
    }
}

/// A size within bounds, in octets.
pub(super) struct SizeIn {
    pub(super) min: u64,
    pub(super) max: u64,
}

impl Shape for SizeIn {
    type Value = u64;

    fn allowed(&self) -> String {
        format!("a size from {:?} to {:?}", format_size(self.min), format_size(self.max))
    }

    fn read(&self, item: &Item<'_>, context: &mut Context<'_>) -> Option<u64> {
        read_text(self, item, context, |text| in_range(parse_size(text)?, self.min, self.max))
    }
}

/// A whole number within bounds.
pub(super) struct NumberIn<T> {
    pub(super) min: T,
    pub(super) max: T,
}

impl<T: Copy + Into<i64> + TryFrom<i64>> Shape for NumberIn<T> {
    type Value = T;

    fn allowed(&self) -> String {
        format!("a whole number from {} to {}", self.min.into(), self.max.into())
    }

    fn read(&self, item: &Item<'_>, context: &mut Context<'_>) -> Option<T> {
        let DeValue::Integer(integer) = item.value else {
            context.log.mistake(&item.place, wrong_type(item.value, &self.allowed()));
            return None;
        };
        // What does not fit 64 bits is out of range too.
        let number = i64::from_str_radix(integer.as_str(), integer.radix()).ok();
        let number = number.filter(|number| (self.min.into()..=self.max.into()).contains(number));
        if number.is_none() {
            let message = format!("{} is out of range; expected {}", cut(&integer.to_string()), self.allowed());
            context.log.mistake(&item.place, message);
        }
        number.and_then(|number| T::try_from(number).ok())
    }
}

/// True or false.
pub(super) struct Flag;

impl Shape for Flag {
    type Value = bool;

    fn allowed(&self) -> String {
        "true or false".to_owned()
    }

    fn read(&self, item: &Item<'_>, context: &mut Context<'_>) -> Option<bool> {
        let value = item.value.as_bool();
        if value.is_none() {
            context.log.mistake(&item.place, wrong_type(item.value, &self.allowed()));
        }
        value
    }
}

/// A path. A relative one starts at the directory of the file that it stands in.
pub(super) enum PathTo {
    /// A directory that is there.
    Directory,
    /// A directory that is created if missing.
    DirectoryToCreate,
    /// A Unix socket that is created if missing.
    SocketToCreate,
    /// A file that can be read.
    File,
    /// A file that can be read, but should not be by everyone.
    SecretFile,
}

impl Shape for PathTo {
    type Value = PathBuf;

    fn allowed(&self) -> String {
        match self {
            PathTo::Directory => "a directory",
            PathTo::DirectoryToCreate => "a directory, created if missing",
            PathTo::SocketToCreate => "a path of at most 107 octets, where a socket is created if missing",
            PathTo::File | PathTo::SecretFile => "a file",
        }
        .to_owned()
    }

    fn read(&self, item: &Item<'_>, context: &mut Context<'_>) -> Option<PathBuf> {
        let directory = item.place.source.directory.clone();
        let path = read_text(self, item, context, |text| {
            if text.is_empty() || text.contains(char::is_control) {
                return Err("not a path".to_owned());
            }
            let path = directory.join(text);
            let problem = self.problem(&path);
            problem.map_or(Ok(path), |problem| Err(format!("{problem}{}", relative_to(&directory))))
        })?;
        if matches!(self, PathTo::SecretFile) && fs::metadata(&path).is_ok_and(|metadata| is_public(&metadata)) {
            context.log.warning(&item.place, "everyone may read this file: chmod o-r it");
        }
        Some(path)
    }
}

impl PathTo {
    fn problem(&self, path: &Path) -> Option<String> {
        match (self, fs::metadata(path)) {
            (PathTo::SocketToCreate, _) if path.as_os_str().len() > MAX_SOCKET_PATH_OCTETS => Some(format!(
                "{} octets, and a socket's path has {MAX_SOCKET_PATH_OCTETS} at most",
                path.as_os_str().len()
            )),
            (PathTo::SocketToCreate, Ok(metadata)) => {
                (!metadata.file_type().is_socket()).then(|| "not a socket".to_owned())
            }
            (PathTo::DirectoryToCreate | PathTo::SocketToCreate, Err(error))
                if error.kind() == io::ErrorKind::NotFound =>
            {
                None
            }
            (_, Err(error)) => Some(error.to_string()),
            (PathTo::Directory | PathTo::DirectoryToCreate, Ok(metadata)) => {
                (!metadata.is_dir()).then(|| "not a directory".to_owned())
            }
            (PathTo::File | PathTo::SecretFile, Ok(metadata)) if !metadata.is_file() => {
                Some("not a regular file".to_owned())
            }
            (PathTo::File | PathTo::SecretFile, Ok(_)) => fs::File::open(path).err().map(|error| error.to_string()),
        }
    }
}

/// A list of values of one kind. Wrong ones are left out, so that the others are looked at too.
pub(super) struct List<S>(pub(super) S);

impl<S: Shape> Shape for List<S> {
    type Value = Vec<S::Value>;

    fn allowed(&self) -> String {
        format!("a list, each {}", self.0.allowed())
    }

    fn read(&self, item: &Item<'_>, context: &mut Context<'_>) -> Option<Vec<S::Value>> {
        let DeValue::Array(array) = item.value else {
            context.log.mistake(&item.place, wrong_type(item.value, &self.allowed()));
            return None;
        };
        if array.len() > MAX_LIST {
            context.log.mistake(&item.place, format!("{} elements; at most {MAX_LIST} are taken", array.len()));
            return None;
        }
        let mut values = Vec::with_capacity(array.len());
        for (index, element) in array.iter().enumerate() {
            let place = item.place.element(index, element.span().start);
            values.extend(self.0.read(&Item::of_file(element, place), context));
        }
        Some(values)
    }
}

/// A value that is looked up later, and so keeps its place.
pub(super) struct Kept<S>(pub(super) S);

impl<S: Shape> Shape for Kept<S> {
    type Value = Placed<S::Value>;

    fn allowed(&self) -> String {
        self.0.allowed()
    }

    fn read(&self, item: &Item<'_>, context: &mut Context<'_>) -> Option<Placed<S::Value>> {
        let value = self.0.read(item, context)?;
        Some(Placed { value, place: item.place.clone() })
    }
}

/// Labels of a device: a table of texts, by names that Prometheus allows.
pub(super) struct Labels;

impl Shape for Labels {
    type Value = BTreeMap<String, String>;

    fn allowed(&self) -> String {
        "a table of label names and texts".to_owned()
    }

    fn read(&self, item: &Item<'_>, context: &mut Context<'_>) -> Option<BTreeMap<String, String>> {
        let DeValue::Table(table) = item.value else {
            context.log.mistake(&item.place, wrong_type(item.value, &self.allowed()));
            return None;
        };
        if table.len() > MAX_LABELS {
            context.log.mistake(&item.place, format!("{} labels; at most {MAX_LABELS} are taken", table.len()));
            return None;
        }
        let text = Text { allowed: "a text of at most 256 octets".into(), parse: label_value };
        let mut labels = BTreeMap::new();
        for (name, value) in table {
            let place = item.place.child(name.get_ref(), name.span().start);
            if let Err(problem) = label_name(name.get_ref()) {
                context.log.mistake(&place, problem);
            }
            let place = Place { offset: value.span().start, ..place };
            if let Some(value) = text.read(&Item::of_file(value, place), context) {
                labels.insert(name.get_ref().to_string(), value);
            }
        }
        Some(labels)
    }
}

/// A kind of secret: what it takes, and what is wrong with one. Neither shows it.
pub(super) struct SecretKind {
    allowed: &'static str,
    pub(super) check: fn(&[u8]) -> Result<(), &'static str>,
}

impl SecretKind {
    /// A community (RFC 3584 §5).
    pub(super) const COMMUNITY: SecretKind = SecretKind {
        allowed: "a text of 1 to 255 octets",
        check: |secret| match secret.len() {
            0 => Err("is empty"),
            length if length > MAX_COMMUNITY_OCTETS => Err("is too long"),
            _ => Ok(()),
        },
    };

    /// A password of the user-based security model (RFC 3414 §11.2).
    pub(super) const PASSWORD: SecretKind = SecretKind {
        allowed: "a text of 8 octets or more (RFC 3414 §11.2)",
        check: |secret| if secret.len() < MIN_PASSWORD_OCTETS { Err("is too short") } else { Ok(()) },
    };

    /// A bearer token (RFC 6750 §2.1).
    pub(super) const TOKEN: SecretKind = SecretKind {
        allowed: "16 or more of the characters A-Z a-z 0-9 - . _ ~ + / and = at the end (RFC 6750 §2.1)",
        check: |secret| {
            let stem = secret.iter().rposition(|&octet| octet != b'=').map_or(&[][..], |last| &secret[..=last]);
            let is_token = |octet: &u8| octet.is_ascii_alphanumeric() || b"-._~+/".contains(octet);
            match (secret.len() < MIN_TOKEN_OCTETS, !stem.is_empty() && stem.iter().all(is_token)) {
                (true, _) => Err("is too short"),
                (_, false) => Err("has other characters than a bearer token may have"),
                _ => Ok(()),
            }
        },
    };

    /// What may stand there.
    pub(super) fn allowed(&self) -> String {
        self.allowed.to_owned()
    }
}

/// The name of something: a text of 1 to 128 octets without control characters or blanks around it.
pub(super) fn name() -> Text<String> {
    fn parse(text: &str) -> Result<String, String> {
        let is_name = (1..=MAX_NAME_OCTETS).contains(&text.len()) && !text.contains(char::is_control);
        let is_name = is_name && text.trim() == text;
        is_name.then(|| text.to_owned()).ok_or_else(|| "not a name".to_owned())
    }
    Text { allowed: "a text of 1 to 128 octets, without blanks around it".into(), parse }
}

/// A name that also stands in URLs and on command lines: of credentials, profiles, MIB modules.
pub(super) fn plain_name() -> Text<String> {
    fn parse(text: &str) -> Result<String, String> {
        let is_plain = |octet: u8| octet.is_ascii_alphanumeric() || b"-_.".contains(&octet);
        let is_name = (1..=MAX_NAME_OCTETS).contains(&text.len()) && text.bytes().all(is_plain);
        is_name.then(|| text.to_owned()).ok_or_else(|| "not such a name".to_owned())
    }
    Text { allowed: "a name of letters, digits, hyphens, underscores and dots".into(), parse }
}

/// An address that this node listens on.
pub(super) fn listen_address() -> Text<SocketAddr> {
    fn parse(text: &str) -> Result<SocketAddr, String> {
        text.parse().map_err(|_| "not an IP address and a port".to_owned())
    }
    Text { allowed: "an IP address and a port, as in \"127.0.0.1:8161\" or \"[::1]:8161\"".into(), parse }
}

/// What is told about a value of the wrong type. It never shows the value.
pub(super) fn wrong_type(found: &DeValue<'_>, expected: &str) -> String {
    let found = match found {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    };
    format!("found {found}; expected {expected}")
}

/// What is told about a word that is none of the known ones.
pub(super) fn not_known<'w>(word: &str, known: impl IntoIterator<Item = &'w str>) -> String {
    match nearest(word, known) {
        Some(near) => format!("not known (did you mean {near:?}?)"),
        None => "not known".to_owned(),
    }
}

/// Where a path was looked for, if that is not where the user is.
pub(super) fn relative_to(directory: &Path) -> String {
    if directory.as_os_str().is_empty() {
        return String::new();
    }
    format!(" (relative paths start at {})", directory.display())
}

/// Reads a text; a problem is told along with the text, unless it starts with it, and with what is allowed.
fn read_text<S: Shape<Value = T>, T>(
    shape: &S,
    item: &Item<'_>,
    context: &mut Context<'_>,
    parse: impl FnOnce(&str) -> Result<T, String>,
) -> Option<T> {
    let Some(text) = item.value.as_str() else {
        context.log.mistake(&item.place, wrong_type(item.value, &shape.allowed()));
        return None;
    };
    if item.is_multi_line {
        // It is not shown: where a quote was one too many, a secret may be among what it holds.
        let message = format!("found a string between three quotes; expected {}", shape.allowed());
        context.log.mistake(&item.place, message);
        return None;
    }
    parse(text)
        .map_err(|problem| {
            let quoted = quoted(text);
            let subject = if problem.starts_with(&quoted) { String::new() } else { quoted + ": " };
            let message = format!("{subject}{problem}; expected {}", shape.allowed());
            context.log.mistake(&item.place, message);
        })
        .ok()
}

fn in_range<T: PartialOrd>(value: T, min: T, max: T) -> Result<T, String> {
    if value < min || value > max { Err("out of range".to_owned()) } else { Ok(value) }
}

fn cut(digits: &str) -> String {
    digits.get(..24).map_or_else(|| digits.to_owned(), |first| format!("{first}..."))
}

/// Label names are `[a-zA-Z_][a-zA-Z0-9_]*`; those with two underscores in front are Prometheus's own
/// (its data model), and `device` is ours.
fn label_name(name: &str) -> Result<(), &'static str> {
    let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        && name.len() <= MAX_NAME_OCTETS;
    match name {
        _ if !is_name => Err("not a label name; expected letters, digits and underscores, no digit first"),
        _ if name.starts_with("__") => Err("label names with two underscores in front are reserved by Prometheus"),
        "device" => Err("this label is the device's name already"),
        _ => Ok(()),
    }
}

fn label_value(text: &str) -> Result<String, String> {
    if text.len() > MAX_LABEL_VALUE_OCTETS { Err("too long".to_owned()) } else { Ok(text.to_owned()) }
}
