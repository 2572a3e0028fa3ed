//! The master agent (RFC 2741 §7): which sub-agents there are, what they have registered, and what they are told.
//!
//! Administrative packets come in by [`Master::handle`]. For what managers ask, [`Master::at`] and
//! [`Master::next_span`] tell the session, and [`Master::request`] makes the packet. It keeps no request: whoever
//! sends one waits for its answer, and says how that went ([`Master::answered`], [`Master::timed_out`]).

use std::collections::BTreeMap;
use std::time::Instant;

use super::codec::ByteOrder;
use super::indexes::{Indexes, Wanted};
use super::packet::{Body, Header, Packet, Range, Response, Variable, close_reason, status};
use super::registration::Registration;
use crate::agent::SearchRange;
use crate::agent::segments::Segments;
use crate::limits::{
    MAX_AGENTX_CAPABILITIES, MAX_AGENTX_SESSIONS, MAX_AGENTX_TEXT_OCTETS, MAX_AGENTX_TIMEOUTS, MAX_MODULE_SUBTREES,
};
use crate::oid::{Oid, OidRef};
use crate::value::OwnedValue;

/// `snmpTrapOID.0`, which a notification has as its first or second variable (§7.1.11).
const SNMP_TRAP_OID: &[u32] = &[1, 3, 6, 1, 6, 3, 1, 1, 4, 1, 0];

/// The sessions of an agent's sub-agents.
#[derive(Debug)]
pub struct Master {
    /// When `sysUpTime` was zero.
    pub(super) started: Instant,
    pub(super) sessions: BTreeMap<u32, Session>,
    pub(super) last_session: u32,
    pub(super) indexes: Indexes,
    /// Who claims a subtree, the lowest priority first.
    claims: BTreeMap<Oid, Vec<Claim>>,
    /// The first claims, and who of them serves which names.
    owners: Vec<Claim>,
    segments: Segments,
}

#[derive(Debug)]
pub(super) struct Session {
    pub(super) connection: u64,
    pub(super) order: ByteOrder,
    pub(super) timeout_s: u8,
    pub(super) id: Oid,
    pub(super) description: Box<[u8]>,
    pub(super) registrations: Vec<Registration>,
    pub(super) capabilities: Vec<(Oid, Box<[u8]>)>,
    /// Answers in a row that did not come.
    timeouts: u32,
}

#[derive(Debug, Clone, Copy)]
struct Claim {
    priority: u8,
    session: u32,
    timeout_s: u8,
}

/// Where to ask, for what, and how long an answer may take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// The session.
    pub session: u32,
    /// The connection that its packets go over.
    pub connection: u64,
    /// In seconds; 0: neither registration nor session say.
    pub timeout_s: u8,
    /// The names to look for.
    pub range: Range,
}

/// What came of an administrative packet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Handled {
    /// What is to be sent back; empty: nothing.
    pub answer: Vec<u8>,
    /// Whether the registered subtrees or the capabilities have changed.
    pub has_changed: bool,
    /// What a sub-agent notifies of: variables, `snmpTrapOID.0` the first or second of them.
    pub notification: Option<Vec<Variable>>,
}

type Outcome = Result<Vec<Variable>, (u16, usize)>;

impl Master {
    /// A master without sessions. `started` is when `sysUpTime` was zero.
    pub fn new(started: Instant) -> Self {
        Master {
            started,
            sessions: BTreeMap::new(),
            last_session: 0,
            indexes: Indexes::default(),
            claims: BTreeMap::new(),
            owners: Vec::new(),
            segments: Segments::default(),
        }
    }

    /// Takes in a packet that is no response. What is in `reserved` can't be registered.
    pub fn handle(&mut self, now: Instant, connection: u64, octets: &[u8], reserved: &[Oid]) -> Handled {
        let Ok(header) = Header::decode(octets) else { return Handled::default() };
        let mut handled = Handled::default();
        let mut session = header.session;
        let outcome = match Packet::decode(octets) {
            Ok(Packet { body: Body::Response(_), .. }) => return handled,
            Ok(packet) => self.carry_out(connection, packet, reserved, &mut session, &mut handled),
            Err(_) => Err((status::PARSE_ERROR, 0)),
        };
        let (error, index, variables) = match outcome {
            Ok(variables) => (status::NO_ERROR, 0, variables),
            Err((error, place)) => (error, u16::try_from(place).unwrap_or(u16::MAX), Vec::new()),
        };
        let ticks = now.saturating_duration_since(self.started).as_millis() / 10;
        let response = Response { uptime_ticks: ticks as u32, error, index, variables };
        handled.answer = Packet::new(Header { session, ..header }, Body::Response(response)).encode();
        handled
    }

