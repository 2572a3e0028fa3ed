//! The value field of a variation line: `key=value,key=value`, and lists of `comparison:constant:outcome` in
//! it. Any separator may be doubled or tripled where the text itself holds it, as snmpsim's
//! documentation ("Configuring variation modules") says.

use std::cmp::Ordering;

use hamsa_snmp::value::tag;
use hamsa_snmp::{OwnedValue, Value};

use super::diagnostic::{Problem, excerpt};
use super::text;

/// Splits at the longest run of separators, up to three, that occurs.
pub(super) fn split(text: &[u8], separator: u8) -> Vec<&[u8]> {
    let run = [3, 2, 1].into_iter().find(|&run| text.windows(run).any(|w| w.iter().all(|&b| b == separator)));
    let Some(run) = run else { return vec![text] };
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.windows(run).position(|w| w.iter().all(|&b| b == separator)) {
        parts.push(&rest[..at]);
        rest = &rest[at + run..];
    }
    parts.push(rest);
    parts
}

/// The options of one line. What is taken is removed; what is left at the end was not understood.
pub(super) struct Options<'t> {
    variation: &'static str,
    pairs: Vec<(&'t [u8], &'t [u8])>,
}

impl<'t> Options<'t> {
    /// Reads the value field.
    pub(super) fn parse(variation: &'static str, text: &'t [u8]) -> Result<Self, Problem> {
        let mut options = Options { variation, pairs: Vec::new() };
        if text.is_empty() {
            return Ok(options);
        }
        for pair in split(text, b',') {
            let parts = split(pair, b'=');
            let &[key, value] = parts.as_slice() else {
                return Err(options.problem(pair, "expected one = (write it twice if the value has one itself)"));
            };
            options.pairs.push((key.trim_ascii(), value));
        }
        Ok(options)
    }

