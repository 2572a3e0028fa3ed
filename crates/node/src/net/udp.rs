//! One UDP socket that takes and gives many datagrams with one system call, and knows which of the host's
//! addresses each one was for.
//!
//! Half of what a poller spends is the system call for each datagram; `recvmmsg` and `sendmmsg` share it.
//! The default receive buffer loses packets at some 1,000 requests under way, so a large one is asked for.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, MultiHeaders, SockaddrStorage, recvmmsg, sendmmsg, sendmsg,
    setsockopt, sockopt,
};

use crate::limits::{BATCH_DATAGRAMS, DATAGRAM_OCTETS, MAX_SEND_WAIT};

/// How to set a socket up.
#[derive(Debug, Clone, Copy)]
pub struct UdpOptions {
    /// `SO_RCVBUF` to ask for, in octets. The kernel may grant less (`net.core.rmem_max`).
    pub receive_buffer_bytes: usize,
    /// Whether to tell, and be able to choose, the local address of each datagram.
    pub local_addresses: bool,
}

/// A socket can't be had.
#[derive(Debug, thiserror::Error)]
#[error("can't listen on UDP {address}: {source}{}", self.advice())]
pub struct BindError {
    /// What was asked for.
    pub address: SocketAddr,
    /// Why not.
    pub source: io::Error,
}

impl BindError {
    fn advice(&self) -> &'static str {
        match self.source.kind() {
            io::ErrorKind::PermissionDenied => {
                " (ports below 1024 need root or CAP_NET_BIND_SERVICE; or choose another port)"
            }
            io::ErrorKind::AddrInUse => " (another program listens there; `ss -ulpn` names it)",
            io::ErrorKind::AddrNotAvailable => " (this host has no such address)",
            _ => "",
        }
    }
}

/// A datagram that has arrived.
#[derive(Debug)]
pub struct Arrival<'b> {
    /// Who sent it.
    pub from: SocketAddr,
    /// The local address that it was sent to, where the socket tells.
    pub to: Option<IpAddr>,
    /// Its contents.
    pub datagram: &'b mut [u8],
}

/// What a socket has carried.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct UdpStats {
    /// Datagrams received.
    pub received: u64,
    /// System calls for them.
    pub receive_calls: u64,
    /// Datagrams sent.
    pub sent: u64,
    /// System calls for them.
    pub send_calls: u64,
    /// Datagrams that the kernel would not send: no route, a firewall, a full buffer.
    pub send_errors: u64,
}

/// A bound socket. Unlike [`UdpBatch`] it can go to the thread that will use it.
#[derive(Debug)]
pub struct BoundUdp {
    socket: UdpSocket,
    local_addresses: bool,
}

impl UdpStats {
    /// Both together.
    #[must_use]
    pub fn plus(self, other: UdpStats) -> UdpStats {
        UdpStats {
            received: self.received + other.received,
            receive_calls: self.receive_calls + other.receive_calls,
            sent: self.sent + other.sent,
            send_calls: self.send_calls + other.send_calls,
            send_errors: self.send_errors + other.send_errors,
        }
    }
}

struct Queued {
    to: SockaddrStorage,
    from: Option<IpAddr>,
    start: usize,
    end: usize,
}

/// A UDP socket for batches.
pub struct UdpBatch {
    socket: UdpSocket,
    local_addresses: bool,
    headers: MultiHeaders<SockaddrStorage>,
    buffers: Vec<Box<[u8]>>,
    send_headers: MultiHeaders<SockaddrStorage>,
    queue: Vec<Queued>,
    octets: Vec<u8>,
    arrived: Vec<(usize, SocketAddr, Option<IpAddr>)>,
    stats: UdpStats,
}

