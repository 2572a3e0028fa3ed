//! The users and engines that the USM knows (RFC 3414 §2.1, its "local configuration datastore"). A host
//! resource: it outlives the module that uses it, so a new version goes on with the same keys and clocks.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Instant;

use smallvec::SmallVec;

use crate::engine::{EngineId, EngineTime, Name};
use crate::limits::{MAX_KNOWN_ENGINES, MAX_RETIRED_USERS, MAX_USERS_OF_ONE_NAME};
use crate::message::SecurityLevel;
use crate::usm::clock::{LocalClock, RemoteClock};
use crate::usm::{AuthProtocolId, Key, PrivProtocolId};

/// A user's key, as far as it is bound to an engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UserKey {
    /// Made from a password, good for any engine (RFC 3414 §2.6's Ku).
    Master(Key),
    /// Localized for one engine (Kul), which [`UsmUser::engine_id`] names.
    Localized(Key),
}

/// A user and its secrets.
#[derive(Debug, Clone)]
pub struct UsmUser {
    /// By which name the rest of the system knows these credentials; unique.
    pub security_name: Name,
    /// The name in messages. Different engines may know different users of one name.
    pub user_name: Name,
    /// The only engine that knows this user; any, if `None`.
    pub engine_id: Option<EngineId>,
    /// How it authenticates, if it does.
    pub auth: Option<(AuthProtocolId, UserKey)>,
    /// How it encrypts, if it does.
    pub privacy: Option<(PrivProtocolId, UserKey)>,
}

impl UsmUser {
    /// The most that the user's messages can be secured.
    pub fn max_level(&self) -> SecurityLevel {
        match (&self.auth, &self.privacy) {
            (None, _) => SecurityLevel::NoAuthNoPriv,
            (Some(_), None) => SecurityLevel::AuthNoPriv,
            (Some(_), Some(_)) => SecurityLevel::AuthPriv,
        }
    }
}

/// A user can't be added.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddUserError {
    /// RFC 3414 knows no privacy without authentication.
    #[error("user {0} has a privacy protocol but no authentication protocol")]
    PrivacyWithoutAuthentication(Name),
    /// Each of them would have to be tried for every message in that name.
    #[error("more than {MAX_USERS_OF_ONE_NAME} users have the name {0}")]
    TooManyOfOneName(Name),
    /// A localized key fits one engine only.
    #[error("user {0} has a localized key but names no engine")]
    LocalizedWithoutEngine(Name),
}

/// A user's keys for one engine.
#[derive(Clone, Default)]
pub(super) struct LocalizedKeys {
    pub(super) auth: Option<Key>,
    pub(super) privacy: Option<Key>,
}

/// Users, localized keys and clocks.
pub struct UsmUsers {
    local: EngineId,
    inner: Mutex<Inner>,
}

pub(super) struct Inner {
    local: EngineId,
    pub(super) clock: LocalClock,
    users: Vec<Option<Arc<UsmUser>>>,
    /// Which user has been in each place: no number comes twice.
    serials: Vec<u64>,
    next_serial: u64,
    /// The last users that were replaced or removed. A message that one of them sent is still answered with the keys
    /// that it came with (RFC 3414 §3.1 (1), `securityStateReference`): the SET that changes the sender's own keys.
    retired: VecDeque<(u64, Arc<UsmUser>)>,
    by_security_name: HashMap<Name, usize>,
    by_user_name: HashMap<Name, SmallVec<[usize; 1]>>,
    keys: HashMap<(EngineId, usize), Arc<LocalizedKeys>>,
    pub(super) clocks: HashMap<EngineId, RemoteClock>,
}

impl fmt::Debug for UsmUsers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UsmUsers of {}", self.local)
    }
}

impl UsmUsers {
    /// No users yet. The local engine's clock says `at_start` at `started`; its boots must be more than at
    /// any earlier start of the same engine ID (RFC 3414 §2.2.1).
    pub fn new(local: EngineId, at_start: EngineTime, started: Instant) -> Self {
        let inner = Inner {
            local,
            clock: LocalClock::new(at_start, started),
            users: Vec::new(),
            serials: Vec::new(),
            next_serial: 1,
            retired: VecDeque::new(),
            by_security_name: HashMap::new(),
            by_user_name: HashMap::new(),
            keys: HashMap::new(),
            clocks: HashMap::new(),
        };
        UsmUsers { local, inner: Mutex::new(inner) }
    }

