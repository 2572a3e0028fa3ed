//! A server's host resources (RFC 2790). Indexes are those that net-snmp gives.

use std::time::Duration;

use hamsa_snmp::{Oid, OwnedValue};

use super::layout::{Group, Rows};
use super::traffic::wander;
use super::{Device, Moment, text, ticks};

/// `lo` and two Ethernet interfaces.
pub(super) const INTERFACES: u32 = 3;
/// The interfaces and one disk, beside the processors.
pub(super) const OTHER_DEVICES: u32 = INTERFACES + 1;

/// A row of `hrStorageTable`.
pub(super) struct Storage {
    pub(super) index: u32,
    name: &'static str,
    /// Below `hrStorageTypes`: ram, virtualMemory, fixedDisk.
    kind: u32,
    unit_octets: i32,
    /// Units; memory's are multiplied by the server's own share.
    size: u64,
}

pub(super) const STORAGE: [Storage; 6] = [
    Storage { index: 1, name: "Physical memory", kind: 2, unit_octets: 1024, size: 16 << 20 },
    Storage { index: 3, name: "Virtual memory", kind: 3, unit_octets: 1024, size: 20 << 20 },
    Storage { index: 10, name: "Swap space", kind: 3, unit_octets: 1024, size: 4 << 20 },
    Storage { index: 31, name: "/", kind: 4, unit_octets: 4096, size: 8 << 20 },
    Storage { index: 32, name: "/var", kind: 4, unit_octets: 4096, size: 32 << 20 },
    Storage { index: 33, name: "/home", kind: 4, unit_octets: 4096, size: 128 << 20 },
];

/// `hrDeviceIndex` of a row: processors, then interfaces, then the disk.
pub(super) fn device_index(processors: u32, row: u32) -> u32 {
    match row.checked_sub(processors) {
        None => 196_608 + row,
        Some(other) if other < INTERFACES => 262_145 + other,
        Some(_) => 393_232,
    }
}

impl Device {
    /// `hrSystem`.
    pub(super) fn host_system(&self, moment: &Moment, arc: u8) -> OwnedValue {
        match arc {
            1 => OwnedValue::TimeTicks(ticks(moment.uptime)),
            2 => OwnedValue::OctetString(date_and_time(moment.unix_ms).into()),
            3 => {
                OwnedValue::Integer(device_index(self.model.size.into(), u32::from(self.model.size) + INTERFACES) as i32)
            }
            4 => text("BOOT_IMAGE=/boot/vmlinuz root=/dev/sda1 ro quiet"),
            5 => OwnedValue::Gauge32(self.wandering(b"us", 0, moment, 600, 0..=9)),
            6 => OwnedValue::Gauge32(self.wandering(b"pr", 0, moment, 60, 120..=400)),
            _ => OwnedValue::Integer(0),
        }
    }

    /// `hrMemorySize`, in KiB.
    pub(super) fn memory_size(&self) -> OwnedValue {
        OwnedValue::Integer((STORAGE[0].size * self.memory_factor()) as i32)
    }

    /// From 16 to 128 GiB of memory.
    fn memory_factor(&self) -> u64 {
        1 << (self.noise(b"me", 0) % 4)
    }

    /// `hrStorageTable`.
    pub(super) fn storage(&self, moment: &Moment, column: u8, row: u32) -> OwnedValue {
        let storage = &STORAGE[row as usize];
        let is_disk = storage.kind == 4;
        let size = if is_disk { storage.size } else { storage.size * self.memory_factor() };
        match column {
            1 => OwnedValue::Integer(storage.index as i32),
            2 => OwnedValue::ObjectIdentifier(below(&[1, 3, 6, 1, 2, 1, 25, 2, 1], storage.kind)),
            3 => text(storage.name),
            4 => OwnedValue::Integer(storage.unit_octets),
            5 => OwnedValue::Integer(size as i32),
            6 => {
                let percent = 20 + self.noise(b"fu", row.into()) % 50;
                let step_s = if is_disk { 7_200 } else { 300 };
                let bounds = size / 100 * percent..=size / 100 * (percent + 20);
                OwnedValue::Integer(wander(self.noise(b"st", row.into()), moment.unix_ms, step_s, bounds) as i32)
            }
            _ => OwnedValue::Counter32(0),
        }
    }

