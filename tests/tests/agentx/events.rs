//! What sub-agents say besides answers: notifications, which are sent on, and capabilities, which are shown. And the master
//! is taken out, and comes back.

use hamsa_snmp::OwnedValue;
use hamsa_snmp::agentx::{Body, Packet, Variable, close_reason};
use hamsa_testkit::{NotificationTarget, Snmptrapd, require, wait_until};

use crate::fake::{Fake, error, oid};
use crate::support::{Agent, MODULES, V2C, names, sub_agent, wait_for};

const OURS: &str = ".1.3.6.1.4.1.32473.9.1.0";
const SYS_UPTIME: &str = ".1.3.6.1.2.1.1.3.0";
const SYS_OR_ID: &str = ".1.3.6.1.2.1.1.9.1.2";

/// The OIDs in sysORTable.
fn implemented(agent: &Agent) -> Vec<String> {
    let walk = agent.tool("snmpwalk", &V2C, &["-Oqv", SYS_OR_ID]).unwrap_or_else(|error| panic!("{error}"));
    walk.lines().map(str::to_owned).collect()
}

#[test]
fn notifications_of_sub_agents_are_sent_on() {
    let agent = require!(Agent::start());
    let receiver = require!(Snmptrapd::start(None));
    for is_inform in [false, true] {
        let name = if is_inform { "inform" } else { "trap" };
        let target = NotificationTarget { name, address: receiver.address(), by: Err("tellers"), is_inform };
        for set in target.sets() {
            let cells: Vec<&str> = set.iter().map(String::as_str).collect();
            agent.tool("snmpset", &agent.user(), &cells).unwrap_or_else(|error| panic!("{error}"));
        }
    }
    let mut fake = Fake::connect(&agent);
    let variable = |name: &str, value| Variable { name: oid(name), value };
    let trap = |number: u32| {
        let value = OwnedValue::ObjectIdentifier(oid(&format!("1.3.6.1.4.1.32473.9.0.{number}")));
        variable("1.3.6.1.6.3.1.1.4.1.0", value)
    };
    let load = || variable("1.3.6.1.4.1.32473.9.2.0", OwnedValue::Gauge32(99));
    fake.send(Body::Notify(vec![trap(1), load()]));
    assert_eq!(error(fake.receive().unwrap()), 0);
    let uptime = variable(&SYS_UPTIME[1..], OwnedValue::TimeTicks(4711));
    fake.send(Body::Notify(vec![uptime, trap(2), load()]));
    assert_eq!(error(fake.receive().unwrap()), 0);
    // Without its name it is none.
    fake.send(Body::Notify(vec![load()]));
    assert_ne!(error(fake.receive().unwrap()), 0);
    for kind in ["TRAP2", "INFORM"] {
        for number in [1, 2] {
            let told = receiver.hears("a sub-agent's notification", |told| {
                told.security.starts_with(kind) && told.is_of(&format!(".1.3.6.1.4.1.32473.9.0.{number}"))
            });
            assert_eq!(told.value(".1.3.6.1.4.1.32473.9.2.0"), Some("99"));
            let own_uptime = told.value(SYS_UPTIME) == Some("0:0:00:47.11");
            assert_eq!(own_uptime, number == 2, "{told:?}");
        }
    }
    // A real one says goodbye (nsNotifyShutdown).
    let (mut snmpd, _home) = require!(sub_agent(&agent.socket(), MODULES));
    wait_for(&agent, ".1.3.6.1.2.1.7.1.0", true);
    snmpd.terminate();
    receiver.hears("snmpd's goodbye", |told| told.is_of(".1.3.6.1.4.1.8072.4.0.2"));
}

#[test]
fn what_sub_agents_implement_is_shown_as_long_as_they_are_there() {
    let agent = require!(Agent::start());
    let own = implemented(&agent);
    assert!(own.contains(&".1.3.6.1.6.3.16.2.2.1".to_owned()), "{own:?}");
    let mut fake = Fake::connect(&agent);
    let capability = "1.3.6.1.4.1.32473.9.9";
    let add = || Body::AddAgentCaps { id: oid(capability), description: b"a test".as_slice().into() };
    fake.send(add());
    assert_eq!(error(fake.receive().unwrap()), 0);
    assert_eq!(implemented(&agent), [own.clone(), vec![format!(".{capability}")]].concat());
    // Also after a swap of the master and of the table.
    agent.control(&["swap", "MIB-module/AgentX", "1.0", "MIB-module/sysORTable", "1.0"]).unwrap();
    assert_eq!(implemented(&agent).len(), own.len() + 1);
    fake.send(Body::RemoveAgentCaps { id: oid(capability) });
    assert_eq!(error(fake.receive().unwrap()), 0);
    assert_eq!(implemented(&agent), own);
    fake.send(add());
    assert_eq!(error(fake.receive().unwrap()), 0);
    drop(fake);
    wait_until("the capability goes with its session", || (implemented(&agent) == own).then_some(()));

    let (mut snmpd, _home) = require!(sub_agent(&agent.socket(), MODULES));
    wait_until("snmpd's capabilities", || (implemented(&agent).len() > own.len()).then_some(()));
    snmpd.kill();
    wait_until("they go with it", || (implemented(&agent) == own).then_some(()));
}

#[test]
fn the_master_is_taken_out_and_comes_back_with_what_it_knew() {
    let agent = require!(Agent::start());
    let unknown = agent.control(&["uninstall", "MIB-module/IF-MIB"]).unwrap_err();
    assert!(unknown.contains("there are: MIB-module/AgentX"), "{unknown}");
    agent.control(&["swap", "MIB-module/AgentX", "1.0"]).unwrap();
    let allocate = |fake: &mut Fake| {
        let index = Variable { name: oid("1.3.6.1.4.1.32473.9.5.1.1"), value: OwnedValue::Integer(0) };
        fake.send(Body::IndexAllocate { is_new: true, is_any: false, variables: vec![index] });
        let Some(Packet { body: Body::Response(response), .. }) = fake.receive() else { panic!("no answer") };
        response.variables().unwrap()[0].value.clone()
    };
    let mut fake = Fake::connect(&agent);
    let first = allocate(&mut fake);
    let done = agent.control(&["uninstall", "mib-module/agentx"]).unwrap();
    assert!(done.starts_with("Done: MIB-module/AgentX 1.0 is taken out, and its state is kept."), "{done}");
    assert_eq!(fake.receive().unwrap().body, Body::Close { reason: close_reason::SHUTDOWN });
    assert!(fake.receive().is_none() && !agent.socket().exists());
    assert!(names(&agent.tool("snmpwalk", &V2C, &[OURS]).unwrap()).is_empty());
    assert!(agent.get(&V2C, ".1.3.6.1.2.1.1.1.0").contains("Hamsa"));
    let again = agent.control(&["uninstall", "MIB-module/AgentX"]).unwrap_err();
    assert!(again.contains("is not installed"), "{again}");

    let installed = agent.control(&["install", "MIB-module/AgentX"]).unwrap();
    assert_eq!(installed, "Done: MIB-module/AgentX 1.0 serves.\n", "as it went");
    let mut fake = Fake::connect(&agent);
    assert_ne!(allocate(&mut fake), first, "an index value that was used is not new");
}
