//! Messages as they are on the wire: community-based ones (RFC 1157 §4, RFC 1901 §3) and SNMPv3's
//! (RFC 3412 §6, with the USM's security parameters of RFC 3414 §2.4). What they mean is [`crate::engine`]'s.

use std::ops::Range;

use crate::ber::{DecodeError, DecodeErrorKind, Reader, Writer};
use crate::limits::{MAX_ENGINE_ID_OCTETS, MAX_NAME_OCTETS};
use crate::pdu::{AnyPdu, Pdu};
use crate::value::tag;

/// The version field of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(i32)]
#[allow(missing_docs)]
pub enum Version {
    V1 = 0,
    V2c = 1,
    V3 = 3,
}

impl Version {
    /// Reads only the version of a message, to choose the message processing model (RFC 3412 §4.2.1).
    pub fn of(message: &[u8]) -> Result<Self, DecodeError> {
        read_version(&mut Reader::new(message).expect(tag::SEQUENCE)?)
    }

    /// How people write it.
    pub const fn name(self) -> &'static str {
        match self {
            Version::V1 => "v1",
            Version::V2c => "v2c",
            Version::V3 => "v3",
        }
    }
}

fn read_version(fields: &mut Reader<'_>) -> Result<Version, DecodeError> {
    let start = fields.clone();
    match fields.integer()? {
        0 => Ok(Version::V1),
        1 => Ok(Version::V2c),
        3 => Ok(Version::V3),
        other => Err(start.error(DecodeErrorKind::UnknownVersion(other))),
    }
}

/// A v1 or v2c message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CommunityMessage<'a> {
    /// V1 or V2c.
    pub version: Version,
    /// The community.
    pub community: &'a [u8],
    /// What it carries.
    pub pdu: AnyPdu<'a>,
}

impl<'a> CommunityMessage<'a> {
    /// Reads a message.
    pub fn parse(message: &'a [u8]) -> Result<Self, DecodeError> {
        let CommunityParts { version, community, pdu } = CommunityParts::parse(message)?;
        let pdu = AnyPdu::parse_of(version, &mut Reader::within(message, pdu.start, pdu.end))?;
        Ok(CommunityMessage { version, community: &message[community], pdu })
    }

    /// Writes the message.
    pub fn encode(&self, writer: &mut Writer<'_>) {
        let mark = writer.written();
        match &self.pdu {
            AnyPdu::Pdu(pdu) => pdu.encode(writer),
            AnyPdu::TrapV1(trap) => trap.encode(writer),
        }
        writer.octet_string(self.community);
        writer.integer(self.version as i32);
        writer.wrap(tag::SEQUENCE, mark);
    }
}

/// The parts of a v1 or v2c message, as ranges of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommunityParts {
    /// V1 or V2c.
    pub version: Version,
    /// The community's octets.
    pub community: Range<usize>,
    /// The PDU, its header included.
    pub pdu: Range<usize>,
}

impl CommunityParts {
    /// Reads the outer part of a message. Octets after it, which some agents pad with, are ignored.
    pub fn parse(message: &[u8]) -> Result<Self, DecodeError> {
        let mut fields = Reader::new(message).expect(tag::SEQUENCE)?;
        let start = fields.clone();
        let version = read_version(&mut fields)?;
        if version == Version::V3 {
            return Err(start.error(DecodeErrorKind::UnknownVersion(3)));
        }
        let community = fields.expect(tag::OCTET_STRING)?;
        let pdu = fields.offset()..fields.end();
        fields.tlv()?;
        fields.finish("message")?;
        Ok(CommunityParts { version, community: community.offset()..community.end(), pdu })
    }
}

/// `msgFlags` (RFC 3412 §6.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MsgFlags {
    /// Whether the message is authenticated and private.
    pub level: SecurityLevel,
    /// Whether a Report may be sent in answer.
    pub reportable: bool,
}

/// `securityLevel` (RFC 3411 §3.4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum SecurityLevel {
    NoAuthNoPriv,
    AuthNoPriv,
    AuthPriv,
}

impl SecurityLevel {
    /// Whether messages carry a digest.
    pub const fn is_authenticated(self) -> bool {
        !matches!(self, SecurityLevel::NoAuthNoPriv)
    }

    /// Whether the scoped PDU is encrypted.
    pub const fn is_private(self) -> bool {
        matches!(self, SecurityLevel::AuthPriv)
    }

