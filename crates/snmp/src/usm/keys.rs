//! Keys: from a password to the key of one user at one engine (RFC 3414 §2.6 and A.2), and the two ways in
//! which a localized key is made longer for privacy protocols that need more octets than a digest has.
//!
//! Nothing is cached here. A password takes a megabyte of hashing, so whoever calls keeps the result.

use std::fmt;

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::auth::AuthProtocol;
use crate::engine::Unavailable;
use crate::limits::{MAX_KEY_OCTETS, MIN_PASSWORD_OCTETS};

/// A secret key of at most 64 octets. It lies inline, is overwritten when dropped, is compared in constant
/// time and never printed. A move may leave a copy on the stack, as with any value in Rust.
#[derive(Clone)]
pub struct Key {
    octets: Zeroizing<[u8; MAX_KEY_OCTETS]>,
    len: usize,
}

/// Why there is no key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// A protocol does not serve.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// RFC 3414 §11.2.
    #[error("password shorter than {MIN_PASSWORD_OCTETS} octets (RFC 3414 §11.2): choose a longer one")]
    PasswordTooShort,
    /// More octets than any protocol uses.
    #[error("key of {found} octets: {MAX_KEY_OCTETS} is the most that a protocol uses")]
    TooLong {
        /// Octets given.
        found: usize,
    },
    /// Neither a whole privacy key nor a localized key that can be extended to one.
    #[error(
        "localized key of {found} octets: give {needed} or more, or the {digest} of the user's authentication protocol"
    )]
    WrongLength {
        /// Octets given.
        found: usize,
        /// Octets of the privacy key.
        needed: usize,
        /// Octets of the authentication protocol's digest.
        digest: usize,
    },
    /// Two of the three DES keys are the same, so the encryption is weaker than it looks
    /// (draft-reeder-snmpv3-usm-3desede-00 §5.1.1.1.1).
    #[error("3DES key with two equal parts: choose another password or key")]
    EqualSubkeys,
}

impl Key {
    /// Copies a key.
    pub fn new(octets: &[u8]) -> Result<Self, KeyError> {
        if octets.len() > MAX_KEY_OCTETS {
            return Err(KeyError::TooLong { found: octets.len() });
        }
        Ok(Key::first_of(octets.iter().copied(), MAX_KEY_OCTETS))
    }

    /// The octets. Don't print or keep them.
    pub fn as_octets(&self) -> &[u8] {
        &self.octets[..self.len]
    }

    /// The first `len` of these octets, or as many as there are and fit.
    pub(super) fn first_of(octets: impl IntoIterator<Item = u8>, len: usize) -> Self {
        let mut key = Key { octets: Zeroizing::new([0; MAX_KEY_OCTETS]), len: 0 };
        for (place, octet) in key.octets.iter_mut().zip(octets).take(len) {
            *place = octet;
            key.len += 1;
        }
        key
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.as_octets().ct_eq(other.as_octets()).into()
    }
}

impl Eq for Key {}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(secret)")
    }
}

/// Ku, a user's key, from the password (RFC 3414 A.2, with the hash of `auth`). Costs a megabyte of hashing.
pub fn password_to_key(auth: &dyn AuthProtocol, password: &[u8]) -> Result<Key, KeyError> {
    const EXPANDED_OCTETS: usize = 1_048_576;
    const CHUNK_OCTETS: usize = 4096;
    // A chunk has more than half of CHUNK_OCTETS, so this many chunks are at least EXPANDED_OCTETS.
    const CHUNKS: usize = 2 * EXPANDED_OCTETS / CHUNK_OCTETS;

    if password.len() < MIN_PASSWORD_OCTETS {
        return Err(KeyError::PasswordTooShort);
    }
    // The password over and over: the same chunk of whole passwords, hashed many times.
    let mut chunk = Zeroizing::new([0; CHUNK_OCTETS]);
    let chunk = if password.len() > CHUNK_OCTETS / 2 {
        password
    } else {
        let copies = CHUNK_OCTETS / password.len();
        for copy in chunk.chunks_exact_mut(password.len()) {
            copy.copy_from_slice(password);
        }
        &chunk[..copies * password.len()]
    };
    let mut parts = [&[][..]; CHUNKS + 1];
    let whole = EXPANDED_OCTETS / chunk.len();
    parts[..whole].fill(chunk);
    parts[whole] = &chunk[..EXPANDED_OCTETS % chunk.len()];
    Ok(auth.digest(&parts[..=whole])?)
}

