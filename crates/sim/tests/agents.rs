//! Whole agents: who may do what, which recording answers whom, reboots, notifications, delays.

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::{AUTH, MANAGER, Net, PRIVACY, access, address, group, name, oid};
use hamsa_sim::clock::Epoch;
use hamsa_sim::device::{DeviceKind, Recurring, Schedule};
use hamsa_sim::recording::{Format, Library, Recording};
use hamsa_sim::{
    AgentGroup, BuildError, NotificationSender, NotificationTarget, Rights, SimCommunity, SimConfig, SimUser,
    Simulator, Source, Spread, Versions,
};
use hamsa_snmp::ber::Writer;
use hamsa_snmp::engine::{Community, CommunityTable, Engine, EngineId, EngineStats, EngineTime, Received, Statistic};
use hamsa_snmp::manager::{RequestError, Walk, WalkOptions};
use hamsa_snmp::message::{SecurityLevel, Version};
use hamsa_snmp::pdu::{AnyPdu, ErrorStatus, PduKind};
use hamsa_snmp::usm::{UserKey, Usm, UsmUser, UsmUsers, password_to_key};
use hamsa_snmp::{OwnedValue, Value};

const S: Duration = Duration::from_secs(1);
const AGENT: &str = "127.0.0.2:161";
const SYS_DESCR: &str = "1.3.6.1.2.1.1.1.0";
const SYS_NAME: &str = "1.3.6.1.2.1.1.5.0";
const SYS_UP_TIME: &str = "1.3.6.1.2.1.1.3.0";

fn router() -> Source {
    Source::Device(DeviceKind::Router.into())
}

fn text(text: &str) -> OwnedValue {
    OwnedValue::OctetString(text.as_bytes().into())
}

fn library(recordings: &[(&str, &str)]) -> Library {
    let mut library = Library::new();
    for (name, text) in recordings {
        let (recording, diagnostics) = Recording::read(text.as_bytes(), Format::Snmprec).unwrap();
        assert_eq!(diagnostics.first(), []);
        library.insert(*name, recording);
    }
    library
}

#[test]
fn rights_are_kept_apart() {
    let mut net = Net::new(vec![group(router(), AGENT)], 1);
    let reader = net.target(AGENT, Version::V2c, "public");
    let writer = net.target(AGENT, Version::V2c, "private");
    let old = net.target(AGENT, Version::V1, "private");
    let ops = net.target(AGENT, Version::V3, "ops");
    assert_eq!(net.set(reader, SYS_NAME, Value::OctetString(b"x")).unwrap(), ErrorStatus::AUTHORIZATION_ERROR);
    for (target, new_name) in [(writer, "one"), (old, "two"), (ops, "three")] {
        assert_eq!(net.set(target, SYS_NAME, Value::OctetString(new_name.as_bytes())).unwrap(), ErrorStatus::NO_ERROR);
        assert_eq!(net.value(reader, SYS_NAME), text(new_name));
    }
    assert_eq!(net.set(writer, SYS_DESCR, Value::OctetString(b"x")).unwrap(), ErrorStatus::NOT_WRITABLE);
    assert_eq!(net.set(old, SYS_DESCR, Value::OctetString(b"x")).unwrap(), ErrorStatus::NO_SUCH_NAME);
    let stranger = net.target(AGENT, Version::V2c, "guessed");
    assert!(matches!(net.get(stranger, &[SYS_NAME]), Err(RequestError::Timeout { .. })));
}

#[test]
fn agents_speak_only_their_versions() {
    let versions = Versions { v1: false, v2c: true, v3: false };
    let only_v2c = AgentGroup { access: hamsa_sim::AgentAccess { versions, ..access() }, ..group(router(), AGENT) };
    let mut net = Net::new(vec![only_v2c], 1);
    for (version, who, answers) in
        [(Version::V1, "public", false), (Version::V2c, "public", true), (Version::V3, "ops", false)]
    {
        let target = net.target(AGENT, version, who);
        assert_eq!(net.get(target, &[SYS_NAME]).is_ok(), answers, "{version:?}");
    }
}

