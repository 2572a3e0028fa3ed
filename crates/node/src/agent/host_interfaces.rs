//! The network interfaces of this host, from `/proc/net/dev` and `/sys/class/net` (Linux).
//!
//! What is read is good for a second: a walk of a table asks for thousands of values, all of one moment.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use crate::limits::{INTERFACES_MAX_AGE, MAX_INTERFACES};

/// A network interface at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Interface {
    /// `ifIndex`.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// `ifAlias`.
    pub alias: String,
    /// The kernel's `ARPHRD_` number.
    pub hardware_type: u32,
    /// Octets of the largest packet.
    pub mtu: u32,
    /// Megabits a second, where the kernel knows.
    pub speed_mbit: Option<u32>,
    /// The hardware address; empty: none.
    pub address: Vec<u8>,
    /// Whether it is up, as far as its administrator is concerned.
    pub is_enabled: bool,
    /// RFC 2863's `ifOperStatus`.
    pub oper_status: i32,
    /// Whether it takes all packets that it hears.
    pub is_promiscuous: bool,
    /// Whether a cable can be put into it.
    pub has_connector: bool,
    /// Whether it is an Ethernet interface that is on top of no other.
    pub is_lowest: bool,
    /// When `oper_status` was first seen to be what it is; `None`: it always was.
    pub changed: Option<Instant>,
    /// The counters of `/proc/net/dev`.
    pub received: Counters,
    /// The counters of `/proc/net/dev`.
    pub sent: Counters,
}

/// What an interface has carried in one direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[allow(missing_docs)]
pub struct Counters {
    pub octets: u64,
    pub packets: u64,
    pub errors: u64,
    pub dropped: u64,
    pub multicast: u64,
}

/// All interfaces at one moment.
#[derive(Debug)]
pub struct Snapshot {
    /// When it was taken.
    pub taken: Instant,
    /// By index.
    pub interfaces: Vec<Interface>,
    /// When interfaces came or went last.
    pub changed: Option<Instant>,
}

/// The network interfaces of this host.
#[derive(Debug)]
pub struct HostInterfaces {
    proc_net_dev: PathBuf,
    sys_class_net: PathBuf,
    last: Mutex<Option<Arc<Snapshot>>>,
}

impl HostInterfaces {
    /// Those of the running kernel.
    pub fn new() -> Self {
        HostInterfaces::at("/proc/net/dev".into(), "/sys/class/net".into())
    }

    fn at(proc_net_dev: PathBuf, sys_class_net: PathBuf) -> Self {
        HostInterfaces { proc_net_dev, sys_class_net, last: Mutex::default() }
    }

    /// What they are now, or were a moment ago.
    pub fn snapshot(&self, now: Instant) -> Arc<Snapshot> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(fresh) = last.as_ref().filter(|last| now.saturating_duration_since(last.taken) < INTERFACES_MAX_AGE)
        {
            return fresh.clone();
        }
        let snapshot = Arc::new(self.read(now, last.as_deref()));
        *last = Some(snapshot.clone());
        snapshot
    }

    fn read(&self, now: Instant, last: Option<&Snapshot>) -> Snapshot {
        let text = fs::read_to_string(&self.proc_net_dev).unwrap_or_default();
        let mut interfaces = BTreeMap::new();
        for (name, received, sent) in text.lines().filter_map(counters).take(MAX_INTERFACES) {
            if let Some(mut interface) = self.interface(&name) {
                let before = last.and_then(|last| {
                    last.interfaces.iter().find(|old| old.index == interface.index && old.name == interface.name)
                });
                interface.changed = match before {
                    Some(before) if before.oper_status == interface.oper_status => before.changed,
                    Some(_) => Some(now),
                    None => last.map(|_| now),
                };
                interfaces.insert(interface.index, Interface { received, sent, ..interface });
            }
        }
        let interfaces: Vec<Interface> = interfaces.into_values().collect();
        let is_same = |last: &Snapshot| {
            let which = |interfaces: &[Interface]| -> Vec<(u32, String)> {
                interfaces.iter().map(|interface| (interface.index, interface.name.clone())).collect()
            };
            which(&last.interfaces) == which(&interfaces)
        };
        let changed = match last {
            Some(last) if is_same(last) => last.changed,
            Some(_) => Some(now),
            None => None,
        };
        Snapshot { taken: now, interfaces, changed }
    }

    /// What the kernel's files say; `None` for an interface that is gone.
    fn interface(&self, name: &str) -> Option<Interface> {
        let directory = self.sys_class_net.join(name);
        let text = |file: &str| fs::read_to_string(directory.join(file)).ok().map(|text| text.trim().to_owned());
        let number = |file: &str| text(file)?.parse::<u32>().ok();
        let flags = text("flags").and_then(|flags| u32::from_str_radix(flags.trim_start_matches("0x"), 16).ok());
        let flags = flags.unwrap_or(0);
        let is_enabled = flags & IFF_UP != 0;
        let index = number("ifindex").filter(|&index| index > 0 && index <= i32::MAX as u32)?;
        let hardware_type = number("type").unwrap_or(u32::MAX);
        let is_upper = number("iflink").is_some_and(|link| link != index)
            || directory.join("bridge").exists()
            || fs::read_dir(&directory).into_iter().flatten().flatten().any(|entry| {
                let name = entry.file_name();
                name.to_string_lossy().starts_with("lower_")
            });
        Some(Interface {
            index,
            name: name.to_owned(),
            alias: text("ifalias").unwrap_or_default(),
            hardware_type,
            mtu: number("mtu").unwrap_or(0),
            speed_mbit: number("speed").filter(|&speed| speed > 0),
            address: text("address").and_then(|address| hardware_address(&address)).unwrap_or_default(),
            is_enabled,
            oper_status: oper_status(text("operstate").as_deref(), is_enabled),
            is_promiscuous: flags & IFF_PROMISC != 0,
            has_connector: directory.join("device").exists(),
            is_lowest: hardware_type == ARPHRD_ETHER && !is_upper,
            ..Interface::default()
        })
    }
}

