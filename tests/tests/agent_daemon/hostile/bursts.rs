//! Tens of thousands of hostile datagrams, and garbage from sub-agents, while modules are replaced.

use std::io::Write;
use std::net::UdpSocket;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use hamsa_snmp::engine::Statistic;
use hamsa_testkit::{NetSnmp, require, wait_until};

use super::forge::{Answer, Counters, Forge, GUEST, OPERATOR, Values, answers_socket, users};
use super::messages::Hostile;
use super::sub_agents::pester;
use crate::support::{Agent, CONTACT, Ends, SYS_CONTACT, community, other_version, swap, swap_all};

const BURSTS: u64 = 6;
const BATCHES: usize = 120;

/// Datagrams that are under way at once: the agent's socket holds them all.
const BATCH: usize = 48;

/// By how much what the agent has in memory may grow from the first burst to the last: buffers and tables that are
/// bounded fill up; half a kilobyte kept of each datagram would be more.
const MAX_GROWTH_BYTES: u64 = 16 << 20;

#[test]
fn tens_of_thousands_of_hostile_datagrams_during_swaps_never_stop_it_and_each_is_answered_or_counted() {
    let tools = require!(NetSnmp::new());
    let mut agent = Agent::start(&users(&tools), "[agentx]\ninstall = true\n");
    let process = agent.process_id();
    let forge = Forge::discover(agent.address);
    let seed = std::env::var("HAMSA_HOSTILE_SEED").map_or(1, |seed| seed.parse().expect("a seed is a number"));
    let _told = Told(seed);
    let (swaps, connections) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let (mut bytes, mut answered) = (Vec::new(), 0);
    for burst in 0..BURSTS {
        let is_over = AtomicBool::new(false);
        thread::scope(|scope| {
            let _ends = Ends(&is_over);
            scope.spawn(|| {
                for number in 0.. {
                    if is_over.load(Ordering::Acquire) {
                        return;
                    }
                    replace_some(&agent, number);
                    swaps.fetch_add(1, Ordering::Relaxed);
                }
            });
            let socket = agent.data().join("agentx.sock");
            let (is_over, connections) = (&is_over, &connections);
            scope.spawn(move || connections.fetch_add(pester(&socket, seed ^ burst, is_over), Ordering::Relaxed));
            let mut hostile = Hostile::new(&forge, seed.wrapping_mul(BURSTS) + burst);
            let mut account = Account::open(&agent);
            for _ in 0..BATCHES {
                account.send(&forge, (0..BATCH).map(|_| hostile.next()));
            }
            answered += account.answered;
        });
        agent.invariant_it_runs();
        assert_eq!(agent.process_id(), process);
        for who in [community("-v2c", "public"), tools.user(OPERATOR).arguments(), tools.user(GUEST).arguments()] {
            let said = agent.tool(&tools, "snmpget", &who, &[SYS_CONTACT]).unwrap_or_else(|error| panic!("{error}"));
            assert!(said.contains(CONTACT), "{said}");
        }
        bytes.push(resident_bytes(process));
        assert!(bytes[burst as usize] < bytes[0] + MAX_GROWTH_BYTES, "octets in memory after each burst: {bytes:?}");
    }
    let (swaps, connections) = (swaps.into_inner(), connections.into_inner());
    let counters = Counters::of(agent.address).read();
    let counters: Vec<_> = Statistic::ALL.iter().zip(counters).collect();
    let told = format!(
        "{} datagrams, {answered} responses, {swaps} swaps, {connections} sub-agents; {counters:?}; memory {bytes:?}",
        BURSTS as usize * BATCHES * BATCH
    );
    // For whoever runs it by hand, with --nocapture.
    let _ = writeln!(std::io::stderr(), "{told}");
    assert!(swaps >= 20 && connections >= 50 && answered > 1000, "{told}");
    // The messages are of every class that can be made from outside.
    let unmade = [Statistic::SilentDrops, Statistic::ProxyDrops, Statistic::UnavailableContexts];
    assert!(counters.iter().all(|&(counter, count)| (count == 0) == unmade.contains(counter)), "{told}");
    let said = agent.terminate();
    assert!(!said.contains("panicked"), "{said}");
}

/// Replaces a module, now and then all.
fn replace_some(agent: &Agent, number: usize) {
    let modules = agent.modules();
    if number % 16 == 15 {
        swap_all(agent);
    } else {
        let (module, version) = &modules[number % modules.len()];
        swap(agent, &[(module.clone(), other_version(version).to_owned())]);
    }
}

/// Says the seed where the test fails.
struct Told(u64);

impl Drop for Told {
    #[allow(clippy::print_stderr, reason = "the harness shows it with the test that panicked")]
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("HAMSA_HOSTILE_SEED={} sends the same again", self.0);
        }
    }
}

/// What was sent, and what became of it.
struct Account {
    socket: UdpSocket,
    counters: Counters,
    at_start: Values,
    /// The messages since then.
    sent: u32,
    responses: u32,
    /// Those of them that answer what was sent.
    answered: u32,
    reports: Values,
}

impl Account {
    fn open(agent: &Agent) -> Self {
        let (socket, counters) = (answers_socket(agent.address), Counters::of(agent.address));
        let at_start = counters.read();
        Account { socket, counters, at_start, sent: 0, responses: 0, answered: 0, reports: [0; Statistic::ALL.len()] }
    }

    /// Sends, and waits until each message was answered or counted.
    fn send(&mut self, forge: &Forge, messages: impl Iterator<Item = Vec<u8>>) {
        for message in messages {
            self.socket.send(&message).unwrap();
            self.sent += 1;
        }
        let mut buffer = vec![0; 65_536];
        wait_until("every message is answered or counted", || {
            while let Ok(length) = self.socket.recv(&mut buffer) {
                match forge.read(&mut buffer[..length]) {
                    Answer::Response => {
                        self.responses += 1;
                        self.answered += 1;
                    }
                    Answer::Report(counter) => self.reports[counter as usize] += 1,
                }
            }
            // One message and one response; what it says is from before that response.
            let now = self.counters.read();
            self.sent += 1;
            let grown = |counter: Statistic| now[counter as usize].wrapping_sub(self.at_start[counter as usize]);
            assert!(grown(Statistic::InPackets) <= self.sent, "{} of {}", grown(Statistic::InPackets), self.sent);
            let is_error =
                |counter: &Statistic| !matches!(counter, Statistic::InPackets | Statistic::InBadCommunityUses);
            let turned_away: u32 = Statistic::ALL.into_iter().filter(is_error).map(grown).sum();
            self.responses += 1;
            let all_have_come = grown(Statistic::InPackets) == self.sent;
            assert!(turned_away + self.responses <= self.sent, "more answers than questions");
            let is_even = all_have_come && turned_away + self.responses == self.sent;
            is_even.then_some(())
        });
        let now = self.counters.read();
        self.sent += 1;
        self.responses += 1;
        for counter in Statistic::ALL {
            let counted = now[counter as usize].wrapping_sub(self.at_start[counter as usize]);
            let told = self.reports[counter as usize];
            assert!(told <= counted, "{told} Reports of {counter}, which counts {counted}");
        }
    }
}

/// What the process holds in memory of its own.
fn resident_bytes(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).expect("Linux says it");
    line.trim().strip_suffix(" kB").unwrap().trim().parse::<u64>().unwrap() << 10
}