#[test]
fn every_device_has_an_identity_of_its_own() {
    let many = AgentGroup { count: 20, ..group(router(), AGENT) };
    let ports = AgentGroup {
        count: 5,
        spread: Spread::Ports,
        ..group(Source::Device(DeviceKind::Server.into()), "127.0.9.9:1161")
    };
    let mut net = Net::new(vec![many, ports], 1);
    let addresses: Vec<String> = net.simulator.agents().iter().map(|agent| agent.address().to_string()).collect();
    assert_eq!(
        (addresses.len(), addresses[19].as_str(), addresses[24].as_str()),
        (25, "127.0.0.21:161", "127.0.9.9:1165")
    );
    let mut seen = std::collections::HashSet::new();
    for address in &addresses {
        let target = net.target(address, Version::V3, "ops");
        assert!(seen.insert(format!("{:?}", net.value(target, SYS_NAME))), "{address}");
        assert!(seen.insert(net.manager.engine_of(target).unwrap().to_string()), "{address}");
    }
}

#[test]
fn recordings_answer_by_community_and_by_context() {
    let library = library(&[
        ("public", "1.3.6.1.2.1.1.1.0|4|the public one\n"),
        ("foo/bar", "1.3.6.1.2.1.1.1.0|4|foo bar\n1.3.6.1.2.1.1.5.0|4:writecache|value=old\n"),
        ("", "1.3.6.1.2.1.1.1.0|4|the default one\n"),
    ]);
    let mut net = Net::with_library(vec![group(Source::AllRecordings, AGENT)], &library, 1);
    // The group's own communities come first: `public` is for the default context.
    for (community, expected) in [("foo/bar", "foo bar"), ("public", "the default one")] {
        let target = net.target(AGENT, Version::V2c, community);
        assert_eq!(net.value(target, SYS_DESCR), text(expected));
    }
    for (context, expected) in [("foo/bar", "foo bar"), ("public", "the public one"), ("", "the default one")] {
        let target = net.target_in(AGENT, Version::V3, "ops", context);
        assert_eq!(net.value(target, SYS_DESCR), text(expected));
    }
    let target = net.target_in(AGENT, Version::V3, "ops", "nowhere");
    assert_eq!(net.get(target, &[SYS_DESCR]).unwrap_err(), RequestError::Report(Statistic::UnknownContexts));
    let target = net.target(AGENT, Version::V1, "foo/bar");
    assert_eq!(net.set(target, SYS_NAME, Value::OctetString(b"new")).unwrap(), ErrorStatus::NO_ERROR);
    assert_eq!(net.value(target, SYS_NAME), text("new"));
    assert_eq!(net.set(target, SYS_NAME, Value::Integer(1)).unwrap(), ErrorStatus::BAD_VALUE);
}

#[test]
fn recordings_are_told_apart_by_address_and_by_port() {
    let library =
        library(&[("a", "1.3.6.1.2.1.1.1.0|4|first\n"), ("b", "1.0.8802.1|2|1\n1.3.6.1.2.1.1.1.0|4|second\n")]);
    let by_port = AgentGroup { count: 3, spread: Spread::Ports, ..group(Source::RecordingEach, "127.0.0.1:1161") };
    let by_address = AgentGroup { count: 2, ..group(Source::RecordingEach, "127.0.0.5:161") };
    let mut net = Net::with_library(vec![by_port, by_address], &library, 1);
    for (agent, expected) in [
        ("127.0.0.1:1161", "first"),
        ("127.0.0.1:1162", "second"),
        ("127.0.0.1:1163", "first"),
        ("127.0.0.5:161", "first"),
        ("127.0.0.6:161", "second"),
    ] {
        let target = net.target(agent, Version::V2c, "public");
        assert_eq!(net.value(target, SYS_DESCR), text(expected), "{agent}");
    }
    let target = net.target("127.0.0.6:161", Version::V2c, "public");
    let walked = net.walk(target, Walk::new(vec![], [oid("1.0.8802")], WalkOptions::default()));
    assert_eq!(walked.found.len(), 1, "what lies beside 1.3 is in view");
}

