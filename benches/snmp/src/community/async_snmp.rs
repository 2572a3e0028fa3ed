//! async-snmp: its message types, which own what they hold.

use async_snmp::message::{CommunityMessage, Message};
use async_snmp::{DecodeConfig, Oid, ResponsePdu, Value, VarBind, Version};
use bytes::Bytes;

use super::{Codec, Ours};
use crate::workload::{Binding, COMMUNITY, Datum, MIB_2, REQUEST_ID, Tally};

/// `async-snmp`.
pub struct AsyncSnmp {
    bindings: Vec<VarBind>,
    community: Bytes,
    message: Bytes,
    encoded: Bytes,
}

impl AsyncSnmp {
    /// For these bindings.
    pub fn new(bindings: &[Binding]) -> Self {
        AsyncSnmp {
            bindings: varbinds(bindings),
            community: Bytes::from_static(COMMUNITY),
            message: Bytes::copy_from_slice(Ours::new(bindings).encode()),
            encoded: Bytes::new(),
        }
    }
}

impl Codec for AsyncSnmp {
    fn encode(&mut self) -> &[u8] {
        // Names are copied, which takes no allocation, and strings are shared: as its agent does.
        let pdu = ResponsePdu::success(Version::V2c, REQUEST_ID, self.bindings.clone()).expect("a valid response");
        let message = CommunityMessage::v2c(&self.community, pdu).expect("a valid message");
        self.encoded = message.encode().expect("a valid message");
        &self.encoded
    }

    fn decode(&mut self) -> Tally {
        let message = Message::decode(self.message.clone(), DecodeConfig::DEFAULT).expect("a valid message");
        tally(message.value.pdu().expect("a response").varbinds())
    }
}

/// The bindings as its agent would hold them.
pub(crate) fn varbinds(bindings: &[Binding]) -> Vec<VarBind> {
    let value = |datum: &Datum| match datum {
        Datum::Counter64(number) => Value::Counter64(*number),
        Datum::Gauge32(number) => Value::Gauge32(*number),
        Datum::TimeTicks(number) => Value::TimeTicks(*number),
        Datum::String(octets) => Value::OctetString(Bytes::from_static(octets)),
        Datum::Oid(arcs) => Value::ObjectIdentifier(Oid::from_slice(arcs)),
    };
    bindings.iter().map(|binding| VarBind::new(Oid::from_slice(&binding.name), value(&binding.value))).collect()
}

/// What a receiver does with the bindings.
pub(crate) fn tally(varbinds: &[VarBind]) -> Tally {
    let mut tally = Tally::default();
    for varbind in varbinds {
        tally.arcs(below(&varbind.oid));
        match &varbind.value {
            Value::Counter64(number) => tally.number(*number),
            Value::Gauge32(number) | Value::TimeTicks(number) => tally.number(u64::from(*number)),
            Value::OctetString(octets) => tally.octets(octets),
            Value::ObjectIdentifier(oid) => tally.arcs(below(oid)),
            other => panic!("no such value was sent: {other:?}"),
        }
    }
    tally
}

fn below(oid: &Oid) -> impl Iterator<Item = u32> {
    oid.arcs().strip_prefix(MIB_2).expect("all are below mib-2").iter().copied()
}
