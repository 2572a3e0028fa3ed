//! Generated devices. Every value is computed from a seed and the time when it is asked for: a device is some
//! two hundred octets, whatever its size, and a test can ask it for the truth.
//!
//! What is generated: `system` (RFC 3418), the interfaces with 64-bit counters (RFC 2863), a server's
//! storage, devices and processors (RFC 2790), chassis parts and sensors (RFCs 4133 and 3433). Enterprise
//! numbers are 32473, which RFC 5612 sets aside for examples; servers say that they run net-snmp on Linux.

mod entity;
mod host;
mod interfaces;
mod layout;
mod model;
mod schedule;
mod traffic;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use hamsa_snmp::agent::{Instrumentation, Requester, SetError};
use hamsa_snmp::pdu::ErrorStatus;
use hamsa_snmp::{Oid, OidRef, OwnedValue, Value, VarBindBuf, VarBindList};

pub use interfaces::Direction;
pub use model::{DeviceKind, DeviceModel, UnknownModel};
pub use schedule::{Recurring, Schedule};

use crate::clock::Epoch;
use crate::noise;
use layout::{Group, Instance, Missing, Rows};

/// Which device, and when it lives.
#[derive(Debug, Clone)]
pub struct DeviceOptions {
    /// What it is.
    pub model: DeviceModel,
    /// Its number among its like: part of its name.
    pub number: u32,
    /// What all its values are made from.
    pub seed: u64,
    /// The start of the simulation.
    pub epoch: Epoch,
    /// What befalls it.
    pub schedule: Arc<Schedule>,
}

/// One simulated device.
pub struct Device {
    model: DeviceModel,
    number: u32,
    seed: u64,
    epoch: Epoch,
    schedule: Arc<Schedule>,
    /// What managers have written: `sysContact`, `sysName`, `sysLocation`.
    written: Mutex<Option<Box<Written>>>,
}

/// By the objects' last sub-identifiers, from 4.
type Written = [Option<Box<[u8]>>; 3];

const WRITABLE: std::ops::RangeInclusive<u8> = 4..=6;
/// `DisplayString (SIZE (0..255))`.
const MAX_DISPLAY_STRING_OCTETS: usize = 255;

/// Something that a device tells by a notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeviceEvent {
    /// It has booted.
    ColdStart,
    /// The interface of this `ifIndex` went down.
    LinkDown(u32),
    /// It came up again.
    LinkUp(u32),
}

/// A device at a time.
#[derive(Debug, Clone, Copy)]
struct Moment {
    /// Since the start of the simulation.
    elapsed: Duration,
    /// How often the device has booted since then.
    boots: u64,
    /// When it last did, if it has.
    booted: Option<Duration>,
    /// Since it booted.
    uptime: Duration,
    /// Since 1970.
    unix_ms: u64,
}

impl fmt::Debug for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Device {} number {}", self.model, self.number)
    }
}

impl Device {
    /// A device. Schedules are put in order first: see [`Schedule`].
    pub fn new(options: DeviceOptions) -> Self {
        let DeviceOptions { model, number, seed, epoch, schedule } = options;
        let in_order = schedule.in_order();
        let schedule = if in_order == *schedule { schedule } else { Arc::new(in_order) };
        Device { model, number, seed, epoch, schedule, written: Mutex::new(None) }
    }

    /// What it is.
    pub fn model(&self) -> DeviceModel {
        self.model
    }

    /// How often it has booted since the simulation started.
    pub fn boots(&self, now: Instant) -> u64 {
        self.moment(now).boots
    }

    /// How long it has been up; `None` while it boots.
    pub fn uptime(&self, now: Instant) -> Option<Duration> {
        let moment = self.moment(now);
        let is_booting = moment.booted.is_some_and(|booted| moment.elapsed < booted);
        (!is_booting).then_some(moment.uptime)
    }

    /// `sysUpTime`.
    pub fn uptime_ticks(&self, now: Instant) -> u32 {
        ticks(self.moment(now).uptime)
    }

    /// What happens next after a time since the start of the simulation, and when.
    pub fn next_events(&self, after: Duration) -> Option<(Duration, Vec<DeviceEvent>)> {
        let Schedule { reboots, boot_time, link_flaps, link_down_for, .. } = &*self.schedule;
        let index = self.index(Group::If, self.flapping_row());
        // A boot that began before `after` may end after it, and so may a flap.
        let ending = |events: &Recurring, lasting: Duration| {
            let running = events.last(self.seed, after).map(|(_, start)| start + lasting).filter(|&end| end > after);
            running.or_else(|| events.next(self.seed, after).map(|start| start + lasting))
        };
        let candidates = [
            (ending(reboots, *boot_time), DeviceEvent::ColdStart),
            (link_flaps.next(self.seed, after), DeviceEvent::LinkDown(index)),
            (ending(link_flaps, *link_down_for), DeviceEvent::LinkUp(index)),
        ];
        let when = candidates.iter().filter_map(|(when, _)| *when).min()?;
        let happening = candidates.iter().filter(|(at, _)| *at == Some(when)).map(|(_, event)| *event);
        Some((when, happening.collect()))
    }

