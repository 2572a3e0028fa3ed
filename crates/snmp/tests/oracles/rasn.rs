//! rasn with rasn-snmp and rasn-smi: BER in general, after the RFCs' ASN.1 modules.

use hamsa_snmp::message::{SecurityLevel, Version};
use hamsa_snmp::pdu::PduKind;
use hamsa_snmp::{Oid, OwnedValue};
use rasn::types::{FixedOctetString, Integer, ObjectIdentifier, OctetString};
use rasn_smi::v1::{self as smi1, NetworkAddress};
use rasn_smi::v2::{self as smi2, Counter64};
use rasn_snmp::v3::{HeaderData, ScopedPdu, ScopedPduData, USMSecurityParameters};
use rasn_snmp::{v1, v2, v2c, v3};

use crate::generator::{AnyMessage, Bindings, Body, Data, PduBody, TrapBody, V3, address};

pub fn decode(octets: &[u8]) -> Result<AnyMessage, String> {
    // Which version is for the caller to find out first.
    let error = |error: rasn::error::DecodeError| error.to_string();
    match version_of(octets) {
        Some(0) => {
            let message: v1::Message<v1::Pdus> = rasn::ber::decode(octets).map_err(error)?;
            Ok(AnyMessage::Community(Version::V1, message.community.to_vec(), body_v1(message.data)?))
        }
        Some(1) => {
            let message: v2c::Message<v2::Pdus> = rasn::ber::decode(octets).map_err(error)?;
            Ok(AnyMessage::Community(Version::V2c, message.community.to_vec(), Body::Pdu(body_v2(message.data)?)))
        }
        Some(3) => v3_from(rasn::ber::decode(octets).map_err(error)?),
        _ => Err("no version".into()),
    }
}

/// The version, read by our reader: which type to decode as is not what is compared.
fn version_of(octets: &[u8]) -> Option<i32> {
    Version::of(octets).ok().map(|version| version as i32)
}

fn v3_from(message: v3::Message) -> Result<AnyMessage, String> {
    let usm: USMSecurityParameters = rasn::ber::decode(&message.security_parameters).map_err(|e| e.to_string())?;
    let header = message.global_data;
    let [flags] = header.flags[..] else { return Err("msgFlags of another length".into()) };
    let level = match flags & 3 {
        0 => SecurityLevel::NoAuthNoPriv,
        1 => SecurityLevel::AuthNoPriv,
        3 => SecurityLevel::AuthPriv,
        _ => return Err("privacy without authentication".into()),
    };
    let data = match message.scoped_data {
        ScopedPduData::CleartextPdu(scoped) => {
            Data::Plain(scoped.engine_id.to_vec(), scoped.name.to_vec(), body_v2(scoped.data)?)
        }
        ScopedPduData::EncryptedPdu(data) => Data::Encrypted(data.to_vec()),
    };
    Ok(AnyMessage::V3(Box::new(V3 {
        msg_id: signed(&header.message_id)?,
        max_size: unsigned(&header.max_size)?,
        level,
        is_reportable: flags & 4 != 0,
        security_model: unsigned(&header.security_model)?,
        engine_id: usm.authoritative_engine_id.to_vec(),
        boots: unsigned(&usm.authoritative_engine_boots)?,
        time: unsigned(&usm.authoritative_engine_time)?,
        user_name: usm.user_name.to_vec(),
        auth: usm.authentication_parameters.to_vec(),
        privacy: usm.privacy_parameters.to_vec(),
        data,
    })))
}

fn signed(number: &Integer) -> Result<i32, String> {
    number.try_into().map_err(|_| "a number beyond its type".into())
}

fn unsigned(number: &Integer) -> Result<u32, String> {
    number.try_into().map_err(|_| "a number beyond its type".into())
}

