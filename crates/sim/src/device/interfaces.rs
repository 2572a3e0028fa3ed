//! A device's interfaces (RFC 2863) and the truth about their traffic.

use std::time::{Duration, Instant};

use hamsa_snmp::{Oid, OwnedValue};

use super::layout::{Group, Rows};
use super::traffic::{PEAK_TO_MEAN, Traffic};
use super::{Device, DeviceKind, Moment, text, ticks};

/// Which way traffic goes, as the device sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Direction {
    In,
    Out,
}

const MBIT: u64 = 1_000_000;
/// Times are counted from so long before the start of the simulation: longer than any device has been up.
const ORIGIN_MS: u64 = 1_000 * 86_400_000;
/// So many seconds after the start the counters of a [`DeviceKind::CounterWrap`] wrap.
const WRAP_AFTER_S: u64 = 60;

/// `ifAdminStatus` and `ifOperStatus`.
const UP: i32 = 1;
const DOWN: i32 = 2;

/// What an interface carried since its counters last started.
struct Carried {
    octets: u64,
    /// For how long it was up.
    up_ms: u64,
}

impl Device {
    /// The octets that an interface has carried since its counters last started: what `ifHCInOctets` and
    /// `ifHCOutOctets` say. `None`: there is no such `ifIndex`.
    pub fn octets(&self, now: Instant, if_index: u32, direction: Direction) -> Option<u64> {
        let row = self.row_of(if_index)?;
        Some(self.carried(&self.moment(now), row, direction).octets)
    }

    /// The true mean rate of an interface between two times, in octets a second. `None`: there is no such
    /// `ifIndex`, no time passes, or its counters start anew in between.
    pub fn mean_octets_per_s(&self, if_index: u32, direction: Direction, from: Instant, to: Instant) -> Option<f64> {
        let row = self.row_of(if_index)?;
        let (start, end) = (self.moment(from), self.moment(to));
        let same_life = start.boots == end.boots && self.reset_of(&start, row) == self.reset_of(&end, row);
        let seconds = to.checked_duration_since(from)?.as_secs_f64();
        if !same_life || seconds <= 0.0 {
            return None;
        }
        let carried = |moment| self.carried(moment, row, direction).octets;
        Some(carried(&end).wrapping_sub(carried(&start)) as f64 / seconds)
    }

    fn row_of(&self, if_index: u32) -> Option<u32> {
        (0..self.count(Group::If)).contains(&if_index.wrapping_sub(1)).then(|| if_index - 1)
    }

    /// The interface that `Schedule::link_flaps` is about.
    pub(super) fn flapping_row(&self) -> u32 {
        1.min(self.count(Group::If) - 1)
    }

    fn resetting_row(&self) -> u32 {
        2.min(self.count(Group::If) - 1)
    }

    /// When an interface's counters started anew without a reboot, if they did.
    fn reset_of(&self, moment: &Moment, row: u32) -> Option<Duration> {
        if row != self.resetting_row() {
            return None;
        }
        let (_, reset) = self.schedule.counter_resets.last(self.seed, moment.elapsed)?;
        Some(reset).filter(|&reset| moment.booted.is_none_or(|booted| reset > booted))
    }

    /// When it last changed between up and down since the device booted, if it flaps; and whether it is down.
    fn flap_of(&self, moment: &Moment, row: u32) -> Option<(Duration, bool)> {
        if row != self.flapping_row() {
            return None;
        }
        let (_, down) = self.schedule.link_flaps.last(self.seed, moment.elapsed)?;
        let up = down + self.schedule.link_down_for;
        let (change, is_down) = if moment.elapsed < up { (down, true) } else { (up, false) };
        Some((change, is_down)).filter(|_| is_down || moment.booted.is_none_or(|booted| change > booted))
    }

    fn carried(&self, moment: &Moment, row: u32, direction: Direction) -> Carried {
        if self.statuses(moment, row, false).1 != UP {
            return Carried { octets: 0, up_ms: 0 };
        }
        let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        // On a clock that has the start of the simulation at ORIGIN_MS, and the time of day right.
        let origin_ms = ORIGIN_MS + ms(self.epoch.unix) % 86_400_000;
        let start = self.reset_of(moment, row).or(moment.booted);
        let (from, from_ms) = match start {
            Some(start) => (start, origin_ms + ms(start)),
            None => (Duration::ZERO, origin_ms - ms(self.uptime_at_start()).min(ORIGIN_MS)),
        };
        let to = moment.elapsed.max(from);
        let down = match row == self.flapping_row() {
            true => {
                let until = |at| self.schedule.link_flaps.total(self.seed, at, self.schedule.link_down_for);
                until(to) - until(from)
            }
            false => Duration::ZERO,
        };
        let to_ms = (origin_ms + ms(to)).saturating_sub(ms(down)).max(from_ms);
        let octets = match self.model.kind {
            DeviceKind::CounterWrap => {
                let octets_per_s = u64::from(row + 1) * 1_000_000;
                match start {
                    Some(_) => octets_per_s * (to_ms - from_ms) / 1_000,
                    None => (octets_per_s * (to_ms - origin_ms) / 1_000).wrapping_sub(octets_per_s * WRAP_AFTER_S),
                }
            }
            _ => self.traffic(moment, row, direction).between(from_ms, to_ms),
        };
        Carried { octets, up_ms: to_ms - from_ms }
    }

