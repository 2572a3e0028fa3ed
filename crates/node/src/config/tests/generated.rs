//! What is written from the definitions of the keys.

use std::fs;

use hamsa_snmp::limits::{MAX_ENGINE_ID_OCTETS, MAX_NAME_OCTETS, MIN_PASSWORD_OCTETS};
use toml::de::{DeTable, DeValue};

use super::super::keys::SECTIONS;
use super::super::section::{Presence, Section};
use super::super::{limits, reference, sample};
use super::{Directory, but_for_zenoh, repository};
use crate::enterprise::{create_authority, create_certificate};

/// The sample with all its keys set.
fn uncommented() -> String {
    let set = |line: &str| line.strip_prefix('#').filter(|rest| !rest.starts_with(' ')).unwrap_or(line).to_owned();
    sample().lines().map(|line| set(line) + "\n").collect()
}

/// What the sample's examples lead to.
fn with_examples(text: &str) -> Directory {
    let directory = Directory::new(&[
        ("hamsa.toml", text),
        ("devices.d/none.toml", ""),
        ("hamsa-group.key", ""),
        ("tls/cert.pem", ""),
        ("tls/key.pem", ""),
        ("mibs/none", ""),
        ("profiles/none", ""),
    ]);
    let authority = create_authority(&directory.path(".")).unwrap();
    create_certificate(&authority.key, &directory.path("."), 1, &[], 30).unwrap();
    directory
}

#[test]
fn the_sample_sets_nothing_and_has_no_mistake() {
    let (sample, empty) = (Directory::new(&[("hamsa.toml", &sample())]), Directory::new(&[("hamsa.toml", "")]));
    assert_eq!(sample.lines(), [""; 0]);
    let mut config = sample.check().config.unwrap();
    config.node.data_dir = empty.path("hamsa-data");
    assert_eq!(Some(config), empty.check().config);
}

#[test]
fn the_sample_has_every_key_and_each_example_is_allowed() {
    let text = uncommented();
    assert_eq!(but_for_zenoh(with_examples(&text).lines()), [""; 0]);
    let root = DeTable::parse(&text).unwrap().into_inner();
    for section in SECTIONS {
        let tables = tables_of(&root, section);
        assert!(!tables.is_empty(), "{}", section.title);
        for key in section.keys {
            assert!(tables.iter().any(|table| table.contains_key(key.name)), "{} {}", section.title, key.name);
        }
    }
    for name in SECTIONS.iter().flat_map(|section| section.names()) {
        assert!(sample().contains(&name), "{name}");
    }
}

/// All tables of a file that a section defines.
fn tables_of<'t>(root: &'t DeTable<'t>, section: &Section) -> Vec<&'t DeTable<'t>> {
    if section.title.is_empty() {
        return vec![root];
    }
    match root.get(section.table_name()).map(|value| value.get_ref()) {
        Some(DeValue::Table(table)) if section.is_repeated() => {
            table.values().filter_map(|value| value.get_ref().as_table()).collect()
        }
        Some(DeValue::Table(table)) => vec![table],
        Some(DeValue::Array(array)) => array.iter().filter_map(|value| value.get_ref().as_table()).collect(),
        _ => Vec::new(),
    }
}

#[test]
fn every_key_says_what_it_is_for() {
    for section in SECTIONS {
        for key in section.keys {
            let about = key.about.concat();
            assert!(about.starts_with(' ') && about.ends_with('.'), "{} {}: {about}", section.title, key.name);
            assert!(!(key.allowed)().is_empty());
            // What is no default is shown by an example.
            assert!(matches!(key.presence, Presence::Default(_)) || key.example.is_some(), "{}", key.name);
        }
    }
}

#[test]
fn what_is_said_to_be_allowed_is_what_is_checked() {
    let says = |name: &str, limit: usize| {
        let key = SECTIONS.iter().flat_map(|section| section.keys).find(|key| key.name == name).unwrap();
        assert!((key.allowed)().contains(&limit.to_string()), "{name}: {}", (key.allowed)());
    };
    says("token", limits::MIN_TOKEN_OCTETS);
    says("community", limits::MAX_COMMUNITY_OCTETS);
    says("auth_password", MIN_PASSWORD_OCTETS);
    says("name", limits::MAX_NAME_OCTETS);
    says("context", MAX_NAME_OCTETS);
    says("engine_id", MAX_ENGINE_ID_OCTETS);
    let label = format!("[[device]]\nlabels = {{ a = \"{}\" }}", "x".repeat(limits::MAX_LABEL_VALUE_OCTETS + 1));
    let told = Directory::new(&[("hamsa.toml", &label)]).check().to_string();
    assert!(told.contains(&format!("at most {} octets", limits::MAX_LABEL_VALUE_OCTETS)), "{told}");
}

/// `HAMSA_UPDATE=1` writes the files instead.
#[test]
fn the_files_in_docs_are_fresh() {
    for (name, expected) in [("docs/config.md", reference()), ("docs/hamsa.toml", sample())] {
        let path = repository().join(name);
        if std::env::var_os("HAMSA_UPDATE").is_some() {
            fs::write(&path, expected).unwrap();
        } else {
            let found = fs::read_to_string(&path).unwrap_or_default();
            assert!(found == expected, "{name} is stale: HAMSA_UPDATE=1 cargo test -p hamsa-node config");
        }
    }
}