fn body_v1(pdu: v1::Pdus) -> Result<Body, String> {
    let (kind, pdu) = match pdu {
        v1::Pdus::GetRequest(pdu) => (PduKind::GetRequest, pdu.0),
        v1::Pdus::GetNextRequest(pdu) => (PduKind::GetNextRequest, pdu.0),
        v1::Pdus::GetResponse(pdu) => (PduKind::Response, pdu.0),
        v1::Pdus::SetRequest(pdu) => (PduKind::SetRequest, pdu.0),
        v1::Pdus::Trap(trap) => {
            let NetworkAddress::Internet(addr) = trap.agent_addr;
            return Ok(Body::TrapV1(TrapBody {
                enterprise: oid_from(&trap.enterprise)?,
                agent_addr: *addr.0,
                generic_trap: signed(&trap.generic_trap)?,
                specific_trap: signed(&trap.specific_trap)?,
                time_stamp: trap.time_stamp.0,
                bindings: bindings_v1(trap.variable_bindings)?,
            }));
        }
    };
    Ok(Body::Pdu(PduBody {
        kind,
        request_id: signed(&pdu.request_id)?,
        field1: signed(&pdu.error_status)?,
        field2: signed(&pdu.error_index)?,
        bindings: bindings_v1(pdu.variable_bindings)?,
    }))
}

fn bindings_v1(list: Vec<v1::VarBind>) -> Result<Bindings, String> {
    list.into_iter().map(|varbind| Ok((oid_from(&varbind.name)?, value_v1(varbind.value)?))).collect()
}

fn value_v1(value: smi1::ObjectSyntax) -> Result<OwnedValue, String> {
    use smi1::{ApplicationSyntax, ObjectSyntax, SimpleSyntax};
    Ok(match value {
        ObjectSyntax::Simple(SimpleSyntax::Number(n)) => OwnedValue::Integer(signed(&n)?),
        ObjectSyntax::Simple(SimpleSyntax::String(octets)) => OwnedValue::OctetString(octets[..].into()),
        ObjectSyntax::Simple(SimpleSyntax::Object(oid)) => OwnedValue::ObjectIdentifier(oid_from(&oid)?),
        ObjectSyntax::Simple(SimpleSyntax::Empty) => OwnedValue::Null,
        ObjectSyntax::ApplicationWide(value) => match value {
            ApplicationSyntax::Address(NetworkAddress::Internet(addr)) => address(*addr.0),
            ApplicationSyntax::Counter(n) => OwnedValue::Counter32(n.0),
            ApplicationSyntax::Gauge(n) => OwnedValue::Gauge32(n.0),
            ApplicationSyntax::Ticks(n) => OwnedValue::TimeTicks(n.0),
            ApplicationSyntax::Arbitrary(octets) => OwnedValue::Opaque(octets.as_ref().into()),
        },
    })
}

fn body_v2(pdu: v2::Pdus) -> Result<PduBody, String> {
    let (kind, pdu) = match pdu {
        v2::Pdus::GetRequest(pdu) => (PduKind::GetRequest, pdu.0),
        v2::Pdus::GetNextRequest(pdu) => (PduKind::GetNextRequest, pdu.0),
        v2::Pdus::Response(pdu) => (PduKind::Response, pdu.0),
        v2::Pdus::SetRequest(pdu) => (PduKind::SetRequest, pdu.0),
        v2::Pdus::InformRequest(pdu) => (PduKind::InformRequest, pdu.0),
        v2::Pdus::Trap(pdu) => (PduKind::TrapV2, pdu.0),
        v2::Pdus::Report(pdu) => (PduKind::Report, pdu.0),
        v2::Pdus::GetBulkRequest(bulk) => {
            let bulk = bulk.0;
            return Ok(PduBody {
                kind: PduKind::GetBulkRequest,
                request_id: bulk.request_id,
                field1: i32::try_from(bulk.non_repeaters).map_err(|e| e.to_string())?,
                field2: i32::try_from(bulk.max_repetitions).map_err(|e| e.to_string())?,
                bindings: bindings_v2(bulk.variable_bindings)?,
            });
        }
    };
    Ok(PduBody {
        kind,
        request_id: pdu.request_id,
        field1: i32::try_from(pdu.error_status).map_err(|e| e.to_string())?,
        field2: i32::try_from(pdu.error_index).map_err(|e| e.to_string())?,
        bindings: bindings_v2(pdu.variable_bindings)?,
    })
}