/// Kul, the user's key at one engine: `H(Ku || snmpEngineID || Ku)` (RFC 3414 §2.6).
pub fn localize(auth: &dyn AuthProtocol, user_key: &Key, engine_id: &[u8]) -> Result<Key, Unavailable> {
    auth.digest(&[user_key.as_octets(), engine_id, user_key.as_octets()])
}

/// The key that a `KeyChange` makes of an old one (RFC 3414 §5): half of `change` is random, the other half the
/// difference. `None` where that is not twice as long as the key, or the protocol does not serve.
pub fn change_key(auth: &dyn AuthProtocol, old: &Key, change: &[u8]) -> Option<Key> {
    let length = old.as_octets().len();
    if change.len() != 2 * length {
        return None;
    }
    let (random, delta) = change.split_at(length);
    let mut new = Zeroizing::new([0; MAX_KEY_OCTETS]);
    let mut pad = old.clone();
    for (place, delta) in new[..length].chunks_mut(auth.digest_len()).zip(delta.chunks(auth.digest_len())) {
        pad = auth.digest(&[pad.as_octets(), random]).ok()?;
        for ((octet, delta), pad) in place.iter_mut().zip(delta).zip(pad.as_octets()) {
            *octet = delta ^ pad;
        }
    }
    Key::new(&new[..length]).ok()
}

/// How a localized key becomes longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyExtension {
    /// `Kul || H(Kul)` (draft-blumenthal-aes-usm-04 §3.1.2.1): net-snmp's AES-192 and AES-256.
    Blumenthal,
    /// `K1 || K2`, where K2 is made from K1 as K1 was made from the password
    /// (draft-reeder-snmpv3-usm-3desede-00 §2.1): 3DES, and AES-192 and AES-256 as Cisco has them.
    /// Costs another megabyte of hashing.
    Reeder,
}

impl KeyExtension {
    /// A privacy key of `key_len` octets: the first ones of `localized`, which is extended when it is shorter.
    /// `auth` is the user's authentication protocol, `localized` a key that was localized for `engine_id`
    /// with it. A whole privacy key passes through unchanged.
    pub fn extend(
        self,
        auth: &dyn AuthProtocol,
        localized: &[u8],
        engine_id: &[u8],
        key_len: usize,
    ) -> Result<Key, KeyError> {
        if localized.len() >= key_len {
            return Ok(Key::first_of(localized.iter().copied(), key_len));
        }
        // One round is enough: the shortest digest, MD5's, has 16 octets and the longest key 32.
        let digest = auth.digest_len();
        if localized.len() != digest || 2 * digest < key_len {
            return Err(KeyError::WrongLength { found: localized.len(), needed: key_len, digest });
        }
        let more = match self {
            KeyExtension::Blumenthal => auth.digest(&[localized])?,
            KeyExtension::Reeder => localize(auth, &password_to_key(auth, localized)?, engine_id)?,
        };
        Ok(Key::first_of(localized.iter().chain(more.as_octets()).copied(), key_len))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{AuthProtocolId, from_hex};
    use super::*;

    const ENGINE_ID: &[u8] = &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2];

    fn user_key(auth: AuthProtocolId, password: &[u8]) -> Key {
        password_to_key(&*auth.built_in(), password).unwrap()
    }

