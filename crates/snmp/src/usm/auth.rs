//! Authentication protocols: HMAC-MD5-96 and HMAC-SHA-96 (RFC 3414 §6 and §7), and the four HMAC-SHA-2
//! protocols (RFC 7860).
//!
//! A message is given in parts, so that the field of its digest is read as zeros without copying the rest
//! (RFC 3414 §6.3.2). Finding that field, and everything about users and time, is done elsewhere.

use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;
use std::sync::Arc;

use hmac::digest::Digest;
use hmac::{EagerHash, Hmac, KeyInit, Mac as _};
use md5::Md5;
use sha1::Sha1;
use sha2::{Sha224, Sha256, Sha384, Sha512};
use subtle::ConstantTimeEq;

use super::{Key, UnknownProtocol, folded};
use crate::engine::Unavailable;
use crate::limits::{MAX_KEY_OCTETS, MAX_MAC_OCTETS};
use crate::oid::OidRef;

/// An authentication protocol: a keyed digest over messages, and the hash that keys are made with.
pub trait AuthProtocol: Send + Sync {
    /// Which protocol this is.
    fn id(&self) -> AuthProtocolId;

    /// The protocol's name.
    fn name(&self) -> &'static str {
        self.id().name()
    }

    /// Octets of the hash, and so of a localized key; at most 64.
    fn digest_len(&self) -> usize;

    /// Octets of `msgAuthenticationParameters`; at most 48.
    fn mac_len(&self) -> usize;

    /// The plain hash over all parts one after the other.
    fn digest(&self, parts: &[&[u8]]) -> Result<Key, Unavailable>;

    /// The truncated HMAC over all parts one after the other.
    fn mac(&self, key: &[u8], parts: &[&[u8]]) -> Result<Mac, Unavailable>;

    /// Whether `mac` is the one of these parts. The time taken tells nothing about where they differ.
    /// A `mac` of another length never is.
    fn verify(&self, key: &[u8], parts: &[&[u8]], mac: &[u8]) -> Result<bool, Unavailable> {
        Ok(self.mac(key, parts)?.as_octets().ct_eq(mac).into())
    }
}

/// What goes into `msgAuthenticationParameters`. It has no `Debug`: the right one for a forged message is a
/// secret.
#[derive(Clone, Copy)]
pub struct Mac {
    octets: [u8; MAX_MAC_OCTETS],
    len: usize,
}

impl Mac {
    /// The first `len` octets of an HMAC, or as many as there are; 48 at most.
    pub fn truncate(hmac: &[u8], len: usize) -> Self {
        let len = len.min(hmac.len()).min(MAX_MAC_OCTETS);
        let mut octets = [0; MAX_MAC_OCTETS];
        octets[..len].copy_from_slice(&hmac[..len]);
        Mac { octets, len }
    }

    /// The octets, [`AuthProtocol::mac_len`] of them.
    pub fn as_octets(&self) -> &[u8] {
        &self.octets[..self.len]
    }
}

/// The authentication protocols with a registered OID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AuthProtocolId {
    /// HMAC-MD5-96, `usmHMACMD5AuthProtocol` (RFC 3414 §6).
    Md5,
    /// HMAC-SHA-96, `usmHMACSHAAuthProtocol` (RFC 3414 §7).
    Sha1,
    /// `usmHMAC128SHA224AuthProtocol` (RFC 7860).
    Sha224,
    /// `usmHMAC192SHA256AuthProtocol` (RFC 7860).
    Sha256,
    /// `usmHMAC256SHA384AuthProtocol` (RFC 7860).
    Sha384,
    /// `usmHMAC384SHA512AuthProtocol` (RFC 7860).
    Sha512,
}

impl AuthProtocolId {
    /// All of them, the weakest first.
    pub const ALL: [AuthProtocolId; 6] = [
        AuthProtocolId::Md5,
        AuthProtocolId::Sha1,
        AuthProtocolId::Sha224,
        AuthProtocolId::Sha256,
        AuthProtocolId::Sha384,
        AuthProtocolId::Sha512,
    ];