impl BoundUdp {
    /// Binds a socket.
    pub fn bind(address: SocketAddr, options: UdpOptions) -> Result<Self, BindError> {
        let failed = |source| BindError { address, source };
        let socket = UdpSocket::bind(address).map_err(failed)?;
        socket.set_nonblocking(true).map_err(failed)?;
        // What the kernel does not grant is no error: /metrics tells drops.
        let _ = setsockopt(&socket, sockopt::RcvBuf, &options.receive_buffer_bytes);
        if options.local_addresses {
            match address {
                SocketAddr::V4(_) => setsockopt(&socket, sockopt::Ipv4PacketInfo, &true),
                SocketAddr::V6(_) => setsockopt(&socket, sockopt::Ipv6RecvPacketInfo, &true),
            }
            .map_err(|errno| failed(errno.into()))?;
        }
        Ok(BoundUdp { socket, local_addresses: options.local_addresses })
    }

    /// Where the socket is bound.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Another handle of the same socket, for another thread.
    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(BoundUdp { socket: self.socket.try_clone()?, local_addresses: self.local_addresses })
    }

    /// Makes room for batches of the usual size.
    pub fn into_batch(self) -> UdpBatch {
        self.into_batch_of(BATCH_DATAGRAMS)
    }

    /// Makes room for batches of some datagrams, 64 KiB each: few, where there are many sockets.
    pub fn into_batch_of(self, datagrams: usize) -> UdpBatch {
        let BoundUdp { socket, local_addresses } = self;
        let space = local_addresses.then(|| nix::cmsg_space!(nix::libc::in6_pktinfo));
        let datagrams = datagrams.clamp(1, BATCH_DATAGRAMS);
        UdpBatch {
            socket,
            local_addresses,
            headers: MultiHeaders::preallocate(datagrams, space),
            buffers: (0..datagrams).map(|_| vec![0; DATAGRAM_OCTETS].into_boxed_slice()).collect(),
            send_headers: MultiHeaders::preallocate(datagrams, None),
            queue: Vec::with_capacity(datagrams),
            octets: Vec::new(),
            arrived: Vec::with_capacity(datagrams),
            stats: UdpStats::default(),
        }
    }
}

impl UdpBatch {
    /// Binds a socket.
    pub fn bind(address: SocketAddr, options: UdpOptions) -> Result<Self, BindError> {
        Ok(BoundUdp::bind(address, options)?.into_batch())
    }

    /// Where the socket is bound.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// The receive buffer that the kernel has granted, in octets of its own accounting.
    pub fn receive_buffer_bytes(&self) -> usize {
        nix::sys::socket::getsockopt(&self.socket, sockopt::RcvBuf).unwrap_or(0)
    }

    /// The most datagrams of one batch: where [`UdpBatch::receive`] returns fewer, no more are there.
    pub fn batch_size(&self) -> usize {
        self.buffers.len()
    }

    /// What the socket has carried.
    pub fn stats(&self) -> UdpStats {
        self.stats
    }

