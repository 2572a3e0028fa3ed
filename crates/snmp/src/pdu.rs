//! Protocol data units: RFC 3416 §3 for v2 and v3, RFC 1157 §4.1 for v1 and its Trap-PDU.

use std::fmt;
use std::net::Ipv4Addr;

use crate::ber::{DecodeError, DecodeErrorKind, Reader, Writer};
use crate::message::Version;
use crate::oid::{Oid, OidRef};
use crate::value::tag;
use crate::varbind::VarBindList;

/// Which PDU, by its context tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
#[allow(missing_docs)]
pub enum PduKind {
    GetRequest = 0xa0,
    GetNextRequest = 0xa1,
    Response = 0xa2,
    SetRequest = 0xa3,
    GetBulkRequest = 0xa5,
    InformRequest = 0xa6,
    /// `SNMPv2-Trap-PDU`.
    TrapV2 = 0xa7,
    Report = 0xa8,
}

const TRAP_V1: u8 = 0xa4;

impl PduKind {
    fn from_tag(tag: u8) -> Option<Self> {
        Some(match tag {
            0xa0 => PduKind::GetRequest,
            0xa1 => PduKind::GetNextRequest,
            0xa2 => PduKind::Response,
            0xa3 => PduKind::SetRequest,
            0xa5 => PduKind::GetBulkRequest,
            0xa6 => PduKind::InformRequest,
            0xa7 => PduKind::TrapV2,
            0xa8 => PduKind::Report,
            _ => return None,
        })
    }

    /// Confirmed Class (RFC 3411 §2.8): an answer is expected, and `reportableFlag` is set.
    pub const fn is_confirmed(self) -> bool {
        !matches!(self, PduKind::Response | PduKind::TrapV2 | PduKind::Report)
    }

    /// Whether messages of a version may hold it: GETBULK and what else RFC 3416 §3 added is not for v1. A
    /// Report means nothing in v2c, but RFC 1901 §3 does not exclude it.
    pub const fn is_of(self, version: Version) -> bool {
        !matches!(version, Version::V1)
            || matches!(self, PduKind::GetRequest | PduKind::GetNextRequest | PduKind::Response | PduKind::SetRequest)
    }

    /// Read or Write Class: served by a command responder.
    pub const fn is_command(self) -> bool {
        self.is_confirmed() && !matches!(self, PduKind::InformRequest)
    }
}

/// `error-status` (RFC 3416 §3). Numbers that no RFC defines are kept.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ErrorStatus(pub i32);

macro_rules! error_status {
    ($($constant:ident = $number:literal $name:literal,)*) => {
        #[allow(missing_docs)]
        impl ErrorStatus {
            $(pub const $constant: ErrorStatus = ErrorStatus($number);)*

            /// The RFC's name, `None` for a number it does not define.
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($number => Some($name),)*
                    _ => None,
                }
            }
        }
    };
}

error_status! {
    NO_ERROR = 0 "noError",
    TOO_BIG = 1 "tooBig",
    NO_SUCH_NAME = 2 "noSuchName",
    BAD_VALUE = 3 "badValue",
    READ_ONLY = 4 "readOnly",
    GEN_ERR = 5 "genErr",
    NO_ACCESS = 6 "noAccess",
    WRONG_TYPE = 7 "wrongType",
    WRONG_LENGTH = 8 "wrongLength",
    WRONG_ENCODING = 9 "wrongEncoding",
    WRONG_VALUE = 10 "wrongValue",
    NO_CREATION = 11 "noCreation",
    INCONSISTENT_VALUE = 12 "inconsistentValue",
    RESOURCE_UNAVAILABLE = 13 "resourceUnavailable",
    COMMIT_FAILED = 14 "commitFailed",
    UNDO_FAILED = 15 "undoFailed",
    AUTHORIZATION_ERROR = 16 "authorizationError",
    NOT_WRITABLE = 17 "notWritable",
    INCONSISTENT_NAME = 18 "inconsistentName",
}

