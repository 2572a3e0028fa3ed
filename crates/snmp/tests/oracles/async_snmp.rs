//! async-snmp, in its strict mode: what it takes there is what the RFCs allow.

use async_snmp::compatibility::DecodeConfig;
use async_snmp::message::{
    CommunityMessage, CommunityPdu, Message, MsgFlags, MsgGlobalData, ScopedPdu, SecurityLevel as PeerLevel, V3Message,
    V3MessageData,
};
use async_snmp::v3::UsmSecurityParams;
use async_snmp::{
    CommunityVersion, GenericTrap, MessageSize, Oid as PeerOid, Pdu, PduBody as PeerBody, PduType, StandardPduType,
    TrapV1Pdu, Value as PeerValue, VarBind, Version as PeerVersion,
};
use hamsa_snmp::message::{SecurityLevel, Version};
use hamsa_snmp::pdu::PduKind;
use hamsa_snmp::{Oid, OwnedValue};

use crate::generator::{AnyMessage, Bindings, Body, Data, PduBody, TrapBody, V3, address};

pub fn decode(octets: &[u8]) -> Result<AnyMessage, String> {
    let outcome = Message::decode(octets.to_vec().into(), DecodeConfig::STRICT).map_err(|error| error.to_string())?;
    match outcome.value {
        Message::Community(message) => {
            let version = if message.version() == PeerVersion::V1 { Version::V1 } else { Version::V2c };
            let body = match message.pdu() {
                CommunityPdu::Standard(pdu) => Body::Pdu(body_from(pdu)?),
                CommunityPdu::TrapV1(trap) => Body::TrapV1(TrapBody {
                    enterprise: oid_from(trap.enterprise())?,
                    agent_addr: trap.agent_addr(),
                    generic_trap: trap.generic_trap().as_i32(),
                    specific_trap: trap.specific_trap(),
                    time_stamp: trap.time_stamp(),
                    bindings: bindings_from(trap.varbinds())?,
                }),
            };
            Ok(AnyMessage::Community(version, message.community().as_bytes().to_vec(), body))
        }
        Message::V3(message) => v3_from(&message),
    }
}

fn v3_from(message: &V3Message) -> Result<AnyMessage, String> {
    let header = message.global_data();
    let usm = UsmSecurityParams::decode(message.security_params().clone(), DecodeConfig::STRICT);
    let usm = usm.map_err(|error| error.to_string())?.value;
    let data = match message.data() {
        V3MessageData::Plaintext(scoped) => {
            Data::Plain(scoped.context_engine_id.to_vec(), scoped.context_name.to_vec(), body_from(&scoped.pdu)?)
        }
        V3MessageData::Encrypted(data) => Data::Encrypted(data.to_vec()),
    };
    Ok(AnyMessage::V3(Box::new(V3 {
        msg_id: header.msg_id(),
        max_size: header.msg_max_size().as_i32().unsigned_abs(),
        level: match header.msg_flags().security_level {
            PeerLevel::NoAuthNoPriv => SecurityLevel::NoAuthNoPriv,
            PeerLevel::AuthNoPriv => SecurityLevel::AuthNoPriv,
            PeerLevel::AuthPriv => SecurityLevel::AuthPriv,
        },
        is_reportable: header.msg_flags().reportable,
        security_model: header.msg_security_model().as_i32().unsigned_abs(),
        engine_id: usm.engine_id().to_vec(),
        boots: usm.engine_boots(),
        time: usm.engine_time(),
        user_name: usm.username().to_vec(),
        auth: usm.auth_params().to_vec(),
        privacy: usm.priv_params().to_vec(),
        data,
    })))
}

