//! A process that dies at each step of a swap, in turn, and comes back on one side: with both old versions or both new
//! ones, and with the state that was kept.
//!
//! This is its own program: called with `child` it is the process that dies. It counts each time the kernel asks for the time, which is
//! after every step, and each write to its journal, before, amid and after. At the number it was given it aborts. The
//! parent gives it one number after the other until it comes through.
#![allow(clippy::print_stdout)]

#[path = "swap/fixtures.rs"]
#[expect(dead_code, reason = "this test needs less of it")]
mod fixtures;

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Instant;

use hamsa_swap::journal::Entry;
use hamsa_swap::{
    Clock, Installation, Journal, JournalError, KeptState, ModuleId, Package, Proxy, RepositoryError,
    RepositoryStorage, Services, StateSet, SwapManager, SwapOptions,
};

use fixtures::{AllButNobody, Counter, Traits, both_ways, someone};

/// More than a swap has. A child that never comes through would go on for ever.
const POINTS_MAX: i64 = 500;

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().collect();
    match arguments.get(1).map(String::as_str) {
        Some("child") => {
            child(Path::new(&arguments[2]), arguments[3].parse().expect("a number"));
            ExitCode::SUCCESS
        }
        // What libtest is asked by those who list tests.
        Some("--list") => ExitCode::SUCCESS,
        _ => {
            parent();
            println!("test crash ... ok");
            ExitCode::SUCCESS
        }
    }
}

fn parent() {
    let mut was_new = false;
    let (mut old_sides, mut new_sides) = (0, 0);
    for point in 1.. {
        assert!(point < POINTS_MAX, "the child never comes through");
        let directory = tempfile::tempdir().expect("a directory");
        let mut child = Command::new(std::env::current_exe().expect("this program"));
        let child = child.arg("child").arg(directory.path()).arg(point.to_string());
        let status = child.stderr(Stdio::null()).status().expect("a child");
        let has_died = status.signal().is_some();
        assert!(has_died || status.success(), "point {point}: {status}");
        let is_new = look(directory.path(), point);
        assert!(is_new || !was_new, "point {point}: what was committed earlier is not committed later");
        was_new = is_new;
        if !has_died {
            assert!(is_new, "it came through, so the swap was done");
            break;
        }
        if is_new { new_sides += 1 } else { old_sides += 1 }
    }
    // Each side has steps of its own: were one of them never seen, the test would have missed the swap.
    assert!(old_sides > 10 && new_sides > 5, "{old_sides} points before the decision, {new_sides} after it");
}

/// Starts again after the crash. Whether the new versions serve.
fn look(directory: &Path, point: i64) -> bool {
    let manager = manager(directory, &Arc::new(Countdown(AtomicI64::new(i64::MAX))));
    let versions = &manager.recovered().versions;
    let is_new = !versions.is_empty();
    let both = ["a", "b"].map(|name| versions.get(&ModuleId::new("counter", name)).copied());
    assert_eq!(both, if is_new { [Some((2, 0)); 2] } else { [None; 2] }, "point {point}");
    let kept = FileRepository(directory.to_owned());
    for (name, sum) in [("a", 40), ("b", 2)] {
        let id = ModuleId::new("counter", name);
        // Before it was kept for the first time, there is nothing to come back with.
        let state = kept.get(&id).expect("what was kept").into_iter().next().map(|kept| kept.state);
        let expected = if state.is_some() { sum } else { 0 };
        let proxy = install(&manager, if is_new { new(name) } else { old(name) }, state);
        assert_eq!(proxy.add(0), Ok(expected), "point {point}");
        // And it can be swapped: nothing of the crash is left.
        let next = Traits { schema: 2, mappings: both_ways(), ..Traits::of(3, 0) };
        manager.swap(&someone(), vec![next.package(name)], SwapOptions::default()).expect("a swap");
        assert_eq!(proxy.add(1), Ok(expected + 1), "point {point}");
    }
    is_new
}

fn child(directory: &Path, point: i64) {
    let countdown = Arc::new(Countdown(AtomicI64::new(point)));
    let manager = manager(directory, &countdown);
    for (name, sum) in [("a", 40), ("b", 2)] {
        install(&manager, old(name), None).add(sum).expect("a call");
        manager.keep_state(&ModuleId::new("counter", name)).expect("a state");
    }
    manager.swap(&someone(), vec![new("a"), new("b")], SwapOptions::default()).expect("a swap");
}

