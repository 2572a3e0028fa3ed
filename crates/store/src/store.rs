//! The store as a whole: opening, appending, and what has to be done now and then.

use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;

use redb::ReadableTable;

use crate::encoding::row;
use crate::engine::{
    COUNTERS, DEVICES, Directory, EngineFile, FORMAT, GROUPS, MAIN, META, NAMES, SERIES, STATE, TOTALS,
};
use crate::error::{At, OpenError, StorageError};
use crate::event::{EVENT_FILES, EventError, EventId, EventPage, EventQuery, Events, NewEvent};
use crate::files::{DiskFiles, Files};
use crate::head::{Head, window};
use crate::limits::{
    AHEAD_MS_MAX, APPEND_SAMPLES_MAX, CACHE_BYTES_MIN, EXPIRE_PARTITIONS_MAX, HEAD_ROWS_MAX, PARTITION_MS,
    RETENTION_MS_MAX, RETENTION_MS_MIN, WINDOW_MS,
};
use crate::locks::{lock, read, write};
use crate::partition::{Partitions, day, oldest_day};
use crate::range::{Samples, latest};
use crate::sample::{Sample, SeriesId};
use crate::seal::{SAMPLES, Sealing};
use crate::series::{self, RegisterError, Registry, Series, SeriesMeta, SeriesName};
use crate::state::{self, StateError};

/// What an operator may choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreOptions {
    /// How long samples are kept, to a day.
    pub sample_retention: Duration,
    /// How long events are kept, to a day.
    pub event_retention: Duration,
    /// Most memory for the engine's pages. The index of the rows not sealed yet comes on top: four octets a row.
    pub cache_bytes: usize,
}

impl Default for StoreOptions {
    /// Thirty days of samples, ninety of events, 64 MiB.
    fn default() -> Self {
        const DAY: Duration = Duration::from_secs(24 * 3600);
        Self { sample_retention: 30 * DAY, event_retention: 90 * DAY, cache_bytes: 64 << 20 }
    }
}

/// Samples, events and state in one directory. All calls may come from any thread.
///
/// Times are arguments: `now_ms` is the caller's clock, milliseconds of Unix time.
#[derive(Debug)]
pub struct Store {
    directory: Directory,
    main: EngineFile,
    registry: Registry,
    pub(crate) samples: Partitions,
    events: Events,
    heads: RwLock<Heads>,
    /// Held while rows are appended and while the head is changed for a new one.
    appending: Mutex<()>,
    sealing: Mutex<Option<Sealing>>,
    sample_retention_ms: i64,
    event_retention_ms: i64,
}

#[derive(Debug, Default)]
struct Heads {
    /// To be sealed, oldest first.
    waiting: Vec<Arc<Head>>,
    /// To be appended to.
    current: Option<Arc<Head>>,
}

/// What became of appended samples. Those accepted are on disk: they survive a crash of the process and of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ack {
    /// Stored. A sample whose time the series has already is among them, but will not show.
    pub accepted: usize,
    /// Left out because retention has passed them already.
    pub too_old: usize,
    /// Left out because they are more than [`AHEAD_MS_MAX`] ahead of `now_ms`.
    pub too_new: usize,
}

/// Samples can't be appended. None of the call was.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// A series was never given out by this store.
    #[error("series {0} was never registered; register it first")]
    UnknownSeries(SeriesId),
    /// Too many samples at once.
    #[error("{samples} samples in one call, at most {APPEND_SAMPLES_MAX} are allowed; split them")]
    TooMany {
        /// How many.
        samples: usize,
    },
    /// Nothing was sealed for so long that the head is full.
    #[error("{HEAD_ROWS_MAX} rows wait to be sealed; call maintain")]
    HeadFull,
    /// The file system or the engine failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// What a store holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats {
    /// Series registered.
    pub series: u64,
    /// Samples sealed into blocks.
    pub sealed_samples: u64,
    /// Octets of those blocks, before the engine.
    pub sealed_octets: u64,
    /// Samples not sealed yet, in rows.
    pub head_samples: u64,
    /// What all files take of the disk, in octets.
    pub disk_octets: u64,
    /// Days of samples.
    pub sample_partitions: usize,
    /// Days of events.
    pub event_partitions: usize,
    /// Start of the oldest day of which there are sealed samples, in milliseconds of Unix time.
    pub oldest_ms: Option<i64>,
}

