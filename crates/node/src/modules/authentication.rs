//! Authentication protocols (RFC 3414 §6 and §7, RFC 7860).

use std::sync::Arc;

use hamsa_snmp::engine::Unavailable;
use hamsa_snmp::usm::{AuthProtocol, AuthProtocolId, Key, Mac};
use hamsa_swap::{CallError, Candidate, Kind, ModuleId, Package, Proxy, kind};

use super::{BuiltIn, unavailable, version};

/// See [`AuthProtocol`].
#[kind("auth protocol")]
pub trait AuthProtocolModule {
    /// The plain hash over all parts.
    #[typed_only]
    fn digest(&self, parts: &[&[u8]]) -> Result<Result<Key, Unavailable>, CallError>;

    /// The truncated HMAC over all parts.
    #[typed_only]
    fn mac(&self, key: &[u8], parts: &[&[u8]]) -> Result<Result<Mac, Unavailable>, CallError>;
}

impl AuthProtocolModule for BuiltIn<Arc<dyn AuthProtocol>> {
    fn digest(&self, parts: &[&[u8]]) -> Result<Result<Key, Unavailable>, CallError> {
        Ok(self.model.digest(parts))
    }

    fn mac(&self, key: &[u8], parts: &[&[u8]]) -> Result<Result<Mac, Unavailable>, CallError> {
        Ok(self.model.mac(key, parts))
    }
}

/// An authentication protocol that is a module.
pub struct SwappableAuth {
    id: AuthProtocolId,
    digest_len: usize,
    mac_len: usize,
    proxy: Proxy<dyn AuthProtocolModule>,
}

impl SwappableAuth {
    /// The protocol of this identity; its lengths are the same in every version.
    pub fn new(id: AuthProtocolId, proxy: Proxy<dyn AuthProtocolModule>) -> Self {
        let built_in = id.built_in();
        SwappableAuth { id, digest_len: built_in.digest_len(), mac_len: built_in.mac_len(), proxy }
    }
}

impl AuthProtocol for SwappableAuth {
    fn id(&self) -> AuthProtocolId {
        self.id
    }

    fn digest_len(&self) -> usize {
        self.digest_len
    }

    fn mac_len(&self) -> usize {
        self.mac_len
    }

    fn digest(&self, parts: &[&[u8]]) -> Result<Key, Unavailable> {
        self.proxy.digest(parts).map_err(|error| unavailable(&error))?
    }

    fn mac(&self, key: &[u8], parts: &[&[u8]]) -> Result<Mac, Unavailable> {
        self.proxy.mac(key, parts).map_err(|error| unavailable(&error))?
    }
}

/// The built-in module of a protocol.
pub fn auth_package(of: AuthProtocolId, minor: u32) -> Package {
    let id = ModuleId::new(<dyn AuthProtocolModule>::NAME, of.name());
    Package::built_in(id, version(minor), move || {
        Ok(Candidate::new::<dyn AuthProtocolModule, _>(BuiltIn::new(of.built_in(), minor, known_answer)))
    })
}

/// HMAC of "what do ya want for nothing?" under "Jefe" (RFC 2202 §2 and §3, RFC 4231 §4.3), its first octets.
fn known_answer(protocol: &Arc<dyn AuthProtocol>) -> Result<(), String> {
    let expected: [u8; 4] = match protocol.id() {
        AuthProtocolId::Md5 => [0x75, 0x0c, 0x78, 0x3e],
        AuthProtocolId::Sha1 => [0xef, 0xfc, 0xdf, 0x6a],
        AuthProtocolId::Sha224 => [0xa3, 0x0e, 0x01, 0x09],
        AuthProtocolId::Sha256 => [0x5b, 0xdc, 0xc1, 0x46],
        AuthProtocolId::Sha384 => [0xaf, 0x45, 0xd2, 0xe3],
        AuthProtocolId::Sha512 => [0x16, 0x4b, 0x7a, 0x7b],
    };
    let mac = protocol.mac(b"Jefe", &[b"what do ya want ", b"for nothing?"]).map_err(|error| error.to_string())?;
    if mac.as_octets().starts_with(&expected) { Ok(()) } else { Err("it does not know its known answer".to_owned()) }
}
