//! The variations of single objects and of subtrees, beside `numeric`: `delay`, `error`, `writecache`,
//! `multiplex`, and `notification`, which is answered with its value only.

use std::time::Duration;

use hamsa_snmp::pdu::ErrorStatus;
use hamsa_snmp::value::tag;
use hamsa_snmp::{Oid, OwnedValue, Value};

use super::diagnostic::{Problem, excerpt};
use super::numeric::Numeric;
use super::options::{Choices, Options};
use super::text;
use crate::limits::MAX_DELAY;
use crate::noise::Noise;

/// How one object behaves.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Variation {
    Numeric(Numeric),
    Delay(Delay),
    Error(Erring),
    WriteCache(WriteCache),
}

/// How all objects of a subtree behave.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum SubtreeRule {
    Delay(Delay),
    Error(Erring),
    Multiplex(Multiplex),
}

impl Variation {
    /// Reads the value field of a line whose tag field is `tag:module`. Also tells what the object will not do
    /// of what the line asks for.
    pub(super) fn parse(module: &[u8], tag: u8, text: &[u8]) -> Result<(Self, Option<Problem>), Problem> {
        let options = &mut Options::parse(known(module)?, text)?;
        let variation = match module {
            b"numeric" => Variation::Numeric(Numeric::parse(tag, options)?),
            b"delay" => Variation::Delay(Delay::parse(Some(tag), options)?),
            b"error" => Variation::Error(Erring::parse(Some(tag), options)?),
            b"writecache" => Variation::WriteCache(WriteCache::parse(tag, options)?),
            b"notification" => {
                // The value is read, and a SET succeeds without a trace: as with `delay`, without the delay.
                let delay = Delay { value: options.take_value(tag)?, ..Delay::none() };
                return Ok((Variation::Delay(delay), Some(Problem::NotificationNotSent)));
            }
            _ => return Err(Problem::MisplacedVariation { variation: known(module)?, place: "one object" }),
        };
        Ok((variation, options.leftover()))
    }
}

impl SubtreeRule {
    /// Reads the value field of a line whose tag field is `:module`. Also tells what was not understood.
    pub(super) fn parse(module: &[u8], text: &[u8]) -> Result<(Self, Option<Problem>), Problem> {
        let options = &mut Options::parse(known(module)?, text)?;
        let rule = match module {
            b"delay" => SubtreeRule::Delay(Delay::parse(None, options)?),
            b"error" => SubtreeRule::Error(Erring::parse(None, options)?),
            b"multiplex" => SubtreeRule::Multiplex(Multiplex::parse(options)?),
            _ => {
                let place = "a subtree, which has no type";
                return Err(Problem::MisplacedVariation { variation: known(module)?, place });
            }
        };
        Ok((rule, options.leftover()))
    }
}

/// The name of a variation that there is.
fn known(module: &[u8]) -> Result<&'static str, Problem> {
    const KNOWN: [&str; 6] = ["numeric", "delay", "error", "writecache", "multiplex", "notification"];
    let mut known = KNOWN.into_iter().filter(|known| known.as_bytes() == module);
    known.next().ok_or_else(|| Problem::UnsupportedVariation(excerpt(module)))
}

/// Holds the answer back.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Delay {
    pub(super) value: Option<OwnedValue>,
    wait_ms: f64,
    deviation_ms: f64,
    by_value: Choices<f64>,
    by_time: Choices<f64>,
}

/// How long an answer is held back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wait {
    For(Duration),
    /// There is no answer at all.
    Never,
}

/// snmpsim's source drops what would wait longer (variation/delay.py; its documentation says 999,999).
const LONGEST_WAIT_MS: f64 = 99_999.0;

impl Delay {
    fn none() -> Self {
        let (by_value, by_time) = (Choices::none(), Choices::none());
        Delay { value: None, wait_ms: 0.0, deviation_ms: 0.0, by_value, by_time }
    }

    fn parse(tag: Option<u8>, options: &mut Options<'_>) -> Result<Self, Problem> {
        let milliseconds = |text: &[u8]| std::str::from_utf8(text).ok()?.trim().parse::<u32>().ok().map(f64::from);
        let delay = Delay {
            value: tag.map(|tag| options.take_value(tag)).transpose()?.flatten(),
            wait_ms: options.take_f64("wait")?.unwrap_or(500.0),
            deviation_ms: options.take_f64("deviation")?.unwrap_or(0.0).abs(),
            by_value: match tag {
                Some(tag) => options.take_choices("vlist", tag, milliseconds)?,
                None => Choices::none(),
            },
            by_time: options.take_choices("tlist", tag::COUNTER64, milliseconds)?,
        };
        Ok(delay)
    }

