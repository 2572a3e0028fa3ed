//! The `numeric` variation: a number that follows a function of time.
//!
//! `v = function(time * rate) * scale + offset + deviation`, plus the initial value, or, if cumulative, plus
//! what the last read gave; then kept between `min` and `max`. So a cumulative value depends on how often it
//! is read. That is snmpsim's behaviour (variation/numeric.py), and recordings are written for it.

use hamsa_snmp::OwnedValue;
use hamsa_snmp::value::tag;

use super::diagnostic::Problem;
use super::options::{Options, split};
use crate::noise::Noise;

/// The rule for one object.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Numeric {
    tag: u8,
    min: f64,
    max: f64,
    initial: f64,
    rate: f64,
    scale: f64,
    offset: f64,
    deviation: f64,
    is_cumulative: bool,
    wraps: bool,
    uses_unix_time: bool,
    function: Function,
    arguments: Vec<Argument>,
}

/// What a cumulative object remembers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct LastRead {
    value: f64,
    uptime_s: f64,
}

/// When an object is read, in seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct ReadAt {
    /// Since the simulation started.
    pub(super) uptime_s: f64,
    /// Since 1970.
    pub(super) unix_s: f64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Argument {
    Time,
    Constant(f64),
}

impl Numeric {
    pub(super) fn parse(tag: u8, options: &mut Options<'_>) -> Result<Self, Problem> {
        let largest = match tag {
            tag::INTEGER => f64::from(i32::MAX),
            // Strings are numbers in text, such as load averages.
            tag::COUNTER32 | tag::GAUGE32 | tag::TIME_TICKS | tag::OCTET_STRING => f64::from(u32::MAX),
            tag::COUNTER64 => u64::MAX as f64,
            _ => {
                let place = "an object that is neither number nor string";
                return Err(Problem::MisplacedVariation { variation: "numeric", place });
            }
        };
        let min = options.take_f64("min")?.unwrap_or(0.0);
        let (function, arguments) = match options.take("function") {
            None => (Function::Identity, vec![Argument::Time]),
            Some(text) => Function::parse(text, options)?,
        };
        Ok(Numeric {
            tag,
            min,
            max: options.take_f64("max")?.unwrap_or(largest).min(largest),
            initial: options.take_f64("initial")?.unwrap_or(min),
            rate: options.take_f64("rate")?.unwrap_or(1.0),
            scale: options.take_f64("scale")?.unwrap_or(1.0),
            offset: options.take_f64("offset")?.unwrap_or(0.0),
            deviation: options.take_f64("deviation")?.unwrap_or(0.0).abs(),
            is_cumulative: options.take_flag("cumulative")?,
            wraps: options.take_flag("wrap")?,
            uses_unix_time: options.take_flag("atime")?,
            function,
            arguments,
        })
    }

    /// The value now. `last` is what this function left there at the last read of the same object.
    pub(super) fn read(&self, at: ReadAt, last: &mut Option<LastRead>, noise: &mut Noise) -> OwnedValue {
        let time = if self.uses_unix_time { at.unix_s } else { at.uptime_s } * self.rate;
        let argument = |i: usize| match self.arguments.get(i) {
            Some(Argument::Constant(constant)) => *constant,
            Some(Argument::Time) | None => time,
        };
        let mut value = self.function.apply(argument(0), argument(1)) * self.scale;
        let before = last.unwrap_or(LastRead { value: self.initial, uptime_s: 0.0 });
        let base = if self.is_cumulative {
            value += self.offset * (at.uptime_s - before.uptime_s) * self.rate;
            before.value
        } else {
            value += self.offset;
            self.initial
        };
        if self.deviation > 0.0 {
            let share = noise.next_u64() as f64 / u64::MAX as f64;
            value += self.deviation * (2.0 * share - 1.0);
        }
        if self.is_cumulative {
            value = value.max(0.0);
        }
        value = self.bounded(value + base);
        if self.is_cumulative {
            *last = Some(LastRead { value, uptime_s: at.uptime_s });
        }
        self.typed(value)
    }