fn bindings_v2(list: Vec<v2::VarBind>) -> Result<Bindings, String> {
    list.into_iter().map(|varbind| Ok((oid_from(&varbind.name)?, value_v2(varbind.value)?))).collect()
}

fn value_v2(value: v2::VarBindValue) -> Result<OwnedValue, String> {
    use smi2::{ApplicationSyntax, ObjectSyntax, SimpleSyntax};
    Ok(match value {
        v2::VarBindValue::Unspecified => OwnedValue::Null,
        v2::VarBindValue::NoSuchObject => OwnedValue::NoSuchObject,
        v2::VarBindValue::NoSuchInstance => OwnedValue::NoSuchInstance,
        v2::VarBindValue::EndOfMibView => OwnedValue::EndOfMibView,
        v2::VarBindValue::Value(ObjectSyntax::Simple(value)) => match value {
            SimpleSyntax::Integer(n) => OwnedValue::Integer(signed(&n)?),
            SimpleSyntax::String(octets) => OwnedValue::OctetString(octets[..].into()),
            SimpleSyntax::ObjectId(oid) => OwnedValue::ObjectIdentifier(oid_from(&oid)?),
        },
        v2::VarBindValue::Value(ObjectSyntax::ApplicationWide(value)) => match value {
            ApplicationSyntax::Address(addr) => address(*addr.0),
            ApplicationSyntax::Counter(n) => OwnedValue::Counter32(n.0),
            ApplicationSyntax::Ticks(n) => OwnedValue::TimeTicks(n.0),
            ApplicationSyntax::Arbitrary(octets) => OwnedValue::Opaque(octets.as_ref().into()),
            ApplicationSyntax::BigCounter(n) => OwnedValue::Counter64(n.0),
            ApplicationSyntax::Unsigned(n) => OwnedValue::Gauge32(n.0),
        },
    })
}

fn oid_from(oid: &ObjectIdentifier) -> Result<Oid, String> {
    Oid::from_arcs(oid).map_err(|error| error.to_string())
}

pub fn encode(message: &AnyMessage) -> Vec<u8> {
    let encoded = match message {
        AnyMessage::Community(Version::V1, community, body) => rasn::ber::encode(&v1::Message {
            version: 0.into(),
            community: community.clone().into(),
            data: pdus_v1(body),
        }),
        AnyMessage::Community(_, community, Body::Pdu(body)) => rasn::ber::encode(&v2c::Message {
            version: 1.into(),
            community: community.clone().into(),
            data: pdus_v2(body),
        }),
        AnyMessage::Community(_, _, Body::TrapV1(_)) => panic!("not made by the generator"),
        AnyMessage::V3(v3) => rasn::ber::encode(&v3_to(v3)),
    };
    encoded.unwrap()
}