fn body_from(pdu: &Pdu) -> Result<PduBody, String> {
    let kind = match pdu.pdu_type() {
        PduType::GetRequest => PduKind::GetRequest,
        PduType::GetNextRequest => PduKind::GetNextRequest,
        PduType::Response => PduKind::Response,
        PduType::SetRequest => PduKind::SetRequest,
        PduType::GetBulkRequest => PduKind::GetBulkRequest,
        PduType::InformRequest => PduKind::InformRequest,
        PduType::TrapV2 => PduKind::TrapV2,
        PduType::Report => PduKind::Report,
        PduType::TrapV1 => return Err("a v1 trap elsewhere".into()),
    };
    let (field1, field2) = match *pdu.raw_body() {
        PeerBody::Standard { error_status, error_index, .. } => (error_status, error_index),
        PeerBody::GetBulk { non_repeaters, max_repetitions } => (non_repeaters as i32, max_repetitions as i32),
    };
    let bindings = bindings_from(pdu.varbinds())?;
    Ok(PduBody { kind, request_id: pdu.request_id(), field1, field2, bindings })
}

fn bindings_from(varbinds: &[VarBind]) -> Result<Bindings, String> {
    varbinds.iter().map(|varbind| Ok((oid_from(&varbind.oid)?, value_from(&varbind.value)?))).collect()
}

fn oid_from(oid: &PeerOid) -> Result<Oid, String> {
    Oid::from_arcs(oid.arcs()).map_err(|error| error.to_string())
}

fn value_from(value: &PeerValue) -> Result<OwnedValue, String> {
    Ok(match value {
        PeerValue::Integer(n) => OwnedValue::Integer(*n),
        PeerValue::OctetString(octets) => OwnedValue::OctetString(octets[..].into()),
        PeerValue::Null => OwnedValue::Null,
        PeerValue::ObjectIdentifier(oid) => OwnedValue::ObjectIdentifier(oid_from(oid)?),
        PeerValue::IpAddress(octets) => address(*octets),
        PeerValue::Counter32(n) => OwnedValue::Counter32(*n),
        // `UInteger32` of RFC 1442 means the same as `Gauge32`, and so it is read here.
        PeerValue::Gauge32(n) | PeerValue::UInteger32(n) => OwnedValue::Gauge32(*n),
        PeerValue::TimeTicks(n) => OwnedValue::TimeTicks(*n),
        PeerValue::Opaque(octets) => OwnedValue::Opaque(octets[..].into()),
        // `NsapAddress` of RFC 1442 never was a type of SNMPv2 as it stands.
        PeerValue::Nsap(octets) => OwnedValue::Invalid { tag: 0x45, content: octets[..].into() },
        PeerValue::Counter64(n) => OwnedValue::Counter64(*n),
        PeerValue::NoSuchObject => OwnedValue::NoSuchObject,
        PeerValue::NoSuchInstance => OwnedValue::NoSuchInstance,
        PeerValue::EndOfMibView => OwnedValue::EndOfMibView,
        PeerValue::Unknown { tag, data } => OwnedValue::Invalid { tag: *tag, content: data[..].into() },
        other => return Err(format!("a value of another kind: {other:?}")),
    })
}

pub fn encode(message: &AnyMessage) -> Vec<u8> {
    match message {
        AnyMessage::Community(version, community, Body::Pdu(body)) => {
            let version = if *version == Version::V1 { CommunityVersion::V1 } else { CommunityVersion::V2c };
            CommunityMessage::new(version, community.clone(), pdu_from(body)).unwrap().encode().unwrap().to_vec()
        }
        AnyMessage::Community(_, community, Body::TrapV1(body)) => {
            let trap = TrapV1Pdu::from_raw_parts(
                oid_to(&body.enterprise),
                body.agent_addr,
                GenericTrap::from_i32(body.generic_trap),
                body.specific_trap,
                body.time_stamp,
                bindings_to(&body.bindings),
            );
            CommunityMessage::v1_trap(community.clone(), trap).unwrap().encode().unwrap().to_vec()
        }
        AnyMessage::V3(v3) => encode_v3(v3),
    }
}

