//! Faults by name: what a link does to datagrams, and how an agent lies. One text form serves the command
//! line, the configuration and the tests: `loss=5%,delay=20ms,endless`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use hamsa_snmp::Oid;

use crate::limits::MAX_DELAY;
use crate::noise::Noise;

/// A part of a whole, in millionths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Share(u32);

impl Share {
    const WHOLE: u32 = 1_000_000;

    /// So many percent, up to 100.
    pub const fn percent(percent: u8) -> Self {
        let percent = if percent > 100 { 100 } else { percent as u32 };
        Share(percent * Share::WHOLE / 100)
    }

    /// Whether it happens this time.
    pub(crate) const fn happens(self, noise: &mut Noise) -> bool {
        self.0 > 0 && noise.below(Share::WHOLE as u64) < self.0 as u64
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", f64::from(self.0) / 10_000.0)
    }
}

/// One thing that goes wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// This share of datagrams is lost, either way.
    Loss(Share),
    /// Answers take so much longer.
    Delay(Duration),
    /// And up to so much more.
    Jitter(Duration),
    /// This share of answers arrives twice.
    Duplicate(Share),
    /// One bit is wrong in this share of datagrams, either way.
    Corrupt(Share),
    /// This share of datagrams is cut short, either way.
    Truncate(Share),
    /// This share of answers is overtaken by later ones.
    Reorder(Share),
    /// Some successors are the same name again.
    NotIncreasing,
    /// Every variable has a successor, for ever.
    Endless,
    /// Values are of other types than their objects.
    WrongTypes,
    /// Answers carry another `request-id`.
    WrongRequestId,
    /// Answers come from another address.
    WrongSourceAddress,
    /// Answers come from another port.
    WrongSourcePort,
    /// Every answer is `tooBig`.
    TooBig,
    /// Answers have no variables.
    EmptyResponse,
    /// Answers come so late that nobody waits for them.
    Late(Duration),
    /// This instance can't be read: `genErr`.
    GenErr(Oid),
    /// Instances whose last sub-identifier is odd give `noSuchName`, in every version.
    NoSuchName,
    /// The engine's boots grow with each SNMPv3 message: it is never the time that it said.
    WrongTimes,
}

/// `ifInOctets` of the second interface.
const USUAL_GEN_ERR: [u32; 11] = [1, 3, 6, 1, 2, 1, 2, 2, 1, 10, 2];

/// Every name, with the text of its usual value, for people and for [`Fault::usual`].
const NAMES: [&str; 19] = [
    "loss=10%",
    "delay=100ms",
    "jitter=50ms",
    "duplicate=10%",
    "corrupt=5%",
    "truncate=5%",
    "reorder=20%",
    "not-increasing",
    "endless",
    "wrong-types",
    "wrong-request-id",
    "wrong-source-address",
    "wrong-source-port",
    "too-big",
    "empty-response",
    "late=30s",
    "gen-err=1.3.6.1.2.1.2.2.1.10.2",
    "no-such-name",
    "wrong-times",
];

/// Text that names no fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnknownFault {
    /// No such name.
    #[error("unknown fault {0:?}: use some of {known}, separated by commas", known = NAMES.join(", "))]
    Name(String),
    /// The value is missing, superfluous or wrong.
    #[error("fault {name}: {value:?} is not {expected}")]
    Value {
        /// The fault.
        name: String,
        /// What was written.
        value: String,
        /// What was expected.
        expected: &'static str,
    },
}

impl Fault {
    /// All faults, each with its usual value.
    pub fn usual() -> Vec<Fault> {
        NAMES.iter().map(|name| name.parse().expect("a constant")).collect()
    }

    /// Its name.
    pub const fn name(&self) -> &'static str {
        match self {
            Fault::Loss(_) => "loss",
            Fault::Delay(_) => "delay",
            Fault::Jitter(_) => "jitter",
            Fault::Duplicate(_) => "duplicate",
            Fault::Corrupt(_) => "corrupt",
            Fault::Truncate(_) => "truncate",
            Fault::Reorder(_) => "reorder",
            Fault::NotIncreasing => "not-increasing",
            Fault::Endless => "endless",
            Fault::WrongTypes => "wrong-types",
            Fault::WrongRequestId => "wrong-request-id",
            Fault::WrongSourceAddress => "wrong-source-address",
            Fault::WrongSourcePort => "wrong-source-port",
            Fault::TooBig => "too-big",
            Fault::EmptyResponse => "empty-response",
            Fault::Late(_) => "late",
            Fault::GenErr(_) => "gen-err",
            Fault::NoSuchName => "no-such-name",
            Fault::WrongTimes => "wrong-times",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name();
        match self {
            Fault::Loss(share)
            | Fault::Duplicate(share)
            | Fault::Corrupt(share)
            | Fault::Truncate(share)
            | Fault::Reorder(share) => write!(f, "{name}={share}"),
            Fault::Delay(time) | Fault::Jitter(time) | Fault::Late(time) => {
                write!(f, "{name}={}ms", time.as_secs_f64() * 1_000.0)
            }
            Fault::GenErr(oid) => write!(f, "{name}={oid}"),
            _ => f.write_str(name),
        }
    }
}

impl FromStr for Fault {
    type Err = UnknownFault;

