//! Requests to many targets (RFC 3413 §1.1 and §1.2, command generator and notification originator):
//! identifiers, retransmission, engine discovery and time synchronisation (RFC 3414 §4). Sans-IO.
//!
//! Invariants:
//! - `invariant_ids`: every identifier in use belongs to exactly one request that was sent under it.
//! - `invariant_bounds`: no target has more requests out than it allows, nor more waiting than
//!   [`MAX_QUEUE_PER_TARGET`].
//! - `invariant_progress`: every request will be heard of again: it is about to be sent, has a timer, or waits
//!   for one that has.
//! - `invariant_discovery`: a target is being discovered exactly while a request does it.
//! - Only an answer that comes from the target's address, under an identifier in use, from the engine and
//!   in the name that was asked, ends a request. What an unauthenticated Report tells about an engine is
//!   tried for that target and kept only once the engine has authenticated itself (X1).

mod invariants;
mod pending;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::ber::Writer;
use crate::engine::{Engine, EngineId, EngineTime, Envelope, OutgoingError, Sending, Statistic};
use crate::limits::{MAX_QUEUE_PER_TARGET, MAX_REQUESTS, MAX_RESYNCHRONISATIONS, MAX_RETRIES, TIMERS_PER_REQUEST};
use crate::manager::request::{
    Completion, Failure, Handled, ManagerStats, Problem, RequestError, RequestId, RequestKind, SubmitError,
    TargetConfig, TargetId, Transmit,
};
use crate::manager::timing::RttEstimator;
use crate::message::{SecurityLevel, Version};
use crate::pdu::{AnyPdu, Pdu, PduKind};
use crate::varbind::VarBindBuf;
use pending::{Attempt, Request, peek_id};

/// What is known of a target's engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Peer {
    /// Nothing, and nobody has asked yet.
    Unknown,
    /// Being discovered, by the request in this slot.
    Discovering(u32),
    /// An unauthenticated Report says so.
    Told { engine_id: EngineId, time: Option<EngineTime> },
    /// It has answered in a way that proves it.
    Proven(EngineId),
}

struct Target {
    config: TargetConfig,
    generation: u32,
    rtt: RttEstimator,
    peer: Peer,
    outstanding: u8,
    /// Slots of requests that wait for room or for the engine's discovery.
    waiting: VecDeque<u32>,
}

/// The manager's side of SNMP for any number of targets.
pub struct Manager {
    engine: Arc<Engine>,
    rng: StdRng,
    targets: Vec<Option<Target>>,
    free_targets: Vec<u32>,
    next_generation: u32,
    next_serial: u32,
    requests: Vec<Option<Request>>,
    free_requests: Vec<u32>,
    ids: HashMap<i32, u32>,
    timers: BinaryHeap<Reverse<(Instant, u32)>>,
    to_send: VecDeque<u32>,
    failures: VecDeque<Failure>,
    stats: ManagerStats,
}

impl Manager {
    /// A manager that speaks through an engine. `seed` makes its identifiers: let it be unpredictable where
    /// the network is not trusted.
    pub fn new(engine: Arc<Engine>, seed: [u8; 32]) -> Self {
        Manager {
            engine,
            rng: StdRng::from_seed(seed),
            targets: Vec::new(),
            free_targets: Vec::new(),
            next_generation: 0,
            next_serial: 0,
            requests: Vec::new(),
            free_requests: Vec::new(),
            ids: HashMap::new(),
            timers: BinaryHeap::new(),
            to_send: VecDeque::new(),
            failures: VecDeque::new(),
            stats: ManagerStats::default(),
        }
    }

    /// The engine.
    pub fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// Counts so far.
    pub fn stats(&self) -> ManagerStats {
        self.stats
    }

    /// Requests that are under way or wait.
    pub fn pending(&self) -> usize {
        self.requests.len() - self.free_requests.len()
    }

    /// Adds a target.
    pub fn add_target(&mut self, config: TargetConfig) -> TargetId {
        let peer = config.engine_id.map_or(Peer::Unknown, |engine_id| Peer::Told { engine_id, time: None });
        let generation = self.next_generation;
        self.next_generation = self.next_generation.wrapping_add(1);
        let rtt = RttEstimator::default();
        let target = Target { config, generation, rtt, peer, outstanding: 0, waiting: VecDeque::new() };
        let index = super::put(&mut self.targets, &mut self.free_targets, target);
        TargetId { index, generation }
    }

