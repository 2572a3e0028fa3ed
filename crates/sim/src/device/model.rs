//! Which kinds of devices there are, and how people name them: `router`, or `router:96` with a size.

use std::fmt;
use std::str::FromStr;

use hamsa_snmp::Oid;

use crate::limits::MAX_DEVICE_SIZE;

/// A kind of device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DeviceKind {
    /// Interfaces of 1 to 100 Gbit/s, a chassis with sensors. Size: interfaces.
    Router,
    /// Ports of 1 Gbit/s and two uplinks, a chassis with sensors. Size: ports.
    Switch,
    /// A Linux host. Size: processors.
    Server,
    /// A probe with sensors. Size: sensors.
    Sensors,
    /// Interfaces with constant traffic whose counters wrap, 32-bit and 64-bit ones alike, 60 seconds after the
    /// start; the n-th carries n million octets a second either way. `sysUpTime` wraps after 90 seconds. Size:
    /// interfaces.
    CounterWrap,
}

impl DeviceKind {
    /// All of them.
    pub const ALL: [DeviceKind; 5] =
        [DeviceKind::Router, DeviceKind::Switch, DeviceKind::Server, DeviceKind::Sensors, DeviceKind::CounterWrap];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            DeviceKind::Router => "router",
            DeviceKind::Switch => "switch",
            DeviceKind::Server => "server",
            DeviceKind::Sensors => "sensors",
            DeviceKind::CounterWrap => "counter-wrap",
        }
    }

    const fn default_size(self) -> u16 {
        match self {
            DeviceKind::Router => 24,
            DeviceKind::Switch => 50,
            DeviceKind::Server => 8,
            DeviceKind::Sensors => 12,
            DeviceKind::CounterWrap => 2,
        }
    }

    /// `sysObjectID`.
    pub(super) fn sys_object_id(self) -> Oid {
        let arcs: &[u32] = match self {
            DeviceKind::Router => &[1, 3, 6, 1, 4, 1, 32473, 1, 1],
            DeviceKind::Switch => &[1, 3, 6, 1, 4, 1, 32473, 1, 2],
            // net-snmp's on Linux.
            DeviceKind::Server => &[1, 3, 6, 1, 4, 1, 8072, 3, 2, 10],
            DeviceKind::Sensors => &[1, 3, 6, 1, 4, 1, 32473, 1, 3],
            DeviceKind::CounterWrap => &[1, 3, 6, 1, 4, 1, 32473, 1, 4],
        };
        Oid::from_arcs(arcs).expect("a constant")
    }

    /// `sysServices`: a bit for each layer it works on.
    pub(super) const fn sys_services(self) -> i32 {
        match self {
            DeviceKind::Router => 0b0000_0110,
            DeviceKind::Switch => 0b0000_0010,
            DeviceKind::Server => 0b0100_1000,
            DeviceKind::Sensors | DeviceKind::CounterWrap => 0b0100_0000,
        }
    }
}

/// A kind of device of a size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DeviceModel {
    pub(super) kind: DeviceKind,
    pub(super) size: u16,
}

impl DeviceModel {
    /// A kind and how many rows its main table has; between 1 and [`MAX_DEVICE_SIZE`].
    pub const fn new(kind: DeviceKind, size: u16) -> Result<Self, UnknownModel> {
        if size == 0 || size > MAX_DEVICE_SIZE { Err(UnknownModel::BadSize) } else { Ok(DeviceModel { kind, size }) }
    }

    /// The kind.
    pub const fn kind(self) -> DeviceKind {
        self.kind
    }

    /// Rows of its main table.
    pub const fn size(self) -> u16 {
        self.size
    }
}

impl From<DeviceKind> for DeviceModel {
    /// The kind in its usual size.
    fn from(kind: DeviceKind) -> Self {
        DeviceModel { kind, size: kind.default_size() }
    }
}

impl fmt::Display for DeviceModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind.name(), self.size)
    }
}

/// Text that names no model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnknownModel {
    /// No such kind.
    #[error("unknown device {0:?}: use one of {known}", known = DeviceKind::ALL.map(DeviceKind::name).join(", "))]
    Kind(String),
    /// The size is no number within bounds.
    #[error("a device's size is a number from 1 to {MAX_DEVICE_SIZE}, as in router:24")]
    BadSize,
}

impl FromStr for DeviceModel {
    type Err = UnknownModel;

    fn from_str(text: &str) -> Result<Self, UnknownModel> {
        let (name, size) = text.split_once(':').map_or((text, None), |(name, size)| (name, Some(size)));
        let kind = DeviceKind::ALL.into_iter().find(|kind| kind.name() == name);
        let kind = kind.ok_or_else(|| UnknownModel::Kind(name.to_owned()))?;
        match size {
            None => Ok(kind.into()),
            Some(size) => DeviceModel::new(kind, size.parse().map_err(|_| UnknownModel::BadSize)?),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_are_named_and_sized() {
        for kind in DeviceKind::ALL {
            assert_eq!(kind.name().parse(), Ok(DeviceModel::from(kind)));
            let model = DeviceModel::new(kind, 7).unwrap();
            assert_eq!(model.to_string().parse(), Ok(model));
        }
        assert_eq!("fridge".parse::<DeviceModel>().unwrap_err(), UnknownModel::Kind("fridge".into()));
        for text in ["router:", "router:0", "router:9999999", "switch:-1", "server:one"] {
            assert_eq!(text.parse::<DeviceModel>(), Err(UnknownModel::BadSize), "{text}");
        }
    }
}
