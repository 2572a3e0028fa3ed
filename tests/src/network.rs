//! Hosts on one machine: network namespaces joined by a bridge that can be cut, for real group engines.
//!
//! Each host has an address of its own, a loopback, and a private `/run`; files, memory and process numbers are the
//! machine's. Nothing here is named outside of the processes that hold the namespaces, so that the kernel removes all
//! of it when they end: when the network is dropped, when its test panics, and when its test process is killed.
//!
//! The addresses exist in these namespaces only, so that nothing sent to them leaves the machine.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::io::{Seek, Write as _};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::process::Process;
use crate::program::{Unavailable, program};
use crate::wait::wait_until;

/// Holds the namespaces it was started in. `$1` is what the host sees as `/run`.
const HOLDER_SCRIPT: &str = r#"
mkdir -p "$1/lock" && mount --bind "$1" /run && ip link set lo up && echo ready && exec sleep infinity
"#;

/// The bridge of the namespace that has one. No spanning tree: a port forwards at once.
const BRIDGE: &str = "br0";

/// Hosts with the addresses 10.77.0.1 and on, all of which reach each other until they are cut.
#[derive(Debug)]
pub struct Network {
    programs: Programs,
    /// Dropped before the bridge's: a host's processes see their network as long as they run.
    hosts: Vec<Host>,
    bridge: Process,
    directory: TempDir,
}

#[derive(Debug)]
struct Programs {
    ip: PathBuf,
    nft: PathBuf,
    nsenter: PathBuf,
    unshare: PathBuf,
}

#[derive(Debug)]
struct Host {
    holder: Process,
    directory: PathBuf,
}

impl Network {
    /// Makes so many hosts, numbered from 1.
    ///
    /// # Errors
    /// This is not root, iproute2 or nftables are not installed, or the kernel or a container keeps us from making
    /// namespaces or bridges.
    pub fn new(hosts: u8) -> Result<Self, Unavailable> {
        if !rustix::process::geteuid().is_root() {
            return Err(Unavailable::new("network namespaces need root"));
        }
        let programs = Programs {
            ip: program("ip")?,
            nft: program("nft")?,
            nsenter: program("nsenter")?,
            unshare: program("unshare")?,
        };
        let directory = TempDir::with_prefix("hamsa-network-").expect("a temporary directory");
        let bridge = hold(&programs, "bridge", &directory.path().join("bridge"))?;
        let network = Network { programs, hosts: Vec::new(), bridge, directory };
        let add = ["link", "add", BRIDGE, "type", "bridge", "forward_delay", "0", "stp_state", "0"];
        run(network.in_bridge(&network.programs.ip).args(add))?;
        run(network.in_bridge(&network.programs.ip).args(["link", "set", BRIDGE, "up"]))?;
        // Says here and not in the middle of a test that this kernel lacks tables for bridges.
        network.replace_cut("")?;
        (0..hosts).try_fold(network, |mut network, _| network.try_add_host().map(|_| network))
    }

    /// Adds a host and returns its number.
    ///
    /// # Panics
    /// It can't be made.
    #[track_caller]
    pub fn add_host(&mut self) -> u8 {
        self.try_add_host().unwrap_or_else(|error| panic!("{error}"))
    }

    /// How many hosts there are.
    pub fn hosts(&self) -> u8 {
        u8::try_from(self.hosts.len()).expect("hosts are counted in octets")
    }

    /// The address of a host.
    pub fn address(&self, host: u8) -> Ipv4Addr {
        Ipv4Addr::new(10, 77, 0, host)
    }

    /// An empty directory for the files of a host's programs; removed with the network.
    pub fn directory(&self, host: u8) -> &Path {
        &self.host(host).directory
    }

    /// The command that runs `program` in a host. The process is the program itself, so that signals reach it; it starts
    /// in `/`, thus paths have to be absolute.
    pub fn command(&self, host: u8, program: impl AsRef<OsStr>) -> Command {
        enter(&self.programs, &self.host(host).holder, program.as_ref())
    }

    /// Cuts all cables between hosts of different sides; what was cut before and is not now heals. A host that no side
    /// names reaches all.
    ///
    /// # Panics
    /// The kernel refuses.
    pub fn cut(&self, sides: &[&[u8]]) {
        let mut pairs = Vec::new();
        for (index, side) in sides.iter().enumerate() {
            let others = sides.iter().enumerate().filter(|(other, _)| *other != index).flat_map(|(_, side)| *side);
            pairs.extend(others.flat_map(|to| side.iter().map(move |from| (*from, *to))));
        }
        self.cut_directed(&pairs);
    }