    fn localized(auth: AuthProtocolId, password: &[u8]) -> Key {
        localize(&*auth.built_in(), &user_key(auth, password), ENGINE_ID).unwrap()
    }

    #[track_caller]
    fn assert_octets(key: &Key, hex: &str) {
        assert_eq!(key.as_octets(), from_hex(hex));
    }

    #[test]
    fn passwords_become_the_keys_of_rfc_3414_a_3() {
        assert_octets(&user_key(AuthProtocolId::Md5, b"maplesyrup"), "9faf3283884e92834ebc9847d8edd963");
        assert_octets(&localized(AuthProtocolId::Md5, b"maplesyrup"), "526f5eed9fcce26f8964c2930787d82b");
        assert_octets(&user_key(AuthProtocolId::Sha1, b"maplesyrup"), "9fb5cc0381497b3793528939ff788d5d79145211");
        assert_octets(&localized(AuthProtocolId::Sha1, b"maplesyrup"), "6695febc9288e36282235fc7151f128497b38f3f");
    }

    /// The `KeyChange` of RFC 3414 §5 with a random component of zeros: it is made from the same hash.
    #[test]
    fn key_changes_are_those_of_rfc_3414_a_5() {
        for (auth, new_key, change) in [
            (AuthProtocolId::Md5, "87021d7bd9d101ba05ea6e3bf9d9bd4a", "8805615141676cc9196174e742a32551"),
            (
                AuthProtocolId::Sha1,
                "78e2dcce79d59403b58c1bbaa5bff46391f1cd25",
                "9c1017f4fd483d2de8d5fadbf84392cb06457051",
            ),
        ] {
            let old = localized(auth, b"maplesyrup");
            let new = localized(auth, b"newsyrup");
            assert_octets(&new, new_key);
            let random = vec![0; old.as_octets().len()];
            let hashed = auth.built_in().digest(&[old.as_octets(), &random]).unwrap();
            let delta: Vec<u8> = hashed.as_octets().iter().zip(new.as_octets()).map(|(a, b)| a ^ b).collect();
            assert_eq!(delta, from_hex(change));
            let change = [random, from_hex(change)].concat();
            assert_eq!(change_key(&*auth.built_in(), &old, &change), Some(new));
            assert_eq!(change_key(&*auth.built_in(), &old, &change[1..]), None);
        }
    }

    /// RFC 3414 §5 `KeyChange`: a key longer than the digest is changed piece by piece.
    #[test]
    fn long_keys_are_changed_in_pieces() {
        let auth = AuthProtocolId::Md5.built_in();
        let old = Key::new(&[1; 40]).unwrap();
        let random = [2; 40];
        let first = auth.digest(&[old.as_octets(), &random]).unwrap();
        let second = auth.digest(&[first.as_octets(), &random]).unwrap();
        let third = auth.digest(&[second.as_octets(), &random]).unwrap();
        let expected: Vec<u8> =
            [&first, &second, &third].iter().flat_map(|key| key.as_octets()).take(40).copied().collect();
        let new = change_key(&*auth, &old, &[random, [0; 40]].concat()).unwrap();
        assert_eq!(new.as_octets(), expected);
    }

    #[test]
    fn a_password_of_any_length_is_repeated_to_a_megabyte() {
        let lengths = [8, 9, 63, 64, 2047, 2048, 2049, 4095, 4096, 4097, 524_289, 1_048_576, 1_048_577, 1_100_000];
        for length in lengths {
            let password: Vec<u8> = (0..length).map(|i: u32| (i % 251) as u8).collect();
            let repeated: Vec<u8> = password.iter().copied().cycle().take(1_048_576).collect();
            let expected = AuthProtocolId::Sha1.built_in().digest(&[&repeated]).unwrap();
            assert_eq!(user_key(AuthProtocolId::Sha1, &password), expected, "{length}");
        }
    }

