//! HAMSA-SWAP-MIB (`mibs/HAMSA-SWAP-MIB.txt`): the agent's own modules through SNMP. A SET of the version that a module
//! is to have asks for a swap; several in one SET are one transaction. The swap comes after the SET, as it may replace
//! whatever serves the SET.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use hamsa_snmp::agent::{MibModule, SearchRange, SetBinding, SetError, SetId, SetRequest};
use hamsa_snmp::engine::security_model;
use hamsa_snmp::message::SecurityLevel;
use hamsa_snmp::pdu::ErrorStatus;
use hamsa_snmp::value::{OwnedValue, Value};
use hamsa_snmp::{Oid, OidRef, VarBindBuf};
use hamsa_swap::{End, ModuleId, ModuleInfo, Package, Request, SwapOptions, SwapReport, Ticket};

use super::variables::{Variables, below, is_column};
use crate::limits::ENTERPRISE;
use crate::swapping::{Asker, SwapHost, shown};

/// hamsaSwapMIB: below documentation's enterprise (RFC 5612) until one is registered.
pub const HAMSA_SWAP_MIB: &[u32] = &[1, 3, 6, 1, 4, 1, ENTERPRISE, 1, 2];

const MODULE_ENTRY: &[u32] = &[1, 3, 6, 1, 4, 1, ENTERPRISE, 1, 2, 1, 1, 1];
const LAST: &[u32] = &[1, 3, 6, 1, 4, 1, ENTERPRISE, 1, 2, 1, 2];
const REQUEST: &[u32] = &[1, 3, 6, 1, 4, 1, ENTERPRISE, 1, 2, 1, 3];

const MODULE_COLUMNS: [u32; 8] = [3, 4, 5, 6, 7, 8, 9, WANTED];
const LAST_OBJECTS: [u32; 6] = [1, 2, 3, 4, 5, 6];
const REQUEST_OBJECTS: [u32; 2] = [1, 2];
/// hamsaSwapModuleWanted.
const WANTED: u32 = 10;

/// How long what is shown is good for: a walk asks for some hundred variables of one moment.
const MAX_AGE: Duration = Duration::from_millis(100);

/// Octets of a text at most (`SnmpAdminString`).
pub(super) const TEXT_OCTETS: usize = 255;

/// What outlives versions of the module: the host, and the last request that came through SNMP.
pub(super) struct SwapDesk {
    host: Weak<SwapHost>,
    /// When `sysUpTime` was zero.
    started: Instant,
    last: Mutex<Asked>,
}

#[derive(Default)]
enum Asked {
    #[default]
    Nothing,
    Waiting(Ticket),
    /// There was no room for it.
    Refused(String),
}

/// HAMSA-SWAP-MIB.
pub(super) struct SwapMib {
    desk: Arc<SwapDesk>,
    shown: Mutex<Option<(Instant, Arc<Variables>)>>,
    pending: Mutex<HashMap<SetId, Pending>>,
}

/// A SET between its phases.
struct Pending {
    who: Asker,
    packages: Vec<Package>,
    is_committed: bool,
}

impl SwapDesk {
    /// For modules of this host.
    pub(super) fn new(host: Weak<SwapHost>, started: Instant) -> Self {
        SwapDesk { host, started, last: Mutex::default() }
    }

