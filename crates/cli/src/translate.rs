//! `hamsa translate`: from names to OIDs and back, and what the MIB says of them.

use clap::Args;
use hamsa_snmp::Oid;
use hamsa_snmp::mib::{BaseType, Mib, MibNode, NodeKind, Object, OidFormat};
use serde_json::{Value as Json, json};

use crate::failure::usage;
use crate::options::{LazyMib, MibOptions, ValueOptions};
use crate::print::{Column, Grid, line_out, name_text};
use crate::terminal;

/// Translate names to OIDs and OIDs to names, tell what the MIB says of them, and find names
#[derive(Debug, Args)]
pub struct Command {
    /// Names or OIDs
    #[arg(value_name = "OID", required_unless_present = "search")]
    pub names: Vec<String>,
    /// Tell all: module, kind, syntax, access, index, enumeration, parents
    #[arg(short = 'd', long)]
    pub details: bool,
    /// Find names that have this in them; * stands for anything
    #[arg(short = 's', long, value_name = "PATTERN", conflicts_with = "names")]
    pub search: Option<String>,
    /// One JSON object a line, with all details
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub values: ValueOptions,
    #[command(flatten)]
    pub mib: MibOptions,
}

/// Runs it.
///
/// # Errors
/// A name is unknown, or nothing was found.
pub fn run(command: &Command) -> anyhow::Result<()> {
    let lazy = LazyMib::new(command.mib.clone());
    if let Some(pattern) = &command.search {
        return search(command, lazy.get(), pattern);
    }
    let mut texts = Vec::new();
    for name in &command.names {
        let oid = lazy.resolve(name)?;
        texts.push(match (command.json, command.details) {
            (true, _) => as_json(lazy.get(), &oid).to_string(),
            (false, true) => details(lazy.get(), &oid),
            (false, false) => translated(command, lazy.get(), name, &oid)?,
        });
    }
    line_out(&texts.join(if command.details && !command.json { "\n\n" } else { "\n" }))
}

/// The other form: a name where numbers were given, else numbers; or what `-O` asks for.
fn translated(command: &Command, mib: &Mib, given: &str, oid: &Oid) -> anyhow::Result<String> {
    let mut style = command.values.line_format()?.names;
    let is_numeric = given.bytes().all(|c| c.is_ascii_digit() || c == b'.');
    if !command.values.is_given() && !is_numeric {
        style.format = OidFormat::Numeric;
    }
    Ok(name_text(mib, style, oid.as_oid()))
}

fn search(command: &Command, mib: &Mib, pattern: &str) -> anyhow::Result<()> {
    let words: Vec<String> = pattern.to_lowercase().split('*').map(str::to_owned).collect();
    let found: Vec<MibNode<'_>> = mib.nodes().filter(|node| matches(&node.name().to_lowercase(), &words)).collect();
    if found.is_empty() {
        return Err(usage(format!("no name has {pattern:?} in it; -M DIRS loads your own MIB files")));
    }
    if command.json {
        let objects: Vec<String> = found.iter().map(|node| as_json(mib, &node.oid().to_owned()).to_string()).collect();
        return line_out(&objects.join("\n"));
    }
    let mut grid =
        Grid::new(vec![Column::text("NAME"), Column::text("OID"), Column::text("KIND"), Column::text("SYNTAX")]);
    for node in found {
        let syntax = node.object().and_then(Object::syntax).map_or("", |syntax| syntax.name());
        grid.push(vec![
            node.to_string(),
            format!(".{}", node.oid()),
            node.kind().as_str().to_owned(),
            syntax.to_owned(),
        ]);
    }
    let mut out = Vec::new();
    grid.write(&mut out, terminal::width(), 1)?;
    line_out(String::from_utf8_lossy(&out).trim_end())
}

/// Whether the parts between the asterisks stand in a name in this order.
fn matches(name: &str, parts: &[String]) -> bool {
    let mut rest = name;
    parts.iter().all(|part| match rest.find(part.as_str()) {
        Some(at) => {
            rest = &rest[at + part.len()..];
            true
        }
        None => false,
    })
}

/// What the MIB says, a line for each thing.
fn details(mib: &Mib, oid: &Oid) -> String {
    let mut lines = vec![mib.format_oid(oid.as_oid(), OidFormat::Module)];
    let mut say = |what: &str, text: String| {
        if !text.is_empty() {
            lines.push(format!("  {what:<12} {text}"));
        }
    };
    say("oid", format!(".{oid}"));
    let object = mib.object_of(oid.as_oid());
    let Some(node) = object.map(|(object, _)| object.node()).or_else(|| mib.locate(oid.as_oid()).map(|(node, _)| node))
    else {
        say("", "no module knows it".to_owned());
        return lines.join("\n");
    };
    say("defined", format!("{node}, {}", node.kind().as_str()));
    if let Some((object, suffix)) = object
        && !suffix.is_empty()
        && object.kind() == NodeKind::Column
    {
        let index = match object.decode_index(suffix) {
            Ok(fields) => {
                fields.iter().map(|field| format!("{} = {}", field.name(), field.text())).collect::<Vec<_>>().join(", ")
            }
            Err(error) => format!("{suffix}, which is none: {error}"),
        };
        say("instance", index);
    }
    if let Some(object) = node.object() {
        let described = Described::of(object);
        say("syntax", described.syntax);
        say("values", described.labels.join(", "));
        say("hint", described.hint);
        say("units", object.units().unwrap_or_default().to_owned());
        say("access", described.access);
        say("index", described.index.join(", "));
        say("augments", described.augments);
        say("columns", described.columns.join(", "));
    }
    say("carries", node.notification_objects().map(|node| node.name()).collect::<Vec<_>>().join(", "));
    if let Some(parent) = node.parent() {
        say("below", mib.format_oid(parent.oid(), OidFormat::Full));
    }
    lines.join("\n")
}