const NEXT_GENERATION: &str = "next generation";
const FORMAT_KEY: &str = "format";

impl Store {
    /// Opens the store in a directory, or makes one in a new or empty directory.
    ///
    /// After a crash this repairs what was being written; it reads the main file and the rows not sealed yet.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open(path: &Path, options: StoreOptions) -> Result<Self, OpenError> {
        let files = DiskFiles::open(path)?;
        Self::open_on(Arc::new(files), path, options)
    }

    /// The same on other files. `path` is only for messages. The files must be this store's alone.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open_on(files: Arc<dyn Files>, path: &Path, options: StoreOptions) -> Result<Self, OpenError> {
        let sample_retention_ms = retention("sample_retention", options.sample_retention)?;
        let event_retention_ms = retention("event_retention", options.event_retention)?;
        if options.cache_bytes < CACHE_BYTES_MIN {
            let what = format!("{} octets, at least {CACHE_BYTES_MIN} are needed", options.cache_bytes);
            return Err(OpenError::Option { option: "cache_bytes", what });
        }
        let directory = Directory { files, cache_bytes: options.cache_bytes };
        let from_storage = |e| OpenError::from_storage(path, e);

        let names = remove_unfinished(&*directory.files).map_err(from_storage)?;
        let main_options = directory.options(8, true, false);
        let main = if names.iter().any(|n| n == MAIN) {
            let main = EngineFile::open(&*directory.files, MAIN, main_options).map_err(from_storage)?;
            check_format(&main, path)?;
            main
        } else {
            if let Some(name) = names.iter().find(|n| n.ends_with(".redb")) {
                let what = format!("it holds {name} and no {MAIN}");
                return Err(OpenError::NotAStore { path: path.to_owned(), what });
            }
            EngineFile::create(&*directory.files, MAIN, main_options, fill_main).map_err(from_storage)?
        };

        let mut generations: Vec<_> = names.iter().filter_map(|n| Head::generation(n)).collect();
        generations.sort_unstable();
        let heads = generations.into_iter().map(|generation| Head::open(&directory, generation).map(Arc::new));
        let mut waiting = heads.collect::<Result<Vec<_>, _>>().map_err(from_storage)?;
        let current = waiting.pop();
        Ok(Self {
            registry: Registry::load(&main).map_err(from_storage)?,
            samples: Partitions::new(SAMPLES, directory.clone(), &names),
            events: Events::new(Partitions::new(EVENT_FILES, directory.clone(), &names)),
            heads: RwLock::new(Heads { waiting, current }),
            appending: Mutex::new(()),
            sealing: Mutex::new(None),
            sample_retention_ms,
            event_retention_ms,
            main,
            directory,
        })
    }

    /// Gives each of these series its number, in order, and makes what is said of it what is known from now on.
    /// A series keeps its number for good. On disk when this returns.
    ///
    /// # Errors
    /// See [`RegisterError`].
    pub fn register(&self, series: &[(SeriesName, SeriesMeta)]) -> Result<Vec<SeriesId>, RegisterError> {
        self.registry.register(&self.main, series)
    }

    /// Forgets series: their names can't be found any more, and what is stored of them goes with its day. If they
    /// are registered again they get new numbers.
    ///
    /// # Errors
    /// When the file system or the engine fails.
    pub fn forget(&self, series: &[SeriesId]) -> Result<(), StorageError> {
        self.registry.forget(&self.main, series)
    }

    /// The series with this name.
    ///
    /// # Errors
    /// When the file system or the engine fails.
    pub fn lookup(&self, name: &SeriesName) -> Result<Option<Series>, StorageError> {
        series::lookup(&self.main, name)
    }

    /// The series with this number.
    ///
    /// # Errors
    /// When the file system or the engine fails.
    pub fn series(&self, id: SeriesId) -> Result<Option<Series>, StorageError> {
        series::series(&self.main, id)
    }

    /// All series of a device, in order of object and instance.
    ///
    /// # Errors
    /// When the file system or the engine fails.
    pub fn series_of(&self, device: &str) -> Result<Vec<Series>, StorageError> {
        series::series_of(&self.main, device)
    }

    /// All devices that have series, in order.
    ///
    /// # Errors
    /// When the file system or the engine fails.
    pub fn devices(&self) -> Result<Vec<String>, StorageError> {
        series::devices(&self.main)
    }

    /// Appends samples of registered series, all or none, but for those that are out of time (see [`Ack`]).
    ///
    /// When this returns the samples are on disk: one call is one sync, so a caller gathers for as long as it
    /// can bear to lose, a second say, and appends then. What it has not got an answer for may be there after a crash
    /// or not, each call as a whole. Samples may come in any order and may be older than what is there; of two with the
    /// same series and time the one appended first is kept.
    ///
    /// # Errors
    /// See [`AppendError`].
    pub fn append(&self, samples: &[Sample], now_ms: i64) -> Result<Ack, AppendError> {
        if samples.len() > APPEND_SAMPLES_MAX {
            return Err(AppendError::TooMany { samples: samples.len() });
        }
        let oldest = oldest_day(now_ms, self.sample_retention_ms).max(0);
        let newest_ms = now_ms.saturating_add(AHEAD_MS_MAX);
        let mut ack = Ack::default();
        let mut accepted = Vec::with_capacity(samples.len());
        for sample in samples {
            if !self.registry.exists(sample.series) {
                return Err(AppendError::UnknownSeries(sample.series));
            }
            if day(sample.time_ms) < oldest {
                ack.too_old += 1;
            } else if sample.time_ms > newest_ms {
                ack.too_new += 1;
            } else {
                accepted.push(*sample);
            }
        }
        ack.accepted = accepted.len();
        if accepted.is_empty() {
            return Ok(ack);
        }
        // Stable: samples keep their order within a group.
        accepted.sort_by_key(|s| s.series.group());
        let rows: Vec<_> = accepted
            .chunk_by(|a, b| a.series.group() == b.series.group())
            .map(|samples| {
                let group = samples[0].series.group();
                let mut octets = Vec::with_capacity(16 + 8 * samples.len());
                row::encode(group, samples, &mut octets);
                (group, samples.len(), octets)
            })
            .collect();
        let _appending = lock(&self.appending);
        self.current_head(now_ms)?.append(&rows)?;
        Ok(ack)
    }

    /// The samples of a series from `from_ms` to before `to_ms`, in order of time.
    ///
    /// # Errors
    /// When the file system or the engine fails.
    pub fn range(&self, series: SeriesId, from_ms: i64, to_ms: i64) -> Result<Samples<'_>, StorageError> {
        Samples::new(self, series, from_ms, to_ms)
    }

    /// The newest sample of a series.
    ///
    /// # Errors
    /// When the file system or the engine fails.
    pub fn latest(&self, series: SeriesId) -> Result<Option<Sample>, StorageError> {
        latest(self, series)
    }

    /// Stores one event; on disk when this returns.
    ///
    /// # Errors
    /// See [`EventError`].
    pub fn append_event(&self, event: NewEvent<'_>, now_ms: i64) -> Result<EventId, EventError> {
        let ids = self.append_events(&[event], now_ms)?;
        // One went in, so one came out.
        Ok(ids[0])
    }

    /// Stores events, those of a day all or none; on disk when this returns. One call is one sync: in a storm gather.
    ///
    /// # Errors
    /// See [`EventError`].
    pub fn append_events(&self, events: &[NewEvent<'_>], now_ms: i64) -> Result<Vec<EventId>, EventError> {
        self.events.append(&self.main, events, now_ms, self.event_retention_ms)
    }

    /// A page of events, newest first.
    ///
    /// # Errors
    /// When the file system or the engine fails.
    pub fn events(&self, query: &EventQuery<'_>) -> Result<EventPage, StorageError> {
        self.events.query(query)
    }

    /// Puts a state object in place of any of this name; on disk when this returns.
    ///
    /// # Errors
    /// See [`StateError`].
    pub fn put_state(&self, name: &str, contents: &[u8]) -> Result<(), StateError> {
        self.change_states(&[(name, Some(contents))])
    }

    /// Puts (`Some`) and removes (`None`) state objects, all or none; on disk when this returns.
    ///
    /// # Errors
    /// See [`StateError`].
    pub fn change_states(&self, changes: &[(&str, Option<&[u8]>)]) -> Result<(), StateError> {
        state::change(&self.main, changes)
    }

    /// The contents of a state object.
    ///
    /// # Errors
    /// When the file system or the engine fails.
    pub fn get_state(&self, name: &str) -> Result<Option<Vec<u8>>, StorageError> {
        state::get(&self.main, name)
    }

    /// The names of the state objects that begin with `prefix`, in order.
    ///
    /// # Errors
    /// When the file system or the engine fails.
    pub fn list_state(&self, prefix: &str) -> Result<Vec<String>, StorageError> {
        state::list(&self.main, prefix)
    }

    /// Takes `count` numbers of a counter. That they are taken is on disk when this returns, so no number is ever
    /// given twice; numbers of a call that a crash cut short are given to nobody.
    ///
    /// # Errors
    /// See [`StateError`].
    pub fn reserve(&self, name: &str, count: u64) -> Result<Range<u64>, StateError> {
        state::reserve(&self.main, name, count)
    }

    /// Does a little of what has to be done: puts the head aside when its window is over, seals some of it. Takes some
    /// tens of milliseconds at most; returns whether there is more. To be called about once a second.
    ///
    /// # Errors
    /// When the file system or the engine fails.
    pub fn maintain(&self, now_ms: i64) -> Result<bool, StorageError> {
        let mut sealing = lock(&self.sealing);
        self.put_head_aside(now_ms);
        let step = match &mut *sealing {
            Some(step) => step,
            None => match read(&self.heads).waiting.first() {
                Some(head) => sealing.insert(Sealing::new(Arc::clone(head))),
                None => return Ok(false),
            },
        };
        if !step.step(&self.samples, &self.main, oldest_day(now_ms, self.sample_retention_ms))? {
            return Ok(true);
        }
        let name = step.head.name().to_owned();
        *sealing = None;
        write(&self.heads).waiting.remove(0);
        // From here on everybody reads the blocks; should the file stay, it is sealed again after the next start.
        self.directory.files.remove(&name).map_err(|e| StorageError::io(&name, e))?;
        Ok(!read(&self.heads).waiting.is_empty())
    }

    /// Removes partitions that retention has passed; returns whether there are more of them. To be called now and
    /// then, a few times a day at least, and not before the caller trusts its clock: one that is years ahead makes all
    /// that is stored too old.
    ///
    /// # Errors
    /// When the file system or the engine fails.
    pub fn expire(&self, now_ms: i64) -> Result<bool, StorageError> {
        let mut left = EXPIRE_PARTITIONS_MAX;
        for (partitions, retention_ms) in
            [(&self.samples, self.sample_retention_ms), (&self.events.partitions, self.event_retention_ms)]
        {
            let oldest = oldest_day(now_ms, retention_ms);
            for day in partitions.days().into_iter().take_while(|&day| day < oldest) {
                if left == 0 {
                    return Ok(true);
                }
                left -= 1;
                partitions.remove(day)?;
            }
        }
        let gone_before = oldest_day(now_ms, self.sample_retention_ms);
        let main = &self.main;
        let first = main.read(|t| Ok(t.open_table(TOTALS)?.first()?.map(|(day, _)| day.value())))?;
        if first.is_some_and(|day| day < gone_before) {
            main.write(|transaction| {
                transaction.open_table(TOTALS).at(MAIN)?.retain(|day, _| day >= gone_before).at(MAIN)
            })?;
        }
        Ok(false)
    }

    /// What the store holds.
    ///
    /// # Errors
    /// When the file system or the engine fails.
    pub fn stats(&self) -> Result<Stats, StorageError> {
        let days = self.samples.days();
        let mut stats = Stats {
            series: self.registry.len(),
            head_samples: self.heads().iter().map(|h| h.samples()).sum(),
            sample_partitions: days.len(),
            event_partitions: self.events.partitions.days().len(),
            oldest_ms: days.first().map(|day| day.saturating_mul(PARTITION_MS)),
            ..Stats::default()
        };
        self.main.read(|transaction| {
            for entry in transaction.open_table(TOTALS)?.iter()? {
                let (samples, octets) = entry?.1.value();
                stats.sealed_samples = stats.sealed_samples.saturating_add(samples);
                stats.sealed_octets = stats.sealed_octets.saturating_add(octets);
            }
            Ok(())
        })?;
        let files = self.directory.files.list().map_err(|e| StorageError::io(".", e))?;
        stats.disk_octets = files.iter().map(|f| f.size_bytes).sum();
        Ok(stats)
    }

    /// All heads, oldest first.
    pub(crate) fn heads(&self) -> Vec<Arc<Head>> {
        let heads = read(&self.heads);
        heads.waiting.iter().chain(&heads.current).cloned().collect()
    }

    /// The head to append to. The caller holds `appending`.
    fn current_head(&self, now_ms: i64) -> Result<Arc<Head>, AppendError> {
        if let Some(head) = &read(&self.heads).current {
            return if head.rows() < HEAD_ROWS_MAX { Ok(Arc::clone(head)) } else { Err(AppendError::HeadFull) };
        }
        let number = take_numbers(&self.main, NEXT_GENERATION, 1)?.start;
        let generation = u32::try_from(number).map_err(|_| StorageError::damaged(MAIN, "out of generations"))?;
        let head = Arc::new(Head::create(&self.directory, generation, window(now_ms))?);
        write(&self.heads).current = Some(Arc::clone(&head));
        Ok(head)
    }

    /// Puts the head aside when its window is over or it is half full, and none waits yet.
    fn put_head_aside(&self, now_ms: i64) {
        let _appending = lock(&self.appending);
        let mut heads = write(&self.heads);
        let due = |head: &mut Arc<Head>| {
            head.rows() > 0 && (head.window != window(now_ms) || head.rows() >= HEAD_ROWS_MAX / 2)
        };
        if heads.waiting.is_empty() {
            let aside = heads.current.take_if(due);
            heads.waiting.extend(aside);
        }
    }
}

