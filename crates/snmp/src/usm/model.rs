//! The user-based security model's elements of procedure (RFC 3414 §3).
//!
//! X1: nothing that a message says changes a clock before its digest has been verified. Who an
//! unauthenticated Report claims to be, and what time it tells, is passed on to the one that asked and
//! kept nowhere here.

use std::sync::Arc;
use std::time::Instant;

use smallvec::SmallVec;

use crate::ber::Writer;
use crate::engine::{
    Arrived, EngineId, EngineStats, EngineTime, Header, IncomingError, Name, Outgoing, OutgoingError, Parts, Secured,
    SecurityModel, SecurityState, Statistic, Unavailable, security_model,
};
use crate::limits::{MAX_KNOWN_ENGINES, MAX_MAC_OCTETS};
use crate::message::{MsgData, SecurityLevel, UsmParameters, V3Message, Version};
use crate::usm::clock::RemoteClock;
use crate::usm::users::{LocalizedKeys, UserKey, UsmUser, UsmUsers};
use crate::usm::{
    AuthProtocol, AuthProtocolId, DecryptInput, EncryptInput, KeyError, PrivError, PrivProtocol, PrivProtocolId,
    localize,
};
use crate::value::tag;

/// Where salts come from. No value may ever be given twice for one key: across restarts, module swaps and
/// hosts that share a key (X2). Sixty-four bits, some of them the host's own, are enough for that.
pub trait SaltSource: Send + Sync {
    /// The next salt; an error if its uniqueness can't be vouched for.
    fn next_salt(&self) -> Result<u64, String>;
}

/// The user-based security model.
pub struct Usm {
    users: Arc<UsmUsers>,
    stats: Arc<EngineStats>,
    salts: Arc<dyn SaltSource>,
    auth_protocols: Vec<Arc<dyn AuthProtocol>>,
    priv_protocols: Vec<Arc<dyn PrivProtocol>>,
}

const ZERO_MAC: [u8; MAX_MAC_OCTETS] = [0; MAX_MAC_OCTETS];

impl Usm {
    /// The model with every protocol of this crate.
    pub fn new(users: Arc<UsmUsers>, stats: Arc<EngineStats>, salts: Arc<dyn SaltSource>) -> Self {
        let mut usm = Usm::without_protocols(users, stats, salts);
        for id in AuthProtocolId::ALL {
            usm.install_auth(id.built_in());
        }
        for id in PrivProtocolId::ALL {
            usm.install_privacy(id.built_in());
        }
        usm
    }

    /// The model with no protocol: those that are needed are installed. Many engines in one process may so
    /// share them.
    pub fn without_protocols(users: Arc<UsmUsers>, stats: Arc<EngineStats>, salts: Arc<dyn SaltSource>) -> Self {
        Usm { users, stats, salts, auth_protocols: Vec::new(), priv_protocols: Vec::new() }
    }

    /// Installs an authentication protocol in the place of the one with its ID.
    pub fn install_auth(&mut self, protocol: Arc<dyn AuthProtocol>) {
        self.auth_protocols.retain(|installed| installed.id() != protocol.id());
        self.auth_protocols.push(protocol);
    }

    /// Installs a privacy protocol in the place of the one with its ID.
    pub fn install_privacy(&mut self, protocol: Arc<dyn PrivProtocol>) {
        self.priv_protocols.retain(|installed| installed.id() != protocol.id());
        self.priv_protocols.push(protocol);
    }

    fn auth(&self, id: AuthProtocolId) -> Result<&dyn AuthProtocol, OutgoingError> {
        let found = self.auth_protocols.iter().find(|protocol| protocol.id() == id);
        found.map(|protocol| &**protocol).ok_or_else(|| OutgoingError::UnknownAuthProtocol(id.to_string()))
    }

    fn privacy(&self, id: PrivProtocolId) -> Result<&dyn PrivProtocol, OutgoingError> {
        let found = self.priv_protocols.iter().find(|protocol| protocol.id() == id);
        found.map(|protocol| &**protocol).ok_or_else(|| OutgoingError::UnknownPrivProtocol(id.to_string()))
    }