/// An object in words.
struct Described {
    syntax: String,
    labels: Vec<String>,
    hint: String,
    access: String,
    index: Vec<String>,
    augments: String,
    columns: Vec<String>,
}

impl Described {
    fn of(object: Object<'_>) -> Self {
        let syntax = object.syntax();
        let row = object.row().filter(|_| object.kind() != NodeKind::Column);
        let base = row.and_then(Object::base_row).filter(|base| Some(*base) != row);
        let index = match object.index_schema() {
            Ok(schema) if object.kind() != NodeKind::Scalar => {
                schema.parts().iter().map(|part| part.name().to_owned()).collect()
            }
            _ => Vec::new(),
        };
        Described {
            syntax: syntax.map_or_else(String::new, |syntax| {
                let base = syntax.base();
                let mut text = syntax.name().to_owned();
                if text != base.as_str() && base != BaseType::Unknown {
                    text.push_str(&format!(", {}", base.as_str()));
                }
                if let Some(ranges) = syntax.ranges_text() {
                    text.push_str(&format!(" ({ranges})"));
                }
                text
            }),
            labels: syntax.into_iter().flat_map(|s| s.labels()).map(|(label, n)| format!("{label}({n})")).collect(),
            hint: syntax.and_then(|syntax| syntax.hint()).unwrap_or_default().to_owned(),
            access: object.access().as_str().to_owned(),
            index,
            augments: base.map_or_else(String::new, |base| base.to_string()),
            columns: row.into_iter().flat_map(Object::columns).map(|column| column.name().to_owned()).collect(),
        }
    }
}

fn as_json(mib: &Mib, oid: &Oid) -> Json {
    let located = mib.object_of(oid.as_oid()).map(|(object, _)| object.node());
    let node = located.or_else(|| mib.locate(oid.as_oid()).map(|(node, _)| node));
    let described = node.and_then(MibNode::object).map(Described::of);
    let syntax = node.and_then(MibNode::object).and_then(Object::syntax);
    let labels: Option<serde_json::Map<String, Json>> = syntax
        .filter(|syntax| syntax.has_labels())
        .map(|syntax| syntax.labels().map(|(label, number)| (label.to_owned(), number.into())).collect());
    json!({
        "oid": oid.to_string(),
        "name": mib.format_oid(oid.as_oid(), OidFormat::Module),
        "module": node.map(|node| node.module()),
        "object": node.map(|node| node.name()),
        "kind": node.map(|node| node.kind().as_str()),
        "syntax": syntax.map(|syntax| syntax.name()),
        "base_type": syntax.map(|syntax| syntax.base().as_str()),
        "ranges": syntax.and_then(|syntax| syntax.ranges_text()),
        "display_hint": syntax.and_then(|syntax| syntax.hint()),
        "labels": labels,
        "units": node.and_then(MibNode::object).and_then(Object::units),
        "access": described.as_ref().map(|described| &described.access),
        "index": described.as_ref().map(|described| &described.index),
        "objects": node.map(|node| node.notification_objects().map(|node| node.to_string()).collect::<Vec<_>>()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn oid(text: &str) -> Oid {
        Mib::standard().resolve(text).unwrap()
    }

    #[test]
    fn details_tell_what_the_mib_says() {
        let mib = Mib::standard();
        let text = details(&mib, &oid("ifOperStatus.3"));
        for line in [
            "IF-MIB::ifOperStatus.3",
            "  oid          .1.3.6.1.2.1.2.2.1.8.3",
            "  defined      IF-MIB::ifOperStatus, column",
            "  instance     ifIndex = 3",
            "  access       read-only",
            "  index        ifIndex",
            "  below        .iso.org.dod.internet.mgmt.mib-2.interfaces.ifTable.ifEntry",
        ] {
            assert!(text.lines().any(|found| found.starts_with(line) || found == line), "{line}\n{text}");
        }
        assert!(text.contains("up(1), down(2)"), "{text}");
        let table = details(&mib, &oid("ifXTable"));
        assert!(table.contains("augments     IF-MIB::ifEntry") && table.contains("ifHCInOctets"), "{table}");
        let notification = details(&mib, &oid("linkDown"));
        assert!(notification.contains("carries      ifIndex, ifAdminStatus, ifOperStatus"), "{notification}");
        let broken = details(&mib, &oid("1.3.6.1.2.1.2.2.1.8.3.4"));
        assert!(broken.contains("which is none"), "{broken}");
        assert!(details(&mib, &"2.999.1".parse().unwrap()).contains("no module knows it"));
    }

    #[test]
    fn patterns_find_their_parts_in_order() {
        let matches =
            |name: &str, pattern: &str| matches(name, &pattern.split('*').map(str::to_owned).collect::<Vec<_>>());
        assert!(matches("ifhcinoctets", "hcin"));
        assert!(matches("ifhcinoctets", "if*octets"));
        assert!(matches("ifhcinoctets", ""));
        assert!(!matches("ifhcinoctets", "octets*if"));
    }

    #[test]
    fn json_has_types_and_labels() {
        let object = as_json(&Mib::standard(), &oid("ifOperStatus"));
        assert_eq!((&object["base_type"], &object["labels"]["down"]), (&json!("Integer32"), &json!(2)));
        assert_eq!(object["index"], json!(["ifIndex"]));
    }
}
