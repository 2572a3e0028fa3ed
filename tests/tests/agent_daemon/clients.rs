//! net-snmp's tools, run after one another without end with every pair of protocols that they have, while modules of each
//! kind in turn, and then of several kinds at once, are replaced: no tool fails, and no answer is wrong.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use hamsa_testkit::{NetSnmp, User, limits::LIVENESS, require};

use crate::relay::{Relay, invariant_no_salt_is_reused};
use crate::support::{
    Agent, Ends, NOT_IN_TIME_WINDOWS, SYS_CONTACT, SYS_LOCATION, SYS_NAME, community, other_version, swap, swap_all,
};

const SWAPS: usize = 200;

/// So that a processor is left for the tools.
const PAUSE: Duration = Duration::from_millis(20);

/// Each client has its own variable, so that it knows what is in it.
const OWN: [&str; 3] = [SYS_CONTACT, SYS_NAME, SYS_LOCATION];

#[test]
fn no_tool_fails_with_any_pair_of_protocols_while_each_kind_and_several_kinds_are_replaced() {
    let tools = require!(NetSnmp::new());
    let users: Vec<User> = tools.users().iter().filter(|user| user.level() == "authPriv").cloned().collect();
    let agent = Agent::start(&users, "");
    let names = names(&agent.tool(&tools, "snmpbulkwalk", &users[0].arguments(), &["1.3.6.1.2.1.1"]).unwrap());
    let time_failures = || agent.tool(&tools, "snmpget", &community("-v2c", "public"), &[NOT_IN_TIME_WINDOWS]).unwrap();
    let before = time_failures();
    let (is_over, rounds) = (AtomicBool::new(false), [(); OWN.len()].map(|()| AtomicUsize::new(0)));
    let mut blackouts_us = Vec::new();
    let salts: Vec<Vec<u8>> = thread::scope(|scope| {
        let clients: Vec<_> = OWN
            .iter()
            .enumerate()
            .map(|(number, own)| {
                let users: Vec<&User> = users.iter().skip(number).step_by(OWN.len()).collect();
                let client = Client { agent: &agent, tools: &tools, own, names: &names };
                let (is_over, rounds) = (&is_over, &rounds[number]);
                scope.spawn(move || client.run(&users, is_over, rounds))
            })
            .collect();
        let ends = Ends(&is_over);
        let deadline = Instant::now() + 3 * LIVENESS;
        // Every pair has met swaps once every client has been through its users.
        let has_ended = || clients.iter().any(|client| client.is_finished());
        let is_enough = |swaps| swaps >= SWAPS && rounds.iter().all(|rounds| rounds.load(Ordering::Relaxed) > 0);
        while !is_enough(blackouts_us.len()) && !has_ended() {
            assert!(Instant::now() < deadline, "the tools are not through: {rounds:?}");
            let report = replace(&agent, blackouts_us.len());
            assert_eq!(report["end"], "committed", "{report}");
            blackouts_us.push(report["blackout_us"].as_u64().unwrap());
            thread::sleep(PAUSE);
        }
        drop(ends);
        clients.into_iter().flat_map(|client| client.join().expect("no tool fails")).collect()
    });
    assert_eq!(time_failures(), before, "messages fell out of the time window");
    invariant_no_salt_is_reused(&salts);
    blackouts_us.sort_unstable();
    let rounds = rounds.map(AtomicUsize::into_inner);
    let (middle, most) = (blackouts_us[blackouts_us.len() / 2], blackouts_us.last().unwrap());
    let told = format!(
        "{} swaps, blackout p50 {middle} us, most {most} us; {} users, rounds {rounds:?}, {} salts",
        blackouts_us.len(),
        users.len(),
        salts.len()
    );
    // For whoever runs it by hand, with --nocapture.
    let _ = writeln!(std::io::stderr(), "{told}");
}

/// One swap: all modules of a kind, the kinds in turn; then of one kind and the next; and then of all kinds.
fn replace(agent: &Agent, number: usize) -> serde_json::Value {
    let mut kinds: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
    for (module, version) in agent.modules() {
        let kind = module.split_once('/').expect("a module has a kind").0.to_owned();
        kinds.entry(kind).or_default().push((module, other_version(&version).to_owned()));
    }
    let kinds: Vec<Vec<(String, String)>> = kinds.into_values().collect();
    let (round, at) = (number / (kinds.len() + 1), number % (kinds.len() + 1));
    if at == kinds.len() {
        swap_all(agent)
    } else if round % 3 == 1 {
        swap(agent, &[&kinds[at][..], &kinds[(at + 1) % kinds.len()]].concat())
    } else if round % 3 == 2 {
        // One module alone.
        swap(agent, &kinds[at][round % kinds[at].len()..][..1])
    } else {
        swap(agent, &kinds[at])
    }
}

struct Client<'a> {
    agent: &'a Agent,
    tools: &'a NetSnmp,
    own: &'a str,
    names: &'a [String],
}

impl Client<'_> {
    /// Asks as one user after the other; the salts of the answers. Panics with what was lost or wrong. An answer that is
    /// lost is an error: nothing is sent twice.
    fn run(&self, users: &[&User], is_over: &AtomicBool, rounds: &AtomicUsize) -> Vec<Vec<u8>> {
        let relay = Relay::start(self.agent.address);
        let address = relay.address.to_string();
        let mut count = 0;
        for user in users.iter().cycle() {
            if is_over.load(Ordering::Acquire) {
                break;
            }
            let run = |tool: &str, arguments: &[&str]| {
                let options = ["-t", "20", "-r", "0", "-On", &address].map(str::to_owned);
                let arguments = arguments.iter().map(|&argument| argument.to_owned());
                let said = self.tools.run(tool, user.arguments().into_iter().chain(options).chain(arguments));
                said.unwrap_or_else(|error| panic!("{error}"))
            };
            let value = format!("{} {count}", user.name);
            let line = format!(".{} = STRING: \"{value}\"", self.own);
            assert_eq!(run("snmpset", &[self.own, "s", &value]).trim(), line);
            assert_eq!(run("snmpget", &[self.own]).trim(), line);
            let walk = run("snmpbulkwalk", &["-Cr10", "1.3.6.1.2.1.1"]);
            assert_eq!(names(&walk), self.names, "{walk}");
            assert!(walk.lines().any(|found| found == line), "{line} is not in {walk}");
            count += 1;
            rounds.store(count / users.len(), Ordering::Relaxed);
        }
        relay.end()
    }
}

fn names(walk: &str) -> Vec<String> {
    walk.lines().filter_map(|line| Some(line.split_once(" = ")?.0.to_owned())).collect()
}