    /// A user's keys for an engine, as far as this level needs them, and whether they were made just now.
    fn keys(
        &self,
        engine_id: EngineId,
        user: &Numbered,
        level: SecurityLevel,
    ) -> Result<(Arc<LocalizedKeys>, bool), OutgoingError> {
        let cached = self.users.lock().keys(engine_id, user.0);
        let privacy = user.1.privacy.as_ref().filter(|_| level.is_private());
        if let Some(keys) = cached.as_ref().filter(|keys| privacy.is_none() || keys.privacy.is_some()) {
            return Ok((keys.clone(), false));
        }
        // Outside the lock: Reeder's key extension hashes a megabyte.
        let mut keys = LocalizedKeys::default();
        if let Some((auth_id, auth_key)) = &user.1.auth {
            let auth = self.auth(*auth_id)?;
            let localized = |key: &UserKey| match key {
                UserKey::Master(key) => localize(auth, key, engine_id.as_octets()),
                UserKey::Localized(key) => Ok(key.clone()),
            };
            keys.auth = Some(localized(auth_key)?);
            if let Some((priv_id, priv_key)) = privacy {
                let privacy = self.privacy(*priv_id)?;
                let key = privacy.extend_key(auth, localized(priv_key)?.as_octets(), engine_id.as_octets());
                keys.privacy = Some(key.map_err(|error| match error {
                    KeyError::Unavailable(unavailable) => unavailable.into(),
                    other => OutgoingError::Privacy(other.to_string()),
                })?);
            }
        }
        Ok((Arc::new(keys), true))
    }

    /// Completes a message. `outgoing.engine_id` is authoritative, its clock says `time`.
    fn write(
        &self,
        signer: Option<&Numbered>,
        outgoing: &Securing<'_>,
        writer: &mut Writer<'_>,
    ) -> Result<(), OutgoingError> {
        let Header::V3(header) = outgoing.header else {
            return Err(OutgoingError::WrongVersion { version: Version::V2c });
        };
        let level = header.flags.level;
        let EngineTime { boots, time } = outgoing.time;
        let mut parameters = UsmParameters {
            engine_id: outgoing.engine_id.as_octets(),
            engine_boots: boots,
            engine_time: time,
            user_name: outgoing.user_name.as_octets(),
            auth: &[],
            privacy: &[],
        };
        if !level.is_authenticated() {
            parameters.encode(writer);
            header.encode(writer);
            writer.wrap(tag::SEQUENCE, 0);
            return Ok(());
        }
        let missing = |missing| OutgoingError::UnsupportedLevel { name: outgoing.user_name.clone(), level, missing };
        let signer = signer.ok_or_else(|| missing("authentication protocol"))?;
        let user = &signer.1;
        let (keys, is_new) = self.keys(outgoing.engine_id, signer, level)?;
        if is_new {
            self.users.lock().keep_keys(outgoing.engine_id, signer, &keys);
        }
        let (Some((auth_id, _)), Some(auth_key)) = (&user.auth, &keys.auth) else {
            return Err(missing("authentication protocol"));
        };
        let auth = self.auth(*auth_id)?;
        let salt;
        if level.is_private() {
            let (Some((priv_id, _)), Some(priv_key)) = (&user.privacy, &keys.privacy) else {
                return Err(missing("privacy protocol"));
            };
            let privacy = self.privacy(*priv_id)?;
            let plain = writer.written();
            let padding = privacy.padded_len(plain) - plain;
            writer.pad_end(padding);
            // Half a scoped PDU can't be encrypted, and no salt is worth it.
            writer.check()?;
            let input = EncryptInput {
                engine_boots: boots,
                engine_time: time,
                salt: self.salts.next_salt().map_err(OutgoingError::NoSalt)?,
            };
            salt = privacy.encrypt(priv_key.as_octets(), input, writer.written_mut()).map_err(|error| match error {
                PrivError::Unavailable(unavailable) => unavailable.into(),
                other => OutgoingError::Privacy(other.to_string()),
            })?;
            writer.wrap(tag::OCTET_STRING, 0);
            parameters.privacy = &salt;
        }
        parameters.auth = &ZERO_MAC[..auth.mac_len()];
        let digest_from_end = parameters.encode(writer);
        header.encode(writer);
        writer.wrap(tag::SEQUENCE, 0);
        let message = writer.written_mut();
        // A writer that has run out of room holds less; that it is void is told by its `finish`.
        if let Some(start) = message.len().checked_sub(digest_from_end) {
            let mac = auth.mac(auth_key.as_octets(), &[&*message])?;
            let place = start..(start + auth.mac_len()).min(message.len());
            let length = place.len();
            message[place].copy_from_slice(&mac.as_octets()[..length]);
        }
        Ok(())
    }

