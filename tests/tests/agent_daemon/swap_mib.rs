//! HAMSA-SWAP-MIB: modules are seen and replaced through SNMP, by those who may.

use std::path::Path;

use hamsa_testkit::{NetSnmp, Process, limits::LIVENESS, program, require, skip, wait_until};

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

/// The names of objects by a tool that reads the MIB file with the standard modules of this machine.
#[test]
fn the_mib_file_is_understood_by_us_and_by_net_snmp() {
    let mibs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../mibs").canonicalize().unwrap();
    let mibs = mibs.display().to_string();
    let translated = |mut command: std::process::Command| {
        let output = Process::spawn("translate", &mut command).finish(LIVENESS).unwrap();
        format!("{}{}", output.stdout, output.stderr)
    };
    let name = "HAMSA-SWAP-MIB::hamsaSwapModuleWanted";
    let mut ours = std::process::Command::new(hamsa_testkit::hamsa());
    ours.args(["translate", "-On", "-M", &mibs, "-m", "ALL", name]);
    let said = translated(ours);
    assert_eq!(said.trim().trim_start_matches('.'), format!("{MODULE_ENTRY}.10"), "{said}");

    let tool = require!(program("snmptranslate"));
    let mut theirs = std::process::Command::new(tool);
    theirs.args(["-On", "-M", &format!("+{mibs}"), "-m", "+HAMSA-SWAP-MIB", name]);
    let said = translated(theirs);
    if said.contains("Cannot find module (SNMPv2-SMI)") || said.contains("Cannot find module (SNMP-FRAMEWORK-MIB)") {
        skip!("net-snmp has no standard MIB modules here");
    }
    assert_eq!(said.trim(), format!(".{MODULE_ENTRY}.10"), "{said}");
}