    /// Reads `loss=5%`, `delay=20ms` or `endless`. A value that is left out is the usual one.
    fn from_str(text: &str) -> Result<Self, UnknownFault> {
        let text = text.trim();
        let (name, value) = text.split_once('=').map_or((text, None), |(name, value)| (name, Some(value)));
        let wrong = |value: &str, expected| UnknownFault::Value { name: name.into(), value: value.into(), expected };
        let share = |usual: u8| match value {
            None => Ok(Share::percent(usual)),
            Some(value) => parse_share(value).ok_or_else(|| wrong(value, "a percentage like 5% or 0.1%")),
        };
        let time = |usual_ms| match value {
            None => Ok(Duration::from_millis(usual_ms)),
            Some(value) => parse_time(value).ok_or_else(|| wrong(value, "a time like 20ms or 1.5s, up to 600s")),
        };
        let fault = match name {
            "loss" => Fault::Loss(share(10)?),
            "delay" => Fault::Delay(time(100)?),
            "jitter" => Fault::Jitter(time(50)?),
            "duplicate" => Fault::Duplicate(share(10)?),
            "corrupt" => Fault::Corrupt(share(5)?),
            "truncate" => Fault::Truncate(share(5)?),
            "reorder" => Fault::Reorder(share(20)?),
            "late" => Fault::Late(time(30_000)?),
            "gen-err" => Fault::GenErr(match value {
                None => Oid::from_arcs(&USUAL_GEN_ERR).expect("a constant"),
                Some(value) => value.parse().map_err(|_| wrong(value, "an instance like 1.3.6.1.2.1.1.3.0"))?,
            }),
            _ => {
                let plain = match name {
                    "not-increasing" => Fault::NotIncreasing,
                    "endless" => Fault::Endless,
                    "wrong-types" => Fault::WrongTypes,
                    "wrong-request-id" => Fault::WrongRequestId,
                    "wrong-source-address" => Fault::WrongSourceAddress,
                    "wrong-source-port" => Fault::WrongSourcePort,
                    "too-big" => Fault::TooBig,
                    "empty-response" => Fault::EmptyResponse,
                    "no-such-name" => Fault::NoSuchName,
                    "wrong-times" => Fault::WrongTimes,
                    _ => return Err(UnknownFault::Name(name.to_owned())),
                };
                if let Some(value) = value {
                    return Err(wrong(value, "needed: it takes no value"));
                }
                plain
            }
        };
        Ok(fault)
    }
}

fn parse_share(text: &str) -> Option<Share> {
    let percent: f64 = text.strip_suffix('%')?.trim().parse().ok()?;
    (0.0..=100.0).contains(&percent).then(|| Share((percent * 10_000.0).round() as u32))
}

fn parse_time(text: &str) -> Option<Duration> {
    let (number, seconds) = match text.strip_suffix("ms") {
        Some(number) => (number, 0.001),
        None => (text.strip_suffix('s')?, 1.0),
    };
    let time = Duration::try_from_secs_f64(number.trim().parse::<f64>().ok()? * seconds).ok()?;
    (time <= MAX_DELAY).then_some(time)
}

/// All that goes wrong with one agent.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Faults(Vec<Fault>);

impl Faults {
    /// Nothing goes wrong.
    pub const fn none() -> Self {
        Faults(Vec::new())
    }

    /// The faults.
    pub fn iter(&self) -> impl Iterator<Item = &Fault> {
        self.0.iter()
    }

    pub(crate) fn has(&self, fault: &Fault) -> bool {
        self.0.contains(fault)
    }
}

impl FromIterator<Fault> for Faults {
    fn from_iter<I: IntoIterator<Item = Fault>>(faults: I) -> Self {
        Faults(faults.into_iter().collect())
    }
}

impl FromStr for Faults {
    type Err = UnknownFault;

    /// Reads faults with commas between; no text, no faults.
    fn from_str(text: &str) -> Result<Self, UnknownFault> {
        text.split(',').filter(|part| !part.trim().is_empty()).map(str::parse).collect()
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, fault) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str(",")?;
            }
            write!(f, "{fault}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_has_a_name_that_is_read_back() {
        let all = Fault::usual();
        assert_eq!(all.len(), NAMES.len());
        for (fault, text) in all.iter().zip(NAMES) {
            assert_eq!(fault.to_string().parse().as_ref(), Ok(fault), "{text}");
            assert_eq!(fault.name().parse().as_ref(), Ok(fault), "{text} is the usual value");
            assert!(text.starts_with(fault.name()));
        }
        let faults: Faults = "loss=0.5%, delay=1.5s,endless".parse().unwrap();
        assert_eq!(faults.to_string(), "loss=0.5%,delay=1500ms,endless");
        assert_eq!(faults.to_string().parse(), Ok(faults));
        assert_eq!("".parse(), Ok(Faults::none()));
    }

    #[test]
    fn what_is_no_fault_is_told_with_the_reason() {
        for text in ["loss=5", "loss=101%", "loss=-1%", "delay=5", "late=601s", "endless=1", "gen-err=x", "loss="] {
            assert!(matches!(text.parse::<Fault>(), Err(UnknownFault::Value { .. })), "{text}");
        }
        let error = "explode".parse::<Faults>().unwrap_err().to_string();
        assert!(error.contains("explode") && error.contains("wrong-source-port"), "{error}");
    }

    #[test]
    fn shares_happen_as_often_as_they_say() {
        let mut noise = Noise::new(5);
        let mut count = |share: Share| (0..10_000).filter(|_| share.happens(&mut noise)).count();
        assert_eq!(
            (count(Share::percent(0)), count(Share::percent(100)), count(Share::percent(200))),
            (0, 10_000, 10_000)
        );
        assert!(count(Share::percent(10)).abs_diff(1_000) < 200);
    }
}
