//! `cargo xtask mib-table`: writes the table of MIB facts that ships with the product, or says whether it is
//! up to date. The texts of the modules are not part of this repository; they are read from directories
//! given on the command line.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use hamsa_snmp::mib::{Mib, MibFile, ModuleChoice, compile_table, read_dir};

const USAGE: &str = "\
usage: cargo xtask mib-table [--check] DIRECTORY...

Writes crates/snmp/src/mib/standard.tsv from the MIB files in the directories, the first of which win.
Needed are the modules of the IETF and the IANA, and those of Net-SNMP as Debian's package libsnmp-base has
them. With --check nothing is written, and the exit status says whether the table is up to date.
";

const TABLE: &str = "crates/snmp/src/mib/standard.tsv";

/// The modules in the table, and where each was published. No other module gets in.
const SOURCES: &[(&str, &str)] = &[
    ("ADSL-LINE-MIB", "RFC 2662"),
    ("ADSL-TC-MIB", "RFC 2662"),
    ("AGENTX-MIB", "RFC 2742"),
    ("ALARM-MIB", "RFC 3877"),
    ("BGP4-MIB", "RFC 4273"),
    ("BRIDGE-MIB", "RFC 4188"),
    ("DIFFSERV-DSCP-TC", "RFC 3289"),
    ("DIFFSERV-MIB", "RFC 3289"),
    ("DISMAN-EVENT-MIB", "RFC 2981"),
    ("DISMAN-EXPRESSION-MIB", "RFC 2982"),
    ("DISMAN-NSLOOKUP-MIB", "RFC 4560"),
    ("DISMAN-PING-MIB", "RFC 4560"),
    ("DISMAN-SCHEDULE-MIB", "RFC 3231"),
    ("DISMAN-SCRIPT-MIB", "RFC 3165"),
    ("DISMAN-TRACEROUTE-MIB", "RFC 4560"),
    ("DOCS-IF-MIB", "RFC 4546"),
    ("DS1-MIB", "RFC 4805"),
    ("DS3-MIB", "RFC 3896"),
    ("ENTITY-MIB", "RFC 6933"),
    ("ENTITY-SENSOR-MIB", "RFC 3433"),
    ("ENTITY-STATE-MIB", "RFC 4268"),
    ("ENTITY-STATE-TC-MIB", "RFC 4268"),
    ("EtherLike-MIB", "RFC 3635"),
    ("FRAME-RELAY-DTE-MIB", "RFC 2115"),
    ("HC-PerfHist-TC-MIB", "RFC 3705"),
    ("HC-RMON-MIB", "RFC 3273"),
    ("HCNUM-TC", "RFC 2856"),
    ("HOST-RESOURCES-MIB", "RFC 2790"),
    ("HOST-RESOURCES-TYPES", "RFC 2790"),
    ("IANA-ADDRESS-FAMILY-NUMBERS-MIB", "IANA"),
    ("IANA-BFD-TC-STD-MIB", "IANA"),
    ("IANA-CHARSET-MIB", "IANA"),
    ("IANA-ENTITY-MIB", "IANA"),
    ("IANA-FINISHER-MIB", "IANA"),
    ("IANA-GMPLS-TC-MIB", "IANA"),
    ("IANA-IPPM-METRICS-REGISTRY-MIB", "IANA"),
    ("IANA-ITU-ALARM-TC-MIB", "IANA"),
    ("IANA-LANGUAGE-MIB", "IANA"),
    ("IANA-MALLOC-MIB", "IANA"),
    ("IANA-MAU-MIB", "IANA"),
    ("IANA-PRINTER-MIB", "IANA"),
    ("IANA-PWE3-MIB", "IANA"),
    ("IANA-RTPROTO-MIB", "IANA"),
    ("IANA-STORAGE-MEDIA-TYPE-MIB", "IANA"),
    ("IANATn3270eTC-MIB", "IANA"),
    ("IANAifType-MIB", "IANA"),
    ("IF-INVERTED-STACK-MIB", "RFC 2864"),
    ("IF-MIB", "RFC 2863"),
    ("INET-ADDRESS-MIB", "RFC 4001"),
    ("INTEGRATED-SERVICES-MIB", "RFC 2213"),
    ("IP-FORWARD-MIB", "RFC 4292"),
    ("IP-MIB", "RFC 4293"),
    ("IPV6-TC", "RFC 2465"),
    ("ISDN-MIB", "RFC 2127"),
    ("ITU-ALARM-TC-MIB", "RFC 3877"),
    ("LM-SENSORS-MIB", "Net-SNMP"),
    ("MAU-MIB", "RFC 4836"),
    ("MPLS-TC-STD-MIB", "RFC 3811"),
    ("NET-SNMP-AGENT-MIB", "Net-SNMP"),
    ("NET-SNMP-EXTEND-MIB", "Net-SNMP"),
    ("NET-SNMP-MIB", "Net-SNMP"),
    ("NET-SNMP-TC", "Net-SNMP"),
    ("NET-SNMP-VACM-MIB", "Net-SNMP"),
    ("NOTIFICATION-LOG-MIB", "RFC 3014"),
    ("OSPF-MIB", "RFC 4750"),
    ("OSPF-TRAP-MIB", "RFC 4750"),
    ("P-BRIDGE-MIB", "RFC 4363"),
    ("POWER-ETHERNET-MIB", "RFC 3621"),
    ("PPP-LCP-MIB", "RFC 1471"),
    ("PerfHist-TC-MIB", "RFC 3593"),
    ("Printer-MIB", "RFC 3805"),
    ("Q-BRIDGE-MIB", "RFC 4363"),
    ("RADIUS-AUTH-CLIENT-MIB", "RFC 4668"),
    ("RFC1155-SMI", "RFC 1155"),
    ("RFC1213-MIB", "RFC 1213"),
    ("RMON-MIB", "RFC 2819"),
    ("RMON2-MIB", "RFC 4502"),
    ("SNMP-COMMUNITY-MIB", "RFC 3584"),
    ("SNMP-FRAMEWORK-MIB", "RFC 3411"),
    ("SNMP-MPD-MIB", "RFC 3412"),
    ("SNMP-NOTIFICATION-MIB", "RFC 3413"),
    ("SNMP-PROXY-MIB", "RFC 3413"),
    ("SNMP-TARGET-MIB", "RFC 3413"),
    ("SNMP-TLS-TM-MIB", "RFC 9456"),
    ("SNMP-TSM-MIB", "RFC 5591"),
    ("SNMP-USER-BASED-SM-MIB", "RFC 3414"),
    ("SNMP-USM-AES-MIB", "RFC 3826"),
    ("SNMP-USM-DH-OBJECTS-MIB", "RFC 2786"),
    ("SNMP-USM-HMAC-SHA2-MIB", "RFC 7860"),
    ("SNMP-VIEW-BASED-ACM-MIB", "RFC 3415"),
    ("SNMPv2-MIB", "RFC 3418"),
    ("SNMPv2-SMI", "RFC 2578"),
    ("SNMPv2-TC", "RFC 2579"),
    ("SNMPv2-TM", "RFC 3417"),
    ("SONET-MIB", "RFC 3592"),
    ("TCP-MIB", "RFC 4022"),
    ("TOKEN-RING-RMON-MIB", "RFC 1513"),
    ("TRANSPORT-ADDRESS-MIB", "RFC 3419"),
    ("UCD-DISKIO-MIB", "Net-SNMP"),
    ("UCD-SNMP-MIB", "Net-SNMP"),
    ("UDP-MIB", "RFC 4113"),
    ("UPS-MIB", "RFC 1628"),
    ("UUID-TC-MIB", "RFC 6933"),
    ("VRRP-MIB", "RFC 2787"),
];

