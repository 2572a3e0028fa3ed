//! The engine: a thread that joins one CPG group and serves a port.
//!
//! E2 and E4 are checked and not only hoped for: what we have sent has to come back in the order in which it was sent.
//! Where it does not, the daemon has dropped something, and the engine is lost rather than wrong.

use std::collections::VecDeque;
use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use bytes::Bytes;
use hamsa_group::{Capabilities, EngineEvent, EnginePort, EngineSide, Incoming, Process, engine_port_in_batches};
use tokio::io::Ready;
use tokio::io::unix::AsyncFd;
use tokio::time::sleep;

use crate::configurations::{Callback, Configurations};
use crate::cpg::{ConnectError, Connection, GroupName, Joined, Sent, Told};
use crate::limits::{
    DISPATCHED_BYTES, DISPATCHED_EVENTS, FIRST_CONFIGURATION, JOIN_RETRY, JOIN_TRIES, MESSAGE_BYTES, OUTSTANDING_BYTES,
    OUTSTANDING_MESSAGES, PORT_BATCHES, PORT_MESSAGES, RETRY_FIRST, RETRY_MOST, RING_NODES, SEND_RETRY, STACK_BYTES,
};

/// What Corosync can do.
pub const CAPABILITIES: Capabilities =
    Capabilities { engine: "corosync", max_message_bytes: MESSAGE_BYTES, max_nodes: RING_NODES, is_wide_area: false };

/// What to join.
#[derive(Debug, Clone)]
pub struct EngineOptions {
    /// The CPG group; a process can be in it once.
    pub group: GroupName,
    /// The number that the daemon's node has to have, where it is known.
    pub node: Option<u32>,
}

/// Corosync's closed process groups as an engine.
#[derive(Debug, Clone, Copy)]
pub struct CorosyncEngine;

impl CorosyncEngine {
    /// Connects to this host's daemon once. When the connection ends, the port says that it is lost and ends.
    ///
    /// # Errors
    /// There is no daemon, or it does not let us in. What is found out later, as that this process is in the group
    /// already, comes as [`EngineEvent::Lost`].
    pub fn start(options: EngineOptions) -> Result<EnginePort, ConnectError> {
        let connection = connect(&options)?;
        let (port, mut side) = engine_port_in_batches(CAPABILITIES, PORT_MESSAGES, PORT_BATCHES);
        in_thread(move || async move {
            if let End::Lost(reason) = serve(connection, &options.group, &mut side).await {
                // Nobody may listen any more.
                let _ = side.incoming.send(EngineEvent::Lost { reason }.into()).await;
            }
        })?;
        Ok(port)
    }

    /// Like [`Self::start`], and connects again whenever there is no connection, after waits that grow within bounds.
    /// What keeps it from connecting comes as [`EngineEvent::Lost`], too, but for a daemon that does not run (yet). What
    /// is given to send meanwhile is dropped, as after a loss it may be.
    ///
    /// # Errors
    /// What trying again does not mend: the client library is not installed, or the system gives no thread.
    pub fn start_reconnecting(options: EngineOptions) -> Result<EnginePort, ConnectError> {
        let first = match connect(&options) {
            Err(error @ ConnectError::NotInstalled { .. }) => return Err(error),
            first => first,
        };
        let (port, mut side) = engine_port_in_batches(CAPABILITIES, PORT_MESSAGES, PORT_BATCHES);
        in_thread(move || async move { serve_again_and_again(first, &options, &mut side).await })?;
        Ok(port)
    }
}

fn connect(options: &EngineOptions) -> Result<(Connection, Process), ConnectError> {
    let connection = Connection::open()?;
    let found = connection.node()?;
    match options.node {
        Some(expected) if expected != found => Err(ConnectError::OtherNode { found, expected }),
        _ => Ok((connection, Process { node: found, process: std::process::id() })),
    }
}

