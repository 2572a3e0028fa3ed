//! The module: it serves what sub-agents have registered, by asking them, within a bound on time (RFC 2741 §7.2).
//!
//! Version 1.0 asks for one variable at a time. From 1.1 on, those of a GETBULK are asked for ahead, more and more at a
//! time, and kept for that one request.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use hamsa_snmp::agent::mibs::Capability;
use hamsa_snmp::agent::{Keep, SearchRange, SetBinding, SetError, SetId, SetRequest, StateError};
use hamsa_snmp::agentx::{Body, Master, Packet, Range, Span, Variable};
use hamsa_snmp::pdu::ErrorStatus;
use hamsa_snmp::value::Value;
use hamsa_snmp::{Oid, OidRef, VarBindBuf};
use hamsa_swap::{
    CallError, Candidate, Change, CriticalSection, CriticalSections, DynValue, Dynamic, Kind, Module, ModuleError,
    ModuleId, Package, Phase, Proxy, Resources, Signature, StateSet, Version, kind,
};

use super::transport::{Event, Transport, Unanswered};
use crate::limits::{AGENTX_ANSWER_WAIT, MAX_AGENTX_AHEAD, MAX_AGENTX_ANSWER_WAIT, MAX_AGENTX_SEARCH};
use crate::modules::MibModuleModule;

/// The module's name.
pub(in crate::agent) const NAME: &str = "AgentX";

/// The name of the state's only object: see [`Master::save`].
const SESSIONS: &str = "sessions";

/// The name under which connections are lent.
const TRANSPORT: &str = "transport";

/// What the module does besides what MIB modules do.
#[kind("sub-agents")]
pub(super) trait SubagentService {
    /// Takes in a packet that is no answer. What is to be sent back, whether subtrees or capabilities have changed,
    /// whether it was a notification.
    fn message(&self, connection: u64, octets: Vec<u8>) -> Result<(Vec<u8>, bool, bool), CallError>;

    /// Ends a connection's sessions. Whether subtrees or capabilities have changed.
    fn gone(&self, connection: u64) -> Result<bool, CallError>;

    /// What sub-agents are to be told when the agent ends.
    fn farewells(&self) -> Result<Vec<(u64, Vec<u8>)>, CallError>;

    /// What sub-agents say that they implement: OIDs and texts.
    fn capabilities(&self) -> Result<Vec<(String, Vec<u8>)>, CallError>;
}

/// The way to what the module does besides: calls by name.
pub(in crate::agent) struct Subagents(pub(in crate::agent) Proxy<dyn MibModuleModule>);

impl Subagents {
    pub(super) fn message(&self, connection: u64, octets: &[u8]) -> Result<(Vec<u8>, bool, bool), CallError> {
        self.call("message", vec![connection.to_dyn(), octets.to_vec().to_dyn()])
    }

    pub(super) fn gone(&self, connection: u64) -> Result<bool, CallError> {
        self.call("gone", vec![connection.to_dyn()])
    }

    /// What sub-agents implement; what is no text is made one.
    pub(in crate::agent) fn capabilities(&self) -> Result<Vec<Capability>, CallError> {
        let listed: Vec<(String, Vec<u8>)> = self.call("capabilities", Vec::new())?;
        let capability = |(id, text): (String, Vec<u8>)| {
            let id: Oid = id.parse().ok()?;
            // A DisplayString (RFC 2579).
            let is_shown = |octet: &u8| octet.is_ascii() && !octet.is_ascii_control();
            let shown = text.iter().map(|octet| if is_shown(octet) { char::from(*octet) } else { '?' });
            Some(Capability { id, description: shown.take(255).collect() })
        };
        Ok(listed.into_iter().filter_map(capability).collect())
    }

    pub(in crate::agent) fn farewells(&self) -> Result<Vec<(u64, Vec<u8>)>, CallError> {
        self.call("farewells", Vec::new())
    }

    fn call<T: Dynamic>(&self, method: &'static str, arguments: Vec<DynValue>) -> Result<T, CallError> {
        let answer = self.0.call_by_name(method, arguments)?;
        let problem = || format!("the answer is to be of type {:?}", T::dyn_type());
        T::from_dyn(answer).ok_or_else(|| CallError::Arguments { method: method.to_owned(), problem: problem() })
    }
}

