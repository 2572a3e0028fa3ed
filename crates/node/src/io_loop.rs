//! The one thread that talks SNMP: all polls, all notifications. Read `IoLoop::run` from top to bottom.
//!
//! Each turn takes what has arrived, at most a batch from each socket, then what is due, then sends at most
//! a batch: so neither a flood of answers nor a burst of requests keeps the other waiting.

use std::io;
use std::os::fd::AsRawFd;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use hamsa_snmp::limits::MAX_MESSAGE_OCTETS;
use hamsa_snmp::manager::{ManagerStats, Poller, PollerStats};
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token, Waker};

use crate::collector::{Collector, DeviceSpec, Scrape};
use crate::limits::{BATCH_DATAGRAMS, FIRST_POLL_SPACING, MAX_COMMANDS_PER_TURN, STATS_INTERVAL};
use crate::net::{BoundUdp, UdpBatch, UdpStats};
use crate::notifications::{AcceptedNames, Incoming, NotificationReceiver, Outcome};
use crate::writer::WriterHandle;

/// What others ask of the loop.
#[derive(Debug)]
pub enum Command {
    /// Poll these devices from now on.
    Add(Vec<DeviceSpec>),
    /// Poll this device no more.
    Remove(String),
    /// Poll this device once, now.
    PollNow(String),
    /// Read a device for somebody who waits.
    Scrape(Box<Scrape>),
    /// Take notifications in these names from now on.
    Accept(AcceptedNames),
    /// The inform of this number is stored.
    Acknowledge(u64),
    /// End.
    Stop,
}

/// What the loop counts, as of the last second.
#[derive(Debug, Clone, Copy, Default)]
#[allow(missing_docs)]
pub struct LoopStats {
    /// When it was counted; `None` before the loop runs.
    pub counted: Option<Instant>,
    pub poller: PollerStats,
    pub manager: ManagerStats,
    pub devices: usize,
    pub running_polls: usize,
    pub pending_requests: usize,
    pub poll_sockets: UdpStats,
    pub trap_sockets: UdpStats,
    pub turns: u64,
}

/// The way to the loop. Clones lead to the same.
#[derive(Clone)]
pub struct LoopHandle {
    commands: Sender<Command>,
    waker: Arc<Waker>,
    stats: Arc<Mutex<LoopStats>>,
}

impl LoopHandle {
    /// Asks something of the loop; whether it still runs.
    ///
    /// The queue has no bound of its own: acknowledgements are bounded by the informs that wait, scrapes by
    /// the HTTP server, and the rest comes from an operator's hand.
    pub fn send(&self, command: Command) -> bool {
        self.commands.send(command).is_ok() && self.waker.wake().is_ok()
    }

    /// What it counts.
    pub fn stats(&self) -> LoopStats {
        *self.stats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A loop that does not run yet: others may get its handle first.
pub struct PreparedLoop {
    poll: Poll,
    commands: Receiver<Command>,
    handle: LoopHandle,
}

/// What the loop works with.
pub struct LoopParts {
    /// For requests: one for each address family.
    pub poll_sockets: Vec<BoundUdp>,
    /// For notifications.
    pub trap_sockets: Vec<BoundUdp>,
    /// The poller.
    pub poller: Poller,
    /// The collector.
    pub collector: Collector,
    /// The receiver of notifications.
    pub(crate) notifications: NotificationReceiver,
    /// Where what is found goes.
    pub writer: WriterHandle,
}

const WAKER: Token = Token(usize::MAX);

impl PreparedLoop {
    /// Prepares a loop.
    pub fn new() -> io::Result<Self> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKER)?);
        let (sender, commands) = channel();
        let handle = LoopHandle { commands: sender, waker, stats: Arc::default() };
        Ok(PreparedLoop { poll, commands, handle })
    }

    /// The way to it.
    pub fn handle(&self) -> LoopHandle {
        self.handle.clone()
    }

    /// Starts the thread. It ends with [`Command::Stop`], after what it has read is stored.
    pub fn start(self, parts: LoopParts) -> io::Result<JoinHandle<()>> {
        thread::Builder::new().name("snmp".into()).spawn(move || IoLoop::new(self, parts).run())
    }
}