    /// The name that is shown; net-snmp takes it too.
    pub const fn name(self) -> &'static str {
        match self {
            AuthProtocolId::Md5 => "MD5",
            AuthProtocolId::Sha1 => "SHA-1",
            AuthProtocolId::Sha224 => "SHA-224",
            AuthProtocolId::Sha256 => "SHA-256",
            AuthProtocolId::Sha384 => "SHA-384",
            AuthProtocolId::Sha512 => "SHA-512",
        }
    }

    /// The value of `usmUserAuthProtocol`: 1.3.6.1.6.3.10.1.1.2 to .7 (RFC 3414 §5, RFC 7860).
    pub const fn oid(self) -> OidRef<'static> {
        OidRef::from_checked(match self {
            AuthProtocolId::Md5 => &[0x2b, 6, 1, 6, 3, 10, 1, 1, 2],
            AuthProtocolId::Sha1 => &[0x2b, 6, 1, 6, 3, 10, 1, 1, 3],
            AuthProtocolId::Sha224 => &[0x2b, 6, 1, 6, 3, 10, 1, 1, 4],
            AuthProtocolId::Sha256 => &[0x2b, 6, 1, 6, 3, 10, 1, 1, 5],
            AuthProtocolId::Sha384 => &[0x2b, 6, 1, 6, 3, 10, 1, 1, 6],
            AuthProtocolId::Sha512 => &[0x2b, 6, 1, 6, 3, 10, 1, 1, 7],
        })
    }

    /// The protocol with this OID.
    pub fn from_oid(oid: OidRef<'_>) -> Option<Self> {
        AuthProtocolId::ALL.into_iter().find(|id| id.oid() == oid)
    }

    /// The implementation that comes with this crate.
    pub fn built_in(self) -> Arc<dyn AuthProtocol> {
        match self {
            AuthProtocolId::Md5 => Arc::new(HmacProtocol::<Md5>::new(AuthProtocolId::Md5, 12)),
            AuthProtocolId::Sha1 => Arc::new(HmacProtocol::<Sha1>::new(AuthProtocolId::Sha1, 12)),
            AuthProtocolId::Sha224 => Arc::new(HmacProtocol::<Sha224>::new(AuthProtocolId::Sha224, 16)),
            AuthProtocolId::Sha256 => Arc::new(HmacProtocol::<Sha256>::new(AuthProtocolId::Sha256, 24)),
            AuthProtocolId::Sha384 => Arc::new(HmacProtocol::<Sha384>::new(AuthProtocolId::Sha384, 32)),
            AuthProtocolId::Sha512 => Arc::new(HmacProtocol::<Sha512>::new(AuthProtocolId::Sha512, 48)),
        }
    }
}

impl fmt::Display for AuthProtocolId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for AuthProtocolId {
    type Err = UnknownProtocol;

    /// Reads the names that net-snmp takes, in any case and with or without hyphens: `SHA` is SHA-1.
    fn from_str(name: &str) -> Result<Self, UnknownProtocol> {
        match folded(name).as_str() {
            "MD5" => Ok(AuthProtocolId::Md5),
            "SHA" | "SHA1" => Ok(AuthProtocolId::Sha1),
            "SHA224" => Ok(AuthProtocolId::Sha224),
            "SHA256" => Ok(AuthProtocolId::Sha256),
            "SHA384" => Ok(AuthProtocolId::Sha384),
            "SHA512" => Ok(AuthProtocolId::Sha512),
            _ => Err(UnknownProtocol::Auth(name.to_owned())),
        }
    }
}

/// HMAC (RFC 2104) with the hash `H`, truncated to `mac_len` octets.
struct HmacProtocol<H> {
    id: AuthProtocolId,
    mac_len: usize,
    hash: PhantomData<fn() -> H>,
}

impl<H> HmacProtocol<H> {
    const fn new(id: AuthProtocolId, mac_len: usize) -> Self {
        HmacProtocol { id, mac_len, hash: PhantomData }
    }
}

impl<H: EagerHash> AuthProtocol for HmacProtocol<H> {
    fn id(&self) -> AuthProtocolId {
        self.id
    }

    fn digest_len(&self) -> usize {
        <H as Digest>::output_size()
    }

    fn mac_len(&self) -> usize {
        self.mac_len
    }

    fn digest(&self, parts: &[&[u8]]) -> Result<Key, Unavailable> {
        let mut hash = H::new();
        for part in parts {
            hash.update(part);
        }
        Ok(Key::first_of(hash.finalize(), MAX_KEY_OCTETS))
    }

    fn mac(&self, key: &[u8], parts: &[&[u8]]) -> Result<Mac, Unavailable> {
        let mut hmac = Hmac::<H>::new_from_slice(key).expect("HMAC takes a key of any length");
        for part in parts {
            hmac.update(part);
        }
        Ok(Mac::truncate(&hmac.finalize().into_bytes(), self.mac_len))
    }
}

#[cfg(test)]
mod tests {
    use super::super::from_hex;
    use super::*;