    /// Removes a target; its requests end without a word.
    pub fn remove_target(&mut self, target: TargetId) {
        if self.target(target).is_none() {
            return;
        }
        for slot in 0..self.requests.len() as u32 {
            if self.requests[slot as usize].as_ref().is_some_and(|request| request.target == target.index) {
                self.take_request(slot);
            }
        }
        self.targets[target.index as usize] = None;
        self.free_targets.push(target.index);
    }

    /// The engine that a target has proven to be, to be kept for the next start.
    pub fn engine_of(&self, target: TargetId) -> Option<EngineId> {
        match self.target(target)?.peer {
            Peer::Proven(engine_id) => Some(engine_id),
            _ => None,
        }
    }

    /// A target's smoothed round-trip time.
    pub fn rtt_of(&self, target: TargetId) -> Option<Duration> {
        self.target(target)?.rtt.smoothed()
    }

    /// Asks a target. The answer or failure carries `token`.
    pub fn submit(
        &mut self,
        target: TargetId,
        kind: RequestKind,
        varbinds: VarBindBuf,
        token: u64,
    ) -> Result<RequestId, SubmitError> {
        if self.pending() >= MAX_REQUESTS {
            return Err(SubmitError::TooManyRequests);
        }
        let waiting = self.target(target).ok_or(SubmitError::NoSuchTarget)?.waiting.len();
        if waiting >= MAX_QUEUE_PER_TARGET {
            return Err(SubmitError::TargetQueueFull);
        }
        let slot = self.add_request(Request::new(target.index, token, kind, varbinds));
        self.target_at(target.index).waiting.push_back(slot);
        let id = RequestId { slot, serial: self.request(slot).serial };
        self.release_waiting(target.index);
        Ok(id)
    }

    /// Takes a request back, if it has not ended yet: neither an answer nor a failure will be told.
    pub fn cancel(&mut self, id: RequestId) {
        if self.is_pending(id) {
            let target = self.take_request(id.slot).target;
            self.release_waiting(target);
        }
    }

    /// The next datagram to send; it is put at the end of `buffer`. Call until `None` after each other call.
    pub fn poll_transmit(&mut self, now: Instant, buffer: &mut [u8]) -> Option<Transmit> {
        while let Some(slot) = self.to_send.pop_front() {
            // A request that has ended in the meantime may have left its slot to another, which is in the
            // queue itself when its turn has come: what is not released, or sent already, is not sent here.
            let ready = self.requests[slot as usize].as_ref().is_some_and(|r| r.is_released && r.deadline.is_none());
            if !ready {
                continue;
            }
            match self.transmit(now, slot, buffer) {
                Ok(transmit) => return Some(transmit),
                Err(error) => self.fail(slot, error.into()),
            }
        }
        None
    }

    /// The next failed request. Ask after each other call: requests fail also because they can't be sent.
    pub fn poll_failure(&mut self) -> Option<Failure> {
        self.failures.pop_front()
    }

    /// Whether [`Manager::poll_failure`] has something to tell.
    pub(super) fn has_failures(&self) -> bool {
        !self.failures.is_empty()
    }

    /// When [`Manager::handle_timeout`] wants to be called.
    pub fn poll_timeout(&mut self) -> Option<Instant> {
        loop {
            let &Reverse((at, slot)) = self.timers.peek()?;
            if self.is_waiting_until(slot, at) {
                return Some(at);
            }
            self.timers.pop();
        }
    }