    /// Cuts for each pair `(from, to)` what `from` sends to `to`, and heals all else.
    ///
    /// # Panics
    /// The kernel refuses.
    #[track_caller]
    pub fn cut_directed(&self, pairs: &[(u8, u8)]) {
        let mut rules = String::new();
        for (from, to) in pairs {
            let _ = writeln!(rules, "iifname \"{}\" oifname \"{}\" drop", port(*from), port(*to));
        }
        self.replace_cut(&rules).unwrap_or_else(|error| panic!("{error}"));
    }

    /// Undoes all cuts; carriers stay as they are.
    ///
    /// # Panics
    /// The kernel refuses.
    pub fn heal(&self) {
        self.cut_directed(&[]);
    }

    /// Pulls a host's cable out, which the host notices, or plugs it in again.
    ///
    /// # Panics
    /// The kernel refuses.
    #[track_caller]
    pub fn set_carrier(&self, host: u8, is_up: bool) {
        let state = if is_up { "up" } else { "down" };
        let result = run(self.in_bridge(&self.programs.ip).args(["link", "set", &port(host), state]));
        result.unwrap_or_else(|error| panic!("{error}"));
    }

    #[track_caller]
    fn host(&self, host: u8) -> &Host {
        let index = usize::from(host).checked_sub(1);
        index.and_then(|index| self.hosts.get(index)).unwrap_or_else(|| panic!("there is no host {host}"))
    }

    fn in_bridge(&self, program: &Path) -> Command {
        enter(&self.programs, &self.bridge, program.as_os_str())
    }

    fn try_add_host(&mut self) -> Result<u8, Unavailable> {
        let number = self.hosts() + 1;
        let directory = self.directory.path().join(number.to_string());
        let run_directory = self.directory.path().join(format!("{number}-run"));
        std::fs::create_dir(&directory).expect("a directory in ours");
        let holder = hold(&self.programs, &format!("host-{number}"), &run_directory)?;
        let port = port(number);
        let bridge = self.bridge.id().to_string();
        let address = format!("{}/16", self.address(number));
        let ip = |arguments: &[&str]| run(enter(&self.programs, &holder, self.programs.ip.as_os_str()).args(arguments));
        ip(&["link", "add", "eth0", "type", "veth", "peer", "name", &port, "netns", &bridge])?;
        ip(&["address", "add", &address, "dev", "eth0"])?;
        ip(&["link", "set", "eth0", "up"])?;
        run(self.in_bridge(&self.programs.ip).args(["link", "set", &port, "master", BRIDGE, "up"]))?;
        self.hosts.push(Host { holder, directory });
        Ok(number)
    }

    /// In one transaction, so that no packet passes between the old cut and the new one.
    fn replace_cut(&self, rules: &str) -> Result<(), Unavailable> {
        let script = format!(
            "table bridge cut {{}}\ndelete table bridge cut\ntable bridge cut {{\nchain cut {{\n\
             type filter hook forward priority 0\n{rules}}}\n}}\n"
        );
        let mut command = self.in_bridge(&self.programs.nft);
        run_with_input(command.args(["-f", "-"]), &script)
    }
}

/// The bridge's end of a host's cable.
fn port(host: u8) -> String {
    format!("port{host}")
}

/// Starts the process that holds a network and a mount namespace, and waits until both are there.
fn hold(programs: &Programs, name: &str, run_directory: &Path) -> Result<Process, Unavailable> {
    let mut command = Command::new(&programs.unshare);
    command
        .args(["--net", "--mount", "--propagation", "private", "sh", "-c", HOLDER_SCRIPT, "holder"])
        .arg(run_directory);
    let mut process = Process::spawn(name, &mut command);
    let is_ready = wait_until("the namespaces of a host", || {
        // The second look is for what it printed before it ended.
        let is_running = process.is_running();
        let is_ready = process.stdout() == "ready\n";
        (is_ready || !is_running).then_some(is_ready)
    });
    if is_ready { Ok(process) } else { Err(Unavailable::new(format!("no namespaces: {}", process.stderr().trim()))) }
}

fn enter(programs: &Programs, holder: &Process, program: &OsStr) -> Command {
    let mut command = Command::new(&programs.nsenter);
    // The holder is our child and not collected before it is dropped, so that its number stays its own.
    command.arg(format!("--target={}", holder.id())).args(["--net", "--mount", "--"]).arg(program);
    command
}

