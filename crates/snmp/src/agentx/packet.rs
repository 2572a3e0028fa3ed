//! AgentX packets (RFC 2741 §6): all types, strictly and within bounds.

use super::codec::{ByteOrder, DecodeError, Reader, Writer};
use super::registration::Registration;
use crate::limits::MAX_AGENTX_PAYLOAD_OCTETS;
use crate::oid::Oid;
use crate::value::OwnedValue;

/// Octets of a header.
pub const HEADER_OCTETS: usize = 20;

const INSTANCE_REGISTRATION: u8 = 0x01;
const NEW_INDEX: u8 = 0x02;
const ANY_INDEX: u8 = 0x04;
const NON_DEFAULT_CONTEXT: u8 = 0x08;
const NETWORK_BYTE_ORDER: u8 = 0x10;

/// `res.error` of administrative responses (§6.2.16); those from 0 to 18 are SNMP's own.
#[allow(missing_docs)]
pub mod status {
    pub const NO_ERROR: u16 = 0;
    pub const GEN_ERR: u16 = 5;
    pub const OPEN_FAILED: u16 = 256;
    pub const NOT_OPEN: u16 = 257;
    pub const INDEX_WRONG_TYPE: u16 = 258;
    pub const INDEX_ALREADY_ALLOCATED: u16 = 259;
    pub const INDEX_NONE_AVAILABLE: u16 = 260;
    pub const INDEX_NOT_ALLOCATED: u16 = 261;
    pub const UNSUPPORTED_CONTEXT: u16 = 262;
    pub const DUPLICATE_REGISTRATION: u16 = 263;
    pub const UNKNOWN_REGISTRATION: u16 = 264;
    pub const UNKNOWN_AGENT_CAPS: u16 = 265;
    pub const PARSE_ERROR: u16 = 266;
    pub const REQUEST_DENIED: u16 = 267;
    pub const PROCESSING_ERROR: u16 = 268;
}

/// `c.reason` (§6.2.2).
#[allow(missing_docs)]
pub mod close_reason {
    pub const OTHER: u8 = 1;
    pub const PARSE_ERROR: u8 = 2;
    pub const PROTOCOL_ERROR: u8 = 3;
    pub const TIMEOUTS: u8 = 4;
    pub const SHUTDOWN: u8 = 5;
    pub const BY_MANAGER: u8 = 6;
}

/// What every packet begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Header {
    pub order: ByteOrder,
    pub session: u32,
    pub transaction: u32,
    /// Answers have that of what they answer.
    pub packet: u32,
}

/// A packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet {
    /// What every packet begins with.
    pub header: Header,
    /// `None`: the default context.
    pub context: Option<Box<[u8]>>,
    /// The rest, by type.
    pub body: Body,
}

/// A variable.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Variable {
    pub name: Oid,
    pub value: OwnedValue,
}

/// Names to look for a variable in (§5.2). Of a Get, only the start counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Range {
    /// The first name, or what comes before it.
    pub start: Oid,
    /// Whether `start` is in the range itself.
    pub is_start_included: bool,
    /// The first name behind the range; `None`: no end.
    pub end: Option<Oid>,
}

/// What is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// `sysUpTime` of the master, in hundredths of a second; of sub-agents it means nothing.
    pub uptime_ticks: u32,
    /// See [`status`].
    pub error: u16,
    /// The variable that the error is about, counted from 1.
    pub index: u16,
    /// Variables, where the question asks for some.
    pub variables: Vec<Variable>,
}

/// What packets are, by their types.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Body {
    Open { timeout_s: u8, id: Oid, description: Box<[u8]> },
    Close { reason: u8 },
    Register(Registration),
    Unregister(Registration),
    Get(Vec<Range>),
    GetNext(Vec<Range>),
    GetBulk { non_repeaters: u16, max_repetitions: u16, ranges: Vec<Range> },
    TestSet(Vec<Variable>),
    CommitSet,
    UndoSet,
    CleanupSet,
    Notify(Vec<Variable>),
    Ping,
    IndexAllocate { is_new: bool, is_any: bool, variables: Vec<Variable> },
    IndexDeallocate(Vec<Variable>),
    AddAgentCaps { id: Oid, description: Box<[u8]> },
    RemoveAgentCaps { id: Oid },
    Response(Response),
}

