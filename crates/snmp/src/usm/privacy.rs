//! Privacy protocols: DES-CBC (RFC 3414 §8), 3DES-EDE-CBC (draft-reeder-snmpv3-usm-3desede-00), AES-128-CFB
//! (RFC 3826), and AES-192/256-CFB (draft-blumenthal-aes-usm-04) with either key extension.
//!
//! Data is encrypted and decrypted in place, nothing is allocated. The salt comes from the caller, who must
//! never give one twice with the same key. Privacy says nothing about who sent a message: authenticate
//! before decrypting.

use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;
use std::sync::Arc;

use aes::cipher::consts::{U8, U16};
use aes::cipher::{
    Array, BlockCipherDecrypt, BlockCipherEncrypt, BlockModeDecrypt, BlockModeEncrypt, BlockSizeUser, InnerIvInit,
    KeyInit,
};
use aes::{Aes128Enc, Aes192Enc, Aes256Enc};
use des::{Des, TdesEde3};

use super::keys::KeyExtension;
use super::{AuthProtocol, Key, KeyError, UnknownProtocol, folded};
use crate::engine::Unavailable;
use crate::oid::OidRef;

/// Octets of `msgPrivacyParameters`, the same in all protocols.
pub const PRIVACY_PARAMETERS_OCTETS: usize = 8;

/// A privacy protocol: a cipher over `encryptedPDU`, and how its key is made.
pub trait PrivProtocol: Send + Sync {
    /// Which protocol this is.
    fn id(&self) -> PrivProtocolId;

    /// The protocol's name.
    fn name(&self) -> &'static str {
        self.id().name()
    }

    /// Octets of the key that [`encrypt`](Self::encrypt) and [`decrypt`](Self::decrypt) take; at most 64.
    fn key_len(&self) -> usize;

    /// The length to which `len` octets must be padded before they are encrypted. What stands in the padding
    /// does not matter (RFC 3414 §8.1.1.2).
    fn padded_len(&self, len: usize) -> usize;

    /// The key of this protocol from a key that was localized for `engine_id` with the user's authentication
    /// protocol. A localized key given by hand may also be a whole key of this protocol.
    fn extend_key(&self, auth: &dyn AuthProtocol, localized: &[u8], engine_id: &[u8]) -> Result<Key, KeyError>;

    /// Encrypts `data` in place; its length must be [`padded`](Self::padded_len). Returns what goes into
    /// `msgPrivacyParameters`.
    fn encrypt(
        &self,
        key: &[u8],
        input: EncryptInput,
        data: &mut [u8],
    ) -> Result<[u8; PRIVACY_PARAMETERS_OCTETS], PrivError>;

    /// Decrypts `data` in place. It is left as it was where there is an error. Padding stays at its end.
    fn decrypt(&self, key: &[u8], input: DecryptInput<'_>, data: &mut [u8]) -> Result<(), PrivError>;
}

/// What encryption takes besides the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EncryptInput {
    /// `msgAuthoritativeEngineBoots` of the message.
    pub engine_boots: u32,
    /// `msgAuthoritativeEngineTime` of the message, seconds.
    pub engine_time: u32,
    /// A number that is never given twice with the same key. It goes out in clear.
    pub salt: u64,
}

/// What decryption takes from the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecryptInput<'a> {
    /// `msgAuthoritativeEngineBoots`.
    pub engine_boots: u32,
    /// `msgAuthoritativeEngineTime`, seconds.
    pub engine_time: u32,
    /// `msgPrivacyParameters`.
    pub privacy_parameters: &'a [u8],
}

/// Why data was not encrypted or decrypted. What came in with such a message is a `decryptionError`
/// (RFC 3414 §3.2 step 8).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PrivError {
    /// The protocol does not serve.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// The key is not one of this protocol; [`PrivProtocol::extend_key`] makes one.
    #[error("{protocol} key of {found} octets: it takes {expected}")]
    KeyLength {
        /// The protocol's name.
        protocol: &'static str,
        /// Octets wanted.
        expected: usize,
        /// Octets given.
        found: usize,
    },
    /// `msgPrivacyParameters` is not eight octets long.
    #[error("msgPrivacyParameters of {found} octets: all protocols have {PRIVACY_PARAMETERS_OCTETS}")]
    PrivacyParametersLength {
        /// Octets found.
        found: usize,
    },
    /// The data is not a whole number of blocks; [`PrivProtocol::padded_len`] tells what is missing.
    #[error("{protocol} data of {found} octets: not a whole number of {block}-octet blocks")]
    DataLength {
        /// The protocol's name.
        protocol: &'static str,
        /// Octets of a block.
        block: usize,
        /// Octets given.
        found: usize,
    },
}

