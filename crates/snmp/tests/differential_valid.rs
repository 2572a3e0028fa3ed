//! Random messages that every RFC allows, through our codec and through two others, async-snmp and rasn-snmp:
//! what one writes the others read alike, and all write the same octets.

mod generator;
mod oracles;

use generator::{decode, encode, message};

const MESSAGES: u64 = 3_000;

#[test]
fn what_we_write_others_read() {
    for seed in 0..MESSAGES {
        let message = message(seed);
        let octets = encode(&message);
        assert_eq!(decode(&octets).as_ref(), Ok(&message), "seed {seed}");
        assert_eq!(oracles::async_snmp::decode(&octets).as_ref(), Ok(&message), "seed {seed}");
        assert_eq!(oracles::rasn::decode(&octets).as_ref(), Ok(&message), "seed {seed}");
    }
}

#[test]
fn what_others_write_we_read() {
    for seed in 0..MESSAGES {
        let message = message(seed);
        for octets in [oracles::async_snmp::encode(&message), oracles::rasn::encode(&message)] {
            assert_eq!(decode(&octets).as_ref(), Ok(&message), "seed {seed}");
            assert_eq!(octets, encode(&message), "seed {seed}");
        }
    }
}