/// How many octets the packet has that begins so.
///
/// # Errors
/// No packet begins so.
pub fn frame_octets(header: &[u8; HEADER_OCTETS]) -> Result<usize, DecodeError> {
    if header[0] != 1 {
        return Err(DecodeError::Version(header[0]));
    }
    let mut reader = Reader { rest: &header[16..], order: order_of(header[2]) };
    let length = reader.u32()?;
    match usize::try_from(length) {
        Ok(octets) if octets <= MAX_AGENTX_PAYLOAD_OCTETS && octets % 4 == 0 => Ok(HEADER_OCTETS + octets),
        _ => Err(DecodeError::PayloadLength(length)),
    }
}

fn order_of(flags: u8) -> ByteOrder {
    if flags & NETWORK_BYTE_ORDER == 0 { ByteOrder::Little } else { ByteOrder::Network }
}

impl Header {
    /// The header of a packet that may be broken behind it.
    ///
    /// # Errors
    /// There is none.
    pub fn decode(octets: &[u8]) -> Result<Self, DecodeError> {
        let header = octets.first_chunk::<HEADER_OCTETS>().ok_or(DecodeError::Truncated)?;
        frame_octets(header)?;
        let mut reader = Reader { rest: &header[4..], order: order_of(header[2]) };
        let [session, transaction, packet] = [reader.u32()?, reader.u32()?, reader.u32()?];
        Ok(Header { order: reader.order, session, transaction, packet })
    }
}

impl Packet {
    /// A packet in the default context.
    pub fn new(header: Header, body: Body) -> Self {
        Packet { header, context: None, body }
    }

    /// Reads a whole packet.
    ///
    /// # Errors
    /// It is none; see [`DecodeError`].
    pub fn decode(octets: &[u8]) -> Result<Self, DecodeError> {
        let header = Header::decode(octets)?;
        let (start, payload) = octets.split_first_chunk::<HEADER_OCTETS>().ok_or(DecodeError::Truncated)?;
        let length = frame_octets(start)? - HEADER_OCTETS;
        if payload.len() > length {
            return Err(DecodeError::Trailing);
        }
        if payload.len() < length {
            return Err(DecodeError::Truncated);
        }
        let (kind, flags) = (start[1], start[2]);
        let mut reader = Reader { rest: payload, order: header.order };
        let context = match kind {
            0 | 19.. => return Err(DecodeError::Type(kind)),
            _ if flags & NON_DEFAULT_CONTEXT == 0 => None,
            3..=8 | 12..=17 => Some(reader.string()?.into()),
            _ => return Err(DecodeError::Context),
        };
        let body = body(kind, flags, &mut reader)?;
        if reader.rest.is_empty() { Ok(Packet { header, context, body }) } else { Err(DecodeError::Trailing) }
    }

    /// As it goes over the wire.
    pub fn encode(&self) -> Vec<u8> {
        let Packet { header, context, body } = self;
        let (kind, mut flags) = body.kind_and_flags();
        if header.order == ByteOrder::Network {
            flags |= NETWORK_BYTE_ORDER;
        }
        if context.is_some() {
            flags |= NON_DEFAULT_CONTEXT;
        }
        let mut writer = Writer { octets: vec![1, kind, flags, 0], order: header.order };
        for number in [header.session, header.transaction, header.packet, 0] {
            writer.u32(number);
        }
        if let Some(context) = context {
            writer.string(context);
        }
        body.write(&mut writer);
        let length = (writer.octets.len() - HEADER_OCTETS) as u32;
        let length = match header.order {
            ByteOrder::Network => length.to_be_bytes(),
            ByteOrder::Little => length.to_le_bytes(),
        };
        writer.octets[16..HEADER_OCTETS].copy_from_slice(&length);
        writer.octets
    }
}

