//! A block: the samples of one group in one window of time, squeezed without loss.
//!
//! ```text
//! block   = count:varint column* count:varint entry* payload*
//! column  = samples:varint length:varint time:signed time-step:signed (change of the step:signed)*
//! entry   = slot column:varint length:varint
//! payload = mode [flags] first:varint step*
//! flags   = count:varint (samples since the last flagged one:varint flags)*
//! ```
//! Series polled together have the same timestamps, so a column of times is written once and the series name
//! it: a time costs next to nothing, although it is exact to the millisecond. A step is a signed integer, and a
//! run of zero steps is a zero and its length. Steps are differences between neighbours (best for gauges), or
//! differences of those (best for counters that run evenly), whichever is shorter for the series.
//! All arithmetic wraps at 64 bits, so signed and unsigned values both come back exactly.

use super::{Malformed, varint};
use crate::sample::{Sample, SampleFlags, SeriesId};

/// Steps are differences between neighbours.
const DELTA: u8 = 0;
/// Steps are differences between neighbouring differences; the first is against a difference of zero.
const DELTA_OF_DELTA: u8 = 1;
const MODE: u8 = 0x7f;
/// Bit of the mode octet: a list of flags precedes the values.
const FLAGGED: u8 = 0x80;

/// Appends the block of `samples`: all of one group, ordered by series and then by time, no time twice in a series.
pub fn encode(samples: &[Sample], out: &mut Vec<u8>) {
    let mut columns: Vec<Vec<i64>> = Vec::new();
    let mut entries = Vec::new();
    let mut payloads = Vec::new();
    let mut series_count = 0;
    for series in samples.chunk_by(|a, b| a.series == b.series) {
        debug_assert!(series.is_sorted_by(|a, b| a.time_ms < b.time_ms));
        let times = || series.iter().map(|s| s.time_ms);
        let column = columns.iter().position(|c| c.iter().copied().eq(times())).unwrap_or_else(|| {
            columns.push(times().collect());
            columns.len() - 1
        });
        let start = payloads.len();
        encode_payload(series, &mut payloads);
        entries.push(series[0].series.slot());
        varint::put(&mut entries, column as u64);
        varint::put(&mut entries, (payloads.len() - start) as u64);
        series_count += 1;
    }

    varint::put(out, columns.len() as u64);
    let mut octets = Vec::new();
    for column in &columns {
        octets.clear();
        encode_column(column, &mut octets);
        varint::put(out, column.len() as u64);
        varint::put(out, octets.len() as u64);
        out.extend_from_slice(&octets);
    }
    varint::put(out, series_count);
    out.extend_from_slice(&entries);
    out.extend_from_slice(&payloads);
}

/// A block that can be asked for its series.
#[derive(Debug, Clone)]
pub struct Block<'a> {
    columns: Vec<Column<'a>>,
    entries: Vec<Entry<'a>>,
}

#[derive(Debug, Clone, Copy)]
struct Column<'a> {
    samples: usize,
    octets: &'a [u8],
}

#[derive(Debug, Clone, Copy)]
struct Entry<'a> {
    slot: u8,
    column: usize,
    payload: &'a [u8],
}

impl<'a> Block<'a> {
    /// Reads the block's directory; times and values are read when asked for.
    ///
    /// # Errors
    /// When the directory doesn't fit the octets.
    pub fn parse(octets: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = varint::Reader::new(octets);
        let column_count = reader.count()?;
        let mut columns = Vec::with_capacity(column_count.min(64));
        for _ in 0..column_count {
            let samples = reader.integer()?;
            let length = reader.count()?;
            let octets = reader.octets(length)?;
            if samples > octets.len() as u64 {
                return Err(Malformed("a column of times is shorter than it says"));
            }
            columns.push(Column { samples: samples as usize, octets });
        }
        let entry_count = reader.count()?;
        let mut places = Vec::with_capacity(entry_count.min(64));
        for _ in 0..entry_count {
            let slot = reader.octet()?;
            let column = usize::try_from(reader.integer()?).unwrap_or(usize::MAX);
            let length = reader.count()?;
            places.push((slot, column, length));
        }
        let entries = places
            .into_iter()
            .map(|(slot, column, length)| Ok(Entry { slot, column, payload: reader.octets(length)? }));
        Ok(Self { columns, entries: entries.collect::<Result<_, _>>()? })
    }

