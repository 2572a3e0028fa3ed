//! SNMP-TARGET-MIB (RFC 3413 §4.1), with the columns that RFC 3584 §6 adds to its addresses: where to send, and how.
//!
//! A target address is of use where its transport is UDP (RFC 3417 §2, RFC 3419 §2) and no mask makes it a set.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::agent::index::{IndexValue, RowKey};
use crate::agent::mibs::name;
use crate::agent::row_status::{Refused, RowStatus, StorageType};
use crate::agent::scheme::{Column, IndexPart, Initial, Scalar, Scheme, Source, Syntax, TableScheme, tags};
use crate::agent::state::{InEffect, MibState, Row};
use crate::agent::tabular::{PutRowError, RowChange, Rules, Tabular};
use crate::engine::{EngineStats, Name, Statistic, security_model};
use crate::limits::MAX_TABLE_ROWS;
use crate::message::{SecurityLevel, Version};
use crate::oid::OidRef;
use crate::pdu::ErrorStatus;
use crate::value::{OwnedValue, Value};

/// The targets that there are: what SNMP-TARGET-MIB has in effect.
#[derive(Debug)]
pub struct TargetTable(InEffect);

/// The rules of SNMP-TARGET-MIB.
pub struct TargetRules {
    stats: Arc<EngineStats>,
    table: Arc<TargetTable>,
}

/// SNMP-TARGET-MIB.
pub type TargetMib = Tabular<TargetRules>;

/// An active row of `snmpTargetAddrTable` with its parameters.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Target {
    /// `snmpTargetAddrName`.
    pub name: Name,
    /// Where it listens.
    pub address: SocketAddr,
    /// How long to wait for an answer.
    pub timeout: Duration,
    /// How often to try again.
    pub retries: u8,
    /// How to speak to it.
    pub params: TargetParams,
}

/// An active row of `snmpTargetParamsTable`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TargetParams {
    /// `snmpTargetParamsName`.
    pub name: Name,
    /// The message processing model's version.
    pub version: Version,
    /// The security model's number.
    pub security_model: u32,
    /// In whose name.
    pub security_name: Name,
    /// How far messages are to be secured.
    pub level: SecurityLevel,
}

const ADDRESSES: usize = 0;
const PARAMS: usize = 1;

const DOMAIN: usize = 0;
const ADDRESS: usize = 1;
const TIMEOUT: usize = 2;
const RETRIES: usize = 3;
const TAG_LIST: usize = 4;
const ADDRESS_PARAMS: usize = 5;
const ADDRESS_STORAGE: usize = 6;
const MASK: usize = 8;
const MAX_MESSAGE_SIZE: usize = 9;

const MODEL: usize = 0;
const SECURITY_MODEL: usize = 1;
const SECURITY_NAME: usize = 2;
const LEVEL: usize = 3;
const PARAMS_STORAGE: usize = 4;

/// `snmpUDPDomain` (RFC 3417), 1.3.6.1.6.1.1.
const SNMP_UDP_DOMAIN: OidRef<'static> = OidRef::from_checked(&[0x2b, 6, 1, 6, 1, 1]);
/// `transportDomainUdpIpv4` (RFC 3419), 1.3.6.1.2.1.100.1.1.
const UDP_IPV4: OidRef<'static> = OidRef::from_checked(&[0x2b, 6, 1, 2, 1, 100, 1, 1]);
/// `transportDomainUdpIpv6`, 1.3.6.1.2.1.100.1.2.
const UDP_IPV6: OidRef<'static> = OidRef::from_checked(&[0x2b, 6, 1, 2, 1, 100, 1, 2]);

/// `snmpTargetAddrExtEntry` of SNMP-COMMUNITY-MIB.
const EXTENSION: &[u32] = &[1, 3, 6, 1, 6, 3, 18, 1, 2, 1];

