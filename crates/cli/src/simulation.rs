//! Sockets and a clock for [`hamsa_sim::Simulator`]: `hamsa sim` and `hamsa demo` run it in a thread.
//!
//! Agents that differ by address share one wildcard socket for their port; it answers only for addresses
//! that have an agent, from the address that was asked. Agents that differ by port have a socket each.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use hamsa_node::net::{BindError, BoundUdp, UdpBatch, UdpOptions};
use hamsa_sim::{SimStats, Simulator};
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token, Waker};

use crate::limits::{MAX_SIMULATED_ADDRESSES_BOUND, SIMULATION_BATCH, SIMULATION_RECEIVE_BUFFER};

const OPTIONS: UdpOptions = UdpOptions { receive_buffer_bytes: SIMULATION_RECEIVE_BUFFER, local_addresses: true };
const WAKER: Token = Token(usize::MAX);

/// A simulation whose sockets are bound.
pub struct BoundSimulation {
    simulator: Simulator,
    sockets: Vec<(SocketAddr, BoundUdp)>,
    /// For answers that a fault sends from a port where nobody listens.
    stray: Vec<BoundUdp>,
}

/// A simulation that runs.
pub struct RunningSimulation {
    stop: Arc<AtomicBool>,
    waker: Arc<Waker>,
    stats: Arc<Mutex<SimStats>>,
    thread: Option<JoinHandle<()>>,
}

impl BoundSimulation {
    /// Binds a socket for each port.
    ///
    /// # Errors
    /// A port is taken, or needs rights.
    pub fn bind(simulator: Simulator) -> Result<Self, BindError> {
        let mut ports: BTreeMap<(bool, u16), BTreeSet<IpAddr>> = BTreeMap::new();
        for agent in simulator.agents() {
            let address = agent.address();
            ports.entry((address.is_ipv4(), address.port())).or_default().insert(address.ip());
        }
        let mut sockets = Vec::new();
        let mut strays = BTreeSet::new();
        for ((is_ipv4, port), addresses) in ports {
            strays.insert(is_ipv4);
            let few = addresses.len() <= MAX_SIMULATED_ADDRESSES_BOUND;
            let to_bind: Vec<IpAddr> = if few { addresses.into_iter().collect() } else { vec![unspecified(is_ipv4)] };
            for ip in to_bind {
                let address = SocketAddr::new(ip, port);
                sockets.push((address, BoundUdp::bind(address, OPTIONS)?));
            }
        }
        let stray = strays.into_iter().map(|is_ipv4| BoundUdp::bind((unspecified(is_ipv4), 0).into(), OPTIONS));
        Ok(BoundSimulation { simulator, sockets, stray: stray.collect::<Result<_, _>>()? })
    }

    /// Starts the thread.
    ///
    /// # Errors
    /// The system gives no thread or no poll.
    pub fn start(self) -> io::Result<RunningSimulation> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKER)?);
        let stop = Arc::new(AtomicBool::new(false));
        let stats = Arc::new(Mutex::new(self.simulator.stats()));
        let (stopping, shared) = (stop.clone(), stats.clone());
        let run = move || Driver::new(self, poll, shared).run(&stopping);
        let thread = thread::Builder::new().name("simulation".into()).spawn(run)?;
        Ok(RunningSimulation { stop, waker, stats, thread: Some(thread) })
    }
}

