//! A master's sessions: who is asked for what, and what sub-agents are told.

use std::time::{Duration, Instant};

use hamsa_snmp::agent::SearchRange;
use hamsa_snmp::agentx::{
    Body, ByteOrder, Handled, Header, Master, Packet, Range, Registration, Response, Span, Variable, close_reason,
    status,
};
use hamsa_snmp::{Oid, OwnedValue};

struct Peer {
    master: Master,
    start: Instant,
    reserved: Vec<Oid>,
}

fn oid(text: &str) -> Oid {
    text.parse().unwrap()
}

fn registration(subtree: &str, priority: u8) -> Registration {
    Registration { timeout_s: 0, priority, subtree: oid(subtree), range: None, is_instance: false }
}

impl Peer {
    fn new() -> Self {
        let start = Instant::now();
        Peer { master: Master::new(start), start, reserved: vec![oid("1.3.6.1.2.1.1")] }
    }

    fn send(&mut self, connection: u64, session: u32, body: Body) -> (u32, Response, Handled) {
        let header = Header { order: ByteOrder::Little, session, transaction: 8, packet: 9 };
        self.send_packet(connection, &Packet::new(header, body))
    }

    fn send_packet(&mut self, connection: u64, packet: &Packet) -> (u32, Response, Handled) {
        let now = self.start + Duration::from_millis(1230);
        let handled = self.master.handle(now, connection, &packet.encode(), &self.reserved);
        let answer = Packet::decode(&handled.answer).unwrap();
        assert_eq!((answer.header.transaction, answer.header.packet), (8, 9));
        let Body::Response(response) = answer.body else { panic!("{answer:?}") };
        assert_eq!(response.uptime_ticks, 123);
        (answer.header.session, response, handled)
    }

    fn open(&mut self, connection: u64) -> u32 {
        let body = Body::Open { timeout_s: 4, id: oid("0.0"), description: b"test".as_slice().into() };
        let (session, response, _) = self.send(connection, 0, body);
        assert_eq!(response.error, 0);
        session
    }

    fn register(&mut self, connection: u64, session: u32, registration: Registration) -> u16 {
        self.send(connection, session, Body::Register(registration)).1.error
    }

    fn who(&self, name: &str) -> Option<u32> {
        self.master.at(oid(name).as_oid()).map(|span| span.session)
    }

    fn next(&self, start: &str, end: Option<&str>) -> Option<Span> {
        let (start, end) = (oid(start), end.map(oid));
        let range = SearchRange { start: start.as_oid(), is_start_included: false, end: end.as_ref().map(Oid::as_oid) };
        self.master.next_span(&range)
    }
}

#[test]
fn the_longest_subtree_and_then_the_lowest_priority_count() {
    let mut peer = Peer::new();
    let (a, b) = (peer.open(1), peer.open(2));
    assert_eq!(peer.register(1, a, registration("1.3.6.1.4.1.9", 127)), 0);
    assert_eq!(peer.register(2, b, registration("1.3.6.1.4.1.9", 127)), status::DUPLICATE_REGISTRATION);
    assert_eq!(peer.who("1.3.6.1.4.1.9.5"), Some(a));
    assert_eq!(peer.register(2, b, registration("1.3.6.1.4.1.9", 126)), 0);
    assert_eq!(peer.who("1.3.6.1.4.1.9.5"), Some(b));
    assert_eq!(peer.register(1, a, registration("1.3.6.1.4.1.9.5", 255)), 0);
    assert_eq!(peer.who("1.3.6.1.4.1.9.5.1"), Some(a));
    assert_eq!(peer.who("1.3.6.1.4.1.9.4"), Some(b));
    assert_eq!(peer.who("1.3.6.1.4.1.8"), None);
    assert_eq!(peer.master.subtrees(), [oid("1.3.6.1.4.1.9")]);

    // b's, up to a's longer one; then a's; then b's again.
    let span = peer.next("1.3", None).unwrap();
    let expected = Range { start: oid("1.3.6.1.4.1.9"), is_start_included: true, end: Some(oid("1.3.6.1.4.1.9.5")) };
    assert_eq!((span.session, span.connection, span.timeout_s, &span.range), (b, 2, 4, &expected));
    let span = peer.next("1.3.6.1.4.1.9.5", None).unwrap();
    assert_eq!((span.session, span.range.is_start_included, span.range.end), (a, false, Some(oid("1.3.6.1.4.1.9.6"))));
    let span = peer.next("1.3.6.1.4.1.9.6", Some("1.3.6.1.4.1.9.7")).unwrap();
    assert_eq!((span.session, span.range.end), (b, Some(oid("1.3.6.1.4.1.9.7"))));
    assert_eq!(peer.next("1.3.6.1.2", Some("1.3.6.1.4.1.9")), None);
    assert_eq!(peer.next("1.3.6.1.5", None), None);

    // With b's connection its sessions go.
    assert!(peer.master.connection_lost(2) && !peer.master.connection_lost(2));
    assert_eq!(peer.who("1.3.6.1.4.1.9.4"), Some(a));
    let unregister = Body::Unregister(registration("1.3.6.1.4.1.9", 127));
    assert_eq!(peer.send(1, a, unregister.clone()).1.error, 0);
    assert_eq!(peer.send(1, a, unregister).1.error, status::UNKNOWN_REGISTRATION);
    assert_eq!(peer.who("1.3.6.1.4.1.9.4"), None);
    let (_, response, handled) = peer.send(1, a, Body::Close { reason: close_reason::SHUTDOWN });
    assert!(response.error == 0 && handled.has_changed && peer.master.session_count() == 0);
}