    /// A 200-octet message and keys that every protocol takes.
    fn message() -> Vec<u8> {
        (0..200).collect()
    }

    fn key(id: AuthProtocolId) -> Vec<u8> {
        (0..id.built_in().digest_len() as u8).collect()
    }

    fn other_key(id: AuthProtocolId) -> Vec<u8> {
        (1..=id.built_in().digest_len() as u8).collect()
    }

    /// RFC 2202 for MD5 and SHA-1, RFC 4231 for SHA-2, truncated as RFC 3414 and RFC 7860 say.
    #[test]
    fn macs_are_those_of_rfc_2202_and_rfc_4231() {
        use AuthProtocolId::{Md5, Sha1, Sha224, Sha256, Sha384, Sha512};
        let long = b"Test Using Larger Than Block-Size Key - Hash Key First";
        let cases: [(AuthProtocolId, &[u8], &[u8], &str); 24] = [
            (Md5, &[0x0b; 16], b"Hi There", "9294727a3638bb1c13f48ef8"),
            (Sha1, &[0x0b; 20], b"Hi There", "b617318655057264e28bc0b6"),
            (Sha224, &[0x0b; 20], b"Hi There", "896fb1128abbdf196832107cd49df33f"),
            (Sha256, &[0x0b; 20], b"Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da7"),
            (Sha384, &[0x0b; 20], b"Hi There", "afd03944d84895626b0825f4ab46907f15f9dadbe4101ec682aa034c7cebc59c"),
            (
                Sha512,
                &[0x0b; 20],
                b"Hi There",
                "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cdedaa833b7d6b8a702038b274eaea3f4e4",
            ),
            (Md5, b"Jefe", b"what do ya want for nothing?", "750c783e6ab0b503eaa86e31"),
            (Sha1, b"Jefe", b"what do ya want for nothing?", "effcdf6ae5eb2fa2d27416d5"),
            (Sha224, b"Jefe", b"what do ya want for nothing?", "a30e01098bc6dbbf45690f3a7e9e6d0f"),
            (Sha256, b"Jefe", b"what do ya want for nothing?", "5bdcc146bf60754e6a042426089575c75a003f089d273983"),
            (
                Sha384,
                b"Jefe",
                b"what do ya want for nothing?",
                "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e",
            ),
            (
                Sha512,
                b"Jefe",
                b"what do ya want for nothing?",
                "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fd",
            ),
            (Md5, &[0xaa; 16], &[0xdd; 50], "56be34521d144c88dbb8c733"),
            (Sha1, &[0xaa; 20], &[0xdd; 50], "125d7342b9ac11cd91a39af4"),
            (Sha224, &[0xaa; 20], &[0xdd; 50], "7fb3cb3588c6c1f6ffa9694d7d6ad264"),
            (Sha256, &[0xaa; 20], &[0xdd; 50], "773ea91e36800e46854db8ebd09181a72959098b3ef8c122"),
            (Sha384, &[0xaa; 20], &[0xdd; 50], "88062608d3e6ad8a0aa2ace014c8a86f0aa635d947ac9febe83ef4e55966144b"),
            (
                Sha512,
                &[0xaa; 20],
                &[0xdd; 50],
                "fa73b0089d56a284efb0f0756c890be9b1b5dbdd8ee81a3655f83e33b2279d39bf3e848279a722c806b485a47e67c807",
            ),
            (Md5, &[0xaa; 80], long, "6b1ab7fe4bd7bf8f0b62e6ce"),
            (Sha1, &[0xaa; 80], long, "aa4ae5e15272d00e95705637"),
            (Sha224, &[0xaa; 131], long, "95e9a0db962095adaebe9b2d6f0dbce2"),
            (Sha256, &[0xaa; 131], long, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c514"),
            (Sha384, &[0xaa; 131], long, "4ece084485813e9088d2c63a041bc5b44f9ef1012a2b588f3cd11f05033ac4c6"),
            (
                Sha512,
                &[0xaa; 131],
                long,
                "80b24263c7c1a3ebb71493c1dd7be8b49b46d1f41b4aeec1121b013783f8f3526b56d037e05f2598bd0fd2215d6a1e52",
            ),
        ];
        for (id, key, data, mac) in cases {
            assert_eq!(id.built_in().mac(key, &[data]).unwrap().as_octets(), from_hex(mac), "{id}");
        }
    }

    #[test]
    fn digests_are_those_of_rfc_1321_and_fips_180() {
        for (id, digest) in [
            (AuthProtocolId::Md5, "900150983cd24fb0d6963f7d28e17f72"),
            (AuthProtocolId::Sha1, "a9993e364706816aba3e25717850c26c9cd0d89d"),
            (AuthProtocolId::Sha224, "23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7"),
            (AuthProtocolId::Sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            (
                AuthProtocolId::Sha384,
                "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7",
            ),
            (
                AuthProtocolId::Sha512,
                "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a
                 2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
            ),
        ] {
            let protocol = id.built_in();
            assert_eq!(protocol.digest(&[b"a", b"", b"bc"]).unwrap().as_octets(), from_hex(digest), "{id}");
            assert_eq!(protocol.digest_len(), from_hex(digest).len());
        }
    }

    #[test]
    fn where_parts_are_cut_does_not_matter() {
        let message = message();
        for id in AuthProtocolId::ALL {
            let whole = id.built_in().mac(&key(id), &[&message]).unwrap();
            assert_eq!(whole.as_octets().len(), id.built_in().mac_len());
            for cut in 0..=message.len() {
                let (start, end) = message.split_at(cut);
                assert!(id.built_in().verify(&key(id), &[start, end], whole.as_octets()).unwrap(), "{id} {cut}");
            }
        }
    }

    #[test]
    fn every_flipped_bit_is_found() {
        for id in AuthProtocolId::ALL {
            let (protocol, key) = (&*id.built_in(), key(id));
            let mut message = message();
            let mac = protocol.mac(&key, &[&message]).unwrap();
            let mut forged = mac.as_octets().to_vec();
            for bit in 0..forged.len() * 8 {
                forged[bit / 8] ^= 1 << (bit % 8);
                assert!(!protocol.verify(&key, &[&message], &forged).unwrap(), "{id}: bit {bit} of the MAC");
                forged[bit / 8] ^= 1 << (bit % 8);
            }
            for bit in 0..message.len() * 8 {
                message[bit / 8] ^= 1 << (bit % 8);
                assert!(
                    !protocol.verify(&key, &[&message], mac.as_octets()).unwrap(),
                    "{id}: bit {bit} of the message"
                );
                message[bit / 8] ^= 1 << (bit % 8);
            }
            assert!(protocol.verify(&key, &[&message], &forged).unwrap());
        }
    }

    #[test]
    fn a_mac_of_another_length_or_key_is_refused() {
        let message = message();
        for id in AuthProtocolId::ALL {
            let (protocol, key) = (&*id.built_in(), key(id));
            let mac = protocol.mac(&key, &[&message]).unwrap().as_octets().to_vec();
            for length in 0..mac.len() {
                assert!(!protocol.verify(&key, &[&message], &mac[..length]).unwrap(), "{id} {length}");
            }
            assert!(!protocol.verify(&key, &[&message], &[&mac[..], &[0]].concat()).unwrap());
            assert!(!protocol.verify(&other_key(id), &[&message], &mac).unwrap());
            for length in 0..message.len() {
                assert!(!protocol.verify(&key, &[&message[..length]], &mac).unwrap(), "{id} {length}");
            }
        }
    }

    #[test]
    fn names_and_oids_lead_back() {
        for (i, id) in AuthProtocolId::ALL.into_iter().enumerate() {
            assert_eq!(id.to_string().parse(), Ok(id));
            assert_eq!(id.oid().to_string(), format!("1.3.6.1.6.3.10.1.1.{}", i + 2));
            assert_eq!(AuthProtocolId::from_oid(id.oid()), Some(id));
            assert_eq!((id.built_in().id(), id.built_in().name()), (id, id.name()));
        }
        for (typed, id) in [
            ("md5", AuthProtocolId::Md5),
            ("SHA", AuthProtocolId::Sha1),
            ("sha1", AuthProtocolId::Sha1),
            ("Sha-1", AuthProtocolId::Sha1),
            ("SHA224", AuthProtocolId::Sha224),
            ("sha-256", AuthProtocolId::Sha256),
            ("SHA384", AuthProtocolId::Sha384),
            ("SHA512", AuthProtocolId::Sha512),
        ] {
            assert_eq!(typed.parse(), Ok(id), "{typed}");
        }
        let unknown = "SHA-3".parse::<AuthProtocolId>().unwrap_err().to_string();
        assert_eq!(
            unknown,
            "unknown authentication protocol \"SHA-3\": use one of MD5, SHA-1, SHA-224, SHA-256, SHA-384, SHA-512"
        );
        assert_eq!(AuthProtocolId::from_oid(OidRef::ZERO), None);
    }
}
