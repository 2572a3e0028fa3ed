//! What one poll of one device brings, kept until the poll has ended: whether a counter is continuous is
//! known only when its row's discontinuity time has come too.

use std::net::Ipv4Addr;
use std::ops::Range;
use std::time::{Duration, Instant};

use hamsa_snmp::manager::SampleTime;
use hamsa_snmp::{OidRef, OidSuffix, Value};

use crate::limits::MAX_RUN_CELLS;

/// A value as it came, without what it borrowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Raw {
    Counter32(u32),
    Counter64(u64),
    Gauge(i64),
    TimeTicks(u32),
    /// The octets of a string, in [`Run::octets`].
    Text(Range<usize>),
    /// The BER octets of an OID, likewise.
    Oid(Range<usize>),
    Address(Ipv4Addr),
    /// `noSuchObject` and the like.
    Missing,
    /// A type that is of no use: its name.
    Other(&'static str),
}

impl Raw {
    /// The number, as the store keeps it: a gauge in two's complement.
    pub(crate) fn number(&self) -> Option<u64> {
        match *self {
            Raw::Counter32(n) | Raw::TimeTicks(n) => Some(u64::from(n)),
            Raw::Counter64(n) => Some(n),
            Raw::Gauge(n) => Some(n.cast_unsigned()),
            Raw::Text(_) | Raw::Oid(_) | Raw::Address(_) | Raw::Missing | Raw::Other(_) => None,
        }
    }
}

/// A cell of a table.
#[derive(Debug)]
pub(crate) struct Cell {
    pub(crate) table: u16,
    pub(crate) column: u16,
    pub(crate) row: Range<usize>,
    pub(crate) value: Raw,
    pub(crate) read: Read,
}

/// When a value was read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Read {
    /// The best guess of when the agent read it: half a round trip before it arrived.
    pub(crate) at: Instant,
    /// The agent's sysUpTime then, if it came along.
    pub(crate) uptime_ticks: Option<u32>,
}

impl From<SampleTime> for Read {
    fn from(time: SampleTime) -> Self {
        let half: Duration = time.rtt / 2;
        Read { at: time.received.checked_sub(half).unwrap_or(time.received), uptime_ticks: time.uptime_ticks }
    }
}

/// One poll's findings.
#[derive(Debug, Default)]
pub(crate) struct Run {
    pub(crate) scalars: Vec<(usize, Raw, Read)>,
    pub(crate) cells: Vec<Cell>,
    octets: Vec<u8>,
    /// Cells left out because there were too many.
    pub(crate) left_out: usize,
}

impl Run {
    pub(crate) fn scalar(&mut self, index: usize, value: &Value<'_>, time: SampleTime) {
        let value = self.keep(value);
        self.scalars.push((index, value, time.into()));
    }

    pub(crate) fn cell(&mut self, at: (usize, usize), row: OidSuffix<'_>, value: &Value<'_>, time: SampleTime) {
        if self.cells.len() >= MAX_RUN_CELLS {
            self.left_out += 1;
            return;
        }
        let value = self.keep(value);
        let row = self.push(row.as_ber());
        self.cells.push(Cell { table: at.0 as u16, column: at.1 as u16, row, value, read: time.into() });
    }

    /// Octets that a cell or text refers to.
    pub(crate) fn octets(&self, range: &Range<usize>) -> &[u8] {
        &self.octets[range.clone()]
    }

    /// The value, to be shown; `None` where there was none of use.
    pub(crate) fn value(&self, raw: &Raw) -> Option<Value<'_>> {
        Some(match raw {
            Raw::Counter32(n) => Value::Counter32(*n),
            Raw::Counter64(n) => Value::Counter64(*n),
            Raw::Gauge(n) => i32::try_from(*n).map_or(Value::Gauge32(*n as u32), Value::Integer),
            Raw::TimeTicks(n) => Value::TimeTicks(*n),
            Raw::Text(range) => Value::OctetString(self.octets(range)),
            Raw::Oid(range) => Value::ObjectIdentifier(OidRef::from_ber(self.octets(range)).ok()?),
            Raw::Address(address) => Value::IpAddress(*address),
            Raw::Missing | Raw::Other(_) => return None,
        })
    }

    /// The instance part of a cell's name.
    pub(crate) fn row(&self, cell: &Cell) -> OidSuffix<'_> {
        OidSuffix::from_ber(self.octets(&cell.row)).expect("it came as one")
    }

    /// Puts the cells in the order of tables, rows and columns.
    pub(crate) fn sort(&mut self) {
        let octets = &self.octets;
        self.cells.sort_by(|a, b| {
            (a.table, &octets[a.row.clone()], a.column).cmp(&(b.table, &octets[b.row.clone()], b.column))
        });
    }

    /// The first sysUpTime that the poll has read.
    pub(crate) fn uptime(&self, scalar: Option<usize>) -> Option<(Instant, u32)> {
        let of_scalar = self.scalars.iter().find_map(|(index, value, read)| match value {
            Raw::TimeTicks(ticks) if Some(*index) == scalar => Some((read.at, *ticks)),
            _ => None,
        });
        of_scalar.or_else(|| self.cells.iter().find_map(|cell| Some((cell.read.at, cell.read.uptime_ticks?))))
    }

    fn keep(&mut self, value: &Value<'_>) -> Raw {
        match *value {
            Value::Counter32(n) => Raw::Counter32(n),
            Value::Counter64(n) => Raw::Counter64(n),
            Value::Integer(n) => Raw::Gauge(i64::from(n)),
            Value::Gauge32(n) => Raw::Gauge(i64::from(n)),
            Value::TimeTicks(n) => Raw::TimeTicks(n),
            Value::OctetString(octets) => Raw::Text(self.push(octets)),
            Value::ObjectIdentifier(oid) => Raw::Oid(self.push(oid.as_ber())),
            Value::IpAddress(address) => Raw::Address(address),
            ref exception if exception.is_exception() => Raw::Missing,
            ref other => Raw::Other(other.type_name()),
        }
    }

    fn push(&mut self, octets: &[u8]) -> Range<usize> {
        let start = self.octets.len();
        self.octets.extend_from_slice(octets);
        start..self.octets.len()
    }
}
