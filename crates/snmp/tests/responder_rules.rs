//! The command responder over random objects and views, compared with RFC 3416 §4.2 written down the obvious
//! way: each operation of v2c, GETBULK above all (§4.2.3), and what v1 makes of it (RFC 3584 §4.2.2).

mod common;
mod forge;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use common::{Objects, name, oid};
use hamsa_snmp::agent::{CommandResponder, Instrumentation, Requester, SetError};
use hamsa_snmp::ber::Writer;
use hamsa_snmp::engine::{Community, CommunityTable, Engine, EngineId, EngineStats, Statistic, security_model};
use hamsa_snmp::limits::RESPONSE_HEADERS_OCTETS;
use hamsa_snmp::message::{CommunityMessage, SecurityLevel, Version};
use hamsa_snmp::pdu::{AnyPdu, Bulk, ErrorStatus, Pdu, PduKind};
use hamsa_snmp::vacm::{AccessEntry, ContextMatch, GroupMember, Vacm, VacmTables, ViewFamily};
use hamsa_snmp::{Oid, OidRef, OwnedValue, Value, VarBindBuf, VarBindList};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};

type Bindings = Vec<(Oid, OwnedValue)>;

/// Objects of which some fail when they are read.
struct Failing {
    objects: Objects,
    broken: BTreeMap<Oid, ErrorStatus>,
}

impl Failing {
    fn check(&self, name: OidRef<'_>) -> Result<(), ErrorStatus> {
        self.broken.get(&name.to_owned()).map_or(Ok(()), |&status| Err(status))
    }
}

impl Instrumentation for Failing {
    fn get(&self, now: Instant, name: OidRef<'_>, to: &mut VarBindBuf) -> Result<(), ErrorStatus> {
        self.check(name)?;
        self.objects.get(now, name, to)
    }

    fn get_next(&self, now: Instant, after: OidRef<'_>, to: &mut VarBindBuf) -> Result<(), ErrorStatus> {
        self.check(after)?;
        self.objects.get_next(now, after, to)
    }

    /// As far as nothing is broken.
    fn walk(&self, now: Instant, after: OidRef<'_>, max: usize, to: &mut VarBindBuf) -> Result<usize, ErrorStatus> {
        let mut at = after.to_owned();
        for found in 0..max {
            let before = (to.octets(), to.len());
            match self.get_next(now, at.as_oid(), to) {
                Err(status) if found == 0 => return Err(status),
                Err(_) => return Ok(found),
                Ok(()) => {}
            }
            let last = to.iter().last().expect("it was just appended");
            if last.value == Value::EndOfMibView {
                if found > 0 {
                    to.truncate(before.0, before.1);
                }
                return Ok(found);
            }
            at = last.name.to_owned();
        }
        Ok(max)
    }

    fn set(&self, _now: Instant, _requester: Requester<'_>, varbinds: VarBindList<'_>) -> Result<(), SetError> {
        let broken = varbinds.iter().enumerate().find_map(|(index, v)| Some((index, self.check(v.name).err()?)));
        broken.map_or(Ok(()), |(index, status)| Err(SetError { status, index }))
    }
}

/// An agent, and what is known of it.
struct Case {
    responder: CommandResponder,
    objects: BTreeMap<Oid, OwnedValue>,
    broken: BTreeMap<Oid, ErrorStatus>,
    /// What is outside of the asker's view.
    hidden: Vec<Oid>,
}

/// Names below 1.3.6.1.4.1.32473, few and short, so that what is asked often exists.
fn random_oid(rng: &mut StdRng) -> Oid {
    let mut oid = oid("1.3.6.1.4.1.32473");
    for _ in 0..rng.random_range(1..5) {
        oid.push(*[1, 2, 3, 200].choose(rng).unwrap()).unwrap();
    }
    oid
}

fn random_value(rng: &mut StdRng) -> OwnedValue {
    let long = vec![b'x'; rng.random_range(0..300)];
    match rng.random_range(0..6) {
        0 => OwnedValue::Integer(rng.random()),
        1 => OwnedValue::OctetString(long.into()),
        2 => OwnedValue::Counter64(rng.random()),
        3 => OwnedValue::Counter32(rng.random()),
        4 => OwnedValue::ObjectIdentifier(random_oid(rng)),
        _ => OwnedValue::TimeTicks(rng.random()),
    }
}

