//! SNMP-USER-BASED-SM-MIB (RFC 3414 §5): users and their keys over [`UsmUsers`], which authenticates who is active here.
//!
//! Protocols are those of RFC 3414, RFC 3826, RFC 7860 and what else [`crate::usm`] has. A user who was cloned may be
//! active before its keys are changed: RFC 3414 asks for the change first, but net-snmp's `snmpusm` creates users
//! with one request and changes keys with the next.
//!
//! Left out: two users of one name at different engines can be configured, but only one of them (the local engine's,
//! else the first) is in effect, as a security name stands for one user here.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use crate::agent::index::{IndexValue, RowKey};
use crate::agent::mibs::name;
use crate::agent::row_status::{Refused, RowStatus, StorageType};
use crate::agent::scheme::{Column, IndexPart, Initial, Scalar, Scheme, Source, Syntax, TableScheme};
use crate::agent::state::{MibState, Row};
use crate::agent::tabular::{PutRowError, RowChange, Rules, Tabular};
use crate::engine::{EngineId, EngineStats, Name, Statistic, security_model};
use crate::limits::{MAX_KEY_OCTETS, MAX_TABLE_ROWS};
use crate::oid::OidRef;
use crate::pdu::ErrorStatus;
use crate::usm::{
    AuthProtocol, AuthProtocolId, Key, KeyError, PrivProtocolId, UserKey, UsmUser, UsmUsers, change_key, localize,
};
use crate::value::{OwnedValue, Value};

/// The rules of SNMP-USER-BASED-SM-MIB.
pub struct UsmRules {
    users: Arc<UsmUsers>,
    stats: Arc<EngineStats>,
}

/// SNMP-USER-BASED-SM-MIB.
pub type UsmMib = Tabular<UsmRules>;

/// A user can't be put into the table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PutUserError {
    /// The row does not fit.
    #[error(transparent)]
    Row(#[from] PutRowError),
    /// A key does not fit its protocol.
    #[error("key of user {user}: {error}")]
    Key {
        /// Whose.
        user: Name,
        /// What is wrong with it.
        error: KeyError,
    },
}

const USERS: usize = 0;

const SECURITY_NAME: usize = 0;
const CLONE_FROM: usize = 1;
const AUTH_PROTOCOL: usize = 2;
const AUTH_KEY_CHANGE: usize = 3;
const OWN_AUTH_KEY_CHANGE: usize = 4;
const PRIV_PROTOCOL: usize = 5;
const PRIV_KEY_CHANGE: usize = 6;
const OWN_PRIV_KEY_CHANGE: usize = 7;
const STORAGE: usize = 9;
const AUTH_KEY: usize = 11;
const PRIV_KEY: usize = 12;
const IS_CLONED: usize = 13;

/// `zeroDotZero`.
const ZERO: Initial = Initial::Oid(&[0]);
/// `usmNoAuthProtocol`, 1.3.6.1.6.3.10.1.1.1.
const NO_AUTH: &[u8] = &[0x2b, 6, 1, 6, 3, 10, 1, 1, 1];
/// `usmNoPrivProtocol`, 1.3.6.1.6.3.10.1.2.1.
const NO_PRIV: &[u8] = &[0x2b, 6, 1, 6, 3, 10, 1, 2, 1];
/// `usmUserSecurityName`, 1.3.6.1.6.3.15.1.2.2.1.3: the column by which `usmUserCloneFrom` names a row.
const SECURITY_NAME_COLUMN: OidRef<'static> = OidRef::from_checked(&[0x2b, 6, 1, 6, 3, 15, 1, 2, 2, 1, 3]);

const fn key_change(number: u32) -> Column {
    Column::new(number, Syntax::KeyChange).or(Initial::Octets(b""))
}

const fn counter(oid: &'static [u32]) -> Scalar {
    Scalar { oid, syntax: Syntax::Counter32, source: Source::Computed }
}

const COUNTERS: [Statistic; 6] = [
    Statistic::UnsupportedSecurityLevels,
    Statistic::NotInTimeWindows,
    Statistic::UnknownUserNames,
    Statistic::UnknownEngineIds,
    Statistic::WrongDigests,
    Statistic::DecryptionErrors,
];

