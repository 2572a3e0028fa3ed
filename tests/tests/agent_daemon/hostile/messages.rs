//! Hostile messages without end, all from one seed.

use std::collections::VecDeque;

use hamsa_fuzz::{Format, mutate};
use hamsa_snmp::engine::{EngineId, EngineTime};
use hamsa_snmp::message::{SecurityLevel, Version};
use hamsa_snmp::pdu::{AnyPdu, Pdu, PduKind};
use hamsa_snmp::value::{Value, tag};
use hamsa_snmp::{Oid, VarBindBuf};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, RngExt, SeedableRng};

use super::forge::{
    CLERK, Forge, GUEST, OLD, OPERATOR, Order, STRANGER, community_message, community_wrapped, spoil_digest, sys_name,
    tlv, trap_v1, written,
};
use crate::support::SYS_LOCATION;

/// Messages that are kept to be sent again.
const KEPT: usize = 256;

const WHOLE: Format = Format::Ber { skip: 0 };

const KINDS: [PduKind; 8] = [
    PduKind::GetRequest,
    PduKind::GetNextRequest,
    PduKind::GetBulkRequest,
    PduKind::SetRequest,
    PduKind::Response,
    PduKind::InformRequest,
    PduKind::TrapV2,
    PduKind::Report,
];

const WHO: [(&str, SecurityLevel); 8] = [
    (GUEST, SecurityLevel::NoAuthNoPriv),
    (CLERK, SecurityLevel::AuthNoPriv),
    (CLERK, SecurityLevel::AuthPriv),
    (OPERATOR, SecurityLevel::AuthPriv),
    (OPERATOR, SecurityLevel::NoAuthNoPriv),
    (OLD, SecurityLevel::AuthPriv),
    (STRANGER, SecurityLevel::AuthNoPriv),
    (OLD, SecurityLevel::AuthNoPriv),
];

/// Numbers at which readers change their mind, as contents of an INTEGER.
const NUMBERS: [&[u8]; 10] = [
    &[],
    &[0],
    &[0xff],
    &[0x7f],
    &[0x80, 0, 0, 0],
    &[0x7f, 0xff, 0xff, 0xff],
    &[0, 0x80, 0, 0, 0],
    &[0, 0xff, 0xff, 0xff, 0xff],
    &[0xff, 0x7f, 0xff, 0xff, 0xff],
    &[0x55; 200],
];

/// Makes the messages.
pub struct Hostile<'f> {
    forge: &'f Forge,
    rng: StdRng,
    communities: Vec<Vec<u8>>,
    scoped: Vec<Vec<u8>>,
    sent: VecDeque<Vec<u8>>,
}

impl<'f> Hostile<'f> {
    pub fn new(forge: &'f Forge, seed: u64) -> Self {
        let scoped = scoped_pdus(forge);
        Hostile { forge, rng: StdRng::seed_from_u64(seed), communities: communities(), scoped, sent: VecDeque::new() }
    }

    /// The next message.
    pub fn next(&mut self) -> Vec<u8> {
        let message = match self.rng.random_range(0..16) {
            0..=3 => self.changed_community(),
            4..=6 => self.changed_as_a_whole(),
            7..=10 => self.signed(),
            11 => self.odd_fields(),
            12 => self.of_another_engine(),
            13 => self.garbage(),
            _ => match self.rng.random_range(0..KEPT) {
                at if at < self.sent.len() => self.sent[at].clone(),
                _ => self.signed(),
            },
        };
        if self.sent.len() == KEPT {
            self.sent.pop_front();
        }
        self.sent.push_back(message.clone());
        message
    }

    /// v1 or v2c, with anything changed.
    fn changed_community(&mut self) -> Vec<u8> {
        let [base, other] = self.two(|own| &own.communities);
        mutate(&mut self.rng, WHOLE, &base, &other)
    }

    /// v3, changed after it was secured: most have a wrong digest.
    fn changed_as_a_whole(&mut self) -> Vec<u8> {
        let message = self.forge.message(&self.order());
        if self.rng.random_ratio(1, 8) {
            return message[..self.rng.random_range(0..message.len())].to_vec();
        }
        let other = self.communities.choose(&mut self.rng).expect("there are some").clone();
        mutate(&mut self.rng, WHOLE, &message, &other)
    }

    /// v3 from somebody who holds the keys and secures what is wrong inside.
    fn signed(&mut self) -> Vec<u8> {
        let [base, other] = self.two(|own| &own.scoped);
        let mut order = self.order();
        order.scoped = match self.rng.random_range(0..8) {
            0..=3 => base,
            _ => mutate(&mut self.rng, WHOLE, &base, &other),
        };
        let EngineTime { boots, time } = order.time;
        match self.rng.random_range(0..24) {
            0 => order.time = EngineTime { boots: self.rng.random_range(0..1 << 31), time },
            1 => order.time = EngineTime { boots, time: self.rng.random_range(0..1 << 31) },
            2 => order.security_model = self.rng.random_range(0..1 << 31),
            3 => order.max_size = self.rng.random_range(0..2000),
            4 => order.is_reportable = false,
            _ => {}
        }
        if order.level.is_private() && self.rng.random_ratio(1, 32) {
            return self.forge.with_salt(&order, &[1; 9][..self.rng.random_range(0..=9)]);
        }
        let mut message = self.forge.message(&order);
        if order.level.is_authenticated() && self.rng.random_ratio(1, 16) {
            spoil_digest(&mut message);
        }
        message
    }

