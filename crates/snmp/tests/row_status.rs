//! The row engine against RFC 2579's `RowStatus` and `StorageType`: the whole table of states and actions, the
//! error codes of RFC 3416 §4.2.5, commits and undoes, ageing, and the stored state.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hamsa_snmp::agent::scheme::{Column, IndexPart, Initial, Scalar, Scheme, Source, Syntax, TableScheme};
use hamsa_snmp::agent::{
    IndexValue, Keep, MibModule, MibState, Requester, RowChange, RowStatus, Rules, SearchRange, SetBinding, SetError,
    SetId, SetRequest, StateError, Tabular,
};
use hamsa_snmp::engine::Name;
use hamsa_snmp::limits::MAX_NOT_READY;
use hamsa_snmp::message::SecurityLevel;
use hamsa_snmp::pdu::ErrorStatus;
use hamsa_snmp::{Oid, OwnedValue, VarBindBuf};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// A spin lock, and a table with a required text, a frozen number, both types of RFC 2579, and an index of one number.
static SCHEME: Scheme = Scheme {
    name: "TEST-MIB",
    version: 7,
    subtrees: &[&[1, 3, 9]],
    scalars: &[
        Scalar { oid: &[1, 3, 9, 1], syntax: Syntax::TestAndIncr, source: Source::Kept(Initial::Integer(0)) },
        Scalar { oid: &[1, 3, 9, 3], syntax: Syntax::Gauge32, source: Source::Computed },
    ],
    tables: &[TableScheme {
        entry: &[1, 3, 9, 2, 1],
        index: &[IndexPart::Number(1, 100)],
        columns: &[
            Column::new(2, Syntax::Utf8(1, 8)),
            Column::new(3, Syntax::Integer(0, 9)).or(Initial::Integer(4)).frozen(),
            Column::storage(4),
            Column::status(5),
            Column::new(6, Syntax::Integer(0, 9)).read_only(),
            Column::internal(Syntax::Octets(0, 8)),
        ],
        max_rows: 3,
        is_stored: true,
    }],
};

struct TestRules;

impl Rules for TestRules {
    fn scheme(&self) -> &'static Scheme {
        &SCHEME
    }

    fn computed(&self, _now: Instant, _scalar: usize) -> Option<OwnedValue> {
        Some(OwnedValue::Gauge32(17))
    }

    fn complete(&self, change: &mut RowChange<'_>) -> Result<bool, hamsa_snmp::agent::Refused> {
        change.row.set(5, OwnedValue::OctetString(b"secret".as_slice().into()));
        Ok(true)
    }
}

fn oid(text: &str) -> Oid {
    text.parse().unwrap()
}

fn text(text: &str) -> OwnedValue {
    OwnedValue::OctetString(text.as_bytes().into())
}

fn number(n: i32) -> OwnedValue {
    OwnedValue::Integer(n)
}

struct Table {
    module: Tabular<TestRules>,
    now: Instant,
    next: u64,
}

type Bindings = Vec<(String, OwnedValue)>;

impl Table {
    fn new() -> Self {
        Table { module: Tabular::new(TestRules), now: Instant::now(), next: 0 }
    }

    fn test(&mut self, bindings: &Bindings) -> Result<SetId, SetError> {
        self.next += 1;
        let id = SetId(self.next);
        let security_name = Name::new("somebody").unwrap();
        let requester = Requester { security_model: 3, security_name: &security_name, level: SecurityLevel::AuthPriv };
        let names: Vec<Oid> = bindings.iter().map(|(name, _)| oid(name)).collect();
        let bindings: Vec<SetBinding<'_>> = bindings
            .iter()
            .zip(&names)
            .enumerate()
            .map(|(index, ((_, value), name))| SetBinding { index, name: name.as_oid(), value: value.as_value() })
            .collect();
        self.module.test_set(&SetRequest { id, now: self.now, requester }, &bindings)?;
        Ok(id)
    }

    /// The error, as its name and the variable's place.
    fn set(&mut self, bindings: &[(&str, OwnedValue)]) -> Result<(), (ErrorStatus, usize)> {
        let bindings = bindings.iter().map(|(name, value)| (format!("1.3.9.{name}"), value.clone())).collect();
        let id = self.test(&bindings).map_err(|error| (error.status, error.index))?;
        self.module.commit_set(id).map_err(|error| (error.status, error.index))?;
        self.module.cleanup_set(id);
        Ok(())
    }

