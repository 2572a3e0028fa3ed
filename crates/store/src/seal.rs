//! Sealing: the rows of a head become blocks in the sample partitions, a few groups at a time.
//!
//! A block is kept in pieces ([`PIECE_OCTETS`]) under keys of 16 octets, all big-endian:
//! generation (4), group (4), window (4), part (2), piece (2). The generation comes first, so that sealing only ever
//! writes at the end of the table, which packs it well. Parts are there for a group with more samples than fit in
//! memory at once. A CRC-32 over key and block ends the block: the engine does not verify what it reads.
//!
//! A generation counts as sealed in a partition once it is in the table of generations, which is written with its
//! last blocks. A crash before that leaves blocks that nobody reads and that are written again, the same, from the
//! head, which is removed last. A crash in between leaves samples in both places, which reading can bear.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use redb::{ReadableTable, WriteTransaction};

use crate::encoding::Malformed;
use crate::encoding::block::{self, Block};
use crate::engine::{EngineFile, GENERATIONS, PIECES, TOTALS};
use crate::error::{At, StorageError};
use crate::head::{Head, window};
use crate::limits::{PARTITION_MS, PIECE_OCTETS, SEAL_GROUP_SAMPLES_MAX, SEAL_STEP_SAMPLES, WINDOW_MS};
use crate::partition::{Kind, Partitions};
use crate::sample::{Sample, SeriesId};

const WINDOWS_PER_PARTITION: i64 = PARTITION_MS / WINDOW_MS;

/// The partitions of sealed samples.
pub(crate) const SAMPLES: Kind = Kind {
    prefix: "samples",
    fill: |transaction| {
        transaction.open_table(PIECES)?;
        transaction.open_table(GENERATIONS)?;
        Ok(())
    },
};

/// A head on its way into blocks.
#[derive(Debug)]
pub(crate) struct Sealing {
    pub(crate) head: Arc<Head>,
    groups: Vec<u32>,
    /// Groups done.
    done: usize,
    spans: BTreeMap<i64, Span>,
}

/// What of a generation is in one partition.
#[derive(Debug, Clone, Copy)]
struct Span {
    first_window: u32,
    last_window: u32,
    samples: u64,
    octets: u64,
}

type Key = [u8; 16];

/// Octets of a key that are the same for all pieces of a block.
const BLOCK_KEY: usize = 14;

impl Sealing {
    pub(crate) fn new(head: Arc<Head>) -> Self {
        Self { groups: head.groups(), head, done: 0, spans: BTreeMap::new() }
    }

    /// Seals some groups; whether it was the last of them. Days before `oldest_day` are left out.
    pub(crate) fn step(
        &mut self,
        partitions: &Partitions,
        main: &EngineFile,
        oldest_day: i64,
    ) -> Result<bool, StorageError> {
        let mut blocks: BTreeMap<i64, Vec<(Key, Vec<u8>)>> = BTreeMap::new();
        let mut spans = self.spans.clone();
        let mut done = self.done;
        let mut taken = 0;
        while taken < SEAL_STEP_SAMPLES
            && let Some(&group) = self.groups.get(done)
        {
            taken += self.seal_group(group, oldest_day, &mut blocks, &mut spans)?;
            done += 1;
        }
        let last = done == self.groups.len();
        if last {
            // The generation has to be entered also where its last blocks were written in an earlier step.
            for &day in spans.keys() {
                blocks.entry(day).or_default();
            }
        }
        for (day, blocks) in &blocks {
            let file = partitions.get_or_create(*day)?;
            let span = spans.get(day).filter(|_| last);
            let totals =
                file.write(|transaction| write(transaction, blocks, self.head.generation, span).at(file.name()))?;
            if last {
                main.write(|transaction| {
                    transaction.open_table(TOTALS).at(main.name())?.insert(day, totals).at(main.name())?;
                    Ok::<_, StorageError>(())
                })?;
            }
        }
        self.spans = spans;
        self.done = done;
        Ok(last)
    }

    /// Makes the blocks of one group; says how many samples it had.
    fn seal_group(
        &self,
        group: u32,
        oldest_day: i64,
        blocks: &mut BTreeMap<i64, Vec<(Key, Vec<u8>)>>,
        spans: &mut BTreeMap<i64, Span>,
    ) -> Result<usize, StorageError> {
        let mut samples = Vec::new();
        let (mut taken, mut part) = (0, 0u16);
        let mut seal = |samples: &mut Vec<Sample>, part: u16| {
            // Stable: of two samples with the same time the one appended first stays.
            samples.sort_by_key(|s| (window(s.time_ms), s.series, s.time_ms));
            samples.dedup_by_key(|s| (s.series, s.time_ms));
            for samples in samples.chunk_by(|a, b| window(a.time_ms) == window(b.time_ms)) {
                let number = window(samples[0].time_ms);
                let day = number.div_euclid(WINDOWS_PER_PARTITION);
                // What was appended lies between retention and the near future, so that the number fits.
                let Ok(number) = u32::try_from(number) else { continue };
                if day < oldest_day {
                    continue;
                }
                let key = key(self.head.generation, group, number, part, 0);
                let mut octets = Vec::new();
                block::encode(samples, &mut octets);
                octets.extend_from_slice(&checksum(&key, &octets));
                let span = Span {
                    first_window: number,
                    last_window: number,
                    samples: samples.len() as u64,
                    octets: octets.len() as u64,
                };
                match spans.entry(day) {
                    Entry::Vacant(entry) => drop(entry.insert(span)),
                    Entry::Occupied(mut entry) => entry.get_mut().include(span),
                }
                blocks.entry(day).or_default().push((key, octets));
            }
            samples.clear();
        };
        self.head.for_each(group, |sample| {
            taken += 1;
            samples.push(sample);
            if samples.len() >= SEAL_GROUP_SAMPLES_MAX {
                seal(&mut samples, part);
                part = part.saturating_add(1);
            }
        })?;
        seal(&mut samples, part);
        Ok(taken)
    }
}