impl Case {
    fn random(rng: &mut StdRng) -> Self {
        let objects: BTreeMap<Oid, OwnedValue> =
            (0..rng.random_range(0..80)).map(|_| (random_oid(rng), random_value(rng))).collect();
        let statuses = [ErrorStatus::GEN_ERR, ErrorStatus::RESOURCE_UNAVAILABLE, ErrorStatus::WRONG_VALUE];
        let broken = (0..rng.random_range(0..3)).map(|_| (random_oid(rng), *statuses.choose(rng).unwrap())).collect();
        let hidden: Vec<Oid> = (0..rng.random_range(0..4)).map(|_| random_oid(rng)).collect();
        let families = hidden.iter().map(|subtree| (subtree.clone(), false)).collect::<BTreeMap<_, _>>();
        let families = families.into_iter().chain([(oid("1.3"), true)]);
        let models = [security_model::V1, security_model::V2C];
        let member = |security_model| GroupMember { security_model, security_name: name("all"), group: name("all") };
        let access = Vacm::new(VacmTables {
            contexts: vec![name("")],
            members: models.map(member).to_vec(),
            access: vec![AccessEntry {
                group: name("all"),
                context: ContextMatch::Exact(name("")),
                security_model: 0,
                level: SecurityLevel::NoAuthNoPriv,
                read_view: name("all"),
                write_view: name("all"),
                notify_view: name("all"),
            }],
            families: families.map(|(subtree, included)| ViewFamily::subtree(name("all"), subtree, included)).collect(),
        });
        let communities = Arc::new(CommunityTable::new());
        communities.insert(Community::new(b"public", name("all")));
        let id = EngineId::assigned(32473, *b"agent__1");
        let engine = Engine::with_communities(id, Arc::new(EngineStats::default()), communities);
        let shown = Objects(std::sync::Mutex::new(objects.clone()));
        let instrumentation = Failing { objects: shown, broken };
        let broken = instrumentation.broken.clone();
        let responder = CommandResponder::new(Arc::new(engine), Arc::new(access), Arc::new(instrumentation));
        Case { responder, objects, broken, hidden }
    }

    fn is_hidden(&self, name: &Oid) -> bool {
        self.hidden.iter().any(|subtree| name.as_oid().starts_with(subtree.as_oid()))
    }

    /// What a GET of one variable finds (RFC 3416 §4.2.1).
    fn get(&self, name: &Oid) -> Result<OwnedValue, ErrorStatus> {
        if self.is_hidden(name) {
            return Ok(OwnedValue::NoSuchObject);
        }
        self.broken.get(name).map_or(Ok(()), |&status| Err(status))?;
        Ok(self.objects.get(name).cloned().unwrap_or(OwnedValue::NoSuchInstance))
    }

    /// What follows a variable (RFC 3416 §4.2.2); in v1 nothing that v1 can't say (RFC 3584 §4.2.2.1).
    fn successor(&self, version: Version, after: &Oid) -> Result<(Oid, OwnedValue), ErrorStatus> {
        // The object is asked for the next one, and so is each that is stepped over.
        let mut cursor = after;
        loop {
            self.broken.get(cursor).map_or(Ok(()), |&status| Err(status))?;
            let next = self.objects.iter().find(|(name, _)| *name > cursor);
            let Some((name, value)) = next else { return Ok((after.clone(), OwnedValue::EndOfMibView)) };
            let is_sayable = version != Version::V1 || !matches!(value, OwnedValue::Counter64(_));
            if !self.is_hidden(name) && is_sayable {
                return Ok((name.clone(), value.clone()));
            }
            cursor = name;
        }
    }