/// Takes numbers of the main file's own counters; that they are taken is on disk when this returns.
pub(crate) fn take_numbers(main: &EngineFile, name: &str, count: u64) -> Result<Range<u64>, StorageError> {
    main.write(|transaction| {
        let mut meta = transaction.open_table(META).at(MAIN)?;
        let start = meta.get(name).at(MAIN)?.map_or(0, |next| next.value());
        let end = start.checked_add(count).ok_or_else(|| StorageError::damaged(MAIN, format!("no {name}")))?;
        meta.insert(name, end).at(MAIN)?;
        Ok(start..end)
    })
}

fn retention(option: &'static str, retention: Duration) -> Result<i64, OpenError> {
    match i64::try_from(retention.as_millis()) {
        Ok(ms) if (RETENTION_MS_MIN..=RETENTION_MS_MAX).contains(&ms) => Ok(ms),
        _ => {
            let (min, max) = (RETENTION_MS_MIN / 3_600_000, RETENTION_MS_MAX / PARTITION_MS);
            let what = format!("{} h, {min} h to {max} days are allowed", retention.as_secs() / 3600);
            Err(OpenError::Option { option, what })
        }
    }
}

/// Removes files that a crash left half made; returns the names of the others.
fn remove_unfinished(files: &dyn Files) -> Result<Vec<String>, StorageError> {
    let mut names = Vec::new();
    for file in files.list().map_err(|e| StorageError::io(".", e))? {
        if file.name.ends_with(".redb.new") {
            files.remove(&file.name).map_err(|e| StorageError::io(&file.name, e))?;
        } else {
            names.push(file.name);
        }
    }
    Ok(names)
}

