//! SNMP-USER-BASED-SM-MIB's own rules (RFC 3414 §5): cloning, protocols, key changes and whose they are, and which
//! users are in effect.

use std::sync::Arc;
use std::time::Instant;

use hamsa_snmp::agent::mibs::UsmMib;
use hamsa_snmp::agent::{Instrumentation, Keep, MibModule, MibView, Requester, SetError, StorageType};
use hamsa_snmp::engine::{EngineId, EngineStats, EngineTime, Name, security_model};
use hamsa_snmp::message::SecurityLevel;
use hamsa_snmp::pdu::ErrorStatus;
use hamsa_snmp::usm::{
    AuthProtocolId, Key, PrivProtocolId, UserKey, UsmUser, UsmUsers, change_key, localize, password_to_key,
};
use hamsa_snmp::{Oid, OwnedValue, VarBindBuf};

const ENTRY: &str = "1.3.6.1.6.3.15.1.2.2.1";
const ENGINE: [u8; 5] = [128, 0, 0, 0, 1];

struct Table {
    users: Arc<UsmUsers>,
    module: Arc<UsmMib>,
    view: MibView,
}

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn oid(text: &str) -> OwnedValue {
    OwnedValue::ObjectIdentifier(text.parse().unwrap())
}

fn number(n: i32) -> OwnedValue {
    OwnedValue::Integer(n)
}

fn octets(octets: &[u8]) -> OwnedValue {
    OwnedValue::OctetString(octets.into())
}

/// The instance identifier of a user at an engine.
fn index_at(engine: &[u8], user: &str) -> String {
    let dotted = |octets: &[u8]| octets.iter().map(|octet| format!(".{octet}")).collect::<String>();
    format!("{}{}.{}{}", engine.len(), dotted(engine), user.len(), dotted(user.as_bytes()))
}

fn index(user: &str) -> String {
    index_at(&ENGINE, user)
}

fn master(auth: AuthProtocolId, password: &str) -> Key {
    password_to_key(&*auth.built_in(), password.as_bytes()).unwrap()
}

fn user(user_name: &str) -> UsmUser {
    UsmUser {
        security_name: name(user_name),
        user_name: name(user_name),
        engine_id: None,
        auth: Some((AuthProtocolId::Sha1, UserKey::Master(master(AuthProtocolId::Sha1, "old password")))),
        privacy: Some((PrivProtocolId::Aes128, UserKey::Master(master(AuthProtocolId::Sha1, "old password")))),
    }
}

impl Table {
    /// With the active user `template`.
    fn new() -> Self {
        let engine = EngineId::new(&ENGINE).unwrap();
        let users = Arc::new(UsmUsers::new(engine, EngineTime { boots: 1, time: 0 }, Instant::now()));
        let module = Arc::new(UsmMib::of(users.clone(), Arc::new(EngineStats::default())));
        module.put_user(&user("template"), StorageType::NonVolatile).unwrap();
        let view = MibView::new();
        view.add(module.clone()).unwrap();
        Table { users, module, view }
    }

    fn set_as(&self, who: &str, bindings: &[(u32, &str, OwnedValue)]) -> Result<(), (ErrorStatus, usize)> {
        let mut list = VarBindBuf::new();
        for (column, user, value) in bindings {
            let name: Oid = format!("{ENTRY}.{column}.{}", index(user)).parse().unwrap();
            list.push(name.as_oid(), value.as_value());
        }
        let security_name = name(who);
        let requester = Requester {
            security_model: security_model::USM,
            security_name: &security_name,
            level: SecurityLevel::AuthPriv,
        };
        let done = self.view.set(Instant::now(), requester, list.as_list());
        done.map_err(|SetError { status, index }| (status, index))
    }

    fn set(&self, bindings: &[(u32, &str, OwnedValue)]) -> Result<(), (ErrorStatus, usize)> {
        self.set_as("operator", bindings)
    }

    fn get(&self, column: u32, user: &str) -> OwnedValue {
        let name: Oid = format!("{ENTRY}.{column}.{}", index(user)).parse().unwrap();
        let mut to = VarBindBuf::new();
        self.view.get(Instant::now(), name.as_oid(), &mut to).unwrap();
        to.iter().next().unwrap().value.to_owned()
    }

