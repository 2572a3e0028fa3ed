//! Targets, communities and notifications configured with `snmpset`; snmptrapd hears what the originator then sends.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use hamsa_snmp::agent::mibs::{Notify, Target, TargetParams};
use hamsa_snmp::agent::{NotificationOriginator, NotificationTables, Notifications, Notified, StorageType};
use hamsa_snmp::engine::{EngineId, Name, security_model};
use hamsa_snmp::limits::MAX_MESSAGE_OCTETS;
use hamsa_snmp::manager::{Manager as LibraryManager, RequestKind, TargetConfig, Timing};
use hamsa_snmp::message::{SecurityLevel, Version};
use hamsa_snmp::notification::Notification;
use hamsa_snmp::usm::{AuthProtocolId, PrivProtocolId, UserKey, UsmUser, password_to_key};
use hamsa_snmp::{Value, VarBindBuf};
use hamsa_testkit::{NetSnmp, Snmptrapd, require};

use crate::support::{ADMIN, Agent, Manager, PASSWORD, name};

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// IF-MIB's linkDown, with ifIndex.3.
fn link_down() -> Notification {
    let mut varbinds = VarBindBuf::new();
    let if_index: hamsa_snmp::Oid = "1.3.6.1.2.1.2.2.1.1.3".parse().unwrap();
    varbinds.push(if_index.as_oid(), Value::Integer(3));
    Notification {
        trap_oid: "1.3.6.1.6.3.1.1.5.3".parse().unwrap(),
        uptime_ticks: 4711,
        agent_address: None,
        enterprise: None,
        varbinds,
        is_inform: false,
    }
}

/// Sends what is due until no inform is under way; how many were acknowledged, and the others' errors.
fn run(under_way: &mut Notifications) -> (usize, Vec<String>) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    let mut buffer = vec![0; MAX_MESSAGE_OCTETS];
    let (mut acknowledged, mut errors) = (0, Vec::new());
    let start = Instant::now();
    loop {
        while let Some(transmit) = under_way.poll_transmit(Instant::now(), &mut buffer) {
            socket.send_to(&buffer[buffer.len() - transmit.length..], transmit.address).unwrap();
        }
        while let Some(outcome) = under_way.poll_outcome() {
            match outcome.result {
                Ok(()) => acknowledged += 1,
                Err(error) => errors.push(error.to_string()),
            }
        }
        if under_way.pending() == 0 {
            return (acknowledged, errors);
        }
        assert!(start.elapsed() < PATIENCE, "informs are under way for too long");
        if let Ok((length, from)) = socket.recv_from(&mut buffer) {
            under_way.handle_datagram(Instant::now(), from, &mut buffer[..length]);
        }
        under_way.handle_timeout(Instant::now());
    }
}

fn notify(agent: &Agent, under_way: &mut Notifications, what: &Notification) -> Notified {
    let originator = NotificationOriginator::new(agent.engine.clone(), Ipv4Addr::LOCALHOST);
    let (targets, notifications) = (agent.targets.table(), agent.notifications.table());
    let tables = NotificationTables { targets, notifications, access: &*agent.access };
    originator.notify(Instant::now(), under_way, &tables, &Name::default(), what)
}

fn dotted(octets: impl AsRef<[u8]>) -> String {
    octets.as_ref().iter().map(|octet| format!(".{octet}")).collect()
}

/// A row of each table for notifications by community, made with `snmpset`.
fn configure(admin: &Manager<'_>, receiver: SocketAddr, version: Version, is_inform: bool) {
    let (model, security) = if version == Version::V1 { ("0", "1") } else { ("1", "2") };
    let SocketAddr::V4(v4) = receiver else { panic!("an IPv4 address") };
    let address: String =
        v4.ip().octets().into_iter().chain(v4.port().to_be_bytes()).map(|octet| format!("{octet:02x}")).collect();
    let row = dotted("one");
    let set = |entry: &str, cells: &[(u32, &str, &str)]| {
        let names: Vec<String> =
            cells.iter().map(|(column, ..)| format!(".1.3.6.1.6.3.{entry}.{column}{row}")).collect();
        let arguments: Vec<&str> =
            names.iter().zip(cells).flat_map(|(name, (_, kind, value))| [&**name, kind, value]).collect();
        admin.run("snmpset", &[], &arguments);
    };
    set("18.1.1.1", &[(8, "i", "4"), (2, "s", Snmptrapd::COMMUNITY), (3, "s", "teller")]);
    set("12.1.3.1", &[(7, "i", "4"), (2, "i", model), (3, "i", security), (4, "s", "teller"), (5, "i", "1")]);
    set(
        "12.1.2.1",
        &[(9, "i", "4"), (2, "o", ".1.3.6.1.6.1.1"), (3, "x", &address), (6, "s", "noc spare"), (7, "s", "one")],
    );
    set("13.1.1.1", &[(5, "i", "4"), (2, "s", "noc"), (3, "i", if is_inform { "2" } else { "1" })]);
    admin.run("snmpvacm", &[], &["createSec2Group", security, "teller", "tellers"]);
    admin.run("snmpvacm", &[], &["createAccess", "tellers", "0", "1", "1", "none", "none", "all"]);
}

