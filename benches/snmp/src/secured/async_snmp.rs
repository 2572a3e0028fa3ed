//! async-snmp: what its agent does to send a response and its client to receive one, out of its public functions.
//! Its own code does a little more around them (counting, tracing, correlation); that is left out in its favour.

use async_snmp::ber::Decoder;
use async_snmp::message::{MsgFlags, MsgGlobalData, RawMsgData, RawV3Message, ScopedPdu, SecurityLevel, V3Message};
use async_snmp::v3::auth::{authenticate_message, verify_message};
use async_snmp::v3::{PrivKey, SaltCounter, UsmSecurityParams, in_authoritative_time_window, validate_engine_id};
use async_snmp::{
    AuthProtocol, DecodeConfig, LocalizedKey, MasterKeys, MessageSize, PrivProtocol, ResponsePdu, VarBind, Version,
};
use bytes::Bytes;

use super::{AUTH_PASSWORD, ENGINE_BOOTS, ENGINE_ID, ENGINE_TIME, MSG_ID, Ours, PRIVACY_PASSWORD, Secured, USER};
use crate::community::{tally, varbinds};
use crate::workload::{Binding, REQUEST_ID, Tally};

/// `async-snmp`.
pub struct AsyncSnmp {
    engine_id: Bytes,
    user: Bytes,
    auth_key: LocalizedKey,
    privacy_key: PrivKey,
    salts: SaltCounter,
    max_size: MessageSize,
    bindings: Vec<VarBind>,
    encoded: Vec<u8>,
    message: Bytes,
}

impl AsyncSnmp {
    /// For these bindings.
    pub fn new(bindings: &[Binding]) -> Self {
        let keys = MasterKeys::new(AuthProtocol::Sha256, AUTH_PASSWORD).expect("a long password");
        let keys = keys.with_privacy(PrivProtocol::Aes128, PRIVACY_PASSWORD).expect("a long password");
        let (auth_key, privacy_key) = keys.localize(ENGINE_ID).expect("a valid engine ID");
        AsyncSnmp {
            engine_id: Bytes::from_static(ENGINE_ID),
            user: Bytes::from_static(USER),
            auth_key,
            privacy_key: privacy_key.expect("made with privacy"),
            salts: SaltCounter::new().expect("randomness"),
            max_size: MessageSize::new(65_507).expect("a valid size"),
            bindings: varbinds(bindings),
            encoded: Vec::new(),
            message: Bytes::copy_from_slice(Ours::new(bindings).outgoing()),
        }
    }

    fn send(&self) -> async_snmp::Result<Vec<u8>> {
        let pdu = ResponsePdu::success(Version::V3, REQUEST_ID, self.bindings.clone())?;
        let header = MsgGlobalData::new(MSG_ID, self.max_size, MsgFlags::new(SecurityLevel::AuthPriv, false))?;
        let scoped = ScopedPdu::new(self.engine_id.clone(), Bytes::new(), pdu).encode_to_bytes()?;
        let encrypted = self.privacy_key.encrypt_aes(&scoped, ENGINE_BOOTS, ENGINE_TIME, &self.salts);
        let (encrypted, salt) = encrypted.expect("a valid key");
        let parameters = UsmSecurityParams::new(self.engine_id.clone(), ENGINE_BOOTS, ENGINE_TIME, self.user.clone())?;
        let parameters = parameters.with_auth_placeholder(self.auth_key.mac_len())?.with_priv_params(salt)?;
        let message = V3Message::new_with_opaque_encrypted_scoped_pdu(header, parameters.encode()?, encrypted)?;
        let mut message = message.encode()?.to_vec();
        let (start, length) = UsmSecurityParams::find_auth_params_offset(&message).expect("a place for the digest");
        authenticate_message(&self.auth_key, &mut message, start, length).expect("a valid key");
        Ok(message)
    }

    fn receive(&self, message: Bytes) -> async_snmp::Result<Tally> {
        let raw = RawV3Message::decode(message.clone(), DecodeConfig::DEFAULT)?.value;
        let parameters = UsmSecurityParams::decode(raw.security_params().clone(), DecodeConfig::DEFAULT)?.value;
        validate_engine_id(parameters.engine_id())?;
        parameters.validate_for_security_level(raw.security_level())?;
        assert!(*parameters.username() == self.user && *parameters.engine_id() == self.engine_id);
        let (start, length) = UsmSecurityParams::find_auth_params_offset(&message).expect("a digest");
        assert!(verify_message(&self.auth_key, &message, start, length).expect("a valid key"));
        let (boots, time) = (parameters.engine_boots(), parameters.engine_time());
        assert!(in_authoritative_time_window(ENGINE_BOOTS, ENGINE_TIME, boots, time));
        let RawMsgData::Encrypted(encrypted) = raw.msg_data() else { panic!("an encrypted message") };
        let scoped = self.privacy_key.decrypt(encrypted, boots, time, parameters.priv_params());
        let scoped = ScopedPdu::decode(&mut Decoder::new(scoped.expect("a valid message")))?;
        assert_eq!(raw.msg_id(), MSG_ID);
        Ok(tally(scoped.pdu.varbinds()))
    }
}

impl Secured for AsyncSnmp {
    fn outgoing(&mut self) -> &[u8] {
        self.encoded = self.send().expect("a valid response");
        &self.encoded
    }

    fn incoming(&mut self, message: &[u8]) -> Tally {
        self.receive(Bytes::copy_from_slice(message)).expect("an authentic message")
    }

    fn incoming_again(&mut self) -> Tally {
        self.receive(self.message.clone()).expect("an authentic message")
    }
}