#[test]
fn a_wildcard_address_answers_where_nobody_else_does() {
    let library = library(&[("public", "1.3.6.1.2.1.1.1.0|4|anywhere\n")]);
    let recordings = AgentGroup {
        access: hamsa_sim::AgentAccess { communities: vec![], ..access() },
        ..group(Source::AllRecordings, "0.0.0.0:161")
    };
    let mut net = Net::with_library(vec![group(router(), AGENT), recordings], &library, 1);
    let target = net.target("127.1.2.3:161", Version::V2c, "public");
    assert_eq!(net.value(target, SYS_DESCR), text("anywhere"));
    let target = net.target(AGENT, Version::V2c, "public");
    assert_ne!(net.value(target, SYS_DESCR), text("anywhere"));
    let target = net.target("127.1.2.3:162", Version::V2c, "public");
    assert!(net.get(target, &[SYS_DESCR]).is_err());
    assert_eq!(net.simulator.stats().unknown_address, 3);
}

#[test]
fn delays_of_recordings_hold_answers_back() {
    let text_of = "1.3.6.1.2.1.1.1.0|4:delay|value=slow,wait=300\n1.3.6.1.2.1.1.2.0|4:delay|wait=100000\n1.3.6.1.2.1.1.5.0|4|fast\n";
    let library = library(&[("a", text_of)]);
    let mut net = Net::with_library(vec![group(Source::RecordingEach, AGENT)], &library, 1);
    let target = net.target(AGENT, Version::V2c, "public");
    let before = net.now;
    assert_eq!(net.value(target, SYS_NAME), text("fast"));
    assert_eq!(net.now, before);
    assert_eq!(net.value(target, SYS_DESCR), text("slow"));
    assert_eq!(net.now - before, Duration::from_millis(300));
    assert!(matches!(net.get(target, &["1.3.6.1.2.1.1.2.0"]), Err(RequestError::Timeout { .. })));
}

#[test]
fn a_reboot_is_silent_and_gives_a_new_engine_time() {
    let schedule = Schedule {
        reboots: Recurring::At(vec![100 * S]),
        boot_time: 20 * S,
        uptime_at_start: Some(5_000 * S),
        ..Schedule::default()
    };
    let mut net = Net::new(vec![AgentGroup { schedule, ..group(router(), AGENT) }], 1);
    let target = net.target(AGENT, Version::V3, "ops");
    assert_eq!(net.value(target, SYS_UP_TIME), OwnedValue::TimeTicks(500_000));
    net.run_until(net.start + 101 * S);
    assert!(matches!(net.get(target, &[SYS_UP_TIME]), Err(RequestError::Timeout { .. })));
    net.run_until(net.start + 130 * S);
    assert_eq!(net.value(target, SYS_UP_TIME), OwnedValue::TimeTicks(1_000));
    let stats = net.simulator.agent(address(AGENT)).unwrap().stats().unwrap();
    assert_eq!(stats.get(Statistic::NotInTimeWindows), 1, "the manager had the old boots once");
    assert_eq!(stats.get(Statistic::InPackets), 2, "counted since the boot");
}

/// What a notification receiver makes of a datagram: version, level, trap, its variables.
fn read_trap(datagram: &[u8], net: &Net) -> (Version, SecurityLevel, String, usize) {
    let stats = Arc::new(EngineStats::default());
    let communities = Arc::new(CommunityTable::new());
    communities.insert(Community::new(b"traps", name("traps")));
    let id = EngineId::assigned(32473, *b"receiver");
    let users = Arc::new(UsmUsers::new(id, EngineTime { boots: 1, time: 0 }, net.now));
    let key = |password: &str| UserKey::Master(password_to_key(&*AUTH.0.built_in(), password.as_bytes()).unwrap());
    let ops = UsmUser {
        security_name: name("ops"),
        user_name: name("ops"),
        engine_id: None,
        auth: Some((AUTH.0, key(AUTH.1))),
        privacy: Some((PRIVACY.0, key(PRIVACY.1))),
    };
    users.insert(ops).unwrap();
    let usm = Usm::new(users, stats.clone(), Arc::new(NoSalts));
    let engine = Engine::with_communities(id, stats, communities).with_v3(Arc::new(usm));
    let mut datagram = datagram.to_vec();
    let received = engine.receive(net.now, &mut datagram, &mut Writer::new(&mut [])).expect("let in");
    let Received { envelope, pdu: AnyPdu::Pdu(pdu) } = received else { panic!("a v2 PDU") };
    assert_eq!(pdu.kind, PduKind::TrapV2);
    let varbinds: Vec<_> = pdu.varbinds.iter().collect();
    assert_eq!(
        (varbinds[0].name.to_string().as_str(), varbinds[1].name.to_string().as_str()),
        (SYS_UP_TIME, "1.3.6.1.6.3.1.1.4.1.0")
    );
    let Value::ObjectIdentifier(trap) = varbinds[1].value else { panic!("snmpTrapOID") };
    (envelope.version, envelope.level, trap.to_string(), varbinds.len() - 2)
}

