//! Versions of modules that panic, put into a running agent by its own catalogue and control socket: who provokes a
//! panic gets an error or nothing, everybody else is served, and there is a way back. The product's own modules have no
//! panic that could be provoked, so the agent runs in this process, where a test can offer it worse ones.

use std::net::UdpSocket;
use std::path::PathBuf;
use std::time::Instant;

use hamsa_node::agent::Agent as Daemon;
use hamsa_node::config::{Surroundings, agent};
use hamsa_node::modules::{AccessControlModule, MessageProcessingModule};
use hamsa_snmp::ber::Writer;
use hamsa_snmp::engine::{
    AccessDenied, AccessRequest, CommunityProcessing, Envelope, MessageProcessing, OutgoingError, Received, Rejected,
    Sending, Subsystems,
};
use hamsa_snmp::pdu::Pdu;
use hamsa_snmp::{OidRef, VarBindList};
use hamsa_swap::{CallError, Candidate, Module, ModuleError, ModuleId, Package, Resources, StateSet, Version};
use hamsa_testkit::{NetSnmp, NotificationTarget, Snmptrapd, require, wait_until};
use serde_json::{Value, json};

use crate::support::{Agent, CONTACT, SYS_CONTACT, community, swap};

const ACCESS: &str = "access-control/VACM";
const V2C: &str = "message-processing/v2c";

/// `hamsaSwapModuleFailed`, `hamsaSwapRolledBack`, and the name of the module in them.
const MODULE_FAILED: &str = ".1.3.6.1.4.1.32473.1.2.0.4";
const ROLLED_BACK: &str = ".1.3.6.1.4.1.32473.1.2.0.3";
const EVENT_NAME: &str = ".1.3.6.1.4.1.32473.1.2.1.4.3.0";

/// Whose requests make access control panic.
const VICTIM: &str = "priv-SHA-256-AES";

/// What makes the message processing model panic: a community.
const POISON: &str = "poison";

/// How often it is provoked: more often than there are threads that answer.
const TIMES: usize = 8;

struct PanickyAccess;

impl AccessControlModule for PanickyAccess {
    fn is_access_allowed(
        &self,
        request: &AccessRequest<'_>,
        _: OidRef<'_>,
    ) -> Result<Result<(), AccessDenied>, CallError> {
        assert!(request.security_name.as_octets() != VICTIM.as_bytes(), "access control of a test panics");
        Ok(Ok(()))
    }

    fn count_allowed(
        &self,
        _: &AccessRequest<'_>,
        variables: VarBindList<'_>,
    ) -> Result<Result<usize, AccessDenied>, CallError> {
        Ok(Ok(variables.len()))
    }
}

struct PanickyProcessing(CommunityProcessing);

impl MessageProcessingModule for PanickyProcessing {
    fn prepare_outgoing(
        &self,
        engine: Subsystems<'_>,
        sending: &Sending<'_>,
        writer: &mut Writer<'_>,
    ) -> Result<Result<(), OutgoingError>, CallError> {
        Ok(self.0.prepare_outgoing(engine, sending, writer))
    }

    fn prepare_response(
        &self,
        engine: Subsystems<'_>,
        now: Instant,
        to: &Envelope,
        pdu: &Pdu<'_>,
        writer: &mut Writer<'_>,
    ) -> Result<Result<(), OutgoingError>, CallError> {
        Ok(self.0.prepare_response(engine, now, to, pdu, writer))
    }

    fn prepare_data_elements<'m>(
        &self,
        engine: Subsystems<'_>,
        now: Instant,
        message: &'m mut [u8],
        report: &mut Writer<'_>,
    ) -> Result<Result<Received<'m>, Rejected>, CallError> {
        let is_poison = message.windows(POISON.len()).any(|octets| octets == POISON.as_bytes());
        assert!(!is_poison, "message processing of a test panics");
        Ok(self.0.prepare_data_elements(engine, now, message, report))
    }
}

macro_rules! without_state {
    ($($module:ty),*) => {
        $(impl Module for $module {
            fn version(&self) -> Version {
                panicky()
            }

            fn retrieve(&self) -> Result<StateSet, ModuleError> {
                Ok(StateSet::new(1))
            }

            fn restore(&self, _: &StateSet, _: &Resources) -> Result<(), ModuleError> {
                Ok(())
            }
        })*
    };
}
without_state!(PanickyAccess, PanickyProcessing);

fn panicky() -> Version {
    Version::new(1, 2, "panics when provoked")
}

