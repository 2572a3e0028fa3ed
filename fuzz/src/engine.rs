//! Targets for the engine's gate: who may come in, who is owed a Report, and what a message may change.
//! A stranger changes nothing, whatever it sends (X1); who holds a key is let in exactly when RFC 3414 §3.2
//! says so, and moves a clock only forward.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use hamsa_snmp::ber::Writer;
use hamsa_snmp::engine::{EngineId, EngineTime, Header, Outgoing, ReceiveError, Received, SecurityModel, Statistic};
use hamsa_snmp::message::{HeaderData, MsgFlags, ScopedPdu, SecurityLevel, UsmParameters, V3Message, Version};
use hamsa_snmp::notification::{Acknowledgement, Notification, NotificationError};
use hamsa_snmp::pdu::{AnyPdu, PduKind};
use hamsa_snmp::value::tag;

use crate::codec::written;
use crate::entity::{AGENT, BOOTS, Entity, MANAGER, STRANGER, USERS, engine_id, name, origin};

/// Room for a Report.
const REPORT_OCTETS: usize = 1024;

/// Octets before the scoped PDU in an input of [`receive_signed`].
pub const SIGNED_HEADER_OCTETS: usize = 13;

/// A message from nobody knows whom.
pub fn receive(data: &[u8]) {
    let agent = known_agent();
    let now = origin() + Duration::from_secs(10);
    let (before, turned_away) = (agent.memory(now), agent.turned_away());
    let (mut message, mut room) = (data.to_vec(), vec![0; REPORT_OCTETS]);
    let mut report = Writer::new(&mut room);
    match agent.engine.receive(now, &mut message, &mut report) {
        Ok(received) => {
            assert!(!received.envelope.level.is_authenticated(), "nobody has signed this");
            check_received(agent, now, &received);
            assert_eq!(agent.turned_away(), turned_away);
        }
        Err(rejected) => {
            assert_eq!(agent.turned_away(), turned_away + 1, "{} is counted once", rejected.error);
            if rejected.has_report {
                check_report(data, &rejected.error, report.finish().expect("room for a Report"), now);
            }
        }
    }
    let mut little = vec![0; data.len() % 200];
    let _ = agent.engine.receive(now, &mut data.to_vec(), &mut Writer::new(&mut little));
    assert_eq!(agent.memory(now), before);
}

/// The agent's engine, which has heard from the manager's before.
fn known_agent() -> &'static Entity {
    thread_local! {
        // One for each thread, so that nobody else counts on its counters.
        static KNOWN: &'static Entity = Box::leak(Box::new(introduced_agent()));
    }
    KNOWN.with(|agent| *agent)
}

fn introduced_agent() -> Entity {
    let agent = Entity::agent();
    for (user, (_, level)) in USERS.iter().enumerate().filter(|(_, (_, level))| level.is_authenticated()) {
        for (engine, time) in [(AGENT, agent.users.local_time(origin())), (MANAGER, at(7, 500))] {
            let signed = Signed { user, level: *level, engine: engine_id(engine), time, is_reportable: false };
            let mut message = signed.message(&crate::seeds::scoped_pdus()[0]).expect("a good message");
            agent.engine.receive(origin(), &mut message, &mut Writer::new(&mut [])).expect("an authentic message");
        }
    }
    agent
}

fn at(boots: u32, time: u32) -> EngineTime {
    EngineTime { boots, time }
}

