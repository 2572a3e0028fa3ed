//! MIB names from outside: the shipped table as a whole, and the user's own files with their mistakes.

use std::collections::HashSet;
use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hamsa_snmp::mib::{
    BaseType, IndexValue, Mib, MibDiagnostic, MibFile, MibPaths, ModuleChoice, NodeKind, Object, OidFormat, ValueStyle,
    compile_table,
};
use hamsa_snmp::{Oid, OwnedValue, Value};

fn test_mibs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mibs")
}

fn load(dirs: &str, modules: Option<&str>) -> (Arc<Mib>, Vec<MibDiagnostic>) {
    Mib::load(&MibPaths::new(Some(dirs), modules, None, None))
}

fn with_test_mibs() -> Arc<Mib> {
    let (mib, diagnostics) = load(test_mibs().to_str().unwrap(), None);
    assert_eq!(diagnostics, [], "the test modules are clean");
    mib
}

fn object<'m>(mib: &'m Mib, name: &str) -> Object<'m> {
    mib.node(name).unwrap().object().unwrap()
}

// ---- the shipped table ----

#[test]
fn the_shipped_table_is_whole() {
    let mib = Mib::standard();
    let mut rows = 0;
    for node in mib.definitions() {
        assert_eq!(mib.node_in(node.module(), node.name()), Some(node));
        let Some(object) = node.object() else { continue };
        match object.kind() {
            NodeKind::Row => {
                rows += 1;
                let schema = object.index_schema().unwrap_or_else(|error| panic!("{error}"));
                assert!(!schema.parts().is_empty(), "{object}");
                assert!(object.table().is_some() && object.columns().next().is_some(), "{object}");
            }
            NodeKind::Table => assert_eq!(object.row().and_then(Object::table).map(Object::oid), Some(object.oid())),
            _ => assert_ne!(object.syntax().unwrap().base(), BaseType::Unknown, "{object}"),
        }
    }
    assert!(rows > 350, "{rows} rows");
    for notification in mib.definitions().filter(|node| node.kind() == NodeKind::Notification) {
        assert!(notification.notification_objects().all(|object| object.object().is_some()), "{notification}");
    }
    let link_down = mib.node("linkDown").unwrap();
    let carried: Vec<_> = link_down.notification_objects().map(|object| object.name()).collect();
    assert_eq!(carried, ["ifIndex", "ifAdminStatus", "ifOperStatus"]);
}

#[test]
fn the_shipped_table_has_the_modules_that_it_lists_and_no_prose() {
    let table = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/mib/standard.tsv")).unwrap();
    let listed: Vec<&str> =
        table.lines().filter_map(|line| line.strip_prefix("# ")?.split_once(": ")).map(|(module, _)| module).collect();
    // The head comment itself has two colons.
    let listed: Vec<&str> = listed.into_iter().filter(|module| !module.contains(' ')).collect();
    let mib = Mib::standard();
    assert_eq!(mib.modules().collect::<HashSet<_>>(), listed.into_iter().collect::<HashSet<_>>());
    for line in table.lines().filter(|line| !line.starts_with('#')) {
        assert!(line.split('\t').count() <= 6 && line.trim_end() == line, "{line}");
    }
    // The only free text are the units.
    let longest = mib.definitions().filter_map(|node| node.object()?.units()).max_by_key(|units| units.len());
    assert!(longest.is_some_and(|units| units.len() < 60), "{longest:?}");
}

#[test]
fn tables_columns_and_trees() {
    let mib = Mib::standard();
    let table = object(&mib, "ifXTable");
    assert_eq!(table.row().unwrap().name(), "ifXEntry");
    assert_eq!(table.row().unwrap().base_row().unwrap().name(), "ifEntry");
    assert_eq!(table.columns().count(), 19);
    assert_eq!(table.columns().next().unwrap().table(), Some(table));
    let indexes: Vec<_> = object(&mib, "ipNetToPhysicalEntry").index_schema().unwrap().parts().to_vec();
    assert_eq!(
        indexes.iter().map(|part| part.name()).collect::<Vec<_>>(),
        ["ipNetToPhysicalIfIndex", "ipNetToPhysicalNetAddressType", "ipNetToPhysicalNetAddress"]
    );
    assert_eq!(indexes[0].object().unwrap().row().unwrap().name(), "ipNetToPhysicalEntry");
    let system = mib.node("system").unwrap();
    let children: Vec<_> = system.children().map(|node| node.name()).collect();
    assert_eq!(children[..3], ["sysDescr", "sysObjectID", "sysUpTime"]);
    assert_eq!(system.subtree().last().unwrap().name(), "sysORUpTime");
    assert_eq!(system.parent().unwrap().name(), "mib-2");
    let nodes: Vec<_> = mib.nodes().collect();
    assert!(nodes.windows(2).all(|pair| pair[0].oid() < pair[1].oid()), "sorted, one name an OID");
    // Of several names the newer module's is preferred.
    let if_descr: Oid = "1.3.6.1.2.1.2.2.1.2".parse().unwrap();
    assert_eq!(mib.node_at(if_descr.as_oid()).unwrap().module(), "IF-MIB");
    assert_eq!(mib.nodes_named("ifDescr").count(), 2);
}