pub(super) static SCHEME: Scheme = Scheme {
    name: "SNMP-USER-BASED-SM-MIB",
    version: 1,
    subtrees: &[&[1, 3, 6, 1, 6, 3, 15]],
    scalars: &[
        counter(&[1, 3, 6, 1, 6, 3, 15, 1, 1, 1]),
        counter(&[1, 3, 6, 1, 6, 3, 15, 1, 1, 2]),
        counter(&[1, 3, 6, 1, 6, 3, 15, 1, 1, 3]),
        counter(&[1, 3, 6, 1, 6, 3, 15, 1, 1, 4]),
        counter(&[1, 3, 6, 1, 6, 3, 15, 1, 1, 5]),
        counter(&[1, 3, 6, 1, 6, 3, 15, 1, 1, 6]),
        Scalar {
            oid: &[1, 3, 6, 1, 6, 3, 15, 1, 2, 1],
            syntax: Syntax::TestAndIncr,
            source: Source::Kept(Initial::Integer(0)),
        },
    ],
    tables: &[TableScheme {
        entry: &[1, 3, 6, 1, 6, 3, 15, 1, 2, 2, 1],
        index: &[IndexPart::Octets(5, 32), IndexPart::Octets(1, 32)],
        columns: &[
            Column::new(3, Syntax::Utf8(0, 255)).read_only(),
            Column::new(4, Syntax::Oid).or(ZERO),
            Column::new(5, Syntax::Oid).or(Initial::Oid(NO_AUTH)),
            key_change(6),
            key_change(7),
            Column::new(8, Syntax::Oid).or(Initial::Oid(NO_PRIV)),
            key_change(9),
            key_change(10),
            Column::new(11, Syntax::Octets(0, 32)).or(Initial::Octets(b"")),
            Column::storage(12),
            Column::status(13),
            Column::internal(Syntax::Octets(0, MAX_KEY_OCTETS)),
            Column::internal(Syntax::Octets(0, MAX_KEY_OCTETS)),
            Column::internal(Syntax::Integer(1, 1)),
        ],
        max_rows: MAX_TABLE_ROWS,
        is_stored: true,
    }],
};

impl Rules for UsmRules {
    fn scheme(&self) -> &'static Scheme {
        &SCHEME
    }

    fn computed(&self, _now: Instant, scalar: usize) -> Option<OwnedValue> {
        Some(OwnedValue::Counter32(self.stats.get(*COUNTERS.get(scalar)?)))
    }

    fn complete(&self, change: &mut RowChange<'_>) -> Result<bool, Refused> {
        let user_name = change.index[1].as_octets();
        change.row.set(SECURITY_NAME, OwnedValue::OctetString(user_name.into()));
        clone_user(change)?;
        change_protocols(change)?;
        for column in [AUTH_KEY_CHANGE, OWN_AUTH_KEY_CHANGE, PRIV_KEY_CHANGE, OWN_PRIV_KEY_CHANGE] {
            apply_key_change(change, column)?;
        }
        let user = Protocols::of(change.row);
        let has = |column| !change.row.octets(column).is_empty();
        Ok((user.auth.is_none() || has(AUTH_KEY)) && (user.privacy.is_none() || has(PRIV_KEY)))
    }

    fn publish(&self, before: &MibState, after: &MibState) {
        let (before, after) = (self.effective(before), self.effective(after));
        for user_name in before.keys().filter(|name| !after.contains_key(*name)) {
            self.users.remove(user_name);
        }
        for (user_name, (engine_id, row)) in &after {
            if before.get(user_name).is_some_and(|old| old.0 == *engine_id && Arc::ptr_eq(&old.1, row)) {
                continue;
            }
            let inserted = user(user_name, *engine_id, row).map(|user| self.users.insert(user));
            if !matches!(inserted, Some(Ok(()))) {
                // A stored state that makes no sense: nobody may speak in this name.
                self.users.remove(user_name);
            }
        }
    }
}

impl UsmRules {
    /// The users that are in effect, by name.
    fn effective(&self, state: &MibState) -> BTreeMap<Name, (EngineId, Arc<Row>)> {
        let scheme = &SCHEME.tables[USERS];
        let mut users = BTreeMap::new();
        for (key, row) in state.rows(USERS).iter().filter(|(_, row)| row.status(scheme) == RowStatus::Active) {
            let Some((engine_id, user_name)) = key
                .values(scheme.index)
                .and_then(|values| Some((EngineId::new(values[0].as_octets()).ok()?, name(values[1].as_octets()))))
            else {
                continue;
            };
            if engine_id == self.users.local_engine() {
                users.insert(user_name, (engine_id, row.clone()));
            } else {
                users.entry(user_name).or_insert_with(|| (engine_id, row.clone()));
            }
        }
        users
    }
}

impl UsmMib {
    /// The module over users, of whom it is the only source from now on.
    pub fn of(users: Arc<UsmUsers>, stats: Arc<EngineStats>) -> Self {
        Tabular::new(UsmRules { users, stats })
    }