    /// RFC 3416 §4.2.3 as it stands: every variable that the request is for, the response's limits aside.
    fn bulk(&self, asked: &[Oid], bulk: Bulk) -> Result<Bindings, (ErrorStatus, usize)> {
        let fixed = asked.len().min(bulk.non_repeaters as usize);
        let mut all = Bindings::new();
        for (i, name) in asked[..fixed].iter().enumerate() {
            all.push(self.successor(Version::V2c, name).map_err(|status| (status, i + 1))?);
        }
        let mut cursors = asked[fixed..].to_vec();
        for _ in 0..bulk.max_repetitions {
            let start = all.len();
            for (i, cursor) in cursors.iter_mut().enumerate() {
                let found = self.successor(Version::V2c, cursor).map_err(|status| (status, fixed + i + 1))?;
                *cursor = found.0.clone();
                all.push(found);
            }
            if all[start..].iter().all(|(_, value)| *value == OwnedValue::EndOfMibView) {
                break;
            }
        }
        Ok(all)
    }

    /// Status, index, variables and octets of the answer.
    fn ask(&self, version: Version, pdu: Pdu<'_>, room: usize) -> Option<Answer> {
        let mut buffer = vec![0; 65_507];
        let mut writer = Writer::new(&mut buffer);
        CommunityMessage { version, community: b"public", pdu: AnyPdu::Pdu(pdu) }.encode(&mut writer);
        let message = writer.finish().unwrap();
        let mut buffer = vec![0; room];
        let octets = self.responder.handle(Instant::now(), message, &mut buffer)?;
        let answer = CommunityMessage::parse(&buffer[room - octets..]).unwrap();
        let AnyPdu::Pdu(answer) = answer.pdu else { panic!("no Response") };
        assert_eq!((answer.kind, answer.request_id), (PduKind::Response, pdu.request_id));
        Some(Answer {
            status: answer.error_status(),
            index: answer.error_index(),
            bindings: common::owned(&answer),
            octets,
        })
    }
}

#[derive(Debug)]
struct Answer {
    status: ErrorStatus,
    index: i32,
    bindings: Bindings,
    octets: usize,
}

fn binding_octets((name, value): &(Oid, OwnedValue)) -> usize {
    let mut one = VarBindBuf::new();
    one.push(name.as_oid(), value.as_value());
    one.octets()
}

#[test]
fn getbulk_answers_what_the_rfc_says_as_far_as_it_fits() {
    let (mut cut, mut whole, mut failed) = (0, 0, 0);
    for seed in 0..1500 {
        let mut rng = StdRng::seed_from_u64(seed);
        let case = Case::random(&mut rng);
        // One variable is what most managers ask for.
        let count = if rng.random() { 1 } else { rng.random_range(0..6) };
        let asked: Vec<Oid> = (0..count).map(|_| random_oid(&mut rng)).collect();
        let fields = (rng.random_range(-1..8), *[-1, 0, 1, 5, 11, 31, 32, 33, 100].choose(&mut rng).unwrap());
        let names = VarBindBuf::of_names(asked.iter().map(Oid::as_oid));
        let mut pdu = Pdu::new(PduKind::GetBulkRequest, 5, names.as_list());
        (pdu.field1, pdu.field2) = fields;
        let room = *[484, 1472, 65_507].choose(&mut rng).unwrap();
        let answer = case.ask(Version::V2c, pdu, room).expect("an answer");
        assert!(answer.octets <= room);
        match case.bulk(&asked, pdu.bulk()) {
            // A variable that does not fit any more may fail unseen.
            Err((status, index)) if answer.status != ErrorStatus::NO_ERROR => {
                assert_eq!((answer.status, answer.index as usize), (status, index), "seed {seed}");
                assert!(answer.bindings.iter().map(|(name, _)| name).eq(&asked), "seed {seed}");
                failed += 1;
            }
            Err(_) => assert!(answer.octets + 400 + RESPONSE_HEADERS_OCTETS > room, "seed {seed}"),
            Ok(expected) => {
                assert_eq!((answer.status, answer.index), (ErrorStatus::NO_ERROR, 0), "seed {seed}");
                assert_eq!(answer.bindings, expected[..answer.bindings.len()], "seed {seed}");
                match expected.get(answer.bindings.len()) {
                    Some(next) => {
                        let needed = answer.octets + binding_octets(next) + RESPONSE_HEADERS_OCTETS;
                        assert!(needed > room, "seed {seed}: {needed} of {room}");
                        cut += 1;
                    }
                    None => whole += 1,
                }
            }
        }
    }
    assert!(cut > 50 && whole > 500 && failed > 20, "{cut} {whole} {failed}");
}