// ---- the user's files ----

#[test]
fn user_modules_are_found_by_the_names_inside() {
    let mib = with_test_mibs();
    for (name, oid) in [
        ("hamsaLevel.0", "1.3.6.1.4.1.32473.1.1.1.0"),
        ("HAMSA-TEST-MIB::hamsaAlert", "1.3.6.1.4.1.32473.1.0.1"),
        ("hamsaDeep", "1.3.6.1.4.1.32473.2.7"),
        ("oldAlarm", "1.3.6.1.4.1.32473.2.0.5"),
        // A generic trap of SMIv1.
        ("oldCold", "1.3.6.1.6.3.1.1.5.1"),
        // A name that is built in stays what it is.
        ("system", "1.3.6.1.2.1.1"),
        ("HAMSA-OLD-MIB::system", "1.3.6.1.4.1.32473.2.1"),
        ("hamsaIfGood.3", "1.3.6.1.4.1.32473.1.2.2.1.2.3"),
    ] {
        assert_eq!(mib.resolve(name).map(|oid| oid.to_string()).as_deref(), Ok(oid), "{name}");
    }
    assert!(mib.node_in("HAMSA-FAKE-MIB", "x").is_none() && mib.modules().all(|name| name != "HAMSA-FAKE-MIB"));
    let alert: Vec<_> = mib.node("hamsaAlert").unwrap().notification_objects().map(|o| o.to_string()).collect();
    assert_eq!(alert, ["IF-MIB::ifIndex", "HAMSA-TEST-MIB::hamsaLevel"]);
    assert_eq!(mib.node("hamsaGroup").unwrap().kind(), NodeKind::Group);
    assert_eq!(mib.node("hamsaCompliance").unwrap().kind(), NodeKind::Compliance);
    assert_eq!(mib.node("hamsaKind").unwrap().kind(), NodeKind::Identity);
}

#[test]
fn user_types_follow_their_chain_into_the_built_in_ones() {
    let mib = with_test_mibs();
    let syntax = object(&mib, "hamsaLevel").syntax().unwrap();
    assert_eq!((syntax.name(), syntax.base(), syntax.hint()), ("HamsaTenths", BaseType::Integer32, Some("d-1")));
    assert_eq!(syntax.ranges().collect::<Vec<_>>(), [(0, 500)]);
    let syntax = object(&mib, "hamsaCode").syntax().unwrap();
    assert_eq!(syntax.ranges().collect::<Vec<_>>(), [(2, 2), (4, 4), (8, 10)]);
    let syntax = object(&mib, "hamsaFlags").syntax().unwrap();
    assert_eq!(syntax.labels().collect::<Vec<_>>(), [("first", 0), ("second", 1), ("ninth", 8)]);
    let syntax = mib.syntax_of("HAMSA-TEST-TC", "HamsaColour").unwrap();
    assert_eq!((syntax.number_of("deep-blue"), syntax.label_of(2)), (Some(-3), Some("green")));
    assert_eq!(object(&mib, "hamsaOwner").syntax().unwrap().hint(), Some("255t"));
    assert_eq!(object(&mib, "oldPeer").syntax().unwrap().base(), BaseType::NetworkAddress);
}

