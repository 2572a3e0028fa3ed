//! How keys are defined, once each, and how a table is read by its definition.
//!
//! [`section!`] makes a table's Rust type, what reads it, and a [`Section`] from which the sample, the
//! reference and the check for unknown keys come. The definitions are in [`super::keys`].

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Surroundings;
use super::limits::MAX_SECRET_OCTETS;
use super::nearest::nearest;
use super::report::Log;
use super::secret::Secret;
use super::shape::{Item, SecretKind, Shape, relative_to, wrong_type};
use super::source::{Place, is_public, read_bounded};

/// A table of the configuration.
pub(super) struct Section {
    /// Its header, such as `[poll]`; empty for the keys before the first table.
    pub(super) title: &'static str,
    /// What it is about, in lines.
    pub(super) about: &'static [&'static str],
    /// Its keys, in the order in which they are shown.
    pub(super) keys: &'static [Key],
}

/// A key of a table.
pub(super) struct Key {
    pub(super) name: &'static str,
    /// What it is for, in lines.
    pub(super) about: &'static [&'static str],
    /// What may stand there.
    pub(super) allowed: fn() -> String,
    pub(super) presence: Presence,
    /// A value in TOML, where the default is none that shows how it is written.
    pub(super) example: Option<&'static str>,
    pub(super) effect: Effect,
}

/// Whether a key must be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Presence {
    /// It has this value, in TOML, where it is not there.
    Default(&'static str),
    /// It may be left out; then this is what happens.
    Optional(&'static str),
    /// It must be there.
    Required,
    /// It may be left out, or stand in a file or the environment.
    Secret(&'static str),
}

/// When a changed value takes effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// When the node reads its configuration again.
    Reload,
    /// When the node starts.
    Restart,
}

impl Section {
    /// The name of the table at the top of a file.
    pub(super) fn table_name(&self) -> &'static str {
        let path = self.title.trim_matches(['[', ']']);
        path.split_once('.').map_or(path, |(table, _)| table)
    }

    /// Whether there may be several such tables, under names that are the user's or under none.
    pub(super) fn is_repeated(&self) -> bool {
        self.title.contains('.') || self.title.starts_with("[[")
    }

    /// The definition of a key that this table has.
    pub(super) fn key(&self, name: &str) -> &'static Key {
        self.keys.iter().find(|key| key.name == name).expect("a key of this section")
    }

    /// All names that may stand in this table.
    pub(super) fn names(&self) -> impl Iterator<Item = String> {
        self.keys.iter().flat_map(Key::names)
    }
}

impl Key {
    /// The key's name, and for a secret those of its siblings.
    pub(super) fn names(&self) -> Vec<String> {
        match self.presence {
            Presence::Secret(_) => [self.name.to_owned()].into_iter().chain(self.siblings()).collect(),
            _ => vec![self.name.to_owned()],
        }
    }

    /// A value that shows how the key is written, in TOML.
    pub(super) fn shown(&self) -> &'static str {
        match (self.example, self.presence) {
            (Some(example), _) => example,
            (None, Presence::Default(value)) => value,
            (None, _) => unreachable!("{} has no example", self.name),
        }
    }

    /// Where a secret may stand instead: in a file, in the environment.
    pub(super) fn siblings(&self) -> [String; 2] {
        [format!("{}_file", self.name), format!("{}_env", self.name)]
    }
}