pub(super) static SCHEME: Scheme = Scheme {
    name: "SNMP-TARGET-MIB",
    version: 1,
    subtrees: &[&[1, 3, 6, 1, 6, 3, 12], EXTENSION],
    scalars: &[
        Scalar {
            oid: &[1, 3, 6, 1, 6, 3, 12, 1, 1],
            syntax: Syntax::TestAndIncr,
            source: Source::Kept(Initial::Integer(0)),
        },
        Scalar { oid: &[1, 3, 6, 1, 6, 3, 12, 1, 4], syntax: Syntax::Counter32, source: Source::Computed },
        Scalar { oid: &[1, 3, 6, 1, 6, 3, 12, 1, 5], syntax: Syntax::Counter32, source: Source::Computed },
    ],
    tables: &[
        TableScheme {
            entry: &[1, 3, 6, 1, 6, 3, 12, 1, 2, 1],
            index: &[IndexPart::ImpliedOctets(1, 32)],
            columns: &[
                Column::new(2, Syntax::Oid).frozen(),
                Column::new(3, Syntax::Octets(1, 255)).frozen(),
                Column::new(4, Syntax::Integer(0, i32::MAX)).or(Initial::Integer(1500)),
                Column::new(5, Syntax::Integer(0, 255)).or(Initial::Integer(3)),
                Column::new(6, Syntax::TagList).or(Initial::Octets(b"")),
                Column::new(7, Syntax::Utf8(1, 32)),
                Column::storage(8),
                Column::status(9),
                Column::new(1, Syntax::Octets(0, 255)).or(Initial::Octets(b"")).frozen().augmenting(EXTENSION),
                Column::new(2, Syntax::Integer(0, i32::MAX)).or(Initial::Integer(484)).augmenting(EXTENSION),
            ],
            max_rows: MAX_TABLE_ROWS,
            is_stored: true,
        },
        TableScheme {
            entry: &[1, 3, 6, 1, 6, 3, 12, 1, 3, 1],
            index: &[IndexPart::ImpliedOctets(1, 32)],
            columns: &[
                Column::new(2, Syntax::Integer(0, i32::MAX)).frozen(),
                Column::new(3, Syntax::Integer(1, i32::MAX)).frozen(),
                Column::new(4, Syntax::Utf8(0, 255)).frozen(),
                Column::new(5, Syntax::Integer(1, 3)).frozen(),
                Column::storage(6),
                Column::status(7),
            ],
            max_rows: MAX_TABLE_ROWS,
            is_stored: true,
        },
    ],
};

impl Rules for TargetRules {
    fn scheme(&self) -> &'static Scheme {
        &SCHEME
    }

    fn computed(&self, _now: Instant, scalar: usize) -> Option<OwnedValue> {
        let statistic = if scalar == 1 { Statistic::UnavailableContexts } else { Statistic::UnknownContexts };
        Some(OwnedValue::Counter32(self.stats.get(statistic)))
    }

    fn complete(&self, change: &mut RowChange<'_>) -> Result<bool, Refused> {
        let row = &change.row;
        let inconsistent = |column| Err(Refused::column(column, ErrorStatus::INCONSISTENT_VALUE));
        if change.table == PARAMS {
            let model = row.get(MODEL).and_then(|value| value.as_u64());
            let security = row.get(SECURITY_MODEL).and_then(|value| value.as_u64());
            // Nothing else is installed: RFC 3413 lets us say so.
            if model.is_some_and(|model| version(model).is_none()) {
                return inconsistent(MODEL);
            }
            if security.is_some_and(|security| !(1..=u64::from(security_model::USM)).contains(&security)) {
                return inconsistent(SECURITY_MODEL);
            }
            return Ok(true);
        }
        if let (Some(Value::ObjectIdentifier(domain)), Some(Value::OctetString(address))) =
            (row.get(DOMAIN), row.get(ADDRESS))
            && !has_length_of(domain, address)
        {
            return inconsistent(if change.assigned(ADDRESS).is_some() { ADDRESS } else { DOMAIN });
        }
        let mask = row.octets(MASK).len();
        if mask != 0 && mask != row.octets(ADDRESS).len() {
            return inconsistent(if change.assigned(MASK).is_some() { MASK } else { ADDRESS });
        }
        if (1..484).contains(&row.integer(MAX_MESSAGE_SIZE)) {
            return Err(Refused::column(MAX_MESSAGE_SIZE, ErrorStatus::WRONG_VALUE));
        }
        Ok(true)
    }

    fn publish(&self, _: &MibState, after: &MibState) {
        self.table.0.put(after);
    }
}

impl TargetMib {
    /// The module of the engine with these counters, which puts targets into this table.
    pub fn of(stats: Arc<EngineStats>, table: Arc<TargetTable>) -> Self {
        Tabular::new(TargetRules { stats, table })
    }

    /// The targets that it has put into effect.
    pub fn table(&self) -> &Arc<TargetTable> {
        &self.rules.table
    }

    /// Adds a target from a configuration, with its parameters, or replaces both.
    pub fn put_target(&self, target: &Target, tag_list: &str, storage: StorageType) -> Result<(), PutRowError> {
        let text = |octets: &[u8]| OwnedValue::OctetString(octets.into());
        let (domain, address) = to_transport(target.address);
        let params = &target.params;
        let model = match params.version {
            Version::V1 => 0,
            Version::V2c => 1,
            Version::V3 => 3,
        };
        let cells = [
            (MODEL, OwnedValue::Integer(model)),
            (SECURITY_MODEL, OwnedValue::Integer(params.security_model.cast_signed())),
            (SECURITY_NAME, text(params.security_name.as_octets())),
            (LEVEL, OwnedValue::Integer(params.level as i32 + 1)),
            (PARAMS_STORAGE, OwnedValue::Integer(storage as i32)),
        ];
        self.put_row(PARAMS, &[IndexValue::octets(params.name.as_octets())], cells)?;
        let hundredths = i32::try_from(target.timeout.as_millis() / 10).unwrap_or(i32::MAX);
        let cells = [
            (DOMAIN, OwnedValue::ObjectIdentifier(domain.to_owned())),
            (ADDRESS, text(&address)),
            (TIMEOUT, OwnedValue::Integer(hundredths)),
            (RETRIES, OwnedValue::Integer(i32::from(target.retries))),
            (TAG_LIST, text(tag_list.as_bytes())),
            (ADDRESS_PARAMS, text(params.name.as_octets())),
            (ADDRESS_STORAGE, OwnedValue::Integer(storage as i32)),
        ];
        self.put_row(ADDRESSES, &[IndexValue::octets(target.name.as_octets())], cells)
    }
}