    /// Retransmits and gives up what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some(at) = self.poll_timeout().filter(|&at| at <= now) {
            let Some(Reverse((_, slot))) = self.timers.pop() else { return };
            let timing = self.config_of(slot).timing;
            let request = self.request(slot);
            debug_assert_eq!(request.deadline, Some(at));
            if request.tries <= timing.retries.min(MAX_RETRIES) {
                request.deadline = None;
                self.stats.retransmitted += 1;
                self.to_send.push_back(slot);
            } else {
                let (attempts, last_problem) = (request.tries, request.last_problem.take());
                self.fail(slot, RequestError::Timeout { attempts, last_problem });
            }
        }
    }

    /// Takes a datagram in.
    pub fn handle_datagram<'m>(&mut self, now: Instant, from: SocketAddr, datagram: &'m mut [u8]) -> Handled<'m> {
        // Nobody is owed a Report by a manager: what is confirmed here arrives at the notification receiver.
        let mut no_report = [];
        let id_hint = peek_id(datagram);
        let received = match self.engine.receive(now, datagram, &mut Writer::new(&mut no_report)) {
            Ok(received) => received,
            Err(rejected) => {
                self.stats.rejected += 1;
                self.note_problem(id_hint, from, Problem::Rejected(rejected.error));
                return Handled::Nothing;
            }
        };
        let AnyPdu::Pdu(pdu) = received.pdu else { return Handled::Other(received) };
        if !matches!(pdu.kind, PduKind::Response | PduKind::Report) {
            return Handled::Other(received);
        }
        let id = if received.envelope.version == Version::V3 { received.envelope.msg_id } else { pdu.request_id };
        let Some(slot) = self.matching(id, from) else { return Handled::Nothing };
        let checked = match pdu.kind {
            PduKind::Report => self.handle_report(slot, &received.envelope, &pdu),
            _ => self.check_answer(slot, id, &received.envelope, &pdu),
        };
        if let Err(problem) = checked {
            self.stats.rejected += 1;
            self.request(slot).last_problem = Some(problem);
            return Handled::Nothing;
        }
        match pdu.kind {
            PduKind::Report => Handled::Nothing,
            _ => Handled::Completed(self.complete(now, slot, id, pdu)),
        }
    }

    fn complete<'m>(&mut self, now: Instant, slot: u32, id: i32, response: Pdu<'m>) -> Completion<'m> {
        let request = self.take_request(slot);
        let target = self.target_at(request.target);
        let attempt = request.attempts.iter().find(|attempt| attempt.id == id).expect("matched by it");
        let rtt = now.saturating_duration_since(attempt.sent);
        target.rtt.sample(rtt);
        if target.config.version == Version::V3 {
            target.peer = Peer::Proven(request.asked);
        }
        let id = TargetId { index: request.target, generation: target.generation };
        self.stats.completed += 1;
        self.release_waiting(request.target);
        let Request { token, varbinds, tries, .. } = request;
        Completion { token, target: id, response, rtt, attempts: tries, varbinds }
    }

    /// The request that an identifier belongs to, if the datagram comes from where it was sent.
    fn matching(&mut self, id: i32, from: SocketAddr) -> Option<u32> {
        let Some(&slot) = self.ids.get(&id) else {
            self.stats.unmatched += 1;
            return None;
        };
        let target = self.request(slot).target;
        if self.target_at(target).config.address != from {
            self.stats.wrong_source += 1;
            return None;
        }
        Some(slot)
    }

    /// RFC 3412 §7.2 (12): the answer must be what was asked for, from whom it was asked.
    fn check_answer(&self, slot: u32, id: i32, envelope: &Envelope, pdu: &Pdu<'_>) -> Result<(), Problem> {
        let request = self.requests[slot as usize].as_ref().expect("matched");
        let config = self.config_of(slot);
        if pdu.request_id != id || request.is_discovery {
            return Err(Problem::WrongPdu);
        }
        let secured_alike = envelope.version == config.version
            && (config.version != Version::V3
                || (envelope.level == config.level && envelope.engine_id == request.asked));
        if !secured_alike || !self.engine.may_answer(&config.security_name, envelope) {
            return Err(Problem::WrongSecurity);
        }
        let is_same_context = config.version != Version::V3
            || (envelope.context_engine_id == config.context_engine_id.unwrap_or(request.asked)
                && envelope.context_name == config.context_name);
        if is_same_context { Ok(()) } else { Err(Problem::WrongContext) }
    }

    /// Takes what a Report says. It must be about a message of SNMPv3 and come from the engine that was asked;
    /// only that another engine sits there is for another engine to tell.
    fn handle_report(&mut self, slot: u32, envelope: &Envelope, pdu: &Pdu<'_>) -> Result<(), Problem> {
        if (envelope.version, self.config_of(slot).version) != (Version::V3, Version::V3) {
            return Err(Problem::WrongPdu);
        }
        let statistic = pdu.varbinds.first().and_then(|varbind| Statistic::of_report(varbind.name));
        let statistic = statistic.ok_or(Problem::UnknownReport)?;
        let request = self.request(slot);
        let (is_discovery, asked, target) = (request.is_discovery, request.asked, request.target);
        if !is_discovery && statistic != Statistic::UnknownEngineIds && envelope.engine_id != asked {
            return Err(Problem::WrongSecurity);
        }
        self.stats.reports += 1;
        let proven = envelope.level.is_authenticated() && envelope.engine_id == asked;
        let told = match statistic {
            // Whatever it complains of, it tells who it is.
            _ if is_discovery && !envelope.engine_id.is_empty() => {
                Some(Peer::Told { engine_id: envelope.engine_id, time: envelope.engine_time })
            }
            Statistic::UnknownEngineIds if !envelope.engine_id.is_empty() => {
                Some(Peer::Told { engine_id: envelope.engine_id, time: envelope.engine_time })
            }
            // The security model has taken the authentic time; an unauthenticated one is only tried.
            Statistic::NotInTimeWindows if proven => Some(Peer::Proven(asked)),
            Statistic::NotInTimeWindows => Some(Peer::Told { engine_id: asked, time: envelope.engine_time }),
            _ => None,
        };
        let Some(peer) = told else {
            self.fail(slot, RequestError::Report(statistic));
            return Ok(());
        };
        self.target_at(target).peer = peer;
        if is_discovery {
            self.stats.discoveries += 1;
            self.take_request(slot);
            self.release_waiting(target);
            return Ok(());
        }
        let request = self.request(slot);
        request.synchronisations += 1;
        if request.synchronisations > MAX_RESYNCHRONISATIONS {
            self.fail(slot, RequestError::NotSynchronised(statistic));
            return Ok(());
        }
        // Not a retransmission: the agent is there and has said what was wrong.
        request.deadline = None;
        request.tries = request.tries.saturating_sub(1);
        self.to_send.push_back(slot);
        Ok(())
    }

    fn transmit(&mut self, now: Instant, slot: u32, buffer: &mut [u8]) -> Result<Transmit, OutgoingError> {
        let id = self.new_id();
        let request = self.requests[slot as usize].as_mut().expect("checked by the caller");
        let target = self.targets[request.target as usize].as_mut().expect("a request has a target");
        let config = &target.config;
        let (engine_id, time_hint) = match target.peer {
            _ if request.is_discovery => (EngineId::EMPTY, None),
            Peer::Told { engine_id, time } => (engine_id, time),
            Peer::Proven(engine_id) => (engine_id, None),
            Peer::Unknown | Peer::Discovering(_) => (EngineId::EMPTY, None),
        };
        let sending = Sending {
            now,
            msg_id: id,
            engine_id,
            security_name: &config.security_name,
            level: if request.is_discovery { SecurityLevel::NoAuthNoPriv } else { config.level },
            time_hint,
            context_engine_id: config.context_engine_id.filter(|_| !request.is_discovery).unwrap_or(engine_id),
            context_name: &config.context_name,
            pdu: AnyPdu::Pdu(request.pdu(id)),
        };
        let mut writer = Writer::new(buffer);
        self.engine.send(config.version, &sending, &mut writer)?;
        let length = writer.finish()?.len();
        let deadline = now + target.rtt.wait(&config.timing, request.tries);
        request.asked = engine_id;
        request.tries += 1;
        request.deadline = Some(deadline);
        request.attempts.push(Attempt { id, sent: now });
        let address = config.address;
        self.ids.insert(id, slot);
        self.stats.sent += 1;
        self.set_timer(deadline, slot);
        Ok(Transmit { address, length })
    }

    /// Lets waiting requests of a target go out, as far as it takes more; starts discovery where that must
    /// come first.
    fn release_waiting(&mut self, index: u32) {
        let target = self.target_at(index);
        if target.config.version == Version::V3 && !target.waiting.is_empty() {
            match target.peer {
                Peer::Discovering(_) => return,
                Peer::Unknown => {
                    let mut discovery = Request::new(index, 0, RequestKind::Get, VarBindBuf::new());
                    discovery.is_discovery = true;
                    discovery.is_released = true;
                    let slot = self.add_request(discovery);
                    self.target_at(index).peer = Peer::Discovering(slot);
                    self.to_send.push_back(slot);
                    return;
                }
                Peer::Told { .. } | Peer::Proven(_) => {}
            }
        }
        loop {
            let target = self.target_at(index);
            if target.outstanding >= target.config.max_outstanding.max(1) {
                return;
            }
            let Some(slot) = target.waiting.pop_front() else { return };
            target.outstanding += 1;
            self.request(slot).is_released = true;
            self.to_send.push_back(slot);
        }
    }

    fn fail(&mut self, slot: u32, error: RequestError) {
        let request = self.take_request(slot);
        if request.is_discovery {
            return self.fail_discovery(request.target, error);
        }
        self.report_failure(request, error);
    }

    /// Nobody can be asked while the engine is unknown: all that waits for it fails alike.
    fn fail_discovery(&mut self, index: u32, error: RequestError) {
        let target = self.target_at(index);
        target.peer = Peer::Unknown;
        let waiting = std::mem::take(&mut target.waiting);
        for slot in waiting {
            let request = self.take_request(slot);
            let error = match &error {
                RequestError::Timeout { attempts, last_problem } => RequestError::Timeout {
                    attempts: *attempts,
                    last_problem: last_problem.clone().or(Some(Problem::NoDiscovery)),
                },
                other => other.clone(),
            };
            self.report_failure(request, error);
        }
    }

    fn report_failure(&mut self, request: Request, error: RequestError) {
        match error {
            RequestError::Timeout { .. } => self.stats.timed_out += 1,
            _ => self.stats.failed += 1,
        }
        let generation = self.target_at(request.target).generation;
        let target = TargetId { index: request.target, generation };
        let Request { token, varbinds, tries, .. } = request;
        self.failures.push_back(Failure { token, target, error, attempts: tries, varbinds });
        self.release_waiting(target.index);
    }

    /// Remembers, for the error to come, what arrived under an identifier but could not be used.
    fn note_problem(&mut self, id: Option<i32>, from: SocketAddr, problem: Problem) {
        if let Some(slot) = id.and_then(|id| self.matching(id, from)) {
            self.request(slot).last_problem = Some(problem);
        }
    }

    fn new_id(&mut self) -> i32 {
        loop {
            let id = self.rng.random_range(1..i32::MAX);
            if !self.ids.contains_key(&id) {
                return id;
            }
        }
    }

    fn add_request(&mut self, mut request: Request) -> u32 {
        request.serial = self.next_serial;
        self.next_serial = self.next_serial.wrapping_add(1);
        super::put(&mut self.requests, &mut self.free_requests, request)
    }

    /// Ends a request: frees its slot and identifiers, and its place among the target's outstanding ones.
    fn take_request(&mut self, slot: u32) -> Request {
        let request = self.requests[slot as usize].take().expect("a request in use");
        self.free_requests.push(slot);
        for attempt in &request.attempts {
            self.ids.remove(&attempt.id);
        }
        let target = self.target_at(request.target);
        match request.is_released {
            true if request.is_discovery => {}
            true => target.outstanding -= 1,
            false => target.waiting.retain(|&waiting| waiting != slot),
        }
        request
    }

    /// Sets a timer. Those of requests that have ended, or were sent again, are left to expire unless they
    /// become too many: then they are cleared away at once.
    fn set_timer(&mut self, at: Instant, slot: u32) {
        if self.timers.len() >= TIMERS_PER_REQUEST * self.requests.len() {
            let mut timers = std::mem::take(&mut self.timers).into_vec();
            timers.retain(|&Reverse((at, slot))| self.is_waiting_until(slot, at));
            // Several requests may have had this slot at one instant.
            timers.sort_unstable();
            timers.dedup();
            self.timers = timers.into();
        }
        self.timers.push(Reverse((at, slot)));
    }

    /// Whether a request has not ended yet.
    pub(super) fn is_pending(&self, id: RequestId) -> bool {
        let request = self.requests.get(id.slot as usize).and_then(Option::as_ref);
        request.is_some_and(|request| request.serial == id.serial)
    }

    fn is_waiting_until(&self, slot: u32, at: Instant) -> bool {
        self.requests[slot as usize].as_ref().is_some_and(|request| request.deadline == Some(at))
    }

    fn config_of(&self, slot: u32) -> &TargetConfig {
        let target = self.requests[slot as usize].as_ref().expect("a request in use").target;
        &self.targets[target as usize].as_ref().expect("a request has a target").config
    }

    fn target(&self, id: TargetId) -> Option<&Target> {
        self.targets.get(id.index as usize)?.as_ref().filter(|target| target.generation == id.generation)
    }

    fn target_at(&mut self, index: u32) -> &mut Target {
        self.targets[index as usize].as_mut().expect("a target in use")
    }

    fn request(&mut self, slot: u32) -> &mut Request {
        self.requests[slot as usize].as_mut().expect("a request in use")
    }
}