    fn last(&self) -> MutexGuard<'_, Asked> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn submit(&self, who: &Asker, packages: Vec<Package>) {
        let Some(host) = self.host.upgrade() else { return };
        let request = Request::Swap { who: who.principal(), packages, options: SwapOptions::default() };
        *self.last() = match host.submit(request) {
            Ok(ticket) => Asked::Waiting(ticket),
            Err(error) => Asked::Refused(error.to_string()),
        };
    }

    fn variables(&self) -> Variables {
        let mut variables = Vec::new();
        let mut put = |name: Option<Oid>, value| variables.extend(name.map(|name| (name, value)));
        let Some(host) = self.host.upgrade() else { return Variables::default() };
        for module in host.manager().modules() {
            for (column, value) in module_columns(&host, &module) {
                put(below(MODULE_ENTRY, std::iter::once(column).chain(index(&module.id))), value);
            }
        }
        let history = host.manager().history();
        // A dry run is none that anybody would have noticed.
        let last = history.iter().find(|report| report.end != End::Aborted(hamsa_swap::Abort::DryRun));
        for (object, value) in LAST_OBJECTS.into_iter().zip(self.last_swap(last)) {
            put(below(LAST, [object, 0]), value);
        }
        let (state, reason) = match &*self.last() {
            Asked::Nothing => (1, String::new()),
            Asked::Refused(reason) => (4, reason.clone()),
            Asked::Waiting(ticket) => match ticket.answer() {
                None => (2, String::new()),
                Some(Ok(_)) => (3, String::new()),
                Some(Err(error)) => (4, error.to_string()),
            },
        };
        put(below(REQUEST, [REQUEST_OBJECTS[0], 0]), OwnedValue::Integer(state));
        put(below(REQUEST, [REQUEST_OBJECTS[1], 0]), text(&reason));
        Variables::new(variables)
    }

    fn last_swap(&self, report: Option<&SwapReport>) -> [OwnedValue; 6] {
        let Some(report) = report else {
            let nothing = || text("");
            let zero = OwnedValue::Gauge32(0);
            return [zero.clone(), OwnedValue::Integer(1), zero, OwnedValue::TimeTicks(0), nothing(), nothing()];
        };
        let changes: Vec<String> = report
            .changes
            .iter()
            .map(|change| format!("{} {}.{}", shown(&change.module), change.to.0, change.to.1))
            .collect();
        let (end, reason) = match &report.end {
            End::Committed => (2, String::new()),
            End::Aborted(abort) => (3, abort.to_string()),
        };
        let ticks = (report.at.saturating_duration_since(self.started).as_millis() / 10) as u32;
        [
            OwnedValue::Gauge32(report.transaction as u32),
            OwnedValue::Integer(end),
            OwnedValue::Gauge32(u32::try_from(report.blackout.as_micros()).unwrap_or(u32::MAX)),
            OwnedValue::TimeTicks(ticks),
            text(&changes.join(", ")),
            text(&reason),
        ]
    }
}

fn module_columns(host: &SwapHost, module: &ModuleInfo) -> [(u32, OwnedValue); 8] {
    let versions: Vec<String> =
        host.catalogue().versions(&module.id).iter().map(|package| package.version.to_string()).collect();
    let state = match (module.has_failed, module.phase.swappable) {
        (true, _) => 3,
        (false, false) => 2,
        (false, true) => 1,
    };
    let version = text(&module.version.to_string());
    [
        (3, version.clone()),
        (4, text(&module.version.note)),
        (5, text(&versions.join(" "))),
        (6, OwnedValue::Integer(state)),
        (7, OwnedValue::Counter64(module.health.calls)),
        (8, OwnedValue::Counter64(module.health.errors)),
        (9, OwnedValue::Counter64(module.health.panics)),
        (WANTED, version),
    ]
}

/// The arcs of `INDEX { hamsaSwapModuleKind, hamsaSwapModuleName }`: each with its length before it.
fn index(module: &ModuleId) -> Vec<u32> {
    let part = |text: &str| {
        let octets = text.bytes().map(u32::from);
        std::iter::once(text.len() as u32).chain(octets).collect::<Vec<u32>>()
    };
    [part(&module.kind), part(&module.name)].concat()
}

fn text(text: &str) -> OwnedValue {
    OwnedValue::OctetString(text.as_bytes()[..text.floor_char_boundary(TEXT_OCTETS)].into())
}

impl SwapMib {
    /// The module.
    pub(super) fn new(desk: Arc<SwapDesk>) -> Self {
        SwapMib { desk, shown: Mutex::default(), pending: Mutex::default() }
    }