    fn clone_of(&self, user: &str) -> OwnedValue {
        oid(&format!("{ENTRY}.3.{}", index(user)))
    }
}

const CLONE_FROM: u32 = 4;
const AUTH_PROTOCOL: u32 = 5;
const AUTH_KEY_CHANGE: u32 = 6;
const OWN_AUTH_KEY_CHANGE: u32 = 7;
const PRIV_PROTOCOL: u32 = 8;
const PRIV_KEY_CHANGE: u32 = 9;
const STATUS: u32 = 13;

const NO_AUTH: &str = "1.3.6.1.6.3.10.1.1.1";
const NO_PRIV: &str = "1.3.6.1.6.3.10.1.2.1";
const SHA: &str = "1.3.6.1.6.3.10.1.1.3";
const MD5: &str = "1.3.6.1.6.3.10.1.1.2";
const AES: &str = "1.3.6.1.6.3.10.1.2.4";

#[test]
fn a_clone_has_the_protocols_and_keys_of_its_template() {
    let table = Table::new();
    table.set(&[(STATUS, "ann", number(4)), (CLONE_FROM, "ann", table.clone_of("template"))]).unwrap();
    assert_eq!(table.get(3, "ann"), octets(b"ann"), "usmUserSecurityName");
    assert_eq!(table.get(CLONE_FROM, "ann"), oid("0.0"));
    assert_eq!((table.get(AUTH_PROTOCOL, "ann"), table.get(PRIV_PROTOCOL, "ann")), (oid(SHA), oid(AES)));
    for column in [AUTH_KEY_CHANGE, OWN_AUTH_KEY_CHANGE, PRIV_KEY_CHANGE, 10] {
        assert_eq!(table.get(column, "ann"), octets(b""));
    }
    // A second cloning is accepted and does nothing, whatever it names.
    table.set(&[(CLONE_FROM, "ann", oid("0.0"))]).unwrap();
}

#[test]
fn only_an_active_user_can_be_cloned() {
    let table = Table::new();
    let refused = Err((ErrorStatus::INCONSISTENT_NAME, 1));
    table.set(&[(STATUS, "idle", number(5))]).unwrap();
    for from in [table.clone_of("nobody"), table.clone_of("idle"), table.clone_of("ann"), oid("0.0"), oid(ENTRY)] {
        assert_eq!(table.set(&[(STATUS, "ann", number(4)), (CLONE_FROM, "ann", from)]), refused);
    }
    // Step by step, as `snmpusm create`, `cloneFrom` and `activate` do it.
    table.set(&[(STATUS, "ann", number(5))]).unwrap();
    table.set(&[(CLONE_FROM, "ann", table.clone_of("template"))]).unwrap();
    table.set(&[(STATUS, "ann", number(1))]).unwrap();
    assert_eq!(table.get(STATUS, "ann"), number(1));
}

#[test]
fn protocols_are_given_up_in_order_and_not_exchanged() {
    let table = Table::new();
    let inconsistent = |at| Err((ErrorStatus::INCONSISTENT_VALUE, at));
    assert_eq!(table.set(&[(AUTH_PROTOCOL, "template", oid(MD5))]), inconsistent(0));
    assert_eq!(table.set(&[(AUTH_PROTOCOL, "template", oid("1.3.6.1"))]), Err((ErrorStatus::WRONG_VALUE, 0)));
    assert_eq!(table.set(&[(AUTH_PROTOCOL, "template", oid(AES))]), Err((ErrorStatus::WRONG_VALUE, 0)));
    assert_eq!(table.set(&[(AUTH_PROTOCOL, "template", oid(NO_AUTH))]), inconsistent(0), "privacy needs it");
    table.set(&[(AUTH_PROTOCOL, "template", oid(SHA))]).unwrap();
    let give_up = [(AUTH_PROTOCOL, "template", oid(NO_AUTH)), (PRIV_PROTOCOL, "template", oid(NO_PRIV))];
    table.set(&give_up).unwrap();
    assert_eq!(table.set(&[(PRIV_PROTOCOL, "template", oid(AES))]), inconsistent(0));
    // Without a protocol a key change succeeds and means nothing.
    table.set(&[(AUTH_KEY_CHANGE, "template", octets(b"?"))]).unwrap();
    // A user who is nobody's clone may choose protocols, but has no keys for them.
    table.set(&[(STATUS, "new", number(5)), (AUTH_PROTOCOL, "new", oid(SHA))]).unwrap();
    assert_eq!(table.get(STATUS, "new"), number(3), "notReady");
    assert_eq!(table.set(&[(AUTH_KEY_CHANGE, "new", octets(&[0; 40]))]), inconsistent(0), "nothing to change");
}

