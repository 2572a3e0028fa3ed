//! What can go wrong in the file system and the engine, and what the caller can do. Each operation has its own
//! error beside it; they all carry a [`StorageError`] when the cause is down here.

use std::io;
use std::path::PathBuf;

/// A file of the store could not be read or written.
///
/// After any of these what had been acknowledged is still there, but the file in question may refuse more work:
/// drop the store and open it again.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// No space left, or over the quota.
    #[error("{file}: no space left; free some, then open the store again")]
    Full {
        /// Name of the file in the store's directory.
        file: String,
    },
    /// The operating system said no.
    #[error("{file}: {source}; see to the cause, then open the store again")]
    Io {
        /// Name of the file in the store's directory.
        file: String,
        /// What it said.
        source: io::Error,
    },
    /// The contents are not what was written.
    #[error("{file} is damaged: {what}; restore it from a copy, or move it away (main.redb: the whole store) to go on")]
    Damaged {
        /// Name of the file in the store's directory.
        file: String,
        /// What is wrong with it.
        what: String,
    },
    /// An earlier error closed the file.
    #[error("{file} was closed by an earlier error; open the store again")]
    Closed {
        /// Name of the file in the store's directory.
        file: String,
    },
}

impl StorageError {
    pub(crate) fn io(file: &str, source: io::Error) -> Self {
        let file = file.to_owned();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full { file },
            _ => Self::Io { file, source },
        }
    }

    pub(crate) fn damaged(file: &str, what: impl ToString) -> Self {
        Self::Damaged { file: file.to_owned(), what: what.to_string() }
    }
}

/// Says which file an engine's error is about.
pub(crate) trait At<T> {
    fn at(self, file: &str) -> Result<T, StorageError>;
}

impl<T, E: Into<redb::Error>> At<T> for Result<T, E> {
    fn at(self, file: &str) -> Result<T, StorageError> {
        self.map_err(|e| match e.into() {
            redb::Error::Io(source) => StorageError::io(file, source),
            redb::Error::PreviousIo | redb::Error::DatabaseClosed | redb::Error::LockPoisoned(_) => {
                StorageError::Closed { file: file.to_owned() }
            }
            redb::Error::Corrupted(what) => StorageError::damaged(file, what),
            other => StorageError::damaged(file, other),
        })
    }
}

/// The store can't be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process, or this one, has it open.
    #[error("{}: another process has the store open; stop it, or name another directory", path.display())]
    Locked {
        /// The store's directory.
        path: PathBuf,
    },
    /// The path is taken by something else.
    #[error("{}: not a store: {what}; name an empty directory or one that is a store", path.display())]
    NotAStore {
        /// The path given.
        path: PathBuf,
        /// What is there instead.
        what: String,
    },
    /// A newer version of the program wrote it.
    #[error("{}: the store has format {found}, this program reads {supported}; run the newer program", path.display())]
    NewerFormat {
        /// The store's directory.
        path: PathBuf,
        /// The format found.
        found: u64,
        /// The newest format this program knows.
        supported: u64,
    },
    /// The directory or a file in it may not be read, written or made.
    #[error("{}: {source}; the user that runs the program must own the directory", path.display())]
    Permission {
        /// What may not be used.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// An option is out of bounds.
    #[error("{option}: {what}")]
    Option {
        /// Name of the field of [`crate::StoreOptions`].
        option: &'static str,
        /// What it may be.
        what: String,
    },
    /// Any other trouble with a file.
    #[error("{}: {source}", path.display())]
    Storage {
        /// The store's directory.
        path: PathBuf,
        /// What and where.
        source: StorageError,
    },
}

impl OpenError {
    pub(crate) fn from_storage(path: &std::path::Path, source: StorageError) -> Self {
        let path = path.to_owned();
        match source {
            StorageError::Io { file, source } if is_permission(source.kind()) => {
                Self::Permission { path: path.join(file), source }
            }
            source => Self::Storage { path, source },
        }
    }

    pub(crate) fn from_io(path: &std::path::Path, source: io::Error) -> Self {
        if is_permission(source.kind()) {
            return Self::Permission { path: path.to_owned(), source };
        }
        Self::Storage { path: path.to_owned(), source: StorageError::io(".", source) }
    }
}

const fn is_permission(kind: io::ErrorKind) -> bool {
    matches!(kind, io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem)
}
