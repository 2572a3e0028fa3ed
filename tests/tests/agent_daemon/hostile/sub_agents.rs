//! Octets at the socket for sub-agents that are no AgentX, or hardly.

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hamsa_fuzz::{Format, mutate};
use hamsa_snmp::Oid;
use hamsa_snmp::agentx::{Body, ByteOrder, Header, Packet, Registration};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};

/// Connections at most: each is a thread of the agent for a moment.
const MAX_CONNECTIONS: usize = 2000;

/// Connects and sends until it is told to end; how often it could connect. The master may be in the middle of a swap,
/// and turn a connection away.
pub fn pester(socket: &Path, seed: u64, is_over: &AtomicBool) -> usize {
    let mut rng = StdRng::seed_from_u64(seed);
    let packets = packets();
    let mut connections = 0;
    while !is_over.load(Ordering::Acquire) && connections < MAX_CONNECTIONS {
        let Ok(mut stream) = UnixStream::connect(socket) else { continue };
        connections += 1;
        let _ = stream.set_write_timeout(Some(Duration::from_secs(1)));
        for _ in 0..rng.random_range(1..6) {
            let (base, other) = (packets.choose(&mut rng).unwrap(), packets.choose(&mut rng).unwrap());
            let octets =
                if rng.random_ratio(1, 3) { base.clone() } else { mutate(&mut rng, Format::Octets, base, other) };
            // It may have ended the connection.
            if stream.write_all(&octets).is_err() {
                break;
            }
        }
    }
    connections
}

fn packets() -> Vec<Vec<u8>> {
    let subtree: Oid = "1.3.6.1.4.1.32473.9".parse().unwrap();
    let registration = Registration { timeout_s: 1, priority: 127, subtree, range: None, is_instance: false };
    let bodies = [
        Body::Open { timeout_s: 1, id: "0.0".parse().unwrap(), description: b"nobody".as_slice().into() },
        Body::Register(registration.clone()),
        Body::Unregister(registration),
        Body::Ping,
        Body::Notify(Vec::new()),
        Body::Close { reason: 1 },
    ];
    let orders = [ByteOrder::Network, ByteOrder::Little];
    let all = bodies.iter().flat_map(|body| orders.map(|order| (order, body.clone())));
    all.map(|(order, body)| {
        let header = Header { order, session: 1, transaction: 1, packet: 1 };
        Packet::new(header, body).encode()
    })
    .collect()
}