    /// Takes what has arrived, at most one batch, without waiting; returns how many.
    pub fn receive(&mut self, mut handle: impl FnMut(Arrival<'_>)) -> io::Result<usize> {
        self.arrived.clear();
        {
            let mut slices: Vec<[IoSliceMut<'_>; 1]> =
                self.buffers.iter_mut().map(|buffer| [IoSliceMut::new(buffer)]).collect();
            let fd = self.socket.as_raw_fd();
            let results = match recvmmsg(fd, &mut self.headers, slices.iter_mut(), MsgFlags::MSG_DONTWAIT, None) {
                Ok(results) => results,
                Err(Errno::EAGAIN | Errno::EINTR) => return Ok(0),
                // An ICMP error that an earlier datagram met: no reason to stop listening.
                Err(Errno::ECONNREFUSED | Errno::EHOSTUNREACH | Errno::ENETUNREACH) => return Ok(0),
                Err(errno) => return Err(errno.into()),
            };
            for message in results {
                let Some(from) = message.address.as_ref().and_then(from_sockaddr) else { continue };
                let to = if self.local_addresses { message.cmsgs().ok().and_then(local_address) } else { None };
                self.arrived.push((message.bytes, from, to));
            }
        }
        self.stats.receive_calls += 1;
        self.stats.received += self.arrived.len() as u64;
        for (buffer, &(length, from, to)) in self.buffers.iter_mut().zip(&self.arrived) {
            handle(Arrival { from, to, datagram: &mut buffer[..length] });
        }
        Ok(self.arrived.len())
    }

    /// Queues a datagram; sends the batch when it is full. `from` chooses the local address.
    pub fn queue(&mut self, to: SocketAddr, from: Option<IpAddr>, datagram: &[u8]) {
        let start = self.octets.len();
        self.octets.extend_from_slice(datagram);
        self.queue.push(Queued { to: to.into(), from, start, end: self.octets.len() });
        if self.queue.len() == self.buffers.len() {
            self.flush();
        }
    }

    /// Sends what is queued. A datagram that the kernel refuses is counted and dropped, as a network would.
    pub fn flush(&mut self) {
        let mut done = 0;
        while done < self.queue.len() {
            match self.send_some(done) {
                Ok(sent) => {
                    self.stats.sent += sent as u64;
                    done += sent.max(1);
                }
                Err(Errno::EAGAIN) if self.wait_for_room() => {}
                Err(Errno::EINTR) => {}
                Err(_) => {
                    self.stats.send_errors += 1;
                    done += 1;
                }
            }
        }
        self.queue.clear();
        self.octets.clear();
    }

    /// Sends from the queue's element `first` on, as many as one system call takes.
    fn send_some(&mut self, first: usize) -> Result<usize, Errno> {
        self.stats.send_calls += 1;
        let batch = &self.queue[first..];
        let fd = self.socket.as_raw_fd();
        if let Some(from) = batch[0].from {
            let datagram = [IoSlice::new(&self.octets[batch[0].start..batch[0].end])];
            return send_from(fd, &datagram, from, &batch[0].to).map(|_| 1);
        }
        let count = batch.iter().take_while(|queued| queued.from.is_none()).count();
        let slices: Vec<[IoSlice<'_>; 1]> =
            batch[..count].iter().map(|queued| [IoSlice::new(&self.octets[queued.start..queued.end])]).collect();
        let addresses: Vec<Option<SockaddrStorage>> = batch[..count].iter().map(|queued| Some(queued.to)).collect();
        let flags = MsgFlags::MSG_DONTWAIT;
        let sent = sendmmsg(fd, &mut self.send_headers, slices.iter(), addresses, [], flags)?;
        Ok(sent.count())
    }

    /// Waits, not for long, until the kernel takes datagrams again.
    fn wait_for_room(&self) -> bool {
        let mut fds = [PollFd::new(self.socket.as_fd(), PollFlags::POLLOUT)];
        let wait = PollTimeout::try_from(MAX_SEND_WAIT).unwrap_or(PollTimeout::ZERO);
        poll(&mut fds, wait).is_ok_and(|ready| ready > 0)
    }
}

impl AsFd for UdpBatch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl AsRawFd for UdpBatch {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

fn send_from(fd: RawFd, datagram: &[IoSlice<'_>], from: IpAddr, to: &SockaddrStorage) -> Result<usize, Errno> {
    let flags = MsgFlags::MSG_DONTWAIT;
    match from {
        IpAddr::V4(address) => {
            let source = nix::libc::in_addr { s_addr: u32::from(address).to_be() };
            let info = nix::libc::in_pktinfo {
                ipi_ifindex: 0,
                ipi_spec_dst: source,
                ipi_addr: nix::libc::in_addr { s_addr: 0 },
            };
            sendmsg(fd, datagram, &[ControlMessage::Ipv4PacketInfo(&info)], flags, Some(to))
        }
        IpAddr::V6(address) => {
            let source = nix::libc::in6_addr { s6_addr: address.octets() };
            let info = nix::libc::in6_pktinfo { ipi6_addr: source, ipi6_ifindex: 0 };
            sendmsg(fd, datagram, &[ControlMessage::Ipv6PacketInfo(&info)], flags, Some(to))
        }
    }
}

fn local_address(messages: impl Iterator<Item = ControlMessageOwned>) -> Option<IpAddr> {
    messages.into_iter().find_map(|message| match message {
        ControlMessageOwned::Ipv4PacketInfo(info) => Some(Ipv4Addr::from(u32::from_be(info.ipi_addr.s_addr)).into()),
        ControlMessageOwned::Ipv6PacketInfo(info) => Some(Ipv6Addr::from(info.ipi6_addr.s6_addr).into()),
        _ => None,
    })
}

fn from_sockaddr(address: &SockaddrStorage) -> Option<SocketAddr> {
    if let Some(v4) = address.as_sockaddr_in() {
        return Some(SocketAddrV4::new(v4.ip(), v4.port()).into());
    }
    let v6 = address.as_sockaddr_in6()?;
    Some(SocketAddrV6::new(v6.ip(), v6.port(), 0, v6.scope_id()).into())
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    const OPTIONS: UdpOptions = UdpOptions { receive_buffer_bytes: 1 << 20, local_addresses: true };

    fn bind(address: &str) -> UdpBatch {
        UdpBatch::bind(address.parse().unwrap(), OPTIONS).unwrap()
    }

    fn receive(socket: &mut UdpBatch, count: usize) -> Vec<(SocketAddr, Option<IpAddr>, Vec<u8>)> {
        let give_up = Instant::now() + Duration::from_secs(60);
        let mut all = Vec::new();
        while all.len() < count && Instant::now() < give_up {
            socket.receive(|a| all.push((a.from, a.to, a.datagram.to_vec()))).unwrap();
        }
        all
    }

    #[test]
    fn batches_arrive_whole_and_say_where_they_were_sent() {
        for (server, addresses) in [("0.0.0.0:0", ["127.0.0.1", "127.77.3.4"]), ("[::1]:0", ["::1", "::1"])] {
            let mut server = bind(server);
            let port = server.local_addr().unwrap().port();
            let mut client = bind(if addresses[0].contains(':') { "[::1]:0" } else { "127.0.0.1:0" });
            for i in 0..200u8 {
                let to: IpAddr = addresses[usize::from(i % 2)].parse().unwrap();
                client.queue((to, port).into(), None, &vec![i; usize::from(i) * 40]);
            }
            client.flush();
            let all = receive(&mut server, 200);
            assert_eq!(all.len(), 200);
            for (i, (from, to, datagram)) in (0u8..).zip(&all) {
                assert_eq!(from.port(), client.local_addr().unwrap().port());
                assert_eq!(to.unwrap().to_string(), addresses[usize::from(i % 2)]);
                assert_eq!(*datagram, vec![i; usize::from(i) * 40]);
            }
            assert_eq!(client.stats().sent, 200);
            assert!(client.stats().send_calls <= 4);

            // The answer comes from the address that was asked.
            server.queue(client.local_addr().unwrap(), Some(addresses[1].parse().unwrap()), b"answer");
            server.flush();
            let answer = receive(&mut client, 1);
            assert_eq!(answer[0].0.ip().to_string(), addresses[1]);
        }
    }

    #[test]
    fn a_datagram_that_can_not_be_sent_does_not_stop_the_others() {
        let mut server = bind("127.0.0.1:0");
        let mut client = bind("127.0.0.1:0");
        let to = server.local_addr().unwrap();
        client.queue(to, None, b"first");
        client.queue("[::1]:9".parse().unwrap(), None, b"wrong family");
        client.queue(to, None, b"last");
        client.flush();
        let all = receive(&mut server, 2);
        assert_eq!(all.iter().map(|(.., octets)| octets.as_slice()).collect::<Vec<_>>(), [&b"first"[..], b"last"]);
        assert_eq!(client.stats().send_errors, 1);
    }

    #[test]
    fn a_port_in_use_is_explained() {
        let first = bind("127.0.0.1:0");
        let error = UdpBatch::bind(first.local_addr().unwrap(), OPTIONS).err().unwrap();
        assert!(error.to_string().contains("another program listens there"), "{error}");
    }
}