/// The privacy protocols with a known OID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PrivProtocolId {
    /// DES-CBC, `usmDESPrivProtocol` (RFC 3414 §8).
    Des,
    /// 3DES-EDE-CBC, `usm3DESEDEPrivProtocol` (draft-reeder-snmpv3-usm-3desede-00).
    TripleDes,
    /// AES-128-CFB, `usmAesCfb128Protocol` (RFC 3826).
    Aes128,
    /// AES-192-CFB with Blumenthal's key extension (draft-blumenthal-aes-usm-04).
    Aes192,
    /// AES-256-CFB with Blumenthal's key extension.
    Aes256,
    /// AES-192-CFB with Reeder's key extension, as Cisco has it.
    Aes192C,
    /// AES-256-CFB with Reeder's key extension, as Cisco has it.
    Aes256C,
}

impl PrivProtocolId {
    /// All of them.
    pub const ALL: [PrivProtocolId; 7] = [
        PrivProtocolId::Des,
        PrivProtocolId::TripleDes,
        PrivProtocolId::Aes128,
        PrivProtocolId::Aes192,
        PrivProtocolId::Aes256,
        PrivProtocolId::Aes192C,
        PrivProtocolId::Aes256C,
    ];

    /// The name that is shown; net-snmp takes it too, but for 3DES, which it does not have.
    pub const fn name(self) -> &'static str {
        match self {
            PrivProtocolId::Des => "DES",
            PrivProtocolId::TripleDes => "3DES",
            PrivProtocolId::Aes128 => "AES-128",
            PrivProtocolId::Aes192 => "AES-192",
            PrivProtocolId::Aes256 => "AES-256",
            PrivProtocolId::Aes192C => "AES-192-C",
            PrivProtocolId::Aes256C => "AES-256-C",
        }
    }

    /// The value of `usmUserPrivProtocol`. Standard ones are below 1.3.6.1.6.3.10.1.2 (RFC 3414 §5, RFC 3826
    /// §2, the 3DES draft §4). AES-192 and AES-256 never got one: these are the ones of the Extended Security
    /// Options Consortium (1.3.6.1.4.1.14832.1) and of CISCO-SNMP-USM-OIDS-MIB (1.3.6.1.4.1.9.12.6.1), the
    /// same that net-snmp uses.
    pub const fn oid(self) -> OidRef<'static> {
        OidRef::from_checked(match self {
            PrivProtocolId::Des => &[0x2b, 6, 1, 6, 3, 10, 1, 2, 2],
            PrivProtocolId::TripleDes => &[0x2b, 6, 1, 6, 3, 10, 1, 2, 3],
            PrivProtocolId::Aes128 => &[0x2b, 6, 1, 6, 3, 10, 1, 2, 4],
            PrivProtocolId::Aes192 => &[0x2b, 6, 1, 4, 1, 0xf3, 0x70, 1, 3],
            PrivProtocolId::Aes256 => &[0x2b, 6, 1, 4, 1, 0xf3, 0x70, 1, 4],
            PrivProtocolId::Aes192C => &[0x2b, 6, 1, 4, 1, 9, 12, 6, 1, 1],
            PrivProtocolId::Aes256C => &[0x2b, 6, 1, 4, 1, 9, 12, 6, 1, 2],
        })
    }

    /// The protocol with this OID.
    pub fn from_oid(oid: OidRef<'_>) -> Option<Self> {
        PrivProtocolId::ALL.into_iter().find(|id| id.oid() == oid)
    }

    /// The implementation that comes with this crate.
    pub fn built_in(self) -> Arc<dyn PrivProtocol> {
        use KeyExtension::{Blumenthal, Reeder};
        // DES and AES-128 keys are never longer than a digest, so how they would be extended does not matter.
        match self {
            PrivProtocolId::Des => Arc::new(Cbc::<Des>::new(PrivProtocolId::Des)),
            PrivProtocolId::TripleDes => Arc::new(Cbc::<TdesEde3>::new(PrivProtocolId::TripleDes)),
            PrivProtocolId::Aes128 => Arc::new(Cfb::<Aes128Enc>::new(PrivProtocolId::Aes128, Blumenthal)),
            PrivProtocolId::Aes192 => Arc::new(Cfb::<Aes192Enc>::new(PrivProtocolId::Aes192, Blumenthal)),
            PrivProtocolId::Aes256 => Arc::new(Cfb::<Aes256Enc>::new(PrivProtocolId::Aes256, Blumenthal)),
            PrivProtocolId::Aes192C => Arc::new(Cfb::<Aes192Enc>::new(PrivProtocolId::Aes192C, Reeder)),
            PrivProtocolId::Aes256C => Arc::new(Cfb::<Aes256Enc>::new(PrivProtocolId::Aes256C, Reeder)),
        }
    }
}

