//! A node's own modules are replaced while it polls.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use hamsa_testkit::{NetSnmp, Process, free_tcp, hamsa, http, require, wait_until};

use crate::support::{Agent, other_version, swap_request, try_ask};

/// Swaps of all modules at once.
const SWAPS: usize = 10;

#[test]
fn a_node_polls_on_while_its_modules_are_replaced() {
    let tools = require!(NetSnmp::new());
    let user = tools.user("priv-SHA-256-AES").clone();
    let agent = Agent::start(std::slice::from_ref(&user), "");
    let directory = tempfile::TempDir::with_prefix("hamsa-node-").unwrap();
    let listen = free_tcp();
    let (_, auth_password) = user.auth.unwrap();
    let (_, priv_password) = user.privacy.unwrap();
    let config = format!(
        "[node]\ndata_dir = \"data\"\n[http]\nlisten = \"{listen}\"\n[traps]\nlisten = []\n\
         [poll]\ninterval = \"1s\"\ntimeout = \"20s\"\nmax_timeout = \"30s\"\nretries = 0\n\
         [credentials.lab]\nversion = \"v3\"\nuser = \"{}\"\nauth_protocol = \"SHA-256\"\n\
         auth_password = \"{auth_password}\"\npriv_protocol = \"AES-128\"\npriv_password = \"{priv_password}\"\n\
         [[device]]\nname = \"device\"\naddress = \"{}\"\ncredentials = \"lab\"\n",
        user.name, agent.address
    );
    let path = directory.path().join("hamsa.toml");
    std::fs::write(&path, config).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    let mut node = Process::spawn("node", Command::new(hamsa()).args(["node", "--config"]).arg(&path));
    let metric = |name: &str| -> Option<f64> {
        let text = http::get(&format!("http://{listen}/metrics")).ok()?.text();
        let lines = text.lines().filter(|line| line.starts_with(name));
        lines.map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
    };
    let answered = || metric("hamsa_snmp_requests_total{result=\"answered\"}").unwrap_or(0.0);
    node.wait_until("the node polls", |_| (answered() > 0.0).then_some(()));
    let socket = directory.path().join("data/control.sock");
    let modules = || -> Vec<(String, String)> {
        let list = try_ask(&socket, &serde_json::json!({ "op": "list" })).unwrap();
        let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
        list.as_array().unwrap().iter().map(|row| (text(&row["module"]), text(&row["version"]))).collect()
    };
    assert!(modules().len() >= 19, "{:?}", modules());
    let mut committed = 0;
    for _ in 0..SWAPS {
        let before = answered();
        let changes: Vec<(String, String)> =
            modules().into_iter().map(|(module, version)| (module, other_version(&version).to_owned())).collect();
        match try_ask(&socket, &swap_request(&changes)) {
            Ok(report) => committed += usize::from(report["end"] == "committed"),
            // A slow machine may exceed the budget.
            Err(error) => assert!(error.contains("aborted"), "{error}"),
        }
        wait_until("further answers", || (answered() > before).then_some(()));
    }
    assert!(committed > SWAPS / 2, "{committed} swaps");
    for lost in ["timed_out", "failed"] {
        assert_eq!(metric(&format!("hamsa_snmp_requests_total{{result=\"{lost}\"}}")), Some(0.0), "{lost}");
    }
    assert_eq!(metric("hamsa_snmp_retransmissions_total"), Some(0.0));
    let listed = agent.hamsa(&["modules", "history", "--socket", &socket.display().to_string()]);
    assert!(listed.status.success() && listed.stdout.contains("committed"), "{listed:?}");
    assert!(node.terminate().success(), "{}", node.stderr());
}
