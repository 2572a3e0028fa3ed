//! A sub-agent made by hand.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use hamsa_snmp::Oid;
use hamsa_snmp::agentx::{
    Body, ByteOrder, HEADER_OCTETS, Header, Packet, Registration, Response, Variable, frame_octets,
};
use hamsa_testkit::limits::LIVENESS;

use crate::support::Agent;

/// A sub-agent that does what a test wants.
pub struct Fake {
    stream: UnixStream,
    pub session: u32,
}

impl Fake {
    pub fn connect_only(agent: &Agent) -> Self {
        let stream = UnixStream::connect(agent.socket()).unwrap();
        stream.set_read_timeout(Some(LIVENESS)).unwrap();
        Fake { stream, session: 0 }
    }

    pub fn connect(agent: &Agent) -> Self {
        let mut fake = Fake::connect_only(agent);
        fake.send(Body::Open { timeout_s: 1, id: oid("0.0"), description: b"fake".as_slice().into() });
        let opened = fake.receive().unwrap();
        fake.session = opened.header.session;
        let subtree = oid("1.3.6.1.4.1.32473.9");
        let registration = Registration { timeout_s: 0, priority: 127, subtree, range: None, is_instance: false };
        fake.send(Body::Register(registration));
        assert_eq!(error(fake.receive().unwrap()), 0);
        fake
    }

    pub fn send(&mut self, body: Body) {
        let header = Header { order: ByteOrder::Network, session: self.session, transaction: 1, packet: 1 };
        self.stream.write_all(&Packet::new(header, body).encode()).unwrap();
    }

    /// `None`: the connection has ended.
    pub fn receive(&mut self) -> Option<Packet> {
        let mut octets = vec![0; HEADER_OCTETS];
        self.stream.read_exact(&mut octets).ok()?;
        octets.resize(frame_octets(octets.first_chunk().unwrap()).unwrap(), 0);
        self.stream.read_exact(&mut octets[HEADER_OCTETS..]).unwrap();
        Some(Packet::decode(&octets).unwrap())
    }

    pub fn answer(&mut self, to: &Packet, variables: Vec<Variable>) {
        let response = Response { uptime_ticks: 0, error: 0, index: 0, variables };
        let packet = Packet::new(to.header, Body::Response(response));
        self.stream.write_all(&packet.encode()).unwrap();
    }
}

pub fn oid(text: &str) -> Oid {
    text.parse().unwrap()
}

pub fn error(packet: Packet) -> u16 {
    let Body::Response(response) = packet.body else { panic!("{packet:?}") };
    response.error
}