    /// Ends the sessions of a connection that is no more; whether the registered subtrees or the capabilities have changed
    /// by that.
    pub fn connection_lost(&mut self, connection: u64) -> bool {
        let lost = |(&id, session): (&u32, &Session)| (session.connection == connection).then_some(id);
        let lost: Vec<u32> = self.sessions.iter().filter_map(lost).collect();
        let mut has_changed = false;
        for session in lost {
            has_changed |= self.end(session);
        }
        has_changed
    }

    /// Ends all sessions. Index values that they had are remembered.
    pub fn end_all(&mut self) {
        let sessions: Vec<u32> = self.sessions.keys().copied().collect();
        for session in sessions {
            self.end(session);
        }
    }

    /// Where to ask for this name.
    pub fn at(&self, name: OidRef<'_>) -> Option<Span> {
        let owner = self.owners[self.segments.owner(name)?];
        self.span(owner, Range { start: name.to_owned(), is_start_included: true, end: None })
    }

    /// Where to ask first for the first name in a range; what comes behind `Span::range` is to be asked for next.
    pub fn next_span(&self, range: &SearchRange<'_>) -> Option<Span> {
        let segments = self.segments.from(range.start);
        let (first, others) = segments.split_first()?;
        if range.end.is_some_and(|end| first.start.as_oid() >= end) {
            return None;
        }
        let owner = self.owners[first.owner];
        // What lies side by side in one session is asked for at once (§7.2.3.2).
        let mut end = first.end.as_ref();
        for segment in others {
            if end != Some(&segment.start) || self.owners[segment.owner].session != owner.session {
                break;
            }
            end = segment.end.as_ref();
        }
        let end = match (end.map(Oid::as_oid), range.end) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        let begins_before = range.start < first.start.as_oid();
        let start = if begins_before { first.start.as_oid() } else { range.start };
        let is_start_included = begins_before || range.is_start_included;
        self.span(owner, Range { start: start.to_owned(), is_start_included, end: end.map(OidRef::to_owned) })
    }

    /// A packet for a session; `None`: it has ended.
    pub fn request(&self, session: u32, transaction: u32, packet: u32, body: Body) -> Option<Vec<u8>> {
        let order = self.sessions.get(&session)?.order;
        Some(Packet::new(Header { order, session, transaction, packet }, body).encode())
    }

    /// A session has answered in time.
    pub fn answered(&mut self, session: u32) {
        if let Some(session) = self.sessions.get_mut(&session) {
            session.timeouts = 0;
        }
    }

    /// A session has not answered in time. After some times in a row it is ended (§7.2.5): then what it is to be told.
    pub fn timed_out(&mut self, session: u32) -> Option<Vec<u8>> {
        let open = self.sessions.get_mut(&session)?;
        open.timeouts += 1;
        if open.timeouts < MAX_AGENTX_TIMEOUTS {
            return None;
        }
        let farewell = self.request(session, 0, 0, Body::Close { reason: close_reason::TIMEOUTS });
        self.end(session);
        farewell
    }

    /// What all sessions are to be told when the master ends, each with its connection.
    pub fn farewells(&self) -> Vec<(u64, Vec<u8>)> {
        let farewell = |(&id, session): (&u32, &Session)| {
            let body = Body::Close { reason: close_reason::SHUTDOWN };
            Some((session.connection, self.request(id, 0, 0, body)?))
        };
        self.sessions.iter().filter_map(farewell).collect()
    }

    /// The subtrees that are registered, but for those within others; in order.
    pub fn subtrees(&self) -> Vec<Oid> {
        let mut subtrees: Vec<Oid> = Vec::new();
        for subtree in self.claims.keys() {
            if !subtrees.last().is_some_and(|last| subtree.as_oid().starts_with(last.as_oid())) {
                subtrees.push(subtree.clone());
            }
        }
        subtrees
    }

    /// What the sub-agents say that they implement: each an OID and a text of theirs.
    pub fn capabilities(&self) -> impl Iterator<Item = (&Oid, &[u8])> {
        self.sessions.values().flat_map(|session| &session.capabilities).map(|(id, text)| (id, &**text))
    }

