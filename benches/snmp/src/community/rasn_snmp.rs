//! rasn-snmp: the ASN.1 types of RFC 1901 and RFC 3416 for the codec that rasn derives.

use rasn::types::{Integer, ObjectIdentifier};
use rasn_smi::v1::{Gauge, TimeTicks};
use rasn_smi::v2::{ApplicationSyntax, Counter64, ObjectSyntax, SimpleSyntax};
use rasn_snmp::v2::{Pdu, Pdus, Response, VarBind, VarBindValue};
use rasn_snmp::v2c::Message;

use super::{Codec, Ours};
use crate::workload::{Binding, COMMUNITY, Datum, MIB_2, REQUEST_ID, Tally};

/// `rasn-snmp`.
pub struct RasnSnmp {
    bindings: Vec<VarBind>,
    message: Vec<u8>,
    encoded: Vec<u8>,
}

impl RasnSnmp {
    /// For these bindings.
    pub fn new(bindings: &[Binding]) -> Self {
        let bindings = bindings.iter();
        RasnSnmp {
            message: Ours::new(bindings.as_slice()).encode().to_vec(),
            bindings: bindings.map(varbind).collect(),
            encoded: Vec::new(),
        }
    }
}

impl Codec for RasnSnmp {
    fn encode(&mut self) -> &[u8] {
        let pdu = Pdu {
            request_id: REQUEST_ID,
            error_status: Pdu::ERROR_STATUS_NO_ERROR,
            error_index: 0,
            variable_bindings: self.bindings.clone(),
        };
        let message = Message {
            version: Integer::from(Message::<Response>::VERSION),
            community: COMMUNITY.to_vec().into(),
            data: Response(pdu),
        };
        self.encoded = rasn::ber::encode(&message).expect("a valid message");
        &self.encoded
    }

    fn decode(&mut self) -> Tally {
        let message: Message<Pdus> = rasn::ber::decode(&self.message).expect("a valid message");
        let Pdus::Response(Response(pdu)) = message.data else { panic!("a response") };
        let mut tally = Tally::default();
        for varbind in &pdu.variable_bindings {
            tally.arcs(below(&varbind.name));
            let VarBindValue::Value(value) = &varbind.value else { panic!("no exception was sent") };
            match value {
                ObjectSyntax::ApplicationWide(ApplicationSyntax::BigCounter(Counter64(number))) => {
                    tally.number(*number);
                }
                ObjectSyntax::ApplicationWide(
                    ApplicationSyntax::Unsigned(Gauge(number)) | ApplicationSyntax::Ticks(TimeTicks(number)),
                ) => tally.number(u64::from(*number)),
                ObjectSyntax::Simple(SimpleSyntax::String(octets)) => tally.octets(octets),
                ObjectSyntax::Simple(SimpleSyntax::ObjectId(oid)) => tally.arcs(below(oid)),
                other => panic!("no such value was sent: {other:?}"),
            }
        }
        tally
    }
}

fn varbind(binding: &Binding) -> VarBind {
    let oid = |arcs: &[u32]| ObjectIdentifier::new(arcs.to_vec()).expect("a valid OID");
    let value = match &binding.value {
        Datum::Counter64(number) => ApplicationSyntax::BigCounter(Counter64(*number)).into(),
        Datum::Gauge32(number) => ApplicationSyntax::Unsigned(Gauge(*number)).into(),
        Datum::TimeTicks(number) => ApplicationSyntax::Ticks(TimeTicks(*number)).into(),
        Datum::String(octets) => SimpleSyntax::String(octets.to_vec().into()).into(),
        Datum::Oid(arcs) => SimpleSyntax::ObjectId(oid(arcs)).into(),
    };
    VarBind { name: oid(&binding.name), value: VarBindValue::Value(value) }
}

fn below(oid: &ObjectIdentifier) -> impl Iterator<Item = u32> {
    oid.strip_prefix(MIB_2).expect("all are below mib-2").iter().copied()
}