fn body(kind: u8, flags: u8, reader: &mut Reader<'_>) -> Result<Body, DecodeError> {
    Ok(match kind {
        1 => {
            let [timeout_s, ..] = reader.array::<4>()?;
            Body::Open { timeout_s, id: reader.oid()?.0, description: reader.string()?.into() }
        }
        2 => {
            let [reason, ..] = reader.array::<4>()?;
            Body::Close { reason }
        }
        3 | 4 => {
            let [timeout_s, priority, place, _] = reader.array()?;
            let subtree = reader.oid()?.0;
            let range = if place == 0 { None } else { Some((place, reader.u32()?)) };
            let is_register = kind == 3;
            let registration = Registration {
                // The same octet is reserved in an Unregister.
                timeout_s: if is_register { timeout_s } else { 0 },
                priority,
                subtree,
                range,
                is_instance: is_register && flags & INSTANCE_REGISTRATION != 0,
            };
            if is_register { Body::Register(registration) } else { Body::Unregister(registration) }
        }
        5 => Body::Get(reader.ranges()?),
        6 => Body::GetNext(reader.ranges()?),
        7 => {
            let (non_repeaters, max_repetitions) = (reader.u16()?, reader.u16()?);
            Body::GetBulk { non_repeaters, max_repetitions, ranges: reader.ranges()? }
        }
        8 => Body::TestSet(reader.variables()?),
        9 => Body::CommitSet,
        10 => Body::UndoSet,
        11 => Body::CleanupSet,
        12 => Body::Notify(reader.variables()?),
        13 => Body::Ping,
        14 => Body::IndexAllocate {
            is_new: flags & NEW_INDEX != 0,
            is_any: flags & ANY_INDEX != 0,
            variables: reader.variables()?,
        },
        15 => Body::IndexDeallocate(reader.variables()?),
        16 => Body::AddAgentCaps { id: reader.oid()?.0, description: reader.string()?.into() },
        17 => Body::RemoveAgentCaps { id: reader.oid()?.0 },
        18 => Body::Response(Response {
            uptime_ticks: reader.u32()?,
            error: reader.u16()?,
            index: reader.u16()?,
            variables: reader.variables()?,
        }),
        other => return Err(DecodeError::Type(other)),
    })
}

impl Body {
    fn kind_and_flags(&self) -> (u8, u8) {
        let flag = |is_set: bool, flag: u8| if is_set { flag } else { 0 };
        match self {
            Body::Open { .. } => (1, 0),
            Body::Close { .. } => (2, 0),
            Body::Register(registration) => (3, flag(registration.is_instance, INSTANCE_REGISTRATION)),
            Body::Unregister(_) => (4, 0),
            Body::Get(_) => (5, 0),
            Body::GetNext(_) => (6, 0),
            Body::GetBulk { .. } => (7, 0),
            Body::TestSet(_) => (8, 0),
            Body::CommitSet => (9, 0),
            Body::UndoSet => (10, 0),
            Body::CleanupSet => (11, 0),
            Body::Notify(_) => (12, 0),
            Body::Ping => (13, 0),
            Body::IndexAllocate { is_new, is_any, .. } => (14, flag(*is_new, NEW_INDEX) | flag(*is_any, ANY_INDEX)),
            Body::IndexDeallocate(_) => (15, 0),
            Body::AddAgentCaps { .. } => (16, 0),
            Body::RemoveAgentCaps { .. } => (17, 0),
            Body::Response(_) => (18, 0),
        }
    }

    fn write(&self, to: &mut Writer) {
        match self {
            Body::Open { timeout_s, id, description } => {
                to.octets.extend([*timeout_s, 0, 0, 0]);
                to.oid(id.as_oid(), false);
                to.string(description);
            }
            Body::Close { reason } => to.octets.extend([*reason, 0, 0, 0]),
            Body::Register(registration) => write_registration(registration, registration.timeout_s, to),
            Body::Unregister(registration) => write_registration(registration, 0, to),
            Body::Get(ranges) | Body::GetNext(ranges) => to.ranges(ranges),
            Body::GetBulk { non_repeaters, max_repetitions, ranges } => {
                to.u16(*non_repeaters);
                to.u16(*max_repetitions);
                to.ranges(ranges);
            }
            Body::TestSet(variables)
            | Body::Notify(variables)
            | Body::IndexAllocate { variables, .. }
            | Body::IndexDeallocate(variables) => to.variables(variables),
            Body::CommitSet | Body::UndoSet | Body::CleanupSet | Body::Ping => {}
            Body::AddAgentCaps { id, description } => {
                to.oid(id.as_oid(), false);
                to.string(description);
            }
            Body::RemoveAgentCaps { id } => to.oid(id.as_oid(), false),
            Body::Response(Response { uptime_ticks, error, index, variables }) => {
                to.u32(*uptime_ticks);
                to.u16(*error);
                to.u16(*index);
                to.variables(variables);
            }
        }
    }
}

fn write_registration(registration: &Registration, timeout_s: u8, to: &mut Writer) {
    let Registration { priority, subtree, range, .. } = registration;
    to.octets.extend([timeout_s, *priority, range.map_or(0, |(place, _)| place), 0]);
    to.oid(subtree.as_oid(), false);
    if let Some((_, last)) = range {
        to.u32(*last);
    }
}