    fn moment(&self, now: Instant) -> Moment {
        let elapsed = self.epoch.elapsed(now);
        let unix_ms = u64::try_from(self.epoch.unix(now).as_millis()).unwrap_or(u64::MAX);
        match self.schedule.reboots.last(self.seed, elapsed) {
            Some((boots, down)) => {
                let booted = down + self.schedule.boot_time;
                let uptime = elapsed.saturating_sub(booted);
                Moment { elapsed, boots, booted: Some(booted), uptime, unix_ms }
            }
            None => Moment { elapsed, boots: 0, booted: None, uptime: self.uptime_at_start() + elapsed, unix_ms },
        }
    }

    fn uptime_at_start(&self) -> Duration {
        let chosen = || match self.model.kind {
            // TimeTicks wrap 90 seconds after the start.
            DeviceKind::CounterWrap => Duration::from_millis((1 << 32) * 10 - 90_000),
            _ => Duration::from_millis(self.noise(b"up", 0) % (400 * 86_400_000)),
        };
        self.schedule.uptime_at_start.unwrap_or_else(chosen)
    }

    /// A number of this device, for a purpose and a place.
    fn noise(&self, purpose: &[u8; 2], place: u64) -> u64 {
        noise::at(self.seed ^ u64::from(u16::from_be_bytes(*purpose)) << 48, place)
    }

    fn value(&self, moment: &Moment, instance: Instance) -> OwnedValue {
        let Instance { object, row } = instance;
        let arc = object.arc;
        match object.group {
            Group::System => self.system(moment, arc),
            Group::Interfaces => OwnedValue::Integer(self.count(Group::If) as i32),
            Group::If => self.interface(moment, arc, row),
            Group::IfX => self.interface_extension(moment, arc, row),
            Group::IfMib => OwnedValue::TimeTicks(0),
            Group::HrSystem => self.host_system(moment, arc),
            Group::HrStorage => self.memory_size(),
            Group::HrStorageTable => self.storage(moment, arc, row),
            Group::HrDevice => self.host_device(arc, row),
            Group::HrProcessor => self.processor(moment, arc, row),
            Group::EntPhysical => self.physical(arc, row),
            Group::EntSensor => self.sensor(moment, arc, row),
        }
    }

    fn system(&self, moment: &Moment, arc: u8) -> OwnedValue {
        if let Some(text) = WRITABLE.contains(&arc).then(|| self.written_text(arc)).flatten() {
            return OwnedValue::OctetString(text);
        }
        match arc {
            1 => text(self.description()),
            2 => OwnedValue::ObjectIdentifier(self.model.kind.sys_object_id()),
            3 => OwnedValue::TimeTicks(ticks(moment.uptime)),
            4 => text("noc@example.net"),
            5 => text(self.name()),
            6 => text(self.location()),
            _ => OwnedValue::Integer(self.model.kind.sys_services()),
        }
    }

    fn name(&self) -> String {
        format!("{}-{}.sim.example.net", self.model.kind.name(), self.number)
    }

    fn description(&self) -> String {
        let (release, serial) = (self.noise(b"rl", 0) % 9, self.serial(0));
        match self.model.kind {
            DeviceKind::Server => {
                format!("Linux {} 6.1.0-{release}-amd64 #1 SMP PREEMPT_DYNAMIC x86_64", self.name())
            }
            kind => format!("Hamsa simulated {}, release 4.{release}, serial {serial}", kind.name()),
        }
    }

    fn location(&self) -> String {
        const SITES: [&str; 8] = ["Aveiro", "Bergen", "Como", "Delft", "Evora", "Graz", "Lund", "Tartu"];
        let place = self.noise(b"lo", 0);
        format!("{}, hall {}, rack {}", SITES[(place % 8) as usize], place / 8 % 4 + 1, place / 32 % 40 + 1)
    }

    fn serial(&self, part: u64) -> String {
        format!("SIM{:010X}", self.noise(b"sn", part) & 0xff_ffff_ffff)
    }

