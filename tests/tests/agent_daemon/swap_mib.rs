//! HAMSA-SWAP-MIB: modules are seen and replaced through SNMP, by those who may.

use std::path::Path;
use std::process::Command;

use hamsa_testkit::{NetSnmp, Process, limits::LIVENESS, program, require, wait_until};

use crate::support::{Agent, SYS_NAME, community};

const MODULE_ENTRY: &str = "1.3.6.1.4.1.32473.1.2.1.1.1";
const LAST: &str = "1.3.6.1.4.1.32473.1.2.1.2";
const REQUEST_STATE: &str = "1.3.6.1.4.1.32473.1.2.1.3.1.0";

/// An instance of a column of the table of modules.
fn instance(column: u32, module: &str) -> String {
    let (kind, name) = module.split_once('/').unwrap();
    let part = |text: &str| {
        let octets: Vec<String> = text.bytes().map(|octet| octet.to_string()).collect();
        format!("{}.{}", text.len(), octets.join("."))
    };
    format!("{MODULE_ENTRY}.{column}.{}.{}", part(kind), part(name))
}

#[test]
fn those_who_are_named_swap_by_set_and_others_do_not() {
    let tools = require!(NetSnmp::new());
    let admin = tools.user("priv-SHA-256-AES").clone();
    let other = tools.user("priv-SHA-AES").clone();
    let more = format!("[control]\nsnmp_users = [\"{}\"]\n", admin.name);
    let agent = Agent::start(&[admin.clone(), other.clone()], &more);
    let run = |tool: &str, arguments: &[&str]| {
        agent.tool(&tools, tool, &admin.arguments(), arguments).unwrap_or_else(|error| panic!("{error}"))
    };
    let version = |module: &str| {
        let said = run("snmpget", &["-Oqv", &instance(3, module)]);
        said.trim().trim_matches('"').to_owned()
    };
    let done = || wait_until("the swap", || (run("snmpget", &["-Oqv", REQUEST_STATE]).trim() == "3").then_some(()));
    let table = run("snmpbulkwalk", &["1.3.6.1.4.1.32473"]);
    assert_eq!(table.matches(&format!(".{MODULE_ENTRY}.3.")).count(), agent.modules().len());
    assert_eq!(run("snmpget", &["-Oqv", REQUEST_STATE]).trim(), "1");

    // One module, then several in one SET, the one that serves the SET among them.
    let (sha, if_mib, own) = ("auth protocol/SHA-256", "MIB module/IF-MIB", "MIB module/HAMSA-SWAP-MIB");
    assert_eq!(version(sha), "1.1");
    run("snmpset", &[&instance(10, sha), "s", "1.0"]);
    done();
    assert_eq!(version(sha), "1.0");
    run(
        "snmpset",
        &[
            &instance(10, sha),
            "s",
            "1.1",
            &instance(10, if_mib),
            "s",
            "1.0",
            &instance(10, own),
            "s",
            "1.0",
            &instance(10, "application/command responder"),
            "s",
            "1.0",
        ],
    );
    done();
    assert_eq!([sha, if_mib, own].map(version), ["1.1", "1.0", "1.0"]);
    let last = run("snmpwalk", &["-Oqv", LAST]);
    let last: Vec<&str> = last.lines().collect();
    assert_eq!((last[0], last[1], last[5]), ("2", "2", "\"\""), "{last:?}");
    assert!(last[2].parse::<u64>().unwrap() > 0 && last[4].contains("auth-protocol/SHA-256 1.1"), "{last:?}");

    // What is wrong changes nothing.
    for (wrong, arguments) in [
        ("wrongValue", &[&*instance(10, sha), "s", "7.7"][..]),
        ("noCreation", &[&*instance(10, "auth protocol/none"), "s", "1.0"]),
        ("notWritable", &[&*instance(3, sha), "s", "1.0"]),
        ("wrongType", &[&*instance(10, sha), "i", "1"]),
        ("wrongLength", &[&*instance(10, sha), "s", "1.0", SYS_NAME, "s", &"x".repeat(300)]),
    ] {
        let refused = agent.tool(&tools, "snmpset", &admin.arguments(), arguments).unwrap_err().to_string();
        assert!(refused.contains(wrong), "{wrong}: {refused}");
    }
    let swap = [&*instance(10, sha), "s", "1.0"];
    for who in [other.arguments(), community("-v2c", "private")] {
        let refused = agent.tool(&tools, "snmpset", &who, &swap).unwrap_err().to_string();
        assert!(refused.contains("noAccess"), "{refused}");
    }
    assert_eq!(version(sha), "1.1");
    assert_eq!(run("snmpwalk", &["-Oqv", &format!("{LAST}.1")]).trim(), "2");
}

/// A tool that reads the MIB file, with the names that it imports from `smi`; what it says.
fn said_by(mut command: Command) -> String {
    let output = Process::spawn("MIB tool", &mut command).finish(LIVENESS).unwrap();
    format!("{}{}", output.stdout, output.stderr)
}

fn directory(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name).canonicalize().unwrap().display().to_string()
}

#[test]
fn the_mib_file_is_understood_by_us_and_by_net_snmp() {
    let (mibs, smi) = (directory("../mibs"), directory("tests/agent_daemon/smi"));
    let named = [("hamsaSwapModuleWanted", ".1.1.1.10"), ("hamsaSwapRolledBack", ".0.3")];
    for (name, number) in named {
        let (name, number) = (format!("HAMSA-SWAP-MIB::{name}"), format!(".1.3.6.1.4.1.32473.1.2{number}"));
        let mut ours = Command::new(hamsa_testkit::hamsa());
        ours.args(["translate", "-On", "-M", &mibs, "-m", "ALL", &name]);
        let said = said_by(ours);
        assert_eq!(format!(".{}", said.trim().trim_start_matches('.')), number, "{said}");

        let mut theirs = Command::new(require!(program("snmptranslate")));
        theirs.args(["-On", "-M", &format!("{smi}:{mibs}"), "-m", "HAMSA-SWAP-MIB", &name]);
        let said = said_by(theirs);
        assert_eq!(said.trim(), number, "{said}");
    }
}

#[test]
fn the_mib_file_has_no_errors_that_smilint_finds() {
    let smilint = require!(program("smilint"));
    let home = tempfile::tempdir().unwrap();
    let config = home.path().join("smi.conf");
    std::fs::write(&config, format!("path {}\n", directory("tests/agent_daemon/smi"))).unwrap();
    let lint = |file: &Path| {
        let mut command = Command::new(&smilint);
        command.args(["-l", "3", "-s", "-c"]).arg(&config).arg(file);
        said_by(command)
    };
    let file = Path::new(&directory("../mibs")).join("HAMSA-SWAP-MIB.txt");
    assert_eq!(lint(&file), "");
    // And it does find some.
    let text = std::fs::read_to_string(&file).unwrap();
    let broken = home.path().join("HAMSA-SWAP-MIB.txt");
    std::fs::write(&broken, text.replace("SYNTAX      TruthValue", "SYNTAX      Nonsense")).unwrap();
    assert!(lint(&broken).contains("unknown type `Nonsense'"), "{}", lint(&broken));
}