    /// The local engine.
    pub fn local_engine(&self) -> EngineId {
        self.local
    }

    /// The local engine's boots and time.
    pub fn local_time(&self, now: Instant) -> EngineTime {
        self.lock().clock.now(now)
    }

    /// What is known of another engine's time.
    pub fn remote_time(&self, now: Instant, engine_id: &EngineId) -> Option<EngineTime> {
        Some(self.lock().clocks.get(engine_id)?.now(now))
    }

    /// How many other engines' times are kept.
    pub fn clock_count(&self) -> usize {
        self.lock().clocks.len()
    }

    /// For how many pairs of engine and user localized keys are kept.
    pub fn key_count(&self) -> usize {
        self.lock().keys.len()
    }

    /// The users' security names, in order.
    pub fn user_names(&self) -> Vec<Name> {
        let mut names: Vec<Name> = self.lock().by_security_name.keys().cloned().collect();
        names.sort();
        names
    }

    /// The only engine that knows the user of this security name, if there is such a user and engine.
    pub fn engine_of(&self, security_name: &Name) -> Option<EngineId> {
        self.lock().by_security_name(security_name)?.1.engine_id
    }

    /// Forgets another engine's time, so that the next authentic message from it sets it anew: for an
    /// operator whose device came back with fewer boots than before.
    pub fn forget_engine(&self, engine_id: &EngineId) {
        self.lock().clocks.remove(engine_id);
    }

    /// Adds a user, or replaces the one of the same security name; nothing changes where there is an error. Several
    /// engines of one process may share it.
    pub fn insert(&self, user: impl Into<Arc<UsmUser>>) -> Result<(), AddUserError> {
        let user = user.into();
        if user.privacy.is_some() && user.auth.is_none() {
            return Err(AddUserError::PrivacyWithoutAuthentication(user.security_name.clone()));
        }
        let keys = [user.auth.as_ref().map(|(_, key)| key), user.privacy.as_ref().map(|(_, key)| key)];
        if user.engine_id.is_none() && keys.into_iter().flatten().any(|key| matches!(key, UserKey::Localized(_))) {
            return Err(AddUserError::LocalizedWithoutEngine(user.security_name.clone()));
        }
        let mut inner = self.lock();
        let replaced =
            inner.by_security_name(&user.security_name).is_some_and(|(_, old)| old.user_name == user.user_name);
        let namesakes = inner.by_user_name.get(&user.user_name).map_or(0, SmallVec::len) - usize::from(replaced);
        if namesakes >= MAX_USERS_OF_ONE_NAME {
            return Err(AddUserError::TooManyOfOneName(user.user_name.clone()));
        }
        inner.remove(&user.security_name);
        let index = inner.users.iter().position(Option::is_none).unwrap_or(inner.users.len());
        inner.by_security_name.insert(user.security_name.clone(), index);
        inner.by_user_name.entry(user.user_name.clone()).or_default().push(index);
        if index == inner.users.len() {
            inner.users.push(None);
            inner.serials.push(0);
        }
        inner.serials[index] = inner.next_serial;
        inner.next_serial += 1;
        inner.users[index] = Some(user);
        Ok(())
    }

    /// Removes a user.
    pub fn remove(&self, security_name: &Name) {
        self.lock().remove(security_name);
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("no panic under this lock")
    }
}

impl Inner {
    /// The user that these credentials are.
    pub(super) fn by_security_name(&self, name: &Name) -> Option<(usize, Arc<UsmUser>)> {
        let &index = self.by_security_name.get(name)?;
        Some((index, self.users[index].clone()?))
    }

    /// Tells a user apart from its predecessors and successors; 0 for one that is in the table no more.
    pub(super) fn serial_of(&self, user: &(usize, Arc<UsmUser>)) -> u64 {
        let present = self.users.get(user.0).and_then(Option::as_ref);
        if let Some(present) = present
            && Arc::ptr_eq(present, &user.1)
        {
            return self.serials[user.0];
        }
        self.retired.iter().rev().find(|(_, retired)| Arc::ptr_eq(retired, &user.1)).map_or(0, |(serial, _)| *serial)
    }

    /// The user that sent a message: who it was then, if that is still known, or who has its name now. One that is gone
    /// is in no place of the table.
    pub(super) fn sender(&self, name: &Name, serial: u64) -> Option<(usize, Arc<UsmUser>)> {
        let present = self.by_security_name(name);
        if present.as_ref().is_some_and(|(index, _)| self.serials[*index] == serial) {
            return present;
        }
        let retired = self.retired.iter().find(|(known, _)| *known == serial);
        retired.map(|(_, user)| (usize::MAX, user.clone())).or(present)
    }