    fn traffic(&self, moment: &Moment, row: u32, direction: Direction) -> Traffic {
        let salt = if direction == Direction::In { b"in" } else { b"ou" };
        // Two factors make small loads more common than large ones.
        let load = self.noise(salt, row.into());
        let share = ((load & 0xffff) * (load >> 16 & 0xffff)) >> 16;
        let peak_octets_per_s = self.speed_mbit(row) * MBIT / 8;
        let octets_per_s = (peak_octets_per_s / PEAK_TO_MEAN * share) >> 16;
        Traffic { seed: self.noise(salt, u64::from(row) | moment.boots << 32), octets_per_s }
    }

    fn speed_mbit(&self, row: u32) -> u64 {
        match self.model.kind {
            DeviceKind::Router => match self.noise(b"sp", row.into()) % 10 {
                0 => 100_000,
                1..4 => 10_000,
                _ => 1_000,
            },
            DeviceKind::Switch if row + 2 >= self.model.size.into() => 10_000,
            DeviceKind::Server if row == 0 => 10,
            DeviceKind::Server => 10_000,
            DeviceKind::Sensors => 100,
            DeviceKind::Switch | DeviceKind::CounterWrap => 1_000,
        }
    }

    /// `ifAdminStatus` and `ifOperStatus`; the latter with flaps or as it is between them.
    fn statuses(&self, moment: &Moment, row: u32, with_flaps: bool) -> (i32, i32) {
        if with_flaps && self.flap_of(moment, row).is_some_and(|(_, is_down)| is_down) {
            return (UP, DOWN);
        }
        // The first three are the ones that schedules are about.
        let can_be_down = matches!(self.model.kind, DeviceKind::Router | DeviceKind::Switch) && row > 2;
        match self.noise(b"st", row.into()) % 8 {
            0 if can_be_down => (DOWN, DOWN),
            1 if can_be_down => (UP, DOWN),
            _ => (UP, UP),
        }
    }

    fn interface_name(&self, row: u32) -> String {
        match self.model.kind {
            DeviceKind::Router => format!("ge-0/{}/{}", row / 24, row % 24),
            DeviceKind::Switch => format!("port{}", row + 1),
            DeviceKind::Server if row == 0 => "lo".to_owned(),
            DeviceKind::Server => format!("eth{}", row - 1),
            DeviceKind::Sensors | DeviceKind::CounterWrap => format!("eth{row}"),
        }
    }

    fn is_loopback(&self, row: u32) -> bool {
        self.model.kind == DeviceKind::Server && row == 0
    }

    /// `ifTable`; the arguments are a column and a row.
    pub(super) fn interface(&self, moment: &Moment, column: u8, row: u32) -> OwnedValue {
        let carried = |direction| self.carried(moment, row, direction);
        match column {
            1 => OwnedValue::Integer(self.index(Group::If, row) as i32),
            2 => text(self.interface_name(row)),
            // softwareLoopback and ethernetCsmacd.
            3 => OwnedValue::Integer(if self.is_loopback(row) { 24 } else { 6 }),
            4 => OwnedValue::Integer(if self.is_loopback(row) { 65_536 } else { 1_500 }),
            5 => OwnedValue::Gauge32(u32::try_from(self.speed_mbit(row) * MBIT).unwrap_or(u32::MAX)),
            6 => OwnedValue::OctetString(self.physical_address(row)),
            7 => OwnedValue::Integer(self.statuses(moment, row, true).0),
            8 => OwnedValue::Integer(self.statuses(moment, row, true).1),
            9 => OwnedValue::TimeTicks(self.last_change(moment, row)),
            10 => OwnedValue::Counter32(carried(Direction::In).octets as u32),
            11 => OwnedValue::Counter32(self.unicast_packets(&carried(Direction::In), row) as u32),
            13 => OwnedValue::Counter32(self.discards(&carried(Direction::In), row)),
            14 => OwnedValue::Counter32(self.errors(&carried(Direction::In), row)),
            15 => OwnedValue::Counter32((carried(Direction::In).up_ms / 600_000) as u32),
            16 => OwnedValue::Counter32(carried(Direction::Out).octets as u32),
            17 => OwnedValue::Counter32(self.unicast_packets(&carried(Direction::Out), row) as u32),
            19 => OwnedValue::Counter32(self.discards(&carried(Direction::Out), row)),
            _ => OwnedValue::Counter32(self.errors(&carried(Direction::Out), row)),
        }
    }