/// RFC 3412 §7.1 (3) and §7.2 (6): what a Report must be like.
fn check_report(cause: &[u8], error: &ReceiveError, report: &mut [u8], now: Instant) {
    let cause = V3Message::parse(cause).expect("only a message of v3 is reported on");
    assert!(cause.header.flags.reportable);
    let sent = V3Message::parse(report).expect("a Report is a message");
    assert_eq!(sent.header.msg_id, cause.header.msg_id);
    assert!(!sent.header.flags.reportable, "a Report is never answered");
    let (usm, _) = UsmParameters::parse(report, sent.security_parameters).expect("the parameters of a Report");
    assert_eq!(usm.engine_id, engine_id(AGENT).as_octets());
    let is_untimely = error.to_string() == Statistic::NotInTimeWindows.description();
    let level = if is_untimely { SecurityLevel::AuthNoPriv } else { SecurityLevel::NoAuthNoPriv };
    assert_eq!(sent.header.flags.level, level, "{error}");
    let received = Entity::manager();
    let received = received.engine.receive(now, report, &mut Writer::new(&mut [])).expect("a manager takes it");
    let AnyPdu::Pdu(pdu) = received.pdu else { panic!("no Report") };
    assert_eq!((pdu.kind, pdu.varbinds.len()), (PduKind::Report, 1));
    let counter = Statistic::of_report(pdu.varbinds.first().expect("one").name).expect("a counter");
    assert_eq!(error.to_string(), counter.description());
}

/// What was let in can be answered, and read as a notification if it is one.
fn check_received(entity: &Entity, now: Instant, received: &Received<'_>) {
    let envelope = &received.envelope;
    // A plain Report passes unseen, with a name that need not be anyone's.
    let is_report = matches!(received.pdu, AnyPdu::Pdu(pdu) if pdu.kind == PduKind::Report);
    assert!(is_report || entity.engine.may_answer(&envelope.security_name, envelope));
    match Notification::from_received(received) {
        Ok(notification) => {
            let varbinds = notification.to_v2_varbinds();
            assert!(varbinds.len() >= 2 + notification.varbinds.len());
            let (enterprise, generic_trap, _) = notification.to_v1_identity();
            assert!((0..=6).contains(&generic_trap));
            assert!(enterprise.as_oid().arc_count() >= 2);
        }
        Err(NotificationError::OtherPdu | NotificationError::NoTrapOid) => {}
    }
    let Some(acknowledgement) = Acknowledgement::of(received) else { return };
    let AnyPdu::Pdu(inform) = received.pdu else { panic!("a v1 trap is no inform") };
    assert_eq!((inform.kind, inform.request_id), (PduKind::InformRequest, acknowledgement.request_id()));
    let mut room = vec![0; 2 * inform.varbinds.as_ber().len() + REPORT_OCTETS];
    let mut writer = Writer::new(&mut room);
    acknowledgement.encode(&entity.engine, now, &mut writer).expect("an inform can be acknowledged");
    let message = writer.finish().expect("room for the acknowledgement");
    assert_eq!(Version::of(message), Ok(envelope.version));
}

/// The variables of a notification, in a message that is sure to be let in: the first octet says how it
/// travels, the rest is the PDU.
pub fn notification(data: &[u8]) {
    let Some((&way, pdu)) = data.split_first() else { return };
    let agent = known_agent();
    let mut message = match way % 3 {
        2 => {
            let scoped = written(|writer| {
                writer.octets(pdu);
                writer.octet_string(b"");
                writer.octet_string(engine_id(MANAGER).as_octets());
                writer.wrap(tag::SEQUENCE, 0);
            });
            let signed = Signed {
                user: 0,
                level: SecurityLevel::NoAuthNoPriv,
                engine: engine_id(MANAGER),
                time: at(7, 500),
                is_reportable: false,
            };
            signed.message(&scoped).expect("room")
        }
        version => written(|writer| {
            writer.octets(pdu);
            writer.octet_string(b"public");
            writer.integer(i32::from(version));
            writer.wrap(tag::SEQUENCE, 0);
        }),
    };
    if let Ok(received) = agent.engine.receive(origin(), &mut message, &mut Writer::new(&mut [])) {
        check_received(agent, origin(), &received);
    }
}

/// A message that someone with a key signs.
#[derive(Debug, Clone, Copy)]
pub struct Signed {
    /// Which of [`USERS`].
    pub user: usize,
    /// How far it is secured.
    pub level: SecurityLevel,
    /// The engine that it names as authoritative.
    pub engine: EngineId,
    /// What it says of that engine's time.
    pub time: EngineTime,
    /// `reportableFlag`.
    pub is_reportable: bool,
}