    /// How many sessions there are.
    pub fn session_count(&self) -> usize {
        self.sessions.len()
    }

    fn span(&self, owner: Claim, range: Range) -> Option<Span> {
        let session = self.sessions.get(&owner.session)?;
        let timeout_s = if owner.timeout_s == 0 { session.timeout_s } else { owner.timeout_s };
        Some(Span { session: owner.session, connection: session.connection, timeout_s, range })
    }

    fn carry_out(
        &mut self,
        connection: u64,
        packet: Packet,
        reserved: &[Oid],
        session: &mut u32,
        handled: &mut Handled,
    ) -> Outcome {
        let Packet { header, context, body } = packet;
        if let Body::Open { timeout_s, id, description } = body {
            *session = self.open(Session::new(connection, header.order, timeout_s, id, description))?;
            return Ok(Vec::new());
        }
        let id = header.session;
        if self.sessions.get(&id).is_none_or(|open| open.connection != connection) {
            return Err((status::NOT_OPEN, 0));
        }
        if context.is_some_and(|context| !context.is_empty()) {
            return Err((status::UNSUPPORTED_CONTEXT, 0));
        }
        match body {
            Body::Close { .. } => handled.has_changed = self.end(id),
            Body::Register(registration) => {
                self.register(id, registration, reserved)?;
                handled.has_changed = true;
            }
            Body::Unregister(registration) => {
                self.unregister(id, &registration)?;
                handled.has_changed = true;
            }
            Body::Notify(variables) => {
                let mut first = variables.iter().take(2).map(|variable| variable.name.as_oid());
                if !first.any(|name| name.arcs().eq(SNMP_TRAP_OID.iter().copied())) {
                    return Err((status::PROCESSING_ERROR, 0));
                }
                handled.notification = Some(variables);
            }
            Body::Ping => {}
            Body::IndexAllocate { is_new, is_any, variables } => {
                let wanted = match (is_new, is_any) {
                    (true, _) => Wanted::New,
                    (false, true) => Wanted::Any,
                    (false, false) => Wanted::This,
                };
                let allocated = self.indexes.allocate(id, wanted, &variables);
                return allocated.map_err(|(error, place)| (error, place + 1));
            }
            Body::IndexDeallocate(variables) => {
                let released = self.indexes.release(id, &variables);
                released.map_err(|place| (status::INDEX_NOT_ALLOCATED, place + 1))?;
                return Ok(variables);
            }
            Body::AddAgentCaps { id: capability, description } => {
                self.add_capability(id, capability, description)?;
                handled.has_changed = true;
            }
            Body::RemoveAgentCaps { id: capability } => {
                let known = self.sessions.get_mut(&id).map(|session| &mut session.capabilities);
                let known = known.ok_or((status::NOT_OPEN, 0))?;
                let place = known.iter().position(|(known, _)| *known == capability);
                known.remove(place.ok_or((status::UNKNOWN_AGENT_CAPS, 0))?);
                handled.has_changed = true;
            }
            Body::Open { .. }
            | Body::Get(_)
            | Body::GetNext(_)
            | Body::GetBulk { .. }
            | Body::TestSet(_)
            | Body::CommitSet
            | Body::UndoSet
            | Body::CleanupSet
            | Body::Response(_) => return Err((status::PROCESSING_ERROR, 0)),
        }
        Ok(Vec::new())
    }

    fn open(&mut self, opened: Session) -> Result<u32, (u16, usize)> {
        if self.sessions.len() >= MAX_AGENTX_SESSIONS || opened.description.len() > MAX_AGENTX_TEXT_OCTETS {
            return Err((status::OPEN_FAILED, 0));
        }
        // 0 is no session, and one of another connection may still have its number.
        loop {
            self.last_session = self.last_session.wrapping_add(1);
            if self.last_session != 0 && !self.sessions.contains_key(&self.last_session) {
                break;
            }
        }
        self.sessions.insert(self.last_session, opened);
        Ok(self.last_session)
    }

    /// Whether the registered subtrees or the capabilities have changed by that.
    fn end(&mut self, session: u32) -> bool {
        let Some(ended) = self.sessions.remove(&session) else { return false };
        self.indexes.release_all(session);
        if ended.registrations.is_empty() {
            return !ended.capabilities.is_empty();
        }
        self.claims.retain(|_, claims| {
            claims.retain(|claim| claim.session != session);
            !claims.is_empty()
        });
        self.cut();
        true
    }

