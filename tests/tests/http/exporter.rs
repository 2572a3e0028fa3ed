//! Our `/snmp` beside snmp_exporter, both reading one agent: the same metrics, types, labels and, where they stand
//! still, values. So a Prometheus can be pointed from one to the other.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use hamsa_snmp::mib::{BaseType, Mib, NodeKind, Object};
use hamsa_testkit::{SnmpExporter, Snmpd, require};

use crate::support::NodeConfig;

/// Label columns of the module.
const LOOKUPS: [&str; 3] = ["ifAlias", "ifDescr", "ifName"];

/// Deprecated columns, and the index, which the labels have: our profile does not read them.
const NOT_OURS: [&str; 5] = ["ifInNUcastPkts", "ifIndex", "ifOutNUcastPkts", "ifOutQLen", "ifSpecific"];

/// Values that stay as they are.
const CONSTANT: [&str; 8] = [
    "ifAdminStatus",
    "ifConnectorPresent",
    "ifHighSpeed",
    "ifMtu",
    "ifNumber",
    "ifPromiscuousMode",
    "ifSpeed",
    "ifType_info",
];

#[derive(Debug, Default)]
struct Family {
    kind: String,
    /// Labels as they are written, sorted, and values.
    samples: BTreeMap<String, f64>,
}

/// The text format, which is simple enough where no label's value has quotes or braces.
fn parse(text: &str) -> BTreeMap<String, Family> {
    let mut families: BTreeMap<String, Family> = BTreeMap::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            families.entry(name.to_owned()).or_default().kind = kind.to_owned();
        } else if !line.starts_with('#') {
            let (name_and_labels, value) = line.rsplit_once(' ').unwrap();
            let (name, labels) = name_and_labels.split_once('{').unwrap_or((name_and_labels, "}"));
            let mut labels: Vec<&str> = labels.trim_end_matches('}').split("\",").filter(|l| !l.is_empty()).collect();
            labels.sort_unstable();
            let labels = labels.iter().map(|label| label.trim_end_matches('"')).collect::<Vec<_>>().join(",");
            families.entry(name.to_owned()).or_default().samples.insert(labels, value.parse().unwrap());
        }
    }
    families
}

/// snmp_exporter's `if_mib` as its generator makes it of the MIB, in the format of version 0.21.
fn if_mib(mib: &Mib, community: &str) -> String {
    let mut text =
        "if_mib:\n  walk: [1.3.6.1.2.1.2, 1.3.6.1.2.1.31.1.1]\n  get: [1.3.6.1.2.1.1.3.0]\n  metrics:\n".to_owned();
    for scalar in ["sysUpTime", "ifNumber"] {
        let oid = mib.node(scalar).unwrap().oid().to_owned();
        writeln!(text, "  - {{name: {scalar}, oid: {oid}, type: gauge, help: none}}").unwrap();
    }
    let columns = ["ifTable", "ifXTable"].into_iter().flat_map(|table| {
        let table = mib.node(table).unwrap().object().unwrap();
        table.columns().collect::<Vec<_>>()
    });
    for column in columns.filter(|column| column.kind() == NodeKind::Column && !LOOKUPS.contains(&column.name())) {
        writeln!(
            text,
            "  - name: {}\n    oid: {}\n    type: {}\n    help: none",
            column.name(),
            column.oid(),
            exporter_type(column)
        )
        .unwrap();
        text.push_str("    indexes: [{labelname: ifIndex, type: gauge}]\n    lookups:\n");
        for lookup in LOOKUPS {
            let oid = mib.node(lookup).unwrap().oid().to_owned();
            writeln!(text, "    - {{labels: [ifIndex], labelname: {lookup}, oid: {oid}, type: DisplayString}}")
                .unwrap();
        }
        if column.name() == "ifType" {
            text.push_str("    enum_values:\n");
            for (label, number) in column.syntax().unwrap().labels() {
                writeln!(text, "      {number}: {label}").unwrap();
            }
        }
    }
    text + &format!("  version: 2\n  auth: {{community: {community}}}\n")
}