    fn reported(&self, statistic: Statistic, level: SecurityLevel, sender: &Sender) -> IncomingError {
        let value = self.stats.increment(statistic);
        let local = Sender { engine_id: self.users.local_engine(), level, ..sender.clone() };
        IncomingError::Reported { statistic, value, level, state: local.to_state() }
    }

    /// Steps (5) and (6) of RFC 3414 §3.2: the first of the users who could have sent the message and whose
    /// key made its digest.
    fn authenticate<'u>(
        &self,
        users: &'u [Numbered],
        engine_id: EngineId,
        signed: &Signed<'_>,
    ) -> Result<Option<Authentic<'u>>, Unavailable> {
        for user in users {
            // Making a key to decrypt with may cost a megabyte of hashing: not for who has not signed.
            let (keys, is_new) = match self.keys(engine_id, user, SecurityLevel::AuthNoPriv) {
                Ok(found) => found,
                Err(OutgoingError::Unavailable(unavailable)) => return Err(unavailable),
                Err(_) => continue,
            };
            let (Some((auth_id, _)), Some(key)) = (&user.1.auth, &keys.auth) else { continue };
            let Ok(auth) = self.auth(*auth_id) else { continue };
            let Some(zeros) = ZERO_MAC.get(..auth.mac_len()) else { continue };
            if auth.verify(key.as_octets(), &[signed.before, zeros, signed.after], signed.mac)? {
                return Ok(Some((user, keys, is_new)));
            }
        }
        Ok(None)
    }

    /// Step (7): whether the message is timely. Its digest has been verified.
    fn admit(&self, now: Instant, engine_id: EngineId, stated: EngineTime) -> bool {
        let mut inner = self.users.lock();
        if engine_id == self.users.local_engine() {
            return inner.clock.admits(now, stated);
        }
        if let Some(clock) = inner.clocks.get_mut(&engine_id) {
            return clock.admit(now, stated);
        }
        // An engine whose boots are used up is remembered as such (RFC 3414 §2.2.2): nothing older counts as new.
        let mut clock = RemoteClock::new(now, stated);
        let is_timely = clock.admit(now, stated);
        let room = inner.clocks.len() < MAX_KNOWN_ENGINES;
        if room {
            inner.clocks.insert(engine_id, clock);
        }
        room && is_timely
    }

    fn process(
        &self,
        now: Instant,
        outer: &V3Message,
        is_plain_report: bool,
        message: &mut [u8],
    ) -> Result<Secured, IncomingError> {
        let (parameters, digest) =
            UsmParameters::parse(message, outer.security_parameters.clone()).inspect_err(|_| {
                self.stats.increment(Statistic::InAsnParseErrors);
            })?;
        let level = outer.header.flags.level;
        let engine_id = EngineId::new(parameters.engine_id).expect("the decoder checks the length");
        let stated = EngineTime { boots: parameters.engine_boots, time: parameters.engine_time };
        let user_name = Name::within_limits(parameters.user_name);
        let privacy_parameters: SmallVec<[u8; 8]> = SmallVec::from_slice(parameters.privacy);
        let sender = Sender { engine_id, level, serial: 0, security_name: user_name.clone(), user_name };
        let report = |statistic| self.reported(statistic, SecurityLevel::NoAuthNoPriv, &sender);

        let is_local = engine_id == self.users.local_engine();
        if is_plain_report && !is_local && level == SecurityLevel::NoAuthNoPriv {
            let MsgData::Plain(data) = outer.data.clone() else { return Err(report(Statistic::DecryptionErrors)) };
            return Ok(sender.secured(data, stated));
        }
        // A message that may be reported on is for an authoritative engine: for us, or for nobody here.
        if engine_id.is_empty() || (!is_local && outer.header.flags.reportable) {
            return Err(report(Statistic::UnknownEngineIds));
        }
        let users = self.users.lock().by_user_name(sender.user_name.as_octets(), engine_id);
        if users.is_empty() {
            return Err(report(Statistic::UnknownUserNames));
        }
        let able: SmallVec<[Numbered; 1]> = users.into_iter().filter(|(_, user)| user.max_level() >= level).collect();
        let Some((_, first)) = able.first() else { return Err(report(Statistic::UnsupportedSecurityLevels)) };
        if !level.is_authenticated() {
            let MsgData::Plain(data) = outer.data.clone() else { return Err(report(Statistic::DecryptionErrors)) };
            // Nothing is signed with what this user was.
            let sender = Sender { security_name: first.security_name.clone(), ..sender };
            return Ok(sender.secured(data, stated));
        }
        let signed = Signed {
            before: &message[..digest.start],
            mac: &message[digest.clone()],
            after: &message[digest.end..outer.end],
        };
        let Some((numbered, mut keys, mut is_new)) = self.authenticate(&able, engine_id, &signed)? else {
            return Err(report(Statistic::WrongDigests));
        };
        let user = &numbered.1;
        let serial = self.users.lock().serial_of(numbered);
        let sender = Sender { security_name: user.security_name.clone(), serial, ..sender };
        if !self.admit(now, engine_id, stated) {
            return Err(self.reported(Statistic::NotInTimeWindows, SecurityLevel::AuthNoPriv, &sender));
        }
        let decryption_error = || self.reported(Statistic::DecryptionErrors, SecurityLevel::NoAuthNoPriv, &sender);
        if level.is_private() && keys.privacy.is_none() {
            (keys, is_new) = self.keys(engine_id, numbered, level).map_err(|error| match error {
                OutgoingError::Unavailable(unavailable) => unavailable.into(),
                _ => decryption_error(),
            })?;
        }
        if is_new {
            self.users.lock().keep_keys(engine_id, numbered, &keys);
        }
        let data = match outer.data.clone() {
            MsgData::Plain(data) if !level.is_private() => data,
            MsgData::Encrypted(data) if level.is_private() => {
                let (Some((priv_id, _)), Some(key)) = (&user.privacy, &keys.privacy) else {
                    return Err(decryption_error());
                };
                let privacy = self.privacy(*priv_id).map_err(|_| decryption_error())?;
                let input = DecryptInput {
                    engine_boots: stated.boots,
                    engine_time: stated.time,
                    privacy_parameters: &privacy_parameters,
                };
                let decrypted = privacy.decrypt(key.as_octets(), input, &mut message[data.clone()]);
                decrypted.map_err(|error| match error {
                    PrivError::Unavailable(unavailable) => unavailable.into(),
                    _ => decryption_error(),
                })?;
                data
            }
            _ => return Err(decryption_error()),
        };
        Ok(sender.secured(data, stated))
    }
}

