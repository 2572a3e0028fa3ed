//! The engine: one Zenoh session and one task for all pairs and the enterprise.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use hamsa_group::enterprise::{Enterprise, EnterpriseError, EnterpriseOptions, NodeRecord, Run};
use hamsa_group::pair::{Pair, PairError, PairOptions, PairStatus};
use hamsa_group::{EnginePort, Process, engine_port};
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::sleep_until;
use zenoh::pubsub::Publisher;
use zenoh::qos::{CongestionControl, Priority};
use zenoh::{Session, Wait};

use crate::config::ZenohEndpoints;
use crate::enterprise::EnterpriseHandle;
use crate::inbox::{Inbox, Kind, Received, inbox};
use crate::limits::{BATCH_DATAGRAMS, MAX_PAIRS, PORT_MESSAGES};
use crate::options::{Links, OptionsError, Protection, ZenohOptions};
use crate::pairs::{Pairs, UserEvent, Waiting, Wish};
use crate::tls::DialProblem;
use crate::tunnel::{Dials, RunningTunnel, Tunnel, TunnelError};

/// How the engine is called in the configuration.
const ENGINE: &str = "zenoh";
/// Commands that wait for the task; each is answered at once.
const COMMANDS: usize = 64;

/// A hub, a site, or both. Dropped, it says good-bye to all peers and ends.
#[derive(Debug)]
pub struct ZenohEngine {
    commands: mpsc::Sender<Command>,
    enterprise: EnterpriseHandle,
    /// With TLS.
    dials: Option<Arc<Dials>>,
    task: JoinHandle<()>,
}