/// All versions. `started` is when `sysUpTime` was zero.
pub(in crate::agent) fn agentx_packages(started: Instant) -> Vec<Package> {
    let package = |minor: u32, note: &str| {
        let id = ModuleId::new(<dyn MibModuleModule>::NAME, NAME);
        let version = Version::new(1, minor, note);
        Package::built_in(id, version.clone(), move || {
            Ok(Candidate::new::<dyn MibModuleModule, _>(AgentxMib {
                version: version.clone(),
                started,
                transport: OnceLock::new(),
                master: Mutex::new(Master::new(started)),
                ahead: Mutex::default(),
                critical: CriticalSections::default(),
                sets: Mutex::default(),
            }))
        })
    };
    vec![package(0, "first"), package(1, "asks ahead for a GETBULK")]
}

/// The state to begin with: no session.
pub(in crate::agent) fn first_state(started: Instant) -> Result<StateSet, ModuleError> {
    state_of(&Master::new(started))
}

/// The state of a module that was taken out, for one that comes in its place: its sub-agents are gone.
pub(in crate::agent) fn resumed_state(started: Instant, left: &StateSet) -> Result<StateSet, ModuleError> {
    let octets = left.blob(SESSIONS).ok_or_else(|| ModuleError::new("the state has no sessions"))?;
    let mut master = Master::restore(started, octets).map_err(ModuleError::new)?;
    master.end_all();
    state_of(&master)
}

/// What the module is lent.
pub(in crate::agent) fn first_resources(transport: &Arc<Transport>) -> Resources {
    let mut resources = Resources::default();
    resources.insert(TRANSPORT, transport.clone());
    resources
}

struct AgentxMib {
    version: Version,
    started: Instant,
    /// There from the moment on that the module has its state.
    transport: OnceLock<Arc<Transport>>,
    master: Mutex<Master>,
    ahead: Mutex<Ahead>,
    critical: CriticalSections,
    sets: Mutex<HashMap<SetId, Set>>,
}

/// What was asked for ahead in one request, which all its calls have the time of.
#[derive(Default)]
struct Ahead {
    of: Option<Instant>,
    /// What comes behind a name.
    next: HashMap<Oid, Variable>,
    /// Names that were answered, and how many to ask for behind them.
    answered: HashMap<Oid, u16>,
}

/// A SET that is under way. While it is, the module is not replaced.
struct Set {
    sessions: Vec<Span>,
    /// How many of them have been told to commit.
    told: usize,
    is_undone: bool,
    _critical: CriticalSection,
}

/// Why a sub-agent does not say what it was asked for.
enum Failure {
    /// It is gone, and so is what it has registered.
    Gone,
    /// It says why, and of which variable, counted from 1.
    Refused(ErrorStatus, u16),
}

impl AgentxMib {
    fn master(&self) -> MutexGuard<'_, Master> {
        self.master.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ahead(&self) -> MutexGuard<'_, Ahead> {
        self.ahead.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sets(&self) -> MutexGuard<'_, HashMap<SetId, Set>> {
        self.sets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ask(&self, span: &Span, transaction: u32, body: Body) -> Result<Vec<Variable>, Failure> {
        let transport = self.transport.get().ok_or(Failure::Gone)?;
        let number = transport.next_packet();
        let octets = self.master().request(span.session, transaction, number, body).ok_or(Failure::Gone)?;
        let timeout = match span.timeout_s {
            0 => AGENTX_ANSWER_WAIT,
            seconds => Duration::from_secs(seconds.into()).min(MAX_AGENTX_ANSWER_WAIT),
        };
        let answer = match transport.ask(span.connection, number, &octets, timeout) {
            Ok(answer) => answer,
            Err(Unanswered::Gone) => return Err(Failure::Gone),
            Err(Unanswered::TimedOut) => {
                tracing::warn!(session = span.session, "a sub-agent does not answer in time");
                let farewell = self.master().timed_out(span.session);
                if let Some(farewell) = farewell {
                    tracing::warn!(session = span.session, "its session is closed");
                    // It may be gone.
                    let _ = transport.send(span.connection, &farewell);
                    transport.tell(Event::Settle);
                }
                return Err(Failure::Refused(ErrorStatus::GEN_ERR, 0));
            }
        };
        self.master().answered(span.session);
        match Packet::decode(&answer) {
            Ok(Packet { header, body: Body::Response(response), .. }) if header.session == span.session => {
                let refused = |(error, index)| {
                    let status = ErrorStatus(i32::from(error));
                    Failure::Refused(if status.name().is_some() { status } else { ErrorStatus::GEN_ERR }, index)
                };
                response.variables().map_err(refused)
            }
            other => {
                tracing::warn!(session = span.session, ?other, "a sub-agent's answer is none");
                Err(Failure::Refused(ErrorStatus::GEN_ERR, 0))
            }
        }
    }