fn encode_v3(v3: &V3) -> Vec<u8> {
    let level = match v3.level {
        SecurityLevel::NoAuthNoPriv => PeerLevel::NoAuthNoPriv,
        SecurityLevel::AuthNoPriv => PeerLevel::AuthNoPriv,
        SecurityLevel::AuthPriv => PeerLevel::AuthPriv,
    };
    let size = MessageSize::from_i32(v3.max_size as i32).unwrap();
    let header = MsgGlobalData::new(v3.msg_id, size, MsgFlags::new(level, v3.is_reportable)).unwrap();
    let mut usm = UsmSecurityParams::new(v3.engine_id.clone(), v3.boots, v3.time, v3.user_name.clone()).unwrap();
    if !v3.auth.is_empty() {
        usm = usm.with_auth_params(v3.auth.clone()).unwrap();
    }
    if !v3.privacy.is_empty() {
        usm = usm.with_priv_params(v3.privacy.clone()).unwrap();
    }
    let usm = usm.encode().unwrap();
    let message = match &v3.data {
        Data::Plain(engine_id, name, body) => {
            V3Message::new(header, usm, ScopedPdu::new(engine_id.clone(), name.clone(), pdu_from(body)))
        }
        Data::Encrypted(data) => V3Message::new_with_opaque_encrypted_scoped_pdu(header, usm, data.clone().into()),
    };
    message.unwrap().encode().unwrap().to_vec()
}

fn pdu_from(body: &PduBody) -> Pdu {
    let pdu_type = match body.kind {
        PduKind::GetRequest => StandardPduType::GetRequest,
        PduKind::GetNextRequest => StandardPduType::GetNextRequest,
        PduKind::Response => StandardPduType::Response,
        PduKind::SetRequest => StandardPduType::SetRequest,
        PduKind::InformRequest => StandardPduType::InformRequest,
        PduKind::TrapV2 => StandardPduType::TrapV2,
        PduKind::Report => StandardPduType::Report,
        PduKind::GetBulkRequest => {
            let fields = (body.field1 as u32, body.field2 as u32);
            let bulk = PeerBody::GetBulk { non_repeaters: fields.0, max_repetitions: fields.1 };
            return Pdu::from_raw_parts(body.request_id, bulk, bindings_to(&body.bindings));
        }
    };
    let standard = PeerBody::Standard { pdu_type, error_status: body.field1, error_index: body.field2 };
    Pdu::from_raw_parts(body.request_id, standard, bindings_to(&body.bindings))
}

fn bindings_to(bindings: &Bindings) -> Vec<VarBind> {
    bindings.iter().map(|(name, value)| VarBind::new(oid_to(name), value_to(value))).collect()
}

fn oid_to(oid: &Oid) -> PeerOid {
    PeerOid::new(oid.as_oid().arcs())
}

fn value_to(value: &OwnedValue) -> PeerValue {
    match value {
        OwnedValue::Integer(n) => PeerValue::Integer(*n),
        OwnedValue::OctetString(octets) => PeerValue::OctetString(octets.to_vec().into()),
        OwnedValue::Null => PeerValue::Null,
        OwnedValue::ObjectIdentifier(oid) => PeerValue::ObjectIdentifier(oid_to(oid)),
        OwnedValue::IpAddress(address) => PeerValue::IpAddress(address.octets()),
        OwnedValue::Counter32(n) => PeerValue::Counter32(*n),
        OwnedValue::Gauge32(n) => PeerValue::Gauge32(*n),
        OwnedValue::TimeTicks(n) => PeerValue::TimeTicks(*n),
        OwnedValue::Opaque(octets) => PeerValue::Opaque(octets.to_vec().into()),
        OwnedValue::Counter64(n) => PeerValue::Counter64(*n),
        OwnedValue::NoSuchObject => PeerValue::NoSuchObject,
        OwnedValue::NoSuchInstance => PeerValue::NoSuchInstance,
        OwnedValue::EndOfMibView => PeerValue::EndOfMibView,
        OwnedValue::Invalid { .. } => panic!("not made by the generator"),
    }
}