/// Why no engine starts.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Something in the options.
    #[error(transparent)]
    Options(#[from] OptionsError),
    /// The node's name, version or lease.
    #[error(transparent)]
    Enterprise(#[from] EnterpriseError),
    /// The links' protection.
    #[error(transparent)]
    Tunnel(#[from] TunnelError),
    /// The caller's runtime has one thread, which Zenoh cannot live with.
    #[error("Zenoh needs tokio's runtime with several threads")]
    Runtime,
    /// Zenoh does not take its configuration.
    #[error("Zenoh refuses its configuration: {0}")]
    Config(String),
    /// The port to listen at is taken, or its address is not of this host.
    #[error("Zenoh does not start (is the address of this host, and the port free?): {0}")]
    Open(String),
}

/// Why there is no such pair.
#[derive(Debug, thiserror::Error)]
pub enum UsePairError {
    /// The peer's name.
    #[error(transparent)]
    Pair(#[from] PairError),
    /// There is a pair with a process of that node.
    #[error("there is a pair with node {0} already: use its groups")]
    Taken(u32),
    /// There are as many pairs as there may be.
    #[error("an engine has at most {MAX_PAIRS} pairs")]
    TooMany,
    /// Zenoh's word.
    #[error("Zenoh does not take the pair's key: {0}")]
    Zenoh(String),
    /// The system gives no random numbers.
    #[error("no random number for this run: {0}")]
    Random(String),
    /// The engine's task has ended.
    #[error("the engine has ended")]
    Ended,
}

/// Why a node does not become a neighbour, or remains one.
#[derive(Debug, thiserror::Error)]
pub enum NeighbourError {
    /// There are as many as there may be.
    #[error(transparent)]
    Enterprise(#[from] EnterpriseError),
    /// Zenoh's word.
    #[error("Zenoh does not take the neighbour's key: {0}")]
    Zenoh(String),
    /// The engine's task has ended.
    #[error("the engine has ended")]
    Ended,
}

enum Command {
    Pair { peer: Process, answer: oneshot::Sender<Result<EnginePort, UsePairError>> },
    AddNeighbour { node: u32, answer: oneshot::Sender<Result<(), NeighbourError>> },
    RemoveNeighbour { node: u32, answer: oneshot::Sender<()> },
    Status { answer: oneshot::Sender<Vec<PairStatus>> },
}

/// What the task owns.
struct Engine {
    options: ZenohOptions,
    /// With TLS. Dropped before the session, which waits for links that are being opened.
    tunnel: Option<RunningTunnel>,
    session: Session,
    pairs: Pairs,
    inbox: Inbox,
    enterprise: EnterpriseHandle,
    neighbours: HashMap<u32, Publisher<'static>>,
    began: Instant,
    began_ms: u64,
}

impl ZenohEngine {
    /// Starts a node. It listens when this returns, and dials on, also when those that it dials don't answer yet.
    ///
    /// # Errors
    /// What is wrong with the options, the certificates, the address or the port.
    pub async fn start(options: ZenohOptions) -> Result<Self, StartError> {
        options.check()?;
        if Handle::current().runtime_flavor() == RuntimeFlavor::CurrentThread {
            return Err(StartError::Runtime);
        }
        let began = Instant::now();
        let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let wall_ms = u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX);
        let began_ms = wall_ms.max(options.began_after_ms + 1);
        let run = Run { began_ms, node: options.me.node };
        let Links { listen, dial } = &options.links;
        let me =
            NodeRecord { run, name: options.name.clone(), version: options.version.clone(), addresses: listen.clone() };
        let enterprise_options = EnterpriseOptions { wall_ms, ..EnterpriseOptions::new(me) };
        let enterprise = EnterpriseHandle::new(Enterprise::new(began, enterprise_options)?);
        let tunnel = match &options.protection {
            Protection::Tls(files) => Some(Tunnel::bind(files, listen, dial).await?),
            Protection::None => None,
        };
        let endpoints = tunnel.as_ref().map_or_else(|| ZenohEndpoints::bare(listen, dial), Tunnel::endpoints);
        let config = zenoh::Config::from_json5(&options.zenoh_config(&endpoints));
        let config = config.map_err(|error| StartError::Config(error.to_string()))?;
        let session = zenoh::open(config).await.map_err(|error| StartError::Open(error.to_string()))?;
        let (post, inbox) = inbox();
        for (kind, part) in [(Kind::Pair, "pair"), (Kind::Enterprise, "node")] {
            let key = format!("hamsa/{}/{part}/{}/*", options.enterprise, options.me.node);
            let post = post.clone();
            let subscriber = session.declare_subscriber(key).callback(move |sample| post.put(kind, &sample));
            subscriber.background().await.map_err(|error| StartError::Open(error.to_string()))?;
        }
        let tunnel = tunnel.map(Tunnel::run);
        let dials = tunnel.as_ref().map(RunningTunnel::dials);
        let (commands, from_user) = mpsc::channel(COMMANDS);
        let engine = Engine {
            options,
            session,
            tunnel,
            pairs: Pairs::default(),
            inbox,
            enterprise: enterprise.clone(),
            neighbours: HashMap::new(),
            began,
            began_ms,
        };
        // Through a handle: a runtime that is ending drops the engine in here, and Zenoh's session blocks to close, which
        // `tokio::spawn` would turn into an abort.
        let task = Handle::current().spawn(engine.run(from_user));
        Ok(Self { commands, enterprise, dials, task })
    }

    /// Forms a pair with a process of another node, which must do the same. Dropping the port ends it; the node remains
    /// a neighbour.
    ///
    /// # Errors
    /// There is one already, or the peer is no peer.
    pub async fn pair(&self, peer: Process) -> Result<EnginePort, UsePairError> {
        let (answer, answered) = oneshot::channel();
        let command = Command::Pair { peer, answer };
        self.commands.send(command).await.map_err(|_| UsePairError::Ended)?;
        answered.await.unwrap_or(Err(UsePairError::Ended))
    }

    /// Exchanges presence and the directory with a node; those of pairs are neighbours already.
    ///
    /// # Errors
    /// There are too many, or the engine has ended.
    pub async fn add_neighbour(&self, node: u32) -> Result<(), NeighbourError> {
        let (answer, answered) = oneshot::channel();
        let command = Command::AddNeighbour { node, answer };
        self.commands.send(command).await.map_err(|_| NeighbourError::Ended)?;
        answered.await.unwrap_or(Err(NeighbourError::Ended))
    }

    /// Exchanges presence and the directory with a node no more, until it is added again or a pair is made with it. A
    /// pair that there is goes on. No harm when it is no neighbour.
    ///
    /// # Errors
    /// The engine has ended.
    pub async fn remove_neighbour(&self, node: u32) -> Result<(), NeighbourError> {
        let (answer, answered) = oneshot::channel();
        let command = Command::RemoveNeighbour { node, answer };
        self.commands.send(command).await.map_err(|_| NeighbourError::Ended)?;
        answered.await.map_err(|_| NeighbourError::Ended)
    }

    /// Who is there, and the directory.
    pub fn enterprise(&self) -> EnterpriseHandle {
        self.enterprise.clone()
    }

    /// All pairs as they are now; none when the engine has ended.
    pub async fn pairs(&self) -> Vec<PairStatus> {
        let (answer, answered) = oneshot::channel();
        if self.commands.send(Command::Status { answer }).await.is_err() {
            return Vec::new();
        }
        answered.await.unwrap_or_default()
    }

    /// What the last attempts to reach those that it dials came to, of the first that fails; `None` for a node that dials nobody,
    /// and for links without TLS, which Zenoh's log tells of.
    pub fn problem(&self) -> Option<DialProblem> {
        self.dials.as_ref().and_then(|dials| dials.problem())
    }

    /// Says good-bye and returns when all is closed.
    pub async fn stop(self) {
        drop(self.commands);
        // A task that panicked has nothing left to close.
        let _ = self.task.await;
    }
}

impl Engine {
    async fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        let mut waiting = Waiting::default();
        let enterprise = self.enterprise.clone();
        loop {
            let enterprise_timeout = enterprise.with(|enterprise| enterprise.poll_timeout());
            let timeout = self.pairs.next_timeout().map_or(enterprise_timeout, |next| next.min(enterprise_timeout));
            let mut touched = Vec::new();
            tokio::select! {
                command = commands.recv() => match command {
                    Some(command) => touched.extend(self.obey(command, &mut waiting)),
                    None => break,
                },
                received = self.inbox.receive() => touched.extend(received.and_then(|it| self.receive(it))),
                event = waiting.next() => touched.extend(self.handle_user(event)),
                () = enterprise.changed() => {}
                () = sleep_until(timeout.into()) => {}
            }
            // Before time is looked at: what has been waiting shows that a peer is there.
            for _ in 0..BATCH_DATAGRAMS {
                let Some(received) = self.inbox.try_receive() else { break };
                touched.extend(self.receive(received));
            }
            let now = Instant::now();
            touched.extend(self.pairs.handle_timeouts(now));
            if enterprise_timeout <= now {
                enterprise.with(|enterprise| enterprise.handle_timeout(now));
            }
            touched.sort_unstable();
            touched.dedup();
            for peer in touched {
                for wish in self.pairs.drive(now, peer) {
                    waiting.push(wish);
                }
            }
            self.tell_neighbours();
        }
        self.leave().await;
    }

    /// The pair to look at, if it has made one.
    fn obey(&mut self, command: Command, waiting: &mut Waiting) -> Option<u32> {
        match command {
            Command::Pair { peer, answer } => {
                let added = self.add_pair(peer);
                let touched = added.is_ok().then_some(peer.node);
                let port = added.map(|(port, wish)| {
                    waiting.push(wish);
                    port
                });
                // Who asks no more drops the port, and that ends the pair.
                let _ = answer.send(port);
                return touched;
            }
            Command::AddNeighbour { node, answer } => drop(answer.send(self.add_neighbour(node))),
            Command::RemoveNeighbour { node, answer } => {
                self.remove_neighbour(node);
                let _ = answer.send(());
            }
            Command::Status { answer } => drop(answer.send(self.pairs.status())),
        }
        None
    }

    fn add_pair(&mut self, peer: Process) -> Result<(EnginePort, Wish), UsePairError> {
        if self.pairs.is_let_go(peer.node) {
            // Its user was faster than the news of it.
            self.remove_pair(peer.node);
        }
        if self.pairs.contains(peer.node) {
            return Err(UsePairError::Taken(peer.node));
        }
        if self.pairs.len() >= MAX_PAIRS {
            return Err(UsePairError::TooMany);
        }
        let session = getrandom::u64().map_err(|error| UsePairError::Random(error.to_string()))?;
        let mut options = PairOptions::new(self.options.me, peer, session);
        options.lease = self.options.lease;
        // Another pair with this peer, earlier in this run, has used some.
        options.ring_floor = self.began_ms.saturating_add(elapsed_ms(self.began));
        let pair = Pair::new(Instant::now(), options)?;
        let publisher = self.publisher("pair", peer.node, Priority::Data).map_err(UsePairError::Zenoh)?;
        if let Err(error) = self.add_neighbour(peer.node) {
            // The pair works without it.
            tracing::warn!(peer = peer.node, %error, "no place among the neighbours");
        }
        self.inbox.open(Kind::Pair, peer.node);
        let (port, side) = engine_port(Pair::capabilities(ENGINE), PORT_MESSAGES);
        let wish = self.pairs.add(peer.node, pair, publisher, side);
        Ok((port, wish))
    }

    fn add_neighbour(&mut self, node: u32) -> Result<(), NeighbourError> {
        if self.neighbours.contains_key(&node) {
            return Ok(());
        }
        let publisher = self.publisher("node", node, Priority::DataLow).map_err(NeighbourError::Zenoh)?;
        self.enterprise.with(|enterprise| enterprise.add_neighbour(node))?;
        self.neighbours.insert(node, publisher);
        self.inbox.open(Kind::Enterprise, node);
        Ok(())
    }

    fn remove_neighbour(&mut self, node: u32) {
        self.inbox.close(Kind::Enterprise, node);
        self.enterprise.with(|enterprise| enterprise.remove_neighbour(node));
        self.neighbours.remove(&node);
    }

    fn remove_pair(&mut self, peer: u32) {
        self.inbox.close(Kind::Pair, peer);
        self.pairs.remove(peer);
    }

    fn publisher(&self, part: &str, to: u32, priority: Priority) -> Result<Publisher<'static>, String> {
        let key = format!("hamsa/{}/{part}/{to}/{}", self.options.enterprise, self.options.me.node);
        let publisher = self.session.declare_publisher(key).priority(priority);
        let publisher = publisher.congestion_control(CongestionControl::Drop).wait();
        publisher.map_err(|error| error.to_string())
    }

    /// Whose pair is to be looked at.
    fn receive(&mut self, received: Received) -> Option<u32> {
        let Received { kind, from, octets } = received;
        let now = Instant::now();
        match kind {
            Kind::Pair => {
                self.pairs.handle_datagram(now, from, &octets);
                Some(from)
            }
            Kind::Enterprise => {
                self.enterprise.with(|enterprise| enterprise.handle_datagram(now, from, &octets));
                None
            }
        }
    }

    fn handle_user(&mut self, event: UserEvent) -> Option<u32> {
        let peer = event.peer();
        if self.pairs.handle_user(Instant::now(), event) {
            return Some(peer);
        }
        self.remove_pair(peer);
        None
    }

    fn tell_neighbours(&self) {
        while let Some((node, octets)) = self.enterprise.with(Enterprise::poll_transmit) {
            let Some(publisher) = self.neighbours.get(&node) else { continue };
            if let Err(error) = publisher.put(octets).wait() {
                tracing::debug!(%error, "Zenoh took no datagram");
            }
        }
    }

    async fn leave(mut self) {
        for peer in self.pairs.peers() {
            self.pairs.remove(peer);
        }
        self.enterprise.with(Enterprise::leave);
        self.tell_neighbours();
        if let Err(error) = self.session.close().await {
            tracing::debug!(%error, "Zenoh's session was closed already");
        }
        if let Some(tunnel) = self.tunnel {
            tunnel.close().await;
        }
    }
}

fn elapsed_ms(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}