    /// The slots that have samples here.
    pub fn slots(&self) -> impl Iterator<Item = u8> + '_ {
        self.entries.iter().map(|e| e.slot)
    }

    /// Appends the samples of one series to `out`, in order of time; none if the block has none of it.
    ///
    /// # Errors
    /// When the series can't be read; `out` then has none of it.
    pub fn read(&self, series: SeriesId, out: &mut Vec<Sample>) -> Result<(), Malformed> {
        let Some(entry) = self.entries.iter().find(|e| e.slot == series.slot()) else { return Ok(()) };
        let column = self.columns.get(entry.column).ok_or(Malformed("a series names a column that isn't there"))?;
        let start = out.len();
        let result = decode_column(column, series, out).and_then(|()| decode_payload(entry.payload, &mut out[start..]));
        if result.is_err() {
            out.truncate(start);
        }
        result
    }
}

fn encode_column(times_ms: &[i64], out: &mut Vec<u8>) {
    let (mut last_ms, mut step_ms) = (0i64, 0i64);
    for (i, &time_ms) in times_ms.iter().enumerate() {
        let next_ms = time_ms.wrapping_sub(last_ms);
        varint::put_signed(out, next_ms.wrapping_sub(step_ms));
        // The first difference is the time itself, which says nothing about the next one.
        step_ms = if i == 0 { 0 } else { next_ms };
        last_ms = time_ms;
    }
}

fn decode_column(column: &Column<'_>, series: SeriesId, out: &mut Vec<Sample>) -> Result<(), Malformed> {
    let mut reader = varint::Reader::new(column.octets);
    let (mut time_ms, mut step_ms) = (0i64, 0i64);
    out.reserve(column.samples);
    for i in 0..column.samples {
        let next_ms = step_ms.wrapping_add(reader.signed()?);
        time_ms = time_ms.wrapping_add(next_ms);
        step_ms = if i == 0 { 0 } else { next_ms };
        out.push(Sample::counter(series, time_ms, 0));
    }
    Ok(())
}

fn encode_payload(series: &[Sample], out: &mut Vec<u8>) {
    let flagged = series.iter().filter(|s| s.flags != SampleFlags::NONE).count();
    let mut deltas = Steps::default();
    let mut deltas_of_deltas = Steps::default();
    let mut last_delta = 0u64;
    for pair in series.windows(2) {
        let delta = pair[1].value.wrapping_sub(pair[0].value);
        deltas.push(delta.cast_signed());
        deltas_of_deltas.push(delta.wrapping_sub(last_delta).cast_signed());
        last_delta = delta;
    }
    let (deltas, deltas_of_deltas) = (deltas.finish(), deltas_of_deltas.finish());
    let (mode, steps) =
        if deltas_of_deltas.len() < deltas.len() { (DELTA_OF_DELTA, deltas_of_deltas) } else { (DELTA, deltas) };

    out.push(mode | if flagged > 0 { FLAGGED } else { 0 });
    if flagged > 0 {
        varint::put(out, flagged as u64);
        let mut last = 0;
        for (i, sample) in series.iter().enumerate().filter(|(_, s)| s.flags != SampleFlags::NONE) {
            varint::put(out, (i - last) as u64);
            out.push(sample.flags.bits());
            last = i;
        }
    }
    varint::put(out, series[0].value);
    out.extend_from_slice(&steps);
}

/// Fills in values and flags of `samples`, whose times are there already.
fn decode_payload(payload: &[u8], samples: &mut [Sample]) -> Result<(), Malformed> {
    let mut reader = varint::Reader::new(payload);
    let mode = reader.octet()?;
    if mode & FLAGGED != 0 {
        let mut at = 0usize;
        for _ in 0..reader.count()? {
            at = usize::try_from(reader.integer()?).ok().and_then(|gap| at.checked_add(gap)).unwrap_or(usize::MAX);
            let flags = SampleFlags::from_bits(reader.octet()?);
            samples.get_mut(at).ok_or(Malformed("flags of a sample that isn't there"))?.flags = flags;
        }
    }
    let carry = match mode & MODE {
        DELTA => 0,
        DELTA_OF_DELTA => u64::MAX,
        _ => return Err(Malformed("an unknown mode")),
    };
    let Some((first, rest)) = samples.split_first_mut() else { return Ok(()) };
    let mut value = reader.integer()?;
    first.value = value;
    let (mut delta, mut zeros) = (0u64, 0u64);
    for sample in rest {
        let step = if zeros > 0 { 0 } else { reader.signed()? };
        if step == 0 {
            if zeros == 0 {
                zeros = reader.integer()?;
            }
            zeros = zeros.checked_sub(1).ok_or(Malformed("an empty run"))?;
        }
        delta = (delta & carry).wrapping_add(step.cast_unsigned());
        value = value.wrapping_add(delta);
        sample.value = value;
    }
    if zeros > 0 || !reader.rest().is_empty() {
        return Err(Malformed("more values than times"));
    }
    Ok(())
}