    /// The first variable in a span; `None`: it has none. Others may be kept for this request.
    fn first_in(&self, now: Instant, span: &Span) -> Result<Option<Variable>, Failure> {
        let repetitions = if self.version.minor == 0 { None } else { self.ahead().repetitions(now, &span.range) };
        let ranges = vec![span.range.clone()];
        let body = match repetitions {
            Some(max_repetitions) => Body::GetBulk { non_repeaters: 0, max_repetitions, ranges },
            None => Body::GetNext(ranges),
        };
        let found = self.ask(span, 0, body)?;
        let Some(first) = found.first() else { return Err(Failure::Refused(ErrorStatus::GEN_ERR, 0)) };
        if first.is_end() || !is_before(first.name.as_oid(), &span.range) {
            return Ok(None);
        }
        let mut before = span.range.start.as_oid();
        let mut is_in_order = true;
        for variable in found.iter().take_while(|variable| !variable.is_end()) {
            let is_first_included = span.range.is_start_included && before == span.range.start.as_oid();
            is_in_order &= variable.name.as_oid() > before || is_first_included && variable.name.as_oid() == before;
            before = variable.name.as_oid();
        }
        if !is_in_order || !is_value(first) {
            tracing::warn!(session = span.session, "a sub-agent answers out of order");
            return Err(Failure::Refused(ErrorStatus::GEN_ERR, 0));
        }
        let first = first.clone();
        if self.version.minor > 0 {
            self.ahead().keep(now, span, found, repetitions.unwrap_or(1));
        }
        Ok(Some(first))
    }
}

impl Ahead {
    fn begin(&mut self, now: Instant) {
        if self.of != Some(now) {
            *self = Ahead { of: Some(now), ..Ahead::default() };
        }
    }

    /// How many variables to ask for; `None`: the request has not been here before.
    fn repetitions(&mut self, now: Instant, range: &Range) -> Option<u16> {
        self.begin(now);
        let before = self.answered.get(&range.start).copied()?;
        Some(before.saturating_mul(2).min(MAX_AGENTX_AHEAD))
    }

    fn keep(&mut self, now: Instant, span: &Span, found: Vec<Variable>, repetitions: u16) {
        self.begin(now);
        let mut before = span.range.start.clone();
        for variable in found {
            if variable.is_end() || !is_value(&variable) || !is_before(variable.name.as_oid(), &span.range) {
                break;
            }
            let name = variable.name.clone();
            self.answered.insert(name.clone(), repetitions);
            self.next.insert(before, variable);
            before = name;
        }
    }

    /// What is known to come behind a name.
    fn known(&mut self, now: Instant, range: &SearchRange<'_>) -> Option<Variable> {
        if self.of != Some(now) || range.is_start_included {
            return None;
        }
        self.next.get(&range.start.to_owned()).filter(|next| range.contains(next.name.as_oid())).cloned()
    }
}

fn is_before(name: OidRef<'_>, range: &Range) -> bool {
    range.end.as_ref().is_none_or(|end| name < end.as_oid())
}

/// Whether it can be the answer to a question for the next variable.
fn is_value(variable: &Variable) -> bool {
    let value = variable.value.as_value();
    !value.is_exception() && value != Value::Null
}

impl SubagentService for AgentxMib {
    fn message(&self, connection: u64, octets: Vec<u8>) -> Result<(Vec<u8>, bool, bool), CallError> {
        let Some(transport) = self.transport.get() else { return Ok((Vec::new(), false, false)) };
        let reserved = transport.reserved();
        let handled = self.master().handle(Instant::now(), connection, &octets, &reserved);
        Ok((handled.answer, handled.has_changed, handled.notification.is_some()))
    }

    fn gone(&self, connection: u64) -> Result<bool, CallError> {
        Ok(self.master().connection_lost(connection))
    }

    fn farewells(&self) -> Result<Vec<(u64, Vec<u8>)>, CallError> {
        Ok(self.master().farewells())
    }