fn old(name: &str) -> Package {
    Traits::of(1, 0).package(name)
}

fn new(name: &str) -> Package {
    Traits { schema: 2, mappings: both_ways(), ..Traits::of(2, 0) }.package(name)
}

fn install(manager: &SwapManager, package: Package, state: Option<StateSet>) -> Proxy<dyn Counter> {
    manager.install(&someone(), package, Installation { state, ..Installation::default() }).expect("a module")
}

fn manager(directory: &Path, countdown: &Arc<Countdown>) -> SwapManager {
    let journal = FileJournal::open(&directory.join("journal"), Arc::clone(countdown));
    SwapManager::new(Services {
        clock: Arc::clone(countdown) as Arc<dyn Clock>,
        authority: Box::new(AllButNobody),
        journal: Box::new(journal),
        repository: Box::new(FileRepository(directory.to_owned())),
    })
    .expect("a journal")
}

/// How many points are left until the process dies.
struct Countdown(AtomicI64);

impl Countdown {
    fn point(&self) {
        if self.0.fetch_sub(1, Ordering::AcqRel) == 1 {
            std::process::abort();
        }
    }
}

impl Clock for Countdown {
    fn now(&self) -> Instant {
        self.point();
        Instant::now()
    }
}

/// Entries, each with its length in front; what is torn off at the end counts as not written.
struct FileJournal {
    file: File,
    entries: Vec<Entry>,
    countdown: Arc<Countdown>,
}

impl FileJournal {
    fn open(path: &Path, countdown: Arc<Countdown>) -> Self {
        let octets = fs::read(path).unwrap_or_default();
        let (mut entries, mut at) = (Vec::new(), 0);
        while let Some(length) = octets.get(at).map(|length| usize::from(*length)) {
            let Some(entry) = octets.get(at + 1..at + 1 + length) else { break };
            entries.push(Entry::decode(entry).expect("a whole entry"));
            at += 1 + length;
        }
        let file = OpenOptions::new().create(true).append(true).open(path).expect("a file");
        file.set_len(at as u64).expect("the torn end goes");
        FileJournal { file, entries, countdown }
    }
}

impl Journal for FileJournal {
    fn append(&mut self, entry: &Entry) -> Result<(), JournalError> {
        let octets = entry.encode();
        let octets = [&[u8::try_from(octets.len()).expect("a short entry")], &octets[..]].concat();
        self.countdown.point();
        for part in [&octets[..octets.len() / 2], &octets[octets.len() / 2..]] {
            self.file.write_all(part).map_err(|error| JournalError(error.to_string()))?;
            self.countdown.point();
        }
        self.entries.push(entry.clone());
        Ok(())
    }

    fn sync(&mut self) -> Result<(), JournalError> {
        self.countdown.point();
        self.file.sync_data().map_err(|error| JournalError(error.to_string()))
    }

    fn entries(&mut self) -> Result<Vec<Entry>, JournalError> {
        Ok(self.entries.clone())
    }
}

/// The last state of each module in a file of its own.
struct FileRepository(PathBuf);

impl RepositoryStorage for FileRepository {
    fn put(&mut self, module: &ModuleId, kept: KeptState) -> Result<(), RepositoryError> {
        let failed = |error: std::io::Error| RepositoryError(error.to_string());
        let (path, new) = (self.0.join(&module.name), self.0.join(format!("{}.new", module.name)));
        fs::write(&new, kept.state.encode()).map_err(failed)?;
        fs::rename(new, path).map_err(failed)
    }

    fn get(&self, module: &ModuleId) -> Result<Vec<KeptState>, RepositoryError> {
        let Ok(octets) = fs::read(self.0.join(&module.name)) else { return Ok(Vec::new()) };
        let state = StateSet::decode(&octets).map_err(|error| RepositoryError(error.to_string()))?;
        let of: BTreeMap<u32, (u32, u32)> = [(1, (1, 0)), (2, (2, 0))].into();
        Ok(vec![KeptState { version: of[&state.schema()], state }])
    }
}
