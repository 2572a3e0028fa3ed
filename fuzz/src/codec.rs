//! Targets for what is on the wire: BER, OIDs, values, variable bindings, PDUs and messages. Each decoder must
//! take anything without a panic; what it takes must come back unchanged when it is written and read again, and
//! a message in canonical form must be written as it was.

use hamsa_snmp::ber::{DecodeErrorKind, Reader, Writer};
use hamsa_snmp::message::{
    CommunityMessage, CommunityParts, HeaderData, MsgData, ScopedPdu, UsmParameters, V3Message, Version,
};
use hamsa_snmp::pdu::{AnyPdu, Pdu, PduKind, TrapV1};
use hamsa_snmp::value::tag;
use hamsa_snmp::{Value, VarBind, VarBindBuf, VarBindList};

use crate::canonical;

/// What `write` puts into a message.
pub fn written(write: impl FnOnce(&mut Writer<'_>)) -> Vec<u8> {
    let mut buffer = vec![0; 1 << 17];
    let mut writer = Writer::new(&mut buffer);
    write(&mut writer);
    writer.finish().expect("room for twice the longest message").to_vec()
}

/// The BER reader: stays inside, moves on, and agrees with a reader written the obvious way.
pub fn ber_reader(data: &[u8]) {
    read_all(Reader::new(data), data, 0);
    type ReadOne = fn(&mut Reader<'_>) -> bool;
    let reads: [ReadOne; 5] = [
        |r| r.integer().is_ok(),
        |r| r.unsigned31().is_ok(),
        |r| r.octet_string().is_ok(),
        |r| r.oid().is_ok(),
        |r| r.expect(tag::SEQUENCE).is_ok(),
    ];
    for read in reads {
        let mut reader = Reader::new(data);
        while read(&mut reader) {}
        assert!(reader.offset() <= data.len());
    }
}

fn read_all(mut reader: Reader<'_>, message: &[u8], depth: u32) {
    loop {
        let (offset, left) = (reader.offset(), reader.rest());
        assert_eq!(left, &message[offset..reader.end()]);
        assert_eq!(reader.is_empty(), left.is_empty());
        assert_eq!(reader.finish("test").is_ok(), left.is_empty());
        assert_eq!(reader.peek_tag().ok(), left.first().copied());
        let expected = naive_tlv(left);
        match reader.tlv() {
            Ok((tag, content)) => {
                let (expected_tag, header, length) = expected.expect("the naive reader reads it too");
                assert_eq!((tag, content.rest()), (expected_tag, &left[header..header + length]));
                assert_eq!(reader.offset(), offset + header + length);
                if depth < 8 {
                    read_all(content, message, depth + 1);
                }
            }
            Err(error) => {
                assert_eq!(expected, None, "{error}");
                assert!(error.offset <= message.len());
                assert_eq!(reader.offset(), offset, "a failed read moves nothing");
                return;
            }
        }
    }
}

/// Tag, octets of the header, octets of the contents.
fn naive_tlv(octets: &[u8]) -> Option<(u8, usize, usize)> {
    let tag = *octets.first()?;
    let first = *octets.get(1)?;
    if tag % 32 == 31 {
        return None;
    }
    let (header, length) = if first < 128 {
        (2, u64::from(first))
    } else {
        let count = usize::from(first - 128);
        let field = octets.get(2..2 + count)?;
        if !(1..=4).contains(&count) {
            return None;
        }
        (2 + count, field.iter().fold(0, |n, octet| n * 256 + u64::from(*octet)))
    };
    let length = usize::try_from(length).ok()?;
    (length <= octets.len() - header).then_some((tag, header, length))
}

/// v1 and v2c messages.
pub fn community_message(data: &[u8]) {
    let parts = CommunityParts::parse(data);
    let Ok(message) = CommunityMessage::parse(data) else { return };
    let parts = parts.expect("the parts of what is a message");
    assert_eq!(message.community, &data[parts.community]);
    assert_eq!(Version::of(data), Ok(message.version));
    check_pdu(&message.pdu);
    let again = written(|writer| message.encode(writer));
    assert_eq!(CommunityMessage::parse(&again), Ok(message));
    if canonical::is_canonical(data) {
        assert_eq!(again, data);
    }
    for cut in 0..again.len().min(64) {
        assert!(CommunityMessage::parse(&again[..again.len() - 1 - cut]).is_err());
    }
}

/// SNMPv3 messages with the USM's parameters, as far as they can be read without a key.
pub fn v3_message(data: &[u8]) {
    let Ok(outer) = V3Message::parse(data) else { return };
    assert_eq!(Version::of(data), Ok(Version::V3));
    assert!(outer.end <= data.len());
    let usm = UsmParameters::parse(data, outer.security_parameters.clone());
    let scoped = match &outer.data {
        MsgData::Plain(range) => ScopedPdu::parse(data, range.clone()).map(Some),
        MsgData::Encrypted(range) => {
            assert!(range.end <= outer.end);
            Ok(None)
        }
    };
    let (Ok((usm, digest)), Ok(scoped)) = (usm, scoped) else { return };
    assert_eq!(&data[digest], usm.auth);
    let again = rebuilt(&outer.header, &usm, scoped.as_ref(), data, &outer.data);
    let read = V3Message::parse(&again).expect("our own message");
    assert_eq!(read.header, outer.header);
    let (usm_again, digest) = UsmParameters::parse(&again, read.security_parameters).expect("our own parameters");
    assert_eq!((usm_again, &again[digest]), (usm, usm.auth));
    match (&read.data, scoped) {
        (MsgData::Plain(range), Some(scoped)) => assert_eq!(ScopedPdu::parse(&again, range.clone()), Ok(scoped)),
        (MsgData::Encrypted(range), None) => assert!(again[range.clone()] == data[encrypted(&outer.data)]),
        _ => panic!("plain or encrypted, it stays so"),
    }
    if canonical::is_canonical(data) && flags_of(data).is_some_and(|flags| flags & !7 == 0) {
        assert_eq!(again, data);
    }
}

fn rebuilt(
    header: &HeaderData,
    usm: &UsmParameters<'_>,
    scoped: Option<&ScopedPdu<'_>>,
    data: &[u8],
    from: &MsgData,
) -> Vec<u8> {
    written(|writer| {
        match scoped {
            Some(scoped) => scoped.encode(writer),
            None => writer.octet_string(&data[encrypted(from)]),
        }
        let digest_from_end = usm.encode(writer);
        assert!(digest_from_end <= writer.written());
        header.encode(writer);
        writer.wrap(tag::SEQUENCE, 0);
    })
}

/// `msgFlags` as it came: reserved bits are not kept.
fn flags_of(message: &[u8]) -> Option<u8> {
    let mut fields = Reader::new(message).expect(tag::SEQUENCE).ok()?;
    fields.integer().ok()?;
    let mut header = fields.expect(tag::SEQUENCE).ok()?;
    header.integer().ok()?;
    header.integer().ok()?;
    header.octet_string().ok()?.first().copied()
}

fn encrypted(data: &MsgData) -> std::ops::Range<usize> {
    match data {
        MsgData::Encrypted(range) | MsgData::Plain(range) => range.clone(),
    }
}

/// `UsmSecurityParameters` alone.
pub fn usm_parameters(data: &[u8]) {
    let Ok((usm, digest)) = UsmParameters::parse(data, 0..data.len()) else { return };
    assert_eq!(&data[digest], usm.auth);
    let again = written(|writer| {
        usm.encode(writer);
    });
    let inner = Reader::new(&again).octet_string().expect("an OCTET STRING around them");
    assert_eq!(UsmParameters::parse(inner, 0..inner.len()).map(|(usm, _)| usm), Ok(usm));
    if canonical::is_canonical(data) {
        assert_eq!(inner, data);
    }
}

/// A scoped PDU, as it is after decryption.
pub fn scoped_pdu(data: &[u8]) {
    let Ok(scoped) = ScopedPdu::parse(data, 0..data.len()) else { return };
    check_pdu(&AnyPdu::Pdu(scoped.pdu));
    let again = written(|writer| scoped.encode(writer));
    assert_eq!(ScopedPdu::parse(&again, 0..again.len()), Ok(scoped));
    let mut padded = again.clone();
    padded.extend_from_slice(&[0; 7]);
    assert_eq!(ScopedPdu::parse(&padded, 0..padded.len()), Ok(scoped), "padding does not matter");
    if canonical::is_canonical(data) {
        assert_eq!(again, data);
    }
}

/// Any PDU.
pub fn pdu(data: &[u8]) {
    let mut reader = Reader::new(data);
    let Ok(pdu) = AnyPdu::parse(&mut reader) else { return };
    check_pdu(&pdu);
    let again = written(|writer| encode(&pdu, writer));
    assert_eq!(AnyPdu::parse(&mut Reader::new(&again)), Ok(pdu));
    if reader.is_empty() && canonical::is_canonical(data) {
        assert_eq!(again, data);
    }
}

fn encode(pdu: &AnyPdu<'_>, writer: &mut Writer<'_>) {
    match pdu {
        AnyPdu::Pdu(pdu) => pdu.encode(writer),
        AnyPdu::TrapV1(trap) => trap.encode(writer),
    }
}

fn check_pdu(pdu: &AnyPdu<'_>) {
    match pdu {
        AnyPdu::Pdu(pdu) => {
            let bulk = pdu.bulk();
            assert_eq!(i64::from(bulk.non_repeaters), i64::from(pdu.field1).max(0));
            assert_eq!(i64::from(bulk.max_repetitions), i64::from(pdu.field2).max(0));
            assert!(!pdu.error_status().to_string().is_empty());
            let v1 = pdu.error_status().to_v1();
            assert_eq!(v1, v1.to_v1());
            check_list(pdu.varbinds);
        }
        AnyPdu::TrapV1(trap) => {
            let TrapV1 { varbinds, .. } = trap;
            assert!(trap.trap_oid().as_oid().arc_count() >= 2);
            check_list(*varbinds);
        }
    }
}

/// The contents of a `VarBindList`.
pub fn varbinds(data: &[u8]) {
    let message = written(|writer| {
        writer.octets(data);
        writer.header(tag::SEQUENCE, data.len());
        for _ in 0..3 {
            writer.integer(0);
        }
        writer.wrap(PduKind::Response as u8, 0);
    });
    match AnyPdu::parse(&mut Reader::new(&message)) {
        Ok(AnyPdu::Pdu(Pdu { varbinds, .. })) => {
            assert_eq!(varbinds.as_ber(), data);
            check_list(varbinds);
        }
        Ok(AnyPdu::TrapV1(_)) => panic!("a Response was written"),
        Err(error) => assert!(!matches!(error.kind, DecodeErrorKind::UnknownPdu(_))),
    }
}

fn check_list(list: VarBindList<'_>) {
    let all: Vec<VarBind<'_>> = list.iter().collect();
    assert_eq!((list.len(), list.iter().len(), list.is_empty()), (all.len(), all.len(), all.is_empty()));
    assert_eq!(list.first(), all.first().copied());
    let copy = list.to_buf();
    assert_eq!((copy.octets(), copy.len()), (list.as_ber().len(), list.len()));
    assert!(copy.iter().eq(all.iter().copied()));

    let mut canonical = VarBindBuf::new();
    for (i, &VarBind { name, value }) in all.iter().enumerate() {
        check_value(&value);
        let octets = canonical.octets();
        canonical.push(name, value);
        assert_eq!(canonical.iter().last(), Some(VarBind { name, value }));
        if i % 3 == 2 {
            canonical.truncate(octets, i);
            canonical.push(name, value);
        }
    }
    assert!(canonical.iter().eq(all.iter().copied()));
    assert_eq!(all.iter().copied().collect::<VarBindBuf>(), canonical);
}

fn check_value(value: &Value<'_>) {
    let owned = value.to_owned();
    assert_eq!(owned.as_value(), *value);
    assert!(!value.type_name().is_empty());
    match (value.as_i64(), value.as_u64()) {
        (Some(signed), Some(unsigned)) => assert_eq!(i128::from(signed), i128::from(unsigned)),
        (Some(negative), None) => assert!(negative < 0),
        (None, Some(large)) => assert!(large > i64::MAX as u64),
        (None, None) => {}
    }
    assert!(value.opaque_float().is_none() || matches!(value, Value::Opaque(_)));
    assert!(!value.is_exception() || value.as_u64().is_none());
}

/// One value: the first octet is its tag, the rest its contents. Compared with decoders written the obvious way.
pub fn value(data: &[u8]) {
    let Some((&tag, content)) = data.split_first() else { return };
    if tag % 32 == 31 {
        return;
    }
    let binding = written(|writer| {
        writer.octets(content);
        writer.header(tag, content.len());
        writer.octets(&[0x06, 1, 0x2b]);
        writer.wrap(tag::SEQUENCE, 0);
        writer.wrap(tag::SEQUENCE, 0);
        for _ in 0..3 {
            writer.integer(0);
        }
        writer.wrap(PduKind::Response as u8, 0);
    });
    let Ok(AnyPdu::Pdu(pdu)) = AnyPdu::parse(&mut Reader::new(&binding)) else {
        panic!("one odd value costs no message: {binding:x?}")
    };
    let value = pdu.varbinds.first().expect("one was written").value;
    let signed = || {
        let bits = content.iter().fold(0i128, |n, &octet| n << 8 | i128::from(octet));
        let is_negative = content.first().is_some_and(|&first| first >= 0x80);
        if is_negative { bits - (1i128 << (8 * content.len())) } else { bits }
    };
    let unsigned = || content.iter().fold(0u128, |n, &octet| n << 8 | u128::from(octet));
    let empty = |value| content.is_empty().then_some(value);
    let expected = match tag {
        0x02 if (1..=8).contains(&content.len()) => i32::try_from(signed()).ok().map(Value::Integer),
        0x04 => Some(Value::OctetString(content)),
        0x05 => empty(Value::Null),
        0x06 => hamsa_snmp::OidRef::from_ber(content).ok().map(Value::ObjectIdentifier),
        0x40 => <[u8; 4]>::try_from(content).ok().map(|octets| Value::IpAddress(octets.into())),
        0x41 | 0x42 | 0x43 | 0x47 if (1..=9).contains(&content.len()) => {
            u32::try_from(unsigned()).ok().map(|number| match tag {
                0x41 => Value::Counter32(number),
                0x43 => Value::TimeTicks(number),
                _ => Value::Gauge32(number),
            })
        }
        0x44 => Some(Value::Opaque(content)),
        0x46 if (1..=9).contains(&content.len()) => u64::try_from(unsigned()).ok().map(Value::Counter64),
        0x80 => empty(Value::NoSuchObject),
        0x81 => empty(Value::NoSuchInstance),
        0x82 => empty(Value::EndOfMibView),
        _ => None,
    };
    assert_eq!(value, expected.unwrap_or(Value::Invalid { tag, content }));
    check_value(&value);
}