    fn capabilities(&self) -> Result<Vec<(String, Vec<u8>)>, CallError> {
        let master = self.master();
        Ok(master.capabilities().map(|(id, text)| (id.to_string(), text.to_vec())).collect())
    }
}

impl MibModuleModule for AgentxMib {
    fn subtrees(&self) -> Result<Vec<Oid>, CallError> {
        Ok(self.master().subtrees())
    }

    fn get(&self, _: Instant, name: OidRef<'_>, to: &mut VarBindBuf) -> Result<Result<(), ErrorStatus>, CallError> {
        let span = self.master().at(name);
        let found = match span {
            Some(span) => self.ask(&span, 0, Body::Get(vec![span.range.clone()])),
            None => Err(Failure::Gone),
        };
        Ok(match found {
            Ok(found) => match &found[..] {
                [found] if found.name.as_oid() == name && !found.is_end() && found.value.as_value() != Value::Null => {
                    to.push(name, found.value.as_value());
                    Ok(())
                }
                _ => Err(ErrorStatus::GEN_ERR),
            },
            Err(Failure::Gone) => {
                to.push(name, Value::NoSuchObject);
                Ok(())
            }
            Err(Failure::Refused(status, _)) => Err(status),
        })
    }

    fn get_next(
        &self,
        now: Instant,
        range: &SearchRange<'_>,
        to: &mut VarBindBuf,
    ) -> Result<Result<bool, ErrorStatus>, CallError> {
        let known = self.ahead().known(now, range);
        if let Some(known) = known {
            to.push(known.name.as_oid(), known.value.as_value());
            return Ok(Ok(true));
        }
        let begun = Instant::now();
        let mut start = range.start.to_owned();
        let mut is_start_included = range.is_start_included;
        loop {
            let rest = SearchRange { start: start.as_oid(), is_start_included, end: range.end };
            let span = self.master().next_span(&rest);
            let Some(span) = span else { return Ok(Ok(false)) };
            match self.first_in(now, &span) {
                Ok(Some(found)) => {
                    to.push(found.name.as_oid(), found.value.as_value());
                    return Ok(Ok(true));
                }
                Ok(None) | Err(Failure::Gone) => {}
                Err(Failure::Refused(status, _)) => return Ok(Err(status)),
            }
            match span.range.end {
                // Many sub-agents, each slow, must not hold a request up for longer than one may.
                Some(_) if begun.elapsed() > MAX_AGENTX_SEARCH => return Ok(Err(ErrorStatus::GEN_ERR)),
                Some(end) => (start, is_start_included) = (end, true),
                None => return Ok(Ok(false)),
            }
        }
    }

    /// One at a time: what one question has brought is kept for the next (`Ahead`).
    fn walk(
        &self,
        now: Instant,
        range: &SearchRange<'_>,
        _: usize,
        to: &mut VarBindBuf,
    ) -> Result<Result<usize, ErrorStatus>, CallError> {
        self.get_next(now, range, to).map(|found| found.map(usize::from))
    }