#[test]
fn an_index_of_all_kinds_both_ways() {
    let mib = with_test_mibs();
    let values = [
        IndexValue::Integer(7),
        IndexValue::Integer(2),
        IndexValue::OctetString([0, 0x1b, 0x2c, 3, 4, 0xff].into()),
        IndexValue::OctetString((*b"ops").into()),
        IndexValue::IpAddress(Ipv4Addr::new(192, 0, 2, 1)),
        IndexValue::Integer(2),
        IndexValue::InetAddress { address: "2001:db8::1".parse().unwrap(), zone: None },
        IndexValue::ObjectIdentifier("1.3.6".parse().unwrap()),
        IndexValue::OctetString((*b"eth0").into()),
    ];
    let column = object(&mib, "hamsaCount");
    let oid = column.instance(&values).unwrap();
    let (found, suffix) = mib.object_of(oid.as_oid()).unwrap();
    assert_eq!(found, column);
    let fields = column.decode_index(suffix).unwrap();
    assert_eq!(fields.iter().map(|field| field.value.clone()).collect::<Vec<_>>(), values);
    let text = "HAMSA-TEST-MIB::hamsaCount.7.green.'0:1b:2c:3:4:ff'.\"ops\".192.0.2.1.ipv6.\
                \"20:01:0d:b8:00:00:00:00:00:00:00:00:00:00:00:01\".3.1.3.6.'eth0'";
    assert_eq!(mib.format_oid(oid.as_oid(), OidFormat::Module), text);
    assert_eq!(mib.resolve(text), Ok(oid));

    let oid = mib.resolve("oldCount.5.1.192.0.2.1").unwrap();
    let (object, suffix) = mib.object_of(oid.as_oid()).unwrap();
    let fields = object.decode_index(suffix).unwrap();
    assert_eq!(fields.iter().map(|field| field.name()).collect::<Vec<_>>(), ["Integer32", "oldPeer"]);
    assert_eq!(mib.resolve("oldCount.5.\"192.0.2.1\""), Ok(oid));
}

#[test]
fn values_by_user_types() {
    let mib = with_test_mibs();
    for (name, value, line) in [
        ("hamsaLevel.0", Value::Integer(215), "HAMSA-TEST-MIB::hamsaLevel.0 = INTEGER: 21.5 degrees Celsius"),
        ("hamsaPath.0", Value::OctetString(&[2, 0xa, 0xb, 7]), "HAMSA-TEST-MIB::hamsaPath.0 = STRING: a:b/7"),
        (
            "hamsaFlags.0",
            Value::OctetString(&[0xc0, 0x80]),
            "HAMSA-TEST-MIB::hamsaFlags.0 = BITS: C0 80 first(0) second(1) ninth(8)",
        ),
        ("hamsaIfGood.3", Value::Integer(1), "HAMSA-TEST-MIB::hamsaIfGood.3 = INTEGER: true(1)"),
    ] {
        let oid = mib.resolve(name).unwrap();
        assert_eq!(mib.format_variable(oid.as_oid(), &value, OidFormat::Module, ValueStyle::Typed), line);
    }
    let set = |name: &str, text: &str| mib.parse_value('=', text, mib.node(name).unwrap().object());
    assert_eq!(set("hamsaLevel", "21.5"), Ok(OwnedValue::Integer(215)));
    assert_eq!(set("hamsaFlags", "ninth first"), Ok(OwnedValue::OctetString([0x80, 0x80].into())));
    assert!(set("hamsaLevel", "50.1").unwrap_err().to_string().contains("allows 0..500"));
    assert!(set("hamsaCode", "abc").unwrap_err().to_string().contains("allows 2|4|8..10"));
    assert!(set("hamsaCode", "abcd").is_ok());
}

#[test]
fn only_the_chosen_modules_and_what_they_import() {
    let dirs = test_mibs();
    let dirs = dirs.to_str().unwrap();
    let added = |modules: Option<&str>| {
        let (mib, diagnostics) = load(dirs, modules);
        assert_eq!(diagnostics, [], "{modules:?}");
        mib.modules().filter(|name| name.starts_with("HAMSA")).map(str::to_owned).collect::<Vec<_>>()
    };
    let all = ["HAMSA-OLD-MIB", "HAMSA-TEST-MIB", "HAMSA-TEST-TC"];
    assert_eq!(added(None), all);
    assert_eq!(added(Some("ALL")), all);
    assert_eq!(added(Some("+HAMSA-TEST-MIB")), all);
    assert_eq!(added(Some("HAMSA-OLD-MIB")), all[..1]);
    assert_eq!(added(Some("HAMSA-TEST-MIB:IF-MIB")), all[1..]);
    assert_eq!(added(Some("")), all[..0]);
    let (_, diagnostics) = load(dirs, Some("NO-SUCH-MIB"));
    assert_eq!(diagnostics.len(), 1);
    assert!(diagnostics[0].to_string().starts_with("NO-SUCH-MIB: no such module"));

    // A file by its path, with its imports from a directory.
    let path = test_mibs().join("HAMSA-TEST-MIB.txt");
    let (mib, diagnostics) = load(dirs, path.to_str());
    assert_eq!(diagnostics, []);
    assert!(mib.node("hamsaLevel").is_ok() && mib.node("oldCount").is_err());
}

