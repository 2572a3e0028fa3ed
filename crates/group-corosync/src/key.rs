//! The ring's key: what its members encrypt and authenticate with. All hosts have the same file.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::limits::{KEY_BYTES, KEY_FILE_BYTES};

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// There is one already: it is never replaced, since the others of the ring have it.
    #[error("the key file {} is there already: remove it first if the whole ring is to have a new key", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// It can't be written or read.
    #[error("the key file {} can't be used", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The system gives no randomness.
    #[error("the system gives no randomness for a key")]
    Randomness(#[source] getrandom::Error),
    /// Others than its owner can read or write it.
    #[error("the key file {} can be used by others than its owner: `chmod 600` it, and have it made anew if it was seen",
            path.display())]
    Open {
        /// The file.
        path: PathBuf,
    },
    /// Corosync takes no key so short or long.
    #[error("the key file {} has {size_bytes} octets; Corosync takes 128 to 4096", path.display())]
    Size {
        /// The file.
        path: PathBuf,
        /// How many octets it has.
        size_bytes: u64,
    },
}

/// Writes a new random key that only its owner can read. Carry it to the other hosts of the ring by a way that nobody
/// listens to.
///
/// # Errors
/// There is a file already, or it can't be written.
pub fn create_key(path: &Path) -> Result<(), KeyError> {
    let failed = |source: std::io::Error| match source.kind() {
        ErrorKind::AlreadyExists => KeyError::Exists { path: path.to_owned() },
        _ => KeyError::File { path: path.to_owned(), source },
    };
    let mut key = [0; KEY_BYTES];
    getrandom::fill(&mut key).map_err(KeyError::Randomness)?;
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(failed)?;
    let written = file.write_all(&key).and_then(|()| file.sync_all());
    written.map_err(|source| {
        // Half a key would keep a whole one from being made.
        let _ = std::fs::remove_file(path);
        failed(source)
    })
}

/// Whether Corosync will take it, and nobody else can.
pub(crate) fn check_key(path: &Path) -> Result<(), KeyError> {
    let failed = |source| KeyError::File { path: path.to_owned(), source };
    let metadata = File::open(path).and_then(|file| file.metadata()).map_err(failed)?;
    if metadata.mode() & 0o077 != 0 {
        return Err(KeyError::Open { path: path.to_owned() });
    }
    let size_bytes = metadata.len();
    if !KEY_FILE_BYTES.contains(&size_bytes) {
        return Err(KeyError::Size { path: path.to_owned(), size_bytes });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_key_is_random_private_and_never_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let (first, second) = (directory.path().join("first"), directory.path().join("second"));
        create_key(&first).unwrap();
        create_key(&second).unwrap();
        let key = std::fs::read(&first).unwrap();
        assert_eq!(key.len(), KEY_BYTES);
        assert_ne!(key, std::fs::read(&second).unwrap());
        assert_eq!(std::fs::metadata(&first).unwrap().mode() & 0o7777, 0o600);
        check_key(&first).unwrap();
        assert!(matches!(create_key(&first), Err(KeyError::Exists { .. })));
        assert_eq!(std::fs::read(&first).unwrap(), key);
    }

    #[test]
    fn a_bad_key_file_is_told() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        assert!(matches!(check_key(&path), Err(KeyError::File { .. })));
        create_key(&path).unwrap();
        std::fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(check_key(&path), Err(KeyError::Open { .. })));
        std::fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        std::fs::write(&path, [7; 127]).unwrap();
        assert!(matches!(check_key(&path), Err(KeyError::Size { size_bytes: 127, .. })));
    }
}