    fn get(&self, name: &str) -> OwnedValue {
        let mut to = VarBindBuf::new();
        self.module.get(self.now, oid(&format!("1.3.9.{name}")).as_oid(), &mut to).unwrap();
        to.iter().next().unwrap().value.to_owned()
    }

    fn status(&self) -> OwnedValue {
        self.get("2.1.5.7")
    }

    fn walk(&self) -> Vec<(String, OwnedValue)> {
        let (start, end) = (oid("1.3.9"), oid("1.3.10"));
        let mut found = Vec::new();
        let mut cursor = start;
        loop {
            let mut to = VarBindBuf::new();
            let range = SearchRange { start: cursor.as_oid(), is_start_included: false, end: Some(end.as_oid()) };
            if !self.module.get_next(self.now, &range, &mut to).unwrap() {
                assert!(to.is_empty());
                return found;
            }
            let varbind = to.iter().next().unwrap();
            assert!(range.contains(varbind.name));
            cursor = varbind.name.to_owned();
            found.push((cursor.to_string(), varbind.value.to_owned()));
        }
    }
}

const ACTIVE: i32 = 1;
const NOT_IN_SERVICE: i32 = 2;
const NOT_READY: i32 = 3;
const CREATE_AND_GO: i32 = 4;
const CREATE_AND_WAIT: i32 = 5;
const DESTROY: i32 = 6;

/// The table in the DESCRIPTION of RFC 2579's RowStatus: what each action does in each state, without other columns
/// and with the required one.
#[test]
fn every_action_in_every_state_does_what_rfc_2579_says() {
    /// The states A to D there.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    enum State {
        Absent,
        NotReady,
        NotInService,
        Active,
    }
    use State::{Absent, Active, NotInService, NotReady};
    let inconsistent = Err((ErrorStatus::INCONSISTENT_VALUE, 0));
    for (action, alone, with_text) in [
        // In each state: the action alone, and together with what the row lacks.
        (
            CREATE_AND_GO,
            [inconsistent, inconsistent, inconsistent, inconsistent],
            [Ok(Active), inconsistent, inconsistent, inconsistent],
        ),
        (
            CREATE_AND_WAIT,
            [Ok(NotReady), inconsistent, inconsistent, inconsistent],
            [Ok(NotInService), inconsistent, inconsistent, inconsistent],
        ),
        (
            ACTIVE,
            [inconsistent, inconsistent, Ok(Active), Ok(Active)],
            [inconsistent, Ok(Active), Ok(Active), Ok(Active)],
        ),
        (
            NOT_IN_SERVICE,
            [inconsistent, inconsistent, Ok(NotInService), Ok(NotInService)],
            [inconsistent, Ok(NotInService), Ok(NotInService), Ok(NotInService)],
        ),
        (DESTROY, [Ok(Absent); 4], [Ok(Absent); 4]),
        (NOT_READY, [Err((ErrorStatus::WRONG_VALUE, 0)); 4], [Err((ErrorStatus::WRONG_VALUE, 0)); 4]),
    ] {
        for (expected, columns) in [(alone, false), (with_text, true)] {
            for (state, expected) in [Absent, NotReady, NotInService, Active].into_iter().zip(expected) {
                let mut table = Table::new();
                match state {
                    Absent => {}
                    NotReady => table.set(&[("2.1.5.7", number(CREATE_AND_WAIT))]).unwrap(),
                    NotInService => {
                        table.set(&[("2.1.5.7", number(CREATE_AND_WAIT)), ("2.1.2.7", text("old"))]).unwrap();
                    }
                    Active => table.set(&[("2.1.2.7", text("old")), ("2.1.5.7", number(CREATE_AND_GO))]).unwrap(),
                }
                let mut bindings = vec![("2.1.5.7", number(action))];
                if columns {
                    bindings.push(("2.1.2.7", text("new")));
                }
                let before = table.walk();
                let done = table.set(&bindings).map(|()| match table.status() {
                    OwnedValue::NoSuchInstance => Absent,
                    OwnedValue::Integer(ACTIVE) => Active,
                    OwnedValue::Integer(NOT_IN_SERVICE) => NotInService,
                    OwnedValue::Integer(NOT_READY) => NotReady,
                    other => panic!("{other:?}"),
                });
                assert_eq!(done, expected, "action {action} in {state:?}, columns: {columns}");
                if done.is_err() {
                    assert_eq!(table.walk(), before);
                }
            }
        }
    }
}