impl Signed {
    /// The message around these octets, which need not be a scoped PDU; `None` if the user can't.
    pub fn message(&self, scoped: &[u8]) -> Option<Vec<u8>> {
        static FORGE: OnceLock<Entity> = OnceLock::new();
        let forge = FORGE.get_or_init(Entity::forge);
        let flags = MsgFlags { level: self.level, reportable: self.is_reportable };
        let outgoing = Outgoing {
            now: origin(),
            header: Header::V3(HeaderData { msg_id: 4711, max_size: 65_507, flags, security_model: 3 }),
            engine_id: self.engine,
            security_name: &name(USERS[self.user % USERS.len()].0),
            level: self.level,
            time_hint: Some(self.time),
        };
        let mut buffer = vec![0; 65_507];
        let mut writer = Writer::new(&mut buffer);
        writer.octets(scoped);
        forge.usm.generate_request(&outgoing, &mut writer).ok()?;
        Some(writer.finish().ok()?.to_vec())
    }
}

impl Signed {
    /// The octets that come out of decryption: what a block cipher pads may make a cut message whole.
    pub fn as_decrypted(&self, scoped: &[u8]) -> Vec<u8> {
        let mut octets = scoped.to_vec();
        if self.level.is_private() && USERS[self.user % USERS.len()].0 == "twin" {
            octets.resize(scoped.len().next_multiple_of(8), 0);
        }
        octets
    }
}

/// What RFC 3414 §3.2 (7b) remembers of an engine.
#[derive(Clone, Copy)]
struct ModelClock {
    latest: EngineTime,
    at_s: u32,
}

impl ModelClock {
    fn time(&self, now_s: u32) -> EngineTime {
        at(self.latest.boots, self.latest.time.saturating_add(now_s - self.at_s).min(i32::MAX as u32))
    }
}

/// Up to three messages signed by who holds a key, and whatever scoped PDU: accepted exactly when the rules say
/// so. Input: how many, then four octets of circumstances for each, then the scoped PDU.
pub fn receive_signed(data: &[u8]) {
    let Some((header, scoped)) = data.split_at_checked(SIGNED_HEADER_OCTETS) else { return };
    let agent = Entity::agent();
    let is_readable = |scoped: &[u8]| ScopedPdu::parse(scoped, 0..scoped.len()).is_ok();
    let mut clocks: [Option<ModelClock>; 2] = [None, None];
    let mut now_s = 0u32;
    for step in header[1..].as_chunks::<4>().0.iter().take(1 + usize::from(header[0] % 3)) {
        let &[who, whom, boots, time] = step;
        now_s += u32::from(who >> 4) * 20;
        let now = origin() + Duration::from_secs(u64::from(now_s));
        let local = agent.users.local_time(now);
        let which = usize::from(whom % 3);
        let known = if which == 0 { Some(local) } else { clocks[which - 1].map(|clock| clock.time(now_s)) };
        let stated = at(edge(known.map_or(BOOTS, |k| k.boots), boots), edge(known.map_or(0, |k| k.time), time));
        let (_, most) = USERS[usize::from(who & 7) % USERS.len()];
        let levels = [SecurityLevel::NoAuthNoPriv, SecurityLevel::AuthNoPriv, SecurityLevel::AuthPriv];
        let signed = Signed {
            user: usize::from(who & 7),
            level: levels[usize::from(whom >> 2) % 3].min(most),
            engine: engine_id([AGENT, MANAGER, STRANGER][which]),
            time: stated,
            is_reportable: whom & 0x80 != 0,
        };
        let mut message = signed.message(scoped).expect("room for any input");
        let is_plain_report = !signed.level.is_private()
            && ScopedPdu::parse(scoped, 0..scoped.len()).is_ok_and(|scoped| scoped.pdu.kind == PduKind::Report);
        let is_whole = V3Message::parse(&message).is_ok();
        let is_authenticated = signed.level.is_authenticated();
        let is_passed_unseen = is_plain_report && which != 0 && !is_authenticated;
        let is_addressed_wrongly = which != 0 && signed.is_reportable && !is_passed_unseen;
        let is_timely = match which {
            _ if !is_authenticated || is_addressed_wrongly || !is_whole => true,
            0 => local.boots == stated.boots && local.time.abs_diff(stated.time) <= 150,
            _ => move_clock(&mut clocks[which - 1], now_s, stated),
        };
        let received = agent.engine.receive(now, &mut message, &mut Writer::new(&mut [0; REPORT_OCTETS]));
        let is_readable = is_readable(&signed.as_decrypted(scoped));
        let expected = is_whole && is_readable && is_timely && !is_addressed_wrongly;
        assert_eq!(received.is_ok(), expected, "{signed:?} at {now_s} s: {:?}", received.err());
        if let Ok(received) = received {
            assert_eq!(received.envelope.level, signed.level);
            check_received(&agent, now, &received);
        }
        for (engine, clock) in [MANAGER, STRANGER].into_iter().zip(&clocks) {
            let expected = clock.map(|clock| clock.time(now_s));
            assert_eq!(agent.users.remote_time(now, &engine_id(engine)), expected, "{signed:?} at {now_s} s");
        }
    }
}