fn v3_to(message: &V3) -> v3::Message {
    let flags = match message.level {
        SecurityLevel::NoAuthNoPriv => 0,
        SecurityLevel::AuthNoPriv => 1,
        SecurityLevel::AuthPriv => 3,
    };
    let octets = |octets: &[u8]| OctetString::from(octets.to_vec());
    let usm = USMSecurityParameters {
        authoritative_engine_id: octets(&message.engine_id),
        authoritative_engine_boots: message.boots.into(),
        authoritative_engine_time: message.time.into(),
        user_name: octets(&message.user_name),
        authentication_parameters: octets(&message.auth),
        privacy_parameters: octets(&message.privacy),
    };
    v3::Message {
        version: 3.into(),
        global_data: HeaderData {
            message_id: message.msg_id.into(),
            max_size: message.max_size.into(),
            flags: octets(&[flags | u8::from(message.is_reportable) << 2]),
            security_model: message.security_model.into(),
        },
        security_parameters: octets(&rasn::ber::encode(&usm).unwrap()),
        scoped_data: match &message.data {
            Data::Plain(engine_id, name, body) => ScopedPduData::CleartextPdu(ScopedPdu {
                engine_id: octets(engine_id),
                name: octets(name),
                data: pdus_v2(body),
            }),
            Data::Encrypted(data) => ScopedPduData::EncryptedPdu(octets(data)),
        },
    }
}

fn pdus_v1(body: &Body) -> v1::Pdus {
    let body = match body {
        Body::Pdu(body) => body,
        Body::TrapV1(trap) => {
            return v1::Pdus::Trap(v1::Trap {
                enterprise: oid_to(&trap.enterprise),
                agent_addr: NetworkAddress::Internet(smi1::IpAddress(FixedOctetString::new(trap.agent_addr))),
                generic_trap: trap.generic_trap.into(),
                specific_trap: trap.specific_trap.into(),
                time_stamp: smi1::TimeTicks(trap.time_stamp),
                variable_bindings: bindings_to_v1(&trap.bindings),
            });
        }
    };
    let pdu = v1::Pdu {
        request_id: body.request_id.into(),
        error_status: body.field1.into(),
        error_index: body.field2.into(),
        variable_bindings: bindings_to_v1(&body.bindings),
    };
    match body.kind {
        PduKind::GetRequest => v1::Pdus::GetRequest(v1::GetRequest(pdu)),
        PduKind::GetNextRequest => v1::Pdus::GetNextRequest(v1::GetNextRequest(pdu)),
        PduKind::Response => v1::Pdus::GetResponse(v1::GetResponse(pdu)),
        PduKind::SetRequest => v1::Pdus::SetRequest(v1::SetRequest(pdu)),
        other => panic!("v1 has no {other:?}"),
    }
}

fn bindings_to_v1(bindings: &Bindings) -> Vec<v1::VarBind> {
    bindings.iter().map(|(name, value)| v1::VarBind { name: oid_to(name), value: value_to_v1(value) }).collect()
}

fn value_to_v1(value: &OwnedValue) -> smi1::ObjectSyntax {
    use smi1::{ApplicationSyntax, ObjectSyntax, SimpleSyntax};
    let simple = match value {
        OwnedValue::Integer(n) => SimpleSyntax::Number((*n).into()),
        OwnedValue::OctetString(octets) => SimpleSyntax::String(octets.to_vec().into()),
        OwnedValue::ObjectIdentifier(oid) => SimpleSyntax::Object(oid_to(oid)),
        OwnedValue::Null => SimpleSyntax::Empty,
        application => {
            return ObjectSyntax::ApplicationWide(match application {
                OwnedValue::IpAddress(address) => ApplicationSyntax::Address(NetworkAddress::Internet(
                    smi1::IpAddress(FixedOctetString::new(address.octets())),
                )),
                OwnedValue::Counter32(n) => ApplicationSyntax::Counter(smi1::Counter(*n)),
                OwnedValue::Gauge32(n) => ApplicationSyntax::Gauge(smi1::Gauge(*n)),
                OwnedValue::TimeTicks(n) => ApplicationSyntax::Ticks(smi1::TimeTicks(*n)),
                OwnedValue::Opaque(octets) => ApplicationSyntax::Arbitrary(opaque(octets)),
                other => panic!("v1 has no {other:?}"),
            });
        }
    };
    ObjectSyntax::Simple(simple)
}