#[test]
fn paths_follow_the_options_and_the_environment() {
    let dirs = |option, env| MibPaths::new(option, None, env, None).dirs;
    let paths = |list: &[&str]| list.iter().map(PathBuf::from).collect::<Vec<_>>();
    assert_eq!(dirs(None, None), paths(&[]));
    assert_eq!(dirs(None, Some("/a:/b")), paths(&["/a", "/b"]));
    assert_eq!(dirs(None, Some("+/a")), paths(&["/a"]));
    assert_eq!(dirs(Some("/c:"), Some("/a:/b")), paths(&["/c"]));
    assert_eq!(dirs(Some("+/c"), Some("/a")), paths(&["/a", "/c"]));
    assert_eq!(dirs(Some("-/c"), Some("/a")), paths(&["/c", "/a"]));
    let choice = |option, env| MibPaths::new(Some("/a"), option, None, env).choice;
    let named = |list: &[&str]| ModuleChoice::Named(list.iter().map(|name| (*name).to_owned()).collect());
    assert_eq!(choice(None, None), ModuleChoice::All);
    assert_eq!(choice(None, Some("A-MIB")), named(&["A-MIB"]));
    assert_eq!(choice(Some("B-MIB"), Some("A-MIB")), named(&["B-MIB"]));
    assert_eq!(choice(Some("+B-MIB"), Some("A-MIB")), named(&["A-MIB", "B-MIB"]));
    assert_eq!(choice(Some("+B-MIB"), None), ModuleChoice::All);
    assert_eq!(choice(Some("ALL"), Some("A-MIB")), ModuleChoice::All);
    assert_eq!(choice(Some(""), None), named(&[]));
    assert_eq!(MibPaths::new(None, Some("./x.txt"), None, None).files, paths(&["./x.txt"]));
    let (mib, diagnostics) = Mib::load(&MibPaths::new(None, None, None, None));
    assert!(Arc::ptr_eq(&mib, &Mib::standard()) && diagnostics.is_empty());
}

#[test]
fn broken_files_are_reported_and_cost_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(dir.path().join(name), text).unwrap();
    fs::copy(test_mibs().join("HAMSA-TEST-MIB.txt"), dir.path().join("good-1")).unwrap();
    fs::copy(test_mibs().join("two-modules.my"), dir.path().join("good-2")).unwrap();
    write("README", "No MIB at all, and nothing to say about it.");
    write("header", "BROKEN-1 DEFINTIONS ::= BEGIN END");
    write(
        "body",
        "BROKEN-2-MIB DEFINITIONS ::= BEGIN\nIMPORTS enterprises FROM SNMPv2-SMI;\na OBJECT IDENTIFIER ::= {\nb OBJECT IDENTIFIER ::= { enterprises 32473 50 }\nEND",
    );
    write(
        "parent",
        "BROKEN-3-MIB DEFINITIONS ::= BEGIN\nIMPORTS top FROM NO-SUCH-MIB;\na OBJECT IDENTIFIER ::= { top 1 }\nb OBJECT IDENTIFIER ::= { a 1 }\nc OBJECT IDENTIFIER ::= { 1 3 6 1 4 1 32473 51 }\nEND",
    );
    write(
        "circle",
        "BROKEN-4-MIB DEFINITIONS ::= BEGIN\na OBJECT IDENTIFIER ::= { b 1 }\nb OBJECT IDENTIFIER ::= { a 1 }\nEND",
    );
    write(
        "deep",
        &format!(
            "BROKEN-5-MIB DEFINITIONS ::= BEGIN\nT ::= {} INTEGER {}\nEND",
            "SEQUENCE { a ".repeat(100_000),
            "}".repeat(100_000)
        ),
    );
    write("tags", &format!("BROKEN-6-MIB DEFINITIONS ::= BEGIN\nT ::= {} INTEGER\nEND", "[1] ".repeat(100_000)));
    let chain: String = (1..3000).map(|i| format!("a{i} OBJECT IDENTIFIER ::= {{ a{} 1 }}\n", i - 1)).collect();
    write("chain", &format!("BROKEN-7-MIB DEFINITIONS ::= BEGIN\n{chain}a0 OBJECT IDENTIFIER ::= {{ iso 3 }}\nEND"));
    write("damaged-if", "IF-MIB DEFINITIONS ::= BEGIN\nifDescr OBJECT-TYPE SYNTAX\nEND");
    fs::write(dir.path().join("binary"), [0, 1, 2, 255]).unwrap();
    fs::File::create(dir.path().join("huge")).unwrap().set_len((16 << 20) + 1).unwrap();

    let (mib, diagnostics) = load(&format!("{}:/no/such/directory", dir.path().display()), None);
    let said: Vec<String> =
        diagnostics.iter().map(|said| said.to_string().replace(&format!("{}/", dir.path().display()), "")).collect();
    for expected in [
        "/no/such/directory: ",
        "huge: left out: longer than 16777216 bytes",
        "header: no MIB module found in this file",
        "body:4: ",
        "parent:3: `top`, above `a` and what is below it, is not defined",
        "circle:3: `b` and `a` are defined by each other",
        "deep:2: nested deeper than 64 levels",
        "tags:2: nested deeper than 64 levels",
        ": more than 128 sub-identifiers",
        "damaged-if: using the built-in IF-MIB instead of this damaged one",
    ] {
        assert!(said.iter().any(|said| said.contains(expected)), "{expected} is not in {said:#?}");
    }
    assert!(said.iter().all(|said| !said.starts_with("good") && !said.starts_with("README")), "{said:#?}");
    for name in ["hamsaLevel.0", "oldCount", "BROKEN-3-MIB::c", "BROKEN-7-MIB::a100", "IF-MIB::ifDescr.1"] {
        assert!(mib.resolve(name).is_ok(), "{name}");
    }
    assert!(mib.node("BROKEN-3-MIB::b").is_err());
}