    /// Adds a user from a configuration, or replaces the one of this engine and name; its security name is not looked
    /// at, since here it is the user name. A user without an engine is the local one's. Keys are localized, which may
    /// take some milliseconds.
    pub fn put_user(&self, user: &UsmUser, storage: StorageType) -> Result<(), PutUserError> {
        let engine_id = user.engine_id.unwrap_or(self.rules.users.local_engine());
        let key_error = |error| PutUserError::Key { user: user.user_name.clone(), error };
        let mut cells = vec![
            (SECURITY_NAME, OwnedValue::OctetString(user.user_name.as_octets().into())),
            (STORAGE, OwnedValue::Integer(storage as i32)),
        ];
        if let Some((auth_id, auth_key)) = &user.auth {
            let auth = auth_id.built_in();
            let localized = |key: &UserKey| match key {
                UserKey::Master(key) => localize(&*auth, key, engine_id.as_octets()),
                UserKey::Localized(key) => Ok(key.clone()),
            };
            cells.push((AUTH_PROTOCOL, OwnedValue::ObjectIdentifier(auth_id.oid().to_owned())));
            cells.push((AUTH_KEY, secret(&localized(auth_key).map_err(|error| key_error(error.into()))?)));
            if let Some((priv_id, priv_key)) = &user.privacy {
                let key = localized(priv_key).map_err(|error| key_error(error.into()))?;
                let key = priv_id.built_in().extend_key(&*auth, key.as_octets(), engine_id.as_octets());
                cells.push((PRIV_PROTOCOL, OwnedValue::ObjectIdentifier(priv_id.oid().to_owned())));
                cells.push((PRIV_KEY, secret(&key.map_err(key_error)?)));
            }
        }
        let index = [IndexValue::octets(engine_id.as_octets()), IndexValue::octets(user.user_name.as_octets())];
        Ok(self.put_row(USERS, &index, cells)?)
    }
}

/// A user's protocols.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Protocols {
    auth: Option<AuthProtocolId>,
    privacy: Option<PrivProtocolId>,
}

impl Protocols {
    fn of(row: &Row) -> Self {
        let oid = |column| if let Some(Value::ObjectIdentifier(oid)) = row.get(column) { oid } else { OidRef::ZERO };
        Protocols {
            auth: AuthProtocolId::from_oid(oid(AUTH_PROTOCOL)),
            privacy: PrivProtocolId::from_oid(oid(PRIV_PROTOCOL)),
        }
    }
}

/// `usmUserCloneFrom`: at the first time it is set, protocols and keys become those of another, active user.
fn clone_user(change: &mut RowChange<'_>) -> Result<(), Refused> {
    // Whatever was set, it reads as zeroDotZero.
    change.row.set(CLONE_FROM, OwnedValue::ObjectIdentifier(OidRef::ZERO.to_owned()));
    let Some(OwnedValue::ObjectIdentifier(pointer)) = change.assigned(CLONE_FROM).map(|value| value.to_owned()) else {
        return Ok(());
    };
    if change.row.get(IS_CLONED).is_some() {
        return Ok(());
    }
    let refused = Refused::column(CLONE_FROM, ErrorStatus::INCONSISTENT_NAME);
    let key = RowKey::from_suffix(pointer.as_oid().strip_prefix(SECURITY_NAME_COLUMN).ok_or(refused)?);
    let other = change.state.rows(USERS).get(&key).ok_or(refused)?;
    if other.status(&SCHEME.tables[USERS]) != RowStatus::Active {
        return Err(refused);
    }
    // What the same SET assigns to the protocols is looked at next, as a change of the cloned ones.
    for column in [AUTH_PROTOCOL, AUTH_KEY, PRIV_PROTOCOL, PRIV_KEY] {
        let is_assigned = change.assigned(column).is_some();
        match other.get(column).map(|value| value.to_owned()) {
            Some(_) if is_assigned => {}
            Some(value) => change.row.set(column, value),
            None => change.row.unset(column),
        }
    }
    change.row.set(IS_CLONED, OwnedValue::Integer(1));
    let before = Protocols::of(other);
    check_protocols(change, Some(before))
}

/// `usmUserAuthProtocol` and `usmUserPrivProtocol`: chosen freely at creation, afterwards only given up.
fn change_protocols(change: &mut RowChange<'_>) -> Result<(), Refused> {
    let before = change.before.map(Protocols::of);
    let was_cloned_now =
        change.row.get(IS_CLONED).is_some() && change.before.is_none_or(|row| row.get(IS_CLONED).is_none());
    if !was_cloned_now {
        check_protocols(change, before)?;
    }
    let user = Protocols::of(change.row);
    if user.auth.is_none() {
        change.row.unset(AUTH_KEY);
    }
    if user.privacy.is_none() {
        change.row.unset(PRIV_KEY);
    }
    Ok(())
}