#[test]
fn keys_are_changed_by_the_difference_and_own_keys_by_their_owner() {
    let table = Table::new();
    let auth = AuthProtocolId::Sha1.built_in();
    let old = localize(&*auth, &master(AuthProtocolId::Sha1, "old password"), &ENGINE).unwrap();
    let change: Vec<u8> = (0..40).collect();
    assert_eq!(table.set(&[(AUTH_KEY_CHANGE, "template", octets(&[0; 39]))]), Err((ErrorStatus::WRONG_LENGTH, 0)));
    assert_eq!(table.set(&[(PRIV_KEY_CHANGE, "template", octets(&[0; 40]))]), Err((ErrorStatus::WRONG_LENGTH, 0)));
    let own = |who| table.set_as(who, &[(OWN_AUTH_KEY_CHANGE, "template", octets(&change))]);
    assert_eq!(own("operator"), Err((ErrorStatus::NO_ACCESS, 0)));
    let before = table.module.save(Keep::Lasting);
    own("template").unwrap();
    table.set(&[(PRIV_KEY_CHANGE, "template", octets(&change[..32]))]).unwrap();
    let saved = table.module.save(Keep::Lasting);
    let has = |state: &[u8], key: &Key| state.windows(key.as_octets().len()).any(|part| part == key.as_octets());
    let new = change_key(&*auth, &old, &change).unwrap();
    let old_priv = Key::new(&old.as_octets()[..16]).unwrap();
    let new_priv = change_key(&*auth, &old_priv, &change[..32]).unwrap();
    assert!(has(&before, &old) && !has(&saved, &old));
    assert!(has(&saved, &new) && has(&saved, &new_priv));
}

#[test]
fn a_user_is_in_effect_while_its_row_is_active() {
    let table = Table::new();
    let count = || format!("{:?}", table.users.user_names());
    assert_eq!(count(), r#"["template"]"#);
    table.set(&[(STATUS, "ann", number(4)), (CLONE_FROM, "ann", table.clone_of("template"))]).unwrap();
    assert_eq!(count(), r#"["ann", "template"]"#);
    table.set(&[(STATUS, "ann", number(2))]).unwrap();
    assert_eq!(count(), r#"["template"]"#);
    table.set(&[(STATUS, "ann", number(1)), (STATUS, "template", number(6))]).unwrap();
    assert_eq!(count(), r#"["ann"]"#);
    let elsewhere = Table::new();
    elsewhere.module.restore(&table.module.save(Keep::Lasting)).unwrap();
    assert_eq!(format!("{:?}", elsewhere.users.user_names()), r#"["ann"]"#);
}

#[test]
fn of_two_users_of_one_name_the_local_engines_counts() {
    let table = Table::new();
    let elsewhere = EngineId::new(&[128, 0, 0, 0, 2]).unwrap();
    table.module.put_user(&UsmUser { engine_id: Some(elsewhere), ..user("template") }, StorageType::Volatile).unwrap();
    table.module.put_user(&UsmUser { engine_id: Some(elsewhere), ..user("far") }, StorageType::Volatile).unwrap();
    assert_eq!(format!("{:?}", table.users.user_names()), r#"["far", "template"]"#);
    assert_eq!(table.users.engine_of(&name("template")), Some(EngineId::new(&ENGINE).unwrap()));
    table.set(&[(STATUS, "template", number(6))]).unwrap();
    assert_eq!(table.users.engine_of(&name("template")), Some(elsewhere));
}