    /// `ifXTable`.
    pub(super) fn interface_extension(&self, moment: &Moment, column: u8, row: u32) -> OwnedValue {
        use Direction::{In, Out};
        let carried = |direction| self.carried(moment, row, direction);
        let multicast = |direction| self.steady_packets(b"mc", &carried(direction), row);
        let broadcast = |direction| self.steady_packets(b"bc", &carried(direction), row);
        match column {
            1 => text(self.interface_name(row)),
            2 => OwnedValue::Counter32(multicast(In) as u32),
            3 => OwnedValue::Counter32(broadcast(In) as u32),
            4 => OwnedValue::Counter32(multicast(Out) as u32),
            5 => OwnedValue::Counter32(broadcast(Out) as u32),
            6 => OwnedValue::Counter64(carried(In).octets),
            7 => OwnedValue::Counter64(self.unicast_packets(&carried(In), row)),
            8 => OwnedValue::Counter64(multicast(In)),
            9 => OwnedValue::Counter64(broadcast(In)),
            10 => OwnedValue::Counter64(carried(Out).octets),
            11 => OwnedValue::Counter64(self.unicast_packets(&carried(Out), row)),
            12 => OwnedValue::Counter64(multicast(Out)),
            13 => OwnedValue::Counter64(broadcast(Out)),
            // enabled, and the TruthValues false and true.
            14 => OwnedValue::Integer(1),
            15 => OwnedValue::Gauge32(self.speed_mbit(row) as u32),
            16 => OwnedValue::Integer(2),
            17 => OwnedValue::Integer(if self.is_loopback(row) { 2 } else { 1 }),
            18 => text(self.alias(row)),
            _ => OwnedValue::TimeTicks(self.reset_of(moment, row).map_or(0, |reset| self.ticks_at(moment, reset))),
        }
    }

    fn last_change(&self, moment: &Moment, row: u32) -> u32 {
        self.flap_of(moment, row).map_or(0, |(change, _)| self.ticks_at(moment, change))
    }

    /// `sysUpTime` at an earlier time since the device booted; zero before that.
    fn ticks_at(&self, moment: &Moment, when: Duration) -> u32 {
        ticks(moment.uptime.saturating_sub(moment.elapsed.saturating_sub(when)))
    }

    fn physical_address(&self, row: u32) -> Box<[u8]> {
        if self.is_loopback(row) {
            return [].into();
        }
        // Locally administered, not multicast.
        let [_, _, rest @ ..] = self.noise(b"ma", row.into()).to_be_bytes();
        let mut octets = rest;
        octets[0] = 2;
        octets.into()
    }

    fn alias(&self, row: u32) -> String {
        match self.noise(b"al", row.into()) % 4 {
            _ if self.is_loopback(row) => String::new(),
            0 => format!("customer {}", self.noise(b"cu", row.into()) % 900 + 100),
            1 => format!("to rack {}", self.noise(b"cu", row.into()) % 40 + 1),
            2 => "uplink".to_owned(),
            _ => String::new(),
        }
    }

    fn unicast_packets(&self, carried: &Carried, row: u32) -> u64 {
        carried.octets / (300 + self.noise(b"pk", row.into()) % 600)
    }

    fn steady_packets(&self, purpose: &[u8; 2], carried: &Carried, row: u32) -> u64 {
        carried.up_ms * (1 + self.noise(purpose, row.into()) % 50) / 10_000
    }

    /// One interface in eight has a bad cable.
    fn errors(&self, carried: &Carried, row: u32) -> u32 {
        if self.noise(b"er", row.into()).is_multiple_of(8) { (carried.octets >> 26) as u32 } else { 0 }
    }

    fn discards(&self, carried: &Carried, row: u32) -> u32 {
        if self.noise(b"di", row.into()).is_multiple_of(4) { (carried.octets >> 28) as u32 } else { 0 }
    }

    /// What a linkUp or linkDown tells of its interface: `ifIndex`, `ifAdminStatus`, `ifOperStatus`.
    pub(crate) fn link_variables(&self, now: Instant, if_index: u32) -> Vec<(Oid, OwnedValue)> {
        let Some(row) = self.row_of(if_index) else { return Vec::new() };
        let moment = self.moment(now);
        let column = |column: u8| {
            let name = Oid::from_arcs(&[1, 3, 6, 1, 2, 1, 2, 2, 1, column.into(), if_index]).expect("a short name");
            (name, self.interface(&moment, column, row))
        };
        [1, 7, 8].map(column).to_vec()
    }
}