#[test]
fn get_and_getnext_answer_what_the_rfc_says() {
    let mut met = BTreeMap::new();
    for seed in 0..3000 {
        let mut rng = StdRng::seed_from_u64(seed);
        let case = Case::random(&mut rng);
        let asked: Vec<Oid> = (0..rng.random_range(0..5)).map(|_| random_oid(&mut rng)).collect();
        let version = *[Version::V1, Version::V2c].choose(&mut rng).unwrap();
        let kind = *[PduKind::GetRequest, PduKind::GetNextRequest].choose(&mut rng).unwrap();
        let find = |name: &Oid| match kind {
            PduKind::GetRequest => case.get(name).map(|value| (name.clone(), value)),
            _ => case.successor(version, name),
        };
        let mut expected = Ok(Bindings::new());
        for (i, name) in asked.iter().enumerate() {
            match (find(name), &mut expected) {
                (Ok(found), Ok(all)) => all.push(found),
                (Err(status), Ok(_)) => expected = Err((status, i + 1)),
                (_, Err(_)) => {}
            }
        }
        if version == Version::V1 {
            expected = in_v1(expected);
        }
        let names = VarBindBuf::of_names(asked.iter().map(Oid::as_oid));
        let answer = case.ask(version, Pdu::new(kind, -7, names.as_list()), 65_507).expect("an answer");
        let (status, index, bindings) = match expected {
            Ok(bindings) => (ErrorStatus::NO_ERROR, 0, bindings),
            Err((status, index)) => {
                let unchanged = asked.into_iter().map(|name| (name, OwnedValue::Null)).collect();
                (status, index, unchanged)
            }
        };
        let context = format!("seed {seed}: {kind:?} of {version:?}");
        assert_eq!((answer.status, answer.index as usize), (status, index), "{context}");
        assert_eq!(answer.bindings, bindings, "{context}");
        *met.entry((version, kind as u8, status.0)).or_insert(0) += 1;
    }
    for kind in [PduKind::GetRequest, PduKind::GetNextRequest] {
        for (version, status) in
            [(Version::V1, 0), (Version::V1, 2), (Version::V1, 5), (Version::V2c, 0), (Version::V2c, 5)]
        {
            assert!(met.contains_key(&(version, kind as u8, status)), "{met:?}");
        }
    }
}

/// RFC 3584 §4.2.2: v1 has neither exceptions nor `Counter64`, and other error codes (§4.4).
fn in_v1(found: Result<Bindings, (ErrorStatus, usize)>) -> Result<Bindings, (ErrorStatus, usize)> {
    let bindings = found.map_err(|(status, index)| (v1_status(status), index))?;
    let misfit = bindings.iter().position(|(_, value)| {
        matches!(
            value,
            OwnedValue::NoSuchObject | OwnedValue::NoSuchInstance | OwnedValue::EndOfMibView | OwnedValue::Counter64(_)
        )
    });
    misfit.map_or(Ok(bindings), |index| Err((ErrorStatus::NO_SUCH_NAME, index + 1)))
}

/// The table of RFC 3584 §4.4.
fn v1_status(status: ErrorStatus) -> ErrorStatus {
    let bad_value = [7, 8, 9, 10, 12];
    let no_such_name = [6, 11, 16, 17, 18];
    let gen_err = [13, 14, 15];
    match status.0 {
        n if bad_value.contains(&n) => ErrorStatus::BAD_VALUE,
        n if no_such_name.contains(&n) => ErrorStatus::NO_SUCH_NAME,
        n if gen_err.contains(&n) => ErrorStatus::GEN_ERR,
        _ => status,
    }
}

