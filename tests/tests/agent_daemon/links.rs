//! linkDown and linkUp of a real interface: in a network namespace of its own, where the test runs itself once more.

use std::process::Command;

use hamsa_testkit::{NetSnmp, NotificationTarget, Process, Snmptrapd, limits::LIVENESS, program, require, skip};

use crate::support::{Agent, community};

/// Says to this test that it is inside.
const INSIDE: &str = "HAMSA_TEST_NAMESPACE";
const LINK_DOWN: &str = ".1.3.6.1.6.3.1.1.5.3";
const LINK_UP: &str = ".1.3.6.1.6.3.1.1.5.4";
const IF_DESCR: &str = "1.3.6.1.2.1.2.2.1.2";
const TRAP_ENABLE: &str = "1.3.6.1.2.1.31.1.1.1.14";

/// `ip` with these words.
fn ip(words: &str) -> bool {
    let Ok(ip) = program("ip") else { return false };
    let mut command = Command::new(ip);
    let done = Process::spawn("ip", command.args(words.split(' '))).finish(LIVENESS);
    done.is_some_and(|output| output.status.success())
}

#[test]
fn links_that_go_and_come_are_told_where_somebody_wants_it() {
    if std::env::var_os(INSIDE).is_some() {
        return inside();
    }
    let unshare = require!(program("unshare"));
    require!(program("ip"));
    require!(NetSnmp::new());
    require!(program("snmptrapd"));
    // /sys shows the interfaces of the namespace that it was mounted in.
    let script = "mount -t sysfs none /sys && ip link set lo up && ip link add hamsa0 type veth peer name hamsa1";
    let namespace = |command: &str| {
        let mut unshared = Command::new(&unshare);
        unshared.args(["--net", "--mount", "--user", "--map-root-user", "sh", "-c", command]);
        unshared
    };
    let can = Process::spawn("namespace", &mut namespace(script)).finish(LIVENESS);
    if !can.as_ref().is_some_and(|output| output.status.success()) {
        skip!("no network namespace with interfaces can be had here: {can:?}");
    }
    let own = std::env::current_exe().unwrap();
    let again = "links::links_that_go_and_come_are_told_where_somebody_wants_it --exact --nocapture";
    let mut command = namespace(&format!("{script} && exec '{}' {again}", own.display()));
    let output = Process::spawn("inside", command.env(INSIDE, "1")).finish(2 * LIVENESS).expect("it ends");
    assert!(output.status.success() && output.stdout.contains("1 passed"), "{}\n{}", output.stdout, output.stderr);
}

fn inside() {
    let tools = NetSnmp::new().unwrap();
    let admin = tools.user("priv-SHA-256-AES").clone();
    let tellers = format!("[communities.tellers]\ncommunity = \"{}\"\n", Snmptrapd::COMMUNITY);
    assert!(ip("link set hamsa0 up") && ip("link set hamsa1 up"));
    let mut agent = Agent::start(std::slice::from_ref(&admin), &tellers);
    let receiver = Snmptrapd::start(None).unwrap();
    let target = NotificationTarget { name: "noc", address: receiver.address(), by: Err("tellers"), is_inform: false };
    agent.add_target(&tools, &admin, &target);

    let read = |agent: &Agent, tool: &str, name: &str| {
        let who = community("-v2c", "public");
        agent.tool(&tools, tool, &who, &["-Oq", name]).unwrap_or_else(|error| panic!("{error}"))
    };
    let described = read(&agent, "snmpwalk", IF_DESCR);
    let line = described.lines().find(|line| line.ends_with("\"hamsa0\"")).expect("the interface");
    let index = line.split(' ').next().unwrap().rsplit('.').next().unwrap();
    let enable = format!("{TRAP_ENABLE}.{index}");
    let is_enabled = |agent: &Agent| read(agent, "snmpget", &enable).trim().ends_with(" 1");
    assert!(!is_enabled(&agent), "one of a pair is on top of the other");
    agent.set(&tools, &admin, &[&enable, "i", "1"]);
    let wrong = agent.tool(&tools, "snmpset", &admin.arguments(), &[&enable, "i", "3"]).unwrap_err().to_string();
    assert!(wrong.contains("wrongValue"), "{wrong}");
    // It is kept over a crash.
    agent.kill();
    agent.run();
    assert!(is_enabled(&agent));
    for (state, trap, admin_status) in [("down", LINK_DOWN, "2"), ("up", LINK_UP, "1")] {
        assert!(ip(&format!("link set hamsa0 {state}")));
        let told = receiver.hears(trap, |told| {
            told.is_of(trap) && told.value(&format!(".1.3.6.1.2.1.2.2.1.1.{index}")) == Some(index)
        });
        assert_eq!(told.value(&format!(".1.3.6.1.2.1.2.2.1.7.{index}")), Some(admin_status), "{told:?}");
        assert_eq!(told.value(&format!(".1.3.6.1.2.1.2.2.1.8.{index}")), Some(admin_status), "{told:?}");
    }
    let others = receiver.received().into_iter().filter(|told| told.is_of(LINK_DOWN)).count();
    assert_eq!(others, 1, "nobody wants to know of the other one");
}