impl ErrorStatus {
    /// The v1 code for a v2 one (RFC 3584 §4.4).
    pub const fn to_v1(self) -> ErrorStatus {
        match self {
            ErrorStatus::WRONG_VALUE
            | ErrorStatus::WRONG_ENCODING
            | ErrorStatus::WRONG_TYPE
            | ErrorStatus::WRONG_LENGTH
            | ErrorStatus::INCONSISTENT_VALUE => ErrorStatus::BAD_VALUE,
            ErrorStatus::NO_ACCESS
            | ErrorStatus::NOT_WRITABLE
            | ErrorStatus::NO_CREATION
            | ErrorStatus::INCONSISTENT_NAME
            | ErrorStatus::AUTHORIZATION_ERROR => ErrorStatus::NO_SUCH_NAME,
            ErrorStatus::RESOURCE_UNAVAILABLE | ErrorStatus::COMMIT_FAILED | ErrorStatus::UNDO_FAILED => {
                ErrorStatus::GEN_ERR
            }
            other => other,
        }
    }
}

impl fmt::Display for ErrorStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "error-status {}", self.0),
        }
    }
}

impl fmt::Debug for ErrorStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A PDU of RFC 3416. `PDU` and `BulkPDU` there have the same shape, and so they do here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pdu<'a> {
    /// Which one.
    pub kind: PduKind,
    /// `request-id`.
    pub request_id: i32,
    /// `error-status`, or `non-repeaters` of a GETBULK.
    pub field1: i32,
    /// `error-index`, or `max-repetitions` of a GETBULK.
    pub field2: i32,
    /// The variables.
    pub varbinds: VarBindList<'a>,
}

impl<'a> Pdu<'a> {
    /// A request, trap, inform or report: the two integer fields are zero.
    pub const fn new(kind: PduKind, request_id: i32, varbinds: VarBindList<'a>) -> Self {
        Pdu { kind, request_id, field1: 0, field2: 0, varbinds }
    }

    /// A GETBULK.
    pub const fn get_bulk(request_id: i32, bulk: Bulk, varbinds: VarBindList<'a>) -> Self {
        let Bulk { non_repeaters, max_repetitions } = bulk;
        Pdu {
            kind: PduKind::GetBulkRequest,
            request_id,
            field1: non_repeaters as i32,
            field2: max_repetitions as i32,
            varbinds,
        }
    }

    /// `error-status` of anything but a GETBULK.
    pub const fn error_status(&self) -> ErrorStatus {
        ErrorStatus(self.field1)
    }

    /// `error-index`: the first variable is 1; 0 says none.
    pub const fn error_index(&self) -> i32 {
        self.field2
    }

    /// The GETBULK's fields; negative numbers count as zero (RFC 3416 §4.2.3).
    pub fn bulk(&self) -> Bulk {
        let clamp = |n: i32| u32::try_from(n).unwrap_or(0);
        Bulk { non_repeaters: clamp(self.field1), max_repetitions: clamp(self.field2) }
    }

    /// Writes the PDU before what `writer` holds.
    pub fn encode(&self, writer: &mut Writer<'_>) {
        let mark = writer.written();
        writer.octets(self.varbinds.as_ber());
        writer.header(tag::SEQUENCE, self.varbinds.as_ber().len());
        writer.integer(self.field2);
        writer.integer(self.field1);
        writer.integer(self.request_id);
        writer.wrap(self.kind as u8, mark);
    }
}

/// The two numbers of a GETBULK (RFC 3416 §4.2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bulk {
    /// How many variables, from the first, are asked for one successor only.
    pub non_repeaters: u32,
    /// How many successors are asked of each other variable.
    pub max_repetitions: u32,
}

/// The v1 Trap-PDU (RFC 1157 §4.1.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrapV1<'a> {
    /// `enterprise`: what kind of thing sends it.
    pub enterprise: OidRef<'a>,
    /// `agent-addr`.
    pub agent_addr: Ipv4Addr,
    /// `generic-trap`: 0 coldStart to 5 egpNeighborLoss, 6 enterpriseSpecific.
    pub generic_trap: i32,
    /// `specific-trap`.
    pub specific_trap: i32,
    /// `time-stamp`: the sender's sysUpTime, hundredths of a second.
    pub time_stamp: u32,
    /// The variables.
    pub varbinds: VarBindList<'a>,
}