    /// The users whom an engine may know by this name.
    pub(super) fn by_user_name(&self, user_name: &[u8], engine_id: EngineId) -> SmallVec<[(usize, Arc<UsmUser>); 1]> {
        let indexes = self.by_user_name.get(user_name).into_iter().flatten();
        indexes
            .filter_map(|&index| Some((index, self.users[index].clone()?)))
            .filter(|(_, user)| user.engine_id.is_none_or(|only| only == engine_id))
            .collect()
    }

    /// The cached keys of a user for an engine.
    pub(super) fn keys(&self, engine_id: EngineId, user: usize) -> Option<Arc<LocalizedKeys>> {
        self.keys.get(&(engine_id, user)).cloned()
    }

    /// Keeps keys for the local engine or one that has authenticated itself, if there is room. Those for other
    /// engines are made anew each time: anyone could fill the table with engines that do not exist.
    pub(super) fn keep_keys(&mut self, engine_id: EngineId, user: &(usize, Arc<UsmUser>), keys: &Arc<LocalizedKeys>) {
        let &(index, ref user) = user;
        let is_proven = engine_id == self.local || self.clocks.contains_key(&engine_id);
        // A user that was replaced while its keys were made must not leave the old ones behind.
        let present = self.users.get(index).and_then(Option::as_ref);
        let is_present = present.is_some_and(|present| Arc::ptr_eq(present, user));
        if is_proven && is_present && self.keys.len() < MAX_KNOWN_ENGINES {
            self.keys.insert((engine_id, index), keys.clone());
        }
    }

    fn remove(&mut self, security_name: &Name) {
        let Some(index) = self.by_security_name.remove(security_name) else { return };
        let Some(user) = self.users[index].take() else { return };
        self.keys.retain(|&(_, user), _| user != index);
        if self.retired.len() == MAX_RETIRED_USERS {
            self.retired.pop_front();
        }
        self.retired.push_back((self.serials[index], user.clone()));
        if let Some(indexes) = self.by_user_name.get_mut(&user.user_name) {
            indexes.retain(|i| *i != index);
            if indexes.is_empty() {
                self.by_user_name.remove(&user.user_name);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(security_name: String, user_name: &str) -> UsmUser {
        let (security_name, user_name) = (Name::new(security_name).unwrap(), Name::new(user_name).unwrap());
        UsmUser { security_name, user_name, engine_id: None, auth: None, privacy: None }
    }

    #[test]
    fn a_user_that_can_not_be_replaced_stays() {
        let users = UsmUsers::new(EngineId::EMPTY, EngineTime { boots: 1, time: 0 }, Instant::now());
        for i in 0..MAX_USERS_OF_ONE_NAME {
            users.insert(user(format!("crowd {i}"), "crowd")).unwrap();
        }
        users.insert(user("alone".into(), "alone")).unwrap();
        let refused = AddUserError::TooManyOfOneName(Name::new("crowd").unwrap());
        assert_eq!(users.insert(user("alone".into(), "crowd")), Err(refused));
        assert_eq!(users.lock().by_user_name(b"alone", EngineId::EMPTY).len(), 1);
        // One of the crowd can be replaced by another, and by somebody else.
        users.insert(user("crowd 7".into(), "crowd")).unwrap();
        users.insert(user("crowd 7".into(), "gone")).unwrap();
        users.insert(user("alone".into(), "crowd")).unwrap();
        assert_eq!(users.lock().by_user_name(b"crowd", EngineId::EMPTY).len(), MAX_USERS_OF_ONE_NAME);
        assert!(users.lock().by_user_name(b"alone", EngineId::EMPTY).is_empty());
    }

    #[test]
    fn users_that_come_and_go_leave_nothing_behind() {
        let users = UsmUsers::new(EngineId::EMPTY, EngineTime { boots: 1, time: 0 }, Instant::now());
        for i in 0..100 {
            users.insert(user("one".into(), &format!("name {i}"))).unwrap();
        }
        users.remove(&Name::new("one").unwrap());
        let inner = users.lock();
        assert_eq!((inner.by_user_name.len(), inner.by_security_name.len(), inner.users.len()), (0, 0, 1));
    }
}
