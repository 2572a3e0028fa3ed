//! `hamsa sim` as a process.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};

use hamsa_testkit::{Process, free_udp};

use crate::run::command;

/// A running simulation.
pub struct Sim {
    pub process: Process,
    /// Where its first agent listens.
    pub first: SocketAddr,
}

impl Sim {
    /// What net-snmp's tools, and ours, need to be the user that every simulated agent knows.
    #[rustfmt::skip]
    pub const USER: [&str; 13] = [
        "-v3", "-l", "authPriv", "-u", "simulator", "-a", "SHA-256", "-A", "auctoritas", "-x", "AES", "-X", "privatus",
    ];

    /// Starts one at a free address.
    #[track_caller]
    pub fn start(arguments: &[&str]) -> Self {
        Self::start_at(free_udp(), arguments)
    }

    /// Starts one whose first agent is here, and waits until it listens.
    #[track_caller]
    pub fn start_at(first: SocketAddr, arguments: &[&str]) -> Self {
        let address = first.to_string();
        let arguments = [&["sim", "--first", &address], arguments].concat();
        let mut process = Process::spawn("hamsa-sim", &mut command(&arguments));
        process.wait_until("the simulation listens", |process| {
            process.stderr().contains(" Ctrl-C ends it.\n").then_some(())
        });
        Sim { process, first }
    }
}

/// A UDP port that is free at every address.
pub fn free_port() -> u16 {
    UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap().local_addr().unwrap().port()
}

/// The next address at the same port, where the next agent of a simulation listens.
pub fn next(address: SocketAddr) -> SocketAddr {
    nth(address, 1)
}

/// The address of the agent so many after the first.
pub fn nth(first: SocketAddr, number: u32) -> SocketAddr {
    match first.ip() {
        IpAddr::V4(ip) => SocketAddr::new(Ipv4Addr::from_bits(ip.to_bits() + number).into(), first.port()),
        IpAddr::V6(ip) => panic!("{ip} is not of 127.0.0.0/8"),
    }
}