#[test]
fn traps_and_informs_go_to_who_wants_them_and_may() {
    let tools = require!(NetSnmp::new());
    for (version, is_inform) in [(Version::V1, false), (Version::V2c, false), (Version::V2c, true)] {
        let receiver = require!(Snmptrapd::start(None));
        let agent = Agent::start(AuthProtocolId::Sha1, PrivProtocolId::Aes128);
        let admin = Manager::new(&tools, &agent, ADMIN, ("SHA", PASSWORD), Some(("AES", PASSWORD)));
        configure(&admin, receiver.address(), version, is_inform);
        let mut under_way = Notifications::new(agent.engine.clone(), [7; 32]);
        let sent = notify(&agent, &mut under_way, &link_down());
        let expected =
            Notified { traps: usize::from(!is_inform), informs: usize::from(is_inform), ..Notified::default() };
        assert_eq!(sent, expected);
        assert_eq!(run(&mut under_way), (usize::from(is_inform), vec![]));
        let heard = receiver.wait_for(1);
        assert_eq!(heard.len(), 1);
        assert!(heard[0].variables.iter().any(|text| text.starts_with(".1.3.6.1.2.1.2.2.1.1.3 ")), "{heard:?}");
        let kind = if is_inform { "INFORM" } else { "TRAP" };
        assert!(heard[0].security.starts_with(kind), "{heard:?}");

        // A filter profile with nothing in it lets nothing pass; then all but links, then all.
        let profile = format!(".1.3.6.1.6.3.13.1.2.1.1{}", dotted("one"));
        let status = format!(".1.3.6.1.6.3.13.1.2.1.3{}", dotted("one"));
        admin.run("snmpset", &[], &[&status, "i", "4", &profile, "s", "p"]);
        let filtered = Notified { filtered: 1, ..Notified::default() };
        assert_eq!(notify(&agent, &mut under_way, &link_down()), filtered);
        let filter = |column: u32, subtree: &str| format!(".1.3.6.1.6.3.13.1.3.1.{column}.1.112.{subtree}");
        admin.run("snmpset", &[], &[&filter(5, "1.3.6.1"), "i", "4"]);
        admin.run(
            "snmpset",
            &[],
            &[
                &filter(5, "1.3.6.1.2.1.2.2.1.0.3"),
                "i",
                "4",
                &filter(2, "1.3.6.1.2.1.2.2.1.0.3"),
                "x",
                "ffa0",
                &filter(3, "1.3.6.1.2.1.2.2.1.0.3"),
                "i",
                "2",
            ],
        );
        assert_eq!(notify(&agent, &mut under_way, &link_down()), filtered, "a variable is excluded");
        admin.run("snmpset", &[], &[&filter(5, "1.3.6.1.2.1.2.2.1.0.3"), "i", "6"]);
        assert_eq!(notify(&agent, &mut under_way, &link_down()), expected);

        admin.run("snmpvacm", &[], &["deleteAccess", "tellers", "0", "1"]);
        let denied = Notified { denied: 1, ..Notified::default() };
        assert_eq!(notify(&agent, &mut under_way, &link_down()), denied);
    }
}