    /// Numbers out of range, names without end, and lists in lists, in PDUs of every kind and of none.
    fn odd_fields(&mut self) -> Vec<u8> {
        let mut number = || tlv(tag::INTEGER, NUMBERS.choose(&mut self.rng).expect("there are some"));
        let fields = [number(), number(), number()].concat();
        let name = vec![self.rng.random_range(0..=255); self.rng.random_range(0..700)];
        let varbind = tlv(tag::SEQUENCE, &[tlv(tag::OBJECT_IDENTIFIER, &name), vec![5, 0]].concat());
        let mut list = tlv(tag::SEQUENCE, &varbind.repeat(self.rng.random_range(0..4)));
        for _ in 0..[0, 1, 40, 400].choose(&mut self.rng).copied().expect("there are some") {
            list = tlv(tag::SEQUENCE, &list);
        }
        let kind = self.rng.random_range(0xa0..=0xaa);
        let pdu = tlv(kind, &[fields, list].concat());
        if self.rng.random_ratio(1, 2) {
            return community_wrapped(self.rng.random_range(-1..4), "public", &pdu);
        }
        let context = self.forge.engine_id;
        let scoped = written(|writer| {
            writer.octets(&pdu);
            writer.octet_string(b"");
            writer.octet_string(context.as_octets());
            writer.wrap(tag::SEQUENCE, 0);
        });
        let order = self.order();
        self.forge.message(&Order { scoped, ..order })
    }

    /// An authentic trap of a user whom both engines know: the agent may remember that engine's time.
    fn of_another_engine(&mut self) -> Vec<u8> {
        let mut id = [0; 8];
        self.rng.fill_bytes(&mut id);
        let (user, level) = *[WHO[1], WHO[3], WHO[5]].choose(&mut self.rng).expect("there are some");
        let order = Order {
            engine_id: EngineId::assigned(32473, id),
            time: EngineTime { boots: 1, time: self.rng.random_range(0..1 << 31) },
            is_reportable: false,
            scoped: self.forge.scoped(PduKind::TrapV2),
            ..self.forge.order(user, level)
        };
        self.forge.message(&order)
    }

    fn garbage(&mut self) -> Vec<u8> {
        let length = if self.rng.random_ratio(1, 50) { 65_507 } else { self.rng.random_range(0..300) };
        let mut octets = vec![0; length];
        self.rng.fill_bytes(&mut octets);
        if self.rng.random_ratio(1, 2) {
            octets.first_mut().into_iter().for_each(|first| *first = tag::SEQUENCE);
        }
        octets
    }

    fn order(&mut self) -> Order {
        let (user, level) = *WHO.choose(&mut self.rng).expect("there are some");
        let scoped = self.scoped.choose(&mut self.rng).expect("there are some").clone();
        Order { scoped, ..self.forge.order(user, level) }
    }

    fn two(&mut self, of: impl Fn(&Self) -> &Vec<Vec<u8>>) -> [Vec<u8>; 2] {
        let count = of(self).len();
        [(); 2].map(|()| {
            let at = self.rng.random_range(0..count);
            of(self)[at].clone()
        })
    }
}

/// What is asked for: scalars, a table, nothing, and much.
fn binding_lists() -> Vec<VarBindBuf> {
    let names = |names: &[&str]| {
        let names: Vec<Oid> = names.iter().map(|name| name.parse().unwrap()).collect();
        VarBindBuf::of_names(names.iter().map(|name| name.as_oid()))
    };
    let location: Oid = SYS_LOCATION.parse().unwrap();
    let mut set = VarBindBuf::new();
    set.push(location.as_oid(), Value::OctetString(b"somewhere"));
    set.push(location.as_oid(), Value::Integer(-1));
    vec![
        names(&["1.3.6.1.2.1.1.1.0", "1.3.6.1.2.1.1.3.0"]),
        names(&["1.3.6.1.2.1.2.2.1.2", "1.3.6.1.2.1.31.1.1.1.1"]),
        names(&["1.3.6.1.6.3.15.1.1.4.0"; 60]),
        names(&[]),
        sys_name(Value::OctetString(b"by a stranger")),
        set,
    ]
}

fn pdus<T>(make: impl Fn(Pdu<'_>) -> T) -> Vec<T> {
    let lists = binding_lists();
    let all = KINDS.iter().flat_map(|&kind| lists.iter().map(move |list| (kind, list)));
    all.map(|(kind, list)| make(Pdu { field2: 7, ..Pdu::new(kind, 4711, list.as_list()) })).collect()
}

fn communities() -> Vec<Vec<u8>> {
    let mut all = pdus(|pdu| community_message(Version::V2c, "public", AnyPdu::Pdu(pdu)));
    all.extend(pdus(|pdu| community_message(Version::V1, "public", AnyPdu::Pdu(pdu))));
    all.push(trap_v1());
    all
}

fn scoped_pdus(forge: &Forge) -> Vec<Vec<u8>> {
    pdus(|pdu| {
        let scoped =
            hamsa_snmp::message::ScopedPdu { context_engine_id: forge.engine_id.as_octets(), context_name: b"", pdu };
        written(|writer| scoped.encode(writer))
    })
}
