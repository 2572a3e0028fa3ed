//! Privacy protocols (RFC 3414 §8, RFC 3826 and the drafts that are in use).

use std::sync::Arc;

use hamsa_snmp::engine::Unavailable;
use hamsa_snmp::usm::{
    AuthProtocol, DecryptInput, EncryptInput, Key, KeyError, PRIVACY_PARAMETERS_OCTETS, PrivError, PrivProtocol,
    PrivProtocolId,
};
use hamsa_swap::{CallError, Candidate, Kind, ModuleId, Package, Proxy, kind};

use super::{BuiltIn, unavailable, version};

/// What goes into `msgPrivacyParameters`.
type Parameters = [u8; PRIVACY_PARAMETERS_OCTETS];

/// See [`PrivProtocol`].
#[kind("privacy protocol")]
pub trait PrivProtocolModule {
    /// Makes the protocol's key of a localized one.
    #[typed_only]
    fn extend_key(
        &self,
        auth: &dyn AuthProtocol,
        localized: &[u8],
        engine_id: &[u8],
    ) -> Result<Result<Key, KeyError>, CallError>;

    /// Encrypts in place.
    #[typed_only]
    fn encrypt(
        &self,
        key: &[u8],
        input: EncryptInput,
        data: &mut [u8],
    ) -> Result<Result<Parameters, PrivError>, CallError>;

    /// Decrypts in place.
    #[typed_only]
    fn decrypt(&self, key: &[u8], input: DecryptInput<'_>, data: &mut [u8])
    -> Result<Result<(), PrivError>, CallError>;
}

impl PrivProtocolModule for BuiltIn<Arc<dyn PrivProtocol>> {
    fn extend_key(
        &self,
        auth: &dyn AuthProtocol,
        localized: &[u8],
        engine_id: &[u8],
    ) -> Result<Result<Key, KeyError>, CallError> {
        Ok(self.model.extend_key(auth, localized, engine_id))
    }

    fn encrypt(
        &self,
        key: &[u8],
        input: EncryptInput,
        data: &mut [u8],
    ) -> Result<Result<Parameters, PrivError>, CallError> {
        Ok(self.model.encrypt(key, input, data))
    }

    fn decrypt(
        &self,
        key: &[u8],
        input: DecryptInput<'_>,
        data: &mut [u8],
    ) -> Result<Result<(), PrivError>, CallError> {
        Ok(self.model.decrypt(key, input, data))
    }
}

/// A privacy protocol that is a module.
pub struct SwappablePrivacy {
    /// For what never changes: identity and lengths.
    shape: Arc<dyn PrivProtocol>,
    proxy: Proxy<dyn PrivProtocolModule>,
}

impl SwappablePrivacy {
    /// The protocol of this identity; its lengths are the same in every version.
    pub fn new(id: PrivProtocolId, proxy: Proxy<dyn PrivProtocolModule>) -> Self {
        SwappablePrivacy { shape: id.built_in(), proxy }
    }
}

impl PrivProtocol for SwappablePrivacy {
    fn id(&self) -> PrivProtocolId {
        self.shape.id()
    }

    fn key_len(&self) -> usize {
        self.shape.key_len()
    }

    fn padded_len(&self, len: usize) -> usize {
        self.shape.padded_len(len)
    }

    fn extend_key(&self, auth: &dyn AuthProtocol, localized: &[u8], engine_id: &[u8]) -> Result<Key, KeyError> {
        let served = self.proxy.extend_key(auth, localized, engine_id);
        served.unwrap_or_else(|error| Err(unavailable(&error).into()))
    }

    fn encrypt(&self, key: &[u8], input: EncryptInput, data: &mut [u8]) -> Result<Parameters, PrivError> {
        let served = self.proxy.encrypt(key, input, data);
        served.unwrap_or_else(|error| Err(Unavailable(error.to_string()).into()))
    }

    fn decrypt(&self, key: &[u8], input: DecryptInput<'_>, data: &mut [u8]) -> Result<(), PrivError> {
        let served = self.proxy.decrypt(key, input, data);
        served.unwrap_or_else(|error| Err(unavailable(&error).into()))
    }
}

/// The built-in module of a protocol.
pub fn priv_package(of: PrivProtocolId, minor: u32) -> Package {
    let id = ModuleId::new(<dyn PrivProtocolModule>::NAME, of.name());
    Package::built_in(id, version(minor), move || {
        Ok(Candidate::new::<dyn PrivProtocolModule, _>(BuiltIn::new(of.built_in(), minor, there_and_back)))
    })
}

/// What is encrypted is something else, and is decrypted to what it was.
fn there_and_back(protocol: &Arc<dyn PrivProtocol>) -> Result<(), String> {
    // Three different parts, as 3DES wants them.
    let key: Vec<u8> = (1..).map(|n: u8| n.wrapping_mul(37)).take(protocol.key_len()).collect();
    let plain = vec![0x5a; protocol.padded_len(40)];
    let mut data = plain.clone();
    let input = EncryptInput { engine_boots: 7, engine_time: 11, salt: 13 };
    let parameters = protocol.encrypt(&key, input, &mut data).map_err(|error| error.to_string())?;
    if data == plain {
        return Err("it does not encrypt".to_owned());
    }
    let input = DecryptInput { engine_boots: 7, engine_time: 11, privacy_parameters: &parameters };
    protocol.decrypt(&key, input, &mut data).map_err(|error| error.to_string())?;
    if data == plain { Ok(()) } else { Err("it does not decrypt what it has encrypted".to_owned()) }
}
