//! SNMPv2c messages: the codecs alone.

mod async_snmp;
mod ours;
mod rasn_snmp;

pub use async_snmp::AsyncSnmp;
pub(crate) use async_snmp::{tally, varbinds};
pub use ours::Ours;
pub(crate) use ours::{Bindings, Reader};
pub use rasn_snmp::RasnSnmp;

use crate::workload::Tally;

/// A codec with a response to write and the same response to read.
pub trait Codec {
    /// Writes the response: bindings from names and values that are there, a message from them. Gives its octets.
    fn encode(&mut self) -> &[u8];

    /// Reads the response and tallies its bindings.
    fn decode(&mut self) -> Tally;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::{Binding, counters, mixed};

    /// Otherwise they would be compared at different work.
    #[test]
    fn all_write_the_same_and_read_the_same() {
        for bindings in [counters(), mixed()] {
            check(&bindings);
        }
    }

    fn check(bindings: &[Binding]) {
        let message = Ours::new(bindings).encode().to_vec();
        let mut expected = Tally::default();
        let mut contenders: [Box<dyn Codec>; 3] =
            [Box::new(Ours::new(bindings)), Box::new(AsyncSnmp::new(bindings)), Box::new(RasnSnmp::new(bindings))];
        for contender in &mut contenders {
            assert_eq!(contender.encode(), message);
            let tally = contender.decode();
            assert_ne!(tally, Tally::default());
            if expected == Tally::default() {
                expected = tally;
            }
            assert_eq!(tally, expected);
        }
    }
}
