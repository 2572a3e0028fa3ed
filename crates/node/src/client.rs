//! A manager with sockets of its own, for tools that ask and wait: the command line, discovery. No thread and no
//! schedule; polling devices is [`crate::io_loop`]'s.
//!
//! [`Client::ask`] carries one request to its end. With many under way, submit them to [`Client::manager`] and call
//! [`Client::turn`] until all have ended.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use hamsa_snmp::VarBindBuf;
use hamsa_snmp::engine::Engine;
use hamsa_snmp::limits::MAX_MESSAGE_OCTETS;
use hamsa_snmp::manager::{
    Completion, Failure, Handled, Manager, RequestError, RequestKind, SubmitError, TargetConfig, TargetId,
};
use hamsa_snmp::pdu::Pdu;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::limits::MAX_CLIENT_WAIT;
use crate::net::{BindError, UdpBatch, UdpOptions, UdpStats};

/// How a [`Client`] works.
#[derive(Debug, Clone)]
pub struct ClientOptions {
    /// Makes request identifiers; let it be unpredictable.
    pub seed: [u8; 32],
    /// What its sockets ask of the kernel as receive buffer, in octets.
    pub receive_buffer_bytes: usize,
    /// Ends every wait when it is set, by a signal's handler, say.
    pub stop: Arc<AtomicBool>,
}

/// A request that has ended.
#[derive(Debug)]
pub enum Ended<'m> {
    /// By an answer.
    Completed(Completion<'m>),
    /// Without a usable one.
    Failed(Failure),
}

/// Why waiting ended before the requests did.
#[derive(Debug, thiserror::Error)]
pub enum WaitError {
    /// [`ClientOptions::stop`] was set.
    #[error("interrupted")]
    Interrupted,
    /// The kernel gave up on a socket.
    #[error("receiving failed: {0}")]
    Receive(io::Error),
}

