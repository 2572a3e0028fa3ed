//! What the kernel tells of this process (proc(5)): time, memory, files, and datagrams that it dropped before
//! they were read. Where /proc is not to be had the figures are left out.

use std::collections::HashSet;
use std::fs;

use nix::unistd::{SysconfVar, sysconf};

/// Figures of this process, by the definitions of Prometheus's standard `process_*` metrics.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
#[allow(missing_docs)]
pub(crate) struct ProcessFigures {
    pub(crate) cpu_s: f64,
    pub(crate) resident_bytes: f64,
    pub(crate) virtual_bytes: f64,
    pub(crate) threads: f64,
    pub(crate) start_time_s: f64,
    pub(crate) open_fds: f64,
    pub(crate) max_fds: f64,
}

impl ProcessFigures {
    /// Reads them.
    pub(crate) fn read() -> Option<Self> {
        let stat = fs::read_to_string("/proc/self/stat").ok()?;
        let boot_s = fs::read_to_string("/proc/stat").ok().and_then(|text| boot_time_s(&text))?;
        let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
        let per_s = constant(SysconfVar::CLK_TCK)?;
        let page_bytes = constant(SysconfVar::PAGE_SIZE)?;
        let stat = Stat::parse(&stat)?;
        Some(ProcessFigures {
            cpu_s: stat.cpu_ticks / per_s,
            resident_bytes: stat.resident_pages * page_bytes,
            virtual_bytes: stat.virtual_bytes,
            threads: stat.threads,
            start_time_s: boot_s + stat.start_ticks / per_s,
            open_fds: fs::read_dir("/proc/self/fd").map_or(0, Iterator::count) as f64,
            max_fds: max_open_files(&limits)?,
        })
    }
}

/// Datagrams that the kernel dropped at this process's UDP sockets because nobody had read in time; those of
/// sockets at one of the ports `trap_ports` apart from the others.
pub(crate) fn udp_drops(trap_ports: &[u16]) -> (u64, u64) {
    let inodes = socket_inodes();
    let mut drops = (0, 0);
    for table in ["/proc/self/net/udp", "/proc/self/net/udp6"] {
        let text = fs::read_to_string(table).unwrap_or_default();
        for socket in text.lines().filter_map(UdpSocketLine::parse).filter(|line| inodes.contains(&line.inode)) {
            let sum = if trap_ports.contains(&socket.port) { &mut drops.1 } else { &mut drops.0 };
            *sum += socket.drops;
        }
    }
    drops
}

struct Stat {
    cpu_ticks: f64,
    threads: f64,
    start_ticks: f64,
    virtual_bytes: f64,
    resident_pages: f64,
}

impl Stat {
    /// The second field is the program's name in parentheses, which may hold anything.
    fn parse(text: &str) -> Option<Self> {
        let (_, fields) = text.rsplit_once(')')?;
        let fields: Vec<&str> = fields.split_whitespace().collect();
        // The first of them is proc(5)'s third.
        let field = |number: usize| fields.get(number - 3)?.parse::<f64>().ok();
        Some(Stat {
            cpu_ticks: field(14)? + field(15)?,
            threads: field(20)?,
            start_ticks: field(22)?,
            virtual_bytes: field(23)?,
            resident_pages: field(24)?,
        })
    }
}

struct UdpSocketLine {
    port: u16,
    inode: u64,
    drops: u64,
}

impl UdpSocketLine {
    fn parse(line: &str) -> Option<Self> {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let port = u16::from_str_radix(fields.get(1)?.rsplit_once(':')?.1, 16).ok()?;
        Some(UdpSocketLine { port, inode: fields.get(9)?.parse().ok()?, drops: fields.get(12)?.parse().ok()? })
    }
}

fn boot_time_s(stat: &str) -> Option<f64> {
    stat.lines().find_map(|line| line.strip_prefix("btime ")?.trim().parse().ok())
}

fn max_open_files(limits: &str) -> Option<f64> {
    let soft = limits.lines().find_map(|line| line.strip_prefix("Max open files")?.split_whitespace().next())?;
    if soft == "unlimited" { Some(f64::INFINITY) } else { soft.parse().ok() }
}

fn socket_inodes() -> HashSet<u64> {
    let Ok(files) = fs::read_dir("/proc/self/fd") else { return HashSet::new() };
    let inode = |path: std::path::PathBuf| {
        let target = fs::read_link(path).ok()?;
        target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
    };
    files.filter_map(|file| inode(file.ok()?.path())).collect()
}

fn constant(name: SysconfVar) -> Option<f64> {
    sysconf(name).ok().flatten().map(|value| value as f64)
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::*;

    #[test]
    fn a_name_with_blanks_and_parentheses_does_not_shift_the_fields() {
        let text =
            "7 (a) b (c) S 1 7 7 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 9 0 1234 8192000 300 18446744073709551615";
        let stat = Stat::parse(text).unwrap();
        assert_eq!((stat.cpu_ticks, stat.threads, stat.start_ticks), (300.0, 9.0, 1_234.0));
        assert_eq!((stat.virtual_bytes, stat.resident_pages), (8_192_000.0, 300.0));
        assert!(Stat::parse("7 (a) S 1").is_none());
    }

    #[test]
    fn this_process_has_figures() {
        let figures = ProcessFigures::read().expect("Linux has /proc");
        assert!(figures.resident_bytes > 1e5 && figures.open_fds >= 3.0 && figures.max_fds >= figures.open_fds);
        assert!(figures.start_time_s > 1.6e9 && figures.threads >= 1.0);
    }

    #[test]
    fn sockets_are_found_by_port_and_inode() {
        let line = " 1234: 0100007F:23CA 00000000:0000 07 00000000:00000000 00:00000000 00000000  1000        0 4711 2 0000000000000000 42";
        let parsed = UdpSocketLine::parse(line).unwrap();
        assert_eq!((parsed.port, parsed.inode, parsed.drops), (9162, 4711, 42));
        assert!(UdpSocketLine::parse("  sl  local_address rem_address   st tx_queue rx_queue").is_none());
    }

    #[test]
    fn datagrams_that_nobody_reads_are_counted_as_dropped() {
        let socket = UdpSocket::bind(("127.0.0.1", 0)).unwrap();
        let address = socket.local_addr().unwrap();
        let sender = UdpSocket::bind(("127.0.0.1", 0)).unwrap();
        // The default receive buffer holds fewer than this.
        for _ in 0..2_000 {
            sender.send_to(&[0; 4_000], address).unwrap();
        }
        assert!(udp_drops(&[address.port()]).1 > 0);
    }
}