/// Defines a table: `/// About it` `struct Name = "[title]" { /// About the key` `effect name: Type = shape,
/// presence(value), example(value); }`. Values are TOML.
macro_rules! section {
    (
        $(#[doc = $about:literal])+
        $(#[derive($($derived:ident),+)])?
        $vis:vis struct $name:ident = $title:literal {
            $(
                $(#[doc = $doc:literal])+
                $effect:ident $key:ident: $type:ty = $shape:expr, $presence:ident($($value:tt)?)
                    $(, example($example:tt))?;
            )+
        }
    ) => {
        $(#[doc = $about])+
        $(#[derive($($derived),+)])?
        $vis struct $name {
            $($(#[doc = $doc])+ $vis $key: $type,)+
        }

        impl $name {
            pub(super) const SECTION: Section = Section {
                title: $title,
                about: &[$($about),+],
                keys: &[$(Key {
                    name: stringify!($key),
                    about: &[$($doc),+],
                    allowed: || $shape.allowed(),
                    presence: section!(@presence $presence $($value)?),
                    example: section!(@example $($example)?),
                    effect: section!(@effect $effect),
                }),+],
            };

            pub(super) fn read(table: &mut TableReader<'_, '_>) -> Self {
                $name { $($key: table.$presence(Self::SECTION.key(stringify!($key)), &$shape),)+ }
            }
        }
    };
    (@presence default $value:tt) => { Presence::Default(stringify!($value)) };
    (@presence optional $note:tt) => { Presence::Optional($note) };
    (@presence required) => { Presence::Required };
    (@presence secret $note:tt) => { Presence::Secret($note) };
    (@example) => { None };
    (@example $value:tt) => { Some(stringify!($value)) };
    (@effect reload) => { Effect::Reload };
    (@effect restart) => { Effect::Restart };
}
pub(super) use section;

/// A value and where it stands.
#[derive(Clone)]
pub(super) struct Placed<T> {
    pub(super) value: T,
    pub(super) place: Place,
}

/// What a key without a default was found to be.
pub(super) enum Field<T> {
    /// It is not there.
    Absent,
    /// It is there, and wrong; that has been told.
    Bad,
    /// It is there.
    Given(Placed<T>),
}

impl<T> Field<T> {
    /// Whether it is there at all, even if wrong.
    pub(super) fn is_there(&self) -> bool {
        !matches!(self, Field::Absent)
    }

    /// The value, if there is a good one.
    pub(super) fn value(self) -> Option<T> {
        match self {
            Field::Given(placed) => Some(placed.value),
            Field::Absent | Field::Bad => None,
        }
    }

    /// The value and its place, if there is a good one.
    pub(super) fn placed(&self) -> Option<&Placed<T>> {
        match self {
            Field::Given(placed) => Some(placed),
            Field::Absent | Field::Bad => None,
        }
    }
}

/// What reading needs besides the text.
pub(super) struct Context<'s> {
    pub(super) surroundings: &'s Surroundings<'s>,
    /// All tables of this kind of configuration.
    pub(super) sections: &'static [&'static Section],
    pub(super) log: Log,
}

/// Reads one table by its definition. Every mistake goes to the log; what is wrong is then as if it were right,
/// so that reading goes on.
pub(super) struct TableReader<'r, 's> {
    table: &'r DeTable<'r>,
    /// Where the table stands.
    pub(super) place: Place,
    pub(super) context: &'r mut Context<'s>,
    /// The keys with a default whose value is wrong.
    wrong: Vec<&'static str>,
}

impl<'r, 's> TableReader<'r, 's> {
    /// A reader of the table that stands at `place`.
    pub(super) fn new(table: &'r DeTable<'r>, place: Place, context: &'r mut Context<'s>) -> Self {
        TableReader { table, place, context, wrong: Vec::new() }
    }

    /// The value of a key, or its default.
    pub(super) fn default<S: Shape>(&mut self, key: &'static Key, shape: &S) -> S::Value {
        if let Some(item) = self.item(key.name) {
            let count = self.context.log.count();
            let value = shape.read(&item, self.context);
            if self.context.log.count() > count {
                self.wrong.push(key.name);
            }
            if let Some(value) = value {
                return value;
            }
        }
        let Presence::Default(text) = key.presence else { unreachable!("{} has no default", key.name) };
        let value = DeValue::parse(text).expect("defaults are TOML").into_inner();
        let place = self.place.child(key.name, self.place.offset);
        shape.read(&Item::of_default(&value, place), self.context).expect("defaults are allowed")
    }

    /// The value of a key that may be left out.
    pub(super) fn optional<S: Shape>(&mut self, key: &Key, shape: &S) -> Field<S::Value> {
        let Some(item) = self.item(key.name) else { return Field::Absent };
        match shape.read(&item, self.context) {
            Some(value) => Field::Given(Placed { value, place: item.place }),
            None => Field::Bad,
        }
    }

    /// The value of a key that must be there.
    pub(super) fn required<S: Shape>(&mut self, key: &Key, shape: &S) -> Field<S::Value> {
        let field = self.optional(key, shape);
        if !field.is_there() {
            self.lacks(key);
        }
        field
    }

    /// A secret, from the key itself, a file or the environment.
    pub(super) fn secret(&mut self, key: &Key, kind: &SecretKind) -> Field<Secret> {
        let names = key.names();
        let mut items = names.iter().enumerate().filter_map(|(source, name)| Some((source, self.item(name)?)));
        let Some((source, item)) = items.next() else { return Field::Absent };
        if let Some((_, second)) = items.next() {
            self.context.log.mistake(&second.place, format!("give only one of {}", names.join(", ")));
            return Field::Bad;
        }
        let Some(text) = item.value.as_str() else {
            let expected = [kind.allowed(), "a path".to_owned(), "the name of a variable".to_owned()];
            self.context.log.mistake(&item.place, wrong_type(item.value, &expected[source]));
            return Field::Bad;
        };
        let found = match source {
            0 => Ok(Secret::new(text.as_bytes().to_vec())),
            1 => self.secret_of_file(&item.place, text),
            _ => self.secret_of_environment(text),
        };
        let checked = found.and_then(|secret| {
            let problem = (kind.check)(secret.expose()).err();
            problem.map_or(Ok(secret), |problem| Err(format!("{problem}; expected {}", kind.allowed())))
        });
        match checked {
            Ok(value) => {
                if source == 0 && item.place.source.is_public {
                    let message =
                        format!("a secret in a file that everyone may read: chmod o-r it, or use {}", names[1]);
                    self.context.log.warning(&item.place, message);
                }
                Field::Given(Placed { value, place: item.place })
            }
            Err(message) => {
                self.context.log.mistake(&item.place, message);
                Field::Bad
            }
        }
    }

    /// Says that a key must be there.
    pub(super) fn lacks(&mut self, key: &Key) {
        let place = self.place.child(key.name, self.place.offset);
        let ways = match key.presence {
            Presence::Secret(_) => format!(" (or {})", key.siblings().join(", ")),
            _ => String::new(),
        };
        self.context.log.missing(&place, format!("this key is missing{ways}; expected {}", (key.allowed)()));
    }

    /// Where a key stands; the table, if it is not there.
    pub(super) fn place_of(&self, name: &str) -> Place {
        self.item(name).map_or_else(|| self.place.clone(), |item| item.place)
    }

    /// Whether a key's value is what the file says, or the default because it says nothing.
    pub(super) fn is_certain(&self, name: &str) -> bool {
        let is_broken = self.has(name) && self.context.log.is_broken(&self.place_of(name));
        !is_broken && !self.wrong.contains(&name)
    }

    /// Whether a key is there.
    pub(super) fn has(&self, name: &str) -> bool {
        self.table.contains_key(name)
    }

    /// Says which keys are in none of the table's definitions.
    pub(super) fn refuse_unknown(&mut self, definitions: &[&Section]) {
        let names: Vec<String> = definitions.iter().flat_map(|section| section.names()).collect();
        let sections = self.context.sections;
        refuse_keys(self.table, &self.place, &mut self.context.log, |key, _| {
            (!names.iter().any(|name| name == key)).then(|| unknown_key(key, &names, sections))
        });
    }

    fn item(&self, name: &str) -> Option<Item<'r>> {
        let value: &Spanned<DeValue<'r>> = self.table.get(name)?;
        Some(Item::of_file(value, self.place.child(name, value.span().start)))
    }

    /// Errors don't show the path: what leads to no file may be the secret, put at the wrong key.
    fn secret_of_file(&mut self, place: &Place, path: &str) -> Result<Secret, String> {
        let directory = &place.source.directory;
        let (octets, metadata) = read_bounded(&directory.join(path), MAX_SECRET_OCTETS as u64)
            .map_err(|error| format!("the file {error}{}", relative_to(directory)))?;
        if is_public(&metadata) {
            self.context.log.warning(place, "everyone may read this file: chmod o-r it");
        }
        let secret = octets.strip_suffix(b"\n").unwrap_or(&octets);
        Ok(Secret::new(secret.strip_suffix(b"\r").unwrap_or(secret).to_vec()))
    }

    /// Errors don't show the name of the variable, for the same reason.
    fn secret_of_environment(&self, variable: &str) -> Result<Secret, String> {
        let is_name = variable.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && variable.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if !is_name {
            return Err("is not the name of an environment variable: letters, digits and underscores".to_owned());
        }
        let value = (self.context.surroundings.environment)(variable);
        let value = value.ok_or("the environment variable of this name is not set")?;
        let octets = value.into_encoded_bytes();
        if octets.len() > MAX_SECRET_OCTETS {
            return Err(format!("the environment variable has more than {MAX_SECRET_OCTETS} octets"));
        }
        Ok(Secret::new(octets))
    }
}

/// Tells the problem of each key that has one.
pub(super) fn refuse_keys(
    table: &DeTable<'_>,
    at: &Place,
    log: &mut Log,
    problem: impl Fn(&str, &DeValue<'_>) -> Option<String>,
) {
    for (key, value) in table {
        if !log.has_room() {
            // Finding the nearest name takes time, and nobody would read it.
            return log.leave_out(1);
        }
        if let Some(problem) = problem(key.get_ref(), value.get_ref()) {
            log.mistake(&at.child(key.get_ref(), key.span().start), problem);
        }
    }
}

/// What is told about a key that is none of the `names` that may stand there.
pub(super) fn unknown_key(key: &str, names: &[String], sections: &[&Section]) -> String {
    let homes = sections.iter().filter(|section| section.names().any(|name| name == key));
    let homes: Vec<&str> = homes.map(|section| section.title).collect();
    match homes[..] {
        [] => {}
        [""] => return "unknown key here; it belongs before the first table".to_owned(),
        _ => return format!("unknown key here; it belongs to {}", homes.join(" or ")),
    }
    match nearest(key, names.iter().map(String::as_str)) {
        Some(name) => format!("unknown key; did you mean {name}?"),
        None => format!("unknown key; expected one of {}", names.join(", ")),
    }
}