    /// The RFC's name, which is also what people type.
    pub const fn name(self) -> &'static str {
        match self {
            SecurityLevel::NoAuthNoPriv => "noAuthNoPriv",
            SecurityLevel::AuthNoPriv => "authNoPriv",
            SecurityLevel::AuthPriv => "authPriv",
        }
    }
}

impl MsgFlags {
    fn to_octet(self) -> u8 {
        self.level as u8 | if self.level.is_private() { 1 } else { 0 } | u8::from(self.reportable) << 2
    }

    fn from_octet(flags: u8) -> Option<Self> {
        let level = match flags & 3 {
            0 => SecurityLevel::NoAuthNoPriv,
            1 => SecurityLevel::AuthNoPriv,
            3 => SecurityLevel::AuthPriv,
            _ => return None,
        };
        Some(MsgFlags { level, reportable: flags & 4 != 0 })
    }
}

/// `msgGlobalData` (RFC 3412 §6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeaderData {
    /// `msgID`, 0 to 2^31-1: correlates messages.
    pub msg_id: i32,
    /// `msgMaxSize`: the largest message, in octets, that the sender takes.
    pub max_size: u32,
    /// `msgFlags`.
    pub flags: MsgFlags,
    /// `msgSecurityModel`, 3 for the USM. Any number is carried.
    pub security_model: u32,
}

/// An SNMPv3 message before its security is processed. Ranges are offsets in the message, so that it
/// can be authenticated and decrypted in place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct V3Message {
    /// `msgGlobalData`.
    pub header: HeaderData,
    /// The contents of `msgSecurityParameters`.
    pub security_parameters: Range<usize>,
    /// What `msgData` holds.
    pub data: MsgData,
    /// The end of the message; octets after it are ignored.
    pub end: usize,
}

/// `ScopedPduData` (RFC 3412 §6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MsgData {
    /// A `ScopedPDU`, its header included.
    Plain(Range<usize>),
    /// The contents of `encryptedPDU`.
    Encrypted(Range<usize>),
}

impl V3Message {
    /// Reads the outer part of a message.
    pub fn parse(message: &[u8]) -> Result<Self, DecodeError> {
        let mut fields = Reader::new(message).expect(tag::SEQUENCE)?;
        let end = fields.end();
        let start = fields.clone();
        let version = read_version(&mut fields)?;
        if version != Version::V3 {
            return Err(start.error(DecodeErrorKind::UnknownVersion(version as i32)));
        }
        let header = HeaderData::parse(fields.expect(tag::SEQUENCE)?)?;
        let parameters = fields.expect(tag::OCTET_STRING)?;
        let before = fields.offset();
        let data = match fields.tlv()? {
            (tag::SEQUENCE, contents) => MsgData::Plain(before..contents.end()),
            (tag::OCTET_STRING, contents) => MsgData::Encrypted(contents.offset()..contents.end()),
            (found, _) => {
                let kind = DecodeErrorKind::UnexpectedTag { expected: tag::SEQUENCE, found };
                return Err(DecodeError { offset: before, kind });
            }
        };
        fields.finish("message")?;
        Ok(V3Message { header, security_parameters: parameters.offset()..parameters.end(), data, end })
    }
}

impl HeaderData {
    fn parse(mut fields: Reader<'_>) -> Result<Self, DecodeError> {
        let msg_id = fields.unsigned31()? as i32;
        let max_size = fields.unsigned31()?;
        let flags = fields.expect(tag::OCTET_STRING)?;
        let &[octet] = flags.rest() else { return Err(flags.error(DecodeErrorKind::BadFieldLength("msgFlags"))) };
        let security_model = fields.unsigned31()?;
        fields.finish("msgGlobalData")?;
        let flags = MsgFlags::from_octet(octet).ok_or_else(|| flags.error(DecodeErrorKind::BadFlags(octet)))?;
        Ok(HeaderData { msg_id, max_size, flags, security_model })
    }

    /// Writes the version and this header before what `writer` holds; together with the security
    /// parameters and the data, and a SEQUENCE around all, that is a message.
    pub fn encode(&self, writer: &mut Writer<'_>) {
        let mark = writer.written();
        writer.integer(self.security_model.cast_signed());
        writer.octet_string(&[self.flags.to_octet()]);
        writer.integer(self.max_size.cast_signed());
        writer.integer(self.msg_id);
        writer.wrap(tag::SEQUENCE, mark);
        writer.integer(Version::V3 as i32);
    }
}