impl SecurityModel for Usm {
    fn number(&self) -> u32 {
        security_model::USM
    }

    fn generate_request(&self, outgoing: &Outgoing<'_>, writer: &mut Writer<'_>) -> Result<(), OutgoingError> {
        let &Outgoing { now, header, engine_id, security_name, level, time_hint } = outgoing;
        if engine_id.is_empty() {
            // Discovery (RFC 3414 §4): nobody asks nobody.
            let time = EngineTime { boots: 0, time: 0 };
            let securing = Securing { header, engine_id, user_name: &Name::default(), time };
            return self.write(None, &securing, writer);
        }
        let (signer, time) = {
            let inner = self.users.lock();
            let signer = inner
                .by_security_name(security_name)
                .ok_or_else(|| OutgoingError::UnknownSecurityName(security_name.clone()))?;
            let time = if !level.is_authenticated() {
                None
            } else if engine_id == self.users.local_engine() {
                Some(inner.clock.now(now))
            } else {
                time_hint.or_else(|| Some(inner.clocks.get(&engine_id)?.now(now)))
            };
            (signer, time.unwrap_or(EngineTime { boots: 0, time: 0 }))
        };
        let securing = Securing { header, engine_id, user_name: &signer.1.user_name, time };
        self.write(Some(&signer), &securing, writer)
    }

