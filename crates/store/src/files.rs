//! The boundary under the engine: a directory of files. [`DiskFiles`] is the real one; tests put another in its
//! place to cut the power or fill the disk ([`crate::Store::open_on`]).
//!
//! Only what the store needs is here: no paths, no appending, no metadata beyond sizes.

use std::fmt::Debug;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use crate::engine::MAIN;
use crate::error::OpenError;

/// A flat directory of files.
pub trait Files: Debug + Send + Sync + 'static {
    /// The files there are.
    fn list(&self) -> io::Result<Vec<FileInfo>>;

    /// Opens a file that exists.
    fn open(&self, name: &str) -> io::Result<Box<dyn StoreFile>>;

    /// Makes an empty file, in place of any of this name. It need not survive a power cut before it is renamed.
    fn create(&self, name: &str) -> io::Result<Box<dyn StoreFile>>;

    /// Gives a file another name, in place of any of that name. When this returns, the change survives a power
    /// cut. The file stays usable through handles opened before.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file. Handles opened before can still be read. The removal need not survive a power cut.
    fn remove(&self, name: &str) -> io::Result<()>;
}

/// A file as [`Files::list`] sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileInfo {
    /// Its name.
    pub name: String,
    /// What it takes of the disk, in octets.
    pub size_bytes: u64,
}

/// An open file. What was written is read back at once, but survives a power cut only after [`StoreFile::sync`].
pub trait StoreFile: Debug + Send + Sync + 'static {
    /// Its length in octets.
    fn len(&self) -> io::Result<u64>;

    /// Whether its length is 0.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Fills `out` from `offset`; running over the end is an error.
    fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<()>;

    /// Writes all of `data` at `offset`.
    fn write_at(&self, offset: u64, data: &[u8]) -> io::Result<()>;

    /// Cuts the file or lengthens it with zeros.
    fn set_len(&self, len: u64) -> io::Result<()>;

    /// Makes all that was written before survive a power cut.
    fn sync(&self) -> io::Result<()>;
}

const LOCK: &str = "lock";
/// `mkfs` leaves this in the root of a file system, which is a fair place for a store.
const LOST_AND_FOUND: &str = "lost+found";

/// A directory on disk, locked against a second opener for as long as this lives.
#[derive(Debug)]
pub struct DiskFiles {
    path: PathBuf,
    _lock: File,
}

impl DiskFiles {
    /// Opens the directory of a store, or makes it.
    ///
    /// # Errors
    /// When the path is something else than a store or an empty directory, when it may not be used, or when the
    /// store is open already.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let from_io = |e| OpenError::from_io(path, e);
        if fs::metadata(path).is_ok_and(|m| !m.is_dir()) {
            return Err(OpenError::NotAStore { path: path.to_owned(), what: "it is a file".to_owned() });
        }
        fs::create_dir_all(path).map_err(from_io)?;
        let mut names = Vec::new();
        for entry in fs::read_dir(path).map_err(from_io)? {
            names.push(entry.map_err(from_io)?.file_name());
        }
        if !names.iter().any(|n| n == MAIN) {
            let ours = |n: &&std::ffi::OsString| *n != LOCK && *n != LOST_AND_FOUND && *n != &*format!("{MAIN}.new");
            if let Some(name) = names.iter().find(ours) {
                let what = format!("it holds {} and no {MAIN}", name.display());
                return Err(OpenError::NotAStore { path: path.to_owned(), what });
            }
        }
        let lock =
            OpenOptions::new().create(true).truncate(false).write(true).open(path.join(LOCK)).map_err(from_io)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(OpenError::Locked { path: path.to_owned() }),
            Err(TryLockError::Error(e)) => Err(from_io(e)),
        }
    }
}

impl Files for DiskFiles {
    fn list(&self) -> io::Result<Vec<FileInfo>> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            match entry.metadata() {
                // Blocks, not length: the engine's files have holes.
                Ok(m) if m.is_file() => files.push(FileInfo { name, size_bytes: m.blocks() * 512 }),
                Ok(_) => {}
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                Err(e) => return Err(e),
            }
        }
        Ok(files)
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn StoreFile>> {
        let file = OpenOptions::new().read(true).write(true).open(self.path.join(name))?;
        Ok(Box::new(DiskFile(file)))
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn StoreFile>> {
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(true).open(self.path.join(name))?;
        Ok(Box::new(DiskFile(file)))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.path.join(from), self.path.join(to))?;
        File::open(&self.path)?.sync_all()
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.path.join(name))
    }
}

#[derive(Debug)]
struct DiskFile(File);

impl StoreFile for DiskFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read_exact_at(out, offset)
    }

    fn write_at(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write_all_at(data, offset)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync_data()
    }
}