fn fill_main(transaction: &redb::WriteTransaction) -> Result<(), redb::Error> {
    transaction.open_table(META)?.insert(FORMAT_KEY, FORMAT)?;
    transaction.open_table(GROUPS)?;
    transaction.open_table(DEVICES)?;
    transaction.open_table(NAMES)?;
    transaction.open_table(SERIES)?;
    transaction.open_table(STATE)?;
    transaction.open_table(COUNTERS)?;
    transaction.open_table(TOTALS)?;
    Ok(())
}

fn check_format(main: &EngineFile, path: &Path) -> Result<(), OpenError> {
    let not_a_store = |what: String| OpenError::NotAStore { path: path.to_owned(), what };
    let found = main.read(|transaction| match transaction.open_table(META) {
        Ok(meta) => Ok(meta.get(FORMAT_KEY)?.map(|format| format.value())),
        Err(redb::TableError::Storage(e)) => Err(e.into()),
        Err(_) => Ok(None),
    });
    let found = found.map_err(|e| OpenError::from_storage(path, e))?;
    match found {
        Some(FORMAT) => Ok(()),
        Some(found) if found > FORMAT => {
            Err(OpenError::NewerFormat { path: path.to_owned(), found, supported: FORMAT })
        }
        _ => Err(not_a_store(format!("{MAIN} was made by something else"))),
    }
}

const _: () = assert!(PARTITION_MS % WINDOW_MS == 0, "a window lies in one partition");