impl RunningSimulation {
    /// What it counts, as of the last second.
    pub fn stats(&self) -> SimStats {
        *self.stats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for RunningSimulation {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // A thread that can't be woken looks at the flag within a second.
        let _ = self.waker.wake();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Socket {
    address: SocketAddr,
    batch: UdpBatch,
    readable: bool,
}

struct Driver {
    simulator: Simulator,
    sockets: Vec<Socket>,
    /// Sockets by their bound addresses.
    places: HashMap<SocketAddr, usize>,
    stray: Vec<UdpBatch>,
    poll: Poll,
    stats: Arc<Mutex<SimStats>>,
}

impl Driver {
    fn new(bound: BoundSimulation, poll: Poll, stats: Arc<Mutex<SimStats>>) -> Self {
        let batch = if bound.sockets.len() > MAX_SIMULATED_ADDRESSES_BOUND { 1 } else { SIMULATION_BATCH };
        let sockets: Vec<Socket> = bound
            .sockets
            .into_iter()
            .map(|(address, socket)| Socket { address, batch: socket.into_batch_of(batch), readable: true })
            .collect();
        let places = sockets.iter().enumerate().map(|(i, socket)| (socket.address, i)).collect();
        let stray = bound.stray.into_iter().map(|socket| socket.into_batch_of(1)).collect();
        Driver { simulator: bound.simulator, sockets, places, stray, poll, stats }
    }

    fn run(&mut self, stop: &AtomicBool) {
        for (i, socket) in self.sockets.iter().enumerate() {
            let fd = socket.batch.as_raw_fd();
            if let Err(error) = self.poll.registry().register(&mut SourceFd(&fd), Token(i), Interest::READABLE) {
                tracing::error!(%error, address = %socket.address, "a simulated agent can't be listened for");
            }
        }
        let mut events = Events::with_capacity(1024);
        while !stop.load(Ordering::Relaxed) {
            let wait = self.wait();
            if let Err(error) = self.poll.poll(&mut events, Some(wait))
                && error.kind() != io::ErrorKind::Interrupted
            {
                tracing::error!(%error, "the simulation can't wait for datagrams");
                return;
            }
            for event in &events {
                if let Some(socket) = self.sockets.get_mut(event.token().0) {
                    socket.readable = true;
                }
            }
            self.receive();
            self.send();
            *self.stats.lock().unwrap_or_else(PoisonError::into_inner) = self.simulator.stats();
        }
    }

    fn wait(&self) -> Duration {
        if self.sockets.iter().any(|socket| socket.readable) {
            return Duration::ZERO;
        }
        let due = self.simulator.poll_timeout().map(|due| due.saturating_duration_since(Instant::now()));
        due.unwrap_or(Duration::MAX).min(Duration::from_secs(1))
    }

    fn receive(&mut self) {
        let Driver { simulator, sockets, .. } = self;
        for socket in sockets.iter_mut().filter(|socket| socket.readable) {
            let now = Instant::now();
            let bound = socket.address;
            let received = socket.batch.receive(|arrival| {
                let to = SocketAddr::new(arrival.to.unwrap_or(bound.ip()), bound.port());
                simulator.handle_datagram(now, to, arrival.from, arrival.datagram);
            });
            match received {
                Ok(count) => socket.readable = count == socket.batch.batch_size(),
                Err(error) => {
                    tracing::warn!(%error, address = %bound, "receiving failed");
                    socket.readable = false;
                }
            }
        }
    }

    fn send(&mut self) {
        let now = Instant::now();
        let mut used = BTreeSet::new();
        while let Some(transmit) = self.simulator.poll_transmit(now) {
            let wildcard = SocketAddr::new(unspecified(transmit.from.is_ipv4()), transmit.from.port());
            let place = self.places.get(&transmit.from).or_else(|| self.places.get(&wildcard)).copied();
            match place {
                Some(i) => {
                    self.sockets[i].batch.queue(transmit.to, Some(transmit.from.ip()), &transmit.datagram);
                    used.insert(i);
                }
                None => {
                    let is_family = |stray: &&mut UdpBatch| {
                        stray.local_addr().is_ok_and(|address| address.is_ipv4() == transmit.from.is_ipv4())
                    };
                    if let Some(stray) = self.stray.iter_mut().find(is_family) {
                        stray.queue(transmit.to, Some(transmit.from.ip()), &transmit.datagram);
                        stray.flush();
                    }
                }
            }
        }
        for i in used {
            self.sockets[i].batch.flush();
        }
    }
}

fn unspecified(is_ipv4: bool) -> IpAddr {
    if is_ipv4 { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() }
}