impl fmt::Display for PrivProtocolId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for PrivProtocolId {
    type Err = UnknownProtocol;

    /// Reads the names that net-snmp takes, in any case and with or without hyphens: `AES` is AES-128, a `C`
    /// at the end is Cisco's key extension.
    fn from_str(name: &str) -> Result<Self, UnknownProtocol> {
        match folded(name).as_str() {
            "DES" => Ok(PrivProtocolId::Des),
            "3DES" | "3DESEDE" => Ok(PrivProtocolId::TripleDes),
            "AES" | "AES128" => Ok(PrivProtocolId::Aes128),
            "AES192" => Ok(PrivProtocolId::Aes192),
            "AES256" => Ok(PrivProtocolId::Aes256),
            "AES192C" => Ok(PrivProtocolId::Aes192C),
            "AES256C" => Ok(PrivProtocolId::Aes256C),
            _ => Err(UnknownProtocol::Privacy(name.to_owned())),
        }
    }
}

/// DES and 3DES: CBC whose initialization vector is the last eight octets of the key (the pre-IV) xor the salt
/// (RFC 3414 §8.1.1.1, the 3DES draft §5.1.1.1).
struct Cbc<C> {
    id: PrivProtocolId,
    cipher: PhantomData<fn() -> C>,
}

const CBC_BLOCK_OCTETS: usize = 8;

impl<C: KeyInit + BlockSizeUser<BlockSize = U8>> Cbc<C> {
    const fn new(id: PrivProtocolId) -> Self {
        Cbc { id, cipher: PhantomData }
    }

    /// The keyed cipher and the initialization vector.
    fn start(&self, key: &[u8], salt: [u8; PRIVACY_PARAMETERS_OCTETS]) -> Result<(C, Array<u8, U8>), PrivError> {
        let expected = C::key_size() + CBC_BLOCK_OCTETS;
        let wrong = || PrivError::KeyLength { protocol: self.id.name(), expected, found: key.len() };
        let (key, pre_iv) = key.split_last_chunk::<CBC_BLOCK_OCTETS>().ok_or_else(wrong)?;
        let cipher = C::new_from_slice(key).map_err(|_| wrong())?;
        let iv = u64::from_be_bytes(*pre_iv) ^ u64::from_be_bytes(salt);
        Ok((cipher, Array(iv.to_be_bytes())))
    }

    /// The blocks of `data`.
    fn blocks<'a>(&self, data: &'a mut [u8]) -> Result<&'a mut [Array<u8, U8>], PrivError> {
        let found = data.len();
        match Array::slice_as_chunks_mut(data) {
            (blocks, []) => Ok(blocks),
            _ => Err(PrivError::DataLength { protocol: self.id.name(), block: CBC_BLOCK_OCTETS, found }),
        }
    }
}

