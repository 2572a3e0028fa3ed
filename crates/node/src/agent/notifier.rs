//! The thread that notices what is to be told, has the notification originator say who hears it, and carries the
//! messages: traps out, informs out and their acknowledgements in. Read `Notifier::run` from top to bottom.
//!
//! coldStart is told at the start, authenticationFailure once for all failures of a second, and swaps as HAMSA-SWAP-MIB
//! says (`swap_notifications`).

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use hamsa_snmp::agent::{Instrumentation, MibView, Notifications};
use hamsa_snmp::engine::{EngineStats, Name, Statistic};
use hamsa_snmp::limits::MAX_MESSAGE_OCTETS;
use hamsa_snmp::notification::Notification;
use hamsa_snmp::value::Value;
use hamsa_snmp::{Oid, VarBindBuf};
use hamsa_swap::{Event, Happening, ModuleId, Observer, Proxy};

use super::LOOK;
use super::host_interfaces::{HostInterfaces, Snapshot};
use super::links::link_changes;
use super::outward::OutwardSockets;
use super::swap_notifications::{of_failure, of_swap};
use super::variables::below;
use crate::limits::{FAILURE_TOLD_EVERY, MAX_SWAP_EVENTS, MAX_WAITING_NOTIFICATIONS, NOTIFIER_LOOKS_EVERY};
use crate::modules::NotificationOriginatorModule;
use crate::net::BindError;
use crate::swapping::SwapHost;

const COLD_START: &[u32] = &[1, 3, 6, 1, 6, 3, 1, 1, 5, 1];
const AUTHENTICATION_FAILURE: &[u32] = &[1, 3, 6, 1, 6, 3, 1, 1, 5, 5];

/// `snmpEnableAuthenTraps.0`.
const ENABLE_AUTHEN_TRAPS: &[u32] = &[1, 3, 6, 1, 2, 1, 11, 30, 0];
/// `ifLinkUpDownTrapEnable`.
const LINK_TRAP_ENABLE: &[u32] = &[1, 3, 6, 1, 2, 1, 31, 1, 1, 1, 14];

/// Messages that were not authentic. Those outside of the time window are none: a clock that is asked for first is not
/// an attempt to break in.
const NOT_AUTHENTIC: [Statistic; 3] =
    [Statistic::InBadCommunityNames, Statistic::WrongDigests, Statistic::UnknownUserNames];

/// What a notifier works with.
pub(super) struct NotifierParts {
    /// When `sysUpTime` was zero.
    pub(super) started: Instant,
    /// The way to the originator.
    pub(super) originator: Proxy<dyn NotificationOriginatorModule>,
    /// What it has under way.
    pub(super) under_way: Arc<Mutex<Notifications>>,
    /// Where it is said what is wanted.
    pub(super) view: Arc<MibView>,
    pub(super) stats: Arc<EngineStats>,
    pub(super) interfaces: Arc<HostInterfaces>,
    pub(super) host: Arc<SwapHost>,
}

/// The way to tell something. Clones lead to the same.
#[derive(Clone)]
pub(super) struct Teller(SyncSender<Notification>);

impl Teller {
    /// A way, and where it leads.
    pub(super) fn new() -> (Self, Receiver<Notification>) {
        let (queue, waiting) = sync_channel(MAX_WAITING_NOTIFICATIONS);
        (Teller(queue), waiting)
    }

    /// Tells something, unless too much waits to be told.
    pub(super) fn tell(&self, notification: Notification) {
        if let Err(error) = self.0.try_send(notification) {
            tracing::warn!(%error, "a notification is not sent");
        }
    }
}

/// The thread. It ends when dropped.
pub(super) struct NotifierThread {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl NotifierThread {
    /// Starts it; it tells what comes out of `waiting` too.
    pub(super) fn start(parts: NotifierParts, waiting: Receiver<Notification>) -> Result<Self, NotifierError> {
        let sockets = OutwardSockets::bind()?;
        let stop = Arc::new(AtomicBool::new(false));
        let is_over = stop.clone();
        let run = move || Notifier::new(parts, waiting, sockets).run(&is_over);
        let thread = thread::Builder::new().name("notify".into()).spawn(run)?;
        Ok(NotifierThread { stop, thread: Some(thread) })
    }
}

/// The thread can't be had, or has no socket.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum NotifierError {
    #[error(transparent)]
    Bind(#[from] BindError),
    #[error("no thread for notifications: {0}")]
    Thread(#[from] io::Error),
}

impl Drop for NotifierThread {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread that notifies has panicked");
        }
    }
}

struct Notifier {
    parts: NotifierParts,
    waiting: Receiver<Notification>,
    sockets: OutwardSockets,
    /// At the last look.
    links: Arc<Snapshot>,
    not_authentic: u32,
    next_look: Instant,
    swaps: Observer,
    /// When it was told last that a module has failed.
    failures: HashMap<ModuleId, Instant>,
}

impl Notifier {
    fn new(parts: NotifierParts, waiting: Receiver<Notification>, sockets: OutwardSockets) -> Self {
        let now = Instant::now();
        let links = parts.interfaces.snapshot(now);
        let not_authentic = not_authentic(&parts.stats);
        let swaps = parts.host.manager().observe(MAX_SWAP_EVENTS);
        let next_look = now + NOTIFIER_LOOKS_EVERY;
        Notifier { parts, waiting, sockets, links, not_authentic, next_look, swaps, failures: HashMap::new() }
    }

