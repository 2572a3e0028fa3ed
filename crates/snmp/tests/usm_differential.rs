//! Keys, message digests and encryption compared with another implementation, async-snmp, for every pair of
//! protocols. It draws its own salts, so both directions are tried: what one encrypts, the other decrypts.

use async_snmp::v3::{DesSaltState, LocalizedKey, MasterKey, PrivKey, SaltCounter};
use async_snmp::{AuthProtocol as PeerAuth, PrivProtocol as PeerPriv};
use hamsa_snmp::usm::privacy::{DecryptInput, EncryptInput};
use hamsa_snmp::usm::{AuthProtocolId, PrivProtocolId, keys};

const AUTH: [(AuthProtocolId, PeerAuth); 6] = [
    (AuthProtocolId::Md5, PeerAuth::Md5),
    (AuthProtocolId::Sha1, PeerAuth::Sha1),
    (AuthProtocolId::Sha224, PeerAuth::Sha224),
    (AuthProtocolId::Sha256, PeerAuth::Sha256),
    (AuthProtocolId::Sha384, PeerAuth::Sha384),
    (AuthProtocolId::Sha512, PeerAuth::Sha512),
];

const PRIVACY: [(PrivProtocolId, PeerPriv); 7] = [
    (PrivProtocolId::Des, PeerPriv::Des),
    (PrivProtocolId::TripleDes, PeerPriv::Des3),
    (PrivProtocolId::Aes128, PeerPriv::Aes128),
    (PrivProtocolId::Aes192, PeerPriv::Aes192Blumenthal),
    (PrivProtocolId::Aes256, PeerPriv::Aes256Blumenthal),
    (PrivProtocolId::Aes192C, PeerPriv::Aes192Reeder),
    (PrivProtocolId::Aes256C, PeerPriv::Aes256Reeder),
];

const ENGINE_BOOTS: u32 = 3;
const ENGINE_TIME: u32 = 86_400;

#[test]
fn keys_and_digests_are_the_same() {
    let message: Vec<u8> = (0..1500).map(|i: u32| (i % 249) as u8).collect();
    for (auth, peer_auth) in AUTH {
        let auth = auth.built_in();
        for password in [&b"12345678"[..], b"a rather longer password, with spaces", &[0xc3; 300]] {
            let user_key = keys::password_to_key(&*auth, password).unwrap();
            let peer_master = MasterKey::from_password(peer_auth, password).unwrap();
            assert_eq!(user_key.as_octets(), peer_master.as_bytes(), "{}", auth.name());
            for engine_id in [&[0x80, 0, 0x1f, 0x88, 4][..], &[0xab; 12], &[7; 32]] {
                let localized = keys::localize(&*auth, &user_key, engine_id).unwrap();
                let peer_key: LocalizedKey = peer_master.localize(engine_id).unwrap();
                assert_eq!(localized.as_octets(), peer_key.as_bytes(), "{}", auth.name());
                for length in [0, 1, 55, 56, 63, 64, 111, 112, 127, 128, 500, 1500] {
                    let mac = auth.mac(localized.as_octets(), &[&message[..length]]).unwrap();
                    let peer_mac = peer_key.compute_hmac(&message[..length]).unwrap();
                    assert_eq!(mac.as_octets(), peer_mac, "{} {length}", auth.name());
                }
            }
        }
    }
}

#[test]
fn each_reads_what_the_other_encrypted() {
    let message: Vec<u8> = (0..700).map(|i: u32| (i % 247) as u8).collect();
    let engine_id = [0x80, 0, 0x1f, 0x88, 4, 1, 2, 3];
    for (auth, peer_auth) in AUTH {
        let peer_master = MasterKey::from_password(peer_auth, b"privatissime").unwrap();
        let user_key = keys::password_to_key(&*auth.built_in(), b"privatissime").unwrap();
        let localized = keys::localize(&*auth.built_in(), &user_key, &engine_id).unwrap();
        for (privacy, peer_privacy) in PRIVACY {
            let peer_key = PrivKey::from_master_key(&peer_master, peer_privacy, &engine_id).unwrap();
            let privacy = privacy.built_in();
            let key = privacy.extend_key(&*auth.built_in(), localized.as_octets(), &engine_id).unwrap();
            for length in [1, 8, 15, 16, 17, 100, 128, 255, 700] {
                let plain = &message[..length];
                let mut data = plain.to_vec();
                data.resize(privacy.padded_len(length), 0);
                let input = EncryptInput {
                    engine_boots: ENGINE_BOOTS,
                    engine_time: ENGINE_TIME,
                    salt: 0xfeed_0000_0000_0000 + length as u64,
                };
                let parameters = privacy.encrypt(key.as_octets(), input, &mut data).unwrap();
                let peer_plain = peer_key.decrypt(&data, ENGINE_BOOTS, ENGINE_TIME, &parameters).unwrap();
                assert_eq!(&peer_plain[..length], plain, "{auth} {} {length}", privacy.name());

                let (data, parameters) = peer_encrypt(&peer_key, peer_privacy, plain);
                let mut data = data.to_vec();
                let input = DecryptInput {
                    engine_boots: ENGINE_BOOTS,
                    engine_time: ENGINE_TIME,
                    privacy_parameters: &parameters,
                };
                privacy.decrypt(key.as_octets(), input, &mut data).unwrap();
                assert_eq!(&data[..length], plain, "{auth} {} {length}", privacy.name());
            }
        }
    }
}

/// Data and privacy parameters.
fn peer_encrypt(key: &PrivKey, protocol: PeerPriv, plain: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let (data, parameters) = if protocol.is_des_family() {
        let salts = DesSaltState::install(|_| Ok::<(), std::io::Error>(())).unwrap();
        key.encrypt_des_family(plain, &salts).unwrap()
    } else {
        key.encrypt_aes(plain, ENGINE_BOOTS, ENGINE_TIME, &SaltCounter::new().unwrap()).unwrap()
    };
    (data.to_vec(), parameters.to_vec())
}
