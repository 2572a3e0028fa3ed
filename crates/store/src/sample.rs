//! One reading of one object instance, and the name the store gives to a series of them.
//!
//! Values are exact 64-bit integers; nothing here knows of rates (see [`crate::rate`]) or of SNMP types
//! beyond what [`crate::SeriesKind`] says.

use std::fmt;

use crate::limits::SERIES_PER_GROUP;

/// A series: one object instance of one device. Given out by [`crate::Store::register`], never used twice.
///
/// The series of a device sit in groups of [`SERIES_PER_GROUP`]; a group is what the store keeps together
/// on disk, because its series are polled together and so share their timestamps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SeriesId(u32);

impl SeriesId {
    /// The identifier with this number, as [`SeriesId::number`] gave it. It need not exist in any store.
    pub const fn from_number(number: u32) -> Self {
        Self(number)
    }

    /// The number, for keeping outside the store.
    pub const fn number(self) -> u32 {
        self.0
    }

    /// The group the series belongs to.
    pub const fn group(self) -> u32 {
        self.0 / SERIES_PER_GROUP
    }

    /// The place of the series in its group, 0 to [`SERIES_PER_GROUP`]` - 1`.
    pub const fn slot(self) -> u8 {
        (self.0 % SERIES_PER_GROUP) as u8
    }

    /// The series at a place of a group, or `None` where there can't be one.
    pub const fn in_group(group: u32, slot: u8) -> Option<Self> {
        if slot as u32 >= SERIES_PER_GROUP {
            return None;
        }
        match group.checked_mul(SERIES_PER_GROUP) {
            Some(first) => Some(Self(first + slot as u32)),
            None => None,
        }
    }
}

impl fmt::Display for SeriesId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// What is known about a sample besides its value. Bits without a name are kept as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct SampleFlags(u8);

impl SampleFlags {
    /// Nothing special.
    pub const NONE: Self = Self(0);
    /// No rate may be computed across this sample and the one before it: the device or the counter began anew
    /// (`sysUpTime` went back, `ifCounterDiscontinuityTime` moved).
    pub const DISCONTINUITY: Self = Self(1);

    /// The flags with these bits.
    pub const fn from_bits(bits: u8) -> Self {
        Self(bits)
    }

    /// The bits.
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// Whether all of `other` is set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

impl std::ops::BitOr for SampleFlags {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// One reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// What was read.
    pub series: SeriesId,
    /// When, in milliseconds of Unix time. With the series it identifies the sample: of two samples with the
    /// same time the one appended first is kept.
    pub time_ms: i64,
    /// The value. Counters and time ticks are unsigned; a gauge is an `i64` in two's complement, see
    /// [`Sample::gauge`].
    pub value: u64,
    /// What else is known.
    pub flags: SampleFlags,
}

impl Sample {
    /// A reading of a counter or of time ticks.
    pub const fn counter(series: SeriesId, time_ms: i64, value: u64) -> Self {
        Self { series, time_ms, value, flags: SampleFlags::NONE }
    }

    /// A reading of a gauge, which may be negative.
    pub const fn gauge(series: SeriesId, time_ms: i64, value: i64) -> Self {
        Self { series, time_ms, value: value.cast_unsigned(), flags: SampleFlags::NONE }
    }

    /// The same reading with these flags.
    pub const fn with_flags(self, flags: SampleFlags) -> Self {
        Self { flags, ..self }
    }

    /// The value of a gauge.
    pub const fn as_gauge(&self) -> i64 {
        self.value.cast_signed()
    }
}