    #[test]
    fn a_short_password_is_refused() {
        for auth in AuthProtocolId::ALL {
            for length in 0..8 {
                let refused = password_to_key(&*auth.built_in(), &b"12345678"[..length]);
                assert_eq!(refused, Err(KeyError::PasswordTooShort));
            }
            assert_eq!(user_key(auth, b"12345678").as_octets().len(), auth.built_in().digest_len());
        }
    }

    #[test]
    fn extended_keys_are_those_of_the_drafts() {
        let extend = |extension: KeyExtension, auth: AuthProtocolId, key_len| {
            let localized = localized(auth, b"maplesyrup");
            extension.extend(&*auth.built_in(), localized.as_octets(), ENGINE_ID, key_len).unwrap()
        };
        // draft-blumenthal-aes-usm-04 A.1.
        let sha_blumenthal = "6695febc9288e36282235fc7151f128497b38f3f505e07eb9af25568fa1f5dbe";
        assert_octets(&extend(KeyExtension::Blumenthal, AuthProtocolId::Sha1, 32), sha_blumenthal);
        assert_octets(&extend(KeyExtension::Blumenthal, AuthProtocolId::Sha1, 24), &sha_blumenthal[..48]);
        // draft-reeder-snmpv3-usm-3desede-00 B.1 and B.2.
        let md5_reeder = "526f5eed9fcce26f8964c2930787d82b79eff44a90650ee0a3a40abfac5acc12";
        let sha_reeder = "6695febc9288e36282235fc7151f128497b38f3f9b8b6d78936ba6e7d19dfd9cd2d5065547743fb5";
        assert_octets(&extend(KeyExtension::Reeder, AuthProtocolId::Md5, 32), md5_reeder);
        assert_octets(&extend(KeyExtension::Reeder, AuthProtocolId::Sha1, 40), sha_reeder);
        assert_octets(&extend(KeyExtension::Reeder, AuthProtocolId::Sha1, 24), &sha_reeder[..48]);
    }

    #[test]
    fn a_long_enough_key_is_not_extended() {
        let whole: Vec<u8> = (0..64).collect();
        for extension in [KeyExtension::Blumenthal, KeyExtension::Reeder] {
            for given in 32..=64 {
                let key = extension.extend(&*AuthProtocolId::Md5.built_in(), &whole[..given], ENGINE_ID, 32).unwrap();
                assert_eq!(key.as_octets(), &whole[..32]);
            }
        }
    }

    #[test]
    fn a_key_that_no_digest_made_is_refused() {
        for extension in [KeyExtension::Blumenthal, KeyExtension::Reeder] {
            for found in (0..32).filter(|&found| found != 20) {
                let refused = extension.extend(&*AuthProtocolId::Sha1.built_in(), &[7; 32][..found], ENGINE_ID, 32);
                assert_eq!(refused, Err(KeyError::WrongLength { found, needed: 32, digest: 20 }));
            }
            let refused = extension.extend(&*AuthProtocolId::Md5.built_in(), &[7; 16], ENGINE_ID, 33);
            assert_eq!(refused, Err(KeyError::WrongLength { found: 16, needed: 33, digest: 16 }));
        }
    }

    #[test]
    fn keys_are_compared_whole_and_never_printed() {
        let octets: Vec<u8> = (100..164).collect();
        let key = Key::new(&octets).unwrap();
        assert_eq!(key, Key::new(&octets).unwrap());
        assert_ne!(key, Key::new(&octets[..63]).unwrap());
        for at in 0..octets.len() {
            let mut other = octets.clone();
            other[at] ^= 1;
            assert_ne!(key, Key::new(&other).unwrap(), "{at}");
        }
        assert_eq!(format!("{key:?} {:#?}", Some(&key)), "Key(secret) Some(\n    Key(secret),\n)");
        assert_eq!(Key::new(&[0; 65]), Err(KeyError::TooLong { found: 65 }));
    }
}