fn run(command: &mut Command) -> Result<(), Unavailable> {
    run_with_input(command, "")
}

fn run_with_input(command: &mut Command, input: &str) -> Result<(), Unavailable> {
    let text = format!("{command:?}");
    let failed = |why: &str| Unavailable::new(format!("`{text}` failed: {}", why.trim().replace('\n', "; ")));
    let mut file = tempfile::tempfile().expect("a temporary file");
    file.write_all(input.as_bytes()).and_then(|()| file.rewind()).expect("a temporary file takes a few octets");
    let output = command.stdin(Stdio::from(file)).output().map_err(|error| failed(&error.to_string()))?;
    if output.status.success() { Ok(()) } else { Err(failed(&String::from_utf8_lossy(&output.stderr))) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::LIVENESS;
    use crate::require;

    /// Whether what `from` sends to `to` arrives and an answer comes back: the neighbour is asked for its address.
    fn reaches(network: &Network, from: u8, to: u8) -> bool {
        let address = network.address(to).to_string();
        let mut forget = network.command(from, &network.programs.ip);
        // It may know none yet.
        let _ = run(forget.args(["neighbour", "flush", "dev", "eth0"]));
        // Sends a datagram to the discard port by the shell's own means; the kernel asks for the neighbour first.
        let mut send = network.command(from, "bash");
        let _ = run(send.args(["-c", &format!("echo > /dev/udp/{address}/9")]));
        let state = || {
            let mut show = network.command(from, &network.programs.ip);
            let output = show.args(["neighbour", "show", &address]).output().expect("ip runs");
            String::from_utf8_lossy(&output.stdout).into_owned()
        };
        wait_until("an answer, or none", || {
            let state = state();
            let is_known = ["REACHABLE", "STALE", "DELAY", "PROBE"].iter().any(|name| state.contains(name));
            (is_known || state.contains("FAILED") || state.is_empty()).then_some(is_known)
        })
    }

    #[test]
    fn hosts_are_cut_and_healed() {
        let mut network = require!(Network::new(2));
        let third = network.add_host();
        assert_eq!((third, network.hosts()), (3, 3));
        // A neighbour that does not answer is given up after three times so long; a second is more than is needed.
        let impatient = "echo 100 > /proc/sys/net/ipv4/neigh/eth0/retrans_time_ms";
        (1..=3).for_each(|host| run(network.command(host, "sh").args(["-c", impatient])).unwrap());
        assert!(reaches(&network, 1, 2) && reaches(&network, 2, 3));
        network.cut(&[&[1], &[2, 3]]);
        assert!(!reaches(&network, 1, 2) && !reaches(&network, 3, 1) && reaches(&network, 2, 3));
        network.cut_directed(&[(2, 3)]);
        assert!(reaches(&network, 1, 2) && !reaches(&network, 2, 3));
        network.heal();
        assert!(reaches(&network, 2, 3));
        network.set_carrier(2, false);
        assert!(!reaches(&network, 1, 2) && reaches(&network, 1, 3));
        network.set_carrier(2, true);
        wait_until("the cable is in again", || reaches(&network, 1, 2).then_some(()));
    }

    #[test]
    fn a_host_has_a_private_run_directory_and_files_of_its_own() {
        let network = require!(Network::new(2));
        let name = format!("hamsa-network-{}", std::process::id());
        run(network.command(1, "touch").arg(Path::new("/run").join(&name))).unwrap();
        assert!(!Path::new("/run").join(&name).exists());
        assert!(run(network.command(2, "test").arg("-e").arg(Path::new("/run").join(&name))).is_err());
        run(network.command(1, "test").arg("-e").arg(Path::new("/run").join(&name))).unwrap();
        assert_ne!(network.directory(1), network.directory(2));
        assert_eq!(std::fs::read_dir(network.directory(1)).unwrap().count(), 0);
    }

    #[test]
    fn signals_reach_the_program_itself() {
        let network = require!(Network::new(1));
        let mut process = Process::spawn("sleep", network.command(1, "sleep").arg("600"));
        let name = Path::new("/proc").join(process.id().to_string()).join("comm");
        wait_until("the program runs", || {
            std::fs::read_to_string(&name).is_ok_and(|text| text == "sleep\n").then_some(())
        });
        process.kill();
        assert!(process.wait(LIVENESS).is_some());
    }
}