    fn register(&mut self, session: u32, registration: Registration, reserved: &[Oid]) -> Result<(), (u16, usize)> {
        let denied = (status::REQUEST_DENIED, 0);
        let subtrees = registration.subtrees().map_err(|_| denied)?;
        let is_reserved =
            |subtree: &Oid| reserved.iter().any(|reserved| subtree.as_oid().starts_with(reserved.as_oid()));
        let is_taken = |subtree: &Oid| {
            let claims = self.claims.get(subtree);
            claims.is_some_and(|claims| claims.iter().any(|claim| claim.priority == registration.priority))
        };
        if subtrees.iter().any(is_reserved) {
            return Err(denied);
        }
        if subtrees.iter().any(is_taken) {
            return Err((status::DUPLICATE_REGISTRATION, 0));
        }
        let count: usize = self.claims.values().map(Vec::len).sum();
        if count + subtrees.len() > MAX_MODULE_SUBTREES {
            return Err(denied);
        }
        self.claim(session, registration, subtrees);
        self.cut();
        Ok(())
    }

    /// Puts a registration in that may be.
    pub(super) fn claim(&mut self, session: u32, registration: Registration, subtrees: Vec<Oid>) {
        let Some(open) = self.sessions.get_mut(&session) else { return };
        let Registration { priority, timeout_s, .. } = registration;
        for subtree in subtrees {
            let claims = self.claims.entry(subtree).or_default();
            let place = claims.partition_point(|claim| claim.priority < priority);
            claims.insert(place, Claim { priority, session, timeout_s });
        }
        open.registrations.push(registration);
    }

    fn unregister(&mut self, session: u32, wanted: &Registration) -> Result<(), (u16, usize)> {
        let unknown = (status::UNKNOWN_REGISTRATION, 0);
        let open = self.sessions.get_mut(&session).ok_or((status::NOT_OPEN, 0))?;
        let place = open.registrations.iter().position(|known| known.is_same_region(wanted)).ok_or(unknown)?;
        let gone = open.registrations.remove(place);
        for subtree in gone.subtrees().map_err(|_| unknown)? {
            if let Some(claims) = self.claims.get_mut(&subtree) {
                claims.retain(|claim| (claim.session, claim.priority) != (session, gone.priority));
                if claims.is_empty() {
                    self.claims.remove(&subtree);
                }
            }
        }
        self.cut();
        Ok(())
    }

    fn add_capability(&mut self, session: u32, id: Oid, description: Box<[u8]>) -> Result<(), (u16, usize)> {
        let count: usize = self.sessions.values().map(|session| session.capabilities.len()).sum();
        if count >= MAX_AGENTX_CAPABILITIES || description.len() > MAX_AGENTX_TEXT_OCTETS {
            return Err((status::REQUEST_DENIED, 0));
        }
        let open = self.sessions.get_mut(&session).ok_or((status::NOT_OPEN, 0))?;
        open.capabilities.push((id, description));
        Ok(())
    }

    /// Says anew who serves what.
    pub(super) fn cut(&mut self) {
        self.owners.clear();
        let mut subtrees = Vec::with_capacity(self.claims.len());
        for (subtree, claims) in &self.claims {
            if let Some(first) = claims.first() {
                subtrees.push((subtree.clone(), self.owners.len()));
                self.owners.push(*first);
            }
        }
        self.segments = Segments::cut(subtrees);
    }
}

impl Session {
    pub(super) fn new(connection: u64, order: ByteOrder, timeout_s: u8, id: Oid, description: Box<[u8]>) -> Self {
        let (registrations, capabilities) = (Vec::new(), Vec::new());
        Session { connection, order, timeout_s, id, description, registrations, capabilities, timeouts: 0 }
    }
}

impl Response {
    /// The variables of an answer without an error.
    ///
    /// # Errors
    /// What the sub-agent says, and of which variable.
    pub fn variables(self) -> Result<Vec<Variable>, (u16, u16)> {
        if self.error == status::NO_ERROR { Ok(self.variables) } else { Err((self.error, self.index)) }
    }
}

impl Variable {
    /// Whether it says that a range has no variable.
    pub fn is_end(&self) -> bool {
        self.value == OwnedValue::EndOfMibView
    }
}
