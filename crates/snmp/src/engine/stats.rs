//! The counters that RFC 3412 §5, RFC 3414 §5 and RFC 3418 §2 define for an engine, which are also what
//! Reports carry. They outlive the modules that count: a module borrows them, its successor goes on.

use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::oid::{Oid, OidRef};

macro_rules! statistics {
    ($($variant:ident $object:literal [$($arc:literal),*] $what:literal,)*) => {
        /// One of an engine's counters.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Statistic {
            $(#[doc = concat!("`", $object, "`: ", $what)] $variant,)*
        }

        impl Statistic {
            /// All of them.
            pub const ALL: [Statistic; [$($object),*].len()] = [$(Statistic::$variant),*];

            /// The MIB object's name.
            pub const fn object_name(self) -> &'static str {
                match self { $(Statistic::$variant => $object,)* }
            }

            /// What it counts, in a sentence.
            pub const fn description(self) -> &'static str {
                match self { $(Statistic::$variant => $what,)* }
            }

            const fn instance_arcs(self) -> &'static [u32] {
                match self { $(Statistic::$variant => &[$($arc,)* 0],)* }
            }
        }
    };
}

statistics! {
    InPackets "snmpInPkts" [1,3,6,1,2,1,11,1] "messages that arrived",
    InBadVersions "snmpInBadVersions" [1,3,6,1,2,1,11,3] "messages of an unknown version",
    InBadCommunityNames "snmpInBadCommunityNames" [1,3,6,1,2,1,11,4] "messages with an unknown community",
    InBadCommunityUses "snmpInBadCommunityUses" [1,3,6,1,2,1,11,5] "operations that a community is not allowed",
    InAsnParseErrors "snmpInASNParseErrs" [1,3,6,1,2,1,11,6] "messages that are no valid BER",
    SilentDrops "snmpSilentDrops" [1,3,6,1,2,1,11,31] "requests whose answer would not fit even when empty",
    ProxyDrops "snmpProxyDrops" [1,3,6,1,2,1,11,32] "requests for a proxy target that could not be passed on",
    UnknownSecurityModels "snmpUnknownSecurityModels" [1,3,6,1,6,3,11,2,1,1] "messages of a security model that is not installed",
    InvalidMessages "snmpInvalidMsgs" [1,3,6,1,6,3,11,2,1,2] "SNMPv3 messages whose fields contradict each other",
    UnknownPduHandlers "snmpUnknownPDUHandlers" [1,3,6,1,6,3,11,2,1,3] "PDUs that no application takes",
    UnavailableContexts "snmpUnavailableContexts" [1,3,6,1,6,3,12,1,4] "PDUs for a context that can't be reached now",
    UnknownContexts "snmpUnknownContexts" [1,3,6,1,6,3,12,1,5] "PDUs for an unknown context",
    UnsupportedSecurityLevels "usmStatsUnsupportedSecLevels" [1,3,6,1,6,3,15,1,1,1] "messages of a security level that the user or engine lacks",
    NotInTimeWindows "usmStatsNotInTimeWindows" [1,3,6,1,6,3,15,1,1,2] "authentic messages from outside the time window",
    UnknownUserNames "usmStatsUnknownUserNames" [1,3,6,1,6,3,15,1,1,3] "messages of an unknown user",
    UnknownEngineIds "usmStatsUnknownEngineIDs" [1,3,6,1,6,3,15,1,1,4] "messages for an unknown engine, discovery included",
    WrongDigests "usmStatsWrongDigests" [1,3,6,1,6,3,15,1,1,5] "messages whose digest is wrong",
    DecryptionErrors "usmStatsDecryptionErrors" [1,3,6,1,6,3,15,1,1,6] "messages that could not be decrypted",
}

impl Statistic {
    /// The OID of the counter's only instance.
    pub fn instance(self) -> Oid {
        Oid::from_arcs(self.instance_arcs()).expect("a constant")
    }

    /// The counter that a Report's variable names; with or without the instance, as agents differ.
    pub fn of_report(name: OidRef<'_>) -> Option<Self> {
        Self::ALL.into_iter().find(|statistic| {
            let arcs = statistic.instance_arcs();
            name.arcs().eq(arcs.iter().copied()) || name.arcs().eq(arcs[..arcs.len() - 1].iter().copied())
        })
    }
}

impl fmt::Display for Statistic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.object_name())
    }
}

/// An engine's counters, each a `Counter32`.
#[derive(Debug, Default)]
pub struct EngineStats([AtomicU32; Statistic::ALL.len()]);

impl EngineStats {
    /// Adds one; returns the new value.
    pub fn increment(&self, statistic: Statistic) -> u32 {
        self.0[statistic as usize].fetch_add(1, Ordering::Relaxed).wrapping_add(1)
    }

    /// The present value.
    pub fn get(&self, statistic: Statistic) -> u32 {
        self.0[statistic as usize].load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_told_by_its_variable() {
        for statistic in Statistic::ALL {
            let instance = statistic.instance();
            assert_eq!(Statistic::of_report(instance.as_oid()), Some(statistic));
            assert_eq!(Statistic::of_report(instance.parent().unwrap().as_oid()), Some(statistic));
        }
        assert_eq!(Statistic::of_report(OidRef::ZERO), None);
        assert_eq!(Statistic::NotInTimeWindows.instance().to_string(), "1.3.6.1.6.3.15.1.1.2.0");
    }

    #[test]
    fn counters_wrap() {
        let stats = EngineStats::default();
        stats.0[Statistic::WrongDigests as usize].store(u32::MAX, Ordering::Relaxed);
        assert_eq!(stats.increment(Statistic::WrongDigests), 0);
        assert_eq!(stats.get(Statistic::InPackets), 0);
    }
}