    fn run(mut self, is_over: &AtomicBool) {
        self.notify(&Notification::of(COLD_START, self.uptime_ticks(Instant::now())));
        let mut buffer = vec![0; MAX_MESSAGE_OCTETS];
        while !is_over.load(Ordering::Acquire) {
            while let Ok(notification) = self.waiting.try_recv() {
                self.notify(&notification);
            }
            self.look_at_swaps();
            if Instant::now() >= self.next_look {
                self.next_look = Instant::now() + NOTIFIER_LOOKS_EVERY;
                self.look_at_links();
                self.look_at_authentication();
            }
            self.carry(&mut buffer);
            let next = self.under_way().poll_timeout();
            let wait = next.map_or(LOOK, |next| next.saturating_duration_since(Instant::now()).min(LOOK));
            self.sockets.wait(wait);
        }
    }

    fn under_way(&self) -> MutexGuard<'_, Notifications> {
        self.parts.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn uptime_ticks(&self, at: Instant) -> u32 {
        (at.saturating_duration_since(self.parts.started).as_millis() / 10) as u32
    }

    fn notify(&self, notification: &Notification) {
        match self.parts.originator.notify(Instant::now(), &Name::default(), notification) {
            Ok(told) if told.failed > 0 => {
                tracing::warn!(trap = %notification.trap_oid, ?told, "not all targets can be told");
            }
            Ok(told) => tracing::debug!(trap = %notification.trap_oid, ?told, "targets are told"),
            Err(error) => tracing::warn!(trap = %notification.trap_oid, %error, "nobody is told"),
        }
    }

    /// Moves what is under way.
    fn carry(&self, buffer: &mut [u8]) {
        let mut under_way = self.under_way();
        self.sockets.receive(|from, datagram| under_way.handle_datagram(Instant::now(), from, datagram));
        under_way.handle_timeout(Instant::now());
        while let Some(transmit) = under_way.poll_transmit(Instant::now(), buffer) {
            self.sockets.send(transmit, buffer);
        }
        while let Some(outcome) = under_way.poll_outcome() {
            match outcome.result {
                Ok(()) => tracing::debug!(target = %outcome.target, "an inform is acknowledged"),
                Err(error) => tracing::warn!(target = %outcome.target, %error, "an inform is not acknowledged"),
            }
        }
    }

    fn look_at_swaps(&mut self) {
        while let Some(Event { at, what }) = self.swaps.next_event() {
            let ticks = self.uptime_ticks(at);
            match what {
                Happening::Committed { transaction, .. } | Happening::Aborted { transaction, .. } => {
                    let history = self.parts.host.manager().history();
                    let report = history.iter().find(|report| report.transaction == transaction);
                    report.into_iter().flat_map(|report| of_swap(report, ticks)).for_each(|told| self.notify(&told));
                }
                Happening::Panicked { module, message } => self.tell_failure(&module, &message, at),
                _ => {}
            }
        }
        let missed = self.swaps.take_missed();
        if missed > 0 {
            tracing::warn!(missed, "of some swaps nobody is told");
        }
    }

    /// Not again and again: a module that panics at each of somebody's messages would have as many sent.
    fn tell_failure(&mut self, module: &ModuleId, message: &str, at: Instant) {
        let is_recent = |told: &Instant| at.saturating_duration_since(*told) < FAILURE_TOLD_EVERY;
        if self.failures.get(module).is_some_and(is_recent) {
            return;
        }
        self.failures.insert(module.clone(), at);
        let modules = self.parts.host.manager().modules();
        if let Some(info) = modules.iter().find(|info| info.id == *module) {
            self.notify(&of_failure(module, info.version.number(), message, self.uptime_ticks(at)));
        }
    }

    fn look_at_links(&mut self) {
        let now = Instant::now();
        let links = self.parts.interfaces.snapshot(now);
        let before = std::mem::replace(&mut self.links, links.clone());
        for change in link_changes(&before, &links) {
            if self.is_on(below(LINK_TRAP_ENABLE, [change.interface.index])) {
                self.notify(&change.notification(self.uptime_ticks(now)));
            }
        }
    }

    fn look_at_authentication(&mut self) {
        let count = not_authentic(&self.parts.stats);
        if std::mem::replace(&mut self.not_authentic, count) != count && self.is_on(below(ENABLE_AUTHEN_TRAPS, [])) {
            self.notify(&Notification::of(AUTHENTICATION_FAILURE, self.uptime_ticks(Instant::now())));
        }
    }

    /// Whether an object of the agent's is 1: enabled.
    fn is_on(&self, object: Option<Oid>) -> bool {
        let Some(object) = object else { return false };
        let mut found = VarBindBuf::new();
        let asked = self.parts.view.get(Instant::now(), object.as_oid(), &mut found);
        asked.is_ok() && found.iter().any(|variable| variable.value == Value::Integer(1))
    }
}

fn not_authentic(stats: &EngineStats) -> u32 {
    NOT_AUTHENTIC.into_iter().fold(0, |sum, statistic| sum.wrapping_add(stats.get(statistic)))
}
