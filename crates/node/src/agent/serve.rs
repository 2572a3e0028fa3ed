//! The loop that answers: datagrams in, a batch at a time, through the engine and the responder, and out.
//!
//! A request that meets a closed gate waits in its worker, and those behind it in the socket: none is lost in the
//! milliseconds of a swap.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use hamsa_snmp::agent::Way;
use hamsa_snmp::ber::Writer;
use hamsa_snmp::engine::Engine;
use hamsa_snmp::limits::MAX_MESSAGE_OCTETS;
use hamsa_snmp::pdu::{AnyPdu, PduKind};
use hamsa_swap::Proxy;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::LOOK;
use super::forwarding::{Forwarding, Handed};
use super::mib_modules::MibModules;
use crate::limits::AGENT_BATCH_DATAGRAMS;
use crate::modules::CommandResponderModule;
use crate::net::{Arrival, BoundUdp, UdpBatch};

/// What answers.
pub(super) struct Entity {
    pub(super) engine: Arc<Engine>,
    pub(super) responder: Proxy<dyn CommandResponderModule>,
    pub(super) mibs: Arc<MibModules>,
    pub(super) forwarding: Arc<Forwarding>,
}

impl Entity {
    /// Takes a message in; how many octets of answer lie at the end of `buffer`. `None`: none is due.
    fn handle(&self, now: Instant, way: Way, message: &mut [u8], buffer: &mut [u8]) -> Option<usize> {
        let mut report = Writer::new(buffer);
        let received = match self.engine.receive(now, message, &mut report) {
            Ok(received) => received,
            Err(rejected) if rejected.has_report => return Some(report.finish().ok()?.len()),
            Err(_) => return None,
        };
        if let Handed::Done(report) = self.forwarding.hand_in(now, way, &received, buffer) {
            return report;
        }
        let is_set = matches!(&received.pdu, AnyPdu::Pdu(pdu) if pdu.kind == PduKind::SetRequest);
        let answer = self.responder.respond(now, &received, buffer);
        if is_set {
            // What was set is on disk before its sender hears so.
            self.mibs.keep();
        }
        match answer {
            Ok(length) => length,
            Err(error) => {
                tracing::warn!(%error, "a request is not answered");
                None
            }
        }
    }
}

/// The threads that answer.
pub(super) struct Workers {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Workers {
    /// Starts so many, all at all sockets.
    pub(super) fn start(entity: &Arc<Entity>, sockets: &[BoundUdp], count: u8) -> io::Result<Self> {
        let mut workers = Workers { stop: Arc::default(), threads: Vec::new() };
        for number in 0..count {
            let sockets = sockets.iter().map(BoundUdp::try_clone).collect::<io::Result<Vec<_>>>()?;
            let (entity, is_over) = (entity.clone(), workers.stop.clone());
            let work = move || {
                let sockets = sockets.into_iter().map(|socket| socket.into_batch_of(AGENT_BATCH_DATAGRAMS));
                let worker = Worker { entity, sockets: sockets.collect(), answers: Answers::default() };
                worker.run(&is_over);
            };
            workers.threads.push(thread::Builder::new().name(format!("snmp {number}")).spawn(work)?);
        }
        Ok(workers)
    }
}

impl Drop for Workers {
    /// Ends them, after the answers under way.
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a thread that answers has panicked");
            }
        }
    }
}

struct Worker {
    entity: Arc<Entity>,
    sockets: Vec<UdpBatch>,
    answers: Answers,
}

/// Answers to a batch, one behind another.
#[derive(Default)]
struct Answers {
    octets: Vec<u8>,
    each: Vec<(SocketAddr, Option<IpAddr>, usize)>,
}

impl Worker {
    fn run(mut self, is_over: &AtomicBool) {
        let mut buffer = vec![0; MAX_MESSAGE_OCTETS];
        while !is_over.load(Ordering::Acquire) {
            match self.wait() {
                Ok(()) => {}
                Err(error) => {
                    tracing::error!(%error, "waiting for requests failed");
                    thread::sleep(LOOK);
                }
            }
            for (number, socket) in self.sockets.iter_mut().enumerate() {
                let numbered = (number, socket);
                if let Err(error) = answer_batch(&self.entity, numbered, &mut self.answers, &mut buffer) {
                    tracing::error!(%error, "receiving failed");
                    thread::sleep(LOOK);
                }
            }
        }
    }

    /// Until something has come, or it is time to look whether to end.
    fn wait(&self) -> io::Result<()> {
        let mut fds: Vec<PollFd<'_>> =
            self.sockets.iter().map(|socket| PollFd::new(socket.as_fd(), PollFlags::POLLIN)).collect();
        let timeout = PollTimeout::try_from(LOOK).unwrap_or(PollTimeout::ZERO);
        match poll(&mut fds, timeout) {
            Ok(_) | Err(Errno::EINTR) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }
}

fn answer_batch(
    entity: &Entity,
    (number, socket): (usize, &mut UdpBatch),
    answers: &mut Answers,
    buffer: &mut [u8],
) -> io::Result<()> {
    answers.octets.clear();
    answers.each.clear();
    socket.receive(|Arrival { from, to, datagram }| {
        let way = Way { from, local: to, socket: number };
        if let Some(length) = entity.handle(Instant::now(), way, datagram, buffer) {
            answers.octets.extend_from_slice(&buffer[buffer.len() - length..]);
            answers.each.push((from, to, length));
        }
    })?;
    let mut rest = &answers.octets[..];
    for &(to, from, length) in &answers.each {
        let (answer, behind) = rest.split_at(length);
        socket.queue(to, from, answer);
        rest = behind;
    }
    socket.flush();
    Ok(())
}