struct NoSalts;

impl hamsa_snmp::usm::SaltSource for NoSalts {
    fn next_salt(&self) -> Result<u64, String> {
        Err("a receiver sends nothing".to_owned())
    }
}

fn receivers() -> Vec<NotificationTarget> {
    let target = |sender| NotificationTarget { address: address("127.0.0.1:162"), sender };
    vec![target(NotificationSender::Community("traps".into())), target(NotificationSender::User("ops".into()))]
}

#[test]
fn events_are_told_at_their_time_in_both_versions() {
    let schedule = Schedule {
        reboots: Recurring::At(vec![100 * S]),
        boot_time: 20 * S,
        link_flaps: Recurring::At(vec![10 * S, 110 * S]),
        link_down_for: 5 * S,
        ..Schedule::default()
    };
    let mut net = Net::new(vec![AgentGroup { schedule, notifications: receivers(), ..group(router(), AGENT) }], 1);
    net.run_until(net.start + 1_000 * S);
    let told: Vec<_> = net
        .others
        .iter()
        .map(|(due, from, datagram)| {
            assert_eq!(*from, address(AGENT));
            let (version, level, trap, variables) = read_trap(datagram, &net);
            let expected = if version == Version::V3 { SecurityLevel::AuthPriv } else { SecurityLevel::NoAuthNoPriv };
            assert_eq!(level, expected);
            ((*due - net.start).as_secs(), trap, variables, version)
        })
        .collect();
    let trap = |n: u32| format!("1.3.6.1.6.3.1.1.5.{n}");
    // The second flap falls into the boot: nobody is there to tell of it.
    let expected = [(10, trap(3), 3), (15, trap(4), 3), (120, trap(1), 0)];
    let both = expected.into_iter().flat_map(|(at, trap, variables)| {
        [Version::V2c, Version::V3].map(|version| (at, trap.clone(), variables, version))
    });
    assert_eq!(told, both.collect::<Vec<_>>());
    assert_eq!(net.simulator.stats().notifications, 6);
    assert_eq!(net.simulator.poll_timeout(), None);
}

#[test]
fn authentication_failures_are_told_but_do_not_flood() {
    let mut net = Net::new(vec![AgentGroup { notifications: receivers(), ..group(router(), AGENT) }], 1);
    let stranger = net.target(AGENT, Version::V2c, "guessed");
    for _ in 0..10 {
        net.get(stranger, &[SYS_NAME]).unwrap_err();
    }
    let spent = (net.now - net.start).as_secs() as usize;
    assert!(!net.others.is_empty() && net.others.len() <= 2 * (spent / 10 + 1), "{} in {spent} s", net.others.len());
    assert_eq!(read_trap(&net.others[0].2, &net).2, "1.3.6.1.6.3.1.1.5.5");
}

#[test]
fn old_events_are_not_made_up_for() {
    let schedule = Schedule { link_flaps: Recurring::Every(100 * S), ..Schedule::default() };
    let mut net = Net::new(vec![AgentGroup { schedule, notifications: receivers(), ..group(router(), AGENT) }], 1);
    let late = net.start + Duration::from_secs(1_000_000);
    let mut count = 0;
    while net.simulator.poll_transmit(late).is_some() {
        count += 1;
    }
    assert!(count <= 4, "{count}");
    assert!(net.simulator.poll_timeout().is_some_and(|next| next > late));
}

