//! The master is replaced while its sub-agent is walked through it.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use hamsa_testkit::require;

use crate::support::{Agent, MODULES, NS_CACHE, NS_CACHE_TIMEOUT, UDP, V2C, names, sub_agent, wait_for};

const SWAPS: usize = 30;

#[test]
fn swaps_under_walks_lose_no_request_and_no_session() {
    let agent = require!(Agent::start());
    let (_snmpd, _home) = require!(sub_agent(&agent.socket(), MODULES));
    wait_for(&agent, NS_CACHE_TIMEOUT, true);
    wait_for(&agent, ".1.3.6.1.2.1.7.1.0", true);
    let (v2c, user) = (V2C.map(str::to_owned).to_vec(), agent.user());
    let expected = |root| names(&agent.tool("snmpwalk", &V2C, &[root]).unwrap());
    // Only scalars: tables of sockets come and go.
    let scalars = |names: Vec<String>| names.into_iter().filter(|name| name.ends_with(".0")).collect::<Vec<_>>();
    let roots = [(UDP, scalars(expected(UDP))), (NS_CACHE, scalars(expected(NS_CACHE)))];
    assert!(roots.iter().all(|(_, names)| names.len() >= 2), "{roots:?}");

    let (is_over, walks) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        let walkers =
            [("snmpwalk", &v2c), ("snmpbulkwalk", &v2c), ("snmpbulkwalk", &user)].map(|(tool, credentials)| {
                let (agent, roots, is_over, walks) = (&agent, &roots, &is_over, &walks);
                scope.spawn(move || {
                    while !is_over.load(Ordering::Acquire) {
                        for (root, expected) in roots {
                            let walked = agent
                                .tool(tool, credentials, &[root])
                                .unwrap_or_else(|error| panic!("{tool}: {error}"));
                            assert_eq!(&scalars(names(&walked)), expected, "{tool} {root}");
                            walks.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                })
            });
        let swapped: Result<(), String> = (0..SWAPS).try_for_each(|number| {
            let version = if number % 2 == 0 { "1.0" } else { "1.1" };
            agent.control(&["swap", "MIB-module/AgentX", version]).map(|_| ())
        });
        is_over.store(true, Ordering::Release);
        for walker in walkers {
            walker.join().expect("no request was lost");
        }
        swapped.unwrap_or_else(|error| panic!("{error}"));
    });
    assert!(walks.into_inner() >= roots.len() * 3);
    agent.tool("snmpset", &user, &[NS_CACHE_TIMEOUT, "i", "12"]).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(agent.get(&V2C, NS_CACHE_TIMEOUT), "INTEGER: 12");
}