    fn test_set(&self, set: &SetRequest<'_>, bindings: &[SetBinding<'_>]) -> Result<Result<(), SetError>, CallError> {
        let mut parts: Vec<(Span, Vec<SetBinding<'_>>)> = Vec::new();
        for binding in bindings {
            let Some(span) = self.master().at(binding.name) else {
                return Ok(Err(SetError { status: ErrorStatus::NOT_WRITABLE, index: binding.index }));
            };
            match parts.iter_mut().find(|(known, _)| known.session == span.session) {
                Some((_, bindings)) => bindings.push(*binding),
                None => parts.push((span, vec![*binding])),
            }
        }
        let sessions = parts.iter().map(|(span, _)| span.clone()).collect();
        let under_way = Set { sessions, told: 0, is_undone: false, _critical: self.critical.enter() };
        self.sets().insert(set.id, under_way);
        let mut first_error: Option<SetError> = None;
        for (span, bindings) in &parts {
            let variable =
                |binding: &SetBinding<'_>| Variable { name: binding.name.to_owned(), value: binding.value.to_owned() };
            let body = Body::TestSet(bindings.iter().map(variable).collect());
            let error = match self.ask(span, transaction(set.id), body) {
                Ok(_) => continue,
                Err(Failure::Gone) => SetError { status: ErrorStatus::GEN_ERR, index: bindings[0].index },
                Err(Failure::Refused(status, at)) => {
                    let at = usize::from(at).checked_sub(1).and_then(|at| bindings.get(at)).unwrap_or(&bindings[0]);
                    SetError { status, index: at.index }
                }
            };
            if first_error.is_none_or(|first| error.index < first.index) {
                first_error = Some(error);
            }
        }
        Ok(first_error.map_or(Ok(()), Err))
    }

    fn commit_set(&self, set: SetId) -> Result<Result<(), SetError>, CallError> {
        let failed = Ok(Err(SetError { status: ErrorStatus::COMMIT_FAILED, index: 0 }));
        let Some(sessions) = self.sets().get(&set).map(|set| set.sessions.clone()) else { return failed };
        for span in &sessions {
            if let Some(set) = self.sets().get_mut(&set) {
                set.told += 1;
            }
            if self.ask(span, transaction(set), Body::CommitSet).is_err() {
                return failed;
            }
        }
        Ok(Ok(()))
    }

    fn undo_set(&self, set: SetId) -> Result<Result<(), ErrorStatus>, CallError> {
        let told = self.sets().get_mut(&set).map(|set| {
            set.is_undone = true;
            set.sessions[..set.told].to_vec()
        });
        let mut is_undone = true;
        for span in told.into_iter().flatten() {
            is_undone &= self.ask(&span, transaction(set), Body::UndoSet).is_ok();
        }
        Ok(if is_undone { Ok(()) } else { Err(ErrorStatus::UNDO_FAILED) })
    }

    fn cleanup_set(&self, set: SetId) -> Result<(), CallError> {
        let Some(ended) = self.sets().remove(&set) else { return Ok(()) };
        let undone = if ended.is_undone { ended.told } else { 0 };
        for span in &ended.sessions[undone..] {
            let Some(transport) = self.transport.get() else { continue };
            let number = transport.next_packet();
            if let Some(octets) = self.master().request(span.session, transaction(set), number, Body::CleanupSet) {
                // It is not answered (§7.2.4.4); one that is gone has nothing to let go of.
                let _ = transport.send(span.connection, &octets);
            }
        }
        Ok(())
    }

    fn commits(&self) -> Result<u64, CallError> {
        // Sessions don't outlive the process.
        Ok(0)
    }

    fn save(&self, _: Keep) -> Result<Vec<u8>, CallError> {
        Ok(self.master().save())
    }

    fn restore_state(&self, state: &[u8]) -> Result<Result<(), StateError>, CallError> {
        Ok(match Master::restore(self.started, state) {
            Ok(master) => {
                *self.master() = master;
                Ok(())
            }
            Err(_) => Err(StateError::Truncated),
        })
    }
}

fn transaction(set: SetId) -> u32 {
    set.0 as u32
}

fn state_of(master: &Master) -> Result<StateSet, ModuleError> {
    let mut state = StateSet::new(1);
    state.commit([Change::put(SESSIONS, master.save())]).map_err(ModuleError::new)?;
    Ok(state)
}

impl Module for AgentxMib {
    fn version(&self) -> Version {
        self.version.clone()
    }

    fn phase(&self) -> Phase {
        self.critical.phase()
    }

    fn retrieve(&self) -> Result<StateSet, ModuleError> {
        state_of(&self.master())
    }

    fn restore(&self, state: &StateSet, resources: &Resources) -> Result<(), ModuleError> {
        let octets = state.blob(SESSIONS).ok_or_else(|| ModuleError::new("the state has no sessions"))?;
        let transport = resources.get::<Transport>(TRANSPORT);
        let transport = transport.ok_or_else(|| ModuleError::new("no connections are lent"))?;
        *self.master() = Master::restore(self.started, octets).map_err(ModuleError::new)?;
        self.transport.set(transport).map_err(|_| ModuleError::new("it has its connections already"))
    }

    fn resources(&self) -> Resources {
        self.transport.get().map(first_resources).unwrap_or_default()
    }

    fn extra_signatures(&self) -> Vec<Signature> {
        <dyn SubagentService>::signatures().to_vec()
    }

    fn call_extra(&self, method: &str, arguments: Vec<DynValue>) -> Option<Result<DynValue, CallError>> {
        (self as &dyn SubagentService).dispatch_named(method, arguments)
    }
}