#[test]
fn what_does_not_fit_is_refused_with_the_reason() {
    let build = |groups: Vec<AgentGroup>, library: &Library| {
        let epoch = Epoch { instant: std::time::Instant::now(), unix: Duration::ZERO };
        Simulator::new(&SimConfig { groups, ..SimConfig::default() }, library, epoch).err()
    };
    let none = Library::new();
    let overlapping = AgentGroup { count: 3, ..group(router(), "127.0.0.1:161") };
    assert_eq!(build(vec![group(router(), AGENT), overlapping], &none), Some(BuildError::AddressTaken(address(AGENT))));
    assert_eq!(build(vec![group(Source::AllRecordings, AGENT)], &none), Some(BuildError::NoRecordings(address(AGENT))));
    let huge = AgentGroup { count: u32::MAX, ..group(router(), AGENT) };
    assert_eq!(build(vec![huge], &none), Some(BuildError::TooManyAgents));
    let mut stranger = group(router(), AGENT);
    stranger.notifications =
        vec![NotificationTarget { address: address(MANAGER), sender: NotificationSender::User("eve".into()) }];
    assert_eq!(build(vec![stranger], &none), Some(BuildError::UnknownNotificationUser("eve".into())));
    let mut long = group(router(), AGENT);
    long.access.communities.push(SimCommunity::new("x".repeat(256), Rights::ReadOnly));
    assert!(matches!(build(vec![long], &none), Some(BuildError::Name(_))));
    assert!(SimUser::with_auth("ops", Rights::ReadOnly, (AUTH.0, "short")).is_err());
}

#[test]
fn a_small_agent_answers_what_fits() {
    let small = AgentGroup { max_message_octets: 484, ..group(router(), AGENT) };
    for version in [Version::V1, Version::V2c, Version::V3] {
        let mut net = Net::new(vec![small.clone()], 1);
        let target = net.target(AGENT, version, if version == Version::V3 { "ops" } else { "public" });
        let names: Vec<String> = (1..=24).map(|i| format!("1.3.6.1.2.1.2.2.1.2.{i}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        assert_eq!(net.get(target, &names).unwrap().status, ErrorStatus::TOO_BIG);
        assert_eq!(net.get(target, &names[..4]).unwrap().status, ErrorStatus::NO_ERROR);
        let max_repetitions = if version == Version::V1 { 0 } else { 50 };
        let options = WalkOptions { max_repetitions, max_response_octets: 60_000, ..WalkOptions::default() };
        let walked = net.walk(target, Walk::new(vec![], [oid("1.3.6.1.2.1.2.2.1.2")], options));
        assert_eq!((walked.found.len(), walked.failures), (24, vec![]));
        assert!(net.trace.iter().all(|(_, datagram)| datagram.len() <= 484));
    }
    let tiny = AgentGroup { max_message_octets: 483, ..group(router(), AGENT) };
    let epoch = Epoch { instant: std::time::Instant::now(), unix: Duration::ZERO };
    let config = SimConfig { groups: vec![tiny], ..SimConfig::default() };
    assert_eq!(Simulator::new(&config, &Library::new(), epoch).err(), Some(BuildError::MessagesTooSmall(483)));
}

#[test]
fn secrets_do_not_show() {
    let mut shown = format!("{:?} {:?}", group(router(), AGENT), receivers());
    shown.push_str(&format!("{:?}", SimCommunity::new("hush-hush", Rights::ReadOnly)));
    for secret in ["public", "private", "traps", "hush-hush", AUTH.1, PRIVACY.1] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
}

#[test]
fn garbage_is_survived() {
    let mut net = Net::new(vec![group(router(), AGENT)], 1);
    for length in 0..200usize {
        for octet in [0, 0x30, 0x7f, 0x80, 0xff] {
            let mut datagram = vec![octet; length];
            net.simulator.handle_datagram(net.now, address(AGENT), address(MANAGER), &mut datagram);
        }
    }
    assert_eq!(net.simulator.poll_transmit(net.now), None);
    let target = net.target(AGENT, Version::V2c, "public");
    assert!(net.get(target, &[SYS_NAME]).is_ok());
}
