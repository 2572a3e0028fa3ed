//! Files of recordings, read into a [`Library`]: `.snmprec` and `.snmpwalk`, compressed by bzip2 or not. A broken line
//! costs itself, a file that can't be read costs itself; both are told.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use bzip2::read::MultiBzDecoder;
use hamsa_sim::recording::{Diagnostics, Library, Recording, RecordingFile};

use crate::limits::{MAX_RECORDING_DEPTH, MAX_RECORDINGS};
use crate::terminal::{counted, tell};

/// Adds the recordings of a file, or of a directory and those in it, to a library; how many they were.
///
/// # Errors
/// The path can't be read, or holds no recording.
pub fn load(path: &Path, library: &mut Library) -> anyhow::Result<usize> {
    let is_dir = path.metadata().with_context(|| path.display().to_string())?.is_dir();
    let (base, files) = if is_dir {
        let mut files = Vec::new();
        list(path, 0, &mut files)?;
        files.sort();
        (path, files)
    } else {
        (path.parent().unwrap_or(Path::new("")), vec![path.to_owned()])
    };
    let mut count = 0;
    for file in files {
        let name = file.strip_prefix(base).unwrap_or(&file).to_string_lossy().into_owned();
        let Some(recording) = RecordingFile::of_path(&name) else { continue };
        ensure!(library.len() < MAX_RECORDINGS, "more than {MAX_RECORDINGS} recordings");
        match read(&file, &recording) {
            Ok((contents, diagnostics)) => {
                tell_problems(&file, &diagnostics);
                library.insert(recording.name, contents);
                count += 1;
            }
            Err(error) => tell(&format!("hamsa sim: {}: left out: {error:#}", file.display())),
        }
    }
    ensure!(count > 0, "{}: no recordings (*.snmprec or *.snmpwalk, with .bz2 or without)", path.display());
    Ok(count)
}

fn list(dir: &Path, depth: usize, files: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    ensure!(depth <= MAX_RECORDING_DEPTH, "{}: more than {MAX_RECORDING_DEPTH} directories deep", dir.display());
    for entry in dir.read_dir().with_context(|| dir.display().to_string())? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            list(&entry.path(), depth + 1, files)?;
        } else {
            files.push(entry.path());
        }
    }
    Ok(())
}

fn read(path: &Path, recording: &RecordingFile) -> anyhow::Result<(Recording, Diagnostics)> {
    let file = BufReader::new(File::open(path)?);
    let input: Box<dyn BufRead> = match recording.is_compressed {
        true => Box::new(BufReader::new(MultiBzDecoder::new(file))),
        false => Box::new(file),
    };
    Ok(Recording::read(input, recording.format)?)
}

fn tell_problems(file: &Path, diagnostics: &Diagnostics) {
    for problem in diagnostics.first() {
        tell(&format!("hamsa sim: {}:{problem}", file.display()));
    }
    let more = diagnostics.total() as usize - diagnostics.first().len();
    if more > 0 {
        let kinds: Vec<String> = diagnostics.counts().map(|(kind, count)| format!("{count} {kind}")).collect();
        let more = counted(more, "more problem");
        tell(&format!("hamsa sim: {}: {more}; in all {}", file.display(), kinds.join(", ")));
    }
}