    /// An option's text. If it is given twice the last one counts.
    pub(super) fn take(&mut self, key: &str) -> Option<&'t [u8]> {
        let value = self.pairs.iter().rev().find(|(found, _)| *found == key.as_bytes())?.1;
        self.pairs.retain(|(found, _)| *found != key.as_bytes());
        Some(value)
    }

    /// A number.
    pub(super) fn take_f64(&mut self, key: &str) -> Result<Option<f64>, Problem> {
        self.take(key).map(|text| self.number(text)).transpose()
    }

    /// Whether a flag is set: any number but zero, or `true`.
    pub(super) fn take_flag(&mut self, key: &str) -> Result<bool, Problem> {
        match self.take(key) {
            None => Ok(false),
            Some(text) if text.eq_ignore_ascii_case(b"true") => Ok(true),
            Some(text) if text.eq_ignore_ascii_case(b"false") => Ok(false),
            Some(text) => Ok(self.number(text)? != 0.0),
        }
    }

    /// `value` or `hexvalue`, of the line's type.
    pub(super) fn take_value(&mut self, tag: u8) -> Result<Option<OwnedValue>, Problem> {
        let (plain, hex) = (self.take("value"), self.take("hexvalue"));
        match (hex, plain) {
            (Some(hex), _) => text::value(tag, Some('x'), hex).map(Some),
            (None, Some(plain)) => text::value(tag, None, plain).map(Some),
            (None, None) => Ok(None),
        }
    }

    /// `vlist` or `tlist`: comparisons of constants of a type, each with an outcome.
    pub(super) fn take_choices<T>(
        &mut self,
        key: &str,
        tag: u8,
        outcome: impl Fn(&[u8]) -> Option<T>,
    ) -> Result<Choices<T>, Problem> {
        let mut choices = Choices(Vec::new());
        let Some(text) = self.take(key) else { return Ok(choices) };
        let parts = split(text, b':');
        if !parts.len().is_multiple_of(3) {
            return Err(self.problem(text, "expected comparison:constant:outcome"));
        }
        for triple in parts.chunks_exact(3) {
            let comparison = match triple[0] {
                b"eq" => Comparison::Equal,
                b"lt" => Comparison::Less,
                b"gt" => Comparison::Greater,
                other => return Err(self.problem(other, "expected eq, lt or gt")),
            };
            let constant = text::value(tag, None, triple[1])?;
            let outcome = outcome(triple[2]).ok_or_else(|| self.problem(triple[2], "unknown outcome"))?;
            choices.0.push((comparison, constant, outcome));
        }
        // Equality decides first, then "less", then "greater", however they are listed.
        choices.0.sort_by_key(|(comparison, ..)| *comparison);
        Ok(choices)
    }

    /// What is to be told if something was not taken: as snmpsim does, it is ignored otherwise.
    pub(super) fn leftover(&self) -> Option<Problem> {
        let (key, _) = self.pairs.first()?;
        Some(Problem::UnknownOption { variation: self.variation, option: excerpt(key) })
    }

    pub(super) fn problem(&self, option: &[u8], reason: &'static str) -> Problem {
        Problem::BadOption { variation: self.variation, option: excerpt(option), reason }
    }

    fn number(&self, text: &[u8]) -> Result<f64, Problem> {
        let number = std::str::from_utf8(text).ok().and_then(|text| text.trim().parse::<f64>().ok());
        number.filter(|n| n.is_finite()).ok_or_else(|| self.problem(text, "expected a number"))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Comparison {
    Equal,
    Less,
    Greater,
}

/// Outcomes that depend on a value.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Choices<T>(Vec<(Comparison, OwnedValue, T)>);

impl<T> Choices<T> {
    pub(super) fn none() -> Self {
        Choices(Vec::new())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The outcome for a value, if a comparison holds.
    pub(super) fn pick(&self, value: &Value<'_>) -> Option<&T> {
        let holds = |(comparison, constant, _): &&(Comparison, OwnedValue, T)| {
            let order = compare(value, &constant.as_value());
            match comparison {
                Comparison::Equal => order == Some(Ordering::Equal),
                Comparison::Less => order == Some(Ordering::Less),
                Comparison::Greater => order == Some(Ordering::Greater),
            }
        };
        self.0.iter().find(holds).map(|(_, _, outcome)| outcome)
    }
}

/// Compares values of one type.
fn compare(a: &Value<'_>, b: &Value<'_>) -> Option<Ordering> {
    let (mut a_number, mut b_number) = ([0; 9], [0; 9]);
    let ((a_tag, a_octets), (b_tag, b_octets)) = (a.to_ber(&mut a_number), b.to_ber(&mut b_number));
    if a_tag != b_tag {
        return None;
    }
    match (a, b) {
        (Value::ObjectIdentifier(a), Value::ObjectIdentifier(b)) => Some(a.cmp(b)),
        (Value::Integer(a), Value::Integer(b)) => Some(a.cmp(b)),
        _ if matches!(a_tag, tag::OCTET_STRING | tag::OPAQUE | tag::IP_ADDRESS) => Some(a_octets.cmp(b_octets)),
        _ => Some(a.as_u64()?.cmp(&b.as_u64()?)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separators_may_be_doubled() {
        assert_eq!(split(b"a,b", b','), [b"a", b"b"]);
        assert_eq!(split(b"a,b,,c", b','), [&b"a,b"[..], b"c"]);
        assert_eq!(split(b"a,,b,,,c", b','), [&b"a,,b"[..], b"c"]);
        assert_eq!(split(b"", b','), [b""]);
        assert_eq!(split(b",", b','), [b"", b""]);
    }

    #[test]
    fn options_are_taken_once_and_leftovers_named() {
        let mut options = Options::parse("delay", b"wait=100,value==a=b,odd=1").unwrap();
        assert_eq!(options.take_f64("wait"), Ok(Some(100.0)));
        assert_eq!(options.take_value(tag::OCTET_STRING), Ok(Some(Value::OctetString(b"a=b").to_owned())));
        let leftover = options.leftover().unwrap();
        assert_eq!(leftover.to_string(), "variation delay has no option \"odd\"; it is ignored");
    }

    #[test]
    fn comparisons_decide_in_snmpsims_order() {
        let mut options = Options::parse("delay", b"vlist=gt:3:1:eq:5:2:lt:-1:3").unwrap();
        let outcome = |text: &[u8]| std::str::from_utf8(text).ok()?.parse::<u32>().ok();
        let choices = options.take_choices("vlist", tag::INTEGER, outcome).unwrap();
        for (value, expected) in [(5, Some(2)), (4, Some(1)), (3, None), (0, None), (-2, Some(3))] {
            assert_eq!(choices.pick(&Value::Integer(value)).copied(), expected, "{value}");
        }
        assert_eq!(choices.pick(&Value::Gauge32(5)), None, "another type");
        let mut options = Options::parse("delay", b"vlist=eq:1").unwrap();
        assert!(options.take_choices("vlist", tag::INTEGER, outcome).is_err());
    }
}
