//! The directory of an engine's Unix sockets: for nobody else, and gone with the engine. What an engine that was killed
//! has left is taken away by the next one: a living engine holds a lock (flock(2)) on its directory.

use std::fs::{File, Permissions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::limits::{EMPTY_FOR, MAX_LEFTOVERS_SEEN, MAX_SOCKET_PATH_BYTES};

/// What the names of all such directories begin with.
const PREFIX: &str = "hamsa-zenoh-";

/// Removed when dropped.
#[derive(Debug)]
pub(super) struct Directory {
    directory: TempDir,
    /// Its lock says that this engine lives.
    _lock: File,
}

impl Directory {
    /// Makes one below `parent`, and removes those below it that engines of this user have left.
    ///
    /// # Errors
    /// It cannot be made, or a path below it would be too long for a socket, or have a sign that Zenoh reads as its own.
    pub(super) fn new(parent: &Path) -> io::Result<Self> {
        let directory =
            tempfile::Builder::new().prefix(PREFIX).permissions(Permissions::from_mode(0o700)).tempdir_in(parent)?;
        let lock = File::open(directory.path())?;
        // Another engine, which looks for what was left, may have it for a moment.
        lock.lock()?;
        remove_leftovers(parent, lock.metadata()?.uid());
        Ok(Self { directory, _lock: lock })
    }

    /// Where a socket of that name goes.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub(super) fn socket(&self, name: &str) -> io::Result<PathBuf> {
        let path = self.directory.path().join(name);
        // `?` and `#` begin options of an endpoint.
        let is_plain = path.to_str().is_some_and(|path| !path.contains(['?', '#', ';', '\0']));
        if !is_plain || path.as_os_str().as_bytes().len() >= MAX_SOCKET_PATH_BYTES {
            let reason = format!("{} is too long for a socket, or has odd signs: set TMPDIR", path.display());
            return Err(io::Error::new(io::ErrorKind::InvalidFilename, reason));
        }
        Ok(path)
    }

    /// Removes it now.
    pub(super) fn remove(self) {
        if let Err(error) = self.directory.close() {
            tracing::warn!(%error, "the directory of the engine's sockets stays");
        }
    }
}

/// Only this user's: what is in somebody else's directory may be anything. An empty one may be so new that its engine
/// has no lock on it yet; whoever has put something into one has, or is dead.
fn remove_leftovers(parent: &Path, user: u32) {
    let Ok(entries) = std::fs::read_dir(parent) else { return };
    for entry in entries.take(MAX_LEFTOVERS_SEEN).flatten() {
        let is_ours = entry.file_name().as_bytes().starts_with(PREFIX.as_bytes())
            && entry.metadata().is_ok_and(|it| it.is_dir() && it.uid() == user);
        if !is_ours {
            continue;
        }
        let path = entry.path();
        // Held until it is gone.
        let Ok(lock) = File::open(&path) else { continue };
        let is_old = || {
            let changed = lock.metadata().and_then(|it| it.modified()).ok();
            changed.and_then(|changed| changed.elapsed().ok()).is_some_and(|age| age >= EMPTY_FOR)
        };
        let is_full = || std::fs::read_dir(&path).is_ok_and(|mut entries| entries.next().is_some());
        let is_left = lock.try_lock().is_ok() && (is_full() || is_old());
        if is_left && let Err(error) = std::fs::remove_dir_all(&path) {
            tracing::debug!(%error, path = %path.display(), "what an engine has left stays");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_left_goes_and_what_lives_stays() {
        let parent = TempDir::new().expect("a directory");
        let alive = Directory::new(parent.path()).expect("a directory");
        let left = parent.path().join(format!("{PREFIX}left"));
        std::fs::create_dir(&left).expect("a directory");
        std::fs::write(left.join("socket"), "").expect("a file");
        let [empty, new] = ["empty", "new"].map(|name| parent.path().join(format!("{PREFIX}{name}")));
        for path in [&empty, &new] {
            std::fs::create_dir(path).expect("a directory");
        }
        let before = std::time::SystemTime::now() - 2 * EMPTY_FOR;
        File::open(&empty).expect("a directory").set_modified(before).expect("its time is ours");
        let other = parent.path().join("other");
        std::fs::create_dir(&other).expect("a directory");
        let file = parent.path().join(format!("{PREFIX}file"));
        std::fs::write(&file, "").expect("a file");
        let next = Directory::new(parent.path()).expect("a directory");
        assert!(!left.exists() && !empty.exists() && new.exists() && other.exists() && file.exists());
        let path = |of: &Directory| of.directory.path().to_owned();
        assert!(path(&alive).exists());
        assert_eq!(path(&alive).metadata().expect("there").mode() & 0o777, 0o700);
        let gone = path(&next);
        next.remove();
        assert!(!gone.exists());
        let gone = path(&alive);
        drop(alive);
        assert!(!gone.exists());
    }

    #[test]
    fn engines_that_start_at_once_leave_each_other_alone() {
        let parent = TempDir::new().expect("a directory");
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        let directory = Directory::new(parent.path()).expect("a directory");
                        let socket = directory.socket("socket").expect("a short path");
                        std::fs::write(&socket, "").expect("nobody has removed the directory");
                        std::thread::yield_now();
                        assert!(socket.exists());
                    }
                });
            }
        });
        assert_eq!(std::fs::read_dir(parent.path()).expect("a directory").count(), 0);
    }

    #[test]
    fn paths_that_zenoh_or_the_system_would_not_take_are_refused() {
        let parent = TempDir::new().expect("a directory");
        let directory = Directory::new(parent.path()).expect("a directory");
        directory.socket("hub").expect("it is short");
        directory.socket(&"x".repeat(MAX_SOCKET_PATH_BYTES)).expect_err("it is long");
        directory.socket("a?b=1").expect_err("it has options");
    }
}