#[test]
fn undamaged_text_replaces_a_built_in_module_and_names_stay_built_in() {
    let file = |text: &str| [MibFile { label: "test".to_owned(), text: text.as_bytes().to_vec() }];
    let text = "UPS-MIB DEFINITIONS ::= BEGIN\nIMPORTS mib-2, OBJECT-TYPE FROM SNMPv2-SMI;\n\
                upsMIB OBJECT IDENTIFIER ::= { mib-2 33 }\nupsNew OBJECT IDENTIFIER ::= { upsMIB 99 }\n\
                sysName OBJECT IDENTIFIER ::= { upsMIB 98 }\nEND";
    let (mib, diagnostics) = Mib::standard().with_files(&file(text), &ModuleChoice::All);
    assert_eq!(diagnostics, []);
    assert!(mib.node("upsNew").is_ok() && mib.node("upsBattery").is_err());
    // The module is a built-in one, so that both are.
    assert!(mib.resolve("sysName").unwrap_err().to_string().contains("ambiguous"));

    let text = text.replace("UPS-MIB", "MY-MIB");
    let (mib, _) = Mib::standard().with_files(&file(&text), &ModuleChoice::All);
    assert_eq!(mib.resolve("sysName").unwrap().to_string(), "1.3.6.1.2.1.1.5");
    assert!(mib.node("upsBattery").is_ok());
    let again = mib.with_files(&file(&text.replace("MY-MIB", "YOUR-MIB")), &ModuleChoice::All).0;
    assert_eq!(again.resolve("sysName").unwrap().to_string(), "1.3.6.1.2.1.1.5");
}

#[test]
fn the_same_files_make_the_same_table() {
    let (mut files, _) = hamsa_snmp::mib::read_dir(&test_mibs());
    let first = compile_table(&files, &ModuleChoice::All, Some(&Mib::standard()));
    assert_eq!(first.modules, ["HAMSA-OLD-MIB", "HAMSA-TEST-MIB", "HAMSA-TEST-TC"]);
    files.reverse();
    let second = compile_table(&files, &ModuleChoice::All, Some(&Mib::standard()));
    assert_eq!(first.text, second.text);
    assert!(!first.text.contains("DESCRIPTION"), "no prose");
    assert!(first.text.contains("row\tindex type:Integer32,oldPeer\n"), "{}", first.text);
    assert!(first.text.contains("hamsaIfEntry\trow\taugments IF-MIB::ifEntry\n"), "{}", first.text);
}
