//! The threads of the AgentX master: one accepts connections, one for each reads, and one has the module look at what
//! sub-agents send on their own accord and registers the agent's view anew.

use std::fs::{self, Permissions};
use std::io::{self, Read};
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use hamsa_snmp::VarBindBuf;
use hamsa_snmp::agentx::{Body, HEADER_OCTETS, Header, Packet, Response, frame_octets, status};
use hamsa_snmp::notification::Notification;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::super::LOOK;
use super::super::notifier::Teller;
use super::module::Subagents;
use super::transport::{Event, Stream, Transport};

/// The type of a Response, in a packet's second octet.
const RESPONSE: u8 = 18;

/// Where sub-agents connect. Bound, but nobody is accepted yet.
pub(in crate::agent) struct Listeners {
    path: PathBuf,
    unix: UnixListener,
    tcp: Option<TcpListener>,
}

/// What a server needs.
pub(in crate::agent) struct ServerOptions {
    pub(in crate::agent) listeners: Listeners,
    pub(in crate::agent) transport: Arc<Transport>,
    pub(in crate::agent) events: Receiver<Event>,
    /// The way to the module.
    pub(in crate::agent) subagents: Subagents,
    /// Registers the module anew.
    pub(in crate::agent) settle: Box<dyn Fn() + Send>,
    /// Where sub-agents' notifications go.
    pub(in crate::agent) teller: Teller,
    /// When `sysUpTime` was zero.
    pub(in crate::agent) started: Instant,
}

/// The threads. They end when it is dropped, and sub-agents are told so.
pub(in crate::agent) struct AgentxServer {
    path: PathBuf,
    stop: Arc<AtomicBool>,
    acceptor: Option<JoinHandle<()>>,
    administrator: Option<JoinHandle<()>>,
}

impl Listeners {
    /// Binds. Only one process may use the data directory, so a socket that is there is of one that is gone.
    pub(in crate::agent) fn bind(path: &Path, tcp: Option<SocketAddr>) -> io::Result<Self> {
        if fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket()) {
            fs::remove_file(path)?;
        }
        let unix = UnixListener::bind(path)?;
        fs::set_permissions(path, Permissions::from_mode(0o600))?;
        unix.set_nonblocking(true)?;
        let tcp = tcp.map(TcpListener::bind).transpose()?;
        tcp.as_ref().map(|tcp| tcp.set_nonblocking(true)).transpose()?;
        Ok(Listeners { path: path.to_owned(), unix, tcp })
    }
}

impl AgentxServer {
    /// Starts the threads.
    pub(in crate::agent) fn start(options: ServerOptions) -> io::Result<Self> {
        let ServerOptions { listeners, transport, events, subagents, settle, teller, started } = options;
        let stop = Arc::new(AtomicBool::new(false));
        let mut server =
            AgentxServer { path: listeners.path.clone(), stop: stop.clone(), acceptor: None, administrator: None };
        let is_over = stop.clone();
        let administrated = transport.clone();
        let administrator = Administrator { transport: administrated, subagents, settle, teller, started };
        let administrate = move || administrator.run(&events, &is_over);
        server.administrator = Some(thread::Builder::new().name("agentx".into()).spawn(administrate)?);
        let accept = move || accept(&listeners, &transport, &stop);
        server.acceptor = Some(thread::Builder::new().name("agentx accept".into()).spawn(accept)?);
        Ok(server)
    }
}

impl Drop for AgentxServer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        // The administrator first: it says goodbye on connections that the other closes.
        for thread in [self.administrator.take(), self.acceptor.take()].into_iter().flatten() {
            // The administrator itself drops it where it was the last to settle.
            if thread.thread().id() != thread::current().id() && thread.join().is_err() {
                tracing::error!("a thread of the AgentX master has panicked");
            }
        }
        if let Err(error) = fs::remove_file(&self.path) {
            tracing::debug!(%error, "the AgentX socket is not removed");
        }
    }
}

fn accept(listeners: &Listeners, transport: &Arc<Transport>, is_over: &AtomicBool) {
    let mut readers: Vec<JoinHandle<()>> = Vec::new();
    while !is_over.load(Ordering::Acquire) {
        readers.retain(|reader| !reader.is_finished());
        if let Err(error) = wait(listeners) {
            tracing::error!(%error, "waiting for sub-agents failed");
            thread::sleep(LOOK);
        }
        let unix = listeners.unix.accept().map(|(stream, _)| (stream.set_nonblocking(false), Stream::Unix(stream)));
        let tcp = listeners
            .tcp
            .as_ref()
            .map(|tcp| tcp.accept().map(|(stream, _)| (stream.set_nonblocking(false), Stream::Tcp(stream))));
        for accepted in [Some(unix), tcp].into_iter().flatten() {
            let started = accepted.and_then(|(blocking, stream)| {
                blocking?;
                start_reader(stream, transport)
            });
            match started {
                Ok(reader) => readers.extend(reader),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => {
                    tracing::warn!(%error, "a sub-agent could not be accepted");
                    thread::sleep(LOOK);
                }
            }
        }
    }
    transport.shut_down();
    for reader in readers {
        if reader.join().is_err() {
            tracing::error!("a thread that reads from a sub-agent has panicked");
        }
    }
}