    /// How long a read, or a SET of `written`, waits at a time in seconds since 1970.
    pub(super) fn wait(&self, unix_s: u64, written: Option<&Value<'_>>, noise: &mut Noise) -> Wait {
        let chosen = match written {
            Some(value) if !self.by_value.is_empty() => self.by_value.pick(value),
            _ => self.by_time.pick(&Value::Counter64(unix_s)),
        };
        let mut wait_ms = *chosen.unwrap_or(&self.wait_ms);
        if self.deviation_ms > 0.0 {
            let share = noise.next_u64() as f64 / u64::MAX as f64;
            wait_ms += self.deviation_ms * (2.0 * share - 1.0);
        }
        if wait_ms > LONGEST_WAIT_MS {
            return Wait::Never;
        }
        Wait::For(Duration::from_secs_f64(wait_ms.max(0.0) / 1_000.0).min(MAX_DELAY))
    }
}

/// What is answered instead of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Instead {
    Status(ErrorStatus),
    NoSuchObject,
    NoSuchInstance,
    EndOfMibView,
}

impl Instead {
    /// Reads an error's name as snmpsim spells it, or as the RFC does.
    fn parse(text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok()?.trim().to_ascii_lowercase();
        Some(match text.as_str() {
            "nosuchobject" => Instead::NoSuchObject,
            "nosuchinstance" => Instead::NoSuchInstance,
            "endofmib" | "endofmibview" => Instead::EndOfMibView,
            "generror" => Instead::Status(ErrorStatus::GEN_ERR),
            other => {
                let statuses = (1..=ErrorStatus::INCONSISTENT_NAME.0).map(ErrorStatus);
                let mut named = statuses.filter(|status| status.name().is_some_and(|n| n.eq_ignore_ascii_case(other)));
                Instead::Status(named.next()?)
            }
        })
    }

    /// What a SET fails with: the exceptions have no place in its response.
    pub(super) const fn status_of_set(self) -> ErrorStatus {
        match self {
            Instead::Status(status) => status,
            _ => ErrorStatus::NO_CREATION,
        }
    }
}

/// Which operations fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operations {
    Reads,
    Writes,
    All,
}

impl Operations {
    fn take(options: &mut Options<'_>) -> Result<Self, Problem> {
        match options.take("op") {
            None => Ok(Operations::All),
            Some(text) if text.eq_ignore_ascii_case(b"any") => Ok(Operations::All),
            Some(text) if text.eq_ignore_ascii_case(b"get") => Ok(Operations::Reads),
            Some(text) if text.eq_ignore_ascii_case(b"set") => Ok(Operations::Writes),
            Some(text) => Err(options.problem(text, "expected get, set or any")),
        }
    }
}

fn take_status(options: &mut Options<'_>) -> Result<Option<Instead>, Problem> {
    let Some(text) = options.take("status") else { return Ok(None) };
    Instead::parse(text).map(Some).ok_or_else(|| options.problem(text, "expected the name of an error"))
}

/// Answers with an error.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Erring {
    pub(super) value: Option<OwnedValue>,
    operations: Operations,
    status: Option<Instead>,
    by_value: Choices<Instead>,
}

impl Erring {
    fn parse(tag: Option<u8>, options: &mut Options<'_>) -> Result<Self, Problem> {
        let erring = Erring {
            value: tag.map(|tag| options.take_value(tag)).transpose()?.flatten(),
            operations: Operations::take(options)?,
            status: take_status(options)?,
            by_value: match tag {
                Some(tag) => options.take_choices("vlist", tag, Instead::parse)?,
                None => Choices::none(),
            },
        };
        Ok(erring)
    }

    pub(super) fn on_read(&self) -> Option<Instead> {
        self.status.filter(|_| self.operations != Operations::Writes)
    }

    pub(super) fn on_write(&self, value: &Value<'_>) -> Option<Instead> {
        if !self.by_value.is_empty() {
            return self.by_value.pick(value).copied();
        }
        self.status.filter(|_| self.operations != Operations::Reads)
    }
}