/// Runs the engine on a thread of its own: joining blocks until the daemon answers, and dispatching takes much stack.
fn in_thread<F: Future<Output = ()>>(engine: impl FnOnce() -> F + Send + 'static) -> Result<(), ConnectError> {
    let failed = |error: io::Error| ConnectError::Failed {
        function: "starting the engine's thread",
        code: error.raw_os_error().unwrap_or_default(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build().map_err(failed)?;
    let thread = std::thread::Builder::new().name("corosync-cpg".into()).stack_size(STACK_BYTES);
    // It ends by itself when the port is dropped.
    thread.spawn(move || runtime.block_on(engine())).map(drop).map_err(failed)
}

async fn serve_again_and_again(
    first: Result<(Connection, Process), ConnectError>,
    options: &EngineOptions,
    side: &mut EngineSide,
) {
    let mut next = first;
    let mut retry_after = RETRY_FIRST;
    // What keeps us from connecting is told once, not after each try.
    let mut told = None;
    loop {
        let end = match next {
            Ok(connection) => {
                let mut has_begun = false;
                let end = serve_noting(connection, &options.group, side, &mut has_begun).await;
                let End::Lost(reason) = end else { return };
                if has_begun {
                    (retry_after, told) = (RETRY_FIRST, None);
                }
                Some(reason)
            }
            // A daemon takes its time to start, and its supervisor says what is wrong with it.
            Err(ConnectError::NotRunning { .. }) => None,
            Err(error) => Some(error.to_string()),
        };
        if let Some(reason) = end.filter(|reason| told.as_ref() != Some(reason)) {
            told = Some(reason.clone());
            if side.incoming.send(EngineEvent::Lost { reason }.into()).await.is_err() {
                return;
            }
        }
        if drop_outgoing(side, retry_after).await.is_err() {
            return;
        }
        retry_after = (retry_after * 2).min(RETRY_MOST);
        next = connect(options);
    }
}

/// The port was dropped.
struct Released;

/// Drops for some time what there is nobody to send to.
async fn drop_outgoing(side: &mut EngineSide, time: Duration) -> Result<(), Released> {
    let wait = sleep(time);
    tokio::pin!(wait);
    loop {
        tokio::select! {
            () = &mut wait => return Ok(()),
            message = side.outgoing.recv() => { message.ok_or(Released)?; }
        }
    }
}

/// Why a connection is served no more.
enum End {
    Released,
    Lost(String),
}

async fn serve(connection: (Connection, Process), group: &GroupName, side: &mut EngineSide) -> End {
    serve_noting(connection, group, side, &mut false).await
}

/// `has_begun` becomes true with the first configuration.
async fn serve_noting(
    (connection, me): (Connection, Process),
    group: &GroupName,
    side: &mut EngineSide,
    has_begun: &mut bool,
) -> End {
    let watched = match connection.watch() {
        Ok(watched) => watched,
        Err(error) => return End::Lost(error.to_string()),
    };
    let mut session = Session {
        connection,
        me,
        configurations: Configurations::new(me),
        events: VecDeque::new(),
        held: None,
        is_held_back: false,
        outstanding: VecDeque::new(),
        outstanding_bytes: 0,
    };
    let end = session.run(group, side, &watched).await;
    *has_begun = session.configurations.has_begun();
    end
}

/// One connection, from joining to its end.
struct Session {
    connection: Connection,
    me: Process,
    configurations: Configurations,
    /// What the port has not taken yet: of one turn at most.
    events: VecDeque<EngineEvent>,
    /// The message that is sent next. It stays here until the daemon takes it.
    held: Option<Bytes>,
    /// The daemon has taken nothing the last time.
    is_held_back: bool,
    /// What we have sent and not got back, the oldest first.
    outstanding: VecDeque<Bytes>,
    outstanding_bytes: usize,
}

impl Session {
    async fn run(&mut self, group: &GroupName, side: &mut EngineSide, watched: &AsyncFd<OwnedFd>) -> End {
        if let Err(end) = self.join(group, side).await {
            return end;
        }
        let too_late = sleep(FIRST_CONFIGURATION);
        tokio::pin!(too_late);
        loop {
            let has_room = self.events.is_empty();
            tokio::select! {
                permit = side.incoming.reserve(), if !has_room => {
                    let Ok(permit) = permit else { return End::Released };
                    permit.send(Incoming::Batch(std::mem::take(&mut self.events)));
                }
                readable = watched.readable(), if has_room => {
                    let Ok(mut guard) = readable else { return End::Lost("its descriptor can't be watched".into()) };
                    match self.dispatch() {
                        Ok(Dispatched::All) => guard.clear_ready_matching(Ready::READABLE),
                        Ok(Dispatched::Some) => {}
                        Err(reason) => return End::Lost(reason),
                    }
                    if !self.events.is_empty() && let Ok(permit) = side.incoming.try_reserve() {
                        permit.send(Incoming::Batch(std::mem::take(&mut self.events)));
                    }
                    // What has come back has made room.
                    self.is_held_back = false;
                }
                message = side.outgoing.recv(), if self.held.is_none() => match message {
                    Some(message) => self.held = Some(message),
                    None => return End::Released,
                },
                () = side.incoming.closed(), if self.held.is_some() => return End::Released,
                () = sleep(SEND_RETRY), if self.is_held_back => self.is_held_back = false,
                () = &mut too_late, if !self.configurations.has_begun() => {
                    return End::Lost("the daemon does not say who is in the group".into());
                }
            }
            if let Err(reason) = self.send(side) {
                return End::Lost(reason);
            }
        }
    }

    async fn join(&mut self, group: &GroupName, side: &EngineSide) -> Result<(), End> {
        for _ in 0..JOIN_TRIES {
            match self.connection.join(group) {
                Ok(Joined::Yes) => return Ok(()),
                Ok(Joined::TryAgain) => {}
                Err(error) => return Err(End::Lost(error.to_string())),
            }
            tokio::select! {
                () = sleep(JOIN_RETRY) => {}
                () = side.incoming.closed() => return Err(End::Released),
            }
        }
        Err(End::Lost("the daemon lets nobody join: its ring does not form".into()))
    }

    fn dispatch(&mut self) -> Result<Dispatched, String> {
        let mut octets = 0;
        for _ in 0..DISPATCHED_EVENTS {
            let callback = match self.connection.dispatch() {
                Ok(Told::Callback(callback)) => callback,
                Ok(Told::Nothing) => continue,
                Ok(Told::TryAgain) => return Ok(Dispatched::All),
                Err(error) => return Err(format!("the daemon has ended: {error}")),
            };
            if let Callback::Message { sender, data } = &callback {
                octets += data.len();
                if *sender == self.me {
                    self.take_back(data)?;
                }
            }
            self.configurations.handle(callback, &mut self.events);
            if octets >= DISPATCHED_BYTES {
                break;
            }
        }
        Ok(Dispatched::Some)
    }

    fn take_back(&mut self, data: &Bytes) -> Result<(), String> {
        match self.outstanding.pop_front() {
            Some(sent) if sent == data => {
                self.outstanding_bytes -= sent.len();
                Ok(())
            }
            _ => Err("the daemon has dropped or exchanged messages of ours".into()),
        }
    }

    /// Sends all that the daemon takes.
    fn send(&mut self, side: &mut EngineSide) -> Result<(), String> {
        while !self.is_held_back && self.is_within_window() {
            let Some(message) = self.held.take().or_else(|| side.outgoing.try_recv().ok()) else { return Ok(()) };
            match self.connection.send(&message) {
                Ok(Sent::Yes) => {
                    self.outstanding_bytes += message.len();
                    self.outstanding.push_back(message);
                }
                Ok(Sent::TryAgain) => (self.held, self.is_held_back) = (Some(message), true),
                Err(error) => return Err(format!("the daemon has ended: {error}")),
            }
        }
        Ok(())
    }

    fn is_within_window(&self) -> bool {
        self.outstanding.len() < OUTSTANDING_MESSAGES && self.outstanding_bytes < OUTSTANDING_BYTES
    }
}

/// Whether there may be more.
enum Dispatched {
    All,
    Some,
}