    fn bounded(&self, value: f64) -> f64 {
        if value > self.max {
            // Never above the top, also where `min` is added to a remainder close to it.
            if self.wraps { (value % self.max + self.min).min(self.max) } else { self.max }
        } else if value >= self.min {
            value
        } else {
            // Also what is not a number: the logarithm of zero time, say.
            self.min
        }
    }

    fn typed(&self, value: f64) -> OwnedValue {
        // Float to integer conversions saturate: no value is ever out of its type's range.
        match self.tag {
            tag::INTEGER => OwnedValue::Integer(value as i32),
            tag::COUNTER32 => OwnedValue::Counter32(value as u32),
            tag::GAUGE32 => OwnedValue::Gauge32(value as u32),
            tag::TIME_TICKS => OwnedValue::TimeTicks(value as u32),
            tag::OCTET_STRING => OwnedValue::OctetString(format!("{value:.2}").into_bytes().into()),
            _ => OwnedValue::Counter64(value as u64),
        }
    }
}

macro_rules! functions {
    ($($name:ident = $text:literal $value:expr,)*) => {
        #[derive(Debug, Clone, Copy, PartialEq)]
        enum Function {
            $($name,)*
        }

        impl Function {
            fn named(text: &[u8]) -> Option<Self> {
                $(if text == $text.as_bytes() {
                    return Some(Function::$name);
                })*
                None
            }

            fn apply(self, x: f64, y: f64) -> f64 {
                match self {
                    $(Function::$name => $value(x, y),)*
                }
            }
        }
    };
}

// The functions of Python's `math` that take one or two numbers and that a recording may name.
functions! {
    Identity = "identity" |x: f64, _| x,
    Acos = "acos" |x: f64, _| x.acos(),
    Asin = "asin" |x: f64, _| x.asin(),
    Atan = "atan" |x: f64, _| x.atan(),
    Atan2 = "atan2" |y: f64, x: f64| y.atan2(x),
    Ceil = "ceil" |x: f64, _| x.ceil(),
    Cos = "cos" |x: f64, _| x.cos(),
    Cosh = "cosh" |x: f64, _| x.cosh(),
    Degrees = "degrees" |x: f64, _| x.to_degrees(),
    Exp = "exp" |x: f64, _| x.exp(),
    Fabs = "fabs" |x: f64, _| x.abs(),
    Floor = "floor" |x: f64, _| x.floor(),
    Fmod = "fmod" |x: f64, y: f64| x % y,
    Hypot = "hypot" |x: f64, y: f64| x.hypot(y),
    Log = "log" |x: f64, _| x.ln(),
    Log10 = "log10" |x: f64, _| x.log10(),
    Log2 = "log2" |x: f64, _| x.log2(),
    Pow = "pow" |x: f64, y: f64| x.powf(y),
    Radians = "radians" |x: f64, _| x.to_radians(),
    Sin = "sin" |x: f64, _| x.sin(),
    Sinh = "sinh" |x: f64, _| x.sinh(),
    Sqrt = "sqrt" |x: f64, _| x.sqrt(),
    Tan = "tan" |x: f64, _| x.tan(),
    Tanh = "tanh" |x: f64, _| x.tanh(),
    Trunc = "trunc" |x: f64, _| x.trunc(),
}