/// Steps being written, zeros as runs.
#[derive(Default)]
struct Steps {
    octets: Vec<u8>,
    zeros: u64,
}

impl Steps {
    fn push(&mut self, step: i64) {
        if step == 0 {
            self.zeros += 1;
        } else {
            self.end_run();
            varint::put_signed(&mut self.octets, step);
        }
    }

    fn end_run(&mut self) {
        if self.zeros > 0 {
            self.octets.push(0);
            varint::put(&mut self.octets, self.zeros);
            self.zeros = 0;
        }
    }

    fn finish(mut self) -> Vec<u8> {
        self.end_run();
        self.octets
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::encoding::row::{self, Row};

    const GROUP: u32 = 7;

    /// Samples of a few series: some on a common clock, some on their own, values of any kind.
    fn samples() -> impl Strategy<Value = Vec<Sample>> {
        let values = prop_oneof![
            proptest::collection::vec(any::<u64>(), 1..40),
            (any::<u64>(), proptest::collection::vec(0..1_000_000u64, 1..40)).prop_map(|(start, steps)| {
                let mut value = start;
                steps
                    .into_iter()
                    .map(|s| {
                        value = value.wrapping_add(s);
                        value
                    })
                    .collect()
            }),
            (any::<u64>(), 1..300usize).prop_map(|(value, n)| vec![value; n]),
        ];
        let series = (values, any::<bool>(), any::<i64>(), proptest::collection::vec(1..100_000i64, 300), any::<u64>());
        proptest::collection::btree_map(0..64u8, series, 0..8).prop_map(|series| {
            let mut all = Vec::new();
            for (slot, (values, common_clock, start_ms, steps_ms, flagged)) in series {
                let mut time_ms = if common_clock { 1_700_000_000_000 } else { start_ms >> 1 };
                for (i, value) in values.into_iter().enumerate() {
                    time_ms += if common_clock { 60_000 } else { steps_ms[i] };
                    let flags = SampleFlags::from_bits(if i < 64 && flagged >> i & 7 == 7 { i as u8 } else { 0 });
                    let series = SeriesId::in_group(GROUP, slot).expect("slot");
                    all.push(Sample { series, time_ms, value, flags });
                }
            }
            all
        })
    }

    proptest! {
        #[test]
        fn blocks_are_lossless(samples in samples()) {
            let mut octets = Vec::new();
            encode(&samples, &mut octets);
            let block = Block::parse(&octets).expect("own block");
            let mut back = Vec::new();
            for slot in 0..64 {
                block.read(SeriesId::in_group(GROUP, slot).expect("slot"), &mut back).expect("own block");
            }
            prop_assert_eq!(samples, back);
        }

        #[test]
        fn rows_are_lossless(samples in samples()) {
            let mut octets = Vec::new();
            row::encode(GROUP, &samples, &mut octets);
            let row = Row::parse(&octets).expect("own row");
            prop_assert_eq!(row.group(), GROUP);
            prop_assert_eq!(samples, row.collect::<Result<Vec<_>, _>>().expect("own row"));
        }

        #[test]
        fn a_flipped_or_cut_block_never_panics(samples in samples(), at in any::<prop::sample::Index>(), bits in 1..=255u8, cut in any::<bool>()) {
            let mut octets = Vec::new();
            encode(&samples, &mut octets);
            let at = at.index(octets.len());
            if cut { octets.truncate(at) } else { octets[at] ^= bits }
            read_all(&octets);
        }

        #[test]
        fn random_octets_never_panic(octets in proptest::collection::vec(any::<u8>(), 0..300)) {
            read_all(&octets);
        }
    }

    /// Reads what can be read; the samples that come out are bounded by the octets that went in.
    fn read_all(octets: &[u8]) {
        if let Ok(row) = Row::parse(octets) {
            assert!(row.count() <= octets.len());
        }
        let Ok(block) = Block::parse(octets) else { return };
        for slot in block.slots().collect::<Vec<_>>() {
            let Some(series) = SeriesId::in_group(GROUP, slot) else { continue };
            let mut out = Vec::new();
            let _ = block.read(series, &mut out);
            assert!(out.len() <= octets.len());
        }
    }

    #[test]
    fn an_even_counter_on_a_common_clock_costs_next_to_nothing() {
        let mut samples = Vec::new();
        for slot in 0..40 {
            let series = SeriesId::in_group(GROUP, slot).expect("slot");
            samples.extend((0..120).map(|i| Sample::counter(series, i * 60_000, i as u64 * 1_000_000)));
        }
        let mut octets = Vec::new();
        encode(&samples, &mut octets);
        assert!(octets.len() < samples.len() / 8, "{} octets for {} samples", octets.len(), samples.len());
    }
}