fn start(prepared: &Agent) -> Daemon {
    let profiles = |_: &[PathBuf]| Vec::new();
    let report = agent::check(&prepared.config(), &Surroundings::of_process(&profiles));
    let config = report.config.expect("a right configuration");
    let daemon = Daemon::start(&config).unwrap();
    let access = Package::built_in(ModuleId::new("access control", "VACM"), panicky(), || {
        Ok(Candidate::new::<dyn AccessControlModule, _>(PanickyAccess))
    });
    let processing = Package::built_in(ModuleId::new("message processing", "v2c"), panicky(), || {
        Ok(Candidate::new::<dyn MessageProcessingModule, _>(PanickyProcessing(CommunityProcessing::V2C)))
    });
    daemon.host().catalogue().add(access);
    daemon.host().catalogue().add(processing);
    daemon
}

#[test]
fn a_panic_in_a_module_costs_who_provokes_it_only() {
    let tools = require!(NetSnmp::new());
    let (victim, other) = (tools.user(VICTIM).clone(), tools.user("priv-MD5-DES").clone());
    let receiver = require!(Snmptrapd::start(None));
    let tellers = format!("[communities.tellers]\ncommunity = \"{}\"\n", Snmptrapd::COMMUNITY);
    let agent = Agent::prepare(&[victim.clone(), other.clone()], &tellers);
    let daemon = start(&agent);
    let target =
        NotificationTarget { name: "watch", address: receiver.address(), by: Err("tellers"), is_inform: false };
    agent.add_target(&tools, &other, &target);
    let is_told = |what: &str, notification: &str, name: &str| {
        let name = format!("\"{name}\"");
        receiver.hears(what, |told| told.is_of(notification) && told.value(EVENT_NAME) == Some(&name));
    };
    let get = |who: &[String]| agent.tool(&tools, "snmpget", who, &[SYS_CONTACT]);
    let is_served = |who: &[String]| {
        let said = get(who).unwrap_or_else(|error| panic!("{error}"));
        assert!(said.contains(CONTACT), "{said}");
    };
    let others = [other.arguments(), community("-v1", "public"), community("-v2c", "public")];
    let to = |module: &str, version: &str| {
        swap(&agent, &[(module.to_owned(), version.to_owned())]);
    };
    let show = |module: &str| agent.ask(&json!({ "op": "show", "module": module }));
    let is_failed = |module: &str, panics: usize| {
        let shown = show(module);
        assert_eq!((&shown["panics"], &shown["failed"]), (&json!(panics), &Value::Bool(true)), "{shown}");
    };

    // In the middle of an answer: the requester is told.
    to(ACCESS, "1.2");
    for _ in 0..TIMES {
        let error = get(&victim.arguments()).unwrap_err();
        assert!(error.to_string().contains("genErr"), "{error}");
        others.iter().for_each(|who| is_served(who));
    }
    is_failed(ACCESS, TIMES);
    is_told("a panic in access control", MODULE_FAILED, "VACM");
    to(ACCESS, "1.1");
    is_served(&victim.arguments());

    // Before anything is known of a message: nobody can be told.
    to(V2C, "1.2");
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    for _ in 0..TIMES {
        socket.send_to(&poison(), agent.address).unwrap();
    }
    wait_until("the panics are counted", || (show(V2C)["panics"] == json!(TIMES)).then_some(()));
    is_failed(V2C, TIMES);
    is_told("a panic in message processing", MODULE_FAILED, "v2c");
    others.iter().for_each(|who| is_served(who));
    to(V2C, "1.1");

    // On probation it is taken back by itself.
    let change = json!({ "module": ACCESS, "version": "1.2" });
    let probation = json!({ "lasts_ms": 600_000 });
    agent.ask(&json!({ "op": "swap", "changes": [change], "probation": probation, "budget_ms": 4000 }));
    get(&victim.arguments()).unwrap_err();
    wait_until("the version on probation is taken back", || (show(ACCESS)["version"] == "1.1").then_some(()));
    is_told("the way back", ROLLED_BACK, "VACM");
    is_served(&victim.arguments());
    others.iter().for_each(|who| is_served(who));
    daemon.stop();
}

/// A GET in the name of a community that is a trigger.
fn poison() -> Vec<u8> {
    let mut message = vec![0x30, 0x19, 2, 1, 1, 4, POISON.len() as u8];
    message.extend_from_slice(POISON.as_bytes());
    message.extend_from_slice(&[0xa0, 0x0c, 2, 1, 1, 2, 1, 0, 2, 1, 0, 0x30, 1, 0]);
    message
}