/// Until somebody connects, or it is time to look whether to end.
fn wait(listeners: &Listeners) -> io::Result<()> {
    let fds = [Some(listeners.unix.as_fd()), listeners.tcp.as_ref().map(AsFd::as_fd)];
    let mut fds: Vec<PollFd<'_>> =
        fds.into_iter().flatten().map(|fd: BorrowedFd<'_>| PollFd::new(fd, PollFlags::POLLIN)).collect();
    match poll(&mut fds, PollTimeout::try_from(LOOK).unwrap_or(PollTimeout::ZERO)) {
        Ok(_) | Err(Errno::EINTR) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

/// `None`: there are enough connections.
fn start_reader(stream: Stream, transport: &Arc<Transport>) -> io::Result<Option<JoinHandle<()>>> {
    let reading = stream.try_clone()?;
    let Some(connection) = transport.add(stream)? else {
        tracing::warn!("too many sub-agents are connected: one more is refused");
        return Ok(None);
    };
    let read_for = transport.clone();
    let read = move || {
        if let Err(error) = read(&reading, connection, &read_for) {
            tracing::info!(connection, %error, "a sub-agent is gone");
        }
        read_for.remove(connection);
    };
    match thread::Builder::new().name(format!("agentx {connection}")).spawn(read) {
        Ok(reader) => Ok(Some(reader)),
        Err(error) => {
            transport.remove(connection);
            Err(error)
        }
    }
}

/// Reads packets until the connection ends.
fn read(mut stream: &Stream, connection: u64, transport: &Transport) -> io::Result<()> {
    let invalid = |error| io::Error::new(io::ErrorKind::InvalidData, error);
    loop {
        let mut header = [0; HEADER_OCTETS];
        stream.read_exact(&mut header)?;
        let length = frame_octets(&header).map_err(invalid)?;
        let mut octets = header.to_vec();
        octets.resize(length, 0);
        stream.read_exact(&mut octets[HEADER_OCTETS..])?;
        let header = Header::decode(&octets).map_err(invalid)?;
        if octets[1] == RESPONSE {
            transport.answer(connection, header.packet, octets);
        } else if !transport.tell(Event::Message { connection, octets }) {
            // It does not wait for answers, and has asked for more than anybody can look at.
            let response =
                Response { uptime_ticks: 0, error: status::PROCESSING_ERROR, index: 0, variables: Vec::new() };
            let refusal = Packet::new(header, Body::Response(response)).encode();
            transport.send(connection, &refusal).map_err(|_| io::Error::from(io::ErrorKind::ConnectionAborted))?;
        }
    }
}

struct Administrator {
    transport: Arc<Transport>,
    subagents: Subagents,
    settle: Box<dyn Fn() + Send>,
    teller: Teller,
    started: Instant,
}

impl Administrator {
    fn run(&self, events: &Receiver<Event>, is_over: &AtomicBool) {
        while !is_over.load(Ordering::Acquire) {
            match events.recv_timeout(LOOK) {
                Ok(Event::Message { connection, octets }) => self.message(connection, &octets),
                Ok(Event::Gone(connection)) => match self.subagents.gone(connection) {
                    Ok(true) => (self.settle)(),
                    Ok(false) => {}
                    Err(error) => tracing::warn!(connection, %error, "a sub-agent's sessions are not ended"),
                },
                Ok(Event::Settle) => (self.settle)(),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
        for (connection, farewell) in self.subagents.farewells().unwrap_or_default() {
            // Who does not hear it sees the connection end.
            let _ = self.transport.send(connection, &farewell);
        }
    }

    fn message(&self, connection: u64, octets: &[u8]) {
        match self.subagents.message(connection, octets) {
            Ok((answer, has_changed, is_notification)) => {
                if is_notification {
                    self.pass_on(connection, octets);
                }
                if has_changed {
                    // Who hears that it has registered can be asked.
                    (self.settle)();
                }
                if !answer.is_empty() {
                    // If it is gone, its reader says so.
                    let _ = self.transport.send(connection, &answer);
                }
            }
            Err(error) => tracing::warn!(connection, %error, "a sub-agent's packet is not answered"),
        }
    }

    /// RFC 2741 §7.1.11: the agent's `sysUpTime` where the sub-agent does not say its own.
    fn pass_on(&self, connection: u64, octets: &[u8]) {
        let Ok(Packet { body: Body::Notify(variables), .. }) = Packet::decode(octets) else { return };
        let mut list = VarBindBuf::new();
        variables.iter().for_each(|variable| list.push(variable.name.as_oid(), variable.value.as_value()));
        let ticks = (self.started.elapsed().as_millis() / 10) as u32;
        match Notification::from_variables(list.as_list(), ticks) {
            Ok(notification) => self.teller.tell(notification),
            Err(error) => tracing::warn!(connection, %error, "a sub-agent's notification is not sent on"),
        }
    }
}