impl<C> PrivProtocol for Cbc<C>
where
    C: KeyInit + BlockSizeUser<BlockSize = U8> + BlockCipherEncrypt + BlockCipherDecrypt,
{
    fn id(&self) -> PrivProtocolId {
        self.id
    }

    fn key_len(&self) -> usize {
        C::key_size() + CBC_BLOCK_OCTETS
    }

    fn padded_len(&self, len: usize) -> usize {
        len.next_multiple_of(CBC_BLOCK_OCTETS)
    }

    fn extend_key(&self, auth: &dyn AuthProtocol, localized: &[u8], engine_id: &[u8]) -> Result<Key, KeyError> {
        let key = KeyExtension::Reeder.extend(auth, localized, engine_id, self.key_len())?;
        if has_equal_subkeys(&key.as_octets()[..C::key_size()]) { Err(KeyError::EqualSubkeys) } else { Ok(key) }
    }

    fn encrypt(
        &self,
        key: &[u8],
        input: EncryptInput,
        data: &mut [u8],
    ) -> Result<[u8; PRIVACY_PARAMETERS_OCTETS], PrivError> {
        let salt = input.salt.to_be_bytes();
        let (cipher, iv) = self.start(key, salt)?;
        cbc::Encryptor::inner_iv_init(cipher, &iv).encrypt_blocks(self.blocks(data)?);
        Ok(salt)
    }

    fn decrypt(&self, key: &[u8], input: DecryptInput<'_>, data: &mut [u8]) -> Result<(), PrivError> {
        let (cipher, iv) = self.start(key, salt_of(input)?)?;
        cbc::Decryptor::inner_iv_init(cipher, &iv).decrypt_blocks(self.blocks(data)?);
        Ok(())
    }
}

/// AES: CFB with 128-bit feedback whose initialization vector is boots, time and salt (RFC 3826 §3.1.2).
struct Cfb<C> {
    id: PrivProtocolId,
    extension: KeyExtension,
    cipher: PhantomData<fn() -> C>,
}

impl<C: KeyInit> Cfb<C> {
    const fn new(id: PrivProtocolId, extension: KeyExtension) -> Self {
        Cfb { id, extension, cipher: PhantomData }
    }

    fn cipher(&self, key: &[u8]) -> Result<C, PrivError> {
        C::new_from_slice(key).map_err(|_| PrivError::KeyLength {
            protocol: self.id.name(),
            expected: C::key_size(),
            found: key.len(),
        })
    }
}

impl<C: KeyInit + BlockSizeUser<BlockSize = U16> + BlockCipherEncrypt> PrivProtocol for Cfb<C> {
    fn id(&self) -> PrivProtocolId {
        self.id
    }

    fn key_len(&self) -> usize {
        C::key_size()
    }

    fn padded_len(&self, len: usize) -> usize {
        len
    }

    fn extend_key(&self, auth: &dyn AuthProtocol, localized: &[u8], engine_id: &[u8]) -> Result<Key, KeyError> {
        self.extension.extend(auth, localized, engine_id, self.key_len())
    }

    fn encrypt(
        &self,
        key: &[u8],
        input: EncryptInput,
        data: &mut [u8],
    ) -> Result<[u8; PRIVACY_PARAMETERS_OCTETS], PrivError> {
        let salt = input.salt.to_be_bytes();
        let iv = cfb_iv(input.engine_boots, input.engine_time, salt);
        cfb_mode::Encryptor::inner_iv_init(self.cipher(key)?, &iv).encrypt(data);
        Ok(salt)
    }

    fn decrypt(&self, key: &[u8], input: DecryptInput<'_>, data: &mut [u8]) -> Result<(), PrivError> {
        let iv = cfb_iv(input.engine_boots, input.engine_time, salt_of(input)?);
        cfb_mode::Decryptor::inner_iv_init(self.cipher(key)?, &iv).decrypt(data);
        Ok(())
    }
}

fn cfb_iv(engine_boots: u32, engine_time: u32, salt: [u8; PRIVACY_PARAMETERS_OCTETS]) -> Array<u8, U16> {
    let clock = u64::from(engine_boots) << 32 | u64::from(engine_time);
    Array((u128::from(clock) << 64 | u128::from(u64::from_be_bytes(salt))).to_be_bytes())
}

fn salt_of(input: DecryptInput<'_>) -> Result<[u8; PRIVACY_PARAMETERS_OCTETS], PrivError> {
    let found = input.privacy_parameters.len();
    input.privacy_parameters.try_into().map_err(|_| PrivError::PrivacyParametersLength { found })
}