/// Why a request brought no answer.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum AskError {
    #[error(transparent)]
    Submit(#[from] SubmitError),
    #[error(transparent)]
    Request(#[from] RequestError),
    #[error(transparent)]
    Wait(#[from] WaitError),
}

/// A manager and its sockets, one for each address family that is in use.
pub struct Client {
    manager: Manager,
    sockets: Vec<Socket>,
    options: ClientOptions,
    buffer: Vec<u8>,
    next_token: u64,
}

struct Socket {
    batch: UdpBatch,
    is_ipv4: bool,
}

impl Client {
    /// A client that speaks through an engine.
    pub fn new(engine: Arc<Engine>, options: ClientOptions) -> Self {
        Client {
            manager: Manager::new(engine, options.seed),
            sockets: Vec::new(),
            options,
            buffer: vec![0; MAX_MESSAGE_OCTETS],
            // Tokens of those who submit by themselves are small.
            next_token: 1 << 63,
        }
    }

    /// The manager, to submit requests to and to ask about targets.
    pub fn manager(&mut self) -> &mut Manager {
        &mut self.manager
    }

    /// What its sockets have carried.
    pub fn udp_stats(&self) -> UdpStats {
        self.sockets.iter().map(|socket| socket.batch.stats()).fold(UdpStats::default(), UdpStats::plus)
    }

    /// Adds a target, and the socket that it needs.
    ///
    /// # Errors
    /// There is no socket of its address family: a host without IPv6, say.
    pub fn add_target(&mut self, config: TargetConfig) -> Result<TargetId, BindError> {
        let is_ipv4 = config.address.is_ipv4();
        if !self.sockets.iter().any(|socket| socket.is_ipv4 == is_ipv4) {
            let options =
                UdpOptions { receive_buffer_bytes: self.options.receive_buffer_bytes, local_addresses: false };
            let batch = UdpBatch::bind(any_address(config.address), options)?;
            self.sockets.push(Socket { batch, is_ipv4 });
        }
        Ok(self.manager.add_target(config))
    }

    /// Asks a target and waits. `take` sees the answer, whatever its error-status; the request's variables are
    /// returned for use again.
    ///
    /// # Errors
    /// See [`AskError`]. Other requests under way that end meanwhile are lost: don't mix this with [`Client::turn`].
    pub fn ask<T>(
        &mut self,
        target: TargetId,
        kind: RequestKind,
        varbinds: VarBindBuf,
        mut take: impl FnMut(&Pdu<'_>) -> T,
    ) -> Result<(T, VarBindBuf), AskError> {
        let token = self.next_token;
        self.next_token += 1;
        self.manager.submit(target, kind, varbinds, token)?;
        let mut outcome = None;
        loop {
            self.turn(Instant::now() + MAX_CLIENT_WAIT, |ended| match ended {
                Ended::Completed(completion) if completion.token == token => {
                    outcome = Some(Ok((take(&completion.response), completion.varbinds)));
                }
                Ended::Failed(failure) if failure.token == token => outcome = Some(Err(failure.error)),
                _ => {}
            })?;
            if let Some(outcome) = outcome.take() {
                return Ok(outcome?);
            }
        }
    }

    /// Sends what is due and waits until some requests have ended, or until `until`; hands those to `handle`.
    ///
    /// # Errors
    /// See [`WaitError`].
    pub fn turn(&mut self, until: Instant, mut handle: impl FnMut(Ended<'_>)) -> Result<(), WaitError> {
        loop {
            let now = Instant::now();
            self.manager.handle_timeout(now);
            self.send(now);
            let mut ended = 0;
            while let Some(failure) = self.manager.poll_failure() {
                ended += 1;
                handle(Ended::Failed(failure));
            }
            if ended > 0 || now >= until {
                return Ok(());
            }
            let is_stopped = self.options.stop.load(Ordering::Relaxed);
            if !is_stopped {
                self.wait(now, until)?;
            }
            // What has arrived is taken, also when no more is waited for.
            if self.receive(&mut handle)? > 0 {
                return Ok(());
            }
            if is_stopped {
                return Err(WaitError::Interrupted);
            }
        }
    }

    fn send(&mut self, now: Instant) {
        while let Some(transmit) = self.manager.poll_transmit(now, &mut self.buffer) {
            let is_ipv4 = transmit.address.is_ipv4();
            if let Some(socket) = self.sockets.iter_mut().find(|socket| socket.is_ipv4 == is_ipv4) {
                let datagram = &self.buffer[self.buffer.len() - transmit.length..];
                socket.batch.queue(transmit.address, None, datagram);
            }
        }
        self.sockets.iter_mut().for_each(|socket| socket.batch.flush());
    }

    /// Waits for a datagram, for what is due, or for a while: a signal that comes just before must not be waited out.
    fn wait(&mut self, now: Instant, until: Instant) -> Result<(), WaitError> {
        let due = self.manager.poll_timeout().map_or(until, |due| due.min(until));
        // A millisecond more, so that what is due is due when it is over.
        let wait = due.saturating_duration_since(now).min(MAX_CLIENT_WAIT) + Duration::from_millis(1);
        let mut fds: Vec<PollFd<'_>> =
            self.sockets.iter().map(|socket| PollFd::new(socket.batch.as_fd(), PollFlags::POLLIN)).collect();
        match poll(&mut fds, PollTimeout::try_from(wait).unwrap_or(PollTimeout::ZERO)) {
            Ok(_) | Err(Errno::EINTR) => Ok(()),
            Err(errno) => Err(WaitError::Receive(errno.into())),
        }
    }

    /// Takes what has arrived; returns how many requests that ended.
    fn receive(&mut self, handle: &mut impl FnMut(Ended<'_>)) -> Result<usize, WaitError> {
        let Client { manager, sockets, .. } = self;
        let mut ended = 0;
        for socket in sockets {
            let now = Instant::now();
            let received = socket.batch.receive(|arrival| {
                if let Handled::Completed(completion) = manager.handle_datagram(now, arrival.from, arrival.datagram) {
                    ended += 1;
                    handle(Ended::Completed(completion));
                }
            });
            received.map_err(WaitError::Receive)?;
        }
        Ok(ended)
    }
}

/// The local address that datagrams to `to` leave from. Nothing is sent.
///
/// # Errors
/// There is no route to it.
pub fn local_address_towards(to: SocketAddr) -> io::Result<IpAddr> {
    Ok(connected(to)?.local_addr()?.ip())
}

/// Sends one datagram that nobody answers.
///
/// # Errors
/// The kernel does not send it: no route, a firewall, more octets than a datagram can have.
pub fn send_datagram(to: SocketAddr, datagram: &[u8]) -> io::Result<()> {
    connected(to)?.send(datagram).map(drop)
}

fn connected(to: SocketAddr) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind(any_address(to))?;
    socket.connect(to)?;
    Ok(socket)
}

/// Any free port on any address of the same family.
fn any_address(peer: SocketAddr) -> SocketAddr {
    let ip: IpAddr = if peer.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    (ip, 0).into()
}

#[cfg(test)]
mod tests {
    use hamsa_snmp::engine::{Community, CommunityTable, EngineId, EngineStats, Name};
    use hamsa_snmp::manager::Timing;
    use hamsa_snmp::message::{CommunityMessage, SecurityLevel, Version};
    use hamsa_snmp::pdu::{AnyPdu, PduKind};
    use hamsa_snmp::{Oid, Value};

    use super::*;

    fn client(stop: Arc<AtomicBool>) -> Client {
        let communities = Arc::new(CommunityTable::new());
        communities.insert(Community::new(b"public", Name::new("lab").unwrap()));
        let engine =
            Engine::with_communities(EngineId::new(b"test!").unwrap(), Arc::new(EngineStats::default()), communities);
        Client::new(Arc::new(engine), ClientOptions { seed: [7; 32], receive_buffer_bytes: 1 << 16, stop })
    }

    fn target(address: SocketAddr, wait: Duration) -> TargetConfig {
        TargetConfig {
            address,
            version: Version::V2c,
            security_name: Name::new("lab").unwrap(),
            level: SecurityLevel::NoAuthNoPriv,
            context_name: Name::default(),
            context_engine_id: None,
            engine_id: None,
            timing: Timing::fixed(wait, 1),
            max_outstanding: 1,
        }
    }

    fn request() -> VarBindBuf {
        let name: Oid = "1.3.6.1.2.1.1.3.0".parse().unwrap();
        VarBindBuf::of_names([name.as_oid()])
    }

    /// Answers one request with ticks, like an agent.
    fn answer_once(socket: &UdpSocket) {
        let mut octets = [0; 1500];
        let (length, from) = socket.recv_from(&mut octets).unwrap();
        let message = CommunityMessage::parse(&octets[..length]).unwrap();
        let AnyPdu::Pdu(pdu) = message.pdu else { panic!("{message:?}") };
        let mut varbinds = VarBindBuf::new();
        varbinds.push(pdu.varbinds.first().unwrap().name, Value::TimeTicks(4711));
        let response = Pdu::new(PduKind::Response, pdu.request_id, varbinds.as_list());
        let mut buffer = [0; 1500];
        let mut writer = hamsa_snmp::ber::Writer::new(&mut buffer);
        CommunityMessage { pdu: AnyPdu::Pdu(response), ..message }.encode(&mut writer);
        socket.send_to(writer.finish().unwrap(), from).unwrap();
    }

    #[test]
    fn an_answer_ends_the_wait() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(agent) = UdpSocket::bind(address) else { continue };
            let mut client = client(Arc::default());
            let target = client.add_target(target(agent.local_addr().unwrap(), Duration::from_secs(60))).unwrap();
            let answering = std::thread::spawn(move || (0..2).for_each(|_| answer_once(&agent)));
            let mut varbinds = request();
            for _ in 0..2 {
                let answer = client
                    .ask(target, RequestKind::Get, varbinds, |pdu| pdu.varbinds.first().map(|v| v.value.to_owned()));
                let (value, again) = answer.unwrap();
                assert_eq!(value, Some(hamsa_snmp::OwnedValue::TimeTicks(4711)));
                varbinds = again;
            }
            answering.join().unwrap();
        }
    }

    #[test]
    fn silence_is_a_timeout() {
        let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
        let mut client = client(Arc::default());
        let target = client.add_target(target(silent.local_addr().unwrap(), Duration::from_millis(5))).unwrap();
        let error = client.ask(target, RequestKind::Get, request(), |_| ()).unwrap_err();
        assert!(matches!(error, AskError::Request(RequestError::Timeout { attempts: 2, .. })), "{error}");
    }

    #[test]
    fn a_stop_ends_the_wait() {
        let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
        let stop: Arc<AtomicBool> = Arc::default();
        let mut client = client(stop.clone());
        let target = client.add_target(target(silent.local_addr().unwrap(), Duration::from_secs(3600))).unwrap();
        stop.store(true, Ordering::Relaxed);
        let error = client.ask(target, RequestKind::Get, request(), |_| ()).unwrap_err();
        assert!(matches!(error, AskError::Wait(WaitError::Interrupted)), "{error}");
    }

    #[test]
    fn single_datagrams_go_out() {
        let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
        let to = receiver.local_addr().unwrap();
        assert_eq!(local_address_towards(to).unwrap(), IpAddr::from([127, 0, 0, 1]));
        send_datagram(to, b"trap").unwrap();
        let mut octets = [0; 16];
        assert_eq!(receiver.recv(&mut octets).unwrap(), 4);
    }
}