/// `UsmSecurityParameters` (RFC 3414 §2.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UsmParameters<'a> {
    /// `msgAuthoritativeEngineID`; empty in discovery.
    pub engine_id: &'a [u8],
    /// `msgAuthoritativeEngineBoots`.
    pub engine_boots: u32,
    /// `msgAuthoritativeEngineTime`, seconds since that boot.
    pub engine_time: u32,
    /// `msgUserName`.
    pub user_name: &'a [u8],
    /// `msgAuthenticationParameters`: the truncated digest.
    pub auth: &'a [u8],
    /// `msgPrivacyParameters`: the salt.
    pub privacy: &'a [u8],
}

/// A digest's place in a message.
pub type DigestRange = Range<usize>;

impl<'a> UsmParameters<'a> {
    /// Reads the parameters that lie at `range` of `message`, and tells where the digest is.
    pub fn parse(message: &'a [u8], range: Range<usize>) -> Result<(Self, DigestRange), DecodeError> {
        let mut outer = Reader::within(message, range.start, range.end);
        let mut fields = outer.expect(tag::SEQUENCE)?;
        outer.finish("msgSecurityParameters")?;
        let engine_id = limited(&mut fields, MAX_ENGINE_ID_OCTETS, "msgAuthoritativeEngineID")?;
        let engine_boots = fields.unsigned31()?;
        let engine_time = fields.unsigned31()?;
        let user_name = limited(&mut fields, MAX_NAME_OCTETS, "msgUserName")?;
        let auth = fields.expect(tag::OCTET_STRING)?;
        let privacy = fields.octet_string()?;
        fields.finish("UsmSecurityParameters")?;
        let digest = auth.offset()..auth.end();
        Ok((UsmParameters { engine_id, engine_boots, engine_time, user_name, auth: auth.rest(), privacy }, digest))
    }

    /// Writes the parameters, as an OCTET STRING, before what `writer` holds. Returns how many octets
    /// lie between the start of the digest and the end of the buffer.
    pub fn encode(&self, writer: &mut Writer<'_>) -> usize {
        let mark = writer.written();
        writer.octet_string(self.privacy);
        writer.octets(self.auth);
        let digest_from_end = writer.written();
        writer.header(tag::OCTET_STRING, self.auth.len());
        writer.octet_string(self.user_name);
        writer.integer(self.engine_time.cast_signed());
        writer.integer(self.engine_boots.cast_signed());
        writer.octet_string(self.engine_id);
        writer.wrap(tag::SEQUENCE, mark);
        writer.wrap(tag::OCTET_STRING, mark);
        digest_from_end
    }
}

fn limited<'a>(fields: &mut Reader<'a>, limit: usize, what: &'static str) -> Result<&'a [u8], DecodeError> {
    let contents = fields.expect(tag::OCTET_STRING)?;
    if contents.rest().len() > limit {
        return Err(contents.error(DecodeErrorKind::BadFieldLength(what)));
    }
    Ok(contents.rest())
}

/// `ScopedPDU` (RFC 3412 §6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScopedPdu<'a> {
    /// `contextEngineID`.
    pub context_engine_id: &'a [u8],
    /// `contextName`.
    pub context_name: &'a [u8],
    /// The PDU.
    pub pdu: Pdu<'a>,
}

impl<'a> ScopedPdu<'a> {
    /// Reads the scoped PDU that lies at `range` of `message`. Padding of the decrypted octets
    /// (RFC 3414 §8.1.1.2) may follow it.
    pub fn parse(message: &'a [u8], range: Range<usize>) -> Result<Self, DecodeError> {
        let mut fields = Reader::within(message, range.start, range.end).expect(tag::SEQUENCE)?;
        let context_engine_id = limited(&mut fields, MAX_ENGINE_ID_OCTETS, "contextEngineID")?;
        let context_name = limited(&mut fields, MAX_NAME_OCTETS, "contextName")?;
        let start = fields.clone();
        let AnyPdu::Pdu(pdu) = AnyPdu::parse_of(Version::V3, &mut fields)? else {
            return Err(start.error(DecodeErrorKind::UnknownPdu(start.peek_tag()?)));
        };
        fields.finish("scoped PDU")?;
        Ok(ScopedPdu { context_engine_id, context_name, pdu })
    }

