//! The agent is killed in the middle of swaps, and started again.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hamsa_testkit::{NetSnmp, require, wait_until};

use crate::support::{Agent, ENGINE_BOOTS, SYS_NAME, other_version, swap_request};

const CRASHES: u32 = 4;

#[test]
fn after_a_crash_all_modules_are_on_one_side_users_are_there_and_boots_have_grown() {
    let tools = require!(NetSnmp::new());
    let admin = tools.user("priv-SHA-256-AES").clone();
    let mut agent = Agent::start(std::slice::from_ref(&admin), "");
    let who = admin.arguments();
    agent.tool(&tools, "snmpusm", &who, &["create", "heir", &admin.name]).unwrap();
    let mut heir = admin.clone();
    heir.name = "heir".to_owned();
    // It has keys and no rights: an answer that says so is one that was understood.
    let is_known = |agent: &Agent| {
        let refused = agent.tool(&tools, "snmpget", &heir.arguments(), &[SYS_NAME]).unwrap_err().to_string();
        assert!(refused.contains("authorizationError"), "{refused}");
    };
    is_known(&agent);

    for crash in 1..=CRASHES {
        let before = format!("before crash {crash}");
        agent.tool(&tools, "snmpset", &who, &[SYS_NAME, "s", &before]).unwrap();
        let swapped = AtomicU64::new(0);
        std::thread::scope(|scope| {
            let (socket_agent, swapped) = (&agent, &swapped);
            let swapping = scope.spawn(move || {
                let mut version = socket_agent.modules()[0].1.clone();
                let modules: Vec<String> = socket_agent.modules().into_iter().map(|(module, _)| module).collect();
                loop {
                    version = other_version(&version).to_owned();
                    let changes: Vec<(String, String)> =
                        modules.iter().map(|module| (module.clone(), version.clone())).collect();
                    match socket_agent.try_ask(&swap_request(&changes)) {
                        Ok(_) => _ = swapped.fetch_add(1, Ordering::Relaxed),
                        // It was aborted, and the next one goes the same way; or the agent is gone.
                        Err(error) if error.contains("aborted") => version = other_version(&version).to_owned(),
                        Err(_) => return,
                    }
                }
            });
            wait_until("some swaps", || (swapped.load(Ordering::Relaxed) >= 3).then_some(()));
            std::thread::sleep(Duration::from_millis(u64::from(crash) * 7));
            agent.crash();
            swapping.join().unwrap();
        });
        agent.kill();
        agent.run();
        let modules = agent.modules();
        let side = &modules[0].1;
        assert!(modules.iter().all(|(_, version)| version == side), "{modules:?}");
        let said = agent.tool(&tools, "snmpget", &who, &[ENGINE_BOOTS, SYS_NAME]).unwrap();
        assert!(said.contains(&format!("INTEGER: {}\n", crash + 1)) && said.contains(&before), "{said}");
        is_known(&agent);
    }
    agent.terminate();
    agent.run();
    is_known(&agent);
}