impl TrapV1<'_> {
    /// `generic-trap` of a trap that its enterprise defines.
    pub const ENTERPRISE_SPECIFIC: i32 = 6;

    /// The `snmpTrapOID` that says the same in v2 (RFC 3584 §3.1 (2)).
    pub fn trap_oid(&self) -> Oid {
        if (0..Self::ENTERPRISE_SPECIFIC).contains(&self.generic_trap) {
            return Oid::from_arcs(&[1, 3, 6, 1, 6, 3, 1, 1, 5, self.generic_trap as u32 + 1]).expect("within limits");
        }
        let mut oid = self.enterprise.to_owned();
        let specific = oid.push(0).and_then(|()| oid.push(self.specific_trap.cast_unsigned()));
        // An enterprise of 127 or 128 sub-identifiers leaves no room: its own name is the closest there is.
        if specific.is_err() { self.enterprise.to_owned() } else { oid }
    }

    /// Writes the PDU before what `writer` holds.
    pub fn encode(&self, writer: &mut Writer<'_>) {
        let mark = writer.written();
        writer.octets(self.varbinds.as_ber());
        writer.header(tag::SEQUENCE, self.varbinds.as_ber().len());
        let mut content = [0; 9];
        let start = crate::ber::unsigned_content(&mut content, u64::from(self.time_stamp));
        writer.octets(&content[start..]);
        writer.header(tag::TIME_TICKS, 9 - start);
        writer.integer(self.specific_trap);
        writer.integer(self.generic_trap);
        writer.octets(&self.agent_addr.octets());
        writer.header(tag::IP_ADDRESS, 4);
        writer.oid(self.enterprise);
        writer.wrap(TRAP_V1, mark);
    }

    fn parse(mut fields: Reader<'_>) -> Result<TrapV1<'_>, DecodeError> {
        let enterprise = fields.oid()?;
        let address = fields.expect(tag::IP_ADDRESS)?;
        let octets: [u8; 4] =
            address.rest().try_into().map_err(|_| address.error(DecodeErrorKind::BadFieldLength("agent-addr")))?;
        let generic_trap = fields.integer()?;
        let specific_trap = fields.integer()?;
        let ticks = fields.expect(tag::TIME_TICKS)?;
        let time_stamp =
            crate::ber::unsigned32(ticks.rest()).ok_or_else(|| ticks.error(DecodeErrorKind::BadInteger))?;
        let varbinds = VarBindList::parse(fields.expect(tag::SEQUENCE)?)?;
        fields.finish("Trap-PDU")?;
        Ok(TrapV1 { enterprise, agent_addr: octets.into(), generic_trap, specific_trap, time_stamp, varbinds })
    }
}

/// Any PDU that a message of some version may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnyPdu<'a> {
    /// One of RFC 3416's, v1's four included.
    Pdu(Pdu<'a>),
    /// v1's Trap-PDU.
    TrapV1(TrapV1<'a>),
}

impl<'a> AnyPdu<'a> {
    /// Whether messages of a version may hold it.
    pub const fn is_of(&self, version: Version) -> bool {
        match self {
            AnyPdu::Pdu(pdu) => pdu.kind.is_of(version),
            AnyPdu::TrapV1(_) => matches!(version, Version::V1),
        }
    }

    /// Reads one PDU of a message of this version.
    pub fn parse_of(version: Version, from: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let start = from.clone();
        let pdu = AnyPdu::parse(from)?;
        let tag = start.peek_tag()?;
        if pdu.is_of(version) { Ok(pdu) } else { Err(start.error(DecodeErrorKind::UnknownPdu(tag))) }
    }

    /// Reads one PDU, whatever it is.
    pub fn parse(from: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let start = from.clone();
        let (tag, mut fields) = from.tlv()?;
        if tag == TRAP_V1 {
            return TrapV1::parse(fields).map(AnyPdu::TrapV1);
        }
        let kind = PduKind::from_tag(tag).ok_or_else(|| start.error(DecodeErrorKind::UnknownPdu(tag)))?;
        let request_id = fields.integer()?;
        let field1 = fields.integer()?;
        let field2 = fields.integer()?;
        let varbinds = VarBindList::parse(fields.expect(tag::SEQUENCE)?)?;
        fields.finish("PDU")?;
        Ok(AnyPdu::Pdu(Pdu { kind, request_id, field1, field2, varbinds }))
    }
}