/// The engine of a receiver, which an inform's keys are localized for: an inform discovers it.
fn engine_of(agent: &Agent, receiver: SocketAddr) -> EngineId {
    let security_name = name("none");
    let user = UsmUser {
        security_name: security_name.clone(),
        user_name: security_name.clone(),
        engine_id: None,
        auth: None,
        privacy: None,
    };
    agent.users.insert(user).unwrap();
    let mut manager = LibraryManager::new(agent.engine.clone(), [3; 32]);
    let target = manager.add_target(TargetConfig {
        address: receiver,
        version: Version::V3,
        security_name,
        level: SecurityLevel::NoAuthNoPriv,
        context_name: Name::default(),
        context_engine_id: None,
        engine_id: None,
        timing: Timing::fixed(Duration::from_secs(2), 10),
        max_outstanding: 1,
    });
    manager.submit(target, RequestKind::Inform, link_down().to_v2_varbinds(), 0).unwrap();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    let mut buffer = vec![0; MAX_MESSAGE_OCTETS];
    let start = Instant::now();
    loop {
        while let Some(transmit) = manager.poll_transmit(Instant::now(), &mut buffer) {
            socket.send_to(&buffer[buffer.len() - transmit.length..], transmit.address).unwrap();
        }
        if let Some(engine_id) = manager.engine_of(target) {
            return engine_id;
        }
        assert!(start.elapsed() < PATIENCE, "the receiver does not tell its engine");
        if let Ok((length, from)) = socket.recv_from(&mut buffer) {
            manager.handle_datagram(Instant::now(), from, &mut buffer[..length]);
        }
        manager.handle_timeout(Instant::now());
    }
}

#[test]
fn users_tell_by_trap_and_by_inform() {
    let agent = Agent::start(AuthProtocolId::Sha1, PrivProtocolId::Aes128);
    let receiver = require!(Snmptrapd::start(Some(agent.engine.id().as_octets())));
    let remote = engine_of(&agent, receiver.address());
    let heard_before = receiver.wait_for(1).len();
    // A trap is secured by our own engine, an inform by the receiver's.
    let key = |password: &str| {
        let auth = AuthProtocolId::Sha256.built_in();
        UserKey::Master(password_to_key(&*auth, password.as_bytes()).unwrap())
    };
    for (user_name, engine_id) in [("auth-SHA-256", None), ("priv-SHA-256-AES", Some(remote))] {
        let is_private = user_name.starts_with("priv");
        let user = UsmUser {
            security_name: name(user_name),
            user_name: name(user_name),
            engine_id,
            auth: Some((AuthProtocolId::Sha256, key("authentication-pass"))),
            privacy: is_private.then(|| (PrivProtocolId::Aes128, key("privacy-pass"))),
        };
        agent.usm.put_user(&user, StorageType::NonVolatile).unwrap();
        let target = Target {
            name: name(user_name),
            address: receiver.address(),
            timeout: Duration::from_secs(2),
            retries: 5,
            params: TargetParams {
                name: name(user_name),
                version: Version::V3,
                security_model: security_model::USM,
                security_name: name(user_name),
                level: user.max_level(),
            },
        };
        agent.targets.put_target(&target, user_name, StorageType::NonVolatile).unwrap();
        let row = Notify { name: name(user_name), tag: user_name.into(), is_inform: engine_id.is_some() };
        agent.notifications.put_notify(&row, StorageType::NonVolatile).unwrap();
    }
    let tools = receiver.tools();
    let admin = Manager::new(tools, &agent, ADMIN, ("SHA", PASSWORD), Some(("AES", PASSWORD)));
    for user_name in ["auth-SHA-256", "priv-SHA-256-AES"] {
        admin.run("snmpvacm", &[], &["createSec2Group", "3", user_name, "tellers"]);
    }
    admin.run("snmpvacm", &[], &["createAccess", "tellers", "3", "2", "1", "none", "none", "all"]);
    let mut under_way = Notifications::new(agent.engine.clone(), [9; 32]);
    let sent = notify(&agent, &mut under_way, &link_down());
    assert_eq!(sent, Notified { traps: 1, informs: 1, ..Notified::default() });
    assert_eq!(run(&mut under_way), (1, vec![]));
    let heard = receiver.wait_for(heard_before + 2);
    for (kind, user_name) in [("TRAP2", "auth-SHA-256"), ("INFORM", "priv-SHA-256-AES")] {
        let by = |security: &str| security.starts_with(kind) && security.contains(user_name);
        assert!(heard.iter().any(|notification| by(&notification.security)), "{heard:?}");
    }
}