    /// `hrDeviceTable`.
    pub(super) fn host_device(&self, column: u8, row: u32) -> OwnedValue {
        let processors = u32::from(self.model.size);
        // Below hrDeviceTypes: processor, network, disk storage.
        let (kind, name) = match row.checked_sub(processors) {
            None => (3, "Simulated processor, 2.40 GHz".to_owned()),
            Some(0) => (4, "network interface lo".to_owned()),
            Some(other) if other < INTERFACES => (4, format!("network interface eth{}", other - 1)),
            Some(_) => (6, "disk (/dev/sda)".to_owned()),
        };
        match column {
            1 => OwnedValue::Integer(self.index(Group::HrDevice, row) as i32),
            2 => OwnedValue::ObjectIdentifier(below(&[1, 3, 6, 1, 2, 1, 25, 3, 1], kind)),
            3 => text(name),
            4 => OwnedValue::ObjectIdentifier(Oid::from_arcs(&[0, 0]).expect("a constant")),
            // running
            5 => OwnedValue::Integer(2),
            _ => OwnedValue::Counter32(0),
        }
    }

    /// `hrProcessorTable`.
    pub(super) fn processor(&self, moment: &Moment, column: u8, row: u32) -> OwnedValue {
        match column {
            1 => OwnedValue::ObjectIdentifier(Oid::from_arcs(&[0, 0]).expect("a constant")),
            _ => OwnedValue::Integer(self.wandering(b"lo", row.into(), moment, 60, 1..=90) as i32),
        }
    }

    pub(super) fn wandering(
        &self,
        purpose: &[u8; 2],
        place: u64,
        moment: &Moment,
        step_s: u64,
        bounds: std::ops::RangeInclusive<u64>,
    ) -> u32 {
        wander(self.noise(purpose, place), moment.unix_ms, step_s, bounds) as u32
    }
}

fn below(parent: &[u32], arc: u32) -> Oid {
    Oid::from_arcs(parent).and_then(|parent| parent.child(arc)).expect("constants")
}

/// `DateAndTime` in UTC (RFC 2579 §2).
fn date_and_time(unix_ms: u64) -> [u8; 11] {
    let since = Duration::from_millis(unix_ms);
    let (seconds, tenths) = (since.as_secs() % 86_400, since.subsec_millis() / 100);
    let (year, month, day) = civil(since.as_secs() / 86_400);
    let [high, low] = year.to_be_bytes();
    let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    [high, low, month, day, hour as u8, minute as u8, second as u8, tenths as u8, b'+', 0, 0]
}

/// Year, month and day of a day since 1970 in the Gregorian calendar, which repeats after 400 years.
fn civil(day: u64) -> (u16, u8, u8) {
    // Counted from a 1 March, so that a leap day is the last of its year.
    let day = day + 719_468;
    let (cycle, day) = (day / 146_097, day % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    // Months from March on: five have 153 days.
    let month = (5 * day + 2) / 153;
    let day_of_month = day - (153 * month + 2) / 5 + 1;
    let (month, next_year) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    ((cycle * 400 + year + next_year) as u16, month as u8, day_of_month as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_have_dates() {
        for (day, date) in [
            (0, (1970, 1, 1)),
            (58, (1970, 2, 28)),
            (59, (1970, 3, 1)),
            (789, (1972, 2, 29)),
            (11_016, (2000, 2, 29)),
            (19_722, (2023, 12, 31)),
            (19_723, (2024, 1, 1)),
            (47_540, (2100, 2, 28)),
            (47_541, (2100, 3, 1)),
        ] {
            assert_eq!(civil(day), date, "{day}");
        }
        let stamp = date_and_time(1_700_000_000_400);
        assert_eq!(stamp, [0x07, 0xe7, 11, 14, 22, 13, 20, 4, b'+', 0, 0]);
    }

    #[test]
    fn device_indexes_grow() {
        let indexes: Vec<u32> = (0..8 + OTHER_DEVICES).map(|row| device_index(8, row)).collect();
        assert!(indexes.is_sorted());
        assert_eq!(indexes[7..], [196_615, 262_145, 262_146, 262_147, 393_232]);
    }
}