#[test]
fn ranges_are_registered_and_taken_back_as_a_whole() {
    let mut peer = Peer::new();
    let session = peer.open(1);
    // Columns 1 to 3 in row 7.
    let range = Registration { range: Some((10, 3)), ..registration("1.3.6.1.4.1.9.9.1.1.7", 127) };
    assert_eq!(peer.register(1, session, range.clone()), 0);
    assert_eq!(peer.who("1.3.6.1.4.1.9.9.1.3.7"), Some(session));
    assert_eq!(peer.who("1.3.6.1.4.1.9.9.1.3.8"), None);
    assert_eq!(peer.who("1.3.6.1.4.1.9.9.1.4.7"), None);
    assert_eq!(peer.master.subtrees().len(), 3);
    let overlapping = Registration { range: Some((10, 4)), ..registration("1.3.6.1.4.1.9.9.1.3.7", 127) };
    assert_eq!(peer.register(1, session, overlapping), status::DUPLICATE_REGISTRATION);
    for (place, last) in [(12, 3), (10, 0), (10, u32::MAX), (1, 200)] {
        let wrong = Registration { range: Some((place, last)), ..registration("1.3.6.1.4.1.9.9.1.1.8", 127) };
        assert_eq!(peer.register(1, session, wrong), status::REQUEST_DENIED, "{place} {last}");
    }
    assert_eq!(peer.send(1, session, Body::Unregister(range)).1.error, 0);
    assert!(peer.master.subtrees().is_empty());
}

#[test]
fn what_may_not_be_is_refused_with_the_rfcs_errors() {
    let mut peer = Peer::new();
    let session = peer.open(1);
    // The agent's own, and below it; what it lies in may be.
    assert_eq!(peer.register(1, session, registration("1.3.6.1.2.1.1", 1)), status::REQUEST_DENIED);
    assert_eq!(peer.register(1, session, registration("1.3.6.1.2.1.1.9", 1)), status::REQUEST_DENIED);
    assert_eq!(peer.register(1, session, registration("1.3.6.1.2.1", 1)), 0);
    assert_eq!(peer.register(2, session, registration("1.3.6.1.4", 1)), status::NOT_OPEN);
    assert_eq!(peer.register(1, session + 1, registration("1.3.6.1.4", 1)), status::NOT_OPEN);
    let header = Header { order: ByteOrder::Network, session, transaction: 8, packet: 9 };
    let context = Some(b"other".as_slice().into());
    let elsewhere = Packet { header, context, body: Body::Ping };
    assert_eq!(peer.send_packet(1, &elsewhere).1.error, status::UNSUPPORTED_CONTEXT);
    assert_eq!(peer.send(1, session, Body::Get(Vec::new())).1.error, status::PROCESSING_ERROR);
    assert_eq!(peer.send(1, session, Body::Notify(Vec::new())).1.error, status::PROCESSING_ERROR);
    let remove = Body::RemoveAgentCaps { id: oid("1.3.6.1.4") };
    assert_eq!(peer.send(1, session, remove.clone()).1.error, status::UNKNOWN_AGENT_CAPS);
    let add = Body::AddAgentCaps { id: oid("1.3.6.1.4"), description: b"x".as_slice().into() };
    assert_eq!(peer.send(1, session, add).1.error, 0);
    assert_eq!(peer.send(1, session, remove).1.error, 0);
    assert_eq!(peer.send(1, session, Body::Ping).1.error, 0);

    let mut broken = Packet::new(header, Body::Ping).encode();
    broken[1] = 99;
    let handled = peer.master.handle(Instant::now(), 1, &broken, &[]);
    let Body::Response(response) = Packet::decode(&handled.answer).unwrap().body else { panic!("no response") };
    assert_eq!(response.error, status::PARSE_ERROR);
    let response = Packet::new(header, Body::Response(response)).encode();
    assert_eq!(peer.master.handle(Instant::now(), 1, &response, &[]), Handled::default());
    assert_eq!(peer.master.handle(Instant::now(), 1, &[1, 2], &[]), Handled::default());
}