#[test]
fn sets_fail_as_the_rfc_says() {
    for seed in 0..1000 {
        let mut rng = StdRng::seed_from_u64(seed);
        let case = Case::random(&mut rng);
        let asked: Vec<Oid> = (0..rng.random_range(0..5)).map(|_| random_oid(&mut rng)).collect();
        let version = *[Version::V1, Version::V2c].choose(&mut rng).unwrap();
        let mut varbinds = VarBindBuf::new();
        asked.iter().for_each(|name| varbinds.push(name.as_oid(), Value::Integer(1)));
        let first = |is_bad: &dyn Fn(&Oid) -> Option<ErrorStatus>| {
            asked.iter().enumerate().find_map(|(i, name)| Some((is_bad(name)?, i + 1)))
        };
        // All are looked at for access before any is looked at for its value (RFC 3416 §4.2.5).
        let no_access = first(&|name| case.is_hidden(name).then_some(ErrorStatus::NO_ACCESS));
        let failed = no_access.or_else(|| first(&|name| case.broken.get(name).copied()));
        let (status, index) = failed.unwrap_or((ErrorStatus::NO_ERROR, 0));
        let status = if version == Version::V1 { v1_status(status) } else { status };
        let answer = case.ask(version, Pdu::new(PduKind::SetRequest, 9, varbinds.as_list()), 65_507).unwrap();
        assert_eq!((answer.status, answer.index as usize), (status, index), "seed {seed}");
        assert!(answer.bindings.iter().map(|(name, _)| name).eq(&asked), "seed {seed}");
    }
}

#[test]
fn every_status_maps_to_v1_as_the_rfc_says() {
    for number in -2..25 {
        assert_eq!(ErrorStatus(number).to_v1(), v1_status(ErrorStatus(number)));
    }
}

/// RFC 3416 §4.2.1 to §4.2.5: nothing fits, so the error has no variables; or not even that fits.
#[test]
fn what_does_not_fit_is_too_big_and_what_can_not_even_say_so_is_counted() {
    let mut rng = StdRng::seed_from_u64(1);
    let case = Case::random(&mut rng);
    let asked: Vec<Oid> = (0..60).map(|_| random_oid(&mut rng)).collect();
    let names = VarBindBuf::of_names(asked.iter().map(Oid::as_oid));
    let pdu = Pdu::new(PduKind::GetRequest, 3, names.as_list());
    let answer = case.ask(Version::V2c, pdu, 100).unwrap();
    assert_eq!((answer.status, answer.index, answer.bindings.len()), (ErrorStatus::TOO_BIG, 0, 0));
    let stats = case.responder.engine().stats().clone();
    assert_eq!(stats.get(Statistic::SilentDrops), 0);
    assert!(case.ask(Version::V2c, pdu, 20).is_none());
    assert_eq!(stats.get(Statistic::SilentDrops), 1);
    // v1 repeats the request (RFC 1157 §4.1.2), which does not fit either.
    assert!(case.ask(Version::V1, pdu, 100).is_none());
    assert_eq!(stats.get(Statistic::SilentDrops), 2);
}

/// With encryption too, a block cipher's included: there is an answer or it is counted as dropped.
#[test]
fn what_does_not_fit_is_too_big_for_every_user() {
    let now = forge::start();
    let (forge, agent) = (forge::Forge::new(), forge::agent(now));
    agent.set(forge::SYS_NAME, Value::OctetString(&[b'x'; 150]));
    for (security_name, level) in [
        ("guest", SecurityLevel::NoAuthNoPriv),
        ("clerk", SecurityLevel::AuthNoPriv),
        ("ops", SecurityLevel::AuthPriv),
        ("old", SecurityLevel::AuthPriv),
    ] {
        let request = forge.message(&forge::order(&agent, now, security_name, level));
        let (mut whole, mut too_big) = (0, 0);
        for room in 0..400 {
            let dropped = || agent.responder.engine().stats().get(Statistic::SilentDrops);
            let before = dropped();
            match agent.responder.handle(now, &mut request.clone(), &mut vec![0; room]) {
                Some(octets) if octets > 150 => whole += 1,
                Some(_) => too_big += 1,
                None => assert_eq!(dropped(), before + 1, "{security_name}, {room} octets"),
            }
        }
        assert!(whole > 50 && too_big > 50, "{security_name}: {whole} {too_big}");
    }
}