/// RFC 3414 §3.2 (7b), written the obvious way: whether the message is timely.
fn move_clock(clock: &mut Option<ModelClock>, now_s: u32, stated: EngineTime) -> bool {
    let known = clock.get_or_insert(ModelClock { latest: at(0, 0), at_s: now_s });
    let is_newer = (stated.boots, stated.time) > (known.latest.boots, known.latest.time);
    if is_newer {
        *known = ModelClock { latest: stated, at_s: now_s };
    }
    let notion = known.time(now_s);
    let is_late = i64::from(stated.time) < i64::from(notion.time) - 150;
    !(notion.boots == i32::MAX as u32 || stated.boots < notion.boots || stated.boots == notion.boots && is_late)
}

/// A number near `base`, or one at an edge.
fn edge(base: u32, choice: u8) -> u32 {
    const MAX: u32 = i32::MAX as u32;
    let near = |by: i32| base.saturating_add_signed(by).min(MAX);
    match choice % 16 {
        0..=3 => base.min(MAX),
        4 => near(1),
        5 => near(-1),
        6 => near(149),
        7 => near(150),
        8 => near(151),
        9 => near(-149),
        10 => near(-150),
        11 => near(-151),
        12 => 0,
        13 => MAX,
        14 => MAX - 1,
        _ => near(i32::from(choice) * 8),
    }
}

/// A good message changed on its way: the first octet says whose, the rest changes octets of it, three at a
/// time (place, place, what to xor; a place past the end cuts the message there or adds to it).
pub fn receive_tampered(data: &[u8]) {
    let Some((&who, changes)) = data.split_first() else { return };
    let agent = known_agent();
    let user = 1 + usize::from(who) % (USERS.len() - 1);
    let signed = Signed {
        user,
        level: USERS[user].1,
        engine: engine_id(AGENT),
        time: agent.users.local_time(origin()),
        is_reportable: true,
    };
    static ALL: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    let all = ALL.get_or_init(crate::seeds::scoped_pdus);
    let message = signed.message(&all[usize::from(who) % all.len()]).expect("a good message");
    let mut changed = message.clone();
    for &[high, low, by] in changes.as_chunks::<3>().0 {
        let place = usize::from(u16::from_be_bytes([high, low])) % (message.len() + 8);
        match changed.get_mut(place) {
            Some(octet) => *octet ^= by,
            None if by & 1 == 0 => changed.push(by),
            None => changed.truncate(changed.len().saturating_sub(usize::from(by))),
        }
    }
    let is_changed = !changed.starts_with(&message);
    let before = agent.memory(origin());
    let mut report = vec![0; REPORT_OCTETS];
    match agent.engine.receive(origin(), &mut changed, &mut Writer::new(&mut report)) {
        Ok(received) => assert!(!is_changed || !received.envelope.level.is_authenticated(), "{changed:x?}"),
        Err(rejected) => assert!(is_changed, "{}", rejected.error),
    }
    assert_eq!(agent.memory(origin()), before);
}