#[test]
fn columns_follow_the_row() {
    let mut table = Table::new();
    assert_eq!(table.set(&[("2.1.2.7", text("a"))]), Err((ErrorStatus::INCONSISTENT_NAME, 0)));
    table.set(&[("2.1.5.7", number(CREATE_AND_WAIT))]).unwrap();
    assert_eq!(table.get("2.1.2.7"), OwnedValue::NoSuchInstance, "it has no default");
    assert_eq!(table.get("2.1.3.7"), number(4));
    table.set(&[("2.1.2.7", text("a"))]).unwrap();
    assert_eq!(table.status(), number(NOT_IN_SERVICE), "nothing lacks any more");
    table.set(&[("2.1.3.7", number(5)), ("2.1.5.7", number(ACTIVE))]).unwrap();
    assert_eq!(table.set(&[("2.1.3.7", number(6))]), Err((ErrorStatus::INCONSISTENT_VALUE, 0)), "it is active");
    table.set(&[("2.1.3.7", number(5)), ("2.1.2.7", text("b"))]).unwrap();
    table.set(&[("2.1.3.7", number(6)), ("2.1.5.7", number(NOT_IN_SERVICE))]).unwrap();
    assert_eq!(table.get("2.1.3.7"), number(6));
}

#[test]
fn every_fault_has_its_code_and_its_variable() {
    let mut table = Table::new();
    table.set(&[("2.1.2.7", text("a")), ("2.1.5.7", number(CREATE_AND_GO))]).unwrap();
    let good = ("2.1.2.7", text("b"));
    for (name, value, status) in [
        ("2.1.9.7", number(1), ErrorStatus::NOT_WRITABLE),
        ("2.1.6.7", number(1), ErrorStatus::NOT_WRITABLE),
        ("2.1.0.7", text("guess"), ErrorStatus::NOT_WRITABLE),
        ("3.0", OwnedValue::Gauge32(1), ErrorStatus::NOT_WRITABLE),
        ("2", number(1), ErrorStatus::NOT_WRITABLE),
        ("2.1.2.7", number(1), ErrorStatus::WRONG_TYPE),
        ("2.1.2.7", OwnedValue::Invalid { tag: 4, content: b"".as_slice().into() }, ErrorStatus::WRONG_ENCODING),
        ("2.1.2.7", text(""), ErrorStatus::WRONG_LENGTH),
        ("2.1.3.7", number(10), ErrorStatus::WRONG_VALUE),
        ("2.1.5.7", number(9), ErrorStatus::WRONG_VALUE),
        ("1.1", number(0), ErrorStatus::NO_CREATION),
        ("1", number(0), ErrorStatus::NO_CREATION),
        ("2.1.5.101", number(CREATE_AND_WAIT), ErrorStatus::NO_CREATION),
        ("2.1.5.7.1", number(CREATE_AND_WAIT), ErrorStatus::NO_CREATION),
        ("2.1.5", number(CREATE_AND_WAIT), ErrorStatus::NO_CREATION),
        ("2.1.3.8", number(1), ErrorStatus::INCONSISTENT_NAME),
        ("1.0", number(5), ErrorStatus::INCONSISTENT_VALUE),
    ] {
        let before = table.walk();
        assert_eq!(table.set(&[good.clone(), (name, value.clone())]), Err((status, 1)), "{name} {value:?}");
        assert_eq!(table.walk(), before, "{name}");
    }
}

#[test]
fn a_table_that_is_full_says_so() {
    let mut table = Table::new();
    for row in 1..=3 {
        table.set(&[(&format!("2.1.5.{row}"), number(CREATE_AND_WAIT))]).unwrap();
    }
    let refused = Err((ErrorStatus::RESOURCE_UNAVAILABLE, 0));
    assert_eq!(table.set(&[("2.1.5.4", number(CREATE_AND_WAIT))]), refused);
    table.set(&[("2.1.5.2", number(DESTROY)), ("2.1.5.4", number(CREATE_AND_WAIT))]).unwrap();
}

