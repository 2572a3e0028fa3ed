//! A row: the samples of one group that were appended together, most often one poll of one device.
//!
//! ```text
//! row    = group:varint count:varint time:signed sample*
//! sample = head [time-step:signed] [flags] value:varint
//! head   = slot in bits 0-5, bit 6: a time step follows, bit 7: flags follow
//! ```
//! Samples keep their order. About 6 octets a sample; it is not squeezed further because a row lives for two
//! hours at most (see [`super::block`]).

use super::{Malformed, varint};
use crate::sample::{Sample, SampleFlags, SeriesId};

const TIME_STEP: u8 = 0x40;
const FLAGS: u8 = 0x80;
const SLOT: u8 = 0x3f;

/// Appends the row of `samples`, which all belong to `group`.
pub fn encode(group: u32, samples: &[Sample], out: &mut Vec<u8>) {
    varint::put(out, u64::from(group));
    varint::put(out, samples.len() as u64);
    let mut time_ms = samples.first().map_or(0, |s| s.time_ms);
    varint::put_signed(out, time_ms);
    for sample in samples {
        debug_assert_eq!(sample.series.group(), group);
        let step_ms = sample.time_ms.wrapping_sub(time_ms);
        time_ms = sample.time_ms;
        let has_step = if step_ms != 0 { TIME_STEP } else { 0 };
        let has_flags = if sample.flags != SampleFlags::NONE { FLAGS } else { 0 };
        out.push(sample.series.slot() | has_step | has_flags);
        if step_ms != 0 {
            varint::put_signed(out, step_ms);
        }
        if has_flags != 0 {
            out.push(sample.flags.bits());
        }
        varint::put(out, sample.value);
    }
}

/// A row being read: an iterator over its samples in the order they were appended.
#[derive(Debug, Clone)]
pub struct Row<'a> {
    group: u32,
    left: usize,
    time_ms: i64,
    reader: varint::Reader<'a>,
}

impl<'a> Row<'a> {
    /// Reads the row's head.
    ///
    /// # Errors
    /// When the octets are too few for it.
    pub fn parse(octets: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = varint::Reader::new(octets);
        let group = u32::try_from(reader.integer()?).map_err(|_| Malformed("no such group"))?;
        let left = reader.count()?;
        let time_ms = reader.signed()?;
        Ok(Self { group, left, time_ms, reader })
    }

    /// The group all samples belong to.
    pub const fn group(&self) -> u32 {
        self.group
    }

    /// Samples not read yet.
    pub const fn left(&self) -> usize {
        self.left
    }

    fn sample(&mut self) -> Result<Sample, Malformed> {
        let head = self.reader.octet()?;
        if head & TIME_STEP != 0 {
            self.time_ms = self.time_ms.wrapping_add(self.reader.signed()?);
        }
        let flags = if head & FLAGS != 0 { self.reader.octet()? } else { 0 };
        let value = self.reader.integer()?;
        let series = SeriesId::in_group(self.group, head & SLOT).ok_or(Malformed("no such group"))?;
        Ok(Sample { series, time_ms: self.time_ms, value, flags: SampleFlags::from_bits(flags) })
    }
}

impl Iterator for Row<'_> {
    type Item = Result<Sample, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let sample = self.sample();
        if sample.is_err() {
            self.left = 0;
        }
        Some(sample)
    }
}
