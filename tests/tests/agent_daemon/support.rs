//! A running `hamsa agent`, and the ways to it.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use hamsa_testkit::{NetSnmp, NotificationTarget, Output, Process, User, free_udp, hamsa, limits::LIVENESS};
use serde_json::{Value, json};
use tempfile::TempDir;

/// `sysContact` of every agent here.
pub const CONTACT: &str = "operations";
/// `sysLocation`.
pub const LOCATION: &str = "laboratory";
pub const SYS_CONTACT: &str = "1.3.6.1.2.1.1.4.0";
pub const SYS_NAME: &str = "1.3.6.1.2.1.1.5.0";
pub const SYS_LOCATION: &str = "1.3.6.1.2.1.1.6.0";
pub const ENGINE_BOOTS: &str = "1.3.6.1.6.3.10.2.1.2.0";
pub const NOT_IN_TIME_WINDOWS: &str = "1.3.6.1.6.3.15.1.1.2.0";

/// An agent; it ends with the guard.
pub struct Agent {
    pub address: SocketAddr,
    directory: TempDir,
    process: Option<Process>,
}

impl Agent {
    /// Starts an agent that knows these users, all of whom may do everything, and the communities `public` and
    /// `private`. `more` is appended to its configuration.
    pub fn start(users: &[User], more: &str) -> Self {
        let mut agent = Agent::prepare(users, more);
        agent.run();
        agent
    }

    /// The same, without a process yet.
    pub fn prepare(users: &[User], more: &str) -> Self {
        let agent =
            Agent { address: free_udp(), directory: TempDir::with_prefix("hamsa-agent-").unwrap(), process: None };
        let mut config = format!(
            "[agent]\nlisten = [\"{}\"]\ndata_dir = \"data\"\nworkers = 2\n\
             [system]\ncontact = \"{CONTACT}\"\nlocation = \"{LOCATION}\"\n\
             [communities.readers]\ncommunity = \"public\"\n\
             [communities.writers]\ncommunity = \"private\"\naccess = \"read-write\"\n",
            agent.address
        );
        for user in users {
            config.push_str(&format!("[users.{}]\naccess = \"read-write\"\n", user.name));
            for (key, given) in [("auth", user.auth), ("priv", user.privacy)] {
                if let Some((protocol, password)) = given {
                    let protocol = match protocol {
                        "SHA" => "SHA-1",
                        "AES" => "AES-128",
                        "AES192C" => "AES-192-C",
                        "AES256C" => "AES-256-C",
                        other => other,
                    };
                    config.push_str(&format!("{key}_protocol = \"{protocol}\"\n{key}_password = \"{password}\"\n"));
                }
            }
        }
        config.push_str(more);
        let path = agent.config();
        std::fs::write(&path, config).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        agent
    }

    pub fn config(&self) -> PathBuf {
        self.directory.path().join("agent.toml")
    }

    pub fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    pub fn socket(&self) -> PathBuf {
        self.data().join("control.sock")
    }

    /// Adds to its configuration, which counts when it starts again.
    pub fn configure(&self, more: &str) {
        let config = std::fs::read_to_string(self.config()).unwrap();
        std::fs::write(self.config(), config + more).unwrap();
    }

    /// Starts it, once more after a crash.
    pub fn run(&mut self) {
        let config = self.config();
        let mut command = Command::new(hamsa());
        let process = self.process.insert(Process::spawn("agent", command.arg("agent").arg("--config").arg(config)));
        process.wait_until("the agent answers", |process| process.stderr().contains("  control: ").then_some(()));
    }

    /// Ends it at once.
    pub fn kill(&mut self) {
        self.process.take().expect("it runs").kill();
    }

    /// The process's id.
    pub fn process_id(&self) -> u32 {
        self.process.as_ref().expect("it runs").id()
    }

    /// Panics where the process has ended.
    #[track_caller]
    pub fn invariant_it_runs(&mut self) {
        let process = self.process.as_mut().expect("it runs");
        assert!(process.is_running(), "the agent has ended:\n{}", process.stderr());
    }

    /// Kills the process, and leaves the rest to [`Agent::kill`].
    pub fn crash(&self) {
        let id = rustix::process::Pid::from_raw(self.process_id().cast_signed()).expect("a process id");
        // It may have ended by itself; then the next look says so.
        let _ = rustix::process::kill_process(id, rustix::process::Signal::KILL);
    }

    /// Ends it as an operator would; what it said.
    pub fn terminate(&mut self) -> String {
        let mut process = self.process.take().expect("it runs");
        let status = process.terminate();
        assert!(status.success(), "{status}: {}", process.stderr());
        process.stderr()
    }