    /// Writes the scoped PDU before what `writer` holds.
    pub fn encode(&self, writer: &mut Writer<'_>) {
        let mark = writer.written();
        self.pdu.encode(writer);
        writer.octet_string(self.context_name);
        writer.octet_string(self.context_engine_id);
        writer.wrap(tag::SEQUENCE, mark);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oid::Oid;
    use crate::pdu::PduKind;
    use crate::value::Value;
    use crate::varbind::VarBindBuf;

    /// `snmpget -v2c -c public 127.0.0.1 sysUpTime.0`, request-id 0x1d3a, as net-snmp 5.9 sends it.
    const NET_SNMP_GET: &[u8] = &[
        0x30, 0x27, 0x02, 0x01, 0x01, 0x04, 0x06, b'p', b'u', b'b', b'l', b'i', b'c', 0xa0, 0x1a, 0x02, 0x02, 0x1d,
        0x3a, 0x02, 0x01, 0x00, 0x02, 0x01, 0x00, 0x30, 0x0e, 0x30, 0x0c, 0x06, 0x08, 0x2b, 0x06, 0x01, 0x02, 0x01,
        0x01, 0x03, 0x00, 0x05, 0x00,
    ];

    #[test]
    fn a_community_message_is_read_and_written_alike() {
        let message = CommunityMessage::parse(NET_SNMP_GET).unwrap();
        assert_eq!((message.version, message.community), (Version::V2c, &b"public"[..]));
        let AnyPdu::Pdu(pdu) = message.pdu else { panic!("not a trap") };
        assert_eq!((pdu.kind, pdu.request_id), (PduKind::GetRequest, 0x1d3a));
        assert_eq!(pdu.varbinds.first().unwrap().name.to_string(), "1.3.6.1.2.1.1.3.0");
        let mut buffer = [0; 64];
        let mut writer = Writer::new(&mut buffer);
        message.encode(&mut writer);
        assert_eq!(writer.finish().unwrap(), NET_SNMP_GET);
    }

    #[test]
    fn every_shortened_message_is_refused() {
        for end in 0..NET_SNMP_GET.len() {
            assert!(CommunityMessage::parse(&NET_SNMP_GET[..end]).is_err(), "{end}");
        }
    }

    #[test]
    fn a_v3_message_is_read_and_written_alike() {
        let varbinds = VarBindBuf::of_names([Oid::from_arcs(&[1, 3, 6, 1]).unwrap().as_oid()]);
        let scoped = ScopedPdu {
            context_engine_id: &[0x80, 0, 0, 0, 1],
            context_name: b"ctx",
            pdu: Pdu::new(PduKind::GetNextRequest, 9, varbinds.as_list()),
        };
        let usm = UsmParameters {
            engine_id: &[0x80, 0, 0, 0, 1],
            engine_boots: 3,
            engine_time: 1_000_000,
            user_name: b"ops",
            auth: &[0xaa; 24],
            privacy: &[],
        };
        let flags = MsgFlags { level: SecurityLevel::AuthNoPriv, reportable: true };
        let header = HeaderData { msg_id: 77, max_size: 65_507, flags, security_model: 3 };
        let mut buffer = [0; 256];
        let mut writer = Writer::new(&mut buffer);
        scoped.encode(&mut writer);
        let digest_from_end = usm.encode(&mut writer);
        header.encode(&mut writer);
        writer.wrap(tag::SEQUENCE, 0);
        let message = writer.finish().unwrap();

        let outer = V3Message::parse(message).unwrap();
        assert_eq!(outer.header, header);
        let (read, digest) = UsmParameters::parse(message, outer.security_parameters.clone()).unwrap();
        assert_eq!(read, usm);
        assert_eq!(digest, message.len() - digest_from_end..message.len() - digest_from_end + 24);
        let MsgData::Plain(range) = outer.data else { panic!("not encrypted") };
        let read = ScopedPdu::parse(message, range).unwrap();
        assert_eq!(read, scoped);
        assert_eq!(read.pdu.varbinds.first().unwrap().value, Value::Null);
        for end in 0..message.len() {
            assert!(V3Message::parse(&message[..end]).is_err());
        }
    }

    #[test]
    fn flags_are_one_octet() {
        for (octet, level) in
            [(0, SecurityLevel::NoAuthNoPriv), (1, SecurityLevel::AuthNoPriv), (3, SecurityLevel::AuthPriv)]
        {
            let flags = MsgFlags::from_octet(octet | 4).unwrap();
            assert_eq!(flags, MsgFlags { level, reportable: true });
            assert_eq!(flags.to_octet(), octet | 4);
        }
        assert_eq!(MsgFlags::from_octet(2), None);
    }
}