#[test]
fn storage_types_bind_what_may_be_done() {
    let mut table = Table::new();
    table.set(&[("2.1.2.7", text("a")), ("2.1.5.7", number(CREATE_AND_GO))]).unwrap();
    assert_eq!(table.get("2.1.4.7"), number(3), "nonVolatile");
    table.set(&[("2.1.4.7", number(2))]).unwrap();
    for storage in [1, 4, 5] {
        assert_eq!(table.set(&[("2.1.4.7", number(storage))]), Err((ErrorStatus::INCONSISTENT_VALUE, 0)));
    }
    let cells = |storage| [(0, text("fixed")), (2, number(storage))];
    table.module.put_row(0, &[IndexValue::Number(8)], cells(4)).unwrap();
    table.set(&[("2.1.2.8", text("new")), ("2.1.5.8", number(NOT_IN_SERVICE))]).unwrap();
    assert_eq!(table.set(&[("2.1.5.8", number(DESTROY))]), Err((ErrorStatus::INCONSISTENT_VALUE, 0)), "permanent");
    assert_eq!(table.set(&[("2.1.4.8", number(3))]), Err((ErrorStatus::INCONSISTENT_VALUE, 0)));
    table.module.put_row(0, &[IndexValue::Number(9)], cells(5)).unwrap();
    assert_eq!(table.set(&[("2.1.2.9", text("new"))]), Err((ErrorStatus::NOT_WRITABLE, 0)), "readOnly");
    assert_eq!(table.set(&[("2.1.5.9", number(DESTROY))]), Err((ErrorStatus::INCONSISTENT_VALUE, 0)));
    assert_eq!(table.set(&[("2.1.5.9", number(NOT_IN_SERVICE))]), Err((ErrorStatus::NOT_WRITABLE, 0)));
    assert!(table.module.remove_row(0, &[IndexValue::Number(9)]), "a configuration may");
    assert!(!table.module.remove_row(0, &[IndexValue::Number(9)]));
}

#[test]
fn spin_locks_count_and_wrap() {
    let mut table = Table::new();
    table.set(&[("1.0", number(0))]).unwrap();
    assert_eq!(table.set(&[("1.0", number(0))]), Err((ErrorStatus::INCONSISTENT_VALUE, 0)));
    assert_eq!(table.get("1.0"), number(1));
    let mut state = table.module.save(Keep::Lasting);
    let one = state.windows(6).position(|octets| octets == [2, 0, 0, 0, 1, 1]).unwrap();
    state.splice(one..one + 6, [2, 0, 0, 0, 4, 0x7f, 0xff, 0xff, 0xff]);
    table.module.restore(&state).unwrap();
    table.set(&[("1.0", number(i32::MAX))]).unwrap();
    assert_eq!(table.get("1.0"), number(0));
}

#[test]
fn a_commit_is_undone_and_counted() {
    let mut table = Table::new();
    table.set(&[("2.1.2.7", text("a")), ("2.1.5.7", number(CREATE_AND_GO))]).unwrap();
    let (before, commits) = (table.walk(), table.module.commits());
    let bindings: Bindings = vec![("1.3.9.2.1.2.7".into(), text("b"))];
    let id = table.test(&bindings).unwrap();
    assert_eq!(table.walk(), before, "testing changes nothing");
    table.module.commit_set(id).unwrap();
    assert_eq!(table.get("2.1.2.7"), text("b"));
    assert!(table.module.commit_set(id).is_err(), "once");
    table.module.undo_set(id).unwrap();
    table.module.cleanup_set(id);
    assert_eq!(table.walk(), before);
    assert!(table.module.commits() > commits + 1, "whoever saved the commit must save again");
    assert!(table.module.commit_set(id).is_err(), "it is over");
}

#[test]
fn what_changes_behind_a_set_makes_its_commit_fail() {
    let mut table = Table::new();
    let bindings: Bindings = vec![("1.3.9.2.1.5.7".into(), number(CREATE_AND_WAIT))];
    let id = table.test(&bindings).unwrap();
    table.module.put_row(0, &[IndexValue::Number(1)], [(0, text("config"))]).unwrap();
    let failed = SetError { status: ErrorStatus::COMMIT_FAILED, index: 0 };
    assert_eq!(table.module.commit_set(id), Err(failed));
    table.module.cleanup_set(id);
    assert_eq!((table.status(), table.get("2.1.5.1")), (OwnedValue::NoSuchInstance, number(ACTIVE)));
}

#[test]
fn rows_that_are_never_finished_go_away() {
    let mut table = Table::new();
    table.set(&[("2.1.5.7", number(CREATE_AND_WAIT))]).unwrap();
    table.set(&[("2.1.5.8", number(CREATE_AND_WAIT)), ("2.1.2.8", text("done"))]).unwrap();
    assert_eq!(table.module.expire(table.now), 0);
    assert_eq!(table.module.expire(table.now + MAX_NOT_READY - Duration::from_secs(1)), 0);
    assert_eq!(table.module.expire(table.now + MAX_NOT_READY), 1);
    assert_eq!(table.status(), OwnedValue::NoSuchInstance);
    assert_eq!(table.get("2.1.5.8"), number(NOT_IN_SERVICE));
}

