//! The proxy forwarder between net-snmp's tools and its agent: what is for snmpd's engine goes there and comes back,
//! whichever versions are on the two sides.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use hamsa_snmp::agent::mibs::{Proxy, ProxyMib, ProxyType, Target, TargetParams};
use hamsa_snmp::agent::{Forwarded, Forwardings, ProxyForwarder, ProxyTables, StorageType, Way};
use hamsa_snmp::ber::Writer;
use hamsa_snmp::engine::{Community, EngineId, Name, Statistic, security_model};
use hamsa_snmp::limits::MAX_MESSAGE_OCTETS;
use hamsa_snmp::message::{SecurityLevel, Version};
use hamsa_snmp::usm::{AuthProtocolId, PrivProtocolId, UserKey, UsmUser, password_to_key};
use hamsa_testkit::{NetSnmp, Snmpd, free_udp, require};

use crate::support::{ADMIN, Agent, PASSWORD, name};

const SYS_LOCATION: &str = ".1.3.6.1.2.1.1.6.0";

/// A socket whose requests are passed on; it ends when dropped.
struct Serving {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Serving {
    fn start(agent: &Agent, proxies: ProxyMib) -> Self {
        let address = free_udp();
        let (socket, towards) = (UdpSocket::bind(address).unwrap(), UdpSocket::bind("127.0.0.1:0").unwrap());
        for socket in [&socket, &towards] {
            socket.set_read_timeout(Some(Duration::from_millis(5))).unwrap();
        }
        let stop = Arc::new(AtomicBool::new(false));
        let (is_over, engine, targets) = (stop.clone(), agent.engine.clone(), agent.targets.clone());
        let forwarder = ProxyForwarder::new(engine.clone());
        let mut under_way = Forwardings::new(engine.clone(), [5; 32]);
        let thread = std::thread::spawn(move || {
            let tables = ProxyTables { proxies: proxies.table(), targets: targets.table() };
            let (mut message, mut buffer) = (vec![0; MAX_MESSAGE_OCTETS], vec![0; MAX_MESSAGE_OCTETS]);
            let send = |socket: &UdpSocket, buffer: &[u8], length: usize, to| {
                socket.send_to(&buffer[buffer.len() - length..], to).unwrap();
            };
            while !is_over.load(Ordering::Relaxed) {
                if let Ok((length, from)) = socket.recv_from(&mut message) {
                    let mut report = Writer::new(&mut buffer);
                    match engine.receive(Instant::now(), &mut message[..length], &mut report) {
                        Ok(received) => {
                            let arrived = (Way { from, local: None, socket: 0 }, &received);
                            let done = forwarder.forward(Instant::now(), &mut under_way, &tables, arrived, &mut buffer);
                            if let Forwarded::Dropped(Some(length)) = done {
                                send(&socket, &buffer, length, from);
                            }
                        }
                        Err(rejected) if rejected.has_report => {
                            let length = report.finish().unwrap().len();
                            send(&socket, &buffer, length, from);
                        }
                        Err(_) => {}
                    }
                }
                while let Some(transmit) = forwarder.poll_transmit(Instant::now(), &mut under_way, &mut buffer) {
                    send(&towards, &buffer, transmit.length, transmit.address);
                }
                while let Ok((length, from)) = towards.recv_from(&mut message) {
                    forwarder.handle_datagram(Instant::now(), &mut under_way, from, &mut message[..length]);
                    while let Some(transmit) = forwarder.poll_transmit(Instant::now(), &mut under_way, &mut buffer) {
                        send(&towards, &buffer, transmit.length, transmit.address);
                    }
                }
                forwarder.handle_timeout(Instant::now(), &mut under_way);
                while let Some(answer) = under_way.poll_answer(&mut buffer) {
                    send(&socket, &buffer, answer.length, answer.way.from);
                }
            }
        });
        Serving { address, stop, thread: Some(thread) }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let ended = self.thread.take().expect("not joined yet").join();
        assert!(ended.is_ok() || std::thread::panicking(), "the forwarder panicked");
    }
}

fn params(label: &str, version: Version, security_name: &str, level: SecurityLevel) -> TargetParams {
    let security_model = match version {
        Version::V1 => security_model::V1,
        Version::V2c => security_model::V2C,
        Version::V3 => security_model::USM,
    };
    TargetParams { name: name(label), version, security_model, security_name: name(security_name), level }
}

#[test]
fn requests_for_another_engine_go_there_and_come_back() {
    let snmpd = require!(Snmpd::start());
    let tools = require!(NetSnmp::new());
    let remote = EngineId::new(snmpd.engine_id()).unwrap();
    for towards in [Version::V1, Version::V2c, Version::V3] {
        let agent = Agent::start(AuthProtocolId::Sha1, PrivProtocolId::Aes128);
        let key = |password: &str| {
            let auth = AuthProtocolId::Sha256.built_in();
            UserKey::Master(password_to_key(&*auth, password.as_bytes()).unwrap())
        };
        let user = UsmUser {
            security_name: name("priv-SHA-256-AES"),
            user_name: name("priv-SHA-256-AES"),
            engine_id: Some(remote),
            auth: Some((AuthProtocolId::Sha256, key("authentication-pass"))),
            privacy: Some((PrivProtocolId::Aes128, key("privacy-pass"))),
        };
        agent.usm.put_user(&user, StorageType::NonVolatile).unwrap();
        let out = Community::new(Snmpd::WRITE_COMMUNITY.as_bytes(), name("out"));
        agent.communities.put_community(&name("out"), &out, StorageType::NonVolatile).unwrap();
        // A community that stands for the other engine's context (RFC 3584 §5.2.1).
        let far = Community { context_engine_id: remote, ..Community::new(b"far", name("near")) };
        agent.communities.put_community(&name("far"), &far, StorageType::NonVolatile).unwrap();

        let to = match towards {
            Version::V3 => params("out", towards, "priv-SHA-256-AES", SecurityLevel::AuthPriv),
            _ => params("out", towards, "out", SecurityLevel::NoAuthNoPriv),
        };
        let put = |label: &str, address, params| {
            let timeout = Duration::from_secs(5);
            let target = Target { name: name(label), address, timeout, retries: 1, params };
            agent.targets.put_target(&target, "", StorageType::NonVolatile).unwrap();
        };
        put("out", snmpd.address(), to);
        let unused = free_udp();
        put("in-user", unused, params("in-user", Version::V3, ADMIN, SecurityLevel::AuthPriv));
        put("in-v1", unused, params("in-v1", Version::V1, "near", SecurityLevel::NoAuthNoPriv));
        let proxies = ProxyMib::of(Arc::default());
        let row = |label: &str, kind, from: &str, to: &str| {
            let row = Proxy {
                name: name(label),
                kind,
                context_engine_id: remote,
                context_name: Name::default(),
                params_in: name(from),
                single_target: name(to),
                multiple_targets: Vec::new(),
            };
            proxies.put_proxy(&row, StorageType::NonVolatile).unwrap();
        };
        row("a", ProxyType::Read, "in-user", "out");
        row("b", ProxyType::Read, "in-v1", "out");
        row("c", ProxyType::Write, "in-user", "gone");
        let serving = Serving::start(&agent, proxies);

        let address = serving.address.to_string();
        let hex: String = snmpd.engine_id().iter().map(|octet| format!("{octet:02x}")).collect();
        let user = ["-v3", "-l", "authPriv", "-u", ADMIN, "-a", "SHA", "-A", PASSWORD, "-x", "AES", "-X", PASSWORD];
        let through = |tool: &str, who: &[&str], arguments: &[&str]| {
            let all = [who, &["-t", "5", "-r", "1", "-On"], &[&address], arguments].concat();
            tools.run(tool, all).map_err(|error| error.to_string())
        };
        let by_user = [&user[..], &["-E", &hex]].concat();
        let location = through("snmpget", &by_user, &[SYS_LOCATION]).unwrap();
        assert!(location.contains(Snmpd::LOCATION), "{towards:?}: {location}");
        let walked = through("snmpbulkwalk", &by_user, &[".1.3.6.1.2.1.1.9"]).unwrap();
        assert!(walked.lines().count() > 20, "{towards:?}: {walked}");
        let v1 = ["-v1", "-c", "far"];
        assert!(through("snmpget", &v1, &[SYS_LOCATION]).unwrap().contains(Snmpd::LOCATION), "{towards:?}");
        let nothing = through("snmpget", &v1, &[".1.3.6.1.2.1.1.77.0"]).unwrap_err();
        assert!(nothing.contains("noSuchName"), "{towards:?}: {nothing}");
        // There is a row, but no such target.
        let drops = agent.engine.stats().get(Statistic::ProxyDrops);
        through("snmpset", &by_user, &[SYS_LOCATION, "s", "x"]).unwrap_err();
        assert!(agent.engine.stats().get(Statistic::ProxyDrops) > drops, "{towards:?}");
    }
}
