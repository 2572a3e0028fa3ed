//! MIB names under random input: nothing panics, and what is written is read back. Each test prints the seed
//! of the round that failed.

#![allow(clippy::print_stderr, reason = "a test that fails prints its seed")]

use std::path::Path;
use std::sync::Arc;

use hamsa_snmp::mib::{IndexEncoding, IndexValue, Mib, MibFile, ModuleChoice, NodeKind, OidFormat, ValueStyle};
use hamsa_snmp::{Oid, Value};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// Runs rounds, each with random numbers of its own, and names the seed of one that panics.
fn rounds(count: u64, mut round: impl FnMut(&mut StdRng)) {
    for seed in 0..count {
        let mut random = StdRng::seed_from_u64(seed);
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| round(&mut random)));
        if let Err(panic) = outcome {
            eprintln!("failed in the round with seed {seed}");
            std::panic::resume_unwind(panic);
        }
    }
}

fn test_files() -> Vec<MibFile> {
    hamsa_snmp::mib::read_dir(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mibs")).0
}

fn test_mib() -> Arc<Mib> {
    Arc::new(Mib::standard().with_files(&test_files(), &ModuleChoice::All).0)
}

fn octets(random: &mut StdRng, max: usize) -> Vec<u8> {
    let len = random.random_range(0..=max);
    let text = random.random_bool(0.5);
    (0..len).map(|_| if text { random.random_range(b' '..=b'~') } else { random.random() }).collect()
}

/// Sub-identifiers such as indexes have: small numbers, octets, and now and then anything.
fn arc(random: &mut StdRng) -> u32 {
    match random.random_range(0..10) {
        0..4 => random.random_range(0..8),
        4..9 => random.random_range(0..256),
        _ => random.random(),
    }
}

#[test]
fn any_oid_is_written_and_read_back() {
    let mib = test_mib();
    let nodes: Vec<_> = mib.definitions().collect();
    rounds(5_000, |random| {
        let mut oid = match random.random_range(0..20) {
            0 => Oid::from_arcs(&[random.random_range(0..2), random.random_range(0..40)]).unwrap(),
            _ => nodes[random.random_range(0..nodes.len())].oid().to_owned(),
        };
        for _ in 0..random.random_range(0..24) {
            oid.push(arc(random)).unwrap();
        }
        for format in [OidFormat::Module, OidFormat::Short, OidFormat::Full, OidFormat::Numeric] {
            let text = mib.format_oid(oid.as_oid(), format);
            assert_eq!(mib.resolve(&text).as_ref(), Ok(&oid), "{text}");
        }
        if let Some((object, suffix)) = mib.object_of(oid.as_oid())
            && let Ok(fields) = object.decode_index(suffix)
        {
            let values: Vec<IndexValue> = fields.iter().map(|field| field.value.clone()).collect();
            assert_eq!(object.instance(&values), Ok(oid));
        }
    });
}

#[test]
fn any_values_of_an_index_come_back() {
    let mib = test_mib();
    let columns: Vec<_> = mib.definitions().filter(|node| node.kind() == NodeKind::Column).collect();
    rounds(5_000, |random| {
        let column = columns[random.random_range(0..columns.len())].object().unwrap();
        let schema = column.index_schema().unwrap();
        let mut values = Vec::new();
        for part in schema.parts() {
            values.push(match part.encoding() {
                IndexEncoding::Integer => IndexValue::Integer(arc(random)),
                IndexEncoding::FixedString(len) => {
                    IndexValue::OctetString((0..len).map(|_| random.random::<u8>()).collect())
                }
                IndexEncoding::String | IndexEncoding::ImpliedString => {
                    IndexValue::OctetString(octets(random, 12).into())
                }
                IndexEncoding::ObjectIdentifier | IndexEncoding::ImpliedObjectIdentifier => {
                    IndexValue::ObjectIdentifier(Oid::from_arcs(&[1, 3, arc(random), arc(random)]).unwrap())
                }
                IndexEncoding::IpAddress | IndexEncoding::NetworkAddress => {
                    IndexValue::IpAddress(random.random::<u32>().into())
                }
            });
        }
        let Ok(oid) = column.instance(&values) else { return };
        let (_, suffix) = mib.object_of(oid.as_oid()).unwrap();
        let fields = column.decode_index(suffix).unwrap();
        let read: Vec<IndexValue> = fields.iter().map(|field| field.value.clone()).collect();
        assert_eq!(column.instance(&read), Ok(oid), "{column} {values:?} {read:?}");
        fields.iter().for_each(|field| drop(field.text()));
    });
}

#[test]
fn any_text_is_a_name_or_an_error() {
    let mib = test_mib();
    let pieces = [
        ".",
        "..",
        "::",
        "\"",
        "'",
        "%",
        "1",
        "0",
        "4294967295",
        "4294967296",
        "-1",
        "iso",
        "sysDescr",
        "ifDescr",
        "IF-MIB::",
        "ipAddressIfIndex",
        "ipv4",
        "ipv6z",
        "192.0.2.1",
        "fe80::1",
        "vacmGroupName",
        "hamsaCount",
        "é",
        "\u{0}",
        "\u{202e}",
        " ",
        "dot1dTpFdbPort",
        "0:1:2:3:4:5",
        "x",
    ];
    rounds(500, |random| {
        let mut text = String::new();
        for _ in 0..random.random_range(0..12) {
            text.push_str(pieces[random.random_range(0..pieces.len())]);
            if random.random_bool(0.4) {
                text.push('.');
            }
        }
        match mib.resolve(&text) {
            Ok(oid) => assert_eq!(mib.resolve(&mib.format_oid(oid.as_oid(), OidFormat::Full)), Ok(oid), "{text}"),
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    });
}

#[test]
fn any_value_is_shown_and_any_text_is_a_value_or_an_error() {
    let mib = test_mib();
    let objects: Vec<_> = mib.definitions().filter_map(|node| node.object()).collect();
    let letters = ['=', 'i', 'u', 'c', 'C', 't', 'a', 'o', 's', 'x', 'd', 'b', 'n', 'I', 'U', 'F', 'D', '?', 'é'];
    rounds(5_000, |random| {
        let object = objects[random.random_range(0..objects.len())];
        let content = octets(random, 24);
        let oid = objects[random.random_range(0..objects.len())].oid();
        let value = match random.random_range(0..13) {
            0 => Value::Integer(random.random()),
            1 => Value::Integer(random.random_range(-2..20)),
            2 => Value::Counter32(random.random()),
            3 => Value::Gauge32(random.random()),
            4 => Value::TimeTicks(random.random()),
            5 => Value::Counter64(random.random()),
            6 => Value::IpAddress(random.random::<u32>().into()),
            7 => Value::ObjectIdentifier(oid),
            8 => Value::Opaque(&content),
            9 => Value::Invalid { tag: random.random(), content: &content },
            10 => Value::NoSuchInstance,
            _ => Value::OctetString(&content),
        };
        let typed = mib.format_variable(object.oid(), &value, OidFormat::Short, ValueStyle::Typed);
        assert!(typed.contains(" = "));
        let plain = mib.format_value(Some(object), &value, ValueStyle::Plain);
        for text in [plain.as_str(), &String::from_utf8_lossy(&content)] {
            let letter = letters[random.random_range(0..letters.len())];
            let known = if random.random_bool(0.7) { Some(object) } else { None };
            if let Err(error) = mib.parse_value(letter, text, known) {
                assert!(!error.to_string().is_empty());
            }
        }
    });
}

#[test]
fn any_mib_file_is_read_or_reported() {
    let files = test_files();
    let standard = Mib::standard();
    let words = [
        "{",
        "}",
        "::=",
        "OBJECT-TYPE",
        "SYNTAX",
        "INTEGER",
        "(",
        "..",
        ")",
        "IMPLIED",
        "AUGMENTS",
        "INDEX",
        "--",
        "\"",
        "'",
        "END",
        "BEGIN",
        "IMPORTS",
        "FROM",
        ";",
        "[",
        "]",
        "|",
        "MACRO",
        "EXPORTS",
        "'ff'H",
        "-",
        "DEFVAL",
        "MIN",
        "99999999999999999999",
        "TRAP-TYPE",
        "BITS",
        "SEQUENCE",
        "OF",
        "CHOICE",
        "DISPLAY-HINT",
        "*",
        "\u{e9}",
    ];
    rounds(120, |random| {
        let mut text = files[random.random_range(0..files.len())].text.clone();
        for _ in 0..random.random_range(1..30) {
            let at = random.random_range(0..=text.len());
            let end = (at + random.random_range(0..200)).min(text.len());
            match random.random_range(0..4) {
                0 => drop(text.drain(at..end)),
                1 => {
                    let copy = text[at..end].to_vec();
                    let to = random.random_range(0..=text.len());
                    drop(text.splice(to..to, copy));
                }
                2 if at < text.len() => text[at] = random.random(),
                _ => {
                    let word = words[random.random_range(0..words.len())];
                    drop(text.splice(at..at, format!(" {word} ").into_bytes()));
                }
            }
        }
        let broken = MibFile { label: "broken".to_owned(), text };
        let (mib, diagnostics) = standard.with_files(&[broken], &ModuleChoice::All);
        assert!(mib.resolve("IF-MIB::ifDescr.1").is_ok());
        assert!(diagnostics.iter().all(|said| !said.message.contains("MIB table")), "{diagnostics:?}");
        for node in mib.definitions().filter(|node| node.module().starts_with("HAMSA")) {
            let oid = node.oid().to_owned().child(3);
            if let Ok(oid) = oid {
                drop(mib.format_variable(oid.as_oid(), &Value::Integer(1), OidFormat::Full, ValueStyle::Typed));
            }
        }
    });
}
