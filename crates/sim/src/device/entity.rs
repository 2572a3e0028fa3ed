//! The parts of a chassis (RFC 4133) and its sensors (RFC 3433).

use hamsa_snmp::{Oid, OwnedValue};

use super::{Device, DeviceKind, DeviceModel, Moment, text, ticks};

/// A part that is no sensor: its `PhysicalClass` and name.
const PARTS: [(i32, &str); 5] =
    [(3, "chassis"), (6, "power supply 1"), (6, "power supply 2"), (7, "fan tray 1"), (7, "fan tray 2")];
const CHASSIS: u32 = 1;
/// `entPhysicalIndex` of the first sensor.
const FIRST_SENSOR: u32 = 1001;
/// `PhysicalClass` of sensors.
const SENSOR: i32 = 8;
/// Sensors of a router or switch.
const CHASSIS_SENSORS: u32 = 6;
/// How often a reading is taken.
const UPDATE_S: u64 = 10;

/// How many parts are no sensors.
pub(super) const fn parts(kind: DeviceKind) -> u32 {
    match kind {
        DeviceKind::Router | DeviceKind::Switch => PARTS.len() as u32,
        DeviceKind::Sensors => 1,
        DeviceKind::Server | DeviceKind::CounterWrap => 0,
    }
}

/// How many sensors.
pub(super) const fn sensors(model: DeviceModel) -> u32 {
    match model.kind {
        DeviceKind::Router | DeviceKind::Switch => CHASSIS_SENSORS,
        DeviceKind::Sensors => model.size as u32,
        DeviceKind::Server | DeviceKind::CounterWrap => 0,
    }
}

/// `entPhysicalIndex` of a row.
pub(super) const fn physical_index(kind: DeviceKind, row: u32) -> u32 {
    let parts = parts(kind);
    if row < parts { CHASSIS + row } else { FIRST_SENSOR + row - parts }
}

/// What a sensor measures.
struct Quantity {
    name: &'static str,
    /// `EntitySensorDataType`, `EntitySensorDataScale`, `EntitySensorPrecision`.
    data_type: i32,
    scale: i32,
    precision: i32,
    unit: &'static str,
    /// Between which values it wanders.
    low: u64,
    high: u64,
}

const UNITS: i32 = 9;
const MILLI: i32 = 8;

const QUANTITIES: [Quantity; 5] = [
    Quantity {
        name: "temperature",
        data_type: 8,
        scale: UNITS,
        precision: 1,
        unit: "degrees Celsius",
        low: 180,
        high: 520,
    },
    Quantity { name: "fan speed", data_type: 10, scale: UNITS, precision: 0, unit: "rpm", low: 2_400, high: 9_000 },
    Quantity { name: "voltage", data_type: 4, scale: MILLI, precision: 0, unit: "volts DC", low: 11_700, high: 12_300 },
    Quantity { name: "power", data_type: 6, scale: UNITS, precision: 0, unit: "watts", low: 60, high: 340 },
    Quantity { name: "humidity", data_type: 9, scale: UNITS, precision: 0, unit: "percent RH", low: 20, high: 65 },
];

impl Device {
    /// `entPhysicalTable`.
    pub(super) fn physical(&self, column: u8, row: u32) -> OwnedValue {
        let parts = parts(self.model.kind);
        let sensor = row.checked_sub(parts);
        let (class, name) = match sensor {
            Some(sensor) => (SENSOR, format!("{} sensor {}", self.quantity(sensor).name, sensor + 1)),
            None => {
                let (class, name) = PARTS[row as usize];
                (class, name.to_owned())
            }
        };
        let is_chassis = row == 0;
        let is_replaceable = matches!(class, 6 | 7);
        match column {
            3 => OwnedValue::ObjectIdentifier(
                Oid::from_arcs(&[1, 3, 6, 1, 4, 1, 32473, 2, class as u32]).expect("a short name"),
            ),
            4 => OwnedValue::Integer(if is_chassis { 0 } else { CHASSIS as i32 }),
            5 => OwnedValue::Integer(class),
            6 => OwnedValue::Integer(row as i32),
            2 | 7 => text(name),
            8 => text("A1"),
            10 if is_chassis => text(format!("4.{}", self.noise(b"rl", 0) % 9)),
            11 if is_chassis || is_replaceable => text(self.serial(row.into())),
            12 => text("Hamsa"),
            13 if is_chassis => text(format!("SIM-{}", self.model)),
            // TruthValue
            16 => OwnedValue::Integer(if is_replaceable { 1 } else { 2 }),
            _ => text(""),
        }
    }

    /// `entPhySensorTable`.
    pub(super) fn sensor(&self, moment: &Moment, column: u8, row: u32) -> OwnedValue {
        let quantity = self.quantity(row);
        match column {
            1 => OwnedValue::Integer(quantity.data_type),
            2 => OwnedValue::Integer(quantity.scale),
            3 => OwnedValue::Integer(quantity.precision),
            4 => {
                let taken = Moment { unix_ms: moment.unix_ms - moment.unix_ms % (UPDATE_S * 1_000), ..*moment };
                let bounds = quantity.low..=quantity.high;
                OwnedValue::Integer(self.wandering(b"se", row.into(), &taken, 900, bounds) as i32)
            }
            // ok
            5 => OwnedValue::Integer(1),
            6 => text(quantity.unit),
            7 => {
                let ticks = ticks(moment.uptime);
                OwnedValue::TimeTicks(ticks - ticks % (UPDATE_S as u32 * 100))
            }
            _ => OwnedValue::Gauge32(UPDATE_S as u32 * 1_000),
        }
    }

    fn quantity(&self, sensor: u32) -> &'static Quantity {
        // A chassis has one sensor of each kind but the last; a probe has all in turn.
        let kinds = if self.model.kind == DeviceKind::Sensors { QUANTITIES.len() as u32 } else { 4 };
        &QUANTITIES[(sensor % kinds) as usize]
    }
}
