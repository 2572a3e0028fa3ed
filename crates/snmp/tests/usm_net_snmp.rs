//! Messages recorded from net-snmp are authenticated and decrypted: every pair of protocols that it has, with
//! keys made from passwords. What differs only in the key's extension shows here.

use std::collections::HashMap;

use hamsa_snmp::Value;
use hamsa_snmp::message::{MsgData, ScopedPdu, UsmParameters, V3Message};
use hamsa_snmp::usm::privacy::DecryptInput;
use hamsa_snmp::usm::{AuthProtocolId, Key, PrivProtocolId, keys};

const RECORDED: &str = include_str!("usm_net_snmp.txt");
const AUTH_PASSWORD: &[u8] = b"auctoritas8";
const PRIV_PASSWORD: &[u8] = b"privatissime";

#[test]
fn every_pair_of_protocols_reads_what_net_snmp_wrote() {
    let mut user_keys: HashMap<(AuthProtocolId, &[u8]), Key> = HashMap::new();
    let mut pairs = 0;
    for line in RECORDED.lines().filter(|line| !line.starts_with('#')) {
        let [auth, privacy, message] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
        let mut message = from_hex(message);
        let outer = V3Message::parse(&message).unwrap();
        let (usm, digest) = UsmParameters::parse(&message, outer.security_parameters.clone()).unwrap();

        let auth: AuthProtocolId = auth.parse().unwrap();
        let mut localized = |password| {
            let user_key = user_keys
                .entry((auth, password))
                .or_insert_with(|| keys::password_to_key(&*auth.built_in(), password).unwrap());
            keys::localize(&*auth.built_in(), user_key, usm.engine_id).unwrap()
        };
        let auth_key = localized(AUTH_PASSWORD);
        let priv_key = localized(PRIV_PASSWORD);
        let zeros = vec![0; auth.built_in().mac_len()];
        let parts = [&message[..digest.start], &zeros, &message[digest.end..]];
        let verify = |key: &Key| auth.built_in().verify(key.as_octets(), &parts, usm.auth).unwrap();
        assert!(verify(&auth_key), "{line}");
        assert!(!verify(&priv_key), "{line}");

        let scoped = match outer.data {
            MsgData::Plain(range) => {
                assert_eq!(privacy, "none");
                range
            }
            MsgData::Encrypted(range) => {
                let privacy = privacy.parse::<PrivProtocolId>().unwrap().built_in();
                let key = privacy.extend_key(&*auth.built_in(), priv_key.as_octets(), usm.engine_id).unwrap();
                let parameters = usm.privacy.to_vec();
                let input = DecryptInput {
                    engine_boots: usm.engine_boots,
                    engine_time: usm.engine_time,
                    privacy_parameters: &parameters,
                };
                privacy.decrypt(key.as_octets(), input, &mut message[range.clone()]).unwrap();
                range
            }
        };
        let scoped = ScopedPdu::parse(&message, scoped).unwrap();
        assert_eq!(scoped.pdu.varbinds.first().unwrap().value, Value::OctetString(b"cellar"), "{line}");
        pairs += 1;
    }
    assert_eq!(pairs, 6 * 7);
}

fn from_hex(text: &str) -> Vec<u8> {
    text.as_bytes().chunks(2).map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}