impl Span {
    fn include(&mut self, other: Self) {
        self.first_window = self.first_window.min(other.first_window);
        self.last_window = self.last_window.max(other.last_window);
        self.samples += other.samples;
        self.octets += other.octets;
    }
}

/// Appends the sealed samples of a series in a partition between two times to `out`, in the order they were sealed.
pub(crate) fn read(
    file: &EngineFile,
    series: SeriesId,
    from_ms: i64,
    to_ms: i64,
    out: &mut Vec<Sample>,
) -> Result<(), StorageError> {
    let Ok(from_window) = u32::try_from(window(from_ms).max(0)) else { return Ok(()) };
    let Ok(to_window) = u32::try_from(window(to_ms.saturating_sub(1))) else { return Ok(()) };
    let start = out.len();
    file.read(|transaction| {
        let pieces = transaction.open_table(PIECES)?;
        for entry in transaction.open_table(GENERATIONS)?.iter()? {
            let (generation, span) = entry?;
            let (first_window, last_window, ..) = span.value();
            if to_window < first_window || from_window > last_window {
                continue;
            }
            let mut block = OpenBlock::default();
            let first = key(generation.value(), series.group(), from_window, 0, 0);
            let last = key(generation.value(), series.group(), to_window, u16::MAX, u16::MAX);
            for entry in pieces.range::<&Key>(&first..=&last)? {
                let (key, piece) = entry?;
                if !block.is_of(key.value()) {
                    block.read(series, out)?;
                    block = OpenBlock::new(key.value());
                }
                block.octets.extend_from_slice(piece.value());
            }
            block.read(series, out)?;
        }
        Ok(())
    })?;
    let mut kept = start;
    for i in start..out.len() {
        if (from_ms..to_ms).contains(&out[i].time_ms) {
            out[kept] = out[i];
            kept += 1;
        }
    }
    out.truncate(kept);
    Ok(())
}

/// Writes blocks and, with the last of them, the generation. Returns the partition's samples and octets.
fn write(
    transaction: &WriteTransaction,
    blocks: &[(Key, Vec<u8>)],
    generation: u32,
    span: Option<&Span>,
) -> Result<(u64, u64), redb::Error> {
    let mut pieces = transaction.open_table(PIECES)?;
    for (key, octets) in blocks {
        let mut key = *key;
        for (number, piece) in (0..=u16::MAX).zip(octets.chunks(PIECE_OCTETS)) {
            key[BLOCK_KEY..].copy_from_slice(&number.to_be_bytes());
            pieces.insert(&key, piece)?;
        }
    }
    let mut generations = transaction.open_table(GENERATIONS)?;
    if let Some(span) = span {
        generations.insert(generation, (span.first_window, span.last_window, span.samples, span.octets))?;
    }
    let mut totals = (0u64, 0u64);
    for entry in generations.iter()? {
        let (_, _, samples, octets) = entry?.1.value();
        totals = (totals.0.saturating_add(samples), totals.1.saturating_add(octets));
    }
    Ok(totals)
}

/// A block of which the pieces are being put together.
#[derive(Default)]
struct OpenBlock {
    key: Key,
    octets: Vec<u8>,
}

impl OpenBlock {
    fn new(key: &Key) -> Self {
        Self { key: *key, octets: Vec::new() }
    }

    fn is_of(&self, key: &Key) -> bool {
        key[..BLOCK_KEY] == self.key[..BLOCK_KEY]
    }

    fn read(&self, series: SeriesId, out: &mut Vec<Sample>) -> Result<(), Malformed> {
        if self.octets.is_empty() {
            return Ok(());
        }
        let (octets, sum) = self.octets.split_last_chunk().ok_or(Malformed("a block has no checksum"))?;
        if *sum != checksum(&self.key, octets) {
            return Err(Malformed("the checksum of a block is wrong"));
        }
        Block::parse(octets)?.read(series, out)
    }
}

/// CRC-32 of a block and of where it belongs.
fn checksum(key: &Key, octets: &[u8]) -> [u8; 4] {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&key[..BLOCK_KEY]);
    hasher.update(octets);
    hasher.finalize().to_be_bytes()
}

fn key(generation: u32, group: u32, window: u32, part: u16, piece: u16) -> Key {
    let mut key = [0; 16];
    key[..4].copy_from_slice(&generation.to_be_bytes());
    key[4..8].copy_from_slice(&group.to_be_bytes());
    key[8..12].copy_from_slice(&window.to_be_bytes());
    key[12..14].copy_from_slice(&part.to_be_bytes());
    key[BLOCK_KEY..].copy_from_slice(&piece.to_be_bytes());
    key
}