/// `before`: what the protocols are a change of; `None` for those of a new user who is nobody's clone.
fn check_protocols(change: &RowChange<'_>, before: Option<Protocols>) -> Result<(), Refused> {
    let user = Protocols::of(change.row);
    for (column, none, is_none, is_same) in [
        (AUTH_PROTOCOL, NO_AUTH, user.auth.is_none(), before.is_none_or(|before| before.auth == user.auth)),
        (PRIV_PROTOCOL, NO_PRIV, user.privacy.is_none(), before.is_none_or(|before| before.privacy == user.privacy)),
    ] {
        let Some(Value::ObjectIdentifier(oid)) = change.assigned(column) else { continue };
        if is_none && oid.as_ber() != none {
            return Err(Refused::column(column, ErrorStatus::WRONG_VALUE));
        }
        if !is_none && !is_same {
            return Err(Refused::column(column, ErrorStatus::INCONSISTENT_VALUE));
        }
    }
    if user.auth.is_none() && user.privacy.is_some() {
        let column = if change.assigned(AUTH_PROTOCOL).is_some() { AUTH_PROTOCOL } else { PRIV_PROTOCOL };
        return Err(Refused::column(column, ErrorStatus::INCONSISTENT_VALUE));
    }
    Ok(())
}

/// `usmUserAuthKeyChange` and its like (RFC 3414 §5).
fn apply_key_change(change: &mut RowChange<'_>, column: usize) -> Result<(), Refused> {
    let Some(value) = change.assigned(column).map(|value| value.to_owned()) else { return Ok(()) };
    let Value::OctetString(value) = value.as_value() else { return Ok(()) };
    let refused = |status| Refused::column(column, status);
    if matches!(column, OWN_AUTH_KEY_CHANGE | OWN_PRIV_KEY_CHANGE) {
        let requester = change.set.requester;
        let is_own = requester.security_model == security_model::USM
            && requester.security_name.as_octets() == change.row.octets(SECURITY_NAME);
        if !is_own {
            return Err(refused(ErrorStatus::NO_ACCESS));
        }
        if change.before.map(|row| row.status(&SCHEME.tables[USERS])) != Some(RowStatus::Active) {
            return Err(refused(ErrorStatus::INCONSISTENT_VALUE));
        }
    }
    let user = Protocols::of(change.row);
    // Where there is no protocol the change succeeds and means nothing.
    let Some(auth) = user.auth.map(AuthProtocolId::built_in) else { return Ok(()) };
    let is_auth = matches!(column, AUTH_KEY_CHANGE | OWN_AUTH_KEY_CHANGE);
    let (key_column, length) = match user.privacy.map(PrivProtocolId::built_in) {
        _ if is_auth => (AUTH_KEY, auth.digest_len()),
        Some(privacy) => (PRIV_KEY, privacy.key_len()),
        None => return Ok(()),
    };
    let old = Key::new(change.row.octets(key_column)).map_err(|_| refused(ErrorStatus::INCONSISTENT_VALUE))?;
    if old.as_octets().is_empty() {
        return Err(refused(ErrorStatus::INCONSISTENT_VALUE));
    }
    if value.len() != 2 * length || old.as_octets().len() != length {
        return Err(refused(ErrorStatus::WRONG_LENGTH));
    }
    let key = change_key(&*auth, &old, value).ok_or(refused(ErrorStatus::WRONG_LENGTH))?;
    if !is_auth {
        check_priv_key(user.privacy, &*auth, &key, change.index[0].as_octets()).map_err(refused)?;
    }
    change.row.set(key_column, secret(&key));
    Ok(())
}

/// Some keys are too weak for their protocol.
fn check_priv_key(
    privacy: Option<PrivProtocolId>,
    auth: &dyn AuthProtocol,
    key: &Key,
    engine_id: &[u8],
) -> Result<(), ErrorStatus> {
    let Some(privacy) = privacy else { return Ok(()) };
    privacy.built_in().extend_key(auth, key.as_octets(), engine_id).map(drop).map_err(|_| ErrorStatus::WRONG_VALUE)
}

fn secret(key: &Key) -> OwnedValue {
    OwnedValue::OctetString(key.as_octets().into())
}

/// The user that a row is.
fn user(user_name: &Name, engine_id: EngineId, row: &Row) -> Option<UsmUser> {
    let protocols = Protocols::of(row);
    let key = |column| Some(UserKey::Localized(Key::new(row.octets(column)).ok()?));
    Some(UsmUser {
        security_name: user_name.clone(),
        user_name: user_name.clone(),
        engine_id: Some(engine_id),
        auth: match protocols.auth {
            Some(id) => Some((id, key(AUTH_KEY)?)),
            None => None,
        },
        privacy: match protocols.privacy {
            Some(id) => Some((id, key(PRIV_KEY)?)),
            None => None,
        },
    })
}
