//! SNMPv2-MIB (RFC 3418): the system and snmp groups, sysORTable, and snmpSetSerialNo.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use crate::agent::index::IndexValue;
use crate::agent::mibs::ticks_since;
use crate::agent::scheme::{Column, IndexPart, Initial, Scalar, Scheme, Source, Syntax, TableScheme};
use crate::agent::tabular::{PutRowError, Rules, Tabular};
use crate::engine::{EngineStats, Statistic};
use crate::limits::MAX_TABLE_ROWS;
use crate::oid::Oid;
use crate::value::OwnedValue;

/// What does not change while the agent runs.
#[derive(Debug, Clone)]
pub struct SystemIdentity {
    /// `sysDescr`: what hardware and software this is; ASCII.
    pub description: String,
    /// `sysObjectID`: the vendor's name for this kind of system.
    pub object_id: Oid,
    /// `sysServices`: the sum of 2^(layer-1) of the layers served; a host's is 72.
    pub services: u8,
    /// When `sysUpTime` was zero.
    pub started: Instant,
}

/// A row of `sysORTable`: a MIB module that is implemented.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capability {
    /// `sysORID`.
    pub id: Oid,
    /// `sysORDescr`; ASCII.
    pub description: String,
}

/// The rules of SNMPv2-MIB.
pub struct SystemRules {
    identity: SystemIdentity,
    stats: Arc<EngineStats>,
    capabilities_changed_ticks: AtomicU32,
}

/// SNMPv2-MIB.
pub type SystemMib = Tabular<SystemRules>;

const SYS_CONTACT: usize = 3;
const SYS_NAME: usize = 4;
const SYS_LOCATION: usize = 5;
const ENABLE_AUTHEN_TRAPS: usize = 8;

/// Where the counters start among the scalars, and which they are.
const FIRST_COUNTER: usize = 10;
const COUNTERS: [Statistic; 7] = [
    Statistic::InPackets,
    Statistic::InBadVersions,
    Statistic::InBadCommunityNames,
    Statistic::InBadCommunityUses,
    Statistic::InAsnParseErrors,
    Statistic::SilentDrops,
    Statistic::ProxyDrops,
];

const fn computed(oid: &'static [u32], syntax: Syntax) -> Scalar {
    Scalar { oid, syntax, source: Source::Computed }
}

const fn text(oid: &'static [u32]) -> Scalar {
    Scalar { oid, syntax: Syntax::Ascii(0, 255), source: Source::Kept(Initial::Octets(b"")) }
}

pub(super) static SCHEME: Scheme = Scheme {
    name: "SNMPv2-MIB",
    version: 1,
    subtrees: &[&[1, 3, 6, 1, 2, 1, 1], &[1, 3, 6, 1, 2, 1, 11], &[1, 3, 6, 1, 6, 3, 1]],
    scalars: &[
        computed(&[1, 3, 6, 1, 2, 1, 1, 1], Syntax::Ascii(0, 255)),
        computed(&[1, 3, 6, 1, 2, 1, 1, 2], Syntax::Oid),
        computed(&[1, 3, 6, 1, 2, 1, 1, 3], Syntax::TimeTicks),
        text(&[1, 3, 6, 1, 2, 1, 1, 4]),
        text(&[1, 3, 6, 1, 2, 1, 1, 5]),
        text(&[1, 3, 6, 1, 2, 1, 1, 6]),
        computed(&[1, 3, 6, 1, 2, 1, 1, 7], Syntax::Integer(0, 127)),
        computed(&[1, 3, 6, 1, 2, 1, 1, 8], Syntax::TimeTicks),
        // enabled(1), disabled(2): off until somebody wants it, as these traps tell strangers' attempts on.
        Scalar {
            oid: &[1, 3, 6, 1, 2, 1, 11, 30],
            syntax: Syntax::Integer(1, 2),
            source: Source::Kept(Initial::Integer(2)),
        },
        Scalar {
            oid: &[1, 3, 6, 1, 6, 3, 1, 1, 6, 1],
            syntax: Syntax::TestAndIncr,
            source: Source::Kept(Initial::Integer(0)),
        },
        computed(&[1, 3, 6, 1, 2, 1, 11, 1], Syntax::Counter32),
        computed(&[1, 3, 6, 1, 2, 1, 11, 3], Syntax::Counter32),
        computed(&[1, 3, 6, 1, 2, 1, 11, 4], Syntax::Counter32),
        computed(&[1, 3, 6, 1, 2, 1, 11, 5], Syntax::Counter32),
        computed(&[1, 3, 6, 1, 2, 1, 11, 6], Syntax::Counter32),
        computed(&[1, 3, 6, 1, 2, 1, 11, 31], Syntax::Counter32),
        computed(&[1, 3, 6, 1, 2, 1, 11, 32], Syntax::Counter32),
    ],
    tables: &[TableScheme {
        entry: &[1, 3, 6, 1, 2, 1, 1, 9, 1],
        index: &[IndexPart::Number(1, i32::MAX as u32)],
        columns: &[
            Column::new(2, Syntax::Oid).read_only(),
            Column::new(3, Syntax::Ascii(0, 255)).read_only(),
            Column::new(4, Syntax::TimeTicks).read_only(),
        ],
        max_rows: MAX_TABLE_ROWS,
        is_stored: false,
    }],
};