impl Default for HostInterfaces {
    fn default() -> Self {
        HostInterfaces::new()
    }
}

/// The kernel's number for Ethernet.
const ARPHRD_ETHER: u32 = 1;
/// `IFF_UP` of netdevice(7).
const IFF_UP: u32 = 0x1;
/// `IFF_PROMISC` of netdevice(7).
const IFF_PROMISC: u32 = 0x100;

/// The kernel's operational states (RFC 2863's, in its spelling) as numbers.
fn oper_status(state: Option<&str>, is_enabled: bool) -> i32 {
    match state {
        Some("up") => 1,
        Some("down") => 2,
        Some("testing") => 3,
        Some("dormant") => 5,
        Some("notpresent") => 6,
        Some("lowerlayerdown") => 7,
        // Loopback and tunnels have none of their own: they are up when they are enabled.
        _ if is_enabled => 1,
        _ => 2,
    }
}

/// Six octets, or as many as there are, unless all are zero.
fn hardware_address(text: &str) -> Option<Vec<u8>> {
    let octets: Option<Vec<u8>> = text.split(':').map(|octet| u8::from_str_radix(octet, 16).ok()).collect();
    octets.filter(|octets| octets.iter().any(|&octet| octet != 0))
}

/// A line of `/proc/net/dev`: name, received, sent.
fn counters(line: &str) -> Option<(String, Counters, Counters)> {
    let (name, numbers) = line.split_once(':')?;
    let numbers: Option<Vec<u64>> = numbers.split_whitespace().map(|number| number.parse().ok()).collect();
    let numbers = numbers.filter(|numbers| numbers.len() >= 16)?;
    let name = name.trim();
    // It becomes a part of a path.
    let is_name = !name.is_empty() && !name.contains('/') && name != "." && name != "..";
    let of = |at: usize, multicast: u64| Counters {
        octets: numbers[at],
        packets: numbers[at + 1],
        errors: numbers[at + 2],
        dropped: numbers[at + 3],
        multicast,
    };
    is_name.then(|| (name.to_owned(), of(0, numbers[7]), of(8, 0)))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const DEV: &str = "Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo: 100 2 0 0 0 0 0 0 100 2 0 0 0 0 0 0
  eth0: 5000000000 40 3 4 0 0 0 7 6000 50 5 6 0 0 0 0
  gone: 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1
";

    #[test]
    fn files_of_the_kernel_are_read_and_changes_noticed() {
        let directory = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = directory.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("dev", DEV);
        for (file, text) in [("ifindex", "1\n"), ("flags", "0x9\n"), ("type", "772\n"), ("mtu", "65536\n")] {
            write(&format!("net/lo/{file}"), text);
        }
        for (file, text) in [
            ("ifindex", "2"),
            ("flags", "0x1103"),
            ("type", "1"),
            ("mtu", "1500"),
            ("speed", "-1"),
            ("address", "02:00:00:00:00:0a"),
            ("operstate", "up"),
        ] {
            write(&format!("net/eth0/{file}"), text);
        }
        let host = HostInterfaces::at(directory.path().join("dev"), directory.path().join("net"));
        let start = Instant::now();
        let first = host.snapshot(start);
        let names: Vec<&str> = first.interfaces.iter().map(|interface| &*interface.name).collect();
        assert_eq!(names, ["lo", "eth0"]);
        let eth0 = &first.interfaces[1];
        assert_eq!((eth0.received.octets, eth0.received.multicast, eth0.sent.dropped), (5_000_000_000, 7, 6));
        assert_eq!((eth0.oper_status, eth0.speed_mbit, eth0.is_promiscuous), (1, None, true));
        assert_eq!(eth0.address, [2, 0, 0, 0, 0, 10]);
        assert_eq!((first.interfaces[0].oper_status, eth0.changed, first.changed), (1, None, None));

        write("net/eth0/operstate", "down");
        assert!(Arc::ptr_eq(&first, &host.snapshot(start + INTERFACES_MAX_AGE / 2)));
        let later = start + Duration::from_secs(60);
        let second = host.snapshot(later);
        assert_eq!((second.interfaces[1].oper_status, second.interfaces[1].changed), (2, Some(later)));
        assert_eq!((second.interfaces[0].changed, second.changed), (None, None));
        fs::remove_dir_all(directory.path().join("net/lo")).unwrap();
        assert_eq!(host.snapshot(later + Duration::from_secs(60)).changed, Some(later + Duration::from_secs(60)));
    }
}