fn pdus_v2(body: &PduBody) -> v2::Pdus {
    let variable_bindings = bindings_to_v2(&body.bindings);
    if body.kind == PduKind::GetBulkRequest {
        return v2::Pdus::GetBulkRequest(v2::GetBulkRequest(v2::BulkPdu {
            request_id: body.request_id,
            non_repeaters: body.field1 as u32,
            max_repetitions: body.field2 as u32,
            variable_bindings,
        }));
    }
    let pdu = v2::Pdu {
        request_id: body.request_id,
        error_status: body.field1 as u32,
        error_index: body.field2 as u32,
        variable_bindings,
    };
    match body.kind {
        PduKind::GetRequest => v2::Pdus::GetRequest(v2::GetRequest(pdu)),
        PduKind::GetNextRequest => v2::Pdus::GetNextRequest(v2::GetNextRequest(pdu)),
        PduKind::Response => v2::Pdus::Response(v2::Response(pdu)),
        PduKind::SetRequest => v2::Pdus::SetRequest(v2::SetRequest(pdu)),
        PduKind::InformRequest => v2::Pdus::InformRequest(v2::InformRequest(pdu)),
        PduKind::TrapV2 => v2::Pdus::Trap(v2::Trap(pdu)),
        PduKind::Report | PduKind::GetBulkRequest => v2::Pdus::Report(v2::Report(pdu)),
    }
}

fn bindings_to_v2(bindings: &Bindings) -> Vec<v2::VarBind> {
    bindings.iter().map(|(name, value)| v2::VarBind { name: oid_to(name), value: value_to_v2(value) }).collect()
}

fn value_to_v2(value: &OwnedValue) -> v2::VarBindValue {
    use smi2::{ApplicationSyntax, ObjectSyntax, SimpleSyntax};
    let value = match value {
        OwnedValue::Null => return v2::VarBindValue::Unspecified,
        OwnedValue::NoSuchObject => return v2::VarBindValue::NoSuchObject,
        OwnedValue::NoSuchInstance => return v2::VarBindValue::NoSuchInstance,
        OwnedValue::EndOfMibView => return v2::VarBindValue::EndOfMibView,
        OwnedValue::Integer(n) => ObjectSyntax::Simple(SimpleSyntax::Integer((*n).into())),
        OwnedValue::OctetString(octets) => ObjectSyntax::Simple(SimpleSyntax::String(octets.to_vec().into())),
        OwnedValue::ObjectIdentifier(oid) => ObjectSyntax::Simple(SimpleSyntax::ObjectId(oid_to(oid))),
        application => ObjectSyntax::ApplicationWide(match application {
            OwnedValue::IpAddress(address) => {
                ApplicationSyntax::Address(smi1::IpAddress(FixedOctetString::new(address.octets())))
            }
            OwnedValue::Counter32(n) => ApplicationSyntax::Counter(smi1::Counter(*n)),
            OwnedValue::Gauge32(n) => ApplicationSyntax::Unsigned(smi1::Gauge(*n)),
            OwnedValue::TimeTicks(n) => ApplicationSyntax::Ticks(smi1::TimeTicks(*n)),
            OwnedValue::Opaque(octets) => ApplicationSyntax::Arbitrary(opaque(octets)),
            OwnedValue::Counter64(n) => ApplicationSyntax::BigCounter(Counter64(*n)),
            other => panic!("not made by the generator: {other:?}"),
        }),
    };
    v2::VarBindValue::Value(value)
}

/// rasn makes an `Opaque` only around something encoded, so it is decoded from what is wanted.
fn opaque(octets: &[u8]) -> smi1::Opaque {
    let mut encoded = vec![0x44, octets.len() as u8];
    encoded.extend_from_slice(octets);
    rasn::ber::decode(&encoded).expect("shorter than 128 octets")
}

fn oid_to(oid: &Oid) -> ObjectIdentifier {
    ObjectIdentifier::new_unchecked(oid.as_oid().arcs().collect::<Vec<u32>>().into())
}
