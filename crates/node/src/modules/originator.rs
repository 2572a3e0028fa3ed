//! The notification originator (RFC 3413 §3.3), an application.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use hamsa_snmp::agent::mibs::{NotificationTable, TargetTable};
use hamsa_snmp::agent::{NotificationOriginator, NotificationTables, Notifications, Notified};
use hamsa_snmp::engine::{AccessControl, Engine, Name};
use hamsa_snmp::notification::Notification;
use hamsa_swap::{CallError, Candidate, Kind, ModuleId, Package, kind};

use super::{BuiltIn, version};

/// See [`NotificationOriginator`].
#[kind("application")]
pub trait NotificationOriginatorModule {
    /// Tells all who want to know and may; how many.
    #[typed_only]
    fn notify(&self, now: Instant, context: &Name, notification: &Notification) -> Result<Notified, CallError>;
}

/// What an originator works with: all of it outlives the originator.
#[derive(Clone)]
pub struct OriginatorParts {
    /// What it speaks through.
    pub engine: Arc<Engine>,
    /// SNMP-TARGET-MIB.
    pub targets: Arc<TargetTable>,
    /// SNMP-NOTIFICATION-MIB.
    pub notifications: Arc<NotificationTable>,
    /// Who may see what.
    pub access: Arc<dyn AccessControl>,
    /// What is on its way: whoever has the sockets carries it.
    pub under_way: Arc<Mutex<Notifications>>,
    /// `agent-addr` of v1 traps.
    pub agent_address: Ipv4Addr,
}

struct Originator {
    parts: OriginatorParts,
    originator: NotificationOriginator,
}

impl NotificationOriginatorModule for BuiltIn<Originator> {
    fn notify(&self, now: Instant, context: &Name, notification: &Notification) -> Result<Notified, CallError> {
        let OriginatorParts { targets, notifications, access, under_way, .. } = &self.model.parts;
        let tables = NotificationTables { targets, notifications, access: &**access };
        let mut under_way = under_way.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(self.model.originator.notify(now, &mut under_way, &tables, context, notification))
    }
}

/// A notification originator over parts that outlive it.
pub fn originator_package(minor: u32, parts: &OriginatorParts) -> Package {
    let parts = parts.clone();
    let id = ModuleId::new(<dyn NotificationOriginatorModule>::NAME, "notification originator");
    Package::built_in(id, version(minor), move || {
        let originator = NotificationOriginator::new(parts.engine.clone(), parts.agent_address);
        let model = Originator { parts: parts.clone(), originator };
        Ok(Candidate::new::<dyn NotificationOriginatorModule, _>(BuiltIn::new(model, minor, may_tell_nobody)))
    })
}

/// Of what no table is about, nobody is told.
fn may_tell_nobody(originator: &Originator) -> Result<(), String> {
    let OriginatorParts { engine, access, .. } = &originator.parts;
    let (targets, notifications) = (TargetTable::default(), NotificationTable::default());
    let tables = NotificationTables { targets: &targets, notifications: &notifications, access: &**access };
    let mut under_way = Notifications::new(engine.clone(), [0; 32]);
    let nothing = Notification::of(&[1, 3, 6, 1, 6, 3, 1, 1, 5, 1], 0);
    let now = Instant::now();
    match originator.originator.notify(now, &mut under_way, &tables, &Name::default(), &nothing) {
        told if told == Notified::default() => Ok(()),
        told => Err(format!("without targets it tells {told:?}")),
    }
}