/// A socket and what it is for.
struct Socket {
    batch: UdpBatch,
    is_for_traps: bool,
    is_ipv4: bool,
    /// Whether more may be there: the kernel tells once only.
    readable: bool,
}

struct IoLoop {
    poll: Poll,
    commands: Receiver<Command>,
    stats: Arc<Mutex<LoopStats>>,
    sockets: Vec<Socket>,
    poller: Poller,
    collector: Collector,
    notifications: NotificationReceiver,
    writer: WriterHandle,
    buffer: Vec<u8>,
    more_commands: bool,
    turns: u64,
    publish_at: Instant,
}

/// Whether the loop goes on.
#[derive(PartialEq, Eq)]
enum Next {
    Turn,
    Stop,
}

impl IoLoop {
    fn new(prepared: PreparedLoop, parts: LoopParts) -> Self {
        let LoopParts { poll_sockets, trap_sockets, poller, collector, notifications, writer } = parts;
        let poll_sockets = poll_sockets.into_iter().map(|socket| (socket, false));
        let trap_sockets = trap_sockets.into_iter().map(|socket| (socket, true));
        let sockets = poll_sockets.chain(trap_sockets).map(|(socket, is_for_traps)| {
            let is_ipv4 = socket.local_addr().is_ok_and(|address| address.is_ipv4());
            Socket { batch: socket.into_batch(), is_for_traps, is_ipv4, readable: true }
        });
        IoLoop {
            poll: prepared.poll,
            commands: prepared.commands,
            stats: prepared.handle.stats,
            sockets: sockets.collect(),
            poller,
            collector,
            notifications,
            writer,
            buffer: vec![0; MAX_MESSAGE_OCTETS],
            more_commands: false,
            turns: 0,
            publish_at: Instant::now(),
        }
    }

    fn run(mut self) {
        for (i, socket) in self.sockets.iter().enumerate() {
            let fd = socket.batch.as_raw_fd();
            if let Err(error) = self.poll.registry().register(&mut SourceFd(&fd), Token(i), Interest::READABLE) {
                tracing::error!(%error, "a socket can't be watched");
            }
        }
        let mut events = Events::with_capacity(64);
        let mut more_to_send = false;
        loop {
            let is_busy = more_to_send || self.more_commands || self.sockets.iter().any(|socket| socket.readable);
            let wait = if is_busy { Duration::ZERO } else { self.wait() };
            if let Err(error) = self.poll.poll(&mut events, Some(wait))
                && error.kind() != io::ErrorKind::Interrupted
            {
                tracing::error!(%error, "waiting for datagrams failed");
            }
            for event in &events {
                if let Some(socket) = self.sockets.get_mut(event.token().0) {
                    socket.readable = true;
                }
            }
            self.turns += 1;
            if self.handle_commands() == Next::Stop {
                break;
            }
            self.receive();
            let now = Instant::now();
            self.poller.handle_timeout(now, &mut self.collector);
            self.collector.act(&mut self.poller);
            more_to_send = self.send(now);
            for write in self.collector.take_writes() {
                self.writer.write(write);
            }
            self.publish(now);
        }
        self.writer.stop();
    }

    /// Until something is due.
    fn wait(&mut self) -> Duration {
        let due = self.poller.poll_timeout().map_or(self.publish_at, |due| due.min(self.publish_at));
        due.saturating_duration_since(Instant::now())
    }

