//! Datagram sockets, in batches. Linux: `recvmmsg`, `sendmmsg`, `IP_PKTINFO`.

mod udp;

pub use udp::{Arrival, BindError, BoundUdp, UdpBatch, UdpOptions, UdpStats};