impl Function {
    /// Reads `sin`, or `pow%<time>%2` with its arguments.
    fn parse(text: &[u8], options: &Options<'_>) -> Result<(Self, Vec<Argument>), Problem> {
        let parts = split(text, b'%');
        let function = Function::named(parts[0].trim_ascii())
            .ok_or_else(|| options.problem(text, "expected a function of Python's math, like sin or pow%<time>%2"))?;
        let argument = |part: &&[u8]| match *part {
            b"<time>" => Some(Argument::Time),
            constant => std::str::from_utf8(constant).ok()?.trim().parse().ok().map(Argument::Constant),
        };
        let arguments: Option<Vec<Argument>> = parts[1..].iter().map(argument).collect();
        match arguments {
            Some(arguments) if arguments.is_empty() => Ok((function, vec![Argument::Time])),
            Some(arguments) if arguments.len() <= 2 => Ok((function, arguments)),
            _ => Err(options.problem(text, "expected up to two arguments, numbers or <time>")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numeric(tag: u8, text: &str) -> Result<Numeric, Problem> {
        Numeric::parse(tag, &mut Options::parse("numeric", text.as_bytes())?)
    }

    fn reads(tag: u8, text: &str, seconds: &[f64]) -> Vec<OwnedValue> {
        let (rule, mut last, mut noise) = (numeric(tag, text).unwrap(), None, Noise::new(1));
        let mut read = |&uptime_s| rule.read(ReadAt { uptime_s, unix_s: uptime_s + 1e9 }, &mut last, &mut noise);
        seconds.iter().map(&mut read).collect()
    }

    #[test]
    fn time_is_scaled_and_offset() {
        use OwnedValue::{Gauge32, Integer, TimeTicks};
        assert_eq!(
            reads(67, "rate=100,initial=123999999", &[0.0, 1.5]),
            [TimeTicks(123_999_999), TimeTicks(124_000_149)]
        );
        assert_eq!(reads(66, "scale=2,offset=10,min=5", &[0.0, 3.0]), [Gauge32(15), Gauge32(21)]);
        assert_eq!(reads(66, "function=pow%<time>%2,scale=100,offset=100,rate=2", &[3.0]), [Gauge32(3_700)]);
        assert_eq!(reads(66, "atime=1", &[3.0]), [Gauge32(1_000_000_003)]);
        assert_eq!(reads(2, "rate=0,initial=-4,min=-10", &[3.0]), [Integer(-4)]);
        assert_eq!(reads(4, "rate=0.5,function=sqrt", &[1.0]), [OwnedValue::OctetString(b"0.71".as_slice().into())]);
    }

    #[test]
    fn the_top_freezes_or_wraps() {
        use OwnedValue::{Counter32, Integer};
        assert_eq!(reads(2, "max=10", &[9.0, 11.0, 50.0]), [Integer(9), Integer(10), Integer(10)]);
        assert_eq!(reads(65, "max=10,wrap=1", &[9.0, 13.0]), [Counter32(9), Counter32(3)]);
        assert_eq!(reads(65, "max=10,wrap=0", &[13.0]), [Counter32(10)]);
        assert_eq!(reads(2, "rate=1e12", &[1.0]), [Integer(i32::MAX)]);
        assert_eq!(reads(70, "rate=1e30", &[1.0]), [OwnedValue::Counter64(u64::MAX)]);
        assert_eq!(reads(66, "function=log,min=3", &[0.0]), [OwnedValue::Gauge32(3)]);
    }

    #[test]
    fn cumulative_values_add_up_read_by_read() {
        use OwnedValue::Counter32;
        let found = reads(65, "rate=10,cumulative=1,initial=5", &[1.0, 2.0, 2.0]);
        assert_eq!(found, [Counter32(15), Counter32(35), Counter32(55)]);
        let found = reads(65, "scale=0,offset=3,cumulative=1", &[1.0, 4.0]);
        assert_eq!(found, [Counter32(3), Counter32(12)]);
    }

    #[test]
    fn deviations_stay_within_their_bound() {
        for value in reads(66, "rate=0,initial=100,deviation=7", &[0.0; 200]) {
            assert!(value.as_value().as_u64().unwrap().abs_diff(100) <= 7, "{value:?}");
        }
    }

    #[test]
    fn what_is_not_understood_is_named() {
        for (tag, text, kind) in [
            (6, "rate=1", "misplaced-variation"),
            (65, "rate=fast", "bad-option"),
            (65, "rate=inf", "bad-option"),
            (65, "function=system", "bad-option"),
            (65, "function=pow%1%2%3", "bad-option"),
            (65, "rate", "bad-option"),
        ] {
            assert_eq!(numeric(tag, text).unwrap_err().kind(), kind, "{text}");
        }
    }
}