/// Keeps what a SET writes.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct WriteCache {
    pub(super) tag: u8,
    pub(super) value: Option<OwnedValue>,
    operations: Operations,
    status: Option<Instead>,
    by_value: Choices<Instead>,
}

impl WriteCache {
    fn parse(tag: u8, options: &mut Options<'_>) -> Result<Self, Problem> {
        let cache = WriteCache {
            tag,
            value: options.take_value(tag)?,
            operations: Operations::take(options)?,
            status: take_status(options)?,
            by_value: options.take_choices("vlist", tag, Instead::parse)?,
        };
        Ok(cache)
    }

    pub(super) fn on_read(&self) -> Option<Instead> {
        self.status.filter(|_| self.operations != Operations::Writes)
    }

    pub(super) fn on_write(&self, value: &Value<'_>) -> Option<Instead> {
        let by_value = self.by_value.pick(value).copied();
        by_value.or_else(|| self.status.filter(|_| self.operations != Operations::Reads))
    }
}

/// Serves a subtree from one of several recordings.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Multiplex {
    /// The directory that the line names, without slashes at its ends.
    pub(super) directory: Box<str>,
    period: Duration,
    wraps: bool,
    /// The object whose value chooses the recording, instead of time.
    pub(super) control: Option<Oid>,
}

impl Multiplex {
    fn parse(options: &mut Options<'_>) -> Result<Self, Problem> {
        let directory = options.take("dir").unwrap_or_default();
        let directory = std::str::from_utf8(directory).map_or("", |text| text.trim().trim_matches('/'));
        if directory.is_empty() {
            return Err(options.problem(b"dir", "expected the directory of the snapshots"));
        }
        let directory = directory.into();
        let seconds = options.take_f64("period")?.unwrap_or(60.0);
        let period = Duration::try_from_secs_f64(seconds).ok().filter(|period| !period.is_zero());
        let control = options.take("control");
        let control = control.map(|text| text::oid(text).map_err(|_| options.problem(text, "expected an OID")));
        let multiplex = Multiplex {
            directory,
            period: period.ok_or_else(|| options.problem(b"period", "expected seconds above zero"))?,
            wraps: options.take_flag("wrap")?,
            control: control.transpose()?,
        };
        Ok(multiplex)
    }