    fn written_text(&self, arc: u8) -> Option<Box<[u8]>> {
        self.written().as_ref()?[usize::from(arc - WRITABLE.start())].clone()
    }

    fn written(&self) -> MutexGuard<'_, Option<Box<Written>>> {
        self.written.lock().expect("no panic under this lock")
    }

    /// Whether a SET of this may be done.
    fn check_set(&self, name: OidRef<'_>, value: &Value<'_>) -> Result<(u8, Box<[u8]>), ErrorStatus> {
        let instance = layout::find(self, name).map_err(|_| ErrorStatus::NO_CREATION)?;
        if instance.object.group != Group::System || !WRITABLE.contains(&instance.object.arc) {
            return Err(ErrorStatus::NOT_WRITABLE);
        }
        let Value::OctetString(octets) = *value else { return Err(ErrorStatus::WRONG_TYPE) };
        if octets.len() > MAX_DISPLAY_STRING_OCTETS {
            return Err(ErrorStatus::WRONG_LENGTH);
        }
        Ok((instance.object.arc, octets.into()))
    }

    fn push(&self, moment: &Moment, instance: Instance, to: &mut VarBindBuf) {
        let index = self.index(instance.object.group, instance.row);
        let name: Oid = instance.object.oid.child(index).expect("far below 128 sub-identifiers");
        to.push(name.as_oid(), self.value(moment, instance).as_value());
    }
}

impl Instrumentation for Device {
    fn get(&self, now: Instant, name: OidRef<'_>, to: &mut VarBindBuf) -> Result<(), ErrorStatus> {
        match layout::find(self, name) {
            Ok(instance) => self.push(&self.moment(now), instance, to),
            Err(Missing::Object) => to.push(name, Value::NoSuchObject),
            Err(Missing::Instance) => to.push(name, Value::NoSuchInstance),
        }
        Ok(())
    }

    fn get_next(&self, now: Instant, after: OidRef<'_>, to: &mut VarBindBuf) -> Result<(), ErrorStatus> {
        match layout::successor(self, after) {
            Some(instance) => self.push(&self.moment(now), instance, to),
            None => to.push(after, Value::EndOfMibView),
        }
        Ok(())
    }

    fn set(&self, _now: Instant, _requester: Requester<'_>, varbinds: VarBindList<'_>) -> Result<(), SetError> {
        let checked = varbinds.iter().enumerate().map(|(index, varbind)| {
            self.check_set(varbind.name, &varbind.value).map_err(|status| SetError { status, index })
        });
        let checked: Vec<_> = checked.collect::<Result<_, _>>()?;
        let mut written = self.written();
        let texts = written.get_or_insert_default();
        for (arc, octets) in checked {
            texts[usize::from(arc - WRITABLE.start())] = Some(octets);
        }
        Ok(())
    }
}

impl Rows for Device {
    fn count(&self, group: Group) -> u32 {
        use DeviceKind::{CounterWrap, Router, Sensors, Server, Switch};
        let (kind, size) = (self.model.kind, u32::from(self.model.size));
        match group {
            Group::System | Group::Interfaces | Group::IfMib => 1,
            Group::If | Group::IfX => match kind {
                Router | Switch | CounterWrap => size,
                Server => host::INTERFACES,
                Sensors => 1,
            },
            Group::HrSystem | Group::HrStorage => u32::from(kind == Server),
            Group::HrStorageTable if kind == Server => host::STORAGE.len() as u32,
            Group::HrDevice if kind == Server => size + host::OTHER_DEVICES,
            Group::HrProcessor if kind == Server => size,
            Group::EntPhysical => entity::parts(kind) + self.count(Group::EntSensor),
            Group::EntSensor => entity::sensors(self.model),
            Group::HrStorageTable | Group::HrDevice | Group::HrProcessor => 0,
        }
    }

    fn index(&self, group: Group, row: u32) -> u32 {
        match group {
            Group::If | Group::IfX => row + 1,
            Group::HrStorageTable => host::STORAGE[row as usize].index,
            Group::HrDevice | Group::HrProcessor => host::device_index(self.model.size.into(), row),
            Group::EntPhysical => entity::physical_index(self.model.kind, row),
            Group::EntSensor => entity::physical_index(self.model.kind, entity::parts(self.model.kind) + row),
            _ => 0,
        }
    }
}

/// Hundredths of a second, modulo 2^32.
fn ticks(duration: Duration) -> u32 {
    (duration.as_millis() / 10) as u32
}

fn text(text: impl AsRef<str>) -> OwnedValue {
    OwnedValue::OctetString(text.as_ref().as_bytes().into())
}