#[test]
fn internal_columns_are_stored_and_never_seen() {
    let mut table = Table::new();
    table.set(&[("2.1.2.7", text("a")), ("2.1.5.7", number(CREATE_AND_GO))]).unwrap();
    let shown = table.walk();
    assert!(shown.iter().all(|(_, value)| *value != text("secret")), "{shown:?}");
    assert!(!format!("{:?}", table.module.current()).contains("secret"));
    assert!(table.module.save(Keep::Lasting).windows(6).any(|octets| octets == b"secret"));
}

/// A random sequence of SETs, and then the state elsewhere.
#[test]
fn the_stored_state_is_the_state_but_for_what_is_volatile() {
    for seed in 0..200 {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut table = Table::new();
        for _ in 0..30 {
            let row = rng.random_range(1..4);
            let mut bindings = Vec::new();
            for (column, value) in [
                (2, text(["a", "bc", "def"][rng.random_range(0..3)])),
                (3, number(rng.random_range(0..10))),
                (4, number(rng.random_range(1..6))),
                (5, number(rng.random_range(1..7))),
            ] {
                if rng.random_bool(0.5) {
                    bindings.push((format!("2.1.{column}.{row}"), value));
                }
            }
            let bindings: Vec<(&str, OwnedValue)> = bindings.iter().map(|(n, v)| (n.as_str(), v.clone())).collect();
            if !bindings.is_empty() {
                let before = table.walk();
                if table.set(&bindings).is_err() {
                    assert_eq!(table.walk(), before, "seed {seed}");
                }
            }
            let table_scheme = &SCHEME.tables[0];
            for row in table.module.current().rows(0).values() {
                let is_active = row.status(table_scheme) == RowStatus::Active;
                assert!(!is_active || row.get(0).is_some(), "invariant_active_rows_are_complete, seed {seed}");
            }
        }
        let saved = table.module.save(Keep::Lasting);
        let elsewhere = Table::new();
        elsewhere.module.restore(&saved).unwrap();
        assert_eq!(elsewhere.module.save(Keep::Lasting), saved);
        assert_eq!(elsewhere.module.commits(), table.module.commits());
        let volatile: Vec<String> = table
            .walk()
            .into_iter()
            .filter(|(name, value)| name.starts_with("1.3.9.2.1.4.") && *value == number(2))
            .map(|(name, _)| name.rsplit('.').next().unwrap().to_owned())
            .collect();
        let lasting = |(name, _): &(String, OwnedValue)| {
            !name.starts_with("1.3.9.2.") || !volatile.contains(&name.rsplit('.').next().unwrap().to_owned())
        };
        let expected: Vec<_> = table.walk().into_iter().filter(lasting).collect();
        assert_eq!(elsewhere.walk(), expected, "seed {seed}");
    }
}

#[test]
fn octets_that_are_no_state_are_refused_whole() {
    let mut table = Table::new();
    for row in 1..=2 {
        let (name, status) = (format!("2.1.2.{row}"), format!("2.1.5.{row}"));
        table.set(&[(&name, text("a")), (&status, number(CREATE_AND_GO))]).unwrap();
    }
    let saved = table.module.save(Keep::Lasting);
    let decode = |octets: &[u8]| MibState::decode(&SCHEME, octets);
    assert_eq!(decode(&saved).map(Arc::new).unwrap(), table.module.current());
    for length in 0..saved.len() {
        assert_eq!(decode(&saved[..length]), Err(StateError::Truncated), "{length}");
    }
    assert_eq!(decode(&[&saved[..], &[0]].concat()), Err(StateError::TrailingOctets));
    let mut other = saved.clone();
    other[8] ^= 1;
    assert_eq!(decode(&other), Err(StateError::OtherModule("TEST-MIB")));
    let mut newer = saved.clone();
    newer[17] += 1;
    assert_eq!(decode(&newer), Err(StateError::OtherVersion { module: "TEST-MIB", found: 8, expected: 7 }));
    // Whatever one octet becomes: an error, or a state that is written so.
    let mut rng = StdRng::seed_from_u64(5);
    for at in 0..saved.len() {
        for _ in 0..8 {
            let mut mutated = saved.clone();
            mutated[at] = rng.random();
            if let Ok(state) = decode(&mutated) {
                assert_eq!(state.encode(&SCHEME, Keep::All), mutated, "octet {at}");
            }
        }
    }
    table.module.restore(&[]).unwrap_err();
    assert_eq!(table.get("2.1.2.1"), text("a"), "a refused state changes nothing");
}