    /// Which of `count` recordings is served so long after the start of the simulation.
    pub(super) fn by_time(&self, uptime: Duration, count: usize) -> usize {
        let periods = usize::try_from(uptime.as_nanos() / self.period.as_nanos()).unwrap_or(usize::MAX);
        let last = count.saturating_sub(1);
        if self.wraps { periods.checked_rem(count).unwrap_or(0) } else { periods.min(last) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delay(text: &str) -> Delay {
        Delay::parse(Some(tag::INTEGER), &mut Options::parse("delay", text.as_bytes()).unwrap()).unwrap()
    }

    fn ms(wait: u64) -> Wait {
        Wait::For(Duration::from_millis(wait))
    }

    #[test]
    fn delays_are_constant_or_chosen() {
        let mut noise = Noise::new(1);
        let mut wait = |text: &str, unix_s, written| delay(text).wait(unix_s, written, &mut noise);
        assert_eq!(wait("value=6", 0, None), ms(500));
        assert_eq!(wait("wait=100", 0, None), ms(100));
        assert_eq!(wait("wait=-3", 0, None), ms(0));
        assert_eq!(wait("wait=1000000", 0, None), Wait::Never);
        let by_value = "vlist=eq:0:100:eq:1:1000,wait=7";
        assert_eq!(wait(by_value, 0, Some(&Value::Integer(0))), ms(100));
        assert_eq!(wait(by_value, 0, Some(&Value::Integer(1))), ms(1000));
        assert_eq!(wait(by_value, 0, Some(&Value::Integer(2))), ms(7));
        assert_eq!(wait(by_value, 0, None), ms(7));
        let by_time = "tlist=gt:1364860800:1000000";
        assert_eq!(wait(by_time, 1_364_860_800, None), ms(500));
        assert_eq!(wait(by_time, 1_364_860_801, None), Wait::Never);
        for _ in 0..100 {
            let Wait::For(wait) = wait("wait=100,deviation=200", 0, None) else { panic!("an answer") };
            assert!(wait <= Duration::from_millis(300));
        }
    }

    #[test]
    fn errors_are_named_as_snmpsim_or_the_rfc_names_them() {
        for (text, expected) in [
            ("authorizationError", Some(Instead::Status(ErrorStatus::AUTHORIZATION_ERROR))),
            ("genError", Some(Instead::Status(ErrorStatus::GEN_ERR))),
            ("genErr", Some(Instead::Status(ErrorStatus::GEN_ERR))),
            ("commitfailed", Some(Instead::Status(ErrorStatus::COMMIT_FAILED))),
            ("wrongLength", Some(Instead::Status(ErrorStatus::WRONG_LENGTH))),
            ("endOfMib", Some(Instead::EndOfMibView)),
            ("noError", None),
            ("whatever", None),
        ] {
            assert_eq!(Instead::parse(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn errors_depend_on_operation_and_value() {
        let erring =
            |text: &str| Erring::parse(Some(2), &mut Options::parse("error", text.as_bytes()).unwrap()).unwrap();
        let get = erring("op=get,status=authorizationError,value=1");
        assert!(get.on_read().is_some() && get.on_write(&Value::Integer(1)).is_none());
        let set = erring("op=set,status=commitfailed");
        assert!(set.on_read().is_none() && set.on_write(&Value::Integer(1)).is_some());
        let access = erring("vlist=gt:2:wrongvalue,value=1");
        assert_eq!(access.on_write(&Value::Integer(3)), Some(Instead::Status(ErrorStatus::WRONG_VALUE)));
        assert_eq!((access.on_read(), access.on_write(&Value::Integer(2))), (None, None));
    }

    #[test]
    fn snapshots_follow_each_other() {
        let multiplex =
            |text: &str| Multiplex::parse(&mut Options::parse("multiplex", text.as_bytes()).unwrap()).unwrap();
        let once = multiplex("dir=/variation/shots/,period=10.0");
        assert_eq!(&*once.directory, "variation/shots");
        let at = |rule: &Multiplex, seconds| rule.by_time(Duration::from_secs(seconds), 3);
        assert_eq!([0, 9, 10, 29, 30, 1000].map(|s| at(&once, s)), [0, 0, 1, 2, 2, 2]);
        let cycle = multiplex("dir=variation/shots,period=10,wrap=true");
        assert_eq!([0, 29, 30, 45].map(|s| at(&cycle, s)), [0, 2, 0, 1]);
        assert_eq!(cycle.by_time(Duration::from_secs(50), 0), 0);
    }

    #[test]
    fn variations_are_refused_where_they_make_no_sense() {
        let object = |module: &str, text: &str| Variation::parse(module.as_bytes(), 2, text.as_bytes());
        let subtree = |module: &str, text: &str| SubtreeRule::parse(module.as_bytes(), text.as_bytes());
        assert_eq!(object("sql", "snmprec").unwrap_err().kind(), "unsupported-variation");
        assert_eq!(object("multiplex", "dir=x").unwrap_err().kind(), "misplaced-variation");
        assert_eq!(object("writecache", "value=x").unwrap_err().kind(), "bad-number");
        assert_eq!(object("error", "status=odd").unwrap_err().kind(), "bad-option");
        assert_eq!(subtree("redis", "").unwrap_err().kind(), "unsupported-variation");
        assert_eq!(subtree("numeric", "").unwrap_err().kind(), "misplaced-variation");
        assert_eq!(subtree("multiplex", "period=1").unwrap_err().kind(), "bad-option");
        assert_eq!(subtree("multiplex", "dir=x,period=0").unwrap_err().kind(), "bad-option");
        let note = |read: Result<(_, Option<Problem>), _>| read.unwrap().1.map(|note| note.kind());
        assert_eq!(note(object("delay", "wait=1,value=3")), None);
        assert_eq!(note(object("delay", "wait=1,wander=3")), Some("unknown-option"));
        assert_eq!(note(object("notification", "host=127.0.0.1,trapoid=1.3.6,value=4")), Some("notification-not-sent"));
        let (_, note) = subtree("delay", "vlist=eq:1:1").unwrap();
        assert_eq!(note.map(|note| note.kind()), Some("unknown-option"));
    }
}
