//! The commented sample, from the definitions of the keys.
//!
//! Keys stand behind a `#` without a blank: without that `#` they are set. Prose stands behind a `#` and a
//! blank.

use std::fmt::{self, Write as _};

use super::keys::{CHOSEN, CommunityKeys, DeviceKeys, SECTIONS, UserKeys, VersionKeys};
use super::section::{Key, Presence, Section};

/// Columns of a comment at most.
const COLUMNS: usize = 100;

/// A configuration file that explains every key and sets none; it takes no mistake to start from.
pub fn sample() -> String {
    let mut text = String::new();
    write_sample(&mut text).expect("writing to a String");
    text
}

fn write_sample(text: &mut String) -> fmt::Result {
    text.push_str(
        "# The configuration of a Hamsa node. Nothing is set yet: a line that starts with # and a key shows that\n\
         # key's default, or an example. Relative paths start at the directory of this file.\n\
         # `hamsa check` tells every mistake. All keys are explained in docs/config.md too.\n",
    );
    for section in SECTIONS.iter().filter(|section| !section.is_repeated()) {
        write_about(text, section)?;
        if !section.title.is_empty() {
            writeln!(text, "{}{}", if CHOSEN.contains(&section.title) { "#" } else { "" }, section.title)?;
        }
        write_keys(text, section)?;
    }
    write_about(text, &VersionKeys::SECTION)?;
    write_credentials(text, "campus", "\"v3\"", &UserKeys::SECTION)?;
    write_credentials(text, "lab", "\"v2c\"", &CommunityKeys::SECTION)?;
    write_about(text, &DeviceKeys::SECTION)?;
    writeln!(text, "#{}", DeviceKeys::SECTION.title)?;
    write_keys(text, &DeviceKeys::SECTION)
}

fn write_credentials(text: &mut String, name: &str, version: &str, section: &Section) -> fmt::Result {
    write_about(text, section)?;
    writeln!(text, "#[{}.{name}]", section.table_name())?;
    for key in VersionKeys::SECTION.keys {
        write_key(text, key, version)?;
    }
    write_keys(text, section)
}

pub(super) fn write_keys(text: &mut String, section: &Section) -> fmt::Result {
    section.keys.iter().try_for_each(|key| write_key(text, key, key.shown()))
}

pub(super) fn write_about(text: &mut String, section: &Section) -> fmt::Result {
    text.push('\n');
    write_comment(text, &section.about.concat())
}

fn write_key(text: &mut String, key: &Key, value: &str) -> fmt::Result {
    text.push('\n');
    write_comment(text, &key.about.concat())?;
    let left_out = match key.presence {
        Presence::Default(default) if default == value => String::new(),
        Presence::Default(default) => format!(" Left out: {default}."),
        Presence::Optional(note) | Presence::Secret(note) => format!(" Left out: {note}."),
        Presence::Required => " Left out: not allowed.".to_owned(),
    };
    write_comment(text, &format!("Takes {}.{left_out}", (key.allowed)()))?;
    if let Presence::Secret(_) = key.presence {
        let [file, variable] = key.siblings();
        write_comment(text, &format!("Or `{file}`, a path, or `{variable}`, an environment variable."))?;
    }
    writeln!(text, "#{} = {value}", key.name)
}

/// Words behind `# `, in lines of at most [`COLUMNS`].
fn write_comment(text: &mut String, words: &str) -> fmt::Result {
    let mut column = 0;
    for word in words.split_whitespace() {
        let width = word.chars().count() + 1;
        if column > 0 && column + width > COLUMNS {
            text.push('\n');
            column = 0;
        }
        let lead = if column == 0 { "# " } else { " " };
        write!(text, "{lead}{word}")?;
        column += width;
    }
    writeln!(text)
}
