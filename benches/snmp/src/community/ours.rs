//! Ours, with buffers that are used again as the product's are.

use hamsa_snmp::ber::Writer;
use hamsa_snmp::message::{CommunityMessage, Version};
use hamsa_snmp::pdu::{AnyPdu, Pdu, PduKind};
use hamsa_snmp::{Oid, OidRef, OwnedValue, Value, VarBindBuf, VarBindList};

use super::Codec;
use crate::workload::{Binding, COMMUNITY, Datum, MIB_2, REQUEST_ID, Tally};

/// Larger than any message here.
const BUFFER_OCTETS: usize = 4096;

/// `hamsa-snmp`.
pub struct Ours {
    bindings: Bindings,
    varbinds: VarBindBuf,
    buffer: Vec<u8>,
    message: Vec<u8>,
    reader: Reader,
}

/// The bindings as an agent of ours would hold them.
pub(crate) struct Bindings(Vec<(Oid, OwnedValue)>);

/// What it takes to tally a response.
pub(crate) struct Reader {
    root: Oid,
}

impl Ours {
    /// For these bindings.
    pub fn new(bindings: &[Binding]) -> Self {
        let mut ours = Ours {
            bindings: Bindings::new(bindings),
            varbinds: VarBindBuf::new(),
            buffer: vec![0; BUFFER_OCTETS],
            message: Vec::new(),
            reader: Reader::new(),
        };
        ours.message = ours.encode().to_vec();
        ours
    }
}

impl Codec for Ours {
    fn encode(&mut self) -> &[u8] {
        self.bindings.put_into(&mut self.varbinds);
        let pdu = AnyPdu::Pdu(Pdu::new(PduKind::Response, REQUEST_ID, self.varbinds.as_list()));
        let message = CommunityMessage { version: Version::V2c, community: COMMUNITY, pdu };
        let mut writer = Writer::new(&mut self.buffer);
        message.encode(&mut writer);
        writer.finish().expect("the buffer is large enough")
    }

    fn decode(&mut self) -> Tally {
        let message = CommunityMessage::parse(&self.message).expect("a valid message");
        let AnyPdu::Pdu(pdu) = message.pdu else { panic!("a response") };
        self.reader.tally(pdu.varbinds)
    }
}

impl Bindings {
    pub(crate) fn new(bindings: &[Binding]) -> Self {
        let oid = |arcs: &[u32]| Oid::from_arcs(arcs).expect("a valid OID");
        let value = |datum: &Datum| match datum {
            Datum::Counter64(number) => OwnedValue::Counter64(*number),
            Datum::Gauge32(number) => OwnedValue::Gauge32(*number),
            Datum::TimeTicks(number) => OwnedValue::TimeTicks(*number),
            Datum::String(octets) => OwnedValue::OctetString((*octets).into()),
            Datum::Oid(arcs) => OwnedValue::ObjectIdentifier(oid(arcs)),
        };
        Bindings(bindings.iter().map(|binding| (oid(&binding.name), value(&binding.value))).collect())
    }

    /// Builds the variable bindings of a response.
    pub(crate) fn put_into(&self, varbinds: &mut VarBindBuf) {
        varbinds.clear();
        for (name, value) in &self.0 {
            varbinds.push(name.as_oid(), value.as_value());
        }
    }
}

impl Reader {
    pub(crate) fn new() -> Self {
        Reader { root: Oid::from_arcs(MIB_2).expect("a valid OID") }
    }

    pub(crate) fn tally(&self, varbinds: VarBindList<'_>) -> Tally {
        let mut tally = Tally::default();
        for varbind in varbinds {
            tally.arcs(self.below(varbind.name));
            match varbind.value {
                Value::Counter64(number) => tally.number(number),
                Value::Gauge32(number) | Value::TimeTicks(number) => tally.number(u64::from(number)),
                Value::OctetString(octets) => tally.octets(octets),
                Value::ObjectIdentifier(oid) => tally.arcs(self.below(oid)),
                other => panic!("no such value was sent: {other:?}"),
            }
        }
        tally
    }

    fn below<'a>(&self, oid: OidRef<'a>) -> impl Iterator<Item = u32> + use<'a> {
        oid.strip_prefix(self.root.as_oid()).expect("all are below mib-2").arcs()
    }
}
