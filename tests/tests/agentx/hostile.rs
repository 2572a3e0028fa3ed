//! Sub-agents that send what is none, never answer, or answer nonsense: the agent goes on, and says `genErr`.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use hamsa_snmp::OwnedValue;
use hamsa_snmp::agentx::{Body, HEADER_OCTETS, Variable, close_reason};
use hamsa_testkit::limits::LIVENESS;
use hamsa_testkit::require;

use crate::fake::{Fake, error, oid};
use crate::support::{Agent, V2C, wait_for};

const OURS: &str = ".1.3.6.1.4.1.32473.9.1.0";

#[test]
fn octets_that_are_no_packet_end_their_connection_only() {
    let agent = require!(Agent::start());
    let mut fake = Fake::connect(&agent);
    for octets in [&[2; HEADER_OCTETS][..], &[1; 400], &[1, 18, 0, 0, 0, 0, 0, 0]] {
        let mut stream = UnixStream::connect(agent.socket()).unwrap();
        stream.set_read_timeout(Some(LIVENESS)).unwrap();
        stream.write_all(octets).unwrap();
        if octets.len() >= HEADER_OCTETS {
            assert!(matches!(stream.read(&mut [0]), Ok(0) | Err(_)), "the connection ends");
        }
    }
    // A session is its connection's own.
    let session = fake.session;
    let mut other = Fake::connect_only(&agent);
    other.session = session;
    other.send(Body::Close { reason: close_reason::OTHER });
    assert_eq!(error(other.receive().unwrap()), hamsa_snmp::agentx::status::NOT_OPEN);
    fake.send(Body::Ping);
    assert_eq!(error(fake.receive().unwrap()), 0);
    let trap = OwnedValue::ObjectIdentifier(oid("1.3.6.1.4.1.32473.9.0.1"));
    fake.send(Body::Notify(vec![Variable { name: oid("1.3.6.1.6.3.1.1.4.1.0"), value: trap }]));
    assert_eq!(error(fake.receive().unwrap()), 0);
    drop(fake);
    wait_for(&agent, OURS, false);
}

#[test]
fn who_answers_nonsense_or_never_costs_its_own_variables_only() {
    let agent = require!(Agent::start());
    let mut fake = Fake::connect(&agent);
    std::thread::scope(|scope| {
        let asked = scope.spawn(|| {
            let one = |tool: &str, name: &str| agent.tool(tool, &V2C, &[name]);
            let good = one("snmpget", OURS).unwrap();
            let backwards = one("snmpgetnext", OURS).unwrap_err();
            let other_name = one("snmpget", OURS).unwrap_err();
            let silent = [0; 3].map(|_| one("snmpget", OURS).unwrap_err());
            let alive = one("snmpget", ".1.3.6.1.2.1.1.1.0").unwrap();
            (good, [backwards, other_name], silent, alive)
        });
        let (name, value) = (oid(&OURS[1..]), OwnedValue::Integer(5));
        for name in [name.clone(), name, oid("1.3.6.1.4.1.32473.9.7.0")] {
            let question = fake.receive().unwrap();
            fake.answer(&question, vec![Variable { name, value: value.clone() }]);
        }
        for _ in 0..3 {
            assert!(matches!(fake.receive().unwrap().body, Body::Get(_)));
        }
        assert_eq!(fake.receive().unwrap().body, Body::Close { reason: close_reason::TIMEOUTS });
        let (good, nonsense, silent, alive) = asked.join().unwrap();
        assert!(good.contains("INTEGER: 5") && alive.contains("Hamsa"), "{good} {alive}");
        for error in nonsense.iter().chain(&silent) {
            assert!(error.stderr.contains("genError") || error.stderr.contains("genErr"), "{error}");
        }
    });
    wait_for(&agent, OURS, false);
}
