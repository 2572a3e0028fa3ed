//! The MIB modules of SNMP itself, each a [`Scheme`](super::Scheme) and the [`Rules`](super::Rules) that the RFC adds.
//!
//! What they configure (users, views, communities, clocks, counters) are host resources that they borrow: they put
//! what is active in their tables into effect there.

mod community;
#[cfg(test)]
mod conformance;
mod framework;
mod notification;
mod proxy;
mod system;
mod target;
mod usm;
mod vacm;

pub use community::{CommunityMib, CommunityRules};
pub use framework::{FrameworkMib, FrameworkRules, MpdMib, MpdRules};
pub use notification::{NotificationMib, NotificationRules, NotificationTable, Notify};
pub use proxy::{Proxy, ProxyMib, ProxyRules, ProxyTable, ProxyType};
pub use system::{Capability, SystemIdentity, SystemMib, SystemRules};
pub use target::{Target, TargetMib, TargetParams, TargetRules, TargetTable};
pub use usm::{PutUserError, UsmMib, UsmRules};
pub use vacm::{VacmMib, VacmRules};

use std::time::Instant;

use crate::engine::Name;

/// Hundredths of a second from one time to another, as `TimeTicks` count them.
fn ticks_since(started: Instant, now: Instant) -> u32 {
    (now.saturating_duration_since(started).as_millis() / 10) as u32
}

/// A name from octets of a table, which are at most 255 by their syntax.
fn name(octets: &[u8]) -> Name {
    Name::new(octets).unwrap_or_default()
}
