//! The agent as a proxy: workers hand in what may be for somebody else, and one thread carries what comes back.
//!
//! Requests go out of sockets of their own; answers leave by the socket, and from the address, that the request came to.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use hamsa_snmp::agent::{Forwarded, Forwardings, Way};
use hamsa_snmp::engine::{EngineId, Received};
use hamsa_snmp::limits::MAX_MESSAGE_OCTETS;
use hamsa_snmp::pdu::AnyPdu;
use hamsa_swap::Proxy;

use super::LOOK;
use super::outward::OutwardSockets;
use crate::modules::ProxyForwarderModule;
use crate::net::{BindError, BoundUdp, UdpBatch};

/// The way to the forwarder, and what it speaks by.
pub(super) struct Forwarding {
    engine_id: EngineId,
    forwarder: Proxy<dyn ProxyForwarderModule>,
    under_way: Arc<Mutex<Forwardings>>,
    outward: OutwardSockets,
}

/// What became of a message.
pub(super) enum Handed {
    /// It is for the agent itself.
    Own,
    /// It is dealt with; so many octets of Report lie at the end of the buffer.
    Done(Option<usize>),
}

impl Forwarding {
    /// With sockets of its own.
    pub(super) fn new(
        engine_id: EngineId,
        forwarder: Proxy<dyn ProxyForwarderModule>,
        under_way: Arc<Mutex<Forwardings>>,
    ) -> Result<Self, BindError> {
        Ok(Forwarding { engine_id, forwarder, under_way, outward: OutwardSockets::bind()? })
    }

    /// Looks at a message that came by `way`, and passes it on if it is for somebody else.
    pub(super) fn hand_in(&self, now: Instant, way: Way, received: &Received<'_>, buffer: &mut [u8]) -> Handed {
        let context = received.envelope.context_engine_id;
        let is_command = matches!(&received.pdu, AnyPdu::Pdu(pdu) if pdu.kind.is_command());
        if is_command && (context.is_empty() || context == self.engine_id) {
            return Handed::Own;
        }
        match self.forwarder.forward(now, way, received, buffer) {
            Ok(Forwarded::NotMine) => Handed::Own,
            Ok(Forwarded::Dropped(report)) => Handed::Done(report),
            Ok(Forwarded::Taken) => {
                self.transmit(buffer);
                Handed::Done(None)
            }
            Err(error) => {
                tracing::warn!(%error, "a message is not passed on");
                Handed::Done(None)
            }
        }
    }

    fn transmit(&self, buffer: &mut [u8]) {
        while let Ok(Some(transmit)) = self.forwarder.poll_transmit(Instant::now(), buffer) {
            self.outward.send(transmit, buffer);
        }
    }

    /// Carries what comes back, until it is over. `sockets` are those that messages come by.
    fn run(&self, mut sockets: Vec<UdpBatch>, is_over: &AtomicBool) {
        let mut buffer = vec![0; MAX_MESSAGE_OCTETS];
        let failed = |error| tracing::warn!(%error, "what comes back from behind the proxy is lost");
        while !is_over.load(Ordering::Acquire) {
            self.outward.receive(|from, datagram| {
                self.forwarder.handle_datagram(Instant::now(), from, datagram).unwrap_or_else(failed);
            });
            self.forwarder.handle_timeout(Instant::now()).unwrap_or_else(failed);
            self.transmit(&mut buffer);
            let next = {
                let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
                while let Some(answer) = under_way.poll_answer(&mut buffer) {
                    if let Some(socket) = sockets.get_mut(answer.way.socket) {
                        let message = &buffer[buffer.len() - answer.length..];
                        socket.queue(answer.way.from, answer.way.local, message);
                    }
                }
                under_way.poll_timeout()
            };
            sockets.iter_mut().for_each(UdpBatch::flush);
            let wait = next.map_or(LOOK, |next| next.saturating_duration_since(Instant::now()).min(LOOK));
            self.outward.wait(wait);
        }
    }
}

/// The thread. It ends when dropped.
pub(super) struct ForwardingThread {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl ForwardingThread {
    /// Starts it.
    pub(super) fn start(forwarding: Arc<Forwarding>, sockets: &[BoundUdp]) -> io::Result<Self> {
        let sockets = sockets.iter().map(BoundUdp::try_clone).collect::<io::Result<Vec<_>>>()?;
        let stop = Arc::new(AtomicBool::new(false));
        let is_over = stop.clone();
        let run = move || {
            let sockets = sockets.into_iter().map(|socket| socket.into_batch_of(1)).collect();
            forwarding.run(sockets, &is_over);
        };
        let thread = thread::Builder::new().name("proxy".into()).spawn(run)?;
        Ok(ForwardingThread { stop, thread: Some(thread) })
    }
}

impl Drop for ForwardingThread {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the proxy's thread has panicked");
        }
    }
}