/// Whether two of the DES keys in `key` are the same but for their parity bits. A single one never is.
fn has_equal_subkeys(key: &[u8]) -> bool {
    let (subkeys, _) = key.as_chunks::<8>();
    let same = |a: &[u8; 8], b: &[u8; 8]| a.iter().zip(b).all(|(a, b)| (a ^ b) & 0xfe == 0);
    subkeys.iter().enumerate().any(|(i, subkey)| subkeys[..i].iter().any(|other| same(subkey, other)))
}

#[cfg(test)]
mod tests {
    use super::super::{AuthProtocolId, from_hex};
    use super::*;

    const SALT: u64 = 0x1122_3344_5566_7788;

    fn encrypt_input(salt: u64) -> EncryptInput {
        EncryptInput { engine_boots: 7, engine_time: 1_000_000, salt }
    }

    fn decrypt_input(privacy_parameters: &[u8]) -> DecryptInput<'_> {
        DecryptInput { engine_boots: 7, engine_time: 1_000_000, privacy_parameters }
    }

    fn key(protocol: &dyn PrivProtocol, seed: u8) -> Vec<u8> {
        (0..protocol.key_len() as u8).map(|i| i.wrapping_mul(37).wrapping_add(seed)).collect()
    }

    /// NIST SP 800-38A F.3.13 to F.3.18; a shorter message is the start of a longer one.
    #[test]
    fn aes_is_that_of_sp_800_38a() {
        let plain = from_hex(
            "6bc1bee22e409f96e93d7e117393172a ae2d8a571e03ac9c9eb76fac45af8e51
             30c81c46a35ce411e5fbc1191a0a52ef f69f2445df4f9b17ad2b417be66c3710",
        );
        for (ids, key, encrypted) in [
            (
                &[PrivProtocolId::Aes128][..],
                "2b7e151628aed2a6abf7158809cf4f3c",
                "3b3fd92eb72dad20333449f8e83cfb4a c8a64537a0b3a93fcde3cdad9f1ce58b
                 26751f67a3cbb140b1808cf187a4f4df c04b05357c5d1c0eeac4c66f9ff7f2e6",
            ),
            (
                &[PrivProtocolId::Aes192, PrivProtocolId::Aes192C],
                "8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b",
                "cdc80d6fddf18cab34c25909c99a4174 67ce7f7f81173621961a2b70171d3d7a
                 2e1e8a1dd59b88b1c8e60fed1efac4c9 c05f9f9ca9834fa042ae8fba584b09ff",
            ),
            (
                &[PrivProtocolId::Aes256, PrivProtocolId::Aes256C],
                "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",
                "dc7e84bfda79164b7ecd8486985d3860 39ffed143b28b1c832113c6331e5407b
                 df10132415e54b92a13ed0a8267ae2f9 75a385741ab9cef82031623d55b1e471",
            ),
        ] {
            let (key, encrypted) = (from_hex(key), from_hex(encrypted));
            for (id, length) in ids.iter().flat_map(|&id| (0..=plain.len()).map(move |length| (id, length))) {
                let (engine_boots, engine_time, salt) = (0x0001_0203, 0x0405_0607, 0x0809_0a0b_0c0d_0e0f);
                let mut data = plain[..length].to_vec();
                let input = EncryptInput { engine_boots, engine_time, salt };
                let privacy_parameters = &id.built_in().encrypt(&key, input, &mut data).unwrap();
                assert_eq!(data, &encrypted[..length], "{id} {length}");
                let input = DecryptInput { engine_boots, engine_time, privacy_parameters };
                id.built_in().decrypt(&key, input, &mut data).unwrap();
                assert_eq!(data, &plain[..length], "{id} {length}");
            }
        }
    }

    /// FIPS 81 table C1 and the TDES-CBC example of NIST's "Examples with Intermediate Values". The pre-IV is
    /// chosen so that its xor with the salt is the example's initialization vector.
    #[test]
    fn des_is_that_of_fips_81_and_sp_800_67() {
        for (id, key, iv, plain, encrypted) in [
            (
                PrivProtocolId::Des,
                "0123456789abcdef",
                0x1234_5678_90ab_cdef_u64,
                "4e6f77206973207468652074696d6520666f7220616c6c20",
                "e5c7cdde872bf27c43e934008c389c0f683788499a7c05f6",
            ),
            (
                PrivProtocolId::TripleDes,
                "0123456789abcdef23456789abcdef01456789abcdef0123",
                0xf69f_2445_df4f_9b17,
                "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51",
                "2079c3d53aa763e193b79e2569ab5262516570481f25b50f73c0bda85c8e0da7",
            ),
        ] {
            let mut key = from_hex(key);
            key.extend((iv ^ SALT).to_be_bytes());
            let mut data = from_hex(plain);
            let parameters = id.built_in().encrypt(&key, encrypt_input(SALT), &mut data).unwrap();
            assert_eq!((&data, parameters), (&from_hex(encrypted), SALT.to_be_bytes()), "{id}");
            id.built_in().decrypt(&key, decrypt_input(&parameters), &mut data).unwrap();
            assert_eq!(data, from_hex(plain), "{id}");
        }
    }

    #[test]
    fn what_is_encrypted_comes_back_and_only_with_the_right_key_and_salt() {
        for id in PrivProtocolId::ALL {
            let protocol = id.built_in();
            let (right, wrong) = (key(&*protocol, 1), key(&*protocol, 2));
            for length in 0..=600 {
                let mut plain: Vec<u8> = (0..length).map(|i| (i * 7 + length) as u8).collect();
                plain.resize(protocol.padded_len(length), 0);
                let mut encrypted = plain.clone();
                let salt = SALT + length as u64;
                let parameters = protocol.encrypt(&right, encrypt_input(salt), &mut encrypted).unwrap();
                let decrypt = |key: &[u8], parameters: &[u8]| {
                    let mut data = encrypted.clone();
                    protocol.decrypt(key, decrypt_input(parameters), &mut data).unwrap();
                    data
                };
                assert_eq!(decrypt(&right, &parameters), plain, "{id} {length}");
                // A few octets may come out right by chance.
                if length >= 8 {
                    assert_ne!(encrypted, plain, "{id} {length}");
                    assert_ne!(decrypt(&wrong, &parameters), plain, "{id} {length}");
                    assert_ne!(decrypt(&right, &(salt + 1).to_be_bytes()), plain, "{id} {length}");
                }
            }
        }
    }

    #[test]
    fn aes_depends_on_boots_and_time() {
        for id in PrivProtocolId::ALL.into_iter().filter(|id| id.name().starts_with("AES")) {
            let key = key(&*id.built_in(), 1);
            let encrypted = |engine_boots, engine_time| {
                let mut data = [0; 16];
                id.built_in().encrypt(&key, EncryptInput { engine_boots, engine_time, salt: SALT }, &mut data).unwrap();
                data
            };
            assert_ne!(encrypted(1, 2), encrypted(1, 3), "{id}");
            assert_ne!(encrypted(1, 2), encrypted(2, 2), "{id}");
        }
    }

    #[test]
    fn padding_is_to_whole_blocks() {
        for id in [PrivProtocolId::Des, PrivProtocolId::TripleDes] {
            assert_eq!([0, 1, 7, 8, 9, 500].map(|len| id.built_in().padded_len(len)), [0, 8, 8, 8, 16, 504]);
        }
        assert_eq!([0, 1, 8, 499].map(|len| PrivProtocolId::Aes128.built_in().padded_len(len)), [0, 1, 8, 499]);
    }

    #[test]
    fn what_does_not_fit_is_refused_and_left_alone() {
        for id in PrivProtocolId::ALL {
            let (protocol, good) = (&*id.built_in(), key(&*id.built_in(), 1));
            let mut data = [0x55; 24];
            for found in (0..=80).filter(|&found| found != good.len()) {
                let error = Err(PrivError::KeyLength { protocol: id.name(), expected: good.len(), found });
                assert_eq!(protocol.encrypt(&[3; 80][..found], encrypt_input(1), &mut data).map(|_| ()), error);
                assert_eq!(protocol.decrypt(&[3; 80][..found], decrypt_input(&[0; 8]), &mut data), error);
            }
            for found in (0..=16).filter(|&found| found != 8) {
                let refused = protocol.decrypt(&good, decrypt_input(&[0; 16][..found]), &mut data);
                assert_eq!(refused, Err(PrivError::PrivacyParametersLength { found }));
            }
            for found in (0..data.len()).filter(|&found| protocol.padded_len(found) != found) {
                let error = Err(PrivError::DataLength { protocol: id.name(), block: 8, found });
                assert_eq!(protocol.encrypt(&good, encrypt_input(1), &mut data[..found]).map(|_| ()), error);
                assert_eq!(protocol.decrypt(&good, decrypt_input(&[0; 8]), &mut data[..found]), error);
            }
            assert_eq!(data, [0x55; 24], "{id}");
        }
    }

    #[test]
    fn every_authentication_protocol_makes_a_key_for_every_privacy_protocol() {
        for auth in AuthProtocolId::ALL.map(AuthProtocolId::built_in) {
            let localized: Vec<u8> = (0..auth.digest_len() as u8).collect();
            for protocol in PrivProtocolId::ALL.map(PrivProtocolId::built_in) {
                let key = protocol.extend_key(&*auth, &localized, b"engine").unwrap();
                assert_eq!(key.as_octets().len(), protocol.key_len());
                let kept = protocol.key_len().min(localized.len());
                assert_eq!(&key.as_octets()[..kept], &localized[..kept]);
            }
        }
    }

    #[test]
    fn a_3des_key_with_equal_parts_is_refused() {
        let auth = AuthProtocolId::Sha256.built_in();
        let protocol = PrivProtocolId::TripleDes.built_in();
        let extend =
            |parts: [u64; 4]| protocol.extend_key(&*auth, parts.map(u64::to_be_bytes).as_flattened(), b"engine");
        let [a, b, c] = [0x0102_0304_0506_0708, 0x1112_1314_1516_1718, 0x2122_2324_2526_2728];
        assert!(extend([a, b, c, a]).is_ok());
        // The lowest bit of each octet is parity, which DES leaves out.
        for parts in [[a, a, c, b], [a, b, b, c], [a, b, a, c], [a, a ^ 0x0101_0101_0101_0101, c, b]] {
            assert_eq!(extend(parts), Err(KeyError::EqualSubkeys), "{parts:x?}");
        }
    }

    #[test]
    fn names_and_oids_lead_back() {
        let oids = [
            "1.3.6.1.6.3.10.1.2.2",
            "1.3.6.1.6.3.10.1.2.3",
            "1.3.6.1.6.3.10.1.2.4",
            "1.3.6.1.4.1.14832.1.3",
            "1.3.6.1.4.1.14832.1.4",
            "1.3.6.1.4.1.9.12.6.1.1",
            "1.3.6.1.4.1.9.12.6.1.2",
        ];
        for (id, oid) in PrivProtocolId::ALL.into_iter().zip(oids) {
            assert_eq!(id.to_string().parse(), Ok(id));
            assert_eq!(id.oid().to_string(), oid);
            assert_eq!(PrivProtocolId::from_oid(id.oid()), Some(id));
            assert_eq!((id.built_in().id(), id.built_in().name()), (id, id.name()));
        }
        for (typed, id) in [
            ("des", PrivProtocolId::Des),
            ("3des", PrivProtocolId::TripleDes),
            ("3DES-EDE", PrivProtocolId::TripleDes),
            ("AES", PrivProtocolId::Aes128),
            ("aes128", PrivProtocolId::Aes128),
            ("AES192", PrivProtocolId::Aes192),
            ("aes-256", PrivProtocolId::Aes256),
            ("AES-192C", PrivProtocolId::Aes192C),
            ("aes192c", PrivProtocolId::Aes192C),
            ("AES256C", PrivProtocolId::Aes256C),
        ] {
            assert_eq!(typed.parse(), Ok(id), "{typed}");
        }
        let unknown = "AES-512".parse::<PrivProtocolId>().unwrap_err().to_string();
        let known = "DES, 3DES, AES-128, AES-192, AES-256, AES-192-C, AES-256-C";
        assert_eq!(unknown, format!("unknown privacy protocol \"AES-512\": use one of {known}"));
        assert_eq!(PrivProtocolId::from_oid(OidRef::ZERO), None);
    }
}