fn exporter_type(column: Object<'_>) -> &'static str {
    if column.name() == "ifType" {
        return "EnumAsInfo";
    }
    match column.syntax().unwrap().base() {
        BaseType::Counter32 | BaseType::Counter64 => "counter",
        BaseType::OctetString if column.name() == "ifPhysAddress" => "PhysAddress48",
        BaseType::OctetString | BaseType::ObjectIdentifier => "OctetString",
        _ => "gauge",
    }
}

#[test]
fn if_mib_has_the_same_shape() {
    let snmpd = require!(Snmpd::start());
    let mib = Mib::standard();
    let exporter = require!(SnmpExporter::start(&if_mib(&mib, Snmpd::READ_COMMUNITY)));
    let node = NodeConfig::new().start();

    let theirs = exporter.scrape(snmpd.address(), "if_mib");
    assert_eq!(theirs.status, 200, "{}", theirs.text());
    let ours = node.get(&format!("/snmp?target={}&module=if_mib", snmpd.address()));
    assert_eq!(ours.status, 200, "{}", ours.text());
    let (theirs, ours) = (parse(&theirs.text()), parse(&ours.text()));

    let names = |families: &BTreeMap<String, Family>| families.keys().cloned().collect::<BTreeSet<_>>();
    let missing: Vec<String> = names(&theirs).difference(&names(&ours)).cloned().collect();
    assert_eq!(missing, NOT_OURS, "metrics that only snmp_exporter has");
    let more: Vec<String> = names(&ours).difference(&names(&theirs)).cloned().collect();
    assert_eq!(more, ["hamsa_scrape_errors"], "metrics that only we have");

    for (name, theirs) in theirs.iter().filter(|(name, _)| !NOT_OURS.contains(&name.as_str())) {
        let ours = &ours[name];
        assert_eq!(ours.kind, theirs.kind, "the type of {name}");
        let labels = |family: &Family| family.samples.keys().cloned().collect::<BTreeSet<_>>();
        match name.as_str() {
            // Later versions than Debian's label these by module, and so do we.
            _ if name.starts_with("snmp_scrape_") => {
                assert_eq!(labels(theirs), BTreeSet::from([String::new()]), "{name}");
                assert_eq!(labels(ours), BTreeSet::from(["module=\"if_mib".to_owned()]), "{name}");
            }
            // An interface without an address has an empty one here, and six zeros there.
            "ifPhysAddress" => {
                let zeros = |labels: BTreeSet<String>| -> BTreeSet<String> {
                    labels
                        .into_iter()
                        .map(|labels| labels.replace("ifPhysAddress=\"00:00:00:00:00:00", "ifPhysAddress="))
                        .collect()
                };
                assert_eq!(zeros(labels(ours)), zeros(labels(theirs)));
            }
            _ => assert_eq!(labels(ours), labels(theirs), "the labels of {name}"),
        }
        if CONSTANT.contains(&name.as_str()) {
            assert_eq!(ours.samples, theirs.samples, "the values of {name}");
        }
    }
    assert!(CONSTANT.iter().all(|name| !ours[*name].samples.is_empty()), "the agent has interfaces");
}

#[test]
fn a_silent_target_is_answered_with_the_same_status() {
    let snmpd = require!(Snmpd::start());
    let exporter = require!(SnmpExporter::start(
        &if_mib(&Mib::standard(), "wrong").replace("version: 2\n", "version: 2\n  timeout: 200ms\n  retries: 0\n")
    ));
    let mut config = NodeConfig::new();
    config.community("wrong", "wrong");
    config.add("[poll]\ntimeout = \"200ms\"\nretries = 0");
    let node = config.start();
    let theirs = exporter.scrape(snmpd.address(), "if_mib");
    let ours = node.get(&format!("/snmp?target={}&module=if_mib&auth=wrong", snmpd.address()));
    assert_eq!((ours.status, theirs.status), (500, 500), "{}\n{}", ours.text(), theirs.text());
    assert!(ours.text().contains("if_mib"), "{}", ours.text());
}
