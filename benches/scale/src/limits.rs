//! How much is polled, for how long, and how long anything may take.

use std::time::Duration;

/// Devices, unless the command line says otherwise.
pub(crate) const DEVICES: u32 = 10_000;

/// Interfaces of each.
pub(crate) const INTERFACES: u32 = 4;

/// Time between two polls of a device.
pub(crate) const INTERVAL: Duration = Duration::from_secs(60);

/// From the start of the node to the start of what is counted: by then each device has been identified, read in full
/// and polled once on its schedule, and every series is registered.
pub(crate) const SETTLE: Duration = Duration::from_secs(90);

/// What is counted: two polls of each device, unless the command line says otherwise.
pub(crate) const WINDOW: Duration = Duration::from_secs(120);

/// From the start of a node without devices to the reading of its memory.
pub(crate) const SETTLE_EMPTY: Duration = Duration::from_secs(5);

/// A poll that starts later than this is late. A bucket of the node's histogram ends here.
pub(crate) const LATE_S: f64 = 1.0;
