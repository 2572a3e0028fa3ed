//! The directory of an enterprise in a file, so that it outlives all nodes that keep it.
//!
//! ```text
//! "HAMSADIR" version:u8=1 began_ms:u64 pieces:u32 (octets:u32 piece)* crc32:u32      all little-endian
//! ```
//!
//! `began_ms` is when the node's last run began: the next one begins later even where the clock was set back, or its changes
//! would be taken for older ones. The pieces are the enterprise's own ([`hamsa_group::enterprise::Enterprise::export`]). A file is
//! written beside the old one and takes its place whole.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use bytes::{Buf, Bytes};

use crate::limits::MAX_KEPT_DIRECTORY_BYTES;
use crate::replace::replace_file;

const MAGIC: &[u8; 8] = b"HAMSADIR";
const VERSION: u8 = 1;

/// What a file has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Kept {
    pub(super) began_ms: u64,
    pub(super) pieces: Vec<Bytes>,
}

/// A file can't be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum KeptError {
    #[error("{path} can't be read or written: {source}")]
    Io { path: PathBuf, source: io::Error },
    #[error("{path} is not a directory that was kept, or is damaged: {what}")]
    Damaged { path: PathBuf, what: &'static str },
}

/// Reads a file; there is nothing in one that is not there.
pub(super) fn read(path: &Path) -> Result<Kept, KeptError> {
    let failed = |source| KeptError::Io { path: path.to_owned(), source };
    let mut octets = Vec::new();
    match File::open(path) {
        Ok(file) => file.take(MAX_KEPT_DIRECTORY_BYTES).read_to_end(&mut octets).map_err(failed)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Kept::default()),
        Err(error) => return Err(failed(error)),
    };
    decode(octets.into()).map_err(|what| KeptError::Damaged { path: path.to_owned(), what })
}

/// Puts a new file in the place of the old one.
pub(super) fn write(path: &Path, kept: &Kept) -> Result<(), KeptError> {
    replace_file(path, &encode(kept)).map_err(|source| KeptError::Io { path: path.to_owned(), source })
}

/// Takes a file that can't be used out of the way. Where it is now.
pub(super) fn set_aside(path: &Path) -> io::Result<PathBuf> {
    let aside = path.with_extension("damaged");
    fs::rename(path, &aside)?;
    Ok(aside)
}

fn encode(kept: &Kept) -> Vec<u8> {
    let mut octets = [&MAGIC[..], &[VERSION], &kept.began_ms.to_le_bytes()].concat();
    // There are fewer names than that, and each has a piece at most.
    octets.extend((kept.pieces.len() as u32).to_le_bytes());
    for piece in &kept.pieces {
        octets.extend((piece.len() as u32).to_le_bytes());
        octets.extend(piece);
    }
    let sum = crc32fast::hash(&octets);
    octets.extend(sum.to_le_bytes());
    octets
}

fn decode(mut octets: Bytes) -> Result<Kept, &'static str> {
    const SHORT: &str = "its end is missing";
    let content = octets.len().checked_sub(4).ok_or(SHORT)?;
    let sum = octets.split_off(content).get_u32_le();
    if octets.len() < MAGIC.len() + 1 || octets[..MAGIC.len()] != MAGIC[..] {
        return Err("it begins otherwise");
    }
    if octets[MAGIC.len()] != VERSION {
        return Err("it is of another version");
    }
    if crc32fast::hash(&octets) != sum {
        return Err("its sum is another");
    }
    octets.advance(MAGIC.len() + 1);
    let began_ms = octets.try_get_u64_le().map_err(|_| SHORT)?;
    let count = octets.try_get_u32_le().map_err(|_| SHORT)?;
    let mut pieces = Vec::new();
    for _ in 0..count {
        let length = octets.try_get_u32_le().map_err(|_| SHORT)? as usize;
        if octets.len() < length {
            return Err(SHORT);
        }
        pieces.push(octets.split_to(length));
    }
    if octets.has_remaining() { Err("something follows") } else { Ok(Kept { began_ms, pieces }) }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    fn kept() -> Kept {
        Kept { began_ms: u64::MAX, pieces: vec![Bytes::from_static(b"one"), Bytes::new(), vec![7; 70_000].into()] }
    }

    #[test]
    fn what_is_written_is_read() {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("kept");
        assert_eq!(read(&path).unwrap(), Kept::default());
        for kept in [Kept::default(), kept()] {
            write(&path, &kept).unwrap();
            assert_eq!(read(&path).unwrap(), kept);
        }
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
        fs::write(&path, "text").unwrap();
        assert!(matches!(read(&path), Err(KeptError::Damaged { .. })));
        assert_eq!(fs::read(set_aside(&path).unwrap()).unwrap(), b"text");
        assert_eq!(read(&path).unwrap(), Kept::default());
        assert!(matches!(write(&directory.path().join("no/kept"), &kept()), Err(KeptError::Io { .. })));
    }

    #[test]
    fn any_damage_is_noticed() {
        let kept = Kept { began_ms: 7, pieces: vec![Bytes::from_static(b"one"), Bytes::from_static(b"two")] };
        let good = encode(&kept);
        assert_eq!(decode(good.clone().into()), Ok(kept));
        for end in 0..good.len() {
            decode(good[..end].to_vec().into()).expect_err("it is cut");
        }
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 0x10;
            decode(bad.into()).expect_err("an octet is another");
        }
        // A sum that fits does not make it sound.
        for counted in [1, 3, u32::MAX] {
            let mut bad = good[..good.len() - 4].to_vec();
            bad[17..21].copy_from_slice(&u32::to_le_bytes(counted));
            bad.extend(crc32fast::hash(&bad).to_le_bytes());
            decode(bad.into()).expect_err("there are two pieces");
        }
    }
}
