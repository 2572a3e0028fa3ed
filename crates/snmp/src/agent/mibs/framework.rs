//! SNMP-FRAMEWORK-MIB (RFC 3411 §5) and SNMP-MPD-MIB (RFC 3412 §5): what an engine tells about itself. Read-only.

use std::sync::Arc;
use std::time::Instant;

use crate::agent::scheme::{Scalar, Scheme, Source, Syntax};
use crate::agent::tabular::{Rules, Tabular};
use crate::engine::{EngineStats, Statistic};
use crate::limits::MAX_MESSAGE_OCTETS;
use crate::usm::UsmUsers;
use crate::value::OwnedValue;

/// The rules of SNMP-FRAMEWORK-MIB.
pub struct FrameworkRules(Arc<UsmUsers>);

/// SNMP-FRAMEWORK-MIB.
pub type FrameworkMib = Tabular<FrameworkRules>;

/// The rules of SNMP-MPD-MIB.
pub struct MpdRules(Arc<EngineStats>);

/// SNMP-MPD-MIB.
pub type MpdMib = Tabular<MpdRules>;

pub(super) static FRAMEWORK: Scheme = Scheme {
    name: "SNMP-FRAMEWORK-MIB",
    version: 1,
    subtrees: &[&[1, 3, 6, 1, 6, 3, 10]],
    scalars: &[
        computed(&[1, 3, 6, 1, 6, 3, 10, 2, 1, 1], Syntax::Octets(5, 32)),
        computed(&[1, 3, 6, 1, 6, 3, 10, 2, 1, 2], Syntax::Integer(1, i32::MAX)),
        computed(&[1, 3, 6, 1, 6, 3, 10, 2, 1, 3], Syntax::Integer(0, i32::MAX)),
        computed(&[1, 3, 6, 1, 6, 3, 10, 2, 1, 4], Syntax::Integer(484, i32::MAX)),
    ],
    tables: &[],
};

pub(super) static MPD: Scheme = Scheme {
    name: "SNMP-MPD-MIB",
    version: 1,
    subtrees: &[&[1, 3, 6, 1, 6, 3, 11]],
    scalars: &[
        computed(&[1, 3, 6, 1, 6, 3, 11, 2, 1, 1], Syntax::Counter32),
        computed(&[1, 3, 6, 1, 6, 3, 11, 2, 1, 2], Syntax::Counter32),
        computed(&[1, 3, 6, 1, 6, 3, 11, 2, 1, 3], Syntax::Counter32),
    ],
    tables: &[],
};

const MPD_COUNTERS: [Statistic; 3] =
    [Statistic::UnknownSecurityModels, Statistic::InvalidMessages, Statistic::UnknownPduHandlers];

const fn computed(oid: &'static [u32], syntax: Syntax) -> Scalar {
    Scalar { oid, syntax, source: Source::Computed }
}

impl Rules for FrameworkRules {
    fn scheme(&self) -> &'static Scheme {
        &FRAMEWORK
    }

    fn computed(&self, now: Instant, scalar: usize) -> Option<OwnedValue> {
        let time = self.0.local_time(now);
        Some(match scalar {
            0 => OwnedValue::OctetString(self.0.local_engine().as_octets().into()),
            1 => OwnedValue::Integer(time.boots.cast_signed()),
            2 => OwnedValue::Integer(time.time.cast_signed()),
            _ => OwnedValue::Integer(MAX_MESSAGE_OCTETS as i32),
        })
    }
}

impl Rules for MpdRules {
    fn scheme(&self) -> &'static Scheme {
        &MPD
    }

    fn computed(&self, _now: Instant, scalar: usize) -> Option<OwnedValue> {
        Some(OwnedValue::Counter32(self.0.get(*MPD_COUNTERS.get(scalar)?)))
    }
}

impl FrameworkMib {
    /// The module of the engine with this clock.
    pub fn of(users: Arc<UsmUsers>) -> Self {
        Tabular::new(FrameworkRules(users))
    }
}

impl MpdMib {
    /// The module of the engine with these counters.
    pub fn of(stats: Arc<EngineStats>) -> Self {
        Tabular::new(MpdRules(stats))
    }
}