/// Two small modules of types that collections of MIB files tend to lack, as facts.
const SMALL_MODULES: [(&str, &str); 2] = [
    (
        "ADSL-TC-MIB",
        "ADSL-TC-MIB DEFINITIONS ::= BEGIN
IMPORTS MODULE-IDENTITY, Gauge32, transmission FROM SNMPv2-SMI
        TEXTUAL-CONVENTION FROM SNMPv2-TC;
adsltcmib MODULE-IDENTITY LAST-UPDATED \"9908190000Z\" ORGANIZATION \"\" CONTACT-INFO \"\" DESCRIPTION \"\"
    ::= { transmission 94 2 }
AdslLineCodingType ::= TEXTUAL-CONVENTION STATUS current DESCRIPTION \"\"
    SYNTAX INTEGER { other(1), dmt(2), cap(3), qam(4) }
AdslPerfCurrDayCount ::= TEXTUAL-CONVENTION STATUS current DESCRIPTION \"\" SYNTAX Gauge32
AdslPerfPrevDayCount ::= TEXTUAL-CONVENTION STATUS current DESCRIPTION \"\" SYNTAX Gauge32
AdslPerfTimeElapsed ::= TEXTUAL-CONVENTION STATUS current DESCRIPTION \"\" SYNTAX Gauge32
END
",
    ),
    (
        "UUID-TC-MIB",
        "UUID-TC-MIB DEFINITIONS ::= BEGIN
IMPORTS MODULE-IDENTITY, mib-2 FROM SNMPv2-SMI
        TEXTUAL-CONVENTION FROM SNMPv2-TC;
uuidTCMIB MODULE-IDENTITY LAST-UPDATED \"201304050000Z\" ORGANIZATION \"\" CONTACT-INFO \"\" DESCRIPTION \"\"
    ::= { mib-2 217 }
UUID ::= TEXTUAL-CONVENTION DISPLAY-HINT \"4x-2x-2x-1x1x-6x\" STATUS current DESCRIPTION \"\"
    SYNTAX OCTET STRING (SIZE (16))
UUIDorZero ::= TEXTUAL-CONVENTION DISPLAY-HINT \"4x-2x-2x-1x1x-6x\" STATUS current DESCRIPTION \"\"
    SYNTAX OCTET STRING (SIZE (0|16))
END
",
    ),
];

