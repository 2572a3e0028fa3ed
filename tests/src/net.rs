//! Loopback addresses that tests don't share: Linux answers for all of 127.0.0.0/8, so each caller gets an address of
//! its own there, and a port that another test happens to use can't be in the way.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::sync::atomic::{AtomicU32, Ordering};

/// An address of 127.0.0.0/8 for the caller alone: no other call in this process gets it, and those of test processes
/// that run beside it get others.
pub fn loopback() -> Ipv4Addr {
    // Each process has 64 numbers of its own, and then those of process ids far away.
    static CALLS: AtomicU32 = AtomicU32::new(0);
    let number = std::process::id().wrapping_mul(64).wrapping_add(CALLS.fetch_add(1, Ordering::Relaxed));
    // No octet is 0 or 255, and the second is never 0: 127.0.0.1 and its neighbours stay free.
    let octet = |position: u32| (1 + number / 254_u32.pow(position) % 254) as u8;
    Ipv4Addr::new(127, octet(2), octet(1), octet(0))
}

/// A UDP address on a [`loopback`] address that nothing is bound to.
///
/// # Panics
/// The system has no port left.
pub fn free_udp() -> SocketAddr {
    free(|address| UdpSocket::bind(address).is_ok())
}

/// A TCP address on a [`loopback`] address that nothing listens on.
///
/// # Panics
/// The system has no port left.
pub fn free_tcp() -> SocketAddr {
    free(|address| TcpListener::bind(address).is_ok())
}

/// Below the ports that Linux gives out by itself (32768 and on): a socket that gets one of those at all addresses,
/// while a fixture starts, can't be in its way.
fn free(is_free: impl Fn(SocketAddr) -> bool) -> SocketAddr {
    let ip = loopback();
    let first = ip.to_bits() % 20_000;
    let ports = (0..20_000).map(|step| 10_000 + (first + step) % 20_000);
    let mut free = ports.map(|port| SocketAddr::new(ip.into(), port as u16)).filter(|&address| is_free(address));
    free.next().expect("a port on loopback")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn addresses_differ_and_can_be_bound() {
        let addresses: BTreeSet<Ipv4Addr> = (0..600).map(|_| loopback()).collect();
        assert_eq!(addresses.len(), 600);
        assert!(addresses.iter().all(|address| address.is_loopback() && address.octets()[1] != 0));
        let (udp, tcp) = (free_udp(), free_tcp());
        assert_ne!(udp.ip(), tcp.ip());
        UdpSocket::bind(udp).unwrap();
        TcpListener::bind(tcp).unwrap();
    }
}