    fn generate_response(
        &self,
        now: Instant,
        header: Header,
        state: &SecurityState,
        writer: &mut Writer<'_>,
    ) -> Result<(), OutgoingError> {
        let unreadable = || OutgoingError::UnknownSecurityName(Name::default());
        let sender = Sender::from_state(state).ok_or_else(unreadable)?;
        let (signer, time) = {
            let inner = self.users.lock();
            (inner.sender(&sender.security_name, sender.serial), inner.clock.now(now))
        };
        let engine_id = self.users.local_engine();
        let securing = Securing { header, engine_id, user_name: &sender.user_name, time };
        self.write(signer.as_ref(), &securing, writer)
    }

    fn process_incoming(&self, arrived: &Arrived<'_>, message: &mut [u8]) -> Result<Secured, IncomingError> {
        match arrived.parts {
            Parts::V3 { message: outer, is_plain_report } => {
                self.process(arrived.now, outer, *is_plain_report, message)
            }
            Parts::Community(_) => Err(IncomingError::UnknownCommunity),
        }
    }

    fn may_answer(&self, security_name: &Name, state: &SecurityState) -> bool {
        let Some(sender) = Sender::from_state(state) else { return false };
        if sender.level.is_authenticated() {
            return sender.security_name == *security_name;
        }
        let user = self.users.lock().by_security_name(security_name);
        user.is_some_and(|(_, user)| user.user_name == sender.user_name)
    }
}

/// A user and its place in the table.
type Numbered = (usize, Arc<UsmUser>);

/// Who has signed a message, with the keys for its engine, and whether these were made just now.
type Authentic<'u> = (&'u Numbered, Arc<LocalizedKeys>, bool);

/// What `Usm::write` puts into a message's security parameters.
struct Securing<'a> {
    header: Header,
    engine_id: EngineId,
    user_name: &'a Name,
    time: EngineTime,
}

/// The octets that a digest covers, around it.
struct Signed<'m> {
    before: &'m [u8],
    mac: &'m [u8],
    after: &'m [u8],
}

/// Who sent a message; what a [`SecurityState`] of this model holds.
#[derive(Clone)]
struct Sender {
    engine_id: EngineId,
    level: SecurityLevel,
    /// Which of the users who have had this name.
    serial: u64,
    security_name: Name,
    user_name: Name,
}

impl Sender {
    fn secured(self, data: std::ops::Range<usize>, stated: EngineTime) -> Secured {
        let state = self.to_state();
        Secured {
            security_name: self.security_name,
            engine_id: self.engine_id,
            level: self.level,
            data,
            context: None,
            state,
            engine_time: Some(stated),
        }
    }

    fn to_state(&self) -> SecurityState {
        let mut octets = SmallVec::new();
        octets.push(self.level as u8);
        octets.extend_from_slice(&self.serial.to_be_bytes());
        for field in [self.engine_id.as_octets(), self.security_name.as_octets(), self.user_name.as_octets()] {
            octets.push(field.len() as u8);
            octets.extend_from_slice(field);
        }
        SecurityState(octets)
    }

    fn from_state(state: &SecurityState) -> Option<Self> {
        let (&level, rest) = state.0.split_first()?;
        let (serial, mut rest) = rest.split_first_chunk()?;
        let mut field = || {
            let (&length, after) = rest.split_first()?;
            let (octets, after) = after.split_at_checked(usize::from(length))?;
            rest = after;
            Some(octets)
        };
        let level = match level {
            0 => SecurityLevel::NoAuthNoPriv,
            1 => SecurityLevel::AuthNoPriv,
            2 => SecurityLevel::AuthPriv,
            _ => return None,
        };
        Some(Sender {
            engine_id: EngineId::new(field()?).ok()?,
            level,
            serial: u64::from_be_bytes(*serial),
            security_name: Name::new(field()?).ok()?,
            user_name: Name::new(field()?).ok()?,
        })
    }
}
