//! Which context a command is for: by SNMPv3 context name, by community, and what becomes of those that
//! don't exist (RFC 3412 §4.2.2.1, RFC 3413 §3.2).

mod common;

use std::sync::Arc;

use common::{Agent, Objects, Wire, name, oid, user};
use hamsa_snmp::agent::CommandResponder;
use hamsa_snmp::ber::Writer;
use hamsa_snmp::engine::{
    AccessControl, AccessDenied, AccessRequest, Community, CommunityTable, Engine, EngineId, EngineStats, Name,
    Statistic,
};
use hamsa_snmp::manager::{RequestError, RequestKind, TargetConfig, TargetId, Timing};
use hamsa_snmp::message::{CommunityMessage, SecurityLevel, Version};
use hamsa_snmp::pdu::{AnyPdu, Pdu, PduKind};
use hamsa_snmp::usm::AuthProtocolId;
use hamsa_snmp::{OidRef, OwnedValue, Value, VarBindBuf};

const SYS_NAME: &str = "1.3.6.1.2.1.1.5.0";

/// Everybody may do everything, except in a context that access control has not heard of.
struct Open;

impl AccessControl for Open {
    fn is_access_allowed(&self, request: &AccessRequest<'_>, _variable: OidRef<'_>) -> Result<(), AccessDenied> {
        if request.context_name.as_octets() == b"unlisted" { Err(AccessDenied::NoSuchContext) } else { Ok(()) }
    }
}

fn objects(sys_name: &str) -> Arc<Objects> {
    let objects = Objects::default();
    objects.0.lock().unwrap().insert(oid(SYS_NAME), Value::OctetString(sys_name.as_bytes()).to_owned());
    Arc::new(objects)
}

fn with_contexts(engine: Arc<Engine>) -> CommandResponder {
    CommandResponder::new(engine, Arc::new(Open), objects("default"))
        .with_context(name("vrf1"), objects("replaced"))
        .with_context(name("vrf1"), objects("one"))
        .with_context(name("a"), objects("first"))
        .with_context(name("unlisted"), objects("unlisted"))
}

struct Net {
    wire: Wire,
    stats: Arc<EngineStats>,
}

impl Net {
    fn new() -> Self {
        let ops = || user("ops", Some((AuthProtocolId::Sha256, "authentic-1")), None);
        let mut wire = Wire::new();
        let mut agent = Agent::new("192.0.2.1:161", 5, wire.now, vec![ops()]);
        agent.responder = with_contexts(agent.responder.engine().clone());
        let stats = agent.responder.engine().stats().clone();
        wire.agents.push(agent);
        wire.users.insert(ops()).unwrap();
        Net { wire, stats }
    }

    fn target(&mut self, context: &str, context_engine_id: Option<EngineId>) -> TargetId {
        self.wire.manager.add_target(TargetConfig {
            address: self.wire.agents[0].address,
            version: Version::V3,
            security_name: name("ops"),
            level: SecurityLevel::AuthNoPriv,
            context_name: name(context),
            context_engine_id,
            engine_id: None,
            timing: Timing::default(),
            max_outstanding: 2,
        })
    }

    fn ask(&mut self, target: TargetId, token: u64) {
        self.wire.ask(target, RequestKind::Get, &[SYS_NAME], token);
        self.wire.run();
    }
}

#[test]
fn each_context_has_its_own_objects() {
    let mut net = Net::new();
    for (token, (context, expected)) in [("", "default"), ("vrf1", "one"), ("a", "first")].into_iter().enumerate() {
        let target = net.target(context, None);
        net.ask(target, token as u64);
        assert_eq!(net.wire.value(token as u64), OwnedValue::OctetString(expected.as_bytes().into()));
    }
}

#[test]
fn an_unknown_context_is_reported() {
    let mut net = Net::new();
    // One that has no objects, and one that access control does not list.
    for (token, context) in [(1, "vrf2"), (2, "unlisted")] {
        let target = net.target(context, None);
        net.ask(target, token);
        let error = net.wire.outcome(token).as_ref().unwrap_err();
        assert_eq!(*error, RequestError::Report(Statistic::UnknownContexts));
        assert_eq!(net.stats.get(Statistic::UnknownContexts), token as u32);
    }
}

#[test]
fn another_engines_context_is_reported() {
    let mut net = Net::new();
    let other = EngineId::assigned(32473, *b"elsewher");
    let target = net.target("", Some(other));
    net.ask(target, 1);
    let error = net.wire.outcome(1).as_ref().unwrap_err();
    assert_eq!(*error, RequestError::Report(Statistic::UnknownPduHandlers));
    assert_eq!(net.stats.get(Statistic::UnknownPduHandlers), 1);
}

#[test]
fn a_community_gives_its_context_and_gets_no_report() {
    let stats = Arc::new(EngineStats::default());
    let communities = Arc::new(CommunityTable::new());
    for (community, context) in [("public", ""), ("blue", "vrf1"), ("stale", "removed")] {
        let mut row = Community::new(community.as_bytes(), name(community));
        row.context_name = Name::new(context).unwrap();
        communities.insert(row);
    }
    let id = EngineId::assigned(32473, [1; 8]);
    let responder = with_contexts(Arc::new(Engine::with_communities(id, stats.clone(), communities)));
    let now = std::time::Instant::now();
    let ask = |community: &str| {
        let names = VarBindBuf::of_names([oid(SYS_NAME).as_oid()]);
        let pdu = AnyPdu::Pdu(Pdu::new(PduKind::GetRequest, 7, names.as_list()));
        let (mut request, mut answer) = ([0; 256], [0; 256]);
        let mut writer = Writer::new(&mut request);
        CommunityMessage { version: Version::V2c, community: community.as_bytes(), pdu }.encode(&mut writer);
        let length = responder.handle(now, writer.finish().unwrap(), &mut answer)?;
        let answer = CommunityMessage::parse(&answer[256 - length..]).unwrap();
        let AnyPdu::Pdu(pdu) = answer.pdu else { panic!("a response") };
        Some(pdu.varbinds.first().unwrap().value.to_owned())
    };
    assert_eq!(ask("public"), Some(OwnedValue::OctetString(b"default".as_slice().into())));
    assert_eq!(ask("blue"), Some(OwnedValue::OctetString(b"one".as_slice().into())));
    assert_eq!(ask("stale"), None);
    assert_eq!(stats.get(Statistic::UnknownContexts), 1);
}