#[test]
fn a_notification_is_passed_on_with_its_variables() {
    let mut peer = Peer::new();
    let session = peer.open(1);
    let trap = Variable {
        name: oid("1.3.6.1.6.3.1.1.4.1.0"),
        value: OwnedValue::ObjectIdentifier(oid("1.3.6.1.4.1.32473.7")),
    };
    let (_, response, handled) = peer.send(1, session, Body::Notify(vec![trap.clone()]));
    assert_eq!((response.error, handled.notification), (0, Some(vec![trap])));
}

#[test]
fn a_session_that_never_answers_is_ended() {
    let mut peer = Peer::new();
    let session = peer.open(1);
    peer.register(1, session, registration("1.3.6.1.4.1.9", 127));
    assert_eq!((peer.master.timed_out(session), peer.master.timed_out(session)), (None, None));
    peer.master.answered(session);
    assert_eq!((peer.master.timed_out(session), peer.master.timed_out(session)), (None, None));
    let farewell = Packet::decode(&peer.master.timed_out(session).unwrap()).unwrap();
    assert_eq!((farewell.header.session, farewell.header.order), (session, ByteOrder::Little));
    assert_eq!(farewell.body, Body::Close { reason: close_reason::TIMEOUTS });
    assert!(peer.who("1.3.6.1.4.1.9.1").is_none() && peer.master.subtrees().is_empty());
    assert_eq!(peer.master.request(session, 0, 0, Body::CommitSet), None);
}

#[test]
fn another_version_goes_on_where_one_left() {
    let mut peer = Peer::new();
    let (a, b) = (peer.open(1), peer.open(7));
    peer.register(1, a, registration("1.3.6.1.4.1.9", 127));
    peer.register(7, b, registration("1.3.6.1.4.1.9", 3));
    peer.register(7, b, Registration { range: Some((8, 5)), ..registration("1.3.6.1.4.1.9.1", 9) });
    let index = Variable { name: oid("1.3.6.1.4.1.9.1.1"), value: OwnedValue::Integer(4) };
    let body = Body::IndexAllocate { is_new: false, is_any: false, variables: vec![index.clone()] };
    assert_eq!(peer.send(1, a, body.clone()).1.variables, [index]);
    let caps = Body::AddAgentCaps { id: oid("1.3.6.1.4.2"), description: b"x".as_slice().into() };
    peer.send(7, b, caps);

    let saved = peer.master.save();
    let restored = Master::restore(peer.start, &saved).unwrap();
    assert_eq!(restored.save(), saved);
    let mut after = Peer { master: restored, ..peer };
    assert_eq!((after.who("1.3.6.1.4.1.9.9"), after.master.subtrees()), (Some(b), vec![oid("1.3.6.1.4.1.9")]));
    assert_eq!(after.send(7, b, body).1.error, status::INDEX_ALREADY_ALLOCATED);
    assert_eq!(after.send(7, b, Body::RemoveAgentCaps { id: oid("1.3.6.1.4.2") }).1.error, 0);
    assert_eq!(after.open(1), b + 1);
    let ended: Vec<u64> = after.master.farewells().into_iter().map(|(connection, _)| connection).collect();
    assert_eq!(ended, [1, 7, 1]);

    for end in 0..saved.len() {
        // A cut between two packets is a shorter state; any other is none. Neither panics.
        let _ = Master::restore(after.start, &saved[..end]);
    }
    Master::restore(after.start, &saved[..saved.len() - 1]).unwrap_err();
}
