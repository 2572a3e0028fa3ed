//! The reference of all keys, `docs/config.md`, from their definitions.

use std::fmt::{self, Write as _};

use super::keys::SECTIONS;
use super::section::{Effect, Key, Presence, Section};

/// What stands before the tables.
const INTRODUCTION: &str = "\
# Configuration

<!-- Written by `HAMSA_UPDATE=1 cargo test -p hamsa-node config`, from crates/node/src/config/. -->

`hamsa init` writes a sample in which every key is explained, `hamsa check FILE` tells every mistake in a file and
those that it includes: file, line, column, key, and what is allowed. The node refuses a file with mistakes.
A key that is not known is a mistake.

- The format is [TOML](https://toml.io).
- A **duration** is a whole number and a unit, `\"500ms\"`, `\"60s\"`, `\"5m\"`, `\"12h\"`, `\"30d\"`, `\"2w\"`, `\"1y\"`, or several, the
  larger before the smaller: `\"1d12h\"`.
- A **size** is a whole number and a unit of `B`, `KiB`, `MiB`, `GiB`, `TiB`.
- An **address** of a device is `\"192.0.2.1\"`, `\"192.0.2.1:1161\"`, `\"[2001:db8::1]\"`, `\"[2001:db8::1]:1161\"` or
  `\"router1.example.net\"`; the port is 161 where none is given. The node resolves host names itself.
- A relative **path** starts at the directory of the file that it stands in.
- A **secret** may stand in the file, or in a file of its own (its key with `_file`, a path; one line end at the end is
  left out), or in the environment (its key with `_env`, the name of the variable); only one of the three. Secrets are
  never shown. A secret in a file that everyone may read gets a warning.
";

/// `docs/config.md`: every key with its meaning, what it takes, what happens without it, and when a change takes
/// effect. In Markdown.
pub fn reference() -> String {
    let mut text = INTRODUCTION.to_owned();
    SECTIONS.iter().try_for_each(|section| write_section(&mut text, section)).expect("writing to a String");
    text
}

pub(super) fn write_section(text: &mut String, section: &Section) -> fmt::Result {
    match section.title.split_once(" of ") {
        Some((title, which)) => writeln!(text, "\n## `{title}` of {which}\n")?,
        None if section.title.is_empty() => writeln!(text, "\n## Before the first table\n")?,
        None => writeln!(text, "\n## `{}`\n", section.title)?,
    }
    writeln!(text, "{}\n", joined(section.about))?;
    writeln!(text, "| Key | Meaning | Takes | Left out | A change takes effect |\n|---|---|---|---|---|")?;
    section.keys.iter().try_for_each(|key| write_key(text, key))
}

fn write_key(text: &mut String, key: &Key) -> fmt::Result {
    let names: Vec<String> = key.names().iter().map(|name| format!("`{name}`")).collect();
    let left_out = match key.presence {
        Presence::Default(value) => format!("`{value}`"),
        Presence::Optional(note) | Presence::Secret(note) => note.to_owned(),
        Presence::Required => "not allowed".to_owned(),
    };
    let effect = match key.effect {
        Effect::Reload => "on reload",
        Effect::Restart => "at the next start",
    };
    let example = key.example.map_or_else(String::new, |example| format!(", such as `{example}`"));
    let names = names.join(", ");
    writeln!(text, "| {names} | {} | {}{example} | {left_out} | {effect} |", joined(key.about), (key.allowed)())
}

/// Lines as one paragraph.
fn joined(lines: &[&str]) -> String {
    lines.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ")
}