impl Rules for SystemRules {
    fn scheme(&self) -> &'static Scheme {
        &SCHEME
    }

    fn computed(&self, now: Instant, scalar: usize) -> Option<OwnedValue> {
        let identity = &self.identity;
        Some(match scalar {
            0 => OwnedValue::OctetString(identity.description.as_bytes().into()),
            1 => OwnedValue::ObjectIdentifier(identity.object_id.clone()),
            2 => OwnedValue::TimeTicks(ticks_since(identity.started, now)),
            6 => OwnedValue::Integer(i32::from(identity.services)),
            7 => OwnedValue::TimeTicks(self.capabilities_changed_ticks.load(Ordering::Relaxed)),
            _ => OwnedValue::Counter32(self.stats.get(*COUNTERS.get(scalar.checked_sub(FIRST_COUNTER)?)?)),
        })
    }
}

impl SystemMib {
    /// The module of a system that is so.
    pub fn of(identity: SystemIdentity, stats: Arc<EngineStats>) -> Self {
        Tabular::new(SystemRules { identity, stats, capabilities_changed_ticks: AtomicU32::new(0) })
    }

    /// Sets `sysContact`, `sysName` and `sysLocation`: what a configuration says for as long as no manager says
    /// otherwise. `false`, and nothing changes, where one of them is no `DisplayString` of at most 255 octets.
    pub fn set_texts(&self, contact: &str, name: &str, location: &str) -> bool {
        let texts = [(SYS_CONTACT, contact), (SYS_NAME, name), (SYS_LOCATION, location)];
        if !texts.iter().all(|(_, text)| text.is_ascii() && text.len() <= 255) {
            return false;
        }
        let set: Result<(), ()> = self.edit(|state| {
            for (scalar, text) in texts {
                state.set_scalar(scalar, OwnedValue::OctetString(text.as_bytes().into()));
            }
            Ok(())
        });
        set.is_ok()
    }

    /// `sysUpTime`, hundredths of a second.
    pub fn uptime_ticks(&self, now: Instant) -> u32 {
        ticks_since(self.rules.identity.started, now)
    }

    /// Whether `snmpEnableAuthenTraps` is on.
    pub fn wants_authentication_traps(&self) -> bool {
        self.current().integer(ENABLE_AUTHEN_TRAPS) == 1
    }

    /// Exchanges the rows of `sysORTable`; those that stay keep their `sysORUpTime`.
    pub fn set_capabilities(&self, now: Instant, capabilities: &[Capability]) -> Result<(), PutRowError> {
        let ticks = self.uptime_ticks(now);
        let before = self.current();
        for (i, Capability { id, description }) in capabilities.iter().enumerate() {
            let same = before.rows(0).values().find(|row| {
                row.get(0) == Some(crate::value::Value::ObjectIdentifier(id.as_oid()))
                    && row.octets(1) == description.as_bytes()
            });
            let since = same.and_then(|row| row.get(2)?.as_u64()).map_or(ticks, |ticks| ticks as u32);
            let cells = [
                (0, OwnedValue::ObjectIdentifier(id.clone())),
                (1, OwnedValue::OctetString(description.as_bytes().into())),
                (2, OwnedValue::TimeTicks(since)),
            ];
            self.put_row(0, &[IndexValue::Number(i as u32 + 1)], cells)?;
        }
        for i in capabilities.len()..before.rows(0).len() {
            self.remove_row(0, &[IndexValue::Number(i as u32 + 1)]);
        }
        self.rules.capabilities_changed_ticks.store(ticks, Ordering::Relaxed);
        Ok(())
    }
}
