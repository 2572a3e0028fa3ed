//! Connections of sub-agents, and which answer belongs to which question. Versions of the module come and go; this
//! stays.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use hamsa_snmp::Oid;

use crate::limits::{AGENTX_WRITE_WAIT, MAX_AGENTX_CONNECTIONS, MAX_AGENTX_WAITING};

/// What the thread that administrates is to look at.
#[derive(Debug)]
pub(in crate::agent) enum Event {
    /// A packet that is no answer.
    Message { connection: u64, octets: Vec<u8> },
    /// A connection is no more.
    Gone(u64),
    /// The module has ended a session by itself.
    Settle,
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::agent) enum Unanswered {
    /// The connection is no more.
    Gone,
    /// Time is up.
    TimedOut,
}

/// A sub-agent's connection.
#[derive(Debug)]
pub(super) enum Stream {
    Unix(UnixStream),
    Tcp(TcpStream),
}

/// See the module's text.
pub(in crate::agent) struct Transport {
    connections: Mutex<HashMap<u64, Arc<Link>>>,
    waiting: Mutex<HashMap<u32, Waiting>>,
    last_connection: AtomicU64,
    last_packet: AtomicU32,
    events: SyncSender<Event>,
    /// The subtrees that the agent serves itself.
    reserved: RwLock<Arc<Vec<Oid>>>,
}

struct Link {
    stream: Stream,
    /// Held by whoever writes: packets don't mix.
    writing: Mutex<()>,
}

struct Waiting {
    connection: u64,
    answer: SyncSender<Vec<u8>>,
}

impl Transport {
    /// Without connections; events come out at the other end.
    pub(in crate::agent) fn new() -> (Arc<Self>, Receiver<Event>) {
        let (events, received) = sync_channel(MAX_AGENTX_WAITING);
        let transport = Transport {
            connections: Mutex::default(),
            waiting: Mutex::default(),
            last_connection: AtomicU64::new(0),
            last_packet: AtomicU32::new(0),
            events,
            reserved: RwLock::default(),
        };
        (Arc::new(transport), received)
    }

    /// The subtrees that the agent serves itself.
    pub(super) fn reserved(&self) -> Arc<Vec<Oid>> {
        self.reserved.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Says what the agent serves itself.
    pub(in crate::agent) fn reserve(&self, subtrees: Vec<Oid>) {
        *self.reserved.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(subtrees);
    }

    /// Adds a connection. `None`: there are enough.
    pub(super) fn add(&self, stream: Stream) -> io::Result<Option<u64>> {
        stream.set_write_timeout(AGENTX_WRITE_WAIT)?;
        let mut connections = lock(&self.connections);
        if connections.len() >= MAX_AGENTX_CONNECTIONS {
            return Ok(None);
        }
        let connection = self.last_connection.fetch_add(1, Ordering::Relaxed) + 1;
        connections.insert(connection, Arc::new(Link { stream, writing: Mutex::default() }));
        Ok(Some(connection))
    }

    /// Removes a connection; who waits for an answer on it hears so.
    pub(super) fn remove(&self, connection: u64) {
        if let Some(link) = lock(&self.connections).remove(&connection) {
            link.stream.shut_down();
        }
        lock(&self.waiting).retain(|_, waiting| waiting.connection != connection);
        // Not to be missed: the sessions end by it. Nobody receives when the server has ended.
        let _ = self.events.send(Event::Gone(connection));
    }

    /// Wakes all threads that read.
    pub(super) fn shut_down(&self) {
        lock(&self.connections).values().for_each(|link| link.stream.shut_down());
    }

    /// Sends a packet. A sub-agent that does not take it in time loses its connection.
    pub(in crate::agent) fn send(&self, connection: u64, octets: &[u8]) -> Result<(), Unanswered> {
        let link = lock(&self.connections).get(&connection).cloned().ok_or(Unanswered::Gone)?;
        let _writing = lock(&link.writing);
        (&link.stream).write_all(octets).map_err(|error| {
            tracing::warn!(connection, %error, "a sub-agent does not take what it is sent");
            // Its reader sees the end, and removes it.
            link.stream.shut_down();
            Unanswered::Gone
        })
    }

    /// The number of the next question.
    pub(super) fn next_packet(&self) -> u32 {
        self.last_packet.fetch_add(1, Ordering::Relaxed).wrapping_add(1)
    }

    /// Sends the question `packet` and waits for its answer.
    pub(super) fn ask(
        &self,
        connection: u64,
        packet: u32,
        octets: &[u8],
        timeout: Duration,
    ) -> Result<Vec<u8>, Unanswered> {
        let (answer, received) = sync_channel(1);
        lock(&self.waiting).insert(packet, Waiting { connection, answer });
        let outcome = self.send(connection, octets).and_then(|()| {
            received.recv_timeout(timeout).map_err(|error| match error {
                RecvTimeoutError::Timeout => Unanswered::TimedOut,
                RecvTimeoutError::Disconnected => Unanswered::Gone,
            })
        });
        lock(&self.waiting).remove(&packet);
        outcome
    }

    /// Hands an answer to whoever waits for it; one that comes too late is for nobody.
    pub(super) fn answer(&self, connection: u64, packet: u32, octets: Vec<u8>) {
        let mut waiting = lock(&self.waiting);
        if waiting.get(&packet).is_some_and(|waiting| waiting.connection == connection)
            && let Some(waiting) = waiting.remove(&packet)
        {
            // Whoever waited may just have given up.
            let _ = waiting.answer.try_send(octets);
        }
    }

    /// Passes an event on; `false`: there is no room.
    pub(super) fn tell(&self, event: Event) -> bool {
        !matches!(self.events.try_send(event), Err(TrySendError::Full(_)))
    }
}

impl Stream {
    pub(super) fn try_clone(&self) -> io::Result<Self> {
        Ok(match self {
            Stream::Unix(stream) => Stream::Unix(stream.try_clone()?),
            Stream::Tcp(stream) => Stream::Tcp(stream.try_clone()?),
        })
    }

    fn set_write_timeout(&self, timeout: Duration) -> io::Result<()> {
        match self {
            Stream::Unix(stream) => stream.set_write_timeout(Some(timeout)),
            Stream::Tcp(stream) => {
                // Each packet is waited for.
                stream.set_nodelay(true)?;
                stream.set_write_timeout(Some(timeout))
            }
        }
    }

    fn shut_down(&self) {
        // One that has ended already needs no ending.
        let _ = match self {
            Stream::Unix(stream) => stream.shutdown(Shutdown::Both),
            Stream::Tcp(stream) => stream.shutdown(Shutdown::Both),
        };
    }
}

impl Read for &Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Stream::Unix(stream) => (&mut &*stream).read(buffer),
            Stream::Tcp(stream) => (&mut &*stream).read(buffer),
        }
    }
}

impl Write for &Stream {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        match self {
            Stream::Unix(stream) => (&mut &*stream).write(octets),
            Stream::Tcp(stream) => (&mut &*stream).write(octets),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
