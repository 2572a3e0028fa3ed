//! What a process has used, from `/proc` (Linux), and what a directory takes of the disk.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Instant;

/// What was used since it was made.
pub(crate) struct Usage {
    start: Instant,
    cpu_seconds: f64,
    written_octets: u64,
}

impl Usage {
    pub(crate) fn start() -> Self {
        Self { start: Instant::now(), cpu_seconds: cpu_seconds(), written_octets: written_octets() }
    }

    /// Wall-clock seconds, processor seconds and octets sent towards the disk.
    pub(crate) fn since(&self) -> (f64, f64, f64) {
        let written = written_octets() - self.written_octets;
        (self.start.elapsed().as_secs_f64(), cpu_seconds() - self.cpu_seconds, written as f64)
    }
}

/// Octets of disk that the files below a directory take.
pub(crate) fn disk_octets(directory: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(directory) else { return 0 };
    entries
        .flatten()
        .map(|entry| match entry.metadata() {
            Ok(m) if m.is_dir() => disk_octets(&entry.path()),
            Ok(m) => m.blocks() * 512,
            Err(_) => 0,
        })
        .sum()
}

/// Peak of the process's own memory, in octets.
pub(crate) fn peak_memory_octets() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("/proc");
    let line = status.lines().find(|l| l.starts_with("VmHWM:")).expect("VmHWM");
    line.split_whitespace().nth(1).expect("kB").parse::<u64>().expect("a number") * 1024
}

fn cpu_seconds() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").expect("/proc");
    let fields: Vec<_> = stat.rsplit(')').next().expect("fields").split_whitespace().collect();
    let ticks: f64 = fields[11].parse::<f64>().expect("utime") + fields[12].parse::<f64>().expect("stime");
    ticks / 100.0
}

fn written_octets() -> u64 {
    let io = fs::read_to_string("/proc/self/io").expect("/proc");
    let line = io.lines().find(|l| l.starts_with("write_bytes:")).expect("write_bytes");
    line.split_whitespace().nth(1).expect("octets").parse().expect("a number")
}