    /// Asks the control socket; the answer's result.
    #[track_caller]
    pub fn ask(&self, request: &Value) -> Value {
        self.try_ask(request).unwrap_or_else(|error| panic!("{request}: {error}"))
    }

    /// The same, or what is the matter.
    pub fn try_ask(&self, request: &Value) -> Result<Value, String> {
        try_ask(&self.socket(), request)
    }

    /// All modules with their versions.
    #[track_caller]
    pub fn modules(&self) -> Vec<(String, String)> {
        let list = self.ask(&json!({ "op": "list" }));
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        list.as_array().unwrap().iter().map(|row| (text(&row["module"]), text(&row["version"]))).collect()
    }

    /// Runs a command of ours to its end.
    pub fn hamsa(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(hamsa());
        command.args(arguments).env_remove("HAMSA_TOKEN");
        Process::spawn("hamsa", &mut command).finish(LIVENESS).expect("it ends")
    }

    /// Adds a target of notifications.
    pub fn add_target(&self, tools: &NetSnmp, admin: &User, target: &NotificationTarget<'_>) {
        for set in target.sets() {
            self.set(tools, admin, &set.iter().map(String::as_str).collect::<Vec<_>>());
        }
    }

    /// One SET in the name of a user.
    pub fn set(&self, tools: &NetSnmp, admin: &User, cells: &[&str]) {
        self.tool(tools, "snmpset", &admin.arguments(), cells).unwrap_or_else(|error| panic!("{error}"));
    }

    /// Runs one of net-snmp's tools in the name of somebody.
    pub fn tool(
        &self,
        tools: &NetSnmp,
        tool: &str,
        who: &[String],
        arguments: &[&str],
    ) -> Result<String, hamsa_testkit::ToolError> {
        let address = self.address.to_string();
        let common = ["-t", "20", "-r", "0", "-On"].map(str::to_owned);
        let own = std::iter::once(address).chain(arguments.iter().map(|&text| text.to_owned()));
        tools.run(tool, who.iter().cloned().chain(common).chain(own))
    }
}

/// A request for a swap of these modules, with a budget for slow machines.
pub fn swap_request(changes: &[(String, String)]) -> Value {
    let changes: Vec<Value> =
        changes.iter().map(|(module, version)| json!({ "module": module, "version": version })).collect();
    json!({ "op": "swap", "changes": changes, "budget_ms": 4000 })
}

/// Tells threads that it is over, also where the test panics.
pub struct Ends<'a>(pub &'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

/// How often a swap may be given up because the machine is too slow for its budget.
const TRIES: usize = 20;

/// Swaps these modules in one transaction; the report.
#[track_caller]
pub fn swap(agent: &Agent, changes: &[(String, String)]) -> Value {
    let mut last = String::new();
    for _ in 0..TRIES {
        match agent.try_ask(&swap_request(changes)) {
            Ok(report) => return report,
            Err(error) => last = error,
        }
    }
    panic!("not swapped {TRIES} times: {changes:?}: {last}");
}

/// Swaps all modules, each for its other version, in one transaction; the report.
#[track_caller]
pub fn swap_all(agent: &Agent) -> Value {
    let all: Vec<(String, String)> =
        agent.modules().into_iter().map(|(module, version)| (module, other_version(&version).to_owned())).collect();
    let report = swap(agent, &all);
    assert_eq!(report["changes"].as_array().unwrap().len(), all.len(), "{report}");
    report
}

/// The other one of the two versions that there are.
pub fn other_version(version: &str) -> &'static str {
    if version == "1.0" { "1.1" } else { "1.0" }
}

/// A community's options.
pub fn community(version: &str, community: &str) -> Vec<String> {
    [version, "-c", community].map(str::to_owned).to_vec()
}

/// Asks a control socket; the answer's result, or what is the matter.
pub fn try_ask(socket: &Path, request: &Value) -> Result<Value, String> {
    let mut stream = UnixStream::connect(socket).map_err(|error| error.to_string())?;
    stream.set_read_timeout(Some(LIVENESS)).unwrap();
    stream.write_all(format!("{request}\n").as_bytes()).map_err(|error| error.to_string())?;
    for line in BufReader::new(stream).lines() {
        let answer: Value =
            serde_json::from_str(&line.map_err(|error| error.to_string())?).map_err(|error| error.to_string())?;
        if answer.get("event").is_some() {
            continue;
        }
        return match answer.get("result") {
            Some(result) => Ok(result.clone()),
            None => Err(answer["error"].as_str().unwrap_or_default().to_owned()),
        };
    }
    Err("no answer".to_owned())
}