    fn handle_commands(&mut self) -> Next {
        for _ in 0..MAX_COMMANDS_PER_TURN {
            let Ok(command) = self.commands.try_recv() else {
                self.more_commands = false;
                return Next::Turn;
            };
            let now = Instant::now();
            match command {
                Command::Add(devices) => {
                    for (i, device) in (0u32..).zip(devices) {
                        let first = now + (FIRST_POLL_SPACING * i).min(device.entry.interval);
                        self.collector.add(now, first, device, &mut self.poller);
                    }
                }
                Command::Remove(name) => self.collector.remove(&name, &mut self.poller),
                Command::PollNow(name) => drop(self.collector.poll_now(now, &name, &mut self.poller)),
                Command::Scrape(scrape) => self.collector.scrape(now, *scrape, &mut self.poller),
                Command::Accept(names) => self.notifications.accept(names),
                Command::Acknowledge(number) => {
                    if let Some(reply) = self.notifications.acknowledge(now, number, &mut self.buffer) {
                        let datagram = &self.buffer[self.buffer.len() - reply.length..];
                        let socket = &mut self.sockets[reply.socket].batch;
                        socket.queue(reply.to, reply.from, datagram);
                        socket.flush();
                    }
                }
                Command::Stop => return Next::Stop,
            }
        }
        // The rest has its turn after the sockets, and nobody else will wake us for it.
        self.more_commands = true;
        Next::Turn
    }

    /// Takes a batch from each socket that may have one.
    fn receive(&mut self) {
        let IoLoop { sockets, poller, collector, notifications, writer, buffer, .. } = self;
        for (i, socket) in sockets.iter_mut().enumerate().filter(|(_, socket)| socket.readable) {
            let now = Instant::now();
            let mut replies = Vec::new();
            let received = socket.batch.receive(|arrival| {
                if !socket.is_for_traps {
                    // A notification at a request's socket is nobody's: traps have their own.
                    let _ = poller.handle_datagram(now, arrival.from, arrival.datagram, collector);
                    return;
                }
                let incoming =
                    Incoming { now, socket: i, from: arrival.from, to: arrival.to, datagram: arrival.datagram };
                match notifications.handle(incoming, buffer) {
                    Outcome::Store(event) => writer.write(crate::writer::Write::Event(event)),
                    Outcome::Reply(reply) => {
                        replies.push((reply.to, reply.from, buffer[buffer.len() - reply.length..].to_vec()));
                    }
                    Outcome::Dropped => {}
                }
            });
            match received {
                Ok(count) => socket.readable = count == socket.batch.batch_size(),
                Err(error) => {
                    tracing::warn!(%error, "receiving failed");
                    socket.readable = false;
                }
            }
            for (to, from, datagram) in replies {
                socket.batch.queue(to, from, &datagram);
            }
            socket.batch.flush();
            collector.act(poller);
        }
    }

    /// Sends at most a batch; whether there is more.
    fn send(&mut self, now: Instant) -> bool {
        let mut more = true;
        for _ in 0..BATCH_DATAGRAMS {
            let Some(transmit) = self.poller.poll_transmit(now, &mut self.buffer) else {
                more = false;
                break;
            };
            let is_ipv4 = transmit.address.is_ipv4();
            let socket = self.sockets.iter_mut().find(|socket| !socket.is_for_traps && socket.is_ipv4 == is_ipv4);
            // Without a socket of its family a device gets no answer, and its status says so.
            if let Some(socket) = socket {
                let datagram = &self.buffer[self.buffer.len() - transmit.length..];
                socket.batch.queue(transmit.address, None, datagram);
            }
        }
        for socket in self.sockets.iter_mut().filter(|socket| !socket.is_for_traps) {
            socket.batch.flush();
        }
        more
    }

    fn publish(&mut self, now: Instant) {
        if now < self.publish_at {
            return;
        }
        self.publish_at = now + STATS_INTERVAL;
        let sum = |traps: bool| {
            let of_kind = self.sockets.iter().filter(|socket| socket.is_for_traps == traps);
            of_kind.map(|socket| socket.batch.stats()).fold(UdpStats::default(), UdpStats::plus)
        };
        let stats = LoopStats {
            counted: Some(now),
            poller: self.poller.stats(),
            manager: self.poller.manager().stats(),
            devices: self.poller.device_count(),
            running_polls: self.poller.running(),
            pending_requests: self.poller.manager().pending(),
            poll_sockets: sum(false),
            trap_sockets: sum(true),
            turns: self.turns,
        };
        *self.stats.lock().unwrap_or_else(PoisonError::into_inner) = stats;
    }
}
