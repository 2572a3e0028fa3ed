//! SNMPv3 messages of the user-based security model, authenticated with SHA-256 and encrypted with AES-128.

mod async_snmp;
mod ours;

pub use async_snmp::AsyncSnmp;
pub use ours::Ours;

use crate::workload::Tally;

/// The agent's `snmpEngineID`, `snmpEngineBoots` and `snmpEngineTime`.
const ENGINE_ID: &[u8] = b"\x80\x00\x7e\xd9\x05hamsa\x00\x00\x01";
const ENGINE_BOOTS: u32 = 7;
const ENGINE_TIME: u32 = 1_000_000;

const USER: &[u8] = b"measured";
const AUTH_PASSWORD: &[u8] = b"authentication password";
const PRIVACY_PASSWORD: &[u8] = b"privacy password";

const MSG_ID: i32 = 0x0102_0304;

/// An agent that sends a response and a manager that receives it. The keys are localized before.
pub trait Secured {
    /// The agent's side: bindings, PDU, encryption, message, digest. Gives the message's octets.
    fn outgoing(&mut self) -> &[u8];

    /// The manager's side: parses a message of the agent, verifies its digest, its user and its time, decrypts it,
    /// and tallies the bindings.
    fn incoming(&mut self, message: &[u8]) -> Tally;

    /// The same for the message that came with the contender: where a copy of the received octets is not needed,
    /// none is made.
    fn incoming_again(&mut self) -> Tally;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::community::{Codec as _, Ours as OursInClear};
    use crate::workload::counters;

    /// Otherwise they would be compared at different work.
    #[test]
    fn each_opens_what_the_other_has_secured() {
        let expected = OursInClear::new(&counters()).decode();
        let (mut ours, mut peer) = (Ours::new(&counters()), AsyncSnmp::new(&counters()));
        let (of_ours, of_peer) = (ours.outgoing().to_vec(), peer.outgoing().to_vec());
        assert_eq!(of_ours.len(), of_peer.len());
        for message in [of_ours, of_peer] {
            assert_eq!(ours.incoming(&message), expected);
            assert_eq!(peer.incoming(&message), expected);
        }
        for _ in 0..2 {
            assert_eq!(ours.incoming_again(), expected);
            assert_eq!(peer.incoming_again(), expected);
        }
    }

    #[test]
    fn no_salt_is_used_twice() {
        let mut ours = Ours::new(&counters());
        assert_ne!(ours.outgoing().to_vec(), ours.outgoing().to_vec());
        let mut peer = AsyncSnmp::new(&counters());
        assert_ne!(peer.outgoing().to_vec(), peer.outgoing().to_vec());
    }
}