impl Default for TargetTable {
    fn default() -> Self {
        TargetTable(InEffect::new(&SCHEME))
    }
}

impl TargetTable {
    /// The target of this name; `None` unless it is active and so are its parameters.
    pub fn target(&self, target: &Name) -> Option<Target> {
        let state = self.0.get();
        let key = RowKey::new(SCHEME.tables[ADDRESSES].index, &[IndexValue::octets(target.as_octets())])?;
        to_target(&state, &key, state.rows(ADDRESSES).get(&key)?)
    }

    /// The targets that have a tag, in the order of their names.
    pub fn tagged(&self, tag: &[u8]) -> Vec<Target> {
        let state = self.0.get();
        let having = state.rows(ADDRESSES).iter().filter(|(_, row)| tags(row.octets(TAG_LIST)).any(|own| own == tag));
        having.filter_map(|(key, row)| to_target(&state, key, row)).collect()
    }

    /// The parameters of this name, if they are active.
    pub fn params(&self, params: &Name) -> Option<TargetParams> {
        to_params(&self.0.get(), params)
    }
}

fn is_active(row: &Row, table: usize) -> bool {
    row.status(&SCHEME.tables[table]) == RowStatus::Active
}

fn to_target(state: &MibState, key: &RowKey, row: &Row) -> Option<Target> {
    let index = key.values(SCHEME.tables[ADDRESSES].index)?;
    let Some(Value::ObjectIdentifier(domain)) = row.get(DOMAIN) else { return None };
    let is_one = row.octets(MASK).iter().all(|&octet| octet == 0xff);
    (is_active(row, ADDRESSES) && is_one).then_some(())?;
    Some(Target {
        name: name(index[0].as_octets()),
        address: from_transport(domain, row.octets(ADDRESS))?,
        timeout: Duration::from_millis(10 * row.integer(TIMEOUT).unsigned_abs() as u64),
        retries: u8::try_from(row.integer(RETRIES)).unwrap_or(u8::MAX),
        params: to_params(state, &name(row.octets(ADDRESS_PARAMS)))?,
    })
}

fn to_params(state: &MibState, params: &Name) -> Option<TargetParams> {
    let key = RowKey::new(SCHEME.tables[PARAMS].index, &[IndexValue::octets(params.as_octets())])?;
    let row = state.rows(PARAMS).get(&key).filter(|row| is_active(row, PARAMS))?;
    Some(TargetParams {
        name: params.clone(),
        version: version(row.get(MODEL)?.as_u64()?)?,
        security_model: row.integer(SECURITY_MODEL).cast_unsigned(),
        security_name: name(row.octets(SECURITY_NAME)),
        level: match row.integer(LEVEL) {
            1 => SecurityLevel::NoAuthNoPriv,
            2 => SecurityLevel::AuthNoPriv,
            _ => SecurityLevel::AuthPriv,
        },
    })
}

/// The version of an `SnmpMessageProcessingModel` (RFC 3411 §5); `None` for those that are not installed.
fn version(model: u64) -> Option<Version> {
    match model {
        0 => Some(Version::V1),
        1 => Some(Version::V2c),
        3 => Some(Version::V3),
        _ => None,
    }
}

/// Whether an address is as long as its domain says; other domains' addresses may be anything.
fn has_length_of(domain: OidRef<'_>, address: &[u8]) -> bool {
    match domain {
        SNMP_UDP_DOMAIN | UDP_IPV4 => address.len() == 6,
        UDP_IPV6 => address.len() == 18,
        _ => true,
    }
}

fn from_transport(domain: OidRef<'_>, address: &[u8]) -> Option<SocketAddr> {
    let (host, port) = address.split_last_chunk::<2>()?;
    let host: IpAddr = match domain {
        SNMP_UDP_DOMAIN | UDP_IPV4 => Ipv4Addr::from(<[u8; 4]>::try_from(host).ok()?).into(),
        UDP_IPV6 => Ipv6Addr::from(<[u8; 16]>::try_from(host).ok()?).into(),
        _ => return None,
    };
    Some(SocketAddr::new(host, u16::from_be_bytes(*port)))
}

fn to_transport(address: SocketAddr) -> (OidRef<'static>, Vec<u8>) {
    let port = address.port().to_be_bytes();
    match address.ip() {
        IpAddr::V4(host) => (SNMP_UDP_DOMAIN, [&host.octets()[..], &port].concat()),
        IpAddr::V6(host) => (UDP_IPV6, [&host.octets()[..], &port].concat()),
    }
}