    fn variables(&self, now: Instant) -> Arc<Variables> {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, variables)) = &*shown
            && now.saturating_duration_since(*at) < MAX_AGE
        {
            return variables.clone();
        }
        let fresh = Arc::new(self.desk.variables());
        *shown = Some((now, fresh.clone()));
        fresh
    }

    fn pending(&self) -> MutexGuard<'_, HashMap<SetId, Pending>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The version that a binding asks for.
    fn wanted(&self, host: &SwapHost, binding: &SetBinding<'_>) -> Result<Package, ErrorStatus> {
        if !is_column(binding.name, MODULE_ENTRY, &[WANTED]) {
            return Err(ErrorStatus::NOT_WRITABLE);
        }
        let Value::OctetString(version) = binding.value else { return Err(ErrorStatus::WRONG_TYPE) };
        let found = host.manager().modules().into_iter().map(|module| module.id).find(|id| {
            below(MODULE_ENTRY, std::iter::once(WANTED).chain(index(id)))
                .is_some_and(|name| name.as_oid() == binding.name)
        });
        let module = found.ok_or(ErrorStatus::NO_CREATION)?;
        let version = std::str::from_utf8(version).ok().and_then(|version| crate::control::version(version).ok());
        host.catalogue()
            .package(&module, version.ok_or(ErrorStatus::WRONG_VALUE)?)
            .map_err(|_| ErrorStatus::WRONG_VALUE)
    }
}

impl MibModule for SwapMib {
    fn name(&self) -> &str {
        "HAMSA-SWAP-MIB"
    }

    fn subtrees(&self) -> Vec<Oid> {
        below(HAMSA_SWAP_MIB, []).into_iter().collect()
    }

    fn get(&self, now: Instant, name: OidRef<'_>, to: &mut VarBindBuf) -> Result<(), ErrorStatus> {
        let is_object = |name: OidRef<'_>| {
            is_column(name, MODULE_ENTRY, &MODULE_COLUMNS)
                || is_column(name, LAST, &LAST_OBJECTS)
                || is_column(name, REQUEST, &REQUEST_OBJECTS)
        };
        self.variables(now).get(name, is_object, to);
        Ok(())
    }

    fn get_next(&self, now: Instant, range: &SearchRange<'_>, to: &mut VarBindBuf) -> Result<bool, ErrorStatus> {
        Ok(self.variables(now).get_next(range, to))
    }

    fn test_set(&self, set: &SetRequest<'_>, bindings: &[SetBinding<'_>]) -> Result<(), SetError> {
        let first = bindings.first().map_or(0, |binding| binding.index);
        let failed = |status, index| SetError { status, index };
        let host = self.desk.host.upgrade().ok_or(failed(ErrorStatus::RESOURCE_UNAVAILABLE, first))?;
        // A community is nobody: anyone may have read it on the wire.
        let requester = set.requester;
        let is_proven = requester.security_model == security_model::USM && requester.level >= SecurityLevel::AuthNoPriv;
        let who = Asker::Snmp(String::from_utf8_lossy(requester.security_name.as_octets()).into_owned());
        if !is_proven || !host.permissions().may_swap(&who) {
            return Err(failed(ErrorStatus::NO_ACCESS, first));
        }
        let mut packages: Vec<Package> = Vec::new();
        for binding in bindings {
            let package = self.wanted(&host, binding).map_err(|status| failed(status, binding.index))?;
            if packages.iter().any(|other| other.id == package.id) {
                return Err(failed(ErrorStatus::INCONSISTENT_VALUE, binding.index));
            }
            packages.push(package);
        }
        self.pending().insert(set.id, Pending { who, packages, is_committed: false });
        Ok(())
    }

    fn commit_set(&self, set: SetId) -> Result<(), SetError> {
        let mut pending = self.pending();
        let pending = pending.get_mut(&set).ok_or(SetError { status: ErrorStatus::COMMIT_FAILED, index: 0 })?;
        pending.is_committed = true;
        Ok(())
    }

    fn undo_set(&self, set: SetId) -> Result<(), ErrorStatus> {
        if let Some(pending) = self.pending().get_mut(&set) {
            pending.is_committed = false;
        }
        Ok(())
    }

    /// What was committed, and by all modules of the SET, is asked for.
    fn cleanup_set(&self, set: SetId) {
        let pending = self.pending().remove(&set);
        if let Some(Pending { who, packages, is_committed: true }) = pending {
            self.desk.submit(&who, packages);
            *self.shown.lock().unwrap_or_else(PoisonError::into_inner) = None;
        }
    }
}