/// Writes the table or checks it.
pub(crate) fn run(arguments: &[String]) -> anyhow::Result<()> {
    let check = arguments.iter().any(|argument| argument == "--check");
    let dirs: Vec<PathBuf> = arguments.iter().filter(|argument| *argument != "--check").map(PathBuf::from).collect();
    ensure!(!dirs.is_empty() && !arguments.iter().any(|argument| argument == "--help"), "{USAGE}");

    let table = generate(&dirs)?;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask is a directory of the workspace")?;
    let path = root.join(TABLE);
    if !check {
        std::fs::write(&path, &table).with_context(|| format!("can't write {}", path.display()))?;
        println!("wrote {TABLE}: {} bytes, {} lines", table.len(), table.lines().count());
        return Ok(());
    }
    let shipped = std::fs::read_to_string(&path).with_context(|| format!("can't read {}", path.display()))?;
    if shipped == table {
        println!("{TABLE} is up to date");
        return Ok(());
    }
    let differs = shipped.lines().zip(table.lines()).position(|(old, new)| old != new);
    let line = 1 + differs.unwrap_or(shipped.lines().count().min(table.lines().count()));
    bail!("{TABLE} is not up to date, from line {line} on: run `cargo xtask mib-table` with the same directories")
}

fn generate(dirs: &[PathBuf]) -> anyhow::Result<String> {
    let mut files = Vec::new();
    for dir in dirs {
        let (found, problems) = read_dir(dir);
        problems.iter().for_each(|problem| eprintln!("{problem}"));
        files.extend(found);
    }
    let small = SMALL_MODULES.map(|(name, text)| MibFile { label: name.to_owned(), text: text.as_bytes().to_vec() });
    files.extend(small);

    let names = SOURCES.iter().map(|(module, _)| (*module).to_owned()).collect();
    let compiled = compile_table(&files, &ModuleChoice::Named(names), None);
    compiled.diagnostics.iter().for_each(|problem| eprintln!("{problem}"));
    let missing: Vec<&str> = SOURCES
        .iter()
        .filter(|(module, _)| !compiled.modules.iter().any(|found| found == module))
        .map(|(module, _)| *module)
        .collect();
    ensure!(missing.is_empty(), "not in the directories: {}\n\n{USAGE}", missing.join(", "));

    let mut table = String::from(
        "# Facts about MIB modules: names, OIDs, syntax, indexes, enumerations. Generated by `cargo xtask mib-table`;\n\
         # the format is described in table.rs. Modules, and where they were published:\n",
    );
    for (module, source) in SOURCES {
        writeln!(table, "# {module}: {source}")?;
    }
    table.push_str(&sections(&compiled.text));
    Mib::from_table(table.clone().into()).context("the generated table can't be read")?;
    Ok(table)
}

/// The sections of the modules that belong in the table; others came along because they were imported from.
fn sections(text: &str) -> String {
    let mut kept = String::new();
    let mut keep = false;
    for line in text.lines() {
        if let Some(module) = line.strip_prefix("module\t") {
            let name = module.split('\t').next().unwrap_or_default();
            keep = SOURCES.iter().any(|(module, _)| *module == name);
        }
        if keep {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    kept
}
